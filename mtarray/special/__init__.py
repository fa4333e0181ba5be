"""Special functions: the names, arguments and special values of `scipy.special`, on our arrays, without SciPy."""

from __future__ import annotations

from .bessel import i0, i0e, i1, i1e, j0, j1
from .betas import beta, betaln, binom
from .errors import erf, erfc, erfcinv, erfcx, erfinv, log_ndtr, ndtr, ndtri
from .gammas import digamma, gamma, gammaln, loggamma, psi
from .integrals import exp1, expi
from .logs import entr, expit, kl_div, log_expit, logit, rel_entr, sinc, xlog1py, xlogy
from .zetas import polygamma, zeta

__all__ = [
    "beta",
    "betaln",
    "binom",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "exp1",
    "expi",
    "expit",
    "gamma",
    "gammaln",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "j0",
    "j1",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "loggamma",
    "logit",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "sinc",
    "xlog1py",
    "xlogy",
    "zeta",
]
