"""NumPy's functions and ufuncs called with mtarray arrays: `np.sin(x)`, `np.add.reduce(x)`, `np.concatenate([x, y])` give mtarray arrays.

A call that one of our functions understands goes to it. Everything else runs in NumPy on the arrays' own memory, and the results
are wrapped - unless a derivative follows an operand: then what can be said in our functions is, and the rest refused.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from . import _array
from ._array import Array, from_numpy, is_followed, leave, on_cpu, writable
from ._devices import CPU
from ._ops import REGISTRY, Elementwise


@functools.cache
def _twins() -> dict[Any, Any]:
    """Our function for each NumPy ufunc of the same meaning."""
    return {op.twin: op.function for op in REGISTRY.values() if isinstance(op, Elementwise) and op.twin.__class__ is np.ufunc} | {
        np.matmul: getattr(_array.xp, "matmul", None),
        np.vecdot: getattr(_array.xp, "vecdot", None),
    }


def _to_numpy(x: Any, where: str) -> Any:
    """`x`, nested containers included, with our arrays as NumPy's views of them."""
    c = x.__class__
    if c is Array:
        on_cpu(x, f"{where}, which mtarray does not mirror for these arguments")
        return leave(x, f"{where}, which mtarray does not mirror for these arguments")
    if c is tuple or c is list:
        return c([_to_numpy(v, where) for v in x])
    if c is dict:
        return {k: _to_numpy(v, where) for k, v in x.items()}
    return x


def _is_elsewhere(x: Any) -> bool:
    """Whether an array in `x`, nested containers included, is not on the CPU, where NumPy could read it."""
    if x.__class__ is Array:
        return x.device is not CPU
    if isinstance(x, dict):
        return any(map(_is_elsewhere, x.values()))
    return isinstance(x, (list, tuple)) and any(map(_is_elsewhere, x))


def _from_numpy(x: Any) -> Any:
    """A result of NumPy's with its arrays as ours where we have the dtype."""
    if isinstance(x, (np.ndarray, np.generic)):
        return from_numpy(np.asarray(x)) if x.dtype.kind in "biufc" and x.dtype not in (np.float16, np.longdouble, np.clongdouble) else x
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[_from_numpy(v) for v in x])
    if x.__class__ in (tuple, list):
        return x.__class__([_from_numpy(v) for v in x])
    return x


def array_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The `__array_ufunc__` of Array."""
    if method == "__call__" and not kwargs:
        ours = _twins().get(ufunc)
        if ours is not None and all(isinstance(x, (Array, np.ndarray, np.generic, int, float, complex)) for x in inputs):
            return ours(*inputs)
    if is_followed(inputs) or is_followed(kwargs) or _is_elsewhere((inputs, kwargs)):
        from . import _numpy_tracked

        result = _numpy_tracked.array_ufunc(ufunc, method, inputs, kwargs, _twins().get(ufunc))
        if result is not NotImplemented:
            return result
    where = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else "")
    out = kwargs.get("out")
    if method == "at" or "where" in kwargs:  # what is not written keeps its dependence
        _to_numpy((inputs[0], out), where)
    if out is not None:
        targets = out if isinstance(out, tuple) else (out,)
        kwargs = {**kwargs, "out": tuple([writable(t, f"{where}: out") if t.__class__ is Array else t for t in targets])}
    if method == "at":
        target = inputs[0]
        plain = (writable(target, where) if target.__class__ is Array else target, *_to_numpy(inputs[1:], where))
    else:
        plain = _to_numpy(inputs, where)
    kwargs = {k: v if k == "out" else _to_numpy(v, where) for k, v in kwargs.items()}
    result = getattr(ufunc, method)(*plain, **kwargs)
    if out is not None:
        return targets[0] if len(targets) == 1 else targets
    return _from_numpy(result)


_NAMESPACES = {"numpy": "", "numpy.linalg": "linalg", "numpy.fft": "fft"}


@functools.cache
def _mirror(function: Any) -> Any:
    """Our function of the same name and place as NumPy's, its signature, and NumPy's; or None."""
    space: Any = _array.xp
    module = _NAMESPACES.get(getattr(function, "__module__", None) or "numpy")
    if module is None:
        return None
    if module:
        space = getattr(space, module, None)
    name = {"concatenate": "concat"}.get(function.__name__, function.__name__)
    ours = getattr(space, name, None)
    if ours is None or not callable(ours):
        return None
    try:
        return ours, inspect.signature(ours), inspect.signature(function)
    except ValueError:  # written in C, without a signature
        return ours, inspect.signature(ours), None


def _call_mirror(function: Any, args: Any, kwargs: Any) -> Any:
    """What our counterpart gives for a call meant for NumPy, or NotImplemented: there is none, or it would mean something else."""
    mirror = _mirror(function)
    if mirror is None:
        return NotImplemented
    ours, signature, theirs = mirror
    if function is np.take and kwargs.get("axis", args[2] if len(args) > 2 else None) is None:
        return NotImplemented  # NumPy flattens, the standard asks for an axis
    if theirs is not None and not any(p.kind is p.VAR_POSITIONAL for p in theirs.parameters.values()):
        # The same places may have other names: what follows the positional-only operands is passed by NumPy's name.
        operands = sum(p.kind is p.POSITIONAL_ONLY for p in signature.parameters.values())
        names = list(theirs.parameters)
        kwargs = {**dict(zip(names[operands:], args[operands:])), **kwargs}
        args = args[:operands]
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return NotImplemented  # an argument that only NumPy has
    # NumPy converts lists where arrays are meant, we ask for `asarray`.
    if any(v.__class__ is list and not any(x.__class__ is Array for x in v) for v in bound.arguments.values()):
        return NotImplemented
    return ours(*args, **kwargs)


def array_function(function: Any, args: Any, kwargs: Any) -> Any:
    """The `__array_function__` of Array."""
    result = _call_mirror(function, tuple(args), kwargs)
    if result is not NotImplemented:
        return result
    if is_followed(tuple(args)) or is_followed(kwargs) or _is_elsewhere((tuple(args), kwargs)):
        from . import _numpy_tracked

        result = _numpy_tracked.array_function(function, tuple(args), kwargs, _mirror(function))
        if result is not NotImplemented:
            return result
    where = f"np.{function.__name__}"
    out = kwargs.get("out")
    if out.__class__ is Array:
        kwargs = {**kwargs, "out": writable(out, f"{where}: out")}
    result = function(*_to_numpy(tuple(args), where), **_to_numpy(dict(kwargs), where))
    return out if out.__class__ is Array else _from_numpy(result)


_array.array_ufunc = array_ufunc
_array.array_function = array_function
