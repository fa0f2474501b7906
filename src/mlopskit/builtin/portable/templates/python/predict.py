"""Answer rows with the model in this folder; it needs Python's standard library and the files beside it.

    python -I -S predict.py [ROWS]

ROWS is a file of rows in JSON, or in CSV if its name ends in .csv; without it, JSON is read from standard input. In
JSON a row is an object with a value for each input that about.json names, null where it is missing; rows stand one
behind the other, or in a list. In CSV the first line names the inputs, and an empty cell is missing where that is
allowed. For each row an object is printed. It ends with 2 if a row does not fit, and says which; with
3 if the model cannot be loaded.

    from predict import load
    load().predict([{...}])
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # with -I, and where this folder is a package of yours
    sys.path.append(str(HERE))

from portable_scorer import load as load_tables  # type: ignore[import-not-found]  # noqa: E402  # stands beside it

KINDS: dict[str, type] = {"string": str, "boolean": bool, "null": type(None)}
SHOWN = 60


class BadRowError(ValueError):
    """A row does not fit: the message says which, where, and what was expected."""


class BadModelError(Exception):
    """The files of the model are not whole: the message says what is wrong."""


class Model:
    """The model: rows in, rows of answers out."""

    def __init__(self, folder: Path = HERE) -> None:
        self.about = json.loads((folder / "about.json").read_bytes())
        self.inputs = self.about["schema"]["inputs"]["properties"]
        self.names = self.about["schema"]["inputs"]["required"]
        spec = {name: self.about[name] for name in ("schema", "task", "frame")}
        self.scorer = load_tables({"model.json": (folder / "model.json").read_bytes()}, spec)

    def predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers to rows, each an object with a value for each input.

        Raises:
            BadRowError: one does not fit, or the model has no answer to it.
        """
        for number, row in enumerate(rows):
            self._check(number, row)
        return [self._answer(number, row) for number, row in enumerate(rows)]

    def _answer(self, number: int, row: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = self.scorer.score({name: [row[name]] for name in self.names})
        except ValueError as error:
            raise BadRowError(f"row {number}: {error}") from error
        return {name: _plain(cells[0]) for name, cells in answer.items()}

    def _check(self, number: int, row: Any) -> None:
        if not isinstance(row, dict):
            raise BadRowError(f"row {number} is no object: {shown(row)}")
        missing = [name for name in self.names if name not in row]
        extra = [name for name in row if name not in self.inputs]
        if missing or extra:
            wrong = [f"lacks {shown(name)}" for name in missing[:5]] + [f"has {shown(name)}" for name in extra[:5]]
            raise BadRowError(f"row {number} {', '.join(wrong)}; its columns are {shown(self.names)}")
        for name in self.names:
            if reason := misfit(row[name], self.inputs[name]):
                raise BadRowError(f"row {number}, column {shown(name)}: {shown(row[name])} {reason}")


def load(folder: str | Path = HERE) -> Model:
    """Return the model in a folder, by default this one.

    Raises:
        BadModelError: a file of it is missing, or not as it was.
    """
    try:
        return Model(Path(folder))
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise BadModelError(f"the model in {str(folder)!a} cannot be loaded: {error}") from error


def misfit(cell: Any, spec: dict[str, Any]) -> str:
    """Return why a cell does not fit a column, nothing if it does."""
    kinds = types_of(spec)
    if not any(_is(cell, kind) for kind in kinds):
        return f"is not {' or '.join(kinds)}"
    if "enum" in spec and not any(
        cell == one and isinstance(cell, bool) == isinstance(one, bool) for one in spec["enum"]
    ):
        return f"is none of {shown(spec['enum'])}"
    if isinstance(cell, str):
        return "is too long" if len(cell) > spec.get("maxLength", math.inf) else ""
    if cell is None or isinstance(cell, bool):
        return ""
    inside = spec.get("minimum", -math.inf) <= cell <= spec.get("maximum", math.inf)
    return "" if inside else "is too small or too large"


def types_of(spec: dict[str, Any]) -> list[str]:
    """Return the types that a column may have."""
    return [spec["type"]] if isinstance(spec["type"], str) else list(spec["type"])


def _is(cell: Any, kind: str) -> bool:
    if isinstance(cell, bool) or not isinstance(cell, (int, float)):
        return kind not in ("integer", "number") and isinstance(cell, KINDS[kind])
    if kind == "integer":
        return -(2**63) <= cell < 2**63 and float(cell).is_integer()
    try:
        return kind == "number" and math.isfinite(cell)
    except OverflowError:
        return False


def _plain(cell: Any) -> Any:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def shown(value: Any) -> str:
    """Return a foreign value on one line, in ASCII, shortened."""
    try:
        text = ascii(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def json_rows(text: str) -> list[Any]:
    """Return the rows of a JSON text: objects one behind the other, or lists of them.

    Raises:
        BadRowError: it is no JSON; NaN and a name that stands twice are none.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
    rows: list[Any] = []
    at, end = 0, len(text.rstrip())
    try:
        while at < end:
            while text[at].isspace():
                at += 1
            found, at = decoder.raw_decode(text, at)
            rows += found if isinstance(found, list) else [found]
    except BadRowError:
        raise
    except ValueError as error:  # an integer of very many digits is one of these, too
        raise BadRowError(f"this is no JSON: {error}") from error
    except RecursionError as error:
        raise BadRowError("this is no JSON of rows: it is nested too deep") from error
    return rows


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRowError(f"a row has a column twice: {shown([name for name, _ in pairs])}")
    return found


def _no_constant(word: str) -> Any:
    raise BadRowError(f"{word} is no JSON; a missing number is null")


def csv_rows(text: str, inputs: dict[str, Any]) -> list[Any]:
    """Return the rows of a CSV text, each cell as its column's type says.

    Raises:
        BadRowError: a line has more or fewer cells than the first.
    """
    csv.field_size_limit(1 << 30)
    try:
        head, *lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line] or [[]]
    except csv.Error as error:
        raise BadRowError(f"this is no CSV: {error}") from error
    if len(set(head)) != len(head):
        raise BadRowError(f"the first line has a column twice: {shown(head)}")
    for number, line in enumerate(lines):
        if len(line) != len(head):
            raise BadRowError(f"row {number} has {len(line)} cells, the first line has {len(head)}")
    return [
        {name: _cell(text, inputs.get(name, {"type": "string"})) for name, text in zip(head, line, strict=True)}
        for line in lines
    ]


def _cell(text: str, spec: dict[str, Any]) -> Any:
    """Return a cell of CSV as a value; what is none of its column stays the text, which is then refused."""
    kinds = types_of(spec)
    if not text and "null" in kinds:
        return None
    if "boolean" in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if "string" in kinds or "_" in text:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read_rows(path: str | None, inputs: dict[str, Any]) -> list[Any]:
    """Return the rows of a file, or of standard input.

    Raises:
        BadRowError: it cannot be read, or holds no rows.
    """
    try:
        data = sys.stdin.buffer.read() if path is None else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRowError(f"this is no UTF-8: {error}") from error
    except (OSError, ValueError) as error:
        raise BadRowError(f"{shown(path)} cannot be read: {error}") from error
    rows = csv_rows(text, inputs) if path is not None and path.lower().endswith(".csv") else json_rows(text)
    if not rows:
        raise BadRowError("there are no rows")
    return rows


def main(arguments: list[str]) -> int:
    """Print an answer for each row; return 0, or 2 if something does not fit."""
    if arguments[:1] in (["-h"], ["--help"]) or len(arguments) > 1:
        print(__doc__)
        return 0 if len(arguments) == 1 else 2
    try:
        model = load()
        for answer in model.predict(read_rows(arguments[0] if arguments else None, model.inputs)):
            print(json.dumps(answer))
    except BadRowError as error:
        print(f"Error: {error}.", file=sys.stderr)
        return 2
    except BadModelError as error:
        print(f"Error: {error}.", file=sys.stderr)
        return 3
    except BrokenPipeError:  # whoever read has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
