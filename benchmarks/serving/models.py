"""The models that every server answers with, each as every server needs it: of texts, and two of mixed columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from portable import sentiment
from scoring import columns

ASKED = 50  # rows that are asked in turn
TRAINED = 4000


@dataclass(frozen=True, kw_only=True)
class Served:
    """A model in a folder: `model.joblib`, `rows.json`, and a registry whose alias production names its package."""

    name: str
    what: str
    folder: Path
    rows: list[dict[str, Any]]
    labels: list[str]


def models(temporary: Path) -> Iterator[Served]:
    """Yield the models, each in a folder of its own; that of texts last, when every server was started before."""
    forest, boosting = estimators()
    yield mixed("forest", "a forest of 100 trees, 8 mixed columns", forest, temporary / "forest")
    yield mixed("histgb", "a histogram boosting of 100 iterations, 8 mixed columns", boosting, temporary / "histgb")
    yield text(temporary)


def text(temporary: Path) -> Served:
    """Return the example's model; the texts that are asked have 5 to 40 words."""
    import mlopskit as mk
    from mlopskit.loading import installed_loaders
    from mlopskit.runtime import load, open_package

    package, texts = sentiment(temporary)
    folder = temporary / "sentiment"
    mk.promote(package, to="production", registry=folder / ".mlopskit" / "registry")
    form = load(open_package(package.folder), loaders=installed_loaders(), format="skops")
    model = form.scorer._estimator  # noqa: SLF001  # what the other servers are given
    some = [one for one in texts if 5 <= len(one.split()) <= 40]  # noqa: PLR2004  # as people write
    _plain(model, folder / "plain.json")
    what = f"texts, {len(model[0].vocabulary_):,} features, logistic regression"
    return _written("sentiment", what, model, some[:: len(some) // ASKED][:ASKED], folder)


def mixed(name: str, what: str, model: Any, folder: Path) -> Served:
    """Return a model of four numbers (one with gaps), an integer, a boolean and two texts."""
    import pandas as pd

    import mlopskit as mk

    table = columns(TRAINED)
    random = np.random.default_rng(1)
    score = table["a"] + table["b"] + table["c"] * table["f"] + 0.3 * random.normal(size=TRAINED)
    labels = np.where(score + np.array([one == "red" for one in table["g"]]) * 0.2 > 1.3, "yes", "no")  # noqa: PLR2004
    frame = pd.DataFrame(table)
    model.fit(frame, labels)
    folder.mkdir()
    whole = frame.dropna().head(ASKED)
    rows = json.loads(whole.to_json(orient="records", double_precision=15))
    served = _written(name, what, model, rows, folder)
    registry = folder / ".mlopskit" / "registry"
    package = mk.package(model, frame, labels, name=name, gates=["accuracy >= 0.5"], registry=registry)
    mk.promote(package, to="production", registry=registry)
    return served


def estimators() -> Iterator[Any]:
    """Yield a forest and a histogram boosting behind an encoder of two columns of text."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    coded = ["g", "h"]
    hot = make_column_transformer((OneHotEncoder(), coded), remainder="passthrough")
    yield make_pipeline(hot, RandomForestClassifier(100, max_depth=10, random_state=0))
    whole = make_column_transformer((OrdinalEncoder(), coded), remainder="passthrough")
    yield make_pipeline(whole, HistGradientBoostingClassifier(early_stopping=False, random_state=0))


def _written(name: str, what: str, model: Any, rows: list[Any], folder: Path) -> Served:
    """Write what the other servers read."""
    import joblib
    import pandas as pd

    told = [{"Comment": one} for one in rows] if isinstance(rows[0], str) else rows
    given = rows if isinstance(rows[0], str) else pd.DataFrame(rows)
    joblib.dump(model, folder / "model.joblib")
    folder.joinpath("rows.json").write_text(json.dumps(told), "utf-8")
    return Served(name=name, what=what, folder=folder, rows=told, labels=[str(one) for one in model.predict(given)])


def _plain(model: Any, file: Path) -> None:
    """Write the words with their weights, for the scorer by hand."""
    words, linear = model[0], model[-1]
    terms = {term: [float(words.idf_[at]), float(linear.coef_[0][at])] for term, at in words.vocabulary_.items()}
    plain = {"terms": terms, "bias": float(linear.intercept_[0]), "classes": linear.classes_.tolist()}
    file.write_text(json.dumps(plain), "utf-8")
