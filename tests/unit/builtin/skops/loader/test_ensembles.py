"""Estimators made of others; mutated trees are asked in test_mutations."""

import warnings

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeRegressor

from mlopskit.builtin.skops.archive import canonical
from mlopskit.builtin.skops.format import SkopsFormat
from mlopskit.builtin.skops.loader.estimator import load_estimator
from mlopskit.builtin.skops.loader.objects import check
from mlopskit.errors import StoreError
from mlopskit.modelpackage import Schema


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


SCALER = "sklearn.preprocessing._data"
ONE_COLUMN = {
    "a scaler": lambda forged, make, _of: forged.set("init_", make.node("ObjectNode", f"{SCALER}.StandardScaler")),
    "other words": lambda forged, make, _of: forged.set("init_", make.json("one")),
    "no outputs": lambda forged, make, _of: forged.set("n_outputs_", make.json(0), "init_"),
    "a constant for each row": lambda forged, _make, of: forged.put(
        forged.at("init_", "class_prior_" if of else "constant_"), np.ones((9, 1))
    ),
    "a loss of several": lambda forged, _make, _of: forged.at("_loss", "link").update(
        {"__class__": "MultinomialLogit"}
    ),
}


@pytest.mark.parametrize("kind", [GradientBoostingClassifier, GradientBoostingRegressor])
@pytest.mark.parametrize("what", ONE_COLUMN)
def test_gradient_boosting_of_one_column_starts_with_a_row_for_each_row(what, kind, data, forge, make):
    model = kind(n_estimators=2).fit(*data)
    stored = canonical(model)
    assert np.array_equal(load_estimator(stored).predict(data[0]), model.predict(data[0]))
    forged = forge(stored)
    ONE_COLUMN[what](forged, make, kind is GradientBoostingClassifier)
    with pytest.raises(ValueError, match="init is of another kind"):
        load_estimator(forged.data())


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "squared_error", "exponential", "log_loss"])
@pytest.mark.parametrize("init", [None, "zero"])
def test_gradient_boosting_of_every_loss_is_loaded(loss, init, data):
    kind = GradientBoostingClassifier if loss in ("exponential", "log_loss") else GradientBoostingRegressor
    model = kind(n_estimators=2, loss=loss, init=init).fit(*data)
    assert np.array_equal(load_estimator(canonical(model)).predict(data[0]), model.predict(data[0]))


def test_gradient_boosting_that_starts_with_another_model_is_refused_when_it_is_stored(data, tmp_path):
    model = GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(*data)
    inputs = {"type": "object", "properties": {"x0": {"type": "number"}}, "required": ["x0"]}
    with pytest.raises(StoreError, match='only init=None and init="zero" are stored'):
        SkopsFormat().save(model, Schema(inputs=inputs, outputs=inputs), "arrays", tmp_path)


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


def test_a_stage_has_one_output(data):
    model = GradientBoostingRegressor(n_estimators=2).fit(*data)
    check(model)
    model.estimators_[0, 0] = DecisionTreeRegressor().fit(data[0], data[0][:, :2])
    with pytest.raises(ValueError, match="a stage is no regression of one output"):
        check(model)
