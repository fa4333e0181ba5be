"""NumPy functions that release the GIL, on slabs of their operand, on several Python threads.

For transforms and factorisations whose one-dimensional core is as good as it gets and only lacks the other processors.
"""

import concurrent.futures
import contextvars
import itertools
import os
import threading

from .driver import get_num_threads

_lock = threading.Lock()
_team = None


def _forget():
    """Threads do not survive `fork`: a child starts its own."""
    global _lock, _team
    _lock = threading.Lock()
    _team = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def each(function, count, step):
    """Call `function(lo, hi)` for the slabs of `step` indices of [0, count), on this thread and others; the first error is raised.

    Slabs do not depend on the number of threads. NumPy's error state (a context variable) is the caller's on every thread.
    """
    global _team
    starts = iter(range(0, count, step))
    lock = threading.Lock()
    stop = False

    def work():
        nonlocal stop
        while not stop:
            with lock:
                lo = next(starts, None)
            if lo is None:
                return
            try:
                function(lo, min(lo + step, count))
            except BaseException:
                stop = True
                raise

    wanted = min(get_num_threads(), -(-count // step)) - 1
    helpers = []
    if wanted > 0:
        with _lock:
            if _team is None or _team._max_workers < wanted:
                _team = concurrent.futures.ThreadPoolExecutor(wanted, thread_name_prefix="mtarray-slabs")
            team = _team
        try:
            for _ in itertools.repeat(None, wanted):
                helpers.append(team.submit(contextvars.copy_context().run, work))
        except RuntimeError:  # the interpreter is ending, or no thread can be started
            pass
    try:
        work()
    finally:
        # Helpers that did not start have nothing left to do; the others still write into the caller's memory.
        started = [h for h in helpers if not h.cancel()]
        concurrent.futures.wait(started)
    for h in started:
        h.result()
