"""What runs Python for a kind of machine from here: this machine's own, or an emulator with a sysroot."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlopskit import sysroot as sysroots
from mlopskit.errors import ConfigError
from mlopskit.platforms import check_python, platform_of


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """What runs a platform's Python from here: `command`, to which Python's own arguments are added.

    `place` is what a receipt calls it: "local" on such a machine, "emulated" on another. There, children of that Python
    run only if the machine knows what to run them with (binfmt_misc).
    """

    command: tuple[str, ...]
    place: Literal["local", "emulated"]


def interpreter_for(platform: str, python: str | None, /, *, sysroot: Path | None = None) -> Interpreter:
    """Return what runs a version of Python, such as "3.11", for a platform, such as "linux/aarch64".

    Without a version it is what runs a program of the platform: nothing, or the emulator. `sysroot` is the root file
    system of such a machine if not the one that `mlopskit sysroot` makes. Where Python is this one, it is that of the
    machine and not of the virtual environment, whose packages nobody else has.

    Raises:
        UnknownNameError: there is no such platform.
        ConfigError: that Python, the emulator or the sysroot is not here; the remedy is the command that gets it.
    """
    wanted = platform_of(platform)
    if wanted.is_here:
        return Interpreter(command=() if python is None else (_own(check_python(python)),), place="local")
    emulator = _there(wanted.emulator, "qemu-user-static")
    if python is None:
        return Interpreter(command=(emulator,), place="emulated")
    # What is asked runs in a folder of its own.
    folder = (sysroot or sysroots.default_folder(platform, check_python(python))).absolute()
    found = sysroots.python_in(folder, python)
    if not found.is_file():
        raise ConfigError(
            f"There is no Python {python} for {platform} in {str(folder)!r}, so nothing could be asked under it.",
            remedy=f"Run 'mlopskit sysroot --platform {platform} --python {python}'.",
        )
    return Interpreter(command=(emulator, "-L", str(folder), str(found)), place="emulated")


def _own(python: str) -> str:
    if ".".join(map(str, sys.version_info[:2])) == python:
        return str(Path(sys.executable).resolve())
    return _there(f"python{python}", f"python{python}")


def _there(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        raise ConfigError(
            f"Here is no {tool}, so nothing could be asked under it.", remedy=f"Run 'apt-get install {package}'."
        )
    return found
