"""Take a scikit-learn model to every place where it will be used, and check its answers there.

    import mlopskit as mk

    package = mk.package(model, X_test, y_test, name="sentiment", gates=["accuracy >= 0.75"])
    mk.deploy(package, mk.FileShare(to="shares/production"))
    mk.load("shares/production/sentiment", alias="production").predict(rows)

Importing mlopskit loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib

# Type checkers know the name; importing it from `typing` would double the time that this module takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlopskit.archives import write_zip
    from mlopskit.asking import answer_of, ask_over_http, read_over_http
    from mlopskit.buckets import BucketStorage
    from mlopskit.builtin.fileshare import FileShare
    from mlopskit.bundles import BundleDeployer, PublishingDeployer
    from mlopskit.collecting import Collection, Garbage, gc
    from mlopskit.commits import StoredObject
    from mlopskit.copying import Copied, Copy, copy
    from mlopskit.data import Dataset
    from mlopskit.deployer import Deployer
    from mlopskit.deploying import deploy
    from mlopskit.difference import Change, Difference
    from mlopskit.ejecting import Ejected, eject
    from mlopskit.evaluation import Estimate, Evaluation
    from mlopskit.evaluator import Evaluator
    from mlopskit.evidence import Evidence, Matrix, Plot, Series
    from mlopskit.fetching import Fetched, FetchedWheel, fetch
    from mlopskit.fitted import package
    from mlopskit.format import Format, Part
    from mlopskit.gates import Finding, Gate, Verdict
    from mlopskit.hookspecs import hookimpl
    from mlopskit.interpreters import Interpreter, interpreter_for
    from mlopskit.loading import LoadedModel, load, watch
    from mlopskit.modelpackage import ModelPackage, Schema, StoredModel
    from mlopskit.project import Project
    from mlopskit.promoting import approve, promote
    from mlopskit.recipe import GoldenSpec
    from mlopskit.records import Answer, Approval, Bundle, Deployment, Locator, Receipt, Run, Runs
    from mlopskit.registry import Registry
    from mlopskit.report.value import Report
    from mlopskit.runtime.alias import AliasRecord
    from mlopskit.runtime.following import WatchState
    from mlopskit.runtime.golden import GoldenRow, Mismatch
    from mlopskit.runtime.package import write_files
    from mlopskit.runtime.schema import Columns, Row
    from mlopskit.runtime.scoring import Scorer
    from mlopskit.runtime.watching import Watched
    from mlopskit.steps import progress, sending
    from mlopskit.storage import Place, Stat, Storage
    from mlopskit.tables import Table
    from mlopskit.trainer import Trainer
    from mlopskit.trial import Trial
    from mlopskit.vendoring import format_of, runtime_files
    from mlopskit.verifying import Audit, Damage, verify
    from mlopskit.wheels import Wheels, cache_folder

_HOME = {
    "AliasRecord": "runtime.alias",
    "Answer": "records",
    "Approval": "records",
    "Audit": "verifying",
    "BucketStorage": "buckets",
    "Bundle": "records",
    "BundleDeployer": "bundles",
    "Change": "difference",
    "Collection": "collecting",
    "Columns": "runtime.schema",
    "Copied": "copying",
    "Copy": "copying",
    "Damage": "verifying",
    "Dataset": "data",
    "Deployer": "deployer",
    "Deployment": "records",
    "Difference": "difference",
    "Ejected": "ejecting",
    "Estimate": "evaluation",
    "Evaluation": "evaluation",
    "Evaluator": "evaluator",
    "Evidence": "evidence",
    "Fetched": "fetching",
    "FetchedWheel": "fetching",
    "FileShare": "builtin.fileshare",
    "Finding": "gates",
    "Format": "format",
    "Garbage": "collecting",
    "Gate": "gates",
    "GoldenRow": "runtime.golden",
    "GoldenSpec": "recipe",
    "Interpreter": "interpreters",
    "LoadedModel": "loading",
    "Locator": "records",
    "Matrix": "evidence",
    "Mismatch": "runtime.golden",
    "ModelPackage": "modelpackage",
    "Part": "format",
    "Place": "storage",
    "Plot": "evidence",
    "Project": "project",
    "PublishingDeployer": "bundles",
    "Receipt": "records",
    "Registry": "registry",
    "Report": "report.value",
    "Row": "runtime.schema",
    "Run": "records",
    "Runs": "records",
    "Schema": "modelpackage",
    "Scorer": "runtime.scoring",
    "Series": "evidence",
    "Stat": "storage",
    "Storage": "storage",
    "StoredModel": "modelpackage",
    "StoredObject": "commits",
    "Table": "tables",
    "Trainer": "trainer",
    "Trial": "trial",
    "Verdict": "gates",
    "WatchState": "runtime.following",
    "Watched": "runtime.watching",
    "Wheels": "wheels",
    "answer_of": "asking",
    "approve": "promoting",
    "ask_over_http": "asking",
    "cache_folder": "wheels",
    "copy": "copying",
    "deploy": "deploying",
    "eject": "ejecting",
    "fetch": "fetching",
    "format_of": "vendoring",
    "gc": "collecting",
    "hookimpl": "hookspecs",
    "interpreter_for": "interpreters",
    "load": "loading",
    "package": "fitted",
    "progress": "steps",
    "promote": "promoting",
    "read_over_http": "asking",
    "runtime_files": "vendoring",
    "sending": "steps",
    "verify": "verifying",
    "watch": "loading",
    "write_files": "runtime.package",
    "write_zip": "archives",
}

__all__ = [
    "AliasRecord",
    "Answer",
    "Approval",
    "Audit",
    "BucketStorage",
    "Bundle",
    "BundleDeployer",
    "Change",
    "Collection",
    "Columns",
    "Copied",
    "Copy",
    "Damage",
    "Dataset",
    "Deployer",
    "Deployment",
    "Difference",
    "Ejected",
    "Estimate",
    "Evaluation",
    "Evaluator",
    "Evidence",
    "Fetched",
    "FetchedWheel",
    "FileShare",
    "Finding",
    "Format",
    "Garbage",
    "Gate",
    "GoldenRow",
    "GoldenSpec",
    "Interpreter",
    "LoadedModel",
    "Locator",
    "Matrix",
    "Mismatch",
    "ModelPackage",
    "Part",
    "Place",
    "Plot",
    "Project",
    "PublishingDeployer",
    "Receipt",
    "Registry",
    "Report",
    "Row",
    "Run",
    "Runs",
    "Schema",
    "Scorer",
    "Series",
    "Stat",
    "Storage",
    "StoredModel",
    "StoredObject",
    "Table",
    "Trainer",
    "Trial",
    "Verdict",
    "WatchState",
    "Watched",
    "Wheels",
    "answer_of",
    "approve",
    "ask_over_http",
    "cache_folder",
    "copy",
    "deploy",
    "eject",
    "fetch",
    "format_of",
    "gc",
    "hookimpl",
    "interpreter_for",
    "load",
    "package",
    "progress",
    "promote",
    "read_over_http",
    "runtime_files",
    "sending",
    "verify",
    "watch",
    "write_files",
    "write_zip",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("mlopskit")
    if name not in _HOME:
        raise AttributeError(f"module 'mlopskit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mlopskit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
