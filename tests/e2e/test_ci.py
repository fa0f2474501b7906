"""The pipelines that `mlopskit ci` writes: their steps are run, as the build system would, in clean clones."""

from __future__ import annotations

import os
import re
import shutil
import string
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

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


class System:
    """What the build systems have in common: a store beside the machines, and commands that stand in for others."""

    file: str
    command: str  # that comments

    def __init__(self, remote: Path, store: Path) -> None:
        self.remote, self.store, self.number = remote, store, 0
        self.cache = store / "cache"
        self.cache.mkdir(parents=True)
        self.commands = store / "bin"
        self.commands.mkdir()
        stand_in = self.commands / self.command
        called, comment = store / "called.txt", store / "comment.md"
        report = "$(ls report.md report/report.md 2> /dev/null)"
        stand_in.write_text(f'#!/bin/sh\necho "$@" > {called}\ncat "{report}" > {comment}\n')
        stand_in.chmod(0o755)

    def begin(self, branch: str) -> tuple[dict[str, Any], str]:
        """Return the pipeline of the branch's head, and that commit."""
        self.number += 1
        text = git(self.remote, "show", f"{branch}:{self.file}")
        return YAML(typ="safe", pure=True).load(text), git(self.remote, "rev-parse", branch)

    def clone(self, job: str, branch: str) -> Path:
        """Return a new folder with a clean, shallow clone."""
        folder = self.store / f"{self.number}-{job}"
        folder.mkdir()
        git(folder, "clone", "--quiet", "--depth=1", "--branch", branch, f"file://{self.remote}", ".")
        return folder

    def bash(self, script: str, folder: Path, env: Mapping[str, str], *flags: str) -> tuple[int, str]:
        """Run a script as a machine would that has nothing but what it is given; return the code and what it said."""
        kept = ("PIP_", "OPENBLAS", "COVERAGE")
        given = {
            "PATH": f"{self.commands}:{BIN}:/usr/bin:/bin",
            "HOME": str(self.store),
            "CI": "true",
            **{name: value for name, value in os.environ.items() if name.startswith(kept)},
        }
        done = subprocess.run(
            ["bash", *flags, "-c", script],
            cwd=folder,
            env={**given, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


class GitHub(System):
    """Runs a workflow as GitHub does, as far as its steps and expressions go; the actions are stood in for."""

    file = ".github/workflows/mlopskit.yml"
    command = "gh"

    def run(self, event: str, *, branch: str = "main", forked: bool = False, refuse: str = "") -> dict[str, Job]:
        """Run the workflow of the branch's head; the environment named by `refuse` is not approved."""
        workflow, _ = self.begin(branch)
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
        summary = str(self.store / "summary.md")
        known = {
            "GITHUB_SHA": context["github"]["sha"],
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_STEP_SUMMARY": summary,
        }
        return self.bash(script, folder, {**known, **env}, "-e")

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


class GitLab(System):
    """Runs a pipeline as GitLab does: stages in their order, rules, caches, artifacts."""

    file = ".gitlab-ci.yml"
    command = "curl"
    sources: ClassVar = {"pull_request": "merge_request_event", "workflow_dispatch": "web"}

    def run(self, event: str, *, branch: str = "main", refuse: str = "") -> dict[str, Job]:
        """Run the pipeline of the branch's head; nobody clicks the job named by `refuse`."""
        pipeline, commit = self.begin(branch)
        self.artifacts = self.store / f"artifacts-{self.number}"
        proposed = event == "pull_request"
        known = {
            "CI_PIPELINE_SOURCE": self.sources.get(event, event),
            **({"CI_MERGE_REQUEST_IID": "7"} if proposed else {"CI_COMMIT_BRANCH": branch}),
            "CI_COMMIT_SHA": commit,
            "MLOPSKIT_COMMENT_TOKEN": "not-a-token",
        }
        assert any(self._holds(rule["if"], known) for rule in pipeline["workflow"]["rules"])
        jobs: dict[str, Job] = {}
        for name in pipeline["stages"]:
            job = pipeline[name]
            rules = job.get("rules", [{"if": ""}])
            rule = next((one for one in rules if self._holds(one["if"], known)), None)
            fine = all(jobs[one].result == "success" for one in job.get("needs", []))
            wanted = rule is not None and (fine or rule.get("when") == "always") and name != refuse
            settings = {**pipeline["default"], **job, "variables": pipeline["variables"]}
            jobs[name] = self._job(name, settings, known, branch) if wanted else Job()
        return jobs

    def _job(self, name: str, job: Mapping[str, Any], known: Mapping[str, str], branch: str) -> Job:
        folder = self.clone(name, branch)
        for cache in job["cache"]:
            for path in cache["paths"]:
                if (self.cache / path).exists():
                    shutil.copytree(self.cache / path, folder / path)
        outputs: dict[str, str] = {}
        for needed in (one for one in job.get("needs", []) if (self.artifacts / one).exists()):
            shutil.copytree(self.artifacts / needed, folder, dirs_exist_ok=True)
            outputs |= dict(line.split("=", 1) for line in (self.artifacts / needed / "run.env").read_text().split())
            (folder / "run.env").unlink()
        given = {**known, **outputs, "CI_PROJECT_DIR": str(folder)}
        variables = {key: string.Template(value).substitute(given) for key, value in job["variables"].items()}
        code, said = self.bash("\n".join(job["before_script"]), folder, {**given, **variables}, "-eo", "pipefail")
        begun = time.monotonic()
        if not code:
            code, more = self.bash("\n".join(job["script"]), folder, {**given, **variables}, "-eo", "pipefail")
            said += more
        done = Job(result="failure" if code else "success", said=said, seconds=time.monotonic() - begun)
        for cache in job["cache"]:
            for path in cache["paths"] if not code or cache.get("when") == "always" else []:
                if (folder / path).exists():
                    shutil.copytree(folder / path, self.cache / path, dirs_exist_ok=True)
        if "artifacts" in job:
            self._keep(folder, self.artifacts / name, job["artifacts"])
            done.outputs = dict(line.split("=", 1) for line in (folder / "run.env").read_text().split())
        return done

    def _keep(self, folder: Path, into: Path, artifacts: Mapping[str, Any]) -> None:
        into.mkdir(parents=True)
        for path in [*artifacts["paths"], artifacts["reports"]["dotenv"]]:
            if (folder / path).is_dir():
                shutil.copytree(folder / path, into / path)
            elif (folder / path).exists():
                shutil.copy(folder / path, into / path)

    def _holds(self, condition: str, known: Mapping[str, str]) -> bool:
        words = re.sub(r"\$(\w+)", lambda found: repr(known.get(found[1], "")), condition.replace("&&", " and "))
        return not words or bool(eval(words, {"__builtins__": {}}))


class Azure(System):
    """Runs a pipeline as Azure Pipelines does: stages, conditions, output variables, caches."""

    file = "azure-pipelines.yml"
    command = "curl"
    reasons: ClassVar = {"pull_request": "PullRequest", "workflow_dispatch": "Manual", "schedule": "Schedule"}

    def run(self, event: str, *, branch: str = "main", refuse: str = "") -> dict[str, Job]:
        """Run the pipeline of the branch's head; the environment named by `refuse` is not approved."""
        pipeline, commit = self.begin(branch)
        variables = {
            "Build.Reason": self.reasons.get(event, "IndividualCI"),
            "Build.SourceBranch": "refs/pull/7/merge" if event == "pull_request" else f"refs/heads/{branch}",
            "Build.BuildId": str(self.number),
            "Build.Repository.Provider": "TfsGit",
            "Build.SourceVersion": commit,
            "branch": branch,
        }
        jobs: dict[str, Job] = {}
        for stage in pipeline["stages"]:
            needs = stage.get("dependsOn", [])
            needs = [needs] if isinstance(needs, str) else needs
            fine = all(jobs[one].result == "success" for one in needs)
            (job,) = stage["jobs"]
            wanted = self._holds(stage.get("condition", "succeeded()"), variables, jobs, succeeded=fine)
            if "deployment" in job:
                wanted = wanted and job["environment"] != refuse
                job = {**job, "steps": job["strategy"]["runOnce"]["deploy"]["steps"]}
            jobs[stage["stage"]] = (
                self._job(stage["stage"], job, {**variables, **self._given(pipeline, job, jobs)}, jobs)
                if wanted
                else Job()
            )
        return jobs

    def _given(self, pipeline: Mapping[str, Any], job: Mapping[str, Any], jobs: Mapping[str, Job]) -> dict[str, str]:
        """Return the variables of a pipeline and of a job."""
        found = dict(pipeline["variables"])
        for name, value in job.get("variables", {}).items():
            (stage, output) = re.fullmatch(
                r"\$\[ stageDependencies\.(\w+)\.\w+\.outputs\['([\w.]+)'\] \]", value
            ).groups()  # type: ignore[union-attr]
            found[name] = jobs[stage].outputs.get(output, "")
        return found

    def _job(self, name: str, job: Mapping[str, Any], variables: dict[str, str], jobs: Mapping[str, Job]) -> Job:
        folder = self.clone(name, variables["branch"])
        variables |= {"Build.SourcesDirectory": str(folder), "Pipeline.Workspace": str(folder.parent)}
        done, saved = Job(result="success"), []
        for step in job["steps"]:
            fine = done.result == "success"
            if not self._holds(step.get("condition", "succeeded()"), variables, jobs, succeeded=fine):
                continue
            if step.get("task") == "Cache@2" and step["inputs"]["key"].startswith("mlopskit"):
                inputs = {key: self._text(value, variables) for key, value in step["inputs"].items()}
                saved += self._restored(**inputs)
            if "bash" not in step:
                continue
            begun = time.monotonic()
            env = {key: self._text(value, variables) for key, value in step.get("env", {}).items()}
            env |= {key: self._text(variables[key], variables) for key in ("XDG_STATE_HOME", "PIP_CACHE_DIR")}
            code, said = self.bash(
                step["bash"], folder, {**env, "BUILD_SOURCEVERSION": variables["Build.SourceVersion"]}
            )
            found = re.findall(r"^##vso\[task\.setvariable variable=(\w+);isOutput=true\](.*)$", said, re.MULTILINE)
            done.outputs |= {f"{step['name']}.{key}": value for key, value in found}
            variables |= done.outputs
            done.said += said
            done.result = "failure" if code else done.result
            done.seconds += 0 if step.get("displayName") == "Install" else time.monotonic() - begun
        for source, kept in saved if done.result == "success" else []:
            os.utime(shutil.copytree(source, kept))
        return done

    def _restored(self, *, key: str, restoreKeys: str, path: str) -> list[tuple[Path, Path]]:  # noqa: N803  # Azure's
        """Bring the newest of a cache back; return what is to be saved, and where."""
        kept = [one for one in self.cache.iterdir() if one.name.startswith(restoreKeys)]
        if kept:
            shutil.copytree(max(kept, key=lambda one: one.stat().st_mtime_ns), path)
        return [(Path(path), self.cache / key)]

    def _text(self, value: Any, variables: Mapping[str, str]) -> str:
        return re.sub(r"\$\(([\w.]+)\)", lambda found: variables.get(found[1], found[0]), str(value))

    def _holds(self, condition: str, variables: Mapping[str, str], jobs: Mapping[str, Job], *, succeeded: bool) -> bool:
        words = condition.replace("and(", "all_of(").replace("or(", "any_of(").replace("\n", " ")
        outputs = {f"train.{key}": value for key, value in jobs["train"].outputs.items()} if "train" in jobs else {}
        names = {
            "all_of": lambda *told: all(told),
            "any_of": lambda *told: any(told),
            "eq": lambda left, right: left == right,
            "ne": lambda left, right: left != right,
            "always": lambda: True,
            "succeeded": lambda: succeeded,
            "variables": defaultdict(str, variables),
            "dependencies": SimpleNamespace(train=SimpleNamespace(outputs=defaultdict(str, outputs))),
            "__builtins__": {},
        }
        return bool(eval(words, names))


def prepared(system: str, tmp_path: Path) -> Path:
    """Write the pipeline of a system, push all to a bare repository, and return that; endpoints are outside it."""
    settings = Path("mlopskit.toml")
    settings.write_text(settings.read_text().replace('to = "shares/', f'to = "{tmp_path}/shares/'))
    Path(".gitignore").write_text(".mlopskit/\n")
    done = subprocess.run([BIN / "mlopskit", "ci", system], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(Path.cwd(), "init", "--quiet", "--initial-branch=main")
    git(Path.cwd(), "remote", "add", "origin", str(tmp_path / "remote.git"))
    push("a model")
    return tmp_path / "remote.git"


def push(message: str, *, branch: str = "main") -> None:
    here = Path.cwd()
    git(here, "checkout", "--quiet", "-B", branch)
    git(here, "add", ".")
    git(here, "commit", "--quiet", "--message", message)
    git(here, "push", "--quiet", "origin", branch)


def live(tmp_path: Path, endpoint: str) -> str | None:
    folder = tmp_path / "shares" / endpoint / "mood"
    return mk.load(folder, alias="production").digest if folder.exists() else None


def deployments(tmp_path: Path, endpoint: str) -> int:
    return len([*(tmp_path / "shares" / endpoint / "mood" / "aliases" / "production").iterdir()])


def write_rows(name: str, good: str, bad: str) -> None:
    rows = [f"{word} {n} {name},{mood}\n" for n in range(40) for word, mood in (("good", good), ("bad", bad))]
    Path(f"data/{name}.csv").write_text("text,label\n" + "".join(rows))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("name", "kind"), [("github", GitHub), ("gitlab", GitLab), ("azure-pipelines", Azure)])
def test_a_pipeline_deploys_what_passes_and_nothing_else(
    name: str,
    kind: type[System],
    fresh_project: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    system: Any = kind(prepared(name, tmp_path), tmp_path / name)
    key = "run.digest" if kind is Azure else "DIGEST" if kind is GitLab else "digest"

    first = system.run("push")
    assert first["production"].result == "success", [job.said for job in first.values()]
    digest = first["train"].outputs[key]
    assert live(tmp_path, "validation") == live(tmp_path, "production") == digest

    nothing = system.run("schedule", refuse="production" if kind is GitLab else "")  # there nobody would click
    assert nothing["train"].result == "success"
    assert nothing["production"].result == "skipped"
    assert "Nothing changed" in nothing["train"].said
    took = f"{nothing['train'].seconds:.1f} s"
    record_property(f"figure: a run of {name} in which nothing changed, after install", took)
    assert nothing["train"].seconds < LONGEST_UNCHANGED
    assert deployments(tmp_path, "validation") == deployments(tmp_path, "production") == 1

    write_rows("c", "Up", "Down")
    push("new data")
    waiting = system.run("push", refuse="production")
    assert "new: data data/c.csv" in waiting["train"].said
    second = waiting["train"].outputs[key]
    assert (live(tmp_path, "validation"), live(tmp_path, "production")) == (second, digest)
    system.run("workflow_dispatch")
    assert live(tmp_path, "production") == second != digest

    write_rows("c", "Down", "Up")
    push("somebody swapped the labels", branch="swapped")
    assert system.run("pull_request", branch="swapped")["train"].result == "failure"
    assert "refused" in (system.store / "comment.md").read_text()
    assert "not-a-token" not in "".join(job.said for job in first.values())
    if kind is GitHub:
        assert "pr comment 7 --repo somebody/mood" in (system.store / "called.txt").read_text()
        assert (system.store / "artifact" / "report.html").stat().st_size > 0
        assert system.run("pull_request", branch="swapped", forked=True)["comment"].result == "skipped"

    git(Path.cwd(), "push", "--quiet", "origin", "swapped:main")
    red = system.run("push")
    assert red["train"].result == "failure"
    assert red["train"].outputs[key] not in (digest, second)
    # It stays red, also where nothing changed since.
    assert system.run("schedule")["train"].result == "failure"

    write_rows("c", "Up", "Down")
    Path("model.py").write_text("1 / 0\n")
    push("no model at all", branch="broken")
    git(Path.cwd(), "push", "--quiet", "--force", "origin", "broken:main")
    broken = system.run("push")
    assert broken["train"].result == "failure"
    assert not broken["train"].outputs.get(key)
    assert live(tmp_path, "validation") == live(tmp_path, "production") == second


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_schedule_finds_an_alarm_of_drift_once(fresh_project: Path, tmp_path: Path) -> None:
    settings = Path("mlopskit.toml")
    settings.write_text(settings.read_text().replace("[data]", f'[data]\nincoming = "{tmp_path}/asked/*.csv"'))
    system: Any = GitHub(prepared("github", tmp_path), tmp_path / "github")
    first = system.run("push", refuse="validation")["train"]
    assert first.result == "success", first.said

    asked = tmp_path / "asked"
    asked.mkdir()
    (asked / "monday.csv").write_text("text\n" + f"{'long ' * 30}\n" * 60)
    found = system.run("schedule", refuse="validation")["train"]
    assert "new: drift text" in found.said
    # Nothing new was learned: it is the same package, and the report says what has moved.
    assert (found.result, found.outputs["digest"]) == ("success", first.outputs["digest"])
    report = (system.store / "artifact" / "report.md").read_text()
    assert "Drift of the incoming rows from the training rows: 1 column in alarm" in report

    (asked / "tuesday.csv").write_text("text\n" + f"{'longer ' * 30}\n" * 60)
    quiet = system.run("schedule", refuse="validation")["train"]
    assert "Nothing changed" in quiet.said
    assert quiet.outputs["changed"] == "0"
