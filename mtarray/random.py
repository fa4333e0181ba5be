"""Random numbers: NumPy's `Generator` surface on a counter-based generator, the same numbers for any number of threads.

Of the methods of NumPy's `Generator` these are missing: `f`, `hypergeometric`, `logseries`, `multivariate_hypergeometric`,
`noncentral_chisquare`, `noncentral_f`, `pareto`, `power`, `standard_cauchy`, `triangular`, `vonmises`, `wald`, `zipf`, and the attribute
`bit_generator` (`state`, `spawn` and `jumped` are the generator's own). The functions on one hidden global generator (`seed`, `rand`,
`normal`, ...) are left out.

>>> import mtarray as xp
>>> rng = xp.random.default_rng(7)
>>> rng.integers(0, 10, size=4).shape
(4,)
"""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import MutableSequence
from typing import Any

import numpy as np

from . import _array
from ._array import Array, fresh, from_numpy, host, value, writable
from ._devices import CPU, Device
from ._dtypes import INTEGER_OR_BOOL, DType, dtype_of, float64, int64
from ._random_arguments import (
    Size,
    axis_of,
    bound,
    broadcast_size,
    exponential_of,
    factor,
    lift,
    out_shape,
    probabilities,
    real_floating,
    result,
    result_shape,
    to_dtype,
    values,
)  # fmt: skip
from ._random_arguments import parameter as _parameter
from ._random_state import Stream


class _Later:
    """A module of the engine, imported when it is first used: programs that draw no numbers do not pay for it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._module: Any = None

    def __getattr__(self, attribute: str) -> Any:
        if self._module is None:
            self._module = importlib.import_module(f"{__package__}._kernels.cpu.{self._name}")
        return getattr(self._module, attribute)


_engine = _Later("random")
_shuffle = _Later("random_shuffle")
_engines: dict[Device, Any] = {}  # of other devices than the CPU


def _elsewhere(device: Device) -> Any:
    """The engine of a device that is not the CPU."""
    found = _engines.get(device)
    if found is None or found.driver is not device.driver:
        from ._kernels.cuda.random import Engine

        found = _engines[device] = Engine(device.driver)
    return found


# Beyond this mean, a count could exceed int64 by chance (ten standard deviations are kept).
_MOST_POISSON = float(2**63 - 1) - 10.0 * math.sqrt(2.0**63)
_MOST_TRIALS = 2**53


def default_rng(seed: Any = None, *, device: Any = None) -> Generator:
    """A `Generator` for a seed: None (from the operating system), a non-negative int, a sequence of them, or a `numpy.random.SeedSequence`.

    device: where its numbers are made and live (None: the default device). They are the same on every device, bit by bit, except where an
    array goes through other operations: then to rounding (locations and scales given as arrays, `dirichlet`), or with other signs of
    eigenvectors (`multivariate_normal`).
    A Generator is returned as it is, or with `device` on that device.

    >>> import mtarray as xp
    >>> a, b = xp.random.default_rng(1), xp.random.default_rng(1)
    >>> a.random() == b.random()
    True
    """
    if isinstance(seed, Generator):
        return seed if device is None else seed.to_device(device)
    return Generator(seed, device)


class Generator(Stream):
    """Random numbers from Philox4x32-10 (Salmon et al., SC11), whose whole state is a key and a counter.

    Every element is a function of the key, the counter and its own index: so results depend neither on the number of threads nor on
    the tier that computes them, and threads may share a generator (each call takes its piece of the counter under a lock).

    A call of n elements advances the counter by whole blocks of 128 bits: `ceil(n / 4)` for float32 of `random`, `normal` and
    `exponential` and for integers below 2**20, `ceil(n / 2)` for float64 and larger integers, n for gamma, beta and counts.
    So `random(10)` twice gives the numbers of `random(20)`, but `random(5)` twice not those of `random(10)`.

    Where NumPy's method returns a scalar (`size=None` and scalar parameters) so does ours, as a Python number; everything else is
    an Array on the generator's device. Parameters broadcast against each other and to `size`; arrays among them must be on the
    generator's device (lists and ndarrays are brought there), and two numbers of each come to the host to be checked. Additions to NumPy:
    `dtype` (float32 or float64) for every floating distribution; location and scale given as arrays are applied by array operations.
    """

    __slots__ = ()

    # ------------------------------------------------------------------ uniform

    def random(self, size: Size = None, dtype: Any = float64, out: Array | None = None) -> Any:
        """Uniform numbers in [0, 1): multiples of 2**-53 (float64) or 2**-24 (float32).

        >>> import mtarray as xp
        >>> xp.random.default_rng(0).random((2, 3), dtype="float32").dtype
        dtype('float32')
        """
        return self._dense("uniform", size, dtype, out)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Uniform numbers in [low, high): low + (high - low) * u. Rounding may give `high` itself. ValueError if high < low."""
        low, high = self._parameter("uniform", "low", low), self._parameter("uniform", "high", high)
        if self._device is CPU or (isinstance(low, float) and isinstance(high, float)):
            width = values(high) - values(low)
            finite, falling = bool(np.all(np.isfinite(width))), bool(np.any(width < 0))
        else:
            xp = _array.xp
            width = xp.astype(xp.asarray(high - low), float64)
            finite, falling = bool(xp.all(xp.isfinite(width))), bool(xp.any(width < 0))
        if not finite:
            raise OverflowError("uniform: the range high - low exceeds what the dtype holds, or is not a number")
        if falling:
            raise ValueError(f"uniform: high < low (low={low!r:.60}, high={high!r:.60})")
        return self._located("uniform", "uniform", low, high - low, size, dtype)

    def integers(self, low: Any, high: Any = None, size: Size = None, dtype: Any = int64, endpoint: bool = False) -> Any:
        """Integers of [low, high), or [low, high] with `endpoint`, each equally likely (Lemire 2019); of [0, low) without `high`.

        dtype: any integer dtype, or bool; the bounds must fit it. Bounds may be arrays. ValueError if a range is empty.

        >>> import mtarray as xp
        >>> xp.random.default_rng(0).integers(1, 6, size=3, endpoint=True).dtype
        dtype('int64')
        """
        d = dtype_of(dtype)
        if d not in INTEGER_OR_BOOL:
            raise TypeError(f"integers: dtype={d} must be an integer dtype or bool")
        if high is None:
            low, high = 0, low
        least, most = (0, 1) if d.kind == "b" else (int(np.iinfo(d).min), int(np.iinfo(d).max))
        low, high = bound("low", low, self._device), bound("high", high, self._device)
        if isinstance(low, int) and isinstance(high, int):
            last = high if endpoint else high - 1
            if last < low:
                raise ValueError(f"integers: no integer is >= {low} and {'<=' if endpoint else '<'} {high} (low >= high)")
            if low < least or last > most:
                raise ValueError(f"integers: low={low} or high={high} is out of bounds for {d}")
            span = last - low + 1
            shape, scalar = result_shape(size)
            n = math.prod(shape)
            key, counter = self._take(_engine.blocks(_engine.integer_bits(span), n))
            return result(self._engine(scalar).integers(key, counter, shape, d, low, span), scalar)
        if self._device is not CPU:
            return self._integers_between(low, high, size, d, bool(endpoint), least, most)
        lows, highs = values(low), values(high)
        # comparisons of int64 with uint64 are exact, and differences modulo 2**64 are spans
        if np.any(lows > highs if endpoint else lows >= highs):
            raise ValueError("integers: low >= high for an element of the bounds")
        if np.any(lows < least) or np.any(highs > most if endpoint else highs - (highs.dtype.type(1)) > most):
            raise ValueError(f"integers: low or high is out of bounds for {d}")
        shape, _ = result_shape(size, lows, highs)
        unsigned = lows.astype(np.uint64), highs.astype(np.uint64)
        key, counter = self._take(_engine.blocks(64, math.prod(shape)))
        spans = unsigned[1] - unsigned[0] + np.uint64(bool(endpoint))
        return fresh(_engine.integers_between(key, counter, shape, d, unsigned[0], spans))

    def _integers_between(self, low: Any, high: Any, size: Size, d: DType, endpoint: bool, least: int, most: int) -> Array:
        """`integers` between arrays on another device than the CPU."""
        xp = _array.xp
        kinds = [np.dtype(np.uint64) if isinstance(x, int) and x >= 1 << 63 else None for x in (low, high)]
        lows, highs = (xp.asarray(x, device=self._device, dtype=kind) for x, kind in zip((low, high), kinds))
        last = highs if endpoint else highs - 1
        if bool(xp.any(lows > highs if endpoint else lows >= highs)):
            raise ValueError("integers: low >= high for an element of the bounds")
        if bool(xp.any(lows < least)) or bool(xp.any(last > most)):
            raise ValueError(f"integers: low or high is out of bounds for {d}")
        shape, _ = result_shape(size, lows, highs)
        first, beyond = (xp.astype(x, np.uint64) for x in (lows, highs))
        spans = beyond - first + (1 if endpoint else 0)
        key, counter = self._take(_engine.blocks(64, math.prod(shape)))
        given = [self._spread(x, shape) for x in (first, spans)]
        return fresh(self._engine().integers_between(key, counter, shape, d, *given))

    def bytes(self, length: int) -> builtin_bytes:
        """Random bytes, little-endian words of the generator."""
        n = operator.index(length)
        if n < 0:
            raise ValueError(f"bytes: length={n} must not be negative")
        words = (n + 3) // 4
        key, counter = self._take(_engine.blocks(32, words))
        return _engine.words(key, counter, words).astype("<u4").tobytes()[:n]

    # ------------------------------------------------------------------ location and scale

    def standard_normal(self, size: Size = None, dtype: Any = float64, out: Array | None = None) -> Any:
        """Normal numbers of mean 0 and variance 1, by Box and Muller (1958): up to 9.4 (float64) or 6.7 (float32) in size."""
        return self._dense("normal", size, dtype, out)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Normal numbers of mean `loc` and standard deviation `scale` >= 0.

        >>> import mtarray as xp
        >>> xp.random.default_rng(0).normal([0.0, 100.0], 1.0, size=(5, 2)).shape
        (5, 2)
        """
        return self._located("normal", "normal", loc, scale, size, dtype)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """exp of normal numbers of mean `mean` and standard deviation `sigma` >= 0."""
        return exponential_of(self._located("lognormal", "normal", mean, sigma, size, dtype, "mean", "sigma"))

    def standard_exponential(self, size: Size = None, dtype: Any = float64, method: str = "inv", out: Array | None = None) -> Any:
        """Exponential numbers of mean 1, by inversion. `method` ("inv" or NumPy's "zig") is accepted and changes nothing."""
        if method not in ("inv", "zig"):
            raise ValueError(f"standard_exponential: method={method!r} must be 'inv' or 'zig'")
        return self._dense("exponential", size, dtype, out)

    def exponential(self, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Exponential numbers of mean `scale` >= 0."""
        return self._located("exponential", "exponential", 0.0, scale, size, dtype)

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Laplace (double exponential) numbers around `loc`; scale >= 0."""
        return self._located("laplace", "laplace", loc, scale, size, dtype)

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Logistic numbers around `loc`; scale >= 0."""
        return self._located("logistic", "logistic", loc, scale, size, dtype)

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Gumbel (extreme value) numbers of mode `loc`; scale >= 0."""
        return self._located("gumbel", "gumbel", loc, scale, size, dtype)

    def rayleigh(self, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Rayleigh numbers of mode `scale` >= 0: the length of a plane vector of normal numbers."""
        scale = self._parameter("rayleigh", "scale", scale, at_least=0.0)
        length = (2.0 * self._dense("exponential", broadcast_size(size, scale), dtype, None)) ** 0.5
        return length * to_dtype(scale, real_floating(dtype))

    def weibull(self, a: Any, size: Size = None, dtype: Any = float64) -> Any:
        """Weibull numbers of the shape a > 0: E**(1 / a) of exponential numbers E."""
        a = self._parameter("weibull", "a", a, above=0.0)
        return self._dense("exponential", broadcast_size(size, a), dtype, None) ** to_dtype(1.0 / a, real_floating(dtype))

    # ------------------------------------------------------------------ gamma and its family

    def standard_gamma(self, shape: Any, size: Size = None, dtype: Any = float64, out: Array | None = None) -> Any:
        """Gamma numbers of the shape `shape` >= 0 and scale 1 (Marsaglia and Tsang 2000)."""
        shape = self._parameter("standard_gamma", "shape", shape, at_least=0.0)
        return self._attempts("gamma", size, real_floating(dtype), shape, out=out)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Size = None, dtype: Any = float64) -> Any:
        """Gamma numbers of the shape `shape` >= 0 and the scale `scale` >= 0: mean shape * scale.

        >>> import mtarray as xp
        >>> xp.random.default_rng(0).gamma(2.0, 3.0, size=4).shape
        (4,)
        """
        shape = self._parameter("gamma", "shape", shape, at_least=0.0)
        scale = self._parameter("gamma", "scale", scale, at_least=0.0)
        d = real_floating(dtype)
        standard = self._attempts("gamma", broadcast_size(size, shape, scale), d, shape)
        return standard if isinstance(scale, float) and scale == 1.0 else standard * to_dtype(scale, d)

    def chisquare(self, df: Any, size: Size = None, dtype: Any = float64) -> Any:
        """Chi-square numbers of df > 0 degrees of freedom."""
        df = self._parameter("chisquare", "df", df, above=0.0)
        return 2.0 * self._attempts("gamma", size, real_floating(dtype), df / 2.0)

    def standard_t(self, df: Any, size: Size = None, dtype: Any = float64) -> Any:
        """Student's t numbers of df > 0 degrees of freedom."""
        df = self._parameter("standard_t", "df", df, above=0.0)
        size, d = broadcast_size(size, df), real_floating(dtype)
        z = self._dense("normal", size, d, None)
        return z * (to_dtype(df, d) / (2.0 * self._attempts("gamma", size, d, df / 2.0))) ** 0.5

    def beta(self, a: Any, b: Any, size: Size = None, dtype: Any = float64) -> Any:
        """Beta numbers in [0, 1] of the shapes a > 0 and b > 0: X / (X + Y) of gamma numbers."""
        a, b = self._parameter("beta", "a", a, above=0.0), self._parameter("beta", "b", b, above=0.0)
        return self._attempts("beta", size, real_floating(dtype), a, b)

    def dirichlet(self, alpha: Any, size: Size = None) -> Array:
        """Points of the simplex, shape `size` + (k,), of the k concentrations alpha >= 0, one of them positive."""
        given = self._parameter("dirichlet", "alpha", alpha, at_least=0.0)
        a = values(given) if self._device is CPU or isinstance(given, float) else given
        if a.ndim != 1:
            raise ValueError(f"dirichlet: alpha must have 1 dimension, it has shape {a.shape}")
        if not a.any():
            raise ValueError("dirichlet: alpha must have a positive element")
        shape, _ = result_shape(size)
        if self._device is not CPU:
            return self._simplex(self._attempts("gamma", (*shape, a.size), float64, a), a)
        out = self._attempts("gamma", (*shape, a.size), float64, from_numpy(a))
        g = writable(out, "dirichlet")
        total = g.sum(axis=-1, keepdims=True)
        with np.errstate(all="ignore"):
            g /= total
        lost = np.flatnonzero(total.reshape(-1) == 0.0)
        if lost.size:  # every gamma underflowed: the limit puts all weight on one, chosen by its concentration
            rows = g.reshape(-1, a.size)
            rows[lost] = 0.0
            rows[lost, value(self.choice(a.size, lost.size, p=a / a.sum()))] = 1.0
        return out

    def _simplex(self, g: Array, a: Array) -> Array:
        """Gamma numbers of the shapes a along the last axis, divided by their sums: `dirichlet` by array operations."""
        xp = _array.xp
        total = xp.sum(g, axis=-1, keepdims=True)
        out: Array = g / total
        lost = xp.nonzero(xp.reshape(total, (-1,)) == 0)[0]
        if lost.size:
            rows = xp.reshape(out, (-1, a.size), copy=False)
            rows[lost] = 0.0
            weights = xp.astype(a, float64)
            rows[lost, self.choice(a.size, lost.size, p=weights / xp.sum(weights))] = 1.0
        return out

    # ------------------------------------------------------------------ counts

    def poisson(self, lam: Any = 1.0, size: Size = None) -> Any:
        """Poisson counts of the mean 0 <= lam <= 9.22e18, int64 (PTRS, Hoermann 1993; a search below 10).

        >>> import mtarray as xp
        >>> xp.random.default_rng(0).poisson([0.0, 5.0], size=(3, 2))[:, 0].tolist()
        [0, 0, 0]
        """
        return self._attempts("poisson", size, int64, self._parameter("poisson", "lam", lam, at_least=0.0, at_most=_MOST_POISSON))

    def binomial(self, n: Any, p: Any, size: Size = None) -> Any:
        """Successes in 0 <= n <= 2**53 trials of probability 0 <= p <= 1, int64 (BTRS, Hoermann 1993; a search below 10)."""
        n = self._parameter("binomial", "n", n, at_least=0.0, at_most=float(_MOST_TRIALS), whole=True)
        return self._attempts("binomial", size, int64, n, self._parameter("binomial", "p", p, at_least=0.0, at_most=1.0))

    def geometric(self, p: Any, size: Size = None) -> Any:
        """Trials up to the first success of probability 0 < p <= 1, int64, by inversion."""
        return self._attempts("geometric", size, int64, self._parameter("geometric", "p", p, above=0.0, at_most=1.0))

    def negative_binomial(self, n: Any, p: Any, size: Size = None) -> Any:
        """Failures before n > 0 successes of probability 0 < p <= 1, int64: Poisson counts of a gamma mean."""
        n = self._parameter("negative_binomial", "n", n, above=0.0)
        p = self._parameter("negative_binomial", "p", p, above=0.0, at_most=1.0)
        return self.poisson(self.gamma(n, (1.0 - p) / p, size))

    def multinomial(self, n: int, pvals: Any, size: Size = None) -> Array:
        """Counts of n trials over k outcomes, int64 of shape `size` + (k,): a binomial for each outcome, given the earlier ones.

        pvals: 1-d probabilities; the last one is what the others leave. ValueError if they exceed 1 or are not probabilities.
        """
        given = self._parameter("multinomial", "pvals", pvals, at_least=0.0, at_most=1.0)
        p = np.asarray(host(given) if isinstance(given, Array) else given, np.float64)
        n = operator.index(n)
        if p.ndim != 1 or p.size == 0:
            raise ValueError(f"multinomial: pvals must have 1 dimension and an element, it has shape {p.shape}")
        if p[:-1].sum() > 1.0 + 1e-12:
            raise ValueError(f"multinomial: sum(pvals[:-1]) = {p[:-1].sum()} exceeds 1")
        shape, _ = result_shape(size)
        xp = _array.xp
        counts: Array = xp.zeros((*shape, p.size), dtype=int64, device=self._device)
        left = xp.full(shape, n, dtype=int64, device=self._device)
        rest = 1.0
        for i in range(p.size - 1):
            share = min(1.0, float(p[i]) / rest) if rest > 0.0 else 0.0
            counts[..., i] = self.binomial(left, share)
            left -= counts[..., i]
            rest -= float(p[i])
        counts[..., -1] = left
        return counts

    # ------------------------------------------------------------------ vectors

    def multivariate_normal(
        self, mean: Any, cov: Any, size: Size = None, check_valid: str = "warn", tol: float = 1e-8, *, method: str = "svd"
    ) -> Array:
        """Normal vectors, shape `size` + (n,), of the mean (n,) and the covariance (n, n).

        method: how the covariance is factored: "svd", "eigh" or "cholesky" (fastest; needs a positive definite matrix).
        check_valid: "warn", "raise" or "ignore" if it is not symmetric positive semidefinite within tol. Runs in float64.
        """
        m, c = self._float64("mean", mean), self._float64("cov", cov)
        if m.ndim != 1 or c.shape != (m.size, m.size):
            raise ValueError(f"multivariate_normal: mean must have shape (n,) and cov (n, n), they have {m.shape} and {c.shape}")
        if method not in ("svd", "eigh", "cholesky"):
            raise ValueError(f"multivariate_normal: method={method!r} must be 'svd', 'eigh' or 'cholesky'")
        if check_valid not in ("warn", "raise", "ignore"):
            raise ValueError(f"multivariate_normal: check_valid={check_valid!r} must be 'warn', 'raise' or 'ignore'")
        xp = _array.xp
        root = factor(xp if isinstance(c, Array) else np, c, check_valid, tol, method)
        shape, _ = result_shape(size)
        normal = self._dense("normal", (*shape, m.size), float64, None)
        if self._device is not CPU:
            root, m = (xp.asarray(x, device=self._device) for x in (root, m))
            made: Array = normal @ root.T + m if normal.ndim > 1 else root @ normal + m
            return made
        z = value(normal)
        if z.size * m.size < 1 << 20:
            return fresh(np.einsum("...k,jk->...j", z, root) + m)
        from ._kernels.cpu.gemm import own_matmul

        # like `einsum`, and unlike BLAS, it adds in an order that the number of threads does not change
        x = own_matmul(z.reshape(-1, m.size), root.T).reshape(z.shape)
        x += m
        return fresh(x)

    def _float64(self, name: str, x: Any) -> Any:
        """An operand of `multivariate_normal`: an ndarray, or the Array where it is one on the generator's other device."""
        if isinstance(x, Array):
            elements = values(lift(x, self._device, f"multivariate_normal: {name}"))
            if self._device is not CPU:
                return _array.xp.astype(x.detach(), float64)
            x = elements
        return np.asarray(values(lift(x)), np.float64)

    # ------------------------------------------------------------------ order

    def permutation(self, x: Any, axis: int = 0) -> Array:
        """A random permutation of range(x), or the array x with its subarrays along `axis` in random order, each equally likely.

        >>> import mtarray as xp
        >>> sorted(xp.random.default_rng(0).permutation(4).tolist())
        [0, 1, 2, 3]
        """
        if isinstance(x, (int, np.integer)) and not isinstance(x, bool):
            return fresh(self._order(int(x)))
        a = lift(x, self._device, "permutation")
        axis = axis_of("permutation", axis, a)
        return a[(slice(None),) * axis + (fresh(self._order(a.shape[axis])),)]

    def shuffle(self, x: Any, axis: int = 0) -> None:
        """Put the subarrays of x along `axis` into a random order, in place. x: an Array, an ndarray or a mutable sequence."""
        if isinstance(x, (Array, np.ndarray)):
            axis = axis_of("shuffle", axis, x)
            before = (slice(None),) * axis
            if isinstance(x, Array):
                lift(x, self._device, "shuffle")
                writable(x, "shuffle", recorded=True)
                x[...] = x[(*before, fresh(self._order(x.shape[axis])))]
            else:
                x[...] = x[(*before, self._order(x.shape[axis], on_host=True))]
        elif isinstance(x, MutableSequence):
            if axis != 0:
                raise ValueError(f"shuffle: a {type(x).__name__} has only axis 0, not {axis}")
            x[:] = [x[i] for i in self._order(len(x), on_host=True).tolist()]
        else:
            raise TypeError(f"shuffle: cannot shuffle a {type(x).__name__} in place; use permutation, which makes a new array")

    def permuted(self, x: Any, *, axis: int | None = None, out: Array | None = None) -> Array:
        """x with the elements of each lane along `axis` in a random order of its own (None: all elements).

        Scratch: 16 bytes per element.
        """
        a = lift(x, self._device, "permuted")
        if axis is None:
            mixed = a.reshape(-1)[fresh(self._order(a.size))].reshape(a.shape)
        else:
            axis = axis_of("permuted", axis, a)
            key, counter = self._take(_engine.blocks(64, a.size))
            keys = self._engine().integers(key, counter, a.shape, np.dtype(np.uint64), 0, 1 << 64)
            mixed = _array.xp.take_along_axis(a, _array.xp.argsort(fresh(keys), axis=axis), axis=axis)
        if out is None:
            return mixed
        if out.shape != a.shape:
            raise ValueError(f"permuted: out has shape {out.shape}, x has {a.shape}")
        out[...] = mixed
        return out

    def choice(self, a: Any, size: Size = None, replace: bool = True, p: Any = None, axis: int = 0, shuffle: bool = True) -> Any:
        """Elements of range(a), or subarrays of the array a along `axis`: with or without replacement, with probabilities p or equal ones.

        p: 1-d, non-negative, of sum 1. Without replacement, p is that of successive draws (Efraimidis and Spirakis 2006).
        shuffle: accepted for NumPy's sake; the order is always random.

        >>> import mtarray as xp
        >>> sorted(xp.random.default_rng(0).choice(3, 3, replace=False).tolist())
        [0, 1, 2]
        """
        array = None
        if isinstance(a, (int, np.integer)) and not isinstance(a, bool):
            population = int(a)
        else:
            array = lift(a, self._device, "choice")
            if array.ndim == 0:
                raise ValueError("choice: a must be an integer or an array of at least 1 dimension, it is 0-d")
            axis = axis_of("choice", axis, array)
            population = array.shape[axis]
        shape, scalar = result_shape(size)
        n = math.prod(shape)
        if population < 0 or (population == 0 and n):
            raise ValueError(f"choice: a population of {population} has nothing to choose from")
        weights = None if p is None else probabilities(p, population, self._device)
        if not replace and n > population:
            raise ValueError(f"choice: a sample of {n} without replacement is larger than the population of {population}")
        index = (self._with if replace else self._without)(population, n, weights, scalar).reshape(shape)
        if array is None:
            return result(index, scalar)
        return array[(slice(None),) * axis + (int(index) if scalar else index if isinstance(index, Array) else fresh(index),)]

    # ------------------------------------------------------------------ common ground

    def _engine(self, scalar: bool = False) -> Any:
        """What makes the numbers: a single one, which goes to the caller as a Python number, always the CPU."""
        return _engine if scalar or self._device is CPU else _elsewhere(self._device)

    def _parameter(self, method: str, name: str, x: Any, **limits: Any) -> Any:
        return _parameter(method, name, x, device=self._device, **limits)

    def _here(self, x: Any) -> Array:
        """An ndarray as an array on the generator's device."""
        made: Array = fresh(x) if self._device is CPU else _array.xp.asarray(fresh(x), device=self._device)
        return made

    def _spread(self, x: Array, shape: tuple[int, ...]) -> Any:
        """A Tensor of all elements of an array that broadcasts to `shape`, in order."""
        return value(_array.xp.asarray(_array.xp.broadcast_to(x, shape), copy=True))

    def _with(self, population: int, n: int, weights: Any, scalar: bool) -> Any:
        if weights is None:
            if n == 0:
                return self._here(np.empty(0, np.int64))
            key, counter = self._take(_engine.blocks(_engine.integer_bits(population), n))
            made = self._engine(scalar).integers(key, counter, (n,), np.dtype(np.int64), 0, population)
            return made if scalar else fresh(made)
        if isinstance(weights, Array):
            cumulative = _array.xp.cumulative_sum(weights)
            cumulative /= cumulative[-1]
        else:
            cumulative = np.cumsum(weights)
            cumulative /= cumulative[-1]
            cumulative = self._here(cumulative)
        key, counter = self._take(_engine.blocks("uniform_f64", n))
        uniform = self._engine().dense("uniform_f64", key, counter, (n,), np.dtype(np.float64))
        return _array.xp.searchsorted(cumulative, fresh(uniform), side="right")

    def _without(self, population: int, n: int, weights: Any, scalar: bool) -> Any:
        xp = _array.xp
        if weights is not None:
            some = np.flatnonzero(weights) if not isinstance(weights, Array) else xp.nonzero(weights)[0]
            if some.size < n:
                raise ValueError(f"choice: {n} without replacement of a population with {some.size} positive probabilities")
            key, counter = self._take(_engine.blocks("exponential_f64", some.size))
            race = self._engine().dense("exponential_f64", key, counter, (some.size,), np.dtype(np.float64))
            if self._device is not CPU:
                some, chances = (x if isinstance(x, Array) else self._here(x) for x in (some, weights[some]))
                return some[xp.argsort(fresh(race) / chances, stable=True)[:n]]
            race = race / weights[some]
            first = np.argpartition(race, n - 1)[:n] if 0 < n < some.size else np.arange(n)
            return some[first[np.argsort(race[first], kind="stable")]]
        if population <= 10_000 or n > population // 50:
            if n == 0:
                return self._here(np.empty(0, np.int64))
            order = self._order(population, on_host=scalar)
            return order[:n] if scalar else fresh(order)[:n].copy()
        # Floyd's sampling: work and memory by the size of the sample, not of the population. It goes through the sample in order, so on the
        # host, where the numbers are the same.
        last = np.arange(population - n, population, dtype=np.uint64)
        key, counter = self._take(_engine.blocks(64, n))
        drawn = _engine.integers_between(key, counter, (n,), np.dtype(np.int64), np.uint64(0), last + np.uint64(1))
        seen: set[int] = set()
        for i, j in enumerate(drawn.tolist()):
            if j in seen:
                j = drawn[i] = population - n + i
            seen.add(j)
        order = self._order(n, on_host=scalar)
        return drawn[order] if scalar or self._device is CPU else self._here(drawn)[fresh(order)]

    def _order(self, n: int, on_host: bool = False) -> Any:
        if n < 0:
            raise ValueError(f"permutation: {n} must not be negative")
        key, counter = self._take(_shuffle.blocks(n))
        return (_shuffle if on_host or self._device is CPU else _elsewhere(self._device)).permutation(key, counter, n)

    def _dense(self, name: str, size: Size, dtype: Any, out: Array | None, loc: float = 0.0, scale: float = 1.0) -> Any:
        d = real_floating(dtype)
        name = f"{name}_f32" if d.itemsize == 4 and f"{name}_f32" in _engine.random_core.DENSE else f"{name}_f64"
        shape, scalar = result_shape(size) if out is None else out_shape(out, d, size)
        key, counter = self._take(_engine.blocks(name, math.prod(shape)))
        if out is None:
            return result(self._engine(scalar).dense(name, key, counter, shape, d, loc, scale), scalar)
        return self._into(out, "dense", name, key, counter, shape, d, loc, scale)

    def _into(self, out: Array, function: str, *args: Any) -> Array:
        """Let a function of the engine fill `out`."""
        target = writable(lift(out, self._device, "out"), "out")
        fill = getattr(self._engine(), function)
        if self._device is CPU or target.is_contiguous:
            fill(*args, out=target)
        else:
            out[...] = fresh(fill(*args))
        return out

    def _located(
        self, method: str, name: str, loc: Any, scale: Any, size: Size, dtype: Any, loc_name: str = "loc", scale_name: str = "scale"
    ) -> Any:
        loc = self._parameter(method, loc_name, loc)
        scale = self._parameter(method, scale_name, scale, at_least=0.0)
        if isinstance(loc, float) and isinstance(scale, float):
            return self._dense(name, size, dtype, None, loc, scale)
        d = real_floating(dtype)
        z = self._dense(name, result_shape(size, loc, scale)[0], d, None)
        return to_dtype(z * to_dtype(scale, d) + to_dtype(loc, d), d)

    def _attempts(self, name: str, size: Size, d: DType, a: Any, b: Any = 0.0, out: Array | None = None) -> Any:
        shape, scalar = result_shape(size, a, b) if out is None else out_shape(out, d, size, a, b)
        scalar = scalar and isinstance(a, float) and isinstance(b, float)
        key, counter = self._take(_engine.blocks(name, math.prod(shape)))
        if self._device is CPU or scalar:
            a, b = values(a), values(b)
        else:
            a, b = (x if isinstance(x, float) else self._spread(_array.xp.astype(x, float64), shape) for x in (a, b))
        if out is not None:
            return self._into(out, "attempts", name, key, counter, shape, d, a, b)
        return result(self._engine(scalar).attempts(name, key, counter, shape, d, a, b), scalar)


builtin_bytes = bytes
__all__ = ["Generator", "default_rng"]
