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
from typing import Any

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
        project = example(Path(temporary))
        shutil.copy(Path(__file__).with_name("bare_script.py"), project)  # it imports what stands beside it
        script = wall(lambda: _run(project, PYTHON, "bare_script.py"), runs=3)
        fresh = wall(lambda: _run(project, PYTHON, "-c", "import sklearn.pipeline, sklearn.linear_model"), runs=3)
        more = wall(lambda: _run(project, MLOPSKIT, "run"), runs=3, between=lambda: _forget(project))
        file = project / "mlopskit.toml"
        built_in = '[package]\nformats = ["portable", "skops"]\n'
        file.write_text(file.read_text("utf-8").replace("[package]\n", built_in), "utf-8")
        _forget(project)
        full = wall(lambda: _run(project, MLOPSKIT, "run"), runs=3, between=lambda: _forget(project))
        peer = f"times 1.1 x (script {script:.1f} s + fresh import {fresh:.1f} s) + 1 s"
        what = f"a full run ({full:.1f} s), the forms that are built in, {peer}"
        yield Figure(what=what, measured=full / (1.1 * (script + fresh) + 1), budget=1.0, unit="x")
        what = f"a full run with the ONNX form, too ({more:.1f} s), times one without"
        yield Figure(what=what, measured=more / full, budget=1.3, unit="x")
        unchanged = cpu([MLOPSKIT, "run"], cwd=project)
        yield Figure(what="a run where nothing changed: CPU", measured=unchanged, budget=0.4, unit="s")


def example(temporary: Path) -> Path:
    """Return a copy of the example of texts, with its data."""
    project = temporary / "sentiment"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".mlopskit", "shares", "__pycache__"))
    _run(project, PYTHON, "fetch.py", "--into", "data")  # nothing where the data are there
    return project


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
    """Measure one row in process, in each form: eight numbers beside the engine's own calls, a text as a ratio to them.

    The engine of the skops form is scikit-learn, with predict and predict_proba; that of the portable form our scorer.
    """
    import mlopskit as mk

    with tempfile.TemporaryDirectory() as temporary:
        for what, model, rows, labels in small_models():
            package = mk.package(model, rows, labels, name=what, gates=[], registry=temporary)
            names = package.schema.inputs["required"]
            first = rows[:1]
            cells = [first] if what == "text" else [[cell] for cell in first[0].tolist()]
            columns = dict(zip(names, cells, strict=True))
            for format in ("portable", "skops"):
                yield _beyond(what, model, first, columns, form_of(package.folder, format))


def small_models() -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield a model of numbers and one of texts, each with its rows and labels."""
    from sklearn.datasets import make_classification
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    features, labels = make_classification(400, 8, random_state=0)
    yield "numbers", LogisticRegression().fit(features, labels), features, labels
    texts = [f"{word} was what I saw of it on day {number}" for number in range(50) for word in ("good", "bad")]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())  # as the example has it
    yield "text", model.fit(texts, ["p", "n"] * 50), texts, ["p", "n"] * 50


def _beyond(what: str, model: Any, first: Any, columns: dict[str, Any], form: Any) -> Figure:
    """Measure what a loaded form takes for one row beyond its engine's own calls."""
    row = {name: cell for name, (cell,) in columns.items()}
    calls: Callable[[], object] = lambda: (model.predict(first), model.predict_proba(first))  # noqa: E731  # one of two
    if form.format == "portable":
        calls = lambda: form.scorer.score(columns)  # noqa: E731
    ours, own = bests(lambda: form.predict([row]), calls)
    if what == "text":
        what = f"one text in process, {form.format} form: times the engine's own calls ({own * 1e6:.1f} us)"
        return Figure(what=what, measured=ours / own, budget=1.3, unit="x")
    what = f"one row of 8 numbers in process, {form.format} form: beyond the engine's own calls ({own * 1e6:.1f} us)"
    return Figure(what=what, measured=(ours - own) * 1e6, budget=20, unit="us")


def form_of(folder: Path, format: str) -> Any:
    """Return the loaded model of a package in one of its forms."""
    from mlopskit.loading import installed_loaders
    from mlopskit.runtime import load, open_package

    return load(open_package(folder), loaders=installed_loaders(), format=format)


def bests(*acts: Callable[[], object]) -> list[float]:
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
