"""The random kernels: Philox against published vectors, tiers and threads bit for bit, every distribution by statistics."""

import math
import subprocess
import sys
from collections import Counter

import mpmath
import numpy as np
import pytest
from scipy import stats

from mtarray._kernels.cpu import driver, random_core, random_kernels, random_shuffle
from mtarray._kernels.cpu import random as engine

KEY = 0x9D2C5680EFC60000
COUNTER = (11 << 96) + 2**64 - 3  # the block number wraps after three
PARAMETERS = {
    "gamma": [(2.5, 0.0), (0.3, 0.0), (1e-3, 0.0), (0.0, 0.0), (1e6, 0.0)],
    "beta": [(0.5, 0.5), (1e-3, 1e-3), (3.0, 20.0)],
    "poisson": [(0.0, 0.0), (3.0, 0.0), (9.99, 0.0), (10.0, 0.0), (1e3, 0.0), (1e15, 0.0)],
    "binomial": [(0, 0.5), (5, 0.0), (5, 1.0), (10, 0.3), (20, 0.9), (100, 0.3), (1000, 0.7), (2**50, 1e-14), (2**53, 0.5)],
    "geometric": [(0.1, 0.0), (1.0, 0.0), (1e-19, 0.0)],
}
# Random123 1.14, tests/kat_vectors, philox4x32 with 10 rounds: counter, key, result
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def little(words):
    return sum(int(w, 16) << 32 * i for i, w in enumerate(words.split()))


@pytest.fixture
def mode():
    yield engine.set_mode
    engine.set_mode("auto")


def both(mode, draw):
    mode("python")
    plain = draw()
    mode("numba")
    return plain, draw()


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
@pytest.mark.parametrize("tier", ["python", "numba"])
def test_published_vectors(mode, tier, counter, key, expected):
    mode(tier)
    words = engine.words(little(key), little(counter), 4)
    assert " ".join(f"{w:08x}" for w in words) == expected


# ---------------------------------------------------------------------- the same bits


@pytest.mark.parametrize("name", random_core.DENSE)
def test_dense_tiers_agree(mode, name):
    dtype = np.float32 if name.endswith("32") else np.float64
    for n in (1, 2, 3, 5, 4 * random_kernels.CHUNK_BLOCKS + 3):
        plain, compiled = both(mode, lambda n=n: engine.dense(name, KEY, COUNTER, (n,), dtype, 0.25, 1.5))
        assert plain.dtype == compiled.dtype == dtype
        assert np.array_equal(plain, compiled)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])
def test_integer_tiers_agree(mode, dtype):
    least, most = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    width = most - least + 1
    for low, span in [(least, width), (most - 1, 2), (most, 1), (least, min(100, width)), (least, width * 3 // 4), (least, width // 2 + 1)]:
        for n in (1, 3, 1000, 4 * random_kernels.CHUNK_BLOCKS + 1):
            plain, compiled = both(mode, lambda n=n, low=low, span=span: engine.integers(KEY, COUNTER, (n,), dtype, low, span))
            assert compiled.dtype == dtype
            assert np.array_equal(plain, compiled)
            assert low <= int(plain.min()) <= int(plain.max()) < low + span


@pytest.mark.parametrize("name", random_core.ATTEMPTS)
def test_attempt_tiers_agree(mode, name):
    dtypes = (np.float32, np.float64) if name in ("gamma", "beta") else (np.int64,)
    for dtype in dtypes:
        for a, b in PARAMETERS[name]:
            for n in (1, 3000):
                plain, compiled = both(mode, lambda n=n, a=a, b=b, dtype=dtype: engine.attempts(name, KEY, COUNTER, (n,), dtype, a, b))
                assert compiled.dtype == dtype
                assert np.array_equal(plain, compiled)
                assert np.isfinite(plain).all()


@pytest.mark.parametrize("name", random_core.ATTEMPTS)
def test_array_parameters_give_each_element_its_own_number(mode, name):
    a, b = (np.array(p, np.float64) for p in zip(*PARAMETERS[name], strict=True))
    dtype = np.float64 if name in ("gamma", "beta") else np.int64
    n = 1500
    shape = (n, a.size)
    plain, compiled = both(mode, lambda: engine.attempts(name, KEY, COUNTER, shape, dtype, a, b))
    assert np.array_equal(plain, compiled)
    for i in range(a.size):
        alone = engine.attempts(name, KEY, COUNTER, shape, dtype, a[i], b[i])
        assert np.array_equal(alone[:, i], plain[:, i])


def test_pieces_of_parameters_join(monkeypatch):
    lam = np.linspace(0.0, 40.0, 5000).reshape(50, 100).T
    whole = engine.attempts("poisson", KEY, COUNTER, lam.shape, np.int64, lam)
    monkeypatch.setattr(engine, "PIECE", 333)
    assert np.array_equal(engine.attempts("poisson", KEY, COUNTER, lam.shape, np.int64, lam), whole)
    low = np.uint64(2**63) + np.arange(5000, dtype=np.uint64)
    span = np.arange(1, 5001, dtype=np.uint64)
    monkeypatch.setattr(engine, "PIECE", 1 << 17)
    whole = engine.integers_between(KEY, COUNTER, (5000,), np.uint64, low, span)
    assert ((whole >= low) & (whole - low < span)).all()
    monkeypatch.setattr(engine, "PIECE", 334)
    assert np.array_equal(engine.integers_between(KEY, COUNTER, (5000,), np.uint64, low, span), whole)


def test_array_bounds_draw_as_scalar_bounds_do():
    for span in (3, 10**6 * 7, 2**63 + 5):
        scalar = engine.integers(KEY, COUNTER, (5000,), np.uint64, 9, span)
        array = engine.integers_between(KEY, COUNTER, (5000,), np.uint64, np.full(5000, 9, np.uint64), np.full(5000, span, np.uint64))
        assert (engine.integer_bits(span) == 32) == (span == 3)
        if span != 3:
            assert np.array_equal(scalar, array)
    full = engine.integers_between(KEY, COUNTER, (100,), np.int64, np.uint64(2**63), np.uint64(0))
    assert np.array_equal(full, engine.integers(KEY, COUNTER, (100,), np.int64, -(2**63), 2**64))


def test_threads_do_not_matter():
    before = driver.get_num_threads()
    n = 200_001
    results = []
    try:
        for threads in (1, 2, 3, 8):
            driver.set_num_threads(threads)
            results.append(
                [
                    engine.dense("normal_f64", KEY, COUNTER, (n,), np.float64),
                    engine.dense("uniform_f32", KEY, COUNTER, (n,), np.float32),
                    engine.integers(KEY, COUNTER, (n,), np.int64, 0, 2**63 + 1),
                    engine.attempts("gamma", KEY, COUNTER, (n,), np.float64, 0.7),
                    engine.attempts("poisson", KEY, COUNTER, (n,), np.int64, np.linspace(0, 30, n)),
                    random_shuffle.permutation(KEY, COUNTER, n),
                ]
            )
    finally:
        driver.set_num_threads(before)
    for other in results[1:]:
        for x, y in zip(results[0], other, strict=True):
            assert np.array_equal(x, y)


def test_a_call_is_the_start_of_a_longer_one():
    long = engine.dense("normal_f32", KEY, COUNTER, (10_000,), np.float32)
    assert np.array_equal(engine.dense("normal_f32", KEY, COUNTER, (5,), np.float32), long[:5])
    rest = engine.dense("normal_f32", KEY, (11 << 96) + 2**64 - 3 + 1250 - 2**64, (5_000,), np.float32)
    assert np.array_equal(rest, long[5000:])


def test_output_may_have_any_strides():
    expected = engine.dense("uniform_f64", KEY, COUNTER, (40, 60), np.float64)
    out = np.zeros((60, 80)).T[::2]
    assert engine.dense("uniform_f64", KEY, COUNTER, (40, 60), np.float64, out=out) is out
    assert np.array_equal(out, expected)


def test_empty():
    assert engine.dense("uniform_f64", KEY, COUNTER, (0, 3), np.float64).shape == (0, 3)
    assert engine.integers(KEY, COUNTER, (0,), np.int8, 0, 3).dtype == np.int8
    assert engine.attempts("poisson", KEY, COUNTER, (2, 0), np.int64, 3.0).shape == (2, 0)
    assert engine.integers_between(KEY, COUNTER, (0,), np.int8, np.uint64(0), np.uint64(3)).size == 0


def test_small_requests_import_no_compiler():
    code = """
import sys
from mtarray._kernels.cpu import random as engine, random_shuffle
engine.dense("normal_f64", 1, 0, (500,), "f8"); engine.integers(1, 0, (500,), "i8", 0, 7)
engine.attempts("poisson", 1, 0, (500,), "i8", 3.0); random_shuffle.permutation(1, 0, 500)
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---------------------------------------------------------------------- formulas


def ulps(got, reference, x):
    worst = 0.0
    with mpmath.workdps(40):
        for g, v in zip(got.tolist(), x.tolist(), strict=True):
            exact = reference(mpmath.mpf(v))
            worst = max(worst, float(abs(mpmath.mpf(g) - exact)) / math.ulp(float(exact)))
    return worst


def test_elementary_functions_are_accurate():
    rng = np.random.default_rng(0)
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 1000), rng.uniform(0.5, 2.0, 1000), 1.0 - 2.0 ** -np.arange(2.0, 53.0)])
    assert ulps(random_core.log(x), mpmath.log, x) <= 2.0
    x = rng.uniform(-700.0, 700.0, 2000)
    assert ulps(random_core.exp(x), mpmath.exp, x) <= 2.0
    x = np.concatenate([-(10.0 ** rng.uniform(-20, -0.01, 1000)), 10.0 ** rng.uniform(-20, 3, 1000)])
    assert ulps(random_core.log1p(x), mpmath.log1p, x) <= 3.0
    assert random_core.exp(np.array([-1e9, -746.0])).tolist() == [0.0, 0.0]


def test_cosine_and_sine_of_a_turn():
    w = np.random.default_rng(0).integers(0, 2**64, 2000, dtype=np.uint64)
    c, s = random_core.cos_sin_turn(w)
    with mpmath.workdps(40):
        for i, turn in enumerate(w.tolist()):
            assert abs(float(mpmath.cos(2 * mpmath.pi * turn / 2**64) - c[i])) < 3e-16
            assert abs(float(mpmath.sin(2 * mpmath.pi * turn / 2**64) - s[i])) < 3e-16
    c, s = random_core.cos_sin_turn(np.array([0, 1 << 62, 2 << 62, 3 << 62], np.uint64))
    assert np.array_equal(np.round(c, 15), [1, 0, -1, 0])
    assert np.array_equal(np.round(s, 15), [0, 1, 0, -1])


def test_units_are_open_where_a_logarithm_follows():
    ends = np.array([0, 2**64 - 1], np.uint64)
    assert random_core.open_unit(ends).tolist() == [2.0**-53, 1.0 - 2.0**-53]
    assert random_core.tail_unit(ends).tolist() == [2.0**-64, 1.0]
    z = random_core.normal_f64(*(np.array([v], np.uint64) for v in (0, 0, 0, 0)))
    assert z[0][0] == pytest.approx(math.sqrt(128 * math.log(2)))


def test_counts_have_the_right_probabilities_where_they_are_far_from_zero():
    """The accepted-with probabilities of the rejection methods rest on these two."""
    k = np.arange(1.0, 200.0)
    for mean in (10.0, 50.0, 120.0):
        log_pmf = -random_core.deviance(mean, k) - random_core.HALF_LOG_2PI - 0.5 * random_core.log(k) - random_core.stirling(k)
        assert np.allclose(log_pmf, stats.poisson.logpmf(k, mean), rtol=1e-11, atol=1e-11)
    k = np.arange(0.0, 101.0)
    assert np.allclose(random_core.binomial_log_pmf(k, 100.0, 30.0, 70.0), stats.binom.logpmf(k, 100, 0.3), rtol=1e-11, atol=1e-11)


# ---------------------------------------------------------------------- distributions

N = 200_000
CONTINUOUS = {
    "uniform_f64": stats.uniform(),
    "normal_f64": stats.norm(),
    "normal_f32": stats.norm(),
    "exponential_f64": stats.expon(),
    "exponential_f32": stats.expon(),
    "laplace_f64": stats.laplace(),
    "logistic_f64": stats.logistic(),
    "gumbel_f64": stats.gumbel_r(),
    "uniform_f32": stats.uniform(),
}


def assert_follows(sample, distribution):
    assert stats.kstest(sample, distribution.cdf).pvalue > 1e-3


def assert_counts(sample, pmf):
    """Chi-square test against probabilities of 0, 1, 2, ...; rare outcomes are pooled."""
    expected = np.asarray(pmf) * sample.size
    observed = np.bincount(sample, minlength=expected.size)
    assert observed.size == expected.size
    keep = expected >= 10
    observed = np.append(observed[keep], observed[~keep].sum())
    expected = np.append(expected[keep], sample.size - expected[keep].sum())
    if expected[-1] < 5:
        observed, expected = observed[:-1], expected[:-1]
        expected = expected * (observed.sum() / expected.sum())
    assert stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("name", CONTINUOUS)
def test_dense_distribution(name):
    dtype = np.float32 if name.endswith("32") else np.float64
    x = engine.dense(name, KEY, COUNTER, (N,), dtype)
    assert_follows(x, CONTINUOUS[name])
    # neighbours (the results of one block among them) and elements one block apart are uncorrelated
    for lag in (1, 2, 3, 4):
        assert abs(stats.spearmanr(x[:-lag], x[lag:]).statistic) < 4 / math.sqrt(N)
        assert abs(stats.spearmanr(np.abs(x[:-lag] - np.median(x)), np.abs(x[lag:] - np.median(x))).statistic) < 4 / math.sqrt(N)


def test_uniform_uses_the_whole_mantissa():
    x = engine.dense("uniform_f64", KEY, COUNTER, (N,), np.float64)
    bits = (x * 2.0**53).astype(np.uint64)
    assert np.array_equal(bits * 2.0**-53, x)
    assert bits.max() < 2**53
    y = engine.dense("uniform_f32", KEY, COUNTER, (N,), np.float32)
    low = (y.astype(np.float64) * 2.0**24).astype(np.uint64)
    assert np.array_equal(low * 2.0**-24, y)
    for values, width in ((bits, 53), (low, 24)):
        for bit in range(width):
            assert abs(np.count_nonzero(values >> np.uint64(bit) & np.uint64(1)) - N / 2) < 4.5 * math.sqrt(N) / 2


@pytest.mark.parametrize(("dtype", "deviations"), [(np.float32, (4.0, 4.5)), (np.float64, (4.0, 4.5, 5.0))])
def test_normal_tails(dtype, deviations):
    n = 4_000_000
    z = np.abs(engine.dense("normal_f32" if dtype == np.float32 else "normal_f64", KEY, 0, (n,), dtype))
    for d in deviations:
        assert stats.poisson.cdf(np.count_nonzero(z > d), 2 * stats.norm.sf(d) * n) == pytest.approx(0.5, abs=0.4995)


@pytest.mark.parametrize("shape", [0.01, 0.3, 0.999, 1.0, 2.5, 100.0])
def test_gamma(shape):
    assert_follows(engine.attempts("gamma", KEY, COUNTER, (N,), np.float64, shape), stats.gamma(shape))


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (2.0, 3.0), (0.2, 5.0), (30.0, 1.0)])
def test_beta(a, b):
    assert_follows(engine.attempts("beta", KEY, COUNTER, (N,), np.float64, a, b), stats.beta(a, b))


@pytest.mark.parametrize("lam", [0.01, 1.0, 5.0, 9.99, 10.0, 14.5, 80.0, 1000.0])
def test_poisson(lam):
    x = engine.attempts("poisson", KEY, COUNTER, (N,), np.int64, lam)
    assert_counts(x, stats.poisson(lam).pmf(np.arange(x.max() + 1)))


@pytest.mark.parametrize("lam", [1e6, 1e10, 1e14])
def test_poisson_of_a_large_mean(lam):
    x = engine.attempts("poisson", KEY, COUNTER, (N,), np.int64, lam)
    assert_follows((x - lam) / math.sqrt(lam) + engine.dense("uniform_f64", KEY, 0, (N,), np.float64) / math.sqrt(lam), stats.norm())


@pytest.mark.parametrize(
    ("n", "p"), [(1, 0.5), (10, 0.3), (10, 0.8), (19, 0.5), (20, 0.5), (100, 0.05), (100, 0.3), (100, 0.9), (1000, 0.7), (10**6, 1e-6)]
)
def test_binomial(n, p):
    x = engine.attempts("binomial", KEY, COUNTER, (N,), np.int64, n, p)
    assert_counts(x, stats.binom(n, p).pmf(np.arange(x.max() + 1)))


def test_binomial_of_many_trials():
    n, p = 2**53, 0.3
    x = engine.attempts("binomial", KEY, COUNTER, (N,), np.int64, n, p)
    assert_follows((x - n * p) / math.sqrt(n * p * (1 - p)), stats.norm())


@pytest.mark.parametrize("p", [0.02, 0.5, 0.97])
def test_geometric(p):
    x = engine.attempts("geometric", KEY, COUNTER, (N,), np.int64, p)
    assert x.min() == 1
    assert_counts(x - 1, stats.geom(p).pmf(np.arange(1, x.max() + 1)))


@pytest.mark.parametrize("span", [2, 3, 10, 1000])
def test_small_integers(span):
    assert_counts(engine.integers(KEY, COUNTER, (N,), np.int64, 0, span), np.full(span, 1 / span))


@pytest.mark.parametrize("span", [2**20, 3 * 2**20, 2**32 - 1, 3 * 2**62, 2**63 + 1, 2**64])
def test_large_integers(span):
    x = engine.integers(KEY, COUNTER, (N,), np.uint64, 0, span)
    assert_follows(x / span, stats.uniform())
    if span % 3 == 0 and span > 2**32:  # what a product without rejection would get wrong
        assert_counts((x % np.uint64(3)).astype(np.int64), [1 / 3] * 3)


# ---------------------------------------------------------------------- permutations


def test_permutation_tiers_agree(mode):
    for n in (0, 1, 2, 3, 7, 300, 2048):
        plain, compiled = both(mode, lambda n=n: random_shuffle.permutation(KEY, COUNTER, n))
        assert np.array_equal(plain, compiled)
        assert np.array_equal(np.sort(plain), np.arange(n))


@pytest.mark.parametrize("n", [32768, 32769, 300_003])
def test_large_permutation(n):
    p = random_shuffle.permutation(KEY, COUNTER, n)
    assert np.array_equal(np.sort(p), np.arange(n))
    assert abs(stats.spearmanr(p, np.arange(n)).statistic) < 4 / math.sqrt(n)
    assert abs(np.count_nonzero(np.diff(p) > 0) - n / 2) < 4 * math.sqrt(n / 12)


@pytest.mark.parametrize("buckets", [False, True])
def test_every_permutation_is_equally_likely(mode, monkeypatch, buckets):
    mode("numba")
    if buckets:
        monkeypatch.setattr(random_shuffle, "LEAF", 2)
    seen = Counter(tuple(random_shuffle.permutation(KEY, 10 * i, 4).tolist()) for i in range(24_000))
    assert len(seen) == 24
    assert stats.chisquare(list(seen.values())).pvalue > 1e-3
