"""The reader of this runtime, held to the vectors that every reader is held to."""

import json
import runpy
from pathlib import Path

import pytest

from mlopskit.runtime.errors import (
    AliasError,
    IntegrityError,
    LimitError,
    ManifestError,
    RollbackError,
    UnsafeNameError,
    UnsafePathError,
)
from mlopskit.runtime.places import place_at
from mlopskit.runtime.scoring import Model
from mlopskit.runtime.watching import LARGEST, Watched

VECTORS = Path(__file__).parents[2] / "vectors"
NAMES = sorted(path.name for path in (VECTORS / "alias").iterdir())
KINDS = {
    RollbackError: "went-back",
    IntegrityError: "integrity",
    LimitError: "limit",
    UnsafePathError: "unsafe-path",
    UnsafeNameError: "unsafe-name",
}


def kind_of(failure):
    if isinstance(failure, ManifestError):
        return "version" if getattr(failure, "field", None) == "format_version" else "malformed"
    if type(failure) is AliasError:
        return "broken-chain" if hasattr(failure, "seq") else "no-record"
    return KINDS[type(failure)]


def loaded(package):
    """Take a package whose bytes were checked: no vector is about scoring."""
    manifest = package.manifest
    return Model(name=manifest["name"], digest=package.digest, format="", schema=manifest["schema"], scorer=None)


def read(place, alias, folder):
    """Return what a reader that goes on with its folder says of a place."""
    try:
        there = place_at(place, limit=LARGEST)
        with Watched(there, alias=alias, every=3600, folder=folder, load=loaded) as watched:
            state = watched.state
    except UnsafeNameError as error:
        return {"refused": kind_of(error)}
    if state.failure is not None:
        return {"refused": kind_of(state.failure)}
    return {"seq": state.record.seq, "digest": state.digest}


def test_the_vectors_are_what_their_script_makes():
    made = runpy.run_path(str(VECTORS / "make.py"))["tree"]()
    folder = VECTORS / "alias"
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == made


def outcomes(name, where, folder):
    expected = json.loads((VECTORS / "alias" / name / "expected.json").read_bytes())
    by_path = not where.startswith("http")
    wanted, found = [], []
    for step in expected["steps"]:
        place = f"{where}/{name}/{step.pop('place')}"
        wanted.append(
            step.pop("by path", None) or step if by_path else {k: v for k, v in step.items() if k != "by path"}
        )
        found.append(read(place, expected["alias"], folder))
    return wanted, found


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_a_folder_says_what_the_vector_does(name, tmp_path):
    wanted, found = outcomes(name, str(VECTORS / "alias"), tmp_path)
    assert found == wanted


@pytest.fixture(scope="module")
def site(serving):
    with serving(VECTORS / "alias") as shop:
        yield shop


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_of_an_address_says_what_the_vector_does(name, site, tmp_path):
    wanted, found = outcomes(name, site.address, tmp_path)
    assert found == wanted
