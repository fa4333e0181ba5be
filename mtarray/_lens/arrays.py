"""An array's shape, strides, offset and storage, with a view drawn over it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

import mtarray as xp

from . import evaluating

LARGEST = 400  # elements of a storage that is drawn
EXAMPLES = {
    "every second row": "x[::2]",
    "a block": "x[1:3, 2:5]",
    "transposed": "x.T",
    "backwards": "x[:, ::-1]",
    "a column": "x[:, 1]",
    "broadcast": "xp.broadcast_to(x[0], (3, x.shape[1]))",
    "two axes made one": "xp.reshape(x[1:], (-1,))",
    "a copy": "x[x > 5]",
}


@dataclass(frozen=True)
class View:
    """How a window lies on the storage of its base. places: of each element of the window, its place in the storage; None for a copy."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements
    offset: int
    contiguous: bool
    writeable: bool
    dtype: str
    places: np.ndarray[Any, Any] | None
    values: np.ndarray[Any, Any]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The facts as a table."""
        own = self.places is None
        repeats = prod(self.shape) > len(set(self.places.ravel().tolist())) if self.places is not None else False
        return [
            ("shape", str(self.shape)),
            ("strides, in elements", str(self.strides)),
            ("offset", "0, in storage of its own" if own else str(self.offset)),
            ("dtype", self.dtype),
            ("shares the storage of x", "no: a copy" if own else "yes"),
            ("in C order without gaps", "yes" if self.contiguous else "no"),
            ("may be written", "yes" if self.writeable else "no: elements are repeated" if repeats else "no"),
        ]


def base(shape: tuple[int, ...]) -> xp.Array:
    """The array whose elements are their places in storage."""
    if prod(shape) > LARGEST:
        raise evaluating.Mistyped(f"at most {LARGEST} elements are drawn; the shape {shape} has {prod(shape)}")
    return xp.reshape(xp.arange(prod(shape)), shape)


def view(x: xp.Array, y: Any) -> View:
    """How `y` lies on the storage of `x`, which is whole and in C order."""
    if not isinstance(y, xp.Array):
        raise evaluating.Mistyped(f"the expression must give an array, not {type(y).__name__}")
    a, b = np.asarray(x), np.asarray(y)
    n = b.itemsize
    shared = b.size > 0 and np.may_share_memory(a, b)
    offset = (b.__array_interface__["data"][0] - a.__array_interface__["data"][0]) // n if shared else 0
    strides = tuple([s // n for s in b.strides])
    places = None
    if shared:
        places = np.full(b.shape, offset)
        for axis, step in enumerate(strides):
            places += step * np.arange(b.shape[axis]).reshape([-1 if i == axis else 1 for i in range(b.ndim)])
    flags = y.flags
    return View(b.shape, strides, int(offset), bool(flags.c_contiguous), bool(flags.writeable), str(y.dtype), places, b)


def figure(x: xp.Array, v: View) -> Any:
    """The storage as a strip of cells, those of the view coloured in the view's order, and the view as it is indexed."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    size = prod(x.shape)
    across = min(size, x.shape[-1] if x.shape else 1, 24) or 1
    strip = -(-size // across)
    flat = v.values.reshape(-1, v.shape[-1]) if v.shape else v.values.reshape(1, 1)
    fig = Figure(figsize=(11, max(2.2, 0.42 * max(strip, len(flat)) + 1)), layout="constrained")
    left, right = fig.subplots(1, 2, width_ratios=[max(across, 4), max(flat.shape[1] if flat.size else 1, 4)])
    order = {} if v.places is None else {int(p): i for i, p in enumerate(v.places.ravel())}
    colours = matplotlib.colormaps["viridis"]

    def shade(i: int) -> Any:
        return colours(0.5 + 0.5 * i / max(v.values.size - 1, 1))

    def cell(ax: Any, column: int, row: int, text: str, colour: Any, small: str = "") -> None:
        ax.add_patch(Rectangle((column, row), 1, 1, facecolor=colour or "white", edgecolor="0.6"))
        ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color="black" if colour else "0.55")
        if small:
            ax.text(column + 0.05, row + 0.95, small, ha="left", va="bottom", fontsize=5, color="0.35")

    values = np.asarray(x).ravel()
    for place in range(size):
        i = order.get(place)
        cell(left, place % across, place // across, str(values[place]), None if i is None else shade(i), str(place))
    for i, value in enumerate(flat.ravel()):
        cell(right, i % flat.shape[1], i // flat.shape[1], str(value), shade(i))
    left.set_title("storage" + ("" if v.places is not None else " (the result has its own)"))
    right.set_title(f"the result, shape {v.shape}")
    for ax, columns, rows in ((left, across, strip), (right, flat.shape[1] if flat.size else 1, len(flat) or 1)):
        ax.set(xlim=(0, columns), ylim=(rows, 0), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    return fig


def page() -> None:
    """The page."""
    import streamlit as st

    st.title("Arrays are windows on storage")
    st.write("`x` holds the place of each element in storage. Type what you do with it; the cells that the result shows light up.")
    a, b, c = st.columns([1, 2, 1])
    typed = a.text_input("shape of x", "4, 6")
    example = c.selectbox("or take one of these", list(EXAMPLES), index=1)
    text = b.text_input("result", EXAMPLES[example])
    try:
        x = base(evaluating.shape(typed))
        v = view(x, evaluating.expression(text, x=x))
    except evaluating.Mistyped as error:
        st.error(str(error))
        return
    st.pyplot(figure(x, v), width="stretch")
    st.table(dict(v.rows))
    if v.places is not None and v.shape:
        indices = "ijklmn"[: len(v.shape)]
        terms = " + ".join([str(v.offset), *[f"{s} * {i}" for s, i in zip(v.strides, indices)]])
        st.write(f"The element `[{', '.join(indices)}]` is at place `{terms}` of the storage.")
