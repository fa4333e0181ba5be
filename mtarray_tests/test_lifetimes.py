"""Memory that outlives its Array: through NumPy, DLPack, PyTorch, buffers and views, while new arrays are made and die.

Large results come from recycled memory, so a block that goes back too early shows as values that change by themselves.
"""

import gc
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray._kernels.cpu import pool

LARGE = 200_000  # float64 elements: a result of our kernels, in recycled memory


def torch_tensor(x: Any) -> Any:
    return pytest.importorskip("torch").from_dlpack(x)


# How something else may come to see the memory of an array, and how its content is read back.
KEEPERS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "asarray": (np.asarray, np.asarray),
    "slice of asarray": (lambda x: np.asarray(x)[:], np.asarray),
    "from_dlpack": (np.from_dlpack, np.asarray),
    "back and forth": (lambda x: xp.asarray(np.asarray(x)), np.asarray),
    "dlpack back and forth": (lambda x: xp.from_dlpack(np.from_dlpack(x)), np.asarray),
    "view": (lambda x: x.view(), np.asarray),
    "view of a view": (lambda x: x[None][0][::-1][::-1], np.asarray),
    "reshape": (lambda x: x.reshape(1, -1), lambda k: np.asarray(k)[0]),
    "transposed": (lambda x: x.reshape(-1, 2).T, lambda k: np.asarray(k.T).reshape(-1)),
    "broadcast": (lambda x: xp.broadcast_to(x, (3, x.size)), lambda k: np.asarray(k)[2]),
    "memoryview": (lambda x: memoryview(np.asarray(x)), np.asarray),
    "memoryview of a memoryview": (lambda x: memoryview(np.asarray(x))[:], np.asarray),
    "capsule": (lambda x: Capsule(x), lambda k: np.from_dlpack(k)),
    "pickle buffers": (
        lambda x: (buffers := [], pickle.dumps(x, 5, buffer_callback=buffers.append)),
        lambda k: np.asarray(pickle.loads(k[1], buffers=k[0])),
    ),
    "iterator": (lambda x: iter(x.reshape(1, -1)), lambda k: np.asarray(next(k))),
    "ndarray subclass": (lambda x: np.asarray(x).view(np.recarray), np.asarray),
    "ctypes": (lambda x: np.ctypeslib.as_ctypes(np.asarray(x)), np.asarray),
    "torch": (torch_tensor, lambda k: k.numpy()),
    "torch view": (lambda x: torch_tensor(x)[1:-1], None),  # type: ignore[dict-item]
}


class Capsule:
    """A DLPack capsule made while the array lived, handed out later."""

    def __init__(self, x: Any) -> None:
        self.capsule = x.__dlpack__(max_version=(1, 0))

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def churn(n: int, size: int) -> None:
    """New arrays of the same size, so that memory given back would be handed out and overwritten."""
    held = [xp.full((size,), float(i)) + 1 for i in range(n)]
    del held


@pytest.mark.parametrize("size", [100, LARGE])
@pytest.mark.parametrize("name", KEEPERS)
def test_memory_stays_while_something_sees_it(name: str, size: int) -> None:
    keep, read = KEEPERS[name]
    x = xp.arange(size, dtype=xp.float64) * 2  # a result of ours, not an array of NumPy's
    expected = np.arange(size) * 2.0
    keeper = keep(x)
    del x
    gc.collect()
    churn(4, size)
    if read is None:
        assert np.array_equal(keeper.numpy(), expected[1:-1])
    else:
        assert np.array_equal(read(keeper), expected)
    del keeper
    churn(2, size)


def test_memory_goes_back_when_nothing_sees_it() -> None:
    x = xp.ones((LARGE,)) + 1
    a = np.asarray(x)
    view = x[::2]
    gc.collect()
    before = pool.stats()["cached"]
    del x
    gc.collect()
    assert pool.stats()["cached"] == before
    del a
    gc.collect()
    assert pool.stats()["cached"] == before
    del view
    gc.collect()
    assert pool.stats()["cached"] > before


def test_arrays_are_freed_without_the_collector() -> None:
    gc.disable()
    try:
        x = xp.ones((LARGE,))
        parts = [x[1:], x.T, x.reshape(-1, 2), np.asarray(x), x + 1]
        refs = [weakref.ref(p) for p in parts if type(p) is xp.Array] + [weakref.ref(x)]
        del x, parts
        assert [r() for r in refs] == [None] * len(refs)
    finally:
        gc.enable()


def test_arrays_in_cycles() -> None:
    for _ in range(6):
        cycle: list[Any] = [xp.ones((LARGE,)) + 1]
        cycle.append(cycle)
        a = np.asarray(cycle[0])[5:]
        del cycle
        gc.collect()
        churn(2, LARGE)
        assert np.all(a == 2)


def test_we_keep_what_we_borrow() -> None:
    """The other way round: an Array on somebody's memory keeps it."""
    torch = pytest.importorskip("torch")
    for size in (10, LARGE):
        borrowed = [
            xp.asarray(np.full(size, 7.0)),
            xp.from_dlpack(np.full(size, 7.0)),
            xp.asarray(torch.full((size,), 7.0)),
            xp.asarray(np.full((size, 2), 7.0))[:, 1],
            xp.asarray(np.full(size, 7.0)[::-1]),
            xp.asarray(bytearray(b"\7" * size)),
            xp.frombuffer(bytearray(b"\7" * size), dtype=xp.uint8),
        ]
        gc.collect()
        noise = [np.full(size, float(i)) for i in range(10)]
        assert all(bool(xp.all(x == 7)) for x in borrowed)
        del noise


def test_values_do_not_change_by_themselves(seed: int, full: bool) -> None:
    """Keepers of all kinds live and die in random order beside arrays that are made, written and dropped."""
    rng = np.random.default_rng([seed, 77])
    kinds = [k for k in KEEPERS if KEEPERS[k][1] is not None and k not in ("capsule", "iterator", "pickle buffers")]
    if "torch" not in sys.modules:
        kinds.remove("torch")
    kept: list[tuple[Any, Any, float, str]] = []
    for step in range(5000 if full else 400):
        size = int(rng.choice([64, 20_000, 30_000, LARGE]))
        mark = float(step)
        x = xp.full((size,), mark) if step % 2 else xp.zeros((size,)) + mark
        kind = str(rng.choice(kinds))
        keep, read = KEEPERS[kind]
        kept.append((keep(x), read, mark, kind))
        if rng.random() < 0.3:
            x = xp.sqrt(x * x)
        del x
        while len(kept) > 12:
            kept.pop(int(rng.integers(len(kept))))
        for keeper, read, mark, kind in kept:
            values = read(keeper)
            assert values[0] == values[-1] == mark, kind
            assert step % 10 or np.all(values == mark), kind


def test_keepers_in_threads(full: bool) -> None:
    """The same while eight threads make and drop arrays of the same sizes."""
    errors: list[str] = []

    def work(number: int) -> None:
        kept = []
        for step in range(400 if full else 60):
            mark = float(1000 * number + step)
            x = xp.full((LARGE,), mark) + 0
            kept.append((np.asarray(x) if step % 2 else x[::-1], mark))
            del x
            if len(kept) > 3:
                keeper, mark = kept.pop(0)
                if not np.all(np.asarray(keeper) == mark):
                    errors.append(f"thread {number}, step {step}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
