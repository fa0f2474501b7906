import json
import runpy
import types
from pathlib import Path

import msgspec
import pytest

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


def test_every_response_is_safe_to_hand_to_a_browser():
    for one in REQUESTS:
        headers = dict(
            http.respond(SERVICES["msgspec"], http.Request(one.method, one.path, one.headers, b"{}", "x")).headers
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert not [name for name in headers if name.startswith("access-control")]
