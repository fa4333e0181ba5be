"""Singular values and eigenvalues of Hermitian matrices on the device, and what follows from them: least squares, pseudo-inverses."""

import math

from . import solver_lib
from .eigen import eig_pairs, eig_values
from .factor import _determined
from .jacobi import orthogonal
from .kernel import Kernel
from .matrices import FLOATING, THREADS, codes, flat, floor_of, grid_of, raise_if, real_of
from .products import product
from .reflections import qr
from .tensor import empty, like

__all__ = [
    "svd_factors", "singular_values", "pseudo_inverse", "least_squares", "eigh_pairs", "eigh_values", "eig_pairs", "eig_values"
]  # fmt: skip

NOT_CONVERGED = "SVD did not converge"


def in_order(target, dtype):
    """out[i, j] = x[order[j], i] of matrices (n, m), or (adjoint) out[j, i] = its conjugate."""
    cuda, T = target.cuda, target.type(dtype)

    def in_order(out, x, order, n, m, count, adjoint):
        i = cuda.grid(1)
        while i < count:
            z = i // (n * m)
            r = i - z * n * m
            if adjoint:
                j = r // m
                r = r - j * m
            else:
                j = r % n
                r = r // n
            value = x[(z * n + order[z * n + j]) * m + r]
            if adjoint:
                value = T(value.conjugate())
            out[i] = value
            i += cuda.gridsize(1)

    return in_order


def adjoints(target, dtype):
    """out[j, i] = conj(x[i, j]) of matrices (m, n)."""
    cuda, T = target.cuda, target.type(dtype)

    def adjoints(out, x, m, n, count):
        i = cuda.grid(1)
        while i < count:
            z = i // (m * n)
            r = i - z * m * n
            j = r // m
            out[i] = T(x[z * m * n + (r - j * m) * n + j].conjugate())
            i += cuda.gridsize(1)

    return adjoints


def phases(target, dtype):
    """Columns of q (m, p) times r[j, j] / |r[j, j]|, of r (p, n), j < n."""
    cuda, T, R = target.cuda, target.type(dtype), target.type(real_of(dtype))
    COMPLEX, FLOOR = dtype.kind == "c", R(floor_of(dtype))

    def phases(q, r, m, p, n, count):
        i = cuda.grid(1)
        while i < count:
            z = i // (m * p)
            j = i % p
            if j < n:
                d = r[(z * p + j) * n + j]
                if COMPLEX:
                    size = R(math.hypot(d.real, d.imag))
                    if size > FLOOR:
                        q[i] = T(q[i] * T(complex(R(d.real / size), R(d.imag / size))))
                elif d < T(0):
                    q[i] = T(-q[i])
            i += cuda.gridsize(1)

    return phases


def scaled(target, dtype, factors):
    """x[i, j] of matrices (m, n) times s[j] (along 2), s[i] (1) or the number of the matrix (0); factors: the dtype of s."""
    cuda, T = target.cuda, target.type(dtype)

    def scaled(x, s, m, n, count, along):
        i = cuda.grid(1)
        while i < count:
            z = i // (m * n)
            k = z
            if along == 1:
                k = i // n
            elif along == 2:
                k = z * n + i % n
            x[i] = T(x[i] * s[k])
            i += cuda.gridsize(1)

    return scaled


def reciprocals(target, dtype):
    """1 / s where s exceeds rtol times the largest of its n, which comes first; 0 elsewhere. Real."""
    cuda, R = target.cuda, target.type(dtype)

    def reciprocals(out, s, rtol, n, count):
        i = cuda.grid(1)
        while i < count:
            z = i // n
            value = R(0)
            if s[i] > R(rtol[z] * s[z * n]):
                value = R(R(1) / s[i])
            out[i] = value
            i += cuda.gridsize(1)

    return reciprocals


def products_of_others(target, dtype):
    """For each of n numbers s the product of all others, times two more numbers: a thread for each matrix."""
    cuda, T = target.cuda, target.type(dtype)

    def products_of_others(out, s, u, v, n, stack):
        z = cuda.grid(1)
        if z < stack:
            before = T(u[z] * v[z])
            for i in range(n):
                out[z * n + i] = before
                before = T(before * s[z * n + i])
            after = T(1)
            for back in range(n):
                i = z * n + n - 1 - back
                out[i] = T(out[i] * after)
                after = T(after * s[i])

    return products_of_others


def _ordered(dtype):
    return Kernel(in_order, (dtype,), codes(dtype, "T T *i8 i8 i8 i8 i8"), THREADS)


def _adjoints(dtype):
    return Kernel(adjoints, (dtype,), codes(dtype, "T T i8 i8 i8"), THREADS)


def _phases(dtype):
    return Kernel(phases, (dtype,), codes(dtype, "T T i8 i8 i8 i8"), THREADS)


def _scaled(dtype, factors):
    return Kernel(scaled, (dtype, factors), codes(dtype, f"T *{factors.str[1:]} i8 i8 i8 i8"), THREADS)


def _reciprocals(dtype):
    return Kernel(reciprocals, (dtype,), codes(dtype, "T T T i8 i8"), THREADS)


def _others(dtype):
    return Kernel(products_of_others, (dtype,), codes(dtype, "T R T T i8 i8"), 128)


def _launch(kernel, like, *args):
    """A kernel with a thread for each element of a tensor."""
    if like.size:
        kernel.launch(like.driver, grid_of(like.size), THREADS, *args)


def sorted_columns(x, order, adjoint):
    """The rows of matrices (stack, n, m) in order, as columns (stack, m, n), or conjugated as rows."""
    stack, n, m = x.shape
    out = like(x, (stack, n, m) if adjoint else (stack, m, n))
    _launch(_ordered(x.dtype), out, out.address, x.address, order.address, n, m, out.size, int(adjoint))
    return out


def adjoint(x):
    """The conjugate transposes of contiguous matrices."""
    *stack, m, n = x.shape
    out = like(x, (*stack, n, m))
    _launch(_adjoints(x.dtype), out, out.address, x.address, m, n, out.size)
    return out


def scale(x, s, along):
    """Contiguous matrices (stack, m, n) times factors (stack, n) of their "columns", (stack, m) of their "rows", or (stack,) of "each"."""
    m, n = x.shape[-2:]
    number = ("each", "rows", "columns").index(along)
    _launch(_scaled(x.dtype, s.dtype), x, x.address, s.address, m, n, x.size, number)
    return x


def _svd(x, full):
    """U, S and V^H of matrices (stack, m, n)."""
    made = solver_lib.svd(x, "A" if full else "S")
    if made is not None:
        raise_if(made[3], NOT_CONVERGED)
        return made[:3]
    m, n = x.shape[1:]
    values, order, w, v, failed = orthogonal(x)
    k, long = min(m, n), max(m, n)
    p = long if full else k
    # The columns of w are the left vectors times singular values. Reflections give unit vectors in their directions, and more where w is 0.
    q, r = qr(sorted_columns(w, order, False), p)
    _launch(_phases(x.dtype), q, q.address, r.address, long, p, k, q.size)
    raise_if(failed, NOT_CONVERGED)
    if m >= n:
        return q, values, sorted_columns(v, order, True)
    return sorted_columns(v, order, False), values, adjoint(q)


def svd_factors(x, *, full_matrices):
    """U, S and V^H."""
    stack = x.shape[:-2]
    return tuple([y.reshaped((*stack, *y.shape[1:])) for y in _svd(flat(x), full_matrices)])


def singular_values(x):
    """Singular values, largest first."""
    y = flat(x)
    made = solver_lib.svd(y, "N")
    if made is None:
        values, _, _, _, failed = orthogonal(y)
    else:
        _, values, _, failed = made
    raise_if(failed, NOT_CONVERGED)
    return values.reshaped((*x.shape[:-2], values.shape[-1]))


def _inverted(s, rtol, shape):
    out = like(s)
    tolerances = rtol.broadcast_to(shape).copy()
    if tolerances.dtype != s.dtype:
        from .copying import cast

        tolerances = cast(tolerances, s.dtype)
    _launch(_reciprocals(s.dtype), out, out.address, s.address, tolerances.address, s.shape[-1], out.size)
    return out


def pseudo_inverse(x, rtol):
    """Moore-Penrose inverses: singular values up to rtol times the largest count as zero. rtol: of the shape of the stack, or 0-d."""
    u, s, vh = _svd(flat(x), False)
    out = product(scale(adjoint(vh), _inverted(s, rtol, x.shape[:-2]), "columns"), adjoint(u))
    return out.reshaped((*x.shape[:-2], x.shape[-1], x.shape[-2]))


def least_squares(x1, x2, rtol):
    """The X of smallest norm that minimise the norms of the columns of x1 @ X - x2, and the singular values of x1. rtol: as above, 0-d."""
    stack = x1.shape[:-2]
    u, s, vh = _svd(flat(x1), False)
    right = scale(product(adjoint(u), flat(x2)), _inverted(s, rtol, stack), "rows")
    out = product(adjoint(vh), right)
    return out.reshaped((*stack, *out.shape[1:])), s.reshaped((*stack, s.shape[-1]))


def adjugate_by_singular_values(x):
    """Adjugates of matrices that may be singular."""
    u, s, vh = _svd(flat(x), True)
    stack, n = s.shape
    weights = empty(s.driver, (stack, n), x.dtype)
    of_u, of_vh = _determined(u)[0], _determined(vh)[0]
    _others(x.dtype).launch(x.driver, -(-stack // 128), 128, weights.address, s.address, of_u.address, of_vh.address, n, stack)
    return product(scale(adjoint(vh), weights, "columns"), adjoint(u)).reshaped(x.shape)


def eigh_pairs(x):
    """Eigenvalues, ascending, and eigenvectors of symmetric or Hermitian matrices, from their lower triangles."""
    y = flat(x)
    values = solver_lib.eigh(y, True)
    if values is not None:
        return values.reshaped(x.shape[:-1]), adjoint(y).reshaped(x.shape)
    values, order, _, v, _ = orthogonal(y, hermitian=True)
    return values.reshaped(x.shape[:-1]), sorted_columns(v, order, False).reshaped(x.shape)


def eigh_values(x):
    """Eigenvalues, ascending, of symmetric or Hermitian matrices, from their lower triangles."""
    y = flat(x)
    values = solver_lib.eigh(y, False)
    if values is None:
        values = orthogonal(y, hermitian=True)[0]
    return values.reshaped(x.shape[:-1])


def every():
    for d in FLOATING:
        yield from (_ordered(d), _adjoints(d), _phases(d), _others(d), _scaled(d, d))
        if d.kind == "f":
            yield _reciprocals(d)
        else:
            yield _scaled(d, real_of(d))
