"""What runs Python for a kind of machine from here: this machine's own, or an emulator with a sysroot."""

from __future__ import annotations

import shutil
import subprocess
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
    system of such a machine if not the one that `mlopskit sysroot` makes; one with a Python that this machine lacks is
    taken under the emulator, too. Where Python is this one, it is that of the machine and not of the virtual
    environment, whose packages nobody else has.

    Raises:
        UnknownNameError: there is no such platform.
        ConfigError: that Python, the emulator or the sysroot is not here; the remedy is the command that gets it.
    """
    wanted = platform_of(platform)
    own = _own(None if python is None else check_python(python)) if wanted.is_here else None
    if own is not None:
        return Interpreter(command=own, place="local")
    emulator = shutil.which(wanted.emulator)
    lacking = [] if emulator else ["apt-get install qemu-user-static"]
    rest: tuple[str, ...] = ()
    if python is not None:
        # What is asked runs in a folder of its own.
        folder = (sysroot or sysroots.default_folder(platform, check_python(python))).absolute()
        found = sysroots.python_in(folder, python)
        if not found.is_file():
            lacking.append(f"mlopskit sysroot --platform {platform} --python {_of_debian(python, here=wanted.is_here)}")
        rest = ("-L", str(folder), str(found))
    if emulator is None or lacking:
        what, commands = f"Python {python}" if python else "emulator", " and ".join(f"'{one}'" for one in lacking)
        raise ConfigError(
            f"Here is no {what} for {platform}, so nothing could be asked under it.",
            remedy=f"Run 'apt-get install python{python}'; or else {commands}."
            if wanted.is_here
            else f"Run {commands}.",
        )
    return Interpreter(command=(emulator, *rest), place="emulated")


def _of_debian(python: str, *, here: bool) -> str:
    """Return a version of Python that a sysroot can be made with."""
    if python in sysroots.RELEASES:
        return python
    own = f", or install python{python} so that it is found in the PATH" if here else ""
    raise ConfigError(
        f"Here is no Python {python}, and no release of Debian that is known here has it.",
        remedy=f"Take one of {', '.join(sysroots.RELEASES)}{own}.",
    )


def _own(python: str | None) -> tuple[str, ...] | None:
    """Return what runs a Python of this machine's, nothing where it is a program; None if it is not here."""
    if python is None:
        return ()
    if ".".join(map(str, sys.version_info[:2])) == python:
        return (str(Path(sys.executable).resolve()),)
    found = shutil.which(f"python{python}")
    if found is None:
        return None
    # It may be a stand-in, as pyenv's, which knows which Python is meant, or that there is none.
    ask = [found, "-I", "-c", "import os, sys; print(os.path.realpath(sys.executable))"]
    done = subprocess.run(ask, capture_output=True, check=False, text=True, stdin=subprocess.DEVNULL)
    return (done.stdout.strip(),) if done.returncode == 0 else None
