"""Data type functions and the inspection API."""

from __future__ import annotations

from typing import Any

from . import _dtypes
from ._array import VERSIONS, Array
from ._config import is_strict
from ._devices import Device, current
from ._devices import device as as_device
from ._devices import devices as all_devices
from ._dtypes import ALL, COMPLEX, FLOATING, INTEGER, WEAK_KIND, DType, FInfo, IInfo, dtype_of, is_kind
from ._operands import check_promotion, common


def _dtype(x: Any, where: str) -> DType:
    if isinstance(x, Array):
        return x.dtype
    # Scalar types have these attributes too, as descriptors.
    return dtype_of(x.dtype if hasattr(x, "dtype") and hasattr(x, "shape") and not isinstance(x, type) else x, where)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether every value of one dtype (or of an array's dtype) is kept by promotion to another.

    >>> import mtarray as xp
    >>> xp.can_cast(xp.int8, xp.int16), xp.can_cast(xp.float64, xp.float32)
    (True, False)
    """
    a, b = _dtype(from_, "from_"), dtype_of(to, "to")
    return _dtypes.promote(a, b) is b


def finfo(type: Any, /) -> FInfo:
    """Machine limits of a floating dtype (or an array's): bits, eps, max, min, smallest_normal, dtype.

    >>> import mtarray as xp
    >>> xp.finfo(xp.float32).bits
    32
    """
    d = _dtype(type, "type")
    if d not in FLOATING:
        raise ValueError(f"finfo: {d} is not a floating dtype; use iinfo for integers")
    return _dtypes.floating_info(d)


def iinfo(type: Any, /) -> IInfo:
    """Range of an integer dtype (or an array's): bits, max, min, dtype.

    >>> import mtarray as xp
    >>> xp.iinfo(xp.int8).max
    127
    """
    d = _dtype(type, "type")
    if d not in INTEGER:
        raise ValueError(f"iinfo: {d} is not an integer dtype; use finfo for floats")
    return _dtypes.integer_info(d)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind: another dtype, "bool", "signed integer", "unsigned integer", "integral", "real floating",
    "complex floating", "numeric", or a tuple of these.

    >>> import mtarray as xp
    >>> xp.isdtype(xp.int8, "integral"), xp.isdtype(xp.int8, (xp.int16, "bool"))
    (True, False)
    """
    return is_kind(dtype_of(dtype), kind)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that arrays, dtypes and Python scalars promote to; the width of a Python scalar does not count.

    >>> import mtarray as xp
    >>> xp.result_type(xp.float32, 1.0), xp.result_type(xp.int8, xp.uint8)
    (dtype('float32'), dtype('int16'))
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: at least one array or dtype is needed")
    key = tuple([a.__class__ if a.__class__ in WEAK_KIND else _dtype(a, "argument") for a in arrays_and_dtypes])
    if is_strict():
        check_promotion("result_type", key)
    return common(key)


class Info:
    """What `__array_namespace_info__()` returns: what this namespace can do, by the standard's inspection API.

    >>> import mtarray as xp
    >>> xp.__array_namespace_info__().default_device()
    Device('cpu')
    """

    def capabilities(self) -> dict[str, Any]:
        """Optional behaviour: boolean indexing, shapes that depend on data, the largest number of dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """The device of arrays that are not told where to live."""
        return current()

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes that Python numbers take."""
        as_device(device)
        return {
            "real floating": _dtypes.DEFAULT_FLOAT,
            "complex floating": _dtypes.DEFAULT_COMPLEX,
            "integral": _dtypes.DEFAULT_INT,
            "indexing": _dtypes.DEFAULT_INT,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, DType]:
        """The dtypes by name, all or those of a kind."""
        as_device(device)
        return {d.name: d for d in ALL if kind is None or is_kind(d, kind)}

    def devices(self) -> tuple[Device, ...]:
        """The devices of this machine."""
        return all_devices()


def __array_namespace_info__() -> Info:
    """The standard's inspection API: capabilities, devices, dtypes and their defaults.

    >>> import mtarray as xp
    >>> sorted(xp.__array_namespace_info__().dtypes(kind="real floating"))
    ['float32', 'float64']
    """
    return Info()


def isscalar(x: Any) -> bool:
    """Whether `x` is a Python or NumPy number.

    >>> import mtarray as xp
    >>> xp.isscalar(3.0), xp.isscalar(xp.asarray(3.0))
    (True, False)
    """
    import numbers

    return isinstance(x, numbers.Number)


def iscomplexobj(x: Any) -> bool:
    """Whether `x` has a complex dtype.

    >>> import mtarray as xp
    >>> xp.iscomplexobj(xp.asarray([1j]))
    True
    """
    return _dtype(x, "x") in COMPLEX if hasattr(x, "dtype") else isinstance(x, complex)


__all__ = ["VERSIONS", "can_cast", "finfo", "iinfo", "iscomplexobj", "isdtype", "isscalar", "result_type"]
