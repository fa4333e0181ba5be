"""Sums, products, quotients, signs and magnitudes."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import ALL, COMPLEX, FLOATING, NUMERIC, REAL, float64, real_of
from .._kernels import numpy_complex
from .._operands import common
from .._ops import CHEAP, SLOW, Vjp, elementwise
from .complex import conj, real

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="add", dunder="__add__", limit=CHEAP, derivative=(1, 1))
def add(x1, x2):
    """Sum of each pair of elements.

    >>> import mtarray as xp
    >>> xp.add(xp.asarray([1, 2]), xp.asarray([10, 20]))
    Array([11, 22], shape=(2,), dtype=int64, device='cpu')
    """
    return x1 + x2


@elementwise(dtypes=NUMERIC, numpy="subtract", dunder="__sub__", limit=CHEAP, derivative=(1, -1))
def subtract(x1, x2):
    """Difference `x1 - x2` of each pair of elements. Unsigned integers wrap around.

    >>> import mtarray as xp
    >>> xp.subtract(xp.asarray([1.5, 2.0]), 1)
    Array([0.5, 1. ], shape=(2,), dtype=float64, device='cpu')
    """
    return x1 - x2


@elementwise(dtypes=ALL, standard=NUMERIC, numpy="multiply", dunder="__mul__", limit=CHEAP, derivative=(lambda x2: x2, lambda x1: x1))
def multiply(x1, x2):
    """Product of each pair of elements.

    >>> import mtarray as xp
    >>> xp.multiply(xp.asarray([1, 2]), xp.asarray([[3], [4]]))
    Array([[3, 6],
           [4, 8]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return x1 * x2


def _floating_division(key: tuple[Any, ...]) -> Any:
    d = common(key)
    d = d if d in FLOATING else float64
    return (d, d), (d,)


def _numpy_scaled_product(x1: Any, x2: Any, c: Any) -> Any:
    y = x1 * x2
    return np.multiply(y, c, y if y.__class__ is np.ndarray else None)


@elementwise(
    dtypes=FLOATING,
    numpy=_numpy_scaled_product,
    limit=CHEAP,
    derivative=(lambda g, x2, c: _scaled_product(g, x2, c), lambda g, x1, c: _scaled_product(g, x1, c), lambda x1, x2: x1 * x2),
)
def _scaled_product(x1, x2, c):
    """x1 * x2 * c, in one pass: what quotients carry back to their divisors, and squares."""
    return x1 * x2 * c


@elementwise(
    dtypes=FLOATING,
    numpy="divide",
    corrected={"c": numpy_complex.divide},
    dunder="__truediv__",
    limit=CHEAP,
    rule=_floating_division,
    derivative=(lambda g, x2: g / x2, lambda by_x1, y: _scaled_product(by_x1, y, -1)),
)
def divide(x1, x2):
    """Quotient `x1 / x2` of each pair of elements, always floating (integers divide as float64); dividing by 0 gives inf or NaN.

    >>> import mtarray as xp
    >>> xp.divide(xp.asarray([1.0, 0.0]), xp.asarray([4.0, 0.0]))
    Array([0.25,  nan], shape=(2,), dtype=float64, device='cpu')
    """
    return math.divide(x1, x2)


def _floor_divide(x1: Any, x2: Any) -> Any:
    # NumPy pairs `//` with `%`, which gives NaN for inf // 2; the standard's text asks for floor(x1 / x2) there.
    out = np.floor_divide(x1, x2)
    special = np.isinf(x1) | np.isinf(x2)
    return np.where(special, np.floor(x1 / x2), out) if special.any() else out


@elementwise(
    dtypes=REAL, numpy="floor_divide", corrected={"f": _floor_divide}, dunder="__floordiv__", limit=SLOW, errors=True, derivative=(0, 0)
)
def floor_divide(x1, x2):
    """Largest integer-valued number not above `x1 / x2`, for each pair of elements.

    An infinite operand follows floor(x1 / x2), as the standard prefers: inf // 2 is inf. Integers divided by 0 give 0.

    >>> import mtarray as xp
    >>> xp.floor_divide(xp.asarray([7, -7]), 2)
    Array([ 3, -4], shape=(2,), dtype=int64, device='cpu')
    """
    return math.floor_divide(x1, x2)


@elementwise(
    dtypes=REAL, numpy="remainder", dunder="__mod__", limit=SLOW, errors=True, derivative=(1, lambda x1, x2: -floor_divide(x1, x2))
)
def remainder(x1, x2):
    """Remainder of division, with the sign of `x2` (Python's `%`). Integers modulo 0 give 0.

    >>> import mtarray as xp
    >>> xp.remainder(xp.asarray([7, -7]), 3)
    Array([1, 2], shape=(2,), dtype=int64, device='cpu')
    """
    return math.remainder(x1, x2)


@elementwise(dtypes=NUMERIC, numpy="negative", dunder="__neg__", limit=CHEAP, derivative=-1)
def negative(x):
    """Each element with its sign changed (unsigned integers wrap around).

    >>> import mtarray as xp
    >>> xp.negative(xp.asarray([1, -2]))
    Array([-1,  2], shape=(2,), dtype=int64, device='cpu')
    """
    return -x


@elementwise(dtypes=NUMERIC, numpy="positive", dunder="__pos__", limit=CHEAP, derivative=1)
def positive(x):
    """Each element unchanged, in a new array.

    >>> import mtarray as xp
    >>> xp.positive(xp.asarray([1, -2]))
    Array([ 1, -2], shape=(2,), dtype=int64, device='cpu')
    """
    return x


def _sign_vjp(g: Array, x: Array, y: Array) -> Array | None:
    """A real sign is constant; a complex one turns with its argument."""
    if x.dtype not in COMPLEX:
        return None
    return (g - y * real(conj(y) * g)) / abs(x)


@elementwise(
    dtypes=ALL, standard=NUMERIC, numpy="absolute", dunder="__abs__", limit=CHEAP, result=real_of, derivative=lambda x: conj(sign(x))
)
def abs(x):
    """Magnitude of each element; of complex elements the modulus, as a real array.

    >>> import mtarray as xp
    >>> xp.abs(xp.asarray([-2.0, 3.0]))
    Array([2., 3.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.fabs(x)


def _sign(x: Any) -> Any:
    # By the rules of complex division, as the standard asks: NaN for infinite x, where NumPy gives a point of the unit circle.
    size = np.hypot(x.real, x.imag)
    out = np.array(x)
    other = size != 0
    out.real[other] = x.real[other] / size[other]
    out.imag[other] = x.imag[other] / size[other]
    out[~other] = 0
    out[np.isnan(size)] = complex(np.nan, np.nan)
    return out


@elementwise(dtypes=NUMERIC, numpy="sign", corrected={"c": _sign}, limit=CHEAP, derivative=Vjp(_sign_vjp))
def sign(x):
    """-1, 0 or 1 by the sign of each element; x / abs(x) for complex ones, NaN for NaN.

    >>> import mtarray as xp
    >>> xp.sign(xp.asarray([-2.5, 0.0, 4.0]))
    Array([-1.,  0.,  1.], shape=(3,), dtype=float64, device='cpu')
    """
    return math.sign(x)


@elementwise(dtypes=NUMERIC, numpy="square", limit=CHEAP, derivative=lambda g, x: _scaled_product(g, x, 2))
def square(x):
    """Each element times itself.

    >>> import mtarray as xp
    >>> xp.square(xp.asarray([2, 3]))
    Array([4, 9], shape=(2,), dtype=int64, device='cpu')
    """
    return x * x


def _reciprocal(x: Any) -> Any:
    return numpy_complex.divide(x.dtype.type(1), x)  # NumPy's reciprocal has other values at 0 and infinity


@elementwise(dtypes=FLOATING, numpy="reciprocal", corrected={"c": _reciprocal}, derivative=lambda y: -(y * y))
def reciprocal(x):
    """One divided by each element.

    >>> import mtarray as xp
    >>> xp.reciprocal(xp.asarray([2.0, 4.0]))
    Array([0.5 , 0.25], shape=(2,), dtype=float64, device='cpu')
    """
    return math.reciprocal(x)
