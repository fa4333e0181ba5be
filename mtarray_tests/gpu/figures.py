"""How fast: figures with their bounds, beside PyTorch and CuPy where they are installed.

The peers of a figure are timed in turn, seven rounds, each of as many calls as take 20 ms, with the device waited for before and after;
the medians count. Bytes are those that must be read and written once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import mtarray as xp

from .networks import training
from .run import Check, Run, Skip, host

ROUNDS, SAMPLE = 7, 20e-3
Call = Callable[[], Any]


def _peers() -> dict[str, Any]:
    out = {}
    for name in ("torch", "cupy"):
        try:
            module = __import__(name)
            if name == "cupy" or module.cuda.is_available():
                out[name] = module
        except Exception:  # a peer that does not work here is none
            continue
    return out


def _wait(name: str, module: Any) -> Call:
    if name == "mtarray":
        return lambda: xp.cuda.synchronize()
    return module.cuda.synchronize if name == "torch" else module.cuda.Device().synchronize


def seconds(calls: dict[str, Call], peers: dict[str, Any], rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds of a call on the device, by peer: medians of interleaved rounds."""
    counts, samples = {}, {name: [] for name in calls}  # type: ignore[var-annotated]
    for name, call in calls.items():
        wait = _wait(name, peers.get(name))
        for _ in range(3):
            call()
        wait()
        start = time.perf_counter()
        call()
        wait()
        counts[name] = max(1, min(2000, int(SAMPLE / max(time.perf_counter() - start, 1e-7))))
    order = list(calls)
    for i in range(rounds):
        for name in order[i % len(order) :] + order[: i % len(order)]:
            call, wait = calls[name], _wait(name, peers.get(name))
            call()
            wait()
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            wait()
            samples[name].append((time.perf_counter() - start) / counts[name])
    return {name: statistics.median(s) for name, s in samples.items()}


def issued(call: Call, count: int = 200) -> float:
    """Seconds of the host to issue a call, without waiting for the device: the least median of several rounds."""
    medians = []
    for _ in range(ROUNDS):
        xp.cuda.synchronize()
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
        medians.append(statistics.median(taken))
    return min(medians)


def figure(value: float, unit: str, bound: float, at_most: bool = False, **beside: float) -> dict[str, Any]:
    """A figure with its bound, and what the peers have."""
    met = value <= bound if at_most else value >= bound
    return {
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "bound": f"{'<=' if at_most else '>='} {bound:g}",
        "met": bool(met),
        "peers": {k: float(f"{v:.4g}") for k, v in beside.items()},
    }


@contextmanager
def _libraries(used: bool) -> Iterator[bool]:
    """With NVIDIA's libraries, or without them: whether a cuBLAS is in force."""
    from mtarray._kernels.cuda import libs

    driver = xp.asarray(0.0, device="cuda").device.driver
    found = libs._library(driver)
    if not used:
        driver.cublas = None
    try:
        yield used and found is not None
    finally:
        driver.cublas = found


def figures(run: Run) -> Iterator[Check]:
    """The figures of issue 5, largest first in the order of the engine: host, memory, reductions, products, sort, rows, training."""
    if run.simulate:
        return
    peers = _peers()
    rng = np.random.default_rng(0)
    torch, cupy = peers.get("torch"), peers.get("cupy")
    if torch is not None:
        torch.backends.cuda.matmul.allow_tf32 = False

    def ours(*shape: int) -> Any:
        return xp.random.default_rng(1, device="cuda").random(shape, dtype=xp.float32)

    def others(make: Callable[[Any, str], Call | None]) -> dict[str, Call]:
        out = {}
        for name, module in peers.items():
            call = make(module, name)
            if call is not None:
                out[name] = call
        return out

    def uniform(module: Any, name: str, *shape: int) -> Any:
        return module.rand(*shape, device="cuda") if name == "torch" else module.random.rand(*shape).astype("f")

    def host_cost() -> dict[str, Any]:
        x, y = ours(1000), ours(1000)
        beside = {}
        if torch is not None:
            t = torch.rand(1000, device="cuda")
            beside["torch"] = 1e6 * issued(lambda: t + t)
        if cupy is not None:
            c = cupy.zeros(1000, "f")
            beside["cupy"] = 1e6 * issued(lambda: c + c)
        return figure(1e6 * issued(lambda: x + y), "us on the host", 8, True, **beside)

    def rate(nbytes: int, bound: float, call: Call, peer: Callable[[Any, str], Call | None]) -> dict[str, Any]:
        s = seconds({"mtarray": call, **others(peer)}, peers)
        rates = {k: nbytes / v / 1e12 for k, v in s.items()}
        return figure(rates.pop("mtarray"), "TB/s", bound, **rates)

    def add() -> dict[str, Any]:
        n = 1 << 26
        x, y = ours(n), ours(n)

        def peer(m: Any, name: str) -> Call:
            a, b = uniform(m, name, n), uniform(m, name, n)
            return lambda: a + b

        return rate(12 * n, 3.9, lambda: x + y, peer)

    def broadcast() -> dict[str, Any]:
        n = 1 << 13
        x, row = ours(n, n), ours(n)

        def peer(m: Any, name: str) -> Call:
            a, b = uniform(m, name, n, n), uniform(m, name, n)
            return lambda: a + b

        return rate(8 * n * n, 3.0, lambda: x + row, peer)

    def transposed() -> dict[str, Any]:
        n = 1 << 13
        x = ours(n, n)

        def peer(m: Any, name: str) -> Call:
            a = uniform(m, name, n, n)
            return (lambda: a.T.contiguous()) if name == "torch" else lambda: m.ascontiguousarray(a.T)

        return rate(8 * n * n, 3.0, lambda: x.T.copy(), peer)

    def total(axis: int | None, bound: float) -> Call:
        def made() -> dict[str, Any]:
            n = 1 << 14
            x = ours(n, n)

            def peer(m: Any, name: str) -> Call:
                a = uniform(m, name, n, n)
                if name == "torch":
                    return (lambda: a.sum()) if axis is None else lambda: a.sum(dim=axis)
                return lambda: a.sum(axis=axis)

            return rate(4 * n * n, bound, lambda: xp.sum(x, axis=axis), peer)

        return made

    def product(own: bool) -> Call:
        def made() -> dict[str, Any]:
            n = 4096
            x, y = ours(n, n), ours(n, n)
            want = host(x[:4]).astype(float) @ host(y).astype(float)
            with _libraries(not own) as used:
                if not own and not used:
                    raise Skip("no libcublas is installed")
                assert np.allclose(host((x @ y)[:4]), want, rtol=1e-4), "the product is wrong"

                def peer(m: Any, name: str) -> Call | None:
                    a, b = uniform(m, name, n, n), uniform(m, name, n, n)
                    return lambda: a @ b

                s = seconds({"mtarray": lambda: x @ y, **others(peer)}, peers)
            rates = {k: 2 * n**3 / v / 1e12 for k, v in s.items()}
            bound = 20.0 if own or "torch" not in rates else 0.97 * rates["torch"]
            return figure(rates.pop("mtarray"), "TFLOP/s", bound, **rates)

        return made

    def sort() -> dict[str, Any]:
        n = 10**8
        x = ours(n)
        if cupy is None:
            s = seconds({"mtarray": lambda: xp.sort(x)}, peers, 3)
            return {"value": s["mtarray"], "unit": "s", "peers": {}, "bound": "4 times CuPy's, which is not here"}
        c = cupy.random.rand(n).astype("f")
        s = seconds({"mtarray": lambda: xp.sort(x), "cupy": lambda: cupy.sort(c)}, peers, 3)
        return figure(s["mtarray"] / s["cupy"], "times CuPy's time", 4, True, seconds=s["mtarray"], cupy=s["cupy"])

    def softmax() -> dict[str, Any]:
        x = ours(16384, 4096)
        if torch is None:
            s = seconds({"mtarray": lambda: xp.special.softmax(x, axis=-1)}, peers)
            return {"value": s["mtarray"], "unit": "s", "peers": {}, "bound": "1.2 times PyTorch's, which is not here"}
        t = torch.rand(16384, 4096, device="cuda")
        s = seconds({"mtarray": lambda: xp.special.softmax(x, axis=-1), "torch": lambda: torch.softmax(t, -1)}, peers)
        return figure(s["mtarray"] / s["torch"], "times PyTorch's time", 1.2, True, seconds=s["mtarray"], torch=s["torch"])

    def step(captured: bool) -> Call:
        def made() -> dict[str, Any]:
            function, _, x, y = training(100, "cuda")
            call = xp.cuda.graph(function) if captured else function
            beside = {"torch": 1e3 * _torch_step(torch)} if torch is not None and not captured else {}
            s = seconds({"mtarray": lambda: call(x, y)}, peers)
            return figure(1e3 * s["mtarray"], "ms", 0.1 if captured else 0.3, True, **beside)

        return made

    def epoch() -> dict[str, Any]:
        """Fifty points in five batches, with the loss read at the end, as the ancestors' trainers do."""
        function, _, _, _ = training(100, "cuda")
        x = xp.asarray(rng.random((50, 2)), device="cuda")
        y = xp.asarray((rng.random((50, 1)) > 0.5).astype(float), device="cuda")

        def run_epoch() -> float:
            losses = [function(x[i : i + 10], y[i : i + 10]) for i in range(0, 50, 10)]
            return float(sum(losses[1:], losses[0]))

        s = seconds({"mtarray": run_epoch}, peers)
        return figure(1e3 * s["mtarray"], "ms (the ancestors': 920)", 9.2, True)

    def transfer() -> dict[str, Any]:
        a = np.ones(1 << 28, np.uint8)
        s = seconds({"mtarray": lambda: xp.asarray(a, device="cuda")}, peers, 3)
        back = xp.asarray(a, device="cuda")
        t = seconds({"mtarray": lambda: back.to_device("cpu")}, peers, 3)
        return {"value": float(f"{a.nbytes / s['mtarray'] / 1e9:.4g}"), "unit": "GB/s to the device", "bound": "none",
                "peers": {"from the device": float(f"{a.nbytes / t['mtarray'] / 1e9:.4g}")}}  # fmt: skip

    yield "host cost of x + y", host_cost
    yield "add 2^26 float32", add
    yield "matrix + row 8192^2", broadcast
    yield "transposed copy 8192^2", transposed
    yield "sum of all 16384^2", total(None, 3.9)
    yield "sum over the last axis", total(1, 3.6)
    yield "sum over the first axis", total(0, 3.4)
    yield "matmul 4096^3 float32, own kernel", product(True)
    yield "matmul 4096^3 float32, cuBLAS", product(False)
    yield "softmax 16384x4096", softmax
    yield "sort 10^8 float32", sort
    yield "points H=100, a step", step(False)
    yield "points H=100, a step as a graph", step(True)
    yield "points H=100, an epoch", epoch
    yield "transfers of 2^28 bytes", transfer


def _torch_step(torch: Any) -> float:
    """Seconds of the same step in PyTorch, eager."""
    layers = [
        torch.nn.Linear(2, 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 100),
        torch.nn.ReLU(),
        torch.nn.Linear(100, 1),
        torch.nn.Sigmoid(),
    ]
    model = torch.nn.Sequential(*layers).double().cuda()
    optim = torch.optim.SGD(model.parameters(), lr=0.05)
    x = torch.rand(10, 2, dtype=torch.float64, device="cuda")
    y = (torch.rand(10, 1, device="cuda") > 0.5).double()

    def step() -> None:
        optim.zero_grad()
        torch.nn.functional.binary_cross_entropy(model(x), y).backward()
        optim.step()

    return seconds({"torch": step}, {"torch": torch})["torch"]
