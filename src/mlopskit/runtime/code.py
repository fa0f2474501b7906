"""A package's own code: modules made from the checked bytes, under names that no other module has.

Whoever makes a `Code` trusts it: its modules run with all rights of the process (see `mlopskit.runtime.scoring.load`).
Nothing is read from a disk, nothing is written, and `sys.path` stays as it is.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from types import ModuleType
from typing import Any

from . import canonical

FOLDER = "code/"
_PREFIX = "_mlopskit_code_"
_DIGITS = 16
_PACKAGE = "__init__"


def code_of(paths: Iterable[str], /) -> list[str]:
    """Return those of a model's files that are its own code."""
    return [path for path in paths if path.startswith(FOLDER)]


def module_of(path: str, /) -> str:
    """Return the dotted name of the module in a file of own code.

    >>> module_of("code/features/__init__.py"), module_of("code/features/text.py")
    ('features', 'features.text')
    """
    return path.removeprefix(FOLDER).removesuffix(".py").replace("/", ".").removesuffix(f".{_PACKAGE}")


class Code:
    """The modules of a package's own code, by their dotted names: `code/features/text.py` is `features.text`.

    In this process they stand below a root that is named by the digest of the code. So two packages, or two versions
    of one, can be loaded side by side, and a module of the same name that is here already is neither found nor hidden.

    Raises:
        ValueError: a file is no module, or two files are one.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._paths: dict[str, str] = {}
        for path in sorted(files):
            name = module_of(path)
            if name in (_PACKAGE, *self._paths):
                raise ValueError(f"{path} is no module, or one that another file is too")
            self._paths[name] = path
        self._files = dict(files)
        digest = canonical.digest_of(canonical.dumps({path: canonical.digest_of(files[path]) for path in files}))
        self._root = _PREFIX + digest.removeprefix("sha256:")[:_DIGITS]
        self._folders = {name[:at] for name in self._paths for at, one in enumerate(name) if one == "."}
        self.modules = frozenset(self._paths)

    def private(self, module: str, /) -> str:
        """Return the name of a module in this process."""
        return f"{self._root}.{module}"

    def find(self, module: str, name: str, /) -> Any:
        """Return a class or function of a module, which is run if it was not yet.

        Raises:
            ValueError: the module defines nothing of that name; what it imported does not count.
        """
        self._install()
        found = getattr(importlib.import_module(self.private(module)), name, None)
        if getattr(found, "__module__", None) != self.private(module) or getattr(found, "__qualname__", "") != name:
            raise ValueError(f"{self._paths[module]} defines no {name}")
        return found

    def _install(self) -> None:
        known = sys.modules.get(self._root)
        if known is None:
            # First of all finders: a file of such a name on the path must not come before.
            sys.meta_path.insert(0, self)
            importlib.import_module(self._root)
        elif getattr(known.__loader__, "_files", None) != self._files:
            raise ValueError(f"the name {self._root} is taken by other code")

    # --- what Python's import asks of a finder and a loader -----------------------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module below the root, None for all others."""
        del path, target
        root, _, name = fullname.partition(".")
        if root != self._root or not (not name or name in self._paths or name in self._folders):
            return None
        return ModuleSpec(fullname, self, origin=self._label(name), is_package=self._is_package(name))  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's source in it."""
        name = module.__name__.partition(".")[2]
        if name in self._paths:
            vars(module)["__builtins__"] = {**vars(builtins), "__import__": self._import}
            source = self._files[self._paths[name]]
            exec(compile(source, self._label(name), "exec", dont_inherit=True), vars(module))  # noqa: S102 -- trusted by its digest

    def get_source(self, fullname: str) -> str | None:
        """Return a module's source, for tracebacks."""
        path = self._paths.get(fullname.partition(".")[2])
        return None if path is None else decode_source(self._files[path])

    def _is_package(self, name: str) -> bool:
        path = self._paths.get(name)
        return path is None or path.endswith(f"/{_PACKAGE}.py")

    def _label(self, name: str) -> str:
        return f"{self._root}/{self._paths.get(name, name)}"

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Import as the `import` statements of this code do: its own modules first, then those of the process."""
        top = name.partition(".")[0]
        if level or not (top in self._paths or name in self._paths or name in self._folders):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = importlib.import_module(self.private(name))
        if not fromlist:
            return sys.modules[self.private(top)]
        return builtins.__import__(module.__name__, globals, locals, fromlist, 0)
