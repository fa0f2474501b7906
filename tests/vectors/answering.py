"""What a vector asks of a scorer: the rows of the file, and the answers that stand beside them."""

from __future__ import annotations

import math


def near(got, want, tolerance):
    if isinstance(want, float):
        return abs(got - want) <= tolerance * max(1.0, abs(want))
    return math.isnan(got) if want is None else (type(got), got) == (type(want), want)


def check(scorer, names, outputs, vector):
    """Ask a scorer of these columns and outputs for each row: it answers, or refuses, as the vector says."""
    for row, expected in zip(vector["rows"], vector["expected"], strict=True):
        try:
            found = scorer.score({name: [cell] for name, cell in zip(names, row, strict=True)})
        except ValueError:
            assert expected is None, row
            continue
        assert expected is not None, row
        for name, want in zip(outputs, expected, strict=True):
            assert near(found[name][0], want, vector["tolerance"]), (row, name, found[name][0], want)
