"""The image below: read from what docker save, podman save or skopeo wrote, or known from an engine that holds it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlopskit.errors import ConfigError, IntegrityError, LimitError
from mlopskit_docker.layers import TAR, Layer, blob_of
from mlopskit_docker.sources import SAVE, Folder, Source, Tar

_MAX_JSON = 4 << 20
_DEEPEST = 4
_OCI_LAYOUT = "oci-layout"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LAYER = re.compile(
    r"application/vnd\.(?:oci\.image\.layer\.v1\.tar|docker\.image\.rootfs\.diff\.tar)(?:[.+](gzip|zstd))?"
)


@dataclass(frozen=True, kw_only=True)
class Base:
    """An image below: `id` is that of an engine, `digests` are all by which it may be named.

    What an image above gets of it are its layers, its platform and its environment variables.
    """

    id: str
    digests: frozenset[str]
    platform: Mapping[str, str]
    env: Sequence[str]
    layers: Sequence[Layer]

    @classmethod
    def read(cls, path: Path, platform: str, /) -> Base:
        """Return the image of a platform in a docker-archive or an OCI layout: a tar file, for the latter a folder too.

        Its layers are checked when they are written.

        Raises:
            ConfigError: it is neither, or holds no such image, or several.
            IntegrityError: a part of it is not what its digest says.
        """
        source = Folder(path) if path.is_dir() else Tar(path)
        try:
            found = _from_layout(source, platform) if source.holds(_OCI_LAYOUT) else _from_archive(source)
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ConfigError(f"{str(path)!r} cannot be read as an image: {error!r}.", remedy=SAVE) from error
        return found

    @classmethod
    def known(cls, inspected: Mapping[str, Any], /) -> Base:
        """Return an image that an engine holds, of what 'docker image inspect' says: its layers have no bytes here."""
        layers = [_absent(diff_id) for diff_id in inspected["RootFS"]["Layers"]]
        digests = {one.rpartition("@")[2] for one in inspected.get("RepoDigests") or ()}
        config = {
            "architecture": inspected["Architecture"],
            "os": inspected["Os"],
            "variant": inspected.get("Variant"),
            "config": inspected.get("Config"),
        }
        return _base(inspected["Id"], config, layers, digests)

    def check(self, wanted: str, platform: str, /) -> None:
        """Refuse an image that is not the wanted one.

        Raises:
            ConfigError: none of its digests is that of the reference, or it is for another platform.
        """
        here = f"{self.platform['os']}/{self.platform['architecture']}"
        if here != platform:
            raise ConfigError(f"The base is for {here}, expected {platform}.", remedy="Give one for that platform.")
        digest = wanted.rpartition("@")[2]
        if digest not in self.digests:
            raise ConfigError(
                f"The base is pinned to {digest}, and this image is {self.id}.",
                remedy=f"Save that one, as an OCI layout if a registry says the digest; or set base = {self.id!r}.",
            )


def _from_archive(source: Source) -> Base:
    listed = json.loads(_small(source, "manifest.json"))
    if len(listed) != 1:
        raise ConfigError(f"The archive holds {len(listed)} images, expected one.", remedy="Save one image alone.")
    data = _small(source, listed[0]["Config"])
    config = json.loads(data)
    layers = [
        Layer(
            digest=diff_id, diff_id=diff_id, size=source.size(name), media_type=TAR, chunks=partial(source.chunks, name)
        )
        for name, diff_id in zip(listed[0]["Layers"], config["rootfs"]["diff_ids"], strict=True)
    ]
    return _base(blob_of(lambda: iter([data]), "").digest, config, layers, ())


def _from_layout(source: Source, platform: str) -> Base:
    found = [*_images(source, json.loads(_small(source, "index.json")), platform, ())]
    if len(found) != 1:
        raise ConfigError(f"The layout holds {len(found)} images for {platform}, expected one.", remedy=SAVE)
    manifest, config, digests = found[0]
    layers = [
        Layer(
            digest=one["digest"],
            diff_id=diff_id,
            size=source.size(_name(one)),
            media_type=_media_type(one["mediaType"]),
            chunks=partial(source.chunks, _name(one)),
        )
        for one, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    ]
    return _base(manifest["config"]["digest"], config, layers, digests)


def _images(
    source: Source, index: Any, platform: str, above: Sequence[str]
) -> Iterator[tuple[Any, Any, Sequence[str]]]:
    """Give manifest, configuration and digests of each image for a platform, that of indexes above it among them."""
    if len(above) > _DEEPEST:
        raise LimitError("Indexes are nested too deeply.", remedy=SAVE)
    for one in index["manifests"]:
        digests = (*above, one["digest"])
        found = _part(source, one)
        if "manifests" in found:
            yield from _images(source, found, platform, digests)
            continue
        config = _part(source, found["config"])
        # What is no image, such as a signature, has no platform.
        if f"{config.get('os')}/{config.get('architecture')}" == platform:
            yield found, config, digests


def _part(source: Source, descriptor: Any) -> Any:
    """Return the JSON of a blob, checked by its digest."""
    name = _name(descriptor)
    data = _small(source, name)
    if blob_of(lambda: iter([data]), "").digest != descriptor["digest"]:
        raise IntegrityError(f"{name} is not what its name says.", remedy="Save the base again.")
    return json.loads(data)


def _name(descriptor: Any) -> str:
    return f"blobs/sha256/{_digest(descriptor['digest']).removeprefix('sha256:')}"


def _small(source: Source, name: str) -> bytes:
    if source.size(name) > _MAX_JSON:
        raise LimitError(f"{name!a} has {source.size(name)} bytes, more than {_MAX_JSON}.", remedy=SAVE)
    return b"".join(source.chunks(name))


def _media_type(said: str) -> str:
    found = _LAYER.fullmatch(said)
    if found is None:
        raise ConfigError(f"A layer of the base is {said!a}, of which nothing is known.", remedy=SAVE)
    return f"{TAR}+{found[1]}" if found[1] else TAR


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{value!a} is no digest")
    return value


def _absent(diff_id: str) -> Layer:
    return Layer(digest=diff_id, diff_id=diff_id, size=0, media_type=TAR, chunks=None)


def _base(id: str, config: Any, layers: Sequence[Layer], digests: Collection[str]) -> Base:
    for one in layers:
        _digest(one.diff_id)
    return Base(
        id=_digest(id),
        digests=frozenset({id, *digests}),
        platform={key: str(config[key]) for key in ("architecture", "os")} | _variant(config),
        env=[str(one) for one in (config.get("config") or {}).get("Env") or ()],
        layers=layers,
    )


def _variant(config: Any) -> dict[str, str]:
    return {"variant": str(config["variant"])} if config.get("variant") else {}
