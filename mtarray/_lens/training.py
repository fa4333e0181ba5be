"""Live training on the point sets: the decision surface and the loss, while it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import data, nn

PARTS = 60  # cells of the decision surface along each axis
OPTIMISERS = {"Adam": (nn.optim.Adam, 0.01), "SGD": (nn.optim.SGD, 0.5)}


@dataclass
class Run:
    """A network that is being trained on one point set."""

    dataset: str
    hidden: int = 32
    optimiser: str = "Adam"
    rate: float = 0.01
    seed: int = 0
    points: int = 100
    losses: list[float] = field(default_factory=list)
    correct: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        nn.manual_seed(self.seed)
        h = self.hidden
        self.x, self.y = data.points(self.dataset, self.points, seed=self.seed)
        self.model = nn.Sequential(nn.Linear(2, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 1))
        self.steps = OPTIMISERS[self.optimiser][0](self.model.parameters(), lr=self.rate)

    def epochs(self, count: int) -> None:
        """Train on all points at once, `count` times."""
        for _ in range(count):
            self.steps.zero_grad()
            out = self.model(self.x)
            loss = nn.functional.binary_cross_entropy_with_logits(out, self.y)
            loss.backward()
            self.steps.step()
            self.losses.append(float(loss))
            self.correct.append(int(xp.sum((out.detach() > 0) == (self.y > 0.5))))

    def surface(self) -> np.ndarray[Any, Any]:
        """The probability of class 1 on a grid of the unit square, rows from below."""
        along = (xp.arange(PARTS, dtype=xp.float32) + 0.5) / PARTS
        grid = xp.stack(xp.meshgrid(along, along, indexing="xy"), axis=-1)
        with xp.autodiff.no_grad():
            out = self.model(xp.reshape(grid, (-1, 2)))
        return np.asarray(xp.special.expit(out.detach())).reshape(PARTS, PARTS)


def figure(run: Run) -> Any:
    """The surface with the points, and the curves."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = fig.subplots(1, 2)
    left.imshow(run.surface(), origin="lower", extent=(0, 1, 0, 1), cmap="RdBu_r", vmin=0, vmax=1, alpha=0.75)
    x, y = np.asarray(run.x), np.asarray(run.y)[:, 0] > 0.5
    left.scatter(*x[y].T, color="#b2182b", edgecolor="white", marker="o", label="class 1")
    left.scatter(*x[~y].T, color="#2166ac", edgecolor="white", marker="s", label="class 0")
    left.set(title=f"{run.dataset}: {run.correct[-1] if run.correct else 0} of {run.points} correct", xlim=(0, 1), ylim=(0, 1))
    left.legend(loc="upper right", fontsize=8)
    right.plot(run.losses, color="#1f5fa8")
    right.set(title="loss", xlabel="epoch", yscale="log" if run.losses else "linear")
    return fig


def page() -> None:
    """The page."""
    import streamlit as st

    st.title("A network learns")
    a, b, c, d, e = st.columns(5)
    chosen: dict[str, Any] = {
        "dataset": a.selectbox("point set", list(data.POINT_SETS), index=4),
        "hidden": b.select_slider("hidden", [4, 8, 16, 32, 64, 100], value=32),
        "optimiser": c.selectbox("optimiser", list(OPTIMISERS)),
    }
    chosen["rate"] = d.number_input("rate", 0.0001, 5.0, OPTIMISERS[chosen["optimiser"]][1], format="%.4f")
    chosen["seed"] = e.number_input("seed", 0, 10**6, 0)
    state = st.session_state
    if state.get("chosen") != chosen:
        state.chosen, state.run, state.running = chosen, Run(**chosen), False
    start, step, reset, per = st.columns([1, 1, 1, 3])
    if start.button("Pause" if state.running else "Start", type="primary", key="start"):
        state.running = not state.running
        st.rerun()
    if step.button("Step", disabled=state.running):
        state.run.epochs(1)
    if reset.button("Reset"):
        state.run, state.running = Run(**chosen), False
    each = per.slider("epochs between pictures", 1, 100, 20)

    @st.fragment(run_every=0.4 if state.running else None)
    def live() -> None:
        run: Run = state.run
        if state.running:
            run.epochs(each)
        one, two, three = st.columns(3)
        one.metric("epoch", len(run.losses))
        two.metric("loss", f"{run.losses[-1]:.4f}" if run.losses else "–")
        three.metric("correct", f"{run.correct[-1] if run.correct else 0} of {run.points}")
        st.pyplot(figure(run), width="stretch")

    live()
