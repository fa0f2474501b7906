"""A checked model as a scorer: a plain loop for each row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from .document import Output, Program
from .values import Run, Value

_ROWS = 2048  # that are scored at a time, so that many take no more memory
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
        self._run = _compiled(program.steps)
        self._read = [*map(_reader, program.outputs)]
        self._steps, self._outputs, self._names = program.steps, program.outputs, names
        self._numbers = [not text for text in texts.values()]
        self._numeric = all(self._numbers)

    def score(self, rows: Mapping[str, Any], /) -> dict[str, list[Any]]:
        """Return the outputs for the rows, a list each."""
        columns = [_list(cells) for cells in rows.values()]
        run, read = self._run, self._read
        if len(columns[0]) == 1:
            values = run(self._row([cells[0] for cells in columns]))
            return {name: [of(values)] for name, of in zip(self._names, read, strict=True)}
        answers: dict[str, list[Any]] = {name: [] for name in self._names}
        rows_of = zip(*columns, strict=True)
        while some := [*map(self._row, itertools.islice(rows_of, _ROWS))]:
            values = _vectors(self._steps, some)
            for one in self._outputs:
                answers[one.name] += _cells(one, values[one.step])
        return answers

    def _row(self, cells: Sequence[Any]) -> list[Any]:
        """Return cells as step 0 has them."""
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


def _vectors(steps: Sequence[tuple[Value, Sequence[int]]], rows: list[Any]) -> list[list[Any]]:
    """Return what each step makes of some rows."""
    found = [rows]
    for value, sources in steps[1:]:
        given = [found[one] for one in sources]
        many = value.many(*given) if value.many and len(rows) >= _MANY else None
        found.append([*map(value.run, *given)] if many is None else many)
    return found


def _cells(output: Output, vectors: list[Any]) -> list[Any]:
    at, labels = output.at, output.labels
    return [one[at] for one in vectors] if labels is None else [labels[int(one[at])] for one in vectors]


def _reader(output: Output) -> Run:
    """Return the function that takes an output from the vectors of all steps."""
    step, at, labels = output.step, output.at, output.labels
    if labels is None:
        return lambda values: values[step][at]
    return lambda values: labels[int(values[step][at])]
