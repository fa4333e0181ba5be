"""Normalisation to mean 0 and variance 1 (or mean square 1) over parts of an array, with scales and shifts, and its cotangents.

What is normalised together is an *item*: `segments` runs of contiguous elements, so that one kernel serves rows (layer norm), groups of
channels (group norm) and channels over a batch (batch norm). An item is read several times, but from memory once where it fits a cache.
Mean and variance are found as in `moments`: float32 is differenced around a mean known in float64. Scales are one for each element of an
item ("vector") or one for each segment or item ("scalar"). The cotangents of the vector kind are summed over the rows of a chunk in the
arrays' dtype, 64 rows at a time, and in float64 above; chunks follow from sizes, so the sums have the same bits on any number of threads.
"""

from functools import lru_cache

import numpy as np

from .. import build
from . import copying, pool, rowwise
from .driver import address, run

_CHUNK = 1 << 15  # elements
_SUMMED = 1 << 16  # elements where each chunk has sums of its own
_SHORT = 16  # elements of a segment below which channels are brought together by a copy

_HELPERS = """
@njit(forceinline=True, error_model="numpy", fastmath={{"reassoc"}})
def _spread(x, near, lo, hi):
    squares = {cast}(0); off = {cast}(0)
    for i in range(lo, hi):
        d = x[i] - near
        squares += d * d; off += d
    return squares, off


@njit(nogil=True, error_model="numpy")
def spread(x, near, n):
    '''Sums of squared distances from `near` and of distances, in float64.'''
    squares = 0.0; off = 0.0
    for q in range(0, n, 512):
        s, o = _spread(x, near, q, min(n, q + 512))
        squares += s; off += o
    return squares, off


@njit(forceinline=True, error_model="numpy", fastmath={{"reassoc"}})
def _moments(g, x, near, lo, hi):
    t = {cast}(0); u = {cast}(0)
    for i in range(lo, hi):
        t += g[i]; u += g[i] * (x[i] - near)
    return t, u


@njit(nogil=True, error_model="numpy")
def moments(g, x, near, n):
    '''Sums of g and of g (x - near), in float64.'''
    t = 0.0; u = 0.0
    for q in range(0, n, 512):
        a, b = _moments(g, x, near, q, min(n, q + 512))
        t += a; u += b
    return t, u


@njit(forceinline=True, error_model="numpy", fastmath={{"reassoc"}})
def _weighted(g, x, w, near, lo, hi):
    t = {cast}(0); u = {cast}(0)
    for i in range(lo, hi):
        v = g[i] * w[i]
        t += v; u += v * (x[i] - near)
    return t, u


@njit(nogil=True, error_model="numpy")
def weighted(g, x, w, near, n):
    '''`moments` of g w.'''
    t = 0.0; u = 0.0
    for q in range(0, n, 512):
        a, b = _weighted(g, x, w, near, q, min(n, q + 512))
        t += a; u += b
    return t, u


"""
# words: segments, their length, items of an outer run, bytes between outer runs, items and segments, epsilon, groups, scales of an item,
# scales from segment to segment, rows of a chunk
_HEAD = """    q = i8(ld64(args)); segments = q[0]; n = q[1]; inner = q[2]; hop = q[3]; step = q[4]; leap = q[5]
    eps = f8(ld64(args) + 48)[0]; groups = q[7]; own = q[8]; ws = q[9]; size = segments * n
"""
_STATISTICS = """        base = r // inner * hop + r % inner * step
{mean}        squares = 0.0; off = 0.0
        for s in range(segments):
            v1, v2 = spread({p}(xb + base + s * leap), near, n)
            squares += v1; off += v2
{apart}        scale = 1.0 / np.sqrt(variance + eps)
"""
_CENTRED = {
    "mean": """        total = 0.0
        for s in range(segments): total += row_sum(xb + base + s * leap, n)
        near = {cast}(total / size)
""",
    "apart": """        apart = off / size; variance = max(squares / size - apart * apart, 0.0) if off == off else off
""",
}
_PLAIN = {
    "mean": """        near = {cast}(0)
""",
    "apart": """        apart = 0.0; variance = squares / size
""",
}
# args: words, x, result, scales, shifts, means, variances
_FORWARD = """    xb = ld64(args + 8); ob = ld64(args + 16); wb = ld64(args + 24); bb = ld64(args + 32)
    means = ld64(args + 40); spreads = ld64(args + 48)
    for r in range(lo, hi):
{statistics}        if means:
            {p}(means)[r] = {cast}(near + apart); {p}(spreads)[r] = {cast}(variance)
        d = {cast}(apart); c = {cast}(scale)
        for s in range(segments):
            x = {p}(xb + base + s * leap); out = {p}(ob + base + s * leap)
{write}"""
_WRITE = {
    "vector": """            w = {p}(wb); b = {p}(bb)
            if bb:
                for i in range(n): out[i] = ((x[i] - near) - d) * c * w[i] + b[i]
            else:
                for i in range(n): out[i] = ((x[i] - near) - d) * c * w[i]""",
    "scalar": """            at = r % groups * own + s * ws
            k = c * {p}(wb)[at] if wb else c
            b = {p}(bb)[at] if bb else {cast}(0)
            for i in range(n): out[i] = ((x[i] - near) - d) * k + b""",
}
# args: words, g, x, cotangent of x, scales, cotangents of scales and shifts (float64)
_BACK = """    gb = ld64(args + 8); xb = ld64(args + 16); ob = ld64(args + 24); wb = ld64(args + 32); pb = ld64(args + 40); rows = q[10]
{before}    for r in range(lo, hi):
{statistics}        t = 0.0; u = 0.0
{sums}        # u is the sum of w g (x - mean) / deviation
        u = (u - t * apart) * scale
        c = {cast}(scale); d = {cast}(near + apart); a = {cast}({centre}); z = {cast}(u / size * scale)
{write}{after}"""
_SUMS = {
    "vector": "        t, u = weighted({p}(gb + base), {p}(xb + base), {p}(wb), near, n)\n",
    "scalar": """        for s in range(segments):
            at = r % groups * own + s * ws
            v1, v2 = moments({p}(gb + base + s * leap), {p}(xb + base + s * leap), near, n)
            if wb:
                k = np.float64({p}(wb)[at])
                t += k * v1; u += k * v2
                if pb:
                    to = f8(pb)
                    at = 2 * (r // groups * groups * own + at)
                    if s == 0 or ws:
                        to[at] = 0.0; to[at + 1] = 0.0
                    to[at] += v1; to[at + 1] += (v2 - v1 * apart) * scale
            else:
                t += v1; u += v2
""",
}
_BACK_WRITE = {
    "vector": """        g = {p}(gb + base); x = {p}(xb + base); w = {p}(wb); out = {p}(ob + base)
        for i in range(n): out[i] = c * (g[i] * w[i] - a - (x[i] - d) * z)
        if pb:
            for i in range(n):
                by_shift[i] += g[i]; by_scale[i] += g[i] * ((x[i] - d) * c)
            if (r - lo) % 64 == 63 or r == hi - 1:
                for i in range(n):
                    shifts[i] += by_shift[i]; by_shift[i] = {cast}(0)
                for i in range(n):
                    scales[i] += by_scale[i]; by_scale[i] = {cast}(0)
""",
    "scalar": """        for s in range(segments):
            k = {p}(wb)[r % groups * own + s * ws] if wb else {cast}(1)
            g = {p}(gb + base + s * leap); x = {p}(xb + base + s * leap); out = {p}(ob + base + s * leap)
            for i in range(n): out[i] = c * (g[i] * k - a - (x[i] - d) * z)
""",
}
_BEFORE = {
    "vector": """    memory = np.zeros(2 * n, {cast}); by_shift = {p}(arr_ptr(memory)); by_scale = {p}(arr_ptr(memory) + n * {size})
    shifts = f8(pb + lo // rows * 2 * n * 8); scales = f8(pb + (lo // rows * 2 + 1) * n * 8)
    if pb:
        for i in range(2 * n): shifts[i] = 0.0
""",
    "scalar": "",
}
_AFTER = {"vector": "    memory[0] = 0  # keeps it alive: Numba frees an array after its last use that it can see", "scalar": ""}


@lru_cache(maxsize=32)
def _kernel(back, kind, centred, dtype):
    words = {"p": f"f{dtype.itemsize}", "size": dtype.itemsize, "cast": f"np.float{8 * dtype.itemsize}"}
    parts = {k: v.format(**words) for k, v in (_CENTRED if centred else _PLAIN).items()}
    words["statistics"] = _STATISTICS.format(**words, **parts)
    words["centre"] = "t / size" if centred else "0.0"
    if back:
        texts = {"before": _BEFORE[kind], "sums": _SUMS[kind], "write": _BACK_WRITE[kind], "after": _AFTER[kind]}
    else:
        texts = {"write": _WRITE[kind]}
    body = (_BACK if back else _FORWARD).format(**words, **{k: v.format(**words) for k, v in texts.items()})
    name = f"normalise{'_back' if back else ''}_{kind}{'' if centred else '_plain'}_{dtype.char}"
    return build.kernel(name, (_HEAD + body).rstrip("\n"), rowwise.prelude(dtype) + _HELPERS.format(**words))


class Items:
    """How the items of an array of this shape lie, and which scales are theirs.

    form: ("layer", n): every n elements, with n scales; ("group", k): of (batch, channels, ...) k groups of channels, ("batch", 1):
    channels over the batch; both with a scale for each channel.
    """

    __slots__ = ("count", "kind", "words", "chunk", "at", "partials", "turned", "shape", "size")

    def __init__(self, form, shape, itemsize, eps, weighted):
        name, k = form
        self.turned = None
        self.kind = "scalar"
        size = int(np.prod(shape))
        if name == "layer":
            self.count, self.kind = size // k, "vector" if weighted else "scalar"
            words = [1, k, 1, k * itemsize, 0, 0, 0, 1, 0, 0]
        else:
            batch, channels = shape[:2]
            length = size // (batch * channels)
            if name == "group":
                each = channels // k
                self.count = batch * k
                words = [each, length, 1, each * length * itemsize, 0, length * itemsize, 0, k, each, 1]
            elif length < _SHORT:
                self.turned = batch, channels, length
                self.count = channels
                words = [1, batch * length, 1, batch * length * itemsize, 0, 0, 0, channels, 1, 0]
            else:
                self.count = channels
                words = [batch, length, channels, 0, length * itemsize, channels * length * itemsize, 0, channels, 1, 0]
        self.chunk = rowwise.chunk(self.count, words[0] * words[1], _SUMMED if self.kind == "vector" else _CHUNK)
        self.shape = shape
        self.size = pool.size_class(size * itemsize)
        self.words = np.array([*words, self.chunk], np.int64)
        self.words[6:7].view(np.float64)[0] = eps
        self.at = address(self.words)
        chunks = -(-self.count // self.chunk)
        self.partials = (chunks, 2, k) if self.kind == "vector" else (self.count // words[7], words[7] * words[8] or 1, 2)

    def lay(self, x):
        """`x` as the kernels read it."""
        if self.turned is None:
            return x if x.flags.c_contiguous else np.ascontiguousarray(x)
        return copying.convert(x.reshape(self.turned).transpose(1, 0, 2), x.dtype)

    def restore(self, x):
        """A result as it is wanted."""
        if self.turned is None:
            return x
        batch, channels, length = self.turned
        return copying.convert(x.reshape(channels, batch, length).transpose(1, 0, 2), x.dtype).reshape(self.shape)


@lru_cache(maxsize=1024)
def items(form, shape, itemsize, eps, weighted):
    """The Items, remembered."""
    return Items(form, shape, itemsize, eps, weighted)


def forward(form, x, weight, bias, eps, centred, statistics):
    """The normalised array; with `statistics` also means and (uncorrected) variances of the items.

    x: an ndarray of one real floating dtype, not empty, as are weight and bias, contiguous vectors or None (a bias only with a weight).
    """
    at = items(form, x.shape, x.itemsize, eps, weight is not None)
    x = at.lay(x)
    out = pool.take(at.size, x.shape, x.dtype)
    means = spreads = None
    if statistics:
        means, spreads = np.empty(at.count, x.dtype), np.empty(at.count, x.dtype)
    fn = _kernel(False, at.kind, centred, x.dtype)
    run(fn, at.count, at.chunk, at.at, address(x), address(out), _at(weight), _at(bias), _at(means), _at(spreads))
    out = at.restore(out)
    return (out, means, spreads) if statistics else out


def back(form, g, x, weight, eps, centred, by_scales):
    """Cotangents of x, and with `by_scales` of the scales and of the shifts, from that of the result."""
    at = items(form, x.shape, x.itemsize, eps, weight is not None)
    g, x = at.lay(g), at.lay(x)
    out = pool.take(at.size, x.shape, x.dtype)
    by_scales = by_scales and weight is not None
    partials = pool.empty(at.partials, np.dtype(np.float64)) if by_scales else None
    fn = _kernel(True, at.kind, centred, x.dtype)
    run(fn, at.count, at.chunk, at.at, address(g), address(x), address(out), _at(weight), _at(partials))
    out = at.restore(out)
    if not by_scales:
        return out, None, None
    total = partials[0] if len(partials) == 1 else np.add.reduce(partials, axis=0)
    by_shift, by_scale = (total[0], total[1]) if at.kind == "vector" else (total[:, 0], total[:, 1])
    return out, by_scale.astype(x.dtype), by_shift.astype(x.dtype)


def _at(x):
    return 0 if x is None else address(x)
