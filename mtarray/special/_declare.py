"""How special functions are declared: `elementwise`, with the dtypes that they have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._dtypes import COMPLEX, DType, float64, float_of
from .._operands import common
from .._ops import elementwise
from .._signatures import Declares


def special(*, derivative: Any) -> Declares:
    """Declare a function of real numbers: computed in float64, its result in the floating dtype that the operands promote to.

    Nothing of it is in the array API standard, and no NumPy function could serve small arrays.
    """

    def declare(scalar: Callable[..., Any]) -> Any:
        def rule(key: tuple[Any, ...]) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
            d = common(key)
            if d in COMPLEX:
                raise TypeError(f"{scalar.__name__} is a function of real numbers here; it is not defined for {d}")
            return (float64,) * len(key), (float_of(d),)

        return elementwise(standard=(), rule=rule, derivative=derivative)(scalar)

    return declare
