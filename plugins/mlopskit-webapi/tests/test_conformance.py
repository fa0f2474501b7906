"""The target keeps the contract of deployers; the server has no path or method beyond those of its own document."""

from pathlib import Path

import pytest
from mlopskit_webapi.deployer import WebApi

from mlopskit.loading import installed_loaders
from mlopskit.runtime import load, open_package
from mlopskit.testing import DeployerConformance

DOCUMENTED = {
    *("/", "/docs", "/page.css", "/page.mjs", "/form.mjs", "/docs.mjs"),
    *("/health/live", "/health/ready", "/metrics", "/models", "/openapi.json", "/predict", "/schema", "/metadata"),
    *("/models/shop/predict", "/models/shop/schema", "/models/shop/metadata"),
    *(
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/shop",
        "/v2/models/shop/ready",
        "/v2/models/shop/infer",
    ),
}


def test_the_document_names_these_paths_and_no_other(served):
    assert served.ask("/openapi.json")[2]["paths"].keys() == DOCUMENTED


def test_the_reference_asks_each_of_them():
    page = Path(__file__).parents[3] / "docs" / "reference" / "http.md"
    asked = page.read_text("utf-8").partition("## Each path, asked")[2].split()
    asked = {word.removeprefix("localhost").rstrip(";") for word in asked}
    assert {path.replace("shop", "tumour") for path in DOCUMENTED} <= asked


@pytest.mark.parametrize(
    "path",
    [
        "/docs.html",
        "/docs/",
        "/form.html",
        "/templates/form.html",
        "/admin",
        "/reload",
        "/shutdown",
        "/v2/repository/index",
        "/.env",
    ],
)
def test_nothing_else_is_there(served, path):
    assert served.ask(path)[0] == 404
    assert served.ask(path, {})[0] == 404


@pytest.mark.parametrize("path", sorted(DOCUMENTED))
def test_nothing_can_be_changed(served, path):
    posted = path.endswith(("/predict", "/infer"))
    status = served.ask(path)[0] if posted else served.ask(path, {})[0]
    assert status == 405


class TestWebApi(DeployerConformance):
    @pytest.fixture
    def deployer(self, tmp_path, package_with_code, serving_here):
        trusted = [package_with_code.digest]
        with serving_here(tmp_path / "place", trust_code=trusted) as (self.source, address):
            yield WebApi(to=str(tmp_path / "place"), servers=(address,))

    def tamper(self, deployer, at, other):
        """Let the server answer with the other package by this one's digest."""
        model = load(open_package(other.folder, digest=other.digest), loaders=installed_loaders())
        real = self.source.served
        self.source.states = lambda: [object()]
        self.source.served = lambda journal: real(journal)._replace(beside={at["bundle"]: model})
