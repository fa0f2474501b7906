from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any

import pytest

import mlopskit as mk
from mlopskit.assembly import Parts
from mlopskit.errors import VerdictError
from mlopskit.judging import _drifted, judge_package
from mlopskit.packaging import Written
from mlopskit.steps import quiet


def test_without_an_evaluation_there_is_no_verdict(package: mk.ModelPackage) -> None:
    bare = mk.ModelPackage(folder=package.folder, digest=package.digest, manifest=package.manifest, files={})
    with pytest.raises(VerdictError, match="was not evaluated"):
        judge_package(Written(package=bare, outputs={}), None, [], None, checked=None)  # type: ignore[arg-type]


def test_training_rows_are_compared_with_those_of_production_if_these_are_others(project: mk.Project) -> None:
    package = project.package()
    comparing: Any = SimpleNamespace(registry=project.registry, package=package)
    train, _, _ = Parts(project.config, project.root)._read(project.registry, quiet)
    assert _drifted(None, comparing) == []
    assert _drifted(train, comparing) == []
    fewer = train.take(range(len(train) - 1))
    (found,) = _drifted(fewer, comparing)
    assert found.title == f"Drift of the training rows from those of production ({package.digest[:19]})"
    assert [(row[0], row[1]) for row in found.rows] == [("text", None), ("label", None)]
    longer = mk.Dataset(
        columns={**train.columns, "text": ["so " * 30] * len(train)}, target="label", slices=("source",)
    )
    (found,) = _drifted(longer, comparing)
    assert found.rows[0][:2] == ("text", "alarm")
    lacking = mk.Dataset(columns={"other": train.columns["text"], "label": train.columns["label"]}, target="label")
    assert _drifted(lacking, comparing)[0].rows[0] == ("text", "alarm", None, None, "absent")
    shutil.rmtree(project.root / ".mlopskit/registry/mood/columns")
    assert _drifted(fewer, comparing) == []
    shutil.rmtree(project.root / ".mlopskit/registry/mood/deployments")
    assert _drifted(fewer, comparing) == []
