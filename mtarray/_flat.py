"""`x.flat`: the elements of an array in C order, as one dimension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import _array, _strides
from ._array import Array, window, writable


class Flat:
    """What `x.flat` is: the elements of an array in C order, behind whatever strides it has. Reading gives arrays."""

    __slots__ = ("_base",)

    def __init__(self, x: Array) -> None:
        self._base = x

    @property
    def base(self) -> Array:
        """The array itself."""
        return self._base

    def __len__(self) -> int:
        return self._base.size

    def __iter__(self) -> Iterator[Array]:
        return iter(self.copy())

    def __getitem__(self, key: Any, /) -> Array:
        return _array.xp.reshape(self._base, (-1,))[key]

    def __setitem__(self, key: Any, item: Any, /) -> None:
        """Write `item` at `key` of the elements in C order; as in NumPy, values are repeated as often as needed."""
        x = self._base
        strides = _strides.reshape(x._shape, x._strides, (x.size,))
        line = _array.xp.reshape(x, (-1,)) if strides is None else window(x, (x.size,), strides, x._offset)
        writable(x, "flat", recorded=True)
        if item.__class__ not in (bool, int, float, complex):
            values = _array.xp.reshape(_array.xp.asarray(item, dtype=x._dtype if isinstance(item, (list, tuple)) else None), (-1,))
            count = line[key].size
            if values.size not in (1, count) and count:
                if not values.size:
                    raise ValueError("flat: no values to write")
                values = _array.xp.take(values, _array.xp.arange(count) % values.size)
            item = values if values.size != 1 else values[0]
        line[key] = item
        if strides is None:
            x[...] = _array.xp.reshape(line, x._shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return _array.xp.reshape(self._base, (-1,)).__array__(dtype, copy)

    def __repr__(self) -> str:
        return f"{self._base!r}.flat"

    def copy(self) -> Array:
        """The elements as an array of one dimension with memory of its own."""
        return self._base.flatten()


_array.flat_of = Flat
