"""`mlopskit onnx check`: what becomes of a model as ONNX, part by part or step by step."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mlopskit import ModelPackage, Part, Project, Table
from mlopskit.errors import StoreError

Rows = list[tuple[Any, ...]]
_OF_MODEL = ["part", "form", "nodes", "why it has none", "what to do"]
_OF_PACKAGE = ["step", "kind", "nodes"]
_SHOWN = 3  # what is beyond stands below the table, where there is room for it
_SKOPS = "Change what is named, or deploy the form skops."
_OWN = "Write it with scikit-learn's own, for example FunctionTransformer(np.log1p), or deploy the form skops."
_INSTEAD: Mapping[str, str] = {
    "HashingVectorizer": "Take TfidfVectorizer.",
    "KNNImputer": "Take SimpleImputer.",
    **dict.fromkeys(("LatentDirichletAllocation", "MiniBatchNMF", "NMF"), "Take TruncatedSVD."),
    **dict.fromkeys(
        ("XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRegressor"),
        "Take a model of LightGBM or HistGradientBoosting: they compute in double precision.",
    ),
}


@click.group()
def onnx() -> None:
    """Look into models as ONNX."""


@onnx.command()
@click.argument("reference", required=False)
@click.option("--rows", type=click.IntRange(min=1), default=1000, show_default=True, help="Train on at most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, reference: str | None, *, rows: int, as_json: bool) -> int:
    """Say of the project's model, or of a package, whether it has an ONNX form: part by part, and why not.

    The project's model is trained on few rows for that, and nothing is kept. A part has the form onnx, or tables, which
    nodes are made of once nothing is in the way, or none. Of a package its steps are shown.
    """
    project = context.find_root().obj.project
    if reference is None:
        heads, (found, reasons) = _OF_MODEL, _of_model(Project(project), rows)
    else:
        heads, (found, reasons) = _OF_PACKAGE, _of_package(_package(project, reference))
    if as_json:
        told = [dict(zip(heads, row, strict=True)) for row in found]
        click.echo(json.dumps({"reasons": reasons, f"{heads[0]}s": told}, sort_keys=True))
    else:
        table = Table(tuple(heads[:_SHOWN]), [row[:_SHOWN] for row in found])
        click.echo(table.text() if found else "It has no portable form.")
        todo = {row[_SHOWN]: row[-1] for row in found if len(row) > _SHOWN}
        lines = [f"Refused: {one.rstrip('.')}. {todo.get(one, '')}".rstrip() for one in reasons]
        click.echo("\n".join(lines) or "It has an ONNX form: nothing is refused.")
    return 1 if reasons else 0


def _of_model(project: Project, rows: int) -> tuple[Rows, list[str]]:
    """Return the parts of a project's model, trained on few rows, and why it has no graph."""
    from mlopskit_onnx.format import OnnxFormat

    model, schema, frame = project.quick_model(rows=rows)
    parts = OnnxFormat().explain(model, schema, frame)
    found: Rows = [
        ("  " * part.depth + part.kind, _form(parts, at), len(part.steps), part.why, _todo(part))
        for at, part in enumerate(parts)
    ]
    reasons = [part.why for part in parts if part.why]
    with tempfile.TemporaryDirectory() as folder:
        try:
            stored = OnnxFormat().save(model, schema, frame, Path(folder))
            reasons += OnnxFormat().differences(model, schema, stored, Path(folder))
        except StoreError as refused:
            told: Any = refused.culprits.get("reasons", [refused.message])
            reasons = reasons or [*map(str, told)]
    return found, reasons


def _form(parts: Sequence[Part], at: int) -> str:
    """Return the form of a part: none if it, or one within it, has none."""
    inner = itertools.takewhile(lambda one: one.depth > parts[at].depth, parts[at + 1 :])
    if parts[at].why or any(one.why for one in inner):
        return "none"
    return "onnx" if parts[at].steps else "tables"


def _todo(part: Part) -> str:
    if not part.why:
        return ""
    return _INSTEAD.get(part.kind, _OWN if "." in part.kind else _SKOPS)


def _package(project: str, reference: str) -> ModelPackage:
    return ModelPackage.open(reference) if Path(reference).is_dir() else Project(project).package(reference)


def _of_package(package: ModelPackage) -> tuple[Rows, list[str]]:
    """Return the steps of a package's model with their nodes, and why there is no graph of it; nothing if there is."""
    from mlopskit_onnx.compiled import compiled, explained
    from mlopskit_onnx.graph import NoGraphError

    refusals = package.manifest["provenance"].get("refusals", {})
    tables = next((model for model in package.models if model.format == "portable"), None)
    if tables is None:
        told = refusals.get("portable", ["Its portable form was left out when it was packaged."])
        return [], [*map(str, told)]
    document = json.loads(package.paths()[tables.files[0]].read_bytes())
    ends, why = explained(document)
    nodes = zip(ends, ends[1:], document["steps"], strict=False)
    found: Rows = [(number, step["op"], last - first) for number, (first, last, step) in enumerate(nodes, 1)]
    try:
        compiled(document)
    except NoGraphError as refused:
        return found, [why or str(refused)]
    return found, [*map(str, refusals.get("onnx", ()))]
