"""Copy packages from one registry to another, with the verdicts and the evidence on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit.errors import UnknownNameError, unknown
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry, opened
from mlopskit.runtime.names import hex_of
from mlopskit.runtime.package import MANIFEST
from mlopskit.steps import Progress, quiet, telling
from mlopskit.tables import Table, card


@dataclass(frozen=True, kw_only=True)
class Copied:
    """One package that stands in the other registry now: `sent` says whether it was not there before, in `bytes`.

    `verdicts` and `evidence` are the numbers of records that were added to those on it.
    """

    name: str
    digest: str
    sent: bool
    bytes: int
    verdicts: int
    evidence: int


@dataclass(frozen=True, kw_only=True)
class Copy:
    """All that was copied from one registry to another."""

    source: str
    to: str
    packages: tuple[Copied, ...]

    def table(self) -> Table:
        """Return the packages as a table."""
        rows = [(one.name, one.digest, one.sent, one.bytes, one.verdicts, one.evidence) for one in self.packages]
        return Table(("model", "package", "sent", "bytes", "verdicts", "evidence"), rows)

    def text(self) -> str:
        """Return the copy for a person."""
        sent = [one.bytes for one in self.packages if one.sent]
        count = f"{len(sent)} of {len(self.packages)} packages ({sum(sent):,} bytes)"
        return f"{self.table().text()}\nSent {count} to {self.to}; all are sound there."

    def as_table(self) -> dict[str, Any]:
        """Return the copy as a plain table."""
        return {"source": self.source, "to": self.to, "packages": [dict(vars(one)) for one in self.packages]}

    def _repr_html_(self) -> str:
        return card("Copied", {"from": self.source, "to": self.to}, self.table())


def copy(
    references: Sequence[str] | None = None,
    /,
    *,
    to: Registry | str | Path,
    registry: Registry | str | Path | None = None,
    name: str | None = None,
    progress: Progress = quiet,
) -> Copy:
    """Copy packages to another registry under the same digests, checked there byte by byte; no alias moves.

    `references` are digests, beginnings of them, or aliases, with `NAME@` before it or of the model `name`; None means
    all packages. `registry` is where they stand, by default that of the project here. Verdicts and evidence go with a
    package, unless the other registry has its own: what was judged there counts there.

    Raises:
        UnknownNameError: there is no such package.
        IntegrityError: a package is damaged, here or there.
    """
    source, target = opened(registry), opened(to)
    copied: dict[tuple[str, str], Copied] = {}
    for package in _packages(source, references, name):
        if (package.name, package.digest) not in copied:
            step = f"copy {package.name} {package.digest[:19]}"
            progress(step)
            with telling(progress, step):
                copied[package.name, package.digest] = _copied(source, target, package)
    return Copy(source=source.storage.uri, to=target.storage.uri, packages=tuple(copied.values()))


def _packages(source: Registry, references: Sequence[str] | None, name: str | None) -> Iterator[ModelPackage]:
    """Yield the packages, each checked when it is its turn."""
    if references is not None:
        yield from (source.resolve(one, name=name) for one in references)
        return
    held = source.models()
    if not held or (name is not None and name not in held):
        raise (
            unknown("model", name, held)
            if name
            else UnknownNameError(
                f"The registry {source.storage.uri!r} holds nothing.", remedy="Name the place of a registry or share."
            )
        )
    for one in held if name is None else [name]:
        yield from (source.package(one, digest) for digest in source.digests(one))


def _copied(source: Registry, target: Registry, package: ModelPackage) -> Copied:
    name, digest = package.name, package.digest
    sent = not target.holds(name, digest)
    target.add(package)
    sizes = [entry["size"] for entry in package.manifest["files"].values()]
    return Copied(
        name=name,
        digest=digest,
        sent=sent,
        bytes=sum(sizes) + len(package.files[MANIFEST]) if sent else 0,
        evidence=_records(source, target, f"{name}/evidence/{hex_of(digest)}"),
        verdicts=_records(source, target, f"{name}/verdicts/{hex_of(digest)}"),
    )


def _records(source: Registry, target: Registry, prefix: str) -> int:
    """Copy the records on a package; none where the other registry has some of its own: its newest must stay that."""
    ours, theirs = [*source.records(prefix)], [*target.records(prefix)]
    missing = ours[len(theirs) :] if ours[: len(theirs)] == theirs else []
    for table in missing:
        target.append_record(prefix, table)
    return len(missing)
