"""Data in a bucket: the files that a URI names there, each version of them copied to this machine once.

What the place says of a file, its size and tag, tells whether it changed: a run in which nothing did asks for no more.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from mlopskit.errors import DataError
from mlopskit.storage import Stat, Storage, storage_at

_CHUNK = 1 << 20
_KEPT = 2  # versions of a file: another process may still read the one before


def find_objects(uri: str, folder: Path, /, *, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return the files that a URI names in a bucket, by their own URIs, as copies below a folder.

    `scheme://bucket/folder/*.csv` is a glob (`**` stands for any folders), `scheme://bucket/folder/a.csv` a file,
    `scheme://bucket/folder` the files directly in it with one of the suffixes. Names beginning with a dot are left out.

    Raises:
        DataError: a file changed while it was copied, or the copy cannot be written.
        StorageError: the place cannot be read.
        UnknownNameError: no plugin has this scheme.
    """
    place, pattern = _split(uri, suffixes)
    storage = storage_at(place)
    keys = [key for key, _ in storage.list("") if _is_meant(key, pattern, suffixes)]
    base = storage.uri.rstrip("/")
    return {f"{base}/{key}": _copied(storage, key, folder / _short(f"{base}/{key}")) for key in sorted(keys)}


def _is_meant(key: str, pattern: Sequence[str], suffixes: Sequence[str]) -> bool:
    parts = key.split("/")
    return _matches(parts, pattern or ["*"]) and (bool(pattern) or key.lower().endswith(tuple(suffixes)))


def _split(uri: str, suffixes: Sequence[str]) -> tuple[str, list[str]]:
    """Return the place to look in, and what to look for there, by segments; nothing for all that is directly in it."""
    if "?" in uri:
        raise DataError(
            f"The address {uri.partition('?')[0]!r} goes on with a '?'.",
            remedy="Leave that out: credentials stand in the environment, and patterns are of '*', '**' and '[…]'.",
        )
    scheme, _, path = uri.partition("://")
    segments = path.strip("/").split("/")
    at = next((at for at, one in enumerate(segments) if set(one) & set("*[")), len(segments))
    if at == len(segments) and segments[-1].lower().endswith(tuple(suffixes)):
        at -= 1
    return f"{scheme}://{'/'.join(segments[:at])}", segments[at:]


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**" and _matches(parts, pattern[1:]):
        return True
    if parts[0].startswith("."):
        return False
    if pattern[0] == "**":
        return _matches(parts[1:], pattern)
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _copied(storage: Storage, key: str, place: Path) -> Path:
    local = storage.local(key)
    if local is not None:
        return local
    stat = storage.stat(key)
    if stat is None:
        raise _changed(storage, key)
    file = place / _short(f"{stat.etag} {stat.size}") / key.rpartition("/")[2]
    if not file.exists():
        try:
            _copy(storage, key, stat, file)
        except OSError as error:
            raise DataError(
                f"{key!r} in {storage.uri!r} cannot be copied to {str(place)!r}: {error.strerror or error}.",
                remedy="Make room there, or get the right to write there.",
                file=key,
            ) from error
    return file


def _copy(storage: Storage, key: str, stat: Stat, file: Path) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".{uuid.uuid4().hex}")
    try:
        with storage.open(key) as source, part.open("xb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
            target.flush()
            os.fsync(target.fileno())
        # What was copied is what was asked about only if that still stands there.
        if part.stat().st_size != stat.size or storage.stat(key) != stat:
            raise _changed(storage, key)
        part.replace(file)
    except FileNotFoundError as error:
        raise _changed(storage, key) from error
    finally:
        part.unlink(missing_ok=True)
    _tidy(file.parent.parent)


def _tidy(place: Path) -> None:
    with contextlib.suppress(OSError):  # only room is lost
        for old in sorted(place.iterdir(), key=lambda one: one.stat().st_mtime_ns)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)


def _changed(storage: Storage, key: str) -> DataError:
    return DataError(
        f"{key!r} in {storage.uri!r} changed while it was read.", remedy="Run the command again.", file=key
    )


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
