"""Watch: look at a project again and again, and run when something changed and has settled."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlopskit.errors import ConfigError, MlopskitError
from mlopskit.log import logger
from mlopskit.project import Project
from mlopskit.records import Run

LOCK = ".mlopskit/watch.lock"
_log = logger("mlopskit.watch")


@dataclass(kw_only=True)
class Watch:
    """Looks at a project every so many seconds; what is still being written is left alone until the next look.

    Settled is what two looks found alike. What a run failed on is not tried again before something changes.
    """

    file: Path
    every: float
    wait: Callable[[float], object] = time.sleep
    run: Callable[[Project], Run] = Project.run
    _seen: Mapping[str, str] = field(default_factory=dict, init=False)
    _tried: Mapping[str, str] = field(default_factory=dict, init=False)

    def runs(self) -> Iterator[Run]:
        """Yield each run that ended, for ever; of what fails, the log tells, and the next look follows.

        Raises:
            ConfigError: another process watches this project.
        """
        with _alone(self.file.absolute().parent):
            while True:
                run = self._look_and_tell()
                if run is not None:
                    yield run
                self.wait(self.every)

    def once(self) -> Run | None:
        """Look until what changed has settled, and run; None if nothing changed.

        Raises:
            ConfigError: another process watches this project.
            MlopskitError: a look or the run failed.
        """
        with _alone(self.file.absolute().parent):
            while True:
                project = Project(self.file)
                if not project.changed():
                    return None
                if self._settled(project):
                    return self.run(project)
                self.wait(self.every)

    def _look_and_tell(self) -> Run | None:
        try:
            project = Project(self.file)
            changed = project.changed()
            # Also what did not change is looked at: it has settled when something else does.
            if self._settled(project) and changed and self._seen != self._tried:
                return self._run_and_tell(project, changed)
        except MlopskitError as error:
            _log.error("%s %s", error.message, error.remedy)
        return None

    def _run_and_tell(self, project: Project, changed: Sequence[str]) -> Run | None:
        _log.info("Running: %s", ", ".join(changed))
        self._tried = self._seen
        try:
            run = self.run(project)
        except Exception as error:
            # The run imported the code: from now on it is looked at, too.
            code = {key: sha for key, sha in project.fingerprint().items() if key.startswith("code ")}
            self._tried = {**code, **self._seen}
            text = f"{error.message} {error.remedy}" if isinstance(error, MlopskitError) else repr(error)
            _log.error("The run failed: %s", text)
            return None
        _log.info("Run %s %s: %s %s", run.id, run.outcome, run.name, run.digest)
        return run

    def _settled(self, project: Project) -> bool:
        before, self._seen = self._seen, project.fingerprint()
        return before == self._seen


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the project's lock; the system lets it go when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: there two watchers are not kept apart
        yield
        return
    lock = root / LOCK
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"Another process watches the project in {str(root)!r}.", remedy="Let it, or end it first."
            ) from error
        yield
