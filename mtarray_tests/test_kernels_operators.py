"""`/`, `//`, `%` and `**` of users' scalar functions: compiled as uncompiled, for every dtype, and never an exception inside a kernel."""

import numpy as np
import pytest

from mtarray._kernels import numpy_complex
from mtarray._kernels.cpu import elementwise
from mtarray._kernels.source import Scalar

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]


def quotient(x1, x2):
    return x1 / x2


def floor_quotient(x1, x2):
    return x1 // x2


def modulo(x1, x2):
    return x1 % x2


def both(x1, x2):
    q, r = divmod(x1, x2)
    q *= 3
    r //= 2
    return q + r


def power(x1, x2):
    return x1**x2


def builtin_power(x1, x2):
    return pow(x1, x2) + pow(x1, 3)


def with_literals(x1, x2):
    return 7 % x1 + 7 // x2 + x1 % 3


def powers(x1, x2):
    return x1**2 + x2**3 + x1**-1 + 2**x2


def squares(x1, x2):
    y = x1**2 - x2**2
    y /= x2
    return y


def values(dtype):
    d = np.dtype(dtype)
    if d.kind == "f":
        return np.array([0.0, -0.0, 1, -1, 2.5, -2.5, 3, -7, 0.5, np.inf, -np.inf, np.nan, 1e30, 1e-30], d)
    if d.kind == "c":
        parts = [0.0, 1, -2.5, 3, np.inf, np.nan]
        return np.array([complex(a, b) for a in parts for b in parts], d)
    info = np.iinfo(d)
    return np.array([0, 1, 2, 3, 7, info.max, info.max - 1, *([-1, -2, -3, -7, info.min, info.min + 1] if d.kind == "i" else [4, 5])], d)


def two_ways(function, dtype, out=None):
    """(operands, results of the kernel, results of the uncompiled function) at every pair of hard values."""
    x, y = (np.ascontiguousarray(g.ravel()) for g in np.meshgrid(values(dtype), values(dtype)))
    scalar, d = Scalar(function), np.dtype(dtype)
    compiled, plain = np.empty(x.size, out or d), np.empty(x.size, out or d)
    elementwise.kernel_for(scalar, (d, d), (compiled.dtype,)).run((compiled,), (x, y))
    elementwise.run_python(scalar, (plain,), (x, y), (d, d))
    return (x, y), compiled, plain


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("function", [floor_quotient, modulo, both, power, builtin_power, with_literals])
def test_integers(function, dtype):
    operands, compiled, plain = two_ways(function, dtype)
    wrong = np.flatnonzero(compiled != plain)
    assert wrong.size == 0, [(operands[0][i], operands[1][i], compiled[i], plain[i]) for i in wrong[:5]]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_true_division_of_integers_is_floating(dtype):
    (x, y), compiled, plain = two_ways(quotient, dtype, "float64")
    np.testing.assert_array_equal(compiled, plain)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compiled, x / y)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", [quotient, floor_quotient, modulo, both, power, builtin_power, with_literals, powers, squares])
def test_floats(function, dtype):
    _, compiled, plain = two_ways(function, dtype)
    np.testing.assert_allclose(compiled, plain, rtol=8 * np.finfo(dtype).eps)
    zero = plain == 0
    np.testing.assert_array_equal(np.signbit(compiled[zero]), np.signbit(plain[zero]))


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("function", [quotient, power, squares])
def test_complex_numbers(function, dtype):
    (x, y), compiled, plain = two_ways(function, dtype)
    for part in ("real", "imag"):
        a, b = getattr(compiled, part), getattr(plain, part)
        ordinary = np.isfinite(a) & np.isfinite(b)
        np.testing.assert_array_equal(a[~ordinary], b[~ordinary], err_msg=f"{part} of {x[~ordinary][:3]}, {y[~ordinary][:3]}")
        size = np.abs(np.where(np.isfinite(plain), plain, 0))[ordinary]
        assert (np.abs(a[ordinary] - b[ordinary]) <= 16 * np.finfo(dtype).eps * size).all()


def test_powers_of_one_dtype_are_told_apart():
    x = np.linspace(-2, 2, 9)
    for n, function in ((2, lambda x: x**2), (3, lambda x: x**3), (-2, lambda x: x**-2), (9, lambda x: x**9)):
        out = np.empty_like(x)
        elementwise.kernel_for(Scalar(function), (x.dtype,), (x.dtype,)).run((out,), (x,))
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(out, x ** float(n), rtol=1e-14)


def test_negative_powers_of_integers_are_the_whole_part():
    x = np.array([0, 1, -1, 2, -3, -1], np.int64)
    n = np.array([-1, -5, -3, -1, -2, -2], np.int64)
    out = np.empty_like(x)
    elementwise.kernel_for(Scalar(power), (x.dtype, n.dtype), (x.dtype,)).run((out,), (x, n))
    assert out.tolist() == [0, 1, -1, 0, 0, 1]


@pytest.mark.parametrize("dtype", COMPLEX)
def test_complex_division_by_numbers_at_the_ends_of_the_range(dtype):
    info = np.finfo(dtype)
    ends = [info.smallest_subnormal * 3, info.tiny, info.max, info.max / 3, 1.0]
    z = np.array([complex(a, b) for a in ends for b in ends]).astype(dtype)
    x, y = (np.ascontiguousarray(g.ravel()) for g in np.meshgrid(z, z))
    with np.errstate(all="ignore"):
        small = numpy_complex.divide(x, y)
    large = np.empty_like(x)
    elementwise.kernel_for(Scalar(quotient), (x.dtype,) * 2, (x.dtype,)).run((large,), (x, y))
    np.testing.assert_array_equal(np.isfinite(small), np.isfinite(large))
    ordinary = np.isfinite(small)
    near = 16 * info.eps * np.abs(large[ordinary]) + 4 * info.smallest_subnormal
    assert ordinary.any()
    assert (np.abs(small[ordinary] - large[ordinary]) <= near).all()
