"""Derive the polynomials of `mtarray/special/_fits.py` and write that file.

    python -m mtarray_tests.fit_special            # all of them, some minutes
    python -m mtarray_tests.fit_special I0 J0      # fit and report these, write nothing

Minimax fits as in `fit_coefficients`; the coefficients of Temme's expansion are Taylor coefficients, by series arithmetic.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath as mp

from .fit_coefficients import remez

mp.mp.prec = 220
TARGET = Path(__file__).parents[1] / "mtarray" / "special" / "_fits.py"
HALF_PI = mp.pi / 2


@dataclass
class Job:
    """One polynomial: the function, its interval, degree, and the weight of an error (None: relative)."""

    name: str
    function: Callable
    lo: object
    hi: object
    degree: int
    weight: Callable | None = None

    def fit(self):
        """(coefficients, log2 of the largest weighted error of the rounded polynomial)."""
        lo, hi, m = mp.mpf(self.lo), mp.mpf(self.hi), 300
        weight = self.weight or (lambda x: 1 / abs(self.function(x)))
        out = [float(v) for v in remez(self.function, weight, lo, hi, list(range(self.degree + 1)))]
        points = [lo + (hi - lo) * (i + mp.mpf("0.41")) / m for i in range(m)]
        worst = max(abs(weight(x) * (self.function(x) - mp.polyval(out[::-1], x))) for x in points)
        return out, float(mp.log(worst, 2))


# ---------------------------------------------------------------------- error functions


def _erfcx(t):
    x = mp.mpf("3.5") * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _ndtri_of_t(t):
    """-ndtri(exp(-t^2 / 2))."""
    t = mp.mpf(t)
    log_p = -t * t / 2
    y = mp.sqrt(max(t * t - 2 * mp.log(t) - mp.log(2 * mp.pi), mp.mpf("0.5")))
    for _ in range(9):
        q = mp.erfc(y / mp.sqrt(2)) / 2
        slope = -mp.exp(-y * y / 2) / mp.sqrt(2 * mp.pi) / q
        y -= (mp.log(q) - log_p) / slope
    return y


def _ndtri_central(z):
    s = mp.sqrt(z)
    return mp.sqrt(2) * mp.erfinv(2 * s) / s


# ---------------------------------------------------------------------- gamma

PSI_ROOT = mp.findroot(mp.digamma, mp.mpf("1.46"))


def _stirling(z):
    """x times the rest of Stirling's series, z = 1/x^2."""
    x = 1 / mp.sqrt(z)
    return x * (mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)


def _psi_tail(z):
    x = 1 / mp.sqrt(z)
    return x * x * (mp.log(x) - 1 / (2 * x) - mp.digamma(x))


def _log1pmx(m):
    """(m - log1p(m)) / m^2."""
    return (m - mp.log1p(m)) / m**2


# ---------------------------------------------------------------------- Bessel functions


def _hankel(order, z, second):
    """P, or x Q / 6, of Hankel's form of a Bessel function; z = (6/x)^2."""
    x = 6 / mp.sqrt(z)
    chi = x - (2 * order + 1) * mp.pi / 4
    j, y, size = mp.besselj(order, x), mp.bessely(order, x), mp.sqrt(HALF_PI * x)
    if second:
        return size * (y * mp.cos(chi) - j * mp.sin(chi)) * x / 6
    return size * (j * mp.cos(chi) + y * mp.sin(chi))


def _j_rest(order):
    """J over its first zeros, as a function of w = x^2/18 - 1."""
    zeros = [mp.besseljzero(order, k) for k in (1, 2)]

    def f(w):
        z = 18 * (1 + w)
        x = mp.sqrt(z)
        j = mp.besselj(order, x) / (x**order)
        return j / mp.fprod(z - zero**2 for zero in zeros)

    return f


def _i_tail(order):
    return lambda u: mp.exp(-8 / u) * mp.sqrt(8 / u) * mp.besseli(order, 8 / u)


# ---------------------------------------------------------------------- exponential integrals

EI_ROOT = mp.findroot(mp.ei, mp.mpf("0.3725"))


def _ei_rest(x):
    return (mp.ei(x) - mp.log(x / EI_ROOT)) / (x - EI_ROOT)


def _ei_tail(u):
    return mp.ei(1 / u) * mp.exp(-1 / u) / u


def _e1_tail(u):
    return mp.e1(1 / u) * mp.exp(1 / u) / u


EPS = mp.mpf(2) ** -30
JOBS = [
    Job("SINPI_TAIL", lambda z: (mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z) - mp.pi) / z, EPS, "0.2501", 8),
    Job("ERFCX_NEAR", _erfcx, "-0.6", "0.8693", 25),
    Job("NDTRI_CENTRAL", lambda s: _ndtri_central((s + 1) * mp.mpf(9) / 128), -1 + EPS, 1, 26),
    Job("NDTRI_NEAR", lambda s: _ndtri_of_t(s + 3), "-0.97", "1.01", 20),
    Job("NDTRI_MIDDLE", lambda s: _ndtri_of_t(16 / (s + 3)) * (s + 3) / 16, "-1.01", "1.01", 21),
    Job("NDTRI_FAR", lambda s: _ndtri_of_t(32 / (s + 3)) * (s + 3) / 32, "-1.01", "1.01", 20),
    Job("NDTRI_FARTHEST", lambda s: _ndtri_of_t(64 / (s + mp.mpf(45) / 16)) * (s + mp.mpf(45) / 16) / 64, "-1.18", "1.2", 21),
    Job("RGAMMA", lambda u: mp.rgamma(1 + u), "-0.5", "0.5", 17),
    Job("LGAMMA_ONE", lambda u: mp.loggamma(1 + u) / u, "-0.3", "0.5", 27),
    Job("LGAMMA_TWO", lambda v: mp.loggamma(2 + v) / v, "-0.5", "0.5", 18),
    Job("STIRLING", _stirling, EPS, mp.mpf(1) / 64, 8),
    Job("PSI_NEAR", lambda s: mp.digamma(s + mp.mpf("1.5")) / (s + mp.mpf("1.5") - PSI_ROOT), "-0.5", "0.5", 24),
    Job("PSI_FAR", _psi_tail, EPS, mp.mpf(1) / 64, 8),
    Job("ZETA_NEAR", lambda s: mp.zeta(s + 1) * s if s else mp.mpf(1), -1, 1, 20),
    Job("LOG1PMX", _log1pmx, "-0.35", "0.45", 26),
    Job("I0_NEAR", lambda z: mp.besseli(0, 2 * mp.sqrt(z)), EPS, 16, 17),
    Job("I0_FAR", lambda s: _i_tail(0)((s + 1) / 2), -1 + EPS, 1, 24),
    Job("I1_NEAR", lambda z: mp.besseli(1, 2 * mp.sqrt(z)) / mp.sqrt(z) / 2, EPS, 16, 17),
    Job("I1_FAR", lambda s: _i_tail(1)((s + 1) / 2), -1 + EPS, 1, 24),
    Job("J0_NEAR", _j_rest(0), -1 + EPS, 1, 15),
    Job("J1_NEAR", _j_rest(1), -1 + EPS, 1, 15),
    Job("J0_P", lambda s: _hankel(0, (s + 1) / 2, False), -1 + EPS, 1, 15),
    Job("J0_Q", lambda s: _hankel(0, (s + 1) / 2, True), -1 + EPS, 1, 17),
    Job("J1_P", lambda s: _hankel(1, (s + 1) / 2, False), -1 + EPS, 1, 15),
    Job("J1_Q", lambda s: _hankel(1, (s + 1) / 2, True), -1 + EPS, 1, 17),
    Job("E1_NEAR", lambda x: mp.e1(x) + mp.log(x), EPS, 1, 15, lambda x: mp.mpf(1)),
    Job("E1_MIDDLE", lambda s: _e1_tail(1 / (s + mp.mpf("2"))), -1, 1, 25),
    Job("E1_FAR", lambda s: _e1_tail((s + 2) / 9), -1, 1, 21),
    Job("E1_FARTHEST", lambda s: _e1_tail((s + 1) / 18), -1 + EPS, 1, 21),
    Job("EI_NEAR", _ei_rest, EPS, 6, 23),
    Job("EI_MIDDLE", lambda s: _ei_tail(1 / (s * 3 + 9)), -1, 1, 22),
    Job("EI_FAR", lambda s: _ei_tail((s + 3) / 48), -1, 1, 23),
    Job("EI_FARTHEST", lambda s: _ei_tail((s + 1) / 48), -1 + EPS, 1, 20),
]


def temme(orders):
    """Taylor coefficients in eta of c_0, c_1, ... of DLMF 8.12.7, of the lengths `orders`."""
    n = max(orders) + 2 * len(orders) + 6
    # lambda - 1 = eta + a2 eta^2 + ...: from (lambda - 1) eta' ... lambda eta = (lambda - 1) d lambda / d eta.
    m = [mp.mpf(0), mp.mpf(1)] + [mp.mpf(0)] * n
    for k in range(2, n + 1):
        # coefficient of eta^k in m m' - eta - eta m = 0
        s = sum(m[i] * m[k + 1 - i] * (k + 1 - i) for i in range(2, k)) - m[k - 1]
        m[k] = -s / (k + 1)
    inverse = [mp.mpf(1)]  # eta / m
    for k in range(1, n):
        inverse.append(-sum(m[i + 1] * inverse[k - i] for i in range(1, k + 1)))
    g = [mp.mpf(1)]  # Gamma* = exp(Stirling's series) = sum g_k / a^k
    logs = {2 * k - 1: mp.bernoulli(2 * k) / (2 * k * (2 * k - 1)) for k in range(1, 12)}
    for k in range(1, len(orders)):
        g.append(sum(j * logs.get(j, mp.mpf(0)) * g[k - j] for j in range(1, k + 1)) / k)
    c = inverse[1:]  # 1 / m - 1 / eta
    out = [c]
    for k in range(1, len(orders)):
        derivative = [c[i] * i for i in range(1, len(c))]  # of c_{k-1}; divided by eta it has a pole that the second part cancels
        gk = (-1) ** k * g[k]
        assert abs(derivative[0] + gk) < mp.mpf(10) ** -40
        c = [derivative[i + 1] + gk * inverse[i + 1] for i in range(len(derivative) - 1)]
        out.append(c)
    return [[float(v) for v in c[:length]] for c, length in zip(out, orders, strict=True)]


def horner(coefficients, x):
    text = repr(coefficients[-1])
    for c in coefficients[-2::-1]:
        text = f"{c!r} + {x} * ({text})" if text[0] != "(" else f"{c!r} + {x} * {text}"
    return text


def function(name, coefficients, comment):
    """Source of a scalar function: two interleaved chains, so that a processor does not wait for one."""
    lines = [f"def {name.lower()}(z):", f"    # {comment}"]
    if len(coefficients) < 6:
        return "\n".join([*lines, f"    return {horner(coefficients, 'z')}"])
    for label, chain in (("even", coefficients[::2]), ("odd", coefficients[1::2])):
        lines.append(f"    {label} = {chain[-1]!r}")
        lines += [f"    {label} = {label} * w + {c!r}" for c in chain[-2::-1]]
    lines.insert(2, "    w = z * z")
    return "\n".join([*lines, "    return even + z * odd"])


def pair(name, v):
    high = float(v)
    return f"{name} = {high!r}\n{name}_LOW = {float(v - high)!r}"


def main():
    chosen = sys.argv[1:]
    rows = []
    for job in JOBS:
        if chosen and job.name not in chosen:
            continue
        coefficients, error = job.fit()
        print(f"{job.name:14s} degree {job.degree:2d}  largest weighted error 2^{error:.1f}", flush=True)
        rows.append(function(job.name, coefficients, f"largest weighted error 2^{error:.1f}"))
    if chosen:
        return
    for k, coefficients in enumerate(temme([22, 18, 16, 14, 12, 10, 8, 6])):
        rows.append(function(f"TEMME_{k}", coefficients, "Taylor coefficients"))
    constants = [
        pair("PSI_ROOT", PSI_ROOT),
        pair("EI_ROOT", EI_ROOT),
        *[pair(f"J{n}_ZERO_{k}", mp.besseljzero(n, k)) for n in (0, 1) for k in (1, 2)],
        pair("HALF_LOG_TWO_PI", mp.log(2 * mp.pi) / 2),
        pair("LN2", mp.log(2)),
        pair("LOG_TWO_PI", mp.log(2 * mp.pi)),
        pair("PI", mp.pi),
        pair("RSQRT2", mp.sqrt(0.5)),
    ]
    text = ['"""Minimax polynomials as scalar functions, and constants: written by `mtarray_tests.fit_special`."""', *constants, ""]
    body = "\n".join(text) + "\n\n" + "\n\n\n".join(rows) + "\n"
    TARGET.write_text(body)


if __name__ == "__main__":
    main()
