"""Bytecode beside the sources of a zip, so that no start compiles them: the same bytes whoever makes it, whenever."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping
from marshal import dumps
from pathlib import Path
from types import CodeType

# https://peps.python.org/pep-0552: found by the source's hash, and not looked at again.
_UNCHECKED = (0b01).to_bytes(4, "little")
# The newest form without references, which are written or not by how often the whole process uses an object.
_FORM = 2


def is_possible(python: str, /) -> bool:
    """Say whether this Python makes the bytecode of a version: that of its own, as long as it can be made so."""
    return python == ".".join(map(str, sys.version_info[:2])) and _dumped(compile("x[0:1]", "", "eval")) is not None


def beside(files: Mapping[str, bytes | Path], /) -> Iterator[tuple[str, bytes]]:
    """Give the path and the bytecode of each source that compiles; others stay sources."""
    for path, held in files.items():
        if not path.endswith(".py"):
            continue
        source = held if isinstance(held, bytes) else held.read_bytes()
        data = compiled(source, path)
        if data is not None:
            yield importlib.util.cache_from_source(path, optimization=""), data


def compiled(source: bytes, path: str, /) -> bytes | None:
    """Return the bytecode of a source as a file, None if there is none of it.

    The path stands in it as it is in the zip: who imports it puts the whole path in its place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of code of others
        try:
            code = _dumped(compile(source, path, "exec", dont_inherit=True, optimize=0))
        except (SyntaxError, ValueError):
            return None
    return (
        None if code is None else importlib.util.MAGIC_NUMBER + _UNCHECKED + importlib.util.source_hash(source) + code
    )


def _dumped(code: CodeType) -> bytes | None:
    try:
        return dumps(code, _FORM)
    except ValueError:  # a newer Python has constants that this form lacks
        return None
