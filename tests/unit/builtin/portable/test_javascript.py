"""The scorer in JavaScript: held to the vectors and to scikit-learn, in Node and in Chromium."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlopskit

SCORER = Path(str(mlopskit.__file__)).parent / "scorers"
TESTS = Path(__file__).parents[3]
VECTORS = TESTS / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")
pytestmark = pytest.mark.live


def needs(**things: object) -> None:
    """Skip a test where something is not installed; fail where it must be."""
    lacking = [name for name, there in things.items() if not there]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"


def cell(given: Any) -> Any:
    return float(given[0]) if isinstance(given, list) else given


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

    def load(self, document: Any) -> Any:
        return self.tell(text=document if isinstance(document, str) else json.dumps(document))

    def answers(self, rows: list[dict[str, Any]]) -> list[Any]:
        found = self.tell(rows=rows)["answers"]
        return [one and [*map(cell, one)] for one in found]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Start Node, where it is installed."""
    needs(node=shutil.which("node"))
    started = Node()
    yield started
    assert started.process.stdin
    assert started.process.stdout
    started.process.stdin.close()
    assert started.process.wait(30) == 0
    started.process.stdout.close()


def difference(got: Any, want: Any) -> float:
    """Return by how much a cell is another; infinity if it is a wrong one."""
    if want is None or (isinstance(want, float) and math.isnan(want)):
        return 0.0 if isinstance(got, float) and math.isnan(got) else math.inf
    if isinstance(want, bool | str):
        return 0.0 if (type(got), got) == (type(want), want) else math.inf
    return abs(got - want) / max(1.0, abs(want)) if isinstance(got, int | float) else math.inf


# --- the vectors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_is_answered_as_it_says(node, path):
    vector = json.loads(path.read_text("ascii"))
    document = vector["document"]
    outputs = [one["name"] for one in document["outputs"]]
    assert node.load(document) == {"outputs": outputs}
    names = [one["name"] for one in document["inputs"]]
    found = node.answers([dict(zip(names, row, strict=True)) for row in vector["rows"]])
    for row, got, want in zip(vector["rows"], found, vector["expected"], strict=True):
        assert (got is None) == (want is None), (row, got, want)
        worst = max((difference(a, b) for a, b in zip(got or [], want or [], strict=True)), default=0.0)
        assert worst <= vector["tolerance"], (row, got, want)


def test_every_broken_document_is_refused(node):
    broken = json.loads((VECTORS / "refused.json").read_text("ascii"))
    assert [name for name, document in broken.items() if "refused" not in node.load(document)] == []


def test_what_the_page_shows_runs(tmp_path):
    needs(node=shutil.which("node"))
    page = (TESTS.parent / "docs" / "how-to" / "score-in-javascript.md").read_text("utf-8")
    for title, text in re.findall(r'^```js title="([^"]+)"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL):
        (tmp_path / title).write_text(text)
    vector = json.loads((VECTORS / "columns.json").read_bytes())
    names = [one["name"] for one in vector["document"]["inputs"]]
    rows = [dict(zip(names, row, strict=True)) for row in vector["rows"]]
    (tmp_path / "model.json").write_text(json.dumps(vector["document"]))
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    shutil.copy(SCORER / "portable.mjs", tmp_path)
    done = subprocess.run(["node", "score.mjs"], cwd=tmp_path, capture_output=True, text=True, check=True)
    told = ["age: number, colour: text, flag: number", *(str(answer[0]) for answer in vector["expected"])]
    assert done.stdout.splitlines()[: len(told)] == told
    assert "'probability.1': " in done.stdout


def test_the_types_take_what_a_user_writes_and_nothing_else():
    compiler = TESTS / "scorers" / "node_modules" / "typescript" / "bin" / "tsc"
    needs(node=shutil.which("node"), **{"npm ci --prefix tests/scorers": compiler.exists()})
    command = ["node", str(compiler), "--project", str(TESTS / "scorers")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    # A name that the types have and the module has not, or the other way round, would be found by users alone.
    types, module = ((SCORER / name).read_text("utf-8") for name in ("portable.d.mts", "portable.mjs"))
    exported = r"^export (?:class|function) (\w+)"
    assert re.findall(exported, types, re.MULTILINE) == re.findall(exported, module, re.MULTILINE)
