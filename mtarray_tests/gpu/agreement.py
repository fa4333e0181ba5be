"""CPU and CUDA agree: every elementwise op, reduction and scan of the registry, on every dtype, and every layout of operands.

Integers exactly, elementwise floats within the units of the last place that two tiers of the CPU may differ by (`catalogue.tolerance`),
reductions and scans by the norm of the error.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import mtarray as xp
from mtarray_tests import catalogue

from .run import Check, Run, agree, host, on_cuda


def _both(op: Any, arrays: list[np.ndarray], ulps: float, what: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want, got = op.function(*[xp.asarray(a) for a in arrays]), op.function(*[on_cuda(a) for a in arrays])
    for g, w in zip(got, want, strict=True) if op.nout > 1 else [(got, want)]:
        assert g.device == "cuda", f"{what}: the result is on {g.device}"
        catalogue.assert_close(host(g), host(w), ulps, what, zeros=op.name not in catalogue.EITHER_ZERO)


def elementwise(run: Run) -> Iterator[Check]:
    """Every op at its special values, on every dtype and on mixed ones; at a size of many blocks too."""

    def one(op: Any, d: Any, size: int) -> None:
        _both(op, catalogue.operands(op, d, size), catalogue.tolerance(op.name, d), f"{op.name} {d} of {size}")

    def mixed(op: Any, pair: Any) -> None:
        arrays = catalogue.mixed_operands(op.name, *pair)
        _both(op, arrays, 16 if op.name in catalogue.ROUNDED else 8, f"{op.name} {pair[0]} {pair[1]}")

    sizes = [16] if run.simulate else [16, 100_003]
    for name, op in catalogue.ELEMENTWISE.items():
        if run.quick and name not in ("add", "exp", "where", "floor_divide"):
            continue
        for d in run.some(op.dtypes, 2):
            for size in sizes:
                yield f"{name} {d} {size}", partial(one, op, d, size)
        if op.nin == 2 and op.promotes and not run.quick:
            for pair in catalogue.MIXED:
                try:
                    op.plan(pair)
                except TypeError:  # not for these dtypes
                    continue
                yield f"{name} {pair[0]} {pair[1]}", partial(mixed, op, pair)


def layouts(run: Run) -> Iterator[Check]:
    """Operands of every layout, and of shapes that meet by broadcasting."""
    shapes: dict[str, tuple[Any, Any]] = {
        "transposed": (lambda a: a.T, lambda a: a),
        "both transposed": (lambda a: a.T, lambda a: a.T),
        "backwards": (lambda a: a[::-1, ::-1], lambda a: a),
        "steps": (lambda a: a[::3, ::2], lambda a: a[1::3, 1::2]),
        "a row": (lambda a: a, lambda a: a[0]),
        "a column": (lambda a: a, lambda a: a[:, :1]),
        "outer": (lambda a: a[:, None, :3], lambda a: a[None, :, :3]),
        "0-d": (lambda a: a[1, 1, ...], lambda a: a),
        "inside": (lambda a: a[1:, 2:], lambda a: a[:-1, :-2]),
        "broadcast": (lambda a: np.broadcast_to(a[0], a.shape), lambda a: a),
        "empty": (lambda a: a[:0], lambda a: a[0]),
    }
    n = run.size(257, 6)
    for d in run.some([np.dtype(c) for c in "?bhilBHILfdFD"], 2):
        a = np.resize(catalogue.values(d, 64), n * n).reshape(n, n)
        op = catalogue.ELEMENTWISE["logical_xor" if d.kind == "b" else "add"]
        for name, (first, second) in shapes.items():
            yield f"{name} {d}", partial(_both, op, [first(a), second(a)], catalogue.tolerance(op.name, d), f"{op.name} {name} {d}")

        def copies(a: np.ndarray = a, d: Any = d) -> None:
            for view in (a.T, a[::-1], a[::2, 1::3], a.reshape(-1)[:: n + 1], np.broadcast_to(a[:1], (4, n))):
                x = on_cuda(view)
                agree(x.copy(), view, 0, f"copy {d} of strides {view.strides}")
                agree(xp.reshape(x, (-1,)), view.reshape(-1), 0, f"reshape {d}")
                agree(xp.astype(x, xp.complex128), view.astype(np.complex128), 0, f"astype {d}")

        yield f"copies {d}", copies


def folds(run: Run) -> Iterator[Check]:
    """Reductions over every set of axes, short and long; scans along every axis."""
    shapes = [(5,), (3, 4, 2), (1, 7), (0, 3), ()]
    shapes += [] if run.simulate else [(1 << 20,), (4, 65_537), (65_537, 3), (100, 257, 33)]

    def fold(op: Any, d: Any, shape: tuple[int, ...], axis: Any, keepdims: bool, turned: bool) -> None:
        a = _sample(d, shape)
        a = a.T if turned else a
        if 0 in shape and op.name in ("max", "min"):
            return
        want = op.function(xp.asarray(a), axis=axis, keepdims=keepdims)
        got = op.function(on_cuda(a), axis=axis, keepdims=keepdims)
        again = op.function(on_cuda(a), axis=axis, keepdims=keepdims)
        agree(got, want, 64, f"{op.name} {d} {shape} axis={axis}")
        assert host(got).tobytes() == host(again).tobytes(), f"{op.name} {d} {shape} axis={axis}: two runs differ"

    def scan(op: Any, d: Any, shape: tuple[int, ...], axis: int) -> None:
        a = _sample(d, shape)
        agree(op.function(on_cuda(a), axis=axis), op.function(xp.asarray(a), axis=axis), 256, f"{op.name} {d} {shape} axis={axis}")

    for op in catalogue.REDUCTIONS.values():
        for d in run.some(op.dtypes, 2):
            for shape in run.some(shapes, 2):
                every = range(len(shape))
                axes = [None, *every, *([(0, len(shape) - 1)] if len(shape) > 1 else [])]
                for axis in axes:
                    yield f"{op.name} {d} {shape} {axis}", partial(fold, op, d, shape, axis, axis is not None, False)
                if len(shape) > 1:
                    yield f"{op.name} {d} {shape}.T", partial(fold, op, d, shape, 0, False, True)
    for op in catalogue.SCANS.values():
        for d in run.some(op.dtypes, 2):
            for shape in run.some([s for s in shapes if s], 2):
                for axis in range(len(shape)):
                    yield f"{op.name} {d} {shape} {axis}", partial(scan, op, d, shape, axis)


def _sample(d: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Values near 1, so that products stay finite; integers small."""
    rng = np.random.default_rng(7)
    if d.kind == "b":
        return rng.integers(0, 2, shape).astype(d)
    if d.kind in "iu":
        return rng.integers(0, 5, shape).astype(d)
    x = 1 + rng.standard_normal(shape) / (1 + int(np.prod(shape))) ** 0.5
    return (np.exp(1j * x) if d.kind == "c" else x).astype(d)
