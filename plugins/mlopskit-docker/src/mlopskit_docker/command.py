"""`mlopskit docker`: images without an engine."""

from __future__ import annotations

from pathlib import Path

import click

from mlopskit.errors import ConfigError


@click.group("docker")
def docker() -> None:
    """Make images for the target `docker`."""


@docker.command("image")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--base", required=True, type=click.Path(path_type=Path), help="The saved base: an archive, a layout.")
@click.option("--tag", "tags", multiple=True, metavar="NAME:TAG", help="What an engine shall call it.")
@click.option("--gzip", is_flag=True, help="Compress its layers, as registries keep them.")
def image(*, bundle: Path, file: Path, base: Path, tags: tuple[str, ...], gzip: bool) -> None:
    """Write the image of a BUNDLE, which 'mlopskit build' made, to FILE: no engine is needed, and none is asked.

    It is an OCI layout and a docker-archive at once: docker load, podman load and skopeo take it.
    """
    from mlopskit_docker.base import Base
    from mlopskit_docker.image import assemble, platform_of, write_archive
    from mlopskit_docker.options import check_tag

    for tag in tags:
        check_tag(tag)
    if file.exists():
        raise ConfigError(f"{str(file)!r} is there already.", remedy="Name a file that is not.")
    found = Base.read(base, platform_of(bundle))
    made = assemble(bundle, found, gzip=gzip)
    write_archive(made, file, tags=tags)
    below = sum(one.size for one in found.layers) / 1e6
    above = sum(one.size for one in made.layers) / 1e6 - below
    click.echo(f"Wrote {str(file)!r}: {above:,.1f} MB above a base of {below:,.1f} MB.")
    click.echo(f"id {made.id}\ndigest {made.digest}")
