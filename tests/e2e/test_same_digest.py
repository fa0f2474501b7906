"""The same project gives the same digest in another folder, for another user, in other surroundings."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/sentiment"
# Turkish has other small letters for I; in Kiritimati it is mostly another day.
ELSEWHERE = {"TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "4711"}
HERE = {"TZ": "America/New_York", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


def _required():
    return bool(os.environ.get("MLOPSKIT_REQUIRE_SERVICES"))


@pytest.fixture
def turkish(tmp_path):
    """Return the settings of a Turkish locale, compiled for this test."""
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(tmp_path / "tr_TR.UTF-8")]
    if shutil.which("localedef") is None or subprocess.run(command, capture_output=True, check=False).returncode > 1:
        assert not _required(), "localedef and its sources are needed: install Debian's package locales"
        pytest.skip("localedef and its sources are not installed (Debian: locales)")
    return {"LOCPATH": str(tmp_path), "LC_ALL": "tr_TR.UTF-8"}


def _run(project, sentences, surroundings):
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("data", "shares", ".mlopskit", "__pycache__"))
    shutil.copytree(sentences, project / "data")
    home = project.parent / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON", "XDG_"))}
    done = subprocess.run(
        [Path(sys.executable).with_name("mlopskit"), "run", "--json"],
        cwd=project,
        env={**kept, "HOME": str(home), **surroundings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.live
def test_the_same_project_gives_the_same_digest_elsewhere(tmp_path, sentences, turkish, record_property):
    one = _run(tmp_path / "here" / "sentiment", sentences, HERE)
    other = _run(tmp_path / "else where" / "copy of sentiment", sentences, {**ELSEWHERE, **turkish})
    assert one["outcome"] == other["outcome"] == "passed"
    assert one["digest"] == other["digest"]
    record_property(
        "figure: the sentiment example in two folders, homes, locales, time zones and hash seeds", "one digest"
    )
