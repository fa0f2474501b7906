"""An image: a base, a layer of the server and one of the package, and the one file that engines and registries take."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mlopskit.errors import ConfigError, DeployError, IntegrityError
from mlopskit.runtime import check_path
from mlopskit_docker import layers
from mlopskit_docker.base import Base
from mlopskit_docker.context import IMAGE, PLACES
from mlopskit_docker.layers import Blob, Layer, blob_of, compressed, layer_of

_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
# It says nothing, so that the same image is the same on any day.
_CREATED = "1970-01-01T00:00:00Z"
_LISTING = "bundle.json"
_BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image, in parts: `config` names it for engines (`id`), `manifest` for registries (`digest`)."""

    config: Blob
    manifest: Blob
    layers: Sequence[Layer]
    platform: Mapping[str, str]

    @property
    def id(self) -> str:
        """The id that engines give it."""
        return self.config.digest

    @property
    def digest(self) -> str:
        """The digest by which registries know it."""
        return self.manifest.digest

    @property
    def blobs(self) -> Sequence[Blob]:
        """All parts, each once, the manifest last."""
        return [*{one.digest: one for one in (*self.layers, self.config, self.manifest)}.values()]


def assemble(bundle: Path, base: Base, /, *, gzip: bool = False) -> Image:
    """Return the image of a bundle's folder above a base, without an engine.

    The same bundle and base give the same image on any day, for any user; how the base was read makes no difference to
    its id. With `gzip` the layers of the bundle are compressed, as registries keep them.

    Raises:
        IntegrityError: the folder is not what its listing says.
        ConfigError: it is no bundle of this target, or the base is not the one that it is for.
    """
    files = _listed(bundle)
    said = _said(bundle, files)
    base.check(said["base"], said["platform"])
    above = [layer_of({path: _sound(*found) for path, found in one.items()}) for one in _by_layer(files)]
    stack = [*base.layers, *(map(compressed, above) if gzip else above)]
    config = _json_blob(_config(said, base, stack), _CONFIG)
    manifest = {
        "config": config.descriptor,
        "layers": [one.descriptor for one in stack],
        "mediaType": _MANIFEST,
        "schemaVersion": 2,
    }
    return Image(config=config, manifest=_json_blob(manifest, _MANIFEST), layers=stack, platform=base.platform)


def platform_of(bundle: Path, /) -> str:
    """Return the platform that a bundle's image is for.

    Raises:
        ConfigError: it is no bundle of this target.
    """
    return str(_said(bundle, _listed(bundle))["platform"])


def write_archive(image: Image, path: Path, /, *, tags: Sequence[str] = (), without: Base | None = None) -> None:
    """Write an image as one tar file, whole or not at all: an OCI layout and a docker-archive at once.

    An engine that holds the base takes one `without` its layers, which is a docker-archive alone.

    Raises:
        IntegrityError: a file, or the base, was changed since it was read.
        DeployError: there is no room, or no such folder.
    """
    absent = set() if without is None else {one.digest for one in without.layers}
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}-", dir=path.parent, delete=False) as file:
            try:
                _write(image, file, tags, absent)
                file.flush()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        raise DeployError(
            f"{str(path)!r} cannot be written: {error.strerror}.", remedy="Make room there, or name another place."
        ) from error


def _write(image: Image, file: IO[bytes], tags: Sequence[str], absent: set[str]) -> None:
    for blob in image.blobs:
        if blob.digest not in absent:
            _member(file, _name(blob), blob.size, blob.checked())
    listing = [{"Config": _name(image.config), "Layers": [*map(_name, image.layers)], "RepoTags": [*tags]}]
    small: dict[str, object] = {"manifest.json": listing}
    if not absent:
        about = {**image.manifest.descriptor, "platform": image.platform}
        named = [{**about, "annotations": {"org.opencontainers.image.ref.name": tag}} for tag in tags] or [about]
        small |= {
            "oci-layout": {"imageLayoutVersion": "1.0.0"},
            "index.json": {"manifests": named, "mediaType": _INDEX, "schemaVersion": 2},
        }
    for name, value in sorted(small.items()):
        data = _json(value)
        _member(file, name, len(data), iter([data]))
    file.write(bytes(2 * _BLOCK))


def _member(file: IO[bytes], name: str, size: int, chunks: Iterator[bytes]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    # What is larger than a tar archive's own field of a size can say (8 GiB) is said as GNU does.
    file.write(entry.tobuf(tarfile.GNU_FORMAT))
    file.writelines(chunks)
    file.write(bytes(-size % _BLOCK))


def _config(said: Mapping[str, Any], base: Base, stack: Sequence[Layer]) -> dict[str, Any]:
    created = ["base"] * len(base.layers) + [f"COPY {source} /{target}" for source, target in PLACES.items()]
    return {
        **base.platform,
        "config": {**said["config"], "Env": [*base.env]},
        "created": _CREATED,
        "history": [{"created": _CREATED, "created_by": one} for one in created],
        "rootfs": {"diff_ids": [one.diff_id for one in stack], "type": "layers"},
    }


def _listed(bundle: Path) -> dict[str, tuple[Path, str]]:
    """Return the files that a bundle lists, and no other that is in its folder, with their digests."""
    try:
        listed = json.loads((bundle / _LISTING).read_bytes())["files"]
        return {check_path(path): (bundle / path, f"sha256:{entry['sha256']}") for path, entry in listed.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _no_bundle(bundle, error) from error


def _said(bundle: Path, files: Mapping[str, tuple[Path, str]]) -> Mapping[str, Any]:
    """Return what a bundle says of its image."""
    try:
        said = json.loads(_sound(*files[IMAGE]).read_bytes())
        return {name: said[name] for name in ("base", "config", "platform")}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _no_bundle(bundle, error) from error


def _no_bundle(bundle: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{str(bundle)!r} is no bundle of the target docker: {error!r}.",
        remedy="Build one: mlopskit build ENDPOINT --into DIR.",
    )


def _by_layer(files: Mapping[str, tuple[Path, str]]) -> Iterator[dict[str, tuple[Path, str]]]:
    """Give the files of each layer by their paths in the image: the folder APP is /app, PACKAGE stands in it."""
    for source, target in PLACES.items():
        own = [
            (path.removeprefix(f"{source}/"), found) for path, found in files.items() if path.startswith(f"{source}/")
        ]
        yield {f"{target}/{path}": found for path, found in own}


def _sound(path: Path, digest: str) -> Path:
    def chunks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while chunk := file.read(layers.CHUNK):
                yield chunk

    if path.is_symlink() or not path.is_file() or blob_of(chunks, "").digest != digest:
        raise IntegrityError(f"{str(path)!r} is not what {_LISTING} says.", remedy="Build the bundle again.", file=path)
    return path


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _json_blob(value: object, media_type: str) -> Blob:
    data = _json(value)
    return blob_of(lambda: iter([data]), media_type)


def _name(blob: Blob) -> str:
    return f"blobs/sha256/{blob.digest.removeprefix('sha256:')}"
