"""Score rows in a fresh process with the runtime and the model's engine, and no mlopskit: as at a user's target."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from mlopskit import vendoring
from mlopskit.runtime.isolated import DEADLINE, MEMORY, IsolatedModel, running
from mlopskit.runtime.package import write_files

__all__ = ["DEADLINE", "MEMORY", "IsolatedModel", "isolated_model", "started"]


@contextlib.contextmanager
def started(
    formats: Sequence[str], /, *, deadline: float = DEADLINE, memory: int = MEMORY, nice: int = 0
) -> Iterator[IsolatedModel]:
    """Start a fresh process that can read these formats, for as long as the context lasts; it imports their engines."""
    engine = [name for format in formats for name in vendoring.format_of(format).engine]
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        runtime = Path(temporary, "runtime")
        write_files(vendoring.runtime_files(formats), runtime)
        with running(runtime, engine=engine, deadline=deadline, memory=memory, nice=nice) as model:
            yield model


@contextlib.contextmanager
def isolated_model(
    folder: Path,
    /,
    *,
    digest: str,
    formats: Sequence[str],
    format: str | None = None,
    deadline: float = DEADLINE,
    trust_code: Collection[str] = (),
) -> Iterator[IsolatedModel]:
    """Open a package in a fresh process, for as long as the context lasts.

    `formats` are those whose loaders the process gets; `format` is the one it must take; `trust_code` are the digests
    of packages that may run code of their own in it.
    """
    with started(formats, deadline=deadline) as model:
        model.open(folder, digest=digest, format=format, trust_code=trust_code)
        yield model
