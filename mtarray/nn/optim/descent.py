"""SGD with momentum, RMSprop, Adagrad."""

from __future__ import annotations

from typing import Any

import mtarray as xp
from mtarray import Array

from . import rules
from .optimizer import Optimizer

_FEW = 1024  # elements up to which a few operators cost less than a call of the rule


class SGD(Optimizer):
    """Stochastic gradient descent: p - lr * g; with momentum p - lr * b, where b = momentum * b + (1 - dampening) * g.

    lr: the rate. momentum, dampening, nesterov: of the buffer, which begins as the first gradient (Sutskever et al., ICML 2013; Nesterov's
    step is g + momentum * b). weight_decay: adds weight_decay * p to the gradient. maximize: go up.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> p = nn.Parameter([1.0, 2.0])
    >>> p.grad = xp.ones(2, dtype=xp.float32)
    >>> nn.optim.SGD([p], lr=0.5).step()
    >>> p
    Array([0.5, 1.5], shape=(2,), dtype=float32, device='cpu')
    """

    _arrays = ("momentum_buffer",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize),
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("SGD: nesterov=True needs a momentum above 0 and a dampening of 0")

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        lr, l2, momentum = group["lr"], group["weight_decay"], group["momentum"]
        if not momentum:
            for p, g in pairs:
                if not l2 and p.size <= _FEW:
                    p -= lr * g
                else:
                    rules.sgd(p, g, lr, l2, out=p)
            return
        for p, g in pairs:
            state = self._state.get(id(p))
            if state is None or "momentum_buffer" not in state:
                state = self._state[id(p)] = {"momentum_buffer": xp.zeros(p.shape, dtype=p.dtype, device=p.device)}
                keep, rest = 0.0, 1.0
            else:
                keep, rest = momentum, 1.0 - group["dampening"]
            b = state["momentum_buffer"]
            if not l2 and p.size <= _FEW and rest == 1.0 and not group["nesterov"]:
                b = state["momentum_buffer"] = keep * b + g
                p -= lr * b
            elif group["nesterov"]:
                rules.sgd_nesterov(p, g, b, lr, l2, keep, rest, momentum, out=(p, b))
            else:
                rules.sgd_momentum(p, g, b, lr, l2, keep, rest, out=(p, b))

    def _loaded(self, number: int, p: Array, values: Any) -> dict[str, Any]:
        state = super()._loaded(number, p, values)
        state.pop("step")
        return state


class RMSprop(Optimizer):
    """Steps of lr * g / (root of the running mean of g² + eps) (Hinton, Coursera lecture 6e, 2012; Graves, arXiv:1308.0850 if centered).

    alpha: of the running mean. momentum: of a buffer of the steps. centered: take the variance in place of the mean square.
    weight_decay: adds weight_decay * p to the gradient. maximize: go up.
    """

    _arrays = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered, maximize=maximize),
        )

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        momentum, centered = group["momentum"], group["centered"]
        names = ["square_avg", *(["grad_avg"] if centered else []), *(["momentum_buffer"] if momentum else [])]
        rule = {
            (False, False): rules.rmsprop,
            (False, True): rules.rmsprop_momentum,
            (True, False): rules.rmsprop_centered,
            (True, True): rules.rmsprop_centered_momentum,
        }[bool(centered), bool(momentum)]
        numbers = (group["lr"], 1.0 - group["alpha"], group["eps"], group["weight_decay"], *([momentum] if momentum else []))
        for p, g in pairs:
            state = self._of(p, *names)
            state["step"] += 1
            arrays = tuple([state[name] for name in names])
            rule(p, g, *arrays, *numbers, out=(p, *arrays))


class Adagrad(Optimizer):
    """Steps of lr * g / (root of the sum of all g² so far + eps) (Duchi, Hazan, Singer, JMLR 2011).

    lr_decay: the rate of step t is lr / (1 + (t - 1) * lr_decay). weight_decay: adds weight_decay * p to the gradient.
    initial_accumulator_value: what the sums begin with. maximize: go up.
    """

    _arrays = ("sum",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            dict(
                lr=lr,
                lr_decay=lr_decay,
                weight_decay=weight_decay,
                initial_accumulator_value=initial_accumulator_value,
                eps=eps,
                maximize=maximize,
            ),
        )

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        for p, g in pairs:
            state = self._state.get(id(p))
            if state is None:
                first = xp.full(p.shape, group["initial_accumulator_value"], dtype=p.dtype, device=p.device)
                state = self._state[id(p)] = {"step": 0, "sum": first}
            state["step"] += 1
            rate = group["lr"] / (1.0 + (state["step"] - 1) * group["lr_decay"])
            rules.adagrad(p, g, state["sum"], rate, group["eps"], group["weight_decay"], out=(p, state["sum"]))
