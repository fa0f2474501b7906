from __future__ import annotations

from mlopskit.records import Run
from mlopskit.status import PlaceState, Status

RUN = Run(
    id="3",
    name="mood",
    outcome="passed",
    digest=None,
    changed=[],
    fingerprint={},
    seconds={},
    error=None,
    who="me",
    when="now",
)
GOOD = PlaceState(place="production", kind="endpoint", package="sha256:" + "0" * 64, state="live", since="today")
BAD = PlaceState(place="candidate", kind="alias", package=None, state="x" * 300, repair="mlopskit promote me")


def test_a_status_for_a_person() -> None:
    text = Status(name="mood", run=RUN, places=(GOOD, BAD)).text()
    assert text.splitlines()[0] == "mood: run 3 passed (now)"
    assert "production  endpoint  sha256:000000000000" in text
    # Whatever the table cut off, a fault is told in full with what mends it.
    assert f"candidate: {'x' * 300}\n  Repair: mlopskit promote me" in text
    assert "production: live" not in text


def test_a_status_of_nothing() -> None:
    status = Status(name="mood", run=None, places=())
    assert status.text() == "mood: no run yet"
    assert status.as_table() == {"name": "mood", "run": None, "places": []}


def test_a_status_as_a_table() -> None:
    table = Status(name="mood", run=RUN, places=(BAD,)).as_table()
    assert table["run"]["id"] == "3"
    assert table["places"] == [vars(BAD)]
