"""cuSOLVER and cuFFT: what is asked of them, by fakes that do it with NumPy, column-major, on the memory of a simulated device; and that
the real ones have the functions, where they are installed."""

import ctypes
import re

import numpy as np
import pytest

from mtarray._kernels.cuda import driver, factor, fft_lib, fourier, graphs, libs, reflections, solver_lib, spectral, tensor

FLOATS = ("f4", "f8", "c8", "c16")
CODES = {"S": "f4", "D": "f8", "C": "c8", "Z": "c16"}
rng = np.random.default_rng(8)


class Function:
    """A function of a fake library: what the declared types let through, it gets as ctypes would pass it on."""

    def __init__(self, name, body):
        self.name, self.body, self.argtypes, self.restype = name, body, None, None

    def __call__(self, *args):
        assert self.restype is ctypes.c_int
        assert len(args) == len(self.argtypes), self.name
        given = []
        for x, t in zip(args, self.argtypes):
            if hasattr(x, "_obj"):  # byref
                assert t is ctypes.c_void_p
                given.append(x._obj)
            elif t is ctypes.c_void_p:
                assert x is None or type(x) is int
                given.append(x or 0)
            else:
                assert type(x) is int
                assert t(x).value == x
                given.append(x)
        return self.body(*given) or 0


class Fake:
    """A library whose functions are methods; `status`: what the next call of a name returns instead of doing anything."""

    def __init__(self, device):
        self.device, self.calls, self.statuses = device, [], {}

    def array(self, address, dtype, shape, strides):
        """Elements in the memory of the device, all of them in one buffer. strides: in elements."""
        dtype = np.dtype(dtype)
        memory, at = self.device.at(address)
        last = sum((n - 1) * s for n, s in zip(shape, strides))
        assert min(shape) > 0
        assert at % dtype.itemsize == 0
        assert at + (last + 1) * dtype.itemsize <= memory.size
        flat = memory[at : at + (last + 1) * dtype.itemsize].view(dtype)
        return np.lib.stride_tricks.as_strided(flat, shape, [s * dtype.itemsize for s in strides])

    def called(self, name, body):
        def run(*args):
            self.calls.append(name)
            return self.statuses[name] if name in self.statuses else body(*args)

        return Function(name, run)


class FakeSolver(Fake):
    WORK = 7

    def __getattr__(self, name):
        if name == "cusolverDnCreate":
            return self.called(name, lambda out: setattr(out, "value", 99))
        if name == "cusolverDnSetStream":
            return self.called(name, lambda handle, stream: None)
        letter, what = re.fullmatch(r"cusolverDn([SDCZ])(\w+)", name).groups()
        if letter in "CZ":
            assert what[:5] not in ("orgqr", "syevd")
            what = what.replace("ungqr", "orgqr").replace("heevd", "syevd")
        self_dtype = np.dtype(CODES[letter])
        if what.endswith("_bufferSize"):
            return self.called(name, lambda handle, *args: setattr(args[-1], "value", self.WORK))
        return self.called(name, lambda handle, *args: (self._checked(handle), getattr(Body(self, self_dtype), what)(*args))[1])

    def _checked(self, handle):
        assert handle == 99


class Body:
    """LAPACK's functions as cuSOLVER declares them."""

    def __init__(self, fake, dtype):
        self.fake, self.dtype = fake, dtype
        self.real = np.finfo(dtype).dtype

    def matrix(self, address, rows, columns, pitch):
        assert pitch >= max(1, rows)
        return self.fake.array(address, self.dtype, (rows, columns), (1, pitch))

    def vector(self, address, count, dtype=None):
        return self.fake.array(address, self.dtype if dtype is None else dtype, (count,), (1,))

    def work(self, address, length):
        assert length == FakeSolver.WORK
        self.vector(address, length)[...] = np.nan

    def potrf(self, uplo, n, a, lda, work, lwork, info):
        self.work(work, lwork)
        self.vector(info, 1, "i4")[0] = self._potrf(uplo, n, a, lda)

    def _potrf(self, uplo, n, a, lda):
        assert uplo == 1
        x = self.matrix(a, n, n, lda)
        upper = np.triu(x)
        whole = upper + np.conj(np.triu(x, 1)).T
        try:
            made = np.conj(np.linalg.cholesky(whole)).T
        except np.linalg.LinAlgError:
            return 2
        x[np.triu_indices(n)] = made[np.triu_indices(n)]
        return 0

    def potrfBatched(self, uplo, n, places, lda, info, count):
        for i, a in enumerate(self.vector(places, count, "i8")):
            self.vector(info, count, "i4")[i] = self._potrf(uplo, n, int(a), lda)
            self.matrix(int(a), n, n, lda)[np.tril_indices(n, -1)] = np.nan  # is used as a work area

    def getrf(self, m, n, a, lda, work, pivots, info):
        self.vector(work, FakeSolver.WORK)[...] = np.nan
        assert m == n
        x, pivots, failed = self.matrix(a, n, n, lda), self.vector(pivots, n, "i4"), 0
        for j in range(n):
            p = j + int(np.argmax(np.abs(x[j:, j])))
            pivots[j] = p + 1
            x[[j, p]] = x[[p, j]]
            if x[j, j] == 0:
                failed = failed or j + 1
                continue
            x[j + 1 :, j] /= x[j, j]
            x[j + 1 :, j + 1 :] -= np.outer(x[j + 1 :, j], x[j, j + 1 :])
        self.vector(info, 1, "i4")[0] = failed

    def getrs(self, how, n, k, a, lda, pivots, b, ldb, info):
        x, y = self.matrix(a, n, n, lda), self.matrix(b, n, k, ldb)
        order = np.arange(n)
        for j, p in enumerate(self.vector(pivots, n, "i4") - 1):
            order[[j, p]] = order[[p, j]]
        given = np.empty_like(x)
        given[order] = (np.tril(x, -1) + np.eye(n, dtype=x.dtype)) @ np.triu(x)
        try:
            y[...] = np.linalg.solve((given, given.T)[how], y)
        except np.linalg.LinAlgError:
            y[...] = np.nan
        self.vector(info, 1, "i4")[0] = 0

    def geqrf(self, m, n, a, lda, taus, work, lwork, info):
        self.work(work, lwork)
        x = self.matrix(a, m, n, lda)
        h, tau = np.linalg.qr(x, mode="raw")
        x[...] = h.T
        self.vector(taus, min(m, n))[...] = tau
        self.vector(info, 1, "i4")[0] = 0

    def orgqr(self, m, n, k, a, lda, taus, work, lwork, info):
        self.work(work, lwork)
        assert m >= n >= k
        x, q = self.matrix(a, m, n, lda), np.eye(m, n, dtype=self.dtype)
        for j in reversed(range(k)):
            v = np.concatenate([np.zeros(j), [1], x[j + 1 :, j]])
            q = q - self.vector(taus, k)[j] * np.outer(v, np.conj(v) @ q)
        x[...] = q
        self.vector(info, 1, "i4")[0] = 0

    def syevd(self, vectors, uplo, n, a, lda, w, work, lwork, info):
        self.work(work, lwork)
        x = self.matrix(a, n, n, lda)
        self.vector(info, 1, "i4")[0] = not np.isfinite(np.triu(x)).all()
        if self.vector(info, 1, "i4")[0]:
            return
        values, found = np.linalg.eigh(np.where(np.tri(n, dtype=bool).T, x, np.nan), UPLO="U"[: uplo == 1])
        self.vector(w, n, self.real)[...] = values
        x[...] = found if vectors else np.nan

    def gesvd(self, jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, rwork, info):
        self.work(work, lwork)
        assert m >= n
        assert jobu == jobvt
        x = self.matrix(a, m, n, lda)
        left, values, right = np.linalg.svd(x, full_matrices=chr(jobu) == "A")
        x[...] = np.nan
        self.vector(s, n, self.real)[...] = values
        self.vector(rwork, n, self.real)[...] = np.nan
        if chr(jobu) == "N":
            assert u == vt == 0
        else:
            self.matrix(u, m, left.shape[1], ldu)[...] = left
            self.matrix(vt, n, n, ldvt)[...] = right
        self.vector(info, 1, "i4")[0] = 0


FFT_TYPES = {0x29: "FF", 0x2A: "fF", 0x2C: "Ff", 0x69: "DD", 0x6A: "dD", 0x6C: "Dd"}


class FakeFft(Fake):
    def __init__(self, device):
        super().__init__(device)
        self.plans, self.made, self.auto = {}, 0, {}

    def __getattr__(self, name):
        return self.called(name, getattr(self, "_" + name.removeprefix("cufft")))

    def _Create(self, out):
        self.made += 1
        out.value = self.made
        self.plans[self.made] = None

    def _Destroy(self, plan):
        del self.plans[plan]

    def _SetAutoAllocation(self, plan, on):
        assert on == 0
        assert self.plans[plan] is None

    def _SetStream(self, plan, stream):
        assert stream == 77

    def _MakePlanMany64(self, plan, rank, n, inner, istride, idist, outer, ostride, odist, kind, batch, size):
        n, *embedded = [ctypes.c_longlong.from_address(at).value for at in (n, inner, outer)]
        assert rank == 1
        assert min(istride, idist, ostride, odist, batch, n, *embedded) >= 1
        if n == 13:
            return 8
        self.plans[plan] = [n, (istride, idist), (ostride, odist), FFT_TYPES[kind], batch, None]
        size.value = 24
        return 0

    def _SetWorkArea(self, plan, address):
        self.plans[plan][5] = address

    def _exec(self, plan, source, target, way=None):
        n, given, taken, (read, written), batch, work = self.plans[plan]
        self.array(work, "u1", (24,), (1,))[...] = 0xEE
        for address in (source, target):
            assert address % np.dtype(read.upper()).itemsize == 0
        half = n // 2 + 1
        x = self.array(source, read, (batch, half if written.islower() else n), (given[1], given[0]))
        y = self.array(target, written, (batch, half if read.islower() else n), (taken[1], taken[0]))
        if read.islower():
            y[...] = np.fft.rfft(x, axis=1)
        elif written.islower():
            assert not x[:, 0].imag.any()
            assert n % 2 or not x[:, -1].imag.any()
            y[...] = np.fft.irfft(x, n, axis=1, norm="forward")
            x[...] = np.nan  # it may be overwritten
        else:
            y[...] = np.fft.fft(x, axis=1) if way == -1 else np.fft.ifft(x, axis=1, norm="forward")

    _ExecC2C = _ExecZ2Z = _ExecR2C = _ExecD2Z = _ExecC2R = _ExecZ2D = _exec


@pytest.fixture
def device():
    found = driver.Simulated(9)
    found.stream_handle = 77
    return found


@pytest.fixture
def solver(device, monkeypatch):
    monkeypatch.setattr(solver_lib, "LEAST", 3)
    fake = FakeSolver(device)
    device.cusolver = solver_lib.made_of(fake), 99
    return fake


@pytest.fixture
def fft(device):
    fake = FakeFft(device)
    device.cufft = fft_lib.made_of(fake)
    return fake


def drawn(shape, dtype):
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if np.dtype(dtype).kind == "c" else 0)
    return x.astype(dtype)


def placed(device, x):
    """A window with the strides of a view of an ndarray."""
    base = x if x.base is None else x.base
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
    return tensor.from_host(device, base).window(x.shape, [s // x.itemsize for s in x.strides], offset)


def assert_near(got, wanted, times=1000):
    assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)
    assert got.is_contiguous
    np.testing.assert_allclose(
        got.to_host(), wanted, rtol=0, atol=times * np.finfo(wanted.dtype).eps * max(1, np.abs(wanted).max(initial=0))
    )


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def times_in(fake, what):
    return sum(what in name for name in fake.calls)


@pytest.mark.parametrize("dtype", FLOATS)
def test_cholesky(device, solver, dtype):
    for stack, calls in ((), 1), ((1, 1), 1), ((3,), 0):
        x = drawn((*stack, 5, 5), dtype)
        y = x @ adjoint(x) + np.eye(5, dtype=dtype)
        lower = np.tril(y) + np.triu(np.full_like(y, np.nan), 1)
        solver.calls.clear()
        for view in (lower, np.swapaxes(np.swapaxes(lower, -1, -2).copy(), -1, -2)):
            assert_near(factor.cholesky_factor(placed(device, view)), np.linalg.cholesky(y))
        assert times_in(solver, "potrfBatched") == 2 - 2 * calls
        assert times_in(solver, "potrf_bufferSize") == 2 * calls
    before = dict(device.counts)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        factor.cholesky_factor(placed(device, -y))
    assert device.counts["to_host"] == before["to_host"] + 1
    assert device.counts["bytes_to_host"] == before["bytes_to_host"] + 4


@pytest.mark.parametrize("dtype", FLOATS)
def test_lu(device, solver, dtype):
    for shape in (5, 5), (1, 4, 4):
        x = drawn(shape, dtype)
        assert_near(factor.inverse(placed(device, x)), np.linalg.inv(x), 1e4)
        assert_near(factor.inverse(placed(device, adjoint(x).copy().swapaxes(-1, -2))), np.linalg.inv(np.conj(x)), 1e4)
        for k in (0, 1, 3):
            b = drawn((*shape[:-1], k), dtype)
            assert_near(factor.solution(placed(device, x), placed(device, b)), np.linalg.solve(x, b), 1e4)
        assert_near(factor.determinant(placed(device, x)), np.asarray(np.linalg.det(x)))
        for got, wanted in zip(factor.sign_and_logdet(placed(device, x)), np.linalg.slogdet(x)):
            assert_near(got, np.asarray(wanted))
        assert_near(factor.adjugate(placed(device, x)), np.linalg.inv(x) * np.linalg.det(x)[..., None, None], 1e4)
    assert times_in(solver, "getrs") == 2 * 5
    singular = np.zeros((4, 4), dtype)
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        factor.solution(placed(device, singular), placed(device, singular))
    assert factor.determinant(placed(device, singular)).to_host() == 0
    assert np.array_equal(factor.adjugate(placed(device, singular)).to_host(), singular)


@pytest.mark.parametrize("dtype", FLOATS)
def test_qr(device, solver, dtype):
    for shape, mode in ((6, 4), "reduced"), ((6, 4), "complete"), ((4, 6), "reduced"), ((4, 6), "complete"), ((1, 5, 5), "reduced"):
        x = drawn(shape, dtype)
        for got, wanted in zip(reflections.qr_factors(placed(device, x), mode=mode), np.linalg.qr(x, mode=mode), strict=True):
            assert_near(got, wanted)
    assert times_in(solver, "geqrf_") == 5


@pytest.mark.parametrize("dtype", FLOATS)
def test_eigenvalues(device, solver, dtype):
    x = drawn((5, 5), dtype)
    y = x + adjoint(x)
    lower = np.tril(y) + np.triu(np.full_like(y, np.nan), 1)
    values, vectors = spectral.eigh_pairs(placed(device, lower))
    assert_near(values, np.linalg.eigvalsh(y))
    v = vectors.to_host()
    assert vectors.is_contiguous
    assert np.abs(y @ v - v * values.to_host()).max() < 1000 * np.finfo(y.dtype).eps
    assert_near(spectral.eigh_values(placed(device, lower)), np.linalg.eigvalsh(y))
    assert times_in(solver, "evd_") == 2
    waits = device.counts["to_host"]
    failed = spectral.eigh_values(placed(device, np.full((4, 4), np.nan, dtype)))
    assert device.counts["to_host"] == waits
    assert np.isnan(failed.to_host()).all()


@pytest.mark.parametrize("dtype", FLOATS)
def test_singular_values(device, solver, dtype):
    for shape in (5, 5), (6, 4), (4, 6), (1, 4, 3):
        x = drawn(shape, dtype)
        for full in (False, True):
            u, s, vh = spectral.svd_factors(placed(device, x), full_matrices=full)
            assert [y.shape for y in (u, s, vh)] == [y.shape for y in np.linalg.svd(x, full_matrices=full)]
            k = s.shape[-1]
            u, s, vh = u.to_host(), s.to_host(), vh.to_host()
            made = (u[..., :k] * s[..., None, :]) @ vh[..., :k, :]
            assert np.abs(made - x).max() < 1000 * np.finfo(x.dtype).eps
            for w in (u, adjoint(vh)):
                assert np.abs(adjoint(w) @ w - np.eye(w.shape[-1])).max() < 1000 * np.finfo(x.dtype).eps
        assert_near(spectral.singular_values(placed(device, x)), np.linalg.svd(x, compute_uv=False))
    assert times_in(solver, "gesvd_") == 4 * 3
    inverse = spectral.pseudo_inverse(placed(device, x), tensor.from_host(device, np.asarray(1e-6)))
    assert_near(inverse, np.linalg.pinv(x))


def test_what_the_library_is_not_for(device, solver):
    spectral.eigh_pairs(placed(device, np.eye(2)))  # small
    factor.determinant(placed(device, np.zeros((5, 3, 3))))  # many
    factor.inverse(placed(device, np.zeros((0, 4, 4))))
    assert not solver.calls
    x = placed(device, drawn((4, 4), "f8"))
    graphs.capture(device, lambda: factor.determinant(x))
    assert not solver.calls


def test_errors_name_the_call(device, solver, fft):
    solver.statuses["cusolverDnDpotrf"] = 7
    with pytest.raises(RuntimeError, match=r"cusolverDnDpotrf failed: cuSOLVER reports status 7 \(internal error\)"):
        factor.cholesky_factor(placed(device, np.eye(4)))
    x = placed(device, drawn(6, "c16"))
    for name, status, word in ("MakePlanMany64", 2, "allocation failed"), ("ExecZ2Z", 6, "execution failed"):
        fft.statuses = {f"cufft{name}": status}
        with pytest.raises(RuntimeError, match=rf"cufft{name} failed: cuFFT reports status {status} \({word}\)"):
            fourier.fourier(x, name="fft", n=6, axis=0, norm="backward")


CASES = [((6,), 0), ((2, 3, 5), 1), ((3, 5), 1), ((3, 5), 0), ((2, 3, 4), 1), ((20, 2, 3), 1), ((2, 1, 1), 0), ((0, 4), 1)]


@pytest.mark.parametrize("dtype", FLOATS)
def test_transforms(device, fft, dtype):
    def check(x, name, n, axis, norm):
        got = fourier.fourier(placed(device, x), name=name, n=n, axis=axis, norm=norm)
        wanted = getattr(np.fft, name)(x, n, axis, norm) if x.size else np.zeros(got.shape)
        assert_near(got, wanted.astype(got.dtype))

    for name in ("fft", "ifft", "irfft") if np.dtype(dtype).kind == "c" else ("fft", "rfft", "irfft"):
        for shape, axis in CASES:
            for change in (-1, 0, 2):
                check(drawn(shape, dtype), name, max(1, shape[axis] + change), axis, "backward")
        for norm in ("backward", "ortho", "forward"):
            check(drawn((2, 6), dtype), name, 6, 1, norm)
        x = drawn((4, 9), dtype)
        for view in (x[:, ::-1], x[::2, 1:8:2], x.T, np.broadcast_to(x[:1], (3, 9)), np.broadcast_to(x[:, :1], (4, 7))):
            check(view, name, view.shape[1], 1, "backward")
            check(view, name, view.shape[0], 0, "backward")
        check(drawn((2, 13), dtype), name, 13, 1, "ortho")  # what the library refuses
    assert times_in(fft, "Exec") > 50


def test_plans_are_kept_and_dropped(device, fft, monkeypatch):
    monkeypatch.setattr(fft_lib, "_KEPT", 2)
    x = placed(device, drawn((2, 6), "c16"))
    launches = device.counts["launches"]
    for n in (4, 6, 4, 3, 4, 6):
        fourier.fourier(x, name="fft", n=n, axis=1, norm="backward")
    assert device.counts["launches"] == launches  # nothing is copied, nothing scaled
    assert fft.made == 4
    assert len(fft.plans) == 2


def test_libraries_can_be_turned_off(device, monkeypatch):
    assert libs.bound(device, "cusolver", lambda: 1) is None  # nor are they for simulated devices
    monkeypatch.setenv("MTARRAY_CUDA_LIBS", "0")
    assert libs.opened("c", (6,), lambda library: library) is None
    assert libs.cublas.__wrapped__() is None
    monkeypatch.setenv("MTARRAY_CUDA_LIBS", "1")
    assert libs.opened("nosuchlibrary", (1,), lambda library: library) is None


def test_what_cannot_be_loaded_says_so(tmp_path, monkeypatch):
    folder = tmp_path / "nvidia" / "cu13" / "lib"
    folder.mkdir(parents=True)
    (folder / "libbroken.so.12").write_bytes(b"no library")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match=r"libbroken.so.12 could not be loaded: .*MTARRAY_CUDA_LIBS=0"):
        libs.opened("broken", (12,), lambda library: library)


@pytest.mark.parametrize(("name", "module"), [("cusolver", solver_lib), ("cufft", fft_lib)])
def test_the_real_ones_have_the_functions(name, module):
    if libs.opened(name, (12, 11), module.made_of) is None:
        pytest.skip(f"{name} is not installed")
