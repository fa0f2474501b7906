from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.builtin.portable.loader.text import _finder, pattern_of

BOUNDARY = {"boundary": True, "sets": [], "ranges": [], "not": False, "least": 1, "most": 1}
ASCII = st.text(st.characters(max_codepoint=127), max_size=60)


def part(*sets, ranges=(), least=1, most=None, other=False):
    return {"boundary": False, "sets": [*sets], "ranges": [*ranges], "not": other, "least": least, "most": most}


PATTERNS = {
    "default": [BOUNDARY, part("word"), BOUNDARY],
    "two or more": [BOUNDARY, part("word", least=2), BOUNDARY],
    "boundary before": [BOUNDARY, part("word", least=3)],
    "letters": [part(ranges=[65, 90, 97, 122])],
    "letters, two or more": [part(ranges=[97, 122], least=2)],
    "digits": [part("digit")],
    "bounded digits": [BOUNDARY, part("digit"), BOUNDARY],
    "bounded others": [BOUNDARY, part("word", other=True), BOUNDARY],
    "all but commas": [part(ranges=[44, 44], other=True)],
    "no space": [part("not_space", least=2)],
    "spaces": [part("space")],
    "at most three": [part("word", most=3)],
    "two parts": [part(ranges=[97, 122], most=1, least=1), part("digit")],
    "nul": [part(ranges=[0, 0, 97, 122])],
    "a separator": [part(ranges=[28, 28, 97, 122])],
}


@pytest.mark.parametrize("parts", PATTERNS.values(), ids=PATTERNS)
@given(text=ASCII | st.text(max_size=40) | st.text(st.sampled_from("ab1_ ,\x00\x1c\n\u00e9"), max_size=40))
def test_tokens_are_what_the_pattern_finds(parts, text):
    assert _finder(parts)(text) == re.findall(pattern_of(parts), text)
