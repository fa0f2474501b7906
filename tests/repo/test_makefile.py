from __future__ import annotations

import re
import subprocess


def _rules(text: str) -> set[str]:
    """Return the targets that a person may ask for: those that are no files."""
    return set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


def test_help_names_every_target(root):
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=root, capture_output=True, check=True, text=True
    )
    listed = {line.split()[0] for line in said.stdout.splitlines()}
    makefile = (root / "Makefile").read_text("utf-8")
    assert listed == _rules(makefile)
    assert listed == set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())


def test_every_target_that_is_written_about_is_there(root, files):
    rules = _rules((root / "Makefile").read_text("utf-8"))
    pages = [file for file in files if file.suffix == ".md" or file.name == "run"]
    named = {
        name for page in pages for name in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "check"} <= named <= rules
