"""Element-wise functions composed from others: rounding to decimals, parts of numbers, tests of their kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import COMPLEX, FLOATING, INTEGER_OR_BOOL, float32, float_of, int64, real_of
from .._dtypes import bool as bool_
from .._operands import common
from ..elementwise import abs as _abs
from ..elementwise import (
    atan2,
    divide,
    equal,
    floor_divide,
    greater,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_or,
    multiply,
    not_equal,
    real,
    remainder,
    sin,
    trunc,
)
from ..elementwise import round as _round
from ..searching import where
from ..utility import all as _all
from ._operands import floating, operand, operands, operands_or_numbers
from .elementwise import rad2deg


def divmod(x1: Any, x2: Any, /) -> tuple[Array, Array]:
    """(floor_divide(x1, x2), remainder(x1, x2)), which broadcast.

    >>> import mtarray as xp
    >>> [part.tolist() for part in xp.divmod(xp.asarray([7, -7]), 3)]
    [[2, -3], [1, 2]]
    """
    x1, x2 = operands_or_numbers("divmod", x1, x2)
    return floor_divide(x1, x2), remainder(x1, x2)


def rint(x: Any, /) -> Array:
    """Each element rounded to the nearest integer, halves to even; always floating.

    >>> import mtarray as xp
    >>> xp.rint(xp.asarray([0.5, 1.5, -2.6]))
    Array([ 0.,  2., -3.], shape=(3,), dtype=float64, device='cpu')
    """
    x = operand(x, "rint")
    return _round(x.astype(float_of(x.dtype), copy=False))


def fix(x: Any, /) -> Array:
    """Each element rounded towards zero: `trunc`, which also takes booleans and leaves them as they are.

    >>> import mtarray as xp
    >>> xp.fix(xp.asarray([1.5, -1.5]))
    Array([ 1., -1.], shape=(2,), dtype=float64, device='cpu')
    """
    x = operand(x, "fix")
    return x.copy() if x.dtype is bool_ else trunc(x)


def around(a: Any, decimals: int = 0) -> Array:
    """Each element rounded to `decimals` decimal places (tens, hundreds, ... if negative), halves to even.

    The dtype stays; booleans become float32.

    >>> import mtarray as xp
    >>> xp.around(xp.asarray([1.25, 1.35, 12.0]), 1)
    Array([ 1.2,  1.4, 12. ], shape=(3,), dtype=float64, device='cpu')
    """
    a = operand(a, "around")
    if decimals == 0 or (decimals > 0 and a.dtype in INTEGER_OR_BOOL):
        return _round(a) if a.dtype is not bool_ else a.astype(float32)
    scale = 10.0 ** abs(decimals)
    x = floating(a)
    out = divide(_round(multiply(x, scale)), scale) if decimals > 0 else multiply(_round(divide(x, scale)), scale)
    return out.astype(float32 if a.dtype is bool_ else a.dtype, copy=False)


def sinc(x: Any) -> Array:
    """sin(pi x) / (pi x), which is 1 at 0.

    >>> import mtarray as xp
    >>> xp.sinc(xp.asarray([0.0, 0.5]))
    Array([1.        , 0.63661977], shape=(2,), dtype=float64, device='cpu')
    """
    x = floating(operand(x, "sinc"))
    angle = multiply(where(equal(x, 0), float(np.finfo(x.dtype).tiny) ** 0.5, x), math.pi)
    return divide(sin(angle), angle)


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    """`x` with NaN replaced by `nan` and infinities by `posinf` and `neginf` (the largest finite numbers if None).

    copy: False writes into `x`, which must then be an array.

    >>> import mtarray as xp
    >>> xp.nan_to_num(xp.asarray([xp.nan, 1.0, xp.inf]), posinf=9.0)
    Array([0., 1., 9.], shape=(3,), dtype=float64, device='cpu')
    """
    a = operand(x, "nan_to_num")
    if a.dtype not in FLOATING:
        return a.copy() if copy else a
    if a.dtype in COMPLEX:
        out = a.copy() if copy else a
        for part in (real(out), imag(out)):
            part[...] = _finite(part, nan, posinf, neginf)
        return out
    out = _finite(a, nan, posinf, neginf)
    if copy:
        return out
    a[...] = out
    return a


def _finite(x: Array, nan: Any, posinf: Any, neginf: Any) -> Array:
    info = np.finfo(x.dtype)
    x = where(isnan(x), nan, x).astype(x.dtype, copy=False)
    big, small = float(info.max) if posinf is None else posinf, float(info.min) if neginf is None else neginf
    out = where(isinf(x), where(greater(x, 0), big, small), x)
    return out.astype(x.dtype, copy=False)


def isclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> Array:
    """Whether |a - b| <= atol + rtol * |b|, for each pair of elements; infinities are close to themselves, NaN to NaN if `equal_nan`.

    >>> import mtarray as xp
    >>> xp.isclose(xp.asarray([1.0, 1.1]), 1.0 + 1e-9)
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    x, y = operands_or_numbers("isclose", a, b)
    if common(tuple([v.dtype if v.__class__ is Array else v.__class__ for v in (x, y)])) in INTEGER_OR_BOOL:
        y = floating(operand(y, "isclose", device=getattr(x, "device", None)))  # the difference of integers may wrap around
    u, v = (operand(z, "isclose", device=getattr(other, "device", None)) for z, other in ((x, y), (y, x)))
    bound = multiply(_abs(v), rtol) + atol
    near = logical_and(less_equal(_abs(x - y), bound), isfinite(v))
    out = logical_or(near, equal(x, y))
    return logical_or(out, logical_and(isnan(u), isnan(v))) if equal_nan else out


def allclose(a: Any, b: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close, in the sense of `isclose`.

    >>> import mtarray as xp
    >>> xp.allclose(xp.asarray([1.0, 2.0]), xp.asarray([1.0, 2.0 + 1e-9]))
    True
    """
    return bool(_all(isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether two arrays have the same shape and equal elements (NaN equals NaN only if `equal_nan`).

    >>> import mtarray as xp
    >>> xp.array_equal(xp.asarray([1, 2]), xp.asarray([1.0, 2.0]))
    True
    """
    x, y = operands((a1, a2), "array_equal")
    if x.shape != y.shape:
        return False
    same = equal(x, y)
    return bool(_all(logical_or(same, logical_and(isnan(x), isnan(y))) if equal_nan else same))


def array_equiv(a1: Any, a2: Any) -> bool:
    """Whether two arrays broadcast and have equal elements then.

    >>> import mtarray as xp
    >>> xp.array_equiv(xp.asarray([1, 2]), xp.asarray([[1, 2], [1, 2]]))
    True
    """
    x, y = operands((a1, a2), "array_equiv")
    try:
        return bool(_all(equal(x, y)))
    except ValueError:
        return False


def isreal(x: Any) -> Array:
    """Whether each element has no imaginary part.

    >>> import mtarray as xp
    >>> xp.isreal(xp.asarray([1 + 1j, 2 + 0j]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return equal(imag(operand(x, "isreal")), 0)


def iscomplex(x: Any) -> Array:
    """Whether each element has an imaginary part that is not 0.

    >>> import mtarray as xp
    >>> xp.iscomplex(xp.asarray([1 + 1j, 2 + 0j]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return not_equal(imag(operand(x, "iscomplex")), 0)


def isrealobj(x: Any) -> bool:
    """Whether `x` has a real dtype.

    >>> import mtarray as xp
    >>> xp.isrealobj(xp.asarray([1.0]))
    True
    """
    return operand(x, "isrealobj").dtype not in COMPLEX


def isposinf(x: Any) -> Array:
    """Whether each real element is +infinity. TypeError for complex arrays.

    >>> import mtarray as xp
    >>> xp.isposinf(xp.asarray([xp.inf, -xp.inf, 0.0]))
    Array([ True, False, False], shape=(3,), dtype=bool, device='cpu')
    """
    x = _ordered(x, "isposinf")
    return logical_and(isinf(x), greater(x, 0))


def isneginf(x: Any) -> Array:
    """Whether each real element is -infinity. TypeError for complex arrays.

    >>> import mtarray as xp
    >>> xp.isneginf(xp.asarray([xp.inf, -xp.inf, 0.0]))
    Array([False,  True, False], shape=(3,), dtype=bool, device='cpu')
    """
    x = _ordered(x, "isneginf")
    return logical_and(isinf(x), less(x, 0))


def _ordered(x: Any, where: str) -> Array:
    x = operand(x, where)
    if x.dtype in COMPLEX:
        raise TypeError(f"{where} is not defined for {x.dtype}: complex infinities have no sign")
    return x


def real_if_close(a: Any, tol: float = 100) -> Array:
    """The real parts if all imaginary ones are below `tol` (machine epsilons if above 1), else `a` itself.

    >>> import mtarray as xp
    >>> xp.real_if_close(xp.asarray([2.0 + 1e-15j]))
    Array([2.], shape=(1,), dtype=float64, device='cpu')
    """
    a = operand(a, "real_if_close")
    if a.dtype not in COMPLEX:
        return a
    if tol > 1:
        tol = float(np.finfo(real_of(a.dtype)).eps) * tol
    return real(a) if bool(_all(less(_abs(imag(a)), tol))) else a


def angle(z: Any, deg: bool = False) -> Array:
    """Argument of each complex element in radians (degrees if `deg`), from -pi to pi.

    >>> import mtarray as xp
    >>> xp.angle(xp.asarray([1j, -1.0 + 0j]), deg=True)
    Array([ 90., 180.], shape=(2,), dtype=float64, device='cpu')
    """
    z = operand(z, "angle")
    z = z.astype(int64) if z.dtype is bool_ else z
    out = atan2(imag(z), real(z))
    return rad2deg(out) if deg else out


__all__ = [
    "allclose", "angle", "around", "array_equal", "array_equiv", "divmod", "fix", "isclose", "iscomplex", "isneginf", "isposinf",
    "isreal", "isrealobj", "nan_to_num", "real_if_close", "rint", "sinc",
]  # fmt: skip
