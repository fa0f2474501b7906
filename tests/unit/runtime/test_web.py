import dataclasses
import time

import pytest

from mlopskit.runtime import watch
from mlopskit.runtime.errors import IntegrityError, StorageError, UnsafeNameError, UsageError
from mlopskit.runtime.places import place_at

SECRETS = {"headers": {"Authorization": "Bearer CANARY-1"}, "query": "?sv=1&sig=CANARY-2"}
HINT = "aliases/production.json"


@pytest.fixture
def address(published, shop):
    return f"{shop.address}/sentiment"


def at(address, **options):
    return place_at(address, **{"limit": 1 << 20, **options})


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/sentiment",
        "ftp://host/sentiment",
        "az://account/sentiment",
        "://host/sentiment",
        "http://",
        "http:///sentiment",
        "http://host",
        "http://host/",
        "http://me:CANARY@host/sentiment",
        "http://host/sentiment?sig=CANARY",
        "http://host/sentiment?",
        "http://host/sentiment#x",
        "http://host/a;b/sentiment",
        "http://host/%2e%2e/sentiment",
        "http://host/%25252e%25252e/sentiment",
        "http://host/../sentiment",
        "http://host/a//sentiment",
        "http://host/a\\b/sentiment",
        "http://host/a b/sentiment",
        "http://host/é/sentiment",
        "http://host/sentiment\n",
        "http://ho\tst/sentiment",
        "http://host:65536/sentiment",
        "http://host:x/sentiment",
        "http://[::1/sentiment",
        "HTTP://host/sentiment",
    ],
)
def test_an_address_of_another_form_is_refused_and_not_shown(address):
    with pytest.raises(UsageError, match="is not of the form https://host/plain/names") as caught:
        at(address)
    assert "CANARY" not in str(caught.value)
    with pytest.raises(UsageError):
        watch(address, alias="production")


def test_a_query_that_no_request_can_hold_is_refused_and_not_shown():
    for query in ("sig=CAN ARY", "sig=CANARY\r\nX: y", "sig=\u00e9"):
        with pytest.raises(UsageError) as caught:
            at("http://127.0.0.1/sentiment", query=query)
        assert query not in str(caught.value)


@pytest.mark.parametrize("headers", [{"A": "CANARY\r\nX: y"}, {"A": "CANARY é"}, {"A b": "CANARY"}, {"": "CANARY"}])
def test_a_header_that_no_request_can_hold_is_refused_and_not_shown(headers):
    with pytest.raises(UsageError, match=r"header .* cannot be sent") as caught:
        at("http://127.0.0.1/sentiment", headers=headers)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("name", ["Sentiment", "con", "a.json", "x" * 64])
def test_the_last_part_is_a_models_name(name):
    with pytest.raises(UnsafeNameError, match="name of a model's folder"):
        at(f"http://127.0.0.1/{name}")


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/a", "https://host:443/$web/a.b/~x/name/", "http://[::1]:80/name", "https://a.b-c_d/v1/n"],
)
def test_an_address_of_plain_names_is_taken(address):
    place = at(address)
    assert place.address == address.rstrip("/")
    assert place.name == address.rstrip("/").rpartition("/")[2]


def test_a_file_is_asked_for_by_its_tag(address, published, shop):
    place = at(address)
    first = published.records[0].data()
    assert [place.get(HINT, limit=1 << 16) for _ in range(3)] == [first] * 3
    assert [status for _, status in shop.asked] == [200, 304, 304]
    published.move(published.two)
    assert place.get(HINT, limit=1 << 16) == published.records[1].data()
    assert place.get("aliases/absent.json", limit=10) is None
    assert place.get(HINT, limit=5) == published.records[1].data()[:6]


def test_a_look_at_what_has_not_changed_costs_two_small_questions(address, shop, tmp_path):
    with watch(address, alias="production", every=3600, folder=tmp_path / "own") as watched:
        watched.look()
        shop.asked.clear()
        watched.look()
    record = "/sentiment/aliases/production/{}/record.json"
    assert shop.asked == [(record.format(1), 304), (record.format(2), 404)]


def test_what_gives_access_is_sent_and_never_shown(address, published, shop, tmp_path, caplog):
    folder = tmp_path / "own"
    shop.instead = lambda request: "model.json" in request.path and request.send_error(403) is None
    with watch(address, alias="production", every=3600, folder=folder, **SECRETS) as watched:
        texts = [repr(watched), repr(watched.state), str(watched.state.failure), repr(watched._place), caplog.text]
        assert isinstance(watched.state.failure, StorageError)
        assert "the status is 403" in watched.state.failure.message
    shop.instead = lambda _: False
    with watch(address, alias="production", every=3600, folder=folder, **SECRETS) as watched:
        texts += [repr(watched.state), caplog.text]
    texts += [path.read_text() for path in folder.rglob("*") if path.is_file()]
    texts += [str(path) for path in folder.rglob("*")]
    assert "CANARY" not in "".join(texts)
    assert {header["Authorization"] for header in shop.headers} == {"Bearer CANARY-1"}
    assert all(path.endswith("?sv=1&sig=CANARY-2") for path, _ in shop.asked)
    assert shop.asked


def test_it_is_led_nowhere(address, shop):
    def lead(request):
        request.send_response(302)
        request.send_header("Location", f"{shop.address}/elsewhere")
        request.send_header("Content-Length", "0")
        request.end_headers()
        return "elsewhere" not in request.path

    shop.instead = lead
    with pytest.raises(StorageError, match="the status is 302, expected 200") as caught:
        at(address).get(HINT, limit=10)
    assert "not followed" in caught.value.remedy
    assert len(shop.headers) == 1


@pytest.mark.parametrize("status", [201, 204, 206, 304, 401, 403, 410, 429, 500, 503])
def test_another_status_is_no_answer(status, address, shop):
    def say(request):
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    shop.instead = say
    with pytest.raises(StorageError, match=f"the status is {status}"):
        at(address).get(HINT, limit=10)


def send(request, body, *, length=None, status=b"200 OK", more=b""):
    """Send an answer by hand."""
    request.close_connection = True
    head = b"" if length is None else b"Content-Length: %d\r\n" % length
    request.wfile.write(b"HTTP/1.1 %b\r\n%b%b\r\n%b" % (status, head, more, body))
    return True


def test_what_is_encoded_is_no_answer(address, shop):
    shop.instead = lambda request: send(request, b"x", length=1, more=b"Content-Encoding: gzip\r\n")
    with pytest.raises(StorageError, match="encoded"):
        at(address).get(HINT, limit=10)


@pytest.mark.parametrize("noise", [b"", b"\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\xff" * 100])
def test_what_is_no_http_is_no_answer(noise, address, shop):
    def say(request):
        request.close_connection = True
        request.wfile.write(noise)
        return True

    shop.instead = say
    with pytest.raises(StorageError, match="cannot be read"):
        at(address).get(HINT, limit=10)


def test_nobody_there_is_told(address, shop):
    port = address.split(":")[2].split("/")[0]
    place = at(address.replace(port, "1"))
    with pytest.raises(StorageError, match=r"cannot be read: \[Errno 111\]|refused"):
        place.get(HINT, limit=10)
    with pytest.raises(StorageError, match="cannot be read"):
        at("http://name.invalid/sentiment").get(HINT, limit=10)


def endlessly(request, data=b"x" * 65536, pause=0.0):
    try:
        while True:
            request.wfile.write(data)
            time.sleep(pause)
    except OSError:
        return True


def test_an_endless_answer_is_read_to_its_limit(address, shop):
    shop.instead = lambda request: send(request, b"") and endlessly(request)
    assert at(address).get(HINT, limit=100_000) == b"x" * 100_001


def test_an_endless_file_of_a_package_is_read_to_its_size(address, published, shop, tmp_path):
    shop.instead = lambda request: "model.json" in request.path and send(request, b"") and endlessly(request)
    with pytest.raises(IntegrityError, match=r"'model.json' .* is not the one that is listed"):
        at(address).package(published.one, kept=tmp_path / "own")
    assert [*(tmp_path / "own").iterdir()] == []


def test_a_silent_server_is_left(address, shop):
    shop.instead = lambda request: time.sleep(1) is None
    with pytest.raises(StorageError, match="timed out"):
        dataclasses.replace(at(address), silence=0.1).get(HINT, limit=10)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_server_that_sends_a_byte_now_and_then_is_left(head, address, shop):
    def drip(request):
        request.close_connection = True
        request.wfile.write(head)
        return endlessly(request, b"x", 0.05)

    shop.instead = drip
    with pytest.raises(StorageError, match="not complete after"):
        dataclasses.replace(at(address), silence=5, patience=0.4).get(HINT, limit=1000)


def test_a_file_cut_short_is_a_place_that_is_away_and_no_damaged_package(address, published, shop, tmp_path):
    shop.instead = lambda request: "model.json" in request.path and send(request, b"{", length=12)
    with pytest.raises(StorageError, match=r"model\.json cannot be read: it ended early"):
        at(address).package(published.one, kept=tmp_path / "own")
    shop.instead = lambda request: send(request, b"{", length=12)
    with pytest.raises(StorageError, match="it ended early"):
        at(address).get(HINT, limit=10)


def test_a_package_is_downloaded_once(address, published, shop, tmp_path):
    place = at(address)
    first = place.package(published.one, kept=tmp_path / "own")
    assert first.files["data/words.txt"] == b"word"
    asked = len(shop.asked)
    assert place.package(published.one, kept=tmp_path / "own") == first
    assert len(shop.asked) == asked
    assert not [path for path, _ in shop.asked if path.endswith("/")]
