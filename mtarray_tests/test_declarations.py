"""Ops that users declare: one scalar function becomes a broadcasting, promoting, compiled function, in every kernel mode."""

import inspect
import math

import numpy as np
import pytest

import mtarray as xp
from mtarray._ops import REGISTRY

OFFSET = 3.5


def shifted(a):
    return a * a + OFFSET


@xp.elementwise
def softsign(x):
    """x / (1 + |x|), written with a helper and a captured constant."""
    return x / (1 + abs(x)) + (shifted(x) - x * x - OFFSET)


@xp.elementwise(dtypes=(xp.float64, xp.int32))
def ordered(x, y):
    """The smaller and the larger of two numbers: several results, a branch."""
    if x > y:
        return y, x
    return x, y


@xp.elementwise
def collatz(x):
    """Steps until 1: a loop, locals."""
    n = 0
    while x > 1:
        x = x / 2 if x % 2 == 0 else 3 * x + 1
        n += 1
    return n


@xp.reduction(identity=0.0, dtypes=(xp.float32, xp.float64))
def norm(a, b):
    return math.hypot(a, b)


@xp.scan(identity=-math.inf, dtypes=(xp.float64,))
def running_max(a, b):
    return a if a > b else b


@pytest.fixture(params=["auto", "numba", "python"], autouse=True)
def mode(request):
    with xp.config(kernels=request.param):
        yield request.param


def test_broadcasts_and_promotes():
    x = xp.asarray([[1.0], [-3.0]])
    out = softsign(x + xp.asarray([0.0, 2.0]))
    v = np.asarray([[1.0, 3.0], [-3.0, -1.0]])
    assert np.allclose(np.asarray(out), v / (1 + np.abs(v)))
    assert softsign(xp.asarray([1, 2])).dtype == xp.float64
    assert softsign(xp.asarray([1, 2], dtype=xp.float32)).dtype == xp.float32
    assert softsign(xp.zeros((0, 3))).shape == (0, 3)


def test_several_results_and_large_arrays(mode):
    n = 100_000 if mode != "python" else 50
    x = xp.asarray(np.arange(n, dtype=np.int32))
    low, high = ordered(x, xp.flip(x))
    assert np.array_equal(np.asarray(low), np.minimum(np.arange(n), np.arange(n)[::-1]))
    assert np.array_equal(np.asarray(high), np.maximum(np.arange(n), np.arange(n)[::-1]))
    assert low.dtype == xp.int32


def test_loops():
    assert collatz(xp.asarray([1.0, 2.0, 3.0, 27.0])).tolist() == [0, 1, 7, 111]


def test_reductions_and_scans():
    x = xp.asarray([[3.0, 4.0], [6.0, 8.0]])
    assert norm(x, axis=1).tolist() == [5.0, 10.0]
    assert norm(xp.zeros((0,), dtype=xp.float32)).dtype == xp.float32
    assert running_max(xp.asarray([1.0, 3.0, 2.0, 5.0])).tolist() == [1, 3, 3, 5]


def test_rules_name_dtypes_as_users_know_them():
    squared = xp.elementwise(dtypes=(xp.complex128,), result=lambda d: xp.float64)(modulus)
    assert squared(xp.asarray([3 + 4j])).tolist() == [25.0]
    total = xp.reduction(identity=0.0, accumulate=lambda d: xp.float64, dtypes=(xp.float32, xp.float64))(shifted_sum)
    assert total(xp.asarray([1.0, 2.0], dtype=xp.float32)).dtype == xp.float64
    totals = xp.scan(identity=0.0, accumulate=lambda d: xp.float64, dtypes=(xp.float32,))(shifted_sum)
    assert totals(xp.asarray([1.0, 2.0], dtype=xp.float32)).dtype == xp.float64


def modulus(z):
    return z.real * z.real + z.imag * z.imag


def shifted_sum(a, b):
    return a + b + 0.0


def test_refusals(mode):
    with pytest.raises(TypeError, match="softsign is not defined for complex128"):
        softsign(xp.asarray([1j]))
    with pytest.raises(TypeError, match=r"lists.*builds a list"):

        @xp.elementwise
        def lists(x):
            return [x]

    if mode == "python":
        return

    @xp.elementwise(dtypes=(xp.complex128,))
    def compares(x):
        return x < 1

    with pytest.raises(TypeError, match="compares cannot be compiled for complex128"):
        compares(xp.asarray([1j]))


def test_registry_keeps_users_names_apart():
    assert f"{__name__}.softsign" in REGISTRY
    assert REGISTRY["add"].function is xp.add
    assert softsign.__doc__.startswith("x / (1 + |x|)")
    assert list(inspect.signature(softsign).parameters) == ["x"]


@xp.elementwise(dtypes=(xp.float64,), result=lambda d: xp.uint32)
def _doubled_as_uint32(x):
    return 2.0 * x


@xp.elementwise(dtypes=(xp.float64,), result=lambda d: xp.uint64)
def _doubled_as_uint64(x):
    return 2.0 * x


@pytest.mark.parametrize("kernels", ["auto", "numba", "prange", "python"])
def test_negative_floats_wrap_in_unsigned_results(kernels):
    """As NumPy's cast, in every kernel mode: the whole part modulo 2**bits."""
    x = np.array([3.7, -3.7, -0.2, 1e6, -1e6, 2.0**30])
    for op, dtype in ((_doubled_as_uint32, np.uint32), (_doubled_as_uint64, np.uint64)):
        expected = np.trunc(2 * x).astype(np.int64).astype(dtype)
        with xp.config(kernels=kernels):
            for n in (6, 100_000) if kernels in ("auto", "numba") else (6,):
                np.testing.assert_array_equal(np.asarray(op(xp.asarray(np.resize(x, n)))), np.resize(expected, n))
