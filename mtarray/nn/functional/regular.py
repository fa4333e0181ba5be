"""Dropout, tables of vectors, and other functions of small size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import Array, arange, asarray, elementwise, float32, linalg, maximum, where
from ... import max as _max
from ... import min as _min
from ... import pad as _pad
from ...random import Generator
from .._random import default_generator


@elementwise(
    numpy=lambda x, u, p: np.where(u < p, 0, x / (1 - p)),
    derivative=(lambda g, u, p: dropped(g, u, p), 0, 0),
)
def dropped(x, u, p):
    return 0.0 if u < p else x / (1.0 - p)


def _dropout(x: Array, p: float, shape: tuple[int, ...], training: bool, generator: Generator | None, where_: str) -> Array:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{where_}: p={p} must be in [0, 1]")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    return dropped(x, (generator or default_generator()).to_device(x.device).random(shape, dtype=float32), float(p))


def dropout(input: Array, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Array:
    """In training each element is 0 with the probability p, and otherwise divided by 1 - p (Srivastava et al. 2014); else `input` itself.

    generator: by default that of all layers (`nn.manual_seed`).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> y = nn.functional.dropout(xp.ones(1000), 0.5)
    >>> xp.unique_values(y).tolist()
    [0.0, 2.0]
    """
    return _dropout(input, p, input.shape, training, generator, "dropout")


def dropout1d(input: Array, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Array:
    """`dropout` of whole channels of (n, channels, length) or (channels, length)."""
    return _channel_dropout(input, p, training, generator, 1)


def dropout2d(input: Array, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Array:
    """`dropout` of whole channels of (n, channels, height, width) or (channels, height, width)."""
    return _channel_dropout(input, p, training, generator, 2)


def _channel_dropout(x: Array, p: float, training: bool, generator: Generator | None, n: int) -> Array:
    if x.ndim not in (n + 1, n + 2):
        raise ValueError(f"dropout{n}d: needs {n + 1} or {n + 2} dimensions, the input has shape {x.shape}")
    return _dropout(x, p, x.shape[:-n] + (1,) * n, training, generator, f"dropout{n}d")


def embedding(input: Any, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows of `weight` (n, d) at integers of any shape: (...) -> (..., d). The row padding_idx gets no gradient.

    IndexError for integers outside of [0, n).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.embedding(xp.asarray([2, 0]), xp.asarray([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]))
    Array([[2., 2.],
           [0., 0.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    places = asarray(input)
    n = weight.shape[0] if weight.ndim else 0
    if weight.ndim != 2:
        raise ValueError(f"embedding: the table has shape {weight.shape}; it must be (rows, length)")
    if places.dtype.kind not in "iu":
        raise TypeError(f"embedding: rows are chosen by integers, not by {places.dtype}")
    if places.device != "cpu":  # the selection looks: what is no row must not count from the end
        places = where(places < 0, n, places)
    elif places.size and (int(_min(places)) < 0 or int(_max(places)) >= n):
        raise IndexError(f"embedding: integers from {int(_min(places))} to {int(_max(places))} do not all name one of {n} rows")
    rows = weight[places, :]
    if padding_idx is None:
        return rows
    padding = padding_idx + n if padding_idx < 0 else padding_idx
    if not 0 <= padding < n:
        raise IndexError(f"embedding: padding_idx={padding_idx} is none of {n} rows")
    return where((places == padding)[..., None], rows.detach(), rows)


def one_hot(input: Any, num_classes: int = -1) -> Array:
    """1 at each integer, 0 elsewhere, along a new last axis: (...) -> (..., num_classes), of int64; by default as many as needed.

    >>> from mtarray import nn
    >>> nn.functional.one_hot([0, 2]).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    places = asarray(input)
    if places.dtype.kind not in "iu":
        raise TypeError(f"one_hot: classes are integers, not {places.dtype}")
    low, high = (int(_min(places)), int(_max(places))) if places.size else (0, -1)
    classes = high + 1 if num_classes == -1 else num_classes
    if low < 0 or high >= classes or classes < 1:
        raise ValueError(f"one_hot: integers from {low} to {high} are no classes of num_classes={num_classes}")
    return (places[..., None] == arange(classes, device=places.device)).astype("int64")


def normalize(input: Array, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Array:
    """Vectors along the axis `dim` divided by their p-norm, which counts as at least eps."""
    return input / maximum(linalg.vector_norm(input, axis=dim, ord=p, keepdims=True), eps)


def pad(input: Array, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Array:
    """`input` with pad[0] elements before and pad[1] behind along the last axis, pad[2] and pad[3] along the one before it, and so on.

    mode: "constant" (with `value`, by default 0), "reflect", "replicate" or "circular". Negative numbers take elements away.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.pad(xp.asarray([1.0, 2.0]), (1, 2))
    Array([0., 1., 2., 0., 0.], shape=(5,), dtype=float64, device='cpu')
    """
    modes = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in modes:
        raise ValueError(f"pad: mode={mode!r} must be one of {', '.join(modes)}")
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(f"pad: {tuple(pad)} must be pairs, one for each of the last axes of an input of shape {input.shape}")
    if value is not None and mode != "constant":
        raise ValueError(f"pad: value={value} is of mode='constant', not of {mode!r}")
    widths = [(0, 0)] * (input.ndim - len(pad) // 2) + [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    cut = tuple([slice(-before if before < 0 else 0, after if after < 0 else None) for before, after in widths])
    if any(w < 0 for pair in widths for w in pair):
        if any(-before - after > n for (before, after), n in zip(widths, input.shape)):
            raise ValueError(f"pad: {tuple(pad)} takes away more than an input of shape {input.shape} has")
        input = input[(*cut, ...)]
    widths = [(before if before > 0 else 0, after if after > 0 else 0) for before, after in widths]
    if all(w == (0, 0) for w in widths):
        return input
    if mode == "constant":
        return _pad(input, widths, constant_values=value or 0.0)
    return _pad(input, widths, mode=modes[mode])
