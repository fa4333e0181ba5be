"""Exponentials and logarithms in float64, their joint family (logaddexp, expit) included.

exp: x = k ln2 + r + rl (Cody and Waite's reduction with a tail), 1 + r + r^2 P(r), times 2^k. log: x = 2^e m, m in
[sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1)/(m + 1)) with the quotient carried in two parts where a caller needs them.
"""

from . import coefficients as K
from .primitives import (
    INF,
    NAN,
    bits,
    clamp,
    copysign,
    fabs,
    fast_sum,
    fma,
    from_bits,
    int_to_float,
    poly,
    pow2,
    scale,
    sel,
    shift_int,
    shifted,
    shifted_fma,
    two_product,
    two_sum,
)

TINY = 2.0**-28  # below it every odd function here is its argument to the last bit
_SQRT_HALF = 0x3FE6A09E667F3BCD
_MIN_NORMAL = 2.0**-1022


def exp_reduce(x):
    """x = k ln2 + r + rl, |r| <= ln2 / 2; k as int64."""
    t, n = shifted_fma(x, K.LOG2E)
    r1 = fma(-n, K.LN2H, x)
    r = fma(-n, K.LN2L, r1)
    return shift_int(t), r, fma(-n, K.LN2L, r1 - r)


def exp_parts(x):
    """exp(x) = (h + l) 2^k for |x| <= 746."""
    k, r, rl = exp_reduce(x)
    a, al = fast_sum(r, fma(r * r, poly(r, K.EXP), rl))
    h = a + 1.0
    return k, h, ((1.0 - h) + a) + al


def _exp_tail(r, rl):
    return 1.0 + (r + fma(r * r, poly(r, K.EXP), rl))


def exp(x):
    k, r, rl = exp_reduce(clamp(x, -746.0, 710.0))
    return scale(_exp_tail(r, rl), k)


def exp_normal(x):
    """exp(x) for |x| <= 700, within one unit."""
    t, n = shifted_fma(x, K.LOG2E)
    r = fma(-n, K.LN2L, fma(-n, K.LN2H, x))
    return fma(r * r, poly(r, K.EXP), r + 1.0) * pow2(shift_int(t))


def exp2_parts(x):
    """2^x = h 2^k for |x| < 2^51."""
    t, n = shifted(x)
    f = x - n
    return fma(f, poly(f, K.EXP2), 1.0), shift_int(t)


def exp2(x):
    h, k = exp2_parts(clamp(x, -1080.0, 1025.0))
    return scale(h, k)


def expm1(x):
    # In quarters, so that 2^1024 is no special case.
    k, r, rl = exp_reduce(clamp(x, -60.0, 710.0))
    s = pow2(k - 2)
    h, l = two_sum(s * r, s - 0.25)
    result = 4.0 * (h + fma(s, fma(r * r, poly(r, K.EXP), rl), l))
    return sel(fabs(x) < 2.0**-54, x, result)


def expit(x):
    # exp(-|x|) = (1 + a) 2^k = e: e / (1 + e) or 1 / (1 + e). What 1 + e was rounded by goes into the numerator, divided by
    # 1 + e to two digits.
    k, r, rl = exp_reduce(clamp(-fabs(x), -746.0, 0.0))
    a = r + fma(r * r, poly(r, K.EXP), rl)
    h = 1.0 + a
    e = scale(h, k)
    d = 1.0 + e
    error = (e - (d - 1.0)) * fma(-0.5, e, 1.0)
    return sel(x < 0.0, scale(1.0 + fma(-error, h, a), k), 1.0 - error) / d


def split(x):
    """x = 2^e m for positive finite x, sqrt(1/2) <= m < sqrt(2): e as float64, m, e as int64 (of 2^54 x when subnormal)."""
    small = x < _MIN_NORMAL
    ix = bits(sel(small, x * 2.0**54, x))
    e = (ix - _SQRT_HALF) >> 52
    m = from_bits(ix - (e << 52))
    ef = int_to_float(e)
    return sel(small, ef - 54.0, ef), m, e


def atanh_ratio(f, fl, d, dl):
    """atanh((f + fl)/(d + dl)) as s + t, for a quotient below 0.2010."""
    rd = 1.0 / d
    s = f * rd
    sl = (fma(-s, d, f) + fma(-s, dl, fl)) * rd
    z = s * s
    return s, sl + s * z * poly(z, K.ATH)


def half_log(m, ml):
    """log(m + ml) / 2 as s + t for m in [sqrt(1/2), sqrt(2)], ml tiny."""
    d = m + 1.0
    return atanh_ratio(m - 1.0, ml, d, (m - (d - 1.0)) + ml)


def log_join(ef, s, t):
    """ef ln2 + 2 (s + t)."""
    h, l = fast_sum(ef * K.LN2E, 2.0 * s)
    return h + (l + fma(ef, K.LN2F, 2.0 * t))


def log_special(x, result):
    """The results of 0, negatives, inf and NaN put in."""
    result = sel(x < INF, result, x)
    return sel(x > 0.0, result, sel(x == 0.0, -INF, NAN))


def log_tail(f):
    """log(1 + f) - f for sqrt(1/2) <= 1 + f < sqrt(2): s (f^2/2 + R(s^2)) - f^2/2 with s = f/(2 + f)."""
    s = f / (f + 2.0)
    z = s * s
    half_square = 0.5 * f * f
    return fma(s, fma(z, poly(z, K.LOG_R), half_square), -half_square)


def _log_plus(ef, f):
    """ef ln2 + log(1 + f), within 0.9 units."""
    return fma(ef, K.LN2E, f + fma(ef, K.LN2F, log_tail(f)))


def log(x):
    ef, m, _ = split(x)
    return log_special(x, _log_plus(ef, m - 1.0))


def _log_base(x, c, cl, unit, unit_l):
    """ef (unit + unit_l) + log(1 + f)(c + cl)."""
    ef, m, _ = split(x)
    f = m - 1.0
    low = fma(ef, unit_l, fma(log_tail(f), c, f * cl))
    return log_special(x, fma(ef, unit, fma(f, c, low)))


def log2(x):
    return _log_base(x, K.LOG2E, K.LOG2EL, 1.0, 0.0)


def log10(x):
    return _log_base(x, 0.5 * K.LOG10E2, 0.5 * K.LOG10E2L, K.LG2E, K.LG2F)


def log_of_sum(u, ul, more=None):
    """log(u + ul) of a normal u, |ul| <= ulp(u); `more`: a whole number to add to the exponent."""
    ix = bits(u)
    e = (ix - _SQRT_HALF) >> 52
    # 2^-e; above 2^1000 ul is of no consequence and the power must not leave the range
    f = fma(ul, pow2(-sel(e > 1000, e.const(1000), e)), from_bits(ix - (e << 52)) - 1.0)
    ef = int_to_float(e)
    return _log_plus(ef if more is None else ef + more, f)


def log1p(x):
    u = x + 1.0
    # x - (u - 1) is the error of u wherever that shows.
    result = copysign(log_of_sum(u, x - (u - 1.0)), x)
    return sel(x <= -1.0, sel(x == -1.0, -INF, NAN), sel(x < INF, result, x))


def _exp_parts_close(x):
    """`exp_parts` to about 2^-60: r^2 / 2 in two parts as well."""
    k, r, rl = exp_reduce(x)
    square, error = two_product(r, r)
    a, al = fast_sum(r, 0.5 * square)
    h, hl = fast_sum(1.0, a)
    h, l = fast_sum(h, al + fma(square * r, poly(r, K.EXP[1:]), fma(0.5, error, rl)))
    return k, h, hl + l


def _log_one_plus_exp(p, pl):
    """log(1 + exp(-(p + pl))) / 2 = e log(2) / 2 + s + t for 0 <= p <= 749, pl tiny: (e, s, t)."""
    k, h, l = _exp_parts_close(-p)
    u, ul = fast_sum(1.0, scale(h, k))
    ul = ul + scale(fma(-pl, h, l), k)
    high = u > 1.4142135623730951
    s, t = half_log(sel(high, 0.5 * u, u), sel(high, 0.5 * ul, ul))
    return sel(high, 1.0, 0.0), s, t


def _largest_and_distance(a, b, limit):
    """(max, |a - b| to at most `limit`, its rounding error)."""
    swap = b > a
    m, n = sel(swap, b, a), sel(swap, a, b)
    d, dl = two_sum(m, -n)
    near = (d < limit) & (fabs(dl) < INF)
    return m, sel(a == b, 0.0, sel(d > limit, limit, d)), sel(near, dl, 0.0)


def _logaddexp_join(a, b, m, g, gl):
    r, rl = two_sum(m, g)
    return sel((a != a) | (b != b), NAN, sel(fabs(m) == INF, m, r + (rl + gl)))


def logaddexp(a, b):
    m, d, dl = _largest_and_distance(a, b, 746.0)
    e, s, t = _log_one_plus_exp(d, dl)
    g, gl = fast_sum(e * K.LN2E, 2.0 * s)
    return _logaddexp_join(a, b, m, g, gl + fma(e, K.LN2F, 2.0 * t))


def logaddexp2(a, b):
    m, d, dl = _largest_and_distance(a, b, 1080.0)
    p = d * K.LN2H
    e, s, t = _log_one_plus_exp(p, fma(d, K.LN2H, -p) + fma(d, K.LN2L, dl * K.LN2H))
    c = s * K.LOG2E2
    cl = fma(s, K.LOG2E2L, fma(s, K.LOG2E2, -c)) + t * K.LOG2E2
    g, gl = fast_sum(e, c)
    return _logaddexp_join(a, b, m, g, gl + cl)
