"""Unit tests of the model: `python -m pytest` in the example's folder, after `mlopskit run`."""

from __future__ import annotations

from typing import Literal

import pytest

import mlopskit as mk
from mlopskit.testing import assert_directional, assert_invariant, assert_metric, assert_predicts

POSITIVE = "probability.Positive"


def comment(text: str) -> mk.Row:
    return {"Comment": text}


@pytest.mark.parametrize("source", ["movies", "products", "tweets"])
def test_it_is_right_on_three_of_four_sentences_wherever_they_come_from(
    package: mk.ModelPackage, model: mk.LoadedModel, test_data: mk.Dataset, source: str
) -> None:
    assert_metric(package, "accuracy", at_least=0.74, slice=f"source={source}", model=model, data=test_data)


def test_its_probabilities_are_worth_something(package: mk.ModelPackage) -> None:
    assert_metric(package, "roc_auc", at_least=0.85)
    assert_metric(package, "brier", at_most=0.18)


def test_it_is_no_worse_than_what_is_live(package: mk.ModelPackage, production: mk.ModelPackage) -> None:
    assert production.evaluation
    live = production.evaluation.find("accuracy")
    assert live
    assert_metric(package, "accuracy", at_least=live.value - 0.03)


def test_it_knows_praise_and_blame(model: mk.LoadedModel) -> None:
    praise = ["The steak was great!", "I love this camera, it works perfectly.", "An excellent film."]
    blame = ["The steak was bad!", "A total waste of time and money.", "The food was not good."]
    assert_predicts(model, [(comment(text), "Positive") for text in praise])
    assert_predicts(model, [(comment(text), "Negative") for text in blame])


def test_capital_letters_do_not_matter(model: mk.LoadedModel, test_data: mk.Dataset) -> None:
    rows = test_data.take(range(0, len(test_data), 20))
    assert_invariant(model, rows, lambda row: comment(str(row["Comment"]).upper()))


def test_spaces_and_a_full_stop_do_not_matter(model: mk.LoadedModel, test_data: mk.Dataset) -> None:
    rows = test_data.take(range(0, len(test_data), 20))
    assert_invariant(model, rows, lambda row: comment(f"  {row['Comment']} ."))


@pytest.mark.parametrize(
    ("words", "direction"), [("It was terrible and a waste of money.", "down"), ("I love it, excellent!", "up")]
)
def test_praise_and_blame_that_are_added_count(
    model: mk.LoadedModel, test_data: mk.Dataset, words: str, direction: Literal["up", "down"]
) -> None:
    rows = test_data.take(range(0, len(test_data), 20))
    assert_directional(model, rows, lambda row: comment(f"{row['Comment']} {words}"), POSITIVE, direction)
