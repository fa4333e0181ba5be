"""How results are shown: tables in the terminal, JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from typing import Any

import click


def console() -> Any:
    """A Rich console on stdout: as wide as the terminal, or wide enough for our tables in a file or pipe."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 132, soft_wrap=False)


def table(*columns: str, title: str | None = None) -> Any:
    """A Rich table; a column whose name starts with ">" is aligned to the right."""
    from rich import box
    from rich.table import Table

    made = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        made.add_column(name.lstrip(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    return made


def write_json(data: Any) -> None:
    """Print data as JSON; what JSON has no form for (dtypes, paths) by its name."""
    click.echo(json.dumps(data, indent=2, default=str))
