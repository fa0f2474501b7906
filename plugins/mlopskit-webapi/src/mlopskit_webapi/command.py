"""The command `serve`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mlopskit.runtime.serving import Source

_MIB = 1 << 20


def _options() -> list[Callable[[Any], Any]]:
    option = functools.partial(click.option, show_default=True)
    return [
        click.argument("references", nargs=-1, required=True, metavar="REFERENCE..."),
        option("--host", default="127.0.0.1", help="The address to listen at."),
        option("--port", default=8000, type=click.IntRange(0, 65535), help="The port; 0 takes a spare one."),
        option("--unix", type=click.Path(path_type=Path), metavar="SOCKET", help="Listen at this path instead."),
        option("--processes", default=1, type=click.IntRange(1, 256), help="So many, sharing nothing but the port."),
        option("--every", default=5.0, type=click.FloatRange(0.01), help="Seconds between two looks at an alias."),
        option("--folder", type=click.Path(path_type=Path), help="Remember here what was seen and downloaded."),
        option("--beside", metavar="ALIAS", help="Answer for what this alias names, too, by its digest."),
        option("--max-age", type=click.FloatRange(0), help="Seconds for which an alias may go unread."),
        option("--trial-seconds", default=60.0, type=click.FloatRange(0.1), help="A new package's time to answer in."),
        option("--trial-memory", default=4096, type=click.IntRange(64), help="MiB that a new package may need."),
        option("--max-body", default=16, type=click.IntRange(1, 1024), help="MiB that a request may have."),
        option("--max-rows", default=100_000, type=click.IntRange(1), help="Rows that a request may have."),
        option("--connections", default=1000, type=click.IntRange(1), help="Connections of a process at once."),
        option("--receive", default=30.0, type=click.FloatRange(0.1), help="Seconds for a request to come in."),
        option("--answer", default=30.0, type=click.FloatRange(1), help="Seconds after which a process is stuck."),
        option("--token-file", type=click.Path(exists=True, path_type=Path), help="Callers must show this token."),
        option("--allow-host", multiple=True, metavar="NAME", help="A name by which it may be called; all, if none."),
        option("--tls", nargs=2, type=click.Path(exists=True), metavar="CERT KEY", help="Speak HTTPS."),
        option("--log", type=click.Path(path_type=Path), help="Write rows and answers into this folder."),
        option("--log-share", default=1.0, type=click.FloatRange(0, 1), help="The share of requests written down."),
        option("--log-size", default=64, type=click.IntRange(1), help="MiB that each process may fill there."),
        option("--log-omit", multiple=True, metavar="COLUMN", help="Leave this column out."),
        option("--log-hash", multiple=True, metavar="COLUMN", help="Write a keyed hash of this column."),
        option("--trust-code", multiple=True, metavar="DIGEST", help="Let this package run its code."),
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    ]


@click.command("serve")
@click.pass_context
def serve(
    context: click.Context,
    /,
    *,
    references: Sequence[str],
    every: float,
    folder: Path | None,
    beside: str | None,
    max_age: float | None,
    trial_seconds: float,
    trial_memory: int,
    trust_code: Sequence[str],
    **given: Any,
) -> int:
    """Answer requests over HTTP with models that follow their aliases."""
    from mlopskit.runtime.serving import Settings, run

    project = context.obj.project

    def sources(number: int) -> Sequence[Source]:
        from mlopskit import Trial
        from mlopskit_webapi.references import Following, sources_of

        following = Following(
            every=every,
            folder=folder and folder / str(number),
            trial=Trial(seconds=trial_seconds, memory=trial_memory * _MIB),
            trust_code=trust_code,
            beside=beside,
            max_age=max_age,
        )
        return sources_of(references, project, following)

    return run(Settings(**given), sources, what=", ".join(references))


for _option in _options():
    serve = _option(serve)
