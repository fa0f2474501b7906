"""Let no request take for ever: the engine is told to stop, and does so between two nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SECONDS = 60.0  # for one run: some thousand rows, which take milliseconds
_LOOK = 0.25
_IDLE = 20  # looks at nothing, and the thread ends
_NODE = 0.5  # for a node to end


class Limit:
    """Runs a session, each time for at most so many seconds; a thread looks on while there is something to do."""

    def __init__(self, ort: Any, session: Any, seconds: float | None = None) -> None:
        self._options: Callable[[], Any] = ort.RunOptions
        self._session_run, self._seconds = session.run, SECONDS if seconds is None else seconds
        self._running: dict[int, tuple[float, Any]] = {}
        self._watcher: threading.Thread | None = None

    def run(self, names: Sequence[str], given: Mapping[str, Any], /) -> list[Any]:
        """Return the outputs.

        Raises:
            ValueError: it took too long.
        """
        options = self._options()
        key = id(options)
        self._running[key] = (time.monotonic() + self._seconds, options)
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
        try:
            found: list[Any] = self._session_run(names, given, options)
        except Exception as error:
            if options.terminate:
                raise ValueError(f"the model was stopped after {self._seconds:g} s") from error
            raise
        finally:
            del self._running[key]
        return found

    def first(self, names: Sequence[str], given: Mapping[str, Any], /) -> None:
        """Run it once, for one row: a model whose single node takes for ever is not waited for, either.

        Raises:
            ValueError: it took too long.
        """
        told: list[Exception] = []

        def run() -> None:
            try:
                self.run(names, given)
            except Exception as error:
                told.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(self._seconds + _NODE)
        if thread.is_alive():
            raise ValueError(f"one row takes more than {self._seconds:g} s")
        if told:
            raise told[0]

    def _watch(self) -> None:
        idle = 0
        while True:
            time.sleep(_LOOK)
            now = time.monotonic()
            for ends, options in [*self._running.values()]:
                if now > ends:
                    options.terminate = True
            idle = 0 if self._running else idle + 1
            if idle < _IDLE:
                continue
            self._watcher = None
            if not self._running:  # else one came in that saw this thread, and starts none
                return
            self._watcher = threading.current_thread()
