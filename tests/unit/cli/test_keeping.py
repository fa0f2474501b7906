"""The commands that keep a registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk

Fill = Callable[..., list[str]]


@pytest.fixture
def here(tmp_path: Path, fill: Fill, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Begin in a folder without a project, where a registry is; return the digests of its packages."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return fill(mk.Registry.at(), 1, 2)


def files_of(digest: str, place: str = ".mlopskit/registry") -> Path:
    return Path(place, "mood/packages", digest.removeprefix("sha256:"))


def test_verify_names_what_is_wrong_and_mends_it(cli: Any, here: list[str]) -> None:
    said = cli("verify")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Checked 2 packages, 2 records in ")
    shutil.copytree(".mlopskit/registry", "backup")
    (files_of(here[0]) / "model.skops").write_bytes(b"another")
    said = cli("verify")
    assert (said.code, said.err) == (1, "")
    assert "model.skops" in said.out
    as_json = cli("verify", "--json")
    assert (as_json.code, as_json.json["sound"]) == (1, False)
    assert cli("verify", "--registry", "backup").code == 0
    assert cli("verify", "--repair-from", "backup").code == 0
    assert cli("verify", "--json").json["damages"] == []


def test_verify_needs_to_know_what_is_meant(refused: Any, here: list[str], tmp_path: Path) -> None:
    assert "There is no mlopskit.toml" in refused(2, "verify", "production")
    for option in ("--registry", "--model", "--repair-from"):
        assert "'production'" in refused(2, "verify", "production", option, "x")
    assert "is not allowed" in refused(2, "verify", "--model", "../x")
    assert "there is no" in refused(2, "verify", "--registry", "nowhere://x").lower()
    assert "holds nothing" in refused(2, "verify", "--registry", "nowhere")
    assert "holds nothing" in refused(2, "copy", "--all", "--to", "other", "--registry", "nowhere")
    assert "There is no model 'weather'" in refused(2, "verify", "--model", "weather")
    assert "There is no other.toml" in refused(2, "--project", str(tmp_path / "other.toml"), "verify")


def test_copy_sends_what_is_not_there_yet(cli: Any, refused: Any, here: list[str]) -> None:
    said = cli("copy", here[0][:19], "--to", "other")
    assert (said.code, said.err) == (0, "")
    assert "Sent 1 of 1 packages (" in said.out
    as_json = cli("copy", "--all", "--to", "other", "--json").json
    assert {one["digest"]: one["sent"] for one in as_json["packages"]} == {here[0]: False, here[1]: True}
    assert cli("verify", "--registry", "other").code == 0
    assert "--all" in refused(2, "copy", "--to", "other")
    assert "--all" in refused(2, "copy", here[0], "--all", "--to", "other")
    assert "holds no package" in refused(2, "copy", "sha256:" + "0" * 64, "--to", "other")
    assert "Missing option '--to'" in refused(2, "copy", here[0])


def test_gc_marks_first_and_removes_then(cli: Any, refused: Any, here: list[str]) -> None:
    assert "Would remove 2 (" in cli("gc", "--dry-run", "--older-than", "0s").out
    first = cli("gc")
    assert (first.code, first.err) == (0, "")
    assert "Removed 0 (0 bytes) from" in first.out
    assert "2 wait for the grace time to pass" in first.out
    assert {one["state"] for one in cli("gc", "--json").json["garbage"]} == {"waiting"}
    assert files_of(here[0]).is_dir()
    assert "Removed 2 (" in cli("gc", "--older-than", "0s", "--keep", "1").out
    assert not files_of(here[0]).exists()
    assert cli("verify").code == 0
    for wrong in ("7", "d", "-1d", "1w", "1.5d", ""):
        assert "is no time" in refused(2, "gc", f"--older-than={wrong}")
    assert "0 is not in the range" in refused(2, "gc", "--keep", "0")
