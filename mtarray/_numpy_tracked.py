"""NumPy's functions and ufuncs called with arrays that a derivative follows, said in our own: `out=`, `where=`, `reduce`, `at`.

Each function returns NotImplemented for what it cannot say; the caller then refuses, since NumPy's own loops leave no trace.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import _array
from ._array import Array
from ._array_methods import delivered
from ._indexing import Basic, parse

_PLAIN = {"casting": "same_kind", "order": "K", "subok": True}  # arguments that change nothing when they are NumPy's defaults
_FOLDS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_or": "any", "logical_and": "all"}
_RUNS = {"add": "cumsum", "multiply": "cumprod"}
_OTHERWISE = {"compress", "partition", "sort"}  # methods that do not do what the function of their name does


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any], twin: Any) -> Any:
    """A call of a ufunc or its method; twin: our function of its meaning, if there is one under another name."""
    ours = twin or _ours(ufunc)
    kwargs = {k: v for k, v in kwargs.items() if k not in _PLAIN or v != _PLAIN[k]}
    if ours is None:
        return NotImplemented
    if method == "__call__":
        return _call(ours, ufunc, inputs, **kwargs) if kwargs.keys() <= {"out", "where", "dtype"} else NotImplemented
    if method == "at":
        return _at(ours, ufunc, *inputs)
    if method == "outer" and not kwargs:
        a, b = (_array.xp.asarray(x) for x in inputs)
        return ours(a[(..., *(None,) * b.ndim)], b)
    if method == "reduce":
        return _reduce(ours, ufunc, *inputs, **kwargs)
    if method == "accumulate":
        return _accumulate(ours, ufunc, *inputs, **kwargs)
    return NotImplemented


def _ours(ufunc: Any) -> Any:
    name = ufunc.__name__
    if getattr(np, name, None) is ufunc:
        return getattr(_array.xp, name, None)
    special = sys.modules.get("scipy.special")
    if special is not None and getattr(special, name, None) is ufunc:
        return getattr(_array.xp.special, name, None)
    return None


def _call(ours: Any, ufunc: Any, inputs: tuple[Any, ...], out: Any = None, where: Any = True, dtype: Any = None) -> Any:
    """Where the condition `where` is false and there is no `out`, the result, which NumPy leaves to chance, is 0."""
    if dtype is not None:
        inputs = tuple([_array.xp.asarray(x).astype(dtype, copy=False) for x in inputs])
    for target in out if out.__class__ is tuple else (out,):
        if target.__class__ is Array:
            _array.writable(target, f"np.{ufunc.__name__}: out", recorded=True)  # raises before anything is computed
    results = ours(*inputs)
    single = results.__class__ is not tuple
    results = (results,) if single else results
    outs = out if out.__class__ is tuple else (out,) * len(results)
    made = []
    for r, target in zip(results, outs):
        if target is not None:
            r = _array.xp.broadcast_to(r, target.shape)
        if where is not True:
            r = _array.xp.where(_array.xp.asarray(where), r, 0 if target is None else _array.xp.asarray(target))
        made.append(delivered(r, target, f"np.{ufunc.__name__}"))
    return made[0] if single else tuple(made)


def _at(ours: Any, ufunc: Any, x: Any, indices: Any, *operand: Any) -> Any:
    """x[indices] = ours(x[indices], operand), without buffering: an element that is named twice changes twice."""
    if x.__class__ is not Array:
        return NotImplemented
    part = parse(indices, x._shape, x._strides, x._offset, _array._as_index)
    target = _array.window(x, part.shape, part.strides, part.offset)
    key = None if isinstance(part, Basic) else part.key
    if ufunc is np.add or ufunc is np.subtract:
        (v,) = operand
        v = _array.xp.asarray(v) if v.__class__ is Array else _array.xp.asarray(v, dtype=x._dtype, device=x._storage.device)
        if np.can_cast(v._dtype, x._dtype, "same_kind"):
            _array.accumulate(target, v if ufunc is np.add else -v, key)
            return None
        return NotImplemented
    if key is not None:
        named = np.arange(target.size).reshape(target._shape)[key]
        if np.unique(named).size != named.size:
            return NotImplemented
    _array.assign(target, ours(target[...] if key is None else _array.select(target, key), *operand), key)
    return None


def _reduce(ours: Any, ufunc: Any, x: Any, axis: Any = 0, *args: Any, **kwargs: Any) -> Any:
    name = _FOLDS.get(ufunc.__name__)
    x = _array.xp.asarray(x)
    if name is not None:
        if args:
            kwargs = {**dict(zip(("dtype", "out", "keepdims", "initial", "where"), args)), **kwargs}
        kwargs = {k: _alone(v) for k, v in kwargs.items() if v is not None and v is not np._NoValue}
        try:
            return getattr(x, name)(axis=axis, **kwargs)
        except TypeError:  # an argument that only NumPy has
            return NotImplemented
    if args or kwargs or axis.__class__ is not int or ufunc.nin != 2 or not x._shape[axis]:
        return NotImplemented
    return _running(ours, x, axis)[-1]


def _accumulate(ours: Any, ufunc: Any, x: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    name = _RUNS.get(ufunc.__name__)
    x = _array.xp.asarray(x)
    if name is not None:
        return getattr(x, name)(axis=axis, dtype=dtype, out=_alone(out))
    if dtype is not None or out is not None or ufunc.nin != 2 or not x._shape[axis]:
        return NotImplemented
    return _array.xp.stack(_running(ours, x, axis), axis=axis)


def _running(ours: Any, x: Array, axis: int) -> list[Any]:
    slices = _array.xp.unstack(x, axis=axis)
    out = [slices[0]]
    for s in slices[1:]:
        out.append(ours(out[-1], s))
    return out


def _alone(out: Any) -> Any:
    return out[0] if out.__class__ is tuple else out


def array_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], mirror: Any) -> Any:
    """A call of a NumPy function; mirror: what `_numpy_protocol` knows of ours of its name."""
    name = function.__name__
    out = kwargs.get("out")
    tries: list[tuple[Any, Any, dict[str, Any]]] = []
    if name not in _OTHERWISE and args and args[0].__class__ is Array:
        tries.append((getattr(Array, name, None), args, kwargs))  # our methods have NumPy's signatures
    if mirror is not None:
        rest = {k: _numbers(v) for k, v in kwargs.items() if k != "out"}
        tries += [(mirror[0], args, kwargs), (mirror[0], tuple([_numbers(a) for a in args]), rest)]
    for ours, given, named in tries:
        if not callable(ours):
            continue
        try:
            result = ours(*given, **named)
        except TypeError:  # an argument that only NumPy has
            continue
        undelivered = out is not None and "out" not in named and result.__class__ is Array
        return delivered(result, out, f"np.{name}") if undelivered else result
    return NotImplemented


def _numbers(x: Any) -> Any:
    """A list of numbers as an array; anything else as it is."""
    return _array.xp.asarray(x) if x.__class__ is list and x and _is_numeric(x) else x


def _is_numeric(x: Any) -> bool:
    return all(_is_numeric(v) if v.__class__ is list else isinstance(v, (int, float, complex, np.number)) for v in x)
