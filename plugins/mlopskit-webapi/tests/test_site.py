import json
import types

import pytest

from mlopskit.runtime import Model, WatchState
from mlopskit.runtime.serving import Asked, Metrics, Site, Source

ROW = {"number": 1.5}


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def score(columns):
    if columns["number"] == [13.0]:
        raise ZeroDivisionError("a secret of the engine")
    return {"prediction": columns["number"]}


MODEL = Model(
    name="shop",
    digest="sha256:" + "0" * 64,
    format="portable",
    schema={"inputs": schema_of(number={"type": "number"}), "outputs": schema_of(prediction={"type": "number"})},
    scorer=types.SimpleNamespace(score=score),
)


def site_of(**options):
    metrics = options.pop("metrics", None) or Metrics(1)
    return Site([Source("shop", MODEL, {"alias": "x"})], metrics=metrics, body=1 << 20, rows=100, **options)


def ask(site, target, body=None, method=None, **headers):
    data = b"" if body is None else json.dumps(body).encode()
    given = {"content-type": "application/json", "host": "localhost:80"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return site.answer(Asked(method or ("GET" if body is None else "POST"), target, given, data, keep=True))


def test_a_query_is_no_part_of_a_path():
    assert ask(site_of(), "/predict?a=1", {"row": ROW}).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80"])
def test_it_is_called_by_its_names(host):
    site = site_of(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    assert ask(site, "/health/live", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "localhost:80:80", "x@localhost"])
def test_it_is_not_called_otherwise(host):
    site = site_of(hosts=frozenset({"localhost"}))
    assert ask(site, "/predict", {"row": ROW}, host=host).status == 400


def test_a_token_is_shown_or_nothing_but_health_is_told():
    site = site_of(token="a-token")
    for path in ("/predict", "/metadata", "/metrics", "/openapi.json", "/v2"):
        said = ask(site, path)
        assert said.status == 401
        assert dict(said.headers)["www-authenticate"] == "Bearer"
    assert ask(site, "/health/live").status == ask(site, "/health/ready").status == 200
    for headers in ({"authorization": "Bearer a-token"}, {"authorization": "bearer a-token"}, {"x_api_key": "a-token"}):
        assert ask(site, "/predict", {"row": ROW}, **headers).status == 200
    for headers in ({"authorization": "Basic a-token"}, {"authorization": "Bearer a-toke"}, {"x_api_key": "ä"}):
        assert ask(site, "/predict", {"row": ROW}, **headers).status == 401


def test_who_asks_by_a_protocol_is_refused_in_its_words():
    site = site_of(token="a-token", hosts=frozenset({"localhost"}))
    assert json.loads(ask(site, "/v2/models/shop").body)["error"].startswith("The request shows no valid token.")
    assert json.loads(ask(site, "/v2", host="evil.example").body)["error"].startswith("The server is not called so.")
    assert "error" not in json.loads(ask(site, "/metadata").body)


def test_answers_of_all_processes_are_counted():
    metrics = Metrics(2)
    site = site_of(metrics=metrics)
    ask(site, "/predict", {"row": ROW})
    metrics.take(1)
    ask(site, "/predict", {"row": ROW})
    ask(site, "/predict", {"row": {}})
    ask(site, "/health/live")
    text = ask(site, "/metrics").body.decode()
    assert 'mlopskit_requests_total{route="predict",status="200"} 2' in text
    assert 'mlopskit_requests_total{route="predict",status="422"} 1' in text
    assert 'mlopskit_requests_total{route="other",status="200"} 1' in text
    assert 'mlopskit_request_seconds_count{route="predict"} 3' in text
    assert f'mlopskit_model{{name="shop",digest="{MODEL.digest}"}} 1' in text
    assert ask(site, "/metrics", method="HEAD").body == b""
    assert ask(site, "/metrics", method="POST").status == 405


def test_what_an_engine_says_is_logged_and_not_told(caplog):
    said = ask(site_of(), "/predict", {"row": {"number": 13.0}}, x_request_id="an-id")
    assert said.status == 422
    assert b"secret" not in said.body
    assert "an-id" in caplog.text
    assert "a secret of the engine" in caplog.text


def test_the_service_is_one_value_until_something_changes():
    site = site_of()
    assert site.service() is site.service()


class Place:
    """A watched alias, as far as a site looks at it."""


def followed(monkeypatch, checked, **options):
    monkeypatch.setattr("mlopskit.runtime.serving.site.Watched", Place)
    place = Place()
    place.answering, place.verdict, place.state = MODEL, None, WatchState(checked=checked)
    return Site([Source("shop", place, **options)], metrics=Metrics(1), body=1 << 20, rows=100)


def test_an_alias_that_was_not_read_for_too_long_is_a_fault_and_is_answered(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("mlopskit.runtime.serving.site.time.time", lambda: now[0])
    site = followed(monkeypatch, 1000.0, max_age=60)
    assert json.loads(ask(site, "/health/ready").body)["status"] == "ready"
    now[0] = 1061.0
    said = json.loads(ask(site, "/health/ready").body)
    assert said["status"] == "degraded"
    assert said["models"]["shop"]["fault"] == "The alias was not read for more than 60 s."
    assert ask(site, "/predict", {"row": ROW}).status == 200
    assert json.loads(ask(site, "/metadata").body)["checked"] == "1970-01-01T00:16:40+00:00"


def test_what_was_judged_and_tried_is_told_and_examples_are_shown(monkeypatch):
    site = followed(monkeypatch, 1000.0)
    place = site.sources[0].model
    place.verdict = {"passed": True, "override": None, "dataset": ""}
    place.state = WatchState(checked=1000.0, tries=3)
    monkeypatch.setattr(MODEL, "examples", [ROW])
    said = json.loads(ask(site, "/metadata").body)
    assert (said["verdict"]["passed"], said["tries"]) == (True, 3)
    document = json.loads(ask(site, "/openapi.json").body)
    body = document["paths"]["/models/shop/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == {"rows": [ROW]}
