"""The platforms that a bundle may be for: what Debian's compilers call them, and which one is here."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A kind of device: its name, what `uname -m` says there, Debian's name of it, and the prefix of its compiler."""

    name: str
    machine: str
    debian: str
    triplet: str

    @property
    def packages(self) -> str:
        """Debian's packages of its compiler."""
        return f"gcc-{self.triplet.replace('_', '-')} libc6-dev-{self.debian}-cross"


PLATFORMS = {
    one.name: one
    for one in (
        Platform(name="linux/aarch64", machine="aarch64", debian="arm64", triplet="aarch64-linux-gnu"),
        Platform(name="linux/armv7", machine="armv7l", debian="armhf", triplet="arm-linux-gnueabihf"),
        Platform(name="linux/x86_64", machine="x86_64", debian="amd64", triplet="x86_64-linux-gnu"),
    )
}


def is_here(wanted: Platform, /) -> bool:
    """Say whether this machine runs the platform's programs by itself."""
    return sys.platform == "linux" and platform.machine() == wanted.machine
