"""A checked ONNX model as a scorer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .limit import Limit
from .profile import LEAST, REFUSED, Checked, Input
from .texts import MISSING, STEPS, whole


class OnnxScorer:
    """An ONNX model as a scorer: columns in; lists out, or arrays where arrays were given."""

    def __init__(self, data: bytes, checked: Checked, schema: Mapping[str, Any]) -> None:
        import onnxruntime as ort

        self.engine = f"onnxruntime {ort.__version__}"
        if tuple(int(one) for one in re.findall(r"\d+", ort.__version__)[:2]) < LEAST:
            needed = ".".join(map(str, LEAST))
            raise ValueError(f"its operators need onnxruntime {needed} or later, here is {ort.__version__}")
        names = list(schema["outputs"]["required"])
        if [one for one in checked.outputs if one != REFUSED] != names:
            raise ValueError(f"the model answers {checked.outputs}, the schema has {names}")
        _check_columns(checked.inputs, schema["inputs"])
        self._limit = Limit(ort, _session(ort, data))
        self._inputs, self._rows, self._signs = checked.inputs, checked.rows, checked.signs
        self._names, self._outputs = names, [*checked.outputs]
        self._texts = [one for one in checked.inputs if one.text]
        self._limit.first(self._outputs, {one.name: _prepared(one, ["" if one.text else 0.0]) for one in self._inputs})

    def score(self, rows: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the outputs for the rows.

        Raises:
            ValueError: the model refuses a row, as scikit-learn does; or it took too long.
        """
        given = {one.name: _prepared(one, rows[one.column]) for one in self._inputs}
        count = len(next(iter(rows.values())))
        plain = all(type(cells) is list for cells in rows.values())
        parts = [
            self._limit.run(self._outputs, {name: cells[part] for name, cells in given.items()})
            for part in self._parts(given, count)
        ]
        answers = parts[0] if len(parts) == 1 else _joined(parts)
        if len(self._outputs) > len(self._names) and (refused := answers.pop()).any():
            raise ValueError(f"row {int(refused.argmax())} is one that this model does not take")
        return {
            name: cells.tolist() if plain or cells.dtype.kind == "O" else cells
            for name, cells in zip(self._names, answers, strict=True)
        }

    def _parts(self, given: Mapping[str, Any], count: int) -> Iterator[slice]:
        """Yield parts of the rows that take little memory: few rows, and few where one text is long."""
        if count == 1 or (count <= self._rows and not self._texts):
            yield slice(0, count)
            return
        sizes = [max(map(len, cells)) for cells in zip(*(given[one.name][:, 0] for one in self._texts), strict=True)]
        start, longest = 0, 1
        for row in range(count):
            longest = max(longest, sizes[row] if sizes else 1)
            if row > start and (row - start >= self._rows or (row + 1 - start) * longest > self._signs):
                yield slice(start, row)
                start, longest = row, sizes[row] if sizes else 1
        yield slice(start, count)


def _session(ort: Any, data: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _check_columns(inputs: Sequence[Input], schema: Mapping[str, Any]) -> None:
    for one in inputs:
        kinds = schema["properties"].get(one.column, {}).get("type")
        is_text = kinds is not None and "string" in ([kinds] if isinstance(kinds, str) else kinds)
        if kinds is None or is_text != one.text:
            raise ValueError(f"the model reads the column {one.column!a}, which the schema does not have so")


def _prepared(one: Input, cells: Any) -> Any:
    """Return a column as the graph takes it."""
    import numpy as np

    if not one.text:
        try:
            return np.array(cells, dtype=np.float64).reshape(-1, 1)
        except OverflowError as error:
            raise ValueError("the row has an integer beyond all numbers of double precision") from error
    made = np.empty((len(cells), 1), dtype=object)
    steps = [STEPS[name] for name in one.steps]
    for row, cell in enumerate(cells):
        text = cell
        if cell is None:
            text = MISSING
        elif cell == MISSING:
            raise ValueError(f"row {row} has the text U+FFFF, which stands for what is missing")
        else:
            for step in steps:
                text = step(text)
            text = whole(text)
        made[row, 0] = text
    return made


def _joined(parts: list[list[Any]]) -> list[Any]:
    import numpy as np

    return [np.concatenate(cells) for cells in zip(*parts, strict=True)]
