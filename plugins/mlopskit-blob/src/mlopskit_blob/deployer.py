"""The target `blob`: packages in a container, in the registry's layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlopskit import PublishingDeployer


@dataclass(frozen=True, kw_only=True)
class Blob(PublishingDeployer):
    """Publishes to a container: `to` is its address, `alias` the name under which readers find the live package."""

    target: ClassVar[str] = "blob"
