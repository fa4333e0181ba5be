"""What a reduction or scan does with two values: which of the fast templates a combining function has, and its source.

A combine is a name (`add`, `mul`, `max`, `min`, `and`, `or`), the source text of a two-argument scalar function, or a `Scalar`.
A function whose whole body is one of the six operations (`return a + b`) is recognised and gets that template. Every other one
is compiled as it stands; it must be associative, and for reductions commutative, since blocks are combined in an order of ours.
"""

import ast
from functools import lru_cache

import numpy as np

NAMES = ("add", "mul", "max", "min", "and", "or")
_OPERATORS = {ast.Add: "add", ast.Mult: "mul"}
_LOGICAL = {ast.BitAnd: "and", ast.BitOr: "or"}  # of `a != 0` and `b != 0`
_CALLS = {"maximum": "max", "minimum": "min", "fmaximum": "max", "fminimum": "min", "logical_and": "and", "logical_or": "or"}


class Combine:
    """`kind`: one of NAMES, or "" for a function of the user's; then `source(dtype)` defines `combine`."""

    def __init__(self, kind, origin=None):
        self.kind = kind
        self.origin = origin

    def source(self, dtype):
        """Prelude that defines the Numba function `combine` on two values of `dtype`."""
        if isinstance(self.origin, str):
            return _decorated(self.origin)
        return self.origin.paste("combine", (dtype, dtype))

    def python(self):
        """The same function for plain Python loops."""
        if self.kind:
            return _PYTHON[self.kind]
        if not isinstance(self.origin, str):
            return self.origin.python
        scope = {}
        exec(compile(ast.parse(self.origin), "<combine>", "exec"), scope)  # the caller's own function
        return scope[_definition(self.origin).name]


def _propagating(better):
    def pick(a, b):
        if a != a:
            return a
        return a if better(a, b) or a == b else b

    return pick


_PYTHON = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": _propagating(lambda a, b: a > b),
    "min": _propagating(lambda a, b: a < b),
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
}


@lru_cache(maxsize=512)
def as_combine(combine):
    """`Combine` for a name, a source text or a `Scalar` (anything with `paste`)."""
    if isinstance(combine, Combine):
        return combine
    if isinstance(combine, str):
        if combine in NAMES:
            return Combine(combine)
        return Combine(_recognise(combine), combine)
    if hasattr(combine, "paste"):
        return Combine(_recognise(combine.paste("combine", (np.float64, np.float64))), combine)
    raise TypeError(f"combine must be one of {NAMES}, the source of a function, or a Scalar; got {type(combine).__name__}")


def _definition(source):
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    if not functions:
        raise ValueError(f"combine source defines no function: {source!r}")
    function = functions[-1]  # helpers stand before their callers
    if len(function.args.args) != 2:
        raise ValueError(f"combine function {function.name} takes {len(function.args.args)} arguments, not 2")
    return function


def _recognise(source):
    """Kind of the function in `source` when its body is exactly one known operation on its two arguments, else ""."""
    function = _definition(source)
    first, second = (a.arg for a in function.args.args)
    own = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if len(body) != 1 or not isinstance(body[0], ast.Return):
        return ""
    value = body[0].value

    def operands(left, right):
        return isinstance(left, ast.Name) and isinstance(right, ast.Name) and {left.id, right.id} == {first, second}

    if isinstance(value, ast.BinOp) and type(value.op) in _OPERATORS and operands(value.left, value.right):
        return _OPERATORS[type(value.op)]
    if isinstance(value, ast.BinOp) and type(value.op) in _LOGICAL and operands(_tested(value.left), _tested(value.right)):
        return _LOGICAL[type(value.op)]
    if isinstance(value, ast.Call) and len(value.args) == 2 and not value.keywords and operands(*value.args):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return "" if name in own else _CALLS.get(name, "")
    return ""


def _tested(node):
    """What the comparison `x != 0` tests, None for any other expression."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.NotEq):
        zero = node.comparators[0]
        if isinstance(zero, ast.Constant) and zero.value == 0:
            return node.left
    return None


def _decorated(source):
    """The source with every function compiled and the last one called `combine`."""
    main = _definition(source).name
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [ast.parse("_njit(forceinline=True, error_model='numpy')").body[0].value]
    return f"from numba import njit as _njit\n{ast.unparse(tree)}\ncombine = {main}\n"
