"""Follow an alias: look at its newest record again and again, and hand each new one over until it is taken.

Whatever goes wrong is told by the state. A package that could not be taken is left alone for growing pauses, and a
place that is away is asked less and less often.
"""

from __future__ import annotations

import errno
import functools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from . import alias as records
from .alias import AliasRecord
from .errors import AliasError, MlopskitError, PackageError, StorageError, UsageError, printable
from .memory import Memory
from .places import Place

if TYPE_CHECKING:
    from logging import Logger

_FULL = (errno.ENOSPC, errno.EDQUOT)
LONGEST = 300.0  # seconds between two looks, or two tries with one package, while something is wrong

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class WatchState:
    """What a watched alias answers with, and how the last look at it went. Times are seconds since 1970.

    `record` is that of the model that answers, `since` when; with a `digest` of None nothing is live, and nothing
    answers. `checked` is when the newest record was last read, `failure` why it is not the one that answers (None: it
    is), `newest` the newest record, `tries` how often the package that it names was tried, and not taken; `next` is
    when the place is looked at again.
    """

    record: AliasRecord | None = None
    since: float | None = None
    checked: float | None = None
    failure: MlopskitError | None = None
    failed: float | None = None
    newest: AliasRecord | None = None
    tries: int = 0
    next: float | None = None

    @property
    def digest(self) -> str | None:
        """The digest of the package that answers."""
        return None if self.record is None else self.record.digest


def told(state: WatchState, /) -> dict[str, Any]:
    """Return what a state says to everybody, as values of JSON."""
    return {
        "record": state.record.seq if state.record else None,
        "moved": state.record.when if state.record else None,
        "live_since": _time(state.since),
        "checked": _time(state.checked),
        "failed": _time(state.failed),
        "newest": state.newest.digest if state.newest else None,
        "tries": state.tries,
    }


def _time(seconds: float | None) -> str | None:
    from datetime import UTC, datetime  # few ask so

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def check_pause(every: object, /) -> None:
    """Check that one can look every so many seconds.

    Raises:
        UsageError: one cannot.
    """
    if isinstance(every, bool) or not isinstance(every, int | float) or not 0 < every < math.inf:
        raise UsageError(f"Looking every {every!r} seconds is not possible.", remedy="Give a positive number.")


class Follower:
    """Follows one alias of a place. `take` is given each new record, and makes what it names answer, or raises.

    `aliases` is the key below which the place keeps the records.
    """

    def __init__(
        self,
        place: Place,
        /,
        *,
        alias: str,
        every: float,
        memory: Memory,
        take: Callable[[AliasRecord], None],
        aliases: str = "aliases",
    ) -> None:
        self.state = WatchState()
        self.every = every
        self.pause = every
        self.seen = memory.read("seen")
        self._place = place
        self._alias = alias
        self._memory = memory
        self._take = take
        self._aliases = aliases
        self._spoilt: _Spoilt | None = None
        self._failures = 0
        self._said = ""

    def look(self) -> WatchState:
        """Look at the place now, and take the newest record; return the state."""
        try:
            self._follow()
        except (Exception, SystemExit) as error:
            # Whatever a full disk or a package's code raises must not end what follows, nor the model that answers.
            self._fail(_bare(error))
        self.pause = self._pause()
        self.state = replace(self.state, next=time.time() + self.pause)
        return self.state

    def trying(self, digest: str, act: Callable[[], T], /) -> T:
        """Return what `act` makes of a package; one that has failed is left alone until it is tried again.

        A place that is away, or a full disk here, is no failure of the package.
        """
        spoilt = self._spoilt if self._spoilt and self._spoilt.digest == digest else None
        if spoilt and time.monotonic() < spoilt.until:
            raise _bare(spoilt.failure)  # raised again and again, one error would gather frames
        try:
            made = act()
        except (Exception, SystemExit) as error:
            failure = _bare(error)
            if not isinstance(failure, StorageError):
                tries = spoilt.tries + 1 if spoilt else 1
                self._spoilt = _Spoilt(digest, failure, tries, time.monotonic() + self._backoff(tries))
            raise
        self._spoilt = None
        return made

    def go_on_with(self, record: AliasRecord, /, *, since: float) -> None:
        """Say that the model of a record answers, since before the place could be looked at."""
        self.state = replace(self.state, record=record, since=since)

    def _follow(self) -> None:
        place, seen = self._place, self.seen
        get = functools.partial(place.get, limit=records.MAX_RECORD)
        record = records.follow(get, self._aliases, name=place.name, alias=self._alias, last=seen)
        if record is None:
            raise AliasError(
                f"The alias {self._alias!r} of {place.name!r} has no record.", remedy="Deploy a package to it first."
            )
        if record != seen:
            self._memory.write("seen", record)
            self.seen = record
        self.state = replace(self.state, checked=time.time(), newest=record)
        if record != self.state.record:
            self._change(record)
        self.state = replace(self.state, failure=None, failed=None, tries=0)
        self._failures = 0

    def _change(self, record: AliasRecord) -> None:
        self._take(record)
        before = self.state
        since = before.since if before.record and before.digest == record.digest else time.time()
        self.state = replace(before, record=record, since=since)
        _log().info("%s@%s: record %d is live, %s", self._place.name, self._alias, record.seq, record.digest)

    def _fail(self, failure: MlopskitError) -> None:
        self._failures = self._failures + 1 if isinstance(failure, StorageError) else 0
        spoilt = self._spoilt if self._spoilt and self._spoilt.failure.message == failure.message else None
        what = f"{spoilt.digest} was not taken: " if spoilt else ""
        text = what + printable(str(failure)).replace("\n", " ")
        if self._said != text or self.state.failure is None:
            self._said = text
            _log().warning("%s@%s: %s", self._place.name, self._alias, text)
        self.state = replace(self.state, failure=failure, failed=time.time(), tries=spoilt.tries if spoilt else 0)

    def _pause(self) -> float:
        # Many readers that were started at once, or that lost the place at once, must not ask it at once.
        import random

        return self._backoff(self._failures) * random.uniform(0.8, 1.0)  # noqa: S311  # no secret depends on it

    def _backoff(self, failures: int) -> float:
        return min(self.every * 2.0 ** min(failures, 30), max(self.every, LONGEST))


def _log() -> Logger:
    # Whoever loads a package and follows nothing does without it.
    import logging

    return logging.getLogger(__name__)


@dataclass(frozen=True)
class _Spoilt:
    """A package that could not be taken: why, after how many tries, and until when it is left alone."""

    digest: str
    failure: MlopskitError
    tries: int
    until: float


def _bare(error: BaseException) -> MlopskitError:
    """Return an error that holds no frames, and with them no packages, in memory."""
    if isinstance(error, MlopskitError):
        return type(error)(error.message, remedy=error.remedy, **error.culprits)
    if isinstance(error, OSError) and error.errno in _FULL:
        return StorageError(f"There is no space left here: {error}.", remedy="Make room on the disk of this machine.")
    return PackageError(f"{type(error).__name__}: {error}", remedy="Correct what the message names.")
