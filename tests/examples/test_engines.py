"""The examples in Dagster and Kedro, each in the engine itself, without a network: run, run again, killed, refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

import mlopskit as mk

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".engines" / "bin"
pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]  # engines start a process for each step

# The job with two faults in it, each once, after the switch: at validation the step fails when all is recorded, at
# production its process is killed before that.
FAULTY = """
import os
import pathlib
import signal

import mlopskit as mk
from definitions import release  # the job, to be found in this file
from mlopskit.registry import Registry

add, deploy = Registry.add_deployment, mk.Project.deploy


def once(endpoint, operation):
    mark = pathlib.Path(__file__).with_name(endpoint)
    first = not mark.exists()
    mark.write_text(mark.read_text() if mark.exists() else operation)
    return first


def killed_before_the_record(self, deployment):
    if deployment.endpoint == "production" and once("production", deployment.operation):
        os.kill(os.getpid(), signal.SIGKILL)
    add(self, deployment)


def failing_after_the_record(self, *given, **named):
    deployment = deploy(self, *given, **named)
    if deployment.endpoint == "validation" and once("validation", deployment.operation):
        raise OSError("the connection to the engine was lost")
    return deployment


Registry.add_deployment = killed_before_the_record
mk.Project.deploy = failing_after_the_record
"""

# The same in one process.
AGAIN = """
import dagster as dg
from definitions import release

with dg.instance_for_test() as instance:
    done = release.execute_in_process(instance=instance, raise_on_error=False)
for event in done.all_events:
    print(event.event_type_value, event.message)
raise SystemExit(0 if done.success else 1)
"""


@pytest.fixture(autouse=True)
def _engines() -> None:
    if not BIN.exists() and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip("there is no .engines: make engines")
    assert BIN.exists(), "there is no .engines: make engines"


def example(name: str, tmp_path: Path) -> Path:
    """Copy an example, without what somebody made of it by hand."""
    made = shutil.ignore_patterns("data", "shares", ".mlopskit", "__pycache__", "storage", "history", "schedules")
    return shutil.copytree(ROOT / "examples" / name, tmp_path / name, ignore=made)


def call(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the engines in a folder, and without a network where this machine lets us take it away."""
    alone = ["unshare", "-rn"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        alone = []
    kept = {name: os.environ[name] for name in ("XDG_STATE_HOME",)}
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    surroundings = {**kept, "PATH": path, "HOME": str(folder), "COLUMNS": "200", **environment}
    return subprocess.run(
        [*alone, *command], cwd=folder, env=surroundings, capture_output=True, text=True, check=False, timeout=600
    )


def kedro(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "kedro", "run", *options, KEDRO_LOGGING_CONFIG="conf/logging.yml")


def retried(folder: Path) -> list[str]:
    """Return the steps that Dagster began again, as its own record of the one job says."""
    (record,) = set((folder / "history" / "runs").glob("*-*.db"))
    with contextlib.closing(sqlite3.connect(record)) as opened:
        asked = "select step_key from event_logs where dagster_event_type = 'STEP_RESTARTED' order by step_key"
        return [step for (step,) in opened.execute(asked)]


def deployed(folder: Path, endpoint: str) -> mk.Deployment:
    """Return the one deployment to an endpoint, after asking whether it is what is live, by the one move there was."""
    project = mk.Project(folder / "mlopskit.toml")
    (record,) = project.registry.deployments(project.name, endpoint)
    assert project.deployer(endpoint).live(project.name) == record.locator
    moves = folder / "shares" / endpoint / project.name / "aliases" / "production"
    assert [one.name for one in moves.iterdir()] == ["1"]
    package, receipt = project.verify(endpoint)
    assert (package.digest, receipt.passed) == (record.package, True)
    return record


def released(folder: Path) -> mk.Deployment:
    """Return the deployment to production of the digest that the one run made, and that validation took first."""
    (run,) = mk.Project(folder / "mlopskit.toml").runs()
    records = [deployed(folder, endpoint) for endpoint in ("validation", "production")]
    assert {record.package for record in records} == {run.digest}
    return records[1]


def test_a_step_that_fails_after_the_switch_is_retried_by_dagster_to_one_deployment(tmp_path: Path) -> None:
    folder = example("dagster", tmp_path)
    (folder / "faulty.py").write_text(FAULTY)
    job = ["dagster", "job", "execute", "-f", "faulty.py", "-j", "release"]
    done = call(folder, *job, DAGSTER_HOME=str(folder))
    assert done.returncode == 0, done.stderr
    for told in ("train - run tumours: train", "production - deploy tumours to production: activate"):
        assert told in done.stderr
    assert retried(folder) == ["production", "validation"]
    record = released(folder)
    assert deployed(folder, "validation").operation == (folder / "validation").read_text(), "the retry returned it"
    assert record.operation != (folder / "production").read_text(), "the first died before it was recorded"
    again = call(folder, "python", "-c", AGAIN)
    assert again.returncode == 0, again.stdout + again.stderr
    assert released(folder) == record, "a job that is run again releases nothing new"


def test_dagster_does_not_retry_what_a_gate_refused(tmp_path: Path) -> None:
    folder = example("dagster", tmp_path)
    settings = folder / "mlopskit.toml"
    settings.write_text(settings.read_text().replace("0.85", "0.99"))
    done = call(folder, "python", "-c", AGAIN)
    assert done.returncode == 1, done.stderr
    assert "STEP_FAILURE" in done.stdout
    assert "STEP_UP_FOR_RETRY" not in done.stdout
    assert not (folder / "shares").exists()
    (run,) = mk.Project(settings).runs()
    assert run.outcome == "refused"
    assert "accuracy >= 0.99" in run.why


def test_kedro_releases_and_releases_once(tmp_path: Path) -> None:
    folder = example("kedro", tmp_path)
    first = kedro(folder)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "mlopskit: deploy tumours to production: activate" in first.stdout + first.stderr
    record = released(folder)
    again = kedro(folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "mlopskit: run tumours: nothing changed since run 1" in again.stdout + again.stderr
    assert released(folder) == record


def test_the_lock_holds_both_engines_and_no_address() -> None:
    text = (ROOT / "requirements.engines.lock").read_text("utf-8")
    assert "\ndagster==" in text
    assert "\nkedro==" in text
    assert "://" not in text
    assert "dagster" not in (ROOT / "requirements.lock").read_text("utf-8")
