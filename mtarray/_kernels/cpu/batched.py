"""Stacks of tiny matrix products: a row of B is one to four vectors, nothing is packed.

Below some 20 columns the copies of the blocked kernel cost more than they save, and a BLAS call costs more than the product
(4 x 4 in float64: 145 ns for OpenBLAS called by address, 17 here). So `rows` keeps four rows of C in registers and
adds A[i, p] * B[p, :] to them; loads and stores are masked to the columns that exist.
"""

import functools

import numpy as np

from .. import build
from . import simd, stacks
from .driver import address, run

MR = 4
WIDEST = 4  # vectors per row
CODES = {"float32": "f4", "float64": "f8", "int64": "i8", "int32": "i4", "int16": "i2", "uint64": "i8", "uint32": "i4", "uint16": "i2"}
_ZERO = {"f4": "np.float32(0)", "f8": "0.0", "i2": "np.int16(0)", "i4": "np.int32(0)", "i8": "np.int64(0)"}


def _rows(vectors, code):
    """Source of `rows`: MR rows of C, `vectors` registers each; the last one holds `last` columns."""
    tile = [(r, v) for r in range(MR) for v in range(vectors)]
    lines = ["    " + " = ".join(f"c{r}{v}" for r, v in tile) + f" = fill({_ZERO[code]})", "    for p in range(k):"]
    for v in range(vectors):
        lines.append(f"        b{v} = " + (f"load(b + {v} * V)" if v < vectors - 1 else f"load_first(b + {v} * V, last)"))
    for r in range(MR):
        lines.append(f"        x = splat(a{r}); a{r} += acs")
        lines.append("        " + "; ".join(f"c{r}{v} = fma(x, b{v}, c{r}{v})" for v in range(vectors)))
    lines.append("        b += brs")
    for r, v in tile:
        at = f"c{r} + {v} * V, c{r}{v}"
        lines.append(f"    store({at})" if v < vectors - 1 else f"    store_first({at}, last)")
    return "\n".join(lines)


_PRELUDE = '''
from mtarray._kernels.cpu.simd import load_{T} as load, load_first_{T} as load_first, splat_{T} as splat, fill_{T} as fill
V = {vector}


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64,int64,int64,int64,int64,int64)", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def rows(a0, a1, a2, a3, acs, b, brs, c0, c1, c2, c3, k, last):
    """Rows of C (at c0..c3) = rows of A (at a0..a3) times B; strides in bytes."""
{rows}
'''
_BODY = '''    """Matrices lo..hi of the stack. args: layout, words, a, b, c; words: m, k, strides in bytes, columns of the last vector."""
    layout = ld64(args)
    w = i8(ld64(args + 8))
    m, k, ars, acs, brs, crs, last = w[0], w[1], w[2], w[3], w[4], w[5], w[6]
    for index in range(lo, hi):
        a = ld64(args + 16) + place(index, layout, 0)
        b = ld64(args + 24) + place(index, layout, 1)
        c = ld64(args + 32) + place(index, layout, 2)
        for i in range(0, m, 4):
            # beyond the last row: that row again, which writes the same numbers
            i1, i2, i3 = min(i + 1, m - 1), min(i + 2, m - 1), min(i + 3, m - 1)
            rows(a + i * ars, a + i1 * ars, a + i2 * ars, a + i3 * ars, acs, b, brs,
                 c + i * crs, c + i1 * crs, c + i2 * crs, c + i3 * crs, k, last)
'''


@functools.cache
def _kernel(code, vectors):
    prelude = _PRELUDE.format(T=code, vector=simd.BYTES, rows=_rows(vectors, code))
    return build.kernel(f"tiny_{code}_{vectors}", _BODY, prelude=simd.PRELUDE + stacks.PRELUDE + prelude)


def fits(a, b, out):
    """Whether `tiny_matmul` takes these stacks and is the fastest for them."""
    size = out.itemsize
    return (
        out.dtype.name in CODES
        and b.shape[-1] * size <= WIDEST * simd.BYTES
        and (b.strides[-1] == size or b.shape[-1] == 1)
        and max(a.shape[-2], a.shape[-1]) <= 64
    )


def tiny_matmul(a, b, out):
    """out[...] = a @ b for stacks of equal leading axes for which `fits` holds; out is C-contiguous. Sums run over k in order."""
    m, k = a.shape[-2:]
    n = b.shape[-1]
    lanes = simd.BYTES // out.itemsize
    vectors = -(-n // lanes)
    words = np.array([m, k, *a.strides[-2:], b.strides[-2], out.strides[-2], n - (vectors - 1) * lanes], np.int64)
    layout = stacks.layout(out.shape[:-2], a, b, out)
    chunk = max(1, 200_000 // (m * n * k + 100))
    kernel = _kernel(CODES[out.dtype.name], vectors)
    run(kernel, out.size // (m * n), chunk, address(layout), address(words), address(a), address(b), address(out))
    return out
