"""A scoring service for mlopskit: the command `serve`."""

from collections.abc import Sequence

from mlopskit import hookimpl


@hookimpl
def mlopskit_commands() -> Sequence[object]:
    """Return the command `serve`."""
    from mlopskit_webapi.command import serve

    return [serve]
