"""What the tests of all ops share: telling values for each dtype, layouts, and how close two results must be.

The tests iterate over the registry, so a new declaration is tested without a line here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

import mtarray as xp
from mtarray._dtypes import ALL, COMPLEX, FLOATING
from mtarray._ops import REGISTRY, Elementwise, Reduction

ELEMENTWISE = {name: op for name, op in REGISTRY.items() if isinstance(op, Elementwise)}
REDUCTIONS = {name: op for name, op in REGISTRY.items() if isinstance(op, Reduction) and op.kind == "reduction"}
SCANS = {name: op for name, op in REGISTRY.items() if isinstance(op, Reduction) and op.kind == "scan"}
DTYPES = ALL

# Functions whose last bits may differ between NumPy's loop and ours, which are within 4 and 2 ULP of the true value; all others agree
# exactly.
ROUNDED = frozenset(
    "pow exp expm1 exp2 log log1p log2 log10 logaddexp logaddexp2 hypot sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh "
    "cbrt float_power sinc deg2rad rad2deg".split()
)
# Complex arithmetic: the order of operations differs.
ROUNDED_COMPLEX = frozenset("multiply divide reciprocal square sqrt abs sign".split())
# Of two zeros of different sign these may return either; the zeros of all others have the sign that the standard, or NumPy, gives them.
EITHER_ZERO = frozenset("maximum minimum fmax fmin".split())


def values(dtype: Any, size: int = 8, seed: int = 0) -> np.ndarray:
    """`size` values of a dtype, the first ones its special ones."""
    rng = np.random.default_rng([seed, size, ALL.index(np.dtype(dtype))])
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.integers(0, 2, size).astype(d)
    if d.kind in "iu":
        info = np.iinfo(d)
        small = rng.integers(0 if d.kind == "u" else -9, 10, size)
        special = np.array([0, 1, info.max, info.min, 2, 3, 5, 7], dtype=object)
        out = small.astype(d)
        k = min(size, len(special))
        out[:k] = special[:k].astype(d)
        return out
    info = np.finfo(d)
    real = np.dtype(info.dtype)
    extremes = [info.smallest_subnormal, info.max]
    special = np.array([0.0, -0.0, 1.0, np.inf, np.nan, -np.inf, -1.0, 0.5, *extremes, -2.5, 1e-3, 7.25, 30.0], real)

    def parts() -> np.ndarray:
        out = (rng.standard_normal(size) * 10.0 ** rng.integers(-3, 3, size)).astype(real)
        k = min(size, len(special))
        out[:k] = special[:k]
        return out

    if d.kind == "f":
        return parts()
    re, im = parts(), rng.permutation(parts())
    return (re + 1j * np.where(np.isfinite(im), im, 1)).astype(d) if size else np.empty(0, d)


def operands(op: Elementwise, dtype: Any, size: int) -> list[np.ndarray]:
    """Operands of one dtype for an op, valid ones (no integer to a negative power)."""
    out = []
    for i in range(op.nin):
        v = values(dtype, size, seed=i)
        out.append(np.roll(v, 3 * i))
    if op.name == "pow" and out[1].dtype.kind == "i":
        out[1] = np.abs(out[1] % 7)
    if op.name in ("pow", "float_power") and out[1].dtype.kind == "c":
        # The standard leaves special complex powers open, and the error of large ones is that of the exponent times the logarithm.
        out = [np.where(np.isfinite(v) & (np.abs(v) < 3) & (np.abs(v) > 0.1), v, 1 + 1j).astype(v.dtype) for v in out]
    if op.name in ("ldexp",):
        out[1] = (np.arange(size) % 11 - 5).astype(np.int32)
    return out


# Dtypes that meet: of both signs, of integers and floats whose promotion needs a third dtype, of bool and each kind.
MIXED = [
    tuple(map(np.dtype, pair.split()))
    for pair in (
        "int64 uint64", "uint64 int64", "int64 float32", "int8 uint8", "bool float32", "bool int8", "float64 complex64", "int16 complex64",
        "uint64 float32", "float32 float64", "int32 uint16", "bool complex128", "uint8 int64", "complex64 complex128",
    )
]  # fmt: skip


def mixed_operands(name: str, first: Any, second: Any) -> list[np.ndarray]:
    """Operands of two dtypes, valid ones."""
    x, y = values(first, 40, seed=1), np.roll(values(second, 40, seed=2), 3)
    if name in ("pow", "float_power"):
        if "c" in x.dtype.kind + y.dtype.kind:  # as in `operands`
            x, y = [np.where(np.isfinite(v) & (np.abs(v) < 3) & (np.abs(v) > 0.1), v, 1).astype(v.dtype) for v in (x, y)]
        elif y.dtype.kind in "iu":
            y = (y % y.dtype.type(7)).astype(y.dtype)
    if name.startswith("logaddexp"):  # where the sum of exponentials is near 1 both tiers lose digits of the logarithm
        x, y = [v if v.dtype.kind in "bu" else np.maximum(v, 0) for v in (x, y)]
    return [x, y]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "contiguous": lambda a: a,
    "reversed": lambda a: a[::-1],
    "strided": lambda a: np.repeat(a, 2)[::2],
    "column": lambda a: a.reshape(-1, 2).T if a.size % 2 == 0 else a,
    "0-d": lambda a: a[2:3].reshape(()),
    "empty": lambda a: a[:0],
    "broadcast": lambda a: np.broadcast_to(a, (3, a.size)),
}


def tolerance(name: str, dtype: Any) -> float:
    """In units of the last place by which two tiers may differ; 0: exactly."""
    d = np.dtype(dtype)
    if d.kind in "biu":
        return 0 if name not in ROUNDED else 6
    if name in ROUNDED:
        return 6 if d.kind == "f" else 16
    return 8 if d.kind == "c" and name in ROUNDED_COMPLEX else 0


def assert_close(actual: Any, expected: Any, ulps: float, context: str = "", zeros: bool = False) -> None:
    """Same shape, dtype, NaN and infinities, and values within `ulps` (normwise for complex); `zeros`: real zeros of the same sign."""
    a, e = np.asarray(actual), np.asarray(expected)
    assert a.shape == e.shape, f"{context}: shape {a.shape}, expected {e.shape}"
    assert a.dtype == e.dtype, f"{context}: dtype {a.dtype}, expected {e.dtype}"
    if zeros and a.dtype.kind == "f":
        turned = (a == 0) & (e == 0) & (np.signbit(a) != np.signbit(e))
        assert not np.any(turned), f"{context}: {_first(a, e, turned)}"
    if a.dtype.kind not in "fc" or ulps == 0:
        same = (a == e) | ((a != a) & (e != e))
        if a.dtype.kind == "c":
            same |= _parts_agree(a, e)
        assert np.all(same), f"{context}: {_first(a, e, ~same)}"
        return
    with np.errstate(all="ignore"):
        if a.dtype.kind == "c":
            # Where a part is NaN or infinite, the parts are compared one by one.
            finite = np.isfinite(a) & np.isfinite(e)
            unit = np.spacing(np.maximum(np.abs(e), np.finfo(a.dtype).tiny))
            wrong = np.where(finite, np.abs(a - e) > ulps * unit, ~_parts_agree(a, e))
        else:
            finite = np.isfinite(a) & np.isfinite(e)
            unit = np.spacing(np.maximum(np.abs(e), np.finfo(a.dtype).tiny))
            wrong = np.where(finite, np.abs(a - e) > ulps * unit, ~((a == e) | (np.isnan(a) & np.isnan(e))))
    assert not np.any(wrong), f"{context}: {_first(a, e, wrong)}"


def _parts_agree(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    def part(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return (x == y) | (np.isnan(x) & np.isnan(y)) | (np.abs(x - y) <= 16 * np.spacing(np.abs(y)))

    return part(a.real, e.real) & part(a.imag, e.imag)


def _first(a: np.ndarray, e: np.ndarray, wrong: np.ndarray) -> str:
    i = tuple(int(k) for k in np.argwhere(np.atleast_1d(wrong))[0])
    a, e = np.atleast_1d(a), np.atleast_1d(e)
    return f"{int(np.sum(wrong))} of {a.size} differ, first at {i}: {a[i]!r}, expected {e[i]!r}"


__all__ = [
    "ALL", "COMPLEX", "DTYPES", "EITHER_ZERO", "ELEMENTWISE", "FLOATING", "LAYOUTS", "MIXED", "REDUCTIONS", "ROUNDED", "SCANS",
    "assert_close", "mixed_operands", "operands", "tolerance", "values", "xp",
]  # fmt: skip
