"""The readers for other languages: held to the vectors, and tried against servers that fail."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

import mlopskit
from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage

SOURCES = Path(str(mlopskit.__file__)).parent / "readers"
TESTS = Path(__file__).parents[1]
VECTORS = TESTS / "vectors" / "alias"
NAMES = sorted(path.name for path in VECTORS.iterdir())
NEEDS = {"javascript": ["node"], "c#": ["mcs", "mono"]}
pytestmark = pytest.mark.live


class Reader:
    """A process that reads as it is told, by `tests/readers/drive.mjs` or `Drive.cs`."""

    def __init__(self, command: list[str], *, paths: bool) -> None:
        self.paths = paths
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, *parts: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(" ".join(quote(part, safe=":/") for part in parts) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def open(self, place: str, alias: str = "production", patience: str = "60") -> str:
        self.tell("forget")
        return self.tell("open", place, alias, patience)

    def read(self) -> str:
        return self.tell("read")


def needs(programs: list[str]) -> None:
    """Skip a test where these are not installed; fail where they must be."""
    lacking = [name for name in programs if not shutil.which(name)]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"


@pytest.fixture(scope="module", params=NEEDS)
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Start a reader, where its language is installed."""
    needs(NEEDS[request.param])
    command = ["node", str(TESTS / "readers" / "drive.mjs")]
    if request.param == "c#":
        program = tmp_path_factory.mktemp("reader") / "drive.exe"
        options = ["-warnaserror", "-langversion:6", f"-out:{program}", "-r:System.Net.Http.dll"]
        sources = [str(SOURCES / "AliasReader.cs"), str(TESTS / "readers" / "Drive.cs")]
        done = subprocess.run(["mcs", *options, *sources], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        command = ["mono", str(program)]
    started = Reader(command, paths=request.param == "c#")
    yield started
    assert started.process.stdin
    assert started.process.stdout
    started.process.stdin.close()
    assert started.process.wait(120) == 0
    started.process.stdout.close()


# --- the vectors ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(serving: Any) -> Iterator[str]:
    """Serve the vectors."""
    with serving(VECTORS) as shop:
        yield shop.address


def said(step: dict[str, Any]) -> str:
    return step.get("refused") or f"{step['seq']} {step['digest'] or 'null'}"


def check_vector(reader: Reader, name: str, where: str) -> None:
    vector = json.loads((VECTORS / name / "expected.json").read_bytes())
    reader.tell("forget")
    for step in vector["steps"]:
        wanted = said(step if where.startswith("http") else step.get("by path", step))
        found = reader.tell("open", f"{where}/{name}/{step['place']}", vector["alias"], "60")
        if found == "opened":
            found = " ".join(reader.read().split(" ")[:2])
        assert found == wanted


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_an_address_says_what_the_vector_does(reader, name, site):
    check_vector(reader, name, site)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_a_folder_says_what_the_vector_does(reader, name):
    if reader.paths:
        check_vector(reader, name, str(VECTORS))
    else:
        assert reader.open(str(VECTORS / name / "1" / "sentiment")) == "unsafe-name"


# --- what happens between two looks ---------------------------------------------------------------------------------


@pytest.fixture
def place(shop: Any) -> Path:
    """Return a served place that the test may change."""
    shutil.copytree(VECTORS / "moved-on-by-5" / "1", shop.folder)
    return shop.folder / "sentiment"


def then(place: Path, vector: str, step: int) -> None:
    """Let the place become that of a vector, as a deployment would: nothing is taken away."""
    shutil.copytree(VECTORS / vector / str(step) / "sentiment", place, dirs_exist_ok=True)


def where(reader: Reader, shop: Any, *, by_path: bool) -> str:
    if by_path and not reader.paths:
        pytest.skip("it reads addresses alone")
    return str(shop.folder / "sentiment") if by_path else f"{shop.address}/sentiment"


@pytest.mark.parametrize("by_path", [False, True])
def test_what_has_not_changed_is_the_same_object_and_downloaded_once(reader, shop, place, by_path):
    reader.open(where(reader, shop, by_path=by_path))
    first = reader.read()
    assert first.startswith("2 sha256:")
    assert first.endswith(" 3 new")
    shop.asked.clear()
    assert reader.read() == first.replace("new", "same")
    if not by_path:
        record = "/sentiment/aliases/production/{}/record.json"
        assert shop.asked == [(record.format(2), 200), (record.format(3), 404)]
    then(place, "moved-on-by-5", 2)
    assert reader.read().startswith("7 sha256:")


@pytest.mark.parametrize("by_path", [False, True])
def test_a_package_that_is_refused_is_not_asked_for_at_each_look(reader, shop, place, by_path):
    reader.open(where(reader, shop, by_path=by_path))
    reader.read()
    then(place, "then-repaired", 2)
    for file in place.glob("packages/*/model.json"):
        file.write_bytes(b"spoilt")
    shutil.rmtree(place / "aliases")
    then(place, "moved-on-by-5", 2)
    for file in place.glob("packages/*/model.json"):
        file.write_bytes(b"spoilt")
    assert reader.read() == "integrity"
    shop.asked.clear()
    assert [reader.read() for _ in range(3)] == ["integrity"] * 3
    assert not [path for path, _ in shop.asked if "packages" in path]


@pytest.mark.parametrize("by_path", [False, True])
def test_a_place_that_is_away_says_so_and_is_read_when_it_is_back(reader, shop, place, by_path):
    reader.open(where(reader, shop, by_path=by_path))
    first = reader.read()
    place.rename(place.with_name("aside"))
    shop.instead = lambda request: request.send_error(503) is None
    assert [reader.read() for _ in range(2)] == ["away"] * 2
    place.with_name("aside").rename(place)
    shop.instead = lambda _: False
    assert reader.read() == first.replace("new", "same")


def answering(status: bytes, body: bytes = b"", more: bytes = b"Content-Length: 0\r\n") -> Any:
    def answer(request: BaseHTTPRequestHandler) -> bool:
        request.close_connection = True
        request.wfile.write(b"HTTP/1.1 %b\r\n%b\r\n%b" % (status, more, body))
        return True

    return answer


def endlessly(request: BaseHTTPRequestHandler, data: bytes = b"x" * 65536, pause: float = 0.0) -> bool:
    answering(b"200 OK", more=b"")(request)
    try:
        while True:
            request.wfile.write(data)
            time.sleep(pause)
    except OSError:
        return True


STATUSES = [b"201 x", b"204 x", b"206 x", b"401 x", b"403 x", b"410 x", b"429 x", b"500 x", b"503 x"]


@pytest.mark.parametrize("status", STATUSES)
def test_another_status_is_no_answer(reader, shop, place, status):
    reader.open(f"{shop.address}/sentiment")
    shop.instead = answering(status)
    assert reader.read() == "away"


def test_it_is_led_nowhere(reader, shop, place):
    reader.open(f"{shop.address}/sentiment")
    more = f"Location: {shop.address}/elsewhere\r\nContent-Length: 0\r\n".encode()
    shop.instead = lambda request: "elsewhere" not in request.path and answering(b"302 Found", more=more)(request)
    assert reader.read() == "away"
    assert not [path for path, _ in shop.asked if "elsewhere" in path]


def test_endless_answers_are_left(reader, shop, place):
    reader.open(f"{shop.address}/sentiment")
    shop.instead = lambda request: "record" in request.path and endlessly(request)
    assert reader.read() == "limit"
    shop.instead = lambda request: "manifest" in request.path and endlessly(request)
    assert reader.read() == "limit"
    reader.open(f"{shop.address}/sentiment")
    shop.instead = lambda request: "model.json" in request.path and endlessly(request)
    assert reader.read() == "integrity"


def test_an_answer_that_does_not_end_in_time_is_left(reader, shop, place):
    reader.open(f"{shop.address}/sentiment", "production", "0.5")
    shop.instead = lambda request: "model.json" in request.path and endlessly(request, b"\0", 0.05)
    assert reader.read() == "away"
    silent = threading.Event()
    shop.instead = lambda request: "model.json" in request.path and silent.wait()
    assert reader.read() == "away"
    silent.set()


@pytest.mark.parametrize(
    "address", ["http://me:word@h/a", "http://h/a?b", "http://h/a#b", "ftp://h/a", "http://h/../a"]
)
def test_an_address_of_another_form_is_refused(reader, address):
    assert reader.open(address) == "unsafe-name"
    assert reader.open("http://127.0.0.1/Sentiment") == "unsafe-name"


def test_nobody_there_is_told(reader):
    reader.open("http://127.0.0.1:1/sentiment")
    assert reader.read() == "away"


@pytest.mark.parametrize("by_path", [False, True])
def test_an_alias_that_moves_all_the_time_is_read_whole(reader, shop, tmp_path, by_path):
    shutil.copytree(VECTORS / "one-record" / "1", shop.folder)
    place = shop.folder / "sentiment"
    for step in ("moved-on-by-5/1", "moved-on-by-5/2", "then-repaired/1"):
        shutil.copytree(VECTORS / step / "sentiment" / "packages", place / "packages", dirs_exist_ok=True)
    digests = [f"sha256:{folder.name}" for folder in (place / "packages").iterdir()]
    alias = Alias(FolderStorage(str(shop.folder)), "sentiment/aliases", "sentiment", "production")

    def move() -> None:
        head = alias.head()
        for number in range(40):
            head = alias.append(digests[number % len(digests)], after=head, why="")

    reader.open(where(reader, shop, by_path=by_path))
    publisher = threading.Thread(target=move)
    publisher.start()
    said = [reader.read()]
    while publisher.is_alive():
        said.append(reader.read())
    said.append(reader.read())
    assert not [one for one in said if not re.fullmatch(r"\d+ sha256:[0-9a-f]{64} 3 (?:new|same)", one)]
    numbers = [int(one.split()[0]) for one in said]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 41


PAGE = """<!doctype html><script type="module">
import { AliasReader } from "/alias-reader.mjs";
const say = (text) => fetch(`/said/${encodeURIComponent(text)}`);
try {
    const { seq, digest, files } = await new AliasReader(`${location.origin}/sentiment`, "production").read();
    await say([seq, digest, files.size].join(" "));
} catch (error) {
    await say(`${error.kind} ${error}`);
}
</script>"""


def test_the_javascript_reader_works_in_a_browser(shop, place, tmp_path):
    needs(["chromium"])
    (shop.folder / "page.html").write_text(PAGE)
    shutil.copy(SOURCES / "alias-reader.mjs", shop.folder)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'user'}"]
    command = ["chromium", *options, "--remote-debugging-port=0", f"{shop.address}/page.html"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        while not (said := [path for path, _ in shop.asked if path.startswith("/said/")]):
            time.sleep(0.05)
        browser.terminate()
    assert re.fullmatch(r"/said/2 sha256:[0-9a-f]{64} 3", unquote(said[0]))


def test_what_the_page_shows_runs(tmp_path, shop, place):
    page = (TESTS.parent / "docs" / "how-to" / "read-from-another-language.md").read_text("utf-8")
    for title, text in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', page, re.MULTILINE | re.DOTALL):
        (tmp_path / title).write_text(text)
    for source in SOURCES.iterdir():
        shutil.copy(source, tmp_path)
    build = ["mcs", "-r:System.Net.Http.dll", "-out:read.exe", "AliasReader.cs", "Program.cs"]
    for commands in ([["node", "read.mjs"]], [build, ["mono", "read.exe"]]):
        needs([command[0] for command in commands])
        for command in commands:
            arguments = [] if command is build else [f"{shop.address}/sentiment"]
            done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert re.fullmatch(r"2 sha256:[0-9a-f]{64} data/words.txt empty.txt model.json\n", done.stdout)
