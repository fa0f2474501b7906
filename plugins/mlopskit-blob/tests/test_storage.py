from __future__ import annotations

import datetime as dt
import email.utils
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlopskit_blob.access import Access, Place, access_to, place_of
from mlopskit_blob.failures import explained
from mlopskit_blob.storage import BlobStorage

from mlopskit import plugins
from mlopskit.errors import ConfigError, MlopskitError, StorageError
from mlopskit.storage import Storage, storage_at

SECRET = "c2VjcmV0LWNhbmFyeQ=="
SIGNATURE = "sv=2025-11-05&sp=rw&sig=canary%2Bsecret"


def connection(account: str, **more: str) -> str:
    parts = {"DefaultEndpointsProtocol": "https", "AccountName": account, "AccountKey": SECRET, **more}
    return ";".join(f"{name}={value}" for name, value in parts.items())


def test_importing_the_plugin_or_looking_at_an_address_loads_no_sdk():
    code = """
import json, sys
import mlopskit_blob, mlopskit_blob.storage, mlopskit_blob.deployer
from mlopskit.storage import storage_at
storage_at("az://account/container/prefix")
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("azure", "msal", "requests"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == []


def test_the_plugin_is_found_by_its_scheme_and_its_target():
    assert plugins.find("storages", "az", Storage) is BlobStorage
    assert isinstance(storage_at("az://account/container"), BlobStorage)
    assert not [one for one in plugins.listing() if one.distribution == "mlopskit-blob" and one.problem]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("az://account/models", Place(account="account", container="models")),
        ("az://account/models/", Place(account="account", container="models")),
        ("az://acc0unt/a-1/b/c.d", Place(account="acc0unt", container="a-1", prefix="b/c.d")),
    ],
)
def test_an_address_is_account_container_and_prefix(uri, place):
    assert place_of(uri) == place
    assert BlobStorage(uri).uri == uri.rstrip("/")


UNSAFE = [
    "",
    "az://",
    "az://account",
    "az://account/",
    "az:///models",
    "az://my-container/prefix",
    "az://Account/models",
    "az://account/Models",
    "az://account/a",
    "az://account/" + "a" * 64,
    "az://account/-a-",
    "az://account/a--b",
    "az://account/$root",
    "az://account/models//x",
    "az://account/models/../x",
    "az://account/models/./x",
    "az://account/models/%2e%2e/x",
    "az://account/models/%252e%252e/x",
    "az://account/models/%25252e%25252e/x",
    "az://account/models/a\\b",
    "az://account/models/x#../..",
    "az://account/models/x?a=../..",
    "az://account/models/x;a",
    "az://account/models/x y",
    "az://account/models/x\n",
    "az://account/models/x\0",
    "az://user:password@account/models",
    "az://account:10000/models",
    "az://account.blob.core.windows.net/models",
    "az://169.254.169.254/models",
    "https://account.blob.core.windows.net/models",
    "az://account/models/\u00e9",
    "az://account/models/nul",
]


@pytest.mark.parametrize("uri", UNSAFE)
def test_what_is_no_address_is_refused_with_the_form(uri):
    with pytest.raises(ConfigError, match="az://ACCOUNT/CONTAINER"):
        BlobStorage(uri)


@given(st.text(alphabet="az0/-.%#?;@:\\ \nA\u00e9", max_size=30))
def test_an_address_that_is_taken_comes_back_as_it_is(text):
    try:
        uri = BlobStorage(f"az://{text}").uri
    except ConfigError:
        return
    assert uri == f"az://{text}".removesuffix("/")


def test_a_signature_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        BlobStorage(f"az://account/models?{SIGNATURE}")
    assert "canary" not in f"{caught.value} {vars(caught.value)}"


PLACE = Place(account="account", container="prod-models")


@pytest.mark.parametrize(
    ("environment", "source", "kind"),
    [
        ({}, "Azure's default credentials", ""),
        ({"AZURE_STORAGE_CONNECTION_STRING": connection("account")}, "AZURE_STORAGE_CONNECTION_STRING", "key"),
        ({"AZURE_STORAGE_CONNECTION_STRING": connection("another")}, "Azure's default credentials", ""),
        ({"AZURE_STORAGE_KEY": SECRET}, "Azure's default credentials", ""),
        ({"AZURE_STORAGE_KEY": SECRET, "AZURE_STORAGE_ACCOUNT": "another"}, "Azure's default credentials", ""),
        ({"AZURE_STORAGE_KEY": SECRET, "AZURE_STORAGE_ACCOUNT": "account"}, "AZURE_STORAGE_KEY", "key"),
        ({"AZURE_STORAGE_SAS_TOKEN": SIGNATURE, "AZURE_STORAGE_ACCOUNT": "account"}, "AZURE_STORAGE_SAS_TOKEN", "sas"),
        (
            {
                "AZURE_STORAGE_CONNECTION_STRING": connection("account"),
                "AZURE_STORAGE_KEY_ACCOUNT": SECRET,
                "AZURE_STORAGE_SAS_TOKEN_ACCOUNT_PROD_MODELS": f"?{SIGNATURE}",
            },
            "AZURE_STORAGE_SAS_TOKEN_ACCOUNT_PROD_MODELS",
            "sas",
        ),
        ({"AZURE_STORAGE_SAS_TOKEN_ACCOUNT_OTHER": SIGNATURE}, "Azure's default credentials", ""),
    ],
)
def test_credentials_are_those_nearest_to_the_container_and_never_anothers(environment, source, kind):
    access = access_to(PLACE, environment)
    assert access.source == source
    assert bool(access.key) == (kind == "key")
    assert bool(access.sas) == (kind == "sas")
    assert not access.sas.startswith("?")
    assert access.endpoint == "https://account.blob.core.windows.net"
    assert "canary" not in repr(access)
    assert SECRET not in repr(access)


def test_the_endpoint_is_that_of_the_connection_string_or_of_the_environment():
    emulator = "http://127.0.0.1:10000/account"
    sovereign = "https://account.blob.core.usgovcloudapi.net"
    name = "AZURE_STORAGE_CONNECTION_STRING"
    assert access_to(PLACE, {name: connection("account", BlobEndpoint=emulator)}).endpoint == emulator
    suffix = {"EndpointSuffix": "core.usgovcloudapi.net"}
    assert access_to(PLACE, {name: connection("account", **suffix)}).endpoint == sovereign
    assert access_to(PLACE, {"AZURE_STORAGE_BLOB_ENDPOINT_ACCOUNT": sovereign}).endpoint == sovereign
    assert access_to(PLACE, {"AZURE_STORAGE_BLOB_ENDPOINT": sovereign}).endpoint != sovereign
    signed = f"BlobEndpoint={sovereign};SharedAccessSignature={SIGNATURE}"
    assert access_to(PLACE, {name: signed}).sas == SIGNATURE


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AZURE_STORAGE_CONNECTION_STRING_ACCOUNT", connection("another"), "for the account 'another'"),
        ("AZURE_STORAGE_CONNECTION_STRING_ACCOUNT", SECRET, "no connection string"),
        ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=account", "no connection string"),
        ("AZURE_STORAGE_BLOB_ENDPOINT_ACCOUNT", "http://account.example", "not https"),
        ("AZURE_STORAGE_BLOB_ENDPOINT_ACCOUNT", "file:///etc", "not https"),
        ("AZURE_STORAGE_CONNECTION_STRING", connection("account", BlobEndpoint="http://example"), "not https"),
    ],
)
def test_what_is_malformed_or_for_another_account_is_refused_without_a_secret(name, value, says):
    with pytest.raises(ConfigError, match=says) as caught:
        access_to(PLACE, {name: value})
    assert SECRET not in f"{caught.value} {vars(caught.value)}"


def failures():
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    url = f"https://account.blob.core.windows.net/prod-models/x?{SIGNATURE}"
    yield ServiceRequestError(f"HTTPSConnectionPool: Max retries exceeded with url: {url} (AccountKey={SECRET})")
    yield ServiceResponseError(f"Connection aborted: {url}")
    yield ClientAuthenticationError(f"DefaultAzureCredential failed for {url} SharedAccessSignature={SIGNATURE}")
    yield IncompleteReadError(url)
    yield ValueError(f"{SECRET} is no base64")
    error = HttpResponseError(url)
    error.status_code, error.error_code = 403, "AuthorizationPermissionMismatch"
    yield error


def test_no_failure_tells_a_secret_and_each_has_a_remedy():
    access = Access(account="account", endpoint="https://x", source="AZURE_STORAGE_KEY", key=SECRET, sas=SIGNATURE)
    for failure in failures():
        said = explained(failure, PLACE, access)
        text = f"{said} {said!r} {vars(said)}"
        assert "canary" not in text, text
        assert SECRET not in text, text
        assert isinstance(said, MlopskitError)
        assert "az://account/prod-models" in said.message
        assert said.remedy
        assert "{" not in said.remedy


def test_an_api_version_that_the_client_does_not_speak_is_refused(monkeypatch):
    monkeypatch.setenv("MLOPSKIT_BLOB_API_VERSION", "2099-01-01")
    monkeypatch.setenv("AZURE_STORAGE_KEY_ACCOUNT", SECRET)
    with pytest.raises(ConfigError, match="API version '2099-01-01' can be made: Unsupported"):
        BlobStorage("az://account/models").find("x")


def test_clocks_that_differ_are_what_is_wrong():
    from azure.core.exceptions import HttpResponseError

    access = Access(account="account", endpoint="https://x", source="AZURE_STORAGE_KEY")
    for minutes, says in ((3, "it answered 403"), (45, "the clocks differ by 45 minutes")):
        error = HttpResponseError("refused")
        theirs = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
        error.status_code, error.error_code = 403, "AuthenticationFailed"
        error.response = SimpleNamespace(headers={"Date": email.utils.format_datetime(theirs, usegmt=True)})
        said = explained(error, PLACE, access)
        assert says in said.message
        assert ("clock" in said.remedy) == (minutes > 10)
    error.response = SimpleNamespace(headers={})
    assert "it answered 403 AuthenticationFailed" in explained(error, PLACE, access).message


class Answers(BaseHTTPRequestHandler):
    """Sends everybody to another host, or notes who came."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.came.append(self.path)
        self.send_response(307 if self.server.other else 404)
        if self.server.other:
            self.send_header("Location", f"http://127.0.0.1:{self.server.other}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def serve():
    """Return what starts a server."""
    running = []

    def start(other=0):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.other, server.came = other, []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nobody_is_followed_to_another_host(serve, monkeypatch):
    other = serve()
    first = serve(other.server_address[1])
    endpoint = f"http://127.0.0.1:{first.server_address[1]}/account"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection("account", BlobEndpoint=endpoint))
    storage = BlobStorage("az://account/models")
    for act in (
        lambda: storage.find("x"),
        lambda: storage.read("x", limit=9),
        lambda: storage.hint("x", b"1"),
        lambda: list(storage.list("")),
        lambda: storage.discard("x"),
    ):
        with pytest.raises(StorageError, match="it answered 307"):
            act()
    assert first.came
    assert not other.came


@pytest.fixture
def silent():
    """Return the port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one.getsockname()[1]


@pytest.mark.parametrize("trouble", ["silence", "no encryption", "no such host"])
def test_a_service_that_cannot_be_spoken_to_is_given_up_in_time(trouble, silent, serve, monkeypatch):
    endpoint = {
        "silence": f"http://127.0.0.1:{silent}/account",
        "no encryption": f"https://127.0.0.1:{serve().server_address[1]}/account",
        "no such host": "https://account.invalid",
    }[trouble]
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection("account", BlobEndpoint=endpoint))

    class Hasty(BlobStorage):
        deadline = 1.0
        silence = 0.3

    with pytest.raises(StorageError, match="'az://account/models' failed") as caught:
        Hasty("az://account/models").commit("x", {"y": b"1"}, last="y")
    assert "Connect to it" in caught.value.remedy


@pytest.mark.parametrize(
    "act",
    [lambda one: one.find("x"), lambda one: [*one.list("")], lambda one: one.hint("x", b"")],
    ids=["find", "list", "hint"],
)
def test_an_emulator_without_credentials_is_said_to_lack_them(monkeypatch, act):
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_BLOB_ENDPOINT_ACCOUNT", "http://127.0.0.1:10000/account")
    with pytest.raises(StorageError, match="no credentials were found for the account 'account'") as caught:
        act(BlobStorage("az://account/models"))
    assert "(Token credential is only supported with HTTPS)." in caught.value.message
    assert "AZURE_STORAGE_CONNECTION_STRING_ACCOUNT" in caught.value.remedy
