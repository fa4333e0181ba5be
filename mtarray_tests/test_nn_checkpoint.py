"""`autodiff.checkpoint` of modules: the same gradients, random numbers drawn once, buffers updated once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, nn


class Noisy(nn.Module):
    """Dropout of both kinds of generator, a buffer that is written into, and one that is assigned and read."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.common = nn.Dropout(0.5)
        self.own = nn.Dropout(0.5, generator=xp.random.default_rng(3))
        self.register_buffer("count", xp.asarray(0))
        self.register_buffer("scale", xp.asarray(1.0))

    def forward(self, x: Any) -> Any:
        self.count += 1
        self.scale = self.scale * 2.0
        return self.own(self.common(self.linear(x))) * self.scale


X = np.random.default_rng(0).normal(size=(8, 3))


def start() -> Noisy:
    nn.manual_seed(1)
    return Noisy().double()


def draws() -> Any:
    return nn.default_generator().random()


@pytest.mark.parametrize("style", ["imperative", "functional", "argument", "inside"])
def test_gradients_random_numbers_and_buffers(style: str) -> None:
    plain, m = start(), start()
    x = xp.asarray(X)
    nn.manual_seed(2)
    expected, by = xp.value_and_grad(lambda m: xp.sum(m(x) ** 2))(plain)
    after = draws()
    nn.manual_seed(2)
    if style == "imperative":
        value = xp.sum(autodiff.checkpoint(m)(x) ** 2)
        value.backward()
        grads = {name: p.grad for name, p in m.named_parameters()}
    else:
        f = {
            "functional": lambda m: xp.sum(autodiff.checkpoint(m)(x) ** 2),
            "argument": autodiff.checkpoint(lambda m: xp.sum(m(x) ** 2)),
            "inside": lambda m: xp.sum(autodiff.checkpoint(lambda m, x: m(x))(m, x) ** 2),
        }[style]
        value, g = xp.value_and_grad(f)(m)
        grads = dict(g.named_parameters())
    assert float(value) == float(expected)
    for name, p in by.named_parameters():
        np.testing.assert_allclose(np.asarray(grads[name]), np.asarray(p), rtol=1e-13)
    assert int(m.count) == 1
    assert float(m.scale) == 2.0
    assert draws() == after
    assert m.own.generator.random() == plain.own.generator.random()


def test_second_derivatives_and_forward_mode() -> None:
    m = start()
    x = xp.asarray(X)

    def f(checkpointed: bool) -> Any:
        def run(m: Any) -> Any:
            nn.manual_seed(2)
            m.scale = xp.asarray(1.0)
            m.own.generator.state = xp.random.default_rng(3).state
            return xp.sum(xp.tanh((autodiff.checkpoint(m) if checkpointed else m)(x)))

        return run

    direction = start()
    ours, theirs = (autodiff.hvp(f(c), (m,), (direction,)) for c in (True, False))
    for a, b in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12, atol=1e-12)
    ours, theirs = (autodiff.jvp(f(c), (m,), (direction,))[1] for c in (True, False))
    np.testing.assert_allclose(float(ours), float(theirs), rtol=1e-12)


def test_functions_that_draw_are_replayed_and_other_threads_go_on() -> None:
    nn.manual_seed(4)
    x = xp.ones(1000)
    seen: list[Any] = []

    def f(x: Any) -> Any:
        y = nn.functional.dropout(x, 0.5)
        seen.append(y.detach())
        if len(seen) == 2:  # the second run, in the backward pass
            thread = threading.Thread(target=lambda: seen.append(draws()))
            thread.start()
            thread.join()
        return y * y

    g = xp.grad(lambda x: xp.sum(autodiff.checkpoint(f)(x)))(x)
    assert (seen[0] == seen[1]).all()
    assert (g == 2 * seen[0] * 2 * (seen[0] > 0)).all()
    nn.manual_seed(4)
    nn.functional.dropout(x, 0.5)
    assert seen[2] == draws()


def test_a_module_that_is_captured_is_refused() -> None:
    m = nn.Linear(3, 3).double()
    with pytest.raises(ValueError, match="not among its arguments"):
        autodiff.checkpoint(lambda x: m(x))(xp.asarray(X))
