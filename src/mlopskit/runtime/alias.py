"""Read an alias: the newest of its numbered records, never an older one than was seen before.

The records are the truth; `<alias>.json` beside them is a hint that saves reading them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import canonical
from .errors import AliasError, ManifestError, MlopskitError, RollbackError, UnsafeNameError
from .manifest import check_fields
from .names import check_digest, check_name, shown

FORMAT_VERSION = 1
MAX_RECORD = 64 << 10
_RESTORE = "Restore the registry from its backup; records are never edited."
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

    `seq` counts from 1; `previous` is the digest of the record before; `operation` tells two writers apart. `more` are
    fields that a later release has added: they are kept, since the digest is that of all bytes.
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
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def data(self) -> bytes:
        """Return the record's bytes, canonical JSON."""
        known = {name: getattr(self, name) for name in _FIELDS}
        return canonical.dumps({**self.more, **known})


def parse_record(data: bytes, /, *, name: str, alias: str, seq: int | None) -> AliasRecord:
    """Return the record in these bytes, if it is one of this alias with this number.

    Raises:
        ManifestError: it is malformed, of a later format, or of another model, alias or number.
        LimitError: it is longer than a record may be.
    """
    what = f"record {'' if seq is None else f'{seq} '}of the alias {alias!r} of {name!r}"
    value, more = canonical.loads(data, what=f"The {what}", limit=MAX_RECORD), {}
    if isinstance(value, dict):
        check_version(value, f"The {what}")
        more = {key: value.pop(key) for key in value.keys() - _FIELDS.keys()}
    fields = check_fields(value, _FIELDS, what=f"the {what}")
    for key, want in {"name": name, "alias": alias, "seq": fields["seq"] if seq is None else seq}.items():
        if fields[key] != want:
            raise ManifestError(
                f"The {what} has {key} {shown(fields[key])}, expected {want!r}.", remedy=_RESTORE, field=key
            )
    for key in ("digest", "previous"):
        _check_digest(fields[key], key, what)
    return AliasRecord(**fields, more=more)


def check_version(record: Any, what: str, /) -> None:
    """Refuse a record of a later format: it may mean anything. One that does not say its format is of the first.

    Raises:
        ManifestError: it is of another format than this reader knows.
    """
    version = record.get("format_version", FORMAT_VERSION) if isinstance(record, dict) else FORMAT_VERSION
    # 1.0 and True equal 1, and are not spelled so.
    if type(version) is not int or version != FORMAT_VERSION:
        raise ManifestError(
            f"{what} has the format_version {shown(version)}, this reader knows {FORMAT_VERSION}.",
            remedy="It needs a later release of mlopskit; install the one that wrote it, or a later one.",
            field="format_version",
        )


def _check_digest(value: str | None, key: str, what: str) -> None:
    try:
        if value is not None:
            check_digest(value)
    except UnsafeNameError as error:
        raise ManifestError(f"The field {key!r} of the {what} is no digest.", remedy=_RESTORE, field=key) from error


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
        ManifestError: a record is malformed.
    """
    reader = _reader(get, prefix, name, alias)
    newest = reader.onward(reader.start())
    reached = newest.seq if newest else 0
    if reached < seen:
        raise RollbackError(
            f"The alias {alias!r} of {name!r} went back to record {reached}; {seen} was seen before.",
            remedy="Restore the records; to go back to an earlier model, use 'mlopskit rollback'.",
            seen=seen,
        )
    return newest


def follow(get: Get, prefix: str, /, *, name: str, alias: str, last: AliasRecord | None) -> AliasRecord | None:
    """Return the newest record of an alias for a reader that has read it before, up to the record `last`.

    That record must still be there as it was; from there each next one is read, so that no hint is needed.

    Raises:
        RollbackError: `last` is not there any more, or is another: the alias went back, or was begun anew.
        AliasError: the chain of records is broken.
        ManifestError: a record is malformed.
    """
    if last is None:
        return head(get, prefix, name=name, alias=alias)
    reader = _reader(get, prefix, name, alias)
    data = get(record_key(prefix, alias, last.seq))
    if data != last.data():
        raise RollbackError(
            f"Record {last.seq} of the alias {alias!r} of {name!r}, which was seen before, "
            f"is {'gone' if data is None else 'another one'}.",
            remedy="Restore the records; to go back to an earlier model, use 'mlopskit rollback'. "
            "If the alias was begun anew on purpose, give the reader an empty folder.",
            seen=last.seq,
        )
    return reader.onward(last)


def history(get: Get, prefix: str, /, *, name: str, alias: str) -> list[AliasRecord]:
    """Return all records of an alias, oldest first, with every link of the chain checked.

    Raises:
        AliasError: the chain is broken, or a record in the middle is missing.
        ManifestError: a record is malformed.
    """
    reader = _reader(get, prefix, name, alias)
    records: list[AliasRecord] = []
    while record := reader.read(len(records) + 1):
        reader.check_link(records[-1] if records else None, record)
        records.append(record)
    newest = reader.start()
    if newest and newest.seq > len(records):
        raise reader.broken(len(records) + 1, "is missing, while later ones are there")
    return records


def _reader(get: Get, prefix: str, name: str, alias: str) -> _Reader:
    return _Reader(get, prefix, check_name(name), check_name(alias, kind="alias"))


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
        # Beyond 2^53 readers in other languages lose count.
        record = self.read(hint.seq) if 0 < hint.seq < 1 << 53 else None
        if record is not None:
            # A number is reached from the one before: a record far ahead of the others is not the newest, but forged.
            self.check_link(self.read(record.seq - 1) if record.seq > 1 else None, record)
        return record

    def onward(self, newest: AliasRecord | None) -> AliasRecord | None:
        """Return the newest of the records after one, each of which names the one before it."""
        while following := self.read((newest.seq if newest else 0) + 1):
            self.check_link(newest, following)
            newest = following
        return newest

    def check_link(self, before: AliasRecord | None, record: AliasRecord) -> None:
        want = None if before is None else canonical.digest_of(before.data())
        if record.previous != want or (before is None and record.seq > 1):
            raise self.broken(record.seq, "does not follow the record before it")

    def broken(self, seq: int, reason: str) -> AliasError:
        return AliasError(
            f"Record {seq} of the alias {self.alias!r} of {self.name!r} {reason}.", remedy=_RESTORE, seq=seq
        )
