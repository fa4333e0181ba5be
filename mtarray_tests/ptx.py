"""PTX, the assembly of CUDA kernels, run on the CPU: what the compiler made is compared with the CPU's results, bit by bit, without a GPU.

`run(text, threads, *args)` runs the kernel of a PTX text for so many threads of one block at once, each register an ndarray with an element
per thread. It knows what straight-line arithmetic compiles to: no barriers, no shared memory, no calls. Threads that part at a branch meet
again because those that are least far are always run next.
"""

import re
from typing import Any

import numpy as np

from mtarray._kernels.scalarlib.primitives import HAS_FMA

TYPES = {
    f"{kind}{width}": np.dtype(f"{letter}{width // 8}")
    for kind, letter in (("s", "i"), ("u", "u"), ("b", "u"), ("f", "f"))
    for width in (8, 16, 32, 64)
    if (kind, width) != ("f", 8)
} | {"pred": np.dtype(bool)}
_COMPARE = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


def exact_fma() -> Any:
    """a * b + c with one rounding, of arrays of one float dtype, by the processor."""
    if not HAS_FMA:
        raise NotImplementedError("this processor has no fused multiply-add to compare with")
    from numba import vectorize

    from mtarray._kernels.scalarlib import fma

    return vectorize(["f4(f4,f4,f4)", "f8(f8,f8,f8)"])(lambda a, b, c: fma(a, b, c))


class Machine:
    """The state of all threads."""

    fma: Any = None

    def __init__(self, text: str, threads: int, args: tuple[Any, ...]) -> None:
        self.threads = threads
        self.args = args  # ndarrays and integers
        body = text[text.index("{", text.index(".entry")) + 1 : text.rindex("}")]
        self.code: list[tuple[str, ...]] = []
        self.labels: dict[str, int] = {}
        self.registers: dict[str, Any] = {}
        for line in body.splitlines():
            line = line.split("//")[0].strip()
            if not line:
                continue
            if line.endswith(":"):
                self.labels[line[:-1]] = len(self.code)
            elif line.startswith(".reg"):
                _, kind, names = line.rstrip(";").split()
                base, count = re.fullmatch(r"(%\w+?)<(\d+)>", names).groups()  # type: ignore[union-attr]
                for i in range(int(count)):
                    self.registers[f"{base}{i}"] = np.zeros(threads, TYPES[kind[1:]])
            else:
                m = re.fullmatch(r"(?:@(!?)(%\w+)\s+)?([\w.]+)\s*(.*);", line)
                if m is None:
                    raise NotImplementedError(line)
                operands = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+", m[4])
                self.code.append((m[1] or "", m[2] or "", m[3], *operands))
        lane = np.arange(threads, dtype=np.uint32)
        self.special = {"%tid.x": lane, "%ntid.x": np.full(threads, threads, np.uint32)}
        for name in "%ctaid.x %tid.y %tid.z %ctaid.y %ctaid.z".split():
            self.special[name] = np.zeros(threads, np.uint32)
        for name in "%nctaid.x %ntid.y %ntid.z %nctaid.y %nctaid.z".split():
            self.special[name] = np.ones(threads, np.uint32)

    # Memory: each array has an address of its own, far from the others'.
    def address(self, i: int) -> int:
        return (i + 1) << 40

    def read(self, name: str, kind: str) -> Any:
        """An operand as an array of a type."""
        dtype = TYPES[kind]
        if name in self.registers:
            x = self.registers[name]
            return x if x.dtype == dtype else x.view(dtype)
        if name in self.special:
            return self.special[name].astype(dtype)
        if name.startswith("0f"):
            bits = np.array(int(name[2:], 16), np.uint32)
        elif name.startswith("0d"):
            bits = np.array(int(name[2:], 16), np.uint64)
        else:
            width = dtype.itemsize * 8
            bits = np.array(int(name, 0) & ((1 << width) - 1), f"u{dtype.itemsize}")
        return np.broadcast_to(bits.view(dtype), self.threads)

    def write(self, name: str, value: Any, mask: Any) -> None:
        x = self.registers[name]
        value = np.asarray(value)
        if value.itemsize != x.itemsize:  # of integers: the sign is kept where a register is wider
            value = value.astype(f"{value.dtype.kind}{x.itemsize}")
        if value.dtype != x.dtype:
            value = np.ascontiguousarray(value).view(x.dtype)
        x[mask] = np.broadcast_to(value, self.threads)[mask]

    def memory(self, operand: str, kind: str) -> tuple[Any, Any, Any]:
        """(where each thread's address points: number of the argument, element of it as this type, that argument's elements)."""
        base, _, offset = operand.strip("[]").partition("+")
        at = self.read(base, "u64").astype(np.int64) + (int(offset) if offset else 0)
        return (at >> 40) - 1, at & ((1 << 40) - 1), TYPES[kind].itemsize

    def run(self) -> None:
        at = np.zeros(self.threads, np.int64)
        end = len(self.code)
        with np.errstate(all="ignore"):
            while True:
                here = int(at.min())
                if here >= end:
                    return
                mask = at == here
                negate, guard, op, *operands = self.code[here]
                runs = mask
                if guard:
                    p = self.registers[guard]
                    runs = mask & (~p if negate else p)
                at[mask] = here + 1
                if op in ("ret", "exit"):
                    at[runs] = end
                elif op.startswith("bra"):
                    at[runs] = self.labels[operands[0]]
                else:
                    self.step(op, operands, runs)

    def step(self, op: str, operands: list[str], mask: Any) -> None:
        name, *rest = op.split(".")
        kind = rest[-1]
        out = operands[0]
        if name == "ld" and rest[0] == "param":
            i = int(re.search(r"_param_(\d+)", operands[1])[1])  # type: ignore[index]
            a = self.args[i]
            value = self.address(i) if isinstance(a, np.ndarray) else a
            self.write(out, np.full(self.threads, value, TYPES[kind]), mask)
        elif name in ("ld", "st"):
            which, byte, _ = self.memory(operands[1] if name == "ld" else out, kind)
            for i in np.unique(which[mask]):
                own = mask & (which == i)
                elements = self.args[i].view(np.uint8).view(TYPES[kind])
                if name == "st":
                    elements[byte[own] // elements.itemsize] = self.read_narrow(operands[1], kind)[own]
                else:
                    got = np.zeros(self.threads, TYPES[kind])
                    got[own] = elements[byte[own] // elements.itemsize]
                    self.write(out, got, own)
        elif name == "setp":
            self.write(out, self.compare(rest[0], *[self.read(o, kind) for o in operands[1:]]), mask)
        elif name == "mov" and out.startswith("{"):
            halves = np.ascontiguousarray(self.read(operands[1], "b64")).view(np.uint32).reshape(-1, 2)
            for k, register in enumerate(out.strip("{}").replace(" ", "").split(",")):
                if register != "_":
                    self.write(register, halves[:, k].copy(), mask)
        elif name == "mov" and operands[1].startswith("{"):
            low, high = (self.read(o, "b32") for o in operands[1].strip("{}").replace(" ", "").split(","))
            self.write(out, low.astype(np.uint64) | high.astype(np.uint64) << np.uint64(32), mask)
        elif name == "selp":
            self.write(out, np.where(self.registers[operands[3]], self.read(operands[1], kind), self.read(operands[2], kind)), mask)
        elif name == "cvt":
            self.write(out, self.convert(rest, operands[1]), mask)
        elif name in ("shl", "shr"):
            x, by = self.read(operands[1], kind), self.read(operands[2], "u32").astype(np.uint64)
            width = x.itemsize * 8
            if name == "shl":
                r = np.where(by < width, x << np.minimum(by, width - 1).astype(x.dtype), 0)
            else:
                r = x >> np.minimum(by, width - 1).astype(x.dtype)
                r = r if kind[0] == "s" else np.where(by < width, r, 0)
            self.write(out, r.astype(x.dtype), mask)
        elif name in ("mul", "mad") and rest[0] == "wide":
            wide = f"{kind[0]}{2 * int(kind[1:])}"
            r = self.read(operands[1], kind).astype(TYPES[wide]) * self.read(operands[2], kind).astype(TYPES[wide])
            self.write(out, r + self.read(operands[3], wide) if name == "mad" else r, mask)
        else:
            self.write(out, self.arithmetic(name, rest, [self.read(o, kind) for o in operands[1:]]), mask)

    @staticmethod
    def compare(how: str, a: Any, b: Any) -> Any:
        if how in ("nan", "num"):
            unordered = np.isnan(a) | np.isnan(b)
            return unordered if how == "nan" else ~unordered
        if how in _COMPARE and not (a.dtype.kind == "f" and how == "ne"):
            return _COMPARE[how](a, b)
        if how == "ne":
            return (a < b) | (a > b)
        return _COMPARE[how[:-1]](a, b) | np.isnan(a) | np.isnan(b)  # equ, neu, ltu, ...

    def convert(self, rest: list[str], operand: str) -> Any:
        *how, to, source = rest
        x = self.read_narrow(operand, source)
        if {"ftz", "sat"} & set(how):
            raise NotImplementedError(rest)
        rounded = {"rni": np.rint, "rmi": np.floor, "rpi": np.ceil, "rzi": np.trunc}
        for h in how:
            if h in rounded:
                x = rounded[h](x)
        return x.astype(TYPES[to])

    def read_narrow(self, operand: str, kind: str) -> Any:
        x = self.registers.get(operand)
        if x is None or x.dtype.itemsize == TYPES[kind].itemsize:
            return self.read(operand, kind)
        if TYPES[kind].itemsize > x.itemsize:
            raise NotImplementedError(f"{operand} read as {kind}")
        return x.view(f"u{x.itemsize}").astype(f"u{TYPES[kind].itemsize}").view(TYPES[kind])

    def arithmetic(self, name: str, rest: list[str], xs: list[Any]) -> Any:
        floating = xs[0].dtype.kind == "f"
        if floating and name in ("add", "sub", "mul", "div", "rcp", "sqrt", "fma") and rest[:-1] != ["rn"]:
            raise NotImplementedError(f"{name}.{'.'.join(rest)} is not rounded as IEEE has it")
        if name == "fma":
            if Machine.fma is None:
                Machine.fma = exact_fma()
            return Machine.fma(*map(np.ascontiguousarray, xs))
        if name == "mad":
            return xs[0] * xs[1] + xs[2]
        functions = {
            "add": np.add, "sub": np.subtract, "mul": np.multiply, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
            "not": np.invert, "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "mov": np.array, "cvta": np.array,
            "min": np.fmin if floating else np.minimum, "max": np.fmax if floating else np.maximum,
        }  # fmt: skip
        if name == "mul" and rest[0] == "hi":
            raise NotImplementedError("mul.hi")
        if name == "div" and floating:
            return xs[0] / xs[1]
        if name == "div":
            return (xs[0] - np.fmod(*xs)) // xs[1]
        if name == "rem":
            return np.fmod(*xs)
        if name == "rcp":
            return xs[0].dtype.type(1) / xs[0]
        if name not in functions:
            raise NotImplementedError(f"{name}.{'.'.join(rest)}")
        return functions[name](*xs)


def run(text: str, threads: int, *args: Any) -> None:
    """Run the kernel of a PTX text for so many threads of one block; args: ndarrays, whose addresses it takes, and integers."""
    Machine(text, threads, args).run()
