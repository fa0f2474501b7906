"""Write a fitted estimator as steps: the document being made, and what the writers of the families share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlopskit.builtin.portable.loader.document import make, source_of
from mlopskit.builtin.portable.loader.values import Value
from mlopskit.builtin.portable.refused import REASONS


class NoTablesError(Exception):
    """A part of a model has no tables; the message says which and why."""


@dataclass(frozen=True)
class Ref:
    """The vector that a step makes: the step's number, what is known of it, and whether it was found to be finite.

    `names` are the columns of the row, where the vector is the row itself or a part of it; `scipy` says whether
    scikit-learn has a sparse matrix there, of which some estimators refuse what they take from an array.
    """

    step: int
    value: Value
    finite: bool = False
    names: tuple[str, ...] = ()
    scipy: bool = False

    @property
    def width(self) -> int:
        """The number of elements."""
        return self.value.width


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a predictor answers: numbers; or the number of a class for each target, with the classes' probabilities.

    `decision` is the vector that the class was chosen by, as `decision_function` gives it (one element of two classes).
    """

    value: Ref | None = None
    label: Ref | None = None
    probability: Ref | None = None
    decision: Ref | None = None


# Steps whose numbers are near to scikit-learn's, not the same; and the functions of `apply` whose are the same.
_ROUNDED = ("interpolate", "kernel", "linear", "nearest", "normalize", "posterior", "products", "shares", "softmax",
            "spline", "sublinear", "yeo_johnson")  # fmt: skip
_EXACT = ("abs", "relu", "sign", "sqrt", "square", "trunc")

Transform = Callable[["Writing", Any, Ref], Ref]
Predict = Callable[["Writing", Any, Ref], Answer]


@dataclass(frozen=True)
class Writing:
    """The steps written so far, and the writers by the names of scikit-learn's classes.

    `whole` are the inputs that are of another type than double precision in the model's frame, `boolean` or `integer`.
    """

    inputs: Mapping[str, bool]
    frame: str
    transformers: Mapping[str, Transform]
    predictors: Mapping[str, Predict]
    whole: Mapping[str, str] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def row(self) -> Ref:
        """Return step 0: the row."""
        return Ref(0, source_of(self.inputs), names=tuple(self.inputs))

    def step(self, op: str, *sources: Ref, finite: bool = False, names: Sequence[str] = (), **fields: Any) -> Ref:
        """Write a step.

        Raises:
            NoTablesError: its tables are not of the allowed form, for example not finite.
        """
        try:
            value = make(op, fields, [one.value for one in sources])
        except ValueError as error:
            raise NoTablesError(f"a table of the step {op!r} cannot be written: it {error}") from error
        self.steps.append({"op": op, "from": [one.step for one in sources], **fields})
        scipy = value.sparse and any(one.scipy for one in sources)
        return Ref(len(self.steps), value, finite=finite, names=tuple(names), scipy=scipy)

    def transform(self, estimator: Any, x: Ref, /) -> Ref:
        """Write a transformer, of whatever kind."""
        if estimator is None or estimator == "passthrough":
            return x
        writer = self.transformers.get(name_of(estimator))
        if writer is None:
            raise _unknown(estimator)
        return writer(self, estimator, x)

    def predict(self, estimator: Any, x: Ref, /) -> Answer:
        """Write a classifier or regressor, of whatever kind."""
        writer = self.predictors.get(name_of(estimator))
        if writer is None:
            raise _unknown(estimator)
        return writer(self, estimator, x)

    def take(self, x: Ref, indexes: Sequence[int], /) -> Ref:
        """Write the choice of some elements; nothing if it is all of them."""
        if [*indexes] == [*range(x.width)]:
            return x
        names = [x.names[i] for i in indexes] if x.names else ()
        return self.step("take", x, indexes=[int(i) for i in indexes], finite=x.finite, names=names)

    def concat(self, parts: Sequence[Ref], /) -> Ref:
        """Write the join of vectors."""
        if len(parts) == 1:
            return parts[0]
        names = [name for one in parts for name in one.names] if all(one.names for one in parts) else ()
        return self.step("concat", *parts, finite=all(one.finite for one in parts), names=names)

    def checked(self, x: Ref, /, *, missing: bool = False) -> Ref:
        """Write what scikit-learn refuses of numbers: what is infinite and, unless it may be, what is missing."""
        if x.value.has_texts:
            raise NoTablesError("texts are given to a part that takes numbers")
        return x if x.finite else self.step("finite", x, missing=missing, finite=not missing)

    def exact(self, x: Ref, why: str, /) -> Ref:
        """Refuse numbers that are only near to scikit-learn's own where what equals another number is told apart."""
        todo, seen = [x.step], {0}
        while todo:
            place = todo.pop()
            step = {} if place in seen else self.steps[place - 1]
            rounded = step.get("op") in _ROUNDED or step.get("function", "abs") not in _EXACT
            refuse_if(rounded, f"{why}, which functions and sums have made: a rounding more or less would show")
            todo += step.get("from", ())
            seen.add(place)
        return x


def name_of(estimator: Any, /) -> str:
    """Return the name of an estimator's class, nothing if it is not one of scikit-learn's own."""
    kind = type(estimator)
    return kind.__name__ if kind.__module__.partition(".")[0] in ("lightgbm", "sklearn", "xgboost") else ""


def _unknown(estimator: Any) -> NoTablesError:
    why = REASONS.get(name_of(estimator))
    return NoTablesError(f"{shown(estimator)} has no portable form{'' if why is None else f': {why}'}")


def shown(estimator: Any, /) -> str:
    """Return the name of an estimator's class for a person: the whole one, if it is not one of scikit-learn's own."""
    kind = type(estimator)
    return kind.__name__ if name_of(estimator) else f"{kind.__module__}.{kind.__qualname__}"


def floats(array: Any, /) -> list[Any]:
    """Return an array of one or two dimensions as lists of numbers of double precision.

    Raises:
        NoTablesError: a number is not finite.
    """
    import numpy as np

    found = np.asarray(array.toarray() if hasattr(array, "toarray") else array, dtype=np.float64)
    if not np.isfinite(found).all():
        raise NoTablesError("a table holds a number that is not finite")
    made: list[Any] = found.tolist()
    return made


def spread(value: Any, width: int, /) -> list[float]:
    """Return one number, or an array of them, as a list of some width."""
    import numpy as np

    found: list[float] = floats(np.broadcast_to(np.asarray(value, dtype=np.float64).ravel(), (width,)))
    return found


# The private attributes of scikit-learn that are read, where it has no public one: by name, whose, and what for. They
# were looked up in the releases that `format.KNOWN` names; docs/reference/portable-format.md lists them.
PRIVATE: Mapping[str, tuple[str, str]] = {
    "_base_loss": ("GammaRegressor, PoissonRegressor, TweedieRegressor", "the link"),
    "_baseline_prediction": ("HistGradientBoosting*", "what the sum of the trees starts from"),
    "_centerer": ("KernelPCA", "the means of the kernel"),
    "_curve_scorer": ("TunedThresholdClassifierCV", "which class is looked for"),
    "_default_to_infrequent_mappings": ("OneHotEncoder, OrdinalEncoder", "which categories are one"),
    "_drop_idx_after_grouping": ("OneHotEncoder", "which category has no place"),
    "_dual_coef_": ("NuSVC, SVC", "the weights of the support vectors"),
    "_fit_method": ("KNeighbors*, RadiusNeighbors*", "how distances are computed"),
    "_fit_X": ("KNeighbors*, RadiusNeighbors*", "the training rows"),
    "_gamma": ("NuSVC, NuSVR, SVC, SVR", "the width of the kernel"),
    "_infrequent_enabled": ("OneHotEncoder, OrdinalEncoder", "whether rare categories are one"),
    "_intercept_": ("NuSVC, SVC", "the offsets"),
    "_label_binarizer": ("MLPClassifier, RidgeClassifier, RidgeClassifierCV", "whether there are several targets"),
    "_loss": ("HistGradientBoosting*", "the link"),
    "_max_components": ("LinearDiscriminantAnalysis", "how many axes there are"),
    "_missing_indices": ("OrdinalEncoder", "which category stands for what is missing"),
    "_predictors": ("HistGradientBoosting*", "the trees"),
    "_preprocessor": ("HistGradientBoosting*", "the numbers of the categories"),
    "_raw_predict_init": ("GradientBoosting*", "what the sum of the trees starts from"),
    "_scaler": ("PowerTransformer", "the mean and the deviation"),
    "_weights_not_none": ("VotingClassifier, VotingRegressor", "the weights of what is not dropped"),
    "_x_mean": ("CCA, PLSCanonical, PLSRegression, PLSSVD", "the mean of the training rows"),
    "_x_std": ("CCA, PLSCanonical, PLSRegression, PLSSVD", "the deviation of the training rows"),
    "_y": ("KNeighbors*, RadiusNeighbors*", "the training targets"),
    "_y_train_mean": ("GaussianProcessRegressor", "the mean of the training targets"),
    "_y_train_std": ("GaussianProcessRegressor", "the deviation of the training targets"),
}


def private(estimator: Any, name: str, /) -> Any:
    """Return a private attribute that is listed above."""
    owners, _ = PRIVATE[name]
    try:
        return getattr(estimator, name)
    except AttributeError as error:
        raise NoTablesError(f"{type(estimator).__name__} has no {name} ({owners})") from error


def refuse_if(condition: object, why: str, /) -> None:
    """Refuse a setting that has no portable form."""
    if condition:
        raise NoTablesError(why)


def ufunc_of(function: Any, /) -> str | None:
    """Return the name of one of numpy's own functions, None of any other, whatever it calls itself."""
    import numpy as np

    name = getattr(function, "__name__", "")
    return str(name) if isinstance(function, np.ufunc) and function is getattr(np, name, None) else None


def cell_of(value: Any, /) -> str | float | None:
    """Return a category as a cell of the document: text, a number of double precision, None for what is missing."""
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise NoTablesError(f"a category is a {type(value).__name__}") from error
    if math.isnan(number):
        return None
    refuse_if(math.isinf(number) or abs(number) >= 2**53, f"a category is {number!r}, which is not told from others")
    return number
