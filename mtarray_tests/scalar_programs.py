"""Random scalar functions with branches and loops, and dual numbers that differentiate them."""

from __future__ import annotations

import linecache
import math
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

# ---------------------------------------------------------------------- functions without a file


def defined(source: str, name: str, **space: Any) -> Any:
    """What a cell of a notebook with this source defines as `name`: there is no file, but its lines are where tracebacks find them."""
    path = f"<cell {len(linecache.cache)} {name}>"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    space = {"math": math, "__name__": __name__, **space}
    exec(compile(source, path, "exec"), space)
    return space[name]


# ---------------------------------------------------------------------- dual numbers


class Dual:
    """value + slope * e with e^2 = 0; parts may be dual numbers themselves."""

    def __init__(self, value: Any, slope: Any) -> None:
        self.value, self.slope = value, slope

    def __add__(self, other: Any) -> Dual:
        o = lifted(other)
        return Dual(self.value + o.value, self.slope + o.slope)

    def __mul__(self, other: Any) -> Dual:
        o = lifted(other)
        return Dual(self.value * o.value, self.slope * o.value + self.value * o.slope)

    def __truediv__(self, other: Any) -> Dual:
        o = lifted(other)
        y = self.value / o.value
        return Dual(y, (self.slope - y * o.slope) / o.value)

    def __pow__(self, n: int) -> Dual:
        return Dual(self.value**n, n * self.value ** (n - 1) * self.slope)

    def __mod__(self, n: float) -> Dual:
        return Dual(self.value % n, self.slope)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.slope)

    def __abs__(self) -> Dual:
        return self if self > 0 else -self

    def __sub__(self, other: Any) -> Dual:
        return self + -lifted(other)

    def __rsub__(self, other: Any) -> Dual:
        return -self + other

    def __rtruediv__(self, other: Any) -> Dual:
        return lifted(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other: Any) -> bool:
        return plain(self) < plain(other)

    def __gt__(self, other: Any) -> bool:
        return plain(self) > plain(other)


def lifted(x: Any) -> Dual:
    return x if isinstance(x, Dual) else Dual(x, 0.0)


def slope_of(x: Any) -> Any:
    return x.slope if isinstance(x, Dual) else 0.0


def plain(x: Any) -> float:
    while isinstance(x, Dual):
        x = x.value
    return x  # type: ignore[no-any-return]


def _function(f: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        return Dual(call(x.value), x.slope * slope(x.value)) if isinstance(x, Dual) else f(x)

    return call


DUAL_MATH: Any = SimpleNamespace()
DUAL_MATH.sin = _function(math.sin, lambda v: DUAL_MATH.cos(v))
DUAL_MATH.cos = _function(math.cos, lambda v: -DUAL_MATH.sin(v))
DUAL_MATH.exp = _function(math.exp, lambda v: DUAL_MATH.exp(v))
DUAL_MATH.tanh = _function(math.tanh, lambda v: 1 - DUAL_MATH.tanh(v) * DUAL_MATH.tanh(v))
DUAL_MATH.atan = _function(math.atan, lambda v: 1 / (1 + v * v))
DUAL_MATH.sqrt = _function(math.sqrt, lambda v: 0.5 / DUAL_MATH.sqrt(v))
DUAL_MATH.log1p = _function(math.log1p, lambda v: 1 / (1 + v))
DUAL_MATH.asinh = _function(math.asinh, lambda v: 1 / DUAL_MATH.sqrt(1 + v * v))
DUAL_MATH.floor = lambda x: math.floor(plain(x))


# ---------------------------------------------------------------------- random functions


class Writer:
    """Writes one function of x and y, with a helper or two. Values stay within a few units, so that rounding is not amplified."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names = ["x", "y"]
        self.counters: list[str] = []
        self.helpers: list[tuple[str, int]] = []
        self.count = 0

    def number(self) -> str:
        return repr(round(self.random.uniform(0.2, 2.0), 3))

    def value(self, depth: int = 2) -> str:
        """A bounded smooth expression, but for branches."""
        pick = self.random.random()
        if depth == 0 or pick < 0.2:
            return self.random.choice([*self.names, *self.names, *self.counters, self.number()])
        a, b = self.value(depth - 1), self.value(depth - 1)
        choice = self.random.randrange(13)
        if choice < 2:
            return f"({a} {self.random.choice('+-')} {b})"
        if choice == 2:
            return f"{a} * {b} / (1.5 + abs({b}))" if self.random.random() < 0.5 else f"math.tanh({a} * {b})"
        if choice == 3:
            return f"{a} / ({self.number()} + ({b}) ** 2)"
        if choice == 4:
            return f"({a} if {self.condition()} else {b})"
        if choice == 5:
            return f"{self.random.choice(['max', 'min'])}({a}, {b} + 0.0137)"
        if choice == 6 and self.helpers:
            name, count = self.random.choice(self.helpers)
            if count == 1:
                return f"{name}({a}, {b})"
        if choice == 7:
            return f"-({a})"
        if choice == 8:
            return f"(0.3 * ({a})) ** {self.random.choice([2, 3])}"
        if choice == 9:
            return f"math.sqrt(0.5 + ({a}) * ({a}))"
        if choice == 10:
            return f"math.exp(-abs({a}))"
        return f"math.{self.random.choice(['sin', 'cos', 'tanh', 'atan', 'asinh'])}({a})"

    def condition(self) -> str:
        test = f"{self.value(1)} {self.random.choice('<>')} {self.number()}"
        if self.random.random() < 0.2:
            return f"not {test}"
        return f"({test} {self.random.choice(['and', 'or'])} {self.value(0)} > -0.211)" if self.random.random() < 0.3 else test

    def fresh(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def put(self, indent: int, text: str) -> None:
        self.lines.append("    " * indent + text)

    def statements(self, indent: int, count: int, inside: bool = True) -> None:
        known = list(self.names)
        for _ in range(count):
            self.statement(indent, inside)
        if inside:  # what a block defines may not be there after it
            self.names = known

    def assign(self, indent: int, inside: bool) -> None:
        pick = self.random.random()
        known = [n for n in self.names if n not in ("x", "y") or self.random.random() < 0.3] or ["x"]
        if pick < 0.35:
            self.put(indent, f"{self.random.choice(known)} {self.random.choice('+-')}= math.atan({self.value(1)})")
        elif pick < 0.5 and len(known) > 1:
            a, b = self.random.sample(known, 2)
            self.put(indent, f"{a}, {b} = {self.value(1)}, {a}")
        elif pick < 0.65 and any(n == 2 for _, n in self.helpers) and len(known) > 1:
            a, b = self.random.sample(known, 2)
            name = self.random.choice([h for h, n in self.helpers if n == 2])
            self.put(indent, f"{a}, {b} = {name}({self.value(1)}, {self.value(1)})")
        elif inside:
            self.put(indent, f"{self.random.choice(known)} = {self.value()}")
        else:
            e = self.value()
            name = self.fresh()
            self.put(indent, f"{name} = {e}")
            self.names.append(name)

    def statement(self, indent: int, inside: bool) -> None:
        pick = self.random.random()
        if indent > 2 or pick < 0.5:
            self.assign(indent, inside)
        elif pick < 0.7:
            self.put(indent, f"if {self.condition()}:")
            self.statements(indent + 1, self.random.randint(1, 2))
            if self.random.random() < 0.6:
                self.put(indent, "else:")
                self.statements(indent + 1, self.random.randint(1, 2))
        elif pick < 0.85:
            counter = self.fresh()
            self.put(indent, f"for {counter} in range({self.random.randint(1, 4)}):")
            self.counters.append(counter)
            self.statements(indent + 1, self.random.randint(1, 2))
            if self.random.random() < 0.4:
                self.put(indent + 1, f"if {self.condition()}:")
                self.put(indent + 2, self.random.choice(["break", "continue"]))
                self.assign(indent + 1, True)
            self.counters.remove(counter)
        else:
            steps, size = self.fresh(), self.fresh()
            self.put(indent, f"{steps} = 0")
            self.put(indent, f"{size} = {self.value(1)}")
            self.put(indent, f"while {steps} < 4 and {size} > {self.number()}:")
            self.put(indent + 1, f"{size} = {size} * 0.7 - 0.1 * math.sin({size})")
            self.names.append(size)
            self.statements(indent + 1, 1)
            self.put(indent + 1, f"{steps} += 1")

    def write(self) -> str:
        text = ""
        for k in range(self.random.randint(0, 2)):
            inner = Writer(self.random.randrange(1 << 30))
            inner.helpers = list(self.helpers)
            count = self.random.choice([1, 1, 2])
            inner.statements(1, self.random.randint(1, 2), False)
            results = ", ".join(inner.value() for _ in range(count))
            text += "\n".join([f"def helper{k}(x, y):", *inner.lines, f"    return {results}", "", ""])
            self.helpers.append((f"helper{k}", count))
        self.statements(1, self.random.randint(2, 5), False)
        end = [f"    return {self.value()} + {' + '.join(f'math.sin({n})' for n in self.names)}"]
        if self.random.random() < 0.3:
            end = [f"    if {self.condition()}:", f"        return {self.value()}", *end]
        return text + "\n".join(["def f(x, y):", *self.lines, *end, ""])
