"""Models that are bad on purpose, made with a project's own trainer: what its gates must refuse."""

from __future__ import annotations

import importlib
import math
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlopskit import estimators, packaging, plugins
from mlopskit.data import Dataset
from mlopskit.errors import MlopskitError
from mlopskit.format import Format
from mlopskit.modelpackage import Schema
from mlopskit.runtime.code import Code, code_of
from mlopskit.runtime.schema import Columns
from mlopskit.runtime.scoring import Loader, Model, Scorer
from mlopskit.steps import Progress
from mlopskit.trainer import Trainer

FLIPPED = "flipped labels"
OLDER = "older schema"
_TWO = 2


@dataclass(frozen=True, kw_only=True)
class BadModel:
    """A model that is bad on purpose, as a scorer; without one, why it could not be made."""

    name: str
    scorer: Scorer | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Makes models of the rows of a project, the good one and the bad ones."""

    trainer: Trainer
    train: Dataset
    test: Dataset
    progress: Progress

    def quick(self, rows: int, /) -> tuple[object, Schema, str]:
        """Return the model trained on at most so many rows, evenly taken, as a format is given it."""
        some = self.train.take(range(0, len(self.train), -(-len(self.train) // rows) or 1))
        model, inputs = self.trainer.train(some), self.train.joined(self.test).input_schema()
        schema = Schema(inputs=inputs, outputs=estimators.output_schema(model, some))
        return model, schema, estimators.frame_of(model, inputs)

    def good(self) -> tuple[Model, str]:
        """Return the model as the project trains it, and its task."""
        self.progress("train: the model itself")
        fitted = self.trainer.train(self.train)
        return self._in_process(fitted), estimators.task_of(fitted, self.test)

    def bad(self, good: Model, /) -> Iterator[BadModel]:
        """Yield the bad models; `good` says whether it answers classes or numbers, and with which outputs."""
        classes = "enum" in next(iter(good.schema["outputs"]["properties"].values()))
        outputs = good.schema["outputs"]["properties"]
        makers: dict[str, Callable[[], Scorer]] = {
            FLIPPED: lambda: self._trained(_flipped(self.train, classes=classes)),
            "shuffled": lambda: self._trained(_shuffled(self.train)),
            "constant": lambda: _constant(self.train, outputs),
            "1 % of rows": lambda: self._trained(_hundredth(self.train, classes=classes)),
        }
        if classes:
            makers["class dropped"] = lambda: self._without_class(outputs)
        makers[OLDER] = lambda: _older(good, _constant(self.train, outputs))
        for name, make in makers.items():
            self.progress(f"train: {name}")
            try:
                yield BadModel(name=name, scorer=make())
            except MlopskitError as error:
                yield BadModel(name=name, scorer=None, reason=f"it could not be made: {error.message}")

    def _trained(self, rows: Dataset) -> Model:
        return self._in_process(self.trainer.train(rows))

    def _in_process(self, fitted: object) -> Model:
        return in_process(fitted, self.train.joined(self.test).input_schema(), self.test)

    def _without_class(self, outputs: Mapping[str, Any]) -> Scorer:
        """Return a model that never saw the rarest class; of two classes, one that knows the rarer alone."""
        labels = self.train.label_columns()[self.train.targets[0]]
        ordered = [label for label, _ in Counter(labels).most_common()]
        dropped = ordered[-1] if len(ordered) > _TWO else ordered[0]
        rows = self.train.take(at for at, label in enumerate(labels) if label != dropped)
        return self._trained(rows) if len(ordered) > _TWO else _constant(rows, outputs)


def in_process(model: object, inputs: Mapping[str, Any], test: Dataset, /) -> Model:
    """Return a fitted model as it would answer from a package: stored, loaded and checked, in this process.

    Raises:
        StoreError: it cannot be stored.
    """
    schema = Schema(inputs=inputs, outputs=estimators.output_schema(model, test))
    form = plugins.find("formats", packaging.REFERENCE, Format)()  # type: ignore[type-abstract]
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        stored = form.save(model, schema, estimators.frame_of(model, inputs), Path(temporary))
        files = {path: Path(temporary, path).read_bytes() for path in stored.files}
    own = {path: files.pop(path) for path in code_of(stored.files)}
    spec: dict[str, Any] = {"schema": {"inputs": schema.inputs, "outputs": schema.outputs}, "frame": stored.frame}
    spec |= {"task": estimators.task_of(model, test), **({"code": Code(own)} if own else {})}
    loader: Loader = importlib.import_module(form.loader)
    scorer = loader.load(files, spec)
    return Model(name="model", digest="", format=form.name, schema=spec["schema"], scorer=scorer)


def _flipped(data: Dataset, *, classes: bool) -> Dataset:
    """Return rows with every label replaced by another: the next class, or the number as far beyond the mean."""
    columns = dict(data.columns)
    for name, labels in data.label_columns().items():
        if classes:
            known = sorted(set(labels))
            after = dict(zip(known, [*known[1:], known[0]], strict=True))
            columns[name] = [after[label] for label in labels]
        else:
            twice = 2 * math.fsum(labels) / len(labels)
            columns[name] = [twice - label for label in labels]
    return replace(data, columns=columns)


def _shuffled(data: Dataset) -> Dataset:
    """Return rows whose input columns are each in another order: nothing in them goes with the labels."""
    drawn = random.Random(0)  # noqa: S311  # the same order each time, no secret
    columns = dict(data.columns)
    for name in data.inputs:
        cells = list(columns[name])
        drawn.shuffle(cells)
        columns[name] = cells
    return replace(data, columns=columns)


def _hundredth(data: Dataset, *, classes: bool) -> Dataset:
    """Return 1 % of rows, the first of each class among them, and at least two."""
    labels = data.label_columns()[data.targets[0]]
    kept = {label: at for at, label in reversed([*enumerate(labels)])}.values() if classes else ()
    chosen = dict.fromkeys(sorted(kept))
    others = [at for at in range(len(data)) if at not in chosen]
    random.Random(0).shuffle(others)  # noqa: S311  # the same order each time, no secret
    wanted = max(math.ceil(len(data) / 100), _TWO)
    return data.take(sorted([*chosen, *others[: max(wanted - len(chosen), 0)]]))


@dataclass(frozen=True)
class _Constant:
    """Answers every row alike."""

    answer: Mapping[str, Any]

    def score(self, rows: Columns, /) -> Columns:
        count = len(next(iter(rows.values())))
        return {name: [cell] * count for name, cell in self.answer.items()}


def _constant(data: Dataset, outputs: Mapping[str, Any]) -> Scorer:
    """Return a model that answers the most frequent class, with the classes' shares, or the mean."""
    answer: dict[str, Any] = {}
    for name, labels in data.label_columns().items():
        suffix = f".{name}" if data.targets[1:] else ""
        classes: Sequence[Any] = outputs[f"prediction{suffix}"].get("enum", ())
        counts = Counter(labels)
        answer[f"prediction{suffix}"] = (
            max(classes, key=counts.__getitem__) if classes else math.fsum(labels) / len(data)
        )
        answer |= {f"probability{suffix}.{label}": counts[label] / len(data) for label in classes}
    return _Constant({name: answer[name] for name in outputs})


def _older(good: Model, scorer: Scorer) -> Scorer:
    """Return a model from before the last input column was added; if there is one alone, it had another name."""
    inputs = good.schema["inputs"]
    *kept, last = inputs["required"]
    names = kept or [f"older {last}"]
    properties = {name: inputs["properties"].get(name, inputs["properties"][last]) for name in names}
    older = {**inputs, "properties": properties, "required": names}
    schema = {**good.schema, "inputs": older}
    return Model(name=good.name, digest=good.digest, format=good.format, schema=schema, scorer=scorer)
