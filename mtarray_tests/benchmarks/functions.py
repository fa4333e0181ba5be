"""What rows measure, where it takes more than a line: chains of ops and losses, each written once over `xp`."""

from typing import Any

import numpy as np


def softmax(xp: Any, x: Any) -> Any:
    """Along rows, shifted by their largest element."""
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def layernorm(xp: Any, x: Any) -> Any:
    """Rows to mean 0 and variance 1."""
    return (x - xp.mean(x, axis=-1, keepdims=True)) / xp.sqrt(xp.var(x, axis=-1, keepdims=True) + 1e-5)


def gelu(xp: Any, x: Any) -> Any:
    """The tanh form."""
    return 0.5 * x * (1 + xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def chain(xp: Any, x: Any, y: Any) -> Any:
    """Seven arithmetic ops on two operands."""
    return (x * y + 2 * x - y) / (x * x + y * y + 1)


def pairwise(xp: Any, p: Any, q: Any) -> Any:
    """Euclidean distances between two clouds, by broadcasting."""
    d = p[:, None, :] - q[None, :, :]
    return xp.sqrt(xp.sum(d * d, axis=-1))


def forward(xp: Any, x: Any, w1: Any, w2: Any, w3: Any) -> Any:
    """The forward pass of a two-hidden-layer network with ReLU and a sigmoid."""
    zero = xp.zeros((1,), dtype=xp.float32)
    h = xp.maximum(x @ w1 + 0.1, zero)
    h = xp.maximum(h @ w2 + 0.1, zero)
    return 1 / (1 + xp.exp(-(h @ w3 + 0.1)))


def conv2d(xp: Any, x: Any, w: Any) -> Any:
    """A convolution of images without padding, by the name that each library has for it."""
    if xp is np:
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
        return np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    if xp.__name__ == "jax.numpy":
        import jax

        return jax.lax.conv(x, w, (1, 1), "VALID")
    return xp.convolution.conv2d(x, w) if xp.__name__ == "mtarray" else xp.conv2d(x, w)


def max_pool2d(xp: Any, x: Any) -> Any:
    """The largest of each 2 by 2 elements of images."""
    if xp is np:
        return x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 2, 2).max((3, 5))
    if xp.__name__ == "jax.numpy":
        import jax

        return jax.lax.reduce_window(x, -xp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return xp.convolution.max_pool2d(x, 2) if xp.__name__ == "mtarray" else xp.max_pool2d(x, 2)


# --- losses: one number each -----------------------------------------------------------------------------------------------------


def mlp_loss(xp: Any, *arrays: Any) -> Any:
    """The mean squared error of a network with ReLU; arrays: weight and bias of each layer, the batch, the targets."""
    *parameters, h, y = arrays
    for i in range(0, len(parameters), 2):
        if i:
            h = xp.clip(h, 0, None)
        h = h @ parameters[i] + parameters[i + 1]
    return xp.mean((h - y) ** 2)


def softmax_loss(xp: Any, x: Any, w: Any) -> Any:
    """The softmax of rows, weighted and summed."""
    return xp.sum(softmax(xp, x) * w)


def layernorm_loss(xp: Any, x: Any, scale: Any, shift: Any) -> Any:
    """The squares of normalised rows with learned scale and shift, the variance written out as many do."""
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    variance = xp.mean(centred**2, axis=-1, keepdims=True)
    return xp.sum((centred / xp.sqrt(variance + 1e-5) * scale + shift) ** 2)


def einsum_loss(xp: Any, x: Any, y: Any) -> Any:
    """The squares of a batch of products."""
    return xp.sum(xp.einsum("bij,bjk->bik", x, y) ** 2)


def loop_loss(xp: Any, x: Any) -> Any:
    """A thousand steps of a scalar: four thousand ops."""
    y = x
    for _ in range(1000):
        y = y * 0.999 + xp.sin(x) * 0.01
    return y


def chain_loss(xp: Any, x: Any) -> Any:
    """Eight elementwise ops and their sum."""
    return xp.sum(xp.exp(-x * x) * xp.sin(x) + x * 0.5)


def conv2d_loss(xp: Any, x: Any, w: Any, u: Any) -> Any:
    """A convolution, weighted and summed: its gradients are the two derivatives of the convolution at u."""
    return xp.sum(conv2d(xp, x, w) * u)


def max_pool2d_loss(xp: Any, x: Any, u: Any) -> Any:
    """The largest elements, weighted and summed."""
    return xp.sum(max_pool2d(xp, x) * u)
