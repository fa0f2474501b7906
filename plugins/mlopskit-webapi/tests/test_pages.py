"""The pages for people: what they let in, and how they work in a real browser."""

import json
import os
import shutil
import subprocess
import types
from pathlib import Path

import pytest

from mlopskit.runtime import Model, http
from mlopskit.runtime.serving import Asked, Metrics, Site, Source

BROWSER = Path(__file__).parents[3] / "tests" / "browser"
COLUMNS = {
    "text": {"type": "string", "maxLength": 20},
    "note": {"type": ["string", "null"]},
    "number": {"type": "number", "minimum": 0},
    "whole": {"type": "integer"},
    "yes": {"type": "boolean"},
    "colour": {"type": "string", "enum": ["red", "<b>blue</b>"]},
    "size": {"type": ["number", "null"], "enum": [1.5, 2, None]},
    "maybe": {"type": ["number", "null"]},
}
ROW = {"text": "good", "note": None, "number": 0.5, "whole": -3, "yes": True, "colour": "red", "size": 2, "maybe": None}


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def model_of(name, **columns):
    """Return a model that answers what it was asked."""

    def score(given):
        rows = zip(*(given[column] for column in columns), strict=True)
        return {"prediction": [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]}

    schema = {"inputs": schema_of(**columns), "outputs": schema_of(prediction={"type": "string"})}
    scorer = types.SimpleNamespace(score=score)
    return Model(name=name, digest="sha256:" + "0" * 64, format="portable", schema=schema, scorer=scorer)


class WithExamples(Source):
    def served(self, journal):
        return http.Served(self.name, self.model, examples=[ROW])


def test_a_page_lets_nothing_else_in_and_takes_no_other_method():
    site = Site([], metrics=Metrics(1), body=1000, rows=10, token="a-token")
    pages = {"/": "text/html", "/docs": "text/html", "/page.css": "text/css"}
    pages |= dict.fromkeys(("/page.mjs", "/form.mjs", "/docs.mjs"), "text/javascript")
    for path, media in pages.items():
        said = site.answer(Asked("GET", path, {"host": "x"}, b"", keep=True))
        headers = dict(said.headers)
        assert said.status == 200
        assert headers["content-type"].startswith(media)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert b"http://" not in said.body
        assert b"innerHTML" not in said.body
        assert site.answer(Asked("HEAD", path, {}, b"", keep=True)).body == b""
        assert site.answer(Asked("POST", path, {}, b"", keep=True)).status == 405


@pytest.fixture(scope="module")
def chromium():
    """Return a browser, where it and what drives it are installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    lacking = [
        what
        for what, there in {
            "chromium": found,
            "node": shutil.which("node"),
            "npm ci --prefix tests/browser": (BROWSER / "node_modules").is_dir(),
        }.items()
        if not there
    ]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"
    return found


@pytest.mark.live
def test_people_use_the_form_and_look_at_what_programs_can_ask(chromium, here):
    sources = [Source("narrow", model_of("narrow", text={"type": "string"}))]
    sources.append(WithExamples("wide", model_of("wide", **COLUMNS)))
    site = Site(sources, metrics=Metrics(1), body=1 << 20, rows=100, token="a-token")
    with here(site) as address:
        command = ["node", str(BROWSER / "serve.mjs"), chromium, address, "a-token"]
        command += filter(None, [os.environ.get("MLOPSKIT_SCREENSHOTS")])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    said = types.SimpleNamespace(**json.loads(done.stdout))
    assert (said.errors, said.violations, said.overflows) == ([], [], [])
    assert not [request for request in said.requests if "://" in request]

    assert said.models == ["narrow", "wide"]
    assert said.labels == [*COLUMNS]
    assert said.hints[:3] == ["text, of a length of at most 20", "text, may be missing", "a number, at least 0"]
    assert said.examples == ["", "1: good, , 0.5, -3, true, red, 2, "]
    assert json.loads(said.example.removeprefix("prediction: ")) == ROW
    typed = {"text": "<b>a</b>", "number": 1.5, "whole": 9007199254740993, "yes": False, "colour": "<b>blue</b>"}
    assert json.loads(said.typed.removeprefix("prediction: ")) == {**ROW, **typed, "maybe": -1000}
    assert "column 'number': 'two' is not number" in said.error
    assert "Give a number, at least 0." in said.error
    assert said.focused == "input-2"

    assert {"POST /models/wide/predict", "GET /health/ready", "GET /docs", "POST /v2/models/wide/infer"} <= {
        *said.paths
    }
    assert said.body == {"rows": [ROW]}
    assert said.ready.startswith("200 OK\n")
    assert json.loads(said.ready.partition("\n")[2])["status"] == "ready"
