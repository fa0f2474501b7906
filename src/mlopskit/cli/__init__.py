"""The command line: the verbs as commands. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import io
import os
import sys
import traceback
from typing import Any

import click

from mlopskit.cli import commands, data, gates, keeping, report, runs, triggers
from mlopskit.cli.output import say_error
from mlopskit.errors import MlopskitError, StorageError, UsageError, nearest

INTERRUPTED = 130
# What a shell says of a program whose reader went away.
_NO_READER = 141
_LONGEST_HELP = 200


class Commands(click.Group):
    """The built-in commands in the order of a model's life, then those of plugins, found by their entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        from mlopskit import plugins

        del ctx
        return [*self.commands, *(name for name in plugins.names("commands") if name not in self.commands)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of a name; a plugin's is imported only when it is asked for."""
        from mlopskit import plugins

        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in plugins.names("commands"):
            return own
        found: click.Command = plugins.command(cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; no plugin is imported for it, so that a broken one does not end the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summary(name)) for name in self.list_commands(ctx)])

    def _summary(self, name: str) -> str:
        from mlopskit import plugins

        if name in self.commands:
            return self.commands[name].get_short_help_str(limit=_LONGEST_HELP)
        owners = {entry.dist.name for entry in plugins.entries("commands") if entry.name == name and entry.dist}
        return f"Offered by {' and '.join(sorted(owners))}."

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

    Exit codes: 0 done, 1 refused by a gate or a verification, 2 wrong usage or configuration, 3 could not run, 130
    interrupted.
    """
    context.obj = commands.Options(debug=debug, project=project)


for _command in (*commands.ALL, *keeping.ALL, *runs.ALL, *data.ALL, *gates.ALL, *report.ALL, *triggers.ALL):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows its number
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line; return the exit code."""
    try:
        with cli.make_context("mlopskit", [*arguments]) as context:
            code = cli.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read has read enough; what is flushed at the end goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _NO_READER
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return say_error(_told(error), as_json="--json" in arguments)


def _told(error: BaseException) -> MlopskitError:
    """Return an error as one of ours, with a remedy."""
    if isinstance(error, MlopskitError):
        return error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "mlopskit"
        return UsageError(error.format_message(), remedy=f"See '{path} --help'.")
    if isinstance(error, KeyboardInterrupt | click.Abort):
        stopped = MlopskitError(
            "The command was stopped. What was live is still live.",
            remedy="Run the same command again; it completes the work.",
        )
        stopped.exit_code = INTERRUPTED
        return stopped
    if isinstance(error, OSError):
        where = f"{error.filename!r}: " if error.filename else ""
        return StorageError(
            f"{where}{error.strerror or error}.",
            remedy="Free space, mount the place, or get the right to use it; then run the same command again.",
            errno=error.errno,
        )
    return MlopskitError(
        f"Unexpected {type(error).__name__}: {error}",
        remedy="Please report this, with the traceback that --debug shows.",
    )
