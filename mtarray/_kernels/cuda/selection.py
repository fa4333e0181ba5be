"""x[key] and x[key] = values by index arrays on CUDA devices, and sums at places, the same in every run.

A key becomes offsets, int64, found and checked on the device before anything is written (see `keyed`). Where places may repeat, the offsets
are sorted with their positions: of equal ones the last in C order is written; sums run over pieces of a fixed length, and over the sums of
pieces, so no atomic operation on floats is needed.
"""

from math import gcd, prod

import numpy as np

from . import copying, radix
from .blocks import INT64, blocks_for
from .gather import WORDS, merged
from .kernel import Kernel
from .keyed import Selection
from .keys import DTYPES
from .sorting import SHORT, sorted_rows
from .tensor import Tensor, empty, like

_THREADS = 256
_PIECE = 32  # positions that one thread adds: at least 4, so that the sums of pieces become fewer
_UINT64 = np.dtype(np.uint64)


# ---------------------------------------------------------------------- reading


def gather_items(target, word):
    """out[a, b, q, c, d] = x[a, b, at offset q, c, d], out contiguous."""
    cuda = target.cuda

    def gather_items(out, x, offsets, size, step, nb, nq, nc, nd, xa, xb, xc, xd):
        e = cuda.grid(1)
        while e < size:
            rest, at = e, 0
            if nd != 1:
                rest = e // nd
                at = (e - rest * nd) * xd
            if nc != 1:
                at += rest % nc * xc
                rest //= nc
            q = rest
            if nq != size:
                q = rest % nq
                rest //= nq
                at += rest % nb * xb + rest // nb * xa
            offset = offsets[q]
            if offset >= 0:
                out[e] = x[at + offset * step]
            e += cuda.gridsize(1)

    return gather_items


def _gathering(word):
    return Kernel(gather_items, (word,), f"*{word.str[1:]} *{word.str[1:]} *i8 " + "i8 " * 10, _THREADS)


def _split(dims):
    return merged([n for n, _ in dims], [s for _, s in dims])


def select(x, key):
    """The elements that index arrays select, contiguous. IndexError for an index out of bounds."""
    p = Selection(x, key)
    out = empty(x.driver, p.shape, x.dtype)
    if max(len(_split(p.before)[0]), len(_split(p.behind)[0])) > 2:
        p.compacted()
    offsets, step, base = p.offsets()
    if out.size:
        (_, nb), (xa, xb) = _split(p.before)
        (nc, nd), (xc, xd) = _split(p.behind)
        _gathering(WORDS[x.itemsize]).launch(
            x.driver, blocks_for(out.size, _THREADS), _THREADS, out.address, p.x.buffer.ptr + base * x.itemsize, offsets.address,
            out.size, step, nb, p.count, nc, nd, xa, xb, xc, xd,
        )  # fmt: skip
    p.checked()
    return out


# ---------------------------------------------------------------------- writing


def scatter_items(target, word):
    """x[a, b, at offset k, c, d] = values[a, b, order[k], c, d]; of equal offsets, which are side by side, for the last k (ordered)."""
    cuda = target.cuda

    def scatter_items(x, values, offsets, order, size, step, nb, nq, nc, nd, xa, xb, xc, xd, va, vb, vq, vc, vd, ordered):
        e = cuda.grid(1)
        while e < size:
            rest = e // nd
            d = e - rest * nd
            c = rest % nc
            rest //= nc
            k = rest % nq
            rest //= nq
            b = rest % nb
            a = rest // nb
            q, last, offset = k, True, offsets[k]
            if ordered:
                q = order[k]
                if k + 1 < nq:
                    last = offsets[k + 1] != offset
            if last and offset >= 0:
                x[a * xa + b * xb + offset * step + c * xc + d * xd] = values[a * va + b * vb + q * vq + c * vc + d * vd]
            e += cuda.gridsize(1)

    return scatter_items


def _scattering(word):
    return Kernel(scatter_items, (word,), f"*{word.str[1:]} *{word.str[1:]} *i8 *i8 " + "i8 " * 16, _THREADS)


class _Writing:
    """What `assign` and `accumulate` share: the selection with its offsets checked, the values in the dtype of the target, and both as
    dimensions (a, b, q, c, d)."""

    def __init__(self, target, key, source, sorting):
        p = self.selection = Selection(target, key)
        source = _values(target, source, p.shape)
        self.size = prod(p.shape)
        self.copied = None
        if max(len(_split(p.before)[0]), len(_split(p.behind)[0])) > 2:
            self.copied = p.compacted()
        offsets, self.step, base = p.offsets()
        p.checked()
        if not self.size:
            return
        before, behind, q = self._dims(source)
        if len(q[0]) > 2 or q[0][-2] != 1 or max(len(before[0]), len(behind[0])) > 2:
            before, behind, q = self._dims(copying.contiguous(source))
            source = copying.contiguous(source)
        self.values = source
        (self.na, self.nb), (xa, xb), (va, vb) = before
        (self.nc, self.nd), (xc, xd), (vc, vd) = behind
        self.target_strides, self.source_strides = (xa, xb, xc, xd), (va, vb, q[1][-1], vc, vd)
        self.target_address = p.x.buffer.ptr + base * target.itemsize
        self.offsets, self.order = offsets, None
        if not p.unique:
            self.offsets, self.order = _sorted(p, offsets, self.step, **sorting)

    def _dims(self, source):
        p = self.selection
        i, j = len(p.before), len(p.before) + len(p.positions)
        s = source.strides
        before = merged([n for n, _ in p.before], [s for _, s in p.before], s[:i])
        behind = merged([n for n, _ in p.behind], [s for _, s in p.behind], s[j:])
        return before, behind, merged(p.positions, s[i:j])

    def finish(self):
        if self.copied is not None:
            copying.copy(*self.copied)


def _values(target, source, shape):
    """What is written, as a tensor of the dtype of the target in the selected shape."""
    if not isinstance(source, Tensor):
        number = np.asarray(source, target.dtype)[()]
        source = empty(target.driver, (), target.dtype)
        copying.fill(source, number)
    elif source.buffer is target.buffer:
        kept = like(source)
        copying.copy(kept, source)
        source = kept
    if source.dtype != target.dtype:
        source = copying.cast(source, target.dtype)
    lead = source.ndim - len(shape)
    if lead > 0 and all(n == 1 for n in source.shape[:lead]):
        source = source.window(source.shape[lead:], source.strides[lead:])
    return source.broadcast_to(shape)


def _sorted(p, offsets, step, **sorting):
    """(offsets, order): ascending, equal ones in the order of their positions."""
    row = offsets.reshaped((1, p.count)).viewed(_UINT64)
    if p.count <= sorting.pop("short", SHORT):
        row, order = sorted_rows(row, placed=INT64)
    else:
        units = gcd(*[t.stride for t in p.terms]) if step == 1 else 1
        low = (units & -units).bit_length() - 1 if units else 0
        row, order = radix.sort_rows(row, 0, False, True, INT64, low=low, high=max(p.extent.bit_length(), low) + 1, **sorting)
    return row.viewed(INT64).reshaped((p.count,)), order.reshaped((p.count,))


def assign(target, key, source, **sorting):
    """target[key] = source, a tensor or a number that broadcasts to what is selected: cast to the dtype of the target.

    Where index arrays name an element several times, the last value in C order stays. IndexError for an index out of bounds, ValueError for
    shapes that do not fit: then nothing is written.
    """
    w = _Writing(target, key, source, sorting)
    if not w.size:
        return
    p = w.selection
    order = w.offsets if w.order is None else w.order
    _scattering(WORDS[target.itemsize]).launch(
        target.driver, blocks_for(w.size, _THREADS), _THREADS, w.target_address, w.values.address, w.offsets.address, order.address,
        w.size, w.step, w.nb, p.count, w.nc, w.nd, *w.target_strides, *w.source_strides, int(w.order is not None),
    )  # fmt: skip
    w.finish()


# ---------------------------------------------------------------------- adding


def add_runs(target, dtype):
    """The sums of the values of equal offsets, which are side by side, added to x. A thread takes the positions of one piece.

    Runs that go beyond the piece leave their sum in `carried`, two slots for each piece: at its start, at its end. Those of one run follow
    each other there, so that the same kernel adds them up. An offset of -1 marks a slot that holds nothing but NONE.
    """
    BOOL = dtype.kind == "b"
    cuda, T, L = target.cuda, target.type(np.dtype(np.uint8) if BOOL else dtype), target.type(INT64)
    # Minus zero: the sum of anything with it is the same number.
    NONE = T(0) if BOOL else dtype.type(complex(-0.0, -0.0) if dtype.kind == "c" else -0.0 if dtype.kind == "f" else 0)

    def add_runs(
        x, values, offsets, order, carried, carried_offsets, size, step, piece, nb, nq, np_, nc, nd,
        xa, xb, xc, xd, va, vb, vq, vc, vd, ordered,
    ):  # fmt: skip
        e = cuda.grid(1)
        while e < size:
            rest = e // nd
            d = e - rest * nd
            c = rest % nc
            rest //= nc
            p = rest % np_
            rest //= np_
            b = rest % nb
            a = rest // nb
            w = ((a * nb + b) * nc + c) * nd + d
            many = size // np_
            at = a * xa + b * xb + c * xc + d * xd
            from_ = a * va + b * vb + c * vc + d * vd
            first = p * piece
            stop = first + piece
            if stop > nq:
                stop = nq
            head, tail = L(-1), L(-1)
            carried[2 * p * many + w] = T(NONE)
            carried[(2 * p + 1) * many + w] = T(NONE)
            k = first
            while k < stop:
                offset, begin = offsets[k], k
                q = k
                if ordered:
                    q = order[k]
                total = values[from_ + q * vq]
                k += 1
                while k < stop and offsets[k] == offset:
                    q = k
                    if ordered:
                        q = order[k]
                    if BOOL:
                        total = T(total | values[from_ + q * vq])
                    else:
                        total = T(total + values[from_ + q * vq])
                    k += 1
                whole = True
                if begin == first and begin > 0 and offsets[begin - 1] == offset:
                    whole = False
                if k == stop and k < nq and offsets[k] == offset:
                    whole = False
                if whole:
                    if offset >= 0:
                        to = at + offset * step
                        if BOOL:
                            x[to] = T(x[to] | total)
                        else:
                            x[to] = T(x[to] + total)
                elif begin == first:
                    head = offset
                    carried[2 * p * many + w] = total
                    if k == stop:
                        tail = offset
                else:
                    tail = offset
                    carried[(2 * p + 1) * many + w] = total
            if w == 0:
                carried_offsets[2 * p] = head
                carried_offsets[2 * p + 1] = tail
            e += cuda.gridsize(1)

    return add_runs


def _adding_runs(dtype):
    t = "u1" if dtype.kind == "b" else dtype.str[1:]
    return Kernel(add_runs, (dtype,), f"*{t} *{t} *i8 *i8 *{t} *i8 " + "i8 " * 18, _THREADS)


def accumulate(target, key, source, piece=_PIECE, **sorting):
    """target[key] += source, as often as the key names an element: exact in integers, in floats the same sum in every run.

    source: as for `assign`. Scratch: 16 bytes for each position for the sort, and a sixteenth of the values.
    """
    w = _Writing(target, key, source, sorting)
    if not w.size:
        return
    p, driver, step = w.selection, target.driver, w.step
    many = w.size // p.count
    values, offsets, order, count, strides = w.values, w.offsets, w.order, p.count, w.source_strides
    while True:
        pieces = -(-count // piece)
        slots = 2 * pieces
        carried = empty(driver, (slots * many if pieces > 1 else 2 * many,), target.dtype)
        carried_offsets = empty(driver, (slots,), INT64)
        _adding_runs(target.dtype).launch(
            driver, blocks_for(pieces * many, _THREADS), _THREADS, w.target_address, values.address, offsets.address,
            (offsets if order is None else order).address, carried.address, carried_offsets.address,
            pieces * many, step, piece, w.nb, count, pieces, w.nc, w.nd, *w.target_strides, *strides, int(order is not None),
        )  # fmt: skip
        if pieces == 1:
            break
        values, offsets, order, count = carried, carried_offsets, None, slots
        strides = (w.nb * w.nc * w.nd, w.nc * w.nd, many, w.nd, 1)
    w.finish()


def every():
    """All kernels of this module."""
    for word in WORDS.values():
        yield _gathering(word)
        yield _scattering(word)
    for dtype in DTYPES:
        yield _adding_runs(dtype)
