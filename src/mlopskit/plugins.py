"""Find plugins by entry point: listing reads metadata only, and just the one asked for is imported."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

from mlopskit.errors import PluginError, unknown
from mlopskit.log import logger
from mlopskit.tables import Table

if TYPE_CHECKING:
    import pluggy

KINDS = ("trainers", "evaluators", "formats", "storages", "deployers", "commands", "observers")
_NAMED_BY = {"deployers": "target", "storages": "schemes"}
_log = logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One thing that an installed distribution offers, as its metadata says; `problem` says why it cannot be used."""

    kind: str
    name: str
    distribution: str
    version: str
    problem: str | None = None


def entries(kind: str) -> list[metadata.EntryPoint]:
    """Return the entry points of a kind, sorted by name."""
    return sorted(metadata.entry_points(group=f"mlopskit.{kind}"), key=lambda entry: entry.name)


def names(kind: str) -> list[str]:
    """Return the names of the things of a kind, without importing any."""
    return sorted({entry.name for entry in entries(kind)})


def find(kind: str, name: str, base: type[T], /) -> type[T]:
    """Return the class of a kind with a name; only its plugin is imported.

    Raises:
        UnknownNameError: no plugin offers it.
        PluginError: two do, or the one that does is broken; the message names the distributions.
    """
    entry = _only(kind, name)
    offered = _offered(kind, entry)
    matching = [thing for thing in offered if _is_named(kind, thing, name)]
    if len(matching) != 1:
        raise _broken(entry, f"it offers {len(matching)} {kind} of this name instead of one")
    found = matching[0]
    if not (isinstance(found, type) and issubclass(found, base)):
        raise _broken(entry, f"what it offers is no {base.__name__}")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise _broken(entry, f"its class {found.__name__} lacks {missing}")
    return found


def command(name: str, /) -> Any:
    """Return the click command of a plugin."""
    entry = _only("commands", name)
    found = [thing for thing in _offered("commands", entry) if thing.name == name]
    if len(found) != 1:
        raise _broken(entry, f"it offers {len(found)} commands of this name instead of one")
    return found[0]


def listing() -> list[Plugin]:
    """Return every plugin of every kind; each is imported to say whether it can be used."""
    return [_described(kind, entry) for kind in KINDS for entry in entries(kind)]


def table(plugins: Sequence[Plugin]) -> Table:
    """Return plugins as a table."""
    rows = [(one.kind, one.name, one.distribution, one.version, one.problem or "ok") for one in plugins]
    return Table(("kind", "name", "distribution", "version", "state"), rows)


def _described(kind: str, entry: metadata.EntryPoint) -> Plugin:
    problem = None
    try:
        _offered(kind, _only(kind, entry.name))
    except PluginError as error:
        problem = error.message
    return Plugin(
        kind=kind, name=entry.name, distribution=_distribution(entry), version=_version(entry), problem=problem
    )


def _only(kind: str, name: str) -> metadata.EntryPoint:
    matching = [entry for entry in entries(kind) if entry.name == name]
    if not matching:
        raise unknown(kind.removesuffix("s"), name, names(kind))
    if len(matching) > 1:
        owners = " and ".join(sorted(repr(_distribution(entry)) for entry in matching))
        raise PluginError(
            f"{len(matching)} distributions offer the {kind.removesuffix('s')} {name!r}: {owners}.",
            remedy="Uninstall all but one of them.",
            name=name,
        )
    return matching[0]


def _offered(kind: str, entry: metadata.EntryPoint) -> list[Any]:
    manager = _manager()
    _register(manager, entry)
    if kind == "observers":
        return []
    try:
        return [thing for things in getattr(manager.hook, f"mlopskit_{kind}")() for thing in things]
    except Exception as error:
        raise _broken(entry, f"{type(error).__name__}: {error}") from error


def _manager() -> pluggy.PluginManager:
    import pluggy

    from mlopskit import hookspecs

    manager = pluggy.PluginManager("mlopskit")
    manager.add_hookspecs(hookspecs)
    return manager


def _register(manager: pluggy.PluginManager, entry: metadata.EntryPoint) -> None:
    try:
        manager.register(entry.load(), name=entry.name)
        manager.check_pending()
    except Exception as error:
        raise _broken(entry, f"{type(error).__name__}: {error}") from error


def _broken(entry: metadata.EntryPoint, why: str) -> PluginError:
    return PluginError(
        f"The plugin {entry.name!r} of the distribution {_distribution(entry)!r} cannot be used: {why}.",
        remedy=f"Mend or uninstall {_distribution(entry)!r}.",
        name=entry.name,
    )


def _is_named(kind: str, thing: Any, name: str) -> bool:
    value = getattr(thing, _NAMED_BY.get(kind, "name"), None)
    return name in value if isinstance(value, tuple) else value == name


def _distribution(entry: metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist else "unknown"


def _version(entry: metadata.EntryPoint) -> str:
    return entry.dist.version if entry.dist else ""


def observers() -> pluggy.PluginManager:
    """Return the manager of all observers.

    Raises:
        PluginError: one cannot be imported. It may hold a veto, so nothing is done without it.
    """
    manager = _manager()
    for entry in entries("observers"):
        _register(manager, _only("observers", entry.name))
    return manager


def vetoes(manager: pluggy.PluginManager, **facts: object) -> Iterator[tuple[str, str]]:
    """Yield the name of each observer that vetoes a deployment, and why; an error in one is a veto."""
    for name, call in _each(manager, "mlopskit_before_deploy"):
        try:
            reasons = call(**facts)
        except Exception as error:
            reasons = [f"it failed: {type(error).__name__}: {error}"]
        yield from ((name, reason) for reason in reasons)


def notify(manager: pluggy.PluginManager, hook: str, **facts: object) -> None:
    """Tell each observer; an error in one is logged and changes nothing."""
    for name, call in _each(manager, hook):
        try:
            call(**facts)
        except Exception as error:
            _log.warning("The observer %r failed in %s: %s: %s", name, hook, type(error).__name__, error)


def _each(manager: pluggy.PluginManager, hook: str) -> Iterator[tuple[str, Any]]:
    for name, plugin in manager.list_name_plugin():
        others = [other for _, other in manager.list_name_plugin() if other is not plugin]
        if plugin is not None:
            yield name, manager.subset_hook_caller(hook, remove_plugins=others)
