"""A bundle without Python: the model as a program in C, compiled for the platform."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mlopskit as mk
from mlopskit import ModelPackage
from mlopskit.errors import ConfigError, DeployError
from mlopskit_device import bundle
from mlopskit_device.platforms import Platform, is_here

SOURCES = "c"
PROGRAMS = ("predict", "selftest")
# Nothing of this machine or of a time is left in what is compiled.
_OPTIONS = ("-std=c99", "-O2", "-static", "-s", "-Wl,--build-id=none")
_STRUCT = re.compile(r"typedef struct \{\n([^}]*)\} model_(?:row|answer);")
_MEMBER = re.compile(r"^    (double|int32_t|model_text) (\w+);", re.MULTILINE)


def compiler_for(platform: Platform, /) -> str:
    """Return the compiler for a platform.

    Raises:
        ConfigError: it is not installed.
    """
    names = [f"{platform.triplet}-gcc", *(["gcc"] if is_here(platform) else [])]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        packages = "gcc libc6-dev" if is_here(platform) else platform.packages
        raise ConfigError(
            f"Here is no {names[-1]}, so the model could not be compiled for {platform.name}.",
            remedy=f"Run 'apt-get install {packages}'.",
        )
    return found


def write(package: ModelPackage, platform: Platform, into: Path, /) -> None:
    """Write the model's sources, and compile what answers rows and what asks for the golden ones.

    Raises:
        DeployError: the compiler failed; the message has its last words.
    """
    compiler, folder = compiler_for(platform), into / SOURCES
    # The rows stay on the device, whose package has them too.
    mk.eject(package, folder, language="c", publish_rows=True)
    for one in PROGRAMS:
        command = [compiler, *_OPTIONS, "-o", f"../{one}", "model.c", f"{one}.c", "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip()[-500:]
            raise DeployError(f"{command[0]} ended with {done.returncode}: {words}", remedy="Mend what it names.")
    about = {"name": package.name, "digest": package.digest, "platform": platform.name}
    mk.write_files({"README.md": bundle.template("README.c.md", **about), **_snippets(package, folder)}, into)


def _snippets(package: ModelPackage, folder: Path) -> dict[str, bytes]:
    """Return programs that call the model, with the members of its own structs."""
    row, answer = (_MEMBER.findall(part) for part in _STRUCT.findall((folder / "model.h").read_text("ascii")))
    cells = [(name, cell) for (_, name), cell in zip(row, bundle.sample(package).values(), strict=True)]
    words = {
        "c_cells": "".join(f"    {line}\n" for name, cell in cells for line in _set(name, cell)),
        "c_answers": "".join(f"    printf({_said(kind, name)});\n" for kind, name in answer),
        "swift_cells": "".join(f"row.{name} = {_swift(cell)}\n" for name, cell in cells),
        "swift_answers": ", ".join(f"answer.{name}" for _, name in answer),
        "row": json.dumps(bundle.sample(package)).replace("$", "${'$'}"),
    }
    return {
        f"use/{name}": bundle.template(f"use/c/{name}.txt", **words)
        for name in ("example.c", "Example.kt", "Example.swift", "model_jni.c")
    }


def _set(name: str, cell: Any) -> list[str]:
    if isinstance(cell, str):
        return [f"row.{name}.data = {_literal(cell)};", f"row.{name}.size = {len(cell.encode())};"]
    return [f"row.{name} = {'NAN' if cell is None else repr(float(cell))};"]


def _literal(text: str) -> str:
    return '"' + re.sub(rb"[^A-Za-z0-9 ]", lambda found: b"\\%03o" % found[0][0], text.encode()).decode("ascii") + '"'


def _swift(cell: Any) -> str:
    if isinstance(cell, str):
        return f"text({json.dumps(cell)})"
    return ".nan" if cell is None else repr(float(cell))


def _said(kind: str, name: str) -> str:
    return (
        f'"{name}: %s\\n", model_{name}_label(answer.{name})'
        if kind == "int32_t"
        else f'"{name}: %.17g\\n", answer.{name}'
    )
