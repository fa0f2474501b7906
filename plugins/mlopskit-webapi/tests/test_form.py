"""The form in a real browser."""

import json
import os
import shutil
import subprocess
import types
from pathlib import Path

import pytest

from mlopskit.runtime.serving import Asked, Metrics, Site

BROWSER = Path(__file__).parents[3] / "tests" / "browser"


def test_the_page_lets_nothing_else_in_and_takes_no_other_method():
    site = Site([], metrics=Metrics(1), body=1000, rows=10, token="a-token")
    for path, media in (("/", "text/html"), ("/form.css", "text/css"), ("/form.mjs", "text/javascript")):
        said = site.answer(Asked("GET", path, {"host": "x"}, b"", keep=True))
        headers = dict(said.headers)
        assert said.status == 200
        assert headers["content-type"].startswith(media)
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert b"http://" not in said.body
        assert site.answer(Asked("HEAD", path, {}, b"", keep=True)).body == b""
        assert site.answer(Asked("POST", path, {}, b"", keep=True)).status == 405


@pytest.fixture(scope="module")
def chromium():
    """Return the path of Chromium, where it and what drives it are installed."""
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


def filled(chromium, address, *cells, token=""):
    """Fill the form, ask, and return what the page said."""
    command = ["node", str(BROWSER / "fill.mjs"), chromium, address, token, *cells]  # from PATH
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return types.SimpleNamespace(**json.loads(done.stdout))


@pytest.mark.live
def test_a_person_fills_the_form_and_is_answered(chromium, served):
    said = filled(chromium, f"{served.address}/", "<b>a</b>", "2.5", "3")
    assert said.errors == []
    assert said.title == "shop"
    assert said.labels == ["text", "number", "whole"]
    assert said.answer == "prediction: 5"
    asked = {request for request in said.requests if not request.endswith("favicon.ico")}
    assert asked == {"", "form.css", "form.mjs", "models", "models/shop/schema", "models/shop/predict", "openapi.json"}


@pytest.mark.live
def test_an_example_of_the_package_fills_the_form(chromium, served):
    said = filled(chromium, f"{served.address}/")
    assert said.errors == []
    assert said.answer == "prediction: 4"


@pytest.mark.live
def test_a_person_who_errs_is_told_what_is_expected(chromium, served):
    said = filled(chromium, f"{served.address}/", "a", "two", "3")
    assert "column 'number': 'two' is not number" in said.answer
    assert "Give a number." in said.answer


@pytest.mark.live
def test_a_person_shows_a_token(chromium, shop, start, tmp_path):
    shop.move(shop.package(2.0))
    token = tmp_path / "token"
    token.write_text("a-token\n")
    with start(f"{shop.folder}@production", "--token-file", str(token), log=tmp_path / "log") as server:
        said = filled(chromium, f"{server.address}/", "a", "2.5", "3", token="a-token")
        assert said.answer == "prediction: 5"
        assert server.ask("/predict", {})[0] == 401
