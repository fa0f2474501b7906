import json
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime import Model, http


def column(**spec):
    return {"additionalProperties": False, "properties": {"x": spec}, "required": ["x"], "type": "object"}


def score(rows):
    if rows["x"] == ["fail"]:
        raise ZeroDivisionError
    return {"x": rows["x"]}


MODEL = Model(
    name="echo",
    digest="sha256:" + "0" * 64,
    format="portable",
    schema={"inputs": column(type="string"), "outputs": column(type="string")},
    scorer=types.SimpleNamespace(score=score),
)


def ask(body):
    status, answer = http.answer(MODEL, body)
    return status, json.loads(answer)


def test_rows_are_answered_with_the_digest_and_what_ran():
    status, answer = ask('{"rows": [{"x": "ä"}, {"x": "b"}]}'.encode())
    assert status == 200
    assert answer["rows"] == [{"x": "ä"}, {"x": "b"}]
    assert answer["digest"] == MODEL.digest
    assert answer["runtime"].keys() == {"engine", "python", "machine"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"x", 400),
        (b'{"rows": [{"x": NaN}]}', 400),
        (b'{"rows": [], "rows": []}', 400),
        (b'{"rows": [{"x": "\\ud800"}]}', 400),
        (b"\xff", 400),
        (b"[" * 100 + b"]" * 100, 413),
        (b'"' + b"x" * http.MAX_BODY + b'"', 413),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"rows": {}}', 422),
        (b'{"rows": [], "more": 1}', 422),
        (b'{"rows": []}', 422),
        (b'{"rows": [1]}', 422),
        (b'{"rows": [{}]}', 422),
        (b'{"rows": [{"x": 1}]}', 422),
        (b'{"rows": [{"x": null}]}', 422),
        (b'{"rows": [{"x": "fail"}]}', 500),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_fault_has_its_status_and_a_remedy(body, status):
    found, answer = ask(body)
    assert found == status
    assert answer.keys() == {"error", "remedy"}
    assert all(answer.values())


def test_the_limit_is_the_servers():
    assert http.answer(MODEL, b'{"rows": [{"x": "a"}]}', limit=10)[0] == 413


@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["rows", "x", "y"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_request_is_the_servers_fault(body):
    status, answer = ask(body)
    assert status in (200, 400, 413, 422)
    assert isinstance(answer, dict)
