"""Fourier transforms: the `fft` extension of the standard.

    X[k] = sum over j of x[j] * exp(-2 pi i j k / n)

`norm` says who divides by n: "backward" the inverse transforms, "forward" the direct ones, "ortho" both by its root. float32 and
complex64 are transformed in single precision; integers count as float64 (`strict` refuses what the standard does not promise).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._array import Array
from ._config import config, is_strict
from ._dtypes import COMPLEX, FLOATING, REAL_FLOATING, complex_of, dtype_of, float64
from ._operands import lift, names
from ._ops import engine
from ._strides import axes_of, axis_of
from .creation import arange, astype, zeros
from .elementwise import conj, multiply, subtract
from .manipulation import concat, reshape, roll
from .searching import where

_SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
_SMALL = 1 << 11  # elements that NumPy has transformed before a kernel of ours has started


def _adjoint(g: Array, shape: tuple[int, ...], name: str, n: int, axis: int, norm: str) -> Array:
    """The adjoint transform of g, then that of cutting or padding the axis, which pads or cuts it."""
    norm = _SWAPPED[norm]
    if name in ("fft", "ifft"):
        g = fourier(g, name="ifft" if name == "fft" else "fft", n=n, axis=axis, norm=norm)
    else:
        # Half a spectrum: its inner values stand for their conjugates too, its first one (and the last, if n is even) for itself.
        inner = arange(n // 2 + 1, device=g.device)
        inner = (inner > 0) & (2 * inner < n)
        inner = reshape(inner, tuple([-1 if a == axis else 1 for a in range(g.ndim)]))
        if name == "rfft":
            g = fourier(where(inner, 0.5 * g, g), name="irfft", n=n, axis=axis, norm=norm)
        else:
            g = fourier(g, name="rfft", n=n, axis=axis, norm=norm)
            g = where(inner, 2 * g, g)
    length, wanted = g.shape[axis], shape[axis]
    if length > wanted:
        return g[(slice(None),) * axis + (slice(wanted),)]
    if length < wanted:
        rest = zeros((*g.shape[:axis], wanted - length, *g.shape[axis + 1 :]), dtype=g.dtype, device=g.device)
        return concat([g, rest], axis=axis)
    return g


@engine(vjp=_adjoint, linear="all")
def fourier(x: Any, *, name: str, n: int, axis: int, norm: str) -> Any:
    """One of NumPy's transforms fft, ifft, rfft, irfft along an axis."""
    if x.size >= _SMALL and config.kernels != "python":
        from ._kernels.cpu import fft as kernels

        return kernels.transform(name, x, n, axis, norm)
    return getattr(np.fft, name)(x, n, axis, norm)


def _operand(x: Any, where: str, real: bool) -> Array:
    """`x` in a floating dtype: real for the transforms of real arrays, as it is for the others."""
    x = lift(x, where)
    wanted = REAL_FLOATING if real else COMPLEX
    if is_strict() and x.dtype not in wanted:
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for {names(wanted)} (strict mode)")
    if real and x.dtype in COMPLEX:
        raise TypeError(f"{where} transforms real arrays, not {x.dtype}; take the real part, or a transform of complex arrays")
    return x if x.dtype in FLOATING else astype(x, float64)


def _along(x: Array, where: str, name: str, n: Any, axis: Any, norm: Any) -> Array:
    """A transform along one axis, its arguments checked."""
    if norm is None:
        norm = "backward"
    if norm not in _SWAPPED:
        raise ValueError(f"{where}: norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    if x.ndim == 0:
        raise ValueError(f"{where}: a 0-d array has no axis to transform")
    a = axis_of(axis, x.ndim)
    if n is None:
        n = 2 * (x.shape[a] - 1) if name == "irfft" else x.shape[a]
    elif isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{where}: n must be an integer, got {n!r}")
    if n < 1:
        raise ValueError(f"{where}: n must be at least 1, it is {n} for shape {x.shape} along axis {axis}")
    return fourier(x, name=name, n=int(n), axis=a, norm=norm)


def fft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Discrete Fourier transform along `axis`, complex; the axis is cut, or padded with zeros, to `n` first.

    >>> import mtarray as xp
    >>> xp.fft.fft(xp.asarray([1.0, 0.0, -1.0, 0.0]))
    Array([0.+0.j, 2.+0.j, 0.+0.j, 2.+0.j], shape=(4,), dtype=complex128, device='cpu')
    """
    return _along(_operand(x, "fft", False), "fft", "fft", n, axis, norm)


def ifft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `fft` along `axis`, complex; the axis is cut, or padded with zeros, to `n` first.

    >>> import mtarray as xp
    >>> xp.fft.ifft(xp.asarray([0j, 2, 0, 2])).real
    Array([ 1.,  0., -1.,  0.], shape=(4,), dtype=float64, device='cpu')
    """
    return _along(_operand(x, "ifft", False), "ifft", "ifft", n, axis, norm)


def rfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The first n // 2 + 1 values of `fft` of a real array; the others are their conjugates.

    >>> import mtarray as xp
    >>> xp.fft.rfft(xp.asarray([1.0, 0.0, -1.0, 0.0]))
    Array([0.+0.j, 2.+0.j, 0.+0.j], shape=(3,), dtype=complex128, device='cpu')
    """
    return _along(_operand(x, "rfft", True), "rfft", "rfft", n, axis, norm)


def irfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `rfft`: `n` real values (default: 2 * (length - 1)) from the first n // 2 + 1 of a Hermitian spectrum.

    >>> import mtarray as xp
    >>> xp.fft.irfft(xp.asarray([0j, 2, 0]))
    Array([ 1.,  0., -1.,  0.], shape=(4,), dtype=float64, device='cpu')
    """
    return _along(_operand(x, "irfft", False), "irfft", "irfft", n, axis, norm)


def hfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """`fft` of a Hermitian signal given by its first n // 2 + 1 values: `n` real ones (default: 2 * (length - 1)).

    >>> import mtarray as xp
    >>> xp.fft.hfft(xp.asarray([1 + 0j, 2, 3]))
    Array([ 8., -2.,  0., -2.], shape=(4,), dtype=float64, device='cpu')
    """
    x = _operand(x, "hfft", False)
    return _along(conj(x) if x.dtype in COMPLEX else x, "hfft", "irfft", n, axis, _SWAPPED.get(norm, norm))


def ihfft(x: Any, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """Inverse of `hfft`: the first n // 2 + 1 values of the Hermitian signal of which `x`, real, is the spectrum.

    >>> import mtarray as xp
    >>> xp.fft.ihfft(xp.asarray([8.0, -2.0, 0.0, -2.0])).real
    Array([1., 2., 3.], shape=(3,), dtype=float64, device='cpu')
    """
    return conj(_along(_operand(x, "ihfft", True), "ihfft", "rfft", n, axis, _SWAPPED.get(norm, norm)))


def _lengths(x: Array, where: str, s: Any, axes: Any) -> tuple[list[int | None], list[int]]:
    """Lengths (None or -1: as it is) and axes of a transform along several."""
    if s is not None:
        s = [None if n is None or n == -1 else n for n in s]
    if axes is None:
        if s is not None and len(s) > x.ndim:
            raise ValueError(f"{where}: s has {len(s)} lengths, the array of shape {x.shape} fewer axes")
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    axes = [axis_of(a, x.ndim) for a in axes]
    if s is None:
        s = [None] * len(axes)
    if len(s) != len(axes):
        raise ValueError(f"{where}: s has {len(s)} lengths for {len(axes)} axes")
    return s, axes


def _several(x: Array, where: str, name: str, lengths: Sequence[int | None], axes: Sequence[int], norm: Any) -> Array:
    for n, a in zip(reversed(lengths), reversed(axes), strict=True):
        x = _along(x, where, name, n, a, norm)
    # Without an axis nothing is transformed, but the result is still an array of its own.
    return x if axes and x.dtype in COMPLEX else astype(x, complex_of(x.dtype))


def fftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """`fft` along several axes (default: all, or the last len(s)), cut or padded to the lengths `s` first.

    >>> import mtarray as xp
    >>> xp.fft.fftn(xp.ones((2, 3)), axes=(0, 1))[0, 0]
    Array(6.+0.j, shape=(), dtype=complex128, device='cpu')
    """
    x = _operand(x, "fftn", False)
    return _several(x, "fftn", "fft", *_lengths(x, "fftn", s, axes), norm)


def ifftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """Inverse of `fftn`.

    >>> import mtarray as xp
    >>> xp.fft.ifftn(xp.fft.fftn(xp.ones((2, 3)))).real[1, 2]
    Array(1., shape=(), dtype=float64, device='cpu')
    """
    x = _operand(x, "ifftn", False)
    return _several(x, "ifftn", "ifft", *_lengths(x, "ifftn", s, axes), norm)


def rfftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """`rfft` along the last of `axes` (default: all, or the last len(s)), then `fft` along the others.

    >>> import mtarray as xp
    >>> xp.fft.rfftn(xp.ones((2, 6))).shape
    (2, 4)
    """
    x = _operand(x, "rfftn", True)
    lengths, along = _lengths(x, "rfftn", s, axes)
    if not along:
        raise ValueError(f"rfftn: at least one axis must be transformed; x has shape {x.shape}, axes is {axes}")
    return _several(_along(x, "rfftn", "rfft", lengths[-1], along[-1], norm), "rfftn", "fft", lengths[:-1], along[:-1], norm)


def irfftn(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """Inverse of `rfftn`: `ifft` along all but the last of `axes`, then `irfft` along that one, to s[-1] real values.

    >>> import mtarray as xp
    >>> xp.fft.irfftn(xp.fft.rfftn(xp.ones((2, 6)))).shape
    (2, 6)
    """
    x = _operand(x, "irfftn", False)
    lengths, along = _lengths(x, "irfftn", s, axes)
    if not along:
        raise ValueError(f"irfftn: at least one axis must be transformed; x has shape {x.shape}, axes is {axes}")
    return _along(_several(x, "irfftn", "ifft", lengths[:-1], along[:-1], norm), "irfftn", "irfft", lengths[-1], along[-1], norm)


def fft2(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Array:
    """`fftn` along two axes."""
    return fftn(x, s=s, axes=axes, norm=norm)


def ifft2(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Array:
    """`ifftn` along two axes."""
    return ifftn(x, s=s, axes=axes, norm=norm)


def rfft2(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Array:
    """`rfftn` along two axes."""
    return rfftn(x, s=s, axes=axes, norm=norm)


def irfft2(x: Any, /, *, s: Sequence[int] | None = None, axes: Sequence[int] = (-2, -1), norm: str = "backward") -> Array:
    """`irfftn` along two axes."""
    return irfftn(x, s=s, axes=axes, norm=norm)


def _frequency_dtype(where: str, n: Any, dtype: Any) -> Any:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{where}: n must be an integer, got {n!r}")
    if n < 1:
        raise ValueError(f"{where}: n must be at least 1, got {n}")
    d = float64 if dtype is None else dtype_of(dtype)
    if d not in REAL_FLOATING:
        raise ValueError(f"{where}: frequencies are real and floating, not {d}")
    return d


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the values of `fft` of length n with samples `d` apart: 0, 1, ..., -2, -1, divided by n * d.

    >>> import mtarray as xp
    >>> xp.fft.fftfreq(4, d=0.5)
    Array([ 0. ,  0.5, -1. , -0.5], shape=(4,), dtype=float64, device='cpu')
    """
    chosen = _frequency_dtype("fftfreq", n, dtype)
    k = arange(n, device=device)
    k = where(k < (n + 1) // 2, k, subtract(k, n))
    return astype(multiply(astype(k, float64), 1.0 / (n * d)), chosen, copy=False)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Array:
    """Frequencies of the values of `rfft` of length n with samples `d` apart: 0, 1, ..., n // 2, divided by n * d.

    >>> import mtarray as xp
    >>> xp.fft.rfftfreq(4, d=0.5)
    Array([0. , 0.5, 1. ], shape=(3,), dtype=float64, device='cpu')
    """
    chosen = _frequency_dtype("rfftfreq", n, dtype)
    return astype(multiply(astype(arange(n // 2 + 1, device=device), float64), 1.0 / (n * d)), chosen, copy=False)


def _shifted(x: Any, where: str, axes: Any, sign: int) -> Array:
    x = lift(x, where)
    if is_strict() and x.dtype not in FLOATING:
        raise TypeError(f"{where}: the standard does not define it for {x.dtype}, only for floating dtypes (strict mode)")
    along = tuple(axes_of(axes, x.ndim))
    halves = [x.shape[a] // 2 if sign > 0 else -(x.shape[a] // 2) for a in along]
    return roll(x, tuple(halves), axis=along) if along else x.copy()


def fftshift(x: Any, /, *, axes: Any = None) -> Array:
    """Frequency 0 to the middle of `axes` (an int, a tuple, or None for all).

    >>> import mtarray as xp
    >>> xp.fft.fftshift(xp.asarray([0.0, 1.0, 2.0, -2.0, -1.0]))
    Array([-2., -1.,  0.,  1.,  2.], shape=(5,), dtype=float64, device='cpu')
    """
    return _shifted(x, "fftshift", axes, 1)


def ifftshift(x: Any, /, *, axes: Any = None) -> Array:
    """Inverse of `fftshift`: the middle of `axes` back to index 0.

    >>> import mtarray as xp
    >>> xp.fft.ifftshift(xp.asarray([-2.0, -1.0, 0.0, 1.0, 2.0]))
    Array([ 0.,  1.,  2., -2., -1.], shape=(5,), dtype=float64, device='cpu')
    """
    return _shifted(x, "ifftshift", axes, -1)


__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "irfft2", "irfftn",
    "rfft", "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip
