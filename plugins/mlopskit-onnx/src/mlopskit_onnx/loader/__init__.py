"""Load an ONNX model that this plugin wrote, `model.onnx`, and score rows with it.

This package travels to targets: it imports the standard library and its own modules, and onnxruntime and numpy where
it uses them. Whatever it dislikes is a ValueError that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .profile import check
from .scorer import OnnxScorer

__all__ = ["FILE", "load"]

FILE = "model.onnx"


def load(files: Mapping[str, bytes], spec: Mapping[str, Any]) -> OnnxScorer:
    """Return a scorer of the graph in `model.onnx`.

    Raises:
        ValueError: the bytes are no model that may be loaded, or not the one that `spec` describes.
    """
    if set(files) != {FILE}:
        raise ValueError(f"an ONNX model is one file, {FILE}; given: {sorted(files)}")
    data = files[FILE]
    checked = check(data)
    try:
        return OnnxScorer(data, checked, spec["schema"])
    except (ImportError, ValueError):
        raise
    except Exception as error:
        raise ValueError(f"{FILE} cannot be loaded: {type(error).__name__}: {error}") from error
