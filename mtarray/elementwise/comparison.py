"""Which elements are equal, larger or smaller; the larger or smaller of two, and bounds."""

from __future__ import annotations

import math as _math
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import ALL, COMPLEX, INTEGER, REAL, REAL_FLOATING, WEAK_KIND, DType, float64
from .._dtypes import bool as bool_
from .._operands import common, lift, run_quietly
from .._ops import CHEAP, SLOW, boolean, elementwise
from .arithmetic import positive

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math

_REAL_OR_BOOL = (bool_, *REAL)


def _compare_rule(key: tuple[Any, ...]) -> Any:
    """Integers of both signs compare exactly, in NumPy's own mixed loop at any size, where promotion to float64 would round."""
    strong = [k for k in key if k.__class__ is not type]
    d = common(key)
    if d is float64 and len(strong) == 2 and strong[0] in INTEGER and strong[1] in INTEGER:
        return tuple(strong), (bool_,), True
    return (d, d), (bool_,)


def _ordered_rule(key: tuple[Any, ...]) -> Any:
    if common(key) in COMPLEX:
        raise TypeError("complex numbers have no order; compare their real parts, imaginary parts or magnitudes")
    return _compare_rule(key)


@elementwise(dtypes=ALL, numpy="equal", dunder="__eq__", result=boolean, limit=CHEAP, rule=_compare_rule)
def equal(x1, x2):
    """Whether both elements are equal (NaN equals nothing).

    >>> import mtarray as xp
    >>> xp.equal(xp.asarray([1, 2]), xp.asarray([1, 3]))
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 == x2


@elementwise(dtypes=ALL, numpy="not_equal", dunder="__ne__", result=boolean, limit=CHEAP, rule=_compare_rule)
def not_equal(x1, x2):
    """Whether both elements differ (NaN differs from everything).

    >>> import mtarray as xp
    >>> xp.not_equal(xp.asarray([1, 2]), xp.asarray([1, 3]))
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 != x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="less", dunder="__lt__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def less(x1, x2):
    """Whether x1 < x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.less(xp.asarray([1, 2]), 2)
    Array([ True, False], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 < x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="less_equal", dunder="__le__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def less_equal(x1, x2):
    """Whether x1 <= x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.less_equal(xp.asarray([1, 2, 3]), 2)
    Array([ True,  True, False], shape=(3,), dtype=bool, device='cpu')
    """
    return x1 <= x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="greater", dunder="__gt__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def greater(x1, x2):
    """Whether x1 > x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.greater(xp.asarray([1, 3]), 2)
    Array([False,  True], shape=(2,), dtype=bool, device='cpu')
    """
    return x1 > x2


@elementwise(dtypes=_REAL_OR_BOOL, standard=REAL, numpy="greater_equal", dunder="__ge__", result=boolean, limit=CHEAP, rule=_ordered_rule)
def greater_equal(x1, x2):
    """Whether x1 >= x2 (False beside NaN).

    >>> import mtarray as xp
    >>> xp.greater_equal(xp.asarray([1, 2, 3]), 2)
    Array([False,  True,  True], shape=(3,), dtype=bool, device='cpu')
    """
    return x1 >= x2


def _numpy_share(x1: Any, x2: Any) -> Any:
    return np.where(np.equal(x1, x2), x1.dtype.type(0.5), np.greater(x1, x2))


@elementwise(dtypes=REAL_FLOATING, numpy=_numpy_share, limit=SLOW, derivative=(0, 0))
def _share(x1, x2):
    """1 where x1 is larger, 0 where x2 is, 1/2 where they are equal."""
    return 1.0 if x1 > x2 else 0.5 if x1 == x2 else 0.0


def _part(x1: Any, x2: Any) -> Any:
    """`_share` of an array and an array or a Python number."""
    if x1.__class__ in WEAK_KIND:
        x1 = run_quietly(x2.dtype.type, x1)
    elif x2.__class__ in WEAK_KIND:
        x2 = run_quietly(x1.dtype.type, x2)
    return _share(x1, x2)


@elementwise(
    dtypes=_REAL_OR_BOOL,
    standard=REAL,
    numpy="maximum",
    limit=CHEAP,
    derivative=(lambda x1, x2: _part(x1, x2), lambda x1, x2: _part(x2, x1)),
)
def maximum(x1, x2):
    """The larger of each pair of elements; NaN if either is NaN.

    >>> import mtarray as xp
    >>> xp.maximum(xp.asarray([1.0, 5.0]), xp.asarray([3.0, 4.0]))
    Array([3., 5.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.maximum(x1, x2)


@elementwise(
    dtypes=_REAL_OR_BOOL,
    standard=REAL,
    numpy="minimum",
    limit=CHEAP,
    derivative=(lambda x1, x2: _part(x2, x1), lambda x1, x2: _part(x1, x2)),
)
def minimum(x1, x2):
    """The smaller of each pair of elements; NaN if either is NaN.

    >>> import mtarray as xp
    >>> xp.minimum(xp.asarray([1.0, 5.0]), xp.asarray([3.0, 4.0]))
    Array([1., 4.], shape=(2,), dtype=float64, device='cpu')
    """
    return math.minimum(x1, x2)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Array:
    """Each element brought into [min, max]; None leaves a side open. The bounds are numbers or arrays that broadcast with `x`.

    The result has the dtype of `x` where the bounds are of its kind; a bound of a higher kind (a float for integers) promotes.

    >>> import mtarray as xp
    >>> xp.clip(xp.asarray([-1, 5, 20]), 0, 10)
    Array([ 0,  5, 10], shape=(3,), dtype=int64, device='cpu')
    """
    x = lift(x, "clip")
    out = x
    for bound, choose, name in ((min, maximum, "min"), (max, minimum, "max")):
        if bound is None:
            continue
        if bound.__class__ is int and x.dtype in INTEGER:
            info = np.iinfo(x.dtype)  # a bound beyond the dtype does not bind
            bound = info.min if bound < info.min else info.max if bound > info.max else bound
        elif bound.__class__ not in (int, float, bool):
            b = lift(bound, f"clip: {name}")
            kinds = {x.dtype.kind, b.dtype.kind}
            if b.dtype is not x.dtype and (kinds <= {"i", "u"} or kinds == {"f"}):
                bound = _fit(b, x.dtype)
        out = choose(out, bound)
    return positive(x) if out is x and x.dtype is not bool_ else out if out is not x else x.copy()


def _fit(bound: Array, d: DType) -> Array:
    """An array of bounds in the dtype of what it bounds; values beyond it bind as its limits do."""
    if d in INTEGER:
        info = np.iinfo(d)
        low, high = (np.iinfo(bound.dtype).min, np.iinfo(bound.dtype).max)
        bound = clip(bound, info.min if info.min > low else None, info.max if info.max < high else None)
    return bound.astype(d)
