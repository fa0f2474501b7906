"""What the core must know of an estimator: its task, what it is fed, and what it answers.

Only what scikit-learn documents for every estimator is asked: its tags, parameters and fitted attributes.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlopskit.cells import kind_of, plain_cells
from mlopskit.data import Dataset
from mlopskit.errors import DataError, StoreError

_NUMERIC = {"integer", "number", "boolean", "null"}
_CLASSES = 2


def task_of(model: object, data: Dataset, /) -> str:
    """Return what a model does: "binary", "multiclass", "regression", "multilabel" or "multioutput-regression".

    The last two are those of several targets: all of them classes, or all of them numbers.

    Raises:
        StoreError: it is neither classifier nor regressor, or has another number of targets than the data.
    """
    from sklearn.base import is_regressor

    if is_classifier(model):
        if data.targets[1:]:
            return "multilabel"
        count = len(classes_of(model, data)[0] if hasattr(model, "classes_") else set(data.labels))
        return "binary" if count <= _CLASSES else "multiclass"
    if not hasattr(model, "__sklearn_tags__") or not is_regressor(model):
        raise StoreError(
            f"{type(model).__name__} is neither a classifier nor a regressor.",
            remedy="Give a model that predicts labels or numbers, or a pipeline that ends with one.",
        )
    return "multioutput-regression" if data.targets[1:] else "regression"


def is_classifier(model: object, /) -> bool:
    """Say whether a model is a classifier by scikit-learn's tags; what has none is not."""
    from sklearn import base

    return hasattr(model, "__sklearn_tags__") and bool(base.is_classifier(model))


def classes_of(model: object, data: Dataset, /) -> list[list[Any]]:
    """Return a fitted classifier's classes as plain cells, in its own order, for each target of the data.

    Raises:
        StoreError: it has another number of targets.
    """
    classes = list(model.classes_)  # type: ignore[attr-defined]
    if any(hasattr(one, "__len__") and not isinstance(one, str) for one in classes):
        found = [plain_cells("prediction", list(one)) for one in classes]
    elif _has_flags(model):  # its classes are then the numbers of the targets
        kinds = {type(cell) for labels in data.label_columns().values() for cell in labels}
        found = [[False, True] if kinds == {bool} else [0, 1] for _ in classes]
    else:
        found = [plain_cells("prediction", classes)]
    if len(found) != len(data.targets):
        raise StoreError(
            f"The targets of {type(model).__name__} are {len(found)}, those of the data {len(data.targets)}: "
            f"{', '.join(map(repr, data.targets))}.",
            remedy="Give one column of labels for each target that the model was fitted to.",
        )
    return found


def _has_flags(model: Any) -> bool:
    """Say whether a classifier was fitted to zeros and ones in several columns, as one answer instead of several."""
    leaf = _last(model)
    binarizer = getattr(leaf, "_label_binarizer", None)
    return bool(getattr(leaf, "multilabel_", False)) or str(getattr(binarizer, "y_type_", "")).startswith("multilabel")


def _last(model: Any) -> Any:
    """Return the estimator that answers, in pipelines and searches."""
    inner = model.steps[-1][1] if hasattr(model, "steps") else getattr(model, "best_estimator_", None)
    return model if inner is None else _last(inner)


def output_schema(model: object, data: Dataset, /) -> dict[str, Any]:
    """Return the JSON Schema of the outputs of a model that was fitted to the targets of such data.

    These are `prediction` and, of a classifier with probabilities, `probability.<label>` in class order. Of several
    targets they are `prediction.<target>` of each, then `probability.<target>.<label>`.

    Raises:
        StoreError: it has another number of targets, or its outputs would have the same name.
    """
    names = [f".{name}" for name in data.targets] if data.targets[1:] else [""]
    properties: dict[str, Any] = {f"prediction{name}": {"type": "number"} for name in names}
    if is_classifier(model):
        classes = dict(zip(names, classes_of(model, data), strict=True))
        for name, labels in classes.items():
            properties[f"prediction{name}"] = {"type": kind_of("prediction", labels), "enum": labels}
        if _has_probabilities(model, [*classes.values()]):
            for name, labels in classes.items():
                properties |= {f"probability{name}.{label}": {"type": "number"} for label in labels}
    _check_apart(data.targets)
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _has_probabilities(model: object, classes: Sequence[Sequence[Any]]) -> bool:
    if not hasattr(model, "predict_proba"):
        return False
    leaf = type(_last(model)).__name__
    # A chain has them of two classes alone; those of a stack of several targets are of the first class, not the second.
    chained = leaf == "ClassifierChain" and any(len(labels) != _CLASSES for labels in classes)
    return not chained and not (leaf == "StackingClassifier" and len(classes) > 1)


def _check_apart(targets: Sequence[str]) -> None:
    for name in targets:
        within = next((one for one in targets if one.startswith(f"{name}.")), None)
        if within is not None:
            raise StoreError(
                f"The outputs of the targets {name!r} and {within!r} cannot be told apart by their names.",
                remedy=f"Rename one of them, for example to {within.replace('.', '_')!r}.",
            )


def spread(labels: Sequence[Any], /) -> float:
    """Return the standard deviation of a regression's target, by which its tolerance is scaled; 1 if it is 0."""
    return statistics.pstdev(map(float, labels)) or 1.0


def frame_of(estimator: object, inputs: Mapping[str, Any], /) -> str:
    """Return what an estimator, fitted or not, is fed with such inputs: "column", "arrays", "polars" or "pandas".

    A text vectorizer in front of all takes one column of texts. What selects columns by name, was fitted to names or
    takes texts among others, gets a frame; all else arrays. Of frames it is polars, unless a column of text may be
    missing (scikit-learn finds missing text in pandas frames only) or columns are selected by their pandas type.

    Raises:
        DataError: a text vectorizer in front has more than one column, or one that is not text.
    """
    schema = inputs["properties"]
    if _reads_texts(estimator):
        if [spec["type"] for spec in schema.values()] != ["string"]:
            raise _not_texts(schema)
        return "column"
    selectors = list(_selectors(estimator))
    names = hasattr(estimator, "feature_names_in_") or any(map(_is_name, selectors))
    if not names and (_all_numeric(schema) or hasattr(estimator, "n_features_in_")):
        return "arrays"
    by_type = any(callable(selector) for selector in selectors)
    return "pandas" if by_type or ["string", "null"] in [spec["type"] for spec in schema.values()] else "polars"


def _types(spec: Mapping[str, Any]) -> list[str]:
    return [spec["type"]] if isinstance(spec["type"], str) else list(spec["type"])


def _all_numeric(properties: Mapping[str, Any]) -> bool:
    return all(set(_types(spec)) <= _NUMERIC for spec in properties.values())


def _reads_texts(estimator: object) -> bool:
    from sklearn.utils import get_tags

    leaf = _first(estimator)
    if not hasattr(leaf, "__sklearn_tags__"):
        return False
    tags = get_tags(leaf).input_tags
    return bool(tags.string and not tags.two_d_array)


def _first(estimator: Any) -> Any:
    """Return the leaf that sees the input first, in pipelines, unions and estimators around another."""
    for attribute in ("steps", "transformer_list", "estimators"):
        parts = getattr(estimator, attribute, None)
        if isinstance(parts, list) and parts and isinstance(parts[0], tuple):
            return next((_first(one[1]) for one in parts if hasattr(one[1], "get_params")), None)
    for attribute in ("estimator", "regressor"):
        inner = getattr(estimator, attribute, None)
        if hasattr(inner, "get_params"):
            return _first(inner)
    return estimator


def _selectors(estimator: Any) -> Iterator[Any]:
    """Yield how each ColumnTransformer in an estimator selects its columns."""
    from sklearn.compose import ColumnTransformer

    parameters = estimator.get_params(deep=True).values() if hasattr(estimator, "get_params") else []
    for part in [estimator, *parameters]:
        if isinstance(part, ColumnTransformer):
            for _, _, columns in part.transformers:
                yield columns


def _is_name(selector: Any) -> bool:
    if isinstance(selector, str) or callable(selector):
        return True
    return isinstance(selector, list | tuple) and any(isinstance(one, str) for one in selector)


def _not_texts(schema: Mapping[str, Any]) -> DataError:
    found = ", ".join(f"{name!r} ({' or '.join(_types(spec))})" for name, spec in schema.items())
    return DataError(
        f"The model reads one column of texts, the data have {found}.",
        remedy="Leave the other columns out (or name them as slices), fill in missing texts, "
        "or put the text vectorizer into a ColumnTransformer.",
    )
