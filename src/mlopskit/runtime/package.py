"""Open a package: find exactly the listed files, check every byte, hand out the bytes that were checked."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import canonical
from .errors import IntegrityError, LimitError, ManifestError, UnsafePathError
from .names import check_digest, check_name, check_paths

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
UNPINNED = "unpinned"
MAX_MANIFEST = 4 << 20
MAX_FILES = 10_000
MAX_TOTAL = 64 << 30
_CHUNK = 1 << 20
_FETCH = "Fetch the package again from where it was published."
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


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package whose every byte was checked: its digest, its manifest, and the bytes that were kept."""

    digest: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]


def open_package(
    folder: Path, /, *, digest: str | None = None, keep: Callable[[str], bool] = lambda _: True
) -> Package:
    """Return the checked package in a folder.

    `digest` is the expected one; without it the folder's name must be the digest's 64 hex digits. The word
    `"unpinned"` opens whatever package stands there. `keep` says of which files the bytes are kept in memory.

    Raises:
        IntegrityError: a file is missing, extra or changed, or the digest is another.
        ManifestError, LimitError, UnsafePathError: the manifest or the folder is not of the allowed form.
    """
    expected = _expected(folder, digest)
    data = read_listing(folder, MANIFEST, digest=expected)
    manifest = check_manifest(canonical.loads(data, what=MANIFEST, limit=MAX_MANIFEST))
    files = read_files(folder, manifest["files"], listing=MANIFEST, keep=keep)
    return Package(digest=canonical.digest_of(data), manifest=manifest, files={MANIFEST: data, **files})


def _expected(folder: Path, digest: str | None) -> str | None:
    if digest == UNPINNED:
        return None
    return check_digest(f"sha256:{folder.name}" if digest is None else digest)


def read_listing(folder: Path, name: str, /, *, digest: str | None) -> bytes:
    """Return the bytes of a folder's listing (`manifest.json` or `bundle.json`), checked against the digest."""
    data = _read(folder / name, name, size=None, limit=MAX_MANIFEST)
    if digest is not None and canonical.digest_of(data) != digest:
        raise IntegrityError(
            f"{name} in {str(folder)!r} has the digest {canonical.digest_of(data)}, expected {digest}.",
            remedy=_FETCH,
            file=name,
        )
    return data


def check_manifest(value: object, /) -> dict[str, Any]:
    """Return the manifest if its fields are of the documented form (docs/reference/package.md).

    Raises:
        ManifestError: a field is missing, unknown or of another type; the message names it.
    """
    manifest = check_fields(value, _KEYS, what=MANIFEST)
    if manifest["format_version"] != FORMAT_VERSION:
        raise ManifestError(
            f"The package has the format version {manifest['format_version']}, this reader knows {FORMAT_VERSION}.",
            remedy="Use the release of mlopskit that wrote it, or a later one.",
            field="format_version",
        )
    check_name(manifest["name"])
    check_listed(manifest["files"], what=MANIFEST)
    for model in manifest["models"]:
        check_fields(model, _MODEL_KEYS, what=f"models in {MANIFEST}")
        check_name(model["format"], kind="format")
        _check_known([*model["files"]], manifest["files"])
    for field in ("evaluation", "golden"):
        value = manifest[field]
        if value is not None:
            _check_known([value["file"] if isinstance(value, dict) else value], manifest["files"])
    return manifest


def check_fields(value: object, fields: Mapping[str, Any], /, *, what: str) -> dict[str, Any]:
    """Return the table if it has exactly these fields with values of these types.

    Raises:
        ManifestError: a field is missing, unknown or of another type; the message names it.
    """
    if not isinstance(value, dict):
        raise ManifestError(f"{what} is not a table.", remedy=_FETCH, field=None)
    for field in [*fields.keys() - value.keys(), *value.keys() - fields.keys()]:
        state = "is unknown" if field in value else "is missing"
        raise ManifestError(f"The field {field!r} of {what} {state}.", remedy=_FETCH, field=field)
    for field, kind in fields.items():
        # bool is a subclass of int, and never meant where a number is.
        if not isinstance(value[field], kind) or (isinstance(value[field], bool) and kind is not bool):
            raise ManifestError(
                f"The field {field!r} of {what} has the type {type(value[field]).__name__}.",
                remedy=_FETCH,
                field=field,
            )
    return value


def check_listed(files: Mapping[str, Any], /, *, what: str) -> None:
    """Check a table of path → sha256 and size."""
    if len(files) > MAX_FILES:
        raise LimitError(f"{what} lists {len(files):,} files, at most {MAX_FILES:,} are read.", remedy=_FETCH)
    check_paths(files)
    total = 0
    for path, entry in files.items():
        checked = check_fields(entry, {"sha256": str, "size": int}, what=f"files.{path} in {what}")
        try:
            check_digest(f"sha256:{checked['sha256']}")
        except Exception as error:
            raise ManifestError(f"files.{path}.sha256 in {what} is no sha256.", remedy=_FETCH, field="sha256") from error
        if checked["size"] < 0:
            raise ManifestError(f"files.{path}.size in {what} is negative.", remedy=_FETCH, field="size")
        total += checked["size"]
    if total > MAX_TOTAL:
        raise LimitError(f"{what} lists {total:,} bytes, at most {MAX_TOTAL:,} are read.", remedy=_FETCH)


def _check_known(paths: list[Any], files: Mapping[str, Any]) -> None:
    for path in paths:
        if not isinstance(path, str) or path not in files:
            raise ManifestError(
                f"{MANIFEST} refers to the file {path!r}, which it does not list.", remedy=_FETCH, field="files"
            )


def read_files(
    folder: Path, listed: Mapping[str, Any], /, *, listing: str, keep: Callable[[str], bool]
) -> dict[str, bytes]:
    """Check that a folder holds its listing and exactly the listed files; return the bytes of those to keep.

    Each file is read once: the bytes handed out are the bytes that were hashed.
    """
    found = set(walk(folder))
    for path in sorted((listed.keys() | {listing}) - found):
        raise IntegrityError(f"The file {path!r} is missing in {str(folder)!r}.", remedy=_FETCH, file=path)
    for path in sorted(found - listed.keys() - {listing}):
        raise IntegrityError(
            f"The file {path!r} in {str(folder)!r} is not listed.",
            remedy=f"Remove it, or {_FETCH[0].lower()}{_FETCH[1:]}",
            file=path,
        )
    kept = {}
    for path, entry in listed.items():
        kept[path] = _checked(folder / path, path, entry, keep=keep(path))
    return {path: data for path, data in kept.items() if data is not None}


def walk(folder: Path, /, *, below: str = "") -> Iterator[str]:
    """Yield the relative paths of all files below a folder, refusing what is neither a plain file nor a used folder.

    Raises:
        UnsafePathError: a link, a device, a pipe, a socket.
        IntegrityError: an empty folder, or nothing that can be read.
    """
    try:
        entries = sorted(os.scandir(folder / below), key=lambda entry: entry.name)
    except OSError as error:
        raise IntegrityError(f"{str(folder / below)!r} cannot be read: {error.strerror}.", remedy=_FETCH) from error
    if below and not entries:
        raise IntegrityError(f"The folder {below!r} in {str(folder)!r} is not listed.", remedy=_FETCH, file=below)
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from walk(folder, below=path)
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            raise _not_plain(path, folder)


def _not_plain(path: str, folder: Path) -> UnsafePathError:
    return UnsafePathError(
        f"{path!r} in {str(folder)!r} is not a plain file (a link, a device or a pipe).",
        remedy="Replace it by the file itself; a package holds plain files only.",
        path=path,
    )


def _checked(file: Path, path: str, entry: Mapping[str, Any], *, keep: bool) -> bytes | None:
    size, want = entry["size"], entry["sha256"]
    digest, data = hashlib.sha256(), bytearray()
    for chunk in _chunks(file, path, size=size):
        digest.update(chunk)
        if keep:
            data += chunk
    if digest.hexdigest() != want:
        raise IntegrityError(f"The file {path!r} was changed: its sha256 is not the listed one.", remedy=_FETCH, file=path)
    return bytes(data) if keep else None


def _read(file: Path, path: str, *, size: int | None, limit: int) -> bytes:
    data = b"".join(_chunks(file, path, size=size, limit=limit))
    if len(data) > limit:
        raise LimitError(f"{path} has more than {limit:,} bytes.", remedy=_FETCH, file=path)
    return data


def _chunks(file: Path, path: str, *, size: int | None, limit: int = MAX_TOTAL) -> Iterator[bytes]:
    # O_NOFOLLOW: no link put there since the walk; O_NONBLOCK: a pipe put there does not hang us.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        number = os.open(file, flags)
    except OSError as error:
        raise IntegrityError(f"The file {path!r} cannot be read: {error.strerror}.", remedy=_FETCH, file=path) from error
    with os.fdopen(number, "rb", buffering=0) as opened:
        info = os.fstat(number)
        if not stat.S_ISREG(info.st_mode):
            raise _not_plain(path, file.parent)
        if size is not None and info.st_size != size:
            raise IntegrityError(
                f"The file {path!r} has {info.st_size:,} bytes, {size:,} are listed.", remedy=_FETCH, file=path
            )
        left = (limit if size is None else size) + 1
        while left > 0 and (chunk := _read_once(opened, min(_CHUNK, left), path)):
            left -= len(chunk)
            yield chunk


def _read_once(opened: Any, most: int, path: str) -> bytes:
    try:
        chunk: bytes = opened.read(most)
    except OSError as error:
        raise IntegrityError(f"The file {path!r} cannot be read: {error.strerror}.", remedy=_FETCH, file=path) from error
    return chunk
