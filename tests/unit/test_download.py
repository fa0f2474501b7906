from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

import mlopskit as mk
from mlopskit import download
from mlopskit.assembly import Parts
from mlopskit.data import Dataset
from mlopskit.download import fetch, shown
from mlopskit.errors import DataError
from mlopskit.fingerprint import DOWNLOADS, fingerprint

ROWS = b"x,y\n1,p\n2,n\n"


@dataclass
class Site:
    """What a server answers, and what it was asked."""

    port: int = 0
    body: bytes = ROWS
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/csv"})
    etag: str | None = '"1"'
    modified: str | None = None
    length: int | None = -1  # -1: the true one; None: none
    chunked: bytes | None = None
    pause: float = 0
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/data/a.csv"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append({"path": request.path, **request.headers})
        time.sleep(self.pause)
        unchanged = self.etag and request.headers["If-None-Match"] == self.etag
        unchanged = unchanged or (self.modified and request.headers["If-Modified-Since"] == self.modified)
        request.send_response(304 if unchanged and self.status == 200 else self.status)
        for name, value in {"ETag": self.etag, "Last-Modified": self.modified, **self.headers}.items():
            if value:
                request.send_header(name, value)
        length = len(self.body) if self.length == -1 else self.length
        if not unchanged and length is not None and self.chunked is None:
            request.send_header("Content-Length", str(length))
        if self.chunked is not None:
            request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if not unchanged:
            request.wfile.write(self.body if self.chunked is None else self.chunked)


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.close_connection = True
            served.answer(self)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):  # a client that has heard enough goes away
            pass

    server = Server(("127.0.0.1", 0), Handler)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != "record.json")


# --- what is downloaded ---------------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once_and_asked_for_each_time(site, tmp_path):
    first = fetch(site.uri, tmp_path)
    assert first.read_bytes() == ROWS
    before = first.stat().st_ino
    assert fetch(site.uri, tmp_path) == first
    assert first.stat().st_ino == before
    assert [request.get("If-None-Match") for request in site.asked] == [None, '"1"']
    site.body, site.etag = ROWS + b"3,p\n", '"2"'
    second = fetch(site.uri, tmp_path)
    assert second.read_bytes() == site.body
    assert second != first
    assert first.exists()  # somebody may read it yet
    site.body, site.etag = ROWS + b"4,p\n", '"3"'
    fetch(site.uri, tmp_path)
    assert not first.exists()


@pytest.mark.usefixtures("umask_of_none")
def test_what_was_downloaded_is_this_users_alone(site, tmp_path):
    file = fetch(site.uri, tmp_path / "kept")
    assert file.parent.parent.stat().st_mode & 0o777 == 0o700


def test_a_time_is_asked_for_where_there_is_no_etag(site, tmp_path):
    site.etag, site.modified = None, "Wed, 21 Oct 2015 07:28:00 GMT"
    fetch(site.uri, tmp_path)
    fetch(site.uri, tmp_path)
    assert site.asked[1]["If-Modified-Since"] == site.modified
    site.modified = None
    assert fetch(site.uri, tmp_path).read_bytes() == ROWS


@pytest.mark.parametrize("damage", [b"", b"x,y\n1,p\n2,q\n"])
def test_a_kept_file_that_is_not_what_was_downloaded_is_downloaded_again(site, tmp_path, damage):
    file = fetch(site.uri, tmp_path)
    file.write_bytes(damage)
    assert fetch(site.uri, tmp_path).read_bytes() == ROWS
    (record,) = tmp_path.rglob("record.json")
    record.write_text("{")
    assert fetch(site.uri, tmp_path).read_bytes() == ROWS
    assert "If-None-Match" not in site.asked[2]


def test_a_dataset_is_read_from_an_address_and_names_its_lines_by_it(site, tmp_path):
    data = Dataset.read(f"{site.uri}?sig=secret", target="y", file_column="source", root=tmp_path)
    assert data.columns == {"x": [1, 2], "y": ["p", "n"], "source": ["a", "a"]}
    assert data.places[1] == f"{site.uri}:3"
    site.body, site.etag = b"x,y\n1\n", '"2"'
    with pytest.raises(DataError, match=f"Line 2 of '{site.uri}' has 1 columns"):
        Dataset.read(f"{site.uri}?sig=secret", target="y", root=tmp_path)


def test_the_fingerprint_of_an_address_is_that_of_its_content(site, tmp_path):
    (tmp_path / "a.csv").write_bytes(ROWS)
    assert fingerprint(site.uri, tmp_path) == {site.uri: fingerprint("a.csv", tmp_path)["a.csv"]}


def test_chunked_answers_are_taken_whole_only(site, tmp_path):
    whole = b"5\r\nx,y\n1\r\n5\r\n,p\n2,\r\n2\r\nn\n\r\n0\r\n\r\n"
    site.chunked = whole
    assert fetch(site.uri, tmp_path / "whole").read_bytes() == ROWS
    for end in (9, 15, 20, len(whole) - 5):
        site.chunked = whole[:end]
        with pytest.raises(DataError, match="broke off"):
            fetch(site.uri, tmp_path / "part")
    assert kept(tmp_path / "part") == []


def test_another_path_of_the_same_host_is_followed(site, tmp_path):
    site.status, site.headers = 302, {"Location": "/elsewhere.csv"}
    answer = site.answer

    def moved(request):
        if request.path == "/elsewhere.csv":
            site.status, site.headers = 200, {}
        answer(request)

    site.answer = moved
    assert fetch(site.uri, tmp_path).read_bytes() == ROWS


# --- what is no data ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("served", "words"),
    [
        ({"headers": {"Content-Type": "text/html; charset=utf-8"}}, r"it is a page \(text/html\)"),
        ({"body": b"\n <!DOCTYPE html><p>Sign in"}, "it begins with markup"),
        ({"body": b"<HTML>Not found"}, "it begins with markup"),
        ({"body": b"<?xml version='1.0'?><Error/>"}, "it begins with markup"),
        ({"status": 404}, "the status is 404"),
        ({"status": 500}, "the status is 500"),
        ({"status": 203}, "the status is 203, expected 200"),
        ({"status": 206}, "the status is 206, expected 200"),
        ({"status": 304}, "the status is 304"),
        ({"length": None}, "its length is not told"),
        ({"length": len(ROWS) + 1}, "it broke off after 12 of 13 bytes"),
        ({"headers": {"Content-Encoding": "gzip"}}, r"it is encoded \(gzip\)"),
    ],
    ids=str,
)
def test_what_is_served_instead_of_data_is_refused_and_not_kept(site, tmp_path, served, words):
    for name, value in served.items():
        setattr(site, name, value)
    with pytest.raises(DataError, match=words) as caught:
        fetch(site.uri, tmp_path)
    assert caught.value.remedy
    assert site.uri in caught.value.message
    assert kept(tmp_path) == []


def test_an_error_page_never_takes_the_place_of_data(site, tmp_path):
    file = fetch(site.uri, tmp_path)
    site.body, site.etag = b"<html>Maintenance</html>", None
    with pytest.raises(DataError, match="no data"):
        fetch(site.uri, tmp_path)
    assert file.read_bytes() == ROWS
    assert kept(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.feather"])
def test_columnar_files_begin_as_their_kind_does(site, tmp_path, name):
    uri = site.uri.replace("a.csv", name)
    with pytest.raises(DataError, match=f"begins with b'x,y.*which is no .{name[2:]} file"):
        fetch(uri, tmp_path)
    write = pl.DataFrame.write_parquet if name == "a.parquet" else pl.DataFrame.write_ipc
    write(pl.DataFrame({"x": [1], "y": ["p"]}), tmp_path / name)
    site.body = (tmp_path / name).read_bytes()
    assert fetch(uri, tmp_path).read_bytes() == site.body


@pytest.mark.parametrize("length", [-1, None])
def test_what_is_too_large_is_not_read_to_its_end(site, tmp_path, length):
    if length is None:
        site.chunked = b"c\r\n" + ROWS + b"\r\n0\r\n\r\n"
    with pytest.raises(DataError, match="is larger than 11 bytes"):
        fetch(site.uri, tmp_path, limit=11)
    assert kept(tmp_path) == []
    assert fetch(site.uri, tmp_path, limit=12).read_bytes() == ROWS


def test_a_slow_download_has_an_end(site, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "DEADLINE", -1.0)
    with pytest.raises(DataError, match="was not complete after"):
        fetch(site.uri, tmp_path)


def test_offline_the_last_download_is_named_and_not_used(site, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = site.uri.replace(str(site.port), str(unused.getsockname()[1]))
        with pytest.raises(DataError, match=r"cannot be had: .*refused") as caught:
            fetch(gone, tmp_path)
    assert "give a local path" in caught.value.remedy
    file = fetch(site.uri, tmp_path)
    site.pause = 0.5
    with pytest.raises(DataError, match=r"cannot be had: .*timed out") as caught:
        fetch(site.uri, tmp_path, timeout=0.1)
    assert str(file) in caught.value.remedy


@pytest.mark.parametrize(
    "there", ["http://localhost:{port}/a.csv", "https://127.0.0.1:{port}/a.csv", "file:///etc/passwd"]
)
def test_another_host_or_scheme_is_not_followed(site, tmp_path, there):
    site.status, site.headers = 302, {"Location": there.format(port=site.port)}
    with pytest.raises(DataError, match=r"leads to|the status is 302"):
        fetch(site.uri, tmp_path)
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://host.test/a.csv", "is not https"),
        ("http://127.0.0.1.host.test/a.csv", "is not https"),
        ("https:///a.csv", "is not https"),
        ("ftp://host.test/a.csv", "is not https"),
        ("https://me:secret@host.test/a.csv", "was given with a user or password"),
        ("https://host.test:port/a.csv", "is no address"),
        ("https://[::1/a.csv", "is no address"),
        ("https://host.test/", "names no file"),
        ("https://host.test/a b.csv", "characters that an address cannot"),
        ("https://host.test/a.csv\r\nX: y", "characters that an address cannot"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(tmp_path, uri, words):
    with pytest.raises(DataError, match=words) as caught:
        fetch(uri, tmp_path)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_query_of_an_address_is_never_shown():
    assert shown("https://host.test/a.csv?sig=secret#x") == "https://host.test/a.csv"


# --- in a project ---------------------------------------------------------------------------------------------------


def test_a_project_keeps_what_it_downloads_in_its_cache(site, fresh_project):
    rows = [f"{word} {number},{label}" for number in range(60) for word, label in (("good", "Up"), ("bad", "Down"))]
    site.body = "\n".join(["text,label", *rows]).encode()
    settings = fresh_project / "mlopskit.toml"
    text = settings.read_text().replace("data/*.csv", site.uri)
    settings.write_text(text)
    report = mk.Project().check_data()
    assert report.passed, str(report)
    assert kept(fresh_project / DOWNLOADS) == ["a.csv"]


def test_a_run_asks_an_address_once_for_its_fingerprint(site, fresh_project):
    settings = fresh_project / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("data/*.csv", site.uri))
    parts = Parts(mk.Project().config, fresh_project)
    first = parts._fingerprint(None)
    assert first[f"data {site.uri}"] == fingerprint(site.uri, fresh_project)[site.uri]
    asked = len(site.asked)
    assert parts._fingerprint(None) == first
    assert len(site.asked) == asked
    site.body, site.etag = ROWS + b"3,p\n", '"2"'
    assert Parts(mk.Project().config, fresh_project)._fingerprint(None) != first
