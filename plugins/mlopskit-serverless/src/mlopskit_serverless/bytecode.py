"""Bytecode beside the sources of a zip, so that no start compiles them: the same bytes whoever makes it, whenever."""

from __future__ import annotations

import importlib.util
import posixpath
import sys
import warnings
from collections.abc import Iterator, Mapping
from marshal import dumps
from pathlib import Path

# https://peps.python.org/pep-0552: found by the source's hash, and not looked at again.
_UNCHECKED = (0b01).to_bytes(4, "little")
# Later forms say which strings are interned and which objects are shared, in which all that a process has loaded has a
# say. This one has no slices, which Python 3.14 takes for constants: such a source gets no bytecode.
_FORM = 2


def is_possible(python: str, /) -> bool:
    """Say whether this Python makes the bytecode of a version: that of its own alone."""
    return python == ".".join(map(str, sys.version_info[:2]))


def beside(files: Mapping[str, bytes | Path], /) -> Iterator[tuple[str, bytes]]:
    """Give the path and the bytecode of each source that compiles; others stay sources."""
    for path, held in files.items():
        if not path.endswith(".py"):
            continue
        source = held if isinstance(held, bytes) else held.read_bytes()
        data = compiled(source, path)
        if data is not None:
            yield _path_of(path), data


def _path_of(path: str) -> str:
    """Return where Python looks for a source's bytecode; importlib would put it where this machine keeps its own."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, "__pycache__", f"{name.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc")


def compiled(source: bytes, path: str, /) -> bytes | None:
    """Return the bytecode of a source as a file, None if there is none of it.

    The path stands in it as it is in the zip: who imports it puts the whole path in its place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of code of others
        try:
            code = dumps(compile(source, path, "exec", dont_inherit=True, optimize=0), _FORM)
        except (SyntaxError, ValueError):
            return None
    return importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source) + code
