"""Pieces of the syntax of scalar functions: expressions that simplify as they are made, and bodies without what nothing needs.

Nothing here changes a piece that it was given: they may stand in several places.
"""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .._kernels.source_reading import clone

Expression = Any  # ast.expr; tangents are None where they are 0


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def assign(name: str, e: Expression) -> ast.Assign:
    return ast.Assign([ast.Name(name, ast.Store())], e)


def call(name: str, operands: Sequence[Expression]) -> ast.Call:
    return ast.Call(load(name), list(operands), [])


def define(name: str, operands: Iterable[str], body: list[Any]) -> ast.FunctionDef:
    arguments = ast.arguments([], [ast.arg(o) for o in operands], None, [], [], None, [])
    node = ast.FunctionDef(name, arguments, body, [])
    node.type_params = []  # type: ignore[attr-defined]
    return node


def number(e: Expression) -> Any:
    """The value of a literal, or None."""
    if isinstance(e, ast.Constant):
        return e.value
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub) and isinstance(e.operand, ast.Constant):
        value: Any = e.operand.value
        return -value
    return None


def negative(e: Expression) -> Expression:
    if e is None:
        return None
    if isinstance(e, ast.Constant):
        value: Any = e.value
        return ast.Constant(-value)
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        return e.operand
    return ast.UnaryOp(ast.USub(), e)


def same(a: Expression, b: Expression) -> bool:
    """Whether two expressions are written alike."""
    if a.__class__ is not b.__class__:
        return False
    if isinstance(a, ast.AST):
        return all(same(getattr(a, f, None), getattr(b, f, None)) for f in a._fields)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def plus(a: Expression, b: Expression) -> Expression:
    if a is None or b is None:
        return b if a is None else a
    if number(a) is not None and number(b) is not None:
        return ast.Constant(number(a) + number(b))
    if same(a, b):
        return times(ast.Constant(2.0), a)
    if isinstance(b, ast.UnaryOp) and isinstance(b.op, ast.USub):
        return ast.BinOp(a, ast.Sub(), b.operand)
    factor = number(b.left) if isinstance(b, ast.BinOp) and isinstance(b.op, ast.Mult) else None
    if isinstance(factor, float) and factor < 0:
        return ast.BinOp(a, ast.Sub(), times(ast.Constant(-factor), b.right))
    return ast.BinOp(a, ast.Add(), b)


def times(a: Expression, b: Expression) -> Expression:
    """Products, a number first; 0 is None."""
    if a is None or b is None or number(a) == 0 or number(b) == 0:
        return None
    if number(b) is not None:
        a, b = b, a
    n = number(a)
    if n is None:
        return ast.BinOp(a, ast.Mult(), b)
    if n in (1, -1):
        return b if n == 1 else negative(b)
    if number(b) is not None:
        return ast.Constant(n * number(b))
    if isinstance(b, ast.BinOp) and isinstance(b.op, ast.Mult) and number(b.left) is not None:
        return times(ast.Constant(n * number(b.left)), b.right)
    return ast.BinOp(a, ast.Mult(), b)


def over(a: Expression, b: Expression) -> Expression:
    if a is None or number(b) == 1:
        return a
    if number(a) is not None and number(b):
        return ast.Constant(number(a) / number(b))
    return ast.BinOp(a, ast.Div(), b)


def or_zero(e: Expression) -> Expression:
    return ast.Constant(0.0) if e is None else e


def filled(template: str, values: dict[str, Expression]) -> Expression:
    """The expression of a template, its names replaced."""

    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> Expression:
            return values.get(node.id, node)

    return Fill().visit(ast.parse(template, mode="eval").body)


def callee(e: Expression) -> str:
    """What a call calls: a name, `math.name`, `.method`; "" if it is no call."""
    if not isinstance(e, ast.Call):
        return ""
    f = e.func
    if isinstance(f, ast.Name):
        return f.id
    if isinstance(f, ast.Attribute):
        return f"{f.value.id}.{f.attr}" if isinstance(f.value, ast.Name) and f.value.id in ("math", "np") else f".{f.attr}"
    return ""


def is_short(e: Expression) -> bool:
    """Whether it is -x, or a variable with a number."""
    if isinstance(e, ast.UnaryOp):
        return isinstance(e.op, ast.USub) and isinstance(e.operand, ast.Name)
    if not isinstance(e, ast.BinOp) or not isinstance(e.op, (ast.Add, ast.Sub, ast.Mult)):
        return False
    a, b = (e.left, e.right) if isinstance(e.left, ast.Name) else (e.right, e.left)
    return isinstance(a, ast.Name) and number(b) is not None


def has_calls(e: Expression) -> bool:
    return any(isinstance(n, ast.Call) for n in ast.walk(e))


def is_outside(e: ast.Attribute) -> bool:
    return isinstance(e.value, ast.Name) and e.value.id in ("np", "math")


# ---------------------------------------------------------------------- leaving out


def names_in(e: Any) -> set[str]:
    return {n.id for n in ast.walk(e) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def pruned(body: list[Any], temporaries: set[str]) -> list[Any]:
    """A function's body without what its results do not need."""
    size = -1
    nodes = [n for s in body for n in ast.walk(s)]
    while size != len(nodes):
        size = len(nodes)
        body = _without(body, _live(nodes))
        nodes = [n for s in body for n in ast.walk(s)]
    counts = Counter(n.id for n in nodes if isinstance(n, ast.Name))
    return _inlined(body, {t for t in temporaries if counts[t] == 2})


def _live(nodes: list[Any]) -> set[str]:
    """The variables that results and conditions need."""
    live: set[str] = set()
    waiting: list[tuple[list[str], set[str]]] = []
    for n in nodes:
        if isinstance(n, (ast.Assign, ast.AugAssign)):
            waiting += [(targets, names_in(e)) for targets, e in _pairs(n)]
        elif isinstance(n, ast.Return):
            live |= names_in(n.value)
        elif isinstance(n, (ast.If, ast.While)):
            live |= names_in(n.test)
        elif isinstance(n, ast.For):
            live |= names_in(n.iter)
    size = -1
    while size != len(live):
        size = len(live)
        for targets, needs in waiting:
            if not live.isdisjoint(targets):
                live |= needs
    return live


def _inlined(body: list[Any], once: set[str]) -> list[Any]:
    """A body in which a variable that only the next statement uses, and once, gives way to its value."""
    made: list[Any] = []
    for s in reversed(body):
        if isinstance(s, ast.If):
            s = ast.If(s.test, _inlined(s.body, once), _inlined(s.orelse, once))
        elif isinstance(s, ast.For):
            s = ast.For(s.target, s.iter, _inlined(s.body, once), _inlined(s.orelse, once))
        elif isinstance(s, ast.While):
            s = ast.While(s.test, _inlined(s.body, once), _inlined(s.orelse, once))
        elif isinstance(s, ast.Assign) and made and isinstance(made[-1], (ast.Assign, ast.Return)):
            (name,) = targets_of(s)[:1]
            if name in once and isinstance(s.targets[0], ast.Name) and name in names_in(made[-1]):
                made[-1] = _Replaced(name, s.value).visit(clone(made[-1]))
                continue
        made.append(s)
    return made[::-1]


class _Replaced(ast.NodeTransformer):
    def __init__(self, name: str, value: Expression) -> None:
        self.name, self.value = name, value

    def visit_Name(self, node: ast.Name) -> Expression:
        return self.value if node.id == self.name and isinstance(node.ctx, ast.Load) else node


def _pairs(n: Any) -> list[tuple[list[str], Any]]:
    """(targets, value) of an assignment; of a tuple of values one for each."""
    if isinstance(n, ast.AugAssign):
        return [(sorted(stored(n)), n.value)]
    if len(n.targets) == 1 and isinstance(n.targets[0], ast.Tuple) and isinstance(n.value, ast.Tuple):
        return [([t], e) for t, e in zip(targets_of(n), n.value.elts)]
    return [(targets_of(n), n.value)]


def stored(e: Any) -> set[str]:
    """The names that a statement assigns to."""
    return {n.id for n in ast.walk(e) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def targets_of(n: ast.Assign) -> list[str]:
    """The names that an assignment assigns to."""
    targets: list[Any] = n.targets
    return [t.id for target in targets for t in getattr(target, "elts", [target])]


def _without(body: list[Any], live: set[str]) -> list[Any]:
    kept: list[Any] = []
    for s in body:
        if isinstance(s, ast.Assign):
            pairs = [
                (targets, e)
                for targets, e in _pairs(s)
                if live.intersection(targets) and not (isinstance(e, ast.Name) and targets == [e.id])
            ]
            if not pairs:
                continue
            if len(pairs) < len(_pairs(s)):
                if len(pairs) == 1:
                    s = assign(pairs[0][0][0], pairs[0][1])
                else:
                    left = ast.Tuple([ast.Name(t, ast.Store()) for (t,), _ in pairs], ast.Store())
                    s = ast.Assign([left], ast.Tuple([e for _, e in pairs], ast.Load()))
        elif isinstance(s, ast.AugAssign):
            if s.target.id not in live:  # type: ignore[union-attr]
                continue
        elif isinstance(s, ast.Pass):
            continue
        elif isinstance(s, ast.If):
            first, second = _without(s.body, live), _without(s.orelse, live)
            if not first and not second:
                continue
            s = ast.If(s.test, first or [ast.Pass()], second)
        elif isinstance(s, ast.For):
            inside, after = _without(s.body, live), _without(s.orelse, live)
            if not inside and not after and s.target.id not in live:  # type: ignore[attr-defined]
                continue
            s = ast.For(s.target, s.iter, inside or [ast.Pass()], after)
        elif isinstance(s, ast.While):
            s = ast.While(s.test, _without(s.body, live) or [ast.Pass()], _without(s.orelse, live))
        kept.append(s)
    return kept


def constant(node: ast.FunctionDef) -> Any:
    """The number that a function returns whatever its operands, or None."""
    (*before, last) = node.body
    return number(last.value) if not before and isinstance(last, ast.Return) and math.isfinite(abs(number(last.value) or 0)) else None
