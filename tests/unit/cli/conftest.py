from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from mlopskit.cli import run

ERROR_KEYS = {"error", "remedy", "kind", "step", "notes", "exit_code"}


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process; whatever it ends with, no traceback may be in what it says."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = run(list(arguments))
        said = Said(code, *capsys.readouterr())
        assert "Traceback" not in said.out + said.err
        return said

    return call


@pytest.fixture
def refused(cli: Cli) -> Callable[..., str]:
    """Run a command that must fail: with a message and a remedy on stderr, and the same as one JSON document."""

    def call(code: int, *arguments: str) -> str:
        plain = cli(*arguments)
        assert plain.code == code, plain
        assert plain.out == ""
        lines = plain.err.splitlines()
        assert lines[0].startswith("Refused" if code == 1 else "Error")
        assert len(lines) >= 2
        assert lines[1].strip(), "no remedy"
        as_json = cli(*_with_json(arguments))
        assert as_json.code == code
        assert as_json.err == ""
        assert as_json.json.keys() == ERROR_KEYS
        assert as_json.json["exit_code"] == code
        assert as_json.json["remedy"]
        return plain.err

    return call


def _with_json(arguments: Sequence[str]) -> list[str]:
    return [*arguments, "--json"]
