"""Random documents of all steps and numbers: each step of what is exact in JavaScript as the page has it."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

seeds = st.integers(0, 2**40)
pytestmark = pytest.mark.live
SUMS = ("linear", "kernel", "nearest", "normalize", "shares")  # of what may cancel: compared where numbers are small


def told(cell):
    """Say whether JSON can tell a cell."""
    return not isinstance(cell, float) or math.isfinite(cell)


def alike(got, want, *, exact, small):
    if isinstance(want, bool | str) or isinstance(got, bool | str):
        return (type(got), got) == (type(want), want)
    got, want = float(got), float(want)
    if got == want or (math.isnan(got) and math.isnan(want)):
        return True
    return not exact and (not small or not math.isfinite(want) or abs(got - want) <= 1e-10 * max(1.0, abs(want)))


def agree(node, stranger, documents, seed):
    draw = random.Random(seed)
    document = documents.Maker(draw, stranger, wild=draw.random() < 0.6).made(12)
    theirs, levels = stranger.Model(json.dumps(document).encode()), documents.exactness(document)
    assert "refused" not in node.load(document), seed
    names = [one["name"] for one in document["inputs"]]
    for row in documents.rows_of(draw, document, 4):
        if not all(map(told, row)):
            continue
        want, (got,) = stranger.answer_or_none(theirs, row), node.answers([dict(zip(names, row, strict=True))])
        if want is None or got is None:
            assert got is want or "near" in levels, (seed, row, got, want)
            continue
        for output, mine, own in zip(document["outputs"], got, want, strict=True):
            step, level = output["from"], levels[output["from"]]
            small = step == 0 or document["steps"][step - 1]["op"] not in SUMS
            fine = level == "loose" or alike(mine, own, exact=level == "exact", small=small)
            assert fine, (seed, row, output, mine, own)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_random_documents_are_answered_as_by_the_page(node, stranger, documents, seed):
    agree(node, stranger, documents, seed)


@pytest.mark.slow
@settings(max_examples=3000, deadline=None)
@given(seed=seeds)
def test_very_many_random_documents_are_answered_as_by_the_page(node, stranger, documents, seed):
    agree(node, stranger, documents, seed)
