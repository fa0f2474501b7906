"""Errors of the runtime, the part that travels to a target.

    MlopskitError
    ├── PackageError
    │   ├── IntegrityError
    │   ├── LimitError
    │   ├── ManifestError
    │   ├── UnsafeModelError
    │   ├── UnsafePathError
    │   └── UntrustedCodeError
    ├── UsageError
    │   ├── RowError
    │   └── UnsafeNameError
    ├── AliasError
    │   └── RollbackError
    └── StorageError

`mlopskit.errors` continues this tree; a travelled copy of the runtime has these alone.
"""

from __future__ import annotations

import functools
from typing import Any


class MlopskitError(Exception):
    """Something mlopskit was asked for was not done.

    `remedy` is one imperative sentence or a command. `exit_code` is what the command line ends with:
    1 refused by a gate or a verification, 2 wrong usage or configuration, 3 could not run.
    """

    exit_code = 3

    def __init__(self, message: str, *, remedy: str, **culprits: object) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.culprits = culprits
        for name, value in culprits.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows instead of a traceback: the message, the remedy, and the line that asked."""
        import traceback

        frames = reversed(traceback.extract_tb(self.__traceback__))
        # IPython names a cell's code like this, and keeps its lines.
        cell = next((one for one in frames if "ipykernel_" in one.filename or "<ipython-" in one.filename), None)
        lines = [f"{type(self).__name__}: {self.message}", f"  {self.remedy}"]
        lines += [f"  {note}" for note in getattr(self, "__notes__", ())]
        lines += [f"  At line {cell.lineno} of the cell: {cell.line}"] if cell else []
        return [*map(printable, lines)]

    def __reduce__(self) -> tuple[Any, ...]:
        # Without this an error would not leave a worker process: exceptions are rebuilt from their positions alone.
        # What was set later, such as the step and the notes, goes along.
        return functools.partial(type(self), self.message, remedy=self.remedy, **self.culprits), (), vars(self)


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: messages quote names that come from data."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


class PackageError(MlopskitError):
    """A package cannot be used."""


class IntegrityError(PackageError):
    """The bytes are not the bytes that the digest names."""


class LimitError(PackageError):
    """Something is larger, deeper or slower than the limit allows."""


class ManifestError(PackageError):
    """A manifest or record is malformed."""


class UnsafeModelError(PackageError):
    """A stored model holds something that must not be loaded."""


class UnsafePathError(PackageError):
    """A path leaves its folder, is not a plain file, or is not portable."""


class UntrustedCodeError(PackageError):
    """A package holds code of its own, and its digest is not on the list of those that may run theirs."""


class UsageError(MlopskitError):
    """What was asked for cannot be meant so."""

    exit_code = 2


class RowError(UsageError):
    """A row does not fit the schema."""


class UnsafeNameError(UsageError):
    """A name, alias or digest is not of the allowed form."""


class AliasError(MlopskitError):
    """An alias cannot be read."""


class RollbackError(AliasError):
    """An alias went back without a new record."""


class StorageError(MlopskitError):
    """A place cannot be read or written."""
