"""What `random_core` is written with, for NumPy arrays; `random_intrinsics` has the same for compiled kernels."""

import numpy as np

select = np.where
sqrt = np.sqrt
floor = np.floor


def as_bits(x):
    return np.asarray(x, np.float64).view(np.uint64)


def as_float(w):
    return w.view(np.float64)


def to_float(w):
    """float64 of a uint64 below 2**63."""
    return w.view(np.int64).astype(np.float64)


def to_unsigned(x):
    return x.astype(np.int64).view(np.uint64)


def lookup(table, index):
    return table[index.view(np.int64)]
