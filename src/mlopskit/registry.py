"""Registry: packages, verdicts, aliases, deployments and runs in a folder or bucket. No server."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlopskit import config, marks
from mlopskit.aliases import RECORD, Alias, commit_record, read_record
from mlopskit.bundles import check_folder, naming
from mlopskit.errors import (
    ConflictError,
    IntegrityError,
    UnknownNameError,
    UnsafeNameError,
    unknown,
)
from mlopskit.evidence import Evidence
from mlopskit.gates import Verdict
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Approval, Deployment, Run, Runs
from mlopskit.runtime import canonical
from mlopskit.runtime.names import check_digest, check_name, hex_of
from mlopskit.runtime.package import MANIFEST, MAX_MANIFEST, check_manifest
from mlopskit.storage import Storage, copy_folder, resolve_place, storage_at

DEFAULT = ".mlopskit/registry"
MAX_RECORD = 16 << 20
_SHORTEST = 8
_MOST_WRITERS = 1000


@dataclass(frozen=True)
class Registry:
    """The registry at a storage; `Registry.at(path_or_uri)` opens one, and nothing is made until it is written."""

    storage: Storage

    @classmethod
    def at(cls, place: str | Path = DEFAULT, /) -> Registry:
        """Return the registry at a path or URI."""
        return cls(storage_at(str(place)))

    # --- packages ---------------------------------------------------------------------------------------------------

    def add(self, package: ModelPackage, /) -> ModelPackage:
        """Store a package under its digest, and return it from there; storing it again changes nothing."""
        prefix = _package_key(package.name, package.digest)
        marks.keep(self.storage, prefix)
        if not self.storage.commit(prefix, package.paths(), last=MANIFEST):
            here = self.storage.local(prefix)
            if here is not None:
                check_folder(here, listing=MANIFEST, digest=package.digest)
        return self.package(package.name, package.digest)

    def package(self, name: str, digest: str, /) -> ModelPackage:
        """Return a package, every byte checked.

        Raises:
            UnknownNameError: the registry does not hold it.
            IntegrityError: it is not the package of this name and digest.
        """
        prefix = _package_key(name, digest)
        if not self.holds(name, digest):
            raise self._holds_no(name, digest)
        folder = self._local(prefix)
        with naming(folder, remedy="Restore that folder; if it is the last run's, remove it, then: mlopskit run"):
            opened = ModelPackage.open(folder, digest=digest)
        if opened.name != name:
            raise IntegrityError(
                f"The package {digest} is one of {opened.name!r}, not of {name!r}.",
                remedy="Point the alias or the command at a package of the same model.",
                digest=digest,
            )
        return opened

    def manifest(self, name: str, digest: str, /) -> Mapping[str, Any]:
        """Return a package's manifest, checked by its digest; the files that it lists are not looked at.

        Raises:
            UnknownNameError: the registry does not hold it.
            IntegrityError: it is not the manifest of this digest.
        """
        key = f"{_package_key(name, digest)}/{MANIFEST}"
        data = self.storage.read(key, limit=MAX_MANIFEST)
        if data is None:
            raise self._holds_no(name, digest)
        if canonical.digest_of(data) != digest:
            raise IntegrityError(
                f"{key!r} has the digest {canonical.digest_of(data)}.",
                remedy="Restore that folder; if it is the last run's, remove it, then: mlopskit run",
                file=key,
            )
        return check_manifest(canonical.loads(data, what=MANIFEST, limit=MAX_MANIFEST))

    def holds(self, name: str, digest: str, /) -> bool:
        """Say whether a package is there; its bytes are not looked at."""
        return self.storage.stat(f"{_package_key(name, digest)}/{MANIFEST}") is not None

    def folder(self, name: str, digest: str, /) -> Path | None:
        """Return where a package stands, or would; None where that is no local folder."""
        return self.storage.local(_package_key(name, digest))

    def digests(self, name: str, /) -> list[str]:
        """Return the digests of all packages of a model."""
        start = f"{check_name(name)}/packages/"
        keys = (key for key, _ in self.storage.list(start.rstrip("/")) if key.endswith(f"/{MANIFEST}"))
        return sorted({f"sha256:{key.removeprefix(start).split('/')[0]}" for key in keys})

    def names(self) -> list[str]:
        """Return the names of all models."""
        return sorted({key.split("/")[0] for key, _ in self.storage.list("")})

    def models(self) -> list[str]:
        """Return the names of all models; what else stands at the place is passed over."""
        found = []
        for name in self.names():
            with contextlib.suppress(UnsafeNameError):
                found.append(check_name(name))
        return found

    def resolve(self, reference: str, /, *, name: str | None = None) -> ModelPackage:
        """Return the package that a reference means: `[name@]`, and a digest or its beginning, an alias or an endpoint.

        Raises:
            UnknownNameError: there is nothing of that name; the nearest is named.
        """
        model, _, what = reference.rpartition("@")
        known = check_name(model or self._default_name(name))
        return self.package(known, self._digest(known, what))

    def _holds_no(self, name: str, digest: str) -> UnknownNameError:
        return UnknownNameError(
            f"The registry {self.storage.uri!r} holds no package {digest} of {name!r}.",
            remedy="Name one that 'mlopskit status' lists, or copy it into the registry.",
            digest=digest,
        )

    def _default_name(self, name: str | None) -> str:
        if name is not None:
            return name
        names = self.names()
        if len(names) != 1:
            raise UnknownNameError(
                f"The registry {self.storage.uri!r} holds {len(names)} models.",
                remedy=f"Say which: NAME@ALIAS or NAME@DIGEST. Known: {', '.join(names) or 'none'}.",
            )
        return names[0]

    def _digest(self, name: str, what: str) -> str:
        digits = what.removeprefix("sha256:")
        if what.startswith("sha256:") or (len(digits) >= _SHORTEST and set(digits) <= set("0123456789abcdef")):
            return self._by_digits(name, digits)
        digest = self.live(name, what)
        if digest is None:
            raise unknown("endpoint or alias", what, self.places(name))
        return digest

    def _by_digits(self, name: str, digits: str) -> str:
        if len(digits) == len(hex_of("sha256:" + "0" * 64)):
            return check_digest(f"sha256:{digits}")
        matching = [digest for digest in self.digests(name) if digest.startswith(f"sha256:{digits}")]
        if len(matching) != 1:
            raise UnknownNameError(
                f"{len(matching)} packages of {name!r} have a digest that begins with {digits!r}.",
                remedy="Give more of the digest; 'mlopskit status' lists them.",
            )
        return matching[0]

    def _local(self, prefix: str) -> Path:
        here = self.storage.local(prefix)
        if here is not None:
            return here
        # A bucket's package is read from a private copy, which stays for as long as this process.
        folder = Path(tempfile.mkdtemp(prefix="mlopskit-"), prefix.rsplit("/", 1)[1])
        atexit.register(shutil.rmtree, folder.parent, ignore_errors=True)
        copy_folder(self.storage, prefix, folder)
        return folder

    # --- aliases ----------------------------------------------------------------------------------------------------

    def alias(self, name: str, alias: str, /) -> Alias:
        """Return an alias of a model; only deploying moves it."""
        return Alias(self.storage, f"{check_name(name)}/aliases", name, check_name(alias, kind="alias"))

    def aliases(self, name: str, /) -> list[str]:
        """Return the names of a model's aliases."""
        return self._below(f"{check_name(name)}/aliases")

    def live(self, name: str, alias: str, /) -> str | None:
        """Return the digest that is live under an alias, or was deployed last to the endpoint of that name."""
        head = self.alias(name, alias).head()
        if head is not None and head.digest is not None:
            return head.digest
        deployed = self.deployments(name, alias)
        return deployed[-1].package if deployed else None

    # --- records ----------------------------------------------------------------------------------------------------

    def add_verdict(self, verdict: Verdict, /) -> None:
        """Append a verdict to those on its digest."""
        self.append_record(f"{verdict.name}/verdicts/{hex_of(verdict.digest)}", verdict.as_table())

    def verdict(self, name: str, digest: str, /) -> Verdict | None:
        """Return the newest verdict on a digest, None if there is none."""
        newest = None
        for table in self.records(f"{check_name(name)}/verdicts/{hex_of(digest)}"):
            newest = Verdict.from_table(table)
        return newest

    def verdicts_on(self, name: str, dataset: str, /) -> int:
        """Return how many packages were judged on these test rows before."""
        prefix = f"{check_name(name)}/verdicts"
        tables = (table for digits in self._below(prefix) for table in self.records(f"{prefix}/{digits}"))
        return sum(table["dataset"] == dataset for table in tables)

    def add_evidence(self, name: str, digest: str, evidence: Evidence, /) -> None:
        """Append the evidence of an evaluation to that on a digest."""
        self.append_record(f"{check_name(name)}/evidence/{hex_of(digest)}", evidence.as_table())

    def evidence(self, name: str, digest: str, /) -> Evidence:
        """Return the newest evidence on a digest; of a package that has none it shows nothing."""
        newest = Evidence()
        for table in self.records(f"{check_name(name)}/evidence/{hex_of(digest)}"):
            newest = Evidence.from_table(table)
        return newest

    def add_deployment(self, deployment: Deployment, /) -> None:
        """Append a deployment to those of its endpoint."""
        self.append_record(f"{deployment.name}/deployments/{deployment.endpoint}", deployment.as_table())

    def deployments(self, name: str, endpoint: str, /) -> list[Deployment]:
        """Return all deployments to an endpoint, oldest first."""
        prefix = f"{check_name(name)}/deployments/{check_name(endpoint, kind='endpoint')}"
        return [Deployment.from_table(table) for table in self.records(prefix)]

    def add_approval(self, approval: Approval, /) -> None:
        """Append an approval to those of its package."""
        self.append_record(f"{approval.name}/approvals/{hex_of(approval.digest)}", approval.as_table())

    def approvals(self, name: str, digest: str, /) -> list[Approval]:
        """Return all approvals of a package, for whatever alias, oldest first."""
        return [*map(Approval.from_table, self.records(f"{check_name(name)}/approvals/{hex_of(digest)}"))]

    def approvers(self, name: str, digest: str, alias: str, /) -> list[str]:
        """Return who approved a package for an alias, each once."""
        return sorted({one.who for one in self.approvals(name, digest) if one.alias == alias})

    def endpoints(self, name: str, /) -> list[str]:
        """Return the names of the endpoints that a model was deployed to."""
        return self._below(f"{check_name(name)}/deployments")

    def places(self, name: str, /) -> set[str]:
        """Return the names of a model's aliases and endpoints, without those under which promotions are recorded."""
        return {*self.aliases(name), *(one for one in self.endpoints(name) if not one.startswith("registry-"))}

    def add_run(self, run: Run, /) -> Run:
        """Record a run under the next number, and return it with that as its id."""
        prefix = f"{check_name(run.name)}/runs"
        number = max((int(id) for id in self._below(prefix) if id.isdecimal()), default=0) + 1
        for id in map(str, range(number, number + _MOST_WRITERS)):
            numbered = replace(run, id=id)
            if commit_record(self.storage, f"{prefix}/{id}", canonical.dumps(numbered.as_table())):
                return numbered
        raise _too_many(prefix)

    def runs(self, name: str, /) -> Runs:
        """Return the records of all runs, oldest first."""
        return Runs(Run.from_table(table) for table in self.records(f"{check_name(name)}/runs"))

    def append_record(self, prefix: str, table: Mapping[str, Any], /) -> None:
        """Append a record to those below a key."""
        data = canonical.dumps(table)
        seq = sum(1 for _ in self.records(prefix)) + 1
        # Whoever comes second takes the next number: these records have an order, but nobody is refused.
        for number in range(seq, seq + _MOST_WRITERS):
            if commit_record(self.storage, f"{prefix}/{number}", data):
                return
        raise _too_many(prefix)

    def records(self, prefix: str, /) -> Iterator[dict[str, Any]]:
        """Yield the records below a key, oldest first."""
        for number in itertools.count(1):
            table = read_record(self.storage, f"{prefix}/{number}/{RECORD}", limit=MAX_RECORD)
            if table is None:
                return
            yield table

    def _below(self, prefix: str) -> list[str]:
        start = f"{prefix}/"
        parts = (key.removeprefix(start).split("/") for key, _ in self.storage.list(prefix))
        return sorted({part[0] for part in parts if len(part) > 1})


def _package_key(name: str, digest: str) -> str:
    return f"{check_name(name)}/packages/{hex_of(digest)}"


def _too_many(prefix: str) -> ConflictError:
    return ConflictError(f"Too many writers at {prefix!r}.", remedy="Run the command again.")


def home() -> Registry:
    """Return the registry of the project in this folder, or `.mlopskit/registry` here if there is none."""
    if not Path(config.FILE).exists():
        return Registry.at()
    return Registry.at(resolve_place(config.read(Path(config.FILE)).registry, Path()))


def opened(registry: Registry | str | Path | None, /) -> Registry:
    """Return a registry that is given as itself, by its place, or as None: that of the project in this folder."""
    return home() if registry is None else registry if isinstance(registry, Registry) else Registry.at(registry)
