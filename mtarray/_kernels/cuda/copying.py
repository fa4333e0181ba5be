"""Elements copied, converted and filled on the device, for any layouts; matrices that are turned go through tiles in shared memory."""

import functools

import numpy as np

from mtarray._kernels.source import Scalar

from . import elementwise, texts
from .kernel import Kernel
from .tensor import like

TILE, ROWS = 32, 8  # elements of a tile's side; rows of threads, each thread taking TILE / ROWS elements
_MOST = 65535  # blocks along the second and third dimension of a grid
_SMALLEST = 8  # shorter sides are not worth a tile


def _same(x):
    return x


SAME = Scalar(_same)


def copy(dst, src):
    """Write the elements of `src` into `dst`, a tensor of the same shape, converted to its dtype. They must not overlap."""
    if 0 in dst.shape:
        return
    if dst.dtype == src.dtype and dst.is_contiguous and src.is_contiguous:
        dst.driver.copy(dst.address, src.address, dst.nbytes)
        return
    turned = _turned(dst.shape, dst.strides, src.strides)
    if turned is None:
        elementwise.into(SAME, [dst], [src], (dst.dtype,), (dst.dtype,))
    else:
        _transpose(dst, src, turned)


def contiguous(x):
    """The tensor itself where it lies in C order, else a copy that does."""
    if x.is_contiguous:
        return x
    out = like(x)
    copy(out, x)
    return out


def cast(x, dtype):
    """The elements in another dtype, contiguous, in memory of their own."""
    out = like(x, dtype=dtype)
    copy(out, x)
    return out


def fill(x, value):
    """Write a number of the tensor's dtype to every element."""
    if 0 not in x.shape:
        elementwise.into(SAME, [x], [x.dtype.type(value)], (x.dtype,), (x.dtype,))


# --- matrices that are turned ------------------------------------------------------------------------------------------------


def transpose(target, source, dtype, batches):
    """y[b, r, c] = x[b, r, c] where y has its elements side by side along c and x along r.

    A block moves a tile: its rows of threads read along r and write along c, so that both are whole lines of memory. A row of the tile is
    one element longer than needed, so that the elements of a column lie in different banks. `batches`: dimensions before the two.
    """
    cuda = target.cuda
    names = ["y", "x", "rows", "columns", "sy", "sx", "count", *[f"{c}{d}" for c in "nyx" for d in range(batches)]]
    where, offsets = [], {"y": "t_i8(0)", "x": "t_i8(0)"}
    if batches:
        where = ["q = b"]
        for d in range(batches - 1, 0, -1):
            where += [f"i{d} = q % n{d}", f"q = q // n{d}"]
        where.append("i0 = q")
        offsets = {z: " + ".join([f"i{d} * {z}{d}" for d in range(batches)]) for z in "yx"}
    steps = range(0, TILE, ROWS)
    read = [f"v{k} = x[ix + (c0 + ty + {k}) * sx]" for k in steps]
    kept = [f"tile[ty + {k}, tx] = {f'v{k}' if source == dtype else texts.cast(f'v{k}', source, dtype)}" for k in steps]
    write = [f"y[iy + (r0 + ty + {k}) * sy] = tile[tx, ty + {k}]" for k in steps]
    text = f"""
def transpose({", ".join(names)}):
    tile = cuda.shared.array(({TILE}, {TILE + 1}), T)
    tx, ty = t_i8(cuda.threadIdx.x), t_i8(cuda.threadIdx.y)
    c0 = t_i8(cuda.blockIdx.x) * {TILE}
    b = t_i8(cuda.blockIdx.z)
    while b < count:
{_indented(where, 8)}
        oy = {offsets["y"]}
        ox = {offsets["x"]}
        r0 = t_i8(cuda.blockIdx.y) * {TILE}
        while r0 < rows:
            ix = ox + r0 + tx
            iy = oy + c0 + tx
            if r0 + {TILE} <= rows and c0 + {TILE} <= columns:
{_indented([*read, *kept], 16)}
            elif r0 + tx < rows:
{_indented([line for k, r, w in zip(steps, read, kept) for line in (f"if c0 + ty + {k} < columns:", "    " + r, "    " + w)], 16)}
            cuda.syncthreads()
            if r0 + {TILE} <= rows and c0 + {TILE} <= columns:
{_indented(write, 16)}
            elif c0 + tx < columns:
{_indented([line for k, w in zip(steps, write) for line in (f"if r0 + ty + {k} < rows:", "    " + w)], 16)}
            cuda.syncthreads()
            r0 += t_i8(cuda.gridDim.y) * {TILE}
        b += t_i8(cuda.gridDim.z)
"""
    T = target.type(np.uint8 if dtype.kind == "b" else dtype)
    return target.define("transpose", text, {"cuda": cuda, "T": T, **texts.types_of(target)})


def _indented(lines, by):
    return "\n".join([" " * by + line for line in lines])


def transpose_kernel(dtype, source, batches):
    signature = f"*{dtype.str[1:]} *{source.str[1:]} i8 i8 i8 i8 i8" + " i8" * (3 * batches)
    return Kernel(transpose, (source, dtype, batches), signature, TILE * ROWS)


@functools.lru_cache(maxsize=4096)
def _turned(shape, to, source):
    """(rows, columns, stride of rows in the target, of columns in the source, the other dimensions as (length, strides)) where the target
    is contiguous along one dimension, the source along another, and both are long enough; None otherwise."""
    walk = texts.walk(shape, (to, source))
    if len(walk.sizes) < 2 or any(walk.offsets) or walk.strides[0][-1] != 1 or walk.strides[1][-1] == 1:
        return None
    last = len(walk.sizes) - 1
    for d in range(last):
        if walk.strides[1][d] == 1 and min(walk.sizes[d], walk.sizes[last]) >= _SMALLEST:
            rest = [(walk.sizes[i], walk.strides[0][i], walk.strides[1][i]) for i in range(last) if i != d]
            return walk.sizes[d], walk.sizes[last], walk.strides[0][d], walk.strides[1][last], tuple(rest)
    return None


def _transpose(dst, src, turned):
    rows, columns, sy, sx, rest = turned
    count = 1
    for n, _, _ in rest:
        count *= n
    lengths, ys, xs = ([d[i] for d in rest] for i in range(3))
    grid = -(-columns // TILE), min(-(-rows // TILE), _MOST), min(count, _MOST)
    kernel = transpose_kernel(dst.dtype, src.dtype, len(rest))
    kernel.launch(dst.driver, grid, (TILE, ROWS), dst.address, src.address, rows, columns, sy, sx, count, *lengths, *ys, *xs)


def every():
    """The kernels of this module for every dtype and up to two dimensions beside the two that are turned."""
    for dtype in texts.DTYPES:
        for batches in range(3):
            yield transpose_kernel(dtype, dtype, batches)
