"""The target `docker`: a container beside the live one, asked over HTTP before and after users are led to it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mlopskit import Answer, Bundle, Deployer, Locator, ModelPackage, Row, StoredModel, Wheels, ask_over_http
from mlopskit.errors import DeployError, NotReadyError
from mlopskit_docker import context, loading
from mlopskit_docker.containers import Containers, fault_of
from mlopskit_docker.engine import address_of, connected
from mlopskit_docker.forwarder import Forwarder
from mlopskit_docker.options import ImageOptions, check_options
from mlopskit_docker.published import Published


@dataclass(frozen=True, kw_only=True)
class Docker(ImageOptions, Deployer):
    """Runs a model in a container of the engine at the socket `engine`, and publishes it at `host` and `port`.

    `engine` is like "unix:///var/run/docker.sock"; without it DOCKER_HOST counts, then the usual sockets of Docker and
    Podman. A small container holds the port and leads to one container or the other, so that a switch leaves no gap;
    with `forwarder` false the live container holds it, and a switch stops one and starts the other.
    """

    target: ClassVar[str] = "docker"

    engine: str = ""
    forwarder: bool = True

    def check(self, package: ModelPackage, /) -> None:
        """Check the options; nothing is asked of the engine yet."""
        del package
        check_options(self)
        address_of(self.engine)

    def needs(self, package: ModelPackage, model: StoredModel | None, /) -> Sequence[Wheels]:
        """Return the wheels of the server, and of the form's engine."""
        del package
        return context.needs(self, model)

    def build(self, package: ModelPackage, model: StoredModel | None, into: Path, /) -> None:
        """Write what the image is made of: what `docker build` takes, too."""
        context.write_context(self, package, model, into)

    def push(self, bundle: Bundle, /) -> Locator:
        """Let the engine hold the image, and run a container of it beside what is live."""
        with self._at(bundle.name) as (containers, forwarder):
            image = loading.loaded(containers.client, self, bundle)
            forwarder.ensure(image)
            if self.registry:
                image = loading.published(containers.client, image, self.registry, bundle.name)
            at = {"bundle": bundle.digest, "image": image}
            containers.run(at)
        return at

    def predict(self, name: str, rows: Sequence[Row], at: Locator | None, /) -> Answer:
        """Ask the container that was pushed at its own port, or what users get at the published one."""
        with self._at(name) as (containers, forwarder):
            found = forwarder.live() if at is None else at
            if found is None:
                raise DeployError(
                    f"Nothing is live for {name!r} at {self.host}:{self.port}.", remedy="Deploy a package there first."
                )
            address = containers.published if at is None else containers.address(found)
            with contextlib.suppress(NotReadyError):
                if address:
                    return ask_over_http(_url(*address), rows)
            if at is None and (fault := forwarder.fault()):
                raise DeployError(fault, remedy="Deploy again; that starts it.")
            raise containers.silent(found)

    def live(self, name: str, /) -> Locator | None:
        """Return what the forwarder leads to."""
        with self._at(name) as (_, forwarder):
            return forwarder.live()

    def activate(self, name: str, at: Locator | None, /, *, instead_of: Locator | None, why: str) -> None:
        """Let the forwarder lead to another container, if it leads to what is expected."""
        del why  # an engine keeps no history
        with self._at(name) as (containers, forwarder):
            if at is not None:
                containers.start_again(at)
            forwarder.turn(at, instead_of)

    def remove(self, name: str, at: Locator, /) -> None:
        """Remove the container, and what the endpoint shares once it was the last. The image stays, under its id."""
        with self._at(name) as (containers, forwarder):
            for container in containers.each_of(at):
                containers.remove(container)
            forwarder.remove_if_idle()
            containers.tidy()

    def retire(self, name: str, at: Locator, /) -> None:
        """Let a container that is not live end what it was asked, and stop."""
        with self._at(name) as (containers, forwarder):
            container = containers.of(at)
            if container is None or forwarder.live() == at:
                return
            containers.stop(container)
            if forwarder.live() == at:  # somebody has gone back to it meanwhile
                containers.start(container)

    def fault(self, name: str, at: Locator, /) -> str | None:
        """Say whether a container has ended, or is missing."""
        with self._at(name) as (containers, forwarder):
            container = containers.of(at)
            if container is None:
                return f"There is no container of {at['bundle']} at {containers.endpoint}."
            return fault_of(container) or forwarder.fault()

    def logs(self, name: str, at: Locator, /, *, lines: int = 100) -> str:
        """Return the last lines that the container wrote."""
        with self._at(name) as (containers, _):
            container = containers.of(at)
            return "" if container is None else str(container.logs(tail=lines).decode(errors="replace"))

    @contextlib.contextmanager
    def _at(self, name: str) -> Iterator[tuple[Containers, Forwarder | Published]]:
        check_options(self)
        with connected(self.engine) as client:
            containers = Containers(client=client, options=self, name=name)
            yield containers, Forwarder(containers) if self.forwarder else Published(containers)


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/predict"
