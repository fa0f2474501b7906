"""What the verbs take and return goes from one process to another: pickled, and as JSON."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import mlopskit as mk
from mlopskit.errors import UnknownNameError, VerdictError


def test_each_verb_runs_in_a_process_of_its_own(fresh_project: Path) -> None:
    """As an engine does it: the project by its file, digests and records from step to step."""
    project = mk.Project(fresh_project / "mlopskit.toml")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=1) as pool:
        assert "new: settings" in pool.submit(project.changed).result()
        run = pool.submit(project.run).result()
        deployment = pool.submit(project.deploy, "production", run.digest, why="first").result()
        with pytest.raises(UnknownNameError, match="Did you mean 'production'") as caught:
            pool.submit(project.deploy, "prodution", run.digest).result()
    assert caught.value.remedy
    assert (run.outcome, deployment.package, deployment.why) == ("passed", run.digest, "first")
    assert project.runs() == (run,)
    assert project.registry.deployments("mood", "production") == [deployment]


def test_records_and_values_survive_pickling(project: mk.Project) -> None:
    package = project.package()
    deployment = project.registry.deployments("mood", "production")[-1]
    values = [
        *(package, package.schema, package.golden, package.evaluation, project.config),
        *(project.runs(), project.verdict(package.digest), deployment, deployment.receipt, project.status()),
        *(project.deployer("production"), mk.Gate.parse("accuracy >= 0.75"), project.report().package),
        *(project.registry.alias("mood", "candidate").head(), project.diff("1", "2"), project.test_data()),
    ]
    for value in values:
        again = pickle.loads(pickle.dumps(value))
        assert again == value, type(value)
        assert type(again) is type(value)
    again = pickle.loads(pickle.dumps(project))
    assert (again.file, again.config) == (project.file, project.config)
    assert again.registry.storage.uri == project.registry.storage.uri


def test_records_survive_json(project: mk.Project) -> None:
    run = project.runs()[-1]
    deployment = project.registry.deployments("mood", "production")[-1]
    verdict = project.verdict(str(run.digest))
    assert verdict
    for value in (run, deployment, deployment.receipt, verdict):
        assert type(value).from_table(json.loads(json.dumps(value.as_table()))) == value  # type: ignore[attr-defined]


def test_an_error_keeps_its_step_and_notes_on_the_way() -> None:
    error = VerdictError("It was refused.", remedy="Mend the model.", digest="sha256:1")
    error.step = "verdict"  # type: ignore[attr-defined]
    error.add_note("Nothing was switched.")
    error.exit_code = 130
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is VerdictError
    assert vars(again) == vars(error)
    assert str(again) == str(error)
