"""An image from a bundle to the engine, and to a registry of images."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mlopskit import Bundle
from mlopskit.errors import DeployError
from mlopskit_docker.base import Base
from mlopskit_docker.engine import refused
from mlopskit_docker.image import assemble, write_archive
from mlopskit_docker.options import ImageOptions


def base_of(client: Any, options: ImageOptions, /) -> Any:
    """Return the base image in the engine, which pulls it if it has a name.

    Raises:
        DeployError: the engine has it not, and gets it not.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        return client.images.get(options.base)
    except ImageNotFound as error:
        reason: object = error.explanation
    if "@" in options.base:
        try:
            return client.images.pull(options.base, platform=options.platform)
        except APIError as error:
            reason = error.explanation or error
    raise DeployError(
        f"The engine has no base image {options.base}, and could not pull it: {reason}.",
        remedy="Bring it there: 'docker pull NAME', or 'docker load --input FILE' where there is no network; "
        "'docker image inspect NAME' says its digest.",
        base=options.base,
    )


def loaded(client: Any, options: ImageOptions, bundle: Bundle, /) -> str:
    """Return the id of a bundle's image, which the engine holds afterwards."""
    from docker.errors import APIError, ImageNotFound

    found = base_of(client, options)
    base = Base.known(found.attrs)
    image = assemble(bundle.folder, base)
    try:
        return str(client.images.get(image.id).id)
    except ImageNotFound:
        pass
    with tempfile.TemporaryDirectory(prefix="mlopskit-") as temporary:
        archive, saved = Path(temporary, "image.tar"), Path(temporary, "base.tar")
        try:
            write_archive(image, archive, without=base)
            _load(client, archive, image.id)
        except APIError as error:
            if "missing" not in str(error.explanation):
                raise
            # Podman wants all layers, those that it has, too.
            with saved.open("wb") as opened:
                opened.writelines(found.save())
            write_archive(assemble(bundle.folder, Base.read(saved, options.platform)), archive)
            _load(client, archive, image.id)
    return image.id


def _load(client: Any, archive: Path, wanted: str) -> None:
    with archive.open("rb") as opened:
        held = [one.id for one in client.images.load(opened)]
    if wanted not in held:
        raise DeployError(
            f"The engine loaded {', '.join(held) or 'no image'}, expected {wanted}.",
            remedy="Look at the engine's log, then deploy again.",
        )


def published(client: Any, image: str, registry: str, name: str, /) -> str:
    """Push an image to a registry of images, and return its name there, pinned by its digest."""
    repository, tag = f"{registry}/{name}", image.removeprefix("sha256:")[:12]
    client.images.get(image).tag(repository, tag=tag)
    digest = None
    for line in client.images.push(repository, tag=tag, stream=True, decode=True):
        if "error" in line:
            raise refused(f"{repository}: {line['error']}")
        digest = line.get("aux", {}).get("Digest", digest)
    if digest is None:
        raise refused(f"{repository}: the push gave no digest")
    return f"{repository}@{digest}"
