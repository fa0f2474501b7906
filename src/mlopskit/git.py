"""What git says of a folder, and a commit checked out beside it. The git command is asked; it may be absent."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlopskit.errors import ConfigError, StorageError

_PATIENCE = 10  # seconds; in a repository that takes longer, nothing is said of it
_CHECKING_OUT = 600
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# A hook of git sets these for another folder than ours.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
# Nothing that stands in a repository's settings is run for a question.
_QUIET = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")


def commit_of(folder: Path, /) -> dict[str, str | bool | None]:
    """Return the commit that a folder is at, and whether all in it, `.mlopskit` aside, is as that commit has it.

    Both are None where there is no git, no repository, or the commit does not hold this folder.
    """
    head = _asked(folder, "rev-parse", "HEAD", "HEAD:./")
    if head is None:
        return {"commit": None, "clean": None}
    status = _asked(folder, "status", "--porcelain", "--", ".", ":(exclude).mlopskit")
    return {"commit": head.split()[0], "clean": None if status is None else not status}


@contextmanager
def checked_out(folder: Path, commit: str, /) -> Iterator[Path]:
    """Give what the folder was at a commit, in a temporary worktree that is removed again.

    Raises:
        ConfigError: this repository does not hold that commit, or it does not hold the folder.
        StorageError: it could not be checked out.
    """
    prefix = _asked(folder, "rev-parse", "--show-prefix")
    if prefix is None or not _COMMIT.fullmatch(commit) or _asked(folder, "rev-parse", f"{commit}:./") is None:
        raise ConfigError(
            f"The folder {str(folder)!r} is no git repository that holds it at the commit {ascii(commit)}.",
            remedy="Run this in a clone of the project's repository, after: git fetch --unshallow",
            commit=commit,
        )
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        tree = Path(temporary).resolve() / "tree"
        done = _git(folder, "worktree", "add", "--quiet", "--detach", str(tree), commit, patience=_CHECKING_OUT)
        if done.returncode:
            raise StorageError(
                f"The commit {commit} could not be checked out: {done.stderr.strip()}",
                remedy="Mend what git says, then run the same command again.",
                commit=commit,
            )
        try:
            yield tree / prefix.removesuffix("\n")
        finally:
            _git(folder, "worktree", "remove", "--force", str(tree), patience=_CHECKING_OUT)


def _asked(folder: Path, *arguments: str) -> str | None:
    try:
        done = _git(folder, *arguments, patience=_PATIENCE)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout


def _git(folder: Path, *arguments: str, patience: float) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return subprocess.run(
        ["git", "-C", str(folder), *_QUIET, *arguments],  # noqa: S607 - git is whatever the user's PATH says
        env={**environment, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=patience,
        check=False,
    )
