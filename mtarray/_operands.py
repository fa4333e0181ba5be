"""What every door asks of its operands: that they are arrays, which dtype they promote to, whether strict mode allows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, from_numpy
from ._config import is_strict
from ._devices import CPU
from ._dtypes import WEAK_KIND, DType, promote, promote_weak, same_kind, standard_promotion

_BOOL = np.dtype(bool)


# NumPy keeps its floating-point error state in a context variable. Setting it directly costs 0.19 us, `np.errstate` 1.1: on
# arrays of ten elements that is the difference between one and two microseconds for `x + y`.
try:
    from numpy._core.umath import _extobj_contextvar, _make_extobj

    QUIET: Any = _make_extobj(all="ignore")
    set_errors: Callable[[Any], Any] = _extobj_contextvar.set
    reset_errors: Callable[[Any], None] = _extobj_contextvar.reset
except ImportError:  # a NumPy that keeps it elsewhere
    QUIET = None

    def set_errors(_: Any) -> Any:
        return np.seterr(all="ignore")

    def reset_errors(token: Any) -> None:
        np.seterr(**token)


def run_quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with NumPy's floating-point warnings off."""
    token = set_errors(QUIET)
    try:
        return function(*args, **kwargs)
    finally:
        reset_errors(token)


def lift(x: Any, where: str) -> Array:
    """`x` as an Array: itself, or a window on an ndarray's memory. TypeError for anything else."""
    if x.__class__ is Array:
        return x
    if isinstance(x, (np.ndarray, np.generic)):
        if is_strict():
            raise TypeError(f"{where}: a NumPy {type(x).__name__} is not an array of this namespace; use asarray (strict mode)")
        return from_numpy(x if isinstance(x, np.ndarray) else np.asarray(x))
    if x.__class__ in WEAK_KIND:
        return fresh(np.asarray(x, promote_weak(None, x.__class__)))
    raise TypeError(f"{where}: expected an array, got {x!r:.80} of type {type(x).__name__}; convert it with mtarray.asarray")


def lift_together(where: str, *xs: Any) -> list[Array]:
    """Operands as Arrays, numbers of Python's and NumPy's among them on the device of the first array."""
    device = next((x.device for x in xs if x.__class__ is Array), None)
    return [
        _array.xp.asarray(x, device=device)
        if x.__class__ in WEAK_KIND or (device is not None and device is not CPU and isinstance(x, np.generic) and not is_strict())
        else lift(x, where)
        for x in xs
    ]


def promised(x: Array, dtypes: tuple[DType, ...], where: str) -> Array:
    """`x`; in strict mode TypeError unless the standard defines the function `where` for its dtype."""
    if x._dtype not in dtypes and is_strict():
        raise TypeError(f"{where}: the standard does not define it for {x._dtype}, only for {names(dtypes)} (strict mode)")
    return x


def lift_operand(x: Any, op: Any, beside: tuple[Any, ...] = ()) -> Array | None:
    """An operand of an elementwise op that is neither an Array nor a number of Python's: an ndarray or, beside arrays and outside strict
    mode, a sequence, which goes to the device of those `beside` it. None for anything else."""
    if isinstance(x, (np.ndarray, np.generic)):
        return lift(x, op.name)
    if not isinstance(x, (list, tuple)) or op.nin == 1 or is_strict():
        return None
    try:
        return _array.xp.asarray(x, device=next((a.device for a in beside if a.__class__ is Array), None))
    except TypeError:
        return None


def operands_of(op: Any, args: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...]] | None:
    """Arrays (Python scalars stay as they are) and the key of the plan: a dtype per array, a type per scalar. None if foreign."""
    xs: list[Any] = []
    key: list[Any] = []
    for a in args:
        c = a.__class__
        if c is Array:
            key.append(a._dtype)
        elif c in WEAK_KIND:
            key.append(c)
        else:
            a = lift_operand(a, op, args)
            if a is None:
                return None
            key.append(a._dtype)
        xs.append(a)
    return xs, tuple(key)


def refuse(op: Any, args: tuple[Any, ...]) -> TypeError:
    for i, a in enumerate(args):
        if a.__class__ is not Array and a.__class__ not in WEAK_KIND and lift_operand(a, op) is None:
            name = op.parameters[i]
            return TypeError(
                f"{op.name}: {name} must be an array or a Python number, got {a!r:.80} of type {type(a).__name__}; "
                "convert it with mtarray.asarray"
            )
    return TypeError(f"{op.name}: unsupported operands")


def check_strict(op: Any, key: tuple[Any, ...]) -> None:
    """Refuse dtypes and promotions that the standard leaves open."""
    strong = [k for k in key if k.__class__ is not type]
    if not strong:
        raise TypeError(f"{op.name}: at least one operand must be an array (strict mode)")
    if not op.standard:
        raise TypeError(f"{op.name} is not a function of the standard but a NumPy name (strict mode)")
    for d in strong:
        if d not in op.standard:
            raise TypeError(f"{op.name}: the standard does not define it for {d}, only for {names(op.standard)} (strict mode)")
    if op.name == "where":  # its first operand chooses, the others promote
        if key[0] is not _BOOL:
            raise TypeError(f"where: the standard wants a boolean condition, not {key[0]} (strict mode)")
        key, strong = key[1:], strong[1:]
        if not strong:
            raise TypeError("where: the standard wants an array among x1 and x2 (strict mode)")
    if op.promotes or op.name == "where":
        check_promotion(op.name, key)


def check_promotion(where: str, key: tuple[Any, ...]) -> None:
    """Refuse dtypes, or Python scalars (by their types) beside them, whose promotion the standard leaves open."""
    strong = [k for k in key if k.__class__ is not type]
    for d in strong[1:]:
        if not standard_promotion(strong[0], d):
            raise TypeError(f"{where}: the standard does not define the promotion of {strong[0]} and {d}; cast one of them (strict mode)")
    for k in key:
        if k.__class__ is type and strong and not same_kind(strong[0], k):
            raise TypeError(f"{where}: the standard does not define a Python {k.__name__} beside {strong[0]} (strict mode)")


def names(dtypes: tuple[DType, ...]) -> str:
    return ", ".join(d.name for d in dtypes)


def common(key: tuple[Any, ...]) -> DType:
    """The dtype that operands with these dtypes and scalar types promote to."""
    strong = [k for k in key if k.__class__ is not type]
    out = promote(*strong) if strong else None
    for k in sorted([k for k in key if k.__class__ is type], key=WEAK_KIND.__getitem__):
        out = promote_weak(out, k)
    assert out is not None
    return out
