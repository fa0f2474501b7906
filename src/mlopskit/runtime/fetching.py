"""Fetch a folder whose files a listing names, with every byte checked, and made durable before it gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

from . import canonical
from .errors import IntegrityError, LimitError, ManifestError, PackageError
from .manifest import FETCH, MAX_MANIFEST, check_listed
from .names import hex_of

CHUNK = 1 << 20
BUNDLE = "bundle.json"

T = TypeVar("T")


class Source(Protocol):
    """A place whose files can be read one by one; `address` is what errors call it."""

    @property
    def address(self) -> str:
        """The path or address."""

    def get(self, key: str, /, *, limit: int) -> bytes | None:
        """Return at most `limit` + 1 bytes of a file, None if there is none."""

    def read(self, key: str, /, *, size: int) -> AbstractContextManager[Iterator[bytes] | None]:
        """Give the chunks of a file, at most `size` + 1 bytes; None if there is none."""


def listed_files(data: bytes, /, *, what: str = BUNDLE) -> Mapping[str, Any]:
    """Return the table of path → sha256 and size in the bytes of a folder's listing; `what` is that file's name.

    Raises:
        PackageError: it is malformed, or lists what no bundle holds.
    """
    table = canonical.loads(data, what=what, limit=MAX_MANIFEST)
    files = table.get("files") if isinstance(table, dict) else None
    if not isinstance(files, dict):
        raise ManifestError(f"{what} lists no files.", remedy=FETCH, field="files")
    check_listed(files, what=what)
    return files


def fetch_folder(
    source: Source,
    key: str,
    into: Path,
    /,
    *,
    digest: str,
    listing: str,
    files: Callable[[bytes], Mapping[str, Any]],
    limit: int,
    held: Mapping[str, Path] | None = None,
) -> None:
    """Fill a new folder with a listing of this digest and the files that it names, all on the disk when it returns.

    `files` returns the table of path → sha256 and size in the listing's bytes. `held` are files that are here already,
    by their sha256: they are copied if they are still what they were, not fetched again.

    Raises:
        PackageError: a file is missing, or not the one listed; or there are more than `limit` bytes.
        StorageError: the place cannot be read now.
    """
    data = _listing(source, f"{key}/{listing}", digest)
    table = files(data)
    size = sum(entry["size"] for entry in table.values())
    if size > limit:
        raise too_large(digest, size, limit)
    write_file(into / listing, [data])
    for path, entry in table.items():
        want = entry["size"], entry["sha256"]
        if _copied((held or {}).get(entry["sha256"]), into / path, want):
            continue
        with source.read(f"{key}/{path}", size=entry["size"]) as chunks:
            if chunks is None:
                raise IntegrityError(f"The file {path!r} is missing at {source.address}.", remedy=FETCH, file=path)
            found = write_file(into / path, chunks)
        if found != want:
            text = f"The file {path!r} at {source.address}/{key} is not the one that is listed."
            raise IntegrityError(text, remedy=FETCH, file=path)
    sync_folders(into)


def _listing(source: Source, key: str, digest: str) -> bytes:
    data = source.get(key, limit=MAX_MANIFEST)
    name = key.rpartition("/")[2]
    if data is not None and len(data) > MAX_MANIFEST:
        text = f"{name} at {source.address}/{key} has more than {MAX_MANIFEST:,} bytes."
        raise LimitError(text, remedy=FETCH, file=name)
    if data is None or canonical.digest_of(data) != digest:
        what = "is not there" if data is None else f"has the digest {canonical.digest_of(data)}, expected {digest}"
        raise IntegrityError(f"{name} at {source.address}/{key} {what}.", remedy=FETCH, file=name)
    return data


def _copied(held: Path | None, file: Path, want: tuple[int, str]) -> bool:
    if held is None:
        return False
    with contextlib.suppress(FileNotFoundError):
        with held.open("rb", buffering=0) as opened:
            found = write_file(file, iter(lambda: opened.read(CHUNK), b""))
        if found == want:
            return True
        file.unlink()  # what is held was damaged: it is fetched as if it were not here
    return False


def bounded(read: Callable[[int], bytes], most: int, /) -> Iterator[bytes]:
    """Yield the chunks that `read` gives when it is asked for so many bytes, at most `most` bytes of all."""
    left = most
    while left > 0 and (chunk := read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def write_file(file: Path, chunks: Iterable[bytes], /) -> tuple[int, str]:
    """Write a new file to the disk; return its size and sha256."""
    size, sha256 = 0, hashlib.sha256()
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as opened:
        for chunk in chunks:
            size += len(chunk)
            sha256.update(chunk)
            opened.write(chunk)
        opened.flush()
        os.fsync(opened.fileno())
    return size, sha256.hexdigest()


def replace_file(file: Path, data: bytes, /) -> None:
    """Make a file hold these bytes: whoever reads it finds the old or the new ones whole, after a power loss either."""
    beside = file.with_name(f".{file.name}")
    with beside.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    beside.replace(file)
    sync_folder(file.parent)


def sync_folders(top: Path, /) -> None:
    """Make the names in a folder, and in all folders below it, as durable as the files."""
    for folder, _, _ in os.walk(top, topdown=False):
        sync_folder(Path(folder))


def sync_folder(folder: Path, /) -> None:
    """Make the names in a folder as durable as its files, where the system can."""
    if os.name == "nt":  # Windows has no handle to a folder that could be synced
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def kept_folder(kept: Path, digest: str, /, *, check: Callable[[Path], T], fetch: Callable[[Path], None]) -> T:
    """Return what `check` makes of a folder that is kept under its digest, fetched if it is not there, or is damaged.

    `fetch` fills a folder beside, which then takes its name at once.
    """
    folder = kept / hex_of(digest)
    if folder.exists():
        with contextlib.suppress(PackageError):
            return check(folder)
    kept.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".part-", dir=kept, ignore_cleanup_errors=True) as beside:
        part = Path(beside, "new")
        fetch(part)
        if folder.exists():  # damaged, and no sooner taken away than there is another
            folder.rename(Path(beside, "old"))
        part.rename(folder)
        sync_folder(kept)
    return check(folder)


def too_large(digest: str, size: int, limit: int, /) -> LimitError:
    """Return the error for a package that a reader does not want to fetch."""
    return LimitError(
        f"The package {digest} has {size:,} bytes, at most {limit:,} are fetched.",
        remedy="Raise the limit, if it may be so large.",
        digest=digest,
    )
