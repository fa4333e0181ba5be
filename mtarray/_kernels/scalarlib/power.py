"""Powers, roots and lengths in float64."""

from . import coefficients as K
from .exp_log import split
from .primitives import (
    F4,
    F8,
    INF,
    NAN,
    bits,
    clamp,
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
    signed,
    sqrt,
    unsigned,
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
    finite = ax < INF
    high, low = log2_parts(sel(ax == 0.0, -INF, sel(finite, e, ax)), f, log)
    # No representable power lies behind this bound, and 0 * bound is no NaN where |x| = 1.
    v = clamp(y, -(2.0**70), 2.0**70)
    p = v * high
    pl = fma(v, low, fma(v, high, -p))
    pl = sel(fabs(p) < limit, pl, 0.0)  # of no consequence beyond, where it may be anything
    p = clamp(p, -limit, limit)
    t, n = shifted(p + pl)
    f = (p - n) + pl
    result = scale(fma(f, poly(f, exp2), 1.0), shift_int(t))
    # y modulo 2: 0, 1 or -1 if y is whole, NaN if infinite
    rest = fabs(fma(-2.0, rint(0.5 * y), y))
    result = from_bits(bits(result) ^ (sel(rest == 1.0, bits(x), bits(x).const(0)) & sign_bit(x)))
    result = sel((x < 0.0) & finite & (rest > 0.0) & (rest < 1.0), NAN, result)
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


# bits of the significand; bias; multiple of 3 that lifts all exponents above 0; the same that makes subnormal numbers normal
_CBRT_FORMATS = {F4: (23, 127, 384, 24), F8: (52, 1023, 3072, 54)}
_CBRT_ERRORS = {F4: (-1 / 3,), F8: (-1 / 3, 2 / 9, -14 / 81)}


def cbrt(x):
    """Real cube root: m = 2^rest times a number in [1, 2), a polynomial there, its exact residual d = (y^3 - m)/m, and the series
    of y (1 + d)^(-1/3) as far as the format needs it. The one division waits for nothing.
    """
    digits, bias, lift, shift = _CBRT_FORMATS[x.type]
    a = fabs(x)
    small = a < 2.0 ** (1 - bias)
    ix = bits(sel(small, a * 2.0**shift, a))
    e = signed(unsigned(ix) >> digits)
    # the exponent over 3; the product by 21846 / 2^16 divides exactly in this range
    q = (((e + (lift - bias)) * 21846) >> 16) - lift // 3
    rest = e - bias - q * 3
    m = from_bits(ix - ((q * 3) << digits))
    start = poly(from_bits((ix & ((1 << digits) - 1)) | (bias << digits)), K.CBRT)
    y = start * sel(rest == 1, 2.0 ** (1 / 3), sel(rest == 2, 2.0 ** (2 / 3), 1.0))
    inverse = 1.0 / m
    yy = y * y
    d = fma(fma(y, y, -yy), y, fma(yy, y, -m)) * inverse
    y = fma(y * d, poly(d, _CBRT_ERRORS[x.type]), y)
    y = y * pow2(sel(small, q - shift // 3, q))
    return sel((a > 0.0) & (a < INF), copysign(y, x), x)
