"""What is the device's own: random numbers that are the CPU's, memory, errors, transfers, streams, and other libraries on the same GPU."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import mtarray as xp

from .run import Check, Run, Skip, agree, host


def random(run: Run) -> Iterator[Check]:
    """Bits, integers, uniform numbers and permutations are the CPU's; normals within 4 units; samplers have their moments."""
    n = run.size(1_000_003, 70)

    def same(draw: Any, tolerance: float) -> None:
        here, there = xp.random.default_rng(5), xp.random.default_rng(5, device="cuda")
        for _ in range(2):
            want, got = draw(here), draw(there)
            assert got.device == "cuda"
            if tolerance == 0:
                agree(got, want)
                continue
            g, w = host(got), host(want)
            units = np.abs(g - w) / np.spacing(np.abs(w))
            assert units.max() <= tolerance, f"{units.max():.1f} units of the last place, more than {tolerance}"

    exact: dict[str, Any] = {
        "random": lambda r: r.random(n),
        "random float32": lambda r: r.random((n // 7, 7), dtype=xp.float32),
        "uniform": lambda r: r.uniform(-1, 3, n),
        "integers": lambda r: r.integers(-5, 1000, n),
        "integers of 8 bits": lambda r: r.integers(0, 256, n, dtype=xp.uint8),
        "integers beyond 32 bits": lambda r: r.integers(0, 10**15, n),
        "permutation": lambda r: r.permutation(min(n, 100_000)),
        "permuted": lambda r: r.permuted(xp.reshape(xp.arange(60, device=r.device if hasattr(r, "device") else "cpu"), (6, 10)), axis=1),
        "choice": lambda r: r.choice(50, n // 2),
    }
    near: dict[str, Any] = {
        "standard_normal": lambda r: r.standard_normal(n),
        "standard_normal float32": lambda r: r.standard_normal(n, dtype=xp.float32),
        "standard_exponential": lambda r: r.standard_exponential(n),
    }

    def moments(name: str, args: tuple[float, ...], mean: float, variance: float) -> None:
        x = host(getattr(xp.random.default_rng(5, device="cuda"), name)(*args, n)).astype(float)
        assert abs(x.mean() - mean) < 6 * (variance / n) ** 0.5, f"mean {x.mean()}, not {mean}"
        assert run.simulate or abs(x.var() / variance - 1) < 0.05, f"variance {x.var()}, not {variance}"

    for name in run.some(exact, 2):
        yield name, partial(same, exact[name], 0)
    for name in run.some(near, 1):
        yield name, partial(same, near[name], 4)
    for name, args, mean, variance in [
        ("gamma", (2.5, 2.0), 5.0, 10.0), ("poisson", (4.0,), 4.0, 4.0), ("binomial", (20, 0.3), 6.0, 4.2), ("beta", (2.0, 3.0), 0.4, 0.04),
    ]:  # fmt: skip
        if not run.quick:
            yield name, partial(moments, name, args, mean, variance)


def device(run: Run) -> Iterator[Check]:
    """Names, errors, counts, forbidden transfers, threads, and graphs of views and writes."""

    def raised(kind: Any, function: Any, *words: str) -> None:
        try:
            function()
        except kind as error:
            for word in words:
                if word not in str(error):
                    raise AssertionError(f"{error} does not say {word!r}") from error
            return
        raise AssertionError(f"no {kind}")

    def names() -> None:
        x = xp.ones(3, device="cuda")
        assert x.device == "cuda" and x.device == "cuda:0" and hash(x.device) == hash(xp.asarray(1, device="cuda:0").device)  # noqa: PT018
        assert any(d == "cuda" for d in xp.__array_namespace_info__().devices())
        with xp.set_default_device("cuda"):
            assert xp.zeros(2).device == "cuda"
        assert xp.zeros(2).device == "cpu"
        assert (x + 1).device == "cuda"
        raised(RuntimeError, lambda: xp.zeros(1, device="cuda:99"), "cuda:99")

    def mixed() -> None:
        raised(ValueError, lambda: xp.ones(3, device="cuda") + xp.ones(3), "cuda", "cpu", "to_device")
        raised(TypeError, lambda: np.asarray(xp.ones(3, device="cuda")), "to_device")

    def counts() -> None:
        x = xp.ones((100, 100), device="cuda")
        before = xp.cuda.counts()
        with xp.cuda.forbid_transfers():
            y = (x + x.T)[::2] * 2
            raised(xp.cuda.TransferError, lambda: float(y[0, 0]), "forbid_transfers")
        after = xp.cuda.counts()
        assert after["to_host"] == before["to_host"]
        window = x[:2, :3].to_device("cpu")
        assert xp.cuda.counts()["bytes_to_host"] == after["bytes_to_host"] + 6 * 8
        agree(window, np.ones((2, 3)))

    def graph() -> None:
        x, y = xp.zeros((6, 4), device="cuda"), xp.zeros((6, 4), device="cuda")

        def work(to: Any, v: Any) -> Any:
            to[1:] += v[:-1]
            to[...] = to * 2 + xp.sum(v, axis=0)
            return xp.cumulative_sum(to, axis=1)

        replayed = xp.cuda.graph(partial(work, x))
        for i in range(4):
            v = xp.asarray(np.arange(24.0).reshape(6, 4) + i, device="cuda")
            agree(replayed(v), work(y, v), 16, f"call {i}")
        agree(x, y, 16)
        other = xp.cuda.graph(lambda v: float(xp.sum(v)))
        other(x)
        raised(xp.cuda.CaptureError, lambda: other(x), "graph")
        agree(x + 1, host(y) + 1, 16, "after a capture that failed")

    def threads() -> None:
        wrong: list[str] = []

        def work(i: int) -> None:
            rng = np.random.default_rng(i)
            a = rng.standard_normal((50, 40))
            for _ in range(20):
                x = xp.asarray(a, device="cuda")
                if not np.allclose(host((x + i) @ x.T), (a + i) @ a.T):
                    wrong.append(f"thread {i}")

        workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        assert not wrong, wrong

    def shared() -> None:
        """More than 48 KiB of dynamic shared memory for a block."""
        from mtarray._kernels.cuda.kernel import Kernel
        from mtarray._kernels.cuda.tensor import empty
        from mtarray_tests.cuda_stub_checks import _shared_user

        driver = xp.asarray(0.0, device="cuda").device.driver
        out = empty(driver, (4,), np.dtype(np.float32))
        Kernel(_shared_user, (np.dtype(np.float32),), "*f4 i4", 64).launch(driver, 1, 64, out.address, 3, shared=100 << 10)
        assert out.to_host().tolist() == [3, 3, 3, 3]

    def large() -> None:
        """More than 2**31 elements."""
        n = (1 << 31) + 11
        x = xp.zeros(n, dtype=xp.uint8, device="cuda")
        x[-5:] = 1
        x[n // 2] = 3
        assert int(xp.sum(x, dtype=xp.int64)) == 8
        assert int(xp.sum((x[1:] + x[:-1])[-6:], dtype=xp.int64)) == 10

    yield "names", names
    yield "mixed devices", mixed
    yield "counts and forbidden transfers", counts
    yield "graph", graph
    if not run.simulate:
        yield "threads", threads
        yield "shared memory", shared
        yield "large", large


def memory(run: Run) -> Iterator[Check]:
    """Out of memory is one clear error, and the process goes on; what is dropped is used again."""

    def out_of_memory() -> str:
        free = xp.cuda.memory_info().free
        kept = xp.ones(1000, device="cuda")
        block = max(free // 8, 1 << 20)
        held = []
        try:
            while len(held) < 16:
                held.append(xp.empty(block, dtype=xp.uint8, device="cuda"))
        except MemoryError as error:
            told = str(error)
        else:
            raise AssertionError(f"{16 * block:,} bytes were given of {free:,} free ones")
        assert f"{block:,}" in told, told
        assert float(xp.sum(kept)) == 1000
        held.clear()
        assert host(xp.ones(block // 8, device="cuda")[-3:]).tolist() == [1, 1, 1]
        return told

    def cycles() -> None:
        block = int(xp.cuda.memory_info().free * 0.6)
        gc.disable()
        try:
            for _ in range(3):
                cycle: list[Any] = [xp.empty(block, dtype=xp.uint8, device="cuda")]
                cycle.append(cycle)
        finally:
            gc.enable()
        del cycle
        gc.collect()

    def pool() -> dict[str, int]:
        gc.collect()
        xp.cuda.empty_cache()
        before = xp.cuda.memory_info()
        x = xp.ones(1 << 24, device="cuda")
        for _ in range(50):
            x = x + 1
        after = xp.cuda.memory_info()
        assert after.used - before.used >= 8 << 24
        assert after.reserved - before.reserved <= 5 * (8 << 24), "temporaries are not used again"
        del x
        xp.cuda.empty_cache()
        assert xp.cuda.memory_info().used <= before.used
        return {"reserved at most": after.reserved - before.reserved}

    def staging() -> None:
        for n in (0, 1, 65_535, 65_536, (1 << 26) + 12_345, 200_000_001):
            a = np.resize(np.arange(251, dtype=np.uint8), n)
            assert np.array_equal(host(xp.asarray(a, device="cuda")), a), f"{n} bytes came back changed"

    if run.simulate:
        return
    yield "staging", staging
    yield "pool", pool
    yield "cycles", cycles
    yield "out of memory", out_of_memory


def interop(run: Run) -> Iterator[Check]:
    """DLPack and the CUDA array interface with PyTorch and CuPy, both ways: layouts, sharing, streams."""
    if run.simulate:
        return
    a = np.arange(24.0).reshape(4, 6)
    views: dict[str, Any] = {
        "whole": lambda x: x, "transposed": lambda x: x.T, "window": lambda x: x[1:, 2:], "steps": lambda x: x[::2, ::3],
        "0-d": lambda x: x[1, 1, ...], "empty": lambda x: x[:0],
    }  # fmt: skip

    def library(name: str) -> Any:
        try:
            module = __import__(name)
        except ImportError:
            raise Skip(f"{name} is not installed") from None
        if name == "torch" and not module.cuda.is_available():
            raise Skip("this PyTorch has no CUDA")
        return module

    def numpy_of(x: Any) -> np.ndarray:
        return x.detach().cpu().numpy() if hasattr(x, "cpu") else x.get()

    def there(name: str, v: np.ndarray) -> Any:
        lib = library(name)
        return lib.from_numpy(v.copy()).cuda() if name == "torch" else lib.asarray(v)

    def out(name: str, view: str) -> None:
        lib = library(name)
        x = xp.asarray(a, device="cuda")
        got = lib.from_dlpack(views[view](x))
        assert np.array_equal(numpy_of(got), views[view](a))
        if got.size if name == "cupy" else got.numel():
            got += 1
            assert np.array_equal(host(views[view](x)), views[view](a) + 1), "memory is not shared"

    def into(name: str, view: str) -> None:
        theirs = there(name, a)
        mine = xp.from_dlpack(views[view](theirs))
        assert mine.device == "cuda" and np.array_equal(host(mine), views[view](a))  # noqa: PT018
        if mine.size:
            mine += 1
            assert np.array_equal(numpy_of(views[view](theirs)), views[view](a) + 1), "memory is not shared"
        assert np.array_equal(host(xp.asarray(views[view](theirs), copy=True)), numpy_of(views[view](theirs)))

    def dtypes(name: str) -> None:
        lib = library(name)
        for d in "?bhilBfdFD" if name == "torch" else "?bhilBHILfdFD":
            v = np.arange(6).astype(d)
            assert np.array_equal(numpy_of(lib.from_dlpack(xp.asarray(v, device="cuda"))), v), d
            back = xp.from_dlpack(there(name, v))
            assert back.dtype == v.dtype and np.array_equal(host(back), v), d  # noqa: PT018

    def interface() -> None:
        cupy = library("cupy")
        x = xp.asarray(a, device="cuda")
        for view in ("whole", "transposed", "window", "empty"):
            assert np.array_equal(cupy.asarray(views[view](x)).get(), views[view](a)), view
        torch = library("torch")
        assert np.array_equal(torch.as_tensor(x, device="cuda").cpu().numpy(), a)

    def streams(name: str) -> None:
        """Long work on one side, then the other reads it, without any wait by hand: both ways, many times."""
        lib = library(name)
        n = 1 << 24
        for i in range(20):
            x = xp.full((n,), float(i), dtype=xp.float32, device="cuda")
            for _ in range(10):
                x = x + 1
            theirs = lib.from_dlpack(x)
            total = theirs * 2
            back = xp.from_dlpack(total) + 1
            assert host(back[:: n // 8]).tolist() == [2.0 * (i + 10) + 1] * 8
            del x, theirs, total, back

    def on_a_stream(name: str) -> None:
        lib = library(name)
        n = 1 << 24
        stream = lib.cuda.Stream() if name == "torch" else lib.cuda.Stream(non_blocking=True)
        for i in range(10):
            x = xp.full((n,), float(i), dtype=xp.float32, device="cuda") * 3
            with lib.cuda.stream(stream) if name == "torch" else stream:
                theirs = lib.from_dlpack(x) + 1
                back = xp.from_dlpack(theirs)
            assert host(back[:: n // 4]).tolist() == [3.0 * i + 1] * 4
            stream.synchronize()

    def lifetimes(name: str) -> None:
        """What is dropped on one side while the other still works on it is not used again too early."""
        lib = library(name)
        n = 1 << 24
        for i in range(20):
            theirs = lib.from_dlpack(xp.full((n,), float(i), dtype=xp.float32, device="cuda"))
            for _ in range(5):
                result = theirs * 2
            del theirs
            other = xp.full((n,), -1.0, dtype=xp.float32, device="cuda")
            assert numpy_of(result[:: n // 4]).tolist() == [2.0 * i] * 4
            given = there(name, np.full(4, float(i), np.float32))
            mine = xp.broadcast_to(xp.from_dlpack(given), (1 << 20, 4)) + 1
            del given
            assert host(mine[:: 1 << 18]).tolist() == [[i + 1.0] * 4] * 4
            del other

    def to_host() -> None:
        x = xp.asarray(a, device="cuda")
        assert np.array_equal(np.from_dlpack(x, device="cpu"), a)
        torch = library("torch")
        t = torch.from_numpy(a)
        agree(xp.asarray(t, device="cuda"), a)
        agree(xp.from_dlpack(there("torch", a), device="cpu"), a)

    for name in ("torch", "cupy"):
        for view in views:
            yield f"to {name}: {view}", partial(out, name, view)
            yield f"from {name}: {view}", partial(into, name, view)
        yield f"dtypes of {name}", partial(dtypes, name)
        yield f"streams with {name}", partial(streams, name)
        yield f"a stream of {name}'s own", partial(on_a_stream, name)
        yield f"lifetimes with {name}", partial(lifetimes, name)
    yield "the CUDA array interface", interface
    yield "to and from the host", to_host
