"""Linear algebra: the `linalg` extension of the standard, and NumPy's other names for it.

Matrices are the last two axes, the axes before them a stack. Integer arrays are taken as float64 where the result is not one of integers
(`strict` refuses them). What is not a factorisation is composed from public functions.
"""

from ..manipulation import matrix_transpose
from ._operands import LinAlgError
from .decompositions import (
    cholesky,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    inv,
    matrix_power,
    qr,
    slogdet,
    solve,
    svd,
    svdvals,
)
from .diagonals import diagonal, trace
from .least_squares import lstsq, matrix_rank, pinv
from .norms import cond, matrix_norm, norm, vector_norm
from .products import cross, matmul, multi_dot, outer, tensordot, vecdot

__all__ = [
    "LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "lstsq", "matmul",
    "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "svd",
    "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip
