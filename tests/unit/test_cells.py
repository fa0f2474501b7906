from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.cells import check_cells, kind_of, plain_cells
from mlopskit.errors import DataError


@pytest.mark.parametrize(
    ("cells", "word"),
    [
        ([1, math.nan], "not finite"),
        ([1.0, math.inf], "not finite"),
        ([1, 2**63], "beyond 64 bits"),
        ([1, -(2**63) - 1], "beyond 64 bits"),
        (["a", "\ud800"], "not Unicode"),
        (["a", b"b"], "of the type bytes"),
        (["a", np.float64(1)], "of the type float64"),
        (["a", [1]], "of the type list"),
    ],
)
def test_a_cell_that_is_not_plain_is_named_with_row_and_column(cells, word):
    with pytest.raises(DataError, match=word) as caught:
        check_cells("c", cells)
    assert (caught.value.row, caught.value.column) == (1, "c")
    assert caught.value.remedy


def test_plain_cells_of_every_kind_pass():
    check_cells("c", ["a", "é", "\U0001f600", 1, 2**63 - 1, -(2**63), 1.5, True, None])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["a", None], "string"),
        ([1, 2], "integer"),
        ([1, 2.5], "number"),
        ([1.0], "number"),
        ([True, None, False], "boolean"),
    ],
)
def test_the_kind_of_a_column_leaves_missing_cells_aside(cells, kind):
    assert kind_of("c", cells) == kind


@pytest.mark.parametrize("cells", [[None], [], ["a", 1], [True, 1]])
def test_a_column_without_one_kind_is_refused_by_name(cells):
    with pytest.raises(DataError, match="column 'c'"):
        kind_of("c", cells)


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        (np.int32(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (float("nan"), None),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (pd.NA, None),
        (pd.NaT, None),
        (None, None),
        (2.0, 2.0),
    ],
)
def test_scalars_of_numpy_and_pandas_become_plain(cell, plain):
    (found,) = plain_cells("c", [cell])
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize("cell", [dt.timedelta(1), Decimal(1), np.timedelta64(1, "s"), b"a", [1]])
def test_what_is_neither_text_nor_number_nor_boolean_is_refused(cell):
    with pytest.raises(DataError, match="Row 1, column 'c'"):
        plain_cells("c", ["a", cell])


@given(st.lists(st.one_of(st.text(), st.integers(-5, 5), st.booleans(), st.none(), st.floats(allow_infinity=False))))
def test_plain_cells_are_the_same_again_but_for_nan(cells):
    found = plain_cells("c", cells)
    check_cells("c", found)
    for before, after in zip(cells, found, strict=True):
        missing = isinstance(before, float) and math.isnan(before)
        assert after is None if missing else (type(after), after) == (type(before), before)
