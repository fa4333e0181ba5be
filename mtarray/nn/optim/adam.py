"""Adam, AdamW, Lion."""

from __future__ import annotations

import math
from typing import Any

import mtarray as xp
from mtarray import Array

from . import rules
from .optimizer import Optimizer


class Adam(Optimizer):
    """Steps of lr * m / (√v + eps), where m and v are running means of g and g² without their bias to 0 (Kingma and Ba, arXiv:1412.6980).

    lr: the rate. betas: of the running means. eps: keeps steps finite. weight_decay: adds weight_decay * p to the gradient. amsgrad: take
    the largest v so far (Reddi et al., ICLR 2018). maximize: go up.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> p = nn.Parameter(xp.asarray([1.0, 2.0]))
    >>> p.grad = xp.asarray([0.1, -5.0])
    >>> nn.optim.Adam([p], lr=0.5, eps=0).step()
    >>> p
    Array([0.5, 2.5], shape=(2,), dtype=float64, device='cpu')
    """

    _arrays = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    _counts = True
    _decoupled = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize))

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        lr, (beta1, beta2), eps, decay = group["lr"], group["betas"], group["eps"], group["weight_decay"]
        l2, kept = (0.0, 1.0 - lr * decay) if self._decoupled else (decay, 1.0)
        c1, c2 = 1.0 - beta1, 1.0 - beta2
        stepped: dict[int, Any] = {}
        found: dict[Any, tuple[Any, Any]] = {}
        for p, g in pairs:
            state = self._of(p, *self._arrays[: 2 + group["amsgrad"]])
            step = self._step(state, stepped)
            # Both corrections of bias are of the step, not of an element: they go into the rate and into eps.
            if step.__class__ is not Array:
                root = math.sqrt(1.0 - beta2**step)
                rate, shift = lr * root / (1.0 - beta1**step), eps * root
            else:
                key = id(step), p.dtype
                if key not in found:
                    roots = xp.sqrt(1.0 - beta2**step)
                    found[key] = xp.astype(lr * roots / (1.0 - beta1**step), p.dtype), xp.astype(eps * roots, p.dtype)
                rate, shift = found[key]
            m, v = state["exp_avg"], state["exp_avg_sq"]
            if group["amsgrad"]:
                most = state["max_exp_avg_sq"]
                rules.amsgrad(p, g, m, v, most, c1, c2, rate, shift, l2, kept, out=(p, m, v, most))
            else:
                rules.adam(p, g, m, v, c1, c2, rate, shift, l2, kept, out=(p, m, v))


class AdamW(Adam):
    """`Adam` whose weight decay shrinks parameters by the factor 1 - lr * weight_decay, apart from the gradient.

    (Loshchilov and Hutter, ICLR 2019.)
    """

    _decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class Lion(Optimizer):
    """Steps of lr by the sign of a running mean of gradients (Chen et al., arXiv:2302.06675): one array of state, rates a tenth of Adam's.

    betas: the first weighs the mean in the step (against the gradient), the second in what is kept. weight_decay: shrinks parameters by
    the factor 1 - lr * weight_decay. maximize: go up.
    """

    _arrays = ("exp_avg",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay, maximize=maximize))

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        for p, g in pairs:
            state = self._of(p, "exp_avg")
            state["step"] += 1
            m = state["exp_avg"]
            rules.lion(p, g, m, lr, 1.0 - beta1, 1.0 - beta2, 1.0 - lr * group["weight_decay"], out=(p, m))
