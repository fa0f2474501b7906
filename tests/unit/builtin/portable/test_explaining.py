from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import VotingClassifier
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import mlopskit as mk
from mlopskit import estimators
from mlopskit.builtin.portable.format import PortableFormat


def explained(model):
    rows = np.random.default_rng(0).normal(size=(60, 3))
    labels = (rows.sum(axis=1) > 0).astype(int)
    data = mk.Dataset.from_frame(rows, labels)
    model.fit(rows, labels)
    schema = mk.Schema(inputs=data.input_schema(), outputs=estimators.output_schema(model, data))
    return [(one.kind, one.depth, bool(one.why)) for one in PortableFormat().explain(model, schema, "arrays")]


def test_all_parts_are_told_and_what_is_behind_one_that_is_refused():
    columns = ColumnTransformer([("a", KMeans(2, n_init=1), [0]), ("b", StandardScaler(), [1, 2])])
    assert explained(make_pipeline(columns, StandardScaler(), LogisticRegression())) == [
        ("Pipeline", 0, False),
        ("ColumnTransformer", 1, False),
        ("KMeans", 2, True),
        ("StandardScaler", 2, False),
        ("StandardScaler", 1, False),
        ("LogisticRegression", 1, False),
    ]


def test_a_reason_is_told_once_of_the_part_that_it_is_of():
    voting = VotingClassifier([("a", LogisticRegression()), ("b", GaussianProcessClassifier())])
    assert explained(voting) == [
        ("VotingClassifier", 0, False),
        ("LogisticRegression", 1, False),
        ("GaussianProcessClassifier", 1, True),
    ]


def test_what_does_not_say_how_wide_it_is_ends_the_search():
    class Odd(KNeighborsTransformer):
        def get_feature_names_out(self, names=None):
            raise NotImplementedError

    told = explained(make_pipeline(Odd(), LogisticRegression()))
    assert [kind.rpartition(".")[2] for kind, *_ in told] == ["Pipeline", "Odd"]


@pytest.mark.parametrize("broken", ["coef_", "classes_"])
def test_a_model_that_is_no_model_is_told_as_a_whole(broken):
    class Broken(LogisticRegression):
        pass

    model = make_pipeline(StandardScaler(), LogisticRegression())
    explained(model)
    schema = mk.Schema(
        inputs={"properties": {"x0": {"type": "number"}}, "required": ["x0"]},
        outputs={"properties": {"prediction": {"type": "number"}}, "required": ["prediction"]},
    )
    delattr(model[-1], broken)
    assert any(one.why for one in PortableFormat().explain(model, schema, "arrays"))
