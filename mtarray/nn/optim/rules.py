"""What each optimiser does to an element: scalar functions, so an update is one pass over memory, in place and in parallel.

p: parameter, g: gradient; the others are state, then numbers of the step. An update returns the new parameter, then the new state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import sign

# Bytes below which NumPy serves: its temporaries cost more than a launch from some thousand elements on.
_LIMIT = 1 << 15


def _rule(scalar: Callable[..., Any]) -> Callable[..., Any]:
    # On arrays the same text is NumPy's: no update has a branch.
    twin = FunctionType(scalar.__code__, {"math": np, "max": np.maximum, "sign": np.sign})
    return xp.elementwise(dtypes=(xp.float32, xp.float64), numpy=twin, limit=_LIMIT)(scalar)


@_rule
def sgd(p, g, lr, l2):  # type: ignore[no-untyped-def]
    return p - lr * (g + l2 * p)


@_rule
def sgd_momentum(p, g, b, lr, l2, keep, rest):  # type: ignore[no-untyped-def]
    b = keep * b + rest * (g + l2 * p)
    return p - lr * b, b


@_rule
def sgd_nesterov(p, g, b, lr, l2, keep, rest, momentum):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    b = keep * b + rest * d
    return p - lr * (d + momentum * b), b


@_rule
def adam(p, g, m, v, c1, c2, lr, eps, l2, kept):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    m = m + c1 * (d - m)
    v = v + c2 * (d * d - v)
    return kept * p - lr * m / (math.sqrt(v) + eps), m, v


@_rule
def amsgrad(p, g, m, v, most, c1, c2, lr, eps, l2, kept):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    m = m + c1 * (d - m)
    v = v + c2 * (d * d - v)
    most = max(most, v)
    return kept * p - lr * m / (math.sqrt(most) + eps), m, v, most


@_rule
def lion(p, g, m, lr, c1, c2, kept):  # type: ignore[no-untyped-def]
    return kept * p - lr * sign(m + c1 * (g - m)), m + c2 * (g - m)


@_rule
def adagrad(p, g, s, lr, eps, l2):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    s = s + d * d
    return p - lr * d / (math.sqrt(s) + eps), s


@_rule
def rmsprop(p, g, s, lr, c, eps, l2):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    s = s + c * (d * d - s)
    return p - lr * d / (math.sqrt(s) + eps), s


@_rule
def rmsprop_momentum(p, g, s, b, lr, c, eps, l2, momentum):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    s = s + c * (d * d - s)
    b = momentum * b + d / (math.sqrt(s) + eps)
    return p - lr * b, s, b


@_rule
def rmsprop_centered(p, g, s, h, lr, c, eps, l2):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    s = s + c * (d * d - s)
    h = h + c * (d - h)
    return p - lr * d / (math.sqrt(s - h * h) + eps), s, h


@_rule
def rmsprop_centered_momentum(p, g, s, h, b, lr, c, eps, l2, momentum):  # type: ignore[no-untyped-def]
    d = g + l2 * p
    s = s + c * (d * d - s)
    h = h + c * (d - h)
    b = momentum * b + d / (math.sqrt(s - h * h) + eps)
    return p - lr * b, s, h, b
