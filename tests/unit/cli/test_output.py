"""What is printed where: the result on standard output, and progress on a terminal only."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlopskit.cli.output import progress

HERE = """
import os, sys, time
from mlopskit.cli.output import progress, show

with progress("deploy [/x]") as step:
    step("push [bold]")
    print("printed by a model")
    os.system("echo printed by a library")
    time.sleep(0.3)
show({"a": "\\u2026"}, "the result", as_json=len(sys.argv) > 1)
"""


def test_in_a_pipe_only_the_result_is_on_standard_output() -> None:
    said = subprocess.run([sys.executable, "-c", HERE], capture_output=True, text=True, check=True)
    assert said.stdout == "the result\n"
    assert said.stderr == "printed by a model\nprinted by a library\n"
    said = subprocess.run([sys.executable, "-c", HERE, "json"], capture_output=True, text=True, check=True)
    assert said.stdout == '{"a": "\\u2026"}\n'


def test_on_a_terminal_progress_is_shown_and_cleared() -> None:
    parent, child = pty.openpty()
    # rich colours what it takes for a terminal, and clears lines only there.
    surroundings = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-c", HERE], stdout=subprocess.PIPE, stderr=child, env=surroundings, text=True
    )
    os.close(child)
    out, _ = process.communicate(timeout=60)
    shown = _read(parent)
    assert out == "the result\n"
    assert "deploy [/x]: push [bold]" in shown
    assert "printed by a model" in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the line of the progress was not erased"


def _read(terminal: int) -> str:
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
    except OSError:  # what a terminal says when nobody writes to it any more
        pass
    os.close(terminal)
    return said.decode()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_with_a_closed_output_the_work_is_done_all_the_same(tmp_path: Path, closed: str) -> None:
    done = tmp_path / "done"
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib\nfrom mlopskit.cli.output import progress\n"
        f"with progress('run') as step:\n    step('a')\n    pathlib.Path({str(done)!r}).touch()\n"
    )
    subprocess.run(["/bin/sh", "-c", f"{sys.executable} {script} {closed}"], check=True)
    assert done.exists()


def test_steps_are_not_told_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    with progress("run") as step:
        step("train")
        os.write(1, b"printed\n")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "printed\n")


def test_a_reader_that_went_away_is_no_refusal(project: object) -> None:
    command = f"{sys.executable} -c 'import time; time.sleep(0.2); from mlopskit.cli import main; main([\"status\"])'"
    said = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=True
    )
    assert (said.stdout, said.stderr) == ("141\n", "")


@pytest.fixture
def obeyed(hostile: str, hostile_project: Path, cli: Any) -> Callable[..., list[str]]:
    """Return what runs a command and gives the lines that a terminal would obey, or that data have made up."""

    def lines(*command: str) -> list[str]:
        said = cli(*command)
        printed = (said.out + said.err).split("\n")
        assert len(printed) > 1, "it said nothing"
        return [line for line in printed if not line.isprintable() or line.startswith("INFO run mood")]

    return lines


@pytest.mark.skipif(os.name == "nt", reason="there files have no such names")
def test_no_command_prints_what_a_terminal_obeys(hostile: str, obeyed: Callable[..., list[str]]) -> None:
    commands = [
        *(["changed"], ["data", "check"], ["run"], ["runs"], ["diff", "1", "1"], ["report", "--format", "markdown"]),
        *(["deploy", "production"], ["deploy", "production", "--why", hostile, "--override", hostile]),
        *(
            ["history", "production"],
            ["status"],
            ["deploy", hostile],
            ["history", hostile],
            [hostile],
            ["run", hostile],
        ),
        *(["report", "-o", f"r{hostile}.html"], ["build", "production", "--into", f"b{hostile}"]),
        *(["--project", hostile, "run"], ["data", "drift", f"data/{hostile}"], ["init", "--name", hostile]),
    ]
    assert [(command, lines) for command in commands if (lines := obeyed(*command))] == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there files have no such names")
def test_nor_does_one_that_judges(obeyed: Callable[..., list[str]]) -> None:
    commands = [["run"], ["evaluate"], ["gates", "selftest"], ["verify", "production"]]
    assert [(command, lines) for command in commands if (lines := obeyed(*command))] == []
