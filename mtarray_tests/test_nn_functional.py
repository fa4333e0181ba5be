"""What the catalogue of layers does not say: randomness, initial values, extremes, and bad input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mtarray as xp
from mtarray import autodiff, nn

F = nn.functional
X = np.random.default_rng(0).normal(size=(4, 3))

# ---------------------------------------------------------------------- dropout and embedding


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dropout_keeps_the_mean_and_its_gradient_is_the_mask(dtype: str) -> None:
    nn.manual_seed(0)
    x = xp.asarray(np.random.default_rng(1).uniform(1, 2, size=(300, 100)), dtype=dtype)
    layer = nn.Dropout(0.25)
    x.requires_grad = True
    y = layer(x)
    assert y.dtype == dtype
    kept = np.asarray(y.detach() != 0)
    assert abs(kept.mean() - 0.75) < 0.01
    np.testing.assert_allclose(np.asarray(y.detach())[kept], np.asarray(x.detach())[kept] / 0.75, rtol=1e-6)
    y.backward(xp.ones_like(y))
    np.testing.assert_allclose(np.asarray(x.grad), kept / 0.75, rtol=1e-6)
    assert layer.eval()(x) is x
    nn.manual_seed(0)
    assert (layer.train()(x.detach()) == y.detach()).all()


def test_dropout_of_everything_and_of_channels() -> None:
    x = xp.ones((6, 5, 4, 3))
    assert not F.dropout(x, 1.0).any()
    for f, v in ((F.dropout2d, x), (F.dropout1d, x[0]), (F.dropout2d, x[0])):
        y = np.asarray(f(v, 0.5, generator=xp.random.default_rng(0)))
        planes = y.reshape(*y.shape[: y.ndim - (2 if f is F.dropout2d else 1)], -1)
        assert set(np.unique(planes)) == {0.0, 2.0}
        assert (planes == planes[..., :1]).all()
    with pytest.raises(ValueError, match=r"dropout2d: needs 3 or 4 dimensions, the input has shape \(3,\)"):
        F.dropout2d(xp.ones(3))
    for make in (lambda: F.dropout(x, 1.5), lambda: nn.Dropout(-0.1)):
        with pytest.raises(ValueError, match=r"p=.* must be in \[0, 1\]"):
            make()


def test_embedding_adds_gradients_of_repeated_rows() -> None:
    layer = nn.Embedding(5, 2, padding_idx=1)
    assert not layer.weight.detach()[1, :].any()
    xp.sum(layer(xp.asarray([[0, 0, 1], [4, 1, 0]]))).backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad[:, 0].tolist() == [3.0, 0.0, 0.0, 0.0, 1.0]
    frozen = nn.Embedding.from_pretrained(np.eye(3))
    assert not frozen.weight.requires_grad
    assert frozen(xp.asarray(2)).tolist() == [0.0, 0.0, 1.0]
    for wrong in ([5], [-1]):
        with pytest.raises(IndexError, match="5 rows"):
            layer(xp.asarray(wrong))
    with pytest.raises(TypeError, match="integers, not by float64"):
        layer(xp.ones(2))
    with pytest.raises(IndexError, match="padding_idx"):
        F.embedding(xp.asarray([0]), layer.weight, 7)


# ---------------------------------------------------------------------- initial values


@pytest.mark.parametrize("make", [lambda n: n.Linear(50, 40), lambda n: n.Conv2d(8, 40, 3), lambda n: n.ConvTranspose1d(40, 30, 2)])
def test_layers_begin_as_pytorchs(make: Callable[[Any], Any]) -> None:
    """The same bounds; uniform within them."""
    nn.manual_seed(0)
    ours, theirs = make(nn), make(torch.nn)
    for (name, p), (_, t) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        a, b = np.asarray(p.detach()), t.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert abs(np.abs(a).max() / np.abs(b).max() - 1) < 0.2, name
        assert abs(a.mean()) < np.abs(a).max() / 3


def test_initialisers() -> None:
    rng = xp.random.default_rng(0)
    w = xp.zeros((40, 30, 3, 3), dtype=xp.float32)
    fan_in, fan_out = 270, 360

    def measured(f: Any, *args: Any, **kwargs: Any) -> tuple[float, float]:
        x = f(w, *args, generator=rng, **kwargs)
        assert x is w
        return float(xp.std(w)), float(xp.max(xp.abs(w)))

    i = nn.init
    for found, bound in (
        (measured(i.uniform_, -0.5, 0.5), 0.5),
        (measured(i.xavier_uniform_, gain=2.0), 2 * math.sqrt(6 / (fan_in + fan_out))),
        (measured(i.kaiming_uniform_, mode="fan_out", nonlinearity="relu"), math.sqrt(6 / fan_out)),
        (measured(i.kaiming_uniform_, a=math.sqrt(5)), 1 / math.sqrt(fan_in)),
    ):
        assert 0.99 * bound < found[1] <= bound * (1 + 1e-6)
        assert abs(found[0] / (bound / math.sqrt(3)) - 1) < 0.03
    for found, std in (
        (measured(i.normal_, 0.0, 0.1), 0.1),
        (measured(i.xavier_normal_), math.sqrt(2 / (fan_in + fan_out))),
        (measured(i.kaiming_normal_, nonlinearity="tanh"), 5 / 3 / math.sqrt(fan_in)),
    ):
        assert abs(found[0] / std - 1) < 0.03
    std, most = measured(i.trunc_normal_, std=1.0, a=-1.0, b=1.0)
    assert most <= 1.0
    assert abs(std - 0.5396) < 0.01
    q = i.orthogonal_(xp.zeros((4, 6)), gain=2.0, generator=rng)
    np.testing.assert_allclose(np.asarray(q @ q.T), 4 * np.eye(4), atol=1e-12)
    q = i.orthogonal_(xp.zeros((6, 2, 2)), generator=rng)
    np.testing.assert_allclose(np.asarray(q.reshape((6, 4)).T @ q.reshape((6, 4))), np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(np.asarray(i.eye_(xp.zeros((2, 3)))), np.eye(2, 3))
    for shape, groups in (((4, 2, 3), 2), ((2, 3, 3, 4), 1)):
        ours = np.asarray(i.dirac_(xp.ones(shape), groups))
        np.testing.assert_array_equal(ours, torch.nn.init.dirac_(torch.ones(shape), groups).numpy())
    assert i.constant_(xp.zeros(2), 3.0).tolist() == [3.0, 3.0]
    assert i.ones_(xp.zeros(2)).tolist() == [1.0, 1.0]
    assert i.zeros_(xp.ones(2)).tolist() == [0.0, 0.0]


def test_initialisers_do_not_record_and_keep_leaves() -> None:
    p = nn.Parameter(xp.zeros((3, 3)))
    nn.init.kaiming_normal_(p)
    assert p.requires_grad
    xp.sum(p * 2).backward()
    assert p.grad is not None
    assert (p.grad == 2.0).all()


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains(name: str) -> None:
    assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)


INIT_ERRORS = [
    (lambda: nn.init.xavier_normal_(xp.ones(3)), "at least 2 dimensions, the array has shape"),
    (lambda: nn.init.eye_(xp.ones(3)), "2 dimensions"),
    (lambda: nn.init.dirac_(xp.ones((3, 3))), "3 to 5 dimensions"),
    (lambda: nn.init.dirac_(xp.ones((3, 3, 3)), 2), "groups=2"),
    (lambda: nn.init.orthogonal_(xp.ones(3)), "at least 2"),
    (lambda: nn.init.kaiming_normal_(xp.ones((3, 3)), mode="fan"), "fan_in"),
    (lambda: nn.init.calculate_gain("mish"), "known are"),
]


@pytest.mark.parametrize(("call", "words"), INIT_ERRORS, ids=[w for _, w in INIT_ERRORS])
def test_initialisers_say_what_is_wrong(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


# ---------------------------------------------------------------------- extremes


def both(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Value and gradient by the first argument of a function of either library."""
    x = xp.asarray(args[0], dtype=xp.float64)
    y, g = xp.value_and_grad(lambda x: xp.sum(getattr(F, name)(x, *[xp.asarray(a) for a in args[1:]], **kwargs)))(x)
    t = torch.tensor(args[0], dtype=torch.float64, requires_grad=True)
    u = getattr(torch.nn.functional, name)(t, *[torch.from_numpy(np.asarray(a)) for a in args[1:]], **kwargs).sum()
    u.backward()
    assert t.grad is not None
    return (float(y), g.tolist()), (float(u.detach()), t.grad.tolist())


EXTREMES: list[Any] = [
    ("relu", [0.0, -0.0, 1e300, -1e300]),
    ("leaky_relu", [0.0, 1e300, -1e300]),
    ("sigmoid", [-800.0, 800.0, 0.0]),
    ("logsigmoid", [-800.0, 800.0, 0.0]),
    ("silu", [-800.0, 800.0, 0.0]),
    ("gelu", [-40.0, 40.0, 0.0]),
    ("softplus", [-800.0, 800.0, 0.0, 20.0, 20.1]),
    ("elu", [-800.0, 800.0, 0.0]),
    ("hardtanh", [-1.0, 1.0, 5.0]),
    ("log_softmax", [[1000.0, -1000.0, 0.0]]),
    ("softmax", [[1000.0, -1000.0, 0.0]]),
    ("binary_cross_entropy", [0.0, 1.0, 0.0, 1.0, 0.5], [0.0, 1.0, 1.0, 0.0, 0.5]),
    ("binary_cross_entropy_with_logits", [800.0, -800.0, 800.0, -800.0, 0.0], [1.0, 1.0, 0.0, 0.0, 0.5]),
    ("cross_entropy", [[1000.0, -1000.0], [1000.0, -1000.0]], [0, 1]),
    ("l1_loss", [1.0, 2.0], [1.0, 3.0]),
    ("huber_loss", [1.0, -1.0, 1e200], [0.0, 0.0, 0.0]),
]


@pytest.mark.parametrize("case", EXTREMES, ids=lambda c: c[0])
def test_extremes_are_pytorchs(case: Any) -> None:
    name, *args = case
    options = {"dim": 1} if "softmax" in name else {}
    ours, theirs = both(name, *args, **options)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-8, atol=1e-300)  # some of its constants are float32


@pytest.mark.parametrize("name", ["relu", "sigmoid", "silu", "gelu", "softplus", "elu", "tanh", "leaky_relu", "logsigmoid"])
def test_activations_of_any_layout(name: str) -> None:
    """Empty and 0-d arrays, views, NaN; the small ones by NumPy, the large ones by a kernel."""
    f = getattr(F, name)
    for shape in ((), (0, 3)):
        assert f(xp.zeros(shape)).shape == shape
    assert np.isnan(float(f(xp.asarray(math.nan))))
    big = xp.asarray(np.random.default_rng(0).normal(size=(300, 400)) * 3)
    for view in (big.T, big[::-2, ::3], xp.broadcast_to(big[0], (5, 400))):
        whole = np.asarray(f(view))
        rows = np.stack([np.asarray(f(row.copy())) for row in view[:3]])
        np.testing.assert_allclose(whole[:3], rows, rtol=2e-14, atol=1e-15)
    assert f(xp.asarray([1, 2])).dtype == xp.float64


def test_cross_entropy_where_all_is_ignored_or_nothing_is_there() -> None:
    x = xp.asarray(X)
    assert math.isnan(float(F.cross_entropy(x, xp.asarray([-100] * 4))))
    assert F.cross_entropy(x, xp.asarray([-100] * 4), reduction="sum") == 0.0
    assert F.cross_entropy(x[:0], xp.zeros(0, dtype=xp.int64), reduction="none").shape == (0,)
    g = xp.grad(lambda x: F.cross_entropy(x, xp.asarray([0, -100, 1, -100])))(x)
    assert not g[1::2].any()
    assert xp.grad(lambda x: F.cross_entropy(x, xp.asarray([0, 1, 2, 0], dtype=xp.uint8)))(x).shape == (4, 3)


def test_functions_of_shapes_against_pytorch() -> None:
    x, t = xp.asarray(X), torch.from_numpy(X)
    for widths, options in (((1, 2), {}), ((1, -1, 0, 2), {"value": 5.0}), ((1, 1), {"mode": "reflect"}), ((2, 1), {"mode": "circular"})):
        ours, theirs = F.pad(x, widths, **options), torch.nn.functional.pad(t, widths, **options)
        np.testing.assert_array_equal(np.asarray(ours), theirs.numpy())
    np.testing.assert_allclose(np.asarray(F.normalize(x)), torch.nn.functional.normalize(t).numpy(), rtol=1e-14)
    hot = torch.nn.functional.one_hot(torch.tensor([[0, 2], [1, 1]]), 4)
    np.testing.assert_array_equal(np.asarray(F.one_hot([[0, 2], [1, 1]], 4)), hot.numpy())
    autodiff.check_grads(lambda x: F.pad(x, (1, -1, 0, 2)), (x,))


# ---------------------------------------------------------------------- bad input

x = xp.asarray(X)
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.linear(x, xp.ones((2, 4))), ValueError, r"input of shape \(4, 3\) .* weight of shape \(2, 4\)"),
    (lambda: F.linear(x, xp.ones((2, 3)), xp.ones(3)), ValueError, r"bias has shape \(3,\)"),
    (lambda: nn.Linear(3, 2)(xp.asarray(1.0)), ValueError, r"input of shape \(\)"),
    (lambda: F.bilinear(x, x, xp.ones((2, 3, 4))), ValueError, r"\(out, in1, in2\)"),
    (lambda: F.mse_loss(x, x[:, :1]), ValueError, r"the input has shape \(4, 3\), the target \(4, 1\)"),
    (lambda: F.l1_loss(x, x, "average"), ValueError, "reduction='average'"),
    (lambda: nn.MSELoss("average"), ValueError, "'mean', 'sum', 'none'"),
    (lambda: F.huber_loss(x, x, delta=0), ValueError, "delta=0"),
    (lambda: F.smooth_l1_loss(x, x, beta=-1), ValueError, "beta=-1"),
    (lambda: F.cross_entropy(x, xp.asarray([0, 1, 2, 3])), IndexError, r"target 3 is no class of 0 \.\.\. 2"),
    (lambda: F.cross_entropy(x, xp.asarray([0, 1, 2, -5])), IndexError, "target -5"),
    (lambda: F.cross_entropy(x, xp.asarray([0, 1])), ValueError, r"target of shape \(2,\)"),
    (lambda: F.cross_entropy(x, xp.ones(4)), TypeError, "float64; classes are integers"),
    (lambda: F.cross_entropy(x, xp.asarray([0, 1, 2, 0]), xp.ones(2)), ValueError, "3 classes"),
    (lambda: F.cross_entropy(x, xp.asarray([0, 1, 2, 0]), label_smoothing=2.0), ValueError, "label_smoothing=2.0"),
    (lambda: F.nll_loss(xp.asarray(1.0), xp.asarray(0)), ValueError, "axis of classes"),
    (lambda: F.cosine_embedding_loss(x, x, xp.ones(3)), ValueError, r"\(n, d\)"),
    (lambda: F.gelu(x, "erf"), ValueError, "approximate='erf'"),
    (lambda: F.prelu(x, xp.ones(2)), ValueError, "3 channels"),
    (lambda: F.one_hot([3], 2), ValueError, "num_classes=2"),
    (lambda: F.one_hot([0.5]), TypeError, "float64"),
    (lambda: F.pad(x, (1, 2, 3)), ValueError, "pairs"),
    (lambda: F.pad(x, (1, 1), "mirror"), ValueError, "mode='mirror'"),
    (lambda: F.pad(x, (-2, -2)), ValueError, "takes away more"),
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "groups=2"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, "kernel_size"),
    (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError, "'valid' or 'same'"),
    (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError, "stride 1"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError, "padding_mode='mirror'"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), ValueError, "'zeros'"),
    (lambda: nn.ConvTranspose1d(3, 4, 3, 2)(xp.ones((3, 5)), (20,)), ValueError, "output_size"),
    (lambda: nn.Flatten()(xp.ones(3)), ValueError, r"shape \(3,\)"),
    (lambda: nn.Unflatten(1, (2, 2))(x), ValueError, r"\(2, 2\)"),
    (lambda: nn.Hardtanh(1.0, 0.0), ValueError, "below"),
    (lambda: nn.Linear(2, 2, dtype="int64"), TypeError, "float32 or float64"),
    (lambda: nn.Linear(2, 2, device="tpu"), ValueError, "tpu"),
]


@pytest.mark.parametrize(("call", "kind", "words"), WRONG, ids=[w for _, _, w in WRONG])
def test_bad_input_says_what_is_wrong(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()
