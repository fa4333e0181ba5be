"""A tree of modules with the shapes that pass through it, and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import nn


def _points() -> tuple[nn.Module, xp.Array]:
    model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid())
    return model, xp.zeros((10, 2), dtype=xp.float32)


def _digits() -> tuple[nn.Module, xp.Array]:
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.25), nn.Linear(64, 10),
    )  # fmt: skip
    return model, xp.zeros((32, 1, 8, 8), dtype=xp.float32)


def _lenet() -> tuple[nn.Module, xp.Array]:
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    return model, xp.zeros((64, 1, 28, 28), dtype=xp.float32)


def _block() -> tuple[nn.Module, xp.Array]:
    return nn.TransformerBlock(64, 4), xp.zeros((8, 32, 64), dtype=xp.float32)


PRESETS: dict[str, Callable[[], tuple[nn.Module, xp.Array]]] = {
    "points: two hidden layers": _points,
    "digits: a small convolutional network": _digits,
    "LeNet": _lenet,
    "a transformer block": _block,
}


def parameters(model: nn.Module) -> list[dict[str, Any]]:
    """A row for each parameter."""
    return [
        {
            "parameter": name,
            "shape": str(tuple(p.shape)),
            "elements": int(np.prod(p.shape)),
            "mean": float(np.mean(np.asarray(p.detach()))),
            "standard deviation": float(np.std(np.asarray(p.detach()))),
        }
        for name, p in model.named_parameters()
    ]


def page() -> None:
    """The page."""
    import streamlit as st

    st.title("Modules are trees of named parameters")
    chosen = st.selectbox("network", list(PRESETS))
    nn.manual_seed(0)
    model, x = PRESETS[chosen]()
    st.write(f"A batch of shape `{tuple(x.shape)}` on its way through:")
    st.code(str(model.summary(x)), language=None)
    st.dataframe(parameters(model), width="stretch", hide_index=True)
