"""Put addresses into every place of a request; say how many were answered, and what the process asked for: nothing."""

import json
import sys
import types

import mlopskit.runtime.csvrows
import mlopskit.runtime.inference_v2
import mlopskit.runtime.openapi_v2  # noqa: F401  # loaded before it is watched, as the two above
from mlopskit.runtime import Model
from mlopskit.runtime.serving import Asked, Metrics, Site, Source

WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "urllib.Request", "subprocess.Popen", "os.system")
URLS = (
    *("http://169.254.169.254/latest/", "https://127.0.0.1:1/", "file:///etc/passwd", "ftp://a/b", "//evil.example"),
    *("az://a/b", "s3://a/b", "http://0x7f000001/", "\\\\host\\share", "${jndi:ldap://127.0.0.1/a}"),
)
HEADERS = ("origin", "referer", "forwarded", "x-forwarded-host", "x-model-url", "location", "host", "x-request-id")


def schema_of(**columns):
    return {"additionalProperties": False, "properties": columns, "required": [*columns], "type": "object"}


def bodies(url):
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [url], "parameters": {"url": url}}
    yield from ({"row": {"text": url}}, {"rows": [{url: url}]}, {url: url}, {"columns": {"text": [url]}}, url)
    yield {"inputs": [tensor], "model_name": url, "parameters": {"binary_data_output": url}, "outputs": [{"name": url}]}
    yield {"inputs": [tensor]}


def paths(url):
    yield from ("/predict", "/v2/models/shop/infer", "/schema", "/metadata", "/docs", "/openapi.json")
    yield from (f"/models/{url}/predict", url, f"/?url={url}", f"/v2/models/shop/versions/{url}/infer")


schema = {"inputs": schema_of(text={"type": "string"}), "outputs": schema_of(prediction={"type": "string"})}
scorer = types.SimpleNamespace(score=lambda columns: {"prediction": columns["text"]})
model = Model(name="shop", digest="sha256:" + "0" * 64, format="portable", schema=schema, scorer=scorer)
site = Site([Source("shop", model)], metrics=Metrics(1), body=1 << 20, rows=10)
seen = []
sys.addaudithook(lambda event, given: seen.append((event, given)) if event in WATCHED else None)
statuses = [
    site.answer(
        Asked(method, path, dict.fromkeys(HEADERS, url) | {"content-type": kind}, json.dumps(body).encode(), keep=True)
    ).status
    for url in URLS
    for path in paths(url)
    for body in bodies(url)
    for method, kind in (("POST", "application/json"), ("POST", "text/csv"), ("GET", url))
]
assert {200, 404, 405, 415, 422} <= {*statuses} <= {200, 400, 404, 405, 413, 415, 422}, {*statuses}
print(len(statuses), seen)  # noqa: T201  # for the test that started it
