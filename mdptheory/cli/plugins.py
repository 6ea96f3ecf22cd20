"""Sub-commands of other packages, found by entry point and loaded when they are called."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from mdptheory.cli.failures import CommandError

GROUP = "mdptheory.commands"


def available() -> dict[str, EntryPoint]:
    """Return the entry points of the group by name; the first one of a name wins."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


class PluginGroup(TyperGroup):
    """The built-in commands, and the installed ones without importing them first."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the built-in names, then those of the entry points."""
        own = list(super().list_commands(ctx))
        return own + [name for name in available() if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, importing the package behind it if it is not built in."""
        own = super().get_command(ctx, cmd_name)
        entry = None if own is not None else available().get(cmd_name)
        return own if entry is None else _command(entry)


def _command(entry: EntryPoint) -> Any:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    try:
        app.command(entry.name)(entry.load())
        return typer.main.get_command(app)
    except Exception as error:  # whatever a package does on import, we say it in one sentence
        broken = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        words = {"ignore_unknown_options": True, "allow_extra_args": True}
        callback = _broken(entry, error)
        broken.command(
            entry.name,
            help="(cannot be loaded)",
            add_help_option=False,
            context_settings=words,
        )(callback)
        return typer.main.get_command(broken)


def _broken(entry: EntryPoint, error: Exception) -> Callable[[], None]:
    sentence = (
        f"the command {entry.name!r} ({entry.value}) cannot be loaded,"
        f" {type(error).__name__}: {error}"
    )

    def refuse() -> None:
        raise CommandError(sentence)

    return refuse
