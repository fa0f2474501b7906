from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlopskit import runtime, vendoring
from mlopskit.errors import PluginError, UnknownNameError
from mlopskit.runtime.package import write_files

FORMAT = """
import mlopskit as mk

class Odd(mk.Format):
    name = "odd"
    loader = "nothing_of_this_name"
    def save(self, model, schema, frame, into, /): raise NotImplementedError

@mk.hookimpl
def mlopskit_formats():
    return [Odd]
"""


def test_the_runtime_travels_whole_with_the_loaders_that_are_asked_for() -> None:
    files = vendoring.runtime_files(["skops"])
    source = Path(runtime.__path__[0])
    assert {f"_mlopskit_runtime/{path.name}" for path in source.glob("*.py")} < files.keys()
    loader = vendoring.loader_source("skops").parent
    assert {f"_mlopskit_runtime/loaders/skops/{path.name}" for path in loader.rglob("*.py")} < files.keys()
    assert not [path for path in vendoring.runtime_files([]) if "skops" in path]
    assert not [path for path in files if path.endswith(".pyc")]
    for path in source.glob("*.py"):
        assert files[f"_mlopskit_runtime/{path.name}"] == path.read_bytes()


def test_the_same_files_have_the_same_digest() -> None:
    files = vendoring.runtime_files(["skops"])
    digest = vendoring.digest_of_files(files)
    assert digest == vendoring.digest_of_files(dict(reversed(files.items())))
    assert digest != vendoring.digest_of_files({**files, "__main__.py": b""})
    assert digest != vendoring.digest_of_files({path: data for path, data in files.items() if path != "__main__.py"})


def test_a_written_runtime_runs_and_leaves_no_bytecode(tmp_path: Path) -> None:
    files = vendoring.runtime_files(["skops"])
    write_files(files, tmp_path)
    said = subprocess.run(
        [sys.executable, "-I", str(tmp_path), str(tmp_path / "absent"), "--digest", "sha256:" + "0" * 64],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (3, "")
    assert '"kind": "IntegrityError"' in said.stdout
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == files.keys()


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UnknownNameError, match=r"There is no format 'skop'\. Did you mean 'skops'"):
        vendoring.runtime_files(["skop"])


def test_a_format_whose_loader_is_gone_is_named(install: Callable[..., None]) -> None:
    install("mlopskit-odd", FORMAT, formats="odd")
    with pytest.raises(PluginError, match="The loader 'nothing_of_this_name' of the format 'odd' is not there"):
        vendoring.loader_source("odd")


def test_a_loader_that_is_a_package_travels_with_all_its_levels(install: Callable[..., None], tmp_path: Path) -> None:
    for path in ("__init__.py", "parts/__init__.py", "parts/deep/__init__.py", "parts/deep/tables.py"):
        (tmp_path / "odd_loader" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "odd_loader" / path).write_text(f"# {path}\n")
    (tmp_path / "odd_loader/parts/notes.txt").write_text("no code")
    install("mlopskit-odd", FORMAT.replace("nothing_of_this_name", "odd_loader"), formats="odd")
    files = {path: data for path, data in vendoring.runtime_files(["odd"]).items() if "loaders/odd" in path}
    assert files == {
        f"_mlopskit_runtime/loaders/odd/{path}": f"# {path}\n".encode()
        for path in ("__init__.py", "parts/__init__.py", "parts/deep/__init__.py", "parts/deep/tables.py")
    }
