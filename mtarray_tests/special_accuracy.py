"""Errors of `mtarray.special` against mpmath, and of SciPy at the same points.

    python -m mtarray_tests.special_accuracy [--points N] [names ...]

writes the table of docs/special.md when no names are given. An error is a distance in units of the last place of the exact result
in the result's dtype (a subnormal's unit is the smallest subnormal).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath as mp
import numpy as np
import scipy.special

import mtarray as xp

PAGE = Path(__file__).parents[1] / "docs" / "special.md"
PRECISION = 200
BITS = {"f4": (24, -149), "f8": (53, -1074)}


def _span(rng, lo, hi, n):
    return rng.uniform(lo, hi, n)


def _powers(rng, lo, hi, n, signed=False):
    x = np.exp2(rng.uniform(lo, hi, n))
    return x * rng.choice([-1, 1], n) if signed else x


def _near(rng, centre, n, widest=-1, narrowest=-30):
    return centre + _powers(rng, narrowest, widest, n, signed=True)


@dataclass(frozen=True)
class Case:
    """One function: its exact value, where it is measured (in words, and as points), and its bound in ULP.

    `unit`: the error is in units of the last place of max(|exact|, unit(x)) instead, where the exact result has zeros that no
    double is close to. Bounds of functions of several operands are SciPy's error at the same points, at least this many ULP.
    """

    exact: Callable
    where: str
    points: Callable
    bound: float = 4.0
    unit: Callable | None = None
    oracle: Callable | None = None


def _erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def _ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _ndtri(p):
    p = mp.mpf(p)
    if p > 0.5:
        return -_ndtri(1 - p)
    y = mp.mpf(-float(scipy.special.ndtri(float(p)))) if p > 0 else mp.inf
    for _ in range(6):
        q = mp.erfc(y / mp.sqrt(2)) / 2
        y += (mp.log(q) - mp.log(p)) * q * mp.sqrt(2 * mp.pi) * mp.exp(y * y / 2)
    return -y


def _erfinv(x):
    return _ndtri((1 + mp.mpf(x)) / 2) / mp.sqrt(2)


def _log_ratio(x, y):
    return mp.log(mp.mpf(x) / y)


def _envelope(x):
    return 0.0 if abs(x) <= 6 else np.sqrt(2 / (np.pi * abs(x)))


ONE = {
    "erf": Case(mp.erf, "everywhere", lambda r, n: [_span(r, -6, 6, n), _powers(r, -40, 3, n, True)], 2),
    "erfc": Case(mp.erfc, "everywhere", lambda r, n: [_span(r, -6, 26.5, n), _powers(r, -40, 3, n, True)], 2),
    "erfcx": Case(_erfcx, "everywhere", lambda r, n: [_span(r, -26, 60, n), _powers(r, -40, 4, n, True), _powers(r, 4, 400, n)]),
    "erfinv": Case(_erfinv, "everywhere", lambda r, n: [_span(r, -1, 1, n), 1 - _powers(r, -53, -1, n), _powers(r, -60, -1, n)]),
    "erfcinv": Case(
        lambda x: -_ndtri(mp.mpf(x) / 2) / mp.sqrt(2),
        "x < 0.9 or x > 1.1",
        lambda r, n: [_span(r, 0.01, 0.9, n), _powers(r, -1070, -1, n), _span(r, 1.1, 2, n)],
    ),
    "ndtr": Case(_ndtr, "everywhere", lambda r, n: [_span(r, -38, 9, n), _span(r, -2, 2, n), _powers(r, -40, 3, n, True)]),
    "log_ndtr": Case(
        lambda x: mp.log(_ndtr(x)) if x < 0 else mp.log1p(-_ndtr(-x)),
        "everywhere",
        lambda r, n: [_span(r, -50, 36, n), _span(r, -2, 2, n), -_powers(r, -40, 100, n)],
    ),
    "ndtri": Case(
        _ndtri, "everywhere", lambda r, n: [_span(r, 0, 1, n), _powers(r, -1070, -1, n), 1 - _powers(r, -50, -1, n), _near(r, 0.5, n, -2)]
    ),
    "gamma": Case(
        mp.gamma,
        "everywhere",
        lambda r, n: [_span(r, 0, 171.5, n), _span(r, -170, 0, n), _span(r, -13, 13, n), _powers(r, -1020, 2, n), _near(r, -3, n)],
    ),
    "gammaln": Case(
        lambda x: mp.log(abs(mp.gamma(x))) if x < 100 else mp.loggamma(x),
        "x > 0",
        lambda r, n: [_span(r, 0, 20, n), _powers(r, -1020, 1000, n), _near(r, 1, n), _near(r, 2, n)],
    ),
    "loggamma": Case(mp.loggamma, "x > 0", lambda r, n: [_span(r, 0, 20, n), _powers(r, -1020, 1000, n), _near(r, 1, n), _near(r, 2, n)]),
    "digamma": Case(mp.digamma, "x > 0", lambda r, n: [_span(r, 0, 20, n), _powers(r, -1020, 1000, n), _near(r, 1.4616321449683622, n)]),
    "i0": Case(
        lambda x: mp.besseli(0, x), "everywhere", lambda r, n: [_span(r, -713, 713, n), _span(r, -10, 10, n), _powers(r, -40, 3, n)]
    ),
    "i0e": Case(
        lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
        "everywhere",
        lambda r, n: [_span(r, -713, 713, n), _span(r, -10, 10, n), _powers(r, -40, 16, n)],
    ),
    "i1": Case(
        lambda x: mp.besseli(1, x), "everywhere", lambda r, n: [_span(r, -713, 713, n), _span(r, -10, 10, n), _powers(r, -40, 3, n)]
    ),
    "i1e": Case(
        lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
        "everywhere",
        lambda r, n: [_span(r, -713, 713, n), _span(r, -10, 10, n), _powers(r, -40, 16, n)],
    ),
    "j0": Case(
        lambda x: mp.besselj(0, x),
        "abs(x) <= 6; beyond, of the envelope",
        lambda r, n: [
            _span(r, -6, 6, n),
            _near(r, 2.404825557695773, n, -6),
            _near(r, 5.5200781102863, n, -2),
            _span(r, 6, 30, n),
            _span(r, 6, 1e4, n),
        ],
        unit=_envelope,
    ),
    "j1": Case(
        lambda x: mp.besselj(1, x),
        "abs(x) <= 6; beyond, of the envelope",
        lambda r, n: [_span(r, -6, 6, n), _near(r, 3.8317059702075125, n, -6), _span(r, 6, 30, n), _span(r, 6, 1e4, n)],
        unit=_envelope,
    ),
    "exp1": Case(mp.e1, "everywhere", lambda r, n: [_powers(r, -1020, 2, n), _span(r, 0, 10, n), _span(r, 0, 700, n)]),
    "expi": Case(
        mp.ei,
        "everywhere",
        lambda r, n: [_powers(r, -1020, 2, n, True), _span(r, -10, 30, n), _span(r, -700, 709, n), _near(r, 0.3725074107813666, n, -3)],
    ),
    "expit": Case(lambda x: 1 / (1 + mp.exp(-x)), "everywhere", lambda r, n: [_span(r, -740, 40, n), _span(r, -3, 3, n)], 2),
    "logit": Case(
        lambda x: mp.log(mp.mpf(x) / (1 - mp.mpf(x))),
        "everywhere",
        lambda r, n: [_span(r, 0, 1, n), _powers(r, -1070, -1, n), _near(r, 0.5, n, -2), 1 - _powers(r, -53, -1, n)],
    ),
    "log_expit": Case(lambda x: -mp.log1p(mp.exp(-x)), "everywhere", lambda r, n: [_span(r, -800, 740, n), _span(r, -3, 3, n)]),
    "entr": Case(lambda x: -mp.mpf(x) * mp.log(x), "everywhere", lambda r, n: [_powers(r, -1020, 1000, n), _near(r, 1, n)]),
    "sinc": Case(mp.sincpi, "everywhere", lambda r, n: [_span(r, -10, 10, n), _powers(r, -40, 30, n, True), _near(r, 3, n)]),
}


def _lower(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def _upper(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def _ibeta(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def _student(df, t):
    tail = _ibeta(df / 2, mp.mpf(0.5), df / (df + t * t)) / 2
    return tail if t < 0 else 1 - tail


def _hurwitz(x, q):
    with mp.workprec(500):  # mpmath's loses digits at large q
        return mp.zeta(x, q)


def _logs(rng, lo, hi, n, count):
    return tuple(np.exp(rng.uniform(lo, hi, n)) for _ in range(count))


def _gamma_points(r, n):
    a = np.exp(r.uniform(-5, 6, n))
    wide = np.exp(r.uniform(-5, 5, n))
    return [(a, a * np.exp(r.normal(0, 0.5, n))), (wide, wide * np.exp(r.normal(0, 2, n)))]


def _beta_points(r, n):
    a, b = _logs(r, -3, 5, n, 2)
    return [(a, b, np.clip(r.beta(a, b), 1e-12, 1 - 1e-12)), (*_logs(r, -3, 4, n, 2), r.uniform(0, 1, n))]


def _ratio_points(r, n):
    return [(*_logs(r, -1, 6, n, 2), np.exp(r.normal(0, 1, n)))]


def _pairs(r, n):
    x = np.exp(r.uniform(-20, 20, n))
    return [_logs(r, -20, 20, n, 2), (x, x * (1 + _powers(r, -40, -1, n, True)))]


SEVERAL = {
    "gammainc": Case(_lower, "0.007 < a < 400", _gamma_points),
    "gammaincc": Case(_upper, "0.007 < a < 400", _gamma_points),
    "betainc": Case(_ibeta, "0.05 < a, b < 150", _beta_points),
    "betaincc": Case(lambda a, b, x: _ibeta(b, a, 1 - x), "0.05 < a, b < 150", _beta_points, 5.0),
    "beta": Case(mp.beta, "a, b > 0", lambda r, n: [_logs(r, -8, 8, n, 2)]),
    "betaln": Case(lambda a, b: mp.log(mp.beta(a, b)), "a, b > 0", lambda r, n: [_logs(r, -8, 8, n, 2)]),
    "binom": Case(mp.binomial, "-1 < n, k", lambda r, n: [(r.uniform(0, 100, n), r.uniform(0, 100, n))]),
    "zeta": Case(_hurwitz, "x > 1, q > 0", lambda r, n: [(r.uniform(1, 50, n), np.exp(r.uniform(-5, 5, n)))]),
    "polygamma": Case(
        lambda k, x: mp.polygamma(int(k), x), "n <= 8, x > 0", lambda r, n: [(r.integers(1, 9, n).astype(float), r.uniform(0, 30, n))]
    ),
    "stdtr": Case(_student, "0.3 < df < 400", lambda r, n: [(np.exp(r.uniform(-1, 6, n)), r.normal(0, 3, n))]),
    "chdtr": Case(lambda v, x: _lower(v / 2, x / 2), "0.01 < v < 800", _gamma_points),
    "chdtrc": Case(lambda v, x: _upper(v / 2, x / 2), "0.01 < v < 800", _gamma_points, 8.0),
    "fdtr": Case(lambda m, n, x: _ibeta(m / 2, n / 2, m * x / (n + m * x)), "0.3 < dfn, dfd < 400", _ratio_points),
    "fdtrc": Case(lambda m, n, x: _ibeta(n / 2, m / 2, n / (n + m * x)), "0.3 < dfn, dfd < 400", _ratio_points, 8.0),
    "xlogy": Case(lambda x, y: x * mp.log(y), "x, y > 0", _pairs),
    "xlog1py": Case(lambda x, y: x * mp.log1p(y), "x, y > 0", _pairs),
    "rel_entr": Case(lambda x, y: x * mp.log(x / y), "x, y > 0", _pairs),
    "kl_div": Case(lambda x, y: x * mp.log(x / y) - x + y, "x, y > 0", _pairs, 8.0),
}


def exact(function, arguments, kind):
    """Exact results as mpf."""
    with mp.workprec(PRECISION):
        out = []
        for args in zip(*arguments, strict=True):
            small = min((abs(a) for a in args if a != 0), default=1)
            with mp.workprec(PRECISION + (int(-3 * np.log2(small)) if 0 < small < 1e-6 else 0)):
                out.append(mp.re(function(*[mp.mpf(float(a)) for a in args])))
        return out


def ulps(result, expected, kind, unit=None):
    """Errors of an array in units of the last place of the exact results."""
    bits, lowest = BITS[kind]
    errors = np.zeros(len(expected))
    with mp.workprec(PRECISION):
        for i, (r, e) in enumerate(zip(result.tolist(), expected, strict=True)):
            if mp.isinf(e):
                errors[i] = 0 if r == float(e) else np.inf
                continue
            size = abs(e) if unit is None else max(abs(e), unit[i])
            if size > (mp.mpf(2) - mp.mpf(2) ** -bits) * mp.mpf(2) ** (127 if kind == "f4" else 1023):
                errors[i] = 0 if r == mp.sign(e) * mp.inf else np.inf
            elif not np.isfinite(r):
                errors[i] = np.inf
            else:
                errors[i] = float(abs(mp.mpf(r) - e) / mp.ldexp(1, max(int(mp.frexp(size)[1]) - bits, lowest)))
    return errors


def measure(name, case, kind="f8", n=1000, seed=0):
    """(arguments, our errors, SciPy's or None)."""
    rng = np.random.default_rng([seed, len(name), *name.encode()])
    blocks = case.points(rng, n // len(case.points(np.random.default_rng(0), 1)))
    if not isinstance(blocks[0], tuple):
        blocks = [(b,) for b in blocks]
    with np.errstate(all="ignore"):
        arguments = [np.concatenate(parts).astype(kind) for parts in zip(*blocks, strict=True)]
    # float32 holds less, and rounds to poles
    usable = np.all([np.isfinite(a) & ((kind == "f8") | (a != np.round(a))) for a in arguments], axis=0)
    arguments = [a[usable] for a in arguments]
    expected = exact(case.exact, arguments, kind)
    unit = None if case.unit is None else [case.unit(*a) for a in zip(*arguments, strict=True)]
    ours = np.asarray(getattr(xp.special, name)(*map(xp.asarray, arguments)))
    assert ours.dtype.str[1:] == kind
    peer = case.oracle or getattr(scipy.special, name, None)
    theirs = None if peer is None else ulps(np.asarray(peer(*arguments)), expected, kind, unit)
    return arguments, ulps(ours, expected, kind, unit), theirs


HEAD = """| function | measured for | largest | mean | SciPy's largest |
|---|---|---:|---:|---:|
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=600)
    parser.add_argument("--kind", default="f8", choices=list(BITS))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    rows = []
    for name, case in (ONE | SEVERAL).items():
        if options.names and name not in options.names:
            continue
        arguments, ours, theirs = measure(name, case, options.kind, options.points)
        worst = [float(a[np.argmax(ours)]) for a in arguments]
        peers = "–" if theirs is None else f"{theirs.max():.3g}"
        print(f"{name:12s} {ours.max():9.3g} mean {ours.mean():.3g} scipy {peers:9s} at {worst}", flush=True)
        rows.append(f"| `{name}` | {case.where} | {ours.max():.2f} | {ours.mean():.2f} | {peers} |\n")
    if not options.names and options.kind == "f8":
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text.partition("| function |")[0] + HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
