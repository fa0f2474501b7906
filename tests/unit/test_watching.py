from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.errors import ConfigError, DataError
from mlopskit.watching import LOCK, Watch

DATA = Path("data/a.csv")


class Over(Exception):  # noqa: N818  # no error: the test's end
    """The script of a test has ended."""


def more_rows() -> None:
    with DATA.open("a") as opened:
        opened.write("good again,Up\n")


def watching(
    script: list[Callable[[], object]], run: Callable[[mk.Project], mk.Run], *, once: bool = False
) -> list[str]:
    """Watch, doing one thing of the script between two looks; return the outcomes of the runs."""
    left = iter(script)

    def wait(seconds: float) -> None:
        assert seconds == 5
        step = next(left, None)
        if step is None:
            raise Over
        step()

    watch = Watch(file=Path("mlopskit.toml"), every=5, wait=wait, run=run)
    found = []
    try:
        if once:
            last = watch.once()
            return [] if last is None else [last.outcome]
        for one in watch.runs():
            found.append(one.outcome)  # noqa: PERF401 - what was found before the end is kept
    except Over:
        pass
    else:
        raise AssertionError
    return found


def nothing() -> None:
    """Change nothing."""


def passed(project: mk.Project) -> mk.Run:
    return mk.Run(id="1", name=project.name, outcome="passed", digest="sha256:1")


def failing(project: mk.Project) -> mk.Run:
    raise DataError("Not\x1b[31m so.", remedy="Mend it.")


def test_what_changed_is_run_once_when_it_has_settled(fresh_project: Path) -> None:
    assert watching([], passed) == []
    assert watching([nothing], passed) == ["passed"]
    assert watching([nothing, nothing, nothing], passed) == ["passed"]
    assert watching([more_rows, more_rows, more_rows], passed) == []
    assert watching([more_rows, more_rows, nothing], passed) == ["passed"]
    assert watching([nothing, more_rows, nothing], passed) == ["passed", "passed"]


def test_what_fails_is_told_and_not_tried_again_before_something_changes(
    fresh_project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mlopskit.watch")
    assert watching([nothing, nothing, nothing, more_rows, nothing, nothing], failing) == []
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 2
    assert "\x1b" not in told[0]
    assert told[0].endswith("so. Mend it.")


def test_a_fault_of_another_kind_does_not_end_it_either(fresh_project: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert watching([nothing, more_rows, nothing], lambda _: 1 / 0) == []  # type: ignore[arg-type,return-value]
    assert caplog.text.count("The run failed: ZeroDivisionError") == 2


def test_a_look_that_fails_is_told_and_the_next_one_follows(
    fresh_project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Path("mlopskit.toml")
    text = settings.read_text()
    steps = [lambda: settings.write_text("name = "), lambda: settings.write_text(text), nothing]
    assert watching([*steps, nothing], passed) == ["passed"]
    assert caplog.text.count("mlopskit.toml is no TOML") == 1


def test_once_waits_until_it_has_settled_runs_and_ends(fresh_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert watching([more_rows, nothing], passed, once=True) == ["passed"]
    with pytest.raises(DataError):
        watching([nothing], failing, once=True)
    monkeypatch.setattr(mk.Project, "changed", lambda _: [])
    assert watching([], passed, once=True) == []


def test_of_two_only_one_watches_and_a_killed_one_leaves_no_lock(fresh_project: Path) -> None:
    code = "from mlopskit.watching import _alone\nimport time\nwith _alone(__import__('pathlib').Path()):\n"
    hold = subprocess.Popen([sys.executable, "-c", f"{code}    print(1, flush=True); time.sleep(60)"], stdout=-1)
    assert hold.stdout is not None
    assert hold.stdout.readline() == b"1\n"
    for once in (True, False):
        with pytest.raises(ConfigError, match="Another process watches"):
            watching([], passed, once=once)
    hold.kill()
    hold.communicate()
    assert Path(LOCK).exists()
    assert watching([nothing], passed) == ["passed"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly_when_it_is_stopped(fresh_project: Path, how: signal.Signals) -> None:
    command = [Path(sys.executable).with_name("mlopskit"), "watch", "--every", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("Run 1 passed: mood sha256:")
        watch.send_signal(how)
        out, err = watch.communicate(timeout=60)
    assert (watch.returncode, out) == (0, "")
    assert "Running: new: data data/a.csv" in err
    assert "Traceback" not in err
