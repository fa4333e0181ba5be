"""take and take_along_axis on CUDA devices, and the kernel that gathers at places: items are copied as words, whatever their dtype.

Whether an index is out of bounds is found on the device and read once, by 8 bytes: that waits for the device. What is captured as a graph
cannot wait, and what runs in `forbid_transfers` must not: they leave out what is out of bounds, and the next check of the thread says so.
"""

import threading

import numpy as np

from . import copying
from .blocks import INT64, blocks_for
from .kernel import Kernel
from .tensor import Tensor, like

_THREADS = 256
WORDS = {n: np.dtype(f"u{n}") for n in (1, 2, 4, 8)} | {16: np.dtype("c16")}  # by their bytes
_UINT64 = np.dtype(np.uint64)
_flags = threading.local()


class Flag:
    """Whether a kernel met an index out of bounds: an int64 on the device, 0 if it did not. One for each thread and device."""

    def __init__(self, driver):
        self.tensor = Tensor(driver.allocate_apart(8), (1,), (1,), 0, INT64)
        self.known = False  # whether it is 0 unless a kernel has set it

    @property
    def address(self):
        if not self.known:
            copying.fill(self.tensor, 0)
            self.known = self.tensor.driver.capture is None
        if self.tensor.driver.capture is not None and self not in _captured:
            _captured.append(self)
        return self.tensor.address

    def read(self, wrong):
        """Raise IndexError if it is set, once the kernels launched before have run. wrong(): the sentence about the index, or none if
        it was another."""
        driver = self.tensor.driver
        if driver.capture is None and driver.forbidden is None and driver.download(self.tensor.address, 8).view(np.int64)[0]:
            copying.fill(self.tensor, 0)
            raise IndexError(
                wrong() or f"{driver.name}: in a replayed graph, or where transfers were forbidden, an index was out of bounds"
            )


_captured = []  # flags that graphs set: they live on, for nobody knows which graphs do


def flag_of(driver):
    try:
        return _flags.of[driver]
    except AttributeError:
        _flags.of = {}
    except KeyError:
        pass
    flag = _flags.of[driver] = Flag(driver)
    return flag


# ---------------------------------------------------------------------- along an axis


def gather_along(target, word):
    """out[a, b, j, c, d] = x[a, b, index[a, b, j, c, d], c, d]: out is contiguous, the others have strides.

    wraps: whether negative indices count from the end (else they are out of bounds: great unsigned ones).
    """
    cuda, L = target.cuda, target.type(INT64)

    def gather_along(
        out, x, index, flag, size, length, wraps, nb, nj, nc, nd, xa, xb, xj, xc, xd, ia, ib, ij, ic, id_
    ):  # fmt: skip
        e = cuda.grid(1)
        while e < size:
            rest = e // nd
            d = e - rest * nd
            c = rest % nc
            rest //= nc
            j = rest % nj
            rest //= nj
            b = rest % nb
            a = rest // nb
            k = index[a * ia + b * ib + j * ij + c * ic + d * id_]
            if k < 0 and wraps:
                k += length
            if k < 0 or k >= length:
                flag[0] = L(1)
            else:
                out[e] = x[a * xa + b * xb + k * xj + c * xc + d * xd]
            e += cuda.gridsize(1)

    return gather_along


def _along_kernel(word):
    return Kernel(gather_along, (word,), f"*{word.str[1:]} *{word.str[1:]} *i8 *i8 " + "i8 " * 17, _THREADS)


def along(x, indices, axis, checked=False):
    """Elements of each line by the indices in the same line of `indices`, whose other axes are those of x. checked: IndexError for an index
    out of bounds; else there must be none."""
    out = like(x, indices.shape)
    if not out.size:
        return out
    index = indices
    if index.dtype != INT64:
        index = index.viewed(INT64) if index.dtype == _UINT64 else copying.cast(index, INT64)
    for _ in range(2):
        before = merged(x.shape[:axis], x.strides[:axis], index.strides[:axis])
        behind = merged(x.shape[axis + 1 :], x.strides[axis + 1 :], index.strides[axis + 1 :])
        if len(before[0]) == 2 and len(behind[0]) == 2:
            break
        x, index = copying.contiguous(x), copying.contiguous(index)
    (_, nb), (xa, xb), (ia, ib) = before
    (nc, nd), (xc, xd), (ic, id_) = behind
    flag = flag_of(x.driver)
    _along_kernel(WORDS[x.itemsize]).launch(
        x.driver, blocks_for(out.size, _THREADS), _THREADS, out.address, x.address, index.address, flag.address,
        out.size, x.shape[axis], int(indices.dtype != _UINT64), nb, index.shape[axis], nc, nd,
        xa, xb, x.strides[axis], xc, xd, ia, ib, index.strides[axis], ic, id_,
    )  # fmt: skip
    if checked:
        flag.read(lambda: out_of_bounds(indices, x.shape[axis], axis))
    return out


def out_of_bounds(indices, length, axis):
    """The sentence that names the first index that does not fit, if one does not. Copies them to the host, on the way to an error."""
    host = copying.contiguous(indices)
    given = host.driver.download(host.address, host.nbytes).view(host.dtype)
    wrong = given[(given >= length) | (given < -length)] if given.dtype.kind == "i" else given[given >= length]
    return wrong.size and f"index {wrong[0]} is out of bounds for axis {axis} with size {length}"


def merged(shape, *strides):
    """Dimensions as two, where all windows with these strides allow it (else more): (lengths, strides of the first window, ...)."""
    lengths, rows = [], [[] for _ in strides]
    for i, n in enumerate(shape):
        steps = [s[i] for s in strides]
        if n == 1:
            continue
        if lengths and all(row[-1] == s * n for row, s in zip(rows, steps)):
            lengths[-1] *= n
            for row, s in zip(rows, steps):
                row[-1] = s
        else:
            lengths.append(n)
            for row, s in zip(rows, steps):
                row.append(s)
    missing = 2 - len(lengths)
    return [1] * missing + lengths, *[[0] * missing + row for row in rows]


# ---------------------------------------------------------------------- engine ops


def taken(x, indices, *, axis):
    """Elements of an axis by integer indices."""
    from .selection import select

    if indices.size and x.shape[axis] == 0:
        raise IndexError(f"take: axis {axis} of shape {x.shape} has no elements to take")
    return select(x, (slice(None),) * axis + (indices,))


def taken_along(x, indices, *, axis):
    """Elements of each line by the indices of the same line."""
    return along(x, indices, axis, checked=True)


def every():
    """All kernels of this module."""
    for word in WORDS.values():
        yield _along_kernel(word)
