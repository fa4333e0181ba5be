"""Recycled memory for large results.

A fresh large buffer costs more than the kernel that fills it: the operating system zeroes every page when it is first touched
(adding 10^7 float32: 7.0 ms into fresh memory, 3.2 into warm). So buffers go back to a free list instead of the system.

How a buffer is known to be free: an owning array `_Raw` is handed out through a new `_Block` (an ndarray subclass whose `__del__`
returns the `_Raw`), and the caller gets a plain ndarray that is a view of that block. NumPy shortens chains of bases only through
arrays of the same type, so any view, memoryview, DLPack capsule or PyTorch tensor that outlives the caller's array keeps the block
alive.

`__del__` may run in any thread, inside the garbage collector or at interpreter exit. It takes no lock: it uses single dict and
list operations, which are atomic (on free-threaded builds too). The byte count that results is a hint that a lost update may
bend; it is counted anew at every miss, trim and `stats`.

With the environment variable MTARRAY_POISON=1 every array that `empty` returns is filled with bytes 255 first (NaN, -1, a bool that is
neither), so that tests see what a kernel forgot to write.
"""

import ctypes
import math
import os
import sys
import threading
import time

import numpy as np

from mtarray._kernels import settings

MINIMUM = 1 << 17  # smaller buffers: malloc recycles them by itself, 0.1 us against 1
ALIGNMENT = 64
IDLE_SECONDS = 20.0

_ndarray = np.ndarray
_new = _ndarray.__new__
_bytes = np.dtype(np.uint8)
_nbytes = _ndarray.nbytes.__get__

_free = {}  # size class in bytes -> list of free _Raw, the most recently used last
_used = {}  # size class -> number of hits at the last return to it, for evicting the oldest
_state = {"cached": 0, "limit": None, "hits": 0, "misses": 0, "timer": None}
_timer_lock = threading.Lock()


class _Raw(_ndarray):
    """Owns memory; never seen outside this file."""

    __slots__ = ()


def _give_back(block, free=_free, used=_used, state=_state, nbytes=_nbytes):
    # Everything is bound in the defaults: at interpreter exit this module's names may be gone.
    try:
        raw = block.raw
    except AttributeError:  # a view that somebody made of a block; the block itself is still alive behind it
        return
    size = nbytes(raw)
    used[size] = state["hits"]
    if state["cached"] + size > state["limit"]:
        _evict(state["limit"] - size, size)
        if state["cached"] + size > state["limit"]:
            return
    free[size].append(raw)
    state["cached"] += size


class _Block(_ndarray):
    """One hand-out of a `_Raw`; dies when nothing refers to the memory any more."""

    __slots__ = ("raw",)
    __del__ = _give_back


def size_class(n):
    """What `take` hands out for n bytes: n rounded up to one of 8 sizes an octave (at most 12.5 % are wasted); 0 if that is malloc's."""
    if n < MINIMUM:
        return 0
    shift = n.bit_length() - 4
    return ((n + (1 << shift) - 1) >> shift) << shift


def empty(shape, dtype):
    """Uninitialised C-contiguous ndarray, aligned to 64 bytes and recycled when it is large.

    Raises MemoryError like `np.empty`, after giving everything that is cached back to the system and trying again.
    """
    dtype = np.dtype(dtype)
    n = (math.prod(shape) if type(shape) is tuple else math.prod(tuple(np.atleast_1d(shape).tolist()))) * dtype.itemsize
    return take(size_class(n), shape, dtype)


def take(size, shape, dtype):
    """`empty` for those who know the size class of this shape and dtype (0.6 us)."""
    if not size:
        return np.empty(shape, dtype)
    try:
        raw = _free[size].pop()
    except (KeyError, IndexError):
        raw = _grow(size)
        if raw is None:
            return np.empty(shape, dtype)
    else:
        _state["cached"] -= size
        _state["hits"] += 1
    block = _new(_Block, shape, dtype, raw)
    block.raw = raw
    return block.view(_ndarray)


def _grow(size):
    if _state["limit"] is None:
        _state["limit"] = default_limit()
    if size > _state["limit"]:
        return None
    _state["misses"] += 1
    _free.setdefault(size, [])
    _count()
    _arm()
    try:
        raw = _new(_Raw, (size + ALIGNMENT,), _bytes)
    except MemoryError:
        trim()
        raw = _new(_Raw, (size + ALIGNMENT,), _bytes)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + size]


def _count():
    _state["cached"] = total = sum(size * len(raws) for size, raws in list(_free.items()))
    return total


def _evict(keep, spare=None):
    """Drop free buffers, of the longest unused size first, until at most `keep` bytes are cached (`spare`: a size to drop last)."""
    total = _count()
    for size in sorted(_free.copy(), key=lambda s: (s == spare, _used.get(s, 0))):
        raws = _free[size]
        while total > keep:
            try:
                raws.pop(0)
            except IndexError:
                break
            total -= size
    return _count()


def trim(keep=0):
    """Give cached memory back to the system until at most `keep` bytes are cached; returns the bytes given back."""
    before = _count()
    return before - _evict(keep)


def set_limit(limit):
    """Cache at most `limit` bytes from now on; None means the default (an eighth of the container's or machine's memory)."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 0):
        raise ValueError(f"the pool's limit must be a number of bytes >= 0 or None, got {limit!r}")
    _state["limit"] = default_limit() if limit is None else int(limit)
    _evict(_state["limit"])


def stats():
    """Dict of `cached` (bytes), `limit` (bytes), `hits`, `misses` and `buffers` (free buffers by size in bytes)."""
    if _state["limit"] is None:
        _state["limit"] = default_limit()
    return {
        "cached": _count(),
        "limit": _state["limit"],
        "hits": _state["hits"],
        "misses": _state["misses"],
        "buffers": {size: len(raws) for size, raws in sorted(_free.items()) if raws},
    }


# --- giving back when idle -------------------------------------------------------------------------------------------------


def _arm():
    """Start the thread that gives memory back when none was handed out for a while."""
    if _state["timer"] is not None:
        return
    with _timer_lock:
        if _state["timer"] is not None:
            return
        thread = threading.Thread(target=_watch, name="mtarray-pool", daemon=True)
        _state["timer"] = thread
        try:
            thread.start()
        except RuntimeError:  # no new threads (interpreter exit, or a limit on threads): then nothing is given back by time
            _state["timer"] = None


def _watch(state=_state, sleep=time.sleep):
    while True:
        before = state["hits"], state["misses"]
        sleep(IDLE_SECONDS)
        if before == (state["hits"], state["misses"]) and state["cached"]:
            trim()


def _after_fork():
    global _timer_lock
    _timer_lock = threading.Lock()
    _state["timer"] = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# --- how much --------------------------------------------------------------------------------------------------------------


def default_limit():
    """An eighth of the memory that this process may use: the container's limit where there is one, else the machine's."""
    return max(_memory() // 8, MINIMUM)


def _memory():
    known = [m for m in (_machine_memory(), *_container_limits()) if m]
    return min(known) if known else 8 << 30


def _machine_memory():
    if sys.platform == "win32":

        class Status(ctypes.Structure):
            _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *[(f"m{i}", ctypes.c_ulonglong) for i in range(7)]]

        status = Status(length=ctypes.sizeof(Status))
        return status.m0 if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0


def _container_limits(root="/sys/fs/cgroup", membership="/proc/self/cgroup"):
    """Memory limits of this process's control groups, version 2 and 1, and of their ancestors."""
    groups = []
    try:
        with open(membership) as f:
            for line in f:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                if controllers == "":
                    groups.append((root, path, "memory.max"))
                elif "memory" in controllers.split(","):
                    groups.append((os.path.join(root, "memory"), path, "memory.limit_in_bytes"))
    except (OSError, ValueError):
        return []
    limits = []
    for base, path, name in groups:
        parts = [p for p in path.split("/") if p and p != ".."]
        for depth in range(len(parts) + 1):
            try:
                with open(os.path.join(base, *parts[:depth], name)) as f:
                    limits.append(int(f.read()))
            except (OSError, ValueError):  # absent, or "max"
                continue
    return limits


settings.follow("pool_limit", set_limit)

if os.environ.get("MTARRAY_POISON", "0") not in ("", "0"):
    _unpoisoned = take

    def take(size, shape, dtype):
        """As without poison; decided once, at import, so that nothing is asked on the usual path."""
        out = _unpoisoned(size, shape, dtype)
        out.reshape(-1).view(np.uint8).fill(255)
        return out
