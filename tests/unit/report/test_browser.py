"""The page in a real browser: light, dark and on a phone; nothing runs, nothing is asked for, anybody can read it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlopskit.report import Report, html

BROWSER = Path(__file__).parents[2] / "browser"
pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def chromium() -> str:
    """Return the path of Chromium, where it and what drives it are installed."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    lacking = [
        what
        for what, there in {
            "chromium": found,
            "node": shutil.which("node"),
            "npm ci --prefix tests/browser": (BROWSER / "node_modules").is_dir(),
        }.items()
        if not there
    ]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"
    return str(found)


def look(chromium: str, page: str, folder: Path) -> dict[str, Any]:
    """Open a page in each of its forms, and return what it did."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    done = subprocess.run(
        ["node", str(BROWSER / "look.mjs"), chromium, str(file), str(folder / "report.png")],  # from PATH
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


CLEAN = {"requests": [], "console": [], "errors": [], "dialogs": 0, "violations": [], "overflows": [], "scripts": 0}


def test_a_report_is_clean(chromium: str, report: Report, tmp_path: Path) -> None:
    found = look(chromium, html(report), tmp_path)
    assert found.pop("nodes") > 100
    assert found == {**CLEAN, "title": "mood: passed", "ran": None}
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_a_hostile_report_runs_nothing_and_requests_nothing(
    chromium: str, hostile: Report, harmless: Report, tmp_path: Path
) -> None:
    found = look(chromium, html(hostile), tmp_path)
    assert found == {**CLEAN, "title": "mood: refused", "ran": None, "nodes": found["nodes"]}
    assert found["nodes"] == look(chromium, html(harmless), tmp_path)["nodes"]


def test_the_look_sees_what_it_is_for(chromium: str, report: Report, tmp_path: Path) -> None:
    bad = html(report).replace(
        "<main>", '<main><img src="https://example.invalid/x.png"><script>window.ran = 1</script>'
    )
    bad = bad.replace("default-src 'none'", "default-src * 'unsafe-inline'")
    found = look(chromium, bad, tmp_path)
    assert found["ran"] == 1
    assert set(found["requests"]) == {"https://example.invalid/x.png"}
    assert any("image-alt" in one for one in found["violations"])
