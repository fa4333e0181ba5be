"""The command `mtarray` and the list of its subcommands."""

from __future__ import annotations

import click

import mtarray

from .group import Group

COMMANDS = {
    "info": "Versions, devices, threads, memory, kernel cache, settings.",
    "diagnostics": "How kernels are built: source, chunks, vectors, cache; Numba's report.",
    "explain": "What serves each op of an expression, and why.",
    "warmup": "Compile the usual kernels ahead.",
    "bench": "Tables and plots of speed.",
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
