"""Groups whose commands are imported when they are run, and errors of one line."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn

import click
from click.shell_completion import CompletionItem


class Refused(click.ClickException):
    """What the user asked for cannot be done: one line on stderr, exit 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"mtarray: {' '.join(self.format_message().split())}", file=file, err=file is None)


def refuse(message: str) -> NoReturn:
    """End the command with one line on stderr and exit code 2."""
    raise Refused(message)


@contextlib.contextmanager
def refusing(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds are the user's: their text is the line that is shown."""
    try:
        yield
    except kinds as error:
        raise Refused(str(error) or type(error).__name__) from error


def require(extra: str, *modules: str) -> None:
    """Refuse, naming the remedy, unless these modules can be imported."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            refuse(f"this needs {name}, which is not installed: pip install 'mtarray[{extra}]'")


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        if isinstance(error, (Refused, *_HELP)):
            raise
        raise Refused(error.format_message()) from error


class OneLine:
    """Of a command: whatever click finds wrong is one line, when it is run by itself and when a group runs it."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _one_line():
            return super().make_context(*arguments, **options)  # type: ignore[misc]

    def invoke(self, context: click.Context) -> Any:
        with _one_line():
            return super().invoke(context)  # type: ignore[misc]


class Command(OneLine, click.Command):
    """A command that runs without a group too."""


# Called without arguments a group shows its help: an exception from click 8.2 on.
_HELP: tuple[type[click.ClickException], ...] = tuple(filter(None, [getattr(click.exceptions, "NoArgsIsHelpError", None)]))


class Group(OneLine, click.Group):
    """A group of commands named in a table: {name: one line of help}.

    `package` holds a module of each name (dashes as underscores) with the command in its attribute `attribute`; it is imported when the
    command is run or its own help is asked for, so that the list costs nothing.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, str], package: str, attribute: str = "main", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.table, self.package, self.attribute = table, package, attribute

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.table:
            return None
        found = getattr(importlib.import_module(f"{self.package}.{name.replace('-', '_')}"), self.attribute)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        if self.table:
            with formatter.section("Commands"):
                formatter.write_dl(list(self.table.items()))

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table: click's own would import every command for its line of help."""
        found = [CompletionItem(name, help=line) for name, line in self.table.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, context, incomplete)

    def resolve_command(self, context: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not context.resilient_parsing and args and args[0] not in self.table and not args[0].startswith("-"):
            refuse(f"`{context.command_path}` has no {args[0]!r}; it has {', '.join(self.table) or 'nothing yet'}")
        return super().resolve_command(context, args)
