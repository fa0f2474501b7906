"""The server keeps to what it says of itself: no path or method beyond those of its own document."""

import pytest

DOCUMENTED = {
    *("/", "/form.css", "/form.mjs"),
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


@pytest.mark.parametrize(
    "path",
    ["/docs", "/form.html", "/templates/form.html", "/admin", "/reload", "/shutdown", "/v2/repository/index", "/.env"],
)
def test_nothing_else_is_there(served, path):
    assert served.ask(path)[0] == 404
    assert served.ask(path, {})[0] == 404


@pytest.mark.parametrize("path", sorted(DOCUMENTED))
def test_nothing_can_be_changed(served, path):
    posted = path.endswith(("/predict", "/infer"))
    status = served.ask(path)[0] if posted else served.ask(path, {})[0]
    assert status == 405
