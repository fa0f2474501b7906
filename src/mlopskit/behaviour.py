"""Behavioural tests: rows written by hand, and what a model must answer whatever its accuracy.

    [[case]]                                # it must answer this
    name = "a complaint"
    row = { Comment = "The steak was bad!" }
    prediction = "Negative"                 # of several targets { mood = "Negative" }

    [[invariance]]                          # it must answer all these alike
    name = "names do not matter"
    rows = [{ Comment = "Anna was late." }, { Comment = "Omar was late." }]

    [[directional]]                         # the output must not move the other way
    name = "praise helps"
    before = { Comment = "The room was clean." }
    after = { Comment = "The room was clean and lovely." }
    output = "probability.Positive"
    change = "up"

The three kinds are those of M. T. Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList",
ACL 2020.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from mlopskit.errors import ConfigError, RowError, nearest
from mlopskit.runtime.schema import Columns, Row
from mlopskit.runtime.scoring import Scorer

# Sums of the same numbers in another order differ in their last bits.
_NOISE = 1e-9
_PREDICTION = "prediction"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row and the prediction that it must get; of several targets a table of those that matter."""

    table: ClassVar[str] = "case"
    name: str
    row: Row
    prediction: Any

    def asked(self) -> Sequence[Row]:
        """Return the rows to ask for."""
        return [self.row]

    def outputs(self) -> Mapping[str, Any]:
        """Return what is expected of each output."""
        if isinstance(self.prediction, Mapping):
            return {f"{_PREDICTION}.{target}": cell for target, cell in self.prediction.items()}
        return {_PREDICTION: self.prediction}

    def failure(self, answers: Columns, /) -> str | None:
        """Return what was expected and what was answered, None if that is the same."""
        for output, expected in self.outputs().items():
            answered = answers[output][0]
            if answered != expected or isinstance(answered, bool) != isinstance(expected, bool):
                target = output.removeprefix(_PREDICTION)[1:]
                return f"expected {f'{target} = ' if target else ''}{expected!r}, answered {answered!r}"
        return None


@dataclass(frozen=True, kw_only=True)
class Invariance:
    """Rows that must all get the same prediction, of each target."""

    table: ClassVar[str] = "invariance"
    name: str
    rows: Sequence[Row]

    def asked(self) -> Sequence[Row]:
        """Return the rows to ask for."""
        return self.rows

    def outputs(self) -> Iterable[str]:
        """Return no output: it takes all predictions that there are."""
        return ()

    def failure(self, answers: Columns, /) -> str | None:
        """Return what was expected and what was answered, None if that is the same."""
        columns = [cells for name, cells in answers.items() if name.startswith(_PREDICTION)]
        answered = list(columns[0]) if len(columns) == 1 else [*zip(*columns, strict=True)]
        if all(one == answered[0] for one in answered):
            return None
        return f"expected the same prediction for all {len(answered)} rows, answered {', '.join(map(repr, answered))}"


@dataclass(frozen=True, kw_only=True)
class Directional:
    """Two rows, and the direction in which an output must not fail to go, or must at least stay."""

    table: ClassVar[str] = "directional"
    name: str
    before: Row
    after: Row
    output: str
    change: str

    def asked(self) -> Sequence[Row]:
        """Return the rows to ask for."""
        return [self.before, self.after]

    def outputs(self) -> Iterable[str]:
        """Return the output that is looked at."""
        return [self.output]

    def failure(self, answers: Columns, /) -> str | None:
        """Return what was expected and what was answered, None if that is the same."""
        before, after = answers[self.output]
        grown = after - before if self.change == "up" else before - after
        if grown >= -_NOISE:
            return None
        other = "fall" if self.change == "up" else "rise"
        return f"expected {self.output} not to {other}, answered {before:.6g} before and {after:.6g} after"


Cases = Sequence[Case | Invariance | Directional]
_KINDS: Mapping[str, type[Any]] = {kind.table: kind for kind in (Case, Invariance, Directional)}


def read(path: Path, /) -> Cases:
    """Return the behavioural tests in a TOML file.

    Raises:
        ConfigError: it is not there, is no TOML, holds no test, or a key is missing, unknown or of another type.
    """
    cases = []
    for table, entries in _tables(path).items():
        if table not in _KINDS:
            raise _unknown_key(table, _KINDS, where=path.name)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"{path.name}: {table} is no list of tables.", remedy=f"Write [[{table}]].", key=table)
        cases += [_case(_KINDS[table], entry, f"{path.name}: [[{table}]] {n}") for n, entry in enumerate(entries, 1)]
    if not cases:
        raise ConfigError(
            f"{path.name} holds no test.", remedy="Add a [[case]], or leave the file out.", file=str(path)
        )
    return tuple(cases)


def run(cases: Cases, model: Scorer, /) -> tuple[str, ...]:
    """Return what failed, a sentence for each: the case's name, what was expected and what was answered.

    Raises:
        ConfigError: a row does not fit the model's inputs, or there is no such output; it names the case.
    """
    said = [(case, case.failure(_answers(case, model))) for case in cases]
    return tuple(f"{case.name}: {failure}." for case, failure in said if failure is not None)


def _answers(case: Case | Invariance | Directional, model: Scorer) -> Columns:
    rows = case.asked()
    try:
        answers = model.score(_columns(case.name, rows))
    except RowError as error:
        raise ConfigError(
            f"The behavioural test {case.name!r} does not fit the model: {error.message}",
            remedy=error.remedy,
            case=case.name,
        ) from error
    for output in case.outputs():
        if output not in answers:
            raise _unknown_key(output, answers, where=f"The behavioural test {case.name!r}", kind="output")
    return answers


def _columns(name: str, rows: Sequence[Row]) -> Columns:
    for row in rows:
        for key in row.keys() ^ rows[0].keys():
            raise _unknown_key(
                key, rows[0] if key in row else row, where=f"The behavioural test {name!r}", kind="column"
            )
    return {column: [row[column] for row in rows] for column in rows[0]}


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The behavioural tests {str(path)!r} cannot be read: {error.strerror}.",
            remedy="Correct `tests` in [evaluate].",
            file=str(path),
        ) from error
    except ValueError as error:
        raise ConfigError(f"{str(path)!r} is no TOML: {error}.", remedy="Correct that line.", file=str(path)) from error


def _case(kind: type[Any], entry: Mapping[str, Any], where: str) -> Any:
    keys = [field.name for field in fields(kind)]
    for key in entry:
        if key not in keys:
            raise _unknown_key(key, keys, where=where)
    for key in keys:
        fits, expected = _KEYS[key]
        if key not in entry or not fits(entry[key]):
            state = f"{key} is {entry[key]!r}" if key in entry else f"{key} is missing"
            raise ConfigError(f"{where}: {state}, expected {expected}.", remedy=f"Give {key}: {expected}.", key=key)
    return kind(**entry)


def _is_row(value: object) -> bool:
    return (
        isinstance(value, dict) and bool(value) and all(isinstance(cell, str | int | float) for cell in value.values())
    )


def _are_rows(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(map(_is_row, value))


# What each key must be, and how that is said.
_KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and bool(value), "a text"),
    "row": (_is_row, "a table of cells"),
    "before": (_is_row, "a table of cells"),
    "after": (_is_row, "a table of cells"),
    "rows": (_are_rows, "a list of at least two tables"),
    "prediction": (
        lambda value: isinstance(value, str | int | float) or _is_row(value),
        "a text, a number or a boolean, or a table of these by target",
    ),
    "output": (lambda value: isinstance(value, str), "the name of an output"),
    "change": (lambda value: value in ("up", "down"), '"up" or "down"'),
}


def _unknown_key(key: str, known: Iterable[str], *, where: str, kind: str = "key") -> ConfigError:
    near = nearest(key, known)
    hint = f"Did you mean {near!r}? " if near else ""
    return ConfigError(
        f"{where} has the unknown {kind} {key!a}.", remedy=f"{hint}Known: {', '.join(sorted(known))}.", key=key
    )
