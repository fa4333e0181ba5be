"""Planned folds, ready to run on any array with the shape and strides that they were planned for."""

import numpy as np

from . import pool
from .driver import address, run

KEPT = 1 << 13  # bytes of scratch that a launch keeps for its next call


class Launch:
    """A kernel on a nest: call it with an ndarray. Everything that the data do not decide is settled here once.

    `size`: bytes that the kernel keeps for each output of each leaf where there are several leaves. `parameter`: word 1 of the nest.
    """

    __slots__ = ("fn", "items", "chunk", "offset", "words", "at", "size", "shape", "dtype", "restore", "scratch", "spare")

    def __init__(self, fn, nest, shape, dtype, size, parameter=0):
        self.fn, self.items, self.chunk, self.offset = fn, nest.items, nest.chunk, nest.offset
        self.words = nest.words.copy()
        self.words[1] = parameter
        self.at = address(self.words)
        self.shape = tuple(shape[i] for i in nest.order)
        self.dtype = dtype
        self.size = pool.size_class(nest.outputs * dtype.itemsize)
        self.restore = None if nest.restore == tuple(range(len(nest.restore))) else nest.restore
        self.scratch = -(-(8 * nest.counters + size * nest.leaves * nest.outputs) // 8) if nest.leaves > 1 else 0
        self.spare = []  # scratch to use again: kernels leave its counters at 0

    def __call__(self, x):
        out = pool.take(self.size, self.shape, self.dtype)
        if not self.scratch:
            run(self.fn, self.items, self.chunk, self.at, address(x) + self.offset, address(out))
        else:
            try:
                scratch = self.spare.pop()
            except IndexError:
                scratch = np.zeros(self.scratch, np.int64)
            run(self.fn, self.items, self.chunk, self.at, address(x) + self.offset, address(out), address(scratch))
            if self.scratch <= KEPT // 8:
                self.spare.append(scratch)
        return out if self.restore is None else out.transpose(self.restore)


def filled(shape, dtype, value):
    """A new array full of `value`."""
    out = pool.empty(shape, dtype)
    out[...] = value
    return out


def repeating(shape, axes, repeated, fold):
    """The fold of an array of this shape with strides of 0 along `repeated`: `fold` of one position of them, at every output."""
    once = tuple(slice(0, 1) if i in repeated else slice(None) for i in range(len(shape)))
    kept = tuple(n for i, n in enumerate(shape) if i not in axes)

    def run_once(x):
        folded = fold(x[once])
        return filled(kept, folded.dtype, folded)

    return run_once
