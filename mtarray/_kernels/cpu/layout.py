"""How to walk several arrays of one shape together: fewest loops, the output's memory order, the right kind of inner loop."""

import functools

TILE_MINIMUM = 8  # shorter rows or columns are not worth transposing in registers


class Walk:
    """A plan for operands of one shape (outputs first).

    `kind`: "flat" (one run, every operand contiguous or one value), "rows" (an inner loop over the last of `sizes`), or "tiles" (as
    rows, but some inputs are contiguous along dimension `across` instead, so blocks of both dimensions are transposed in cache).
    `sizes`: collapsed shape. `strides`: per operand, bytes along each of `sizes`. `offsets`: per operand, bytes to its first
    element in this order. `classes`: per operand the inner step: "u" unit, "0" none, "r" unit backwards, "2" every other
    element, "s" whole elements, "b" bytes, "t" transposed.
    """

    __slots__ = ("across", "classes", "kind", "offsets", "sizes", "strides", "total")

    def __init__(self, kind, sizes, strides, offsets, classes, across=None):
        self.kind, self.sizes, self.strides, self.offsets, self.classes, self.across = kind, sizes, strides, offsets, classes, across
        self.total = 1
        for size in sizes:
            self.total *= size


@functools.lru_cache(maxsize=4096)
def plan(shape, strides, itemsizes, outputs):
    """The Walk for operands of `shape` with `strides` (bytes, one tuple per operand) and `itemsizes`; the first `outputs` are written.

    No operand may be empty.
    """
    operands = range(len(strides))
    offsets = [0] * len(strides)
    dims = []
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        steps = [strides[k][axis] for k in operands]
        if steps[0] < 0:  # walk the output upwards
            for k in operands:
                offsets[k] += steps[k] * (size - 1)
            steps = [-s for s in steps]
        dims.append((size, steps))
    dims.sort(key=lambda d: d[1][0], reverse=True)
    merged = []
    for size, steps in dims:
        if merged and all(merged[-1][1][k] == steps[k] * size for k in operands):
            merged[-1] = (merged[-1][0] * size, steps)
        else:
            merged.append((size, steps))
    if not merged:
        merged = [(1, list(itemsizes))]
    sizes = tuple(size for size, _ in merged)
    steps = tuple(tuple(d[1][k] for d in merged) for k in operands)
    classes = [_class_of(steps[k][-1], itemsizes[k], k < outputs) for k in operands]
    offsets = tuple(offsets)
    if len(sizes) == 1 and all(c in "u0" for c in classes):
        return Walk("flat", sizes, steps, offsets, "".join(classes))
    across = _across(sizes, steps, itemsizes, classes, outputs)
    if across is None:
        return Walk("rows", sizes, steps, offsets, "".join(classes))
    for k in operands[outputs:]:
        if classes[k] in "rsb2" and steps[k][across] == itemsizes[k]:
            classes[k] = "t"
    return Walk("tiles", sizes, steps, offsets, "".join(classes), across)


def _class_of(step, itemsize, written):
    if step % itemsize:
        return "b"
    if step == 2 * itemsize and itemsize == 4 and not written:
        return "2"
    # A constant step of -1 is a reversed vector.
    return {itemsize: "u", 0: "0", -itemsize: "s" if written else "r"}.get(step, "s")


def _across(sizes, steps, itemsizes, classes, outputs):
    """The dimension along which a strided input is contiguous, when blocks of it and the last one are worth transposing."""
    if sizes[-1] < TILE_MINIMUM or any(c != "u" for c in classes[:outputs]):
        return None
    for k in range(outputs, len(steps)):
        if classes[k] in "rsb2":
            for d in range(len(sizes) - 1):
                if steps[k][d] == itemsizes[k] and sizes[d] >= TILE_MINIMUM:
                    return d
    return None
