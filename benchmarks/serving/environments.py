"""A virtual environment for each other server, with the versions that requirements/ names; kept in the cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from mlopskit import cache_folder

HERE = Path(__file__).parent
UV = HERE.parents[1] / ".uv" / "bin" / "uv"


class AbsentError(Exception):
    """An environment could not be made; the text says why."""


def environment(name: str, /) -> Path:
    """Return the folder of a server's environment, made if it is not there as its file says.

    Raises:
        AbsentError: something could not be installed here.
    """
    requirements = HERE / "requirements" / f"{name}.txt"
    folder = cache_folder() / "serving" / name
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    stamp = folder / "made-of"
    if stamp.exists() and stamp.read_text("ascii") == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    print(f"making the environment of {name}", flush=True)
    _run("venv", "--quiet", "--python", sys.executable, str(folder))
    # Compiled, as pip does it: else the first start would be slower than all others.
    _run(
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--compile-bytecode",
        "--python",
        str(folder),
        "--requirement",
        str(requirements),
    )
    stamp.write_text(wanted, "ascii")
    return folder


def _run(*command: str) -> None:
    done = subprocess.run([str(UV), *command], check=False, capture_output=True, text=True)
    if done.returncode:
        raise AbsentError(" ".join(done.stderr.split())[-300:])
