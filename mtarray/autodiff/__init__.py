"""Derivatives of anything written in mtarray: functional transforms and the imperative style over one tape."""

from .custom import checkpoint, custom_jvp, custom_vjp
from .sweep import FreedError, NoDerivativeError
from .tape import no_grad
from .transforms import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, stop_gradient, value_and_grad, vjp

__all__ = [
    "FreedError", "NoDerivativeError", "checkpoint", "custom_jvp", "custom_vjp", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev",
    "jvp", "linearize", "no_grad", "stop_gradient", "value_and_grad", "vjp",
]  # fmt: skip
