"""Compiled kernels of the random distributions: `random_core` pasted behind the primitives of `random_intrinsics`.

Argument words: 0 output address, 1 elements, 2 key, 3 first block, 4 first retry | stream << 32, 5 address of two parameters or of
the parameters' descriptors; see each template. A chunk is a range of blocks or of elements and never depends on the thread count.
"""

import inspect

from .. import build
from . import driver, random_core

_HEADER = """
from mtarray._kernels.cpu.random_intrinsics import (
    MOST_STEPS, as_bits, as_float, floor, inline, invert, lookup, select, sqrt, to_float, to_unsigned)
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
_NUMBA = dict(zip(_POINTER, ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "uint8"), strict=True))
_SIZE = {"float32": 4, "float64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1}
_addresses = {}


def _prelude():
    source = inspect.getsource(random_core).split("# --- begin: pasted into kernels ---\n")[1]
    return _HEADER + source.replace("\ndef ", "\n@inline\ndef ")


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
        lines = f"{indent}w0, w1, w2, w3 = philox(first + np.uint64(lo + i), retry, stream, key)\n{indent}{results} = {name}(w0, w1, w2, w3)\n"
        return lines + "".join(f"{indent}r{j} = types.{cast}(t{j} * scale + loc)\n" for j in range(per))

    return (
        f"{_ARGUMENTS}    loc = f8(ld64(args + 40))[0]\n    scale = f8(ld64(args + 40))[1]\n"
        f"    out = {_POINTER[dtype]}(ld64(args) + {per * _SIZE[dtype]} * lo)\n"
        f"    for i in range(min(hi, n // {per}) - lo):\n{words('        ')}{_stores(per, '        ', f'{per} * i')}{_tail(per, words('        '))}"
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


_INTEGER_HELPERS = '''
@inline
def lemire32(w, span, threshold):
    p = w * span
    return p >> U32, np.uint64((p & LOW32) < threshold)

@inline
def lemire64(w, span, threshold):
    a, b, c, d = w & LOW32, w >> U32, span & LOW32, span >> U32
    low = a * c
    mid = b * c + (low >> U32)
    cross = a * d + (mid & LOW32)
    high = b * d + (mid >> U32) + (cross >> U32)
    return (high if span != U0 else w), np.uint64(w * span < threshold)

@inline
def retry32(block, lane, retry, stream, key, span, threshold):
    while True:
        w0, w1, w2, w3 = philox(block, retry, stream, key)
        w = w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))
        value, bad = lemire32(w, span, threshold)
        if bad == U0:
            return value
        retry = (retry + U1) & LOW32

@inline
def retry64(block, lane, retry, stream, key, span, threshold):
    while True:
        w0, w1, w2, w3 = philox(block, retry, stream, key)
        value, bad = lemire64(join(w0, w1) if lane == 0 else join(w2, w3), span, threshold)
        if bad == U0:
            return value
        retry = (retry + U1) & LOW32
'''


def _attempts(name, blocks, dtype):
    """One block (and its retries) per element. Parameter words: address and stride (in elements) of each of two float64 arrays.

    The first attempts of a chunk are computed together and rejections marked (NaN, or -1 for counts); then the marked repeat.
    """
    cast, size = _NUMBA[dtype], _SIZE[dtype]
    mark, marked = ("np.nan", "out[i] != out[i]") if dtype.startswith("float") else ("-1.0", "out[i] < 0")

    def words(indent, attempt):
        lines = ""
        for j, w in enumerate("wvx"):
            if j < blocks:
                lines += f"{indent}{w}0, {w}1, {w}2, {w}3 = philox(b, retry + {attempt} + np.uint64({j}), stream, key)\n"
        full = ", ".join(f"{w if j < blocks else 'w'}{i}" for j, w in enumerate("wvx") for i in range(4))
        return lines + f"{indent}value, accepted = {name}({full}, pa[i * sa], pb[i * sb])\n"

    return (
        f"{_ARGUMENTS}    p = i8(ld64(args + 40))\n    sa = p[1]\n    sb = p[3]\n    pa = f8(p[0] + 8 * sa * lo)\n    pb = f8(p[2] + 8 * sb * lo)\n"
        f"    out = {_POINTER[dtype]}(ld64(args) + {size} * lo)\n"
        f"    for i in range(hi - lo):\n        b = first + np.uint64(lo + i)\n{words('        ', 'U0')}"
        f"        out[i] = types.{cast}(select(accepted, value, {mark}))\n"
        f"    for i in range(hi - lo):\n        if {marked}:\n            b = first + np.uint64(lo + i)\n"
        f"            attempt = U0\n            accepted = False\n            value = 0.0\n            while not accepted and attempt < np.uint64({random_core.MOST_ATTEMPTS * blocks}):\n"
        f"                attempt += np.uint64({blocks})\n{words('                ', 'attempt')}"
        f"            out[i] = types.{cast}(value)\n"
    )


def loaded(kind, name, dtype):
    """Whether this kernel is in memory, so that running it costs nothing beyond its work."""
    return (kind, name, dtype) in _addresses


def address(kind, name, dtype):
    """Address of the kernel: kind "dense" (name, and 2 or 4 results per block), "integers" (32 or 64 bits) or "attempts"."""
    key = (kind, name, dtype)
    fn = _addresses.get(key)
    if fn is None:
        prelude = _prelude()
        if kind == "dense":
            body = _dense(name, random_core.DENSE[name], dtype)
        elif kind == "integers":
            body, prelude = _integers(128 // name, dtype), prelude + _INTEGER_HELPERS
        else:
            body = _attempts(name, random_core.ATTEMPTS[name], dtype)
        fn = _addresses[key] = build.kernel(f"random_{name}_{dtype}", body, prelude)
    return fn


run = driver.run
