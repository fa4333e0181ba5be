"""What `random_core` is written with, for NumPy arrays; `random_intrinsics` has the same for compiled kernels."""

import numpy as np

MOST_STEPS = 200.0  # a mean below 10 reaches it with a probability below 1e-100

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


def invert(where, u, p, a, b):
    """First k at which the cumulative probability reaches u: P(0) = p, P(k) = P(k - 1) * (a / k + b); 0 outside `where`."""
    k = np.zeros(np.shape(u))
    active = where & (u > p)
    while active.any():
        u = np.where(active, u - p, u)
        k = np.where(active, k + 1.0, k)
        p = np.where(active, p * (a / np.where(active, k, 1.0) + b), p)
        active &= (u > p) & (k < MOST_STEPS)
    return k
