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
        *_forms(manifest),
        '```python\nimport mlopskit as mk\n\nmodel = mk.load("PATH_OF_THIS_FOLDER")\nmodel.predict([{...}])\n```',
    ]
    return "\n\n".join(parts) + "\n"


def _forms(manifest: Mapping[str, Any]) -> list[str]:
    """Return in Markdown which forms there are, what each needs, how alike they answer, and why another is missing."""
    held = [(one["format"], ", ".join(one["files"]), ", ".join(one["requires"]) or "-") for one in manifest["models"]]
    gone = [(form, " ".join(why)) for form, why in manifest["provenance"]["refusals"].items()]
    tolerance = f"{manifest['golden']['tolerance']:g} · max(scale, |b|)"
    alike = f"On all test rows they answer alike: numbers within {tolerance}, labels the same but at ties."
    return [
        "The model is here in these forms:",
        Table(("form", "files", "needs"), held).markdown(),
        *([alike] if len(held) > 1 else []),
        *([Table(("form left out", "why"), gone).markdown()] if gone else []),
    ]


def _figures(table: Table) -> list[str]:
    """Return the figures in Markdown, of very many the first ones: those of all rows stand before those of slices."""
    more = len(table.rows) - _MOST_FIGURES
    shown = Table(table.columns, table.rows[:_MOST_FIGURES]).markdown()
    return [shown, *([f"… and {more:,} more in `evaluation.json`"] if more > 0 else [])]


def _columns(schema: Mapping[str, Any], title: str) -> Table:
    rows = [(name, " or ".join(types_of(schema["properties"][name]))) for name in schema["required"]]
    return Table((title, "type"), rows)
