"""The target `fileshare`: packages on a local folder or a mounted share, in the registry's layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlopskit.bundles import PublishingDeployer


@dataclass(frozen=True, kw_only=True)
class FileShare(PublishingDeployer):
    """Publishes to a folder or share: `to` is its path, `alias` the name under which readers find the live package."""

    target: ClassVar[str] = "fileshare"
