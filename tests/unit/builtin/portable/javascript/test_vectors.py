"""The scorer in JavaScript, held to the vectors in Node and in Chromium; and what its page and its types say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

import mlopskit

SCORER = Path(str(mlopskit.__file__)).parent / "scorers"
TESTS = Path(__file__).parents[4]
VECTORS = TESTS / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")
pytestmark = pytest.mark.live


def broken():
    """Return the documents that must be refused, but one: JSON.parse does not tell 1.0 from 1."""
    found = json.loads((VECTORS / "refused.json").read_text("ascii"))
    found.pop("an index with a point", None)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_vector_is_answered_as_it_says(node, worst, path):
    vector = json.loads(path.read_text("ascii"))
    document = vector["document"]
    assert node.load(document) == {"outputs": [one["name"] for one in document["outputs"]]}
    names = [one["name"] for one in document["inputs"]]
    found = node.answers([dict(zip(names, row, strict=True)) for row in vector["rows"]])
    for row, got, want in zip(vector["rows"], found, vector["expected"], strict=True):
        assert worst(got, want) <= vector["tolerance"], (row, got, want)


def test_every_broken_document_is_refused(node):
    assert [name for name, document in broken().items() if "refused" not in node.load(document)] == []


def test_a_browser_answers_all_of_them(needs, shop, tmp_path):
    needs(chromium=shutil.which("chromium"))
    shutil.copytree(VECTORS, shop.folder)
    shutil.copy(SCORER / "portable.mjs", shop.folder)
    shutil.copy(TESTS / "scorers" / "page.html", shop.folder)
    (shop.folder / "names.json").write_text(json.dumps([path.name for path in FILES]))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'user'}"]
    command = ["chromium", *options, "--remote-debugging-port=0", f"{shop.address}/page.html"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        while not (said := [path for path, _ in shop.asked if path.startswith("/said/")]):
            time.sleep(0.05)
        browser.terminate()
    rows = sum(len(json.loads(path.read_text("ascii"))["rows"]) for path in FILES)
    told = f"{rows} rows of {len(FILES)} models, {len(broken())} refused; wrong: "
    assert unquote(said[0]) == f"/said/{told}"


def test_what_the_page_shows_runs(needs, tmp_path):
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


def test_the_types_take_what_a_user_writes_and_nothing_else(needs):
    compiler = TESTS / "scorers" / "node_modules" / "typescript" / "bin" / "tsc"
    needs(node=shutil.which("node"), **{"npm ci --prefix tests/scorers": compiler.exists()})
    command = ["node", str(compiler), "--project", str(TESTS / "scorers")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    # A name that the types have and the module has not, or the other way round, would be found by users alone.
    types, module = ((SCORER / name).read_text("utf-8") for name in ("portable.d.mts", "portable.mjs"))
    exported = r"^export (?:class|function) (\w+)"
    assert re.findall(exported, types, re.MULTILINE) == re.findall(exported, module, re.MULTILINE)
