"""Faults of the engine, of linear algebra, transforms, random numbers and NumPy's names that were found once: each stays found."""

import numpy as np
import pytest

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
