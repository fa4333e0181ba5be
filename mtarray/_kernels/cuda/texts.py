"""What generated kernels have in common: conversions between dtypes, and the walk of several operands of one shape."""

import functools

import numpy as np

DTYPES = tuple(np.dtype(t) for t in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split())
_BOOL = DTYPES[0]


def types_of(target):
    """The types of a target by the names that generated text has for them: `t_f4` of float32."""
    return {f"t_{d.str[1:]}": target.type(d) for d in DTYPES}


def name_of(dtype):
    """The name of a dtype's type in generated text."""
    return f"t_{dtype.str[1:]}"


def cast(text, source, to):
    """Expression for an element of the dtype `source` in the dtype `to`, as NumPy converts it; `text` is a name."""
    if to == _BOOL:
        return f"({text} != {'t_u1' if source == _BOOL else name_of(source)}(0))"
    if source == to:
        return text
    if source.kind == "c" and to.kind != "c":
        text, source = f"{text}.real", np.empty(0, source).real.dtype
    want = name_of(to)
    if source.kind == "f" and to.kind in "iu":  # what is out of range: as x86 has it where the result is narrower than what converts
        if to.itemsize < 4:
            return f"{want}(t_i4({text}))"
        if to == np.uint32:
            return f"{want}(t_i8({text}))"
        if to == np.uint64:
            s = name_of(source)
            return f"({want}(t_i8({text})) if {text} < {s}(9223372036854775808.0) else {want}({text}))"
    return f"{want}({text})"


class Walk:
    """A shape and the strides of several operands on it, in as few dimensions as they can be walked in.

    sizes: lengths, outermost first, none of them 1. strides: per operand, in elements. offsets: per operand, in elements, of what is
    walked first: dimensions of negative step of the first operand are turned round.
    """

    __slots__ = ("sizes", "strides", "offsets", "total")

    def __init__(self, sizes, strides, offsets):
        self.sizes, self.strides, self.offsets = sizes, strides, offsets
        self.total = 1
        for n in sizes:
            self.total *= n

    @property
    def is_wide(self):
        """Whether 32 bits do not hold its indices and offsets."""
        if self.total >= 1 << 30:
            return True
        return any(sum([abs(s) * (n - 1) for n, s in zip(self.sizes, steps)]) >= 1 << 31 for steps in self.strides)

    def is_flat(self, k):
        """Whether operand `k` lies side by side in this order."""
        return len(self.sizes) <= 1 and (not self.sizes or self.strides[k][0] == 1)

    def is_single(self, k):
        """Whether operand `k` is one element."""
        return not any(self.strides[k])


@functools.lru_cache(maxsize=4096)
def walk(shape, strides):
    """The Walk of operands of one shape (not empty), in the order of the first one's memory."""
    count = range(len(strides))
    offsets = [0] * len(strides)
    dims = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        steps = [s[axis] for s in strides]
        if steps[0] < 0:
            for k in count:
                offsets[k] += steps[k] * (n - 1)
            steps = [-s for s in steps]
        dims.append((n, steps))
    dims.sort(key=lambda d: d[1][0], reverse=True)
    merged = []
    for n, steps in dims:
        if merged and all(merged[-1][1][k] == steps[k] * n for k in count):
            merged[-1] = (merged[-1][0] * n, steps)
        else:
            merged.append((n, steps))
    return Walk(tuple([n for n, _ in merged]), tuple([tuple([steps[k] for _, steps in merged]) for k in count]), tuple(offsets))


def divider(n):
    """(multiplier, shift) with which `i // n` is `(i * multiplier >> 32) + i >> shift` for 0 <= i < 2^31 (Granlund and Montgomery)."""
    shift = (n - 1).bit_length()
    return ((1 << 32) * ((1 << shift) - n)) // n + 1, shift


def indices(sizes, wide, index, prefix="r"):
    """Lines that set `r1`, `r2`, ... to the coordinates of element `index` in a shape of `sizes` dimensions (`r0`: what is left). They use
    the arguments `n1`, ... and, of 32 bits, `m1`, `h1`, ... (see `divider`)."""
    lines, q = [], index
    for d in range(sizes - 1, 0, -1):
        t = f"q{d}"
        if wide:
            lines.append(f"{t} = {q} // n{d}")
        else:
            lines.append(f"{t} = t_u4((t_u4((t_u8({q}) * t_u8(m{d})) >> t_u8(32)) + t_u4({q})) >> t_u4(h{d}))")
        lines.append(f"{prefix}{d} = I({q}) - I({t}) * I(n{d})")
        q = t
    lines.append(f"{prefix}0 = I({q})")
    return lines


def index_arguments(sizes):
    """Names of the arguments that `indices` uses, and `index_values` gives."""
    return [f"{c}{d}" for d in range(1, sizes) for c in "nmh"]


def index_values(sizes):
    """Their values for a shape."""
    return [v for n in sizes[1:] for v in (n, *divider(n))]


def offset(operand, sizes, prefix="r"):
    """Expression for the offset of an operand at the coordinates; it uses the arguments `s{operand}_{d}`."""
    return " + ".join([f"{prefix}{d} * s{operand}_{d}" for d in range(sizes)])
