"""Status: the last run, and what is live where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlopskit.records import Run
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
        faults = [f"{one.place}: {one.state}\n  Repair: {one.repair}" for one in self.places if one.repair]
        return "\n".join([f"{self.name}: {last}", *([self.table().text()] if self.places else []), *faults])

    def as_table(self) -> dict[str, Any]:
        """Return the status as a plain table."""
        run = self.run.as_table() if self.run else None
        return {"name": self.name, "run": run, "places": [dict(vars(one)) for one in self.places]}
