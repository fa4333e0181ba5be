"""Keys of index arrays as offsets: for each position of the broadcast arrays, the place of what it selects, found on the device.

Integer arrays cost one wait for the device, to learn whether an index is out of bounds; masks one each, to learn how many elements they
have.
"""

from math import prod

import numpy as np

from mtarray import _strides

from . import compact, copying
from .blocks import INT64, blocks_for
from .gather import flag_of, merged, out_of_bounds
from .kernel import Kernel
from .keys import DTYPES
from .tensor import Tensor, empty, like

_THREADS = 256
_UINT64 = np.dtype(np.uint64)


class Term:
    """One index array: where along an axis (of `length`, by `stride`) the positions of the selection are."""

    __slots__ = ("index", "length", "stride", "axis", "trusted")

    def __init__(self, index, length, stride, axis, trusted):
        self.index, self.length, self.stride, self.axis, self.trusted = index, length, stride, axis, trusted


class Selection:
    """What a key selects of a window: `terms` where index arrays broadcast to `positions` (a shape), `dims` (length, stride) before and
    behind them in the result, whose shape is `shape`."""

    def __init__(self, x, key):
        self.x, self.terms, self.offset = x, [], x.offset
        self.unique = False
        dims, shapes, kinds, axis, place, masks = [], [], [], 0, None, 0
        for item in key:
            if item is Ellipsis:
                kinds.append(False)
                continue
            if item.__class__ is slice:
                dims.append((x.shape[axis], x.strides[axis]))
                kinds.append(False)
                axis += 1
                continue
            if place is None:
                place = len(dims)
            kinds.append(True)
            if not isinstance(item, Tensor):
                self.offset += x.strides[axis] * _position(item, x.shape[axis], axis)
                axis += 1
            elif item.dtype.kind == "b":
                shapes.append(self._mask(item, axis))
                axis += item.ndim
                masks += 1
            else:
                self.terms.append(Term(item, x.shape[axis], x.strides[axis], axis, False))
                shapes.append(item.shape)
                axis += 1
        dims += zip(x.shape[axis:], x.strides[axis:])
        if False in kinds[kinds.index(True) : len(kinds) - kinds[::-1].index(True)]:
            place = 0
        try:
            self.positions = _strides.broadcast_shape(*shapes)
        except ValueError:
            raise IndexError(
                f"shape mismatch: indexing arrays could not be broadcast together with shapes {' '.join(map(str, shapes))}"
            ) from None
        self.count = prod(self.positions)
        self.unique = self.count <= 1 or (masks == 1 and len(shapes) == 1)
        self.before, self.behind = dims[:place], dims[place:]

    @property
    def shape(self):
        return (*[n for n, _ in self.before], *self.positions, *[n for n, _ in self.behind])

    def _mask(self, mask, axis):
        """Terms for the places where a mask is true; the shape of their index."""
        shape, strides = self.x.shape[axis : axis + mask.ndim], self.x.strides[axis : axis + mask.ndim]
        if not all(m in (n, 0) for m, n in zip(mask.shape, shape)) or len(shape) < mask.ndim:
            raise IndexError(f"boolean index of shape {mask.shape} does not match the axes it selects from, {shape}")
        found, _ = compact.places(copying.contiguous(mask))
        joined = merged(shape, strides)
        if mask.shape == shape and mask.ndim and len([n for n in joined[0] if n != 1]) <= 1:
            self.terms.append(Term(found, prod(shape), joined[1][-1], axis, True))
        elif mask.ndim:
            for d, c in enumerate(compact.coordinates(found, mask.shape)):
                self.terms.append(Term(c, shape[d], strides[d], axis + d, True))
        return found.shape

    def compacted(self):
        """The same selection of a contiguous copy, in which no more than two dimensions lie before or behind."""
        window = self.window
        lengths, k = window.shape, len(self.terms)
        copied = like(window)
        copying.copy(copied, window)
        self.x, self.offset = copied, 0
        for term, s in zip(self.terms, copied.strides):
            term.stride = s
        dims = list(zip(lengths[k:], copied.strides[k:]))
        self.before, self.behind = dims[: len(self.before)], dims[len(self.before) :]
        return window, copied

    @property
    def window(self):
        """What is selected from: the axes of the index arrays, then the others."""
        pairs = [(t.length, t.stride) for t in self.terms] + self.before + self.behind
        return Tensor(self.x.buffer, tuple([n for n, _ in pairs]), tuple([s for _, s in pairs]), self.offset, self.x.dtype)

    def checked(self):
        """Raise IndexError if an index is out of bounds, once the offsets are being found."""
        if self.count and not all(t.trusted for t in self.terms):
            flag_of(self.x.driver).read(self._wrong)

    def _wrong(self):
        found = [out_of_bounds(t.index, t.length, t.axis) for t in self.terms if not t.trusted]
        return next(filter(None, found), None)

    def offsets(self):
        """(offsets, step, base): position q is at element base + offsets[q] * step. Offsets are int64, -1 where an index is out of bounds,
        which is not yet checked."""
        driver = self.x.driver
        base = self.offset + sum([(t.length - 1) * t.stride for t in self.terms if t.stride < 0])
        if len(self.terms) == 1 and self.terms[0].trusted and self.terms[0].stride >= 0 and self.count:
            term = self.terms[0]
            index = term.index.broadcast_to(self.positions)
            return copying.contiguous(index), term.stride, base
        out = empty(driver, (self.count,), INT64)
        if not self.terms or not self.count:
            if self.count:
                copying.fill(out, 0)
            return out, 1, base
        for k, term in enumerate(self.terms):
            index = term.index.broadcast_to(self.positions)
            dims = merged(index.shape, index.strides)
            if len(dims[0]) > 2:
                dims = merged(index.shape, copying.contiguous(index).strides)
                index = copying.contiguous(index)
            (_, n), (s1, s0) = dims
            start = (term.length - 1) * -term.stride if term.stride < 0 else 0
            _adding(index.dtype).launch(
                driver, blocks_for(self.count, _THREADS), _THREADS, out.address, index.address, flag_of(driver).address,
                self.count, n, s1, s0, term.length, term.stride, start, int(k == 0),
            )  # fmt: skip
        return out, 1, base

    @property
    def extent(self):
        return sum([(t.length - 1) * abs(t.stride) for t in self.terms])


def _position(i, n, axis):
    if not -n <= i < n:
        raise IndexError(f"index {i} is out of bounds for axis {axis} with size {n}")
    return i + n if i < 0 else i


def add_offsets(target, index):
    """What an index array adds to the offsets of the positions; where it is out of bounds they are -1, and the flag is set."""
    cuda, L = target.cuda, target.type(INT64)
    UNSIGNED, U = index.kind == "u", target.type(_UINT64)

    def add_offsets(offsets, index, flag, size, n, outer, inner, length, stride, start, first):
        q = cuda.grid(1)
        while q < size:
            row = q // n
            i = index[row * outer + (q - row * n) * inner]
            k = L(-1)
            if UNSIGNED:
                if U(i) < U(length):
                    k = L(i)
            else:
                k = L(i)
                if k < 0:
                    k += length
            offset = L(0)
            if not first:
                offset = offsets[q]
            if k < 0 or k >= length:
                flag[0] = L(1)
                offset = L(-1)
            elif offset >= 0:
                offset += k * stride + start
            offsets[q] = L(offset)
            q += cuda.gridsize(1)

    return add_offsets


def _adding(index):
    return Kernel(add_offsets, (index,), f"*i8 *{index.str[1:]} *i8 " + "i8 " * 8, _THREADS)


def every():
    """All kernels of this module."""
    for index in DTYPES:
        if index.kind in "iu":
            yield _adding(index)
