"""Source of reduction kernels, made from what the combine does, the dtypes and the layout of the loops."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import nest, strips
from .nest import pointer, scalar


class _Flags(set):
    """Fast-math flags as Numba wants them (a set) and a kernel's key too (hashable)."""

    def __hash__(self):
        return hash(frozenset(self))


REASSOCIATE = _Flags({"reassoc"})


@dataclass(frozen=True)
class Types:
    """How one reduction computes: `strip` is the type inside short SIMD strips, `total` that of everything longer."""

    kind: str  # add, mul, max, min, and, or; "" for a function of the user's
    x: np.dtype
    strip: np.dtype
    total: np.dtype
    out: np.dtype
    nonzero: bool = False  # elements count as `x != 0`
    divide: bool = False  # the result is divided by the number of elements

    def __post_init__(self):
        # Every call looks its types up in a cache: hashing five dtypes each time costs 1 us.
        values = (self.kind, self.x, self.strip, self.total, self.out, self.nonzero, self.divide)
        object.__setattr__(self, "_hash", hash(values))

    def __hash__(self):
        return self._hash

    @property
    def compensated(self):
        """Whether totals carry their rounding error along: strips are already of the widest type."""
        return self.kind == "add" and self.strip == self.total and self.total.kind in "fc"


@lru_cache(maxsize=1024)
def choose_types(kind, x, acc, out, nonzero=False, divide=False):
    """Types for a reduction of dtype `x` that the caller wants accumulated in `acc` and returned in `out`."""
    x, acc, out = np.dtype(x), np.dtype(acc), np.dtype(out)
    if x.kind == "c" and acc.kind != "c" and kind not in ("and", "or") and not nonzero:
        raise TypeError(f"cannot accumulate {x} in {acc}: a complex number does not fit a real one")
    if kind in ("max", "min") and acc.kind == "c":
        raise TypeError(f"complex numbers have no order: {kind} of {acc}")
    if acc.kind == "b" and kind in ("add", "mul", "max", "min"):
        kind = {"add": "or", "max": "or", "mul": "and", "min": "and"}[kind]
    if kind in ("and", "or"):
        return Types(kind, x, np.dtype("u1"), np.dtype("u1"), out, True)
    if kind not in ("add", "mul"):
        return Types(kind, x, acc, acc, out)
    total = np.dtype({"f": "f8", "c": "c16", "i": "i8", "u": "u8"}[acc.kind])
    strip = total
    if kind == "add" and (nonzero or (acc.kind in "iu" and x.kind in "biu" and x.itemsize <= 2)):
        strip = np.dtype("i4")  # a strip of 65535s stays below 2**31, and its lanes are twice as many
    elif kind == "add" and x == acc and acc.kind in "fc":
        strip = x
    return Types(kind, x, strip, total, out, nonzero, divide)


# How known combines join totals in NumPy (logical ones are bytes of 0 and 1).
UFUNCS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum, "and": np.bitwise_and, "or": np.bitwise_or}


def load(t, element):
    """Source of an element as the strips combine it."""
    if t.nonzero:
        return f"{scalar(t.strip)}({element} != 0)"
    return f"{scalar(t.strip)}({element})"


def join(t, dtype, a, b):
    """Source of the combination of two values of `dtype`."""
    cast = scalar(dtype)
    if t.kind == "add":
        return f"{cast}({a} + {b})"
    if t.kind == "mul":
        return f"{cast}({a} * {b})"
    if t.kind in ("max", "min"):
        return f"{'f' + t.kind + 'imum' if dtype.kind == 'f' else t.kind}({a}, {b})"
    if t.kind in ("and", "or"):
        return f"{cast}({a} {'&' if t.kind == 'and' else '|'} {b})"
    return f"{cast}(combine({a}, {b}))"


def _final(t, value):
    cast = scalar(t.out)
    if t.out.kind == "b":
        return f"np.uint8({value} != 0)"
    if t.divide and t.total.kind == "c":
        return f"{cast}(complex({value}.real / np.float64(total), {value}.imag / np.float64(total)))"
    return f"{cast}({value} / np.float64(total))" if t.divide else f"{cast}({value})"


# A strip of add is short, so that its lanes add few terms each: 8 to 16, then a tree. That bounds the rounding error of the
# narrow type; the totals are wide or compensated. 2048 is how often `all` and `any` look whether they are done.
def _strip_length(t):
    return {"add": 128, "max": 512, "min": 512}.get(t.kind, 2048)


# Sum and its exact rounding error (Knuth). A function apart, so that it compiles without the kernel's licence to reassociate,
# which would cancel the error. The long loops are not in functions: Numba would optimise them twice.
_TWO_SUM = """from numba import njit
@njit(forceinline=True, error_model='numpy')
def two_sum(t, v):
    r = t + v; w = r - t
    return r, (t - (r - w)) + (v - w)
@njit(forceinline=True, error_model='numpy')
def settle(t, e):
    r = t + e
    return t if e == 0 or r != r else r
"""


_APART = 2048  # elements of a piece from which its quarters run side by side


def _known_piece(t, unit):
    """Lines that merge the piece at `b` of `m` elements into `tot` (and its error into `err`), by strips.

    In a long piece four strips run side by side, a quarter of the piece apart: DRAM feeds several streams 20 % faster than one.
    """
    size, p, total = _strip_length(t), pointer(t.x), scalar(t.total)
    zero = {"add": "0", "mul": "1", "and": "1", "or": "0"}.get(t.kind)
    start = f"{scalar(t.strip)}({zero})" if zero else load(t, f"{p}(b)[0]")

    vector = unit and strips.supports(t.kind, p, pointer(t.strip))

    def strip(streams, at, length):
        if vector:
            return [f"v = strip{streams}({at}, far, {length})"]
        lines = [f"z{k} = {at} + {k} * far; x{k} = {p}(z{k}); a{k} = {start}" for k in range(streams)]
        lines += [f"for i in range({length}):"]
        for k in range(streams):
            element = load(t, f"x{k}[i]" if unit else f"{p}(z{k} + i * s)[0]")
            lines += [f"    a{k} = {join(t, t.strip, f'a{k}', element)}"]
        return [*lines, "v = a0" if streams == 1 else f"v = {tree}"]

    tree = join(t, t.strip, join(t, t.strip, "a0", "a1"), join(t, t.strip, "a2", "a3"))
    merge = ["tot, c = two_sum(tot, v); err = err + c"] if t.compensated else [f"tot = {join(t, t.total, 'tot', f'{total}(v)')}"]
    if t.kind in ("and", "or"):
        merge += [f"if tot == {_decided(t)}: break"]
    near = 4 * size if vector else size  # a strip of vectors has four accumulators also where it runs alone
    lines = [f"quarter = m // {4 * size} * {size} if m >= {_APART} else 0; far = quarter * s", f"for h in range(0, quarter, {size}):"]
    lines += ["    " + line for line in [*strip(4, "b + h * s", size), *merge]]
    lines += [f"for h in range(4 * quarter, m, {near}):"]
    lines += ["    " + line for line in [*strip(1, "b + h * s", f"min({near}, m - h)"), *merge]]
    return lines


def _user_piece(t, unit):
    """The same for a function of the user's: 32 lanes side by side, since LLVM may not regroup it by itself."""
    p, cast = pointer(t.x), scalar(t.strip)

    def at(i):
        return f"{cast}({p}(b)[{i}])" if unit else f"{cast}({p}(b + ({i}) * s)[0])"

    return f"""if m < 64:
    v = {at("0")}
    for i in range(1, m): v = {join(t, t.total, "v", at("i"))}
else:
    for j in range(32): lane[j] = {at("j")}
    for i in range(32, m - 31, 32):
        for j in range(32): lane[j] = {join(t, t.total, "lane[j]", at("i + j"))}
    i = m // 32 * 32
    for j in range(m - i): lane[j] = {join(t, t.total, "lane[j]", at("i + j"))}
    half = 16
    while half:
        for j in range(half): lane[j] = {join(t, t.total, "lane[j]", "lane[j + half]")}
        half //= 2
    v = lane[0]
tot = v if p == p0 else {join(t, t.total, "tot", "v")}""".split("\n")


def _decided(t):
    """The total of `and` or `or` that no further element changes."""
    return 1 if t.kind == "or" else 0


def rows_kernel(t, unit, source):
    """(prelude, body) of the kernel for the layout `rows`; `source` defines `combine` for a function of the user's."""
    total, parts = scalar(t.total), f"{pointer(t.total)}(pb)"
    logical = t.kind in ("and", "or")
    begin = {"add": "0", "mul": "1", "and": "1", "or": "0", "": "0"}.get(t.kind)
    # An extremum starts from the item's first element.
    begin = f"{total}({begin})" if begin else f"{total}({pointer(t.x)}(b)[0])"
    lines = _known_piece(t, unit) if t.kind else _user_piece(t, unit)
    if t.kind in ("max", "min"):
        lines = [f"if p == p0: tot = {begin}", *lines]
        begin = f"{total}(0)"
    # The last counter says that some leaf decided the whole; a late look costs time, never the result.
    skip = f"\n        if leaves > 1 and outputs == 1 and i8(sb)[outputs] == 1: tot = {total}({_decided(t)}); p1 = p0"
    mark = f"\n            if outputs == 1 and tot == {_decided(t)}: i8(sb)[outputs] = 1"
    lane = f"    lanes = np.empty(32, {total}); lane = {pointer(t.total)}(arr_ptr(lanes))\n"
    keep = "\n    lanes[0] = lanes[1]"  # its memory must outlive the last use of the address
    inner = "".join(f"            {line}\n" for line in lines)
    if t.compensated:
        merge = "tot, c = two_sum(tot, v); err = err + c"
    else:
        merge = f"tot = {join(t, t.total, 'tot', 'v')}"
    settle = "tot = settle(tot, err)" if t.compensated else "pass"
    body = f"""{nest.LOAD_WORDS}{"" if t.kind else lane}    for item in range(lo, hi):
{nest.ROWS_ITEM}        tot = {begin}; err = {total}(0){skip if logical else ""}
        for p in range(p0, p1):
{nest.PIECE}{inner}{f"            if tot == {_decided(t)}: break" if logical else ""}
        {settle}
        if leaves > 1:
            {parts}[item] = tot{mark if logical else ""}
            if {nest.LAST.format(counter="o")}:
                store64(sb + 8 * o, 0){"; i8(sb)[outputs] = 0" if logical else ""}
                tot = {parts}[o]; err = {total}(0)
                for p in range(1, leaves):
                    v = {parts}[p * outputs + o]; {merge}
                {settle}
                {pointer(t.out)}(ob)[o] = {_final(t, "tot")}
        else: {pointer(t.out)}(ob)[o] = {_final(t, "tot")}{"" if t.kind else keep}"""
    p, strip = pointer(t.x), pointer(t.strip)
    source += nest.ATOMICS
    if unit and strips.supports(t.kind, p, strip):
        source += "from mtarray._kernels.cpu import strips\n"
        source += "".join(f"strip{n} = strips.strip({t.kind!r}, {p!r}, {strip!r}, {t.nonzero}, {n == 4})\n" for n in (1, 4))
    return source + (_TWO_SUM if t.compensated else ""), body


def lanes_kernel(t, width):
    """(prelude, body) of the kernel of sums for the layout `lanes` of `width` columns: `outputs` counts runs of so many."""
    total, tot, out, size, x = scalar(t.total), pointer(t.total), pointer(t.out), 4 * _strip_length(t), t.x.itemsize

    def merge(value):
        if t.compensated:
            return f"w, c = two_sum(sums[j], {value}); sums[j] = w; errors[j] = errors[j] + c"
        return f"sums[j] = {total}(sums[j] + {value})"

    each = f"for j in range({width}):"
    take = f"{each} {merge(f'{total}(v[j])')}"
    final = "settle(sums[j], errors[j])" if t.compensated else "sums[j]"
    part = f"{tot}(pb + {{}} * {width * t.total.itemsize})"
    body = f"""{nest.LOAD_WORDS}    v = _strips(); sums = _totals(); errors = _errors(); total //= {width}
    for item in range(lo, hi):
{nest.ROWS_ITEM}        {each} sums[j] = {total}(0); errors[j] = {total}(0)
        for p in range(p0, p1):
{nest.PIECE}            for h in range(0, m, {size}):
                strip(b + h * {x}, 0, min({size}, m - h), v)
                {take}
        y = {out}(ob + o * {width * t.out.itemsize})
        if leaves > 1:
            part = {part.format("item")}
            {each} part[j] = {final}
            if {nest.LAST.format(counter="o")}:
                store64(sb + 8 * o, 0)
                {each} sums[j] = {total}(0); errors[j] = {total}(0)
                for p in range(leaves):
                    part = {part.format("(p * outputs + o)")}
                    {each} {merge("part[j]")}
                {each} y[j] = {_final(t, final)}
        else:
            {each} y[j] = {_final(t, final)}"""
    source = nest.ATOMICS + (_TWO_SUM if t.compensated else "") + "from mtarray._kernels.cpu import strips\n"
    source += f"strip = strips.strip('add', {pointer(t.x)!r}, {pointer(t.strip)!r}, {t.nonzero}, False, {width})\n"
    return source + _stack_arrays(t, width), body


def _stack_arrays(t, count):
    """Source of the accumulators of `count` columns."""
    source = "from numba import types\nfrom mtarray._kernels.cpu.stack import stack_array\n"
    for name, dtype in (("_strips", t.strip), ("_totals", t.total), ("_errors", t.total)):
        source += f"{name} = stack_array(types.{scalar(dtype).removeprefix('np.')}, {count})\n"
    return source


def columns_kernel(t, unit, source):
    """(prelude, body) of the kernel for the layout `columns`."""
    p, total, tot = pointer(t.x), scalar(t.total), pointer(t.total)

    def element(k):
        return load(t, f"x{k}[j]" if unit else f"{p}(b + {k} * s + j * cs)[0]")

    def rows(count):
        tree = [element(k) for k in range(count)]
        while len(tree) > 1:
            tree = [join(t, t.strip, *tree[i : i + 2]) for i in range(0, len(tree), 2)]
        return "; ".join(f"x{k} = {p}(b + {k} * s)" for k in range(count)), tree[0]

    def merge(value):
        """Join a value of the totals' type to column j."""
        if t.compensated:
            return f"v, c = two_sum(pd[j], {value}); pd[j] = v; pe[j] = pe[j] + c"
        return f"pd[j] = {join(t, t.total, 'pd[j]', value)}"

    (point8, tree8), (point4, tree4), (point1, tree1) = rows(8), rows(4), rows(1)
    first = f"{total}({total}(0) + {total}(pa[j]))" if t.kind == "add" else f"{total}(pa[j])"  # -0.0 sums to 0.0, as in NumPy
    final = "settle(pd[j], pe[j])" if t.compensated else "pd[j]"
    ragged = fold = ""
    if unit:
        ragged = f"""            if rest and k + m == n:
                {point1}
                for j in range(rest): pa[j] = {join(t, t.strip, "pa[j]", tree1)}
"""
        fold = f"""        if times > 1:
            parts = times; width = each
            while parts > 1:
                half = parts // 2; parts -= half; far = parts * each
                for j in range(half * each): {merge("pd[far + j]")}{"; pe[j] = pe[j] + pe[far + j]" if t.compensated else ""}
"""
    body = f"""{nest.LOAD_WORDS}{nest.COLUMNS_WORDS}    pa = _strips(); pd = _totals(); pe = _errors()
    for item in range(lo, hi):
{nest.COLUMNS_ITEM}        for p in range(p0, p1):
{nest.PIECE}            if m >= 8:
                {point8}
                for j in range(width): pa[j] = {tree8}
                r = 8; b += 8 * s
            else:
                {point1}
                for j in range(width): pa[j] = {tree1}
                r = 1; b += s
            while r + 8 <= m:
                {point8}
                for j in range(width): pa[j] = {join(t, t.strip, "pa[j]", tree8)}
                r += 8; b += 8 * s
            if r + 4 <= m:
                {point4}
                for j in range(width): pa[j] = {join(t, t.strip, "pa[j]", tree4)}
                r += 4; b += 4 * s
            while r < m:
                {point1}
                for j in range(width): pa[j] = {join(t, t.strip, "pa[j]", tree1)}
                r += 1; b += s
{ragged}            if p == p0:
                for j in range(width): pd[j] = {first}; pe[j] = {total}(0)
            else:
                for j in range(width): {merge(f"{total}(pa[j])")}
{fold}        out = {pointer(t.out)}(ob + o * {t.out.itemsize})
        if leaves > 1:
            part = {tot}(pb + (leaf * outputs + o) * {t.total.itemsize})
            for j in range(width): part[j] = {final}
            if {nest.LAST.format(counter="group")}:
                store64(sb + 8 * group, 0)
                part = {tot}(pb + o * {t.total.itemsize})
                for j in range(width): pd[j] = part[j]; pe[j] = {total}(0)
                for i in range(1, leaves):
                    part = {tot}(pb + (i * outputs + o) * {t.total.itemsize})
                    for j in range(width): {merge("part[j]")}
                for j in range(width): out[j] = {_final(t, final)}
        else:
            for j in range(width): out[j] = {_final(t, final)}"""
    source += nest.ATOMICS + _stack_arrays(t, nest.COLUMNS)
    return source + (_TWO_SUM if t.compensated else ""), body
