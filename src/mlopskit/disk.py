"""The one module that writes to disk. Every step goes through a `Disk`, so that tests can fail or kill at each.

The order that makes a folder appear whole or not at all, also across a power loss: write each file beside, fsync
it, fsync its folder, rename the folder, fsync the folders above.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlopskit.errors import StorageError

ASIDE = ".mlopskit-tmp"
DAY = 24 * 60 * 60
_CHUNK = 1 << 20
# What a file system answers that has no fsync for folders.
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def private_folder(folder: Path, /) -> None:
    """Make a folder, and those above it that are missing, for this user alone, whatever the umask is."""
    for one in (*reversed(folder.parents), folder):
        one.mkdir(mode=0o700, exist_ok=True)


class Disk:
    """The steps that change a disk. Each raises OSError as the system does."""

    def mkdir(self, folder: Path, /) -> None:
        """Make a folder and those above it; an existing one is left as it is."""
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, file: Path, source: Path | bytes, /) -> None:
        """Write a new file and fsync it: an error of either is never taken for success."""
        with file.open("xb", buffering=0) as out:
            if isinstance(source, bytes):
                _write_all(out.fileno(), source)
            else:
                with source.open("rb", buffering=0) as read:
                    while chunk := read.read(_CHUNK):
                        _write_all(out.fileno(), chunk)
            os.fsync(out.fileno())

    def sync(self, folder: Path, /) -> None:
        """Fsync a folder: its names are then as durable as its files."""
        if os.name == "nt":  # Windows has no handle to a folder that could be synced.
            return
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
        finally:
            os.close(number)

    def rename(self, before: Path, after: Path, /) -> None:
        """Rename a folder; fails if a non-empty one is there already."""
        before.rename(after)

    def replace(self, before: Path, after: Path, /) -> None:
        """Rename a file over another."""
        before.replace(after)

    def remove(self, path: Path, /) -> None:
        """Remove a file, or a folder and what is in it, as far as nobody else is removing it too."""
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


DISK = Disk()


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:  # A write may be short, on a nearly full disk for instance.
        view = view[os.write(number, view) :]


def aside(root: Path) -> Path:
    """Return a new path on the disk of `root` where something can be made before it is renamed into place."""
    return root / ASIDE / uuid.uuid4().hex


def commit_folder(disk: Disk, root: Path, target: Path, files: Mapping[str, Path | bytes]) -> bool:
    """Make the folder `target` below `root` with these files, whole or not at all, and sweep up after the dead.

    Returns:
        False if a non-empty folder was there already; it is left as it is.

    Raises:
        StorageError: nothing was changed; or all is in place, and only its durability is unsure. The error says which.
    """
    temporary = aside(root)
    try:
        with _changing(root, needed=_size(files)):
            made = not _there(target) and _make(disk, root, target, files, temporary)
    except BaseException:
        _discard(disk, temporary)
        raise
    # Also for what another has made: it may not have come so far yet, and what is built on it must not outlive it.
    with _changing(root, state="It is in place, but may be lost if the power fails."):
        for folder in _from(root, target.parent):
            disk.sync(folder)
    if made:
        sweep(disk, root)
    return made


def _size(files: Mapping[str, Path | bytes]) -> int:
    try:
        return sum(len(source) if isinstance(source, bytes) else source.stat().st_size for source in files.values())
    except OSError as error:
        raise StorageError(
            f"{str(error.filename)!r} cannot be read: {error.strerror}.",
            remedy="Put it back, or get the right to read it; then run the same command again.",
            place=str(error.filename),
            errno=error.errno,
        ) from error


def _there(target: Path) -> bool:
    return target.is_dir() and any(target.iterdir())


def _make(disk: Disk, root: Path, target: Path, files: Mapping[str, Path | bytes], temporary: Path) -> bool:
    _make_root(disk, root)
    # All folders first, so that none is made again for the rest of the files if this one is swept up meanwhile.
    folders = {folder for path in files for folder in _from(temporary, (temporary / path).parent)}
    for folder in sorted(folders):
        disk.mkdir(folder)
    for path, source in files.items():
        disk.write(temporary / path, source)
    for folder in sorted(folders, reverse=True):
        disk.sync(folder)
    disk.mkdir(target.parent)
    try:
        disk.rename(temporary, target)
    except OSError:
        if not _there(target):
            raise
        _discard(disk, temporary)
        return False
    return True


def _make_root(disk: Disk, root: Path) -> None:
    new = [folder for folder in (root, *root.parents) if not folder.exists()]
    disk.mkdir(root)
    for folder in new:
        disk.sync(folder.parent)


def _from(top: Path, folder: Path) -> list[Path]:
    """Return a folder and those above it up to `top`."""
    return [one for one in (folder, *folder.parents) if one.is_relative_to(top)]


def replace_file(disk: Disk, root: Path, target: Path, data: bytes) -> None:
    """Make `target` hold these bytes: readers see the old or the new ones whole, after a power loss either.

    Raises:
        StorageError: nothing was changed.
    """
    temporary = aside(root)
    try:
        with _changing(root, needed=len(data)):
            disk.mkdir(temporary.parent)
            disk.mkdir(target.parent)
            disk.write(temporary, data)
            disk.replace(temporary, target)
    except BaseException:
        _discard(disk, temporary)
        raise


def remove_folder(disk: Disk, root: Path, target: Path) -> None:
    """Remove a folder, first out of sight in one step, then from the disk; an absent one is no error.

    Raises:
        StorageError: nothing was changed; or it is out of sight, and not removed for good. The error says which.
    """
    temporary = aside(root)
    if not os.path.lexists(target):
        return
    with _changing(root):
        disk.mkdir(temporary.parent)
        try:
            disk.rename(target, temporary)
        except FileNotFoundError:
            return
    with _changing(root, state=f"It is gone from its place, but not yet removed from {ASIDE!r}."):
        disk.sync(target.parent)
        disk.remove(temporary)


def sweep(disk: Disk, root: Path) -> None:
    """Remove what dead processes left aside more than a day ago, as far as that is possible."""
    with contextlib.suppress(OSError):
        # The folder's own time, just set by a rename out of it, is of the clock that set the others: the share's.
        now = (root / ASIDE).stat().st_mtime
        for leftover in (root / ASIDE).iterdir():
            with contextlib.suppress(OSError):
                _sweep(disk, root, leftover, before=now - DAY)


def _sweep(disk: Disk, root: Path, leftover: Path, *, before: float) -> None:
    if max(one.lstat().st_mtime for one in (leftover, *leftover.rglob("*"))) < before:
        # Away in one step: were its owner only asleep, it could not go on and publish what is left.
        doomed = aside(root)
        disk.rename(leftover, doomed)
        disk.remove(doomed)


def _discard(disk: Disk, temporary: Path) -> None:
    """Remove what was made aside, as far as that is possible: what stays is out of every reader's sight."""
    with contextlib.suppress(OSError):
        disk.remove(temporary)


@contextlib.contextmanager
def _changing(root: Path, *, needed: int | None = None, state: str = "Nothing was changed.") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(error, root=root, needed=needed, state=state) from error


def storage_error(
    error: OSError, *, root: Path, needed: int | None = None, state: str = "Nothing was changed."
) -> StorageError:
    """Return the StorageError that says what happened to this place, in what state it is, and what to do."""
    where = f"{str(root)!r}: {(error.strerror or str(error)).lower()}"
    if needed is not None:
        where += f" ({needed:,} bytes needed{_free(root)})"
    return StorageError(
        f"Writing to {where}. {state}",
        remedy="Free space, mount the place, or get the right to write there; then run the same command again.",
        place=str(root),
        errno=error.errno,
    )


def _free(root: Path) -> str:
    for folder in (root, *root.parents):
        with contextlib.suppress(OSError):
            return f", {shutil.disk_usage(folder).free:,} free"
    return ""
