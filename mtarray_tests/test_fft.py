"""The `fft` extension against NumPy: values, precision, arguments, errors."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtarray as xp
from mtarray import fft

ONE_AXIS = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
SEVERAL = ["fftn", "ifftn", "rfftn", "irfftn"]
REAL = {"rfft", "ihfft", "rfftn"}
NORMS = ["backward", "ortho", "forward"]


def signal(rng, shape, name, single=False):
    x = rng.standard_normal(shape)
    if name not in REAL:
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(("f4" if name in REAL else "c8") if single else x.dtype)


def close(result, expected):
    result = np.asarray(result)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    tolerance = 1e-4 if expected.dtype in (np.float32, np.complex64) else 1e-11
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * max(1, np.abs(expected).max(initial=0)))


@pytest.mark.parametrize("name", ONE_AXIS)
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((7,), -1), ((3, 8), 0), ((2, 5, 6), 1), ((300, 200), 1), ((200, 300), 0), ((0, 4), 1)])
def test_one_axis(name, single, shape, axis):
    x = signal(np.random.default_rng(0), shape, name, single)
    for n in (None, 4, 11):
        if n is None and name in ("irfft", "hfft") and shape[axis] < 2:
            continue
        for norm in NORMS:
            expected = getattr(np.fft, name)(x, n=n, axis=axis, norm=norm)
            close(getattr(fft, name)(xp.asarray(x), n=n, axis=axis, norm=norm), expected)


@given(st.data())
def test_several_axes(data):
    name = data.draw(st.sampled_from(SEVERAL))
    shape = data.draw(st.lists(st.integers(2, 5), min_size=1, max_size=3))
    axes = data.draw(st.one_of(st.none(), st.permutations(range(len(shape)))))
    if axes is not None:
        axes = [a - len(shape) if data.draw(st.booleans()) else a for a in axes[: data.draw(st.integers(1, len(axes)))]]
    lengths = None
    if axes is not None and data.draw(st.booleans()):
        lengths = [data.draw(st.integers(2, 6)) for _ in axes]
    norm = data.draw(st.sampled_from(NORMS))
    x = signal(np.random.default_rng(1), shape, name)
    close(getattr(fft, name)(xp.asarray(x), s=lengths, axes=axes, norm=norm), getattr(np.fft, name)(x, s=lengths, axes=axes, norm=norm))


def test_several_axes_of_a_large_array():
    rng = np.random.default_rng(2)
    for name in SEVERAL:
        x = signal(rng, (40, 50, 60), name)
        close(getattr(fft, name)(xp.asarray(x)), getattr(np.fft, name)(x, axes=(0, 1, 2)))
        close(getattr(fft, name)(xp.asarray(x[::-1, :, ::3])), getattr(np.fft, name)(x[::-1, :, ::3], axes=(0, 1, 2)))
    x = signal(rng, (90, 80), "rfft", single=True)
    close(fft.rfft2(xp.asarray(x)), np.fft.rfft2(x))
    close(fft.irfft2(fft.rfft2(xp.asarray(x))), x)
    close(fft.ifft2(fft.fft2(xp.asarray(x))), x.astype("c8"))


def test_lengths_without_axes_are_the_last_ones():
    x = np.random.default_rng(3).standard_normal((3, 4, 5)) + 0j
    close(fft.fftn(xp.asarray(x), s=(2, 6)), np.fft.fftn(x, s=(2, 6), axes=(1, 2)))
    close(fft.fftn(xp.asarray(x), s=(-1, 6), axes=(0, 1)), np.fft.fftn(x, s=(3, 6), axes=(0, 1)))


@pytest.mark.parametrize("mode", ["numba", "python"])
def test_kernel_modes_agree(mode):
    x = np.random.default_rng(4).standard_normal((300, 256))
    expected = fft.rfft(xp.asarray(x))
    with xp.config(kernels=mode):
        close(fft.rfft(xp.asarray(x)), np.asarray(expected))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("d", [1.0, 0.3, 4])
def test_frequencies(n, d):
    close(fft.fftfreq(n, d=d), np.fft.fftfreq(n, d))
    close(fft.rfftfreq(n, d=d), np.fft.rfftfreq(n, d))
    assert fft.fftfreq(n, dtype="float32").dtype == xp.float32
    assert fft.rfftfreq(n, d=d, dtype="float32", device="cpu").dtype == xp.float32


@pytest.mark.parametrize("axes", [None, 0, -1, (0, 2), (2, 1)])
@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 3, 2)])
def test_shifts(axes, shape):
    x = np.arange(np.prod(shape), dtype="f8").reshape(shape)
    for name in ("fftshift", "ifftshift"):
        close(getattr(fft, name)(xp.asarray(x), axes=axes), getattr(np.fft, name)(x, axes=axes))
    close(fft.ifftshift(fft.fftshift(xp.asarray(x), axes=axes), axes=axes), x)


def test_integers_and_real_arrays():
    x = np.arange(6)
    close(fft.fft(xp.asarray(x)), np.fft.fft(x))
    close(fft.rfft(xp.asarray(x)), np.fft.rfft(x))
    close(fft.fft(xp.asarray(x.astype("f4"))), np.fft.fft(x.astype("f4")))
    close(fft.fftn(xp.asarray(x.astype("f4")), axes=()), x.astype("c8"))


def test_nan_stays_in_its_line():
    x = np.ones((400, 256))
    x[7, 3] = np.nan
    out = np.asarray(fft.rfft(xp.asarray(x)))
    assert np.isnan(out[7]).all()
    assert np.isfinite(np.delete(out, 7, 0)).all()


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: fft.fft(xp.asarray(1.0)), ValueError, "fft: a 0-d array"),
        (lambda: fft.fft(xp.ones(3), axis=1), IndexError, "1"),
        (lambda: fft.fft(xp.ones(3), n=0), ValueError, r"n must be at least 1, it is 0 for shape \(3,\)"),
        (lambda: fft.fft(xp.ones(0)), ValueError, r"it is 0 for shape \(0,\)"),
        (lambda: fft.irfft(xp.ones(1)), ValueError, "at least 1"),
        (lambda: fft.fft(xp.ones(3), n=2.5), TypeError, "n must be an integer"),
        (lambda: fft.fft(xp.ones(3), norm="half"), ValueError, "norm must be .* got 'half'"),
        (lambda: fft.hfft(xp.ones(3), norm="half"), ValueError, "norm must be .* got 'half'"),
        (lambda: fft.rfft(xp.ones(3, dtype="complex64")), TypeError, "rfft transforms real arrays, not complex64"),
        (lambda: fft.fftn(xp.ones((2, 2)), s=(2, 2, 2)), ValueError, r"3 lengths.*shape \(2, 2\)"),
        (lambda: fft.fftn(xp.ones((2, 2)), s=(2,), axes=(0, 1)), ValueError, "1 lengths for 2 axes"),
        (lambda: fft.rfftn(xp.ones((2, 2)), axes=()), ValueError, "at least one axis"),
        (lambda: fft.fftfreq(0), ValueError, "at least 1"),
        (lambda: fft.rfftfreq(2.0), TypeError, "integer"),
        (lambda: fft.fftfreq(3, dtype="int64"), ValueError, "int64"),
        (lambda: fft.fft("abc"), TypeError, "abc"),
    ],
)
def test_bad_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_strict_refuses_what_the_standard_leaves_open():
    with xp.strict():
        with pytest.raises(TypeError, match=r"fft: .*float64.*complex64, complex128 \(strict"):
            fft.fft(xp.ones(3))
        with pytest.raises(TypeError, match="int64"):
            fft.fftshift(xp.asarray([1, 2]))


def test_every_name_of_the_extension_is_there():
    for name in [*ONE_AXIS, *SEVERAL, "fftfreq", "rfftfreq", "fftshift", "ifftshift"]:
        assert name in fft.__all__
        assert inspect.getdoc(getattr(fft, name))
