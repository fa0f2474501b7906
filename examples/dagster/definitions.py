"""A Dagster job: bring the data, train what changed, deploy to validation, and the same digest to production.

From step to step go a digest and nothing else: each step may run in another process. A step that fails is run again;
what it had done by then is found done. What a gate refused is not tried again: it would be refused again.
"""

from pathlib import Path

import dagster as dg
from samples import write_samples

import mlopskit as mk
from mlopskit.errors import RefusedError

HERE = Path(__file__).parent
AGAIN = dg.RetryPolicy(max_retries=2, delay=1)


def project() -> mk.Project:
    """Return the project of this folder."""
    return mk.Project(HERE / "mlopskit.toml")


@dg.op(retry_policy=AGAIN)
def bring() -> int:
    """Bring the data."""
    return write_samples(HERE / "data" / "samples.csv")


@dg.op
def changed(rows: int) -> list[str]:
    """Say what is new since the last run."""
    dg.get_dagster_logger().info(f"{rows} rows")
    return project().changed()


@dg.op(retry_policy=AGAIN)
def train(changes: list[str]) -> str:
    """Train, judge and package, if anything changed; return the digest."""
    run = project().run()
    if run.outcome != "passed":
        raise dg.Failure(f"refused after {changes}: {run.why}", allow_retries=False)
    return str(run.digest)


def deploy(endpoint: str, digest: str) -> str:
    """Deploy a package, verified before and after the switch; return the digest of what is live now."""
    try:
        return project().deploy(endpoint, digest, why="released by Dagster").package
    except RefusedError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


@dg.op(retry_policy=AGAIN)
def validation(digest: str) -> str:
    """Deploy to validation."""
    return deploy("validation", digest)


@dg.op(retry_policy=AGAIN)
def production(digest: str) -> str:
    """Deploy to production what validation took."""
    return deploy("production", digest)


@dg.job
def release() -> None:
    """From the data to production."""
    production(validation(train(changed(bring()))))


defs = dg.Definitions(jobs=[release])
