"""Stacks of matrices: where matrix number i of a stack lies, whatever the strides of the leading axes."""

import numpy as np

PRELUDE = '''
from numba import njit


@njit("int64(int64,int64,int64)", nogil=True, error_model="numpy")
def place(index, layout, which):
    """Byte offset of matrix `index` (in row-major order of the leading axes) in stack `which` of a layout."""
    w = i8(layout)
    ndim = w[0]
    offset = 0
    for d in range(ndim - 1, -1, -1):
        q = index // w[1 + d]
        offset += (index - q * w[1 + d]) * w[1 + ndim + which * ndim + d]
        index = q
    return offset
'''


def layout(batch, *stacks):
    """int64 words for `place`: leading axes of shape `batch` (adjacent ones joined where every stack allows) and their strides in bytes."""
    axes = []
    for length, *strides in zip(batch, *(s.strides for s in stacks), strict=False):
        if length == 1:
            continue
        if axes and all(outer == inner * length for outer, inner in zip(axes[-1][1:], strides, strict=True)):
            axes[-1] = [axes[-1][0] * length, *strides]
        else:
            axes.append([length, *strides])
    return np.array([len(axes), *np.array(axes, np.int64).T.ravel()], np.int64)
