import json
import runpy
import types
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlopskit.runtime import Model, http

HOSTILE = runpy.run_path(str(Path(__file__).parents[2] / "vectors" / "hostile.py"))
ROW = {"text": "a", "number": 1.5, "whole": 3, "yes": True}
REQUESTS = HOSTILE["requests_of"]("echo", ROW)
FOR_THE_LOG = ("Traceback", "site-packages", 'File "', "/home", "mlopskit/runtime", "49")


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


INPUTS = {"text": {"type": "string"}, "number": {"type": "number"}, "whole": {"type": "integer"}}
MODEL = Model(
    name="echo",
    digest="sha256:" + "0" * 64,
    format="portable",
    schema={
        "inputs": schema_of(**INPUTS, yes={"type": "boolean"}),
        "outputs": schema_of(prediction={"type": "number"}),
    },
    # What a linear model does with large numbers: infinity, which no answer may hold.
    scorer=types.SimpleNamespace(score=lambda columns: {"prediction": [10.0 * one for one in columns["number"]]}),
)
SERVICES = {
    "standard library": http.Service.of(MODEL),
    "msgspec": http.Service.of(MODEL)._replace(
        decode=http.strict(msgspec.json.decode), encode=msgspec.json.Encoder().encode
    ),
}


def test_there_are_300_and_the_row_fits(record_property):
    record_property("figure: hostile requests, each answered in two ways of reading JSON", len(REQUESTS))
    assert len(REQUESTS) >= 300
    for service in SERVICES.values():
        request = http.Request("POST", "/predict", HOSTILE["JSON"], json.dumps({"row": ROW}).encode(), "an-id")
        assert http.respond(service, request).status == 200


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())
def test_none_is_answered_by_a_fault_or_a_word_for_the_log(service):
    for one in REQUESTS:
        id = http.request_id(one.headers.get("x-request-id"))
        response = http.respond(service, http.Request(one.method, one.path, one.headers, one.body, id))
        said = response.body.decode()
        assert response.status < 500, (one.id, response)
        assert not [word for word in FOR_THE_LOG if word in said.replace(id, "")], (one.id, said)
        assert len(response.body) < 10_000 or response.status == 200, one.id
        assert all(name.isascii() and value.isascii() and value.isprintable() for name, value in response.headers)
        json.loads(said) if response.headers[0][1] != "text/csv" and said else None


def test_both_ways_of_reading_give_one_answer():
    for one in REQUESTS:
        request = http.Request(one.method, one.path, one.headers, one.body, "an-id")
        first, second = (http.respond(service, request) for service in SERVICES.values())
        assert (first.status, first.headers) == (second.status, second.headers), one.id
        if first.headers[0][1] == "application/problem+json":
            assert first.body == second.body, one.id


GOOD = [one for one in REQUESTS if one.path.endswith(("/predict", "/infer")) and len(one.body) < 2000]
TENSORS = {
    "inputs": [
        {"name": name, "shape": [1], "datatype": "BYTES" if name == "text" else "FP64", "data": [cell]}
        for name, cell in ROW.items()
    ]
}
SEEDS = [json.dumps(one).encode() for one in ({"row": ROW}, {"rows": [ROW, ROW]}, TENSORS)]
SEEDS += [json.dumps({"columns": {name: [cell, cell] for name, cell in ROW.items()}}).encode()]
SEEDS += [b"text,number,whole,yes\na,1.5,3,true\n", *(one.body for one in GOOD)]
SPLICES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b",",
    b":",
    b"\\",
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"\r\n",
    b"NaN",
    b"1e999",
    b"-",
    b"null",
]


@st.composite
def spoilt(draw):
    """A request near one that is good: bytes of it are cut, doubled, swapped or replaced."""
    body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
        new = draw(st.sampled_from([b"", body[at:end] * 2, body[at:end][::-1], *SPLICES]) | st.binary(max_size=4))
        body = body[:at] + new + body[end:]
    path = draw(st.sampled_from(["/predict", "/models/echo/predict", "/v2/models/echo/infer"]))
    media = draw(st.sampled_from(["application/json", "text/csv", "application/octet-stream"]))
    length = draw(st.none() | st.integers(-1, len(body) + 1))
    headers = {"content-type": media} | ({} if length is None else {"inference-header-content-length": str(length)})
    return http.Request("POST", path, headers, body, "an-id")


def ask_spoilt(request):
    first, second = (http.respond(service, request) for service in SERVICES.values())
    for said in (first, second):
        assert said.status in (200, 400, 413, 415, 422), said
        assert not [word for word in FOR_THE_LOG[:-1] if word.encode() in said.body], said
    assert first.status == second.status
    return first.status


@given(spoilt())
@settings(max_examples=300, deadline=None)
def test_d5_what_is_near_a_good_request_is_no_fault_either(request_):
    ask_spoilt(request_)


@pytest.mark.slow
def test_d5_nor_is_any_of_ten_thousand(record_property):
    asked = []

    @given(spoilt())
    @settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    def ask(request):
        asked.append(ask_spoilt(request))

    ask()
    record_property("figure: requests made up near good ones, none answered by a fault", len(asked))
    assert {200, 400, 422} <= {*asked}
    assert len(asked) >= 10_000


def test_every_response_is_safe_to_hand_to_a_browser():
    for one in REQUESTS:
        headers = dict(
            http.respond(SERVICES["msgspec"], http.Request(one.method, one.path, one.headers, b"{}", "x")).headers
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert not [name for name in headers if name.startswith("access-control")]
