"""Attention with several heads, and the block that transformers are made of."""

from __future__ import annotations

from typing import Any

from .. import Array, asarray, broadcast_to, concat, isdtype, matmul, matrix_transpose, permute_dims, reshape, where, zeros
from .. import mean as _mean
from . import functional as F
from . import init
from .functional.attention import attention_weights, causal_mask
from .linear import Linear
from .module import Module
from .normalization import LayerNorm
from .parameter import empty
from .regular import Dropout


class KeyValueCache:
    """The keys and values of all steps so far, for a `MultiheadAttention` that is given a sequence piece by piece.

    One cache serves one layer. `length`: steps so far; `reset()` forgets them. Memory is taken for twice as many steps when it is used up.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> layer, cache = nn.MultiheadAttention(4, 2, batch_first=True), nn.KeyValueCache()
    >>> x = xp.ones((1, 3, 4), dtype=xp.float32)
    >>> whole = layer(x, x, x, is_causal=True)[0]
    >>> steps = [layer(s, s, s, is_causal=True, cache=cache)[0] for s in (x[:, :1], x[:, 1:2], x[:, 2:])]
    >>> bool(xp.all(xp.abs(xp.concat(steps, axis=1) - whole) < 1e-6)), cache.length
    (True, 3)
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self.length = 0
        self._keys: Array | None = None
        self._values: Array | None = None

    def extend(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Add those of further steps, (batch, heads, steps, features); all of them so far."""
        if self._keys is None or self._values is None:
            self._keys, self._values, self.length = keys, values, keys.shape[2]
            return keys, values
        if keys.shape[:2] != self._keys.shape[:2] or keys.shape[3] != self._keys.shape[3] or keys.dtype != self._keys.dtype:
            raise ValueError(
                f"KeyValueCache: keys of shape {keys.shape} and {keys.dtype} do not continue those of shape {self._keys.shape} and "
                f"{self._keys.dtype}, (batch, heads, steps, features); reset() it for another sequence"
            )
        start, end = self.length, self.length + keys.shape[2]
        if keys.requires_grad or values.requires_grad or self._keys.requires_grad or self._values.requires_grad:
            self._keys = concat([self._keys[:, :, :start], keys], axis=2)
            self._values = concat([self._values[:, :, :start], values], axis=2)
        else:
            if end > self._keys.shape[2]:
                self._keys, self._values = self._larger(self._keys, end), self._larger(self._values, end)
            self._keys[:, :, start:end] = keys
            self._values[:, :, start:end] = values
        self.length = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def _larger(self, x: Array, end: int) -> Array:
        batch, heads, _, features = x.shape
        out = zeros((batch, heads, max(2 * self.length, end), features), dtype=x.dtype, device=x.device)
        out[:, :, : self.length] = x[:, :, : self.length]
        return out


class MultiheadAttention(Module):
    """Attention in num_heads parts of embed_dim features each looking for itself; linear maps before and after it.

    query (queries, batch, embed_dim), key (keys, batch, kdim), value (keys, batch, vdim), with batch_first (batch, length, features), or
    without a batch (length, features). Returns the result, shaped as query, and with need_weights the weights, (batch, queries, keys) as
    means over the heads or (batch, heads, queries, keys), else None. Masks: attn_mask (queries, keys) or (batch * heads, queries, keys) and
    key_padding_mask (batch, keys) are bool, True where a key does **not** count, or floating, added. is_causal: a query looks at keys up to
    its own, where the queries are the last of the keys. cache: a `KeyValueCache`, whose keys and values come before the ones given.
    dropout: of the weights, in training.

    Parameters in_proj_weight (3 * embed_dim, embed_dim), in_proj_bias, out_proj.weight, out_proj.bias; where kdim or vdim differ
    q_proj_weight, k_proj_weight, v_proj_weight; with add_bias_kv also bias_k, bias_v, (1, 1, embed_dim): one more key. add_zero_attn: one
    more key and value of zeros. ValueError for shapes that do not fit. Vaswani et al., "Attention Is All You Need" (2017).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> x = xp.ones((2, 5, 8), dtype=xp.float32)
    >>> y, weights = nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 5, 5))
    """

    in_proj_weight: Array | None
    in_proj_bias: Array | None
    q_proj_weight: Array | None
    k_proj_weight: Array | None
    v_proj_weight: Array | None
    bias_k: Array | None
    bias_v: Array | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        where_ = type(self).__name__
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(f"{where_}: embed_dim={embed_dim} does not divide into num_heads={num_heads} heads")
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        together = self.kdim == embed_dim and self.vdim == embed_dim
        parts = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        for name, width in parts.items():
            self.register_parameter(name, None if together else empty((embed_dim, width), dtype, device, where_))
        self.register_parameter("in_proj_weight", empty((3 * embed_dim, embed_dim), dtype, device, where_) if together else None)
        self.register_parameter("in_proj_bias", empty((3 * embed_dim,), dtype, device, where_) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, empty((1, 1, embed_dim), dtype, device, where_) if add_bias_kv else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for extra in (self.bias_k, self.bias_v):
            if extra is not None:
                init.xavier_normal_(extra)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> tuple[Array, Array | None]:
        """(result, weights or None)"""
        alone = query.ndim == 2
        self._check(query, key, value)
        same = query is key and key is value
        if alone:
            query, key, value = (x[None, :, :] for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else asarray(key_padding_mask)[None, :]
        first = self.batch_first or alone
        q, k, v = self._project(query, key, value, first, same)
        if cache is not None:
            k, v = cache.extend(k, v)
        batch, heads, queries, width = q.shape
        known = k.shape[2]
        if self.bias_k is not None and self.bias_v is not None:
            k, v = (
                concat([x, broadcast_to(reshape(extra, (1, heads, 1, width)), (batch, heads, 1, width))], axis=2)
                for x, extra in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            nothing = zeros((batch, heads, 1, width), dtype=k.dtype, device=k.device)
            k, v = concat([k, nothing], axis=2), concat([v, nothing], axis=2)
        keys = k.shape[2]
        mask = self._mask(attn_mask, key_padding_mask, is_causal, (batch, queries, known, keys), q)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = attention_weights(matmul(q * width**-0.5, matrix_transpose(k)), mask, False)
            weights = F.dropout(weights, p) if p else weights
            y = matmul(weights, v)
            weights = _mean(weights, axis=1) if average_attn_weights else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, p)
        y = permute_dims(y, (0, 2, 1, 3) if first else (2, 0, 1, 3))
        y = self.out_proj(reshape(y, (*y.shape[:2], self.embed_dim)))
        if alone:
            return y[0], None if weights is None else weights[0]
        return y, weights

    def _check(self, query: Any, key: Any, value: Any) -> None:
        shapes = f"query {query.shape}, key {key.shape}, value {value.shape}"
        if query.ndim not in (2, 3) or key.ndim != query.ndim or value.ndim != query.ndim:
            raise ValueError(f"{type(self).__name__}: query, key and value must all be 3-D, or all 2-D without a batch; got {shapes}")
        if (query.shape[-1], key.shape[-1], value.shape[-1]) != (self.embed_dim, self.kdim, self.vdim):
            raise ValueError(
                f"{type(self).__name__}: query, key and value must have {self.embed_dim}, {self.kdim} and {self.vdim} features; "
                f"got {shapes}"
            )
        at = 0 if self.batch_first or query.ndim == 2 else 1
        if key.shape[:-1] != value.shape[:-1] or (query.ndim == 3 and key.shape[at] != query.shape[at]):
            raise ValueError(f"{type(self).__name__}: key and value must have the same length, and all the same batch; got {shapes}")

    def _project(self, query: Any, key: Any, value: Any, first: bool, same: bool) -> tuple[Array, Array, Array]:
        """Queries, keys and values as (batch, heads, length, head_dim)."""
        heads, width, e = self.num_heads, self.head_dim, self.embed_dim
        if same and self.in_proj_weight is not None:
            x = F.linear(query, self.in_proj_weight, self.in_proj_bias)
            x = reshape(x, (*x.shape[:2], 3, heads, width))
            x = permute_dims(x, (2, 0, 3, 1, 4) if first else (2, 1, 3, 0, 4))
            return x[0], x[1], x[2]
        if self.in_proj_weight is not None:
            w: Any = [self.in_proj_weight[i * e : (i + 1) * e] for i in range(3)]
        else:
            w = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        found = []
        for i, x in enumerate((query, key, value)):
            y = F.linear(x, w[i], None if self.in_proj_bias is None else self.in_proj_bias[i * e : (i + 1) * e])
            y = reshape(y, (*y.shape[:2], heads, width))
            found.append(permute_dims(y, (0, 2, 1, 3) if first else (1, 2, 0, 3)))
        return found[0], found[1], found[2]

    def _mask(self, attn_mask: Any, padding: Any, causal: bool, sizes: tuple[int, int, int, int], like: Array) -> Array | None:
        """One mask, bool (True where a key counts) or floating, that broadcasts to (batch, heads, queries, keys); None for none."""
        batch, queries, known, keys = sizes
        where_ = type(self).__name__
        masks = []
        if attn_mask is not None:
            m = asarray(attn_mask)
            if m.shape == (queries, known):
                masks.append(m)
            elif m.shape == (batch * self.num_heads, queries, known):
                masks.append(reshape(m, (batch, self.num_heads, queries, known)))
            else:
                raise ValueError(
                    f"{where_}: attn_mask has shape {m.shape}; expected {(queries, known)} or {(batch * self.num_heads, queries, known)}"
                )
        if padding is not None:
            m = asarray(padding)
            if m.shape != (batch, known):
                raise ValueError(f"{where_}: key_padding_mask has shape {m.shape}; expected {(batch, known)}")
            masks.append(m[:, None, None, :])
        if causal and known < queries:
            raise ValueError(f"{where_}: is_causal needs at least as many keys as queries; there are {known} and {queries}")
        if causal and (queries > 1 or masks or keys > known):
            masks.append(~causal_mask(queries, known, like.device))
        if not masks:
            return None
        if all(isdtype(m.dtype, "bool") for m in masks):
            mask = masks[0]
            for m in masks[1:]:
                mask = mask | m
            mask = ~mask
        else:
            added = [where(m, -float("inf"), 0.0).astype(like.dtype) if isdtype(m.dtype, "bool") else m.astype(like.dtype) for m in masks]
            mask = added[0]
            for m in added[1:]:
                mask = mask + m
        if keys > known:  # those that were added always count
            counts = asarray(isdtype(mask.dtype, "bool"), dtype=mask.dtype, device=mask.device)
            more = broadcast_to(counts, (*mask.shape[:-1], keys - known))
            mask = concat([mask, more], axis=-1)
        return mask


MultiHeadAttention = MultiheadAttention


class TransformerBlock(Module):
    """Attention of a sequence to itself and two linear layers, each added to what it was given, and layer norms.

    src: (steps, batch, d_model), with batch_first (batch, steps, d_model), or (steps, d_model); the result is shaped as it. Norms come
    after the sums, or with norm_first before attention and linear layers. activation: "relu", "gelu" or a function. src_mask,
    src_key_padding_mask: as of `MultiheadAttention`, True where a key does not count. causal: a step looks at itself and those before, in
    every call; is_causal: in this one. cache: a `KeyValueCache` of the steps before. dropout: of the weights, after the activation, of what
    is added, in training.

    Arguments and parameters are those of PyTorch's TransformerEncoderLayer: self_attn, linear1, linear2, norm1, norm2. ValueError for
    shapes that do not fit. Vaswani et al., "Attention Is All You Need" (2017).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> block = nn.TransformerBlock(8, 2, 32, norm_first=True, batch_first=True, causal=True)
    >>> block(xp.ones((2, 5, 8), dtype=xp.float32)).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        causal: bool = False,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ("relu", "gelu"):
            raise ValueError(f"TransformerBlock: activation={activation!r} must be 'relu', 'gelu' or a function")
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        self.causal = causal
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = getattr(F, activation) if isinstance(activation, str) else activation

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Array:
        """The sequence, of the same shape."""
        options = {"key_padding_mask": src_key_padding_mask, "attn_mask": src_mask, "is_causal": is_causal or self.causal, "cache": cache}
        x: Array = src
        if self.norm_first:
            x = x + self._attend(self.norm1(x), options)
            return x + self._feed(self.norm2(x))
        x = self.norm1(x + self._attend(x, options))
        return self.norm2(x + self._feed(x))

    def _attend(self, x: Array, options: dict[str, Any]) -> Array:
        y: Array = self.dropout1(self.self_attn(x, x, x, need_weights=False, **options)[0])
        return y

    def _feed(self, x: Array) -> Array:
        y: Array = self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))
        return y
