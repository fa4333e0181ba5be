"""Recurrent layers and cells against PyTorch's with the same weights."""

from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, nn

RNG = np.random.default_rng(11)
LAYERS = [
    ("LSTM", {}), ("LSTM", {"num_layers": 2, "bidirectional": True}), ("LSTM", {"batch_first": True, "bias": False}), ("GRU", {}),
    ("GRU", {"bidirectional": True, "batch_first": True}), ("GRU", {"num_layers": 2, "bias": False}), ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}),
]  # fmt: skip


def pair(name: str, *sizes: int, **options: Any) -> tuple[Any, Any]:
    """Ours, in float64, and PyTorch's with its weights."""
    torch = pytest.importorskip("torch")
    ours = getattr(nn, name)(*sizes, dtype=xp.float64, **options)
    theirs = getattr(torch.nn, name)(*sizes, dtype=torch.float64, **options)
    theirs.load_state_dict({k: torch.from_numpy(np.asarray(v).copy()) for k, v in ours.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    return ours, theirs


def flat(found: Any) -> list[Any]:
    return [a for part in found for a in flat(part)] if isinstance(found, tuple) else [found]


def agree(ours: Any, theirs: Any, arrays: list[np.ndarray], split: Any) -> None:
    """Results, and gradients by parameters and arguments, of a call with random cotangents; split: arguments from arrays."""
    torch = pytest.importorskip("torch")
    xs, ts = [xp.asarray(a, copy=True) for a in arrays], [torch.tensor(a, requires_grad=True) for a in arrays]
    for x in xs:
        x.requires_grad = True
    with torch.enable_grad():
        found, expected = flat(ours(*split(xs))), flat(theirs(*split(ts)))
        loss, peer = 0.0, 0.0
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.asarray(a.detach()), b.detach().numpy(), rtol=1e-10, atol=1e-10)
            w = RNG.normal(size=a.shape)
            loss, peer = loss + xp.sum(a * xp.asarray(w)), peer + (b * torch.tensor(w)).sum()
        peer.backward()
    loss.backward()
    for x, t in [*zip(xs, ts), *((p, theirs.get_parameter(k)) for k, p in ours.named_parameters())]:
        np.testing.assert_allclose(np.asarray(x.grad), t.grad.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_layers(name: str, options: dict[str, Any], given: bool) -> None:
    ours, theirs = pair(name, 3, 5, **options)
    steps, batch = 4, 18  # more rows than one thread takes
    runs = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    arrays = [RNG.normal(size=(batch, steps, 3) if options.get("batch_first") else (steps, batch, 3))]
    arrays += [RNG.normal(size=(runs, batch, 5)) for _ in range(0 if not given else 2 if name == "LSTM" else 1)]
    agree(ours, theirs, arrays, lambda a: (a[0], tuple(a[1:])) if len(a) == 3 else tuple(a))


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_without_a_batch(name: str) -> None:
    ours, theirs = pair(name, 3, 5, batch_first=True)
    agree(ours, theirs, [RNG.normal(size=(4, 3))], tuple)
    state = [RNG.normal(size=(1, 5)) for _ in range(2 if name == "LSTM" else 1)]
    agree(ours, theirs, [RNG.normal(size=(4, 3)), *state], lambda a: (a[0], tuple(a[1:])) if len(a) == 3 else tuple(a))


@pytest.mark.parametrize(
    ("name", "options"), [("LSTMCell", {}), ("GRUCell", {"bias": False}), ("RNNCell", {"nonlinearity": "relu"})], ids=str
)
def test_cells(name: str, options: dict[str, Any]) -> None:
    ours, theirs = pair(name, 3, 5, **options)
    for lead in ((2,), ()):
        states = [RNG.normal(size=(*lead, 5)) for _ in range(2 if name == "LSTMCell" else 1)]
        agree(ours, theirs, [RNG.normal(size=(*lead, 3))], tuple)
        agree(ours, theirs, [RNG.normal(size=(*lead, 3)), *states], lambda a: (a[0], tuple(a[1:])) if len(a) == 3 else tuple(a))


@pytest.mark.parametrize(
    ("name", "options"), [("LSTM", {"bidirectional": True}), ("GRU", {"num_layers": 2}), ("RNN", {}), ("LSTMCell", {})], ids=str
)
def test_derivatives(name: str, options: dict[str, Any]) -> None:
    """First and second ones, in both modes, by parameters and inputs."""
    layer = getattr(nn, name)(2, 2, dtype=xp.float64, **options)
    x = xp.asarray(RNG.normal(size=(2, 2) if name == "LSTMCell" else (3, 2, 2)))
    autodiff.check_grads(lambda m, x: tuple(flat(m(x))), (layer, x), order=2)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("hidden", [3, 70, 200])
def test_kernels(kind: str, hidden: int) -> None:
    """Widths of whole and of broken tiles, and of more than one block, both ways, float32 and float64: the steps composed in NumPy."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    run = getattr(xp.recurrence, kind)
    sizes = [(3, 5, gates * hidden), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,), (5, hidden)]
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-5)):
        operands = [xp.asarray((RNG.normal(size=s) / hidden**0.5).astype(dtype)) for s in sizes]
        for reverse in (False, True):
            with xp.config(kernels="python"):
                expected = flat(run(*operands, reverse=reverse))
            for a, b in zip(flat(run(*operands, reverse=reverse)), expected, strict=True):
                assert a.dtype == dtype
                np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=tolerance, atol=tolerance)


def test_kernels_back() -> None:
    """Gradients of the kernel are those of the composed steps, and do not depend on the number of threads."""
    operands = [xp.asarray(RNG.normal(size=s) / 8) for s in ((2, 20, 48), (48, 12), (48,), (48,), (20, 12), (20, 12))]

    def loss(*a: Any) -> Any:
        return sum(xp.sum(y**2) for y in xp.recurrence.lstm(*a, reverse=True))

    def gradients() -> list[np.ndarray]:
        return [np.asarray(g) for g in xp.grad(loss, tuple(range(6)))(*operands)]

    with xp.config(kernels="python"):
        expected = gradients()
    found = []
    for threads in (1, 2, 3):
        with xp.config(threads=threads):
            found.append(gradients())
    for a, b, c, d in zip(expected, *found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)
        assert b.tobytes() == c.tobytes() == d.tobytes() or np.allclose(b, c, rtol=1e-14)  # products of matrices are BLAS's


def test_states_may_be_overwritten() -> None:
    """A write into the states that the way back needs makes a copy."""
    operands = [xp.asarray(RNG.normal(size=s)) for s in ((3, 2, 8), (8, 2))]

    def written(*a: Any) -> Any:
        states, cells = xp.recurrence.lstm(*a)
        total = xp.sum(states**2) + xp.sum(cells**2)
        states[...] = 7.0
        cells *= 3.0
        return total

    plain = xp.grad(lambda *a: sum(xp.sum(y**2) for y in xp.recurrence.lstm(*a)), (0, 1))(*operands)
    for a, b in zip(xp.grad(written, (0, 1))(*operands), plain, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-12)


def test_dropout_between_layers() -> None:
    layer = nn.GRU(3, 5, num_layers=2, dropout=0.5)
    x = xp.ones((4, 2, 3), dtype=xp.float32)
    assert bool(xp.any(layer(x)[0] != layer(x)[0]))
    layer.eval()
    assert bool(xp.all(layer(x)[0] == layer(x)[0]))
    assert layer(x)[0].dtype == xp.float32


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: nn.LSTM(3, 5)(xp.ones((4, 2, 2), dtype=xp.float32)), "with 3 features; it has shape"),
        (
            lambda: nn.GRU(3, 5)(xp.ones((4, 2, 3), dtype=xp.float32), xp.ones((1, 3, 5))),
            r"h_0 has shape \(1, 3, 5\); expected \(1, 2, 5\)",
        ),
        (lambda: nn.RNN(3, 5)(xp.ones((0, 2, 3), dtype=xp.float32)), "at least one step"),
        (lambda: nn.RNN(3, 5, nonlinearity="sine"), "nonlinearity='sine'"),
        (lambda: nn.LSTM(3, 0), "must be at least 1"),
        (lambda: nn.GRUCell(3, 5)(xp.ones((2, 3), dtype=xp.float32), xp.ones((2, 4))), r"hx has shape \(2, 4\); expected \(2, 5\)"),
        (lambda: xp.recurrence.lstm(xp.ones((3, 2, 8)), xp.ones((6, 2))), "weight has shape"),
        (lambda: xp.recurrence.gru(xp.ones((3, 2, 8)), xp.ones((6, 2))), "projected has shape"),
        (lambda: xp.recurrence.rnn(xp.ones((3, 2, 2)), xp.ones((2, 2)), first=xp.ones((3, 2))), "first has shape"),
    ],
)
def test_errors(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_a_layer_is_its_cells() -> None:
    """A layer of one step after the other is its cell."""
    x = xp.asarray(RNG.normal(size=(4, 2, 3)))
    for layer, cell in (
        (nn.LSTM(3, 5, dtype=xp.float64), nn.LSTMCell(3, 5, dtype=xp.float64)),
        (nn.GRU(3, 5, dtype=xp.float64), nn.GRUCell(3, 5, dtype=xp.float64)),
        (nn.RNN(3, 5, dtype=xp.float64), nn.RNNCell(3, 5, dtype=xp.float64)),
    ):
        cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
        state: Any = None
        for step in x:
            state = cell(step, state)
        np.testing.assert_allclose(*(np.asarray(flat(found)[0].detach()) for found in (state, layer(x)[0][-1])), rtol=1e-12)


def test_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="float32 and float64"):
        xp.recurrence.rnn(xp.ones((3, 2, 2), dtype=xp.int64), xp.ones((2, 2), dtype=xp.int64))
