"""Trigonometric functions and their inverses in float64.

The cores of sin, cos and tan reduce by pi/2 in three parts and hold for |x| <= TRIG_MAX; beyond that they return NaN, which
`full` and the drivers of kernels replace.
"""

from . import coefficients as K
from .primitives import (
    INF,
    NAN,
    bits,
    copysign,
    fabs,
    fast_sum,
    flip_sign,
    fma,
    poly,
    sel,
    shifted_fma,
    sqrt,
    two_sum,
)

TRIG_MAX = 2.0**30
TINY = 2.0**-28


def reduce(x):
    """x = n pi/2 + r + rl for |x| <= TRIG_MAX; n in the low bits of the integer."""
    t, n = shifted_fma(x, K.TWO_PI_INV)
    r1 = fma(-n, K.PIO2_1, x)
    w = n * K.PIO2_2
    wl = fma(n, K.PIO2_2, -w)
    r, rl = two_sum(r1, -w)
    return bits(t), r, rl - fma(n, K.PIO2_3, wl)


def sin_cos_parts(r, rl):
    """sin(r + rl) and cos(r + rl) as two unevaluated sums, |r| <= pi/4."""
    z = r * r
    st = fma(r * z, poly(z, K.SIN), fma(-0.5 * z, rl, rl))
    hz = 0.5 * z
    c = 1.0 - hz
    ct = ((1.0 - c) - hz) + fma(z * z, poly(z, K.COS), -r * rl) - 0.5 * fma(r, r, -z)
    return r, st, c, ct


def is_odd(k):
    return (k & 1) != 0


def sin_quadrant(k, r, rl):
    """sin(k pi/2 + r + rl)."""
    s, st, c, ct = sin_cos_parts(r, rl)
    odd = is_odd(k)
    return flip_sign(sel(odd, c, s) + sel(odd, ct, st), k << 62)


def cos_quadrant(k, r, rl):
    """cos(k pi/2 + r + rl)."""
    s, st, c, ct = sin_cos_parts(r, rl)
    odd = is_odd(k)
    return flip_sign(sel(odd, s, c) + sel(odd, st, ct), (k + 1) << 62)


def tan_quadrant(k, r, rl):
    """tan(k pi/2 + r + rl)."""
    s, st, c, ct = sin_cos_parts(r, rl)
    s, st = fast_sum(s, st)
    c, ct = fast_sum(c, ct)
    odd = is_odd(k)
    n, nl = sel(odd, -c, s), sel(odd, -ct, st)
    d, dl = sel(odd, s, c), sel(odd, st, ct)
    rd = 1.0 / d
    q = n * rd
    return q + (fma(-q, d, n) + fma(-q, dl, nl)) * rd


def sin(x):
    a = fabs(x)
    return sel(a < TINY, x, sel(a <= TRIG_MAX, sin_quadrant(*reduce(x)), NAN))


def cos(x):
    return sel(fabs(x) <= TRIG_MAX, cos_quadrant(*reduce(x)), NAN)


def tan(x):
    a = fabs(x)
    return sel(a < TINY, x, sel(a <= TRIG_MAX, tan_quadrant(*reduce(x)), NAN))


def atan_ratio(n, d):
    """atan(n/d) as h + l for 0 <= n <= d, both well scaled."""
    mid = n > 0.41421356237309503 * d
    a, al = fast_sum(-d, n)
    b, bl = fast_sum(d, n)
    n, nl = sel(mid, a, n), sel(mid, al, 0.0)
    d, dl = sel(mid, b, d), sel(mid, bl, 0.0)
    rd = 1.0 / d
    q = n * rd
    ql = (fma(-q, d, n) + fma(-q, dl, nl)) * rd
    z = q * q
    h, l = fast_sum(sel(mid, K.PIO4, 0.0), q)
    return h, l + (fma(q * z, poly(z, K.ATAN), ql) + sel(mid, K.PIO4L, 0.0))


def atan(x):
    # a, (a - 1)/(a + 1) or -1/a, with the sum and the difference in two parts, between multiples of pi/8
    a = fabs(x)
    a = sel(a > 2.0**60, 2.0**60, a)
    mid, far = a > 0.41421356237309503, a > 2.414213562373095
    m, p = a - 1.0, a + 1.0
    ml, pl = a - (m + 1.0), a - (p - 1.0)
    n, nl = sel(far, -1.0, sel(mid, m, a)), sel(far, 0.0, sel(mid, ml, 0.0))
    d, dl = sel(far, a, sel(mid, p, 1.0)), sel(far, 0.0, sel(mid, pl, 0.0))
    rd = 1.0 / d
    q = n * rd
    ql = (fma(-q, d, n) + fma(-q, dl, nl)) * rd
    z = q * q
    h, l = fast_sum(sel(far, K.PIO2_1, sel(mid, K.PIO4, 0.0)), q)
    low = sel(far, K.PIO2_2, sel(mid, K.PIO4L, 0.0))
    return copysign(h + (l + (fma(q * z, poly(z, K.ATAN), ql) + low)), x)


def atan2(y, x):
    ay, ax = fabs(y), fabs(x)
    swap = ay > ax
    n, d = sel(swap, ax, ay), sel(swap, ay, ax)
    both_inf = n == INF
    k = sel(d > 2.0**500, 2.0**-500, sel(d < 2.0**-500, 2.0**500, 1.0))
    n = sel(both_inf, 1.0, sel(d == INF, 0.0, n * k))
    d = sel(both_inf | (d == 0.0) | (d == INF), 1.0, d * k)
    h, l = atan_ratio(n, d)
    # swapped: pi/2 - t; left half plane: pi - that
    left = bits(x) < 0
    sign = sel(swap, -1.0, 1.0)
    sign = sel(left, -sign, sign)
    base = sel(swap, K.PIO2_1, sel(left, K.PI_H, 0.0))
    base_l = sel(swap, K.PIO2_2, sel(left, K.PI_L, 0.0))
    g, gl = fast_sum(base, sign * h)
    result = copysign(g + (gl + fma(sign, l, base_l)), y)
    return sel((x != x) | (y != y), NAN, result)


def _asin_parts(a):
    """For 0 <= a <= 1: whether a <= 1/2, and asin(v) = v + t of v = a or v = sqrt((1 - a)/2)."""
    small = a <= 0.5
    z = sel(small, a * a, fma(-0.5, a, 0.5))
    r = sqrt(z)
    v = sel(small, a, r)
    vl = sel(small, 0.0, fma(-r, r, z) * (0.5 / sel(r == 0.0, 1.0, r)))
    return small, v, fma(v * z, poly(z, K.ASIN), vl)


def asin(x):
    a = fabs(x)
    small, v, t = _asin_parts(a)
    g, gl = fast_sum(v.const(K.PIO2_1), -2.0 * v)
    result = sel(small, v + t, g + (gl + (K.PIO2_2 - 2.0 * t)))
    return sel(a < TINY, x, sel(a <= 1.0, copysign(result, x), NAN))


def acos(x):
    a = fabs(x)
    small, v, t = _asin_parts(a)
    negative = x < 0.0
    # |x| <= 1/2: pi/2 - asin(x); x > 1/2: 2v; x < -1/2: pi - 2v
    sv = sel(small, sel(negative, v, -v), sel(negative, -2.0 * v, 2.0 * v))
    st = sel(small, sel(negative, t, -t), sel(negative, -2.0 * t, 2.0 * t))
    base = sel(small, K.PIO2_1, sel(negative, K.PI_H, 0.0))
    base_l = sel(small, K.PIO2_2, sel(negative, K.PI_L, 0.0))
    g, gl = fast_sum(base, sv)
    return sel(a <= 1.0, g + (gl + (base_l + st)), NAN)
