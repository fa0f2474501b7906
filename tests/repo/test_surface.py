from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import mlopskit as mk
from mlopskit import runtime


def _imported_for_type_checkers(root: Path) -> dict[str, str]:
    tree = ast.parse((root / "src/mlopskit/__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module).removeprefix("mlopskit.") for node in imports for name in node.names}


def test_the_three_lists_of_public_names_are_one(root):
    assert _imported_for_type_checkers(root) == mk._HOME
    assert sorted(mk._HOME) == mk.__all__


def test_the_three_lists_of_the_runtimes_names_are_one(root):
    tree = ast.parse((root / "src/mlopskit/runtime/__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {name.name: node.module for node in imports for name in node.names} == runtime._HOME
    assert [*runtime._HOME] == runtime.__all__
    assert dir(runtime) == sorted(runtime.__all__)
    for name, home in runtime._HOME.items():
        assert getattr(runtime, name) is getattr(importlib.import_module(f"mlopskit.runtime.{home}"), name)


def test_every_public_name_loads_and_is_listed():
    for name in mk.__all__:
        assert getattr(mk, name) is getattr(importlib.import_module(f"mlopskit.{mk._HOME[name]}"), name)
    assert dir(mk) == sorted([*mk.__all__, "__version__"])


def test_no_public_name_is_also_a_module(root):
    modules = {module.name for module in pkgutil.iter_modules([str(root / "src/mlopskit")])}
    assert not modules & set(mk.__all__)


def test_the_reference_describes_exactly_the_public_names(root, page):
    reference = page(root / "docs/reference/python.md")
    described = [name for heading in reference.sections for name in reference.rows(heading)]
    assert sorted(described) == mk.__all__


def test_every_public_class_and_function_says_what_it_is_in_a_sentence():
    things = {name: getattr(mk, name) for name in mk.__all__}
    documented = {name: thing for name, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)}
    methods = {
        f"{name}.{attribute}": thing
        for name, cls in documented.items()
        if inspect.isclass(cls)
        for attribute, thing in vars(cls).items()
        if not attribute.startswith("_") and (inspect.isfunction(thing) or isinstance(thing, property | classmethod))
    }
    for name, thing in {**documented, **methods}.items():
        first = (inspect.getdoc(thing) or "").partition("\n")[0]
        assert first[:1].isupper() or first[:1] == "`", f"{name}: {first!r}"
        assert first.endswith((".", "?")), f"{name}: {first!r}"
