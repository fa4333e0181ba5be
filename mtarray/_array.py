"""`Array`: a window (shape, strides, offset) on a storage, with a dtype. Values are read and written through three functions here."""

from __future__ import annotations

import enum
import opcode
import operator
import sys
from collections.abc import Iterator
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _array_methods, _strides
from ._array_methods import NumPyMethods
from ._config import is_strict
from ._devices import CPU, Device, device
from ._dtypes import COMPLEX, INTEGER, DType, complex64, dtype_of, float32, float64
from ._indexing import Basic, check_strict, parse, position
from ._kernels.cuda.tensor import Tensor
from ._storage import SHARED, DeviceStorage, Storage, loosen, share
from ._strides import Shape, contiguous

if TYPE_CHECKING:
    from typing_extensions import CapsuleType

    from ._flat import Flat

_new = object.__new__
_PLAIN = frozenset({bool, int, float, complex})
_ndarray = np.ndarray

# Hook, filled by `mtarray/__init__`: the public namespace.
xp: Any = None
# Hook, filled by `_numpy_protocol`: handlers of `__array_ufunc__` and `__array_function__`.
array_ufunc: Any = None
array_function: Any = None
# Hook, filled by `_dispatch`: selection by index arrays, and assignment.
select: Any = None
assign: Any = None
accumulate: Any = None
# Hook, filled by `creation`: moved(x, device=...): a copy of x on another device.
moved: Any = None
# Hook, filled by `_flat`: flat_of(x) is what `x.flat` gives.
flat_of: Any = None
# Hook, filled by `mtarray/__init__`: imperative() is the module behind `requires_grad`, `grad` and `backward`.
imperative: Any = None
# Hook, filled by `autodiff` before any storage has a node: whether a node depends on what a derivative is being taken by.
is_tracked: Any = None
# Hook, filled by `autodiff`: overwritten(x): something that is not recorded is about to be written into the window x of tracked memory.
overwritten: Any = None
# Hook, filled by `autodiff`: copied(x, out): `out` has the values of x.
record_copy: Any = None

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


class Array(NumPyMethods):
    """An array of the Python array API standard. Make one with `asarray`, `zeros`, `arange` and the like."""

    # _whole: the number of elements if this window is the whole of a CPU storage in C order and in the buffer's own shape - then
    #     `_storage.buffer` is its NumPy view, and the hot paths of `_dispatch` need to look no further - otherwise -1.
    # _view, _view_of: the NumPy view of any other CPU window, or the Tensor of a window on another device, made when wanted, valid only
    #     while `_storage.buffer is _view_of`.
    __slots__ = ("_storage", "_shape", "_strides", "_offset", "_dtype", "_whole", "_readonly", "_view", "_view_of", "__weakref__")

    _storage: Storage
    _shape: Shape
    _strides: Shape
    _offset: int
    _dtype: DType
    _whole: int
    _readonly: bool
    _view: Any
    _view_of: Any

    __array_priority__ = 1000  # ahead of ndarray where `__array_ufunc__` is not asked

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TypeError("an Array is not made by calling its class; use mtarray.asarray(obj)")

    # ------------------------------------------------------------------ what it is

    @property
    def shape(self) -> Shape:
        """Lengths of the dimensions."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """Data type of the elements."""
        return self._dtype

    @property
    def device(self) -> Device:
        """Where the elements live."""
        return self._storage.device

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self._shape)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self._dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements (of the window, counted once per element even where strides are 0)."""
        return prod(self._shape) * self._dtype.itemsize

    @property
    def strides(self) -> Shape:
        """Step of each dimension in **bytes**, as in NumPy."""
        return tuple([s * self._dtype.itemsize for s in self._strides])

    @property
    def T(self) -> Array:
        """The view with all dimensions reversed (the standard defines it for two)."""
        if len(self._shape) != 2 and is_strict():
            raise ValueError(f"T: the standard defines it for 2 dimensions, the array has shape {self._shape} (strict mode)")
        return _window(self, self._shape[::-1], self._strides[::-1], self._offset)

    @property
    def mT(self) -> Array:
        """The view with the last two dimensions exchanged."""
        if len(self._shape) < 2:
            raise ValueError(f"mT needs at least 2 dimensions, the array has shape {self._shape}")
        s, t = self._shape, self._strides
        return _window(self, (*s[:-2], s[-1], s[-2]), (*t[:-2], t[-1], t[-2]), self._offset)

    @property
    def real(self) -> Array:
        """The real parts: a view for complex arrays, the array itself otherwise."""
        return component(self, 0)

    @real.setter
    def real(self, value: Any) -> None:
        component(self, 0)[...] = value

    @property
    def imag(self) -> Array:
        """The imaginary parts: a view for complex arrays, read-only zeros otherwise."""
        return component(self, 1)

    @imag.setter
    def imag(self, value: Any) -> None:
        component(self, 1)[...] = value

    @property
    def flat(self) -> Flat:
        """The elements in C order, to be indexed, iterated and assigned: `x.T.flat[:3] = 0`."""
        return flat_of(self)

    @flat.setter
    def flat(self, value: Any) -> None:
        flat_of(self)[:] = value

    @property
    def flags(self) -> Any:
        """NumPy's flags of the window (`x.flags.writeable`, `x.flags.c_contiguous`, ...), as they are now: to be read, not set."""
        return on_cpu(self, "flags")[...].flags

    # ------------------------------------------------------------------ elements

    def __len__(self) -> int:
        if not self._shape:
            raise TypeError("len() of a 0-d array")
        return self._shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self._shape:
            raise TypeError("iteration over a 0-d array")
        if len(self._shape) > 1 and is_strict():
            raise TypeError(f"the standard does not define iteration over an array of shape {self._shape}; use unstack (strict mode)")
        return (self[i] for i in range(self._shape[0]))

    def __contains__(self, item: Any) -> bool:
        return bool(xp.any(self == item))

    def __getitem__(self, key: Any, /) -> Array:
        shape = self._shape
        if is_strict():
            check_strict(key, shape, _is_array, setting=False)
        if key.__class__ is int and shape:
            if len(shape) == 1:
                if self._storage.node is None and self._storage.buffer.__class__ is _ndarray:
                    return fresh(value(self)[position(key, shape[0], 0)])
                return _element(_window(self, (), (), self._offset + self._strides[0] * position(key, shape[0], 0)))
            return _window(self, shape[1:], self._strides[1:], self._offset + self._strides[0] * position(key, shape[0], 0))
        if key.__class__ is slice and shape:
            n, stride, skip = _strides.slice_axis(shape[0], self._strides[0], key)
            return _window(self, (n, *shape[1:]), (stride, *self._strides[1:]), self._offset + skip)
        part = parse(
            key, shape, self._strides, self._offset, _as_index if self._storage.buffer.__class__ is _ndarray else _as_index_elsewhere
        )
        if isinstance(part, Basic):
            if not part.shape and not _names_view(key):
                return _element(_window(self, *part))  # one element is a value, as in NumPy; x[i, ...] is a view
            return _window(self, part.shape, part.strides, part.offset)
        return select(_window(self, part.shape, part.strides, part.offset), part.key)

    def __setitem__(self, key: Any, item: Any, /) -> None:
        if is_strict():
            check_strict(key, self._shape, _is_array, setting=True)
        as_index = _as_index if self._storage.buffer.__class__ is _ndarray else _as_index_elsewhere
        part = parse(key, self._shape, self._strides, self._offset, as_index)
        target = _window(self, part.shape, part.strides, part.offset)
        if not part.shape and getattr(item, "shape", None) and part.__class__ is Basic and not _names_view(key):
            raise ValueError(f"assignment: an array of shape {item.shape} cannot be written into one element; use x[i, ...] or item[0]")
        assign(target, item, None if isinstance(part, Basic) else part.key)

    def item(self, *index: int) -> Any:
        """The only element, or the one at `index` (flat if one integer is given), as a Python number."""
        if not index and prod(self._shape) != 1:
            raise ValueError(f"item() needs an array of one element, not of shape {self._shape}; name the element or use tolist()")
        return host(self).item(*index)

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        leave(self, "tolist")
        return host(self).tolist()

    def tobytes(self, order: str = "C") -> bytes:
        """The elements in C (or Fortran: "F") order as bytes."""
        leave(self, "tobytes")
        return host(self).tobytes(order)

    def tofile(self, fid: Any, sep: str = "", format: str = "%s") -> None:
        """Write the elements in C order to a file: their bytes, or with `sep` their text."""
        leave(self, "tofile")
        host(self).tofile(fid, sep, format)

    @property
    def data(self) -> memoryview:
        """The window as a buffer."""
        return lend(self, "the buffer protocol")[...].data

    def __bool__(self) -> bool:
        return bool(self._single("bool"))

    def __int__(self) -> int:
        return int(self._single("int", complex_allowed=False))

    def __float__(self) -> float:
        return float(self._single("float", complex_allowed=False))

    def __complex__(self) -> complex:
        return complex(self._single("complex"))

    def __index__(self) -> int:
        if self._shape or self._dtype not in INTEGER:
            raise TypeError(f"only a 0-d integer array can be used as an index, not one of shape {self._shape} and dtype {self._dtype}")
        return operator.index(host(self)[()])

    def _single(self, what: str, complex_allowed: bool = True) -> Any:
        if prod(self._shape) != 1:
            if what == "bool":
                raise ValueError(f"the truth value of an array of shape {self._shape} is ambiguous; use xp.any() or xp.all()")
            raise TypeError(f"{what}() needs an array of one element, not of shape {self._shape}")
        if self._shape and is_strict():
            raise TypeError(f"{what}(): the standard defines it for 0-d arrays, this one has shape {self._shape} (strict mode)")
        if self._dtype in COMPLEX and not complex_allowed:
            raise TypeError(f"{what}() of a {self._dtype} array; take xp.real(x) first")
        if self._storage.node is not None and _is_stored(sys._getframe(2)):
            leave(self, "writing into an element of a foreign container")
        return host(self).item()

    def __repr__(self) -> str:
        shown, threshold = _shown(self, 200)
        text = np.array2string(shown, separator=", ", prefix="Array(", threshold=threshold, edgeitems=3)
        return f"Array({text}, shape={self._shape}, dtype={self._dtype}, device={self.device.name!r})"

    def __str__(self) -> str:
        if not self.size:
            return f"[] (shape {self._shape})"
        shown, threshold = _shown(self, 1000)
        return str(shown) if threshold else np.array2string(shown, threshold=0, edgeitems=3)

    def __format__(self, spec: str) -> str:
        if self._shape and spec:
            raise TypeError(f"format {spec!r} is for a number, not for an array of shape {self._shape}")
        return format(host(self)[()] if not self._shape else str(self), spec)

    # ------------------------------------------------------------------ interchange

    def __array_namespace__(self, /, *, api_version: str | None = None) -> ModuleType:
        if api_version is not None and api_version not in VERSIONS:
            raise ValueError(f"api_version={api_version!r} is unknown; mtarray implements {VERSIONS[-1]}, which includes {VERSIONS}")
        return xp

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        view = on_cpu(self, "conversion to a NumPy array")
        leave(self, "conversion to a NumPy array")
        if copy:
            return np.array(view, dtype)
        if dtype is not None and np.dtype(dtype) != self._dtype:
            if copy is False:
                raise ValueError(f"copy=False, but {dtype} instead of {self._dtype} needs a copy")
            return view.astype(dtype)
        return lend(self, "conversion to a NumPy array")[...]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return array_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return array_function(function, args, kwargs)

    def __dlpack__(
        self,
        /,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[enum.Enum, int] | tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> CapsuleType:
        if self._storage.buffer.__class__ is not _ndarray:
            from ._kernels.cuda import exchange

            to_host = dl_device is not None and int(dl_device[0]) == CPU.dlpack[0]  # type: ignore[arg-type]
            # A copy is the consumer's own; elements that it shares must stay where they are.
            elements = leave(self, "__dlpack__") if copy or (to_host and copy is not False) else lend(self, "__dlpack__")
            return exchange.exported(elements, self._readonly, stream, max_version, dl_device, copy)
        if stream is not None:
            raise ValueError(f"stream={stream!r}: an array on the CPU has no streams")
        if dl_device is not None and (int(dl_device[0]), int(dl_device[1])) != CPU.dlpack:  # type: ignore[arg-type]
            raise BufferError(f"dl_device={dl_device}: a CPU array cannot be exported there; only {CPU.dlpack} (CPU) is possible")
        view = leave(self, "__dlpack__")
        if copy:
            view = view.copy()
        else:
            if any(s < 0 for s in view.strides) and view.size:
                # DLPack allows negative steps, but consumers (PyTorch for one) crash on them.
                if copy is False:
                    raise BufferError(f"copy=False, but strides {self._strides} run backwards, which consumers of DLPack cannot take")
                view = view.copy()
            else:
                view = lend(self, "__dlpack__")
        # The copy is already made: NumPy would refuse to flag its own copy of a read-only array for an old consumer.
        return view.__dlpack__(max_version=max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._storage.device.dlpack

    def __buffer__(self, flags: int, /) -> memoryview:
        on_cpu(self, "the buffer protocol")
        return memoryview(lend(self, "the buffer protocol"))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The window for other libraries on the same GPU (version 3): AttributeError on the CPU."""
        if self._storage.buffer.__class__ is _ndarray:
            raise AttributeError("__cuda_array_interface__: this array is on the CPU")
        from ._kernels.cuda import exchange

        out: dict[str, Any] = exchange.interface(lend(self, "__cuda_array_interface__"), self._readonly)
        return out

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """This array on `device`: itself if it is there already, else a copy of its elements (not of the rest of its memory).

        stream: a number, or an object with a `handle`, of the stream that is to wait for the copy; only on a GPU. Derivatives follow.
        """
        to = _device(device)
        here = self._storage.device
        if stream is not None and to is CPU and here is CPU:
            raise ValueError(f"stream={stream!r}: an array on the CPU has no streams")
        out = self if to is here else moved(self, device=to)
        if stream is not None:
            (to if to is not CPU else here).driver.await_on(stream)
        return out

    def __reduce__(self) -> Any:
        # What is unpickled is on the CPU: the machine that reads it may have no other device.
        if self._storage.node is not None and imperative().is_leaf(self):
            return imperative().unpickled, (np.ascontiguousarray(host(self)).reshape(self._shape),)
        leave(self, "pickle")
        return from_owned, (np.ascontiguousarray(host(self)).reshape(self._shape),)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy() if self._storage.node is None else imperative().deepcopied(self)

    # ------------------------------------------------------------------ derivatives

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` of what is computed from this array reaches it, or what it depends on. Set it on arrays to differentiate by.

        ValueError for a view of a part of its memory: the gradient belongs to all of it.
        """
        return self._storage.node is not None and imperative().requires_grad(self)

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        imperative().set_requires_grad(self, bool(value))

    @property
    def grad(self) -> Array | None:
        """What `backward` has added up so far, as an array of this shape; None before. Set it to None, or `zero_grad()`, to start anew."""
        return None if self._storage.node is None else imperative().gradient(self)

    @grad.setter
    def grad(self, value: Array | None) -> None:
        imperative().set_gradient(self, value)

    def backward(self, cotangent: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add the derivative of this array by every array with `requires_grad = True` that it depends on to their `grad`.

        cotangent: of this array's shape, needed unless it has one element. retain_graph: keep what a second call needs. create_graph:
        record the gradients' own derivatives. RuntimeError if it depends on none, or the graph was freed by an earlier call.

        >>> import mtarray as xp
        >>> x = xp.asarray([1.0, 2.0])
        >>> x.requires_grad = True
        >>> xp.sum(x * x).backward()
        >>> x.grad
        Array([2., 4.], shape=(2,), dtype=float64, device='cpu')
        """
        imperative().backward(self, cotangent, retain_graph, create_graph)

    def detach(self) -> Array:
        """The elements by value, as a constant for derivatives."""
        return self if self._storage.node is None else imperative().detach(self)

    def zero_grad(self) -> None:
        """Forget the gradient that `backward` has added up."""
        if self._storage.node is not None:
            imperative().set_gradient(self, None)

    # ------------------------------------------------------------------ operators: bound by the declarations (`dunder=`)

    if TYPE_CHECKING:

        def __neg__(self) -> Array: ...
        def __pos__(self) -> Array: ...
        def __abs__(self) -> Array: ...
        def __invert__(self) -> Array: ...
        def __add__(self, other: Any, /) -> Array: ...
        def __radd__(self, other: Any, /) -> Array: ...
        def __sub__(self, other: Any, /) -> Array: ...
        def __rsub__(self, other: Any, /) -> Array: ...
        def __mul__(self, other: Any, /) -> Array: ...
        def __rmul__(self, other: Any, /) -> Array: ...
        def __truediv__(self, other: Any, /) -> Array: ...
        def __rtruediv__(self, other: Any, /) -> Array: ...
        def __floordiv__(self, other: Any, /) -> Array: ...
        def __rfloordiv__(self, other: Any, /) -> Array: ...
        def __mod__(self, other: Any, /) -> Array: ...
        def __rmod__(self, other: Any, /) -> Array: ...
        def __pow__(self, other: Any, /) -> Array: ...
        def __rpow__(self, other: Any, /) -> Array: ...
        def __matmul__(self, other: Any, /) -> Array: ...
        def __rmatmul__(self, other: Any, /) -> Array: ...
        def __and__(self, other: Any, /) -> Array: ...
        def __rand__(self, other: Any, /) -> Array: ...
        def __or__(self, other: Any, /) -> Array: ...
        def __ror__(self, other: Any, /) -> Array: ...
        def __xor__(self, other: Any, /) -> Array: ...
        def __rxor__(self, other: Any, /) -> Array: ...
        def __lshift__(self, other: Any, /) -> Array: ...
        def __rlshift__(self, other: Any, /) -> Array: ...
        def __rshift__(self, other: Any, /) -> Array: ...
        def __rrshift__(self, other: Any, /) -> Array: ...
        def __lt__(self, other: Any, /) -> Array: ...
        def __le__(self, other: Any, /) -> Array: ...
        def __gt__(self, other: Any, /) -> Array: ...
        def __ge__(self, other: Any, /) -> Array: ...
        def __eq__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __ne__(self, other: Any, /) -> Array: ...  # type: ignore[override]

    __hash__ = None  # type: ignore[assignment]


# ---------------------------------------------------------------------- windows


def _window(x: Array, shape: Shape, strides: Shape, offset: int) -> Array:
    """Another window on the storage of `x`, same dtype."""
    out = _new(Array)
    out._storage = x._storage
    out._shape = shape
    out._strides = strides
    out._offset = offset
    out._dtype = x._dtype
    out._whole = -1
    out._readonly = x._readonly
    out._view_of = None
    return out


def window(x: Array, shape: Shape, strides: Shape, offset: int, readonly: bool = False) -> Array:
    """A view of `x`: the window (shape, strides, offset), in elements, on its storage."""
    out = _window(x, shape, strides, offset)
    if readonly:
        out._readonly = True
    return out


def broadcast_window(x: Array, shape: Shape) -> Array:
    """`x` in a larger shape, repeated through strides of 0; read-only where it is really repeated."""
    if x._shape == shape:
        return x
    strides = _strides.broadcast(x._shape, x._strides, shape)
    return window(x, shape, strides, x._offset, readonly=True)


def component(x: Array, i: int) -> Array:
    """Real (0) or imaginary (1) parts as a window of the real type on the same memory."""
    if x._dtype not in COMPLEX:
        if i == 0:
            return x
        zero = xp.zeros((), dtype=x._dtype, device=x._storage.device)
        return broadcast_window(zero, x._shape) if x._shape else window(zero, (), (), 0, readonly=True)
    out = _window(x, x._shape, tuple([2 * s for s in x._strides]), 2 * x._offset + i)
    out._dtype = float32 if x._dtype is complex64 else float64
    return out


def value(x: Array) -> Any:
    """The elements for reading: the NumPy view of a CPU window, the Tensor of one on another device. The only reader of buffers."""
    buffer = x._storage.buffer
    if x._whole >= 0:
        return buffer
    if x._view_of is buffer:
        return x._view
    shape = x._shape
    dtype = x._dtype
    if buffer.__class__ is not _ndarray:
        x._view = Tensor(buffer.buffer, shape, x._strides, x._offset, dtype)
        x._view_of = buffer
        return x._view
    if 0 in shape:
        view = np.empty(shape, dtype)
    else:
        n = dtype.itemsize
        view = _ndarray(shape, dtype, buffer, x._offset * n, tuple([s * n for s in x._strides]))
    if x._readonly:
        view.flags.writeable = False
    x._view = view
    x._view_of = buffer
    return view


def host(x: Array) -> Any:
    """The elements as an ndarray, wherever they are: from another device it is a copy, which is waited for."""
    view = value(x)
    return view if view.__class__ is not Tensor else view.to_host()


def _shown(x: Array, threshold: int) -> tuple[Any, int]:
    """The elements that text shows, as an ndarray, and NumPy's threshold for it: of a large array on a device only the edges are copied."""
    if x._storage.buffer.__class__ is _ndarray or x.size <= threshold:
        return host(x), threshold
    y = x.detach()
    for axis, n in enumerate(x._shape):
        if n > 7:
            before = (slice(None),) * axis
            y = xp.concat([y[(*before, slice(None, 4))], y[(*before, slice(-3, None))]], axis=axis)
    return host(y), 0


def on_cpu(x: Array, where: str) -> Any:
    """`value` for code that reads host memory; TypeError for an array on another device, which is not copied unsaid."""
    view = value(x)
    if view.__class__ is Tensor:
        raise TypeError(
            f"{where}: this array of shape {x._shape} is on device {x._storage.device.name!r}; copy it with x.to_device('cpu') first"
        )
    return view


def is_followed(x: Any) -> bool:
    """Whether an array in `x`, nested containers included, depends on what a derivative is being taken by."""
    if x.__class__ is Array:
        node = x._storage.node
        return node is not None and bool(is_tracked(node))
    if isinstance(x, dict):
        x = x.values()
    elif not isinstance(x, (list, tuple)):
        return False
    # Long lists are of numbers: `issuperset` looks at them without a step of the interpreter for each.
    return not _PLAIN.issuperset(map(type, x)) and any(map(is_followed, x))


def leave(x: Array, where: str) -> Any:
    """`value` for a reader whose result no derivative can follow; RuntimeError if the array is being differentiated through."""
    if is_followed(x):
        raise RuntimeError(
            f"{where}: this array of shape {x._shape} depends on what a derivative is being taken by, and no derivative can follow it "
            "there; if its value is meant as a constant, take x.detach() first"
        )
    return value(x)


def lend(x: Array, where: str) -> Any:
    """The elements for code outside, which may keep them and write into them."""
    leave(x, where)
    share(x._storage)
    return value(x)


def writable(x: Array, where: str = "", recorded: bool = False) -> Any:
    """The elements for writing. The one place where memory is handed out to be changed; ValueError if the window is read-only.

    recorded: whether the caller tells the derivative tape what it wrote. Otherwise it counts as constant.
    """
    if x._readonly:
        raise ValueError(
            f"{where + ': ' if where else ''}this array of shape {x._shape} is read-only (a broadcast view, elements that overlap, or "
            "memory lent by someone who forbids writing); write to x.copy() instead"
        )
    storage = x._storage
    if storage.ties is not None and 0 not in x._shape:
        low, high = _strides.extent(x._shape, x._strides)
        n = x._dtype.itemsize
        loosen(storage, (x._offset + low) * n, (x._offset + high + 1) * n)
    view = value(x)
    if view.__class__ is _ndarray and not view.flags.writeable:  # forbidden by the lender since
        x._readonly = True
        return writable(x, where)
    if storage.node is not None and not recorded:
        overwritten(x)
    return view


def _element(x: Array) -> Array:
    """The element under a 0-d window, by value."""
    view = value(x)
    out = fresh(view[()] if view.__class__ is not Tensor else view.copy())
    if x._storage.node is not None:
        record_copy(x, out)
    return out


# ---------------------------------------------------------------------- from NumPy


def fresh(result: Any) -> Array:
    """The array of a result that nobody else holds: an ndarray or NumPy scalar of one of our dtypes, or a Tensor."""
    if result.__class__ is not _ndarray:
        if result.__class__ is Tensor:
            return _fresh_elsewhere(result)
        result = np.asarray(result)
    out = _new(Array)
    storage = _new(Storage)
    storage.node = None
    storage.ties = None
    shape = result.shape
    out._shape = shape
    out._dtype = result.dtype
    out._offset = 0
    out._readonly = False
    out._storage = storage
    if result.flags.c_contiguous:
        storage.buffer = result
        out._strides = contiguous(shape)
        out._whole = result.size
        return out
    strides = tuple([s // result.itemsize for s in result.strides])
    order = _strides.dense_order(shape, strides)
    if order is None:
        storage.buffer = result = np.ascontiguousarray(result)
        out._strides = contiguous(shape)
        out._whole = result.size
        return out
    storage.buffer = result.transpose(order)
    out._strides = strides
    out._whole = -1
    out._view_of = None
    return out


def _fresh_elsewhere(result: Tensor) -> Array:
    """`fresh` for what is on another device than the CPU."""
    storage = _new(DeviceStorage)
    storage.node = None
    storage.ties = None
    shape, strides = result.shape, result.strides
    if result.offset or not _strides.is_contiguous(shape, strides):
        order = None if result.offset else _strides.dense_order(shape, strides)
        if order is None:
            result = result.copy()
            strides = result.strides
        storage.buffer = result if order is None else result.transpose(order)
    else:
        storage.buffer = result
    out = _new(Array)
    out._storage = storage
    out._shape = shape
    out._strides = strides
    out._offset = 0
    out._dtype = result.dtype
    out._whole = -1
    out._readonly = False
    out._view_of = None
    return out


def from_tensor(x: Tensor, readonly: bool) -> Array:
    """A window on device memory that outside code can write as well."""
    out = _new(Array)
    storage = out._storage = _new(DeviceStorage)
    count = x.buffer.nbytes // x.itemsize
    storage.buffer = Tensor(x.buffer, (count,), (1,), 0, x.dtype)
    storage.node = None
    storage.ties = SHARED
    out._shape = x.shape
    out._strides = x.strides
    out._offset = x.offset
    out._dtype = x.dtype
    out._whole = -1
    out._readonly = readonly or _strides.overlaps(x.shape, x.strides)
    out._view_of = None
    return out


def from_owned(array: Any) -> Array:
    """`fresh` for an ndarray of any byte order or flags that came from outside (unpickled): copied if it is not ours to write."""
    array = np.asarray(array)
    dtype = dtype_of(array.dtype.newbyteorder("="))
    if array.dtype is not dtype or not array.flags.writeable or not array.flags.aligned:
        array = array.astype(dtype)
    if dtype.kind == "b" and _has_odd_bools(array):
        array = _normal_bools(array)
    return fresh(array)


def _has_odd_bools(array: Any) -> bool:
    """Whether a byte of a boolean ndarray is neither 0 nor 1, which NumPy takes for true here and for a number there."""
    if not array.flags.c_contiguous:
        array = array[tuple([slice(0, 1) if s == 0 else slice(None) for s in array.strides])]  # what is repeated counts once
    return bool(np.maximum.reduce(array.view(np.uint8), axis=None, initial=0) > 1)


def _normal_bools(array: Any) -> Any:
    return array.view(np.uint8) != 0


def from_numpy(array: Any, copy: bool | None = None, where: str = "asarray") -> Array:
    """A window on the memory of an ndarray: any strides; read-only if the ndarray is, or if its elements overlap. Copies only what no
    window can describe (foreign byte order, misaligned, strides that are no multiple of the element, booleans other than 0 and 1):
    ValueError then if `copy` is False. TypeError for dtypes we do not have."""
    if array.__class__ is not _ndarray:
        if isinstance(array, np.ma.MaskedArray):
            raise TypeError("a masked array has no counterpart here; pass x.filled(value) or its data and mask apart")
        array = np.asarray(array)
    given = array
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    dtype = dtype_of(array.dtype, "the ndarray's dtype")
    if array.dtype is not dtype:
        array = array.view(dtype)  # an alias, like `longlong`
    n = array.itemsize
    if not array.flags.aligned or any(s % n for s in array.strides):
        array = array.astype(dtype, "C")
    elif dtype.kind == "b" and _has_odd_bools(array):
        array = _normal_bools(array)
    if copy is False and array is not given and not np.may_share_memory(array, given):
        raise ValueError(
            f"{where}: copy=False, but dtype {given.dtype.str}, strides {given.strides}, its alignment or booleans other than 0 and 1 "
            "need a copy"
        )
    flags = array.flags
    out = _new(Array)
    out._shape = array.shape
    out._dtype = dtype
    out._readonly = not flags.writeable
    out._offset = 0
    if flags.c_contiguous:
        out._storage = Storage(array, SHARED)
        out._strides = contiguous(array.shape)
        out._whole = array.size
        return out
    strides = tuple([s // n for s in array.strides])
    if not out._readonly and _strides.overlaps(array.shape, strides):
        out._readonly = True  # threads would write one element at once
    low, high = _strides.extent(array.shape, strides)
    corner = array[tuple([slice(k - 1, None) if s < 0 else slice(0, 1) for k, s in zip(array.shape, strides)])]
    buffer = np.lib.stride_tricks.as_strided(corner, (high - low + 1,), (n,))
    if not flags.writeable:
        buffer.flags.writeable = False
    out._storage = Storage(buffer, SHARED)
    out._strides = strides
    out._offset = -low
    out._whole = -1
    out._view_of = None
    return out


# ---------------------------------------------------------------------- what the class asks of indices and callers


_STORE = opcode.opmap["STORE_SUBSCR"]


def _is_stored(frame: Any) -> bool:
    """Whether a frame is at an assignment `a[i] = ...`: NumPy asks for a number then, which would silently be a constant."""
    return bool(frame.f_code.co_code[frame.f_lasti] == _STORE)


def _as_index(item: Any) -> Any:
    """An index that is not an int, slice, `...` or `None`, as an integer or boolean ndarray."""
    if item.__class__ is Array:
        out = value(item)
    elif isinstance(item, (np.ndarray, np.generic)):
        out = np.asarray(item)
    elif isinstance(item, (list, tuple, bool, range)) or hasattr(item, "__dlpack__") or hasattr(item, "__array__"):
        try:
            out = np.asarray([x if x.__class__ is not Array else value(x) for x in item] if isinstance(item, (list, tuple)) else item)
        except ValueError as error:
            raise IndexError(f"an index list must be as deep and long everywhere, not {item!r:.80} ({error})") from None
        if out.size == 0 and isinstance(item, (list, tuple)):
            out = out.astype(np.intp)
    else:
        raise IndexError(
            f"cannot index with {item!r} of type {type(item).__name__}: use integers, slices, ..., None, and integer or boolean arrays"
        )
    if out.dtype.kind == "b" and item.__class__ is not Array and _has_odd_bools(out):
        out = _normal_bools(out)
    if out.dtype.kind not in "iub":
        raise IndexError(f"an index array must be of integers or booleans, not {out.dtype}")
    return out


def _as_index_elsewhere(item: Any) -> Any:
    """`_as_index` of an array on another device than the CPU: its index arrays must be there too, lists go there."""
    if item.__class__ is Array and item._storage.buffer.__class__ is _ndarray:
        raise ValueError(
            f"an index array of shape {item._shape} is on device 'cpu', the array that it indexes on a CUDA device; move one of them"
        )
    return _as_index(item)


def _is_array(item: Any) -> bool:
    return item.__class__ is Array


def _names_view(key: Any) -> bool:
    return key is Ellipsis or (key.__class__ is tuple and any(k is Ellipsis for k in key))


def _device(spec: Any) -> Device:
    return device(spec)


_array_methods._array = sys.modules[__name__]
