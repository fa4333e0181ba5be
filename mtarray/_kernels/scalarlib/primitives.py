"""Straight-line scalar programs that are written in Python and emitted as LLVM instructions.

A function of this package is ordinary Python over `Value` objects: running it once, while Numba compiles a caller, writes
its instructions at the call site. That is what makes every loop over them vectorise (nothing is left to inline, to type or
to branch on), keeps float32 arithmetic in float32 (a Python constant takes the type of the operand beside it), and costs
no compilation of helper functions.

Rules: a choice is `sel(cond, a, b)`, both sides evaluated; conditions combine with `&`, `|`, `~`; a fused operation is
`fma`, and nothing relies on contraction. Instructions carry a harmless fast-math flag of their own because Numba's
`fastmath=True` rewrites only instructions that have none: the error-free sums below stay exact in any caller.

The same programs are written for CUDA devices, where the compiler knows fewer instructions and intrinsics (see `on_device`); the
results are those of a processor that has `fma`, bit by bit, as long as nothing is contracted (`_kernels.cuda.compile` sees to it).
"""

import math

from llvmlite import binding, ir
from numba.core import config

F4, F8 = ir.FloatType(), ir.DoubleType()
I1, I4, I8 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
INF, NAN = math.inf, math.nan
_BITS_TYPE = {F4: I4, F8: I8}
_FLOAT_OF = {I4: F4, I8: F8, F4: F4, F8: F8}
_KEEP = ("afn",)  # no meaning for these instructions: see the module's docstring
_KEEP_DIV = ("contract",)


def _host_has_fma():
    """Whether the processor that Numba compiles for multiplies and adds with one rounding."""
    if config.CPU_FEATURES is not None:
        return "+fma" in config.CPU_FEATURES.split(",")
    if config.CPU_NAME == "generic":
        return False
    features = binding.get_host_cpu_features()
    # Architectures that list no `fma` feature at all (aarch64, ppc64le) have it in their base instruction set.
    return bool(features["fma"]) if "fma" in features else not binding.get_process_triple().startswith(("x86", "i686", "amd64"))


def _host_scales():
    """Whether `llvm.ldexp` becomes one instruction per vector (AVX-512's vscalef, which LLVM 22 knows of), not a call per element."""
    if config.CPU_FEATURES is not None:
        features = set(config.CPU_FEATURES.split(","))
    elif config.CPU_NAME == "generic":
        return False
    else:
        features = {f"+{name}" for name, on in binding.get_host_cpu_features().items() if on}
    return binding.llvm_version_info >= (22,) and {"+avx512f", "+avx512vl", "+avx512dq"} <= features


HAS_FMA = _host_has_fma()
HAS_SCALE = _host_scales()


class _NoFlags(tuple):
    """Fast-math flags of a call that nobody can add to."""

    def add(self, flag):
        pass


class Value:
    """One SSA value. `of` is the float type that constants take when only a condition or an integer is at hand."""

    __slots__ = ("b", "of", "unsigned", "v")

    def __init__(self, builder, value, of=None, unsigned=False):
        self.b = builder
        self.v = value
        self.unsigned = unsigned
        self.of = _FLOAT_OF.get(value.type) if of is None else of

    @property
    def type(self):
        return self.v.type

    @property
    def is_float(self):
        return self.v.type is F4 or self.v.type is F8

    def const(self, value):
        """`value` as a constant of this value's type."""
        if isinstance(value, Value):
            return value
        if self.is_float:
            return Value(self.b, ir.Constant(self.type, float(value)))
        width = self.type.width
        value = int(value) & ((1 << width) - 1)
        if width > 1 and value >> (width - 1):
            value -= 1 << width
        return Value(self.b, ir.Constant(self.type, value), self.of, self.unsigned)

    def _new(self, v):
        return Value(self.b, v, self.of, self.unsigned)

    def _arith(self, other, fop, iop, swap=False, flags=_KEEP):
        other = self.const(other)
        x, y = (other.v, self.v) if swap else (self.v, other.v)
        return self._new(getattr(self.b, fop)(x, y, flags=flags) if self.is_float else getattr(self.b, iop)(x, y))

    def __add__(self, o):
        return self._arith(o, "fadd", "add")

    __radd__ = __add__

    def __sub__(self, o):
        return self._arith(o, "fsub", "sub")

    def __rsub__(self, o):
        return self._arith(o, "fsub", "sub", swap=True)

    def __mul__(self, o):
        return self._arith(o, "fmul", "mul")

    __rmul__ = __mul__

    def __truediv__(self, o):
        return self._arith(o, "fdiv", "sdiv", flags=_KEEP_DIV)

    def __rtruediv__(self, o):
        return self._arith(o, "fdiv", "sdiv", swap=True, flags=_KEEP_DIV)

    def __neg__(self):
        if not self.is_float:
            return self._new(self.b.neg(self.v))
        if on_device(self):
            return self._new(self.b.fsub(ir.Constant(self.type, -0.0), self.v))
        return self._new(self.b.fneg(self.v, flags=_KEEP))

    def __and__(self, o):
        return self._new(self.b.and_(self.v, self.const(o).v))

    def __or__(self, o):
        return self._new(self.b.or_(self.v, self.const(o).v))

    def __xor__(self, o):
        return self._new(self.b.xor(self.v, self.const(o).v))

    def __invert__(self):
        return self._new(self.b.not_(self.v))

    def __lshift__(self, n):
        return self._new(self.b.shl(self.v, self.const(n).v))

    def __rshift__(self, n):
        return self._new((self.b.lshr if self.unsigned else self.b.ashr)(self.v, self.const(n).v))

    def _compare(self, op, o):
        o = self.const(o)
        if self.is_float:
            call = self.b.fcmp_unordered if op == "!=" else self.b.fcmp_ordered
            r = call(op, self.v, o.v, flags=_KEEP)
        else:
            r = (self.b.icmp_unsigned if self.unsigned else self.b.icmp_signed)(op, self.v, o.v)
        return Value(self.b, r, self.of)

    def __lt__(self, o):
        return self._compare("<", o)

    def __le__(self, o):
        return self._compare("<=", o)

    def __gt__(self, o):
        return self._compare(">", o)

    def __ge__(self, o):
        return self._compare(">=", o)

    def __eq__(self, o):
        return self._compare("==", o)

    def __ne__(self, o):
        return self._compare("!=", o)

    __hash__ = None

    def __bool__(self):
        raise TypeError("a Value has no truth value while the program is written: use sel(), & and |")


def on_device(x):
    """Whether this value's program is written for a CUDA device: NVVM reads the LLVM of 2018, which has no `fneg` and no `llvm.ldexp`."""
    return x.b.module.triple.startswith("nvptx")


# -- choices and bits ---------------------------------------------------------------------------------------------------


def sel(cond, a, b):
    """`a` where `cond`, else `b`; both are evaluated."""
    if not isinstance(a, Value):
        a = b.const(a) if isinstance(b, Value) else Value(cond.b, ir.Constant(cond.of, float(a)))
    return a._new(cond.b.select(cond.v, a.v, a.const(b).v))


def bits(x):
    """The bits of a float as a signed integer of its width."""
    return Value(x.b, x.b.bitcast(x.v, _BITS_TYPE[x.type]))


def from_bits(i):
    """The float with these bits."""
    return Value(i.b, i.b.bitcast(i.v, _FLOAT_OF[i.type]))


def _masks(x):
    return (0x7FFFFFFF, 1 << 31) if x.type is F4 else (0x7FFFFFFFFFFFFFFF, 1 << 63)


def sign_bit(x):
    """The integer that has only the sign bit of this value's format."""
    return _masks(x)[1]


def fabs(x):
    """|x|, NaN's sign cleared too."""
    return from_bits(bits(x) & _masks(x)[0])


def copysign(x, y):
    """|x| with the sign bit of `y`."""
    keep, sign = _masks(y)
    magnitude = bits(x) & keep if isinstance(x, Value) else bits(y.const(math.fabs(x)))
    return from_bits(magnitude | (bits(y) & sign))


def flip_sign(x, i):
    """`x` with its sign flipped where the sign bit of the integer `i` is set."""
    return from_bits(bits(x) ^ (i & _masks(x)[1]))


# -- conversions --------------------------------------------------------------------------------------------------------


def to_f8(x):
    """float64 of any number or condition."""
    return _to_float(x, F8)


def to_f4(x):
    """float32 of any number or condition, rounded to nearest."""
    return _to_float(x, F4)


def _to_float(x, want):
    b, v = x.b, x.v
    if v.type is want:
        return x
    if x.is_float:
        return Value(b, b.fpext(v, want) if want is F8 else b.fptrunc(v, want))
    return Value(b, (b.uitofp if x.unsigned or v.type == I1 else b.sitofp)(v, want))


def to_int(x, width=None):
    """Integer of an integral float in range (truncates); same width as the float unless told."""
    return Value(x.b, x.b.fptosi(x.v, ir.IntType(width) if width else _BITS_TYPE[x.type]), x.of)


def widen(i, width):
    """Integer of another width, by its own signedness."""
    want = ir.IntType(width)
    if i.type.width == width:
        return i
    b = i.b
    op = b.trunc if width < i.type.width else b.zext if i.unsigned or i.type.width == 1 else b.sext
    return Value(b, op(i.v, want), None, i.unsigned)


def signed(i):
    """The same bits read as a signed integer."""
    return Value(i.b, i.v, i.of)


def unsigned(i):
    """The same bits read as an unsigned integer."""
    return Value(i.b, i.v, i.of, True)


# -- arithmetic ---------------------------------------------------------------------------------------------------------


def intrinsic_call(name, x, *more):
    """llvm.<name> on floats of one type."""
    ty = x.type
    return _call(f"llvm.{name}." + ("f32" if ty is F4 else "f64" if ty is F8 else f"i{ty.width}"), x, *more)


def _call(function, x, *more):
    """A function of the compiler on numbers of one type."""
    args = [x, *(x.const(m) for m in more)]
    module = x.b.module
    fn = module.globals.get(function) or ir.Function(module, ir.FunctionType(x.type, [x.type] * len(args)), function)
    call = x.b.call(fn, [a.v for a in args])
    call.fastmath = _NoFlags()
    return x._new(call)


def sqrt(x):
    """Square root, correctly rounded; NaN of negatives."""
    return intrinsic_call("sqrt", x)


def floor(x):
    return intrinsic_call("floor", x)


def ceil(x):
    return intrinsic_call("ceil", x)


def trunc(x):
    return intrinsic_call("trunc", x)


def rint(x):
    """Nearest integral value, ties to even."""
    if on_device(x):
        return _call("__nv_rintf" if x.type is F4 else "__nv_rint", x)  # NVIDIA's own, which is one instruction
    return intrinsic_call("rint", x)


def fma(a, b, c):
    """a * b + c with one rounding (without the instruction: exact where a*b + c cancels or fits, else within an ulp)."""
    like = next(v for v in (a, b, c) if isinstance(v, Value))
    a, b, c = like.const(a), like.const(b), like.const(c)
    if HAS_FMA or on_device(like):
        return intrinsic_call("fma", a, b, c)
    if like.type is F4:
        return to_f4(to_f8(a) * to_f8(b) + to_f8(c))
    return _fma_by_splitting(a, b, c)


def _fma_by_splitting(a, b, c):
    """fma from Dekker's product and Knuth's sum; infinities and products beyond 2^996 fall back to two roundings."""

    def halves(x):
        big = x * 134217729.0
        high = big - (big - x)
        return high, x - high

    p = a * b
    (ah, al), (bh, bl) = halves(a), halves(b)
    error = ((ah * bh - p) + ah * bl + al * bh) + al * bl
    s, t = two_sum(p, c)
    low = t + error
    plain = p + c
    return sel(low - low == 0.0, s + low, plain)


def mad(a, b, c):
    """a * b + c where one rounding or two does not matter."""
    return fma(a, b, c) if HAS_FMA or on_device(next(v for v in (a, b, c) if isinstance(v, Value))) else a * b + c


def horner(x, coefficients):
    """The polynomial with these coefficients, lowest degree first, at `x`, in one chain: fewest roundings, longest wait."""
    acc = x.const(coefficients[-1])
    for k in coefficients[-2::-1]:
        acc = mad(acc, x, x.const(k))
    return acc


def poly(x, coefficients):
    """The polynomial with these coefficients, lowest degree first, at `x`.

    Up to degree 3 by Horner's rule; above in two (from degree 11: four) interleaved chains: a processor sees only a few
    iterations of such a loop at once, so one long chain waits for its own latency.
    """
    n = len(coefficients)
    if n <= 4:
        return horner(x, coefficients)
    x2 = x * x
    if n <= 11:
        return mad(horner(x2, coefficients[1::2]), x, horner(x2, coefficients[::2]))
    p0, p1, p2, p3 = (horner(x2 * x2, coefficients[i::4]) for i in range(4))
    return mad(mad(p3, x, p2), x2, mad(p1, x, p0))


def two_sum(a, b):
    """a + b as a rounded sum and its exact error."""
    h = a + b
    t = h - a
    return h, (a - (h - t)) + (b - t)


def fast_sum(a, b):
    """`two_sum` for |a| >= |b| or a == 0."""
    h = a + b
    return h, (a - h) + b


def two_product(a, b):
    """a * b as a rounded product and its exact error."""
    p = a * b
    return p, fma(a, b, -p)


def clamp(x, lo, hi):
    """x limited to [lo, hi]; NaN stays NaN."""
    x = sel(x > hi, hi, x)
    return sel(x < lo, lo, x)


# -- powers of two ------------------------------------------------------------------------------------------------------

# Adding 1.5 * 2^52 (1.5 * 2^23) rounds to an integer and leaves that integer in the low bits: no conversion instruction.
_SHIFT = {F4: (12582912.0, 0x4B400000), F8: (6755399441055744.0, 0x4338000000000000)}
_EXPONENT = {F4: (127, 23), F8: (1023, 52), I4: (127, 23), I8: (1023, 52)}


def shifted(x):
    """(x + shift, nearest integer of x) for |x| < 2^51 (2^22); `shift_int` reads the integer of the former."""
    t = x + _SHIFT[x.type][0]
    return t, t - _SHIFT[x.type][0]


def shifted_fma(x, factor):
    """`shifted(x * factor)` with the product unrounded."""
    t = mad(x, factor, x.const(_SHIFT[x.type][0]))
    return t, t - _SHIFT[x.type][0]


def shift_int(t):
    """The integer that `shifted` left in the bits of `t`."""
    return bits(t) - _SHIFT[t.type][1]


def int_to_float(i):
    """Float of a small integer (|i| < 2^51, 2^22); of int64 through bits, since not every processor converts vectors of those."""
    if i.type == I4:
        return to_f4(i)
    shift, pattern = _SHIFT[_FLOAT_OF[i.type]]
    return from_bits(i + pattern) - shift


def pow2(k):
    """2.0**k of an integer inside the normal exponents."""
    bias, mantissa = _EXPONENT[k.type]
    return from_bits((k + bias) << mantissa)


def scale(y, k):
    """y * 2**k with correct overflow and gradual underflow, |k| below twice the exponent range."""
    if HAS_SCALE and not on_device(y):
        k = widen(k, 32)
        name = "llvm.ldexp." + ("f32" if y.type is F4 else "f64") + ".i32"
        module = y.b.module
        fn = module.globals.get(name) or ir.Function(module, ir.FunctionType(y.type, [y.type, I4]), name)
        call = y.b.call(fn, [y.v, k.v])
        call.fastmath = _NoFlags()
        return y._new(call)
    k1 = k >> 1
    return y * pow2(k1) * pow2(k - k1)
