"""Wheels that a bundle carries: which ones, for which platform; from a cache, by a lock, and never from the network."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from mlopskit import wheelfile
from mlopskit.commits import sha256_of
from mlopskit.errors import ConfigError, DeployError, IntegrityError
from mlopskit.platforms import check_python, platform_of
from mlopskit.runtime.names import hex_of
from mlopskit.wheellock import LOCK, Entry, Key, Lock

_REQUIREMENT = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:(?:===?|~=|!=|<=?|>=?)[A-Za-z0-9.*+!_-]+(?:,(?!$)|$))*", re.ASCII
)


@dataclass(frozen=True)
class Home:
    """Where the lock stands, and what to do when a wheel is missing."""

    lock: Path = Path(LOCK)
    remedy: str = "Run mk.fetch(package, deployer) first."

    @classmethod
    def of(cls, root: Path, endpoint: str, digest: str, /) -> Home:
        """Return that of a project's folder, for one endpoint and package."""
        return cls(root / LOCK, f"Run 'mlopskit fetch {endpoint} {hex_of(digest)[:12]}' first.")


HERE = Home()
_home: ContextVar[Home] = ContextVar("home", default=HERE)


@contextlib.contextmanager
def at_home(home: Home, /) -> Iterator[None]:
    """Let `Wheels.cached` use this lock, in this thread: while a deployer builds, and while it is asked."""
    before = _home.set(home)
    try:
        yield
    finally:
        _home.reset(before)


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """Distributions that a bundle carries, with all that they require, for one platform and Python.

    `requirements` are names with versions, such as `numpy==2.4.6`; `platform` is "linux/aarch64", "linux/armv7" or
    "linux/x86_64"; `python` is a version such as "3.11".

    Raises:
        ConfigError, UnknownNameError: one of them is none.
    """

    requirements: tuple[str, ...]
    platform: str
    python: str

    def __post_init__(self) -> None:
        platform_of(self.platform)
        check_python(self.python)
        for one in self.requirements:
            if not _REQUIREMENT.fullmatch(one):
                raise ConfigError(
                    f"{ascii(one)} is no requirement that can be fetched.",
                    remedy="Give a name with a version, such as 'numpy==2.4.6'; no address, extra, marker or option.",
                )
        if not self.requirements:
            raise ConfigError("There is no requirement.", remedy="Give one, or need no wheels: return ().")

    @property
    def key(self) -> Key:
        """What its entry in a lock is found by."""
        return self.platform, self.python, tuple(sorted({*self.requirements}))

    def cached(self) -> list[Path]:
        """Return the wheels, in the order of their names: those that the lock names, each byte checked. No network.

        Raises:
            DeployError: they were not fetched yet; the remedy is the command.
            IntegrityError: one in the cache was changed.
        """
        home = _home.get()
        entry = Lock.read(home.lock).entries.get(self.key)
        if entry is None:
            raise DeployError(f"{home.lock.name} does not name the wheels of {self}.", remedy=home.remedy)
        for name in entry.files:
            _check(entry, name, home.remedy)
        return [path_of(entry, name) for name in sorted(entry.files)]

    def unpack(self, into: Path, /) -> None:
        """Unpack the wheels into one folder, which Python can import from: the same bytes each time.

        Left out: scripts, headers, what only compilers read, folders `tests` inside of packages, and bytecode.

        Raises:
            UnsafePathError, LimitError, ConflictError: what they hold cannot stand in one folder of a bundle.
        """
        wheelfile.unpack(self.cached(), into)

    def __str__(self) -> str:
        return f"{', '.join(sorted({*self.requirements}))} for {self.platform}, Python {self.python}"


def cache_folder() -> Path:
    """Return the folder where this machine keeps what can be fetched again (XDG cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlopskit"


def path_of(entry: Entry, name: str, /) -> Path:
    """Return where a wheel stands in the cache: under its digest."""
    return cache_folder() / "wheels" / entry.files[name].sha256 / name


def is_whole(entry: Entry, name: str, /) -> bool:
    """Say whether a wheel is in the cache, byte for byte."""
    listed, file = entry.files[name], path_of(entry, name)
    try:
        return file.stat().st_size == listed.size and sha256_of(file) == listed.sha256
    except OSError:
        return False


def _check(entry: Entry, name: str, remedy: str) -> None:
    file = path_of(entry, name)
    if not file.exists():
        raise DeployError(f"The wheel {name!r} is not in the cache.", remedy=remedy, wheel=name)
    if not is_whole(entry, name):
        raise IntegrityError(
            f"The wheel {str(file)!r} was changed: it is not the locked one.", remedy=remedy, file=file
        )
