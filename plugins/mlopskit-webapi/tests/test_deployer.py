import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from mlopskit_webapi.deployer import WebApi

from mlopskit.errors import ConfigError, DeployError, NotReadyError

ONE, OTHER = (f"sha256:{digit * 64}" for digit in "12")
AT = {"bundle": ONE}


class Answering(BaseHTTPRequestHandler):
    """A server that says what it is told to, and remembers what it was asked."""

    def do_POST(self):
        length = int(self.headers["content-length"])
        self.server.asked.append((self.path, self.headers["authorization"], json.loads(self.rfile.read(length))))
        status, body, headers = self.server.says
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def servers():
    made = [HTTPServer(("127.0.0.1", 0), Answering) for _ in range(2)]
    for one in made:
        one.asked, one.says = [], (200, {"rows": [{"y": 1}], "digest": ONE, "runtime": {}}, {})
        threading.Thread(target=one.serve_forever, args=(0.01,)).start()
    yield made
    for one in made:
        one.shutdown()
        one.server_close()


@pytest.fixture
def deployer(servers, tmp_path):
    addresses = [f"http://127.0.0.1:{one.server_port}" for one in servers]
    return WebApi(to=str(tmp_path / "place"), servers=addresses, token_env="A_TOKEN")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"servers": ["file:///etc"]},
        {"servers": ["127.0.0.1:80"]},
        {"servers": ["http://a"], "beside": "production"},
    ],
)
def test_without_servers_to_ask_nothing_is_deployed(options, tmp_path):
    with pytest.raises(ConfigError):
        WebApi(to=str(tmp_path), **options).check(None)


def test_every_server_is_asked_and_shown_the_token(deployer, servers, monkeypatch):
    monkeypatch.setenv("A_TOKEN", "a-token")
    answer = deployer.predict("shop", [{"x": 1}], AT)
    assert (answer.rows, answer.digest) == ([{"y": 1}], ONE)
    asked = (f"/models/shop/versions/{ONE}/predict", "Bearer a-token", {"rows": [{"x": 1}]})
    assert [one.asked for one in servers] == [[asked], [asked]]
    assert "a-token" not in repr(deployer)


def test_the_answer_of_a_server_that_differs_is_the_one_to_be_looked_at(deployer, servers):
    servers[1].says = (200, {"rows": [{"y": 2}], "digest": ONE, "runtime": {}}, {})
    assert deployer.predict("shop", [{"x": 1}], AT).rows == [{"y": 2}]


@pytest.mark.parametrize("status", [404, 503])
def test_a_server_that_has_not_loaded_it_yet_is_waited_for(status, deployer, servers, monkeypatch):
    servers[1].says = (status, {}, {})
    monkeypatch.setattr(WebApi, "_offer", lambda *_: None)
    with pytest.raises(NotReadyError, match=str(servers[1].server_port)):
        deployer.predict("shop", [{"x": 1}], AT)


def test_what_a_server_says_is_told(deployer, servers):
    servers[0].says = (401, {"detail": "The request shows no valid token.", "remedy": "Send one."}, {})
    with pytest.raises(DeployError, match="answered 401: The request shows no valid token"):
        deployer.predict("shop", [{"x": 1}], AT)
    servers[0].says = (500, ["no", "problem"], {})
    with pytest.raises(DeployError, match="answered 500"):
        deployer.predict("shop", [{"x": 1}], AT)


def test_a_token_follows_no_redirect(deployer, servers):
    servers[0].says = (307, {}, {"location": f"http://127.0.0.1:{servers[1].server_port}/"})
    with pytest.raises(DeployError, match="307"):
        deployer.predict("shop", [{"x": 1}], AT)
    assert not servers[1].asked


def test_no_file_is_opened(tmp_path):
    file = tmp_path / f"models/shop/versions/{ONE}/predict"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"rows": [{"y": 1}], "digest": ONE, "runtime": {}}))
    deployer = WebApi(to=str(tmp_path), servers=[f"file://{tmp_path}"], beside="candidate")
    with pytest.raises(ConfigError, match="none of http or https"):
        deployer.predict("shop", [{"x": 1}], AT)
