"""Whatever stands in an option: it is refused, or the Dockerfile has the same instructions as without it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from mlopskit_docker.context import template
from mlopskit_docker.options import ImageOptions, check_options, check_tag

from mlopskit.errors import ConfigError

BASE = f"debian:12@sha256:{'0' * 64}"
PAYLOADS = [
    "python:3.12\nRUN curl x | sh",
    f"{BASE}\nRUN id",
    f"{BASE}\r\nUSER 0",
    f"{BASE}\rUSER 0",
    f"{BASE} AS x\nUSER root",
    f"{BASE}\n",
    f"\n{BASE}",
    f" {BASE}",
    f"{BASE}\\\nRUN id",
    f"{BASE}\u2028RUN id",
    f"{BASE}\x85RUN id",
    f"{BASE}\x00",
    f"$(id)@sha256:{'0' * 64}",
    "${PATH}",
    "$port",
    "`id`",
    "; touch /tmp/x",
    "' || id",
    '"]\nUSER 0\nCMD ["',
    '", "-c", "import os',
    "{{7*7}}",
    "{% raw %}",
    "../../etc/passwd",
    "--privileged",
    "<<EOF\nid\nEOF",
    "# syntax=evil/frontend",
    "\N{FULLWIDTH LATIN SMALL LETTER A}bc",
    "*anchor",
    "!!python/object:os.system",
    "a: b",
]
TEXTS = ["base", "platform", "python", "interpreter", "registry", "host"]


@pytest.mark.parametrize("field", TEXTS)
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_would_be_an_instruction_is_refused(field, payload):
    options = dataclasses.replace(ImageOptions(base=BASE), **{field: payload})
    with pytest.raises(ConfigError, match=field) as refused:
        check_options(options)
    assert refused.value.remedy
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("field", ["port", "memory"])
@pytest.mark.parametrize("value", [*PAYLOADS, -1, 0, 2**40, 1.5, True, None, "8000"])
def test_a_number_is_a_number(field, value):
    with pytest.raises(ConfigError, match=field):
        check_options(dataclasses.replace(ImageOptions(base=BASE), **{field: value}))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_name_of_an_image_is_nothing_else(payload):
    with pytest.raises(ConfigError, match="tag"):
        check_tag(payload)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", f"sha256:{'a' * 64}"),
        ("base", f"127.0.0.1:5000/a/b__c.d-e:1.2_3@sha256:{'a' * 64}"),
        ("base", f"python@sha256:{'a' * 64}"),
        ("platform", "linux/arm64"),
        ("python", "3.13"),
        ("interpreter", "/usr/local/bin/python3.11"),
        ("registry", "127.0.0.1:5000/models"),
        ("registry", "registry.example.com"),
        ("host", "0.0.0.0"),
        ("host", "::1"),
    ],
)
def test_what_is_meant_so_is_taken(field, value):
    check_options(dataclasses.replace(ImageOptions(base=BASE), **{field: value}))


@pytest.mark.parametrize(
    "base", ["python:3.11", "python", f"python@sha256:{'a' * 63}", f"Python@sha256:{'a' * 64}", ""]
)
def test_a_base_without_a_digest_is_refused(base):
    with pytest.raises(ConfigError, match="by its digest"):
        check_options(ImageOptions(base=base))


def test_words_are_filled_in_as_they_are():
    words = dict.fromkeys(["base", "labels", "user", "interval", "timeout", "start", "retries"], "x")
    words |= dict.fromkeys(["platform", "port", "health", "entrypoint", "arguments"], "x")
    said = template("Dockerfile", **{**words, "labels": json.dumps("$user {{7*7}} ${base}")}).decode()
    assert 'LABEL "$user {{7*7}} ${base}"' in said
