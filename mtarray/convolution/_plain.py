"""Convolution and pooling in NumPy: what serves small arrays, the dtypes that no kernel has, and `kernels="python"`.

Convolutions are matrix products of the weights and the windows of the images, of so many images at a time that their windows fit a
cache; pooling walks the places of the window, each for all windows at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .._config import config
from .._products import SMALL

_COLUMNS = 1 << 22  # elements of the windows that are laid out at a time


class Geometry(NamedTuple):
    """Where the windows of a convolution lie, down and across: output i meets the inputs i * stride - padding + k * dilation."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Spans(NamedTuple):
    """The windows of a pooling along one axis: window i has the positions first[i] + k * step for k < counts[i], all inside.

    stride, begin: where all would begin without a border, at begin + i * stride; stride 0: they are of various lengths.
    """

    first: tuple[int, ...]
    counts: tuple[int, ...]
    step: int
    stride: int = 0
    begin: int = 0


def _product(a: Any, b: Any) -> Any:
    """a @ b, stacks of matrices."""
    if config.kernels == "python" or a.size * b.shape[-1] < SMALL:
        return np.matmul(a, b)
    from .._kernels.cpu.matmul import matmul

    return matmul(a, b, a.dtype)


def _extents(geometry: Geometry, kernel: Any, out: Any) -> list[int]:
    """Height and width that all windows together cover, padding included."""
    return [(n - 1) * s + (k - 1) * d + 1 for n, k, s, d in zip(out, kernel, geometry.stride, geometry.dilation)]


def _overlap(x: Any, geometry: Geometry, extents: Any) -> tuple[Any, Any]:
    """The slices of a padded image of these extents, and of the image itself, that are the same."""
    padded, own = [], []
    for n, p, whole in zip(x, geometry.padding, extents):
        first, stop = max(p, 0), min(p + n, whole)
        stop = max(first, stop)
        padded.append(slice(first, stop))
        own.append(slice(first - p, stop - p))
    return tuple(padded), tuple(own)


def _windows(x: Any, geometry: Geometry, kernel: Any, out: Any) -> Any:
    """(groups, channels of a group * kernel, images * outputs): each column the inputs that one output meets."""
    n, channels = x.shape[:2]
    extents = _extents(geometry, kernel, out)
    padded = np.zeros((n, channels, *extents), x.dtype)
    there, here = _overlap(x.shape[2:], geometry, extents)
    padded[(..., *there)] = x[(..., *here)]
    groups = geometry.groups
    steps = padded.strides
    windows = as_strided(
        padded,
        (groups, channels // groups, *kernel, n, *out),
        (
            steps[1] * (channels // groups), steps[1], steps[2] * geometry.dilation[0], steps[3] * geometry.dilation[1],
            steps[0], steps[2] * geometry.stride[0], steps[3] * geometry.stride[1],
        ),
    )  # fmt: skip
    return windows.reshape(groups, -1, n * out[0] * out[1])


def _slabs(n: int, columns: int) -> Any:
    """Runs of images, `columns` elements of windows each."""
    step = max(1, _COLUMNS // max(columns, 1))
    return [slice(i, i + step) for i in range(0, n, step)]


def _by_group(x: Any, groups: int) -> Any:
    """(groups, channels of a group, images * positions) of images (n, channels, height, width)."""
    n, channels, h, w = x.shape
    return x.reshape(n, groups, channels // groups, h * w).transpose(1, 2, 0, 3).reshape(groups, channels // groups, n * h * w)


def convolved(x: Any, w: Any, bias: Any, geometry: Geometry, out: Any) -> Any:
    """See the engine op."""
    n, groups, filters = x.shape[0], geometry.groups, w.shape[0]
    kernel = w.shape[2:]
    result = np.empty((n, filters, *out), x.dtype)
    weights = w.reshape(groups, filters // groups, -1)
    for slab in _slabs(n, x.shape[1] * kernel[0] * kernel[1] * out[0] * out[1]):
        columns = _windows(x[slab], geometry, kernel, out)
        made = _product(weights, columns).reshape(filters, -1, *out).swapaxes(0, 1)
        result[slab] = made if bias is None else made + bias[:, None, None]
    return result


def convolved_back(x: Any, w: Any, geometry: Geometry, size: Any) -> Any:
    """See the engine op."""
    n, groups, out, kernel = x.shape[0], geometry.groups, x.shape[2:], w.shape[2:]
    channels = w.shape[1] * groups
    weights = np.ascontiguousarray(w.reshape(groups, w.shape[0] // groups, -1).swapaxes(1, 2))
    extents = _extents(geometry, kernel, out)
    there, here = _overlap(size, geometry, extents)
    result = np.zeros((n, channels, *size), x.dtype)
    (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
    for slab in _slabs(n, channels * kernel[0] * kernel[1] * out[0] * out[1]):
        spread = _product(weights, _by_group(x[slab], groups)).reshape(channels, *kernel, -1, *out)
        padded = np.zeros((channels, spread.shape[3], *extents), x.dtype)
        for a in range(kernel[0]):
            for b in range(kernel[1]):
                rows = slice(a * dh, a * dh + (out[0] - 1) * sh + 1, sh)
                padded[..., rows, b * dw : b * dw + (out[1] - 1) * sw + 1 : sw] += spread[:, a, b]
        result[(slab, slice(None), *here)] = padded[(..., *there)].swapaxes(0, 1)
    return result


def correlated(x: Any, u: Any, geometry: Geometry, kernel: Any) -> Any:
    """See the engine op."""
    n, groups, filters, out = x.shape[0], geometry.groups, u.shape[1], u.shape[2:]
    channels = x.shape[1] // groups
    result = np.zeros((groups, filters // groups, channels * kernel[0] * kernel[1]), x.dtype)
    for slab in _slabs(n, x.shape[1] * kernel[0] * kernel[1] * out[0] * out[1]):
        columns = _windows(x[slab], geometry, kernel, out)
        result += _product(_by_group(u[slab], groups), columns.swapaxes(1, 2))
    return result.reshape(filters, channels, *kernel)


# ---------------------------------------------------------------------- pooling


def _places(spans: Spans) -> Any:
    """For each k the positions of place k of the windows; a shorter window repeats its last one."""
    first, count = np.array(spans.first, np.intp), np.array(spans.counts, np.intp)
    return [first + np.minimum(k, count - 1) * spans.step for k in range(max(spans.counts, default=0))]


def largest(x: Any, rows: Spans, columns: Spans, places: Any) -> Any:
    """See the engine op `max_pooled`; `places`: dtype of the positions."""
    shape = (*x.shape[:2], len(rows.first), len(columns.first))
    result: Any = None
    at: Any = None
    for r in _places(rows):
        for c in _places(columns):
            here = x[:, :, r[:, None], c]
            where = np.broadcast_to((r[:, None] * x.shape[3] + c).astype(places), shape)
            if result is None:
                result, at = here, where.copy()
                continue
            # The last of several NaN, as PyTorch has it; beside it nothing is larger.
            taken = (here > result) | (here != here)
            result = np.where(taken, here, result)
            at = np.where(taken, where, at)
    if result is None:  # no windows
        return np.empty(shape, x.dtype), np.empty(shape, places)
    return result, at


def picked(x: Any, places: Any) -> Any:
    """See the engine op."""
    n, channels, h, w = x.shape
    index = places.reshape(n, channels, places.shape[2] * places.shape[3]).astype(np.intp)
    return np.take_along_axis(x.reshape(n, channels, h * w), index, -1).reshape(places.shape)


def put_back(x: Any, places: Any, size: Any) -> Any:
    """See the engine op."""
    planes = x.shape[0] * x.shape[1]
    result = np.zeros((planes, size[0] * size[1]), x.dtype)
    shape = (planes, places.shape[2] * places.shape[3])
    np.add.at(result, (np.arange(planes)[:, None], places.reshape(shape)), x.reshape(shape))
    return result.reshape(*x.shape[:2], *size)
