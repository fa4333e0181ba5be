"""`mtarray info`: what a bug report needs."""

from __future__ import annotations

import click

from .. import diagnostics
from .output import console, table, write_json


@click.command(help="Versions, devices, threads, the memory pool, the kernel cache and the settings: what a bug report needs.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def main(as_json: bool) -> None:
    facts = diagnostics.configuration()
    if as_json:
        write_json(facts)
        return
    rows = table("", "")
    rows.show_header = False
    for title, fact in facts.items():
        if isinstance(fact, dict):
            for i, (name, value) in enumerate(fact.items()):
                rows.add_row(f"[bold]{title}[/]" if i == 0 else "", f"{name}: {value}")
        else:
            rows.add_row(f"[bold]{title}[/]", ", ".join(fact) if isinstance(fact, list) else str(fact))
    console().print(rows)
