"""Poolings as modules: thin over `mtarray.convolution`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import Array
from . import functional as F
from .module import Module

Size = int | Sequence[int]


class _MaxPool(Module):
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of each window of signals (n, channels, length); see `mtarray.convolution.max_pool1d`."""

    def forward(self, x: Any) -> Any:
        """The largest elements; with `return_indices` a pair of them and their positions."""
        return F.max_pool1d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, return_indices=self.return_indices
        )


class MaxPool2d(_MaxPool):
    """The largest element of each window of images (n, channels, height, width); see `mtarray.convolution.max_pool2d`.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.MaxPool2d(2)(xp.ones((5, 3, 8, 8))).shape
    (5, 3, 4, 4)
    """

    def forward(self, x: Any) -> Any:
        """The largest elements; with `return_indices` a pair of them and their positions."""
        return F.max_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, return_indices=self.return_indices
        )


class AvgPool1d(Module):
    """The mean of each window of signals (n, channels, length); see `mtarray.convolution.avg_pool1d`."""

    def __init__(
        self, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: Any) -> Array:
        """The means."""
        return F.avg_pool1d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window of images (n, channels, height, width); see `mtarray.convolution.avg_pool2d`."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Any) -> Array:
        """The means."""
        return F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _Adaptive(Module):
    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The means of `output_size` windows that cover signals (n, channels, length)."""

    def __init__(self, output_size: int) -> None:
        super().__init__(output_size)

    def forward(self, x: Any) -> Array:
        """The means."""
        return F.adaptive_avg_pool1d(x, self.output_size)


class AdaptiveAvgPool2d(_Adaptive):
    """The means of windows that cover images (n, channels, height, width); output_size: a number or a pair, None keeps an axis as it is.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.AdaptiveAvgPool2d(1)(xp.ones((5, 3, 8, 6))).shape
    (5, 3, 1, 1)
    """

    def __init__(self, output_size: int | Sequence[int | None] | None) -> None:
        super().__init__(output_size)

    def forward(self, x: Any) -> Array:
        """The means."""
        return F.adaptive_avg_pool2d(x, self.output_size)


class AdaptiveMaxPool1d(_Adaptive):
    """The largest elements of `output_size` windows that cover signals (n, channels, length)."""

    def forward(self, x: Any) -> Any:
        """The largest elements; with `return_indices` a pair of them and their positions."""
        return F.adaptive_max_pool1d(x, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_Adaptive):
    """The largest elements of windows that cover images (n, channels, height, width); output_size: a number or a pair of them."""

    def forward(self, x: Any) -> Any:
        """The largest elements; with `return_indices` a pair of them and their positions."""
        return F.adaptive_max_pool2d(x, self.output_size, self.return_indices)
