from __future__ import annotations

import pytest

import mlopskit as mk
from mlopskit.errors import VerdictError
from mlopskit.judging import judge_package
from mlopskit.packaging import Written


def test_without_an_evaluation_there_is_no_verdict(package: mk.ModelPackage) -> None:
    bare = mk.ModelPackage(folder=package.folder, digest=package.digest, manifest=package.manifest, files={})
    with pytest.raises(VerdictError, match="was not evaluated"):
        judge_package(Written(package=bare, outputs={}), None, [], None, checked=None)  # type: ignore[arg-type]
