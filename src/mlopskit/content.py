"""What stands under its own digest in a storage: packages, bundles, and the runtimes that read packages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlopskit import vendoring
from mlopskit.bundles import check_folder, local_folder
from mlopskit.deployer import Deployer
from mlopskit.errors import IntegrityError
from mlopskit.modelpackage import ModelPackage
from mlopskit.runtime.names import hex_of
from mlopskit.runtime.package import MANIFEST, walk
from mlopskit.storage import Storage

PACKAGE, BUNDLE, RUNTIME = "package", "bundle", "runtime"
_LISTINGS = {PACKAGE: MANIFEST, BUNDLE: Deployer.listing, RUNTIME: vendoring.MAIN}
_ALIAS = re.compile(r"(?:(?P<target>[^/]+)/)?aliases/(?P<alias>[^/]+)/[0-9]+/record\.json")
_FORMS = {
    PACKAGE: re.compile(r"packages/[0-9a-f]{64}"),
    RUNTIME: re.compile(r"runtime/[0-9a-f]{64}"),
    BUNDLE: re.compile(r"[^/]+/bundles/[0-9a-f]{64}"),
}


@dataclass(frozen=True, order=True)
class Content:
    """One folder that is named by its digest, below the name of a model."""

    name: str
    kind: str
    prefix: str

    @property
    def digest(self) -> str:
        """The digest that it must have."""
        return f"sha256:{self.prefix.rpartition('/')[2]}"

    @property
    def last(self) -> str:
        """The file whose presence means that all are there."""
        return _LISTINGS[self.kind]

    def complete(self, storage: Storage, /) -> bool:
        """Say whether it was written to its end; its bytes are not looked at."""
        return storage.stat(f"{self.prefix}/{self.last}") is not None

    def check(self, folder: Path, /) -> None:
        """Check every byte of a copy of it in a folder.

        Raises:
            PackageError: it is not what its digest says.
        """
        if self.kind == PACKAGE:
            package = ModelPackage.open(folder, digest=self.digest)
            if package.name != self.name:
                raise _other(f"It is a package of {package.name!r}, not of {self.name!r}.")
        elif self.kind == BUNDLE:
            check_folder(folder, listing=self.last, digest=self.digest)
        else:
            found = vendoring.digest_of_files({path: (folder / path).read_bytes() for path in walk(folder)})
            if found != self.digest:
                raise _other(f"Its files have the digest {found}.")

    def verify(self, storage: Storage, /) -> None:
        """Check every byte of it in a storage.

        Raises:
            PackageError: it is not there, or not what its digest says.
        """
        with local_folder(storage, self.prefix) as folder:
            self.check(folder)

    def replace(self, storage: Storage, source: Storage, /) -> None:
        """Put what another storage holds in the place of what is damaged or missing here.

        Raises:
            PackageError: the other one is not sound either; nothing was changed.
        """
        with local_folder(source, self.prefix) as folder:
            self.check(folder)
            files: dict[str, Path | bytes] = {path: folder / path for path in walk(folder)}
            # What is damaged would be taken for what is there already.
            storage.delete(self.prefix)
            storage.commit(self.prefix, files, last=self.last)
        self.verify(storage)


def _other(what: str) -> IntegrityError:
    return IntegrityError(what, remedy="Restore that folder from a copy: mlopskit verify --repair-from PLACE")


@dataclass(frozen=True, order=True)
class Shelf:
    """One alias below the name of a model: the key of its chain's aliases, and where stands what it names."""

    name: str
    kind: str
    aliases: str
    alias: str
    contents: str

    def content(self, digest: str, /) -> Content:
        """Return the content of a digest on this shelf."""
        return Content(self.name, self.kind, f"{self.contents}/{hex_of(digest)}")


def shelves(name: str, keys: Iterable[str], /) -> list[Shelf]:
    """Return the aliases among the keys of a model: those of packages, and those of the bundles of each target."""
    found = {_ALIAS.fullmatch(key.removeprefix(f"{name}/")) for key in keys}
    return sorted({_shelf(name, one["target"], one["alias"]) for one in found if one})


def _shelf(name: str, target: str | None, alias: str) -> Shelf:
    here = name if target is None else f"{name}/{target}"
    if target is None:
        return Shelf(name, PACKAGE, f"{here}/aliases", alias, f"{here}/packages")
    return Shelf(name, BUNDLE, f"{here}/aliases", alias, f"{here}/bundles")


def contents(name: str, keys: Iterable[str], /) -> list[Content]:
    """Return what stands under its digest among the keys of a model, also what is not complete."""
    return sorted(set(_contents(name, keys)))


def _contents(name: str, keys: Iterable[str]) -> Iterator[Content]:
    start = f"{name}/"
    for key in keys:
        rest = key.removeprefix(start)
        for kind, form in _FORMS.items():
            found = form.match(rest)
            if found and rest[found.end() : found.end() + 1] == "/":
                yield Content(name, kind, f"{start}{found[0]}")
