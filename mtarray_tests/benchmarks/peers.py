"""The libraries that are compared, behind one face each.

A row's function is written once over `xp`. A peer supplies that `xp` (its own functions under the standard's names, with no
wrapper where its own name and arguments agree), turns ndarrays into its arrays and back, and says how to wait for a result and how to
differentiate a loss.
"""

import functools
import importlib.util
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True)
class Peer:
    """A library: its namespace, conversions, and `prepare`, which turns (function, arrays) into a call that ends when the work has.

    `differentiate` turns (loss, arrays, number of those it is differentiated by) into a call that returns the loss and the tuple of its
    gradients; None if the library has no derivatives. `only_derivatives`: measured on rows of derivatives and on no other.
    """

    name: str
    version: str
    xp: Any
    from_numpy: Callable[[np.ndarray], Any]
    to_numpy: Callable[[Any], np.ndarray]
    prepare: Callable[[Function, tuple[Any, ...], bool], Callable[[], Any]]
    differentiate: Callable[[Function, tuple[Any, ...], int], Callable[[], Any]] | None = None
    only_derivatives: bool = False


def _direct(function: Function, arrays: tuple[Any, ...], jit: bool) -> Callable[[], Any]:
    """The bare call, for libraries that compute before they return."""
    return functools.partial(function, *arrays)


def numpy_peer() -> Peer:
    """NumPy as it is."""
    return Peer("NumPy", np.__version__, np, lambda x: x, np.asarray, _direct)


def mtarray_peer() -> Peer:
    """mtarray as it is; inputs share NumPy's memory."""
    import mtarray

    def differentiate(loss: Function, arrays: tuple[Any, ...], by: int) -> Callable[[], Any]:
        # Parameters as a program has them: in memory of mtarray's own, not in NumPy's that others may write.
        own = [mtarray.asarray(x, copy=True) for x in arrays]
        return functools.partial(mtarray.value_and_grad(loss, argnums=tuple(range(by))), *own)

    return Peer("mtarray", mtarray.__version__, mtarray, mtarray.asarray, np.asarray, _direct, differentiate)


def torch_peer() -> Peer:
    """PyTorch on all cores, recording gradients only where they are wanted."""
    import torch

    torch.set_grad_enabled(False)
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

    class Names:
        """torch under the standard's names where its own differ; the rest is looked up once and kept."""

        __name__ = "torch"
        float32, float64, int32, int64 = torch.float32, torch.float64, torch.int32, torch.int64
        permute_dims = staticmethod(torch.permute)
        unique_values = staticmethod(torch.unique)

        def __getattr__(self, name: str) -> Any:
            value = getattr(torch, name)
            setattr(self, name, value)
            return value

        @staticmethod
        def astype(x: Any, dtype: Any) -> Any:
            return x.to(dtype)

        @staticmethod
        def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return torch.max(x) if axis is None else torch.amax(x, axis, keepdims)

        @staticmethod
        def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return torch.sum(x) if axis is None else torch.sum(x, axis, keepdims)

        @staticmethod
        def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return torch.mean(x) if axis is None else torch.mean(x, axis, keepdims)

        @staticmethod
        def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
            return torch.var(x, dim=axis, correction=0, keepdim=keepdims)

        @staticmethod
        def argmax(x: Any, axis: Any = None) -> Any:
            return torch.argmax(x, axis)

        @staticmethod
        def all(x: Any, axis: Any = None) -> Any:
            return torch.all(x) if axis is None else torch.all(x, axis)

        @staticmethod
        def cumulative_sum(x: Any, axis: int = 0) -> Any:
            return torch.cumsum(x, axis)

        @staticmethod
        def sort(x: Any, axis: int = -1) -> Any:
            return torch.sort(x, axis).values

        @staticmethod
        def take(x: Any, indices: Any, axis: int = 0) -> Any:
            return torch.index_select(x, axis, indices)

        @staticmethod
        def concat(arrays: Any, axis: int = 0) -> Any:
            return torch.cat(arrays, axis)

        @staticmethod
        def flip(x: Any, axis: int) -> Any:
            return torch.flip(x, (axis,))

        @staticmethod
        def repeat(x: Any, n: int, axis: int) -> Any:
            return torch.repeat_interleave(x, n, axis)

    def differentiate(loss: Function, arrays: tuple[Any, ...], by: int) -> Callable[[], Any]:
        leaves = [x.detach().clone().requires_grad_(True) for x in arrays[:by]]
        inputs = (*leaves, *arrays[by:])

        def call() -> Any:
            with torch.enable_grad():
                value = loss(*inputs)
            return value, torch.autograd.grad(value, leaves)

        return call

    return Peer("PyTorch", torch.__version__, Names(), torch.from_numpy, lambda x: x.detach().numpy(), _direct, differentiate)


def jax_peer(compiled: bool = True) -> Peer:
    """JAX on the CPU in 64-bit mode; a row's function is compiled whole unless its shape depends on data.

    `compiled=False`: its derivatives op by op, as a program without `jit` has them.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def prepare(function: Function, arrays: tuple[Any, ...], jit: bool) -> Callable[[], Any]:
        call = jax.jit(function) if jit else function
        wait = jax.block_until_ready
        return lambda: wait(call(*arrays))

    def differentiate(loss: Function, arrays: tuple[Any, ...], by: int) -> Callable[[], Any]:
        return prepare(jax.value_and_grad(loss, argnums=tuple(range(by))), arrays, compiled)

    name = "JAX" if compiled else "JAX eager"
    return Peer(name, jax.__version__, jnp, jnp.asarray, np.asarray, prepare, differentiate, only_derivatives=not compiled)


MAKERS: dict[str, tuple[Callable[[], Peer], ...]] = {
    "numpy": (numpy_peer,),
    "torch": (torch_peer,),
    "jax": (jax_peer, functools.partial(jax_peer, compiled=False)),
    "mtarray": (mtarray_peer,),
}


def available(names: Iterable[str] = MAKERS) -> list[Peer]:
    """The peers that are installed, in the order of the table's columns; NumPy, the reference, always."""
    return [make() for name in names if importlib.util.find_spec(name) is not None for make in MAKERS[name]]
