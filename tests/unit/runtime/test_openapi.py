import json
import types

import pytest
from jsonschema import Draft202012Validator

from mlopskit.runtime import Model, http, openapi

INPUTS = {"text": {"type": "string", "maxLength": 10}, "number": {"type": ["integer", "null"]}}
ROW = {"text": "a", "number": 1}


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def model_of(name):
    schema = {"inputs": schema_of(**INPUTS), "outputs": schema_of(prediction={"type": "string"})}
    scorer = types.SimpleNamespace(score=lambda columns: {"prediction": columns["text"]})
    return Model(name=name, digest="sha256:" + "0" * 64, format="portable", schema=schema, scorer=scorer)


SERVICE = http.Service({"echo": http.Served("echo", model_of("echo"), examples=[ROW])})


def ask(method, path, body=b"", media="application/json"):
    response = http.respond(SERVICE, http.Request(method, path, {"content-type": media}, body, "an-id"))
    return response.status, json.loads(response.body)


DOCUMENT = ask("GET", "/openapi.json")[1]


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_path_of_the_document_is_there_and_takes_only_what_it_says(path):
    (method,) = DOCUMENT["paths"][path]
    assert ask(method.upper(), path, b"{}")[0] not in (404, 405)
    assert ask("DELETE", path)[0] == 405


@pytest.mark.parametrize(
    "form", [{"row": ROW}, {"rows": [ROW]}, {"columns": {name: [one] for name, one in ROW.items()}}]
)
def test_what_fits_the_document_is_answered_as_it_says(form):
    post = DOCUMENT["paths"]["/predict"]["post"]
    asked = Draft202012Validator(post["requestBody"]["content"]["application/json"]["schema"])
    answered = Draft202012Validator(post["responses"]["200"]["content"]["application/json"]["schema"])
    assert asked.is_valid(form)
    status, said = ask("POST", "/predict", json.dumps(form).encode())
    assert status == 200
    answered.validate(said)
    for bad in ({}, {**form, "more": 1}, {next(iter(form)): 1}):
        assert not asked.is_valid(bad)
        assert ask("POST", "/predict", json.dumps(bad).encode())[0] == 422


def test_examples_are_those_that_anybody_may_see():
    body = DOCUMENT["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == {"rows": [ROW]}
    assert Draft202012Validator(body["schema"]).is_valid(body["example"])


def test_a_problem_is_as_the_document_says():
    status, said = ask("POST", "/predict", b"{}")
    assert str(status) in DOCUMENT["paths"]["/predict"]["post"]["responses"]
    Draft202012Validator(DOCUMENT["components"]["schemas"]["Problem"]).validate(said)


def test_a_server_may_add_paths():
    found = openapi.document(SERVICE, paths={"/metrics": {"get": {}}})["paths"]
    assert found.keys() == {*DOCUMENT["paths"], "/metrics"}


def test_of_several_models_each_has_its_own_paths():
    found = openapi.document(http.Service.of(model_of("one"), model_of("two")))["paths"]
    assert "/predict" not in found
    assert {"/models/one/predict", "/models/two/predict", "/v2/models/two/infer"} <= found.keys()
