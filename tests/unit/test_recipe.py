from __future__ import annotations

import dataclasses

import pytest

import mlopskit as mk
from mlopskit import recipe
from mlopskit.recipe import GoldenSpec, Recipe


def test_a_recipe_is_a_value() -> None:
    test = mk.Dataset.from_frame([[1.0]], ["a"])
    made = Recipe(name="grade", model=None, schema=test.input_schema(), test=test)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "other"  # type: ignore[misc]
    assert made.golden == GoldenSpec()
    assert GoldenSpec().rows == recipe.GOLDEN_ROWS
