"""Programs of views, index arrays and writes, and derivatives: on the device as on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import autodiff
from mtarray_tests.autodiff_drawing import Drawing, RejectedError
from mtarray_tests.autodiff_machines import Ours, Program
from mtarray_tests.autodiff_machines import run as execute

from .run import Check, Run, agree, host


class OnCuda(Ours):
    """The program as it stands, on arrays of the device."""

    def const(self, v: Any) -> Any:
        return xp.asarray(np.array(v), device="cuda")

    def where(self, c: Any, x: Any, y: Any) -> Any:
        return xp.where(self.const(c), x, y)


def programs(run: Run) -> Iterator[Check]:
    """Random programs: every variable at the end, and the gradient of a number made of all of them."""

    def one(program: Program, seed: int, large: bool) -> None:
        outs: list[Any] = []
        for machine in (Ours(), OnCuda()):
            leaves = [machine.const(v) for v in program.leaves]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                env = execute(machine, program, [xp.asarray(v, copy=True) for v in leaves])
                outs.append([env[i] for i in sorted(env)])
                outs.append(autodiff.grad(partial(_total, machine, program, seed), tuple(range(len(leaves))))(*leaves))
        agree(outs[2], outs[0], 64, f"seed {seed}: the variables")
        agree(outs[3], outs[1], 1e4, f"seed {seed}: the gradient")

    made = 0
    for seed in range(1000):
        large = bool(seed % 5 == 4 and not run.simulate)
        try:
            program = Drawing((seed, int(large)), large).program
        except RejectedError:
            continue
        made += 1
        if made > (2 if run.quick else 8 if run.simulate else 150):
            return
        yield f"seed {seed}{' large' if large else ''}", partial(one, program, seed, large)


def _total(machine: Any, program: Program, seed: int, *leaves: Any) -> Any:
    env = execute(machine, program, [xp.asarray(v, copy=True) for v in leaves])
    rng = np.random.default_rng(seed)
    out = None
    for i in sorted(env):
        x = env[i]
        if x.dtype.kind not in "fc":
            continue
        weight = machine.const(rng.standard_normal(x.shape).astype(x.dtype))
        t = xp.sum(x * weight)
        t = xp.real(t) if t.dtype.kind == "c" else t
        out = t if out is None else out + t
    return out


def gradients(run: Run) -> Iterator[Check]:
    """Gradients and products with the Hessian of ops of each kind, against the CPU's."""
    S, M = (4, 5), (4, 4)

    def positive(x: Any) -> Any:
        return x @ x.T + 4 * xp.eye(4, dtype=x.dtype, device=x.device)

    def inplace(x: Any) -> Any:
        y = xp.zeros((4, 5), dtype=x.dtype, device=x.device)
        y[1:] = x[:-1] * 2
        y[0] += xp.sin(x[1])
        y *= x
        return y

    cases: dict[str, tuple[Any, tuple[int, ...]]] = {
        "elementwise": (lambda x: xp.sin(x) * xp.exp(-x * x) + xp.tanh(x) / (2 + xp.cos(x)), S),
        "broadcasting": (lambda x: (x - xp.mean(x, axis=0)) / (1 + xp.std(x, axis=1, keepdims=True)), S),
        "in place": (inplace, S),
        "indexing": (lambda x: x[xp.asarray([0, 2, 2], device=x.device)] * x[1:, ::-1], S),
        "where and max": (lambda x: xp.where(x > 0, x, 0.1 * x) + xp.max(x, axis=1, keepdims=True), S),
        "sort": (lambda x: xp.sort(x, axis=1) * xp.cumulative_sum(x, axis=0), S),
        "matmul": (lambda x: x @ x.T @ x, S),
        "einsum": (lambda x: xp.einsum("ij,kj->ik", x, x), S),
        "softmax": (lambda x: xp.special.softmax(x, axis=-1) * xp.special.log_softmax(x, axis=0), S),
        "solve": (lambda x: xp.linalg.solve(positive(x), x), M),
        "cholesky": (lambda x: xp.linalg.cholesky(positive(x)), M),
        "inv and det": (lambda x: xp.linalg.inv(positive(x)) * xp.linalg.det(positive(x)), M),
        "eigh": (lambda x: xp.linalg.eigvalsh(positive(x)), M),
        "svd": (lambda x: xp.linalg.svdvals(x), M),
        "fft": (lambda x: xp.abs(xp.fft.rfft(x)) ** 2, S),
        "concat": (lambda x: xp.concat([x, x[:2] ** 2], axis=0), S),
    }

    def one(f: Any, shape: tuple[int, ...], d: str) -> None:
        rng = np.random.default_rng(3)
        a, v = rng.standard_normal(shape).astype(d), rng.standard_normal(shape).astype(d)

        def number(x: Any) -> Any:
            y = f(x)
            return xp.sum(y * xp.reshape(xp.linspace(0.5, 1.5, y.size, dtype=y.dtype, device=x.device), y.shape))

        slope = autodiff.grad(number)
        outs = []
        for device in ("cpu", "cuda"):
            x, t = xp.asarray(a, device=device), xp.asarray(v, device=device)
            outs.append([slope(x), autodiff.grad(lambda y, t=t: xp.sum(slope(y) * t))(x)])
            assert outs[-1][0].device == device
        agree(outs[1], outs[0], 1e4, "gradient and product with the Hessian")

    def transfers() -> None:
        x = xp.asarray(np.arange(6.0), device="cpu")
        g = autodiff.grad(lambda x: xp.sum(x.to_device("cuda") ** 2).to_device("cpu"))(x)
        assert g.device == "cpu" and host(g).tolist() == [0, 2, 4, 6, 8, 10]  # noqa: PT018

    for name in run.some(cases, 3):
        f, shape = cases[name]
        for d in ("float64",) if run.simulate else ("float32", "float64"):
            yield f"{name} {d}", partial(one, f, shape, d)
    yield "through to_device", transfers
