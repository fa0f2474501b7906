"""A model's containers at one published port: found by their labels, never by records of ours."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from mlopskit import Locator
from mlopskit.errors import ConflictError, DeployError, NotReadyError
from mlopskit_docker.context import PORT
from mlopskit_docker.engine import refused

_CONFLICT = 409
_LABEL = "io.mlopskit"
_STOP_SECONDS = 15  # the server lets what is asked be answered for ten
_LOGS = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


class Options(Protocol):
    """What of a deployer's options the containers are made from."""

    @property
    def host(self) -> str:
        """The address that the port is published at."""

    @property
    def port(self) -> int:
        """The port that users ask."""

    @property
    def memory(self) -> int:
        """What a container may take, in MiB."""

    @property
    def interpreter(self) -> str:
        """The image's Python."""

    @property
    def forwarder(self) -> bool:
        """Whether a forwarder holds the port, or the live container itself."""


@dataclass(frozen=True, kw_only=True)
class Containers:
    """The containers of a model at an endpoint's port."""

    client: Any
    options: Options
    name: str

    @property
    def endpoint(self) -> str:
        """The name of their network, and what the containers' names begin with."""
        return f"mlopskit-{self.name}-{self.options.host.replace(':', '_')}-{self.options.port}"

    def labels(self, role: str, **more: str) -> dict[str, str]:
        """Return the labels by which a container is found again."""
        about = {"endpoint": self.endpoint, "role": role, **more}
        return {f"{_LABEL}.{word}": value for word, value in about.items()}

    def found(self, role: str, **more: str) -> list[Any]:
        """Return the containers with these labels, running or not."""
        labels = [f"{label}={value}" for label, value in self.labels(role, **more).items()]
        found: list[Any] = self.client.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
        return found

    def each_of(self, at: Locator) -> list[Any]:
        """Return the containers of what was pushed, first the one that holds the published port."""
        roles = ("model",) if self.options.forwarder else ("published", "model")
        return [one for role in roles for one in self.found(role, bundle=at["bundle"])]

    def of(self, at: Locator) -> Any | None:
        """Return the container of what was pushed, None if there is none."""
        return next(iter(self.each_of(at)), None)

    def host_of(self, at: Locator) -> str:
        """Return the name of a container in its network, short enough for a part of a domain's name."""
        return "m" + hashlib.sha256(f"{self.endpoint} {at['bundle']}".encode()).hexdigest()[:20]

    def run(self, at: Locator) -> None:
        """Let the container of an image run beside what is live, on a spare port of this machine."""
        container = self.of(at) or self.created(
            f"{self.endpoint}-{at['bundle'].removeprefix('sha256:')[:12]}",
            image=at["image"],
            labels=self.labels("model", bundle=at["bundle"]),
            ports={f"{PORT}/tcp": ("127.0.0.1", None)},
            host=self.host_of(at),
            mem_limit=f"{self.options.memory}m",
        )
        self.start(container)

    def created(self, name: str, *, host: str, **settings: Any) -> Any:
        """Create a container that may do nothing but what it is for; who comes second gets the first one's."""
        from docker.errors import APIError

        network = self._network()
        config = self.client.api.create_endpoint_config(aliases=[host])
        try:
            return self.client.containers.create(
                name=name,
                network=network,
                networking_config={network: config},
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                pids_limit=256,
                tmpfs={"/tmp": "rw,nosuid,nodev,noexec,size=64m"},  # noqa: S108  # the container's own
                # A container's first process heeds SIGTERM once it serves; Python heeds this one from the beginning.
                stop_signal="SIGINT",
                restart_policy={"Name": "unless-stopped"},
                log_config=_LOGS,
                **settings,
            )
        except APIError as error:
            if error.status_code != _CONFLICT:
                raise
            return self.client.containers.get(name)

    def start(self, container: Any) -> None:
        """Start a container, and leave none behind that cannot be started."""
        from docker.errors import APIError, NotFound

        try:
            container.start()
        except APIError as error:
            if container.status == "created":
                with contextlib.suppress(NotFound):
                    container.remove(v=True, force=True)
                self.tidy()
            raise refused(error.explanation or error) from error

    def stop(self, container: Any) -> None:
        """Let a container answer what it was asked, and end."""
        container.stop(timeout=_STOP_SECONDS)

    def remove(self, container: Any) -> None:
        """Stop a container and remove it, which somebody else may have done."""
        from docker.errors import APIError, NotFound

        with contextlib.suppress(NotFound):
            self.stop(container)
            try:
                container.remove(v=True)
            except APIError as error:  # it is being removed at this moment
                if error.status_code != _CONFLICT:
                    raise

    def tidy(self) -> None:
        """Remove the network once nothing is in it."""
        from docker.errors import APIError

        if any(self.found(role) for role in ("model", "forwarder", "published")):
            return
        for network in self.client.networks.list(names=[self.endpoint]):
            with contextlib.suppress(APIError):  # something has just been put there
                network.remove()

    @property
    def published(self) -> tuple[str, int]:
        """Return where users ask, from this machine."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # what it is published at, not bound here
        return everywhere.get(self.options.host, self.options.host), self.options.port

    def start_again(self, at: Locator) -> None:
        """Let the container of what was pushed run, if it was stopped since.

        Raises:
            DeployError: it is not there any more.
        """
        container = self.of(at)
        if container is None:
            raise self.silent(at)
        if container.status != "running":
            self.start(container)

    def address(self, at: Locator) -> tuple[str, int] | None:
        """Return where what was pushed answers on this machine, None if it does not run."""
        container = self.of(at)
        published = container.ports.get(f"{PORT}/tcp") if container is not None else None
        if not published:
            return None
        spare = container is not None and container.labels[f"{_LABEL}.role"] == "model"
        return ("127.0.0.1", int(published[0]["HostPort"])) if spare else self.published

    def silent(self, at: Locator) -> DeployError:
        """Return why there is no answer: it is not ready yet, or will never be."""
        container = self.of(at)
        if container is None:
            return DeployError(
                f"There is no container of {at['bundle']} at {self.endpoint}.", remedy="Deploy it again; that makes it."
            )
        if fault := fault_of(container, often=True):
            return DeployError(fault, remedy=f"Look at 'docker logs {container.name}', mend it, and deploy again.")
        return NotReadyError(f"The container {container.name} does not answer yet.", remedy="Ask again.")

    def conflict(self, live: Locator | None, instead_of: Locator | None) -> ConflictError:
        """Return the error for another one being live than is expected."""
        return ConflictError(
            f"{self.endpoint} leads to {live}, expected {instead_of}: somebody else deployed meanwhile.",
            remedy="Look at 'mlopskit status', then deploy again if it is still wanted.",
            winner=live,
        )

    def _network(self) -> str:
        """Return the name of the network that these containers share, and make it if need be."""
        from docker.errors import APIError

        if not self.client.networks.list(names=[self.endpoint]):
            try:
                self.client.networks.create(
                    self.endpoint, driver="bridge", check_duplicate=True, labels=self.labels("network")
                )
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
        return self.endpoint


def fault_of(container: Any, /, *, often: bool = False) -> str | None:
    """Return what is wrong with a container that should run, and with `often` not begin again; None if nothing is."""
    state, again = container.attrs["State"], container.attrs.get("RestartCount")
    if state["Status"] == "running" and not (often and again):
        return None
    last = container.logs(tail=1).decode(errors="replace").strip() or "it said nothing"
    how = f"ended and was started again, {again} times" if again else f"ended with {state['ExitCode']}"
    why = "it needed more memory than it may have; " if state.get("OOMKilled") else ""
    return f"The container {container.name} {how}: {why}{last[-500:]}"
