"""A team of threads that takes chunks of a kernel: Linux on x86-64 and aarch64.

Why not TBB: a launch through it costs 3 to 15 us, as much as NumPy's whole addition of 10^5 float32. Here a launch that finds a worker
awake costs some 0.3 us more than a call. The protocol is small enough to check by reading:

* The words that the threads share live as long as the process, each on its own cache line. A caller takes BUSY, writes the job, sets
  DONE to 0 and then TICKET to (chunks << 42): the job is open. TICKET also counts the chunks taken from the front (lowest 21 bits, by the
  caller) and from the back (the next 21, by workers); who adds to it while fewer are taken than there are has got one. A chunk is counted
  in DONE when it is computed, and the caller leaves only when all are. So as long as a ticket is out its job stands, and a late worker,
  to whom TICKET says that all are taken, reads nothing of it. From both ends, because then the same core mostly gets the same
  part of an array again, in whose cache it still lies.
* A caller that finds BUSY taken (a second Python thread) computes its chunks itself. So does one whose workers do not come: they are
  never needed, and nothing can hang for want of one.
* A worker that sees no open job for SPIN pauses parks on a futex. Waking it costs the caller 7 to 9 us (some 50 on a busy machine), so
  that is done for a job that is expected to take WORTH nanoseconds alone, and for a row of shorter ones that together took as long
  without help: waking then never costs more than a tenth. What a job takes is remembered from the last one of its kernel and size.
* The caller waits for the last chunks with `pause`, and soon with `sched_yield`: on a busy machine the worker may wait for this core.

Workers are threads of the C library, not of Python: they run compiled code only, own no thread state and cannot want the interpreter
lock. They are stopped and joined before a fork (the child of a process with one thread is an ordinary process; both start theirs anew
when they want them), when their number changes, and at exit.
"""

import atexit
import ctypes
import os
import platform
import signal
import sys
import threading

import numpy as np

from mtarray._kernels import build

_FUTEX = {"x86_64": 202, "aarch64": 98}  # numbers of the system call
SUPPORTED = sys.platform == "linux" and platform.machine() in _FUTEX and sys.maxsize > 2**32

_SPIN = 1500  # pauses of an idle worker before it parks: 20 to 60 us
_WORTH = 80_000  # nanoseconds of work for which a worker is woken
_STACK = 4 << 20
_STOP = 384  # offset of the word STOP

_SOURCE = """from numba import cfunc, njit, types
from mtarray._kernels.cpu.atomics import atomic_add, atomic_load, atomic_store, atomic_swap, pause, store64
from mtarray._kernels.cpu.intrinsics import icall, ld64, stack

_syscall = types.ExternalFunction("syscall", types.int64(*[types.int64] * 7))
_yield = types.ExternalFunction("sched_yield", types.int32())
_clock = types.ExternalFunction("clock_gettime", types.int32(types.int64, types.int64))

# Offsets of the shared words. JOB: kernel, arguments, end, chunk, start. COSTS: 256 words (kernel and size hashed << 32 | nanoseconds).
TICKET, DONE, BUSY, JOB, PARKED, BELL, STOP, DEBT, COSTS = 0, 64, 128, 192, 256, 320, 384, 448, 512
LOW = 0xFFFFFFFF
TAKEN = (1 << 21) - 1  # mask of either count in TICKET
BACK = 1 << 21


@njit(error_model="numpy")
def _nanoseconds():
    t = stack(16)
    _clock(1, t)
    return ld64(t) * 1000000000 + ld64(t + 8)


@njit(error_model="numpy")
def _left(ticket):
    return (ticket >> 42) - (ticket >> 21 & TAKEN) - (ticket & TAKEN)


@njit(error_model="numpy")
def _take(words):
    # One chunk from the back of the open job; whether there was one.
    if _left(atomic_load(words + TICKET)) <= 0:
        return False
    t = atomic_add(words + TICKET, BACK)
    if _left(t) <= 0:
        return False
    chunk = ld64(words + JOB + 24)
    lo = ld64(words + JOB + 32) + ((t >> 42) - 1 - (t >> 21 & TAKEN)) * chunk
    icall(ld64(words + JOB), lo, min(ld64(words + JOB + 16), lo + chunk), ld64(words + JOB + 8))
    atomic_add(words + DONE, 1)
    return True


@cfunc("int64(int64)", cache=True)
def worker(words):
    idle = 0
    while atomic_load(words + STOP) == 0:
        if _take(words):
            idle = 0
            continue
        idle += 1
        pause()
        if idle < {spin}:
            continue
        bell = atomic_load(words + BELL)
        atomic_add(words + PARKED, 1)
        if atomic_load(words + STOP) == 0 and _left(atomic_load(words + TICKET)) <= 0:
            _syscall({futex}, words + BELL, 128, bell & LOW, 0, 0, 0)  # wait while the bell reads this; private to the process
        atomic_add(words + PARKED, -1)
        idle = 0
    return 0


@njit(error_model="numpy")
def _ring(words, count):
    atomic_add(words + BELL, 1)
    _syscall({futex}, words + BELL, 129, count, 0, 0, 0)


@njit("void(int64)", cache=True)
def stop(words):
    atomic_store(words + STOP, 1)
    _ring(words, 0x7FFFFFFF)


@njit(error_model="numpy")
def _together(words, fn, first, n, chunk, args):
    count = (n - first + chunk - 1) // chunk
    store64(words + JOB, fn)
    store64(words + JOB + 8, args)
    store64(words + JOB + 16, n)
    store64(words + JOB + 24, chunk)
    store64(words + JOB + 32, first)
    atomic_store(words + DONE, 0)
    atomic_swap(words + TICKET, count << 42)
    start = 0
    slot = 0
    tag = 0
    if atomic_load(words + PARKED) > 0:
        tag = ((fn >> 4) * 0x9E3779B97F4A7C1 ^ n * 0x61C88646 ^ chunk * 0x2545F491) & 0x7FFFFFFFFFFFFFFF
        slot = words + COSTS + 8 * (tag & 255)
        tag = tag >> 32
        known = atomic_load(slot)
        cost = (known & LOW) if known >> 32 == tag else {worth}
        if cost >= {worth} or atomic_load(words + DEBT) >= {worth}:
            atomic_store(words + DEBT, 0)
            _ring(words, min(count - 1, 1 + cost // {worth}))
        start = _nanoseconds()
    mine = 0
    while True:
        t = atomic_add(words + TICKET, 1)
        if _left(t) <= 0:
            break
        lo = first + (t & TAKEN) * chunk
        icall(fn, lo, min(n, lo + chunk), args)
        mine += 1
    if start != 0 and mine > 0:
        alone = min((_nanoseconds() - start) // mine * count, LOW)
        atomic_store(slot, tag << 32 | alone)
        if mine == count:
            atomic_add(words + DEBT, alone)
    if atomic_add(words + DONE, mine) + mine < count:
        waited = 0
        while atomic_load(words + DONE) < count:
            waited += 1
            if waited < 1000:
                pause()
            else:
                _yield()


@njit("void({words})", nogil=True, cache=True)
def join(words, fn, n, chunk, a0, a1, a2, a3, a4, a5, a6, a7):
    args = stack(64)
    store64(args, a0)
    store64(args + 8, a1)
    store64(args + 16, a2)
    store64(args + 24, a3)
    store64(args + 32, a4)
    store64(args + 40, a5)
    store64(args + 48, a6)
    store64(args + 56, a7)
    if words != 0 and n > chunk and atomic_load(words + BUSY) == 0 and atomic_swap(words + BUSY, 1) == 0:
        span = chunk << 20 if chunk < 1 << 40 else n  # as many as TICKET can count, with room for those who come too late
        lo = 0
        while lo < n:
            hi = min(n, lo + span)
            _together(words, fn, lo, hi, chunk, args)
            lo = hi
        atomic_store(words + BUSY, 0)
        return
    lo = 0
    while lo < n:
        icall(fn, lo, min(n, lo + chunk), args)
        lo += chunk
"""


class Team:
    """Threads of the C library beside the calling ones; `words` is 0 while there are none, and what `join` takes."""

    def __init__(self):
        source = _SOURCE.replace("{futex}", str(_FUTEX[platform.machine()])).replace("{spin}", str(_SPIN)).replace("{worth}", str(_WORTH))
        self.join, module = build.load("join", source.replace("{words}", ",".join(["int64"] * 12)))
        # The compiled function behind the dispatcher: 0.2 us instead of 0.4, since it need not find out types.
        self.join = self.join.overloads[self.join.signatures[0]].entry_point
        self._stop, self._worker = module.stop, module.worker
        self._memory = np.zeros(64 + 8 * 256 + 16 * 64, np.int64)
        self._base = (self._memory.ctypes.data + 63) & -64
        self._library = ctypes.CDLL(None)
        self._lock = threading.RLock()
        self._threads = []
        self._ended = False
        self.size = 1  # of the team that was asked for: workers and a caller
        self.words = 0
        atexit.register(self._end)
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child)

    def resize(self, size):
        """Have `size - 1` workers. Jobs under way go on; fewer workers than asked for serve as well."""
        with self._lock:
            if self._ended or (self.size == size and self.words):
                return
            self.stop()
            self._start(size - 1)
            self.size = size
            self.words = self._base

    def _start(self, count):
        faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
        ctypes.c_int64.from_address(self._base + _STOP).value = 0
        attributes = ctypes.create_string_buffer(256)  # more than any C library's pthread_attr_t
        self._library.pthread_attr_init(attributes)
        self._library.pthread_attr_setstacksize(attributes, ctypes.c_size_t(_STACK))
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - faults)  # inherited: signals are for Python's threads
        try:
            for _ in range(count):
                thread = ctypes.c_size_t()
                work = ctypes.c_void_p(self._worker.address)
                if self._library.pthread_create(ctypes.byref(thread), attributes, work, ctypes.c_void_p(self._base)):
                    break  # no more threads for this process
                self._threads.append(thread)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._library.pthread_attr_destroy(attributes)

    def stop(self):
        """End the workers, after the chunks that they are at."""
        with self._lock:
            self.words = 0
            if self._threads:
                self._stop(self._base)
            while self._threads:
                self._library.pthread_join(self._threads.pop(), None)

    def _end(self):
        self._ended = True
        self.stop()

    def _before_fork(self):
        self._lock.acquire()
        self.stop()

    def _after_fork(self):
        self._lock.release()

    def _after_fork_in_child(self):
        self._lock = threading.RLock()
        self._threads.clear()
        self.words = 0
        self._memory[:] = 0  # another thread may have been in the middle of a job
