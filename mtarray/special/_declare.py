"""How special functions are declared: `elementwise`, with the dtypes that they have in common; derivatives that are derived from source."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .._array import Array
from .._dtypes import COMPLEX, DType, float64, float_of
from .._operands import common
from .._ops import elementwise
from .._signatures import Declares


def special(*, derivative: Any = None) -> Declares:
    """Declare a function of real numbers: computed in float64, its result in the floating dtype that the operands promote to.

    Nothing of it is in the array API standard, and no NumPy function could serve small arrays. derivative: as `elementwise` takes it;
    None: by each operand it is `Derived`.
    """

    def declare(scalar: Callable[..., Any]) -> Any:
        def rule(key: tuple[Any, ...]) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
            d = common(key)
            if d in COMPLEX:
                raise TypeError(f"{scalar.__name__} is a function of real numbers here; it is not defined for {d}")
            return (float64,) * len(key), (float_of(d),)

        function: Any = elementwise(standard=(), rule=rule, derivative=derivative)(scalar)
        if derivative is None:
            function.op.derivative = tuple([Derived(function, p) for p in function.op.parameters])
        return function

    return declare


def _is_wide(x: Any) -> Any:
    return x if x.__class__ is not Array or x.dtype is float64 else None


@elementwise(standard=(), rule=lambda key: ((float64,), (float64,)), derivative=1, shortcut=_is_wide)
def wide(x):
    """As float64: derivatives that are composed of several functions are computed in it, as each of them is."""
    return x


class Derived:
    """The partial derivative of a declared function by one of its operands, derived from its source when it is first wanted.

    As that of a user's op it is differentiated again in the same way, to any order. The functions it is for are written for that: without
    pairs of floats, whose rounding errors have no derivative worth having, and with loops that end only when what is left has no weight
    in a few derivatives either.
    """

    def __init__(self, function: Callable[..., Any], operand: str) -> None:
        self.function: Any = function
        self.operand = operand
        self.__signature__ = inspect.signature(function)
        self._partial: Any = None

    @property
    def partial(self) -> Any:
        """The declaration, as `autodiff.deriving` makes it."""
        if self._partial is None:
            from ..autodiff.deriving import Partial

            self._partial = Partial(self.function.op, self.function.op.parameters.index(self.operand))
        return self._partial

    @property
    def scalar(self) -> Any:
        """Its scalar function: users' functions may call what it is a derivative of, and be differentiated."""
        return self.partial.function.op.scalar.function

    def __call__(self, *operands: Any) -> Any:
        return self.partial(*operands)

    def __repr__(self) -> str:
        return f"by {self.operand}, derived from the source of {self.function.__name__}"


def by(function: Any, operand: str) -> Any:
    """The declared partial derivative of a function by the operand of this name."""
    return function.op.derivative[function.op.parameters.index(operand)]
