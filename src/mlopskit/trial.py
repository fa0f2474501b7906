"""Try a package in a limited process before its model is loaded into this one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mlopskit import plugins
from mlopskit.isolated import started
from mlopskit.runtime.package import Package
from mlopskit.runtime.scoring import FORMATS
from mlopskit.runtime.trial import NICE, try_apart


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
        with started(formats, deadline=self.seconds, memory=self.memory, nice=NICE) as process:
            try_apart(package, process, trust_code=trust_code)
