"""Arrays: plain numbers or text, exactly as long as their headers say."""

from __future__ import annotations

import functools
import io
import math
import sys
from typing import Any

from .container import MAX_TOTAL, unpack

MAX_DIMENSION = 1 << 31


def array(data: bytes, where: str) -> Any:
    """Return the array of an .npy file: numbers, booleans or text, exactly as many as its header says.

    Raises:
        ValueError: it is not such a file.
    """
    import numpy as np

    begin = 10 + int.from_bytes(data[8:10], "little")
    if data[:8] != b"\x93NUMPY\1\0" or len(data) < begin:
        raise ValueError(f"{where} is not an array of .npy version 1.0")
    shape, fortran, dtype = _header(data[8:begin])
    if dtype.hasobject or dtype.kind not in "biufcSUV" or (dtype.kind == "V") != bool(dtype.names):
        raise ValueError(f"{where} holds {dtype}, not numbers or text")
    if any(not 0 <= length <= MAX_DIMENSION for length in shape):
        raise ValueError(f"{where} has the shape {shape}")
    count = math.prod(shape)
    if count * dtype.itemsize != len(data) - begin:
        raise ValueError(f"{where} has the shape {shape} of {dtype}, but {len(data) - begin} bytes")
    values = np.frombuffer(data, dtype, count, begin)
    # numpy counts the bytes of booleans and trusts code points: others than it writes lead out of its buffers.
    if dtype.kind == "b" and (values.view("u1") > 1).any():
        raise ValueError(f"{where} holds booleans that are neither true nor false")
    if dtype.kind == "U" and count and values.view(f"{dtype.byteorder}u4").max() > sys.maxunicode:
        raise ValueError(f"{where} holds text that is none")
    return values.reshape(shape, order="F" if fortran else "C")


@functools.lru_cache(1024)  # a forest has thousands of arrays, but few kinds of them
def _header(data: bytes) -> tuple[tuple[int, ...], bool, Any]:
    import numpy as np

    return np.lib.format.read_array_header_1_0(io.BytesIO(data))


def check_sparse(data: bytes, where: str, *, allowed: int = MAX_TOTAL) -> int:
    """Check an .npz file of a sparse matrix: its parts are there, and each is an array of its kind.

    Return how many bytes they are inflated, which must be no more than is allowed.

    Raises:
        ValueError: it is not such a file.
    """
    parts = unpack(data, what=where, allowed=allowed)
    members = {name.removesuffix(".npy"): array(part, where) for name, part in parts.items()}
    needed = {"indices", "indptr", "format", "shape", "data"}
    if not needed <= members.keys() <= {*needed, "_is_array"}:
        raise ValueError(f"{where} is not a sparse matrix of rows or columns")
    if members["format"].shape != () or members["format"].item() not in (b"csr", b"csc"):
        raise ValueError(f"{where} is not a sparse matrix of rows or columns")
    for name in ("indices", "indptr"):
        if members[name].dtype.kind != "i" or members[name].ndim != 1:
            raise ValueError(f"{where} has {name} of {members[name].dtype}")
    if members["shape"].shape != (2,) or members["shape"].dtype.kind != "i" or members["data"].dtype.kind not in "biuf":
        raise ValueError(f"{where} is not a sparse matrix of numbers")
    return sum(map(len, parts.values()))
