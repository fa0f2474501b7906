"""Read a model as tables, `model.json`, and score rows with it, by the standard library alone.

This package travels to targets. The file is data: a list of steps, each of which makes a vector of numbers from those
of earlier steps (docs/reference/portable-format.md says how exactly). All of it is checked before the first row:
unknown words, steps that do not exist yet, indices beyond a table, numbers that are none. Whatever is disliked is a
ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .document import FILE, parse
from .scorer import PortableScorer

__all__ = ["load"]


def load(files: dict[str, bytes], spec: Mapping[str, Any]) -> PortableScorer:
    """Return a scorer of the tables in `model.json`.

    Raises:
        ValueError: the bytes are no such model, or not the one that `spec` describes.
    """
    if set(files) != {FILE}:
        raise ValueError(f"a portable model is one file, {FILE}; given: {sorted(files)}")
    return PortableScorer(parse(files.pop(FILE)), spec["schema"])
