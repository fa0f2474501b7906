"""Where an image is read from: files by their names, in a tar archive or in a folder."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from mlopskit.errors import ConfigError, LimitError
from mlopskit_docker.layers import CHUNK

SAVE = "Write it with 'docker save', 'podman save' or 'skopeo copy … oci:FOLDER'."
_MOST = 10_000


class Source(Protocol):
    """Files by their names, in a tar archive or in a folder."""

    def holds(self, name: str, /) -> bool:
        """Whether there is one of this name."""

    def size(self, name: str, /) -> int:
        """Return its size in bytes."""

    def chunks(self, name: str, /) -> Iterator[bytes]:
        """Give its bytes."""


class Folder:
    """The files of a folder."""

    def __init__(self, folder: Path, /) -> None:
        self.folder = folder

    def holds(self, name: str, /) -> bool:
        """Whether there is one of this name."""
        return (self.folder / name).is_file()

    def size(self, name: str, /) -> int:
        """Return its size in bytes."""
        if not self.holds(name):
            raise _lacks(self.folder, name)
        return (self.folder / name).stat().st_size

    def chunks(self, name: str, /) -> Iterator[bytes]:
        """Give its bytes."""
        with (self.folder / name).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


class Tar:
    """The files of a tar archive, which is not unpacked."""

    def __init__(self, path: Path, /) -> None:
        self.path = path
        self.members: dict[str, tuple[int, int]] = {}
        links: dict[str, str] = {}
        try:
            for one in _members(path):
                name = one.name.removeprefix("./")
                if one.isreg():
                    self.members[name] = (one.offset_data, one.size)
                elif one.issym():  # docker save writes a layer that several images have once
                    links[name] = _resolved(name, one.linkname)
        except (tarfile.TarError, OSError, ValueError) as error:
            raise ConfigError(f"{str(path)!r} cannot be read as a tar archive: {error}.", remedy=SAVE) from error
        self.members |= {name: self.members[target] for name, target in links.items() if target in self.members}

    def holds(self, name: str, /) -> bool:
        """Whether there is one of this name."""
        return name in self.members

    def size(self, name: str, /) -> int:
        """Return its size in bytes."""
        if name not in self.members:
            raise _lacks(self.path, name)
        return self.members[name][1]

    def chunks(self, name: str, /) -> Iterator[bytes]:
        """Give its bytes."""
        offset, left = self.members[name]
        with self.path.open("rb") as file:
            file.seek(offset)
            while left and (chunk := file.read(min(CHUNK, left))):
                left -= len(chunk)
                yield chunk


def _members(path: Path) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(path, "r:") as archive:
        for count, one in enumerate(archive):
            if count >= _MOST:
                raise LimitError(f"{str(path)!r} has more than {_MOST} members.", remedy=SAVE)
            yield one


def _resolved(name: str, link: str) -> str:
    parts = name.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _lacks(path: Path, name: object) -> ConfigError:
    return ConfigError(f"{str(path)!r} holds no {name!a}.", remedy=SAVE)
