"""What every NumPy name does first: take its operands as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .._array import Array
from .._config import is_strict
from .._dtypes import COMPLEX, FLOATING, WEAK_KIND, DType, float64
from ..creation import asarray


def refuse_if_strict(where: str) -> None:
    """TypeError in strict mode: only NumPy has this name."""
    if is_strict():
        raise TypeError(f"{where} is a name of NumPy that the standard does not have (strict mode)")


def operand(x: Any, where: str, dtype: DType | None = None, device: Any = None) -> Array:
    """`x` - an array of any library, a number or nested sequences - as an Array, converted to `dtype` if one is given.

    device: where numbers and sequences go, which have no place of their own.
    """
    refuse_if_strict(where)
    if x.__class__ is not Array:
        return asarray(
            x, dtype=dtype, device=device if isinstance(x, (list, tuple, range, np.generic)) or x.__class__ in WEAK_KIND else None
        )
    return x if dtype is None or x.dtype is dtype else x.astype(dtype)


def operand_or_number(x: Any, where: str, device: Any = None) -> Any:
    """`x` as `operand` takes it, but Python numbers unchanged: their width must not count in promotion."""
    if x.__class__ in WEAK_KIND:
        refuse_if_strict(where)
        return x
    return operand(x, where, device=device)


def operands_or_numbers(where: str, *xs: Any) -> list[Any]:
    """Several that belong together: sequences and NumPy's numbers go to the device of the first array."""
    device = next((x.device for x in xs if x.__class__ is Array), None)
    return [operand_or_number(x, where, device) for x in xs]


def operands(xs: Any, where: str) -> list[Array]:
    """A sequence of arrays (or the rows of one array) as a list; ValueError if it is empty."""
    if not isinstance(xs, Iterable):
        raise TypeError(f"{where}: expected a sequence of arrays, got {type(xs).__name__}")
    xs = list(xs)
    device = next((x.device for x in xs if x.__class__ is Array), None)
    out = [operand(x, where, device=device) for x in xs]
    if not out:
        raise ValueError(f"{where}: at least one array is needed")
    return out


def floating(x: Array) -> Array:
    """`x`, integers and booleans as float64."""
    return x if x.dtype in FLOATING else x.astype(float64)


def ordered(x: Any, where: str) -> Array:
    """`x` as an Array of numbers that can be compared; TypeError for complex ones."""
    x = operand(x, where)
    if x.dtype in COMPLEX:
        raise TypeError(f"{where} is not defined for {x.dtype}: complex numbers have no order")
    return x
