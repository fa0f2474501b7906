"""The scorer in JavaScript beside one that was written from the page alone, on random and on broken documents."""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

NEAR = 1e-10
WIDEST = 100_000  # elements of all steps of what is answered: the second scorer is slow
seeds = st.integers(0, 2**40)
pytestmark = pytest.mark.live


def read(row):
    """Return a row as JSON gives it to both: halves of a surrogate pair that stand together are one sign."""
    return json.loads(json.dumps(row))


def parted(node, worst, answer, inputs, rows):
    """Return the rows to which the answers differ; the document is loaded by both."""
    rows = [*map(read, rows)]
    names = [one["name"] for one in inputs]
    found = node.answers([dict(zip(names, row, strict=True)) for row in rows])
    pairs = [(row, got, answer(row)) for row, got in zip(rows, found, strict=True)]
    return [one for one in pairs if not worst(*one[1:]) <= NEAR]


def agree(node, worst, stranger, documents, seed):
    """Ask for the outputs of a random document whose steps are exact, on numbers whose sums are."""
    draw = random.Random(seed)
    document = documents.Maker(draw, stranger, wild=False, exact=True).made(draw.randrange(1, 16))
    model = stranger.Model(json.dumps(document).encode())
    assert "outputs" in node.load(document), seed
    kinds = [one["type"] for one in document["inputs"]]
    rows = [[documents.tame_cell(draw, kind) for kind in kinds] for _ in range(40)]
    assert parted(node, worst, lambda row: stranger.answer_or_none(model, row), document["inputs"], rows) == []


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_both_agree_on_a_random_document(node, worst, stranger, documents, seed):
    agree(node, worst, stranger, documents, seed)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(seed=seeds)
def test_both_agree_on_very_many_random_documents(node, worst, stranger, documents, seed):
    agree(node, worst, stranger, documents, seed)


def tidied(given_):
    """Return a document as JavaScript reads it: 1.0 is 1."""
    if isinstance(given_, dict):
        return {name: tidied(one) for name, one in given_.items()}
    if isinstance(given_, list):
        return [*map(tidied, given_)]
    return int(given_) if isinstance(given_, float) and given_.is_integer() else given_


def breaks(node, worst, stranger, documents, known, seed):
    """Change one thing of a document: both refuse it before the first row, or both answer alike."""
    draw = random.Random(seed)
    made = documents.Maker(draw, stranger, exact=True).made(draw.randrange(1, 9))
    data = documents.broken(draw, draw.choice([made, known(draw)]))
    said = node.tell(base64=base64.b64encode(data).decode())
    try:
        model = stranger.Model(data)
    except stranger.Refused:
        if "refused" not in said:
            stranger.Model(json.dumps(tidied(json.loads(data))).encode())
        return
    if "refused" in said:
        assert "beyond 2^53" in said["refused"], (seed, said)
        return
    if sum(shape.width for shape in model.shapes) > WIDEST:
        return
    kinds = [one["type"] for one in model.inputs]
    rows = [[documents.tame_cell(draw, kind) for kind in kinds] for _ in range(8)]
    assert parted(node, worst, lambda row: stranger.answer_or_none(model, row), model.inputs, rows) == [], seed


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_a_broken_document_is_refused_by_both_or_answered_alike(node, worst, stranger, documents, known, seed):
    breaks(node, worst, stranger, documents, known, seed)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(seed=seeds)
def test_very_many_broken_documents_are_refused_by_both_or_answered_alike(
    node, worst, stranger, documents, known, seed
):
    breaks(node, worst, stranger, documents, known, seed)
