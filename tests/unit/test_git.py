from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlopskit import git
from mlopskit.errors import ConfigError, StorageError

WHO = {f"GIT_{role}_{what}": "a@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def call(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **WHO}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "a.csv").write_text("x\n1\n")
    call(folder, "init", "--quiet")
    call(folder, "add", ".")
    call(folder, "commit", "--quiet", "--message", "first")
    return folder


def test_a_commit_and_whether_all_was_committed(repository: Path) -> None:
    head = call(repository, "rev-parse", "HEAD")
    assert git.commit_of(repository) == {"commit": head, "clean": True}
    (repository / ".mlopskit").mkdir()
    (repository / ".mlopskit" / "record.json").touch()
    assert git.commit_of(repository)["clean"] is True
    (repository / "b.csv").touch()
    assert git.commit_of(repository)["clean"] is False
    assert git.commit_of(repository / "model") == {"commit": head, "clean": True}
    (repository / "model" / "a.csv").write_text("x\n2\n")
    assert git.commit_of(repository / "model")["clean"] is False


def test_where_git_knows_nothing_nothing_is_said(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = {"commit": None, "clean": None}
    assert git.commit_of(tmp_path) == nothing
    assert git.commit_of(tmp_path / "absent") == nothing
    # A folder that another repository happens to lie around.
    (repository / "build").mkdir()
    assert git.commit_of(repository / "build") == nothing
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.commit_of(repository) == nothing


def test_a_hook_s_own_variables_do_not_lead_elsewhere(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "absent"))
    assert git.commit_of(repository)["clean"] is True


def test_no_program_of_the_repository_is_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    hook.chmod(0o755)
    call(repository, "config", "core.fsmonitor", str(hook))
    head = git.commit_of(repository)["commit"]
    with git.checked_out(repository, str(head)):
        pass
    assert not (tmp_path / "ran").exists()


def test_a_commit_is_checked_out_beside_and_removed(repository: Path) -> None:
    first = call(repository, "rev-parse", "HEAD")
    (repository / "model" / "a.csv").write_text("x\n2\n")
    call(repository, "commit", "--all", "--quiet", "--message", "second")
    (repository / "model" / "a.csv").write_text("x\n3\n")
    with git.checked_out(repository / "model", first) as folder:
        assert (folder / "a.csv").read_text() == "x\n1\n"
        assert (repository / "model" / "a.csv").read_text() == "x\n3\n"
    assert not folder.exists()
    assert len(call(repository, "worktree", "list").splitlines()) == 1


@pytest.mark.parametrize("commit", ["0" * 40, "HEAD", "--help", "", "None"])
def test_what_is_no_commit_of_it_is_said(repository: Path, tmp_path: Path, commit: str) -> None:
    for folder in (repository, tmp_path):
        with pytest.raises(ConfigError, match="is no git repository that holds it"), git.checked_out(folder, commit):
            pass


def test_what_cannot_be_checked_out_is_said(repository: Path) -> None:
    (repository / ".git" / "worktrees").write_text("a file where a folder must be")
    head = git.commit_of(repository)["commit"]
    with pytest.raises(StorageError, match="could not be checked out: "), git.checked_out(repository, str(head)):
        pass
