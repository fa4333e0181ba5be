"""The `linalg` extension against NumPy: values, dtypes, stacks, errors."""

import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtarray as xp
from mtarray import linalg

LinAlgError = np.linalg.LinAlgError
FLOATS = ["float32", "float64", "complex64", "complex128"]
NUMBERS = ["int8", "int32", "int64", "uint8", "uint64", *FLOATS]


def numbers(rng, shape, dtype="float64"):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, 5, shape).astype(dtype)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def close(result, expected, rtol=None):
    result = np.asarray(result)
    expected = np.asarray(expected)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    if rtol is None:
        rtol = 2e-3 if expected.dtype in (np.float32, np.complex64) else 1e-9
    np.testing.assert_allclose(result, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize(
    ("first", "second"),
    [((3,), (3,)), ((4, 3), (3,)), ((3,), (3, 4)), ((50, 40), (40, 60)), ((2, 1, 5, 3), (4, 3, 6)), ((200, 9, 9), (200, 9, 9))],
)
def test_matmul(mode, dtype, first, second):
    rng = np.random.default_rng(0)
    a, b = numbers(rng, first, dtype), numbers(rng, second, dtype)
    with xp.config(kernels=mode):
        close(linalg.matmul(xp.asarray(a), xp.asarray(b)), np.asarray(a @ b))
        close(xp.asarray(a) @ xp.asarray(b), np.asarray(a @ b))


def test_matmul_with_views_and_mixed_dtypes():
    rng = np.random.default_rng(1)
    a, b = numbers(rng, (30, 40)), numbers(rng, (30, 40), "int32")
    x, y = xp.asarray(a), xp.asarray(b)
    close(x.T @ y, a.T @ b)
    close(x[::-2, ::3] @ y[::2, ::-3].T, a[::-2, ::3] @ b[::2, ::-3].T)
    close(x @ xp.broadcast_to(xp.asarray(b[0][:, None]), (40, 7)), a @ np.broadcast_to(b[0][:, None], (40, 7)))
    close(np.ones((2, 30)) @ x, np.ones((2, 30)) @ a)


def test_matmul_in_place_writes_into_the_storage():
    x = xp.asarray(np.arange(4.0).reshape(2, 2), copy=True)
    view = x[0]
    x @= xp.asarray([[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(np.asarray(view), [1, 0])
    with pytest.raises(ValueError, match=r"shape \(2, 3\), the array \(2, 2\)"):
        x @= xp.ones((2, 3))
    with pytest.raises(TypeError, match="complex128"):
        x @= xp.ones((2, 2), dtype="complex128")


@given(st.data())
def test_tensordot_and_vecdot_as_numpy(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    dtype = data.draw(st.sampled_from(NUMBERS))
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    a = numbers(rng, shape, dtype)
    axes = data.draw(st.permutations(range(len(shape))))[: data.draw(st.integers(0, len(shape)))]
    other = [shape[i] for i in axes] + [2]
    order = data.draw(st.permutations(range(len(other))))
    b = numbers(rng, other, dtype).transpose(order)
    second = [order.index(i) for i in range(len(axes))]
    close(linalg.tensordot(xp.asarray(a), xp.asarray(b), axes=(list(axes), second)), np.tensordot(a, b, (list(axes), second)))
    axis = data.draw(st.integers(-len(shape), -1))
    c = numbers(rng, shape, dtype)
    close(linalg.vecdot(xp.asarray(a), xp.asarray(c), axis=axis), np.asarray(np.vecdot(a, c, axis=axis)))


def test_tensordot_by_number_and_vecdot_broadcast():
    rng = np.random.default_rng(2)
    a, b = numbers(rng, (2, 3, 4)), numbers(rng, (3, 4, 5))
    for n in (0, 2):
        close(linalg.tensordot(xp.asarray(a), xp.asarray(b), axes=n), np.tensordot(a, b, n))
    c = numbers(rng, (7, 1, 300), "complex128")
    close(linalg.vecdot(xp.asarray(c), xp.asarray(c[:, 0])), np.vecdot(c, c[:, 0]))


def test_outer_cross_multi_dot():
    rng = np.random.default_rng(3)
    a, b = numbers(rng, (4,), "complex128"), numbers(rng, (5,))
    close(linalg.outer(xp.asarray(a), xp.asarray(b)), np.outer(a, b))
    u, v = numbers(rng, (2, 3, 5), "int32"), numbers(rng, (2, 3, 5), "int32")
    close(linalg.cross(xp.asarray(u), xp.asarray(v), axis=1), np.cross(u, v, axis=1))
    w, z = numbers(rng, (4, 1, 3)), numbers(rng, (5, 3))
    close(linalg.cross(xp.asarray(w), xp.asarray(z)), np.cross(w, z))
    chain = [numbers(rng, s) for s in ((10,), (10, 3), (3, 20), (20, 2), (2,))]
    close(linalg.multi_dot([xp.asarray(m) for m in chain]), np.asarray(np.linalg.multi_dot(chain)))
    close(linalg.multi_dot([xp.asarray(m) for m in chain[1:4]]), np.linalg.multi_dot(chain[1:4]))


@pytest.mark.parametrize("offset", [-7, -2, -1, 0, 1, 3, 9])
def test_diagonal_is_a_view_and_trace_sums_it(offset):
    a = np.arange(2 * 4 * 5).reshape(2, 4, 5)
    x = xp.asarray(a)
    d = linalg.diagonal(x, offset=offset)
    close(d, np.linalg.diagonal(a, offset=offset))
    close(linalg.trace(x, offset=offset), np.linalg.trace(a, offset=offset))
    y = xp.asarray(a[..., ::-1])
    close(linalg.diagonal(y, offset=offset), np.linalg.diagonal(a[..., ::-1], offset=offset))
    if d.size:
        x[...] = 7
        assert bool(xp.all(d == 7))


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 7])
@pytest.mark.parametrize("dtype", ["int64", "float64", "complex64"])
def test_matrix_power(n, dtype):
    a = numbers(np.random.default_rng(4), (3, 4, 4), dtype) + 3 * np.eye(4).astype(dtype)
    x = xp.asarray(a)
    expected = np.linalg.matrix_power(a.astype("f8") if n < 0 and dtype == "int64" else a, n)
    out = linalg.matrix_power(x, n)
    close(out, expected)
    out[...] = 0  # a result of its own, not a window on the operand
    assert np.array_equal(np.asarray(x), a)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(4, 4), (3, 2, 5, 5), (40, 6, 6), (0, 3, 3), (2, 0, 0), (70, 35, 35)])
def test_square_matrices(dtype, shape):
    rng = np.random.default_rng(5)
    a = numbers(rng, shape, dtype) + 4 * np.eye(shape[-1], dtype=dtype)
    x = xp.asarray(a)
    tolerance = 1e-2 if dtype in ("float32", "complex64") else None
    close(linalg.inv(x), np.linalg.inv(a), tolerance)
    close(linalg.det(x) / np.abs(np.linalg.det(a)), np.asarray(np.linalg.det(a) / np.abs(np.linalg.det(a))), tolerance)
    sign, logabsdet = linalg.slogdet(x)
    close(sign, np.asarray(np.linalg.slogdet(a)[0]), tolerance)
    close(logabsdet, np.asarray(np.linalg.slogdet(a)[1]), tolerance)
    for b in (numbers(rng, shape[-1:], dtype), numbers(rng, (*shape[:-2], shape[-1], 3), dtype)):
        close(linalg.solve(x, xp.asarray(b)), np.linalg.solve(a, b), tolerance)
    hermitian = a @ np.conj(a.swapaxes(-1, -2)) + np.eye(shape[-1], dtype=dtype)
    h = xp.asarray(hermitian)
    close(linalg.cholesky(h), np.linalg.cholesky(hermitian), tolerance)
    close(linalg.cholesky(xp.asarray(np.triu(hermitian)), upper=True), np.linalg.cholesky(hermitian, upper=True), tolerance)
    values, vectors = linalg.eigh(h)
    close(linalg.eigvalsh(h), values, tolerance)
    close(h @ vectors / (1 + np.abs(hermitian).sum(axis=(-1, -2), keepdims=True)),
          vectors * values[..., None, :] / (1 + np.abs(hermitian).sum(axis=(-1, -2), keepdims=True)), tolerance)  # fmt: skip
    values, vectors = linalg.eig(x)
    assert values.dtype == vectors.dtype == np.result_type(dtype, "complex64")
    np.testing.assert_allclose(np.asarray(x @ vectors), np.asarray(vectors * values[..., None, :]), atol=1e-3 if tolerance else 1e-9)
    assert linalg.eigvals(x).dtype == values.dtype


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (40, 8, 6), (2, 0, 3)])
def test_rectangular_matrices(dtype, shape):
    a = numbers(np.random.default_rng(6), shape, dtype)
    x = xp.asarray(a)
    tolerance = 1e-3 if dtype in ("float32", "complex64") else 1e-9
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(x, mode=mode)
        assert (q.shape, r.shape) == tuple(f.shape for f in np.linalg.qr(a, mode))
        np.testing.assert_allclose(np.asarray(q @ r), a, atol=tolerance)
    u, s, vh = linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(np.asarray((u * s[..., None, :]) @ vh), a, atol=tolerance)
    assert linalg.svd(x).U.shape == np.linalg.svd(a).U.shape
    close(linalg.svdvals(x), s)
    close(linalg.pinv(x), np.linalg.pinv(a, rtol=max(shape[-2:]) * np.finfo(dtype).eps), tolerance)
    close(linalg.matrix_rank(x), np.asarray(np.linalg.matrix_rank(a)) if a.size else np.zeros(shape[:-2], "i8"))


def test_rank_deficient():
    a = np.outer(np.arange(1.0, 5), np.arange(1.0, 4))
    assert int(linalg.matrix_rank(xp.asarray(a))) == 1
    close(linalg.pinv(xp.asarray(a)), np.linalg.pinv(a))
    assert int(linalg.matrix_rank(xp.zeros((3, 3)))) == 0
    ranks = linalg.matrix_rank(xp.asarray(np.stack([np.diag([1, 0.1, 0.001]), np.eye(3)])), rtol=xp.asarray([0.05, 0.5]))
    np.testing.assert_array_equal(np.asarray(ranks), [2, 3])


@pytest.mark.parametrize("columns", [None, 2])
@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4)])
def test_lstsq(shape, columns):
    rng = np.random.default_rng(7)
    a, b = numbers(rng, shape), numbers(rng, shape[:1] if columns is None else (shape[0], columns))
    for matrix in (a, np.outer(a[:, 0], a[0])):
        results = linalg.lstsq(xp.asarray(matrix), xp.asarray(b))
        expected = np.linalg.lstsq(matrix, b)
        for result, e in zip(results[:2], expected[:2], strict=True):
            close(result, np.atleast_1d(e) if e.ndim == 0 else e)
        assert int(results[2]) == expected[2]
        np.testing.assert_allclose(np.asarray(results[3]), expected[3], atol=1e-12)


@pytest.mark.parametrize("dtype", ["int64", *FLOATS])
def test_norms(dtype):
    a = numbers(np.random.default_rng(8), (3, 4, 5), dtype)
    x = xp.asarray(a)
    f = a.astype("f8") if dtype == "int64" else a
    for order in (0, 1, 2, 3, 0.5, -1, np.inf, -np.inf):
        with np.errstate(divide="ignore"):
            for axis in (-1, (0, 2), None):
                for keepdims in (False, True):
                    expected = np.linalg.vector_norm(f, axis=axis, ord=order, keepdims=keepdims)
                    expected = np.asarray(expected, np.zeros((), f.dtype).real.dtype)
                    close(linalg.vector_norm(x, axis=axis, ord=order, keepdims=keepdims), expected)
    for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        close(linalg.matrix_norm(x, ord=order), np.linalg.matrix_norm(f, ord=order))
        close(linalg.norm(x, order, axis=(2, 0), keepdims=True), np.linalg.norm(f, order, axis=(2, 0), keepdims=True))
    close(linalg.norm(x), np.asarray(np.linalg.norm(f)))
    close(linalg.norm(x[0, 0], 3), np.asarray(np.linalg.norm(f[0, 0], 3)))
    close(linalg.norm(x[0]), np.asarray(np.linalg.norm(f[0])))


def test_cond():
    a = numbers(np.random.default_rng(9), (4, 3, 3))
    for p in (None, 2, -2, 1, -1, np.inf, "fro"):
        close(linalg.cond(xp.asarray(a), p), np.linalg.cond(a, p))
    assert float(linalg.cond(xp.zeros((2, 2)))) == np.inf
    assert float(linalg.cond(xp.ones((2, 2)), 1)) == np.inf


SINGULAR = [
    (linalg.inv, xp.ones((3, 3)), r"inv: .*singular.*shape \(3, 3\)"),
    (linalg.inv, xp.zeros((90, 6, 6)), r"inv: .*stack x of shape \(90, 6, 6\)"),
    (linalg.cholesky, -xp.eye(2), r"cholesky: .*positive definite.*shape \(2, 2\)"),
    (linalg.svd, xp.full((2, 2), xp.nan), r"svd: .*converge.*shape \(2, 2\)"),
    (linalg.inv, xp.ones((2, 3)), r"inv: .*square; x has shape \(2, 3\)"),
    (linalg.det, xp.ones(3), r"det: .*shape \(3,\)"),
    (linalg.eigh, xp.ones((2, 3)), r"eigh: .*square"),
    (linalg.qr, xp.ones(3), r"qr: .*shape \(3,\)"),
]


@pytest.mark.parametrize(("function", "x", "sentence"), SINGULAR)
def test_matrices_without_an_answer(function, x, sentence):
    before = np.array(x)
    with pytest.raises(LinAlgError, match=sentence):
        function(x)
    np.testing.assert_array_equal(np.asarray(x), before)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: linalg.matmul(xp.ones((2, 3)), xp.ones((2, 3))), ValueError, r"\(2, 3\) and \(2, 3\)"),
        (lambda: linalg.matmul(xp.asarray(1.0), xp.ones(3)), ValueError, r"\(\) and \(3,\)"),
        (lambda: linalg.matmul(xp.ones((2, 1, 1)), xp.ones((3, 1, 1))), ValueError, "do not broadcast"),
        (lambda: xp.ones(3) @ 2, TypeError, "@"),
        (lambda: linalg.matmul(xp.ones(3), "abc"), TypeError, "matmul: .*abc"),
        (lambda: linalg.vecdot(xp.ones(3), xp.ones(4)), ValueError, r"lengths 3 and 4 .* shapes \(3,\) and \(4,\)"),
        (lambda: linalg.vecdot(xp.ones(3), xp.ones(3), axis=1), IndexError, "1"),
        (lambda: linalg.tensordot(xp.ones((2, 3)), xp.ones((2, 3)), axes=2.5), TypeError, "integer"),
        (lambda: linalg.tensordot(xp.ones((2, 3)), xp.ones((2, 3)), axes=1), ValueError, r"shapes \(2, 3\) and \(2, 3\)"),
        (lambda: linalg.outer(xp.ones((2, 2)), xp.ones(3)), ValueError, "1-D"),
        (lambda: linalg.cross(xp.ones(2), xp.ones(2)), ValueError, "3 elements"),
        (lambda: linalg.solve(xp.eye(2), xp.ones(3)), ValueError, r"\(2, 2\) and \(3,\)"),
        (lambda: linalg.solve(xp.zeros((2, 2)), xp.ones(2)), LinAlgError, r"solve: .*singular.*\(2, 2\)"),
        (lambda: linalg.matrix_power(xp.eye(2), 1.5), TypeError, "integer"),
        (lambda: linalg.qr(xp.eye(2), mode="full"), ValueError, "full"),
        (lambda: linalg.matrix_norm(xp.eye(2), ord="spectral"), ValueError, "spectral"),
        (lambda: linalg.vector_norm(xp.ones(2), ord="fro"), ValueError, "fro"),
        (lambda: linalg.norm(xp.ones((2, 2, 2)), 2), ValueError, "one axis or two"),
        (lambda: linalg.diagonal(xp.ones(2)), ValueError, r"\(2,\)"),
        (lambda: linalg.multi_dot([xp.eye(2)]), ValueError, "at least two"),
    ],
)
def test_bad_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()


def test_strict_refuses_what_the_standard_leaves_open():
    with xp.strict():
        for function in (linalg.inv, linalg.det, linalg.svd, linalg.cholesky):
            with pytest.raises(TypeError, match="strict"):
                function(xp.eye(2, dtype="int64"))
        with pytest.raises(TypeError, match="promotion"):
            linalg.matmul(xp.eye(2), xp.eye(2, dtype="int64"))
        with pytest.raises(TypeError, match="bool"):
            linalg.matmul(xp.asarray([True]), xp.asarray([True]))


def test_deterministic_gives_the_same_bits_on_any_number_of_threads():
    rng = np.random.default_rng(10)
    x, spd = xp.asarray(numbers(rng, (300, 300))), xp.asarray(np.cov(numbers(rng, (200, 900))))
    results = []
    for threads in (1, 2):
        with xp.config(deterministic=True, threads=threads):
            parts = (x @ x, linalg.inv(x), linalg.cholesky(spd), linalg.svdvals(x))
            results.append([np.asarray(p).tobytes() for p in parts])
    assert results[0] == results[1]


def test_integers_become_float64():
    a = np.array([[2, 1], [1, 3]])
    close(linalg.inv(xp.asarray(a)), np.linalg.inv(a))
    close(linalg.solve(xp.asarray(a), xp.asarray(np.array([1, 2]))), np.linalg.solve(a, [1, 2]))


def test_every_name_of_the_extension_is_there():
    required = """cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
        matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"""
    for name in required.split():
        assert name in linalg.__all__
        assert inspect.getdoc(getattr(linalg, name))
