"""MurmurHash3 (x86, 32 bits, seed 0), by Austin Appleby, in the public domain: what scikit-learn hashes terms with."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_SIGN = 1 << 31


def murmur3(data: bytes, /) -> int:
    """Return the signed hash of bytes."""
    hashed, whole = 0, len(data) & ~3
    for at in range(0, whole, 4):
        mixed = int.from_bytes(data[at : at + 4], "little") * 0xCC9E2D51 & _MASK
        hashed ^= _rotated(mixed, 15) * 0x1B873593 & _MASK
        hashed = _rotated(hashed, 13) * 5 + 0xE6546B64 & _MASK
    if whole < len(data):
        mixed = int.from_bytes(data[whole:], "little") * 0xCC9E2D51 & _MASK
        hashed ^= _rotated(mixed, 15) * 0x1B873593 & _MASK
    hashed ^= len(data)
    hashed = (hashed ^ hashed >> 16) * 0x85EBCA6B & _MASK
    hashed = (hashed ^ hashed >> 13) * 0xC2B2AE35 & _MASK
    hashed ^= hashed >> 16
    return hashed - (1 << 32) if hashed & _SIGN else hashed


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> 32 - by) & _MASK
