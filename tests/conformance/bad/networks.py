"""Storages over a network that are bad on purpose, each in one way; `test_bad_implementations.py` says which check."""

import contextlib
import http.client
import io
import json
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlopskit.buckets import BucketStorage
from mlopskit.commits import StoredObject, sha256_of
from mlopskit.errors import StorageError
from mlopskit.testing import OutcomeConformance

_PAUSE = 0.01


class Service(BaseHTTPRequestHandler):
    """Objects in a dictionary, each with an etag and its facts, written on a condition."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def __getattr__(self, name):
        if name.startswith("do_"):
            return getattr(self, name.removeprefix("do_").lower())
        raise AttributeError(name)

    def put(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if len(data) < int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        with self.server.lock:
            found = self.server.objects.get(self.path)
            wanted = self.headers.get("If-Match", "*" if found is None or not self.headers.get("If-None-Match") else "")
            if wanted not in ("*", found and found[0]):
                self.say(412)
                return
            self.server.objects[self.path] = (uuid.uuid4().hex, self.headers["Facts"], data)
        self.say(201)

    def get(self):
        path, _, query = self.path.partition("?list=")
        if query:
            listed = [(key, len(data)) for key, (_, _, data) in self.server.objects.items() if key.startswith(query)]
            return self.say(200, json.dumps(sorted(listed)).encode())
        if path not in self.server.objects:
            return self.say(404)
        etag, facts, data = self.server.objects[path]
        return self.say(200, data, ETag=etag, Facts=facts)

    head = get

    def delete(self):
        self.server.objects.pop(self.path, None)
        self.say(204)

    def say(self, status, body=b"", **headers):
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Network(BucketStorage):
    """The good one: it asks again until its deadline."""

    deadline = 0.8
    uri = "network://"

    def __init__(self, port, place):
        self.port = port
        self.place = place

    def ask(self, method, path, data=b"", **headers):
        end = time.monotonic() + self.deadline
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=0.6)
            try:
                headers = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request(method, path, body=data, headers=headers)
                answer = connection.getresponse()
                said = answer.status, answer.headers, answer.read()
                if said[0] < 500 and said[0] != 429:
                    return said
                why = str(said[0])
            except (OSError, http.client.HTTPException) as error:
                why = str(error)
            finally:
                connection.close()
            if time.monotonic() > end:
                raise StorageError(f"The service is away: {why}.", remedy="Wait.")
            time.sleep(_PAUSE)

    def path(self, key):
        return f"/{self.place}/{key}"

    def find(self, key):
        status, headers, _ = self.ask("HEAD", self.path(key))
        if status == 404:
            return None
        return StoredObject(
            size=int(headers["Content-Length"]), etag=headers["ETag"], facts=json.loads(headers["Facts"])
        )

    @contextlib.contextmanager
    def fetch(self, key):
        status, headers, data = self.ask("GET", self.path(key))
        if status == 404:
            raise FileNotFoundError(key)
        yield StoredObject(size=len(data), etag=headers["ETag"], facts=json.loads(headers["Facts"])), iter([data])

    def store(self, key, data, facts, /, *, over):
        content = data if isinstance(data, bytes) else data.read_bytes()
        condition = {"If_None_Match": "*"} if over is None else {"If_Match": over}
        return self.ask("PUT", self.path(key), content, Facts=json.dumps(dict(facts)), **condition)[0] == 201

    def scan(self, start):
        base = self.path("")
        _, _, listed = self.ask("GET", f"/?list={urllib.parse.quote(base + start)}")
        yield from ((key.removeprefix(base), size, None) for key, size in json.loads(listed))

    def discard(self, key):
        self.ask("DELETE", self.path(key))


def suite(kind):
    class Suite(OutcomeConformance):
        @pytest.fixture
        def upstream(self):
            server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
            server.daemon_threads, server.block_on_close = True, False
            server.objects, server.lock = {}, threading.Lock()
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            yield server.server_address[1]
            server.shutdown()
            server.server_close()
            thread.join()

        @pytest.fixture
        def connect(self):
            return lambda port: kind(port, "place")

    Suite.__name__ = Suite.__qualname__ = f"Test{kind.__name__}"
    return Suite


class TakesItsEchoForAnother(Network):
    def commit(self, prefix, files, *, last):
        if self.find(f"{prefix}/{last}") is not None:
            return False
        for path in [path for path in files if path != last]:
            self.hint(f"{prefix}/{path}", files[path])
        if len(files) > 1:  # as many writes as the good one makes
            self.hint("beside", b"")
        return self.store(f"{prefix}/{last}", files[last], {"sha256": sha256_of(files[last])}, over=None)


class GivesUpAtOnce(Network):
    deadline = -1.0


class SaysDoneAnyway(Network):
    def commit(self, prefix, files, *, last):
        try:
            return super().commit(prefix, files, last=last)
        except StorageError:
            return True


class BelievesWhatItReads(Network):
    @contextlib.contextmanager
    def open(self, key):
        with self.fetch(key) as (_, pieces):
            yield io.BytesIO(b"".join(pieces))


TestNetwork = suite(Network)
TestTakesItsEchoForAnother = suite(TakesItsEchoForAnother)
TestGivesUpAtOnce = suite(GivesUpAtOnce)
TestSaysDoneAnyway = suite(SaysDoneAnyway)
TestBelievesWhatItReads = suite(BelievesWhatItReads)
