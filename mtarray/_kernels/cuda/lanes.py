"""The function of one thread as a function of many: what the simulator runs.

A kernel's source is rewritten once (see `lane_rewriting`), so that every value is either that of all threads (a number) or an ndarray with
one element a thread (a *lane*), and every statement runs under a mask, the lanes that reach it. What the rewritten source calls is here:
masks, loops, choices and functions of lanes. Whatever touches memory or other threads becomes a call that is told the mask and the place in
the source, and checks what hardware does not (see `lane_memory`, `lane_names`).

A mask is True (all lanes), False (none) or an ndarray of truth values that are neither all true nor all false.
"""

import ast
import functools
import inspect
import math
import textwrap
import threading
import types

import numpy as np

from .lane_rewriting import compiled

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


# ---------------------------------------------------------------------- rewritten functions

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


def instance(code, name, scope):
    scope.update(_HELPERS)
    exec(code, scope)
    return scope[name]
