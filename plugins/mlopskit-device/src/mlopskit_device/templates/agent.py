"""Keep the bundle on this device at what an alias names, or at the one before as long as that does not answer rightly.

    python3 agent.py PLACE --folder FOLDER [--alias production] [--every 60] [--headers FILE]
    python3 agent.py PLACE --folder FOLDER --once
    python3 agent.py --folder FOLDER --status

PLACE is the folder or the http(s) address `<to>/<name>/device`. Users run `python3 FOLDER/current`. The agent stands
outside of FOLDER and is not changed by what it fetches. It ends with 0 if what the alias names answers, else with
another code.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
_HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(_HERE))

from _mlopskit_runtime import (  # type: ignore[import-not-found]  # noqa: E402  # stands beside it
    alias as records,
)
from _mlopskit_runtime import errors, fetching, following, memory, names, places  # noqa: E402  # as above
from slots import BUNDLES, Slots  # type: ignore[import-not-found]  # noqa: E402  # as above
from trial import Trial  # type: ignore[import-not-found]  # noqa: E402  # as above

STATE = "state.json"
_LOG = logging.getLogger("agent")
_TRIES, _PAUSE = 20, 0.05
_PRIVATE = 0o077
_DAY, _MOST = 24 * 60 * 60, 1 << 20  # seconds; MiB


class Agent:
    """Follows an alias, and switches to each bundle that it names once that has answered here."""

    def __init__(self, options: argparse.Namespace) -> None:
        root, _, target = place_of(options.place).rpartition("/")
        headers, query = access(options.headers)
        self._place = places.place_at(root, headers=headers, query=query, limit=options.limit)
        self._key = f"{names.check_name(target, kind='name of the target')}/{BUNDLES}"
        self._limit = options.limit
        self._memory = memory.Memory(options.folder, self._place.name, options.alias, kept=BUNDLES)
        self._slots = Slots(options.folder, self._place.name)
        self._trial = Trial(seconds=options.patience, memory=options.memory << 20)
        self._answering: str | None = None  # the bundle that has answered through `current`
        self._report: dict[str, Any] | None = None
        self._about = {"alias": options.alias, "name": self._place.name, "place": options.place}
        self._follower = following.Follower(
            self._place,
            alias=names.check_name(options.alias, kind="alias"),
            every=options.every,
            memory=self._memory,
            take=self._take,
            aliases=f"{target}/aliases",
        )

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return float(self._follower.pause)

    def begin(self) -> None:
        """Find out what answers, whatever the run before was cut off at; if nothing does, go back to what does."""
        live = self._slots.live()
        self._slots.tidy([*self._slots.kept()])
        others = [digest for digest in self._slots.kept() if digest != live]
        for digest in [live, *others] if live else []:
            try:
                bundle = self._slots.bundle(digest)
                if digest == live:
                    self._trial.ask(bundle, self._slots.current)
                else:
                    self._trial.examine(bundle)
                    self._slots.switch(digest)
            except Exception as error:  # of the system's, too: what is here goes on, and the place is looked at
                _LOG.warning("%s does not answer: %s", digest, told(error))
            else:
                self._answering = digest
                break
        record = self._memory.read("live")
        if record is not None and record.digest == self._answering:
            self._follower.go_on_with(record, since=self._since() or time.time())
        self._write_state()

    def look(self) -> errors.MlopskitError | None:
        """Look at the place now, and do what the alias says; return what is wrong."""
        state = self._follower.look()
        self._write_state()
        return state.failure

    def _take(self, record: records.AliasRecord) -> None:
        digest = record.digest
        if digest is None:
            self._slots.switch(None)
            self._answering = self._report = None
        elif digest != self._answering:
            self._follower.trying(digest, lambda: self._change(digest))
        self._memory.write("live", record)

    def _change(self, digest: str) -> None:
        before = self._answering
        # Two at most: for the new one, that before the one which answers has to go.
        self._slots.tidy({digest, self._slots.live()})
        bundle = self._slots.fetch(self._place, self._key, digest, limit=self._limit)
        report = self._trial.examine(bundle)
        try:
            self._slots.switch(digest)
            self._trial.ask(bundle, self._slots.current)
        except Exception:
            self._slots.switch(before)
            raise
        self._answering, self._report = digest, report

    def _since(self) -> float | None:
        """Return when `current` was switched, by the clock of that time."""
        try:
            return float(self._slots.current.lstat().st_mtime)
        except OSError:
            return None

    def _write_state(self) -> None:
        state, seen = self._follower.state, self._follower.seen
        failure = state.failure
        written = {
            **self._about,
            "checked": moment(state.checked),
            "failure": failure and {"message": failure.message, "remedy": failure.remedy, "at": moment(state.failed)},
            "machine": platform.machine(),
            "next": moment(state.next),
            "process": os.getpid(),
            "record": state.record and state.record.seq,
            "runs": self._answering,
            "self_test": self._report,
            "since": moment(self._since()),
            "wanted": seen and seen.digest,
            "wanted_record": seen and seen.seq,
        }
        try:
            fetching.replace_file(self._slots.folder / STATE, json.dumps(written, indent=1).encode() + b"\n")
        except OSError as error:
            _LOG.warning("%s cannot be written: %s", self._slots.folder / STATE, error.strerror)


def moment(seconds: float | None) -> str | None:
    """Return a time as text, in UTC."""
    with contextlib.suppress(OverflowError, ValueError, OSError):  # a clock may say anything
        return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    return None


def told(error: Exception) -> str:
    """Return an error as one line."""
    return str(errors.printable(str(error)).replace("\n", " "))


def place_of(text: str) -> str:
    """Return a place as an absolute path or an address."""
    return text.rstrip("/") if "://" in text else Path(text).absolute().as_posix()


def access(file: Path | None) -> tuple[dict[str, str], str]:
    """Return the headers and the query in a file: lines `Name: value`, and one that begins with `?`.

    Raises:
        UsageError: it cannot be read, others may read it, or a line is none of these; no line is shown.
    """
    if file is None:
        return {}, ""
    try:
        info, lines = file.stat(), file.read_text("ascii").splitlines()
    except (OSError, ValueError) as error:
        raise errors.UsageError(
            f"{str(file)!r} cannot be read: {getattr(error, 'strerror', 'it is not plain ASCII')}.",
            remedy="Give a file with lines like 'Authorization: Bearer ...', or '?...' for a query.",
        ) from None
    if info.st_mode & _PRIVATE:
        raise errors.UsageError(f"Others may read {str(file)!r}.", remedy=f"Run: chmod 600 {file}")
    headers, query = {}, ""
    for number, line in enumerate(lines, 1):
        name, colon, value = line.partition(":")
        if line.startswith("?"):
            query = line.strip()
        elif colon:
            headers[name.strip()] = value.strip()
        elif line.strip():
            raise errors.UsageError(f"Line {number} of {str(file)!r} is no header.", remedy="Write 'Name: value'.")
    return headers, query


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system lets it go when this process ends, however it ends.

    Raises:
        UsageError: another agent holds it, or the folder cannot be used.
    """
    try:
        (folder / BUNDLES).mkdir(parents=True, exist_ok=True)  # others may read what is there
        opened = (folder / "lock").open("a")
    except OSError as error:
        raise errors.UsageError(
            f"The folder {str(folder)!r} cannot be used: {error.strerror}.", remedy="Give one that can be written."
        ) from error
    with opened:
        for left in reversed(range(_TRIES)):  # one that is just ending, or asked whether it is there, lets it go soon
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if not left:
                raise errors.UsageError(
                    f"Another agent works on {str(folder)!r}.", remedy="Let it, or give this one a folder of its own."
                )
            time.sleep(_PAUSE)
        yield


def status(folder: Path) -> int:
    """Print what runs, since when, and what is wrong; return 0 if nothing is."""
    try:
        said = json.loads((folder / STATE).read_bytes())
        live = Slots(folder, said["name"]).live()
        with (folder / "lock").open() as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
                agent = "not running"
            except BlockingIOError:
                agent = f"process {said['process']}"
    except (OSError, ValueError, KeyError) as error:
        raise errors.UsageError(
            f"No agent has told its state in {str(folder)!r}: {type(error).__name__}.", remedy="Start one there."
        ) from error
    failure = said["failure"] or {}
    lines = [
        f"model    {said['name']}, alias {said['alias']}, of {said['place']}",
        f"runs     {live or 'nothing'}, since {said['since'] or 'ever'}, on {said['machine']}",
        f"wanted   {said['wanted'] or 'nothing'}, record {said['wanted_record']}",
        f"checked  {said['checked'] or 'never'}, next {said['next'] or 'unknown'}",
        f"agent    {agent}",
        f"failure  {failure.get('message', 'none')}{' ' if failure else ''}{failure.get('remedy', '')}",
    ]
    print(*(errors.printable(line.replace("\n", " ")) for line in lines), sep="\n")
    return 1 if failure or live != said["wanted"] else 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = argparse.ArgumentParser(prog="agent.py", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("place", nargs="?", metavar="PLACE", help="<to>/<name>/device, a path or an http(s) address")
    made.add_argument("--folder", required=True, type=Path, help="where the bundles are kept: the agent's own")
    made.add_argument("--alias", default="production", help="the alias to follow (production)")
    made.add_argument("--every", default=60.0, type=float, help="seconds between two looks (60)")
    made.add_argument("--headers", type=Path, metavar="FILE", help="what gives access over http, readable by you alone")
    made.add_argument("--limit", default=4 << 30, type=int, help="the largest bundle that is fetched, in bytes (4 GiB)")
    made.add_argument("--memory", default=1024, type=int, metavar="MIB", help="what a bundle on trial may take (1024)")
    made.add_argument("--patience", default=120.0, type=float, help="seconds that a bundle on trial may take (120)")
    made.add_argument("--once", action="store_true", help="look once")
    made.add_argument("--status", action="store_true", help="say what runs, and what is wrong")
    return made


def work(options: argparse.Namespace) -> int:
    """Look once, or until SIGTERM or Ctrl-C; return the exit code."""
    following.check_pause(options.every)
    if not (0 < options.patience <= _DAY and 0 < options.memory <= _MOST and options.limit > 0):
        raise errors.UsageError(
            "--patience, --memory and --limit are more than nothing, and at most a day, and a TiB.",
            remedy="Leave out what you do not need.",
        )
    if options.place is None:
        raise errors.UsageError("No place was given.", remedy="Give <to>/<name>/device as a path or an address.")
    if _HERE.is_relative_to(options.folder.resolve()):
        raise errors.UsageError(
            f"The agent stands in {str(options.folder)!r}, where it removes bundles.",
            remedy="Copy a bundle elsewhere, and start the agent from there.",
        )
    with alone(options.folder):
        agent = Agent(options)
        agent.begin()
        failure = agent.look()
        while not options.once:
            time.sleep(agent.pause)
            agent.look()
    return 0 if failure is None else int(failure.exit_code)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return status(options.folder) if options.status else work(options)
    except errors.MlopskitError as error:
        print(told(error), file=sys.stderr)
        return int(error.exit_code)
    except KeyboardInterrupt:
        _LOG.info("Ended.")
        return 0


if __name__ == "__main__":
    sys.exit(main())
