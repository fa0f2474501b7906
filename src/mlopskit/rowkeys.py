"""When two rows are the same, exactly or written alike; and hashes of rows, by which that can be asked later."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Columns = Mapping[str, Sequence[Any]]


def keys(columns: Columns, names: Iterable[str], /, *, alike: bool = False) -> Iterator[tuple[Any, ...]]:
    """Yield a key for each row: those of two rows are equal if their cells in the named columns are.

    Cells are equal as Python has it: 1, 1.0 and True are. With `alike`, texts are also equal that differ by case, by
    spaces or by their Unicode form alone.
    """
    cells = [columns[name] for name in names]
    return zip(*(map(_normal, one) if alike and str in set(map(type, one)) else one for one in cells), strict=True)


def hashes(columns: Columns, names: Iterable[str], /, *, alike: bool = False) -> NDArray[np.uint64]:
    """Return the hash of each row's key: equal keys have equal hashes, others in 1 of 2^64 cases.

    It is the BLAKE2b digest of 8 bytes, read as a little-endian number, of the cells as MessagePack, in the order of
    the columns' names.
    """
    import msgspec
    import numpy as np

    encode, blake2b = msgspec.msgpack.Encoder().encode, hashlib.blake2b
    ordered = sorted(names)
    plain = {name: _numbers(columns[name]) for name in ordered}
    rows = keys(plain, ordered, alike=alike)
    return np.frombuffer(b"".join(blake2b(encode(row), digest_size=8).digest() for row in rows), "<u8")


def _normal(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    # What is ASCII has one form only.
    whole = cell.lower() if cell.isascii() else unicodedata.normalize("NFKC", cell).casefold()
    return " ".join(whole.split())


def _numbers(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the cells with equal numbers of several types as one: as a float, where that is exact."""
    if set(map(type, cells)) <= {str, type(None)}:
        return cells
    return [cell if cell is None or isinstance(cell, str) else _number(cell) for cell in cells]


def _number(cell: float) -> float:
    number = cell + 0.0  # also makes 0.0 of -0.0
    return number if number == cell else cell
