"""Open a package: find exactly the listed files, check every byte, hand out the bytes that were checked."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from . import canonical
from .errors import IntegrityError, LimitError, UnsafeNameError, UnsafePathError
from .manifest import (
    FETCH,
    FORMAT_VERSION,
    MANIFEST,
    MAX_FILES,
    MAX_MANIFEST,
    MAX_TOTAL,
    check_fields,
    check_listed,
    check_manifest,
)
from .names import MAX_PATH, check_digest, shown

if TYPE_CHECKING:
    from pathlib import Path  # a process that gives one answer has not the time and memory for it

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "MAX_FILES",
    "MAX_MANIFEST",
    "MAX_TOTAL",
    "UNPINNED",
    "Package",
    "check_fields",
    "check_listed",
    "check_manifest",
    "files_of_others",
    "open_package",
    "open_plain",
    "read_files",
    "read_listing",
    "walk",
]

UNPINNED = "unpinned"
_CHUNK = 1 << 20


class Package(NamedTuple):
    """A package whose every byte was checked: its digest, its manifest, and the bytes that were kept.

    A listed file whose bytes were not kept is read, and checked, again when it is asked for. `format` is the form that
    it was opened for, if one was named: those of the others may be absent.
    """

    digest: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    format: str | None = None


def open_package(
    folder: str | Path,
    /,
    *,
    digest: str | None = None,
    format: str | None = None,
    keep: Callable[[str], bool] = lambda _: True,
    overlook: Callable[[str], bool] = lambda _: False,
) -> Package:
    """Return the checked package in a folder.

    `digest` is the expected one; without it the folder's name must be the digest's 64 hex digits. The word
    `"unpinned"` opens whatever package stands there. With `format` it may be a lean copy: files that only other forms
    of the model use may be absent. `keep` says of which files the bytes are kept in memory, `overlook` which may be
    there though they are not listed: nothing reads them.

    Raises:
        IntegrityError: a file is missing, extra or changed, or the digest is another.
        ManifestError, LimitError, UnsafePathError: the manifest or the folder is not of the allowed form.
        UnsafeNameError: there is no digest to check against, or it is none.
    """
    here = os.fspath(folder) or os.curdir
    data = read_listing(here, MANIFEST, digest=_expected(here, digest))
    manifest = check_manifest(canonical.loads(data, what=MANIFEST, limit=MAX_MANIFEST))
    lean = files_of_others(manifest, format)
    files = _Files(here, manifest["files"])
    listed = manifest["files"]
    checked = read_files(here, listed, listing=MANIFEST, keep=keep, lean=lean, overlook=overlook)
    files.update({MANIFEST: data, **checked})
    return Package(digest=canonical.digest_of(data), manifest=manifest, files=files, format=format)


def files_of_others(manifest: Mapping[str, Any], format: str | None, /) -> frozenset[str]:
    """Return the files that only other forms of a package's model use: a lean copy for `format` lacks them.

    Nothing may be absent where no form is named, or one that the package does not hold.
    """
    used = {model["format"]: model["files"] for model in manifest["models"]}
    if format not in used:
        return frozenset()
    needed = {*used.pop(format), manifest["evaluation"], (manifest["golden"] or {}).get("file")}
    return frozenset(path for files in used.values() for path in files) - needed


class _Files(dict[str, bytes]):
    """The bytes that were kept."""

    def __init__(self, folder: str, listed: Mapping[str, Any]) -> None:
        super().__init__()
        self._folder, self._listed = folder, listed

    def __missing__(self, path: str) -> bytes:
        return _checked(_at(self._folder, path), path, self._listed[path], keep=True) or b""


def _at(folder: str | Path, path: str) -> str:
    return os.path.join(folder, path) if path else os.fspath(folder)  # noqa: PTH118  # pathlib: see above


def _expected(folder: str, digest: str | None) -> str | None:
    if digest is not None:
        return None if digest == UNPINNED else check_digest(digest)
    name = os.path.basename(os.path.abspath(folder))  # noqa: PTH100, PTH119  # as above
    try:
        return check_digest(f"sha256:{name}")
    except UnsafeNameError as error:
        raise UnsafeNameError(
            f"The folder {str(folder)!r} is not named by a digest, and no digest was given.",
            remedy=f"Give the digest that the package must have, or {UNPINNED!r} to open whatever stands there.",
            value=name,
        ) from error


def read_listing(folder: str | Path, name: str, /, *, digest: str | None) -> bytes:
    """Return the bytes of a folder's listing (`manifest.json` or `bundle.json`), checked against the digest."""
    data = b"".join(_chunks(_at(folder, name), name, size=None, chunk=_CHUNK))
    if digest is not None and canonical.digest_of(data) != digest:
        raise IntegrityError(
            f"{name} in {str(folder)!r} has the digest {canonical.digest_of(data)}, expected {digest}.",
            remedy=FETCH,
            file=name,
        )
    return data


def read_files(
    folder: str | Path,
    listed: Mapping[str, Any],
    /,
    *,
    listing: str,
    keep: Callable[[str], bool],
    lean: frozenset[str] = frozenset(),
    overlook: Callable[[str], bool] = lambda _: False,
) -> dict[str, bytes]:
    """Check that a folder holds its listing and exactly the listed files; return the bytes of those to keep.

    Each file is read once: the bytes handed out are the bytes that were hashed. Those of `lean` may be absent, and what
    is to be overlooked may be there.
    """
    missing = {listing, *listed}
    try:
        for path in walk(folder):
            if path in missing:
                missing.remove(path)
            elif not overlook(path):
                raise _unlisted(path, folder)
    except IntegrityError:
        # A folder may be empty because its file is gone: that is what must be said.
        missing = {path for path in missing if not os.path.lexists(_at(folder, path))}
        if missing <= lean:
            raise
    if lacking := missing - lean:
        path = min(lacking)
        raise IntegrityError(f"The file {path!r} is missing in {str(folder)!r}.", remedy=FETCH, file=path)
    there = (path for path in listed if path not in missing)
    checked = ((path, _checked(_at(folder, path), path, listed[path], keep=keep(path))) for path in there)
    return {path: data for path, data in checked if data is not None}


def walk(folder: str | Path, /, *, below: str = "") -> Iterator[str]:
    """Yield the relative paths of all files below a folder, refusing what is neither a plain file nor a used folder.

    Raises:
        UnsafePathError: a link, a device, a pipe, a socket.
        IntegrityError: an empty folder, too deep a folder, or nothing that can be read.
        LimitError: a folder of more entries than a package may have files.
    """
    entries = _entries(_at(folder, below))
    if len(entries) > MAX_FILES:
        where = _at(folder, below)
        raise LimitError(f"The folder {where!r} has more than {MAX_FILES:,} entries.", remedy=FETCH)
    if len(below) > MAX_PATH or (below and not entries):
        raise _unlisted(below, folder)
    for name, is_folder, is_file in entries:
        path = f"{below}/{name}" if below else name
        if is_folder:
            yield from walk(folder, below=path)
        elif is_file:
            yield path
        else:
            raise _not_plain(path, folder)


def _entries(folder: str) -> list[tuple[str, bool, bool]]:
    """Return name, is it a folder, is it a plain file, for what is in a folder: sorted, and not endlessly many."""
    try:
        with os.scandir(folder) as found:
            return sorted(
                (entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
                for entry in itertools.islice(found, MAX_FILES + 1)
            )
    except OSError as error:
        raise IntegrityError(f"{str(folder)!r} cannot be read: {error.strerror}.", remedy=FETCH) from error


def _unlisted(path: str, folder: str | Path) -> IntegrityError:
    return IntegrityError(
        f"{shown(path)} in {str(folder)!r} is not listed.",
        remedy=f"Remove it, or {FETCH[0].lower()}{FETCH[1:]}",
        file=path,
    )


def _not_plain(path: str, folder: str | Path) -> UnsafePathError:
    return UnsafePathError(
        f"{shown(path)} in {str(folder)!r} is no plain file but a link, a device, a pipe or the like.",
        remedy="Replace it by the file itself; a package holds plain files only.",
        path=path,
    )


def _checked(file: str, path: str, entry: Mapping[str, Any], *, keep: bool) -> bytes | None:
    size = entry["size"]
    digest, kept = hashlib.sha256(), []
    # What is kept is read in one piece, so that it stands in memory once.
    for chunk in _chunks(file, path, size=size, chunk=size + 1 if keep else _CHUNK):
        digest.update(chunk)
        if keep:
            kept.append(chunk)
    if digest.hexdigest() != entry["sha256"]:
        raise IntegrityError(
            f"The file {path!r} was changed: its sha256 is not the listed one.", remedy=FETCH, file=path
        )
    return b"".join(kept) if keep else None


@contextlib.contextmanager
def open_plain(file: str | Path, path: str, /) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file, no link or pipe, and give it with its size; `path` is what an error calls it.

    Raises:
        UnsafePathError: it is no plain file.
        OSError: it cannot be opened.
    """
    # O_NOFOLLOW: no link put there since the walk; O_NONBLOCK: a pipe put there does not hang us.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(file, flags), "rb", buffering=0) as opened:  # noqa: PTH123  # a Path cannot be opened with flags
        info = os.fstat(opened.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise _not_plain(path, os.path.dirname(file))  # noqa: PTH120  # as above
        yield opened, info.st_size


def _chunks(file: str, path: str, *, size: int | None, chunk: int) -> Iterator[bytes]:
    """Yield the bytes of a plain file of this size, or of a listing's limit at most; never more of them."""
    try:
        with open_plain(file, path) as (opened, found):
            _check_size(path, found, size)
            left = (MAX_MANIFEST if size is None else size) + 1
            while left > 0 and (data := opened.read(min(chunk, left))):
                left -= len(data)
                yield data
    except OSError as error:
        raise IntegrityError(f"The file {path!r} cannot be read: {error.strerror}.", remedy=FETCH, file=path) from error


def _check_size(path: str, found: int, listed: int | None) -> None:
    if listed is None and found > MAX_MANIFEST:
        raise LimitError(f"{path} has {found:,} bytes, at most {MAX_MANIFEST:,} are read.", remedy=FETCH, file=path)
    if listed is not None and found != listed:
        raise IntegrityError(f"The file {path!r} has {found:,} bytes, {listed:,} are listed.", remedy=FETCH, file=path)


def write_files(files: Mapping[str, bytes], folder: Path, /) -> None:
    """Write files into a folder that nobody else uses."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
