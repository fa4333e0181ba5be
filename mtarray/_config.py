"""`config`: the settings of the process. `strict`: refuse what the standard does not promise."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

KERNEL_MODES = ("auto", "numba", "prange", "python")
CUDA_MODES = ("auto", "simulate")


class _Scope:
    """What `config(...)` returns. Used with `with`, the settings hold until it is left, whatever other scopes do meanwhile."""

    def __init__(self, settings: dict[str, Any], former: dict[str, Any]) -> None:
        self._settings = settings
        self._former = former

    def __enter__(self) -> Config:
        config._enter(self._settings, self._former)
        return config

    def __exit__(self, *exc: object) -> None:
        config._leave(self._settings)


class Config:
    """Settings of the process, safe to change from any thread.

    threads: how many threads a kernel may use (default: the cores this process may run on).
    pool_limit: bytes of freed memory kept for reuse (default: an eighth of the container's memory).
    cache_dir: folder of compiled kernels.
    deterministic: run BLAS and LAPACK on one thread, so that their results do not depend on `threads`; our own kernels never do.
    kernels: "auto" (NumPy's loops for small arrays, compiled kernels for large ones), "numba" (compiled kernels at every size), "prange"
        (elementwise functions, reductions and matrix products as plain parallel loops: the form to read, slower) or "python" (the scalar
        functions as they stand, uncompiled: to debug). The environment variable MTARRAY_KERNELS sets it at the start.
    cuda: what stands behind device "cuda": "auto" (a GPU) or "simulate" (a simulator on the CPU, slow and exact: to develop and test
        without one). The environment variable MTARRAY_CUDA sets it at the start. Arrays stay where they were made.
    tf32: let float32 matrix products on a GPU round their operands to 10 bits where a library does so faster.

    Set an attribute, or call it: `config(deterministic=True)` sets, and as a context manager restores on leaving.

    >>> import mtarray as xp
    >>> with xp.config(kernels="python"):
    ...     xp.add(xp.asarray([1, 2]), 1)
    Array([2, 3], shape=(2,), dtype=int64, device='cpu')
    """

    __slots__ = ("_values", "_base", "_scopes", "_lock", "_listeners")

    def __init__(self) -> None:
        self._base: dict[str, Any] = dict(
            threads=None, pool_limit=None, cache_dir=None, deterministic=False, kernels="auto", cuda="auto", tf32=False
        )
        played = os.environ.get("MTARRAY_CUDA")
        if played:
            self._base["cuda"] = _check("cuda", played)
        mode = os.environ.get("MTARRAY_KERNELS")
        if mode:
            self._base["kernels"] = _check("kernels", mode)
        self._values = dict(self._base)  # those in force: the base, overridden by the scopes that are open, the newest last
        self._scopes: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        # Called with (name, value) after a change: the engine, where it is loaded, follows the settings this way.
        self._listeners: list[Callable[[str, Any], None]] = []

    def __call__(self, **settings: Any) -> _Scope:
        with self._lock:
            checked = {name: _check(name, v) for name, v in settings.items()}
            former = {name: self._base[name] for name in checked}
            self._base.update(checked)
            try:
                self._apply()
            except BaseException:
                self._base.update(former)
                self._apply()
                raise
        return _Scope(checked, former)

    def _enter(self, settings: dict[str, Any], former: dict[str, Any]) -> None:
        with self._lock:
            self._base.update(former)
            self._scopes.append(settings)
            self._apply()

    def _leave(self, settings: dict[str, Any]) -> None:
        with self._lock:
            self._scopes = [s for s in self._scopes if s is not settings]
            self._apply()

    def _apply(self) -> None:
        """Bring the settings into force and tell the listeners what changed."""
        wanted = dict(self._base)
        for scope in self._scopes:
            wanted.update(scope)
        for name, v in wanted.items():
            if self._values[name] != v:
                self._values[name] = v
                for listener in self._listeners:
                    listener(name, v)

    def listen(self, listener: Callable[[str, Any], None]) -> None:
        """Have `listener(name, value)` called for every setting now and for each change from now on."""
        with self._lock:
            self._listeners.append(listener)
            for name, v in self._values.items():
                listener(name, v)

    def unlisten(self, listener: Callable[[str, Any], None]) -> None:
        """Call a listener no longer."""
        with self._lock:
            self._listeners.remove(listener)

    @property
    def threads(self) -> int | None:
        return self._values["threads"]

    @threads.setter
    def threads(self, v: int | None) -> None:
        self(threads=v)

    @property
    def pool_limit(self) -> int | None:
        return self._values["pool_limit"]

    @pool_limit.setter
    def pool_limit(self, v: int | None) -> None:
        self(pool_limit=v)

    @property
    def cache_dir(self) -> str | None:
        return self._values["cache_dir"]

    @cache_dir.setter
    def cache_dir(self, v: str | None) -> None:
        self(cache_dir=v)

    @property
    def deterministic(self) -> bool:
        return self._values["deterministic"]

    @deterministic.setter
    def deterministic(self, v: bool) -> None:
        self(deterministic=v)

    @property
    def kernels(self) -> str:
        return self._values["kernels"]

    @kernels.setter
    def kernels(self, v: str) -> None:
        self(kernels=v)

    @property
    def cuda(self) -> str:
        return self._values["cuda"]

    @cuda.setter
    def cuda(self, v: str) -> None:
        self(cuda=v)

    @property
    def tf32(self) -> bool:
        return self._values["tf32"]

    @tf32.setter
    def tf32(self, v: bool) -> None:
        self(tf32=v)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{k}={v!r}' for k, v in self._values.items())})"


def _check(name: str, v: Any) -> Any:
    if name == "threads":
        if v is not None and (isinstance(v, bool) or not isinstance(v, int) or v < 1):
            raise ValueError(f"config.threads={v!r} must be a positive integer, or None for all cores")
    elif name == "pool_limit":
        if v is not None and (isinstance(v, bool) or not isinstance(v, int) or v < 0):
            raise ValueError(f"config.pool_limit={v!r} must be a number of bytes, or None for the default")
    elif name == "cache_dir":
        return None if v is None else str(v)
    elif name in ("deterministic", "tf32"):
        return bool(v)
    elif name == "cuda":
        if v not in CUDA_MODES:
            raise ValueError(f"config.cuda={v!r} must be one of {', '.join(map(repr, CUDA_MODES))}")
    elif name == "kernels":
        if v not in KERNEL_MODES:
            raise ValueError(f"config.kernels={v!r} must be one of {', '.join(map(repr, KERNEL_MODES))}")
    else:
        raise TypeError(f"config has no setting {name!r}; it has threads, pool_limit, cache_dir, deterministic, kernels, cuda, tf32")
    return v


config = Config()

_strict: ContextVar[bool] = ContextVar("mtarray.strict", default=False)
is_strict = _strict.get


class _Strict:
    def __init__(self, token: Token[bool]) -> None:
        self._token = token

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        _strict.reset(self._token)


def strict(on: bool = True, /) -> _Strict:
    """Refuse whatever the standard does not promise: promotion of mixed kinds, integers in floating functions, lists as indices,
    NumPy arrays as operands, and the names that only NumPy has. For this thread or task; as a context manager, until it is left.

    >>> import mtarray as xp
    >>> with xp.strict():
    ...     xp.asarray([1]) + xp.asarray([1.5])
    Traceback (most recent call last):
        ...
    TypeError: add: the standard does not define the promotion of int64 and float64; cast one of them (strict mode)
    """
    return _Strict(_strict.set(bool(on)))
