"""The estimator of an archive, through all checks."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

from .audit import Audit
from .container import FILE, budget, unpack
from .names import TRUSTED
from .nodes import SCHEMA, parse
from .objects import check
from .settings import settle


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Make no search for garbage in this context: it would look at a tree of 100,000 nodes each time it has grown."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@uncollected()
def load_estimator(data: bytes, /) -> Any:
    """Return the estimator of an archive, checked from the container to the last index."""
    import sklearn

    members = unpack(data)
    if SCHEMA not in members:
        raise ValueError(f"{FILE} has no {SCHEMA}")
    audit = Audit(parse(members[SCHEMA]), members, sklearn.__version__, allowed=budget(data))
    for path, name, what in audit.problems[:1]:
        raise ValueError(f"{FILE}, {path}: {ascii(name[:120]) + ' ' if name else ''}{what}")
    import skops.io

    # skops asks again: of our names it gets those that it does not trust itself, as far as they are needed.
    estimator = skops.io.loads(data, trusted=sorted(audit.types & TRUSTED))
    check(estimator)
    settle(estimator)
    return estimator
