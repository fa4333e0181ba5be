"""Distribution functions of Student, chi-squared and Fisher: incomplete gamma and beta functions of other arguments."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import exp, log, log1p, maximum, minimum
from ._core import two_product, two_sum
from ._declare import special, wide
from .betas import betaln, lbeta_parts
from .incomplete import _density, _lower_slope, gammainc_of, gammaincc_of
from .ratios import back_by_b, beta_back, beta_front, beta_power, beta_rate, beta_slope_a, beta_slope_b, ibeta

# In a scalar function `math` stands for the mathematical functions of the target: `_kernels.scalarlib` on the CPU.
math: Any = _math
_MANY = 1e30  # degrees of freedom beyond which nothing changes in float64


def _share(p, pl, q, ql):
    """(p / (p + q), q / (p + q)) of positive pairs, as two pairs."""
    s, sl = two_sum(p, q)
    sl = sl + (pl + ql)
    x = p / s
    y = q / s
    return x, (math.fma(-x, s, p) + (pl - x * sl)) / s, y, (math.fma(-y, s, q) + (ql - y * sl)) / s


# ---------------------------------------------------------------------- Student's t


def student_tail(df, t):
    """Probability beyond t, for positive finite df and t^2."""
    h, l = two_product(t, t)
    x, xl, y, yl = _share(df, 0.0, h, l)
    return 0.5 * ibeta(0.5 * df, 0.5, x, xl, y, yl, 0.0)


def _student(df, t):
    if not df > 0.0 or t != t:
        return math.nan
    if math.isinf(df):
        return 0.5 * math.erfc(-t * math.sqrt(0.5))
    a = abs(t)
    if a < 1e-150:
        return 0.5
    if a > 1e150:
        return 0.0 if t < 0.0 and math.isinf(t) else 1.0 if t > 0.0 else student_tail(df, 1e150) * math.pow(a / 1e150, -df)
    p = student_tail(min(df, _MANY), a)
    return p if t < 0.0 else 1.0 - p


def _student_density(df, t):
    """Density of Student's distribution, arrays."""
    df, t = wide(df), wide(t)
    return exp(-0.5 * (df + 1) * log1p(t * t / df) - betaln(0.5 * df, 0.5) - 0.5 * log(df))


def _student_slope(df, t):
    """Derivative of `stdtr`, 1/2 + t density(df, t) beta_back(1/2, df / 2, u, 1 - u) / 2 with u = t^2 / (df + t^2), by df; arrays.

    That of the incomplete beta function by u = x is its power over x (1 - x), and that of u by df is -u (1 - u) / df.
    """
    df, t = minimum(wide(df), _MANY), minimum(maximum(wide(t), -1e150), 1e150)
    s = df + t * t
    u, v, b = t * t / s, df / s, 0.5 * df
    slope = 0.5 * (beta_rate(b, 0.5, v, u) * beta_back(0.5, b, u, v) + back_by_b(0.5, b, u, v)) - 1 / df
    return 0.5 * t * _student_density(df, t) * slope


@special(derivative=(_student_slope, _student_density))
def stdtr(df, t):
    """The distribution function of Student's t distribution with df degrees of freedom, at t; NaN unless df > 0.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.stdtr(xp.asarray([1.0, 5.0, 5.0]), xp.asarray([1.0, 0.0, -10.0]))
    Array([7.50000000e-01, 5.00000000e-01, 8.54737879e-05], shape=(3,), dtype=float64, device='cpu')
    """
    return _student(df, t)


def _student_quantile(df, q):
    """t > 0 with tail probability q < 1/2: Newton's method in logarithms, kept between bounds.

    Near the middle it is the probability from 0 to t, 1/2 - q without error, that has the digits.
    """
    middle = 1.0 if q > 0.25 else 0.0
    target = 0.5 - q if q > 0.25 else q
    low, high = 1e-150, 1e150
    c = -1.6 * math.log(2.0 * q)
    t = math.sqrt(df * math.expm1(c / df)) if c < 600.0 * df else high
    h, l = lbeta_parts(0.5 * df, 0.5)
    scale = math.exp(-h) / math.sqrt(df)
    for _ in range(200):
        t = t if low < t and t < high else math.sqrt(low) * math.sqrt(high)
        h, l = two_product(t, t)
        x, xl, y, yl = _share(df, 0.0, h, l)
        p = 0.5 * ibeta(0.5 * df, 0.5, x, xl, y, yl, middle)
        if (p < target) == (middle > 0.5):
            low = t
        else:
            high = t
        slope = scale * math.exp(-0.5 * (df + 1.0) * math.log1p(h / df) + math.log(t) - math.log(p))
        step = math.log(p / target) / slope
        step = -step if middle > 0.5 else step
        if abs(step) < 2e-16:
            break
        if t > 1e149 and step > 0.0:
            return t * math.exp(step)  # the tail is a power of t there
        t = t * math.exp(step) if abs(step) < 300.0 else -1.0
    return t


def _student_inverse(df, p):
    if not df > 0.0 or not (p >= 0.0 and p <= 1.0):
        return math.nan
    if p == 0.5:
        return 0.0
    if p == 0.0 or p == 1.0:
        return math.copysign(math.inf, p - 0.5)
    q = p if p < 0.5 else 1.0 - p
    t = _student_quantile(min(df, _MANY), q)
    return -t if p < 0.5 else t


@special(derivative=(lambda df, y: -_student_slope(df, y) / _student_density(df, y), lambda df, y: 1 / _student_density(df, y)))
def stdtrit(df, p):
    """The quantile of Student's t distribution with df degrees of freedom, the inverse of `stdtr`: -inf at 0, inf at 1.

    NaN unless df > 0 and 0 <= p <= 1. float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.stdtrit(xp.asarray([1.0, 5.0, 100.0]), xp.asarray([0.75, 0.5, 0.975]))
    Array([1.        , 0.        , 1.98397152], shape=(3,), dtype=float64, device='cpu')
    """
    return _student_inverse(df, p)


# ---------------------------------------------------------------------- chi-squared


@special(derivative=(lambda v, x: 0.5 * _lower_slope(0.5 * v, 0.5 * x), lambda v, x: 0.5 * _density(0.5 * v, 0.5 * x)))
def chdtr(v, x):
    """The distribution function of chi-squared with v degrees of freedom at x: gammainc(v / 2, x / 2). NaN for negative v or x.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.chdtr(xp.asarray([1.0, 2.0, 10.0]), 3.0)
    Array([0.91673548, 0.77686984, 0.01857594], shape=(3,), dtype=float64, device='cpu')
    """
    return gammainc_of(0.5 * v, 0.5 * x)


@special(derivative=(lambda v, x: -0.5 * _lower_slope(0.5 * v, 0.5 * x), lambda v, x: -0.5 * _density(0.5 * v, 0.5 * x)))
def chdtrc(v, x):
    """The probability that chi-squared with v degrees of freedom exceeds x: gammaincc(v / 2, x / 2). NaN for negative v or x.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.chdtrc(xp.asarray([1.0, 2.0, 10.0]), 3.0)
    Array([0.08326452, 0.22313016, 0.98142406], shape=(3,), dtype=float64, device='cpu')
    """
    return gammaincc_of(0.5 * v, 0.5 * x)


# ---------------------------------------------------------------------- Fisher's F


def _fisher(dfn, dfd, x, upper):
    dfn = min(dfn, _MANY) if dfn < math.inf else dfn
    dfd = min(dfd, _MANY) if dfd < math.inf else dfd
    if not (dfn > 0.0 and dfd > 0.0 and x >= 0.0):
        return math.nan
    h, l = two_product(dfn, x)
    if math.isinf(x):
        return 1.0 - upper
    if math.isinf(dfn) or math.isinf(dfd):
        return math.nan
    if h == 0.0 or math.isinf(h):
        return upper if h == 0.0 else 1.0 - upper
    w, wl, y, yl = _share(h, l, dfd, 0.0)
    if w < 1e-280:  # pairs have no room for their second part; the first term is all there is
        p, _pl = lbeta_parts(0.5 * dfn, 0.5 * dfd)
        value = math.exp(0.5 * dfn * (math.log(h) - math.log(dfd)) - p) * (2.0 / dfn)
        return 1.0 - value if upper > 0.5 else value
    return ibeta(0.5 * dfn, 0.5 * dfd, w, wl, y, yl, upper)


def _fisher_shares(dfn, dfd, x):
    dfn, dfd, x = wide(dfn), wide(dfd), minimum(wide(x), 1e150)
    s = dfd + dfn * x
    return dfn, dfd, dfn * x / s, dfd / s


def _fisher_by_dfn(dfn, dfd, x):
    """Derivative of `fdtr`, the incomplete beta function at u = dfn x / (dfd + dfn x), by dfn, arrays: that of u is u (1 - u) / dfn."""
    dfn, dfd, u, v = _fisher_shares(dfn, dfd, x)
    return 0.5 * beta_slope_a(0.5 * dfn, 0.5 * dfd, u, v) + beta_front(0.5 * dfn, 0.5 * dfd, u, v) / dfn


def _fisher_by_dfd(dfn, dfd, x):
    dfn, dfd, u, v = _fisher_shares(dfn, dfd, x)
    return 0.5 * beta_slope_b(0.5 * dfn, 0.5 * dfd, u, v) - beta_front(0.5 * dfn, 0.5 * dfd, u, v) / dfd


def _density_by_dfn(dfn, dfd, x, y):
    s = dfd + dfn * x
    return 0.5 * y * (beta_rate(0.5 * dfn, 0.5 * dfd, dfn * x / s, dfd / s) + (dfd - dfd * x) / s)


def _density_by_dfd(dfn, dfd, x, y):
    s = dfd + dfn * x
    return 0.5 * y * (beta_rate(0.5 * dfd, 0.5 * dfn, dfd / s, dfn * x / s) + (dfn * x - dfn) / s)


def _density_by_x(dfn, dfd, x, y):
    return y * ((0.5 * dfn - 1) / x - 0.5 * (dfn + dfd) * dfn / (dfd + dfn * x))


@special(derivative=(_density_by_dfn, _density_by_dfd, _density_by_x))
def _fisher_density(dfn, dfd, x):
    """Derivative of `fdtr` by x."""
    if not (dfn > 0.0 and dfd > 0.0 and x >= 0.0):
        return math.nan
    if x == 0.0:
        return 0.0 if dfn > 2.0 else 1.0 if dfn == 2.0 else math.inf
    h, l = two_product(dfn, x)
    if math.isinf(h) or math.isinf(dfd):
        return 0.0
    w, wl, y, yl = _share(h, l, dfd, 0.0)
    return beta_power(0.5 * dfn, 0.5 * dfd, w, wl, y, yl) / x if w > 1e-280 and y > 1e-280 else 0.0


@special(derivative=(_fisher_by_dfn, _fisher_by_dfd, _fisher_density))
def fdtr(dfn, dfd, x):
    """The distribution function of Fisher's F with dfn and dfd degrees of freedom at x; NaN for negative x, dfn <= 0 or dfd <= 0.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.fdtr(1.0, 2.0, xp.asarray([0.0, 1.0, 10.0]))
    Array([0.        , 0.57735027, 0.91287093], shape=(3,), dtype=float64, device='cpu')
    """
    return _fisher(dfn, dfd, x, 0.0)


@special(
    derivative=(
        lambda dfn, dfd, x: -_fisher_by_dfn(dfn, dfd, x),
        lambda dfn, dfd, x: -_fisher_by_dfd(dfn, dfd, x),
        lambda dfn, dfd, x: -_fisher_density(dfn, dfd, x),
    )
)
def fdtrc(dfn, dfd, x):
    """The probability that Fisher's F with dfn and dfd degrees of freedom exceeds x; NaN for negative x, dfn <= 0 or dfd <= 0.

    float32 and float64.

    >>> import mtarray as xp
    >>> xp.special.fdtrc(1.0, 2.0, xp.asarray([0.0, 1.0, 10.0]))
    Array([1.        , 0.42264973, 0.08712907], shape=(3,), dtype=float64, device='cpu')
    """
    return _fisher(dfn, dfd, x, 1.0)
