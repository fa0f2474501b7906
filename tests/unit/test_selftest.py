from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import mlopskit as mk
from mlopskit.badmodels import Workshop
from mlopskit.behaviour import Case, Directional
from mlopskit.builtin.scikit_learn import ScikitLearnTrainer
from mlopskit.errors import ConfigError, TrainingError
from mlopskit.selftest import SelfTest, Trial, Trying, _concluded
from mlopskit.trainer import Trainer

BAD = ["flipped labels", "shuffled", "constant", "1 % of rows", "class dropped"]


def points(count: int, classes: int, *, seed: int) -> mk.Dataset:
    """Return rows of classes that lie around corners, near enough to be taken for one another now and then."""
    drawn, noise = random.Random(seed), 0.45
    labels = [at % classes for at in range(count)]
    corners = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)]
    x, z = ([corners[label][side] + drawn.gauss(0, noise) for label in labels] for side in (0, 1))
    named = ["abc"[label] for label in labels]
    return mk.Dataset(columns={"x": x, "z": z, "kind": named}, target="kind")


def trying(
    *gates: str, classes: int = 2, trainer: Trainer | None = None, cases: Any = None, test: int = 200
) -> SelfTest:
    workshop = Workshop(
        trainer=trainer or ScikitLearnTrainer(estimator=LogisticRegression()),
        train=points(400, classes, seed=1),
        test=points(test, classes, seed=2),
        progress=lambda _: None,
    )
    return Trying(workshop=workshop, gates=[mk.Gate.parse(gate) for gate in gates], cases=cases).run()


@pytest.fixture(scope="module")
def careless() -> SelfTest:
    """Return what two gates say that leave a hole."""
    return trying("accuracy >= 0.52", "recall >= 0.7", "size_mb <= 1")


def of(found: SelfTest, model: str) -> Trial:
    return next(trial for trial in found.trials if trial.model == model)


def test_each_bad_model_is_made_and_tried(careless: SelfTest) -> None:
    assert [trial.model for trial in careless.trials] == [*BAD, "older schema"]
    assert of(careless, "flipped labels").refused_by == ("accuracy >= 0.52", "recall >= 0.7")


def test_the_older_schema_is_counted_apart(careless: SelfTest) -> None:
    older = of(careless, "older schema")
    assert older.note.startswith("the schema refuses it. The data has the unknown column 'z'")
    assert "older schema" not in careless.table().columns
    assert "Counted apart: older schema: the schema refuses it." in careless.text()


def test_what_only_one_gate_refuses_is_what_passes_without_it(careless: SelfTest) -> None:
    """Delete each gate, and look at what the others let through."""
    for gate in careless.gates:
        others = [one for one in careless.gates if one != gate]
        let_through = {trial.model for trial in trying(*others).let_through}
        already = {trial.model for trial in careless.let_through}
        assert let_through - already == set(careless.without(gate)), gate


def test_a_gate_that_alone_refuses_nothing_is_redundant() -> None:
    found = trying("accuracy >= 0.8", "accuracy >= 0.01", "accuracy >= 0.8")
    assert found.passed
    assert found.without("accuracy >= 0.8") == [trial.model for trial in found.counted]
    assert found.redundant == ["accuracy >= 0.01"]
    assert "Redundant: 'accuracy >= 0.01' refuses no" in found.text()
    assert found.table().rows[1][-1] == "redundant"


def test_what_is_measured_of_a_package_is_not_judged(careless: SelfTest) -> None:
    assert careless.unjudged == ("size_mb <= 1",)
    assert "size_mb <= 1" not in careless.gates


def test_a_bad_model_that_passes_names_the_gate_that_is_missing() -> None:
    found = trying("accuracy >= 0.1")
    assert not found.passed
    constant = of(found, "constant")
    assert constant in found.let_through
    assert constant.missing
    assert f"Passes all gates: constant. Missing: a gate such as {constant.missing!r}." in found.text()
    mended = trying("accuracy >= 0.1", *[trial.missing for trial in found.let_through if trial.missing])
    assert all(of(mended, trial.model).refused_by for trial in found.let_through if trial.missing)
    assert not mended.itself


def test_without_gates_every_bad_model_passes() -> None:
    found = trying()
    assert not found.passed
    assert {trial.model for trial in found.let_through} >= {"flipped labels", "constant"}
    assert found.text().startswith("There is no gate.")


def test_a_comparison_the_wrong_way_round_is_found_out() -> None:
    """What let a model of swapped labels through: '<=' for '>='. The model itself passes it too."""
    inverted = trying("accuracy <= production + 0.01")
    assert of(inverted, "flipped labels") in inverted.let_through
    assert not inverted.itself
    right = trying("accuracy >= production - 0.01")
    assert of(right, "flipped labels").refused_by == ("accuracy >= production - 0.01",)


def test_a_gate_on_every_slice_is_one_gate_in_the_table() -> None:
    def sliced(data: mk.Dataset) -> mk.Dataset:
        sides = ["left" if at % 3 else "right" for at in range(len(data))]
        return replace(data, columns={**data.columns, "side": sides}, slices=("side",))

    workshop = Workshop(
        trainer=ScikitLearnTrainer(estimator=LogisticRegression()),
        train=sliced(points(400, 2, seed=1)),
        test=sliced(points(300, 2, seed=2)),
        progress=lambda _: None,
    )
    gates = ["accuracy[side=*] >= 0.7", "accuracy[side=*] >= production - 0.1"]
    found = Trying(workshop=workshop, gates=[mk.Gate.parse(gate) for gate in gates]).run()
    assert found.gates == tuple(gates)
    assert not found.itself
    assert of(found, "flipped labels").refused_by == tuple(gates)


def test_a_gate_that_refuses_the_model_itself_does_not_count() -> None:
    found = trying("acuracy >= 0.8")
    assert found.itself == ("acuracy >= 0.8",)
    assert "Does not count: 'acuracy >= 0.8' refuses the model itself, too." in found.text()
    assert found.table().rows[0][-1] == "does not count"
    assert not found.redundant
    assert not found.passed
    assert of(found, "flipped labels") in found.let_through
    assert of(found, "flipped labels").missing


def evaluation(value: float, lower: float) -> mk.Evaluation:
    estimate = mk.Estimate(metric="accuracy", value=value, lower=lower, upper=1.0, n=9, method="clopper-pearson")
    return mk.Evaluation(dataset="", rows=9, estimates=(estimate,))


def test_without_enough_rows_no_gate_can_tell_them_apart() -> None:
    own, bad, flipped = evaluation(0.8, 0.5), evaluation(0.79, 0.5), evaluation(0.2, 0.1)
    trial = _concluded(Trial(model="x"), bad, own, flipped)
    assert trial == Trial(model="x")
    found = SelfTest(rows=9, gates=(), unjudged=(), itself=(), trials=(trial,))
    assert "Passes all gates: x. No metric tells it from the model itself" in found.text()
    assert _concluded(Trial(model="x"), evaluation(0.7, 0.4), own, flipped).missing == "accuracy >= 0.45"


def test_a_model_that_is_no_worse_is_counted_apart() -> None:
    own, flipped = evaluation(0.8, 0.5), evaluation(0.2, 0.1)
    trial = _concluded(Trial(model="x"), own, own, flipped)
    assert trial.note == "by no metric is it worse than the model itself"
    assert not SelfTest(rows=9, gates=(), unjudged=(), itself=(), trials=(trial,)).counted


def test_behavioural_tests_count_as_a_gate() -> None:
    case = Case(name="far right", row={"x": 3.0, "z": 0.0}, prediction="b")
    found = trying("accuracy >= 0.1", cases=[case])
    assert found.gates == ("accuracy >= 0.1", "behavioural tests")
    assert (
        of(found, "flipped labels").refused_by == ("behavioural tests",)
        or "accuracy >= 0.1" in of(found, "flipped labels").refused_by
    )
    assert "behavioural tests" in found.table().text()


def test_the_rarest_of_three_classes_is_dropped() -> None:
    found = trying("recall(c) >= 0.5", "accuracy >= 0.3", classes=3)
    dropped = of(found, "class dropped")
    assert dropped.refused_by or dropped.note, dropped
    assert of(found, "flipped labels").refused_by


def test_a_behavioural_test_of_an_output_that_a_bad_model_lacks_refuses_it() -> None:
    case = Directional(
        name="further up",
        before={"x": 0.0, "z": 0.0},
        after={"x": 0.0, "z": 2.0},
        output="probability.c",
        change="up",
    )
    found = trying(classes=3, cases=[case])
    assert of(found, "class dropped").refused_by == ("behavioural tests",)


def test_tests_that_do_not_fit_the_model_itself_are_an_error() -> None:
    with pytest.raises(ConfigError, match="far"):
        trying(cases=[Case(name="far", row={"w": 1.0}, prediction="a")])


def test_numbers_are_flipped_around_their_mean() -> None:
    def rows(seed: int) -> mk.Dataset:
        drawn = random.Random(seed)
        x = [drawn.uniform(0, 10) for _ in range(200)]
        return mk.Dataset(columns={"x": x, "y": [2 * one + drawn.gauss(0, 1) for one in x]}, target="y")

    workshop = Workshop(
        trainer=ScikitLearnTrainer(estimator=LinearRegression()), train=rows(1), test=rows(2), progress=lambda _: None
    )
    found = Trying(workshop=workshop, gates=[mk.Gate.parse("r2 >= 0.9")]).run()
    assert [trial.model for trial in found.trials] == [*BAD[:-1], "older schema"]
    assert all(of(found, model).refused_by == ("r2 >= 0.9",) for model in BAD[:3])
    assert "unknown column 'x'" in of(found, "older schema").note
    loose = Trying(workshop=workshop, gates=[mk.Gate.parse("mae <= 1000")]).run()
    assert of(loose, "constant").missing


class Fails(Trainer):
    """Cannot be trained on few rows."""

    name = "fails"

    def train(self, data: mk.Dataset, /) -> object:
        if len(data) < 10:
            raise TrainingError("There are too few rows.", remedy="Give more.")
        return ScikitLearnTrainer(estimator=LogisticRegression()).train(data)


def test_a_bad_model_that_cannot_be_made_is_counted_apart() -> None:
    found = trying("accuracy >= 0.8", trainer=Fails())
    assert of(found, "1 % of rows").note == "it could not be made: There are too few rows"
    assert found.passed


def test_what_is_shown_of_a_failure_is_one_line_of_printable_text() -> None:
    trial = Trial(model="x", note="it could not be made: \x1b[31mred\n{}\u2028")
    text = SelfTest(rows=9, gates=(), unjudged=(), itself=(), trials=(trial,)).text()
    assert len(text.splitlines()) == 3
    assert "\x1b" not in text
