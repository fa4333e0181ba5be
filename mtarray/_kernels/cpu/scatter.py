"""Writing at integer positions: x[i, j, ...] = values, put_along_axis and scatter_add, in place.

Positions may repeat: the last value wins, and sums are taken in the order of the positions, as NumPy does, whatever the number
of threads. So one thread walks all positions; where an item has many bytes, several do, and each writes only the part of
memory that is its own. Bounds are checked before anything is written.
"""

import numpy as np
from numpy.lib.array_utils import byte_bounds

from .. import build
from .driver import address, run
from .gather import SCATTER_CROSSOVER, STACK, along_plan, check_bounds, index_arrays_of, index_plan, item_copy, loops

_PARTS = 4  # each part walks all positions: more parts, more walking
_PART_ITEM = 256  # bytes of an item from which memory is divided among threads


def _scan(indices, body, unit):
    """Prelude with `scan(lo, hi, args, first, stop, step)`: the loop nest for targets between the addresses first and stop."""
    text = loops(indices, body, unit, False).replace("first = w[5]; stop = w[6]; ", "")
    return f"{STACK}\nfrom numba import njit\n@njit(forceinline=True)\ndef scan(lo, hi, args, first, stop, step):\n{text}\n"


_PARTITION = """    count = ld64(args + 8); low = ld64(args + 16); span = ld64(args + 24); step = ld64(args + 32)
    for part in range(lo, hi):
        scan(0, count, args, low + part * span, low + (part + 1) * span, step)"""


def _scatter_kernel(plan, add):
    count, width = len(plan.indices), plan.width
    value = "(values + i * step)"
    if add is None:
        copy = item_copy(width, "source", value).replace(" " * 12, " " * 20)
        wide = not width and plan.item % 64 == 0
        if wide:
            copy = copy.replace("memcpy", "copy64")
        name = f"scatter_{count}_{width}_{int(wide)}_{int(plan.unit)}"
    else:
        kind = "u1" if add.kind == "b" else f"{add.kind}{add.itemsize}"
        plus = "|" if add.kind == "b" else "+"
        single = plan.item == add.itemsize
        body = f"{kind}(source)[e] = {kind}(source)[e] {plus} {kind}{value}[e]"
        copy = " " * 20 + (body.replace("[e]", "[0]") if single else f"for e in range(item // {add.itemsize}):\n{' ' * 24}{body}")
        name = f"scatter_add_{count}_{add.name}_{int(single)}_{int(plan.unit)}"
    body = f"{' ' * 16}if first <= source and source < stop:\n{copy}"
    return build.kernel(
        name, _PARTITION, _scan(count, body.replace(" " * 16 + "if", " " * 12 + "if").replace(" " * 20, " " * 16), plan.unit)
    )


def _run_scatter(x, plan, shape, values, add=None):
    values = np.asarray(values, x.dtype)
    if values.size == 1:
        step, source = 0, np.full(plan.item // x.itemsize, values.reshape(()), x.dtype)
    else:
        step, source = plan.item, np.ascontiguousarray(np.broadcast_to(values, shape))
    bad = np.zeros(1, np.int64)
    low, high = byte_bounds(x)
    parts = _PARTS if plan.item >= _PART_ITEM and plan.count >= _PARTS else 1
    span = -(-(high - low) // parts)
    words = plan.words(x, bad, values=address(source))
    kernel = _scatter_kernel(plan, add)
    run(kernel, parts, 1, address(words), plan.count, low, span, step)


def _prepare(x, arrays, values):
    """Copies of whatever shares memory with x."""
    arrays = [a.copy() if np.may_share_memory(a, x) else a for a in arrays]
    values = np.asarray(values)
    return arrays, values.copy() if np.may_share_memory(values, x) else values


def put(x, index_arrays, values):
    """x[i0, i1, ..., :] = values, in place; of several values for one position the last wins.

    Index arrays as for `gather`; `values` broadcasts to the shape of x[i0, i1, ..., :]. Scratch: a copy of values of another dtype,
    of values that are broadcast or not contiguous, and of operands that share memory with x.
    """
    arrays, values = _prepare(x, index_arrays_of(x, index_arrays), values)
    plan, shape = index_plan(x, arrays)
    np.broadcast_to(values, shape)
    # One index array: NumPy's loop is as fast as the memory.
    if plan.count < SCATTER_CROSSOVER or len(arrays) == 1 or x.size == 0 or not x.dtype.isnative:
        x[tuple(arrays)] = values
    else:
        check_bounds(arrays, x.shape)
        _run_scatter(x, plan, shape, values)


def scatter_add(x, index_arrays, values):
    """np.add.at(x, (i0, i1, ...), values): repeated positions add up, in order; in place."""
    arrays, values = _prepare(x, index_arrays_of(x, index_arrays), values)
    plan, shape = index_plan(x, arrays)
    np.broadcast_to(values, shape)
    if plan.count < SCATTER_CROSSOVER or x.ndim == 1 or x.size == 0 or not x.dtype.isnative:
        check_bounds(arrays, x.shape)
        np.add.at(x, tuple(arrays), values)
    else:
        check_bounds(arrays, x.shape)
        _run_scatter(x, plan, shape, values, add=x.dtype)


def put_along_axis(x, indices, values, axis=-1):
    """np.put_along_axis, in place: the element at indices[p] along `axis` becomes values[p]; the last wins."""
    axis = axis % x.ndim
    if indices.ndim != x.ndim:
        raise ValueError(f"indices of shape {indices.shape} and x of shape {x.shape} differ in their number of dimensions")
    lengths = [x.shape[axis]]
    index = np.asarray(indices)
    plan, shape = along_plan(x, index, axis)
    if any(n != m for d, (n, m) in enumerate(zip(shape, x.shape)) if d != axis):
        raise ValueError(f"put_along_axis: indices of shape {index.shape} do not fit into x of shape {x.shape}")
    check_bounds(plan.indices, lengths)
    values = np.asarray(values)
    if np.may_share_memory(values, x):
        values = values.copy()
    np.broadcast_to(values, shape)
    if plan.count < SCATTER_CROSSOVER or x.size == 0 or np.may_share_memory(plan.indices[0], x) or not x.dtype.isnative:
        np.put_along_axis(x, plan.indices[0].copy(), values, axis)
    else:
        _run_scatter(x, plan, shape, values)
