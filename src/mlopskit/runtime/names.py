"""The rules for names, paths and digests that come from outside, checked once at the edge."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import UnsafeNameError, UnsafePathError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
# Windows opens a device for these names, whatever follows the first dot.
_RESERVED = frozenset(["con", "prn", "aux", "nul"] + [f"{device}{n}" for device in ("com", "lpt") for n in range(10)])
MAX_PATH = 200


def check_name(value: object, *, kind: str = "name") -> str:
    """Return the name if every file system, URL and shell takes it as it is.

    Raises:
        UnsafeNameError: it is not `[a-z0-9][a-z0-9._-]{0,62}`, ends with '.' or '.json', or Windows reserves it.

    >>> check_name("sentiment")
    'sentiment'
    """
    # The folder of an alias 'a.json' would stand where the hint of the alias 'a' does.
    if not isinstance(value, str) or not _NAME.fullmatch(value) or _unportable(value) or value.endswith(".json"):
        raise UnsafeNameError(
            f"The {kind} {shown(value)} is not allowed.",
            remedy="Use 1 to 63 lower-case letters, digits, '.', '_' or '-', beginning with a letter or digit, "
            "not ending with '.' or '.json', and no name that Windows reserves, such as 'con'.",
            value=value,
        )
    return value


def check_digest(value: object) -> str:
    """Return the digest if it is `sha256:` and 64 lower-case hex digits.

    Raises:
        UnsafeNameError: it is anything else.
    """
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise UnsafeNameError(
            f"{shown(value)} is not a digest.",
            remedy="Give 'sha256:' and 64 lower-case hex digits.",
            value=value,
        )
    return value


def hex_of(digest: str) -> str:
    """Return the 64 hex digits of a digest: its name as a folder."""
    return check_digest(digest).removeprefix("sha256:")


def check_path(value: object) -> str:
    """Return the relative path if it means the same file below a folder on every system.

    Raises:
        UnsafePathError: it is absolute, leaves the folder, or is not portable.

    >>> check_path("code/sentiment/model.py")
    'code/sentiment/model.py'
    """
    if not isinstance(value, str) or len(value) > MAX_PATH or not all(_plain(part) for part in value.split("/")):
        raise UnsafePathError(
            f"The path {shown(value)} is not allowed in a package.",
            remedy="Use relative paths of plain ASCII names (letters, digits, '.', '_', '-') joined by '/'.",
            path=value,
        )
    return value


def check_paths(values: Iterable[object]) -> list[str]:
    """Return the paths if each is allowed, no two fall together where case does not count, none is another's folder."""
    paths = [check_path(value) for value in values]
    folded: dict[str, str] = {}
    for path in paths:
        if path.lower() in folded:
            raise UnsafePathError(
                f"The paths {folded[path.lower()]!r} and {path!r} are one file on some systems.",
                remedy="Give each file a name that differs in more than case.",
                path=path,
            )
        folded[path.lower()] = path
    for path in paths:
        parts = path.lower().split("/")
        for length in range(1, len(parts)):
            parent = "/".join(parts[:length])
            if parent in folded:
                raise UnsafePathError(
                    f"The path {folded[parent]!r} is a file and the folder of {path!r}.",
                    remedy="Rename one of them.",
                    path=path,
                )
    return paths


def _plain(part: str) -> bool:
    return bool(_PART.fullmatch(part)) and not _unportable(part)


def _unportable(part: str) -> bool:
    return part.endswith(".") or part.partition(".")[0].lower() in _RESERVED


def shown(value: object, /, *, most: int = 80) -> str:
    """Return a foreign value as messages show it: plain ASCII, shortened, on one line."""
    try:
        text = ascii(value)
    except ValueError:  # an integer of more digits than Python writes
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= most else f"{text[: most - 3]}..."
