import json
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime import Model, http

JSON = "application/json"
ZERO, ONE = (f"sha256:{digit * 64}" for digit in "01")
INPUTS = {
    "text": {"type": "string", "maxLength": 100},
    "number": {"type": ["number", "null"], "minimum": -10},
    "whole": {"type": "integer"},
    "yes": {"type": "boolean"},
}
ROW = {"text": "ä", "number": 1.5, "whole": 3, "yes": True}
PATHS = ("/predict", "/schema", "/metadata", "/health/live", "/health/ready", "/models", "/openapi.json")


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def score(columns):
    if "fail" in columns["text"]:
        raise ZeroDivisionError("a secret of the engine")
    label = [f"{text}{whole}" for text, whole in zip(columns["text"], columns["whole"], strict=True)]
    return {"prediction": label, "probability.a": [0.25] * len(label)}


def model_of(digest, name="echo"):
    outputs = schema_of(prediction={"type": "string"}, **{"probability.a": {"type": "number"}})
    schema = {"inputs": schema_of(**INPUTS), "outputs": outputs}
    return Model(name=name, digest=digest, format="portable", schema=schema, scorer=types.SimpleNamespace(score=score))


SERVICE = http.Service.of(model_of(ZERO))


def ask(path, body=None, method=None, *, service=SERVICE, media=JSON, **headers):
    """Ask a service; return the response with its body read."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {name.replace("_", "-"): value for name, value in {"content_type": media, **headers}.items() if value}
    method = method or ("GET" if body is None else "POST")
    response = http.respond(service, http.Request(method, path, given, data, "an-id"))
    read = json.loads(response.body) if response.body[:1] in (b"{", b"[") else response.body
    return types.SimpleNamespace(
        status=response.status, headers=dict(response.headers), body=read, error=response.error
    )


def test_one_row_many_rows_and_columns_are_answered_in_their_own_form():
    outputs = {"prediction": "ä3", "probability.a": 0.25}
    said = ask("/predict", {"row": ROW})
    assert said.status == 200
    assert said.body.pop("runtime").keys() == {"engine", "python", "machine"}
    assert said.body == {"row": outputs, "digest": ZERO, "request_id": "an-id"}
    assert said.headers["x-model-digest"] == ZERO
    assert said.headers["x-request-id"] == "an-id"
    assert ask("/predict", {"rows": [ROW, ROW]}).body["rows"] == [outputs, outputs]
    columns = {name: [cell, cell] for name, cell in ROW.items()}
    assert ask("/predict", {"columns": columns}).body["columns"] == {name: [cell] * 2 for name, cell in outputs.items()}


def test_csv_is_answered_in_csv():
    body = 'yes,whole,number,text\r\ntrue,3,,"a, b"\r\nfalse,-4,1e3,ä\r\n'.encode()
    said = ask("/predict", body, media="text/csv; charset=utf-8")
    assert said.status == 200
    assert said.headers["content-type"] == "text/csv"
    assert said.headers["x-model-digest"] == ZERO
    assert said.body.decode() == 'prediction,probability.a\r\n"a, b3",0.25\r\nä-4,0.25\r\n'


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"text,number,whole,yes\na,x,1,true", 422, "number"),
        (b"text,number,whole,yes\na,1e999,1,true", 422, "number"),
        (b"text,number,whole,yes\na,nan,1,true", 422, "number"),
        (b"text,number,whole,yes\na,1,,true", 422, "whole"),
        (b"text,number,whole,yes\na,1,99999999999999999999,true", 422, "whole"),
        (b"text,number,whole,yes\na,1,1,yes", 422, "yes"),
        (b"text,number,whole,yes\na,1,1", 400, "Row 0 has 3 cells"),
        (b"text,number,whole\na,1,1", 422, "lacks the column"),
        (b"text,text,number,whole,yes\na,a,1,1,true", 422, "twice"),
        (b"text,number,whole,yes\n", 422, "no rows"),
        (b"", 422, "lacks the column"),
        (b"\xff", 400, "UTF-8"),
        (b'text,number,whole,yes\n"a,1,1,true', 400, "CSV"),
        (b"text,number,whole,yes\n" + b"a" * 200_000 + b",1,1,true", 400, "CSV"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_wrong_with_csv_is_named(body, status, word):
    said = ask("/predict", body, media="text/csv")
    assert said.status == status
    assert word in said.body["detail"] + said.body["remedy"]


def test_of_one_column_an_empty_line_is_a_row():
    model = model_of(ZERO)
    one = {"inputs": schema_of(text={"type": "string"}), "outputs": schema_of(n={"type": "integer"})}
    scorer = types.SimpleNamespace(score=lambda columns: {"n": [len(text) for text in columns["text"]]})
    service = http.Service.of(Model(name="length", digest=model.digest, format="portable", schema=one, scorer=scorer))
    assert ask("/predict", b"text\nab\n\nc\n", media="text/csv", service=service).body == b"n\r\n2\r\n0\r\n1\r\n"


def test_a_row_that_does_not_fit_is_named_with_what_would():
    said = ask("/predict", {"rows": [ROW, {**ROW, "number": -11}]})
    assert said.status == 422
    assert said.headers["content-type"] == "application/problem+json"
    assert said.body == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "Row 1, column 'number': -11 is too small.",
        "remedy": "Give a number or nothing (null), at least -10.",
        "kind": "RowError",
        "row": 1,
        "column": "number",
        "expected": "a number or nothing (null), at least -10",
        "got": "-11",
        "request_id": "an-id",
    }


def test_columns_that_are_missing_or_unknown_are_named_with_the_nearest():
    said = ask("/predict", {"row": {"texts": "a", "number": 1, "whole": 2, "yes": False}})
    assert said.status == 422
    assert (said.body["row"], said.body["missing"], said.body["extra"]) == (0, ["text"], ["texts"])
    assert "did you mean 'text'" in said.body["detail"]


def test_what_an_engine_says_stays_in_the_log():
    said = ask("/predict", {"row": {**ROW, "text": "fail"}})
    assert said.status == 422
    assert "secret" not in str(said.body)
    assert "a secret of the engine" in str(said.error)


def test_a_fault_of_ours_is_told_without_a_word_of_it():
    said = ask("/predict", {"row": ROW}, service=SERVICE._replace(encode=lambda _: 1 / 0))
    assert said.status == 500
    assert "ivision" not in str(said.body)
    assert isinstance(said.error, ZeroDivisionError)
    assert ask("/v2", service=SERVICE._replace(encode=lambda _: 1 / 0)).body["error"].startswith("The server failed.")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"media": None}, "none"),
        ({"media": "text/plain"}, "text/plain"),
        ({"media": "multipart/form-data; boundary=x"}, "multipart"),
        ({"media": "application/json; charset=latin-1"}, "latin-1"),
        ({"media": "text/csv; header=present; charset=utf-16"}, "utf-16"),
        ({"content_encoding": "gzip"}, "gzip"),
    ],
    ids=str,
)
def test_another_type_of_body_is_refused(headers, word):
    said = ask("/predict", {"row": ROW}, **headers)
    assert said.status == 415
    assert word in said.body["detail"]


@pytest.mark.parametrize("media", ["APPLICATION/JSON", 'application/json; charset="UTF-8"', "application/json;x=y"])
def test_the_spelling_of_a_type_does_not_count(media):
    assert ask("/predict", {"row": ROW}, media=media, content_encoding="identity").status == 200


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
        (b"[]", 422),
        (b"{}", 422),
        (b'{"rows": {}}', 422),
        (b'{"rows": [], "more": 1}', 422),
        (b'{"rows": []}', 422),
        (b'{"rows": [1]}', 422),
        (b'{"rows": [{}]}', 422),
        (b'{"row": []}', 422),
        (b'{"columns": []}', 422),
        (b'{"columns": {}}', 422),
        (b'{"columns": {"text": {"a": 1}, "number": [1], "whole": [1], "yes": [true]}}', 422),
        (b'{"columns": {"text": ["a", "b"], "number": [1], "whole": [1], "yes": [true]}}', 422),
        (b'{"columns": {"text": [["a"]], "number": [1], "whole": [1], "yes": [true]}}', 422),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_fault_has_its_status_and_a_remedy(body, status):
    said = ask("/predict", body)
    assert said.status == status
    assert said.body["detail"]
    assert said.body["remedy"]
    assert "published" not in said.body["remedy"]


def test_the_limits_are_the_servers():
    service = SERVICE._replace(body=200, rows=2)
    assert ask("/predict", {"row": ROW}, service=service).status == 200
    assert ask("/predict", b" " * 201, service=service).status == 413
    short = {"text": "", "number": 0, "whole": 0, "yes": True}
    columns = {name: [cell] * 3 for name, cell in short.items()}
    assert ask("/predict", {"columns": columns}, service=service).status == 413
    service = SERVICE._replace(rows=2)
    assert ask("/predict", {"rows": [ROW] * 2}, service=service).status == 200
    assert ask("/predict", {"rows": [ROW] * 3}, service=service).status == 413
    assert (
        ask("/predict", b"text,number,whole,yes\n" + b"a,1,1,true\n" * 3, media="text/csv", service=service).status
        == 413
    )


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_refused_and_what_is_taken_said(path):
    taken = "POST" if path == "/predict" else "GET"
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - {taken}:
        said = ask(path, method=method)
        assert said.status == 405
        assert taken in said.headers["allow"]
    assert ask(path, method="HEAD").status == (405 if taken == "POST" else 200)
    assert ask(path, method="HEAD").body == b""


@pytest.mark.parametrize(
    "path",
    ["/", "", "//predict", "/predict/", "/Predict", "/models/", "/models/other/predict", "/models/%65cho/predict",
     "/models/echo", "/models/echo/versions/predict", "/models/echo/versions//predict", "/admin", "/docs/../schema"],
)  # fmt: skip
def test_what_is_not_there_is_said_so(path):
    assert ask(path, {"row": ROW}).status == 404


def test_of_several_models_each_is_asked_by_its_name():
    service = http.Service.of(model_of(ZERO), model_of(ONE, "other"))
    assert ask("/models", service=service).body == {"models": ["echo", "other"]}
    assert ask("/models/other/predict", {"row": ROW}, service=service).body["digest"] == ONE
    said = ask("/predict", {"row": ROW}, service=service)
    assert said.status == 404
    assert "/models/echo/predict, /models/other/predict" in said.body["remedy"]


def test_what_stands_beside_is_asked_by_its_digest():
    served = http.Served("echo", model_of(ZERO), beside={ONE: model_of(ONE)})
    service = http.Service({"echo": served})
    for digest in (ONE, ONE.removeprefix("sha256:")):
        assert ask(f"/models/echo/versions/{digest}/predict", {"row": ROW}, service=service).body["digest"] == ONE
    assert ask(f"/models/echo/versions/{ZERO}/schema", service=service).status == 200
    assert ask("/models/echo/predict", {"row": ROW}, service=service).body["digest"] == ZERO
    assert ask(f"/models/echo/versions/sha256:{'2' * 64}/predict", {"row": ROW}, service=service).status == 404
    assert ask("/metadata", service=service).body["versions"] == [ZERO, ONE]


def test_a_model_that_is_not_there_yet_is_waited_for():
    service = http.Service({"echo": http.Served("echo", None, "the place is away.", about={"alias": "production"})})
    for path, body in (("/predict", {"row": ROW}), ("/schema", None)):
        said = ask(path, body, service=service)
        assert (said.status, said.headers["retry-after"]) == (503, "5")
        assert "the place is away" in said.body["detail"]
    assert ask("/health/live", service=service).status == 200
    assert ask("/health/ready", service=service).status == 503
    said = ask("/metadata", service=service)
    assert said.status == 200
    assert said.body == {"alias": "production", "name": "echo", "fault": "the place is away.", "versions": []}
    assert ask("/openapi.json", service=service).status == 200


def test_readiness_says_what_answers_and_what_is_wrong_though_it_answers():
    models = {"echo": {"digest": ZERO, "fault": None}}
    assert ask("/health/ready").body == {"status": "ready", "models": models}
    served = http.Served("echo", model_of(ZERO), fault="the place is away.")
    said = ask("/health/ready", service=http.Service({"echo": served}))
    assert said.status == 200
    assert said.body["status"] == "degraded"
    assert ask("/health/ready", service=http.Service({})).status == 503


def test_schema_and_metadata_say_what_is_served():
    said = ask("/schema")
    assert said.body["inputs"]["properties"] == INPUTS
    assert said.headers["x-model-digest"] == ZERO
    about = ask("/metadata").body
    assert (about["name"], about["digest"], about["format"], about["fault"]) == ("echo", ZERO, "portable", None)


@pytest.mark.parametrize("given", ["a", "A-1", "x" * 64])
def test_a_callers_own_id_is_kept(given):
    assert http.request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a\r\nset-cookie: b", "a b", "ä", "a\n"])
def test_another_id_is_made_new(given):
    made = http.request_id(given)
    assert made != given
    assert http.request_id(made) == made
    assert http.request_id(given) != made


bodies = st.binary(max_size=100) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["row", "rows", "columns", "inputs", *INPUTS]), inner, max_size=5)
    ),
).map(lambda value: json.dumps(value).encode())
paths = st.sampled_from([*PATHS, "/v2/models/echo/infer", "/models/echo/predict"]) | st.text().map("/{}".format)


@given(bodies, paths, st.sampled_from([JSON, "text/csv", "application/octet-stream", None]) | st.text())
def test_no_request_is_the_servers_fault(body, path, media):
    said = ask(path, body, "POST", media=media)
    assert said.status in (200, 400, 404, 405, 413, 415, 422)
    assert said.status == 200 or said.body["request_id"] == "an-id"
