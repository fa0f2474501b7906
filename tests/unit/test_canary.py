"""One row's own words and numbers stand in no file of the registry and in no report, unless they were asked for."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.report import html, markdown

WORD, NUMBER = "zzcanaryzz", 987654.321
MODEL = """
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def pipeline():
    # A word of one row is no word that it learns.
    columns = make_column_transformer((CountVectorizer(min_df=2), "text"), (StandardScaler(), ["size"]))
    return make_pipeline(columns, LogisticRegression())
"""
SETTINGS = """
name = "mood"
[data]
uri = "train.csv"
target = "label"
test = { uri = "test.csv" }
allow = ["drift"]
[train]
estimator = "model:pipeline"
[evaluate]
importance = true
robustness = ["typos"]
gates = ["accuracy >= 0.5"]
worst_rows = 20
[package]
golden = { from = "golden.csv" }
"""


def project(folder: Path, monkeypatch: pytest.MonkeyPatch, *, canary: str, worst_rows: int = 20) -> mk.Project:
    """Return a project with the canary in one row of one file, where the model will be wrong."""
    monkeypatch.chdir(folder)
    for seed, file in enumerate(("train", "test", "golden")):
        rows = [
            f"{word} film {at} {file},{at % 7 + seed / 10},{label}\n"
            for at in range(110)
            for word, label in (("good", "Up"), ("bad", "Down"))
        ]
        if file == canary:
            rows[17] = f"good {WORD},{NUMBER},Down\n"
        (folder / f"{file}.csv").write_text("text,size,label\n" + "".join(rows))
    (folder / "model.py").write_text(MODEL)
    (folder / "mlopskit.toml").write_text(SETTINGS.replace("worst_rows = 20", f"worst_rows = {worst_rows}"))
    return mk.Project()


def holders(project: mk.Project) -> list[str]:
    """Return what holds the canary of all that mlopskit has written, and of what it says."""
    report = project.report()
    texts = {"html": html(report).encode(), "markdown": markdown(report).encode()}
    for path in (project.root / ".mlopskit").rglob("*"):
        if path.is_file():
            texts[path.relative_to(project.root).as_posix()] = path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    texts |= {f"{path.name}: {name}": archive.read(name) for name in archive.namelist()}
    assert len(texts) > 10
    needles = [WORD.encode(), str(NUMBER).encode(), struct.pack("<d", NUMBER), struct.pack(">d", NUMBER)]
    return [name for name, data in texts.items() if any(needle in data for needle in needles)]


@pytest.mark.parametrize(("canary", "worst_rows"), [("train", 20), ("test", 0)])
def test_a_row_that_was_not_asked_for_stands_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: str, worst_rows: int
) -> None:
    made = project(tmp_path, monkeypatch, canary=canary, worst_rows=worst_rows)
    assert made.run().outcome == "passed"
    assert holders(made) == []


def test_the_worst_row_of_the_test_data_stands_in_the_evidence_and_the_report_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = project(tmp_path, monkeypatch, canary="test")
    made.run()
    found = holders(made)
    assert "html" in found
    assert {name.split("/")[3] for name in found if "/" in name} == {"evidence"}
