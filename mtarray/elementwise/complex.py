"""Complex parts and conjugates."""

from __future__ import annotations

from typing import Any

from .._array import Array, component
from .._dtypes import COMPLEX, NUMERIC
from .._operands import lift, promised
from .._ops import CHEAP, Vjp, elementwise


@elementwise(dtypes=NUMERIC, numpy="conjugate", limit=CHEAP, derivative=Vjp(lambda g: conj(g), linear="all"))
def conj(x):
    """Complex conjugate of each element; real elements unchanged.

    >>> import mtarray as xp
    >>> xp.conj(xp.asarray([1 + 2j]))
    Array([1.-2.j], shape=(1,), dtype=complex128, device='cpu')
    """
    return x.conjugate()


def real(x: Any, /) -> Array:
    """Real parts: a view for complex arrays, the array itself otherwise.

    >>> import mtarray as xp
    >>> xp.real(xp.asarray([1 + 2j]))
    Array([1.], shape=(1,), dtype=float64, device='cpu')
    """
    return component(promised(lift(x, "real"), NUMERIC, "real"), 0)


def imag(x: Any, /) -> Array:
    """Imaginary parts: a view for complex arrays, read-only zeros otherwise.

    >>> import mtarray as xp
    >>> xp.imag(xp.asarray([1 + 2j]))
    Array([2.], shape=(1,), dtype=float64, device='cpu')
    """
    return component(promised(lift(x, "imag"), COMPLEX, "imag"), 1)
