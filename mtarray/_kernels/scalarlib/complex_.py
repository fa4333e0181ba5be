"""Complex functions in two float64 parts (complex64 computes here and rounds once).

Special values and branch cuts are the array API standard's, which are C's Annex G; a zero's sign chooses the side of a cut.
Real and imaginary part come from real functions whose errors are small relative to the part, or, where parts cancel, relative to
the result's absolute value. Everything is branch-free; angles of any size are reduced by `reduction`.
"""

from . import coefficients as K
from . import exp_log, hyperbolic, power, trig
from .binding import Complex
from .primitives import (
    INF,
    NAN,
    bits,
    clamp,
    copysign,
    fabs,
    fast_sum,
    fma,
    pow2,
    rint,
    scale,
    sel,
    sqrt,
    two_product,
    two_sum,
)
from .reduction import reduce_any

HALF_PI, PI = K.PIO2_1, K.PI_H


def finite(x):
    return fabs(x) < INF


def larger_smaller(a, b):
    a, b = fabs(a), fabs(b)
    swap = b > a
    return sel(swap, b, a), sel(swap, a, b)


def times_i(z):
    return Complex(-z.im, z.re)


def times_minus_i(z):
    return Complex(z.im, -z.re)


def select(cond, z, w):
    return Complex(sel(cond, z.re, w.re), sel(cond, z.im, w.im))


def sin_cos(b):
    """(sin b, cos b) of any float; NaN of infinities."""
    k, r, rl = reduce_any(b)
    return _sin_cos_reduced(b, k, r, rl)


def _sin_cos_reduced(b, k, r, rl):
    s, st, c, ct = trig.sin_cos_parts(r, rl)
    s, c = s + st, c + ct
    odd = trig.is_odd(k)
    sine = trig.flip_sign(sel(odd, c, s), k << 62)
    return sel(fabs(b) < trig.TINY, b, sine), trig.flip_sign(sel(odd, s, c), (k + 1) << 62)


# -- arithmetic ---------------------------------------------------------------------------------------------------------


def magnitude(z):
    return power.hypot(z.re, z.im)


def square(z):
    return Complex((z.re - z.im) * (z.re + z.im), 2.0 * z.re * z.im)


def _scaling(m):
    """(factor, its inverse) that bring a magnitude between 2^-400 and 2^500."""
    large, small = m > 2.0**500, m < 2.0**-400
    return sel(large, 2.0**-600, sel(small, 2.0**600, 1.0)), sel(large, 2.0**600, sel(small, 2.0**-600, 1.0))


def _sum_of_products(a, b, c, d):
    """a b + c d to within two units of its last place, however it cancels (Kahan)."""
    p, e = two_product(c, d)
    return fma(a, b, p) + e


def divide(z, w):
    """Quotient scaled against overflow; infinities, NaN and zero divisors as NumPy's division has them.

    That is: each part over +0 where the divisor is zero, zeros for finite / infinite if one part of the divisor is finite, the
    infinities of z conj(w) for infinite / finite, and NaN + NaN j otherwise.
    """
    m, _ = larger_smaller(w.re, w.im)
    n, _ = larger_smaller(z.re, z.im)
    f, _ = _scaling(m)
    g, g_inverse = _scaling(n)
    a, b, c, d = z.re * g, z.im * g, w.re * f, w.im * f
    norm = _sum_of_products(c, c, d, d)
    factor = f * g_inverse  # at most 2^1200: in two steps below
    re = _sum_of_products(a, c, b, d) / norm
    im = _sum_of_products(b, c, -a, d) / norm
    wide = fabs(sel(f == 1.0, 0.0, 1.0)) + sel(g_inverse == 1.0, 0.0, 1.0) > 1.5
    re = sel(wide, (re * f) * g_inverse, re * factor)
    im = sel(wide, (im * f) * g_inverse, im * factor)
    zero_divisor = (w.re == 0.0) & (w.im == 0.0)
    re = sel(zero_divisor, INF * z.re, re)
    im = sel(zero_divisor, INF * z.im, im)
    # Directions of the infinite operand's parts; where neither case holds the above is NaN already.
    w_fin = isfinite(w)
    up = isinf(z) & ~isnan(z) & w_fin & ~zero_divisor
    down = isfinite(z) & ((finite(w.re) & (fabs(w.im) == INF)) | (finite(w.im) & (fabs(w.re) == INF)))
    a1, b1 = (sel(fabs(v) == INF, v, 0.0) for v in (z.re, z.im))
    c1, d1 = (copysign(sel(fabs(v) == INF, 1.0, 0.0), v) for v in (w.re, w.im))
    re = sel(up, a1 * w.re + b1 * w.im, sel(down, 0.0 * (z.re * c1 + z.im * d1), re))
    im = sel(up, b1 * w.re - a1 * w.im, sel(down, 0.0 * (z.im * c1 - z.re * d1), im))
    return Complex(re, im)


def reciprocal(z):
    return divide(Complex(z.re.const(1.0), z.re.const(0.0)), z)


def sign(z):
    """z / |z|; 0 of 0, NaN + NaN j of NaN and infinities."""
    m, _ = larger_smaller(z.re, z.im)
    f, _ = _scaling(m)
    a, b = z.re * f, z.im * f
    r = power.hypot(a, b)
    zero = (z.re == 0.0) & (z.im == 0.0)
    bad = (z.re != z.re) | (z.im != z.im)
    return Complex(sel(bad, NAN, sel(zero, 0.0, a / r)), sel(bad, NAN, sel(zero, 0.0, b / r)))


def round_even(z):
    return Complex(rint(z.re), rint(z.im))


def isnan(z):
    return (z.re != z.re) | (z.im != z.im)


def isinf(z):
    return (fabs(z.re) == INF) | (fabs(z.im) == INF)


def isfinite(z):
    return finite(z.re) & finite(z.im)


# -- exponentials -------------------------------------------------------------------------------------------------------


def _from_polar(z, h, k, sine, cosine):
    """h 2^k (cosine + i sine), the exponential of z or its like: special values are those of exp.

    The exponent stays apart: h 2^k may overflow where h 2^k cosine does not, even in one step of `scale`.
    """
    a, b = z.re, z.im
    half = k >> 1
    re, im = (scale(scale(h * part, half), k - half) for part in (cosine, sine))
    im = sel(b == 0.0, b, im)
    unbounded = ~finite(b)
    re = sel(unbounded & (fabs(a) == INF), sel(a > 0.0, INF, 0.0), re)
    im = sel(unbounded & (a == -INF), copysign(0.0, b), im)
    return Complex(re, im)


def exp(z):
    s, c = sin_cos(z.im)
    k, h, l = exp_log.exp_parts(clamp(z.re, -1500.0, 1500.0))
    return _from_polar(z, h + l, k, s, c)


def exp2(z):
    # The angle Im z log(2) in two parts: its rounding would be large beside the result where it is large (beyond 2^52 it is all).
    b = z.im
    angle = b * K.LN2H
    tail = fma(b, K.LN2L, fma(b, K.LN2H, -angle))
    k, r, rl = reduce_any(angle)
    r, rl = two_sum(r, rl + sel(fabs(tail) < 1.0, tail, 0.0))
    s, c = _sin_cos_reduced(angle, k, r, rl)
    h, k = exp_log.exp2_parts(clamp(z.re, -2200.0, 2200.0))
    return _from_polar(z, h, k, s, c)


def expm1(z):
    a, b = z.re, z.im
    w = exp(z)
    half_sin, _ = sin_cos(0.5 * b)
    _, c = sin_cos(b)
    near = fma(exp_log.expm1(a), c, -2.0 * half_sin * half_sin) + 0.0  # -0 is no result
    re = sel(a < 40.0, near, w.re)
    re = sel(a == -INF, -1.0, sel(a != a, a, re))
    return Complex(re, w.im)


def _sinh_cosh(a):
    """(sinh a, cosh a) 2^-k and k, so that neither overflows for |a| <= 1400."""
    m = fabs(a)
    far = m > 40.0
    near = sel(far, 40.0, a)
    k, h, l = exp_log.exp_parts(sel(m > 1400.0, 1400.0, m))
    e = h + l
    none = k.const(0)
    return sel(far, copysign(e, a), hyperbolic.sinh(near)), sel(far, e, hyperbolic.cosh(near)), sel(far, k - 1, none)


def sinh(z):
    a, b = z.re, z.im
    s, c = sin_cos(b)
    sh, ch, k = _sinh_cosh(a)
    re, im = scale(sh * c, k), scale(ch * s, k)
    re = sel(((a == 0.0) | (fabs(a) == INF)) & ~finite(b), a, re)
    return Complex(re, sel(b == 0.0, b, im))


def cosh(z):
    a, b = z.re, z.im
    s, c = sin_cos(b)
    sh, ch, k = _sinh_cosh(a)
    re, im = scale(ch * c, k), scale(sh * s, k)
    re = sel((fabs(a) == INF) & ~finite(b), INF, re)
    zero = ((a == 0.0) & ~finite(b)) | ((b == 0.0) & (a != a))
    return Complex(re, sel(zero, copysign(0.0, copysign(1.0, a) * copysign(1.0, b)), im))


def tanh(z):
    # (sinh a cosh a + i sin b cos b) / (sinh^2 a + cos^2 b); at |a| = 350 the imaginary part is below 1e-300.
    a, b = z.re, z.im
    s, c = sin_cos(b)
    m = sel(fabs(a) > 350.0, copysign(350.0, a), a)
    sh, ch = hyperbolic.sinh(m), hyperbolic.cosh(m)
    norm = fma(sh, sh, c * c)
    re, im = sh * ch / norm, s * c / norm
    infinite = fabs(a) == INF
    re = sel(a == 0.0, a, sel(infinite | ((fabs(a) > 20.0) & finite(b)), copysign(1.0, a), re))
    # At infinity the standard has 1 + 0j for every positive b, whatever the sign of sin(2 b).
    im = sel(infinite, copysign(0.0, b), sel(b == 0.0, b, im))
    return Complex(re, im)


def sin(z):
    return times_minus_i(sinh(times_i(z)))


def cos(z):
    return cosh(times_i(z))


def tan(z):
    return times_minus_i(tanh(times_i(z)))


# -- logarithms ---------------------------------------------------------------------------------------------------------


def _norm_parts(a, b, al=None):
    """(u, ul, e): a^2 + b^2 = (u + ul) 4^e of scaled parts; `al` is a's tail where a is a sum."""
    m, n = larger_smaller(a, b)
    large, small = m > 2.0**500, m < 2.0**-400
    f = sel(large, 2.0**-600, sel(small, 2.0**600, 1.0))
    e = sel(large, 600.0, sel(small, -600.0, 0.0))
    m, n = m * f, n * f
    mm, nn = m * m, n * n
    u, ul = fast_sum(mm, nn)
    ul = ul + (fma(m, m, -mm) + fma(n, n, -nn))
    if al is not None:
        ul = ul + 2.0 * (a * f) * (al * f)
    return u, ul, e


def _half_log(u, ul):
    """log(u + ul) / 2 = e log(2) / 2 + s + t: (e, s, t), a tail of more than one unit allowed."""
    u, ul = fast_sum(u, ul)
    normal = (u > 0.0) & finite(u)
    ef, m, e = exp_log.split(sel(normal, u, 1.0))
    s, t = exp_log.half_log(m, sel(normal, ul, 0.0) * pow2(-e))
    return ef, s, t


def log_magnitude(a, b, al=None):
    """log |a + bi|."""
    u, ul, scaled = _norm_parts(a, b, al)
    ef, s, t = _half_log(u, ul)
    result = 0.5 * exp_log.log_join(ef + 2.0 * scaled, s, t)
    result = sel(u == 0.0, -INF, result)
    result = sel((a != a) | (b != b), NAN, result)
    return sel((fabs(a) == INF) | (fabs(b) == INF), INF, result)


def log(z):
    return Complex(log_magnitude(z.re, z.im), trig.atan2(z.im, z.re))


def _scaled_log(z, factor):
    w = log(z)
    return Complex(w.re * factor, w.im * factor)


def log2(z):
    return _scaled_log(z, K.LOG2E)


def log10(z):
    return _scaled_log(z, 0.5 * K.LOG10E2)


def log1p(z):
    a, b = z.re, z.im
    x, xl = two_sum(a.const(1.0), a)
    xl = sel(finite(xl), xl, 0.0)
    near = (fabs(a) < 0.5) & (fabs(b) < 0.5)
    t = sel(near, fma(a, 2.0 + a, b * b), 0.0)
    re = sel(near, 0.5 * exp_log.log1p(t), log_magnitude(x, b, xl))
    re = sel((a == 0.0) & (b == 0.0), a, re)  # -0 of -0, as the real function
    return Complex(re, trig.atan2(b, x))


# -- roots and powers ---------------------------------------------------------------------------------------------------


def _sqrt_finite(a, b):
    """Root of a + bi with the larger part between 2^-400 and 2^500."""
    h = power.hypot(a, b)
    m = sqrt(0.5 * (fabs(a) + h))
    n = sel(m == 0.0, 0.0, 0.5 * b / sel(m == 0.0, 1.0, m))
    positive = bits(a) >= 0
    return sel(positive, m, fabs(n)), sel(positive, n, copysign(m, b))


def sqrt_(z):
    a, b = z.re, z.im
    m, _ = larger_smaller(a, b)
    large, small = m > 2.0**500, m < 2.0**-400
    f = sel(large, 2.0**-600, sel(small, 2.0**600, 1.0))
    unscale = sel(large, 2.0**300, sel(small, 2.0**-300, 1.0))
    re, im = _sqrt_finite(a * f, b * f)
    re, im = re * unscale, im * unscale
    zero = (a == 0.0) & (b == 0.0)
    re, im = sel(zero, 0.0, re), sel(zero, b, im)
    bad_b, right = b != b, a == INF
    left = a == -INF
    re = sel(right, INF, sel(left, sel(bad_b, NAN, 0.0), re))
    im = sel(left, copysign(INF, b), sel(right, sel(bad_b, NAN, copysign(0.0, b)), im))
    nan = (a != a) | (bad_b & finite(a))
    re, im = sel(nan, NAN, re), sel(nan, NAN, im)
    upward = fabs(b) == INF
    return Complex(sel(upward, INF, re), sel(upward, b, im))


def _atan2_parts(y, x):
    """atan2(y, x) as h + l for finite arguments that are not both 0."""
    ay, ax = fabs(y), fabs(x)
    swap = ay > ax
    n, d = sel(swap, ax, ay), sel(swap, ay, ax)
    k, _ = _scaling(d)
    h, l = trig.atan_ratio(n * k, sel(d == 0.0, 1.0, d * k))
    left = bits(x) < 0
    turn = sel(swap, -1.0, 1.0)
    turn = sel(left, -turn, turn)
    base = sel(swap, K.PIO2_1, sel(left, K.PI_H, 0.0))
    base_l = sel(swap, K.PIO2_2, sel(left, K.PI_L, 0.0))
    g, gl = two_sum(base, turn * h)
    up = copysign(1.0, y)
    return up * g, up * (gl + fma(turn, l, base_l))


def _product_sum(a, al, b, bl, c, cl, d, dl):
    """(a + al)(b + bl) + (c + cl)(d + dl) in two parts."""
    p, pe = two_product(a, b)
    q, qe = two_product(c, d)
    s, e = two_sum(p, q)
    return s, e + ((pe + fma(a, bl, al * b)) + (qe + fma(c, dl, cl * d)))


def pow(z, w):
    """exp(w log z) with the logarithm and its product in two parts.

    z**0 is 1; NaN + NaN j of operands that are not finite; 0**w is 0 where w has a positive real part, else NaN + NaN j.
    """
    a, b = z.re, z.im
    u, ul, scaled = _norm_parts(a, b)
    ef, s, t = _half_log(u, ul)
    e = 0.5 * ef + scaled
    lr, lrl = two_sum(e * K.LN2E, s)
    lrl = lrl + fma(e, K.LN2F, t)
    li, lil = _atan2_parts(b, a)
    zero = lr.const(0.0)
    x, xl = _product_sum(w.re, zero, lr, lrl, -w.im, zero, li, lil)
    y, yl = _product_sum(w.re, zero, li, lil, w.im, zero, lr, lrl)
    x, xl = two_sum(x, xl)
    y, yl = two_sum(y, yl)
    fine = finite(xl) & finite(yl)
    # The tails turn exp and the angle by a relative and an absolute small amount.
    tail_x, tail_y = sel(fine, xl, 0.0), sel(fine, yl, 0.0)
    k, r, rl = reduce_any(y)
    r, rl = two_sum(r, rl + tail_y)
    sine, cosine = _sin_cos_reduced(y, k, r, rl)
    sine = sel(fabs(y) < trig.TINY, y, sine)
    n, h, l = exp_log.exp_parts(sel(x > 1400.0, 1400.0, sel(x < -1400.0, -1400.0, x)))
    m = h + fma(h, tail_x, l)
    re, im = scale(m * cosine, n), scale(m * sine, n)
    im = sel((y == 0.0) & (yl == 0.0), y, im)
    unbounded = ~finite(y)
    re = sel(unbounded & (x == -INF), 0.0, re)
    im = sel(unbounded & (x == -INF), 0.0, im)
    base_zero = (a == 0.0) & (b == 0.0)
    re = sel(base_zero, 0.0, re)
    im = sel(base_zero, 0.0, im)
    none = ~(isfinite(z) & isfinite(w)) | (base_zero & ~(w.re > 0.0))
    re, im = sel(none, NAN, re), sel(none, NAN, im)
    one = (w.re == 0.0) & (w.im == 0.0)
    return Complex(sel(one, 1.0, re), sel(one, 0.0, im))


# -- inverse functions --------------------------------------------------------------------------------------------------


def _near_cut_roots(z):
    """(sqrt(1 - z), sqrt(1 + z)) with 1 - z and 1 + z exact near the branch points."""
    return sqrt_(Complex(1.0 - z.re, -z.im)), sqrt_(Complex(1.0 + z.re, z.im))


_FAR = 2.0**60


def _log_twice(z):
    """log(2 |z|)."""
    return log_magnitude(z.re, z.im) + K.LN2H


def asin(z):
    """Kahan's form by two square roots; far away i log(2 z)."""
    a, b = z.re, z.im
    m, _ = larger_smaller(a, b)
    far = ~(m < _FAR)
    near = Complex(sel(far, 0.5, a), sel(far, 0.5, b))
    p, q = _near_cut_roots(near)
    re = trig.atan2(near.re, _sum_of_products(p.re, q.re, -p.im, q.im))
    im = hyperbolic.asinh(_sum_of_products(p.re, q.im, -p.im, q.re))
    re = sel(far, trig.atan2(a, fabs(b)), re)
    im = copysign(sel(far, _log_twice(z), im), b)
    bad_a, bad_b = a != a, b != b
    re = sel(bad_b, sel(a == 0.0, a, NAN), re)
    im = sel((bad_a | bad_b) & (fabs(a) != INF) & (fabs(b) != INF), NAN, im)
    return Complex(re, im)


def acos(z):
    a, b = z.re, z.im
    m, _ = larger_smaller(a, b)
    far = ~(m < _FAR)
    near = Complex(sel(far, 0.5, a), sel(far, 0.5, b))
    p, q = _near_cut_roots(near)
    re = 2.0 * trig.atan2(p.re, q.re)
    im = hyperbolic.asinh(_sum_of_products(q.re, p.im, -q.im, p.re))
    re = sel(far, trig.atan2(fabs(b), a), re)
    im = copysign(sel(far, _log_twice(z), im), -b)
    bad_a, bad_b = a != a, b != b
    re = sel(bad_b, sel(a == 0.0, HALF_PI, NAN), re)
    im = sel((bad_a | bad_b) & (fabs(a) != INF) & (fabs(b) != INF), NAN, im)
    return Complex(re, im)


def asinh(z):
    return times_minus_i(asin(times_i(z)))


def acosh(z):
    """i acos(z) or -i acos(z), whichever has a real part that is not negative."""
    w = acos(z)
    down = bits(z.im) < 0
    re, im = fabs(w.im), sel(down, -w.re, w.re)
    # The standard's exception: acosh(0 + NaN j) is NaN + pi/2 j
    im = sel((z.re == 0.0) & (z.im != z.im), HALF_PI, im)
    return Complex(re, im)


def atanh(z):
    a, b = fabs(z.re), z.im
    m, n = larger_smaller(a, b)
    far = ~(m < 2.0**100)
    x, y = sel(far, 0.5, a), sel(far, 0.5, b)
    gap = 1.0 - x
    # re = log(1 + 4 x / ((1 - x)^2 + y^2)) / 4. So near to 1 that y^2 vanishes it is log(2 / |y|) / 2, here of 2^100 y: the
    # quotient overflows where y is subnormal, and is large enough for the 1 of log1p to be lost.
    v = fabs(y)
    pole = (gap == 0.0) & (v < 2.0**-400) & (v > 0.0)
    t = sel(pole, 1.0, 4.0 * x) / sel(pole, v * 2.0**100, fma(gap, gap, y * y))
    re = exp_log.log1p(t) * sel(pole, 0.5, 0.25) + sel(pole, 50.5 * K.LN2H, 0.0)
    im = 0.5 * trig.atan2(2.0 * y, fma(gap, 1.0 + x, -y * y))
    # far: re = a / |z|^2
    ratio = n / m
    tiny = sel(m == INF, 0.0, (a / m) / m / fma(ratio, ratio, 1.0))
    re = sel(far, sel((fabs(b) == INF) | (a == INF), 0.0, tiny), re)
    im = sel(far, copysign(HALF_PI, b), im)
    bad_a, bad_b = a != a, b != b
    re = sel(bad_b & (a != 0.0) & (a != INF), NAN, sel(bad_a & (fabs(b) != INF), NAN, sel(bad_b & (a == 0.0), 0.0, re)))
    im = sel(bad_b | (bad_a & (fabs(b) != INF)), NAN, im)
    return Complex(copysign(re, z.re), im)


def atan(z):
    return times_minus_i(atanh(times_i(z)))
