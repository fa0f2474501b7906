"""The command line: the verbs as commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from typing import Any

import click

from mlopskit.cli import commands
from mlopskit.cli.output import say_error
from mlopskit.errors import MlopskitError, UsageError, nearest

INTERRUPTED = 130


class Commands(click.Group):
    """The built-in commands, then those of plugins, found by their entry points' names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        from mlopskit import plugins

        return [*super().list_commands(ctx), *plugins.names("commands")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name; a plugin's is imported only when it is asked for."""
        from mlopskit import plugins

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in plugins.names("commands"):
            return own
        found: click.Command = plugins.command(cmd_name)
        return found

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the arguments name; of an unknown one, say the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            near = nearest(name, known)
            hint = f"Did you mean {near!r}?" if near else f"Known: {', '.join(known)}."
            raise UsageError(f"There is no command {name!r}.", remedy=hint)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--project", metavar="FILE", default="mlopskit.toml", show_default=True, help="The project's file.")
@click.version_option(package_name="mlopskit", prog_name="mlopskit")
@click.pass_context
def cli(context: click.Context, *, debug: bool, project: str) -> None:
    """Take a scikit-learn model to every place where it is used, and check its answers there.

    Exit codes: 0 done, 1 refused by a gate or a verification, 2 wrong usage or configuration, 3 could not run.
    """
    context.obj = commands.Options(debug=debug, project=project)


for _command in commands.ALL:
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        code = cli.main(arguments, prog_name="mlopskit", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except MlopskitError as error:
        if debug:
            raise
        return say_error(error, as_json=as_json)
    except click.ClickException as error:
        wrong = UsageError(error.format_message(), remedy="See 'mlopskit --help'.")
        return say_error(wrong, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. What was live is still live; the same command run again completes the work.", err=True)
        return INTERRUPTED
