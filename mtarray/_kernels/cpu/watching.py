"""Which kernels run: while somebody watches, the driver's ways to run one are replaced by ways that also write it down.

Nothing in the driver asks whether it is watched, so it costs nothing while it is not.
"""

import contextlib
import threading
import time
from typing import NamedTuple

from mtarray._kernels import build

from . import driver

_lock = threading.RLock()


class Launch(NamedTuple):
    """One run of a kernel: `items` of work in chunks of `chunk`, on all threads (`parallel`) or one; `address` is 0 for `prange` loops."""

    name: str
    address: int
    items: int
    chunk: int
    parallel: bool
    seconds: float

    @property
    def chunks(self):
        return -(-self.items // self.chunk) if self.chunk else 1


@contextlib.contextmanager
def watching(record):
    """Call `record(launch)` after each kernel that this thread runs, until the block is left. One watches at a time."""
    driver._setup()
    me = threading.get_ident()
    inside = False  # a team of Python threads runs its parts through `_serial`

    def watched(run, parallel, describe):
        def wrapper(*args):
            nonlocal inside
            if inside or threading.get_ident() != me:
                return run(*args)
            inside = True
            start = time.perf_counter()
            try:
                return run(*args)
            finally:
                seconds = time.perf_counter() - start
                inside = False
                record(Launch(*describe(*args), parallel, seconds))

        return wrapper

    def kernel(fn, items, chunk):
        return build.known(fn)[0], fn, int(items), int(chunk)

    ways = {
        "_serial": (False, lambda fn, start, stop, chunk, *words: kernel(fn, stop - start, chunk)),
        "_parallel": (True, lambda threads, fn, start, stop, chunk, *words: kernel(fn, stop - start, chunk)),
        "_join": (True, lambda words, fn, n, chunk, *rest: kernel(fn, n, chunk)),
        "_run_team": (True, lambda threads, fn, n, chunk, words: kernel(fn, n, chunk)),
        "run_loops": (True, lambda compiled, *operands: (compiled.__name__, 0, operands[0].size, 0)),
    }
    with _lock:
        former = {name: getattr(driver, name) for name in ways}
        try:
            for name, (parallel, describe) in ways.items():
                if former[name] is not None:
                    setattr(driver, name, watched(former[name], parallel, describe))
            yield
        finally:
            for name, run in former.items():
                setattr(driver, name, run)
