"""Processes killed while they publish and move an alias: readers see old or new, whole; the next one completes."""

import random
import time

import pytest

from mlopskit.testing.faults import AFTER, BEFORE, MOMENTS, SHORT, Fault, FaultyDisk, dies, killed_after

ROUNDS = 220


def test_who_is_killed_at_any_step_of_a_move_leaves_the_old_or_the_new(share):
    share().move()
    counting = FaultyDisk()
    share(counting).move()
    steps = counting.steps
    assert steps.count("rename") == 2, "one rename shows the package, one the record"
    seen = steps.index("rename", steps.index("rename") + 1)
    killed = 0
    for at, step in enumerate(steps, 1):
        for moment in MOMENTS if step == "write" else (BEFORE, AFTER):
            before, _ = share().answer()
            disk = FaultyDisk(at, Fault(moment=moment))
            assert dies(lambda disk=disk: share(disk).move()), f"step {at}, {step}, {moment}"
            killed += 1
            number, package = share().answer()
            moved = at > seen + 1 or (at == seen + 1 and moment == AFTER)
            assert number == before + moved, f"step {at}, {step}, {moment}"
            assert package.files
            assert share().move().seq == number + 1
            assert share().hint() == share().alias.head().data()
    assert killed == 2 * len(steps) + steps.count("write")
    assert len(share().alias.history()) == share().answer()[0]


@pytest.mark.parametrize("moment", [BEFORE, SHORT, AFTER])
def test_who_is_killed_at_the_first_move_of_all_leaves_nothing_or_the_new(share, moment):
    counting = FaultyDisk()
    share(counting).move()
    for at in range(1, len(counting.steps) + 1):
        for number in (1, 2):
            share().storage.delete(f"sentiment/aliases/production/{number}")
        share().storage.hint("sentiment/aliases/production.json", b"")
        share().storage.delete("sentiment/packages")
        dies(lambda at=at: share(FaultyDisk(at, Fault(moment=moment))).move())
        assert share().answer()[0] in (0, 1)
        assert share().move().seq in (1, 2)
        assert share().answer()[1].files


def test_killed_at_random_moments_the_alias_always_answers(share, record_property):
    chance = random.Random(20)
    share().move()
    inside = {0: 0, 1: 0, 2: 0}
    numbers = []
    took = 0.01
    for _ in range(ROUNDS):
        before, _ = share().answer()
        # As long as a move takes on this machine now, and as long again.
        inside[killed_after(chance.uniform(0.001, 2 * max(0.01, took)), share().move)] += 1
        number, package = share().answer()
        assert number >= before
        assert package.files.keys() == {"manifest.json", "model/part0.bin", "model/part1.bin", "model/part2.bin"}
        begun = time.monotonic()
        assert share().move().seq == number + 1
        took = time.monotonic() - begun
        assert share().hint() == share().alias.head().data()
        numbers.append(number - before)
    record_property(
        "figure: real kills of a child that commits and moves an alias",
        f"{ROUNDS}: {inside[1]} inside a commit, {inside[2]} inside an append, 0 broken",
    )
    assert inside[1] + inside[2] >= ROUNDS // 2
    assert sum(numbers) > 0, "the children got so far as to move the alias"
    assert len(share().alias.history()) == share().answer()[0]
