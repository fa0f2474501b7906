"""Images of models for mlopskit: the target `docker`, and the command of that name."""

from mlopskit import hookimpl


@hookimpl
def mlopskit_commands() -> list[object]:
    """Return the command `mlopskit docker`."""
    from mlopskit_docker.command import docker

    return [docker]
