"""The forwarder of an endpoint: a small container that holds the published port and is told where it leads."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlopskit import Locator
from mlopskit.errors import DeployError
from mlopskit_docker.containers import Containers, fault_of
from mlopskit_docker.context import PORT, USER

_PROGRAM = Path(__file__).with_name("templates") / "forward.py"
_FOLDER = "/forward"
_ANOTHER_IS_LIVE = 3


@dataclass(frozen=True)
class Forwarder:
    """What users ask, whichever container answers."""

    containers: Containers

    def container(self) -> Any | None:
        """Return its container, None if there is none."""
        return next(iter(self.containers.found("forwarder")), None)

    def fault(self) -> str | None:
        """Return why nobody gets through, None if it runs."""
        container = self.container()
        return f"There is no forwarder at {self.containers.endpoint}." if container is None else fault_of(container)

    def ensure(self, image: str) -> None:
        """Let it run, made from an image that has Python: it takes the published port, and leads nowhere at first."""
        options, container = self.containers.options, self.container()
        if container is None:
            container = self.containers.created(
                f"{self.containers.endpoint}-forwarder",
                image=image,
                entrypoint=[options.interpreter, "-I", "-B", f"{_FOLDER}/{_PROGRAM.name}", f"{_FOLDER}/to"],
                command=["listen", str(PORT)],
                user=f"{USER}:{USER}",
                labels=self.containers.labels("forwarder"),
                ports={f"{PORT}/tcp": (options.host, options.port)},
                host="forwarder",
                mounts=[{"Type": "volume", "Target": _FOLDER}],
                healthcheck={"test": ["NONE"]},
                mem_limit="128m",
            )
        if container.status == "created":
            container.put_archive(_FOLDER, _files())
        if container.status != "running":
            self.containers.start(container)

    def live(self) -> Locator | None:
        """Return what it leads to, as its file says, whether or not it runs."""
        from docker.errors import NotFound

        container = self.container()
        if container is None:
            return None
        try:
            parts, _ = container.get_archive(f"{_FOLDER}/to/destination.json")
            with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as archive:
                opened = archive.extractfile(archive.next())  # type: ignore[arg-type]  # it holds this file
                said = json.loads(opened.read()) if opened else None
        except NotFound:
            return None
        return None if said is None else dict(said["live"])

    def turn(self, at: Locator | None, instead_of: Locator | None) -> None:
        """Lead to another container, if it leads to what is expected: both in one step, inside of it.

        Raises:
            ConflictError: it leads elsewhere; nothing was changed.
        """
        container = self.container()
        if container is None:
            if at is None and instead_of is None:
                return
            raise self.containers.conflict(self.live(), instead_of)
        new = None if at is None else {"live": dict(at), "host": self.containers.host_of(at), "port": PORT}
        known = None if instead_of is None else dict(instead_of)
        command = [*container.attrs["Config"]["Entrypoint"], "turn", json.dumps(known), json.dumps(new)]
        code, said = container.exec_run(command)
        if code == _ANOTHER_IS_LIVE:
            raise self.containers.conflict(self.live(), instead_of)
        if code:
            raise DeployError(
                f"The forwarder {container.name} was not switched: {said.decode(errors='replace').strip()[-500:]}",
                remedy=f"Look at 'docker logs {container.name}'.",
            )

    def remove_if_idle(self) -> None:
        """Give the port back once nothing is live and no container is left."""
        container = self.container()
        if container is not None and self.live() is None and not self.containers.found("model"):
            self.containers.remove(container)


def _files() -> bytes:
    """Return what is put into its volume: the program, and a folder that it alone may write."""
    data = _PROGRAM.read_bytes()
    program, folder = tarfile.TarInfo(_PROGRAM.name), tarfile.TarInfo("to")
    program.size, program.mode = len(data), 0o444
    folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, USER, USER
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(program, io.BytesIO(data))
        archive.addfile(folder)
    return packed.getvalue()
