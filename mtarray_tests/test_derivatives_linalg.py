"""Derivatives of linear algebra, Fourier transforms, convolution and selection: every function, both modes, orders 1 and 2.

Each case is a function of a namespace and arrays, so PyTorch runs the same text. What is determined only up to a factor (eigenvectors,
singular vectors) enters by functions that do not depend on it.
"""

import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """f(xp, *arrays of these shapes). kinds: of dtypes it takes. peer: whether PyTorch has the function, and these derivatives of it."""

    name: str
    f: Function
    shapes: tuple[tuple[int, ...], ...]
    kinds: str = "fc"
    peer: bool = True

    def arrays(self, kind: str) -> list[np.ndarray]:
        """Random operands; matrices among them well away from singular."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        out = []
        for shape in self.shapes:
            a = random.standard_normal(shape)
            if kind == "c":
                a = a + 1j * random.standard_normal(shape)
            if len(shape) > 1:
                a = a + 2 * np.eye(*shape[-2:])
            out.append(a)
        return out


def H(a: Any) -> Any:
    return a.mT if "complex" not in str(a.dtype) else a.mT.conj()


def hermitian(a: Any) -> Any:
    return a + H(a)


def positive(np_: Any, a: Any) -> Any:
    return a @ H(a) + np_.eye(a.shape[-1], dtype=a.dtype)


def by_columns(np_: Any, u: Any, s: Any) -> Any:
    """Each column of u times an element of s, for real s and complex u too."""
    return u * np_.astype(s, u.dtype)[..., None, :]


def of_svd(np_: Any, x: Any, **options: Any) -> Any:
    u, s, vh = np_.linalg.svd(x, full_matrices=False, **options)
    return s, by_columns(np_, u, np_.sin(s)) @ vh, by_columns(np_, u, np_.cos(s)) @ H(u), H(vh) @ H(by_columns(np_, H(vh), s**3))


def of_full_svd(np_: Any, x: Any) -> Any:
    u, s, vh = np_.linalg.svd(x, full_matrices=True)
    k = s.shape[-1]
    rest, kernel = u[..., k:], vh[..., k:, :]
    return s, rest @ H(rest), H(kernel) @ kernel, by_columns(np_, u[..., :k], s * s) @ vh[..., :k, :]


def of_complete_qr(np_: Any, x: Any) -> Any:
    q, r = np_.linalg.qr(x, mode="complete")
    k = min(x.shape[-2:])
    rest = q[..., k:]
    return q[..., :k], r, rest @ H(rest)


def of_eigh(np_: Any, x: Any) -> Any:
    w, v = np_.linalg.eigh(hermitian(x))
    return w, by_columns(np_, v, np_.sin(w)) @ H(v)


def of_eig(np_: Any, x: Any) -> Any:
    w, v = np_.linalg.eig(x)
    return np_.abs(v), (v * np_.sin(w)[..., None, :]) @ np_.linalg.inv(v), np_.sum(w**3, axis=-1)


CASES: list[Case] = []


def case(name: str, f: Function, *shapes: tuple[int, ...], kinds: str = "fc", peer: bool = True) -> None:
    CASES.append(Case(f"{name}{list(shapes)}", f, shapes, kinds, peer))


for a, b in [
    ((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)), ((7, 40), (40, 50)),
]:  # fmt: skip
    case("matmul", lambda np_, x, y: x @ y, a, b)
case("vecdot", lambda np_, x, y: np_.linalg.vecdot(x, y), (4, 3), (1, 3))
case("vecdot axis", lambda np_, x, y: np_.linalg.vecdot(x, y, axis=-2), (2, 3, 4), (2, 3, 4))
case("matvec", lambda np_, x, y: np_.matvec(x, y), (2, 3, 4), (2, 4), peer=False)
case("vecmat", lambda np_, x, y: np_.vecmat(x, y), (2, 3), (2, 3, 4), peer=False)
case("tensordot", lambda np_, x, y: np_.tensordot(x, y, axes=((1, 2), (1, 0))), (2, 3, 4), (4, 3, 5))
case("tensordot 0", lambda np_, x, y: np_.tensordot(x, y, axes=0), (2, 3), (2,), peer=False)
case("outer", lambda np_, x, y: np_.linalg.outer(x, y), (3,), (4,))
case("cross", lambda np_, x, y: np_.linalg.cross(x, y), (2, 3), (2, 3))
case("kron", lambda np_, x, y: np_.kron(x, y), (2, 3), (3, 2))
case("inner", lambda np_, x, y: np_.inner(x, y), (2, 3), (4, 3))
case("dot", lambda np_, x, y: np_.dot(x, y), (2, 3), (4, 3, 2), peer=False)
case("vdot", lambda np_, x, y: np_.vdot(x, y), (2, 3), (2, 3), peer=False)
case("multi_dot", lambda np_, *xs: np_.linalg.multi_dot(xs), (4,), (4, 3), (3, 5), (5,))
case("einsum matmul", lambda np_, x, y: np_.einsum("bij,bjk->bik", x, y), (2, 3, 4), (2, 4, 2))
case("einsum chain", lambda np_, *xs: np_.einsum("ij,jk,kl->il", *xs), (2, 3), (3, 4), (4, 2))
case("einsum diagonal", lambda np_, x: np_.einsum("ii->i", x), (3, 3))
case("einsum trace", lambda np_, x, y: np_.einsum("iij,j->", x, y), (3, 3, 2), (2,))
case("trace", lambda np_, x: np_.linalg.trace(x), (2, 3, 4))
case("diagonal", lambda np_, x: np_.linalg.diagonal(x, offset=1), (2, 3, 4))
case("tril", lambda np_, x: np_.tril(x, k=1), (2, 4, 3))
case("triu", lambda np_, x: np_.triu(x, k=-1), (2, 4, 3))

case("inv", lambda np_, x: np_.linalg.inv(x), (2, 3, 3))
case("det", lambda np_, x: np_.linalg.det(x), (2, 3, 3))
case("det 1", lambda np_, x: np_.linalg.det(x), (1, 1))
case("slogdet", lambda np_, x: tuple(np_.linalg.slogdet(x)), (2, 3, 3))
case("solve", lambda np_, x, y: np_.linalg.solve(x, y), (2, 3, 3), (2, 3, 2))
case("solve vector", lambda np_, x, y: np_.linalg.solve(x, y), (3, 3), (3,))
case("solve stack", lambda np_, x, y: np_.linalg.solve(x, y), (3, 3), (4, 3, 2))
case("cholesky", lambda np_, x: np_.linalg.cholesky(positive(np_, x)), (2, 3, 3))
case("cholesky upper", lambda np_, x: np_.linalg.cholesky(positive(np_, x), upper=True), (2, 3, 3))
for shape in [(2, 3, 3), (2, 5, 3), (5, 3), (3, 5)]:
    case("qr", lambda np_, x: tuple(np_.linalg.qr(x)), shape)
    case("qr Q", lambda np_, x: np_.linalg.qr(x)[0], shape)
    case("qr R", lambda np_, x: np_.linalg.qr(x)[1], shape)
    case("qr complete", of_complete_qr, shape, peer=False)
    case("svd", of_svd, shape)
    case("svd full", of_full_svd, shape, peer=False)
    case("svdvals", lambda np_, x: np_.linalg.svdvals(x), shape)
    case("pinv", lambda np_, x: np_.linalg.pinv(x), shape)
    case("pinv of deficient", lambda np_, x, y: np_.linalg.pinv(x @ y), (*shape[:-1], 2), (2, shape[-1]))
case("polar factor", lambda np_, x: (lambda u, s, vh: u @ vh)(*np_.linalg.svd(x, full_matrices=False)), (3, 5))
case("eigh", of_eigh, (2, 4, 4))
case("eigvalsh", lambda np_, x: np_.linalg.eigvalsh(hermitian(x)), (2, 4, 4))
case("eig", of_eig, (2, 4, 4))
case("eigvals", lambda np_, x: np_.linalg.eigvals(x), (2, 4, 4))
case(
    "real vectors", lambda np_, x: (*np_.linalg.eigh(hermitian(x)), *np_.linalg.svd(x, full_matrices=False)), (4, 4), kinds="f", peer=False
)
for n in (-2, 0, 1, 3, 5):
    case(f"matrix_power {n}", lambda np_, x, n=n: np_.linalg.matrix_power(x, n), (2, 3, 3), peer=n != 0)
for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
    case(f"matrix_norm {order}", lambda np_, x, o=order: np_.linalg.matrix_norm(x, ord=o), (2, 3, 4))
for order in (1, 2, 3, 2.5, -1, 0.5, np.inf, -np.inf):
    case(f"vector_norm {order}", lambda np_, x, o=order: np_.linalg.vector_norm(x, ord=o, axis=-1), (2, 5))
case("vector_norm all", lambda np_, x: np_.linalg.vector_norm(x, axis=(0, 2), keepdims=True), (2, 5, 2))
case("norm", lambda np_, x: np_.linalg.norm(x), (2, 3, 4))
case("norm of axes", lambda np_, x: np_.linalg.norm(x, axis=(0, 2), ord="nuc", keepdims=True), (2, 3, 4), peer=False)
for order in (None, -2, 1, "fro", np.inf, "nuc"):
    case(
        f"cond {order}", lambda np_, x, o=order: np_.linalg.cond(x, o), (2, 3, 3), peer=order in (None, -2)
    )  # of the others its own backward pass fails
for shape in [(5, 3), (3, 5)]:
    case("lstsq", lambda np_, x, y: [v for v in np_.linalg.lstsq(x, y) if "int" not in str(v.dtype)], shape, (shape[0], 2), peer=False)
    case("lstsq vector", lambda np_, x, y: np_.linalg.lstsq(x, y)[0], shape, shape[:1], peer=False)

for norm in ("backward", "ortho", "forward"):
    for length in (None, 4, 5, 8, 9):
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
            case(
                f"{name} n={length} {norm}",
                lambda np_, x, name=name, n=length, norm=norm: getattr(np_.fft, name)(x, n=n, axis=-2, norm=norm),
                (2, 6, 2),
                kinds="f" if name in ("rfft", "ihfft") else "fc",
            )
for name in ("fftn", "ifftn", "rfftn", "irfftn"):
    case(name, lambda np_, x, name=name: getattr(np_.fft, name)(x, s=(4, 6), axes=(0, 1)), (3, 4), kinds="f" if name == "rfftn" else "fc")
for name in ("fft2", "ifft2", "rfft2", "irfft2"):
    case(name, lambda np_, x, name=name: getattr(np_.fft, name)(x), (3, 4), kinds="f" if name == "rfft2" else "fc")
case("fftshift", lambda np_, x: np_.fft.fftshift(x), (5,))
case("ifftshift", lambda np_, x: np_.fft.ifftshift(x), (5,))

for mode in ("full", "same", "valid"):
    for a, b in [((6,), (3,)), ((3,), (6,)), ((5,), (4,)), ((4,), (4,)), ((7,), (1,)), ((6,), (2,))]:
        case(f"convolve {mode}", lambda np_, x, y, m=mode: np_.convolve(x, y, m), a, b, peer=False)
        case(f"correlate {mode}", lambda np_, x, y, m=mode: np_.correlate(x, y, m), a, b, peer=False)
case("partition", lambda np_, x: np_.partition(x, (1, 3), axis=0), (6, 2), kinds="f", peer=False)
case("bincount", lambda np_, w: np_.bincount(np_.asarray([0, 2, 2, 1, 0]), w, minlength=5), (5,), kinds="f", peer=False)
case("histogram", lambda np_, w: np_.histogram(np_.asarray([0.0, 2, 2, 1, 0]), bins=3, weights=w)[0], (5,), kinds="f", peer=False)

CALLS = [pytest.param(c, k, id=f"{c.name}-{k}") for c in CASES for k in c.kinds]

# ---------------------------------------------------------------------- a case as a real function, and its derivatives along a direction


def results(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (tuple, list)) else [y]


def like(a: Any, random: np.random.Generator) -> np.ndarray:
    out = random.standard_normal(tuple(a.shape))
    return out + 1j * random.standard_normal(tuple(a.shape)) if "complex" in str(a.dtype) else out


def weighted(f: Function, args: Sequence[Any]) -> Callable[..., Any]:
    """A real function of the arrays: fixed weights times all results of f."""
    random = np.random.default_rng(1)
    weights = [xp.asarray(like(v, random)) for v in results(f(*args))]

    def total(*args: Any) -> Any:
        out: Any = 0.0
        for v, w in zip(results(f(*args)), weights):
            out = out + inner(w, v)
        return out

    return total


def inner(a: Any, b: Any) -> Any:
    p = xp.conj(a) * b if b.dtype.kind == "c" else a * b
    return xp.sum(xp.real(p) if p.dtype.kind == "c" else p)


def along(gs: Sequence[Any], ts: Sequence[Any]) -> Any:
    out: Any = 0.0
    for g, t in zip(gs, ts):
        out = out + inner(g, t)
    return out


def slope(f: Callable[..., float], args: Sequence[Any], ts: Sequence[Any], h: float = 2e-4) -> float:
    """The derivative of f along ts by four central differences: to h**4."""
    at = [float(f(*[x + s * h * t for x, t in zip(args, ts)])) for s in (-2, -1, 1, 2)]
    return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)


def near(got: Any, want: Any, tolerance: float, scale: float = 1.0) -> None:
    got, want = float(got), float(want)
    assert abs(got - want) <= tolerance * max(scale, abs(want)), f"{got!r} is not {want!r}"


def check(f: Function, args: Sequence[Any], differences: float = 1e-7) -> None:
    """All ways to the first and second derivatives along a direction agree with each other and with central differences."""
    random = np.random.default_rng(2)
    args = tuple([xp.asarray(a) for a in args])
    ts = tuple([xp.asarray(like(a, random)) for a in args])
    total = weighted(f, args)
    every = tuple(range(len(args)))
    gradient = autodiff.grad(total, every)

    def first(*args: Any) -> Any:
        return along(gradient(*args), ts)

    def pushed(*args: Any) -> Any:
        return autodiff.jvp(total, args, ts)[1]

    got = float(first(*args))
    near(got, slope(total, args, ts), differences)
    near(pushed(*args), got, 1e-10)
    second = float(autodiff.jvp(first, args, ts)[1])
    near(second, slope(first, args, ts), differences)
    near(along(autodiff.grad(first, every)(*args), ts), second, 1e-9)
    near(autodiff.jvp(pushed, args, ts)[1], second, 1e-9)
    near(along(autodiff.grad(pushed, every)(*args), ts), second, 1e-9)


@pytest.mark.parametrize(("c", "kind"), CALLS)
def test_against_central_differences(c: Case, kind: str) -> None:
    check(lambda *args: c.f(xp, *args), c.arrays(kind))


@pytest.mark.parametrize(("c", "kind"), [pytest.param(c, k, id=f"{c.name}-{k}") for c in CASES if c.peer for k in c.kinds])
def test_against_pytorch(c: Case, kind: str) -> None:
    torch = pytest.importorskip("torch")
    import array_api_compat.torch as peer

    warnings.filterwarnings("ignore", message="Casting complex values to real discards the imaginary part")
    arrays = c.arrays(kind)
    args = [xp.asarray(a) for a in arrays]
    random = np.random.default_rng(1)
    weights = [like(v, random) for v in results(c.f(xp, *args))]
    ts = [like(a, random) for a in args]

    def total(*args: Any) -> Any:
        return along([xp.asarray(w) for w in weights], results(c.f(xp, *args)))

    every = tuple(range(len(args)))
    gradient = autodiff.grad(total, every)
    ours = [*gradient(*args), *autodiff.jvp(gradient, args, [xp.asarray(t) for t in ts])[1]]

    def torch_inner(a: Any, b: Any) -> Any:
        p = torch.as_tensor(a).conj() * b if b.is_complex() else torch.as_tensor(a) * b
        return torch.sum(p.real if p.is_complex() else p)

    leaves = [torch.asarray(a).requires_grad_() for a in arrays]
    value = sum(torch_inner(w, v) for w, v in zip(weights, results(c.f(peer, *leaves))))
    gs = torch.autograd.grad(value, leaves, create_graph=True)
    change = sum(torch_inner(t, g) for t, g in zip(ts, gs))
    hs = torch.autograd.grad(change, leaves, allow_unused=True) if change.requires_grad else [None] * len(leaves)
    theirs = [*gs, *[torch.zeros_like(x) if h is None else h for x, h in zip(leaves, hs)]]
    for got, want in zip(ours, theirs):
        want = want.detach().numpy(force=True)
        np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=1e-10 * max(1.0, np.max(np.abs(want))))


# ---------------------------------------------------------------------- layouts, sizes, dtypes


def transposed(a: np.ndarray) -> Any:
    return xp.asarray(np.ascontiguousarray(a.T)).T


def strided(a: np.ndarray) -> Any:
    room = np.zeros([2 * n for n in a.shape], a.dtype)
    view = xp.asarray(room)[tuple([slice(None, None, -2)] * a.ndim)]
    view[...] = xp.asarray(a)
    return view


@pytest.mark.parametrize("layout", [transposed, strided])
@pytest.mark.parametrize("c", [pytest.param(c, id=c.name) for c in CASES if "n=" not in c.name or "n=5 ortho" in c.name])
def test_layouts(c: Case, layout: Callable[[np.ndarray], Any]) -> None:
    """Operands that lie in memory otherwise, as arguments and as windows on what is differentiated by, have the same derivatives."""
    arrays = c.arrays(c.kinds[-1])
    args = [xp.asarray(a) for a in arrays]
    total = weighted(lambda *args: c.f(xp, *args), args)
    every = tuple(range(len(args)))
    want = autodiff.grad(total, every)(*args)
    placed = [layout(a) for a in arrays]
    for g, w in zip(autodiff.grad(total, every)(*placed), want):
        np.testing.assert_allclose(np.asarray(g), np.asarray(w), rtol=1e-9, atol=1e-9)
    turned = autodiff.grad(lambda *args: total(*[a.T for a in args]), every)(*[xp.asarray(np.ascontiguousarray(a.T)) for a in arrays])
    for g, w in zip(turned, want):
        np.testing.assert_allclose(np.asarray(g).T, np.asarray(w), rtol=1e-9, atol=1e-9)
    near(autodiff.jvp(total, placed, placed)[1], along(want, args), 1e-9)


MATRICES = ["inv", "det", "slogdet", "cholesky", "qr", "svd", "svdvals", "eigh", "eigvalsh", "eig", "eigvals", "pinv", "matrix_norm"]


def magnitudes(name: str, x: Any) -> Any:
    """A number made of all that a function of matrices returns, without phases."""
    ys = results(getattr(xp.linalg, name)(positive(xp, x)))
    return sum((xp.sum(xp.abs(y) ** 2) for y in ys), xp.zeros(()))


@pytest.mark.parametrize("name", MATRICES)
def test_broadcast_stacks(name: str) -> None:
    """A matrix repeated in a stack has the sum of the cotangents."""
    x = xp.asarray(np.random.default_rng(5).standard_normal((3, 3)))
    one = xp.grad(lambda x: magnitudes(name, x))(x)
    many = xp.grad(lambda x: magnitudes(name, xp.broadcast_to(x, (4, 3, 3))))(x)
    np.testing.assert_allclose(np.asarray(many), 4 * np.asarray(one), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(0, 3, 3), (2, 0, 0)])
@pytest.mark.parametrize("name", MATRICES)
def test_empty(name: str, shape: tuple[int, ...]) -> None:
    x = xp.zeros(shape)

    def f(x: Any) -> Any:
        return magnitudes(name, x)

    assert xp.grad(f)(x).shape == shape
    assert float(autodiff.jvp(f, (x,), (x,))[1]) == 0
    assert autodiff.hvp(f, (x,), (x,)).shape == shape


@pytest.mark.parametrize(
    "shapes", [((2, 0), (0, 3)), ((0, 3), (3, 2)), ((5, 0, 3), (3, 2)), ((0,), (0, 3)), ((2, 3, 0), (0,)), ((2, 3), (0, 3, 4))]
)
def test_empty_products(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    args = tuple([xp.ones(s) for s in shapes])
    gs = xp.grad(lambda x, y: xp.sum(x @ y), (0, 1))(*args)
    for g, s in zip(gs, shapes):
        assert g.shape == s
        assert not np.any(np.asarray(g))
    assert [h.shape for h in autodiff.hvp(lambda x, y: xp.sum(x @ y), args, args)] == list(shapes)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x: xp.linalg.inv(x), [(300, 3, 3)]),
        (lambda x: xp.linalg.det(x / 3), [(300, 3, 3)]),
        (lambda x, y: xp.linalg.solve(x, y), [(300, 3, 3), (3, 2)]),
        (lambda x: xp.linalg.cholesky(positive(xp, x)), [(300, 3, 3)]),
        (lambda x: xp.linalg.pinv(x), [(200, 4, 3)]),
        (lambda x: xp.fft.irfft(xp.fft.rfft(x) ** 2), [(4096,)]),
        (lambda x, y: xp.sin(x @ y), [(90, 80), (80, 100)]),
        (lambda x, y: xp.sin(x @ y), [(40, 20, 10), (10, 30)]),
    ],
    ids=["inv", "det", "solve", "cholesky", "pinv", "fft", "matmul", "stack"],
)
def test_large(f: Function, shapes: list[tuple[int, ...]]) -> None:
    """Sizes at which kernels of our own serve."""
    random = np.random.default_rng(7)
    args = [random.standard_normal(s) / 10 + (2 * np.eye(*s[-2:]) if len(s) > 1 else 0) for s in shapes]
    check(f, args, 1e-6)


@pytest.mark.parametrize("dtype", [xp.float32, xp.complex64])
@pytest.mark.parametrize("name", MATRICES)
def test_single_precision(name: str, dtype: Any) -> None:
    """A cotangent has the dtype of its operand."""
    random = np.random.default_rng(3)
    wide = random.standard_normal((3, 3)) + (1j * random.standard_normal((3, 3)) if dtype is xp.complex64 else 0)
    x = xp.asarray(wide, dtype=dtype)
    g = xp.grad(lambda x: magnitudes(name, x))(x)
    assert g.dtype == dtype
    want = np.asarray(xp.grad(lambda x: magnitudes(name, x))(xp.asarray(wide)))
    np.testing.assert_allclose(np.asarray(g), want, rtol=0, atol=2e-3 * np.max(np.abs(want)))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: xp.linalg.inv(x),
        lambda x: xp.linalg.det(x),
        lambda x: xp.linalg.cholesky(positive(xp, x)),
        lambda x: tuple(xp.linalg.qr(x)),
        lambda x: xp.linalg.svdvals(x),
        lambda x: of_eigh(xp, x),
        lambda x: xp.linalg.pinv(x[:, :2]),
        lambda x: xp.linalg.vector_norm(x),
    ],
    ids=["inv", "det", "cholesky", "qr", "svdvals", "eigh", "pinv", "vector_norm"],
)
def test_third_order(f: Function) -> None:
    random = np.random.default_rng(11)
    x, t = xp.asarray(random.standard_normal((3, 3)) + 2 * np.eye(3)), xp.asarray(random.standard_normal((3, 3)))
    total = weighted(f, (x,))

    def second(x: Any) -> Any:
        return inner(autodiff.hvp(total, (x,), (t,)), t)

    want = slope(second, (x,), (t,))
    near(autodiff.jvp(second, (x,), (t,))[1], want, 1e-6)
    near(inner(xp.grad(second)(x), t), want, 1e-6)


# ---------------------------------------------------------------------- where conventions and care are needed


@pytest.mark.parametrize("dtype", [xp.float64, xp.complex128])
@pytest.mark.parametrize("order", [1, 2, 2.5, 3, np.inf])
def test_norms_have_slope_zero_at_zero(order: Any, dtype: Any) -> None:
    x = xp.zeros(3, dtype=dtype)
    assert not np.any(np.asarray(xp.grad(lambda x: xp.linalg.vector_norm(x, ord=order))(x)))
    assert float(autodiff.jvp(lambda x: xp.linalg.vector_norm(x, ord=order), (x,), (xp.ones(3, dtype=dtype),))[1]) == 0


def test_frobenius_norm_at_zero() -> None:
    assert not np.any(np.asarray(xp.grad(xp.linalg.matrix_norm)(xp.zeros((2, 2)))))
    assert not np.any(np.asarray(xp.grad(xp.linalg.norm)(xp.zeros((2, 2, 2)))))


def test_one_zero_row_does_not_spoil_the_others() -> None:
    x = xp.asarray([[0.0, 0.0], [3.0, 4.0]])
    g = xp.grad(lambda x: xp.sum(xp.linalg.vector_norm(x, axis=1)))(x)
    np.testing.assert_allclose(np.asarray(g), [[0, 0], [0.6, 0.8]])


@pytest.mark.parametrize("kind", "fc")
@pytest.mark.parametrize("zeros", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_determinants_of_singular_matrices(n: int, zeros: int, kind: str) -> None:
    random = np.random.default_rng(13)
    u, s, vh = np.linalg.svd(random.standard_normal((n, n)) + (1j * random.standard_normal((n, n)) if kind == "c" else 0))
    s[max(0, n - zeros) :] = 0
    check(xp.linalg.det, [(u * s) @ vh])
    check(xp.linalg.det, [np.stack([(u * s) @ vh, u @ vh])])


def test_gradient_of_an_exactly_singular_determinant() -> None:
    g = xp.grad(xp.linalg.det)(xp.asarray([[1.0, 2.0], [2.0, 4.0]]))
    np.testing.assert_allclose(np.asarray(g), [[4, -2], [-2, 1]], rtol=1e-14)


def test_repeated_values() -> None:
    """Sums over eigenvalues and singular values need no vectors of their own; nor do pseudo-inverses and least squares."""
    one = xp.eye(3)
    for f in (xp.linalg.eigvalsh, xp.linalg.svdvals, lambda x: xp.linalg.eigh(x)[0], lambda x: xp.linalg.svd(x)[1]):
        np.testing.assert_allclose(np.asarray(xp.grad(lambda x, f=f: xp.sum(f(x)))(one)), np.eye(3), atol=1e-15)
        np.testing.assert_allclose(np.asarray(autodiff.jvp(f, (one,), (one,))[1]), np.ones(3), atol=1e-15)
    check(xp.linalg.pinv, [np.eye(3)])
    check(lambda a, b: xp.linalg.lstsq(a, b)[0], [np.eye(4, 3), np.arange(4.0)])


def test_symmetric_matrices_count_as_symmetric() -> None:
    """What reads one triangle of x has the derivative of the function of (x + x.T) / 2."""
    x = np.random.default_rng(17).standard_normal((3, 3))
    x = xp.asarray(x @ x.T + np.eye(3))
    for f in (xp.linalg.cholesky, xp.linalg.eigvalsh, lambda x: xp.linalg.cholesky(x, upper=True), lambda x: of_eigh(xp, x)[1]):
        total = weighted(f, (x,))
        g = np.asarray(xp.grad(total)(x))
        np.testing.assert_allclose(g, g.T, rtol=1e-12)
        np.testing.assert_allclose(g, np.asarray(xp.grad(lambda x, t=total: t(0.5 * (x + x.T)))(x)), rtol=1e-12)


def test_undetermined_columns_are_refused() -> None:
    x = xp.asarray(np.random.default_rng(19).standard_normal((4, 2)))
    w = xp.asarray(np.random.default_rng(20).standard_normal((4, 4)))
    with pytest.raises(autodiff.NoDerivativeError, match=r"only the first 2 columns are determined.*mode='reduced'"):
        xp.grad(lambda x: xp.sum(w * xp.linalg.qr(x, mode="complete").Q))(x)
    with pytest.raises(autodiff.NoDerivativeError, match=r"only the first 2 columns are determined.*full_matrices=False"):
        xp.grad(lambda x: xp.sum(w * xp.linalg.svd(x).U))(x)
    with pytest.raises(autodiff.NoDerivativeError, match=r"only the first 2 columns are determined.*full_matrices=False"):
        xp.grad(lambda x: xp.sum(w * xp.linalg.svd(x.T).Vh))(x)


def test_ranks_are_constant() -> None:
    x = xp.eye(3)
    assert not np.any(np.asarray(xp.grad(lambda x: xp.sum(x) * 0 + xp.astype(xp.linalg.matrix_rank(x), xp.float64))(x)))
