"""Zip archives that bundles carry: the same files give the same bytes, whoever makes them, wherever and whenever."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

from mlopskit.runtime.names import check_paths

# The first day that the format knows.
_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3


def write_zip(files: Mapping[str, bytes | Path], file: Path, /) -> None:
    """Write a zip archive of files, each given as bytes or as where it stands; the same bytes each time.

    Members are sorted, deflated as far as it goes, of one date (1980-01-01) and one mode (0644), without the system,
    user and times of what they were made from. Another zlib may deflate otherwise.

    Raises:
        UnsafePathError: a path leaves the folder that it is unpacked to, or is not another file on every system.
    """
    paths = sorted(check_paths(files))
    with zipfile.ZipFile(file, "w") as archive:
        for path in paths:
            member = zipfile.ZipInfo(path, _DATE)
            member.create_system, member.external_attr = _UNIX, _MODE
            given = files[path]
            data = given if isinstance(given, bytes) else given.read_bytes()
            archive.writestr(member, data, zipfile.ZIP_DEFLATED, 9)
