"""The plugin in pytest processes of its own, as its users have it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlopskit as mk

SUITE = """
import mlopskit as mk
from mlopskit.testing import assert_metric, assert_predicts


def test_the_fixtures(package, model, test_data, production):
    assert (package.name, model.digest) == ("mood", package.digest)
    assert isinstance(test_data, mk.Dataset) and isinstance(production, mk.ModelPackage)
    assert_metric(package, "accuracy", at_least=0.75)


def test_that_fails(model):
    assert_predicts(model, [({"text": "good"}, "Down")])
"""


def run(folder: Path, *arguments: str, suite: str = SUITE) -> tuple[int, str]:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test_model.py").write_text(suite)
    (folder / "pytest.ini").write_text("[pytest]\n")
    quiet = [
        "-p",
        "no:xdist",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:cov",
        "-p",
        "no:hypothesispytest",
    ]
    command = [sys.executable, "-m", "pytest", *quiet, "-q", "--color=no", *arguments]
    # Whatever runs this test is no part of that process.
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_fixtures_are_those_of_the_project_here(project: mk.Project) -> None:
    code, said = run(project.root, f"--junitxml={project.root / 'out.xml'}")
    assert code == 1
    assert "1 failed, 1 passed" in said
    assert "AssertionError: 1 of 1 rows are predicted otherwise" in said
    assert "expected 'Down', answered 'Up'.  good" in said
    assert "assertions.py" not in said  # a failure points at the user's own line
    assert 'failures="1"' in (project.root / "out.xml").read_text()


def test_project_and_package_can_be_named(project: mk.Project, tmp_path: Path) -> None:
    first = project.runs()[0].digest
    (tmp_path / "elsewhere").mkdir()
    suite = f"def test(package):\n    assert package.digest == {first!r}\n"
    options = ["--mlopskit-project", str(project.root / "mlopskit.toml"), "--mlopskit-package", first or ""]
    code, said = run(tmp_path / "elsewhere", *options, suite=suite)
    assert code == 0, said


def test_own_fixtures_win_and_nothing_heavy_is_loaded_for_them(tmp_path: Path) -> None:
    suite = """
import sys
import pytest

HEAVY = {"numpy", "polars", "sklearn", "msgspec", "mlopskit.project", "mlopskit.testing.assertions"}


@pytest.fixture
def package():
    return "mine"


def test(package):
    assert package == "mine"
    assert "mlopskit.testing.pytestplugin" in sys.modules
    assert not HEAVY & set(sys.modules)
"""
    code, said = run(tmp_path, suite=suite)
    assert code == 0, said


def test_the_project_is_found_from_a_folder_below(fresh_project: Path) -> None:
    suite = "def test(mlopskit_project):\n    assert mlopskit_project.name == 'mood'\n"
    (fresh_project / "below").mkdir()
    code, said = run(fresh_project / "below", suite=suite)
    assert code == 0, said


def test_where_nothing_is_live_what_compares_is_skipped(fresh_project: Path) -> None:
    code, said = run(fresh_project, "-rs", suite="def test(production):\n    pass\n")
    assert code == 0, said
    assert "nothing is live under 'production' yet" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "There was no run yet that made a package."),
        (("--mlopskit-project", "nowhere.toml"), "There is no nowhere.toml"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(fresh_project: Path, arguments: tuple[str, ...], message: str) -> None:
    code, said = run(fresh_project, *arguments, suite="def test(package):\n    pass\n")
    assert code == 1
    assert message in said
    assert "mlopskit run" in said or "mlopskit init" in said
    assert "Traceback" not in said
    assert "another exception" not in said


def test_collecting_without_a_use_imports_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test():\n    pass\n")
    program = (
        "import json, sys, pytest; code = pytest.main(['--co', '-q', '-p', 'no:cacheprovider', '-p', 'no:cov']); "
        "print(json.dumps([int(code), *[n for n in sys.modules if n.partition('.')[0] == 'mlopskit']]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    code, *loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert set(loaded) == {"mlopskit", "mlopskit.testing", "mlopskit.testing.pytestplugin"}
