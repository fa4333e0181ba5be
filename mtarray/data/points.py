"""The six point sets on which the first networks are taught: points of the plane in two classes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import mtarray as xp
from mtarray import Array


def _spiral(n: int) -> tuple[Array, Array]:
    """Two arms around (0.5, 0.5), a quarter turn apart; the radius is a twentieth of the angle."""
    first = n - n // 2
    angle = 2 + 10 * xp.concat([xp.arange(first) / max(first, 1), xp.arange(n // 2) / max(n // 2, 1)])
    along, across = angle * xp.cos(angle) / 20, angle * xp.sin(angle) / 20
    second = xp.arange(n) >= first
    x = xp.stack([xp.where(second, across, along), xp.where(second, -along, across)], axis=1)
    return x + 0.5, second


# Of points that are drawn in the unit square: which are of class 1.
_RULES: dict[str, Callable[[Array, Array], Array]] = {
    "simple": lambda x1, x2: x1 < 0.5,
    "diag": lambda x1, x2: x1 + x2 < 0.5,
    "split": lambda x1, x2: (x1 < 0.2) | (x1 > 0.8),
    "xor": lambda x1, x2: (x1 < 0.5) != (x2 < 0.5),
    "circle": lambda x1, x2: (x1 - 0.5) ** 2 + (x2 - 0.5) ** 2 > 0.1,
}

POINT_SETS = (*_RULES, "spiral")


def points(name: str, n: int = 50, seed: int = 0, dtype: Any = xp.float32) -> tuple[Array, Array]:
    """`n` points of the plane and their classes: x of shape (n, 2), y of shape (n, 1) with 0 and 1, both of `dtype`.

    name: of the set. The first five are drawn evenly from the unit square; of class 1 are

    - "simple": x1 < 0.5
    - "diag": x1 + x2 < 0.5
    - "split": x1 < 0.2 or x1 > 0.8
    - "xor": x1 < 0.5 or x2 < 0.5, not both
    - "circle": (x1 - 0.5)² + (x2 - 0.5)² > 0.1
    - "spiral": the second of two arms that wind around the centre (they reach 0.05 beyond the square).

    seed: the points follow from it, and so does their order (of the spiral, the order alone).
    ValueError for another name, or n < 1. The sets are those of MiniTorch (https://minitorch.github.io).

    >>> from mtarray import data
    >>> x, y = data.points("circle", 100, seed=1)
    >>> x.shape, y.shape, float(y.mean()) > 0.5
    ((100, 2), (100, 1), True)
    """
    if name not in POINT_SETS:
        raise ValueError(f"points: there is no point set {name!r}; there are {', '.join(POINT_SETS)}")
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"points: n={n} must be at least 1")
    rng = xp.random.default_rng(seed)
    if name == "spiral":
        x, y = _spiral(n)
        order = rng.permutation(n)
        x, y = x[order], y[order]
    else:
        x = rng.random((n, 2))
        y = _RULES[name](x[:, 0], x[:, 1])
    return x.astype(dtype), y.astype(dtype)[:, None].copy()
