"""`mtarray.convolution` against PyTorch in float64: values, gradients, second derivatives; layouts, threads, errors."""

from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, convolution

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
torch = pytest.importorskip("torch")
F = torch.nn.functional


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


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
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


@pytest.mark.parametrize("mode", ["auto", "numba", "python"])
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
