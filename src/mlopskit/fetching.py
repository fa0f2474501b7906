"""Fetch the wheels that an endpoint's bundles need into this machine's cache, and name them in `mlopskit.lock`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlopskit import resolving, wheelindex
from mlopskit.commits import sha256_of
from mlopskit.deployer import Deployer
from mlopskit.deployment import endpoint_of, form_for
from mlopskit.disk import DISK, aside, commit_folder, private_folder, remove_folder
from mlopskit.errors import IntegrityError
from mlopskit.modelpackage import ModelPackage
from mlopskit.project import Project
from mlopskit.steps import Progress, logged, quiet
from mlopskit.tables import Table
from mlopskit.wheelfile import metadata_of
from mlopskit.wheellock import LOCK, Entry, File, Lock, add
from mlopskit.wheels import Wheels, cache_folder, is_whole, path_of


@dataclass(frozen=True, kw_only=True)
class FetchedWheel:
    """A wheel that is in the cache now; `downloaded` says that it was not before. `size` is in bytes."""

    file: str
    sha256: str
    size: int
    platform: str
    python: str
    downloaded: bool


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """What an endpoint's bundle of a package needs, all of it in the cache; `changed`: the lock was written."""

    endpoint: str
    package: str
    format: str | None
    lock: Path
    changed: bool
    wheels: tuple[FetchedWheel, ...]

    @property
    def size(self) -> int:
        """How many bytes all wheels have."""
        return sum(one.size for one in self.wheels)

    @property
    def downloaded(self) -> int:
        """How many bytes of them were downloaded."""
        return sum(one.size for one in self.wheels if one.downloaded)

    def as_table(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        totals = {"size": self.size, "downloaded": self.downloaded}
        return {**asdict(self), "lock": str(self.lock), "wheels": [asdict(one) for one in self.wheels], **totals}

    def table(self) -> Table:
        """Return a row for each wheel."""
        rows = [
            (one.file, one.platform, one.python, one.size, "downloaded" if one.downloaded else "was there")
            for one in self.wheels
        ]
        return Table(("wheel", "platform", "python", "bytes", "state"), rows)

    def text(self) -> str:
        """Return it in words."""
        if not self.wheels:
            form = f" with the form {self.format!r}" if self.format else ""
            return f"The endpoint {self.endpoint!r} needs no wheels{form}: there is nothing to fetch."
        news = f"{self.downloaded / 1e6:,.1f} MB were downloaded" if self.downloaded else "nothing was downloaded"
        lock = f"Wrote {self.lock.name}: commit it." if self.changed else f"{self.lock.name} is as it was."
        return f"{self.table().text()}\n{len(self.wheels)} wheels, {self.size / 1e6:,.1f} MB; {news}. {lock}"

    def _repr_html_(self) -> str:
        return self.table().html()


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """One fetch: for which package and endpoint, by which lock; with `upgrade` the newest wheels are chosen anew."""

    package: ModelPackage
    deployer: Deployer
    endpoint: str
    lock: Path = Path(LOCK)
    upgrade: bool = False
    progress: Progress = quiet

    def run(self) -> Fetched:
        """Download what the cache lacks, and write the lock if others were chosen than it names.

        Raises:
            StorageError: the index cannot be reached, or lacks a wheel for the platform.
            IntegrityError: a wheel is another than the lock names.
            UnsafePathError, LimitError: a wheel holds what must not be unpacked. Of no such wheel anything is kept.
        """
        model = form_for(self.deployer, self.package)
        needed = {one.key: one for one in self.deployer.needs(self.package, model)}
        locked = {} if self.upgrade else Lock.read(self.lock).entries
        done = {key: self._one(needed[key], locked.get(key)) for key in sorted(needed)}
        return Fetched(
            endpoint=self.endpoint,
            package=self.package.digest,
            format=model.format if model else None,
            lock=self.lock,
            changed=bool(done) and add(self.lock, {key: entry for key, (entry, _) in done.items()}),
            wheels=tuple(one for _, wheels in done.values() for one in wheels),
        )

    def _one(self, wheels: Wheels, locked: Entry | None) -> tuple[Entry, list[FetchedWheel]]:
        """Put the wheels of some requirements into the cache; return their entry, and each with what was done."""
        tell = logged(f"fetch {self.endpoint}", self.progress)
        with _beside() as folder:
            if locked is None:
                files = resolving.resolve(wheels, folder, tell=tell)
                entry = Entry({one.name: File(sha256_of(one), one.stat().st_size) for one in files})
                missing = _missing(entry)
            else:
                entry, missing = locked, _missing(locked)
                files = wheelindex.again(wheels, entry, missing, folder / "again", tell=tell) if missing else []
            for file in files:
                _keep(entry, file)
        return entry, [
            FetchedWheel(
                file=name,
                sha256=file.sha256,
                size=file.size,
                platform=wheels.platform,
                python=wheels.python,
                downloaded=name in missing,
            )
            for name, file in sorted(entry.files.items())
        ]


def _missing(entry: Entry) -> list[str]:
    return [name for name in sorted(entry.files) if not is_whole(entry, name)]


def _keep(entry: Entry, file: Path) -> None:
    """Put a wheel into the cache, in one step, if it is the one of the entry and may be unpacked."""
    if file.name not in entry.files or sha256_of(file) != entry.files[file.name].sha256:
        raise IntegrityError(
            f"The index that pip is configured with gave {file.name!r}, which is not the wheel that the lock names.",
            remedy="Find out who changed it.",
            file=file.name,
        )
    metadata_of(file)
    if not is_whole(entry, file.name):
        target = path_of(entry, file.name).parent
        remove_folder(DISK, cache_folder(), target)  # a damaged one
        commit_folder(DISK, cache_folder(), target, {file.name: file})


@contextmanager
def _beside() -> Iterator[Path]:
    """Give a new folder on the cache's disk, which goes afterwards; what a killed process left there goes in a day."""
    private_folder(cache_folder())  # an index may be a company's own
    folder = aside(cache_folder())
    try:
        yield folder
    finally:
        DISK.remove(folder)


def fetch(
    package: ModelPackage, to: str | Deployer, /, *, upgrade: bool = False, progress: Progress = quiet
) -> Fetched:
    """Fetch the wheels that a bundle of a package needs at an endpoint of the project here, or with a deployer.

    They come by pip from the index that it is configured with, and go into this machine's cache; `mlopskit.lock` here
    names them, by sha256. What it names already is taken again, whatever is newer, but with `upgrade`.

    Raises:
        StorageError: the index cannot be reached, or lacks a wheel for the platform.
        IntegrityError: a wheel is another than the lock names.
    """
    if isinstance(to, str):
        deployer, endpoint = Project().deployer(to), to
    else:
        deployer, endpoint = to, endpoint_of(to)
    return Fetching(package=package, deployer=deployer, endpoint=endpoint, upgrade=upgrade, progress=progress).run()
