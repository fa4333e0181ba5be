"""Kernels on threads: many callers at once, fork, and the same bits for any number of threads."""

import importlib.metadata
import math
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import mtarray
from mtarray._kernels import build
from mtarray._kernels.cpu import driver, forkjoin
from mtarray._kernels.cpu.elementwise import kernel_for
from mtarray._kernels.source import Scalar

F8 = (np.dtype("f8"),)
N = 300_000


@pytest.fixture(autouse=True)
def _default_threads():
    before = driver.get_num_threads()
    yield
    driver.set_num_threads(before)


def _formula(x):
    return math.exp(-x * x) * math.cos(x) + x / 3


def _formula_kernel():
    return kernel_for(Scalar(_formula), F8, F8)


FORMULA = _formula_kernel()


def _compute(x):
    out = np.empty_like(x)
    FORMULA.run((out,), (x,))
    return out


def test_run_covers_every_element_once():
    increment = build.kernel("count_elements", "    p = f8(ld64(args))\n    for i in range(hi - lo):\n        p[lo + i] += 1")
    for threads in (1, 2, 3, 8):
        driver.set_num_threads(threads)
        assert driver.get_num_threads() == threads
        for n in (0, 1, 999, 1000, 1001, 12345):
            x = np.zeros(n + 7)
            for chunk in (1, 17, 1000, n + 1):
                driver.run(increment, n, chunk, driver.address(x))
                driver.run_serial(increment, n, chunk, driver.address(x))
            assert (x[:n] == 8).all()
            assert (x[n:] == 0).all()


def test_all_words_arrive():
    sums = build.kernel(
        "sum_words", "    p = i8(ld64(args))\n    s = 0\n    for i in range(1, 8):\n        s += i * ld64(args + 8 * i)\n    p[lo] = s"
    )
    for threads in (1, 2, 5):
        driver.set_num_threads(threads)
        x = np.zeros(9, np.int64)
        driver.run(sums, 9, 1, driver.address(x), 1, 2, 3, 4, 5, 6, -7)
        assert (x == 1 + 4 + 9 + 16 + 25 + 36 - 49).all()


@pytest.mark.parametrize("layout", ["flat", "transposed", "strided"])
def test_same_bits_for_any_number_of_threads(layout):
    x = np.random.default_rng(5).standard_normal((600, 500))
    x = {"flat": x, "transposed": x.T, "strided": x[::2, ::-1]}[layout]
    results = []
    for threads in (1, 2, 3, 8):
        driver.set_num_threads(threads)
        out = np.empty(x.shape)
        FORMULA.run((out,), (x,))
        results.append(out.tobytes())
    assert len(set(results)) == 1


def test_sixteen_threads_at_once():
    x = np.linspace(-3, 3, N)
    expected = _compute(x)
    wrong, start = [], threading.Barrier(16)

    def work(i):
        start.wait()
        for k in range(12):
            if i % 4 == 0:
                driver.set_num_threads(1 + (i + k) % 5)
            if not np.array_equal(_compute(x), expected):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_wrong_numbers_of_threads():
    for n in (0, -1, 1.5, "2", True, 10**6):
        with pytest.raises(ValueError, match="number of threads"):
            driver.set_num_threads(n)
    driver.set_num_threads(np.int64(2))
    assert driver.get_num_threads() == 2


def test_default_number_of_threads(tmp_path, monkeypatch):
    (tmp_path / "cgroup").write_text("0::/a\n")
    (tmp_path / "a").mkdir()
    assert driver._quota(str(tmp_path), str(tmp_path / "cgroup")) == math.inf
    (tmp_path / "a" / "cpu.max").write_text("150000 100000\n")
    assert driver._quota(str(tmp_path), str(tmp_path / "cgroup")) == 2
    (tmp_path / "cgroup").write_text("3:cpu,cpuacct:/b\n")
    (tmp_path / "cpu" / "b").mkdir(parents=True)
    (tmp_path / "cpu" / "b" / "cpu.cfs_quota_us").write_text("-1")
    (tmp_path / "cpu" / "b" / "cpu.cfs_period_us").write_text("100000")
    assert driver._quota(str(tmp_path), str(tmp_path / "cgroup")) == math.inf
    monkeypatch.setattr(driver, "_quota", lambda: 1)
    assert driver._available() == 1


def test_addresses():
    samples = [np.zeros(5), np.zeros((3, 4), np.int8)[::-1, 1:], np.zeros(()), np.broadcast_to(np.float32(1), (2, 2)), np.zeros((0, 3))]
    for x in samples:
        assert driver.address(x) == x.__array_interface__["data"][0] == driver._address_by_interface(x)


# --- fork ------------------------------------------------------------------------------------------------------------------


needs_fork = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]


def _in_child(check):
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.usefixtures("_alarm")
class TestFork:
    pytestmark = needs_fork

    @pytest.fixture
    def _alarm(self):
        import faulthandler

        faulthandler.dump_traceback_later(60, exit=True)  # a child that hangs must not hang the tests
        yield
        faulthandler.cancel_dump_traceback_later()

    def test_after_kernels_ran(self):
        x = np.linspace(-3, 3, N)
        driver.set_num_threads(2)
        expected = _compute(x)
        for _ in range(3):
            assert _in_child(lambda: np.array_equal(_compute(x), expected)) == 0
            assert np.array_equal(_compute(x), expected)

    def test_a_child_of_a_child(self):
        x = np.linspace(-3, 3, N)
        expected = _compute(x)
        assert _in_child(lambda: _in_child(lambda: np.array_equal(_compute(x), expected)) == 0) == 0

    def test_while_other_threads_run_kernels(self):
        x = np.linspace(-3, 3, N)
        driver.set_num_threads(2)
        expected = _compute(x)
        stop, wrong = threading.Event(), []

        def work():
            while not stop.is_set():
                if not np.array_equal(_compute(x), expected):
                    wrong.append(1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        try:
            codes = [_in_child(lambda: np.array_equal(_compute(x), expected)) for _ in range(8)]
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert codes == [0] * 8
        assert not wrong

    def test_a_child_compiles(self):
        def check():
            fn = build.kernel("in_child", f"    p = f8(ld64(args))\n    p[0] = {os.getpid()}")
            x = np.zeros(1)
            driver.run(fn, 1, 1, driver.address(x))
            return x[0] == os.getpid()

        assert _in_child(check) == 0


# --- the team --------------------------------------------------------------------------------------------------------------

forks_and_joins = pytest.mark.skipif(not forkjoin.SUPPORTED, reason="this platform runs kernels through another layer")


def _processor_seconds():
    return sum(os.times()[:2])


@forks_and_joins
class TestTeam:
    def test_its_size_follows_the_number_of_threads(self):
        x = np.linspace(-3, 3, N)
        for threads in (2, 7, 3, 2):
            driver.set_num_threads(threads)
            _compute(x)
            assert len(driver._workers._threads) == threads - 1

    def test_more_chunks_than_a_job_counts(self):
        increment = build.kernel("count_elements", "    p = f8(ld64(args))\n    for i in range(hi - lo):\n        p[lo + i] += 1")
        driver.set_num_threads(3)
        x = np.zeros((2 << 20) + 5)
        driver.run(increment, x.size, 1, driver.address(x))
        assert (x == 1).all()

    def test_workers_help(self):
        # Who runs a chunk is seen from the stack that it runs on.
        stacks = build.kernel(
            "see_stacks",
            "    p = i8(ld64(args))\n    s = 0.0\n    for i in range(20000):\n        s += 1 / (1 + i + lo)\n"
            "    p[lo] = stack(64) + (s < 0)",
        )
        driver.set_num_threads(2)
        x = np.zeros(200, np.int64)
        for _ in range(50):
            driver.run(stacks, x.size, 1, driver.address(x))
            if len({int(a) >> 20 for a in x}) > 1:
                return
        raise AssertionError("all chunks ran on one stack")

    def test_idle_workers_use_no_processor(self):
        x = np.linspace(-3, 3, N)
        driver.set_num_threads(4)
        _compute(x)
        time.sleep(0.05)
        before = _processor_seconds()
        time.sleep(0.5)
        assert _processor_seconds() - before < 0.1

    def test_a_fork_finds_no_workers(self):
        x = np.linspace(-3, 3, N)
        driver.set_num_threads(3)
        _compute(x)
        assert _in_child(lambda: driver._workers.words == 0 and not driver._workers._threads) == 0
        assert driver._workers.words == 0
        _compute(x)
        assert driver._workers.words != 0


# --- other layers ----------------------------------------------------------------------------------------------------------

LAYER = """
import sys, threading
import numpy as np
{before}
from mtarray._kernels import build
from mtarray._kernels.cpu import driver, forkjoin
forkjoin.SUPPORTED = {supported}
driver.set_num_threads({threads})
fn = build.kernel("layer_test", "    p = f8(ld64(args))\\n    for i in range(hi - lo):\\n        p[lo + i] += 1")
x = np.zeros(100000)
def work():
    y = np.zeros(100000)
    for _ in range(20): driver.run(fn, y.size, 5000, driver.address(y))
    assert (y == 20).all()
threads = [threading.Thread(target=work) for _ in range(4)]
for t in threads: t.start()
for t in threads: t.join()
driver.run(fn, x.size, 5000, driver.address(x))
assert (x == 1).all()
print(driver.layer())
"""


def _layer(before="", supported=False, threads=2, **environment):
    root = os.path.dirname(os.path.dirname(os.path.abspath(mtarray.__file__)))
    environment = {**os.environ, "PYTHONPATH": root, **environment}
    code = LAYER.format(before=before, supported=supported, threads=threads)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@forks_and_joins
@pytest.mark.parametrize("threads", [2, 20])
def test_interpreter_exit(threads):
    assert _layer(supported=True, threads=threads) == "forkjoin"


@pytest.mark.parametrize("threads", [2, 20])  # more than Numba's layer has: Python threads
def test_the_layer_of_other_platforms(threads):
    assert _layer(threads=threads) == ("numba" if _tbb_is_installed() else "python")


def _tbb_is_installed():
    try:
        importlib.metadata.version("tbb")
    except importlib.metadata.PackageNotFoundError:
        return False
    return driver._available() > 1


def test_without_tbb_python_threads_run_kernels():
    # The finder says what an environment without the package says.
    hide = "import importlib.abc\nclass F(importlib.abc.MetaPathFinder):\n    def find_spec(self, name, path, target=None):\n"
    hide += "        if name.endswith('tbbpool'): raise ImportError(name)\nsys.meta_path.insert(0, F())"
    assert _layer(hide) == "python"


def test_the_layer_that_the_user_chose():
    assert _layer(NUMBA_THREADING_LAYER="workqueue") == "python"
