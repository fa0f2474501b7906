from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.drift import TITLE, ColumnDrift, Drift
from mlopskit.evidence import Evidence, Matrix, Plot, Series
from mlopskit.report import Report
from mlopskit.tables import Table

HOSTILE = [
    "<script>window.ran = 1</script>",
    "<ScRiPt >window.ran=1</sCrIpT >",
    '"><img src=x onerror="window.ran = 1">',
    "'><img src=x onerror='window.ran=1'>",
    "<img src=https://example.invalid/beacon.png>",
    "</style></title></textarea><svg onload=window.ran=1>",
    "<svg><animate onbegin=window.ran=1 attributeName=x dur=1s>",
    "<svg><script href=data:text/javascript,window.ran=1 />",
    "</bdi></td></tr></table><script>window.ran=1</script>",
    "</desc></svg><iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "<iframe src=javascript:window.ran=1></iframe>",
    "<object data=https://example.invalid/x></object>",
    "<embed src=https://example.invalid/x>",
    "<base href=https://example.invalid/>",
    "<meta http-equiv=refresh content='0;url=https://example.invalid/'>",
    "<link rel=stylesheet href=https://example.invalid/x.css>",
    "<style>@import 'https://example.invalid/x.css';</style>",
    "<a href=javascript:window.ran=1 autofocus onfocus=window.ran=1>x</a>",
    "<details open ontoggle=window.ran=1>",
    "<form action=https://example.invalid/><input autofocus onfocus=window.ran=1>",
    "<template><script>window.ran=1</script></template>",
    "<!--><script>window.ran=1</script>-->",
    "<![CDATA[<script>window.ran=1</script>]]>",
    "&lt;script&gt;window.ran=1&lt;/script&gt; &#60;img src=x&#62;",
    '" onmouseover=window.ran=1 style=background:url(https://example.invalid/x) "',
    "javascript:window.ran=1",
    "[a link](https://example.invalid) ![](https://example.invalid/x.png)",
    "| a | b |\n# heading\n```",
    "\u202egnp.exe \u2066x",
    "a\0b\x1b[31m\u2028c",
    "$title ${body} %s {0} {{x}}",
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
        rows=[Table([f"row {text}" for text in texts], [texts], f"Rows {texts[0]}")],
    )


def drift_of(texts: list[str]) -> Drift:
    """Return drift of columns of these names, the first of which is in alarm, the last absent."""
    columns = [
        ColumnDrift(column=text, p=0.001 if alarm else 1.0, moved=0.5, most=f"{text}: 1.0% before", alarm=alarm)
        for alarm, text in zip([True, *[False] * len(texts)], texts[:-1], strict=False)
    ]
    return Drift(rows=10, columns=tuple(columns), absent=(texts[-1],))


def drifted(report: Report, texts: list[str]) -> Report:
    """Return a report with drift in evidence, and of incoming rows."""
    kept = drift_of(texts).shown(f"{TITLE}the training rows from those of production")
    evidence = dataclasses.replace(report.evidence, tables=[*report.evidence.tables, kept])
    return dataclasses.replace(report, evidence=evidence, incoming=drift_of(texts))


@pytest.fixture
def report(registry: mk.Registry, package: mk.ModelPackage, other: mk.ModelPackage) -> Report:
    """Return the report of a package that passed, beside another one that is live."""
    verdict = registry.verdict(package.name, package.digest)
    return Report(package=package, verdict=verdict, evidence=evidence_of(["a", "b"]), live=other)


@pytest.fixture
def hostile(report: Report) -> Report:
    """Return a report in which every text that comes from data or from people is hostile."""
    return saying(report, HOSTILE)


@pytest.fixture
def harmless(report: Report) -> Report:
    """Return the same report with texts that are none of that."""
    return saying(report, [f"text {number}" for number in range(len(HOSTILE) - 1)] + [""])


def saying(report: Report, texts: list[str]) -> Report:
    """Return a report that says these texts wherever it says one of data or of people."""
    assert report.verdict is not None
    assert report.package.evaluation is not None
    findings = [dataclasses.replace(report.verdict.findings[0], gate=text, reason=text, passed=False) for text in texts]
    estimates = [
        dataclasses.replace(report.package.evaluation.estimates[0], metric=f"accuracy({text})", slice=slice)
        for text in texts
        for slice in ("", f"column={text}")
    ]
    evaluation = dataclasses.replace(
        report.package.evaluation, estimates=tuple(estimates), failures=tuple(texts), dataset="other rows"
    )
    manifest: dict[str, Any] = {**report.package.manifest}
    manifest["provenance"] = {"data": dict.fromkeys(texts, texts[0]), "code": {}, "refusals": {"onnx": texts}}
    inputs = {"properties": {text: {"type": "string"} for text in texts}, "required": texts}
    manifest["schema"] = {**manifest["schema"], "inputs": inputs}
    package = dataclasses.replace(judged(report.package, evaluation), manifest=manifest)
    verdict = dataclasses.replace(report.verdict, findings=tuple(findings), override=texts[0])
    said = dataclasses.replace(report, package=package, verdict=verdict, evidence=evidence_of(texts))
    return drifted(said, texts)
