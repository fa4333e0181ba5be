"""Calls of everything that is no declaration of one scalar function: layout, indexing, sorting, sets, products, linalg, fft, windows.

A call is written once over the namespace and runs on arrays of the CPU and of the device. Decompositions, which are not unique, are
compared by what they make together again.
"""

# ruff: noqa: E501 (a call is a line)

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import mtarray as xp

from .run import Check, Run, Skip, agree, on_cuda

ANY = "bool int8 int64 uint8 uint32 float32 float64 complex64 complex128"
NUMBER = "int8 int64 uint8 float32 float64 complex64 complex128"
REAL = "bool int8 int64 uint8 float32 float64"
FLOAT = "float32 float64"
INEXACT = "float32 float64 complex64 complex128"


class Call(NamedTuple):
    """function(*arrays): `shapes`, at which the arrays are drawn; tolerance: as in `agree`."""

    name: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: str
    tolerance: float = 0.0


def _positive(a: Any) -> Any:
    """A Hermitian positive definite matrix."""
    h = xp.matrix_transpose(xp.conj(a)) if "complex" in str(a.dtype) else xp.matrix_transpose(a)
    return a @ h + 4 * xp.eye(a.shape[-1], dtype=a.dtype, device=a.device)


def _set(a: Any, key: Any, v: Any) -> Any:
    a = xp.asarray(a, copy=True)
    a[key] = v
    return a


def _index(a: Any, i: Any) -> Any:
    return xp.asarray(i, device=a.device)


def _remade_svd(a: Any) -> Any:
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    return s, (u * s[..., None, :]) @ vh


def _remade_eigh(a: Any) -> Any:
    w, v = xp.linalg.eigh(_positive(a))
    return w, (v * w[..., None, :]) @ xp.matrix_transpose(xp.conj(v) if "complex" in str(v.dtype) else v)


def _remade_qr(a: Any) -> Any:
    q, r = xp.linalg.qr(a)
    return q @ r, xp.tril(r, k=-1)


def _remade_eig(a: Any) -> Any:
    w, v = xp.linalg.eig(a)
    values = xp.linalg.eigvals(a)  # in no order: their powers' sums
    return (v * w) @ xp.linalg.inv(v), xp.sum(values), xp.sum(values**2)


S, M, V = (4, 6), (5, 5), (30,)
CALLS = [
    Call("getitem slices", lambda a: (a[1:3, ::-2], a[..., None, 2], a[-1]), (S,), ANY),
    Call("getitem mask", lambda a: a[a != a[0, 0]], (S,), ANY),
    Call("getitem arrays", lambda a: (a[_index(a, [3, 0, 0, -1])], a[_index(a, [[0], [2]]), _index(a, [1, -2])]), (S,), ANY),
    Call("getitem mixed", lambda a: (a[:, _index(a, [2, 2])], a[_index(a, [1]), ::2], a[1, _index(a, [True, False] * 3)]), (S,), ANY),
    Call("setitem slices", lambda a, b: (_set(a, (slice(1, 3), slice(None, None, -2)), 1), _set(a, 0, b)), (S, (6,)), ANY),
    Call("setitem mask", lambda a: _set(a, a != a[0, 0], 1), (S,), ANY),
    Call("setitem arrays", lambda a, b: _set(a, (_index(a, [0, 3]),), b), (S, (2, 6)), ANY),
    Call("setitem overlap", lambda a: _set(a, slice(1, None), a[:-1]), (V,), ANY),
    Call("take", lambda a: (xp.take(a, _index(a, [1, 0, 1]), axis=1), xp.take(a, _index(a, [2]), axis=0)), (S,), ANY),
    Call("take_along_axis", lambda a: xp.take_along_axis(a, xp.argsort(a, axis=1), axis=1), (S,), REAL),
    Call("nonzero", lambda a: xp.nonzero(a), (S,), ANY),
    Call("where", lambda a, b: xp.where(b != 0, a, b), (S, S), ANY),
    Call("concat stack", lambda a, b: (xp.concat([a, b], axis=0), xp.stack([a, a], axis=2), xp.concat([a, b], axis=None)), (S, (2, 6)), ANY),
    Call("repeat tile", lambda a: (xp.repeat(a, 3, axis=1), xp.tile(a, (2, 1, 2)), xp.repeat(a, _index(a, [0, 2, 1, 3]), axis=0)), (S,), ANY),
    Call("roll flip pad", lambda a: (xp.roll(a, 2), xp.roll(a, (1, -1), axis=(0, 1)), xp.flip(a, axis=1)), (S,), ANY),
    Call("tril triu", lambda a: (xp.tril(a, k=1), xp.triu(a, k=-1), xp.tril(a[:, :3])), (S,), ANY),
    Call("permute reshape", lambda a: (xp.reshape(a.T, (3, 8)), xp.permute_dims(a, (1, 0)) + a.T, xp.expand_dims(a, axis=1)), (S,), NUMBER),
    Call("unstack meshgrid", lambda a: (*xp.unstack(a, axis=1), *xp.meshgrid(a[0], a[1], indexing="ij")), (S,), ANY),
    Call("astype", lambda a: [xp.astype(a, d) for d in (xp.float32, xp.float64, xp.complex64, xp.bool)], (S,), REAL),
    Call("diff", lambda a: (xp.diff(a, axis=0), xp.diff(a, n=2)), (S,), NUMBER, 8),
    Call("sort", lambda a: (xp.sort(a, axis=0), xp.sort(a, axis=1, descending=True)), (S,), REAL),
    Call("argsort", lambda a: (xp.argsort(a, axis=0), xp.argsort(a, descending=True, stable=True)), (S,), REAL),
    Call("sort long", lambda a: (xp.sort(a), xp.argsort(a)), ((-3,),), REAL),
    Call("partition", lambda a: (xp.sort(xp.partition(a, 3, axis=1)[:, :3]), xp.partition(a, 3, axis=1)[:, 3]), (S,), REAL),
    Call("arg extremes", lambda a: (xp.argmax(a), xp.argmin(a, axis=0), xp.argmax(a, axis=1, keepdims=True)), (S,), "int8 uint8 float32 float64"),
    Call("searchsorted", lambda a, b: (xp.searchsorted(xp.sort(a), b), xp.searchsorted(xp.sort(a), b, side="right")), (V, S), REAL),
    Call("unique", lambda a: (*xp.unique_all(a), *xp.unique_counts(a), xp.unique_values(a)), (V,), REAL),
    Call("isin", lambda a, b: xp.isin(a, b), (S, (3,)), REAL),
    Call("count any all", lambda a: (xp.count_nonzero(a, axis=0), xp.any(a, axis=1), xp.all(a)), (S,), ANY),
    Call("mean var std", lambda a: (xp.mean(a, axis=0), xp.var(a), xp.std(a, axis=1, correction=1)), (S,), FLOAT, 16),
    Call("median quantile", lambda a: (xp.median(a, axis=0), xp.quantile(a, 0.3)), (S,), FLOAT, 16),
    Call("clip", lambda a, b: (xp.clip(a, 1, 3), xp.clip(a, b, None)), (S, (6,)), "int8 int64 uint8 float32 float64"),
    Call("bincount", lambda a: (xp.bincount(a), xp.bincount(a, xp.astype(a, xp.float64) / 4)), (V,), "uint8"),
    Call("argpartition", lambda a: xp.sort(xp.take_along_axis(a, xp.argpartition(a, 2, axis=1), axis=1)[:, :2]), (S,), REAL),
    Call("histogram", lambda a: xp.histogram(a, bins=5), (V,), FLOAT, 16),
    Call("matmul", lambda a, b: (a @ b, b.T @ a.T), ((-1, -2), (-2, -1)), NUMBER, 64),
    Call("matmul batched", lambda a, b: (a @ b, a[0] @ b, a @ b[..., 0, :, :]), ((3, 4, 7), (3, 7, 5)), NUMBER, 64),
    Call("matmul vectors", lambda a, b: (a @ b, b @ b, b @ a.T), ((4, 30), V), NUMBER, 64),
    Call("matmul empty", lambda a, b: (a[:0] @ b, a[:, :0] @ b[:0]), ((4, 3), (3, 5)), NUMBER, 64),
    Call("matmul views", lambda a, b: (a[::2, ::-1] @ b[::-1], xp.broadcast_to(a[:1], a.shape) @ b), ((6, 7), (7, 5)), NUMBER, 64),
    Call("tensordot", lambda a, b: (xp.tensordot(a, b, axes=1), xp.tensordot(a, a, axes=((0, 1), (0, 1)))), (S, (6, 2)), NUMBER, 64),
    Call("vecdot einsum", lambda a, b: (xp.vecdot(a, b), xp.einsum("ij,kj->ik", a, b), xp.einsum("ij->j", a)), (S, S), NUMBER, 64),
    Call("outer kron trace", lambda a: (xp.linalg.outer(a[0], a[1]), xp.kron(a, a[:2]), xp.linalg.trace(a)), (S,), NUMBER, 64),
    Call("cross", lambda a, b: xp.linalg.cross(a, b), ((4, 3), (4, 3)), "float32 float64", 64),
    Call("det slogdet", lambda a: (xp.linalg.det(a), *xp.linalg.slogdet(a)), ((3, *M),), INEXACT, 5000),
    Call("inv", lambda a: (xp.linalg.inv(_positive(a)) @ _positive(a),), ((3, *M),), INEXACT, 5000),
    Call("solve", lambda a, b: xp.linalg.solve(_positive(a), b), (M, (5, 2)), INEXACT, 5000),
    Call("cholesky", lambda a: (xp.linalg.cholesky(_positive(a)), xp.linalg.cholesky(_positive(a), upper=True)), ((2, *M),), INEXACT, 5000),
    Call("qr", _remade_qr, ((2, 6, 4),), INEXACT, 5000),
    Call("svd", _remade_svd, ((2, 6, 4),), INEXACT, 5000),
    Call("svdvals norms", lambda a: (xp.linalg.svdvals(a), xp.linalg.matrix_norm(a), xp.linalg.vector_norm(a, axis=1)), ((6, 4),), INEXACT, 5000),
    Call("eigh", _remade_eigh, ((2, *M),), INEXACT, 5000),
    Call("eigvalsh", lambda a: xp.linalg.eigvalsh(_positive(a)), (M,), INEXACT, 5000),
    Call("eig", _remade_eig, (M,), INEXACT, 1e5),
    Call("pinv lstsq", lambda a, b: (a @ xp.linalg.pinv(a) @ a, xp.linalg.lstsq(a, b)[0]), ((6, 3), (6, 2)), INEXACT, 5000),
    Call("matrix_power rank", lambda a: (xp.linalg.matrix_power(a, 3), xp.linalg.matrix_rank(a)), (M,), INEXACT, 5000),
    Call("large solve", lambda a, b: xp.linalg.solve(_positive(a), b), ((-4, -4), (-4, 3)), "float32 float64", 1e5),
    Call("fft", lambda a: (xp.fft.fft(a), xp.fft.ifft(a, axis=0), xp.fft.fft(a, n=7)), ((12, 30),), "complex64 complex128", 64),
    Call("rfft", lambda a: (xp.fft.rfft(a), xp.fft.irfft(xp.fft.rfft(a)), xp.fft.hfft(xp.fft.ihfft(a))), ((12, 30),), FLOAT, 64),
    Call("fft2 fftn", lambda a: (xp.fft.fftn(a), xp.fft.ifftn(a, axes=(0,)), xp.fft.fftshift(a)), ((6, 8, 5),), "complex64 complex128", 64),
    Call("fft primes", lambda a: (xp.fft.fft(a), xp.fft.fft(a[:97]), xp.fft.fft(a[:49])), ((-5,),), "complex64 complex128", 64),
    Call("convolve", lambda a, b: (xp.convolve(a, b), xp.convolve(a, b, mode="same")), (V, (5,)), FLOAT, 64),
    Call("interp unwrap gradient", lambda a: (xp.interp(a, xp.sort(a), a), xp.gradient(a)), (V,), FLOAT, 64),
    Call("special", lambda a: (xp.special.erf(a), xp.special.gammaln(xp.abs(a) + 0.5), xp.special.expit(a)), (V,), FLOAT, 64),
    Call("softmax", lambda a: (xp.special.softmax(a, axis=-1), xp.special.log_softmax(a, axis=0), xp.special.logsumexp(a)), (S,), FLOAT, 64),
    Call("reductions over axes", lambda a: (xp.sum(a, axis=(0, 2)), xp.sum(a, axis=1), xp.cumulative_sum(a, axis=1)), ((3, 4, 5),), NUMBER, 64),
    Call("creation", lambda a: (
        xp.arange(2, 9, 3, device=a.device), xp.linspace(0, 1, 7, device=a.device), xp.eye(3, 4, k=1, device=a.device),
        xp.full((2, 3), 7, device=a.device), xp.zeros_like(a), xp.ones_like(a)), (S,), "float32"),
]  # fmt: skip

# Sizes that stand for what is long on a GPU and short on the simulator.
SIZES = {-1: (300, 9), -2: (257, 7), -3: (70_001, 70), -4: (200, 7), -5: (1009, 101)}


def draw(d: np.dtype, shape: tuple[int, ...], seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    if d.kind == "b":
        return rng.integers(0, 2, shape).astype(d)
    if d.kind in "iu":
        return rng.integers(0 if d.kind == "u" else -5, 9, shape).astype(d)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape) if d.kind == "c" else x).astype(d)


def engine(run: Run) -> Iterator[Check]:
    """Every call on every dtype that it is for."""

    def one(c: Call, d: np.dtype) -> None:
        arrays = [draw(d, tuple(SIZES[n][run.simulate] if n < 0 else n for n in s), i) for i, s in enumerate(c.shapes)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = c.function(*[xp.asarray(a) for a in arrays])
            got = c.function(*[on_cuda(a) for a in arrays])
        agree(got, want, c.tolerance, f"{c.name} {d}")

    calls = CALLS if not run.quick else [c for c in CALLS if c.name in ("getitem slices", "tril triu", "reductions over axes", "creation")]
    for c in calls:
        for d in run.some(c.dtypes.split(), 1):
            yield f"{c.name} {d}", partial(one, c, np.dtype(d))
    if not run.quick:
        yield "every engine op was called", partial(_all_called)
    if not run.simulate and not run.quick:
        for c in LARGE:
            for d in c.dtypes.split():
                yield f"libraries and own kernels: {c.name} {d}", partial(_twice, c, np.dtype(d))


# What cuSOLVER and cuFFT serve where they are installed, at sizes for which they do.
LARGE = [
    Call("cholesky", lambda a: (xp.linalg.cholesky(_positive(a)),), ((150, 150),), INEXACT, 5000),
    Call("cholesky of a stack", lambda a: (xp.linalg.cholesky(_positive(a)),), ((9, 70, 70),), INEXACT, 5000),
    Call("inv det", lambda a: (xp.linalg.inv(_positive(a)), *xp.linalg.slogdet(_positive(a))), ((150, 150),), INEXACT, 5000),
    Call("solve", lambda a, b: xp.linalg.solve(_positive(a), b), ((150, 150), (150, 5)), INEXACT, 5000),
    Call("qr", lambda a: (*xp.linalg.qr(a), *xp.linalg.qr(a.T, mode="complete")[1:]), ((150, 90),), INEXACT, 1e5),
    Call("qr made together", lambda a: _remade_qr(a), ((90, 150),), INEXACT, 5000),
    Call("eigh", lambda a: _remade_eigh(a), ((150, 150),), INEXACT, 5000),
    Call("svd", lambda a: (*_remade_svd(a), *_remade_svd(a.T), xp.linalg.svdvals(a)), ((150, 90),), INEXACT, 5000),
    Call("fft", lambda a: (xp.fft.fft(a), xp.fft.ifft(a, axis=0, n=97), xp.fft.fft(a, axis=1, n=1024, norm="ortho")), ((128, 60, 3),), "complex64 complex128", 64),
    Call("irfft", lambda a: (xp.fft.irfft(a, axis=1), xp.fft.irfft(a, axis=1, n=59), xp.fft.irfft(a, axis=0, n=300)), ((128, 60, 3),), "complex64 complex128", 64),
    Call("rfft", lambda a: (xp.fft.rfft(a), xp.fft.rfft(a[:, ::-1], axis=0), xp.fft.rfft(a, axis=1, n=101)), ((128, 60, 3),), FLOAT, 64),
]  # fmt: skip


def _twice(c: Call, d: np.dtype) -> None:
    from mtarray._kernels.cuda import fft_lib, solver_lib

    driver = xp.asarray(0.0, device="cuda").device.driver
    name, module = ("cufft", fft_lib) if "fft" in c.name else ("cusolver", solver_lib)
    found = module._library(driver)
    if found is None:
        raise Skip(f"no lib{name} is installed")
    arrays = [on_cuda(draw(d, s, i)) for i, s in enumerate(c.shapes)]
    got = c.function(*arrays)
    setattr(driver, name, None)
    try:
        own = c.function(*arrays)
    finally:
        setattr(driver, name, found)
    agree(got, own, c.tolerance, f"{c.name} {d}")


def _all_called() -> None:
    """Ops of the engine that no call here reaches."""
    from mtarray._kernels.cuda import ENGINES
    from mtarray._ops import REGISTRY

    reached: set[str] = set()
    from mtarray import _dispatch

    plain = _dispatch.engine

    def noted(op: Any, *rest: Any) -> Any:
        reached.add(op.name)
        return plain(op, *rest)

    _dispatch.engine = noted
    try:
        for c in CALLS:
            d = np.dtype(c.dtypes.split()[-1])
            arrays = [draw(d, tuple(SIZES[n][1] if n < 0 else n for n in s), i) for i, s in enumerate(c.shapes)]
            c.function(*[xp.asarray(a) for a in arrays])
    finally:
        _dispatch.engine = plain
    networks = (
        "adjugate convolved convolved_with_bias convolved_back correlated max_pooled picked put_back recurrent linear_recurrence affine"
    )
    networks += (
        " normalised softmax_rows softmax_back log_softmax_rows log_softmax_back class_losses class_slopes"  # in `layers` and `gradients`
    )
    left = {name for name, op in REGISTRY.items() if op.kind == "engine"} & set(ENGINES) - reached - set(networks.split())
    assert not left, f"no call reaches {', '.join(sorted(left))}"


def numpy_names(run: Run) -> Iterator[Check]:
    """The catalogue of NumPy's names, with arrays on the device: what gives a value on the CPU gives the same one there."""
    from mtarray_tests import numpy_names_calls as catalogue

    def one(name: str, d: str) -> None:
        function, made = getattr(xp, name), 0
        for dtypes, shapes, calls in catalogue.ONE[name]:
            for shape in (shapes if d in dtypes else ())[: 1 if run.simulate else None]:
                for call in calls:
                    a = catalogue.sample(shape, d)
                    args, kwargs = _arguments(catalogue.outcome(call, (a,), {}))
                    want = catalogue.outcome(function, *_with(catalogue.to_ours, args, kwargs))
                    if isinstance(want, Exception) or isinstance(args, Exception):
                        continue
                    args, kwargs = _with(_moved, args, kwargs)
                    _same(function(*args, **kwargs), want, f"{name} {d} {shape}")
                    made += 1
        if not made:
            raise Skip("no call that gives a value")

    for name in run.some(catalogue.ONE, 2):
        dtypes = list(dict.fromkeys(d for case in catalogue.ONE[name] for d in case[0]))
        for d in dtypes[-1:] if run.simulate else dtypes:
            yield f"{name} {d}", partial(one, name, d)


def _with(function: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return tuple(function(x) for x in args), {k: function(v) for k, v in kwargs.items()}


def _arguments(made: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], tuple) and isinstance(made[1], dict):
        return made
    return (made if isinstance(made, tuple) else (made,)), {}


def _moved(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return xp.asarray(x, device="cuda")
    if isinstance(x, (list, tuple)):
        return type(x)(_moved(v) for v in x)
    return x


def _same(got: Any, want: Any, what: str) -> None:
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want), what
        for g, w in zip(got, want):
            _same(g, w, what)
    elif hasattr(want, "to_device"):
        agree(got, want, 1000, what)
    else:
        assert type(got) is type(want), f"{what}: {got!r}, not {want!r}"
