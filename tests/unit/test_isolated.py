from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import mlopskit as mk
from mlopskit import isolated
from mlopskit.errors import (
    IntegrityError,
    LimitError,
    MlopskitError,
    PackageError,
    RowError,
    UnsafeModelError,
    UnsafePathError,
)
from mlopskit.isolated import MEMORY, IsolatedModel, isolated_model, started
from mlopskit.runtime import isolated as running

Start = Callable[..., IsolatedModel]


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start a stand-in for the runtime's folder: a program that answers lines."""
    begun: list[IsolatedModel] = []

    def make(code: str, *, deadline: float = 30.0, memory: int = MEMORY, engine: Sequence[str] = ()) -> IsolatedModel:
        runtime = tmp_path / "runtime"
        runtime.mkdir()
        (runtime / "__main__.py").write_text(f"import json, os, sys, time\n{textwrap.dedent(code)}")
        log = tmp_path / "stderr"
        begun.append(IsolatedModel(runtime, log=log, engine=engine, deadline=deadline, memory=memory))
        begun[-1].open(Path("package"), digest="a digest")
        return begun[-1]

    yield make
    for model in begun:
        model.close()


def answering(expression: str) -> str:
    return f"for line in sys.stdin: print(json.dumps({expression}), flush=True)"


def test_a_package_answers_rows_and_columns(package: mk.ModelPackage) -> None:
    with isolated_model(package.folder, digest=package.digest, formats=["skops"]) as model:
        rows = [golden.row for golden in package.golden[:3]]
        answer = model.ask(rows)
        assert answer["digest"] == package.digest
        assert answer["rows"] == [golden.expected for golden in package.golden[:3]]
        assert answer["runtime"]["engine"].startswith("scikit-learn")
        columns = {"text": [row["text"] for row in rows]}
        assert model.score(columns)["prediction"] == [golden.expected["prediction"] for golden in package.golden[:3]]
        # What does not fit is told by the process as what it is, and the process goes on.
        with pytest.raises(RowError, match="lacks the column 'text'"):
            model.ask([{"tex": "good"}])
        with pytest.raises(RowError, match="There are no rows"):
            model.ask([])
        assert model.ask(rows)["rows"] == answer["rows"]


def test_a_damaged_package_is_told_as_what_it_is(package: mk.ModelPackage) -> None:
    (package.folder / "README.md").write_bytes(b"changed")
    with (
        pytest.raises(IntegrityError, match=r"'README\.md'"),
        isolated_model(package.folder, digest=package.digest, formats=["skops"]) as model,
    ):
        model.ask([{"text": "good"}])


def test_a_linked_file_is_told_as_what_it_is(package: mk.ModelPackage, tmp_path: Path) -> None:
    (package.folder / "README.md").rename(tmp_path / "README.md")
    (package.folder / "README.md").symlink_to(tmp_path / "README.md")
    with (
        pytest.raises(UnsafePathError, match="no plain file"),
        isolated_model(package.folder, digest=package.digest, formats=["skops"]) as model,
    ):
        model.ask([{"text": "good"}])


def test_only_the_named_format_is_taken(package: mk.ModelPackage) -> None:
    with (
        pytest.raises(PackageError, match="skops was not asked for"),
        isolated_model(package.folder, digest=package.digest, formats=["skops"], format="portable") as model,
    ):
        model.ask([{"text": "good"}])


def test_the_process_gets_nothing_of_our_surroundings_but_what_it_needs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AZURE_STORAGE_KEY",
        "MY_PASSWORD",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "LD_PRELOAD",
    ):
        monkeypatch.setenv(name, "canary" if name != "LD_PRELOAD" else "")
    seen = start(answering("{'rows': [dict(os.environ)]}")).ask([])["rows"][0]
    assert "canary" not in seen.values()
    # Python itself sets LC_CTYPE where the locale is C.
    assert seen.keys() <= {*running._KEPT, *running._ONE_THREAD, "LC_CTYPE"}
    assert seen["OMP_NUM_THREADS"] == "1"


def test_the_process_is_isolated_and_has_no_mlopskit(start: Start) -> None:
    model = start(
        """
        try:
            import mlopskit
            found = "there"
        except ImportError:
            found = "not there"
        """
        + answering("{'rows': [found, sys.flags.isolated, sys.flags.dont_write_bytecode, sys.path[0], sys.argv[1:]]}")
    )
    found, alone, no_bytecode, first, arguments = model.ask([])["rows"]
    assert (found, alone, no_bytecode, arguments) == ("not there", 1, 1, ["package", "--digest", "a digest"])
    assert Path(first) != Path.cwd()


def test_the_process_has_a_limit_of_memory(start: Start) -> None:
    most = 1 << 30
    model = start(
        answering("{'rows': [__import__('resource').getrlimit(__import__('resource').RLIMIT_AS)]}"), memory=most
    )
    assert model.ask([])["rows"][0][0] == most


def test_a_model_that_takes_too_much_memory_is_refused_and_not_we(start: Start) -> None:
    model = start("for line in sys.stdin: bytearray(1 << 40)", memory=1 << 30)
    with pytest.raises(UnsafeModelError, match="ended with 1: MemoryError"):
        model.ask([])


def test_a_model_that_does_not_answer_in_time_is_ended(start: Start) -> None:
    model = start("time.sleep(600)", deadline=0.2)
    with pytest.raises(LimitError, match=r"did not answer within 0\.2 s"):
        model.ask([])
    model.close()
    assert model._process.returncode == -9


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("os._exit(7)", "ended with 7: it said nothing."),
        ("1 / 0", "ended with 1: ZeroDivisionError: division by zero"),
        ("os.kill(os.getpid(), 11)", "ended with -11"),
        ("sys.exit('x' * 5000)", "ended with 1: x{500} Do not use"),
    ],
)
def test_a_model_that_dies_is_told_with_its_last_words(start: Start, code: str, why: str) -> None:
    with pytest.raises(UnsafeModelError, match=why):
        start(code).ask([{"text": "good"}])


def test_what_is_no_answer_is_refused(start: Start) -> None:
    with pytest.raises(UnsafeModelError, match="answered no JSON but b'hello"):
        start("for line in sys.stdin: print('hello', flush=True)").ask([])


@pytest.mark.parametrize(
    ("kind", "raised"),
    [("RowError", RowError), ("difflib", PackageError), ("Sequence", PackageError), ("", PackageError)],
)
def test_an_error_is_raised_as_what_the_process_says_if_it_is_one_of_ours(
    start: Start, kind: str, raised: type[MlopskitError]
) -> None:
    said = {"error": "It is so.", "remedy": "Do this.", "kind": kind}
    with pytest.raises(raised) as caught:
        start(answering(repr(said))).ask([])
    assert type(caught.value) is raised
    assert str(caught.value) == "It is so. Do this."


def test_whatever_ends_the_context_ends_the_process(package: mk.ModelPackage) -> None:
    context = isolated_model(package.folder, digest=package.digest, formats=["skops"])
    model = context.__enter__()
    stop = KeyboardInterrupt()
    assert not context.__exit__(type(stop), stop, None)
    assert model._process.returncode == -9
    assert not model._log.parent.exists()


def test_a_process_that_hangs_at_its_end_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    model = start("print(flush=True)\nimport signal\ntime.sleep(600)")
    model._lines.get(timeout=30)
    waited = []

    def wait(timeout: float | None = None) -> int:
        if timeout is not None:
            waited.append(timeout)
            raise subprocess.TimeoutExpired("model", timeout)
        return subprocess.Popen.wait(model._process)

    monkeypatch.setattr(model._process, "wait", wait)
    model.close()
    assert waited == [5]
    assert model._process.returncode == -9


def test_the_engine_is_imported_before_there_is_a_package(start: Start) -> None:
    found = answering("{'rows': [[name in sys.modules for name in ('wave', 'no_such_engine')]]}")
    assert start(found, engine=["no_such_engine", "wave"]).ask([])["rows"] == [[True, False]]


def test_a_process_that_is_given_no_package_ends_by_itself() -> None:
    with started([]) as model:
        pass
    assert model._process.returncode == 0
    assert not model._log.parent.exists()


CHILD = Path(isolated.__file__).parent / "runtime" / "isolated_child.py"


def test_the_child_limits_itself_as_far_as_it_may(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, resource, sys\nprint(resource.getrlimit(resource.RLIMIT_AS)[0], os.nice(0), sys.argv)\n"
    )
    hard = 1 << 31

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))

    for most, expected in ((1 << 40, hard), (1 << 30, 1 << 30)):
        said = subprocess.run(
            [sys.executable, "-I", str(CHILD), str(most), "7", str(tmp_path), ""],
            input='["x"]\n',
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=limited,
        )
        assert said.stdout == f"{expected} {os.nice(0) + 7} {[str(tmp_path), 'x']}\n"


def test_without_limits_of_the_system_the_child_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import mlopskit.runtime.isolated_child as child

    before = resource.getrlimit(resource.RLIMIT_AS)
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    child.limit_memory(1)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_full_temporary_disk_is_no_answer(package: mk.ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(isolated, "write_files", full)
    with (
        pytest.raises(OSError, match="No space left"),
        isolated_model(package.folder, digest=package.digest, formats=["skops"]),
    ):
        pass
