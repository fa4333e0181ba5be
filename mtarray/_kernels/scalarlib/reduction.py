"""Reduction of any finite float by pi/2 without a branch (after Payne and Hanek, in floating point).

x = xs 2^E with E a multiple of 32 and |xs| < 2^32; xs times (2^E 2/pi mod 2^w) is the quotient modulo 4 when 2^w xs is always
a multiple of 4. That factor stands in a table, cut into float64 parts.

float64: w = 54, four parts of 53 bits, the quotient to an absolute 2^-119; no float64 comes closer to a multiple of pi/2 than
about 2^-61, so the remainder keeps more than 53 bits. float32: w = 25, five parts of 29 bits, whose products are exact.
"""

from functools import cache
from math import ldexp

from llvmlite import ir

from . import coefficients as K
from .primitives import (
    F8,
    Value,
    bits,
    fabs,
    fast_sum,
    fma,
    pow2,
    rint,
    sel,
    shift_int,
    shifted,
    to_f4,
    to_f8,
    two_product,
    two_sum,
    widen,
)

_STEP = 32


def _pi(precision):
    """floor(pi 2^precision) by Machin's formula."""

    def arctan_inverse(n, one):
        total = term = one // n
        k, sign = 3, -1
        while term:
            term //= n * n
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    one = 1 << (precision + 32)
    return 4 * (4 * arctan_inverse(5, one) - arctan_inverse(239, one)) >> 32


@cache
def table(rows, modulo, count, width):
    """`rows` tuples of `count` floats of at most `width` bits that sum to (2^(32 row) 2/pi) mod 2^modulo."""
    fraction = count * width + 8
    precision = _STEP * rows + fraction + 64
    two_over_pi = (1 << (2 * precision + 1)) // _pi(precision)
    out = []
    for j in range(rows):
        v = ((two_over_pi << (_STEP * j)) >> (precision - fraction)) & ((1 << (fraction + modulo)) - 1)
        parts = []
        for _ in range(count):
            drop = max(0, v.bit_length() - width)
            high = v >> drop
            parts.append(ldexp(high, drop - fraction))
            v -= high << drop
        out.append(tuple(parts))
    return tuple(out)


def _lookup(index, rows):
    """The parts of a row, by a tree of selects: a load at a computed address would keep the loop from vectorising."""
    row_bits = [(index & (1 << level)) != 0 for level in range(len(rows).bit_length() - 1)]
    found = []
    for column in zip(*rows, strict=True):
        values = [Value(index.b, ir.Constant(F8, v)) for v in column]
        for bit in row_bits:
            values = [sel(bit, high, low) for low, high in zip(values[::2], values[1::2], strict=True)]
        found.append(values[0])
    return found


def _row_and_rest(x, rows):
    """(row, xs) of float64 x."""
    exponent = (bits(fabs(x)) >> 52) - 1023
    row = sel(exponent < 0, exponent.const(0), exponent >> 5)
    row = sel(row > rows - 1, row.const(rows - 1), row)
    return row, x * pow2(-(row << 5))


def _modulo_four(x):
    return x - 4.0 * rint(0.25 * x)


def reduce_any(x):
    """x = n pi/2 + r + rl for any finite x; n in the low bits of the integer. NaN and infinities give NaN."""
    row, xs = _row_and_rest(x, 32)
    t1, t2, t3, t4 = _lookup(row, table(32, 54, 4, 53))
    p1, e1 = two_product(xs, t1)
    p2, e2 = two_product(xs, t2)
    p3, e3 = two_product(xs, t3)
    a, b1 = two_sum(_modulo_four(p1), _modulo_four(e1))
    a, b2 = two_sum(a, _modulo_four(p2))
    t, n = shifted(a)
    h, l1 = two_sum(a - n, e2)
    b, bl = two_sum(b1, b2)
    h, l2 = two_sum(h, b)
    h, l3 = two_sum(h, p3)
    h, l = two_sum(h, ((l1 + l2) + l3) + (bl + (e3 + xs * t4)))
    r = h * K.PIO2_1
    return shift_int(t), r, fma(h, K.PIO2_1, -r) + fma(h, K.PIO2_2, l * K.PIO2_1)


def reduce_any_single(x):
    """The same for float32 x; n as int32, r and rl float32."""
    row, xs = _row_and_rest(to_f8(x), 4)
    p1, p2, p3, p4, p5 = (xs * part for part in _lookup(row, table(4, 25, 5, 29)))
    a, b = two_sum(_modulo_four(p1), _modulo_four(p2))
    a, c = two_sum(a, p3)
    t, n = shifted(a)
    h, l = fast_sum(a - n, p4)
    exact = (h + ((l + (b + c)) + p5)) * K.PIO2_1
    r = to_f4(exact)
    return widen(bits(t), 32), r, to_f4(exact - to_f8(r))
