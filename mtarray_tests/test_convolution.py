"""`mtarray.convolution` against PyTorch in float64: values, gradients, second derivatives; layouts, threads, errors."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, convolution

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
torch = pytest.importorskip("torch")
F = torch.nn.functional


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """PyTorch's threads wait busily for each other after every call."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def close(got: Any, expected: Any, tolerance: float = 1e-10) -> None:
    expected = expected.detach().resolve_conj().numpy() if isinstance(expected, torch.Tensor) else np.asarray(expected)
    got = np.asarray(got)
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


# ---------------------------------------------------------------------- convolutions: (function, shapes of x and w, arguments)

CONVOLUTIONS: list[tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ("conv2d", (2, 3, 9, 8), (4, 3, 3, 3), {}),
    ("conv2d", (2, 3, 9, 8), (4, 3, 3, 3), {"padding": 1}),
    ("conv2d", (2, 3, 9, 8), (4, 3, 3, 2), {"padding": "same"}),
    ("conv2d", (2, 3, 9, 8), (4, 3, 2, 4), {"padding": "same", "dilation": (3, 1)}),
    ("conv2d", (2, 3, 9, 8), (4, 3, 3, 2), {"padding": "valid", "stride": 2}),
    ("conv2d", (2, 3, 10, 11), (5, 3, 3, 3), {"stride": (2, 3), "padding": (1, 2)}),
    ("conv2d", (2, 3, 10, 11), (5, 3, 3, 2), {"dilation": (2, 3), "padding": (2, 1)}),
    ("conv2d", (2, 3, 12, 11), (5, 3, 3, 2), {"stride": (3, 2), "dilation": (2, 3), "padding": (2, 1)}),
    ("conv2d", (2, 6, 7, 7), (9, 2, 3, 3), {"groups": 3, "padding": 1}),
    ("conv2d", (2, 4, 7, 9), (8, 1, 3, 3), {"groups": 4, "stride": 2, "padding": 1}),
    ("conv2d", (3, 7, 6, 5), (10, 7, 1, 1), {}),
    ("conv2d", (3, 2, 6, 5), (4, 2, 1, 1), {"stride": 2, "padding": 1}),
    ("conv2d", (3, 2, 12, 12), (7, 2, 4, 4), {"stride": 4}),
    ("conv2d", (2, 2, 5, 5), (3, 2, 5, 5), {}),
    ("conv2d", (2, 2, 3, 3), (3, 2, 5, 5), {"padding": 3}),
    ("conv2d", (2, 2, 8, 8), (3, 2, 2, 2), {"padding": 4, "stride": 3}),
    ("conv2d", (1, 1, 40, 3), (1, 1, 2, 2), {}),
    ("conv2d", (3, 9, 8), (4, 3, 3, 3), {"padding": 1}),
    ("conv2d", (0, 3, 9, 8), (4, 3, 3, 3), {"padding": 1}),
    ("conv2d", (2, 1, 28, 28), (6, 1, 5, 5), {}),
    ("conv2d", (2, 16, 14, 14), (32, 16, 3, 3), {"padding": 1}),
    ("conv1d", (2, 3, 20), (4, 3, 5), {}),
    ("conv1d", (2, 3, 21), (4, 3, 4), {"stride": 3, "padding": 2, "dilation": 2}),
    ("conv1d", (2, 4, 21), (4, 2, 4), {"groups": 2, "padding": "same"}),
    ("conv1d", (3, 20), (4, 3, 5), {"stride": (2,)}),
    ("conv_transpose2d", (2, 3, 5, 4), (3, 4, 3, 3), {}),
    ("conv_transpose2d", (2, 3, 5, 4), (3, 4, 3, 2), {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)}),
    ("conv_transpose2d", (2, 4, 5, 4), (4, 3, 3, 3), {"stride": 2, "groups": 2, "dilation": 2, "output_padding": 1}),
    ("conv_transpose2d", (2, 2, 4, 5), (2, 3, 2, 2), {"stride": 1, "dilation": 3, "output_padding": 2, "padding": 1}),
    ("conv_transpose2d", (2, 2, 4, 5), (2, 3, 2, 2), {"stride": 4}),
    ("conv_transpose2d", (3, 5, 4), (3, 4, 3, 3), {"padding": 2}),
    ("conv_transpose1d", (2, 3, 7), (3, 4, 4), {"stride": 3, "padding": 1, "output_padding": 2}),
    ("conv_transpose1d", (3, 7), (3, 4, 4), {"stride": 2, "dilation": 2}),
]
IDS = [f"{name}-{x}-{w}-{args}".replace(" ", "") for name, x, w, args in CONVOLUTIONS]


def filters(name: str, w: tuple[int, ...], args: dict[str, Any]) -> int:
    return w[1] * args.get("groups", 1) if "transpose" in name else w[0]


def operands(name: str, x: tuple[int, ...], w: tuple[int, ...], args: dict[str, Any], dtype: str = "f8") -> list[np.ndarray]:
    rng = np.random.default_rng(sum(x) + sum(w))
    made = [rng.standard_normal(shape) for shape in (x, w, (filters(name, w, args),))]
    return [a.astype(dtype) for a in made]


def second_order(f: Any, arrays: list[np.ndarray], weights: np.ndarray) -> tuple[list[Any], list[Any]]:
    """Gradients of sum(f * weights + f**2), and of the sum of their squares: ours and PyTorch's after one another."""
    ours = [xp.asarray(a) for a in arrays]
    count = tuple(range(len(arrays)))

    def total(*args: Any) -> Any:
        y = f(convolution, *args)
        return xp.sum(y * xp.asarray(weights) + y * y)

    def squares(*args: Any) -> Any:
        return sum(xp.sum(g * g) for g in autodiff.grad(total, count)(*args))

    mine = [*autodiff.grad(total, count)(*ours), *autodiff.grad(squares, count)(*ours)]
    theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
    y = f(F, *theirs)
    first = torch.autograd.grad((y * torch.from_numpy(weights) + y * y).sum(), theirs, create_graph=True)
    second = torch.autograd.grad(sum((g * g).sum() for g in first), theirs)
    return mine, [*first, *second]


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize(("name", "x", "w", "args"), CONVOLUTIONS, ids=IDS)
def test_against_pytorch(name: str, x: tuple[int, ...], w: tuple[int, ...], args: dict[str, Any], mode: str) -> None:
    arrays = operands(name, x, w, args)
    with xp.config(kernels=mode):
        close(getattr(convolution, name)(*arrays[:2], **args), getattr(F, name)(*map(torch.from_numpy, arrays[:2]), **args))
        expected = getattr(F, name)(*map(torch.from_numpy, arrays), **args)
        close(getattr(convolution, name)(*arrays, **args), expected)
        mine, theirs = second_order(
            lambda n, *a: getattr(n, name)(*a, **args), arrays, np.sin(np.arange(expected.numel())).reshape(expected.shape)
        )
        for m, t in zip(mine, theirs, strict=True):
            close(m, t, 1e-9)


def squared(y: Any) -> Any:
    return xp.sum(xp.real(y) ** 2 + xp.imag(y) ** 2)


SMALL_ONES = [
    ("conv2d", (1, 2, 4, 4), (2, 2, 2, 3), {"stride": (2, 1), "padding": 1}),
    ("conv1d", (1, 2, 6), (2, 1, 3), {"groups": 2, "dilation": 2, "padding": 1}),
    ("conv_transpose2d", (1, 2, 2, 3), (2, 1, 2, 2), {"stride": 2, "output_padding": 1}),
]


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize("dtype", ["f8", "c16"])
@pytest.mark.parametrize(("name", "x", "w", "args"), SMALL_ONES)
def test_check_grads(name: str, x: tuple[int, ...], w: tuple[int, ...], args: dict[str, Any], dtype: str, mode: str) -> None:
    """Both modes to second order, with and without a bias, real and complex."""
    arrays = [xp.asarray(a) for a in operands(name, x, w, args)]
    if dtype == "c16":
        arrays = [a + 1j * xp.flip(a) for a in arrays]
        total = lambda *a: squared(getattr(convolution, name)(*a, **args))  # noqa: E731
    else:
        total = lambda *a: getattr(convolution, name)(*a, **args)  # noqa: E731
    with xp.config(kernels=mode):
        autodiff.check_grads(total, arrays)
        autodiff.check_grads(total, arrays[:2])


# ---------------------------------------------------------------------- pooling: (function, shape, arguments)

POOLINGS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("max_pool2d", (2, 3, 8, 9), {"kernel_size": 2}),
    ("max_pool2d", (2, 3, 8, 9), {"kernel_size": 3, "stride": 1, "padding": 1}),
    ("max_pool2d", (2, 3, 8, 9), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0), "ceil_mode": True}),
    ("max_pool2d", (2, 3, 9, 8), {"kernel_size": 2, "stride": 3, "dilation": (2, 3), "ceil_mode": True}),
    ("max_pool2d", (2, 3, 10, 11), {"kernel_size": 3, "dilation": 2, "padding": 1, "stride": 2}),
    ("max_pool2d", (3, 8, 9), {"kernel_size": 2, "ceil_mode": True}),
    ("max_pool2d", (0, 3, 8, 9), {"kernel_size": 2}),
    ("max_pool2d", (2, 8, 40, 42), {"kernel_size": 2}),
    ("max_pool2d", (2, 8, 40, 42), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("max_pool2d", (2, 8, 40, 42), {"kernel_size": (2, 5), "stride": (3, 4), "padding": (0, 2), "ceil_mode": True}),
    ("max_pool1d", (2, 3, 11), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("max_pool1d", (3, 11), {"kernel_size": 2, "dilation": 3, "stride": 1, "ceil_mode": True}),
    ("avg_pool2d", (2, 3, 8, 9), {"kernel_size": 2}),
    ("avg_pool2d", (2, 3, 8, 9), {"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}),
    ("avg_pool2d", (2, 3, 8, 9), {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", (2, 3, 8, 9), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("avg_pool2d", (2, 3, 8, 10), {"kernel_size": 4, "stride": 3, "padding": 2, "ceil_mode": True, "count_include_pad": False}),
    ("avg_pool2d", (2, 3, 8, 9), {"kernel_size": 2, "divisor_override": 3}),
    ("avg_pool2d", (3, 8, 9), {"kernel_size": 2, "stride": 1}),
    ("avg_pool2d", (0, 3, 8, 9), {"kernel_size": 2}),
    ("avg_pool1d", (2, 3, 11), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("avg_pool1d", (3, 11), {"kernel_size": 4, "ceil_mode": True, "count_include_pad": False}),
    ("adaptive_avg_pool2d", (2, 3, 8, 9), {"output_size": 1}),
    ("adaptive_avg_pool2d", (2, 3, 8, 9), {"output_size": (4, 3)}),
    ("adaptive_avg_pool2d", (2, 3, 8, 9), {"output_size": (5, None)}),
    ("adaptive_avg_pool2d", (3, 8, 9), {"output_size": (11, 4)}),
    ("adaptive_avg_pool1d", (2, 3, 10), {"output_size": 4}),
    ("adaptive_max_pool2d", (2, 3, 8, 9), {"output_size": 1}),
    ("adaptive_max_pool2d", (2, 3, 8, 9), {"output_size": (5, None)}),
    ("adaptive_max_pool2d", (3, 8, 9), {"output_size": (11, 4)}),
    ("adaptive_max_pool1d", (2, 3, 10), {"output_size": 4}),
]


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize(("name", "x", "args"), POOLINGS, ids=[f"{n}-{x}-{a}".replace(" ", "") for n, x, a in POOLINGS])
def test_pooling_against_pytorch(name: str, x: tuple[int, ...], args: dict[str, Any], mode: str) -> None:
    array = np.random.default_rng(sum(x)).standard_normal(x)
    with xp.config(kernels=mode):
        expected = getattr(F, name)(torch.from_numpy(array), **args)
        close(getattr(convolution, name)(array, **args), expected)
        if "max" in name and array.size:
            for a in (array, np.round(array), array.astype("f4")):
                got = getattr(convolution, name)(a, **args, return_indices=True)
                for mine, theirs in zip(got, getattr(F, name)(torch.from_numpy(a), **args, return_indices=True), strict=True):
                    close(mine, theirs, 0)
        weights = np.sin(np.arange(expected.numel())).reshape(expected.shape)
        mine, theirs = second_order(lambda n, *a: getattr(n, name)(*a, **args), [array], weights)
        for m, t in zip(mine, theirs, strict=True):
            close(m, t, 1e-9)


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize(
    ("name", "x", "args"),
    [
        ("max_pool2d", (1, 2, 4, 5), {"kernel_size": 2, "stride": 1}),
        ("max_pool1d", (2, 6), {"kernel_size": 3, "padding": 1}),
        ("avg_pool2d", (1, 2, 3, 4), {"kernel_size": 2, "stride": 1, "padding": 1, "count_include_pad": False}),
        ("adaptive_avg_pool2d", (1, 4, 5), {"output_size": (2, 3)}),
        ("adaptive_max_pool1d", (2, 5), {"output_size": 2}),
    ],
)
def test_check_grads_of_pooling(name: str, x: tuple[int, ...], args: dict[str, Any], mode: str) -> None:
    array = xp.asarray(np.random.default_rng(0).permutation(int(np.prod(x))).reshape(x) * 0.25)
    with xp.config(kernels=mode):
        autodiff.check_grads(lambda x: getattr(convolution, name)(x, **args) ** 2, (array,))


# ---------------------------------------------------------------------- layouts, dtypes, threads, values that are not finite


def layouts(a: np.ndarray) -> dict[str, np.ndarray]:
    """The same values lying otherwise in memory."""
    wide = np.zeros((*a.shape[:-1], 3 * a.shape[-1]), a.dtype)
    wide[..., ::3] = a
    return {
        "last axis first": np.ascontiguousarray(np.moveaxis(a, 1, -1)).swapaxes(-1, -2).swapaxes(1, 2) if a.ndim == 4 else a,
        "Fortran": np.asfortranarray(a),
        "every third": wide[..., ::3],
        "reversed": np.ascontiguousarray(a[..., ::-1, ::-1])[..., ::-1, ::-1],
    }


@pytest.mark.parametrize("mode", ["auto", "numba"])
@pytest.mark.parametrize("args", [{"padding": 1}, {"stride": 2, "dilation": 2, "padding": 2}])
def test_layouts(args: dict[str, Any], mode: str) -> None:
    """Operands and cotangents of any strides, zero ones too."""
    arrays = operands("conv2d", (2, 4, 13, 12), (6, 4, 3, 3), {})
    expected = F.conv2d(*map(torch.from_numpy, arrays), **args).numpy()
    u = np.random.default_rng(0).standard_normal(expected.shape)
    with xp.config(kernels=mode):
        pull = autodiff.vjp(lambda *a: convolution.conv2d(*a, **args), *map(xp.asarray, arrays))[1]
        gradients = [np.asarray(g) for g in pull(xp.asarray(u))]
        ones = [np.asarray(g) for g in pull(xp.ones(expected.shape))]
        repeated = pull(xp.broadcast_to(xp.asarray(1.0), expected.shape))
        for g, want in zip(repeated, ones, strict=True):
            close(g, want)
        for x, w, v in zip(*(layouts(a).values() for a in (*arrays[:2], u)), strict=True):
            y, pull = autodiff.vjp(lambda x, w: convolution.conv2d(x, w, xp.asarray(arrays[2]), **args), xp.asarray(x), xp.asarray(w))
            close(y, expected)
            for g, want in zip(pull(xp.asarray(v)), gradients, strict=False):
                close(g, want)
        want = F.max_pool2d(torch.from_numpy(arrays[0]), 3, 2, 1).numpy()
        means = F.avg_pool2d(torch.from_numpy(arrays[0]), 3, 2, 1).numpy()
        for x in layouts(arrays[0]).values():
            y, pull = autodiff.vjp(lambda x: convolution.max_pool2d(x, 3, 2, 1), xp.asarray(x))
            close(y, want, 0)
            assert float(xp.sum(pull(xp.ones(y.shape))[0])) == y.size
            close(convolution.avg_pool2d(x, 3, 2, 1), means)


LARGER = [
    ((8, 3, 32, 32), (16, 3, 3, 3), {}),
    ((1, 20, 60, 70), (13, 20, 3, 3), {"padding": 1}),
    ((2, 3, 500, 11), (4, 3, 5, 3), {"stride": (2, 1)}),
    ((1, 2, 1, 20000), (6, 2, 1, 9), {"stride": (1, 3), "dilation": 2, "padding": (0, 8)}),
    ((4, 32, 9, 9), (32, 1, 3, 3), {"padding": 1, "groups": 32}),
    ((1, 96, 12, 12), (70, 96, 3, 3), {"padding": 1}),
    ((3, 5, 17, 19), (7, 5, 4, 2), {"stride": (3, 2), "padding": (2, 1)}),
]


@pytest.mark.parametrize(("x", "w", "args"), LARGER, ids=[f"{x}-{w}" for x, w, _ in LARGER])
def test_kernels_in_single_precision_and_threads(x: tuple[int, ...], w: tuple[int, ...], args: dict[str, Any]) -> None:
    """Images that are cut into bands, filters and channels into parts: right in float32, and the same bits for any number of threads."""
    arrays = [a.astype("f4") for a in operands("conv2d", x, w, {})]
    exact = [torch.from_numpy(a.astype("f8")).requires_grad_() for a in arrays]
    y = F.conv2d(*exact, **args)
    u = np.random.default_rng(0).standard_normal(tuple(y.shape)).astype("f4")
    expected = [y, *torch.autograd.grad(y, exact, torch.from_numpy(u.astype("f8")))]
    seen: list[list[bytes]] = []
    for threads in (1, 2, 3, 8):
        with xp.config(threads=threads):
            y, pull = autodiff.vjp(lambda *a: convolution.conv2d(*a, **args), *map(xp.asarray, arrays))
            got = [np.asarray(a) for a in (y, *pull(xp.asarray(u)))]
        for a, want in zip(got, expected, strict=True):
            close(a, want.detach().numpy().astype("f4"), 2e-5)
        seen.append([a.tobytes() for a in got])
    assert seen[1:] == seen[:-1]


def test_pooling_does_not_depend_on_threads() -> None:
    x = xp.asarray(np.random.default_rng(0).standard_normal((5, 7, 40, 300)).astype("f4"))
    seen = []
    for threads in (1, 2, 3, 8):
        with xp.config(threads=threads):
            y, pull = autodiff.vjp(lambda x: convolution.max_pool2d(x, 3, 2, 1), x)
            seen.append(np.asarray(y).tobytes() + np.asarray(pull(xp.sin(y))[0]).tobytes())
    assert len(set(seen)) == 1


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
def test_what_is_not_finite_stays_in_its_windows(mode: str) -> None:
    """NaN and infinities reach the outputs and weights that they belong to, in kernels that compute beside them too."""
    x, w, b = operands("conv2d", (2, 2, 20, 21), (4, 2, 3, 3), {})
    x[0, 0, 0, 0], x[1, 1, 19, 7], x[1, 0, 5, 20] = np.nan, np.inf, -np.inf
    theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in (x, w, b)]
    y = F.conv2d(*theirs)
    u = np.random.default_rng(0).standard_normal(tuple(y.shape))
    expected = [y.detach(), *torch.autograd.grad(y, theirs, torch.from_numpy(u))]
    with xp.config(kernels=mode):
        z, pull = autodiff.vjp(convolution.conv2d, *map(xp.asarray, (x, w, b)))
        for got, want in zip((z, *pull(xp.asarray(u))), expected, strict=True):
            np.testing.assert_allclose(np.asarray(got), want.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
@pytest.mark.parametrize("args", [{"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 2, "stride": 5}])
def test_nan_in_pooling(args: dict[str, Any], mode: str) -> None:
    """As PyTorch: the last NaN of a window is its largest element; a window of -inf has its first position."""
    x = np.round(np.random.default_rng(0).standard_normal((1, 2, 60, 61)))
    x[0, 0, ::5, ::3] = np.nan
    x[0, 1, :9, :9] = -np.inf
    x[0, 1, 20, 20] = np.inf
    with xp.config(kernels=mode):
        got = convolution.max_pool2d(x, **args, return_indices=True)
    for a, want in zip(got, F.max_pool2d(torch.from_numpy(x), **args, return_indices=True), strict=True):
        np.testing.assert_array_equal(np.asarray(a), want.numpy())


@pytest.mark.parametrize("dtype", ["i1", "i4", "u8", "i8", "c8", "c16"])
@pytest.mark.parametrize("shape", [(2, 2, 5, 6), (4, 3, 40, 40)])
def test_other_dtypes(dtype: str, shape: tuple[int, ...]) -> None:
    """Integers wrap as NumPy's do; complex numbers are not conjugated."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(0, 9, s).astype(dtype) for s in (shape, (3, shape[1], 2, 3)))
    if dtype[0] == "c":
        x, w = x + 1j * x[..., ::-1], w - 2j * w
    windows = np.lib.stride_tricks.sliding_window_view(x, (2, 3), (2, 3))
    expected = np.einsum("nchwab,fcab->nfhw", windows, w).astype(x.dtype)
    close(convolution.conv2d(x, w), expected, 1e-5 if dtype == "c8" else 1e-12)
    if dtype[0] != "c":
        close(convolution.max_pool2d(x, (2, 3), 1), windows.max((-1, -2)))
        assert convolution.avg_pool2d(x, 2).dtype == (xp.float32 if dtype == "i1" else xp.float64)


def test_promotion_and_foreign_arrays() -> None:
    x, w = np.ones((1, 2, 5), "f4"), np.ones((3, 2, 2))
    assert convolution.conv1d(x, w).dtype == xp.float64
    assert convolution.conv1d(x, w.astype("f4"), np.zeros(3, "f4")).dtype == xp.float32
    assert convolution.conv1d(x, np.ones((3, 2, 2), "i4")).dtype == xp.float64
    with xp.strict(), pytest.raises(TypeError, match="strict"):
        convolution.conv1d(xp.asarray(x), xp.ones((3, 2, 2), dtype=xp.int32))


ERRORS: list[tuple[str, tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
    (
        "conv2d",
        ((2, 3, 4), (1, 3, 5, 5)),
        {},
        ValueError,
        r"conv2d: input of shape \(2, 3, 4\) has 2 channels, weight of shape \(1, 3, 5, 5\)",
    ),
    ("conv2d", ((3, 4, 4), (1, 3, 5, 2)), {}, ValueError, r"kernel is larger than the input: weight of shape \(1, 3, 5, 2\).*\(3, 4, 4\)"),
    (
        "conv2d",
        ((4, 4), (1, 3, 5, 2)),
        {},
        ValueError,
        r"input must have the shape \(batch, channels, height, width\) or .*, it has \(4, 4\)",
    ),
    ("conv2d", ((3, 4, 4), (1, 3, 5)), {}, ValueError, r"weight must have the shape \(out_channels, in_channels / groups, height, width\)"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2), (3,)), {}, ValueError, r"bias must have the shape \(4,\)"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"stride": 0}, ValueError, "stride must be at least 1, got 0"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"stride": (1, 2, 3)}, ValueError, "stride must be an int or 2 of them"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"padding": -1}, ValueError, "padding must be at least 0"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"padding": 1.5}, TypeError, "padding must be an int"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"padding": "full"}, ValueError, "padding must be 'same', 'valid' or numbers, got 'full'"),
    ("conv2d", ((3, 9, 9), (4, 3, 2, 2)), {"padding": "same", "stride": 2}, ValueError, "padding='same' keeps the shape"),
    ("conv2d", ((4, 9, 9), (3, 2, 2, 2)), {"groups": 2}, ValueError, "the 3 filters of weight.*do not divide into 2 groups"),
    ("conv_transpose2d", ((3, 9, 9), (4, 3, 2, 2)), {}, ValueError, "input of shape .* has 3 channels, weight .* takes 4"),
    ("conv_transpose2d", ((4, 9, 9), (4, 3, 2, 2)), {"output_padding": 1}, ValueError, "output_padding .* must be smaller than the stride"),
    ("conv_transpose2d", ((4, 2, 2), (4, 3, 2, 2)), {"padding": 3}, ValueError, "nothing is left of the output"),
    ("max_pool2d", ((3, 4, 4),), {"kernel_size": 5}, ValueError, r"kernel is larger than the input: kernel_size \(5, 5\).*\(3, 4, 4\)"),
    ("max_pool2d", ((3, 4, 4),), {"kernel_size": 2, "padding": 2}, ValueError, "at most half of the kernel"),
    ("avg_pool1d", ((3, 4, 4, 4),), {"kernel_size": 2}, ValueError, "input must have the shape"),
    ("avg_pool2d", ((3, 4, 4),), {"kernel_size": 2, "divisor_override": 0}, ValueError, "divisor_override must be an int other than 0"),
    ("adaptive_avg_pool2d", ((3, 4, 4),), {"output_size": (1, 2, 3)}, ValueError, "output_size must be an int or 2 of them"),
]


@pytest.mark.parametrize(("name", "shapes", "args", "error", "message"), ERRORS)
def test_errors(name: str, shapes: tuple[Any, ...], args: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        getattr(convolution, name)(*map(xp.ones, shapes), **args)


def test_refused_dtypes() -> None:
    with pytest.raises(TypeError, match="conv1d: input has dtype bool"):
        convolution.conv1d(np.ones((1, 2, 3), bool), np.ones((1, 2, 1)))
    with pytest.raises(TypeError, match="max_pool2d is not defined for complex128"):
        convolution.max_pool2d(np.ones((1, 2, 3), complex), 1)
    with pytest.raises(TypeError, match="weight: expected an array"):
        convolution.conv1d(np.ones((1, 2, 3)), "w")


@pytest.mark.slow
@pytest.mark.random
def test_random_convolutions(seed: int) -> None:
    """Any parameters at all, kernels forced, against PyTorch."""
    rng = np.random.default_rng(seed)
    for _ in range(300):
        groups = int(rng.choice([1, 1, 2, 3]))
        kernel, stride, dilation = (tuple(map(int, rng.integers(1, n, 2))) for n in (6, 5, 4))
        padding = tuple(map(int, rng.integers(0, 5, 2)))
        size = [max(1, d * (k - 1) + 1 - 2 * p) + int(rng.integers(0, 40)) for k, d, p in zip(kernel, dilation, padding)]
        shape = (int(rng.integers(1, 4)), groups * int(rng.integers(1, 6)), *size)
        w = (groups * int(rng.integers(1, 10)), shape[1] // groups, *kernel)
        args = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        arrays = operands("conv2d", shape, w, args)
        theirs = [torch.from_numpy(a.copy()).requires_grad_() for a in arrays]
        y = F.conv2d(*theirs, **args)
        u = rng.standard_normal(tuple(y.shape))
        expected = [y, *torch.autograd.grad(y, theirs, torch.from_numpy(u))]
        with xp.config(kernels="numba"):
            z, pull = autodiff.vjp(lambda *a, args=args: convolution.conv2d(*a, **args), *map(xp.asarray, arrays))
            for got, want in zip((z, *pull(xp.asarray(u))), expected, strict=True):
                close(got, want, 1e-11)
