"""Products of matrices and of vectors on the device: which kernel serves which shapes."""

from functools import lru_cache

from mtarray import _strides

from . import gemm, libs
from .gemm import BYTE, add_parts, arithmetic, dtypes, stacked
from .kernel import Kernel, code_of
from .tensor import empty, like

THREADS = 256


def product(x1, x2):
    """`x1 @ x2` of one dtype and of shapes that fit."""
    a = x1.window((1, *x1.shape), (0, *x1.strides)) if x1.ndim == 1 else x1
    b = x2.window((*x2.shape, 1), (*x2.strides, 1)) if x2.ndim == 1 else x2
    stack = _strides.broadcast_shape(a.shape[:-2], b.shape[:-2])
    m, n = a.shape[-2], b.shape[-1]
    out = like(x1, (*stack, m, n))
    matrices(out, a.broadcast_to((*stack, *a.shape[-2:])), b.broadcast_to((*stack, *b.shape[-2:])))
    shape = stack
    if x1.ndim > 1:
        shape = (*shape, m)
    if x2.ndim > 1:
        shape = (*shape, n)
    return out.reshaped(shape)


def dots(x1, x2):
    """Sums of `conj(x1) * x2` along the last axis, of one length; the others broadcast."""
    shape = _strides.broadcast_shape(x1.shape[:-1], x2.shape[:-1])
    k = x1.shape[-1]
    out = like(x1, shape)
    _rows(out, x1.broadcast_to((*shape, k)), x2.broadcast_to((*shape, k)), conj=1)
    return out


def affine(x, w, b):
    """x @ w.T + b: (..., k), (n, k), (n,) -> (..., n)."""
    n, k = w.shape
    out = like(x, (*x.shape[:-1], n))
    rows = x if x.ndim == 2 else x.reshaped((out.size // n if n else 0, k))
    matrices(out.reshaped((rows.shape[0], n)), rows, w.transpose((1, 0)), b)
    return out


def matrices(out, a, b, bias=None):
    """out = a @ b, and a row added: (..., m, n), (..., m, k), (..., k, n), (n,), whose stacks have one shape; out is contiguous."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    if 0 in out.shape:
        return
    if k == 0:
        add_parts(out, out, 0, bias)
        return
    stack = out.shape[:-2]
    if stack and all(s == 0 or count == 1 for count, s in zip(stack, b.strides)):  # one matrix: one product
        rows = out.size // n
        strides = _strides.reshape(a.shape, a.strides, (rows, k))
        if strides is not None:
            a, b, out, stack, m = a.window((rows, k), strides), b.window(b.shape[-2:], b.strides[-2:]), out.reshaped((rows, n)), (), rows
    if m == 1 or n == 1:
        if n == 1:
            matrix, vector = a, b.window((*stack, m, k), (*b.strides[:-2], 0, b.strides[-2]))
        else:
            order = (*range(len(stack)), len(stack) + 1, len(stack))
            matrix, vector = b.transpose(order), a.window((*stack, n, k), (*a.strides[:-2], 0, a.strides[-1]))
        _rows(out.reshaped((*stack, m * n)), matrix, vector, bias=bias if n > 1 or bias is None else bias.broadcast_to((m,)))
        return
    if not libs.multiply(out, a, b, bias):
        gemm.multiply(out, a, b, bias)


def dot(target, dtype, lanes, conj):
    """Sums of products along rows of a and b: so many lanes share a row, in several parts each (second axis of the grid)."""
    cuda, B = target.cuda, target.type(BYTE if dtype.kind == "b" else dtype)
    A, step = arithmetic(target, dtype, conj)
    BOOL = dtype.kind == "b"
    PER_BLOCK = THREADS // lanes

    def dot(out, a, b, rows, k, zn, a0, a1, ak, b0, b1, bk, part):
        t = cuda.threadIdx.x
        lane = t % lanes
        row = cuda.blockIdx.x * PER_BLOCK + t // lanes
        first = cuda.blockIdx.y * part
        last = first + part
        if last > k:
            last = k
        total = A(0)
        if row < rows:
            outer = row // zn
            inner = row - outer * zn
            at_a = outer * a0 + inner * a1
            at_b = outer * b0 + inner * b1
            p = first + lane
            while p < last:
                total = step(total, a[at_a + p * ak], b[at_b + p * bk])
                p += lanes
        if lanes > 1:
            sums = cuda.shared.array(THREADS, A)
            sums[t] = total
            cuda.syncthreads()
            s = lanes // 2
            while s > 0:
                if lane < s:
                    if BOOL:
                        sums[t] = A(sums[t] | sums[t + s])
                    else:
                        sums[t] = A(sums[t] + sums[t + s])
                cuda.syncthreads()
                s = s // 2
            total = sums[t]
        if row < rows and lane == 0:
            out[cuda.blockIdx.y * rows + row] = B(total)

    return dot


def _dot(dtype, lanes, conj):
    code = "u1" if dtype.kind == "b" else code_of(dtype)
    return Kernel(dot, (dtype, lanes, conj), f"*{code} *{code} *{code}" + " i8" * 10, THREADS)


@lru_cache(maxsize=4096)
def _lanes(rows, k, across, multiprocessors):
    """How many lanes share a row, and in how many parts. across: neighbours in memory are in different rows."""
    lanes = 1 if k <= 16 or (across and rows >= 32) else 32 if k < 4096 else 256
    blocks = -(-rows * lanes // THREADS)
    return lanes, max(1, min(4 * multiprocessors // blocks, k // (64 * lanes), 512))


def _rows(out, a, b, conj=0, bias=None):
    """out = sums of a * b along their last axis; the others have the shape of `out`, which is contiguous. bias: a row added."""
    if 0 in out.shape:
        return
    rows, k = out.size, a.shape[-1]
    axes = stacked(out.shape, a.strides[:-1], b.strides[:-1])
    if axes is None:  # copies, whose axes join
        a, b = a.copy(), b.copy()
        axes = stacked(out.shape, a.strides[:-1], b.strides[:-1])
    _, zn, ((a0, a1), (b0, b1)) = axes
    ak, bk = a.strides[-1], b.strides[-1]
    conj = conj if out.dtype.kind == "c" else 0
    lanes, parts = _lanes(rows, k, abs(a1) < abs(ak) or abs(b1) < abs(bk), out.driver.multiprocessors)
    part = -(-k // parts) if k else 1
    parts = -(-k // part) if k else 1
    to = out if parts == 1 and bias is None else empty(out.driver, (parts, rows), out.dtype)
    _dot(out.dtype, lanes, conj).launch(
        out.driver, (-(-rows * lanes // THREADS), parts), THREADS, to.address, a.address, b.address,
        rows, k, zn, a0, a1, ak, b0, b1, bk, part,
    )  # fmt: skip
    if to is not out:
        add_parts(out, to, parts, bias)


def every():
    for dtype in dtypes():
        for lanes in (1, 32, 256):
            for conj in (0, 1) if dtype.kind == "c" else (0,):
                yield _dot(dtype, lanes, conj)
