"""The scalar functions of the kernels: accuracy against mpmath, special values, exact integers, and that they vectorise."""

import cmath
import math
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import cfunc

from mtarray._kernels import build, scalarlib
from mtarray._kernels.cpu.driver import address, run
from mtarray._kernels.scalarlib import f32, primitives, reference, trig
from mtarray_tests import accuracy
from mtarray_tests.daily import daily

INF, NAN = math.inf, math.nan
POINTS = 250
INTEGERS = "int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()
PRELUDE = "from mtarray._kernels import scalarlib as math\nfrom mtarray._kernels.scalarlib import full\n"


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def source(expression, kinds):
    """Body of a kernel that applies `expression` to operands x0[i], x1[i] ... and stores into the last of `kinds`."""
    lines = ["    n = hi - lo"]
    for j, kind in enumerate(kinds):
        size = np.dtype(kind).itemsize
        lines.append(f"    x{j} = {kind}(ld64(args + {8 * j}) + lo * {size})")
    return "\n".join([*lines, "    for i in range(n):", f"        x{len(kinds) - 1}[i] = {expression}"])


def apply(expression, *args, out=None, fastmath=False):
    """`expression` over flat arrays by a compiled kernel."""
    kinds = [a.dtype.str[1:].replace("b1", "u1") for a in args] + [out or args[0].dtype.str[1:]]
    result = np.empty(args[0].shape, kinds[-1])
    kernel = build.kernel(f"test_scalar_{kinds[0]}", source(expression, kinds), PRELUDE, fastmath)
    arrays = [np.ascontiguousarray(a) for a in args]
    run(kernel, result.size, 1 << 12, *map(address, arrays), address(result))
    return result


def call(name, *args, module="math", **keywords):
    return apply(f"{module}.{name}({', '.join(f'x{j}[i]' for j in range(len(args)))})", *args, **keywords)


def assert_same(got, want, *args):
    """Equal values, NaN to NaN, and equal signs of zeros."""
    same = (got == want) & (np.signbit(got) == np.signbit(want)) | (np.isnan(got) & np.isnan(want))
    wrong = np.flatnonzero(~same)[:5]
    assert wrong.size == 0, [(*(a[k] for a in args), got[k], want[k]) for k in wrong]


# -- accuracy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("name", accuracy.REAL)
def test_real_functions_are_within_two_units(name, kind):
    largest, mean, worst = accuracy.measure(name, kind, POINTS)
    assert largest <= 1.5, worst
    assert mean <= 0.4


@pytest.mark.parametrize("kind", ["c8", "c16"])
@pytest.mark.parametrize("name", accuracy.COMPLEX)
def test_complex_functions_are_within_four_units(name, kind):
    largest, mean, worst = accuracy.measure(name, kind, POINTS)
    assert largest <= 4, worst
    assert mean <= 0.7


def test_the_accuracy_suite_sees_an_error_of_three_units(monkeypatch):
    exact = accuracy.REFERENCE["exp"]
    monkeypatch.setitem(accuracy.REFERENCE, "exp", lambda x: exact(x) * (1 + 3 * accuracy.mp.mpf(2) ** -52))
    assert accuracy.measure("exp", "f8", 100)[0] > 2.5


@pytest.mark.parametrize("name", ["logaddexp", "logaddexp2"])
def test_logaddexp_keeps_its_absolute_error_where_it_cancels(name):
    base = np.e if name == "logaddexp" else 2.0
    a = -np.random.default_rng(19).uniform(0.01, 3, 500)
    b = np.log1p(-(base**a)) / np.log(base)  # the result is a rounding error away from 0
    with accuracy.mp.workprec(200):
        exact = [accuracy.REFERENCE[name](accuracy.mp.mpf(float(x)), accuracy.mp.mpf(float(y))) for x, y in zip(a, b)]
        errors = [abs(accuracy.mp.mpf(float(g)) - e) for g, e in zip(call(name, a, b), exact)]
    assert max(errors) < 2.0**-56


HARDEST = [6381956970095103 * 2.0**797, 5.319372648326541e255, 1.7976931348623157e308, 2.0**1023, 1e22, 2.0**32, 2.0**33 - 1]


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_angles_next_to_a_multiple_of_half_pi(name):
    x = np.array(HARDEST)
    got = call(name, x, module="full")
    with accuracy.mp.workprec(1400):
        errors = [accuracy.real_error(float(g), accuracy.REFERENCE[name](accuracy.mp.mpf(float(v))), "f8") for g, v in zip(got, x)]
    assert max(errors) <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_cores_hold_where_they_claim_and_return_nan_beyond(name, dtype):
    rng = np.random.default_rng(3)
    limit = f32.TRIG_MAX if dtype == "float32" else trig.TRIG_MAX
    inside = rng.uniform(-limit, limit, 500).astype(dtype)
    np.testing.assert_allclose(call(name, inside), call(name, inside, module="full"), rtol=4 * np.finfo(dtype).eps)
    assert np.isnan(call(name, np.array([1.001 * limit, -1e20, INF, NAN], dtype))).all()
    assert name in scalarlib.RARE


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_float32_angles_next_to_multiples_of_half_pi(name):
    rng = np.random.default_rng(4)
    near = (rng.integers(0, 2**17, 200_000) * (np.pi / 2)).astype("f4")
    x = np.concatenate([near + np.spacing(near) * rng.integers(-3, 4, near.size), rng.uniform(-(2.0**18), 2.0**18, 200_000)]).astype("f4")
    exact = getattr(np, name)(x.astype("f8"))
    assert (np.abs(call(name, x) - exact) / np.spacing(np.abs(exact).astype("f4"))).max() < 2


# -- special values -----------------------------------------------------------------------------------------------------

SPECIAL = [0.0, 1.0, 0.5, 2.0, 3.0, 7.5, 1e-30, 5e-324, 1e-310, 1e22, 1e308, 2.0**53, 2.0**53 - 1, 709.9, 745.2, INF, NAN]
SPECIAL += [-v for v in SPECIAL[:-1]]
UNARY = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sqrt cbrt erf erfc expit "
    "fabs floor ceil trunc rint square reciprocal"
).split()
BINARY = "atan2 pow hypot logaddexp logaddexp2 copysign nextafter fmax fmin floor_divide remainder fmod divide heaviside".split()


def reference_of(name, *args):
    function = getattr(reference, name)
    return np.array([function(*a) for a in zip(*args, strict=True)])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_one_argument(name, dtype):
    x = np.array(SPECIAL, dtype)
    module = "full" if name in scalarlib.RARE else "math"
    assert_special(call(name, x, module=module), reference_of(name, x), x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BINARY)
def test_special_values_of_two_arguments(name, dtype):
    x, y = (g.ravel() for g in np.meshgrid(*[np.array(SPECIAL, dtype)] * 2))
    module = "full" if name in scalarlib.RARE else "math"
    got, want = call(name, x, y, module=module), reference_of(name, x, y)
    if name in ("fmax", "fmin"):  # either zero may be the larger one
        got, want = got + 0.0, want + 0.0
    assert_special(got, want, x, y)


def assert_special(got, want, *args):
    """NaN, infinities and zeros exactly, finite values within four units."""
    ordinary = np.isfinite(want) & (want != 0) & np.isfinite(got)
    assert_same(np.where(ordinary, 1, got), np.where(ordinary, 1, want), *args)
    off = ordinary & (np.abs(got - want) > 4 * np.spacing(np.abs(want)))
    assert not off.any(), [(*(a[k] for a in args), got[k], want[k]) for k in np.flatnonzero(off)[:5]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floor_divide_and_remainder_of_infinities_as_the_standard_has_them(dtype):
    x = np.array([INF, INF, -INF, -INF, 1, 1, -1, -1, INF, 1, -1, 0.0], dtype)
    y = np.array([2, -2, 2, -2, INF, -INF, INF, -INF, INF, 0.0, 0.0, 0.0], dtype)
    assert_same(call("floor_divide", x, y), np.array([INF, -INF, -INF, INF, 0.0, -0.0, -0.0, 0.0, NAN, INF, -INF, NAN], dtype), x, y)
    want = np.array([NAN, NAN, NAN, NAN, 1, -INF, INF, -1, NAN, NAN, NAN, NAN], dtype)
    assert_same(call("remainder", x, y, module="full"), want, x, y)


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod"])
def test_division_of_floats_is_exact(name):
    rng = np.random.default_rng(5)
    x = rng.standard_normal(4000) * 10.0 ** rng.integers(-5, 6, 4000)
    y = rng.standard_normal(4000) * 10.0 ** rng.integers(-5, 6, 4000)
    x[:2000], y[:2000] = np.round(x[:2000]), np.round(y[:2000])
    x[2000:2500] = np.round(x[2000:2500]) * y[2000:2500]
    for dtype in ("float32", "float64"):
        a, b = x.astype(dtype), y.astype(dtype)
        got = call(name, a, b, module="full" if name in scalarlib.RARE else "math")
        # in float64: NumPy's float32 quotient is off by one from 2^22 on
        want = getattr(np, name)(a.astype("f8"), b.astype("f8")).astype(dtype)
        quotient = np.abs(a.astype("f8") / b)
        exact = quotient < 2.0 ** np.finfo(dtype).nmant  # beyond, a quotient in the format is itself rounded
        assert_same(got[exact], want[exact], a[exact], b[exact])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_maximum_and_minimum_propagate_nan(dtype):
    x, y = np.array([1, NAN, 2, NAN, -INF], dtype), np.array([2, 1, NAN, NAN, INF], dtype)
    assert_same(call("maximum", x, y), np.array([2, NAN, NAN, NAN, INF], dtype))
    assert_same(call("minimum", x, y), np.array([1, NAN, NAN, NAN, -INF], dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_frexp_ldexp_modf(dtype):
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    x = np.concatenate([SPECIAL, np.ldexp(rng.standard_normal(2000), rng.integers(info.minexp - info.nmant, info.maxexp, 2000))]).astype(
        dtype
    )
    for part in (0, 1):
        assert_same(apply(f"math.frexp(x0[i])[{part}]", x), np.frexp(x)[part].astype(dtype), x)
        assert_same(apply(f"math.modf(x0[i])[{part}]", x), np.modf(x)[part], x)
    n = rng.integers(-2 * info.maxexp, 2 * info.maxexp, x.size)
    assert_same(apply("math.ldexp(x0[i], x1[i])", x, n), np.ldexp(x, n), x, n)


def test_predicates():
    x = np.array(SPECIAL)
    for name in ("isnan", "isinf", "isfinite", "signbit"):
        np.testing.assert_array_equal(call(name, x, out="u1"), getattr(np, name)(x))
        np.testing.assert_array_equal(call(name, x.astype("f4"), out="u1"), getattr(np, name)(x.astype("f4")))
    z = np.array([complex(a, b) for a in SPECIAL[-3:] + [1.0, NAN] for b in (0, INF, NAN)])
    for name in ("isnan", "isinf", "isfinite"):
        np.testing.assert_array_equal(call(name, z, out="u1"), getattr(np, name)(z))


# -- complex special values ---------------------------------------------------------------------------------------------

PI = math.pi
# function: [(argument, result)] from the standard's text; a part of the key "?" means that the sign is not specified
COMPLEX_CASES = {
    "exp": [((INF, 0.0), (INF, 0.0)), ((-INF, 1.0), (0.0, 0.0)), ((INF, INF), ("inf?", NAN)), ((-INF, INF), ("0?", "0?")),
        ((-INF, NAN), ("0?", "0?")), ((INF, NAN), ("inf?", NAN)), ((NAN, 0.0), (NAN, 0.0)), ((NAN, 1.0), (NAN, NAN)),
        ((1.0, INF), (NAN, NAN)), ((1.0, NAN), (NAN, NAN)), ((INF, 1.0), (INF, INF)), ((-0.0, 0.0), (1.0, 0.0)),
        ((INF, 1e-40), (INF, INF))],
    "exp2": [((INF, 0.0), (INF, 0.0)), ((-INF, 1.0), (0.0, 0.0)), ((INF, INF), ("inf?", NAN)), ((-INF, INF), ("0?", "0?")),
        ((INF, NAN), ("inf?", NAN)), ((NAN, 0.0), (NAN, 0.0)), ((1.0, INF), (NAN, NAN)), ((INF, 1.0), (INF, INF)),
        ((3.0, -0.0), (8.0, -0.0)), ((-0.0, 0.0), (1.0, 0.0))],
    "expm1": [((0.0, 0.0), (0.0, 0.0)), ((-0.0, 0.0), (0.0, 0.0)), ((1.0, INF), (NAN, NAN)), ((INF, 0.0), (INF, 0.0)),
        ((-INF, 2.0), (-1.0, "0?")), ((-INF, INF), (-1.0, "0?")), ((INF, INF), ("inf?", NAN)), ((-INF, NAN), (-1.0, "0?")),
        ((INF, NAN), ("inf?", NAN)), ((NAN, 0.0), (NAN, 0.0)), ((NAN, 1.0), (NAN, NAN)), ((INF, 2.0), (-INF, INF))],
    "log": [((-0.0, 0.0), (-INF, PI)), ((0.0, 0.0), (-INF, 0.0)), ((1.0, INF), (INF, PI / 2)), ((1.0, NAN), (NAN, NAN)),
        ((-INF, 1.0), (INF, PI)), ((INF, 1.0), (INF, 0.0)), ((-INF, INF), (INF, 3 * PI / 4)), ((INF, INF), (INF, PI / 4)),
        ((INF, NAN), (INF, NAN)), ((-INF, NAN), (INF, NAN)), ((NAN, 1.0), (NAN, NAN)), ((NAN, INF), (INF, NAN))],
    "log1p": [((-1.0, 0.0), (-INF, 0.0)), ((1.0, INF), (INF, PI / 2)), ((1.0, NAN), (NAN, NAN)), ((-INF, 1.0), (INF, PI)),
        ((INF, 1.0), (INF, 0.0)), ((-INF, INF), (INF, 3 * PI / 4)), ((INF, INF), (INF, PI / 4)), ((INF, NAN), (INF, NAN)),
        ((NAN, 1.0), (NAN, NAN)), ((NAN, INF), (INF, NAN))],
    "sqrt": [((0.0, 0.0), (0.0, 0.0)), ((-0.0, 0.0), (0.0, 0.0)), ((1.0, INF), (INF, INF)), ((NAN, INF), (INF, INF)),
        ((1.0, NAN), (NAN, NAN)), ((-INF, 1.0), (0.0, INF)), ((INF, 1.0), (INF, 0.0)), ((-INF, NAN), (NAN, "inf?")),
        ((INF, NAN), (INF, NAN)), ((NAN, 1.0), (NAN, NAN))],
    "sinh": [((0.0, 0.0), (0.0, 0.0)), ((0.0, INF), ("0?", NAN)), ((0.0, NAN), ("0?", NAN)), ((1.0, INF), (NAN, NAN)),
        ((1.0, NAN), (NAN, NAN)), ((INF, 0.0), (INF, 0.0)), ((INF, 1.0), (INF, INF)), ((INF, INF), ("inf?", NAN)),
        ((INF, NAN), ("inf?", NAN)), ((NAN, 0.0), (NAN, 0.0)), ((NAN, 1.0), (NAN, NAN))],
    "cosh": [((0.0, 0.0), (1.0, 0.0)), ((0.0, INF), (NAN, "0?")), ((0.0, NAN), (NAN, "0?")), ((1.0, INF), (NAN, NAN)),
        ((INF, 0.0), (INF, 0.0)), ((INF, 2.0), (-INF, INF)), ((INF, INF), (INF, NAN)), ((INF, NAN), (INF, NAN)),
        ((NAN, 0.0), (NAN, "0?")), ((NAN, 1.0), (NAN, NAN))],
    "tanh": [((0.0, 0.0), (0.0, 0.0)), ((1.0, INF), (NAN, NAN)), ((0.0, INF), (0.0, NAN)), ((1.0, NAN), (NAN, NAN)),
        ((0.0, NAN), (0.0, NAN)), ((INF, 1.0), (1.0, 0.0)), ((INF, INF), (1.0, "0?")), ((INF, NAN), (1.0, "0?")),
        ((NAN, 0.0), (NAN, 0.0)), ((NAN, 1.0), (NAN, NAN))],
    "acos": [((0.0, 0.0), (PI / 2, -0.0)), ((-0.0, 0.0), (PI / 2, -0.0)), ((0.0, NAN), (PI / 2, NAN)), ((1.0, INF), (PI / 2, -INF)),
        ((1.0, NAN), (NAN, NAN)), ((-INF, 1.0), (PI, -INF)), ((INF, 1.0), (0.0, -INF)), ((-INF, INF), (3 * PI / 4, -INF)),
        ((INF, INF), (PI / 4, -INF)), ((INF, NAN), (NAN, "inf?")), ((NAN, 1.0), (NAN, NAN)), ((NAN, INF), (NAN, -INF))],
    "acosh": [((0.0, 0.0), (0.0, PI / 2)), ((-0.0, 0.0), (0.0, PI / 2)), ((1.0, INF), (INF, PI / 2)), ((1.0, NAN), (NAN, NAN)),
        ((0.0, NAN), (NAN, PI / 2)), ((-INF, 1.0), (INF, PI)), ((INF, 1.0), (INF, 0.0)), ((-INF, INF), (INF, 3 * PI / 4)),
        ((INF, INF), (INF, PI / 4)), ((INF, NAN), (INF, NAN)), ((NAN, 1.0), (NAN, NAN)), ((NAN, INF), (INF, NAN))],
    "asinh": [((0.0, 0.0), (0.0, 0.0)), ((1.0, INF), (INF, PI / 2)), ((1.0, NAN), (NAN, NAN)), ((INF, 1.0), (INF, 0.0)),
        ((INF, INF), (INF, PI / 4)), ((INF, NAN), (INF, NAN)), ((NAN, 0.0), (NAN, 0.0)), ((NAN, 1.0), (NAN, NAN)),
        ((NAN, INF), ("inf?", NAN))],
    "atanh": [((0.0, 0.0), (0.0, 0.0)), ((0.0, NAN), (0.0, NAN)), ((1.0, 0.0), (INF, 0.0)), ((1.0, INF), (0.0, PI / 2)),
        ((1.0, NAN), (NAN, NAN)), ((INF, 1.0), (0.0, PI / 2)), ((INF, INF), (0.0, PI / 2)), ((INF, NAN), (0.0, NAN)),
        ((NAN, 1.0), (NAN, NAN)), ((NAN, INF), ("0?", PI / 2))],
    "sign": [((0.0, -0.0), ("0?", "0?")), ((NAN, 1.0), (NAN, NAN)), ((1.0, NAN), (NAN, NAN)), ((-3.0, 4.0), (-0.6, 0.8))],
}  # fmt: skip


def _part_matches(got, want):
    if isinstance(want, str):
        return abs(got) == float(want[:-1])
    if math.isnan(want):
        return math.isnan(got)
    return math.copysign(1, got) == math.copysign(1, want) and (got == want or abs(got - want) <= 1e-6 * abs(want) < INF)


@pytest.mark.parametrize("dtype", daily(["complex64", "complex128"], lambda d: d == "complex128"))
@pytest.mark.parametrize("name", COMPLEX_CASES)
def test_complex_special_values_of_the_standard(name, dtype):
    cases = COMPLEX_CASES[name]
    got = call(name, np.array([complex(*z) for z, _ in cases], dtype))
    for (z, want), value in zip(cases, got, strict=True):
        assert _part_matches(value.real, want[0]), (z, value)
        assert _part_matches(value.imag, want[1]), (z, value)


@pytest.mark.parametrize("name", [n for n in COMPLEX_CASES if n != "sign"] + ["asin", "atan", "sin", "cos", "tan", "log2", "log10"])
def test_complex_functions_commute_with_conjugation(name):
    values = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, INF, -INF]
    z = np.array([complex(a, b) for a in [*values, NAN] for b in values])
    got, mirrored = call(name, z), call(name, z.conj()).conj()
    assert_same(np.where(np.isnan(got), 0, got).real, np.where(np.isnan(got), 0, mirrored).real, z)
    assert_same(np.isnan(got.imag), np.isnan(mirrored.imag), z)
    known = ~np.isnan(got.imag)
    unspecified = (got.imag == 0) & (np.isnan(z) | np.isinf(z))
    assert_same(got.imag[known & ~unspecified], mirrored.imag[known & ~unspecified], z[known & ~unspecified])


@pytest.mark.parametrize("name", ["sqrt", "log", "asin", "acos", "atan", "asinh", "acosh", "atanh"])
def test_branch_cuts_continue_from_the_side_of_the_zeros_sign(name):
    axis = np.array([-3.0, -2.0, -0.5, 0.5, 2.0, 3.0])
    z = np.array([complex(x, s) for x in axis for s in (0.0, -0.0)] + [complex(s, x) for x in axis for s in (0.0, -0.0)])
    want = np.array([getattr(cmath, name)(complex(v)) for v in z])
    got = call(name, z)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)
    assert_same(np.signbit(got.imag), np.signbit(want.imag), z)


def test_complex_division_does_not_overflow_early():
    z = np.array([1e308 + 1e308j, 1e-308 + 1e-308j, 3e-320 + 1e-320j, 1e300 + 0j, 1e-300j])
    w = np.array([1e308 - 1e308j, 1e-308 - 1e-308j, 1e-320 + 3e-320j, 1e-8 + 0j, 1e8 + 0j])
    np.testing.assert_allclose(call("divide", z, w), [1j, 1j, 0.6 - 0.8j, 1e308, 1e-308j], rtol=1e-3)
    np.testing.assert_allclose(call("fabs", z, out="f8")[:2], np.hypot(z.real, z.imag)[:2])


# -- integers -----------------------------------------------------------------------------------------------------------


def integer_pairs(dtype, n=20000):
    """Random pairs over all magnitudes, exact multiples, zero divisors, the lowest and highest values."""
    info, rng = np.iinfo(dtype), np.random.default_rng(11)
    a, b = (rng.integers(info.min, info.max, n, dtype=dtype, endpoint=True) for _ in range(2))
    b = np.where(rng.random(n) < 0.7, b >> rng.integers(0, info.bits, n).astype(dtype), b)
    a[:500] = b[:500] * rng.integers(0, 5, 500).astype(dtype)
    a[500:900], b[500:900] = info.min, info.max if info.min == 0 else -1
    b[900:910] = 0
    a[910:1000], b[910:950] = info.max, 1
    divisor = np.where(b[1000:3000] == 0, 1, b[1000:3000])
    a[1000:3000] = a[1000:3000] // divisor * divisor
    a[2000:3000] -= np.sign(divisor[1000:]).astype(dtype)
    return a, b


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_are_numpys(dtype):
    a, b = integer_pairs(dtype)
    for name in ("floor_divide", "remainder", "fmod", "gcd", "lcm", "maximum", "minimum", "fmax", "fmin"):
        assert_same(call(name, a, b), getattr(np, name)(a, b), a, b)
    for name in ("floor", "rint"):
        assert_same(call(name, a), a)
    for name in ("sign", "square"):
        assert_same(call(name, a), getattr(np, name)(a).astype(dtype), a)
    assert_same(call("fabs", a), np.abs(a), a)
    n = np.abs(b % 9).astype(dtype)
    assert_same(call("pow", a, n), np.power(a, n), a, n)


def test_integers_and_booleans_compute_in_float64():
    for dtype in ("int8", "uint64", "bool"):
        x = np.array([0, 1, 1, 0], dtype)
        np.testing.assert_array_equal(apply("math.exp(x0[i])", x, out="f8"), call("exp", x.astype("f8")))


def test_float32_stays_float32_beside_an_integer_literal():
    llvm = _flat_kernel("maximum", 1, "f4", literal=", 0")._library.get_llvm_str()
    assert "double" not in llvm


# -- the kernels around them --------------------------------------------------------------------------------------------

FLAT = "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh sqrt cbrt erf erfc expit".split()


def _flat_kernel(name, arity, kind, module="math", literal=""):
    operands = ", ".join(f"x{j}[i]" for j in range(arity)) + literal
    namespace = {}
    code = source(f"{module}.{name}({operands})", [kind] * (arity + 1))
    prelude = PRELUDE + "from mtarray._kernels.cpu.intrinsics import *\n"
    exec(f"{prelude}def kernel(lo, hi, args):\n{code}\n", namespace)
    return cfunc("void(int64,int64,int64)", nopython=True, error_model="numpy")(namespace["kernel"])


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or not primitives.HAS_FMA, reason="reads x86 vector code")
@pytest.mark.parametrize(
    ("name", "arity", "kind", "module"),
    [(n, 1, k, "math") for n in FLAT for k in ("f4", "f8")]
    + [(n, 2, k, "math") for n in ("pow", "atan2", "hypot", "logaddexp", "remainder", "floor_divide") for k in ("f4", "f8")]
    + [("sin", 1, "f4", "full"), ("sin", 1, "f8", "full"), ("floor_divide", 2, "i4", "math"), ("exp", 1, "c16", "math")],
)
def test_a_flat_loop_vectorises(name, arity, kind, module):
    llvm = _flat_kernel(name, arity, kind, module)._library.get_llvm_str()
    assert "vector.body" in llvm
    assert f"@{name}" not in llvm, "a call to the C library is left"


def test_results_do_not_depend_on_the_callers_fastmath():
    rng = np.random.default_rng(13)
    x = np.concatenate([rng.uniform(-20, 20, 3000), rng.uniform(0, 1, 3000), SPECIAL])
    for name in FLAT:
        for a in (x, x.astype("f4")):
            assert_same(call(name, a, fastmath=True), call(name, a), a)


@pytest.mark.parametrize("name", ["exp", "log", "sin", "tanh", "pow", "erf", "atan2"])
def test_reference_agrees(name):
    rng = np.random.default_rng(17)
    for dtype in ("float32", "float64"):
        args = [rng.uniform(0.1, 4, 200).astype(dtype) for _ in range(2 if name in accuracy.BINARY else 1)]
        want = reference_of(name, *args)
        assert want.dtype == dtype
        np.testing.assert_allclose(call(name, *args), want, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["sign", "exp2", "expm1", "log1p", "tan", "tanh"])
def test_reference_of_complex_numbers_agrees(name):
    values = [0.0, 1.0, -1.0, 0.5, -3.0, 25.0, 400.0, 1e-3, 1e-8, INF, -INF, NAN]
    rng = np.random.default_rng(23)
    z = np.array([complex(a, b) for a in values for b in values])
    z = np.concatenate([z, rng.standard_normal(100) + 1j * rng.standard_normal(100)])
    got, want = call(name, z), reference_of(name, z)
    finite = np.isfinite(got) & np.isfinite(want)
    np.testing.assert_allclose(got[finite], want[finite], rtol=1e-14)
    for part in ("real", "imag"):
        a, b = getattr(got, part)[~finite], getattr(want, part)[~finite]
        assert ((a == b) | (np.isnan(a) & np.isnan(b)) | (np.isfinite(a) & np.isfinite(b))).all()


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_the_complete_variants_take_complex_numbers(name):
    z = np.array([0.5 + 0.25j, -3 + 1j, 1e10 + 0.5j])
    np.testing.assert_array_equal(call(name, z, module="full"), call(name, z))


def test_reference_has_every_name():
    missing = [name for name in scalarlib.__all__ if not hasattr(reference, name)]
    assert missing == []


PORTABLE = """
import numpy as np
np.seterr(all="ignore")
from mtarray._kernels.scalarlib import primitives
from mtarray_tests import accuracy
assert not primitives.HAS_FMA
for name in "exp log sin tan tanh pow erf asinh cbrt hypot".split():
    for kind in ("f4", "f8"):
        largest, _, worst = accuracy.measure(name, kind, 200)
        assert largest <= 1.5, (name, kind, largest, worst)
for name in "exp log pow atanh divide".split():
    assert accuracy.measure(name, "c16", 200)[0] <= 4, name
print("right")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="other processors have fused multiplication always")
def test_accuracy_without_fused_multiplication(tmp_path):
    environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "MTARRAY_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PORTABLE], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "right", done.stderr[-2000:]
