"""Source of reduction kernels, made from what the combine does, the dtypes and the layout of the loops."""

from dataclasses import dataclass

import numpy as np

from . import nest
from .nest import pointer, scalar


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

    @property
    def compensated(self):
        """Whether totals carry their rounding error along: strips are already of the widest type."""
        return self.kind == "add" and self.strip == self.total and self.total.kind in "fc"


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


def _load(t, element):
    if t.nonzero:
        return f"{scalar(t.strip)}({element} != 0)"
    return f"{scalar(t.strip)}({element})"


def _join(t, dtype, a, b):
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


# A strip of add is short, so that its lanes add few terms each: 16 to 32, then a tree. That bounds the rounding error of the
# narrow type; the totals are wide or compensated. 2048 for the others is how often `all` and `any` look whether they are done.
def _strip_length(t):
    return 128 if t.kind == "add" else 2048


_HELPERS = """from numba import njit
_strict = njit(forceinline=True, error_model='numpy')
_loose = njit(forceinline=True, error_model='numpy', fastmath={'reassoc'})
"""

# Sum and its exact rounding error (Knuth). Compiled without reassociation, which would cancel it.
_TWO_SUM = """
@_strict
def two_sum(t, v):
    r = t + v; w = r - t
    return r, (t - (r - w)) + (v - w)
@_strict
def settle(t, e):
    r = t + e
    return t if e == 0 or r != r else r
"""


def _strips(t, unit):
    """`strip` (one run of m elements) and `strip4` (four runs, `far` bytes apart: DRAM feeds several streams faster)."""
    zero = {"add": "-0.0" if t.strip.kind in "fc" else "0", "mul": "1", "and": "1", "or": "0"}.get(t.kind)
    p = pointer(t.x)

    def element(k):
        return _load(t, f"x{k}[i]" if unit else f"{p}(b + far * {k} + i * s)[0]")

    def start(k):
        return f"{scalar(t.strip)}({zero})" if zero else _load(t, f"x{k}[0]")

    def loop(streams):
        lines = [f"    x{k} = {p}(b + far * {k}); a{k} = {start(k)}" for k in range(streams)]
        lines += ["    for i in range(m):"]
        lines += [f"        a{k} = {_join(t, t.strip, f'a{k}', element(k))}" for k in range(streams)]
        return "\n".join(lines)

    pair = _join(t, t.strip, _join(t, t.strip, "a0", "a1"), _join(t, t.strip, "a2", "a3"))
    return f"""
@_loose
def strip(b, far, m, s):
{loop(1)}
    return a0
@_loose
def strip4(b, far, m, s):
{loop(4)}
    return {pair}
"""


def _known_piece(t, unit):
    """`piece_total(b, m, s, w) -> (total, error)` of one piece of a row."""
    size = _strip_length(t)
    total = scalar(t.total)
    done = f"if tot == {1 if t.kind == 'or' else 0}: return tot, err" if t.kind in ("and", "or") else "pass"
    if t.compensated:
        add = "tot, e = two_sum(tot, v); err = err + e"
    else:
        add = f"tot = {_join(t, t.total, 'tot', f'{total}(v)')}"
    begin = {"add": f"{total}(-0.0)" if t.total.kind in "fc" else f"{total}(0)", "mul": f"{total}(1)", "and": f"{total}(1)", "or": f"{total}(0)"}
    first = begin.get(t.kind) or f"{total}({_load(t, f'{pointer(t.x)}(b)[0]')})"
    return _strips(t, unit) + f"""
@_strict
def piece_total(b, m, s, w):
    tot = {first}; err = {total}(0)
    quarter = m // {4 * size} * {size}; far = quarter * s
    for i in range(0, quarter, {size}):
        v = strip4(b + i * s, far, {size}, s)
        {add}
        {done}
    for i in range(4 * quarter, m, {size}):
        v = strip(b + i * s, 0, min({size}, m - i), s)
        {add}
        {done}
    return tot, err
"""


def _user_piece(t, unit):
    """The same for a function of the user's: 32 lanes side by side, since LLVM may not regroup it by itself."""
    p, cast = pointer(t.x), scalar(t.strip)
    at = (lambda i: f"{p}(b)[{i}]") if unit else (lambda i: f"{p}(b + ({i}) * s)[0]")
    return f"""
@_strict
def piece_total(b, m, s, w):
    if m < 64:
        tot = {cast}({at('0')})
        for i in range(1, m): tot = {_join(t, t.total, 'tot', f"{cast}({at('i')})")}
        return tot, tot
    for j in range(32): w[j] = {cast}({at('j')})
    for i in range(32, m - 31, 32):
        for j in range(32): w[j] = {_join(t, t.total, 'w[j]', f"{cast}({at('i + j')})")}
    i = m // 32 * 32
    for j in range(m - i): w[j] = {_join(t, t.total, 'w[j]', f"{cast}({at('i + j')})")}
    h = 16
    while h:
        for j in range(h): w[j] = {_join(t, t.total, 'w[j]', 'w[j + h]')}
        h //= 2
    return w[0], w[0]
"""


def rows_kernel(t, unit, source):
    """(prelude, body) of the kernel for the layout `rows`; `source` defines `combine` for a function of the user's."""
    total, parts = scalar(t.total), f"{pointer(t.total)}(pb)"
    prelude = source + _HELPERS + (_TWO_SUM if t.compensated else "") + (_known_piece if t.kind else _user_piece)(t, unit)
    if t.compensated:
        merge = "tot, e = two_sum(tot, v); err = err + (e + c)"
    else:
        merge = f"tot = {_join(t, t.total, 'tot', 'v')}"
    decided = 1 if t.kind == "or" else 0
    skip = leave = ""
    if t.kind in ("and", "or"):
        # The word after the partials says that some leaf decided the whole; a late look costs time, never the result.
        skip = f"        if leaves > 1 and outputs == 1 and {parts}[leaves] == {decided}: {parts}[item] = {decided}; continue\n"
        leave = f"            if tot == {decided}: break\n"
    mark = f"\n            if outputs == 1 and tot == {decided}: {parts}[leaves] = {decided}" if skip else ""
    lanes = "" if t.kind else f"    lanes = np.empty(32, {total}); w = {pointer(t.total)}(arr_ptr(lanes))\n"
    keep = "" if t.kind else "\n    lanes[0] = lanes[1]"  # its memory must outlive the last use of the address
    body = f"""{nest.LOAD_WORDS}{lanes}    for item in range(lo, hi):
{skip}{nest.ROWS_ITEM}        first = True; tot = {total}(0); err = {total}(0)
        for p in range(p0, p1):
{nest.PIECE}            v, c = piece_total(b, m, s, {'0' if t.kind else 'w'})
            if first: tot = v; err = c; first = False
            else: {merge}
{leave}        {'tot = settle(tot, err)' if t.compensated else 'pass'}
        if leaves > 1:
            {parts}[item] = tot{mark}
        else: {pointer(t.out)}(ob)[o] = {_final(t, 'tot')}{keep}"""
    return prelude, body


def columns_kernel(t, unit, source):
    """(prelude, body) of the kernel for the layout `columns`."""
    p, total = pointer(t.x), scalar(t.total)

    def element(k):
        return _load(t, f"x{k}[j]" if unit else f"{p}(b + {k} * s + j * cs)[0]")

    def rows(count):
        tree = [element(k) for k in range(count)]
        while len(tree) > 1:
            tree = [_join(t, t.strip, *tree[i : i + 2]) for i in range(0, len(tree), 2)]
        return "; ".join(f"x{k} = {p}(b + {k} * s)" for k in range(count)), tree[0]

    (point8, tree8), (point1, tree1) = rows(8), rows(1)
    prelude = source + _HELPERS + (_TWO_SUM if t.compensated else "") + f"""
@_strict
def piece_columns(b, m, s, cs, width, a):
    if m >= 8:
        {point8}
        for j in range(width): a[j] = {tree8}
        r = 8
    else:
        {point1}
        for j in range(width): a[j] = {tree1}
        r = 1
    b += r * s
    while r + 8 <= m:
        {point8}
        for j in range(width): a[j] = {_join(t, t.strip, 'a[j]', tree8)}
        r += 8; b += 8 * s
    while r < m:
        {point1}
        for j in range(width): a[j] = {_join(t, t.strip, 'a[j]', tree1)}
        r += 1; b += s
"""
    if t.compensated:
        merge = "r, x = two_sum(pd[j], pa[j]); pd[j] = r; pe[j] = pe[j] + x"
    else:
        merge = f"pd[j] = {_join(t, t.total, 'pd[j]', f'{total}(pa[j])')}"
    final = "settle(pd[j], pe[j])" if t.compensated else "pd[j]"
    body = f"""{nest.LOAD_WORDS}{nest.COLUMNS_WORDS}    wa = np.empty({nest.COLUMNS}, {scalar(t.strip)}); pa = {pointer(t.strip)}(arr_ptr(wa))
    wd = np.empty({2 * nest.COLUMNS}, {total}); pd = {pointer(t.total)}(arr_ptr(wd)); pe = {pointer(t.total)}(arr_ptr(wd) + {nest.COLUMNS * t.total.itemsize})
    for item in range(lo, hi):
{nest.COLUMNS_ITEM}        for p in range(p0, p1):
{nest.PIECE}            piece_columns(b, m, s, cs, width, pa)
            if p == p0:
                for j in range(width): pd[j] = {total}(pa[j]); pe[j] = {total}(0)
            else:
                for j in range(width): {merge}
        if leaves > 1:
            part = {pointer(t.total)}(pb + (leaf * outputs + o) * {t.total.itemsize})
            for j in range(width): part[j] = {final}
        else:
            out = {pointer(t.out)}(ob + o * {t.out.itemsize})
            for j in range(width): out[j] = {_final(t, final)}
    wa[0] = wa[1]; wd[0] = wd[1]"""
    return prelude, body
