"""Small-matrix kernels and transforms of the CPU engine against NumPy."""

import threading

import numpy as np
import pytest

from mtarray._kernels.cpu import driver, lapack, slabs
from mtarray._kernels.cpu.fft import transform

EPS = {"f4": 1.2e-7, "f8": 2.3e-16}
SIZES = [1, 2, 3, 5, 8, 13, 16, 31, 32, 33]


def matrices(rng, count, n, code):
    """Well-conditioned enough: rows of a random orthogonal matrix, scaled and in any order, so that pivots move."""
    q, _ = np.linalg.qr(rng.standard_normal((count, n, n)))
    return (q * rng.uniform(0.5, 2, (count, 1, n))).astype(code)


@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("count", [32, 100])
def test_small_matrices(code, n, count):
    rng = np.random.default_rng(n)
    a = matrices(rng, count, n, code)
    tolerance = 60 * EPS[code] * n
    inverse = lapack.inv(a)
    assert inverse.dtype == a.dtype
    assert np.abs(inverse @ a - np.eye(n)).max() < tolerance
    np.testing.assert_allclose(lapack.det(a), np.linalg.det(a.astype("f8")), rtol=tolerance)
    for columns in (1, 4):
        b = rng.standard_normal((count, n, columns)).astype(code)
        x = lapack.solve(a, b)
        assert x.dtype == a.dtype
        assert np.abs(a @ x - b).max() < 10 * tolerance
    spd = a @ a.swapaxes(-1, -2)
    factor = lapack.cholesky(spd)
    assert np.abs(factor @ factor.swapaxes(-1, -2) - spd).max() < tolerance
    assert not np.triu(factor, 1).any()


def test_cholesky_reads_the_lower_triangle_only():
    rng = np.random.default_rng(0)
    a = matrices(rng, 64, 6, "f8")
    spd = a @ a.swapaxes(-1, -2)
    np.testing.assert_array_equal(lapack.cholesky(np.tril(spd)), lapack.cholesky(spd))


@pytest.mark.parametrize("view", ["transposed", "reversed", "broadcast", "every other"])
def test_layouts(view):
    rng = np.random.default_rng(1)
    a = matrices(rng, 80, 5, "f8")
    a = {"transposed": a.swapaxes(1, 2), "reversed": a[::-1], "broadcast": np.broadcast_to(a[0], (4, 20, 5, 5)), "every other": a[::2]}[
        view
    ]
    b = rng.standard_normal((5, 2))
    np.testing.assert_allclose(lapack.inv(a), np.linalg.inv(a), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(lapack.solve(a, b), np.linalg.solve(a, np.broadcast_to(b, (*a.shape[:-2], 5, 2))), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(lapack.det(a), np.linalg.det(a), rtol=1e-11)


SINGULAR = {
    "zero": np.zeros((3, 3)),
    "counting": np.arange(9.0).reshape(3, 3),  # whether an elimination meets an exact zero depends on its roundings
    "thirds": np.arange(1.0, 10).reshape(3, 3) / 3,
    "equal rows": np.array([[1.0, 2, 3], [1, 2, 3], [4, 5, 7]]),
    "not a number": np.array([[1.0, 2, np.nan], [0, 1, 0], [0, 0, 1]]),
    "infinite": np.array([[np.inf, 2, 1], [0, 1, 0], [0, 0, 1]]),
    "badly scaled": np.diag([1, 1e-200, 1e200]),
    "regular": np.array([[0.0, 1, 0], [0, 0, 2], [3, 0, 0]]),
}


@pytest.mark.parametrize("name", SINGULAR)
@pytest.mark.parametrize("place", [0, 7, 39])
def test_singular_as_numpy_judges_it(name, place):
    rng = np.random.default_rng(2)
    a = matrices(rng, 40, 3, "f8")
    a[place] = SINGULAR[name]
    b = rng.standard_normal((40, 3, 1))
    with np.errstate(all="ignore"):
        for ours, theirs, operands in (
            (lapack.inv, np.linalg.inv, (a,)),
            (lapack.det, np.linalg.det, (a,)),
            (lapack.solve, np.linalg.solve, (a, b)),
            (lapack.cholesky, np.linalg.cholesky, (a @ a.swapaxes(1, 2),)),
        ):
            try:
                expected = theirs(*operands)
            except np.linalg.LinAlgError as error:
                with pytest.raises(np.linalg.LinAlgError, match=str(error)):
                    ours(*operands)
            else:
                np.testing.assert_allclose(ours(*operands), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3), (40, 3, 2), (40, 0, 0), (0, 3, 3), (40, 3, 3)])
def test_shapes_and_errors_as_numpy(shape):
    a = np.random.default_rng(3).standard_normal(shape)
    for ours, theirs in ((lapack.inv, np.linalg.inv), (lapack.det, np.linalg.det)):
        try:
            expected = theirs(a)
        except np.linalg.LinAlgError:
            with pytest.raises(np.linalg.LinAlgError):
                ours(a)
        else:
            result = ours(a)
            assert result.shape == expected.shape
            np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


def test_complex_and_larger_stacks_are_numpys():
    rng = np.random.default_rng(4)
    a = rng.standard_normal((60, 40, 40)) + 1j * rng.standard_normal((60, 40, 40))
    np.testing.assert_allclose(lapack.inv(a), np.linalg.inv(a), rtol=1e-9, atol=1e-10)
    for function in (np.linalg.qr, np.linalg.eigh, np.linalg.svd):
        for result, expected in zip(lapack.stacked(function, a), function(a), strict=True):
            np.testing.assert_allclose(np.abs(result), np.abs(expected), rtol=1e-7, atol=1e-9)
    with pytest.raises(np.linalg.LinAlgError):
        lapack.stacked(np.linalg.inv, np.zeros((60, 40, 40)))


def test_same_bits_on_any_number_of_threads():
    a = matrices(np.random.default_rng(5), 3000, 6, "f8")
    x = np.random.default_rng(6).standard_normal((300, 256))
    z = x.ravel()[: 1 << 16] + 1j
    threads = driver.get_num_threads()
    results = []
    try:
        for n in (1, 2, 3):
            driver.set_num_threads(n)
            results.append((lapack.inv(a).tobytes(), lapack.det(a).tobytes(), transform("rfft", x, None, 1, None).tobytes()))
            results[-1] += (transform("fft", z, None, 0, None).tobytes(),)
    finally:
        driver.set_num_threads(threads)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
@pytest.mark.parametrize(
    ("shape", "axis"), [((500, 128), 1), ((128, 500), 0), ((9, 70, 80), 1), ((300, 40, 9), 0), ((2, 2, 1 << 14), -1), ((90000, 1), 0)]
)
@pytest.mark.parametrize("code", ["f4", "f8"])
def test_transforms(name, shape, axis, code):
    rng = np.random.default_rng(7)
    x = rng.standard_normal(shape).astype(code)
    if name != "rfft":
        x = x + 1j * rng.standard_normal(shape).astype(code)
    for n in (None, 37, 600):
        for norm in ("backward", "ortho"):
            expected = getattr(np.fft, name)(x, n, axis, norm)
            result = transform(name, x, n, axis, norm)
            assert result.dtype == expected.dtype
            assert result.shape == expected.shape
            close(result, expected, 0 if n else 4)
    strided = x[::-1]
    close(transform(name, strided, None, axis, None), getattr(np.fft, name)(strided, None, axis), 4)


def close(result, expected, roundings=4):
    """Equal up to a few roundings of the whole (the kernels' order of additions is their own); 0: to NumPy's bits."""
    if roundings == 0:
        np.testing.assert_array_equal(result, expected)
    bound = roundings * np.finfo(result.dtype).eps * np.linalg.norm(expected.ravel())
    assert np.linalg.norm((result - expected).ravel()) <= bound


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft"])
@pytest.mark.parametrize("code", ["f4", "f8"])
@pytest.mark.parametrize("n", [64, 128, 256, 512, 1024, 2048, 1 << 15])
@pytest.mark.parametrize("layout", ["contiguous", "reversed", "every other", "cut", "one line", "transposed"])
def test_lines(name, code, n, layout):
    rng = np.random.default_rng(8)
    length = n // 2 + 1 if name == "irfft" else n
    count = max(3, (1 << 12) // n)
    x = rng.standard_normal((count, 2 * length)).astype(code)
    if name != "rfft":
        x = x + 1j * rng.standard_normal(x.shape).astype(code)
    x = {
        "contiguous": x[:, :length].copy(),
        "reversed": x[::-1, :length][:, ::-1],
        "every other": x[:, ::2],
        "cut": x[1:],
        "one line": x[:1, :length],
        "transposed": x[:, :length].T.copy().T,
    }[layout]
    axis = -2 if layout == "one line" else -1
    x = x[..., None] if axis == -2 else x
    for norm in ("backward", "ortho", "forward"):
        expected = getattr(np.fft, name)(x.astype("f8" if name == "rfft" else "c16"), n, axis, norm)
        result = transform(name, x, n, axis, norm)
        assert result.dtype == np.dtype(code if name == "irfft" else {"f4": "c8", "f8": "c16"}[code])
        assert result.shape == expected.shape
        close(result, expected)


def test_lines_do_not_touch_each_other():
    x = np.random.default_rng(9).standard_normal((40, 256))
    x[3, 5] = np.nan
    x[20] *= 1e100
    for name, y in (("rfft", x), ("fft", x + 0j), ("irfft", np.fft.rfft(x))):
        result = transform(name, y, None, 1, None)
        assert np.isnan(result).any(axis=1).tolist() == [i == 3 for i in range(40)]
        for i in set(range(40)) - {3}:
            close(result[i], getattr(np.fft, name)(y[i]))


def test_the_ends_of_half_a_spectrum_count_as_real():
    x = np.random.default_rng(9).standard_normal((40, 129)) + 1j
    close(transform("irfft", x, None, 1, None), np.fft.irfft(x))


@pytest.mark.parametrize("code", ["c8", "c16"])
@pytest.mark.parametrize("power", [16, 17])
@pytest.mark.parametrize("layout", ["contiguous", "strided", "one row"])
def test_long_transforms(code, power, layout):
    n = 1 << power
    rng = np.random.default_rng(10)
    x = (rng.standard_normal(2 * n) + 1j * rng.standard_normal(2 * n)).astype(code)
    x = {"contiguous": x[:n], "strided": x[::-2], "one row": x[:n].reshape(1, n, 1)}[layout]
    axis = 1 if layout == "one row" else 0
    bound = 4 * np.finfo(x.dtype).eps
    for name in ("fft", "ifft"):
        for norm in ("backward", "ortho", "forward"):
            expected = getattr(np.fft, name)(x.astype("c16"), None, axis, norm)
            result = transform(name, x, None, axis, norm)
            assert result.dtype == x.dtype
            assert result.shape == x.shape
            assert np.linalg.norm((result - expected).ravel()) <= bound * np.linalg.norm(expected.ravel())


def test_long_transform_of_one_frequency():
    n, k = 1 << 16, 12345
    x = np.exp(2j * np.pi * ((np.arange(n) * k) % n) / n)
    result = transform("fft", x, None, 0, None)
    assert abs(result[k] - n) < 1e-9
    assert np.abs(np.delete(result, k)).max() < 1e-9


def test_slabs_raise_the_error_and_leave_no_thread_at_work():
    seen = []

    def work(lo, hi):
        if lo == 30:
            raise KeyError(lo)
        seen.append((lo, hi))

    with pytest.raises(KeyError, match="30"):
        slabs.each(work, 100, 10)
    count = len(seen)
    slabs.each(lambda lo, hi: seen.append((lo, hi)), 25, 10)
    assert sorted(seen[count:]) == [(0, 10), (10, 20), (20, 25)]


def test_many_threads_at_once():
    a = matrices(np.random.default_rng(8), 200, 7, "f8")
    x = np.random.default_rng(9).standard_normal((300, 256))
    expected = lapack.inv(a), transform("rfft", x, None, 1, None)
    wrong = []

    def work():
        for _ in range(5):
            if not np.array_equal(lapack.inv(a), expected[0]) or not np.array_equal(transform("rfft", x, None, 1, None), expected[1]):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
