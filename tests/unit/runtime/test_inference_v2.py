import json
import math
import struct
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.runtime import Model, http

ZERO, ONE = (f"sha256:{digit * 64}" for digit in "01")
INPUTS = {
    "text": {"type": "string"},
    "number": {"type": ["number", "null"]},
    "whole": {"type": "integer"},
    "yes": {"type": "boolean"},
}
OUTPUTS = {"prediction": {"type": "string"}, "probability.a": {"type": ["number", "null"]}, "flag": {"type": "boolean"}}
COLUMNS = {"text": ["ä", ""], "number": [1.5, None], "whole": [-3, 4], "yes": [True, False]}
TYPES = {"text": "BYTES", "number": "FP64", "whole": "INT64", "yes": "BOOL"}


def schema_of(columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def score(columns):
    return {"prediction": columns["text"], "probability.a": columns["number"], "flag": columns["yes"]}


def model_of(digest):
    schema = {"inputs": schema_of(INPUTS), "outputs": schema_of(OUTPUTS)}
    scorer = types.SimpleNamespace(score=score)
    return Model(name="echo", digest=digest, format="portable", schema=schema, scorer=scorer)


SERVICE = http.Service({"echo": http.Served("echo", model_of(ZERO), beside={ONE: model_of(ONE)})})


def ask(path, body=None, *, tail=b"", service=SERVICE, **headers):
    """Ask a service; return status, the JSON of its body, and what stands behind that."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    if tail:
        headers["inference-header-content-length"] = str(len(data))
    response = http.respond(
        service, http.Request("GET" if body is None else "POST", path, headers, data + tail, "an-id")
    )
    length = int(dict(response.headers).get("inference-header-content-length", len(response.body)))
    return response.status, json.loads(response.body[:length]), response.body[length:]


def tensor(name, **changes):
    return {"name": name, "shape": [2], "datatype": TYPES[name], "data": COLUMNS[name], **changes}


def request_of(**tensors):
    return {"inputs": [tensors.get(name, tensor(name)) for name in TYPES]}


def binary(name):
    """A tensor of the request whose data stand behind it, and the data."""
    cells = COLUMNS[name]
    if name == "text":
        data = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in cells)
    else:
        sign = {"number": "d", "whole": "q", "yes": "?"}[name]
        data = struct.pack(f"<2{sign}", *(math.nan if cell is None else cell for cell in cells))
    one = tensor(name, parameters={"binary_data_size": len(data)})
    del one["data"]
    return one, data


def test_server_and_model_are_described():
    assert ask("/v2")[1]["extensions"] == ["binary_tensor_data"]
    assert ask("/v2/health/live")[:2] == (200, {"live": True})
    assert ask("/v2/health/ready")[:2] == (200, {"ready": True})
    assert ask("/v2/models/echo/ready")[:2] == (200, {"name": "echo", "ready": True})
    status, about, _ = ask("/v2/models/echo")
    assert status == 200
    assert about["versions"] == [ZERO, ONE]
    assert about["platform"] == "mlopskit_portable"
    assert {one["name"]: one["datatype"] for one in about["inputs"]} == TYPES
    assert {one["name"]: one["datatype"] for one in about["outputs"]} == {
        "prediction": "BYTES", "probability.a": "FP64", "flag": "BOOL"
    }  # fmt: skip


def test_tensors_of_json_are_answered():
    status, said, _ = ask("/v2/models/echo/infer", {**request_of(), "id": "their own"})
    assert status == 200
    assert (said["model_name"], said["model_version"], said["id"]) == ("echo", ZERO, "their own")
    outputs = {one["name"]: (one["datatype"], one["shape"], one["data"]) for one in said["outputs"]}
    assert outputs == {
        "prediction": ("BYTES", [2], ["ä", ""]),
        "probability.a": ("FP64", [2], [1.5, None]),
        "flag": ("BOOL", [2], [True, False]),
    }


@pytest.mark.parametrize("version", [ONE, ONE.removeprefix("sha256:")])
def test_a_version_is_a_digest(version):
    assert ask(f"/v2/models/echo/versions/{version}/infer", request_of())[1]["model_version"] == ONE
    assert ask(f"/v2/models/echo/versions/{version}")[0] == 200
    assert ask(f"/v2/models/echo/versions/{version}/ready")[0] == 200


def test_rows_of_one_column_may_nest():
    nested = tensor("text", shape=[2, 1], data=[["ä"], [""]])
    assert ask("/v2/models/echo/infer", request_of(text=nested))[0] == 200
    assert ask("/v2/models/echo/infer", request_of(text=tensor("text", shape=[2, 1])))[0] == 200


def test_binary_tensors_are_read_and_answered():
    made = {name: binary(name) for name in TYPES}
    asked = request_of(**{name: one for name, (one, _) in made.items()})
    tail = b"".join(data for _, data in made.values())
    status, said, rest = ask("/v2/models/echo/infer", {**asked, "parameters": {"binary_data_output": True}}, tail=tail)
    assert status == 200
    sizes = {one["name"]: one["parameters"]["binary_data_size"] for one in said["outputs"]}
    assert sizes == {"prediction": len(made["text"][1]), "probability.a": 16, "flag": 2}
    assert rest == made["text"][1] + made["number"][1] + made["yes"][1]


def test_outputs_are_those_that_are_asked_for():
    outputs = [{"name": "flag", "parameters": {"binary_data": True}}, {"name": "prediction"}]
    status, said, rest = ask("/v2/models/echo/infer", {**request_of(), "outputs": outputs})
    assert status == 200
    assert [one["name"] for one in said["outputs"]] == ["flag", "prediction"]
    assert said["outputs"][1]["data"] == ["ä", ""]
    assert rest == b"\x01\x00"


PART = binary("whole")[0]


@pytest.mark.parametrize(
    ("body", "tail", "status", "word"),
    [
        ({}, b"", 422, "no list of inputs"),
        ([], b"", 422, "no list of inputs"),
        ({"inputs": {}}, b"", 422, "no list of inputs"),
        ({"inputs": [1]}, b"", 422, "has the name"),
        ({"inputs": [tensor("text"), tensor("text")]}, b"", 422, "twice"),
        ({"inputs": []}, b"", 422, "lacks the column"),
        (request_of(text=tensor("text", shape=[3])), b"", 422, "2 values, its shape says 3"),
        (request_of(text=tensor("text", shape=[2, 2])), b"", 422, "shape"),
        (request_of(text=tensor("text", shape=[-1])), b"", 422, "shape"),
        (request_of(text=tensor("text", shape=[True])), b"", 422, "shape"),
        (request_of(text=tensor("text", shape=[])), b"", 422, "shape"),
        (request_of(text=tensor("text", shape=2)), b"", 422, "shape"),
        (request_of(text=tensor("text", shape=[10**9])), b"", 413, "rows"),
        (request_of(text=tensor("text", datatype="BF16")), b"", 422, "datatype"),
        (request_of(text=tensor("text", datatype=[])), b"", 422, "datatype"),
        (request_of(text=tensor("text", data="ab")), b"", 422, "no list of data"),
        (request_of(text=tensor("text", data=[1, 2])), b"", 422, "'text': 1 is not string"),
        (request_of(whole=tensor("whole", data=[1.5, 2])), b"", 422, "whole"),
        (request_of(text=tensor("text", parameters={"binary_data_size": -1})), b"", 422, "binary_data_size"),
        (request_of(text=tensor("text", parameters={"binary_data_size": "1"})), b"", 422, "binary_data_size"),
        (request_of(whole=PART), b"1" * 15, 400, "15 bytes are left"),
        (request_of(whole=PART), b"1" * 17, 400, "17 bytes, the inputs name 16"),
        (request_of(whole={**PART, "datatype": "INT32"}), b"1" * 16, 400, "not 2 of INT32"),
        (request_of(text={**PART, "name": "text", "datatype": "BYTES"}), b"\xff" * 16, 400, "beyond its 16 bytes"),
        (
            request_of(text={**PART, "name": "text", "datatype": "BYTES"}),
            struct.pack("<I4sI4s", 4, b"\xff" * 4, 4, b"abcd"),
            400,
            "not UTF-8",
        ),
        (
            request_of(text={**PART, "name": "text", "datatype": "BYTES"}),
            struct.pack("<I4sI4s", 4, b"abcd", 3, b"abcd"),
            400,
            "take 15 of its 16",
        ),
        ({**request_of(), "outputs": [{"name": "other"}]}, b"", 422, "no output 'other'"),
        ({**request_of(), "outputs": [1]}, b"", 422, "no output"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_wrong_is_named(body, tail, status, word):
    found, said, _ = ask("/v2/models/echo/infer", body, tail=tail)
    assert found == status
    assert word in said["detail"]
    assert said["error"] == f"{said['detail']} {said['remedy']}"


@pytest.mark.parametrize("length", ["-1", "x", "99999999999", "1" * 20, "", "\u0661"])
def test_the_length_of_the_json_is_checked(length):
    assert ask("/v2/models/echo/infer", request_of(), **{"inference-header-content-length": length})[0] == 400


@pytest.mark.parametrize(
    "path",
    ["/v2/", "/v2/x", "/v2/models", "/v2/models/other", "/v2/models/echo/x", "/v2/models/echo/versions", "/v2/health",
     "/v2/models/echo/versions//infer", "/v2/models/echo/versions/1/infer", "/v2/models/echo/infer/x"],
)  # fmt: skip
def test_what_is_not_there_is_said_so(path):
    assert ask(path)[0] == 404
    assert ask(path)[1]["error"]


def test_methods_are_those_of_the_protocol():
    assert ask("/v2", {})[0] == 405
    assert ask("/v2/models/echo", {})[0] == 405
    assert ask("/v2/models/echo/infer")[0] == 405


def test_a_model_that_is_not_there_yet_is_not_ready():
    service = http.Service({"echo": http.Served("echo", None)})
    for path in ("/v2/health/ready", "/v2/models/echo", "/v2/models/echo/ready"):
        assert ask(path, service=service)[0] == 503
    assert ask("/v2/models/echo/infer", request_of(), service=service)[0] == 503
    assert ask("/v2/health/live", service=service)[0] == 200


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from(["name", "shape", "datatype", "data", "parameters"])


@given(st.sampled_from([*TYPES]), fields, json_values, st.binary(max_size=40))
def test_no_tensor_is_the_servers_fault(name, field, value, tail):
    found, _, _ = ask("/v2/models/echo/infer", request_of(**{name: {**tensor(name), field: value}}), tail=tail)
    assert found in (200, 400, 413, 422)


cells = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5)


@given(cells)
def test_binary_and_json_are_one(numbers):
    rows = len(numbers)
    others = {"text": ["a"] * rows, "number": [0.5] * rows, "yes": [True] * rows}
    inputs = [tensor(name, shape=[rows], data=data) for name, data in others.items()]
    data = struct.pack(f"<{rows}q", *numbers)
    packed = {"name": "whole", "shape": [rows], "datatype": "INT64", "parameters": {"binary_data_size": len(data)}}
    plain = tensor("whole", shape=[rows], data=numbers)
    assert (
        ask("/v2/models/echo/infer", {"inputs": [*inputs, packed]}, tail=data)[1:]
        == (ask("/v2/models/echo/infer", {"inputs": [*inputs, plain]})[1:])
    )
