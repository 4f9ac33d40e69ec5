"""The entry point. It loads no torch until a verb is run, so that help is there at once."""

import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

from convscope import __version__
from convscope.errors import near_matches
from convscope.verbs.table import VERBS

SUMMARIES = {
    "models": "The networks that can be loaded.",
    "layers": "Every layer of a network: name, kind, shape, parameters, receptive field.",
    **{name: verb.summary for name, verb in VERBS.items()},
}

HELP = """Look inside convolutional neural networks.

What each layer sees, what each filter and class looks for, and why an answer was given.
"""

EPILOG = """Start with:  convscope report cat.jpg --out cat/

Each command has examples:  convscope visualize --help"""


class LazyGroup(TyperGroup):
    """Lists the commands from a table; the file of one is opened when it is run or its own help is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in SUMMARIES:
            return None
        return typer.core.TyperCommand(cmd_name, help=SUMMARIES[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in SUMMARIES:
            near = near_matches(args[0], SUMMARIES)
            hint = f"near matches: {', '.join(near)}" if near else f"there are: {', '.join(SUMMARIES)}"
            ctx.fail(f"No such command {args[0]!r}; {hint}")
        name, command, rest = super().resolve_command(ctx, args)
        if name in SUMMARIES:
            command = command_named(name)
        return name, command, rest


def command_named(name: str) -> Any:
    """The command of a verb: its own file's, or the one made from its signature."""
    if find_spec(f"convscope.cli.commands.{name}") is not None:
        return import_module(f"convscope.cli.commands.{name}").main
    from convscope.cli.generated import command_of

    return command_of(name)


app = typer.Typer(
    cls=LazyGroup,
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> bool:
    if asked:
        typer.echo(f"convscope {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Say the version."),
) -> None:
    pass


EXIT_TERMINATED = 128 + signal.SIGTERM


def _terminated(*_: Any) -> None:
    raise SystemExit(EXIT_TERMINATED)  # so that files half-written and programs started are cleared away


def run() -> None:
    """The `convscope` command."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)
    try:
        app(prog_name="convscope")
    except BrokenPipeError:  # whoever read our output has gone
        sys.stderr.close()
        sys.exit(1)
