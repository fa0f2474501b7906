"""A project with code of its own: from training to a target that knows nothing of it, and what may not run there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.cli import run as mlopskit
from mlopskit.errors import IntegrityError, ManifestError, UnsafeModelError, UnsafePathError, UntrustedCodeError
from mlopskit.runtime import canonical, open_package

MODEL = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from owned import Clip


def pipeline(C=1.0):
    return make_pipeline(Clip(), LogisticRegression(C=C))
"""
CLIP = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from . import bounds


class Clip(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.limits_ = bounds.of(X)
        return self

    def transform(self, X):
        return np.clip(X, *self.limits_)
"""
BOUNDS = "import numpy as np\n\n\ndef of(X):\n    return np.quantile(X, [0.01, 0.99], axis=0)\n"
SETTINGS = """
name = "sides"
[data]
uri = "rows.csv"
target = "side"
[train]
estimator = "model:pipeline"
[evaluate]
gates = ["accuracy >= 0.7"]
[package]
golden = { rows = 20 }
[endpoint.production]
target = "fileshare"
to = "share"
"""
ROWS = [{"x": 2.5, "y": -1.0}, {"x": -2.0, "y": 0.5}]


def write_project(folder):
    (folder / "owned").mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    (folder / "owned" / "__init__.py").write_text("from .clip import Clip\n")
    (folder / "owned" / "clip.py").write_text(CLIP)
    (folder / "owned" / "bounds.py").write_text(BOUNDS)
    (folder / "mlopskit.toml").write_text(SETTINGS)
    rows = [f"{i % 13 / 2 - 3},{i % 7 / 2 - 1.5},{'left' if i % 13 + i % 7 < 9 else 'right'}\n" for i in range(400)]
    (folder / "rows.csv").write_text("x,y,side\n" + "".join(rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a project that was run and deployed, and the digest; it is copied, never changed."""
    folder = tmp_path_factory.mktemp("made")
    write_project(folder / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        project = mk.Project(folder / "project" / "mlopskit.toml")
        assert project.run().outcome == "passed"
        project.deploy("production")
    return folder, project.package().digest


@pytest.fixture
def digest(made):
    return made[1]


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of the project on the machine where it was packaged; the working directory."""
    shutil.copytree(made[0] / "state", tmp_path / "state")
    shutil.copytree(made[0] / "project", tmp_path / "project")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def elsewhere(project, tmp_path, monkeypatch):
    """The same project on another machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other state"))
    return project


def ask(share, *arguments):
    """Ask the share in a clean process in an empty folder; return the exit code and the answers."""
    (runtime,) = (share / "sides" / "runtime").iterdir()
    folder = share.parent / "nowhere"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-I", runtime, share / "sides", "--alias", "production", *arguments],
        input=json.dumps({"rows": ROWS}) + "\n",
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(folder.iterdir()) == []
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_target_answers_with_code_that_it_does_not_have(project, digest):
    shutil.rmtree(project / "owned")
    code, (refused,) = ask(project / "share")
    assert (code, refused["kind"]) == (3, "UntrustedCodeError")
    assert digest in refused["remedy"]
    before = sorted((project / "share").rglob("*"))
    code, (answer,) = ask(project / "share", "--trust-code", digest)
    assert code == 0
    assert answer["digest"] == digest
    here = mk.load(project / "share" / "sides", alias="production").predict(ROWS)
    assert [row["prediction"] for row in answer["rows"]] == [row["prediction"] for row in here]
    assert sorted((project / "share").rglob("*")) == before


def test_the_sources_are_in_the_package_as_they_are_on_the_disk(project, digest):
    package = mk.Project().package()
    (stored,) = package.models
    assert sorted(path for path in stored.files if path != "model.skops") == [
        "code/owned/__init__.py",
        "code/owned/bounds.py",
        "code/owned/clip.py",
    ]
    assert (package.folder / "code/owned/clip.py").read_text() == CLIP
    assert digest == package.digest


@pytest.mark.slow
def test_changed_code_is_another_package_and_the_difference_is_shown(project, digest, capsys):
    (project / "owned" / "bounds.py").write_text(BOUNDS.replace("0.01, 0.99", "0.25, 0.75"))
    changed = mk.Project().run()
    assert "changed: code owned/bounds.py" in changed.changed
    found = mk.Project().diff("1", "2")
    kinds = {(one.kind, one.name) for one in found.changes}
    assert {("code", "owned/bounds.py"), ("file", "code/owned/bounds.py"), ("file", "model.skops")} <= kinds
    assert ("file", "code/owned/clip.py") not in kinds
    # Both versions answer in one process, each with its own code.
    old, new = (mk.load(f"sides@{one}").model.scorer._estimator[0] for one in (digest, changed.digest))
    assert type(old) is not type(new)
    assert not (old.limits_ == new.limits_).all()
    assert mlopskit(["deploy", "production"]) == 0
    assert mlopskit(["rollback", "production"]) == 0
    capsys.readouterr()


def test_on_another_machine_nothing_of_it_runs(elsewhere, digest):
    project = mk.Project()
    for refused in (
        lambda: project.deploy("production"),
        lambda: project.promote(digest, to="candidate"),
        lambda: project.build("production", elsewhere / "built"),
        lambda: project.verify("production"),
        lambda: mk.load(f"sides@{digest}"),
        lambda: mk.load(elsewhere / "share" / "sides", alias="production"),
        lambda: mk.deploy(project.package(), mk.FileShare(to=str(elsewhere / "another"))),
    ):
        with pytest.raises(UntrustedCodeError, match=digest):
            refused()
    assert not (elsewhere / "another").exists()
    assert not (elsewhere / "built").exists()


@pytest.mark.slow
def test_on_another_machine_what_is_listed_runs(elsewhere, digest, capsys):
    assert mlopskit(["verify", "production"]) == 3
    assert digest in capsys.readouterr().err
    listed = f'trust_code = ["{digest}"]\n{SETTINGS}'
    (elsewhere / "mlopskit.toml").write_text(listed)
    for verb in (["verify", "production"], ["deploy", "production"], ["promote", digest, "--to", "candidate"]):
        assert mlopskit(verb) == 0, capsys.readouterr()
    (elsewhere / "mlopskit.toml").write_text(SETTINGS)
    share = mk.FileShare(to=str(elsewhere / "another"))
    mk.deploy(mk.Project().package(), share, trust_code=[digest])
    assert mk.load(f"sides@{digest}", trust_code=[digest]).predict(ROWS)


def test_reading_needs_no_trust(elsewhere, digest, tmp_path, capsys):
    package = mk.Project().package()
    assert package.evaluation is not None
    shutil.copytree(package.folder, tmp_path / "copied")
    assert mk.ModelPackage.open(tmp_path / "copied", digest=digest).golden
    for verb in (["status"], ["diff", "1", digest], ["runs"], ["history", "production"]):
        assert mlopskit(verb) == 0
    capsys.readouterr()


@pytest.mark.slow
def test_a_gate_does_not_run_the_code_of_what_is_live_unless_it_is_trusted(elsewhere, digest, capsys):
    text = SETTINGS.replace('0.7"]', '0.7", "accuracy >= production - 0.5"]')
    (elsewhere / "owned" / "bounds.py").write_text(BOUNDS.replace("0.01, 0.99", "0.25, 0.75"))
    (elsewhere / "mlopskit.toml").write_text(text)
    run = mk.Project().run()
    assert run.outcome == "refused"
    verdict = mk.Project().verdict(run.digest)
    (failed,) = [one for one in verdict.findings if not one.passed]
    assert "holds code of its own" in failed.reason
    (elsewhere / "mlopskit.toml").write_text(f'trust_code = ["{digest}"]\n{text}')
    assert mk.Project().run(force=True).outcome == "passed"
    capsys.readouterr()


@pytest.mark.slow
def test_the_same_project_in_another_folder_gives_the_same_digest(tmp_path, digest):
    write_project(tmp_path / "other")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON"))}
    done = subprocess.run(
        [Path(sys.executable).with_name("mlopskit"), "run", "--json"],
        cwd=tmp_path / "other",
        env={**kept, "PYTHONHASHSEED": "4711", "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["digest"] == digest


# --- hostile packages -------------------------------------------------------------------------------------------------


@pytest.fixture
def forged(project, digest, tmp_path):
    """Return what makes another package of the project's, with other files, and says its folder and digest."""
    package = mk.Project().package()
    canary = tmp_path / "canary"

    def forge(files=(), *, listed=True, model=None):
        folder = tmp_path / "forged"
        shutil.copytree(package.folder, folder)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for path, text in dict(files).items():
            data = text.replace("CANARY", f"open({str(canary)!r}, 'w').close()").encode()
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
            if listed:
                manifest["files"][path] = {"sha256": sha256(data).hexdigest(), "size": len(data)}
                manifest["models"][0]["files"] = sorted({*manifest["models"][0]["files"], path})
        if model:
            model(manifest)
        data = canonical.dumps(manifest)
        (folder / "manifest.json").write_bytes(data)
        return folder, canonical.digest_of(data)

    yield forge
    assert not canary.exists()


HOSTILE = "CANARY\n"


def test_a_hostile_module_is_not_run_without_trust(forged):
    folder, digest = forged({"code/owned/clip.py": HOSTILE + CLIP})
    with pytest.raises(UntrustedCodeError, match=digest):
        mk.load(folder, digest=digest)
    with pytest.raises(UntrustedCodeError):
        mk.load(folder, digest="unpinned", trust_code=[f"sha256:{'0' * 64}", digest[:-1], digest[7:]])


def test_what_no_import_names_is_not_run_even_with_trust(forged, digest):
    folder, other = forged(
        {"code/os.py": HOSTILE, "code/numpy/__init__.py": "raise SystemExit", "code/extra.py": HOSTILE}
    )
    before = {name: sys.modules[name] for name in ("os", "numpy")}
    # numpy is found among the package's own modules first: that harms the package alone.
    with pytest.raises(SystemExit):
        mk.load(folder, digest=other, trust_code=[other])
    assert {name: sys.modules[name] for name in before} == before
    assert mk.load(f"sides@{digest}").predict(ROWS)


def test_changed_missing_and_extra_files_of_code_are_refused(project, digest, tmp_path):
    folder = tmp_path / "copied"
    shutil.copytree(mk.Project().package().folder, folder)
    clip = folder / "code" / "owned" / "clip.py"
    for spoil, words in (
        (lambda: clip.write_text(CLIP.replace("clip(X", "sqrt(X")), "was changed"),
        (clip.unlink, "is missing"),
        (lambda: (clip.write_text(CLIP), (folder / "code" / "more.py").write_text("")), "is not listed"),
    ):
        spoil()
        with pytest.raises(IntegrityError, match=words):
            mk.load(folder, digest=digest, trust_code=[digest])


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("code/../x.py", UnsafePathError),
        ("code//x.py", UnsafePathError),
        ("code/owned/.hidden.py", UnsafePathError),
        ("code/owned/words.txt", ManifestError),
        ("code/owned/fast.so", ManifestError),
        ("code/owned/clip.pyc", ManifestError),
        ("code/1st.py", ManifestError),
        ("code/a-b.py", ManifestError),
        ("code/a.b.py", ManifestError),
        ("code/__init__.py", UnsafeModelError),
        ("code/owned.py", UnsafeModelError),
    ],
)
def test_a_path_that_is_no_module_is_refused(path, error, forged):
    def listed(manifest):
        manifest["files"][path] = {"sha256": sha256(b"").hexdigest(), "size": 0}
        manifest["models"][0]["files"].append(path)

    folder, digest = forged(model=listed)
    if error is UnsafeModelError:
        (folder / path).write_bytes(b"")
    with pytest.raises(error):
        mk.load(folder, digest=digest, trust_code=[digest])


def test_code_that_no_form_of_the_model_names_is_refused(forged):
    def unnamed(manifest):
        manifest["models"][0]["files"] = ["model.skops"]

    folder, digest = forged(model=unnamed)
    with pytest.raises(ManifestError, match="no module that a form of the model uses"):
        open_package(folder, digest=digest)


def test_without_its_code_the_model_is_refused(forged):
    def codeless(manifest):
        manifest["models"][0]["files"] = ["model.skops"]
        manifest["files"] = {path: entry for path, entry in manifest["files"].items() if not path.startswith("code/")}

    folder, digest = forged(model=codeless)
    shutil.rmtree(folder / "code")
    with pytest.raises(UnsafeModelError, match=r"owned\.clip\.Clip. is not on the list of types"):
        mk.load(folder, digest=digest, trust_code=[digest])
