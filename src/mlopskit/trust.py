"""Trust: which packages may run code of their own here. Those that were packaged on this machine, and those listed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path

from mlopskit.aliases import state_folder
from mlopskit.disk import private_folder
from mlopskit.modelpackage import ModelPackage
from mlopskit.runtime.code import code_of
from mlopskit.runtime.names import hex_of
from mlopskit.runtime.scoring import check_code


def remember(package: ModelPackage, /) -> None:
    """Remember that a package with code of its own was made here.

    That stands in the user's own state on this machine, never in a registry or a project: these are shared.
    """
    if code_of(package.manifest["files"]):
        with contextlib.suppress(OSError, RuntimeError):  # without a home to write to, digests can still be listed
            memory = _memory(package.digest)
            private_folder(memory.parent)
            memory.touch()


def trusted(digest: str, listed: Collection[str] = (), /) -> list[str]:
    """Return the digest if a package of it may run its code here, else nothing."""
    if digest in listed:
        return [digest]
    try:
        return [digest] if _is_mine(_memory(digest)) else []
    except (OSError, RuntimeError):
        return []


def check(package: ModelPackage, listed: Collection[str] = (), /) -> None:
    """Check that a package has no code of its own, or may run it here.

    Raises:
        UntrustedCodeError: it has, and may not.
    """
    check_code(package.manifest, package.digest, trust_code=trusted(package.digest, listed))


def _memory(digest: str) -> Path:
    return state_folder() / "trusted-code" / hex_of(digest)


def _is_mine(file: Path) -> bool:
    """Say whether a file is there and this user's: what somebody else put there trusts nothing."""
    return file.is_file() and (os.name == "nt" or file.stat().st_uid == os.geteuid())
