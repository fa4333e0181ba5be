"""An expression's graph with values and gradients, stepped through backwards."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mtarray as xp

from . import evaluating

DEFAULT = "xp.tanh(w * x + b) ** 2"
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@", ast.Mod: "%", ast.FloorDiv: "//"}


@dataclass
class Step:
    """One operation: its name (`v3`), what it is called in the expression, how it computes from earlier ones, its value.

    gradient: of the result by this value; partials: by each operand that is a step, the derivative of this value, if both are numbers.
    """

    name: str
    text: str
    compute: Callable[..., Any] | None
    operands: list[str]
    value: xp.Array
    gradient: xp.Array | None = None
    partials: dict[str, float] = field(default_factory=dict)


def steps(text: str, variables: dict[str, xp.Array]) -> list[Step]:
    """The operations of an expression in the order in which they are computed, variables first; the last is the result.

    Mistyped for what is no expression of operators, numbers, `xp` functions of positional operands, and the variables.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise evaluating.Mistyped(f"SyntaxError: {error.msg}") from None
    found: dict[str, Step] = {}

    def made(name: str, told: str, compute: Callable[..., Any] | None, operands: list[Any]) -> str:
        values = [found[o].value if isinstance(o, str) else o for o in operands]
        if compute is None:
            value = variables[told]
        else:
            constants = [None if isinstance(o, str) else o for o in operands]
            function = compute

            def on(*args: Any) -> Any:
                given = iter(args)
                return function(*[next(given) if c is None else c for c in constants])

            try:
                value = compute(*values)
            except Exception as error:
                raise evaluating.Mistyped(f"{told}: {type(error).__name__}: {error}") from error
            if not isinstance(value, xp.Array):
                raise evaluating.Mistyped(f"{told} gives a {type(value).__name__}, not an array")
            found[name] = Step(name, told, on, [o for o in operands if isinstance(o, str)], value)
            return name
        found[name] = Step(name, told, None, [], value)
        return name

    def visit(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.Name) and node.id in variables:
            return next((s.name for s in found.values() if s.text == node.id and s.compute is None), None) or made(
                node.id, node.id, None, []
            )
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = visit(node.operand)
            return -inner if not isinstance(inner, str) else made(f"v{len(found)}", f"-{inner}", lambda x: -x, [inner])
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            sign = _OPERATORS[type(node.op)]
            left, right = visit(node.left), visit(node.right)
            if not isinstance(left, str) and not isinstance(right, str):
                return evaluating.expression(f"{left!r} {sign} {right!r}")
            compute = eval(f"lambda a, b: a {sign} b")
            return made(f"v{len(found)}", f"{left} {sign} {right}", compute, [left, right])
        if isinstance(node, ast.Call) and not node.keywords:
            told = ast.unparse(node.func)
            function = evaluating.expression(told)
            operands = [visit(a) for a in node.args]
            return made(f"v{len(found)}", f"{told.removeprefix('xp.')}({', '.join(map(str, operands))})", function, operands)
        raise evaluating.Mistyped(
            f"{ast.unparse(node)!r} is none of the variables {', '.join(variables)}, numbers, operators, xp functions"
        )

    top = visit(tree.body)
    if not isinstance(top, str):
        raise evaluating.Mistyped("the expression uses none of the variables")
    out = list(found.values())
    _differentiate(out, top)
    return out


def _differentiate(out: list[Step], top: str) -> None:
    """The gradient of the (sum of the) result by every step, and the numbers on the graph's edges."""
    last = next(i for i, s in enumerate(out) if s.name == top)
    for k, step in enumerate(out[: last + 1]):
        if step.value.dtype.kind != "f":
            continue

        def rest(t: xp.Array, k: int = k) -> xp.Array:
            values = {s.name: s.value for s in out}
            values[out[k].name] = t
            for s in out[k + 1 : last + 1]:
                if s.compute is not None:
                    values[s.name] = s.compute(*[values[o] for o in s.operands])
            return xp.sum(values[top])

        step.gradient = xp.grad(rest)(step.value)
        for i, operand in enumerate(step.operands):
            given = [next(s.value for s in out if s.name == o) for o in step.operands]
            if step.compute is not None and given[i].ndim == 0 and step.value.ndim == 0:
                slope = float(xp.grad(step.compute, argnums=i)(*given))
                step.partials[operand] = step.partials.get(operand, 0.0) + slope


def told(x: xp.Array) -> str:
    """A value in few characters."""
    return f"{float(x):.4g}" if x.ndim == 0 else f"shape {x.shape}, sum {float(xp.sum(x)):.4g}"


def dot(out: list[Step], shown: int) -> str:
    """Graphviz source. shown: operations, counted from the result backwards, whose gradient is known already."""
    lines = [
        "digraph {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fillcolor=white, fontname="monospace", fontsize=11];',
    ]
    known = {s.name for s in out[len(out) - shown :]}
    for i, s in enumerate(out):
        label = f"{s.text}\n= {told(s.value)}"
        colour = ""
        if s.name in known and s.gradient is not None:
            label += f"\ngradient {told(s.gradient)}"
            colour = ', fillcolor="#ffd866"' if i == len(out) - shown else ', fillcolor="#d5ecc2"'
        shape = ', shape=ellipse, style="filled"' if s.compute is None else ""
        lines.append(f"  {s.name} [label={_quoted(label)}{shape}{colour}];")
        for operand in dict.fromkeys(s.operands):
            slope = s.partials.get(operand)
            passed = f' [label="×{slope:.3g}"]' if slope is not None and s.name in known else ""
            lines.append(f"  {operand} -> {s.name}{passed};")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def page() -> None:
    """The page."""
    import streamlit as st

    st.title("A recorded graph, stepped through backwards")
    st.write("Each box is an operation with its value. A step back carries the gradient of the result one operation further.")
    a, b = st.columns([2, 2])
    text = a.text_input("expression", DEFAULT)
    given = b.text_input("variables", "w=0.5, x=2.0, b=-0.3")
    try:
        variables = read(given)
        out = steps(text, variables)
    except evaluating.Mistyped as error:
        st.error(str(error))
        return
    key = f"step {text} {given}"
    st.session_state.setdefault(key, 0)
    c, d, e, _ = st.columns([1, 1, 1, 3])
    if c.button("Step back", type="primary", disabled=st.session_state[key] >= len(out)):
        st.session_state[key] += 1
        st.rerun()
    if d.button("All the way"):
        st.session_state[key] = len(out)
        st.rerun()
    if e.button("From the start"):
        st.session_state[key] = 0
        st.rerun()
    done = st.session_state[key]
    st.graphviz_chart(dot(out, done), width="stretch")
    st.dataframe(
        {
            "operation": [s.text for s in reversed(out)],
            "value": [told(s.value) for s in reversed(out)],
            "gradient of the result": [
                told(s.gradient) if s.gradient is not None and i < done else "" for i, s in enumerate(reversed(out))
            ],
        },
        width="stretch",
    )
    with st.expander("What the tape recorded (autodiff.draw)"):
        st.code(recorded(text, variables), language=None)


def read(given: str) -> dict[str, xp.Array]:
    """Variables as typed: `w=0.5, x=[1, 2]`."""
    try:
        call = ast.parse(f"f({given})", mode="eval").body
        assert isinstance(call, ast.Call)
        assert not call.args
        values = {str(k.arg): evaluating.expression(ast.unparse(k.value)) for k in call.keywords}
        return {name: xp.asarray(v, dtype=xp.float64) for name, v in values.items()}
    except (SyntaxError, AssertionError, TypeError, ValueError):
        raise evaluating.Mistyped(f"variables are given like w=0.5, x=[1, 2]; got {given!r}") from None


def recorded(text: str, variables: dict[str, xp.Array]) -> str:
    """What `autodiff.draw` tells of the expression."""
    told = []

    def f(*values: xp.Array) -> xp.Array:
        y = evaluating.expression(text, **dict(zip(variables, values)))
        told.append(str(xp.autodiff.draw(y)))
        return xp.sum(y)

    xp.grad(f, argnums=tuple(range(len(variables))))(*variables.values())
    return told[0]
