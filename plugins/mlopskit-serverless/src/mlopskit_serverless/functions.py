"""The targets `lambda-zip`, `azure-functions` and `google-functions`: a function's zip, asked in its own runtime."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from mlopskit import (
    Answer,
    BundleDeployer,
    ModelPackage,
    Row,
    StoredModel,
    Wheels,
    answer_of,
    interpreter_for,
    write_files,
)
from mlopskit_serverless import building, contents, running
from mlopskit_serverless.manifests import manifests
from mlopskit_serverless.options import FunctionOptions, check_options
from mlopskit_serverless.processes import peak_mib
from mlopskit_serverless.services import AWS, AZURE, GOOGLE, MIB, Service
from mlopskit_serverless.sizes import report

# To import scikit-learn alone takes a busy machine a minute there.
_EMULATED = 600.0
_BY_HAND = "Unpack its zip, and call its handler by hand."


@dataclass(frozen=True, kw_only=True)
class FunctionBundle(FunctionOptions, BundleDeployer):  # type: ignore[override]  # not of the class: an option says its formats
    """Builds the zip of a function, with what its service wants beside, and asks it in that service's own runtime."""

    service: ClassVar[Service]

    def check(self, package: ModelPackage, /) -> None:
        """Refuse options that are not what they shall be, and a Python that cannot be run from here."""
        check_options(self, package.name)
        interpreter_for(self.platform, self.python)

    def needs(self, package: ModelPackage, model: StoredModel | None, /) -> Sequence[Wheels]:
        """Return the wheels of the form's engine, and of the service's runtime, in which the function is asked."""
        del package
        return [*contents.needs(self, model), self.service.wheels(self.platform, self.python)]

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the zip, and what its service wants beside it."""
        form = building.needed(model)
        sizes, facts = building.write(self.service, self, package, form, into / building.ZIP)
        write_files({**report(sizes, facts), **manifests(self.service, self, package, form.format)}, into)

    def ask(self, bundle: Path, rows: Sequence[Row], /) -> Answer:
        """Start the function in its service's runtime, and send it the rows over the service's form of HTTP.

        It answers from the package in its zip, whatever alias it will follow.
        """
        python = interpreter_for(self.platform, self.python)
        with TemporaryDirectory(prefix="mlopskit-") as temporary:
            folder, site = Path(temporary, "function"), Path(temporary, "runtime")
            with zipfile.ZipFile(bundle / building.ZIP) as archive:
                archive.extractall(folder)  # which the bundle's digest covers
            self.service.wheels(self.platform, self.python).unpack(site)
            launch = running.Launch(folder=folder, site=site, command=python.command, memory=self.memory)
            if python.place == "emulated":  # which takes its own memory, and its own time
                launch = replace(launch, memory=None, seconds=_EMULATED)
            reply, measured = _asked(self.service, launch, rows)
        measured = measured if python.place == "local" else {}
        measured["bundle_mb"] = (bundle / building.ZIP).stat().st_size / MIB
        return answer_of(
            reply.status, reply.body, "The function", remedy=_BY_HAND, place=python.place, measurements=measured
        )


def _asked(service: Service, launch: running.Launch, rows: Sequence[Row]) -> tuple[running.Reply, dict[str, float]]:
    """Return what a function says to rows, and what was measured: with one row first, as a first caller sends it."""
    with service.start(launch) as function:
        begun = function.begun  # of this process: another one may be asked later
        reply = _sent(function, rows[:1])
        measured = {"cold_start_ms": (time.monotonic() - begun) * 1000}
        if len(rows) > 1 and reply.status == HTTPStatus.OK:
            reply = _sent(function, rows)
        peak = peak_mib(function.pid)
    return reply, measured if peak is None else {**measured, "memory_mb": peak}


def _sent(function: running.Function, rows: Sequence[Row]) -> running.Reply:
    body = json.dumps({"rows": [dict(row) for row in rows]}).encode()
    return function.send("POST", "/predict", {"content-type": "application/json"}, body)


@dataclass(frozen=True, kw_only=True)
class LambdaZip(FunctionBundle):
    """Builds the zip of a function of AWS Lambda, and asks it in awslambdaric."""

    target: ClassVar[str] = "lambda-zip"
    service: ClassVar[Service] = AWS


@dataclass(frozen=True, kw_only=True)
class AzureFunctions(FunctionBundle):
    """Builds the zip of a function app of Azure Functions, and asks it in the service's Python worker."""

    target: ClassVar[str] = "azure-functions"
    service: ClassVar[Service] = AZURE


@dataclass(frozen=True, kw_only=True)
class GoogleFunctions(FunctionBundle):
    """Builds the source of a function of Google Cloud, and asks it in functions-framework."""

    target: ClassVar[str] = "google-functions"
    service: ClassVar[Service] = GOOGLE
