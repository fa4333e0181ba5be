"""Recurrent networks over a sequence: at each step a product of the states with the weights, and one kernel for all that follows it.

The functions are the CPU's (see `_kernels.cpu.recurrent`), with Tensors. Gates lie in a row beside each other: LSTM i f g o, GRU r z n,
and of GRU also the recurrent part of n.
"""

import math as _math
from functools import lru_cache
from typing import Any

import numpy as np

from mtarray._kernels.source import Scalar

from .copying import contiguous
from .kernel import Kernel, code_of
from .products import product
from .tensor import empty, like

GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}  # rows of weights for each hidden element
KEPT = {"lstm": 4, "gru": 4, "tanh": 0, "relu": 0}  # numbers kept for each hidden element, beside the state
_BLOCK = 128
_MANY = 1 << 20
math: Any = _math  # in a scalar function: the mathematical functions of the target


def _expit(x):
    return math.expit(x)


def _tanh(x):
    return math.tanh(x)


_EXPIT, _TANH = Scalar(_expit), Scalar(_tanh)

# Of each kernel: an element of the state each thread; e counts rows and hidden elements, `at` is its first gate.


def lstm(target, dtype, keep):
    """States, cells and gates of a step from the projected inputs x, the products z, the biases and the cells before."""
    cuda, T = target.cuda, target.type(dtype)
    expit, tanh = target.function(_EXPIT, (dtype,)), target.function(_TANH, (dtype,))

    def lstm(s, c, kept, x, z, b1, b2, s0, c0, n, h):
        e = cuda.grid(1)
        while e < n:
            i = e // h
            j = e - i * h
            at = i * 4 * h + j
            p = T(expit(T(x[at] + z[at] + T(b1[j] + b2[j]))))
            f = T(expit(T(x[at + h] + z[at + h] + T(b1[j + h] + b2[j + h]))))
            g = T(tanh(T(x[at + 2 * h] + z[at + 2 * h] + T(b1[j + 2 * h] + b2[j + 2 * h]))))
            o = T(expit(T(x[at + 3 * h] + z[at + 3 * h] + T(b1[j + 3 * h] + b2[j + 3 * h]))))
            cell = T(f * c0[e] + p * g)
            c[e] = cell
            s[e] = T(o * T(tanh(cell)))
            if keep:
                kept[at] = p
                kept[at + h] = f
                kept[at + 2 * h] = g
                kept[at + 3 * h] = o
            e += cuda.gridsize(1)

    return lstm


def gru(target, dtype, keep):
    """The same of gated recurrent units, from the states before."""
    cuda, T = target.cuda, target.type(dtype)
    expit, tanh = target.function(_EXPIT, (dtype,)), target.function(_TANH, (dtype,))

    def gru(s, c, kept, x, z, b1, b2, s0, c0, n, h):
        e = cuda.grid(1)
        while e < n:
            i = e // h
            j = e - i * h
            at = i * 3 * h + j
            r = T(expit(T(x[at] + z[at] + T(b1[j] + b2[j]))))
            u = T(expit(T(x[at + h] + z[at + h] + T(b1[j + h] + b2[j + h]))))
            part = T(z[at + 2 * h] + b2[j + 2 * h])
            new = T(tanh(T(x[at + 2 * h] + b1[j + 2 * h] + r * part)))
            s[e] = T(new + u * T(s0[e] - new))
            if keep:
                at = i * 4 * h + j
                kept[at] = r
                kept[at + h] = u
                kept[at + 2 * h] = new
                kept[at + 3 * h] = part
            e += cuda.gridsize(1)

    return gru


def plain(target, dtype, kind):
    """The same of plain cells, "tanh" or "relu"."""
    cuda, T = target.cuda, target.type(dtype)
    tanh = target.function(_TANH, (dtype,))
    ZERO = dtype.type(0)

    def plain(s, c, kept, x, z, b1, b2, s0, c0, n, h):
        e = cuda.grid(1)
        while e < n:
            j = e % h
            v = T(x[e] + z[e] + T(b1[j] + b2[j]))
            if kind == "tanh":
                s[e] = T(tanh(v))
            else:
                s[e] = T(ZERO) if v <= T(ZERO) else v
            e += cuda.gridsize(1)

    return plain


# Back: d is the cotangent of the states of a step, from the later steps by the weights (z, if `later`), past them (a) and from outside (g,
# if `given`); x becomes that of the projected inputs, w that of the recurrent sums.


def lstm_back(target, dtype):
    """a: the cotangent of the cells; gc: from outside, if `cells`."""
    cuda, T = target.cuda, target.type(dtype)
    tanh = target.function(_TANH, (dtype,))
    ONE, ZERO = dtype.type(1), dtype.type(0)

    def lstm_back(x, w, a, z, g, gc, s, s0, c, c0, kept, later, given, cells, n, h):
        e = cuda.grid(1)
        while e < n:
            i = e // h
            at = i * 4 * h + e - i * h
            p, f, m, o = kept[at], kept[at + h], kept[at + 2 * h], kept[at + 3 * h]
            d = z[e] if later else T(ZERO)
            by_cell = a[e] if later else T(ZERO)
            if given:
                d = T(d + g[e])
            t = T(tanh(c[e]))
            x[at + 3 * h] = T(d * t * T(o * T(T(ONE) - o)))
            by_cell = T(by_cell + d * o * T(T(ONE) - T(t * t)))
            if cells:
                by_cell = T(by_cell + gc[e])
            x[at] = T(by_cell * m * T(p * T(T(ONE) - p)))
            x[at + h] = T(by_cell * c0[e] * T(f * T(T(ONE) - f)))
            x[at + 2 * h] = T(by_cell * p * T(T(ONE) - T(m * m)))
            a[e] = T(by_cell * f)
            e += cuda.gridsize(1)

    return lstm_back


def gru_back(target, dtype):
    """a: what of the cotangent of the states does not pass the weights."""
    cuda, T = target.cuda, target.type(dtype)
    ONE, ZERO = dtype.type(1), dtype.type(0)

    def gru_back(x, w, a, z, g, gc, s, s0, c, c0, kept, later, given, cells, n, h):
        e = cuda.grid(1)
        while e < n:
            i = e // h
            j = e - i * h
            at, to = i * 4 * h + j, i * 3 * h + j
            r, u, new, part = kept[at], kept[at + h], kept[at + 2 * h], kept[at + 3 * h]
            d = T(z[e] + a[e]) if later else T(ZERO)
            if given:
                d = T(d + g[e])
            past = T(d * u)
            inner = T(T(d - past) * T(T(ONE) - T(new * new)))
            by_r = T(inner * part * T(r * T(T(ONE) - r)))
            by_u = T(d * T(s0[e] - new) * T(u * T(T(ONE) - u)))
            x[to] = by_r
            x[to + h] = by_u
            x[to + 2 * h] = inner
            w[to] = by_r
            w[to + h] = by_u
            w[to + 2 * h] = T(inner * r)
            a[e] = past
            e += cuda.gridsize(1)

    return gru_back


def plain_back(target, dtype, kind):
    """Of plain cells."""
    cuda, T = target.cuda, target.type(dtype)
    ONE, ZERO = dtype.type(1), dtype.type(0)

    def plain_back(x, w, a, z, g, gc, s, s0, c, c0, kept, later, given, cells, n, h):
        e = cuda.grid(1)
        while e < n:
            d = z[e] if later else T(ZERO)
            if given:
                d = T(d + g[e])
            v = s[e]
            if kind == "tanh":
                x[e] = T(d * T(T(ONE) - T(v * v)))
            else:
                x[e] = T(ZERO) if v <= T(ZERO) else d
            e += cuda.gridsize(1)

    return plain_back


def added(target, dtype):
    """y += x."""
    cuda, T = target.cuda, target.type(dtype)

    def added(y, x, n):
        e = cuda.grid(1)
        while e < n:
            y[e] = T(y[e] + x[e])
            e += cuda.gridsize(1)

    return added


# ---------------------------------------------------------------------- launching


@lru_cache(64)
def _kernel(back, kind, dtype, keep):
    pointers = " ".join([f"*{code_of(dtype)}"] * (11 if back else 9))
    if back:
        factory, more = {"lstm": (lstm_back, ()), "gru": (gru_back, ())}.get(kind, (plain_back, (kind,)))
        return Kernel(factory, (dtype, *more), f"{pointers} i8 i8 i8 i8 i8", _BLOCK)
    factory, more = {"lstm": (lstm, keep), "gru": (gru, keep)}.get(kind, (plain, kind))
    return Kernel(factory, (dtype, more), f"{pointers} i8 i8", _BLOCK)


def _adding(dtype):
    return Kernel(added, (dtype,), f"*{code_of(dtype)} *{code_of(dtype)} i8", _BLOCK)


def _grid(n):
    return min(-(-n // _BLOCK), _MANY)


def _step(x, t):
    """The matrix of step t of a contiguous (steps, rows, columns)."""
    return x.window(x.shape[1:], x.strides[1:], x.offset + t * x.strides[0])


def forward(kind, reverse, projected, weight, bias, recurrent_bias, first, first_cell, keep):
    """(states, cells, kept): see the CPU's. Contiguous Tensors."""
    steps, batch, _ = projected.shape
    h = weight.shape[1]
    n = batch * h
    states = like(projected, (steps, batch, h))
    cells = like(states) if kind == "lstm" else None
    kept = like(states, (steps, batch, KEPT[kind] * h)) if keep and KEPT[kind] else None
    kernel = _kernel(False, kind, projected.dtype, kept is not None)
    turned = weight.transpose((1, 0))
    before, cell = first, first if first_cell is None else first_cell
    for step in range(steps):
        t = steps - 1 - step if reverse else step
        s = _step(states, t)
        c = s if cells is None else _step(cells, t)
        z = contiguous(product(before, turned))
        kernel.launch(
            projected.driver, _grid(n), _BLOCK, s.address, c.address, s.address if kept is None else _step(kept, t).address,
            _step(projected, t).address, z.address, bias.address, recurrent_bias.address, before.address, cell.address, n, h,
        )  # fmt: skip
        before, cell = s, c
    return states, cells, kept


def back(kind, reverse, g, g_cells, weight, first, first_cell, states, cells, kept):
    """Cotangents of the projected inputs, the recurrent sums (the same Tensor but for "gru"), the first states and cells: see the CPU's."""
    steps, batch, h = states.shape
    n, driver, d = batch * h, states.driver, states.dtype
    by_x = empty(driver, (steps, batch, GATES[kind] * h), d)
    by_sums = like(by_x) if kind == "gru" else by_x
    past = empty(driver, (batch, h), d)
    kernel = _kernel(True, kind, d, False)
    z = past
    for step in range(steps - 1, -1, -1):
        t = steps - 1 - step if reverse else step
        u = t + 1 if reverse else t - 1
        s = _step(states, t)
        s0 = _step(states, u) if step else first
        c, c0 = (s, s0) if cells is None else (_step(cells, t), _step(cells, u) if step else first_cell)
        others = [s if x is None else _step(x, t) for x in (g, g_cells)]
        kernel.launch(
            driver, _grid(n), _BLOCK, _step(by_x, t).address, _step(by_sums, t).address, past.address, z.address,
            *[x.address for x in (*others, s, s0, c, c0)], s.address if kept is None else _step(kept, t).address,
            int(step < steps - 1), int(g is not None), int(g_cells is not None), n, h,
        )  # fmt: skip
        z = contiguous(product(_step(by_sums, t), weight))
    if kind == "gru":
        _adding(d).launch(driver, _grid(n), _BLOCK, z.address, past.address, n)
    return by_x, by_sums, z, past if kind == "lstm" else None


def recurrent(*arrays, kind, reverse, keep):
    """See the engine op."""
    projected, weight, bias, recurrent_bias, first, *rest = map(contiguous, arrays)
    first_cell = rest[0] if rest else None
    states, cells, kept = forward(kind, reverse, projected, weight, bias, recurrent_bias, first, first_cell, keep is not None)
    if keep is not None:
        keep.arrays = states, cells, kept
    return (states, cells) if kind == "lstm" else states


def every():
    """All kernels of this module."""
    for d in (np.dtype(np.float32), np.dtype(np.float64)):
        for kind in GATES:
            yield _kernel(True, kind, d, False)
            for keep in (False, True) if KEPT[kind] else (False,):
                yield _kernel(False, kind, d, keep)
        yield _adding(d)
