"""Derivatives of anything written in mtarray: functional transforms and the imperative style over one tape."""

from .._ops import Vjp
from .checks import central_difference, check_grads
from .custom import checkpoint, custom_jvp, custom_vjp
from .drawing import depends, draw
from .nans import NonFiniteError, trace_nans
from .sweep import FreedError, NoDerivativeError
from .tape import no_grad
from .transforms import grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, linearize, stop_gradient, value_and_grad, vjp
from .trees import register_container

__all__ = [
    "FreedError", "NoDerivativeError", "NonFiniteError", "Vjp", "central_difference", "check_grads", "checkpoint", "custom_jvp",
    "custom_vjp", "depends", "draw", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "linearize", "no_grad",
    "register_container", "stop_gradient", "trace_nans", "value_and_grad", "vjp",
]  # fmt: skip
