"""Read what was judged of a package. A registry knows it; a place that packages are published to does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import canonical
from .names import hex_of

_LIMIT, _MOST = 4 << 20, 1000


def verdict_on(get: Callable[..., bytes | None], digest: str, /) -> dict[str, Any] | None:
    """Return the newest verdict on a package, None if there is none: whether it passed, on which rows, an override.

    `get(key, limit=bytes)` reads a file of the model's folder.

    Raises:
        ManifestError: it is malformed.
        StorageError: the place cannot be read now.
    """
    newest = None
    for number in range(1, _MOST):
        data = get(f"verdicts/{hex_of(digest)}/{number}/record.json", limit=_LIMIT)
        if data is None:
            break
        newest = canonical.loads(data, what="verdict", limit=_LIMIT)
    return summary(newest) if isinstance(newest, Mapping) else None


def summary(verdict: Mapping[str, Any], /) -> dict[str, Any]:
    """Return what everybody may know of a verdict's table."""
    findings = verdict.get("findings")
    listed = findings if isinstance(findings, list | tuple) else []
    passed = bool(listed) and all(isinstance(one, Mapping) and one.get("passed") is True for one in listed)
    override, dataset = verdict.get("override"), verdict.get("dataset")
    return {
        "passed": passed,
        "override": override if isinstance(override, str) else None,
        "dataset": dataset if isinstance(dataset, str) else None,
    }
