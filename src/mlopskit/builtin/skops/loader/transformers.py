"""Checks of vectorizers, encoders, polynomials and functions."""

# ruff: noqa: SLF001 -- scikit-learn keeps in private attributes what its compiled code reads

from __future__ import annotations

import types
from typing import Any

from .arrays import MAX_DIMENSION
from .parts import require, whole

MAX_DEGREE = 64


def check_text(part: Any) -> None:
    """Check that a vectorizer reads texts, and numbers its terms without gaps."""
    # With input="filename" or "file" the text of a request would be opened or called.
    require(part.input == "content", part, f'input is {ascii(part.input)[:60]}, only "content" may be loaded')
    if "n_features" in vars(part):
        require(0 < whole(part, "n_features") < MAX_DIMENSION, part, "n_features is out of range")
    if "vocabulary_" in vars(part):
        numbers = list(part.vocabulary_.values())
        plain = all(isinstance(number, int) or number.dtype.kind in "iu" for number in numbers)
        known = plain and set(numbers) == set(range(len(numbers)))
        require(known, part, "vocabulary_ does not number its terms from 0")


def check_one_hot(part: Any) -> None:
    """Check that an encoder's columns stay inside of the sparse matrix that it makes."""
    import numpy as np

    if "_n_features_outs" not in vars(part):
        return
    drops = part._drop_idx_after_grouping
    sizes = []
    for number, values in enumerate(part.categories_):
        size = len(values)
        numeric = values.dtype.kind != "O"
        require(not numeric or (np.sort(values) == values)[values == values].all(), part, "categories_ are not sorted")  # noqa: PLR0124 -- the last may be nan
        mapping = part._default_to_infrequent_mappings[number] if part._infrequent_enabled else None
        if part._infrequent_enabled:  # an unknown value becomes one of these, and a mapping is what checks it
            none = part._infrequent_indices[number] is None
            require(none == (mapping is None), part, "infrequent categories")
        if mapping is not None:
            require(mapping.shape == (size,) and mapping.dtype.kind == "i", part, "infrequent categories")
            require(mapping.min() >= 0 and mapping.max() < size, part, "infrequent categories")
            size = int(mapping.max()) + 1
        if drops is not None and drops[number] is not None:
            require(0 <= drops[number] < size, part, "drop is outside of the categories")
            size -= 1
        sizes.append(size)
    require(list(part._n_features_outs) == sizes, part, "_n_features_outs does not fit the categories")


def check_polynomial(part: Any) -> None:
    """Check the degree, of which the number of columns is a power."""
    degree = part.degree
    for each in degree if isinstance(degree, tuple | list) else (degree, vars(part).get("_max_degree", 0)):
        require(type(each) is int and 0 <= each <= MAX_DEGREE, part, f"the degree {ascii(each)[:60]}")


def check_function(part: Any) -> None:
    """Check that a function is one of numpy's, called with the data alone, or the package's own.

    numpy's take an array to write into (`out`) or over (`where`); others take workers to start.
    """
    for name, arguments in (("func", "kw_args"), ("inverse_func", "inv_kw_args")):
        function = vars(part).get(name)
        # Of a function of the package's own the audit of names says more.
        own = isinstance(function, types.FunctionType) and not str(function.__module__).startswith("sklearn.")
        known = function is None or type(function).__name__ == "ufunc" or own
        require(known, part, f"{name} is no function of numpy")
        given = vars(part).get(arguments)
        require(own or not given, part, f"{arguments} cannot be stored, write the arguments into the function")
