"""Random programs of views and writes, drawn while NumPy runs them."""

from __future__ import annotations

from typing import Any

import numpy as np

import mtarray as xp

from .autodiff_machines import WRITES, Direct, Ours, Program, Ref, Step


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
