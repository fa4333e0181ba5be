"""`mtarray.strict()` against array-api-strict: what that refuses, strict mode refuses; what that accepts, strict mode accepts.

Each expression is written once over a namespace `xp` and the operands `o`, and evaluated in four ways: array-api-strict, strict mode,
NumPy, and mtarray as it is by default, which must take whatever NumPy takes.
"""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import array_api_strict
import numpy as np
import pytest

import mtarray

REFUSED = (TypeError, ValueError, IndexError, OverflowError, AttributeError)

Expression = Callable[[Any, Any], Any]


def operands(xp: Any) -> Any:
    """Arrays of a namespace by short names: two dimensions unless said otherwise."""
    return SimpleNamespace(
        f=xp.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        f4=xp.asarray([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], dtype=xp.float32),
        i=xp.asarray([[1, 2, 3], [4, 5, 6]]),
        i1=xp.asarray([[1, 2, 3], [4, 5, 6]], dtype=xp.int8),
        u1=xp.asarray([[1, 2, 3], [4, 5, 6]], dtype=xp.uint8),
        u8=xp.asarray([[1, 2, 3], [4, 5, 6]], dtype=xp.uint64),
        b=xp.asarray([[True, False, True], [False, True, False]]),
        c=xp.asarray([[1 + 1j, 2.0, 3.0], [4.0, 5j, 6.0]]),
        c8=xp.asarray([[1 + 1j, 2.0, 3.0], [4.0, 5j, 6.0]], dtype=xp.complex64),
        v=xp.asarray([3.0, 1.0, 2.0]),
        vi=xp.asarray([2, 0, 1]),
        vb=xp.asarray([True, False, True]),
        s=xp.asarray(1.5),
        si=xp.asarray(1),
        sq=xp.asarray([[2.0, 1.0], [1.0, 3.0]]),
        sqi=xp.asarray([[2, 1], [1, 3]]),
        t=xp.asarray([[[1.0, 2.0], [3.0, 4.0]]]),
    )


def assign(x: Any, key: Any, value: Any) -> Any:
    x[key] = value
    return x


def inplace(x: Any, symbol: str, y: Any) -> Any:
    scope = {"x": x, "y": y}
    exec(f"x {symbol} y", scope)
    return scope["x"]


DTYPES = ("f", "f4", "i", "i1", "u1", "u8", "b", "c", "c8")
BINARY = (
    "add subtract multiply divide floor_divide remainder pow atan2 hypot copysign nextafter logaddexp maximum minimum equal not_equal less "
    "greater_equal logical_and logical_xor bitwise_and bitwise_left_shift"
).split()
UNARY = (
    "abs acos asinh bitwise_invert ceil conj cos exp expm1 floor imag isfinite isnan log log1p logical_not negative positive real "
    "reciprocal round sign signbit sin sqrt square tanh trunc"
).split()
SYMBOLS: dict[str, Expression] = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y, "//": lambda x, y: x // y,
    "%": lambda x, y: x % y, "**": lambda x, y: x**y, "<": lambda x, y: x < y, "==": lambda x, y: x == y, "&": lambda x, y: x & y,
    "<<": lambda x, y: x << y, "@": lambda x, y: x @ y.mT,
}  # fmt: skip
SCALARS = (True, 1, 2.0, 1j, np.float64(2), np.int64(1))

CASES: dict[str, Expression] = {}


def case(name: str, expression: Expression) -> None:
    assert name not in CASES
    CASES[name] = expression


for name in BINARY:
    for a, b in [(a, b) for a in DTYPES for b in DTYPES if DTYPES.index(a) <= DTYPES.index(b)]:
        case(f"{name}({a}, {b})", lambda xp, o, n=name, a=a, b=b: getattr(xp, n)(getattr(o, a), getattr(o, b)))
for name in UNARY:
    for a in DTYPES:
        case(f"{name}({a})", lambda xp, o, n=name, a=a: getattr(xp, n)(getattr(o, a)))
for symbol, f in SYMBOLS.items():
    for a, b in [("f", "f"), ("f", "i"), ("i", "u8"), ("i1", "u1"), ("b", "b"), ("b", "i"), ("c", "f4"), ("f4", "f")]:
        case(f"{a} {symbol} {b}", lambda xp, o, f=f, a=a, b=b: f(getattr(o, a), getattr(o, b)))
    if symbol != "@":
        for a in DTYPES:
            for k in SCALARS:
                case(f"{a} {symbol} {k!r}", lambda xp, o, f=f, a=a, k=k: f(getattr(o, a), k))
                if symbol in ("+", "<") and not isinstance(k, np.generic):
                    case(f"{k!r} {symbol} {a}", lambda xp, o, f=f, a=a, k=k: f(k, getattr(o, a)))
for symbol in ("+=", "*=", "&=", "/="):
    for a in ("f", "f4", "i", "i1", "b"):
        for b in ("f", "f4", "i", "i1", "b"):
            case(f"{a} {symbol} {b}", lambda xp, o, s=symbol, a=a, b=b: inplace(getattr(o, a), s, getattr(o, b)))
        for k in (True, 2, 2.0):
            case(f"{a} {symbol} {k!r}", lambda xp, o, s=symbol, a=a, k=k: inplace(getattr(o, a), s, k))
for name in (
    "sum",
    "prod",
    "max",
    "min",
    "mean",
    "std",
    "var",
    "any",
    "all",
    "argmax",
    "argmin",
    "cumulative_sum",
    "cumulative_prod",
    "sort",
    "argsort",
):
    for a in DTYPES:
        case(f"{name}({a}, axis=1)", lambda xp, o, n=name, a=a: getattr(xp, n)(getattr(o, a), axis=1))
for name in ("linalg.inv", "linalg.det", "linalg.cholesky", "linalg.svdvals", "linalg.trace", "linalg.matrix_rank", "linalg.pinv"):
    for a in ("sq", "sqi", "i", "b", "c"):
        case(f"{name}({a})", lambda xp, o, n=name, a=a: getattr(xp.linalg, n[7:])(getattr(o, a)[:, :2]))
for name in ("fft", "ifft", "rfft", "irfft", "hfft", "fftn"):
    for a in DTYPES:
        case(f"fft.{name}({a})", lambda xp, o, n=name, a=a: getattr(xp.fft, n)(getattr(o, a)))
for a in DTYPES:
    for b in DTYPES:
        case(f"{a}.astype({b})", lambda xp, o, a=a, b=b: xp.astype(getattr(o, a), getattr(o, b).dtype))
        case(f"concat({a}, {b})", lambda xp, o, a=a, b=b: xp.concat([getattr(o, a), getattr(o, b)]))
        case(f"where(b, {a}, {b})", lambda xp, o, a=a, b=b: xp.where(o.b, getattr(o, a), getattr(o, b)))
        case(f"result_type({a}, {b})", lambda xp, o, a=a, b=b: xp.zeros(1, dtype=xp.result_type(getattr(o, a), getattr(o, b))))
        case(f"can_cast({a}, {b})", lambda xp, o, a=a, b=b: xp.can_cast(getattr(o, a), getattr(o, b).dtype))
        case(f"matmul({a}, {b})", lambda xp, o, a=a, b=b: xp.matmul(getattr(o, a), getattr(o, b).mT))
        case(f"{a}[0, 0] = {b}", lambda xp, o, a=a, b=b: assign(getattr(o, a), (0, 0), getattr(o, b)[0, 0]))
    for k in SCALARS[:4]:
        case(f"{a}[...] = {k!r}", lambda xp, o, a=a, k=k: assign(getattr(o, a), ..., k))

INDEXING: dict[str, Expression] = {
    "f[0, 1]": lambda xp, o: o.f[0, 1],
    "f[0, ...]": lambda xp, o: o.f[0, ...],
    "f[0]": lambda xp, o: o.f[0],
    "f[:]": lambda xp, o: o.f[:],
    "f[0:1]": lambda xp, o: o.f[0:1],
    "f[:, 1]": lambda xp, o: o.f[:, 1],
    "f[:, ::-1]": lambda xp, o: o.f[:, ::-1],
    "f[:, None, 1]": lambda xp, o: o.f[:, None, 1],
    "f[None]": lambda xp, o: o.f[None],
    "f[None, ...]": lambda xp, o: o.f[None, ...],
    "f[...]": lambda xp, o: o.f[...],
    "f[()]": lambda xp, o: o.f[()],
    "s[()]": lambda xp, o: o.s[()],
    "s[...]": lambda xp, o: o.s[...],
    "s[None]": lambda xp, o: o.s[None],
    "v[0]": lambda xp, o: o.v[0],
    "v[-3]": lambda xp, o: o.v[-3],
    "v[3]": lambda xp, o: o.v[3],
    "v[0:3]": lambda xp, o: o.v[0:3],
    "v[0:4]": lambda xp, o: o.v[0:4],
    "v[-4:]": lambda xp, o: o.v[-4:],
    "v[4:]": lambda xp, o: o.v[4:],
    "v[3:]": lambda xp, o: o.v[3:],
    "v[::2]": lambda xp, o: o.v[::2],
    "v[2::-1]": lambda xp, o: o.v[2::-1],
    "v[True]": lambda xp, o: o.v[True],
    "v[[0, 1]]": lambda xp, o: o.v[[0, 1]],
    "v[1.0]": lambda xp, o: o.v[1.0],
    "v[np.int64]": lambda xp, o: o.v[np.int64(1)],
    "v[ndarray]": lambda xp, o: o.v[np.asarray([0, 1])],
    "v[vi]": lambda xp, o: o.v[o.vi],
    "v[si]": lambda xp, o: o.v[o.si],
    "v[vb]": lambda xp, o: o.v[o.vb],
    "f[vi]": lambda xp, o: o.f[o.vi % 2],
    "f[vi, vi]": lambda xp, o: o.f[o.vi % 2, o.vi],
    "f[vi, 0]": lambda xp, o: o.f[o.vi % 2, 0],
    "f[:, vi]": lambda xp, o: o.f[:, o.vi],
    "f[..., vi]": lambda xp, o: o.f[..., o.vi],
    "f[None, vi, vi]": lambda xp, o: o.f[None, o.vi % 2, o.vi],
    "f[b]": lambda xp, o: o.f[o.b],
    "f[vb[:2]]": lambda xp, o: o.f[o.vb[:2]],
    "f[b, ...]": lambda xp, o: o.f[o.b, ...],
    "f[:, vb]": lambda xp, o: o.f[:, o.vb],
    "f[0, vb]": lambda xp, o: o.f[0, o.vb],
    "f[f]": lambda xp, o: o.f[o.f],
    "f[0, 0, 0]": lambda xp, o: o.f[0, 0, 0],
    "f[..., 0, ...]": lambda xp, o: o.f[..., 0, ...],
    "f['a']": lambda xp, o: o.f["a"],
    "v[0] = 1": lambda xp, o: assign(o.v, 0, 1),
    "f[0] = 1": lambda xp, o: assign(o.f, 0, 1.0),
    "f[0, ...] = v": lambda xp, o: assign(o.f, (0, ...), o.v),
    "f[:, 1] = s": lambda xp, o: assign(o.f, (slice(None), 1), o.s),
    "f[b] = 0": lambda xp, o: assign(o.f, o.b, 0.0),
    "f[None] = 0": lambda xp, o: assign(o.f, None, 0.0),
    "v[vi] = 0": lambda xp, o: assign(o.v, o.vi, 0.0),
    "v[si] = 0": lambda xp, o: assign(o.v, o.si, 0.0),
    "v[0:9] = 0": lambda xp, o: assign(o.v, slice(0, 9), 0.0),
    "v[:] = [1, 2, 3]": lambda xp, o: assign(o.v, slice(None), [1.0, 2.0, 3.0]),
    "v[:] = ndarray": lambda xp, o: assign(o.v, slice(None), np.ones(3)),
    "v[0] = np.float64": lambda xp, o: assign(o.v, 0, np.float64(1)),
    "list(v)": lambda xp, o: xp.stack(list(o.v)),
    "list(f)": lambda xp, o: xp.stack(list(o.f)),
    "len(v)": lambda xp, o: xp.asarray(len(o.v)),
    "1.0 in v": lambda xp, o: xp.asarray(1.0 in o.v),
}  # fmt: skip

FUNCTIONS: dict[str, Expression] = {
    "asarray list": lambda xp, o: xp.asarray([1.0, 2.0]),
    "asarray of arrays": lambda xp, o: xp.asarray([o.v, o.v]),
    "add ndarray": lambda xp, o: xp.add(o.v, np.ones(3)),
    "operator ndarray": lambda xp, o: o.v + np.ones(3),
    "add list": lambda xp, o: xp.add(o.v, [1.0, 2.0, 3.0]),
    "sin ndarray": lambda xp, o: xp.sin(np.ones(3)),
    "sin number": lambda xp, o: xp.sin(1.0),
    "add numbers": lambda xp, o: xp.add(1.0, 2.0),
    "add scalar": lambda xp, o: xp.add(o.v, 1.0),
    "add scalar first": lambda xp, o: xp.add(1.0, o.v),
    "add scalar beyond": lambda xp, o: xp.add(o.u1, 300),
    "add int to bool": lambda xp, o: xp.add(o.b, 1),
    "sum ndarray": lambda xp, o: xp.sum(np.ones(3)),
    "concat ndarray": lambda xp, o: xp.concat([o.v, np.ones(3)]),
    "stack list": lambda xp, o: xp.stack([[1.0, 2.0], [3.0, 4.0]]),
    "stack kinds": lambda xp, o: xp.stack([o.f, o.i]),
    "stack widths": lambda xp, o: xp.stack([o.f, o.f4]),
    "take": lambda xp, o: xp.take(o.v, o.vi, axis=0),
    "take without axis": lambda xp, o: xp.take(o.v, o.vi),
    "take list": lambda xp, o: xp.take(o.v, [0, 1], axis=0),
    "take of two dimensions": lambda xp, o: xp.take(o.v, o.i % 3, axis=0),
    "take bool": lambda xp, o: xp.take(o.v, o.vb, axis=0),
    "take_along_axis": lambda xp, o: xp.take_along_axis(o.v, o.vi, axis=0),
    "searchsorted": lambda xp, o: xp.searchsorted(xp.sort(o.v), o.v),
    "searchsorted kinds": lambda xp, o: xp.searchsorted(xp.sort(o.v), o.vi),
    "searchsorted number": lambda xp, o: xp.searchsorted(xp.sort(o.v), 2.0),
    "searchsorted complex": lambda xp, o: xp.searchsorted(o.c[0, :], o.c[0, :]),
    "where numbers": lambda xp, o: xp.where(o.b, 1.0, o.f),
    "where two numbers": lambda xp, o: xp.where(o.b, 1.0, 2.0),
    "where alone": lambda xp, o: xp.where(o.b),
    "where integer condition": lambda xp, o: xp.where(o.i, o.f, o.f),
    "clip": lambda xp, o: xp.clip(o.f, 1.0, 2.0),
    "clip kinds": lambda xp, o: xp.clip(o.i, 1.5, 2.5),
    "clip complex": lambda xp, o: xp.clip(o.c, 1.0, 2.0),
    "clip arrays": lambda xp, o: xp.clip(o.f, o.f4, 4.0),
    "reshape tuple": lambda xp, o: xp.reshape(o.f, (3, 2)),
    "reshape list": lambda xp, o: xp.reshape(o.f, [3, 2]),
    "reshape int": lambda xp, o: xp.reshape(o.f, -1),
    "squeeze": lambda xp, o: xp.squeeze(o.t, axis=0),
    "expand_dims": lambda xp, o: xp.expand_dims(o.f, axis=0),
    "tile": lambda xp, o: xp.tile(o.f, (2, 1)),
    "tile int": lambda xp, o: xp.tile(o.f, 2),
    "repeat": lambda xp, o: xp.repeat(o.v, 2),
    "repeat array": lambda xp, o: xp.repeat(o.v, o.vi),
    "repeat list": lambda xp, o: xp.repeat(o.v, [1, 2, 3]),
    "roll": lambda xp, o: xp.roll(o.f, (1, 1), axis=(0, 1)),
    "roll list": lambda xp, o: xp.roll(o.f, [1, 1], axis=(0, 1)),
    "flip": lambda xp, o: xp.flip(o.f),
    "moveaxis": lambda xp, o: xp.moveaxis(o.t, 0, -1),
    "permute_dims": lambda xp, o: xp.permute_dims(o.t, (2, 0, 1)),
    "unstack": lambda xp, o: xp.unstack(o.f)[1],
    "broadcast_to": lambda xp, o: xp.broadcast_to(o.v, (2, 3)),
    "broadcast_arrays": lambda xp, o: xp.broadcast_arrays(o.v, o.i)[1],
    "meshgrid": lambda xp, o: xp.meshgrid(o.v, o.v)[0],
    "meshgrid kinds": lambda xp, o: xp.meshgrid(o.v, o.vi)[0],
    "tril": lambda xp, o: xp.tril(o.f, k=1),
    "eye": lambda xp, o: xp.eye(2, 3, k=1),
    "full": lambda xp, o: xp.full((2,), 1.5),
    "full with an array": lambda xp, o: xp.full((2,), o.s),
    "full_like": lambda xp, o: xp.full_like(o.f, 3),
    "linspace": lambda xp, o: xp.linspace(0, 1, 3),
    "arange": lambda xp, o: xp.arange(0, 5, 2),
    "zeros of a name": lambda xp, o: xp.zeros(2, dtype="float32"),
    "zeros of float": lambda xp, o: xp.zeros(2, dtype=float),
    "astype of a name": lambda xp, o: xp.astype(o.f, "float32"),
    "isdtype": lambda xp, o: xp.isdtype(o.f.dtype, "real floating"),
    "isdtype of a name": lambda xp, o: xp.isdtype("float64", "real floating"),
    "finfo": lambda xp, o: xp.finfo(xp.float32).bits,
    "result_type scalar": lambda xp, o: xp.zeros(1, dtype=xp.result_type(o.f4, 1.0)),
    "result_type kinds": lambda xp, o: xp.zeros(1, dtype=xp.result_type(o.i, 1.0)),
    "nonzero": lambda xp, o: xp.nonzero(o.f)[0],
    "nonzero 0-d": lambda xp, o: xp.nonzero(o.s),
    "count_nonzero": lambda xp, o: xp.count_nonzero(o.f),
    "unique_values": lambda xp, o: xp.sort(xp.unique_values(o.f)),
    "unique_counts": lambda xp, o: xp.unique_counts(o.vi).counts,
    "isin": lambda xp, o: xp.isin(o.vi, o.vi),
    "isin kinds": lambda xp, o: xp.isin(o.vi, o.v),
    "diff": lambda xp, o: xp.diff(o.v),
    "diff prepend": lambda xp, o: xp.diff(o.v, prepend=o.v[:1]),
    "diff bool": lambda xp, o: xp.diff(o.vb),
    "sum dtype": lambda xp, o: xp.sum(o.i, dtype=xp.float64),
    "sum axes": lambda xp, o: xp.sum(o.f, axis=(0, 1)),
    "cumulative_sum flat": lambda xp, o: xp.cumulative_sum(o.f),
    "cumulative_sum 0-d": lambda xp, o: xp.cumulative_sum(o.s),
    "cumulative_sum initial": lambda xp, o: xp.cumulative_sum(o.v, include_initial=True),
    "var correction": lambda xp, o: xp.var(o.f, correction=1),
    "vecdot": lambda xp, o: xp.vecdot(o.v, o.v),
    "vecdot kinds": lambda xp, o: xp.vecdot(o.v, o.vi),
    "tensordot": lambda xp, o: xp.tensordot(o.f, o.f, axes=2),
    "tensordot kinds": lambda xp, o: xp.tensordot(o.f, o.i, axes=2),
    "matrix_transpose": lambda xp, o: xp.matrix_transpose(o.f),
    "T": lambda xp, o: o.f.T,
    "T of three": lambda xp, o: o.t.T,
    "mT": lambda xp, o: o.t.mT,
    "real": lambda xp, o: xp.real(o.c),
    "linalg.norm": lambda xp, o: xp.linalg.vector_norm(o.f),
    "linalg.norm of integers": lambda xp, o: xp.linalg.vector_norm(o.i),
    "linalg.matrix_norm of integers": lambda xp, o: xp.linalg.matrix_norm(o.i),
    "linalg.solve": lambda xp, o: xp.linalg.solve(o.sq, o.sq),
    "linalg.solve kinds": lambda xp, o: xp.linalg.solve(o.sq, o.sqi),
    "linalg.cross": lambda xp, o: xp.linalg.cross(o.v, o.v),
    "linalg.cross kinds": lambda xp, o: xp.linalg.cross(o.v, o.vi),
    "linalg.outer": lambda xp, o: xp.linalg.outer(o.v, o.v),
    "linalg.outer of booleans": lambda xp, o: xp.linalg.outer(o.vb, o.vb),
    "linalg.diagonal": lambda xp, o: xp.linalg.diagonal(o.f),
    "linalg.matrix_power": lambda xp, o: xp.linalg.matrix_power(o.sq, 2),
    "linalg.eigh": lambda xp, o: xp.linalg.eigh(o.sq).eigenvalues,
    "linalg.slogdet": lambda xp, o: xp.linalg.slogdet(o.sq).logabsdet,
    "linalg.qr": lambda xp, o: xp.linalg.qr(o.sq).R,
    "linalg.svd": lambda xp, o: xp.linalg.svd(o.f).S,
    "fft.fftfreq": lambda xp, o: xp.fft.fftfreq(4),
    "fft.fftshift": lambda xp, o: xp.fft.fftshift(o.v),
    "bool": lambda xp, o: bool(o.b[0, 0]),
    "bool of one": lambda xp, o: bool(o.b[:1, :1]),
    "float of one": lambda xp, o: float(o.v[:1]),
    "int of one": lambda xp, o: int(o.vi[:1]),
    "complex of one": lambda xp, o: complex(o.v[:1]),
    "float of complex": lambda xp, o: float(o.c[0, 0]),
    "index": lambda xp, o: range(5)[o.si],
    "x.sum": lambda xp, o: o.f.sum(),
    "x.reshape": lambda xp, o: o.f.reshape(3, 2),
    "concatenate": lambda xp, o: xp.concatenate([o.v, o.v]),
    "nansum": lambda xp, o: xp.nansum(o.v),
    "median": lambda xp, o: xp.median(o.v),
    "einsum": lambda xp, o: xp.einsum("ij->i", o.f),
    "power": lambda xp, o: xp.power(o.f, 2.0),
    "absolute": lambda xp, o: xp.absolute(o.f),
}  # fmt: skip
for name, expression in (*INDEXING.items(), *FUNCTIONS.items()):
    case(name, expression)

# Where strict mode is not as strict, and why.
LENIENT = {
    # The standard leaves these to the library.
    "len(v)",
    # Methods, and other names of a function that the standard has, are not hidden.
    "x.sum", "x.reshape", "power", "absolute",
    # A dtype is named by whatever NumPy takes for its name.
    "zeros of a name", "zeros of float", "astype of a name", "isdtype of a name",
    # The standard says what clip does where min is above max.
    "clip arrays",
}  # fmt: skip

# Where it is stricter, because the standard is: kinds do not mix in products, complex numbers have no order, ranks are of floating
# matrices, and NumPy's scalars are not Python's.
STRICTER = {f"matmul({a}, {b})" for a in DTYPES for b in DTYPES if a != b}
STRICTER |= {f"{n} kinds" for n in ("vecdot", "tensordot", "linalg.cross")} | {f"linalg.matrix_rank({a})" for a in ("sqi", "i", "b")}
STRICTER |= {"f < 1j", "f4 < 1j", "1j < f", "1j < f4", "v[0] = np.float64"}


def outcome(expression: Expression, xp: Any) -> tuple[Any, BaseException | None]:
    try:
        with np.errstate(all="ignore"):
            return expression(xp, operands(xp)), None
    except REFUSED as error:
        return None, error


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_strict(name: str) -> None:
    expression = CASES[name]
    reference, refused = outcome(expression, array_api_strict)
    with mtarray.strict():
        ours, error = outcome(expression, mtarray)
    if refused is not None:
        if name not in LENIENT:
            assert error is not None, f"array-api-strict: {refused!r}"
    else:
        if error is not None and name in STRICTER:
            assert isinstance(error, TypeError)
            return
        assert error is None, error
        assert type(ours) is mtarray.Array or type(ours) is type(reference)
        if type(ours) is mtarray.Array:
            assert ours.shape == reference.shape
            assert ours.dtype.name == str(reference.dtype).rsplit(".", maxsplit=1)[-1]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_off_by_default(name: str) -> None:
    """Outside strict mode the expression does what it does in NumPy, where NumPy knows it."""
    expected, refused = outcome(CASES[name], np)
    ours, error = outcome(CASES[name], mtarray)
    if refused is None:
        if error is not None:
            assert any(reason in str(error) for reason in ON_PURPOSE), error
        elif isinstance(ours, mtarray.Array) and not name.startswith("reciprocal("):
            short = any(np.asarray(a).dtype == np.float16 for a in (expected, ours))  # NumPy's answer to bytes: we give float32
            np.testing.assert_allclose(np.asarray(ours), expected, rtol=2e-3 if short else 1e-6, atol=1e-12)


# What we refuse though NumPy takes it, by what the error says.
ON_PURPOSE = (
    "complex",  # no order, and no silent loss of imaginary parts
    "not defined for bool",  # NumPy turns booleans into bytes or half precision there
    "convert it with mtarray.asarray",  # lists are not operands
    "indices must be integers, not bool",
)


def test_switch() -> None:
    x, y = mtarray.asarray([1]), mtarray.asarray([1.5])
    token = mtarray.strict()
    try:
        with pytest.raises(TypeError, match="strict"):
            x + y
        with mtarray.strict(False):
            assert (x + y).tolist() == [2.5]
        with pytest.raises(TypeError, match="strict"):
            x + y
        seen: list[Any] = []
        thread = threading.Thread(target=lambda: seen.append((x + y).tolist()))
        thread.start()
        thread.join()
        assert seen == [[2.5]]
    finally:
        token.__exit__(None, None, None)
    assert (x + y).tolist() == [2.5]
