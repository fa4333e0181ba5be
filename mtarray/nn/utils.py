"""What training loops do to gradients: clipping by norm and by value, under PyTorch's names.

>>> import mtarray as xp
>>> from mtarray import nn
>>> p = nn.Parameter([3.0, 4.0])
>>> p.grad = xp.asarray([3.0, 4.0], dtype=xp.float32)
>>> float(nn.utils.clip_grad_norm_([p], max_norm=1.0))
5.0
>>> float(xp.linalg.vector_norm(p.grad)) < 1.0001
True
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mtarray as xp
from mtarray import Array, autodiff


def _gradients(parameters: Any) -> list[Array]:
    return [p.grad for p in ([parameters] if isinstance(parameters, Array) else parameters) if p.grad is not None]


def get_total_norm(tensors: Iterable[Array], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Array:
    """The norm of arrays as if they were one vector, a 0-d array. norm_type: its order, `inf` for the largest absolute value.

    RuntimeError with `error_if_nonfinite` if it is infinite or not a number.
    """
    norms = [xp.linalg.vector_norm(x, ord=norm_type) for x in tensors]
    total = xp.linalg.vector_norm(xp.stack(norms), ord=norm_type) if norms else xp.asarray(0.0)
    if error_if_nonfinite and not bool(xp.isfinite(total)):
        raise RuntimeError(
            f"the gradients' norm of order {norm_type} is {float(total)}, so they cannot be clipped; error_if_nonfinite=False scales"
        )
    return total


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Array:
    """Scale the gradients of parameters, in place, so that their norm together is at most `max_norm`; returns the norm that they had."""
    with autodiff.no_grad():
        grads = _gradients(parameters)
        total = get_total_norm(grads, norm_type, error_if_nonfinite)
        if total.device != "cpu":  # nobody waits for the norm
            scale = xp.minimum(max_norm / (total + 1e-6), 1.0)
            for g in grads:
                g *= scale.astype(g.dtype, copy=False)
            return total
        factor = max_norm / (float(total) + 1e-6)
        if not factor >= 1.0:
            for g in grads:
                g *= factor
    return total


def clip_grad_value_(parameters: Any, clip_value: float) -> None:
    """Bring every element of the gradients of parameters, in place, into [-clip_value, clip_value]."""
    with autodiff.no_grad():
        for g in _gradients(parameters):
            g[...] = xp.clip(g, -clip_value, clip_value)


__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]
