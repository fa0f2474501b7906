"""The one module that writes to disk. Every step goes through a `Disk`, so that tests can fail or kill at each.

The order that makes a folder appear whole or not at all, also across a power loss: write each file beside, fsync
it, fsync its folder, rename the folder, fsync the folder above.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from mlopskit.errors import StorageError

ASIDE = ".mlopskit-tmp"
_CHUNK = 4 << 20


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
        finally:
            os.close(number)

    def rename(self, before: Path, after: Path, /) -> None:
        """Rename a folder; fails if a non-empty one is there already."""
        before.rename(after)

    def replace(self, before: Path, after: Path, /) -> None:
        """Rename a file over another."""
        before.replace(after)

    def remove_tree(self, folder: Path, /) -> None:
        """Remove a folder and what is in it."""
        shutil.rmtree(folder)


DISK = Disk()


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:  # A write may be short, on a nearly full disk for instance.
        view = view[os.write(number, view) :]


def aside(root: Path) -> Path:
    """Return a new path on the disk of `root` where something can be made before it is renamed into place."""
    return root / ASIDE / uuid.uuid4().hex


def commit_folder(disk: Disk, root: Path, target: Path, files: Mapping[str, Path | bytes]) -> bool:
    """Make the folder `target` below `root` with these files, whole or not at all.

    Returns:
        False if a non-empty folder was there already; it is left as it is.
    """
    temporary = aside(root)
    try:
        _fill(disk, temporary, files)
        disk.mkdir(target.parent)
        return _place(disk, temporary, target)
    except BaseException:
        discard(disk, temporary)
        raise


def _fill(disk: Disk, folder: Path, files: Mapping[str, Path | bytes]) -> None:
    folders = {folder}
    for path, source in files.items():
        file = folder / path
        disk.mkdir(file.parent)
        disk.write(file, source)
        folders.update(parent for parent in file.parents if parent.is_relative_to(folder))
    for made in sorted(folders, reverse=True):
        disk.sync(made)


def _place(disk: Disk, temporary: Path, target: Path) -> bool:
    try:
        disk.rename(temporary, target)
    except OSError:
        if not (target.is_dir() and any(target.iterdir())):
            raise
        discard(disk, temporary)
        return False
    # The folders above may be new too: each name is durable only once its own folder is synced.
    for folder in (target.parent, target.parent.parent, target.parent.parent.parent):
        disk.sync(folder)
    return True


def replace_file(disk: Disk, root: Path, target: Path, data: bytes) -> None:
    """Make `target` hold these bytes: readers see the old or the new ones whole."""
    temporary = aside(root)
    disk.mkdir(temporary.parent)
    disk.mkdir(target.parent)
    try:
        disk.write(temporary, data)
        disk.replace(temporary, target)
        disk.sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_folder(disk: Disk, root: Path, target: Path) -> None:
    """Remove a folder, first out of sight in one step, then from the disk; an absent one is no error."""
    temporary = aside(root)
    disk.mkdir(temporary.parent)
    try:
        disk.rename(target, temporary)
    except FileNotFoundError:
        return
    disk.sync(target.parent)
    disk.remove_tree(temporary)


def discard(disk: Disk, temporary: Path) -> None:
    """Remove what was made aside, as far as that is possible: what stays is out of every reader's sight."""
    try:
        disk.remove_tree(temporary)
    except OSError:
        return


def storage_error(error: OSError, *, root: Path, needed: int | None = None) -> StorageError:
    """Return the StorageError that says what happened to this place and what to do."""
    reason = (error.strerror or str(error)).lower()
    where = f"{str(root)!r}: {reason}"
    if needed is not None:
        where += f" ({needed:,} bytes needed{_free(root)})"
    return StorageError(
        f"Writing to {where}. Nothing was changed.",
        remedy="Free space, mount the place, or get the right to write there; then run the same command again.",
        place=str(root),
        errno=error.errno,
    )


def _free(root: Path) -> str:
    try:
        return f", {shutil.disk_usage(root).free:,} free"
    except OSError:
        return ""
