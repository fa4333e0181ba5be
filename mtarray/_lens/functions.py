"""A scalar function as typed: the op that it becomes, its derivatives plotted, its kernel and its derivative's source."""

from __future__ import annotations

import ast
import itertools
import linecache
import math
from typing import Any

import numpy as np

import mtarray as xp

from . import evaluating

EXAMPLES = {
    "a bump": "def bump(x):\n    if x * x < 1:\n        return math.exp(-1 / (1 - x * x))\n    return 0.0\n",
    "softplus": "def softplus(x):\n    return math.log1p(math.exp(-abs(x))) + max(x, 0.0)\n",
    "a square root by Newton": (
        "def root(x):\n    a = abs(x) + 0.1\n    y = a\n    for _ in range(6):\n        y = 0.5 * (y + a / y)\n    return y\n"
    ),
    "damped": "def damped(x):\n    return math.exp(-0.3 * x * x) * math.sin(4 * x)\n",
}
_serial = itertools.count()


def declared(source: str) -> Any:
    """The op made of the one function that is defined in `source`. Mistyped with the line and the reason if it cannot be."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise evaluating.Mistyped(f"line {error.lineno}: {error.msg}") from None
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    if not defined:
        raise evaluating.Mistyped("there is no function: write def f(x): ...")
    name = f"<typed {next(_serial)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # where the kernel generator reads it
    names: dict[str, Any] = {"math": math, "xp": xp, "__name__": "typed"}
    try:
        exec(compile(tree, name, "exec"), names)
        op: Any = xp.elementwise(names[defined[-1]])
    except Exception as error:
        raise evaluating.Mistyped(f"{type(error).__name__}: {error}") from error
    if op.op.nin != 1 or op.op.nout != 1:
        raise evaluating.Mistyped(f"{defined[-1]} takes {op.op.nin} numbers and returns {op.op.nout}; one of each can be plotted")
    return op


def curves(op: Any, low: float, high: float, count: int = 400) -> dict[str, np.ndarray[Any, Any]]:
    """x, and the function with its first and second derivative there."""
    x = xp.linspace(low, high, count)
    first = xp.grad(lambda x: xp.sum(op(x)))
    second = xp.grad(lambda x: xp.sum(first(x)))
    return {name: np.asarray(a) for name, a in (("x", x), ("f", op(x)), ("f′", first(x)), ("f″", second(x)))}


def figure(found: dict[str, np.ndarray[Any, Any]]) -> Any:
    """The curves, one above the other."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7, 6), layout="constrained")
    axes = fig.subplots(3, 1, sharex=True)
    for ax, name, colour in zip(axes, ("f", "f′", "f″"), ("#1f5fa8", "#c8552b", "#2f8f5b")):
        ax.plot(found["x"], found[name], color=colour)
        ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        ax.set_ylabel(name)
    axes[-1].set_xlabel("x")
    return fig


def page() -> None:
    """The page."""
    import streamlit as st

    st.title("A scalar function is an op")
    st.write("Arithmetic, `math`, comparisons, branches, loops and locals. Its derivative is derived from the source, to any order.")
    left, right = st.columns([1, 1])
    example = left.selectbox("start from", list(EXAMPLES))
    source = left.text_area("function", EXAMPLES[example], height=190)
    low, high = left.slider("interval", -8.0, 8.0, (-3.0, 3.0))
    try:
        op = declared(source)
        with st.spinner("compiling"):
            found = curves(op, low, high)
        kernel, derivative = op.source("cpu"), op.source("derivative")
    except evaluating.Mistyped as error:
        left.error(str(error))
        return
    except TypeError as error:
        left.error(f"TypeError: {error}")
        return
    right.pyplot(figure(found), width="stretch")
    one, two = st.columns(2)
    one.subheader("Its derivative, as derived")
    one.code(derivative, language="python")
    two.subheader("Its kernel, as generated")
    two.code(kernel, language="python")
