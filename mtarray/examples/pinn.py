"""A pendulum, solved by a network that is told the equation and nothing else.

    python -m mtarray.examples.pinn --plot out/pinn.png

The angle satisfies a'' = -sin a with a(0) = `--angle` and a'(0) = 0. The network stands for the angle, its second derivative by time is
a derivative of a derivative through the network, and the loss is the mean square of a'' + sin a, over times drawn anew in every step
(Lagaris, Likas, Fotiadis 1998; Raissi, Perdikaris, Karniadakis 2019). The exact solution is an elliptic function; the program ends with
exit code 1 if the network is further from it than `--bound` anywhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import numpy as np

import mtarray as xp
from mtarray import Array, autodiff, nn

from .._cli.group import require
from ._trainer import Finite, Measures, Run, Task, trainer


class Sine(nn.Module):
    """The sine as an activation: what swings is made of it (with tanh the same network errs hundreds of times as much)."""

    def forward(self, x: Any) -> Any:
        """The sine of each element."""
        return xp.sin(x)


class Angle(nn.Module):
    """The angle at times t of shape (n,): start + t² N(t), so that both initial conditions hold whatever the network N is."""

    def __init__(self, start: float, end: float, hidden: int, device: Any = "cpu") -> None:
        super().__init__()
        self.start, self.end = start, end
        sizes = ((1, hidden), (hidden, hidden), (hidden, 1))
        first, second, third = (nn.Linear(*size, dtype=xp.float64, device=device) for size in sizes)
        self.network = nn.Sequential(first, Sine(), second, Sine(), third)

    def forward(self, t: Any) -> Any:
        """(n,) -> (n,)."""
        return self.start + t * t / (1 + t * t) * self.network((2 * t - self.end)[:, None])[:, 0]


def residual(model: Callable[[Any], Any], t: Array) -> Any:
    """a'' + sin a at the times t; 0 where the model obeys the equation."""
    # Each angle depends on its own time alone, so the gradient of their sum has the derivative of each.
    velocity = xp.grad(lambda t: xp.sum(model(t)))
    acceleration = xp.grad(lambda t: xp.sum(velocity(t)))
    return acceleration(t) + xp.sin(model(t))


def exact(start: float, t: Array) -> Array:
    """The pendulum's angle by Jacobi's elliptic functions: 2 arcsin(k cn / dn), k = sin(start / 2)."""
    from scipy.special import ellipj

    k = float(xp.sin(start / 2))
    _, cn, dn, _ = ellipj(np.asarray(t), k * k)
    return 2 * xp.asin(k * xp.asarray(cn) / xp.asarray(dn))


@trainer(epochs=1500, batch_size=64, rate=0.005, fixed=("epochs",))
@click.option("--angle", type=Finite(-3.0, 3.0), default=2.0, help="Where the pendulum is let go, in radians from below.")
@click.option("--until", type=Finite(0, min_open=True), default=8.0, help="The last moment, in units of sqrt(length / g).")
@click.option("--hidden", type=click.IntRange(1), default=32, help="Width of the two hidden layers.")
@click.option("--bound", type=Finite(0, min_open=True), default=0.005, help="The largest error that is allowed, in radians.")
def main(run: Run, angle: float, until: float, hidden: int, bound: float) -> None:
    """A pendulum's motion from its equation: second derivatives through the network."""
    require("examples", "scipy")
    nn.manual_seed(run.seed)
    model = Angle(angle, until, hidden, run.device)
    optimizer = nn.optim.Adam(model.parameters(), lr=run.rate)
    schedule = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs)
    moments = xp.linspace(0.0, until, 400, dtype=xp.float64)
    truth = exact(angle, moments)

    def errors() -> Array:
        with autodiff.no_grad():
            return model(moments.to_device(run.device)).to_device("cpu") - truth

    def once(step: Callable[[], None]) -> Measures:
        # The interval grows over the first half of training: from all times at once a network falls for rest at the top, where a'' + sin a
        # is 0 too. One time is drawn in each of equal parts.
        reach = until * min(1.0, 0.2 + 1.6 * len(run.history) / run.epochs)
        shift = nn.default_generator().random(run.batch_size)
        t = ((xp.arange(run.batch_size, dtype=xp.float64) + shift) * (reach / run.batch_size)).to_device(run.device)
        loss, gradients = autodiff.value_and_grad(lambda m: xp.mean(residual(m, t) ** 2))(model)
        for parameter, gradient in zip(model.parameters(), gradients.parameters()):
            parameter.grad = gradient
        optimizer.step()
        step()
        return {"loss": float(loss), "error": float(xp.max(xp.abs(errors())))}

    run.say(f"a'' = -sin a, a(0) = {angle:g}, a'(0) = 0, until {until:g}; {run.device}")
    run.train(Task(model, optimizer, once, 1, schedule))
    wrong = errors()
    worst = float(xp.max(xp.abs(wrong)))
    run.summary(largest_error=f"{worst:.2e} (bound {bound:g})")

    def draw(figure: Any) -> None:
        left, middle, right = figure.subplots(1, 3)
        left.semilogy(
            range(1, len(run.history) + 1), run.column("loss"), color="tab:purple", linewidth=1, label="mean square of $a'' + \\sin a$"
        )
        left.semilogy(range(1, len(run.history) + 1), run.column("error"), color="tab:gray", linewidth=1, label="largest error")
        left.set(title="training", xlabel="step")
        left.legend(fontsize="small")
        middle.plot(moments, truth, color="0.6", linewidth=5, label="exact")
        middle.plot(moments, truth + wrong, color="tab:blue", label="network")
        middle.set(title="angle", xlabel="time")
        middle.legend(fontsize="small")
        right.plot(moments, wrong, color="tab:red")
        right.axhspan(-bound, bound, color="tab:green", alpha=0.12, label="bound")
        right.set(title=f"error: at most {worst:.1e}", xlabel="time")
        right.legend(fontsize="small")

    run.picture(draw, (12, 3.8))
    if not worst <= bound:
        click.echo(f"mtarray: the largest error is {worst:.3g}, above the bound of {bound:g}: train longer (--epochs)", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
