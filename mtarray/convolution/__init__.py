"""Convolution and pooling of signals and images, with the names, arguments and semantics of `torch.nn.functional`.

Arrays are (batch, channels, height, width), or (batch, channels, length) for the functions of one dimension; the batch may be absent.
All derivatives exist, of every order and in both modes.

>>> import mtarray as xp
>>> from mtarray import convolution
>>> image = xp.zeros((1, 1, 4, 4))
>>> image[0, 0, 1, 1] = 1.0
>>> edges = convolution.conv2d(image, xp.asarray([[[[-1.0, 0.0, 1.0]]]]), padding=(0, 1))
>>> edges[0, 0, 1]
Array([ 1.,  0., -1.,  0.], shape=(4,), dtype=float64, device='cpu')
"""

from __future__ import annotations

from .convolutions import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from .pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    max_pool1d,
    max_pool2d,
)

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "max_pool1d",
    "max_pool2d",
]
