"""Convolution of floats, and the transposed one: tiles of outputs in registers, sliding over planes of the image.

    u[n, f, i, j] = sum over c, a, b of x[n, c, i * s - p + a * d, j * s - p + b * d] * w[f, c, a, b]

Laying out the window of each output first (im2col) copies every input once per weight. Instead, all that stride, padding, dilation and
layout ask for is done by one copy of a part of an image into the cache:

1. **Planes.** Rows and columns are told apart by their remainder modulo the stride; each pair of remainders that the weights meet has a
   plane, zeros around it, in which neighbouring outputs meet neighbouring inputs. So of each weight only an offset is left: its input of
   output (i, j) lies at `offset + i * width + j`. Outputs are made for all columns of a plane, in one flat run across its rows, and the
   few beyond the image's width (as many as the kernel is wide, less one) are dropped. Where that wastes more than the copies cost, each
   column of the weights has planes of its own, shifted, which are as wide as the output.
2. **Tiles.** MR filters by NV vectors of the run are kept in registers; each weight is one scalar that multiplies NV vectors read from the
   plane, at its offset. Weights are packed first, MR filters side by side.
3. **Bands.** Rows (and columns) of the output are cut such that the planes of all channels fit the cache; the image's parts, and where
   these are few the filters, are the tasks. Sums run over channels and weights in order: the bits do not depend on the threads.

The transposed convolution is the same with the roles of the channels exchanged. Where it strides, each remainder of an output's position
modulo the stride meets weights of its own, and is a convolution of stride 1 that writes every s-th row and column.
"""

import functools
from itertools import product

import numpy as np

from .. import build
from . import pool, simd
from .driver import address, run

CODES = {"float32": "f4", "float64": "f8"}
BAND = 1 << 18  # bytes of the planes of a task
TASKS = 8  # that there should be at least
# filters of a tile -> vectors: as many sums as there are registers for, so that there are more multiply-adds than loads.
TILES = {8: 3, 6: 4, 4: 5, 2: 8, 1: 8} if simd.BYTES == 64 else {6: 2, 4: 3, 2: 4, 1: 4}

HELPERS = '''
from numba import njit
from mtarray._kernels.cpu.simd import load_{T} as load, splat_{T} as splat, fill_{T} as fill, load_first_{T} as load_first
S = {size}
V = {vector}
L = V // S
zero = {scalar}(0)


@njit("void(int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
def clear(dst, n):
    """n zeros."""
    whole = n // L * L
    for i in range(0, whole, L):
        store(dst + i * S, fill(zero))
    store_first(dst + whole * S, fill(zero), n - whole)
'''

# A kernel of its own that the others call, since it is most of what there is to compile.
_FETCH = '''    """Planes of the channels lo..hi: element (q, c) of plane (u, v) is the image's (row0 + q * fh + u, col0 + c * fw + v), or 0
    beyond (H, W). args: image, planes, words, row0, col0, rows of the planes to fill, H, W. words: strides of channels, rows and
    columns, fh, fw, elements from plane to plane, width of a plane, number of planes, then their u and v."""
    w = i8(ld64(args + 16))
    sc, sh, sw, fh, fw, plane, wq, planes = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    row0, col0, rows, H, W = ld64(args + 24), ld64(args + 32), ld64(args + 40), ld64(args + 48), ld64(args + 56)
    step = fw * sw
    for p in range(planes):
        u = row0 + w[8 + 2 * p]
        v = col0 + w[9 + 2 * p]
        c0 = min(wq, 0 if v >= 0 else (fw - 1 - v) // fw)
        c1 = max(c0, min(wq, (W - v + fw - 1) // fw if W > v else 0))
        q0 = min(rows, 0 if u >= 0 else (fh - 1 - u) // fh)
        q1 = max(q0, min(rows, (H - u + fh - 1) // fh if H > u else 0))
        n = c1 - c0
        count = q1 - q0
        if n == wq and step == 1 and sh * fh == wq:  # as one row
            n *= count
            count = 1
        whole = n // L * L if step == 1 else 0
        for c in range(lo, hi):
            at = ld64(args + 8) + (c * planes + p) * plane * S
            clear(at, q0 * wq)
            clear(at + q1 * wq * S, (rows - q1) * wq)
            src = ld64(args) + (c * sc + (u + q0 * fh) * sh + (v + c0 * fw) * sw) * S
            at += q0 * wq * S
            for q in range(count):
                if n < wq:
                    clear(at, c0)
                    clear(at + c1 * S, wq - c1)
                to = at + c0 * S
                for i in range(0, whole, L):
                    store(to + i * S, load(src + i * S))
                if step == 1:
                    store_first(to + whole * S, load_first(src + whole * S, n - whole), n - whole)
                else:
                    i = 0
                    if step == 2:
                        while i + L < n:  # the second vector ends at the last element that is there, or before
                            store(to + i * S, evens(load(src + 2 * i * S), load(src + 2 * i * S + V)))
                            i += L
                    while i < n:
                        store_first(to + i * S, splat(src + i * step * S), 1)
                        i += 1
                src += sh * fh * S
                at += wq * S
'''

_TILES = '''
MR = {MR}
NV = {NV}


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
def tile(a, b, offsets, outer, inner, hop, c, ldc):
    """MR x NV vectors of outputs: the sums over `outer` runs, `hop` bytes apart, of `inner` weights at their offsets."""
{tile}


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
def narrow(a, b, offsets, outer, inner, hop, c, ldc):
    """The same of one vector for each filter."""
{narrow}


@njit("void(int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
def emit(src, dst, step, n, bias):
    """n outputs, `step` elements apart, with the bias at that address (0: none) added."""
    x = splat(bias) if bias != 0 else fill(zero)
    whole = n // L * L
    if step == 1:
        for i in range(0, whole, L):
            store(dst + i * S, add(load(src + i * S), x))
        if whole < n:
            store_first(dst + whole * S, add(load_first(src + whole * S, n - whole), x), n - whole)
    else:
        y = {T}(bias)[0] if bias != 0 else zero
        a = {T}(src)
        b = {T}(dst)
        for i in range(n):
            b[i * step] = a[i] + y
'''


def _tile(filters, vectors):
    rows, columns = range(filters), range(vectors)
    lines = ["    " + " = ".join(f"c{i}_{j}" for i in rows for j in columns) + " = fill(zero)"]
    lines += ["    o = i8(offsets)", "    for q in range(outer):", "        for t in range(inner):", "            at = b + o[t]"]
    lines += [f"            b{j} = load(at + {j} * V)" for j in columns]
    for i in rows:
        lines += [f"            x = splat(a + {i} * S)"]
        lines += [f"            c{i}_{j} = fma(x, b{j}, c{i}_{j})" for j in columns]
    lines += [f"            a += {filters} * S", "        b += hop"]
    for i in rows:
        lines += [f"    store(c + {j} * V, c{i}_{j})" for j in columns]
        lines += ["    c += ldc"]
    return "\n".join(lines)


_SLIDE = '''    """Tasks lo..hi of (image, group, rows, columns, filters). args: words (with the weights' offsets, then those of `fetch`),
    images, packed weights, bias or 0, output, the kernel `fetch`."""
    w = i8(ld64(args))
    groups, nrow, ncol, cuts = w[0], w[1], w[2], w[3]
    rows_of, cols_of, blocks, per, filters, channels = w[4], w[5], w[6], w[7], w[8], w[9]
    pt, pl, more, oh, ow = w[10], w[11], w[12], w[13], w[14]
    sn, on, oc, orow, ocol = w[15], w[16], w[17], w[18], w[19]
    outer, inner, hop, taps, H, W = w[20], w[21], w[22], w[23], w[24], w[25]
    offsets = ld64(args) + 26 * 8
    source = ld64(args) + (26 + inner) * 8
    z = i8(source)
    sc, fh, fw, wq = z[0], z[3], z[4], z[6]
    size = channels * z[7] * z[5]
    asked = np.empty(8, np.int64)
    what = i8(arr_ptr(asked))
    ldc = ((rows_of * wq + L - 1) // L + NV) * V
    xs = np.empty((size + NV * L) * S, np.uint8)
    rs = np.empty(MR * ldc, np.uint8)
    px, pr = arr_ptr(xs), arr_ptr(rs)
    clear(px + size * S, NV * L)
    before = -1
    for task in range(lo, hi):
        part = task // cuts
        cut = task - part * cuts
        c0 = part % ncol * cols_of
        r0 = part // ncol % nrow * rows_of
        g = part // (ncol * nrow) % groups
        n = part // (ncol * nrow * groups)
        rows = min(rows_of, oh - r0)
        cols = min(cols_of, ow - c0)
        if part != before:
            what[0] = ld64(args + 8) + (n * sn + g * channels * sc) * S
            what[1] = px
            what[2] = source
            what[3], what[4], what[5] = r0 * fh - pt, c0 * fw - pl, rows + more
            what[6], what[7] = H, W
            icall(ld64(args + 40), 0, channels, arr_ptr(asked))
            before = part
        count = (rows - 1) * wq + cols
        for block in range(cut * per, min(blocks, cut * per + per)):
            a = ld64(args + 16) + (g * blocks + block) * channels * taps * MR * S
            f = 0
            while f + (NV - 1) * L < count:
                tile(a, px + f * S, offsets, outer, inner, hop, pr + f * S, ldc)
                f += NV * L
            while f < count:
                narrow(a, px + f * S, offsets, outer, inner, hop, pr + f * S, ldc)
                f += L
            for i in range(min(MR, filters - block * MR)):
                channel = g * filters + block * MR + i
                to = ld64(args + 32) + (n * on + channel * oc + r0 * orow + c0 * ocol) * S
                bias = ld64(args + 24)
                if bias != 0:
                    bias += channel * S
                if ocol == 1 and wq == cols and orow == cols:
                    emit(pr + i * ldc, to, 1, rows * cols, bias)
                else:
                    for r in range(rows):
                        emit(pr + i * ldc + r * wq * S, to + r * orow * S, ocol, cols, bias)
    xs[0] = rs[0] = asked[0] = 0  # keeps the scratch alive: Numba frees an array after its last use that it can see
'''

_PACK = '''    """Blocks lo..hi of MR filters, weights [channel][tap][filter]; what a block lacks is 0. args: words, weights, packed.
    words: blocks and filters of a group, channels, taps, strides of filters, channels and groups, then the taps' places."""
    w = i8(ld64(args))
    blocks, filters, channels, taps, sf, sc, sg = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
    to = {T}(ld64(args + 16) + lo * channels * taps * {MR} * {size})
    k = 0
    for block in range(lo, hi):
        g = block // blocks
        f0 = (block - g * blocks) * {MR}
        wide = min({MR}, filters - f0)
        for c in range(channels):
            for t in range(taps):
                src = {T}(ld64(args + 8) + (g * sg + f0 * sf + c * sc + w[7 + t]) * {size})
                for i in range(wide):
                    to[k + i] = src[i * sf]
                for i in range(wide, {MR}):
                    to[k + i] = 0
                k += {MR}
'''


def words_of(code, **more):
    """What templates are filled with."""
    return {"T": code, "size": int(code[1]), "vector": simd.BYTES, "scalar": f"np.float{8 * int(code[1])}", **more}


@functools.cache
def fetch(code):
    """The kernel that copies parts of images into planes."""
    words = words_of(code)
    return build.kernel(f"convolution_fetch_{code}", _FETCH.format(**words), prelude=simd.PRELUDE + HELPERS.format(**words))


@functools.cache
def _slide(code, filters):
    words = words_of(code, MR=filters, NV=TILES[filters], tile=_tile(filters, TILES[filters]), narrow=_tile(filters, 1))
    prelude = simd.PRELUDE + HELPERS.format(**words) + _TILES.format(**words)
    return build.kernel(f"convolution_{code}_{filters}", _SLIDE.format(**words), prelude=prelude)


@functools.cache
def _pack(code, filters):
    return build.kernel(f"convolution_pack_{code}_{filters}", _PACK.format(**words_of(code, MR=filters)))


def tile_filters(filters):
    """Filters of a tile: such that few of the last block are empty, and a vector that is read is used often."""
    return min(TILES, key=lambda m: (-(-filters // m) * max(m * TILES[m] / 2, m / 2 + TILES[m]) / TILES[m], -m))


def met(taps):
    """The planes that weights meet, and how many rows and columns these have beyond the output."""
    used = sorted({(down[0], across[0]) for down, across, _ in taps})
    return used, (max(down[1] for down, _, _ in taps), max(across[1] for _, across, _ in taps))


def arranged(taps, factor, out, channels, size, filters):
    """The weights' places in planes that columns share, or with planes of its own for each column: whichever takes fewer cycles."""
    own = [(down, (v + q * factor, 0), place) for down, (v, q), place in taps]
    lanes = simd.BYTES // size

    def cycles(some):
        used, more = met(some)
        rows, wide = out[0] + more[0], out[1] + more[1]
        run = -(-((out[0] - 1) * wide + out[1]) // lanes)
        planes = channels * len(used) * rows * (3 + 2 * -(-wide // lanes))
        outputs = filters * (2 * run if wide == out[1] else out[0] * (14 + 2 * -(-out[1] // lanes)))
        return planes + outputs + channels * len(some) * run * max(4, filters) / 2

    return min(taps, own, key=cycles)


def bands(out, channels, planes, more, size, others, budget=BAND):
    """(rows, columns) of the outputs of one task: such that the planes of all channels fit into `budget` bytes, and there are tasks."""
    rows, cols = out
    fit = budget // (size * channels * planes)

    def area(r, c):
        return (r + more[0]) * (c + more[1])

    if area(1, cols) > fit:
        cols = min(cols, max(256, fit // (1 + more[0]) - more[1]))
        cols = -(-out[1] // -(-out[1] // cols))
    if area(rows, cols) > fit:
        rows = max(1, min(rows, fit // (cols + more[1]) - more[0]))
        rows = -(-out[0] // -(-out[0] // rows))
    tasks = others * -(-out[0] // rows) * -(-out[1] // cols)
    if tasks < TASKS and rows > 8:
        rows = max(8, -(-rows * tasks // TASKS))
        rows = -(-out[0] // -(-out[0] // rows))
        tasks = others * -(-out[0] // rows) * -(-out[1] // cols)
    if tasks < TASKS and cols > 1024:
        cols = max(1024, -(-cols * tasks // TASKS))
    return rows, cols


class Pass:
    """One convolution of images into every `steps`-th row and column of the output: everything but the addresses, settled once.

    x: shape and strides (in elements) of the images. factors: rows and columns between the planes' neighbours. before: zeros before the
    image. taps: for each weight (remainder, quotient) down and across, and its place in the weights. weights: filters and channels of a
    group, and strides of filters, channels and groups. first, out, steps: where the outputs lie, `strides` those of the result.
    """

    __slots__ = ("code", "filters", "words", "at", "tasks", "chunk", "packing", "packing_at", "packs", "packed", "offset", "kernels")

    def __init__(self, code, shape, strides, factors, before, taps, groups, filters, channels, weights, first, out, steps, to):
        size = int(code[1])
        self.code = code
        self.filters = mr = tile_filters(filters)
        taps = arranged(taps, factors[1], out, channels, size, filters)
        used, more = met(taps)
        blocks = -(-filters // mr)
        rows, cols = bands(out, channels, len(used), more, size, shape[0] * groups)
        nrow, ncol = -(-out[0] // rows), -(-out[1] // cols)
        parts = shape[0] * groups * nrow * ncol
        cuts = min(blocks, -(-TASKS // max(parts, 1)))
        per = -(-blocks // cuts)
        cuts = -(-blocks // per)
        hq, wq = rows + more[0], cols + more[1]
        plane = hq * wq
        offsets = [(used.index((d[0], a[0])) * plane + d[1] * wq + a[1]) * size for d, a, _ in taps]
        # Channels are taps as well, as far as their offsets do not crowd the cache.
        fold = max(k for k in range(1, channels + 1) if channels % k == 0 and (k * len(taps) <= 512 or k == 1))
        hop = len(used) * plane * size
        offsets = [c * hop + o for c in range(fold) for o in offsets]
        self.words = np.array(
            [
                groups, nrow, ncol, cuts, rows, cols, blocks, per, filters, channels, *before, more[0], *out, strides[0],
                to[0], to[1], to[2] * steps[0], to[3] * steps[1], channels // fold, len(offsets), fold * hop, len(taps), *shape[2:],
                *offsets, *strides[1:], *factors, plane, wq, len(used), *[n for pair in used for n in pair],
            ],
            np.int64,
        )  # fmt: skip
        self.at = address(self.words)
        self.tasks = parts * cuts
        work = mr * per * channels * len(taps) * ((rows - 1) * wq + cols)
        self.chunk = max(1, 300_000 // work)
        self.packing = np.array([blocks, filters, channels, len(taps), *weights, *[place for _, _, place in taps]], np.int64)
        self.packing_at = address(self.packing)
        self.packs = groups * blocks
        self.packed = self.packs * channels * len(taps) * mr
        self.offset = (first[0] * to[2] + first[1] * to[3]) * size
        self.kernels = None

    def __call__(self, x, w, bias, out, dtype):
        if self.kernels is None:
            self.kernels = _pack(self.code, self.filters), _slide(self.code, self.filters), fetch(self.code)
        pack, slide, copy = self.kernels
        packed = np.empty(self.packed, dtype)
        run(pack, self.packs, max(1, 50_000 * self.packs // self.packed), self.packing_at, address(w), address(packed))
        beside = 0 if bias is None else address(bias)
        run(slide, self.tasks, self.chunk, self.at, address(x), address(packed), beside, address(out) + self.offset, copy)


def filled(out, size):
    """Share of the vectors' elements that outputs are made in."""
    lanes = simd.BYTES // size
    return out[0] * out[1] / (-(-out[0] * out[1] // lanes) * lanes)


def _elements(x):
    return [s // x.itemsize for s in x.strides]


def _contiguous(shape):
    return (shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1)


class Plan:
    """A convolution, or a transposed one, of arrays of these layouts. `passes` None: too few outputs lie side by side for it."""

    __slots__ = ("passes", "shape", "dtype", "size", "zero")

    def __init__(self, passes, shape, dtype, zero=False):
        self.passes = passes
        self.shape = shape
        self.dtype = dtype
        self.size = pool.size_class(dtype.itemsize * shape[0] * shape[1] * shape[2] * shape[3])
        self.zero = zero

    def __call__(self, x, w, bias):
        out = pool.take(self.size, self.shape, self.dtype)
        if self.zero:
            out[...] = 0
        for each in self.passes:
            each(x, w, bias, out, self.dtype)
        return out


ENOUGH = 0.3  # below this share of filled vectors a matrix product of the windows is the faster way


def forward(x, w, geometry, out):
    """The plan of a convolution; None where it is not for these shapes."""
    (sh, sw), padding, (dh, dw), groups = geometry
    kh, kw = w.shape[2:]
    if filled(out, x.itemsize) < ENOUGH:
        return None
    s = _elements(w)
    filters = w.shape[0] // groups
    taps = [(divmod(a * dh, sh)[::-1], divmod(b * dw, sw)[::-1], a * s[2] + b * s[3]) for a, b in product(range(kh), range(kw))]
    shape = (x.shape[0], w.shape[0], *out)
    weights = (s[0], s[1], filters * s[0])
    only = Pass(
        CODES[x.dtype.name], x.shape, _elements(x), (sh, sw), padding, taps, groups, filters, w.shape[1], weights, (0, 0), out, (1, 1),
        _contiguous(shape),
    )  # fmt: skip
    return Plan([only], shape, x.dtype)


def backward(x, w, geometry, size):
    """The plan of a transposed convolution; None where it is not for these shapes."""
    strides, padding, dilation, groups = geometry
    shape = (x.shape[0], w.shape[1] * groups, *size)
    s = _elements(w)
    channels = w.shape[0] // groups
    weights = (s[1], s[0], channels * s[0])
    axes = []
    for n, k, st, p, d in zip(size, w.shape[2:], strides, padding, dilation):
        parts = []
        for i0 in range(min(st, n)):
            # Output i0 + r * st meets input r + shift of tap a, where that is whole.
            shifts = [(a, (i0 + p - a * d) // st) for a in range(k) if (i0 + p - a * d) % st == 0]
            if shifts:
                lowest = min(shift for _, shift in shifts)
                parts.append((i0, -(-(n - i0) // st), -lowest, [(a, (0, shift - lowest)) for a, shift in shifts]))
        axes.append(parts)
    passes = []
    covered = 0
    for (i0, rows, before, downs), (j0, cols, left, acrosses) in product(*axes):
        if filled((rows, cols), x.itemsize) < ENOUGH:
            return None
        taps = [(down, across, a * s[2] + b * s[3]) for a, down in downs for b, across in acrosses]
        passes.append(
            Pass(
                CODES[x.dtype.name], x.shape, _elements(x), (1, 1), (before, left), taps, groups, w.shape[1], channels, weights, (i0, j0),
                (rows, cols), strides, _contiguous(shape),
            )
        )  # fmt: skip
        covered += rows * cols
    return Plan(passes, shape, x.dtype, zero=covered < size[0] * size[1])


_plans = {}


def plan(maker, x, w, geometry, size):
    """The plan for arrays of these layouts, remembered; None where there is none."""
    key = (maker, x.dtype, x.shape, x.strides, w.shape, w.strides, geometry, size)
    try:
        return _plans[key]
    except KeyError:
        if len(_plans) >= 4096:
            _plans.clear()
        made = _plans[key] = maker(x, w, geometry, size)
        return made


def convolved(x, w, bias, geometry, out):
    """The convolution of float images by weights, or None where `plain` is the better one."""
    made = plan(forward, x, w, geometry, out)
    return None if made is None else made(x, w, bias if bias is None or bias.strides[0] == bias.itemsize else bias.copy())


def convolved_back(x, w, geometry, size):
    """The transposed convolution of float images by weights, or None where `plain` is the better one."""
    made = plan(backward, x, w, geometry, size)
    return None if made is None else made(x, w, None)
