"""`mlopskit device`: what the target needs on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from mlopskit_device import sysroot as sysroots
from mlopskit_device.platforms import PLATFORMS


@click.group("device")
def device() -> None:
    """Prepare this machine for the target `device`."""


@device.command("sysroot")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--platform", default="linux/aarch64", show_default=True, type=click.Choice(sorted(PLATFORMS)))
@click.option("--python", default="3.11", show_default=True, help="The version of Python in it.")
@click.option("--mirror", default=sysroots.MIRROR, show_default=True, help="The mirror of Debian.")
def sysroot(*, folder: Path | None, platform: str, python: str, mirror: str) -> None:
    """Make a folder (FOLDER, or one of mlopskit's own) with Python for another processor, for bundles to be asked in.

    It is made of about 25 MB of Debian's packages, and nothing is installed.
    """
    wanted = PLATFORMS[platform]
    target = folder or sysroots.default_folder(wanted, python)
    sysroots.make(target, wanted, python, mirror=mirror)
    click.echo(str(target))
