"""Incoming rows: what a model is asked in use, without labels; and whether that is still like its training rows."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit.drift import Drift, drift
from mlopskit.errors import ConfigError, DataError
from mlopskit.fingerprint import fingerprint, remember
from mlopskit.registry import Registry
from mlopskit.runtime import canonical
from mlopskit.tables import plain
from mlopskit.trainingrows import counts_of

KEY = "drift "
CACHE = "drift.json"
_EMPTY = f"sha256:{hashlib.sha256().hexdigest()}"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """The files of `[data] incoming`, of which there may be none yet.

    `read` returns the columns of one of them, as `settings` say; `cache` is a folder where the last answer is kept.
    """

    uri: str
    root: Path
    read: Callable[[str], Mapping[str, Sequence[Any]]]
    settings: Mapping[str, Any]
    cache: Path

    def drift(self, registry: Registry, manifest: Mapping[str, Any], /) -> Drift | None:
        """Return how they differ from a package's training rows; None if there are none, or nobody knows of those.

        Raises:
            DataError: they cannot be read.
        """
        counts = counts_of(registry, manifest)
        columns = {} if counts is None else self.columns()
        if counts is None or not columns:
            return None
        return drift(counts, columns, needed=manifest["schema"]["inputs"]["required"])

    def columns(self) -> dict[str, list[Any]]:
        """Return the columns of all files; a cell of a column that its file lacks is missing. Empty files have none.

        Raises:
            DataError: one cannot be read.
        """
        # An address is asked for as it is given: its file is named without the query.
        single = self.uri.startswith(("https://", "http://"))
        paths = [self.uri] if single else [path for path, sha in self._files().items() if sha != _EMPTY]
        parts = [self.read(path) for path in paths]
        names = dict.fromkeys(name for part in parts for name in part)
        lengths = [max(map(len, part.values()), default=0) for part in parts]
        return {
            name: [
                cell
                for part, length in zip(parts, lengths, strict=True)
                for cell in part.get(name, itertools.repeat(None, length))
            ]
            for name in names
        }

    def alarms(self, registry: Registry, manifest: Mapping[str, Any], /) -> dict[str, str]:
        """Return "drift COLUMN" of each column in alarm, and the digest of the training rows that it drifted from.

        So an alarm is another one when the training rows are, and the same one for as long as they stay: whoever has
        trained on these has done what can be done. What was found is remembered until anything changes.
        """
        files = self._files()
        trained = (manifest["provenance"].get("data") or {}).get("train")
        if not files or trained is None:
            return {}
        inputs = manifest["schema"]["inputs"]["required"]
        about = {"files": files, "inputs": inputs, "settings": self.settings, "trained": trained}
        key = canonical.digest_of(canonical.dumps({**about, "mlopskit": metadata.version("mlopskit")}))
        columns = self._remembered(key)
        if columns is None:
            if counts_of(registry, manifest) is None:
                _log.warning("What the training rows held is not known: whether %s has drifted is not seen.", self.uri)
                return {}
            found = self.drift(registry, manifest)
            columns = [plain(name) for name in found.alarms] if found else []
            remember(self.cache / CACHE, {"key": key, "columns": columns})
        return {f"{KEY}{column}": trained for column in columns}

    def _files(self) -> dict[str, str]:
        return fingerprint(self.uri, self.root, cache=self.cache, none_yet=True)

    def _remembered(self, key: str) -> list[str] | None:
        try:
            table = json.loads((self.cache / CACHE).read_bytes())
            return list(map(str, table["columns"])) if table["key"] == key else None
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None


def columns_seen(
    uri: str | None, incoming: Incoming | None, read: Callable[[str], Mapping[str, Sequence[Any]]], /
) -> Mapping[str, Sequence[Any]]:
    """Return the columns of files that are named, read as data are, or of the incoming ones.

    Raises:
        ConfigError: there are neither.
        DataError: the files cannot be read, or none have come in yet.
    """
    if uri is None and incoming is None:
        raise ConfigError("No rows are named.", remedy="Name their files, or set incoming in [data].")
    columns = incoming.columns() if uri is None and incoming is not None else read(str(uri))
    if not columns:
        raise DataError("Nothing has come in yet.", remedy="Wait for rows, or name other files.", uri=uri)
    return columns
