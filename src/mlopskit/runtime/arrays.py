"""Columns that are arrays or series: looked at as a whole, without a Python object for each cell.

numpy, polars and pandas are not imported here: an array is asked for what it says of itself. What such a look cannot
decide is decided cell by cell, so that an array fits exactly where a list of its cells does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

_FEW = 64  # known values that are looked for one after the other
_EXACT = 2**53  # beyond it an integer and a number of double precision are not compared exactly
_WIDEST = 8  # bytes of a number of double precision


def is_array(values: object) -> bool:
    """Say whether this is an array of numpy itself, of one dimension; what is made of one may mask or name cells."""
    kind = type(values)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy" and getattr(values, "ndim", 0) == 1


def is_text(values: object) -> bool:
    """Say whether this is a series of pandas or polars that holds texts and nothing else."""
    kind = type(values)
    library, dtype = kind.__module__.partition(".")[0], str(getattr(values, "dtype", ""))
    return kind.__name__ == "Series" and (library, dtype) in {("polars", "String"), ("pandas", "str")}


def fits(
    values: Any, types: Collection[str], spec: Mapping[str, Any], limits: tuple[float, float], known: Any = None
) -> bool:
    """Say whether each cell of an array or series surely fits; where a look does not tell, the answer is no.

    `limits` are the least and the largest number that fit, `known` the values of an enum, None where they cannot be
    looked up.
    """
    if is_text(values):
        missing = values.null_count() if hasattr(values, "null_count") else values.hasnans
        return "string" in types and ("null" in types or not missing) and spec.keys().isdisjoint({"enum", "maxLength"})
    if not is_array(values):
        return False
    kind = values.dtype.kind
    if "enum" in spec:
        return known is not None and _all_known(values, types, known)
    if kind == "b":
        return "boolean" in types
    if kind == "U":
        return "string" in types and values.dtype.itemsize // 4 <= spec.get("maxLength", math.inf)
    return kind in "iuf" and values.dtype.itemsize <= _WIDEST and _in_range(values, types, limits)


def _all_known(values: Any, types: Collection[str], known: Collection[Any]) -> bool:
    kind = values.dtype.kind
    text = kind == "U" and "string" in types
    if not text and not (kind in "iu" and not {"integer", "number"}.isdisjoint(types)):
        return False
    alike = [cell for cell in known if isinstance(cell, str) == text and cell is not None]
    if len(alike) > _FEW or not (text or all(abs(cell) < _EXACT for cell in alike)):
        return False
    found = values != values  # noqa: PLR0124  # false for each
    for cell in alike:
        found |= values == cell
    return bool(found.all())


def _in_range(numbers: Any, types: Collection[str], limits: tuple[float, float]) -> bool:
    if {"integer", "number"}.isdisjoint(types):
        return False
    if numbers.dtype.kind == "f" and numbers.size and math.isnan(numbers.min().item()):  # one NaN makes this one
        numbers = numbers[numbers == numbers]  # noqa: PLR0124  # NaN equals nothing
        if "null" not in types:
            return False
    if not numbers.size:
        return True
    least, most = numbers.min().item(), numbers.max().item()
    if not (math.isfinite(least) and math.isfinite(most) and limits[0] <= least and most <= limits[1]):
        return False
    return numbers.dtype.kind != "f" or "number" in types or bool((numbers % 1 == 0).all())
