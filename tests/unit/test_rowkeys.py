from __future__ import annotations

import hashlib
import struct

from hypothesis import example, given
from hypothesis import strategies as st

from mlopskit.rowkeys import hashes, keys

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**53, 2**53 + 1, 2**62, float(2**62), 0, 0.0, -0.0, 1, 1.0, True, "1", "1.0", ""]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
)


@given(st.tuples(CELLS, CELLS), st.tuples(CELLS, CELLS))
@example((1, "a"), (True, "a"))
@example((2**53, None), (2**53 + 1, None))
@example((0.0, "a"), (-0.0, "a"))
@example(("a", "b"), ("b", "a"))
def test_hashes_are_equal_exactly_when_rows_are(one, other):
    columns = {"a": [one[0], other[0]], "b": [one[1], other[1]]}
    first, second = hashes(columns, ["a", "b"]).tolist()
    assert (first == second) == (one == other)


def test_a_hash_is_the_same_in_every_process_and_order_of_columns():
    packed = b"\x92\xcb" + struct.pack(">d", 1) + b"\xa4good"  # MessagePack, by hand: an array of two
    known = int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little")
    assert hashes({"text": ["good"], "size": [1]}, ["text", "size"]).tolist() == [known]
    assert hashes({"size": [1.0], "text": ["good"], "x": [2]}, ["size", "text"]).tolist() == [known]


def test_texts_are_alike_but_for_case_spaces_and_unicode_form():
    texts = {"t": ["Straße  eins", " STRASSE eins ", "strasse einz", "ﬁt", "FIT", None], "n": [1, 1.0, 1, 2, 2, 2]}
    found = [*keys(texts, ["t", "n"], alike=True)]
    assert found[0] == found[1] != found[2]
    assert found[3] == found[4] != found[5]
    hashed = hashes(texts, ["t", "n"], alike=True).tolist()
    assert hashed[0] == hashed[1] != hashed[2]
    assert len(set(hashes(texts, ["t", "n"]).tolist())) == 6


def test_no_rows_have_no_hashes():
    assert hashes({"a": []}, ["a"]).tolist() == []
