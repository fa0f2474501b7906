"""The program in C answers requests as the runtime does in Python, and refuses what that refuses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import mlopskit as mk
from mlopskit.builtin.portable.c import c_predict
from mlopskit.isolated import isolated_model

from .conftest import CAREFUL, needs, run

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    frame = pd.DataFrame({'*/ ??/ "é': [0.5 * (i % 7) for i in range(40)], "whole": [i % 5 for i in range(40)]})
    frame["true"] = [i % 3 == 0 for i in range(40)]
    frame["text"] = pd.Series([f"{'good' if i % 2 else 'bad'} film é{i % 5}" for i in range(40)]).astype("str")
    labels = pd.Series(['n"o', "yes\né"] * 20, name="label").astype("str")
    parts = [("text", CountVectorizer(), "text"), ("numbers", "passthrough", [*frame.columns[:3]])]
    model = make_pipeline(ColumnTransformer(parts), LogisticRegression()).fit(frame, labels)
    return mk.package(model, frame, labels, name="film", registry=tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def ask(package, tmp_path_factory):
    """Return what asks the program for lines, compiled so that it reads and writes nothing beyond an end."""
    needs("gcc")
    folder = tmp_path_factory.mktemp("c") / "out"
    mk.eject(package, folder, language="c")
    run("gcc", *CAREFUL, "-o", "predict", "model.c", "predict.c", "-lm", cwd=folder)
    return lambda *lines: [json.loads(one) for one in run(folder / "predict", input=b"\n".join(lines)).splitlines()]


@pytest.fixture(scope="module")
def python(package):
    with isolated_model(package.folder, digest=package.digest, formats=["portable"], format="portable") as model:
        yield model


def asked_in_python(python, line):
    python._send(line + b"\n")
    return python._parsed(python._receive())


def request(*rows):
    return json.dumps({"rows": rows}).encode()


def test_rows_are_answered_as_in_python(package, ask, python):
    rows = [dict(one.row) for one in package.golden]
    texts = ["", "\0", "\U0001f600 é\u00df", '"\\/\b\f\n\r\t', "good\x7f" * 1000]
    rows += [{**rows[0], "text": text} for text in texts]
    (said,) = ask(request(*rows))
    assert said["digest"] == package.digest
    assert said["runtime"]["engine"] == "portable 1 in C"
    wanted = python.ask(rows)["rows"]
    assert [row["prediction"] for row in said["rows"]] == [row["prediction"] for row in wanted]
    for one, other in zip(said["rows"], wanted, strict=True):
        assert list(one) == list(other)
        assert [*one.values()][1:] == pytest.approx([*other.values()][1:], abs=1e-14)
    (raw,) = ask(json.dumps({"rows": rows}, ensure_ascii=False).encode())
    assert raw == said


def test_what_does_not_fit_is_refused_as_in_python(package, ask, python):
    good = dict(package.golden[0].row)
    name = next(iter(good))
    cells = [None, True, "x", [], {}, 1e400, -1e308, 2**63, 2.5]
    bad = [{**good, column: cell} for column in good for cell in cells]
    bad += [{}, {**good, "other": 1}, {one: good[one] for one in good if one != name}, [], 1, None, "x"]
    lines = [json.dumps({"rows": [good, row]}).encode() for row in bad]
    answers = ask(*lines)
    for line, said in zip(lines, answers, strict=True):
        wanted = asked_in_python(python, line)
        assert said.keys() == wanted.keys(), line
        assert said.get("kind") == wanted.get("kind"), line


MALFORMED = [
    b"", b" ", b"{", b"{}", b"[]", b"null", b'{"rows": []}', b'{"rows": {}}', b'{"rows": [{}], "x": 1}',
    b'{"rows": [,]}', b'{"rows": [{"whole": 1' + b"0" * 400 + b"}]}",
    b'{"rows": [{"text": "\xff"}]}', b'{"rows": [{"text": "\xed\xa0\x80"}]}', b'{"rows": [{"text": "\\ud800"}]}',
    b'{"rows": [{"text": "\\ud800\\u0041"}]}', b'{"rows": [{"text": "\\u00"', b'{"rows": [{"text": "\\x"}]}',
    b'{"rows": [{"text": "a', b'{"rows": [{"whole": 01}]}', b'{"rows": [{"whole": NaN}]}', b'{"rows": [{"whole": .5}]}',
    b'{"rows": [{"whole": 1.}]}', b'{"rows": [{"whole": 1e}]}', b'{"rows": [{"whole": 0x10}]}',
    b'{"rows": [{"whole": }]}',
    b'{"rows": [{"whole": 1, "whole": 1}]}', b'{"rows": [{"whole": 1,}]}', b"\0", b'{"rows"\0: []}', b"{" * 100000,
    b'{"rows": [' + b"[" * 100000, b'"' * 9, b'{"rows": [{"text": "\\', b'{"rows": [{"text": "\xf4\x90\x80\x80"}]}',
]  # fmt: skip


def test_what_is_no_request_is_told_so_and_the_next_one_answered(package, ask):
    good = request(dict(package.golden[0].row))
    answers = ask(*[line for one in MALFORMED for line in (one, good)])
    assert all(said.keys() == {"error", "remedy", "kind"} for said in answers[::2])
    assert all(said["digest"] == package.digest for said in answers[1::2])
    assert ask(good + b" x")[0]["kind"] == "ManifestError"


def test_every_cut_and_changed_byte_of_a_request_is_survived(package, ask):
    good = request(*[dict(one.row) for one in package.golden[:2]])
    cuts = [good[:at] for at in range(len(good))]
    changed = [good[:at] + bytes([sign]) + good[at + 1 :] for at in range(len(good)) for sign in b'"\\{}[],:\xff']
    answers = ask(*cuts, *changed)
    assert len(answers) == len(cuts) + len(changed)
    assert all("error" in said for said in answers[: len(cuts)])


def test_numbers_and_limits(tmp_path):
    needs("gcc")
    random = np.random.default_rng(0)
    rows = random.normal(size=(80, 2)) * 1e3
    rows[::7, 0] = np.nan
    model = HistGradientBoostingRegressor(max_iter=5).fit(rows, rows[:, 1] * 1e9)
    package = mk.package(model, rows, rows[:, 1] * 1e9, name="numbers", registry=tmp_path / "registry")
    mk.eject(package, tmp_path / "c", language="c")
    inputs = json.loads(json.dumps(package.schema.inputs))
    one, other = inputs["required"]
    inputs["properties"][one] |= {"minimum": -1, "maximum": 1}
    inputs["properties"][other] = {"type": ["number", "null"], "enum": [1, 2.5, None]}
    data = (package.folder / "model.json").read_bytes()
    (tmp_path / "c" / "predict.c").write_text(c_predict(data, inputs, digest=package.digest))
    run("gcc", *CAREFUL, "-o", "predict", "model.c", "predict.c", "-lm", cwd=tmp_path / "c")
    cells = [(1, 1), (-1, 2.5), (0.5, None), (1.0001, 1), (-2, 1), (0, 2), (0, True)]
    lines = b"\n".join(request({one: first, other: second}) for first, second in cells)
    said = [json.loads(line) for line in run(tmp_path / "c" / "predict", input=lines).splitlines()]
    assert ["rows" in answer for answer in said] == [True, True, True, False, False, False, False]
    loaded = mk.load(package.folder, digest=package.digest)
    assert said[0]["rows"] == loaded.predict([{one: 1, other: 1}])
    assert "known values" in said[5]["error"]
