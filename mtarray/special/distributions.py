"""Distribution functions of Student, chi-squared and Fisher: incomplete gamma and beta functions of other arguments."""

from __future__ import annotations

import math as _math
from typing import Any

from ..elementwise import exp, log, log1p
from ._core import two_product, two_sum
from ._declare import special
from .betas import betaln, lbeta_parts
from .gammas import digamma
from .incomplete import _density, _lower_slope, gammainc_of, gammaincc_of
from .ratios import _beta_density, _beta_slope_a, ibeta, ibeta_slopes

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
    return exp(-0.5 * (df + 1) * log1p(t * t / df) - betaln(0.5 * df, 0.5) - 0.5 * log(df))


def _student_density_slope(df, t):
    """Derivative of the density by df, arrays."""
    by_df = digamma(0.5 * (df + 1)) - digamma(0.5 * df) - 1 / df - log1p(t * t / df) + (df + 1) * t * t / (df * (df + t * t))
    return 0.5 * _student_density(df, t) * by_df


@special(derivative=(None, _student_density_slope))
def _student_slope(df, t):
    """Derivative of `stdtr` by df."""
    a = abs(t)
    if not df > 0.0 or t != t:
        return math.nan
    if math.isinf(df) or a < 1e-150 or a > 1e150:
        return 0.0
    h, l = two_product(a, a)
    x, xl, y, yl = _share(df, 0.0, h, l)
    by_a, _by_b, power = ibeta_slopes(0.5 * df, 0.5, x, xl, y, yl)
    slope = 0.25 * by_a + 0.5 * power / df  # of the tail; the derivative of x by df is x y / df
    return slope if t < 0.0 else -slope


@special(derivative=(lambda df, t: _student_slope(df, t), _student_density))
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


def _fisher_slopes(dfn, dfd, x):
    """Derivatives of `fdtr` by its arguments; those of the incomplete beta function's x = w carry w (1 - w)."""
    w = dfn * x / (dfd + dfn * x)
    inner = _beta_density(0.5 * dfn, 0.5 * dfd, w) * w * (1 - w)
    return inner, w


def _fisher_by_dfn(dfn, dfd, x):
    inner, w = _fisher_slopes(dfn, dfd, x)
    return 0.5 * _beta_slope_a(0.5 * dfn, 0.5 * dfd, w) + inner / dfn


def _fisher_by_dfd(dfn, dfd, x):
    inner, _w = _fisher_slopes(dfn, dfd, x)
    return -0.5 * _beta_slope_a(0.5 * dfd, 0.5 * dfn, dfd / (dfd + dfn * x)) - inner / dfd


def _fisher_by_x(dfn, dfd, x):
    return _fisher_slopes(dfn, dfd, x)[0] / x


@special(derivative=(_fisher_by_dfn, _fisher_by_dfd, _fisher_by_x))
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
        lambda dfn, dfd, x: -_fisher_by_x(dfn, dfd, x),
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
