"""Try a package in a limited process before its model is loaded into this one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mlopskit import plugins
from mlopskit.errors import RowError
from mlopskit.isolated import IsolatedModel, started
from mlopskit.runtime.golden import check_golden
from mlopskit.runtime.names import hex_of
from mlopskit.runtime.package import Package
from mlopskit.runtime.schema import Row
from mlopskit.runtime.scoring import FORMATS, Model
from mlopskit.vendoring import write_files


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How much a new package may need in a process of its own before it is loaded into this one.

    `seconds` are those that it may take to load and to answer its golden rows, `memory` is the process's address space
    in bytes. A package that needs more, or that ends the process, is not loaded.
    """

    seconds: float = 60.0
    memory: int = 4 << 30

    def run(self, package: Package, /, *, trust_code: Collection[str]) -> None:
        """Load a package and ask it its golden rows, apart.

        Raises:
            LimitError: it did not answer in time.
            PackageError: it was not loaded, ended the process, or answered otherwise.
        """
        held = {model["format"] for model in package.manifest["models"]} & {*plugins.names("formats")}
        known = [name for name in FORMATS if name in held]
        # What loads by itself needs no engine to be imported for another form.
        formats = known[:1] if known[:1] == ["portable"] else known
        with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
            folder = Path(temporary, hex_of(package.digest))
            write_files(package.files, folder)
            with started(formats, deadline=self.seconds, memory=self.memory) as process:
                process.open(folder, digest=package.digest, trust_code=trust_code)
                with contextlib.suppress(RowError):  # without a row it says whether it was loaded
                    process.ask([])
                check_golden(package, cast("Model", _Asked(package, process)))


class _Asked:
    """A model in another process, to be asked as one in this."""

    def __init__(self, package: Package, process: IsolatedModel) -> None:
        self.name, self.digest = package.manifest["name"], package.digest
        self._process = process

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        answered: list[dict[str, Any]] = self._process.ask(rows)["rows"]
        return answered
