"""The bundles of one device: at most two, of which the link `current` names one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from _mlopskit_runtime import (  # type: ignore[import-not-found]  # stands beside it
    canonical,
    errors,
    fetching,
    manifest,
    names,
    package,
)

BUNDLES = "bundles"
_TARGET = re.compile(rf"{BUNDLES}/([0-9a-f]{{64}})")


class Bundle(NamedTuple):
    """A bundle whose every byte was checked: its digest, its folder, and the digest of the package in it."""

    digest: str
    folder: Path
    package: str


class Slots:
    """The bundles below a folder. `current` is changed by one rename, after all that it names is on the disk."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.bundles = folder / BUNDLES
        self.current = folder / "current"
        self._name = name

    def live(self) -> str | None:
        """Return the digest of the bundle that `current` names.

        Raises:
            UsageError: `current` is something else than this agent makes.
        """
        try:
            found = _TARGET.fullmatch(os.readlink(self.current))
        except FileNotFoundError:
            return None
        except OSError:
            found = None
        if not found:
            raise errors.UsageError(
                f"{str(self.current)!r} is no link of the agent's.", remedy="Give the agent a folder of its own."
            )
        return f"sha256:{found[1]}"

    def kept(self) -> list[str]:
        """Return the digests of all bundles, whole or not."""
        found = sorted(entry.name for entry in self.bundles.iterdir())
        return [f"sha256:{name}" for name in found if _TARGET.fullmatch(f"{BUNDLES}/{name}")]

    def bundle(self, digest: str) -> Bundle:
        """Return a bundle with every byte checked.

        Raises:
            PackageError: it is not there, not whole, or another model's.
        """
        return self._checked(self.bundles / names.hex_of(digest), digest)

    def fetch(self, source: fetching.Source, key: str, digest: str, *, limit: int) -> Bundle:
        """Return a bundle, fetched if it is not here; what the live one holds of it is copied.

        Raises:
            PackageError: it is missing there, or not what the digest says.
            StorageError: the place cannot be read, or there is no space.
        """

        def files(data: bytes) -> Mapping[str, Any]:
            table: Mapping[str, Any] = fetching.listed_files(data)
            self._check_space(sum(entry["size"] for entry in table.values()))
            return table

        def fill(part: Path) -> None:
            about = {"digest": digest, "listing": fetching.BUNDLE, "files": files, "limit": limit, "held": self._held()}
            fetching.fetch_folder(source, f"{key}/{names.hex_of(digest)}", part, **about)

        try:
            made: Bundle = fetching.kept_folder(
                self.bundles, digest, check=lambda folder: self._checked(folder, digest), fetch=fill
            )
        except OSError as error:
            raise errors.StorageError(
                f"{str(self.bundles)!r} cannot be written: {error.strerror or error}, {self._free():,} bytes are free.",
                remedy="Free space, or get the right to write there.",
            ) from error
        return made

    def switch(self, digest: str | None) -> None:
        """Let `current` name a bundle, or nothing."""
        beside = self.folder / ".current"
        if digest is None:
            self.current.unlink(missing_ok=True)
        else:
            beside.unlink(missing_ok=True)
            beside.symlink_to(f"{BUNDLES}/{names.hex_of(digest)}")
            beside.replace(self.current)
        fetching.sync_folder(self.folder)

    def tidy(self, keep: Collection[str | None]) -> None:
        """Remove all but these, and what a killed agent left half done; not what a process still answers from."""
        wanted = {names.hex_of(digest) for digest in keep if digest}
        for entry in sorted(self.bundles.iterdir()):
            if entry.name.startswith("."):
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name not in wanted:
                self._remove(entry)

    def _remove(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # in use, or on a file system without locks: then it may be in use
            number = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                gone = folder.with_name(f".gone-{folder.name}")
                folder.rename(gone)
                shutil.rmtree(gone, ignore_errors=True)
            finally:
                os.close(number)

    def _checked(self, folder: Path, digest: str) -> Bundle:
        data = package.read_listing(folder, fetching.BUNDLE, digest=digest)
        package.read_files(folder, fetching.listed_files(data), listing=fetching.BUNDLE, keep=lambda _: False)
        about = canonical.loads(data, what=fetching.BUNDLE, limit=manifest.MAX_MANIFEST)
        if about.get("name") != self._name:
            raise errors.IntegrityError(
                f"The alias of {self._name!r} names a bundle of {about.get('name')!r}.",
                remedy="Point it at a bundle of the same model.",
            )
        return Bundle(digest, folder, names.check_digest(about.get("package")))

    def _held(self) -> dict[str, Path]:
        with contextlib.suppress(errors.PackageError):
            digest = self.live()
            if digest:
                folder = self.bundles / names.hex_of(digest)
                table = fetching.listed_files(package.read_listing(folder, fetching.BUNDLE, digest=digest))
                return {entry["sha256"]: folder / path for path, entry in table.items()}
        return {}

    def _check_space(self, needed: int) -> None:
        if needed > self._free():
            raise errors.StorageError(
                f"There is no space for the bundle in {str(self.bundles)!r}: it has {needed:,} bytes, "
                f"{self._free():,} are free.",
                remedy="Free space.",
            )

    def _free(self) -> int:
        return shutil.disk_usage(self.bundles).free
