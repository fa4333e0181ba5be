"""Schedules of an optimiser's rates: `step()` after each epoch (or batch) sets the "lr" of its groups.

A schedule says what the rate is after so many steps. Where something else changed the rate meanwhile, a second schedule for example, the
change is kept as a factor.

>>> from mtarray import nn
>>> optimizer = nn.optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
>>> schedule = nn.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
>>> for epoch in range(4):
...     optimizer.step()
...     schedule.step()
>>> schedule.get_last_lr()
[0.25]
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from .optimizer import Optimizer


class LRScheduler:
    """What all schedules have: `step`, `get_last_lr`, `state_dict`, `load_state_dict`; `last_epoch` counts the steps.

    A schedule of your own defines `rate(base, epoch)`: from a group's initial rate and the number of steps to the rate.
    """

    # Attributes that hold no state: functions, and the optimiser.
    _apart: tuple[str, ...] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__}: optimizer is a {type(optimizer).__name__}, not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: group {i} has no 'initial_lr', which last_epoch={last_epoch} needs")
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self._begin(last_epoch)

    def _begin(self, last_epoch: int) -> None:
        self.last_epoch = last_epoch + 1
        if last_epoch == -1:
            lrs = [group["lr"] for group in self.optimizer.param_groups]  # which another schedule may have set
            self._set([self.rate(b, 0) if lr == b or b == 0 else lr * (self.rate(b, 0) / b) for b, lr in zip(self.base_lrs, lrs)])
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def rate(self, base: float, epoch: int) -> float:
        """The rate after `epoch` steps of a group that began with `base`."""
        raise NotImplementedError(f"{type(self).__name__} has no rate(base, epoch)")

    def step(self) -> None:
        """Go on by one step, and set the rates."""
        self.last_epoch += 1
        rates = []
        for i, group in enumerate(self.optimizer.param_groups):
            base = self.base_lrs[i] if i < len(self.base_lrs) else group.setdefault("initial_lr", group["lr"])
            before, new = self.rate(base, self.last_epoch - 1), self.rate(base, self.last_epoch)
            rates.append(new if group["lr"] == before or before == 0 else group["lr"] * (new / before))
        self._set(rates)

    def _set(self, rates: list[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates):
            group["lr"] = lr
        self._last_lr = rates

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one for each group."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on from here: numbers, texts and lists of them. (Functions are not among them.)"""
        return {k: list(v) if isinstance(v, list) else v for k, v in self.__dict__.items() if k not in self._apart}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state; the rates themselves are in the optimiser's. ValueError for the state of another kind of schedule."""
        own = [k for k in self.__dict__ if k not in self._apart]
        if not isinstance(state_dict, dict) or sorted(state_dict) != sorted(own):
            given = ", ".join(sorted(state_dict)) if isinstance(state_dict, dict) else repr(state_dict)
            raise ValueError(f"{type(self).__name__}: its state has {', '.join(sorted(own))}; this one has {given:.200}")
        self.__dict__.update(state_dict)


class LambdaLR(LRScheduler):
    """The initial rate times a function of the number of steps: one function, or one for each group."""

    _apart = ("optimizer", "lr_lambdas")

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]], last_epoch: int = -1
    ) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {count} groups")
        super().__init__(optimizer, last_epoch)

    def _rates(self, epoch: int) -> list[float]:
        return [base * function(epoch) for base, function in zip(self.base_lrs, self.lr_lambdas)]

    def _begin(self, last_epoch: int) -> None:
        self.last_epoch = last_epoch + 1
        self._set(self._rates(self.last_epoch))

    def step(self) -> None:
        """Go on by one step, and set the rates."""
        self.last_epoch += 1
        self._set(self._rates(self.last_epoch))


class StepLR(LRScheduler):
    """The rate times `gamma` every `step_size` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        if step_size < 1:
            raise ValueError(f"StepLR: step_size={step_size} must be at least 1")
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """The rate times `gamma` at each of the `milestones`."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * self.gamma ** bisect_right(self.milestones, epoch)


class ConstantLR(LRScheduler):
    """The rate times `factor` for the first `total_iters` steps."""

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * (self.factor if epoch < self.total_iters else 1.0)


class LinearLR(LRScheduler):
    """The rate times a factor that goes from `start_factor` to `end_factor` in `total_iters` steps: a warm-up."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: start_factor={start_factor} must be in (0, 1], end_factor={end_factor} in [0, 1]")
        if total_iters < 1:
            raise ValueError(f"LinearLR: total_iters={total_iters} must be at least 1")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * (self.start_factor + (self.end_factor - self.start_factor) * min(epoch, self.total_iters) / self.total_iters)


class ExponentialLR(LRScheduler):
    """The rate times `gamma` at every step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * self.gamma**epoch


class PolynomialLR(LRScheduler):
    """The rate times (1 - t / total_iters) ** power after t steps, 0 from `total_iters` on."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return base * (1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate to `eta_min` in `T_max` steps, and back (Loshchilov and Hutter, ICLR 2017)."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max < 1:
            raise ValueError(f"CosineAnnealingLR: T_max={T_max} must be at least 1")
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, base: float, epoch: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class OneCycleLR(LRScheduler):
    """One cycle of `total_steps` batches: up to `max_lr`, then down to far below the beginning (Smith and Topin, arXiv:1708.07120).

    max_lr: one for all groups, or one for each. total_steps, or epochs and steps_per_epoch: how long. pct_start: the part that goes up.
    anneal_strategy: "cos" or "linear". cycle_momentum: the momentum (of Adam, the first beta) goes from max_momentum to base_momentum and
    back. div_factor: max_lr by the rate of the beginning; final_div_factor: that by the rate of the end. three_phase: go down to the rate
    of the beginning first, as long as up. `step` after each batch: after the last the rate stays; once more is a ValueError.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError("OneCycleLR: give total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps < 1:
            raise ValueError(f"OneCycleLR: total_steps={total_steps} must be at least 1")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"OneCycleLR: pct_start={pct_start} must be in [0, 1]")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"OneCycleLR: anneal_strategy={anneal_strategy!r} must be 'cos' or 'linear'")
        groups = optimizer.param_groups
        if cycle_momentum and not all("momentum" in g or "betas" in g for g in groups):
            raise ValueError(f"OneCycleLR: {type(optimizer).__name__} has no momentum; give cycle_momentum=False")
        highest = list(max_lr) if isinstance(max_lr, (list, tuple)) else [max_lr] * len(groups)
        if len(highest) != len(groups):
            raise ValueError(f"OneCycleLR: {len(highest)} values of max_lr for {len(groups)} groups")
        self.total_steps, self.pct_start, self.anneal_strategy, self.three_phase = total_steps, pct_start, anneal_strategy, three_phase
        self.cycle_momentum, self.base_momentum, self.max_momentum = cycle_momentum, base_momentum, max_momentum
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        if last_epoch == -1:
            for group, top in zip(groups, highest):
                group["initial_lr"] = group["lr"] = top / div_factor
        super().__init__(optimizer, last_epoch)

    def _between(self, epoch: int, low: float, high: float, last: float) -> float:
        """What goes from `low` to `high` and on to `last` over the cycle, after `epoch` steps."""
        up, total = self.pct_start * self.total_steps - 1, self.total_steps - 1
        if self.three_phase:
            phases = [(up, low, high), (2 * self.pct_start * self.total_steps - 2, high, low), (total, low, last)]
        else:
            phases = [(up, low, high), (total, high, last)]
        start = 0.0
        for i, (end, a, b) in enumerate(phases):
            if epoch <= end or i == len(phases) - 1:
                part = min((epoch - start) / (end - start), 1.0) if end != start else 1.0
                return b + (a - b) * (1 + math.cos(math.pi * part)) / 2 if self.anneal_strategy == "cos" else a + (b - a) * part
            start = end
        raise AssertionError

    def rate(self, base: float, epoch: int) -> float:
        if epoch > self.total_steps:
            raise ValueError(f"OneCycleLR: step {epoch} of a cycle of {self.total_steps} steps")
        return self._between(epoch, base, base * self.div_factor, base / self.final_div_factor)

    def _set(self, rates: list[float]) -> None:
        super()._set(rates)
        if self.cycle_momentum:
            momentum = self._between(self.last_epoch, self.max_momentum, self.base_momentum, self.max_momentum)
            for group in self.optimizer.param_groups:
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum


class SequentialLR(LRScheduler):
    """One schedule after another: the next begins at each of the `milestones`.

    >>> from mtarray import nn
    >>> from mtarray.nn.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = nn.optim.SGD(nn.Linear(2, 1).parameters(), lr=1.0)
    >>> schedule = SequentialLR(optimizer, [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, 4)], [2])
    >>> rates = []
    >>> for step in range(6):
    ...     rates.append(round(schedule.get_last_lr()[0], 3))
    ...     schedule.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.854, 0.5, 0.146]
    """

    _apart = ("optimizer", "_schedulers")

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones, got {len(milestones)}")
        for s in schedulers:
            if not isinstance(s, LRScheduler):
                raise TypeError(f"SequentialLR: {type(s).__name__} cannot stand in a sequence")
            if s.optimizer is not optimizer:
                raise ValueError("SequentialLR: all schedules must be of the one optimiser")
        if list(milestones) != sorted(milestones):
            raise ValueError(f"SequentialLR: the milestones {milestones} must ascend")
        self._schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer, last_epoch)

    def _begin(self, last_epoch: int) -> None:
        self.last_epoch = last_epoch + 1
        if last_epoch == -1:
            self._restart(self._schedulers[0])
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _restart(self, schedule: LRScheduler) -> None:
        """Begin a schedule; what the others made of the rates, when they were made or in their turn, does not count."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        schedule._begin(-1)

    def step(self) -> None:
        """Go on by one step, and set the rates."""
        self.last_epoch += 1
        i = bisect_right(self.milestones, self.last_epoch)
        if i and self.milestones[i - 1] == self.last_epoch:
            self._restart(self._schedulers[i])
        else:
            self._schedulers[i].step()
        self._last_lr = self._schedulers[i].get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """The state of the sequence, and under "_schedulers" that of each schedule."""
        return {**super().state_dict(), "_schedulers": [s.state_dict() for s in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state. ValueError if it has other schedules."""
        inner = state_dict.get("_schedulers") if isinstance(state_dict, dict) else None
        if not isinstance(inner, list) or len(inner) != len(self._schedulers):
            raise ValueError(f"SequentialLR: the state must hold the states of {len(self._schedulers)} schedules")
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for schedule, state in zip(self._schedulers, inner):
            schedule.load_state_dict(state)


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` when `step(metric)` was told of no better value for more than `patience` steps.

    mode: whether small ("min") or large ("max") values are good. threshold: how much better counts, relative (threshold_mode "rel") or
    absolute ("abs"). cooldown: steps after a reduction in which none is counted. min_lr: the least rate, or one for each group. eps:
    smaller changes are left out.
    """

    _apart = ("optimizer",)

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        if not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor={factor} must be below 1")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"ReduceLROnPlateau: mode={mode!r} must be 'min' or 'max', threshold_mode={threshold_mode!r} must be 'rel' or 'abs'"
            )
        groups = optimizer.param_groups
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * len(groups)
        if len(self.min_lrs) != len(groups):
            raise ValueError(f"ReduceLROnPlateau: {len(self.min_lrs)} values of min_lr for {len(groups)} groups")
        self.mode, self.factor, self.patience, self.cooldown, self.eps = mode, factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        super().__init__(optimizer)

    def rate(self, base: float, epoch: int) -> float:
        return base

    def _is_better(self, value: float) -> bool:
        if self.threshold_mode == "rel":
            return value < self.best * (1 - self.threshold) if self.mode == "min" else value > self.best * (1 + self.threshold)
        return value < self.best - self.threshold if self.mode == "min" else value > self.best + self.threshold

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Tell of a new value of what is watched, and reduce the rates if it is time."""
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self.num_bad_epochs > self.patience:
            lower = [max(lr * self.factor, least) for lr, least in zip(rates, self.min_lrs)]
            rates = [new if lr - new > self.eps else lr for lr, new in zip(rates, lower)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._set(rates)


__all__ = [
    "ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LambdaLR", "LinearLR", "LRScheduler", "MultiStepLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
