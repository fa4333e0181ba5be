"""Integer arithmetic as NumPy defines it: floor division and the divisor's sign, 0 for a zero divisor, wrapping otherwise."""

from .primitives import I8, Value, floor, rint, sel, signed, to_f4, to_f8, to_int, unsigned, widen

SIGNED = ("i1", "i2", "i4", "i8")
UNSIGNED = ("u1", "u2", "u4", "u8")
INTEGERS = SIGNED + UNSIGNED


def _back(q, like):
    """An integral float as an integer of the type of `like`; by int64, so that -(MIN) wraps instead of saturating."""
    i = widen(to_int(q, 64 if like.type.width == 32 else 32), like.type.width)
    return unsigned(i) if like.unsigned else i


def _divmod_narrow(a, b):
    """At most 32 bits: the quotient rounded to float32 (8, 16 bits) or float64 never reaches an integer from below."""
    zero = b == 0
    to_float = to_f8 if a.type.width == 32 else to_f4
    d = sel(zero, b.const(1), b)
    q = _back(floor(to_float(a) / to_float(d)), a)
    return zero, q, a - q * d


def _divmod_i8(a, b):
    zero = b == 0
    d = sel(zero, b.const(1), b)
    rb = 1.0 / to_f8(d)
    q = to_int(to_f8(a) * rb * (1.0 - 2.0**-52))
    r = a - q * d  # wraps to the exact remainder of this quotient
    q1 = to_int(rint(to_f8(r) * rb))
    q = q + q1
    r = r - q1 * d
    # now |r| <= |d| (1/2 + tiny): give it the divisor's sign
    low = (r != 0) & ((r ^ d) < 0)
    return zero, sel(low, q - 1, q), sel(low, r + d, r)


def _to_unsigned(x):
    return Value(x.b, x.b.fptoui(x.v, I8), x.of, True)


def _divmod_u8(a, b):
    # Two quotients that fall short (by less than 2^-49 of themselves), then at most one more.
    zero = b == 0
    d = sel(zero, b.const(1), b)
    rb = (1.0 - 2.0**-51) / to_f8(d)
    q = _to_unsigned(to_f8(a) * rb * (1.0 - 2.0**-52))
    r = a - q * d
    q1 = _to_unsigned(to_f8(r) * rb)
    q = q + q1
    r = r - q1 * d
    more = r >= d
    return zero, sel(more, q + 1, q), sel(more, r - d, r)


def _divmod(a, b):
    if a.type.width < 64:
        return _divmod_narrow(a, b)
    return _divmod_u8(a, b) if a.unsigned else _divmod_i8(a, b)


def floor_divide(a, b):
    zero, q, _ = _divmod(a, b)
    return sel(zero, q.const(0), q)


def remainder(a, b):
    zero, _, r = _divmod(a, b)
    return sel(zero, r.const(0), r)


def fmod(a, b):
    """Remainder with the sign of `a`."""
    r = remainder(a, b)
    if a.unsigned:
        return r
    return sel((r != 0) & ((r ^ a) < 0), r - b, r)


def fabs(a):
    """|a|; the lowest value stays itself."""
    return a if a.unsigned else sel(a < 0, -a, a)


def sign(a):
    positive = sel(a > 0, a.const(1), a.const(0))
    return positive if a.unsigned else sel(a < 0, a.const(-1), positive)


def maximum(a, b):
    return sel(a > b, a, b)


def minimum(a, b):
    return sel(a < b, a, b)


def same(a):
    """floor, ceil, trunc and rint of an integer."""
    return a


def square(a):
    return a * a


def _loop(state, condition, step):
    """`while condition(*state): state = step(*state)` as a real loop: such a kernel does not vectorise."""
    b = state[0].b
    before = b.block
    head, body, after = (b.append_basic_block(n) for n in ("loop.head", "loop.body", "loop.after"))
    b.branch(head)
    b.position_at_end(head)
    phis = []
    for s in state:
        phi = b.phi(s.type)
        phi.add_incoming(s.v, before)
        phis.append(phi)
    now = [Value(b, p, s.of, s.unsigned) for p, s in zip(phis, state, strict=True)]
    b.cbranch(condition(*now).v, body, after)
    b.position_at_end(body)
    following = step(*now)
    for phi, f in zip(phis, following, strict=True):
        phi.add_incoming(f.v, b.block)
    b.branch(head)
    b.position_at_end(after)
    return now


def gcd(a, b):
    """Greatest common divisor of |a| and |b| (Euclid's; gcd(0, 0) = 0)."""
    was_unsigned = a.unsigned
    a, b = unsigned(fabs(a)), unsigned(fabs(b))

    def step(x, y):
        return y, Value(x.b, x.b.urem(x.v, y.v), x.of, True)

    g = _loop([a, b], lambda x, y: y != 0, step)[0]
    return g if was_unsigned else signed(g)


def lcm(a, b):
    """Least common multiple of |a| and |b|, wrapping; 0 if either is 0."""
    g = unsigned(gcd(a, b))
    m = unsigned(fabs(a))
    quotient = Value(m.b, m.b.udiv(m.v, sel(g == 0, g.const(1), g).v), m.of, True)
    result = quotient * unsigned(fabs(b))
    return result if a.unsigned else signed(result)


def pow(a, n):
    """a**n by squaring, wrapping; a negative n is the caller's error (1 here)."""

    def step(result, base, k):
        return sel((k & 1) != 0, result * base, result), base * base, k >> 1

    return _loop([a.const(1), a, n], lambda r, base, k: k > 0, step)[0]


def power_of(a, n):
    """`pow`, and for a negative n the whole part of the quotient 1 / a**-n: 1, -1 or 0 (0 too for a = 0)."""
    result = pow(a, n)
    if a.unsigned:
        return result
    unit = sel(a == 1, a, sel(a == -1, sel((n & 1) != 0, a, -a), a.const(0)))
    return sel(n < 0, unit, result)
