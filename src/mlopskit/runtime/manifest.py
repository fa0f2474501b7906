"""The form of a manifest and of listings: exactly these fields, of these types, meaning what they should."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .code import FOLDER
from .errors import LimitError, ManifestError, UnsafeNameError
from .names import check_digest, check_name, check_paths, shown
from .profile import check_schema

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 4 << 20
MAX_FILES = 10_000
MAX_TOTAL = 64 << 30
FETCH = "Fetch the package again from where it was published."
_KEYS = {
    "environment": dict,
    "evaluation": str | None,
    "files": dict,
    "format_version": int,
    "golden": dict | None,
    "models": list,
    "name": str,
    "provenance": dict,
    "schema": dict,
    "task": str,
}
_MODEL_KEYS = {"files": list, "format": str, "frame": str, "preprocess": list, "requires": list}
_GOLDEN_KEYS = {"file": str, "from": str, "rows": int, "scale": int | float | dict, "tolerance": int | float}
_SCHEMA_KEYS = {"inputs": dict, "outputs": dict}
_ENTRY_KEYS = {"sha256": str, "size": int}
_CODE = re.compile(r"code(?:/[A-Za-z_][A-Za-z0-9_]*)+\.py", re.ASCII)
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*", re.ASCII)


def check_manifest(value: object, /) -> dict[str, Any]:
    """Return the manifest if its fields are of the documented form (docs/reference/package.md).

    Raises:
        ManifestError, UnsafePathError: a field is missing, unknown or not as it should be; the message names it.
        LimitError: it lists more files or bytes than are read.
    """
    _check_version(value)
    manifest = check_fields(value, _KEYS, what=MANIFEST)
    _check_name(manifest["name"], "name")
    check_listed(manifest["files"], what=MANIFEST)
    _check_models(manifest["models"], manifest["files"])
    _check_code(manifest["models"], manifest["files"])
    _check_golden(manifest["golden"], manifest["files"])
    if manifest["evaluation"] is not None:
        _check_known([manifest["evaluation"]], manifest["files"], field="evaluation")
    for part, schema in check_fields(manifest["schema"], _SCHEMA_KEYS, what=f"schema in {MANIFEST}").items():
        check_schema(schema, what=f"schema.{part} in {MANIFEST}")
    return manifest


def check_fields(value: object, fields: Mapping[str, Any], /, *, what: str) -> dict[str, Any]:
    """Return the table if it has exactly these fields with values of these types.

    Raises:
        ManifestError: a field is missing, unknown or of another type; the message names it.
    """
    if not isinstance(value, dict):
        raise ManifestError(f"{what} is a {type(value).__name__}, expected a table.", remedy=FETCH, field=None)
    for field in sorted(fields.keys() ^ value.keys()):
        state = "is unknown" if field in value else "is missing"
        raise ManifestError(f"The field {shown(field)} of {what} {state}.", remedy=FETCH, field=field)
    for field, kind in fields.items():
        # bool is a subclass of int, and never meant where a number is.
        if not isinstance(value[field], kind) or (isinstance(value[field], bool) and kind is not bool):
            raise _wrong(field, f"has the type {type(value[field]).__name__}", what)
    return value


def check_listed(files: Any, /, *, what: str) -> None:
    """Check a listing's table of path → sha256 and size; `what` is the listing's own path.

    Raises:
        ManifestError, UnsafePathError: an entry is not of this form; the message names it.
        LimitError: it lists more files or bytes than are read.
    """
    if not isinstance(files, dict):
        raise _wrong("files", f"has the type {type(files).__name__}", what)
    if len(files) > MAX_FILES:
        raise LimitError(f"The files of {what} are {len(files):,}, at most {MAX_FILES:,} are read.", remedy=FETCH)
    check_paths([what, *files])
    total = 0
    for path, entry in files.items():
        where = f"files.{path} in {what}"
        checked = check_fields(entry, _ENTRY_KEYS, what=where)
        try:
            check_digest(f"sha256:{checked['sha256']}")
        except UnsafeNameError as error:
            raise _wrong("sha256", f"is {shown(checked['sha256'])}, not 64 lower-case hex digits", where) from error
        if checked["size"] < 0:
            raise _wrong("size", f"is {checked['size']}", where)
        total += checked["size"]
    if total > MAX_TOTAL:
        raise LimitError(
            f"The sizes of the files of {what} add up to {total:,} bytes, at most {MAX_TOTAL:,} are read.", remedy=FETCH
        )


def _check_version(value: object) -> None:
    # First of all: a later version may have other fields.
    version = value.get("format_version") if isinstance(value, dict) else None
    if isinstance(version, int) and version != FORMAT_VERSION:
        raise ManifestError(
            f"The package has the format_version {version}, this reader knows {FORMAT_VERSION}.",
            remedy="Use the release of mlopskit that wrote it, or a later one.",
            field="format_version",
        )


def _check_models(models: list[Any], files: Mapping[str, Any]) -> None:
    formats = set()
    for number, model in enumerate(models):
        where = f"models[{number}]"
        check_fields(model, _MODEL_KEYS, what=f"{where} in {MANIFEST}")
        _check_name(model["format"], f"{where}.format")
        if model["format"] in formats:
            raise _wrong(f"{where}.format", f"is {model['format']!r} a second time")
        formats.add(model["format"])
        _check_known(model["files"], files, field=f"{where}.files")
        for step in model["preprocess"]:
            _check_name(step, f"{where}.preprocess")
        for pin in model["requires"]:
            if not isinstance(pin, str) or not _PIN.fullmatch(pin):
                raise _wrong(f"{where}.requires", f"has {shown(pin)}, expected 'name==version'")


def _check_code(models: Iterable[Mapping[str, Any]], files: Mapping[str, Any]) -> None:
    """Check that what stands in code/ is Python modules, each of a form of the model."""
    used = {path for model in models for path in model["files"]}
    for path in files:
        if path.startswith(FOLDER) and (path not in used or not _CODE.fullmatch(path)):
            raise _wrong("files", f"lists {shown(path)}, which is no module that a form of the model uses")


def _check_golden(golden: dict[str, Any] | None, files: Mapping[str, Any]) -> None:
    if golden is None:
        return
    check_fields(golden, _GOLDEN_KEYS, what=f"golden in {MANIFEST}")
    _check_known([golden["file"]], files, field="golden.file")
    scale = golden["scale"]
    by_output = {f"scale.{name}": cell for name, cell in scale.items()} if isinstance(scale, dict) else {"scale": scale}
    for field, cell in {"rows": golden["rows"], "tolerance": golden["tolerance"], **by_output}.items():
        # Of a table nothing was looked at yet.
        if isinstance(cell, bool) or not isinstance(cell, int | float) or not 0 <= cell < math.inf:
            raise _wrong(f"golden.{field}", f"is {shown(cell)}")


def _check_name(value: object, field: str) -> None:
    try:
        check_name(value)
    except UnsafeNameError as error:
        raise _wrong(field, f"is {shown(value)}, which is not allowed") from error


def _check_known(paths: Iterable[Any], files: Mapping[str, Any], *, field: str) -> None:
    for path in paths:
        if not isinstance(path, str) or path not in files:
            raise _wrong(field, f"refers to {shown(path)}, which is not among the files")


def _wrong(field: str, reason: str, what: str = MANIFEST) -> ManifestError:
    return ManifestError(f"The field {field!r} of {what} {reason}.", remedy=FETCH, field=field)
