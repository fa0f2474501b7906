"""SkopsFormat: the fitted estimator itself, in a canonical skops archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from mlopskit.builtin.skops.archive import Node, contents, dump, write
from mlopskit.builtin.skops.loader.audit import Audit
from mlopskit.builtin.skops.loader.container import FILE, unpack
from mlopskit.builtin.skops.loader.estimator import load_estimator
from mlopskit.builtin.skops.loader.names import KNOWN
from mlopskit.builtin.skops.loader.objects import check
from mlopskit.builtin.skops.loader.parts import children, walk
from mlopskit.builtin.skops.loader.scoring import EstimatorScorer
from mlopskit.builtin.skops.own import Own, own_of
from mlopskit.capture import Captured, fault
from mlopskit.errors import StoreError
from mlopskit.format import Format
from mlopskit.modelpackage import Schema, StoredModel
from mlopskit.runtime.code import code_of, module_of

_ENGINE = ("scikit-learn", "numpy", "scipy", "skops")
_FRAMES = ("pandas", "polars")
_COMMON = ("builtins", "numpy", "sklearn")
_SHOWN = 5


class SkopsFormat(Format):
    """Stores scikit-learn's own estimators."""

    name: ClassVar[str] = "skops"
    loader: ClassVar[str] = "mlopskit.builtin.skops.loader"
    engine: ClassVar[tuple[str, ...]] = ("skops.io",)  # which imports all of scikit-learn

    def save(self, model: object, schema: Schema, frame: str, into: Path, /) -> StoredModel:  # noqa: ARG002 -- of the interface
        """Write `model.skops` into a folder: the same bytes in every process.

        Raises:
            StoreError: it cannot be stored; the message says why.
        """
        data, code, reasons = _stored(model)
        if reasons:
            raise StoreError(
                f"{type(model).__name__} cannot be stored. {' '.join(reasons)}",
                remedy="Change these parts of the model and fit it again.",
                reasons=reasons,
            )
        files = {FILE: data, **code.files}
        for path, content in files.items():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            (into / path).write_bytes(content)
        requires = tuple(dict.fromkeys([*_requires(model, frame), *code.requires]))
        return StoredModel(format=self.name, files=tuple(files), requires=requires, frame=frame)

    def differences(self, model: object, schema: Schema, stored: StoredModel, folder: Path, /) -> Sequence[str]:
        """Return in which ways the stored model is another one: it is loaded, and stored again."""
        data = (folder / FILE).read_bytes()
        spec = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": stored.frame}
        try:
            # With the classes of this process: a module of the project need not be run a second time in it.
            estimator = load_estimator(data, Captured(modules=frozenset(map(module_of, code_of(stored.files)))))
            EstimatorScorer(estimator, spec)
        except Exception as error:
            return [f"The stored model cannot be loaded: {error}."]
        same = contents(*dump(estimator)) == unpack(data)
        return [] if same else [f"{type(model).__name__} is not the same after storing and loading."]


def _requires(model: object, frame: str) -> tuple[str, ...]:
    """Return what scoring needs: also the frames that a transformer was told to give."""
    configs = [getattr(part, "_sklearn_output_config", {}) for _, part in walk(model)]
    frames = {frame, *(config.get("transform") for config in configs)}
    return tuple(f"{name}=={version(name)}" for name in [*_ENGINE, *_FRAMES] if name in _ENGINE or name in frames)


def _stored(model: object) -> tuple[bytes, Captured, list[str]]:
    """Return the archive of a model with its own code, or why there is none."""
    try:
        check(model)
    except Exception as error:
        return b"", Captured(), [f"{error}."]
    try:
        root, members = dump(model)
    except Exception as error:
        return b"", Captured(), [_undumped(model, error)]
    own = own_of(root, model)
    reasons = _reasons(root, members, own)
    return b"" if reasons else write(root, members), own.code, reasons


def _reasons(root: Node, members: Mapping[str, bytes], own: Own) -> list[str]:
    node = {key: value for key, value in root.items() if key not in ("protocol", "_skops_version")}
    problems = Audit(node, members, version("scikit-learn"), is_own=own.holds).problems
    shams = [("A part of the model", name, "") for name in own.faults if name in KNOWN]
    found = [*(_sentence(own, *problem) for problem in [*problems, *shams]), *(f"{why}." for why in own.code.faults)]
    reasons = list(dict.fromkeys(found))
    more = len(reasons) - _SHOWN
    return [*reasons[:_SHOWN], *([f"There are {more} more such parts."] if more > 0 else [])]


def _sentence(own: Own, path: str, name: str | None, what: str) -> str:
    if name is None:
        return f"{path}: {what}."
    if name.startswith("sklearn.") and name not in KNOWN:
        return f"{path} is {name}, which {what}. Use another of scikit-learn's estimators or settings."
    why = own.faults.get(name) or f"{name}, which {what}. Use one of scikit-learn's estimators, or plain data"
    return f"{path} is {why}."


def _undumped(model: object, error: Exception) -> str:
    odd = next(((path, why) for path, part in walk(model) if (why := _odd(part))), None)
    if odd:
        return f"{' is '.join(odd)}."
    if isinstance(error, RecursionError):
        return f"{type(model).__name__} contains itself, or is nested too deep."
    path, part = _culprit(model)
    return f"{path} is {type(part).__module__}.{type(part).__qualname__}, which skops cannot store: {error}."


def _odd(part: object) -> str | None:
    """Return why an object's class cannot be stored, as far as its name says so."""
    kind = type(part)
    known = f"{kind.__module__}.{kind.__name__}" in KNOWN or kind.__module__.partition(".")[0] in _COMMON
    return None if known else fault(kind)


def _culprit(model: object) -> tuple[str, object]:
    """Return the innermost part that cannot be stored, with its place."""
    place: tuple[str, object] = "model", model
    while found := next((child for child in children(*place) if not _dumps(child[1])), None):
        place = found
    return place


def _dumps(part: object) -> bool:
    try:
        dump(part)
    except Exception:
        return False
    return True
