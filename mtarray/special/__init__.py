"""Special functions: the names, arguments and special values of `scipy.special`, on our arrays, without SciPy."""

from __future__ import annotations

from .bessel import i0, i0e, i1, i1e, j0, j1
from .betas import beta, betaln, binom
from .distributions import chdtr, chdtrc, fdtr, fdtrc, stdtr, stdtrit
from .errors import erf, erfc, erfcinv, erfcx, erfinv, log_ndtr, ndtr, ndtri
from .gammas import digamma, gamma, gammaln, loggamma, psi
from .incomplete import gammainc, gammaincc
from .integrals import exp1, expi
from .logs import entr, expit, kl_div, log_expit, logit, rel_entr, sinc, xlog1py, xlogy
from .ratios import betainc, betaincc
from .softmax import log_softmax, logsumexp, softmax
from .zetas import polygamma, zeta

__all__ = [
    "beta",
    "betainc",
    "betaincc",
    "betaln",
    "binom",
    "chdtr",
    "chdtrc",
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
    "fdtr",
    "fdtrc",
    "gamma",
    "gammainc",
    "gammaincc",
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
    "log_softmax",
    "loggamma",
    "logit",
    "logsumexp",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "sinc",
    "softmax",
    "stdtr",
    "stdtrit",
    "xlog1py",
    "xlogy",
    "zeta",
]
