"""Attacks on a service, by the names of the project's list of threats: A15, B2, C2, D1 to D13.

Where others hold them: D1 test_conformance (the document names these paths and no other), D3 and D7 test_serve (what is
too much, what two servers could read in two ways), D4 tests/unit/runtime/test_http (the limits are the server's), D5
and D11 tests/unit/runtime/test_hostile_requests, test_serve and test_outside, D6 test_serve (who sends slowly), D10
test_journal.
"""

import contextlib
import io
import json
import logging
import re
import socket
import ssl
import subprocess
import sys
import types
from pathlib import Path
from urllib.parse import quote

import pytest

from mlopskit.runtime import Model
from mlopskit.runtime.serving import Asked, Metrics, Site, Source
from mlopskit.runtime.serving.running import _Lines

ROW = {"text": "a", "number": 1.5, "whole": 3}
LEAKS = re.compile(rf"Traceback|site-packages|File \"|{re.escape(str(Path.home()))}/|\.py\b")


class Said:
    """A server's answers to raw requests over one connection, each with its headers as they came."""

    def __init__(self, port, context=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if context is not None:
            with contextlib.ExitStack() as failed:
                failed.callback(self.socket.close)
                self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
                failed.pop_all()
        self.file = self.socket.makefile("rb")

    def ask(self, path, method="GET", body=b"", **headers):
        given = {"host": "localhost", "content_length": str(len(body)), "content_type": "application/json", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value is not None]
        self.socket.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body)
        status = int(self.file.readline().split()[1])
        found = {}
        while (line := self.file.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(": ")
            found[name] = value
        body = b"" if method == "HEAD" else self.file.read(int(found["content-length"]))
        return types.SimpleNamespace(status=status, headers=found, body=body.decode())

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def said(served):
    with contextlib.closing(Said(served.port)) as one:
        yield one


def test_d1_no_path_takes_a_method_beside_its_own(said):
    paths = json.loads(said.ask("/openapi.json").body)["paths"]
    for path, methods in paths.items():
        taken = {"GET", "HEAD"} if "get" in methods else {name.upper() for name in methods}
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE", "MKCOL"} - taken:
            answer = said.ask(path, method)
            assert (answer.status, {*answer.headers["allow"].split(", ")}) == (405, taken), (method, path)


def test_d2_pages_of_others_read_nothing_and_send_nothing(said):
    body = json.dumps({"row": ROW}).encode()
    for origin in ("http://evil.example", "null", "http://localhost:1"):
        for method in ("POST", "OPTIONS"):
            answer = said.ask("/predict", method, body, origin=origin, access_control_request_method="POST")
            assert not [name for name in answer.headers if name.startswith("access-control")]
            assert origin not in str(answer.headers) or origin == "null"
    # What a page may send to others without asking first.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", None):
        assert said.ask("/predict", "POST", body, content_type=kind).status == 415
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "2130706433", "0.0.0.0"):
        for path in ("/predict", "/", "/docs", "/health/live"):
            assert said.ask(path, host=host).status == 400


@pytest.mark.parametrize("given", ["x" * 10_240, "\u00fc", "a b", "\u2028", "<b>", "a\x1b[2J", "a\tb", "{{7*7}}"])
def test_d8_an_id_that_is_none_is_not_sent_back(served, given):
    with contextlib.closing(Said(served.port)) as said:
        answer = said.ask("/models", x_request_id=given)
        assert re.fullmatch("[0-9a-f]{24}", answer.headers["x-request-id"])
    with contextlib.closing(Said(served.port)) as said:
        answer = said.ask("/models", x_request_id="a\r\nset-cookie: b=c")
        assert "set-cookie" not in answer.headers


def test_d12_a_range_is_not_looked_at(said):
    for path in ("/", "/docs.mjs", "/openapi.json"):
        whole = said.ask(path)
        part = said.ask(path, range="bytes=" + ",".join(["0-0"] * 10_000))
        assert (part.status, part.body) == (200, whole.body)


TRAVERSAL = [
    *("../../../../etc/passwd", "..\\..\\etc\\passwd", "/etc/passwd", "//etc/passwd", "....//etc/passwd", "a/../../b"),
    *("file:///etc/passwd#../..", "C:\\windows\\win.ini", "\\\\host\\share", "..;/..;/x", "x;/../..", ".", "..", " "),
    *(
        "shop@production",
        "shop/../shop",
        "packages",
        "aliases/production/1/record.json",
        "~",
        "CON",
        "a\x00b",
        "\u202e",
    ),
]


def test_b2_a_path_is_read_once_and_names_nothing_else(said):
    rounds = 4
    for text in TRAVERSAL:
        coded = text
        for number in range(rounds):
            coded = quote(coded, safe="/\\:;.@~#") if number == 0 else quote(coded, safe="")
            for path in (
                f"/{coded}",
                f"/models/{coded}/schema",
                f"/v2/models/{coded}",
                f"/models/shop/versions/{coded}/schema",
            ):
                answer = said.ask(path.replace("#", "%23"))
                assert answer.status in (200, 404), path
                assert answer.status == 404 or path in ("/", "/%20"), path
                assert "root:" not in answer.body
                assert not LEAKS.search(answer.body.replace(coded, "").replace("/etc", "")), answer.body
    whole = said.ask("/schema").body
    for query in ("?a=../..", "?%2e%2e", "?x=http://127.0.0.1", "?;"):
        assert said.ask(f"/schema{query}").body == whole


def test_c2_no_url_in_a_request_is_asked():
    # An audit hook sees each connection of a process; in one of its own, as a hook stays.
    command = [sys.executable, str(Path(__file__).parent / "outside" / "urls.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count, _, seen = done.stdout.partition(" ")
    assert seen == "[]\n"
    assert int(count) > 1000


TEMPLATES = ("{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "{% print(7*7) %}")


def test_a15_what_stands_in_a_package_is_never_a_template(here):
    properties = {name: {"type": "string", "enum": [*TEMPLATES]} for name in TEMPLATES}
    inputs = {"additionalProperties": False, "properties": properties, "required": [*properties], "type": "object"}
    outputs = {name: {"type": "string"} for name in TEMPLATES}
    model = Model(
        name="shop",
        digest="sha256:" + "0" * 64,
        format="portable",
        schema={"inputs": inputs, "outputs": {**inputs, "properties": outputs}},
        scorer=types.SimpleNamespace(score=dict),
    )
    about = {"reference": TEMPLATES[0], "alias": [*TEMPLATES]}
    source = Source("shop", model, about)
    row = dict.fromkeys(TEMPLATES, TEMPLATES[0])
    with here(Site([source], metrics=Metrics(1), body=1 << 20, rows=10)) as address:
        said = Said(int(address.rpartition(":")[2]))
        paths = json.loads(said.ask("/openapi.json").body)["paths"]
        bodies = {path: said.ask(path).body for path, methods in paths.items() if "get" in methods}
        answers = [
            said.ask("/predict", "POST", json.dumps({"row": one}).encode()).body
            for one in (row, {**row, TEMPLATES[0]: "x"})
        ]
        said.close()
    for body in (*bodies.values(), *answers):
        assert "49" not in re.sub(r'"request_id": ?"[^"]*"|"python":"[^"]*"|\d+\.\d+', "", body)
    for template in TEMPLATES:
        coded = json.dumps(template)[1:-1]
        assert all(coded in bodies[path] for path in ("/schema", "/openapi.json", "/metadata", "/v2/models/shop"))
        assert not any(template in bodies[path] for path in ("/", "/docs", "/form.mjs", "/docs.mjs", "/page.css"))
        assert coded in answers[0]


HOSTILE_WORDS = (
    'a\n{"level": "ERROR"}',
    "\r\n",
    "\x1b[2J\x1b]0;x\x07",
    "\u2028x\u2029",
    "\x00",
    "\x85",
    "\x9b31m",
    "\ud800",
    "'\"\\",
)


def test_d9_whatever_is_logged_is_one_line_and_reads_back():
    def failing(columns):
        raise ValueError(f"cannot read {columns['text'][0]}")

    schema = {
        "additionalProperties": False,
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "type": "object",
    }
    shape = {"inputs": schema, "outputs": schema}
    scorer = types.SimpleNamespace(score=failing)
    model = Model(name="shop", digest="sha256:" + "0" * 64, format="portable", schema=shape, scorer=scorer)
    site = Site([Source("shop", model)], metrics=Metrics(1), body=1 << 20, rows=10)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Lines())
    logger = logging.getLogger("mlopskit.runtime.serving.site")
    logger.addHandler(handler)
    try:
        for number, word in enumerate(HOSTILE_WORDS):
            headers = {"content-type": "application/json", "x-request-id": f"id-{number}"}
            body = json.dumps({"row": {"text": word}}).encode()
            answer = site.answer(Asked("POST", f"/predict?{word}", headers, body, keep=True))
            assert answer.status in (400, 422)
            assert word not in answer.body.decode() or word.isprintable()
    finally:
        logger.removeHandler(handler)
    text = stream.getvalue()
    assert text.isascii()
    assert not [sign for sign in text if not sign.isprintable() and sign != "\n"]
    records = [json.loads(line) for line in text.splitlines()]
    assert len(records) == len(HOSTILE_WORDS) - 1  # half a character is no JSON, and never reaches a model
    assert [one["message"].split()[0] for one in records] == [
        f"id-{number}" for number, word in enumerate(HOSTILE_WORDS) if word != "\ud800"
    ]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, open_shop, start):
    """A server that speaks TLS, wants a token, and may be called by one more name."""
    folder = tmp_path_factory.mktemp("guarded")
    shop = open_shop(folder)
    shop.move(shop.package(2.0))
    (folder / "token").write_text("a-secret-token\n")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run([*made, *names], check=True, capture_output=True)
    options = ["--token-file", str(folder / "token"), "--tls", str(certificate), str(key), "--receive", "1.5"]
    options += ["--allow-host", "models.example"]
    with start(f"{shop.folder}@production", *options, log=folder / "log") as server:
        server.trust = ssl.create_default_context(cafile=str(certificate))
        yield server


def test_over_tls_a_caller_with_the_token_is_answered(guarded):
    assert guarded.address.startswith("https://")
    body = json.dumps({"row": ROW}).encode()
    with contextlib.closing(Said(guarded.port, guarded.trust)) as said:
        assert said.socket.version() in ("TLSv1.2", "TLSv1.3")
        for host, status in (("localhost", 200), ("models.example:443", 200), ("evil.example", 400)):
            answer = said.ask("/predict", "POST", body, host=host, authorization="Bearer a-secret-token")
            assert answer.status == status
        for token in (
            "",
            "Bearer",
            "Bearer a-secret-toke",
            "Bearer a-secret-token1",
            "Basic a-secret-token",
            "Bearer \u00fc",
        ):
            answer = said.ask("/predict", "POST", body, authorization=token)
            assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
            assert "a-secret" not in answer.body
        for path in ("/", "/docs", "/health/ready"):
            assert said.ask(path).status == 200
        for path in ("/metrics", "/metadata", "/schema", "/openapi.json", "/models", "/v2", "/nothing"):
            assert said.ask(path).status == 401
        assert said.ask("/models", x_api_key="a-secret-token").status == 200


def test_who_does_not_speak_tls_or_never_ends_its_greeting_is_let_go(guarded):
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as plain:
        plain.sendall(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert not plain.recv(1 << 16).startswith(b"HTTP/")
    silent = [socket.create_connection(("127.0.0.1", guarded.port), timeout=20) for _ in range(20)]
    for one in silent[:10]:
        one.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    try:
        for one in silent:
            with contextlib.suppress(ConnectionResetError):
                assert one.recv(1 << 16) == b""
    finally:
        for one in silent:
            one.close()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):  # who does not know the certificate
        Said(guarded.port, old)
    with contextlib.closing(Said(guarded.port, guarded.trust)) as said:
        assert said.ask("/health/live").status == 200


def test_d13_the_token_is_compared_in_constant_time_and_is_nowhere_to_be_read(guarded):
    source = Path(sys.modules[Site.__module__].__file__).read_text()
    assert "hmac.compare_digest" in source
    assert not re.search(r"_token\b.*[!=]=|[!=]= *self\._token", source)
    pids = [
        guarded.process.pid,
        *map(int, Path(f"/proc/{guarded.process.pid}/task/{guarded.process.pid}/children").read_text().split()),
    ]
    assert len(pids) > 1
    for pid in pids:
        for name in ("cmdline", "environ"):
            assert b"a-secret-token" not in Path(f"/proc/{pid}/{name}").read_bytes()
