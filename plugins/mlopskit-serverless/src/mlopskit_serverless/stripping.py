"""What of the wheels of an engine no function needs: a list, with the reason beside each.

The core leaves out scripts, headers, what only compilers read, and folders `tests`, of all wheels. What is said here
goes further, for engines that are known: a zip that was stripped so answers all golden rows before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple


class Rule(NamedTuple):
    """Files that are left out, by a pattern of their paths (`*` also takes `/`), and why nothing needs them."""

    pattern: str
    reason: str


_EXTENSION = "only the tests of NumPy import it"
_TOOLS = "makes or changes models; nothing that answers imports it"
_OF_TOOLS = "onnxruntime imports it in its tools alone"
_EXAMPLES = "example data"
_OF_CARDS = "skops imports it for tables of model cards alone"
_OF_SCIPY = "only the tests of SciPy import it"
ALWAYS = (
    Rule("*.pyi", "only type checkers read it"),
    Rule("numpy/distutils/*", "builds packages"),
    Rule("numpy/_pyinstaller/*", "for a tool that makes programs"),
    *(Rule(f"numpy/_core/_{name}.*", _EXTENSION) for name in ("multiarray_tests", "operand_flag_tests")),
    *(Rule(f"numpy/_core/_{name}.*", _EXTENSION) for name in ("rational_tests", "struct_ufunc_tests", "umath_tests")),
    Rule("numpy/_core/_simd.*", _EXTENSION),
)
BY_FORMAT: Mapping[str, tuple[Rule, ...]] = {
    "onnx": (
        Rule("onnxruntime/capi/libonnxruntime.so*", "for programs in C; Python's module has all of it inside"),
        Rule("numpy/f2py/*", "compiles Fortran"),
        Rule("numpy/testing/*", "only tests import it"),
        *(Rule(f"onnxruntime/{name}/*", _TOOLS) for name in ("quantization", "tools", "transformers")),
        Rule("onnxruntime/backend/*", "imports onnx, which is not there"),
        Rule("onnxruntime/datasets/*", _EXAMPLES),
        *(Rule(f"{name}/*", _OF_TOOLS) for name in ("flatbuffers", "google", "mpmath", "packaging", "sympy")),
        *(Rule(f"{name}-*.dist-info/*", _OF_TOOLS) for name in ("flatbuffers", "packaging", "protobuf", "sympy")),
        *(Rule(f"{name}*/*", _OF_TOOLS) for name in ("coloredlogs", "humanfriendly", "mpmath-")),
    ),
    "skops": (
        Rule("joblib/test/*", "the tests of joblib"),
        *(Rule(f"sklearn/datasets/{name}/*", _EXAMPLES) for name in ("data", "descr", "images")),
        *(Rule(f"{name}/*", _OF_CARDS) for name in ("prettytable", "wcwidth")),
        *(Rule(f"{name}-*.dist-info/*", _OF_CARDS) for name in ("prettytable", "wcwidth")),
        *(Rule(f"scipy/*/_{name}.cpython-*", _OF_SCIPY) for name in ("test_*", "ctest", "cytest")),
        Rule("scipy/io/_fast_matrix_market/_fmm_core.*", "reads and writes files of one kind"),
        Rule("scipy/stats/_sobol_direction_numbers.npz", "only Sobol's sequences read it"),
    ),
}


def rules_for(format: str, /) -> tuple[Rule, ...]:
    """Return the rules for the wheels of a form's engine."""
    return (*ALWAYS, *BY_FORMAT.get(format, ()))


def rule_of(path: str, rules: tuple[Rule, ...], /) -> Rule | None:
    """Return the first rule that leaves a file of unpacked wheels out, None if it stays."""
    return next((rule for rule in rules if fnmatchcase(path, rule.pattern)), None)


def strip(folder: Path, format: str, /) -> dict[Rule, int]:
    """Remove what no function needs of wheels unpacked in a folder; return how many bytes by each rule that met."""
    rules, removed = rules_for(format), dict[Rule, int]()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        rule = rule_of(file.relative_to(folder).as_posix(), rules)
        if rule is not None:
            removed[rule] = removed.get(rule, 0) + file.stat().st_size
            file.unlink()
    for one in sorted(folder.rglob("*/"), reverse=True):
        if one.is_dir() and not any(one.iterdir()):
            one.rmdir()  # an empty folder could be imported, and a zip has none
    return removed
