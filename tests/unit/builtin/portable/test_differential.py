"""Two scorers that know nothing of one another, on random documents and rows: the same bits, or both refuse."""

from __future__ import annotations

import json
import math
import random
import struct
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlopskit.builtin.portable.loader import blocks, load
from mlopskit.builtin.portable.loader.batches import Batches
from mlopskit.builtin.portable.loader.document import parse
from mlopskit.builtin.portable.loader.values import Sparse

SUMS = {"nearest", "linear", "normalize", "softmax", "posterior", "shares", "kernel"}  # whose order is free
WIDEST = 100_000  # elements of all steps of what is answered: the second scorer is slow
seeds = st.integers(0, 2**40)


def same(ours, theirs, *, zero=False):
    """Say whether two elements are the same to the last bit (a NaN has none of its own)."""
    if isinstance(ours, str) or isinstance(theirs, str) or ours is None or theirs is None:
        return ours == theirs
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return struct.pack("d", ours) == struct.pack("d", theirs) or (zero and ours == theirs)


def near(ours, theirs, magnitude):
    """Say whether two sums of the same terms, added in another order, may be these."""
    return same(ours, theirs, zero=True) or not magnitude < 1e300 or abs(ours - theirs) <= 1e-13 * (1 + magnitude)


class Pair:
    """Both scorers of a document."""

    def __init__(self, stranger, data):
        self.refused = stranger.Refused
        self.ours, self.theirs = parse(data), stranger.Model(data)
        self.step_of = stranger._input

    def disagreement(self, row):
        """Return where the scorers part, each step given the same vectors, and None if nowhere."""
        try:
            vectors = [[self.step_of(one["type"], cell) for one, cell in zip(self.theirs.inputs, row, strict=True)]]
        except self.refused:
            return None
        steps = zip(self.theirs.steps, self.ours.steps[1:], strict=True)
        for number, ((sources, run), (value, _)) in enumerate(steps, 1):
            given_ = [vectors[source] for source in sources]
            try:
                theirs = run(*given_)
            except self.refused:
                theirs = None
            ours = self._ours(value, sources, given_)
            if ours is None or theirs is None:
                return None if ours is theirs else (number, row, ours, theirs)
            if not self._alike(number, sources, given_, ours, theirs):
                return number, row, ours, theirs
            vectors.append(theirs)
        return None

    def _sparse(self, source):
        return self.ours.steps[source][0].sparse

    def _ours(self, value, sources, vectors):
        given_ = [
            Sparse({i: cell for i, cell in enumerate(one) if cell}) if self._sparse(source) else one
            for source, one in zip(sources, vectors, strict=True)
        ]
        try:
            made = value.run(*given_)
        except ValueError:
            return None
        return [made[i] for i in range(value.width)]

    def _alike(self, number, sources, vectors, ours, theirs):
        sparse = self._sparse(number) or any(map(self._sparse, sources))
        pairs = [*zip(ours, theirs, strict=True)]
        # Before Python 3.12 sum() adds from the first to the last, as the second scorer does.
        if self.theirs.ops[number - 1] in SUMS and (sparse or sys.version_info >= (3, 12)):
            cells = [abs(cell) for one in vectors for cell in one]
            magnitude = max(cells, default=0.0) ** 2 if max(cells, default=0.0) < 1e150 else math.inf
            return all(near(*pair, magnitude * 1e3 * (1 + len(cells))) for pair in pairs)
        return all(same(*pair, zero=sparse) for pair in pairs)


def spec_of(document):
    inputs = {one["name"]: {"type": "string" if one["type"] == "text" else "number"} for one in document["inputs"]}
    outputs = {one["name"]: {"enum": one["labels"]} for one in document["outputs"]}
    tables = {"inputs": inputs, "outputs": outputs}
    return {"schema": {name: {"properties": table, "required": [*table]} for name, table in tables.items()}}


def agree(stranger, documents, seed, rows=4):
    draw = random.Random(seed)
    document = documents.Maker(draw, stranger, wild=draw.random() < 0.7).made(draw.randrange(1, 16))
    pair = Pair(stranger, json.dumps(document).encode())
    for row in documents.rows_of(draw, document, rows):
        parted = pair.disagreement(row)
        assert parted is None, (seed, document["steps"][parted[0] - 1], parted)


ROUNDED = SUMS | {"apply", "sublinear", "yeo_johnson", "spline", "interpolate", "reduce"}  # numpy's exp is not C's


def block_by_block(stranger, documents, seed):
    """Ask for each step of many rows at once, given the second scorer's vectors."""
    np = pytest.importorskip("numpy")
    draw = random.Random(seed)
    document = documents.Maker(draw, stranger, wild=draw.random() < 0.6).made(12)
    program, theirs = parse(json.dumps(document).encode()), stranger.Model(json.dumps(document).encode())
    ways, values = Batches(np, program)._ways, [value for value, _ in program.steps]
    kinds = [one["type"] for one in theirs.inputs]
    rows = [[[stranger._input(kind, documents.tame_cell(draw, kind)) for kind in kinds]] for _ in range(40)]
    for number, (sources, run) in enumerate(theirs.steps, 1):
        kept = [(vectors, made) for vectors in rows if (made := answer(stranger, run, sources, vectors)) is not None]
        refused = len(kept) < len(rows)
        given_ = [blocks.block_of(np, values[i], [sparse_if(values[i], one[i]) for one in rows]) for i in sources]
        try:
            with np.errstate(all="ignore"):
                block = ways[number](*given_) if ways[number] else None
        except ValueError:
            assert refused, (seed, theirs.ops[number - 1])
            block = None
        assert block is None or not refused, (seed, theirs.ops[number - 1])
        found = [] if block is None else blocks.vectors_of(np, values[number], block)
        rounded = theirs.ops[number - 1] in ROUNDED
        for (vectors, made), ours in zip(kept if found else [], found, strict=True):
            magnitude = sum(abs(cell) for i in sources for cell in vectors[i] if isinstance(cell, float))
            for place, cell in enumerate(made):
                alike = same(ours[place], cell, zero=True) or (
                    rounded and near(ours[place], cell, abs(cell) + magnitude * magnitude)
                )
                assert alike, (seed, document["steps"][number - 1], ours[place], cell)
        rows = [[*vectors, made] for vectors, made in kept]
        if not rows:
            return


def answer(stranger, run, sources, vectors):
    try:
        return run(*[vectors[source] for source in sources])
    except stranger.Refused:
        return None


def sparse_if(value, vector):
    return Sparse({i: cell for i, cell in enumerate(vector) if cell}) if value.sparse else vector


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_a_step_makes_of_a_block_what_it_makes_of_each_row(stranger, documents, seed):
    block_by_block(stranger, documents, seed)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(seed=seeds)
def test_steps_make_of_very_many_blocks_what_they_make_of_each_row(stranger, documents, seed):
    block_by_block(stranger, documents, seed)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_both_scorers_agree_on_a_random_document(stranger, documents, seed):
    agree(stranger, documents, seed)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None)
@given(seed=seeds)
def test_both_scorers_agree_on_very_many_random_documents(stranger, documents, seed):
    agree(stranger, documents, seed)


def whole(stranger, documents, seed):
    """Ask for the outputs, of numbers whose sums are exact in any order, row by row and all at once."""
    draw = random.Random(seed)
    document = documents.Maker(draw, stranger, wild=False, exact=True).made(12)
    scorer = load({"model.json": json.dumps(document).encode()}, spec_of(document))
    theirs = stranger.Model(json.dumps(document).encode())
    kinds = [one["type"] for one in document["inputs"]]
    rows = [[documents.tame_cell(draw, kind) for kind in kinds] for _ in range(80)]
    wanted = [stranger.answer_or_none(theirs, row) for row in rows]
    names = [one["name"] for one in document["inputs"]]
    answered = [place for place, one in enumerate(wanted) if one is not None]
    for places in [[place] for place in range(len(rows))] + [answered] * bool(answered):
        columns = {name: [rows[place][n] for place in places] for n, name in enumerate(names)}
        try:
            found = [*zip(*scorer.score(columns).values(), strict=True)]
        except ValueError:
            assert wanted[places[0]] is None, (seed, rows[places[0]])
            continue
        for place, cells in zip(places, found, strict=True):
            assert wanted[place] is not None, (seed, rows[place])
            assert all(map(equal, cells, wanted[place])), (seed, rows[place], cells, wanted[place])


def equal(ours, theirs):
    return (type(ours) is type(theirs) and ours == theirs) or (
        type(ours) in (int, float) and type(theirs) in (int, float) and same(ours, theirs, zero=True)
    )


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_both_scorers_answer_alike_row_by_row_and_in_batches(stranger, documents, seed):
    whole(stranger, documents, seed)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(seed=seeds)
def test_both_scorers_answer_very_many_documents_alike(stranger, documents, seed):
    whole(stranger, documents, seed)


def breaks(stranger, documents, known, seed):
    """Change one thing of a document: both scorers refuse it before the first row, or both answer alike."""
    draw = random.Random(seed)
    made = documents.Maker(draw, stranger).made(draw.randrange(1, 9))
    data = documents.broken(draw, draw.choice([made, known(draw)]))
    try:
        theirs = stranger.Model(data)
    except stranger.Refused:
        with pytest.raises(ValueError):  # noqa: PT011  # whatever is disliked; any other error fails the test
            parse(data)
        return
    pair = Pair(stranger, data)
    if sum(shape.width for shape in theirs.shapes) > WIDEST:
        return
    document = {"inputs": theirs.inputs}
    for row in documents.rows_of(draw, document, 2):
        parted = pair.disagreement(row)
        assert parted is None, (seed, parted)


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
@example(seed=0)
def test_a_broken_document_is_refused_by_both_or_answered_alike(stranger, documents, known, seed):
    breaks(stranger, documents, known, seed)


@pytest.mark.slow
@settings(max_examples=15_000, deadline=None)
@given(seed=seeds)
def test_very_many_broken_documents_are_refused_by_both_or_answered_alike(stranger, documents, known, seed):
    breaks(stranger, documents, known, seed)
