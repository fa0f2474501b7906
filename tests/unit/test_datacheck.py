from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.data import Dataset
from mlopskit.datacheck import check, with_targets
from mlopskit.datareport import DataFinding, DataReport, from_error
from mlopskit.errors import DataError, UnknownNameError

MANY = [f"row {number}" for number in range(60)]
YES_NO = ["yes", "no"] * 30


def rows(labels, **columns):
    return Dataset(columns={**columns, "y": list(labels)}, target="y")


def clean(**more):
    train = rows(YES_NO, a=[f"train {n}" for n in range(60)], **{name: both[0] for name, both in more.items()})
    test = rows(YES_NO, a=[f"test {n}" for n in range(60)], **{name: both[1] for name, both in more.items()})
    return train, test


def found(report):
    return {one.check: one for one in report.findings}


def only(report):
    assert len(report.findings) == 1, str(report)
    return report.findings[0]


def test_data_without_fault_pass_with_nothing_to_say():
    report = check(*clean())
    assert (report.findings, report.passed, report.train, report.test) == ((), True, 60, 60)
    report.enforce()


# --- columns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([None] * 60, "'b' has no cell that is not missing"),
        (["x", 1] * 30, "'b' has cells of several types: integer, string"),
    ],
)
def test_a_column_of_no_type_or_several_is_refused(cells, reason):
    one = only(check(*clean(b=(cells, cells))))
    assert (one.check, one.severity) == ("columns", "refuse")
    assert reason in one.reason


def test_data_without_a_column_beside_the_target_are_refused():
    one = only(check(rows(YES_NO), rows(YES_NO)))
    assert (one.check, one.severity) == ("columns", "refuse")


def test_test_rows_with_other_columns_are_refused():
    one = only(check(rows(YES_NO, a=MANY), rows(YES_NO, b=MANY)))
    assert (one.check, one.severity) == ("columns", "refuse")


def schema(**types):
    return {"properties": {name: {"type": kind} for name, kind in types.items()}}


@pytest.mark.parametrize(
    ("before", "severity", "reason"),
    [
        ({"a": "string"}, "refuse", "'b' is new"),
        ({"a": "string", "b": "number", "c": "number"}, "refuse", "'c' is gone"),
        ({"a": "string", "b": "string"}, "refuse", "'b' was string, is number"),
        ({"a": "string", "b": "boolean"}, "refuse", "'b' was boolean, is number"),
        ({"a": "string", "b": "integer"}, "warn", "'b' was integer, is number"),
        ({"a": ["string", "null"], "b": "number"}, "warn", "'a' was null or string, is string"),
        ({"a": ["string", "null"], "b": "string"}, "refuse", "'b' was string, is number"),
    ],
)
def test_a_schema_that_is_not_the_last_packages_is_named(before, severity, reason):
    numbers = [n + 0.5 for n in range(60)]
    report = check(*clean(b=(numbers, numbers)), before=schema(**before))
    one = next(one for one in report.findings if one.severity == severity)
    assert one.check == "drift"
    assert reason in one.reason
    assert report.passed == (severity == "warn")
    assert check(*clean(b=(numbers, numbers)), before=schema(**before), allow=["drift"]).passed


def test_the_same_schema_is_no_drift():
    assert not check(*clean(), before=schema(a="string")).findings


# --- targets ------------------------------------------------------------------------------------------------------


def test_rows_without_a_target_are_counted_named_and_left_out():
    kept, (one,) = with_targets(rows(["yes", None, "no", None], a=["p", "q", "r", "s"]))
    assert kept.columns["a"] == ["p", "r"]
    assert (one.check, one.severity, one.count, one.rows) == ("target", "refuse", 2, ("row 1", "row 3"))
    assert one.reason == "2 of 4 rows lack the target 'y'"
    kept, (one,) = with_targets(rows([None, None], a=["p", "q"]))
    assert (len(kept), one.reason) == (0, "no row has the target 'y'")
    assert with_targets(rows(["yes"], a=["p"]))[1] == []


def test_one_class_alone_is_refused():
    train, test = clean()
    one = only(check(rows(["yes"] * 60, a=train.columns["a"]), rows(["yes"] * 60, a=test.columns["a"])))
    assert (one.check, one.severity, one.count) == ("classes", "refuse", 60)
    assert one.reason == "all training rows have the same 'y': 'yes'"


def test_classes_of_one_row_or_of_test_rows_alone_are_named():
    train = rows([*YES_NO[:-1], "rare"], a=[f"train {n}" for n in range(60)])
    test = rows([*YES_NO[:-1], "new"], a=MANY)
    findings = check(train, test).findings
    assert [(one.check, one.severity, one.count, one.rows) for one in findings] == [
        ("classes", "warn", 1, ("test row 59",)),
        ("classes", "warn", 1, ("train row 59",)),
    ]
    assert "'new'" in findings[0].reason


def test_quantities_are_no_classes():
    train, test = clean()
    for labels in ([n + 0.5 for n in range(60)], list(range(60))):
        assert not check(rows(labels, a=train.columns["a"]), rows(labels[::-1], a=test.columns["a"])).findings


def test_few_rows_are_named_with_what_they_can_prove():
    report = check(rows(["yes", "no"], a=["p", "q"]), rows(YES_NO[:6], a=MANY[:6]))
    reasons = [one.reason for one in report.findings if one.check == "rows"]
    assert reasons == [
        "there are only 2 training rows",
        "there are only 6 test rows; if all were right, a share of 0.606 would be proven",
    ]
    assert report.passed


# --- rows that repeat ---------------------------------------------------------------------------------------------


def test_duplicates_and_conflicts_are_told_apart():
    train, test = clean()
    texts = list(train.columns["a"])
    texts[4] = texts[0]  # both yes
    texts[5] = texts[2]  # no against yes
    findings = found(check(rows(YES_NO, a=texts), test))
    assert findings.keys() == {"duplicates", "conflicts"}
    assert findings["duplicates"].rows == ("train row 4",)
    assert findings["conflicts"].rows == ("train row 5",)
    assert {one.severity for one in findings.values()} == {"warn"}
    numbers = rows([n + 0.5 for n in range(60)], a=texts)
    assert not check(numbers, rows([n + 0.5 for n in range(60)], a=test.columns["a"])).findings


PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), min_size=1, max_size=12)


@given(PAIRS, PAIRS)
def test_duplicates_and_leaks_are_what_comparing_each_with_each_finds(train, test):
    both = [*train, *test]
    findings = found(check(*(rows([y for _, y in side], a=[a for a, _ in side]) for side in (train, test))))
    again = [n for n, row in enumerate(both) if row in both[:n]]
    assert (findings["duplicates"].count if "duplicates" in findings else 0) == len(again)
    first = {}
    against = [n for n, (a, y) in enumerate(both) if first.setdefault(a, y) != y and n not in again]
    assert (findings["conflicts"].count if "conflicts" in findings else 0) == len(against)
    leaked = [a for a, _ in test if a in {a for a, _ in train}]
    assert (findings["leakage"].count if "leakage" in findings else 0) == len(leaked)


def test_test_rows_among_the_training_rows_are_refused_unless_allowed():
    train, test = clean()
    texts = [*test.columns["a"]]
    texts[7] = train.columns["a"][7]
    report = check(train, rows(YES_NO, a=texts))
    one = found(report)["leakage"]
    assert (one.severity, one.count, one.rows) == ("refuse", 1, ("test row 7",))
    assert not report.passed
    assert check(train, rows(YES_NO, a=texts), allow=["leakage"]).passed


@pytest.mark.parametrize("text", ["TRAIN 7", " train\u00a0 7\t", "\uff54rain 7", "train\n7"])
def test_test_rows_that_differ_by_their_writing_alone_are_named(text):
    train, test = clean()
    texts = [*test.columns["a"]]
    texts[3] = text
    one = only(check(train, rows(YES_NO, a=texts)))
    assert (one.check, one.severity, one.count, one.rows) == ("near leakage", "warn", 1, ("test row 3",))


# --- values -------------------------------------------------------------------------------------------------------


def test_what_only_test_rows_have_is_named():
    kinds, odd = ["p", "q", "r"] * 20, [*["p", "q", "r"] * 19, "s", "p", "s"]
    one = only(check(*clean(b=(kinds, odd))))
    assert (one.check, one.severity, one.count, one.rows) == ("categories", "warn", 2, ("test row 57", "test row 59"))
    assert "'b' has values in test rows that no training row has: 's'" in one.reason
    one = only(check(*clean(b=(kinds, [None, *kinds[1:]]))))
    assert (one.check, one.severity, one.rows) == ("missing", "warn", ("test row 0",))
    assert not check(*clean(b=([None, *kinds[1:]], [None, *kinds[1:]]))).findings


# --- the report ---------------------------------------------------------------------------------------------------


def test_rows_of_files_are_named_by_file_and_line(tmp_path):
    (tmp_path / "a.csv").write_text("a,y\n\nx,p\nx,p\nz,\n")
    data = Dataset.read("a.csv", target="y", strict=False, root=tmp_path)
    kept, (lacking,) = with_targets(data)
    assert lacking.rows == ("a.csv:5",)
    one = found(check(kept, kept))["duplicates"]
    assert one.rows[0] == "a.csv:4"


def test_a_report_is_a_table_and_plain_json_and_may_raise():
    train, _ = clean()
    report = check(train, rows(YES_NO, a=train.columns["a"]))
    table = report.as_table()
    assert table["passed"] is False
    assert len(table["findings"][0]["rows"]) in {60, 100}
    assert table["rows"] == {"train": 60, "test": 60}
    assert report.table().columns == ("check", "severity", "count", "reason", "rows", "remedy")
    assert "test row 0, test row 1, test row 2 and 57 more" in str(report)
    assert "<table>" in report._repr_html_()
    with pytest.raises(DataError, match="The data check refuses: 60 of 60 test rows stand in the training") as caught:
        report.enforce()
    assert "leakage" in caught.value.message
    assert caught.value.remedy == report.refusals[0].remedy


def test_what_may_not_be_allowed_is_named():
    with pytest.raises(UnknownNameError, match="Did you mean 'drift'"):
        check(*clean(), allow=["drfit"])


def test_an_error_of_reading_is_a_finding_with_its_place(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,1\n1\n")
    (tmp_path / "b.csv").write_text("x,y\n1,1\n1e999,0\n")
    places = {}
    for name in ("a.csv", "b.csv", "c.csv"):
        with pytest.raises(DataError) as caught:
            Dataset.read(name, target="y", root=tmp_path)
        one = only(from_error(caught.value))
        assert (one.check, one.severity) == ("reading", "refuse")
        places[name] = one.rows
    assert places == {"a.csv": ("a.csv:3",), "b.csv": ("b.csv:3",), "c.csv": ()}


def test_warnings_alone_do_not_raise():
    warning = DataFinding(check="rows", severity="warn", count=1, reason="few", remedy="Give more rows.")
    DataReport(findings=(warning,)).enforce()


def test_warnings_are_lines_of_printable_text_with_their_rows_and_not_many():
    odd = DataFinding(
        check="x", severity="warn", count=5000, reason="a\nb\x1b[31m", remedy="c", rows=("a.csv:1", "b", "c", "d", "e")
    )
    refused = DataFinding(check="y", severity="refuse", count=1, reason="no", remedy="c")
    report = DataReport(findings=(odd, refused))
    assert report.warnings() == ["x: a\ufffdb\ufffd[31m (a.csv:1, b, c and 4,997 more)"]
    long = DataFinding(check="z", severity="warn", count=1, reason="l" * 5000, remedy="c")
    many = DataReport(findings=(long,) * 2000).warnings()
    assert (len(many), len(many[0]), many[-1]) == (20, 300, "and 1981 more")
    assert len(DataReport(findings=(long,) * 20).warnings()) == 20


def test_the_rows_that_stand_on_both_sides_are_kept_by_number():
    train, test = clean()
    both = rows(YES_NO, a=[*test.columns["a"][:58], *train.columns["a"][:2]])
    assert check(train, both).shared == (58, 59)
    assert check(train, both, allow=["leakage"]).shared == (58, 59)
    assert check(train, test).shared == ()


def test_training_rows_without_labels_are_checked_but_for_their_labels():
    train, test = clean()
    bare = rows([None] * 60, a=[*train.columns["a"][:58], "twin", "twin"])
    assert not check(bare, test).findings
    assert found(check(bare, rows(YES_NO, a=bare.columns["a"]))).keys() == {"leakage", "conflicts"}


# --- numbers as text ----------------------------------------------------------------------------------------------


def test_numbers_with_a_decimal_comma_are_named():
    price = [None, "1,5", "-1.234,5", "7", *["2"] * 56]
    one = found(check(*clean(price=(price, ["3,25"] * 60))))["decimal commas"]
    assert (one.severity, one.count, one.rows[:3]) == ("warn", 62, ("train row 1", "train row 2", "test row 0"))
    assert "'price' is text" in one.reason
    assert "1.5 instead of 1,5" in one.remedy


@pytest.mark.parametrize(
    "cells", [["1,5", "about 2"] * 30, ["12", "13"] * 30, ["1,5", "1,2,3"] * 30, [1.5, 2.5] * 30, ["", "1,x"] * 30]
)
def test_other_texts_are_no_numbers(cells):
    assert "decimal commas" not in found(check(*clean(b=(cells, cells))))


def test_a_target_with_decimal_commas_is_named_in_a_file(tmp_path):
    lines = "".join(f"{n};{n},5\n" for n in range(60))
    (tmp_path / "a.csv").write_text(f"x;y\n{lines}")
    data = Dataset.read("a.csv", target="y", separator=";", root=tmp_path)
    one = found(check(data.take(range(30)), data.take(range(30, 60))))["decimal commas"]
    assert one.rows[0] == "a.csv:2"
    assert "'y' is text" in one.reason


# --- several targets ----------------------------------------------------------------------------------------------


def of_two(train_labels, test_labels):
    """Return rows to train and to test on, of the targets p and q."""
    sides = {"train": train_labels, "test": test_labels}
    return [
        Dataset(columns={"a": [f"{side} {n}" for n in range(60)], "p": YES_NO, "q": list(labels)}, target=("p", "q"))
        for side, labels in sides.items()
    ]


def test_each_of_several_targets_is_checked():
    assert not check(*of_two(YES_NO, YES_NO)).findings
    one = only(check(*of_two(["same"] * 60, ["same"] * 60)))
    assert (one.check, one.severity) == ("classes", "refuse")
    assert "the same 'q'" in one.reason
    one = only(check(*of_two(YES_NO, [*YES_NO[:-1], "new"])))
    assert (one.severity, one.rows) == ("warn", ("test row 59",))
    assert "'q' has values in test rows that no training row has: 'new'" in one.reason


def test_rows_that_lack_one_of_several_targets_are_left_out():
    data = Dataset(columns={"a": [1, 2, 3], "p": ["x", None, "y"], "q": [None, 1, 2]}, target=("p", "q"))
    kept, (one,) = with_targets(data)
    assert kept.columns["a"] == [3]
    assert one.reason == "2 of 3 rows lack the target 'p', 'q'"


def test_rows_that_differ_in_one_of_several_targets_are_in_conflict():
    train, test = of_two(YES_NO, YES_NO)
    names = ["train 0" if n == 1 else f"train {n}" for n in range(60)]
    same = Dataset(columns={**train.columns, "a": names, "p": ["yes", *YES_NO[:-1]]}, target=("p", "q"))
    assert [one.check for one in check(same, test).findings] == ["conflicts"]
