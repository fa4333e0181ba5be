"""Random programs of views, indexing and in-place writes, on mtarray and NumPy side by side.

After every step all live arrays of both libraries are compared, so that a write must show in every view of the same memory and
in nothing else. A step that NumPy refuses must be refused by an error of the same class, and must have changed nothing.
"""

import operator
from collections.abc import Callable
from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np
import pytest

import mtarray as xp

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128",
)  # fmt: skip
STEPS = 14
LIVE = 7
LARGEST = 500_000  # elements
ERRORS = (IndexError, ValueError, TypeError, OverflowError)

# What in-place operators do, the last ones only within what every library defines alike.
OPERATORS = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "&=": operator.iand, "|=": operator.ior, "^=": operator.ixor,
    "//=": operator.ifloordiv, "%=": operator.imod, "/=": operator.itruediv, "<<=": operator.ilshift, ">>=": operator.irshift,
    "**=": operator.ipow,
}  # fmt: skip


class Arrays:
    """An index array as NumPy has it, and the form in which ours is given it."""

    def __init__(self, array: np.ndarray, form: str) -> None:
        self.array = array
        self.form = form

    def __repr__(self) -> str:
        return f"{self.form}({self.array.tolist() if self.array.size < 50 else self.array.shape})"

    def given(self, ours: bool) -> Any:
        if self.form == "list":
            return self.array.tolist()
        return xp.asarray(self.array.copy()) if ours and self.form == "Array" else self.array


def elements(x: Any) -> np.ndarray:
    """The memory of one of our arrays, of the simulated device's too, as NumPy sees it."""
    return np.asarray(x) if x.device == "cpu" else np.from_dlpack(x, device="cpu", copy=False)


def given(key: Any, ours: bool) -> Any:
    if isinstance(key, tuple):
        return tuple(given(k, ours) for k in key)
    return key.given(ours) if isinstance(key, Arrays) else key


def family(error: BaseException) -> set[type]:
    """The built-in classes by which a program could catch an error."""
    return {c for c in ERRORS if isinstance(error, c)}


class Program:
    """Pairs of arrays that must stay equal, and the steps that are drawn on them."""

    def __init__(self, seed: list[int], large: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.large = large
        self.ours: list[Any] = []
        self.theirs: list[Any] = []
        self.log: list[str] = []
        self.masked = False  # whether the step has a boolean index
        self.elsewhere = xp.empty(0).device != "cpu"  # where NumPy's memory cannot be shared, nor its arrays be operands
        for _ in range(2):
            self.create()

    # ------------------------------------------------------------------ drawing

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    def pick(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def integer(self, low: int, high: int) -> int:
        """low <= i <= high"""
        return int(self.rng.integers(low, high + 1))

    def content(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Quarters of small integers: sums and products are exact, and every cast to an integer is defined."""
        d = np.dtype(dtype)
        a = self.rng.integers(0 if d.kind in "bu" else -8, 9, shape)
        if d.kind == "b":
            return np.asarray(a > 4)
        out = np.asarray(a / 4 if d.kind in "fc" else a).astype(d)
        if d.kind == "c":
            out.imag = self.rng.integers(-8, 9, shape) / 4
        return out

    def shape(self) -> tuple[int, ...]:
        if self.large:
            return self.pick([(70_001,), (270, 301), (5, 130, 127), (2, 40_000), (40_000, 2), (1, 70_000)])
        return tuple(self.integer(0, 5) if self.chance(0.1) else self.integer(1, 5) for _ in range(self.pick([0, 1, 1, 2, 2, 3, 3, 4])))

    def which(self) -> int:
        return self.integer(0, len(self.theirs) - 1)

    def int_array(self, n: int, shape: tuple[int, ...]) -> np.ndarray:
        wrong = 1 if self.chance(0.04) else 0
        if n + wrong == 0:
            return np.zeros(shape if 0 in shape else (0,), np.int64)
        kind = self.pick(["int64", "int64", "int32", "int8", "uint8", "uint64"]) if n <= 100 else "int64"
        low = 0 if kind.startswith("u") else -n - wrong
        return self.rng.integers(low, n + wrong, shape).astype(kind)

    def key(self, shape: tuple[int, ...], arrays: bool) -> Any:
        """An index of an array of this shape; with index arrays, or none. Sometimes out of bounds or of too many items."""
        items: list[Any] = []
        common = tuple(self.integer(1, 3) for _ in range(self.integer(0, 2)))
        if self.large:
            common = (min(20_000, LARGEST // max(1, prod(shape) // max(1, min(shape, default=1)))),) if self.chance(0.5) else (3,)
        axis = 0
        ndim = len(shape)
        if ndim and self.chance(0.3) and not arrays:
            n = shape[0]
            return self.integer(-n, n) if self.chance(0.5) and n else self.slice(n)
        stop = ndim if self.chance(0.6) else self.integer(0, ndim)
        while axis < stop:
            r = self.rng.random()
            if r < 0.12:
                items.append(None)
                continue
            n = shape[axis]
            if arrays and r < 0.5:
                if self.chance(0.3):
                    span = self.integer(1, min(2, ndim - axis))
                    self.masked = True
                    mask = self.rng.random(shape[axis : axis + span]) < 0.5
                    if self.chance(0.04):
                        mask = np.ones(tuple(m + 1 for m in mask.shape), bool)
                    items.append(Arrays(mask, self.form(mask)))
                    axis += span
                    continue
                part = common[self.integer(0, len(common)) :] if self.chance(0.3) else common
                index = self.int_array(n, part)
                items.append(Arrays(index, self.form(index)))
            elif r < 0.7 and n:
                i = self.integer(-n, n - 1) if self.chance(0.97) else self.pick([n, -n - 1, n + 7])
                items.append(np.int64(i) if self.chance(0.1) else i)
            else:
                items.append(self.slice(n))
            axis += 1
        if self.chance(0.2):
            items.insert(self.integer(0, len(items)), Ellipsis)
        if self.chance(0.02):
            items.append(0)
            items.insert(0, slice(None))
        if arrays and self.chance(0.1):
            items.append(self.pick([True, False, Arrays(np.array(True), "Array"), Arrays(np.array(False), "ndarray")]))
        if len(items) == 1 and self.chance(0.5):
            return items[0]
        return tuple(items)

    def form(self, a: np.ndarray, lists: bool = True) -> str:
        return self.pick(["Array", "ndarray", "list"] if lists and a.ndim and 0 < a.size < 50 else ["Array", "ndarray"])

    def slice(self, n: int) -> slice:
        def end() -> Any:
            return None if self.chance(0.5) else self.integer(-n - 2, n + 2)

        return slice(end(), end(), self.pick([None, None, 1, 2, 3, -1, -1, -2]))

    def scalar(self) -> Any:
        return self.pick([0, 1, 2, 3, -1, 300, True, 0.5, -2.25, 1.5 + 2j, np.float32(0.5), np.int8(3), np.float64(1.25)])

    # ------------------------------------------------------------------ steps: each is (description, function of one library's arrays)

    def create(self) -> None:
        a = self.content(self.shape(), self.pick(DTYPES))
        if self.chance(0.3) and a.ndim:
            a = np.asfortranarray(a)
        copied = self.chance(0.5) or self.elsewhere
        self.theirs.append(a.copy(order="C" if copied else "K"))
        self.ours.append(xp.asarray(a, copy=True if copied else None))
        self.log.append(f"create {a.shape} {a.dtype}")

    def view(self) -> tuple[str, Callable[[bool], Any]] | None:
        i = self.which()
        shape = self.theirs[i].shape
        ndim = len(shape)
        kind = self.pick(["permute", "flip", "broadcast", "reshape", "squeeze", "expand", "real", "imag", "T", "mT", "moveaxis", "unstack"])
        f: Callable[[Any, Any], Any]
        if kind == "permute":
            axes = tuple(int(a) for a in self.rng.permutation(ndim))
            what, f = f"permute {axes}", lambda lib, x: lib.permute_dims(x, axes)
        elif kind == "flip":
            if not ndim:
                return None  # NumPy gives a scalar
            axis = None if self.chance(0.2) else self.integer(-ndim, ndim - (0 if self.chance(0.05) else 1))
            what, f = f"flip {axis}", lambda lib, x: lib.flip(x, axis=axis)
        elif kind == "broadcast":
            target = tuple(self.integer(2, 3) for _ in range(self.integer(0, 1))) + tuple(
                self.integer(2, 4) if n == 1 and self.chance(0.7) else n for n in shape
            )
            if target == shape or prod(target) > LARGEST:
                return None
            if self.chance(0.05):
                target = (*target[:-1], target[-1] + 1)
            what, f = f"broadcast {target}", lambda lib, x: lib.broadcast_to(x, target)
        elif kind == "reshape":
            new = self.factors(prod(shape))
            what, f = f"reshape {new}", lambda lib, x: lib.reshape(x, new)
        elif kind == "squeeze":
            ones = [a for a, n in enumerate(shape) if n == 1]
            axes = tuple(a for a in ones if self.chance(0.6)) if self.chance(0.95) else tuple(range(ndim))
            what, f = f"squeeze {axes}", lambda lib, x: lib.squeeze(x, axis=axes)
        elif kind == "expand":
            axis = self.integer(-ndim - 1, ndim)
            what, f = f"expand_dims {axis}", lambda lib, x: lib.expand_dims(x, axis=axis)
        elif kind in ("real", "imag"):
            if kind == "imag" and self.theirs[i].dtype.kind != "c":
                return None  # read-only zeros in both libraries, but laid out differently
            what, f = kind, lambda lib, x: getattr(x, kind)
        elif kind == "T":
            what, f = kind, lambda lib, x: x.T
        elif kind == "mT":
            what, f = kind, lambda lib, x: lib.matrix_transpose(x)
        elif kind == "moveaxis":
            if not ndim:
                return None
            a, b = self.integer(-ndim, ndim - 1), self.integer(-ndim, ndim - 1)
            what, f = f"moveaxis {a} {b}", lambda lib, x: lib.moveaxis(x, a, b)
        elif kind == "unstack":
            a = self.integer(0, max(ndim - 1, 0))
            if ndim < 2 or not 0 < shape[a] < 100:
                return None
            j = self.integer(0, shape[a] - 1)
            what, f = f"unstack {a} {j}", lambda lib, x: lib.unstack(x, axis=a)[j]
        return f"#{i} {what}", lambda ours: f(xp if ours else np, (self.ours if ours else self.theirs)[i])

    def factors(self, size: int) -> tuple[int, ...]:
        """A shape of so many elements; sometimes with one length left open, or wrong."""
        if self.chance(0.05):
            return (size + 1,)
        left, out = size, []
        for _ in range(self.integer(0, 3)):
            divisors = [d for d in (1, 2, 3, 4, 5, 6, 10) if left and left % d == 0] or [0]
            out.append(self.pick(divisors))
            left = left // out[-1] if out[-1] else 0
        if 0 not in out or size:
            out.append(left)
        if 0 not in out and self.chance(0.3) and out:
            out[self.integer(0, len(out) - 1)] = -1
        return tuple(out)

    def get(self) -> tuple[str, Callable[[bool], Any]]:
        i = self.which()
        key = self.key(self.theirs[i].shape, arrays=self.chance(0.5))
        return f"#{i}[{key}]", lambda ours: (self.ours if ours else self.theirs)[i][given(key, ours)]

    def set(self) -> tuple[str, Callable[[bool], Any]] | None:
        i = self.which()
        target = self.theirs[i]
        key = self.key(target.shape, arrays=self.chance(0.6))
        try:
            selected = target[given(key, False)]
        except ERRORS:
            selected = np.empty(1)
        source = self.source(np.shape(selected), target.dtype)
        if source is None:
            return None
        what, pick = source
        if not np.ndim(selected) and np.ndim(pick(False)):
            return None  # a sequence into one element: NumPy has an error or none by dtype and length, see `test_one_element`

        def run(ours: bool) -> None:
            (self.ours if ours else self.theirs)[i][given(key, ours)] = pick(ours)

        return f"#{i}[{key}] = {what}", run

    def source(self, shape: tuple[int, ...], into: np.dtype, lists: bool = True) -> tuple[str, Callable[[bool], Any]] | None:
        """What to write into an array of this dtype: a number, a fresh array, a list, or a live array that may share the memory."""
        r = self.rng.random()
        if r < 0.25:
            value = self.scalar()
            if into.kind == "u" and isinstance(value, (float, int)) and value < 0:
                return None
            if isinstance(value, complex) and into.kind != "c":
                return None
            return repr(value), lambda ours: value
        if r < 0.4:
            j = self.which()
            if not self.castable(self.theirs[j], into):
                return None
            return f"#{j}", lambda ours: self.ours[j] if ours else self.theirs[j].copy()  # NumPy's masks do not mind an overlap
        if r < 0.5 and len(shape):
            part = self.theirs[self.which()]
            j = next(k for k, a in enumerate(self.theirs) if a is part)
            if not self.castable(part, into):
                return None
            back = (slice(None, None, -1),) * part.ndim
            return f"#{j} backwards", lambda ours: self.ours[j][back] if ours else self.theirs[j][back].copy()
        shape = tuple(1 if self.chance(0.15) else n for n in shape)[self.integer(0, len(shape)) if self.chance(0.2) else 0 :]
        if self.chance(0.03):
            shape = (*shape, 7)
        values = self.content(shape, self.pick(DTYPES) if self.chance(0.4) else into.name)
        if not self.castable(values, into):
            return None
        fits = (
            into.kind not in "iu"
            or not values.size
            or np.iinfo(into).min <= int(values.real.min()) <= int(values.real.max()) <= np.iinfo(into).max
        )
        form = self.form(values, lists and bool(fits))
        return (
            f"{form} {shape} {values.dtype}",
            lambda ours: xp.asarray(values) if ours and form == "Array" else values.tolist() if form == "list" else values,
        )

    @staticmethod
    def castable(values: np.ndarray, into: np.dtype) -> bool:
        """Whether C defines the conversion, and we allow it: complex into real, and floats that leave the integers, are ours to refuse."""
        if values.dtype.kind == "c" and into.kind != "c":
            return False
        if values.dtype.kind == "f" and into.kind in "iu":
            return bool(np.all(np.isfinite(values)) and np.all((values >= (0 if into.kind == "u" else -100)) & (values <= 100)))
        return True

    def inplace(self) -> tuple[str, Callable[[bool], Any]] | None:
        i = self.which()
        target = self.theirs[i]
        name = self.pick(list(OPERATORS) if self.chance(0.5) else ["+=", "-=", "*="])
        key = self.key(target.shape, arrays=False) if self.chance(0.4) else ()
        try:
            part = target[key]
        except ERRORS:
            return None
        if not isinstance(part, np.ndarray):
            return None  # NumPy's scalars take the dtype of the result; ours is an array and keeps its own
        if name in ("//=", "%=", "/=", "<<=", ">>=", "**="):
            # Within what both libraries define alike: no zero divisors, short shifts, small powers.
            if (
                target.dtype.kind in "bc"
                or (name == "**=" and target.dtype.kind == "f")
                or not np.all(np.isfinite(part))
                or np.any(np.abs(part.astype(float)) > 1000)
            ):
                return None
            operand: Any = self.pick([1, 2, 3, 2.5] if target.dtype.kind == "f" else [1, 2, 3])
            if self.chance(0.4) and name != "**=":
                operand = np.full(part.shape, operand, target.dtype)
            what, pick = repr(np.asarray(operand).tolist())[:60], lambda ours: operand
        else:
            source = self.source(part.shape, np.dtype(complex), lists=False)
            if source is None:
                return None
            what, pick = source
        function = OPERATORS[name]

        def run(ours: bool) -> None:
            x = (self.ours if ours else self.theirs)[i]
            y = pick(ours)
            if ours and self.elsewhere and isinstance(y, np.ndarray):
                y = xp.asarray(y)
            if key == ():
                out = function(x, y)
                assert out is x, "an in-place operator returned another object"
            else:
                x[key] = function(x[key], y)  # what Python makes of x[key] += y

        return f"#{i}[{key}] {name} {what}", run

    def arithmetic(self) -> tuple[str, Callable[[bool], Any]] | None:
        i, j = self.which(), self.which()
        if prod(map(max, zip_longest(self.theirs[i].shape[::-1], self.theirs[j].shape[::-1], fillvalue=1))) > LARGEST:
            return None
        name, f = self.pick([("+", operator.add), ("*", operator.mul), ("==", operator.eq), ("copy", lambda x, y: x.copy())])
        return f"#{i} {name} #{j}", lambda ours: f(*[(self.ours if ours else self.theirs)[k] for k in (i, j)])

    # ------------------------------------------------------------------ running

    def step(self) -> None:
        kind = self.pick(["view", "view", "get", "get", "set", "set", "set", "inplace", "inplace", "arithmetic", "create"])
        if kind == "create":
            self.create()
        else:
            self.masked = False
            drawn = getattr(self, kind)()
            if drawn is None:
                return
            what, run = drawn
            self.log.append(what)
            before = [a.copy() for a in self.theirs]
            with np.errstate(all="ignore"):
                theirs, their_error = attempt(run, False)
            ours, our_error = attempt(run, True)
            if their_error is not None:
                self.restore(before)  # NumPy may have written half of a list; we must not
                assert our_error is not None, f"NumPy refuses with {their_error!r}, mtarray does not"
                # A step may be wrong in two ways, and either may be said. NumPy's class for too many values depends on the mask.
                said = f"{our_error} {their_error}"
                both_wrong = any(words in said for words in ("read-only", "boolean array indexing", "shape mismatch: value"))
                assert both_wrong or family(our_error) & family(their_error), f"NumPy raises {their_error!r}, mtarray {our_error!r}"
            else:
                if our_error is not None:
                    if "cannot be broadcast to the selected shape" not in str(our_error) or not self.masked:
                        raise our_error
                    # x[..., mask] = y with y of more dimensions than the selection: NumPy drops leading ones if there is an ellipsis.
                    self.restore(before)
                    return
                assert (ours is None) == (theirs is None)
                if theirs is not None:
                    self.same(ours, np.asarray(theirs), "the result")
                    self.shared(what, ours, theirs)
                    if np.size(theirs) <= LARGEST:
                        self.ours.append(ours)
                        self.theirs.append(self.alike(theirs, elements(ours)))
        for k, (x, a) in enumerate(zip(self.ours, self.theirs)):
            self.same(x, a, f"#{k}")
        if len(self.theirs) > LIVE:
            k = self.which()
            del self.ours[k], self.theirs[k]
            self.log.append(f"drop #{k}")

    def restore(self, before: list[np.ndarray]) -> None:
        for a, values in zip(self.theirs, before):
            if a.flags.writeable:
                a[...] = values

    def alike(self, theirs: Any, ours: np.ndarray) -> np.ndarray:
        """NumPy's result; one that shares memory with nothing is laid out like ours, so that reshaping it copies or not in both."""
        theirs = np.asarray(theirs)
        if theirs.flags.owndata and theirs.base is None and not any(theirs is a for a in self.theirs):
            out = np.empty_like(ours)
            out[...] = theirs
            out.flags.writeable = theirs.flags.writeable
            return out
        return theirs

    @staticmethod
    def same(x: Any, a: np.ndarray, what: str) -> None:
        assert type(x) is xp.Array, f"{what} is a {type(x)}"
        assert x.shape == a.shape, f"{what} has shape {x.shape}, NumPy's {a.shape}"
        assert x.dtype == a.dtype, f"{what} has dtype {x.dtype}, NumPy's {a.dtype}"
        got = elements(x)
        assert np.array_equal(got, a, equal_nan=a.dtype.kind in "fc"), f"{what} is {got}, NumPy's {a}"

    def shared(self, what: str, x: Any, a: Any) -> None:
        """A result shares memory with a live array exactly where NumPy's does, and may be written exactly where NumPy's may."""
        if not isinstance(a, np.ndarray) or not a.size:
            return
        assert elements(x).flags.writeable == a.flags.writeable, f"writeable: mtarray {elements(x).flags.writeable}"
        for k, (y, b) in enumerate(zip(self.ours, self.theirs)):
            assert np.may_share_memory(elements(x), elements(y)) == np.may_share_memory(a, b), f"memory shared with #{k} differs"


@pytest.mark.parametrize("item", [[1, 2], np.ones(1), xp.ones(1)])
def test_one_element(item: Any) -> None:
    """One element takes a number or a 0-d array; `x[i, ...]` broadcasts, as any assignment."""
    x = xp.zeros((2, 2))
    with pytest.raises(ValueError, match="shape"):
        x[0, 1] = item
    assert not xp.any(x)
    x[0, 1] = xp.asarray(3.0)
    x[0, 0, ...] = xp.ones(1)
    assert x.tolist() == [[1.0, 3.0], [0.0, 0.0]]


def attempt(run: Callable[[bool], Any], ours: bool) -> tuple[Any, BaseException | None]:
    try:
        return run(ours), None
    except ERRORS as error:
        return None, error


def play(seed: list[int], large: bool = False, steps: int = STEPS) -> None:
    program = Program(seed, large)
    try:
        for _ in range(steps):
            program.step()
    except Exception as error:
        raise AssertionError(f"program {seed}:\n" + "\n".join(program.log) + f"\n{type(error).__name__}: {error}") from error


@pytest.mark.parametrize("part", range(8))
def test_programs(part: int, seed: int, full: bool) -> None:
    for n in range(1000 if full else 60):
        play([seed, part, n])


def test_programs_on_large_arrays(seed: int, full: bool) -> None:
    """The same where parallel kernels do the work, or may."""
    for n in range(400 if full else 26):
        with xp.config(kernels="numba" if n % 2 else "auto"):
            play([seed, 100, n], large=True, steps=10)


def test_programs_by_kernels_only(seed: int, full: bool) -> None:
    """The same with compiled kernels at every size."""
    with xp.config(kernels="numba"):
        for n in range(400 if full else 10):
            play([seed, 200, n])


@pytest.mark.parametrize("part", range(2))
def test_programs_on_a_device(part: int, seed: int, full: bool) -> None:
    """The same where the memory is a simulated GPU's."""
    with xp.config(cuda="simulate"), xp.set_default_device("cuda"):
        for n in range(400 if full else 12):
            play([seed, 300 + part, n])
