"""ModelPackage: an immutable folder whose manifest lists every byte; its identity is the manifest's sha256."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlopskit.evaluation import Evaluation
from mlopskit.runtime.golden import GoldenRow, golden_rows
from mlopskit.runtime.package import Package, files_of_others, open_package
from mlopskit.tables import Value, card

_MOST_INPUTS = 12
SMALL_FILES = ("manifest.json", "golden.jsonl", "evaluation.json", "requirements.txt", "README.md")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Names and types of inputs and outputs, each a JSON Schema of the closed profile."""

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """One form of a fitted model inside a package: its format, its files, and what scoring it needs.

    `requires` are pinned distributions; `preprocess` are named steps that every runtime implements; `frame` says what
    the model is given: "arrays", "column" (one column as a sequence), "pandas" or "polars".
    """

    format: str
    files: tuple[str, ...]
    requires: tuple[str, ...] = ()
    preprocess: tuple[str, ...] = ()
    frame: str = "arrays"


@dataclass(frozen=True, kw_only=True)
class ModelPackage:
    """A checked package in a folder."""

    folder: Path
    digest: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @classmethod
    def open(cls, folder: str | Path, /, *, digest: str | None = None) -> ModelPackage:
        """Return the package in a folder, every byte checked (see `mlopskit.runtime.open_package`)."""
        path = Path(folder)
        opened: Package = open_package(path, digest=digest, keep=lambda name: name in SMALL_FILES)
        return cls(folder=path, digest=opened.digest, manifest=opened.manifest, files=opened.files)

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest["name"])

    @property
    def task(self) -> str:
        """What the model does: "binary", "multiclass", "regression", "multilabel" or "multioutput-regression"."""
        return str(self.manifest["task"])

    @cached_property
    def schema(self) -> Schema:
        """The schema of its inputs and outputs."""
        return Schema(**self.manifest["schema"])

    @cached_property
    def models(self) -> tuple[StoredModel, ...]:
        """The forms it holds of its model."""
        return tuple(_stored(model) for model in self.manifest["models"])

    @cached_property
    def golden(self) -> Sequence[GoldenRow]:
        """The golden rows; empty if it has none."""
        return golden_rows(self.files, self.manifest)

    @property
    def tolerance(self) -> float:
        """By how much a number may differ from the golden one: |a - b| <= tolerance * max(scale, |b|)."""
        return float((self.manifest["golden"] or {}).get("tolerance", 0.0))

    @property
    def scale(self) -> float | Mapping[str, float]:
        """The scale of the tolerance: 1, for a regression its target's standard deviation; of several, by output."""
        found: float | Mapping[str, float] = (self.manifest["golden"] or {}).get("scale", 1.0)
        return found

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """What was measured of the model on its test data."""
        data = self.files.get("evaluation.json")
        return None if data is None else Evaluation.from_table(json.loads(data))

    @property
    def shows_data(self) -> bool:
        """Whether its golden rows were taken from the test data: they are shown only to whom the data may be."""
        return (self.manifest["golden"] or {}).get("from") == "test"

    def paths(self) -> dict[str, Path]:
        """Return each file of the package, the manifest among them, with its path."""
        return {path: self.folder / path for path in [*self.manifest["files"], "manifest.json"]}

    def write(self, into: Path, /, *, format: str | None = None) -> None:
        """Copy the package into a folder; for one form of its model a lean copy, without what only others use.

        The manifest, and so the digest, is the same. `mlopskit.runtime.open_package` opens a lean copy with `format`.
        """
        others = files_of_others(self.manifest, format)
        for path, source in self.paths().items():
            if path not in others:
                target = into / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)

    def __repr__(self) -> str:
        return f"ModelPackage({self.name!r}, {self.digest[:19]}…, {str(self.folder)!r})"

    def _repr_html_(self) -> str:
        sizes = {path: entry["size"] for path, entry in self.manifest["files"].items()}
        formats = [f"{one.format} ({sum(map(sizes.__getitem__, one.files)):,} bytes)" for one in self.models]
        inputs = self.schema.inputs["required"]  # in the model's order
        facts: dict[str, Value] = {
            "digest": self.digest,
            "task": self.task,
            "forms": ", ".join(formats),
            "inputs": ", ".join(inputs[:_MOST_INPUTS]) + (" …" if len(inputs) > _MOST_INPUTS else ""),
            "golden rows": len(self.golden),
        }
        return card(f"Package {self.name}", facts, *([self.evaluation.table()] if self.evaluation else []))


def form_of(package: ModelPackage, formats: Sequence[str], /) -> StoredModel | None:
    """Return the form of a package that stands first among some formats, None if it holds none of them."""
    held = {model.format: model for model in package.models}
    return next((held[name] for name in formats if name in held), None)


def held_instead(package: ModelPackage, formats: Sequence[str], /) -> str:
    """Return in words what a package holds that has none of some formats, and why it has none."""
    refusals = package.manifest["provenance"].get("refusals", {})
    why = "; ".join(f"{name}: {', '.join(refusals[name])}" for name in formats if name in refusals)
    held = " and ".join(model.format for model in package.models)
    return f"{held or 'no model'}{f' ({why})' if why else ''}"


def _stored(model: Mapping[str, Any]) -> StoredModel:
    lists = {key: tuple(model[key]) for key in ("files", "requires", "preprocess")}
    return StoredModel(format=model["format"], frame=model["frame"], **lists)
