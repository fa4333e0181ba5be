"""The thirteen data types of the standard, their categories, and promotion.

An array's dtype *is* a NumPy dtype instance: it hashes, compares (`x.dtype == "float32"`) and pickles as users expect, and NumPy's
own registry keeps one object per type, so `is` decides on the hot path. The public names (`mtarray.float32`) are NumPy's scalar
types, which equal these; the instances themselves would not do as names, since `np.dtype("float64") == None` is true.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

DType = np.dtype[Any]

bool = np.dtype("bool")
int8, int16, int32, int64 = (np.dtype(f"int{n}") for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (np.dtype(f"uint{n}") for n in (8, 16, 32, 64))
float32, float64 = np.dtype("float32"), np.dtype("float64")
complex64, complex128 = np.dtype("complex64"), np.dtype("complex128")

SIGNED = (int8, int16, int32, int64)
UNSIGNED = (uint8, uint16, uint32, uint64)
INTEGER = SIGNED + UNSIGNED
REAL_FLOATING = (float32, float64)
COMPLEX = (complex64, complex128)
FLOATING = REAL_FLOATING + COMPLEX
REAL = INTEGER + REAL_FLOATING
NUMERIC = REAL + COMPLEX
INTEGER_OR_BOOL = (bool, *INTEGER)
ALL = (bool, *NUMERIC)

DEFAULT_INT, DEFAULT_FLOAT, DEFAULT_COMPLEX = int64, float64, complex128

_KINDS: dict[str, tuple[DType, ...]] = {
    "bool": (bool,),
    "signed integer": SIGNED,
    "unsigned integer": UNSIGNED,
    "integral": INTEGER,
    "real floating": REAL_FLOATING,
    "complex floating": COMPLEX,
    "numeric": NUMERIC,
}
_BY_CODE = {d.str: d for d in ALL}
_PYTHON: dict[Any, DType] = {builtins.bool: bool, int: int64, float: float64, complex: complex128}


def dtype_of(spec: Any, where: str = "dtype") -> DType:
    """The dtype that `spec` names: a dtype, its name, a NumPy scalar type or `bool`, `int`, `float`, `complex`.

    Raises TypeError for anything that is not one of the thirteen types of the standard (also in foreign byte order).
    """
    try:
        return _KNOWN[spec]
    except (KeyError, TypeError):  # a name, an alias, something unhashable
        pass
    if spec is None:
        raise TypeError(f"{where}=None is not a data type")
    try:
        d = np.dtype(spec)
    except TypeError as error:
        raise TypeError(f"{where}={spec!r} is not a data type; use one of {', '.join(d.name for d in ALL)}") from error
    try:
        return _BY_CODE[d.str]  # also folds NumPy's aliases (`longlong` is `int64`) into one object
    except KeyError:
        raise TypeError(
            f"{where}={d} is not supported: mtarray has {', '.join(d.name for d in ALL)}"
            + ("; cast to float32 first" if d.kind == "f" or d.name == "bfloat16" else "")
        ) from None


# Dtypes and types never meet under one key: their hashes differ though they compare equal.
_KNOWN: dict[Any, DType] = {**{d: d for d in ALL}, **{d.type: d for d in ALL}, **_PYTHON}

WEAK_KIND = {_PYTHON_TYPE: rank for rank, _PYTHON_TYPE in enumerate(_PYTHON)}  # bool < int < float < complex
_WEAK_SAMPLE = {t: t(0) for t in WEAK_KIND}


@cache
def promote(first: DType, *rest: DType) -> DType:
    """The type that values of all these types are brought to (NumPy's table, mixed kinds included)."""
    for d in rest:
        first = np.promote_types(first, d)
    return _BY_CODE[first.str]


@cache
def promote_weak(strong: DType | None, weak: type) -> DType:
    """Type of an array of type `strong` combined with a Python scalar of type `weak`, whose own width does not count."""
    if strong is None:
        return _PYTHON[weak]
    return _BY_CODE[np.result_type(strong, _WEAK_SAMPLE[weak]).str]


def python_dtype(number: Any) -> DType:
    """The dtype that a Python bool, int, float or complex takes by itself."""
    return _PYTHON[number.__class__]


def same_kind(strong: DType, weak: type) -> builtins.bool:
    """Whether the standard defines an operation between this dtype and a Python scalar of this type."""
    if weak is complex or weak is float:
        return strong in FLOATING
    if weak is int:
        return strong is not bool
    return strong is bool


@cache
def float_of(d: DType) -> DType:
    """The floating type in which a function like `sin` computes for this type: 8- and 16-bit integers fit float32."""
    if d in FLOATING:
        return d
    return float32 if d.itemsize <= 2 else float64


@cache
def real_of(d: DType) -> DType:
    """The type of the real part."""
    return float32 if d is complex64 else float64 if d is complex128 else d


@cache
def complex_of(d: DType) -> DType:
    """The complex type whose components have this type's precision."""
    return complex64 if d in (float32, complex64) else complex128


def standard_promotion(a: DType, b: DType) -> builtins.bool:
    """Whether the standard defines the promotion of these two types (used by `strict`)."""
    if a is b:
        return True
    if a is bool or b is bool:
        return False
    if a in INTEGER and b in INTEGER:
        return uint64 not in (a, b) or (a in UNSIGNED and b in UNSIGNED)
    return a in FLOATING and b in FLOATING


@dataclass(frozen=True)
class FInfo:
    """What `finfo` returns: the machine limits of a floating type, as Python floats."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IInfo:
    """What `iinfo` returns: the range of an integer type."""

    bits: int
    max: int
    min: int
    dtype: DType


@cache
def floating_info(d: DType) -> FInfo:
    i = np.finfo(d)
    return FInfo(int(i.bits), float(i.eps), float(i.max), float(i.min), float(i.smallest_normal), real_of(d))


@cache
def integer_info(d: DType) -> IInfo:
    i = np.iinfo(d)
    return IInfo(int(i.bits), int(i.max), int(i.min), d)


def is_kind(d: DType, kind: Any) -> builtins.bool:
    """Whether `d` is of the kind (a dtype, one of the standard's names, or a tuple of them)."""
    if isinstance(kind, tuple):
        return any(is_kind(d, k) for k in kind)
    if isinstance(kind, str):
        try:
            return d in _KINDS[kind]
        except KeyError:
            raise ValueError(f"kind={kind!r} is unknown; use a dtype or one of {', '.join(_KINDS)}") from None
    return d == dtype_of(kind, "kind")
