"""Scans: running sums, products, extrema and running combines of the user's, along any axis of an array of any layout.

A long line is cut into blocks that its length alone fixes. A first pass takes each block's total, the totals are scanned, and
a second pass writes each block from its base. Both passes go over a few MiB at a time, so the second reads from cache.
"""

from functools import lru_cache
from math import prod

import numpy as np

from .. import build
from . import pool
from .combine import as_combine
from .driver import address, run
from .nest import COLUMNS, pointer, scalar
from .templates import REASSOCIATE, UFUNCS, Types, choose_types, join, load

BLOCK = 16384  # elements of a block of a contiguous line
ROWS = 1024  # rows of a block where neighbouring lines are scanned together
GROUP = 1 << 20  # elements between the two passes: 4 to 8 MiB
STRIP = 1024  # elements scanned in the narrow type from one base

# Vector scans of intrinsics.py by the type they add in; unsigned words add as signed ones do.
_VECTOR = {"float32": "scan_f4", "float64": "scan_f8", "int64": "scan_i8", "uint64": "scan_i8"}

_WORDS = """    q = i8(ld64(args)); first = ld64(args + 8); mode = ld64(args + 16)
    xb = q[0]; ob = q[1]; pb = q[2]; lines = q[4]; block = q[5]; n = q[6]; s = q[7]; os = q[8]; nk = q[9]
"""
_PLACE = """        for d in range(nk):
            w = t // q[16 + 3 * d]; k = t - w * q[16 + 3 * d]; a += k * q[17 + 3 * d]; z += k * q[18 + 3 * d]; t = w
        k = blk * block; m = min(block, n - k); a += k * s; z += k * os
"""


def _vector_strips(t):
    """Lines that write one block of sums by vector scans; elements are converted into the output and scanned there."""
    out, size, cast = pointer(t.out), t.out.itemsize, scalar(t.out)
    word = "np.int64" if t.out.kind in "iu" else cast
    return f"""            base = tot(pb)[item] if blk else TOTAL(0)
            for h in range(0, m, {STRIP}):
                e = min({STRIP}, m - h); v = e // 16 * 16; start = {cast}(base); g = z + h * {size}; y = {out}(g); c = a + h * s
                SRC
                for i in range(v): y[i] = ELEMENT
                run = {_VECTOR[t.out.name]}(g, g, v, {word}(start))
                last = {cast}(run)
                for i in range(v, e):
                    last = {cast}(last + ELEMENT); y[i] = {cast}(start + last)
                base = TOTAL(base + TOTAL(last))
"""


@lru_cache(maxsize=1024)
def _kernel(combine, t, layout, unit):
    p, out, total, tot = pointer(t.x), pointer(t.out), scalar(t.total), pointer(t.total)
    cast = scalar(t.out) if t.out.kind != "b" else "np.uint8"
    source = "" if t.kind else combine.source(t.total)
    wide = Types(t.kind, t.x, t.total, t.total, t.out, t.nonzero)

    def element(text):
        return load(wide, text)

    def both(a, b):
        return join(wide, t.total, a, b)

    name = f"scan_{t.kind or 'user'}_{t.x.char}{t.total.char}{t.out.char}_{layout}".replace("?", "b")
    if layout == "rows":

        def at(i):
            return element(f"x[{i}]" if unit else f"{p}(a + ({i}) * s)[0]")

        if t.kind == "add" and t.out.name in _VECTOR and t.x.kind != "c":
            text = "x[i]" if unit else f"{p}(c + i * s)[0]"
            write = _vector_strips(t).replace("SRC", f"x = {p}(c)").replace("ELEMENT", f"{cast}({text})")
            write = write.replace("TOTAL", total).replace("tot(pb)", f"{tot}(pb)")
        else:
            write = f"""            y = {out}(z)
            acc = {both(f"{tot}(pb)[item]", at("0"))} if blk else {at("0")}
            y[0] = {cast}(acc)
            for i in range(1, m):
                acc = {both("acc", at("i"))}; y[i] = {cast}(acc)
"""
        body = f"""{_WORDS}    for it in range(lo, hi):
        item = it + first; blk = item // lines; t = item - blk * lines; a = xb; z = ob
{_PLACE}        x = {p}(a)
        if mode == 0:
            acc = {at("0")}
            for i in range(1, m): acc = {both("acc", at("i"))}
            {tot}(pb)[item] = acc
        else:
{write}"""
        return build.kernel(name, body.rstrip(), source, fastmath=REASSOCIATE if t.kind in ("add", "mul") else False)
    at = element("x[j]" if unit else f"{p}(a + j * cs)[0]")
    body = f"""{_WORDS}    ncol = q[10]; cs = q[11]; wide = q[13]; blocks = q[14]
    groups = lines // ncol * blocks
    kd = np.empty({COLUMNS}, {total}); acc = {tot}(arr_ptr(kd))
    for it in range(lo, hi):
        item = it + first; blk = item // groups; t = item - blk * groups
        u = t // blocks; c0 = (t - u * blocks) * wide; width = min(wide, ncol - c0); t = u
        a = xb + c0 * cs; z = ob + c0 * {t.out.itemsize}; base = {tot}(pb + (blk * lines + u * ncol + c0) * {t.total.itemsize})
{_PLACE}        x = {p}(a); y = {out}(z)
        if mode == 0:
            for j in range(width): acc[j] = {at}
            for r in range(1, m):
                a += s; x = {p}(a)
                for j in range(width): acc[j] = {both("acc[j]", at)}
            for j in range(width): base[j] = acc[j]
        else:
            if blk:
                for j in range(width): acc[j] = {both("base[j]", at)}
            else:
                for j in range(width): acc[j] = {at}
            for j in range(width): y[j] = {cast}(acc[j])
            for r in range(1, m):
                a += s; x = {p}(a); z += os; y = {out}(z)
                for j in range(width):
                    v = {both("acc[j]", at)}
                    acc[j] = v; y[j] = {cast}(v)
    kd[0] = kd[1]"""
    return build.kernel(name, body, source)


def _pairs(dims):
    """Join neighbouring (size, stride, output stride) triples that walk both arrays as one."""
    joined = []
    for n, s, o in dims:
        if joined and joined[-1][1] == n * s and joined[-1][2] == n * o:
            joined[-1] = (joined[-1][0] * n, s, o)
        else:
            joined.append((n, s, o))
    return joined


@lru_cache(maxsize=1024)
def _plan(shape, strides, out_strides, axis, itemsize):
    """(layout, unit, words, items of one block, blocks, elements of one block of all lines)."""
    n, s, o = shape[axis], strides[axis], out_strides[axis]
    kept = [(shape[i], strides[i], out_strides[i]) for i in range(len(shape)) if i != axis and shape[i] != 1]
    kept = _pairs(sorted(kept, key=lambda d: -d[2]))
    lines = prod(d[0] for d in kept)
    if kept and kept[-1][2] < o:
        layout, (ncol, cs, ocs) = "columns", kept.pop()
        blocks = -(-ncol // COLUMNS)
        wide = -(-ncol // (blocks * 16)) * 16
        blocks = -(-ncol // wide)
        per_block, unit = lines // ncol * blocks, cs == itemsize
        block = ROWS if per_block < 32 else n
    else:
        layout, ncol, cs, ocs, wide, blocks, per_block, unit = "rows", 0, 0, 0, 0, 0, lines, s == itemsize
        block = BLOCK if lines < 32 else n
    block = min(block, n)
    count = -(-n // block)
    words = [0, 0, 0, count, lines, block, n, s, o, len(kept), ncol, cs, ocs, wide, blocks, 0]
    words += [v for d in reversed(kept) for v in d]
    return layout, unit, np.array(words, np.int64), per_block, count, lines, block * lines


def scan(combine, x, axis, acc_dtype, out_dtype, identity=None, include_initial=False):
    """Running combine of `x` along `axis` (non-negative); the result has the shape of `x`, in `x`'s own memory order.

    combine: as for `reduce`, associative; need not be commutative. Elements are cast to `acc_dtype`, results to `out_dtype`.
    `include_initial` puts `identity` first, so the axis is one longer. float32 sums run from bases in float64. Scratch: two
    values per block of 16384 elements (1024 rows across columns).
    """
    combine = as_combine(combine)
    t = choose_types(combine.kind, x.dtype, np.dtype(acc_dtype), np.dtype(out_dtype))
    order = sorted((i for i in range(x.ndim)), key=lambda i: -abs(x.strides[i]) if x.strides[i] else -(1 << 62))
    extra = 1 if include_initial else 0
    shape = tuple(n + extra if i == axis else n for i, n in enumerate(x.shape))
    result = pool.empty(tuple(shape[i] for i in order), t.out).transpose(tuple(np.argsort(order)))
    head = tuple(slice(0, 1) if i == axis else slice(None) for i in range(x.ndim))
    if include_initial:
        if identity is None:
            raise ValueError("include_initial needs an identity")
        result[head] = identity
    if x.size == 0:
        return result
    out = result[tuple(slice(1, None) if i == axis else slice(None) for i in range(x.ndim))] if extra else result
    layout, unit, template, per_block, blocks, lines, elements = _plan(x.shape, x.strides, out.strides, axis, x.dtype.itemsize)
    fn = _kernel(combine, t, layout, unit)
    words = template.copy()
    words[0], words[1] = address(x), address(out)
    chunk = max(1, 32768 * per_block // elements)
    if blocks == 1:
        run(fn, per_block, chunk, address(words), 0, 1)
        return result
    totals = np.empty((blocks, lines), t.total)
    words[2] = address(totals)
    step = max(2, GROUP // elements)
    carry = None
    for b in range(0, blocks, step):
        e = min(blocks, b + step)
        run(fn, (e - b) * per_block, chunk, address(words), b * per_block, 0)
        carry = _bases(combine, t, totals[b:e], carry)
        run(fn, (e - b) * per_block, chunk, address(words), b * per_block, 1)
    return result


def _bases(combine, t, totals, carry):
    """Turn block totals (blocks, lines) into what stands before each block, in place; returns what stands after the last.

    Before the very first block stands nothing (`carry` is None), and the kernel does not look there.
    """
    rows = totals.copy() if carry is None else np.concatenate([carry[None], totals])
    function = UFUNCS.get(t.kind)
    if function is not None:
        running = function.accumulate(rows, axis=0)
    else:
        running = scan(combine, rows, 0, t.total, t.total)
    if carry is None:
        totals[1:] = running[:-1]
    else:
        totals[...] = running[:-1]
    return running[-1]


def cumulative_sum(x, axis, dtype, include_initial=False):
    """Running sum along `axis` in `dtype`."""
    return scan("add", x, axis, dtype, dtype, 0, include_initial)


def cumulative_prod(x, axis, dtype, include_initial=False):
    """Running product along `axis` in `dtype`; floats multiply in float64."""
    return scan("mul", x, axis, dtype, dtype, 1, include_initial)


def scan_python(combine, x, axis, acc_dtype, out_dtype, identity=None, include_initial=False):
    """`scan` as a plain Python loop over elements, with the function uncompiled."""
    function, acc = as_combine(combine).python(), np.dtype(acc_dtype).type
    extra = 1 if include_initial else 0
    result = np.empty(tuple(n + extra if i == axis else n for i, n in enumerate(x.shape)), out_dtype)
    lines, out = np.moveaxis(x, axis, -1), np.moveaxis(result, axis, -1)
    for index in np.ndindex(lines.shape[:-1]):
        total = None
        if extra:
            out[index][0] = identity
        for k, element in enumerate(lines[index]):
            total = acc(element) if total is None else acc(function(total, acc(element)))
            out[index][k + extra] = total
    return result
