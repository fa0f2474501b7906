from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[4]
LARGEST = 2**53
Needs = Callable[..., None]


def check_there(**things: object) -> None:
    """Skip a test where something is not installed, and fail it where it must be."""
    lacking = [name for name, there in things.items() if not there]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Return what skips a test where something is not installed, and fails it where it must be."""
    return check_there


def _cell(given: Any) -> Any:
    return float(given[0]) if isinstance(given, list) else given


def _held(given: Any) -> Any:
    """Return a cell as the driver reads it: JSON has no infinity, no NaN, and in JavaScript no large integers."""
    if isinstance(given, float) and not math.isfinite(given):
        return None if math.isnan(given) else {"number": "Infinity" if given > 0 else "-Infinity"}
    return {"bigint": str(given)} if type(given) is int and abs(given) > LARGEST else given


class Node:
    """A process that scores as it is told, by `tests/scorers/drive.mjs`."""

    def __init__(self) -> None:
        command = ["node", str(TESTS / "scorers" / "drive.mjs")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, **command: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        assert "broken" not in said, said["broken"]
        return said

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        assert self.process.wait(30) == 0
        self.process.stdout.close()

    def load(self, document: Any) -> Any:
        """Load a document, or the text of one; say which outputs it has, or why it is refused."""
        return self.tell(text=document if isinstance(document, str) else json.dumps(document))

    def answers(self, rows: list[dict[str, Any]]) -> list[Any]:
        """Return the outputs of each row; None for one that is refused."""
        given = [{name: _held(cell) for name, cell in row.items()} if isinstance(row, dict) else row for row in rows]
        return [one and [*map(_cell, one)] for one in self.tell(rows=given)["answers"]]

    def columns(self, columns: dict[str, list[Any]]) -> list[Any]:
        """Return the outputs of each row of columns."""
        return self.answers([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])

    def numbers(self, **command: Any) -> list[Any]:
        """Return the values that it finds."""
        return [*map(_cell, self.tell(**command)["values"])]


@pytest.fixture(scope="module")
def node(needs: Needs) -> Iterator[Node]:
    """Start Node, where it is installed."""
    needs(node=shutil.which("node"))
    started = Node()
    yield started
    started.end()


@pytest.fixture(scope="session")
def worst() -> Callable[[Any, Any], float]:
    """Return what says by how much an answer is another at most; infinity if a row is refused or a label is wrong."""

    def difference(got: Any, want: Any) -> float:
        if want is None or (isinstance(want, float) and math.isnan(want)):
            return 0.0 if isinstance(got, float) and math.isnan(got) else math.inf
        if isinstance(want, bool | str):
            return 0.0 if (type(got), got) == (type(want), want) else math.inf
        if not isinstance(got, int | float) or not math.isfinite(want):
            return 0.0 if got == want else math.inf
        return abs(got - want) / max(1.0, abs(want)) if math.isfinite(got) else math.inf

    def of(got: Any, want: Any) -> float:
        if got is None or want is None:
            return 0.0 if got is want else math.inf
        return max((difference(a, b) for a, b in zip(got, want, strict=True)), default=0.0)

    return of
