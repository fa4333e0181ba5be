"""Hyperbolic functions and their inverses in float64, from the two-part exp and log of `exp_log`."""

from . import coefficients as K
from .exp_log import TINY, atanh_ratio, exp_normal, exp_parts, log_join, log_of_sum
from .primitives import INF, NAN, bits, copysign, fabs, fast_sum, fma, int_to_float, poly, pow2, sel, sqrt, two_sum


def _quarter_exp(a):
    """exp(a) / 4 as e + l, its rounded inverse / 16 beside it, for 0 <= a; infinite where sinh is."""
    k, h, l = exp_parts(sel(a > 710.6, 710.6, a))
    s = pow2(k - 2)
    e = h * s
    return e, l * s, 0.0625 / e


def sinh(x):
    # (e^a - e^-a) / 2 beyond 1, where nothing cancels; an odd polynomial below
    a = fabs(x)
    e, l, inverse = _quarter_exp(a)
    large = 2.0 * (e + (l - inverse))
    z = a * a
    return sel(x != x, x, copysign(sel(a < 1.0, fma(a * z, poly(z, K.SINH), a), large), x))


def cosh(x):
    e, l, inverse = _quarter_exp(fabs(x))
    return 2.0 * (e + (l + inverse))


def tanh(x):
    # 1 - 2 / (e^2a + 1) beyond 0.625, where the quotient is the smaller part; an odd polynomial below
    a = fabs(x)
    large = 1.0 - 2.0 / (exp_normal(2.0 * sel(a > 22.0, 22.0, a)) + 1.0)
    z = a * a
    return sel(x != x, x, copysign(sel(a < 0.625, fma(a * z, poly(z, K.TANH), a), large), x))


def asinh(x):
    # log(a + sqrt(a^2 + 1)), the sum in two parts; beyond 2^30 log(2a); an odd polynomial while the result is below 1/2
    a = fabs(x)
    big = a > 2.0**30
    r = sqrt(fma(a, a, 1.0))
    u, ul = fast_sum(r, a)
    large = log_of_sum(sel(big, a, u), sel(big, 0.0, ul), sel(big, 1.0, a.const(0.0)))
    z = a * a
    result = sel(a < 0.5625, fma(a * z, poly(z, K.ASINH), a), large)
    return sel(a < INF, copysign(result, x), x)


def acosh(x):
    # log1p(t + sqrt(t (t + 2))) with t = x - 1.
    big = x > 2.0**30
    b = sel(big, 1.0, x)
    t = b - 1.0
    tl = (b - t) - 1.0
    g, gl = two_sum(t, t.const(2.0))
    p = t * g
    pl = fma(t, g, -p) + fma(t, gl, 2.0 * b * tl)
    r = sqrt(p)
    rl = (fma(-r, r, p) + pl) * (0.5 / sel(r == 0.0, 1.0, r))
    v, vl = two_sum(r, t)
    u, ul = two_sum(v.const(1.0), v)
    result = log_of_sum(sel(big, x, u), sel(big, 0.0, ul + (vl + (rl + tl))), sel(big, 1.0, u.const(0.0)))
    return sel((x >= 1.0) & (x < INF), result, sel(x == INF, x, NAN))


def atanh(x):
    # log((1 + a)/(1 - a)) / 2, the numerator brought near the denominator by a power of two.
    a = fabs(x)
    inside = a < 1.0
    c = sel(inside, a, 0.5)
    num, num_l = fast_sum(1.0, c)
    den, den_l = fast_sum(1.0, -c)
    e = ((bits(num) - bits(den)) + (1 << 51)) >> 52
    s2 = pow2(-e)
    num, num_l = num * s2, num_l * s2
    f, fl = two_sum(num, -den)
    d, dl = two_sum(num, den)
    s, t = atanh_ratio(f, fl + (num_l - den_l), d, dl + (num_l + den_l))
    result = 0.5 * log_join(int_to_float(e), s, t)
    result = sel(inside, result, sel(a == 1.0, INF, NAN))
    return sel(a < TINY, x, copysign(result, x))
