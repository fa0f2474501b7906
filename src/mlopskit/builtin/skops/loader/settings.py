"""The settings of loaded objects that are of one process alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .neighbors import build_tree
from .parts import is_estimator_of_sklearn, walk

# What matters in training alone, and may name folders, start processes or differ from run to run.
NEUTRAL: Mapping[str, Any] = {"n_jobs": None, "memory": None, "verbose": 0}


def settle(model: object, /) -> None:
    """Set the neutral parameters of loaded, checked objects (no processes, no cache folder, no output); build trees."""
    for _, part in walk(model):
        # What a class of the package's own calls so, may be something else.
        attributes = vars(part) if hasattr(part, "get_params") and is_estimator_of_sklearn(type(part)) else {}
        for name in NEUTRAL.keys() & attributes.keys():
            setattr(part, name, NEUTRAL[name])
        if "_tree" in attributes:
            build_tree(part)
        if "stop_words" in attributes:
            part._stop_words_id = id(part.stop_words)  # noqa: SLF001 -- they were looked at in training
