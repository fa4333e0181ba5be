"""What a module learns: arrays that it registers as its parameters."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

import mtarray as xp

from .. import Array

# Arrays that were declared as parameters and may still be assigned to a module, by identity: arrays have no hash.
_declared: weakref.WeakValueDictionary[int, Array] = weakref.WeakValueDictionary()


def Parameter(data: Any, requires_grad: bool = True, *, dtype: Any = None, device: Any = None) -> Array:
    """A copy of `data` as an array that a `Module` registers as its parameter when it is assigned to an attribute.

    data: an array of any library, or numbers in nested sequences, which become float32. dtype: float32 or float64 (complex64 and complex128
    too), by default that of an array. requires_grad: whether it is learnt: `backward` collects its gradient, optimisers change it.
    TypeError for integers.

    >>> from mtarray import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter([1.0, 2.0])
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> [name for name, _ in Scale().named_parameters()]
    ['factor']
    """
    if dtype is None and not hasattr(data, "dtype"):
        dtype = xp.float32
    x = xp.asarray(data.detach() if data.__class__ is Array else data, dtype=dtype, device=device, copy=True)
    return declare(x, requires_grad)


def declare(x: Array, requires_grad: bool = True) -> Array:
    """An array of our own as a parameter, without a copy."""
    if x.dtype.kind not in "fc":
        raise TypeError(f"a parameter is of a floating dtype, not of {x.dtype}: convert it, or register a buffer (register_buffer)")
    if requires_grad:
        x.requires_grad = True
    _declared[id(x)] = x
    return x


def is_declared(x: Array) -> bool:
    return _declared.get(id(x)) is x


def is_frozen(x: Array) -> bool:
    """Whether a parameter of a module is not to be learnt. (Other arrays, which never required a gradient, are.)"""
    return is_declared(x) and not x.requires_grad


def floating(dtype: Any, where: str) -> np.dtype[Any]:
    """The dtype of a layer's parameters: float32 for None. TypeError if it is no real floating one."""
    d = np.dtype(xp.float32 if dtype is None else dtype)
    if d not in (np.dtype("f4"), np.dtype("f8")):
        raise TypeError(f"{where}: dtype={dtype!r} must be float32 or float64")
    return d


def empty(shape: tuple[int, ...], dtype: Any, device: Any, where: str) -> Array:
    """A parameter whose values `reset_parameters` sets."""
    return declare(xp.zeros(shape, dtype=floating(dtype, where), device=device))
