from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import pipeline
from mlopskit.assembly import Parts
from mlopskit.errors import ConfigError, DataError, StorageError, TrainingError

TEXTS = [f"{word} {number}" for number in range(30) for word in ("good", "bad")]
LABELS = ["Positive", "Negative"] * 30
SETTINGS = Path("mlopskit.toml")


def replace(file: str | Path, old: str, new: str) -> None:
    path = Path(file)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("wanted", [True, False])
def test_a_project_says_whether_hashes_of_rows_are_kept(fresh_project: Path, *, wanted: bool) -> None:
    replace(SETTINGS, 'target = "label"', f'target = "label"\nrow_hashes = {str(wanted).lower()}')
    project = mk.Project()
    assert Parts(project.config, fresh_project).pipeline(project.registry, print).row_hashes is wanted


# --- runs -----------------------------------------------------------------------------------------------------------


def test_each_kind_of_change_is_named(project: mk.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change is undone again, and the failing training step shows that a run was begun, without its cost."""

    def changed() -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr(
                pipeline.Pipeline, "_train_and_judge", lambda *_: (_ for _ in ()).throw(DataError("x", remedy="y"))
            )
            with pytest.raises(DataError):
                mk.Project().run()
        return list(project.registry.runs("mood")[-1].changed)

    replace(SETTINGS, "C = 10.0", "C = 11.0")
    assert changed() == ["changed: settings"]
    replace(SETTINGS, "C = 11.0", "C = 10.0")
    replace("data/a.csv", "good 0 a", "great 0 a")
    assert changed() == ["changed: data data/a.csv"]
    replace("data/a.csv", "great 0 a", "good 0 a")
    replace("model.py", "C=1.0", "C=2.0")
    assert changed() == ["changed: code model.py"]
    replace("model.py", "C=2.0", "C=1.0")
    Path("data/c.csv").write_text(Path("data/a.csv").read_text())
    assert changed() == ["new: data data/c.csv"]
    Path("data/c.csv").rename("data/c.txt")
    Path("data/b.csv").rename("data/b.txt")
    assert changed() == ["gone: data data/b.csv"]
    Path("data/b.txt").rename("data/b.csv")
    Path("model.py").rename("other.py")
    assert changed() == ["gone: code model.py"]
    Path("other.py").rename("model.py")
    monkeypatch.setattr("platform.python_version", lambda: "3.99.0")
    assert changed() == ["changed: environment"]
    monkeypatch.undo()


def test_the_inputs_of_the_last_package_are_known_without_its_models(project: mk.Project) -> None:
    (folder,) = project.root.glob(f".mlopskit/registry/mood/packages/{project.package().digest[7:]}")
    (folder / "model.skops").unlink()
    found = Parts(project.config, project.root)._inputs_before(project.registry)
    assert found is not None
    assert found["required"] == ["text"]


def test_nothing_changed_is_the_earlier_run_again(project: mk.Project) -> None:
    last = project.registry.runs("mood")[-1]
    again = mk.Project().run()
    assert (again.id, again.digest, again.changed) == (last.id, last.digest, ())
    # What is only of endpoints and places is no change of the model.
    replace(SETTINGS, "shares/validation", "shares/elsewhere")
    assert mk.Project().run().changed == ()
    assert len(project.registry.runs("mood")) == 2


def test_edited_code_is_taken_anew_in_the_same_process(fresh_project: Path) -> None:
    Path("parts").mkdir()
    Path("parts/__init__.py").touch()
    Path("parts/strength.py").write_text("C = 1.0\n")
    replace("model.py", "def pipeline(C=1.0)", "from parts import strength\n\ndef pipeline(C=strength.C)")
    replace(SETTINGS, "C = 1.0\n", "")
    first = mk.Project().run()
    assert {key for key in first.fingerprint if key.startswith("code ")} == {
        "code model.py",
        "code parts/__init__.py",
        "code parts/strength.py",
    }
    Path("parts/strength.py").write_text("C = 9.0\n")  # of the same size, within the same second
    second = mk.Project().run()
    assert second.changed == ["changed: code parts/strength.py"]
    assert second.digest != first.digest
    project = mk.Project()
    model = Parts(project.config, project.root)._trainer().unfitted()  # type: ignore[attr-defined]
    assert model[-1].C == 9.0
    code = mk.Project().package().manifest["provenance"]["code"]
    assert code.keys() == {"model.py", "parts/__init__.py", "parts/strength.py"}


def test_what_changes_while_a_run_is_at_work_is_a_change_for_the_next(
    project: mk.Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(SETTINGS, "C = 10.0", "C = 11.0")

    def edit(step: str) -> None:
        if step == "train":
            replace("data/a.csv", "good 0 a", "great 0 a")
            shutil.copy("data/b.csv", "data/c.csv")

    mk.Project().run(progress=edit)
    monkeypatch.setattr(
        pipeline.Pipeline, "_train_and_judge", lambda *_: (_ for _ in ()).throw(DataError("x", remedy="y"))
    )
    with pytest.raises(DataError):
        mk.Project().run()
    assert project.registry.runs("mood")[-1].changed == ["changed: data data/a.csv", "new: data data/c.csv"]


def test_a_package_that_is_gone_is_made_again(project: mk.Project) -> None:
    package = project.package()
    shutil.rmtree(package.folder)
    again = mk.Project().run()
    assert again.digest == package.digest
    assert again.id == "3"
    assert project.package().digest == package.digest
    assert mk.Project().run().id == "3"


def test_a_verdict_that_is_gone_is_made_again(project: mk.Project) -> None:
    digest = project.package().digest.removeprefix("sha256:")
    shutil.rmtree(f".mlopskit/registry/mood/verdicts/{digest}")
    assert mk.Project().run().id == "3"


@pytest.mark.parametrize(
    ("old", "new", "error", "said"),
    [
        ("C=C", "C=-1", TrainingError, "train: Pipeline could not be fitted"),
        ("def pipeline(", "1 / 0\ndef pipeline(", ConfigError, "train: 'model' cannot be imported: ZeroDivisionError"),
        ("def pipeline(C=1.0):", "def pipeline(C=1.0):\n    raise SystemExit(0)", SystemExit, "train: SystemExit: 0"),
    ],
)
def test_a_failed_run_is_recorded_and_run_again(
    fresh_project: Path, old: str, new: str, error: type[BaseException], said: str
) -> None:
    replace("model.py", old, new)
    for number in (1, 2):
        with pytest.raises(error):
            mk.Project().run()
        run = mk.Project().registry.runs("mood")[-1]
        assert (run.id, run.outcome, run.digest) == (str(number), "failed", None)
        assert run.error is not None
        assert run.error.startswith(said)
    with pytest.raises(ConfigError, match="There was no run yet that made a package"):
        mk.Project().package()


def test_a_failed_run_does_not_hide_the_one_before(project: mk.Project) -> None:
    last = project.package().digest
    replace("model.py", "C=C", "C=-1")
    with pytest.raises(TrainingError):
        mk.Project().run()
    assert project.package().digest == last
    replace("model.py", "C=-1", "C=C")
    assert mk.Project().run().changed == ()


def test_a_run_that_cannot_even_be_recorded_says_so(project: mk.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(SETTINGS, "C = 10.0", "C = -10.0")

    def full(*_: object) -> None:
        raise StorageError("Writing to 'x': no space left on device. Nothing was changed.", remedy="Free space.")

    monkeypatch.setattr(mk.Registry, "add_run", full)
    with pytest.raises(TrainingError) as caught:
        mk.Project().run()
    (note,) = caught.value.__notes__
    assert note.startswith("The failed run could not be recorded: Writing to 'x': no space left on device.")


def test_observers_are_told_of_a_run(project: mk.Project, install: Callable[..., None]) -> None:
    install(
        "mlopskit-watcher",
        """
import pathlib
import mlopskit as mk

def note(text):
    with pathlib.Path("told").open("a") as file:
        file.write(f"{text}\\n")

@mk.hookimpl
def mlopskit_trained(model, name): note(f"trained {name}")
@mk.hookimpl
def mlopskit_evaluated(evaluation, name): note(f"evaluated {name} {evaluation.rows > 0}")
@mk.hookimpl
def mlopskit_packaged(package): note(f"packaged {package.name}")
@mk.hookimpl
def mlopskit_failed(step, error): note(f"failed {step} {type(error).__name__}")
""",
        observers="watcher",
    )
    replace(SETTINGS, "C = 10.0", "C = 12.0")
    mk.Project().run()
    replace(SETTINGS, "C = 12.0", "C = -12.0")
    with pytest.raises(TrainingError):
        mk.Project().run()
    assert Path("told").read_text().splitlines() == [
        "trained mood",
        "evaluated mood True",
        "packaged mood",
        "failed train TrainingError",
    ]


def test_a_new_plugin_is_a_change(project: mk.Project, install: Callable[..., None]) -> None:
    parts = Parts(project.config, project.root)
    before = parts._fingerprint(None)["environment"]
    install("mlopskit-more", "", formats="more")
    assert parts._fingerprint(None)["environment"] != before


def test_a_full_temporary_disk_is_an_error_of_the_system(project: mk.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/x")

    replace(SETTINGS, "C = 10.0", "C = 12.0")
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(OSError, match="No space left"):
        mk.Project().run()
    assert project.registry.runs("mood")[-1].outcome == "failed"


def test_a_trainer_that_can_say_how_far_it_is_is_given_what_to_say_it_with() -> None:
    class Silent(mk.Trainer):
        def train(self, data: Any, /) -> object:
            return data

    class Talking(mk.Trainer):
        def train(self, data: Any, /, *, progress: Callable[[str], None] = pipeline.quiet) -> object:
            progress("candidate 1 of 2")
            return data

    said: list[str] = []
    for trainer in (Silent(), Talking()):
        assert pipeline._train(trainer, 3, said.append) == 3  # type: ignore[arg-type]
    assert said == ["train: candidate 1 of 2"]


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline.quiet("step")
    assert capsys.readouterr() == ("", "")


def test_an_evaluator_of_the_project_is_watched_as_code(fresh_project: Path) -> None:
    (fresh_project / "own.py").write_text("def share(y_true, y_pred):\n    return {'share': 0.75}\n")
    replace("mlopskit.toml", "gates = [", 'evaluator = "own:share"\ngates = ["share.value >= 0.7"] # ')
    run = mk.Project().run()
    assert run.outcome == "passed"
    assert "code own.py" in run.fingerprint
    assert not mk.Project().run().changed
    replace("own.py", "0.75", "0.5")
    again = mk.Project().run()
    assert [*again.changed] == ["changed: code own.py"]
    assert again.outcome == "refused"
