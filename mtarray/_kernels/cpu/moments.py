"""Variance and standard deviation in one pass over memory: every piece is read twice while it lies in the L1 or L2 cache.

A piece gives its mean and its sum of squared distances from that mean; pieces merge by Chan, Golub and LeVeque's formula
("Updating formulae and a pairwise algorithm for computing sample variances", 1979), which loses no more than two passes do.
"""

from functools import lru_cache

import numpy as np

from .. import build
from . import launch, nest
from .nest import plan, pointer, scalar
from .templates import REASSOCIATE

PIECE = 4096  # elements; twice through 16 or 32 KiB


def _narrow(dtype):
    """Type of the differences inside a strip: float32 data stay float32, everything else is float64."""
    return np.dtype("f4") if dtype == np.float32 else np.dtype("f8")


# The first sum, in the type of the differences, is only good for a point `near` the mean. The second pass sums the differences
# from it and their squares, which gives mean and squares to full accuracy: sum (x - mu)^2 = sum y^2 - (sum y)^2 / m, y = x - near.
_ROWS = """            q0 = 0; tot = 0.0
            x = {p}(b)
            while q0 < m:
                e = min(m, q0 + 512); z = {cast}(0)
                for i in range(q0, e): z += {element}
                tot += np.float64(z); q0 = e
            near = {cast}(tot / m); q0 = 0; sq = 0.0; off = 0.0
            while q0 < m:
                e = min(m, q0 + 512); z = {cast}(0); w1 = {cast}(0)
                for i in range(q0, e):
                    y = {element} - near
                    z += y * y; w1 += y
                sq += np.float64(z); off += np.float64(w1); q0 = e
            mu = np.float64(near) + off / m; sq -= off * off / m
            count += m; delta = mu - mean
            # The weight is 1 for the first piece, whatever `mean` was.
            mean = mu if count == m else mean + delta * (m / count)
            m2 = m2 + sq if count == m else m2 + sq + delta * delta * ((count - m) / count * m)
"""


@lru_cache(maxsize=256)
def _kernel(dtype, out, layout, unit, root):
    p, cast = pointer(dtype), scalar(_narrow(dtype))

    def final(m2):
        return f"{scalar(out)}({'np.sqrt' if root else ''}({m2} / max(0.0, total - correction)))"

    words = f"{nest.LOAD_WORDS}    correction = f8(ld64(args) + 8)[0]\n"
    name = f"{'std' if root else 'var'}_{dtype.char}{out.char}_{layout}".replace("?", "b")
    if layout == "rows":
        element = f"{cast}(x[i])" if unit else f"{cast}({p}(b + i * s)[0])"
        body = f"""{words}    for item in range(lo, hi):
{nest.ROWS_ITEM}        mean = 0.0; m2 = 0.0; count = 0
        for p in range(p0, p1):
{nest.PIECE}{_ROWS.format(p=p, cast=cast, element=element)}
        if leaves > 1:
            part3 = f8(pb + 24 * item); part3[0] = mean; part3[1] = m2; part3[2] = count
            if {nest.LAST.format(counter="o")}:
                store64(sb + 8 * o, 0); part3 = f8(pb + 24 * o); mean = part3[0]; m2 = part3[1]; joined = part3[2]
                for p in range(1, leaves):
                    part3 = f8(pb + 24 * (p * outputs + o)); other = part3[2]; delta = part3[0] - mean; weight = other / (joined + other)
                    mean += delta * weight; m2 += part3[1] + delta * delta * (joined * weight); joined += other
                {pointer(out)}(ob)[o] = {final("m2")}
        else: {pointer(out)}(ob)[o] = {final("m2")}"""
        return build.kernel(name, body, nest.ATOMICS, fastmath=REASSOCIATE)
    element = f"{cast}(x[j])" if unit else f"{cast}({p}(b + r * s + j * cs)[0])"
    row = f"x = {p}(b + r * s)"
    near = pointer(_narrow(dtype))
    scratch = "\n".join(
        f"    k{v} = np.empty({nest.COLUMNS}, {t}); {v} = {pt}(arr_ptr(k{v}))"
        for v, t, pt in [(v, cast, near) for v in ("za", "zb", "near")] + [(v, "np.float64", "f8") for v in ("mean", "m2")]
    )
    body = f"""{words}{nest.COLUMNS_WORDS}{scratch}
    for item in range(lo, hi):
{nest.COLUMNS_ITEM}        count = 0
        for j in range(width): mean[j] = 0.0; m2[j] = 0.0
        for p in range(p0, p1):
{nest.PIECE}            for j in range(width): za[j] = {cast}(0)
            for r in range(m):
                {row}
                for j in range(width): za[j] += {element}
            for j in range(width):
                near[j] = {cast}(np.float64(za[j]) / m); za[j] = {cast}(0); zb[j] = {cast}(0)
            for r in range(m):
                {row}
                for j in range(width):
                    y = {element} - near[j]
                    za[j] += y * y; zb[j] += y
            count += m; old = np.float64(count - m) / count * m; part = m / count
            for j in range(width):
                off = np.float64(zb[j]); mu = np.float64(near[j]) + off / m; delta = mu - mean[j]
                sq = np.float64(za[j]) - off * off / m
                mean[j] = mu if count == m else mean[j] + delta * part
                m2[j] = sq if count == m else m2[j] + sq + delta * delta * old
        out = {pointer(out)}(ob + o * {out.itemsize})
        if leaves > 1:
            part3 = f8(pb + (leaf * outputs + o) * 24)
            for j in range(width): part3[3 * j] = mean[j]; part3[3 * j + 1] = m2[j]; part3[3 * j + 2] = count
            if {nest.LAST.format(counter="group")}:
                store64(sb + 8 * group, 0); part3 = f8(pb + o * 24); joined = part3[2]
                for j in range(width): mean[j] = part3[3 * j]; m2[j] = part3[3 * j + 1]
                for i in range(1, leaves):
                    part3 = f8(pb + (i * outputs + o) * 24); other = part3[2]; weight = other / (joined + other); both = joined * weight
                    for j in range(width):
                        delta = part3[3 * j] - mean[j]
                        mean[j] += delta * weight; m2[j] += part3[3 * j + 1] + delta * delta * both
                    joined += other
                for j in range(width): out[j] = {final("m2[j]")}
        else:
            for j in range(width): out[j] = {final("m2[j]")}
    kza[0] = kza[1]; knear[0] = knear[1]; kzb[0] = kzb[1]; kmean[0] = kmean[1]; km2[0] = km2[1]"""
    return build.kernel(name, body, nest.ATOMICS)


def var(x, axes, correction, out_dtype):
    """Variance of `x` along `axes` (sorted, non-negative), sum |x - mean|^2 / (count - correction), as real `out_dtype`.

    float32 is differenced in float32 around a mean known in float64 and summed in float64; all else runs in float64. A divisor
    of 0 or less counts as 0, as in NumPy; an empty reduction gives NaN. Complex: real plus imaginary variance.
    """
    return _spread(x, axes, float(correction), np.dtype(out_dtype), False)


def std(x, axes, correction, out_dtype):
    """Square root of `var`, rounded once."""
    return _spread(x, axes, float(correction), np.dtype(out_dtype), True)


def _spread(x, axes, correction, out, root):
    if x.dtype.kind == "c":
        total = _spread(x.real, axes, correction, np.dtype("f8"), False) + _spread(x.imag, axes, correction, np.dtype("f8"), False)
        return np.asarray(np.sqrt(total) if root else total).astype(out)
    return _prepare(x.dtype, x.shape, x.strides, axes, correction, out, root)(x)


@lru_cache(maxsize=2048)
def _prepare(dtype, shape, strides, axes, correction, out, root):
    """What takes the variance of an ndarray of this dtype, shape and these strides: a function of it."""
    if 0 in shape:
        kept = tuple(n for i, n in enumerate(shape) if i not in axes)
        return lambda x: launch.filled(kept, out, np.nan)
    repeated = tuple(i for i, s in enumerate(strides) if s == 0 and shape[i] != 1 and i not in axes)
    if repeated:
        return launch.repeating(shape, axes, repeated, lambda x: _spread(x, axes, correction, out, root))
    loops = plan(shape, strides, axes, dtype.itemsize, piece=PIECE)
    fn = _kernel(dtype, out, loops.layout, loops.unit, root)
    return launch.Launch(fn, loops, shape, out, 24, int(np.array(correction).view(np.int64)))
