"""Try a package in a limited process before its model is loaded into this one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

from .errors import RowError
from .golden import check_golden
from .isolated import IsolatedModel
from .names import hex_of
from .package import MANIFEST, Package, files_of_others, write_files
from .schema import Row
from .scoring import Model

NICE = 2  # whoever waits for an answer goes before a package that is only tried, which has its time, too


def try_apart(package: Package, process: IsolatedModel, /, *, trust_code: Collection[str] = ()) -> None:
    """Let a process load a package and answer its golden rows.

    Raises:
        LimitError: it did not answer in time.
        PackageError: it was not loaded, ended the process, or answered otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        folder = Path(temporary, hex_of(package.digest))
        others = files_of_others(package.manifest, package.format)
        for path in (MANIFEST, *(path for path in package.manifest["files"] if path not in others)):
            write_files({path: package.files[path]}, folder)  # one after the other: not all may be kept in memory
        process.open(folder, digest=package.digest, format=package.format, trust_code=trust_code)
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
