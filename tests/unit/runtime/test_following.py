import errno
import os
import shutil
from dataclasses import replace

import pytest

from mlopskit.runtime.errors import PackageError, RollbackError, StorageError, UsageError
from mlopskit.runtime.following import Follower, check_pause
from mlopskit.runtime.memory import Memory
from mlopskit.runtime.places import place_at


@pytest.fixture
def follow(published, tmp_path):
    """Return what follows the alias of a place, with what it is to do with a record."""

    def begin(take, **options):
        memory = Memory(tmp_path / "own", "sentiment", "production")
        place = place_at(str(published.folder), limit=0)
        return Follower(place, alias="production", every=1000, memory=memory, take=take, **options)

    return begin


def test_each_new_record_is_handed_over_once(published, follow):
    taken = []
    follower = follow(taken.append)
    for _ in range(2):
        assert follower.look().failure is None
    published.move(published.two)
    assert follower.look().digest == published.two
    published.move(None)
    assert follower.look().digest is None
    assert taken == published.records
    assert follower.seen == published.records[-1]


def test_records_below_another_key_are_followed(published, follow):
    (published.folder / "device").mkdir()
    (published.folder / "aliases").rename(published.folder / "device" / "aliases")
    assert follow(lambda _: None, aliases="device/aliases").look().digest == published.one


def test_a_record_that_was_not_taken_is_handed_over_again(published, follow):
    taken = []

    def take(record):
        taken.append(record)
        if len(taken) < 3:
            raise OSError(28, "No space left on device")

    follower = follow(take)
    states = [follower.look() for _ in range(3)]
    assert [state.digest for state in states] == [None, None, published.one]
    assert "No space left" in states[1].failure.message
    assert states[2].failure is None


def test_what_has_failed_is_left_alone_and_another_is_not(published, follow):
    follower, tried = follow(lambda _: None), []

    def fail(error):
        tried.append(error)
        raise error

    bad = PackageError("It is bad.", remedy="Take another.")
    for _ in range(3):
        with pytest.raises(PackageError, match="It is bad"):
            follower.trying(published.one, lambda: fail(bad))
    assert tried == [bad]
    assert follower.trying(published.two, lambda: 2) == 2
    for _ in range(2):  # a place that is away is no fault of the package
        with pytest.raises(StorageError):
            follower.trying(published.one, lambda: fail(StorageError("It is away.", remedy="Wait.")))
    assert len(tried) == 3


def test_what_answers_already_is_not_taken_again(published, follow):
    taken = []
    follower = follow(taken.append)
    follower.go_on_with(published.records[0], since=5.0)
    assert follower.look().since == 5.0
    assert taken == []
    shutil.rmtree(published.folder / "aliases" / "production" / "1")
    assert isinstance(follower.look().failure, RollbackError)
    assert follower.state.digest == published.one


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf"), True, "60", None])
def test_what_is_no_pause_is_refused(every):
    with pytest.raises(UsageError, match="seconds is not possible"):
        check_pause(every)


def test_what_was_tried_is_counted_and_said_once_for_each_package(published, follow, caplog):
    follower = follow(lambda record: follower.trying(record.digest, fail))

    def fail():
        raise PackageError("It is bad.", remedy="Take another.")

    assert [follower.look().tries for _ in range(3)] == [1, 1, 1]
    follower._spoilt = replace(follower._spoilt, until=0.0)
    assert follower.look().tries == 2
    published.move(published.two)
    follower.look()
    said = [record.getMessage() for record in caplog.records if "It is bad" in record.getMessage()]
    assert [published.one in text for text in said] == [True, False]
    assert [published.two in text for text in said] == [False, True]


def test_a_full_disk_is_no_fault_of_the_package(published, follow):
    room = []

    def fail():
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    follower = follow(lambda record: follower.trying(record.digest, fail))
    follower.every = 1.0
    pauses = [(follower.look(), follower.pause)[1] for _ in range(3)]
    assert isinstance(follower.state.failure, StorageError)
    assert "There is no space left here" in follower.state.failure.message
    assert pauses[0] < pauses[-1]
    room.append(1)
    assert follower.look().failure is None


def test_an_error_that_is_raised_again_and_again_gathers_nothing(published, follow):
    follower = follow(lambda record: follower.trying(record.digest, lambda: 1 / 0))
    for _ in range(3):
        follower.look()
    assert follower._spoilt.failure.__traceback__ is None
    assert follower.state.failure.__traceback__ is None
