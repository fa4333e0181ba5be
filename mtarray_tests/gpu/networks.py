"""Layers, losses, optimisers, training steps and the trainers, with `device="cuda"`."""

from __future__ import annotations

import importlib
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import nn

from .run import Check, Run, Skip, agree, host


def layers(run: Run) -> Iterator[Check]:
    """Every layer and loss of `nn_catalogue`, with the same weights on both: value, and gradients by arguments and parameters."""
    from mtarray_tests.nn_catalogue import CASES

    def one(c: Any, d: str) -> None:
        outs: list[Any] = []
        for device in ("cpu", "cuda"):
            nn.manual_seed(zlib.crc32(c.name.encode()))
            model = c.make(nn, partial(xp.asarray, dtype=d)).to(dtype=np.dtype(d)).to(device=device)
            rng = np.random.default_rng(zlib.crc32(c.name.encode()))
            arrays = [np.asarray(draw(rng)) for draw in c.draws]
            xs = [xp.asarray(a.astype(d) if a.dtype.kind == "f" else a, device=device, copy=True) for a in arrays]
            for i, x in enumerate(xs):
                if x.dtype.kind == "f" and not (c.name.startswith("NLLLoss") and i):
                    x.requires_grad = True
            y = model(*xs)
            assert y.device == device
            found = [y.detach()]
            if any(x.requires_grad for x in xs) or list(model.parameters()):
                y.backward(xp.asarray(rng.standard_normal(y.shape).astype(d), device=device))
                found += [x.grad for x in xs if x.requires_grad] + [p.grad for p in model.parameters()]
            outs.append(found)
        agree(outs[1], outs[0], 1e4, c.name)

    for c in run.some(CASES, 4):
        for d in ("float64",) if run.simulate else ("float32", "float64"):
            yield f"{c.name} {d}", partial(one, c, d)


def network(hidden: int, device: Any) -> nn.Sequential:
    """The network of the ancestors (`mtarray.examples.points` has it too, and needs click)."""
    made = [nn.Linear(*size, device=device, dtype=xp.float64) for size in ((2, hidden), (hidden, hidden), (hidden, 1))]
    return nn.Sequential(made[0], nn.ReLU(), made[1], nn.ReLU(), made[2], nn.Sigmoid())


def training(hidden: int, device: Any, optimizer: str = "SGD", rate: float = 0.05) -> tuple[Any, Any, Any, Any]:
    """(a step of the network on ten points, as a function of them and their classes; the network; ten points; their classes)."""
    nn.manual_seed(1)
    model = network(hidden, "cpu").to(device=device)
    optim = getattr(nn.optim, optimizer)(model.parameters(), lr=rate)
    rng = np.random.default_rng(2)
    x = xp.asarray(rng.random((10, 2)), device=device)
    y = xp.asarray((rng.random((10, 1)) > 0.5).astype(float), device=device)

    def step(x: Any, y: Any) -> Any:
        optim.zero_grad()
        loss = nn.functional.binary_cross_entropy(model(x), y)
        loss.backward()
        optim.step()
        return loss.detach()

    return step, model, x, y


def steps(run: Run) -> Iterator[Check]:
    """Optimisers step as on the CPU; no step copies anything between host and device; a graph of a step does what the step does."""

    def optimiser(name: str) -> None:
        outs = []
        for device in ("cpu", "cuda"):
            step, model, x, y = training(8, device, name, 0.01)
            losses = [step(x, y) for _ in range(3)]
            outs.append([*losses, *model.parameters()])
        agree([x.detach() for x in outs[1]], [x.detach() for x in outs[0]], 1e5, name)

    def no_transfers(name: str) -> dict[str, int]:
        step, _, x, y = training(8, "cuda", name, 0.01)
        step(x, y)
        before = xp.cuda.counts()
        with xp.cuda.forbid_transfers():
            step(x, y)
        after = xp.cuda.counts()
        assert after["to_device"] == before["to_device"] and after["to_host"] == before["to_host"]  # noqa: PT018
        return {k: after[k] - before[k] for k in ("launches", "allocations", "synchronisations")}

    def graph(name: str) -> None:
        eager, model, x, y = training(8, "cuda", name, 0.01)
        other, captured, _, _ = training(8, "cuda", name, 0.01)
        replayed = xp.cuda.graph(other)
        for i in range(4):
            xi = x + 0.1 * i
            agree(replayed(xi, y), eager(xi, y), 1e4, f"loss of step {i}")
        agree([p.detach() for p in captured.parameters()], [p.detach() for p in model.parameters()], 1e4, "parameters")

    def moves() -> None:
        _, model, x, _ = training(8, "cuda")
        here = model.to(device="cpu")
        want = here(x.to_device("cpu")).detach()
        agree(here.to(device="cuda")(x).detach(), want, 1e3, "a network that was moved twice")

    names = ["SGD", "Adam", "AdamW"] + [n for n in ("RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Lion") if hasattr(nn.optim, n)]
    for name in run.some(names, 1):
        yield f"optimiser {name}", partial(optimiser, name)
        yield f"no transfers in a step of {name}", partial(no_transfers, name)
    for name in ("SGD",) if run.quick else ("SGD", "Adam"):
        yield f"graph of a step of {name}", partial(graph, name)
    yield "moves", moves


# The smallest settings that still go through everything.
TRAINERS: dict[str, list[str]] = {
    "points": ["--hidden", "8"],
    "digits": ["--batch-size", "1024"],
    "mnist": ["--batch-size", "20", "--data", "IMAGES"],
    "sentences": ["--batch-size", "2048"],
    "text": ["--context", "8", "--width", "8", "--heads", "2", "--layers", "1", "--sample", "4", "--text", "TEXT"],
    "regression": ["--batch-size", "1024"],
    "pinn": ["--hidden", "8", "--batch-size", "8", "--bound", "100"],
}


def trainers(run: Run) -> Iterator[Check]:
    """Each trainer two epochs on the device, and on the CPU from the checkpoint."""

    def one(name: str, options: list[str]) -> None:
        for needed in ("click", "rich", *(["sklearn"] if name in ("digits", "regression") else [])):
            if importlib.util.find_spec(needed) is None:
                raise Skip(f"{needed} is not installed")
        from click.testing import CliRunner

        main = importlib.import_module(f"mtarray.examples.{name}").main
        with tempfile.TemporaryDirectory() as folder:
            _files(Path(folder))
            given = [{"IMAGES": f"{folder}/images.npz", "TEXT": f"{folder}/text.txt"}.get(word, word) for word in options]
            done = CliRunner().invoke(main, [*given, "--device", "cuda", "--epochs", "2"])
            if isinstance(done.exception, NotImplementedError):
                raise done.exception
            assert done.exit_code == 0, f"{done.output[-400:]} {done.exception!r}"

    for name in run.some(TRAINERS, 1):
        if run.simulate and not run.quick and name in ("digits", "sentences"):  # minutes on the simulator
            continue
        yield name, partial(one, name, TRAINERS[name])


def _files(folder: Path) -> None:
    """A file of images in the format of MNIST, and a text."""
    rng = np.random.default_rng(0)
    images = {f"x_{part}": rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for part, n in (("train", 40), ("test", 20))}
    np.savez(folder / "images.npz", **images, y_train=np.arange(40) % 10, y_test=np.arange(20) % 10)
    (folder / "text.txt").write_text("a text that goes on and on.\n" * 4, encoding="utf-8")


_ = host, warnings
