"""A million rows of eight mixed columns through `mk.load(...).predict(frame)`, beside the estimator's own calls."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from budgets import Figure

ROWS = 1_000_000
WORDS = ("red", "green", "blue", "a longer word")


def million_rows(rows: int = ROWS) -> Iterator[Figure]:
    """Measure a boosting as a ratio to its own time, and a linear model by what it takes beyond its own time."""
    import pandas as pd
    import polars as pl

    for frame in (pl.DataFrame, pd.DataFrame):
        library = frame.__module__.partition(".")[0]
        own, ours = _seconds(frame, _boosting(), rows)
        yield Figure(
            what=f"{rows:,} rows of 8 columns, {library}, boosting: times its own predictions ({own:.1f} s)",
            measured=ours / own,
            budget=1.2,
            unit="x",
        )
        own, ours = _seconds(frame, _linear(), rows)
        yield Figure(
            what=f"{rows:,} rows of 8 columns, {library}, linear: beyond its own predictions ({own:.1f} s)",
            measured=ours - own,
            budget=0.2,
            unit="s",
        )


def _seconds(frame: Callable[[Any], Any], model: Any, rows: int) -> tuple[float, float]:
    """Return the least seconds of the estimator's own calls and of ours on the same frame, by turns."""
    import mlopskit as mk

    few, many = columns(600), frame(columns(rows))
    labels = ["yes" if one + other > 1 else "no" for one, other in zip(few["a"], few["b"], strict=True)]
    model.fit(frame(few), labels)
    with tempfile.TemporaryDirectory() as registry:
        loaded = mk.load(mk.package(model, frame(few), labels, name="mixed", gates=[], registry=registry).folder)
    own, ours = [], []
    for _ in range(5):
        own.append(_once(lambda: (model.predict(many), model.predict_proba(many))))
        ours.append(_once(lambda: loaded.predict(many)))
    return min(own), min(ours)


def _once(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def columns(rows: int) -> dict[str, Any]:
    """Return four columns of numbers (one with gaps), an integer, a boolean and two texts."""
    import numpy as np

    random = np.random.default_rng(0)
    numbers = {name: random.random(rows) for name in "abcd"}
    numbers["d"] = np.where(random.random(rows) < 0.1, np.nan, numbers["d"])  # noqa: PLR2004  # a tenth is missing
    whole = {"e": random.integers(0, 100, rows), "f": random.random(rows) < 0.5}  # noqa: PLR2004  # made-up data
    texts = {name: np.array(WORDS, dtype=object)[random.integers(0, len(WORDS), rows)].tolist() for name in "gh"}
    return {**numbers, **whole, **texts}


def _boosting() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encode = make_column_transformer((OrdinalEncoder(), ["g", "h"]), remainder="passthrough")
    return make_pipeline(encode, HistGradientBoostingClassifier(random_state=0))


def _linear() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encode = make_column_transformer(
        (OneHotEncoder(), ["g", "h"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["a", "b", "c", "d", "e", "f"]),
    )
    return make_pipeline(encode, LogisticRegression())


if __name__ == "__main__":
    for figure in million_rows(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(f"{figure.what}: {figure.measured:.3g} {figure.unit}", flush=True)
