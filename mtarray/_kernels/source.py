"""Scalar functions as source: read one, check that it can be compiled, and paste it into a generated kernel.

A kernel file must contain everything it depends on (see `build.py`), so a scalar function is not imported by its kernel: its
source is read, freed of decorators, docstring and annotations, its captured constants become literals, the functions it calls
are pasted before it, and its calls into `math` go to our own `scalarlib`, which vectorises.
"""

import ast
import builtins
import cmath
import copy
import functools
import hashlib
import importlib
import importlib.util
import linecache
import math as _pymath
import threading
import types

import numpy as np

SCALARLIB = "mtarray._kernels.scalarlib"
REFERENCE = "mtarray._kernels.scalarlib.reference"

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
_lock = threading.RLock()


class Scalar:
    """A scalar Python function as material for kernels.

    `function` takes and returns numbers (or returns a tuple of numbers); it may use arithmetic, comparisons, `if`, loops over
    `range`, `while`, functions of `math`, `cmath` or NumPy by name, numbers captured from outside, other such functions, and
    mtarray declarations (anything with an attribute `scalar`). Captured numbers count with the value they have when the source
    is first read. `math` names the module that serves its mathematical functions in generated code. Nothing is read before the
    first use of another attribute; a function that cannot be compiled raises TypeError naming it, its line and the reason then.
    """

    def __init__(self, function, math=SCALARLIB):
        self.function = function
        self.math = math
        self._pasted = {}

    def __repr__(self):
        return f"Scalar({_name_of(self.function)})"

    @functools.cached_property
    def _units(self):
        """The functions to paste, helpers before their callers; the last one is the function itself."""
        with _lock:
            units, active = {}, []
            _read(self.function, units, active)
            return tuple(units.values())

    @property
    def _main(self):
        return self._units[-1]

    @property
    def nin(self):
        """Number of operands."""
        return len(self._main.node.args.args)

    @functools.cached_property
    def nout(self):
        """Number of results: the length of the tuple it returns, else 1."""
        counts = {len(r.value.elts) if isinstance(r.value, ast.Tuple) else 1 for r in _returns(self._main.node)}
        if len(counts) != 1:
            _refuse(self._main.function, self._main.node, f"its return statements give different numbers of results: {sorted(counts)}")
        return counts.pop()

    @functools.cached_property
    def names_used(self):
        """Names of the mathematical functions that it and its helpers call."""
        return frozenset().union(*(u.math_names for u in self._units))

    @functools.cached_property
    def rare(self):
        """Those of `names_used` whose fast core holds in a range only and gives NaN outside (`scalarlib.RARE`)."""
        return self.names_used & frozenset(getattr(_library(self.math), "RARE", ())) if self.names_used else frozenset()

    @functools.cached_property
    def single_call(self):
        """Name of the mathematical function when all it does is `return math.name(its operands in order)`, else None."""
        body = self._main.node.body
        if len(body) != 1 or not isinstance(body[0], ast.Return) or not isinstance(body[0].value, ast.Call):
            return None
        call = body[0].value
        operands = [a.arg for a in self._main.node.args.args]
        if not _is_math(call.func) or [a.id if isinstance(a, ast.Name) else None for a in call.args] != operands:
            return None
        return call.func.attr

    @functools.cached_property
    def digest(self):
        """Hash of everything that decides what it computes: its source, helpers, captured constants, the math module's name."""
        text = "\n".join(ast.unparse(u.node) for u in self._units)
        return hashlib.sha256(f"{self.math}\n{text}".encode()).hexdigest()[:16]

    @functools.cached_property
    def python(self):
        """The uncompiled function, its mathematical functions replaced by IEEE-safe ones; a debugger shows the original lines."""
        space = {"math": _Reference(), "np": np}
        for unit in self._units:
            node = copy.deepcopy(unit.node)
            node.name = unit.name
            code = compile(ast.fix_missing_locations(ast.Module([node], [])), unit.function.__code__.co_filename, "exec")
            exec(code, space)
        return space[self._main.name]

    def paste(self, name, dtypes, complete=True):
        """Source that defines the Numba function `name` for operands of `dtypes` (one per operand).

        Float and integer literals take the type of the computation, so that float32 stays float32 and uint64 stays uint64.
        `complete=False` takes the fast cores of `scalarlib.RARE` functions, which give NaN outside their range.
        """
        dtypes = tuple(np.dtype(d) for d in dtypes)
        key = (name, dtypes, complete)
        hit = self._pasted.get(key)
        if hit is None:
            if len(dtypes) != self.nin:
                raise TypeError(f"{_name_of(self.function)} takes {self.nin} operands, got {len(dtypes)} dtypes")
            hit = self._pasted[key] = self._render(name, dtypes, complete)
        return hit

    def _render(self, name, dtypes, complete):
        library = _library(self.math) if self.names_used else None
        rare = self.rare if complete else frozenset()
        literal = _literal_dtype(dtypes)
        lines = ["import math as _pymath", "import numpy as np", "from numba import njit as _njit"]
        if any(hasattr(library, n) for n in self.names_used):
            lines.append(f"from {self.math.rpartition('.')[0]} import {self.math.rpartition('.')[2]} as math")
        if rare:
            lines.append(f"from {self.math} import full as _full")
        renamed = {u.name: f"{name}__{u.name}" for u in self._units[:-1]}
        renamed[self._main.name] = name
        for unit in self._units:
            node = copy.deepcopy(unit.node)
            integers = _integer_names(node, dtypes if unit is self._main else (), literal)
            node = _Literals(literal, integers).visit(node)
            node = _Bind(library, rare, renamed).visit(node)
            node.name = renamed[unit.name]
            lines += ["", "", "@_njit(forceinline=True, error_model='numpy')", ast.unparse(ast.fix_missing_locations(node))]
        return "\n".join(lines) + "\n"


class _Unit:
    """One function to paste: its checked AST, in which constants are literals and every mathematical function is `math.<name>`."""

    __slots__ = ("function", "math_names", "name", "node")

    def __init__(self, function, name, node, math_names):
        self.function, self.name, self.node, self.math_names = function, name, node, math_names


# --- reading ---------------------------------------------------------------------------------------------------------------


def _name_of(function):
    return getattr(function, "__qualname__", None) or repr(function)


def _refuse(function, node, reason):
    code = getattr(function, "__code__", None)
    where = f" ({code.co_filename}:{getattr(node, 'lineno', code.co_firstlineno)})" if code else ""
    raise TypeError(f"cannot compile the scalar function {_name_of(function)}{where}: {reason}")


def _read(function, units, active):
    """Add `function` and what it calls to `units` (code object -> _Unit); returns its _Unit."""
    if not isinstance(function, types.FunctionType):
        _refuse(function, None, f"it is not a plain Python function but a {type(function).__name__}")
    code = function.__code__
    if code in units:
        return units[code]
    if code in active:
        _refuse(function, None, "it calls itself, directly or through its helpers")
    active.append(code)
    node = _definition(function)
    resolver = _Resolver(function, units, active)
    node.body = [resolver.visit(s) for s in node.body]
    _check_returns(function, node)
    active.pop()
    # Helpers of one name may come from different modules: the position keeps them apart.
    name = f"_{len(units)}_{function.__name__ if function.__name__.isidentifier() else 'lambda'}"
    unit = units[code] = _Unit(function, name, node, frozenset(resolver.math_names))
    return unit


@functools.lru_cache(maxsize=64)
def _parsed(filename, text):
    """(tree, code objects by (name, first line)) of a file; the code objects tell whether the file is still what was imported."""
    tree = ast.parse(text, filename)
    codes, todo = {}, [compile(text, filename, "exec", dont_inherit=True)]
    while todo:
        code = todo.pop()
        codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        todo += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return tree, codes


def _definition(function):
    """The function's definition as a FunctionDef of our own: no decorators, docstring, annotations."""
    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        _refuse(function, None, "its source is not available (defined by exec or in an interactive session without history)")
    try:
        tree, codes = _parsed(code.co_filename, text)
    except SyntaxError as error:
        _refuse(function, None, f"its source file does not parse: {error}")
    if not any(c.co_code == code.co_code and c.co_names == code.co_names for c in codes.get((code.co_name, code.co_firstlineno), ())):
        _refuse(function, None, "its source file has changed since it was imported")
    found = None
    positions = set(code.co_positions())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno] + [d.lineno for d in node.decorator_list])
            if first == code.co_firstlineno:
                found = node
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            b = node.body
            if (b.lineno, b.end_lineno, b.col_offset, b.end_col_offset) in positions:
                found = ast.FunctionDef("lambda_", node.args, [ast.copy_location(ast.Return(node.body), node.body)], [])
                ast.copy_location(found, node)
    if found is None:
        _refuse(function, None, "its definition was not found in its source file")
    found = copy.deepcopy(found)
    return _strip(function, found)


def _strip(function, node):
    a = node.args
    if a.vararg or a.kwarg or a.kwonlyargs or a.defaults:
        _refuse(function, node, "a scalar function takes plain positional operands: no *args, **kwargs, keyword-only or default values")
    a.args, a.posonlyargs = [ast.copy_location(ast.arg(p.arg), p) for p in a.posonlyargs + a.args], []
    if not a.args:
        _refuse(function, node, "it takes no operand")
    node.decorator_list, node.returns = [], None
    node.type_params = []
    head = node.body[0]
    if isinstance(head, ast.Expr) and isinstance(head.value, ast.Constant):
        node.body = node.body[1:]
    if not node.body:
        _refuse(function, node, "it has no body")
    return node


def _returns(node):
    return [n for n in ast.walk(node) if isinstance(n, ast.Return)]


def _check_returns(function, node):
    for r in _returns(node):
        if r.value is None:
            _refuse(function, r, "it returns nothing")
    if not _always_returns(node.body):
        _refuse(function, node, "it can end without a return")


def _always_returns(body):
    last = body[-1]
    if isinstance(last, ast.Return):
        return True
    if isinstance(last, ast.If):
        return bool(last.orelse) and _always_returns(last.body) and _always_returns(last.orelse)
    return isinstance(last, ast.While) and isinstance(last.test, ast.Constant) and bool(last.test.value)


def _is_math(node):
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
        _refuse(self.function, node, reason)

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
        if isinstance(node.value, ast.Name) and node.value.id not in self.local:
            owner = self.lookup(node.value)
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
        elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id not in self.local:
            owner = self.lookup(func.value)
            if _is_namespace(owner):
                func = self.of_namespace(func, owner, called=True)
            elif isinstance(owner, types.ModuleType):
                if not hasattr(owner, func.attr):
                    self.refuse(node, f"module {owner.__name__} has no attribute {func.attr!r}")
                func = self.bind(func, getattr(owner, func.attr), called=True)
            else:
                self.refuse(node, f"it calls .{func.attr} of {func.value.id!r}, which is not a number of its own")
        elif isinstance(func, ast.Attribute) and func.attr == "conjugate":
            func = ast.copy_location(ast.Attribute(self.visit(func.value), func.attr, func.ctx), func)
        else:
            self.refuse(node, f"it calls `{ast.unparse(func)}`")
        return ast.copy_location(ast.Call(func, [self.visit(a) for a in node.args], []), node)

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
        if not _has_function(name):
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
            if any(getattr(module, name, None) is value for module in (_pymath, cmath)) and _has_function(name):
                self.math_names.add(name)
                return ast.copy_location(ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()), node)
            if isinstance(value, type) and issubclass(value, np.generic) and name in _TYPES:
                return ast.copy_location(ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load()), node)
        if isinstance(value, np.ufunc):
            return self.of_namespace(
                ast.copy_location(ast.Attribute(ast.Name("np", ast.Load()), value.__name__, ast.Load()), node), np, True
            )
        if getattr(value, "__module__", "") and str(value.__module__).startswith((SCALARLIB, REFERENCE)) and _has_function(name):
            self.math_names.add(name)
            return ast.copy_location(ast.Attribute(ast.Name("math", ast.Load()), name, ast.Load()), node)
        function = _function_of(value)
        if not isinstance(function, types.FunctionType):
            self.refuse(node, f"it calls `{ast.unparse(node)}`, a {type(value).__name__}, which cannot be compiled")
        unit = _read(function, self.units, self.active)
        return ast.copy_location(ast.Name(unit.name, ast.Load()), node)


def _function_of(value):
    """The plain function behind a declaration, a Scalar or a function."""
    for _ in range(3):
        if isinstance(value, types.FunctionType) and not hasattr(value, "scalar"):
            return value
        if isinstance(value, Scalar):
            value = value.function
        elif hasattr(value, "scalar"):
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


# --- writing ---------------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def _library(name):
    """The math module of generated code; None while it does not exist (Python's own serves then)."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(name):
            raise
        return None


def _has_function(name):
    return hasattr(_pymath, name) or name in getattr(_library(SCALARLIB), "__dict__", ()) or hasattr(_Reference(), name)


class _Reference:
    """The mathematical functions of uncompiled kernels: those of `scalarlib.reference`, NumPy's under the same name else."""

    def __getattr__(self, name):
        library = _library(REFERENCE)
        for owner in (library, np, _pymath):
            if owner is not None and callable(getattr(owner, name, None)):
                return getattr(owner, name)
        raise AttributeError(name)


def _literal_dtype(dtypes):
    """dtype that number literals take: of the floating operands when there are any, else of the integer ones, else None."""
    inexact = [d for d in dtypes if d.kind in "fc"]
    numbers = inexact or [d for d in dtypes if d.kind in "iu"]
    return np.result_type(*numbers) if numbers else None


def _integer_names(node, dtypes, literal):
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


class _Literals(ast.NodeTransformer):
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
        elif node.args and _is_math(node.func) and node.func.attr == "ldexp":
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


class _Bind(ast.NodeTransformer):
    """Point `math.<name>` at the library that has it and helpers at their pasted names."""

    def __init__(self, library, rare, renamed):
        self.library, self.rare, self.renamed = library, rare, renamed

    def visit_Attribute(self, node):
        if _is_math(node):
            owner = "_full" if node.attr in self.rare else "math" if hasattr(self.library, node.attr) else "_pymath"
            return ast.copy_location(ast.Attribute(ast.Name(owner, ast.Load()), node.attr, node.ctx), node)
        return self.generic_visit(node)

    def visit_Name(self, node):
        return ast.copy_location(ast.Name(self.renamed.get(node.id, node.id), node.ctx), node)
