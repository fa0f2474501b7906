"""A zip that is the same whoever writes it and whenever."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


def write_zip(files: Mapping[str, bytes | Path], file: Path, /) -> None:
    """Write files into a zip, in the order of their names, of one date and one mode."""
    with zipfile.ZipFile(file, "w") as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100644 << 16
            held = data if isinstance(data, bytes) else data.read_bytes()
            archive.writestr(entry, held, zipfile.ZIP_DEFLATED, 9)
