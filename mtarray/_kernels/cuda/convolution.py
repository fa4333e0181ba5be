"""Convolution, its transpose and what trains the weights, as products of matrices whose windows are never laid out in memory.

A convolution and its transpose are one kernel: output q of an axis meets, by tap m, the input q * turn + begin + m * step. For a transposed
convolution the outputs are taken in `stride` phases, in each of which the taps that meet an input are every so many; so no thread looks for
inputs between the elements. The sum that trains a weight runs over all outputs: it is cut into parts whose number depends on the shapes
alone, and these are added in order, so results are the same in every run.
"""

from functools import lru_cache
from math import gcd

import numpy as np

from .gemm import arithmetic
from .kernel import Kernel, code_of
from .tensor import empty, like

INT64 = np.dtype(np.int64)
_WIDE, _FLAT = (64, 64, 16, 4, 4), (16, 64, 16, 2, 4)  # rows, columns and depth of a tile; rows and columns of a thread
_DIRECT = 128  # threads of a block without tiles
_MANY = 1 << 20  # blocks of the kernels without tiles, which then go on
_SUMS = " ".join(["i8"] * 30)


def _shape_of(tile):
    rows, columns, _, mine, own = tile
    return (rows // mine) * (columns // own)


def _sum_of_products(target, dtype):
    """A device function total + a * b; of floats, and of the parts of complex numbers, in fused operations."""
    if dtype.kind in "fc":
        return arithmetic(target, dtype, 0)[1]
    T = target.type(dtype)

    def add(total, a, b):
        return T(total + a * b)

    return target.device(add)


def tiled(target, dtype, biased, tile):
    """Tiles of (filters of a group) x (outputs of all images), the taps of all channels being what is summed over."""
    cuda, T = target.cuda, target.type(dtype)
    TM, TN, TK, RM, RN = tile
    ACROSS, DOWN, THREADS = TN // RN, TM // RM, _shape_of(tile)
    LEFT, RIGHT, OWN = (TK, TM + 1), (TK, TN), (RM, RN)  # one more: those of a column lie in different banks
    add = _sum_of_products(target, dtype)
    ZERO = dtype.type(0)

    def tiled(
        y, x, w, bias, rows, depth, groups, images, qh, qw, yn, yf, yh, yw, height, width, xn, xc, xh, xw,
        turn_h, turn_w, begin_h, begin_w, step_h, step_w, ka, kb, wg, wr, wk, wa, wb, bs,
    ):  # fmt: skip
        weights = cuda.shared.array(LEFT, T)
        windows = cuda.shared.array(RIGHT, T)
        sums = cuda.local.array(OWN, T)
        tid = cuda.threadIdx.x
        tx, ty = tid % ACROSS, tid // ACROSS
        tiles = (rows + TM - 1) // TM
        block = cuda.blockIdx.x
        r0 = block % tiles * TM
        g = block // tiles % groups
        c0 = block // tiles // groups * TN
        taps = ka * kb
        total = depth * taps
        columns = images * qh * qw
        # The column that this thread loads: always the same.
        column = c0 + tid % TN
        inside = column < columns
        image = column // (qh * qw)
        place = column - image * (qh * qw)
        i, j = place // qw * turn_h + begin_h, place % qw * turn_w + begin_w
        base = image * xn + g * depth * xc
        for a in range(RM):
            for b in range(RN):
                sums[a, b] = T(ZERO)
        for k0 in range(0, total, TK):
            for e in range(tid, TK * TM, THREADS):
                k, r = k0 + e % TK, r0 + e // TK
                v = T(ZERO)
                if k < total and r < rows:
                    c = k // taps
                    m = k - c * taps
                    v = w[g * wg + r * wr + c * wk + m // kb * wa + m % kb * wb]
                weights[e % TK, e // TK] = v
            for e in range(tid // TN, TK, THREADS // TN):
                k = k0 + e
                v = T(ZERO)
                if inside and k < total:
                    c = k // taps
                    m = k - c * taps
                    p, q = i + m // kb * step_h, j + m % kb * step_w
                    if p >= 0 and p < height and q >= 0 and q < width:
                        v = x[base + c * xc + p * xh + q * xw]
                windows[e, tid % TN] = v
            cuda.syncthreads()
            for k in range(TK):
                for a in range(RM):
                    v = weights[k, ty + a * DOWN]
                    for b in range(RN):
                        sums[a, b] = add(sums[a, b], v, windows[k, tx + b * ACROSS])
            cuda.syncthreads()
        for b in range(RN):
            column = c0 + tx + b * ACROSS
            if column < columns:
                image = column // (qh * qw)
                place = column - image * (qh * qw)
                to = image * yn + place // qw * yh + place % qw * yw
                for a in range(RM):
                    r = r0 + ty + a * DOWN
                    if r < rows:
                        v = sums[a, b]
                        if biased:
                            v = T(v + bias[(g * rows + r) * bs])
                        y[to + (g * rows + r) * yf] = v

    return tiled


def direct(target, dtype, biased):
    """The same, an output each thread: for few filters in a group, where tiles would be empty, or few taps."""
    cuda, T = target.cuda, target.type(dtype)
    add = _sum_of_products(target, dtype)
    ZERO = dtype.type(0)

    def direct(
        y, x, w, bias, rows, depth, groups, images, qh, qw, yn, yf, yh, yw, height, width, xn, xc, xh, xw,
        turn_h, turn_w, begin_h, begin_w, step_h, step_w, ka, kb, wg, wr, wk, wa, wb, bs,
    ):  # fmt: skip
        e = cuda.grid(1)
        plane = qh * qw
        while e < images * groups * rows * plane:
            f = e // plane
            place = e - f * plane
            image = f // (groups * rows)
            f -= image * (groups * rows)
            g = f // rows
            i, j = place // qw, place % qw
            p0, q0 = i * turn_h + begin_h, j * turn_w + begin_w
            v = T(ZERO)
            for c in range(depth):
                at = image * xn + (g * depth + c) * xc
                weights = g * wg + (f - g * rows) * wr + c * wk
                for a in range(ka):
                    p = p0 + a * step_h
                    if p >= 0 and p < height:
                        for b in range(kb):
                            q = q0 + b * step_w
                            if q >= 0 and q < width:
                                v = add(v, x[at + p * xh + q * xw], w[weights + a * wa + b * wb])
            if biased:
                v = T(v + bias[f * bs])
            y[image * yn + f * yf + i * yh + j * yw] = v
            e += cuda.gridsize(1)

    return direct


def weights_tiled(target, dtype, tile):
    """Tiles of (filters) x (taps of all channels) of a group, summed over a part of the outputs of all images; a plane for each part."""
    cuda, T = target.cuda, target.type(dtype)
    TM, TN, TK, RM, RN = tile
    ACROSS, DOWN, THREADS = TN // RN, TM // RM, _shape_of(tile)
    LEFT, RIGHT, OWN = (TK, TM + 1), (TK, TN + 1), (RM, RN)
    add = _sum_of_products(target, dtype)
    EACH = TK * TN // THREADS
    I = target.type(INT64)
    ZERO = dtype.type(0)

    def weights_tiled(
        y, x, u, rows, depth, groups, images, qh, qw, height, width, xn, xc, xh, xw, un, uf, uh, uw,
        turn_h, turn_w, begin_h, begin_w, step_h, step_w, ka, kb, parts, length,
    ):  # fmt: skip
        outputs = cuda.shared.array(LEFT, T)
        windows = cuda.shared.array(RIGHT, T)
        sums = cuda.local.array(OWN, T)
        starts = cuda.local.array(EACH, I)
        down = cuda.local.array(EACH, I)
        across = cuda.local.array(EACH, I)
        tid = cuda.threadIdx.x
        tx, ty = tid % ACROSS, tid // ACROSS
        taps = ka * kb
        columns = depth * taps
        tiles, wide = (rows + TM - 1) // TM, (columns + TN - 1) // TN
        block = cuda.blockIdx.x
        r0 = block % tiles * TM
        block //= tiles
        c0 = block % wide * TN
        block //= wide
        g = block % groups
        part = block // groups
        total = images * qh * qw
        # The columns that this thread loads are always the same.
        for e in range(EACH):
            column = c0 + tid // TK + e * (THREADS // TK)
            c = column // taps
            m = column - c * taps
            starts[e] = (g * depth + c) * xc if column < columns else -1
            down[e] = m // kb * step_h + begin_h
            across[e] = m % kb * step_w + begin_w
        for a in range(RM):
            for b in range(RN):
                sums[a, b] = T(ZERO)
        for k0 in range(part * length, min((part + 1) * length, total), TK):
            k = k0 + tid % TK
            image = k // (qh * qw)
            place = k - image * (qh * qw)
            i, j = place // qw, place % qw
            for e in range(tid // TK, TM, THREADS // TK):
                r = r0 + e
                v = T(ZERO)
                if k < total and r < rows:
                    v = u[image * un + (g * rows + r) * uf + i * uh + j * uw]
                outputs[tid % TK, e] = v
            for e in range(EACH):
                p, q = i * turn_h + down[e], j * turn_w + across[e]
                v = T(ZERO)
                if k < total and starts[e] >= 0 and p >= 0 and p < height and q >= 0 and q < width:
                    v = x[image * xn + starts[e] + p * xh + q * xw]
                windows[tid % TK, tid // TK + e * (THREADS // TK)] = v
            cuda.syncthreads()
            for k in range(TK):
                for a in range(RM):
                    v = outputs[k, ty + a * DOWN]
                    for b in range(RN):
                        sums[a, b] = add(sums[a, b], v, windows[k, tx + b * ACROSS])
            cuda.syncthreads()
        for a in range(RM):
            r = r0 + ty + a * DOWN
            for b in range(RN):
                column = c0 + tx + b * ACROSS
                if r < rows and column < columns:
                    y[((part * groups + g) * rows + r) * columns + column] = sums[a, b]

    return weights_tiled


def weights_direct(target, dtype, threads):
    """The same, a block each weight: for few filters in a group."""
    cuda, T = target.cuda, target.type(dtype)
    add = _sum_of_products(target, dtype)
    ZERO = dtype.type(0)

    def weights_direct(
        y, x, u, rows, depth, groups, images, qh, qw, height, width, xn, xc, xh, xw, un, uf, uh, uw,
        turn_h, turn_w, begin_h, begin_w, step_h, step_w, ka, kb, parts, length,
    ):  # fmt: skip
        sums = cuda.shared.array(threads, T)
        tid = cuda.threadIdx.x
        taps = ka * kb
        total = images * qh * qw
        weight = cuda.blockIdx.x
        while weight < parts * groups * rows * depth * taps:
            part = weight // (groups * rows * depth * taps)
            e = weight - part * (groups * rows * depth * taps)
            f = e // (depth * taps)
            e -= f * (depth * taps)
            c = e // taps
            m = e - c * taps
            start, down, across = (f // rows * depth + c) * xc, m // kb * step_h + begin_h, m % kb * step_w + begin_w
            v = T(ZERO)
            for k in range(part * length + tid, min((part + 1) * length, total), threads):
                image = k // (qh * qw)
                place = k - image * (qh * qw)
                i, j = place // qw, place % qw
                p, q = i * turn_h + down, j * turn_w + across
                if p >= 0 and p < height and q >= 0 and q < width:
                    v = add(v, x[image * xn + start + p * xh + q * xw], u[image * un + f * uf + i * uh + j * uw])
            sums[tid] = v
            cuda.syncthreads()
            half = threads // 2
            while half > 0:
                if tid < half:
                    sums[tid] = T(sums[tid] + sums[tid + half])
                cuda.syncthreads()
                half //= 2
            if tid == 0:
                y[weight] = sums[0]
            cuda.syncthreads()
            weight += cuda.gridDim.x

    return weights_direct


def added(target, dtype):
    """y[i] = the sum of x[part * n + i] over all parts, in order."""
    cuda, T = target.cuda, target.type(dtype)

    def added(y, x, n, parts):
        i = cuda.grid(1)
        while i < n:
            v = x[i]
            for part in range(1, parts):
                v = T(v + x[part * n + i])
            y[i] = v
            i += cuda.gridsize(1)

    return added


# ---------------------------------------------------------------------- launching


@lru_cache(1024)
def _convolving(dtype, biased, tile):
    c = code_of(dtype)
    signature = f"*{c} *{c} *{c} *{c} {_SUMS}"
    if tile is None:
        return Kernel(direct, (dtype, biased), signature, _DIRECT)
    return Kernel(tiled, (dtype, biased, tile), signature, _shape_of(tile))


@lru_cache(1024)
def _training(dtype, tile, threads):
    c = code_of(dtype)
    signature = f"*{c} *{c} *{c} {' '.join(['i8'] * 26)}"
    if tile is None:
        return Kernel(weights_direct, (dtype, threads), signature, threads)
    return Kernel(weights_tiled, (dtype, tile), signature, _shape_of(tile))


def _adding(dtype):
    return Kernel(added, (dtype,), f"*{code_of(dtype)} *{code_of(dtype)} i8 i8", 256)


def _tile(dtype, rows, depth):
    """The tile for so many filters in a group and so many numbers to sum; None: none, as for integers."""
    return None if dtype.kind in "iu" or rows < 8 or depth < 8 else _FLAT if rows <= 16 else _WIDE


def _run(y, to, x, w, at, bias, groups, rows, depth, outputs, steps, turn, begin, step, taps, strides):
    """Launch a convolution. to, steps: where its outputs lie in y. at, strides (group, row, depth, ...): where the weights do."""
    if not y.shape[0] * outputs[0] * outputs[1] * groups * rows:
        return
    columns = y.shape[0] * outputs[0] * outputs[1]
    tile = _tile(y.dtype, rows, depth * taps[0] * taps[1])
    if tile is None:
        block, grid = _DIRECT, min(-(-columns * groups * rows // _DIRECT), _MANY)
    else:
        block, grid = _shape_of(tile), -(-rows // tile[0]) * groups * -(-columns // tile[1])
    _convolving(y.dtype, bias is not None, tile).launch(
        y.driver, grid, block, to, x.address, at, y.address if bias is None else bias.address, rows, depth, groups, y.shape[0], *outputs,
        y.strides[0], y.strides[1], *steps, *x.shape[2:], *x.strides, *turn, *begin, *step, *taps, *strides,
        0 if bias is None else bias.strides[0],
    )  # fmt: skip


def _forward(x, w, bias, geometry, out):
    stride, padding, dilation, groups = geometry
    filters, depth, *kernel = w.shape
    y = empty(x.driver, (x.shape[0], filters, *out), x.dtype)
    rows = filters // groups
    strides = (rows * w.strides[0], *w.strides)
    begin = [-p for p in padding]
    _run(y, y.address, x, w, w.address, bias, groups, rows, depth, out, y.strides[2:], stride, begin, dilation, kernel, strides)
    return y


def convolved(x, w, *, geometry, out):
    """See the engine op."""
    return _forward(x, w, None, geometry, out)


def convolved_with_bias(x, w, bias, *, geometry, out):
    """See the engine op."""
    return _forward(x, w, bias, geometry, out)


@lru_cache(4096)
def phases(size, stride, padding, dilation, kernel):
    """The outputs of a transposed convolution along an axis, by remainder: what they have in common.

    (first output, number of outputs, first tap, step between taps, number of taps, the input that the first one meets by the first tap).
    The next output meets the next input, the next tap one that lies `step * dilation / stride` before.
    """
    found = []
    step = stride // gcd(stride, dilation)
    for first in range(min(stride, size)):
        # output h meets input i by tap a where h = i * stride - padding + a * dilation
        tap = next((a for a in range(min(step, kernel)) if (first + padding - a * dilation) % stride == 0), kernel)
        found.append(
            (first, len(range(first, size, stride)), tap, step, len(range(tap, kernel, step)), (first + padding - tap * dilation) // stride)
        )
    return tuple(found)


def convolved_back(x, w, *, geometry, size):
    """See the engine op."""
    stride, padding, dilation, groups = geometry
    filters, rows, *kernel = w.shape
    depth = filters // groups
    y = empty(x.driver, (x.shape[0], rows * groups, *size), x.dtype)
    down, across = (phases(*axis) for axis in zip(size, stride, padding, dilation, kernel))
    w0, w1, w2, w3 = w.strides
    for h, nh, a, da, ka, i in down:
        for v, nv, b, db, kb, j in across:
            none = ka * kb == 0
            _run(
                y, y.address + (h * y.strides[2] + v * y.strides[3]) * y.itemsize, x, w,
                w.address if none else w.address + (a * w2 + b * w3) * w.itemsize, None, groups, rows, depth, (nh, nv),
                (y.strides[2] * stride[0], y.strides[3] * stride[1]), (1, 1), (i, j),
                (-(da * dilation[0] // stride[0]), -(db * dilation[1] // stride[1])), (0, 1) if none else (ka, kb),
                (depth * w0, w1, w0, da * w2, db * w3),
            )  # fmt: skip
    return y


def _parts(total, blocks, least):
    """In how many parts a sum of `total` is cut when there are so many blocks already: so many that the device is busy."""
    return max(1, min(256 // max(blocks, 1), total // least))


def correlated(x, u, *, geometry, kernel):
    """See the engine op."""
    stride, padding, dilation, groups = geometry
    filters, depth = u.shape[1], x.shape[1] // groups
    rows, columns = filters // groups, depth * kernel[0] * kernel[1]
    y = empty(x.driver, (filters, depth, *kernel), x.dtype)
    if not y.size:
        return y
    total = u.shape[0] * u.shape[2] * u.shape[3]
    tile = _tile(x.dtype, rows, columns)
    if tile is None:
        threads = 256 if total >= 1024 else 32
        parts = _parts(total, y.size, 4096)
        grid = min(parts * y.size, _MANY)
        length = -(-total // parts)
    else:
        threads = _shape_of(tile)
        blocks = -(-rows // tile[0]) * -(-columns // tile[1]) * groups
        parts = _parts(total, blocks, 512)
        length = -(-total // (parts * tile[2])) * tile[2]
        grid = blocks * parts
    sums = y if parts == 1 else like(y, (parts, *y.shape))
    _training(x.dtype, tile, threads).launch(
        x.driver, grid, threads, sums.address, x.address, u.address, rows, depth, groups, u.shape[0], *u.shape[2:], *x.shape[2:],
        *x.strides, *u.strides, *stride, *[-p for p in padding], *dilation, *kernel, parts, length,
    )  # fmt: skip
    if parts > 1:
        _adding(x.dtype).launch(x.driver, min(-(-y.size // 256), _MANY), 256, y.address, sums.address, y.size, parts)
    return y


def every():
    """All kernels of this module."""
    for code in ("f4", "f8", "c8", "c16", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        dtype = np.dtype(code)
        for tile in (None,) if dtype.kind in "iu" else (None, _FLAT, _WIDE):
            for biased in (False, True):
                yield _convolving(dtype, biased, tile)
            for threads in (32, 256) if tile is None else (0,):
                yield _training(dtype, tile, threads)
        yield _adding(dtype)
