from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mlopskit.builtin.portable.c.names import comment, fits_literal, identifiers, literal, number


def test_plain_names_stay_and_others_are_mapped_without_collisions():
    given_, made = (
        ["age", "Age 2", "int", "AGE", "9", "", "é", "a.b", "a_b", "a-b", "_t", "errno", "x_AGE"],
        ["age", "Age_2", "x_int", "x_AGE", "x_9", "x_", "x__", "a_b", "a_b_2", "a_b_3", "x__t", "x_errno", "x_AGE_2"],
    )
    assert identifiers(given_) == made


@given(st.lists(st.text() | st.sampled_from(["a", "a_2", "A", "for", "x_for", "a" * 60, "a" * 61]), max_size=8))
def test_every_list_of_names_has_as_many_names_of_c(names):
    made = identifiers(names)
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", one) and re.search("[a-z]", one) for one in made)
    assert not {*made} & {"for", "int", "while"}


@given(st.floats())
def test_a_number_is_read_back_as_it_was(value):
    text = number(value)
    read = float.fromhex(text) if "0x" in text else float(text)
    assert str(read) == str(value)


@given(st.binary(max_size=40))
def test_a_literal_holds_its_bytes_and_nothing_that_ends_it(data):
    text = literal(data)
    inside = re.fullmatch(r'"((?:[A-Za-z0-9 _.,:;-]|\\[0-7]{3})*)"', text)[1]
    assert re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), inside).encode("latin-1") == data


@given(st.text())
def test_a_comment_is_not_ended(text):
    assert not {"*", "/", "\\", "?", "\n"} & {*comment(text)}


def test_long_literals_are_left_to_tables():
    assert fits_literal(bytes(1000))
    assert not fits_literal(bytes(1001))
