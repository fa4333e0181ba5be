"""all, any, diff."""

from __future__ import annotations

from typing import Any

from ._array import Array
from ._dtypes import ALL, NUMERIC
from ._dtypes import bool as bool_
from ._operands import lift, promised
from ._ops import reduction
from ._strides import axis_of
from .elementwise import not_equal, subtract
from .manipulation import concat


@reduction(identity=True, dtypes=ALL, numpy="logical_and", result=bool_, limit=1 << 16, limits={"b": 1 << 22})
def all(a, b):
    """Whether all elements along `axis` (an int, a tuple, or None for all) are true (non-zero); true for none.

    >>> import mtarray as xp
    >>> xp.all(xp.asarray([[True, False], [True, True]]), axis=1)
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return (a != 0) & (b != 0)


@reduction(identity=False, dtypes=ALL, numpy="logical_or", result=bool_, limit=1 << 16, limits={"b": 1 << 22})
def any(a, b):
    """Whether any element along `axis` (an int, a tuple, or None for all) is true (non-zero); false for none.

    >>> import mtarray as xp
    >>> bool(xp.any(xp.asarray([0, 0, 3])))
    True
    """
    return (a != 0) | (b != 0)


def diff(x: Any, /, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """Differences of neighbours along `axis`, taken `n` times; the axis gets n shorter. Booleans: whether neighbours differ.

    prepend, append: arrays (or numbers) joined to `x` first.

    >>> import mtarray as xp
    >>> xp.diff(xp.asarray([1, 4, 9]))
    Array([3, 5], shape=(2,), dtype=int64, device='cpu')
    """
    x = promised(lift(x, "diff"), NUMERIC, "diff")
    if n < 0:
        raise ValueError(f"diff: n={n} must not be negative")
    if x.ndim == 0:
        raise ValueError("diff: a 0-d array has no axis")
    a = axis_of(axis, x.ndim)
    if n == 0:
        return x.copy()
    parts = [_edge(prepend, x, a, "prepend"), x, _edge(append, x, a, "append")]
    if prepend is not None or append is not None:
        x = concat([p for p in parts if p is not None], axis=a)
    for _ in range(n):
        after = [slice(None)] * x.ndim
        before = list(after)
        after[a], before[a] = slice(1, None), slice(None, -1)
        x = (not_equal if x.dtype is bool_ else subtract)(x[tuple(after)], x[tuple(before)])
    return x


def _edge(edge: Any, x: Array, a: int, name: str) -> Array | None:
    if edge is None:
        return None
    from .creation import asarray, broadcast_to

    edge = asarray(edge) if edge.__class__ not in (int, float, complex, bool) else asarray(edge, dtype=_edge_dtype(x, edge))
    if edge.ndim == 0:
        edge = broadcast_to(edge, x._shape[:a] + (1,) + x._shape[a + 1 :])
    if edge.ndim != x.ndim:
        raise ValueError(f"diff: {name} has shape {edge.shape}, x has {x.shape}; they must have as many dimensions")
    return edge


def _edge_dtype(x: Array, edge: Any) -> Any:
    from ._dtypes import promote_weak

    return promote_weak(x.dtype, edge.__class__)


__all__ = ["all", "any", "diff"]
