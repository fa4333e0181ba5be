"""Every op and every differentiable function on the simulated device: the CPU's values, errors and derivatives."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff

from .catalogue import DTYPES, ELEMENTWISE, REDUCTIONS, SCANS, assert_close, operands, tolerance, values
from .test_autodiff_catalogue import CASES as DERIVATIVES
from .test_autodiff_catalogue import Case
from .test_errors import CASES as ERRORS
from .test_errors import Operands


@pytest.fixture(autouse=True)
def _simulated() -> Iterator[None]:
    with xp.config(cuda="simulate"):
        yield


def there(x: Any) -> Any:
    return xp.asarray(x, device="cuda")


def host(x: Any) -> np.ndarray:
    return np.asarray(x.detach().to_device("cpu"))


def _slice(index: int, choices: Sequence[Any], seed: int, full: bool, count: int) -> list[Any]:
    """Some of the choices, other ones for each op and each day; all of them in full."""
    if full or len(choices) <= count:
        return list(choices)
    return [choices[(index * count + seed + i) % len(choices)] for i in range(count)]


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str, seed: int, full: bool) -> None:
    """The values of the CPU, special ones included, side by side and behind strides."""
    op = ELEMENTWISE[name]
    for d in _slice(list(ELEMENTWISE).index(name), op.dtypes, seed, full, 2):
        arrays = operands(op, d, 16)
        expected = op.function(*[xp.asarray(a) for a in arrays])
        flat = op.function(*map(there, arrays))
        strided = op.function(*[xp.reshape(there(np.repeat(a, 2)), (4, 8))[::-1, ::2].T for a in arrays])
        for e, f, s in zip(*[r if op.nout > 1 else (r,) for r in (expected, flat, strided)], strict=True):
            assert f.device == "cuda"
            assert_close(host(f), np.asarray(e), tolerance(name, d), f"{name} {d}")
            turned = np.asarray(e).reshape(4, 4)[::-1].T
            assert_close(host(s), turned, tolerance(name, d), f"{name} {d}, strided")


@pytest.mark.parametrize("name", [*REDUCTIONS, *SCANS])
def test_folds(name: str, seed: int, full: bool) -> None:
    folds = name in REDUCTIONS
    op = (REDUCTIONS if folds else SCANS)[name]
    for d in _slice(len(name), [d for d in DTYPES if d in op.dtypes], seed, full, 4):
        base = values(d, 24).reshape(2, 3, 4)
        if d.kind in "fc":
            base = np.where(np.abs(base) < 1e3, base, 1).astype(d)
        if "prod" in name and d.kind in "fc":
            base = (np.abs(base) % 2 + 0.5).astype(d)
        for x in (base, base[::-1, :, ::2].transpose(2, 0, 1), np.broadcast_to(base[:, :1], (2, 5, 4))):
            for axis in (None, 1, (0, 2)) if folds else (0, -1):
                here, away = op.function(xp.asarray(x), axis=axis), op.function(there(x), axis=axis)
                assert away.device == "cuda"
                assert away.dtype == here.dtype
                e = np.asarray(here)
                if e.dtype.kind not in "fc":
                    np.testing.assert_array_equal(host(away), e)
                    continue
                # The order of additions is free: the error is that of the magnitudes.
                bound = 32 * np.finfo(d).eps * float(np.max(np.abs(e), initial=np.max(np.abs(x))))
                np.testing.assert_allclose(host(away), e, rtol=0, atol=bound)


def _gradients(c: Case, kind: str, device: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Results and cotangents of the operands, for cotangents that tell the elements apart."""
    arrays = [xp.asarray(a, device=device) for a in c.arrays(kind)]

    def run(*xs: Any) -> Any:
        found = c.f(xp, *xs)
        return [y for y in (found if isinstance(found, (tuple, list)) else (found,)) if y.dtype.kind in "fc"]

    ys, pullback = autodiff.vjp(run, *arrays)
    weights = [xp.asarray(np.cos(np.arange(y.size, dtype=np.float64)).reshape(y.shape), dtype=y.dtype, device=device) for y in ys]
    return [host(y) for y in ys], [host(g) for g in pullback(weights)]


DAYS = 6  # over which the daily run goes through all derivatives
PAIRS = [(c, k) for c in DERIVATIVES for k in c.kinds]


@pytest.mark.parametrize(("number"), range(len(PAIRS)), ids=[f"{c.id}-{k}" for c, k in PAIRS])
def test_derivatives(number: int, seed: int, full: bool) -> None:
    if not full and (number + seed) % DAYS:
        pytest.skip("another slice")
    case, kind = PAIRS[number]
    expected, gradients = _gradients(case, kind, "cpu")
    with xp.set_default_device("cuda"):  # what the text of a case makes of lists is there too
        found, away = _gradients(case, kind, "cuda")
    for e, f in zip([*expected, *gradients], [*found, *away], strict=True):
        assert e.dtype == f.dtype
        scale = np.max(np.abs(e), initial=1e-300)
        np.testing.assert_allclose(f, e, rtol=1e-11, atol=1e-12 * scale)


# What these say is about memory of the host, or about arrays that the call makes there.
OF_THE_CPU = frozenset({"to_device stream", "dlpack device"})


@pytest.mark.parametrize("name", [n for n in ERRORS if n not in OF_THE_CPU])
def test_bad_input(name: str) -> None:
    """The same catalogue of errors, of arrays on the device: class and words, and nothing changed."""
    case = ERRORS[name]
    with xp.set_default_device("cuda"):
        given = Operands.__new__(Operands)
        Operands.__init__(given)
        before = {key: host(x) for key, x in vars(given).items()}
        with pytest.raises(case.error) as caught:
            case.call(given)
        message = str(caught.value)
        missing = [word for word in case.words.split("|") if word not in message]
        assert not missing, f"{type(caught.value).__name__}: {message!r} does not say {missing}"
        for key, x in vars(given).items():
            np.testing.assert_array_equal(host(x), before[key])
