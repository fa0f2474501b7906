"""A model as tables, with a scorer in a language and a self-test: plain files that need no mlopskit."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit.builtin.portable import madeup
from mlopskit.builtin.portable.loader.document import FILE
from mlopskit.errors import StoreError
from mlopskit.golden import dump
from mlopskit.modelpackage import ModelPackage
from mlopskit.recipe import TOLERANCE
from mlopskit.runtime.golden import GoldenRow
from mlopskit.runtime.names import shown
from mlopskit.runtime.profile import types_of
from mlopskit.tables import Table

_HERE = Path(__file__).parent
_MOST_COLUMNS = 20
_MOST_INTEGER = 2**53
_SOURCES = {
    "file": "golden rows of the package, from a file",
    "test": "golden rows of the package, from its test data",
    "made": "rows that were made up, with the answers of the package",
}
Files = dict[str, bytes]


def files_of(language: str, package: ModelPackage, files: Mapping[str, bytes], rows: Sequence[GoldenRow], /) -> Files:
    """Return the files of a model in a language, by path."""
    frame = next(model.frame for model in package.models if model.format == "portable")
    schema = {"inputs": dict(package.schema.inputs), "outputs": dict(package.schema.outputs)}
    spec = {"schema": schema, "task": package.task, "frame": frame}
    about = _About(package=package, spec=spec, made=not rows, rows=rows or madeup.rows(files, spec))
    return LANGUAGES[language](files[FILE], about)


@dataclass(frozen=True, kw_only=True)
class _About:
    """What is written beside the model: of which package it is, and rows with their answers."""

    package: ModelPackage
    spec: Mapping[str, Any]
    made: bool
    rows: Sequence[GoldenRow]

    @property
    def source(self) -> str:
        return "made" if self.made else str(self.package.manifest["golden"]["from"])

    @property
    def tolerance(self) -> float:
        return self.package.tolerance if self.package.golden else TOLERANCE

    def json(self) -> bytes:
        """Return it as a file."""
        golden = {"from": self.source, "rows": len(self.rows), "scale": self.package.scale, "tolerance": self.tolerance}
        about = {"digest": self.package.digest, "golden": golden, "name": self.package.name, **self.spec}
        return (json.dumps(about, indent=1) + "\n").encode()

    def readme(self, language: str) -> bytes:
        """Return the page that tells how it is used."""
        inputs, outputs = self.spec["schema"]["inputs"], self.spec["schema"]["outputs"]
        text = string.Template((_template(language) / "README.md").read_text("utf-8"))
        filled = text.substitute(
            name=self.package.name,
            task=self.package.task,
            rows=f"{len(self.rows)} {_SOURCES[self.source]}",
            columns=f"{_columns(inputs, 'input')}\n\n{_columns(outputs, 'output')}",
            version=metadata.version("mlopskit"),
            digest=self.package.digest,
        )
        return filled.encode()


def _columns(schema: Mapping[str, Any], title: str) -> str:
    names = schema["required"]
    rows = [(name, " or ".join(types_of(schema["properties"][name]))) for name in names[:_MOST_COLUMNS]]
    more = len(names) - _MOST_COLUMNS
    return Table((title, "type"), rows).markdown() + (f"\n\n… and {more:,} more in `about.json`" if more > 0 else "")


def _template(language: str) -> Path:
    return _HERE / "templates" / language


def _templates(language: str, about: _About) -> Files:
    """Return the files that are the same for every model, and the page."""
    fixed = {path.name: path.read_bytes() for path in sorted(_template(language).iterdir()) if path.is_file()}
    return {**fixed, "README.md": about.readme(language)}


def _tables(model: bytes, about: _About) -> Files:
    """Return what a scorer reads that takes the model as it is."""
    return {FILE: model, "about.json": about.json(), "golden.jsonl": dump(about.rows)}


def _python(model: bytes, about: _About) -> Files:
    loader = _HERE / "loader"
    scorer = {path.relative_to(loader).as_posix(): path.read_bytes() for path in sorted(loader.rglob("*.py"))}
    files = {f"portable_scorer/{path}": data for path, data in scorer.items()}
    return {**_templates("python", about), **_tables(model, about), **files}


def _javascript(model: bytes, about: _About) -> Files:
    _check_labels(about.spec["schema"]["outputs"]["properties"])
    scorers = _HERE.parents[1] / "scorers"
    names = ("portable.mjs", "portable.d.mts")
    files = {name: (scorers / name).read_bytes() for name in names}
    return {**_templates("javascript", about), **_tables(model, about), **files}


def _check_labels(outputs: Mapping[str, Any]) -> None:
    for name, spec in outputs.items():
        beyond = [one for one in spec.get("enum", ()) if isinstance(one, int) and abs(one) > _MOST_INTEGER]
        if beyond:
            raise StoreError(
                f"{shown(name)} has the label {beyond[0]}, which JavaScript's numbers do not hold.",
                remedy="Eject it for another language, or train it on labels of at most 2^53, or on texts.",
            )


def _c(model: bytes, about: _About) -> Files:
    from mlopskit.builtin.portable.c import c_predict, c_selftest, c_source

    rows = [(one.row, one.expected if all(map(_is_utf8, one.row.values())) else None) for one in about.rows]
    scale = about.package.scale if about.package.golden else 1.0
    texts = c_source(model) | {"selftest.c": c_selftest(model, rows, tolerance=about.tolerance, scale=scale)}
    texts["predict.c"] = c_predict(model, about.package.schema.inputs, digest=about.package.digest)
    return {**_templates("c", about), **{path: text.encode() for path, text in texts.items()}}


def _is_utf8(cell: object) -> bool:
    """Say whether C can be asked for a cell: a text with a lone surrogate has no UTF-8, and is refused there."""
    return not (isinstance(cell, str) and any("\ud800" <= sign <= "\udfff" for sign in cell))


LANGUAGES: Mapping[str, Callable[[bytes, _About], Files]] = {"c": _c, "javascript": _javascript, "python": _python}
