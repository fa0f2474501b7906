"""What is told through `logging`: each step, one line a record, and nothing unless the program asks for it."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mlopskit as mk
from mlopskit.errors import MlopskitError, NotReadyError, VerdictError
from mlopskit.log import logger, one_line


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """Return what a program sees that logs to a stream, a level and the text a line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    root = logging.getLogger("mlopskit")
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.setLevel(before)
    root.removeHandler(handler)


@given(st.text())
def test_a_line_is_a_line_and_printable(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


@pytest.mark.parametrize("name", ["mlopskit", "mlopskit.watch", "mlopskit.plugins"])
def test_a_record_is_one_line_whatever_it_quotes(name: str, hostile: str, told: io.StringIO) -> None:
    hostile += "\x00\ud800"
    logger(name).warning("The file %s holds %d rows", hostile, 3)
    logger(name).warning(hostile + "%")
    lines = told.getvalue().removesuffix("\n").split("\n")
    assert [line[:12] for line in lines] == ["WARNING The ", "WARNING \\r\\n"]
    assert all(line.isprintable() for line in lines)
    assert lines[0].endswith("\\ud800 holds 3 rows")


def test_what_is_harmless_keeps_its_arguments(hostile: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mlopskit"):
        logger().info("deployed %s", "mood")
        logger().info("deployed %s", hostile)
    assert [record.args for record in caplog.records] == [("mood",), None]


def test_the_steps_of_a_run_and_of_a_deployment_are_told(fresh_project: Path, told: io.StringIO) -> None:
    project = mk.Project()
    run = project.run()
    project.deploy("production", run.digest)
    project.run()
    lines = told.getvalue().splitlines()
    ran = [line.partition(": ")[2].partition(":")[0] for line in lines if line.startswith("INFO run mood: ")]
    assert [*dict.fromkeys(ran)][:4] == ["read", "check data", "train", "package and judge"]
    assert ran[-2:] == ["run 1 passed", "nothing changed since run 1"]
    deployed = [line.partition(": ")[2] for line in lines if line.startswith("INFO deploy mood to production: ")]
    assert deployed[:4] == ["verdict", "check", "check", "build"]
    assert deployed[-4:-1] == ["activate", "verify after the switch", "record"]
    assert re.fullmatch(rf"{run.digest} answers \d+ golden rows as expected", deployed[-1])


def test_who_shows_the_steps_has_them_logged_too(
    registry: mk.Registry, package: mk.ModelPackage, tmp_path: Path, told: io.StringIO
) -> None:
    shown: list[str] = []
    mk.deploy(package, mk.FileShare(to=str(tmp_path / "share")), registry=registry, progress=shown.append)  # type: ignore[arg-type]
    assert shown[-1] == "record"
    assert told.getvalue().count(": record\n") == 1


def test_nothing_is_printed_where_nothing_is_configured(project: mk.Project) -> None:
    code = "import mlopskit as mk; p = mk.Project(); p.run(); p.deploy('production'); import logging; "
    code += "assert logging.getLogger('mlopskit').handlers == logging.getLogger().handlers == []"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_undone_switch_and_a_second_question_are_told(
    package: mk.ModelPackage,
    registry: mk.Registry,
    tmp_path: Path,
    hostile: str,
    told: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share = mk.FileShare(to=str(tmp_path / "share"))  # type: ignore[arg-type]
    asked = mk.FileShare.ask
    answers = iter([NotReadyError(f"Not yet{hostile}", remedy="Wait."), None, OSError("cut off")])

    def ask(self: mk.FileShare, *given: object) -> mk.Answer:
        error = next(answers)
        if error is not None:
            raise error
        return asked(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(mk.FileShare, "ask", ask)
    with pytest.raises(MlopskitError):
        mk.deploy(package, share, registry=registry)
    lines = told.getvalue().splitlines()
    assert any(line.startswith("INFO Asked again in 0.05 s: Not yet\\r\\nINFO") for line in lines)
    assert lines[-1].endswith(": undo the switch")


@pytest.mark.skipif(os.name == "nt", reason="there files have no such names")
def test_a_hostile_project_is_told_line_by_line(hostile: str, hostile_project: Path, told: io.StringIO) -> None:
    project = mk.Project()
    run = project.run()
    with pytest.raises(VerdictError):  # no slice is large enough to be judged
        project.deploy("production", run.digest, why=hostile)
    records = told.getvalue().removesuffix("\n").split("\n")
    assert len(records) > 5
    assert all(line.isprintable() and line.startswith(("INFO run mood: ", "INFO deploy mood ")) for line in records)
    assert not [line for line in records if "all is well" in line.partition("\\n")[0]]
