from __future__ import annotations

import ast
import doctest
import importlib
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from mlopskit import errors

LONGEST_FUNCTION = 40
LONGEST_MODULE = 320


def _names(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def test_every_error_says_what_to_do(root, sources):
    silent = [
        f"{file.relative_to(root)}:{node.lineno}"
        for file, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _names(node.func) in errors.__all__
        if "remedy" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not silent


def test_functions_are_short(root, sources):
    functions = [
        (file, node)
        for file, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [
        f"{file.relative_to(root)}:{node.lineno} {node.name}: {length} lines"
        for file, node in functions
        if (length := _length(node)) > LONGEST_FUNCTION
    ]
    assert not long


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the number of a function's lines without its docstring."""
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = int(first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return int(node.end_lineno or 0) - node.lineno + 1 - docstring


def test_modules_are_short(root, sources):
    lengths = {file.relative_to(root).as_posix(): len(file.read_text("utf-8").splitlines()) for file in sources}
    assert {file: length for file, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_the_examples_in_docstrings_are_true(root):
    package = root / "src/mlopskit"
    examples = 0
    for file in sorted(package.rglob("*.py")):
        if ">>> " in file.read_text("utf-8"):
            name = ".".join(["mlopskit", *file.relative_to(package).with_suffix("").parts])
            found = doctest.testmod(importlib.import_module(name))
            assert not found.failed, name
            examples += found.attempted
    assert examples


def test_imports_go_in_one_direction(root):
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=root, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _exceptions(source: str) -> list[tuple[str, bool]]:
    """Return the comments that switch rules off, each with whether a reason stands behind or above it."""
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    lines = source.splitlines()
    return [
        (
            text,
            bool(re.search(r"noqa: [A-Z0-9, ]*\w +(?:#|--?) +\S", text)) or lines[line - 2].lstrip().startswith("# "),
        )
        for line, text in comments.items()
        if "noqa" in text
    ]


def test_every_exception_from_a_rule_has_its_reason(root, sources):
    unexplained = []
    for file in sources:
        exceptions = _exceptions(file.read_text("utf-8"))
        # What a file has explained once needs no word the next time.
        explained = [text.partition("  #")[0] for text, reason in exceptions if reason]
        unexplained += [
            f"{file.relative_to(root)}: {text}" for text, reason in exceptions if not reason and text not in explained
        ]
    assert not unexplained


def test_every_rule_that_is_off_has_its_reason(root):
    text = (root / "pyproject.toml").read_text("utf-8")
    lint = text.partition("[tool.ruff.lint]")[2].partition("[tool.ruff.lint.pydocstyle]")[0]
    rules = [line for line in lint.splitlines() if re.search(r'"[A-Z]+[0-9]*"', line) and "select" not in line]
    assert len(rules) > 1
    assert not [line for line in rules if not re.search(r"  # \S", line)]


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"])
def test_nothing_is_left_to_do(word, root, files):
    found = [file.relative_to(root).as_posix() for file in files if re.search(rf"\b{word}\b", _text(file))]
    assert not found


def test_no_index_and_no_path_of_a_machine_is_written_down(root, files):
    # Split, so that this file does not hold what it looks for.
    patterns = [
        r"https?://(?!127\.0\.0\.1|localhost)\S*/sim" + "ple",
        "pypi" + r"\.org",
        "python" + "hosted",
        r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w|Us" + r"ers)\b",
    ]
    found = [
        f"{file.relative_to(root)}: {match[0]}"
        for file in files
        for pattern in patterns
        if (match := re.search(pattern, _text(file)))
    ]
    assert not found


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")
