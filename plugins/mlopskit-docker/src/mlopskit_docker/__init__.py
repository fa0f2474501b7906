"""Images of models for mlopskit: the target `docker`, and the command of that name."""

from mlopskit import Deployer, hookimpl


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the target `docker`."""
    from mlopskit_docker.deployer import Docker

    return [Docker]


@hookimpl
def mlopskit_commands() -> list[object]:
    """Return the command `mlopskit docker`."""
    from mlopskit_docker.command import docker

    return [docker]
