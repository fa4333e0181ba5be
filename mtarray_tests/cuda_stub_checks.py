"""The code that drives a GPU, on the stub of its driver: ``python -m mtarray_tests.cuda_stub_checks``, a process of its own.

The checks are functions of no arguments; they are no pytest tests, because the stub stays in the process that loads it.
"""

# ruff: noqa: PT018

import functools
import gc
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import mtarray as xp
from mtarray_tests import cuda_stub

STUB = None


def host(x):
    return np.asarray(x.to_device("cpu"))


def raised(kind, function):
    try:
        function()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


class Foreign:
    """An array of another library on the device: its memory is ours, its protocol only DLPack's."""

    def __init__(self, x):
        self.x, self.streams = x, []

    def __dlpack__(self, *, stream=None, **kwargs):
        self.streams.append(stream)
        return self.x.__dlpack__(stream=stream, **kwargs)

    def __dlpack_device__(self):
        return (2, 0)


def arguments_of_all_widths():
    """Numbers beside arrays of every dtype: a wrong width is a wrong result."""
    for d in (xp.int8, xp.int16, xp.int32, xp.int64, xp.uint8, xp.uint16, xp.uint32, xp.uint64, xp.float32, xp.float64, xp.complex64):
        a = np.arange(1, 6).astype(d)
        got = xp.asarray(a, device="cuda") * 3 + 2
        assert got.dtype == d and (host(got) == a * d(3) + d(2)).all(), d
    big = xp.asarray([1, 2], dtype=xp.uint64, device="cuda") + (2**63 + 1)
    assert big.tolist() == [2**63 + 2, 2**63 + 3]
    assert (xp.asarray([True, False], device="cuda") & True).tolist() == [True, False]
    z = xp.asarray([1 + 2j, 3], device="cuda") * (2 - 1j)
    assert z.dtype == xp.complex128 and z.tolist() == [(1 + 2j) * (2 - 1j), 6 - 3j]
    x = xp.asarray(np.arange(12.0).reshape(3, 4), device="cuda")
    assert (host(x.T[::-1, 1:] + x[1:, 3]) == (np.arange(12.0).reshape(3, 4).T[::-1, 1:] + np.array([7.0, 11]))).all()


def copies_through_staging():
    """Below, at and beyond what goes through pinned memory, and beyond what is pinned at once."""
    rng = np.random.default_rng(0)
    for n in (0, 1, (1 << 16) - 1, 1 << 16, 3_000_001, (1 << 26) + 12345):
        a = rng.integers(0, 256, n).astype(np.uint8)
        assert (host(xp.asarray(a, device="cuda")) == a).all()
    assert STUB.log().count("pinned") <= 12


def out_of_memory():
    """The error has the sizes, cycles are collected first, and the process goes on."""
    STUB.limit(1 << 20)
    told = raised(MemoryError, lambda: xp.zeros(1 << 20, dtype=xp.int8, device="cuda") + xp.zeros(1 << 20, dtype=xp.int8, device="cuda"))
    assert "1,048,576 bytes" in told, told
    gc.disable()
    try:
        cycle = [xp.zeros(700_000, dtype=xp.int8, device="cuda")]
        cycle.append(cycle)
        del cycle
        assert float(xp.sum(xp.ones(700_000, dtype=xp.int8, device="cuda")[:10])) == 10
    finally:
        gc.enable()
        STUB.limit(1 << 28)


def large_shared_memory():
    """More than 48 KiB of dynamic shared memory is asked for before the launch, once."""
    from mtarray._kernels.cuda.kernel import Kernel
    from mtarray._kernels.cuda.tensor import empty

    driver = xp.asarray(0.0, device="cuda").device.driver
    out = empty(driver, (4,), np.dtype(np.float32))
    kernel = Kernel(_shared_user, (np.dtype(np.float32),), "*f4 i4", 64)
    for _ in range(2):
        kernel.launch(driver, 1, 64, out.address, 3, shared=100 << 10)
    assert out.to_host().tolist() == [3, 3, 3, 3]


def _shared_user(target, dtype):
    cuda, T = target.cuda, target.type(dtype)

    def shared_user(out, n):
        i = cuda.grid(1)
        if i < 4:
            out[i] = T(n)

    return shared_user


def graphs():
    """A step with parameters, temporaries and a result: nothing is freed, waited for or copied from the host in the capture."""
    p, q = xp.asarray([1.0, 2, 3], device="cuda"), xp.asarray([1.0, 2, 3], device="cuda")
    big = [xp.zeros(1000, device="cuda")]

    def step(x):
        big.clear()  # memory from before the capture is dropped in it
        y = (x * p + 1) ** 2
        p[...] = p - 0.1 * y
        return y + p

    run = xp.cuda.graph(step)
    for i in range(5):
        big[:] = [xp.zeros(1000, device="cuda")]
        x = np.asarray([0.5, -1, i])
        before = host(q)
        want = (x * before + 1) ** 2
        q[...] = q - 0.1 * xp.asarray(want, device="cuda")
        got = host(run(xp.asarray(x, device="cuda")))
        np.testing.assert_allclose(got, want + host(q), rtol=1e-14)
        np.testing.assert_allclose(host(p), host(q), rtol=1e-14)
    del run, step
    gc.collect()
    assert "exec destroyed" in STUB.log() and STUB.log().count("graph destroyed") == 1


def captures_that_fail():
    """What cannot be captured says so, arrays keep their values, and the device works on."""
    p, one = xp.asarray([1.0, 2, 3], device="cuda"), xp.ones(3, device="cuda")

    def reads(x):
        p[...] = p + x
        return float(xp.sum(p))

    def lends(x):
        p[...] = p + x
        return xp.from_dlpack(Foreign(p))

    def waits(x):
        p[...] = p + x
        xp.cuda.synchronize()

    def launches_elsewhere(x):
        p[...] = p + x
        with ThreadPoolExecutor(1) as other:
            other.submit(lambda: p + x).result()

    for function in (reads, lends, waits, launches_elsewhere):
        run = xp.cuda.graph(function)
        run(one)
        before = host(p)
        raised(xp.cuda.CaptureError, functools.partial(run, one))
        assert (host(p) == before).all() and (host(p + one) == before + 1).all(), function.__name__


def exchanges():
    """DLPack out and in, each layout; streams in order, also when the memory is dropped; CAI."""
    from cuda.core.utils import StridedMemoryView

    a = np.arange(12.0).reshape(3, 4)
    x = xp.asarray(a, device="cuda")
    ours = xp.cuda.stream()
    for name, view, want in [
        ("whole", x, a), ("transposed", x.T, a.T), ("window", x[1:, 2:], a[1:, 2:]), ("backwards", x[::-1, ::2], a[::-1, ::2]),
        ("empty", x[:0], a[:0]), ("broadcast", xp.broadcast_to(x[0], (2, 4)), np.broadcast_to(a[0], (2, 4))),
        ("0-d", x[1, 1, ...], a[1, 1]),
        ("bool", x > 3, a > 3), ("complex", x * 1j, a * 1j),
    ]:  # fmt: skip
        back = xp.from_dlpack(Foreign(view))
        assert back.device == "cuda" and back.shape == want.shape and (host(back) == want).all(), name
        seen = StridedMemoryView.from_dlpack(view, stream_ptr=ours)
        assert tuple(seen.shape) == want.shape and seen.readonly == (name == "broadcast"), name
        cai = view.__cuda_array_interface__
        assert cai["version"] == 3 and cai["stream"] == ours and cai["shape"] == want.shape
    shared = xp.from_dlpack(Foreign(x))
    shared[0, 0] = 50
    assert float(x[0, 0]) == 50
    assert xp.from_dlpack(Foreign(x), copy=True)._storage.buffer.buffer is not x._storage.buffer.buffer
    assert np.from_dlpack(x, device="cpu")[0, 0] == 50
    told = raised(BufferError, lambda: x[::-1].__dlpack__(copy=False))
    assert "backwards" in told
    raised(BufferError, lambda: xp.broadcast_to(x[0], (2, 4)).__dlpack__())
    raised(ValueError, lambda: x.__dlpack__(stream=0))
    STUB.clear()
    consumer = StridedMemoryView.from_dlpack(x, stream_ptr=1)  # as PyTorch asks on its default stream
    assert STUB.log() == ["record", "wait legacy"], STUB.log()
    STUB.clear()
    del consumer
    gc.collect()
    assert STUB.log() == ["record legacy", "wait"], STUB.log()  # ours waits for theirs before the memory is used again
    producer = Foreign(xp.ones(3, device="cuda"))
    y = xp.from_dlpack(producer)
    assert producer.streams == [ours]
    STUB.clear()
    del y
    gc.collect()
    assert STUB.log()[:2] == ["record", "wait legacy"], STUB.log()  # theirs waits for ours


def several_gpus():
    """Where there are several, each call names its device again: another library may have chosen another in this thread."""
    x = xp.ones(3, device="cuda")
    driver, named = x.device.driver, []
    real = driver._gpu

    class Watched:
        def set_current(self):
            named.append(1)
            real.set_current()

    x + x
    driver._gpu = Watched()
    try:
        x + x
        assert not named  # one GPU: it is current already
        driver._alone = False
        x + x
        assert len(named) == 2  # memory, and the launch
    finally:
        driver._gpu, driver._alone = real, True


def threads():
    """Each thread names the device for itself; memory is one pool."""
    results = []

    def work(i):
        x = xp.full((100,), float(i), device="cuda")
        results.append(float(xp.sum((x + 1)[:7])) == 7 * (i + 1))

    lock = threading.Lock()  # the simulator behind the stub runs one kernel at a time

    def locked(i):
        with lock:
            work(i)

    workers = [threading.Thread(target=locked, args=(i,)) for i in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert results == [True] * 4


def memory_is_given_back():
    gc.collect()
    before = STUB.used()
    x = xp.ones(1000, device="cuda")
    assert STUB.used() == before + 8000 and xp.cuda.memory_info().used == STUB.used()
    del x
    assert STUB.used() == before
    xp.cuda.empty_cache()
    assert "trim" in STUB.log()


CHECKS = [
    arguments_of_all_widths, copies_through_staging, out_of_memory, large_shared_memory, graphs, captures_that_fail, exchanges,
    several_gpus, threads, memory_is_given_back,
]  # fmt: skip


def main():
    global STUB
    STUB = cuda_stub.install()
    failed = 0
    for check in CHECKS:
        STUB.clear()
        try:
            check()
            assert not STUB.failures, STUB.failures
            wrong = [line for line in STUB.log() if line.startswith("VIOLATION")]
            assert not wrong, wrong
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}")
            traceback.print_exc()
            STUB.failures.clear()
        else:
            print(f"passed {check.__name__}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
