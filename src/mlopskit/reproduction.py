"""Reproduce: make a package again of the commit that it was made of, in its environment, and compare."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit import config, environment, git
from mlopskit.assembly import pipeline_of
from mlopskit.errors import ConfigError, TrainingError
from mlopskit.log import one_line
from mlopskit.modelpackage import ModelPackage
from mlopskit.pipeline import Pipeline, changes
from mlopskit.records import Run
from mlopskit.registry import Registry
from mlopskit.steps import Progress, quiet

_DATA = "data "
_SHOWN = 5
_CHILD = """
import sys, pathlib, mlopskit
from mlopskit.reproduction import remake
remake(pathlib.Path(sys.argv[1]), mlopskit.Registry.at(sys.argv[2]))
"""


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of making a package again.

    `digest` is what it was, `made` what it is now. `inputs` is what the commit has otherwise than the run took it;
    `environment` what was installed otherwise for it, and `restored` what was not, though it is here; `files` are those
    of the package that differ, in the order they are made.
    """

    digest: str
    made: str
    run: str
    commit: str
    clean: bool | None
    inputs: tuple[str, ...]
    environment: tuple[str, ...]
    files: tuple[str, ...]
    restored: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether the package is the same, byte for byte."""
        return self.digest == self.made

    def text(self) -> str:
        """Return it for a person: the outcome, the first file that differs, and which input explains it."""
        lines = [f"The same: run {self.run}, commit {self.commit[:12]} gives {self.digest} again."]
        if not self.same:
            more = f", and {len(self.files) - 1} more" if self.files[1:] else ""
            lines = [
                f"Not the same: run {self.run} made {self.digest}, commit {self.commit[:12]} gives {self.made}.",
                f"First file that differs: {self.files[0]}{more}.",
                *([] if self.inputs or self.environment else ["No input differs: the training is left to chance."]),
            ]
        lines += [f"Input {text}" for text in self.inputs]
        lines += [f"Installed {text}" for text in self.environment]
        lines += [f"Restored {text}" for text in self.restored[:_SHOWN]]
        if self.restored[_SHOWN:]:
            lines.append(f"Restored {len(self.restored) - _SHOWN} more")
        if self.clean is False:
            lines.append("When the run began, not all was committed.")
        return "\n".join(map(one_line, lines))

    def as_table(self) -> dict[str, Any]:
        """Return it as a plain table."""
        lists = {name: list(getattr(self, name)) for name in ("inputs", "environment", "files", "restored")}
        return {**vars(self), **lists, "same": self.same}


def reproduce(
    file: Path, package: ModelPackage, runs: Sequence[Run], /, *, here: bool = False, progress: Progress = quiet
) -> Reproduction:
    """Make a package again of the commit of the run that made it; nothing is registered, nothing here is changed.

    `file` is the project's mlopskit.toml. Data that no commit holds are those that lie in the project's folder now.
    Where other versions are installed than that run imported, it is made in a temporary environment with those, unless
    it shall be made `here` as it is.

    Raises:
        ConfigError: no run is known to have made it of a commit, this repository has no such commit, or the run had
            another Python.
        StorageError: the environment cannot be restored.
        TrainingError: it cannot be made in that.
    """
    run = _made_by(package, runs)
    then = package.manifest["environment"]
    differing = environment.differing({**then["packages"], **run.installed})
    if not here:
        _check_python(then)
    # What an earlier release recorded does not say what to restore.
    restoring = bool(differing and run.installed) and not here
    progress("check out")
    with git.checked_out(file.parent, str(run.commit)) as folder, tempfile.TemporaryDirectory() as temporary:
        _link_data(run, file.parent, folder)
        there, place = folder / file.name, Path(temporary, "registry")
        registry = Registry.at(place)
        inputs = _changed(run.fingerprint, _pipeline(there, registry, progress).fingerprint(run))
        if restoring:
            progress("restore the environment")
            python = environment.restore(run.installed, Path(temporary, "then"))
            progress("run in it")
            _remake_by(python, there, place)
        else:
            remake(there, registry, progress=progress)
        name = config.read(there).name
        digest = str(registry.runs(name)[-1].digest)
        manifest = registry.manifest(name, digest)
    return Reproduction(
        digest=package.digest,
        made=digest,
        run=run.id,
        commit=str(run.commit),
        clean=run.clean,
        inputs=tuple(inputs),
        environment=tuple(_environment(then, {} if restoring else differing)),
        files=tuple(_files(package.manifest, manifest) if digest != package.digest else ()),
        restored=tuple(f"{name} {was}, here {now_is}" for name, (was, now_is) in differing.items() if restoring),
    )


def remake(file: Path, registry: Registry, /, *, progress: Progress = quiet) -> None:
    """Run a project's pipeline into a registry of its own; gates judge a package, and are no part of it."""
    dataclasses.replace(_pipeline(file, registry, progress), gates=()).run(force=True)


def _pipeline(file: Path, registry: Registry, progress: Progress) -> Pipeline:
    return pipeline_of(config.read(file), file.parent, registry, progress)


def _remake_by(python: Path, file: Path, place: Path) -> None:
    """Let the Python of a restored environment do the same; what it trains with is there alone."""
    done = subprocess.run(
        [python, "-I", "-c", _CHILD, file, place],
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise TrainingError(
            f"In the recorded environment it cannot be made again: {lines[-1] if lines else 'it said nothing.'}",
            remedy="Mend that, or make it here as it is: mlopskit reproduce --here",
        )


def _check_python(then: Mapping[str, Any]) -> None:
    was, now_is = (
        f"{implementation} {'.'.join(str(version).split('.')[:2])}"
        for implementation, version in (
            (then.get("implementation"), then.get("python")),
            (platform.python_implementation(), platform.python_version()),
        )
    )
    if was != now_is:
        raise ConfigError(
            f"The package was made by {was}, and this is {now_is}.",
            remedy=f"Run the same with mlopskit in {was}, or make it here as it is: mlopskit reproduce --here",
            python=was,
        )


def _made_by(package: ModelPackage, runs: Sequence[Run]) -> Run:
    """Return the run that made a package, of several the newest whose commit was clean, or else has one."""
    made = [run for run in runs if run.digest == package.digest and run.commit]
    if not made:
        raise ConfigError(
            f"No run is known that made {package.digest} of a git commit.",
            remedy="Commit the project, then make it there: mlopskit run --force",
            digest=package.digest,
        )
    return max(made, key=lambda run: (run.clean is True, int(run.id)))


def _link_data(run: Run, here: Path, there: Path) -> None:
    """Let data that no commit holds be found where the run found them."""
    temporary = there.resolve()
    for path in (key.removeprefix(_DATA) for key in run.fingerprint if key.startswith(_DATA)):
        kept, wanted = here / path, there / path
        # A link in the tree may lead out of it: nothing is written there.
        inside = wanted.parent.resolve().is_relative_to(temporary)
        if inside and kept.is_file() and not wanted.exists():
            wanted.parent.mkdir(parents=True, exist_ok=True)
            wanted.symlink_to(kept.absolute())


def _changed(before: Mapping[str, str], now_is: Mapping[str, str]) -> list[str]:
    """Return which inputs differ; data outside the project are the same by their digest, whatever their path."""
    same = {sha for key, sha in before.items() if key.startswith(f"{_DATA}..")} & {*now_is.values()}
    left, right = (
        {key: sha for key, sha in one.items() if key != "environment" and sha not in same} for one in (before, now_is)
    )
    return changes(left, right)


def _environment(recorded: Mapping[str, Any], differing: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return what is otherwise than when the package was made: the engines, and the distributions that differ."""
    installed = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        "mlopskit": metadata.version("mlopskit"),
    }
    found = {name: (recorded.get(name), value) for name, value in installed.items()}
    found |= differing
    return [f"{name} {now_is}, it was {before}" for name, (before, now_is) in found.items() if before != now_is]


def _files(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the files that differ: code and models first, of which the others are made."""
    old, new = before["files"], after["files"]
    differing = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    ordered = sorted(differing, key=lambda path: (not path.startswith("code/"), not path.startswith("model"), path))
    return [*ordered, "manifest.json"]
