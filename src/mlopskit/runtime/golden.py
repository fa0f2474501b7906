"""Golden rows: what a model must answer wherever it is. Numbers within the tolerance, labels equal except at a tie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import canonical
from .errors import ManifestError, PackageError
from .manifest import FETCH, check_fields
from .names import shown
from .package import Package
from .schema import Row
from .scoring import Model

MAX_LINE = 4 << 20
EXAMPLES, _LONGEST = 3, 4 << 10
FILE = "golden.jsonl"
_AT_ONCE = 50
_KEYS = {"expected": dict, "row": dict}
PREDICTION = "prediction"
PROBABILITY = "probability"

Scale = float | Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class GoldenRow:
    """A row with its expected outputs."""

    row: Row
    expected: Row


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A golden row that was answered otherwise: its number from 0, the output, what was expected, what was said."""

    row: int
    output: str
    expected: Any
    answered: Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison found: mismatches, labels that differ at a tie, and the largest difference of numbers."""

    mismatches: tuple[Mismatch, ...]
    ties: int
    largest: float


def golden_rows(files: Mapping[str, bytes], manifest: Mapping[str, Any], /) -> list[GoldenRow]:
    """Return the golden rows of a package's files; none if it has none.

    Raises:
        ManifestError: a line is no row with what is expected of it.
    """
    if manifest["golden"] is None:
        return []
    try:
        lines = files[manifest["golden"]["file"]].splitlines()  # read now, if they were not kept
    except KeyError as error:
        raise ManifestError(f"The golden rows are not in {FILE}.", remedy=FETCH, field="golden") from error
    parsed = [check_fields(canonical.loads(line, what=FILE, limit=MAX_LINE), _KEYS, what=FILE) for line in lines]
    return [GoldenRow(**line) for line in parsed]


def check_golden(package: Package, model: Model, /) -> None:
    """Check that a model answers its package's golden rows here as they say.

    Raises:
        PackageError: it answers one otherwise, or not at all.
    """
    rows, about = golden_rows(package.files, package.manifest), package.manifest["golden"]
    if not rows:
        return
    # Few at once, as callers ask: what a scorer needs for many it has not loaded then.
    parts = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
    answered = [said for part in parts for said in model.predict([one.row for one in part])]
    labels = answers_labels(package.manifest["task"])
    found = compare_rows(rows, answered, labels=labels, tolerance=about["tolerance"], scale=about["scale"])
    if found.mismatches:
        first = found.mismatches[0]
        raise PackageError(
            f"The model {model.name!r} of {model.digest} answers {len(found.mismatches)} outputs of its {len(rows)} "
            f"golden rows otherwise here: of row {first.row}, {shown(first.output)} is {shown(first.answered)}, "
            f"expected {shown(first.expected)}.",
            remedy="Install the versions that requirements.txt in the package names.",
            mismatches=found.mismatches,
        )


def proven(package: Package, model: Model, /) -> Model:
    """Return a package's model once it has answered the golden rows as they say, with those that may be shown.

    Raises:
        PackageError: it answers one otherwise, or not at all.
    """
    check_golden(package, model)
    model.examples = examples_of(package)
    return model


def examples_of(package: Package, /) -> list[Row]:
    """Return a few short golden rows that anybody may see; none if they were taken from the test data."""
    if (package.manifest["golden"] or {}).get("from") == "test":
        return []
    rows = [one.row for one in golden_rows(package.files, package.manifest)]
    return [row for row in rows if len(canonical.dumps(row)) <= _LONGEST][:EXAMPLES]


def answers_labels(task: str, /) -> bool:
    """Say whether the predictions of a task are classes, not numbers."""
    return task not in ("regression", "multioutput-regression")


def probabilities_of(prediction: str, outputs: Iterable[str], /) -> list[str]:
    """Return the names of the probabilities that belong to a prediction, of one target or of several."""
    prefix = f"{PROBABILITY}{prediction.removeprefix(PREDICTION)}."
    return [name for name in outputs if name.startswith(prefix)]


def compare_rows(
    golden: Sequence[GoldenRow], answered: Sequence[Row], /, *, labels: bool, tolerance: float, scale: Scale = 1.0
) -> Comparison:
    """Compare rows of outputs with the expected ones.

    Numbers agree if |a - b| <= tolerance * max(scale, |b|), b being the expected one; `scale` may be one for each
    output, 1 for those it does not name. `labels` says that predictions are classes: they are equal, except at a tie,
    where the two largest expected probabilities of that target differ by at most twice the tolerance.
    """
    if len(answered) != len(golden):
        count = Mismatch(row=min(len(answered), len(golden)), output="", expected=len(golden), answered=len(answered))
        return Comparison(mismatches=(count,), ties=0, largest=0.0)
    rule = _Rule(labels=labels, tolerance=tolerance, scale=scale)
    found = [
        one
        for number, (row, said) in enumerate(zip(golden, answered, strict=True))
        for one in rule.row(number, row, said)
    ]
    return Comparison(
        mismatches=tuple(one.mismatch for one in found if one.mismatch),
        ties=sum(one.tie for one in found),
        largest=max((one.difference for one in found), default=0.0),
    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    mismatch: Mismatch | None = None
    tie: bool = False
    difference: float = 0.0


@dataclass(frozen=True, kw_only=True)
class _Rule:
    labels: bool
    tolerance: float
    scale: Scale

    def row(self, number: int, golden: GoldenRow, said: Row) -> Iterator[_Found]:
        for output in dict.fromkeys([*golden.expected, *said]):
            want, got = golden.expected.get(output), said.get(output)
            is_label = self.labels and not output.startswith(f"{PROBABILITY}.")
            scale = self.scale if isinstance(self.scale, float | int) else self.scale.get(output, 1.0)
            one = self._label(golden, output, got) if is_label else self._number(want, got, scale)
            if one is None:
                mismatch = Mismatch(row=number, output=output, expected=want, answered=got)
                yield _Found(mismatch=mismatch, difference=_difference(want, got))
            else:
                yield one

    def _label(self, golden: GoldenRow, output: str, got: Any) -> _Found | None:
        if _same(golden.expected.get(output), got):
            return _Found()
        return _Found(tie=True) if got is not None and self._is_tie(golden, output) else None

    def _is_tie(self, golden: GoldenRow, output: str) -> bool:
        scores = [golden.expected[name] for name in probabilities_of(output, golden.expected)]
        top = sorted((float(value) for value in scores if isinstance(value, int | float)), reverse=True)[:2]
        return len(top) > 1 and top[0] - top[1] <= 2 * self.tolerance

    def _number(self, want: Any, got: Any, scale: float) -> _Found | None:
        if want is None or got is None:
            return _Found() if want is got else None
        if not (_is_number(want) and _is_number(got)):
            return _Found() if _same(want, got) else None
        difference = _difference(want, got)
        within = difference <= self.tolerance * max(scale, abs(want))
        return _Found(difference=difference) if within else None


def _same(want: object, got: object) -> bool:
    # True equals 1 in Python, and is another answer in JSON.
    return want == got and isinstance(want, bool) == isinstance(got, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _difference(want: Any, got: Any) -> float:
    return abs(float(got) - float(want)) if _is_number(want) and _is_number(got) else 0.0
