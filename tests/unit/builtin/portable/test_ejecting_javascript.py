"""What is ejected for JavaScript answers by itself in Node, and refuses what the package refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import mlopskit as mk
from mlopskit.errors import StoreError

pytestmark = pytest.mark.live
BROWSER = Path(__file__).parents[3] / "browser"
NAMES = ["a|b", "__proto__", "constructor", "</script>", "∂ é"]
KINDS = ["number", "number or null", "number", "number", "number"]


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if not found and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip("not installed: node")
    assert found, "not installed: node"
    return found


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    import pandas as pd

    random = np.random.default_rng(0)
    frame = pd.DataFrame(np.round(random.normal(size=(80, len(NAMES))), 2), columns=NAMES)
    frame.iloc[::7, 1] = np.nan
    labels = np.array(["no", "perhaps", "yes"])[np.digitize(frame["a|b"], [-0.5, 0.5])]
    model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(frame, labels)
    return mk.package(model, frame, labels, name="forest", registry=tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def ejected(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere") / "forest"
    assert mk.eject(package, folder, language="javascript", publish_rows=True).golden
    return folder


@pytest.fixture(scope="module")
def run(node):
    def call(folder, program, *arguments, stdin=""):
        return subprocess.run(
            [node, str(folder / program), *arguments],
            input=stdin, capture_output=True, check=False, encoding="utf-8", env={}, cwd=folder.parent,
        )  # fmt: skip

    return call


def test_it_answers_all_golden_rows(package, ejected, run):
    for stdin in (
        json.dumps([dict(one.row) for one in package.golden]),
        "\n\n".join(json.dumps(dict(one.row)) for one in package.golden) + "\n",
    ):
        said = run(ejected, "predict.mjs", stdin=stdin)
        assert (said.returncode, said.stderr) == (0, "")
        answers = [json.loads(line) for line in said.stdout.splitlines()]
        assert answers == [dict(one.expected) for one in package.golden]  # a forest is exact


def test_its_self_test_passes_and_fails_where_the_model_is_another(package, ejected, run, tmp_path):
    said = run(ejected, "selftest.mjs")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"{len(package.golden)} rows, 0 answers that differ, largest difference 0.00.\n"
    broken = shutil.copytree(ejected, tmp_path / "broken")
    document = json.loads((broken / "model.json").read_text())
    trees = next(step for step in document["steps"] if step["op"] == "trees")["trees"]
    trees[0]["values"] = [value + 0.5 for value in trees[0]["values"]]
    (broken / "model.json").write_text(json.dumps(document))
    said = run(broken, "selftest.mjs")
    assert said.returncode == 1
    assert 'row 0, "probability.no": ' in said.stdout
    (broken / "golden.jsonl").write_text("")
    assert run(broken, "selftest.mjs").returncode == 1


@pytest.mark.parametrize(
    "broken", [("model.json", "{}"), ("about.json", "[]"), ("about.json", "{"), ("model.json", "")]
)
def test_a_model_that_is_not_whole_is_said_to_be_none(ejected, run, tmp_path, broken):
    copy, (file, text) = shutil.copytree(ejected, tmp_path / "copy"), broken
    (copy / file).unlink()
    if text:
        (copy / file).write_text(text)
    for program, code in (("predict.mjs", 3), ("selftest.mjs", 1)):
        told = run(copy, program, stdin="{}")
        assert (told.returncode, told.stdout) == (code, "")
        assert told.stderr.startswith("Error: the model cannot be loaded: ")
        assert told.stderr.count("\n") == 1


def test_labels_that_javascript_does_not_hold_are_refused(package):
    from mlopskit.builtin.portable.ejecting import _check_labels

    _check_labels({"prediction": {"type": "integer", "enum": [2**53, -1]}, "probability.x": {"type": "number"}})
    with pytest.raises(StoreError, match=r"has the label 9007199254740993, which JavaScript"):
        _check_labels({"prediction": {"type": "integer", "enum": [1, 2**53 + 1]}})


def test_made_up_rows_are_those_of_python(package, run, tmp_path):
    for language in ("javascript", "python"):
        mk.eject(package, tmp_path / language, language=language)
    assert run(tmp_path / "javascript", "selftest.mjs").returncode == 0
    rows = [(tmp_path / language / "golden.jsonl").read_bytes() for language in ("javascript", "python")]
    assert rows[0] == rows[1]
    assert b'"__proto__":null' in rows[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are no rows"),
        ("[]", "there are no rows"),
        ("{", "this is no JSON"),
        ('{"a": NaN}', "this is no JSON"),
        ("1 2", "this is no JSON"),
        ("1", "row 0 is no object: 1"),
        ("null\n{}", "row 0 is no object: null"),
        ('{"a": "x: \\": ", "a": 2}', "a row has a column twice"),
        ('{"a": {"b": 1}}', 'row 0 lacks "a|b"'),
        ("{}", 'row 0 lacks "a|b", lacks "__proto__", lacks "constructor"'),
        ("ROW+", 'row 0 has "more\\u00e9"'),
        ("STRING", 'row 0 column "a|b": "1" is not number'),
        ("NULL", 'row 0 column "a|b": null is not number'),
        ("HUGE", 'row 0 column "a|b": Infinity is not number'),
    ],
)
def test_what_does_not_fit_is_refused(package, ejected, run, text, said):
    row = dict(package.golden[0].row)
    changed = {"ROW+": {**row, "moreé": 1}, "STRING": {**row, "a|b": "1"}, "NULL": {**row, "a|b": None}}
    if text in changed:
        text = json.dumps(changed[text])
    if text == "HUGE":
        text = json.dumps({**row, "a|b": 77777.0}).replace("77777.0", "1e400")
    told = run(ejected, "predict.mjs", stdin=text)
    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_file_that_cannot_be_read_ends_with_2(ejected, run, tmp_path):
    (tmp_path / "rows.json").write_bytes(b'{"a|b": "\xff"}')
    for arguments in (["nothing.json"], [str(tmp_path / "rows.json")], ["a", "b"]):
        assert run(ejected, "predict.mjs", *arguments).returncode == 2


def test_its_page_answers_in_a_browser_and_asks_nobody_else(package, ejected, node, shop):
    chromium = shutil.which("chromium")
    lacking = not chromium or not (BROWSER / "node_modules").is_dir()
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip("not installed: chromium, or npm ci --prefix tests/browser")
    shutil.copytree(ejected, shop.folder, dirs_exist_ok=True)
    one = next(one for one in package.golden if one.row["__proto__"] is None)
    cells = ["" if cell is None else repr(cell) for cell in (one.row[name] for name in NAMES)]
    command = [node, str(BROWSER / "ask.mjs"), str(chromium), f"{shop.address}/index.html"]
    for given, expected in ((cells, dict(one.expected)), (["many", *cells[1:]], 'column "a|b": "many" is not number')):
        done = subprocess.run([*command, *given], capture_output=True, check=True, text=True)
        found = json.loads(done.stdout)
        assert (json.loads(found["answer"]) if isinstance(expected, dict) else found["answer"]) == expected
        assert found["labels"] == [f"{name} ({kind})" for name, kind in zip(NAMES, KINDS, strict=True)]
        assert (found["title"], found["errors"]) == ("forest", [])
        assert not [asked for asked in found["requests"] if "://" in asked]
