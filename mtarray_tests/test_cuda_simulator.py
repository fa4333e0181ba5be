"""The simulator of CUDA kernels: right kernels are right on it, and each kind of fault is caught and named."""

import os
import threading

import numpy as np
import pytest

from mtarray._kernels.cuda import lane_names, simulator
from mtarray._kernels.cuda.driver import Simulated
from mtarray._kernels.cuda.kernel import Kernel
from mtarray._kernels.scalarlib import reference
from mtarray._kernels.source import Scalar

F4, F8, I4, I8 = (np.dtype(t) for t in ("f4", "f8", "i4", "i8"))
ALL = 0xFFFFFFFF


@pytest.fixture(params=[False, True], ids=["plain", "thorough"])
def driver(request):
    return Simulated(0, thorough=request.param)


@pytest.fixture
def thorough():
    return Simulated(0, thorough=True)


def run(driver, factory, signature, grid, block, *args, shared=0):
    """Launch a kernel on copies of arrays; the arrays afterwards."""
    buffers = [driver.upload(a) if isinstance(a, np.ndarray) else None for a in args]
    given = [a if b is None else b.ptr for a, b in zip(args, buffers)]
    Kernel(factory, (), signature).launch(driver, grid, block, *given, shared=shared)
    return [driver.download(b.ptr, a.nbytes).view(a.dtype).reshape(a.shape) for a, b in zip(args, buffers) if b is not None]


# ---------------------------------------------------------------------- right kernels


def matmul(target):
    cuda, T = target.cuda, target.type(F4)

    def matmul(c, a, b, m, n, k):
        left = cuda.shared.array((8, 8), T)
        right = cuda.shared.array((8, 9), T)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        row, column = cuda.blockIdx.y * 8 + ty, cuda.blockIdx.x * 8 + tx
        total = T(0)
        for p in range(0, k, 8):
            left[ty, tx] = a[row * k + p + tx] if row < m and p + tx < k else T(0)
            right[ty, tx] = b[(p + ty) * n + column] if p + ty < k and column < n else T(0)
            cuda.syncthreads()
            for q in range(8):
                total = cuda.fma(left[ty, q], right[q, tx], total)
            cuda.syncthreads()
        if row < m and column < n:
            c[row * n + column] = total

    return matmul


def test_tiled_product(driver):
    a, b = np.random.default_rng(0).standard_normal((2, 19, 19)).astype(F4)
    c, _, _ = run(driver, matmul, "*f4 *f4 *f4 i8 i8 i8", (3, 3), (8, 8), np.zeros((19, 19), F4), a, b, 19, 19, 19)
    np.testing.assert_allclose(c, a.astype(F8) @ b, atol=2e-6)


def warp_sums(target):
    cuda, T = target.cuda, target.type(F8)

    def warp_sums(out, x, n):
        parts = cuda.shared.array(32, T)
        t = cuda.threadIdx.x
        v = T(0)
        i = cuda.grid(1)
        while i < n:
            v += x[i]
            i += cuda.gridsize(1)
        d = 16
        while d > 0:
            v += cuda.shfl_down_sync(ALL, v, d)
            d //= 2
        if cuda.laneid == 0:
            parts[t // 32] = v
        cuda.syncthreads()
        if t < 32:
            v = parts[t] if t < cuda.blockDim.x // 32 else T(0)
            for s in range(5):
                v += cuda.shfl_xor_sync(ALL, v, 1 << s)
            if t == 0:
                cuda.atomic.add(out, 0, v)

    return warp_sums


def test_sum_by_shuffles(driver):
    x = np.arange(1000, dtype=F8)
    out, _ = run(driver, warp_sums, "*f8 *f8 i8", 3, 128, np.zeros(1), x, 1000)
    assert out[0] == x.sum()


def scan_and_count(target):
    cuda, I = target.cuda, target.type(I4)

    def scan_and_count(out, counts, x, n):
        part = cuda.shared.array(0, I)
        t = cuda.threadIdx.x
        part[t] = x[t] if t < n else I(0)
        cuda.syncthreads()
        d = 1
        while d < cuda.blockDim.x:
            before = I(0)
            if t >= d:
                before = part[t - d]
            cuda.syncthreads()
            part[t] = I(part[t] + before)
            cuda.syncthreads()
            d *= 2
        if t >= n:
            return
        out[t] = part[t]
        cuda.atomic.add(counts, x[t] % 4, I(1))

    return scan_and_count


def test_scan_histogram_and_dynamic_memory(driver):
    x = np.random.default_rng(1).integers(0, 100, 50).astype(I4)
    given = np.zeros(50, I4), np.zeros(4, I4), x, 50
    out, counts, _ = run(driver, scan_and_count, "*i4 *i4 *i4 i8", 1, 64, *given, shared=64 * 4)
    assert np.array_equal(out, np.cumsum(x))
    assert np.array_equal(counts, np.bincount(x % 4, minlength=4))


def control(target):
    cuda = target.cuda

    def helper(v, limit):
        if v > limit:
            return v - limit, 1
        k = 0
        while True:
            v += 3
            k += 1
            if v % 2 == 0:
                continue
            if v > limit or k == 5:
                break
        return v, -k

    helper = target.device(helper)

    def control(out, x, n):
        own = cuda.local.array(4, np.int64)
        i = cuda.grid(1)
        if i >= n:
            return
        for j in range(4):
            own[j] = j * x[i]
        first, second = helper(x[i], 9)
        total = 0
        for j in range(i % 3, x[i], 2):
            if j == 7:
                break
            total += own[j % 4] if not (j > 2 and own[j % 4] > 5) else -own[0] - 1
        out[i] = total * 100 + first * 10 + second

    return control


def test_lanes_part_and_meet_as_threads_do(driver):
    def one(i, x):
        own = [j * x for j in range(4)]
        v, limit = x, 9
        if v > limit:
            first, second = v - limit, 1
        else:
            k = 0
            while True:
                v, k = v + 3, k + 1
                if v % 2 == 0:
                    continue
                if v > limit or k == 5:
                    break
            first, second = v, -k
        total = 0
        for j in range(i % 3, x, 2):
            if j == 7:
                break
            total += own[j % 4] if not (j > 2 and own[j % 4] > 5) else -own[0] - 1
        return total * 100 + first * 10 + second

    x = np.random.default_rng(2).integers(-5, 20, 50)
    out, _ = run(driver, control, "*i8 *i8 i8", 2, 32, np.zeros(50, I8), x, 50)
    assert out.tolist() == [one(i, int(v)) for i, v in enumerate(x)]


def warp_names(target):
    cuda, I = target.cuda, target.type(I8)

    def warp_names(out, x):
        t = cuda.threadIdx.x
        v = x[t]
        out[t] = I(cuda.ballot_sync(ALL, v > 3))
        out[32 + t] = I(cuda.match_any_sync(ALL, v))
        out[64 + t] = I(cuda.shfl_up_sync(ALL, v, 2)) * 100 + I(cuda.shfl_sync(ALL, v, 5))
        out[96 + t] = I(cuda.popc(v)) + 100 * I(cuda.clz(v)) + 10000 * I(cuda.ffs(v)) + (cuda.brev(v) >> 60)
        out[128 + t] = I(cuda.any_sync(ALL, v == 7)) + 2 * I(cuda.all_sync(ALL, v < 9)) + 4 * I(cuda.lanemask_lt())
        if t % 2:
            out[160 + t] = I(cuda.activemask()) + cuda.selp(v > 3, 0, 1)

    return warp_names


def test_warp_operations(driver):
    x = np.random.default_rng(3).integers(0, 8, 32)
    out, _ = run(driver, warp_names, "*i8 *i8", 1, 32, np.zeros(192, I8), x)
    out = out.reshape(6, 32).tolist()
    v = x.tolist()
    assert out[0] == [sum((k > 3) << i for i, k in enumerate(v))] * 32
    assert out[1] == [sum((k == w) << i for i, k in enumerate(v)) for w in v]
    assert out[2] == [100 * v[t - 2 if t > 1 else t] + v[5] for t in range(32)]

    def bits(k):
        reverse = int(f"{k:064b}"[::-1], 2)
        reverse -= (reverse >> 63) << 64
        return k.bit_count() + 100 * (64 - k.bit_length()) + 10000 * (k & -k).bit_length() + (reverse >> 60)

    assert out[3] == [bits(k) for k in v]
    assert out[4] == [(7 in v) + 2 + 4 * ((1 << t) - 1) for t in range(32)]
    assert out[5] == [0xAAAAAAAA + (v[t] <= 3) if t % 2 else 0 for t in range(32)]


ATOMICS = {
    "add": lambda old, v: old + v, "sub": lambda old, v: old - v, "max": max, "min": min, "and_": lambda old, v: old & v,
    "or_": lambda old, v: old | v, "xor": lambda old, v: old ^ v, "exch": lambda old, v: v,
    "inc": lambda old, v: 0 if old >= v else old + 1, "dec": lambda old, v: v if old == 0 or old > v else old - 1,
}  # fmt: skip


@pytest.mark.parametrize("name", ATOMICS)
def test_atomics(driver, name):
    def factory(target):
        cuda = target.cuda
        change = getattr(cuda.atomic, name)

        def kernel(found, places, x):
            t = cuda.grid(1)
            found[t] = change(places, t % 3, x[t])

        return kernel

    x = np.random.default_rng(4).integers(0, 50, 40).astype(np.uint32)
    places = np.array([7, 20, 3], np.uint32)
    found, after, _ = run(driver, factory, "*u4 *u4 *u4", 2, 20, np.zeros(40, np.uint32), places, x)
    for t in range(40):
        assert found[t] == places[t % 3]
        places[t % 3] = ATOMICS[name](int(places[t % 3]), int(x[t])) & ALL
    assert np.array_equal(after, places)


def test_scalars_keep_their_type():
    def smooth(x, y):
        if x < 0:
            return x * 0.5
        return math.exp(-x) / (1.0 + y) if y > 2 else math.sqrt(x) + 1

    import math

    f = simulator.TARGET.function(Scalar(smooth), (F4, F4))
    x, y = np.linspace(-1, 3, 64, dtype=F4), np.linspace(0, 4, 64, dtype=F4)
    with np.errstate(all="ignore"):
        out = f.lanes(None, True, x, y)
    assert out.dtype == F4
    np.testing.assert_allclose(out, np.where(x < 0, x / 2, np.where(y > 2, np.exp(-x) / (1 + y), np.sqrt(np.abs(x)) + 1)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [F4, F8])
def test_fma_rounds_once(dtype):
    rng = np.random.default_rng(5)
    a, b, c = (rng.standard_normal((3, 500)) * 10.0 ** rng.integers(-30, 30, (3, 500)) ** (dtype == F8)).astype(dtype)
    c[::2] = -(a * b)[::2]
    special = np.array([0, -0.0, np.inf, np.nan, 1e30, 1e-30, 1], dtype)
    a[:7], b[:7], c[:7] = special, special[::-1], special
    with np.errstate(all="ignore"):
        found = lane_names.fused(a, b, c)
        wanted = np.array([reference.fma(*v) for v in zip(a, b, c)], dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, wanted)


# ---------------------------------------------------------------------- faults


def faulty(body):
    """A factory of a kernel (out, x, n) from the lines of its body; T: int64."""
    text = "def kernel(out, x, n):\n    t = cuda.threadIdx.x\n" + "".join(f"    {line}\n" for line in body)

    def factory(target):
        return target.define("kernel", text, {"T": target.type(I8)})

    return factory


SHARED = "s = cuda.shared.array(64, T)"
MATRIX = "s = cuda.shared.array((4, 8), T)"
# what: (lines, exception, words of the message)
ALWAYS = {
    "read beyond": (["out[t] = x[t + 1]"], IndexError, "thread (63, 0, 0) of block (0, 0, 0): read of x[64], whose buffer has 64"),
    "write beyond": (["out[t + 5] = 1"], IndexError, "thread (59, 0, 0) of block (0, 0, 0): write of out[64]"),
    "read before": (["out[t] = x[t - 1]"], IndexError, "thread (0, 0, 0) of block (0, 0, 0): read of x[-1]"),
    "in a branch": (["if t > 40:", "    out[t] = x[t * 2]"], IndexError, "thread (41, 0, 0) of block (0, 0, 0): read of x[82]"),
    "shared, beyond": ([SHARED, "s[t + 1] = 1"], IndexError, "thread (63, 0, 0) of block (0, 0, 0): write of s[64], which has 64"),
    "shared, before": ([SHARED, "s[t - 1] = 1"], IndexError, "write of s[-1]"),
    "an axis": ([MATRIX, "s[t % 4, t // 4] = 1"], IndexError, "thread (32, 0, 0) of block (0, 0, 0): write of s[0, 8], whose axis 1 has 8"),
    "an axis, before": ([MATRIX, "s[1, t % 8 - 1] = 1"], IndexError, "write of s[1, -1], whose axis 1"),
    "axes": ([MATRIX, "s[t] = 1"], IndexError, "write of s with one index, of which it takes 2"),
    "local": (["s = cuda.local.array(4, T)", "s[t % 5] = 1"], IndexError, "thread (4, 0, 0) of block (0, 0, 0): write of s[4]"),
    "complex to real": (["out[t] = complex(0, t)"], TypeError, "write of a complex number to out, which has elements of int64"),
    "atomic": (["cuda.atomic.add(out, t + 1, 1)"], IndexError, "atomic change of out[64]"),
    "part of a block": (
        ["if t < 40:", "    cuda.syncthreads()"],
        RuntimeError,
        "thread (40, 0, 0) of block (0, 0, 0): does not reach the barrier that 40 of the 64",
    ),
    "two barriers": (
        ["if t < 32:", "    cuda.syncthreads()", "else:", "    cuda.syncthreads()"],
        RuntimeError,
        "the barrier that 32 of the 64",
    ),
    "exited": (
        ["if t == 7:", "    return", "cuda.syncthreads()"],
        RuntimeError,
        "thread (7, 0, 0) of block (0, 0, 0): does not reach the barrier that 63",
    ),
    "turns of a loop": (["for i in range(t // 32 + 1):", "    cuda.syncthreads()"], RuntimeError, "does not reach the barrier"),
    "half a warp": (
        ["if t % 2:", "    out[t] = cuda.shfl_down_sync(0xFFFFFFFF, t, 1)"],
        RuntimeError,
        "mask 0xffffffff of this warp operation names thread (0, 0, 0)",
    ),
    "not oneself": (
        ["out[t] = cuda.ballot_sync(0xFFFF, t)"],
        RuntimeError,
        "thread (16, 0, 0) of block (0, 0, 0): the mask 0xffff of this warp operation does not name",
    ),
    "a warp's exit": (
        ["if t == 33:", "    return", "cuda.syncwarp()"],
        RuntimeError,
        "names thread (33, 0, 0) of block (0, 0, 0), which does not reach it",
    ),
    "shared, unwritten": (
        [SHARED, "if t != 9:", "    s[t] = 1", "cuda.syncthreads()", "out[t] = s[t]"],
        RuntimeError,
        "thread (9, 0, 0) of block (0, 0, 0): read of s[9], which nobody has written",
    ),
    "local, unwritten": (
        ["s = cuda.local.array(4, T)", "s[0] = 1", "out[t] = s[t // 60]"],
        RuntimeError,
        "thread (60, 0, 0) of block (0, 0, 0): read of s[1], which nobody has written",
    ),
    "too much shared": (
        ["s = cuda.shared.array(8000, T)", "s[t] = 1"],
        RuntimeError,
        "shared arrays of 64000 bytes; a block may have 49152",
    ),
}
THOROUGH = {
    "read after write": (
        [SHARED, "s[t] = t", "out[t] = s[63 - t]"],
        "read of s[63], written by thread (63, 0, 0) of block (0, 0, 0) with no barrier between (line 4 of",
    ),
    "write after read": (
        [SHARED, "s[t] = t", "cuda.syncthreads()", "out[t] = s[63 - t]", "s[t] = 1"],
        "write of s[0], read by thread (63, 0, 0)",
    ),
    "one barrier too few": ([SHARED, "s[t] = t", "cuda.syncthreads()", "s[t] += s[t // 2]"], "write of s[0], read by several threads"),
    "write after write": ([SHARED, "s[t] = t", "s[63 - t] = t"], "write of another value of s[63], written by thread (63, 0, 0)"),
    "at once": ([SHARED, "s[t // 2] = t"], "to which another thread writes another value at the same time"),
    "at once, one element": (["out[0] = t"], "to which another thread writes another value at the same time"),
    "warps": ([SHARED, "s[t] = t", "cuda.syncwarp()", "out[t] = s[63 - t]"], "read of s[63], written by thread (63, 0, 0)"),
    "atomics and reads": (["cuda.atomic.add(out, t % 2, 1)", "out[t] = out[1]"], "changed atomically by"),
    "buffer": (["out[t] = x[t]", "x[0] = out[63 - t]"], "read of out[63], written by thread (63, 0, 0)"),
}


@pytest.mark.parametrize("what", ALWAYS)
def test_fault(driver, what):
    lines, kind, words = ALWAYS[what]
    with pytest.raises(kind) as caught:
        run(driver, faulty(lines), "*i8 *i8 i8", 1, 64, np.zeros(64, I8), np.zeros(64, I8), 64)
    message = str(caught.value)
    assert words in message
    assert message.startswith("factory, thread (")  # the kernel
    place = message[message.rindex("(line ") + 6 :]
    assert place.endswith(")")
    assert place[place.index(":") + 2 : -1] in [line.strip() for line in lines]  # the source line itself


@pytest.mark.parametrize("what", THOROUGH)
def test_race(thorough, what):
    lines, words = THOROUGH[what]
    with pytest.raises(RuntimeError) as caught:
        run(thorough, faulty(lines), "*i8 *i8 i8", 1, 64, np.zeros(64, I8), np.zeros(64, I8), 64)
    assert words in str(caught.value)
    run(Simulated(0), faulty(lines), "*i8 *i8 i8", 1, 64, np.zeros(64, I8), np.zeros(64, I8), 64)  # which is not looked for


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ["if t == 0:", "    out[0] = cuda.blockIdx.x"],
            "write of out[0], to which another thread writes another value at the same time",
        ),
        (
            ["out[cuda.blockIdx.x] = 1", "cuda.syncthreads()", "x[t] = out[1]"],
            "read of out[1], written by thread (63, 0, 0) of block (1, 0, 0) with no barrier between",
        ),
        (["if cuda.blockIdx.x == 3:", "    out[t] = 2", "if cuda.blockIdx.x == 700:", "    x[t] = out[63 - t]"], "of block (3, 0, 0)"),
    ],
)
def test_race_among_blocks(thorough, lines, words):
    with pytest.raises(RuntimeError) as caught:
        run(thorough, faulty(lines), "*i8 *i8 i8", 1000, 64, np.zeros(1000, I8), np.zeros(64, I8), 64)  # more than run together
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        [SHARED, "s[t] = t", "cuda.syncthreads()", "v = s[63 - t]", "cuda.syncthreads()", "s[t] = v", "out[t] = s[t]"],
        [SHARED, "s[t] = t", "cuda.syncwarp()", "out[t] = s[t ^ 1]", "cuda.syncwarp()", "s[t] = 0"],
        ["out[t] = t", "cuda.syncthreads()", "x[t] = out[63 - t]"],
        ["out[0] = 5", "cuda.atomic.add(x, 0, t)", "cuda.atomic.max(x, 0, t)"],
        [SHARED, "if t < 32:", "    s[t] = 1", "cuda.syncthreads()", "if t >= 32:", "    s[t - 32] = 2"],
    ],
)
def test_no_race(thorough, lines):
    run(thorough, faulty(lines), "*i8 *i8 i8", 1, 64, np.zeros(64, I8), np.zeros(64, I8), 64)


def test_buffers_read_before_they_are_written(thorough):
    lines = ["if t < 10:", "    out[t] = t", "cuda.syncthreads()", "x[t] = out[t]"]
    out, x = thorough.allocate(64 * 8), thorough.upload(np.zeros(64, I8))
    kernel = Kernel(faulty(lines), (), "*i8 *i8 i8")
    with pytest.raises(RuntimeError, match=r"thread \(10, 0, 0\) .* read of out\[10\], which nobody has written"):
        kernel.launch(thorough, 1, 64, out.ptr, x.ptr, 64)
    out = x.copy()  # copies know what was written
    kernel.launch(thorough, 1, 64, out.ptr, x.ptr, 64)
    out = thorough.allocate(512).copy()
    with pytest.raises(RuntimeError, match="nobody has written"):
        kernel.launch(thorough, 1, 64, out.ptr, x.ptr, 64)


def test_one_buffer_as_elements_of_two_sizes(thorough):
    def factory(target):
        cuda = target.cuda

        def kernel(whole, halves):
            t = cuda.threadIdx.x
            whole[t] = t
            halves[2 * t + 2] = 7

        return kernel

    x = thorough.upload(np.zeros(65, I8))
    with pytest.raises(RuntimeError, match=r"write of another value of halves\[2\], written by thread \(1, 0, 0\)"):
        Kernel(factory, (), "*i8 *i4").launch(thorough, 1, 64, x.ptr, x.ptr)


# ---------------------------------------------------------------------- launches

GOOD = ["if t < n:", "    out[t] = x[t]"]


@pytest.mark.parametrize(
    ("grid", "block", "shared", "error", "words"),
    [
        (0, 32, 0, ValueError, "a grid of \\(0, 1, 1\\)"),
        ((1, 70000), 32, 0, ValueError, "a grid of \\(1, 70000, 1\\)"),
        (1, 0, 0, ValueError, "a block of \\(0, 1, 1\\)"),
        (1, 2000, 0, ValueError, "a block of \\(2000, 1, 1\\)"),
        (1, (64, 64), 0, ValueError, "a block of 4096 threads"),
        (1, 1.5, 0, TypeError, "a block of"),
        (1, 128, 0, ValueError, "a block of 128 threads .* made for at most 64"),
        (1, 32, 300 << 10, ValueError, "307200 bytes of dynamic shared memory"),
    ],
)
def test_limits_of_a_launch(grid, block, shared, error, words):
    driver = Simulated(0)
    x = driver.upload(np.zeros(64, I8))
    with pytest.raises(error, match=words):
        Kernel(faulty(GOOD), (), "*i8 *i8 i8", 64).launch(driver, grid, block, x.ptr, x.ptr, 64, shared=shared)


@pytest.mark.parametrize(
    ("args", "error", "words"),
    [
        ((0, 8), TypeError, "takes 3 arguments, got 2"),
        ((0, 8, 2.5), TypeError, "n must be of the type i8, got 2.5"),
        ((0, 8, 1 << 63), TypeError, "n must be of the type i8"),
        ((0, 1.0, 1), TypeError, "x must be an address"),
        ((0, 4, 1), ValueError, "of x is not a multiple of the 8 bytes of int64"),
        ((0, 520, 1), IndexError, "x: 0x[0-9a-f]* points into no living buffer"),
        ((0, -304, 1), IndexError, "x: 0x[0-9a-f]* points into no living buffer"),
    ],
)
def test_arguments(args, error, words):
    driver = Simulated(0)
    buffer = driver.upload(np.zeros(64, I8))
    given = [buffer.ptr + a if k < 2 else a for k, a in enumerate(args)]
    with pytest.raises(error, match=words):
        Kernel(faulty(GOOD), (), "*i8 *i8 i8").launch(driver, 1, 64, *given)


def test_a_signature_of_another_length():
    driver = Simulated(0)
    with pytest.raises(TypeError, match="takes the arguments out, x, n, its signature has 2"):
        Kernel(faulty(GOOD), (), "*i8 *i8").launch(driver, 1, 64, 0, 0)


def test_what_cannot_run_is_refused_when_loaded():
    with pytest.raises(TypeError, match=r"kernel, line 3 of .*: the simulator cannot run .* ListComp: y = \[x\[i\]"):
        run(Simulated(0), faulty(["y = [x[i] for i in range(3)]"]), "*i8 *i8 i8", 1, 1, np.zeros(1, I8), np.zeros(1, I8), 1)


# ---------------------------------------------------------------------- the device


def test_memory_runs_out_and_the_process_goes_on():
    driver = Simulated(1, limit=1000)
    first = driver.allocate(600)
    with pytest.raises(MemoryError, match="cuda:1: 500 bytes could not be allocated; 400 of 1,000 are free"):
        driver.allocate(500)
    del first
    assert driver.allocate(500).nbytes == 500
    assert driver.used()[0] == 0  # freed as soon as nobody holds it


def test_buffers_of_any_size_freed_in_any_order():
    driver = Simulated(0)
    buffers = [driver.upload(np.full(n, n & 255, np.uint8)) for n in (0, 1, 0, 255, 256, 257, 0)]
    assert len({b.ptr for b in buffers}) == 7
    for k in (3, 0, 5, 2):
        buffers[k] = None
    assert driver.used()[0] == 257
    for b in buffers:
        if b is not None:
            assert (driver.download(b.ptr, b.nbytes) == b.nbytes & 255).all()
    inside = buffers[4].part(100, 200)
    assert driver.download(inside.ptr + 50, 50).size == 50
    with pytest.raises(IndexError, match="copy of 60 bytes"):
        driver.download(inside.ptr + 50, 60)
    with pytest.raises(IndexError, match="no living buffer"):
        driver.download(buffers[6].ptr - 100, 1)
    assert driver.counts["allocations"] == 8
    assert driver.counts["bytes_to_device"] == 769


def test_windows_into_the_middle_of_a_buffer(driver):
    buffer = driver.upload(np.arange(10, dtype=I8))
    kernel = Kernel(faulty(["out[t - 2] = x[t + n]"]), (), "*i8 *i8 i8")
    kernel.launch(driver, 1, 3, buffer.ptr + 5 * 8, buffer.ptr + 80, -3)  # before the address too, within the buffer
    assert driver.download(buffer.ptr, 80).view(I8).tolist() == [0, 1, 2, 7, 8, 9, 6, 7, 8, 9]
    with pytest.raises(IndexError, match=r"read of x\[0\], whose buffer has 0 elements from there on and 10 before"):
        kernel.launch(driver, 1, 3, buffer.ptr + 5 * 8, buffer.ptr + 80, 0)


def _many(driver):
    x = np.arange(1000, dtype=F8)
    for _ in range(5):
        out, _ = run(driver, warp_sums, "*f8 *f8 i8", 2, 64, np.zeros(1), x, 1000)
        assert out[0] == x.sum()


def test_many_threads_launch():
    driver, failed = Simulated(0), []

    def work():
        try:
            _many(driver)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_fork():
    driver = Simulated(0)
    held, go = threading.Event(), threading.Event()

    def hold():
        with driver._lock:
            held.set()
            go.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    pid = os.fork()
    if not pid:
        try:
            _many(driver)
        except BaseException:
            os._exit(1)
        os._exit(0)
    go.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
