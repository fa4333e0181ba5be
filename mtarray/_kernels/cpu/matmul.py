"""Matrix products: which engine multiplies what.

| operands | engine |
|---|---|
| real float matrices for which it is faster | our blocked kernel (`gemm.py`) |
| other float and complex matrices | NumPy's BLAS through `np.matmul`: on its own threads, the smaller ones on one |
| stacks of tiny ones, real or integer | rows in registers (`batched.py`) |
| a matrix and a vector, of integers or strided | `matvec.py` |
| up to 16 dot products of bool | `np.matmul`, which stops at the first that are both true |
| stacks of vectors, complex stacks | BLAS, slabs of the stack on all threads |
| other stacks of small ones; integers, bool; strides that BLAS cannot read; no BLAS | our blocked kernel (`gemm.py`) |
| small integer products | `np.matmul` |

BLAS called by address, one matrix at a time from a parallel loop, was measured for the stacks: slower than either kernel at every
size (24 x 24 in float64: 1.3 ms for 2000, against 0.44 and 0.98).
"""

import numpy as np

from . import blas, matvec, pool
from .batched import fits, tiny_matmul
from .gemm import beats_blas, own_matmul
from .slabs import each

# Multiply-adds below which NumPy's plain loop over integers is done before our kernel has started.
SMALL = 16_384
# A stack is parallel over its matrices from this many on, up to this many multiply-adds each; larger ones are BLAS's.
MANY, EACH = 8, 200**3
SLAB = 200_000  # multiply-adds of a slab of a stack that BLAS multiplies
# Results of a bool matrix times a vector up to which NumPy's loop, one row after the other, beats the blocked kernel.
FEW = 16


def matmul(a, b, dtype=None, own=False):
    """`a @ b` as `np.matmul` defines it: 1-D operands, stacks that broadcast, any strides.

    a: (k,) or (..., m, k); b: (k,) or (..., k, n); result: `dtype` (default: their common dtype), 0-d for two vectors. Integers wrap,
    bool is "any of both". `own=True` uses our kernel for everything. Scratch: a copy of an operand that is not of `dtype`.
    Raises ValueError, naming the shapes, when they do not fit.
    """
    dtype = np.result_type(a, b) if dtype is None else np.dtype(dtype)
    shapes = a.shape, b.shape
    if len(shapes[0]) == len(shapes[1]) == 2 and dtype.kind in "fc" and not own and a.dtype is b.dtype is dtype:
        (m, k), (inner, n) = shapes
        if k == inner and m * n * k > SMALL and blas_reads(a) and blas_reads(b) and blas.has_gemm(dtype):
            out = pool.empty((m, n), dtype)
            if dtype.kind == "f" and beats_blas(m, k, n, dtype):
                return own_matmul(a, b, out)
            return blas.product(a, b, out)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: operands need at least one dimension; got shapes {shapes[0]} and {shapes[1]}")
    vector_a, vector_b = a.ndim == 1, b.ndim == 1
    a = a.astype(dtype, copy=False)
    b = b.astype(dtype, copy=False)
    a = a[np.newaxis, :] if vector_a else a
    b = b[:, np.newaxis] if vector_b else b
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul: inner dimensions differ: shapes {shapes[0]} and {shapes[1]}")
    batch = ()
    if a.ndim > 2 or b.ndim > 2:
        try:
            batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise ValueError(f"matmul: leading dimensions do not broadcast: shapes {shapes[0]} and {shapes[1]}") from None
    out = _matrices(a, b, batch, dtype, own)
    if vector_a:
        out = out[..., 0, :]
    return out[..., 0] if vector_b else out


def _matrices(a, b, batch, dtype, own):
    m, k = a.shape[-2:]
    n = b.shape[-1]
    out = pool.empty((*batch, m, n), dtype)
    if out.size == 0:
        return out
    if k == 0:
        out[...] = 0
        return out
    if dtype.kind not in "fc" and out.size * k <= SMALL and not own:
        return np.matmul(a, b, out=out)
    count = out.size // (m * n)
    if count > 1 and b.size == k * n and (rows := _as_rows(a, batch)) is not None:
        # one matrix for the whole stack: a single tall product
        _matrices_into(rows, b.reshape(-1, k, n)[0] if b.ndim > 2 else b, out.reshape(-1, n), own)
        return out
    if batch:
        a = np.broadcast_to(a, (*batch, m, k))
        b = np.broadcast_to(b, (*batch, k, n))
    return _matrices_into(a, b, out, own)


def _as_rows(a, batch):
    """The stack `a` of the full shape as one (rows, k) matrix without a copy, or None."""
    if a.shape[:-2] != batch:
        return None
    for axis in range(a.ndim - 2):
        if a.shape[axis] != 1 and a.strides[axis] != a.strides[axis + 1] * a.shape[axis + 1]:
            return None
    return a.reshape(-1, a.shape[-1])


def _matrices_into(a, b, out, own):
    m, k = a.shape[-2:]
    n = b.shape[-1]
    count = out.size // (m * n)
    if count >= MANY and fits(a, b, out):
        return tiny_matmul(a, b, out)
    blas_serves = not own and out.dtype.kind in "fc" and blas_reads(a) and blas_reads(b) and blas.has_gemm(out.dtype)
    if count == 1 and min(m, n) == 1 and not blas_serves and out.size * k >= SMALL:
        a2, b2 = a.reshape(m, k), b.reshape(k, n)
        matrix, vector = (a2, b2[:, 0]) if n == 1 else (b2.T, a2[0])
        if matvec.fits(matrix):
            matvec.matvec(matrix, vector, out.reshape(-1))
            return out
    if count == 1 and out.dtype.kind == "b" and min(m, n) == 1 and max(m, n) <= FEW and not own:
        return np.matmul(a, b, out=out)
    if own or out.dtype.kind not in "fc" or not blas.has_gemm(out.dtype):
        return own_matmul(a, b, out)
    if count >= MANY and (min(m, n) == 1 or out.dtype.kind == "c") and m * n * k <= EACH and out.size * k > SMALL:
        return _slabs(a, b, out)
    large = out.dtype.kind == "f" and out.size * k > SMALL
    if large and (not blas_serves or (count >= MANY and m * n * k <= EACH) or beats_blas(m, k, n, out.dtype)):
        return own_matmul(a, b, out)
    return blas.product(a, b, out)


def _slabs(a, b, out):
    """Stacks of matrix-vector and dot products (bound by memory) and of complex products: BLAS, slabs of the stack on all threads."""
    axis = int(np.argmax(out.shape[:-2]))
    lead = (slice(None),) * axis

    def work(lo, hi):
        part = (*lead, slice(lo, hi))
        np.matmul(a[part], b[part], out=out[part])

    step = max(1, SLAB * out.shape[axis] * out.shape[-1] * out.shape[-2] // (out.size * a.shape[-1]))
    with blas.blas_threads(1):
        each(work, out.shape[axis], step)
    return out


def blas_reads(x):
    """Whether BLAS can read the matrices of this stack as they lie: rows or columns contiguous, the others not overlapping."""
    (rows, columns), (s0, s1), size = x.shape[-2:], x.strides[-2:], x.itemsize
    by_rows = (s1 == size or columns == 1) and s0 % size == 0 and (s0 >= size * columns or rows == 1)
    by_columns = (s0 == size or rows == 1) and s1 % size == 0 and (s1 >= size * rows or columns == 1)
    return by_rows or by_columns
