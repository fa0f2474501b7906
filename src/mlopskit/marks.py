"""Marks: what gc says of content before it removes it, and what others answer who rely on that content.

Each content has a chain of numbered records, `<name>/marks/<the rest of its key>/<seq>/record.json`. Exactly one writer
gets each number, so that either gc goes on to remove, or somebody has said in time that the content is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlopskit.aliases import RECORD, commit_record, now, operation, read_record, who
from mlopskit.errors import ConflictError, ManifestError
from mlopskit.runtime import canonical
from mlopskit.storage import Storage
from mlopskit.tables import known

MARKED, KEPT, REMOVING, REMOVED = "marked", "kept", "removing", "removed"
_STATES = (MARKED, KEPT, REMOVING, REMOVED)
_MAX = 64 << 10


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One record about content: its number, "marked", "kept", "removing" or "removed", who said so, and when."""

    seq: int
    state: str
    operation: str
    who: str
    when: str

    @classmethod
    def from_table(cls, table: Any, /) -> Mark:
        """Return the mark that a plain table says.

        Raises:
            ManifestError: it says none.
        """
        if not isinstance(table, dict) or table.get("state") not in _STATES or not isinstance(table.get("seq"), int):
            raise ManifestError(
                f"{ascii(table)[:80]} is no mark.", remedy="Restore the registry from a copy; records are never edited."
            )
        return cls(**known(cls, table))


def chain(prefix: str, /) -> str:
    """Return the key below which the marks of content stand."""
    name, _, rest = prefix.partition("/")
    return f"{name}/marks/{rest}"


def subject(key: str, /) -> str:
    """Return the key of what a mark is about, with the mark's number; nothing for another key than a mark's."""
    name, _, rest = key.partition("/")
    return f"{name}/{rest.removeprefix('marks/')}" if rest.startswith("marks/") else ""


def head(storage: Storage, prefix: str, /) -> Mark | None:
    """Return the newest mark of content, None if nobody said anything of it."""
    newest: Mark | None = None
    while True:
        key = record_key(prefix, newest.seq + 1 if newest else 1)
        table = read_record(storage, key, limit=_MAX)
        if table is None:
            return newest
        newest = Mark.from_table(table)


def record_key(prefix: str, seq: int, /) -> str:
    """Return the key of a mark."""
    return f"{chain(prefix)}/{seq}/{RECORD}"


def append(storage: Storage, prefix: str, state: str, /, *, after: Mark | None) -> Mark | None:
    """Append a mark; None if somebody else was faster."""
    seq = after.seq + 1 if after else 1
    mark = Mark(seq=seq, state=state, operation=operation(), who=who(), when=now())
    return mark if commit_record(storage, f"{chain(prefix)}/{seq}", canonical.dumps(vars(mark))) else None


def keep(storage: Storage, prefix: str, /) -> Mark | None:
    """Say that content is relied on, if gc has marked it, before it is relied on; return the newest mark.

    Raises:
        ConflictError: gc is about to remove it.
    """
    while True:
        newest = head(storage, prefix)
        if newest is None or newest.state in (KEPT, REMOVED):
            return newest
        if newest.state == REMOVING:
            raise going(prefix, newest)
        kept = append(storage, prefix, KEPT, after=newest)
        if kept is not None:
            return kept


def going(prefix: str, mark: Mark, /) -> ConflictError:
    """Return the error for content that gc is removing, or has removed meanwhile."""
    return ConflictError(
        f"{prefix!r} is being removed since {mark.when} by 'mlopskit gc' of {mark.who}.",
        remedy="Run the command again when that is done; 'mlopskit gc --older-than 0s' ends what was killed.",
        mark=mark,
    )
