"""The portable form beside scikit-learn: one row, 100,000 rows, and a process that starts, loads and answers once."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from budgets import MLOPSKIT, PYTHON, Figure, bests, example, form_of

ROWS = 100_000
COLUMNS = 20


@dataclass(frozen=True)
class Compared:
    """A fitted model and the scorer of its portable form, with rows for both."""

    what: str
    model: Any
    scorer: Any
    rows: Any
    columns: dict[str, Any]

    def one_row(self, least: float, *, probabilities: bool = False) -> Figure:
        """Measure one row: the scorer's call, which always answers probabilities, and the model's own predict.

        With `probabilities` its predict_proba too: then both answer as much.
        """
        one = {name: [cells[0] if isinstance(cells, list) else cells[0].item()] for name, cells in self.columns.items()}
        first, model = self.rows[:1], self.model
        asked = [model.predict, model.predict_proba] if probabilities else [model.predict]
        ours, own = bests(lambda: self.scorer.score(one), lambda: [ask(first) for ask in asked])
        names = " and ".join(ask.__name__ for ask in asked)
        return Figure(
            what=f"one row, portable form, {self.what} ({ours * 1e6:.1f} us): times as fast as its own {names}",
            measured=own / ours,
            budget=least,
            unit="x",
            at_least=True,
        )

    def many_rows(self) -> Figure:
        """Measure many rows: the scorer's call, and the model's own predict and predict_proba, which answer as much."""
        own, ours = [], []
        for _ in range(3):
            own.append(seconds(lambda: (self.model.predict(self.rows), self.model.predict_proba(self.rows))))
            ours.append(seconds(lambda: self.scorer.score(self.columns)))
        return Figure(
            what=f"{len(self.rows):,} rows, portable form with numpy, {self.what} ({min(ours):.2f} s): "
            "times as fast as its own predict and predict_proba",
            measured=min(own) / min(ours),
            budget=1.0,
            unit="x",
            at_least=True,
        )


def seconds(act: Callable[[], object]) -> float:
    """Return how long an act takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def portable_figures(rows: int = ROWS) -> Iterator[Figure]:
    """Measure processes, single rows and many rows."""
    with tempfile.TemporaryDirectory() as temporary:
        package, texts = sentiment(Path(temporary))
        yield from _process(package, Path(temporary, "runtime"), texts[0])
        words = text(package, texts, rows)
        forest, boosting, linear = numbers(Path(temporary), rows)
        for said in ("a good film", sorted(texts, key=len)[len(texts) // 2]):
            one = replace(words, what=f"a text of {len(said.split())} words", rows=[said], columns={"Comment": [said]})
            yield one.one_row(50)
        yield one.one_row(50, probabilities=True)
        yield forest.one_row(20)
        yield boosting.one_row(20)
        for compared in (linear, forest, boosting, words):
            yield compared.many_rows()


def sentiment(temporary: Path) -> tuple[Any, list[str]]:
    """Return the example's package, made by `mlopskit run`, and its texts."""
    import mlopskit as mk

    project = example(temporary)
    subprocess.run([MLOPSKIT, "run"], check=True, cwd=project, stdout=subprocess.DEVNULL)
    (folder,) = (project / ".mlopskit" / "registry" / "sentiment" / "packages").iterdir()
    files = sorted((project / "data").glob("*.tsv"))
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    return mk.ModelPackage.open(folder), [line.partition("\t")[0] for line in lines]


def _process(package: Any, runtime: Path, text: str) -> Iterator[Figure]:
    """Measure a process with no package installed that starts, loads the example's package and answers a text."""
    from mlopskit import runtime_files
    from mlopskit.vendoring import write_files

    write_files(runtime_files(["portable", "skops"]), runtime)
    line = json.dumps({"rows": [{"Comment": text}]}) + "\n"
    once = [PYTHON, "-I", "-S", str(Path(__file__).with_name("once.py")), "21", line]
    command = [*once, PYTHON, "-I", "-S", str(runtime), str(package.folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    least, memory = map(float, done.stdout.split())
    what = "python -I -S starts, loads the example's portable form and answers"
    yield Figure(what=f"{what}: time", measured=least, budget=0.15, unit="s")
    yield Figure(what=f"{what}: memory", measured=memory / 1e6, budget=25, unit="MB")


def text(package: Any, texts: list[str], rows: int, form: str = "portable") -> Compared:
    """Return the example's model with many of its texts."""
    many = (texts * (rows // len(texts) + 1))[:rows]
    estimator = form_of(package.folder, "skops").scorer._estimator  # noqa: SLF001  # beside which it is measured
    scorer = form_of(package.folder, form).scorer
    return Compared("the example's TF-IDF and logistic regression", estimator, scorer, many, {"Comment": many})


def numbers(temporary: Path, rows: int, form: str = "portable") -> Iterator[Compared]:
    """Yield a forest, a boosting and a linear model of 20 columns."""
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    import mlopskit as mk

    features, labels = make_classification(4000, COLUMNS, n_informative=12, random_state=0)
    many = np.random.default_rng(0).normal(size=(rows, COLUMNS)) * features.std(axis=0)
    many[0] = features[0]
    models = {
        "forest of 100, depth 10": RandomForestClassifier(100, max_depth=10, random_state=0),
        "histogram boosting, 100 iterations": HistGradientBoostingClassifier(early_stopping=False, random_state=0),
        "scaler and logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    for number, (what, model) in enumerate(models.items()):
        model.fit(features, labels)
        names = {"name": f"model{number}", "gates": [], "registry": temporary / "registry"}
        package = mk.package(model, features[:400], labels[:400], **names)
        columns = dict(zip(package.schema.inputs["required"], np.ascontiguousarray(many.T), strict=True))
        yield Compared(what, model, form_of(package.folder, form).scorer, many, columns)


if __name__ == "__main__":
    for figure in portable_figures(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(
            f"{figure.what}: {figure.measured:.3g} {figure.unit} ({'kept' if figure.kept else 'NOT KEPT'})", flush=True
        )
