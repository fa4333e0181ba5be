"""`Tensor`: a window on device memory, which is for the kernels of this package what an ndarray is for the CPU's."""

from math import prod

import numpy as np

from mtarray import _strides


class Tensor:
    """shape, strides and offset (in elements) on a `driver.Buffer`, with a dtype. Views share the buffer; nothing here moves an element."""

    __slots__ = ("buffer", "shape", "strides", "offset", "dtype", "__weakref__")

    def __init__(self, buffer, shape, strides, offset, dtype):
        self.buffer = buffer
        self.shape = shape
        self.strides = strides
        self.offset = offset
        self.dtype = dtype

    def __repr__(self):
        return f"Tensor(shape={self.shape}, strides={self.strides}, offset={self.offset}, dtype={self.dtype}, on {self.buffer.driver.name})"

    @property
    def driver(self):
        return self.buffer.driver

    @property
    def device(self):
        """The public device (`mtarray.Device`)."""
        return self.buffer.driver.device

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return prod(self.shape)

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return prod(self.shape) * self.dtype.itemsize

    @property
    def address(self):
        """Of its first element (the one at index 0, 0, ...)."""
        return self.buffer.ptr + self.offset * self.dtype.itemsize

    @property
    def is_contiguous(self):
        """Whether the elements lie side by side in C order."""
        return _strides.is_contiguous(self.shape, self.strides)

    def window(self, shape, strides, offset=None):
        """Another window on the same memory."""
        return Tensor(self.buffer, tuple(shape), tuple(strides), self.offset if offset is None else offset, self.dtype)

    def transpose(self, order):
        return self.window([self.shape[i] for i in order], [self.strides[i] for i in order])

    def broadcast_to(self, shape):
        return self.window(shape, _strides.broadcast(self.shape, self.strides, tuple(shape)))

    def reshaped(self, shape):
        """The view in another shape of as many elements; of elements that no strides describe so, a copy's."""
        shape = tuple(shape)
        strides = _strides.reshape(self.shape, self.strides, shape)
        if strides is None:
            from .copying import contiguous

            return contiguous(self).reshaped(shape)
        return self.window(shape, strides)

    def narrowed(self, axis, start, stop):
        """The view of the elements [start, stop) along an axis."""
        shape = (*self.shape[:axis], stop - start, *self.shape[axis + 1 :])
        return self.window(shape, self.strides, self.offset + start * self.strides[axis])

    def copy(self):
        """The same elements in memory of their own, contiguous."""
        out = like(self)
        if self.is_contiguous:
            self.driver.copy(out.address, self.address, self.nbytes)
        else:
            from . import copying

            copying.copy(out, self)
        return out

    def part(self, low, high):
        """The bytes [low, high) of the memory, in memory of their own."""
        return Tensor(self.buffer.part(low, high), (high - low,), (1,), 0, np.dtype(np.uint8))

    def to_host(self):
        """The elements as an ndarray: waits for everything launched before."""
        if not self.is_contiguous:
            return self.copy().to_host()
        return self.driver.download(self.address, self.nbytes).view(self.dtype).reshape(self.shape)

    def viewed(self, dtype):
        """The same bytes as elements of another dtype of the same size."""
        return Tensor(self.buffer, self.shape, self.strides, self.offset, dtype)


def empty(driver, shape, dtype):
    """A contiguous tensor of arbitrary content."""
    shape = tuple(shape)
    return Tensor(driver.allocate(prod(shape) * dtype.itemsize), shape, _strides.contiguous(shape), 0, dtype)


def from_host(driver, array):
    """A contiguous tensor with the elements of an ndarray."""
    shape = array.shape
    return Tensor(driver.upload(array), shape, _strides.contiguous(shape), 0, array.dtype)


def like(x, shape=None, dtype=None):
    """A contiguous tensor of arbitrary content on the device of `x`."""
    return empty(x.driver, x.shape if shape is None else shape, x.dtype if dtype is None else dtype)
