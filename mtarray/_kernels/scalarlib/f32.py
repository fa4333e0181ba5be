"""Native float32 cores: twice the lanes of float64. Only what cancels passes through float64.

Where one rounding too many would show, a value is kept as an unevaluated sum. All stay below 2 ULP.
"""

from . import coefficients as K
from .exp_log import exp_normal, log_tail
from .power import pow_program
from .primitives import (
    INF,
    NAN,
    bits,
    clamp,
    copysign,
    fabs,
    fast_sum,
    flip_sign,
    fma,
    from_bits,
    horner,
    int_to_float,
    poly,
    pow2,
    scale,
    sel,
    shift_int,
    shifted,
    shifted_fma,
    sqrt,
    to_f4,
    to_f8,
    two_product,
    two_sum,
)

TRIG_MAX = 2.0**18  # the quotient by pi is good to a hundredth of a turn
_SQRT_HALF = 0x3F3504F3
_MIN_NORMAL = 2.0**-126


# -- exponentials -------------------------------------------------------------------------------------------------------


def _exp_reduce(x):
    """x = k ln2 + r (r rounded once), k as int32."""
    t, n = shifted_fma(x, K.LOG2E)
    return shift_int(t), fma(-n, K.LN2L_S, fma(-n, K.LN2H_S, x))


def _exp_parts(x):
    """exp(x) = (h + l) 2^k."""
    k, r = _exp_reduce(x)
    a = fma(r * r, poly(r, K.EXP_S), r)
    h = a + 1.0
    return k, h, a - (h - 1.0)


def exp(x):
    k, r = _exp_reduce(clamp(x, -104.0, 89.0))
    return scale(fma(r * r, poly(r, K.EXP_S), r) + 1.0, k)


def exp2(x):
    x = clamp(x, -151.0, 129.0)
    t, n = shifted(x)
    f = x - n
    return scale(fma(f, poly(f, K.EXP2_S), 1.0), shift_int(t))


def expm1(x):
    k, r = _exp_reduce(clamp(x, -20.0, 89.0))
    s = pow2(k - 1)  # half the result, so that 2^128 is no special case
    h, l = fast_sum(s - 0.5, s * r)
    result = 2.0 * (h + fma(s, r * r * poly(r, K.EXP_S), l))
    return sel(fabs(x) < 2.0**-25, x, result)


def sinh(x):
    # e^a / 2 - 1 / (2 e^a) beyond 1, where nothing cancels; an odd polynomial below
    a = fabs(x)
    k, h, l = _exp_parts(sel(a > 89.45, 89.45, a))
    s = pow2(k - 2)
    e = h * s
    large = 2.0 * (e + fma(s, l, -0.0625 / e))
    z = x * x
    return sel(a < 1.0, fma(x * z, poly(z, K.SINH_S), x), sel(x != x, x, copysign(large, x)))


def cosh(x):
    a = fabs(x)
    k, h, l = _exp_parts(sel(a > 89.45, 89.45, a))
    s = pow2(k - 2)
    e = h * s
    return 2.0 * (e + fma(s, l, 0.0625 / e))


def tanh(x):
    # 1 - 2 / (e^2a + 1) beyond 0.625, where the quotient is the smaller part; an odd polynomial below
    a = fabs(x)
    c = sel(a > 9.5, 9.5, a)
    t, n = shifted_fma(c, 2 * K.LOG2EH_S)
    f = fma(c, 2 * K.LOG2EL_S, fma(c, 2 * K.LOG2EH_S, -n))
    e = fma(f, poly(f, K.EXP2_S), 1.0)
    large = 1.0 - 2.0 / fma(e, pow2(shift_int(t)), 1.0)
    z = a * a
    return copysign(sel(a < 0.625, fma(a * z, poly(z, K.TANH_S), a), large), x)


def expit(x):
    # e / (1 + e) or 1 / (1 + e) with e = exp(-|x|), the quotient corrected by its residual
    k, h, l = _exp_parts(clamp(-fabs(x), -104.0, 0.0))
    e = scale(h, k)
    el = e * l
    d = 1.0 + e
    dl = (e - (d - 1.0)) + el
    negative = x < 0.0
    n = sel(negative, e, 1.0)
    rd = 1.0 / d
    y = n * rd
    return fma(fma(-y, dl, fma(-y, d, n) + sel(negative, el, 0.0)), rd, y)


# -- logarithms ---------------------------------------------------------------------------------------------------------


def _split(x):
    """x = 2^e (1 + f) for positive finite x, sqrt(1/2) <= 1 + f < sqrt(2): e as float32, f."""
    small = x < _MIN_NORMAL
    ix = bits(sel(small, x * 2.0**24, x))
    e = (ix - _SQRT_HALF) >> 23
    ef = int_to_float(e)
    return sel(small, ef - 24.0, ef), from_bits(ix - (e << 23)) - 1.0


def _log_special(x, result, pole=0.0):
    """-infinity at the pole, NaN below it; infinity and NaN themselves."""
    return sel(x <= pole, sel(x == pole, -INF, NAN), sel(x < INF, result, x))


def log(x):
    e, f = _split(x)
    return _log_special(x, fma(e, K.LN2H_S, f + fma(f * f, poly(f, K.LOG_S), e * K.LN2L_S)))


def log2(x):
    e, f = _split(x)
    return _log_special(x, e + fma(f, K.LOG2EH_S, f * f * poly(f, K.LOG2_S)))


def log10(x):
    e, f = _split(x)
    return _log_special(x, fma(e, K.LG2H_S, fma(f, K.LOG10EH_S, fma(f * f, poly(f, K.LOG10_S), e * K.LG2L_S))))


def _log_of_sum(u, ul, more=None):
    """log(u + ul) of a positive normal u; `more`: a whole number to add to the exponent."""
    ix = bits(u)
    e = (ix - _SQRT_HALF) >> 23
    # 2^-e; beyond 2^100 ul is of no consequence
    f = fma(ul, pow2(-sel(e > 100, e.const(100), e)), from_bits(ix - (e << 23)) - 1.0)
    ef = int_to_float(e)
    ef = ef if more is None else ef + more
    return fma(ef, K.LN2H_S, f + fma(f * f, poly(f, K.LOG_S), ef * K.LN2L_S))


def log1p(x):
    u = x + 1.0
    # x - (u - 1) is the error of u wherever that shows.
    return _log_special(x, copysign(_log_of_sum(u, x - (u - 1.0)), x), -1.0)


def _log_of_root_sum(a, offset):
    """log(a + sqrt(a^2 + offset)) where that is more than 1/2; beyond 2^30 log(2a)."""
    big = a > 2.0**30
    b = sel(big, 2.0, a)
    r = sqrt(fma(b, b, offset))
    u, ul = two_sum(r, b)
    return _log_of_sum(sel(big, a, u), sel(big, 0.0, ul), sel(big, 1.0, a.const(0.0)))


def asinh(x):
    a = fabs(x)
    z = a * a
    result = sel(a < 0.5625, fma(a * z, poly(z, K.ASINH_S), a), _log_of_root_sum(a, 1.0))
    return sel(a < INF, copysign(result, x), x)


def acosh(x):
    t = x - 1.0
    root = sqrt(2.0 * t)
    near = fma(root * t, poly(t, K.ACOSH_S), root)
    result = sel(t < 0.5, near, _log_of_root_sum(sel(x > 1.25, x, 1.25), -1.0))
    return sel(x < INF, sel(x >= 1.0, result, NAN), x)


def atanh(x):
    # log((1 + a)/(1 - a)) / 2 beyond 1/2, where 1 - a is exact
    a = fabs(x)
    z = a * a
    d = 1.0 - a
    n = 1.0 + a
    q = n / d
    far = 0.5 * _log_of_sum(q, ((a - (n - 1.0)) + fma(-q, d, n)) * q)
    far = sel(a < 1.0, far, sel(a == 1.0, INF, NAN))
    return copysign(sel(a < 0.5, fma(a * z, poly(z, K.ATANH_S), a), far), x)


def _logaddexp(a, b, unit):
    """Logarithm in units of log(`unit`) of unit^a + unit^b: a few float64 operations keep it right where it cancels."""
    a, b = to_f8(a), to_f8(b)
    m = sel(a > b, a, b)
    d = sel(a == b, 0.0, fabs(a - b)) * unit
    e = exp_normal(-sel(d > 700.0, 700.0, d))
    high = e > 0.41421356237309503
    f = sel(high, fma(0.5, e, -0.5), e)
    g = sel(high, K.LN2H, 0.0) + (f + log_tail(f))
    result = sel(fabs(m) == INF, m, m + g * (1.0 / unit))
    return to_f4(sel((a != a) | (b != b), NAN, result))


def logaddexp(a, b):
    return _logaddexp(a, b, 1.0)


def logaddexp2(a, b):
    return _logaddexp(a, b, K.LN2H)


def hypot(x, y):
    # The squares of float32 are exact in float64 and cannot overflow there.
    a, b = to_f8(x), to_f8(y)
    r = sqrt(fma(a, a, b * b))
    return to_f4(sel((fabs(a) == INF) | (fabs(b) == INF), INF, r))


# -- trigonometry -------------------------------------------------------------------------------------------------------


def _sin_part(r, z):
    return fma(r * z, poly(z, K.SIN_S), r)


def _cos_part(z):
    return fma(-0.5, z, 1.0) + z * z * poly(z, K.COS_S)


def sin_quadrant(k, r, rl):
    """sin(k pi/2 + r), the tail unused."""
    z = r * r
    return flip_sign(sel((k & 1) != 0, _cos_part(z), _sin_part(r, z)), k << 30)


def cos_quadrant(k, r, rl):
    """cos(k pi/2 + r), the tail unused."""
    z = r * r
    return flip_sign(sel((k & 1) != 0, _sin_part(r, z), _cos_part(z)), (k + 1) << 30)


def tan_quadrant(k, r, rl):
    """tan(k pi/2 + r + rl)."""
    z = r * r
    t = r + fma(r * z, poly(z, K.TAN_S), fma(rl, z, rl))
    odd = (k & 1) != 0
    return sel(odd, -1.0, t) / sel(odd, t, 1.0)


def _half_turns(a, n):
    """a - n pi for a whole or half n, which takes the first part away exactly."""
    return fma(-n, K.PI_T_S, fma(-n, K.PI_L_S, fma(-n, K.PI_H_S, a)))


def _sin_half_turn(r):
    """sin(r) for |r| <= pi/2: one polynomial instead of the quadrants' two."""
    z = r * r
    return fma(r * z, horner(z, K.SIN_HALF_TURN_S), r)


def sin(x):
    a = fabs(x)
    t, n = shifted_fma(a, K.PI_INV)
    result = flip_sign(_sin_half_turn(_half_turns(a, n)), (bits(t) << 31) ^ bits(x))
    return sel(a <= TRIG_MAX, result, NAN)


def cos(x):
    a = fabs(x)
    t, n = shifted(fma(a, K.PI_INV, -0.5))
    result = flip_sign(_sin_half_turn(_half_turns(a, n + 0.5)), (bits(t) + 1) << 31)
    return sel(a <= TRIG_MAX, result, NAN)


def tan(x):
    # the angle in two parts: the error of its rounding doubles at pi/4
    a = fabs(x)
    t, n = shifted_fma(a, K.TWO_PI_INV)
    w, wl = two_product(n, K.PIO2_2_S)
    r, rl = fast_sum(fma(-n, K.PIO2_1_S, a), -w)
    result = tan_quadrant(bits(t), r, fma(-n, K.PIO2_3_S, rl - wl))
    return sel(a <= TRIG_MAX, flip_sign(result, bits(x)), NAN)


def _atan_unit(q):
    """(q, atan(q) - q) for 0 <= q <= 1."""
    z = q * q
    return q, q * z * horner(z, K.ATAN_S)  # its terms alternate: two chains would cancel


def atan(x):
    a = fabs(x)
    inverted = a > 1.0
    q, t = _atan_unit(sel(inverted, 1.0 / a, a))
    g, gl = fast_sum(q.const(K.PIO2_1_S), -q)
    result = sel(inverted, g + (gl + (K.PIO2_2_S - t)), q + t)
    return sel(x != x, x, copysign(result, x))


def atan2(y, x):
    ay, ax = fabs(y), fabs(x)
    swap = ay > ax
    n, d = sel(swap, ax, ay), sel(swap, ay, ax)
    q = sel(n == d, sel(d == 0.0, 0.0, d.const(1.0)), n / d)
    q, t = _atan_unit(q)
    left = bits(x) < 0
    sign = sel(swap, -1.0, q.const(1.0))
    sign = sel(left, -sign, sign)
    base = sel(swap, K.PIO2_1_S, sel(left, K.PI_H_S, q.const(0.0)))
    base_l = sel(swap, K.PIO2_2_S, sel(left, K.PI_L_S, q.const(0.0)))
    g, gl = fast_sum(base, sign * q)
    result = copysign(g + (gl + fma(sign, t, base_l)), y)
    return sel((x != x) | (y != y), NAN, result)


def _asin_parts(a):
    """For 0 <= a <= 1: whether a <= 1/2, and asin(v) = v + t of v = a or v = sqrt((1 - a)/2)."""
    small = a <= 0.5
    z = sel(small, a * a, fma(-0.5, a, 0.5))
    v = sel(small, a, sqrt(z))
    return small, v, v * z * poly(z, K.ASIN_S)


def asin(x):
    a = fabs(x)
    small, v, t = _asin_parts(a)
    g, gl = fast_sum(v.const(K.PIO2_1_S), -2.0 * v)
    result = sel(small, v + t, g + (gl + (K.PIO2_2_S - 2.0 * t)))
    return sel(a <= 1.0, copysign(result, x), NAN)


def acos(x):
    a = fabs(x)
    small, v, t = _asin_parts(a)
    negative = x < 0.0
    sv = sel(small, sel(negative, v, -v), sel(negative, -2.0 * v, 2.0 * v))
    st = sel(small, sel(negative, t, -t), sel(negative, -2.0 * t, 2.0 * t))
    base = sel(small, K.PIO2_1_S, sel(negative, K.PI_H_S, v.const(0.0)))
    base_l = sel(small, K.PIO2_2_S, sel(negative, K.PI_L_S, v.const(0.0)))
    g, gl = fast_sum(base, sv)
    return sel(a <= 1.0, g + (gl + (base_l + st)), NAN)


# -- power, error function ----------------------------------------------------------------------------------------------


_POW_LOG = (K.LOG2E2_S, K.LOG2E2_3_S, (K.LOG2E2L_S, K.LOG2E2_3L_S, *K.POW_LOG_S))


def pow(x, y):
    return pow_program(x, y, _split, _POW_LOG, K.EXP2_S, 160.0)


def erf(x):
    a = fabs(x)
    z = a * a
    small = fma(a, poly(z, K.ERF_S), a)
    c = sel(a > 4.0, 4.0, a)
    k, r = _exp_reduce(poly(c, K.LOG_ERFC_S))
    large = 1.0 - (fma(r * r, poly(r, K.EXP_S), r) + 1.0) * pow2(k)
    return sel(x != x, x, copysign(sel(a < 0.921875, small, large), x))


def erfc(x):
    # exp(-a^2) erfcx(a) in float64, where a^2 is exact and every error of float32 size has room
    a = fabs(x)
    a = to_f8(sel(a > 10.2, 10.2, a))
    rd = 1.0 / (a + 2.0)
    z = -a * a
    t, n = shifted_fma(z, K.LOG2E)
    r = fma(-n, K.LN2H, z)
    e = (fma(r * r, poly(r, K.EXP_S), r) + 1.0) * pow2(shift_int(t))
    e = e * (rd * poly((a - 2.0) * rd, K.ERFC_F8))
    return to_f4(sel(x < 0.0, 2.0 - e, e))
