"""Follow an alias between the invocations of a function: a process that stands still while nobody asks it anything.

No thread can look at times of its own there. When it is time, the next call lets one look, and waits a little for it.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from .alias import AliasRecord
from .errors import PackageError, UsageError
from .isolated import running
from .package import Package
from .places import Place
from .scoring import Loaders, Model, load
from .trial import NICE, try_apart
from .uris import place_of
from .watching import Following
from .web import WebPlace

LARGEST = 1 << 30  # bytes of a package: what a function's disk and memory take
WAIT, WAITS = 2.0, 20.0  # seconds that one call waits for a look, and that all of them do for the same one
SILENCE = 3.0  # seconds that a place may say nothing
_MEMORY = 4 << 30
# The runtime travels as a package of Python; a process runs a folder.
_MAIN = f"import sys\nfrom {__package__}.__main__ import main\nsys.exit(main())\n"


class Turns(Following):
    """A model that follows an alias, and looks when a call comes and it is time to.

    `own` is the package that travels with the function: it is read here wherever the alias leads back to it. With a
    `trial` of more than 0 seconds each package is first loaded, and asked its golden rows, in a process of its own.
    """

    wait, waits = WAIT, WAITS

    def __init__(
        self,
        place: Place,
        /,
        *,
        alias: str,
        every: float,
        own: Package,
        first: Model,
        trial: float,
        loaders: Loaders | None,
    ) -> None:
        self._form, self._trial, self._loaders, self._own = first.format, trial, loaders, own.digest
        super().__init__(
            _Beside(place, own), alias=alias, every=every, folder=None, load=self._tried, same_columns=True, first=first
        )
        self._turn = threading.Lock()
        self._looking: threading.Thread | None = None
        self._left = 0.0
        self._looked: tuple[float, float] | None = None

    def take_turn(self) -> None:
        """Let somebody look if it is time to and nobody does; wait for that, at most `wait` seconds.

        A look that takes longer goes on beside the calls, which the model of before answers. Those that come next wait
        for it, too: a process that stands still between them would never come to its end else. But all that wait for
        the same one do so for at most `waits` seconds.
        """
        with self._turn:
            looking = self._looking or self._begun()
            wait = min(self.wait, self._left)
        if looking is not None and wait > 0:
            since = time.monotonic()
            looking.join(wait)
            self._left -= time.monotonic() - since

    def _begun(self) -> threading.Thread | None:
        """Return a look that has just begun; None if it is not time yet."""
        if not self._is_time():
            return None
        looking = threading.Thread(target=self._look, name="look", daemon=True)
        self._looking, self._left = looking, self.waits
        try:
            looking.start()
        except RuntimeError:  # no thread can be started now: a later call tries again
            self._looking = None
        return self._looking

    def _look(self) -> None:
        try:
            self.look()
        finally:
            self._looked = (time.monotonic(), time.time())
            self._looking = None

    def _is_time(self) -> bool:
        if self._looked is None:
            return True
        # Either clock may have stood still with the process, and the second may be set back.
        passed = time.monotonic() - self._looked[0], time.time() - self._looked[1]
        return max(passed) >= self.pause or passed[1] < 0

    def _kept(self, record: AliasRecord) -> set[str | None]:
        del record
        # What is loaded is not needed on the disk, which in some clouds is memory.
        return set()

    def _tried(self, package: Package) -> Model:
        if self._trial > 0:
            self._try(package)
        return load(package, loaders=self._loaders, format=self._form, trust_code=(self._own,))

    def _try(self, package: Package) -> None:
        with TemporaryDirectory(prefix="mlopskit-") as folder, contextlib.ExitStack() as stack:
            Path(folder, "__main__.py").write_text(_MAIN, "utf-8")
            path = [Path(found) for found in sys.path if found]  # what is found here is found there
            started = running(Path(folder), path=path, deadline=self._trial, memory=_MEMORY, nice=NICE)
            try:
                process = stack.enter_context(started)
            except (OSError, subprocess.SubprocessError) as error:
                raise PackageError(
                    f"No process could be started to try the package {package.digest} in: {error}.",
                    remedy="Set MODEL_TRIAL=0 to take packages without a trial where no process can be started.",
                ) from error
            try_apart(package, process, trust_code=(self._own,))


class _Beside:
    """A place, and a package that is here already."""

    def __init__(self, place: Place, own: Package) -> None:
        self._place, self._own = place, own
        self.name, self.get = place.name, place.get

    def package(self, digest: str, /, *, kept: Path) -> Package:
        """Return a package with every byte checked: our own where it stands."""
        return self._own if digest == self._own.digest else self._place.package(digest, kept=kept)


def turns(
    uri: str,
    own: Package,
    first: Model,
    /,
    *,
    query: str,
    every: float,
    trial: float,
    environment: Mapping[str, str],
    loaders: Loaders | None,
) -> Turns:
    """Return the model that follows the alias which a URI names; `first` of the package `own` answers until then.

    Raises:
        UsageError: the URI or another value cannot be meant so.
    """
    place, alias = place_of(uri, query=query, environment=environment, limit=LARGEST, form=first.format)
    if place.name != first.name:
        raise UsageError(
            f"The URI names the model {place.name!r}, the function holds {first.name!r}.",
            remedy="Name a folder of the same model, or build the function from that model.",
        )
    if isinstance(place, WebPlace):
        place = replace(place, silence=SILENCE)
    try:
        return Turns(place, alias=alias, every=every, own=own, first=first, trial=trial, loaders=loaders)
    except OSError as error:
        raise UsageError(
            f"There is no folder for what is downloaded: {error}.", remedy="Let TMPDIR name one that can be written."
        ) from error
