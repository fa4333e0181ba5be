"""Recurrent networks: a whole sequence through LSTM, GRU or plain cells as one op.

Forward and back are one kernel each for all steps (float32 and float64). Derivatives of derivatives are those of the same steps, composed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _array, _storage
from ._array import Array, fresh, value
from ._config import config
from ._dtypes import REAL_FLOATING
from ._kernels import cuda
from ._operands import common, lift, run_quietly
from ._ops import engine
from .creation import astype

GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}


class _Kept:
    """What the kernel keeps for the way back: states, cells, gates. None where the steps are composed."""

    __slots__ = ("arrays",)
    arrays: Any

    def __init__(self) -> None:
        self.arrays = None

    def __repr__(self) -> str:
        return "kept"


def _composed(xp: Any, expit: Any, arrays: Any, kind: str, reverse: bool) -> tuple[Any, Any]:
    """States of all steps, and cells (of "lstm", else None), in array code of NumPy or mtarray."""
    projected, weight, bias, recurrent_bias, h, *rest = arrays
    c = rest[0] if rest else None
    n = h.shape[-1]
    states, cells = [], []
    steps = range(projected.shape[0])
    for t in reversed(steps) if reverse else steps:
        x = projected[t] + bias
        z = h @ weight.T + recurrent_bias
        if kind == "lstm":
            a = x + z
            i, f, g, o = (a[:, k * n : (k + 1) * n] for k in range(4))
            c = expit(f) * c + expit(i) * xp.tanh(g)
            h = expit(o) * xp.tanh(c)
            cells.append(c)
        elif kind == "gru":
            r, u = (expit(x[:, k * n : (k + 1) * n] + z[:, k * n : (k + 1) * n]) for k in range(2))
            new = xp.tanh(x[:, 2 * n :] + r * z[:, 2 * n :])
            h = new + u * (h - new)
        else:
            h = xp.tanh(x + z) if kind == "tanh" else xp.where(x + z > 0, x + z, 0.0)
        states.append(h)
    if reverse:
        states.reverse()
        cells.reverse()
    return xp.stack(states), xp.stack(cells) if cells else None


def _rule(g: Any, operands: list[Array], kind: str, reverse: bool, keep: _Kept | None) -> list[Any]:
    """Cotangents of the operands: by the kernel, or through the composed steps where they are differentiated themselves."""
    xp = _array.xp
    gs = g if kind == "lstm" else (g, None)
    if keep is None or keep.arrays is None or any(a is not None and a._storage.node is not None for a in (*gs, *operands)):
        found, pull = xp.autodiff.vjp(
            lambda *arrays: tuple([y for y in _composed(xp, xp.special.expit, arrays, kind, reverse) if y is not None]), *operands
        )
        return list(pull(tuple([xp.zeros_like(y) if c is None else c for y, c in zip(found, gs)])))
    states, cells, kept = keep.arrays
    kernels: Any
    if states.__class__ is np.ndarray:
        from ._kernels.cpu import recurrent as kernels

        contiguous = np.ascontiguousarray
    else:
        kernels, contiguous = cuda.part("recurrent"), cuda.part("copying").contiguous
    by_states, by_cells = (None if a is None else contiguous(value(a)) for a in gs)
    weight, first, first_cell = (None if a is None else contiguous(value(a)) for a in (operands[1], operands[4], *operands[5:], None)[:3])
    back = kernels.back(kind, reverse, by_states, by_cells, weight, first, first_cell, states, cells, kept)
    by_x, by_sums, by_first, by_cell = (None if a is None else fresh(a) for a in back)
    assert by_x is not None
    assert by_sums is not None
    past = fresh(states)
    rows, n = operands[1]._shape
    # The state before each step: the one of the step before, and the first.
    first_sums, sums = (by_sums[-1], by_sums[:-1]) if reverse else (by_sums[0], by_sums[1:])
    by_weight = first_sums.T @ operands[4]
    if states.shape[0] > 1:
        by_weight += xp.reshape(sums, (-1, rows)).T @ xp.reshape(past[1:] if reverse else past[:-1], (-1, n))
    by_bias = xp.sum(by_x, axis=(0, 1))
    by_recurrent = by_bias if kind != "gru" else xp.sum(by_sums, axis=(0, 1))
    return [by_x, by_weight, by_bias, by_recurrent, by_first, *([by_cell] if kind == "lstm" else [])]


@engine(vjp=_rule)
def recurrent(*arrays: Any, kind: str, reverse: bool, keep: _Kept | None) -> Any:
    """States of all steps, with cells for "lstm". arrays: projected inputs, weights, two biases, first states, and for "lstm" cells."""
    if config._values["kernels"] == "python":
        states, cells = run_quietly(_composed, np, lambda x: 1 / (1 + np.exp(-x)), arrays, kind, reverse)
        return (states, cells) if kind == "lstm" else states
    from ._kernels.cpu import recurrent as kernels

    projected, weight, bias, recurrent_bias, first, *rest = [np.ascontiguousarray(a) for a in arrays]
    first_cell = rest[0] if rest else None
    states, cells, kept = kernels.forward(kind, reverse, projected, weight, bias, recurrent_bias, first, first_cell, keep is not None)
    if keep is not None:
        keep.arrays = states, cells, kept
    return (states, cells) if kind == "lstm" else states


def _run(where: str, kind: str, projected: Any, weight: Any, biases: tuple[Any, Any], first: tuple[Any, ...], reverse: bool) -> Any:
    named = [("projected", projected), ("weight", weight), ("bias", biases[0]), ("recurrent_bias", biases[1])]
    named += list(zip(("first", "first_cell"), first))
    arrays = {name: lift(x, where) for name, x in named if x is not None}
    dtypes = {x._dtype for x in arrays.values()}
    d = dtypes.pop() if len(dtypes) == 1 else common(tuple([x._dtype for x in arrays.values()]))
    if d not in REAL_FLOATING:
        raise TypeError(
            f"{where} is defined for float32 and float64; the operands are of {', '.join(str(x._dtype) for x in arrays.values())}"
        )
    shape = arrays["weight"]._shape
    if len(shape) != 2 or shape[0] != GATES[kind] * shape[1]:
        raise ValueError(f"{where}: weight has shape {shape}; expected ({GATES[kind]} * hidden, hidden)")
    if len(arrays["projected"]._shape) != 3 or arrays["projected"]._shape[2] != shape[0]:
        raise ValueError(
            f"{where}: projected has shape {arrays['projected']._shape}; expected (steps, batch, {shape[0]}) for weight of shape {shape}"
        )
    batch = arrays["projected"]._shape[1]
    expected = {"bias": shape[:1], "recurrent_bias": shape[:1], "first": (batch, shape[1]), "first_cell": (batch, shape[1])}
    xp = _array.xp
    operands = []
    for name, _ in named:
        x = arrays.get(name)
        if x is None:
            x = xp.zeros(expected[name], dtype=d, device=arrays["weight"].device)
        elif x._shape != expected.get(name, x._shape):
            raise ValueError(f"{where}: {name} has shape {x._shape}; expected {expected[name]}")
        operands.append(x if x._dtype is d else astype(x, d))
    if 0 in operands[0]._shape:
        states = xp.zeros((*operands[0]._shape[:2], shape[1]), dtype=d, device=operands[0].device)
        return (states, xp.zeros_like(states)) if kind == "lstm" else states
    keep = _Kept() if any(x._storage.node is not None for x in operands) else None
    found = recurrent(*operands, kind=kind, reverse=bool(reverse), keep=keep)
    if keep is not None and keep.arrays is not None:
        for y in found if kind == "lstm" else (found,):
            y._storage.ties = _storage.HELD  # the way back reads the same memory: who writes there makes a copy
    return found


def lstm(
    projected: Any,
    weight: Any,
    bias: Any = None,
    recurrent_bias: Any = None,
    first: Any = None,
    first_cell: Any = None,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Long short-term memory over a sequence: the states and the cells of all steps, (steps, batch, hidden).

    With gates i, f, g, o = projected + bias + state @ weight.T + recurrent_bias, a cell becomes sigmoid(f) * cell + sigmoid(i) * tanh(g)
    and a state sigmoid(o) * tanh(cell). projected: the inputs times their weights, (steps, batch, 4 * hidden); weight: (4 * hidden,
    hidden); biases: (4 * hidden,); first, first_cell: before the first step, (batch, hidden); None: 0. reverse: from the last step to the
    first. float32 or float64. ValueError for shapes that do not fit. Hochreiter, Schmidhuber, "Long Short-Term Memory" (1997).

    >>> import mtarray as xp
    >>> states, cells = xp.recurrence.lstm(xp.zeros((3, 2, 4)), xp.zeros((4, 1)), first_cell=xp.ones((2, 1)))
    >>> cells[:, 0, 0]
    Array([0.5  , 0.25 , 0.125], shape=(3,), dtype=float64, device='cpu')
    """
    found: tuple[Array, Array] = _run("lstm", "lstm", projected, weight, (bias, recurrent_bias), (first, first_cell), reverse)
    return found


def gru(projected: Any, weight: Any, bias: Any = None, recurrent_bias: Any = None, first: Any = None, reverse: bool = False) -> Array:
    """Gated recurrent units over a sequence: the states of all steps, (steps, batch, hidden).

    With x = projected + bias and s = state @ weight.T + recurrent_bias, both in three parts, r = sigmoid(x1 + s1), z = sigmoid(x2 + s2) and
    n = tanh(x3 + r * s3), a state becomes (1 - z) * n + z * state. Operands as for `lstm`, with 3 in the place of 4. Cho et al.,
    "Learning Phrase Representations using RNN Encoder-Decoder" (2014).

    >>> import mtarray as xp
    >>> xp.recurrence.gru(xp.zeros((3, 2, 3)), xp.zeros((3, 1)), first=xp.ones((2, 1)))[:, 0, 0]
    Array([0.5  , 0.25 , 0.125], shape=(3,), dtype=float64, device='cpu')
    """
    states: Array = _run("gru", "gru", projected, weight, (bias, recurrent_bias), (first,), reverse)
    return states


def rnn(
    projected: Any,
    weight: Any,
    bias: Any = None,
    recurrent_bias: Any = None,
    first: Any = None,
    reverse: bool = False,
    nonlinearity: str = "tanh",
) -> Array:
    """Plain recurrent cells over a sequence: the states of all steps, (steps, batch, hidden).

    A state becomes tanh(projected + bias + state @ weight.T + recurrent_bias), or max(..., 0) with nonlinearity="relu". Operands as for
    `lstm`, with 1 in the place of 4. Elman, "Finding Structure in Time" (1990).

    >>> import mtarray as xp
    >>> xp.recurrence.rnn(xp.ones((3, 1, 1)), xp.ones((1, 1)), nonlinearity="relu")[:, 0, 0]
    Array([1., 2., 3.], shape=(3,), dtype=float64, device='cpu')
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"rnn: nonlinearity={nonlinearity!r} must be 'tanh' or 'relu'")
    states: Array = _run("rnn", nonlinearity, projected, weight, (bias, recurrent_bias), (first,), reverse)
    return states


__all__ = ["gru", "lstm", "rnn"]
