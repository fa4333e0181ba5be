"""Faults of the engine, of linear algebra, transforms, random numbers and NumPy's names that were found once: each stays found."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mtarray._kernels import build
from mtarray._kernels.cpu import select

LARGE = 3 * select.MASK_CROSSOVER


@pytest.mark.parametrize("step", [1, 2])
def test_masks_count_bytes_that_are_not_zero(step: int) -> None:
    """Memory from outside may hold any byte where a bool is expected: a kernel that adds them up writes beyond its result."""
    given = np.random.default_rng(0).integers(0, 3, LARGE * step).astype(np.uint8)
    given[::7] = 255
    mask, truth = given.view(bool)[::step], given[::step] != 0
    x = np.arange(truth.size, dtype=np.float64)
    assert select.count_nonzero(mask) == truth.sum()
    np.testing.assert_array_equal(select.mask_select(x, mask), x[truth])
    np.testing.assert_array_equal(select.nonzero(mask)[0], np.flatnonzero(truth))
    kept = x[truth]
    for values in (np.float64(-1), -kept):
        out = x.copy()
        select.mask_assign(out, mask, values)
        expected = x.copy()
        expected[truth] = values
        np.testing.assert_array_equal(out, expected)


# What Numba compiles into code that can raise, with NumPy's rules of division too.
RAISING = {
    "ZeroDivisionError": "c16(ld64(args))[i] = c16(ld64(args))[i] / c16(ld64(args))[i + 1]",
    "AssertionError": "assert f8(ld64(args))[i] > 0",
    "IndexError": "if f8(ld64(args))[i] > 0: raise IndexError(i)",
}


@pytest.mark.parametrize("name", RAISING)
def test_kernels_that_may_raise_are_refused(name: str) -> None:
    """A C function's exception is ignored, and its results stay uninitialised memory: such a function is not handed out."""
    with pytest.raises(TypeError, match=f"cannot be a kernel: it may raise {name}"):
        build.kernel(f"raising_{name}", f"    for i in range(lo, hi):\n        {RAISING[name]}")


def test_kernels_that_divide_are_not_refused() -> None:
    lines = ["i8(args)[i] = i8(args)[i] // i8(args)[0] + i8(args)[i] % i8(args)[1]", "f8(args)[2] /= f8(args)[3]"]
    assert build.kernel("dividing", "    for i in range(lo, hi):\n        " + "\n        ".join(lines))


POISON = """
import numpy as np
from mtarray._kernels.cpu import pool
import mtarray as xp
for shape in ((), (3,), (0, 2), (300_000,)):
    for dtype in ("bool", "i4", "f4", "c16"):
        x = pool.empty(shape, dtype)
        assert x.shape == shape and x.dtype == dtype and type(x) is np.ndarray
        if {poisoned}:
            assert (np.frombuffer(x.tobytes(), np.uint8) == 255).all()
x = xp.arange(300_000) % 7
y = xp.astype(x, xp.float64)
print(float(xp.sum(y * 2 + 1)), int(xp.sum(x[x > 3])), xp.unique_values(x), int(xp.cumulative_sum(x)[-1]))
"""


def test_poisoned_memory() -> None:
    """With MTARRAY_POISON new memory is full of NaN, so that what a kernel forgot to write shows; results do not change."""
    printed = []
    for flag in ("0", "1"):
        source = POISON.format(poisoned=flag == "1")
        environment = {**os.environ, "MTARRAY_POISON": flag}
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, env=environment, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        printed.append(done.stdout)
    assert printed[0] == printed[1] != ""
