"""Bundles: sealed folders, and deployers whose target is a folder of versions with an alias."""

from __future__ import annotations

import contextlib
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlopskit import isolated, marks, vendoring
from mlopskit.aliases import Alias
from mlopskit.commits import sha256_of
from mlopskit.deployer import Deployer
from mlopskit.errors import ConflictError, DeployError, IntegrityError, PackageError
from mlopskit.marks import Mark
from mlopskit.modelpackage import ModelPackage, StoredModel
from mlopskit.records import Answer, Bundle, Locator
from mlopskit.runtime import canonical
from mlopskit.runtime.fetching import listed_files
from mlopskit.runtime.names import hex_of
from mlopskit.runtime.package import MANIFEST, MAX_MANIFEST, read_files, read_listing, walk
from mlopskit.runtime.schema import Row
from mlopskit.storage import Place, Storage, copy_folder, storage_at
from mlopskit.trust import trusted


def seal(folder: Path, deployer: Deployer, package: ModelPackage, model: StoredModel | None, /) -> Bundle:
    """Return the bundle in a folder, after writing its listing if the deployer did not."""
    listing = folder / deployer.listing
    format = model.format if model else None
    if not listing.exists():
        files = {path: _entry(folder / path) for path in walk(folder)}
        about = {"format_version": 1, "format": format, "name": package.name, "target": deployer.target}
        listing.write_bytes(canonical.dumps({**about, "package": package.digest, "files": files}))
    return Bundle(
        folder=folder,
        name=package.name,
        package=package.digest,
        digest=canonical.digest_of(listing.read_bytes()),
        format=format,
        listing=deployer.listing,
        files=tuple(walk(folder)),
    )


def _entry(file: Path) -> dict[str, Any]:
    return {"sha256": sha256_of(file), "size": file.stat().st_size}


def check_folder(folder: Path, /, *, listing: str, digest: str) -> None:
    """Check that a sealed folder holds exactly what its digest says.

    Raises:
        IntegrityError: it does not; the message names the file.
    """
    with naming(folder, remedy="Remove that folder, find out who changed it, and deploy again."):
        _check_sealed(folder, listing, digest)


@contextlib.contextmanager
def naming(folder: Path, /, *, remedy: str) -> Iterator[None]:
    """Let an error that says what is wrong in a folder also say in which folder, and what to do about it."""
    try:
        yield
    except PackageError as error:
        where = "" if str(folder) in error.message else f" It stands in {str(folder)!r}."
        raise type(error)(f"{error.message}{where}", remedy=remedy, **error.culprits) from error


def _check_sealed(folder: Path, listing: str, digest: str) -> None:
    data = read_listing(folder, listing, digest=digest)
    read_files(folder, listed_files(data, what=listing), listing=listing, keep=lambda _: False)


@contextlib.contextmanager
def local_folder(storage: Storage, prefix: str, /) -> Iterator[Path]:
    """Give a committed folder as a local one: in place where that is possible, else a copy that goes afterwards."""
    here = storage.local(prefix)
    if here is not None:
        yield here
        return
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        copy_folder(storage, prefix, Path(temporary, prefix))
        yield Path(temporary, prefix)


@dataclass(frozen=True, kw_only=True)
class BundleDeployer(Deployer):
    """A folder of versions with an alias, on any storage: only `build` and `ask` are left to write.

    It writes `<to>/<name>/<target>/bundles/<sha256>/` and `<to>/<name>/<target>/aliases/`.
    """

    to: Place
    alias: str = "production"

    @abstractmethod
    def ask(self, bundle: Path, rows: Sequence[Row], /) -> Answer:
        """Return what a deployed bundle answers, asked the way its users ask it."""

    def bundles(self, name: str, /) -> str:
        """Return the key below which the bundles of a model stand."""
        return f"{name}/{self.target}/bundles"

    def aliases(self, name: str, /) -> str:
        """Return the key below which the aliases of a model stand."""
        return f"{name}/{self.target}/aliases"

    def push(self, bundle: Bundle, /) -> Locator:
        """Commit the bundle under its digest."""
        storage, prefix = self._storage(), f"{self.bundles(bundle.name)}/{hex_of(bundle.digest)}"
        files: dict[str, Path | bytes] = {path: bundle.folder / path for path in bundle.files}
        marks.keep(storage, prefix)
        if not storage.commit(prefix, files, last=bundle.listing):
            with local_folder(storage, prefix) as folder:
                check_folder(folder, listing=bundle.listing, digest=bundle.digest)
        return {"bundle": bundle.digest}

    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Ask the bundle that was pushed, or the one that the alias names."""
        found = self.live(name) if at is None else at
        if found is None:
            raise DeployError(
                f"Nothing is live for {name!r} at {self.to!r}.", remedy="Deploy a package there first.", name=name
            )
        with local_folder(self._storage(), self._prefix(name, found)) as folder:
            check_folder(folder, listing=self.listing, digest=found["bundle"])
            return self.ask(folder, rows)

    def live(self, name: str, /) -> Locator | None:
        """Return the bundle that the alias names."""
        head = self._alias(name).head()
        return None if head is None or head.digest is None else {"bundle": head.digest}

    def activate(self, name: str, at: Locator | None, /, *, instead_of: Locator | None, why: str) -> None:
        """Append the alias record that names the bundle, if it does not name it already."""
        alias = self._alias(name)
        head = alias.head()
        live = None if head is None or head.digest is None else {"bundle": head.digest}
        if live != instead_of:
            raise ConflictError(
                f"{self.to!r} answers with {live}, expected {instead_of}: somebody else deployed meanwhile.",
                remedy="Look at 'mlopskit status', then deploy again if it is still wanted.",
                winner=head,
            )
        mark = None if at is None else self._keep(name, at)
        if at == live:
            alias.refresh()
            return
        moved = alias.append(None if at is None else at["bundle"], after=head, why=why)
        if at is not None and (gone := self._gone(name, at, since=mark)):
            # gc looks at the aliases after it has said what it removes: either it has seen this move, or we see that.
            alias.append(None if head is None else head.digest, after=moved, why="undo: gc was removing the bundle")
            raise gone

    def _keep(self, name: str, at: Locator) -> Mark | None:
        """Say that a bundle is relied on, and check that it is there."""
        mark = marks.keep(self._storage(), self._prefix(name, at))
        if fault := self.fault(name, at):
            raise IntegrityError(
                fault, remedy="Deploy it again; deploying pushes what is missing.", digest=at["bundle"]
            )
        return mark

    def _gone(self, name: str, at: Locator, *, since: Mark | None) -> ConflictError | None:
        newest = marks.head(self._storage(), self._prefix(name, at))
        going = newest is not None and newest != since and newest.state in (marks.REMOVING, marks.REMOVED)
        return marks.going(self._prefix(name, at), newest) if newest and going else None

    def _prefix(self, name: str, at: Locator) -> str:
        return f"{self.bundles(name)}/{hex_of(at['bundle'])}"

    def remove(self, name: str, at: Locator, /) -> None:
        """Remove nothing: a bundle under its digest may serve other aliases too."""

    def fault(self, name: str, at: Locator, /) -> str | None:
        """Say whether the bundle is missing: then the alias points to nothing."""
        if self._storage().stat(f"{self._prefix(name, at)}/{self.listing}") is not None:
            return None
        return f"There is no complete bundle {at['bundle']} of {name!r} at {self.to!r}."

    def _storage(self) -> Storage:
        return storage_at(self.to)

    def _alias(self, name: str) -> Alias:
        return Alias(self._storage(), self.aliases(name), name, self.alias)


@dataclass(frozen=True, kw_only=True)
class PublishingDeployer(BundleDeployer):
    """Publishes packages as they are, in the registry's layout, with the runtime that reads them beside.

    Users read `<to>/<name>/packages/<sha256>/` through the alias, with `python <to>/<name>/runtime/<sha256>`.
    `trust_code` are the digests of packages from elsewhere that may run code of their own here, when they are asked.
    """

    listing = MANIFEST
    # Not compared: whom one trusts does not make it another place.
    trust_code: Sequence[str] = field(default=(), compare=False)

    def bundles(self, name: str, /) -> str:
        """Return the key of a model's packages."""
        return f"{name}/packages"

    def aliases(self, name: str, /) -> str:
        """Return the key of a model's aliases."""
        return f"{name}/aliases"

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Copy the package."""
        del model
        package.write(into)

    def push(self, bundle: Bundle, /) -> Locator:
        """Commit the package, and the runtime that reads its forms."""
        manifest = canonical.loads((bundle.folder / MANIFEST).read_bytes(), what=MANIFEST, limit=MAX_MANIFEST)
        files = vendoring.runtime_files(model["format"] for model in manifest["models"])
        prefix = f"{bundle.name}/runtime/{hex_of(vendoring.digest_of_files(files))}"
        marks.keep(self._storage(), prefix)
        if not self._storage().commit(prefix, files, last=vendoring.MAIN):
            self._check_runtime(prefix, files)
        return super().push(bundle)

    def ask(self, bundle: Path, rows: Sequence[Row], /) -> Answer:
        """Ask the package in a fresh process that has only the runtime and the model's engine."""
        package = ModelPackage.open(bundle)
        formats = [model.format for model in package.models]
        # Whatever is live is asked, and somebody else may have deployed that.
        trust = trusted(package.digest, self.trust_code)
        with isolated.isolated_model(bundle, digest=package.digest, formats=formats, trust_code=trust) as model:
            answer = model.ask(rows)
        return Answer(rows=answer["rows"], digest=answer["digest"], runtime=answer["runtime"])

    def _check_runtime(self, prefix: str, files: Mapping[str, bytes]) -> None:
        """Refuse a runtime that was tampered with: users run it."""
        storage = self._storage()
        found = {key.removeprefix(f"{prefix}/") for key, _ in storage.list(prefix)}
        wrong = sorted(found ^ files.keys())
        for path, data in files.items():
            if path in found and storage.read(f"{prefix}/{path}", limit=len(data)) != data:
                wrong.append(path)
        if wrong:
            raise IntegrityError(
                f"The runtime at {storage.uri}/{prefix} was changed: {', '.join(wrong[:5])}.",
                remedy="Remove that folder, find out who changed it, and deploy again.",
                files=wrong,
            )
