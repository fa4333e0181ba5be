"""Powers, roots and lengths in float64."""

from . import coefficients as K
from .exp_log import split
from .primitives import (
    INF,
    NAN,
    bits,
    clamp,
    copysign,
    fabs,
    fast_sum,
    floor,
    fma,
    from_bits,
    poly,
    pow2,
    scale,
    sel,
    shift_int,
    shifted,
    sqrt,
)


def log2_parts(ax):
    """log2 of a positive finite float64 as H + L, good to about 2^-68 relative."""
    ef, m, _ = split(ax)
    d = m + 1.0
    dl = m - (d - 1.0)
    f = m - 1.0
    rd = 1.0 / d
    s = f * rd
    sl = fma(-s, dl, fma(-s, d, f)) * rd
    # C atanh(s) with the s^3 term in two parts
    z = s * s
    zl = fma(s, s, -z) + 2.0 * s * sl
    uh = z * K.THIRD
    ul = fma(z, K.THIRD, -uh) + fma(zl, K.THIRD, z * K.THIRDL)
    ul = fma(z * z, poly(z, K.ATH5), ul)
    vh = s * uh
    vl = fma(s, uh, -vh) + fma(s, ul, sl * uh)
    h, l = fast_sum(s, vh)
    h, l = fast_sum(h, l + (vl + sl))
    g = h * K.LOG2E2
    gl = fma(h, K.LOG2E2, -g) + fma(h, K.LOG2E2L, l * K.LOG2E2)
    high, low = fast_sum(ef, g)
    return high, low + gl


def exp2_parts(p, pl):
    """2^(p + pl) for |p| <= 1080."""
    t, n = shifted(p)
    f = p - n
    q = pl * K.LN2H
    r = fma(f, K.LN2H, q)
    rl = fma(f, K.LN2L, fma(f, K.LN2H, -r) + q)
    return scale(1.0 + (r + fma(r * r, poly(r, K.EXP), rl)), shift_int(t))


def pow_special(x, y, result):
    """Signs and special values of x**y put over |x|**y."""
    ax, ay = fabs(x), fabs(y)
    half = 0.5 * y
    whole = floor(y) == y  # infinite y count as even
    odd = whole & (floor(half) != half)
    result = sel((bits(x) < 0) & odd, -result, result)
    result = sel((x < 0.0) & (ax < INF) & ~whole, NAN, result)
    result = sel((ax == 1.0) & (ay == INF), 1.0, result)
    result = sel((x != x) | (y != y), NAN, result)
    return sel((y == 0.0) | (x == 1.0), 1.0, result)


def pow(x, y):
    ax = fabs(x)
    high, low = log2_parts(ax)
    high = sel(ax == 0.0, -INF, sel(ax == INF, INF, high))
    p = y * high
    pl = fma(y, high, -p) + y * low
    outside = (p > 1030.0) | (p < -1080.0)
    result = exp2_parts(clamp(p, -1080.0, 1030.0), sel(outside, 0.0, pl))
    return pow_special(x, y, result)


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
