"""Serve a package, with nothing of mlopskit installed.

    python FOLDER_OF_A_SERVER PACKAGE_FOLDER [--digest sha256:...] [--host HOST] [--port PORT]

It answers with the package's model, and with `--follow PLACE@ALIAS` with what that alias names from then on: a model's
folder, its http(s) address or one in a bucket (docs/reference/runtime.md says how that is opened) is looked at again
and again, and a new package is tried apart before it answers.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ..errors import MlopskitError, UsageError, printable
from ..golden import proven
from ..isolated import running
from ..package import Package, open_package
from ..places import Place, place_at
from ..scoring import Model, load
from ..trial import NICE, try_apart
from ..uris import place_of
from ..watching import LARGEST, Watched
from .running import Settings, run
from .site import Source

_MIB = 1 << 20


def main(arguments: Sequence[str] | None = None, /, *, runtime: Path, site: Path | None = None) -> int:
    """Serve until told to end; return the exit code.

    `runtime` is the folder of the runtime that a new package is tried with, `site` that of the wheels beside it.
    """
    given = vars(_parser().parse_args(arguments))
    try:
        package = open_package(given.pop("folder"), digest=given.pop("digest"), format=given.pop("format"))
        name, trusted = package.manifest["name"], given.pop("trust_code")
        sources = functools.partial(
            _sources,
            package=package,
            follow=given.pop("follow"),
            every=given.pop("every"),
            folder=given.pop("folder_kept"),
            max_age=given.pop("max_age"),
            trust_code=trusted,
            trial=_trial(runtime, site, trusted, given.pop("trial_seconds"), given.pop("trial_memory") * _MIB),
        )
        return run(Settings(**given), sources, what=name)
    except MlopskitError as error:
        print(printable(str(error)), file=sys.stderr)  # noqa: T201  # for whoever started it
        return error.exit_code


def _sources(
    number: int,
    *,
    package: Package,
    follow: str | None,
    every: float,
    folder: Path | None,
    max_age: float | None,
    trust_code: Collection[str],
    trial: _Try,
) -> list[Source]:
    model = proven(package, load(package, format=package.format, trust_code=trust_code))
    name = package.manifest["name"]
    if follow is None:
        return [Source(name, model)]
    place, alias = _followed(follow)

    def tried(found: Package) -> Model:
        trial(found)
        return load(found, trust_code=trust_code)

    watched = Watched(
        place,
        alias=alias,
        every=every,
        folder=folder and folder / str(number),
        load=tried,
        same_columns=True,
        first=model,
    )
    return [Source(name, watched, {"alias": alias}, max_age=max_age)]


def _followed(follow: str) -> tuple[Place, str]:
    """Return the place and the alias: of a path, or of a URI, which the container's own identity may open."""
    if "://" in follow:
        return place_of(follow, query=os.environ.get("MODEL_QUERY", ""), environment=os.environ, limit=LARGEST)
    place, _, alias = follow.rpartition("@")
    if not place:
        raise UsageError(f"{follow!r} names no alias.", remedy="Give PLACE@ALIAS, such as /registry/tumour@production.")
    return place_at(place, limit=LARGEST), alias


_Try = Callable[[Package], None]


def _trial(runtime: Path, site: Path | None, trust_code: Collection[str], seconds: float, memory: int) -> _Try:
    def trial(package: Package) -> None:
        path: Collection[Path] = () if site is None else (site,)
        with running(runtime, path=[*path], deadline=seconds, memory=memory, nice=NICE) as process:
            try_apart(package, process, trust_code=trust_code)

    return trial


def _parser() -> argparse.ArgumentParser:
    lines = functools.partial(argparse.RawTextHelpFormatter, width=100)
    parser = argparse.ArgumentParser(prog="serve", description=__doc__, formatter_class=lines)
    add = parser.add_argument
    add("folder", help="the package")
    add("--digest", help="the expected digest; without it the folder's name says it")
    add("--format", help="take this form of the model; those of others may be absent")
    add("--trust-code", action="append", default=[], metavar="DIGEST", help="let this package run its code")
    add("--follow", metavar="PLACE@ALIAS", help="answer with what this alias names")
    add("--every", type=float, default=5.0, help="seconds between two looks at the alias")
    add("--folder", dest="folder_kept", type=Path, help="remember here what was seen and downloaded")
    add("--max-age", type=float, metavar="SECONDS", help="say so if the alias was not read for so long")
    add("--trial-seconds", type=float, default=60.0, help="a new package's time to answer in")
    add("--trial-memory", type=int, default=4096, help="MiB that a new package may need")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8000, help="0 takes a spare one")
    add("--unix", type=Path, metavar="SOCKET", help="listen at this path instead")
    add("--processes", type=int, default=1)
    add("--max-body", type=int, default=16, help="MiB that a request may have")
    add("--max-rows", type=int, default=100_000)
    add("--connections", type=int, default=1000, help="connections of a process at once")
    add("--receive", type=float, default=30.0, help="seconds for a request to come in")
    add("--answer", type=float, default=30.0, help="seconds after which a process is stuck")
    add("--token-file", type=Path, help="callers must show this token")
    add("--allow-host", action="append", default=[], metavar="NAME", help="a name by which it may be called")
    return parser
