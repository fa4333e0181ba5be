"""Arrays on a device: where they are, how they get there, what is refused. On the simulator."""

import copy
import gc
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mtarray as xp


@pytest.fixture(autouse=True)
def _simulated() -> Iterator[None]:
    with xp.config(cuda="simulate"):
        yield


def host(x: Any) -> np.ndarray:
    return np.asarray(x.to_device("cpu"))


def test_devices_and_their_names() -> None:
    x = xp.zeros(2, device="cuda")
    assert x.device == "cuda"
    assert x.device == "cuda:0"
    assert x.device != "cpu"
    assert x.device is xp.asarray(1.0, device="cuda:0").device
    assert str(x.device) == "cuda"
    assert {x.device: 1}["cuda"] == 1  # type: ignore[index]
    assert xp.zeros(2, device="cuda:1").device == "cuda:1"
    assert pickle.loads(pickle.dumps(x.device)) is x.device
    assert [str(d) for d in xp.__array_namespace_info__().devices()] == ["cpu", "cuda", "cuda:1"]
    assert xp.cuda.device_count() == 2


@pytest.mark.parametrize("name", ["cuda:7", "cuda:x", "gpu", "cuda:-1", ""])
def test_no_such_device(name: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match="device"):
        xp.zeros(2, device=name)


def test_without_a_gpu_one_sentence_names_the_remedy() -> None:
    code = (
        "import sys, mtarray as xp\n"
        "assert 'cuda' not in sys.modules\n"
        "assert [str(d) for d in xp.__array_namespace_info__().devices()] == ['cpu']\n"
        "xp.asarray([1.0], device='cuda')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"MTARRAY_CUDA": "", "PATH": ""})
    if done.returncode == 0:
        pytest.skip("there is a GPU here")
    last = done.stderr.strip().splitlines()[-1]
    assert "device='cuda'" in last
    assert "pip install" in last or "MTARRAY_CUDA=simulate" in last


def test_the_default_device() -> None:
    with xp.set_default_device("cuda") as chosen:
        assert chosen == "cuda"
        for x in (xp.zeros(2), xp.ones(2), xp.asarray([1, 2]), xp.arange(3), xp.eye(2), xp.linspace(0, 1, 3), xp.full(2, 3), xp.empty(1)):
            assert x.device == "cuda"
        assert xp.asarray(1.0, device="cpu").device == "cpu"
        assert xp.__array_namespace_info__().default_device() == "cuda"
    assert xp.zeros(2).device == "cpu"
    xp.set_default_device("cuda:1")
    try:
        assert xp.zeros(2).device == "cuda:1"
    finally:
        xp.set_default_device("cpu")
    on_cpu = xp.zeros(2)
    seen: list[Any] = []
    with xp.set_default_device("cuda"):
        other = threading.Thread(target=lambda: seen.append(xp.zeros(1).device))
        other.start()
        other.join()
        assert seen == ["cpu"]  # it is this thread's default
        assert xp.asarray(on_cpu).device == "cpu"  # arrays stay where they are
        assert (on_cpu + 1).device == "cpu"
        assert xp.zeros_like(on_cpu).device == "cpu"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda d: xp.arange(5, device=d), np.arange(5)),
        (lambda d: xp.arange(10, 0, -3, dtype=xp.int8, device=d), np.arange(10, 0, -3, dtype=np.int8)),
        (lambda d: xp.arange(0.5, 3, 0.75, device=d), np.arange(0.5, 3, 0.75)),
        (lambda d: xp.arange((1 << 63), (1 << 63) + 3, dtype=xp.uint64, device=d), np.arange(3, dtype=np.uint64) + np.uint64(1 << 63)),
        (lambda d: xp.linspace(0, 1, 7, device=d), np.linspace(0, 1, 7)),
        (
            lambda d: xp.linspace(1, 2, 4, endpoint=False, dtype=xp.float32, device=d),
            np.linspace(1, 2, 4, endpoint=False, dtype=np.float32),
        ),
        (lambda d: xp.eye(3, 4, k=1, device=d), np.eye(3, 4, 1)),
        (lambda d: xp.eye(4, 2, k=-2, dtype=xp.complex64, device=d), np.eye(4, 2, -2, np.complex64)),
        (lambda d: xp.eye(2, k=5, device=d), np.eye(2, k=5)),
        (lambda d: xp.full((2, 3), True, device=d), np.full((2, 3), True)),
        (lambda d: xp.full((2, 2), 2 - 1j, device=d), np.full((2, 2), 2 - 1j)),
        (lambda d: xp.zeros((0, 3), device=d), np.zeros((0, 3))),
        (lambda d: xp.asarray([[1, 2], [3, 4]], dtype=xp.uint8, device=d).T, np.asarray([[1, 3], [2, 4]], np.uint8)),
        (
            lambda d: xp.stack(xp.meshgrid(xp.arange(2, device=d), xp.arange(3, device=d))),
            np.stack(np.meshgrid(np.arange(2), np.arange(3))),
        ),
        (lambda d: xp.tril(xp.ones((3, 3), device=d)), np.tril(np.ones((3, 3)))),
    ],
)
def test_creation(make: Any, expected: np.ndarray) -> None:
    made = make("cuda")
    assert made.device == "cuda"
    assert made.dtype == expected.dtype
    np.testing.assert_array_equal(host(made), expected)


def test_elements_reach_python_and_containers() -> None:
    x = xp.asarray([[1.5, -2.0], [0.0, 4.0]], device="cuda")
    assert x.tolist() == [[1.5, -2.0], [0.0, 4.0]]
    assert float(x[0, 1]) == -2.0
    assert x[1, 1].item() == x.item(3) == 4.0
    assert bool(xp.any(x > 3))
    assert int(xp.asarray(7, device="cuda")) == 7
    assert [1, 2, 3][xp.asarray(1, device="cuda")] == 2
    assert f"{x[0, 0]:.2f}" == "1.50"
    assert "device='cuda'" in repr(x)
    assert "1.5" in str(x)
    assert x.tobytes() == host(x).tobytes()
    assert [row.device == "cuda" for row in x] == [True, True]
    again = pickle.loads(pickle.dumps(x))
    assert again.device == "cpu"  # the reader may have no such device
    assert again.tolist() == x.tolist()
    twin = copy.deepcopy(x)
    twin[0, 0] = 9
    assert twin.device == "cuda"
    assert float(x[0, 0]) == 1.5


LEAVE: dict[str, Any] = {
    "asarray": np.asarray,
    "buffer": memoryview,
    "ufunc": lambda x: np.add(np.ones(2), x),
    "right": lambda x: x + np.ones(2),
    "left": lambda x: np.ones(2) * x,
    "flags": lambda x: x.flags,
    "unmirrored": np.packbits,
}


@pytest.mark.parametrize("name", LEAVE)
def test_no_silent_way_to_the_host(name: str) -> None:
    x = xp.ones(2, device="cuda")
    before = xp.cuda.counts()["to_host"]
    with pytest.raises((TypeError, ValueError), match=r"device|bytes-like"):
        LEAVE[name](x)
    assert np.sin(x).device == "cuda"  # NumPy's function that we have is ours
    assert xp.cuda.counts()["to_host"] == before


def test_mixed_devices_are_refused_and_named() -> None:
    x, y = xp.ones((2, 3), device="cuda"), xp.ones(3)
    calls: list[Any] = [
        lambda: x + y,
        lambda: y * x,
        lambda: x.__iadd__(y),
        lambda: y.__isub__(x[0]),
        lambda: xp.where(x > 0, x, y),
        lambda: x @ y,
        lambda: xp.concat([x[0], y]),
        lambda: x[0][xp.asarray([0])],
        lambda: y[xp.asarray([0], device="cuda")],
        lambda: x.__setitem__(0, y),
        lambda: y.__setitem__(slice(None), x[0]),
        lambda: xp.add(x, xp.ones(3, device="cuda:1")),
        lambda: xp.searchsorted(y, x[0]),
        lambda: xp.clip(x, y, None),
    ]
    for i, call in enumerate(calls):
        with pytest.raises(ValueError, match="device") as caught:
            call()
        assert "cuda" in str(caught.value).lower(), i
    assert x.tolist() == [[1.0] * 3] * 2
    assert y.tolist() == [1.0] * 3


def test_numbers_of_python_and_numpy_go_along() -> None:
    x = xp.asarray([1, 2, 3], dtype=xp.float32, device="cuda")
    before = xp.cuda.counts()
    for out, dtype in ((x * 2, xp.float32), (2.5 - x, xp.float32), (x + np.float64(1), xp.float64), (np.float32(2) * x, xp.float32)):
        assert out.device == "cuda"
        assert out.dtype == dtype
    assert {k: v for k, v in xp.cuda.counts().items() if k.startswith("to_")} == {k: v for k, v in before.items() if k.startswith("to_")}
    n = xp.asarray([-1, 0, 255], dtype=xp.int16, device="cuda")
    assert host(n < 1 << 40).tolist() == [True] * 3
    assert host(n == -(1 << 70)).tolist() == [False] * 3
    with pytest.raises(OverflowError, match="out of bounds"):
        n + (1 << 40)
    with pytest.raises(ValueError, match="negative integer powers"):
        n**n


def test_moving_takes_a_window_and_is_differentiable() -> None:
    x = xp.reshape(xp.arange(12.0), (3, 4))
    before = xp.cuda.counts()["bytes_to_device"]
    part = x[:, ::-2].to_device("cuda")
    assert xp.cuda.counts()["bytes_to_device"] - before == part.nbytes == 48
    np.testing.assert_array_equal(host(part), np.asarray(x)[:, ::-2])
    back = part[1:].to_device("cpu")
    np.testing.assert_array_equal(np.asarray(back), np.asarray(x)[1:, ::-2])
    assert part.to_device("cuda") is part
    assert part.to_device("cuda:1").device == "cuda:1"

    def loss(v: Any) -> Any:
        there = xp.to_device(v, "cuda") if hasattr(xp, "to_device") else v.to_device("cuda")
        return xp.sum((there * there * 2).to_device("cpu") * v)

    v = xp.asarray([1.0, 2.0])
    assert xp.grad(loss)(v).tolist() == [6.0, 24.0]
    assert xp.grad(lambda u: xp.sum(xp.grad(loss)(u)))(v).tolist() == [12.0, 24.0]
    assert xp.autodiff.jvp(loss, (v,), (xp.ones(2),))[1].item() == 30.0


def test_gradients_stay_on_the_device() -> None:
    chosen = {"cpu": xp.asarray([0, 0, 2]), "cuda": xp.asarray([0, 0, 2], device="cuda")}

    def f(x: Any) -> Any:
        out = xp.zeros_like(x)
        out[0] = x[1] * x[2]
        out[1:] += xp.sin(x[:2])
        out *= x
        return xp.sum(out[::-1] * xp.max(x)) + xp.sum(x[chosen[str(x.device)]] ** 3)

    x = xp.asarray([0.3, -1.2, 2.0])
    there = x.to_device("cuda")
    g = xp.grad(f)(there)
    with xp.cuda.forbid_transfers():
        again = xp.grad(f)(there)
        assert again.device == "cuda"
    np.testing.assert_allclose(host(g), np.asarray(xp.grad(f)(x)), rtol=1e-14)
    hvp = xp.grad(lambda v: xp.sum(xp.grad(f)(v) * v))
    np.testing.assert_allclose(host(hvp(there)), np.asarray(hvp(x)), rtol=1e-13)
    tangent = xp.autodiff.jvp(f, (there,), (xp.ones_like(there),))[1]
    np.testing.assert_allclose(float(tangent), float(xp.sum(xp.grad(f)(x))), rtol=1e-13)
    there.requires_grad = True
    f(there).backward()
    assert there.grad is not None
    assert there.grad.device == "cuda"
    np.testing.assert_allclose(host(there.grad.detach()), np.asarray(xp.grad(f)(x)), rtol=1e-14)


@pytest.mark.parametrize("shape", [(5000,), (300, 4, 9), (2, 2000)])
def test_text_of_a_large_array_copies_its_edges(shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    there = xp.asarray(x, device="cuda")
    before = xp.cuda.counts()["bytes_to_host"]
    assert repr(there) == repr(xp.asarray(x)).replace("'cpu'", "'cuda'")
    assert str(there) == str(x)
    assert xp.cuda.counts()["bytes_to_host"] - before <= 2 * 8 * 7 ** len(shape)


def test_forbidden_transfers_name_both_sites() -> None:
    x = xp.ones(3, device="cuda")
    with xp.cuda.forbid_transfers():
        y = xp.sum(x * 2 + xp.zeros(3, device="cuda"))
        with pytest.raises(xp.cuda.TransferError, match=r"to the host from device 'cuda.*test_cuda_device.py:\d+.*test_cuda_device.py:\d+"):
            float(y)
        with pytest.raises(xp.cuda.TransferError, match="from the host to"):
            xp.asarray([1.0, 2.0], device="cuda")
    assert float(y) == 6.0


def test_the_check_of_indices_is_put_off_where_transfers_are_forbidden() -> None:
    x, right, wrong = xp.arange(3.0, device="cuda"), xp.asarray([2, -1], device="cuda"), xp.asarray([0, 7], device="cuda")
    with xp.cuda.forbid_transfers():
        assert x[right].shape == (2,)
    assert x[right].tolist() == [2.0, 2.0]
    with pytest.raises(IndexError, match="index 7 is out of bounds"):
        x[wrong]
    with xp.cuda.forbid_transfers():
        x[wrong] = 5.0
    with pytest.raises(IndexError, match="where transfers were forbidden"):
        x[right]
    assert x.tolist() == [5.0, 1.0, 2.0]


def test_memory_and_streams() -> None:
    before = xp.cuda.memory_info()
    x = xp.zeros(1000, device="cuda")
    assert xp.cuda.memory_info().used - before.used >= 8000
    del x
    assert xp.cuda.memory_info().used == before.used
    xp.cuda.synchronize()
    xp.cuda.empty_cache()
    with pytest.raises(ValueError, match="simulated"):
        xp.cuda.stream()
    with pytest.raises(ValueError, match="not a CUDA device"):
        xp.cuda.synchronize("cpu")


def test_a_captured_step_is_replayed() -> None:
    w = xp.asarray([1.0, -1.0], device="cuda")
    x = xp.asarray([2.0, 3.0], device="cuda")

    def step(x: Any) -> Any:
        loss, g = xp.value_and_grad(lambda w: xp.sum((w * x - 1) ** 2))(w)
        w.__isub__(g * 0.05)
        return loss

    twin = np.asarray([1.0, -1.0])
    run = xp.cuda.graph(step)
    for k in range(5):
        given = np.asarray([2.0, 3.0 + k])
        loss = run(xp.asarray(given, device="cuda"))
        r = twin * given - 1
        expected = np.sum(r**2)
        twin = twin - 0.05 * 2 * r * given
        np.testing.assert_allclose(float(loss), expected, rtol=1e-12)
        np.testing.assert_allclose(host(w), twin, rtol=1e-12)
    with pytest.raises(ValueError, match="captured for arguments"):
        run(xp.ones(3, device="cuda"))
    reads = xp.cuda.graph(lambda: float(xp.sum(x)))
    assert reads() == 5.0
    with pytest.raises(xp.cuda.CaptureError, match="cannot be part of a graph"):
        reads()
    assert host(x + 1).tolist() == [3.0, 4.0]  # an abandoned capture leaves the device usable


def test_a_graph_finds_arrays_that_have_moved() -> None:
    x, one = xp.ones(3, device="cuda"), xp.ones((), device="cuda")
    add = xp.cuda.graph(x.__iadd__)
    for _ in range(3):
        add(one)

    def eager(w: Any) -> Any:
        y = w * x
        x.__iadd__(one)  # moves x: the derivative needs the former values
        return xp.sum(y)

    assert host(xp.grad(eager)(xp.ones(3, device="cuda"))).tolist() == [4.0] * 3
    assert host(add(one)).tolist() == host(x).tolist() == [6.0] * 3

    def replayed(w: Any) -> Any:
        y = w * x
        add(one)  # must leave the values of which the derivative is to come
        return xp.sum(y)

    assert host(xp.grad(replayed)(xp.ones(3, device="cuda"))).tolist() == [6.0] * 3
    assert host(x).tolist() == [7.0] * 3
    first = xp.cuda.graph(x.__iadd__)
    first(one)

    def captured(w: Any) -> Any:
        y = w * x
        first(one)
        return xp.sum(y)

    assert host(xp.grad(captured)(xp.ones(3, device="cuda"))).tolist() == [8.0] * 3
    assert host(add(one)).tolist() == [10.0] * 3
    assert host(first(one)).tolist() == [11.0] * 3
    assert host(x).tolist() == [11.0] * 3


def test_the_memory_that_a_graph_reads_lives_as_long_as_it() -> None:
    x, one = [xp.ones(3, device="cuda")], xp.ones((), device="cuda")
    double = xp.cuda.graph(lambda a: (x[0] + a) * 2 if x else None)
    for _ in range(2):
        double(one)
    x.clear()
    gc.collect()
    others = [xp.zeros(3, device="cuda") for _ in range(4)]
    assert host(double(one)).tolist() == [4.0] * 3
    assert not any(host(y).any() for y in others)


def test_arguments_of_graphs() -> None:
    square = xp.cuda.graph(lambda a: a * a)
    for bad in (2.0, xp.ones(3), np.ones(3), xp.ones(3, device="cuda:1")):
        with pytest.raises(TypeError, match="argument 0 must be an array on device 'cuda', got"):
            square(bad)
    with pytest.raises(TypeError, match="no derivative"):
        xp.grad(lambda w: xp.sum(square(w)))(xp.ones(3, device="cuda"))


def test_transfers_are_allowed_again_whoever_leaves_first() -> None:
    x = xp.ones(3, device="cuda")
    first, second = xp.cuda.forbid_transfers(), xp.cuda.forbid_transfers()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    with pytest.raises(xp.cuda.TransferError):
        x.tolist()
    second.__exit__(None, None, None)
    assert x.tolist() == [1.0] * 3


def test_numbers_and_lists_go_along_to_the_device() -> None:
    def all_of(device: str) -> list[Any]:
        x = xp.asarray([1.0, 2.0, 3.0], device=device)
        two = np.float64(2.0)
        np.add.at(added := x.copy(), [0, 0], 1)
        xp.copyto(written := x.copy(), [3.0, 2.0, 1.0])
        square = xp.ones((3, 3), device=device)
        xp.fill_diagonal(filled := square.copy(), 0.5)
        xp.put(put := x.copy(), [0, 2], [7, 8])
        xp.place(placed := x.copy(), [True, False, True], [4.0, 5.0])
        xp.putmask(masked := x.copy(), [False, True, True], two)
        xp.put_along_axis(along := x.copy(), [1], 9.0, 0)
        return [
            xp.isclose(x, two), xp.isclose([1.0, 2.0, 4.0], x), *xp.divmod(x, two), xp.logspace(x, 2), xp.geomspace(x, two),
            xp.linspace(x, two), xp.convolve(x, [1.0, 2.0]), xp.correlate([1.0, 2.0, 1.0, 0.0], x), xp.trapezoid([1.0, 2.0, 3.0], x),
            xp.trapezoid(x, [1.0, 2.0, 4.0]), xp.extract([True, False, True], x), xp.isin(x, two), xp.searchsorted(x, two),
            xp.take(x, 1), xp.take(x, [2, 0]), xp.take_along_axis(x, [1, 0, 0]), xp.gradient(x, two), xp.gradient(x, [0.0, 1.0, 3.0]),
            added, written, filled, put, placed, masked, along,
            *xp.tril_indices_from(square, 1), *xp.triu_indices_from(square, -1), *xp.diag_indices_from(square),
        ]  # fmt: skip

    for expected, found in zip(all_of("cpu"), all_of("cuda"), strict=True):
        assert found.device == "cuda"
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(host(found), np.asarray(expected), rtol=1e-14)
    assert xp.allclose(xp.ones(3, device="cuda"), np.float64(1.0))


def test_messages_of_mixed_devices_name_the_operand() -> None:
    x, y = xp.ones(3, device="cuda"), xp.ones(3)
    with pytest.raises(ValueError, match=r"arrays\[0\] .* on device 'cuda', arrays\[1\] .* on 'cpu'"):
        xp.concat([x, y])
    _, pullback = xp.autodiff.vjp(xp.sin, x)
    with pytest.raises(ValueError, match=r"vjp: the cotangent .* on device 'cpu', the result .* on 'cuda'"):
        pullback(y)
    assert host(xp.autodiff.vjp(xp.sum, x)[1](2.0)[0]).tolist() == [2.0] * 3
    x.requires_grad = True
    with pytest.raises(ValueError, match=r"backward: the cotangent .* on device 'cpu', the result .* on 'cuda'"):
        (x * x).backward(y)


def test_nans_are_traced_on_the_device() -> None:
    x = xp.asarray([1.0, 2.0], device="cuda")
    with xp.autodiff.trace_nans(), pytest.raises(xp.autodiff.NonFiniteError, match=r"log made -inf of finite operands, at \[0\]"):
        xp.grad(lambda v: xp.sum(xp.log(v - 1)))(x)
    with xp.autodiff.trace_nans(), pytest.raises(xp.autodiff.NonFiniteError, match="backward pass of sqrt"):
        xp.grad(lambda v: xp.sum(xp.sqrt(v - 1)))(x)
