"""Many rows at once are answered as each alone."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

from mlopskit.builtin.portable.loader import batches, load, manytrees, scorer

VECTORS = Path(__file__).parents[4] / "vectors" / "portable"
FILES = sorted(path for path in VECTORS.iterdir() if path.name != "refused.json")


def scorer_of(document):
    names = [one["name"] for one in document["inputs"]]
    kinds = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    outputs = {one["name"]: {"enum": one["labels"]} for one in document["outputs"]}
    schema = {
        "inputs": {"properties": kinds, "required": names},
        "outputs": {"properties": outputs, "required": [*outputs]},
    }
    return load({"model.json": json.dumps(document).encode()}, {"schema": schema}), names


def assert_alike(found, wanted, limit=1e-15):
    assert found.keys() == wanted.keys()
    for name, cells in found.items():
        assert len(cells) == len(wanted[name])
        for got, want in zip(cells, wanted[name], strict=True):
            assert type(got) is type(want)
            if isinstance(want, float) and got != want and not (math.isnan(got) and math.isnan(want)):
                assert abs(got - want) <= limit * max(1.0, abs(want)), (name, got, want)
            elif not isinstance(want, float):
                assert got == want


def alone(scorer, columns):
    """Return the answers to each row by itself."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    answers = [scorer.score({name: [cell] for name, cell in row.items()}) for row in rows]
    return {name: [one[name][0] for one in answers] for name in answers[0]}


@pytest.fixture
def small(monkeypatch):
    """Take blocks of few rows, and tables for them."""
    monkeypatch.setattr(batches, "_ROWS", 50)
    monkeypatch.setattr(manytrees, "_ROWS", 1)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_rows_of_a_vector_are_answered_together_as_alone(path):
    vector = json.loads(path.read_text("ascii"))
    scorer, names = scorer_of(vector["document"])
    pairs = [*zip(vector["rows"], vector["expected"], strict=True)]
    good = [row for row, expected in pairs if expected is not None]
    rows = (good * 101)[:101]  # the last block has one row
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    wanted = alone(scorer, columns)
    assert_alike(scorer.score(columns), wanted)
    for bad in [row for row, expected in pairs if expected is None]:
        with pytest.raises((ValueError, OverflowError)):
            scorer.score({name: [*columns[name], bad[at]] for at, name in enumerate(names)})


MODELS = [
    RandomForestClassifier(7, random_state=0),
    RandomForestClassifier(5, max_depth=4, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingRegressor(max_iter=7),
    HistGradientBoostingRegressor(max_iter=7, max_leaf_nodes=90, min_samples_leaf=1),
    HistGradientBoostingRegressor(max_iter=7, categorical_features=[0]),
]


def many_rows(model):
    random = np.random.default_rng(5)
    rows = random.normal(size=(4097, 5))  # one more than is scored at a time
    rows[:, 0] = np.round(4 * np.abs(rows[:, 0]))
    rows[:9, 1] = [0.0, -0.0, 5e-324, 1e39, -1e39, 1e300, -1e300, 2.0**53, -1e-300]
    if isinstance(model, HistGradientBoostingRegressor):
        rows[9:11, 2] = [np.inf, -np.inf]
    else:
        rows[:9, 1] = np.clip(rows[:9, 1], -1e38, 1e38)
    if not isinstance(model, GradientBoostingClassifier):
        rows[random.random(rows.shape) < 0.2] = np.nan
    return rows


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_sums_of_trees_are_those_of_each_row_to_the_last_bit(model, data, asked):
    features, _, three, _ = data
    features = features.copy()
    features[:, 0] = np.round(4 * np.abs(features[:, 0]))
    gaps = features.copy()
    if not isinstance(model, GradientBoostingClassifier):
        gaps[np.random.default_rng(2).random(gaps.shape) < 0.1] = np.nan
    asked = asked(model.fit(gaps, three), {f"x{n}": {"type": ["number", "null"]} for n in range(5)})
    rows = many_rows(model)
    document = asked.document
    (number,) = [at for at, step in enumerate(document["steps"], 1) if step["op"] == "trees"]
    width = len(document["steps"][number - 1]["start"])
    outputs = [{"name": f"y{at}", "from": number, "at": at, "labels": None} for at in range(width)]
    scorer, names = scorer_of(document | {"outputs": outputs})
    columns = {name: [None if cell != cell else cell for cell in rows[:, n].tolist()] for n, name in enumerate(names)}  # noqa: PLR0124  # NaN
    arrays = scorer.score({name: rows[:, n] for n, name in enumerate(names)})
    assert all(type(cells) is np.ndarray for cells in arrays.values())
    together = scorer.score(columns)
    assert {name: cells.tolist() for name, cells in arrays.items()} == together
    places = [*range(12), *range(12, 4097, 97), 4095, 4096]
    some = {name: [cells[place] for place in places] for name, cells in columns.items()}
    assert alone(scorer, some) == {name: [cells[place] for place in places] for name, cells in together.items()}


def test_wide_vectors_of_text_are_answered_together_as_alone(asked):
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in random.integers(0, 900, size=6)) for _ in range(300)]
    labels = [n % 3 for n in range(300)]
    for vectors in (
        TfidfVectorizer(sublinear_tf=True),
        make_union(TfidfVectorizer(norm="l1"), TfidfVectorizer(binary=True, norm=None, use_idf=False)),
        make_union(HashingVectorizer(n_features=700), TfidfVectorizer(max_features=9)),
    ):
        model = make_pipeline(vectors, LogisticRegression()).fit(texts, labels)
        scorer = asked(model, {"text": {"type": "string"}}).scorer
        columns = {"text": [*texts, "", "nothing known"]}
        assert_alike(scorer.score(columns), alone(scorer, columns))


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65])
def test_few_rows_are_answered_as_many(count, data, asked):
    features, two, *_ = data
    scorer = asked(LogisticRegression().fit(features, two), {f"x{n}": {"type": "number"} for n in range(5)}).scorer
    columns = {f"x{n}": features[:count, n].tolist() for n in range(5)}
    assert_alike(scorer.score(columns), alone(scorer, columns))


def test_there_is_no_row(data, asked):
    features, two, *_ = data
    scorer = asked(LogisticRegression().fit(features, two), {f"x{n}": {"type": "number"} for n in range(5)}).scorer
    assert scorer.score({f"x{n}": [] for n in range(5)}) == {name: [] for name in scorer.score(row())}


def row():
    return {f"x{n}": [0.5] for n in range(5)}


@pytest.mark.parametrize("labels", [["a", "b\0"], [True, False], [1, 2], [1.5, 2.5], ["a", 1], [2**70, 1]])
def test_labels_are_the_document_s_own(labels):
    step = {"op": "above", "from": [0], "threshold": 0.0, "equal": False}
    output = {"name": "y", "from": 1, "at": 0, "labels": labels}
    document = {"format_version": 1, "inputs": [{"name": "x", "type": "number"}], "steps": [step], "outputs": [output]}
    scorer, _ = scorer_of(document)
    cells = [-1.0, 1.0] * 40
    wanted = [labels[cell > 0] for cell in cells]
    for given in (cells, np.array(cells)):
        found = scorer.score({"x": given})["y"]
        found = found if type(found) is list else found.tolist()
        assert [(type(one), one) for one in found] == [(type(one), one) for one in wanted]


def test_without_numpy_many_rows_are_answered_too(data, asked, monkeypatch):
    features, _, three, _ = data
    model = RandomForestClassifier(5, random_state=0).fit(features, three)
    document = asked(model, {f"x{n}": {"type": "number"} for n in range(5)}).document
    columns = {f"x{n}": features[:, n].tolist() for n in range(5)}
    together = scorer_of(document)[0].score(columns)
    monkeypatch.setattr(scorer, "numpy", lambda: None)
    assert scorer_of(document)[0].score(columns) == together


def test_numpy_is_loaded_for_many_rows_only():
    program = """
import sys
from mlopskit.builtin.portable.loader import load
document = (b'{"format_version": 1, "inputs": [{"name": "x", "type": "number"}], "steps": [{"op": "apply", "from": [0],'
            b' "function": "square"}], "outputs": [{"name": "y", "from": 1, "at": 0, "labels": null}]}')
schema = {"inputs": {"properties": {"x": {"type": "number"}}, "required": ["x"]},
          "outputs": {"properties": {"y": {"type": "number"}}, "required": ["y"]}}
scorer = load({"model.json": document}, {"schema": schema})
assert scorer.score({"x": [2.0] * 63})["y"] == [4.0] * 63
assert "numpy" not in sys.modules
assert scorer.score({"x": [2.0] * 64})["y"] == [4.0] * 64
assert "numpy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
