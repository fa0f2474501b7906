"""The notebooks of the examples are run from above to below, and show what they are about."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "examples/notebook").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {"classification", "regression"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_showed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    notebook = nbformat.read(path, as_version=4)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, kernel_name="python3", timeout=250, resources=resources).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    html = "".join(output.data.get("text/html", "") for output in shown if "data" in output)
    for words in ("<b>Dataset</b>", "Package ", "✓ passed", "golden rows", "package: done after"):
        assert words in html
    assert not re.search(r"<script|https?://|#[0-9a-f]{3,6}\b|rgb\(", html.replace("border: 1px", ""))
    (error,) = (output for output in shown if output.output_type == "error")
    assert len(error.traceback) <= 4
    assert not [output for output in shown if output.output_type == "stream"]
