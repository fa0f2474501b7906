"""SkopsFormat: the fitted estimator itself, in a canonical skops archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import mlopskit.builtin.skops.loader as own
from mlopskit.builtin.skops.archive import Node, canonical, dump, write
from mlopskit.errors import StoreError
from mlopskit.format import Format
from mlopskit.modelpackage import Schema, StoredModel

_ENGINE = ("scikit-learn", "numpy", "scipy", "skops")
_FRAMES = ("pandas", "polars")
_SHOWN = 5
_OWN_ONLY = "Use one of scikit-learn's own."
_REMEDIES: Mapping[str, str] = {
    "sklearn.neighbors._kd_tree.": 'Set algorithm="brute".',
    "sklearn.neighbors._ball_tree.": 'Set algorithm="brute".',
    "sklearn.metrics._dist_metrics.": 'Set algorithm="brute".',
    "__main__.": "Use one of scikit-learn's own; if it must be yours, move it to a module that can be imported.",
}


class SkopsFormat(Format):
    """Stores scikit-learn's own estimators; what it writes, its loader has loaded once."""

    name: ClassVar[str] = "skops"
    loader: ClassVar[str] = "mlopskit.builtin.skops.loader"

    def refusals(self, model: object, schema: Schema, /) -> Sequence[str]:
        """Return why the model cannot be stored exactly; it is stored in memory and loaded again to see."""
        try:
            root, members = dump(model)
        except Exception as error:
            return [_undumped(model, error)]
        if reasons := _reasons(root, members):
            return reasons
        try:
            data = write(root, members)
            estimator = own.load_estimator(data)
            own.EstimatorScorer(
                estimator, {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": "arrays"}
            )
        except Exception as error:
            return [f"The stored model cannot be loaded: {error}."]
        if canonical(estimator) != data:
            return [f"{type(model).__name__} is not the same after storing and loading."]
        return []

    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:  # noqa: ARG002
        """Write `model.skops` into a folder: the same bytes in every process.

        Raises:
            StoreError: it cannot be stored; the message says why.
        """
        data, reasons = _stored(model)
        if reasons:
            raise StoreError(
                f"{type(model).__name__} cannot be stored. {' '.join(reasons)}",
                remedy="Change these parts of the model and fit it again.",
                reasons=reasons,
            )
        (into / own.FILE).write_bytes(data)
        return StoredModel(format=self.name, files=(own.FILE,), requires=_requires(model, frame), frame=frame)


def _requires(model: object, frame: str) -> tuple[str, ...]:
    """Return what scoring needs: also the frames that a transformer was told to give."""
    configs = [getattr(part, "_sklearn_output_config", {}) for part in own.walk(model)]
    frames = {frame, *(config.get("transform") for config in configs)}
    return tuple(f"{name}=={version(name)}" for name in [*_ENGINE, *_FRAMES] if name in _ENGINE or name in frames)


def _stored(model: object) -> tuple[bytes, list[str]]:
    """Return the archive of a model, or why there is none."""
    try:
        root, members = dump(model)
    except Exception as error:
        return b"", [_undumped(model, error)]
    if reasons := _reasons(root, members):
        return b"", reasons
    try:
        own.check(model)
        return write(root, members), []
    except Exception as error:
        return b"", [f"{error}."]


def _reasons(root: Node, members: Mapping[str, bytes]) -> list[str]:
    node = {key: value for key, value in root.items() if key not in ("protocol", "_skops_version")}
    problems = own.Audit(node, members, version("scikit-learn")).problems
    reasons = list(dict.fromkeys(_sentence(*problem) for problem in problems))
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], *([f"There are {more} more such parts."] if more > 0 else [])]


def _sentence(path: str, name: str | None, what: str) -> str:
    if name is None:
        return f"{path}: {what}."
    remedy = next(
        (text for prefix, text in _REMEDIES.items() if name.startswith(prefix)), "Use one of scikit-learn's own."
    )
    if name.endswith("<lambda>"):
        return f"{path} is a lambda, which has no name to be found by. Use a function of numpy, such as numpy.log1p."
    return f"{path} is {name}, which {what}. {remedy}"


def _undumped(model: object, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"{type(model).__name__} contains itself, or is nested too deep."
    path, part = _culprit(model)
    return f"{path} is {type(part).__module__}.{type(part).__qualname__}, which skops cannot store: {error}."


def _culprit(model: object) -> tuple[str, object]:
    """Return the innermost part that cannot be stored, with its place."""
    path, part = "model", model
    while found := next(((name, child) for name, child in _children(part) if not _dumps(child)), None):
        path, part = path + found[0], found[1]
    return path, part


def _children(part: Any) -> Iterator[tuple[str, object]]:
    if isinstance(part, Mapping):
        yield from ((f"[{key!r}]", child) for key, child in part.items())
    elif isinstance(part, list | tuple | set):
        yield from ((f"[{number}]", child) for number, child in enumerate(part))
    elif hasattr(part, "__dict__") and not isinstance(part, type):
        yield from ((f".{name}", child) for name, child in vars(part).items())


def _dumps(part: object) -> bool:
    try:
        dump(part)
    except Exception:
        return False
    return True
