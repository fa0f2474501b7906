"""What the page on C shows compiles and answers, in C and from C#."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import STRICT, needs, run

pytestmark = pytest.mark.live
PAGE = Path(__file__).parents[5] / "docs" / "how-to" / "score-in-c.md"
CROSS = "aarch64-linux-gnu-gcc", "arm-linux-gnueabihf-gcc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with all files of the page."""
    folder, text = tmp_path_factory.mktemp("page"), PAGE.read_text("utf-8")
    for title, inside in re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', text, re.MULTILINE | re.DOTALL):
        (folder / title).write_text(inside, "utf-8")
    made = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (folder / "make.py").write_text("\n".join(made), "utf-8")
    run(sys.executable, "make.py", cwd=folder)
    return folder


def test_every_command_of_the_page_runs(folder):
    needs("gcc", "mcs", "mono", *CROSS)
    text = PAGE.read_text("utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)).splitlines()
    said = {command: run("bash", "-c", command, cwd=folder) for command in commands}
    (answered,) = (json.loads(text) for command, text in said.items() if "./predict" in command)
    assert answered["rows"][0]["prediction"] == "yes"
    assert said["./selftest"] == "4 golden rows, 0 mismatches, 0 ties, largest difference 0\n"
    assert said['./score "a good film"'].startswith("yes 0.9")
    assert said['LD_LIBRARY_PATH=. mono film.exe "a bad film" 1'] == "no\n"


def test_the_program_is_right_c_and_refuses_what_is_no_text(folder):
    needs("gcc")
    run("gcc", *STRICT, "-o", "score", "score.c", "film.c", "-lm", cwd=folder)
    done = subprocess.run([folder / "score", b"\xff"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the row has a text that is not UTF-8\n")
