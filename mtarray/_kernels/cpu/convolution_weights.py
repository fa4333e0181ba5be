"""What trains the weights of a convolution: for each weight, the products of the inputs and outputs between which it stands, summed.

    h[f, c, a, b] = sum over n, i, j of x[n, c, i * s - p + a * d, j * s - p + b * d] * u[n, f, i, j]

With the planes of convolution.py the weight's inputs lie beside each other as the outputs do, an offset apart. So a tile is MR filters by
NR weights, each a vector of partial sums over a flat run of positions: MR vectors of u and NR of the planes for MR * NR multiply-adds. u is
copied into rows as wide as the planes' first, with zeros where these have columns that the output lacks.

Tasks are slabs of images by parts of the channels, whose partial sums stay in the cache. Slabs depend on the shapes alone and are added in
order. Beyond the output's columns a zero of u meets whatever lies in the plane: so where the result is not finite it is not told here,
and the caller asks the plain form, which meets nothing but what belongs together.
"""

import functools
from itertools import product

import numpy as np

from .. import build
from . import simd
from .convolution import BAND, CODES, ENOUGH, HELPERS, _elements, arranged, bands, fetch, filled, met, plan, words_of
from .driver import address, run

SUMS = 1 << 18  # bytes of the partial sums of a task
# filters of a tile -> weights
TILES = {6: 4, 4: 6, 2: 10, 1: 14} if simd.BYTES == 64 else {4: 2, 2: 4, 1: 7}

_TILE = '''
MR = {MR}
NR = {NR}


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
def tile(u, filter, uhop, x, xhop, offsets, images, length, sums):
    """Adds to MR x NR vectors of sums, over so many images of `length` bytes of positions."""
{tile}
'''

_BODY = '''    """Tasks lo..hi of (slab, group, part of the channels). args: words (with the offsets of a part's weights, then those of
    `fetch` for x and for u), x, u, results of the slabs, the kernel `fetch`."""
    w = i8(ld64(args))
    groups, nrow, ncol, slabs, units, batch, parts, per = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    filters, channels, taps, pt, pl, more, oh, ow = w[8], w[9], w[10], w[11], w[12], w[13], w[14], w[15]
    rows_of, cols_of, sn, un, kblocks, there, H, W = w[16], w[17], w[18], w[19], w[20], w[21], w[22], w[23]
    offsets = ld64(args) + 24 * 8
    beside = ld64(args) + (24 + kblocks * NR) * 8
    source = beside + 10 * 8
    x, u = i8(source), i8(beside)
    sc, fh, fw = x[0], x[3], x[4]
    uc, uh, length = u[0], u[1], u[5]  # length: positions, whole vectors
    fblocks = (filters + MR - 1) // MR
    xsize = per * x[7] * x[5]
    usize = 0 if there else fblocks * MR * length  # where u lies as it should, it is read where it is
    # A run may begin at any offset: behind the last plane lie a few zeros more.
    xs = np.empty((batch * xsize + length + L) * S, np.uint8)
    us = np.empty(batch * usize * S + V, np.uint8)
    ss = np.empty(fblocks * kblocks * MR * NR * V, np.uint8)
    asked = np.empty(8, np.int64)
    px, pu, ps, what = arr_ptr(xs), arr_ptr(us), arr_ptr(ss), i8(arr_ptr(asked))
    clear(px, batch * xsize + length + L)
    clear(pu, batch * usize)
    for task in range(lo, hi):
        part = task % parts
        g = task // parts % groups
        slab = task // (parts * groups)
        c0 = part * per
        wide = min(per, channels - c0)
        clear(ps, fblocks * kblocks * MR * NR * L)
        unit = units * slab // slabs
        stop = units * (slab + 1) // slabs
        while unit < stop:
            images = min(batch, stop - unit)
            at = ld64(args + 16) + (unit // nrow * un + g * filters * uc + unit % nrow * rows_of * uh) * S
            first, filter, image = (at, uc * S, un * S) if there else (pu, length * S, usize * S)
            for k in range(images):
                j0 = unit % ncol * cols_of
                i0 = unit // ncol % nrow * rows_of
                n = unit // (ncol * nrow)
                unit += 1
                what[0] = ld64(args + 8) + (n * sn + (g * channels + c0) * sc) * S
                what[1] = px + k * xsize * S
                what[2] = source
                what[3], what[4], what[5] = i0 * fh - pt, j0 * fw - pl, rows_of + more
                what[6], what[7] = H, W
                icall(ld64(args + 32), 0, wide, arr_ptr(asked))
                if not there:
                    what[0] = ld64(args + 16) + (n * un + g * filters * uc) * S
                    what[1] = pu + k * usize * S
                    what[2] = beside
                    what[3], what[4], what[5] = i0, j0, rows_of
                    what[6], what[7] = min(oh, i0 + rows_of), min(ow, j0 + cols_of)
                    icall(ld64(args + 32), 0, filters, arr_ptr(asked))
            for f in range(fblocks):
                for k in range(kblocks):
                    sums = ps + (f * kblocks + k) * MR * NR * V
                    tile(first + f * MR * filter, filter, image, px, xsize * S, offsets + k * NR * 8, images, length * S, sums)
        result = {T}(ld64(args + 24) + ((slab * groups + g) * filters * channels + c0) * taps * S)
        for f in range(filters):
            for k in range(wide * taps):
                sums = ps + ((f // MR * kblocks + k // NR) * MR * NR + f % MR * NR + k % NR) * V
                result[f * channels * taps + k] = total(load(sums))
    xs[0] = us[0] = ss[0] = asked[0] = 0  # keeps the scratch alive: Numba frees an array after its last use that it can see
'''


def _tile(filters, weights):
    rows, columns = range(filters), range(weights)
    lines = [f"    c{i}_{j} = load(sums + {i * weights + j} * V)" for i in rows for j in columns]
    lines += ["    o = i8(offsets)"]
    lines += [f"    o{j} = x + o[{j}]" for j in columns]
    lines += ["    for image in range(images):", "        for p in range(0, length, V):"]
    lines += [f"            u{i} = load(u + {i} * filter + p)" for i in rows]
    for j in columns:
        lines += [f"            y = load(o{j} + p)"]
        lines += [f"            c{i}_{j} = fma(u{i}, y, c{i}_{j})" for i in rows]
    lines += ["        u += uhop"]
    lines += [f"        o{j} += xhop" for j in columns]
    lines += [f"    store(sums + {i * weights + j} * V, c{i}_{j})" for i in rows for j in columns]
    return "\n".join(lines)


@functools.cache
def _kernel(code, filters):
    words = words_of(code, MR=filters, NR=TILES[filters], tile=_tile(filters, TILES[filters]))
    prelude = simd.PRELUDE + HELPERS.format(**words) + _TILE.format(**words)
    return build.kernel(f"convolution_weights_{code}_{filters}", _BODY.format(**words), prelude=prelude)


class Plan:
    """The sums for arrays of these layouts, settled but for the addresses."""

    __slots__ = ("code", "filters", "words", "at", "tasks", "chunk", "slabs", "shape", "kernel")

    def __init__(self, x, u, geometry, kernel):
        (sh, sw), padding, (dh, dw), groups = geometry
        size = x.itemsize
        self.code = CODES[x.dtype.name]
        out = u.shape[2:]
        filters, channels = u.shape[1] // groups, x.shape[1] // groups
        self.filters = mr = min(TILES, key=lambda m: (-(-filters // m) * max(m * TILES[m] / 2, m / 2 + TILES[m]) / TILES[m], -m))
        nr = TILES[mr]
        taps = [(divmod(a * dh, sh)[::-1], divmod(b * dw, sw)[::-1], 0) for a, b in product(range(kernel[0]), range(kernel[1]))]
        taps = arranged(taps, sw, out, channels, size, filters)
        used, more = met(taps)
        fblocks = -(-filters // mr)
        per = max(1, min(channels, SUMS // (fblocks * mr * len(taps) * simd.BYTES)))
        parts = -(-channels // per)
        per = -(-channels // parts)
        rows, cols = bands(out, per, len(used), more, size, x.shape[0] * groups)
        nrow, ncol = -(-out[0] // rows), -(-out[1] // cols)
        units = x.shape[0] * nrow * ncol
        work = units * filters * per * len(taps) * rows * cols
        self.slabs = max(1, min(units, -(-16 // (groups * parts)), work * groups * parts // 200_000))
        self.tasks = self.slabs * groups * parts
        self.chunk = max(1, 300_000 * self.slabs // max(work, 1))
        hq, wq = rows + more[0], cols + more[1]
        plane = hq * wq
        lanes = simd.BYTES // size
        strides, to = _elements(x), _elements(u)
        there = (
            to[3] == 1 and to[2] == cols == cols + more[1] and ncol == 1 and out[0] % rows == 0 and rows * cols % lanes == 0
            and filters % mr == 0
        )  # fmt: skip
        length = -(-rows * wq // lanes) * lanes
        unit = size * (per * len(used) * plane + fblocks * mr * length)
        batch = max(1, min(16, -(-units // self.slabs), BAND // unit)) if nrow == 1 or not there else 1
        kblocks = -(-per * len(taps) // nr)
        offsets = [(used.index((d[0], a[0])) * plane + d[1] * wq + a[1]) * size for d, a, _ in taps]
        offsets = [c * len(used) * plane * size + o for c in range(per) for o in offsets]
        offsets += [0] * (kblocks * nr - len(offsets))
        self.words = np.array(
            [
                groups, nrow, ncol, self.slabs, units, batch, parts, per, filters, channels, len(taps), *padding, more[0], *out, rows, cols,
                strides[0], to[0], kblocks, there, *x.shape[2:], *offsets,
                *to[1:], 1, 1, length, wq, 1, 0, 0,
                *strides[1:], sh, sw, plane, wq, len(used), *[n for pair in used for n in pair],
            ],
            np.int64,
        )  # fmt: skip
        self.at = address(self.words)
        self.shape = (u.shape[1], channels, *kernel)
        self.kernel = None

    def __call__(self, x, u):
        if self.kernel is None:
            self.kernel = _kernel(self.code, self.filters)
        sums = np.empty((self.slabs, *self.shape), x.dtype)
        run(self.kernel, self.tasks, self.chunk, self.at, address(x), address(u), address(sums), fetch(self.code))
        result = sums[0] if self.slabs == 1 else np.add.reduce(sums, axis=0)
        return result if np.isfinite(np.add.reduce(result, axis=None)) else None


def _plan(x, u, geometry, kernel):
    return Plan(x, u, geometry, kernel) if filled(u.shape[2:], x.itemsize) >= ENOUGH else None


def correlated(x, u, geometry, kernel):
    """The sums for float images and outputs, or None where `plain` has to serve: too few positions, or a result that is not finite."""
    made = plan(_plan, x, u, geometry, kernel)
    return None if made is None else made(x, u)
