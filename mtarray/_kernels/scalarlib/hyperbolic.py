"""Hyperbolic functions and their inverses in float64, from the two-part expm1 and log of `exp_log`."""

from .exp_log import TINY, atanh_ratio, exp_parts, expm1_quarter, log_join, log_of_sum, odd
from .primitives import INF, NAN, bits, copysign, fabs, fast_sum, fma, int_to_float, pow2, sel, sqrt, two_sum

_LARGEST = 1.7976931348623157e308


def sinh(x):
    # With E = expm1(a): sinh(a) = (E + E/(E+1)) / 2, in quarters so that nothing overflows early.
    a = fabs(x)
    h, l = expm1_quarter(sel(a > 710.6, 710.6, a))
    d, dl = two_sum(h, h.const(0.25))
    rd = 0.25 / d
    q = h * rd
    ql = (fma(-4.0 * q, d, h) + fma(-4.0 * q, dl + l, l)) * rd
    s, e = fast_sum(h, q)
    return odd(x, 2.0 * (s + (e + (l + ql))))


def cosh(x):
    a = fabs(x)
    k, h, l = exp_parts(sel(a > 710.6, 710.6, a))
    s = pow2(k - 2)
    h, l = h * s, l * s
    t, e = fast_sum(h, 0.0625 / h)
    return 2.0 * (t + (e + l))


def tanh(x):
    # E / (E + 2) with E = expm1(2a), one correction of the quotient.
    a = fabs(x)
    h, l = expm1_quarter(2.0 * sel(a > 22.0, 22.0, a))
    d, dl = two_sum(h, h.const(0.5))
    rd = 1.0 / d
    q = h * rd
    return odd(x, q + (fma(-q, d, h) + fma(-q, dl + l, l)) * rd)


def asinh(x):
    # log1p(a + a^2 / (1 + sqrt(1 + a^2))), every step in two parts; beyond 2^30 it is log(2a).
    a = fabs(x)
    big = a > 2.0**30
    b = sel(big, 1.0, a)
    z = b * b
    zl = fma(b, b, -z)
    w, wl = two_sum(z.const(1.0), z)
    r = sqrt(w)
    rl = (fma(-r, r, w) + (wl + zl)) * (0.5 / r)
    d, dl = two_sum(r.const(1.0), r)
    rd = 1.0 / d
    q = z * rd
    ql = (fma(-q, d, z) + fma(-q, dl + rl, zl)) * rd
    v, vl = two_sum(b, q)
    u, ul = two_sum(v.const(1.0), v)
    u = sel(big, a, u)
    u = sel(u < INF, u, _LARGEST)
    result = log_of_sum(u, sel(big, 0.0, ul + (vl + ql)), doubled=big)
    return sel(a == INF, x, odd(x, result))


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
    result = log_of_sum(sel(big, x, u), sel(big, 0.0, ul + (vl + (rl + tl))), doubled=big)
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
