from __future__ import annotations

import importlib
import sys
from importlib import metadata

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from mlopskit.capture import capture, fault


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules by their paths into a folder that is on the path while they are imported, and no longer."""
    before = set(sys.modules)

    def made(*imported, **sources):
        for path, text in sources.items():
            file = tmp_path / path.replace("__", "/")
            file = file.with_name("__init__.py") if file.name == "init" else file.with_name(f"{file.name}.py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with monkeypatch.context() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.syspath_prepend(tmp_path)
            for name in imported:
                importlib.import_module(name)
        return capture(imported)

    yield made
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_module_is_captured_with_what_it_imports_of_the_project(write):
    found = write(
        "own_app.features.text",
        own_app__init="",
        own_app__features__init="from . import text",
        own_app__features__text="import json\nimport own_rules\nfrom .words import low\nfrom .. import tables",
        own_app__features__words="def low(): pass",
        own_app__tables="",
        own_app__other="raise SystemExit",
        own_rules="def f():\n    import own_late as late",
        own_late="raise RuntimeError('a capture runs nothing')",
    )
    assert list(found.files) == [
        "code/own_app/__init__.py",
        "code/own_app/features/__init__.py",
        "code/own_app/features/text.py",
        "code/own_app/features/words.py",
        "code/own_app/tables.py",
        "code/own_late.py",
        "code/own_rules.py",
    ]
    assert found.files["code/own_app/features/words.py"] == b"def low(): pass"
    assert found.modules == {path[5:-3].replace("/", ".").removesuffix(".__init__") for path in found.files}
    assert (found.requires, found.faults) == ((), ())
    assert "own_late" not in sys.modules


def test_the_bytes_are_those_on_the_disk(write):
    text = b"\xef\xbb\xbf# a comment\r\nX = 'caf\xc3\xa9'\r\n"
    assert write("own_bytes", own_bytes=text).files == {"code/own_bytes.py": text}


def test_what_is_installed_is_pinned(write):
    found = write("own_pins", own_pins="import numpy.linalg, os\nfrom sklearn.base import clone\nimport pluggy as p")
    wanted = {f"{name}=={metadata.version(name)}" for name in ("numpy", "scikit-learn", "pluggy")}
    assert set(found.requires) == wanted
    assert found.faults == ()


def test_a_folder_without_init_is_a_package(write):
    found = write("own_space.one", own_space__one="from own_space import two", own_space__two="")
    assert list(found.files) == ["code/own_space/one.py", "code/own_space/two.py"]


FAULTS = {
    "missing": ("def f():\n    import own_absent.part", "imports own_absent.part, which is not found"),
    "missing part": ("def f():\n    import own_bad.absent", "imports own_bad.absent, which is not found"),
    "above the top": ("def f():\n    from . import own_good", "imports ., which is not found"),
    "far above the top": ("def f():\n    from ...up import own_good", "imports up, which is not found"),
    "mlopskit": ("import mlopskit as mk", "imports mlopskit, which is not there at a target"),
    "a part of mlopskit": (
        "from mlopskit.errors import StoreError",
        "imports mlopskit, which is not there at a target",
    ),
    "its place": ("from pathlib import Path\nHERE = Path(__file__).parent", "code/own_bad.py asks for its __file__"),
    "its place in a class": ("class A:\n    here = [__file__]", "code/own_bad.py asks for its __file__"),
    "broken": ("def f():\n    import own_broken", "The module own_broken cannot be captured: "),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_would_be_missing_at_a_target_is_a_fault(name, write):
    text, words = FAULTS[name]
    found = write("own_bad", own_bad=text, own_broken="def (")
    assert len(found.faults) == 1
    assert words in found.faults[0]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import own_absent\nexcept ImportError:\n    own_absent = None",
        "try:\n    import mlopskit\nexcept (ModuleNotFoundError, OSError):\n    pass",
        "try:\n    import tomllib\nexcept ImportError:\n    import own_absent",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import own_absent",
        "import typing\nif typing.TYPE_CHECKING:\n    import own_absent\nelse:\n    import json",
        "if __name__ == '__main__':\n    import mlopskit\n    print(__file__)",
        "def data():\n    return __file__",
        "'''import own_absent'''",
    ],
)
def test_what_may_be_missing_is_none(text, write):
    found = write("own_good", own_good=text)
    assert (list(found.files), found.requires, found.faults) == (["code/own_good.py"], (), ())


def test_other_handlers_guard_no_import(write):
    text = "def f():\n    try:\n        import own_absent\n    except ValueError:\n        pass"
    assert len(write("own_value", own_value=text).faults) == 1


def test_a_name_that_no_package_may_hold_is_a_fault(write):
    assert "is not allowed in a package" in write("own_ä", own_ä="").faults[0]


def test_an_installed_module_of_no_distribution_is_a_fault(write, tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "own_stray.py").write_text("")
    monkeypatch.syspath_prepend(site)
    assert "belongs to no installed distribution" in write("own_uses", own_uses="import own_stray").faults[0]


# --- which classes and functions are own ------------------------------------------------------------------------------

CLASSES = """
class Own:
    class Inner:
        pass

def function():
    class Local:
        pass
    return Local

short = lambda x: x

import enum

class Kind(enum.Enum):
    A = 1
"""


def test_a_class_and_a_function_of_a_module_are_own(write):
    write("own_classes", own_classes=CLASSES)
    module = sys.modules["own_classes"]
    assert [fault(module.Own), fault(module.function)] == [None, None]


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (lambda module: module.short, "a lambda"),
        (lambda module: module.Kind, "Keep the value of a member instead"),
        (lambda module: module.Own.Inner, "defined inside of another"),
        (lambda module: module.function(), "defined inside of another"),
        (lambda _: StandardScaler, "not on the list"),
        (lambda _: np.ndarray, "not on the list"),
        (lambda _: fault, "not on the list"),
        (lambda _: str, "not on the list"),
    ],
)
def test_others_are_not_and_it_says_why(thing, words, write):
    write("own_others", own_others=CLASSES)
    assert words in (fault(thing(sys.modules["own_others"])) or "")


def test_what_only_calls_itself_so_is_not(write):
    write("own_forged", own_forged=CLASSES)
    forged = type("Own", (), {"__module__": "own_forged"})
    assert "another or none of this name" in (fault(forged) or "")
    main = type("Own", (), {"__module__": "__main__"})
    assert "of the main program" in (fault(main) or "")
    nowhere = type("Own", (), {"__module__": "own_nowhere"})
    assert "another or none of this name" in (fault(nowhere) or "")


def test_a_class_of_a_module_that_was_imported_anew_is_not(write):
    write("own_again", own_again=CLASSES)
    before = sys.modules["own_again"].Own
    del sys.modules["own_again"]
    write("own_again")
    assert "Import it anew, and fit the model again" in (fault(before) or "")
