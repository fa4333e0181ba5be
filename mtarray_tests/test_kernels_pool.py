"""The recycling pool: memory is reused, never while anything can still see it."""

import gc
import os
import random
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from mtarray._kernels.cpu import pool

BIG = (1 << 18,)  # float64: 2 MiB


@pytest.fixture(autouse=True)
def _fresh_pool():
    gc.collect()
    pool.trim()
    yield
    pool.set_limit(None)
    pool.trim()


def _address(x):
    return x.__array_interface__["data"][0]


@pytest.mark.parametrize("shape", [(), 0, (0, 5), 3, (7, 9), (1 << 18,), (3, 1 << 17), (1000, 1001)])
@pytest.mark.parametrize("dtype", [np.bool_, "i1", np.float32, np.dtype("c16")])
def test_empty_is_a_plain_writable_array(shape, dtype):
    x = pool.empty(shape, dtype)
    expected = np.empty(shape, dtype)
    assert type(x) is np.ndarray
    assert (x.shape, x.dtype, x.strides) == (expected.shape, expected.dtype, expected.strides)
    x[...] = 1
    assert (x == 1).all()
    if x.nbytes >= pool.MINIMUM:
        assert _address(x) % pool.ALIGNMENT == 0


def test_memory_is_recycled():
    x = pool.empty(BIG, "f8")
    where = _address(x)
    del x
    y = pool.empty((1 << 19,), "f4")
    assert _address(y) == where
    z = pool.empty(BIG, "f8")
    assert _address(z) != where


KEEPERS = {
    "slice": lambda x: x[5:],
    "element": lambda x: x[3:4].reshape(()),
    "reshape": lambda x: x.reshape(2, -1)[1],
    "dtype view": lambda x: x.view(np.uint8),
    "view of a view": lambda x: x[1:][1:].view("i8")[::2],
    "memoryview": lambda x: memoryview(x)[2:],
    "frombuffer": lambda x: np.frombuffer(memoryview(x), np.uint8),
    "from_dlpack": lambda x: np.from_dlpack(x),
    "subclass": lambda x: x.view(np.recarray),
    "broadcast": lambda x: np.broadcast_to(x, (3, x.size)),
    "iterator": lambda x: x.flat,
    "ctypes": lambda x: x.ctypes,
    "block": lambda x: x.base,
    "view of the block": lambda x: x.base[64:],
}


@pytest.mark.parametrize("keep", KEEPERS.values(), ids=KEEPERS)
def test_memory_stays_while_something_sees_it(keep):
    x = pool.empty(BIG, "f8")
    where = _address(x)
    kept = keep(x)
    del x
    gc.collect()
    others = [pool.empty(BIG, "f8") for _ in range(4)]
    assert where not in map(_address, others)
    del kept
    gc.collect()
    assert pool.stats()["cached"] > 0
    assert _address(pool.empty(BIG, "f8")) == where


def test_a_view_of_the_block_does_not_return_it_twice():
    x = pool.empty(BIG, "f8")
    for _ in range(3):
        x.base[10:]
        x.base.copy()
    del x
    assert sum(pool.stats()["buffers"].values()) == 1


def test_torch_keeps_memory():
    torch = pytest.importorskip("torch")
    x = pool.empty(BIG, "f8")
    x[...] = 7
    t = torch.from_numpy(x)
    u = torch.from_dlpack(pool.empty(BIG, "f8"))
    del x
    others = [pool.empty(BIG, "f8") for _ in range(4)]
    for o in others:
        o[...] = 1
    assert (t == 7).all()
    assert u.numel() == BIG[0]


def test_limit_and_trim():
    pool.set_limit(5 << 20)
    xs = [pool.empty(BIG, "f8") for _ in range(6)]
    del xs
    stats = pool.stats()
    assert 0 < stats["cached"] <= 5 << 20 == stats["limit"]
    assert pool.trim(2 << 20) > 0
    assert pool.stats()["cached"] <= 2 << 20
    pool.trim()
    assert pool.stats()["cached"] == 0
    pool.set_limit(0)
    x = pool.empty(BIG, "f8")
    x[...] = 1
    del x
    assert pool.stats()["cached"] == 0
    for wrong in (-1, 1.5, "1", True):
        with pytest.raises(ValueError, match="limit"):
            pool.set_limit(wrong)


def test_a_new_size_drives_out_an_old_one():
    pool.set_limit(8 << 20)
    xs = [pool.empty(BIG, "f8") for _ in range(4)]
    del xs
    y = pool.empty((3 << 17,), "f8")
    where = _address(y)
    del y
    assert pool.stats()["cached"] <= 8 << 20
    assert _address(pool.empty((3 << 17,), "f8")) == where


def test_memory_error_gives_cached_memory_back():
    x = pool.empty(BIG, "f8")
    del x
    pool.set_limit(1 << 60)
    with pytest.raises(MemoryError):
        pool.empty((1 << 56,), "u1")
    assert pool.stats()["cached"] == 0


def test_idle_memory_goes_back():
    code = (
        "import time\n"
        "from mtarray._kernels.cpu import pool\n"
        "pool.IDLE_SECONDS = 0.05\n"
        "pool.empty(1 << 20, 'f8')\n"
        "assert pool._state['cached']\n"
        "end = time.time() + 10\n"
        "while pool._state['cached'] and time.time() < end: time.sleep(0.02)\n"
        "assert not pool._state['cached']\n"
        "x = pool.empty(1 << 20, 'f8'); time.sleep(0.2); x[...] = 1; del x\n"
        "while pool._state['cached'] and time.time() < end: time.sleep(0.02)\n"
        "assert not pool._state['cached']\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_interpreter_exit_is_quiet():
    code = (
        "from mtarray._kernels.cpu import pool\n"
        "import threading\n"
        "xs = [pool.empty(1 << 20, 'f8') for _ in range(4)]\n"
        "class Ring: pass\n"
        "r = Ring(); r.me = r; r.x = pool.empty(1 << 20, 'f4'); r.__class__.last = pool.empty(1 << 20, 'f4')\n"
        "threading.Thread(target=lambda: globals().update(y=pool.empty(1 << 20, 'f8'))).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_starts_at_import():
    code = "import threading; from mtarray._kernels.cpu import pool; assert threading.active_count() == 1; pool.empty(9, 'f8')\n"
    subprocess.run([sys.executable, "-c", code + "assert threading.active_count() == 1"], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_fork_keeps_both_pools():
    x = pool.empty(BIG, "f8")
    x[...] = 1
    pid = os.fork()
    if pid == 0:
        y = pool.empty(BIG, "f8")
        y[...] = 2
        ok = (x == 1).all()
        del y
        ok = ok and pool.stats()["cached"] > 0 and pool._state["timer"] is not None
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (x == 1).all()


def test_limits_of_control_groups(tmp_path):
    (tmp_path / "cgroup").write_text("4:cpu,memory:/outer/inner\n0::/a/b\n")
    for path, text in {"memory/outer/memory.limit_in_bytes": "5000000", "a/memory.max": "7000000", "a/b/memory.max": "max"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text + "\n")
    (tmp_path / "memory/outer/inner").mkdir()
    assert sorted(pool._container_limits(str(tmp_path), str(tmp_path / "cgroup"))) == [5000000, 7000000]
    assert pool._container_limits(str(tmp_path), str(tmp_path / "missing")) == []
    assert pool.default_limit() >= pool.MINIMUM


def test_fuzz_of_views_in_threads():
    """Every live array keeps the pattern written into it, whatever views of it are kept, in four threads at once."""
    pool.set_limit(64 << 20)
    errors = []
    keepers = list(KEEPERS.values())

    def work(seed):
        rng = random.Random(seed)
        live = []
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            move = rng.random()
            if move < 0.5 or not live:
                x = pool.empty((rng.choice((1 << 15, 20000, 1 << 16)),), "f8")
                stamp = rng.random()
                x[...] = stamp
                kind = rng.randrange(len(keepers))
                live.append((x[::7], keepers[kind](x), stamp))
            elif move < 0.9:
                view, _, stamp = live.pop(rng.randrange(len(live)))
                if not (view == stamp).all():
                    errors.append(seed)
            elif move < 0.95:
                pool.trim(rng.randrange(32 << 20))
            else:
                pool.stats()
            if len(live) > 24:
                del live[: rng.randrange(24)]

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert pool.stats()["cached"] <= 64 << 20


def test_thousands_of_results_do_not_grow():
    def rss():
        with open("/proc/self/statm") as f:
            return int(f.read().split()[1])

    if not os.path.exists("/proc/self/statm"):
        pytest.skip("needs /proc")
    for _ in range(100):
        pool.empty(BIG, "f8")[...] = 1
    before = rss()
    for _ in range(5000):
        pool.empty(BIG, "f8")
    assert rss() - before < 2000
