from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import mlopskit as mk
from mlopskit import robustness
from mlopskit.builtin.classification import ClassificationEvaluator
from mlopskit.data import Dataset
from mlopskit.errors import ConfigError, LimitError, PackageError, UnknownNameError
from mlopskit.relative import Comparing
from mlopskit.report import html, markdown
from mlopskit.robustness import perturbed

NAME = "mood"
TEXTS = [f"{word} film number {number}" for number in range(100) for word in ("good", "bad")]
LABELS = ["Positive", "Negative"] * 100
ALL = ("typos", "case", "missing")


def rows(count: int = 200) -> Dataset:
    """Return rows with a column of text, one that may lack cells, and one that may not."""
    columns: dict[str, Any] = {
        "text": TEXTS[:count],
        "age": [None if at % 20 == 0 else at for at in range(count)],
        "size": [float(at) for at in range(count)],
        "source": ["a", "b"] * (count // 2),
        "customer": [f"Customer {at // 4}" for at in range(count)],
        "label": LABELS[:count],
    }
    return Dataset(columns=columns, target="label", slices=("source",), group="customer")


def words(cells: Any) -> list[str]:
    return [word for cell in cells if cell is not None for word in cell.split()]


def test_only_inputs_are_changed_and_the_same_each_time() -> None:
    data = rows()
    found = perturbed(data, ALL, data.input_schema())
    assert [*found] == ["perturbed=typos", "perturbed=case", "perturbed=missing"]
    assert perturbed(data, ALL, data.input_schema()) == found
    for changed in found.values():
        assert changed.inputs == data.inputs
        assert changed.labels == data.labels
        assert changed.columns["customer"] == data.columns["customer"]
        assert changed.slices == ()
        assert len(changed) == len(data)
    differing = {
        slice: [name for name in data.inputs if changed.columns[name] != data.columns[name]]
        for slice, changed in found.items()
    }
    assert [*differing.values()] == [["text"], ["text"], ["age"]]


def test_about_each_tenth_word_has_one_typing_error() -> None:
    data = rows()
    (changed,) = perturbed(data, ["typos"], data.input_schema()).values()
    pairs = [*zip(words(data.columns["text"]), words(changed.columns["text"]), strict=True)]
    edited = [(before, after) for before, after in pairs if before != after]
    able = [before for before, _ in pairs if before.isalpha()]
    assert 0.05 < len(edited) / len(able) < 0.15
    assert {len(after) - len(before) for before, after in edited} == {-1, 0, 1}
    assert all(before.isalpha() for before, _ in edited)
    assert all(Counter(before) == Counter(after) for before, after in edited if len(before) == len(after))


@given(st.text(), st.integers())
def test_an_edit_tears_no_letter_apart(word: str, seed: int) -> None:
    letters = robustness._letters(word)
    assert "".join(letters) == word
    after = robustness._edited(word, random.Random(seed))
    twice = Counter(letters) + Counter(letters)
    assert not Counter(robustness._letters(after)) - twice
    assert abs(len(robustness._letters(after)) - len(letters)) <= 1
    assert (after != word) == any(a[0].isalpha() and b[0].isalpha() for a, b in itertools.pairwise(letters))


def test_accents_and_joined_signs_stay_with_their_letter() -> None:
    assert robustness._letters("e\u0301a") == ["e\u0301", "a"]
    assert robustness._letters("\U0001f469\u200d\U0001f680x") == ["\U0001f469\u200d\U0001f680", "x"]
    edits = {robustness._edited("e\u0301a", random.Random(seed)) for seed in range(50)}
    assert edits == {"ae\u0301", "a", "e\u0301e\u0301a"}
    assert {robustness._edited("ll", random.Random(seed)) for seed in range(50)} == {"l", "lll"}
    assert robustness._edited("2024-01-02", random.Random(0)) == "2024-01-02"


@given(st.text())
def test_the_case_of_a_text_with_one_always_changes(cell: str) -> None:
    found = {robustness._recased(cell, random.Random(seed)) for seed in range(20)}
    assert found <= {cell.upper(), cell.lower()}
    assert (cell in found) == (cell == cell.upper() == cell.lower())


def test_a_tenth_of_the_cells_of_columns_that_may_lack_some_goes() -> None:
    data = rows()
    (changed,) = perturbed(data, ["missing"], data.input_schema()).values()
    before, after = data.columns["age"], changed.columns["age"]
    assert all(cell is None for cell, known in zip(after, before, strict=True) if known is None)
    assert 0.03 < sum(a is None and b is not None for a, b in zip(after, before, strict=True)) / 190 < 0.2


@pytest.mark.parametrize(
    ("change", "columns", "needs"),
    [
        ("typos", {"x": [1, 2]}, "words of two letters or more in an input column of text"),
        ("typos", {"x": ["2024-01-02", "7"]}, "words of two letters or more in an input column of text"),
        ("case", {"x": ["1", "文"]}, "letters that have a case in an input column of text"),
        ("missing", {"x": ["good", "bad"]}, "an input column that lacks a cell in a training or test row"),
    ],
)
def test_what_would_change_nothing_is_refused(change: str, columns: dict[str, Any], needs: str) -> None:
    data = Dataset(columns={**columns, "y": ["a", "b"]}, target="y")
    with pytest.raises(
        ConfigError, match=f"'{change}' in robustness changes none of the 2 test rows: it needs {needs}"
    ):
        perturbed(data, [change], data.input_schema())


def test_unknown_changes_and_a_column_of_that_name_are_refused() -> None:
    data = rows()
    with pytest.raises(UnknownNameError, match="Did you mean 'typos'"):
        perturbed(data, ["typo"], data.input_schema())
    clash = Dataset(columns={"text": TEXTS, "perturbed": LABELS, "y": LABELS}, target="y", slices=("perturbed",))
    with pytest.raises(ConfigError, match="have a column 'perturbed'"):
        perturbed(clash, ["typos"], clash.input_schema())
    assert perturbed(clash, [], clash.input_schema()) == {}
    assert perturbed(data.take([]), ["typos"], data.input_schema()) == {}


class Careful:
    """Knows words as they are written: it answers only what it has seen."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def score(self, rows: mk.Columns, /) -> mk.Columns:
        said = [{"good": "Positive", "bad": "Negative"}.get(text.split()[0]) for text in rows["text"]]
        if self.error is not None and None in said:
            raise self.error
        return {"prediction": [one or "unknown" for one in said]}


def test_changed_rows_are_slices_of_their_own() -> None:
    data = rows()
    found = robustness.evaluate(ClassificationEvaluator(), Careful(), data, perturbed(data, ALL, data.input_schema()))
    assert found.find("accuracy").value == 1.0  # type: ignore[union-attr]
    assert found.find("accuracy", "source=a").value == 1.0  # type: ignore[union-attr]
    typos, case, missing = (found.find("accuracy", f"perturbed={change}") for change in ALL)
    assert typos is not None
    assert case is not None
    assert missing is not None
    assert 0.8 < typos.value < 1.0
    assert case.value < 0.6
    assert missing.value == 1.0
    assert typos.n == missing.n == 50  # groups
    assert mk.Gate.parse("accuracy[perturbed=typos] >= 0.8").judge(found).passed
    every = mk.Gate.parse("accuracy[perturbed=*] >= 0.8").findings(found)
    assert [one.passed for one in every] == [True, False, True]


def test_a_model_that_fails_on_changed_rows_passes_no_gate_on_them() -> None:
    data = rows()
    changed = perturbed(data, ["typos"], data.input_schema())
    model = Careful(PackageError("'goood' is unknown", remedy="x"))
    found = robustness.evaluate(ClassificationEvaluator(), model, data, changed)
    (estimate,) = [one for one in found.estimates if one.slice == "perturbed=typos" and one.metric == "accuracy"]
    assert estimate.reason == "the model fails on rows changed so (PackageError)"
    assert "goood" not in str(found)
    for gate in (
        "accuracy[perturbed=typos] >= 0.1",
        "accuracy.value[perturbed=typos] >= 0",
        "accuracy[perturbed=*] <= 1",
    ):
        (finding,) = mk.Gate.parse(gate).findings(found)
        assert not finding.passed
        assert "the model fails on rows changed so" in finding.reason
    table = robustness.table(found)
    assert ("typos", "accuracy", None, None, None, 0, None, estimate.reason) in table.rows
    with pytest.raises(LimitError):
        robustness.evaluate(ClassificationEvaluator(), Careful(LimitError("late", remedy="x")), data, changed)


def pack(registry: Path, *, lowercase: bool = True, **options: Any) -> mk.ModelPackage:
    model = make_pipeline(CountVectorizer(lowercase=lowercase), LogisticRegression()).fit(TEXTS, LABELS)
    return mk.package(model, TEXTS, LABELS, name=NAME, registry=registry, **options)


def test_a_package_is_judged_on_changed_rows_and_has_the_same_digest_each_time(tmp_path: Path) -> None:
    gates = ["accuracy >= 0.9", "accuracy[perturbed=case] >= 0.9", "accuracy[perturbed=typos] >= 0.7"]
    options: dict[str, Any] = {"gates": gates, "robustness": ["typos", "case"]}
    packages = [pack(tmp_path / name, **options) for name in ("one", "two")]
    assert packages[0].digest == packages[1].digest
    verdict = mk.Registry.at(tmp_path / "one").verdict(NAME, packages[0].digest)
    assert verdict is not None
    assert verdict.passed
    assert "| accuracy | perturbed=typos |" in packages[0].files["README.md"].decode()
    brittle = pack(tmp_path / "one", lowercase=False, **options)
    verdict = mk.Registry.at(tmp_path / "one").verdict(NAME, brittle.digest)
    assert verdict is not None
    assert [one.passed for one in verdict.findings] == [True, False, True]


def test_a_model_that_does_not_know_what_is_mistyped_is_refused_and_the_package_made(
    tmp_path: Path, package: mk.ModelPackage, registry: mk.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.alias(NAME, "production").append(package.digest, after=None, why="")
    texts = [{"text": colour} for colour in ("red", "blue")] * 50
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit([[one["text"]] for one in texts], LABELS[:100])
    gates = ["accuracy[perturbed=typos] >= 0.5", "accuracy[perturbed=typos] >= production - 0.9"]
    made = mk.package(model, texts, LABELS[:100], name=NAME, gates=gates, robustness="typos", registry=registry)
    verdict = registry.verdict(NAME, made.digest)
    assert verdict is not None
    assert [one.passed for one in verdict.findings] == [False, False]
    reason = "the model fails on rows changed so (PackageError)"
    assert verdict.findings[0].reason == reason
    assert verdict.findings[1].reason.endswith(f"cannot be compared on these rows: this package: {reason}")
    # What is mistyped is said here, and kept nowhere.
    assert "The model fails on the rows perturbed=typos" in caplog.text
    assert "Found unknown categories" in caplog.text


def test_changed_rows_are_compared_with_what_is_live_but_for_those_that_it_learned(tmp_path: Path) -> None:
    registry = mk.Registry.at(tmp_path / "registry")
    learned = [f"{text} again" for text in TEXTS]
    live = pack(tmp_path / "registry", X_train=learned)
    brittle = pack(tmp_path / "registry", lowercase=False)
    registry.alias(NAME, "production").append(live.digest, after=None, why="")
    data = Dataset.from_frame([*TEXTS, *learned[:100]], [*LABELS, *LABELS[:100]])
    comparing = Comparing(
        package=brittle,
        registry=registry,
        evaluator=ClassificationEvaluator(),
        data=data,
        perturbed=perturbed(data, ["typos", "case"], data.input_schema()),
    )
    slices = ("", "[perturbed=case]", "[perturbed=*]")
    plain, case, every = gates = [mk.Gate.parse(f"accuracy{slice} >= production - 0.1") for slice in slices]
    found = comparing.findings(gates)
    assert found[plain][0].passed
    assert not found[case][0].passed
    assert found[case][0].n == 200
    assert "difference -0.5 beyond production" in found[case][0].reason
    assert found[case][0].reason.endswith("compared on 200 of 300 rows: production was trained on 100")
    assert [one.gate[:24] for one in found[every]] == ["accuracy[perturbed=typos", "accuracy[perturbed=case]"]
    assert [one.passed for one in found[every]] == [True, False]


ASKED = 'gates = ["accuracy >= 0.75", "accuracy[perturbed=case] >= 0.6"]\nrobustness = ["case", "typos"]'


def asking(project: Path, asked: str = ASKED) -> mk.Project:
    file = project / "mlopskit.toml"
    settings = file.read_text().replace('gates = ["accuracy >= 0.75", "accuracy[source=b] >= 0.5"]', asked)
    file.write_text(settings)
    return mk.Project(file)


def test_a_project_asks_for_it_in_its_settings(fresh_project: Path) -> None:
    project = asking(fresh_project)
    run = project.run()
    assert run.outcome == "passed"
    assert run.metrics["accuracy[perturbed=case]"] == 1.0
    assert not project.run().changed
    again = project.evaluate()
    first = project.verdict(run.digest or "")
    assert first is not None
    assert again.verdict.findings == first.findings
    found = project.selftest()
    assert "accuracy[perturbed=case] >= 0.6" in found.gates
    assert found.itself == ()
    report = project.report()
    assert {row[0] for row in report.robustness().rows} == {"case", "typos"}
    assert not [row for row in report.slices().rows if "perturbed" in str(row[0])]
    assert "<h2><bdi>Robustness</bdi></h2>" in html(report)
    assert "<summary>Robustness</summary>" in markdown(report)


def test_what_cannot_be_changed_stops_a_run_before_it_trains(fresh_project: Path) -> None:
    project = asking(fresh_project, ASKED.replace('"typos"', '"missing"'))
    with pytest.raises(ConfigError, match="'missing' in robustness changes none of the"):
        project.run()
    assert project.runs()[-1].error.startswith("read: ")  # type: ignore[union-attr]


def test_a_mistyped_change_is_found_before_a_run_begins(fresh_project: Path) -> None:
    project = asking(fresh_project, ASKED.replace('"typos"', '"typo"'))
    with pytest.raises(UnknownNameError, match="Did you mean 'typos'"):
        project.run()
    assert len(project.runs()) == 0


def test_slices_of_another_kind_are_none_of_changed_rows() -> None:
    assert robustness.table(None).rows == []
    found = ClassificationEvaluator().evaluate(Careful(), rows())
    assert robustness.table(found).rows == []
    assert not robustness.is_change("perturbed=by hand")
