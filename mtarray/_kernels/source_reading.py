"""Read a scalar function: find its definition, check that it can be compiled, resolve what it takes from outside.

What comes out is a syntax tree in which captured numbers are literals, every mathematical function is `math.<name>` and every
helper is a name of a tree read before.
"""

import ast
import builtins
import cmath
import functools
import linecache
import math as _pymath
import types

import numpy as np

from .source_math import REFERENCE, SCALARLIB, has_function

_CONSTANTS = {"pi": _pymath.pi, "e": _pymath.e, "tau": _pymath.tau, "inf": _pymath.inf, "nan": _pymath.nan}
_BUILTINS = frozenset({"abs", "bool", "complex", "divmod", "float", "int", "max", "min", "pow", "range", "round"})
_TYPES = frozenset(
    ["bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]
)
# NumPy's names of functions that `math` has under another name; the rest are spelled alike.
_NUMPY_NAMES = {
    **{"arc" + name: "a" + name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": "atan2",
    "power": "pow",
    "absolute": "fabs",
    "mod": "remainder",
}
_SPELLED = {"pow": (ast.Pow(),), "divmod": (ast.FloorDiv(), ast.Mod())}  # builtins of two operands that are operators
_STATEMENTS = (ast.Return, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.While, ast.Pass, ast.Break, ast.Continue)
_EXPRESSIONS = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Tuple, ast.Attribute)
_SYNTAX = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context, ast.arguments, ast.arg, ast.FunctionDef)
_REASONS = {
    "Subscript": "it indexes something; a scalar function sees one element at a time",
    "Lambda": "it makes a function while it runs; define that function outside",
    "Raise": "it raises; return NaN or check the arguments before the call",
    "Assert": "it asserts; check the arguments before the call",
    "Try": "it handles exceptions, which kernels do not have",
    "List": "it builds a list",
    "Dict": "it builds a dict",
    "Set": "it builds a set",
    "JoinedStr": "it builds a string",
    "Import": "it imports while it runs; import outside the function",
    "ImportFrom": "it imports while it runs; import outside the function",
    "Global": "it writes globals; a scalar function must not have side effects",
    "Nonlocal": "it writes captured variables; a scalar function must not have side effects",
    "Yield": "it is a generator",
    "YieldFrom": "it is a generator",
    "Await": "it is a coroutine",
    "Expr": "it computes a value and drops it; a scalar function must not have side effects",
}


def clone(tree):
    """A copy of a syntax tree (many times faster than `copy.deepcopy`)."""
    if isinstance(tree, list):
        return [clone(n) for n in tree]
    if not isinstance(tree, ast.AST) or not tree._fields:
        return tree
    made = tree.__class__.__new__(tree.__class__)  # its __init__ would ask for the fields
    made.__dict__.update({k: clone(v) for k, v in tree.__dict__.items()})
    return made


class _Unit:
    """One function to paste: its checked AST, in which constants are literals and every mathematical function is `math.<name>`."""

    __slots__ = ("function", "math_names", "name", "node")

    def __init__(self, function, name, node, math_names):
        self.function, self.name, self.node, self.math_names = function, name, node, math_names


def name_of(function):
    return getattr(function, "__qualname__", None) or repr(function)


def refuse(function, node, reason):
    code = getattr(function, "__code__", None)
    where = f" ({code.co_filename}:{getattr(node, 'lineno', code.co_firstlineno)})" if code else ""
    raise TypeError(f"cannot compile the scalar function {name_of(function)}{where}: {reason}")


def read(function, units, active):
    """Add `function` and what it calls to `units` (function -> _Unit); returns its _Unit."""
    if not isinstance(function, types.FunctionType):
        refuse(function, None, f"it is not a plain Python function but a {type(function).__name__}")
    if function in units:  # not its code: closures share that, with other constants
        return units[function]
    if function in active:
        refuse(function, None, "it calls itself, directly or through its helpers")
    active.append(function)
    node = _definition(function)
    resolver = _Resolver(function, units, active)
    node.body = [resolver.visit(s) for s in node.body]
    _check_returns(function, node)
    active.pop()
    # Helpers of one name may come from different modules: the position keeps them apart.
    name = f"_{len(units)}_{function.__name__ if function.__name__.isidentifier() else 'lambda'}"
    unit = units[function] = _Unit(function, name, node, frozenset(resolver.math_names))
    return unit


@functools.lru_cache(maxsize=64)
def _parsed(filename, text):
    """Definitions and code objects of a file, each by (name, first line); the latter tell whether it is still what was imported."""
    tree = ast.parse(text, filename)
    nodes, codes, todo = {}, {}, [compile(text, filename, "exec", dont_inherit=True)]
    while todo:
        code = todo.pop()
        codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        todo += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno] + [d.lineno for d in node.decorator_list])
            nodes.setdefault((node.name, first), []).append(node)
        elif isinstance(node, ast.Lambda):
            nodes.setdefault(("<lambda>", node.lineno), []).append(node)
    return nodes, codes


def _definition(function):
    """The function's definition as a FunctionDef of our own: no decorators, docstring, annotations."""
    code = function.__code__
    key = (code.co_name, code.co_firstlineno)
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        refuse(function, None, "its source is not available (defined by exec or in an interactive session without history)")
    try:
        nodes, codes = _parsed(code.co_filename, text)
    except SyntaxError as error:
        refuse(function, None, f"its source file does not parse: {error}")
    if not any(c.co_code == code.co_code and c.co_names == code.co_names for c in codes.get(key, ())):
        refuse(function, None, "its source file has changed since it was imported")
    found = nodes.get(key, ())
    if code.co_name == "<lambda>":  # several may begin in one line
        positions = set(code.co_positions())
        found = [n for n in found if (n.body.lineno, n.body.end_lineno, n.body.col_offset, n.body.end_col_offset) in positions]
    if not found:
        refuse(function, None, "its definition was not found in its source file")
    node = clone(found[-1])
    if isinstance(node, ast.Lambda):
        body = [ast.copy_location(ast.Return(node.body), node.body)]
        node = ast.copy_location(ast.FunctionDef("lambda_", node.args, body, []), node)
    return _strip(function, node)


def _strip(function, node):
    a = node.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.defaults:
        refuse(function, node, "a scalar function takes plain positional operands: no *args, **kwargs, keyword-only or default values")
    a.args, a.posonlyargs = [ast.copy_location(ast.arg(p.arg), p) for p in a.posonlyargs + a.args], []
    if not a.args:
        refuse(function, node, "it takes no operand")
    node.decorator_list, node.returns = [], None
    node.type_params = []
    head = node.body[0]
    if isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant):
        node.body = node.body[1:]
    if not node.body:
        refuse(function, node, "it has no body")
    return node


def returns(node):
    return [n for n in ast.walk(node) if isinstance(n, ast.Return)]


def _check_returns(function, node):
    for r in returns(node):
        if r.value is None:
            refuse(function, r, "it returns nothing")
    if not _always_returns(node.body):
        refuse(function, node, "it can end without a return")


def _always_returns(body):
    last = body[-1]
    if isinstance(last, ast.Return):
        return True
    if isinstance(last, ast.If):
        return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.While) and isinstance(last.test, ast.Constant) and bool(last.test.value)


def is_math(node):
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math"


def _is_namespace(value):
    return value in (_pymath, cmath, np) or getattr(value, "__name__", None) in (SCALARLIB, REFERENCE)


class _Resolver(ast.NodeTransformer):
    """Check one function's syntax and replace its outside names: numbers by literals, functions by what will be pasted."""

    def __init__(self, function, units, active):
        self.function, self.units, self.active = function, units, active
        self.math_names = set()
        code = function.__code__
        self.local = set(code.co_varnames)
        cells = {}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                cells[name] = cell.cell_contents
            except ValueError:  # a variable of the enclosing function that is not set yet
                continue
        self.outside = cells

    def refuse(self, node, reason):
        refuse(self.function, node, reason)

    def generic_visit(self, node):
        if not isinstance(node, _STATEMENTS + _EXPRESSIONS + _SYNTAX):
            kind = type(node).__name__
            self.refuse(node, _REASONS.get(kind, f"it uses syntax that kernels do not have ({kind})"))
        return super().generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return self.visit(ast.copy_location(ast.Assign([node.target], node.value), node))

    def visit_Assign(self, node):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            if not all(isinstance(n, ast.Name) for n in names):
                self.refuse(node, "it assigns to something else than a local variable")
        return self.generic_visit(node)

    def visit_AugAssign(self, node):
        if not isinstance(node.target, ast.Name):
            self.refuse(node, "it assigns to something else than a local variable")
        return self.generic_visit(node)

    def visit_For(self, node):
        it = node.iter
        if not (isinstance(it, ast.Call) and isinstance(it.func, ast.Name) and it.func.id == "range" and isinstance(node.target, ast.Name)):
            self.refuse(node, "a loop must be `for name in range(...)` or `while`")
        return self.generic_visit(node)

    def visit_Constant(self, node):
        if type(node.value) not in (int, float, complex, bool):
            self.refuse(node, f"it uses the value {node.value!r}, which is not a number")
        return node

    def visit_Name(self, node):
        if node.id in self.local:
            if isinstance(node.ctx, ast.Load) and node.id == "math":
                self.refuse(node, "it calls a variable `math`; choose another name")
            return node
        return self.bind(node, self.lookup(node), called=False)

    def visit_Attribute(self, node):
        if self.is_outside(node.value):
            owner = self.module(node.value)
            if _is_namespace(owner):
                return self.of_namespace(node, owner, called=False)
            if isinstance(owner, types.ModuleType):
                if not hasattr(owner, node.attr):
                    self.refuse(node, f"module {owner.__name__} has no attribute {node.attr!r}")
                return self.bind(node, getattr(owner, node.attr), called=False)
        if node.attr not in ("real", "imag"):
            self.refuse(node, f"it uses the attribute .{node.attr}; of a number there are only .real, .imag and .conjugate()")
        return self.generic_visit(node)

    def visit_Call(self, node):
        if node.keywords or any(isinstance(a, ast.Starred) for a in node.args):
            self.refuse(node, "calls in a scalar function take plain positional arguments")
        func = node.func
        if isinstance(func, ast.Name):
            if func.id in self.local:
                self.refuse(node, f"it calls the local variable {func.id!r}")
            func = self.bind(func, self.lookup(func), called=True)
        elif isinstance(func, ast.Attribute) and self.is_outside(func.value):
            owner = self.module(func.value)
            if _is_namespace(owner):
                func = self.of_namespace(func, owner, called=True)
            elif isinstance(owner, types.ModuleType):
                if not hasattr(owner, func.attr):
                    self.refuse(node, f"module {owner.__name__} has no attribute {func.attr!r}")
                func = self.bind(func, getattr(owner, func.attr), called=True)
            else:
                self.refuse(node, f"it calls .{func.attr} of `{ast.unparse(func.value)}`, which is not a number of its own")
        elif isinstance(func, ast.Attribute) and func.attr == "conjugate":
            func = ast.copy_location(ast.Attribute(self.visit(func.value), func.attr, func.ctx), func)
        else:
            self.refuse(node, f"it calls `{ast.unparse(func)}`")
        arguments = [self.visit(a) for a in node.args]
        if len(arguments) == 2 and isinstance(func, ast.Name) and func.id in _SPELLED:
            made = [ast.copy_location(ast.BinOp(clone(arguments[0]), op, clone(arguments[1])), node) for op in _SPELLED[func.id]]
            return made[0] if len(made) == 1 else ast.copy_location(ast.Tuple(made, ast.Load()), node)
        return ast.copy_location(ast.Call(func, arguments, []), node)

    def lookup(self, node):
        name = node.id
        if name in self.outside:
            value = self.outside[name]
        elif name in self.function.__globals__:
            value = self.function.__globals__[name]
        elif hasattr(builtins, name):
            return getattr(builtins, name)
        else:
            self.refuse(node, f"the name {name!r} is not defined")
        # An op named like a builtin (abs, pow) means that builtin inside its own definition.
        if getattr(_function_of(value), "__code__", None) is self.function.__code__ and name in _BUILTINS:
            return getattr(builtins, name)
        return value

    def is_outside(self, node):
        """Whether an expression is a name from outside, or attributes of one: `xp.special`."""
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id not in self.local

    def module(self, node):
        """What such an expression stands for; below modules only modules count."""
        if isinstance(node, ast.Name):
            return self.lookup(node)
        owner = self.module(node.value)
        return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None

    def of_namespace(self, node, owner, called):
        name = node.attr
        if name in _CONSTANTS:
            return _constant(_CONSTANTS[name], node)
        if not called:
            self.refuse(node, f"it uses `{ast.unparse(node)}` as a value")
        if owner is np:
            if name in _TYPES:
                return ast.copy_location(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), node)
            name = _NUMPY_NAMES.get(name, name)
        if name == "fabs" and owner is np and node.attr == "absolute":
            return ast.copy_location(ast.Name("abs", ast.Load()), node)
        if not has_function(name):
            self.refuse(node, f"there is no kernel for `{ast.unparse(node)}`")
        self.math_names.add(name)
        return ast.copy_location(ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()), node)

    def bind(self, node, value, called):
        """The expression that stands for an outside value."""
        if isinstance(value, (bool, np.bool_)):
            return _constant(bool(value), node)
        if isinstance(value, (int, float, complex, np.number)):
            return _constant(value.item() if isinstance(value, np.generic) else value, node)
        if not called:
            self.refuse(node, f"`{ast.unparse(node)}` is a {type(value).__name__}; only numbers can be captured from outside")
        name = getattr(value, "__name__", None)
        if isinstance(value, (types.BuiltinFunctionType, type)):
            if name in _BUILTINS and getattr(builtins, name) is value:
                return ast.copy_location(ast.Name(name, ast.Load()), node)
            if any(getattr(module, name, None) is value for module in (_pymath, cmath)) and has_function(name):
                self.math_names.add(name)
                return ast.copy_location(ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()), node)
            if isinstance(value, type) and issubclass(value, np.generic) and name in _TYPES:
                return ast.copy_location(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), node)
        if isinstance(value, np.ufunc):
            return self.of_namespace(
                ast.copy_location(ast.Attribute(ast.Name("np", ast.Load()), value.__name__, ast.Load()), node), np, True
            )
        if getattr(value, "__module__", "") and str(value.__module__).startswith((SCALARLIB, REFERENCE)) and has_function(name):
            self.math_names.add(name)
            return ast.copy_location(ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()), node)
        function = _function_of(value)
        if not isinstance(function, types.FunctionType):
            self.refuse(node, f"it calls `{ast.unparse(node)}`, a {type(value).__name__}, which cannot be compiled")
        unit = read(function, self.units, self.active)
        return ast.copy_location(ast.Name(unit.name, ast.Load()), node)


def _function_of(value):
    """The plain function behind a declaration, a Scalar or a function."""
    for _ in range(3):
        if not hasattr(value, "scalar"):
            break
        value = value.scalar
    return value


def _constant(value, like):
    """A number as an expression; nan and inf have no literal."""
    if isinstance(value, complex) or _pymath.isfinite(value):
        return ast.copy_location(ast.Constant(value), like)
    text = "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    expression = ast.parse(text, mode="eval").body
    for node in ast.walk(expression):
        ast.copy_location(node, like)
    return expression
