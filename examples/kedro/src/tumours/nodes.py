"""The steps. Between them goes a digest and nothing else: each may run in another process, and be run again."""

from __future__ import annotations

import logging
from pathlib import Path

import mlopskit as mk
from mlopskit.errors import VerdictError
from tumours.samples import write_samples

HERE = Path(__file__).parents[2]


def project() -> mk.Project:
    """Return the project of this folder."""
    return mk.Project(HERE / "mlopskit.toml")


def bring() -> int:
    """Bring the data."""
    return write_samples(HERE / "data" / "samples.csv")


def changed(rows: int) -> list[str]:
    """Say what is new since the last run."""
    logging.getLogger(__name__).info("%d rows", rows)
    return project().changed()


def train(changes: list[str]) -> str:
    """Train, judge and package, if anything changed; return the digest."""
    run = project().run()
    if run.outcome != "passed":
        raise VerdictError(f"Refused after {changes}: {run.why}", remedy="Look at 'mlopskit report'.")
    return str(run.digest)


def validation(digest: str) -> str:
    """Deploy to validation, verified before and after the switch; return the digest of what is live now."""
    return project().deploy("validation", digest, why="released by Kedro").package


def production(digest: str) -> str:
    """Deploy to production what validation took."""
    return project().deploy("production", digest, why="released by Kedro").package
