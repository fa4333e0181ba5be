"""Large ops whose plan is remembered by layout: every repetition, with other contents, gives what the first call would."""

import ctypes
import mmap
import sys
import threading

import numpy as np
import pytest

import mtarray as xp


def _floats(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).uniform(-9, 9, shape).astype(dtype)


def test_take_again():
    index = np.random.default_rng(1).integers(-1500, 1500, 1500)
    for seed in range(3):
        x = _floats(1500, 64, seed=seed)
        np.testing.assert_array_equal(np.asarray(xp.take(xp.asarray(x), xp.asarray(index), axis=0)), x[index])
    a = xp.asarray(_floats(1500, 64))
    for wrong in (1500, -1501):
        spoiled = index.copy()
        spoiled[700] = wrong
        for _ in range(2):
            with pytest.raises(IndexError, match=str(wrong)):
                xp.take(a, xp.asarray(spoiled), axis=0)
    for axis in (0, -2, 1):
        few = index % 64
        np.testing.assert_array_equal(np.asarray(xp.take(a, xp.asarray(few), axis=axis)), np.take(np.asarray(a), few, axis))
    with pytest.raises((ValueError, IndexError)):
        xp.take(a, xp.asarray(index), axis=2)


def test_take_of_followed_arrays():
    x, index = _floats(1500, 64, dtype="float64"), np.random.default_rng(2).integers(0, 1500, 1500)
    for _ in range(2):
        gradient = xp.grad(lambda a: xp.sum(xp.take(a, xp.asarray(index), axis=0)))(xp.asarray(x))
        np.testing.assert_array_equal(np.asarray(gradient)[:, 0], np.bincount(index, minlength=1500))


def test_take_in_every_mode():
    x, index = _floats(1500, 64), np.random.default_rng(3).integers(0, 1500, 1500)
    a, i = xp.asarray(x), xp.asarray(index)
    for _ in range(2):
        xp.take(a, i, axis=0)
    with xp.config(kernels="python"):
        np.testing.assert_array_equal(np.asarray(xp.take(a, i, axis=0)), x[index])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat_again(axis):
    for seed in range(3):
        x, y, z = _floats(300, 300, seed=seed), _floats(300, 300, seed=seed + 5), _floats(300, 300, seed=seed + 9)
        parts = [xp.asarray(p) for p in (x, y, z)]
        np.testing.assert_array_equal(np.asarray(xp.concat(parts, axis=axis)), np.concatenate((x, y, z), axis))
        np.testing.assert_array_equal(np.asarray(xp.concat((parts[0], parts[2]), axis=axis)), np.concatenate((x, z), axis))
        np.testing.assert_array_equal(np.asarray(xp.concat((parts[0].T, parts[2]), axis=axis)), np.concatenate((x.T, z), axis))
        mixed = xp.concat((parts[0], xp.asarray(z.astype("float64"))), axis=axis)
        assert mixed.dtype == xp.float64
        np.testing.assert_array_equal(np.asarray(mixed), np.concatenate((x, z.astype("float64")), axis))
    with pytest.raises(ValueError, match="must agree"):
        xp.concat((parts[0], parts[1][:200, :200]), axis=axis)


def test_concat_of_followed_arrays():
    x = _floats(300, 300, dtype="float64")
    for _ in range(2):
        gradient = xp.grad(lambda a: xp.sum(xp.concat((a, 2 * a), axis=1)))(xp.asarray(x))
        np.testing.assert_array_equal(np.asarray(gradient), 3.0)


def test_pairs_that_broadcast():
    for seed in range(2):
        c, r = _floats(400, 1, seed=seed), _floats(1, 400, seed=seed + 7)
        for _ in range(2):
            np.testing.assert_array_equal(np.asarray(xp.asarray(c) + xp.asarray(r)), c + r)
            np.testing.assert_array_equal(np.asarray(xp.asarray(c) - xp.asarray(r[0])), c - r[0])
    a, b = xp.asarray(_floats(70_000)), xp.asarray(_floats(69_999))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"70000.*69999"):
            a + b
    assert (xp.asarray(_floats(0, 1)) + xp.asarray(_floats(1, 100_000))).shape == (0, 100_000)


@pytest.mark.parametrize("dtype", ["float32", "int32", "float64", "complex64", "int16"])
@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 33, 2049, 40_000, 40_015])
def test_every_other_element(n, dtype):
    x, y = _floats(2 * n, seed=n, dtype=dtype), _floats(2 * n, seed=n + 1, dtype=dtype)
    for a, b in [(x[::2], y[1::2]), (x[::2], y[:n]), (x[-1::-2], y[::2]), (x.reshape(-1, 2)[:, 0], y[1::2])]:
        expected = a + b
        for _ in range(2):
            np.testing.assert_array_equal(np.asarray(xp.asarray(a) + xp.asarray(b)), expected)
        from mtarray._kernels.cpu.elementwise import kernel_for  # small ones too, which the operator leaves to NumPy

        out = np.empty(n, dtype)
        kernel_for(xp.add.op.scalar, (a.dtype, b.dtype), (out.dtype,)).run((out,), (a, b))
        np.testing.assert_array_equal(out, expected)


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page by the C library")
def test_nothing_behind_the_last_element_is_read():
    page = mmap.PAGESIZE
    memory = mmap.mmap(-1, 65 * page)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    assert protect(base + 64 * page, page, 0) == 0
    try:
        flat = np.frombuffer(memory, np.float32, 64 * page // 4)
        x = flat[1::2]  # its last element is the last one that may be read
        a = xp.asarray(np.concatenate([x, x]))[::2]
        assert np.asarray(xp.asarray(x) + a).shape == x.shape
    finally:
        assert protect(base + 64 * page, page, 3) == 0


def test_threads_share_what_is_remembered():
    x, index = _floats(1500, 64), np.random.default_rng(4).integers(0, 1500, 1500)
    a, i = xp.asarray(x), xp.asarray(index)
    square = xp.asarray(_floats(300, 300))
    row = square[:1, :]
    expected = [np.asarray(v) for v in (xp.take(a, i, axis=0), xp.concat((square, square), axis=1), square + row)]
    wrong = []

    def work():
        for _ in range(50):
            got = xp.take(a, i, axis=0), xp.concat((square, square), axis=1), square + row
            wrong.extend([1 for g, e in zip(got, expected, strict=True) if not np.array_equal(np.asarray(g), e)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
