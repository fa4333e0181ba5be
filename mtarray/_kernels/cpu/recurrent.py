"""Recurrent networks over a whole sequence in one kernel: LSTM, GRU and plain cells, and the cotangents back through time.

The rows of a batch do not depend on each other. So a thread takes some of them through all steps, and never waits for another: what
passes from step to step stays in its caches, as do the recurrent weights, which it packs once (see `gemm`). A library that multiplies
matrices step by step starts and joins its threads at each of them, and reads all gates from memory again for each function of them.

Gates lie in a row beside each other, as PyTorch has them: LSTM i f g o, GRU r z n, and of GRU also the recurrent part of n. The loops over
a row are short and have few pointers each, so that the compiler's checks for overlap stay few enough for it to vectorise them.
"""

from functools import lru_cache

import numpy as np

from .. import build
from . import gemm, pool
from .driver import address, run

GATES = {"lstm": 4, "gru": 3, "tanh": 1, "relu": 1}  # rows of weights for each hidden element
KEPT = {"lstm": 4, "gru": 4, "tanh": 0, "relu": 0}  # numbers kept for each hidden element, beside the state
ROWS = 16  # of the batch, that one thread takes

# args: words (steps, batch, hidden, reverse), projected inputs, weights, biases of the inputs and of the states, first states, first cells,
# states, cells, gates (0: not kept)
_HEAD = """    q = i8(ld64(args)); steps = q[0]; batch = q[1]; h = q[2]; reverse = q[3]; gh = {gates} * h
    pb = q[4]; wb = q[5]; h0 = q[6]; c0 = q[7]; hb = q[8]; cb = q[9]; kb = q[10]
"""
_FORWARD = """    b1 = {p}(q[11]); b2 = {p}(q[12])
    wide = (gh + NR - 1) // NR * NR
    weights = np.empty(wide * h * S, np.uint8); rows = np.empty((ROWS + MR) * min(h, KC) * S, np.uint8)
    sums = np.zeros((ROWS + MR) * wide, {cast}); shifts = np.empty(gh, {cast}); lost = np.empty({kept} * h + 1, {cast})
    packed = arr_ptr(weights); pa = arr_ptr(rows); zb = arr_ptr(sums); bias = {p}(arr_ptr(shifts))
    for j in range(gh): bias[j] = {bias}
    for p0 in range(0, h, KC): pack(wb + p0 * S, 1, h, min(KC, h - p0), gh, NR, packed + p0 * wide * S)
    for item in range(lo, hi):
        r0 = item * ROWS; m = min(ROWS, batch - r0); before = h0 + r0 * h * S; cells = c0 + r0 * h * S
        for step in range(steps):
            t = steps - 1 - step if reverse else step
            for p0 in range(0, h, KC):
                k = min(KC, h - p0)
                pack(before + p0 * S, 1, h, k, m, MR, pa)
                for j in range(0, wide, NR):
                    for i in range(0, m, MR):
                        tile(pa + i * k * S, packed + (p0 * wide + j * k) * S, k, zb + (i * wide + j) * S, wide * S, p0 == 0)
            for i in range(m):
                at = t * batch + r0 + i
                x = {p}(pb + at * gh * S); z = {p}(zb + i * wide * S); s = {p}(hb + at * h * S); s0 = {p}(before + i * h * S)
                k = {p}(kb + at * {kept} * h * S if kb else arr_ptr(lost))
{cell}
            before = hb + (t * batch + r0) * h * S; cells = cb + (t * batch + r0) * h * S
    weights[0] = rows[0] = 0; sums[0] = shifts[0] = lost[0] = 0  # keeps them alive
"""
_CELLS = {
    "lstm": """                c = {p}(cb + at * h * S); c1 = {p}(cells + i * h * S)
                for j in range(2 * h): k[j] = math.expit(x[j] + z[j] + bias[j])
                for j in range(2 * h, 3 * h): k[j] = math.tanh(x[j] + z[j] + bias[j])
                for j in range(3 * h, gh): k[j] = math.expit(x[j] + z[j] + bias[j])
                k2 = {p}(address_of(k, h)); k3 = {p}(address_of(k, 2 * h)); k4 = {p}(address_of(k, 3 * h))
                for j in range(h): c[j] = k2[j] * c1[j] + k[j] * k3[j]
                for j in range(h): s[j] = k4[j] * math.tanh(c[j])""",
    "gru": """                k2 = {p}(address_of(k, h)); k3 = {p}(address_of(k, 2 * h)); k4 = {p}(address_of(k, 3 * h))
                x3 = {p}(address_of(x, 2 * h)); z3 = {p}(address_of(z, 2 * h)); b3 = {p}(address_of(b2, 2 * h))
                for j in range(2 * h): k[j] = math.expit(x[j] + z[j] + bias[j])
                for j in range(h): k4[j] = z3[j] + b3[j]
                b3 = {p}(address_of(bias, 2 * h))
                for j in range(h): k3[j] = math.tanh(x3[j] + b3[j] + k[j] * k4[j])
                for j in range(h): s[j] = k3[j] + k2[j] * (s0[j] - k3[j])""",
    "tanh": "                for j in range(h): s[j] = math.tanh(x[j] + z[j] + bias[j])",
    "relu": """                for j in range(h):
                    v = x[j] + z[j] + bias[j]
                    s[j] = {cast}(0) if v <= 0 else v""",
}
_BIAS = {"lstm": "b1[j] + b2[j]", "gru": "b1[j] + b2[j] if j < 2 * h else b1[j]", "tanh": "b1[j] + b2[j]", "relu": "b1[j] + b2[j]"}
# further words: cotangents of states and cells (0: none), of projected inputs, of recurrent sums (the same but for GRU), of first states
# and cells
_BACK = """    gb = q[11]; gc = q[12]; xb = q[13]; ub = q[14]; dh0 = q[15]; dc0 = q[16]
    wide = (h + NR - 1) // NR * NR
    weights = np.empty(wide * gh * S, np.uint8); rows = np.empty((ROWS + MR) * min(gh, KC) * S, np.uint8)
    sums = np.zeros((ROWS + MR) * wide, {cast}); spare = np.empty((ROWS + 2) * h, {cast})
    packed = arr_ptr(weights); pa = arr_ptr(rows); zb = arr_ptr(sums); ab = arr_ptr(spare); f = {p}(ab); e = {p}(ab + h * S)
    for p0 in range(0, gh, KC): pack(wb + p0 * h * S, h, 1, min(KC, gh - p0), h, NR, packed + p0 * wide * S)
    for item in range(lo, hi):
        r0 = item * ROWS; m = min(ROWS, batch - r0)
        for i in range(m):
            z = {p}(zb + i * wide * S); a = {p}(ab + (i + 2) * h * S)
            for j in range(h):
                z[j] = {cast}(0); a[j] = {cast}(0)
        for step in range(steps - 1, -1, -1):
            t = steps - 1 - step if reverse else step
            u = t + 1 if reverse else t - 1
            for i in range(m):
                at = t * batch + r0 + i; past = u * batch + r0 + i
                d = {p}(zb + i * wide * S); a = {p}(ab + (i + 2) * h * S)
                x = {p}(xb + at * gh * S); s = {p}(hb + at * h * S); k = {p}(kb + at * {kept} * h * S)
                s0 = {p}(hb + past * h * S if step else h0 + (r0 + i) * h * S)
                if gb:
                    g = {p}(gb + at * h * S)
                    for j in range(h): d[j] = d[j] + g[j]
{cell}
            for p0 in range(0, gh, KC):
                n = min(KC, gh - p0)
                pack(ub + ((t * batch + r0) * gh + p0) * S, 1, gh, n, m, MR, pa)
                for j in range(0, wide, NR):
                    for i in range(0, m, MR):
                        tile(pa + i * n * S, packed + (p0 * wide + j * n) * S, n, zb + (i * wide + j) * S, wide * S, p0 == 0)
{after}        for i in range(m):
            z = {p}(zb + i * wide * S); a = {p}(ab + (i + 2) * h * S); g = {p}(dh0 + (r0 + i) * h * S)
            for j in range(h): g[j] = z[j]
            if dc0:
                g = {p}(dc0 + (r0 + i) * h * S)
                for j in range(h): g[j] = a[j]
    weights[0] = rows[0] = 0; sums[0] = spare[0] = 0  # keeps them alive
"""
_CELLS_BACK = {
    # a: the cotangent of the cells, from the later steps
    "lstm": """                c = {p}(cb + at * h * S); c1 = {p}(cb + past * h * S if step else c0 + (r0 + i) * h * S)
                k2 = {p}(address_of(k, h)); k3 = {p}(address_of(k, 2 * h)); k4 = {p}(address_of(k, 3 * h))
                x2 = {p}(address_of(x, h)); x3 = {p}(address_of(x, 2 * h)); x4 = {p}(address_of(x, 3 * h))
                for j in range(h): f[j] = math.tanh(c[j])
                for j in range(h): x4[j] = d[j] * f[j] * (k4[j] * (1 - k4[j]))
                for j in range(h): a[j] = a[j] + d[j] * k4[j] * (1 - f[j] * f[j])
                if gc:
                    g = {p}(gc + at * h * S)
                    for j in range(h): a[j] = a[j] + g[j]
                for j in range(h): x[j] = a[j] * k3[j] * (k[j] * (1 - k[j]))
                for j in range(h): x2[j] = a[j] * c1[j] * (k2[j] * (1 - k2[j]))
                for j in range(h): x3[j] = a[j] * k[j] * (1 - k3[j] * k3[j])
                for j in range(h): a[j] = a[j] * k2[j]""",
    # a: what of the cotangent of the states does not pass the weights
    "gru": """                k2 = {p}(address_of(k, h)); k3 = {p}(address_of(k, 2 * h)); k4 = {p}(address_of(k, 3 * h))
                x2 = {p}(address_of(x, h)); x3 = {p}(address_of(x, 2 * h))
                w = {p}(ub + at * gh * S); w3 = {p}(address_of(w, 2 * h))
                for j in range(h): f[j] = s0[j] - k3[j]
                for j in range(h): x2[j] = d[j] * f[j] * (k2[j] * (1 - k2[j]))
                for j in range(h): a[j] = d[j] * k2[j]
                for j in range(h): e[j] = (d[j] - a[j]) * (1 - k3[j] * k3[j])
                for j in range(h): x3[j] = e[j]
                for j in range(h): x[j] = e[j] * k4[j] * (k[j] * (1 - k[j]))
                for j in range(h): w3[j] = e[j] * k[j]
                for j in range(2 * h): w[j] = x[j]""",
    "tanh": "                for j in range(h): x[j] = d[j] * (1 - s[j] * s[j])",
    "relu": "                for j in range(h): x[j] = {cast}(0) if s[j] <= 0 else d[j]",
}
_AFTER = {
    "gru": """            for i in range(m):
                d = {p}(zb + i * wide * S); a = {p}(ab + (i + 2) * h * S)
                for j in range(h): d[j] = d[j] + a[j]
"""
}
_PRELUDE = """from mtarray._kernels import scalarlib as math
from mtarray._kernels.cpu.intrinsics import address_of
ROWS = {rows}
"""


@lru_cache(maxsize=16)
def _kernel(back, kind, dtype):
    words = {"p": f"f{dtype.itemsize}", "cast": f"np.float{8 * dtype.itemsize}", "gates": GATES[kind], "kept": KEPT[kind]}
    words["bias"] = _BIAS[kind]
    words["cell"] = (_CELLS_BACK if back else _CELLS)[kind].format(**words)
    words["after"] = _AFTER.get(kind, "").format(**words)
    body = (_HEAD + (_BACK if back else _FORWARD)).format(**words).rstrip("\n")
    name = f"recurrent_{kind}{'_back' if back else ''}_{dtype.char}"
    return build.kernel(name, body, gemm.prelude(dtype.name) + _PRELUDE.format(rows=ROWS))


def forward(kind, reverse, projected, weight, bias, recurrent_bias, first, first_cell, keep):
    """(states, cells, kept): states of all steps, (steps, batch, hidden); cells, as many, for "lstm", else None; what `back` needs.

    projected: (steps, batch, gates * hidden), the inputs times their weights; weight: (gates * hidden, hidden); biases: (gates * hidden,);
    first, first_cell: (batch, hidden). C-contiguous ndarrays of one real floating dtype. reverse: from the last step to the first. keep:
    whether there will be a `back`; else kept is None.
    """
    steps, batch, _ = projected.shape
    h = weight.shape[1]
    d = projected.dtype
    states = pool.empty((steps, batch, h), d)
    cells = pool.empty((steps, batch, h), d) if kind == "lstm" else None
    kept = pool.empty((steps, batch, KEPT[kind] * h), d) if keep and KEPT[kind] else None
    if states.size:
        arrays = (projected, weight, first, first_cell, states, cells, kept, bias, recurrent_bias)
        words = np.array([steps, batch, h, reverse, *map(_at, arrays)], np.int64)
        run(_kernel(False, kind, d), -(-batch // ROWS), 1, address(words))
    return states, cells, kept


def back(kind, reverse, g, g_cells, weight, first, first_cell, states, cells, kept):
    """Cotangents of the projected inputs, of the recurrent sums (the same array but for "gru"), of the first states and cells.

    g, g_cells: those of the states and cells of all steps, or None; the rest as given to and made by `forward`.
    """
    steps, batch, h = states.shape
    d = states.dtype
    gates = GATES[kind] * h
    by_x = pool.empty((steps, batch, gates), d)
    by_sums = pool.empty(by_x.shape, d) if kind == "gru" else by_x
    by_first = np.zeros((batch, h), d)
    by_cell = np.zeros((batch, h), d) if kind == "lstm" else None
    if states.size:
        arrays = (None, weight, first, first_cell, states, cells, kept, g, g_cells, by_x, by_sums, by_first, by_cell)
        words = np.array([steps, batch, h, reverse, *map(_at, arrays)], np.int64)
        run(_kernel(True, kind, d), -(-batch // ROWS), 1, address(words))
    return by_x, by_sums, by_first, by_cell


def _at(x):
    return 0 if x is None else address(x)
