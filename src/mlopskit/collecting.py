"""Collect garbage: what nothing in a registry needs is marked, and removed by a later run after a grace time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit import marks
from mlopskit.aliases import Alias
from mlopskit.content import PACKAGE, RUNTIME, Content, contents, shelves
from mlopskit.marks import KEPT, MARKED, REMOVED, REMOVING, Mark
from mlopskit.registry import Registry, opened
from mlopskit.runtime.names import hex_of
from mlopskit.steps import Progress, quiet
from mlopskit.storage import Storage
from mlopskit.tables import Table, card

GRACE = 7 * 24 * 60 * 60.0
KEEP = 10
WAITING, NEEDED = "waiting", "needed again"


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """Content that nothing needs: where it stands, what it is, its size in bytes, and what became of it.

    `state` is "marked" (seen as garbage for the first time), "waiting" (its grace time is not over), "removed", or
    "needed again" (somebody relied on it meanwhile).
    """

    key: str
    kind: str
    size: int
    state: str


@dataclass(frozen=True, kw_only=True)
class Collection:
    """What gc found in a registry and did about it; of a dry run, what it would have done."""

    place: str
    dry_run: bool
    garbage: tuple[Garbage, ...]

    def table(self) -> Table:
        """Return the garbage as a table."""
        rows = [(one.kind, one.state, one.size, one.key) for one in self.garbage]
        return Table(("kind", "state", "bytes", "where"), rows)

    def as_table(self) -> dict[str, Any]:
        """Return the collection as a plain table."""
        return {"place": self.place, "dry_run": self.dry_run, "garbage": [dict(vars(one)) for one in self.garbage]}

    def text(self) -> str:
        """Return the collection for a person."""
        removed = [one.size for one in self.garbage if one.state == REMOVED]
        waiting = sum(one.state in (MARKED, WAITING) for one in self.garbage)
        verb = "Would remove" if self.dry_run else "Removed"
        later = f" {waiting} wait for the grace time to pass: run it again then." if waiting else ""
        said = f"{verb} {len(removed)} ({sum(removed):,} bytes) from {self.place}.{later}"
        return "\n".join([*([self.table().text()] if self.garbage else []), said])

    def _repr_html_(self) -> str:
        return card("Garbage", {"place": self.place, "dry run": self.dry_run}, self.table())


def gc(
    registry: Registry | str | Path | None = None,
    /,
    *,
    older_than: float = GRACE,
    keep: int = KEEP,
    dry_run: bool = False,
    progress: Progress = quiet,
) -> Collection:
    """Remove what nothing in a registry needs, by default in that of the project here; records are never removed.

    Needed are the last `keep` packages of each alias and of each endpoint, and that of the last run. Garbage is marked
    first, and removed by a later run if it was marked at least `older_than` seconds before, by the clock of the place.

    Raises:
        MlopskitError: a record of an alias, a deployment or a run cannot be read; of that model nothing is removed.
    """
    chosen = opened(registry)
    found: list[Garbage] = []
    for name in chosen.models():
        options = {"older_than": older_than, "keep": max(1, keep), "progress": progress}
        one = _Collecting(registry=chosen, name=name, **options)  # type: ignore[arg-type]
        found += one.look() if dry_run else one.run()
    return Collection(place=chosen.storage.uri, dry_run=dry_run, garbage=tuple(found))


@dataclass(frozen=True, kw_only=True)
class _Collecting:
    registry: Registry
    name: str
    older_than: float
    keep: int
    progress: Progress

    @property
    def storage(self) -> Storage:
        return self.registry.storage

    def look(self) -> list[Garbage]:
        """Return what a run would do; nothing is written."""
        now = time.time()  # what the place's own clock says shows only where something is written
        found = self._found()
        needed = self._needed(found)
        return [_garbage(one, found[one], self._fate(one, now, needed)) for one in self._garbage(found, needed)]

    def _fate(self, content: Content, now: float, needed: set[str]) -> str:
        mark = marks.head(self.storage, content.prefix)
        fresh = mark is None or mark.state in (KEPT, REMOVED)
        ripe = self.older_than <= 0 if mark is None or fresh else self._ripe(content, mark, now)
        if ripe:
            return NEEDED if content.prefix in needed else REMOVED
        return MARKED if fresh else WAITING

    def run(self) -> list[Garbage]:
        """Mark what is garbage, and remove what was marked long enough ago."""
        found = self._found()
        garbage = self._garbage(found, self._needed(found))
        if not garbage:
            return []
        now = self._now()
        claims = {content: self._claim(content, now) for content in garbage}
        # Whoever moved an alias before the claims is seen now; whoever does so from now on sees the claims.
        claimed = any(isinstance(one, Mark) for one in claims.values())
        needed = self._needed(found) if claimed else set()
        return [_garbage(one, found[one], self._end(one, claims[one], needed)) for one in garbage]

    def _claim(self, content: Content, now: float) -> Mark | str:
        """Mark content, or claim it if it was marked long enough ago; return the claim, or in what state it is else."""
        mark = marks.head(self.storage, content.prefix)
        if mark is None or mark.state in (KEPT, REMOVED):
            mark = marks.append(self.storage, content.prefix, MARKED, after=mark)
            if mark is None or self.older_than > 0:
                return MARKED
        elif not self._ripe(content, mark, now):
            return WAITING
        if mark.state == REMOVING:  # by somebody who was stopped
            return mark
        return marks.append(self.storage, content.prefix, REMOVING, after=mark) or NEEDED

    def _end(self, content: Content, claim: Mark | str, needed: set[str]) -> str:
        if isinstance(claim, str):
            return claim
        keep = content.prefix in needed
        if not keep:
            self.progress(f"remove {content.prefix}")
            self.storage.delete(content.prefix)
        marks.append(self.storage, content.prefix, KEPT if keep else REMOVED, after=claim)
        return NEEDED if keep else REMOVED

    def _found(self) -> dict[Content, int | None]:
        """Return all content with its size in bytes; None for what was marked and is gone."""
        sizes: dict[Content, int | None] = {}
        for key, size in self.storage.list(self.name):
            for content in contents(self.name, [key]):
                sizes[content] = (sizes.get(content) or 0) + size
            for content in contents(self.name, [marks.subject(key)]):
                sizes.setdefault(content, None)
        # What a writer that died left in a bucket is in no listing, and no package that anything could need.
        for folder, size in self.storage.unfinished(self.name):
            sizes |= {one: size for one in contents(self.name, [f"{folder}/"]) if one.prefix == folder}
        return sizes

    def _garbage(self, found: Mapping[Content, int | None], needed: set[str]) -> list[Content]:
        """Return what nothing needs, and what was claimed by a run that could not end that.

        The latter may be gone, or be needed: either way, nobody can publish it before that is said.
        """
        garbage = []
        for content in sorted(found):
            mark = marks.head(self.storage, content.prefix)
            claimed = mark is not None and mark.state == REMOVING
            if claimed or (found[content] is not None and content.prefix not in needed):
                garbage.append(content)
        return garbage

    def _needed(self, found: Iterable[Content]) -> set[str]:
        """Return the keys of what is needed, of all that was found."""
        wanted: set[str] = set()
        for shelf in shelves(self.name, (key for key, _ in self.storage.list(self.name))):
            records = Alias(self.storage, shelf.aliases, self.name, shelf.alias).history()
            wanted |= {f"{shelf.contents}/{one}" for one in self._last(record.digest for record in reversed(records))}
        packages = f"{self.name}/packages"
        for endpoint in self.registry.endpoints(self.name):
            deployments = self.registry.deployments(self.name, endpoint)[::-1]
            wanted |= {f"{packages}/{one}" for one in self._last(one.package for one in deployments)}
            bundles = {f"{self.name}/{one.target}/bundles" for one in deployments}
            wanted |= {f"{at}/{one}" for at in bundles for one in self._last(one.bundle for one in deployments)}
        runs = (one.digest for one in reversed(self.registry.runs(self.name)) if one.digest)
        wanted |= {f"{packages}/{hex_of(digest)}" for digest in [*runs][:1]}
        contents = [*found]
        formats = [self._formats(one) for one in contents if one.kind == PACKAGE and one.prefix in wanted]
        return wanted | {one.prefix for one in contents if one.kind == RUNTIME and self._reads(one, formats)}

    def _last(self, digests: Iterable[str | None]) -> list[str]:
        """Return the hex digits of the first so many digests, each once."""
        return [*dict.fromkeys(hex_of(one) for one in digests if one)][: self.keep]

    def _formats(self, package: Content) -> set[str]:
        """Return the forms of the model that a package holds; none if it is not complete."""
        if not package.complete(self.storage):
            return set()
        return {model["format"] for model in self.registry.manifest(self.name, package.digest)["models"]}

    def _reads(self, runtime: Content, formats: Iterable[set[str]]) -> bool:
        """Say whether a runtime has the loaders of one of the packages that stay."""
        loaders = {key.partition("/loaders/")[2].partition("/")[0] for key, _ in self.storage.list(runtime.prefix)}
        known = {loader.removesuffix(".py") for loader in loaders}
        return any(one and one <= known for one in formats)

    def _ripe(self, content: Content, mark: Mark, now: float) -> bool:
        stat = self.storage.stat(marks.record_key(content.prefix, mark.seq))
        # A place that does not say when it wrote a file removes nothing but on request.
        age = 0.0 if stat is None or stat.modified is None else now - stat.modified
        return age >= self.older_than

    def _now(self) -> float:
        """Return the time by the clock of the place, which also set the times of the marks."""
        key = f"{self.name}/marks/now.json"
        self.storage.hint(key, b"{}")
        stat = self.storage.stat(key)
        return time.time() if stat is None or stat.modified is None else stat.modified


def _garbage(content: Content, size: int | None, state: str) -> Garbage:
    return Garbage(key=content.prefix, kind=content.kind, size=size or 0, state=state)
