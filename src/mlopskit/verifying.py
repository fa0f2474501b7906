"""Verify a registry: every byte, digest, chain and record is read again, and what is damaged is mended from a copy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mlopskit.aliases import Alias, read_record
from mlopskit.content import PACKAGE, Content, Shelf, contents, shelves
from mlopskit.errors import MlopskitError, StorageError, UnknownNameError, unknown
from mlopskit.evidence import Evidence
from mlopskit.gates import Verdict
from mlopskit.marks import Mark
from mlopskit.records import Approval, Deployment, Run
from mlopskit.registry import MAX_RECORD, Registry, opened
from mlopskit.runtime.names import check_name, hex_of
from mlopskit.steps import Progress, quiet
from mlopskit.tables import Table, card

# What a record that somebody edited may make of the code that reads it.
_UNREADABLE = (MlopskitError, ValueError, TypeError, KeyError, AttributeError)
_RECORD = re.compile(r"(?P<chain>.+)/(?P<seq>0*[0-9]{1,15})/record\.json")
_READ: Mapping[str, Callable[[Any], object]] = {
    "approvals": Approval.from_table,
    "deployments": Deployment.from_table,
    "evidence": Evidence.from_table,
    "marks": Mark.from_table,
    "runs": Run.from_table,
    "verdicts": Verdict.from_table,
}


@dataclass(frozen=True, kw_only=True)
class Damage:
    """One thing that is wrong in a registry: where it stands, what it is, why, and whether it was mended."""

    key: str
    kind: str
    reason: str
    repaired: bool = False


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All that was looked at in a registry, counted by kind, and what is wrong with it."""

    place: str
    checked: Mapping[str, int]
    damages: tuple[Damage, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong any more."""
        return all(one.repaired for one in self.damages)

    def table(self) -> Table:
        """Return what is wrong as a table."""
        rows = [(one.kind, one.key, _state(one), one.reason) for one in self.damages]
        return Table(("kind", "where", "state", "what is wrong"), rows)

    def text(self) -> str:
        """Return the audit for a person."""
        counted = ", ".join(_counted(count, kind) for kind, count in self.checked.items())
        wrong = sum(not one.repaired for one in self.damages)
        said = f"{wrong} damaged." if wrong else "Nothing is wrong." if not self.damages else "All was repaired."
        # What is wrong is the point, and as long as it needs to be: in a table it would be cut off first.
        lines = [f"{_state(one).capitalize()}: {one.kind} {one.key}: {one.reason}" for one in self.damages]
        return "\n".join([*lines, f"Checked {counted or 'nothing'} in {self.place}. {said}"])

    def as_table(self) -> dict[str, Any]:
        """Return the audit as a plain table."""
        damages = [dict(vars(one)) for one in self.damages]
        return {"place": self.place, "sound": self.sound, "checked": dict(self.checked), "damages": damages}

    def _repr_html_(self) -> str:
        state = "✓ sound" if self.sound else "✗ damaged"
        return card(f"Registry: {state}", {"place": self.place, **self.checked}, self.table())


def _state(damage: Damage) -> str:
    return "repaired" if damage.repaired else "damaged"


def _counted(count: int, kind: str) -> str:
    return f"{count:,} {kind}{'' if count == 1 else 'es' if kind.endswith('s') else 's'}"


def verify(
    registry: Registry | str | Path | None = None,
    /,
    *,
    name: str | None = None,
    repair_from: Registry | str | Path | None = None,
    progress: Progress = quiet,
) -> Audit:
    """Read all of a registry again, by default that of the project here, and say what is wrong.

    `name` is the model to look at, by default all. Packages, bundles and runtimes that are damaged or missing are taken
    from `repair_from`, a sound copy; records are never written.

    Raises:
        UnknownNameError: there is nothing at that place, or no such model.
        StorageError: a place cannot be read, or not be written for a repair.
    """
    chosen = opened(registry)
    models = [_Model(registry=chosen, name=one, progress=progress) for one in _names(chosen, name)]
    damages = [damage for model in models for damage in model.damages()]
    if repair_from is not None:
        source = opened(repair_from)
        damages = [_repaired(one, chosen, source, progress) for one in damages]
    checked: Counter[str] = Counter()
    for model in models:
        checked.update(model.checked)
    return Audit(place=chosen.storage.uri, checked=dict(sorted(checked.items())), damages=tuple(damages))


def _names(registry: Registry, name: str | None) -> list[str]:
    held = registry.models()
    if not held:  # a place that was mistyped is no sound registry
        raise UnknownNameError(
            f"The registry {registry.storage.uri!r} holds nothing.", remedy="Name the place of a registry or share."
        )
    if name is not None and check_name(name) not in held:
        raise unknown("model", name, held)
    return held if name is None else [name]


def _repaired(damage: Damage, registry: Registry, source: Registry, progress: Progress) -> Damage:
    name = damage.key.partition("/")[0]
    found = [one for one in contents(name, [f"{damage.key}/"]) if one.kind == damage.kind]
    if not found:
        return damage
    progress(f"repair {damage.key}")
    try:
        found[0].replace(registry.storage, source.storage)
    except StorageError:
        raise
    except MlopskitError as error:
        return replace(damage, reason=f"{damage.reason} The copy is no better: {error.message}")
    return replace(damage, repaired=True)


@dataclass(frozen=True, kw_only=True)
class _Model:
    """What a registry holds of one model, looked at piece by piece."""

    registry: Registry
    name: str
    progress: Progress
    checked: Counter[str] = field(default_factory=Counter)

    @cached_property
    def keys(self) -> list[str]:
        return [key for key, _ in self.registry.storage.list(self.name)]

    @cached_property
    def chains(self) -> Mapping[str, list[str]]:
        """The numbers of the records of each chain, by its prefix below the model's name."""
        found: dict[str, list[str]] = {}
        for match in map(_RECORD.fullmatch, (key.removeprefix(f"{self.name}/") for key in self.keys)):
            if match:
                found.setdefault(match["chain"], []).append(match["seq"])
        return found

    def damages(self) -> Iterator[Damage]:
        known: set[str] = set()
        for damage in (*self._contents(), *self._chains()):
            if damage.key not in known:  # what several aliases name is damaged once
                known.add(damage.key)
                yield damage

    def _contents(self) -> Iterator[Damage]:
        for content in contents(self.name, self.keys):
            judged = f"verdicts/{hex_of(content.digest)}" in self.chains
            if not content.complete(self.registry.storage) and not judged:
                continue  # a write that failed, or is not at its end: nobody was told that it is there
            self.progress(f"check {content.prefix}")
            self.checked[content.kind] += 1
            yield from self._content(content)

    def _content(self, content: Content, why: str = "") -> Iterator[Damage]:
        try:
            content.verify(self.registry.storage)
        except StorageError:
            raise
        except MlopskitError as error:
            yield Damage(key=content.prefix, kind=content.kind, reason=f"{why}{error.message}")

    def _chains(self) -> Iterator[Damage]:
        for shelf in shelves(self.name, self.keys):
            self.checked["alias"] += 1
            yield from self._alias(shelf)
        for chain, numbers in sorted(self.chains.items()):
            kind = chain.partition("/")[0]
            if kind in _READ:
                self.checked["record"] += len(numbers)
                yield from (one for seq in numbers for one in self._record(kind, chain, seq))
            # Readers stop at a gap: what stands behind it is lost to them.
            gap = min({*range(1, len(numbers) + 1)} - {*map(int, numbers)}, default=None)
            if gap is not None:
                key = f"{self.name}/{chain}/{gap}"
                yield Damage(key=key, kind="record", reason="It is missing, while later ones are there.")

    def _record(self, kind: str, chain: str, seq: str) -> Iterator[Damage]:
        key = f"{self.name}/{chain}/{seq}/record.json"
        try:
            table = read_record(self.registry.storage, key, limit=MAX_RECORD)
            _READ[kind](table)
        except StorageError:
            raise
        except _UNREADABLE as error:
            said = error.message if isinstance(error, MlopskitError) else f"{type(error).__name__}: {error}"
            yield Damage(key=key, kind="record", reason=said)
            return
        placed = chain.partition("/")[2]
        wanted: dict[str, dict[str, object]] = {
            "approvals": {"name": self.name, "digest": f"sha256:{placed}"},
            "deployments": {"name": self.name, "endpoint": placed},
            "marks": {"seq": int(seq)},
            "runs": {"name": self.name, "id": seq},
            "verdicts": {"name": self.name, "digest": f"sha256:{placed}"},
        }
        for what, want in wanted.get(kind, {}).items():
            if table[what] != want:
                yield Damage(key=key, kind="record", reason=f"Its {what} is {table[what]!r}, expected {want!r}.")

    def _alias(self, shelf: Shelf) -> Iterator[Damage]:
        key = f"{shelf.aliases}/{shelf.alias}"
        try:
            alias = Alias(self.registry.storage, shelf.aliases, self.name, shelf.alias)
            alias.history()
            head = alias.head()
        except StorageError:
            raise
        except MlopskitError as error:
            yield Damage(key=key, kind="alias", reason=error.message)
            return
        if head is not None and head.digest is not None:
            yield from self._content(shelf.content(head.digest), f"The alias {shelf.alias!r} names it. ")
            judges = any(chain.startswith("verdicts/") for chain in self.chains)  # a share holds no verdicts
            if shelf.kind == PACKAGE and judges and (reason := self._unjudged(head.digest)):
                yield Damage(key=key, kind="alias", reason=f"It names {head.digest}, which has {reason}.")

    def _unjudged(self, digest: str) -> str | None:
        try:
            verdict = self.registry.verdict(self.name, digest)
        except StorageError:
            raise
        except _UNREADABLE:  # a record that cannot be read is told of as such
            return None
        if verdict is None:
            return "no verdict"
        return None if verdict.deployable else "a verdict that refused it"
