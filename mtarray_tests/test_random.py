"""`mtarray.random`: results, state, streams and errors of the Generator, with NumPy's as the reference of surface and exceptions."""

import copy
import math
import pickle
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest
from scipy import stats

import mtarray as xp
from mtarray import random
from mtarray._array import Array, from_numpy

N = 50_000


def rng(seed=12345):
    return random.default_rng(seed)


def follows(sample, cdf):
    return stats.kstest(np.asarray(sample).reshape(-1), cdf).pvalue > 1e-3


# ---------------------------------------------------------------------- surface

# method, scalar arguments, array arguments of shape (2,), name of the result's kind
CALLS = [
    ("random", (), None, "f"),
    ("uniform", (1.0, 2.0), ([0.0, 1.0], [1.0, 5.0]), "f"),
    ("integers", (3, 9), ([0, 3], [7, 9]), "i"),
    ("standard_normal", (), None, "f"),
    ("normal", (1.0, 2.0), ([0.0, 1.0], [1.0, 0.0]), "f"),
    ("lognormal", (0.5, 0.1), ([0.0, 1.0], [1.0, 0.5]), "f"),
    ("standard_exponential", (), None, "f"),
    ("exponential", (2.0,), ([1.0, 3.0],), "f"),
    ("laplace", (1.0, 2.0), ([0.0, 1.0], [1.0, 2.0]), "f"),
    ("logistic", (1.0, 2.0), ([0.0, 1.0], [1.0, 2.0]), "f"),
    ("gumbel", (1.0, 2.0), ([0.0, 1.0], [1.0, 2.0]), "f"),
    ("rayleigh", (2.0,), ([1.0, 2.0],), "f"),
    ("weibull", (2.0,), ([1.0, 2.0],), "f"),
    ("standard_gamma", (2.0,), ([0.5, 2.0],), "f"),
    ("gamma", (2.0, 3.0), ([0.5, 2.0], [1.0, 3.0]), "f"),
    ("chisquare", (3.0,), ([1.0, 2.0],), "f"),
    ("standard_t", (5.0,), ([3.0, 5.0],), "f"),
    ("beta", (2.0, 3.0), ([0.5, 2.0], [1.0, 3.0]), "f"),
    ("poisson", (3.0,), ([3.0, 100.0],), "i"),
    ("binomial", (10, 0.3), ([10, 1000], [0.5, 0.1]), "i"),
    ("geometric", (0.3,), ([0.3, 1.0],), "i"),
    ("negative_binomial", (3, 0.5), ([1.0, 3.0], [0.5, 0.9]), "i"),
]


@pytest.mark.parametrize(("name", "scalars", "arrays", "kind"), CALLS)
def test_sizes_and_kinds_are_numpys(name, scalars, arrays, kind):
    ours, theirs = getattr(rng(), name), getattr(np.random.default_rng(1), name)
    assert isinstance(ours(*scalars), {"f": float, "i": int}[kind])
    for size in (0, 3, (2, 3), (), (0, 4)):
        x = ours(*scalars, size=size)
        assert isinstance(x, Array)
        assert x.shape == np.shape(theirs(*scalars, size=size))
        assert x.dtype == {"f": "float64", "i": "int64"}[kind]
    if arrays is None:
        return
    for convert in (list, np.asarray, lambda v: from_numpy(np.asarray(v))):
        arguments = [convert(a) for a in arrays]
        for size in (None, 2, (3, 2)):
            assert ours(*arguments, size=size).shape == np.shape(theirs(*arrays, size=size))
    assert ours(arrays[0], *[np.reshape(a, (2, 1)) for a in arrays[1:]]).shape == (2,) if len(arrays) == 1 else (2, 2)
    with pytest.raises(ValueError, match="does not broadcast to size"):
        ours(*arrays, size=3)


FLOATING = [c for c in CALLS if c[3] == "f"]


@pytest.mark.parametrize(("name", "scalars", "arrays", "kind"), FLOATING)
def test_every_floating_distribution_has_float32(name, scalars, arrays, kind):
    x = getattr(rng(), name)(*scalars, size=(4, 5), dtype="float32")
    assert x.dtype == "float32"
    assert np.isfinite(np.asarray(x)).all()
    if arrays is not None:
        assert getattr(rng(), name)(*arrays, size=(4, 2), dtype=xp.float32).dtype == "float32"
    with pytest.raises(TypeError, match="float32 or float64"):
        getattr(rng(), name)(*scalars, dtype="int64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["random", "standard_normal", "standard_exponential", "standard_gamma"])
def test_out(name, dtype):
    arguments = (2.0,) if name == "standard_gamma" else ()
    expected = getattr(rng(), name)(*arguments, size=(3, 4), dtype=dtype)
    for out in (from_numpy(np.zeros((3, 4), dtype)), from_numpy(np.zeros((8, 3), dtype).T[:, ::2])):
        assert getattr(rng(), name)(*arguments, dtype=dtype, out=out) is out
        assert np.array_equal(np.asarray(out), np.asarray(expected))
    other = "float64" if dtype == "float32" else "float32"
    with pytest.raises(TypeError, match=f"out has dtype {dtype}"):
        getattr(rng(), name)(*arguments, dtype=other, out=out)
    with pytest.raises(ValueError, match="out has shape"):
        getattr(rng(), name)(*arguments, size=5, dtype=dtype, out=out)
    fixed = np.zeros(3, dtype)
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        getattr(rng(), name)(*arguments, dtype=dtype, out=from_numpy(fixed))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_reach_both_ends_of_every_type(dtype):
    least, most = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    x = np.asarray(rng().integers(least, most + 1, size=N, dtype=dtype))
    y = np.asarray(rng().integers(least, most, size=N, dtype=dtype, endpoint=True))
    assert x.dtype == dtype
    assert np.array_equal(x, y)
    assert follows((x.astype(np.float64) - least + np.asarray(rng(1).random(N))) / (most - least + 1.0), "uniform")
    for edge in (least, most):
        assert rng().integers(edge, size=3, high=edge, endpoint=True, dtype=dtype).tolist() == [edge] * 3
    with pytest.raises(ValueError, match="out of bounds"):
        rng().integers(least - 1, most, dtype=dtype)
    with pytest.raises(ValueError, match="out of bounds"):
        rng().integers(least, most + 2, dtype=dtype)


def test_integers_with_array_bounds():
    low = np.array([[-5], [0], [2**40]])
    high = low + np.array([1, 10, 2**41])
    x = np.asarray(rng().integers(low, high, size=(N // 10, 3, 3)))
    assert (x >= low).all()
    assert (x < high).all()
    assert (x[:, :, 0] == low[:, 0]).all()
    for i in range(3):
        assert stats.chisquare(np.bincount(x[:, i, 1] - low[i, 0], minlength=10)).pvalue > 1e-3
        assert follows((x[:, i, 2] - low[i, 0]) / 2.0**41, "uniform")
    with pytest.raises(ValueError, match="out of bounds"):
        rng().integers([0, 5], [10, 257], dtype="uint8")
    assert rng().integers([0, 255], [1, 256], dtype="uint8").tolist() == [0, 255]
    with pytest.raises(ValueError, match="low >= high"):
        rng().integers([0, 5], 5)


# ---------------------------------------------------------------------- distributions composed here


@pytest.mark.parametrize(
    ("name", "arguments", "cdf"),
    [
        ("uniform", (-3.0, 5.0), stats.uniform(-3, 8).cdf),
        ("normal", (10.0, 0.1), stats.norm(10, 0.1).cdf),
        ("lognormal", (0.5, 0.7), stats.lognorm(0.7, scale=math.exp(0.5)).cdf),
        ("exponential", (3.0,), stats.expon(scale=3).cdf),
        ("laplace", (1.0, 2.0), stats.laplace(1, 2).cdf),
        ("logistic", (1.0, 2.0), stats.logistic(1, 2).cdf),
        ("gumbel", (1.0, 2.0), stats.gumbel_r(1, 2).cdf),
        ("rayleigh", (2.0,), stats.rayleigh(scale=2).cdf),
        ("weibull", (1.7,), stats.weibull_min(1.7).cdf),
        ("gamma", (0.4, 3.0), stats.gamma(0.4, scale=3).cdf),
        ("chisquare", (1.5,), stats.chi2(1.5).cdf),
        ("standard_t", (2.5,), stats.t(2.5).cdf),
        ("beta", (0.3, 2.0), stats.beta(0.3, 2).cdf),
    ],
)
def test_distribution(name, arguments, cdf):
    assert follows(getattr(rng(), name)(*arguments, size=N), cdf)
    columns = np.asarray(getattr(rng(), name)(*[np.full(3, a) for a in arguments], size=(N // 3, 3)))
    assert all(follows(c, cdf) for c in columns.T)


def test_negative_binomial():
    x = np.asarray(rng().negative_binomial(3, 0.4, N))
    observed = np.bincount(np.minimum(x, 20), minlength=21)
    pmf = stats.nbinom(3, 0.4).pmf(np.arange(20))
    assert stats.chisquare(observed, N * np.append(pmf, 1 - pmf.sum())).pvalue > 1e-3


def test_multinomial():
    p = [0.1, 0.2, 0.0, 0.7]
    x = np.asarray(rng().multinomial(20, p, size=N))
    assert x.shape == (N, 4)
    assert (x.sum(axis=1) == 20).all()
    assert (x[:, 2] == 0).all()
    assert np.allclose(x.mean(axis=0), 20 * np.array(p), atol=0.05)
    assert np.allclose(np.cov(x.T), 20 * (np.diag(p) - np.outer(p, p)), atol=0.1)
    assert rng().multinomial(5, [1.0]).tolist() == [5]


def test_dirichlet():
    a = np.array([0.5, 2.0, 4.0])
    x = np.asarray(rng().dirichlet(a, N))
    assert np.allclose(x.sum(axis=1), 1.0)
    assert all(follows(x[:, i], stats.beta(a[i], a.sum() - a[i]).cdf) for i in range(3))
    tiny = np.asarray(rng().dirichlet([1e-5, 3e-5], 4000))
    assert np.allclose(tiny.sum(axis=1), 1.0)
    assert abs(tiny[:, 1].mean() - 0.75) < 0.03


@pytest.mark.parametrize("method", ["svd", "eigh", "cholesky"])
def test_multivariate_normal(method):
    mean, cov = [1.0, -2.0, 0.0], np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 0.5]])
    x = np.asarray(rng().multivariate_normal(mean, cov, (5, N // 5), method=method)).reshape(-1, 3)
    assert np.allclose(x.mean(axis=0), mean, atol=0.03)
    assert np.allclose(np.cov(x.T), cov, atol=0.05)
    w = np.linalg.solve(np.linalg.cholesky(cov), (x - mean).T)
    assert all(follows(v, "norm") for v in w)
    assert rng().multivariate_normal(mean, cov).shape == (3,)


def test_many_multivariate_normals_are_those_of_few():
    cov = np.diag([1.0, 2.0, 3.0, 4.0]) + 0.5
    many = np.asarray(rng().multivariate_normal(np.arange(4.0), cov, 70_000))
    few = np.asarray(rng().multivariate_normal(np.arange(4.0), cov, 100))
    assert np.allclose(many[:100], few, rtol=1e-14, atol=1e-14)


def test_multivariate_normal_of_an_invalid_covariance():
    bad = [[1.0, 2.0], [2.0, 1.0]]
    for method in ("svd", "eigh"):
        with pytest.warns(RuntimeWarning, match="positive semidefinite"):
            rng().multivariate_normal([0, 0], bad, method=method)
        with pytest.raises(ValueError, match="positive semidefinite"):
            rng().multivariate_normal([0, 0], bad, check_valid="raise", method=method)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3, 3\)"):
        rng().multivariate_normal([0, 0], np.eye(3))


# ---------------------------------------------------------------------- order


def test_permutation_and_shuffle():
    x = np.arange(24).reshape(4, 6)
    for axis in (0, 1, -1):
        p = np.asarray(rng().permutation(from_numpy(x), axis=axis))
        assert not np.array_equal(p, x)
        assert np.array_equal(p[np.lexsort(p[:, ::-1].T)] if axis == 0 else p[:, np.argsort(p[0])], x)
        ours, theirs = from_numpy(x.copy()), x.copy()
        assert rng().shuffle(ours, axis=axis) is None
        rng().shuffle(theirs, axis=axis)
        assert np.array_equal(np.asarray(ours), p)
        assert np.array_equal(theirs, p)
    items = list("abcdef")
    rng().shuffle(items)
    assert sorted(items) == list("abcdef")
    assert items != list("abcdef")
    assert rng().permutation(0).shape == (0,)
    assert rng().permutation([7]).tolist() == [7]


def test_permuted_shuffles_each_lane_alone():
    x = np.tile(np.arange(5), (20_000, 1))
    p = np.asarray(rng().permuted(from_numpy(x), axis=1))
    assert (np.sort(p, axis=1) == x).all()
    codes = np.unique(p @ (5 ** np.arange(5)), return_counts=True)[1]
    assert codes.size == 120
    assert stats.chisquare(codes).pvalue > 1e-3
    out = xp.asarray([[1, 2], [3, 4]])
    assert rng().permuted(out, out=out) is out
    assert sorted(np.asarray(out).reshape(-1).tolist()) == [1, 2, 3, 4]


@pytest.mark.parametrize("replace", [True, False])
def test_choice_is_uniform(replace):
    x = np.concatenate([np.asarray(g.choice(7, 3, replace=replace)) for g in [rng()] for _ in range(10_000)])
    assert stats.chisquare(np.bincount(x, minlength=7)).pvalue > 1e-3
    assert replace or all(len(set(row)) == 3 for row in x.reshape(-1, 3).tolist())


def test_choice_with_probabilities():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    x = np.asarray(rng().choice(4, N, p=p))
    counts = np.bincount(x, minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[p > 0], N * p[p > 0]).pvalue > 1e-3
    g = rng()
    pairs = [tuple(g.choice(4, 2, replace=False, p=p).tolist()) for _ in range(10_000)]
    expected = {(i, j): p[i] * p[j] / (1 - p[i]) for i in (0, 2, 3) for j in (0, 2, 3) if i != j}
    assert set(pairs) == set(expected)
    assert stats.chisquare([pairs.count(k) for k in expected], [10_000 * v for v in expected.values()]).pvalue > 1e-3


def test_choice_with_probabilities_draws_in_order():
    """Each position of a sample without replacement follows p among what is left: at the start of a long one, p itself."""
    p = np.arange(1.0, 5001.0) / 12_502_500.0
    g = rng()
    for position in (0, 1, 25):
        drawn = [g.choice(5000, 2500, replace=False, p=p).tolist()[position] for _ in range(400)]
        assert follows(np.array(drawn) / 5000.0, lambda x: x**2)


def test_choice_of_few_from_many():
    g = rng()
    x = np.asarray(g.choice(20_000, 300, replace=False))
    assert np.unique(x).size == 300
    pooled = np.concatenate([np.asarray(g.choice(10_100, 200, replace=False)) for _ in range(300)])
    assert follows(pooled / 10_100, "uniform")
    firsts = np.asarray([g.choice(10_100, 3, replace=False).tolist() for _ in range(5000)])
    assert all(follows(firsts[:, i] / 10_100, "uniform") for i in range(3))
    assert 0 <= g.choice(10**15, 2, replace=False).tolist()[1] < 10**15


def test_choice_of_arrays():
    a = from_numpy(np.arange(12).reshape(3, 4) * 10)
    assert rng().choice(a, 5).shape == (5, 4)
    assert rng().choice(a, (2, 2), axis=1).shape == (3, 2, 2)
    assert rng().choice(a).shape == (4,)
    columns = np.asarray(rng().choice(a, 4, replace=False, axis=1))
    assert np.array_equal(np.sort(columns, axis=1), np.asarray(a))
    assert isinstance(rng().choice(5), int)


# ---------------------------------------------------------------------- state


def test_seeds():
    assert rng(5).random() == rng(5).random() == rng(np.random.SeedSequence(5)).random() == rng(np.int64(5)).random()
    assert rng([1, 2]).random() == rng(xp.asarray([1, 2])).random() != rng([2, 1]).random()
    assert rng(None).random() != rng(None).random()
    g = rng()
    assert random.default_rng(g) is g
    with pytest.raises(ValueError, match="seed=-1"):
        rng(-1)
    with pytest.raises(TypeError, match="seed='a'"):
        rng("a")
    with pytest.raises(TypeError, match=r"seed=1\.5"):
        rng(1.5)


FIXED = {
    "state": {"key": 5514401882974304769, "counter": 333809018493855093706229485499236483072},
    "integers": [252, 907, 987, 665, 774],
    "random": [0.45270545784844385, 0.5522846698871586],
    "normal": [-1.294896988125656, -1.7253442913506423],
    "gamma": [0.9489706789050864, 0.9180480256510731],
    "poisson": [1, 48],
    "permutation": [5, 2, 0, 1, 3, 4],
}


def test_the_numbers_of_a_seed_never_change():
    """A published sequence: changing any of these breaks every user's reproducibility."""
    g = rng(2024)
    assert g.state == {"bit_generator": "Philox4x32-10", **FIXED["state"]}
    assert g.integers(0, 1000, 5).tolist() == FIXED["integers"]
    assert g.random(2).tolist() == FIXED["random"]
    assert g.standard_normal(2).tolist() == FIXED["normal"]
    assert g.standard_gamma(0.5, 2).tolist() == FIXED["gamma"]
    assert g.poisson([1.0, 50.0]).tolist() == FIXED["poisson"]
    assert g.permutation(6).tolist() == FIXED["permutation"]


def test_calls_continue_each_other():
    for name, per in (("random", 2), ("standard_normal", 2), ("standard_exponential", 2)):
        g = rng()
        parts = np.concatenate([np.asarray(getattr(g, name)(k * per)) for k in (1, 5, 2000, 3)])
        assert np.array_equal(parts, np.asarray(getattr(rng(), name)(parts.size)))
    g = rng()
    assert g.poisson(3.0, 5).tolist() + g.poisson(3.0, 3000).tolist() == rng().poisson(3.0, 3005).tolist()
    g = rng()
    assert g.random(3).tolist() == rng().random(4).tolist()[:3]


def test_location_and_scale_as_arrays_give_the_same_numbers():
    a = rng().normal(2.0, 3.0, 4000)
    b = rng().normal(np.full(4000, 2.0), np.full(4000, 3.0))
    assert np.array_equal(np.asarray(a), np.asarray(b))
    assert np.array_equal(np.asarray(rng().gamma(0.5, 3.0, 4000)), np.asarray(rng().gamma(np.full(4000, 0.5), 3.0)))


def test_state_pickle_and_copies():
    g = rng()
    g.random(7)
    copies = [pickle.loads(pickle.dumps(g)), copy.copy(g), copy.deepcopy(g)]
    other = rng(99)
    other.state = g.state
    expected = g.random(5).tolist()
    assert all(c.random(5).tolist() == expected for c in [*copies, other])
    assert g.state == other.state
    child, twin = g.spawn(1)[0], pickle.loads(pickle.dumps(g)).spawn(1)[0]
    assert child.random() != twin.random()  # the pickled seed knows that one child exists
    with pytest.raises(TypeError, match="'counter'"):
        g.state = {"key": 1}
    with pytest.raises(ValueError, match="PCG64"):
        g.state = {"bit_generator": "PCG64", "key": 1, "counter": 0}
    with pytest.raises(ValueError, match=r"2\*\*64"):
        g.state = {"bit_generator": "Philox4x32-10", "key": 2**64, "counter": 0}


def test_spawned_and_jumped_streams_differ():
    g = rng()
    streams = [g, *g.spawn(3), *g.spawn(2), g.jumped(), g.jumped(2)]
    samples = [np.asarray(s.random(2000)) for s in streams]
    assert np.unique(np.concatenate(samples)).size == 2000 * len(streams)
    assert np.abs(np.corrcoef(samples) - np.eye(len(streams))).max() < 0.1
    assert rng().jumped(2).random() == rng().jumped().jumped().random()
    a, b = rng().spawn(2)
    assert [a.random(), b.random()] == [c.random() for c in rng().spawn(2)]

    class Words:
        def generate_state(self, n, dtype):
            return np.arange(n, dtype=dtype)

    assert random.default_rng(Words()).state["key"] == 1 << 32
    with pytest.raises(TypeError, match="no method spawn"):
        random.default_rng(Words()).spawn(1)


def test_the_end_of_a_stream_starts_the_next():
    g = rng()
    g.state = {"bit_generator": "Philox4x32-10", "key": 5, "counter": (7 << 96) + 2**64 - 2}
    x = g.random(10)
    assert g.state["counter"] == (8 << 96) + 3
    assert np.unique(np.asarray(x)).size == 10


def test_threads_share_a_generator():
    g = rng()
    with ThreadPoolExecutor(16) as pool:
        parts = list(pool.map(lambda _: tuple(g.random(1000).tolist()), range(64)))
    whole = np.asarray(rng().random(64_000)).reshape(64, 1000).tolist()
    assert sorted(parts) == sorted(map(tuple, whole))
    with ThreadPoolExecutor(1) as pool:
        with g._lock:  # the interpreter lock alone hides a missing one on most versions
            waiting = pool.submit(g.random)
            assert not wait([waiting], timeout=0.1).done
        assert 0.0 <= waiting.result(timeout=10) < 1.0


def test_bytes():
    assert rng().bytes(10) == rng().bytes(64)[:10]
    counts = np.bincount(np.frombuffer(rng().bytes(256 * 400), np.uint8), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-3


# ---------------------------------------------------------------------- errors

BAD = [
    ("random", {"size": -1}),
    ("random", {"size": (2, -3)}),
    ("random", {"size": 1.5}),
    ("random", {"dtype": "int32"}),
    ("integers", {"low": 0}),
    ("integers", {"low": 5, "high": 5}),
    ("integers", {"low": 0, "high": 300, "dtype": "uint8"}),
    ("integers", {"low": 0, "high": 3, "dtype": "float64"}),
    ("normal", {"scale": -1.0}),
    ("normal", {"scale": [1.0, -1.0]}),
    ("normal", {"scale": [1.0, 2.0], "loc": [1.0, 2.0, 3.0]}),
    ("lognormal", {"sigma": -1.0}),
    ("uniform", {"low": 0.0, "high": math.inf}),
    ("exponential", {"scale": -1.0}),
    ("gamma", {"shape": -1.0}),
    ("gamma", {"shape": 1.0, "scale": -1.0}),
    ("standard_gamma", {"shape": -1.0}),
    ("beta", {"a": 0.0, "b": 1.0}),
    ("beta", {"a": 1.0, "b": [1.0, -1.0]}),
    ("chisquare", {"df": 0.0}),
    ("standard_t", {"df": 0.0}),
    ("poisson", {"lam": -1.0}),
    ("poisson", {"lam": math.nan}),
    ("poisson", {"lam": 1e19}),
    ("binomial", {"n": -1, "p": 0.5}),
    ("binomial", {"n": 1, "p": 1.5}),
    ("binomial", {"n": 1, "p": [0.5, math.nan]}),
    ("geometric", {"p": 0.0}),
    ("geometric", {"p": 1.1}),
    ("negative_binomial", {"n": 0, "p": 0.5}),
    ("negative_binomial", {"n": 1, "p": 0.0}),
    ("rayleigh", {"scale": -1.0}),
    ("multinomial", {"n": 3, "pvals": [0.9, 0.9, 0.1]}),
    ("permutation", {"x": [1, 2], "axis": 3}),
    ("shuffle", {"x": (1, 2)}),
    ("dirichlet", {"alpha": [1.0, -1.0]}),
    ("choice", {"a": 0}),
    ("choice", {"a": 3, "size": 4, "replace": False}),
    ("choice", {"a": 3, "p": [0.5, 0.5]}),
    ("choice", {"a": 2, "p": [0.5, 0.6]}),
    ("choice", {"a": 2, "p": [-0.5, 1.5]}),
    ("choice", {"a": 3, "p": [1.0, 0.0, 0.0], "size": 2, "replace": False}),
    ("choice", {"a": 3, "size": -1}),
]


@pytest.mark.parametrize(("name", "arguments"), BAD)
def test_bad_arguments_are_refused_as_numpy_refuses_them(name, arguments):
    with pytest.raises((ValueError, TypeError, OverflowError, IndexError)) as theirs:
        getattr(np.random.default_rng(1), name)(**arguments)
    g = rng()
    before = g.state
    with pytest.raises((ValueError, TypeError, OverflowError)) as ours:
        getattr(g, name)(**arguments)
    assert ours.type is theirs.type or issubclass(theirs.type, ours.type)
    assert len(str(ours.value)) > 15
    assert g.state == before


# NumPy answers these with NaN, an empty array or a hang
MORE = [
    ("gamma", {"shape": [1.0, math.nan]}),
    ("standard_gamma", {"shape": math.nan}),
    ("dirichlet", {"alpha": [0.0, 0.0]}),
    ("dirichlet", {"alpha": 1.0}),
    ("permutation", {"x": -1}),
    ("bytes", {"length": -1}),
    ("binomial", {"n": 2.5, "p": 0.5}),
    ("binomial", {"n": 2**54, "p": 0.5}),
    ("integers", {"low": 0.5, "high": 3}),
    ("normal", {"loc": 1j}),
    ("choice", {"a": 3, "p": [0.5, 0.5, math.nan]}),
    ("multivariate_normal", {"mean": [0.0], "cov": [[1.0]], "method": "lu"}),
    ("multivariate_normal", {"mean": [0.0], "cov": [[1.0]], "check_valid": "maybe"}),
    ("standard_exponential", {"method": "ziggurat"}),
]


@pytest.mark.parametrize(("name", "arguments"), MORE)
def test_more_bad_arguments(name, arguments):
    g = rng()
    before = g.state
    with pytest.raises((ValueError, TypeError)) as error:
        getattr(g, name)(**arguments)
    assert len(str(error.value)) > 15
    assert g.state == before
