"""What is measured: one declaration per row, written once over `xp`, and the sizes it is measured at.

A `Row` has a maker of inputs (ndarrays, the same for every peer) and a function that takes the namespace and the arrays. `n` is
the number of elements of the main operand; shapes are made from it.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import functions
from . import layers as networks
from . import training as programs

SMALL, MIDDLE, LARGE = 10, 10**5, 8 * 10**6
ALL = (SMALL, MIDDLE, LARGE)
BIG = (MIDDLE, LARGE)

# A row's bound where the same BLAS or LAPACK, or plain reads of memory, decide the time for everyone.
SHARED = 0.97

Inputs = Callable[[np.random.Generator, int], tuple[np.ndarray, ...]]


@dataclass(frozen=True)
class Row:
    """One measured function; `cases` has one entry per size.

    `jit=False`: the result's shape depends on data, JAX cannot compile it. `unordered`: the elements' order is not checked.
    `waits`: a chain that mtarray will fuse when it has a compiler; it is printed and left out of the bounds. `tolerance` is
    relative to the largest element of the expected result. `by`: what is measured is the value of the function, a loss, together with
    its gradient by the first so many inputs; its bound speaks of PyTorch alone, which records and sweeps as mtarray does.
    `program`: measured in place of the function, which gives what it leads to, for the libraries that have such programs.
    """

    family: str
    name: str
    inputs: Inputs
    function: Callable[..., Any]
    sizes: tuple[int, ...] = ALL
    bound: float = 1.0
    jit: bool = True
    unordered: bool = False
    waits: bool = False
    tolerance: float | None = None
    by: int = 0
    program: programs.Program | None = None


# --- inputs -----------------------------------------------------------------------------------------------------------------


def _values(rng: np.random.Generator, dtype: str, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if np.dtype(dtype).kind == "i":
        return rng.integers(int(low), int(high), shape, dtype=dtype)
    if np.dtype(dtype).kind == "c":
        return (rng.uniform(low, high, shape) + 1j * rng.uniform(low, high, shape)).astype(dtype)
    return rng.uniform(low, high, shape).astype(dtype)


def vectors(*dtypes: str, low: float = -4.0, high: float = 4.0) -> Inputs:
    """One vector of n elements per dtype."""
    return lambda rng, n: tuple(_values(rng, dtype, (n,), low, high) for dtype in dtypes)


def side(n: int) -> int:
    """The side of a square of about n elements."""
    return max(2, int(n**0.5))


def squares(*dtypes: str, low: float = -4.0, high: float = 4.0) -> Inputs:
    """One square matrix of about n elements per dtype."""
    return lambda rng, n: tuple(_values(rng, dtype, (side(n), side(n)), low, high) for dtype in dtypes)


def with_row(dtype: str) -> Inputs:
    """A square matrix and one row."""
    return lambda rng, n: (_values(rng, dtype, (side(n), side(n)), -4, 4), _values(rng, dtype, (side(n),), -4, 4))


def column_and_row(dtype: str) -> Inputs:
    """A column (s, 1) and a row (1, s) that broadcast to about n elements."""
    return lambda rng, n: (_values(rng, dtype, (side(n), 1), -4, 4), _values(rng, dtype, (1, side(n)), -4, 4))


def boxes(dtype: str, *, low: float = -4.0, high: float = 4.0) -> Inputs:
    """A box (a, b, 8) of about n elements."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        a = side(max(n // 8, 4))
        return (_values(rng, dtype, (a, a, 8), low, high),)

    return make


def rows_and_indices(dtype: str, width: int) -> Inputs:
    """Rows of `width` elements, n elements in all, and as many row numbers in random order."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        count = max(2, n // width)
        shape = (count,) if width == 1 else (count, width)
        return _values(rng, dtype, shape, -4, 4), rng.integers(0, count, count)

    return make


def batches(dtype: str, size: int, operands: int = 2) -> Inputs:
    """Stacks of well-conditioned size×size matrices, n elements in each stack."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        shape = (max(1, n // size**2), size, size)
        return tuple((_values(rng, dtype, shape, -1, 1) + 2 * size * np.eye(size)).astype(dtype) for _ in range(operands))

    return make


def definite(dtype: str) -> Inputs:
    """A symmetric positive definite matrix and one right-hand side per eight rows."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        s = side(n)
        x = rng.standard_normal((s, s))
        return (x @ x.T / s + np.eye(s)).astype(dtype), rng.standard_normal((s, max(1, s // 8))).astype(dtype)

    return make


def points(dtype: str, dimension: int) -> Inputs:
    """Two clouds of points with about n pairs between them."""
    return lambda rng, n: tuple(_values(rng, dtype, (side(n), dimension), -1, 1) for _ in range(2))


def permuted(dtype: str) -> Inputs:
    """Distinct values in random order, so that every argsort agrees."""
    return lambda rng, n: (rng.permutation(n).astype(dtype),)


def sorted_and_queries(dtype: str) -> Inputs:
    """A sorted vector and as many unsorted queries."""
    return lambda rng, n: (np.sort(_values(rng, dtype, (n,), -4, 4)), _values(rng, dtype, (n,), -4, 4))


def network(width: int) -> Inputs:
    """A batch of n points of the plane and the weights of Linear(2,H), Linear(H,H), Linear(H,1)."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        shapes = [(n, 2), (2, width), (width, width), (width, 1)]
        return tuple(_values(rng, "float32", shape, -0.5, 0.5) for shape in shapes)

    return make


def training(*widths: int) -> Inputs:
    """Weight and bias of each layer between these widths, then n elements of a batch of points and as many targets."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        batch = n // widths[0]
        layers = [shape for i, o in itertools.pairwise(widths) for shape in ((i, o), (o,))]
        shapes = [*layers, (batch, widths[0]), (batch, widths[-1])]
        return tuple(_values(rng, "float32", shape, -0.2, 0.2) for shape in shapes)

    return make


def normalised(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """A square matrix of about n elements, and a scale and a shift for each column."""
    s = side(n)
    return tuple(_values(rng, "float32", shape, -1, 1) for shape in ((s, s), (s,), (s,)))


def images(*weights: int) -> Inputs:
    """Images of the channels of these weights and 32, 28 or 14 pixels a side, n elements in all; the weights; a number for each output."""

    def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        pixels = next(p for p in (32, 28, 14) if n % (weights[1] * p * p) == 0)
        count, left = n // (weights[1] * pixels**2), pixels - weights[2] + 1
        shapes = [(count, weights[1], pixels, pixels), weights, (count, weights[0], left, left)]
        return tuple(_values(rng, "float32", shape, -1, 1) for shape in shapes)

    return make


def planes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """Images of 16 channels and 30 pixels a side, and a number for each 2 by 2 elements."""
    return tuple(_values(rng, "float32", (n // (16 * 30 * 30), 16, s, s), -1, 1) for s in (30, 15))


def transformer(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """The parameters of a transformer block and n elements of a batch of sequences of 128 steps of 256 features (small: 3 of 8)."""
    steps, d = (128, 256) if n >= 1 << 15 else (3, 8)
    shapes = [(d,), (d,), (3 * d, d), (3 * d,), (d, d), (d,), (d,), (d,), (4 * d, d), (4 * d,), (d, 4 * d), (d,)]
    parameters = [_values(rng, "float32", shape, -0.1, 0.1) for shape in shapes]
    return *parameters, _values(rng, "float32", (n // (steps * d), steps, d), -1, 1)


def sequences(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
    """The parameters of an LSTM and n elements of 64 steps of a batch of 32 (small: 3 of 2)."""
    steps, batch, hidden = (64, 32, 128) if n >= 1 << 15 else (3, 2, 5)
    features = n // (steps * batch)
    shapes = [(4 * hidden, features), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)]
    parameters = [_values(rng, "float32", shape, -0.1, 0.1) for shape in shapes]
    return *parameters, _values(rng, "float32", (steps, batch, features), -1, 1)


# --- the rows -----------------------------------------------------------------------------------------------------------------


def elementwise() -> Iterator[Row]:
    """Arithmetic, transcendental functions, comparisons, conversions on contiguous vectors."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], **options: Any) -> Row:
        return Row("elementwise", name, inputs, function, **options)

    for dtype in ("float32", "float64", "int32", "complex64"):
        yield row(f"add {dtype}", vectors(dtype, dtype), lambda xp, x, y: x + y)
    yield row("scale float32", vectors("float32"), lambda xp, x: 2 * x)
    yield row("exp float32", vectors("float32"), lambda xp, x: xp.exp(x))
    yield row("exp float64", vectors("float64"), lambda xp, x: xp.exp(x))
    yield row("tanh float32", vectors("float32"), lambda xp, x: xp.tanh(x))
    yield row("sin float32", vectors("float32", low=-50, high=50), lambda xp, x: xp.sin(x))
    yield row("sin float64", vectors("float64", low=-50, high=50), lambda xp, x: xp.sin(x))
    yield row("log1p float32", vectors("float32", low=-0.9, high=9), lambda xp, x: xp.log1p(x))
    yield row("pow float32", vectors("float32", "float32", low=0.1, high=4), lambda xp, x, y: x**y)
    yield row("sqrt float32", vectors("float32", low=0, high=9), lambda xp, x: xp.sqrt(x))
    yield row("sqrt float64", vectors("float64", low=0, high=9), lambda xp, x: xp.sqrt(x))
    yield row("where float32", vectors("bool", "float32", "float32"), lambda xp, c, x, y: xp.where(c, x, y))
    yield row("less float32", vectors("float32", "float32"), lambda xp, x, y: x < y)
    yield row("astype f32 → f64", vectors("float32"), lambda xp, x: xp.astype(x, xp.float64))
    yield row("astype f64 → i32", vectors("float64", low=-1e6, high=1e6), lambda xp, x: xp.astype(x, xp.int32))
    yield row("floor_divide int32", vectors("int32", "int32", low=1, high=1000), lambda xp, x, y: x // y)
    yield row("exp complex64", vectors("complex64"), lambda xp, x: xp.exp(x))


def layout() -> Iterator[Row]:
    """Broadcasting, transposed and strided operands, copies that change the layout, gathers."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...] = BIG, **options: Any) -> Row:
        return Row("layout", name, inputs, function, sizes, **options)

    yield row("column + row", column_and_row("float32"), lambda xp, x, y: x + y)
    yield row("matrix + row bias", with_row("float32"), lambda xp, x, y: x + y)
    yield row("x.T + y", squares("float32", "float32"), lambda xp, x, y: x.T + y)
    yield row("x[::2] + y[::2]", vectors("float32", "float32"), lambda xp, x, y: x[::2] + y[::2])
    yield row("transpose copy", squares("float32"), lambda xp, x: xp.reshape(x.T, (-1,)))
    yield row("permute copy (2,0,1)", boxes("float32"), lambda xp, x: xp.reshape(xp.permute_dims(x, (2, 0, 1)), (-1,)))
    yield row("concat axis 0", squares("float32", "float32"), lambda xp, x, y: xp.concat((x, y), axis=0))
    yield row("concat axis 1", squares("float32", "float32"), lambda xp, x, y: xp.concat((x, y), axis=1))
    yield row("take elements", rows_and_indices("float32", 1), lambda xp, x, i: xp.take(x, i, axis=0))
    yield row("take rows of 64", rows_and_indices("float32", 64), lambda xp, x, i: xp.take(x, i, axis=0))
    yield row("x[mask]", vectors("float32", "bool"), lambda xp, x, m: x[m], jit=False)
    yield row("repeat 2", vectors("float32"), lambda xp, x: xp.repeat(x, 2, axis=0))


def reductions() -> Iterator[Row]:
    """Over all, the first, a middle and the last axis; scans."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...] = BIG, **options: Any) -> Row:
        return Row("reductions", name, inputs, function, sizes, **options)

    yield row("sum all float32", vectors("float32", low=0), lambda xp, x: xp.sum(x), ALL, bound=SHARED)
    yield row("sum all float64", vectors("float64", low=0), lambda xp, x: xp.sum(x), bound=SHARED)
    yield row("sum first axis", squares("float32", low=0), lambda xp, x: xp.sum(x, axis=0))
    yield row("sum middle axis", boxes("float32", low=0), lambda xp, x: xp.sum(x, axis=1))
    yield row("sum last axis", squares("float32", low=0), lambda xp, x: xp.sum(x, axis=1))
    yield row("max all float32", vectors("float32"), lambda xp, x: xp.max(x), ALL, bound=SHARED)
    yield row("max last axis", squares("float32"), lambda xp, x: xp.max(x, axis=1))
    yield row("mean last axis", squares("float32", low=0), lambda xp, x: xp.mean(x, axis=1), ALL)
    yield row("var all", vectors("float32"), lambda xp, x: xp.var(x), tolerance=1e-3)
    yield row("var first axis", squares("float32"), lambda xp, x: xp.var(x, axis=0))
    yield row("argmax all", vectors("float64"), lambda xp, x: xp.argmax(x))
    yield row("argmax last axis", squares("float64"), lambda xp, x: xp.argmax(x, axis=1))
    yield row("all bool", lambda rng, n: (np.ones(n, bool),), lambda xp, x: xp.all(x), bound=SHARED)
    yield row("cumulative_sum", vectors("float64"), lambda xp, x: xp.cumulative_sum(x, axis=0))
    yield row("cumulative_sum last axis", squares("float32", low=0), lambda xp, x: xp.cumulative_sum(x, axis=1))


def matmul() -> Iterator[Row]:
    """Square, transposed, batched, tiny batched, with a vector, of integers."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...], **options: Any) -> Row:
        return Row("matmul", name, inputs, function, sizes, **options)

    yield row("square float32", squares("float32", "float32"), lambda xp, x, y: x @ y, (16, 256**2, 1024**2), bound=SHARED)
    yield row("square float64", squares("float64", "float64"), lambda xp, x, y: x @ y, (16, 256**2, 1024**2), bound=SHARED)
    yield row("x.T @ y", squares("float32", "float32"), lambda xp, x, y: x.T @ y, (1024**2,), bound=SHARED)
    yield row("batched 128", batches("float32", 128), lambda xp, x, y: x @ y, (32 * 128**2,), bound=SHARED)
    yield row("batched 4", batches("float32", 4), lambda xp, x, y: x @ y, (MIDDLE, 16 * 10**5))
    yield row("matrix @ vector", with_row("float32"), lambda xp, x, y: x @ y, (MIDDLE, 16 * 10**6), bound=SHARED)
    yield row("square int32", squares("int32", "int32", low=-9, high=9), lambda xp, x, y: x @ y, (256**2, 512**2))


def linalg() -> Iterator[Row]:
    """Factorisations of one matrix and of many tiny ones."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...], **options: Any) -> Row:
        return Row("linalg", name, inputs, function, sizes, tolerance=1e-6, **options)

    yield row("cholesky", definite("float64"), lambda xp, a, b: xp.linalg.cholesky(a), (512**2,), bound=SHARED)
    yield row("solve", definite("float64"), lambda xp, a, b: xp.linalg.solve(a, b), (512**2,), bound=SHARED)
    yield row("inv, batch of 4×4", batches("float64", 4, 1), lambda xp, a: xp.linalg.inv(a), (16 * 10**4,))
    yield row("det, batch of 4×4", batches("float64", 4, 1), lambda xp, a: xp.linalg.det(a), (16 * 10**4,))


def fft() -> Iterator[Row]:
    """One long transform, many short ones."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...]) -> Row:
        return Row("fft", name, inputs, function, sizes, tolerance=1e-5)

    yield row("fft complex128", vectors("complex128"), lambda xp, x: xp.fft.fft(x), (2**12, 2**17, 2**20))
    yield row("fft of rows, complex64", squares("complex64"), lambda xp, x: xp.fft.fft(x), (1024**2,))
    yield row("rfft of rows, float32", squares("float32"), lambda xp, x: xp.fft.rfft(x), (1024**2,))


def sorting() -> Iterator[Row]:
    """Sorting, set functions, binary search."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...] = (MIDDLE, 2 * 10**6), **options: Any) -> Row:
        return Row("sorting", name, inputs, function, sizes, **options)

    yield row("sort float32", vectors("float32"), lambda xp, x: xp.sort(x))
    yield row("sort rows", squares("float32"), lambda xp, x: xp.sort(x, axis=-1), (10**6,))
    yield row("argsort float64", permuted("float64"), lambda xp, x: xp.argsort(x))
    yield row("unique int64", vectors("int64", low=0, high=10**4), lambda xp, x: xp.unique_values(x), jit=False, unordered=True)
    yield row("searchsorted float64", sorted_and_queries("float64"), lambda xp, x, v: xp.searchsorted(x, v))


def composites() -> Iterator[Row]:
    """Chains of ops as users write them; all wait for the compiler to be fused."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...] = (MIDDLE, 10**6)) -> Row:
        return Row("composites", name, inputs, function, sizes, waits=True)

    yield row("softmax", squares("float32"), functions.softmax, (SMALL, MIDDLE, 10**6))
    yield row("layernorm", squares("float32"), functions.layernorm)
    yield row("gelu", vectors("float32"), functions.gelu)
    yield row("arithmetic chain", vectors("float32", "float32"), functions.chain)
    yield row("pairwise distances", points("float32", 3), functions.pairwise)
    yield row("network, H=100", network(100), functions.forward, (50, 1000))


def derivatives() -> Iterator[Row]:
    """Forward and backward: a loss and its gradient."""

    def row(name: str, inputs: Inputs, loss: Callable[..., Any], sizes: tuple[int, ...], by: int) -> Row:
        return Row("derivatives", name, inputs, loss, sizes, by=by, tolerance=1e-4)

    yield row("MLP 2-100-100-1", training(2, 100, 100, 1), functions.mlp_loss, (20,), by=6)
    yield row("MLP 784-512-10", training(784, 512, 10), functions.mlp_loss, (256 * 784,), by=4)
    yield row("softmax", squares("float32", "float32"), functions.softmax_loss, (32**2, 10**6), by=1)
    yield row("layernorm", normalised, functions.layernorm_loss, (10**6,), by=3)
    yield row("einsum", batches("float32", 128), functions.einsum_loss, (16 * 128**2,), by=2)
    yield row("loop of 1,000 steps", lambda rng, n: (np.asarray(rng.uniform(0.4, 0.6)),), functions.loop_loss, (1,), by=1)
    yield row("chain", vectors("float32", low=-1, high=1), functions.chain_loss, (LARGE,), by=1)


def training_steps() -> Iterator[Row]:
    """What surrounds derivatives in training."""

    def rows_and_labels(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        return _values(rng, "float32", (n, 16), -1, 1), rng.integers(0, 10, n)

    yield Row("training", "Adam step", vectors("float32", "float32"), programs.first_adam_step, (MIDDLE, 10**6), program=programs.adam)
    yield Row("training", "DataLoader", rows_and_labels, programs.sum_of_rows, (10**5,), program=programs.loader)

    def weights(rng: np.random.Generator, dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
        """Weight and bias of each layer as layers begin: uniform within the root of what enters."""
        bounds = [(shape, 1 / np.sqrt(np.prod(shape[1:]))) for shape in shapes]
        return [_values(rng, dtype, part, -r, r) for shape, r in bounds for part in (shape, shape[:1])]

    def classified(hidden: int) -> Inputs:
        def make(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
            x = _values(rng, "float64", (n, 2), 0, 1)
            y = ((x[:, :1] < 0.5) != (x[:, 1:] < 0.5)).astype(np.float64)
            return (*weights(rng, "float64", (hidden, 2), (hidden, hidden), (1, hidden)), x, y)

        return make

    def handwriting(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:
        count = n // 784
        layers = weights(rng, "float32", (6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84))
        return (*layers, _values(rng, "float32", (count, 1, 28, 28), 0, 1), rng.integers(0, 10, count))

    for hidden in (100, 1000):
        name = f"points, an epoch, H={hidden}"
        yield Row("training", name, classified(hidden), programs.points_loss, (50,), program=programs.points_epoch)
    yield Row("training", "LeNet, an epoch", handwriting, programs.lenet_loss, (1024 * 784,), program=programs.lenet_epoch, tolerance=1e-5)


def convolution() -> Iterator[Row]:
    """Convolutions and pooling, and what they cost with their derivatives."""
    layers = [
        ("3 to 16 channels, 32×32", (16, 3, 3, 3), 32 * 3 * 32**2),
        ("1 to 6 channels, 28×28", (6, 1, 5, 5), 64 * 28**2),
        ("16 to 32 channels, 32×32", (32, 16, 3, 3), 32 * 16 * 32**2),
        ("16 to 32 channels, 14×14", (32, 16, 3, 3), 32 * 16 * 14**2),
    ]
    for name, weights, n in layers:
        inputs = images(*weights)
        yield Row("convolution", f"conv2d, {name}", inputs, lambda xp, x, w, u: functions.conv2d(xp, x, w), (n,), tolerance=1e-4)
        yield Row("convolution", f"conv2d and gradients, {name}", inputs, functions.conv2d_loss, (n,), tolerance=1e-3, by=2)
    pooled = 32 * 16 * 30**2
    yield Row("convolution", "max_pool2d", planes, lambda xp, x, u: functions.max_pool2d(xp, x), (pooled,))
    yield Row("convolution", "max_pool2d and gradient", planes, functions.max_pool2d_loss, (pooled,), tolerance=1e-3, by=1)


def layers() -> Iterator[Row]:
    """Layers of networks by each library's own functions: forward, and a loss with its gradient."""

    def row(name: str, inputs: Inputs, function: Callable[..., Any], sizes: tuple[int, ...], **options: Any) -> Row:
        return Row("layers", name, inputs, function, sizes, tolerance=1e-4, **options)

    yield row("softmax", squares("float32"), networks.softmax, (32**2, 10**6))
    yield row("softmax, gradient", squares("float32", "float32"), networks.softmax_loss, (32**2, 10**6), by=1)
    yield row("layer norm", normalised, networks.layer_norm, (32**2, 10**6))
    yield row("layer norm, gradient", normalised, networks.layer_norm_loss, (32**2, 10**6), by=3)
    yield row("transformer block 8×128×256", transformer, networks.transformer_loss, (8 * 128 * 256,), by=12)
    yield row("LSTM 32×64×128", sequences, networks.lstm_loss, (64 * 32 * 64,), by=4)


FAMILIES: dict[str, Callable[[], Iterator[Row]]] = {
    "elementwise": elementwise,
    "layout": layout,
    "reductions": reductions,
    "matmul": matmul,
    "linalg": linalg,
    "fft": fft,
    "sorting": sorting,
    "convolution": convolution,
    "composites": composites,
    "derivatives": derivatives,
    "training": training_steps,
    "layers": layers,
}


@dataclass(frozen=True)
class Case:
    """A row at one size: one line of the table."""

    row: Row
    n: int

    @property
    def label(self) -> str:
        return f"{self.row.family}/{self.row.name}/{self.n}"


def cases(pattern: str = "", quick: bool = False) -> list[Case]:
    """Every row at every size whose ``family/name/n`` contains the pattern; `quick` takes one size of each row, the largest but one."""
    found = []
    for declare in FAMILIES.values():
        for row in declare():
            sizes = row.sizes[-2:][:1] if quick else row.sizes
            found += [case for n in sizes if pattern in (case := Case(row, n)).label]
    return found
