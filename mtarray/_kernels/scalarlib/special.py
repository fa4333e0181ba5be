"""The error function and its complement in float64: erfc(a) = exp(-a^2) erfcx(a), erf near 0 by its own series."""

from . import coefficients as K
from .exp_log import exp_parts
from .primitives import clamp, copysign, fabs, fast_sum, fma, poly, scale, sel, two_sum


def _erfc_positive(a):
    """erfc(a) for 0.25 <= a <= 27.4, with (1 + 2a) erfcx(a) a polynomial in (a - 3.5)/(a + 3.5)."""
    d = a + 3.5
    rd = 1.0 / d
    n = a - 3.5
    q = n * rd
    q = q + fma(-q, d, n) * rd
    g, gl = fast_sum(q.const(K.ERFCX[0]), q * poly(q, K.ERFCX[1:]))
    b, bl = two_sum(a.const(1.0), 2.0 * a)
    rb = 1.0 / b
    c = g * rb
    cl = (fma(-c, b, g) + fma(-c, bl, gl)) * rb
    z = a * a
    zl = fma(a, a, -z)
    k, h, l = exp_parts(-z)
    l = fma(-zl, h, l)  # exp(-zl) = 1 - zl
    p = h * c
    return scale(p + (fma(h, c, -p) + fma(h, cl, l * c)), k)


def _erf_small(x):
    """erf(x) for |x| < 0.66."""
    z = x * x
    return fma(x, K.TWO_RPI, x * fma(z, poly(z, K.ERF), K.TWO_RPIL))


def erf(x):
    a = fabs(x)
    e = _erfc_positive(clamp(a, 0.25, 6.5))
    small = a < 0.65
    result = sel(small, _erf_small(sel(small, a, 0.0)), 1.0 - e)
    return sel(x != x, x, copysign(result, x))


def erfc(x):
    a = fabs(x)
    e = _erfc_positive(clamp(a, 0.25, 27.4))
    small = a < 0.25
    result = sel(small, 1.0 - _erf_small(sel(small, x, 0.0)), sel(x < 0.0, 2.0 - e, e))
    return sel(x != x, x, result)
