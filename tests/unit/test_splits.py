from __future__ import annotations

import datetime as dt
import hashlib
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlopskit.data import Dataset, overlap
from mlopskit.errors import ConfigError, DataError, UnknownNameError
from mlopskit.splits import place, split


def texts(cells, **columns):
    return Dataset(columns={"text": cells, **columns, "y": list(range(len(cells)))}, target="y", slices=tuple(columns))


# --- splitting ----------------------------------------------------------------------------------------------------


@given(st.lists(st.text(), min_size=30, max_size=60, unique=True), st.lists(st.text(), max_size=30), st.randoms())
def test_new_and_reordered_rows_never_move_old_ones(rows, new, shuffle):
    rows = [*rows, "in", "out"]  # so that neither side is ever empty
    more = [*rows, *new]
    shuffle.shuffle(more)
    train, test = split(texts(rows), share=0.5)
    train_after, test_after = split(texts(more), share=0.5)
    assert set(train.columns["text"]) <= set(train_after.columns["text"])
    assert set(test.columns["text"]) <= set(test_after.columns["text"])
    assert not overlap(train_after, test_after)
    assert len(train_after) + len(test_after) == len(more)


@given(st.dictionaries(st.text(), st.integers(1, 4), min_size=20), st.floats(0.2, 0.8))
def test_a_group_is_never_torn_apart(sizes, share):
    groups = [group for group, size in sizes.items() for _ in range(size)]
    data = texts([str(n) for n in range(len(groups))], group=groups)
    assume(0 < sum(place((group,)) < share for group in sizes) < len(sizes))
    train, test = split(data, share=share, by="group:group")
    assert not set(train.columns["group"]) & set(test.columns["group"])
    assert sorted(train.columns["text"] + test.columns["text"]) == sorted(data.columns["text"])


def test_rows_with_equal_inputs_stay_together_whatever_their_labels():
    rows = [str(n // 3) for n in range(300)]
    train, test = split(texts(rows))
    assert not set(train.columns["text"]) & set(test.columns["text"])


def test_rows_keep_their_order_and_the_share_is_met_on_average():
    rows = [f"{n:05}" for n in range(10_000)]
    train, test = split(texts(rows), share=0.2)
    assert sorted(train.columns["text"]) == train.columns["text"]
    assert sorted(test.columns["text"]) == test.columns["text"]
    assert len(test) == pytest.approx(2_000, abs=160)  # four standard deviations


def test_a_row_stays_where_it_was_when_more_rows_widen_its_type():
    assert place([1]) == place([1.0]) == place(["1"])
    assert place([True]) == place(["true"])
    assert len({place([None]), place([""]), place([0]), place([1.5]), place([-1])}) == 5
    assert place(["ab", "c"]) != place(["a", "bc"])


def test_the_place_of_known_content_never_changes():
    written = b"\x91\xb2The steak was bad!"  # MessagePack by hand
    assert place(["The steak was bad!"]) == int(hashlib.sha256(written).hexdigest()[:16], 16) / 2**64


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(share):
    with pytest.raises(ConfigError, match="share of test rows"):
        split(texts(["a", "b"]), share=share)


@pytest.mark.parametrize("by", ["", "rows", "group", "time", "time:"])
def test_an_unknown_way_to_split_is_refused_with_the_known(by):
    with pytest.raises(ConfigError, match="is no way to split"):
        split(texts(["a", "b"]), by=by)


def test_rows_without_an_input_column_cannot_be_split():
    with pytest.raises(DataError, match="no input columns beside the target 'y'"):
        split(Dataset(columns={"y": [0, 1, 0, 1]}, target="y"))


def test_two_rows_are_too_few_for_most_shares():
    with pytest.raises(DataError, match=r"Of 2 rows, split by 'row' with the share 0.01, none is left to test on"):
        split(texts(["a", "b"]), share=0.01)


def test_a_group_column_must_be_there_and_filled():
    with pytest.raises(UnknownNameError, match="Did you mean 'group'"):
        split(texts(["a"], group=["g"]), by="group:gruop")
    with pytest.raises(DataError, match="Row 1 has no 'group'"):
        split(texts(["a", "b"], group=["g", None]), by="group:group")


@pytest.mark.parametrize("side", ["train", "test"])
def test_no_side_of_a_split_is_empty(side):
    rows = [text for n in range(99) if (place([text := str(n)]) < 0.5) == (side == "train")]
    with pytest.raises(DataError, match=f"none is left to {side} on"):
        split(texts(rows), share=0.5)
    with pytest.raises(DataError, match="Of 0 rows"):
        split(texts([]))


CELLS = st.none() | st.text(max_size=3) | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | st.booleans()


@given(st.lists(st.tuples(CELLS, CELLS), min_size=5, max_size=40), st.lists(st.tuples(CELLS, CELLS)), st.randoms())
def test_rows_of_any_cells_stay_on_their_side(rows, new, shuffle):
    def sides(rows):
        data = Dataset(
            columns={"a": [a for a, _ in rows], "b": [b for _, b in rows], "y": [*range(len(rows))]}, target="y"
        )
        train, test = split(data, share=0.5)
        return [
            {(repr(a), repr(b)) for a, b in zip(one.columns["a"], one.columns["b"], strict=True)}
            for one in (train, test)
        ]

    assume(0 < sum(place(row) < 0.5 for row in rows) < len(rows))
    more = [*rows, *new]
    shuffle.shuffle(more)
    for before, after in zip(sides(rows), sides(more), strict=True):
        assert before <= after


def test_random_is_not_used():
    rows = [str(n) for n in range(50)]
    random.seed(1)
    first = split(texts(rows))
    random.seed(2)
    assert split(texts(rows)) == first


# --- by time ------------------------------------------------------------------------------------------------------

TIMES = st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1), timezones=st.none() | st.just(dt.UTC))  # noqa: DTZ001  # both


def dated(times):
    return texts([f"{number}" for number in range(len(times))], date=times)


@given(st.lists(TIMES, min_size=2), st.lists(TIMES), TIMES, st.randoms())
def test_by_time_no_new_row_moves_an_old_one(times, new, start, shuffle):
    def sides(times):
        train, test = split(dated([time.isoformat() for time in times]), by="time:date", start=start.isoformat())
        return set(train.columns["date"]), set(test.columns["date"])

    later = [time.replace(tzinfo=dt.UTC) >= start.replace(tzinfo=dt.UTC) for time in times]
    assume(len({*later}) == 2)
    more = [*times, *new]
    shuffle.shuffle(more)
    train, test = sides(times)
    assert train == {time.isoformat() for time, late in zip(times, later, strict=True) if not late}
    assert train <= sides(more)[0]
    assert test <= sides(more)[1]
    assert not set.intersection(*sides(more))


@pytest.mark.parametrize(
    ("times", "start", "tested"),
    [
        (["2023-12-31", "2024-01-01", "2024-01-02"], "2024-01-01", [False, True, True]),
        (["2024-01-01", "2024-01-01T00:00:01"], "2024-01-01T00:00:01", [False, True]),
        (["2024-01-01T00:30:00+01:00", "2024-01-01"], "2024-01-01T00:00:00Z", [False, True]),
        ([2019, 2020, 2021], "2020", [False, True, True]),
        ([1.5, 2], "1.75", [False, True]),
    ],
)
def test_rows_at_or_after_the_start_are_the_test(times, start, tested):
    train, test = split(dated(times), by="time:date", start=start)
    assert test.columns["date"] == [time for time, late in zip(times, tested, strict=True) if late]
    assert len(train) + len(test) == len(times)


def test_without_a_start_the_one_that_meets_the_share_is_proposed():
    times = [f"2024-01-{day:02}" for day in range(10, 20)]
    with pytest.raises(ConfigError, match="would move old rows") as caught:
        split(dated(times), by="time:date", share=0.2)
    assert 'from = "2024-01-18" tests on about 20%' in caught.value.remedy
    assert len(split(dated(times), by="time:date", start="2024-01-18")[1]) == 2


def test_times_that_cannot_be_compared_are_refused_by_row():
    for wrong in ("31.12.2024", "soon", ""):
        with pytest.raises(DataError, match=f"Row 1, column 'date': '{wrong}' is no date"):
            split(dated(["2024-01-01", wrong]), by="time:date", start="2024-01-01")
    with pytest.raises(DataError, match="Row 1 has no 'date'"):
        split(dated(["2024-01-01", None]), by="time:date", start="2024-01-01")
    with pytest.raises(DataError, match="cells of several types"):
        split(dated(["2024-01-01", 2024]), by="time:date", start="2024-01-01")
    with pytest.raises(UnknownNameError, match="Did you mean 'date'"):
        split(dated(["2024-01-01"]), by="time:dat", start="2024-01-01")


@pytest.mark.parametrize(("times", "expected"), [(["2024-01-01"], "a date or time"), ([2024], "a number")])
def test_a_start_that_is_no_time_is_refused(times, expected):
    with pytest.raises(ConfigError, match=f"from = 'soon' is not {expected}"):
        split(dated(times), by="time:date", start="soon")
    with pytest.raises(ConfigError, match="only for splits by time"):
        split(dated(times), by="row", start="2024-01-01")


def test_a_start_that_leaves_a_side_empty_is_refused():
    with pytest.raises(DataError, match=r"by 'time:date' from '2025-01-01', none is left to test on"):
        split(dated(["2024-01-01"]), by="time:date", start="2025-01-01")
    with pytest.raises(DataError, match="none is left to train on"):
        split(dated(["2024-01-01"]), by="time:date", start="2023-01-01")
