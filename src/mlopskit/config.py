"""mlopskit.toml as plain tables: read, checked, nothing of it turned into objects yet."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from mlopskit.errors import ConfigError, UnsafeNameError, nearest
from mlopskit.runtime.names import check_digest, check_name

FILE = "mlopskit.toml"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TestTable:
    """`[data] test`: a share of the rows, `by` "row" or "group:COLUMN"; `from` a time, by "time:COLUMN"; or a `uri`."""

    share: float = 0.2
    by: str = "row"
    start: str | None = field(default=None, metadata={"key": "from"})
    uri: str | None = None


@dataclass(frozen=True, kw_only=True)
class DataTable:
    """`[data]`: where the rows are, and what their columns mean."""

    uri: str
    target: str | Sequence[str]
    columns: Sequence[str] | None = None
    file_column: str | None = None
    separator: str | None = None
    feedback: str | None = None
    incoming: str | None = None
    allow: Sequence[str] = ()
    weight: str | None = None
    group: str | None = None
    row_hashes: bool = True
    test: TestTable = field(default_factory=TestTable)


@dataclass(frozen=True, kw_only=True)
class TrainTable:
    """`[train]`: the estimator's import path and parameters."""

    estimator: str
    trainer: str = "scikit-learn"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = 0
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class EvaluateTable:
    """`[evaluate]`: slices, behavioural tests and gates, and on what else models are judged."""

    gates: Sequence[str] = ()
    slices: Sequence[str] = ()
    smallest_slice: int = 50
    small_slices: Literal["show", "fail"] = "show"
    importance: bool = False
    robustness: Sequence[str] = ()
    worst_rows: int = 20
    tests: str | None = None
    evaluator: str | None = None


@dataclass(frozen=True, kw_only=True)
class GoldenTable:
    """`[package] golden`: how many rows, `from` "test" or a file, and the tolerance of numbers."""

    rows: int = 200
    source: str = field(default="test", metadata={"key": "from"})
    tolerance: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class PackageTable:
    """`[package]`: golden rows and formats."""

    golden: GoldenTable = field(default_factory=GoldenTable)
    formats: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointTable:
    """`[endpoint.NAME]`: what every endpoint has beside the options of its target; `gates` bound measurements."""

    target: str
    gates: Sequence[str] = ()


ENDPOINT_KEYS = tuple(one.name for one in dataclasses.fields(EndpointTable))


@dataclass(frozen=True, kw_only=True)
class PromoteTable:
    """`[promote.ALIAS]`: the alias takes what is live under the alias `from`, and has so many `approvals`."""

    source: str | None = field(default=None, metadata={"key": "from"})
    approvals: int = 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file. `endpoint` holds each endpoint's table: `target` and that deployer's options.

    `promote` holds the policy of each alias of the registry that has one; `trust_code` are the digests of packages from
    elsewhere that may run code of their own here.
    """

    name: str
    data: DataTable
    train: TrainTable
    evaluate: EvaluateTable = field(default_factory=EvaluateTable)
    package: PackageTable = field(default_factory=PackageTable)
    endpoint: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    promote: Mapping[str, PromoteTable] = field(default_factory=dict)
    registry: str = ".mlopskit/registry"
    trust_code: Sequence[str] = ()


def read(path: Path, /) -> Config:
    """Return the configuration in a file.

    Raises:
        ConfigError: it is not there, is no TOML, or has an unknown key or a value of another type; the message names
            the file, the key, what was expected and the nearest key.
    """
    tables = _tables(path)
    promote = tables.pop("promote", {})
    config = dataclasses.replace(convert(tables, Config, where=path.name), promote=_policies(promote, path.name))
    check_name(config.name)
    for digest in config.trust_code:
        try:
            check_digest(digest)
        except UnsafeNameError as error:
            raise ConfigError(
                f"{path.name}: trust_code: {error.message}", remedy=error.remedy, key="trust_code"
            ) from error
    if config.data.incoming is not None and not config.data.row_hashes:
        raise ConfigError(
            f"{path.name}: [data] incoming needs counts of the training rows, and row_hashes = false keeps none.",
            remedy="Leave out one of the two.",
            key="incoming",
        )
    for name, options in config.endpoint.items():
        check_name(name, kind="endpoint")
        if not isinstance(options.get("target"), str):
            raise ConfigError(
                f"{path.name}: [endpoint.{name}] has no target.", remedy='Add for example: target = "fileshare".'
            )
        own = {key: options[key] for key in ENDPOINT_KEYS if key in options}
        convert(own, EndpointTable, where=f"{path.name} [endpoint.{name}]")
    return config


def _policies(tables: Any, where: str) -> dict[str, PromoteTable]:
    """Return the policy of each alias; a table of tables has its keys checked one by one."""
    if not isinstance(tables, Mapping) or not all(isinstance(one, Mapping) for one in tables.values()):
        raise ConfigError(
            f"{where}: promote holds something that is no table.", remedy="Write [promote.ALIAS] above its keys."
        )
    found = {}
    for alias, table in tables.items():
        here = f"{where} [promote.{alias}]"
        policy = convert(table, PromoteTable, where=here)
        for name in (alias, *([] if policy.source is None else [policy.source])):
            check_name(name, kind="alias")
        if policy.approvals < 0 or policy.source == alias:
            raise ConfigError(
                f"{here}: approvals is {policy.approvals} and from is {policy.source!r}.",
                remedy="Give approvals from 0 on, and another alias than this one in from.",
            )
        found[alias] = policy
    return found


def _tables(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as opened:
            return tomllib.load(opened)
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {path.name} in {str(path.parent)!r}.", remedy="Make one with 'mlopskit init'.", file=str(path)
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{str(path)!r} cannot be read: {error.strerror}.", remedy="Get the right to read it."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is no TOML: {error}.", remedy="Correct that place.", file=str(path)) from error


def convert(table: Mapping[str, Any], kind: type[T], /, *, where: str, beside: Sequence[str] = ()) -> T:
    """Return a table as a dataclass; every key and type is checked, also in the tables inside.

    `beside` are keys that were taken out of the table: they are known too.

    Raises:
        ConfigError: a key is unknown or missing, or a value has another type.
    """
    import msgspec

    check_keys(table, kind, where=where, beside=beside)
    try:
        return msgspec.convert(_renamed(table, kind), kind, strict=True)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at ")
        key = place.strip("`").removeprefix("$").removeprefix(".") or "the table"
        raise ConfigError(
            f"{where}: {key}: {what[:1].lower()}{what[1:]}.",
            remedy="Correct the value; docs/reference/configuration.md lists every key with its type.",
            key=key,
        ) from error


def check_keys(table: Mapping[str, Any], kind: type, /, *, where: str, beside: Sequence[str] = ()) -> None:
    """Check that a table has only the keys of a dataclass, and all those without a default."""
    known = {_key(one): one for one in dataclasses.fields(kind)}
    for key in table:
        if key not in known:
            near = nearest(key, [*known, *beside])
            raise ConfigError(
                f"{where} has the unknown key {key!r}.",
                remedy=f"Did you mean {near!r}?" if near else f"Known keys: {', '.join([*beside, *known])}.",
                key=key,
            )
    for key, one in known.items():
        needed = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if needed and key not in table:
            raise ConfigError(f"{where} lacks the key {key!r}.", remedy=f"Add {key} = ... to it.", key=key)
    for key, inner, inner_kind in _inner(table, kind):
        if isinstance(inner, Mapping):
            check_keys(inner, inner_kind, where=f"{where} [{key}]")


def _inner(table: Mapping[str, Any], kind: type) -> list[tuple[str, Any, type]]:
    hints = typing.get_type_hints(kind)
    pairs = [(_key(one), hints[one.name]) for one in dataclasses.fields(kind)]
    return [(key, table[key], hint) for key, hint in pairs if key in table and dataclasses.is_dataclass(hint)]  # type: ignore[misc]


def _key(one: dataclasses.Field[Any]) -> str:
    return str(one.metadata.get("key", one.name))


def _renamed(table: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the table with the fields' names in place of keys that are words of Python."""
    names = {_key(one): one.name for one in dataclasses.fields(kind)}
    inner = {key: _renamed(value, one) for key, value, one in _inner(table, kind) if isinstance(value, Mapping)}
    return {names[key]: inner.get(key, value) for key, value in table.items()}
