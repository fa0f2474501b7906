"""Read an alias: the newest of its numbered records, never an older one than was seen before.

The records are the truth; `<alias>.json` beside them is a hint that saves reading them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import canonical
from .errors import AliasError, ManifestError, MlopskitError, RollbackError
from .names import check_digest, check_name
from .package import check_fields

MAX_RECORD = 64 << 10
_FIELDS = {
    "alias": str,
    "digest": str | None,
    "name": str,
    "operation": str,
    "previous": str | None,
    "seq": int,
    "when": str,
    "who": str,
    "why": str,
}

Get = Callable[[str], bytes | None]


@dataclass(frozen=True, kw_only=True)
class AliasRecord:
    """One move of an alias: the digest it names since then (None: nothing is live), who moved it, why and when.

    `seq` counts from 1; `previous` is the digest of the record before; `operation` tells two writers apart.
    """

    name: str
    alias: str
    seq: int
    digest: str | None
    previous: str | None
    operation: str
    who: str
    why: str
    when: str

    def data(self) -> bytes:
        """Return the record's bytes, canonical JSON."""
        return canonical.dumps(vars(self))


def parse_record(data: bytes, /, *, name: str, alias: str, seq: int | None) -> AliasRecord:
    """Return the record in these bytes, if it is one of this alias with this number.

    Raises:
        ManifestError: it is malformed, or of another model, alias or number.
    """
    what = f"record {seq or ''} of the alias {alias!r} of {name!r}"
    fields = check_fields(canonical.loads(data, what=what, limit=MAX_RECORD), _FIELDS, what=what)
    for field, want in {"name": name, "alias": alias, "seq": seq or fields["seq"]}.items():
        if fields[field] != want:
            raise ManifestError(
                f"The {what} has {field} {fields[field]!r}, expected {want!r}.",
                remedy="Restore the registry from its backup; records are never edited.",
                field=field,
            )
    for field in ("digest", "previous"):
        if fields[field] is not None:
            check_digest(fields[field])
    return AliasRecord(**fields)


def record_key(prefix: str, alias: str, seq: int) -> str:
    """Return the key of an alias's record below its prefix, `<name>/aliases` as a rule."""
    return f"{prefix}/{alias}/{seq}/record.json"


def hint_key(prefix: str, alias: str) -> str:
    """Return the key of the replaceable copy of the newest record."""
    return f"{prefix}/{alias}.json"


def head(get: Get, prefix: str, /, *, name: str, alias: str, seen: int = 0) -> AliasRecord | None:
    """Return the newest record of an alias, None if it has none.

    `get` returns the bytes of a key, None if there are none. `seen` is the highest number read before.

    Raises:
        RollbackError: the newest record is older than `seen`.
        AliasError: the chain of records is broken.
    """
    check_name(name)
    check_name(alias, kind="alias")
    reader = _Reader(get, prefix, name, alias)
    newest = reader.start()
    while following := reader.read((newest.seq if newest else 0) + 1):
        reader.check_link(newest, following)
        newest = following
    if (newest.seq if newest else 0) < seen:
        raise RollbackError(
            f"The alias {alias!r} of {name!r} went back to record {newest.seq if newest else 0}; {seen} was seen before.",
            remedy="Restore the records; to go back to an earlier model, use 'mlopskit rollback'.",
            seen=seen,
        )
    return newest


def history(get: Get, prefix: str, /, *, name: str, alias: str) -> list[AliasRecord]:
    """Return all records of an alias, oldest first, with every link of the chain checked."""
    reader = _Reader(get, prefix, name, alias)
    records: list[AliasRecord] = []
    while record := reader.read(len(records) + 1):
        reader.check_link(records[-1] if records else None, record)
        records.append(record)
    return records


@dataclass(frozen=True)
class _Reader:
    get: Get
    prefix: str
    name: str
    alias: str

    def read(self, seq: int) -> AliasRecord | None:
        data = self.get(record_key(self.prefix, self.alias, seq))
        return None if data is None else parse_record(data, name=self.name, alias=self.alias, seq=seq)

    def start(self) -> AliasRecord | None:
        """Return the record that the hint names, if there is such a record; else nothing, and reading starts at 1."""
        data = self.get(hint_key(self.prefix, self.alias))
        if data is None:
            return None
        try:
            hint = parse_record(data, name=self.name, alias=self.alias, seq=None)
        except MlopskitError:
            return None
        return self.read(hint.seq) if 0 < hint.seq < 1 << 53 else None

    def check_link(self, before: AliasRecord | None, record: AliasRecord) -> None:
        want = None if before is None else canonical.digest_of(before.data())
        if record.previous != want:
            raise AliasError(
                f"Record {record.seq} of the alias {self.alias!r} of {self.name!r} does not follow the record before it.",
                remedy="Restore the registry from its backup; records are never edited.",
                seq=record.seq,
            )


def as_table(record: AliasRecord) -> dict[str, Any]:
    """Return the record as a plain table."""
    return dict(vars(record))
