import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.errors import LimitError, ManifestError
from mlopskit.runtime.decoding import decode, strict

faster = strict(msgspec.json.decode)


def outcome(read, body):
    try:
        return read(body)
    except (LimitError, ManifestError) as error:
        return type(error), error.message, error.remedy


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'[{"a": {"x": 1}, "a": {}}]',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a:": ":", "a:": ":"}',
        b"[NaN]",
        b"[-Infinity]",
        b"[1e999]",
        b'["\\ud800"]',
        b'["\xed\xa0\x80"]',
        b'["\xff"]',
        b"\xef\xbb\xbf[]",
        b"[1,]",
        b"[01]",
        b"",
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: str(body)[:30],
)
def test_what_is_not_strict_is_refused_in_the_same_words_whatever_reads_it(body):
    said = outcome(decode, body)
    assert isinstance(said, tuple)
    assert outcome(faster, body) == said
    assert "published" not in said[2]


@pytest.mark.parametrize(
    "body", [b'{"a:b": "c:\\"d:"}', b'[{"a": ":"}, {"a": "::"}]', b"[" * 64 + b"]" * 64, b'{"a": "[[[["}', b"1", b'":"']
)
def test_what_is_strict_is_read(body):
    assert faster(body) == decode(body) == json.loads(body)


def test_without_doubt_the_faster_decoder_is_enough():
    read = []

    def fast(body):
        read.append(body)
        return {"a:": [{"b": ":"}]}

    assert strict(fast)(b'{"a:": [{"b": ":"}]}') == {"a:": [{"b": ":"}]}
    assert read


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_both_read_one_value(value):
    body = json.dumps(value).encode()
    assert outcome(faster, body) == outcome(decode, body)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", "\\"]), st.sampled_from([1, ":", '":', {}])), max_size=4))
def test_a_key_that_stands_twice_is_seen_by_both(pairs):
    body = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs) + "}"
    assert outcome(faster, body.encode()) == outcome(decode, body.encode())
    assert isinstance(outcome(faster, body.encode()), dict) == (len({key for key, _ in pairs}) == len(pairs))


@given(st.text(alphabet='[]{}":,\\u0d8aNI1.e+-\n\x00 ', max_size=12))
def test_both_refuse_or_read_any_text(text):
    assert outcome(faster, text.encode()) == outcome(decode, text.encode())
