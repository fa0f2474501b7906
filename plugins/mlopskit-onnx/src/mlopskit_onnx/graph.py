"""A graph in the making: nodes, constants, inputs, and what its vectors are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlopskit_onnx.loader.profile import DOUBLE, INT64
from mlopskit_onnx.loader.texts import BROKEN, MISSING
from mlopskit_onnx.message import Message, node, tensor

ML = "ai.onnx.ml"
MICROSOFT = "com.microsoft"


class NoGraphError(Exception):
    """A part of a model has no nodes; the message says which and why."""


def checked(text: str, /) -> str:
    """Return a text of the model, if it can be told from what stands for other things."""
    if MISSING in text or BROKEN in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise NoGraphError(f"{text!a:.80} holds U+FFFE, U+FFFF or a surrogate, which are not told apart")
    return text


def known(word: str, words: Collection[str], /) -> str:
    """Return a word of the tables, if it is one of those that are meant here."""
    if word not in words:
        raise NoGraphError(f"{word!r}, which is none of {', '.join(words)}, has no nodes")
    return word


@dataclass(frozen=True)
class Vector:
    """Rows of some width: one tensor (rows, width), or a tensor (rows, 1) for each element where some are texts.

    Of a sparse one there are `places` (rows, some) and the numbers that stand there; all others are zero. A
    place stands once in a row, but for the place `width`, where zeros are.
    """

    width: int
    tensor: str = ""
    places: str = ""
    columns: tuple[str, ...] = ()
    texts: tuple[bool, ...] = ()

    @property
    def has_texts(self) -> bool:
        """Whether an element is a text."""
        return any(self.texts)


@dataclass
class Graph:
    """Nodes and constants, named in the order of their making; the inputs that are read; the rows that are refused.

    `inputs` are, by name, a column, whether that is a text, and the steps that are taken before the graph; `widths` is
    how many numbers of a row there are in all, `signs` how many for each sign of a text.
    """

    nodes: list[Message] = field(default_factory=list)
    constants: dict[tuple[Any, ...], Message] = field(default_factory=dict)
    inputs: dict[str, tuple[str, bool, tuple[str, ...]]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    widths: int = 0
    signs: int = 0
    _joined: dict[tuple[str, ...], str] = field(default_factory=dict)

    def op(self, kind: str, /, *inputs: str, domain: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node and return its output; where it has several, the first: the next has an `i` behind its name."""
        name = f"t{len(self.nodes)}"
        names = [name + "i" * number for number in range(outputs)]
        self.nodes.append(node(kind, inputs, names, domain, attributes))
        return name

    def constant(self, values: Any, kind: str = "float64", /) -> str:
        """Return a constant: an array of numbers, or of texts (kind "str")."""
        made = tensor(values, kind, name=f"c{len(self.constants)}")
        key = (kind, *made["dims"], made.get("raw_data") or tuple(made.get("string_data", ())))
        found: str = self.constants.setdefault(key, made)["name"]
        return found

    def row(self, values: Iterable[float], /) -> str:
        """Return numbers as a constant of one row."""
        return self.constant([[*values]])

    def input(self, name: str, /, *, text: bool, steps: tuple[str, ...] = ()) -> str:
        """Return the input that a column is, after some steps of pre-processing."""
        whole = "|".join([name, *steps])
        if self.inputs.setdefault(whole, (name, text, steps)) != (name, text, steps):
            raise NoGraphError(f"two inputs would have the name {whole!r}")
        return whole

    def dense(self, x: Vector, /) -> str:
        """Return a vector of numbers as one tensor."""
        if x.has_texts:
            raise NoGraphError("texts are given to a step that takes numbers")
        if x.places:
            return self._scattered(x)
        if x.tensor:
            return x.tensor
        if x.columns not in self._joined:
            self._joined[x.columns] = self.join(x.columns)
        return self._joined[x.columns]

    def _scattered(self, x: Vector) -> str:
        """Return a sparse vector with all its zeros."""
        key = (x.places, x.tensor)
        if key not in self._joined:
            first = self.op("Gather", x.places, self.constant([0], "int64"), axis=1)
            zeros = self.row([0.0] * (x.width + 1))
            empty = self.where(self.op("Equal", first, first), zeros, zeros)
            whole = self.op("ScatterElements", empty, x.places, x.tensor, axis=1, reduction="add")
            self._joined[key] = self.op("Gather", whole, self.constant([*range(x.width)], "int64"), axis=1)
            self.widths += 3 * x.width
        return self._joined[key]

    def cells(self, x: Vector, /) -> str:
        """Return the numbers of a vector: of a sparse one those that are there."""
        return x.tensor if x.places else self.dense(x)

    def like(self, x: Vector, tensor: str, /) -> Vector:
        """Return a vector that is as sparse as another one."""
        return replace(x, tensor=tensor) if x.places else self.vector(x.width, tensor)

    def of(self, x: Vector, values: Sequence[float], other: float, /) -> str:
        """Return a value for each number of a vector, in the form that the vector has; `other` where zeros are."""
        if not x.places:
            return self.row(values)
        return self.op("Gather", self.constant([*values, other]), x.places, axis=0)

    def column(self, x: Vector, place: int, /) -> str:
        """Return one element as a tensor (rows, 1)."""
        if x.columns:
            return x.columns[place]
        return self.op("Gather", self.dense(x), self.constant([place], "int64"), axis=1)

    def vector(self, width: int, tensor: str, /) -> Vector:
        """Return a vector of numbers."""
        self.widths += width
        return Vector(width, tensor)

    def refuse(self, flags: str, /) -> None:
        """Refuse the rows for which an element of this boolean tensor is true."""
        self.refused.append(self.op("ReduceMax", self.numbers(flags), self.constant([1], "int64"), keepdims=1))

    def join(self, parts: Sequence[str], /) -> str:
        """Return tensors side by side."""
        return self.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]

    def numbers(self, flags: str, /) -> str:
        """Return booleans, or integers, as numbers."""
        return self.op("Cast", flags, to=DOUBLE)

    def integers(self, numbers: str, /) -> str:
        """Return whole numbers as integers."""
        return self.op("Cast", numbers, to=INT64)

    def where(self, flags: str, yes: str, no: str, /) -> str:
        """Choose between two tensors, element by element."""
        return self.op("Where", flags, yes, no)

    def missing(self, x: str, /, *, text: bool, of: Any = None) -> str:
        """Say which elements are missing, or equal a value that stands for that."""
        if of is None:
            return self.op("Equal", x, self.constant([[MISSING]], "str")) if text else self.op("IsNaN", x)
        return self.op("Equal", x, self.constant([[checked(of)]], "str") if text else self.constant([[of]]))
