from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mlopskit import neardouble
from mlopskit.data import Dataset
from mlopskit.datacheck import check
from mlopskit.neardouble import near_doubles

WORDS = [f"word{number}" for number in range(500)]
TEXT = [" ".join(random.Random(seed).choices(WORDS, k=30)) for seed in range(100)]


def rows(texts: list[str]) -> Dataset:
    labels = [("yes", "no")[row % 2] for row in range(len(texts))]
    return Dataset(columns={"text": texts, "size": [*range(len(texts))], "y": labels}, target="y")


def changed(text: str, *places: int) -> str:
    return " ".join("other" if at in places else word for at, word in enumerate(text.split()))


@pytest.mark.parametrize(
    ("text", "near"),
    [
        (TEXT[3], True),
        (TEXT[3].upper().replace(" ", ", "), True),
        (changed(TEXT[3], 0), True),
        (changed(TEXT[3], 15), True),
        (f"{TEXT[3]} and more", True),
        (changed(TEXT[3], 5, 15, 25), False),
        (" ".join(reversed(TEXT[3].split())), False),
        (" ".join(TEXT[3].split()[:9]), False),
    ],
)
def test_a_text_with_a_word_changed_is_one_and_another_is_not(text: str, near: bool) -> None:  # noqa: FBT001
    assert near_doubles(rows(TEXT), rows(["x", text])) == ([1] if near else [])


def test_short_texts_are_alike_without_being_copies() -> None:
    assert near_doubles(rows(["a good thing indeed"] * 4), rows(["a good thing indeed"] * 4)) == []


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=8, max_size=16), min_size=2, max_size=12))
@hypothesis_settings(max_examples=50)
def test_they_are_what_comparing_each_with_each_finds(texts: list[list[str]]) -> None:
    half = len(texts) // 2
    train, test = ([" ".join(one) for one in part] for part in (texts[:half], texts[half:]))

    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[at : at + 3]) for at in range(len(words) - 2)} if len(words) >= 10 else set()

    def near(one: str) -> bool:
        pairs = [(runs(one), runs(other)) for other in train]
        return any(a and len(a & b) >= 0.8 * len(a | b) for a, b in pairs)

    assert near_doubles(rows(train), rows(test)) == [row for row, one in enumerate(test) if near(one)]


def test_the_data_check_warns_of_those_that_are_not_the_same_otherwise() -> None:
    texts = [changed(TEXT[0], 0), TEXT[1].upper(), *(f"p q r s t {text} x y z u v" for text in TEXT[2:60])]
    test = Dataset(columns={"text": texts, "y": ["yes", "no"] * 30}, target="y")
    train = Dataset(columns={"text": TEXT, "y": ["yes", "no"] * 50}, target="y")
    found = {one.check: one for one in check(train, test).findings}
    assert found["near doubles"].rows == ("test row 0",)
    assert found["near leakage"].rows == ("test row 1",)
    # It takes as long as a small model's training: a run does without.
    assert [one.check for one in check(train, test, thorough=False).findings] == ["near leakage"]


def test_of_very_many_rows_none_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neardouble, "MOST_ROWS", 100)
    assert near_doubles(rows(TEXT), rows(TEXT)) == []
