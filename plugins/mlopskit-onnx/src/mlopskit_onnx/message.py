"""Messages of ONNX: written as the loader's table of fields says, and parts of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlopskit_onnx.loader.profile import BOOL, DOUBLE, FLOAT, INT64, STRING, UINT8
from mlopskit_onnx.loader.wire import INT, RAW, TEXT, Field

_VARINT, _BYTES = 0, 2
_KINDS = {"bool": BOOL, "float32": FLOAT, "float64": DOUBLE, "int64": INT64, "str": STRING, "uint8": UINT8}
# The types of attributes, by the field that holds them.
_TYPES = {"i": 2, "s": 3, "t": 4, "ints": 7, "strings": 8}
Message = dict[str, Any]


def written(message: Mapping[str, Any], fields: Mapping[int, Field], /) -> bytes:
    """Return a message as bytes, its fields in the order of their numbers: the same bytes each time."""
    return b"".join(_fields(message, fields))


def _fields(message: Mapping[str, Any], fields: Mapping[int, Field]) -> Iterator[bytes]:
    for number, (name, kind, several) in sorted(fields.items()):
        value = message.get(name)
        for one in value or () if several else () if value is None else (value,):
            if kind == INT:
                yield _integer(number << 3 | _VARINT) + _integer(one & (1 << 64) - 1)
                continue
            data = one if kind == RAW else one.encode() if kind == TEXT else written(one, kind)
            yield _integer(number << 3 | _BYTES) + _integer(len(data))
            yield data


def _integer(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits to a byte
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def tensor(values: Any, kind: str, /, name: str | None = None) -> Message:
    """Return an array of numbers, or of texts (kind "str"), as a message."""
    import numpy as np

    array = np.asarray(values, dtype=object if kind == "str" else kind)
    about: Message = {"dims": [*array.shape], "data_type": _KINDS[kind], "name": name}
    if kind == "str":
        return about | {"string_data": [one.encode() for one in array.ravel()]}
    return about | {"raw_data": array.astype(array.dtype.newbyteorder("<")).tobytes()}


def node(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, attributes: Mapping[str, Any]
) -> Message:
    """Return a node as a message."""
    listed = [_attribute(name, value) for name, value in sorted(attributes.items())]
    about = {"input": [*inputs], "output": [*outputs], "op_type": kind, "attribute": listed}
    return about | ({"domain": domain} if domain else {})


def _attribute(name: str, value: Any) -> Message:
    if isinstance(value, int):
        field = "i"
    elif isinstance(value, str):
        field, value = "s", value.encode()
    elif isinstance(value, dict):
        field = "t"
    elif value and isinstance(value[0], str):
        field, value = "strings", [one.encode() for one in value]
    else:
        field = "ints"
    return {"name": name, field: value, "type": _TYPES[field]}


def value(name: str, kind: int, dims: Sequence[str | int]) -> Message:
    """Return the name and type of an input or output; a dimension is a number or has a name."""
    shape = [{"dim_param": one} if isinstance(one, str) else {"dim_value": one} for one in dims]
    return {"name": name, "type": {"tensor_type": {"elem_type": kind, "shape": {"dim": shape}}}}
