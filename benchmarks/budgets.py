"""The budgets of docs/explanation/architecture.md, each measured as a ratio to a peer or a limit in one run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import cpu, wall

PYTHON = sys.executable
MLOPSKIT = str(Path(sys.executable).with_name("mlopskit"))
EXAMPLE = Path(__file__).parents[1] / "examples" / "sentiment"
GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure and its budget."""

    what: str
    measured: float
    budget: float
    unit: str
    at_least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the budget is kept."""
        return self.measured >= self.budget if self.at_least else self.measured <= self.budget


def imports() -> Figure:
    """Measure `import mlopskit` against the bare interpreter."""
    bare, ours = cpu([PYTHON, "-c", "pass"], runs=21), cpu([PYTHON, "-c", "import mlopskit"], runs=21)
    return Figure(what="import mlopskit: CPU, times the bare interpreter", measured=ours / bare, budget=2.0, unit="x")


def help_page() -> Figure:
    """Measure `mlopskit --help`."""
    return Figure(what="mlopskit --help: CPU", measured=cpu([MLOPSKIT, "--help"], runs=11), budget=0.15, unit="s")


def runs() -> Iterator[Figure]:
    """Measure a full run and one where nothing changed, on the example's data."""
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "sentiment")
        shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".mlopskit", "shares", "__pycache__"))
        _run(project, PYTHON, "fetch.py", "--into", "data")  # nothing where the data are there
        shutil.copy(Path(__file__).with_name("bare_script.py"), project)  # it imports what stands beside it
        script = wall(lambda: _run(project, PYTHON, "bare_script.py"), runs=3)
        fresh = wall(lambda: _run(project, PYTHON, "-c", "import sklearn.pipeline, sklearn.linear_model"), runs=3)
        full = wall(lambda: _run(project, MLOPSKIT, "run"), runs=3, between=lambda: _forget(project))
        yield Figure(
            what=f"a full run ({full:.1f} s), times 1.1 x (script {script:.1f} s + fresh import {fresh:.1f} s) + 1 s",
            measured=full / (1.1 * (script + fresh) + 1),
            budget=1.0,
            unit="x",
        )
        unchanged = cpu([MLOPSKIT, "run"], cwd=project)
        yield Figure(what="a run where nothing changed: CPU", measured=unchanged, budget=0.4, unit="s")


def _forget(project: Path) -> None:
    shutil.rmtree(project / ".mlopskit", ignore_errors=True)


def _run(cwd: Path, *command: str) -> None:
    subprocess.run(command, check=True, cwd=cwd, stdout=subprocess.DEVNULL)


def pushing() -> Figure:
    """Measure pushing 1 GiB to a local share against cp, sync and sha256sum of the same file."""
    from mlopskit.builtin.folder import FolderStorage

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        big = folder / "big"
        with big.open("wb") as opened:
            for _ in range(GIB >> 20):
                opened.write(b"\x5a" * (1 << 20))
        storage, numbers = FolderStorage(str(folder / "share")), iter(range(100))
        ours = wall(
            lambda: storage.commit(f"push/{next(numbers)}", {"big": big}, last="big"),
            between=lambda: shutil.rmtree(folder / "share", ignore_errors=True),
        )
        copy = folder / "copy"
        theirs = wall(
            lambda: [
                _run(folder, *command)
                for command in (("cp", "big", "copy"), ("sync", "-f", "copy"), ("sha256sum", "copy"))
            ],
            between=lambda: copy.unlink(missing_ok=True),
        )
    return Figure(
        what="pushing 1 GiB to a local share: speed, times cp + sync + sha256sum",
        measured=theirs / ours,
        budget=0.7,
        unit="x",
        at_least=True,
    )


def one_row() -> Iterator[Figure]:
    """Measure one row in process: eight numbers beside the engine's own call, and a text as a ratio to it."""
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import mlopskit as mk

    with tempfile.TemporaryDirectory() as temporary:
        features, labels = make_classification(400, 8, random_state=0)
        model = LogisticRegression().fit(features, labels)
        loaded = _loaded(mk.package(model, features, labels, name="eight", gates=[], registry=temporary))
        row, array = dict(zip([f"x{n}" for n in range(8)], features[0].tolist(), strict=True)), np.array(features[:1])
        ours, own = _bests(lambda: loaded.predict([row]), lambda: (model.predict(array), model.predict_proba(array)))
        yield Figure(
            what="one row of 8 numbers in process: beyond the engine's own calls",
            measured=(ours - own) * 1e6,
            budget=20,
            unit="us",
        )
        texts = [f"{word} {number}" for number in range(50) for word in ("good", "bad")]
        text_model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["p", "n"] * 50)
        loaded = _loaded(mk.package(text_model, texts, ["p", "n"] * 50, name="text", gates=[], registry=temporary))
        ours, own = _bests(
            lambda: loaded.predict([{"text": texts[0]}]),
            lambda: (text_model.predict(texts[:1]), text_model.predict_proba(texts[:1])),
        )
        yield Figure(
            what="one text in process: times the engine's own calls", measured=ours / own, budget=1.3, unit="x"
        )


def _loaded(package: object) -> object:
    import mlopskit as mk

    return mk.load(package.folder)  # type: ignore[attr-defined]


def _bests(*acts: Callable[[], object]) -> list[float]:
    """Return the least seconds of each act, taking turns, so that all meet the same machine."""
    rounds = [[timeit.timeit(act, number=50) / 50 for act in acts] for _ in range(60)]
    return [min(seconds) for seconds in zip(*rounds, strict=True)]


def all_figures() -> Iterator[Figure]:
    """Measure every budget."""
    yield imports()
    yield help_page()
    yield from runs()
    yield pushing()
    yield from one_row()
