"""A million rows of eight mixed columns through `LoadedModel.predict(frame)`, beside the estimator's own calls."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from budgets import Figure, form_of

ROWS = 1_000_000
WORDS = ("red", "green", "blue", "a longer word")


def million_rows(rows: int = ROWS) -> Iterator[Figure]:
    """Measure a boosting as a ratio to its own time, and a linear model by what it takes beyond its own time.

    So the skops form: its engine is the estimator. The portable form has an engine of its own; it is to be no slower.
    """
    import pandas as pd
    import polars as pl

    for frame in (pl.DataFrame, pd.DataFrame):
        library = frame.__module__.partition(".")[0]
        for what, model in {"boosting": _boosting(), "linear": _linear()}.items():
            own, portable, skops = _seconds(frame, model, rows)
            of = f"{rows:,} rows of 8 columns, {library}, {what}"
            told = f"its own predictions ({own:.1f} s)"
            yield Figure(what=f"{of}, portable form: times {told}", measured=portable / own, budget=1.0, unit="x")
            if what == "boosting":
                yield Figure(what=f"{of}, skops form: times {told}", measured=skops / own, budget=1.2, unit="x")
            else:
                yield Figure(what=f"{of}, skops form: beyond {told}", measured=skops - own, budget=0.2, unit="s")


def _seconds(frame: Callable[[Any], Any], model: Any, rows: int) -> list[float]:
    """Return the least seconds of the estimator's own calls and of ours, in both forms, on one frame, by turns."""
    import mlopskit as mk

    few, many = columns(600), frame(columns(rows))
    labels = ["yes" if one + other > 1 else "no" for one, other in zip(few["a"], few["b"], strict=True)]
    model.fit(frame(few), labels)
    with tempfile.TemporaryDirectory() as registry:
        folder = mk.package(model, frame(few), labels, name="mixed", gates=[], registry=registry).folder
        portable, skops = (mk.LoadedModel(form_of(folder, name)) for name in ("portable", "skops"))
    acts: list[Callable[[], object]] = [
        lambda: (model.predict(many), model.predict_proba(many)),
        lambda: portable.predict(many),
        lambda: skops.predict(many),
    ]
    rounds = [[_once(act) for act in acts] for _ in range(5)]
    return [min(seconds) for seconds in zip(*rounds, strict=True)]


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
