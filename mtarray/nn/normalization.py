"""Layers that normalise: over the batch, over features, over groups of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import Array, autodiff, int64, ones, zeros
from . import functional as F
from . import init
from .module import Module
from .parameter import empty, floating


def _reset(module: Any) -> None:
    if module.weight is not None:
        init.ones_(module.weight)
    if getattr(module, "bias", None) is not None:
        init.zeros_(module.bias)


class _BatchNorm(Module):
    weight: Array | None
    bias: Array | None
    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None
    _dims: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, empty((num_features,), dtype, device, where) if wanted else None)
        d = floating(dtype, where)
        tracked = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, dtype=d, device=device) if tracked else None)
        self.register_buffer("running_var", ones(num_features, dtype=d, device=device) if tracked else None)
        self.register_buffer("num_batches_tracked", zeros((), dtype=int64, device=device) if tracked else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0 and variance 1 of no batches."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean[...] = 0.0
            self.running_var[...] = 1.0
            self.num_batches_tracked[...] = 0

    def reset_parameters(self) -> None:
        """Scales 1, shifts 0, and no batches seen."""
        self.reset_running_stats()
        _reset(self)

    def forward(self, x: Any) -> Array:
        """The normalised input; in training the running statistics are moved towards those of the batch."""
        if x.ndim not in self._dims:
            expected = " or ".join(f"{n}-D" for n in self._dims)
            raise ValueError(f"{type(self).__name__}: the input must be {expected}; it has shape {x.shape}")
        if x.shape[1] != self.num_features:
            raise ValueError(f"{type(self).__name__}: the input of shape {x.shape} must have {self.num_features} channels")
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            with autodiff.no_grad():
                self.num_batches_tracked += 1
            if momentum is None:  # the plain mean of all batches
                momentum = 1.0 / int(self.num_batches_tracked)
        by_batch = self.training or self.running_mean is None
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, by_batch, 0.0 if momentum is None else momentum, self.eps
        )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Each of num_features channels of (batch, channels) or (batch, channels, length) to mean 0 and variance 1 over the rest.

    In training by the batch's own mean and variance, otherwise by the running ones: buffers running_mean and running_var, which each batch
    in training moves by `momentum` (None: they are the plain means of all batches). weight and bias, (channels,), begin as 1 and 0;
    affine=False: none; bias=False: no bias. track_running_stats=False: always by the batch. ValueError for other shapes. Ioffe, Szegedy,
    "Batch Normalization" (2015).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> layer = nn.BatchNorm1d(1, dtype=xp.float64)
    >>> y = layer(xp.asarray([[1.0], [3.0]]))
    >>> float(layer.running_mean[0]), int(layer.num_batches_tracked)
    (0.2, 1)
    """

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each of num_features channels of (batch, channels, height, width) to mean 0 and variance 1 over the rest, as `BatchNorm1d`.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.BatchNorm2d(3)(xp.ones((2, 3, 4, 4), dtype=xp.float32)).shape
    (2, 3, 4, 4)
    """

    _dims = (4,)


def _shape(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


class LayerNorm(Module):
    """The last axes, of the shape `normalized_shape`, to mean 0 and variance 1 together: (..., *normalized_shape), as the result.

    weight and bias, of that shape, begin as 1 and 0; elementwise_affine=False: none; bias=False: no bias. Ba, Kiros, Hinton, "Layer
    Normalization" (2016).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.LayerNorm(2, eps=0.0, dtype=xp.float64)(xp.asarray([[1.0, 3.0]])).detach().tolist()
    [[-1.0, 1.0]]
    """

    weight: Array | None
    bias: Array | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            self.register_parameter(name, empty(self.normalized_shape, dtype, device, "LayerNorm") if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scales 1, shifts 0."""
        _reset(self)

    def forward(self, x: Any) -> Array:
        """The normalised input."""
        return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """The last axes, of the shape `normalized_shape`, divided by their root mean square: (..., *normalized_shape), as the result.

    weight, of that shape, begins as 1; elementwise_affine=False: none. eps: by default that of the dtype. Zhang, Sennrich, "Root Mean
    Square Layer Normalization" (2019).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.RMSNorm(2, eps=0.0, dtype=xp.float64)(xp.asarray([[3.0, 3.0]])).detach().tolist()
    [[1.0, 1.0]]
    """

    weight: Array | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.register_parameter("weight", empty(self.normalized_shape, dtype, device, "RMSNorm") if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scales 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Any) -> Array:
        """The normalised input."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """num_groups groups of the channels of (batch, num_channels, ...) to mean 0 and variance 1, each with all that follows its channels.

    weight and bias, (num_channels,), begin as 1 and 0; affine=False: none; bias=False: no bias. ValueError where channels do not divide
    into groups. Wu, He, "Group Normalization" (2018).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.GroupNorm(2, 4, eps=0.0, dtype=xp.float64)(xp.asarray([[1.0, 3.0, 0.0, 10.0]])).detach().tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    weight: Array | None
    bias: Array | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels={num_channels} does not divide into num_groups={num_groups} groups")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            self.register_parameter(name, empty((num_channels,), dtype, device, "GroupNorm") if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Scales 1, shifts 0."""
        _reset(self)

    def forward(self, x: Any) -> Array:
        """The normalised input."""
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"
