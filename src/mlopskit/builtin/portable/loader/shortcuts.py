"""Steps on a text that are quicker made together: from its terms straight to a linear score.

Counting, weighting, normalizing and the linear step each make a vector for the next, which takes most of their time.
Where nothing else asks for these vectors, two sums over the terms do: of their products with the weights, and of their
squares, whose root is the norm. The score is divided by it, not each element before: rounded differently, as a sum may
be. A text whose sums are so small, or so large, that more would differ goes through the steps one by one.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

from .document import Program
from .values import Run, Value

_TINY, _HUGE = 1e-100, 1e100  # between them no sum of squares or products has lost digits


def shortened(program: Program, /) -> Program:
    """Return a program of fewer steps, if some can be made together, that answers one row as this one does."""
    uses = [0] * len(program.steps)
    for number in [*(one for _, sources in program.steps for one in sources), *(one.step for one in program.outputs)]:
        uses[number] += 1
    steps, gone = [*program.steps], set()
    for number, (value, _) in enumerate(program.steps):
        chain = _chain(program.steps, uses, number) if value.op == "linear" and value.width == 1 else {}
        if chain:
            run = _together({op: steps[at][0] for op, at in chain.items()})
            steps[number] = value._replace(run=run), steps[chain["count"]][1]
            gone |= {*chain.values()} - {number}
    new = {old: place for place, old in enumerate(one for one in range(len(steps)) if one not in gone)}
    return program._replace(
        steps=[(steps[old][0], [new[one] for one in steps[old][1]]) for old in new],
        outputs=[one._replace(step=new[one.step]) for one in program.outputs],
    )


def _chain(steps: Sequence[tuple[Value, Sequence[int]]], uses: Sequence[int], number: int) -> dict[str, int]:
    """Return the steps from a linear one back to counts by their kinds, if nothing else uses those before it."""
    chain = {"linear": number}
    for op in ("normalize", "multiply", "count"):  # the first two may be missing
        (source,) = steps[number][1]
        if steps[source][0].op == op and uses[source] == 1:
            chain[op] = number = source
    l2 = "normalize" not in chain or steps[chain["normalize"]][0].fields["norm"] == "l2"
    return chain if "count" in chain and l2 else {}


def _together(chain: Mapping[str, Value]) -> Run:
    """Return the function from the source of the counts to the vector of the linear step."""
    from .text import tokens_of  # as late as the first step on texts

    by_steps = [chain[op].run for op in ("count", "multiply", "normalize", "linear") if op in chain]
    fields = {op: value.fields for op, value in chain.items()}
    (weights,), (bias,) = fields["linear"]["weights"], fields["linear"]["bias"]
    values = fields["multiply"]["values"] if "multiply" in chain else [1.0] * len(weights)
    normed, binary = "normalize" in chain, fields["count"]["binary"]
    least = max(_TINY, fields["normalize"]["least"]) if normed else 0.0
    # A term's product and square are one number, a complex one: they are looked up, and added, at once.
    pairs = map(complex, map(mul, values, weights), map(mul, values, values))
    get = dict(zip(fields["count"]["terms"], pairs, strict=True)).get
    tokens = tokens_of({name: field for name, field in fields["count"].items() if name not in ("terms", "binary")})
    unknown = itertools.repeat(0j)

    def run(v: Any) -> Any:
        found = tokens(v)
        once = dict.fromkeys(found)
        sums = sum(map(get, once, unknown))
        if len(once) < len(found) and not binary:
            for term, more in _more(found).items():
                pair = get(term, 0j)
                sums += complex(more * pair.real, (more * more + 2.0 * more) * pair.imag)
        size = math.sqrt(sums.imag) if normed else 1.0
        if least <= size < _HUGE and _TINY < abs(sums.real) < _HUGE:
            return [sums.real / size + bias]
        return functools.reduce(lambda made, step: step(made), by_steps, v)

    return run


def _more(found: Sequence[str]) -> dict[str, float]:
    """Return how many times more than once each term is there that is."""
    seen: set[str] = set()
    more: dict[str, float] = {}
    for term in found:
        if term in seen:
            more[term] = more.get(term, 0.0) + 1.0
        else:
            seen.add(term)
    return more
