"""`mtarray explain "EXPR"`: what serves each op of an expression."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

import mtarray as xp

from .. import diagnostics
from .group import Refused, refuse
from .output import write_json


def variable(text: str) -> tuple[str, Any]:
    """(name, array) of `x=float32:1000x1000`, filled with numbers that are the same each time; `x=float32:` is 0-d, `x=2.5` a number."""
    name, equals, form = text.partition("=")
    if not equals or not name.isidentifier():
        refuse(f"--var {text}: expected NAME=DTYPE:SHAPE, as in x=float32:1000x1000, or NAME=NUMBER")
    if ":" not in form:
        try:
            return name, float(form) if any(c in form for c in ".einf") else int(form)
        except ValueError:
            refuse(f"--var {text}: {form!r} is neither DTYPE:SHAPE nor a number")
    kind, _, sizes = form.partition(":")
    try:
        shape = tuple(int(n) for n in sizes.split("x")) if sizes else ()
        if any(n < 0 for n in shape):
            raise ValueError
    except ValueError:
        refuse(f"--var {text}: {sizes!r} is not a shape; write sizes with x between them, as in 1000x1000")
    kinds = list(xp.__array_namespace_info__().dtypes())
    if kind not in kinds:
        refuse(f"--var {text}: {kind!r} is not a dtype; those are {', '.join(kinds)}")
    dtype = getattr(xp, kind)
    random = xp.random.default_rng(0)
    if kind == "bool" or "int" in kind:
        return name, xp.astype(random.integers(0, 2 if kind == "bool" else 10, size=shape), dtype)
    return name, xp.astype(random.random(size=shape), dtype)


@click.command(
    help="Evaluate EXPR and tell what served each op of it and why: NumPy's loop or which kernel, bytes moved, copies, whether the tape "
    "has it, time. Its names are `xp` and the variables that are given.",
    epilog="""Example: mtarray explain "xp.sum(x * y.T, axis=0)" --var x=float32:1000x1000 --var y=float32:1000x1000""",
)
@click.argument("expression", metavar="EXPR")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=DTYPE:SHAPE", help="A variable, as in x=float32:1000x1000; or NAME=NUMBER."
)
@click.option("--track", multiple=True, metavar="NAME", help="Have the tape record what is done with this variable.")
@click.option("--cold", is_flag=True, help="Evaluate once only, with the compilation of kernels in the times.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def main(expression: str, variables: tuple[str, ...], track: tuple[str, ...], cold: bool, as_json: bool) -> None:
    values = dict(map(variable, variables))
    for name in track:
        if name not in values:
            refuse(f"--track {name}: there is no --var {name}=...")
        try:
            values[name].requires_grad = True
        except (TypeError, AttributeError) as error:
            refuse(f"--track {name}: {error}")
    if "xp" in values or "what" in values or "warm" in values:
        refuse("a variable cannot be called xp, what or warm")
    try:
        found = diagnostics.explain(expression, warm=not cold, **values)
    except Exception as error:  # whatever the user's expression raises is the user's to read
        raise Refused(f"{expression}: {type(error).__name__}: {error}") from error
    if as_json:
        write_json(dataclasses.asdict(found))
    else:
        click.echo(str(found))
