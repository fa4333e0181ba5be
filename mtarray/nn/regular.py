"""Dropout, tables of vectors, and layers that change the shape alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from .. import Array, asarray, autodiff, reshape
from .._hints import unbuilt
from ..random import Generator
from . import functional as F
from . import init
from .module import Module
from .parameter import Parameter, empty


class Identity(Module):
    """The input itself. Arguments are accepted and not used, so it stands in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        """x."""
        return x


class Flatten(Module):
    """The axes from start_dim to end_dim as one: by default all but the first.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Flatten()(xp.ones((5, 3, 8, 8))).shape
    (5, 192)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, x: Any) -> Array:
        """The flattened input."""
        n = x.ndim
        start, end = (d + n if d < 0 else d for d in (self.start_dim, self.end_dim))
        if not 0 <= start <= end < n:
            raise ValueError(f"Flatten: start_dim={self.start_dim}, end_dim={self.end_dim} do not fit an input of shape {x.shape}")
        return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """The axis `dim` as several, of the shape unflattened_size (one of them may be -1).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Unflatten(1, (3, -1))(xp.ones((5, 192))).shape
    (5, 3, 64)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, x: Any) -> Array:
        """The input with more axes."""
        d = self.dim + x.ndim if self.dim < 0 else self.dim
        if not 0 <= d < x.ndim:
            raise ValueError(f"Unflatten: dim={self.dim} is no axis of an input of shape {x.shape}")
        known = math.prod([n for n in self.unflattened_size if n != -1])
        fits = x.shape[d] == known if -1 not in self.unflattened_size else known > 0 and x.shape[d] % known == 0
        if not fits or self.unflattened_size.count(-1) > 1:
            raise ValueError(f"Unflatten: axis {self.dim} of an input of shape {x.shape} does not make {self.unflattened_size}")
        sizes = tuple([x.shape[d] // known if n == -1 else n for n in self.unflattened_size])
        return reshape(x, (*x.shape[:d], *sizes, *x.shape[d + 1 :]))

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False, generator: Generator | None = None) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{type(self).__name__}: p={p} must be in [0, 1]")
        self.p = p
        self.generator = generator

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    """In training each element is 0 with the probability p, and otherwise divided by 1 - p (Srivastava et al. 2014).

    generator: a `mtarray.random.Generator`, by default that of all layers (`nn.manual_seed`).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Dropout(0.5).eval()(xp.ones(3))
    Array([1., 1., 1.], shape=(3,), dtype=float64, device='cpu')
    """

    def forward(self, x: Any) -> Array:
        """The input, thinned out in training."""
        return F.dropout(x, self.p, self.training, generator=self.generator)


class Dropout1d(_Dropout):
    """`Dropout` of whole channels of signals (n, channels, length)."""

    def forward(self, x: Any) -> Array:
        """The input, thinned out in training."""
        return F.dropout1d(x, self.p, self.training, generator=self.generator)


class Dropout2d(_Dropout):
    """`Dropout` of whole channels of images (n, channels, height, width)."""

    def forward(self, x: Any) -> Array:
        """The input, thinned out in training."""
        return F.dropout2d(x, self.p, self.training, generator=self.generator)


_NO_EMBEDDING = {
    "max_norm": "scale the rows of `weight` under `no_grad` before they are looked up",
    "norm_type": "",
    "scale_grad_by_freq": "scale the rows of `weight.grad` before the step",
    "sparse": "gradients are dense",
}


class Embedding(Module):
    """A table of num_embeddings vectors of length embedding_dim, looked up by integers of any shape: (...) -> (..., embedding_dim).

    weight: (num_embeddings, embedding_dim), which begins standard normal. padding_idx: a row that begins as zeros and gets no gradient.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.Embedding(10, 3)(xp.asarray([[1, 2], [4, 5]])).shape
    (2, 2, 3)
    """

    weight: Array

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
        **others: Any,
    ) -> None:
        super().__init__()
        unbuilt("Embedding", others, _NO_EMBEDDING)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx={padding_idx} is none of {num_embeddings} rows")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else padding_idx + num_embeddings
        self.weight = empty((num_embeddings, embedding_dim), dtype, device, "Embedding")
        self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Self:
        """A layer with a given table (n, d), which is not learnt unless freeze=False."""
        table = asarray(embeddings)
        if table.ndim != 2:
            raise ValueError(f"Embedding.from_pretrained: the table has shape {table.shape}; it must be (rows, length)")
        layer = cls(table.shape[0], table.shape[1], padding_idx=padding_idx, dtype=table.dtype)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with autodiff.no_grad():
                self.weight[self.padding_idx] = 0.0

    def forward(self, x: Any) -> Array:
        """The rows at x."""
        return F.embedding(x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
