"""`mtarray diagnostics [OP...]`: how kernels are built, and the form of an op to read."""

from __future__ import annotations

import dataclasses
import html
from pathlib import Path
from typing import Any

import click

from .. import diagnostics
from .group import refuse, refusing
from .output import write_json

# What is shown when no op is named: the four forms of the `prange` kernels.
FORMS = ("negative", "add", "sum", "matmul")


def collect(ops: tuple[str, ...], dtype: str | None, kernels: bool, loops: bool) -> list[dict[str, Any]]:
    """Of each op: its name, its kernels and its readable loops (None where there is no such form)."""
    found = []
    for op in ops:
        with refusing(ValueError, TypeError):
            made = diagnostics.kernels(op, dtype) if kernels else ()
            try:
                readable = diagnostics.loops(op, dtype) if loops else None
            except ValueError:
                readable = None
        found.append({"op": op, "kernels": made, "loops": readable})
    return found


def text(found: list[dict[str, Any]], source: bool) -> str:
    """For the terminal."""
    parts = []
    for entry in found:
        for kernel in entry["kernels"]:
            parts.append(str(kernel) + (f"\n\n{_indented(kernel.source)}" if source else ""))
        if not entry["kernels"] and entry["loops"] is None:
            parts.append(f"{entry['op']}: no kernel of ours ran; NumPy serves it")
        if entry["loops"] is not None:
            loops = entry["loops"]
            body = _indented(loops.source[loops.source.rindex("\ndef ") + 1 :])
            parts.append(f"{loops}\n\n{body}" + (f"\n\n{_indented(loops.text)}" if source else ""))
    return "\n\n".join(parts)


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in lines.strip("\n").splitlines())


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 2px solid #3949ab } table { border-collapse: collapse; margin: 1rem 0; font-size: 14px }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #dde3ea }
td.number { text-align: right } pre { background: #f4f6f9; padding: .8rem; overflow-x: auto; font-size: 13px } summary { cursor: pointer }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #dbe2ea }
  pre { background: #1d232b } th, td { border-color: #333c47 } }
"""


def page(found: list[dict[str, Any]]) -> str:
    """The same as a page that needs nothing else: tables, with sources and reports to open."""
    say = html.escape
    parts = [f"<!doctype html><html lang='en'><meta charset='utf-8'><title>mtarray diagnostics</title><style>{_STYLE}</style>"]
    parts.append("<h1>How kernels are built</h1>")
    for entry in found:
        parts.append(f"<h2>{say(entry['op'])}</h2>")
        if entry["kernels"]:
            parts.append("<h3>Kernels</h3><table><tr><th>layout<th>kernel<th>vectorised<th>chunks<th>driver<th>cache</tr>")
            for k in entry["kernels"]:
                state = f"{'compiled now' if k.compiled else 'read from disk'}{'' if k.cached else ', not on disk'}"
                work = f"{k.chunks} of {k.chunk}"
                cells = (k.layout, k.name, k.vectorization, work, f"{k.driver}, {k.threads} threads", state)
                parts.append(f"<tr>{''.join(f'<td>{say(c)}' for c in cells)}</tr>")
            parts.append("</table>")
            parts += [f"<details><summary>{say(k.name)}</summary><pre>{say(k.source.strip())}</pre></details>" for k in entry["kernels"]]
        loops = entry["loops"]
        if loops is not None:
            parts.append(
                f"<h3>To read: {say(loops.kind)} with prange</h3><pre>{say(str(loops))}</pre><pre>{say(loops.source.strip())}</pre>"
            )
            parts.append(f"<details><summary>Numba's report</summary><pre>{say(loops.text)}</pre></details>")
    return "\n".join(parts) + "\n</html>\n"


@click.command(
    help="How the kernels of each OP are built and run: source, driver and chunks, vectors as LLVM made them, cache; and the form with "
    'plain prange loops that kernel mode "prange" runs, with Numba\'s report of parallel loops, fusion and hoisted allocations. '
    "Without OP: the four forms, map, zip, reduce and matmul."
)
@click.argument("ops", metavar="[OP]...", nargs=-1)
@click.option("--dtype", metavar="DTYPE", help="Of the arrays that the op is run on; by default float32.")
@click.option("--kernels/--no-kernels", default=True, help="Whether to show the generated kernels.")
@click.option("--loops/--no-loops", default=True, help="Whether to show the prange form and Numba's report.")
@click.option("--source", is_flag=True, help="Show whole sources and reports too.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write everything as a page.")
def main(ops: tuple[str, ...], dtype: str | None, kernels: bool, loops: bool, source: bool, as_json: bool, html_file: Path | None) -> None:
    found = collect(ops or FORMS, dtype, kernels and bool(ops), loops or not ops)
    if html_file is not None:
        try:
            html_file.write_text(page(found), encoding="utf-8")
        except OSError as error:
            refuse(f"{html_file} cannot be written: {error.strerror}")
        click.echo(f"written: {html_file}", err=as_json)
    if as_json:
        write_json(
            [
                {
                    "op": entry["op"],
                    "kernels": [dataclasses.asdict(k) for k in entry["kernels"]],
                    "loops": None if entry["loops"] is None else dataclasses.asdict(entry["loops"]),
                }
                for entry in found
            ]
        )
    elif html_file is None:
        click.echo(text(found, source))
