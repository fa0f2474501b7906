"""The example's own unit tests of its model, its verdict for a build system, and its gates on bad models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

import mlopskit as mk

EXAMPLE = Path(__file__).parents[2] / "examples/sentiment"
BAD = {"flipped labels", "shuffled", "constant", "1 % of rows", "class dropped"}
TESTS = 10
BEHAVIOUR = 11


def say(folder: Path, *command: str, expect: int = 0) -> str:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    surroundings["XDG_STATE_HOME"] = str(folder.parent / "state")
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout


def mlopskit(folder: Path, *arguments: str, expect: int = 0) -> str:
    return say(folder, str(Path(sys.executable).with_name("mlopskit")), *arguments, expect=expect)


def pytest_on(folder: Path, *arguments: str, expect: int = 0) -> str:
    quiet = ["-p", "no:cacheprovider", "-p", "no:randomly", "--rootdir=.", "-q", "-rs"]
    return say(folder, sys.executable, "-m", "pytest", *quiet, *arguments, "tests", expect=expect)


@pytest.fixture(scope="module")
def example(sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example whose model was trained and deployed."""
    folder = tmp_path_factory.mktemp("suite") / "sentiment"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "shares", ".mlopskit", "__pycache__"))
    shutil.copytree(sentences, folder / "data")
    mlopskit(folder, "run")
    return folder


@pytest.mark.live
def test_the_suite_passes_before_and_after_a_deployment(example: Path) -> None:
    said = pytest_on(example)
    assert "nothing is live under 'production' yet" in said
    assert f"{TESTS - 1} passed, 1 skipped" in said
    mlopskit(example, "deploy", "production")
    said = pytest_on(example, "--junitxml=tests.xml")
    assert f"{TESTS} passed" in said
    assert len([*ET.parse(example / "tests.xml").iter("testcase")]) == TESTS


@pytest.mark.live
def test_its_verdict_is_a_file_for_a_build_system(example: Path) -> None:
    mlopskit(example, "evaluate", "--junit", "verdict.xml")
    cases = [*ET.parse(example / "verdict.xml").iter("testcase")]
    by_kind = [case.get("classname") for case in cases]
    assert by_kind.count("sentiment.gates") == 6
    assert by_kind.count("sentiment.behaviour") == BEHAVIOUR
    assert not [case for case in cases if case.find("failure") is not None]


@pytest.mark.live
def test_its_gates_refuse_every_bad_model(example: Path) -> None:
    found = json.loads(mlopskit(example, "gates", "selftest", "--json"))
    counted = {trial["model"]: trial["refused_by"] for trial in found["trials"] if not trial["note"]}
    assert counted.keys() == BAD
    assert all(counted.values())
    assert found["itself"] == []
    assert len(found["gates"]) == 7
    (apart,) = [trial for trial in found["trials"] if trial["note"]]
    assert apart["model"] == "older schema"
    assert apart["note"].startswith("the schema refuses it")


@pytest.mark.live
@pytest.mark.parametrize("way", ["python -I -S", "Node", "C", "C on armv7 under qemu"])
def test_its_model_answers_where_it_is_ejected_to(example: Path, way: str, ask_ejected: Callable[..., float]) -> None:
    assert ask_ejected(mk.Project(example / "mlopskit.toml").package(), way, "the example") <= 1e-10
