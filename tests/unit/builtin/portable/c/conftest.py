from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mlopskit.builtin.portable.c import c_selftest, c_source

VECTORS = Path(__file__).parents[4] / "vectors" / "portable"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
CAREFUL = [*STRICT, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def needs(*programs):
    """Skip a test where these are not installed; fail where they must be."""
    lacking = [name for name in programs if not shutil.which(name)]
    if lacking and not os.environ.get("MLOPSKIT_REQUIRE_SERVICES"):
        pytest.skip(f"not installed: {', '.join(lacking)}")
    assert not lacking, f"not installed: {', '.join(lacking)}"


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, check=False, **options)
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.decode()


def is_utf8(cell):
    return not (isinstance(cell, str) and any("\ud800" <= sign <= "\udfff" for sign in cell))


class Program:
    """Models and programs in C, brought together in a folder and compiled at once."""

    def __init__(self, folder):
        self.folder, self.names = folder, []

    def model(self, document, name):
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        for file, text in c_source(data, name=name).items():
            (self.folder / file).write_text(text, "ascii")
        return data

    def selftest(self, name, document, golden, tolerance):
        """Add a model with rows that it is asked for; many of them may stand in one program."""
        text = c_selftest(self.model(document, name), golden, tolerance=tolerance, name=name)
        self.file(f"{name}_rows.c", f"#define main {name}_main\n{text}")
        self.names.append(name)

    def vector(self, path):
        """Add a file of tests/vectors/portable."""
        vector = json.loads(path.read_text("ascii"))
        name = f"m_{path.stem.replace('-', '_')}"
        self.asked(name, vector["document"], vector["rows"], vector["expected"], vector["tolerance"])

    def asked(self, name, document, rows, expected, tolerance):
        """Add a model and rows with their answers; what is no UTF-8 is refused, what is no double is left out."""
        names = [[one["name"] for one in document[key]] for key in ("inputs", "outputs")]
        golden = [
            (dict(zip(names[0], row, strict=True)), answer and dict(zip(names[1], answer, strict=True)))
            for row, given in zip(rows, expected, strict=True)
            for answer in [given if all(map(is_utf8, row)) else None]
            if not any(isinstance(cell, int) and abs(cell) >= 2**1024 for cell in row)
        ]
        self.selftest(name, document, golden, tolerance)

    def file(self, name, text):
        (self.folder / name).write_text(text, "ascii")

    def compiled(self, *options, compiler="gcc", program="all"):
        if self.names:
            declared = "".join(f"int {name}_main(void);\n" for name in self.names)
            calls = "".join(f'    puts("{name}");\n    wrong += {name}_main();\n' for name in self.names)
            self.file(
                "all.c", f"#include <stdio.h>\n{declared}int main(void)\n{{\nint wrong = 0;\n{calls}return wrong;\n}}\n"
            )
        files = sorted(path.name for path in self.folder.glob("*.c"))
        run(compiler, *options, "-o", program, *files, "-lm", cwd=self.folder)
        return self.folder / program


@pytest.fixture
def program(tmp_path):
    """Return what models in C are added to, compiled together, and run."""
    return Program(tmp_path)
