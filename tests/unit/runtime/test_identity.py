import json
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from mlopskit.runtime import identity
from mlopskit.runtime.errors import StorageError, UsageError
from mlopskit.runtime.identity import azure_token, google_token

SECRET = "CANARY-of-the-service"


class Cloud:
    """What gives tokens, one after the other, and what it was asked."""

    def __init__(self, shop):
        self.address, self.asked, self.said = shop.address, [], {"expires_in": "3600", "token_type": "Bearer"}
        shop.instead = self.answer

    def answer(self, request: BaseHTTPRequestHandler) -> bool:
        url = urlsplit(request.path)
        self.asked.append((url.path, {name: one for name, (one,) in parse_qs(url.query).items()}, request.headers))
        said = self.said if isinstance(self.said, bytes) else None
        body = said or json.dumps({"access_token": f"CANARY-{len(self.asked)}", **self.said}).encode()
        known = request.headers["If-None-Match"] is not None  # whoever asks so keeps what has ended
        body = b"" if known else body
        request.send_response(304 if known else 200)
        request.send_header("ETag", '"always the same"')
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return True


@pytest.fixture
def cloud(shop):
    return Cloud(shop)


def app_service(cloud, **more):
    return azure_token({"IDENTITY_ENDPOINT": f"{cloud.address}/msi/token/", "IDENTITY_HEADER": SECRET, **more})


def test_a_function_of_azure_is_asked_for_its_managed_identity(cloud):
    token = app_service(cloud)
    assert not cloud.asked
    assert token.headers() == {"Authorization": "Bearer CANARY-1", "x-ms-version": "2021-12-02"}
    ((path, query, headers),) = cloud.asked
    assert path == "/msi/token"
    assert query == {"api-version": "2019-08-01", "resource": "https://storage.azure.com/"}
    assert headers["X-IDENTITY-HEADER"] == SECRET


def test_one_of_several_identities_is_named(cloud):
    app_service(cloud, AZURE_CLIENT_ID="an-id").headers()
    assert cloud.asked[0][1]["client_id"] == "an-id"


def test_a_machine_of_azure_is_asked_for_its_identity(cloud):
    azure_token({"AZURE_POD_IDENTITY_AUTHORITY_HOST": cloud.address}).headers()
    ((path, query, headers),) = cloud.asked
    assert path == "/metadata/identity/oauth2/token"
    assert query == {"api-version": "2018-02-01", "resource": "https://storage.azure.com/"}
    assert headers["Metadata"] == "true"
    assert "X-IDENTITY-HEADER" not in headers


def test_google_is_asked_for_the_service_account(cloud):
    token = google_token({"GCE_METADATA_HOST": cloud.address.removeprefix("http://")})
    assert token.headers() == {"Authorization": "Bearer CANARY-1"}
    ((path, query, headers),) = cloud.asked
    assert path == "/computeMetadata/v1/instance/service-accounts/default/token"
    assert (query, headers["Metadata-Flavor"]) == ({}, "Google")


@pytest.mark.parametrize("said", [{"expires_in": 3600}, {"expires_on": None}])
def test_a_token_is_asked_for_again_before_it_ends_and_when_it_was_not_accepted(said, cloud, monkeypatch):
    cloud.said = said if "expires_in" in said else {"expires_on": str(int(time.time()) + 3600)}
    token = app_service(cloud)
    first = token.headers()
    assert token.headers() == first
    now = time.time()
    monkeypatch.setattr(identity.time, "time", lambda: now + 3600 - 400)
    assert token.headers() == first
    monkeypatch.setattr(identity.time, "time", lambda: now + 3600 - 200)
    cloud.said = {"expires_in": 3600}
    assert token.headers()["Authorization"] == "Bearer CANARY-2"
    token.forget()
    assert token.headers()["Authorization"] == "Bearer CANARY-3"


def test_a_token_that_ends_soon_is_not_asked_for_at_each_request(cloud):
    cloud.said = {"expires_in": 60}
    token = app_service(cloud)
    assert [token.headers()["Authorization"] for _ in range(3)] == ["Bearer CANARY-1"] * 3


@pytest.mark.parametrize(
    "said",
    [
        b"<html>CANARY</html>",
        b"[]",
        b"{}",
        b'{"access_token":"CANARY","expires_in":"3600"',
        b'{"access_token":"CANARY"}',
        b'{"access_token":"CANARY","expires_in":"soon"}',
        b'{"access_token":"CANARY","expires_in":-5}',
        b'{"access_token":"CANARY","expires_on":"5"}',
        b'{"access_token":"CANARY","expires_on":[5]}',
        b'{"access_token":"CANARY\\r\\nX: y","expires_in":3600}',
        b'{"access_token":"","expires_in":3600}',
        b'{"access_token":5,"expires_in":3600}',
        b'{"access_token":"' + b"CANARY" * (1 << 14) + b'","expires_in":3600}',
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(said, cloud):
    cloud.said = said
    with pytest.raises(StorageError, match="gave no token that holds") as caught:
        app_service(cloud).headers()
    assert "CANARY" not in str(caught.value)


def test_nobody_who_gives_one_is_told_without_what_was_sent(shop):
    shop.instead = lambda request: request.send_error(400, "CANARY") is None
    with pytest.raises(StorageError, match="the status is 400") as caught:
        app_service(shop).headers()
    assert "CANARY" not in str(caught.value)
    shop.instead = lambda request: request.send_error(403) is None
    with pytest.raises(StorageError, match=r"Switch its managed identity \(service account\) on"):
        app_service(shop).headers()


def test_a_redirection_is_not_followed_and_no_proxy_is_asked(shop, cloud, monkeypatch):
    def leads_away(request):
        cloud.asked.append(request.path)
        request.send_response(302)
        request.send_header("Location", f"{shop.address}/elsewhere")
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    shop.instead = leads_away
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match="the status is 302"):
        app_service(cloud).headers()
    assert len(cloud.asked) == 1


@pytest.mark.parametrize("address", ["CANARY", "http://CANARY", "http://a:CANARY@b/token", "file:///CANARY/token"])
def test_a_variable_that_holds_no_address_is_refused(address):
    with pytest.raises(UsageError) as caught:
        azure_token({"IDENTITY_ENDPOINT": address, "IDENTITY_HEADER": SECRET})
    assert "CANARY" not in str(caught.value)
