"""`mtarray warmup`: compile kernels ahead."""

from __future__ import annotations

import dataclasses

import click

from .. import diagnostics
from .group import refusing
from .output import write_json


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


@click.command(
    help="Compile the usual kernels ahead, so that later processes only read them: of each op, for each dtype, in the usual layouts."
)
@click.option("--ops", metavar="OP,OP...", help='Which ops, by their names; "all": every one. By default those that most programs use.')
@click.option("--dtypes", metavar="DTYPE,...", help="For which dtypes; by default float32,float64,int64.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as JSON.")
def main(ops: str | None, dtypes: str | None, quiet: bool, as_json: bool) -> None:
    chosen = "all" if ops == "all" else _names(ops)
    with refusing(ValueError, TypeError):
        if quiet or as_json:
            warmth = diagnostics.warmup(chosen, _names(dtypes))
        else:
            warmth = _with_progress(chosen, _names(dtypes))
    if as_json:
        write_json(dataclasses.asdict(warmth))
    else:
        click.echo(str(warmth))


def _with_progress(ops: list[str] | str | None, dtypes: list[str] | None) -> diagnostics.Warmth:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def told(what: str, done: int, total: int) -> None:
        bar.start()  # not before there is something to do: what is refused leaves no trace of a bar
        bar.update(task, description=what, completed=done, total=total)

    try:
        return diagnostics.warmup(ops, dtypes, told)
    finally:
        if bar.live.is_started:
            bar.stop()
