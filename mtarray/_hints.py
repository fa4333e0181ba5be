"""What users of other libraries look for: names that are other ones here, and arguments that are not built. Errors say where to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# PyTorch's and JAX's functions that the module has not -> what to write.
_FUNCTIONS = {
    "cat": "xp.concat",
    "tensor": "xp.asarray",
    "as_tensor": "xp.asarray",
    "from_numpy": "xp.asarray",
    "Tensor": "xp.Array",
    "permute": "xp.permute_dims",
    "unsqueeze": "xp.expand_dims",
    "clamp": "xp.clip",
    "index_select": "xp.take",
    "gather": "xp.take_along_axis",
    "masked_select": "x[mask]",
    "masked_fill": "xp.where",
    "scatter": "xp.put_along_axis, or x[index] = values",
    "mm": "xp.matmul, or x @ y",
    "bmm": "xp.matmul, or x @ y",
    "mv": "xp.matmul, or x @ y",
    "addmm": "b + x @ y",
    "mul": "xp.multiply",
    "sub": "xp.subtract",
    "div": "xp.divide",
    "neg": "xp.negative",
    "rsqrt": "1 / xp.sqrt(x)",
    "norm": "xp.linalg.vector_norm or matrix_norm",
    "rand": "xp.random.default_rng(seed).random(shape)",
    "randn": "xp.random.default_rng(seed).normal(size=shape)",
    "randint": "xp.random.default_rng(seed).integers(low, high, shape)",
    "randperm": "xp.random.default_rng(seed).permutation(n)",
    "manual_seed": "xp.random.default_rng(seed), or xp.nn.manual_seed(seed) for modules",
    "no_grad": "xp.autodiff.no_grad",
    "vjp": "xp.autodiff.vjp",
    "jvp": "xp.autodiff.jvp",
    "hessian": "xp.autodiff.hessian",
    "jacobian": "xp.autodiff.jacobian",
    "stop_gradient": "xp.autodiff.stop_gradient, or x.detach()",
    "lgamma": "xp.special.gammaln",
    "float": "xp.float32 (or float64)",
    "double": "xp.float64",
    "long": "xp.int64",
    "float16": "xp.float32: there are no 16-bit floats",
    "bfloat16": "xp.float32: there are no 16-bit floats",
    "half": "xp.float32: there are no 16-bit floats",
    "optim": "xp.nn.optim",
    "numel": "x.size",
}
# Methods and attributes that arrays have not -> what to write.
_METHODS = {
    "unsqueeze": "xp.expand_dims(x, axis=...)",
    "permute": "xp.permute_dims(x, axes)",
    "numpy": "np.asarray(x)",
    "cpu": "x.to_device('cpu')",
    "cuda": "x.to_device('cuda:0')",
    "to": "x.to_device(...) or x.astype(...)",
    "dim": "x.ndim",
    "numel": "x.size",
    "clone": "x.copy()",
    "contiguous": "x.copy()",
    "t": "x.T",
    "expand": "xp.broadcast_to(x, shape)",
    "expand_as": "xp.broadcast_to(x, y.shape)",
    "view_as": "x.reshape(y.shape)",
    "masked_fill": "xp.where(mask, value, x)",
    "index_select": "xp.take(x, indices, axis=...)",
    "gather": "xp.take_along_axis(x, indices, axis=...)",
    "scatter_": "xp.put_along_axis(x, indices, values, axis=...), or x[index] = values",
    "float": "x.astype(xp.float32)",
    "double": "x.astype(xp.float64)",
    "half": "x.astype(xp.float32): there are no 16-bit floats",
    "int": "x.astype(xp.int32)",
    "long": "x.astype(xp.int64)",
    "bool": "x.astype(xp.bool)",
    "type": "x.astype(...)",
    "new_zeros": "xp.zeros(shape, dtype=x.dtype, device=x.device)",
    "new_ones": "xp.ones(shape, dtype=x.dtype, device=x.device)",
    "zero_": "x[...] = 0",
    "fill_": "x[...] = value",
    "copy_": "x[...] = y",
    "add_": "x += y",
    "sub_": "x -= y",
    "mul_": "x *= y",
    "div_": "x /= y",
    "mm": "x @ y",
    "bmm": "x @ y",
    "matmul": "x @ y",
    "grad_fn": "xp.autodiff.draw(x)",
    "at": "x[index] = value, which mtarray differentiates through",
}


def _elsewhere(name: str, xp: Any) -> str | None:
    """The public function of this name, in the namespace `xp` or in its sections."""
    if name in xp.__all__ and callable(getattr(xp, name)):
        return f"xp.{name}"
    for section in (xp.special, xp.linalg, xp.fft):
        if name in section.__all__:
            return f"{section.__name__.replace('mtarray', 'xp')}.{name}"
    if name in ("relu", "sigmoid", "gelu", "silu", "softplus", "dropout", "layer_norm", "cross_entropy", "mse_loss", "one_hot"):
        return f"xp.nn.functional.{name}"
    return None


def function(name: str, xp: Any) -> str:
    """What to say about a missing attribute of the namespace `xp`: a hint, or nothing."""
    if name.startswith("_"):
        return ""
    found = _FUNCTIONS.get(name) or _elsewhere(name, xp)
    return f"; here it is {found}" if found else ""


def method(name: str, xp: Any) -> str:
    """What to say about a missing attribute of an array: a hint, or nothing."""
    if name.startswith("_"):
        return ""
    found = _METHODS.get(name)
    if found is None and (function := _elsewhere(name, xp)) is not None:
        found = f"{function}(x, ...)"
    return f"; here it is {found}" if found else ""


def unbuilt(where: str, given: Mapping[str, Any], instead: Mapping[str, str]) -> None:
    """Refuse arguments by keyword that PyTorch has and this has not, unless they ask for nothing (None, False, 0).

    instead: what to do, by name; "" for what means something only beside another of them. TypeError for any other name.
    """
    for name, value in given.items():
        if name not in instead:
            raise TypeError(f"{where}: unexpected keyword argument {name!r}")
        if value and instead[name]:
            raise NotImplementedError(f"{where}: {name}={value!r:.40} is not built; {instead[name]}")
