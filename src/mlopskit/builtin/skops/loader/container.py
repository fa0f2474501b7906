"""The container: one zip archive for the same members, which is read only if it has exactly these bytes."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable

FILE = "model.skops"

MAX_MEMBERS = 0xFFFE
MAX_MEMBER = 1 << 30
MAX_TOTAL = 2 << 30
MAX_RATIO = 100  # of a whole archive that is larger than FREE when inflated
FREE = 64 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_DEFLATED, _DATE, _VERSION = 8, 0x21, 20  # the date is 1980-01-01
_NAME = re.compile(r"[a-z_0-9]{1,40}\.(?:npy|npz|json)")

Raw = tuple[str, int, int, bytes]  # name, crc, inflated size, deflated bytes


def deflate(name: str, data: bytes) -> Raw:
    """Return a member ready to pack."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return name, zlib.crc32(data), len(data), packer.compress(data) + packer.flush()


def pack(members: Iterable[Raw]) -> bytes:
    """Return the one zip archive of these members: no dates, attributes, comments or gaps."""
    locals_, centrals, at = [], [], 0
    for name, crc, size, raw in members:
        label = name.encode("ascii")
        fixed = (_VERSION, 0, _DEFLATED, 0, _DATE, crc, len(raw), size, len(label), 0)
        local = _LOCAL.pack(b"PK\3\4", *fixed) + label
        centrals.append(_CENTRAL.pack(b"PK\1\2", _VERSION, *fixed, 0, 0, 0, 0, at) + label)
        locals_ += [local, raw]
        at += len(local) + len(raw)
    directory = b"".join(centrals)
    count = len(centrals)
    if count > MAX_MEMBERS or at > MAX_TOTAL:
        raise ValueError(f"{count} members of {at} bytes are more than an archive may hold")
    end = _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), at, 0)
    return b"".join([*locals_, directory, end])


def budget(data: bytes) -> int:
    """Return how many bytes an archive may hold inflated, those in archives within it among them."""
    return min(MAX_TOTAL, max(FREE, MAX_RATIO * len(data)))


def unpack(data: bytes, *, what: str = FILE, allowed: int = MAX_TOTAL) -> dict[str, bytes]:
    """Return the members of an archive that `pack` could have written, inflated to no more than is allowed.

    Raises:
        ValueError: it is another archive, or larger than the limits.
    """
    members = _members(data, what)
    total = sum(size for _, _, size, _ in members)
    for name, _, size, _ in members:
        if size > MAX_MEMBER:
            raise ValueError(f"{what}: {name} declares {size} bytes, at most {MAX_MEMBER} are read")
    if total > min(allowed, budget(data)):
        raise ValueError(f"{what}: {len(data)} bytes declare {total} inflated, more than a model may")
    return {name: _inflate(member, what) for member in members for name in member[:1]}


def replaced(data: bytes, name: str, content: bytes, /) -> bytes:
    """Return an archive with another content of one member."""
    return pack(deflate(name, content) if member[0] == name else member for member in _members(data, FILE))


def _members(data: bytes, what: str) -> list[Raw]:
    if len(data) < _END.size or data[:4] != b"PK\3\4":
        raise ValueError(f"{what} is not a skops archive ({len(data)} bytes that begin with {data[:8]!r})")
    count = _END.unpack(data[-_END.size :])[4]
    members: list[Raw] = []
    at = 0
    for _ in range(count):
        if at + _LOCAL.size > len(data):
            raise ValueError(f"{what} ends within its members")
        _, _, _, _, _, _, crc, length, size, label, _ = _LOCAL.unpack_from(data, at)
        begin = at + _LOCAL.size
        at = begin + label + length
        members.append((_name(data[begin : begin + label], what), crc, size, data[begin + label : at]))
    if len({name for name, *_ in members}) != count:
        raise ValueError(f"{what} holds two members of one name")
    if pack(members) != data:
        raise ValueError(f"{what} is not a canonical archive: something stands in it beside its {count} members")
    return members


def _name(label: bytes, what: str) -> str:
    name = label.decode("ascii", "replace")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what} holds a member named {ascii(name[:60])}")
    return name


def _inflate(member: Raw, what: str) -> bytes:
    name, crc, size, raw = member
    inflater = zlib.decompressobj(-15)
    try:
        data = inflater.decompress(raw, size + 1)  # one byte more than declared shows a header that lies
    except zlib.error as error:
        raise ValueError(f"{what}: {name} cannot be inflated: {error}") from error
    if len(data) != size or not inflater.eof or inflater.unused_data or zlib.crc32(data) != crc:
        raise ValueError(f"{what}: {name} is not what its header says")
    return data
