"""Answer rows from a package, with nothing of mlopskit installed.

    python runtime/<sha256> PACKAGE_FOLDER [--digest sha256:...] < requests
    python runtime/<sha256> MODEL_FOLDER --alias production < requests

Each line of standard input is a request, `{"rows": [{...}, ...]}`; each line of standard output is its answer,
`{"rows": [...], "digest": "sha256:...", "runtime": {...}}`, or `{"error": "...", "remedy": "...", "kind": "..."}`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from . import alias, canonical, http
from .errors import AliasError, IntegrityError, MlopskitError
from .names import hex_of
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
    folder = options.folder.resolve()
    record = alias.head(_getter(folder.parent), f"{folder.name}/aliases", name=folder.name, alias=options.alias)
    if record is None or record.digest is None:
        raise AliasError(
            f"Nothing is live under the alias {options.alias!r} of {folder.name!r}.",
            remedy="Deploy a package to it first.",
        )
    package = open_package(folder / "packages" / hex_of(record.digest), digest=record.digest)
    if package.manifest["name"] != folder.name:
        raise IntegrityError(
            f"The alias {options.alias!r} of {folder.name!r} names a package of {package.manifest['name']!r}.",
            remedy="Point it at a package of the same model.",
            digest=record.digest,
        )
    return package


def _getter(root: Path) -> Callable[[str], bytes | None]:
    def get(key: str) -> bytes | None:
        try:
            with (root / key).open("rb") as opened:
                return opened.read(alias.MAX_RECORD + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise AliasError(
                f"{str(root / key)!r} cannot be read: {error.strerror}.",
                remedy="Mount the place, or get the right to read it.",
            ) from error

    return get


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
