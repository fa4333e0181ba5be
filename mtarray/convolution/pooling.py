"""Pooling: the largest element or the mean of windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, overload

import numpy as np

from .._array import Array, fresh
from .._devices import CPU
from .._dtypes import COMPLEX, FLOATING, float_of
from ..creation import arange, astype, full
from ..elementwise import maximum, minimum, multiply
from ..manipulation import expand_dims, reshape, squeeze, stack
from ..statistical import mean
from . import _engine
from ._arguments import Size, adaptive, hashable, numeric, windows
from ._plain import Spans

Target = int | Sequence[int | None] | None


@overload
def max_pool1d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...  # fmt: skip
@overload
def max_pool1d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    *, return_indices: Literal[True],
) -> tuple[Array, Array]: ...  # fmt: skip
@overload
def max_pool1d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]: ...  # fmt: skip
def max_pool1d(
    input: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """The largest element of each window of signals (batch, channels, length) or (channels, length).

    Arguments as for `max_pool2d`; the indices are positions along the last axis.

    >>> import mtarray as xp
    >>> xp.convolution.max_pool1d(xp.asarray([[1.0, 5.0, 2.0, 3.0]]), 2)
    Array([[5., 3.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    return _max_pool("max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@overload
def max_pool2d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...  # fmt: skip
@overload
def max_pool2d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    *, return_indices: Literal[True],
) -> tuple[Array, Array]: ...  # fmt: skip
@overload
def max_pool2d(
    input: Any, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]: ...  # fmt: skip
def max_pool2d(
    input: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Array | tuple[Array, Array]:
    """The largest element of each window of images (batch, channels, height, width) or (channels, height, width).

    kernel_size, stride (by default the kernel's size: windows side by side), padding (at most half of the kernel; it is never the largest),
    dilation: an int, or a pair of them, down and across. Of each axis remains
    (length + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1, rounded down; up with `ceil_mode`, where the last windows may
    reach beyond the padding but not begin there. return_indices: also the positions of the largest, int64, counted through the plane.

    Of equal elements the first counts and has all of the derivative; of several NaN the last. Dtypes: real ones. ValueError for a kernel
    larger than the padded image.

    >>> import mtarray as xp
    >>> x = xp.reshape(xp.asarray([1.0, 5, 2, 3, 4, 0, 7, 6]), (1, 2, 4))
    >>> xp.convolution.max_pool2d(x, 2, return_indices=True)
    (Array([[[5., 7.]]], shape=(1, 1, 2), dtype=float64, device='cpu'), Array([[[1, 6]]], shape=(1, 1, 2), dtype=int64, device='cpu'))
    """
    return _max_pool("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool1d(
    input: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """The mean of each window of signals (batch, channels, length) or (channels, length). Arguments as for `avg_pool2d`.

    >>> import mtarray as xp
    >>> xp.convolution.avg_pool1d(xp.asarray([[1.0, 5.0, 2.0, 4.0]]), 2)
    Array([[3., 3.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    return _avg_pool("avg_pool1d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Any,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window of images (batch, channels, height, width) or (channels, height, width).

    kernel_size, stride, padding, ceil_mode: as for `max_pool2d`; the padding is 0. count_include_pad: whether it counts in the number that
    the sum is divided by (what lies beyond the padding, with `ceil_mode`, never does). divisor_override: that number, for all windows.

    Dtypes: floating; integers convert. ValueError for a kernel larger than the padded image.

    >>> import mtarray as xp
    >>> x = xp.reshape(xp.arange(8.0), (1, 2, 4))
    >>> xp.convolution.avg_pool2d(x, 2)
    Array([[[2.5, 4.5]]], shape=(1, 1, 2), dtype=float64, device='cpu')
    """
    return _avg_pool("avg_pool2d", input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def adaptive_avg_pool1d(input: Any, output_size: Target) -> Array:
    """The means of `output_size` windows that cover signals (batch, channels, length) or (channels, length); see `adaptive_avg_pool2d`.

    >>> import mtarray as xp
    >>> xp.convolution.adaptive_avg_pool1d(xp.asarray([[1.0, 2.0, 3.0]]), 2)
    Array([[1.5, 2.5]], shape=(1, 2), dtype=float64, device='cpu')
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Target) -> Array:
    """The means of windows that cover images (batch, channels, height, width) or (channels, height, width), for a result of a given size.

    output_size: an int, or a pair of them, down and across; None leaves an axis as it is. Window i of m along an axis of n elements goes
    from i * n // m to (i + 1) * n / m, rounded up. Dtypes: floating; integers convert.

    >>> import mtarray as xp
    >>> xp.convolution.adaptive_avg_pool2d(xp.reshape(xp.arange(6.0), (1, 2, 3)), 1)
    Array([[[2.5]]], shape=(1, 1, 1), dtype=float64, device='cpu')
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", input, output_size)


@overload
def adaptive_max_pool1d(input: Any, output_size: Target, return_indices: Literal[False] = False) -> Array: ...
@overload
def adaptive_max_pool1d(input: Any, output_size: Target, return_indices: Literal[True]) -> tuple[Array, Array]: ...
@overload
def adaptive_max_pool1d(input: Any, output_size: Target, return_indices: bool = False) -> Array | tuple[Array, Array]: ...
def adaptive_max_pool1d(input: Any, output_size: Target, return_indices: bool = False) -> Array | tuple[Array, Array]:
    """The largest elements of the windows of `adaptive_avg_pool1d`, and with `return_indices` their positions along the last axis.

    >>> import mtarray as xp
    >>> xp.convolution.adaptive_max_pool1d(xp.asarray([[1.0, 3.0, 2.0]]), 2)
    Array([[3., 3.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    return _adaptive_max_pool("adaptive_max_pool1d", input, output_size, return_indices)


@overload
def adaptive_max_pool2d(input: Any, output_size: Target, return_indices: Literal[False] = False) -> Array: ...
@overload
def adaptive_max_pool2d(input: Any, output_size: Target, return_indices: Literal[True]) -> tuple[Array, Array]: ...
@overload
def adaptive_max_pool2d(input: Any, output_size: Target, return_indices: bool = False) -> Array | tuple[Array, Array]: ...
def adaptive_max_pool2d(input: Any, output_size: Target, return_indices: bool = False) -> Array | tuple[Array, Array]:
    """The largest elements of the windows of `adaptive_avg_pool2d`, and with `return_indices` their positions, counted through the plane.

    >>> import mtarray as xp
    >>> xp.convolution.adaptive_max_pool2d(xp.reshape(xp.arange(6.0), (1, 2, 3)), (1, None))
    Array([[[3., 4., 5.]]], shape=(1, 1, 3), dtype=float64, device='cpu')
    """
    return _adaptive_max_pool("adaptive_max_pool2d", input, output_size, return_indices)


# ---------------------------------------------------------------------- how


def _images(x: Array, where: str, batched: bool) -> Array:
    """Signals as images of height 1, one image as a batch of one."""
    if where[-2] == "1":
        x = expand_dims(x, axis=-2)
    return x if batched else expand_dims(x, axis=0)


def _back(y: Array, where: str, batched: bool) -> Array:
    if where[-2] == "1":
        y = squeeze(y, axis=-2)
    return y if batched else squeeze(y, axis=0)


def _real(x: Any, where: str) -> Array:
    x = numeric(x, where, "input")
    if x.dtype in COMPLEX:
        raise TypeError(f"{where} is not defined for {x.dtype}: complex numbers have no order")
    return x


def _floating(x: Any, where: str) -> Array:
    x = numeric(x, where, "input")
    return x if x.dtype in FLOATING else astype(x, float_of(x.dtype))


def _max_pool(where: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, return_indices: bool) -> Any:
    x = _real(x, where)
    kernel, stride, padding, dilation = hashable(kernel), hashable(stride), hashable(padding), hashable(dilation)
    plan = windows(where, x._shape, kernel, stride, padding, dilation, ceil_mode)
    return _largest(where, x, plan.batched, plan.inside, return_indices)


def _adaptive_max_pool(where: str, x: Any, output_size: Any, return_indices: bool) -> Any:
    x = _real(x, where)
    batched, inside = adaptive(where, x._shape, hashable(output_size))
    return _largest(where, x, batched, inside, return_indices)


def _largest(where: str, x: Array, batched: bool, inside: tuple[Spans, Spans], return_indices: bool) -> Any:
    y, places = _engine.max_pooled(_images(x, where, batched), rows=inside[0], columns=inside[1])
    y = _back(y, where, batched)
    return (y, astype(_back(places, where, batched), np.int64, copy=False)) if return_indices else y


def _avg_pool(
    where: str, x: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool, divisor: int | None
) -> Array:
    x = _floating(x, where)
    plan = windows(where, x._shape, hashable(kernel), hashable(stride), hashable(padding), 1, ceil_mode)
    if divisor is not None and (isinstance(divisor, bool) or not isinstance(divisor, int) or divisor == 0):
        raise ValueError(f"{where}: divisor_override must be an int other than 0, got {divisor!r}")
    x = _images(x, where, plan.batched)
    n, channels = x.shape[:2]
    counts = None if divisor is not None else _counts(where, plan, count_include_pad)
    scale = 1 / divisor if divisor is not None else counts if counts.__class__ is float else 1.0
    # The sum of a window is its convolution with ones: each plane is an image of one channel.
    w = full((1, 1, *plan.kernel), scale, dtype=x.dtype, device=x.device)
    y = _engine.convolved(reshape(x, (n * channels, 1, *x.shape[2:])), w, geometry=plan.geometry, out=plan.out)
    y = reshape(y, (n, channels, *plan.out))
    if isinstance(counts, np.ndarray) and x.device is not CPU:
        for axis in (-2, -1):
            y = y / _places(x, plan, axis, count_include_pad)
    elif isinstance(counts, np.ndarray):
        y = multiply(y, astype(fresh(counts.copy()), x.dtype, copy=False))
    return _back(y, where, plan.batched)


def _places(x: Array, plan: Any, axis: int, count_include_pad: bool) -> Array:
    """Of each window along an axis the number of its places, made on the device of x."""
    stride, padding = plan.geometry.stride[axis], plan.geometry.padding[axis]
    first = arange(plan.out[axis], dtype=x.dtype, device=x.device) * stride - padding
    end = minimum(first + plan.kernel[axis], float(x.shape[axis] + (padding if count_include_pad else 0)))
    n = end - (first if count_include_pad else maximum(first, 0.0))
    return reshape(n, (-1, 1)) if axis == -2 else n


@lru_cache(4096)
def _counts(where: str, plan: Any, count_include_pad: bool) -> Any:
    """1 / the number that the sum of each window is divided by: a float if it is the same for all."""
    rows, columns = plan.covered if count_include_pad else [span.counts for span in plan.inside]
    if len({*rows}) == 1 and len({*columns}) == 1:
        return 1 / (rows[0] * columns[0])
    return 1 / np.outer(rows, columns)


def _adaptive_avg_pool(where: str, x: Any, output_size: Any) -> Array:
    x = _floating(x, where)
    batched, inside = adaptive(where, x._shape, hashable(output_size))
    x = _images(x, where, batched)
    for axis, span in zip((-2, -1), inside):
        x = _means(x, axis, span)
    return _back(x, where, batched)


def _means(x: Array, axis: int, span: Spans) -> Array:
    """The means of windows along an axis; where they are of one length and side by side, of the rows of a reshaped array."""
    n, m = x.shape[axis], len(span.first)
    if n == m:
        return x
    if m and n % m == 0:
        shape = (*x.shape[:2], *([m, n // m, x.shape[3]] if axis == -2 else [x.shape[2], m, n // m]))
        return mean(reshape(x, shape), axis=axis)
    if not m:
        return x[..., :0, :] if axis == -2 else x[..., :0]
    parts = [slice(f, f + k) for f, k in zip(span.first, span.counts)]
    return stack([mean(x[..., p, :] if axis == -2 else x[..., p], axis=axis) for p in parts], axis=axis)


__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool1d", "adaptive_max_pool2d", "avg_pool1d", "avg_pool2d", "max_pool1d",
    "max_pool2d",
]  # fmt: skip
