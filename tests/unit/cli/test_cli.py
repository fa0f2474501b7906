"""What the command line does with what it cannot understand, and with what goes wrong."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import cli as module
from mlopskit.cli import INTERRUPTED, main, run
from mlopskit.errors import DataError
from mlopskit.project import Project

VERBS = [
    "init",
    "run",
    "fetch",
    "sysroot",
    "build",
    "eject",
    "deploy",
    "promote",
    "approve",
    "rollback",
    "status",
    "history",
    "plugins",
    "verify",
    "copy",
    "gc",
    "runs",
    "diff",
    "reproduce",
    "data",
    "evaluate",
    "gates",
    "report",
    "changed",
    "watch",
    "ci",
]
COMMAND = """
import click
import mlopskit as mk

@click.command("greet")
def greet():
    click.echo("hello")

@mk.hookimpl
def mlopskit_commands():
    return [greet]
"""


def test_the_help_lists_the_commands_in_the_order_of_a_models_life(cli: Any) -> None:
    said = cli("--help")
    assert said.code == 0
    listed = [line.split()[0] for line in said.out.split("Commands:\n")[1].splitlines() if line[2] != " "]
    assert listed[: len(VERBS)] == VERBS  # behind them stand those of the installed plugins
    assert "..." not in said.out.split("Commands:\n")[1]


def test_without_a_command_the_help_is_shown_as_wrong_usage(cli: Any) -> None:
    said = cli()
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Usage: mlopskit")


def test_version_and_help_of_a_verb(cli: Any) -> None:
    assert cli("--version").out == f"mlopskit, version {mk.__version__}\n"
    said = cli("deploy", "-h")
    assert said.code == 0
    assert "--override REASON" in said.out


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        (["rn"], "There is no command 'rn'.", "Did you mean 'run'?"),
        (["zzz"], "There is no command 'zzz'.", "Known: init, run, fetch"),
        (["run", "--forc"], "No such option '--forc'. Did you mean '--force'?", "See 'mlopskit run --help'."),
        (["deploy"], "Missing argument 'ENDPOINT'.", "See 'mlopskit deploy --help'."),
        (["promote", "x"], "Missing option '--to'.", "See 'mlopskit promote --help'."),
        (["--zzz"], "No such option '--zzz'.", "See 'mlopskit --help'."),
        (["status", "extra"], "Got unexpected extra argument (extra)", "See 'mlopskit status --help'."),
    ],
)
def test_wrong_usage_names_the_nearest(refused: Any, arguments: list[str], message: str, remedy: str) -> None:
    said = refused(2, *arguments)
    assert message in said
    assert remedy in said


@pytest.mark.parametrize(
    ("arguments", "code", "message", "remedy"),
    [
        (["deploy", "prodution"], 2, "There is no endpoint 'prodution'.", "Did you mean 'production'?"),
        (["deploy", "../production"], 2, "There is no endpoint '../production'.", "Did you mean 'production'?"),
        (["verify", "zzz"], 2, "There is no endpoint 'zzz'.", "Known: production, validation."),
        (["history", "canddate"], 2, "There is no endpoint or alias 'canddate'.", "Did you mean 'candidate'?"),
        (["history", "\u202e"], 2, "There is no endpoint or alias '\\u202e'.", "Known:"),
        (["deploy", "production", "candidat"], 2, "There is no endpoint or alias", "Did you mean 'candidate'?"),
        (["deploy", "production", "../../x"], 2, "The alias '../../x' is not allowed.", "lower-case letters"),
        (["deploy", "production", "mood@../x"], 2, "The alias '../x' is not allowed.", "lower-case letters"),
        (["deploy", "production", "../m@candidate"], 2, "The name '../m' is not allowed.", "lower-case letters"),
        (["deploy", "production", "m\u043eod@candidate"], 2, "The name 'm\\u043eod' is not allowed.", "lower-case"),
        (["deploy", "production", "0" * 64], 2, "holds no package sha256:000", "mlopskit status"),
        (
            ["deploy", "production", "00000000"],
            2,
            "0 packages of 'mood' have a digest that begins",
            "more of the digest",
        ),
        (["deploy", "production", "sha256:xyz"], 2, "0 packages", "more of the digest"),
        (["deploy", "production", "sha256:" + "G" * 64], 2, "is not a digest", "lower-case hex digits"),
        (["deploy", "production", ""], 2, "The alias '' is not allowed.", "lower-case letters"),
    ],
)
def test_names_of_nothing_and_names_that_are_none(
    refused: Any, project: mk.Project, arguments: list[str], code: int, message: str, remedy: str
) -> None:
    said = refused(code, *arguments)
    assert message in said
    assert remedy in said


def test_the_project_file(refused: Any, tmp_path: Any) -> None:
    assert "Make one with 'mlopskit init'." in refused(2, "--project", str(tmp_path / "no.toml"), "status")
    assert "Is a directory" in refused(2, "--project", str(tmp_path), "status")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyError("x"), 3, "Error: Unexpected KeyError: 'x'\n  Please report this, with the traceback that --debug"),
        (EOFError("cut"), 3, "Error: Unexpected EOFError: cut"),
        (SystemExit(0), 3, "Error: Unexpected SystemExit: 0"),
        (
            OSError(28, "No space left on device", "/tmp/x"),
            3,
            "Error: '/tmp/x': No space left on device.\n  Free space",
        ),
        (OSError("odd"), 3, "Error: odd.\n"),
        (KeyboardInterrupt(), INTERRUPTED, "Interrupted: The command was stopped. What was live is still live.\n  Run"),
    ],
)
def test_whatever_goes_wrong_is_told_in_words(
    cli: Any, project: mk.Project, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(Project, "status", fail)
    said = cli("status")
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith(message)
    as_json = cli("status", "--json")
    assert (as_json.code, as_json.err, as_json.json["exit_code"]) == (code, "", code)


@pytest.mark.parametrize("arguments", [["--debug", "status"], ["status", "--debug"], ["status", "--json", "--debug"]])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(
    capsys: pytest.CaptureFixture[str], project: mk.Project, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(Project, "status", lambda _: 1 // 0)
    assert run(arguments) == 3
    said = capsys.readouterr()
    assert "ZeroDivisionError" in said.err
    assert "Traceback" in said.err
    assert "Traceback" not in said.out


def test_what_a_terminal_would_obey_is_not_printed(
    cli: Any, project: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = DataError("Bad \x1b[31m\u202ename\nmore", remedy="Known: \x07bell.")
    error.add_note("also \x1b[0m")
    monkeypatch.setattr(Project, "status", lambda _: (_ for _ in ()).throw(error))
    said = cli("status")
    assert said.err == "Error: Bad \\x1b[31m\\u202ename\n  more\n  Known: \\x07bell.\n  also \\x1b[0m\n"
    assert cli("status", "--json").json["notes"] == ["also \x1b[0m"]


def test_a_character_that_the_terminal_lacks_is_no_error(project: mk.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "30")  # so that something is cut off, with an ellipsis
    with pytest.raises(SystemExit) as ended:
        main(["status"])
    assert ended.value.code == 0
    assert b"\\u2026" in out.buffer.getvalue()  # type: ignore[attr-defined]


def test_main_takes_the_arguments_of_the_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["mlopskit", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "version" in capsys.readouterr().out


def test_commands_of_plugins(cli: Any, refused: Any, install: Callable[..., None]) -> None:
    install("mlopskit-greeting", COMMAND, commands="greet")
    assert cli("greet").out == "hello\n"
    assert " greet Offered by mlopskit-greeting. " in " ".join([*cli("--help").out.split(), ""])
    assert "Did you mean 'greet'?" in refused(2, "gret")


def test_a_broken_command_of_a_plugin_breaks_nothing_else(cli: Any, install: Callable[..., None]) -> None:
    install("mlopskit-shaky", "1 / 0\n", commands="shake")
    said = cli("--help")
    assert said.code == 0
    assert "Offered by mlopskit-shaky." in said.out
    said = cli("shake")
    assert (said.code, said.out) == (3, "")
    assert "The plugin 'shake' of the distribution 'mlopskit-shaky' cannot be used: ZeroDivisionError" in said.err


def test_two_commands_of_one_name(cli: Any, install: Callable[..., None]) -> None:
    install("mlopskit-greeting", COMMAND, commands="greet")
    install("mlopskit-welcome", COMMAND, commands="greet")
    assert "Offered by mlopskit-greeting and mlopskit-welcome." in " ".join(cli("--help").out.split())
    said = cli("greet")
    assert said.code == 3
    assert "2 distributions offer the command 'greet': 'mlopskit-greeting' and 'mlopskit-welcome'." in said.err


def test_a_plugin_cannot_replace_a_built_in_command(cli: Any, install: Callable[..., None]) -> None:
    install("mlopskit-greeting", COMMAND.replace("greet", "status"), commands="status")
    assert cli("--help").out.count("\n  status ") == 1
    assert "hello" not in cli("status").out


def test_every_verb_is_listed() -> None:
    assert [*module.cli.commands] == VERBS
    assert module.cli.name == "cli"
