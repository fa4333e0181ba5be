"""Sorting, searching, set functions and counting of the CPU engine against NumPy: values, bits of zeros, ties, layouts, threads."""

import zlib

import numpy as np
import pytest

from mtarray import sets as public_sets
from mtarray import sorting
from mtarray._kernels.cpu import driver, histogram, search, sets, sort

REAL = ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
DTYPES = [*REAL, "c8", "c16"]
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.T,
    "negative": lambda x: x[::-1, ::-2],
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.fixture(autouse=True)
def _quiet():
    """The engine's contract: its caller suppresses NumPy's error state."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture
def kernels(monkeypatch):
    """Buckets and counts at every size."""
    monkeypatch.setattr(sort, "_BUCKETS", 1)
    monkeypatch.setattr(histogram, "COUNT_CROSSOVER", 1)


def sample(dtype, shape, ties=False, seed=0):
    """Values over the dtype's whole range, or few of them (`ties`); floats with NaN, infinities and zeros of both signs."""
    rng = np.random.default_rng([seed, zlib.crc32(dtype.encode())])
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.random(shape) < 0.5
    if d.kind in "iu":
        info = np.iinfo(d)
        x = rng.integers(info.min, info.max, shape, dtype=d, endpoint=True)
        return (x % 23).astype(d) if ties else x
    if d.kind == "c":
        return (rng.integers(-3, 4, shape) + 1j * rng.integers(-3, 4, shape)).astype(d)
    x = rng.standard_normal(shape).astype(d)
    if ties:
        x = np.round(4 * x)
    special = rng.random(shape)
    for i, value in enumerate((np.nan, np.inf, -np.inf, 0.0, -0.0)):
        x = np.where((special > i * 0.02) & (special < (i + 1) * 0.02), d.type(value), x)
    return x


def assert_same(ours, theirs):
    """Equal shape, dtype and values, NaN in the same places, zeros of the same sign."""
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    if ours.dtype.kind == "f":
        numbers = ~np.isnan(ours)
        np.testing.assert_array_equal(np.signbit(ours)[numbers], np.signbit(theirs)[numbers])


def stable_order(x, axis, descending):
    """Indices of a stable sort; the descending one is that of the reversed array, reversed."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)


def check_sorts(x, axis):
    """The kernels, and what the floor above makes of it."""
    above = [(sorting.sorted_along.op.implementation, sorting.order_along.op.implementation)]
    for sorts, orders in above if x.dtype.kind == "c" else [*above, (sort.sort, sort.argsort)]:
        for descending in (False, True):
            order = stable_order(x, axis, descending)
            assert_same(orders(x, axis=axis, descending=descending, stable=True), order)
            expected = np.take_along_axis(x, order, axis)
            assert_same(sorts(x, axis=axis, descending=descending, stable=True), expected)
            np.testing.assert_array_equal(sorts(x, axis=axis, descending=descending, stable=False), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ties", [False, True])
def test_sort_and_argsort_along_each_axis(kernels, dtype, layout, ties):
    x = LAYOUTS[layout](sample(dtype, (37, 300), ties))
    for axis in (0, 1, -1):
        check_sorts(x, axis)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (1,), (2,), (0, 3), (3, 0), (5, 1), (1, 3000), (2, 3, 50)])
def test_sort_of_odd_shapes(kernels, dtype, shape):
    for axis in range(len(shape)):
        check_sorts(sample(dtype, shape), axis)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("ties", [False, True])
def test_one_long_row(kernels, dtype, ties):
    check_sorts(sample(dtype, (60_000,), ties), 0)


@pytest.mark.parametrize("dtype", ["?", "u2", "i8", "f4"])
def test_a_million(dtype):
    x = sample(dtype, (1_000_000,))
    assert_same(sort.sort(x), np.sort(x, kind="stable"))
    assert_same(sort.argsort(x), np.argsort(x, kind="stable"))
    rows = x.reshape(2, 500_000)
    assert_same(sort.sort(rows), np.sort(rows, kind="stable"))
    assert_same(sort.argsort(rows), np.argsort(rows, kind="stable"))


@pytest.mark.parametrize("descending", [False, True])
def test_keys_that_differ_in_their_last_bits_only(kernels, descending):
    """Words too short for the whole key: few ties are mended, a mass of them goes to NumPy."""
    rng = np.random.default_rng(0)
    few = np.concatenate([rng.standard_normal(30_000), 1.0 + rng.integers(0, 9, 30) * 2.0**-52])
    mass = np.concatenate([1.0 + rng.permutation(60_000) * 2.0**-52, [1e300, -1e300]])
    for x in (few, mass, np.stack([mass, mass[::-1]])):
        order = stable_order(x, -1, descending)
        assert_same(sort.argsort(x, -1, descending), order)
        assert_same(sort.sort(x, -1, descending), np.take_along_axis(x, order, -1))


@pytest.mark.parametrize(
    "x",
    [
        np.zeros(50_000),
        np.arange(50_000)[::-1].copy(),
        np.repeat([3, 1, 2], 20_000),
        np.where(np.arange(50_000) % 5000 == 0, 2**62, np.arange(50_000) % 7),
        np.where(np.arange(50_000) % 2 == 0, 0.0, -0.0),
        np.full(50_000, np.nan),
        10.0 ** np.random.default_rng(0).uniform(-300, 300, 50_000),
    ],
    ids=["equal", "reversed", "blocks", "outliers", "zeros", "nan", "exponents"],
)
def test_distributions_a_sample_does_not_foresee(kernels, x):
    check_sorts(x, 0)


@pytest.mark.parametrize("dtype", [d for d in REAL if d != "?"])
@pytest.mark.parametrize("m", [0, 1, 3, 10, 1000, 20_000])
@pytest.mark.parametrize("spread", ["even", "ties", "skewed", "members"])
def test_searchsorted(kernels, dtype, m, spread):
    rng = np.random.default_rng(m)
    table = sample(dtype, (m,), spread == "ties")
    if spread == "skewed":
        table = (np.exp(15 * rng.random(m)) % 1e9).astype(dtype)
    table = np.sort(table)
    for n in (1, 127, 128, 129, 5003):
        queries = rng.choice(table, n) if spread == "members" and m else sample(dtype, (n,), spread == "ties", 1)
        for side in ("left", "right"):
            assert_same(search.searchsorted(table, queries, side), np.searchsorted(table, queries, side))


def test_searchsorted_of_layouts_dtypes_and_sorter(kernels):
    rng = np.random.default_rng(0)
    table, queries = np.sort(rng.standard_normal(2000))[::3], rng.standard_normal((40, 50)).T
    assert_same(search.searchsorted(table, queries), np.searchsorted(table, queries))
    assert_same(search.searchsorted(table, queries.astype("f4")), np.searchsorted(table, queries.astype("f4")))
    shuffled = rng.permutation(table)
    assert_same(search.searchsorted(shuffled, queries, sorter=np.argsort(shuffled)), np.searchsorted(table, queries))
    with pytest.raises(ValueError, match="middle"):
        search.searchsorted(table, queries, "middle")


def test_searchsorted_compares_integers_of_different_signs_exactly(kernels):
    table = np.array([0, 2**53, 2**53 + 1, 2**63 - 1], np.int64)
    queries = np.tile(np.array([0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64), 40)
    assert search.searchsorted(table, queries, "left")[:5].tolist() == [0, 2, 3, 4, 4]
    assert search.searchsorted(table, queries, "right")[:5].tolist() == [1, 3, 4, 4, 4]
    queries = np.tile(np.array([-5, 0, 2**53 + 1], np.int64), 60)
    assert search.searchsorted(table.astype(np.uint64), queries, "right")[:3].tolist() == [0, 1, 3]


@pytest.mark.parametrize("right", [False, True])
def test_digitize(kernels, right):
    x = sample("f8", (400, 3))
    bins = np.array([-2.0, -0.5, 0.0, 0.0, 1.0])
    assert_same(search.digitize(x, bins, right), np.digitize(x, bins, right))
    assert_same(search.digitize(x, bins[::-1], right), np.digitize(x, bins[::-1], right))
    with pytest.raises(ValueError, match="monotonic"):
        search.digitize(x, np.array([0.0, 2.0, 1.0]))


def check_unique(x):
    """The kernels, and what the floor above makes of it."""
    values, index, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    values, inverse = x.reshape(-1)[index], inverse.reshape(x.shape)
    expected = {"all": (values, index, inverse, counts), "counts": (values, counts), "inverse": (values, inverse), "values": (values,)}
    for want, theirs in expected.items():
        above = public_sets.distinct.op.implementation(x.reshape(-1), want=want)
        results = [[a.reshape(np.shape(b)) for a, b in zip(above, theirs, strict=True)]]
        if x.size and x.dtype.kind != "c":
            own = getattr(sets, f"unique_{want}")(x)
            results.append(own if isinstance(own, tuple) else (own,))
        for ours in results:
            for a, b in zip(ours, theirs, strict=True):
                assert_same(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ties", [False, True])
def test_unique(kernels, dtype, ties):
    x = sample(dtype, (60, 70), ties)
    for layout in LAYOUTS.values():
        check_unique(layout(x))
    check_unique(sample(dtype, (40_000,), ties))
    for shape in ((0,), (1,), ()):
        check_unique(np.asarray(sample(dtype, (1,))[0] if shape == () else sample(dtype, shape)))


def test_unique_of_a_million():
    check_unique(np.random.default_rng(0).integers(-50, 300_000, 1_000_000))
    check_unique(np.random.default_rng(0).standard_normal(1_000_000).astype("f4"))


@pytest.mark.parametrize("first", ["i1", "u2", "i4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("second", ["i1", "u1", "i8", "u8", "f8"])
@pytest.mark.parametrize("ties", [False, True])
def test_isin(monkeypatch, first, second, ties):
    x, members = sample(first, (30, 40), ties), sample(second, (50,), ties, 1)
    # Values that both dtypes hold; what a cast of others gives is no matter of ours.
    x[0, :20] = np.where((members[:20] >= 0) & (members[:20] < 100), np.floor(members[:20]), 0).astype(first)
    if {first[0], second[0]} == {"i", "u"}:
        theirs = np.isin(x.astype(object), members.astype(object))
    else:
        theirs = np.isin(x, members)
    member = public_sets.member.op.implementation
    for layout in LAYOUTS.values():
        for _ in range(2):
            assert_same(member(layout(x), members), np.asarray(layout(theirs)))
            monkeypatch.setattr(public_sets, "_MEMBERS", 1)
    assert not member(x, members[:0]).any()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "i8", "u4"])
def test_bincount(kernels, dtype):
    x = (sample(dtype, (50_000,)) % 100).astype(dtype)
    for minlength in (0, 50, 300):
        assert_same(histogram.bincount(x, minlength=minlength), np.bincount(x, minlength=minlength))
    weights = np.random.default_rng(0).random(50_000)
    assert_same(histogram.bincount(x, weights), np.bincount(x, weights))
    if dtype[0] == "i":
        with pytest.raises(ValueError, match="negative"):
            histogram.bincount(np.where(x == 3, -1, x).astype(dtype))


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("bins", [1, 7, 100])
def test_histogram(dtype, bins):
    x = np.nan_to_num(sample(dtype, (200, 300)), posinf=3, neginf=-3)
    counts, edges = np.histogram(x, bins)
    assert_same(histogram.histogram(x, edges), counts)
    assert_same(histogram.histogram(x.T, edges, uniform=False), counts)
    on_edges = np.linspace(-1, 1, bins + 1)
    y = np.concatenate([np.repeat(on_edges, 3), [np.nan, -5, 5]])
    assert_same(histogram.histogram(y, on_edges), np.histogram(y[:-3], on_edges)[0])
    assert histogram.histogram(x[:0], edges).tolist() == [0] * bins


def test_bits_do_not_depend_on_threads():
    x = sample("f4", (400_000,))
    ints = np.random.default_rng(0).integers(0, 5000, 400_000)
    table = np.sort(sample("f8", (50_000,)))
    before = driver.get_num_threads()

    def everything():
        results = [
            sort.sort(x),
            sort.argsort(x, descending=True),
            sort.sort(x.reshape(400, 1000), 0),
            search.searchsorted(table, x.astype("f8")),
        ]
        results += [*sets.unique_all(ints), *sets.unique_all(x), sets.isin(ints, ints[:100]), histogram.bincount(ints)]
        return [r.tobytes() for r in results]

    seen = []
    try:
        for threads in (1, 2, 3, 8):
            driver.set_num_threads(threads)
            seen.append(everything())
    finally:
        driver.set_num_threads(before)
    assert all(s == seen[0] for s in seen)
