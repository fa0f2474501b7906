"""Watch an alias: answer with the model that it names, and change to the next one once that is checked and loaded.

The place is asked again and again. Whatever goes wrong there, the model that answers goes on answering, and `state`
says what is wrong.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from . import alias as records
from .alias import AliasRecord
from .errors import AliasError, MlopskitError, PackageError, StorageError, UsageError, printable
from .golden import check_golden
from .memory import Memory
from .names import check_name, hex_of
from .package import Package, open_package
from .places import Place, of_model, place_at
from .schema import Columns, Row
from .scoring import Loaders, Model
from .scoring import load as load_model

if TYPE_CHECKING:
    from logging import Logger
    from tempfile import TemporaryDirectory

LARGEST = 4 << 30
LONGEST = 300.0  # seconds between two looks, or two tries with one package, while something is wrong
_JOIN = 5.0


@dataclass(frozen=True, kw_only=True)
class WatchState:
    """What a watched alias answers with, and how the last look at it went. Times are seconds since 1970.

    `record` is that of the model that answers, `since` when; with a `digest` of None nothing is live, and nothing
    answers. `checked` is when the newest record was last read, `failure` why it is not the one that answers (None: it
    is), `next` when the place is looked at again.
    """

    record: AliasRecord | None = None
    since: float | None = None
    checked: float | None = None
    failure: MlopskitError | None = None
    failed: float | None = None
    next: float | None = None

    @property
    def digest(self) -> str | None:
        """The digest of the package that answers."""
        return None if self.record is None else self.record.digest


def watch(
    place: str | Path,
    /,
    *,
    alias: str,
    every: float = 5.0,
    folder: str | Path | None = None,
    loaders: Loaders | None = None,
    format: str | None = None,
    trust_code: Collection[str] = (),
    headers: Mapping[str, str] | None = None,
    query: str = "",
    limit: int = LARGEST,
) -> Watched:
    """Return a model that follows an alias of a model's folder at a path or an http(s) address.

    The place is looked at once now, then `every` so many seconds in a thread of its own. `folder` is kept between
    runs: what was seen, and what was downloaded (at most `limit` bytes a package); without one the reader forgets
    both. `headers` and `query` are sent with each request, and shown nowhere. All else is as of `load`.

    Raises:
        UsageError: the place, the alias or an option cannot be meant so. All else is told by `state`.
    """

    def load(package: Package) -> Model:
        return load_model(package, loaders=loaders, format=format, trust_code=trust_code)

    there = place_at(str(place), headers=headers, query=query, limit=limit)
    return Watched(there, alias=alias, every=every, folder=folder, load=load)


class Watched:
    """A model that follows an alias: a scorer, to be used by any number of threads, and to be closed."""

    def __init__(
        self, place: Place, /, *, alias: str, every: float, folder: str | Path | None, load: Callable[[Package], Model]
    ) -> None:
        if isinstance(every, bool) or not 0 < every < math.inf:
            raise UsageError(f"Looking every {every!r} seconds is not possible.", remedy="Give a positive number.")
        self._place = place
        self._alias = check_name(alias, kind="alias")
        self._every = every
        self._load = load
        self._temporary = None if folder else _temporary()
        kept = self._temporary.name if self._temporary else folder
        self._memory = Memory(Path(kept or ""), place.name, alias)
        self._seen = self._memory.read("seen")
        self._live: Model | None = None
        self._state = WatchState()
        self._spoilt: _Spoilt | None = None
        self._failures = 0
        self._one = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {place.name}@{alias}", daemon=True)
        if self.look().failure is not None:
            self._go_on_from_last_time()
        self._thread.start()

    @property
    def state(self) -> WatchState:
        """What answers, since when, and what is wrong."""
        return self._state

    @property
    def model(self) -> Model:
        """The model that answers now.

        Raises:
            AliasError: none does; the message says why.
        """
        live, failure = self._live, self._state.failure
        if live is None:
            raise AliasError(
                f"No model answers for the alias {self._alias!r} of {self._place.name!r}: "
                f"{failure.message if failure else 'nothing is live.'}",
                remedy=failure.remedy if failure else "Deploy a package to it first.",
            )
        return live

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        """Return one row of outputs for each row, all of one model."""
        return self.model.predict(rows)

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for whole columns, all of one model."""
        return self.model.score(rows)

    def look(self) -> WatchState:
        """Look at the place now, and change to the newest record's model; return the state."""
        with self._one:
            try:
                self._follow()
            except (Exception, SystemExit) as error:
                # Whatever a full disk or a package's code raises must not end the thread, nor the model that answers.
                self._fail(_bare(error))
            pause = self._pause()
            self._wait = pause
            self._state = replace(self._state, next=time.time() + pause)
            return self._state

    def close(self) -> None:
        """Look no more. What was loaded last goes on answering."""
        self._closed.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN)
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Watched({self._place.name!r}, alias={self._alias!r}, digest={self._state.digest!r})"

    def _run(self) -> None:
        while not self._closed.wait(self._wait):
            self.look()

    def _follow(self) -> None:
        place, seen = self._place, self._seen
        get = functools.partial(place.get, limit=records.MAX_RECORD)
        record = records.follow(get, "aliases", name=place.name, alias=self._alias, last=seen)
        if record is None:
            raise AliasError(
                f"The alias {self._alias!r} of {place.name!r} has no record.", remedy="Deploy a package to it first."
            )
        if record != seen:
            self._memory.write("seen", record)
            self._seen = record
        self._state = replace(self._state, checked=time.time())
        self._change(record)

    def _change(self, record: AliasRecord) -> None:
        before = self._state
        if record != before.record:
            model = self._model_of(record)
            self._memory.write("live", record)
            self._live = model
            since = before.since if before.record and before.digest == record.digest else time.time()
            self._state = replace(before, record=record, since=since)
            self._memory.tidy({record.digest, before.digest})
            _log().info("%s: record %d is live, %s", self._thread.name, record.seq, record.digest)
        self._state = replace(self._state, failure=None, failed=None)
        self._failures = 0

    def _model_of(self, record: AliasRecord) -> Model | None:
        if record.digest is None:
            return None
        if self._live and self._live.digest == record.digest:
            return self._live
        spoilt = self._spoilt if self._spoilt and self._spoilt.digest == record.digest else None
        if spoilt and time.monotonic() < spoilt.until:
            raise spoilt.failure
        try:
            package = self._place.package(record.digest, kept=self._memory.packages)
            model = self._load(package)
            check_golden(package, model)
        except StorageError:  # the place is away, the package is none the worse
            raise
        except (Exception, SystemExit) as error:
            tries = spoilt.tries + 1 if spoilt else 1
            self._spoilt = _Spoilt(record.digest, _bare(error), tries, time.monotonic() + self._backoff(tries))
            raise
        self._spoilt = None
        return model

    def _go_on_from_last_time(self) -> None:
        """Answer with what answered when the reader ended, if that is kept here, until the place is there again."""
        with contextlib.suppress(Exception):  # the failure that the state tells is the one to be mended
            record = self._memory.read("live")
            if self._live is None and record and record.digest:
                folder = self._memory.packages / hex_of(record.digest)
                self._live = self._load(of_model(open_package(folder, digest=record.digest), self._place.name))
                self._state = replace(self._state, record=record, since=time.time())

    def _fail(self, failure: MlopskitError) -> None:
        self._failures = self._failures + 1 if isinstance(failure, StorageError) else 0
        if self._state.failure is None or self._state.failure.message != failure.message:
            _log().warning("%s: %s", self._thread.name, printable(str(failure)).replace("\n", " "))
        self._state = replace(self._state, failure=failure, failed=time.time())

    def _pause(self) -> float:
        # Many readers that were started at once, or that lost the place at once, must not ask it at once.
        import random

        return self._backoff(self._failures) * random.uniform(0.8, 1.0)  # noqa: S311  # no secret depends on it

    def _backoff(self, failures: int) -> float:
        return min(self._every * 2.0 ** min(failures, 30), max(self._every, LONGEST))


# Imported where they are used: whoever loads a package and watches nothing does without them.


def _temporary() -> TemporaryDirectory[str]:
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="mlopskit-", ignore_cleanup_errors=True)


def _log() -> Logger:
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
    return PackageError(f"{type(error).__name__}: {error}", remedy="Correct what the message names.")
