"""Watch an alias: answer with the model that it names, and change to the next one once that is checked and loaded.

The place is asked again and again. Whatever goes wrong there, the model that answers goes on answering, and `state`
says what is wrong.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .alias import AliasRecord
from .errors import AliasError, PackageError
from .following import LONGEST, Follower, WatchState, check_pause
from .golden import proven
from .memory import Memory
from .names import check_name, hex_of, shown
from .package import Package, open_package
from .places import Place, of_model, place_at
from .profile import types_of
from .schema import Columns, Row
from .scoring import Loaders, Model
from .scoring import load as load_model
from .verdicts import verdict_on

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

__all__ = ["LARGEST", "LONGEST", "Following", "WatchState", "Watched", "watch"]

LARGEST = 4 << 30
_JOIN = 5.0


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
    same_columns: bool = False,
) -> Watched:
    """Return a model that follows an alias of a model's folder at a path or an http(s) address.

    The place is looked at once now, then `every` so many seconds in a thread of its own. `folder` is kept between
    runs: what was seen, and what was downloaded (at most `limit` bytes a package); without one the reader forgets
    both. `headers` and `query` are sent with each request, and shown nowhere. With `same_columns` a package whose
    inputs or outputs are of other names or types than those of the model that answers is not taken. All else is as of
    `load`.

    Raises:
        UsageError: the place, the alias or an option cannot be meant so. All else is told by `state`.
    """

    def load(package: Package) -> Model:
        return load_model(package, loaders=loaders, format=format, trust_code=trust_code)

    there = place_at(str(place), headers=headers, query=query, limit=limit)
    return Watched(there, alias=alias, every=every, folder=folder, load=load, same_columns=same_columns)


class Following:
    """A model that follows an alias: a scorer, for any number of threads, which looks at the place when it is told to.

    `first` answers until the alias could be read. `verdict` is that on what answers, where the place has one: whether
    it `passed`, on which `dataset`, and the reason of an `override`.
    """

    def __init__(
        self,
        place: Place,
        /,
        *,
        alias: str,
        every: float,
        folder: str | Path | None,
        load: Callable[[Package], Model],
        same_columns: bool = False,
        first: Model | None = None,
    ) -> None:
        check_pause(every)
        check_name(alias, kind="alias")
        self._load = load
        self._same_columns = same_columns
        self._place = place
        self._alias = alias
        self._temporary = None if folder else _temporary()
        kept = self._temporary.name if self._temporary else folder
        self._memory = Memory(Path(kept or ""), place.name, alias)
        self._follower = Follower(place, alias=alias, every=every, memory=self._memory, take=self._take)
        self._live = first
        # What callers know, though nothing answers for a while.
        self._columns = first.schema if first else None
        self.verdict: Mapping[str, Any] | None = None
        self._one = threading.Lock()

    @property
    def state(self) -> WatchState:
        """What answers, since when, and what is wrong."""
        return self._follower.state

    @property
    def pause(self) -> float:
        """Seconds between the last look and the next one: more and more while the place is away."""
        return self._follower.pause

    @property
    def model(self) -> Model:
        """The model that answers now.

        Raises:
            AliasError: none does; the message says why.
        """
        live, failure = self._live, self.state.failure
        if live is None:
            raise AliasError(
                f"No model answers for the alias {self._alias!r} of {self._place.name!r}: "
                f"{failure.message if failure else 'nothing is live.'}",
                remedy=failure.remedy if failure else "Deploy a package to it first.",
            )
        return live

    @property
    def answering(self) -> Model | None:
        """The model that answers now, None if none does."""
        return self._live

    def predict(self, rows: Sequence[Row], /) -> list[dict[str, Any]]:
        """Return one row of outputs for each row, all of one model."""
        return self.model.predict(rows)

    def score(self, rows: Columns, /) -> Columns:
        """Return the outputs for whole columns, all of one model."""
        return self.model.score(rows)

    def look(self) -> WatchState:
        """Look at the place now, and change to the newest record's model; return the state."""
        with self._one:
            return self._follower.look()

    def close(self) -> None:
        """Keep nothing more on the disk. What was loaded last goes on answering."""
        if self._temporary:
            self._temporary.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place.name!r}, alias={self._alias!r}, digest={self.state.digest!r})"

    def _take(self, record: AliasRecord) -> None:
        model = self._model_of(record)
        self._memory.write("live", record)
        self._live, self.verdict = model, self._verdict(record.digest)
        self._columns = model.schema if model else self._columns
        self._memory.tidy(self._kept(record))

    def _kept(self, record: AliasRecord) -> set[str | None]:
        """Return the packages that are kept on the disk: that of a record, and the one before, for a rollback."""
        return {record.digest, self.state.digest}

    def _verdict(self, digest: str | None) -> Mapping[str, Any] | None:
        with contextlib.suppress(Exception):  # a package answers as well without what was judged of it
            return verdict_on(self._place.get, digest) if digest else None
        return None

    def _model_of(self, record: AliasRecord) -> Model | None:
        digest = record.digest
        if digest is None:
            return None
        if self._live and self._live.digest == digest:
            return self._live
        return self._follower.trying(digest, lambda: self._checked(digest))

    def _checked(self, digest: str) -> Model:
        package = self._place.package(digest, kept=self._memory.packages)
        if self._same_columns and self._columns is not None:
            _check_columns(package, self._columns)
        return proven(package, self._load(package))


class Watched(Following):
    """A model that follows an alias, and looks at the place in a thread of its own until it is closed."""

    def __init__(self, place: Place, /, *, alias: str, every: float, **options: Any) -> None:
        super().__init__(place, alias=alias, every=every, **options)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {place.name}@{alias}", daemon=True)
        first = self._live
        if self.look().failure is not None and self._live is first:
            self._go_on_from_last_time()
        self._thread.start()

    def close(self) -> None:
        """Look no more. What was loaded last goes on answering."""
        self._closed.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_JOIN)
        super().close()

    def _run(self) -> None:
        while not self._closed.wait(self.pause):
            self.look()

    def _go_on_from_last_time(self) -> None:
        """Answer with what answered when the reader ended, if that is kept here, until the place is there again."""
        with contextlib.suppress(Exception):  # the failure that the state tells is the one to be mended
            record = self._memory.read("live")
            if record and record.digest:
                folder = self._memory.packages / hex_of(record.digest)
                package = of_model(open_package(folder, digest=record.digest), self._place.name)
                self._live = proven(package, self._load(package))
                self._columns = self._live.schema
                self._follower.go_on_with(record, since=time.time())


def _check_columns(package: Package, known: Mapping[str, Any]) -> None:
    """Check that a package takes and gives columns of the names and types of the model that answers, or did last."""
    for part, schema in package.manifest["schema"].items():
        before, after = _columns_of(known[part]), _columns_of(schema)
        if before != after:
            other = sorted(name for name in before | after if before.get(name) != after.get(name))
            named = ", ".join(map(shown, other))
            raise PackageError(
                f"The package {package.digest} has other {part} than the model that answers: {named}.",
                remedy="Serve it under another name, or start its callers and the service anew.",
                columns=other,
            )


def _columns_of(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: sorted(types_of(spec)) for name, spec in schema["properties"].items()}


# Imported where it is used: whoever loads a package and watches nothing does without it.


def _temporary() -> TemporaryDirectory[str]:
    from tempfile import TemporaryDirectory

    return TemporaryDirectory(prefix="mlopskit-", ignore_cleanup_errors=True)
