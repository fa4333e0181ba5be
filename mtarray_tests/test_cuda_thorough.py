"""One function of each family of kernels on a simulator that looks for races, and for buffers that are read before they are written.

All tests of the CUDA engine run so by `python -m mtarray_tests.full --only races`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, fft, linalg, nn, random
from mtarray._devices import device


@pytest.fixture(autouse=True)
def _thorough(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with xp.config(cuda="simulate"):
        monkeypatch.setattr(device("cuda").driver, "thorough", True)
        yield


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape)


def many(n: int) -> np.ndarray:
    """Few different numbers, zeros of both signs among them."""
    return np.random.default_rng(n).choice(np.array([0.0, -0.0, 1.0, -2.0, 3.0]), n)


def _written(x: Any) -> Any:
    x = x + 0
    x[xp.asarray([3, 1, 3, 3], device=x.device)] = xp.asarray([1.0, 2.0, 3.0, 4.0], device=x.device)
    return x


def _added(x: Any) -> Any:
    """The derivative of a gather adds where indices repeat."""
    order = np.concatenate([np.zeros(100, int), np.arange(50) % 7])
    return autodiff.grad(lambda y: xp.sum(y[xp.asarray(order, device=y.device)] ** 2))(x)


def _posed(x: Any) -> Any:
    return x @ x.T + 9 * xp.eye(x.shape[0], device=x.device)


FAMILIES: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "elementwise": (lambda x: xp.exp(x) + x, (drawn(7, 9),)),
    "copies": (lambda x: xp.concat([x.T, xp.flip(x.T)]) + 0, (drawn(33, 40),)),
    "reduction": (lambda x: (xp.sum(x, axis=0), xp.max(x, axis=1), xp.sum(x)), (drawn(40, 90),)),
    "positions": (lambda x: xp.argmin(x, axis=1), (drawn(9, 300),)),
    "moments": (lambda x: xp.var(x, axis=1), (drawn(9, 300),)),
    "scan": (lambda x: xp.cumulative_sum(x), (drawn(5000),)),
    "short sort": (lambda x: xp.sort(x, axis=1), (drawn(5, 100),)),
    "long sort": (lambda x: (xp.sort(x), xp.argsort(x)), (many(2500),)),
    "gather": (lambda x: xp.take_along_axis(x, xp.asarray([[2, 0]], device=x.device), axis=1), (drawn(1, 4),)),
    "writing": (_written, (drawn(5),)),
    "adding": (_added, (drawn(9),)),
    "masks": (lambda x: (xp.nonzero(x > 0)[0], x[x > 0]), (drawn(700),)),
    "search": (lambda x, y: xp.searchsorted(xp.sort(x), y), (drawn(300), drawn(40))),
    "sets": (lambda x: xp.unique_values(x + 0.0 * x), (np.abs(many(700)),)),
    "random": (lambda x: random.Generator(7, device=x.device).normal(size=50), (drawn(1),)),
    "product": (lambda x, y: x @ y, (drawn(35, 20), drawn(20, 33))),
    "product in parts": (lambda x, y: x @ y, (drawn(17, 520), drawn(520, 17))),
    "vectors": (lambda x, y: x @ y, (drawn(9, 700), drawn(700))),
    "convolution": (lambda x, w: nn.functional.conv2d(x, w, padding=1), (drawn(2, 3, 7, 7), drawn(4, 3, 3, 3))),
    "pooling": (lambda x: nn.functional.max_pool2d(x, 2), (drawn(2, 3, 6, 6),)),
    "softmax": (lambda x: nn.functional.softmax(x, -1), (drawn(5, 300),)),
    "normalisation": (lambda x, w, b: nn.functional.layer_norm(x, (70,), w, b), (drawn(5, 70), drawn(70), drawn(70))),
    "lu": (lambda x: linalg.solve(_posed(x), x), (drawn(34, 34),)),
    "cholesky": (lambda x: linalg.cholesky(_posed(x)), (drawn(34, 34),)),
    "qr": (lambda x: linalg.qr(x), (drawn(20, 12),)),
    "eigenvalues": (lambda x: linalg.eigvalsh(_posed(x)), (drawn(9, 9),)),
    "singular values": (lambda x: linalg.svdvals(x), (drawn(9, 6),)),
    "fourier": (lambda x: (fft.fft(x), fft.rfft(x[:30])), (drawn(64),)),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_race(family: str) -> None:
    f, arrays = FAMILIES[family]
    found = f(*[xp.asarray(a, device="cuda") for a in arrays])
    expected = f(*map(xp.asarray, arrays))
    for got, wanted in zip(*[r if isinstance(r, tuple) else (r,) for r in (found, expected)], strict=True):
        assert got.device == "cuda"
        np.testing.assert_allclose(np.asarray(got.to_device("cpu")), np.asarray(wanted), rtol=1e-10, atol=1e-12)


def test_it_looks() -> None:
    """What is not written yet is missed: the mode is on."""
    with pytest.raises(RuntimeError, match="which nobody has written"):
        xp.sum(xp.empty(9, device="cuda"))
