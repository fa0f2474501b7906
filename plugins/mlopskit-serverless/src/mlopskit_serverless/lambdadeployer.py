"""The target `aws-lambda`: a version of a function beside the live one, asked before users' alias is moved to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from mlopskit import Answer, Bundle, Deployer, Locator, ModelPackage, Row, StoredModel, Wheels, write_files
from mlopskit.errors import DeployError, LimitError
from mlopskit_serverless import aws, building, contents, lambdafunction, lambdalogs
from mlopskit_serverless.awslambda import HANDLER
from mlopskit_serverless.lambdaalias import LambdaAlias
from mlopskit_serverless.lambdaasking import ask
from mlopskit_serverless.lambdafunction import AwsFunction, fault_of
from mlopskit_serverless.lambdaoptions import LambdaOptions, check_lambda
from mlopskit_serverless.manifests import environment
from mlopskit_serverless.options import ARCHITECTURES
from mlopskit_serverless.services import AWS
from mlopskit_serverless.sizes import report


@dataclass(frozen=True, kw_only=True)
class AwsLambda(LambdaOptions, Deployer):  # type: ignore[override]  # not of the class: an option says its formats
    """Publishes a version of a function of AWS Lambda for each bundle, and moves the function's alias."""

    target: ClassVar[str] = "aws-lambda"

    def check(self, package: ModelPackage, /) -> None:
        """Check the options; nothing is asked of AWS yet."""
        check_lambda(self, package.name)

    def needs(self, package: ModelPackage, model: StoredModel | None, /) -> Sequence[Wheels]:
        """Return the wheels of the form's engine."""
        del package
        return contents.needs(self, model)

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the zip, and what the function is given beside it."""
        settings = {
            "Architectures": [ARCHITECTURES[self.platform]],
            "Environment": {"Variables": environment(self)},
            "Handler": HANDLER,
            "MemorySize": self.memory,
            "Runtime": f"python{self.python}",
            "Timeout": self.timeout,
        }
        files = {lambdafunction.SETTINGS: json.dumps(settings, indent=2).encode() + b"\n"}
        write_files({**files, **self._zip(package, building.needed(model), into / building.ZIP)}, into)

    def _zip(self, package: ModelPackage, model: StoredModel, file: Path) -> Mapping[str, bytes]:
        """Write the zip, and return the report of its sizes; a bucket brings one of any size that fits unzipped."""
        service = replace(AWS, zip_limit=AWS.unzipped_limit) if self.bucket else AWS
        try:
            return report(*building.write(service, self, package, model, file))
        except LimitError as error:
            if self.bucket:
                raise
            remedy = f"Let it go by a bucket of the function's region: bucket = …; or: {error.remedy}"
            raise LimitError(error.message, remedy=remedy, **error.culprits) from error

    def push(self, bundle: Bundle, /) -> Locator:
        """Publish a version of the bundle, unless there is one; the function is made if it is not there."""
        with self._at(bundle.name) as function:
            return {"function": function.name, "version": lambdafunction.push(function, bundle, self)}

    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Invoke the version that was pushed, or the alias."""
        with self._at(name) as function:
            found = self._alias(function).live() if at is None else at
            if found is None:
                raise DeployError(
                    f"Nothing is live at {function.name}:{self.alias}.", remedy="Deploy a package there first."
                )
            version = found["version"]
            return ask(function, rows, qualifier=self.alias if at is None else version, version=version)

    def live(self, name: str, /) -> Locator | None:
        """Return the version that the alias leads to."""
        with self._at(name) as function:
            return self._alias(function).live()

    def activate(self, name: str, at: Locator | None, /, *, instead_of: Locator | None, why: str) -> None:
        """Move the alias, if it leads to what is expected; shares of other versions end with that."""
        with self._at(name) as function:
            self._alias(function).move(at, instead_of, why)

    def remove(self, name: str, at: Locator, /) -> None:
        """Remove the version, unless an alias leads to it. The function stays."""
        with self._at(name) as function:
            lambdafunction.remove(function, at["version"])

    def fault(self, name: str, at: Locator, /) -> str | None:
        """Say whether the version is gone, or failed."""
        with self._at(name) as function:
            held = function.configuration(at["version"])
            return fault_of(held) if held else f"There is no version {at['version']} of {function.name}."

    def logs(self, name: str, at: Locator, /, *, lines: int = 100) -> str:
        """Return the last lines that the version wrote to CloudWatch Logs."""
        with self._at(name) as function, aws.client("logs", self) as client:
            held = function.configuration(at["version"])
            return lambdalogs.last(client, held, lines) if held else ""

    def _alias(self, function: AwsFunction) -> LambdaAlias:
        return LambdaAlias(function=function, name=self.alias)

    @contextlib.contextmanager
    def _at(self, name: str) -> Iterator[AwsFunction]:
        function = check_lambda(self, name)
        with aws.client("lambda", self) as client:
            yield AwsFunction(client=client, name=function)
