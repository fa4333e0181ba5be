"""The engine ops of convolution and pooling, each with its derivative in terms of the others.

Between the images x, the weights w and the outputs u of a convolution stands one form that is linear in each of the three: the sum of
x * w * u over all pairs of an output and an input that it meets. Its derivative by u is the convolution, by x the transposed one, by w
what trains the weights; so these three ops are one another's derivatives, to any order. A gather and its adjoint are the derivatives of
pooling by the largest.

Images are (images, channels, height, width), weights (filters, channels of a group, height, width), of one dtype; the callers have checked
everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._array import Array
from .._config import config
from .._ops import engine
from ..elementwise import conj
from ..statistical import sum as _sum
from . import _plain
from ._plain import Geometry, Spans

# Multiply-adds below which nobody waits for a compiler: NumPy is done in some tens of microseconds.
_SMALL = 1 << 14
_POOLED = 1 << 12  # elements of what is pooled, likewise


def _kernels(dtype: Any, work: int, limit: int) -> bool:
    """Whether a kernel serves: real floats, and so much work."""
    mode = config._values["kernels"]
    return dtype.kind == "f" and work > 0 and (work >= limit or mode == "numba") and mode != "python"


def _large(x: Any, w: Any, outputs: int) -> bool:
    """`_kernels` for a convolution by the weights w with so many outputs."""
    return _kernels(x.dtype, outputs * w[1] * w[2] * w[3], _SMALL)


def _conj(x: Array) -> Array:
    return conj(x) if x._dtype.kind == "c" else x


def _by_x(g: Array, w: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = convolved_back(g, _conj(w), geometry=geometry, size=shape[2:])
    return made


def _by_w(g: Array, x: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = correlated(_conj(x), g, geometry=geometry, kernel=shape[2:])
    return made


@engine(vjp=(_by_x, _by_w), linear="each")
def convolved(x: Any, w: Any, *, geometry: Geometry, out: tuple[int, int]) -> Any:
    """Convolution (without reversing the weights): each output the sum of the inputs that it meets, times their weights."""
    if _large(x, w.shape, x.shape[0] * w.shape[0] * out[0] * out[1]):
        from .._kernels.cpu import convolution as kernels

        y = kernels.convolved(x, w, None, geometry, out)
        if y is not None:
            return y
    return _plain.convolved(x, w, None, geometry, out)


@engine(vjp=(_by_x, _by_w, lambda g: _sum(g, axis=(0, 2, 3))))
def convolved_with_bias(x: Any, w: Any, bias: Any, *, geometry: Geometry, out: tuple[int, int]) -> Any:
    """`convolved`, and a number added to all outputs of a filter: in one pass, since another through memory would cost as much."""
    if _large(x, w.shape, x.shape[0] * w.shape[0] * out[0] * out[1]):
        from .._kernels.cpu import convolution as kernels

        y = kernels.convolved(x, w, bias, geometry, out)
        if y is not None:
            return y
    return _plain.convolved(x, w, bias, geometry, out)


def _back_by_x(g: Array, w: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = convolved(g, _conj(w), geometry=geometry, out=shape[2:])
    return made


def _back_by_w(g: Array, x: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = correlated(g, _conj(x), geometry=geometry, kernel=shape[2:])
    return made


@engine(vjp=(_back_by_x, _back_by_w), linear="each")
def convolved_back(x: Any, w: Any, *, geometry: Geometry, size: tuple[int, int]) -> Any:
    """The transposed convolution: each element of x, times the weights, added to the `size` places that `convolved` makes it of."""
    if _large(x, w.shape, x.size):
        from .._kernels.cpu import convolution as kernels

        y = kernels.convolved_back(x, w, geometry, size)
        if y is not None:
            return y
    return _plain.convolved_back(x, w, geometry, size)


def _correlated_by_x(g: Array, u: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = convolved_back(_conj(u), g, geometry=geometry, size=shape[2:])
    return made


def _correlated_by_u(g: Array, x: Array, geometry: Geometry, shape: tuple[int, ...]) -> Array:
    made: Array = convolved(_conj(x), g, geometry=geometry, out=shape[2:])
    return made


@engine(vjp=(_correlated_by_x, _correlated_by_u), linear="each")
def correlated(x: Any, u: Any, *, geometry: Geometry, kernel: tuple[int, int]) -> Any:
    """For each weight the sum of the products of all pairs of an input in x and an output in u between which it stands."""
    if _large(x, (u.shape[1], x.shape[1] // geometry.groups, *kernel), u.size):
        from .._kernels.cpu import convolution_weights as kernels

        y = kernels.correlated(x, u, geometry, kernel)
        if y is not None:
            return y
    return _plain.correlated(x, u, geometry, kernel)


# ---------------------------------------------------------------------- pooling


def _pooled_by_x(g: Any, y: Any, shape: tuple[int, ...], rows: Spans, columns: Spans) -> Any:
    if g[0] is None:
        return None
    made: Array = put_back(g[0], y[1], size=shape[2:], rows=rows, columns=columns)
    return made


@engine(vjp=_pooled_by_x)
def max_pooled(x: Any, *, rows: Spans, columns: Spans) -> Any:
    """The largest element of each window, the last NaN if there is one, and its position in the plane."""
    # Positions are read again for the derivative: 4 bytes where they suffice.
    places = np.dtype(np.int32 if x.shape[2] * x.shape[3] < 1 << 31 else np.int64)
    if _kernels(x.dtype, x.size, _POOLED):
        from .._kernels.cpu import pooling as kernels

        return kernels.largest(x, rows, columns, places)
    return _plain.largest(x, rows, columns, places)


def _picked_by_x(g: Array, places: Array, shape: tuple[int, ...], rows: Spans, columns: Spans) -> Array:
    made: Array = put_back(g, places, size=shape[2:], rows=rows, columns=columns)
    return made


def _put_back_by_x(g: Array, places: Array, rows: Spans, columns: Spans) -> Array:
    made: Array = picked(g, places, rows=rows, columns=columns)
    return made


@engine(vjp=(_picked_by_x, 0), linear="all")
def picked(x: Any, places: Any, *, rows: Spans, columns: Spans) -> Any:
    """The elements of each plane at positions of the flattened plane, each in its window."""
    if _kernels(x.dtype, x.size, _POOLED):
        from .._kernels.cpu import pooling as kernels

        return kernels.picked(x, places)
    return _plain.picked(x, places)


@engine(vjp=(_put_back_by_x, 0), linear="all")
def put_back(x: Any, places: Any, *, size: tuple[int, int], rows: Spans, columns: Spans) -> Any:
    """Planes of zeros with the elements of x added at their positions: the adjoint of `picked`.

    The windows tell a device, whose threads each look after one place of the plane, where to look.
    """
    if _kernels(x.dtype, x.shape[0] * x.shape[1] * size[0] * size[1], _POOLED):
        from .._kernels.cpu import pooling as kernels

        return kernels.put_back(x, places, size)
    return _plain.put_back(x, places, size)
