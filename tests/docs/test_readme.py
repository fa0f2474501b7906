from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
MODEL = """\
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def pipeline(C=1.0):
    return make_pipeline(StandardScaler(), LogisticRegression(C=C))
"""


def test_what_the_readme_shows_is_what_happens(run_page, write_data):
    def prepare(folder: Path) -> None:
        write_data(folder)
        (folder / "model.py").write_text(MODEL, "utf-8")

    run_page(README, prepare=prepare)


def test_the_first_screen_names_the_two_commands():
    text = README.read_text("utf-8")
    first = "\n".join(text.splitlines()[:40])
    assert re.search(r"^make demo\b", first, re.MULTILINE)
    assert re.search(r"^make test\b", first, re.MULTILINE)
