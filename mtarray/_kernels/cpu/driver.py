"""Run chunk kernels by address, on all threads.

On Linux a team of our own does it (forkjoin.py, which says why). Elsewhere Numba's layers come first, of which only TBB is for a
library: OpenMP ends a process that forks, the work queue ends one in which two threads call at once. So the `tbb` package's library is
loaded (where no linker finds it) before Numba looks for one. Where there is no TBB, a team of Python threads runs the kernels, which do
not hold the interpreter lock: slower to start (tens of microseconds) and as safe. A user who chose Numba's layer
(NUMBA_THREADING_LAYER=omp) gets it.

Chunks never depend on the number of threads, and each is computed by one thread: so results do not depend on it either.
"""

import concurrent.futures
import ctypes
import glob
import importlib.metadata
import itertools
import math
import os
import sys
import sysconfig
import threading
import time

import numba
import numpy as np
from numba import config

from mtarray._kernels import build, settings
from mtarray._kernels.cpu import forkjoin

_SOURCE = """from numba import njit, prange, types
from mtarray._kernels.cpu.intrinsics import i8, icall, stack
import numpy as np

{symbols}
@njit("{signature}", {options}nogil=True, cache=True)
def {name}({first}fn, start, stop, chunk, a0, a1, a2, a3, a4, a5, a6, a7):
    p = stack(64)
    w = i8(p)
    w[0] = a0
    w[1] = a1
    w[2] = a2
    w[3] = a3
    w[4] = a4
    w[5] = a5
    w[6] = a6
    w[7] = a7
{body}"""
_SERIAL = """    lo = start
    while lo < stop:
        icall(fn, lo, min(stop, lo + chunk), p)
        lo += chunk
    return p
"""
# Declared as Numba's own code declares them, since both meet in one module.
_SYMBOLS = """_get = types.ExternalFunction("get_num_threads", types.intp())
_set = types.ExternalFunction("set_num_threads", types.void(types.int32))
_get_pieces = types.ExternalFunction("get_parallel_chunksize", types.uintp())
_set_pieces = types.ExternalFunction("set_parallel_chunksize", types.void(types.uintp))

"""
# Numba hands every thread one run of chunks; pieces of a few chunks let the others take over what a pre-empted thread leaves.
_PARALLEL = """    count = (stop - start + chunk - 1) // chunk
    before = np.int32(_get())
    old = _get_pieces()
    _set(np.int32(threads))
    _set_pieces(np.uint64(max(1, count // (8 * threads))))
    for c in prange(count):
        lo = start + c * chunk
        icall(fn, lo, min(stop, lo + chunk), p)
    _set_pieces(old)
    _set(before)
    return p
"""

_lock = threading.RLock()
_threads = None  # wanted number of threads; None: not decided yet
_widest = 0  # threads that Numba's layer has; 0 while it is not used
_serial = _parallel = None
_workers = _join = None  # of forkjoin
_team = None
_active = []  # one entry for every call that is in Numba's layer (append and pop are atomic)
_forking = 0
_forked = False
_numba = None  # threads of Numba's layer as `numba_layer` found them; None: not asked yet


# --- addresses -------------------------------------------------------------------------------------------------------------


def _address_by_pointer(array, _from=ctypes.c_size_t.from_address, _head=object.__basicsize__):
    """Address of an ndarray's first element (0.1 us; `array.ctypes.data` costs 1)."""
    return _from(id(array) + _head).value


def _address_by_interface(array):
    """Address of an ndarray's first element."""
    return array.__array_interface__["data"][0]


def _pointer_works():
    """Whether an ndarray's data pointer follows its object header, as in every CPython with an interpreter lock so far."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    samples = [np.zeros(3), np.zeros((2, 5), np.uint8)[:, ::-1], np.zeros(())]
    return all(_address_by_pointer(x) == _address_by_interface(x) for x in samples)


address = _address_by_pointer if _pointer_works() else _address_by_interface


# --- number of threads -----------------------------------------------------------------------------------------------------


def _available():
    """Processors that this process may use: its affinity, within the container's quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, _quota()))


def _quota(root="/sys/fs/cgroup", membership="/proc/self/cgroup"):
    """Processors that the control groups allow, rounded up; infinite without a limit."""
    allowed = math.inf
    try:
        with open(membership) as f:
            entries = [line.rstrip("\n").split(":", 2) for line in f]
    except OSError:
        return allowed
    for _, controllers, path in (e for e in entries if len(e) == 3):
        names = controllers.split(",")
        if controllers and "cpu" not in names:
            continue
        parts = [p for p in path.split("/") if p and p != ".."]
        for depth in range(len(parts) + 1):
            folder = os.path.join(root, *([] if not controllers else ["cpu"]), *parts[:depth])
            try:
                if not controllers:
                    with open(os.path.join(folder, "cpu.max")) as f:
                        quota, period = f.read().split()
                else:
                    with open(os.path.join(folder, "cpu.cfs_quota_us")) as f, open(os.path.join(folder, "cpu.cfs_period_us")) as g:
                        quota, period = f.read(), g.read()
                if int(quota) > 0:
                    allowed = min(allowed, math.ceil(int(quota) / int(period)))
            except (OSError, ValueError, ZeroDivisionError):  # absent, or "max"
                continue
    return allowed


def get_num_threads():
    """Number of threads that kernels use."""
    global _threads
    if _threads is None:
        _threads = min(_available(), config.NUMBA_NUM_THREADS) if "NUMBA_NUM_THREADS" in os.environ else _available()
    return _threads


def set_num_threads(n):
    """Use n threads (None: one per processor of this process) from the next kernel on, in whichever Python thread.

    More threads than processors are possible (a team of Python threads runs them then); results are the same for any n.
    """
    global _threads
    if n is None:
        _threads = None
        return
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= 1024:
        raise ValueError(f"the number of threads must be an integer from 1 to 1024, got {n!r}")
    _threads = int(n)


# --- the layer -------------------------------------------------------------------------------------------------------------


def _preload_tbb():
    """Load TBB's library from the `tbb` package, which puts it where no loader searches."""
    if sys.platform == "win32":
        names, folders = ["tbb12.dll"], [os.path.join(sys.prefix, "Library", "bin")]
    elif sys.platform == "darwin":
        names, folders = ["libtbb.12.dylib"], [os.path.join(sys.prefix, "lib")]
    else:
        names, folders = ["libtbb.so.12"], [os.path.join(sys.prefix, "lib")]
    found = []
    try:
        files = importlib.metadata.files("tbb") or ()
        found += [os.path.realpath(f.locate()) for f in files if f.name in names]
    except importlib.metadata.PackageNotFoundError:
        pass
    found += [p for folder in folders for name in names for p in glob.glob(os.path.join(folder, name))]
    for path in found:
        try:
            if sys.platform == "win32":
                os.add_dll_directory(os.path.dirname(path))
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
            return
        except OSError:
            continue


def _numba_threads():
    """Start Numba's thread layer when it is one that may be used; the number of its threads, 0 when there is none."""
    try:
        from numba.np.ufunc import parallel
    except ImportError:
        return 0
    chosen = str(config.THREADING_LAYER).lower()
    try:
        if not parallel._is_initialized:
            if chosen == "workqueue":
                return 0
            if chosen != "omp":
                if chosen in ("default", "threadsafe") and config.THREADING_LAYER_PRIORITY[0] != "tbb":
                    return 0  # the user's order; starting the layer might start OpenMP
                _preload_tbb()
                parallel._check_tbb_version_compatible()
                from numba.np.ufunc import tbbpool  # noqa: F401  (ImportError: no TBB; starting the layer would start OpenMP)
            parallel._launch_threads()
        layer = parallel.threading_layer()
    except (ImportError, AttributeError, ValueError, OSError):
        return 0
    if layer == "tbb" or (layer == "omp" and chosen == "omp"):
        return int(config.NUMBA_NUM_THREADS)
    return 0


def layer():
    """What runs kernels in parallel: "forkjoin", "numba" (its TBB, or the layer that the user chose) or "python" (Python threads)."""
    _setup()
    return "forkjoin" if _workers else "numba" if _widest else "python"


def _setup():
    global _serial, _parallel, _widest, _workers, _join
    if _serial is not None:
        return
    with _lock:
        if _serial is not None:
            return
        words = ",".join(["int64"] * 12)
        source = _SOURCE.format(symbols="", signature=f"int64({words})", options="", name="serial", first="", body=_SERIAL)
        serial = build.load("serial", source)[0]
        serial = serial.overloads[serial.signatures[0]].entry_point  # without the dispatcher's search for types: 0.2 us less
        if forkjoin.SUPPORTED:
            _workers = forkjoin.Team()
            _join = _workers.join
        widest = 0 if _forked or _workers else _numba_threads()
        if widest > 1:
            signature = f"int64(int64,{words})"
            source = _SOURCE.format(
                symbols=_SYMBOLS, signature=signature, options="parallel=True, ", name="drive", first="threads, ", body=_PARALLEL
            )
            _parallel = build.load("drive", source)[0]
            _widest = widest
        _serial = serial


# --- running ---------------------------------------------------------------------------------------------------------------


def run(fn, n, chunk, a0=0, a1=0, a2=0, a3=0, a4=0, a5=0, a6=0, a7=0):
    """Call kernel `fn` over [0, n) in chunks of `chunk`, on all threads; a0..a7 are its argument words.

    Chunks must not depend on the number of threads. The caller keeps the arrays behind the words alive until it returns.
    """
    if _serial is None:
        _setup()
    if n <= chunk:
        _serial(fn, 0, n, n or 1, a0, a1, a2, a3, a4, a5, a6, a7)
        return
    threads = _threads or get_num_threads()
    if threads == 1:
        _serial(fn, 0, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)
    elif _join is not None:
        if not _workers.words or _workers.size != threads:
            _workers.resize(threads)
        _join(_workers.words, fn, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)
    elif threads <= _widest:
        _active.append(None)
        if _forking:
            _active.pop()
            _serial(fn, 0, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)
            return
        try:
            _parallel(threads, fn, 0, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)
        finally:
            _active.pop()
    else:
        _run_team(threads, fn, n, chunk, (a0, a1, a2, a3, a4, a5, a6, a7))


def run_serial(fn, n, chunk, a0=0, a1=0, a2=0, a3=0, a4=0, a5=0, a6=0, a7=0):
    """Like `run`, in the calling thread alone, chunk after chunk."""
    if _serial is None:
        _setup()
    _serial(fn, 0, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7)


def _run_team(threads, fn, n, chunk, words):
    """`run` on Python threads: each takes the next run of chunks until none is left; the caller takes part."""
    global _team
    with _lock:
        if _team is None or _team._max_workers < threads - 1:
            # A larger team replaces a smaller one, which ends when its work is done.
            _team = concurrent.futures.ThreadPoolExecutor(threads - 1, thread_name_prefix="mtarray")
        team = _team
    count = -(-n // chunk)
    step = max(1, count // (8 * threads)) * chunk
    starts = itertools.count(0, step)

    def work():
        for start in starts:
            if start >= n:
                return
            _serial(fn, start, min(n, start + step), chunk, *words)

    try:
        helpers = [team.submit(work) for _ in range(min(threads, count) - 1)]
    except RuntimeError:  # the interpreter is ending, or no thread can be started
        helpers = []
    work()
    for helper in helpers:
        # Helpers that did not start have nothing left to do.
        if not helper.cancel():
            helper.result()


def numba_layer():
    """Threads of Numba's own layer, which is started; 0 where it has none for code that threads call and that forks."""
    global _numba
    if _forked:
        return 0
    if _numba is None:
        with _lock:
            if _numba is None:
                _numba = _widest or _numba_threads()
    return _numba


def run_loops(compiled, *operands):
    """Call a function of Numba's `prange` loops: `compiled(True)`, on at most our number of threads, or `compiled(False)` on one."""
    widest = numba_layer()
    if widest:
        function = compiled(True)
        _active.append(None)
        try:
            if not _forking:
                before = numba.get_num_threads()
                numba.set_num_threads(min(get_num_threads(), widest))
                try:
                    return function(*operands)
                finally:
                    numba.set_num_threads(before)
        finally:
            _active.pop()
    return compiled(False)(*operands)


# --- fork ------------------------------------------------------------------------------------------------------------------
# TBB's threads cannot be joined while it works, and a child that inherits it at work hangs in its first parallel kernel. So a fork
# waits until no kernel of ours is running in it; and the child, for which user code may have been in it too, uses Python threads.


def _before_fork():
    global _forking
    _forking += 1
    end = time.monotonic() + 5  # a signal handler that forks may have interrupted the call that it would wait for
    while _active and time.monotonic() < end:
        time.sleep(1e-4)


def _after_fork_in_parent():
    global _forking
    _forking -= 1


def _after_fork_in_child():
    global _forked, _forking, _lock, _team, _widest
    _forked = True
    _forking = _widest = 0
    _active.clear()
    _lock = threading.RLock()
    _team = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


settings.follow("threads", set_num_threads)
