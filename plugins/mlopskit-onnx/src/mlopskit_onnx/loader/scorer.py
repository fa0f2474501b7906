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
        import numpy as np
        import onnxruntime as ort

        self.engine = f"onnxruntime {ort.__version__}"
        if tuple(int(one) for one in re.findall(r"\d+", ort.__version__)[:2]) < LEAST:
            needed = ".".join(map(str, LEAST))
            raise ValueError(f"its operators need onnxruntime {needed} or later, here is {ort.__version__}")
        names = list(schema["outputs"]["required"])
        if [one for one in checked.outputs if one != REFUSED] != names:
            raise ValueError(f"the model answers {checked.outputs}, the schema has {names}")
        _check_columns(checked.inputs, schema["inputs"])
        self.session = _session(ort, data)
        self._limit = Limit(ort, self.session)
        self._np, self._rows, self._signs = np, checked.rows, checked.signs
        self._names, self.outputs = names, [*checked.outputs]
        self._texts = [one for one in checked.inputs if one.text]
        self._numbers = [one.name for one in checked.inputs if not one.text]
        self._columns = [one.column for one in checked.inputs if not one.text]
        one = {one.column: ["" if one.text else 0.0] for one in checked.inputs}
        self._limit.first(self.outputs, self.given(one))

    def score(self, rows: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the outputs for the rows.

        Raises:
            ValueError: the model refuses a row, as scikit-learn does; or it took too long.
        """
        given, count = self.given(rows), len(next(iter(rows.values())))
        if count == 1 or (count <= self._rows and not self._texts):
            answers = self._limit.run(self.outputs, given)
        else:
            runs = ({name: cells[part] for name, cells in given.items()} for part in self._parts(given, count))
            parts = [self._limit.run(self.outputs, run) for run in runs]
            answers = [self._np.concatenate(cells) for cells in zip(*parts, strict=True)]
        if len(self.outputs) > len(self._names) and (refused := answers.pop()).any():
            raise ValueError(f"row {int(refused.argmax())} is one that this model does not take")
        plain = all(type(cells) is list for cells in rows.values())
        return {
            name: cells.tolist() if plain or cells.dtype.kind == "O" else cells
            for name, cells in zip(self._names, answers, strict=True)
        }

    def given(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns as the graph takes them: each with the second dimension 1."""
        given = {one.name: _written(one, rows[one.column]) for one in self._texts}
        if self._numbers:
            try:
                cells = self._np.array([rows[name] for name in self._columns], dtype=self._np.float64)
            except OverflowError as error:
                raise ValueError("the row has an integer beyond all numbers of double precision") from error
            given.update(zip(self._numbers, cells.reshape(len(cells), -1, 1), strict=True))
        return given

    def _parts(self, given: Mapping[str, Any], count: int) -> Iterator[slice]:
        """Yield parts of the rows that take little memory: few rows, and few where one text is long."""
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


def _written(one: Input, cells: Any) -> Any:
    """Return a column of texts after the steps before the graph."""
    import numpy as np

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
