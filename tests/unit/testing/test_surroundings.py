import os
import socket

import pytest

from mlopskit.testing.surroundings import at_once, contents, elsewhere, scratch, watched


def test_what_another_process_did_is_not_remembered_here():
    remembered = []
    assert elsewhere(lambda: remembered.append("there") or [os.getpid(), remembered]) != [os.getpid(), ["there"]]
    assert remembered == []


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (
            lambda: {"no", "json"},
            "not JSON serializable",
        ),  # the process must end there, and not go on as a second pytest
        (lambda: os._exit(3), "it died"),
    ],
)
def test_a_failure_in_another_process_is_one_here(act, says):
    with pytest.raises(AssertionError, match=f"In another process: (?s:.*){says}"):
        elsewhere(act)


def test_all_threads_end_before_their_error_is_raised():
    done = []
    with pytest.raises(ZeroDivisionError):
        at_once([lambda: 1 / 0, lambda: done.append(1), lambda: done.append(2)])
    assert sorted(done) == [1, 2]


def test_what_is_touched_is_seen(tmp_path):
    with scratch(tmp_path / "scratch"), watched() as watch:
        (tmp_path / "file").write_bytes(b"1")
        with socket.socket() as opened:
            opened.bind(("127.0.0.1", 0))
    (tmp_path / "later").write_bytes(b"2")
    assert watch.written == [(tmp_path / "file").resolve()]
    assert [event.split()[0] for event in watch.network] == ["socket.bind"]
    assert contents(tmp_path) == {"file": b"1", "later": b"2"}
