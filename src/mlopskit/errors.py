"""Every error of mlopskit.

    MlopskitError                  something asked for was not done (exit code 3)
    ├── RefusedError               a gate or a verification said no (1)
    │   ├── VerdictError           no verdict, or one that did not pass
    │   ├── VerificationError      the deployed thing answered something else
    │   ├── PolicyError            an alias takes only what mlopskit.toml says, and this is not it
    │   └── VetoError              a plugin vetoed the deployment
    ├── UsageError                 what was asked for cannot be meant so (2)
    │   ├── ConfigError            mlopskit.toml or an option is wrong
    │   ├── UnknownNameError       there is nothing of that name
    │   ├── UnsafeNameError        a name, alias or digest is not of the allowed form
    │   └── RowError               a row does not fit the schema
    ├── DataError                  the data cannot be used
    ├── TrainingError              the model could not be trained
    ├── StoreError                 the model cannot be stored exactly and safely
    ├── PackageError               a package cannot be used
    │   ├── IntegrityError         its bytes are not those that the digest names
    │   ├── LimitError             larger, deeper or slower than allowed
    │   ├── ManifestError          a manifest or record is malformed
    │   ├── UnsafeModelError       it holds something that must not be loaded
    │   ├── UnsafePathError        a path leaves its folder or is no plain file
    │   └── UntrustedCodeError     it holds code, and its digest is not on the list
    ├── AliasError                 an alias cannot be read
    │   └── RollbackError          it went back without a new record
    ├── StorageError               a place cannot be read or written
    │   └── ConflictError          somebody else was faster
    ├── DeployError                a step of a deployment failed
    │   └── NotReadyError          the target does not answer yet; asked again until the deadline
    └── PluginError                a plugin is missing, broken, doubled or false to its interface

Each carries `remedy`, one sentence or command, and what it speaks of as attributes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mlopskit.runtime.errors import (
    AliasError,
    IntegrityError,
    LimitError,
    ManifestError,
    MlopskitError,
    PackageError,
    RollbackError,
    RowError,
    StorageError,
    UnsafeModelError,
    UnsafeNameError,
    UnsafePathError,
    UntrustedCodeError,
    UsageError,
)

__all__ = [
    "AliasError",
    "ConfigError",
    "ConflictError",
    "DataError",
    "DeployError",
    "IntegrityError",
    "LimitError",
    "ManifestError",
    "MlopskitError",
    "NotReadyError",
    "PackageError",
    "PluginError",
    "PolicyError",
    "RefusedError",
    "RollbackError",
    "RowError",
    "StorageError",
    "StoreError",
    "TrainingError",
    "UnknownNameError",
    "UnsafeModelError",
    "UnsafeNameError",
    "UnsafePathError",
    "UntrustedCodeError",
    "UsageError",
    "VerdictError",
    "VerificationError",
    "VetoError",
]


class RefusedError(MlopskitError):
    """A gate or a verification said no."""

    exit_code = 1


class VerdictError(RefusedError):
    """The package has no verdict, or one that did not pass."""


class VerificationError(RefusedError):
    """The deployed thing answered something else than the package's golden rows say."""


class PolicyError(RefusedError):
    """An alias takes only what mlopskit.toml says, and this is not it."""


class VetoError(RefusedError):
    """A plugin vetoed the deployment."""


class ConfigError(UsageError):
    """The configuration or an option is wrong."""


class UnknownNameError(UsageError):
    """There is nothing of that name."""


class DataError(MlopskitError):
    """The data cannot be used."""


class TrainingError(MlopskitError):
    """The model could not be trained."""


class StoreError(MlopskitError):
    """The model cannot be stored exactly and safely."""


class ConflictError(StorageError):
    """Somebody else was faster."""


class DeployError(MlopskitError):
    """A step of a deployment failed."""


class NotReadyError(DeployError):
    """The target does not answer yet; the core asks again until its deadline."""


class PluginError(MlopskitError):
    """A plugin is missing, broken, doubled or false to its interface."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UnknownNameError:
    """Return the error for a name that is not among the known ones, with the nearest of them.

    >>> print(unknown("metric", "acuracy", ["accuracy", "recall"]))
    There is no metric 'acuracy'. Did you mean 'accuracy'? Known: accuracy, recall.
    """
    names = sorted(known)
    near = nearest(str(name), names)
    hint = f"Did you mean {near!r}? " if near else ""
    listed = f"Known: {', '.join(names)}." if names else f"No {kind} is known here."
    return UnknownNameError(f"There is no {kind} {ascii(name)}.", remedy=f"{hint}{listed}", kind=kind, name=name)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the one of the names that looks most like this one, None if none does."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), None)
