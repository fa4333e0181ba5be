"""What the tape keeps, for how long, and what derivatives cost as programs grow.

Memory is measured by tracemalloc, which sees the pool's buffers and NumPy's alike, and by the number of nodes alive.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff
from mtarray._kernels.cpu import pool
from mtarray.autodiff.tape import Node, live

MIB = 1 << 20


@contextmanager
def without_collector() -> Iterator[None]:
    """What is freed here is freed by reference counts alone."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def nodes() -> int:
    """How many contents are named."""
    return sum(type(o) is Node for o in gc.get_objects())  # `__class__` would wake what other libraries left lying about


def peak(f: Callable[[], Any]) -> float:
    """MiB that f needs at most beyond what there was; the pool keeps nothing, so this is what is really in use."""
    f()  # kernels are compiled, tables filled
    gc.collect()
    pool.set_limit(0)
    tracemalloc.start()
    try:
        f()
        return tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()
        pool.set_limit(None)


def ramp(n: int) -> Any:
    """n numbers in memory of our own: what is shared with NumPy must be copied before it is differentiated by."""
    return xp.asarray(np.linspace(0.1, 1.0, n), copy=True)


# ---------------------------------------------------------------------- what is kept


def test_long_loop() -> None:
    """10^5 steps: no recursion, nothing left afterwards, in either style."""
    steps = 100_000

    def f(x: Any) -> Any:
        y = x
        for _ in range(steps):
            y = y * 0.99999 + 1e-6
        return y

    in_progress = live()  # of tests whose error is still held by someone
    with without_collector():
        before = nodes()
        g = xp.grad(f)(xp.asarray(1.0))
        assert abs(float(g) - 0.99999**steps) < 1e-12
        x = xp.asarray(1.0)
        x.requires_grad = True
        f(x).backward()
        assert float(x.grad) == float(g)
        assert nodes() - before == 1  # the leaf
        y = f(x)
        assert nodes() - before > steps
        del y  # a chain of 10^5 nodes goes without a backward pass
        assert nodes() - before == 1
    assert not live() & ~in_progress


def test_long_loop_of_writes() -> None:
    """The same of a program that writes in place, with the tangent beside it."""
    steps = 20_000

    def f(x: Any) -> Any:
        h = x * 1.0
        for i in range(steps):
            h[i % 3] *= 0.9999
        return xp.sum(h)

    with without_collector():
        before = nodes()
        x = xp.asarray([1.0, 2.0, 3.0])
        g = np.asarray(xp.grad(f)(x))
        expected = [0.9999 ** len(range(k, steps, 3)) for k in range(3)]
        np.testing.assert_allclose(g, expected, rtol=1e-12)
        _, dy = autodiff.jvp(f, (x,), (xp.asarray([1.0, 1.0, 1.0]),))
        assert abs(float(dy) - sum(expected)) < 1e-11
        assert nodes() == before


def test_forward_mode_keeps_no_steps() -> None:
    """A tangent takes what the result takes, however long the program."""
    x = ramp(MIB // 8)

    def f(x: Any) -> Any:
        for _ in range(50):
            x = xp.sin(x)
        return x

    assert peak(lambda: autodiff.jvp(f, (x,), (x,))) < 6.5


def test_what_is_not_needed_is_not_kept() -> None:
    """100 additions of 1 MiB save nothing; sines save their operand; scalings nothing."""
    x = ramp(MIB // 8)

    def added(x: Any) -> Any:
        y = x
        for _ in range(100):
            y = y + 1.0
        return xp.sum(y)

    def mixed(x: Any) -> Any:
        for _ in range(20):
            x = xp.sin(x) * 0.5
        return xp.sum(x)

    def imperative() -> None:
        leaf = x.copy()
        leaf.requires_grad = True
        added(leaf).backward()

    assert peak(lambda: xp.grad(added)(x)) < 3.1
    assert peak(imperative) < 3.1
    assert peak(lambda: xp.grad(mixed)(x)) < 25.5


@pytest.mark.parametrize("body", ["out of place", "in place", "second order", "backward", "kept graph", "checkpoint", "several results"])
def test_no_cycles(body: str) -> None:
    """Everything goes when its last name goes, without the collector."""
    x = xp.asarray([1.0, 2.0, 3.0])

    def f(x: Any) -> Any:
        h = xp.sin(x) * x
        if body == "in place":
            h[1:] *= x[:-1]
            h[[0, 0]] = x[1:]
        if body == "several results":
            m, _ = xp.frexp(h)
            q, r = xp.linalg.qr(xp.outer(x, h) + xp.eye(3))
            return xp.sum(m) + xp.sum(q) + xp.sum(r)
        return xp.sum(xp.exp(h) * h)

    def run() -> None:
        if body == "second order":
            xp.grad(lambda x: xp.sum(xp.grad(f)(x) * x))(x)
            autodiff.hvp(f, (x,), (x,))
        elif body in ("backward", "kept graph"):
            leaf = x.copy()
            leaf.requires_grad = True
            y = f(leaf)
            y.backward(retain_graph=True, create_graph=body == "kept graph")
            assert leaf.grad is not None
            leaf.zero_grad()  # a gradient that depends on its leaf, and is kept there, is a cycle by its meaning
        elif body == "checkpoint":
            xp.grad(autodiff.checkpoint(f))(x)
        else:
            xp.grad(f)(x)
            autodiff.jvp(f, (x,), (x,))
            autodiff.vjp(f, x)[1](xp.asarray(1.0))

    run()
    in_progress = live()
    with without_collector():
        before = nodes(), len(gc.get_objects())
        for _ in range(20):
            run()
        assert nodes() == before[0]
        assert len(gc.get_objects()) - before[1] < 60
    assert not live() & ~in_progress


def test_training_leaves_nothing() -> None:
    """Steps of gradient descent, of both styles, end with the memory that they began with."""
    x = ramp(MIB // 8)
    w = xp.ones_like(x)
    w.requires_grad = True

    def step() -> None:
        nonlocal x
        xp.sum((w - x) ** 2).backward()
        with autodiff.no_grad():
            w[...] -= 0.1 * w.grad
        w.zero_grad()
        x = x - 0.1 * xp.grad(lambda x: xp.sum(xp.cos(x)))(x)

    for _ in range(3):
        step()
    pool.trim()
    with without_collector():
        before = nodes()
        tracemalloc.start()
        for _ in range(30):
            step()
        pool.trim()
        left = tracemalloc.get_traced_memory()[0] / MIB
        tracemalloc.stop()
        assert nodes() == before
    assert left < 3.1  # w, its gradient, x: in new memory


# ---------------------------------------------------------------------- flat parameters, growing caches


def test_flat_parameters() -> None:
    """Layers whose weights are windows of one vector cost what separate ones cost."""
    n, layers = 256, 16
    flat = xp.asarray(np.random.default_rng(0).normal(size=layers * n * n) / n, copy=True)
    apart = tuple([xp.asarray(w, copy=True) for w in xp.split(xp.reshape(flat, (layers, n, n)), layers)])
    x = ramp(8 * n).reshape(8, n)

    def through(ws: Any) -> Any:
        h = x
        for w in ws:
            h = xp.tanh(h @ xp.reshape(w, (n, n)))
        return xp.sum(h)

    def windows(flat: Any) -> Any:
        return through([flat[i * n * n : (i + 1) * n * n] for i in range(layers)])

    one, many = peak(lambda: xp.grad(windows)(flat)), peak(lambda: xp.grad(through)(apart))
    assert one <= 1.1 * many, (one, many)
    np.testing.assert_allclose(np.asarray(xp.grad(windows)(flat)).reshape(layers, n, n)[3], np.asarray(xp.grad(through)(apart)[3])[0])


def test_growing_cache() -> None:
    """A cache that is filled row by row and read as cache[:t + 1] takes memory in proportion to its length."""

    def run(steps: int) -> float:
        x = ramp(steps * 256).reshape(steps, 256)

        def f(x: Any) -> Any:
            cache = xp.zeros((steps, 256))
            total = 0.0
            for t in range(steps):
                cache[t] = xp.tanh(x[t])
                total = total + xp.sum(cache[: t + 1] @ x[t])
            return total

        return peak(lambda: xp.grad(f)(x))

    short, long = run(128), run(512)
    assert long < 4.5 * short, (short, long)
    assert long < 9, long


# ---------------------------------------------------------------------- time


def seconds(f: Callable[..., Any], *args: Any) -> float:
    best = np.inf
    for _ in range(2):
        start = time.perf_counter()
        f(*args)
        best = min(best, time.perf_counter() - start)
    return best


def fill(n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        out = xp.zeros(n)
        for i in range(n):
            out[i] = xp.sin(x[i])
        return xp.sum(out * out)

    return f


def recurrence(n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        h = xp.ones(n)
        for i in range(1, n):
            h[i] = h[i - 1] * x[i]
        return h[n - 1]

    return f


def accumulation(n: int) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        h = xp.zeros(4)
        for i in range(n):
            h += x[i] * h[0] + 1.0
        return xp.sum(h) * 1e-300

    return f


@pytest.mark.slow
@pytest.mark.parametrize("program", [fill, recurrence, accumulation])
@pytest.mark.parametrize("mode", ["grad", "jvp", "hvp"])
def test_loops_over_elements_are_linear(program: Any, mode: str) -> None:
    """Eight times the elements take about eight times as long: 4,000 and 32,000 (with the slack that a shared machine needs)."""
    modes: dict[str, Callable[[Any, Any], Any]] = {
        "grad": lambda f, x: xp.grad(f)(x),
        "jvp": lambda f, x: autodiff.jvp(f, (x,), (x,)),
        "hvp": lambda f, x: autodiff.hvp(f, (x,), (x,)),
    }
    times = []
    for n in (4_000, 32_000):
        x = xp.asarray(np.linspace(0.9999, 1.0, n) * (1e-4 if program is accumulation else 1))
        times.append(seconds(modes[mode], program(n), x))
    assert times[1] < 20 * times[0], times


@pytest.mark.slow
def test_loop_of_all_elements() -> None:
    """10^5 elements one by one, gradient and values."""
    n = 100_000
    x = xp.asarray(np.linspace(0, 1, n))
    np.testing.assert_allclose(np.asarray(xp.grad(fill(n))(x)), np.sin(2 * np.linspace(0, 1, n)), rtol=1e-12, atol=1e-15)


def test_untracked_arrays_do_not_pay() -> None:
    """Nothing is recorded, and nothing allocated for it, where no derivative is asked for."""
    before = nodes()
    x = ramp(10)
    xp.sum(xp.sin(x) * x)
    x[2:] *= 2
    assert nodes() == before
    assert x._storage.node is None
