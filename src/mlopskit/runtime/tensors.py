"""Columns as the binary tensors of the Open Inference Protocol: little-endian, one value after the other."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from .errors import ManifestError
from .names import shown
from .profile import Cell

_NAN = float("nan")
_LENGTH = struct.Struct("<I")
# The signs of `struct` for what has a fixed size; BYTES are texts, each behind its length.
_SIGNS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
DATATYPES = (*_SIGNS, "BYTES")


def unpacked(data: memoryview, datatype: str, rows: int, /, *, name: str, size: int) -> list[Any]:
    """Return the cells of a tensor; a number that is NaN is missing.

    Raises:
        ManifestError: it has another number of bytes than its shape and its `size` say, or text that is not UTF-8.
    """
    if len(data) != size:
        raise _wrong(name, f"{len(data)} bytes are left of the {size} that its binary_data_size says")
    if datatype == "BYTES":
        return _texts(data, rows, name)
    layout = struct.Struct(f"<{rows}{_SIGNS[datatype]}")
    if layout.size != size:
        raise _wrong(name, f"{size} bytes are not {rows} of {datatype}")
    cells = layout.unpack(data)
    return [None if cell != cell else cell for cell in cells]  # noqa: PLR0124  # NaN alone is not itself


def _texts(data: memoryview, rows: int, name: str) -> list[Any]:
    texts, at = [], 0
    for _ in range(rows):
        end = at + _LENGTH.size
        length = _LENGTH.unpack(data[at:end])[0] if end <= len(data) else 0
        if end + length > len(data):
            raise _wrong(name, f"its {rows} texts go beyond its {len(data)} bytes")
        try:
            texts.append(str(data[end : end + length], "utf-8"))
        except UnicodeDecodeError as error:
            raise _wrong(name, "a text is not UTF-8") from error
        at = end + length
    if at != len(data):
        raise _wrong(name, f"its {rows} texts take {at} of its {len(data)} bytes")
    return texts


def packed(cells: Sequence[Cell], datatype: str, /) -> bytes:
    """Return cells as a tensor of a datatype of outputs: BOOL, INT64, FP64 or BYTES.

    None, which only FP64 may hold, is NaN there.
    """
    if datatype == "BYTES":
        texts = [str(cell).encode() for cell in cells]
        return b"".join(part for text in texts for part in (_LENGTH.pack(len(text)), text))
    if datatype == "FP64":
        return struct.pack(f"<{len(cells)}d", *(_NAN if cell is None else cell for cell in cells))
    return struct.pack(f"<{len(cells)}{_SIGNS[datatype]}", *cells)


def _wrong(name: str, what: str) -> ManifestError:
    return ManifestError(
        f"The input {shown(name)} is malformed: {what}.",
        remedy="Send the tensor as the binary tensor data extension has it.",
        column=name,
    )
