"""The conformance suite of storages over a network: what they must keep when requests and answers are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mlopskit.errors import MlopskitError
from mlopskit.storage import Storage
from mlopskit.testing.claims import no_error
from mlopskit.testing.faultproxy import FaultProxy, Kind, NetworkFault

_FOLDER: Mapping[str, Path | bytes] = {"a": b"1" * 1000, "b/c": b"2" * 1000, "last": b"3" * 1000}
_RECORD: Mapping[str, Path | bytes] = {"last": b"4" * 1000}
_EVER = 1_000_000
_LOST = (
    NetworkFault(kind="drop"),
    NetworkFault(kind="late status", status=500),
    NetworkFault(kind="late status", status=503),
    NetworkFault(kind="delay", seconds=1.0),  # longer than a storage waits that is made for these checks
)
_UNSENT = (
    NetworkFault(kind="reset"),
    NetworkFault(kind="cut", size=0),
    NetworkFault(kind="cut", size=1),
    NetworkFault(kind="cut", size=999),
    NetworkFault(kind="status", status=429, retry_after="1"),
    NetworkFault(kind="status", status=500),
    NetworkFault(kind="status", status=503),
    NetworkFault(kind="delay", seconds=0.2),
)
# The writes of a folder, and that of a record.
_WRITES = [(_FOLDER, skip) for skip in range(4)] + [(_RECORD, 0)]


def _name(value: object) -> str:
    if isinstance(value, NetworkFault):
        return " ".join(str(one) for one in (value.kind, value.status, value.size) if one)
    return "record" if value == (_RECORD, 0) else f"write {value[1] + 1}" if isinstance(value, tuple) else str(value)


class OutcomeConformance:
    """What a storage over a network must keep when that fails. Inherit it; write `upstream` and `connect`."""

    @pytest.fixture
    def upstream(self) -> int:
        """The port of this machine where the service answers, without faults."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `upstream`; see mlopskit.testing")

    @pytest.fixture
    def connect(self) -> Callable[[int], Storage]:
        """What returns the storage, always at the same new, empty place, by way of a port of this machine."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `connect`; see mlopskit.testing")

    @pytest.fixture
    def proxy(self, upstream: int) -> Iterator[FaultProxy]:
        """A proxy before the service."""
        with FaultProxy(upstream=upstream).running() as proxy:
            yield proxy

    @pytest.mark.parametrize("fault", _LOST, ids=_name)
    @pytest.mark.parametrize("write", _WRITES, ids=_name)
    def test_a_lost_answer_is_no_lost_race(
        self,
        proxy: FaultProxy,
        upstream: int,
        connect: Callable[[int], Storage],
        write: tuple[Mapping[str, Path | bytes], int],
        fault: NetworkFault,
    ) -> None:
        """Of a write that was done, but whose answer did not come, commit finds out that it was done, and by whom."""
        self._commit(proxy, upstream, connect, write, fault)

    @pytest.mark.parametrize("fault", _UNSENT, ids=_name)
    @pytest.mark.parametrize("write", _WRITES, ids=_name)
    def test_what_did_not_arrive_is_sent_again(
        self,
        proxy: FaultProxy,
        upstream: int,
        connect: Callable[[int], Storage],
        write: tuple[Mapping[str, Path | bytes], int],
        fault: NetworkFault,
    ) -> None:
        """A request that broke off, or that the service had no time for, is sent again."""
        self._commit(proxy, upstream, connect, write, fault)

    def _commit(
        self,
        proxy: FaultProxy,
        upstream: int,
        connect: Callable[[int], Storage],
        write: tuple[Mapping[str, Path | bytes], int],
        fault: NetworkFault,
    ) -> None:
        files, skip = write
        proxy.set(_at(fault, skip))
        advice = "commit failed, though nobody else was there, and the service came back. Try again."
        with no_error(fault=advice):
            said = connect(proxy.port).commit("x", files, last="last")
        assert proxy.happened, f"commit made fewer than {skip + 1} writes; this check needs to be told of that."
        found = _contents(connect(upstream))
        assert said is True, f"commit returned {said!r} for what it had done alone. Read back what stands there."
        assert found == files, f"commit returned True, but {sorted(found)} stands there, expected {sorted(files)}."

    @pytest.mark.parametrize("gone", ["writes", "all"])
    @pytest.mark.parametrize("kind", ["reset", "status", "drop"])
    @pytest.mark.parametrize("write", _WRITES, ids=_name)
    def test_what_is_not_known_is_never_called_done(
        self,
        proxy: FaultProxy,
        upstream: int,
        connect: Callable[[int], Storage],
        write: tuple[Mapping[str, Path | bytes], int],
        kind: Kind,
        gone: str,
    ) -> None:
        """When a service stays away, commit raises, or finds that it was done; once it is back, all can be done."""
        files, skip = write
        rest = NetworkFault(kind="reset", method=".*", times=_EVER, follows=True)
        proxy.set(NetworkFault(kind=kind, skip=skip, times=_EVER), *([rest] if gone == "all" else []))
        said = _outcome(lambda: connect(proxy.port).commit("x", files, last="last"))
        there = connect(upstream).stat("x/last") is not None
        assert said is not False, "commit returned False, but nobody else was there. Raise, where it is not known."
        assert there or said is not True, "commit returned True, and nothing is there. Raise, where it is not known."
        assert said is True or gone == "all" or not there, f"commit raised what it could have found out: {said}"
        again = connect(upstream).commit("x", files, last="last")
        found = _contents(connect(upstream))
        assert again is not there, (
            f"When the service was back, commit returned {again!r}; was it there before: {there}."
        )
        assert found == files, f"When the service was back, commit left {sorted(found)}, expected {sorted(files)}."

    @pytest.mark.parametrize(
        "fault",
        [
            NetworkFault(kind="truncate", method="GET", size=0),
            NetworkFault(kind="truncate", method="GET", size=500),
            NetworkFault(kind="flip", method="GET"),
            NetworkFault(kind="drop", method="GET"),
            NetworkFault(kind="status", method="GET|HEAD", status=503),
            NetworkFault(kind="status", method="GET|HEAD", status=429, retry_after="1"),
        ],
        ids=_name,
    )
    def test_reads_the_bytes_that_were_written_or_raises(
        self, proxy: FaultProxy, upstream: int, connect: Callable[[int], Storage], fault: NetworkFault
    ) -> None:
        """An answer that is cut short, or holds other bytes, is never given to a reader; once is once."""
        connect(upstream).commit("x", _FOLDER, last="last")
        proxy.set(NetworkFault(**{**vars(fault), "times": _EVER}))
        found = _outcome(lambda: connect(proxy.port).read("x/a", limit=2000))
        assert isinstance(found, MlopskitError) or found == _FOLDER["a"], (
            f"open gave out other bytes than were written when {_name(fault)!r} happened each time. Compare, and raise."
        )
        proxy.set(fault)
        with no_error(fault=f"open failed, though {_name(fault)!r} happened once. Try again."):
            found = connect(proxy.port).read("x/a", limit=2000)
        assert proxy.happened, "open asked the service nothing."
        assert found == _FOLDER["a"], f"After {_name(fault)!r} had happened once, open did not try again."


def _at(fault: NetworkFault, skip: int) -> NetworkFault:
    return NetworkFault(**{**vars(fault), "skip": skip})


def _outcome(act: Callable[[], object]) -> object:
    try:
        return act()
    except MlopskitError as error:
        return error


def _contents(storage: Storage) -> dict[str, bytes | None]:
    return {key.removeprefix("x/"): storage.read(key, limit=2000) for key, _ in storage.list("x")}
