"""Status: the last run, and what is live where."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from mlopskit.deployer import Deployer
from mlopskit.errors import MlopskitError, unknown
from mlopskit.log import one_line
from mlopskit.records import Run
from mlopskit.registry import Registry
from mlopskit.tables import Table


@dataclass(frozen=True, kw_only=True)
class PlaceState:
    """What one endpoint or alias says is live; if something is wrong, `repair` says what mends it."""

    place: str
    kind: str
    package: str | None
    state: str
    since: str | None = None
    repair: str | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The last run of a model, and the state of each place."""

    name: str
    run: Run | None
    places: tuple[PlaceState, ...]

    def table(self) -> Table:
        """Return the places as a table."""
        rows = [(one.place, one.kind, one.package, one.since, one.state) for one in self.places]
        return Table(("place", "kind", "package", "since", "state"), rows)

    def text(self) -> str:
        """Return the status for a person, with the commands that repair what is wrong."""
        last = f"run {self.run.id} {self.run.outcome} ({self.run.when})" if self.run else "no run yet"
        faults = [
            f"{one.place}: {one_line(one.state)}\n  Repair: {one_line(one.repair)}" for one in self.places if one.repair
        ]
        return "\n".join([f"{self.name}: {last}", *([self.table().text()] if self.places else []), *faults])

    def as_table(self) -> dict[str, Any]:
        """Return the status as a plain table."""
        run = self.run.as_table() if self.run else None
        return {"name": self.name, "run": run, "places": [dict(vars(one)) for one in self.places]}


@dataclass(frozen=True, kw_only=True)
class Places:
    """The places where a model may be live: the registry's aliases, and the endpoints with their deployers."""

    name: str
    registry: Registry
    endpoints: Collection[str]
    deployer_of: Callable[[str], Deployer]

    def status(self) -> Status:
        """Return the last run, and the state of each place, as the targets say it."""
        runs = self.registry.runs(self.name)
        aliases = self.registry.aliases(self.name)
        live = [*map(self._alias_state, aliases), *map(self._endpoint_state, self.endpoints)]
        return Status(name=self.name, run=runs[-1] if runs else None, places=tuple(live))

    def history(self, place: str, /, *, alias: bool = False) -> Table:
        """Return what was live at a place, oldest first; with `alias`, under the alias of this name.

        Raises:
            UnknownNameError: there is neither an endpoint nor an alias of this name.
        """
        known = {*self.endpoints, *self.registry.endpoints(self.name)}
        if place in known and not alias:
            rows = [
                (seq, one.when, one.package, one.rollback, one.receipt.rows, one.who, one.override, one.why)
                for seq, one in enumerate(self.registry.deployments(self.name, place), 1)
            ]
            return Table(("seq", "when", "package", "rollback", "golden rows", "who", "override", "why"), rows)
        aliases = self.registry.aliases(self.name)
        if place not in aliases:
            named = aliases if alias else {*self.endpoints, *self.registry.places(self.name)}
            raise unknown("endpoint or alias", place, named)
        records = self.registry.alias(self.name, place).history()
        moves = [
            (one.seq, one.when, one.digest, one.who, self._approved(one.digest, place), one.why) for one in records
        ]
        return Table(("seq", "when", "package", "who", "approved by", "why"), moves)

    def _approved(self, digest: str | None, alias: str) -> str | None:
        """Return who approved a package for an alias, whenever that was."""
        return None if digest is None else ", ".join(self.registry.approvers(self.name, digest, alias)) or None

    def _alias_state(self, alias: str) -> PlaceState:
        kind, command = "alias", f"mlopskit promote {{}} --to {alias}"
        try:
            head = self.registry.alias(self.name, alias).head()
            if head is None or head.digest is None:
                return PlaceState(place=alias, kind=kind, package=None, state="nothing is live")
            self.registry.package(self.name, head.digest)
        except MlopskitError as error:
            return PlaceState(place=alias, kind=kind, package=None, state=error.message, repair=self._repair(command))
        return PlaceState(place=alias, kind=kind, package=head.digest, state="live", since=head.when)

    def _endpoint_state(self, endpoint: str) -> PlaceState:
        kind, command = "endpoint", f"mlopskit deploy {endpoint} {{}}"
        try:
            deployer = self.deployer_of(endpoint)
            live = deployer.live(self.name)
            fault = None if live is None else deployer.fault(self.name, live)
        except MlopskitError as error:
            return PlaceState(place=endpoint, kind=kind, package=None, state=error.message, repair=error.remedy)
        if live is None:
            return PlaceState(place=endpoint, kind=kind, package=None, state="nothing is live")
        records = [one for one in self.registry.deployments(self.name, endpoint) if one.locator == live]
        package = records[-1].package if records else None
        if fault:
            return PlaceState(place=endpoint, kind=kind, package=package, state=fault, repair=self._repair(command))
        state = "live" if records else "live, but not deployed from here"
        return PlaceState(
            place=endpoint, kind=kind, package=package, state=state, since=records[-1].when if records else None
        )

    def _repair(self, command: str) -> str:
        """Return the command that makes a package live that the registry holds whole and that passed.

        Without such a one, it is the command that makes the last one again.
        """
        runs = reversed(self.registry.runs(self.name))
        digests = list(dict.fromkeys(run.digest for run in runs if run.outcome == "passed" and run.digest))
        for digest in digests:
            with contextlib.suppress(MlopskitError):
                return command.format(self.registry.package(self.name, digest).digest)
        folders = [self.registry.folder(self.name, digest) for digest in digests[:1]]
        damaged = "".join(f"rm -r {shlex.quote(str(folder))} && " for folder in folders if folder and folder.exists())
        return f"{damaged}mlopskit run"
