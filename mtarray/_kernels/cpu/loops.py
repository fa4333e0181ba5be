"""Source of the loops of elementwise kernels: flat runs, rows of any strides, tiles with register transposes.

A loop is written for the dtypes and the inner classes (`layout.Walk.classes`) of its operands, so that the compiler sees unit
strides and hoists single values. Three ways to store: "direct"; "scratch", through a block in the first-level cache, for outputs
that are also inputs (the compiler's check for overlap would choose its scalar loop) and for functions that look at a block of
results again; "stream", the same block written past the caches. Scratch, on the stack: 8 KiB for each output, and at most 16 KiB for
each input that is transposed, or of which every other element is taken (vectors and a shuffle: twice as fast as gathered).
"""

import numpy as np

WORDS = 8  # that a kernel is called with, see driver.py
BLOCK_BYTES = 8192
TILE = {1: (64, 64), 2: (64, 64), 4: (32, 128), 8: (32, 64), 16: (16, 32)}  # rows x columns by the largest item size
_TRANSPOSE = {1: "tr16_8", 2: "tr16_16", 4: "tr8_32", 8: "tr8_64"}
_ORDER = {1: 16, 2: 16, 4: 8, 8: 8}


def pointer(dtype):
    """Name of the pointer cast for arrays of dtype; bool is stored as uint8."""
    return "u1" if dtype.kind == "b" else {"f": "f", "i": "i", "u": "u", "c": "c"}[dtype.kind] + str(dtype.itemsize)


def converted(text, source, target):
    """Expression for a value of an array of `source`, as a kernel computes with it in `target`."""
    if target.kind == "b":
        return f"({text} != 0)"
    if source.kind == "b":
        source = np.dtype(np.uint8)
    if source == target:
        return text
    if source.kind == "c" and target.kind != "c":
        text, source = f"{text}.real", np.empty(0, source).real.dtype
        if source == target:
            return text
    if source.kind == "f" and target.kind in "iu":
        # What C compilers make of it, so what NumPy gives, out of range as well.
        if target == np.uint64:
            return f"float_to_u8({text})"
        if target == np.uint32:
            return f"float_to_u4({text})"
        return f"np.{target.name}(np.int32({text}))" if target.itemsize < 4 else f"np.{target.name}({text})"
    return f"np.{target.name}({text})"


def stored(text, dtype):
    """Expression for a result, whatever its type, as it is stored in an array of dtype."""
    if dtype.kind == "u" and dtype.itemsize >= 4:
        return f"into_u{dtype.itemsize}({text})"
    return f"np.uint8({text} != 0)" if dtype.kind == "b" else f"np.{dtype.name}({text})"


class Loop:
    """What one element does.

    `ins`, `outs`: dtypes of the arrays. `load(k, text)`: expression of operand k from its stored value. `body(names)`: lines and
    result expressions from the operands' names. `again(names)`: the same, complete, for elements of which `body` gave NaN, or None.
    """

    def __init__(self, ins, outs, load, body, again=None):
        self.ins, self.outs, self.load, self.body, self.again = ins, outs, load, body, again

    @property
    def block(self):
        """Elements of a block."""
        return min(2048, BLOCK_BYTES // max(d.itemsize for d in self.outs))

    def elements(self, indent, count, classes):
        """Lines of the loop over `count` elements: operand k at p<k>, or x<k> + bytes; results to d<i> (step g<i> when not unit)."""
        pad = " " * indent
        outs, ins = classes[: len(self.outs)], classes[len(self.outs) :]
        names = [f"v{k}" for k in range(len(ins))]
        at = {"u": "p{k}[j]", "t": "p{k}[j]", "2": "p{k}[j]", "0": "p{k}[0]"}
        at |= {"r": "p{k}[-j]", "s": "p{k}[j * e{k}]", "b": "{t}(x{k} + j * c{k})[0]"}
        loads = [f"v{k} = {self.load(k, at[c].format(k=k, t=pointer(self.ins[k])))}" for k, c in enumerate(ins)]
        fixed = [line for line, c in zip(loads, ins, strict=True) if c == "0"]
        moving = [line for line, c in zip(loads, ins, strict=True) if c != "0"]
        to = {"u": "d{i}[j] = {v}", "s": "d{i}[j * g{i}] = {v}", "b": "{t}(y{i} + j * h{i})[0] = {v}"}
        lines, results = self.body(names)
        stores = [to[c].format(i=i, v=stored(r, d), t=pointer(d)) for i, (r, d, c) in enumerate(zip(results, self.outs, outs, strict=True))]
        text = [pad + line for line in fixed]
        if self.again is None:
            return text + [f"{pad}for j in range({count}):"] + [f"{pad}    {line}" for line in moving + lines + stores]
        flags = [f"odd |= {r} != {r}" for r in results]
        text += [f"{pad}odd = False", f"{pad}for j in range({count}):"]
        text += [f"{pad}    {line}" for line in moving + lines + stores + flags]
        lines, results = self.again(names)
        text += [f"{pad}if odd:", f"{pad}    for j in range({count}):"]
        text += [f"{pad}        if {' or '.join(f'd{i}[j] != d{i}[j]' for i in range(len(self.outs)))}:"]
        stores = [f"d{i}[j] = {stored(r, d)}" for i, (r, d) in enumerate(zip(results, self.outs, strict=True))]
        return text + [f"{pad}            {line}" for line in moving + lines + stores]

    # Every block below works on `m` elements: inputs at addresses x<k> with byte steps c<k>, outputs at y<i> with byte steps h<i>.

    def scratch(self, classes, store):
        """Lines that make the blocks: of results unless they are stored "direct", of inputs of which every other element is taken."""
        lines = []
        if store != "direct":
            lines += [f"s{i} = stack({self.block * d.itemsize})" for i, d in enumerate(self.outs)]
        ins = classes[len(self.outs) :]
        return lines + [f"w{k} = stack({self.block * d.itemsize})" for k, d in enumerate(self.ins) if ins[k] == "2"]

    def run_block(self, indent, classes, store):
        pad = " " * indent
        n = len(self.outs)
        every_other = [k for k in range(len(self.ins)) if classes[n + k] == "2"]
        lines = [f"{pad}evens32(x{k}, w{k}, m)" for k in every_other]
        lines += [f"{pad}p{k} = {pointer(d)}({'w' if k in every_other else 'x'}{k})" for k, d in enumerate(self.ins)]
        if store == "direct":
            lines += [f"{pad}d{i} = {pointer(d)}(y{i})" for i, d in enumerate(self.outs)]
            return lines + self.elements(indent, "m", classes)
        lines += [f"{pad}d{i} = {pointer(d)}(s{i})" for i, d in enumerate(self.outs)]
        lines += self.elements(indent, "m", "u" * n + classes[n:])
        for i, d in enumerate(self.outs):
            size = d.itemsize
            if store == "stream":
                lines += [
                    f"{pad}if (y{i} & 63) == 0 and (m * {size} & 63) == 0:",
                    f"{pad}    nt_copy(y{i}, s{i}, m * {size})",
                    f"{pad}else:",
                    f"{pad}    memcpy(y{i}, s{i}, m * {size})",
                ]
            elif classes[i] == "u":
                lines += [f"{pad}memcpy(y{i}, s{i}, m * {size})"]
            else:
                place = f"z{i}[j * g{i}]" if classes[i] == "s" else f"{pointer(d)}(y{i} + j * h{i})[0]"
                lines += [f"{pad}z{i} = {pointer(d)}(y{i})", f"{pad}for j in range(m):", f"{pad}    {place} = d{i}[j]"]
        return lines

    def flat(self, classes, store):
        """Kernel over [lo, hi) elements; words: addresses of the outputs, then of the inputs. (Of more than WORDS: that of their table.)"""
        n = len(self.outs)
        lines = ["args = ld64(args)"] if len(classes) > WORDS else []
        lines += [f"y{i} = ld64(args + {8 * i}) + lo * {d.itemsize}" for i, d in enumerate(self.outs)]
        for k, d in enumerate(self.ins):
            lines.append(f"x{k} = ld64(args + {8 * (n + k)})" + (f" + lo * {d.itemsize}" if classes[n + k] == "u" else ""))
        if store == "direct":
            lines.append("m = hi - lo")
            return _indented(lines) + "\n" + "\n".join(self.run_block(4, classes, store))
        lines += self.scratch(classes, store)
        lines += ["left = hi - lo", f"m = min(left, {self.block})"]
        if store == "stream":  # a short first block brings the output to a cache line
            size = self.outs[0].itemsize
            lines += [f"first = ((64 - (y0 & 63)) & 63) // {size}", "if 0 < first and first < m:", "    m = first"]
        lines += ["while left > 0:"]
        text = _indented(lines) + "\n" + "\n".join(self.run_block(8, classes, store)) + "\n"
        steps = [f"    y{i} += m * {d.itemsize}" for i, d in enumerate(self.outs)]
        steps += [f"    x{k} += m * {d.itemsize}" for k, d in enumerate(self.ins) if classes[n + k] == "u"]
        steps += ["    left -= m", f"    m = min(left, {self.block})", *(["sfence()"] if store == "stream" else [])]
        return text + _indented(steps)

    def _operands(self):
        """(letter of the address, letter of the byte step, letter of the element step, number) of outputs and inputs."""
        return [("y", "h", "g", i) for i in range(len(self.outs))] + [("x", "c", "e", k) for k in range(len(self.ins))]

    def _head(self, classes, fixed):
        """Lines that read what a table (see `rows`) says of the operands; `fixed`: names of the words of each before the outer steps."""
        lines = []
        for p, (a, c, e, i) in enumerate(self._operands()):
            lines.append(f"t{a}{i} = operands + {p} * width")
            for w, word in enumerate(fixed):
                name = {"address": "b" + a, "row": "r" + a, "bytes": c, "elements": e}[word]
                if word != "elements" or classes[p] == "s":
                    lines.append(f"{name}{i} = ld64(t{a}{i} + {8 * w})")
            lines.append(f"t{a}{i} += {8 * len(fixed)}")
        return lines

    def _outer(self):
        """Lines that turn `rest`, the number of an outer position, into addresses o<a><i>; the first dimension needs no division."""
        operands = self._operands()
        lines = [f"o{a}{i} = b{a}{i}" for a, _, _, i in operands]
        lines += ["d = nd - 1", "while d > 0:", "    size = ld64(sizes + 8 * d)"]
        lines += ["    at = size_rem(rest, size)", "    rest = size_div(rest, size)"]
        lines += [f"    o{a}{i} += at * ld64(t{a}{i} + 8 * d)" for a, _, _, i in operands]
        lines += ["    d -= 1", "if nd > 0:"]
        return lines + [f"    o{a}{i} += rest * ld64(t{a}{i})" for a, _, _, i in operands]

    def rows(self, classes, store):
        """Kernel over items [lo, hi); item = block of a row. Word 0: address of a table of int64:

        inner size, blocks per row, elements per block, number of outer dimensions; their sizes; then for outputs and inputs: address,
        inner step in bytes, in elements, outer steps in bytes.
        """
        operands = self._operands()
        lines = ["table = ld64(args)", "inner = ld64(table)", "blocks = ld64(table + 8)", "block = ld64(table + 16)"]
        lines += ["nd = ld64(table + 24)"]
        lines += ["sizes = table + 32", "operands = sizes + 8 * nd", "width = 24 + 8 * nd"]
        lines += self._head(classes, ("address", "bytes", "elements"))
        lines += self.scratch(classes, store)
        lines += ["for item in range(lo, hi):", "    rest = size_div(item, blocks)", "    start = (item - rest * blocks) * block"]
        lines += ["    m = inner - start", "    if m > block:", "        m = block"]
        lines += ["    " + line for line in self._outer()]
        lines += [f"    {a}{i} = o{a}{i} + start * {c}{i}" for a, c, _, i in operands]
        text = _indented(lines) + "\n" + "\n".join(self.run_block(8, classes, store))
        return text + ("\n    sfence()" if store == "stream" else "")

    @property
    def tile(self):
        return TILE[max(d.itemsize for d in (*self.ins, *self.outs))]

    def tiles(self, classes, store):
        """Kernel over items [lo, hi); item = tile. Word 0: address of a table of int64:

        rows, columns, tiles down, tiles along, number of outer dimensions; their sizes; then for outputs and inputs: address, row step,
        column step in bytes, in elements, outer steps in bytes.
        """
        n = len(self.outs)
        operands = self._operands()
        height, length = self.tile
        lines = ["table = ld64(args)", "nr = ld64(table)", "nc = ld64(table + 8)", "along = ld64(table + 24)"]
        lines += ["each = ld64(table + 16) * along", "nd = ld64(table + 32)", "sizes = table + 40"]
        lines += ["operands = sizes + 8 * nd", "width = 32 + 8 * nd"]
        lines += self._head(classes, ("address", "row", "bytes", "elements"))
        for k, d in enumerate(self.ins):
            if classes[n + k] == "t":
                lines.append(f"st{k} = stack({height * length * d.itemsize})")
        lines += self.scratch(classes, store)
        lines += ["for item in range(lo, hi):", "    rest = size_div(item, each)", "    tile = item - rest * each"]
        lines += ["    " + line for line in self._outer()]
        lines += [f"    top = size_div(tile, along) * {height}", f"    left = size_rem(tile, along) * {length}"]
        lines += [f"    down = min({height}, nr - top)", f"    m = min({length}, nc - left)"]
        lines += [f"    o{a}{i} += top * r{a}{i} + left * {c}{i}" for a, c, _, i in operands]
        for k, d in enumerate(self.ins):
            if classes[n + k] == "t":
                lines += ["    " + line for line in _fill(k, d.itemsize, pointer(d), length)]
        lines += ["    for r in range(down):"]
        for p, (a, _, _, i) in enumerate(operands):
            size = self.ins[i].itemsize if a == "x" else 0
            lines.append(f"        {a}{i} = " + (f"st{i} + r * {length * size}" if classes[p] == "t" else f"o{a}{i} + r * r{a}{i}"))
        text = _indented(lines) + "\n" + "\n".join(self.run_block(12, classes, store))
        return text + ("\n    sfence()" if store == "stream" else "")


def _fill(k, size, cast, length):
    """Lines that transpose a tile of input k (rows at stride `size`, columns at c<k>) into its scratch st<k>."""
    order = _ORDER.get(size)
    if order is None:  # no register transpose: read along the input's memory
        return [
            "for j in range(m):",
            f"    p{k} = {cast}(ox{k} + j * c{k})",
            f"    q{k} = {cast}(st{k} + j * {size})",
            "    for r in range(down):",
            f"        q{k}[r * {length}] = p{k}[r]",
        ]
    return [
        "r = np.int64(0)",
        "while r < down:",
        "    j = np.int64(0)",
        "    while j < m:",
        f"        if r + {order} <= down and j + {order} <= m:",
        f"            {_TRANSPOSE[size]}(ox{k} + r * {size} + j * c{k}, c{k}, st{k} + (r * {length} + j) * {size}, {length * size})",
        "        else:",
        f"            for jj in range(j, min(m, j + {order})):",
        f"                p{k} = {cast}(ox{k} + jj * c{k})",
        f"                q{k} = {cast}(st{k} + jj * {size})",
        f"                for rr in range(r, min(down, r + {order})):",
        f"                    q{k}[rr * {length}] = p{k}[rr]",
        f"        j += {order}",
        f"    r += {order}",
    ]


def _indented(lines):
    return "\n".join("    " + line for line in lines)
