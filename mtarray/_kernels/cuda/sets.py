"""unique_* and isin on CUDA devices: elements are sorted, and runs of equal ones are what is distinct.

How many there are is read by the host, which waits for the device once.
"""

import numpy as np

from . import bounds, compact, copying
from .blocks import INT64, blocks_for
from .gather import along
from .kernel import Kernel
from .sorting import sorted_rows
from .tensor import like

_BOOL = np.dtype(bool)


def lengths(target):
    """How far each place is from the next one, the last from n."""
    cuda = target.cuda

    def lengths(out, places, count, n):
        k = cuda.grid(1)
        while k < count:
            stop = n
            if k + 1 < count:
                stop = places[k + 1]
            out[k] = stop - places[k]
            k += cuda.gridsize(1)

    return lengths


_LENGTHS = "*i8 *i8 i8 i8"


def distinct(x, *, want, **tiles):
    """Distinct elements of a flat array in ascending order, and what else is wanted: a tuple. Each NaN is distinct, -0.0 equals 0.0."""
    n = x.size
    flat = copying.contiguous(x).reshaped((1, n))
    placed = INT64 if want in ("all", "inverse") else None
    ordered, order = sorted_rows(flat, values=placed is None, placed=placed, **tiles)
    if order is not None:
        ordered, order = along(flat, order, 1), order.reshaped((n,))
    starts, inverse = compact.places(ordered, runs=True, order=order)
    values = along(ordered.reshaped((n,)), starts, 0)
    counts = None
    if want in ("all", "counts"):
        counts = like(starts)
        if counts.size:
            grid = blocks_for(counts.size)
            Kernel(lengths, (), _LENGTHS, 256).launch(x.driver, grid, 256, counts.address, starts.address, counts.size, n)
    if want == "values":
        return (values,)
    if want == "counts":
        return values, counts
    if want == "inverse":
        return values, inverse
    return values, along(order, starts, 0), inverse, counts


def member(x1, x2, **tiles):
    """Whether elements of x1 are among those of x2."""
    flat = copying.contiguous(x2).reshaped((1, x2.size))
    table, _ = sorted_rows(flat, **tiles)
    return bounds.find(table.reshaped((x2.size,)), x1, _BOOL)


def every():
    """All kernels of this module."""
    yield Kernel(lengths, (), _LENGTHS, 256)
