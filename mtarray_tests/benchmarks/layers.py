"""Layers of networks as rows measure them: each library's own, by the names that PyTorch and mtarray share; for others written out."""

import functools
import importlib
import math
from typing import Any


class Plain:
    """What the layers need of a `functional` namespace, over the functions of NumPy or JAX."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp

    def softmax(self, x: Any, dim: int) -> Any:
        e = self.xp.exp(x - self.xp.max(x, axis=dim, keepdims=True))
        return e / self.xp.sum(e, axis=dim, keepdims=True)

    def layer_norm(self, x: Any, shape: tuple[int, ...], weight: Any, bias: Any) -> Any:
        xp = self.xp
        return (x - xp.mean(x, axis=-1, keepdims=True)) / xp.sqrt(xp.var(x, axis=-1, keepdims=True) + 1e-5) * weight + bias

    def linear(self, x: Any, weight: Any, bias: Any) -> Any:
        return x @ weight.T + bias

    def gelu(self, x: Any, approximate: str) -> Any:
        return 0.5 * x * (1 + self.xp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))

    def scaled_dot_product_attention(self, q: Any, k: Any, v: Any) -> Any:
        return self.softmax(q * (1 / math.sqrt(q.shape[-1])) @ self.xp.swapaxes(k, -1, -2), -1) @ v


@functools.cache
def _module(name: str) -> Any:
    return importlib.import_module(name)


def functional(xp: Any) -> Any:
    """The namespace of layers that goes with a namespace of arrays."""
    name = xp.__name__
    return _module(f"{name}.nn.functional") if name in ("torch", "mtarray") else Plain(xp)


def softmax(xp: Any, x: Any) -> Any:
    """Along rows."""
    return functional(xp).softmax(x, -1)


def softmax_loss(xp: Any, x: Any, w: Any) -> Any:
    """The softmax of rows, weighted and summed."""
    return xp.sum(functional(xp).softmax(x, -1) * w)


def layer_norm(xp: Any, x: Any, scale: Any, shift: Any) -> Any:
    """Of rows, with scale and shift."""
    return functional(xp).layer_norm(x, x.shape[-1:], scale, shift)


def layer_norm_loss(xp: Any, x: Any, scale: Any, shift: Any) -> Any:
    """The squares of normalised rows."""
    return xp.sum(layer_norm(xp, x, scale, shift) ** 2)


def transformer_loss(xp: Any, *arrays: Any) -> Any:
    """A block with the norms first, from what `transformer` makes: scale and shift, projection, output, scale and shift, two layers; x."""
    f = functional(xp)
    g1, b1, w_in, b_in, w_out, b_out, g2, b2, w1, c1, w2, c2, x = arrays
    batch, steps, d = x.shape
    heads = max(2, d // 32)
    qkv = f.linear(f.layer_norm(x, (d,), g1, b1), w_in, b_in).reshape(batch, steps, 3, heads, d // heads)
    parts = xp.permute_dims(qkv, (2, 0, 3, 1, 4))
    y = f.scaled_dot_product_attention(parts[0], parts[1], parts[2])
    x = x + f.linear(xp.permute_dims(y, (0, 2, 1, 3)).reshape(batch, steps, d), w_out, b_out)
    y = f.linear(f.gelu(f.linear(f.layer_norm(x, (d,), g2, b2), w1, c1), approximate="tanh"), w2, c2)
    return xp.mean((x + y) ** 2)


def lstm(xp: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, x: Any) -> Any:
    """States of all steps: of (steps, batch, features)."""
    name, n = xp.__name__, w_hh.shape[1]
    if name == "torch":
        first = xp.zeros((1, x.shape[1], n), dtype=x.dtype)
        return xp.lstm(x, (first, first), [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, True, False, False)[0]
    if name == "mtarray":
        return xp.recurrence.lstm(x @ w_ih.T, w_hh, b_ih, b_hh)[0]

    def step(state: tuple[Any, Any], z: Any) -> tuple[tuple[Any, Any], Any]:
        h, c = state
        z = z + h @ w_hh.T + b_hh
        i, f, o = (1 / (1 + xp.exp(-z[:, k * n : (k + 1) * n])) for k in (0, 1, 3))
        c = f * c + i * xp.tanh(z[:, 2 * n : 3 * n])
        h = o * xp.tanh(c)
        return (h, c), h

    projected = x @ w_ih.T + b_ih
    state = (xp.zeros((x.shape[1], n), dtype=x.dtype), xp.zeros((x.shape[1], n), dtype=x.dtype))
    if name == "jax.numpy":
        return _module("jax").lax.scan(step, state, projected)[1]
    states = []
    for z in projected:
        state, h = step(state, z)
        states.append(h)
    return xp.stack(states)


def lstm_loss(xp: Any, *arrays: Any) -> Any:
    """The mean square of the states."""
    return xp.mean(lstm(xp, *arrays) ** 2)
