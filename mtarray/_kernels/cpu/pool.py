"""Recycled memory for large results (placeholder: NumPy's allocator)."""

import numpy as np


def empty(shape, dtype):
    """Uninitialised C-contiguous ndarray; large ones come from the pool."""
    return np.empty(shape, dtype)
