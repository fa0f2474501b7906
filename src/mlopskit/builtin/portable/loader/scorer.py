"""A checked model as a scorer: a plain loop for each row."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .batches import Batches, numpy
from .document import Output, Program
from .shortcuts import shortened
from .values import Run, Value

_MANY = 64  # from which on it pays to ask numpy


class PortableScorer:
    """Tables as a scorer: columns in, lists out."""

    engine = "portable 1"

    def __init__(self, program: Program, schema: Mapping[str, Any]) -> None:
        inputs, outputs = schema["inputs"], schema["outputs"]
        texts = {name: _is_text(inputs["properties"][name]) for name in inputs["required"]}
        if [*program.inputs.items()] != [*texts.items()]:
            raise ValueError(f"the model reads {_shown(program.inputs)}, the schema has {_shown(texts)}")
        names = [one.name for one in program.outputs]
        if names != outputs["required"]:
            raise ValueError(f"the model answers {names[:12]}, the schema has {outputs['required'][:12]}")
        for one in program.outputs:
            if one.labels is not None and one.labels != outputs["properties"][one.name].get("enum"):
                raise ValueError(f"the labels of {one.name!r} are not those of the schema")
        short = shortened(program)
        self._run = _compiled(short.steps)
        self._read = [(one.name, _reader(one)) for one in short.outputs]
        self._program = program
        self._numbers = [not text for text in texts.values()]
        self._numeric, self._textual = all(self._numbers), not any(self._numbers)

    def score(self, rows: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the outputs for the rows: lists for lists, but arrays if many rows stand in arrays."""
        columns = [*rows.values()]
        count = len(columns[0])
        if count == 1:
            row = [cells[0] if type(cells) is list else _list(cells)[0] for cells in columns]
            values = self._run(row if self._textual else self._row(row))
            return {name: [of(values)] for name, of in self._read}
        if count >= _MANY and self._batches:
            plain = all(type(cells) is list for cells in columns)
            found = self._batches.score(columns)
            return {name: _list(cells) if plain else cells for (name, _), cells in zip(self._read, found, strict=True)}
        answers = [[of(values) for _, of in self._read] for values in map(self._run, map(self._row, _rows(columns)))]
        return {name: [row[at] for row in answers] for at, (name, _) in enumerate(self._read)}

    @functools.cached_property
    def _batches(self) -> Batches | None:
        np = numpy()
        return None if np is None else Batches(np, self._program)

    def _row(self, cells: Sequence[Any]) -> list[Any]:
        """Return cells as step 0 has them."""
        if self._textual:
            return [*cells]
        if self._numeric:
            try:
                return [*map(float, cells)]
            except (TypeError, OverflowError):  # one is missing, or none of double precision
                return [*map(_number, cells)]
        return [_number(cell) if number else cell for cell, number in zip(cells, self._numbers, strict=True)]


def _is_text(spec: Mapping[str, Any]) -> bool:
    return "string" in ([spec["type"]] if isinstance(spec["type"], str) else spec["type"])


def _shown(texts: Mapping[str, bool]) -> str:
    return ", ".join(f"{name!r} ({'text' if text else 'number'})" for name, text in [*texts.items()][:12])


def _rows(columns: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return zip(*map(_list, columns), strict=True)


def _list(cells: Any) -> Any:
    return cells if type(cells) in (list, tuple) else cells.tolist()


_NAN = float("nan")


def _number(cell: Any) -> float:
    try:
        return _NAN if cell is None else float(cell)
    except OverflowError as error:
        raise ValueError("the row has an integer beyond all numbers of double precision") from error


def _compiled(steps: Sequence[tuple[Value, Sequence[int]]]) -> Run:
    """Return the function from a row to the vectors of all steps."""
    plan: list[tuple[Run, Any]] = [
        (value.run, sources[0] if len(sources) == 1 else tuple(sources)) for value, sources in steps[1:]
    ]

    def run(row: Any) -> list[Any]:
        values = [row]
        append = values.append
        for step, source in plan:
            append(step(values[source]) if type(source) is int else step(*[values[one] for one in source]))
        return values

    return run


def _reader(output: Output) -> Run:
    """Return the function that takes an output from the vectors of all steps."""
    step, at, labels = output.step, output.at, output.labels
    if labels is None:
        return lambda values: values[step][at]
    return lambda values: labels[int(values[step][at])]
