"""`mlopskit onnx check`: what becomes of a model as ONNX, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mlopskit import ModelPackage, Project, Table


@click.group()
def onnx() -> None:
    """Look into models as ONNX."""


@onnx.command()
@click.argument("reference", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(context: click.Context, reference: str | None, *, as_json: bool) -> int:
    """Say of a package, by default the last run's, whether its model has an ONNX form: step by step, or why not."""
    package = _package(context.find_root().obj.project, reference)
    rows, reasons = _explained(package)
    if as_json:
        named = [dict(zip(("step", "kind", "nodes", "refused"), row, strict=True)) for row in rows]
        click.echo(json.dumps({"name": package.name, "reasons": reasons, "steps": named}, sort_keys=True))
    else:
        click.echo(Table(("step", "kind", "nodes", "refused"), rows).text() if rows else "It has no portable form.")
        words = [f"Refused: {one}" for one in reasons] or [f"{sum(row[2] for row in rows)} nodes, and none is refused."]
        click.echo("\n".join(words))
    return 1 if reasons else 0


def _package(project: str, reference: str | None) -> ModelPackage:
    if reference and Path(reference).is_dir():
        return ModelPackage.open(reference)
    return Project(project).package(reference)


def _explained(package: ModelPackage) -> tuple[list[Any], list[str]]:
    """Return the steps of a package's model with their nodes, and why there is no graph of it; nothing if there is."""
    from mlopskit_onnx.compiled import compiled, explained
    from mlopskit_onnx.graph import NoGraphError

    refusals = package.manifest["provenance"].get("refusals", {})
    tables = next((model for model in package.models if model.format == "portable"), None)
    if tables is None:
        told = refusals.get("portable", ["Its portable form was left out when it was packaged."])
        return [], [*map(str, told)]
    document = json.loads(package.paths()[tables.files[0]].read_bytes())
    rows: list[Any] = explained(document)
    try:
        compiled(document)
    except NoGraphError as refused:
        return rows, [str(refused)]
    return rows, [str(one) for one in refusals.get("onnx", ())]
