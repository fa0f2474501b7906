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
from pathlib import Path
from typing import Any, TextIO

from . import alias, canonical, http
from .errors import AliasError, MlopskitError
from .package import Package, open_package
from .places import place_at
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
    parser = argparse.ArgumentParser(prog="runtime", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--digest", help="the expected digest; without it the folder's name, or the alias, says it")
    parser.add_argument("--alias", help="answer from the package that this alias of a model's folder names")
    parser.add_argument("--format", help="take this form of the model")
    parser.add_argument(
        "--trust-code",
        action="append",
        default=[],
        metavar="DIGEST",
        help="let the package of this digest run its code",
    )
    return parser


def _package(options: argparse.Namespace) -> Package:
    if options.alias is None:
        return open_package(options.folder, digest=options.digest)
    place = place_at(str(options.folder.resolve()), limit=0)
    get = functools.partial(place.get, limit=alias.MAX_RECORD)
    record = alias.head(get, "aliases", name=place.name, alias=options.alias)
    if record is None or record.digest is None:
        raise AliasError(
            f"Nothing is live under the alias {options.alias!r} of {place.name!r}.",
            remedy="Deploy a package to it first.",
        )
    return place.package(record.digest, kept=options.folder)


def _answer(model: Model, line: bytes) -> dict[str, Any]:
    try:
        return http.reply(model, canonical.parse(line, what="The request", limit=_MAX_LINE))
    except MlopskitError as error:
        return _failure(error)


def _failure(error: MlopskitError) -> dict[str, Any]:
    return {"error": error.message, "remedy": error.remedy, "kind": type(error).__name__}


def _say(answer: dict[str, Any], answers: TextIO) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
