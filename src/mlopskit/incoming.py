"""Incoming rows: what a model is asked in use, without labels; and whether that is still like its training rows."""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlopskit.drift import Drift, drift
from mlopskit.fingerprint import fingerprint
from mlopskit.registry import Registry
from mlopskit.runtime import canonical
from mlopskit.tables import plain
from mlopskit.trainingrows import counts_of

KEY = "drift "
CACHE = "drift.json"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """The files of `[data] incoming`, of which there may be none yet.

    `read` returns the columns of all of them, as `settings` say; `cache` is a folder where the last answer is kept.
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
        counts = counts_of(registry, manifest) if self._files() else None
        if counts is None:
            return None
        return drift(counts, self.read(self.uri), needed=manifest["schema"]["inputs"]["required"])

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
            found = self.drift(registry, manifest)
            if found is None:
                _log.warning("What the training rows held is not known: whether %s has drifted is not seen.", self.uri)
                return {}
            columns = [plain(name) for name in found.alarms]
            self._remember(key, columns)
        return {f"{KEY}{column}": trained for column in columns}

    def _files(self) -> dict[str, str]:
        return fingerprint(self.uri, self.root, cache=self.cache, none_yet=True)

    def _remembered(self, key: str) -> list[str] | None:
        try:
            table = json.loads((self.cache / CACHE).read_bytes())
            return list(map(str, table["columns"])) if table["key"] == key else None
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return None

    def _remember(self, key: str, columns: Sequence[str]) -> None:
        # Only a convenience: on a read-only or full disk the rows are read again.
        with contextlib.suppress(OSError):
            self.cache.mkdir(parents=True, exist_ok=True)
            beside = self.cache / f"{CACHE}.{uuid.uuid4().hex}"
            beside.write_text(json.dumps({"key": key, "columns": columns}), encoding="utf-8")
            beside.replace(self.cache / CACHE)
