import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlopskit import runtime
from mlopskit.errors import ManifestError
from mlopskit.runtime import AliasRecord, open_package
from mlopskit.runtime.__main__ import main

LOADER = '''
"""Multiplies by the number in its file; standard library alone."""

import json


def load(files, spec):
    (data,) = files.values()
    return Times(json.loads(data)["factor"])


class Times:
    engine = "times 1.0"

    def __init__(self, factor):
        self.factor = factor

    def score(self, rows):
        return {"prediction": [self.factor * x for x in rows["x"]]}
'''


@pytest.fixture
def travelled(tmp_path):
    """A copy of the runtime elsewhere, with one loader, and a function that runs it where mlopskit is not installed."""
    place = tmp_path / "target"
    shutil.copytree(runtime.__path__[0], place / "_mlopskit_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (place / "_mlopskit_runtime" / "loaders" / "portable.py").write_text(LOADER)
    start = (
        "import runpy, sys\n"
        "sys.path[:] = [path for path in sys.path if 'site-packages' not in path] + [sys.argv.pop(1)]\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in str(finder)]\n"
        "try:\n"
        "    import mlopskit\n"
        "except ImportError:\n"
        "    runpy.run_module('_mlopskit_runtime', run_name='__main__')\n"
        "else:\n"
        "    sys.exit('mlopskit can be imported here')\n"
    )

    def run(*arguments, requests=b""):
        command = [sys.executable, "-I", "-S", "-B", "-c", start, str(place), *map(str, arguments)]
        done = subprocess.run(command, input=requests, capture_output=True, cwd=place, timeout=60, check=False)
        assert not done.stderr, done.stderr.decode()
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def published(write_package, tmp_path):
    """A package in a model's folder as users find it, with an alias that names it."""
    model = tmp_path / "share" / "sentiment"
    folder, digest = write_package(root=model / "packages")
    common = {"name": "sentiment", "alias": "production", "operation": "1", "who": "me", "why": "", "when": "now"}
    record = AliasRecord(seq=1, digest=digest, previous=None, **common)
    file = model / "aliases" / "production" / "1" / "record.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(record.data())
    return model, folder, digest


REQUESTS = b'{"rows": [{"x": 1.5}, {"x": 2}]}\n{"rows": [{"x": "y"}]}\nx\n{"rows": [{"x": 4}]}\n'


def test_it_answers_line_by_line_with_nothing_of_mlopskit_installed(travelled, published):
    model, folder, digest = published
    for arguments in (
        [folder],
        [folder, "--digest", digest],
        [model, "--alias", "production"],
        [folder, "--format", "portable"],
    ):
        code, answers = travelled(*arguments, requests=REQUESTS)
        assert code == 0
        assert [answer.get("rows") or answer["kind"] for answer in answers] == [
            [{"prediction": 3.0}, {"prediction": 4}],
            "RowError",
            "ManifestError",
            [{"prediction": 8}],
        ]
        assert answers[0]["digest"] == digest
        assert answers[0]["runtime"]["engine"] == "times 1.0"
        assert answers[1]["remedy"] == "Give a number."


def test_a_lean_copy_is_answered_from_by_naming_its_form(travelled, write_package):
    plain = {"frame": "arrays", "preprocess": [], "requires": []}
    models = [{"files": [f"model.{end}"], "format": name, **plain} for end, name in (("json", "portable"), ("s", "s"))]
    folder, digest = write_package({"model.json": b'{"factor":2}', "model.s": b"large"}, models=models)
    (folder / "model.s").unlink()
    code, (answer,) = travelled(folder, "--format", "portable", requests=b'{"rows": [{"x": 1.5}]}')
    assert (code, answer["rows"], answer["digest"]) == (0, [{"prediction": 3.0}], digest)
    assert travelled(folder)[1][0]["kind"] == "IntegrityError"


WATCH = """
import sys
sys.path[:] = [path for path in sys.path if 'site-packages' not in path] + [sys.argv[1]]
sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in str(finder)]
from _mlopskit_runtime import watch
with watch(sys.argv[2], alias="production", every=60) as model:
    print(model.predict([{"x": 2}]), model.state.failure, 'mlopskit' in sys.modules)
"""


def test_it_follows_an_alias_with_nothing_of_mlopskit_installed(travelled, published, tmp_path):
    del travelled
    arguments = [str(tmp_path / "target"), str(published[0])]
    command = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", WATCH, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[{'prediction': 4}] None False\n", "")


def said(arguments, capsys, monkeypatch, requests=b""):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(requests)))
    code = main([str(argument) for argument in arguments])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_cannot_be_opened_is_said_and_nothing_answered(published, capsys, monkeypatch):
    model, folder, _ = published
    wrong = {
        (folder, "--digest", "sha256:" + "0" * 64): (3, "IntegrityError"),
        (folder, "--digest", "sha256:x"): (2, "UnsafeNameError"),
        (model, "--alias", "candidate"): (3, "AliasError"),
        (model, "--alias", "../x"): (2, "UnsafeNameError"),
        (folder.parent / "absent",): (2, "UnsafeNameError"),
        (folder, "--format", "onnx"): (3, "PackageError"),
    }
    for arguments, (code, kind) in wrong.items():
        found, answers = said(arguments, capsys, monkeypatch, REQUESTS)
        assert (found, [answer["kind"] for answer in answers]) == (code, [kind])
        assert answers[0]["remedy"]


def test_an_alias_of_nothing_or_a_damaged_one_answers_nothing(published, capsys, monkeypatch):
    model, _, _ = published
    record = model / "aliases" / "production" / "1" / "record.json"
    good = record.read_bytes()
    record.write_bytes(good.replace(json.loads(good)["digest"].encode(), b"").replace(b'"digest":""', b'"digest":null'))
    code, (answer,) = said([model, "--alias", "production"], capsys, monkeypatch)
    assert (code, answer["kind"]) == (3, "AliasError")
    assert "Nothing is live" in answer["error"]
    record.unlink()
    record.mkdir()
    code, (answer,) = said([model, "--alias", "production"], capsys, monkeypatch)
    assert (code, answer["kind"]) == (3, "StorageError")
    assert "cannot be read" in answer["error"]


def test_an_alias_that_names_another_models_package_answers_nothing(published, write_package, capsys, monkeypatch):
    model, _, digest = published
    _, other = write_package(root=model / "packages", name="other")
    record = model / "aliases" / "production" / "1" / "record.json"
    record.write_bytes(record.read_bytes().replace(digest.encode(), other.encode()))
    code, (answer,) = said([model, "--alias", "production"], capsys, monkeypatch)
    assert (code, answer["kind"]) == (3, "IntegrityError")
    assert "names a package of 'other'" in answer["error"]


def test_loaders_may_be_given(published, capsys, monkeypatch):
    _, folder, _ = published
    space = {}
    exec(LOADER, space)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"rows": [{"x": 1}]}')))
    loader = type("Loader", (), {"load": staticmethod(space["load"])})
    assert main([str(folder)], loaders={"portable": loader}) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [{"prediction": 2}]


# Lambda's runtime brings it; whoever reads no bucket of S3 does without it.
OF_ITS_SERVICE = {"objects.py": {"boto3", "botocore"}}


def test_the_runtime_needs_the_standard_library_alone():
    files = [*Path(runtime.__path__[0]).glob("*.py")]
    assert len(files) > 8
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            late = OF_ITS_SERVICE.get(file.name, set()) if line.startswith(" ") else set()
            if line.lstrip().startswith(("import ", "from ")) and not line.lstrip().startswith("from ."):
                assert line.split()[1].split(".")[0] in {*sys.stdlib_module_names, "__future__", *late}, (file, line)


PRINTING = """
print("imported")


class Twice:
    pass


def double(x):
    print("called")
    return x * 2
"""


class CodeLoader:
    """A loader of a form that is a function of the package's own code."""

    @staticmethod
    def load(files, spec):
        double = spec["code"].find("own.double", "double")
        assert sorted(files) == ["model.json"]
        return type("Scorer", (), {"score": lambda _, rows: {"prediction": [double(x) for x in rows["x"]]}})()


@pytest.fixture
def with_code(write_package, manifest):
    files = {"code/own/double.py": PRINTING.encode(), "model.json": b"{}"}
    models = [{**manifest["models"][0], "files": [*files]}]
    return write_package(files, models=models)


def test_code_runs_where_its_digest_is_named_and_its_output_is_no_answer(with_code, capsys, monkeypatch):
    folder, digest = with_code
    loaders = {"portable": lambda: CodeLoader}
    for trust in ([], ["--trust-code", f"sha256:{'0' * 64}"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"rows": [{"x": 2}]}')))
        assert main([str(folder), *trust], loaders=loaders) == 3
        said = capsys.readouterr()
        assert json.loads(said.out)["kind"] == "UntrustedCodeError"
        assert digest in json.loads(said.out)["remedy"]
        assert "imported" not in said.err
    arguments = [str(folder), "--trust-code", f"sha256:{'0' * 64}", "--trust-code", digest]
    assert main(arguments, loaders=loaders) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["rows"] == [{"prediction": 4.0}]
    assert said.err.split() == ["imported", "called"]


def test_files_in_code_that_are_no_modules_of_a_form_do_not_open(write_package, manifest):
    for path in ("code/own/double.txt", "code/own/double.py"):
        folder, digest = write_package({path: b"", "model.json": b"{}"})
        with pytest.raises(ManifestError, match=f"lists '{path}', which is no module that a form of the model uses"):
            open_package(folder, digest=digest)
