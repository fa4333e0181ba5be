"""Random numbers on a (simulated) device: those of the CPU, made there."""

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray._devices import device
from mtarray._kernels.cpu import random as cpu
from mtarray._kernels.cpu import random_shuffle
from mtarray._kernels.cuda import random as engine
from mtarray._kernels.cuda import random_shuffle as shuffle


@pytest.fixture(autouse=True)
def simulated() -> Iterator[None]:
    with xp.config(cuda="simulate"):
        yield


def counts() -> dict[str, int]:
    return device("cuda").driver.counts


def both(draw: Any, seed: int = 5) -> tuple[Any, Any]:
    """What a generator on the device and one on the CPU draw."""
    there, here = xp.random.default_rng(seed, device="cuda"), xp.random.default_rng(seed)
    a, b = draw(there), draw(here)
    assert there.state == here.state
    if isinstance(b, xp.Array):
        assert a.device == "cuda"
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    return a, b


def bits(x: Any) -> bytes:
    return x.tobytes() if isinstance(x, xp.Array) else np.asarray(x).tobytes()


EXACT = {
    "random": lambda r: r.random((3, 5)),
    "random f4": lambda r: r.random(7, dtype="f4"),
    "uniform": lambda r: r.uniform(-2.0, 3.0, 6),
    "integers": lambda r: r.integers(-5, 100, size=(3, 3)),
    "integers u1": lambda r: r.integers(0, 256, size=9, dtype="u1"),
    "integers wide": lambda r: r.integers(-(2**63), 2**63, size=5),
    "integers odd": lambda r: r.integers(0, 3 * 2**61, size=9, dtype="u8"),
    "bool": lambda r: r.integers(0, 2, size=9, dtype="?"),
    "normal": lambda r: r.normal(1.0, 2.0, (2, 9)),
    "normal f4": lambda r: r.standard_normal(9, dtype="f4"),
    "exponential": lambda r: r.exponential(2.0, 9),
    "exponential f4": lambda r: r.standard_exponential(9, dtype="f4"),
    "laplace": lambda r: r.laplace(size=5),
    "logistic": lambda r: r.logistic(size=5, dtype="f4"),
    "gumbel": lambda r: r.gumbel(size=5),
    "gamma": lambda r: r.standard_gamma(0.5, 9),
    "gamma f4": lambda r: r.standard_gamma(3.0, 9, dtype="f4"),
    "beta": lambda r: r.beta(0.5, 2.0, 5),
    "poisson": lambda r: r.poisson(3.0, 9),
    "poisson large": lambda r: r.poisson(40.0, 9),
    "binomial": lambda r: r.binomial(100, 0.3, 9),
    "binomial small": lambda r: r.binomial(9, 0.7, 9),
    "geometric": lambda r: r.geometric(0.2, 9),
    "permutation": lambda r: r.permutation(60),
    "choice": lambda r: r.choice(10, 7),
    "choice without": lambda r: r.choice(50, 7, replace=False),
    "choice few of many": lambda r: r.choice(100_000, 7, replace=False),
    "scalar": lambda r: r.normal(),
    "bytes": lambda r: r.bytes(7),
    "nothing": lambda r: r.normal(size=(0, 3)),
}


@pytest.mark.parametrize("name", EXACT)
def test_numbers_of_the_cpu(name: str) -> None:
    before = dict(counts())
    a, b = both(EXACT[name])
    if name != "choice few of many":  # whose sample comes from the host
        assert counts()["to_host"] == before["to_host"]
        assert counts()["to_device"] == before["to_device"]
    assert bits(a) == bits(b)


ARRAYS = {
    "poisson": lambda r, a: r.poisson(a([0.0, 5.0, 50.0]), size=(4, 3)),
    "binomial": lambda r, a: r.binomial(a([3, 500, 40]), a([[0.5], [0.99]])),
    "standard_gamma": lambda r, a: r.standard_gamma(a([0.0, 0.3, 7.0])),
    "beta": lambda r, a: r.beta(a([0.5, 3.0]), 2.0, size=(3, 2)),
    "integers": lambda r, a: r.integers(a([0, 5, -9]), a([1, 10, 9]), size=(2, 3)),
    "integers up to": lambda r, a: r.integers(a([1, 5, 2**62]), endpoint=True),
    "permutation": lambda r, a: r.permutation(a([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])),
    "permutation of columns": lambda r, a: r.permutation(a([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), axis=1),
    "permuted": lambda r, a: r.permuted(a([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), axis=1),
    "choice": lambda r, a: r.choice(a([1.5, 2.5, 3.5]), (2, 3)),
    "choice p": lambda r, a: r.choice(3, 9, p=[0.2, 0.3, 0.5]),
    "choice p without": lambda r, a: r.choice(4, 2, replace=False, p=[0.2, 0.3, 0.5, 0.0]),
    "multinomial": lambda r, a: r.multinomial(20, [0.2, 0.3, 0.5], size=3),
}
CLOSE = {
    "uniform": lambda r, a: r.uniform(a([0.0, 10.0]), 20.0, size=(3, 2)),
    "normal": lambda r, a: r.normal(a([0.0, 100.0]), a([1.0, 2.0]), size=(3, 2), dtype="f4"),
    "lognormal": lambda r, a: r.lognormal(size=5),
    "gamma": lambda r, a: r.gamma(a([1.0, 2.0]), 3.0),
    "chisquare": lambda r, a: r.chisquare(a([1.0, 2.0])),
    "standard_t": lambda r, a: r.standard_t(3.0, 5),
    "rayleigh": lambda r, a: r.rayleigh(2.0, 5),
    "weibull": lambda r, a: r.weibull(2.0, 5),
    "dirichlet": lambda r, a: r.dirichlet(a([1.0, 2.0, 3.0]), 3),
    "choice p": lambda r, a: r.choice(3, 9, p=a([0.2, 0.3, 0.5])),
    "multivariate_normal": lambda r, a: r.multivariate_normal([0.0, 9.0], [[2.0, 0.5], [0.5, 1.0]], size=4, method="cholesky"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_numbers_of_the_cpu_for_arrays(name: str) -> None:
    a, b = both(lambda r: ARRAYS[name](r, lambda x: xp.asarray(x, device=r.device)))
    assert bits(a) == bits(b)


@pytest.mark.parametrize("name", CLOSE)
def test_arithmetic_on_top(name: str) -> None:
    a, b = both(lambda r: CLOSE[name](r, lambda x: xp.asarray(x, device=r.device)))
    np.testing.assert_allclose(np.asarray(a.to_device("cpu")), np.asarray(b), rtol=1e-5 if b.dtype == xp.float32 else 1e-13)


@pytest.mark.parametrize("n", [0, 1, 33, 500])
def test_permutations_by_buckets(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shuffle, random_shuffle):
        monkeypatch.setattr(module, "LEAF", 32)
    monkeypatch.setattr(cpu, "SMALL", -1)
    a, b = both(lambda r: r.permutation(n))
    assert a.tolist() == b.tolist()
    assert sorted(a.tolist()) == list(range(n))


def test_every_dense_distribution_bit_by_bit() -> None:
    """Over the end of a counter's low word, and with lengths that leave blocks incomplete."""
    there = engine.Engine(device("cuda").driver)
    key, counter = 0x123456789ABCDEF1, (7 << 96) | ((1 << 64) - 9)
    for name in cpu.random_core.DENSE:
        for d in (np.dtype("f4"), np.dtype("f8")):
            for n in (1, 7, 64):
                made = there.dense(name, key, counter, (n,), d, 0.5, 2.5).to_host()
                assert made.tobytes() == cpu.dense(name, key, counter, (n,), d, 0.5, 2.5).tobytes()


def test_out_and_shuffle() -> None:
    def draw(r: Any) -> Any:
        x = xp.zeros((4, 6), device=r.device)
        r.random(out=x)
        r.standard_gamma(2.0, out=x[:, ::2])
        r.shuffle(x)
        return x

    a, b = both(draw)
    assert bits(a) == bits(b)
    order, same = list(range(9)), list(range(9))
    xp.random.default_rng(1, device="cuda").shuffle(order)
    xp.random.default_rng(1).shuffle(same)
    assert order == same


def test_where_a_generator_is() -> None:
    rng = xp.random.default_rng(3, device="cuda")
    assert rng.device == "cuda"
    assert "cuda" in repr(rng)
    assert rng.to_device("cuda") is rng
    here = rng.to_device("cpu")  # one state for both
    assert [*here.random(2).tolist(), *rng.random(2).tolist(), here.random()] == xp.random.default_rng(3).random(5).tolist()
    assert here.state == rng.state
    assert xp.random.default_rng(rng, device="cpu").device == "cpu"
    assert [r.device for r in rng.spawn(2)] == ["cuda", "cuda"]
    assert pickle.loads(pickle.dumps(rng)).random(3).device == "cuda"
    with xp.set_default_device("cuda"):
        assert xp.random.default_rng(3).random(3).device == "cuda"


def test_arrays_elsewhere_are_refused() -> None:
    rng = xp.random.default_rng(3, device="cuda")
    with pytest.raises(ValueError, match=r"device 'cuda', an array of shape \(2,\) on 'cpu'"):
        rng.normal(xp.zeros(2), 1.0)
    with pytest.raises(ValueError, match="device 'cpu'"):
        xp.random.default_rng(3).permutation(xp.zeros(2, device="cuda"))
    with pytest.raises(ValueError, match="scale < 0"):
        rng.normal(0.0, xp.asarray([1.0, -1.0], device="cuda"))
    with pytest.raises(ValueError, match="out of bounds"):
        rng.integers(xp.asarray([0, -1], device="cuda"), 5, dtype="u1")
    with pytest.raises(ValueError, match="low >= high"):
        rng.integers(xp.asarray([0, 5], device="cuda"), 5)
