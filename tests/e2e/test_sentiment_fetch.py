"""The example's fetch step: right, repeatable, and unimpressed by hostile archives."""

import functools
import gzip
import hashlib
import importlib.util
import io
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[2] / "examples/sentiment/fetch.py"
SENTENCES = {"movies.tsv": 10_072, "news.tsv": 2_970, "products.tsv": 2_985, "tweets.tsv": 3_432}
RATED = b'1\t2.5\tVery "good"\tindeed.\r\n2\t0.4\tSo so.\r\n3\t-0.5\tBad.'
TIDY = b"Very 'good' indeed.\tPositive\nBad.\tNegative\n"


def _load():
    spec = importlib.util.spec_from_file_location("sentiment_fetch", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fetch():
    return _load()


def _entry(name, **fields):
    entry = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(entry, field, value)
    return entry


def _archive(*entries):
    """Return a tar.gz of (entry, bytes) pairs."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for entry, data in entries:
            entry.size = entry.size or len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.fixture
def served(fetch, tmp_path, monkeypatch):
    """A forged source distribution, the only thing that pip can find; its setup.py tells when it is run."""
    names = [f"hutto_ICWSM_2014/{stem}_GroundTruth.txt" for stem, _ in fetch.SOURCES.values()]
    inner = _archive(*((_entry(name), RATED) for name in names))
    ran = tmp_path / "setup.py was run"
    setup = f"from pathlib import Path; Path({str(ran)!r}).touch()".encode()
    path = tmp_path / "links/vaderSentiment-3.3.2.tar.gz"
    path.parent.mkdir()
    path.write_bytes(_archive((_entry("vaderSentiment-3.3.2/setup.py"), setup), (_entry(fetch.INNER), inner)))
    _only(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=path.parent.as_uri())
    yield hashlib.sha256(path.read_bytes()).hexdigest()
    assert not ran.exists()


def _only(monkeypatch, **settings):
    """Make these the only settings of pip."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **settings}.items():
        monkeypatch.setenv(name, value)


def _run(into):
    return subprocess.run([sys.executable, SCRIPT, "--into", into], capture_output=True, text=True, check=False)


@pytest.mark.live
def test_sentences_are_fetched_once(tmp_path):
    into = tmp_path / "a/data"
    first = _run(into)
    if "pip could not download" in first.stderr and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"the package index cannot be reached: {first.stderr.strip()}")
    assert first.returncode == 0, first.stderr
    written = {path.name: path.read_text("utf-8").split("\n")[:-1] for path in into.iterdir()}
    assert {name: len(lines) for name, lines in written.items()} == SENTENCES
    cells = [line.split("\t") for lines in written.values() for line in lines]
    assert {len(row) for row in cells} == {2}
    assert {label for _, label in cells} == {"Positive", "Negative"}
    assert all(text == text.strip() and '"' not in text for text, _ in cells)
    before = {path: path.stat() for path in into.iterdir()}
    second = _run(into)
    assert (second.returncode, second.stdout) == (0, f"{into}: all 4 files are there already\n")
    assert {path: path.stat() for path in into.iterdir()} == before


def test_a_source_distribution_is_read_and_none_of_it_run(fetch, served, tmp_path, monkeypatch, capsys):
    wanted = hashlib.sha256(TIDY).hexdigest()
    monkeypatch.setattr(fetch, "SOURCES", {name: (stem, wanted) for name, (stem, _) in fetch.SOURCES.items()})
    monkeypatch.setattr(fetch, "download", functools.partial(fetch.download, served))
    assert fetch.main(["--into", str(tmp_path / "data")]) == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == dict.fromkeys(SENTENCES, TIDY)
    assert "movies.tsv: 2 sentences" in capsys.readouterr().out
    (tmp_path / "data/news.tsv").write_bytes(b"damaged")
    assert fetch.main(["--into", str(tmp_path / "data")]) == 0
    assert (tmp_path / "data/news.tsv").read_bytes() == TIDY


def test_another_source_distribution_is_refused(served, tmp_path):
    done = _run(tmp_path / "data")
    assert done.returncode == 3
    assert "is not the published one" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_bytes_that_pip_let_pass_are_checked_again(fetch, tmp_path, monkeypatch):
    (tmp_path / "other").write_bytes(b"other")
    monkeypatch.setattr(fetch, "_run_pip", lambda *_: tmp_path / "other")
    with pytest.raises(fetch.FetchError, match="is not the published one"):
        fetch.download()


def test_other_sentences_are_refused(fetch, served, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch, "download", functools.partial(fetch.download, served))
    assert fetch.main(["--into", str(tmp_path / "data")]) == 3
    assert "movies.tsv came out otherwise than expected" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_without_a_network_the_reason_and_what_to_do_are_said(tmp_path, monkeypatch):
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/simple"
        _only(monkeypatch, PIP_INDEX_URL=index, PIP_RETRIES="0", NO_PROXY="*")
        done = _run(tmp_path / "data")
    assert done.returncode == 3
    assert "pip could not download the source distribution of vaderSentiment 3.3.2" in done.stderr
    assert "Check the network and `pip config list`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(fetch.FetchError, match=r"file/movies\.tsv cannot be written: "):
        fetch.write(tmp_path / "file/movies.tsv", b"")


def test_a_failed_write_leaves_nothing_beside(fetch, tmp_path):
    (tmp_path / "movies.tsv").mkdir()
    with pytest.raises(fetch.FetchError, match=r"movies\.tsv cannot be written: "):
        fetch.write(tmp_path / "movies.tsv", b"some")
    assert [path.name for path in tmp_path.iterdir()] == ["movies.tsv"]


HOSTILE = {
    "symbolic link": _archive((_entry("wanted", type=tarfile.SYMTYPE, linkname="/etc/hostname"), b"")),
    "link to a link": _archive(
        (_entry("a", type=tarfile.SYMTYPE, linkname="../../outside"), b""),
        (_entry("wanted", type=tarfile.LNKTYPE, linkname="a"), b""),
    ),
    "hard link": _archive((_entry("a"), b"data"), (_entry("wanted", type=tarfile.LNKTYPE, linkname="a"), b"")),
    "folder": _archive((_entry("wanted", type=tarfile.DIRTYPE), b"")),
    "device": _archive((_entry("wanted", type=tarfile.CHRTYPE), b"")),
    "sparse": _archive((_entry("wanted", pax_headers={"GNU.sparse.size": "9999999", "GNU.sparse.map": "0,1"}), b"1")),
    "another path": _archive((_entry("./../wanted"), b"data"), (_entry("/wanted"), b"data")),
    "bomb": _archive((_entry("filler"), bytes(16 << 20)), (_entry("wanted"), b"data")),
    "not an archive": b"<html>404</html>",
    "no tar": gzip.compress(b"text" * 1000),
    "empty": b"",
    "cut gzip": _archive((_entry("wanted"), b"data"))[:-20],
    "cut tar": gzip.compress(gzip.decompress(_archive((_entry("wanted", size=20_000), bytes(20_000))))[:2000]),
}


@pytest.mark.parametrize("archive", HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(archive, fetch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(fetch.FetchError):
        fetch.members(archive, ["wanted"])
    assert not list(tmp_path.iterdir())


def test_only_the_named_members_are_read_and_nothing_is_written(fetch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    link = _entry("../link", type=tarfile.SYMTYPE, linkname="/etc")
    archive = _archive((link, b""), (_entry("../../outside"), b"no"), (_entry("wanted"), b"data"))
    assert fetch.members(archive, ["wanted"]) == {"wanted": b"data"}
    assert not list(tmp_path.iterdir())


@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_whatever_a_text_holds_a_row_has_two_cells(texts):
    texts = [text.replace("\r\n", "\n") for text in texts]
    rated = "\r\n".join(f"{number}\t-4\t{text}." for number, text in enumerate(texts)).encode()
    lines = _load().tidy(rated).decode().split("\n")
    assert lines.pop() == ""
    assert [line.partition("\t")[2] for line in lines] == ["Negative"] * len(texts)
    assert all(line.isprintable() for line in " ".join(lines).split("\t") if line.isascii())


def test_labels_follow_the_rating(fetch):
    rated = b"1\t0.5\tjust\r\n2\t-0.5\tnot\r\n3\t0.49\tneither\r\n4\t-0.49\tnor\r\n5\t4\tcaf\xc3\xa9"
    assert fetch.tidy(rated).decode() == "just\tPositive\nnot\tNegative\ncafé\tPositive\n"
