"""Estimators made of others; mutated trees are asked in test_mutations."""

import warnings

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.loader.estimator import load_estimator


def loss_of_two(forged, _json):
    attributes, _ = forged.attributes("_loss")
    for name in attributes.keys() - {"link"}:
        forged.drop(name, "_loss")
    forged.at("_loss").update({"__class__": "HalfBinomialLoss"})


STARTS = {
    "another strategy in use": lambda forged, json: forged.set("_strategy", json("uniform"), "init_"),
    "a loss of two classes": loss_of_two,
    "a link of two classes": lambda forged, _json: forged.at("_loss", "link").update({"__class__": "LogitLink"}),
}


@pytest.mark.parametrize("what", STARTS)
def test_gradient_boosting_starts_with_as_many_columns_as_it_adds_up(what, data, forge, json_node):
    forged = forge(canonical(GradientBoostingClassifier(n_estimators=2).fit(data[0], np.arange(120) % 3)))
    STARTS[what](forged, json_node)
    with pytest.raises(ValueError, match="GradientBoostingClassifier: init is of another kind"):
        load_estimator(forged.data())


@pytest.mark.parametrize("answers", [[], [1, 1], [[1]]])
def test_a_constant_answers_each_row_once(answers, data, forge):
    features, labels = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one label stands in every row
        model = OneVsRestClassifier(LogisticRegression()).fit(features, np.stack([labels, np.ones(120, int)], axis=1))
    stored = canonical(model)
    assert np.array_equal(load_estimator(stored).predict(features), model.predict(features))
    forged = forge(stored)
    forged.put(forged.at("estimators_", 1, "y_"), np.array(answers, dtype=int))
    with pytest.raises(ValueError, match="_ConstantPredictor: "):
        load_estimator(forged.data())
