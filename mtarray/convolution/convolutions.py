"""conv1d, conv2d and their transposes."""

from __future__ import annotations

from typing import Any

from .._array import Array
from ..elementwise import add
from ..manipulation import expand_dims, reshape, squeeze
from . import _engine
from ._arguments import Convolution, Size, convolution, hashable, numeric, same_dtype, transposed


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Size = 1, padding: str | Size = 0, dilation: Size = 1, groups: int = 1
) -> Array:
    """Convolution of signals: y[n, f, i] = bias[f] + sum over c and k of x[n, c, i * stride - padding + k * dilation] * w[f, c, k].

    Shapes: input (batch, channels, length) or (channels, length), weight (filters, channels / groups, kernel), bias (filters,); the result
    is (batch, filters, n) with n = (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1. The weights are not reversed
    (mathematics call it a cross-correlation), and what lies beyond the ends is 0.

    padding: a number for both ends, "valid" (0) or "same" (such that the length stays; with an even kernel one more at the end).
    groups: channels and filters are cut into so many parts, and each part of the filters sees its part of the channels.

    Dtypes: numbers of every kind, promoted together; integers wrap. ValueError for shapes that do not fit, or a kernel longer than the
    padded signal.

    >>> import mtarray as xp
    >>> x = xp.asarray([[1.0, 2.0, 4.0, 8.0]])
    >>> xp.convolution.conv1d(x, xp.asarray([[[-1.0, 1.0]]]))
    Array([[1., 2., 4.]], shape=(1, 3), dtype=float64, device='cpu')
    """
    return _convolved("conv1d", input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Size = 1, padding: str | Size = 0, dilation: Size = 1, groups: int = 1
) -> Array:
    """Convolution of images: each output is its filter's bias and the sum of the inputs in its window times the filter's weights.

        y[n, f, i, j] = bias[f] + sum over c, a, b of x[n, c, i * stride - padding + a * dilation, j * ... + b * ...] * w[f, c, a, b]

    Shapes: input (batch, channels, height, width) or (channels, height, width), weight (filters, channels / groups, kernel height, kernel
    width), bias (filters,); the result is (batch, filters, m, n), where of each axis remains
    (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1. The weights are not reversed, and what lies outside is 0.

    stride, padding, dilation: an int, or a pair of them, down and across. padding: also "valid" (0) or "same" (such that the shape stays;
    with an even kernel one more at the end). groups: channels and filters are cut into so many parts, and each part of the filters sees
    its part of the channels; with as many groups as channels each channel has filters of its own.

    Dtypes: numbers of every kind, promoted together; integers wrap. Results do not depend on the number of threads. ValueError for shapes
    that do not fit, or a kernel larger than the padded image.

    >>> import mtarray as xp
    >>> x = xp.reshape(xp.arange(9.0), (1, 3, 3))
    >>> xp.convolution.conv2d(x, xp.ones((1, 1, 2, 2)), stride=1)
    Array([[[ 8., 12.],
            [20., 24.]]], shape=(1, 2, 2), dtype=float64, device='cpu')
    """
    return _convolved("conv2d", input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Array:
    """Transposed convolution of signals: the adjoint of `conv1d` with the same weights, which upsamples where that one strides.

    Shapes: input (batch, channels, length) or (channels, length), weight (channels, filters / groups, kernel), bias (filters,); the result
    is (batch, filters, n) with n = (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. `output_padding`
    chooses among the lengths that `conv1d` would shorten to this one.

    >>> import mtarray as xp
    >>> xp.convolution.conv_transpose1d(xp.asarray([[1.0, 2.0]]), xp.asarray([[[1.0, 10.0, 100.0]]]), stride=2)
    Array([[  1.,  10., 102.,  20., 200.]], shape=(1, 5), dtype=float64, device='cpu')
    """
    return _transposed("conv_transpose1d", input, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Array:
    """Transposed convolution of images: the adjoint of `conv2d` with the same weights, which upsamples where that one strides.

    Each input adds its multiple of the weights to the outputs in its window. Shapes: input (batch, channels, height, width) or (channels,
    height, width), weight (channels, filters / groups, kernel height, kernel width), bias (filters,); the result is (batch, filters, m, n),
    where an axis becomes (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1. `output_padding` chooses among
    the shapes that `conv2d` would reduce to this one; it must be smaller than the stride or the dilation.

    >>> import mtarray as xp
    >>> x = xp.asarray([[[1.0, 2.0]]])
    >>> xp.convolution.conv_transpose2d(x, xp.ones((1, 1, 2, 2)), stride=(1, 2))
    Array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]], shape=(1, 2, 4), dtype=float64, device='cpu')
    """
    return _transposed("conv_transpose2d", input, weight, bias, stride, padding, output_padding, groups, dilation)


def _operands(where: str, x: Any, w: Any, b: Any) -> tuple[Array, Array, Array | None]:
    x, w = numeric(x, where, "input"), numeric(w, where, "weight")
    if b is None:
        x, w = same_dtype(where, x, w)
        return x, w, None
    x, w, b = same_dtype(where, x, w, numeric(b, where, "bias"))
    return x, w, b


def _convolved(where: str, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Array:
    x, w, b = _operands(where, x, w, b)
    padding = padding if padding.__class__ is str else hashable(padding)
    plan = convolution(where, x._shape, w._shape, None if b is None else b._shape, hashable(stride), padding, hashable(dilation), groups)
    return _run(_engine.convolved, _engine.convolved_with_bias, x, w, b, plan)


def _transposed(where: str, x: Any, w: Any, b: Any, stride: Any, padding: Any, extra: Any, groups: Any, dilation: Any) -> Array:
    x, w, b = _operands(where, x, w, b)
    shape = None if b is None else b._shape
    plan = transposed(
        where, x._shape, w._shape, shape, hashable(stride), hashable(padding), hashable(extra), groups, hashable(dilation)
    )  # fmt: skip
    y = _run(_engine.convolved_back, None, x, w, None, plan)
    return y if b is None else add(y, reshape(b, (-1, *[1] * (w.ndim - 2))))


def _run(op: Any, biased: Any, x: Array, w: Array, b: Array | None, plan: Convolution) -> Array:
    """The engine op of images, on signals as images of height 1 and on one image as a batch of one."""
    line = w.ndim == 3
    if line:
        x, w = expand_dims(x, axis=-2), expand_dims(w, axis=-2)
    if not plan.batched:
        x = expand_dims(x, axis=0)
    y: Array = op(x, w, **plan.static) if b is None else biased(x, w, b, **plan.static)
    if line:
        y = squeeze(y, axis=-2)
    return y if plan.batched else squeeze(y, axis=0)


__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]
