"""`mlopskit.lock`: which wheels were chosen, by sha256. It is committed with the project, and names no index."""

from __future__ import annotations

import contextlib
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit.disk import DISK, storage_error
from mlopskit.errors import ManifestError, StorageError
from mlopskit.runtime import canonical
from mlopskit.runtime.names import shown
from mlopskit.runtime.package import check_fields

LOCK = "mlopskit.lock"
VERSION = 1
_LIMIT = 16 << 20
_KEYS = {"files": dict, "platform": str, "python": str, "requirements": list}
_WHEEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]{0,250}\.whl", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_REMEDY = "Take it from version control, or remove it and fetch again: other wheels may then be chosen."


@dataclass(frozen=True)
class File:
    """A wheel's sha256 (64 hex digits) and size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Entry:
    """The wheels that were chosen for some requirements, by file name."""

    files: Mapping[str, File]


#: What an entry is found by: platform, Python, and the requirements in their order.
Key = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Lock:
    """All entries of a lock."""

    entries: Mapping[Key, Entry]

    @classmethod
    def read(cls, file: Path, /) -> Lock:
        """Return the lock in a file; an absent one has no entries.

        Raises:
            ManifestError: it is of no allowed form.
        """
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            return cls({})
        except OSError as error:
            raise StorageError(f"{str(file)!r} cannot be read: {error.strerror}.", remedy=_REMEDY) from error
        try:
            return cls(_entries(canonical.parse(data, what=file.name, limit=_LIMIT), file.name))
        except ManifestError as error:
            raise ManifestError(f"{str(file)!r}: {error.message}", remedy=_REMEDY, **error.culprits) from error

    def text(self) -> str:
        """Return it as it is written: a line for each fact, in a fixed order."""
        wheels = [
            {
                "files": {name: vars(one) for name, one in entry.files.items()},
                "platform": platform,
                "python": python,
                "requirements": list(requirements),
            }
            for (platform, python, requirements), entry in sorted(self.entries.items(), key=lambda one: one[0])
        ]
        return json.dumps({"lock_version": VERSION, "wheels": wheels}, indent=1, sort_keys=True) + "\n"


def add(file: Path, entries: Mapping[Key, Entry], /) -> bool:
    """Add entries to the lock in a file, or replace them; say whether that changed it.

    Raises:
        StorageError: it cannot be written; what was there still is.
    """
    with _alone(file.absolute().parent):
        before = Lock.read(file)
        after = Lock({**before.entries, **entries})
        if after == before:
            return False
        _write(file.absolute(), after.text().encode())
        return True


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder, so that of two who fetch at once none writes between the other's reading and writing."""
    try:
        import fcntl
    except ImportError:  # Windows: there the slower of the two may have to fetch once more
        yield
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)


def _write(file: Path, data: bytes) -> None:
    beside = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        DISK.write(beside, data)
        DISK.replace(beside, file)
        DISK.sync(file.parent)
    except OSError as error:
        raise storage_error(error, root=file.parent) from error
    finally:
        beside.unlink(missing_ok=True)


def _entries(table: Any, what: str) -> dict[Key, Entry]:
    version = table.get("lock_version") if isinstance(table, dict) else None
    if isinstance(version, int) and version != VERSION:
        raise ManifestError(f"It has the lock_version {version}, this release knows {VERSION}.", remedy=_REMEDY)
    wheels = check_fields(table, {"lock_version": int, "wheels": list}, what=what)["wheels"]
    return dict(_entry(one, f"wheels[{number}] of {what}") for number, one in enumerate(wheels))


def _entry(table: Any, what: str) -> tuple[Key, Entry]:
    checked = check_fields(table, _KEYS, what=what)
    if not all(isinstance(one, str) for one in checked["requirements"]):
        raise ManifestError(f"The field 'requirements' of {what} holds what is no text.", remedy=_REMEDY)
    files = {name: _file(name, one, what) for name, one in checked["files"].items()}
    return (checked["platform"], checked["python"], tuple(sorted({*checked["requirements"]}))), Entry(files)


def _file(name: str, table: Any, what: str) -> File:
    checked = check_fields(table, {"sha256": str, "size": int}, what=f"{shown(name)} in {what}")
    if not _WHEEL.fullmatch(name) or not _SHA256.fullmatch(checked["sha256"]) or checked["size"] < 0:
        raise ManifestError(f"{shown(name)} in {what} is no wheel with a sha256 and a size.", remedy=_REMEDY)
    return File(**checked)
