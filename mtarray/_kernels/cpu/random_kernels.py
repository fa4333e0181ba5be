"""Compiled kernels of the random distributions: `random_core` pasted behind the primitives of `random_intrinsics`.

Argument words: 0 output address, 1 elements, 2 key, 3 first block, 4 first retry | stream << 32, 5 address of two parameters or of
the parameters' descriptors; see each template. A chunk is a range of blocks or of elements and never depends on the thread count.
"""

from .. import build
from . import driver, random_core

_HEADER = """
from mtarray._kernels.cpu.random_intrinsics import (
    as_bits, as_float, floor, frame_a, frame_b, frame_k, frame_p, frame_ratio, frame_shift, frame_u, frame_value,
    inline, lookup, select, sqrt, to_float, to_unsigned)
"""
_ARGUMENTS = """    n = ld64(args + 8)
    key = np.uint64(ld64(args + 16))
    first = np.uint64(ld64(args + 24))
    retry = np.uint64(ld64(args + 32)) & LOW32
    stream = np.uint64(ld64(args + 32)) >> U32
"""
CHUNK_BLOCKS = 4096
CHUNK_ELEMENTS = 2048
_POINTER = {"float32": "f4", "float64": "f8", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
            "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "u1"}  # fmt: skip
_NUMBA = {name: "uint8" if name == "bool" else name for name in _POINTER}
_SIZE = {name: int(pointer[1]) for name, pointer in _POINTER.items()}
_addresses = {}


def prelude():
    """Source of the formulas as inlined helpers; those that a kernel does not call are not compiled."""
    return _HEADER + _pasted(1)


def _pasted(part):
    return random_core.source(part).replace("\ndef ", "\n@inline\ndef ")


def _stores(per, indent, at):
    return "".join(f"{indent}out[{at} + {j}] = r{j}\n" for j in range(per))


def _tail(per, words):
    """Lines that fill the elements of the last, incomplete block."""
    lines = f"    if {per} * hi > n:\n        i = hi - lo - 1\n{words}"
    return lines + "".join(f"        if {per} * (hi - 1) + {j} < n:\n            out[{per} * i + {j}] = r{j}\n" for j in range(per))


def _dense(name, per, dtype):
    results = ", ".join(f"t{j}" for j in range(per))
    cast = _NUMBA[dtype]

    def words(indent):
        lines = f"{indent}w0, w1, w2, w3 = philox(first + np.uint64(lo + i), retry, stream, key)\n"
        lines += f"{indent}{results} = {name}(w0, w1, w2, w3)\n"
        return lines + "".join(f"{indent}r{j} = types.{cast}(t{j} * scale + loc)\n" for j in range(per))

    return (
        f"{_ARGUMENTS}    loc = f8(ld64(args + 40))[0]\n    scale = f8(ld64(args + 40))[1]\n"
        f"    out = {_POINTER[dtype]}(ld64(args) + {per * _SIZE[dtype]} * lo)\n"
        f"    for i in range(min(hi, n // {per}) - lo):\n{words('        ')}{_stores(per, '        ', f'{per} * i')}"
        f"{_tail(per, words('        '))}"
    )


def _integers(per, dtype):
    """Lemire's multiplication (2019): retries of a lane take the next block of its own sub-stream.

    A strip is filled without looking; the sum of its rejections (rare) says whether a second, scalar pass must look.
    Parameters: low, span, threshold = 2**bits mod span, as uint64; span 0 means all 2**64.
    """
    cast, size = _NUMBA[dtype], _SIZE[dtype]
    draw = f"lemire{128 // per}"
    w = [f"w{j}" for j in range(4)] if per == 4 else ["join(w0, w1)", "join(w2, w3)"]
    strip = 64
    lines = (
        f"{_ARGUMENTS}    low = u8(ld64(args + 40))[0]\n    span = u8(ld64(args + 40))[1]\n    threshold = u8(ld64(args + 40))[2]\n"
        f"    base = ld64(args)\n    out = {_POINTER[dtype]}(base)\n"
        f"    for s in range((min(hi, n // {per}) - lo + {strip - 1}) // {strip}):\n"
        f"        b = lo + {strip} * s\n        m = min({strip}, min(hi, n // {per}) - b)\n        rejected = U0\n"
        f"        dst = {_POINTER[dtype]}(base + {per * size} * b)\n        for i in range(m):\n"
        f"            w0, w1, w2, w3 = philox(first + np.uint64(b + i), retry, stream, key)\n"
    )
    for j in range(per):
        lines += f"            t{j}, x{j} = {draw}({w[j]}, span, threshold)\n            dst[{per} * i + {j}] = types.{cast}(t{j} + low)\n"
    lines += f"            rejected |= {' | '.join(f'x{j}' for j in range(per))}\n"
    lines += (
        f"        if rejected != U0:\n            for i in range({per} * m):\n"
        f"                dst[i] = types.{cast}(retry{128 // per}(first + np.uint64(b) + np.uint64(i) // np.uint64({per}),"
        f" i % {per}, retry, stream, key, span, threshold) + low)\n"
        f"    for e in range(max({per} * lo, {per} * (n // {per})), min({per} * hi, n)):\n"
        f"        out[e] = types.{cast}(retry{128 // per}(first + np.uint64(e) // np.uint64({per}),"
        f" e % {per}, retry, stream, key, span, threshold) + low)\n"
    )
    return lines


def _attempts(name, blocks, dtype):
    """One block (and its retries) per element. Parameter words: address and stride (in elements) of each of two float64 arrays.

    A strip's parameters are copied to the stack, so that the loop over first attempts has unit strides and vectorises; those it
    rejects are marked and repeated one by one, as are small means, whose search is a loop of its own.
    """
    cast, size = _NUMBA[dtype], _SIZE[dtype]

    def attempt(indent, number):
        lines = ""
        for j, w in enumerate("wvx"[:blocks]):
            lines += f"{indent}{w}0, {w}1, {w}2, {w}3 = philox(block, retry + {number} + np.uint64({j}), stream, key)\n"
        full = ", ".join(f"{w if j < blocks else 'w'}{i}" for j, w in enumerate("wvx") for i in range(4))
        return lines + f"{indent}value, accepted = {name}({full}, a[i], b[i])\n"

    body = (
        f"{_ARGUMENTS}    p = i8(ld64(args + 40))\n    sa = p[1]\n    sb = p[3]\n"
        "    a = f8(frame_a())\n    b = f8(frame_b())\n    v = f8(frame_value())\n"
        f"    for s in range((hi - lo + 255) // 256):\n        e = lo + 256 * s\n        m = min(256, hi - e)\n"
        f"        pa = f8(p[0] + 8 * sa * e)\n        pb = f8(p[2] + 8 * sb * e)\n"
        f"        out = {_POINTER[dtype]}(ld64(args) + {size} * e)\n"
        "        for i in range(m):\n            a[i] = pa[i * sa]\n            b[i] = pb[i * sb]\n"
    )
    indent = "        "
    if name in random_core.SEARCHED:
        body += _search(name)
        indent += "    "
    body += (
        f"{indent}for i in range(m):\n{indent}    block = first + np.uint64(e + i)\n{attempt(indent + '    ', 'U0')}"
        f"{indent}    v[i] = select(accepted, value, np.nan)\n"
    )
    if name in random_core.SEARCHED:
        body += (
            f"        if small:\n            for i in range(m):\n"
            f"                v[i] = select({name}_is_small(a[i], b[i]), {name}_end(k[i], a[i], b[i]), v[i])\n"
        )
    return body + (
        "        for i in range(m):\n            value = v[i]\n            if value != value:\n"
        "                block = first + np.uint64(e + i)\n"
        "                number = U0\n                accepted = False\n"
        f"                while not accepted and number < np.uint64({(random_core.MOST_ATTEMPTS - 1) * blocks}):\n"
        f"                    number += np.uint64({blocks})\n{attempt(' ' * 20, 'number')}"
        f"            out[i] = types.{cast}(value)\n"
    )


def _search(name):
    """Lines that search for the small means of a strip, all lanes a step at a time; the line after them is done only for large ones."""
    return (
        f"        small = 0\n        for i in range(m):\n            v[i] = 0.0\n            small += {name}_is_small(a[i], b[i])\n"
        "        if small:\n            u = f8(frame_u())\n            q = f8(frame_p())\n            k = f8(frame_k())\n"
        "            ratio = f8(frame_ratio())\n            shift = f8(frame_shift())\n            for i in range(m):\n"
        "                w0, w1, w2, w3 = philox(first + np.uint64(e + i), retry, stream, key)\n"
        f"                t, q[i], ratio[i], shift[i] = {name}_start(w0, w1, w2, w3, a[i], b[i])\n"
        f"                u[i] = select({name}_is_small(a[i], b[i]), t, 0.0)\n                k[i] = 0.0\n"
        f"            for step in range(1, {random_core.MOST_STEPS + 1}):\n                active = 0\n                for i in range(m):\n"
        "                    t = u[i]\n                    r = q[i]\n                    more = t > r\n                    active += more\n"
        "                    u[i] = select(more, t - r, t)\n                    k[i] = select(more, k[i] + 1.0, k[i])\n"
        "                    q[i] = select(more, r * (ratio[i] / step + shift[i]), r)\n"
        "                if active == 0:\n                    break\n"
        "        if small < m:\n"
    )


def loaded(kind, name, dtype):
    """Whether this kernel is in memory, so that running it costs nothing beyond its work."""
    return (kind, name, dtype.char) in _addresses


def address(kind, name, dtype):
    """Address of the kernel: kind "dense" (name, and 2 or 4 results per block), "integers" (32 or 64 bits) or "attempts"."""
    key = (kind, name, dtype.char)  # `dtype.name` takes 1.5 us
    fn = _addresses.get(key)
    if fn is None:
        helpers = prelude()
        if kind == "dense":
            body = _dense(name, random_core.DENSE[name], dtype.name)
        elif kind == "integers":
            body, helpers = _integers(128 // name, dtype.name), helpers + _pasted(2)
        else:
            body = _attempts(name, random_core.ATTEMPTS[name], dtype.name)
        fn = _addresses[key] = build.kernel(f"random_{name}_{dtype.name}", body, helpers)
    return fn


run = driver.run
