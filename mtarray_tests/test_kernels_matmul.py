"""Matrix products of the CPU engine against NumPy: every dtype, layout and route, exact for integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtarray._kernels.cpu import blas, driver
from mtarray._kernels.cpu.gemm import KC, own_matmul
from mtarray._kernels.cpu.matmul import matmul

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FLOATS = ["float32", "float64", "complex64", "complex128"]
DTYPES = ["bool", *INTEGERS, *FLOATS]


def numbers(rng, shape, dtype):
    """Values of the dtype's whole range for integers, standard normal for floats."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.1
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def check(result, a, b):
    """Equal to NumPy's product: exactly for integers, else within k roundings of the sum of magnitudes."""
    expected = np.matmul(a, b)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    if expected.dtype.kind in "fc":
        bound = np.matmul(np.abs(a).astype("f8"), np.abs(b).astype("f8")) * np.finfo(expected.dtype).eps * (a.shape[-1] + 4)
        exact = np.matmul(a.astype("c16"), b.astype("c16"))
        assert np.all(np.abs(result - exact) <= bound)
    else:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((4,), (4,)),
        ((4,), (4, 3)),
        ((5, 4), (4,)),
        ((1, 1), (1, 1)),
        ((7, 5), (5, 9)),
        ((61, 2 * KC + 3), (2 * KC + 3, 70)),
        ((50, 3, 4), (50, 4, 5)),
        ((9, 33, 20), (20, 17)),
        ((3, 1, 6, 5), (4, 5, 40)),
        ((12, 70, 5), (12, 5, 300)),
        ((300, 517), (517,)),
        ((517,), (517, 300)),
        ((1030, 1027), (1027,)),
        ((1030,), (1030, 1027)),
        ((1, 130), (130, 1027)),
        ((3, 20, 1, 90), (20, 90, 80)),
        ((9, 80, 100), (3, 9, 100, 1)),
        ((0, 4), (4, 3)),
        ((3, 0), (0, 3)),
        ((2, 0, 3, 4), (4, 1)),
    ],
)
def test_shapes_and_dtypes(dtype, first, second, own):
    rng = np.random.default_rng(0)
    a, b = numbers(rng, first, dtype), numbers(rng, second, dtype)
    check(matmul(a, b, own=own), a, b)


def layouts(x):
    """The same values in other layouts, and other values in odd ones."""
    yield np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    yield x[..., ::-1, ::-1]
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    yield wide[..., ::2]
    yield np.broadcast_to(x[..., :1, :], x.shape)
    yield np.broadcast_to(x[..., :1], x.shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_of_a_matrix_and_a_vector(dtype):
    rng = np.random.default_rng(5)
    n = 1030 if np.dtype(dtype).kind == "f" else 210
    x, v = numbers(rng, (n, n), dtype), numbers(rng, 2 * n, dtype)
    for a in (x, *layouts(x)):
        for vector in (v[:n], v[::-2], np.broadcast_to(v[:1], (n,))):
            check(matmul(a, vector), a, vector)
            check(matmul(vector, a), vector, a)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 40), (20, 6, 6), (9, 40, 40)])
def test_layouts(dtype, shape):
    rng = np.random.default_rng(1)
    x, y = numbers(rng, shape, dtype), numbers(rng, shape, dtype)
    for a in layouts(x):
        check(matmul(a, y), a, y)
        for b in layouts(y):
            check(matmul(a, b), a, b)
            check(own_matmul(a, b), a, b)


@given(st.data())
def test_random_products(data):
    sizes = st.one_of(st.integers(0, 9), st.integers(10, 80))
    m, k, n = data.draw(sizes), data.draw(sizes), data.draw(sizes)
    batch = data.draw(st.sampled_from([((), ()), ((3,), (3,)), ((20,), (1,)), ((2, 1), (5,)), ((1,), ()), ((), (12,))]))
    dtype = data.draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a, b = numbers(rng, (*batch[0], m, k), dtype), numbers(rng, (*batch[1], k, n), dtype)
    check(matmul(a, b), a, b)
    check(matmul(a, b, own=True), a, b)


@pytest.mark.parametrize("own", [False, True])
def test_nan_and_infinity_reach_only_their_rows(own):
    a = np.ones((50, 40, 40))
    a[3, 2, 1] = np.nan
    a[4, 0, 0] = np.inf
    result = matmul(a, np.ones((50, 40, 40)), own=own)
    assert np.isnan(result[3, 2]).all()
    assert np.isinf(result[4, 0]).all()
    assert np.isnan(result).sum() == 40
    assert np.isinf(result).sum() == 40


def test_a_count_of_trues_beyond_every_integer_lane_is_true():
    k = 2**17
    assert own_matmul(np.ones((1, k), bool), np.ones((k, 1), bool))[0, 0]


def test_operands_of_other_dtypes_are_cast():
    a, b = np.arange(6, dtype="i1").reshape(2, 3), np.ones((3, 2), "f4")
    assert matmul(a, b).dtype == np.float32
    assert matmul(a, b, "f8").dtype == np.float64
    np.testing.assert_array_equal(matmul(a, b, "c16"), a @ b)


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        ((2, 3), (2, 3), r"inner dimensions differ: shapes \(2, 3\) and \(2, 3\)"),
        ((3,), (4,), r"inner dimensions differ: shapes \(3,\) and \(4,\)"),
        ((), (3,), r"at least one dimension; got shapes \(\) and \(3,\)"),
        ((2, 3, 4), (3, 4, 5), r"do not broadcast: shapes \(2, 3, 4\) and \(3, 4, 5\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(first, second, sentence):
    with pytest.raises(ValueError, match=sentence):
        matmul(np.ones(first), np.ones(second))


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_same_bits_on_any_number_of_threads(dtype):
    rng = np.random.default_rng(2)
    pairs = [
        ((1200, 1000), (1000,)),
        ((1000,), (1000, 1200)),
        ((200, 700), (700, 300)),
        ((64, 30, 30), (64, 30, 30)),
        ((20, 100, 50), (20, 50, 100)),
    ]
    operands = [(numbers(rng, s, dtype), numbers(rng, t, dtype)) for s, t in pairs]
    threads = driver.get_num_threads()
    results = []
    try:
        for n in (1, 2, 3, 8):
            driver.set_num_threads(n)
            results.append([own_matmul(a, b).tobytes() for a, b in operands[2:]] + [matmul(a, b).tobytes() for a, b in operands])
    finally:
        driver.set_num_threads(threads)
    assert all(r == results[0] for r in results)


def test_chunks_give_the_bits_of_one_chunk(monkeypatch):
    """Also where there is one thread only: the cut into chunks may not show."""
    from mtarray._kernels.cpu import batched, gemm

    rng = np.random.default_rng(3)
    a, b = numbers(rng, (200, 300), "f4"), numbers(rng, (300, 310), "f4")
    c, d = numbers(rng, (300, 9, 9), "f8"), numbers(rng, (300, 9, 9), "f8")
    expected = own_matmul(a, b), matmul(c, d)

    def serial(fn, n, chunk, *args):
        driver.run(fn, n, n, *args)

    monkeypatch.setattr(gemm, "run", serial)
    monkeypatch.setattr(batched, "run", serial)
    np.testing.assert_array_equal(own_matmul(a, b), expected[0])
    np.testing.assert_array_equal(matmul(c, d), expected[1])


def test_a_stack_of_more_than_2_31_elements_through_stride_0():
    a = np.broadcast_to(np.ones((1, 1, 2**31 + 8), "i1"), (1, 1, 2**31 + 8))[..., :: 2**28]
    assert matmul(a, np.ones((a.shape[-1], 1), "i1"), own=True)[0, 0, 0] == a.shape[-1]
    tall = np.broadcast_to(np.ones((1, 1), "i1"), (2**31 + 5, 1))
    result = own_matmul(tall[:: 2**20], np.full((1, 1), 3, "i1"))
    assert (result == 3).all()


def test_blas_threads_overlap_and_restore():
    functions = blas._thread_functions()
    if functions is None:
        pytest.skip("NumPy's BLAS has no switch for its threads")
    before = functions[1]()
    first, second = blas.blas_threads(1), blas.blas_threads(max(before, 2))
    first.__enter__()
    second.__enter__()
    assert functions[1]() == 1
    first.__exit__(None, None, None)
    assert functions[1]() == before
    second.__exit__(None, None, None)
    assert functions[1]() == before
    with pytest.raises(KeyError), blas.blas_threads(1):
        raise KeyError
    assert functions[1]() == before


def test_blas_multiplies_small_matrices_on_one_thread(monkeypatch):
    functions = blas._thread_functions()
    if functions is None:
        pytest.skip("NumPy's BLAS has no switch for its threads")
    seen, real, before = [], np.matmul, functions[1]()

    def spy(*operands, **named):
        seen.append(functions[1]())
        return real(*operands, **named)

    monkeypatch.setattr(np, "matmul", spy)
    for m, threads in ((8, before), (400, 1), (4000, before)):
        a, b = np.ones((m, 64)), np.ones((64, 16))
        assert (blas.product(a, b, np.empty((m, 16))) == 64).all()
        assert seen.pop() == threads
    assert functions[1]() == before


def test_products_without_a_blas(monkeypatch):
    monkeypatch.setattr(blas, "has_gemm", lambda dtype: False)
    rng = np.random.default_rng(4)
    for dtype in FLOATS:
        a, b = numbers(rng, (33, 65), dtype), numbers(rng, (65, 31), dtype)
        check(matmul(a, b), a, b)
