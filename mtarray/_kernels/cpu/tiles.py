"""Tiles of a matrix in registers: what matrix products and factorisations are made of, written as LLVM code.

A tile is some rows of two vectors each. Written with the vectors of `simd.py`, one call for each, the same code takes Numba a second
to type and to lower; so its instructions are emitted here. The accumulators are stack slots, which LLVM turns into registers.
Strides are in bytes.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import BYTES, ELEMENT, Vector, _call, _spread

I64 = ir.IntType(64)


class _Tile:
    """The code of a tile of `rows` rows, for one builder."""

    def __init__(self, b, code, rows):
        self.b, self.rows = b, rows
        self.element, self.size, _ = ELEMENT[code]
        self.vector = Vector(code, BYTES // self.size)
        self.sums = [[cgutils.alloca_once(b, self.vector.ir) for _ in range(2)] for _ in range(rows)]

    def at(self, base, step, count):
        return self.b.add(base, self.b.mul(step, I64(count))) if count else base

    def load(self, address):
        return self.b.load(self.b.inttoptr(address, self.vector.ir.as_pointer()), align=self.size)

    def store(self, value, address):
        self.b.store(value, self.b.inttoptr(address, self.vector.ir.as_pointer()), align=self.size)

    def splat(self, address):
        return _spread(self.b, self.b.load(self.b.inttoptr(address, self.element.as_pointer())), self.vector.lanes)

    def zero(self):
        for slot in [slot for row in self.sums for slot in row]:
            self.b.store(ir.Constant(self.vector.ir, [0] * self.vector.lanes), slot)

    def read(self, first, second, step):
        """The tile from memory: `first` and `second` are the addresses of the first row's vectors."""
        for i, row in enumerate(self.sums):
            for slot, base in zip(row, (first, second), strict=True):
                self.b.store(self.load(self.at(base, step, i)), slot)

    def write(self, first, second, step, add=False):
        for i, row in enumerate(self.sums):
            for slot, base in zip(row, (first, second), strict=True):
                address, value = self.at(base, step, i), self.b.load(slot)
                if add:
                    value = (self.b.fadd if self.floats else self.b.add)(self.load(address), value)
                self.store(value, address)

    @property
    def floats(self):
        return isinstance(self.element, (ir.FloatType, ir.DoubleType))

    def combine(self, i, x, values, less):
        """Row i += (`less`: -=) x times the two vectors."""
        if less:
            x = self.b.fneg(x)
        for slot, value in zip(self.sums[i], values, strict=True):
            old = self.b.load(slot)
            new = _call(self.b, "fma", self.vector, [x, value, old]) if self.floats else self.b.add(self.b.mul(x, value), old)
            self.b.store(new, slot)

    def products(self, k, rows, astep, first, second, bstep, less=False):
        """For p < k: row i += (-=) the number at rows[i] + p * astep times the vectors at first + p * bstep and second + p * bstep."""
        b = self.b
        with cgutils.for_range(b, k) as loop:
            along, down = b.mul(loop.index, astep), b.mul(loop.index, bstep)
            values = [self.load(b.add(first, down)), self.load(b.add(second, down))]
            for i, row in enumerate(rows):
                self.combine(i, self.splat(b.add(row, along)), values, less)

    def scale(self, i, x):
        for slot in self.sums[i]:
            self.b.store(self.b.fmul(self.b.load(slot), x), slot)

    def row(self, i):
        return [self.b.load(slot) for slot in self.sums[i]]


# Rows of a product's tile: its sums and what is multiplied fill the 32 registers of AVX-512, six rows the 16 of AVX2.
ROWS = 8 if BYTES == 64 else 6


def _product(code):
    @intrinsic
    def tile(tyctx, a, b_, k, c, ldc, first):
        """The tile at c, rows `ldc` apart, = (`first`) or += the strip a (k x ROWS numbers) times the strip b (k x 2 vectors)."""

        def cg(ctx, b, sig, args):
            a, b_, k, c, ldc, first = args
            t = _Tile(b, code, ROWS)
            t.zero()
            rows = [b.add(a, I64(i * t.size)) for i in range(ROWS)]
            t.products(k, rows, I64(ROWS * t.size), b_, b.add(b_, I64(BYTES)), I64(2 * BYTES))
            with b.if_else(cgutils.is_true(b, first)) as (then, otherwise):
                with then:
                    t.write(c, b.add(c, I64(BYTES)), ldc)
                with otherwise:
                    t.write(c, b.add(c, I64(BYTES)), ldc, add=True)
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, types.int64, types.int64, types.boolean), cg

    return tile


tile_f4, tile_f8, tile_i2, tile_i4, tile_i8 = map(_product, ("f4", "f8", "i2", "i4", "i8"))


@intrinsic
def update(tyctx, a, astep, b_, b2, bstep, k, c, c2, ldc):
    """Row i of the 8 at c (second vectors at c2) -= sum over p < k of the float64 at a + p * astep + 8 * i times b[p * bstep] (b2)."""

    def cg(ctx, b, sig, args):
        a, astep, b_, b2, bstep, k, c, c2, ldc = args
        t = _Tile(b, "f8", 8)
        t.read(c, c2, ldc)
        t.products(k, [b.add(a, I64(8 * i)) for i in range(8)], astep, b_, b2, bstep, less=True)
        t.write(c, c2, ldc)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 9), cg


@intrinsic
def solve8(tyctx, a, astep, f, fstep, r, x, x2, step, k):
    """Rows k..k+8 of X (rows `step` apart, second vectors at x2) by forward substitution: less the products of `a`, as in `update`, with
    the k rows before; then with the triangle f, element (i, j) at f + j * fstep + 8 * i, row j scaled by r[j] when it is its turn."""

    def cg(ctx, b, sig, args):
        a, astep, f, fstep, r, x, x2, step, k = args
        t = _Tile(b, "f8", 8)
        down = b.mul(k, step)
        t.read(b.add(x, down), b.add(x2, down), step)
        t.products(k, [b.add(a, I64(8 * i)) for i in range(8)], astep, x, x2, step, less=True)
        for j in range(8):
            t.scale(j, t.splat(b.add(r, I64(8 * j))))
            for i in range(j + 1, 8):
                t.combine(i, t.splat(b.add(t.at(f, fstep, j), I64(8 * i))), t.row(j), less=True)
        t.write(b.add(x, down), b.add(x2, down), step)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 9), cg


@intrinsic
def back8(tyctx, a, ld, x, k):
    """Eight rows of X, two vectors each, one after the other at x, by backward substitution with the upper triangle whose rows, `ld`
    apart, begin at `a` on the diagonal; the k rows of X that follow are known."""

    def cg(ctx, b, sig, args):
        a, ld, x, k = args
        t = _Tile(b, "f8", 8)
        rows = [t.at(a, ld, i) for i in range(8)]
        second, step = b.add(x, I64(BYTES)), I64(2 * BYTES)
        t.read(x, second, step)
        known = I64(16 * BYTES)
        t.products(k, [b.add(row, I64(64)) for row in rows], I64(8), b.add(x, known), b.add(second, known), step, less=True)
        one = ir.Constant(t.vector.ir, [1.0] * t.vector.lanes)
        for j in reversed(range(8)):
            t.scale(j, b.fdiv(one, t.splat(b.add(rows[j], I64(8 * j)))))
            for i in range(j):
                t.combine(i, t.splat(b.add(rows[i], I64(8 * j))), t.row(j), less=True)
        t.write(x, second, step)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 4), cg
