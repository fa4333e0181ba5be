"""Attention: for each query a mean of values, weighted by the likeness of their keys."""

from __future__ import annotations

import math
from typing import Any

from ... import Array, arange, asarray, inf, isdtype, matmul, matrix_transpose, result_type, special, where
from ... import all as _all
from .regular import dropout


def causal_mask(queries: int, keys: int, device: Any = None) -> Array:
    """(queries, keys): which keys a query may look at, where the queries are the last of the keys: those up to its own."""
    return arange(keys, device=device)[None, :] <= arange(keys - queries, keys, device=device)[:, None]


def attention_weights(scores: Array, mask: Array | None, empty: bool) -> Array:
    """Softmax of the scores (..., queries, keys), with a mask: bool, True where a key counts, or floating, added.

    empty: whether a query without any key gets weights 0; otherwise they are NaN.
    """
    if mask is None:
        return special.softmax(scores, axis=-1)
    boolean = isdtype(mask.dtype, "bool")
    scores = where(mask, scores, -inf) if boolean else scores + mask
    if empty:
        alone = _all(~mask if boolean else mask == -inf, axis=-1, keepdims=True)
        # Their scores are put aside, so that no NaN is made; on a device always, since asking would be waiting.
        if alone.device != "cpu" or bool(alone.any()):
            return where(alone, 0.0, special.softmax(where(alone, 0.0, scores), axis=-1))
    weights: Array = special.softmax(scores, axis=-1)
    return weights


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Array:
    """softmax(query @ key^T * scale + mask) @ value: (..., queries, d), (..., keys, d), (..., keys, v) -> (..., queries, v).

    attn_mask: broadcasts to (..., queries, keys); bool, True where a key counts, or floating, added. A query that no key counts for gives
    0. is_causal: query i looks at keys 0 to i (and no attn_mask). scale: by default 1 / sqrt(d). dropout_p: of the weights, as in
    `dropout`. ValueError for shapes that do not fit. Vaswani et al., "Attention Is All You Need" (2017).

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> x = xp.asarray([[0.0, 0.0], [0.0, 0.0]])
    >>> nn.functional.scaled_dot_product_attention(x, x, xp.asarray([[1.0], [3.0]]), is_causal=True)
    Array([[1.],
           [2.]], shape=(2, 1), dtype=float64, device='cpu')
    """
    query, key, value = (asarray(x) for x in (query, key, value))
    shapes = f"query {query.shape}, key {key.shape}, value {value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ValueError(f"scaled_dot_product_attention: expected (..., length, features) each; got {shapes}")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"scaled_dot_product_attention: query and key must have the same features, key and value the same length; got {shapes}"
        )
    if is_causal and attn_mask is not None:
        raise ValueError("scaled_dot_product_attention: attn_mask and is_causal=True exclude each other; put both into one mask")
    d = result_type(query, key, value)
    query, key, value = (x if x.dtype is d else x.astype(d) for x in (query, key, value))
    queries, keys = query.shape[-2], key.shape[-2]
    mask = None
    if is_causal:
        mask = arange(keys, device=query.device)[None, :] <= arange(queries, device=query.device)[:, None]
    elif attn_mask is not None:
        mask = asarray(attn_mask)
        if mask.ndim < 2 or any(n not in (1, m) for n, m in zip(mask.shape[-2:], (queries, keys))):
            raise ValueError(
                f"scaled_dot_product_attention: attn_mask has shape {mask.shape}; it must broadcast to (..., {queries}, {keys})"
            )
        if not isdtype(mask.dtype, "bool"):
            mask = mask.astype(d)
    factor = 1 / math.sqrt(query.shape[-1] or 1) if scale is None else scale
    weights = attention_weights(matmul(query * factor, matrix_transpose(key)), mask, not is_causal)
    if dropout_p:
        weights = dropout(weights, dropout_p)
    return matmul(weights, value)
