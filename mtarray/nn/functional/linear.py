"""Linear and bilinear maps."""

from __future__ import annotations

from ... import Array, asarray, einsum, matmul, result_type
from ..._neural import affine


def linear(input: Array, weight: Array, bias: Array | None = None) -> Array:
    """input @ weight.T + bias, along the last axis: (..., in), (out, in), (out,) -> (..., out). ValueError for other shapes.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.linear(xp.asarray([[1.0, 2.0]]), xp.asarray([[3.0, 4.0], [5.0, 6.0]]), xp.asarray([0.0, 1.0]))
    Array([[11., 18.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    try:
        dtype, shape = weight.dtype, weight.shape
        if bias is not None and len(shape) == 2 and input.shape[-1] == shape[1] and (shape[0],) == bias.shape:
            if input.dtype is dtype and bias.dtype is dtype:
                return affine(input, weight, bias)
            dtype = result_type(input, weight, bias)
            return affine(input.astype(dtype), weight.astype(dtype), bias.astype(dtype))
    except (AttributeError, IndexError):
        pass  # something else than an array, or without axes
    input, weight = asarray(input), asarray(weight)
    if weight.ndim not in (1, 2) or not input.ndim or input.shape[-1] != weight.shape[-1]:
        raise ValueError(
            f"linear: the last axis of an input of shape {input.shape} and that of a weight of shape {weight.shape} (out, in) differ"
            if weight.ndim
            else f"linear: the weight must have the shape (out, in), not {weight.shape}"
        )
    y = matmul(input, weight.T)
    if bias is None:
        return y
    bias = asarray(bias)
    if bias.shape != weight.shape[:-1]:
        raise ValueError(
            f"linear: the bias has shape {bias.shape}; a weight of shape {weight.shape} needs one of shape {weight.shape[:-1]}"
        )
    return linear(input, weight, bias) if weight.ndim == 2 else y + bias


def bilinear(input1: Array, input2: Array, weight: Array, bias: Array | None = None) -> Array:
    """Sums of input1[i] weight[o, i, j] input2[j]: (..., in1), (..., in2), (out, in1, in2), (out,) -> (..., out).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.functional.bilinear(xp.asarray([1.0, 2.0]), xp.asarray([3.0]), xp.ones((2, 2, 1)))
    Array([9., 9.], shape=(2,), dtype=float64, device='cpu')
    """
    if weight.ndim != 3 or input1.shape[-1] != weight.shape[1] or input2.shape[-1] != weight.shape[2]:
        raise ValueError(
            f"bilinear: inputs of shapes {input1.shape} and {input2.shape} do not fit a weight of shape {weight.shape} (out, in1, in2)"
        )
    y: Array = einsum("...i,oij,...j->...o", input1, weight, input2)
    return y if bias is None else y + bias
