"""Find the files that a URI names, and their digests: how a run sees that its data did not change.

Standard library alone, so that a run in which nothing changed imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from mlopskit.errors import DataError

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather")
CACHE = "stat-cache.json"
DOWNLOADS = ".mlopskit/cache/downloads"
_CHUNK = 1 << 20
# A file written twice within one tick of its file system's clock looks unchanged: recent files are not remembered.
_SETTLED = 2_000_000_000


def fingerprint(uri: str, root: Path, /, *, cache: Path | None = None, none_yet: bool = False) -> dict[str, str]:
    """Return the digest of each file that a URI names, by its path relative to `root`, sorted.

    `cache` is a folder where digests are remembered by path, size, times and inode, so that files which did not
    change are not read again. What cannot be remembered, or read back, is computed again. With `none_yet`, there may be
    no such file.

    Raises:
        DataError: there is no such file, or one cannot be read.
    """
    known = _remembered(cache)
    found = find_files(uri, root, none_yet=none_yet)
    entries = {path: _entry(file, path, known.get(path)) for path, file in found.items()}
    settled = {path: entry for path, entry in entries.items() if entry[0] is not None}
    if cache is not None and any(known.get(path) != entry for path, entry in settled.items()):
        remember(cache / CACHE, {**known, **settled})
    return {path: entry[1] for path, entry in entries.items()}


def find_files(uri: str, root: Path, /, *, none_yet: bool = False) -> dict[str, Path]:
    """Return the files that a path, a glob or a folder names, by their paths relative to `root`, sorted by these.

    Of a folder these are the files directly in it with one of `SUFFIXES`; hidden files are never taken. The file of an
    https:// address is downloaded (see `mlopskit.download`), and named by the address without its query; those of a
    bucket are copied (see `mlopskit.bucketdata`), and named by their URIs. With `none_yet`, there may be no file.

    Raises:
        DataError: there is none, or an address serves no data.
        UnknownNameError: no plugin has the scheme of such a URI.
        StorageError: a bucket cannot be read.
    """
    if uri.startswith(("https://", "http://")):
        from mlopskit.download import fetch, shown

        return {shown(uri): fetch(uri, root / DOWNLOADS)}
    if "://" in uri:
        from mlopskit.bucketdata import find_objects

        found = find_objects(uri, root / DOWNLOADS, suffixes=SUFFIXES)
        if not found and not none_yet:
            raise DataError(f"There is no file {uri!r}.", remedy="Put the data there, or correct its address.", uri=uri)
        return found
    try:
        found = {Path(os.path.relpath(file, root)).as_posix(): file for file in _candidates(root / uri, uri, root)}
    except (OSError, ValueError) as error:
        raise _unreadable(uri, error) from error
    if not found and not none_yet:
        raise _nothing(uri, root)
    return dict(sorted(found.items()))


def code_files(root: Path, /) -> list[str]:
    """Return the paths relative to `root` of the modules that this process imported from there, sorted.

    These are the modules whose dotted name is their path: not what is installed below `root`, nor the main script.
    """
    origins = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    base = root.absolute()
    return sorted(
        {path.relative_to(base).as_posix() for name, file in origins.items() if (path := _own(name, file, base))}
    )


def _own(name: str, file: str | None, base: Path) -> Path | None:
    stem = base.joinpath(*name.split("."))
    own = (stem.with_name(f"{stem.name}.py"), stem / "__init__.py")
    return next((path for path in own if str(path) == file), None)


def _candidates(path: Path, uri: str, root: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and _usable(file)]
    if path.is_file():
        return [path]
    # Not Path.glob: it takes no absolute patterns.
    matches = glob.glob(uri, root_dir=root, recursive=True)  # noqa: PTH207
    return [file for match in matches if _usable(file := root / match)]


def _usable(file: Path) -> bool:
    return file.is_file() and not file.name.startswith(".")


def _nothing(uri: str, root: Path) -> DataError:
    path = root / uri
    what = f"The folder {uri!r} has no {', '.join(SUFFIXES)} file" if path.is_dir() else f"There is no file {uri!r}"
    return DataError(
        f"{what} (looked in {str(root.absolute())!r}).",
        remedy="Put the data there, or correct the path in the configuration.",
        uri=uri,
    )


def read_bytes(file: Path, path: str) -> bytes:
    """Return a data file's bytes.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError | ValueError) -> DataError:
    return DataError(
        f"{path!r} cannot be read: {getattr(error, 'strerror', None) or error}.",
        remedy="Give yourself the right to read it, or leave it out of the data.",
        file=path,
    )


# An entry is [state of the file or None if it must not be remembered, digest].
def _entry(file: Path, path: str, known: list[Any] | None) -> list[Any]:
    try:
        state = _state(file)
        if known is not None and known[0] == state:
            return known
        begun = time.time_ns()
        digest = _digest(file)
        _, modified, _, changed = state
        settled = max(modified, changed) < begun - _SETTLED
    except OSError as error:
        raise _unreadable(path, error) from error
    return [state if settled else None, digest]


def _state(file: Path) -> list[int]:
    info = file.stat()
    return [info.st_size, info.st_mtime_ns, info.st_ino, info.st_ctime_ns]


def _digest(file: Path) -> str:
    sha256 = hashlib.sha256()
    with file.open("rb", buffering=0) as opened:
        while chunk := opened.read(_CHUNK):
            sha256.update(chunk)
    return f"sha256:{sha256.hexdigest()}"


def _remembered(cache: Path | None) -> dict[str, list[Any]]:
    if cache is None:
        return {}
    try:
        entries = json.loads((cache / CACHE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {path: entry for path, entry in entries.items() if _well_formed(entry)} if isinstance(entries, dict) else {}


def _well_formed(entry: object) -> bool:
    return isinstance(entry, list) and [type(part) for part in entry] == [list, str]


def remember(file: Path, value: object, /) -> None:
    """Write what can be computed again into a cache's file, as JSON, whole or not at all."""
    # Only a convenience: on a read-only or full disk the next run computes it again.
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
        beside.write_text(json.dumps(value), encoding="utf-8")
        beside.replace(file)
