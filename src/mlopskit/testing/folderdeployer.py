"""Reference deployer: a folder that answers by itself. The smallest bundle target, to read before writing one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mlopskit import vendoring
from mlopskit.bundles import BundleDeployer
from mlopskit.errors import DeployError
from mlopskit.modelpackage import ModelPackage, StoredModel
from mlopskit.records import Answer
from mlopskit.runtime.package import write_files
from mlopskit.runtime.schema import Row

PACKAGE = "package"


@dataclass(frozen=True, kw_only=True)
class FolderDeployer(BundleDeployer):
    """Deploys folders that need Python and the model's engine alone: `python -I FOLDER FOLDER/package --digest ...`."""

    target: ClassVar[str] = "folder"

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write the package, the runtime, and the loader of the model's form."""
        write_bundle(package, model, into)

    def ask(self, bundle: Path, rows: Sequence[Row], /) -> Answer:
        """Run the bundle as its users do, with the rows on its standard input."""
        listing = json.loads((bundle / self.listing).read_bytes())
        digest = listing["package"]
        # The core has asked whether its code may run before it was built into a bundle.
        trust = ["--trust-code", digest]
        ran = subprocess.run(
            [sys.executable, "-I", "-B", str(bundle), str(bundle / PACKAGE), "--digest", digest, *trust],
            input=json.dumps({"rows": [dict(row) for row in rows]}).encode(),
            capture_output=True,
            check=False,
        )
        if not ran.stdout:
            raise DeployError(
                f"The bundle ended with {ran.returncode}: {ran.stderr.decode(errors='replace').strip()[-500:]}",
                remedy="Run it by hand, as its __main__.py says.",
            )
        said = json.loads(ran.stdout)
        if "error" in said:
            raise DeployError(f"The bundle answered: {said['error']}", remedy=said["remedy"])
        return Answer(rows=said["rows"], digest=said["digest"], runtime=said["runtime"])


def write_bundle(package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
    """Write a package with all that answers from it, but Python and the model's engine, into an empty folder."""
    write_files(vendoring.runtime_files([model.format] if model else []), into)
    package.write(into / PACKAGE)
