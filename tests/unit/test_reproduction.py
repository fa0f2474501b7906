from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit import reproduction
from mlopskit.errors import ConfigError, TrainingError

WHO = {f"GIT_{role}_{what}": "a@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
DATA = Path("data/a.csv")


def call(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env={**os.environ, **WHO}, capture_output=True, check=True)


def commit(ignored: str = "") -> None:
    Path(".gitignore").write_text(f".mlopskit/\nshares/\n{ignored}")
    call("init", "--quiet")
    call("add", ".")
    call("commit", "--quiet", "--message", "as it is")


def change_a_row() -> None:
    DATA.write_text(DATA.read_text().replace("good 0 a", "great 0 a"))


def state(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


def test_a_clean_clone_gives_the_same_digest_and_changed_data_are_named(
    fresh_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    settings = Path("mlopskit.toml")
    settings.write_text(f'registry = "{tmp_path / "registry"}"\n{settings.read_text()}')
    commit()
    first = mk.Project().run()
    assert (first.clean, len(str(first.commit))) == (True, 40)
    change_a_row()
    second = mk.Project().run()
    assert (second.clean, second.commit) == (False, first.commit)
    call("clone", "--quiet", str(fresh_project), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    before = state(tmp_path)
    same = mk.Project().reproduce(first.digest)
    assert same.same
    assert same.text() == f"The same: run 1, commit {first.commit[:12]} gives {first.digest} again."
    other = mk.Project().reproduce(second.digest)
    assert (other.same, other.made, other.inputs) == (False, first.digest, ("changed: data data/a.csv",))
    assert other.files[0] == "model.json"
    assert other.text().splitlines()[1:] == [
        f"First file that differs: model.json, and {len(other.files) - 1} more.",
        "Input changed: data data/a.csv",
        "When the run began, not all was committed.",
    ]
    # What is remembered of trusted packages and of files may change; nothing of the project does.
    changed = {name for name, data in state(tmp_path).items() if before.get(name) != data}
    assert not [name for name in changed if not name.startswith(str(tmp_path / "state"))]
    what = "figure: reproduce in a clean clone; of a run on one row that was changed and not committed"
    record_property(what, "the same digest; the file of data is named")


@pytest.mark.slow
def test_data_that_git_does_not_keep_are_those_of_now(fresh_project: Path) -> None:
    commit(ignored="data/\n")
    digest = mk.Project().run().digest
    assert mk.Project().reproduce(digest).same
    change_a_row()
    found = mk.Project().reproduce(digest)
    assert (found.same, found.inputs) == (False, ("changed: data data/a.csv",))


@pytest.mark.slow
def test_training_that_is_left_to_chance_is_said_to_be(fresh_project: Path) -> None:
    model = Path("model.py")
    code = model.read_text().replace("C=C", "C=C * random.random()")
    model.write_text(f"import random\n{code}")
    commit()
    found = mk.Project().reproduce(mk.Project().run().digest)
    assert not found.same
    assert found.inputs == ()
    assert "No input differs: the training is left to chance." in found.text()


def test_a_package_that_no_commit_is_known_of(project: mk.Project) -> None:
    with pytest.raises(ConfigError, match="No run is known that made sha256:"):
        project.reproduce()
    shutil.rmtree(".mlopskit/registry/mood/runs")
    with pytest.raises(ConfigError, match="No run is known that made sha256:"):
        project.reproduce("candidate")


def test_of_several_runs_the_newest_clean_one_is_taken(package: mk.ModelPackage) -> None:
    known = [("1", "a", True), ("2", "b", True), ("3", "c", False), ("4", None, None)]
    runs = [
        mk.Run(id=id, name="mood", outcome="passed", digest=package.digest, commit=commit, clean=clean)
        for id, commit, clean in known
    ]
    assert reproduction._made_by(package, runs).id == "2"
    assert reproduction._made_by(package, runs[2:]).id == "3"


def test_what_is_installed_otherwise_is_named() -> None:
    now_is = reproduction._environment({"python": "2.7"}, {"numpy": ("0.1", "2.0")})
    assert any(text.startswith("python 3") and text.endswith(", it was 2.7") for text in now_is)
    assert "numpy 2.0, it was 0.1" in now_is


def test_another_python_is_named_and_not_guessed_at() -> None:
    reproduction._check_python(
        {"implementation": platform.python_implementation(), "python": platform.python_version()}
    )
    for implementation, version in (("CPython", "2.7.18"), ("PyPy", platform.python_version())):
        with pytest.raises(ConfigError, match=f"was made by {implementation} .*, and this is") as caught:
            reproduction._check_python({"implementation": implementation, "python": version})
        assert "mlopskit reproduce --here" in caught.value.remedy


def test_what_fails_in_the_restored_environment_is_told(fresh_project: Path) -> None:
    Path("model.py").write_text("def pipeline(C=1.0):\n    raise ValueError('not in this one')\n")
    with pytest.raises(TrainingError, match=r"cannot be made again: .*not in this one"):
        reproduction._remake_by(Path(sys.executable), fresh_project / "mlopskit.toml", fresh_project / "registry")


OLDER = "1.5.2"
MODEL = """
import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline


def pipeline(C=1.0):
    C = 2.0 if joblib.__version__ == "1.5.2" else 3.0
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=C))
"""


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return a folder with an older joblib than is installed, from the index that pip is configured with."""
    folder = tmp_path / "older"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), f"joblib=={OLDER}"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"the package index cannot be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.live
@pytest.mark.slow
def test_a_package_of_another_version_of_what_it_imports_is_the_same_again_where_that_is_restored(
    fresh_project: Path, older: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    Path("model.py").write_text(MODEL)
    commit()
    command = [Path(sys.executable).with_name("mlopskit"), "run"]
    # What measures these tests would be imported, and restored, too.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    subprocess.run(command, env={**kept, "PYTHONPATH": str(older)}, capture_output=True, check=True)
    before = state(tmp_path)
    found = mk.Project().reproduce()
    now_is = metadata.version("joblib")
    assert f"joblib {OLDER}, here {now_is}" in found.restored
    assert (found.same, found.environment, found.inputs) == (True, (), ())
    assert f"Restored joblib {OLDER}, here {now_is}" in found.text()
    assert {name for name, data in state(tmp_path).items() if before.get(name) != data} <= {
        name for name in state(tmp_path) if name.startswith(str(tmp_path / "state")) or "/cache/" in name
    }
    here = mk.Project().reproduce(here=True)
    assert (here.same, here.restored, here.files[0]) == (False, (), "model.skops")
    assert f"Installed joblib {now_is}, it was {OLDER}" in here.text()
    record_property(f"figure: reproduce of a package of joblib {OLDER}, where {now_is} is installed", "the same digest")


def test_files_are_named_in_the_order_in_which_they_are_made() -> None:
    before = {"files": {name: name for name in ("README.md", "code/a.py", "evaluation.json", "model.skops")}}
    after = {"files": {"README.md": "README.md", "golden.jsonl": "x"}}
    found = reproduction._files(before, after)
    assert found == ["code/a.py", "model.skops", "evaluation.json", "golden.jsonl", "manifest.json"]


def test_data_outside_the_project_are_known_by_their_digest() -> None:
    before = {"data ../../x.csv": "1", "data a.csv": "2", "environment": "3"}
    assert reproduction._changed(before, {"data ../../../elsewhere/x.csv": "1", "data a.csv": "2"}) == []
    assert reproduction._changed(before, {"data ../y.csv": "9", "data a.csv": "2"}) == [
        "new: data ../y.csv",
        "gone: data ../../x.csv",
    ]


def test_no_link_leads_what_is_written_out_of_the_worktree(tmp_path: Path) -> None:
    here, there, outside = (tmp_path / name for name in ("here", "there", "outside"))
    for folder in (here / "data", there, outside):
        folder.mkdir(parents=True)
    (here / "data" / "a.csv").touch()
    (here / "b.csv").touch()
    (there / "data").symlink_to(outside)
    run = mk.Run(id="1", name="m", outcome="passed", fingerprint={"data data/a.csv": "", "data b.csv": "", "x": ""})
    reproduction._link_data(run, here, there)
    assert list(outside.iterdir()) == []
    assert (there / "b.csv").resolve() == (here / "b.csv").resolve()


def test_of_much_that_was_restored_a_part_is_named_and_the_rest_counted() -> None:
    about = {"digest": "x", "made": "x", "run": "1", "commit": "a" * 40, "clean": True}
    restored = tuple(f"part{number} 1.0, here 2.0" for number in range(8))
    found = reproduction.Reproduction(**about, inputs=(), environment=(), files=(), restored=restored)
    assert found.text().splitlines()[1:] == [*(f"Restored {text}" for text in restored[:5]), "Restored 3 more"]
    assert found.as_table()["restored"] == list(restored)
