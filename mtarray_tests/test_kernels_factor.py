"""Single large matrices: the tiled Cholesky and LU kernels against LAPACK."""

import numpy as np
import pytest

import mtarray as xp
from mtarray._kernels.cpu import driver, factor, lapack, lu
from mtarray._kernels.cpu.cholesky import cholesky

pytestmark = pytest.mark.skipif(factor.simd.BYTES != 64, reason="the tiles are AVX-512's")
# One tile, whole panels, a panel cut short, a tile cut short, a strip and a row more.
SIDES = [128, 129, 136, 144, 191, 200, 256, 333]


def _definite(n, dtype="float64", seed=0):
    x = np.random.default_rng(seed).standard_normal((n, n))
    return (x @ x.T / n + np.eye(n)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n", SIDES)
def test_as_lapack(n, dtype):
    rng = np.random.default_rng(n)
    a, g = _definite(n, dtype), rng.standard_normal((n, n)).astype(dtype)
    eps = np.finfo(dtype).eps
    lower = cholesky(a)
    assert lower.dtype == dtype
    assert not np.triu(lower, 1).any()
    np.testing.assert_allclose(lower, np.linalg.cholesky(a), rtol=0, atol=20 * eps)
    for columns in (1, 16, 17, 40):
        b = rng.standard_normal((n, columns)).astype(dtype)
        x = lu.solve(g, b)
        assert x.dtype == dtype
        assert x.shape == b.shape
        # As small a residual as LAPACK's: the solution itself is as uncertain as the matrix makes it.
        scale = np.abs(g).sum(axis=1).max() * np.abs(x).max()
        assert np.abs(g.astype("f8") @ x - b).max() <= 4 * eps * scale
    np.testing.assert_allclose(lapack.inv(a), np.linalg.inv(a), rtol=0, atol=200 * eps)


@pytest.mark.parametrize("view", ["transposed", "reversed", "every other", "unaligned"])
def test_layouts(view):
    n = 150
    rng = np.random.default_rng(1)
    big = _definite(2 * n)
    if view == "unaligned":
        raw = np.zeros((n, n), dtype=[("pad", "u1"), ("x", "f8")])
        raw["x"] = _definite(n)
        a = raw["x"]
    else:
        a = {"transposed": big[:n, :n].T, "reversed": big[::-1, ::-1][:n, :n], "every other": big[::2, ::2]}[view]
    b = rng.standard_normal((9, n)).T[:, ::-1]
    np.testing.assert_array_equal(cholesky(a), cholesky(a.copy()))
    np.testing.assert_array_equal(lu.solve(a, b), lu.solve(a.copy(), b.copy()))


def test_only_the_lower_triangle_is_read():
    a = _definite(130)
    spoiled = a.copy()
    spoiled[np.triu_indices(130, 1)] = np.nan
    np.testing.assert_array_equal(cholesky(spoiled), cholesky(a))


def test_pivots():
    """The largest pivot lies far below, in every panel; and there are equal ones."""
    n = 200
    rng = np.random.default_rng(2)
    order = rng.permutation(n)
    a = np.eye(n)[order]
    b = rng.standard_normal((n, 3))
    np.testing.assert_array_equal(lu.solve(a, b), np.linalg.solve(a, b))
    a = np.tril(rng.uniform(0.5, 1, (n, n)))[::-1] + 1e-3 * rng.standard_normal((n, n))
    np.testing.assert_allclose(a @ lu.solve(a, b), b, atol=1e-7)
    graded = a * np.logspace(0, 6, n)
    np.testing.assert_allclose(lu.solve(graded, b), np.linalg.solve(graded, b), rtol=1e-5)


@pytest.mark.parametrize("name", ["zero", "twin rows", "zero column", "tiny", "NaN", "infinite", "indefinite", "NaN on the right"])
def test_lapack_judges_the_rest(name):
    """What is singular, nearly so, or not finite gives NumPy's results and NumPy's errors."""
    n = 140
    a, b = _definite(n), np.ones((n, 2))
    if name == "zero":
        a[...] = 0
    elif name == "twin rows":
        a[70] = a[20]
    elif name == "zero column":
        a[:, 90] = 0
    elif name == "tiny":
        a[139, :] = a[:, 139] = 0
        a[139, 139] = 1e-300
    elif name in ("NaN", "infinite"):
        a[100, 60] = a[60, 100] = np.nan if name == "NaN" else np.inf
    elif name == "indefinite":
        a[80, 80] = -1
    else:
        b[3, 1] = np.nan
    for ours, numpys in [
        (lambda: lapack.solve(a, b), lambda: np.linalg.solve(a, b)),
        (lambda: lapack.cholesky(a), lambda: np.linalg.cholesky(a)),
        (lambda: lapack.inv(a), lambda: np.linalg.inv(a)),
    ]:
        with np.errstate(all="ignore"):
            try:
                expected = numpys()
            except np.linalg.LinAlgError as error:
                with pytest.raises(np.linalg.LinAlgError, match=str(error)):
                    ours()
            else:
                got = ours()
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def test_same_bits_on_any_number_of_threads():
    a, b = _definite(300, seed=3), np.random.default_rng(4).standard_normal((300, 50))
    results = []
    try:
        for threads in (1, 2, 3, 5):
            driver.set_num_threads(threads)
            results.append((cholesky(a), lu.solve(a, b)))
    finally:
        driver.set_num_threads(None)
    for lower, x in results[1:]:
        np.testing.assert_array_equal(lower, results[0][0])
        np.testing.assert_array_equal(x, results[0][1])


def test_public_functions_and_stacks():
    stack = np.stack([_definite(210, seed=s) for s in range(2)])
    b = np.random.default_rng(5).standard_normal((210, 4))
    a = xp.asarray(stack)
    np.testing.assert_allclose(np.asarray(xp.linalg.cholesky(a)), np.linalg.cholesky(stack), atol=1e-13)
    np.testing.assert_allclose(np.asarray(xp.linalg.solve(a, xp.asarray(b))), np.linalg.solve(stack, b), atol=1e-11)
    np.testing.assert_allclose(np.asarray(xp.linalg.solve(a[0], xp.asarray(b[:, 0]))), np.linalg.solve(stack[0], b[:, 0]), atol=1e-11)
    np.testing.assert_allclose(np.asarray(xp.linalg.inv(a[1])), np.linalg.inv(stack[1]), atol=1e-11)
    np.testing.assert_array_equal(stack[0], _definite(210, seed=0))  # operands are not written
