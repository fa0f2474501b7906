"""Capture a model's own code: the modules of its classes and functions, and the project's modules that these import.

Own is what belongs neither to Python nor to an installed distribution. Sources are read, not run: imports are found by
their statements.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import EnumType
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from mlopskit.errors import UnsafePathError
from mlopskit.runtime.code import FOLDER
from mlopskit.runtime.names import check_path

_SITES = {"site-packages", "dist-packages"}
_GUARDS = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_OURS = "mlopskit"


@dataclass(frozen=True, kw_only=True)
class Captured:
    """Captured code: files by their path in the package, the distributions it imports, and why it may not travel.

    It finds the modules as they are in this process; `mlopskit.runtime.code.Code` finds them at the target.
    """

    modules: frozenset[str] = frozenset()
    files: dict[str, bytes] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def private(self, module: str, /) -> str:
        """Return the name of a module in this process."""
        return module

    def find(self, module: str, name: str, /) -> Any:
        """Return a class or function of a module."""
        return getattr(sys.modules[module], name)


def fault(thing: Any, /) -> str | None:
    """Return why a class or function is not the model's own code that can be captured, with what to do; None if it is.

    The text goes on after "model.steps[0][1] is ".
    """
    module, name = thing.__module__, thing.__qualname__
    whole = f"{module}.{name}"
    if name.endswith("<lambda>"):
        return "a lambda, which has no name to be found by. Define a function in a module"
    if module in ("__main__", "__mp_main__"):
        return (
            f"{whole}, of the main program, where nobody else finds it. "
            "Move it into a module, import it from there, and fit the model again"
        )
    if "." in name:
        return f"{whole}, which is defined inside of another. Define it at the top of its module"
    if isinstance(thing, EnumType):
        return f"{whole}, an enumeration. Keep the value of a member instead"
    if getattr(sys.modules.get(module), name, None) is not thing:
        return f"{whole}, but its module has another or none of this name. Import it anew, and fit the model again"
    spec = _spec(module)
    own = module.partition(".")[0] != _OURS and spec is not None and _place(spec) == "own"
    return None if own else f"{whole}, which is not on the list of types that may be loaded, nor one of your own"


def capture(modules: Iterable[str], /) -> Captured:
    """Return the sources of modules and of all of the project's modules that they import, as they are on the disk."""
    capturing = _Capturing(sorted(modules))
    capturing.all()
    return Captured(
        modules=frozenset(capturing.captured),
        files=dict(sorted(capturing.files.items())),
        requires=tuple(sorted(capturing.pins())),
        faults=tuple(capturing.faults),
    )


class _Capturing:
    def __init__(self, modules: list[str]) -> None:
        self.captured: list[str] = []
        self.files: dict[str, bytes] = {}
        self.faults: list[str] = []
        self._installed: dict[str, str] = {}  # the top of what is imported → who was first to import it
        self._modules = modules
        self._seen: set[str] = set()
        # A run takes the project's folder off the path after training; its modules are there all the same.
        self._roots = [root for name in modules if (root := _root(name))]

    def all(self) -> None:
        importlib.invalidate_caches()
        for name in self._modules:
            self._add(name)

    def pins(self) -> set[str]:
        from importlib import metadata

        known = metadata.packages_distributions() if self._installed else {}
        found = set()
        for top, where in self._installed.items():
            if top not in known:
                self.faults.append(f"{where} imports {top}, which belongs to no installed distribution. Install one")
            found |= {f"{name}=={metadata.version(name)}" for name in known.get(top, ())}
        return found

    def _add(self, name: str) -> None:
        """Capture a module, and the packages that it is in."""
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            module = ".".join(parts[:length])
            if module not in self._seen:
                self._seen.add(module)
                self._capture(module)

    def _capture(self, name: str) -> None:
        spec = self._find(name)
        if spec is None or spec.origin is None:  # a folder without __init__.py
            return
        package = spec.submodule_search_locations is not None
        path = f"{FOLDER}{name.replace('.', '/')}{'/__init__' if package else ''}.py"
        try:
            check_path(path)
            data = _source(spec)
            tree = ast.parse(data)
        except (UnsafePathError, OSError, SyntaxError, ValueError) as error:
            self.faults.append(f"The module {name} cannot be captured: {getattr(error, 'message', error)}")
            return
        self.captured.append(name)
        self.files[path] = data
        if any(isinstance(node, ast.Name) and node.id == "__file__" for node in _at_import(tree.body)):
            self.faults.append(
                f"{path} asks for its __file__, but what stands beside it does not travel. "
                "Ask within a function that only training calls, or keep the contents in the module"
            )
        for imported in _imports(tree.body, name if package else name.rpartition(".")[0]):
            self._follow(imported, path)

    def _follow(self, imported: _Import, path: str) -> None:
        """Capture what is imported, or note the distribution that it is of, or that it will be missing."""
        name, top = imported.name, imported.name.partition(".")[0]
        spec = None if top == _OURS else self._find(top)
        place = _place(spec) if spec else None
        if place == "installed":
            self._installed.setdefault(top, path)
        elif place == "own" and self._find(name) is not None:
            parts = [f"{name}.{one}" for one in imported.names]
            for module in [name, *(part for part in parts if self._find(part) is not None)]:
                self._add(module)
        elif place != "standard" and not imported.optional:
            what, lacks = (_OURS, "not there at a target") if top == _OURS else (name, "not found")
            self.faults.append(
                f"{path} imports {what}, which is {lacks}. Move what the model needs into a module that does without it"
            )

    def _find(self, name: str) -> ModuleSpec | None:
        """Return the spec of a module as an import would find it, without importing it or what it is in."""
        if name in sys.modules:
            return _spec(name)
        above = name.rpartition(".")[0]
        if not name.partition(".")[0]:  # relative to nothing
            return None
        if not above:
            return PathFinder.find_spec(name, self._roots) or importlib.util.find_spec(name)
        parent = self._find(above)
        if parent is None or parent.submodule_search_locations is None:
            return None
        return PathFinder.find_spec(name, list(parent.submodule_search_locations))


def _spec(name: str) -> ModuleSpec | None:
    spec: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    return spec


def _place(spec: ModuleSpec) -> str:
    """Say where a module is from: "standard", "installed" or "own"."""
    if spec.origin in ("built-in", "frozen"):
        return "standard"
    folder = Path(spec.origin or next(iter(spec.submodule_search_locations or ()), ""))
    if _SITES & set(folder.parts):
        return "installed"
    standard = any(folder.is_relative_to(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib"))
    return "standard" if standard else "own"


def _source(spec: ModuleSpec) -> bytes:
    if not str(spec.origin).endswith(".py"):
        raise ValueError(f"its source is no file of Python but {spec.origin}")
    return Path(str(spec.origin)).read_bytes()


def _root(name: str) -> str | None:
    """Return the folder that a module's dotted name counts from, None if its file is elsewhere."""
    spec = _spec(name)
    if spec is None or spec.origin is None:
        return None
    parts = (*name.split("."), *(["__init__"] if spec.submodule_search_locations is not None else []))
    file = Path(spec.origin).with_suffix("")
    return str(file.parents[len(parts) - 1]) if file.parts[-len(parts) :] == parts else None


# --- import statements ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Import:
    name: str
    names: tuple[str, ...] = ()
    optional: bool = False


def _imports(body: Iterable[ast.AST], package: str, *, optional: bool = False) -> Iterator[_Import]:
    """Yield what statements import, at whatever depth, but not what is for type checkers or the main program alone.

    What a handler of ImportError is around may be missing.
    """
    for node in body:
        if isinstance(node, ast.Import):
            yield from (_Import(alias.name, optional=optional) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield _Import(_absolute(node, package), tuple(alias.name for alias in node.names), optional)
        elif isinstance(node, ast.If) and _never(node.test):
            yield from _imports(node.orelse, package, optional=optional)
        else:
            guarded = isinstance(node, ast.Try | ast.TryStar) and any(map(_catches, node.handlers))
            yield from _imports(ast.iter_child_nodes(node), package, optional=optional or guarded)


def _at_import(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what is run when a module is imported at a target."""
    for node in body:
        if isinstance(node, ast.If) and _never(node.test):
            yield from _at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _at_import(ast.iter_child_nodes(node))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return str(node.module)
    parts = package.split(".") if package else []
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])]) or "."


def _never(test: ast.expr) -> bool:
    """Say whether a condition does not hold where a module is imported at a target."""
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING" or ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or getattr(kind, "attr", getattr(kind, "id", "")) in _GUARDS for kind in kinds)
