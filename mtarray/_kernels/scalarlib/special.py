"""The error function and its complement in float64."""

from . import coefficients as K
from .exp_log import exp_normal, exp_parts
from .primitives import clamp, copysign, fabs, fast_sum, fma, poly, scale, sel, two_sum


def _erfc_positive(a):
    """erfc(a) = exp(-a^2) erfcx(a) for 0.25 <= a <= 27.4, with (1 + 2a) erfcx(a) a polynomial in (a - 3.5)/(a + 3.5)."""
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
    """erf(x) for |x| <= 1."""
    z = x * x
    return fma(x, K.TWO_RPI, x * fma(z, poly(z, K.ERF), K.TWO_RPIL))


def erf(x):
    # Beyond 1, where erfc is below 0.16, 1 - exp(log erfc) with the logarithm a polynomial: no division, no quotient.
    a = fabs(x)
    large = 1.0 - exp_normal(poly(sel(a > 6.0, 6.0, a), K.LOG_ERFC))
    return sel(x != x, x, copysign(sel(a < 1.0, _erf_small(a), large), x))


def erfc(x):
    a = fabs(x)
    e = _erfc_positive(clamp(a, 0.25, 27.4))
    small = a < 0.25
    result = sel(small, 1.0 - _erf_small(sel(small, x, 0.0)), sel(x < 0.0, 2.0 - e, e))
    return sel(x != x, x, result)
