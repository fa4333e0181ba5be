"""Programs of views and writes, and what runs them: NumPy and mtarray as they stand, and a `Twin` that has neither views nor writes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import mtarray as xp

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
