"""What declarations look like to a type checker: the decorators turn scalar functions into functions of these types.

Operands are Any on purpose: arrays, ndarrays, Python numbers and nested sequences are all taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, overload

from ._array import Array


class Declared(Protocol):
    """What every function made from a scalar function has."""

    def source(self, what: str = "cpu", dtype: Any = None) -> str: ...


class Unary(Declared, Protocol):
    def __call__(self, x: Any, /) -> Array: ...


class Binary(Declared, Protocol):
    def __call__(self, x1: Any, x2: Any, /) -> Array: ...


class Ternary(Declared, Protocol):
    def __call__(self, x1: Any, x2: Any, x3: Any, /) -> Array: ...


class Quaternary(Declared, Protocol):
    def __call__(self, x1: Any, x2: Any, x3: Any, x4: Any, /) -> Array: ...


class Declares(Protocol):
    """`elementwise(...)`: a scalar function of one to four numbers becomes a function of as many arrays."""

    @overload
    def __call__(self, scalar: Callable[[Any], Any], /) -> Unary: ...
    @overload
    def __call__(self, scalar: Callable[[Any, Any], Any], /) -> Binary: ...
    @overload
    def __call__(self, scalar: Callable[[Any, Any, Any], Any], /) -> Ternary: ...
    @overload
    def __call__(self, scalar: Callable[[Any, Any, Any, Any], Any], /) -> Quaternary: ...


class Fold(Declared, Protocol):
    """A reduction that keeps the operand's dtype, or has one of its own."""

    def __call__(self, x: Any, /, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array: ...


class Accumulation(Declared, Protocol):
    """A reduction whose dtype the caller may choose."""

    def __call__(self, x: Any, /, axis: int | tuple[int, ...] | None = None, dtype: Any = None, keepdims: bool = False) -> Array: ...


class Scan(Declared, Protocol):
    """A running reduction along one axis."""

    def __call__(self, x: Any, /, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array: ...
