"""The command `mtarray` and the list of its subcommands."""

from __future__ import annotations

import click

import mtarray

from .group import Group

COMMANDS = {
    "info": "Versions, devices, threads, memory pool, kernel cache, settings.",
    "train": "Trainers, to run and to watch.",
    "lens": "Pages to look at, in the browser.",
}

command = Group(
    "mtarray",
    table=COMMANDS,
    package="mtarray._cli",
    help="Arrays of the array API standard: what they do, how fast, and programs that use them.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
command = click.version_option(mtarray.__version__, "-V", "--version", prog_name="mtarray", message="%(prog)s %(version)s")(command)
