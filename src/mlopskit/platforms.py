"""Kinds of machines that things are made for: what wheels, Debian and qemu call them, and which one is here."""

from __future__ import annotations

import platform as _here
import re
import sys
from dataclasses import dataclass

from mlopskit.errors import ConfigError, unknown

_PYTHON = re.compile(r"3\.[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True)
class Platform:
    """A kind of machine: what `uname -m` says there, the glibc 2.x whose wheels run there, Debian's and qemu's name."""

    machine: str
    glibc: range
    debian: str
    qemu: str

    @property
    def tags(self) -> list[str]:
        """The tags of its wheels, the newest glibc first, as pip takes them."""
        names = [f"manylinux_2_{minor}" for minor in reversed(self.glibc)]
        return [f"{name}_{self.machine}" for name in [*names, *self._old, "linux"]]

    @property
    def _old(self) -> list[str]:
        known = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        return [name for minor, name in known.items() if minor in self.glibc]

    @property
    def emulator(self) -> str:
        """The program that runs this platform's programs on another processor."""
        return f"qemu-{self.qemu}-static"

    @property
    def is_here(self) -> bool:
        """Whether this machine runs the platform's programs by itself."""
        return sys.platform == "linux" and _here.machine() == self.machine


# Debian 10, Ubuntu 20.04 and all that is later; 32-bit ARM's wheels are built on Debian 11.
PLATFORMS = {
    "linux/aarch64": Platform("aarch64", range(17, 29), "arm64", "aarch64"),
    "linux/armv7": Platform("armv7l", range(17, 32), "armhf", "arm"),
    "linux/x86_64": Platform("x86_64", range(5, 29), "amd64", "x86_64"),
}


def platform_of(name: str, /) -> Platform:
    """Return the platform of a name.

    Raises:
        UnknownNameError: there is none; the nearest is named.
    """
    if name not in PLATFORMS:
        raise unknown("platform", name, PLATFORMS)
    return PLATFORMS[name]


def check_python(version: str, /) -> str:
    """Return the version of Python if it is one, such as "3.11".

    Raises:
        ConfigError: it is not.
    """
    if not _PYTHON.fullmatch(version):
        raise ConfigError(f"{ascii(version)} is no version of Python.", remedy="Give one such as '3.11'.")
    return version
