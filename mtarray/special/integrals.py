"""Exponential integrals."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import exp
from ._declare import special
from ._fits import (
    EI_ROOT,
    EI_ROOT_LOW,
    e1_far,
    e1_farthest,
    e1_middle,
    e1_near,
    ei_far,
    ei_farthest,
    ei_middle,
    ei_near,
)

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math


def _exp1(x):
    if x <= 1.0:
        if x > 0.0:
            return e1_near(x) - math.log(x)
        return math.inf if x == 0.0 else math.nan
    if math.isinf(x):
        return 0.0
    t = e1_middle(x - 2.0) if x < 3.0 else e1_far(9.0 / x - 2.0) if x < 9.0 else e1_farthest(18.0 / x - 1.0)
    return math.exp(-x) * t / x


@special(derivative=lambda x: -exp(-x) / x)
def exp1(x):
    """The exponential integral E1 of each element, the integral of exp(-t) / t from x to inf: inf at 0, 0 at inf, NaN for x < 0.

    float32 and float64; within 4 ULP everywhere.

    >>> import mtarray as xp
    >>> xp.special.exp1(xp.asarray([0.0, 1.0, 10.0]))
    Array([           inf, 2.19383934e-01, 4.15696893e-06], shape=(3,), dtype=float64, device='cpu')
    """
    return _exp1(x)


@special(derivative=lambda x: exp(x) / x)
def expi(x):
    """The exponential integral Ei of each element, the principal value of the integral of exp(t) / t from -inf to x.

    -inf at 0, 0 at -inf, inf at inf. float32 and float64; within 4 ULP everywhere, near its zero 0.37250741 too.

    >>> import mtarray as xp
    >>> xp.special.expi(xp.asarray([0.0, 1.0, -1.0]))
    Array([       -inf,  1.89511782, -0.21938393], shape=(3,), dtype=float64, device='cpu')
    """
    if x < 0.0:
        return -_exp1(-x)
    if x <= 6.0:
        d = (x - EI_ROOT) - EI_ROOT_LOW
        ratio = math.log1p(d / EI_ROOT) if abs(d) < 0.15 else math.log(x / EI_ROOT)
        return ratio + d * ei_near(x)
    if math.isinf(x):
        return x
    t = ei_middle(x / 3.0 - 3.0) if x < 12.0 else ei_far(48.0 / x - 3.0) if x < 24.0 else ei_farthest(48.0 / x - 1.0)
    half = math.exp(0.5 * x)  # its square may overflow where the result does not
    return half * (t / x) * half
