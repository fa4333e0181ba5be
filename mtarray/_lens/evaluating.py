"""What a user types into a page: evaluated with mtarray's names, and errors as one line."""

from __future__ import annotations

import ast
from typing import Any

import mtarray as xp


class Mistyped(ValueError):
    """What was typed cannot be evaluated; the text says why, in one line."""


def shape(text: str) -> tuple[int, ...]:
    """A shape as typed: `4, 6`, `(4, 6)` or nothing for 0-d."""
    try:
        out = tuple([int(n) for n in text.strip().strip("()[]").replace("×", ",").replace("x", ",").split(",") if n.strip()])
    except ValueError:
        raise Mistyped(f"a shape is integers with commas between, like 4, 6; got {text!r}") from None
    if any(n < 0 for n in out):
        raise Mistyped(f"a shape has no negative lengths; got {text!r}")
    return out


def expression(text: str, **names: Any) -> Any:
    """The value of an expression of `names`, of `xp` and of its functions."""
    try:
        return eval(compile(ast.parse(text.strip(), mode="eval"), "<typed>", "eval"), {"xp": xp, **names})
    except Exception as error:
        raise Mistyped(f"{type(error).__name__}: {error}") from error
