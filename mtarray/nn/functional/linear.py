"""Linear maps."""

from __future__ import annotations

from typing import Any

from ... import Array


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """input @ weight.T + bias, along the last axis: (..., in), (out, in), (out,) -> (..., out).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.linear(xp.asarray([[1.0, 2.0]]), xp.asarray([[3.0, 4.0], [5.0, 6.0]]), xp.asarray([0.0, 1.0]))
    Array([[11., 18.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    y: Any = input @ weight.T
    return y if bias is None else y + bias
