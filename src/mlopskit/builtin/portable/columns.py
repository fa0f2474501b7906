"""Writers of what joins and selects columns, encodes categories and fills gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlopskit.builtin.portable.writing import (
    NoTablesError,
    Ref,
    Transform,
    Writing,
    cell_of,
    floats,
    private,
    refuse_if,
    ufunc_of,
)

_NONE, _REFUSE = -1, -2
# numpy's functions: the function of the step, what is multiplied before, and by what is divided behind.
_SAME = ("cos", "exp", "expm1", "log", "log1p", "sign", "sin", "sqrt", "square", "tanh", "trunc")
_FUNCTIONS: Mapping[str, tuple[str | None, float, float]] = {
    **{name: (name, 1.0, 1.0) for name in _SAME},
    "absolute": ("abs", 1.0, 1.0),
    "exp2": ("exp", math.log(2), 1.0),
    "log2": ("log", 1.0, math.log(2)),
    "log10": ("log", 1.0, math.log(10)),
    "negative": (None, -1.0, 1.0),
}


def _pipeline(w: Writing, estimator: Any, x: Ref) -> Ref:
    for _, part in estimator.steps:
        x = w.transform(part, x)
    return x


def _column_transformer(w: Writing, estimator: Any, x: Ref) -> Ref:
    parts = []
    for name, part, columns in estimator.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        indexes = _indexes(columns, x)
        if indexes:
            parts.append(_weighed(w, estimator, name, w.transform(part, w.take(x, indexes))))
    refuse_if(not parts, "ColumnTransformer keeps no column")
    return replace(w.concat(parts), scipy=bool(estimator.sparse_output_))


def _weighed(w: Writing, estimator: Any, name: str, x: Ref) -> Ref:
    """Write the weight of one of several transformers, if it has one."""
    weight = (estimator.transformer_weights or {}).get(name)
    return x if weight is None else w.step("multiply", x, values=[float(weight)] * x.width)


def _indexes(columns: Any, x: Ref) -> list[int]:
    """Return the places of the columns that a ColumnTransformer gives to one of its parts."""
    if isinstance(columns, slice):
        if not any(isinstance(one, str) for one in (columns.start, columns.stop)):
            return [*range(x.width)[columns]]
        start = 0 if columns.start is None else _place(columns.start, x)
        stop = x.width if columns.stop is None else _place(columns.stop, x) + 1
        return [*range(start, stop, columns.step or 1)]
    listed = [columns] if isinstance(columns, str | int) else list(columns)
    if listed and all(type(one).__name__ in ("bool", "bool_") for one in listed):
        return [place for place, chosen in enumerate(listed) if chosen]
    return [_place(one, x) for one in listed]


def _place(column: Any, x: Ref) -> int:
    if isinstance(column, str):
        refuse_if(column not in x.names, f"ColumnTransformer selects {column!r} by its name, which is no input")
        return x.names.index(column)
    return range(x.width)[int(column)]


def _union(w: Writing, estimator: Any, x: Ref) -> Ref:
    parts = []
    for name, part in estimator.transformer_list:
        if isinstance(part, str) and part == "drop":
            continue
        parts.append(_weighed(w, estimator, name, w.transform(part, x)))
    return replace(w.concat(parts), scipy=any(one.scipy for one in parts))


def _categories(w: Writing, x: Ref, categories: Sequence[Any]) -> Ref:
    """Write what scikit-learn refuses of numbers that are categories.

    Categories that stand for what is missing in another way than what is missing here are refused at once.
    """
    texts = x.value.texts or (False,) * x.width
    for place, known in enumerate(categories):
        gaps = [one for one in known if one is None or one != one]  # noqa: PLR0124  # NaN equals nothing
        if not texts[place] or not gaps:
            continue
        none = w.frame != "pandas"
        refuse_if(any((gap is None) != none for gap in gaps), "a category stands for what is missing in another way")
    return x if any(texts) else w.exact(w.checked(x, missing=True), "categories are compared with numbers")


def _cells(known: Any) -> list[Any]:
    return [cell_of(one) for one in known]


def _onehot(w: Writing, estimator: Any, x: Ref) -> Ref:
    x = _categories(w, x, estimator.categories_)
    _plain_dtype(estimator)
    tables, width = [], 0
    for place, known in enumerate(estimator.categories_):
        at, unknown, found = _onehot_places(estimator, place, len(known))
        shifted = [one + width if one != _NONE else _NONE for one in at]
        tables.append({"cells": _cells(known), "at": shifted, "unknown": unknown + width if unknown >= 0 else unknown})
        width += found
    made = w.step("onehot", x, finite=True, width=width, tables=tables)
    return replace(made, scipy=bool(estimator.sparse_output))


def _onehot_places(estimator: Any, place: int, count: int) -> tuple[list[int], int, int]:
    """Return each category's place, that of unknown ones, and how many places there are for one column."""
    at = [*range(count)]
    rule = "infrequent_if_exist" if estimator.handle_unknown == "warn" else estimator.handle_unknown
    unknown = _REFUSE if rule == "error" else _NONE
    mapping = _grouped(estimator, place)
    if mapping is not None:
        at = [int(one) for one in mapping]
        if rule == "infrequent_if_exist":
            unknown = max(at)
    dropped = private(estimator, "_drop_idx_after_grouping")
    gone = None if dropped is None else dropped[place]
    found = max(at) + 1
    if gone is not None:
        gone = int(gone)
        at = [_NONE if one == gone else one - (one > gone) for one in at]
        if unknown >= 0:
            unknown = _NONE if unknown == gone else unknown - (unknown > gone)
        found -= 1
    return at, unknown, found


def _grouped(estimator: Any, place: int) -> Any:
    """Return the number of each category of a column where rare ones share one, else None."""
    if not private(estimator, "_infrequent_enabled"):
        return None
    return private(estimator, "_default_to_infrequent_mappings")[place]


def _plain_dtype(estimator: Any) -> None:
    import numpy as np

    kind = np.dtype(estimator.dtype)
    refuse_if(kind.kind not in "iu" and kind != np.float64, f"{type(estimator).__name__} makes numbers of {kind}")


def ordinal(w: Writing, estimator: Any, x: Ref, /) -> Ref:
    """Write the numbers of categories."""
    x = _categories(w, x, estimator.categories_)
    _plain_dtype(estimator)
    refuse = estimator.handle_unknown == "error"
    tables = []
    for place, known in enumerate(estimator.categories_):
        values: list[float | None] = [float(one) for one in range(len(known))]
        mapping = _grouped(estimator, place)
        unknown = None if refuse else estimator.unknown_value
        gap = private(estimator, "_missing_indices").get(place)
        if mapping is not None:
            values = [float(values[i] if i == gap else mapping[i]) for i in range(len(known))]  # type: ignore[arg-type]
        if gap is not None:
            values[gap] = estimator.encoded_missing_value
        tables.append({
            "cells": _cells(known),
            "values": [_gap(one) for one in values],
            "unknown": [_gap(unknown)],
            "refuse": refuse,
        })  # fmt: skip
    return w.step("lookup", x, tables=tables)


def _gap(value: Any) -> float | None:
    return None if value is None or value != value else float(value)  # noqa: PLR0124


def _imputer(w: Writing, estimator: Any, x: Ref) -> Ref:
    gone = _sought(w, estimator, x)
    x = kept = x if x.value.has_texts else w.checked(x, missing=gone is None)
    if gone is not None and not x.value.has_texts:
        w.exact(x, "SimpleImputer looks for a number among numbers")
    statistics = list(estimator.statistics_)
    if not estimator.keep_empty_features:
        chosen = [i for i, one in enumerate(statistics) if not _is_nan(one)]
        kept, statistics = w.take(kept, chosen), [statistics[i] for i in chosen]
    texts = kept.value.texts or (False,) * kept.width
    values = [str(one) if text else cell_of(one) for one, text in zip(statistics, texts, strict=True)]
    refuse_if(any(one is None for one in values), "SimpleImputer fills a gap with a gap")
    filled = w.step("fill", kept, values=values, missing=gone, names=kept.names)
    if estimator.add_indicator and estimator.indicator_ is not None:
        return w.concat([filled, _indicated(w, estimator.indicator_, x)])
    return filled


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124


def _sought(w: Writing, estimator: Any, x: Ref) -> str | float | None:
    """Return the cell that counts as missing, null for what is missing itself."""
    value, texts = estimator.missing_values, x.value.has_texts
    if value is None or type(value).__name__ == "NAType" or _is_nan(value):
        # Texts that are missing are NaN in pandas' frames, None elsewhere.
        none = w.frame != "pandas"
        refuse_if(
            texts and (value is None) != none, f"{type(estimator).__name__} looks for {value!r}, which is never there"
        )
        refuse_if(not texts and not _is_nan(value), f"{type(estimator).__name__} looks for {value!r} among numbers")
        return None
    refuse_if(texts != isinstance(value, str), f"{type(estimator).__name__} looks for {value!r}")
    return cell_of(value)


def _indicated(w: Writing, estimator: Any, x: Ref) -> Ref:
    indexes = [int(one) for one in estimator.features_]
    return w.step("missing", x, finite=True, indexes=indexes, missing=_sought(w, estimator, x))


def _missing_indicator(w: Writing, estimator: Any, x: Ref) -> Ref:
    gone = _sought(w, estimator, x)
    x = x if x.value.has_texts else w.checked(x, missing=gone is None)
    found = _indicated(w, estimator, x)
    others = [place for place in range(x.width) if place not in estimator.features_]
    if not others or not estimator.error_on_new or estimator.features == "all":
        return found
    refuse_if(x.value.has_texts or gone is not None, "MissingIndicator refuses what was never missing before")
    # A step that refuses these, and of which nothing is kept.
    whole = w.step("finite", w.take(x, others), missing=False)
    return w.take(w.concat([found, whole]), [*range(found.width)])


def _function(w: Writing, estimator: Any, x: Ref) -> Ref:
    checked = w.checked(x) if estimator.validate else x
    if estimator.func is None:
        return checked
    refuse_if(estimator.kw_args, "FunctionTransformer has arguments")
    name = ufunc_of(estimator.func)
    if name is None or name not in _FUNCTIONS:
        raise NoTablesError(f"FunctionTransformer calls {getattr(estimator.func, '__name__', estimator.func)!r}")
    # numpy computes these of booleans in half precision, and squares integers modulo 2^64.
    kinds = {w.whole.get(one) for one in x.names}
    refuse_if("boolean" in kinds, f"FunctionTransformer computes {name} of booleans")
    refuse_if("integer" in kinds and name == "square", "FunctionTransformer squares integers")
    return applied(w, checked, name)


def applied(w: Writing, x: Ref, name: str, /) -> Ref:
    """Write one of numpy's functions of each element: by a step, or a step and a factor."""
    function, before, after = _FUNCTIONS[name]
    if before != 1.0:
        x = w.step("multiply", x, values=[before] * x.width)
    if function is not None:
        x = w.step("apply", x, function=function)
    return x if after == 1.0 else w.step("divide", x, values=[after] * x.width)


def _target_encoder(w: Writing, estimator: Any, x: Ref) -> Ref:
    """The mean target of a category; with several classes the share of each."""
    import numpy as np

    x = _categories(w, x, estimator.categories_)
    means = np.atleast_1d(estimator.target_mean_).tolist()
    places = [place for place in range(x.width) for _ in means]
    tables = [
        {
            "cells": _cells(estimator.categories_[place]),
            "values": floats(encoding),
            "unknown": [means[number % len(means)]],
            "refuse": False,
        }
        for number, (place, encoding) in enumerate(zip(places, estimator.encodings_, strict=True))
    ]
    return w.step("lookup", w.take(x, places), tables=tables, finite=True)


TRANSFORMERS: Mapping[str, Transform] = {
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
    "FunctionTransformer": _function,
    "MissingIndicator": _missing_indicator,
    "OneHotEncoder": _onehot,
    "OrdinalEncoder": ordinal,
    "Pipeline": _pipeline,
    "SimpleImputer": _imputer,
    "TargetEncoder": _target_encoder,
}
