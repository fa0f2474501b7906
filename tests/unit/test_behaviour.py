from __future__ import annotations

from pathlib import Path

import pytest

from mlopskit.behaviour import Case, Directional, Invariance, read, run
from mlopskit.errors import ConfigError, RowError


class Counting:
    """Predicts by how often a text says "good"."""

    def score(self, rows):
        counts = [text.count("good") for text in rows["text"]]
        return {"prediction": ["p" if n else "n" for n in counts], "probability.p": [n / 10 for n in counts]}


class Constant:
    def __init__(self, prediction):
        self.prediction = prediction

    def score(self, rows):
        return {"prediction": [self.prediction for _ in rows["text"]]}


def case(text="a good day", prediction="p"):
    return Case(name="praise", row={"text": text}, prediction=prediction)


def direction(before, after, change, output="probability.p"):
    return Directional(name="more", before={"text": before}, after={"text": after}, output=output, change=change)


def alike(*texts):
    return Invariance(name="alike", rows=[{"text": text} for text in texts])


def test_what_holds_fails_nothing():
    cases = [
        case(),
        case("bad", "n"),
        alike("good", "good good", "not good"),
        direction("good", "good good", "up"),
        direction("good", "good", "up"),
        direction("good", "good", "down"),
        direction("good", "bad", "down"),
    ]
    assert run(cases, Counting()) == ()


class Several:
    """Predicts two targets: whether a text is good, and whether it is short."""

    def score(self, rows):
        return {
            "prediction.good": ["good" in text for text in rows["text"]],
            "prediction.short": [len(text) < 6 for text in rows["text"]],
            "probability.short.True": [1 / len(text) for text in rows["text"]],
        }


def test_of_several_targets_those_that_are_named_are_looked_at():
    assert run([case("good", {"good": True}), case("good", {"short": True, "good": True})], Several()) == ()
    assert run([case("bad", {"short": True, "good": True})], Several()) == (
        "praise: expected good = True, answered False.",
    )
    assert run([case("bad", {"good": 0})], Several()) == ("praise: expected good = 0, answered False.",)
    assert run([alike("good", "good."), direction("good", "good.", "down", "probability.short.True")], Several()) == ()
    assert run([alike("good", "very good")], Several()) == (
        "alike: expected the same prediction for all 2 rows, answered (True, True), (True, False).",
    )
    for wrong in ({"god": True}, True):
        with pytest.raises(ConfigError, match="unknown output 'prediction"):
            run([case("bad", wrong)], Several())


def test_a_table_of_predictions_is_read(tmp_path):
    text = '[[case]]\nname = "a"\nrow = { text = "x" }\nprediction = { good = true }\n'
    (tmp_path / "b.toml").write_text(text)
    assert read(tmp_path / "b.toml") == (Case(name="a", row={"text": "x"}, prediction={"good": True}),)
    (tmp_path / "b.toml").write_text(text.replace("{ good = true }", "{}"))
    with pytest.raises(ConfigError, match="or a table of these by target"):
        read(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("one", "failure"),
    [
        (case("bad"), "praise: expected 'p', answered 'n'."),
        (alike("good", "bad"), "alike: expected the same prediction for all 2 rows, answered 'p', 'n'."),
        (
            direction("good good", "good", "up"),
            "more: expected probability.p not to fall, answered 0.2 before and 0.1 after.",
        ),
        (
            direction("bad", "good", "down"),
            "more: expected probability.p not to rise, answered 0 before and 0.1 after.",
        ),
    ],
)
def test_a_failure_names_the_case_what_was_expected_and_what_was_answered(one, failure):
    assert run([case(), one], Counting()) == (failure,)


@pytest.mark.parametrize(("expected", "answered"), [(True, 1), (1, True), ("1", 1), (1, 2)])
def test_a_prediction_of_another_type_is_another_prediction(expected, answered):
    assert len(run([case(prediction=expected)], Constant(answered))) == 1
    assert run([case(prediction=expected)], Constant(expected)) == ()


def test_an_unknown_output_is_named_with_the_nearest():
    with pytest.raises(
        ConfigError, match=r"'more' has the unknown output 'probability.P'. Did you mean 'probability.p'"
    ):
        run([direction("a", "b", "up", output="probability.P")], Counting())


def test_a_row_that_the_model_refuses_is_named():
    class Strict:
        def score(self, _):
            raise RowError("The data lacks the column 'text'.", remedy="Give exactly these columns: 'text'.")

    with pytest.raises(ConfigError, match="'praise' does not fit the model: The data lacks the column 'text'"):
        run([case()], Strict())


def test_rows_of_one_case_have_the_same_columns():
    rows = [{"text": "a", "other": 1}, {"text": "b", "othr": 1}]
    with pytest.raises(ConfigError, match=r"'alike' has the unknown column 'oth.*Did you mean 'oth"):
        run([Invariance(name="alike", rows=rows)], Counting())


def write(folder: Path, text: str) -> Path:
    file = folder / "behaviour.toml"
    file.write_text(text, encoding="utf-8")
    return file


WHOLE = """
[[case]]
name = "a complaint"
row = { text = "é" }
prediction = "n"
[[invariance]]
name = "names"
rows = [{ text = "a" }, { text = "b" }]
[[directional]]
name = "praise"
before = { text = "a" }
after = { text = "b" }
output = "probability.p"
change = "up"
"""


def test_the_three_kinds_are_read(tmp_path):
    assert read(write(tmp_path, WHOLE)) == (
        Case(name="a complaint", row={"text": "é"}, prediction="n"),
        Invariance(name="names", rows=[{"text": "a"}, {"text": "b"}]),
        Directional(name="praise", before={"text": "a"}, after={"text": "b"}, output="probability.p", change="up"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no test"),
        ("[[cases]]\n", "unknown key 'cases'. Did you mean 'case'"),
        ("case = 3", "case is no list of tables"),
        ("case = [3]", "case is no list of tables"),
        ("[case]\nname = 'a'", "case is no list of tables"),
        ("[[case", "is no TOML"),
        ("[[case]]\nname = 'a'\nrow = {x = 1}\n", r"\[\[case\]\] 1: prediction is missing"),
        (
            "[[case]]\nname = 'a'\nrow = {x = 1}\nprediktion = 1\n",
            "unknown key 'prediktion'. Did you mean 'prediction'",
        ),
        ("[[case]]\nname = ''\nrow = {x = 1}\nprediction = 1\n", "name is '', expected a text"),
        ("[[case]]\nname = 'a'\nrow = {}\nprediction = 1\n", "row is {}, expected a table of cells"),
        ("[[case]]\nname = 'a'\nrow = {x = [1]}\nprediction = 1\n", "row is .*expected a table of cells"),
        ("[[case]]\nname = 'a'\nrow = {x = 2020-01-01}\nprediction = 1\n", "row is .*expected a table of cells"),
        ("[[case]]\nname = 'a'\nrow = {x = 1}\nprediction = []\n", "prediction is .*expected a text, a number"),
        ("[[invariance]]\nname = 'a'\nrows = [{x = 1}]\n", "rows is .*expected a list of at least two tables"),
        (WHOLE.replace('"up"', '"more"'), 'change is \'more\', expected "up" or "down"'),
        (WHOLE.replace('output = "probability.p"', "output = 1"), "output is 1, expected the name of an output"),
        (WHOLE + "[[case]]\n", r"\[\[case\]\] 2: name is missing|is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        read(write(tmp_path, text))
    assert caught.value.remedy


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no.toml' cannot be read: No such file"):
        read(tmp_path / "no.toml")


def test_a_file_that_is_not_utf_8_is_refused(tmp_path):
    file = tmp_path / "behaviour.toml"
    file.write_bytes(b"[[case]]\nname = '\xff'")
    with pytest.raises(ConfigError, match="is no TOML"):
        read(file)
