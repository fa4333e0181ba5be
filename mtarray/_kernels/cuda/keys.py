"""Elements as unsigned integers in the same order: what sorts and searches compare.

The word of an element is its bits, its key the word made to ascend: NaN is the greatest and -0.0 that of 0.0, as NumPy orders them.
Integers need no more than some bits flipped (`flip`), which also reverses an order. A complex element is two words, and has no single key.
"""

import numpy as np

DTYPES = tuple(map(np.dtype, "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split()))  # all there are
WIDTHS = (1, 2, 4, 8)  # bytes of a word


def word_of(dtype):
    """The dtype of the words of a dtype's elements (of their parts, if complex)."""
    return np.dtype(f"u{dtype.itemsize // 2 if dtype.kind == 'c' else dtype.itemsize}")


def is_float(dtype):
    return dtype.kind in "fc"


def flip_of(dtype, descending=False):
    """The bits that are flipped to make keys: as an int."""
    bits = 8 * word_of(dtype).itemsize
    return (1 << bits - 1 if dtype.kind == "i" else 0) ^ ((1 << bits) - 1 if descending else 0)


def _bits(width):
    """Of words of `width` bytes: the sign, all bits, infinity and a NaN."""
    sign = 1 << 8 * width - 1
    infinity = {4: 0x7F800000, 8: 0x7FF0000000000000}.get(width, 0)
    return sign, 2 * sign - 1, infinity, infinity | infinity >> 1


def encoder(target, width, floats):
    """A device function (word, flip) -> key."""
    U = target.type(np.dtype(f"u{width}"))
    sign, full, infinity, _ = _bits(width)
    SIGN, FULL, INFINITY, ABSOLUTE, ZERO = U(sign), U(full), U(infinity), U(full ^ sign), U(0)

    def encode(word, flip):
        key = word
        if floats:
            if U(word & ABSOLUTE) > INFINITY:
                key = FULL
            elif U(word & ABSOLUTE) == ZERO:
                key = SIGN
            elif U(word & SIGN) != ZERO:
                key = U(word ^ FULL)
            else:
                key = U(word ^ SIGN)
        return U(key ^ flip)

    return target.device(encode)


def decoder(target, width, floats):
    """A device function (key, flip) -> word. Zeros come without a sign, and NaN as the usual one."""
    U = target.type(np.dtype(f"u{width}"))
    sign, full, _, nan = _bits(width)
    SIGN, FULL, NAN, ZERO = U(sign), U(full), U(nan), U(0)

    def decode(key, flip):
        word = U(key ^ flip)
        if floats:
            if word == FULL:
                word = NAN
            elif U(word & SIGN) != ZERO:
                word = U(word ^ SIGN)
            else:
                word = U(word ^ FULL)
        return word

    return target.device(decode)
