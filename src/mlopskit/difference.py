"""Difference: two runs or packages, compared by metrics, measurements, data, parameters, code, files, environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlopskit.log import one_line
from mlopskit.modelpackage import ModelPackage
from mlopskit.records import Run
from mlopskit.runtime import canonical
from mlopskit.tables import Table, Value, card

# Shown also where they are equal: whoever compares two models asks for their metrics first.
_ALWAYS = "metric"
_HEX = 64

Facts = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two things to compare: what it was asked for by, and its package, its run, or both."""

    label: str
    package: ModelPackage | None = None
    run: Run | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one side says and the other one; None where it says nothing.

    `kind` is "metric", "measurement", "data", "warning", "parameter", "code", "file" or "environment".
    """

    kind: str
    name: str
    before: Value
    after: Value

    @property
    def change(self) -> Value:
        """By how much a number changed, else in a word; "-" where nothing did."""
        if self.before == self.after:
            return None
        if _is_number(self.before) and _is_number(self.after):
            return f"{float(self.after or 0) - float(self.before or 0):+.4g}"
        return "new" if self.before is None else "gone" if self.after is None else "changed"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What differs between two runs or packages, and both values of each metric.

    `unknown` are the kinds that one side does not know: a failed run has no files, for example.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    unknown: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing that both know differs."""
        return all(one.before == one.after for one in self.changes)

    def table(self) -> Table:
        """Return the differences as a table."""
        rows = [(one.kind, one.name, one.before, one.after, one.change) for one in self.changes]
        return Table(("what", "name", self.before, self.after, "change"), rows)

    def text(self) -> str:
        """Return the differences for a person."""
        lines = [self.table().text()] if self.changes else []
        lines += ["Nothing that both know differs."] if self.same else []
        lines += [f"Not known of both: {', '.join(map(one_line, self.unknown))}."] if self.unknown else []
        return "\n".join(lines)

    def as_table(self) -> dict[str, Any]:
        """Return the differences as a plain table."""
        changes = [dict(vars(one)) for one in self.changes]
        return {**vars(self), "same": self.same, "changes": changes, "unknown": list(self.unknown)}

    def _repr_html_(self) -> str:
        facts = {"not known of both": ", ".join(self.unknown), "same": "yes" if self.same else "no"}
        return card(f"From {self.before} to {self.after}", facts, self.table())


def compare_sides(before: Side, after: Side, /) -> Difference:
    """Return what differs between two sides, by kind and name."""
    left, right = _facts(before), _facts(after)
    changes: list[Change] = []
    unknown: list[str] = []
    for kind, old in left.items():
        new = right[kind]
        if old is None or new is None:
            unknown += [kind] if old is not new else []
        else:
            changes += _compared(kind, old, new)
    return Difference(before=before.label, after=after.label, changes=tuple(changes), unknown=tuple(unknown))


def _compared(kind: str, old: Facts, new: Facts) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before != after or kind == _ALWAYS:
            yield Change(kind=kind, name=name, before=before, after=after)


def _facts(side: Side) -> dict[str, Facts | None]:
    """Return what a side says of each kind, None if it does not know."""
    package, run = side.package, side.run
    provenance = package.manifest["provenance"] if package else {}
    return {
        "metric": _metrics(package, run),
        "measurement": _measurements(run),
        "data": _data(provenance, run),
        "warning": None if run is None else dict(map(_warning, run.warnings)),
        "parameter": _parameters(provenance, run),
        "code": _code(provenance, run),
        "file": _files(package),
        "environment": _environment(package),
    }


def _metrics(package: ModelPackage | None, run: Run | None) -> Facts | None:
    if package is not None and package.evaluation is not None:
        found = package.evaluation.estimates
        return {one.title: one.value for one in found}
    return dict(run.metrics) if run and run.metrics else None


def _measurements(run: Run | None) -> Facts | None:
    if run is None:
        return None
    return {**run.measurements, **{f"seconds of {step}": seconds for step, seconds in run.seconds.items()}}


def _data(provenance: Mapping[str, Any], run: Run | None) -> Facts | None:
    known: dict[str, Value] = {} if run is None else {f"{part} rows": count for part, count in run.rows.items()}
    digests = provenance.get("data") or (run.data if run else {})
    return {**known, **digests} or None


def _warning(text: str) -> tuple[str, str]:
    """Return what a warning says, and of which rows: the same may be said of others."""
    said, _, rows = text.removesuffix(")").rpartition(" (")
    return (said, rows) if said and text.endswith(")") else (text, "warned")


def _parameters(provenance: Mapping[str, Any], run: Run | None) -> Facts | None:
    settings = provenance.get("settings") or (run.settings if run else {})
    found = {**settings, **({"gates": provenance["gates"]} if "gates" in provenance else {})}
    return dict(_flat(found)) or None


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Yield each value of nested tables with its dotted name; a list is one value, as JSON."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, str | int | float | bool):
            yield f"{prefix}{key}", value
        else:
            yield f"{prefix}{key}", canonical.dumps(_plain(value)).decode()


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _code(provenance: Mapping[str, Any], run: Run | None) -> Facts | None:
    if "code" in provenance:
        return {path: _digest(sha) for path, sha in provenance["code"].items()}
    code = "code "
    watched = run.fingerprint if run else {}
    return {key.removeprefix(code): _digest(sha) for key, sha in watched.items() if key.startswith(code)} or None


def _files(package: ModelPackage | None) -> Facts | None:
    if package is None:
        return None
    return {path: _digest(entry["sha256"]) for path, entry in package.manifest["files"].items()}


def _environment(package: ModelPackage | None) -> Facts | None:
    return dict(_flat(package.manifest["environment"])) if package else None


def _digest(sha: str) -> str:
    return f"sha256:{sha}" if len(sha) == _HEX else sha


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
