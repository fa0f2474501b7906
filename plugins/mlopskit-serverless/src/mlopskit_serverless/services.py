"""The three services: what their handlers are called, what they refuse, and what runs a function as they do."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlopskit import Wheels

if TYPE_CHECKING:
    from mlopskit_serverless.running import Start

_MB = 10**6
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service of functions.

    `handlers` are the templates that stand at the root of its zips, each under its name. `zip_limit` and
    `unzipped_limit` are in bytes: what it refuses. `runtime` are the requirements of the service's own runtime, as
    they are for `runtime_python` (None: for the function's Python); it `installs` them by a list in the zip if so.
    `module` is the module of this plugin that starts a function in it.
    """

    name: str
    handlers: tuple[str, ...]
    zip_limit: int
    unzipped_limit: int
    runtime: tuple[str, ...]
    runtime_python: str | None = None
    module: str
    installs: bool = False

    @property
    def start(self) -> Start:
        """What starts a function in this service's own runtime."""
        found: Start = importlib.import_module(f"mlopskit_serverless.{self.module}").start
        return found

    def wheels(self, platform: str, python: str, /) -> Wheels:
        """Return the wheels of its runtime."""
        return Wheels(requirements=self.runtime, platform=platform, python=self.runtime_python or python)


# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 50 MB for a zip, 250 MB unzipped.
AWS = Service(
    name="AWS Lambda",
    handlers=("lambda_function.py",),
    zip_limit=50 * MIB,
    unzipped_limit=250 * MIB,
    runtime=("awslambdaric==4.2.2",),
    module="awslambda",
)
# https://learn.microsoft.com/azure/azure-functions/run-functions-from-deployment-package: 1 GB for a package; unzipped,
# what the smallest plan has as temporary storage.
AZURE = Service(
    name="Azure Functions",
    handlers=("function_app.py", "host.json"),
    zip_limit=1000 * _MB,
    unzipped_limit=500 * _MB,
    # The worker's wheels name Python 3.13, and run on 3.11, too: what is compiled in them is for any version. That of
    # the worker for the first programming model brings the classes of the protocol's messages.
    runtime=(
        "azure-functions-runtime==1.3.0",
        "azure-functions-runtime-v1==1.2.0",
        "azure-functions==2.3.0",
        "protobuf==5.29.5",
    ),
    runtime_python="3.13",
    module="azure",
)
# https://cloud.google.com/functions/quotas: of the first generation; the second names no limit of its own.
GOOGLE = Service(
    name="Google Cloud Functions",
    handlers=("main.py",),
    zip_limit=100 * _MB,
    unzipped_limit=500 * _MB,
    runtime=("functions-framework==3.10.2",),
    module="google",
    installs=True,
)
SERVICES: Mapping[str, Service] = {"lambda-zip": AWS, "azure-functions": AZURE, "google-functions": GOOGLE}
