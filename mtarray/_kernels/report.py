"""What LLVM and Numba made of a kernel, as data.

Machine code from the cache tells nothing about its making, so a kernel is compiled once more to be looked at (about 0.1 s; a kernel of
`prange` loops takes a second). Neither the cache nor the kernel that runs is touched.

Vectorisation is read from the optimised LLVM code, which is what becomes machine code: LLVM's loop vectoriser puts what it makes of a loop
into blocks named `vector.body` up to one named `middle.block`, whose values have vector types; what it leaves for the last elements may
be a narrower loop of the same kind (`vec.epilog.vector.body`). Vectors elsewhere were written as such in the kernel. The registers are
counted in the assembly.
"""

import contextlib
import functools
import io
import re
import warnings
from collections import Counter

import numba

from . import build

_LOOP = re.compile(r"^(vec\.epilog\.)?vector\.body[\w.]*:(.*?)^(?:vec\.epilog\.)?middle\.block[\w.]*:", re.MULTILINE | re.DOTALL)
_VECTOR = re.compile(r"<(\d+) x (\w+)>")
_APART = re.compile(r"^declare [^@]*@(_ZN7mtarray[\w$.]+)", re.MULTILINE)  # code of ours that is compiled as a module of its own
_FUNCTION = re.compile(r"^define .*?^}", re.MULTILINE | re.DOTALL)
_BITS = {"float": 32, "double": 64, "half": 16, "bfloat": 16, "ptr": 64}
_REGISTERS = {"zmm": r"%zmm\d+", "ymm": r"%ymm\d+", "xmm": r"%xmm\d+", "neon": r"\bv\d+\.\d*[bhsd]\b", "sve": r"\bz\d+\.[bhsd]\b"}


def _element(name):
    """(dtype-like name, bits) of an LLVM element type."""
    if name in _BITS:
        return {"float": "float32", "double": "float64"}.get(name, name), _BITS[name]
    return name.replace("i", "int", 1) if name != "i1" else "bool", int(name[1:])


def vectors(llvm, assembly, written=True):
    """How a compiled function is vectorised.

    Dict of `vectorized`; `width`, elements of a vector where most of the work is done, and their `element`; `loops`, those of the
    vectoriser (main or remainder, element, width, vectors stored in a turn); `written`, vector types outside such loops, by how often;
    `registers`, vector registers named in the machine code, by kind; `apart`, functions that it calls and that are compiled apart, of
    which this says nothing. `written=False`: the source has no vectors of its own.
    """
    loops = []
    for remainder, body in _LOOP.findall(llvm):
        # Masks (i1) have as many elements as what they select, so they say nothing of their own.
        kinds = Counter((int(n), t) for n, t in _VECTOR.findall(body) if t != "i1")
        if not kinds:
            continue
        stores = Counter((int(n), t) for n, t in re.findall(r"\bstore <(\d+) x (\w+)>", body))
        (width, kind), _ = (stores or kinds).most_common(1)[0]
        element, bits = _element(kind)
        loops.append(
            {
                "part": "remainder" if remainder else "main",
                "element": element,
                "width": width,
                "bits": width * bits,
                "stores": stores.get((width, kind), 0),
            }
        )
    outside = Counter(f"{n} x {_element(t)[0]}" for n, t in _VECTOR.findall(_LOOP.sub("", llvm)) if t != "i1")
    registers = {kind: len(re.findall(pattern, assembly)) for kind, pattern in _REGISTERS.items()}
    # The loop that stores most is the work; sums store nothing, and are mostly written in vectors.
    main = max((loop for loop in loops if loop["part"] == "main"), key=lambda loop: (loop["stores"], loop["bits"]), default=None)
    if main and main["stores"]:
        width, element = main["width"], main["element"]
    elif written and outside:
        width, element = outside.most_common(1)[0][0].split(" x ")
    else:
        width, element = 1, None
    return {
        "vectorized": int(width) > 1,
        "width": int(width),
        "element": element,
        "loops": loops,
        "written": dict(outside.most_common(4)),
        "registers": {kind: count for kind, count in registers.items() if count},
        "apart": sorted(set(_APART.findall(llvm))),
    }


@functools.lru_cache(maxsize=512)
def of_kernel(address):
    """`vectors` of the kernel at this address."""
    return vectors(*build.compile_again(address))


@functools.lru_cache(maxsize=128)
def of_loops(name, source):
    """What Numba reports of a function of `prange` loops, and `vectors` of it; dict of

    `loops` (id, line of the source, its text), `loops_after_fusion`, `fusion` (what Numba says of each pair it tried), `allocations` (that
    are hoisted out of a loop: loop, line, text), `hoisted` (instructions that are computed once before a loop, by the loop's id),
    `vectors`, `text` (Numba's report as it prints it).
    """
    function = build.load(name, source)[0]
    again = numba.njit(parallel=True, nogil=True, error_model="numpy")(function.py_func)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Numba could not make parallel: the report says so
        again.compile(function.signatures[0])
    signature = again.signatures[0]
    found = again.get_metadata(signature)["parfor_diagnostics"]
    lines = source.splitlines()

    def text(line):
        return lines[line - 1].strip() if 0 < line <= len(lines) else ""

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        found.dump(4)
    loops = sorted(((p.id, p.loc.line) for p in found.initial_parfors), key=lambda p: p[1])
    hoisted = {loop: [str(i) for i in made.get("hoisted", ())] for loop, made in found.hoist_info.items() if loop in {p for p, _ in loops}}
    allocations = [
        {"loop": loop, "line": i.loc.line, "text": text(i.loc.line)}
        for loop, made in found.hoist_info.items()
        for i in made.get("hoisted", ())
        if getattr(i.value, "op", None) == "getattr" and i.value.attr == "empty"
    ]
    # The bodies of the loops are functions of their own; around them stands what calls them.
    bodies = "\n".join(f for f in _FUNCTION.findall(again.inspect_llvm(signature)) if "parfor_gufunc" in f.partition("(")[0])
    return {
        "loops": [{"id": i, "line": line, "text": text(line)} for i, line in loops],
        "loops_after_fusion": len(loops) - sum(map(len, found.fusion_info.values())),
        "fusion": [str(getattr(r, "message", None) or r) for r in found.fusion_reports],
        "allocations": allocations,
        "hoisted": {str(loop): steps for loop, steps in hoisted.items()},
        "vectors": vectors(bodies, again.inspect_asm(signature), written=False),
        "text": printed.getvalue().strip() + "\n",
    }
