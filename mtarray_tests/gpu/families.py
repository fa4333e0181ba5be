"""One small call of each family of kernels, for a tool that watches what they do: ``python -m mtarray_tests.gpu.families [--list]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import mtarray as xp


def calls() -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(0)

    def f(*shape: int) -> Any:
        return xp.asarray(rng.standard_normal(shape).astype(np.float32), device="cuda")

    return {
        "elementwise": lambda: f(3, 1001) + xp.exp(f(1001)),
        "copy": lambda: f(70, 45).T.copy(),
        "reduce": lambda: (xp.sum(f(3, 5001)), xp.sum(f(301, 77), axis=0), xp.max(f(301, 77), axis=1), xp.argmax(f(5001))),
        "scan": lambda: xp.cumulative_sum(f(3, 5001), axis=1),
        "moments": lambda: xp.var(f(33, 501), axis=1),
        "gather": lambda: (xp.take(f(50, 7), xp.asarray([3, 1, 3], device="cuda"), axis=0), f(501)[f(501) > 0]),
        "scatter": lambda: f(50, 7).__setitem__(xp.asarray([3, 1], device="cuda"), f(2, 7)),
        "sort": lambda: (xp.sort(f(5001)), xp.argsort(f(9, 77), axis=0)),
        "sets": lambda: xp.unique_all(xp.asarray(rng.integers(0, 50, 501), device="cuda")),
        "product": lambda: (f(130, 77) @ f(77, 65), f(3, 20, 20) @ f(20, 5), f(33, 65) @ f(65)),
        "factor": lambda: (xp.linalg.cholesky(4 * xp.eye(37, device="cuda")), xp.linalg.inv(f(3, 9, 9))),
        "qr": lambda: xp.linalg.qr(f(20, 9)),
        "spectral": lambda: (xp.linalg.svd(f(20, 9)), xp.linalg.eigvalsh(f(9, 9))),
        "fourier": lambda: (xp.fft.rfft(f(3, 120)), xp.fft.fft(xp.astype(f(101), xp.complex64))),
        "random": lambda: [getattr(xp.random.default_rng(1, device="cuda"), m)(101) for m in ("random", "permutation", "poisson")],
        "convolution": lambda: xp.convolution.conv(f(2, 3, 9, 9), f(4, 3, 3, 3)) if hasattr(xp, "convolution") else None,
        "normalise": lambda: (xp.special.softmax(f(9, 777), axis=-1), xp.special.log_softmax(f(9, 77), axis=0)),
        "histogram": lambda: xp.histogram(f(1001), bins=7),
        "layout": lambda: (xp.tril(f(20, 20)), xp.concat([f(3, 5), f(2, 5)]), xp.repeat(f(5), 3)),
    }  # fmt: skip


def main() -> int:
    made = calls()
    if "--list" in sys.argv:
        print(*made)
        return 0
    for name in sys.argv[1:] or made:
        try:
            made[name]()
            xp.cuda.synchronize()
            print(f"ran {name}", flush=True)
        except NotImplementedError as error:
            print(f"missing {name}: {error}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
