"""Ejected folders answer by themselves: elsewhere, with nothing installed, and refuse what the package refuses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import mlopskit as mk
from mlopskit.builtin.portable import madeup
from mlopskit.errors import StoreError

# Names that would leave a table, a quote, a shell's word, or be found in every JavaScript object.
HOSTILE = ["a|b", '"; rm -rf /', "__proto__", "`x`\n# y", "∂ é", "$name"]


def mixed(n=60):
    """Return rows of each type: hostile names, gaps, a category, an integer, a truth."""
    frame = pd.DataFrame({name: [0.25 * ((i * (k + 3)) % 11) for i in range(n)] for k, name in enumerate(HOSTILE)})
    frame["gaps"] = [None if i % 5 == 0 else 0.5 * (i % 7) for i in range(n)]
    frame["colour"] = pd.Series([("red", "green", "blue")[i % 3] for i in range(n)]).astype("str")
    frame["count"] = [i % 6 for i in range(n)]
    frame["flag"] = [i % 4 == 0 for i in range(n)]
    return frame, pd.Series([("no", "yes")[i % 2] for i in range(n)], name="label").astype("str")


def model():
    numbers = [*HOSTILE, "gaps", "count", "flag"]
    parts = [("numbers", SimpleImputer(add_indicator=True), numbers), ("colour", OneHotEncoder(), ["colour"])]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression())


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def package(registry):
    frame, labels = mixed()
    return mk.package(model().fit(frame, labels), frame, labels, name="mixed", registry=registry)


@pytest.fixture(scope="module")
def ejected(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere") / "mixed"
    mk.eject(package, folder, language="python", publish_rows=True)
    return folder


def run(folder, program, *arguments, stdin=""):
    return subprocess.run(
        [sys.executable, "-I", "-S", str(folder / program), *arguments],
        input=stdin, capture_output=True, check=False, encoding="utf-8", env={}, cwd=folder.parent,
    )  # fmt: skip


def good(package, **changes):
    return {**package.golden[0].row, **changes}


def test_it_answers_all_golden_rows_with_nothing_installed(package, ejected):
    rows = "".join(json.dumps(dict(one.row)) + "\n" for one in package.golden)
    said = run(ejected, "predict.py", stdin=rows)
    assert (said.returncode, said.stderr) == (0, "")
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert len(answers) == len(package.golden)
    for answer, one in zip(answers, package.golden, strict=True):
        assert answer.keys() == one.expected.keys()
        assert answer["prediction"] == one.expected["prediction"]
        assert answer["probability.yes"] == pytest.approx(one.expected["probability.yes"], abs=1e-12)


def test_its_self_test_passes_and_fails_where_the_model_is_another(package, ejected, tmp_path):
    said = run(ejected, "selftest.py")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"{len(package.golden)} rows, 0 answers that differ")
    broken = shutil.copytree(ejected, tmp_path / "broken")
    document = json.loads((broken / "model.json").read_text())
    linear = next(step for step in document["steps"] if step["op"] == "linear")
    linear["bias"][0] += 0.01
    (broken / "model.json").write_text(json.dumps(document))
    said = run(broken, "selftest.py")
    assert said.returncode == 1
    assert "row 0, 'probability.no': " in said.stdout
    assert "answers that differ, largest difference 0.0" in said.stdout


def test_another_process_with_other_hashes_writes_the_same_bytes(package, tmp_path):
    program = (
        "import sys, mlopskit as mk\npackage = mk.ModelPackage.open(sys.argv[1])\n"
        "for one in ('c', 'javascript', 'python'): mk.eject(package, sys.argv[2] + one, language=one)"
    )
    command = [sys.executable, "-c", program, str(package.folder), str(tmp_path / "there-")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    for language in ("c", "javascript", "python"):
        mk.eject(package, tmp_path / f"here-{language}", language=language)
        here, there = (contents(tmp_path / f"{place}-{language}") for place in ("here", "there"))
        assert here == there


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("file", "text"), [("model.json", "{}"), ("about.json", "[]"), ("about.json", "{"), ("model.json", None)]
)
def test_a_model_that_is_not_whole_is_said_to_be_none(ejected, tmp_path, file, text):
    copy = shutil.copytree(ejected, tmp_path / "copy")
    (copy / file).unlink()
    if text is not None:
        (copy / file).write_text(text)
    for program, code in (("predict.py", 3), ("selftest.py", 1)):
        told = run(copy, program, stdin="{}")
        assert (told.returncode, told.stdout) == (code, "")
        assert told.stderr.startswith("Error: the model in ")
        assert told.stderr.count("\n") == 1


def test_a_self_test_without_rows_is_not_passed(ejected, tmp_path):
    copy = shutil.copytree(ejected, tmp_path / "copy")
    (copy / "golden.jsonl").write_text("")
    assert run(copy, "selftest.py").returncode == 1


def test_made_up_rows_are_answered_and_hold_each_type(package, tmp_path):
    assert not mk.eject(package, tmp_path / "out", language="python").golden
    said = run(tmp_path / "out", "selftest.py")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.startswith(f"{madeup.ROWS} rows, 0 answers that differ, largest difference 0.")
    rows = [json.loads(line)["row"] for line in (tmp_path / "out" / "golden.jsonl").read_text("utf-8").splitlines()]
    assert {row["colour"] for row in rows} == {"red", "green", "blue"}
    assert {type(row["gaps"]) for row in rows} == {float, type(None)}
    assert {row["flag"] for row in rows} == {True, False}
    assert {type(row["count"]) for row in rows} == {int}


def test_a_model_that_answers_nothing_that_is_made_up_has_no_self_test_of_that(package, monkeypatch):
    files = {"model.json": (package.folder / "model.json").read_bytes()}
    spec = {"schema": package.manifest["schema"], "task": package.task, "frame": "pandas"}
    monkeypatch.setattr(madeup._Pool, "cell", lambda *_: "nothing that fits")
    with pytest.raises(StoreError, match="answers none of"):
        madeup.rows(files, spec)


def test_a_regression_is_compared_by_its_scale(registry, tmp_path):
    frame, _ = mixed()
    features, target = frame[["count", "flag"]].astype(float), 1e6 * frame["count"].rename("y")
    model = RandomForestRegressor(3, random_state=0).fit(features, target)
    package = mk.package(model, features, target, name="numbers", registry=registry)
    mk.eject(package, tmp_path / "out", language="python", publish_rows=True)
    assert run(tmp_path / "out", "selftest.py").returncode == 0
    about = json.loads((tmp_path / "out" / "about.json").read_text())
    assert about["golden"]["scale"] == package.scale > 1e6


def test_the_page_beside_it_shows_names_as_text(package, ejected):
    page = (ejected / "README.md").read_text("utf-8")
    assert page.startswith("# mixed\n")
    assert "| a\\|b | number |" in page
    assert "\n# y" not in page
    assert "| $name | number |" in page
    assert package.digest in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gaps": "x"}, "row 0, column 'gaps': 'x' is not number or null"),
        ({"flag": 1}, "row 0, column 'flag': 1 is not boolean"),
        ({"count": 1.5}, "row 0, column 'count': 1.5 is not integer"),
        ({"count": 2**63}, "column 'count': 9223372036854775808 is not integer"),
        ({"count": None}, "row 0, column 'count': None is not integer"),
        ({"__proto__": 10**400}, "column '__proto__': 1000000"),
        ({"colour": None}, "row 0, column 'colour': None is not string"),
        ({"colour": "mauve"}, "row 0: step "),
        ({"more": 1}, "row 0 has 'more'"),
    ],
)  # fmt: skip
def test_a_row_that_does_not_fit_is_refused_by_its_place(package, ejected, change, said):
    told = run(ejected, "predict.py", stdin=json.dumps(good(package, **change)))
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("Error: ")
    assert told.stderr.count("\n") == 1
    if said != "row 0: step ":
        assert said in told.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are no rows"),
        ("[]", "there are no rows"),
        ("{", "this is no JSON"),
        ("1 2", "row 0 is no object: 1"),
        ("{}", "row 0 lacks 'a|b'"),
        ('{"a": NaN}', "NaN is no JSON; a missing number is null"),
        ('{"a": 1, "a": 2}', "a row has a column twice"),
        ("[" * 100_000, "nested too deep"),
        ("9" * 5000, "this is no JSON"),
    ],
)
def test_what_is_no_row_is_refused(ejected, text, said):
    told = run(ejected, "predict.py", stdin=text)
    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_rows_may_stand_in_lists_and_lines(package, ejected):
    row = json.dumps(good(package), indent=2)
    told = run(ejected, "predict.py", stdin=f" [{row},\n{row}]{row}\n\n{row}\n")
    assert (told.returncode, len(told.stdout.splitlines())) == (0, 4)


def as_csv(rows):
    return pd.DataFrame(rows).to_csv(index=False)


def test_csv_says_the_same_as_json(package, ejected, tmp_path):
    rows = [dict(one.row) for one in package.golden]
    (tmp_path / "rows.CSV").write_text("\ufeff" + as_csv(rows), encoding="utf-8")
    told = run(ejected, "predict.py", str(tmp_path / "rows.CSV"))
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == run(ejected, "predict.py", stdin=json.dumps(rows)).stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("red", "r\ned"), "row "),
        (lambda text: text + "1,2\n", "cells, the first line has 10"),
        (lambda text: text.replace("gaps", "count"), "the first line has a column twice"),
        (lambda text: text.replace("True", "perhaps"), "'perhaps' is not boolean"),
        (lambda text: text.replace(",0.25,", ",nan,"), "nan is not number"),
        (lambda text: text.replace(",0.25,", ",1_0,"), "'1_0' is not number"),
        (lambda text: text + '"open', "this is no CSV"),
        (lambda text: text.encode() + b"\xff", "this is no UTF-8"),
        (lambda _: "", "there are no rows"),
    ],
)
def test_csv_that_does_not_fit_is_refused(package, ejected, tmp_path, change, said):
    text = change(as_csv([dict(one.row) for one in package.golden]))
    (tmp_path / "rows.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    told = run(ejected, "predict.py", str(tmp_path / "rows.csv"))
    assert (told.returncode, told.stdout) == (2, "")
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_a_file_that_is_not_there_and_too_many_words_end_with_2(ejected):
    assert "cannot be read" in run(ejected, "predict.py", "nothing.json").stderr
    assert run(ejected, "predict.py", "a", "b").returncode == 2
    assert "python -I -S predict.py" in run(ejected, "predict.py", "--help").stdout


def test_ctrl_c_ends_it_without_a_traceback(ejected):
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(ejected / "predict.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    # It has read this far when it waits for more; a pipe takes 64 kB, so the rest is taken only by a reader.
    process.stdin.write(b" " * 200_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert (process.returncode, error) == (130, b"")


def test_a_reader_that_has_enough_is_no_error(package, ejected):
    told = subprocess.run(
        f"set -o pipefail; {sys.executable} -c 'import sys; print(sys.argv[1] * 3000)' \"$ROW\" | "
        f"{sys.executable} -I -S {ejected / 'predict.py'} | head -1",
        shell=True, executable="/bin/bash", env={"ROW": json.dumps(good(package)), "PATH": os.environ["PATH"]},
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    assert told.stderr == ""
    assert len(told.stdout.splitlines()) == 1


def test_it_is_imported_from_anywhere(package, ejected):
    (ejected.parent / "user.py").write_text(
        "import sys; sys.path.insert(0, sys.argv[1]); import mixed.predict as one\n"
        "print(one.load().predict([one.json.loads(sys.argv[2])])[0]['prediction'])"
    )
    told = run(ejected.parent, "user.py", str(ejected.parent), json.dumps(good(package)))
    assert told.stderr == ""
    assert told.stdout.strip() == package.golden[0].expected["prediction"]


def test_it_runs_where_nothing_can_be_written(ejected, tmp_path):
    copy = shutil.copytree(ejected, tmp_path / "copy")
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert run(copy, "selftest.py").returncode == 0
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
