"""Powers, roots and lengths in float64."""

from . import coefficients as K
from .exp_log import split
from .primitives import (
    INF,
    NAN,
    bits,
    clamp,
    clamp_known,
    copysign,
    fabs,
    fast_sum,
    fma,
    from_bits,
    poly,
    pow2,
    rint,
    scale,
    sel,
    shift_int,
    shifted,
    sign_bit,
    sqrt,
)


def log2_parts(e, f, log):
    """e + log2(1 + f) as H + L for sqrt(1/2) <= 1 + f < sqrt(2); L may be 2^-12 H.

    `log`: (c, d, tail), c = 2/log(2) and d = c/3 rounded, the polynomial `tail` from their remainders on. log2(1 + f) = s T(s^2) with
    s = f/(2 + f) and T = c + d z + tail(z); s and T are carried in two parts, which is good to some 12 bits more than the
    format has.
    """
    c, d, tail = log
    u = f + 2.0
    ul = f - (u - 2.0)
    ru = 1.0 / u
    s = f * ru
    z = s * s
    sl = fma(-s, ul, fma(-s, u, f)) * ru
    zl = fma(s + s, sl, fma(s, s, -z))
    t = fma(z, d, c)
    tl = fma(zl, d, fma(z, d, c - t)) + poly(z, tail)
    h = s * t
    hl = fma(s, tl, fma(sl, t, fma(s, t, -h)))
    high = e + h
    return high, ((e - high) + h) + hl


def pow_program(x, y, parts, log, exp2, limit):
    """x**y, all special values included.

    `parts`: |x| = 2^e (1 + f); `limit`: exponents beyond it overflow or vanish, yet `scale` takes them.
    """
    ax = fabs(x)
    e, f = parts(ax)
    high, low = log2_parts(e, f, log)
    high = sel(ax == 0.0, -INF, sel(ax < INF, high, ax))
    # No representable power lies behind this bound, and 0 * bound is no NaN where |x| = 1.
    v = clamp(y, -(2.0**70), 2.0**70)
    p = v * high
    pl = fma(v, low, fma(v, high, -p))
    p = clamp(p, -limit, limit)
    pl = clamp_known(pl, -0.5, 0.5)  # of no consequence but where p is at its limit, or infinite and pl NaN
    t, n = shifted(p + pl)
    f = (p - n) + pl
    result = scale(fma(f, poly(f, exp2), 1.0), shift_int(t))
    # y modulo 2: 0, 1 or -1 if y is whole, NaN if infinite
    rest = fabs(fma(-2.0, rint(0.5 * y), y))
    odd = rest == 1.0
    result = from_bits(bits(result) ^ (sel(odd, bits(x), bits(x).const(0)) & sign_bit(x)))
    result = sel((x < 0.0) & (ax < INF) & (rest > 0.0) & ~odd, NAN, result)
    return sel((y == 0.0) | (x == 1.0), 1.0, result)


_LOG = (K.LOG2E2, K.LOG2E2_3, (K.LOG2E2L, K.LOG2E2_3L, *K.POW_LOG))


def _parts(ax):
    e, m, _ = split(ax)
    return e, m - 1.0


def pow(x, y):
    return pow_program(x, y, _parts, _LOG, K.EXP2, 1100.0)


def hypot(x, y):
    ax, ay = fabs(x), fabs(y)
    infinite = (ax == INF) | (ay == INF)
    a, b = sel(ax > ay, ax, ay), sel(ax > ay, ay, ax)
    large, small = a > 2.0**500, a < 2.0**-400
    k = sel(large, 2.0**-600, sel(small, 2.0**600, 1.0))
    unscale = sel(large, 2.0**600, sel(small, 2.0**-600, 1.0))
    a, b = a * k, b * k
    aa, bb = a * a, b * b
    s, e = fast_sum(aa, bb)
    e = e + (fma(a, a, -aa) + fma(b, b, -bb))
    r = sqrt(s)
    r = (r + (fma(-r, r, s) + e) * (0.5 / sel(r == 0.0, 1.0, r))) * unscale
    r = sel((x != x) | (y != y), NAN, r)
    return sel(infinite, INF, r)


def cbrt(x):
    """Real cube root: degree-4 start on [1, 2), one Halley step, one Newton step on the exact residual."""
    a = fabs(x)
    small = a < 2.0**-1022
    ix = bits(sel(small, a * 2.0**54, a))
    e = (ix >> 52) - 1023
    m = from_bits((ix & 0xFFFFFFFFFFFFF) | (1023 << 52))
    # e = 3 q + rest; the product by 21846 / 2^16 divides by 3 exactly in this range
    q = (((e + 3072) * 21846) >> 16) - 1024
    rest = e - q * 3
    one, two = rest == 1, rest == 2
    y = poly(m, K.CBRT) * sel(one, 1.2599210498948732, sel(two, 1.5874010519681994, 1.0))
    m = m * sel(one, 2.0, sel(two, 4.0, 1.0))
    y3 = y * y * y
    y = y * (y3 + 2.0 * m) / fma(y3, 2.0, m)
    yy = y * y
    residual = fma(-yy, y, m) - fma(y, y, -yy) * y
    y = y + residual / (3.0 * yy)
    y = copysign(y * pow2(q) * sel(small, 2.0**-18, 1.0), x)
    return sel((x == 0.0) | (a == INF) | (x != x), x, y)
