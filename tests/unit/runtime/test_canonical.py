import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime import canonical
from mlopskit.runtime.errors import LimitError, ManifestError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def loads(data, limit=1 << 20):
    return canonical.loads(data, what="The thing", limit=limit)


def identical(one, other):
    return type(one) is type(other) and repr(one) == repr(other)


@given(VALUES)
def test_a_value_has_one_spelling_that_reads_back_the_same(value):
    data = canonical.dumps(value)
    back = loads(data)
    assert back == value
    assert canonical.dumps(back) == data
    if not isinstance(value, dict | list):
        assert identical(back, value)


@given(VALUES)
def test_any_other_spelling_is_refused(value):
    data = canonical.dumps(value)
    for other in (json.dumps(value, indent=1), json.dumps(value, ensure_ascii=True), f" {json.dumps(value)}"):
        if other.encode() != data:
            with pytest.raises(ManifestError):
                loads(other.encode())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_typed_error(data):
    try:
        value = loads(data)
    except (ManifestError, LimitError):
        return
    assert canonical.dumps(value) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":1,"a":2}', "the key 'a' stands twice"),
        (b'[{"a":{"b":1,"b":1}}]', "the key 'b' stands twice"),
        (b'{"\\u202e\\ud800":1,"\\u202e\\ud800":1}', r"the key '\\u202e\\ud800' stands twice"),
        (b"NaN", "NaN is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"1e999", "the number '1e999' is too large"),
        (b"-1" + b"0" * 400 + b".0", "is too large"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"{} {}", "Extra data"),
        (b"{}\n", "canonical form"),
        (b"", "Expecting value"),
        (b"\xff", "can't decode"),
        (b'"\xed\xa0\x80"', "can't decode"),
        (b'"\\ud800"', "surrogates not allowed"),
        (b'{"\\uDFFF":1}', "surrogates not allowed"),
        (b"1" * 5000, "integer string conversion"),
        (b"[" * 60, "Expecting value"),
        (b"[" * 200_000, "recursion"),
        (b'{"b":1,"a":2}', "canonical form"),
        (b'{"a": 1}', "canonical form"),
        (b"1.50", "canonical form"),
        (b"1E3", "canonical form"),
        (b"-0", "canonical form"),
        (b'"\\u0041"', "canonical form"),
        (b"{'a':1}", "double quotes"),
        (b"{}\0", "Extra data"),
    ],
)
def test_what_is_malformed_is_refused_with_its_reason(data, reason):
    with pytest.raises(ManifestError, match=rf"^The thing is malformed: .*{reason}"):
        loads(data)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_is_limited(pair):
    before, after = pair
    assert loads(before * 63 + b"[]" + after * 63)
    for depth in (65, 100, 100_000):
        with pytest.raises(LimitError, match="nested deeper than 64"):
            loads(before * (depth - 1) + b"[]" + after * (depth - 1))


def test_a_text_full_of_brackets_is_not_nested():
    value = ['"[' * 1000, "\\" * 7, '\\"{' * 100]
    assert loads(canonical.dumps(value)) == value


def test_the_depth_of_a_large_request_is_found_fast():
    data = b"[" + b",".join([b"[" * 60 + b"]" * 60] * 10_000) + b"]"
    began = time.process_time()
    with pytest.raises(LimitError, match="has more than"):
        canonical.parse(data, what="It", limit=1000)
    assert len(canonical.parse(data, what="It", limit=len(data))) == 10_000
    assert time.process_time() - began < 5


def test_length_is_limited():
    assert loads(b"12345", limit=5) == 12345
    with pytest.raises(LimitError, match="more than 5 bytes"):
        loads(b"123456", limit=5)


def test_a_request_may_be_spelt_freely_but_holds_no_half_surrogate_pairs():
    assert canonical.parse(b' {"b": "\\ud83d\\ude00", "a": 1E2}', what="It", limit=100) == {"a": 100.0, "b": "😀"}
    with pytest.raises(ManifestError, match="surrogates not allowed"):
        canonical.parse(b'{"a": "\\ud83d"}', what="It", limit=100)


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", {1, 2}, b"a", {1: 1, "a": 2}, object()])
def test_what_is_not_json_is_not_written(value):
    with pytest.raises(ValueError, match=r"\w"):
        canonical.dumps([value])


def test_a_circle_is_not_written():
    circle = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        canonical.dumps(circle)


def test_a_digest_names_its_algorithm():
    assert canonical.digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
