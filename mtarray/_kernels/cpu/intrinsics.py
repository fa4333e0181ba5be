"""LLVM intrinsics that kernels are written with: raw pointers, calls by address, streaming stores, vector scans."""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

I64 = ir.IntType(64)


@intrinsic
def icall(tyctx, fn, lo, hi, args):
    """((void(*)(i64,i64,i64))fn)(lo, hi, args)"""

    def cg(ctx, b, sig, a):
        ft = ir.FunctionType(ir.VoidType(), [I64, I64, I64])
        p = b.inttoptr(a[0], ft.as_pointer())
        b.call(p, [a[1], a[2], a[3]])
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), cg


@intrinsic
def ld64(tyctx, addr):
    def cg(ctx, b, sig, a):
        return b.load(b.inttoptr(a[0], I64.as_pointer()))

    return types.int64(types.int64), cg


def _mkptr(nbty):
    @intrinsic
    def as_ptr(tyctx, addr):
        def cg(ctx, b, sig, a):
            return b.inttoptr(a[0], ctx.get_value_type(types.CPointer(nbty)))

        return types.CPointer(nbty)(types.int64), cg

    return as_ptr


PTR = {
    t: _mkptr(t)
    for t in (
        types.float32,
        types.float64,
        types.int32,
        types.int64,
        types.uint8,
        types.uint32,
        types.uint64,
        types.boolean,
        types.complex64,
        types.complex128,
        types.int8,
        types.uint16,
        types.int16,
    )
}


@intrinsic
def arr_ptr(tyctx, a):
    def cg(ctx, b, sig, args):
        s = ctx.make_array(a)(ctx, b, args[0])
        return b.ptrtoint(s.data, I64)

    return types.int64(a), cg


f4 = PTR[types.float32]
f8 = PTR[types.float64]
i1 = PTR[types.int8]
i2 = PTR[types.int16]
i4 = PTR[types.int32]
i8 = PTR[types.int64]
u1 = PTR[types.uint8]
u2 = PTR[types.uint16]
u4 = PTR[types.uint32]
u8 = PTR[types.uint64]
c8 = PTR[types.complex64]
c16 = PTR[types.complex128]


@intrinsic
def nt_copy(tyctx, dst, src, nbytes):
    """dst 64-aligned, nbytes multiple of 64"""

    def cg(ctx, b, sig, a):
        V = ir.VectorType(ir.IntType(64), 8)
        n = b.udiv(a[2], I64(64))
        with cgutils.for_range(b, n) as loop:
            off = b.mul(loop.index, I64(64))
            s = b.inttoptr(b.add(a[1], off), V.as_pointer())
            d = b.inttoptr(b.add(a[0], off), V.as_pointer())
            v = b.load(s, align=8)
            st = b.store(v, d, align=64)
            st.set_metadata("nontemporal", b.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), cg


@intrinsic
def sfence(tyctx):
    def cg(ctx, b, sig, a):
        b.fence("seq_cst")
        return ctx.get_dummy_value()

    return types.void(), cg


def _mm(op):
    @intrinsic
    def f(tyctx, x, y):
        def cg(ctx, b, sig, a):
            t = a[0].type
            nm = f"llvm.{op}." + ("f32" if isinstance(t, ir.FloatType) else "f64")
            fn = cgutils.get_or_insert_function(b.module, ir.FunctionType(t, [t, t]), nm)
            return b.call(fn, a, fastmath=("nsz",))

        return x(x, x), cg

    return f


fmaximum = _mm("maximum")
fminimum = _mm("minimum")


def _tr(N, bits):
    """in-register N x N transpose of `bits`-wide elements: dst[r][c] = src[c][r]; strides in bytes"""

    @intrinsic
    def tr(tyctx, src, ss, dst, ds):
        def cg(ctx, b, sig, a):
            E = ir.IntType(bits)
            V = ir.VectorType(E, N)
            i32 = ir.IntType(32)
            v = [b.load(b.inttoptr(b.add(a[0], b.mul(a[1], I64(i))), V.as_pointer()), align=bits // 8) for i in range(N)]
            h = N // 2
            while h:
                for i in range(N):
                    if i & h:
                        continue
                    A, B = v[i], v[i + h]
                    m1 = [l if not l & h else N + l - h for l in range(N)]
                    m2 = [l + h if not l & h else N + l for l in range(N)]
                    v[i] = b.shuffle_vector(A, B, ir.Constant(ir.VectorType(i32, N), m1))
                    v[i + h] = b.shuffle_vector(A, B, ir.Constant(ir.VectorType(i32, N), m2))
                h //= 2
            for i in range(N):
                b.store(v[i], b.inttoptr(b.add(a[2], b.mul(a[3], I64(i))), V.as_pointer()), align=bits // 8)
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, types.int64), cg

    return tr


tr8_32 = _tr(8, 32)
tr16_32 = _tr(16, 32)
tr8_64 = _tr(8, 64)
tr4_64 = _tr(4, 64)


def _scan(N, T, add="fadd"):
    """inclusive prefix sum of n (multiple of N) elements from src to dst, local sums + carry; returns the last carry"""
    ety = {"f4": ir.FloatType(), "f8": ir.DoubleType(), "i8": I64}[T]
    nty = {"f4": types.float32, "f8": types.float64, "i8": types.int64}[T]
    isz = {"f4": 4, "f8": 8, "i8": 8}[T]

    @intrinsic
    def sc(tyctx, src, dst, n, base):
        def cg(ctx, b, sig, a):
            V = ir.VectorType(ety, N)
            i32 = ir.IntType(32)
            VM = ir.VectorType(i32, N)
            op = (lambda x, y: b.fadd(x, y)) if T[0] == "f" else (lambda x, y: b.add(x, y))
            zero = ir.Constant(V, [0.0 if T[0] == "f" else 0] * N)
            cv = b.insert_element(ir.Constant(V, ir.Undefined), a[3], i32(0))
            cv = b.shuffle_vector(cv, ir.Constant(V, ir.Undefined), ir.Constant(VM, [0] * N))
            slot = cgutils.alloca_once_value(b, zero)
            with cgutils.for_range(b, b.udiv(a[2], I64(N))) as loop:
                off = b.mul(loop.index, I64(N * isz))
                v = b.load(b.inttoptr(b.add(a[0], off), V.as_pointer()), align=isz)
                h = 1
                while h < N:
                    sh = b.shuffle_vector(v, zero, ir.Constant(VM, [N if l < h else l - h for l in range(N)]))
                    v = op(v, sh)
                    h *= 2
                c = b.load(slot)
                b.store(op(op(v, c), cv), b.inttoptr(b.add(a[1], off), V.as_pointer()), align=isz)
                b.store(op(c, b.shuffle_vector(v, zero, ir.Constant(VM, [N - 1] * N))), slot)
            return b.extract_element(b.load(slot), i32(0))

        return nty(types.int64, types.int64, types.int64, nty), cg

    return sc


scan_f4 = _scan(16, "f4")
scan_f8 = _scan(8, "f8")
scan_i8 = _scan(8, "i8")


@intrinsic
def prefetch(tyctx, addr):
    def cg(ctx, b, sig, a):
        i8p = ir.IntType(8).as_pointer()
        i32 = ir.IntType(32)
        fn = cgutils.get_or_insert_function(b.module, ir.FunctionType(ir.VoidType(), [i8p, i32, i32, i32]), "llvm.prefetch.p0")
        b.call(fn, [b.inttoptr(a[0], i8p), i32(0), i32(3), i32(1)])
        return ctx.get_dummy_value()

    return types.void(types.int64), cg


@intrinsic
def memcpy(tyctx, dst, src, n):
    def cg(ctx, b, sig, a):
        i8p = ir.IntType(8).as_pointer()
        cgutils.raw_memcpy(b, b.inttoptr(a[0], i8p), b.inttoptr(a[1], i8p), a[2], 1)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), cg


@intrinsic
def copy64(tyctx, dst, src, nbytes):
    """inline 64-byte-vector copy, nbytes multiple of 64, any alignment"""

    def cg(ctx, b, sig, a):
        V = ir.VectorType(I64, 8)
        with cgutils.for_range(b, b.udiv(a[2], I64(64))) as loop:
            off = b.mul(loop.index, I64(64))
            b.store(b.load(b.inttoptr(b.add(a[1], off), V.as_pointer()), align=1), b.inttoptr(b.add(a[0], off), V.as_pointer()), align=1)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), cg


@intrinsic
def evens32(tyctx, src, dst, n):
    """n elements of 4 bytes from src, every other one, to dst; nothing behind the last of them is read."""

    def cg(ctx, b, sig, a):
        element = ir.IntType(32)
        vector = ir.VectorType(element, 16)
        picks = ir.Constant(ir.VectorType(ir.IntType(32), 16), list(range(0, 32, 2)))
        src, dst, n = a
        blocks = b.sdiv(b.sub(n, I64(1)), I64(16))  # the pair of the very last element may not exist
        with cgutils.for_range(b, blocks) as loop:
            at = b.add(src, b.mul(loop.index, I64(128)))
            low, high = [b.load(b.inttoptr(b.add(at, I64(half)), vector.as_pointer()), align=4) for half in (0, 64)]
            to = b.inttoptr(b.add(dst, b.mul(loop.index, I64(64))), vector.as_pointer())
            b.store(b.shuffle_vector(low, high, picks), to, align=4)
        done = b.mul(blocks, I64(16))
        with cgutils.for_range(b, b.sub(n, done)) as loop:
            i = b.add(done, loop.index)
            value = b.load(b.inttoptr(b.add(src, b.mul(i, I64(8))), element.as_pointer()))
            b.store(value, b.inttoptr(b.add(dst, b.mul(i, I64(4))), element.as_pointer()))
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), cg


tr16_8 = _tr(16, 8)
tr16_16 = _tr(16, 16)


@njit(forceinline=True, error_model="numpy")
def float_to_u8(x):
    """uint64 of a float as C compilers convert it on x86: as a signed number, the upper half shifted down and back (NaN: 2**63)."""
    x = np.float64(x)
    high = x >= 9223372036854775808.0
    low = np.uint64(np.int64(x - 9223372036854775808.0 if high else x))
    return low ^ np.uint64(0x8000000000000000) if high else low


@njit(forceinline=True, error_model="numpy")
def float_to_u4(x):
    """uint32 of a float as C compilers convert it on x86, when they vectorise (NaN: 2**31)."""
    x = np.float64(x)
    high = x >= 2147483648.0
    low = np.uint32(np.int32(x - 2147483648.0 if high else x))
    return low ^ np.uint32(0x80000000) if high else low


def into_u4(x):
    """A result of any real type as uint32: floats as `float_to_u4` has it (LLVM's own conversion makes of -7.0 the largest number)."""
    return np.uint32(x)


def into_u8(x):
    """The same as uint64."""
    return np.uint64(x)


@overload(into_u4)
def _into_u4(x):
    return (lambda x: float_to_u4(x)) if isinstance(x, types.Float) else (lambda x: np.uint32(x))


@overload(into_u8)
def _into_u8(x):
    return (lambda x: float_to_u8(x)) if isinstance(x, types.Float) else (lambda x: np.uint64(x))


@intrinsic(prefer_literal=True)
def stack(tyctx, nbytes):
    """Address of `nbytes` (a literal) of the function's stack frame, aligned to 64; no allocation, and nothing frees it early."""
    if not isinstance(nbytes, types.IntegerLiteral):
        return None
    size = nbytes.literal_value

    def cg(ctx, b, sig, a):
        with b.goto_entry_block():
            slot = b.alloca(ir.ArrayType(ir.IntType(8), size))
        slot.align = 64
        return b.ptrtoint(slot, I64)

    return types.int64(nbytes), cg


def _unsigned(name):
    @intrinsic
    def f(tyctx, x, y):
        return types.int64(types.int64, types.int64), lambda ctx, b, sig, a: getattr(b, name)(*a)

    return f


# Quotient and remainder of sizes: non-negative by non-zero, without the tests for sign and zero that // and % bring.
size_div = _unsigned("udiv")
size_rem = _unsigned("urem")


@intrinsic
def address_of(tyctx, p, i):
    """Address of element i of a pointer."""
    if not isinstance(p, types.CPointer):
        return None
    return types.int64(p, types.int64), lambda ctx, b, sig, a: b.ptrtoint(b.gep(a[0], [a[1]]), I64)
