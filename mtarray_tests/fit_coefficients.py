"""Derive the polynomials and constants of `mtarray/_kernels/scalarlib/coefficients.py` and write that file.

    python -m mtarray_tests.fit_coefficients            # all of them, about two minutes
    python -m mtarray_tests.fit_coefficients EXP SIN    # fit and report these, write nothing

Each polynomial is a weighted minimax fit (Remez exchange, 66 digits, mpmath). Its coefficients are rounded to the working
format from the lowest degree up, and the remaining ones are fitted again after each of the first roundings, which absorbs the
rounding of those that matter.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import mpmath as mp
import numpy as np

mp.mp.prec = 220
TARGET = Path(__file__).parents[1] / "mtarray" / "_kernels" / "scalarlib" / "coefficients.py"


def _solve(xs, values, weights, powers):
    """Coefficients c and levelled error E with sum c_k x^k + (-1)^i E / w = f at the given points."""
    n = len(powers)
    a, b = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
    for i, x in enumerate(xs):
        for j, p in enumerate(powers):
            a[i, j] = x**p
        a[i, n] = (-1) ** i / weights[i]
        b[i] = values[i]
    s = mp.lu_solve(a, b)
    return [s[j] for j in range(n)], abs(s[n])


def remez(f, weight, lo, hi, powers, fixed=(), iterations=9):
    """Coefficients of `powers` that minimise max |weight (f - p)| on [lo, hi]; `fixed` = ((power, value), ...)."""
    n = len(powers)
    m = 30 * (n + 2)
    mid, half = (mp.mpf(lo) + hi) / 2, (mp.mpf(hi) - lo) / 2
    eps = mp.mpf(2) ** -40 * half  # the functions have removable singularities at 0
    xs = [mid - half * mp.cos(mp.pi * i / (m - 1)) for i in range(m)]
    xs = [x if abs(x) > eps else eps for x in xs]
    values = [f(x) - sum(v * x**p for p, v in fixed) for x in xs]
    weights = [weight(x) for x in xs]
    chosen = [round(i * (m - 1) / n) for i in range(n + 1)]
    best = None
    for _ in range(iterations):
        c, level = _solve([xs[i] for i in chosen], [values[i] for i in chosen], [weights[i] for i in chosen], powers)
        error = [weights[i] * (values[i] - sum(ck * xs[i] ** p for ck, p in zip(c, powers, strict=True))) for i in range(m)]
        largest = max(abs(e) for e in error)
        if best is None or largest < best[1]:
            best = (c, largest)
        runs = []  # one extremum per run of equal sign, then the best n + 1 that follow each other
        for i, e in enumerate(error):
            if runs and (error[runs[-1]] > 0) == (e > 0):
                if abs(e) > abs(error[runs[-1]]):
                    runs[-1] = i
            else:
                runs.append(i)
        while len(runs) > n + 1:
            runs.pop(0 if abs(error[runs[0]]) < abs(error[runs[-1]]) else -1)
        if len(runs) < n + 1 or largest < level * mp.mpf("1.001"):
            break
        chosen = runs
    return best[0]


@dataclass
class Job:
    """One polynomial: the function, its interval, degree, the weight of an error, and the format of its coefficients."""

    name: str
    function: object
    lo: object
    hi: object
    degree: int
    weight: object
    single: bool = False

    def fit(self):
        """(coefficients, log2 of the largest weighted error of the rounded polynomial)."""
        to = (lambda v: float(np.float32(float(v)))) if self.single else float
        powers = list(range(self.degree + 1))
        fixed = []
        for k in range(min(3, self.degree)):
            c = remez(self.function, self.weight, self.lo, self.hi, powers[k:], fixed)
            fixed.append((k, mp.mpf(to(c[0]))))
        c = remez(self.function, self.weight, self.lo, self.hi, powers[len(fixed) :], fixed)
        out = [float(v) for _, v in fixed] + [to(v) for v in c]
        worst, m = mp.mpf(0), 400
        for i in range(m):
            x = self.lo + (mp.mpf(self.hi) - self.lo) * (2 * i + 1) / (2 * m)
            worst = max(worst, abs(self.weight(x) * (self.function(x) - mp.polyval(out[::-1], x))))
        return out, float(mp.log(worst, 2))


def tail(f, *leading):
    """g(z) with f(x) = x (c0 + c1 z + ... + z^k g(z)), z = x^2, for odd f."""

    def g(z):
        x = mp.sqrt(z)
        r = f(x) / x
        for c in leading:
            r = (r - c) / z
        return r

    return g


def z_weight(f, power):
    """Weight of an error of such a g: relative to f."""
    return lambda z: z**power * mp.sqrt(z) / f(mp.sqrt(z))


def _log_tail(base):
    """Q with log_base(1 + f) = f log_base(e) + f^2 Q(f)."""
    return lambda f: (mp.log1p(f) - f) / f**2 / mp.log(base)


def _erfcx(t):
    """(1 + 2x) exp(x^2) erfc(x) as a function of t = (x - 3.5)/(x + 3.5)."""
    x = mp.mpf("3.5") * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def _erfcx_t(x):
    return (mp.mpf(x) - 3.5) / (mp.mpf(x) + 3.5)


def _erfc_f4(t):
    """(x + 2) exp(x^2) erfc(x) as a function of t = (x - 2)/(x + 2), to the precision of float32."""
    x = 2 * (1 + t) / (1 - t)
    return (x + 2) * mp.exp(x * x) * mp.erfc(x)


def _erfc_f4_t(x):
    return (mp.mpf(x) - 2) / (mp.mpf(x) + 2)


LN2_HALF = mp.log(2) / 2 * mp.mpf("1.001")
PI4 = (mp.pi / 4 * mp.mpf("1.001")) ** 2
ATANH_WIDE = mp.mpf("0.2010") ** 2  # |s| = |m - 1|/(m + 1): log needs .1716, atanh .2004
ATANH_LOG = mp.mpf("0.1718") ** 2
TAN_PI8 = mp.mpf("0.4144") ** 2
THIRD = mp.mpf(1) / 3
HALF = mp.mpf("0.5005")
SQRT_TWO = mp.sqrt(0.5) - 1, mp.sqrt(2) - 1


def _exp_tail(r):
    return (mp.expm1(r) - r) / r**2


def _exp_weight(r):
    return r**2 / mp.exp(r)


def _exp2_tail(f):
    return mp.expm1(f * mp.log(2)) / f


def _exp2_weight(f):
    return f / mp.power(2, f)


def _log2_ratio(s):
    """log2((1 + s)/(1 - s))."""
    return 2 * mp.atanh(s) / mp.log(2)


def _log_weight(f):
    return f**2 / mp.log1p(f)


def _cos_tail(z):
    return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def _z(z):
    return z


def _z2(z):
    return z * z


_ATANH3 = tail(mp.atanh, 1)
_SIN, _ATAN, _ASIN = tail(mp.sin, 1), tail(mp.atan, 1), tail(mp.asin, 1)
_ERF = tail(mp.erf, 2 / mp.sqrt(mp.pi))

JOBS = [
    Job("EXP", _exp_tail, -LN2_HALF, LN2_HALF, 10, _exp_weight),
    Job("ATH", _ATANH3, 0, ATANH_WIDE, 7, _z),
    Job("SIN", _SIN, 0, PI4, 6, _z),
    Job("COS", _cos_tail, 0, PI4, 6, _z2),
    Job("ATAN", _ATAN, 0, TAN_PI8, 11, _z),
    Job("ASIN", _ASIN, 0, mp.mpf("0.2501"), 13, _z),
    Job("LOG_R", lambda z: 2 * _ATANH3(z), 0, ATANH_LOG, 6, lambda z: z / 2),
    Job("ERF", _ERF, 0, mp.mpf("1.001") ** 2, 11, _z),
    Job("LOG_ERFC", lambda a: mp.log(mp.erfc(a)), mp.mpf("0.999"), 6, 18, mp.erfc),
    Job("ERFCX", _erfcx, _erfcx_t("0.24"), _erfcx_t("27.5"), 25, lambda t: 1 / _erfcx(t)),
    Job("ERFC_F8", _erfc_f4, _erfc_f4_t(0), _erfc_f4_t("10.2"), 11, lambda t: 1 / _erfc_f4(t)),
    Job("TANH", tail(mp.tanh, 1), 0, mp.mpf("0.626") ** 2, 10, z_weight(mp.tanh, 1)),
    Job("SINH", tail(mp.sinh, 1), 0, mp.mpf("1.001") ** 2, 7, z_weight(mp.sinh, 1)),
    Job("ASINH", tail(mp.asinh, 1), 0, mp.mpf("0.5626") ** 2, 13, z_weight(mp.asinh, 1)),
    Job("CBRT", mp.cbrt, 1, 2, 4, lambda x: 1 / mp.cbrt(x)),
    Job("EXP2", _exp2_tail, -HALF, HALF, 11, _exp2_weight),
    Job("POW_LOG", tail(_log2_ratio, 2 / mp.log(2), 2 * THIRD / mp.log(2)), 0, ATANH_LOG, 6, lambda z: z * z * mp.log(2) / 2),
    # float32 cores: coefficients in float32, except where the name ends in F8
    Job("EXP_S", _exp_tail, -LN2_HALF, LN2_HALF, 4, _exp_weight, True),
    Job("EXP2_S", _exp2_tail, -HALF, HALF, 5, _exp2_weight, True),
    Job("POW_LOG_S", tail(_log2_ratio, 2 / mp.log(2), 2 * THIRD / mp.log(2)), 0, ATANH_LOG, 2, lambda z: z * z * mp.log(2) / 2, True),
    Job("LOG_S", _log_tail(mp.e), *SQRT_TWO, 9, _log_weight, True),
    Job("LOG2_S", _log_tail(mp.mpf(2)), *SQRT_TWO, 9, lambda f: _log_weight(f) * mp.log(2), True),
    Job("LOG10_S", _log_tail(mp.mpf(10)), *SQRT_TWO, 9, lambda f: _log_weight(f) * mp.log(10), True),
    Job("SIN_S", _SIN, 0, PI4, 2, z_weight(mp.sin, 1), True),
    Job("SIN_HALF_TURN_S", _SIN, 0, (mp.pi / 2 * mp.mpf("1.01")) ** 2, 3, z_weight(mp.sin, 1), True),
    Job("COS_S", _cos_tail, 0, PI4, 2, _z2, True),
    Job("TAN_S", tail(mp.tan, 1), 0, PI4, 6, z_weight(mp.tan, 1), True),
    Job("TANH_S", tail(mp.tanh, 1), 0, mp.mpf("0.63") ** 2, 4, z_weight(mp.tanh, 1), True),
    Job("SINH_S", tail(mp.sinh, 1), 0, mp.mpf("1.01") ** 2, 3, z_weight(mp.sinh, 1), True),
    Job("ASINH_S", tail(mp.asinh, 1), 0, mp.mpf("0.5626") ** 2, 5, z_weight(mp.asinh, 1), True),
    Job("ATANH_S", _ATANH3, 0, mp.mpf("0.501") ** 2, 6, z_weight(mp.atanh, 1), True),
    Job("ACOSH_S", lambda t: (mp.acosh(1 + t) / mp.sqrt(2 * t) - 1) / t, 0, mp.mpf("0.5001"), 5,
        lambda t: t * mp.sqrt(2 * t) / mp.acosh(1 + t), True),
    Job("ASIN_S", _ASIN, 0, mp.mpf("0.2501"), 4, z_weight(mp.asin, 1), True),
    Job("ATAN_S", _ATAN, 0, 1, 8, z_weight(mp.atan, 1), True),
    Job("ERF_S", lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 0, mp.mpf("0.93") ** 2, 6,
        lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z)), True),
    Job("LOG_ERFC_S", lambda a: mp.log(mp.erfc(a)), mp.mpf("0.92"), 4, 6, mp.erfc, True),
]  # fmt: skip


def parts(value, count=2, first_bits=None, single=False):
    """`value` as an unevaluated sum of `count` floats, the first cut to `first_bits` bits."""
    to = (lambda v: float(np.float32(float(v)))) if single else float
    out = []
    for k in range(count):
        if k == 0 and first_bits:
            e = int(mp.floor(mp.log(value, 2))) + 1
            h = float(mp.floor(value * mp.mpf(2) ** (first_bits - e)) * mp.mpf(2) ** (e - first_bits))
        else:
            h = to(value)
        out.append(h)
        value = value - h
    return out


def constants():
    """Named constants; names that share a stem are the parts of an unevaluated sum."""
    ln2, pi = mp.log(2), mp.pi
    table = {
        ("LN2H", "LN2L"): parts(ln2),
        ("LN2E", "LN2F"): parts(ln2, first_bits=40),  # k * LN2E is exact for |k| < 2^13
        ("LG2E", "LG2F"): parts(mp.log10(2), first_bits=40),
        ("LOG2E2", "LOG2E2L"): parts(2 / ln2),
        ("LOG2E2_3", "LOG2E2_3L"): parts(2 / ln2 / 3),
        ("LOG10E2", "LOG10E2L"): parts(2 / mp.log(10)),
        ("PIO2_1", "PIO2_2", "PIO2_3"): parts(pi / 2, 3),
        ("PIO4", "PIO4L"): parts(pi / 4),
        ("PI_H", "PI_L"): parts(pi),
        ("LOG2E", "LOG2EL"): parts(1 / ln2),
        ("TWO_PI_INV",): parts(2 / pi, 1),
        ("PI_INV",): parts(1 / pi, 1),
        ("THIRD", "THIRDL"): parts(THIRD),
        ("TWO_RPI", "TWO_RPIL"): parts(2 / mp.sqrt(pi)),
        ("LN2H_S", "LN2L_S"): parts(ln2, first_bits=15, single=True),  # k * LN2H_S is exact for |k| < 2^9
        ("LG2H_S", "LG2L_S"): parts(mp.log10(2), first_bits=15, single=True),
        ("LOG2EH_S", "LOG2EL_S"): parts(1 / ln2, single=True),
        ("LOG2E2_S", "LOG2E2L_S"): parts(2 / ln2, single=True),
        ("LOG2E2_3_S", "LOG2E2_3L_S"): parts(2 / ln2 / 3, single=True),
        ("LOG10EH_S", "LOG10EL_S"): parts(1 / mp.log(10), single=True),
        ("PIO2_1_S", "PIO2_2_S", "PIO2_3_S"): parts(pi / 2, 3, single=True),
        ("PI_H_S", "PI_L_S", "PI_T_S"): parts(pi, 3, single=True),
    }
    return {name: value for names, values in table.items() for name, value in zip(names, values, strict=True)}


def main(names):
    rows = []
    for job in JOBS:
        if names and job.name not in names:
            continue
        coefficients, error = job.fit()
        rows.append((job.name, coefficients, error))
        print(f"{job.name:12s} degree {job.degree:2d}  largest weighted error 2^{error:.1f}", flush=True)
    if names:
        return
    lines = ['"""Minimax coefficients, lowest degree first, and constants: written by `mtarray_tests.fit_coefficients`."""\n']
    lines += [f"{name} = {value!r}" for name, value in constants().items()]
    for name, coefficients, error in rows:
        lines += [f"\n# largest weighted error 2^{error:.1f}", f"{name} = (", *(f"    {c!r}," for c in coefficients), ")"]
    TARGET.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
