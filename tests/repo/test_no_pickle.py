"""Nothing that mlopskit ships can run code from the bytes of a model: it imports no module that would."""

import ast

RUNS_CODE = {"pickle", "_pickle", "joblib", "dill", "cloudpickle", "marshal", "shelve"}
# The conformance kit hands its own sample models to its own processes, and compares them before and after.
KIT = {
    "src/mlopskit/testing/apart.py",
    "src/mlopskit/testing/formats.py",
    "src/mlopskit/testing/templates/apart_child.py",
}
# It writes compiled sources into a zip, by the one half of the module that only writes.
WRITES = {"plugins/mlopskit-serverless/src/mlopskit_serverless/bytecode.py": {"marshal", "marshal.dumps"}}


def imported(module):
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__"):
                yield str(node.args[0].value)


def loaders(module):
    return {name for name in imported(module) if RUNS_CODE & set(name.split("."))}


def test_no_module_imports_a_loader_that_runs_code(sources, root):
    found = {file.relative_to(root).as_posix(): loaders(module) for file, module in sources.items()}
    assert len(found) > 20
    assert {file: names for file, names in found.items() if names and file not in KIT} == WRITES


def test_a_module_that_did_would_be_found():
    for text in (
        "import pickle",
        "from joblib import load",
        "import os, dill.temp",
        "from sklearn.utils import joblib",
    ):
        assert loaders(ast.parse(text))
    assert loaders(ast.parse("importlib.import_module('shelve')"))
    assert loaders(ast.parse("def load():\n    import marshal"))
    assert not loaders(ast.parse("import json, pickletools_of_ours"))


def test_no_array_is_read_with_objects_in_it(sources):
    for file, module in sources.items():
        for node in ast.walk(module):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), file
                assert node.value.value is False, file
