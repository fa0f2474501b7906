"""A scoring service for mlopskit: the command `serve`, and the target `webapi`."""

from mlopskit import Deployer, hookimpl


@hookimpl
def mlopskit_commands() -> list[object]:
    """Return the command `serve`."""
    from mlopskit_webapi.command import serve

    return [serve]


@hookimpl
def mlopskit_deployers() -> list[type[Deployer]]:
    """Return the target `webapi`."""
    from mlopskit_webapi.deployer import WebApi

    return [WebApi]
