"""Functions that act on the bits, the sign or the order of a float: exact, and the same program for both float types."""

from .primitives import F4, INF, NAN, bits, copysign, fabs, floor, fma, from_bits, pow2, sel, trunc, widen

_MANTISSA = {True: (23, 127), False: (52, 1023)}


def _format(x):
    """(mantissa bits, exponent bias) of x's type."""
    return _MANTISSA[x.type is F4]


def isnan(x):
    return x != x


def isinf(x):
    return fabs(x) == INF


def isfinite(x):
    return fabs(x) < INF


def signbit(x):
    return bits(x) < 0


def sign(x):
    """-1, 0 (+0 of either zero), 1 or NaN."""
    return sel(x == 0.0, 0.0, sel(x != x, x, copysign(1.0, x)))


def maximum(a, b):
    """The larger one; NaN if either is; +0 over -0 as it comes (both are equal)."""
    return sel((a >= b) | (a != a), a, b)


def minimum(a, b):
    return sel((a <= b) | (a != a), a, b)


def fmax(a, b):
    """The larger one; a NaN loses."""
    return sel((a >= b) | (b != b), a, b)


def fmin(a, b):
    return sel((a <= b) | (b != b), a, b)


def nextafter(x, y):
    """The next float after x towards y."""
    ix = bits(x)
    away = (x < y) == (x > 0.0)  # towards a larger magnitude
    step = sel_int(away, 1, -1, ix)
    moved = from_bits(ix + step)
    from_zero = copysign(from_bits(ix.const(1)), y)
    result = sel(x == y, y, sel(x == 0.0, from_zero, moved))
    return sel((x != x) | (y != y), x + y, result)


def sel_int(cond, a, b, like):
    """`sel` of two integer constants in the type of `like`."""
    return sel(cond, like.const(a), like.const(b))


def frexp(x):
    """(m, e) with x = m 2^e and 1/2 <= |m| < 1; zeros, infinities and NaN give themselves and 0; e is int32."""
    mantissa, bias = _format(x)
    a = fabs(x)
    small = a < 2.0 ** (1 - bias)
    ix = bits(sel(small, a * 2.0 ** (mantissa + 2), a))
    e = (ix >> mantissa) - (bias - 1)
    e = sel(small, e - (mantissa + 2), e)
    m = copysign(from_bits((ix & ((1 << mantissa) - 1)) | ((bias - 1) << mantissa)), x)
    plain = (x == 0.0) | ~(a < INF)
    return sel(plain, x, m), widen(sel(plain, e.const(0), e), 32)


def ldexp(x, n):
    """x 2^n for an int64 n, rounded once.

    Three factors: the first two bring every result that is still normal to its place exactly, the last one rounds.
    """
    mantissa, bias = _format(x)
    width = 32 if x.type is F4 else 64
    limit = 3 * bias
    n = widen(sel(n > limit, n.const(limit), sel(n < -limit, n.const(-limit), n)), width)
    # A multiple of 1/3 each way never leaves the normal exponents; growing first keeps subnormals exact.
    frac, e = frexp(x)
    total = widen(e, width) + n
    low = 2 - bias
    normal = sel(total > bias + 1, total.const(bias + 1), sel(total < low, total.const(low), total))
    rest = total - normal
    rest = sel(rest > 2, rest.const(2), sel(rest < -(mantissa + 3), rest.const(-(mantissa + 3)), rest))
    half = normal >> 1
    y = frac * pow2(half) * pow2(normal - half) * pow2(rest)
    return sel((x == 0.0) | ~(fabs(x) < INF), x, y)


def modf(x):
    """(fraction, whole), both with the sign of x."""
    whole = trunc(x)
    part = sel(fabs(x) == INF, 0.0, x - whole)
    return copysign(part, x), whole


def square(x):
    return x * x


def reciprocal(x):
    return 1.0 / x


def divide(x, y):
    return x / y


def heaviside(x, at_zero):
    return sel(x == 0.0, at_zero, sel(x != x, x, sel(x < 0.0, 0.0, x.const(1.0))))


def floor_divide(x, y):
    """floor(x / y) of the exact quotient; infinite operands as `floor` of their IEEE quotient."""
    q = floor(x / y)
    r = fma(-q, y, x)
    # The rounded quotient may have reached the integer above the exact one: the remainder then opposes the divisor.
    return sel((r != 0.0) & ((bits(r) ^ bits(y)) < 0) & (r == r), q - 1.0, q)


def _truncated(x, y):
    """x - trunc(x / y) y, exact, the quotient possibly one too far; NaN where |x / y| >= 2^52 (2^23)."""
    q = x / y
    r = fma(-trunc(q), y, x)
    r = sel((fabs(y) == INF) & isfinite(x), x, r)
    return sel(fabs(q) < 2.0 ** _format(x)[0], r, NAN)


def remainder(x, y):
    """Remainder with the sign of y; NaN where |x / y| >= 2^52: see `full`."""
    return remainder_from(_truncated(x, y), y)


def remainder_from(r, y):
    """The remainder with the sign of y from one of either sign."""
    opposed = (bits(r) ^ bits(y)) < 0
    return sel(r == 0.0, copysign(0.0, y), sel(opposed, r + y, r))


def fmod(x, y):
    """Remainder with the sign of x; NaN where |x / y| >= 2^52: see `full`."""
    r = _truncated(x, y)
    opposed = (bits(r) ^ bits(x)) < 0
    return sel(r == 0.0, copysign(0.0, x), sel(opposed, r + copysign(y, x), r))
