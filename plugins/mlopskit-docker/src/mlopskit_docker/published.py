"""A published port without a forwarder: the live container holds it, under a name that one container can have."""

from __future__ import annotations

import http.client
import logging
import time
from dataclasses import dataclass
from typing import Any

from mlopskit import Locator
from mlopskit.errors import NotReadyError
from mlopskit_docker.containers import Containers, fault_of
from mlopskit_docker.context import PORT
from mlopskit_docker.engine import refused

_SECONDS = 60.0
_PAUSE = 0.01
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """What users ask: a second container of the image that is live, made for the published port.

    Who switches first takes the name from the one that is live, which an engine lets only one do.
    """

    containers: Containers

    def container(self) -> Any | None:
        """Return what holds the port, or did until the switch that is under way; None if there is none."""
        return self._named("published") or self._named("before")

    def fault(self) -> str | None:
        """Return why nobody gets through, None if it runs."""
        container = self.container()
        return f"Nothing is published at {self.containers.endpoint}." if container is None else fault_of(container)

    def ensure(self, image: str) -> None:
        """Give the port back to what held it before a switch that was killed."""
        del image
        if self._named("published") is None and (before := self._named("before")):
            self._back(before)

    def live(self) -> Locator | None:
        """Return what its labels say, whether or not it runs."""
        container = self.container()
        return None if container is None else _locator(container)

    def turn(self, at: Locator | None, instead_of: Locator | None) -> None:
        """Stop what holds the port and start another one there, if that is what is expected; tell of the gap.

        Raises:
            ConflictError: another one holds it; nothing was changed.
            DeployError: the new one does not start or get ready there; the old one was started again.
        """
        old, live = self.container(), self.live()
        if live != instead_of:
            raise self.containers.conflict(live, instead_of)
        if live == at:
            return
        if old is not None:
            self._claim(old, instead_of)
        if at is not None:
            gap = self._replace(old, at, instead_of)
            if old is not None:
                host, port = self.containers.published
                _log.warning("Nobody answered at %s:%d for %.2f s, during the switch.", host, port, gap)
        if old is not None:
            self.containers.remove(old)

    def remove_if_idle(self) -> None:
        """Do nothing: it went with what is live."""

    def _claim(self, old: Any, instead_of: Locator | None) -> None:
        """Take the name from the container that has it: of two who try, one is told that it is gone."""
        from docker.errors import APIError

        if (left := self._named("before")) and left.id != old.id:
            self.containers.remove(left)
        try:
            self.containers.client.api.rename(self._name("published"), self._name("before"))
        except APIError as error:
            raise self.containers.conflict(self.live(), instead_of) from error

    def _replace(self, old: Any | None, at: Locator, instead_of: Locator | None) -> float:
        """Let a new container have the port, and return for how many seconds nobody answered."""
        new = None
        try:
            new = self._created(at, instead_of)
            begun = time.monotonic()
            if old is not None:
                self.containers.stop(old)
            self.containers.start(new)
            self._wait(new)
            gap = time.monotonic() - begun
        except BaseException:
            try:
                if new is not None:
                    self.containers.remove(new)
            finally:
                if old is not None:
                    self._back(old)
            raise
        for spare in self.containers.found("model", bundle=at["bundle"]):
            self.containers.stop(spare)
        return gap

    def _created(self, at: Locator, instead_of: Locator | None) -> Any:
        options = self.containers.options
        new = self.containers.created(
            self._name("published"),
            image=at["image"],
            labels=self.containers.labels("published", bundle=at["bundle"], image=at["image"]),
            ports={f"{PORT}/tcp": (options.host, options.port)},
            host="published",
            mem_limit=f"{options.memory}m",
        )
        if _locator(new) != at:  # somebody else's was first
            raise self.containers.conflict(_locator(new), instead_of)
        return new

    def _wait(self, container: Any) -> None:
        """Return once it says at the published port that it is ready."""
        end = time.monotonic() + _SECONDS
        while not _ready(self.containers.published):
            container.reload()
            if fault := fault_of(container, often=True):
                raise refused(fault)
            if time.monotonic() > end:
                raise NotReadyError(
                    f"The container {container.name} was not ready in {_SECONDS:.0f} s.", remedy="Deploy again."
                )
            time.sleep(_PAUSE)

    def _back(self, old: Any) -> None:
        """Give name and port back, unless somebody else has done so or holds them."""
        from docker.errors import APIError

        try:
            old.rename(self._name("published"))
            old.start()
        except APIError as error:
            _log.warning("%s does not have its port back: %s", old.name, error.explanation or error)

    def _named(self, word: str) -> Any | None:
        found = self.containers.found("published")
        return next((one for one in found if one.name == self._name(word)), None)

    def _name(self, word: str) -> str:
        return f"{self.containers.endpoint}-{word}"


def _locator(container: Any) -> Locator:
    return {word: container.labels[f"io.mlopskit.{word}"] for word in ("bundle", "image")}


def _ready(address: tuple[str, int]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=5)
    try:
        connection.request("GET", "/health/ready", headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
