"""The file: parsed and checked as a whole, each step made from the steps before it."""

from __future__ import annotations

import importlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .fields import NUMBER
from .values import MOST, Op, Value

FILE = "model.json"
FORMAT_VERSION = 1
LARGEST = 1 << 30  # bytes of the file
_MOST_STEPS = 100_000
_MOST_WIDTH = 1 << 26  # elements of all steps
_LONG = 1000  # numbers that are kept in a quarter of the memory that a list takes
# The modules that make steps, those that most models need first.
_MODULES = ("vectors", "scores", "text", "trees", "encode", "tables", "points")


class _Ops(Mapping[str, Op]):
    """The kinds of steps by name. A module is loaded when a step is asked for that those before it do not have."""

    def __getitem__(self, name: str, /) -> Op:
        for ops in self._modules():
            if name in ops:
                return ops[name]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        for ops in self._modules():
            yield from ops

    def __len__(self) -> int:
        return sum(map(len, self._modules()))

    def _modules(self) -> Iterator[Mapping[str, Op]]:
        for module in _MODULES:
            yield importlib.import_module(f".{module}", __package__).OPS


OPS: Mapping[str, Op] = _Ops()


class Output(NamedTuple):
    """An output: its name, the step and element that it is, and the labels that this element is the number of."""

    name: str
    step: int
    at: int
    labels: list[Any] | None


class Program(NamedTuple):
    """A checked model: its inputs, for each whether it is a text, its steps, each with its sources, and its outputs."""

    inputs: Mapping[str, bool]
    steps: Sequence[tuple[Value, Sequence[int]]]
    outputs: Sequence[Output]


def parse(data: bytes, /) -> Program:
    """Return the model in a file.

    Raises:
        ValueError: it is none; the message says where.
    """
    if len(data) > LARGEST:
        raise ValueError(f"{FILE} has {len(data):,} bytes, at most {LARGEST:,} are read")
    text = data.decode()  # json would take UTF-16 and halves of surrogates from bytes, too
    del data  # what is not needed any more goes at once: a model may take most of the memory there is
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError(f"{FILE} is nested too deep") from error
    del text
    fields = {"format_version", "inputs", "steps", "outputs"}
    if type(found) is not dict or found.keys() != fields:
        raise ValueError(f"{FILE} is no table of {', '.join(sorted(fields))}")
    if type(found["format_version"]) is not int or found["format_version"] != FORMAT_VERSION:
        raise ValueError(f"{FILE} has another format_version than {FORMAT_VERSION}")
    inputs = _inputs(found["inputs"])
    values = [source_of(inputs)]
    whole = len(inputs)
    steps: list[tuple[Value, Sequence[int]]] = [(values[0], ())]
    for number, step in enumerate(_list(found["steps"], "steps", _MOST_STEPS), 1):
        try:
            value, sources = _step(step, values)
        except ValueError as error:
            raise ValueError(f"{FILE}, step {number} {_named(step)}: {error}") from error
        values.append(value)
        steps.append((value, sources))
        whole += value.width
        if value.width > MOST or whole > _MOST_WIDTH:
            raise ValueError(f"{FILE}, step {number}: the vectors of all steps are too wide")
    return Program(inputs, steps, _outputs(found["outputs"], values))


def source_of(inputs: Mapping[str, bool], /) -> Value:
    """Return the value of step 0, the row itself."""
    texts = tuple(inputs.values())
    return Value(len(inputs), lambda row: row, texts=texts if any(texts) else ())


def make(op: str, fields: Mapping[str, Any], sources: Sequence[Value], /) -> Value:
    """Return the value of a step, its fields checked.

    Raises:
        ValueError: there is no such step, or it has other fields or sources.
    """
    kind = OPS.get(op) if type(op) is str else None
    if kind is None:
        raise ValueError("there is no such step")
    if fields.keys() != kind.fields.keys():
        raise ValueError(f"has the fields {sorted(fields)[:12]}, expected {sorted(kind.fields)}")
    if not sources or (kind.sources is not None and len(sources) != kind.sources):
        raise ValueError(f"has {len(sources)} sources, expected {kind.sources or 'some'}")
    checked = {}
    for name, field in kind.fields.items():
        try:
            checked[name] = field.check(fields[name])
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error
    return kind.make(*sources, **checked)._replace(op=op, fields=checked)


def _step(step: Any, values: Sequence[Value]) -> tuple[Value, Sequence[int]]:
    if type(step) is not dict or not {"op", "from"} <= step.keys():
        raise ValueError("is no table with op and from")
    sources = _list(step["from"], "from", _MOST_STEPS)
    if not set(map(type, sources)) <= {int} or not all(0 <= one < len(values) for one in sources):
        raise ValueError("names a source that is no earlier step")
    fields = {name: value for name, value in step.items() if name not in ("op", "from")}
    return make(step["op"], fields, [values[one] for one in sources]), sources


def _named(step: Any) -> str:
    return f"({ascii(step.get('op'))[:40]})" if type(step) is dict else ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"{FILE} has a name twice in one table")
    return found if "labels" in found else {name: _packed(value) for name, value in pairs}


def _packed(value: Any) -> Any:
    """Return a long list of floats as an array, as soon as it is read: the rest of the file still has to find room."""
    if type(value) is not list or not value:
        return value
    if type(value[0]) is list:
        return [*map(_packed, value)]
    return array("d", value) if len(value) >= _LONG and set(map(type, value)) == {float} else value


def _no_constant(word: str) -> Any:
    raise ValueError(f"{FILE} has {word}, which is no JSON")


def _list(value: Any, what: str, most: int) -> list[Any]:
    if type(value) is not list or len(value) > most:
        raise ValueError(f"{FILE}: {what} is no list of at most {most:,}")
    return value


def _inputs(value: Any) -> dict[str, bool]:
    found = {}
    for one in _list(value, "inputs", MOST):
        if type(one) is not dict or one.keys() != {"name", "type"}:
            raise ValueError(f"{FILE} has an input that is no table of name and type")
        if type(one["name"]) is not str or one["name"] in found or one["type"] not in ("text", "number"):
            raise ValueError(f"{FILE} has an input without a name or type of its own")
        found[one["name"]] = one["type"] == "text"
    if not found:
        raise ValueError(f"{FILE} has no inputs")
    return found


def _outputs(value: Any, values: Sequence[Value]) -> list[Output]:
    found: dict[str, Output] = {}
    for one in _list(value, "outputs", MOST):
        if type(one) is not dict or one.keys() != {"name", "from", "at", "labels"}:
            raise ValueError(f"{FILE} has an output that is no table of at, from, labels, name")
        name, step, at, labels = one["name"], one["from"], one["at"], one["labels"]
        if type(name) is not str or name in found:
            raise ValueError(f"{FILE} has an output without a name of its own")
        if type(step) is not int or not 0 <= step < len(values):
            raise ValueError(f"{FILE}, output {ascii(name)}: is of a step that is not there")
        if type(at) is not int or not 0 <= at < values[step].width or values[step].has_texts:
            raise ValueError(f"{FILE}, output {ascii(name)}: names an element that is not there")
        if labels is not None:
            _check_labels(labels)
            if not values[step].choices or values[step].choices[at] > len(labels):
                raise ValueError(f"{FILE}, output {ascii(name)}: has too few labels, or chooses none")
        found[name] = Output(name, step, at, labels)
    if not found:
        raise ValueError(f"{FILE} has no outputs")
    return [*found.values()]


def _check_labels(labels: Any) -> None:
    for label in _list(labels, "labels", MOST):
        if type(label) not in (str, int, float, bool):
            raise ValueError(f"{FILE} has a label that is neither text nor number, true or false")
        if type(label) in (int, float):
            try:
                NUMBER.check(label)
            except ValueError as error:
                raise ValueError(f"{FILE} has a label that is no finite number") from error
