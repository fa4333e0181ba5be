"""Blocked Cholesky and LU factorisation of one matrix, in tiles on our own threads (AVX-512).

LAPACK's threads come and go with every one of its products; where another library's threads are awake, each of those meetings
waits for a processor. Here a step is one launch of the fork-join team, and the step's serial part is hidden in it:

1. **Panels.** A panel of NB columns is kept transposed: strips of L rows, one vector of L elements for each column. So columns are
   combined lane by lane, and the same memory is read as either factor of a product, without packing.
2. **Tiles.** All products are those of `update`: 8 rows by 2 vectors in registers, less the sum of the panel's rank-1 products.
   `solve8` continues in registers with a triangle of 8 x 8.
3. **Looking ahead.** The first task of the launch that updates what follows a panel updates the next panel's columns and factors
   them, while the other threads do the rest.

Matrices are padded to whole tiles, by ones of the matrix's size on the diagonal, in a copy whose rows begin at an odd number of
cache lines from each other. The cuts depend on shapes only, so results have the same bits for any number of threads.

LAPACK stays the judge, as in `lapack.py`: a pivot within rounding of zero or a result that is not finite is its own to decide.
"""

import numpy as np

from .. import build
from . import pool, simd
from .driver import address, run

NB = 64
# Sides from which this is faster than LAPACK on two cores of Zen 4, and up to which: beyond, LAPACK's wider blocks spare memory.
LEAST, MOST = 128, 1536
TILE = 16  # columns of a tile, rows of two strips
FLOAT = np.dtype(np.float64)
# times side and largest element: what a pivot is to exceed
TINY = 8 * np.finfo(np.float64).eps


HELPERS = '''
from mtarray._kernels.cpu import tiles
from mtarray._kernels.cpu.simd import load_f8 as load, splat_f8 as splat, fill_f8 as fill
S = 8            # bytes of an element
V = 64           # bytes of a vector of L elements
L = 8            # rows of a strip
NB = {NB}        # columns of a panel
STRIP = NB * V
helper = dict(no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64,int64)", **helper)
def update(a, astep, b, b2, bstep, k, c, c2, ldc):
    tiles.update(a, astep, b, b2, bstep, k, c, c2, ldc)


@njit("void(int64,int64,int64,int64,int64,int64,int64,int64,int64)", **helper)
def solve8(a, astep, f, fstep, r, x, x2, step, k):
    tiles.solve8(a, astep, f, fstep, r, x, x2, step, k)


@njit("void(int64,int64,int64,int64,int64)", **helper)
def strips(src, ld, panel, rows, columns):
    """The panel of these rows and columns (multiples of L) at src."""
    for i in range(0, rows, L):
        for p in range(0, columns, L):
            tr8_64(src + i * ld + p * S, ld, panel + i // L * STRIP + p * V, V)
'''


def kernel(name, helpers, body):
    """The kernel of this body, which may call the helpers here and its own."""
    return build.kernel(name, body, prelude=simd.PRELUDE + "from numba import njit\n" + HELPERS.replace("{NB}", str(NB)) + helpers)


def takes(a):
    """Whether a matrix, or each of a stack (..., n, n), is expected to be factored faster here than by LAPACK."""
    n = a.shape[-1]
    if simd.BYTES != 64 or a.dtype.char not in "fd" or a.shape[-2] != n or not LEAST <= n <= MOST:
        return False
    # Smaller matrices are better done one on each thread where there are several.
    return a.ndim == 2 or n > 200 or a.size < 4 * n * n


class Job:
    """The padded copy of an n x n matrix with `right` columns beside it, and what the kernel is told about it."""

    def __init__(self, a, right=0):
        n = len(a)
        self.tiles = -(-right // TILE)  # of right-hand sides
        self.size = -(-n // TILE) * TILE
        self.ld = ((self.size + self.tiles * TILE) // 8 | 1) * 64
        self.work = pool.empty((self.size, self.ld // 8), FLOAT)
        self.panels = pool.empty((2 * self.size * NB,), FLOAT)
        self.flags = np.zeros(1, np.uint8)
        self.words = np.array([0, n, self.size, self.ld, 0, 0, a.strides[0] // 8, a.strides[1] // 8, 0, right, 0, 0, 0, 0], np.int64)
        self.addresses = []

    def launch(self, fn, phase, tasks, chunk=1, k=0, width=0, ahead=0):
        words = self.words
        words[0], words[4], words[5], words[8] = phase, k, width, ahead
        run(fn, tasks, chunk, address(words), *self.addresses)

    def panels_in_turn(self):
        """(first column, width, width of the next) of each."""
        for k in range(0, self.size, NB):
            width = min(NB, self.size - k)
            yield k, width, min(NB, self.size - k - width)


def double(x):
    """`x` in float64, with strides of whole elements."""
    return x if x.dtype is FLOAT and not any(s % 8 for s in x.strides) else x.astype(FLOAT, order="C")
