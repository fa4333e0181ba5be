"""Normalisation to mean 0 and variance 1 (or mean square 1) over parts of a tensor, with scales and shifts, and its cotangents.

What is normalised together is an *item*. Items that lie in one piece and fit the registers of a warp or a block (layer norm, group norm)
are read once and written once. For all others a fold gives means and variances, and a second kernel applies them. Elements come in *runs*
of one channel, whose scale and shift are theirs; in layer norm, where a run is an item, each of its elements has its own ("vector").
"""

import math
from functools import lru_cache

import numpy as np

from mtarray._kernels.source import Scalar

from . import folding
from .folding import BLOCK, Kind, Launch, contiguous
from .kernel import Kernel, code_of
from .moments import functions as moments
from .moments import parts_of
from .reduce import fold
from .softmax import HELD, adding, everywhere
from .tensor import like

FLOAT64 = np.dtype(np.float64)
PIECE = 8  # elements of a thread where a block takes a piece of a run
STRIP = 64  # rows that a thread sums for one column


def _root(x):
    return math.sqrt(x)


ROOT = Scalar(_root)
# What is known of an item: mean, 1 / sqrt(variance + epsilon); of cotangents their mean, and their mean product with the result, scaled.
_KNOWN = 4


@lru_cache(maxsize=1024)
class _Form:
    """How the elements of a shape lie: `count` items of `size`; runs of `length`; which item and which channel a run belongs to.

    form: ("layer", n): every n elements, with n scales; ("group", k): of (batch, channels, ...) k groups of channels, ("batch", 1):
    channels over the batch; both with a scale for each channel.
    """

    def __init__(self, form, shape):
        name, k = form
        total = math.prod(shape)
        self.vector, self.together = name == "layer", name != "batch"  # together: `each` runs side by side are an item
        self.batch, self.channels, self.each = (total // k, 1, 1) if self.vector else (*shape[:2], shape[1] // k)
        self.length = total // (self.batch * self.channels)
        self.runs = self.batch * self.channels
        self.size = self.length * (self.each if self.together else self.batch)
        self.count = total // self.size
        self.total = total


# ---------------------------------------------------------------------- items in registers


def _item(target, lanes, each, centred):
    """(elements of a thread, how many it has, size, epsilon, t, shared) -> (mean, variance, scale) of an item, in float64."""
    F, root = target.type(FLOAT64), target.function(ROOT, (FLOAT64,))
    total = everywhere(target, FLOAT64, lanes, adding(target, FLOAT64))
    zero, one = F(0), F(1)

    def item(v, own, size, eps, t, shared):
        mean, squares = zero, zero
        if centred:
            for k in range(each):
                if k < own:
                    mean = F(mean + F(v[k]))
            mean = F(total(mean, t, shared) / F(size))
        for k in range(each):
            if k < own:
                d = F(F(v[k]) - mean)
                squares = F(squares + d * d)
        variance = F(total(squares, t, shared) / F(size))
        return mean, variance, F(one / root(F(variance + eps)))

    return target.device(item)


def normalise_short(target, dtype, lanes, each, centred, vector, scales, shifts, statistics):
    """Items of at most lanes * each elements in one piece, and with `statistics` their means and variances."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    item = _item(target, lanes, each, centred)

    def normalise(x, weight, bias, out, means, variances, count, size, length, channels, eps):
        shared = cuda.shared.array(32, F)
        v = cuda.local.array(each, T)
        t = cuda.threadIdx.x
        lane = t % lanes
        i = cuda.blockIdx.x * (cuda.blockDim.x // lanes) + t // lanes
        mine = i < count
        at = (i if mine else count - 1) * size
        for k in range(each):
            j = lane + k * lanes
            v[k] = x[at + (j if j < size else size - 1)]
        mean, variance, scale = item(v, (size - lane + lanes - 1) // lanes, size, eps, t, shared)
        if statistics and mine and lane == 0:
            means[i] = T(mean)
            variances[i] = T(variance)
        near, c = T(mean), T(scale)
        apart = T(mean - F(near))
        for k in range(each):
            j = lane + k * lanes
            if mine and j < size:
                r = T(T(T(v[k] - near) - apart) * c)
                if scales:
                    channel = j if vector else (at + j) // length % channels
                    r = T(r * weight[channel])
                    if shifts:
                        r = T(r + bias[channel])
                out[at + j] = r

    return normalise


def back_short(target, dtype, lanes, each, centred, vector, scales):
    """The cotangent of x for items of at most lanes * each elements in one piece; their means and scales become known."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    item = _item(target, lanes, each, centred)
    total = everywhere(target, FLOAT64, lanes, adding(target, FLOAT64))
    zero = F(0)

    def back(g, x, weight, out, known, count, size, length, channels, eps):
        shared = cuda.shared.array(32, F)
        v, h = cuda.local.array(each, T), cuda.local.array(each, T)
        t = cuda.threadIdx.x
        lane = t % lanes
        i = cuda.blockIdx.x * (cuda.blockDim.x // lanes) + t // lanes
        mine = i < count
        at = (i if mine else count - 1) * size
        for k in range(each):
            j = lane + k * lanes
            j = j if j < size else size - 1
            v[k] = x[at + j]
            h[k] = g[at + j]
        own = (size - lane + lanes - 1) // lanes
        mean, _, scale = item(v, own, size, eps, t, shared)
        sums, products = zero, zero
        for k in range(each):
            if k < own:
                if scales:
                    j = lane + k * lanes
                    h[k] = T(h[k] * weight[j if vector else (at + j) // length % channels])
                sums = F(sums + F(h[k]))
                products = F(products + F(h[k]) * F(F(v[k]) - mean))
        products = F(total(products, t, shared) * scale)
        if centred:
            sums = total(sums, t, shared)
        else:
            sums = zero
        if mine and lane == 0:
            known[4 * i] = mean
            known[4 * i + 1] = scale
        near, c = T(mean), T(scale)
        a, z = T(sums / F(size)), T(products / F(size) * scale)
        for k in range(each):
            j = lane + k * lanes
            if mine and j < size:
                out[at + j] = T(c * T(T(h[k] - a) - T(T(v[k] - near) * z)))

    return back


# ---------------------------------------------------------------------- all others: what is known of items, then what it is applied to


def _statistics(target, x, centred, deep=8):
    """`Functions` of the mean and the variance; not centred: of 0 and the mean square."""
    F = target.type(FLOAT64)

    def finish(out, z, s, times, given, origin):
        mean, variance = F(s[1] + F(origin)), F(s[2] / given)
        if not centred:
            variance = F(variance + mean * mean)
            mean = F(0)
        out[4 * z] = mean
        out[4 * z + 1] = variance

    return moments(target, x, FLOAT64, deep, target.device(finish))


def statistics_rows(target, x, centred, lanes, walk, deep):
    return folding.rows(target, _statistics(target, x, centred, deep), lanes, walk, deep)


def statistics_columns(target, x, centred, across, lanes, walk, deep):
    return folding.columns(target, _statistics(target, x, centred, deep), across, lanes, walk, deep)


def statistics_leaves(target, x, centred, across, lanes):
    return folding.leaves(target, _statistics(target, x, centred), across, lanes)


_STATISTICS = statistics_rows, statistics_columns, statistics_leaves


def scales_of_items(target, dtype, statistics):
    """The variance of each item becomes its scale; `statistics`: means and variances are wanted too."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    root, one = target.function(ROOT, (FLOAT64,)), F(1)

    def scales(known, means, variances, count, eps):
        i = cuda.grid(1)
        if i < count:
            variance = known[4 * i + 1]
            if statistics:
                means[i] = T(known[4 * i])
                variances[i] = T(variance)
            known[4 * i + 1] = F(one / root(F(variance + eps)))

    return scales


def _of_run(target, together):
    """(run, runs of an item, channels) -> its item."""

    def item_of(r, each, channels):
        return r // each if together else r % channels

    return target.device(item_of)


def apply_to_runs(target, dtype, together, vector, back, scales, shifts):
    """The elements less mean, times scale; or (back) their cotangents. A block takes a piece of a run."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)
    item_of = _of_run(target, together)

    def apply(g, x, weight, bias, out, known, runs, length, channels, each, pieces):
        b, t = cuda.blockIdx.x, cuda.threadIdx.x
        r = (b // pieces) * cuda.blockDim.y + cuda.threadIdx.y
        if r < runs:
            i = item_of(r, each, channels)
            mean = known[4 * i]
            near, c = T(mean), T(known[4 * i + 1])
            apart = T(mean - F(near))
            w, shift, a, z = T(1), T(0), T(0), T(0)
            if back:
                a, z = T(known[4 * i + 2]), T(known[4 * i + 3])
            if scales and not vector:
                w = weight[r % channels]
                if shifts:
                    shift = bias[r % channels]
            j = (b % pieces) * PIECE * cuda.blockDim.x + t
            for _ in range(PIECE):
                if j < length:
                    p = r * length + j
                    if vector and scales:
                        w = weight[j]
                        if shifts:
                            shift = bias[j]
                    if back:
                        out[p] = T(c * T(T(T(g[p] * w) - a) - T(T(x[p] - near) * z)))
                    else:
                        v = T(T(T(x[p] - near) - apart) * c)
                        if scales:
                            v = T(v * w)
                        if shifts:
                            v = T(v + shift)
                        out[p] = v
                j += cuda.blockDim.x

    return apply


def sums_of_runs(target, dtype, lanes, together, vector):
    """Of each run the sum of its cotangents (vector: times the scales), and of their products with what was normalised."""
    cuda, F = target.cuda, target.type(FLOAT64)
    item_of = _of_run(target, together)
    total = everywhere(target, FLOAT64, lanes, adding(target, FLOAT64))

    def sums(g, x, weight, known, out, runs, length, channels, each):
        shared = cuda.shared.array(32, F)
        t = cuda.threadIdx.x
        lane = t % lanes
        r = cuda.blockIdx.x * (cuda.blockDim.x // lanes) + t // lanes
        mine = r < runs
        r = r if mine else runs - 1
        i = item_of(r, each, channels)
        mean, scale = known[4 * i], known[4 * i + 1]
        s, p = F(0), F(0)
        j = lane + 0
        while j < length:
            v = F(g[r * length + j])
            if vector:
                v = F(v * F(weight[j]))
            s = F(s + v)
            p = F(p + v * F(F(x[r * length + j]) - mean))
            j += lanes
        s = total(s, t, shared)
        p = F(total(p, t, shared) * scale)
        if mine and lane == 0:
            out[r] = s
            out[runs + r] = p

    return sums


def sums_of_items(target, dtype, together, scales):
    """A warp adds up what the runs of an item gave, each times its channel's scale: what is known of the cotangents."""
    cuda, F = target.cuda, target.type(FLOAT64)
    total = everywhere(target, FLOAT64, 32, adding(target, FLOAT64))

    def items(sums, weight, known, count, runs, channels, each, size, centred):
        shared = cuda.shared.array(32, F)
        lane = cuda.threadIdx.x
        i = cuda.blockIdx.x + 0
        s, p = F(0), F(0)
        k = lane + 0
        while k < (each if together else runs // channels):
            r = i * each + k if together else i + k * channels
            w = F(1)
            if scales:
                w = F(weight[r % channels])
            s = F(s + w * sums[r])
            p = F(p + w * sums[runs + r])
            k += 32
        s = total(s, lane, shared)
        p = total(p, lane, shared)
        if lane == 0:
            known[4 * i + 2] = F(s / F(size)) if centred != 0 else F(0)
            known[4 * i + 3] = F(F(p / F(size)) * known[4 * i + 1])

    return items


def sums_of_columns(target, dtype):
    """Of each column of rows (layer norm), by strips of rows: the sum of its cotangents, and of their products with what was normalised."""
    cuda, T, F = target.cuda, target.type(dtype), target.type(FLOAT64)

    def columns(g, x, known, out, rows, n, strip, strips):
        b = cuda.blockIdx.x
        j = (b // strips) * cuda.blockDim.x + cuda.threadIdx.x
        if j < n:
            v, h = cuda.local.array(4, T), cuda.local.array(4, T)
            s, p = F(0), F(0)
            r = (b % strips) * strip
            stop = r + strip if r + strip < rows else rows
            while r < stop:
                for k in range(4):
                    q = r + k if r + k < stop else stop - 1
                    v[k] = x[q * n + j]
                    h[k] = g[q * n + j]
                for k in range(4):
                    if r + k < stop:
                        s = F(s + F(h[k]))
                        p = F(p + F(h[k]) * F(F(F(v[k]) - known[4 * (r + k)]) * known[4 * (r + k) + 1]))
                r += 4
            out[(b % strips) * n + j] = s
            out[(strips + b % strips) * n + j] = p

    return columns


# ---------------------------------------------------------------------- kernels by what decides them


def _kernel(factory, dtype, parameters, elements, rest, block=BLOCK):
    """The kernel of a factory; it takes `elements` addresses of elements, then `rest`."""
    return Kernel(factory, (dtype, *parameters), " ".join([f"*{code_of(dtype)}"] * elements + [rest]), block)


@lru_cache(maxsize=256)
def _short_kernel(dtype, lanes, each, options, block):
    return _kernel(normalise_short, dtype, (lanes, each, *options), 6, "i8 i8 i8 i8 f8", block)


@lru_cache(maxsize=256)
def _back_kernel(dtype, lanes, each, options, block):
    return _kernel(back_short, dtype, (lanes, each, *options), 4, "*f8 i8 i8 i8 i8 f8", block)


@lru_cache(maxsize=256)
def _scales_kernel(dtype, statistics):
    code = code_of(dtype)
    return Kernel(scales_of_items, (dtype, statistics), f"*f8 *{code} *{code} i8 f8", BLOCK)


@lru_cache(maxsize=256)
def _apply_kernel(dtype, *options):
    return _kernel(apply_to_runs, dtype, options, 5, "*f8 i8 i8 i8 i8 i8")


@lru_cache(maxsize=256)
def _runs_kernel(dtype, *options):
    return _kernel(sums_of_runs, dtype, options, 3, "*f8 *f8 i8 i8 i8 i8")


@lru_cache(maxsize=256)
def _items_kernel(dtype, *options):
    return Kernel(sums_of_items, (dtype, *options), f"*f8 *{code_of(dtype)} *f8 i8 i8 i8 i8 i8 i8", 32)


@lru_cache(maxsize=256)
def _columns_kernel(dtype):
    return _kernel(sums_of_columns, dtype, (), 2, "*f8 *f8 i8 i8 i8 i8")


def every():
    """The kernels of layer, group and batch normalisation with scales and shifts, and of root mean squares with scales."""
    for name in ("f4", "f8"):
        d = np.dtype(name)
        for lanes, each in [(32, 1), (32, 2), (32, 4), (32, 8), (32, 16), (32, 32), (BLOCK, 8), (BLOCK, 16), (BLOCK, 32)]:
            for centred, vector, shifts in ((True, True, True), (False, True, False), (True, False, True)):
                yield _short_kernel(d, lanes, each, (centred, vector, True, shifts, False), BLOCK)
                if each < 32:
                    yield _back_kernel(d, lanes, each, (centred, vector, True), BLOCK)
        for centred in (True, False):
            yield from _kind(d, centred).every()
        yield _columns_kernel(d)
        yield from [_scales_kernel(d, statistics) for statistics in (True, False)]
        for together, vector in ((True, True), (True, False), (False, False)):
            yield from [_apply_kernel(d, together, vector, back, True, not back) for back in (False, True)]
            yield from [_runs_kernel(d, lanes, together, vector) for lanes in (1, 32, BLOCK)]
            yield _items_kernel(d, together, not vector)


# ---------------------------------------------------------------------- the functions


def _shape_of(size, count, block, held):
    """(lanes, elements of a thread, threads, grid) for items of this size; None where they do not fit."""
    if size > 32 * held and size > block * held:
        return None
    lanes = 32 if size <= 32 * held else block
    each = 1 << (-(-size // lanes) - 1).bit_length()
    threads = block if lanes == block else min(block, 32 << max(0, count - 1).bit_length())
    return lanes, each, threads, -(-count * lanes // threads)


def _known_of(form, at, x, eps, centred, means=None, variances=None):
    """What is known of each item, as a float64 tensor (count, 4); its first two columns."""
    shape = (at.batch, at.channels, at.length)
    axes = (0, 2) if not at.together else (1, 2)
    if at.together:
        shape = (at.count, at.each, at.length)
    launch = _ready(x.dtype, shape, axes, centred, x.driver)
    known = launch(x.reshaped(shape))
    kernel = _scales_kernel(x.dtype, means is not None)
    given = [known.buffer.ptr if a is None else a.address for a in (means, variances)]
    kernel.launch(x.driver, -(-at.count // 128), 128, known.address, *given, at.count, eps)
    return known


@lru_cache(maxsize=1024)
def _ready(dtype, shape, axes, centred, driver):
    from mtarray import _strides

    nest = folding.plan(shape, _strides.contiguous(shape), axes)
    return Launch(_kind(dtype, centred), nest, driver, float(nest.total), wide=_KNOWN)


def _kind(dtype, centred):
    return Kind(_STATISTICS, (dtype, centred), parts_of(dtype), dtype, FLOAT64)


def _apply(at, x, known, weight, bias, out, g=None):
    across = min(BLOCK, max(1, 1 << (-(-at.length // PIECE) - 1).bit_length()))
    down = max(1, min(BLOCK // across, at.runs))
    pieces = -(-at.length // (across * PIECE))
    kernel = _apply_kernel(x.dtype, at.together, at.vector, g is not None, weight is not None, bias is not None)
    given = [out.address if a is None else a.address for a in (weight, bias)]
    kernel.launch(
        x.driver, -(-at.runs // down) * pieces, (across, down), (x if g is None else g).address, x.address, *given, out.address,
        known.address, at.runs, at.length, at.channels, at.each, pieces,
    )  # fmt: skip
    return out


def normalised(*arrays, form, eps, centred, statistics, block=BLOCK, held=HELD):
    """A tensor normalised, scaled and shifted (arrays: it, perhaps scales, perhaps shifts); with `statistics` also means and variances.

    form: see `_Form`. Not centred: by the root mean square. block, held: threads of a block, and the most elements that each of them holds.
    """
    x, weight, bias = [contiguous(a) for a in arrays] + [None] * (3 - len(arrays))
    at = _Form(form, x.shape)
    out = like(x)
    means, variances = (like(x, (at.count,)), like(x, (at.count,))) if statistics else (None, None)
    fits = _shape_of(at.size, at.count, block, held) if at.together else None
    if fits is None:
        known = _known_of(form, at, x, eps, centred, means, variances)
        _apply(at, x, known, weight, bias, out)
    else:
        lanes, each, threads, grid = fits
        options = centred, at.vector, weight is not None, bias is not None, statistics
        kernel = _short_kernel(x.dtype, lanes, each, options, block)
        given = [out.address if a is None else a.address for a in (weight, bias, out, means, variances)]
        kernel.launch(x.driver, grid, threads, x.address, *given, at.count, at.size, at.length, at.channels, eps)
    return (out, means, variances) if statistics else out


def back(form, g, x, weight, eps, centred, by_scales, block=BLOCK, held=HELD, strip=STRIP):
    """Cotangents of x, and with `by_scales` of the scales and of the shifts (otherwise None), from that of the result of `normalised`."""
    g, x, weight = contiguous(g), contiguous(x), None if weight is None else contiguous(weight)
    at, driver = _Form(form, x.shape), x.driver
    by_scales = by_scales and weight is not None
    out = like(x)
    scales = out if weight is None else weight
    fits = _shape_of(at.size, at.count, block, held // 2) if at.together else None
    if fits is None:
        known = _known_of(form, at, x, eps, centred)
    else:
        known = like(x, (at.count, _KNOWN), FLOAT64)
        lanes, each, threads, grid = fits
        kernel = _back_kernel(x.dtype, lanes, each, (centred, at.vector, weight is not None), block)
        words = at.count, at.size, at.length, at.channels, eps
        kernel.launch(driver, grid, threads, g.address, x.address, scales.address, out.address, known.address, *words)
    sums = None
    if fits is None or (by_scales and not at.vector):
        weighted = at.vector and weight is not None
        lanes = 1 if at.length <= 4 else 32 if at.length <= 1024 else BLOCK
        sums = like(x, (2, at.batch, at.channels), FLOAT64)
        kernel = _runs_kernel(x.dtype, lanes, at.together, weighted)
        threads = BLOCK if lanes == BLOCK else min(BLOCK, 32 << max(0, -(-at.runs * lanes // 32) - 1).bit_length())
        kernel.launch(
            driver, -(-at.runs * lanes // threads), threads, g.address, x.address, scales.address, known.address, sums.address,
            at.runs, at.length, at.channels, at.each,
        )  # fmt: skip
    if fits is None:
        kernel = _items_kernel(x.dtype, at.together, weight is not None and not at.vector)
        words = at.count, at.runs, at.channels, at.each, at.size, int(centred)
        kernel.launch(driver, at.count, 32, sums.address, scales.address, known.address, *words)
        _apply(at, x, known, weight, None, out, g)
    if not by_scales:
        return out, None, None
    if at.vector:
        strips = -(-at.count // strip)
        sums = like(x, (2, strips, at.size), FLOAT64)
        kernel = _columns_kernel(x.dtype)
        threads = min(128, 1 << max(5, (at.size - 1).bit_length()))
        grid = -(-at.size // threads) * strips
        kernel.launch(driver, grid, threads, g.address, x.address, known.address, sums.address, at.count, at.size, strip, strips)
    found = fold("add", sums, (1,), FLOAT64, x.dtype, 0)
    n = found.shape[1]
    by_shift, by_scale = (found.narrowed(0, i, i + 1).window((n,), (1,), i * n) for i in range(2))
    return out, by_scale, by_shift
