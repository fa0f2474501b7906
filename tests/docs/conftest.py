"""Run the blocks of a page, in their order, in one folder.

- `python` blocks are executed in this process, one namespace a page; a `text` block right behind is what they print.
- `console` blocks are run by bash: each line that begins with `$ ` must end with 0, the last one with what the comment
  `<!-- exits with N -->` above the block says. The lines below a command are what it prints.
- A block with `title="FILE"` is written to that file instead.
- A page with the comment `<!-- begins in a project -->` begins in the folder of a project that was deployed twice.
- A page with the comment `<!-- run by FILE -->` needs more than this, and is run by that test.

Printed lines must stand in the real output, in their order; `…` stands for anything within a line, or for any lines.
`sh` blocks are for what is run elsewhere (make, pip, git): they hold nothing that could be run here.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlopskit as mk

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- exits with (?P<code>\d) -->\n)?^```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_IN_PROJECT = "<!-- begins in a project -->"
_MODEL = """\
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def pipeline(C=1.0):
    return make_pipeline(StandardScaler(), LogisticRegression(C=C))
"""
_CONFIG = """\
name = "tumour"

[data]
uri = "data/*.csv"
target = "label"

[train]
estimator = "model:pipeline"

[train.parameters]
C = 0.1

[evaluate]
gates = ["accuracy >= 0.85"]

[endpoint.production]
target = "fileshare"
to = "shares/production"
"""


@dataclass(frozen=True)
class Block:
    """One block of a page: its kind, text, the file it is to be written to, and how its last command ends."""

    kind: str
    text: str
    title: str
    code: int
    line: int


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a page."""
    return [
        Block(
            kind=found["kind"],
            text=found["text"],
            title=found["title"] or "",
            code=int(found["code"] or 0),
            line=text.count("\n", 0, found.start("kind")) + 1,
        )
        for found in _BLOCK.finditer(text)
    ]


def check_shown(shown: Sequence[str], real: str, where: str) -> None:
    """Check that lines stand in the real output in their order, `…` being anything."""
    lines = iter([" ".join(line.split()) for line in real.splitlines()])
    for line in shown:
        words = " ".join(line.split())
        if words in ("", "…"):
            continue
        pattern = re.compile(".*".join(map(re.escape, words.split("…"))))
        assert any(pattern.fullmatch(one) for one in lines), f"{where} shows {line!r}, printed was:\n{real}"


class Run:
    """One run through a page in a folder."""

    def __init__(self, page: Path, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.page = page
        self.folder = folder
        self.environment = environment or {}
        self.names: dict[str, object] = {"__name__": "page"}

    def all(self) -> None:
        """Run every block."""
        printed = ""
        for block in blocks_of(self.page.read_text("utf-8")):
            where = f"{self.page.relative_to(ROOT)}, line {block.line}"
            if block.title:
                file = self.folder / block.title
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text, "utf-8")
            elif block.kind == "python":
                printed = self._python(block, where)
                continue
            elif block.kind == "console":
                self._console(block, where)
            elif block.kind == "text" and printed:
                check_shown(block.text.splitlines(), printed, where)
                printed = ""
            assert not printed.strip(), f"{where}: the block above prints what the page does not show:\n{printed}"

    def _python(self, block: Block, where: str) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.chdir(self.folder):
            exec(compile(block.text, where, "exec"), self.names)
        return printed.getvalue()

    def _console(self, block: Block, where: str) -> None:
        commands = [part.split("\n", 1) for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if part]
        assert commands, f"{where} has no command"
        for number, (command, *shown) in enumerate(commands, 1):
            done = subprocess.run(
                ["bash", "-euc", command],
                cwd=self.folder,
                env={**_environment(self.folder), **self.environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            expected = block.code if number == len(commands) else 0
            assert done.returncode == expected, f"{where}: {command!r} ends with {done.returncode}:\n{done.stdout}"
            check_shown("".join(shown).splitlines(), done.stdout, where)


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("COVERAGE_PROCESS_CONFIG", "XDG_STATE_HOME") if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "HOME": str(folder), "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}


def _write_data(folder: Path) -> None:
    """Write the data that most pages begin with: three columns of the samples bundled with scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bundled = load_breast_cancer()
    columns = [list(bundled.feature_names).index(f"mean {name}") for name in ("radius", "texture", "concavity")]
    (folder / "data").mkdir(parents=True)
    with (folder / "data" / "samples.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["radius", "texture", "concavity", "label"])
        for row, label in zip(bundled.data, bundled.target, strict=True):
            writer.writerow([*row[columns], bundled.target_names[label]])


@pytest.fixture
def write_data() -> Callable[[Path], None]:
    """Return what writes the data into a folder."""
    return _write_data


def _deployed_twice(folder: Path) -> None:
    _write_data(folder)
    (folder / "model.py").write_text(_MODEL, "utf-8")
    for parameter in ("C = 0.1", "C = 0.05"):
        (folder / "mlopskit.toml").write_text(_CONFIG.replace("C = 0.1", parameter), "utf-8")
        made = mk.Project(folder / "mlopskit.toml")
        assert made.run().outcome == "passed"
        made.deploy("production")


@pytest.fixture(scope="session")
def project(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Return the folder of a project whose model was deployed twice; it is copied, never changed."""
    return once("project-of-pages", _deployed_twice)


@pytest.fixture
def run_page(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Path], None]]:
    """Return what runs a page."""
    folder = tmp_path / "page"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before = set(sys.modules)

    def run(page: Path, *, prepare: Callable[[Path], None] | None = None) -> None:
        if _IN_PROJECT in page.read_text("utf-8"):
            shutil.copytree(request.getfixturevalue("project"), folder)
        else:
            folder.mkdir()
        if prepare:
            prepare(folder)
        Run(page, folder).all()

    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
