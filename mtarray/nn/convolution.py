"""Convolutions and poolings as modules: thin over `mtarray.convolution`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import Array
from . import functional as F
from . import init
from .module import Module
from .parameter import empty

Size = int | Sequence[int]


def _tuple(size: Any, n: int, where: str, name: str) -> tuple[int, ...]:
    out = tuple(size) if isinstance(size, (tuple, list)) else (size,) * n
    if len(out) != n:
        raise ValueError(f"{where}: {name}={size!r} must be a number, or {n} of them")
    return out


class _Convolution(Module):
    """What convolutions have in common. weight: (out, in / groups, *kernel), of a transpose (in, out / groups, *kernel)."""

    weight: Array
    bias: Array | None
    padding: Any
    _n: int
    _transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        output_padding: Size = 0,
    ) -> None:
        super().__init__()
        name, n = type(self).__name__, self._n
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: in_channels={in_channels} and out_channels={out_channels} must divide into groups={groups}")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular") or (self._transposed and padding_mode != "zeros"):
            known = "'zeros'" if self._transposed else "'zeros', 'reflect', 'replicate' or 'circular'"
            raise ValueError(f"{name}: padding_mode={padding_mode!r} must be {known}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _tuple(kernel_size, n, name, "kernel_size")
        self.stride = _tuple(stride, n, name, "stride")
        self.padding = padding if isinstance(padding, str) else _tuple(padding, n, name, "padding")
        self.dilation = _tuple(dilation, n, name, "dilation")
        self.output_padding = _tuple(output_padding, n, name, "output_padding")
        self.groups = groups
        self.padding_mode = padding_mode
        if self.padding not in ("valid", "same") and isinstance(self.padding, str):
            raise ValueError(f"{name}: padding={padding!r} must be numbers, 'valid' or 'same'")
        if self.padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError(f"{name}: padding='same' keeps the size, so it needs stride 1, not {self.stride}")
        ends = (in_channels, out_channels // groups) if self._transposed else (out_channels, in_channels // groups)
        self.weight = empty((*ends, *self.kernel_size), dtype, device, name)
        if bias:
            self.bias = empty((out_channels,), dtype, device, name)
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init.default_(self.weight, self.bias)

    def _padded(self, x: Any) -> tuple[Any, Any]:
        """The input, and the padding that remains, of zeros."""
        if self.padding_mode == "zeros" or self.padding == "valid":
            return x, self.padding
        widths: list[int] = []
        for i in reversed(range(self._n)):
            if self.padding == "same":
                both = self.dilation[i] * (self.kernel_size[i] - 1)
                widths += [both // 2, both - both // 2]
            else:
                widths += [int(self.padding[i])] * 2
        return F.pad(x, widths, self.padding_mode), 0

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * self._n:
                text += f", {name}={value}"
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")


class Conv1d(_Convolution):
    """Convolution of signals: (n, in_channels, length) or (in_channels, length) -> (n, out_channels, length').

    weight: (out_channels, in_channels / groups, kernel_size); bias: (out_channels,), or None with bias=False. Both begin uniform within
    1 / sqrt(in_channels / groups * kernel_size). padding: of zeros at both ends, or "valid" or "same"; padding_mode: what stands there
    instead of zeros, "reflect", "replicate" or "circular". See `mtarray.convolution.conv1d`.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Conv1d(2, 4, 3, padding="same")(xp.ones((5, 2, 10))).shape
    (5, 4, 10)
    """

    _n = 1

    def forward(self, x: Any) -> Array:
        """The convolution."""
        x, padding = self._padded(x)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Convolution):
    """Convolution of images: (n, in_channels, height, width) or (in_channels, height, width) -> (n, out_channels, height', width').

    weight: (out_channels, in_channels / groups, *kernel_size). kernel_size, stride, padding, dilation: a number, or a pair of them, down
    and across. Otherwise as `Conv1d`; see `mtarray.convolution.conv2d`.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Conv2d(3, 16, 3, stride=2, padding=1)(xp.ones((5, 3, 32, 32))).shape
    (5, 16, 16, 16)
    """

    _n = 2

    def forward(self, x: Any) -> Array:
        """The convolution."""
        x, padding = self._padded(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _Transposed(_Convolution):
    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if isinstance(padding, str):
            raise ValueError(f"{type(self).__name__}: padding={padding!r} must be numbers")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype, output_padding
        )

    def _extra(self, x: Any, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """The elements to add at the ends, for a result of a given size."""
        if output_size is None:
            return self.output_padding
        wanted = tuple(output_size)[-self._n :]
        extra = tuple(
            [
                size - ((length - 1) * s - 2 * int(p) + d * (k - 1) + 1)
                for size, length, s, p, d, k in zip(wanted, x.shape[-self._n :], self.stride, self.padding, self.dilation, self.kernel_size)
            ]
        )
        if len(wanted) != self._n or any(not 0 <= e < s for e, s in zip(extra, self.stride)):
            raise ValueError(
                f"{type(self).__name__}: output_size={tuple(output_size)} cannot be reached from an input of shape {x.shape} with "
                f"stride {self.stride}: it may be larger than without output_padding by less than the stride"
            )
        return extra


class ConvTranspose1d(_Transposed):
    """Transposed convolution of signals, the adjoint of `Conv1d`: (n, in_channels, length) -> (n, out_channels, length').

    weight: (in_channels, out_channels / groups, kernel_size). forward(x, output_size=None): `output_size` chooses among the lengths that
    the stride leaves open. See `mtarray.convolution.conv_transpose1d`.
    """

    _n = 1

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Array:
        """The transposed convolution."""
        extra = self._extra(x, output_size)
        return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)


class ConvTranspose2d(_Transposed):
    """Transposed convolution of images, the adjoint of `Conv2d`: (n, in_channels, h, w) -> (n, out_channels, h', w').

    weight: (in_channels, out_channels / groups, *kernel_size). forward(x, output_size=None): `output_size` chooses among the sizes that
    the stride leaves open. See `mtarray.convolution.conv_transpose2d`.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.ConvTranspose2d(16, 3, 3, stride=2, padding=1)(xp.ones((5, 16, 16, 16)), output_size=(32, 32)).shape
    (5, 3, 32, 32)
    """

    _n = 2

    def forward(self, x: Any, output_size: Sequence[int] | None = None) -> Array:
        """The transposed convolution."""
        extra = self._extra(x, output_size)
        return F.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation)
