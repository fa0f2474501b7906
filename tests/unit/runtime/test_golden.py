from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlopskit.errors import ManifestError, PackageError
from mlopskit.runtime import canonical, open_package
from mlopskit.runtime.golden import Comparison, GoldenRow, check_golden, compare_rows, examples_of
from mlopskit.runtime.scoring import Model

LABELS = {"prediction": "b", "probability.a": 0.25, "probability.b": 0.75}
TIE = {"prediction": "b", "probability.a": 0.5, "probability.b": 0.5}


def compared(
    expected: dict, answered: dict, *, labels: bool = True, tolerance: float = 1e-6, scale: float = 1.0
) -> Comparison:
    golden = [GoldenRow(row={"x": 1}, expected=expected)]
    return compare_rows(golden, [answered], labels=labels, tolerance=tolerance, scale=scale)


def test_equal_rows_agree() -> None:
    assert compared(LABELS, dict(LABELS)) == Comparison(mismatches=(), ties=0, largest=0.0)


@pytest.mark.parametrize("by", [0.9e-6, -0.9e-6])
def test_a_number_may_differ_within_the_tolerance(by: float) -> None:
    found = compared(LABELS, LABELS | {"probability.a": 0.25 + by})
    assert found.mismatches == ()
    assert found.largest == pytest.approx(0.9e-6)


@pytest.mark.parametrize("by", [1.1e-6, -1.1e-6, float("inf")])
def test_a_number_beyond_the_tolerance_is_a_mismatch(by: float) -> None:
    found = compared(LABELS, LABELS | {"probability.a": 0.25 + by})
    assert [(one.row, one.output) for one in found.mismatches] == [(0, "probability.a")]
    assert found.largest == pytest.approx(abs(by))


def test_the_tolerance_grows_with_large_expected_numbers_and_with_the_scale() -> None:
    assert not compared({"prediction": 1e6}, {"prediction": 1e6 + 0.9}, labels=False).mismatches
    assert compared({"prediction": 1e6}, {"prediction": 1e6 + 1.1}, labels=False).mismatches
    assert not compared({"prediction": 1.0}, {"prediction": 1.00005}, labels=False, scale=100).mismatches


@pytest.mark.parametrize("answered", ["a", None, "B", 1])
def test_another_label_is_a_mismatch(answered: object) -> None:
    assert compared(LABELS, LABELS | {"prediction": answered}).mismatches[0].answered == answered


def test_a_label_may_differ_at_a_tie_and_is_counted() -> None:
    found = compared(TIE, TIE | {"prediction": "a"})
    assert (found.mismatches, found.ties) == ((), 1)


def test_no_label_at_a_tie_is_a_mismatch() -> None:
    assert compared(TIE, TIE | {"prediction": None}).mismatches


def test_a_margin_of_more_than_twice_the_tolerance_is_no_tie() -> None:
    expected = {"prediction": "b", "probability.a": 0.5 - 1.1e-6, "probability.b": 0.5 + 1.1e-6}
    assert compared(expected, expected | {"prediction": "a"}).mismatches


def test_true_is_not_one() -> None:
    assert compared({"prediction": 1}, {"prediction": True}).mismatches
    assert compared({"prediction": 1.0}, {"prediction": True}, labels=False).mismatches


def test_a_whole_number_written_without_a_point_is_the_same_label() -> None:
    assert not compared({"prediction": 1.0}, {"prediction": 1}).mismatches


SEVERAL = {
    "prediction.p": "b", "prediction.q": "b",
    "probability.p.a": 0.5, "probability.p.b": 0.5, "probability.q.a": 0.25, "probability.q.b": 0.75,
}  # fmt: skip


def test_a_tie_is_one_of_its_own_target() -> None:
    found = compared(SEVERAL, SEVERAL | {"prediction.p": "a", "prediction.q": "a"})
    assert ([one.output for one in found.mismatches], found.ties) == (["prediction.q"], 1)


def test_each_output_has_its_scale() -> None:
    expected, answered = {"prediction.p": 1.0, "prediction.q": 1.0}, {"prediction.p": 1.00005, "prediction.q": 1.00005}
    golden = [GoldenRow(row={"x": 1}, expected=expected)]
    found = compare_rows(golden, [answered], labels=False, tolerance=1e-6, scale={"prediction.p": 100.0})
    assert [one.output for one in found.mismatches] == ["prediction.q"]


@pytest.mark.parametrize("answered", [{}, {"prediction": "b"}, LABELS | {"more": 1}])
def test_missing_and_extra_outputs_are_mismatches(answered: dict) -> None:
    assert compared(LABELS, answered).mismatches


def test_nothing_where_a_number_is_expected_is_a_mismatch() -> None:
    assert compared({"prediction": 1.0}, {"prediction": None}, labels=False).mismatches
    assert not compared({"prediction": None}, {"prediction": None}, labels=False).mismatches
    assert compared({"prediction": 1.0}, {"prediction": "1.0"}, labels=False).mismatches


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_rows_is_a_mismatch(count: int) -> None:
    golden = [GoldenRow(row={"x": 1}, expected=LABELS)]
    found = compare_rows(golden, [LABELS] * count, labels=True, tolerance=1e-6)
    assert (found.mismatches[0].expected, found.mismatches[0].answered) == (1, count)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False), st.floats(1e-12, 1e-2))
def test_numbers_agree_exactly_by_the_rule(expected: float, answered: float, tolerance: float) -> None:
    found = compared({"prediction": expected}, {"prediction": answered}, labels=False, tolerance=tolerance)
    within = abs(answered - expected) <= tolerance * max(1.0, abs(expected))
    assert bool(found.mismatches) is not within


class Half:
    """A scorer of one column."""

    def score(self, rows):
        return {"prediction": [x / 2 for x in rows["x"]]}


def opened(write_package, expected: list[float], **changes):
    """Return a package whose golden rows expect these numbers of 0, 1, 2 …, and its model, which answers the half."""
    rows = [
        canonical.dumps({"row": {"x": float(x)}, "expected": {"prediction": one}}) for x, one in enumerate(expected)
    ]
    files = {"model.json": b"", "golden.jsonl": b"".join(row + b"\n" for row in rows)}
    about = {"file": "golden.jsonl", "from": "test", "rows": len(rows), "scale": 1.0, "tolerance": 1e-6}
    folder, digest = write_package({**files, **changes}, golden=about)
    package = open_package(folder, digest=digest)
    schema = package.manifest["schema"]
    return package, Model(name="sentiment", digest=digest, format="half", schema=schema, scorer=Half())


def test_a_model_that_answers_as_its_golden_rows_say_is_taken(write_package) -> None:
    check_golden(*opened(write_package, [0.0, 0.5, 1.0 + 5e-7]))
    check_golden(*opened(write_package, []))


def test_many_golden_rows_are_asked_few_at_once_and_each_is_compared(write_package, monkeypatch) -> None:
    package, model = opened(write_package, [x / 2 for x in range(119)] + [0.0])
    asked = []
    monkeypatch.setattr(
        Half, "score", lambda _, rows: asked.append(rows["x"]) or {"prediction": [x / 2 for x in rows["x"]]}
    )
    with pytest.raises(PackageError, match=r"1 outputs of its 120 golden rows .* of row 119,"):
        check_golden(package, model)
    assert [x for part in asked for x in part] == [float(x) for x in range(120)]
    assert max(map(len, asked)) < 64  # from which on a scorer of tables loads numpy


def test_a_model_that_answers_otherwise_here_is_not(write_package) -> None:
    package, model = opened(write_package, [0.0, 0.5, 1.1, 9.0])
    with pytest.raises(
        PackageError, match=r"answers 2 outputs of its 4 golden rows .* 'prediction' is 1.0, expected 1.1"
    ):
        check_golden(package, model)


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"expected":1,"row":{}}', b'{"expected": {},"row":{}}'])
def test_a_line_that_is_no_golden_row_is_refused(write_package, line: bytes) -> None:
    package, model = opened(write_package, [], **{"golden.jsonl": line + b"\n"})
    with pytest.raises(ManifestError, match=r"golden\.jsonl"):
        check_golden(package, model)


def test_examples_are_short_rows_that_anybody_may_see(write_package) -> None:
    rows = [{"x": number} for number in range(5)]
    texts = [{"x": "a" * 5000}, *rows]
    lines = b"\n".join(canonical.dumps({"expected": {"prediction": 1}, "row": row}) for row in texts)
    about = {"file": "golden.jsonl", "rows": 6, "scale": 1.0, "tolerance": 0.0}
    files = {"model.json": b"{}", "golden.jsonl": lines}
    shown = {}
    for source in ("file", "synthetic", "test"):
        folder, digest = write_package(files, golden={**about, "from": source})
        shown[source] = examples_of(open_package(folder, digest=digest))
    assert shown == {"file": rows[:3], "synthetic": rows[:3], "test": []}
    folder, digest = write_package()
    assert examples_of(open_package(folder, digest=digest)) == []
