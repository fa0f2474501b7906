from __future__ import annotations

import io
import sys
import threading
import types
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import steps


class Shown:
    """Stands for a notebook's display, and keeps what it shows."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Shown:
        assert raw
        assert display_id
        return self.update(data, raw=raw)

    def update(self, data: dict[str, str], *, raw: bool) -> Shown:
        assert raw
        assert data.keys() == {"text/plain", "text/html"}
        self.texts.append(data["text/html"])
        return self


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Let this process look like a notebook's kernel."""
    shown = Shown()
    fake: Any = types.ModuleType("IPython")
    fake.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    fake.display = types.SimpleNamespace(display=shown)
    monkeypatch.setitem(sys.modules, "IPython", fake)
    return shown


def test_in_a_notebook_one_line_changes_and_stays(notebook: Shown) -> None:
    with mk.progress("run <x>") as step:
        step("train")
    assert notebook.texts[:2] == ["<i>run &lt;x&gt; …</i>", "<i>run &lt;x&gt;: train …</i>"]
    assert notebook.texts[2].startswith("<i>run &lt;x&gt;: done after ")
    assert len(notebook.texts) == 3


def test_in_a_notebook_a_failure_is_not_called_done(notebook: Shown) -> None:
    with pytest.raises(KeyError), mk.progress("run"):
        raise KeyError
    assert notebook.texts[-1].startswith("<i>run: failed after ")


@pytest.mark.parametrize("stream", [io.StringIO(), None])
def test_elsewhere_nothing_is_said(
    stream: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with mk.progress("run") as step:
        step("train")
    assert capsys.readouterr().out == ""
    assert not stream or stream.getvalue() == ""  # type: ignore[attr-defined]


def test_on_a_terminal_the_step_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with mk.progress("run") as step:
        step("[bold]train")
    assert "run" in terminal.getvalue()


def test_what_is_sent_is_told_to_the_step_at_work_and_not_too_often() -> None:
    told: list[str] = []
    with steps.telling(told.append, "push"):
        sent = steps.sending(1_000_000_000)
        with steps.telling(told.append, "copy"):
            steps.sending(5_000_000)(5_000_000)
        threads = [threading.Thread(target=sent, args=(done,)) for done in (0, 1, 2, 1_000_000_000)]
        for thread in threads:
            thread.start()
            thread.join()
    assert told[0] == "copy: 5 of 5 MB sent"
    assert told[-1] == "push: 1,000 of 1,000 MB sent"
    assert len(told) <= 3
    steps.sending(1)(1)  # with no step at work, nobody is told
    assert len(told) <= 3
