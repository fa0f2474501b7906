"""Rows made to find a graph out: it must answer them as the tables do that it was made from, or be refused."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ASKED = 300
_NEAR = 1e-9
_NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, 5e-324, 1e9, -1e9, 1e15, 16777217.0, 3.5e38, -1e300)
_TEXTS = (
    "", " ", "a", "I", "don't stop", "Straße GROSSE", "ΣΟΦΟΣ σοφός", "İstanbul", "cafe\u0301 café", "你好世界 привет",
    "שָׁלוֹם مرحبا हिन्दी", "1½ ² Ⅳ ٣", "foo_bar __init__", "a\u00a0b\u3000c\x1cd", "\U0001d4b3 👍🏽", "x\x00y",
    "\n\t ", "ﬁ",
)  # fmt: skip
Cells = dict[str, list[Any]]


def rows(document: Mapping[str, Any], /) -> list[Cells]:
    """Return hostile rows for a model as tables, the same each time.

    They hold what the tables hold (thresholds, knots, categories, terms) and what stands beside it; half of them other
    numbers and texts, too, and the edges of single and double precision; a fourth what is missing.
    """
    chance = random.Random(0)  # noqa: S311  # not for secrets
    held = [*_values(document["steps"])]
    numbers = [one for one in held if isinstance(one, float)] or [*_NUMBERS]
    texts = [one for one in held if isinstance(one, str)] or [*_TEXTS]
    numbers += [math.nextafter(one, chance.choice((-math.inf, math.inf))) for one in chance.choices(numbers, k=ASKED)]
    inputs = {
        one["name"]: (_TEXTS, texts) if one["type"] == "text" else (_NUMBERS, numbers) for one in document["inputs"]
    }
    return [
        {name: [_cell(chance, *pools, gaps=row % 4 == 0, odd=row % 2 == 1)] for name, pools in inputs.items()}
        for row in range(ASKED)
    ]


def _cell(chance: random.Random, odd_ones: Sequence[Any], held: Sequence[Any], *, gaps: bool, odd: bool) -> Any:
    kind = chance.random()
    if gaps and kind < 1 / 4:
        return None
    if isinstance(held[0], str):
        return " ".join(chance.choices(odd_ones if odd and kind < 1 / 2 else held, k=chance.randint(1, 3)))
    if kind > 3 / 4:
        return chance.gauss(0, 1)
    return chance.choice(odd_ones if odd and kind < 1 / 2 else held)


def _values(found: Any) -> Iterator[float | str]:
    """Yield the numbers and texts of some tables, up to a thousand of each list."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name not in ("op", "from", "feature", "right", "values", "weights"):
                yield from _values(value)
    elif isinstance(found, list):
        for value in found[:1000]:
            yield from _values(value)
    elif isinstance(found, str):
        yield found
    elif type(found) in (int, float):
        yield float(found)


def differences(graph: Any, tables: Any, document: Mapping[str, Any], /) -> list[str]:
    """Return in which ways two scorers answer these rows differently; at most three."""
    found = []
    for row in rows(document):
        wanted, given = _answered(tables, row), _answered(graph, row)
        if why := _different(wanted, given, document["outputs"]):
            found.append(f"To {_shown(row)} the graph answers otherwise than the model: {why}.")
        if len(found) == 3:  # noqa: PLR2004  # enough to go on
            break
    return found


def _answered(scorer: Any, row: Cells) -> Mapping[str, Any] | None:
    try:
        answer: Mapping[str, Any] = scorer.score(row)
    except ValueError:
        return None
    return answer


def _different(
    wanted: Mapping[str, Any] | None, given: Mapping[str, Any] | None, outputs: Sequence[Mapping[str, Any]]
) -> str | None:
    if wanted is None or given is None:
        return None if wanted is given else f"{'refused' if given is None else given} instead of {wanted or 'refused'}"
    for output in outputs:
        name = output["name"]
        want, got = wanted[name][0], given[name][0]
        alike = want == got if output["labels"] is not None else _near(want, got)
        if not alike and not _tie(name, (want, got), wanted):
            return f"{name} is {got!r} instead of {want!r}"
    return None


def _near(want: float, got: float) -> bool:
    if not (math.isfinite(want) and math.isfinite(got)):
        return want == got or (math.isnan(want) and math.isnan(got))
    return abs(want - got) <= _NEAR * max(1.0, abs(want))


def _tie(name: str, labels: tuple[Any, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether two labels are equally likely."""
    shares = [wanted.get(f"probability{name.removeprefix('prediction')}.{label}") for label in labels]
    return None not in shares and abs(shares[0][0] - shares[1][0]) <= _NEAR  # type: ignore[index]  # neither is None


def _shown(row: Cells) -> str:
    cells = ", ".join(f"{name!r}: {value!r:.60}" for name, (value,) in [*row.items()][:4])
    return f"{{{cells}{', …' if len(row) > 4 else ''}}}"  # noqa: PLR2004  # enough to see
