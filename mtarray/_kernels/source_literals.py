"""Types of number literals in pasted source: those of the computation.

Numba reads `2.0` as float64 and `2` as int64 and promotes whatever meets them. Here they take the dtype of the operands, except
where integers count: in ranges, exponents, and arithmetic among integers.
"""

import ast

import numpy as np

from .source_reading import is_math


def literal_dtype(dtypes):
    """dtype that number literals take: of the floating operands when there are any, else of the integer ones, else None."""
    inexact = [d for d in dtypes if d.kind in "fc"]
    numbers = inexact or [d for d in dtypes if d.kind in "iu"]
    return np.result_type(*numbers) if numbers else None


def integer_names(node, dtypes, literal):
    """Names that hold integers although the computation is in floating point: loop counters, integer operands."""
    if literal is None or literal.kind not in "fc":
        return frozenset()
    integers = {a.arg for a, d in zip(node.args.args, dtypes, strict=False) if d.kind in "biu"}
    candidates, values = set(integers), {}
    for n in ast.walk(node):
        if isinstance(n, ast.For):
            candidates.add(n.target.id)
            values.setdefault(n.target.id, []).append(ast.Constant(0))
        elif isinstance(n, ast.Assign):
            for t in n.targets:
                for name in t.elts if isinstance(t, ast.Tuple) else [t]:
                    candidates.add(name.id)
                    values.setdefault(name.id, []).append(None if isinstance(t, ast.Tuple) else n.value)
        elif isinstance(n, ast.AugAssign):
            candidates.add(n.target.id)
            values.setdefault(n.target.id, []).append(ast.BinOp(n.target, n.op, n.value))
    counters = {n.target.id for n in ast.walk(node) if isinstance(n, ast.For)} | _range_names(node)
    while True:
        wrong = {c for c in candidates if any(v is None or not _is_integer(v, candidates) for v in values.get(c, ()))}
        if not wrong:
            break
        candidates -= wrong
    # A name set only from integer literals may still be a running value (`s = 0`): it is an integer when something counts with it.
    return frozenset((candidates & counters) | (candidates & integers) | {c for c in candidates if _counts(node, c)})


def _range_names(node):
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "range"]
    return {x.id for c in calls for a in c.args for x in ast.walk(a) if isinstance(x, ast.Name)}


def _counts(node, name):
    """Whether the name is only ever changed by integers and compared: `n = 0; while n < 9: n += 1`."""
    return any(isinstance(n, ast.AugAssign) and n.target.id == name for n in ast.walk(node))


def _is_integer(e, integers):
    if isinstance(e, ast.Constant):
        return type(e.value) in (int, bool)
    if isinstance(e, ast.Name):
        return e.id in integers
    if isinstance(e, ast.BinOp):
        return not isinstance(e.op, (ast.Div, ast.Pow)) and _is_integer(e.left, integers) and _is_integer(e.right, integers)
    if isinstance(e, ast.UnaryOp):
        return _is_integer(e.operand, integers)
    if isinstance(e, ast.IfExp):
        return _is_integer(e.body, integers) and _is_integer(e.orelse, integers)
    return isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id in ("int", "range")


class Literals(ast.NodeTransformer):
    """Cast number literals to the dtype of the computation; Numba would take float64 and int64 and promote everything."""

    def __init__(self, dtype, integers):
        self.dtype, self.integers = dtype, integers
        self.real = None if dtype is None else np.empty(0, dtype).real.dtype

    def literal(self, node, keep_int):
        v = node.value
        if self.dtype is None or type(v) is bool:
            return node
        if self.dtype.kind in "iu":
            info = np.iinfo(self.dtype)
            if type(v) is not int or not info.min <= v <= info.max or self.dtype == np.int64:
                return node
            return _cast(self.dtype, v, node)
        if type(v) is int:
            if keep_int:
                return node
            return _cast(self.real, float(v), node) if abs(v) <= 2**1023 else node
        return _cast(self.real if type(v) is float else np.result_type(self.dtype, np.complex64), v, node)

    def operand(self, node, keep_int):
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            node = ast.copy_location(ast.Constant(-node.operand.value), node)
        if isinstance(node, ast.Constant):
            return self.literal(node, keep_int)
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == "np":
            return _wrap(self.real, node) if self.real is not None and self.real == np.float32 else node
        return self.visit(node)

    def together(self, nodes):
        """Operands of one operation: integer literals stay integers when everything beside them is an integer."""
        integer = [_is_integer(n, self.integers) for n in nodes]
        keep = all(integer) and any(not isinstance(n, ast.Constant) for n in nodes)
        done = [self.operand(n, keep) for n in nodes]
        if keep or self.real is None or self.real != np.float32:
            return done
        # Numba makes float64 of float32 with a counter: the counter is converted first.
        return [
            _wrap(self.real, d) if i and isinstance(n, (ast.Name, ast.BinOp)) else d for n, d, i in zip(nodes, done, integer, strict=True)
        ]

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Pow) and _is_integer(node.right, self.integers):
            node.left = self.operand(node.left, _is_integer(node.left, self.integers))
            return node  # an integer exponent becomes multiplications
        node.left, node.right = self.together([node.left, node.right])
        return node

    def visit_Compare(self, node):
        node.left, *node.comparators = self.together([node.left, *node.comparators])
        return node

    def visit_IfExp(self, node):
        node.test = self.operand(node.test, True)
        node.body, node.orelse = self.together([node.body, node.orelse])
        return node

    def visit_Call(self, node):
        if isinstance(node.func, ast.Name) and node.func.id in ("range", "int"):
            node.args = [self.operand(a, True) for a in node.args]
        elif node.args and is_math(node.func) and node.func.attr == "ldexp":
            node.args = [self.operand(node.args[0], False)] + [self.operand(a, True) for a in node.args[1:]]
        else:
            node.args = [self.operand(a, False) for a in node.args]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "conjugate":
            node.func.value = self.operand(node.func.value, False)
        return node

    def visit_Assign(self, node):
        name = node.targets[0]
        keep = isinstance(name, ast.Name) and name.id in self.integers
        node.value = self.operand(node.value, keep)
        return node

    def visit_AugAssign(self, node):
        node.value = self.operand(node.value, node.target.id in self.integers)
        return node

    def visit_Return(self, node):
        node.value = self.operand(node.value, False)
        return node

    def visit_Tuple(self, node):
        node.elts = [self.operand(n, False) for n in node.elts]
        return node

    def visit_Constant(self, node):
        return self.literal(node, False)

    def visit_While(self, node):
        if not isinstance(node.test, ast.Constant):
            node.test = self.visit(node.test)
        node.body = [self.visit(s) for s in node.body]
        node.orelse = [self.visit(s) for s in node.orelse]
        return node


def _wrap(dtype, expression):
    return ast.copy_location(ast.Call(ast.Attribute(ast.Name("np", ast.Load()), dtype.name, ast.Load()), [expression], []), expression)


def _cast(dtype, value, like):
    constant = ast.copy_location(ast.Constant(value), like)
    return constant if dtype in (np.float64, np.complex128) else _wrap(dtype, constant)
