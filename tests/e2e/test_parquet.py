"""A project whose rows stand in a Parquet file: from mlopskit.toml to an answer at the share."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import mlopskit as mk

MODEL = """
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def pipeline():
    kinds = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(
        make_column_transformer((kinds, ["colour", "day"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=10, random_state=0),
    )
"""
SETTINGS = """
name = "parcels"
[data]
uri = "data/*.parquet"
target = "late"
[train]
estimator = "parcel_model:pipeline"
[evaluate]
gates = ["accuracy >= 0.75"]
[endpoint.production]
target = "fileshare"
to = "share"
"""


def parcels(count: int) -> pl.DataFrame:
    """Return rows of every kind of column that a Parquet file brings: late is what weighs much."""
    return pl.DataFrame(
        {
            "weight": [None if n % 50 == 0 else n % 20 + n / 1000 for n in range(count)],
            "pieces": pl.Series([n % 7 for n in range(count)], dtype=pl.Int16),
            "fragile": [n % 3 == 0 for n in range(count)],
            "colour": pl.Series([("red", "green", "blue")[n % 3] for n in range(count)], dtype=pl.Categorical),
            "day": [dt.date(2024, 1, 1) + dt.timedelta(days=n % 28) for n in range(count)],
            "late": ["yes" if n % 20 > 9 else "no" for n in range(count)],
        }
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "parcel_model.py").write_text(MODEL)
    (tmp_path / "mlopskit.toml").write_text(SETTINGS)
    parcels(400).write_parquet(tmp_path / "data" / "parcels.parquet")
    monkeypatch.chdir(tmp_path)
    return mk.Project()


def test_a_parquet_file_is_trained_on_deployed_and_answered_for(project):
    run = project.run()
    assert (run.outcome, sum(run.rows.values())) == ("passed", 400)
    types = {name: one["type"] for name, one in project.package().schema.inputs["properties"].items()}
    assert types == {
        "weight": ["number", "null"], "pieces": "integer", "fragile": "boolean", "colour": "string", "day": "string",
    }  # fmt: skip
    assert project.deploy("production").receipt.passed
    model = mk.load(project.root / "share" / "parcels", alias="production")
    asked = parcels(40)
    answered = model.predict(asked.drop("late").with_columns(pl.col("day").cast(pl.String), pl.col("colour").cast(str)))
    assert (answered["prediction"] == asked["late"]).mean() > 0.9
    assert not mk.Project().run().changed
    parcels(399).write_parquet(project.root / "data" / "parcels.parquet")
    again = mk.Project().run()
    assert [*again.changed] == ["changed: data data/parcels.parquet"]
