"""Hashes of training rows, kept in the registry: nobody is compared on rows that a live package has learned.

They stand once for each training data and set of input columns, in `<name>/rows/<sha256>/`: `exact.bin` holds the hash
of each row (see `mlopskit.rowkeys`), sorted, 8 bytes each; `alike.bin` the same of the rows as they are when written
alike, where that makes a difference. The sha256 is that of the data's digest and the names of the columns. Beside them,
in `<name>/columns/<sha256>/`, `counts.json` says what the columns held (see `mlopskit.drift`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mlopskit import rowkeys
from mlopskit.data import Dataset
from mlopskit.drift import ColumnCounts, counted
from mlopskit.errors import ConfigError, IntegrityError, MlopskitError
from mlopskit.modelpackage import ModelPackage
from mlopskit.registry import Registry
from mlopskit.runtime import canonical
from mlopskit.runtime.names import check_name, hex_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXACT, ALIKE = "exact.bin", "alike.bin"
ROWS, COLUMNS = "rows", "columns"
COUNTS = "counts.json"
_MOST_BYTES = 1 << 26
MOST = 1 << 24  # rows; more are not kept
_SIZE = 8


def keep(registry: Registry, name: str, train: Dataset, /) -> None:
    """Keep the hashes of the rows that a model was trained on, unless they are there already."""
    import numpy as np

    _keep_counts(registry, _key(COLUMNS, name, train.digest, train.inputs), train)
    prefix = _key(ROWS, name, train.digest, train.inputs)
    if len(train) > MOST or registry.storage.stat(f"{prefix}/{EXACT}") is not None:
        return
    files = {
        file: np.unique(rowkeys.hashes(train.columns, train.inputs, alike=file == ALIKE)).tobytes()
        for file in (EXACT, ALIKE)
    }
    if files[ALIKE] == files[EXACT]:
        del files[ALIKE]
    registry.storage.commit(prefix, files, last=EXACT)


def _keep_counts(registry: Registry, prefix: str, train: Dataset) -> None:
    if registry.storage.stat(f"{prefix}/{COUNTS}") is None:
        tables = [one.as_table() for one in counted(train)]
        registry.storage.commit(prefix, {COUNTS: canonical.dumps({"columns": tables})}, last=COUNTS)


def counts_of(registry: Registry, manifest: Mapping[str, Any], /) -> tuple[ColumnCounts, ...] | None:
    """Return what the columns of the training rows of a manifest's package held; None if nobody knows.

    Raises:
        IntegrityError: the counts are damaged.
    """
    digest = (manifest["provenance"].get("data") or {}).get("train")
    if digest is None:
        return None
    key = f"{_key(COLUMNS, manifest['name'], digest, manifest['schema']['inputs']['required'])}/{COUNTS}"
    data = registry.storage.read(key, limit=_MOST_BYTES)
    if data is None:
        return None
    try:
        return tuple(ColumnCounts(**one) for one in canonical.loads(data, what=key, limit=_MOST_BYTES)["columns"])
    except (MlopskitError, ValueError, TypeError, KeyError) as error:
        raise IntegrityError(
            f"The counts of training rows {key!r} are damaged.",
            remedy="Restore that folder from a copy, or remove it and run 'mlopskit run --force'.",
            file=key,
        ) from error


def known_counts_of(registry: Registry, package: ModelPackage, /) -> tuple[ColumnCounts, ...]:
    """Return what the columns of a package's training rows held.

    Raises:
        ConfigError: nobody knows.
    """
    counts = counts_of(registry, package.manifest)
    if counts is None:
        raise ConfigError(
            f"What the training rows of {package.digest[:19]} held is not known: no counts were kept.",
            remedy="Set row_hashes = true in [data], and run 'mlopskit run --force'.",
        )
    return counts


def trained_on(
    registry: Registry, package: ModelPackage, data: Dataset, /, *, alike: bool = True
) -> frozenset[int] | None:
    """Return the numbers of the rows that a package was trained on, or on rows written alike; None if nobody knows.

    Without `alike`, it is those very rows alone.

    Raises:
        IntegrityError: the hashes are damaged.
    """
    import numpy as np

    names = package.schema.inputs["required"]
    digest = (package.manifest["provenance"].get("data") or {}).get("train")
    exact = None if digest is None else _read(registry, f"{_key(ROWS, package.name, digest, names)}/{EXACT}")
    if digest is None or exact is None:
        return None
    known = {False: exact}
    if alike:
        others = _read(registry, f"{_key(ROWS, package.name, digest, names)}/{ALIKE}")
        known[True] = exact if others is None else others
    found = [np.isin(rowkeys.hashes(data.columns, names, alike=how), rows) for how, rows in known.items()]
    return frozenset(np.flatnonzero(np.logical_or.reduce(found)).tolist())


def _key(folder: str, name: str, digest: str, inputs: Iterable[str]) -> str:
    # The same data may be learned with other columns: what is a slice for one model may be an input of the next.
    about = canonical.digest_of(canonical.dumps({"data": digest, "inputs": sorted(inputs)}))
    return f"{check_name(name)}/{folder}/{hex_of(about)}"


def _read(registry: Registry, key: str) -> NDArray[np.uint64] | None:
    import numpy as np

    data = registry.storage.read(key, limit=MOST * _SIZE)
    if data is None:
        return None
    found = np.frombuffer(data[: len(data) // _SIZE * _SIZE], "<u8")
    if len(data) != found.nbytes or not (found[1:] > found[:-1]).all():
        raise IntegrityError(
            f"The hashes of training rows {key!r} are damaged.",
            remedy="Restore that folder from a copy, or remove it: the rows then count as not known.",
            file=key,
        )
    return found
