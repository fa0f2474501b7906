"""Steps that are made together answer as they do one by one."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.builtin.portable.loader.document import parse
from mlopskit.builtin.portable.loader.scorer import _compiled
from mlopskit.builtin.portable.loader.shortcuts import shortened

WORDS = {"boundary": False, "sets": ["word"], "ranges": [], "not": False, "least": 1, "most": None}
TERMS = ["a", "b", "\u00e9", "\u0130x", "a b", "b a", "a a", "\u00e9 a", "c c", "never"]
TEXTS = st.lists(st.sampled_from(["a", "b", "A", "\u00e9", "\u0130x", "c", "unknown", "\U0001f600", ",", "a b"])).map(
    " ".join
)
USUAL = st.floats(-9, 9)
EXTREME = st.sampled_from([0.0, -0.0, 5e-324, 1e-300, -1e-160, 1e-100, 1.0, -3.0, 1e99, -1e160, 1.7e308])


def of(numbers):
    return st.lists(numbers, min_size=len(TERMS), max_size=len(TERMS))


def document_of(steps, outputs=None):
    """Return a document of steps that follow one another, the last of which has one element."""
    made = [{"from": [number]} | step for number, step in enumerate(steps)]
    given = [{"name": str(step), "from": step, "at": 0, "labels": None} for step in outputs or [len(steps)]]
    inputs = [{"name": "text", "type": "text"}]
    return json.dumps({"format_version": 1, "inputs": inputs, "steps": made, "outputs": given}).encode()


def count(ngrams=(1, 2), *, binary=False, analyzer="word"):
    options = {"lowercase": True, "accents": None, "pattern": [WORDS], "stop_words": [], "ngrams": [*ngrams]}
    return {"op": "count", "terms": TERMS, "binary": binary, "analyzer": analyzer} | options


def multiply(values):
    return {"op": "multiply", "values": values}


def normalize(least=0.0, norm="l2"):
    return {"op": "normalize", "norm": norm, "least": least}


def linear(*weights, bias=0.5):
    return {"op": "linear", "weights": [*weights], "bias": [bias] * len(weights)}


COUNTS = st.builds(
    count,
    st.sampled_from([(1, 1), (1, 2), (2, 2), (1, 3)]),
    binary=st.booleans(),
    analyzer=st.sampled_from(["word", "char"]),
)


def answer(program, text):
    (output,) = program.outputs
    return _compiled(program.steps)([text])[output.step][output.at]


@st.composite
def chains(draw, numbers):
    between = [multiply(draw(of(numbers)))] if draw(st.booleans()) else []
    if draw(st.booleans()):
        between.append(normalize(draw(st.sampled_from([0.0, 0.0, 2.5, 1e150]))))
    return [draw(COUNTS), *between, linear(draw(of(numbers)), bias=draw(USUAL))]


@given(steps=chains(USUAL) | chains(USUAL | EXTREME) | chains(EXTREME), texts=st.lists(TEXTS, min_size=1, max_size=5))
def test_a_text_is_answered_as_step_by_step(steps, texts):
    whole = parse(document_of(steps))
    short = shortened(whole)
    assert [value.op for value, _ in short.steps] == ["", "linear"]
    large = parse(document_of([made_of_magnitudes(step) for step in steps]))
    for text in texts:
        found, wanted = answer(short, text), answer(whole, text)
        if found != wanted and not (math.isnan(found) and math.isnan(wanted)):
            assert abs(found - wanted) <= 2e-15 * max(1.0, answer(large, text))


@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e-110, 1e110, 1e200, 1.7e308])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_numbers_at_the_ends_of_their_range_are_kept(size, sign):
    for values, weight in ([size] * 10, 0.25), ([0.7] * 10, size), ([1 / 3] * 9 + [size], size):
        steps = [count(), multiply(values), normalize(), linear([sign * weight] * 10, bias=0.0)]
        whole = parse(document_of(steps))
        assert answer(shortened(whole), "a b") == pytest.approx(answer(whole, "a b"), rel=1e-15, abs=0)


def made_of_magnitudes(step):
    """Return a step whose sums are as large as those of the other are before its terms cancel one another."""
    if step["op"] == "multiply":
        return multiply([*map(abs, step["values"])])
    return linear([*map(abs, step["weights"][0])], bias=abs(step["bias"][0])) if step["op"] == "linear" else step


@pytest.mark.parametrize("text", ["a " * 300_000, "a b " * 100_000 + "\u00e9 b", "c " * 100_000])
def test_a_term_counts_as_often_as_it_is_there(text):
    steps = [count(), multiply([0.1 * n for n in range(1, 11)]), normalize(), linear([0.3] * 10)]
    whole = parse(document_of(steps))
    assert answer(shortened(whole), text) == pytest.approx(answer(whole, text), abs=1e-15, rel=0)


@pytest.mark.parametrize(
    "steps",
    [
        [count(), normalize(norm="l1"), linear([1.0] * 10)],
        [count(), {"op": "sublinear"}, normalize(), linear([1.0] * 10)],
        [count(), multiply([1.0] * 10), linear([1.0] * 10, [2.0] * 10)],
        [count(), normalize(), multiply([1.0] * 10), linear([1.0] * 10)],
    ],
)
def test_other_steps_are_left_as_they_are(steps):
    whole = parse(document_of(steps))
    assert [value.op for value, _ in shortened(whole).steps] == [value.op for value, _ in whole.steps]


@pytest.mark.parametrize("asked", [1, 2, 3])
def test_what_is_answered_too_is_still_made(asked):
    steps = [count(), multiply([2.0] * 10), normalize(), linear([1.0] * 10)]
    whole = parse(document_of(steps, [4, asked]))
    short = shortened(whole)
    assert short.outputs == whole.outputs
    found, wanted = (_compiled(one.steps)(["a b b"]) for one in (short, whole))
    assert found == wanted


def test_steps_behind_and_beside_are_found_again():
    steps = [
        {"op": "constant", "values": [4.0], "from": [0]},
        {**count(), "from": [0]},
        {**linear([1.0] * 10), "from": [2]},
        {"op": "concat", "from": [3, 1, 3]},
        {"op": "apply", "function": "square", "from": [4]},
    ]
    whole = parse(document_of(steps, [5, 3, 1]))
    short = shortened(whole)
    assert [value.op for value, _ in short.steps] == ["", "constant", "linear", "concat", "apply"]
    found, wanted = ([_compiled(one.steps)(["a b a"])[output.step] for output in one.outputs] for one in (short, whole))
    assert found == wanted == [[30.25, 16.0, 30.25], [5.5], [4.0]]


def test_a_missing_text_is_refused():
    run = _compiled(shortened(parse(document_of([count(), linear([1.0] * 10)]))).steps)
    with pytest.raises(ValueError, match="the row has a missing text"):
        run([None])
