"""Ask the model in this folder for the rows of golden.jsonl, and compare.

It ends with 1 if an answer is another, or if there is no asking.

    python -I -S selftest.py

Numbers agree if |a - b| <= tolerance * max(scale, |b|), b being the expected one; labels are equal, except at a tie:
where the two largest expected probabilities of that target are at most twice the tolerance apart.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:  # with -I
    sys.path.append(str(HERE))

from predict import BadModelError, BadRowError, load  # type: ignore[import-not-found]  # noqa: E402  # stands beside it

MOST = 20
Row = dict[str, Any]


def main() -> int:
    """Print the answers that differ, and how many rows were asked; return 1 if there are any."""
    model = load()
    golden = model.about["golden"]
    lines = (HERE / "golden.jsonl").read_text("utf-8").splitlines()
    wrong, largest = [], 0.0
    for number, line in enumerate(lines):
        row, expected = (json.loads(line)[part] for part in ("row", "expected"))
        try:
            (answer,) = model.predict([row])
        except BadRowError as error:
            wrong.append(f"row {number} has no answer: {error}")
            continue
        for name in {**expected, **answer}:
            largest = max(largest, difference(expected.get(name), answer.get(name)))
            if not agrees(name, expected, answer, golden, labels=not model.about["task"].endswith("regression")):
                wrong.append(f"row {number}, {name!a}: {answer.get(name)!a}, expected {expected.get(name)!a}")
    for text in wrong[:MOST]:
        print(text)
    print(f"{len(lines)} rows, {len(wrong)} answers that differ, largest difference {largest:.3g}.")
    return 1 if wrong or not lines else 0


def agrees(
    name: str, expected: dict[str, Any], answer: dict[str, Any], golden: dict[str, Any], *, labels: bool
) -> bool:
    """Say whether an answer is the expected one."""
    want, got = expected.get(name), answer.get(name)
    if name not in expected or name not in answer:
        return False
    if labels and not name.startswith("probability"):
        return (want == got and isinstance(want, bool) == isinstance(got, bool)) or is_tie(name, expected, golden)
    if not (is_number(want) and is_number(got)):
        return bool(want == got)
    scale = golden["scale"] if is_number(golden["scale"]) else golden["scale"].get(name, 1.0)
    return bool(difference(want, got) <= golden["tolerance"] * max(scale, abs(expected[name])))


def is_tie(name: str, expected: Row, golden: Row) -> bool:
    """Say whether the two largest expected probabilities of a target are as good as equal."""
    prefix = f"probability{name.removeprefix('prediction')}."
    top = sorted((cell for other, cell in expected.items() if other.startswith(prefix) and is_number(cell)))[-2:]
    return len(top) == 2 and top[1] - top[0] <= 2 * golden["tolerance"]  # noqa: PLR2004  # the two largest


def is_number(cell: Any) -> bool:
    """Say whether a cell is a number, and no truth."""
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)


def difference(want: Any, got: Any) -> float:
    """Return by how much two cells differ, 0 if one of them is no number."""
    return abs(float(got) - float(want)) if is_number(want) and is_number(got) else 0.0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BadModelError as error:
        sys.exit(f"Error: {error}.")
