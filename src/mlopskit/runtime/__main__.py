"""Answer rows from a package, with nothing of mlopskit installed.

    python runtime/<sha256> PACKAGE_FOLDER [--digest sha256:...] < requests
    python runtime/<sha256> MODEL_FOLDER --alias production < requests

Each line of standard input is a request, `{"rows": [{...}, ...]}`; each line of standard output is its answer,
`{"rows": [...], "digest": "sha256:...", "runtime": {...}}`, or `{"error": "...", "remedy": "...", "kind": "..."}`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
from typing import Any, TextIO

from . import canonical
from .answers import reply
from .errors import MlopskitError
from .package import Package, open_package
from .scoring import Loaders, Model, load

_MAX_LINE = 4 << 30


def main(arguments: list[str] | None = None, /, *, loaders: Loaders | None = None) -> int:
    """Answer the requests on standard input; return 0, or the error's exit code if the model could not be loaded."""
    options = _parser().parse_args(arguments)
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what a model's own code prints is no answer
        try:
            model = load(_package(options), loaders=loaders, format=options.format, trust_code=options.trust_code)
        except MlopskitError as error:
            _say(_failure(error), answers)
            return error.exit_code
        for line in sys.stdin.buffer:
            _say(_answer(model, line), answers)
    return 0


def _parser() -> argparse.ArgumentParser:
    # With a width it does not ask the terminal for one, by modules that take as long to load as a model.
    lines = functools.partial(argparse.RawTextHelpFormatter, width=100)
    parser = argparse.ArgumentParser(prog="runtime", description=__doc__, formatter_class=lines)
    parser.add_argument("folder")
    parser.add_argument("--digest", help="the expected digest; without it the folder's name, or the alias, says it")
    parser.add_argument("--alias", help="answer from the package that this alias of a model's folder names")
    parser.add_argument("--format", help="take this form of the model; those of others may be absent")
    parser.add_argument(
        "--trust-code",
        action="append",
        default=[],
        metavar="DIGEST",
        help="let the package of this digest run its code",
    )
    return parser


def _package(options: argparse.Namespace) -> Package:
    # No byte is kept: of several forms of a model one is loaded, and then read again.
    if options.alias is None:
        return open_package(options.folder, digest=options.digest, format=options.format, keep=_nothing)
    return _live(options.folder, options.alias)


def _nothing(_: str) -> bool:
    return False


def _live(folder: str, name: str) -> Package:
    """Return the package that an alias of a model's folder names."""
    from pathlib import Path

    from . import alias
    from .errors import AliasError
    from .names import hex_of
    from .places import PACKAGES, of_model, place_at

    place = place_at(str(Path(folder).resolve()), limit=0)
    get = functools.partial(place.get, limit=alias.MAX_RECORD)
    record = alias.head(get, "aliases", name=place.name, alias=name)
    if record is None or record.digest is None:
        raise AliasError(
            f"Nothing is live under the alias {name!r} of {place.name!r}.", remedy="Deploy a package to it first."
        )
    there = Path(folder, PACKAGES, hex_of(record.digest))
    return of_model(open_package(there, digest=record.digest, keep=_nothing), place.name)


def _answer(model: Model, line: bytes) -> dict[str, Any]:
    try:
        return reply(model, canonical.parse(line, what="The request", limit=_MAX_LINE))
    except MlopskitError as error:
        return _failure(error)


def _failure(error: MlopskitError) -> dict[str, Any]:
    return {"error": error.message, "remedy": error.remedy, "kind": type(error).__name__}


def _say(answer: dict[str, Any], answers: TextIO) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
