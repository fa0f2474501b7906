from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.evidence import Evidence, Matrix, Plot, Series
from mlopskit.report import Report
from mlopskit.tables import Table

HOSTILE = [
    "<script>window.ran = 1</script>",
    '"><img src=x onerror="window.ran = 1">',
    "</style></title></textarea><svg onload=window.ran=1>",
    "javascript:window.ran=1",
    "[a link](https://example.invalid) ![](https://example.invalid/x.png)",
    "| a | b |\n# heading\n```",
    "\u202egnp.exe \u2066x",
    "a\0b\x1b[31m\u2028c",
    "$title ${body} %s {0}",
    "long " * 2000,
    "",
]


def judged(package: mk.ModelPackage, evaluation: mk.Evaluation) -> mk.ModelPackage:
    """Return a package with another evaluation."""
    files = {**package.files, "evaluation.json": json.dumps(evaluation.as_table()).encode()}
    return dataclasses.replace(package, files=files)


def evidence_of(texts: list[str]) -> Evidence:
    """Return evidence that says these texts wherever it says any."""
    series = [Series(name=texts[0], points=[(0.0, 0.0), (0.5, 0.9), (1.0, 1.0)])]
    plots = [
        Plot(title=text, x=text, y=text, kind=kind, series=series, note=text)
        for text, kind in zip(texts, ["line", "bars", "points"] * len(texts), strict=False)
    ]
    square = [list(range(len(texts))) for _ in texts]
    return Evidence(
        plots=plots,
        matrices=[Matrix(title=texts[0], labels=texts, counts=square)],
        tables=[Table([f"{text} {at}" for at, text in enumerate(texts)], [texts, texts], texts[-1])],
    )


@pytest.fixture
def report(registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage) -> Report:
    """Return the report of a package that passed, beside another one that is live."""
    verdict = registry.verdict(package.name, package.digest)
    return Report(package=package, verdict=verdict, evidence=evidence_of(["a", "b"]), live=other)


@pytest.fixture
def hostile(report: Report) -> Report:
    """Return a report in which every text that comes from data or from people is hostile."""
    assert report.verdict is not None
    assert report.package.evaluation is not None
    findings = [
        dataclasses.replace(report.verdict.findings[0], gate=text, reason=text, passed=False) for text in HOSTILE
    ]
    estimates = [
        dataclasses.replace(report.package.evaluation.estimates[0], metric=f"accuracy({text})", slice=slice)
        for text in HOSTILE
        for slice in ("", f"column={text}")
    ]
    evaluation = dataclasses.replace(
        report.package.evaluation, estimates=tuple(estimates), failures=tuple(HOSTILE), dataset="other rows"
    )
    manifest: dict[str, Any] = {**report.package.manifest}
    manifest["provenance"] = {"data": dict.fromkeys(HOSTILE, HOSTILE[0]), "code": {}, "refusals": {"onnx": HOSTILE}}
    inputs = {"properties": {text: {"type": "string"} for text in HOSTILE}, "required": HOSTILE}
    manifest["schema"] = {**manifest["schema"], "inputs": inputs}
    package = dataclasses.replace(judged(report.package, evaluation), manifest=manifest)
    verdict = dataclasses.replace(report.verdict, findings=tuple(findings), override=HOSTILE[0])
    return dataclasses.replace(report, package=package, verdict=verdict, evidence=evidence_of(HOSTILE))
