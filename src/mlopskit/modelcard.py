"""The model card: what a package's README.md says of its model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlopskit.evaluation import Evaluation
from mlopskit.runtime.profile import types_of
from mlopskit.tables import Table

_MOST_FIGURES = 200


def model_card(manifest: Mapping[str, Any], evaluation: Evaluation, /) -> str:
    """Return the card in Markdown; every name from data is escaped, and there is no time, host or user in it."""
    parts = [
        f"# {manifest['name']}",
        f"A {manifest['task']} model, packaged with mlopskit. The digest of `manifest.json` is its identity.",
        "## Inputs and outputs",
        _columns(manifest["schema"]["inputs"], "input").markdown(),
        _columns(manifest["schema"]["outputs"], "output").markdown(),
        f"## Measured on {evaluation.rows:,} test rows",
        "Bounds are one-sided, at 95 %.",
        *_figures(evaluation.table()),
        "## Use",
        "Each form of the model needs what `requirements.txt` names:",
        Table(("form", "files"), [(one["format"], ", ".join(one["files"])) for one in manifest["models"]]).markdown(),
        '```python\nimport mlopskit as mk\n\nmodel = mk.load("PATH_OF_THIS_FOLDER")\nmodel.predict([{...}])\n```',
    ]
    return "\n\n".join(parts) + "\n"


def _figures(table: Table) -> list[str]:
    """Return the figures in Markdown, of very many the first ones: those of all rows stand before those of slices."""
    more = len(table.rows) - _MOST_FIGURES
    shown = Table(table.columns, table.rows[:_MOST_FIGURES]).markdown()
    return [shown, *([f"… and {more:,} more in `evaluation.json`"] if more > 0 else [])]


def _columns(schema: Mapping[str, Any], title: str) -> Table:
    rows = [(name, " or ".join(types_of(schema["properties"][name]))) for name in schema["required"]]
    return Table((title, "type"), rows)
