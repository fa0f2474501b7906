from __future__ import annotations

import importlib
import subprocess
import sys
import traceback
import uuid

import pytest

from mlopskit.runtime.code import Code


def code(**modules):
    return code_in({f"{path}.py": text for path, text in modules.items()})


def code_in(sources):
    """Return code of sources by their paths below code/; no two tests share its digest, and so its modules."""
    stamp = f"\nSTAMP = {uuid.uuid4().hex!r}\n"
    return Code({f"code/{path}": (text + stamp).encode() for path, text in sources.items()})


def returning(what, *before):
    """Return the source of a function f that returns this."""
    return "\n".join([*before, "def f():", f"    return {what}"])


PACKAGE = {
    "features/__init__.py": "from .text import clean",
    "features/text.py": "from . import words\nfrom .words import low\ndef clean(x): return words.strip(low(x))",
    "features/words.py": "import rules\ndef low(x): return x.lower()\ndef strip(x): return rules.rule(x)",
    "rules.py": "import os.path\ndef rule(x):\n    import features.words as w\n    return x.strip(), w.__name__",
}


def test_modules_find_one_another_by_every_kind_of_import():
    made = code_in(PACKAGE)
    assert made.modules == {"features", "features.text", "features.words", "rules"}
    said, name = made.find("features.text", "clean")(" A ")
    assert said == "a"
    assert name == made.private("features.words")
    assert "features" not in sys.modules


def test_a_folder_without_init_is_a_package_all_the_same():
    one = returning("two.g()", "import space.deep.two as two")
    made = code_in({"space/deep/one.py": one, "space/deep/two.py": "def g(): return 7"})
    assert made.find("space.deep.one", "f")() == 7


@pytest.mark.parametrize("name", ["os", "numpy", "mlopskit", "json"])
def test_a_module_of_a_known_name_hides_nothing_and_is_not_hidden(name):
    before = importlib.import_module(name)
    made = code(**{name: "def mine():\n    return 1"}, user=returning(f"{name}.mine()", f"import {name}"))
    assert made.find("user", "f")() == 1
    assert importlib.import_module(name) is before is sys.modules[name]
    assert not hasattr(before, "mine")


def test_a_module_of_the_same_name_on_the_path_is_not_found(tmp_path, monkeypatch):
    (tmp_path / "helpers_of_own.py").write_text("def f():\n    return 'theirs'")
    (tmp_path / "features.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    made = code(features=returning("helpers_of_own.f()", "import helpers_of_own"), helpers_of_own=returning("'ours'"))
    assert made.find("features", "f")() == "ours"
    assert importlib.import_module("helpers_of_own").f() == "theirs"


def test_a_file_of_the_private_name_on_the_path_does_not_come_before(tmp_path, monkeypatch):
    made = code(features="def f():\n    return 'ours'")
    (tmp_path / f"{made.private('x').partition('.')[0]}.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert made.find("features", "f")() == "ours"


def test_two_versions_answer_side_by_side():
    old, new = (code(model=f"import part\n\n\ndef f():\n    return part.N + {n}", part=f"N = {n}") for n in (1, 2))
    assert [one.find("model", "f")() for one in (old, new, old)] == [2, 4, 2]


def test_the_same_code_is_run_once():
    files = {"code/once.py": b"import itertools\nimport builtins\nRUNS = []\n\n\ndef f():\n    return RUNS\n"}
    first, second = Code(files), Code(dict(files))
    assert first.find("once", "f") is second.find("once", "f")


def test_only_what_a_module_defines_is_found():
    model = "from os import system, path\nfrom other import real\nN = 1\nclass A:\n    class B: pass"
    made = code(model=model, other="def real(): pass")
    assert made.find("model", "A").__name__ == "A"
    for name in ("system", "path", "real", "N", "B", "__builtins__", "missing"):
        with pytest.raises(ValueError, match=rf"code/model\.py defines no {name}"):
            made.find("model", name)


def test_nothing_is_run_before_something_is_asked_for(tmp_path):
    canary = tmp_path / "canary"
    made = code(model=f"open({str(canary)!r}, 'w').close()\n\n\ndef f():\n    pass")
    assert not canary.exists()
    made.find("model", "f")
    assert canary.exists()


def test_nothing_is_written_and_the_path_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    code(model="def f():\n    pass").find("model", "f")
    assert sys.path == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("paths", [["code/a.py", "code/a/__init__.py"], ["code/__init__.py"]], ids=["twice", "no name"])
def test_files_that_are_no_modules_are_refused(paths):
    with pytest.raises(ValueError, match="is no module, or one that another file is too"):
        Code(dict.fromkeys(paths, b""))


def test_other_code_under_the_same_digits_is_refused(monkeypatch):
    monkeypatch.setattr("mlopskit.runtime.code._DIGITS", 0)
    monkeypatch.setattr("mlopskit.runtime.code._PREFIX", f"_mlopskit_code_{uuid.uuid4().hex}")
    code(model="def f():\n    pass").find("model", "f")
    with pytest.raises(ValueError, match="is taken by other code"):
        code(model="def f():\n    return 1").find("model", "f")


def test_a_traceback_shows_the_line():
    made = code(model="def f():\n    raise KeyError('here')")
    with pytest.raises(KeyError) as caught:
        made.find("model", "f")()
    assert "raise KeyError('here')" in "".join(traceback.format_exception(caught.value))


def test_dataclasses_and_type_hints_find_their_module():
    lines = ["from __future__ import annotations", "from dataclasses import dataclass", "from typing import ClassVar"]
    text = "\n".join([*lines, "@dataclass", "class A:", "    x: int", "    y: ClassVar[int] = 3"])
    assert code(model=text).find("model", "A")(x=1).x == 1


def test_an_encoding_and_a_mark_are_read_as_python_reads_them():
    files = {
        "code/latin.py": "# coding: latin-1\ndef f():\n    return 'ä'\n".encode("latin-1"),
        "code/marked.py": b"\xef\xbb\xbfdef f():\n    return 1\r\n",
    }
    made = Code(files)
    assert made.find("latin", "f")() == "ä"
    assert made.find("marked", "f")() == 1


def test_an_import_that_is_missing_says_which():
    with pytest.raises(ModuleNotFoundError, match="No module named 'absent_of_all'"):
        code(model="import absent_of_all\n\n\ndef f():\n    pass").find("model", "f")
    optional = "try:\n    from . import fast\nexcept ImportError:\n    fast = None\n\n\ndef f():\n    return fast"
    assert code_in({"pkg/__init__.py": optional}).find("pkg", "f")() is None


def test_many_threads_get_one_module():
    script = """
import threading, time, sys
from mlopskit.runtime.code import Code
files = {"code/slow.py": b"import time\\ntime.sleep(0.05)\\n\\n\\ndef f():\\n    return 1\\n"}
found = []
threads = [threading.Thread(target=lambda: found.append(Code(files).find("slow", "f"))) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
assert len(found) == 8 and len(set(map(id, found))) == 1, found
"""
    subprocess.run([sys.executable, "-c", script], check=True)
