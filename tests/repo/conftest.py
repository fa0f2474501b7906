from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def sources() -> Mapping[Path, ast.Module]:
    """Return every module of the core and of the plugins, parsed."""
    files = [*(ROOT / "src").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    return {file: ast.parse(file.read_text("utf-8")) for file in sorted(files)}


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Return every file that is, or is about to be, part of the repository."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


class Page:
    """A page of the documentation: its text, and the text below each heading."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text("utf-8")
        parts = re.split(r"^#+ +(.*)$", self.text, flags=re.MULTILINE)
        self.sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    def rows(self, heading: str) -> dict[str, list[str]]:
        """Return the rows of the tables below a heading, by the words in backticks of their first cells."""
        lines = [line for line in self.sections[heading].splitlines() if line.startswith("| `")]
        cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        return {row[0].strip("`"): row[1:] for row in cells}


@pytest.fixture(scope="session")
def page() -> type[Page]:
    """Return what reads a page of the documentation."""
    return Page
