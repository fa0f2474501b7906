"""Rows answered one by one, all at once, and a million of them."""

from __future__ import annotations

import dataclasses
import math
import time
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import mlopskit as mk
from mlopskit.datasummary import summary
from mlopskit.packaging import evaluator_for
from mlopskit.relative import Answered
from mlopskit.report import Report, html

WORDS = np.array(["red", "green", "blue", "a longer word"], dtype=object)
MILLION = 1_000_000


def mixed(rows, seed=0):
    """Return four columns of numbers, one with gaps, an integer, a boolean and two texts."""
    random = np.random.default_rng(seed)
    columns = {name: random.random(rows) for name in "abcd"}
    columns["d"] = np.where(random.random(rows) < 0.1, np.nan, columns["d"])
    columns |= {"e": random.integers(0, 100, rows), "f": random.random(rows) < 0.5}
    return columns | {name: WORDS[random.integers(0, len(WORDS), rows)].tolist() for name in "gh"}


def labels_of(frame):
    return np.where(frame["a"].to_numpy() + frame["b"].to_numpy() > 1, "yes", "no").tolist()


def linear():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        make_column_transformer((OneHotEncoder(), ["g", "h"]), (numbers, list("abcdef"))), LogisticRegression()
    )


def boosting():
    encode = make_column_transformer((OrdinalEncoder(), ["g", "h"]), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingClassifier(max_iter=10, random_state=0))


@pytest.fixture(scope="module", params=[linear, boosting])
def loaded(request, tmp_path_factory):
    few = pl.DataFrame(mixed(400), nan_to_null=True)
    labels = labels_of(few)
    model = request.param().fit(few, labels)
    package = mk.package(model, few, labels, name="mixed", gates=[], registry=tmp_path_factory.mktemp("registry"))
    return mk.load(package.folder)


@pytest.mark.parametrize("frame", [pd.DataFrame, lambda columns: pl.DataFrame(columns, nan_to_null=True)])
def test_rows_are_answered_alike_one_by_one_and_together(loaded, frame):
    columns = mixed(200, seed=1)
    cells = [cells if isinstance(cells, list) else cells.tolist() for cells in columns.values()]
    rows = [
        {
            name: None if isinstance(cell, float) and math.isnan(cell) else cell
            for name, cell in zip(columns, row, strict=True)
        }
        for row in zip(*cells, strict=True)
    ]
    together = loaded.predict(frame(columns))
    listed = together.to_dicts() if isinstance(together, pl.DataFrame) else together.to_dict(orient="records")
    for row, one in zip(rows, listed, strict=True):
        alone = loaded.predict([row])[0]
        assert alone.pop("prediction") == one.pop("prediction")
        assert alone == pytest.approx(one, abs=1e-6)


@pytest.mark.slow
def test_a_million_rows_take_no_more_memory_than_a_few_copies_of_them(loaded, request, record_property):
    frame = pd.DataFrame(mixed(MILLION))
    loaded.predict(frame.head(10))
    tracemalloc.start()
    answered = loaded.predict(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(answered) == MILLION
    cell = peak / MILLION / len(frame.columns)
    model = request.node.callspec.params["loaded"].__name__
    record_property(f"figure: a million rows of 8 columns, {model}: bytes a cell", f"{cell:.0f}")
    assert cell < 64, "a Python list of floats alone takes 32 bytes a cell, the estimator's own matrices some more"


@pytest.mark.slow
def test_a_report_of_a_million_evaluated_rows_stays_small(tmp_path, record_property):
    few, many = (pl.DataFrame(mixed(rows, seed=rows), nan_to_null=True) for rows in (400, MILLION))
    registry, test = mk.Registry.at(tmp_path / "registry"), mk.Dataset.from_frame(many, labels_of(many))
    package = mk.package(
        linear().fit(few, labels_of(few)), many, test.labels, name="mixed", gates=["accuracy >= 0.6"], registry=registry
    )
    outputs = mk.load(package.folder).predict(many).to_dict(as_series=False)
    start = time.perf_counter()
    shown = evaluator_for("binary").evidence(Answered(test.input_columns(), outputs), test)
    evidence = dataclasses.replace(shown, tables=[*shown.tables, summary(test, test)])
    verdict = registry.verdict("mixed", package.digest)
    page = html(Report(package=package, verdict=verdict, evidence=evidence)).encode()
    seconds = time.perf_counter() - start
    record_property("figure: a report of 1,000,000 evaluated rows", f"{len(page) / 1e3:.0f} KB, {seconds:.1f} s")
    assert b"Confusion matrix" in page
    assert b"ROC curve" in page
    assert len(page) < 5e6
