"""The engine, asked through its socket: every error of it in words, with what to do."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlopskit.errors import ConfigError, DeployError

_SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock", "{XDG_RUNTIME_DIR}/podman/podman.sock")
_TIMEOUT = 300
_LOCAL = ("unix://", "http+unix://", "tcp://127.0.0.1:", "tcp://localhost:", "tcp://[::1]:")


def address_of(option: str, /) -> str:
    """Return the address of the engine's socket: the option, DOCKER_HOST, or the first usual one that is there.

    Raises:
        ConfigError: the engine is on another machine, where a spare loopback port cannot be asked from here.
    """
    said = option or os.environ.get("DOCKER_HOST", "")
    if said and not said.startswith(_LOCAL):
        raise ConfigError(
            f"The engine is {said!a}, expected one on this machine.",
            remedy='Name its socket: engine = "unix:///var/run/docker.sock".',
            key="engine",
        )
    usual = [one.format(XDG_RUNTIME_DIR=os.environ.get("XDG_RUNTIME_DIR", "")) for one in _SOCKETS]
    return said or "unix://" + next((one for one in usual if Path(one).exists()), usual[0])


@contextlib.contextmanager
def connected(option: str, /) -> Iterator[Any]:
    """Give a client of the engine, and say its errors in words.

    Raises:
        DeployError: the engine does not answer, or refuses something.
    """
    import docker
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    address = address_of(option)
    try:
        _look(address)
        client = docker.DockerClient(base_url=address, version="auto", timeout=_TIMEOUT)
    except (DockerException, RequestException, OSError) as error:
        raise DeployError(
            f"No engine answers at {address}: {_innermost(error)}.",
            remedy="Start it: 'systemctl start docker', or 'podman system service --time 0'; or name another: engine.",
            engine=address,
        ) from error
    try:
        yield client
    except APIError as error:
        raise refused(error.explanation or str(error)) from error
    except (DockerException, RequestException) as error:
        raise refused(f"{_innermost(error)}") from error
    finally:
        client.close()


def _look(address: str) -> None:
    """Try the socket: the SDK leaves one open that nobody answers at."""
    _, _, path = address.partition("unix://")
    if path:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)


def refused(said: object, /) -> DeployError:
    """Return the error for what the engine said, with what to do about it."""
    text = str(said).strip().rstrip(".")
    low = text.lower()
    if "no space left" in low or "disk quota" in low:
        return DeployError(
            f"The engine's disk is full: {text}.",
            remedy="Make room ('docker system df' says where), then deploy again.",
        )
    if "already allocated" in low or "address already in use" in low:
        return DeployError(
            f"The port is taken: {text}.",
            remedy="End what holds it ('ss -ltnp' names it), or give the endpoint another port.",
        )
    return DeployError(
        f"The engine refused: {text}.", remedy="Look at 'docker events' and the engine's log, then deploy again."
    )


def _innermost(error: BaseException) -> str:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
