"""Three hundred requests that mean no good, or are broken: hostile values in each place of a body, paths, headers.

`requests_of(name, row)` makes them for a model of this name and a row that fits its schema. None may be answered by a
status of 500 or more, or by words that are for the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

JSON = {"content-type": "application/json"}

# As they stand in JSON, or would.
VALUES: tuple[bytes, ...] = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"1e308",
    b"-1e308",
    b"1e-400",
    b"-0",
    b"-0.0",
    b"01",
    b"+1",
    b"1.",
    b".5",
    b"0x10",
    b"1_000",
    b"1e",
    b"9" * 400,
    b"9" * 5000,
    b"9223372036854775808",
    b"0." + b"1" * 5000,
    b"null",
    b"true",
    b"True",
    b"undefined",
    b"[]",
    b"{}",
    b"[1]",
    b'{"$ref": "#"}',
    b"[" * 60 + b"]" * 60,
    b"[" * 5000 + b"]" * 5000,
    b"[" * 100_000,
    b'{"a":' * 30 + b"1" + b"}" * 30,
    b'{"__class__": "os.system"}',
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\xed\xa0\x80"',
    b'"\xff\xfe"',
    b'"\xc0\x80"',
    b'"\x00"',
    b'"\n"',
    b'"\\u001b[2J"',
    b'"\\u2028\\r\\n{\\"level\\": 1}"',
    b'"{{7*7}}"',
    b'"${jndi:ldap://127.0.0.1/a}"',
    b'"%n%s"',
    b'"../../etc/passwd"',
    b'"file:///etc/passwd"',
    b'"http://169.254.169.254/"',
    b"\"=cmd|' /C calc'!A0\"",
    b"'a'",
    b'"<script>alert(1)</script>"',
    b'"' + b"a" * 100_000 + b'"',
    b'"' + b"\\" * 1001 + b'"',
    b'"\\x41"',
    b'"a',
    b"/* */ 1",
)
PATHS = (
    "/predict?x=1",
    "/predict#x",
    "/predict;x=1",
    "/predict/..",
    "/../predict",
    "/%2e%2e/predict",
    "/%252e%252e/schema",
    "/models/../schema",
    "/models/%2e%2e/predict",
    "/models//predict",
    "/models/\x00/predict",
    "/models/" + "a" * 9000,
    "/v2/models/../infer",
    "/v2/models/x/versions/../infer",
    "/v2/repository/models/x/load",
    "/v2x",
    "/v2/\r\nx: y",
    "http://127.0.0.1/predict",
    "/{{7*7}}",
    "/\u2028",
    "*",
    "/predict\r\n",
    "/.env",
    "/metadata/../../etc/passwd",
)
HEADERS: tuple[Mapping[str, str], ...] = (
    *({"content-type": kind} for kind in ("", ";", "application/json;charset=\x00", "text/csv;" * 1000, "*/*")),
    *({"content-type": f"application/{kind}"} for kind in ("x-www-form-urlencoded", "xml", "json-seq")),
    {"content-type": "multipart/form-data"},
    *({**JSON, "content-encoding": how} for how in ("gzip", "br", "zstd, gzip", "\r\n", "deflate" * 999)),
    *({**JSON, "inference-header-content-length": size} for size in ("-1", "1e3", "9" * 400, " 2", "0x2", "\u0662")),
    *({**JSON, "x-request-id": id} for id in ("\r\nset-cookie: a=b", "a" * 10_240, "{{7*7}}", "\x1b[2J")),
    {**JSON, "accept": "text/html, */*;q=0." + "9" * 999, "range": "bytes=" + "0-1," * 9999},
)


class Hostile(NamedTuple):
    """A request; `id` names it."""

    id: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def requests_of(name: str, row: Mapping[str, object]) -> list[Hostile]:
    """Return the requests for a model and a row that fits its schema."""
    made = [*_bodies(name, row), *_others(name, row)]
    return [one._replace(id=f"{number}-{one.id}") for number, one in enumerate(made)]


def _bodies(name: str, row: Mapping[str, object]) -> Iterator[Hostile]:
    for value in VALUES:
        for place, path, body in _places(name, row, value):
            yield Hostile(f"{place}-{value[:20]!r}", "POST", path, JSON, body)


def _places(name: str, row: Mapping[str, object], value: bytes) -> Iterator[tuple[str, str, bytes]]:
    first, *others = row
    rest = b"".join(b"," + json.dumps({one: row[one]}).encode()[1:-1] for one in others)
    key = json.dumps(first).encode()
    yield "body", "/predict", value
    yield "cell", "/predict", b'{"row":{%s:%s%s}}' % (key, value, rest)
    last = json.dumps(dict(row)).encode()
    yield "row", "/predict", b'{"rows":[%s,%s]}' % (last, value)
    yield "column", "/predict", b'{"columns":{%s:%s}}' % (key, value)
    if value[:1] == b'"':
        yield "name", "/predict", b'{"row":{%s:1,%s:2%s}}' % (value, key, rest)
    tensor = b'{"name":%s,"shape":[1],"datatype":"BYTES","data":[%s]}' % (key, value)
    yield "tensor", f"/v2/models/{name}/infer", b'{"inputs":[%s]}' % tensor


def _others(name: str, row: Mapping[str, object]) -> Iterator[Hostile]:
    good = json.dumps({"row": dict(row)}).encode()
    for path in PATHS:
        for method in ("GET", "POST"):
            yield Hostile(f"path-{path[:20]!a}", method, path, JSON, good)
    for headers in HEADERS:
        yield Hostile(f"headers-{str(headers)[:40]!a}", "POST", "/predict", headers, good)
        yield Hostile(f"v2-{str(headers)[:40]!a}", "POST", f"/v2/models/{name}/infer", headers, b'{"inputs":[]}')
    for rows in (b"[{}]" * 2, b"[%s]" % b",".join([b"{}"] * 50_000), b"[%s]" % b",".join([b"[]"] * 50_000)):
        yield Hostile("many", "POST", "/predict", JSON, b'{"rows":%s}' % rows)
    wide = json.dumps({"row": {f"x{number}": number for number in range(100_000)}}).encode()
    yield Hostile("wide", "POST", "/predict", JSON, wide)
    for body in (
        b"\x00" * 1000,
        b'"' * 999,
        b"a,b\n" * 1000,
        b"\xef\xbb\xbfa\n1",
        b",,,\n" * 99,
        b'"a\n' * 99,
        b"\r" * 99,
    ):
        yield Hostile("csv", "POST", "/predict", {"content-type": "text/csv"}, body)
    for method in ("PUT", "DELETE", "TRACE", "CONNECT", "", "get", "P\r\nST", "{{7*7}}"):
        yield Hostile(f"method-{method!a}", method, "/predict", JSON, good)
