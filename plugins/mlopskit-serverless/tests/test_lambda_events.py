"""Many events of all forms through awslambdaric, one of a hundred malformed: D5 and D11 of the threats."""

from __future__ import annotations

import importlib
import json
import random
import re
import sys
from pathlib import Path

import pytest
from mlopskit_serverless import awslambda, events
from mlopskit_serverless.functions import LambdaZip
from mlopskit_serverless.running import Launch

from mlopskit.runtime import http, load, open_package

MANY = 10_000
FORMS = ("rest", "http", "url")
JSON = {"content-type": "application/json"}
LEAKS = re.compile(rf"Traceback|site-packages|File \"|{re.escape(str(Path.home()))}/|\.py\b")
GETS = ("/schema", "/metadata", "/health/live", "/health/ready", "/models", "/v2/health/live", "/nothing")
HOSTILE = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"rows": [{"height": NaN, "weight": 1}]}',
    b'{"rows": [{"height": 1e999, "weight": 1}]}',
    b'{"rows": [{"height": -0.0, "weight": 1}, {}]}',
    b'{"row": {"height": 1, "height": 2, "weight": 1}}',
    b'{"row": {"height": "\\ud800", "weight": 1}}',
    b'{"row": {"height": 1, "weight": ' + b"9" * 100_000 + b"}}",
    b'{"row": {"height": 1, "weight": 18446744073709551616}}',
    b'{"row": ' + b"[" * 100_000,
    b'{"row": ' * 70 + b"1" + b"}" * 70,
    b'{"columns": {"height": [1], "weight": [1, 2]}}',
    b'{"columns": {"__proto__": [1]}}',
    b'{"rows": {}}',
    b'{"row": {"height": true, "weight": null}}',
    b'{"row": {"\\u0000\\u001b[31m": 1}}',
    b"\xef\xbb\xbf{}",
    json.dumps({"row": {f"column {number}": number for number in range(20_000)}}).encode(),
    b"null",
    b'"rows"',
]
MISSHAPEN = [
    {"requestContext": None},
    {"requestContext": {"http": []}, "httpMethod": None},
    {"rawPath": 1, "path": 1, "pathParameters": None},
    {"headers": "content-type", "multiValueHeaders": None},
    {"headers": {"content-type": ["a"]}, "multiValueHeaders": None},
    {"body": {"row": {}}},
    {"body": "%%%", "isBase64Encoded": True},
    {"body": "\ud800"},
]


def good(chance):
    """Return a request that there is, or one for what there is not."""
    if chance.random() < 0.2:
        return chance.choice(["GET", "GET", "HEAD", "POST"]), chance.choice(GETS), {}, b""
    rows = [{"height": chance.uniform(-9, 9), "weight": chance.randint(-9, 9)} for _ in range(chance.randint(1, 4))]
    body = {"rows": rows} if chance.random() < 0.5 else {"row": rows[0]}
    return "POST", "/predict", JSON, json.dumps(body).encode()


def expected(service, method, path, headers, body):
    return http.respond(service, http.Request(method, path, headers, body, "id")).status


@pytest.fixture(scope="module")
def service(package):
    loaders = {"portable": lambda: importlib.import_module("mlopskit.builtin.portable.loader")}
    return http.Service.of(load(open_package(package.folder, digest=package.digest), loaders=loaders))


@pytest.fixture(scope="module")
def function(package, home):
    deployer = LambdaZip(to="place", form="portable", python=f"{sys.version_info[0]}.{sys.version_info[1]}")
    folder, site = home.unzipped(deployer, package), home.runtime(deployer, package)
    launch = Launch(folder=folder, site=site, command=(sys.executable,), memory=256)
    with awslambda.start(launch) as one:
        yield one


def made(chance, number, service):
    """Return an event as bytes, and its right status: None for an error of the function."""
    malformed = number % 100 == 0
    if chance.random() < 0.25:
        if malformed:
            return chance.choice([b"", b"nothing", *HOSTILE[7:8], *HOSTILE[12:16]]), None
        return good(random.Random(number))[3] or b'{"row": {"height": 1, "weight": 1}}', 200
    form = chance.choice(FORMS)
    if malformed and chance.random() < 0.5:
        event = events.event_of(form, "POST", "/predict", JSON, b'{"row": {"height": 1, "weight": 1}}', "id")
        return json.dumps({**event, **chance.choice(MISSHAPEN)}).encode(), 400
    asked = ("POST", "/predict", JSON, chance.choice(HOSTILE)) if malformed else good(chance)
    return json.dumps(events.event_of(form, *asked, "id")).encode(), expected(service, *asked)


@pytest.mark.parametrize("form", FORMS)
def test_every_hostile_body_gets_its_status(function, service, form):
    for body in HOSTILE:
        for path in ("/predict", "/v2/models/conformance/infer"):
            reply = function.send_as(form, "POST", path, JSON, body)
            assert reply.status == expected(service, "POST", path, JSON, body), body[:100]
            assert reply.status < 500
            assert not LEAKS.search(reply.body.decode())


@pytest.mark.parametrize("count", [1_000, pytest.param(MANY, marks=pytest.mark.slow)])
def test_each_of_many_events_gets_the_right_status(function, service, count, record_property):
    chance, before = random.Random(8), function.pid
    for number in range(count):
        event, status = made(chance, number, service)
        found = function.invoke(event)
        if status is None:
            assert found.error == "Unhandled", event[:300]
            continue
        assert found.error == "", (event[:300], found)
        said = json.loads(found.payload)
        assert said.get("statusCode", 200) == status, (event[:300], said)
        assert status < 400 or not LEAKS.search(said["body"]), said
    assert function.pid == before
    if count == MANY:
        record_property("figure: events through awslambdaric, 1 % malformed, each with its right status", f"{MANY:,}")
