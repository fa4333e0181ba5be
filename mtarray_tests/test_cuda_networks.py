"""Convolution, pooling, recurrent networks, layers and training on a (simulated) device, against the CPU."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, data, nn
from mtarray._devices import device
from mtarray._kernels.cuda import convolution as kernels
from mtarray.convolution import _engine

from . import nn_catalogue


@pytest.fixture(autouse=True)
def simulated() -> Iterator[None]:
    with xp.config(cuda="simulate"):
        yield


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, *shape])
    d = np.dtype(dtype)
    if d.kind in "iu":
        return rng.integers(0, 100, shape).astype(d)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape)).astype(d) if d.kind == "c" else x.astype(d)


def there(x: Any) -> Any:
    return xp.asarray(x, device="cuda")


def here(x: xp.Array) -> np.ndarray:
    assert x.device == "cuda"
    return np.asarray(x.to_device("cpu"))


def agree(got: xp.Array, expected: xp.Array, factor: float = 1.0) -> None:
    assert got.dtype == expected.dtype
    wanted = np.asarray(expected)
    if wanted.dtype.kind in "fc":
        eps = np.finfo(wanted.dtype).eps
        np.testing.assert_allclose(here(got), wanted, rtol=64 * eps * factor, atol=256 * eps * factor)
    else:
        np.testing.assert_array_equal(here(got), wanted)


def same_with_gradients(f: Callable[..., Any], *arrays: np.ndarray, factor: float = 1.0) -> None:
    """Values and cotangents, and no copy between host and device on the way."""
    expected, pull = autodiff.vjp(f, *[xp.asarray(a) for a in arrays])
    u = random(expected.shape, expected.dtype.str[1:], 7)
    cotangents = pull(xp.asarray(u))
    given, up = [there(a) for a in arrays], there(u)
    before = dict(device("cuda").driver.counts)
    got, pull = autodiff.vjp(f, *given)
    found = pull(up)
    after = device("cuda").driver.counts
    assert (after["to_host"], after["to_device"]) == (before["to_host"], before["to_device"])
    agree(got, expected, factor)
    for a, b in zip(found, cotangents, strict=True):
        agree(a, b, factor)


# ---------------------------------------------------------------------- convolution

# images, weights, arguments: few filters (no tiles), 8 to 16, more
CONVOLUTIONS = [
    ("conv2d", (2, 3, 5, 6), (4, 3, 3, 2), dict(padding=(1, 0)), "f8"),
    ("conv2d", (2, 4, 7, 6), (6, 2, 3, 3), dict(stride=(2, 3), padding=1, dilation=(2, 1), groups=2), "f4"),
    ("conv2d", (1, 2, 5, 5), (17, 2, 3, 3), dict(padding="same"), "f4"),
    ("conv2d", (2, 16, 3, 5), (8, 8, 2, 2), dict(stride=2, padding=(0, 1), dilation=(1, 2), groups=2), "c8"),
    ("conv2d", (1, 4, 3, 5), (4, 1, 2, 2), dict(groups=4), "f8"),
    ("conv1d", (2, 4, 9), (9, 4, 3), dict(stride=4, padding=1, dilation=2), "f8"),
    ("conv1d", (3, 8), (2, 3, 2), {}, "c16"),
    ("conv_transpose2d", (1, 3, 3, 4), (3, 2, 3, 2), dict(stride=(2, 3), padding=1, output_padding=(1, 0), dilation=(1, 2)), "f8"),
    ("conv_transpose1d", (2, 4, 5), (4, 2, 3), dict(stride=2, groups=2, dilation=3), "f4"),
]


@pytest.mark.parametrize(("name", "x", "w", "args", "dtype"), CONVOLUTIONS)
def test_convolutions(name: str, x: tuple[int, ...], w: tuple[int, ...], args: dict[str, Any], dtype: str) -> None:
    f = getattr(xp.convolution, name)
    filters = w[1] * args.get("groups", 1) if "transpose" in name else w[0]
    same_with_gradients(lambda *a: f(*a, **args), random(x, dtype), random(w, dtype), random((filters,), dtype), factor=4)


@pytest.mark.parametrize("dtype", ["i1", "u8", "i4"])
def test_integers_wrap(dtype: str) -> None:
    x, w = random((1, 8, 3, 4), dtype), random((9, 8, 2, 2), dtype)
    agree(xp.convolution.conv2d(there(x), there(w)), xp.convolution.conv2d(x, w))


def test_layouts_of_images_and_weights() -> None:
    x, w = random((2, 6, 5, 4), "f8"), random((3, 4, 3, 2), "f8")
    for f in (lambda a: a[::-1, ::2, ::-1], lambda a: a[:, ::2].mT, lambda a: xp.broadcast_to(a[:1, ::2], (3, 3, 5, 4))):
        for g in (lambda b: b[:, ::-1][:, :3], lambda b: b[:, 1:].mT):
            agree(xp.convolution.conv2d(f(there(x)), g(there(w))), xp.convolution.conv2d(f(xp.asarray(x)), g(xp.asarray(w))), 4)


@pytest.mark.parametrize("filters", [2, 9])
def test_sums_of_weights_in_parts(filters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_parts", lambda total, blocks, least: 3)
    x, w = random((2, 3, 6, 5), "f8"), random((filters, 3, 2, 2), "f8")
    same_with_gradients(xp.convolution.conv2d, x, w, factor=4)


def test_no_images() -> None:
    w = there(random((3, 2, 2, 2), "f4"))
    y, pull = autodiff.vjp(xp.convolution.conv2d, there(np.zeros((0, 2, 4, 4), "f4")), w)
    assert y.shape == (0, 3, 3, 3)
    assert not here(pull(y)[1]).any()


# ---------------------------------------------------------------------- pooling

POOLINGS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("max_pool2d", (2, 3, 5, 6), dict(kernel_size=2)),
    ("max_pool2d", (1, 2, 8, 5), dict(kernel_size=3, stride=1, padding=1)),
    ("max_pool2d", (1, 2, 7, 6), dict(kernel_size=(3, 2), stride=(2, 1), padding=(1, 1), dilation=(2, 1), ceil_mode=True)),
    ("max_pool2d", (1, 5, 7), dict(kernel_size=2, stride=3)),
    ("max_pool1d", (2, 9), dict(kernel_size=3, stride=2)),
    ("adaptive_max_pool2d", (1, 2, 7, 5), dict(output_size=(3, 4))),
    ("adaptive_max_pool1d", (2, 3, 4), dict(output_size=7)),
    ("avg_pool2d", (1, 2, 5, 6), dict(kernel_size=2)),
    ("avg_pool2d", (1, 2, 6, 6), dict(kernel_size=(3, 2), stride=2, padding=1, ceil_mode=True)),
    ("avg_pool2d", (1, 2, 6, 6), dict(kernel_size=3, padding=1, ceil_mode=True, count_include_pad=False)),
    ("avg_pool1d", (2, 7), dict(kernel_size=3, stride=2)),
    ("adaptive_avg_pool2d", (1, 2, 4, 5), dict(output_size=(2, 3))),
]


@pytest.mark.parametrize(("name", "shape", "args"), POOLINGS)
def test_poolings(name: str, shape: tuple[int, ...], args: dict[str, Any]) -> None:
    f = getattr(xp.convolution, name)
    for dtype in ("f4", "f8"):
        same_with_gradients(lambda x: f(x, **args), np.round(random(shape, dtype) * 4))


def test_largest_of_nan_ties_and_integers() -> None:
    x = np.round(random((1, 2, 6, 6), "f8"))
    x[0, 0, ::3, ::2] = np.nan
    for a in (x, random((1, 2, 6, 6), "i2"), -np.inf * np.ones((1, 1, 4, 4))):
        for args in (dict(kernel_size=3, stride=1, padding=1), dict(kernel_size=2)):
            got = xp.convolution.max_pool2d(there(a), return_indices=True, **args)
            for y, expected in zip(got, xp.convolution.max_pool2d(a, return_indices=True, **args), strict=True):
                agree(y, expected)


def test_second_derivatives_of_pooling() -> None:
    x = there(random((1, 1, 4, 4), "f8"))

    def energy(x: Any) -> Any:
        return xp.sum(xp.convolution.max_pool2d(x, 2, stride=1) ** 3)

    def twice(x: Any) -> Any:
        return xp.sum(autodiff.grad(energy)(x) ** 2)

    agree(autodiff.grad(twice)(x), autodiff.grad(twice)(x.to_device("cpu")))
    assert _engine.picked.op.name == "picked"


# ---------------------------------------------------------------------- recurrent networks


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("kind", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1), ("relu", 1)])
def test_recurrent_networks(kind: str, gates: int, reverse: bool) -> None:
    steps, batch, hidden = 4, 3, 5
    shapes = [(steps, batch, gates * hidden), (gates * hidden, hidden), (gates * hidden,), (gates * hidden,), (batch, hidden)]
    shapes += [(batch, hidden)] if kind == "lstm" else []
    more = {"nonlinearity": "relu"} if kind == "relu" else {}

    def run(*arrays: Any) -> Any:
        y = getattr(xp.recurrence, "rnn" if kind == "relu" else kind)(*arrays, reverse=reverse, **more)
        return xp.concat(y, axis=2) if kind == "lstm" else y

    for dtype in ("f4", "f8"):
        same_with_gradients(run, *[random(s, dtype, i) for i, s in enumerate(shapes)], factor=16)


# ---------------------------------------------------------------------- layers, losses, training


def pair(make: Callable[[], nn.Module]) -> tuple[nn.Module, nn.Module]:
    """A module on the CPU, and one of the same values on the device."""
    nn.manual_seed(3)
    a = make()
    nn.manual_seed(3)
    return a, make().to("cuda")


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "convolution": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), (2, 2, 4, 4)),
    "normalisation": (lambda: nn.Sequential(nn.LayerNorm(4), nn.GELU(), nn.RMSNorm(4), nn.SiLU()), (3, 4)),
    "lstm": (lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True), (3, 2, 3)),
    "attention": (lambda: nn.TransformerBlock(4, 2), (2, 3, 4)),
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5)), (3, 4)),
}


def both_ways(pair: tuple[nn.Module, nn.Module], *arrays: np.ndarray) -> None:
    """The result of a module and one of its values on the device, and the gradients of all parameters and of what goes in."""
    results = []
    for module, to in zip(pair, (xp.asarray, there), strict=True):
        state = nn.default_generator().state
        given = [to(a) for a in arrays]
        for x in given:
            x.requires_grad = x.dtype.kind == "f"
        y = module(*given)
        nn.default_generator().state = state  # dropout leaves out the same
        y = y[0] if isinstance(y, tuple) else y
        if y.dtype.kind == "f":
            xp.sum(y * xp.reshape(to(np.cos(np.arange(y.size, dtype="f4"))), y.shape)).backward()
        results.append([y.detach(), *[p.grad for p in module.parameters()], *[x.grad for x in given if x.requires_grad]])
    for b, a in zip(*results, strict=True):
        if b is None:
            assert a is None
        else:
            agree(a, b, 64)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_their_gradients(name: str) -> None:
    make, shape = LAYERS[name]
    both_ways(pair(make), random(shape, "f4"))


@pytest.mark.slow
@pytest.mark.parametrize("case", nn_catalogue.CASES, ids=lambda case: case.id)
def test_every_layer_and_loss(case: nn_catalogue.Case) -> None:
    def constant(x: Any) -> Any:
        return xp.asarray(x, dtype="f4" if np.asarray(x).dtype.kind == "f" else None)

    rng = np.random.default_rng(3)
    arrays = [np.asarray(draw(rng)) for draw in case.draws]
    both_ways(pair(lambda: case.make(nn, constant)), *[a.astype("f4") if a.dtype.kind == "f" else a for a in arrays])


LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": lambda x, t: nn.functional.cross_entropy(x, t),
    "ignored": lambda x, t: nn.functional.cross_entropy(x, t, ignore_index=1),
    "smoothed": lambda x, t: nn.functional.cross_entropy(x, t, label_smoothing=0.1),
    "weighted": lambda x, t: nn.functional.cross_entropy(x, t, weight=xp.arange(1.0, 5.0, device=x.device), reduction="sum"),
    "nll": lambda x, t: nn.functional.nll_loss(xp.special.log_softmax(x, axis=1), t),
    "mse": lambda x, t: nn.functional.mse_loss(x[:, 0], t),
    "logits": lambda x, t: nn.functional.binary_cross_entropy_with_logits(x[:, 0], t * 0.25),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_wait_for_nothing(name: str) -> None:
    x, t = random((3, 4), "f8"), np.array([0, 3, 1])
    expected = autodiff.value_and_grad(lambda x: LOSSES[name](x, xp.asarray(t)))(xp.asarray(x))
    a, b = there(x), there(t)
    before = dict(device("cuda").driver.counts)
    found = autodiff.value_and_grad(lambda x: LOSSES[name](x, b))(a)
    after = device("cuda").driver.counts
    assert all(after[k] == before[k] for k in ("to_host", "to_device", "synchronisations"))
    for a, b in zip(found, expected, strict=True):
        agree(a, b)


def test_a_class_that_is_none() -> None:
    loss = nn.functional.cross_entropy(there(np.zeros((2, 3))), there(np.array([0, 7])), reduction="none")
    assert np.isnan(here(loss)).tolist() == [False, True]


OPTIMISERS: dict[str, Callable[..., Any]] = {
    "SGD": lambda p: nn.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "AdamW": lambda p: nn.optim.AdamW(p, lr=0.01, amsgrad=True),
    "Lion": lambda p: nn.optim.Lion(p, lr=0.01),
    "RMSprop": lambda p: nn.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "Adagrad": lambda p: nn.optim.Adagrad(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_training_stays_on_the_device(name: str) -> None:
    x, t = random((6, 4), "f4"), np.arange(6) % 3
    trained = []
    for module, to in zip(pair(lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))), (xp.asarray, there), strict=True):
        optimizer = OPTIMISERS[name](module.parameters())
        a, b = to(x), to(t)
        counts = device("cuda").driver.counts
        before = dict(counts)
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(a), b).backward()
            nn.utils.clip_grad_norm_(module.parameters(), 0.1)
            optimizer.step()
        assert all(counts[k] == before[k] for k in ("to_host", "to_device", "synchronisations"))
        trained.append([p.detach() for p in module.parameters()])
    for a, b in zip(*trained, strict=True):
        agree(b, a, 1000)


def test_states_and_files(tmp_path: Any) -> None:
    a, b = pair(lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    nn.save(tmp_path / "b.safetensors", b)
    with autodiff.no_grad():
        for p in b.parameters():
            p *= 0.0
    b.load_state_dict(a.state_dict())
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        agree(q.detach(), p.detach())
    assert all(p.device == "cpu" for p in b.cpu().parameters())
    for name, x in nn.load(tmp_path / "b.safetensors").items():
        agree(b.to("cuda").state_dict()[name] * 0 + there(x), x)


def test_initial_values() -> None:
    for make in (nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.xavier_uniform_, nn.init.kaiming_normal_):
        nn.manual_seed(1)
        a = make(xp.zeros((3, 4), device="cuda"))
        nn.manual_seed(1)
        agree(a, make(xp.zeros((3, 4))), 4)


def test_batches_on_the_device() -> None:
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    loaders = [data.DataLoader((to(x), to(y)), batch_size=4, shuffle=True, seed=3) for to in (xp.asarray, there)]
    for a, b in zip(*loaders, strict=True):
        for p, q in zip(a, b, strict=True):
            agree(q, p)


def test_embedding() -> None:
    table = there(random((4, 3), "f8"))
    agree(nn.functional.embedding(there(np.array([2, 0])), table), table.to_device("cpu")[np.array([2, 0])])
    for wrong in (-1, 4):
        with pytest.raises(IndexError):
            nn.functional.embedding(there(np.array([wrong, 0])), table)
