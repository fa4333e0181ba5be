"""Products, factorisations and Fourier transforms of the CUDA engine, run by the simulator: values, layouts, errors, transfers."""

import itertools

import numpy as np
import pytest

from mtarray._kernels.cuda import driver, eigen, factor, fourier, gemm, jacobi, libs, products, reflections, spectral, tensor

D = driver.Simulated(7)
FLOATS = ("f4", "f8", "c8", "c16")
rng = np.random.default_rng(5)


def drawn(shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return rng.random(shape) < 0.3
    if dtype.kind in "iu":
        return rng.integers(-100 if dtype.kind == "i" else 0, 100, shape).astype(dtype)
    x = rng.standard_normal(shape)
    if dtype.kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)


def placed(x):
    """A window on the device with the strides of an ndarray."""
    base = x
    while base.base is not None:
        base = base.base
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
    return tensor.from_host(D, base).window(x.shape, [s // x.itemsize for s in x.strides], offset)


def on_device(function, *arrays, **static):
    out = function(*[placed(x) for x in arrays], **static)
    return tuple([y.to_host() for y in out]) if isinstance(out, tuple) else out.to_host()


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def assert_near(got, wanted, times=100):
    """Equal up to a multiple of epsilon, relative to the largest element and the length of the last axis."""
    wanted = np.asarray(wanted)
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    if wanted.dtype.kind in "biu":
        assert np.array_equal(got, wanted)
    elif wanted.size:
        size = max(1, np.abs(wanted).max()) * max(wanted.shape[-1:], default=1)
        assert np.abs(got - wanted).max() <= times * np.finfo(wanted.dtype).eps * size


# ---------------------------------------------------------------------- products

LAYOUTS = {
    "plain": lambda x: x,
    "transposed": lambda x: np.swapaxes(np.ascontiguousarray(np.swapaxes(x, -1, -2)), -1, -2) if x.ndim > 1 else x[::-1],
    "reversed": lambda x: x[..., ::-1],
    "repeated": lambda x: np.broadcast_to(x[..., :1], x.shape),
}
PAIRS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 5)), ((4, 1, 2, 3), (3, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
    ((1, 7), (7, 40)), ((40, 20), (20, 1)), ((30, 9), (9, 19)), ((2, 1, 19, 9), (1, 3, 9, 17)), ((2, 1, 2, 2, 3), (3, 1, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["?", "i1", "u8", *FLOATS])
def test_products(dtype):
    for (s1, s2), layout in itertools.product(PAIRS, LAYOUTS):
        if layout != "plain" and dtype != "f4":
            continue
        a, b = LAYOUTS[layout](drawn(s1, dtype)), LAYOUTS[layout](drawn(s2, dtype))
        assert_near(on_device(products.product, a, b), a @ b)
        if s1[-1] == s2[-1] and len(s1) * len(s2) == 1:
            assert_near(on_device(products.dots, a, b), np.vecdot(a, b))


def test_dots_and_affine():
    for dtype in ("f4", "c16", "i8", "?"):
        for s1, s2 in [((5000,), (5000,)), ((3, 1, 7), (4, 7)), ((2, 0), (2, 0)), ((40, 30), (30,))]:
            a, b = drawn(s1, dtype), drawn(s2, dtype)
            assert_near(on_device(products.dots, a, b), np.vecdot(a, b))
        if dtype != "?":
            for shape, n in itertools.product([(7,), (3, 7), (2, 3, 7), (0, 7), (1, 7), (20, 7), (3, 0)], (1, 5, 20)):
                x, w, b = drawn(shape, dtype), drawn((n, shape[-1]), dtype), drawn((n,), dtype)[::-1]
                assert_near(on_device(products.affine, x, w, b), x @ w.T + b)


@pytest.mark.parametrize("dtype", ["?", "i1", "f4", "f8", "c16"])
def test_tiles(dtype):
    """Several blocks of small tiles, edges, both layouts of each operand, wide loads and not, parts of the inner axis."""
    for (m, n, k, parts), of_a, of_b in itertools.product([(12, 20, 24, 1), (9, 11, 13, 2)], (0, 1), (0, 1)):
        a, b = drawn((2, m, k), dtype), drawn((2, k, n), dtype)
        a, b = LAYOUTS[("plain", "transposed")[of_a]](a), LAYOUTS[("plain", "transposed")[of_b]](b)
        bias = drawn((n,), dtype)
        to, row = tensor.empty(D, (2, m, n), a.dtype), placed(bias)
        gemm.multiply(to, placed(a), placed(b), row, tile=(8, 8, 8, 2, 2), parts=parts)
        assert_near(to.to_host(), a @ b + bias)
        if a.dtype.kind in "fc":
            c = drawn((2, m, n), dtype)
            to = placed(c.copy())
            gemm.multiply(to, placed(a), placed(b), subtract=True, conj=2 if a.dtype.kind == "c" else 0, tile=(8, 8, 8, 2, 2))
            assert_near(to.to_host(), c - a @ np.conj(b))


def test_integers_wrap():
    a = np.full((3, 40), 100, np.int8)
    b = np.full((40, 20), 77, np.int8)
    assert np.array_equal(on_device(products.product, a, b), a @ b)


def test_large_tiles():
    """The tiles of large products, at their edges."""
    a, b = drawn((130, 10), "f4"), drawn((10, 129), "f4")
    to = tensor.empty(D, (130, 129), a.dtype)
    gemm.multiply(to, placed(a), placed(b), tile=gemm.TILES["f4"][0])
    assert_near(to.to_host(), a @ b)


# ---------------------------------------------------------------------- factors

SQUARE = [(4, 4), (2, 3, 3), (0, 0), (1, 1), (2, 0, 3, 3)]


@pytest.fixture(params=[3, 32])
def panel(request, monkeypatch):
    monkeypatch.setattr(factor, "PANEL", request.param)
    return request.param


@pytest.mark.parametrize("dtype", FLOATS)
def test_lu_and_cholesky(dtype, panel):
    for shape in [*SQUARE, (7, 7)]:
        x = drawn(shape, dtype)
        assert_near(on_device(factor.inverse, x), np.linalg.inv(x), 5000)
        assert_near(on_device(factor.determinant, x), np.linalg.det(x), 1000)
        for got, wanted in zip(on_device(factor.sign_and_logdet, x), np.linalg.slogdet(x)):
            assert_near(got, wanted, 1000)
        b = drawn((3, shape[-1], 2) if len(shape) == 2 else (*shape[:-1], 2), dtype)
        assert_near(on_device(factor.solution, x, b), np.linalg.solve(x, b), 5000)
        y = x @ adjoint(x) + np.eye(shape[-1], dtype=dtype)
        assert_near(on_device(factor.cholesky_factor, np.tril(y) + np.triu(np.full_like(y, np.nan), 1)), np.linalg.cholesky(y))


def test_determinants_beyond_the_range():
    x = np.diag(np.full(5, 1e30, np.float32))
    sign, logabsdet = on_device(factor.sign_and_logdet, -x)
    assert sign == -1
    assert np.isclose(logabsdet, 5 * 30 * np.log(10))
    assert on_device(factor.determinant, x) == np.inf
    assert_near(on_device(factor.determinant, np.diag(np.array([1e30, 1e30, 1e-30, 1e-30], np.float32))), np.float32(1))
    sign, logabsdet = on_device(factor.sign_and_logdet, np.ones((2, 2)))
    assert (sign, logabsdet) == (0, -np.inf)


@pytest.mark.parametrize("dtype", FLOATS)
def test_qr(dtype):
    for shape, mode in itertools.product(
        [(5, 3), (3, 5), (2, 4, 4), (1, 1), (0, 3), (3, 0), (1, 4), (4, 1), (20, 18)], ("reduced", "complete")
    ):
        x = drawn(shape, dtype)
        for got, wanted in zip(on_device(reflections.qr_factors, x, mode=mode), np.linalg.qr(x, mode)):
            assert_near(got, wanted)  # LAPACK's signs


def test_singular_and_indefinite_matrices():
    good = np.eye(2)
    for function, x, words in (
        (factor.inverse, np.stack([good, np.zeros((2, 2))]), "Singular matrix"),
        (lambda x: factor.solution(x, x), np.ones((2, 2)), "Singular matrix"),
        (factor.cholesky_factor, np.stack([good, -good]), "Matrix is not positive definite"),
        (spectral.singular_values, np.stack([good, np.full((2, 2), np.nan)]), "SVD did not converge"),
        (spectral.eig_pairs, np.full((2, 2), np.inf), "Array must not contain infs or NaNs"),
    ):
        with pytest.raises(np.linalg.LinAlgError, match=words):
            on_device(function, x)
    assert np.isnan(on_device(factor.inverse, np.full((2, 2), np.nan))).all()
    assert np.isnan(on_device(spectral.eigh_values, np.full((2, 2), np.nan))).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_svd(dtype):
    for shape in [(3, 3), (2, 4, 3), (3, 5), (0, 3), (2, 0, 2, 2), (1, 4)]:
        x = drawn(shape, dtype)
        for y, full in ((x, True), (x, False), (np.ones_like(x), True), (x * 0, False)):
            u, s, vh = on_device(spectral.svd_factors, y, full_matrices=full)
            wanted = np.linalg.svd(y, full)
            assert (u.shape, vh.shape) == (wanted[0].shape, wanted[2].shape)
            assert_near(s, wanted[1])
            k = s.shape[-1]
            assert_near((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], y)
            assert_near(adjoint(u) @ u, np.broadcast_to(np.eye(u.shape[-1], dtype=dtype), (*shape[:-2], u.shape[-1], u.shape[-1])))
            assert_near(vh @ adjoint(vh), np.broadcast_to(np.eye(vh.shape[-2], dtype=dtype), (*shape[:-2], vh.shape[-2], vh.shape[-2])))
        assert_near(on_device(spectral.singular_values, x), np.linalg.svdvals(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_eigenvalues(dtype):
    for shape in SQUARE:
        x = drawn(shape, dtype)
        h = x + adjoint(x)
        for y in (h, h * 0, np.ones_like(h)):
            values, vectors = on_device(spectral.eigh_pairs, np.tril(y) + np.triu(np.full_like(y, np.nan), 1))
            assert_near(values, np.linalg.eigvalsh(y))
            assert_near(y @ vectors, (vectors * values[..., None, :]).astype(dtype))
            assert_near(adjoint(vectors) @ vectors, np.broadcast_to(np.eye(shape[-1], dtype=dtype), shape))
            assert_near(on_device(spectral.eigh_values, y), values)
        for y in (x, np.triu(x), np.ones_like(x)):
            values, vectors = on_device(spectral.eig_pairs, y)
            assert_near(y @ vectors, vectors * values[..., None, :])
            assert_near(values.sum(-1), np.linalg.eigvals(y).sum(-1).astype(values.dtype))
            if shape[-1]:
                assert np.allclose(np.linalg.norm(vectors, axis=-2), 1, rtol=1e-5)
            assert_near(on_device(spectral.eig_values, y), values)


@pytest.mark.parametrize("dtype", FLOATS)
def test_small_numbers(dtype):
    """Matrices of rank 1, whose other columns shrink below all bounds, and matrices of numbers near the smallest."""
    size = 1e-36 if dtype in ("f4", "c8") else 1e-300
    for x in (np.outer(drawn(4, dtype), drawn(4, dtype)), drawn((4, 4), dtype) * np.dtype(dtype).type(size)):
        one = np.dtype(dtype).type(1 / np.abs(x).max())
        u, s, vh = on_device(spectral.svd_factors, x, full_matrices=True)
        assert_near((u * s) @ vh * one, x * one)
        assert_near(adjoint(u) @ u, np.eye(4, dtype=dtype))
        assert_near(vh @ adjoint(vh), np.eye(4, dtype=dtype))
        q, r = on_device(reflections.qr_factors, x, mode="reduced")
        assert_near(q @ r * one, x * one)
        assert_near(adjoint(q) @ q, np.eye(4, dtype=dtype))
        values, vectors = on_device(spectral.eig_pairs, x)
        assert_near(x @ vectors * one, (vectors * values * one).astype(vectors.dtype))


def test_many_blocks_turn_one_matrix(monkeypatch):
    """Rounds of Jacobi's method as launches of their own, and sweeps of several warps."""
    monkeypatch.setattr(jacobi, "ALONE", 5)
    x = drawn((9, 8), "f8") * 1e-200
    s = on_device(spectral.singular_values, x)
    assert np.allclose(s, np.linalg.svdvals(x), rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_least_squares_and_adjugates(dtype):
    rtol = np.asarray(1e-5, factor.real_of(np.dtype(dtype)))
    for shape in [(3, 3), (2, 4, 3), (3, 5)]:
        x, b = drawn(shape, dtype), drawn((*shape[:-1], 2), dtype)
        assert_near(on_device(spectral.pseudo_inverse, x, rtol), np.linalg.pinv(x), 5000)
        got, s = on_device(spectral.least_squares, x, b, rtol)
        assert_near(got, np.linalg.pinv(x) @ b, 5000)
        assert_near(s, np.linalg.svdvals(x))
    x = drawn((3, 3), dtype)
    assert_near(on_device(factor.adjugate, x), np.linalg.det(x) * np.linalg.inv(x), 1000)
    x[2] = 0  # singular: the adjugate has rank 1
    row = np.cross(x[0], x[1])
    assert_near(on_device(factor.adjugate, x)[:, 2], row, 1000)


# ---------------------------------------------------------------------- Fourier transforms


def assert_transformed(x, name, n, axis, norm):
    got, wanted = on_device(fourier.fourier, x, name=name, n=n, axis=axis, norm=norm), getattr(np.fft, name)(x, n, axis, norm)
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    if wanted.size:
        assert np.abs(got - wanted).max() <= 8 * np.finfo(wanted.dtype).eps * np.abs(wanted).max() * np.log2(n + 2)


def names(dtype):
    return ("fft", "ifft", "irfft") if np.dtype(dtype).kind == "c" else ("fft", "ifft", "rfft", "irfft")


@pytest.mark.parametrize("dtype", FLOATS)
def test_fourier(dtype):
    for n, name in itertools.product((1, 2, 3, 8, 11, 17, 60, 130), names(dtype)):
        for length in {n, n // 2 + 1, n + 3}:
            assert_transformed(drawn((2, length), dtype), name, n, 1, "backward")
    for name, axis, norm in itertools.product(names(dtype), (0, 1, 2), ("ortho", "forward")):
        assert_transformed(drawn((3, 4, 6), dtype)[::-1], name, 6, axis, norm)
    for name in names(dtype):
        assert_transformed(drawn((0, 4), dtype), name, 4, 1, "ortho")
        assert_transformed(drawn((2, 3, 2, 3, 2), dtype), name, 3, 1, "ortho")
        assert_transformed(drawn((2, 3, 4, 3), dtype)[:, ::2, ::2], name, 3, 3, "ortho")


def test_lines_beyond_shared_memory(monkeypatch):
    monkeypatch.setattr(fourier, "_SHARED", 0)
    for n in (34, 420):
        assert_transformed(drawn((3, n), "c16"), "fft", n, 1, "backward")


# ---------------------------------------------------------------------- libraries and transfers


class FakeCublas:
    """What the library would do with column-major matrices, on the simulated memory."""

    def __init__(self):
        self.modes, self.calls = [], 0

    def set_math_mode(self, handle, mode):
        self.modes.append(mode)

    def gemm(self, code, handle, ta, tb, m, n, k, one, a, lda, sa, b, ldb, sb, zero, c, ldc, sc, count):
        self.calls += 1

        def matrix(address, ld, rows, columns, stride, i):
            memory, at = D.at(address)
            flat = memory[at % np.dtype(code).itemsize :][: memory.size // np.dtype(code).itemsize * np.dtype(code).itemsize].view(code)
            first = at // np.dtype(code).itemsize + i * stride
            assert ld >= rows
            assert first + ld * (columns - 1) + rows <= flat.size
            size = flat.itemsize
            return np.lib.stride_tricks.as_strided(flat[first:], (rows, columns), (size, ld * size))

        for i in range(count):
            x = matrix(a, lda, k, m, sa, i).T if ta else matrix(a, lda, m, k, sa, i)
            y = matrix(b, ldb, n, k, sb, i).T if tb else matrix(b, ldb, k, n, sb, i)
            matrix(c, ldc, m, n, sc, i)[...] = x @ y


def test_library_takes_layouts_without_copies(monkeypatch):
    fake = FakeCublas()
    monkeypatch.setattr(libs, "_library", lambda driver: [fake, 0, None])
    padded = {
        "plain": lambda r, c: drawn((2, r, c), "f4"),
        "transposed": lambda r, c: np.swapaxes(drawn((2, c, r), "f4"), 1, 2),
        "padded": lambda r, c: drawn((2, r + 2, c + 3), "f4")[:, 1 : r + 1, 2 : c + 2],
        "one": lambda r, c: np.broadcast_to(drawn((1, r, c), "f4"), (2, r, c)),
    }
    cases = 0
    for (m, n, k), f, g in itertools.product([(3, 4, 5), (2, 7, 1), (8, 8, 8)], padded.values(), padded.values()):
        a, b = f(m, k), g(k, n)
        launches = D.counts["launches"]
        assert_near(on_device(products.product, a, b), a @ b)
        assert D.counts["launches"] == launches  # nothing was copied
        cases += 1
    assert fake.calls == cases
    assert fake.modes == [libs._DEFAULT_MATH] * cases  # the full precision
    a, b = drawn((5, 4), "f4")[::2, ::2], drawn((2, 3), "f4")  # no contiguous axis: our own kernel
    assert_near(on_device(products.product, a, b), a @ b)
    assert fake.calls == cases


def test_factors_stay_on_the_device():
    x = placed(drawn((3, 4, 4), "f8"))
    before = dict(D.counts)
    products.product(x, x)
    reflections.qr_factors(x, mode="reduced")
    factor.sign_and_logdet(x)
    spectral.eigh_pairs(x)
    assert all(D.counts[name] == before[name] for name in ("to_device", "to_host"))
    factor.inverse(x)
    spectral.svd_factors(x, full_matrices=False)
    assert D.counts["to_host"] == before["to_host"] + 2
    assert D.counts["bytes_to_host"] == before["bytes_to_host"] + 8  # one number each


def test_kernels_are_listed():
    from mtarray._kernels.cuda.kernel import REGISTER

    listed = {k for module in (gemm, products, factor, jacobi, spectral, eigen, fourier) for k in module.every()}
    factories = {k.factory.__name__ for k in listed}
    used = [k for k in REGISTER.values() if k.factory.__module__.rpartition(".")[2] in ("gemm", "products", "factor", "eigen", "fourier")]
    assert {k.factory.__name__ for k in used} <= factories
    assert len(listed) > 100
