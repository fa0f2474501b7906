"""Layers and blobs of an image: deterministic tar archives of files, and the digests that name them."""

from __future__ import annotations

import hashlib
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from mlopskit.errors import IntegrityError, UnsafePathError

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"
CHUNK = 1 << 20
_BLOCK = 512
# No name, no time, and no system that wrote it (RFC 1952).
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# A file of this name would remove one of the layer below.
_WHITEOUT = ".wh."

Chunks = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes that are named by their digest; `chunks` gives them as often as it is asked, and is None if others do."""

    digest: str
    size: int
    media_type: str
    chunks: Chunks | None

    def checked(self) -> Iterator[bytes]:
        """Give the bytes.

        Raises:
            IntegrityError: they were not those of the digest; said when the last was given.
        """
        if self.chunks is None:
            raise IntegrityError(f"The bytes of {self.digest} are not here.", remedy="Read the base from an archive.")
        seen, size = hashlib.sha256(), 0
        for chunk in self.chunks():
            seen.update(chunk)
            size += len(chunk)
            yield chunk
        if (f"sha256:{seen.hexdigest()}", size) != (self.digest, self.size):
            raise IntegrityError(
                f"{self.digest} was changed: its bytes are another's.", remedy="Save the base, or build, again."
            )

    @property
    def descriptor(self) -> dict[str, object]:
        """What names it in a manifest."""
        return {"digest": self.digest, "mediaType": self.media_type, "size": self.size}


@dataclass(frozen=True, kw_only=True)
class Layer(Blob):
    """A layer of an image: `diff_id` is the digest of its tar archive, `digest` of that as it is stored."""

    diff_id: str


def blob_of(chunks: Chunks, media_type: str, /) -> Blob:
    """Return the blob of some bytes, after reading them once."""
    seen, size = hashlib.sha256(), 0
    for chunk in chunks():
        seen.update(chunk)
        size += len(chunk)
    return Blob(digest=f"sha256:{seen.hexdigest()}", size=size, media_type=media_type, chunks=chunks)


def layer_of(files: Mapping[str, Path], /) -> Layer:
    """Return the layer of some files by their paths in the image, all of them root's and readable by everybody.

    The same files give the same bytes for whoever makes it, wherever and whenever: sorted, without times and owners.
    """
    for path in files:
        if any(part.startswith(_WHITEOUT) for part in path.split("/")):
            raise UnsafePathError(f"{path!r} would remove a file of the base.", remedy="Rename it.", path=path)
    found = blob_of(partial(_tar, files), TAR)
    return Layer(**vars(found), diff_id=found.digest)


def compressed(layer: Layer, /) -> Layer:
    """Return a layer as registries keep it, if it is not compressed already."""
    if layer.media_type != TAR:
        return layer
    found = blob_of(partial(_gzip, layer.checked), GZIP)
    return replace(layer, **vars(found))


def _tar(files: Mapping[str, Path]) -> Iterator[bytes]:
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents} - {"."}
    for path in sorted({*folders, *files}):
        if path in folders:
            yield _header(path, None)
            continue
        size, sent = files[path].stat().st_size, 0
        yield _header(path, size)
        with files[path].open("rb") as file:
            while chunk := file.read(CHUNK):
                sent += len(chunk)
                yield chunk
        if sent != size:
            raise IntegrityError(f"{path!r} changed while it was read.", remedy="Build it again.", path=path)
        yield bytes(-size % _BLOCK)
    yield bytes(2 * _BLOCK)


def _header(path: str, size: int | None, /) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.mode = 0o644
    if size is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    else:
        entry.size = size
    return entry.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _gzip(chunks: Chunks) -> Iterator[bytes]:
    packer, check, size = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS), 0, 0
    yield _GZIP_HEADER
    for chunk in chunks():
        check, size = zlib.crc32(chunk, check), size + len(chunk)
        yield packer.compress(chunk)
    yield packer.flush()
    yield struct.pack("<II", check, size & 0xFFFFFFFF)
