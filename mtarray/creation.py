"""Making arrays."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from . import _array, _device_doors, _strides
from ._array import Array, broadcast_window, fresh, from_numpy, from_tensor, host, is_followed, leave, value, window
from ._config import is_strict
from ._devices import CPU
from ._devices import device as as_device
from ._dtypes import COMPLEX, DEFAULT_FLOAT, DEFAULT_INT, INTEGER, DType, dtype_of, promote_weak, python_dtype
from ._kernels import cuda
from ._kernels.cuda.tensor import empty as empty_tensor
from ._kernels.cuda.tensor import from_host
from ._operands import lift, run_quietly
from ._ops import engine
from ._strides import as_shape

_SCALARS = frozenset((bool, int, float, complex))
_NESTED = frozenset((list, tuple))


def asarray(obj: Any, /, dtype: Any = None, *, device: Any = None, copy: bool | None = None) -> Array:
    """`obj` as an array: an array of any library (shared without copying where possible, by DLPack), a number, nested sequences,
    or an object with the buffer protocol or `__array__`.

    dtype: of the result; None keeps that of arrays, and gives int64, float64, complex128 or bool for Python numbers.
    device: where the result lives; None keeps arrays of this library where they are, and puts anything else on the default device (which
        is the CPU, see `set_default_device`).
    copy: True always copies, False raises ValueError where a copy is needed, None copies only then.
    Raises TypeError for strings, objects and dtypes outside the standard, ValueError for ragged sequences.

    >>> import mtarray as xp
    >>> xp.asarray([[1, 2], [3, 4]], dtype=xp.float32)
    Array([[1., 2.],
           [3., 4.]], shape=(2, 2), dtype=float32, device='cpu')
    """
    to = as_device(device)
    d = None if dtype is None else dtype_of(dtype)
    if obj.__class__ is Array:
        x = obj
        if device is None:
            to = x._storage.device
    elif obj.__class__ in _SCALARS:
        if copy is False:
            raise ValueError("asarray: copy=False, but a Python number has no memory to share")
        number = _number(obj, d or python_dtype(obj))
        return fresh(number) if to is CPU else _device_doors.fresh_full(to.driver, (), number, number.dtype)
    elif isinstance(obj, np.ndarray):
        x = from_numpy(obj, copy)
    elif isinstance(obj, (list, tuple, range)):
        if copy is False:
            raise ValueError("asarray: copy=False, but a sequence has no memory to share")
        if is_strict() and any(o.__class__ is Array for o in obj):
            raise TypeError("asarray: the standard does not define a sequence of arrays; use stack (strict mode)")
        types = _number_types(obj)
        if types is None and (together := _arrays_elsewhere(obj, d)) is not None:
            return together if device is None or to is together._storage.device else moved(together, device=to)
        out = fresh(_from_sequence(obj, d, types))
        out = _stacked(obj, out._dtype) if types is None and is_followed(obj) else out
        return out if to is CPU else moved(out, device=to)
    else:
        x = _from_foreign(obj, copy, device)
        if device is None and x._storage.device is not CPU:
            to = x._storage.device  # it came from there, by DLPack
    if to is not x._storage.device:
        if copy is False:
            raise ValueError(f"asarray: copy=False, but device {to.name!r} from {x._storage.device.name!r} needs a copy")
        return moved(x if d is None or d is x._dtype else astype(x, d), device=to)
    if d is not None and d is not x._dtype:
        if copy is False:
            raise ValueError(f"asarray: copy=False, but {d} from {x._dtype} needs a copy")
        if x._dtype in COMPLEX and d not in COMPLEX:
            raise TypeError(f"asarray: {x._dtype} to {d} would drop imaginary parts; take xp.real(x), xp.imag(x) or xp.abs(x) first")
        return convert(x, dtype=d)
    if copy:
        return convert(x, dtype=x._dtype)
    return x


array = asarray


def _arrays_elsewhere(obj: Any, d: DType | None) -> Array | None:
    """Nested sequences of arrays on a device that is not the CPU, joined there; None if there are none such."""
    if not any(o.__class__ is Array and o._storage.device is not CPU for o in _leaves(obj)):
        return None
    parts = [asarray(o, dtype=d) if o.__class__ is Array or o.__class__ in _NESTED else o for o in obj]
    there = next(o._storage.device for o in parts if o.__class__ is Array)
    return _array.xp.stack([o if o.__class__ is Array else asarray(o, dtype=d, device=there) for o in parts])


def _leaves(obj: Any) -> Any:
    for o in obj:
        if o.__class__ in _NESTED:
            yield from _leaves(o)
        else:
            yield o


def _number(obj: Any, d: DType) -> Any:
    if obj.__class__ is complex and d not in COMPLEX:
        raise TypeError(f"asarray: the complex number {obj} does not fit dtype {d}")
    try:
        return np.asarray(obj, d)
    except OverflowError:
        raise _beyond(obj, d) from None
    except ValueError as error:
        raise ValueError(f"asarray: {obj} cannot be represented in {d}: {error}") from None


def _beyond(number: Any, d: Any) -> OverflowError:
    kind = "float" if isinstance(number, float) else "integer"
    return OverflowError(f"asarray: the Python {kind} {number} is out of bounds for {d}")


def _number_types(obj: Any) -> set[type] | None:
    """The types of the numbers in nested lists and tuples of Python's numbers; None if there is anything else in them."""
    for _ in range(8):
        types = set(map(type, obj))
        if types <= _SCALARS:
            return types
        if not types <= _NESTED:
            break
        obj = list(itertools.chain.from_iterable(obj))
    return None


def _from_sequence(obj: Any, d: DType | None, types: set[type] | None) -> Any:
    if types is None:
        obj = _plain(obj)
    try:
        out = np.array(obj)
    except ValueError:
        raise ValueError("asarray: the sequences are ragged, all of a depth must have the same length") from None
    except OverflowError:
        raise OverflowError("asarray: an integer is too large for int64") from None
    if out.dtype.kind == "O":
        big = max((v for v in out.flat if isinstance(v, int)), key=abs, default=0)
        if abs(big) >= 1 << 63 and all(isinstance(v, (int, float, complex, np.number)) for v in out.flat):
            if d is None or d.kind == "b":
                raise _beyond(big, "uint64" if big > 0 else "int64")
            try:
                return out.astype(d)
            except (OverflowError, ValueError):
                raise _beyond(big, d) from None
            except TypeError:
                raise TypeError(f"asarray: the sequence holds complex numbers, which do not fit dtype {d}") from None
    if out.dtype.kind not in "biufc":
        sample = next(iter(out.flat), None)
        sample = sample.item() if isinstance(sample, np.generic) else sample
        raise TypeError(f"asarray: the sequence holds {sample!r} of type {type(sample).__name__}; elements must be numbers or booleans")
    if out.size == 0 and d is None:
        d = DEFAULT_FLOAT
    mixed = types is None or int in types
    if mixed and out.size and out.dtype.kind == "f" and (d is None or d in INTEGER) and abs(out).max() >= 1 << 63:
        out = _large_integers(obj, out)
    if d is None:
        return out.astype(dtype_of(out.dtype), copy=False)
    if d not in COMPLEX and out.dtype.kind == "c":
        raise TypeError(f"asarray: the sequence holds complex numbers, which do not fit dtype {d}")
    if d in INTEGER and out.dtype.kind in "iu" and out.size:
        info = np.iinfo(d)
        low, high = int(out.min()), int(out.max())
        if low < info.min or high > info.max:
            raise _beyond(low if low < info.min else high, d)
    if d in INTEGER and out.dtype.kind == "f" and out.size:
        if not np.isfinite(out).all():
            raise ValueError(f"asarray: the sequence holds {out[~np.isfinite(out)][0]}, which cannot be represented in {d}")
        info, whole = np.iinfo(d), np.trunc(out)
        beyond = out[(whole < float(info.min)) | (whole >= float(info.max + 1))]
        if beyond.size:
            raise _beyond(float(beyond[0]), d)
    return run_quietly(out.astype, d, copy=False)


def _large_integers(obj: Any, out: Any) -> Any:
    """NumPy makes floats of integers of which some fit int64 and some only uint64, and loses digits: they are uint64 or refused."""
    exact = np.array(obj, object)
    if not all(isinstance(v, int) for v in exact.flat):
        return out
    try:
        return exact.astype(np.uint64)
    except OverflowError:
        raise OverflowError(f"asarray: the integers from {min(exact.flat)} to {max(exact.flat)} fit neither int64 nor uint64") from None


def _plain(obj: Any) -> Any:
    """Nested sequences with our arrays replaced by NumPy's, which `np.array` joins without asking for each element."""
    if isinstance(obj, (list, tuple)):
        return [_plain(o) if isinstance(o, (list, tuple)) or o.__class__ is Array else o for o in obj]
    return host(obj) if obj.__class__ is Array else obj


def _stacked(obj: Any, d: DType) -> Array:
    """Nested sequences that `_from_sequence` accepts, joined by operations that the derivative tape can follow."""
    if obj.__class__ is Array and d.kind not in "fc":
        leave(obj, f"a sequence as an array of {d}")
    if is_followed(obj) and obj.__class__ is not Array:
        return _array.xp.stack([_stacked(o, d) for o in obj])
    return asarray(obj, dtype=d)


def _from_foreign(obj: Any, copy: bool | None, device: Any = None) -> Array:
    if isinstance(obj, np.generic):
        if copy is False:
            raise ValueError("asarray: copy=False, but a NumPy scalar has no memory to share")
        return fresh(np.array(obj, dtype_of(obj.dtype)))
    if isinstance(obj, (str, bytes)):
        raise TypeError(f"asarray: a string ({obj!r:.40}) is not an array of numbers")
    if hasattr(obj, "__dlpack__") and hasattr(obj, "__dlpack_device__"):
        return from_dlpack(obj, device=device, copy=copy if copy is False else None)
    if hasattr(obj, "__array__") or hasattr(obj, "__array_interface__"):
        return from_numpy(np.asarray(obj, copy=False if copy is False else None), copy)
    try:
        view = memoryview(obj)
    except TypeError:
        pass
    else:
        return from_numpy(np.asarray(view), copy)
    if hasattr(obj, "__len__") and hasattr(obj, "__getitem__") and not isinstance(obj, Mapping):
        return fresh(_from_sequence(list(obj), None, None))
    raise TypeError(
        f"asarray: cannot make an array of {obj!r:.60} of type {type(obj).__name__}; give numbers, nested sequences, or an object with "
        "__dlpack__, __array__ or the buffer protocol"
    )


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array on the memory of any object with `__dlpack__` (NumPy, PyTorch, JAX, ...); writes are seen by both unless it is read-only.

    device: None keeps it where it is (an array on a GPU stays there if mtarray has a CUDA device, and comes to the CPU else).
    copy: True copies, False forbids it. Raises BufferError if the exporter refuses, TypeError for dtypes outside the standard (bfloat16,
    float16: cast them there first).

    >>> import mtarray as xp, numpy as np
    >>> a = np.zeros(3)
    >>> x = xp.from_dlpack(a)
    >>> x[0] = 5
    >>> float(a[0])
    5.0
    """
    to = None if device is None else as_device(device)
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: {x!r:.60} of type {type(x).__name__} has no __dlpack__")
    if x.__class__ is Array:
        if to is not None and to is not x._storage.device:
            if copy is False:
                raise BufferError(f"from_dlpack: copy=False, but device {to.name!r} from {x.device.name!r} needs a copy")
            return moved(x, device=to)
        return x.copy() if copy else window(x, x._shape, x._strides, x._offset)
    kind, index = x.__dlpack_device__()
    if int(kind) == 2 and (to is None or to is not CPU):
        try:
            here = as_device("cuda" if int(index) == 0 else f"cuda:{int(index)}")
        except RuntimeError:
            if to is not None:
                raise
        else:
            from ._kernels.cuda import exchange

            out = from_tensor(*exchange.imported(x, here.driver, copy))
            return out if to is None or to is here else moved(out, device=to)
    elif to is not None and to is not CPU:
        if copy is False:
            raise BufferError(f"from_dlpack: copy=False, but device {to.name!r} from {(int(kind), index)} needs a copy")
        return moved(from_dlpack(x, device=CPU), device=to)
    try:
        # An array elsewhere is asked to come to the CPU, which the protocol lets its exporter refuse.
        array = np.from_dlpack(x, device=None if int(kind) == 1 else "cpu", copy=copy)
    except (RuntimeError, TypeError) as error:
        if "dtype" in str(error).lower() or "bfloat16" in str(error).lower() or "unsupported" in str(error).lower():
            raise TypeError(
                f"from_dlpack: {getattr(x, 'dtype', 'this dtype')} is not a dtype of the standard; cast it first ({error})"
            ) from error
        raise BufferError(f"from_dlpack: {type(x).__name__} on device {(int(kind), index)} was not exported: {error}") from error
    return from_numpy(array, copy, "from_dlpack")


def frombuffer(buffer: Any, dtype: Any = DEFAULT_FLOAT, count: int = -1, offset: int = 0) -> Array:
    """A one-dimensional array on the memory of a buffer (read-only if the buffer is).

    >>> import mtarray as xp
    >>> xp.frombuffer(bytes([1, 2, 3]), dtype=xp.uint8)
    Array([1, 2, 3], shape=(3,), dtype=uint8, device='cpu')
    """
    return from_numpy(np.frombuffer(buffer, dtype_of(dtype), count, offset))


def empty(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of `shape` with arbitrary content. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.empty((2, 3)).shape
    (2, 3)
    """
    to, shape, d = as_device(device), as_shape(shape), DEFAULT_FLOAT if dtype is None else dtype_of(dtype)
    return fresh(_allocate(shape, d) if to is CPU else empty_tensor(to.driver, _sized(shape, d), d))


def _sized(shape: Any, d: DType) -> Any:
    """The shape; ValueError if no memory could be addressed that has it."""
    n = d.itemsize * prod(shape)
    if n > _LARGEST:
        raise ValueError(f"an array of shape {shape} and dtype {d} would take {n} bytes, more than can be addressed")
    return shape


def _allocate(shape: Any, d: DType) -> Any:
    n = d.itemsize
    for k in shape:
        n *= k
    if n > _LARGEST:
        _sized(shape, d)
    if n >= _POOLED:
        from ._kernels.cpu import pool

        return pool.empty(shape, d)
    return np.empty(shape, d)


_COPIED = 1 << 20  # bytes below which NumPy's own copy is faster than the launch of a parallel one
_CONVERTED = 40_000  # elements, where the dtype or the order changes
_LARGEST = (1 << 63) - 1
_POOLED = 1 << 17  # bytes; smaller blocks NumPy's own allocator recycles as well


def zeros(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Zeros of `shape`. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.zeros(2)
    Array([0., 0.], shape=(2,), dtype=float64, device='cpu')
    """
    to, shape, d = as_device(device), as_shape(shape), DEFAULT_FLOAT if dtype is None else dtype_of(dtype)
    if to is not CPU:
        return _device_doors.fresh_full(to.driver, _sized(shape, d), 0, d)
    if prod(shape) * d.itemsize > _LARGEST:
        return fresh(_allocate(shape, d))  # says why not
    # The system hands out zeroed pages lazily: cheaper than clearing recycled memory.
    return fresh(np.zeros(shape, d))


def ones(shape: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """Ones of `shape`. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.ones((1, 2))
    Array([[1., 1.]], shape=(1, 2), dtype=float64, device='cpu')
    """
    return full(shape, 1, dtype=DEFAULT_FLOAT if dtype is None else dtype, device=device)


def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None) -> Array:
    """An array of `shape` with one value everywhere. `fill_value`: a number or a 0-d array; it decides the dtype if none is given.

    >>> import mtarray as xp
    >>> xp.full((2,), 7)
    Array([7, 7], shape=(2,), dtype=int64, device='cpu')
    """
    to, shape = as_device(device), as_shape(shape)
    if fill_value.__class__ not in _SCALARS:
        if is_strict():
            raise TypeError(f"full: the standard wants a Python number, not {fill_value!r:.60} (strict mode)")
        fill_value = asarray(fill_value, device=None if fill_value.__class__ is Array and device is None else to)
        to = fill_value._storage.device
        d = fill_value.dtype if dtype is None else dtype_of(dtype)
        if d is not fill_value.dtype:
            fill_value = convert(fill_value, dtype=d)
        if is_followed(fill_value) or to is not CPU:
            try:
                return asarray(broadcast_to(fill_value, shape), copy=True)
            except ValueError:
                raise ValueError(f"full: fill_value of shape {fill_value.shape} cannot be broadcast to {shape}") from None
        fill_value = value(fill_value)
    else:
        d = python_dtype(fill_value) if dtype is None else dtype_of(dtype)
        fill_value = _number(fill_value, d)
        if to is not CPU:
            return _device_doors.fresh_full(to.driver, _sized(shape, d), fill_value, d)
    out = _allocate(shape, d)
    try:
        out[...] = fill_value
    except ValueError:
        raise ValueError(f"full: fill_value of shape {fill_value.shape} cannot be broadcast to {shape}") from None
    return fresh(out)


def empty_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """An array of arbitrary content with the shape, and unless `dtype` is given the dtype, of `x`.

    >>> import mtarray as xp
    >>> xp.empty_like(xp.ones((2, 3))).shape
    (2, 3)
    """
    x = lift(x, "empty_like")
    return empty(x.shape, dtype=dtype or x.dtype, device=device or x._storage.device)


def zeros_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Zeros with the shape, and unless `dtype` is given the dtype, of `x`.

    >>> import mtarray as xp
    >>> xp.zeros_like(xp.asarray([1, 2]))
    Array([0, 0], shape=(2,), dtype=int64, device='cpu')
    """
    x = lift(x, "zeros_like")
    return zeros(x.shape, dtype=dtype or x.dtype, device=device or x._storage.device)


def ones_like(x: Any, /, *, dtype: Any = None, device: Any = None) -> Array:
    """Ones with the shape, and unless `dtype` is given the dtype, of `x`.

    >>> import mtarray as xp
    >>> xp.ones_like(xp.asarray([1, 2]))
    Array([1, 1], shape=(2,), dtype=int64, device='cpu')
    """
    x = lift(x, "ones_like")
    return full(x.shape, 1, dtype=dtype or x.dtype, device=device or x._storage.device)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Array:
    """One value everywhere, with the shape, and unless `dtype` is given the dtype, of `x`.

    >>> import mtarray as xp
    >>> xp.full_like(xp.asarray([1, 2]), 9)
    Array([9, 9], shape=(2,), dtype=int64, device='cpu')
    """
    x = lift(x, "full_like")
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x._storage.device)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None) -> Array:
    """Numbers from `start` (0 if only one is given) to before `stop`, `step` apart. Integers give int64, else float64.

    >>> import mtarray as xp
    >>> xp.arange(2, 8, 2)
    Array([2, 4, 6], shape=(3,), dtype=int64, device='cpu')
    """
    to = as_device(device)
    if stop is None:
        start, stop = 0, start
    given = start, step
    start, stop, step = (_real_number(a, f"arange: {name}") for a, name in ((start, "start"), (stop, "stop"), (step, "step")))
    if step == 0:
        raise ValueError("arange: step=0 never reaches stop")
    if dtype is None:
        d = DEFAULT_INT if all(isinstance(a, int) for a in (start, stop, step)) else DEFAULT_FLOAT
    else:
        d = dtype_of(dtype)
    if all(isinstance(a, int) for a in (start, stop, step)):
        n = len(range(start, stop, step))
    else:
        span = (stop - start) / step
        if span != span or span in (float("inf"), -float("inf")):
            raise ValueError(f"arange: from {start} to {stop} there is no finite number of steps")
        n = max(0, -int(-span // 1))
    if d in INTEGER:
        if n and isinstance(start, int) and isinstance(step, int):
            for end in (start, start + (n - 1) * step):
                info = np.iinfo(d)
                if not info.min <= end <= info.max:
                    raise OverflowError(f"arange: {end} is out of bounds for {d}")
            if to is not CPU:
                return _ramp(to, int(start), int(step), n, d)
            return fresh(
                np.arange(start, start + n * step, step, dtype=d) if abs(start + n * step) < 1 << 63 else _steps(start, step, n, d)
            )
        return fresh(_steps(int(start), int(step), n, d)) if to is CPU else _ramp(to, int(start), int(step), n, d)
    if is_followed(given):
        first, gap = (a if a.__class__ in _SCALARS else _array.xp.reshape(a, ()) for a in given)
        return convert(arange(n, dtype=DEFAULT_FLOAT, device=to) * gap + first, dtype=d)
    return fresh(_steps(start, step, n, d)) if to is CPU else _ramp(to, start, step, n, d)


def _ramp(to: Any, start: Any, step: Any, n: int, d: DType) -> Array:
    """`start + i * step` for i below n, made on a device, with the CPU's rounding."""
    if d in INTEGER:
        return fresh(cuda.part("ranges").ramp(to.driver, start, step, n, d))
    return convert(arange(n, dtype=DEFAULT_FLOAT, device=to) * step + start, dtype=d) if (start, step) != (0, 1) else _counted(to, n, d)


def _counted(to: Any, n: int, d: DType) -> Array:
    return convert(_ramp(to, 0, 1, n, DEFAULT_INT), dtype=d)


def _real_number(a: Any, where: str) -> Any:
    number = a.item() if hasattr(a, "item") else a
    if not isinstance(number, (int, float)):
        raise TypeError(f"{where}={a!r:.60} must be an integer or a real number")
    return number


def _steps(start: Any, step: Any, n: int, d: DType) -> Any:
    if d in INTEGER:
        return (np.arange(n, dtype=np.uint64) * np.uint64(step % (1 << 64)) + np.uint64(start % (1 << 64))).astype(d)
    out = np.arange(n, dtype=np.float64)
    out *= step
    out += start
    return out.astype(d, copy=False)


def linspace(start: Any, stop: Any, /, num: int = 50, *, dtype: Any = None, device: Any = None, endpoint: bool = True) -> Array:
    """`num` evenly spaced numbers from `start` to `stop`, which is the last one unless `endpoint=False`.

    start, stop: numbers; or arrays that broadcast, as in NumPy: then the numbers lie along a new first axis.
    dtype: float64, or complex128 for complex ends, by default.

    >>> import mtarray as xp
    >>> xp.linspace(0, 1, 5)
    Array([0.  , 0.25, 0.5 , 0.75, 1.  ], shape=(5,), dtype=float64, device='cpu')
    """
    given = next((a._storage.device for a in (start, stop) if a.__class__ is Array), None)
    to = as_device(device) if device is not None or given is None else given
    if is_followed((start, stop)) or to is not CPU:
        first, last = (asarray(a, device=to) if a.__class__ in _SCALARS or isinstance(a, np.generic) else a for a in (start, stop))
        return _tracked_linspace(first, last, _count(num, "linspace: num"), dtype, endpoint)
    ends: list[Any] = [a if a.__class__ in _SCALARS else value(lift(a, "linspace")) for a in (start, stop)]
    start, stop = (a.item() if np.ndim(a) == 0 and hasattr(a, "item") else a for a in ends)
    num = _count(num, "linspace: num")
    d = None if dtype is None else dtype_of(dtype)
    if d is None:
        d = promote_weak(DEFAULT_FLOAT, complex) if any(map(np.iscomplexobj, ends)) else DEFAULT_FLOAT
    out = run_quietly(np.linspace, start, stop, num, endpoint=endpoint, dtype=np.result_type(d, DEFAULT_FLOAT))
    if d in INTEGER:
        out = np.floor(out)  # as NumPy does, towards minus infinity
    return fresh(run_quietly(out.astype, d, copy=False))


def _tracked_linspace(start: Any, stop: Any, num: int, dtype: Any, endpoint: bool) -> Array:
    """`linspace` by the same formula in operations that the derivative tape can follow."""
    ends = [lift(a, "linspace") for a in (start, stop)]
    first, last = broadcast_arrays(*[convert(a, dtype=a._dtype if a._dtype in COMPLEX else DEFAULT_FLOAT) for a in ends])
    count = _array.xp.reshape(arange(num, dtype=DEFAULT_FLOAT, device=first._storage.device), (num,) + (1,) * first.ndim)
    intervals = num - 1 if endpoint else num
    out = first + count * ((last - first) / intervals) if intervals > 0 else first + count * (last - first)
    if endpoint and num > 1:
        out[-1, ...] = last
    if dtype is None:
        return out
    d = dtype_of(dtype)
    return convert(_array.xp.floor(out) if d in INTEGER else out, dtype=d)


def _count(n: Any, where: str) -> int:
    try:
        out = operator.index(n)
    except TypeError:
        raise TypeError(f"{where}={n!r} must be an integer") from None
    if out < 0:
        raise ValueError(f"{where}={out} must not be negative")
    return out


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Array:
    """A matrix with ones on diagonal `k` (above the main one if positive) and zeros elsewhere. dtype: float64 by default.

    >>> import mtarray as xp
    >>> xp.eye(2)
    Array([[1., 0.],
           [0., 1.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    to = as_device(device)
    rows, cols = as_shape((n_rows, n_rows if n_cols is None else n_cols), "(n_rows, n_cols)")
    if to is not CPU:
        out = zeros((rows, cols), dtype=dtype, device=to)
        long = min(rows + min(k, 0), cols - max(k, 0))
        if long > 0:  # the diagonal is a window of stride cols + 1
            window(out, (long,), (cols + 1,), k if k >= 0 else -k * cols)[...] = 1
        return out
    return fresh(np.eye(rows, cols, k, DEFAULT_FLOAT if dtype is None else dtype_of(dtype)))


def meshgrid(*arrays: Any, indexing: str = "xy") -> tuple[Array, ...]:
    """Coordinate arrays of the grid that one-dimensional arrays span, as arrays of its full shape.

    indexing: "xy" (the first two axes are exchanged, as in pictures) or "ij". All arrays have one dtype.

    >>> import mtarray as xp
    >>> [g.tolist() for g in xp.meshgrid(xp.asarray([1, 2]), xp.asarray([3, 4]))]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing={indexing!r} must be 'xy' or 'ij'")
    xs = [lift(a, "meshgrid") for a in arrays]
    for i, x in enumerate(xs):
        if x.ndim > 1:
            raise ValueError(f"meshgrid: array {i} has shape {x.shape}; all must be one-dimensional")
        if is_strict() and x.dtype is not xs[0].dtype:
            raise ValueError(f"meshgrid: arrays of {xs[0].dtype} and {x.dtype}; all must have one dtype (strict mode)")
    places = list(range(len(xs)))
    if indexing == "xy" and len(xs) > 1:
        places[0], places[1] = 1, 0
    shape = [1] * len(xs)
    for p, x in zip(places, xs):
        shape[p] = x.size
    out = []
    for p, x in zip(places, xs):
        strides = [0] * len(xs)
        strides[p] = x._strides[0] if x.ndim else 0
        out.append(convert(window(x, tuple(shape), tuple(strides), x._offset), dtype=x.dtype))
    return tuple(out)


def tril(x: Any, /, *, k: int = 0) -> Array:
    """The lower triangles of a stack of matrices: zeros above diagonal `k`. Shape (..., M, N).

    >>> import mtarray as xp
    >>> xp.tril(xp.ones((2, 2), dtype=xp.int64))
    Array([[1, 0],
           [1, 1]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return _triangle(x, "tril", k, lower=True)


def triu(x: Any, /, *, k: int = 0) -> Array:
    """The upper triangles of a stack of matrices: zeros below diagonal `k`. Shape (..., M, N).

    >>> import mtarray as xp
    >>> xp.triu(xp.ones((2, 2), dtype=xp.int64))
    Array([[1, 1],
           [0, 1]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return _triangle(x, "triu", k, lower=False)


def _triangle(x: Any, where: str, k: int, lower: bool) -> Array:
    x = lift(x, where)
    if x.ndim < 2:
        raise ValueError(f"{where}: needs at least 2 dimensions, got shape {x.shape}")
    return triangle(x, k=k, lower=lower)


def _same_triangle(g: Array, k: int, lower: bool) -> Array:
    return triangle(g, k=k, lower=lower)


@engine(vjp=_same_triangle, linear="all")
def triangle(x: Any, *, k: int, lower: bool) -> Any:
    """The lower or upper triangles of a stack of matrices."""
    return np.tril(x, k) if lower else np.triu(x, k)


def _moved_back(g: Array, device: Any, source: Any) -> Array:
    return relocated(g, device=source, source=device)


@engine(vjp=_moved_back, linear="all")
def relocated(x: Any, *, device: Any, source: Any) -> Any:
    """A copy of the elements, which are on the device `source`, on another one."""
    elements = x if x.__class__ is np.ndarray else x.to_host()
    return elements if device is CPU else from_host(device.driver, elements)


def moved(x: Array, device: Any) -> Array:
    """A copy of an array on another device, which derivatives follow."""
    return relocated(x, device=device, source=x._storage.device)


_array.moved = moved
_copying: Any = None


@engine(vjp=lambda g: g, linear="all")
def convert(x: Any, *, dtype: DType) -> Any:
    """The elements in another dtype, in memory of their own (C order)."""
    global _copying
    if x.size < _CONVERTED or (x.dtype is dtype and x.nbytes < _COPIED and x.flags.c_contiguous):
        return (x.real if dtype.kind != "c" and x.dtype.kind == "c" else x).astype(dtype, "C")
    if _copying is None:  # an import statement costs 0.3 us each time
        from ._kernels.cpu import copying as _copying
    return _copying.convert(x, dtype)


def copy(x: Any, /) -> Array:
    """A copy with memory of its own.

    >>> import mtarray as xp
    >>> x = xp.zeros(2)
    >>> y = xp.copy(x)
    >>> y[0] = 1
    >>> x
    Array([0., 0.], shape=(2,), dtype=float64, device='cpu')
    """
    return asarray(x, copy=True)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    """The elements converted to `dtype`, as C does: floats to integers truncate. Complex to real raises TypeError.

    copy: False returns the array itself if it has the dtype already.

    >>> import mtarray as xp
    >>> xp.astype(xp.asarray([1.7, -1.7]), xp.int32)
    Array([ 1, -1], shape=(2,), dtype=int32, device='cpu')
    """
    x = lift(x, "astype")
    if device is not None and (to := as_device(device)) is not x._storage.device:
        return moved(astype(x, dtype), device=to)
    d = dtype_of(dtype)
    if x._dtype.kind == "c" and d.kind != "c":
        raise TypeError(f"astype: {x.dtype} to {d} would drop imaginary parts; take xp.real(x), xp.imag(x) or xp.abs(x) first")
    if not copy and d is x._dtype:
        return x
    return convert(x, dtype=d)


def broadcast_to(x: Any, /, shape: Any) -> Array:
    """`x` repeated to `shape`: a read-only view with strides of 0.

    >>> import mtarray as xp
    >>> xp.broadcast_to(xp.asarray([1, 2]), (2, 2))
    Array([[1, 2],
           [1, 2]], shape=(2, 2), dtype=int64, device='cpu')
    """
    return broadcast_window(lift(x, "broadcast_to"), as_shape(shape))


def broadcast_arrays(*arrays: Any) -> tuple[Array, ...]:
    """The arrays seen in their common shape, as read-only views where they are repeated.

    >>> import mtarray as xp
    >>> [x.shape for x in xp.broadcast_arrays(xp.ones((2, 1)), xp.ones(3))]
    [(2, 3), (2, 3)]
    """
    xs = [lift(a, "broadcast_arrays") for a in arrays]
    shape = _strides.broadcast_shape(*[x._shape for x in xs])
    return tuple([broadcast_window(x, shape) for x in xs])


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that arrays of these shapes broadcast to; ValueError if they do not.

    >>> import mtarray as xp
    >>> xp.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    return _strides.broadcast_shape(*[as_shape(s) for s in shapes])


__all__ = [
    "arange", "array", "asarray", "astype", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "copy", "empty", "empty_like", "eye",
    "frombuffer", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip
