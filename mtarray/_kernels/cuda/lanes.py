"""The function of one thread as a function of many: what the simulator runs.

A kernel's source is rewritten once, so that every value is either that of all threads (a number) or an ndarray with one element a thread
(a *lane*), and every statement runs under a mask, the lanes that reach it. Where lanes part, both branches run, each for its lanes; a loop
goes on while it has one. Whatever touches memory or other threads becomes a call that is told the mask and the place in the source, and
checks what hardware does not (see `lane_memory`, `lane_names`).

Supported is what Numba compiles in kernels: assignments (of tuples too), if, while, for, break, continue, return, conditional expressions,
calls. What is not raises TypeError with its line when the kernel is loaded.

A mask is True (all lanes), False (none) or an ndarray of truth values that are neither all true nor all false.
"""

import ast
import functools
import inspect
import linecache
import math
import textwrap
import threading
import types

import numpy as np

SITES = [("", 0, "")]  # places in sources by number: (file, line, name that a statement gives to what it makes)
_CODES = {}  # (file, code of a function): code of its rewritten module
_lock = threading.RLock()


class Undefined:
    """A variable that no lane has assigned yet."""

    def __repr__(self):
        return "a variable before its assignment"


UNDEFINED = Undefined()

# ---------------------------------------------------------------------- masks and values


def both(m, c):
    """The lanes of a mask for which a condition holds."""
    if type(c) is not np.ndarray:
        return m if c else False
    if c.dtype.char != "?":
        c = c != 0
    if m is not True:
        c = m & c
    n = np.count_nonzero(c)
    return c if 0 < n < c.size else bool(n)


def branch(m, c):
    """(the lanes for which a condition holds, the others)."""
    if type(c) is not np.ndarray:
        return (m, False) if c else (False, m)
    yes = both(m, c)
    if yes is True or yes is False:
        return (m, False) if yes else (False, m)
    return yes, both(m, ~yes)


def minus(m, *gone):
    """The lanes of a mask that are in none of others."""
    for g in gone:
        if g is True or m is False:
            return False
        if g is not False:
            m = both(m, ~g)
    return m


def either(a, b):
    """The lanes of two masks."""
    if a is True or b is False:
        return a
    if b is True or a is False:
        return b
    c = a | b
    return True if c.all() else c


def assign(m, entry, old, new):
    """What a variable holds once the lanes of a mask have assigned it. entry: the mask of the function: no other lane ever reads it."""
    if m is True or m is entry or old is UNDEFINED or old is new:
        return new
    return pick(m, new, old)


def pick(c, a, b):
    """a where an array of conditions holds, else b."""
    if type(a) is tuple:
        return tuple([pick(c, p, q) for p, q in zip(a, b, strict=True)])
    if type(a) is np.ndarray or type(b) is np.ndarray or isinstance(a, (bool, int, float, complex, np.generic)):
        return np.where(c, a, b)
    return a  # shared and local arrays


def conditional(m, c, yes, no):
    if type(c) is not np.ndarray:
        return yes(m) if c else no(m)
    k, rest = branch(m, c)
    if rest is False:
        return yes(k)
    if k is False:
        return no(rest)
    return pick(c if c.dtype.char == "?" else c != 0, yes(k), no(rest))


def conjunction(m, a, more):
    if type(a) is not np.ndarray:
        return more(m) if a else a
    k = both(m, a)
    if k is False:
        return False
    b = more(k)
    return truth(a) & truth(b)


def disjunction(m, a, more):
    if type(a) is not np.ndarray:
        return a if a else more(m)
    k = both(m, ~truth(a))
    if k is False:
        return True
    b = more(k)
    return truth(a) | truth(b)


def truth(a):
    if type(a) is np.ndarray:
        return a if a.dtype.char == "?" else a != 0
    return bool(a)


def negation(a):
    return ~truth(a) if type(a) is np.ndarray else not a


class Loop:
    """The values of a `for`, and the mask of the lanes that go on."""

    __slots__ = ("m", "values")

    def __init__(self, m, values):
        self.m, self.values = m, values

    def __iter__(self):
        for v in self.values:
            yield v
            if self.m is False:
                return


class LaneRange(Loop):
    """`range`, of bounds that differ among lanes."""

    __slots__ = ()

    def __iter__(self):
        start, stop, step = (0, *self.values, 1) if len(self.values) == 1 else (*self.values, 1)[:3]
        v = start
        while True:
            if type(step) is np.ndarray:
                self.m = both(self.m, np.where(step > 0, v < stop, v > stop))
            else:
                self.m = both(self.m, v < stop if step > 0 else v > stop)
            if self.m is False:
                return
            yield v
            v = v + step


def over_range(m, *values):
    for v in values:
        if type(v) is np.ndarray:
            return LaneRange(m, values)
    return Loop(m, range(*values))


# ---------------------------------------------------------------------- calls


def _minimum(a, b, *more):
    if type(a) is np.ndarray or type(b) is np.ndarray:
        a = np.where(b < a, b, a)
    else:
        a = min(a, b)
    return _minimum(a, *more) if more else a


def _maximum(a, b, *more):
    if type(a) is np.ndarray or type(b) is np.ndarray:
        a = np.where(b > a, b, a)
    else:
        a = max(a, b)
    return _maximum(a, *more) if more else a


def _complex(re, im=None):
    if type(re) is not np.ndarray and type(im) is not np.ndarray:
        return np.complex128(complex(re) if im is None else complex(re, im))
    if im is None:
        return np.complex128(re)
    out = np.empty(re.shape if type(re) is np.ndarray else im.shape, np.complex64 if _single(re) and _single(im) else np.complex128)
    out.real, out.imag = re, im
    return out


def _single(x):
    return getattr(x, "dtype", None) == np.float32


def _ufunc(ufunc, floating=True):
    def of_lanes(*args):
        if floating and not any(getattr(a, "dtype", None) is not None and a.dtype.kind in "fc" for a in args):
            args = [np.float64(a) for a in args]
        return ufunc(*args)

    return of_lanes


def _rounding(ufunc):
    return lambda x: ufunc(x).astype(np.int64) if getattr(x, "dtype", np.dtype(float)).kind == "f" else x


# What Python's functions are for lanes.
TABLE = {
    min: _minimum,
    max: _maximum,
    abs: np.abs,
    int: np.int64,
    float: np.float64,
    complex: _complex,
    bool: truth,
    round: lambda x, n=0: np.rint(x).astype(np.int64) if n == 0 else np.round(x, n),
    divmod: lambda x, y: (x // y, x % y),
    pow: lambda x, y: x**y,
    math.floor: _rounding(np.floor),
    math.ceil: _rounding(np.ceil),
    math.trunc: _rounding(np.trunc),
    math.fabs: np.abs,
    math.copysign: _ufunc(np.copysign),
    math.ldexp: np.ldexp,
    math.frexp: np.frexp,
    math.modf: np.modf,
}
_NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh", "acosh": "arccosh"}
_NUMPY_NAMES |= {"atanh": "arctanh", "pow": "power"}
for _name in (
    "sqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh hypot pow fmod "
    "isnan isinf isfinite nextafter"
).split():
    TABLE[getattr(math, _name)] = _ufunc(getattr(np, _NUMPY_NAMES.get(_name, _name)))


def cast(kind, x):
    """x as a NumPy type: integers wrap."""
    if type(x) is int and kind not in (np.float64, np.float32, np.complex64, np.complex128):
        return np.int64(x).astype(kind) if -(1 << 63) <= x < 1 << 63 else np.uint64(x & (1 << 64) - 1).astype(kind)
    return kind(x)


class Name:
    """A name of `cuda`, until a kernel that runs calls it."""

    __slots__ = ("path",)

    def __init__(self, path=()):
        self.path = path

    def __getattr__(self, name):
        return Name((*self.path, name))


class Placed:
    """A function that is told the state, the mask and the place in the source before its arguments."""

    __slots__ = ("function",)

    def __init__(self, function):
        self.function = function


def call(L, m, site, f, *args):
    """What a function gives for lanes."""
    if type(f) is Device:
        return f.lanes(L, m, *args)
    if type(f) is Placed:
        return f.function(L, m, site, *args)
    if type(f) is Name:
        return functools.reduce(getattr, f.path, L)(m, site, *args)
    if type(f) is type and issubclass(f, np.generic):
        return cast(f, *args)
    try:
        of_lanes = TABLE.get(f)
    except TypeError:
        of_lanes = None
    if of_lanes is not None:
        return of_lanes(*args)
    if type(f) is types.FunctionType:
        of_lanes = getattr(f, "of_lanes", None)
        if of_lanes is None:
            of_lanes = device(f).lanes
        return of_lanes(L, m, *args)
    if type(f) is np.ufunc or not any(type(a) is np.ndarray for a in args):
        return f(*args)
    return one_by_one(f, m, args)


def one_by_one(f, m, args):
    """A function of numbers for each lane of a mask in turn."""
    if not any(type(a) is np.ndarray for a in args):
        return f(*args)
    n = next(a.size for a in args if type(a) is np.ndarray)
    lanes = range(n) if m is True else np.flatnonzero(m).tolist()
    columns = [a if type(a) is np.ndarray else None for a in args]
    results = [f(*[a if c is None else c[i] for a, c in zip(args, columns)]) for i in lanes]
    if type(results[0]) is tuple:
        return tuple([_spread(n, m, part) for part in zip(*results)])
    return _spread(n, m, results)


def _spread(n, m, results):
    found = np.array(results)
    if m is True:
        return found
    out = np.zeros(n, found.dtype)
    out[m] = found
    return out


class Device:
    """A function that kernels may call."""

    __slots__ = ("function", "_lanes")

    def __init__(self, function, lanes=None):
        self.function, self._lanes = function, lanes

    def __call__(self, *args):
        return self.function(*args)

    @property
    def lanes(self):
        if self._lanes is None:
            self._lanes = rewritten(self.function)
        return self._lanes


def device(function):
    """The Device of a plain function: one, kept with it."""
    made = function.__dict__.get("device")
    if made is None:
        made = function.__dict__["device"] = Device(function)
    return made


# ---------------------------------------------------------------------- rewriting

_HELPERS = {
    "__both": both,
    "__branch": branch,
    "__minus": minus,
    "__either": either,
    "__assign": assign,
    "__conditional": conditional,
    "__and": conjunction,
    "__or": disjunction,
    "__not": negation,
    "__Loop": Loop,
    "__range": over_range,
    "__call": call,
    "__undefined": UNDEFINED,
}


def rewritten(function):
    """A function (state, mask, its arguments) for lanes."""
    code = function.__code__
    key = code.co_filename, code
    made = _CODES.get(key)
    if made is None:
        with _lock:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
            node = tree.body[0]
            if not isinstance(node, ast.FunctionDef):
                raise TypeError(f"{function.__qualname__}: a kernel is made of functions that `def` defines")
            ast.increment_lineno(tree, code.co_firstlineno - min([node.lineno, *[d.lineno for d in node.decorator_list]]))
            made = _CODES[key] = compiled(node, code.co_filename)
    scope = dict(function.__globals__)
    if function.__closure__:
        for name, cell in zip(code.co_freevars, function.__closure__):
            scope[name] = cell.cell_contents
    return instance(made, function.__name__, scope)


def compiled(node, file):
    """The code of a module that defines the rewritten function of a syntax tree."""
    made = Rewriter(node, file).function()
    return compile(ast.fix_missing_locations(ast.Module([made], [])), file, "exec")


def instance(code, name, scope):
    scope.update(_HELPERS)
    exec(code, scope)
    return scope[name]


def _load(name):
    return ast.Name(name, ast.Load())


def _store(name):
    return ast.Name(name, ast.Store())


def _called(name, *args):
    return ast.Call(_load(name), list(args), [])


def _set(name, value):
    return ast.Assign([_store(name)], value)


_JUMPS = (ast.Return, ast.Break, ast.Continue)


def _jumps(node):
    """The kinds of jumps out of a statement."""
    if isinstance(node, _JUMPS):
        return {type(node)}
    found = set()
    for field in ("body", "orelse"):
        for inner in getattr(node, field, ()) if isinstance(node, ast.stmt) else ():
            found |= _jumps(inner)
    return found & {ast.Return} if isinstance(node, (ast.For, ast.While)) else found


class Rewriter:
    """Rewrites one function."""

    def __init__(self, node, file):
        self.node, self.file, self.count = node, file, 0
        self.wanted = self._wanted_outside()
        self.loops = []  # (names of the masks of lanes that broke out and that continue) of the loops around
        self.entry = "__m0"

    def refuse(self, node, reason):
        line = linecache.getline(self.file, node.lineno).strip()
        raise TypeError(f"{self.node.name}, line {node.lineno} of {self.file}: the simulator cannot run {reason}: {line}")

    def fresh(self, kind):
        self.count += 1
        return f"__{kind}{self.count}"

    def site(self, node, name=""):
        SITES.append((self.file, node.lineno, name))
        return ast.Constant(len(SITES) - 1)

    # --- names

    def _wanted_outside(self):
        """For each list of statements (by id) the variables that lanes outside of its mask may still read: these keep what they held."""
        wanted = {}

        def reads(node):
            return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}

        def stores(node):
            parts = node.elts if isinstance(node, ast.Tuple) else [node]
            return {n.id for n in parts if isinstance(n, ast.Name)}

        def before(body, after, outside, left, head):
            """Variables that are read from a list on. after: behind it; left, head: where `break` and `continue` lead to."""
            wanted[id(body)] = wanted.get(id(body), frozenset()) | outside
            live = after
            for stmt in reversed(body):
                if isinstance(stmt, ast.If):
                    no = before(stmt.orelse, live, outside | live, left, head)
                    live = before(stmt.body, live, outside | live | no, left, head) | no | reads(stmt.test)
                elif isinstance(stmt, (ast.While, ast.For)):
                    test = reads(stmt.test if isinstance(stmt, ast.While) else stmt.iter)
                    target = stores(stmt.target) if isinstance(stmt, ast.For) else frozenset()
                    again = live | test
                    for _ in range(2):
                        also = again if any(ast.Continue in _jumps(inner) for inner in stmt.body) else frozenset()
                        again = live | test | (before(stmt.body, again, outside | live | also, live, again) - target)
                    live = again
                elif isinstance(stmt, (ast.Break, ast.Continue)):
                    live = left if isinstance(stmt, ast.Break) else head
                elif isinstance(stmt, ast.Return):
                    live = frozenset(reads(stmt))
                elif isinstance(stmt, ast.Assign):
                    live = (live - set().union(*map(stores, stmt.targets))) | reads(stmt)
                elif isinstance(stmt, ast.AugAssign):
                    live = live | reads(stmt) | stores(stmt.target)
                else:
                    live = live | reads(stmt)
            return frozenset(live)

        before(self.node.body, frozenset(), frozenset(), frozenset(), frozenset())
        return wanted

    # --- the function

    def function(self):
        node = self.node
        a = node.args
        if a.vararg or a.kwarg or a.kwonlyargs:
            self.refuse(node, "functions with * or ** arguments")
        given = {x.arg for x in a.args}
        stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} - given
        body = [_set(name, _load("__undefined")) for name in sorted(stored)]
        returns = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
        self.returning = not (not returns or (len(returns) == 1 and node.body[-1] is returns[0]))
        if self.returning:
            body += [_set("__v", _load("__undefined")), _set("__r", ast.Constant(False))]
        body += self.block(node.body, self.entry)
        if self.returning:
            body.append(ast.Return(_load("__v") if any(r.value is not None for r in returns) else None))
        args = ast.arguments([], [ast.arg("__L"), ast.arg(self.entry), *[ast.arg(x.arg) for x in a.args]], None, [], [], None, a.defaults)
        return ast.copy_location(ast.FunctionDef(node.name, args, body or [ast.Pass()], [], None, None, type_params=[]), node)

    def block(self, body, m):
        """Statements under the mask named m."""
        out = []
        wanted = self.wanted[id(body)]
        for k, stmt in enumerate(body):
            made = self.statement(stmt, m, wanted)
            for s in made:
                ast.copy_location(s, stmt)
                for inner in ast.walk(s):
                    if not hasattr(inner, "lineno") and isinstance(inner, (ast.stmt, ast.expr)):
                        ast.copy_location(inner, stmt)
            out += made
            jumps = _jumps(stmt)
            if jumps and isinstance(stmt, _JUMPS):
                break
            if jumps and k + 1 < len(body):
                rest = self.fresh("m")
                gone = [_load("__r")] if ast.Return in jumps else []
                if ast.Break in jumps:
                    gone.append(_load(self.loops[-1][0]))
                if ast.Continue in jumps:
                    gone.append(_load(self.loops[-1][1]))
                out.append(ast.copy_location(_set(rest, _called("__minus", _load(m), *gone)), stmt))
                tail = body[k + 1 :]
                self.wanted[id(tail)] = wanted
                then = self.block(tail, rest)
                out.append(ast.copy_location(ast.If(self.some(rest), then, []), stmt))
                break
        return out or [ast.Pass()]

    @staticmethod
    def some(m):
        return ast.Compare(_load(m), [ast.IsNot()], [ast.Constant(False)])

    def statement(self, stmt, m, wanted):
        kind = type(stmt).__name__
        method = getattr(self, "on_" + kind, None)
        if method is None:
            self.refuse(stmt, f"statements of the kind {kind}")
        return method(stmt, m, wanted)

    def on_Pass(self, stmt, m, wanted):
        return [ast.Pass()]

    def on_Expr(self, stmt, m, wanted):
        if isinstance(stmt.value, ast.Constant):
            return []
        value = self.expression(stmt.value, m)
        if isinstance(value, ast.Call) and self.cuda_name(stmt.value.func) and ".atomic." in f".{self.cuda_name(stmt.value.func)}":
            value.keywords.append(ast.keyword("wanted", ast.Constant(False)))
        return [ast.Expr(value)]

    def on_Assert(self, stmt, m, wanted):
        return []

    def on_Assign(self, stmt, m, wanted):
        value = self.expression(stmt.value, m, stmt.targets[0].id if isinstance(stmt.targets[0], ast.Name) else "")
        if len(stmt.targets) == 1 and isinstance(stmt.targets[0], ast.Name):
            return self.store(stmt.targets[0], value, m, wanted)
        temporary = self.fresh("t")
        out = [_set(temporary, value)]
        for target in stmt.targets:
            out += self.store(target, _load(temporary), m, wanted)
        return out

    def on_AnnAssign(self, stmt, m, wanted):
        return self.store(stmt.target, self.expression(stmt.value, m), m, wanted)

    def store(self, target, value, m, wanted):
        if isinstance(target, ast.Name):
            if target.id in wanted:
                value = _called("__assign", _load(m), _load(self.entry), _load(target.id), value)
            return [_set(target.id, value)]
        if isinstance(target, ast.Tuple):
            temporary = self.fresh("t")
            out = [_set(temporary, value)]
            for i, part in enumerate(target.elts):
                out += self.store(part, ast.Subscript(_load(temporary), ast.Constant(i), ast.Load()), m, wanted)
            return out
        if isinstance(target, ast.Subscript):
            where, index = self.expression(target.value, m), self.expression(target.slice, m)
            return [
                ast.Expr(ast.Call(ast.Attribute(where, "put", ast.Load()), [_load("__L"), _load(m), self.site(target), index, value], []))
            ]
        return self.refuse(target, "an assignment to that")

    def on_AugAssign(self, stmt, m, wanted):
        value = self.expression(stmt.value, m)
        if isinstance(stmt.target, ast.Name):
            return self.store(stmt.target, ast.BinOp(_load(stmt.target.id), stmt.op, value), m, wanted)
        if not isinstance(stmt.target, ast.Subscript):
            self.refuse(stmt, "an assignment to that")
        where, index = self.fresh("t"), self.fresh("t")
        site = self.site(stmt)
        old = _called("__L.get", _load(m), site, _load(where), _load(index))
        old.func = ast.Attribute(_load("__L"), "get", ast.Load())
        return [
            _set(where, self.expression(stmt.target.value, m)),
            _set(index, self.expression(stmt.target.slice, m)),
            ast.Expr(
                ast.Call(
                    ast.Attribute(_load(where), "put", ast.Load()),
                    [_load("__L"), _load(m), site, _load(index), ast.BinOp(old, stmt.op, value)],
                    [],
                )
            ),
        ]

    def on_Return(self, stmt, m, wanted):
        value = ast.Constant(None) if stmt.value is None else self.expression(stmt.value, m)
        if not self.returning:
            return [ast.Return(value)]
        return [
            _set("__v", _called("__assign", _load(m), _load(self.entry), _load("__v"), value)),
            _set("__r", _called("__either", _load("__r"), _load(m))),
        ]

    def on_Break(self, stmt, m, wanted):
        name = self.loops[-1][0]
        return [_set(name, _called("__either", _load(name), _load(m)))]

    def on_Continue(self, stmt, m, wanted):
        name = self.loops[-1][1]
        return [_set(name, _called("__either", _load(name), _load(m)))]

    def on_If(self, stmt, m, wanted):
        yes, no = self.fresh("m"), self.fresh("m")
        test = self.expression(stmt.test, m)
        out = [ast.Assign([ast.Tuple([_store(yes), _store(no)], ast.Store())], _called("__branch", _load(m), test))]
        out.append(ast.If(self.some(yes), self.block(stmt.body, yes), []))
        if stmt.orelse:
            out.append(ast.If(self.some(no), self.block(stmt.orelse, no), []))
        return out

    def _loop(self, stmt, m):
        """(name of the mask of the loop, statements before it, and at the end of each turn)."""
        if stmt.orelse:
            self.refuse(stmt, "the `else` of a loop")
        kinds = set().union(*[_jumps(s) for s in stmt.body])
        lanes, left, going = self.fresh("w"), self.fresh("b"), self.fresh("k")
        self.loops.append((left, going))
        before, start, after = [], [], []
        if ast.Break in kinds:
            before.append(_set(left, ast.Constant(False)))
        if ast.Continue in kinds:
            start.append(_set(going, ast.Constant(False)))
        gone = ([_load(left)] if ast.Break in kinds else []) + ([_load("__r")] if ast.Return in kinds else [])
        if gone:
            after = [_set(lanes, _called("__minus", _load(lanes), *gone))]
        return lanes, before, start, after

    def on_While(self, stmt, m, wanted):
        lanes, before, start, after = self._loop(stmt, m)
        out = [*before, _set(lanes, _load(m))]
        body = [_set(lanes, _called("__both", _load(lanes), self.expression(stmt.test, lanes)))]
        body.append(ast.If(ast.Compare(_load(lanes), [ast.Is()], [ast.Constant(False)]), [ast.Break()], []))
        body += [*start, *self.block(stmt.body, lanes), *after]
        self.loops.pop()
        if after:
            body.append(ast.If(ast.Compare(_load(lanes), [ast.Is()], [ast.Constant(False)]), [ast.Break()], []))
        return [*out, ast.While(ast.Constant(True), body, [])]

    def on_For(self, stmt, m, wanted):
        lanes, before, start, after = self._loop(stmt, m)
        loop, value = self.fresh("i"), self.fresh("t")
        it = stmt.iter
        if isinstance(it, ast.Call) and isinstance(it.func, ast.Name) and it.func.id == "range":
            made = _called("__range", _load(m), *[self.expression(a, m) for a in it.args])
        else:
            made = _called("__Loop", _load(m), self.expression(it, m))
        out = [*before, _set(loop, made)]
        mask = ast.Attribute(_load(loop), "m", ast.Load())
        wanted = self.wanted[id(stmt.body)]
        body = [_set(lanes, mask), *self.store(stmt.target, _load(value), lanes, wanted), *start, *self.block(stmt.body, lanes), *after]
        if after:
            body.append(ast.Assign([ast.Attribute(_load(loop), "m", ast.Store())], _load(lanes)))
        self.loops.pop()
        return [*out, ast.For(_store(value), _load(loop), body, [])]

    # --- expressions

    def cuda_name(self, node):
        """ "atomic.add" of `cuda.atomic.add`; None of what does not begin so."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        return ".".join(reversed(parts)) if isinstance(node, ast.Name) and node.id == "cuda" and parts else None

    def expression(self, node, m, name=""):
        method = getattr(self, "of_" + type(node).__name__, None)
        if method is None:
            self.refuse(node, f"expressions of the kind {type(node).__name__}")
        made = method(node, m) if not isinstance(node, ast.Call) else self.of_Call(node, m, name)
        return ast.copy_location(made, node)

    def of_Constant(self, node, m):
        return ast.Constant(node.value)

    def of_Name(self, node, m):
        return _load("__L" if node.id == "cuda" else node.id)

    def of_Attribute(self, node, m):
        return ast.Attribute(self.expression(node.value, m), node.attr, ast.Load())

    def of_Tuple(self, node, m):
        return ast.Tuple([self.expression(e, m) for e in node.elts], ast.Load())

    def of_BinOp(self, node, m):
        return ast.BinOp(self.expression(node.left, m), node.op, self.expression(node.right, m))

    def of_UnaryOp(self, node, m):
        operand = self.expression(node.operand, m)
        return _called("__not", operand) if isinstance(node.op, ast.Not) else ast.UnaryOp(node.op, operand)

    def of_Compare(self, node, m):
        if len(node.ops) > 1:
            terms = [node.left, *node.comparators]
            links = [ast.copy_location(ast.Compare(a, [op], [b]), node) for a, op, b in zip(terms, node.ops, terms[1:])]
            return self.of_BoolOp(ast.copy_location(ast.BoolOp(ast.And(), links), node), m)
        return ast.Compare(self.expression(node.left, m), node.ops, [self.expression(c, m) for c in node.comparators])

    def _under(self, node):
        """A function of a mask for an expression."""
        inner = self.fresh("m")
        args = ast.arguments([], [ast.arg(inner)], None, [], [], None, [])
        return ast.Lambda(args, self.expression(node, inner))

    def of_BoolOp(self, node, m):
        first, *rest = node.values
        more = rest[0] if len(rest) == 1 else ast.copy_location(ast.BoolOp(node.op, rest), node)
        return _called("__and" if isinstance(node.op, ast.And) else "__or", _load(m), self.expression(first, m), self._under(more))

    def of_IfExp(self, node, m):
        return _called("__conditional", _load(m), self.expression(node.test, m), self._under(node.body), self._under(node.orelse))

    def of_Subscript(self, node, m):
        return ast.Call(
            ast.Attribute(_load("__L"), "get", ast.Load()),
            [_load(m), self.site(node), self.expression(node.value, m), self.expression(node.slice, m)],
            [],
        )

    def of_Call(self, node, m, name=""):
        if any(isinstance(a, ast.Starred) for a in node.args):
            self.refuse(node, "calls with * arguments")
        args = [self.expression(a, m) for a in node.args]
        keywords = [ast.keyword(k.arg, self.expression(k.value, m)) for k in node.keywords]
        if self.cuda_name(node.func):
            return ast.Call(self.expression(node.func, m), [_load(m), self.site(node, name), *args], keywords)
        if isinstance(node.func, ast.Name) and node.func.id == "len":
            return ast.Call(_load("len"), args, [])
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "astype", "conjugate"):
            return ast.Call(self.expression(node.func, m), args, keywords)
        if keywords:
            self.refuse(node, "calls with named arguments")
        return _called("__call", _load("__L"), _load(m), self.site(node), self.expression(node.func, m), *args)
