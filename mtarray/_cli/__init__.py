"""The command line: `mtarray`. A file per command, each thin over public functions: data first, text second."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command; without the extra `cli`, say how to get it and exit with 2."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(f"mtarray: the command line needs {error.name}, which is not installed: pip install 'mtarray[cli]'", file=sys.stderr)
        sys.exit(2)
    from .commands import command

    command(prog_name="mtarray")
