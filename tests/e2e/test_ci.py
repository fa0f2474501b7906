"""The pipelines that `mlopskit ci` writes: their steps are run, as the build system would, in clean clones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import mlopskit as mk

WHO = {f"GIT_{role}_{what}": "a@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
BIN = Path(sys.executable).parent
LONGEST_UNCHANGED = 10  # seconds without installing: what is asked of it
REPOSITORY = "somebody/mood"


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", *command], cwd=folder, env={**os.environ, **WHO}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@dataclass
class Job:
    """What came of a job: "success", "failure" or "skipped", its outputs, and what its steps printed."""

    result: str = "skipped"
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    seconds: float = 0.0  # of its steps that do not install


class GitHub:
    """Runs a workflow as GitHub does, as far as its steps and expressions go; the actions are stood in for."""

    def __init__(self, remote: Path, store: Path) -> None:
        self.remote, self.store, self.number = remote, store, 0
        self.cache = store / "cache"
        self.cache.mkdir(parents=True)
        self.commands = store / "bin"
        self.commands.mkdir()
        gh = self.commands / "gh"
        gh.write_text(f'#!/bin/sh\necho "$@" > {store / "gh.txt"}\ncp report.md {store / "comment.md"}\n')
        gh.chmod(0o755)

    def run(self, event: str, *, branch: str = "main", forked: bool = False, refuse: str = "") -> dict[str, Job]:
        """Run the workflow of the branch's head; the environment named by `refuse` is not approved."""
        self.number += 1
        file = git(self.remote, "show", f"{branch}:.github/workflows/mlopskit.yml")
        workflow = YAML(typ="safe", pure=True).load(file)
        jobs: dict[str, Job] = {}
        for name, job in workflow["jobs"].items():
            needs = job.get("needs", [])
            needed = {one: jobs[one] for one in ([needs] if isinstance(needs, str) else needs)}
            context = self._context(event, branch, forked=forked, needs=needed)
            fine = all(one.result == "success" for one in needed.values())
            wanted = self._holds(job.get("if", ""), context, succeeded=fine) and job.get("environment") != refuse
            jobs[name] = self._job(name, job, workflow["env"], context) if wanted else Job()
        return jobs

    def _context(self, event: str, branch: str, *, forked: bool, needs: Mapping[str, Job]) -> dict[str, Any]:
        request = {"number": 7, "head": {"repo": {"full_name": "else/mood" if forked else REPOSITORY}}}
        github = {
            "event_name": event,
            "event": {"pull_request": request} if event == "pull_request" else {},
            "ref": "refs/pull/7/merge" if event == "pull_request" else f"refs/heads/{branch}",
            "branch": branch,
            "repository": REPOSITORY,
            "run_id": self.number,
            "run_attempt": 1,
            "sha": git(self.remote, "rev-parse", branch),
            "token": "not-a-token",
        }
        return {"github": github, "needs": {name: {"outputs": job.outputs} for name, job in needs.items()}, "steps": {}}

    def _job(self, name: str, job: Mapping[str, Any], env: Mapping[str, str], context: dict[str, Any]) -> Job:
        home = self.store / f"{self.number}-{name}"
        workspace = home / "work"
        workspace.mkdir(parents=True)
        context["github"]["workspace"] = str(workspace)
        done = Job(result="success")
        for step in job["steps"]:
            if not self._holds(step.get("if", ""), context, succeeded=done.result == "success"):
                continue
            begun = time.monotonic()
            if "uses" in step:
                self._action(step, workspace, context)
                continue
            variables = {key: self._text(value, context) for key, value in {**env, **step.get("env", {})}.items()}
            outputs = home / "outputs"
            outputs.write_text("")
            code, said = self._bash(step["run"], workspace, {**variables, "GITHUB_OUTPUT": str(outputs)}, context)
            done.said += said
            if code:
                done.result = "failure"
            if "id" in step:
                found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
                context["steps"][step["id"]] = {"outputs": found}
            if step.get("name") != "Install":
                done.seconds += time.monotonic() - begun
        done.outputs = {key: self._text(value, context) for key, value in job.get("outputs", {}).items()}
        return done

    def _bash(self, script: str, folder: Path, env: Mapping[str, str], context: Mapping[str, Any]) -> tuple[int, str]:
        assert "${{" not in script, "an expression in a script may bring commands with it"
        github = context["github"]
        given = {
            "PATH": f"{self.commands}:{BIN}:/usr/bin:/bin",
            "HOME": str(self.store),
            "CI": "true",
            "GITHUB_SHA": github["sha"],
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_STEP_SUMMARY": str(self.store / "summary.md"),
            **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "OPENBLAS", "COVERAGE"))},
        }
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=folder,
            env={**given, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _action(self, step: Mapping[str, Any], workspace: Path, context: Mapping[str, Any]) -> None:
        """Do what an action would do."""
        action = step["uses"].partition("@")[0]
        given = {key: self._text(value, context) for key, value in step.get("with", {}).items()}
        if action == "actions/checkout":
            branch = context["github"]["branch"]
            git(workspace, "clone", "--quiet", "--depth=1", "--branch", branch, f"file://{self.remote}", ".")
        elif action == "actions/cache/restore":
            kept = [one for one in self.cache.iterdir() if one.name.startswith(given["restore-keys"].strip())]
            if kept:
                newest = max(kept, key=lambda one: one.stat().st_mtime_ns)
                shutil.copytree(newest, workspace / given["path"])
        elif action == "actions/cache/save":
            kept = shutil.copytree(workspace / given["path"], self.cache / given["key"])
            os.utime(kept)
        elif action == "actions/upload-artifact":
            (self.store / "artifact").mkdir(exist_ok=True)
            for file in given["path"].split():
                shutil.copy(workspace / file, self.store / "artifact")
        elif action == "actions/download-artifact":
            shutil.copytree(self.store / "artifact", workspace, dirs_exist_ok=True)
        else:
            assert action == "actions/setup-python", action

    def _holds(self, condition: str, context: Mapping[str, Any], *, succeeded: bool) -> bool:
        if not condition:
            return succeeded
        words = condition.replace("&&", " and ").replace("||", " or ").replace("always()", "True")
        told = bool(eval(self._looked_up(words, context), {"__builtins__": {}}))
        return told and (succeeded or "always()" in condition)

    def _text(self, value: Any, context: Mapping[str, Any]) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: str(self._value(found[1], context)), str(value))

    def _looked_up(self, words: str, context: Mapping[str, Any]) -> str:
        path = r"(?<!['\w])(?:github|steps|needs)\.[\w.-]+"
        return re.sub(path, lambda found: repr(str(self._value(found[0], context))), " ".join(words.split()))

    def _value(self, path: str, context: Mapping[str, Any]) -> Any:
        found: Any = context
        for part in path.split("."):
            found = found.get(part, "") if isinstance(found, Mapping) else ""
        return found


@pytest.fixture
def github(fresh_project: Path, tmp_path: Path) -> GitHub:
    """Return a system whose remote repository holds the project with its workflow; both endpoints are outside it."""
    settings = Path("mlopskit.toml")
    settings.write_text(settings.read_text().replace('to = "shares/', f'to = "{tmp_path}/shares/'))
    Path(".gitignore").write_text(".mlopskit/\n")
    done = subprocess.run([BIN / "mlopskit", "ci", "github"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(fresh_project, "init", "--quiet", "--initial-branch=main")
    git(fresh_project, "remote", "add", "origin", str(tmp_path / "remote.git"))
    push("a model")
    return GitHub(tmp_path / "remote.git", tmp_path / "github")


def push(message: str, *, branch: str = "main") -> None:
    here = Path.cwd()
    git(here, "checkout", "--quiet", "-B", branch)
    git(here, "add", ".")
    git(here, "commit", "--quiet", "--message", message)
    git(here, "push", "--quiet", "origin", branch)


def results(jobs: Mapping[str, Job]) -> dict[str, str]:
    return {name: job.result for name, job in jobs.items()}


def live(tmp_path: Path, endpoint: str) -> str | None:
    folder = tmp_path / "shares" / endpoint / "mood"
    return mk.load(folder, alias="production").digest if folder.exists() else None


def write_rows(name: str, good: str, bad: str) -> None:
    rows = [f"{word} {n} {name},{mood}\n" for n in range(40) for word, mood in (("good", good), ("bad", bad))]
    Path(f"data/{name}.csv").write_text("text,label\n" + "".join(rows))


DEPLOYED = {"train": "success", "comment": "skipped", "validation": "success", "production": "success"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_workflow_of_github_deploys_what_passes_and_nothing_else(github: GitHub, tmp_path: Path) -> None:
    first = github.run("push")
    assert results(first) == DEPLOYED, [job.said for job in first.values()]
    digest = first["train"].outputs["digest"]
    assert live(tmp_path, "validation") == live(tmp_path, "production") == digest

    nothing = github.run("schedule")
    assert results(nothing) == {**DEPLOYED, "validation": "skipped", "production": "skipped"}
    assert "Nothing changed" in nothing["train"].said
    assert nothing["train"].seconds < LONGEST_UNCHANGED

    write_rows("c", "Up", "Down")
    push("new data")
    waiting = github.run("push", refuse="production")
    second = waiting["train"].outputs["digest"]
    assert results(waiting) == {**DEPLOYED, "production": "skipped"}
    assert (live(tmp_path, "validation"), live(tmp_path, "production")) == (second, digest)
    assert "new: data data/c.csv" in waiting["train"].said

    by_hand = github.run("workflow_dispatch")
    assert results(by_hand) == DEPLOYED
    assert live(tmp_path, "production") == second != digest

    write_rows("c", "Down", "Up")
    push("somebody swapped the labels", branch="swapped")
    proposed = github.run("pull_request", branch="swapped")
    nowhere = {"validation": "skipped", "production": "skipped"}
    assert results(proposed) == {"train": "failure", "comment": "success", **nowhere}
    assert "pr comment 7 --repo somebody/mood" in (github.store / "gh.txt").read_text()
    assert "refused" in (github.store / "comment.md").read_text()
    assert (github.store / "artifact" / "report.html").stat().st_size > 0
    assert results(github.run("pull_request", branch="swapped", forked=True))["comment"] == "skipped"

    git(Path.cwd(), "push", "--quiet", "origin", "swapped:main")
    red = github.run("push")
    assert results(red) == {"train": "failure", "comment": "skipped", **nowhere}
    assert red["train"].outputs["digest"] not in (digest, second)
    assert live(tmp_path, "validation") == live(tmp_path, "production") == second
    # It stays red, also where nothing changed since.
    assert results(github.run("schedule"))["train"] == "failure"

    write_rows("c", "Up", "Down")
    Path("model.py").write_text("1 / 0\n")
    push("no model at all", branch="main2")
    git(Path.cwd(), "push", "--quiet", "--force", "origin", "main2:main")
    broken = github.run("push")
    assert results(broken)["train"] == "failure"
    assert broken["train"].outputs["digest"] == ""
    assert live(tmp_path, "production") == second
