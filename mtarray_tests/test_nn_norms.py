"""Batch norm's state; that layers compute what PyTorch's do is in the catalogue of layers."""

from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, nn

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"momentum": 0.3, "affine": False}, {"track_running_stats": False}], ids=str)
@pytest.mark.parametrize(("name", "shape"), [("BatchNorm1d", (6, 5)), ("BatchNorm1d", (4, 5, 3)), ("BatchNorm2d", (4, 5, 6, 7))])
def test_running_statistics(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    """Some batches in training, then evaluation: as in PyTorch, state included, which goes both ways."""
    torch = pytest.importorskip("torch")
    ours = getattr(nn, name)(5, dtype=xp.float64, **options)
    theirs = getattr(torch.nn, name)(5, dtype=torch.float64, **options)
    for _ in range(3):
        x = RNG.normal(size=shape) * 2 + 1
        np.testing.assert_allclose(
            np.asarray(ours(xp.asarray(x)).detach()), theirs(torch.tensor(x)).detach().numpy(), rtol=1e-10, atol=1e-10
        )
    state, peer = ours.state_dict(), theirs.state_dict()
    assert list(state) == list(peer)
    for key in state:
        assert str(state[key].dtype) == str(peer[key].dtype).removeprefix("torch.")
        np.testing.assert_allclose(np.asarray(state[key]), peer[key].numpy(), rtol=1e-12)
    ours.eval()
    theirs.eval()
    data = RNG.normal(size=shape)
    x, t = xp.asarray(data, copy=True), torch.tensor(data, requires_grad=True)
    x.requires_grad = True
    with torch.enable_grad():
        y, peer_y = ours(x), theirs(t)
        peer_y.backward(torch.tensor(data))
    y.backward(xp.asarray(data))
    np.testing.assert_allclose(np.asarray(y.detach()), peer_y.detach().numpy(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(np.asarray(x.grad), t.grad.numpy(), rtol=1e-9, atol=1e-9)
    for key, parameter in ours.named_parameters():
        np.testing.assert_allclose(np.asarray(parameter.grad), theirs.get_parameter(key).grad.numpy(), rtol=1e-9, atol=1e-9)
    other = getattr(nn, name)(5, dtype=xp.float64, **options)
    other.load_state_dict({k: xp.asarray(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    np.testing.assert_allclose(np.asarray(other.eval()(xp.asarray(data)).detach()), np.asarray(y.detach()), rtol=1e-12)


def test_evaluation_has_all_derivatives() -> None:
    layer = nn.BatchNorm1d(3, dtype=xp.float64)
    layer(xp.asarray(RNG.normal(size=(8, 3))))
    layer.eval()
    autodiff.check_grads(lambda m, x: m(x), (layer, xp.asarray(RNG.normal(size=(4, 3)))), order=2)


def test_functional_style_keeps_the_statistics() -> None:
    """Inside a derivative the copy of the module updates the buffers of the module."""
    layer = nn.BatchNorm1d(3, dtype=xp.float64)
    x = xp.asarray(RNG.normal(size=(8, 3)) + 5)
    autodiff.value_and_grad(lambda m: xp.sum(m(x) ** 3))(layer)
    assert int(layer.num_batches_tracked) == 1
    np.testing.assert_allclose(np.asarray(layer.running_mean), 0.1 * np.asarray(x).mean(0))
    assert not layer.running_mean.requires_grad
    layer.reset_running_stats()
    assert layer.running_mean.tolist() == [0.0] * 3
    assert int(layer.num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("make", "shape", "said"),
    [
        (lambda: nn.BatchNorm1d(3), (2, 4), "must have 3 channels"),
        (lambda: nn.BatchNorm1d(3), (2, 3, 4, 5), "must be 2-D or 3-D"),
        (lambda: nn.BatchNorm2d(3), (2, 3), "must be 4-D"),
        (lambda: nn.BatchNorm1d(3), (1, 3), "more than one value per channel"),
        (lambda: nn.LayerNorm((3, 4)), (3, 5), "not the normalised shape"),
        (lambda: nn.RMSNorm(3), (3, 5), "not the normalised shape"),
        (lambda: nn.GroupNorm(2, 4), (3, 6), "weight has shape"),
        (lambda: nn.GroupNorm(2, 5), (3, 5), "does not divide"),
    ],
)
def test_errors(make: Any, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()(xp.ones(shape, dtype=xp.float32))
