"""Random programs of views, index arrays and in-place writes, and their derivatives beside those of the same program without any.

A program is drawn while NumPy runs it. Then it is run
  by mtarray, as it stands: views, writes through them, in-place operators;
  by a `Twin`: a storage is a flat vector that never changes, a variable a table of positions in it, a write makes another vector. What
  runs the twin is mtarray or PyTorch, so that the first checks the tape against out-of-place programs, the second all of mtarray.

python -m mtarray_tests.autodiff_programs [first seed] [count] [--large] [--threads n] [--twin torch|mtarray|both]
"""

from __future__ import annotations

import argparse
import operator
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import mtarray as xp
from mtarray import autodiff

Key = Any
WRITES = ("iop", "set", "iset")


class Ref:
    """A variable of a program."""

    __slots__ = ("name",)

    def __init__(self, name: int) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"v{self.name}"


class Step(NamedTuple):
    """One statement: a method of a machine, its arguments, and the variable it makes (None: it writes)."""

    method: str
    args: tuple[Any, ...]
    out: int | None

    def __repr__(self) -> str:
        return f"{'' if self.out is None else f'v{self.out} = '}{self.method}({', '.join(map(repr, self.args))})"


class Program(NamedTuple):
    """leaves: what is differentiated by, the variables 0, 1, ...; single: whether float32 or complex64 takes part."""

    leaves: list[np.ndarray]
    steps: list[Step]
    single: bool

    def __repr__(self) -> str:
        return "\n".join([f"v{i} = {x.dtype}{x.tolist()}" for i, x in enumerate(self.leaves)] + [repr(s) for s in self.steps])


def run(machine: Any, program: Program, leaves: Sequence[Any]) -> dict[int, Any]:
    """All variables as they are at the end, by number."""
    env = dict(enumerate(leaves))
    for method, args, out in program.steps:
        result = getattr(machine, method)(*[env[a.name] if a.__class__ is Ref else a for a in args])
        if out is not None:
            env[out] = result
    return env


# ---------------------------------------------------------------------- machines with views and writes


class Direct:
    """The program as it stands, on the arrays of a namespace: here NumPy's."""

    functions: Any = np

    def const(self, v: Any) -> Any:
        return np.array(v)

    def view(self, x: Any, key: Key) -> Any:
        return np.asarray(x[key])

    def part(self, x: Any, name: str) -> Any:
        return getattr(x, name)

    def permute(self, x: Any, axes: Any) -> Any:
        return x.transpose(axes)

    def broadcast(self, x: Any, shape: Any) -> Any:
        return self.functions.broadcast_to(x, shape)

    def reshape(self, x: Any, shape: Any, copy: bool | None) -> Any:
        return np.array(x, order="C").reshape(shape) if copy is not False else x.reshape(shape)

    def unary(self, name: str, x: Any) -> Any:
        return _c(getattr(np, name)(x))

    def binary(self, name: str, x: Any, y: Any) -> Any:
        return _c(getattr(np, name)(x, y))

    def sum(self, x: Any, axis: Any, keepdims: bool) -> Any:
        return _c(x.sum(axis=axis, keepdims=keepdims))

    def running(self, x: Any, axis: int) -> Any:
        return _c(np.cumsum(x, axis=axis))

    def concat(self, x: Any, y: Any) -> Any:
        return _c(np.concatenate([x, y]))

    def take(self, x: Any, key: Key) -> Any:
        return _c(x[key])

    def where(self, c: Any, x: Any, y: Any) -> Any:
        return _c(np.where(c, x, y))

    def copy(self, x: Any) -> Any:
        return _c(x)

    def astype(self, x: Any, dtype: str) -> Any:
        return _c(x.astype(dtype))

    def iop(self, name: str, x: Any, y: Any) -> None:
        getattr(operator, name)(x, y)

    def set(self, x: Any, key: Key, v: Any) -> None:
        if v.__class__ is np.ndarray and np.shares_memory(x, v):
            v = v.copy()  # NumPy's assignment by mask reads a value that overlaps while it writes
        x[key] = v

    def iset(self, name: str, x: Any, key: Key, v: Any) -> None:
        x[key] = getattr(operator, name)(x[key], v)

    def swap(self, x: Any, i: int, j: int) -> None:
        x[i], x[j] = x[j].copy(), x[i].copy()


def _c(x: Any) -> np.ndarray:
    return np.array(x, order="C")


class Ours(Direct):
    """The program as it stands, on mtarray."""

    functions = xp

    def const(self, v: Any) -> Any:
        return xp.asarray(np.array(v))

    def view(self, x: Any, key: Key) -> Any:
        return x[key]

    def permute(self, x: Any, axes: Any) -> Any:
        return xp.permute_dims(x, axes)

    def reshape(self, x: Any, shape: Any, copy: bool | None) -> Any:
        return xp.reshape(x, shape, copy=copy)

    def unary(self, name: str, x: Any) -> Any:
        return getattr(xp, name)(x)

    def binary(self, name: str, x: Any, y: Any) -> Any:
        return getattr(xp, name)(x, y)

    def sum(self, x: Any, axis: Any, keepdims: bool) -> Any:
        return xp.sum(x, axis=axis, keepdims=keepdims)

    def running(self, x: Any, axis: int) -> Any:
        return xp.cumulative_sum(x, axis=axis)

    def concat(self, x: Any, y: Any) -> Any:
        return xp.concat([x, y])

    def take(self, x: Any, key: Key) -> Any:
        return x[key]

    def where(self, c: Any, x: Any, y: Any) -> Any:
        return xp.where(xp.asarray(c), x, y)

    def copy(self, x: Any) -> Any:
        return xp.asarray(x, copy=True)

    def astype(self, x: Any, dtype: str) -> Any:
        return xp.astype(x, getattr(xp, dtype))

    def set(self, x: Any, key: Key, v: Any) -> None:
        x[key] = v

    def swap(self, x: Any, i: int, j: int) -> None:
        x[i], x[j] = xp.asarray(x[j], copy=True), xp.asarray(x[i], copy=True)


# ---------------------------------------------------------------------- the twin, without views and writes


class Box:
    """A storage: a flat vector of real numbers, exchanged as a whole."""

    __slots__ = ("v",)

    def __init__(self, v: Any) -> None:
        self.v = v


class Table(NamedTuple):
    """A variable: where its real parts, and its imaginary ones, are in a box."""

    box: Box
    re: np.ndarray
    im: np.ndarray | None

    def map(self, f: Callable[[np.ndarray], Any]) -> Table:
        return Table(self.box, np.asarray(f(self.re)), None if self.im is None else np.asarray(f(self.im)))


class Pure:
    """What a twin needs of mtarray: functions that make fresh results."""

    functions: Any = xp

    def const(self, v: np.ndarray) -> Any:
        return xp.asarray(np.array(v))

    def numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x)

    def kind(self, x: Any) -> np.dtype:
        return np.dtype(x.dtype)

    def function(self, name: str) -> Any:
        return getattr(self.functions, name)

    def cast(self, x: Any, dtype: np.dtype) -> Any:
        return xp.astype(x, dtype)

    def gather(self, v: Any, at: np.ndarray) -> Any:
        return xp.reshape(xp.take(v, xp.asarray(at.reshape(-1))), at.shape)

    def scatter(self, v: Any, at: np.ndarray, new: Any) -> Any:
        table = np.arange(v.shape[0])
        table[at] = v.shape[0] + np.arange(at.size)
        return xp.take(xp.concat([v, new]), xp.asarray(table))

    def complex(self, re: Any, im: Any) -> Any:
        return re + 1j * im

    def real(self, x: Any) -> Any:
        return xp.real(x)

    def imag(self, x: Any) -> Any:
        return xp.imag(x)

    def flat(self, x: Any) -> Any:
        return xp.reshape(x, (-1,))

    def reshape(self, x: Any, shape: Any) -> Any:
        return xp.reshape(x, shape)

    def concat(self, xs: Any) -> Any:
        return xp.concat(xs)

    def broadcast(self, x: Any, shape: Any) -> Any:
        return xp.broadcast_to(x, shape)

    def sum(self, x: Any, axis: Any, keepdims: bool) -> Any:
        return xp.sum(x, axis=axis, keepdims=keepdims)

    def running(self, x: Any, axis: int) -> Any:
        return xp.cumulative_sum(x, axis=axis)

    def where(self, c: Any, x: Any, y: Any) -> Any:
        return xp.where(xp.asarray(c), x, y)


class Torch(Pure):
    """The same of PyTorch."""

    def __init__(self) -> None:
        import torch

        self.functions = torch
        torch.set_num_threads(1)

    def const(self, v: np.ndarray) -> Any:
        return self.functions.as_tensor(np.array(v, order="C"))

    def numpy(self, x: Any) -> np.ndarray:
        return np.asarray(x.detach().resolve_conj().numpy())

    def kind(self, x: Any) -> np.dtype:
        return np.dtype(str(x.dtype).removeprefix("torch."))

    def function(self, name: str) -> Any:
        return getattr(self.functions, {"negative": "neg", "conj": "conj_physical"}.get(name, name))

    def cast(self, x: Any, dtype: np.dtype) -> Any:
        return x.to(getattr(self.functions, dtype.name))

    def gather(self, v: Any, at: np.ndarray) -> Any:
        return v[self.const(at)]

    def scatter(self, v: Any, at: np.ndarray, new: Any) -> Any:
        return v.index_put((self.const(at),), new)

    def complex(self, re: Any, im: Any) -> Any:
        return self.functions.complex(re, im)

    def real(self, x: Any) -> Any:
        return self.functions.real(x)

    def imag(self, x: Any) -> Any:
        return self.functions.imag(x)

    def flat(self, x: Any) -> Any:
        return x.reshape(-1)

    def reshape(self, x: Any, shape: Any) -> Any:
        return x.reshape(shape)

    def concat(self, xs: Any) -> Any:
        return self.functions.cat(xs)

    def broadcast(self, x: Any, shape: Any) -> Any:
        return x.expand(shape)

    def sum(self, x: Any, axis: Any, keepdims: bool) -> Any:
        return x.sum() if axis is None else x.sum(dim=axis, keepdim=keepdims)

    def running(self, x: Any, axis: int) -> Any:
        return self.functions.cumsum(x, axis)

    def where(self, c: Any, x: Any, y: Any) -> Any:
        return self.functions.where(self.const(c), x, y)


class Twin:
    """A machine without views and writes."""

    def __init__(self, pure: Pure) -> None:
        self.p = pure

    def read(self, x: Any, beside: np.dtype | None = None) -> Any:
        """The value of a variable or constant; a Python number has the dtype that it has `beside` others."""
        if x.__class__ is not Table:
            return self.p.const(np.asarray(x, beside))
        re = self.p.gather(x.box.v, x.re)
        return re if x.im is None else self.p.complex(re, self.p.gather(x.box.v, x.im))

    def fresh(self, value: Any) -> Table:
        shape = tuple(value.shape)
        n = int(np.prod(shape))
        at = np.arange(n).reshape(shape)
        if self.p.kind(value).kind != "c":
            return Table(Box(self.p.flat(value)), at, None)
        return Table(Box(self.p.concat([self.p.flat(self.p.real(value)), self.p.flat(self.p.imag(value))])), at, at + n)

    def const(self, v: Any) -> Table:
        return self.fresh(self.p.const(np.array(v)))

    def view(self, x: Table, key: Key) -> Table:
        return self.take(x, key) if np.ndim(x.re[key]) == 0 and Ellipsis not in _items(key) else x.map(lambda at: at[key])

    def part(self, x: Table, name: str) -> Table:
        return x if x.im is None else Table(x.box, x.re if name == "real" else x.im, None)

    def permute(self, x: Table, axes: Any) -> Table:
        return x.map(lambda at: at.transpose(axes))

    def broadcast(self, x: Table, shape: Any) -> Table:
        return x.map(lambda at: np.broadcast_to(at, shape))

    def reshape(self, x: Table, shape: Any, copy: bool | None) -> Table:
        return x.map(lambda at: at.reshape(shape)) if copy is False else self.fresh(self.p.reshape(self.read(x), shape))

    def unary(self, name: str, x: Any) -> Table:
        return self.fresh(self.p.function(name)(self.read(x)))

    def operands(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Two values in their common dtype, which for PyTorch depends on the number of axes."""
        kinds = [self.p.kind(v.box.v) if v.__class__ is Table else None for v in (x, y)]
        known = [k if v.im is None else np.result_type(k, np.complex64) for v, k in zip((x, y), kinds) if k is not None]
        dtype = np.result_type(*known)
        return self.p.cast(self.read(x, dtype), dtype), self.p.cast(self.read(y, dtype), dtype)

    def binary(self, name: str, x: Any, y: Any) -> Table:
        return self.fresh(self.p.function(name)(*self.operands(x, y)))

    def sum(self, x: Table, axis: Any, keepdims: bool) -> Table:
        return self.fresh(self.p.sum(self.read(x), axis, keepdims))

    def running(self, x: Table, axis: int) -> Table:
        return self.fresh(self.p.running(self.read(x), axis))

    def concat(self, x: Table, y: Table) -> Table:
        return self.fresh(self.p.concat(list(self.operands(x, y))))

    def take(self, x: Table, key: Key) -> Table:
        return self.fresh(self.read(x.map(lambda at: at[key])))

    def where(self, c: Any, x: Any, y: Any) -> Table:
        return self.fresh(self.p.where(c, *self.operands(x, y)))

    def copy(self, x: Table) -> Table:
        return self.fresh(self.read(x))

    def astype(self, x: Table, dtype: str) -> Table:
        return self.fresh(self.p.cast(self.read(x), np.dtype(dtype)))

    def set(self, x: Table, key: Key, v: Any) -> None:
        real = self.p.kind(x.box.v)
        value = self.read(v, real)
        re = x.re[key]
        value = self.p.broadcast(value, re.shape)
        last = np.empty(int(x.re.max(initial=-1)) + 1, np.intp)  # of several values for one place the last one stays
        mine = np.arange(re.size).reshape(re.shape)
        last[re] = mine
        keep = np.flatnonzero(last[re] == mine)
        parts = [(re, self.p.real(value) if self.p.kind(value).kind == "c" else value)]
        if x.im is not None:
            parts.append((x.im[key], self.p.imag(value) if self.p.kind(value).kind == "c" else value * 0.0))
        for at, new in parts:
            x.box.v = self.p.scatter(x.box.v, at.reshape(-1)[keep], self.p.cast(self.p.gather(self.p.flat(new), keep), real))

    def iop(self, name: str, x: Table, y: Any) -> None:
        self.set(x, ..., self.binary(FUNCTIONS[name], x, y))

    def iset(self, name: str, x: Table, key: Key, v: Any) -> None:
        self.set(x, key, self.binary(FUNCTIONS[name], x.map(lambda at: at[key]), v))

    def swap(self, x: Table, i: int, j: int) -> None:
        a, b = self.take(x, i), self.take(x, j)
        self.set(x, i, b)
        self.set(x, j, a)


FUNCTIONS = {"iadd": "add", "isub": "subtract", "imul": "multiply", "itruediv": "divide"}


def _items(key: Key) -> Any:
    return key if key.__class__ is tuple else (key,) if key is Ellipsis else ()


# ---------------------------------------------------------------------- drawing


class RejectedError(Exception):
    """The numbers of a program grew beyond what can be compared."""


SHAPES = [(), (3,), (4,), (6,), (2, 3), (3, 2), (3, 3), (2, 2, 2), (1, 3), (4, 1)]
LARGE = [(), (3,), (40_000,), (2, 30_000), (30_000, 2), (150, 260), (150, 260), (40, 30, 31), (1, 30_000), (30_000, 1)]
LIMIT = 20.0


class Drawing:
    """A program while it is drawn: NumPy's variables, and ours, which show when a reshape is a view."""

    def __init__(self, seed: Any, large: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.shapes = LARGE if large else SHAPES
        self.numpy, self.ours = Direct(), Ours()
        self.dtypes = [["float64"], ["float64"], ["float64", "complex128"], ["float64", "float32"], ["float32", "complex128"]][
            int(self.rng.choice(5, p=[0.4, 0.15, 0.25, 0.12, 0.08]))
        ]
        leaves = [self.content(self.pick(self.shapes[1:8])) for _ in range(2)]
        self.program = Program(leaves, [], "float32" in self.dtypes)
        self.env: dict[int, Any] = {i: x.copy() for i, x in enumerate(leaves)}
        self.mine: dict[int, Any] = {i: xp.asarray(x.copy()) for i, x in enumerate(leaves)}
        with np.errstate(all="ignore"):
            for _ in range(int(self.rng.integers(6, 22))):
                self.step()
        if not all(np.all(np.isfinite(x)) and np.abs(x).max(initial=0) < 1e3 for x in self.env.values()):
            raise RejectedError

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def content(self, shape: Any) -> np.ndarray:
        dtype = np.dtype(self.pick(self.dtypes))
        x = self.rng.normal(size=shape)
        return np.asarray(x + 1j * self.rng.normal(size=shape) if dtype.kind == "c" else x).astype(dtype)

    def emit(self, method: str, *args: Any) -> Any:
        out = None if method in (*WRITES, "swap") else len(self.env)
        for machine, env in ((self.numpy, self.env), (self.ours, self.mine)):
            result = getattr(machine, method)(*[env[a.name] if a.__class__ is Ref else a for a in args])
            if out is not None:
                env[out] = result
        self.program.steps.append(Step(method, args, out))
        return None if out is None else Ref(out)

    def basic(self, shape: Any, whole: bool = False) -> tuple[Any, ...]:
        """A key of integers, slices and None; whole: without integers."""
        key: list[Any] = []
        for n in shape:
            k = int(self.rng.integers(6))
            if k == 0 and not whole:
                key.append(int(self.rng.integers(-n, n)))
            elif k == 3 and n > 1:
                key.append(slice(1, None))
            elif k == 4 and n > 1:
                key.append(slice(0, n - 1))
            elif k == 5 and n > 2:
                key.append(slice(n - 1, 0, -1))
            else:
                key.append([slice(None), slice(None, None, -1), slice(None, None, 2)][min(k, 2)])
        if self.chance(0.15):
            key.insert(int(self.rng.integers(len(key) + 1)), None)
        return tuple(key)

    def advanced(self, shape: Any) -> Any:
        n = shape[0]
        k = int(self.rng.integers(6))
        if k == 0:
            return self.rng.random(shape) < 0.5
        if k == 1:
            return self.rng.random(n) < 0.6
        if k == 2:
            return (self.rng.integers(-n, n, int(self.rng.integers(1, 2 * min(n, 100)))),)
        if k == 3 and len(shape) > 1:
            return (slice(None), self.rng.integers(0, shape[1], 3))
        if k == 4 and len(shape) > 1:
            return (self.rng.integers(-n, n, (3,)), self.rng.integers(0, shape[1], (2, 1)))
        return (self.rng.integers(0, n, (2, 2)),)

    def fitting(self, shape: Any, other: Any = None, dtype: Any = None) -> Ref | None:
        """A variable that broadcasts to `shape`, preferably one that shares memory with `other`; what fits into `dtype`."""
        fits = []
        for i, x in self.env.items():
            try:
                if np.broadcast_shapes(x.shape, shape) == shape and (dtype is None or dtype.kind == "c" or x.dtype.kind != "c"):
                    fits.append(i)
            except ValueError:
                pass
        if other is not None:
            same = [i for i in fits if np.may_share_memory(self.env[i], other)]
            if same and self.chance(0.5):
                fits = same
        return Ref(self.pick(fits)) if fits else None

    def target(self) -> Ref | None:
        fits = [
            i for i, x in self.env.items() if x.flags.writeable and x.size and not any(s == 0 and n > 1 for s, n in zip(x.strides, x.shape))
        ]
        if self.chance(0.25):
            fits = [i for i in fits if i < 2] or fits
        if self.chance(0.4):
            fits = [i for i in fits if self.env[i].base is not None] or fits
        return Ref(self.pick(fits)) if fits else None

    def source(self, shape: Any, x: Any) -> Any:
        """What may be written into elements of this shape of x."""
        k = self.rng.random()
        v = self.fitting(shape, x, x.dtype) if k < 0.75 else None
        if v is not None:
            return v
        if k < 0.9 or not shape:
            return float(self.rng.normal())
        c = self.content(shape[int(self.rng.integers(len(shape))) :])
        return self.emit("const", c if x.dtype.kind == "c" else c.real)

    def bound(self, v: Ref) -> Ref:
        """Keep numbers small."""
        x = self.env[v.name]
        top = float(np.abs(x).max(initial=0))
        if not np.isfinite(top):
            raise RejectedError
        if top > (LIMIT if x.dtype.kind == "f" else 3):
            return self.emit("unary", "sin", v) if x.dtype.kind == "f" else self.emit("binary", "multiply", v, 1 / top)
        return v

    def step(self) -> None:
        v = Ref(self.pick(list(self.env)))
        x = self.env[v.name]
        k = int(self.rng.integers(24))
        if x.size == 0:
            return
        if k <= 2:
            self.emit("view", v, self.basic(x.shape))
        elif k == 3:
            self.emit("permute", v, tuple(int(i) for i in self.rng.permutation(x.ndim)))
        elif k == 4:
            self.reshape(v, x)
        elif k == 5 and x.size < 10_000:
            self.emit("broadcast", v, (2, *x.shape))
        elif k <= 7:
            names = ["sin", "cos", "negative", "sin", "square"] if x.dtype.kind == "f" else ["sin", "negative", "conj", "square"]
            if np.abs(x).min() > 0.1 and self.chance(0.3):
                names = ["abs", "reciprocal"]
            self.bound(self.emit("unary", self.pick(names), v))
        elif k == 8:
            self.bound(self.emit("unary", "exp", self.emit("unary", "sin", v) if x.dtype.kind == "f" else v))
        elif k == 9:
            w = self.fitting(x.shape, x)
            pair = (v, w) if self.chance(0.5) else (w, v)
            self.bound(self.emit("binary", self.pick(["add", "multiply", "subtract"]), *pair))
        elif k == 10:
            self.product(v, x)
        elif k == 11 and x.ndim:
            self.emit("take", v, self.advanced(x.shape))
        elif k == 12:
            self.emit("where", self.rng.random(x.shape) < 0.5, v, self.fitting(x.shape, x))
        elif k == 13:
            shape = self.pick(self.shapes[1:])
            z = self.emit("const", np.zeros(shape, self.pick(self.dtypes)))
            if self.chance(0.5):
                self.emit("view", z, self.basic(shape, True))
        elif k == 14:
            self.rare(v, x)
        elif k == 15 and x.dtype.kind == "c":
            self.emit("part", v, self.pick(["real", "imag"]))
        elif k >= 16:
            self.write(k)

    def reshape(self, v: Ref, x: Any) -> None:
        shape = self.pick([(-1,), (x.size, 1), (1, x.size), x.shape[::-1]])
        shape = x.reshape(shape).shape
        theirs = np.may_share_memory(x.reshape(shape), x)
        try:
            xp.reshape(self.mine[v.name], shape, copy=False)
            copy = not theirs
        except ValueError:
            copy = None
        self.emit("reshape", v, shape, copy)

    def product(self, v: Ref, x: Any) -> None:
        fits = [
            i
            for i, y in self.env.items()
            if y.ndim and x.ndim and y.shape[max(0, y.ndim - 2)] == x.shape[-1] and (y.ndim <= 2 or x.ndim <= 2)
            and x.size * y.shape[-1] < 10**7 and x.size // x.shape[-1] * y.shape[-1] < 10**6
        ]  # fmt: skip
        if fits and self.chance(0.7):
            self.bound(self.emit("binary", "matmul", v, Ref(self.pick(fits))))
        elif x.ndim and self.chance(0.3):
            self.bound(self.emit("running", v, int(self.rng.integers(x.ndim))))
        else:
            self.bound(self.emit("sum", v, int(self.rng.integers(x.ndim)) if x.ndim else None, self.chance(0.5)))

    def rare(self, v: Ref, x: Any) -> None:
        k = int(self.rng.integers(3))
        if k == 0:
            self.emit("copy", v)
        elif k == 1:
            kinds = [d for d in self.dtypes if np.dtype(d).kind == "c" or x.dtype.kind != "c"]
            if kinds:
                self.emit("astype", v, self.pick(kinds))
        elif x.ndim:
            fits = [i for i, y in self.env.items() if y.ndim == x.ndim and y.shape[1:] == x.shape[1:]]
            self.emit("concat", v, Ref(self.pick(fits)))

    def write(self, k: int) -> None:
        t = self.target()
        if t is None:
            return
        x = self.env[t.name]
        if k == 16 and x.ndim and x.shape[0] > 1:
            i, j = (int(n) for n in self.rng.choice(x.shape[0], 2, replace=False))
            self.emit("swap", t, i, j - x.shape[0])
        elif (k <= 18 and x.ndim) or k == 19:
            key = self.advanced(x.shape) if k <= 18 and x.ndim else self.basic(x.shape)
            shape = x[key].shape
            source = self.source(shape, x)
            if self.chance(0.65):
                self.emit("set", t, key, source)
            elif np.can_cast(self.env[source.name].dtype if source.__class__ is Ref else x.dtype, x.dtype, "same_kind"):
                self.emit("iset", self.pick(["iadd", "imul", "isub"]), t, key, source)
        elif k == 20:
            self.emit("set", t, ..., self.source(x.shape, x))
        else:
            name = self.pick(["iadd", "isub", "imul", "itruediv"])
            s = self.source(x.shape, x)
            if name == "itruediv":
                real = s.__class__ is Ref and self.env[s.name].dtype.kind == "f"
                s = self.emit("unary", "exp", self.emit("unary", "sin", s)) if real else 2.0
            self.emit("iop", name, t, s)
        top = float(np.abs(x).max(initial=0))
        if not np.isfinite(top):
            raise RejectedError
        if top > (LIMIT if x.dtype.kind == "f" else 3):
            self.emit("iop", "imul", t, 1 / top)


# ---------------------------------------------------------------------- comparing


def total(m: Any, env: dict[int, Any], weights: dict[int, np.ndarray]) -> Any:
    """One real number from every variable as it is at the end."""
    out = None
    for i, w in weights.items():
        t = m.sum(m.binary("multiply", env[i], m.const(w)), None, False)
        t = m.part(t, "real") if w.dtype.kind == "c" else t
        out = t if out is None else m.binary("add", out, t)
    return m.binary("add", out, m.binary("multiply", m.const(np.array(0.1)), m.unary("sin", out)))


def inner(xs: Sequence[Any], ds: Sequence[Any]) -> Any:
    """sum of Re(conj(x) d)"""
    out: Any = 0.0
    for x, d in zip(xs, ds):
        out = out + xp.sum(xp.real(xp.conj(x) * d) if d.dtype.kind == "c" else x * d)
    return out


class Reference(NamedTuple):
    """value, gradient, Hessian times the directions"""

    value: float
    gradient: list[np.ndarray]
    product: list[np.ndarray]


def by_torch(pure: Torch, program: Program, leaves: list[np.ndarray], weights: Any, dirs: list[np.ndarray]) -> tuple[Reference, Any]:
    """What PyTorch has to say of the twin; and the twin's variables."""
    torch, m = pure.functions, Twin(pure)
    ts = [torch.tensor(x, requires_grad=True) for x in leaves]
    env = run(m, program, [m.fresh(t) for t in ts])
    y = m.read(total(m, env, weights))
    gs = torch.autograd.grad(y, ts, create_graph=True)
    dot = sum((g.conj() * torch.tensor(d)).real.sum() for g, d in zip(gs, dirs))
    hs = torch.autograd.grad(dot, ts, allow_unused=True) if dot.requires_grad else [None] * len(ts)
    numbers = [np.zeros_like(x) if h is None else pure.numpy(h) for h, x in zip(hs, leaves)]
    return Reference(float(y.detach()), [pure.numpy(g) for g in gs], numbers), {i: pure.numpy(m.read(x)) for i, x in env.items()}


def by_twin(program: Program, leaves: list[np.ndarray], weights: Any, dirs: list[np.ndarray]) -> tuple[Reference, Any]:
    """What mtarray has to say of the twin."""
    m = Twin(Pure())
    ds = [xp.asarray(d) for d in dirs]
    kept: dict[int, np.ndarray] = {}

    def f(ls: Any) -> Any:
        return m.read(total(m, run(m, program, [m.fresh(x) for x in ls]), weights))

    xs = tuple([xp.asarray(x) for x in leaves])
    env = run(m, program, [m.fresh(x) for x in xs])
    kept = {i: np.asarray(m.read(x)) for i, x in env.items()}
    y, gs = xp.value_and_grad(f)(xs)
    hs = xp.grad(lambda ls: inner(xp.grad(f)(ls), ds))(xs)
    return Reference(float(y), [np.asarray(g) for g in gs], [np.asarray(h) for h in hs]), kept


class WrongError(AssertionError):
    """A program whose results differ."""


class Comparison:
    """Compares with a tolerance relative to the largest number of its kind; what a tiny change of the arguments does is allowed as well."""

    def __init__(self, program: Program, reference: Callable[[list[np.ndarray]], tuple[Reference, Any]]) -> None:
        self.reference = reference
        self.leaves = program.leaves
        self.relative = 1e-12 if not program.single else 2e-5
        self.unit = 2e-15 if not program.single else 1e-6
        self.noise: tuple[Reference, Any] | None = None
        self.base = reference(program.leaves)

    def conditioning(self, of: Callable[[tuple[Reference, Any]], Any]) -> float:
        """How much the numbers change when the arguments change by a few units of their last place."""
        if self.noise is None:
            rng = np.random.default_rng(0)
            moved = [(x * (1 + self.unit * rng.choice([-1, 1], x.shape))).astype(x.dtype) for x in self.leaves]
            self.noise = self.reference(moved)
        return max([float(np.abs(a - b).max(initial=0)) for a, b in zip(of(self.noise), of(self.base))], default=0)

    def check(self, what: str, got: Sequence[Any], of: Callable[[tuple[Reference, Any]], Any]) -> None:
        expected = of(self.base)
        found = [np.asarray(a) for a in got]
        top = max([float(np.abs(b).max(initial=0)) for b in expected], default=0)
        for i, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a.shape != b.shape or a.dtype != b.dtype:
                raise WrongError(f"{what} {i}: {a.dtype}{a.shape}, expected {b.dtype}{b.shape}")
            error = float(np.abs(a - b).max(initial=0))
            if not error <= self.relative * (1 + top) and not error <= 100 * self.conditioning(of):
                raise WrongError(f"{what} {i}: differs by {error:.1e}, of numbers up to {top:.1e}")


def check(program: Program, seed: int = 0, pures: Sequence[str] = ("torch",), third: bool = False) -> None:
    """WrongError if anything that mtarray computes of a program is not what its twin says."""
    rng = np.random.default_rng((seed, 1))
    leaves, numpy, ours = program.leaves, Direct(), Ours()
    plain = run(numpy, program, [x.copy() for x in leaves])
    weights = {i: _like(rng, x) for i, x in plain.items()}
    dirs = [_like(rng, x).astype(x.dtype) for x in leaves]

    def slope_of(r: Any) -> list[Any]:
        return [np.asarray(sum(float(np.sum((np.conj(g) * d).real)) for g, d in zip(r[0].gradient, dirs)))]

    def curve_of(r: Any) -> list[Any]:
        return [np.asarray(sum(float(np.sum((np.conj(h) * d).real)) for h, d in zip(r[0].product, dirs)))]

    comparisons = []
    for name in pures:
        if name == "torch":
            pure = Torch()
            comparisons.append(Comparison(program, lambda ls, p=pure: by_torch(p, program, ls, weights, dirs)))  # type: ignore[misc]
        else:
            comparisons.append(Comparison(program, lambda ls: by_twin(program, ls, weights, dirs)))
    names = list(plain)

    def compare(what: str, got: Sequence[Any], of: Callable[[Any], Any]) -> None:
        for c in comparisons:
            c.check(what, got, of)

    def f(ls: Any) -> Any:
        return total(ours, run(ours, program, ls), weights)

    def variables(r: Any) -> list[Any]:
        return [r[1][i] for i in names]

    def gradient(r: Any) -> list[Any]:
        return list(r[0].gradient)

    def product(r: Any) -> list[Any]:
        return list(r[0].product)

    compare("twin's value", [plain[i] for i in names], variables)
    xs, ds = tuple([xp.asarray(x.copy()) for x in leaves]), tuple([xp.asarray(d) for d in dirs])
    env = run(ours, program, [xp.asarray(x, copy=True) for x in xs])
    compare("value, untracked,", [env[i] for i in names], variables)

    seen: dict[int, Any] = {}

    def keeping(ls: Any) -> Any:
        seen.update(run(ours, program, ls))
        return total(ours, seen, weights)

    y, gs = xp.value_and_grad(keeping)(xs)
    compare("value, tracked,", [np.asarray(seen[i].detach()) for i in names], variables)
    seen.clear()
    compare("result", [np.asarray(float(y))], lambda r: [np.asarray(r[0].value)])
    compare("gradient, reverse,", gs, gradient)
    for x, start in zip(xs, leaves):
        if not np.array_equal(np.asarray(x), start):
            raise WrongError("an argument was written")
    y, dy = autodiff.jvp(lambda *ls: f(ls), xs, ds)
    compare("slope, forward", [dy], slope_of)

    def along(ls: Any) -> Any:
        return inner(xp.grad(f)(ls), ds)

    compare("product, reverse over reverse,", xp.grad(along)(xs), product)
    compare("product, forward over reverse,", autodiff.jvp(lambda *ls: xp.grad(f)(ls), xs, ds)[1], product)
    compare("product, reverse over forward,", xp.grad(lambda ls: autodiff.jvp(lambda *l2: f(l2), ls, ds)[1])(xs), product)
    twice = autodiff.jvp(lambda *ls: autodiff.jvp(lambda *l2: f(l2), ls, ds)[1], xs, ds)[1]
    compare("curvature, forward over forward", [twice], curve_of)
    pull = autodiff.vjp(lambda *ls: f(ls), *xs)[1]
    for _ in range(2):
        compare("gradient, vjp called again,", pull(xp.asarray(1.0)), gradient)
    imperative(program, weights, ds, compare, gradient, product)
    again = autodiff.checkpoint(lambda *ls: f(ls))
    compare("gradient, checkpoint,", xp.grad(lambda ls: again(*ls))(xs), gradient)
    if third:
        reverse = xp.grad(lambda ls: inner(xp.grad(along)(ls), ds))(xs)
        mixed = autodiff.jvp(lambda *l1: autodiff.jvp(lambda *l2: xp.grad(f)(l2), l1, ds)[1], xs, ds)[1]
        top = 1 + max(float(np.abs(np.asarray(b)).max(initial=0)) for b in mixed)
        for a, b in zip(reverse, mixed):
            if not np.abs(np.asarray(a) - np.asarray(b)).max(initial=0) <= (1e-9 if not program.single else 1e-3) * top:
                raise WrongError("third order")


def imperative(program: Program, weights: Any, ds: Any, compare: Any, gradient: Any, product: Any) -> None:
    """backward(), and backward() of what it computed."""
    ours = Ours()
    ls = [xp.asarray(x.copy()) for x in program.leaves]
    for x in ls:
        x.requires_grad = True
    starts = [x._storage.node.static for x in ls]  # the program may write into its leaves: then they are leaves no more
    y = total(ours, run(ours, program, ls), weights)

    def grads(clear: bool) -> list[Any]:
        found = [leaf.grad for leaf in starts]
        if clear:
            for leaf in starts:
                leaf.grad = None
        return [xp.asarray(np.zeros_like(x)) if g is None else g for g, x in zip(found, program.leaves)]

    y.backward(retain_graph=True)
    compare("gradient, backward(),", grads(True), gradient)
    y.backward(create_graph=True)
    first = grads(True)
    compare("gradient, backward(create_graph=True),", [np.asarray(g.detach()) for g in first], gradient)
    d = inner(first, ds)
    if d.requires_grad:
        d.backward()
        compare("product, backward() twice,", grads(True), product)


def _like(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    w = rng.normal(size=x.shape)
    return np.asarray(w + 1j * rng.normal(size=x.shape) if x.dtype.kind == "c" else w)


def failure(program: Program, seed: int, pures: Sequence[str]) -> str | None:
    """What is wrong with a program, in words that a smaller one may share."""
    try:
        check(program, seed, pures, third=seed % 10 == 0)
    except WrongError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shrunk(program: Program, seed: int, pures: Sequence[str]) -> Program:
    """The smallest program found, by leaving out steps, that fails in the same way."""
    kind = (failure(program, seed, pures) or "")[:20]
    smaller = True
    while smaller:
        smaller = False
        for i in reversed(range(len(program.steps))):
            gone = {program.steps[i].out} - {None}
            rest = program.steps[:i]
            for s in program.steps[i + 1 :]:
                if any(a.__class__ is Ref and a.name in gone for a in s.args):
                    gone |= {s.out} - {None}
                else:
                    rest.append(s)
            candidate = program._replace(steps=rest)
            try:
                run(Direct(), candidate, [x.copy() for x in candidate.leaves])
            except Exception:
                continue
            if (failure(candidate, seed, pures) or "").startswith(kind):
                program, smaller = candidate, True
                break
    return program


class Tally(NamedTuple):
    """checked programs, those rejected, and failures: {what: first seed}"""

    checked: int
    rejected: int
    failures: dict[str, int]
    steps: Counter[str]


def survey(first: int, count: int, pures: Sequence[str] = ("torch",), large: bool = False, stop: bool = False) -> Tally:
    """Check the programs of `count` seeds; stop: after the first that fails."""
    checked = rejected = 0
    failures: dict[str, int] = {}
    steps: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            program = Drawing((seed, int(large)), large).program
        except RejectedError:
            rejected += 1
            continue
        wrong = failure(program, seed, pures)
        checked += 1
        steps.update(s.method for s in program.steps)
        if wrong:
            failures.setdefault(wrong, seed)
            if stop:
                break
    return Tally(checked, rejected, failures, steps)


def main() -> int:
    """Check a range of seeds and print a line for each kind of failure."""
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.autodiff_programs")
    parser.add_argument("first", type=int, nargs="?", default=0)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--twin", choices=("torch", "mtarray", "both"), default="torch")
    options = parser.parse_args()
    pures = ("torch", "mtarray") if options.twin == "both" else (options.twin,)
    start = time.monotonic()
    tallies: list[Tally] = []
    share = options.count // options.threads
    workers = [
        threading.Thread(target=lambda k=k: tallies.append(survey(options.first + k * share, share, pures, options.large)))
        for k in range(options.threads)
    ]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    failed = {what: seed for t in tallies for what, seed in t.failures.items()}
    checked = sum(t.checked for t in tallies)
    print(f"{checked} programs, {sum(t.rejected for t in tallies)} rejected, {time.monotonic() - start:.0f} s", flush=True)
    print(dict(sum([t.steps for t in tallies], Counter()).most_common()))
    for what, seed in failed.items():
        program = Drawing((seed, int(options.large)), options.large).program
        print(f"seed {seed}: {what}", shrunk(program, seed, pures), sep="\n")
    print(f"{checked} random programs, {len(failed)} kinds of failure")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
