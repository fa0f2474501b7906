from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlopskit_objectstore.places import Place, place_of, settings_of
from mlopskit_objectstore.storage import ObjectStorage
from mlopskit_objectstore.stores import reason, store_at

from mlopskit import plugins
from mlopskit.errors import ConfigError
from mlopskit.storage import Storage

SECRET = "canary-secret/key"
PLACE = Place(scheme="s3", bucket="prod-models")


def test_importing_the_plugin_or_looking_at_an_address_loads_no_client():
    code = """
import json, sys
import mlopskit_objectstore, mlopskit_objectstore.storage
from mlopskit.storage import storage_at
storage_at("s3://bucket/prefix"), storage_at("gs://bucket")
print(json.dumps(sorted(name for name in sys.modules if name.startswith("obstore"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_the_plugin_is_found_by_its_schemes():
    for scheme in ("s3", "gs"):
        assert plugins.find("storages", scheme, Storage) is ObjectStorage


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("s3://prod-models", PLACE),
        ("s3://prod-models/", PLACE),
        ("gs://a.b_c/x/y.z", Place(scheme="gs", bucket="a.b_c", prefix="x/y.z")),
    ],
)
def test_an_address_is_bucket_and_prefix(uri, place):
    assert place_of(uri) == place
    assert ObjectStorage(uri).uri == uri.rstrip("/")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3://",
        "s3:///x",
        "s3://a",
        "s3://A-bucket",
        "s3://bucket/../x",
        "s3://bucket//x",
        "s3://bucket/%2e%2e/x",
        "s3://bucket/%252e%252e",
        "s3://bucket/%25252e%25252e",
        "s3://bucket/x#..",
        "s3://bucket/x?versionId=1",
        "s3://bucket/x;y",
        "s3://bucket/x y",
        "s3://bucket/x\ny",
        "s3://key:secret@bucket/x",
        "s3://bucket:9000/x",
        "s3://a..b/x",
        "s3://169.254.169.254/latest",
        "s3://bucket/nul",
        "https://bucket.s3.amazonaws.com/x",
    ],
)
def test_what_is_no_address_is_refused_with_the_form(uri):
    with pytest.raises(ConfigError, match="s3://BUCKET/PREFIX"):
        ObjectStorage(uri)


@given(st.text(alphabet="ab0/-.%#?;@:\\ \nA\u00e9", max_size=30))
def test_an_address_that_is_taken_comes_back_as_it_is(text):
    try:
        uri = ObjectStorage(f"s3://{text}").uri
    except ConfigError:
        return
    assert uri == f"s3://{text}".removesuffix("/")


def test_a_signature_in_an_address_is_not_repeated():
    with pytest.raises(ConfigError) as caught:
        ObjectStorage("s3://bucket/x?X-Amz-Signature=canary")
    assert "canary" not in f"{caught.value} {vars(caught.value)}"


def test_a_buckets_own_settings_count_before_the_bare_ones():
    bare = {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "https://one", "AWS_SESSION_TOKEN": "canary-token"}
    settings = settings_of(PLACE, bare)
    assert settings.place == {"aws_region": "eu-west-1", "aws_endpoint_url": "https://one"}
    assert settings.credentials == {}
    own = {
        "AWS_ACCESS_KEY_ID_PROD_MODELS": "id",
        "AWS_SECRET_ACCESS_KEY_PROD_MODELS": SECRET,
        "AWS_REGION_PROD_MODELS": "eu-west-2",
    }
    settings = settings_of(PLACE, bare | own)
    assert settings.place["aws_region"] == "eu-west-2"
    assert settings.credentials == {"aws_access_key_id": "id", "aws_secret_access_key": SECRET}
    assert settings.secrets == (SECRET, "canary-token")
    assert "canary" not in repr(settings)
    store = store_at(PLACE, settings, 1.0, 1.0)
    assert store.credential_provider()["token"] is None
    assert SECRET not in repr(store)


def test_what_the_client_says_is_told_without_what_is_secret():
    settings = settings_of(PLACE, {"AWS_SECRET_ACCESS_KEY": SECRET})
    error = RuntimeError(f"failed for https://x/y?X-Amz-Signature=canary&sig=canary\nwith {SECRET} {'x' * 1000}")
    assert "canary" not in reason(error, settings)
    assert len(reason(error, settings)) < 400


def test_a_client_of_each_service_is_made_from_the_settings(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL", "GOOGLE_SERVICE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    place = Place(scheme="gs", bucket="bucket", prefix="x/y")
    assert store_at(place, settings_of(place, {"GOOGLE_BASE_URL": "http://127.0.0.1:1"}), 1.0, 1.0).prefix == "x/y"
    endpoint = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "eu-west-1"}
    assert store_at(PLACE, settings_of(PLACE, endpoint), 1.0, 1.0).config["region"] == "eu-west-1"


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody to another server, or notes what they brought there."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_HEAD(self):
        self.server.came.append(dict(self.headers))
        self.send_response(307 if self.server.other else 404)
        if self.server.other:
            self.send_header("Location", f"http://127.0.0.1:{self.server.other}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving(other=0):
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        server.other, server.came = other, []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_the_key_is_not_sent_along_to_another_server(monkeypatch):
    with serving() as other, serving(other.server_address[1]) as first:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{first.server_address[1]}")
        assert ObjectStorage("s3://bucket").find("x") is None
    assert "AWS4" in str(first.came)
    assert "AWS4" not in str(other.came)
    assert SECRET not in str([*first.came, *other.came])
