"""The compiler of the CUDA engine, without a GPU: cubins, their cache, and what scalarlib's functions compile to."""

import datetime
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit, types

from mtarray._kernels import build, scalarlib
from mtarray._kernels.cuda import compile as compiler
from mtarray._kernels.cuda import copying, elementwise
from mtarray._kernels.cuda.kernel import Kernel
from mtarray._kernels.scalarlib import binding, full, operators
from mtarray._kernels.scalarlib.primitives import HAS_FMA
from mtarray._kernels.source import Scalar
from mtarray_tests import cuda_compile, ptx

pytest.importorskip("numba_cuda")
pytest.importorskip("cuda.core")

F4, I4 = np.dtype(np.float32), np.dtype(np.int32)
TODAY = int(os.environ.get("MTARRAY_SEED") or datetime.date.today().strftime("%Y%m%d"))


def total(x1, x2):
    return x1 + x2


TOTAL = Scalar(total)


def scaled(target, dtype, factor):
    cuda, T = target.cuda, target.type(dtype)

    def scaled(y, x, n):
        i = cuda.grid(1)
        if i < n:
            y[i] = T(x[i] * T(factor))

    return scaled


# --- kernels and their cache -----------------------------------------------------------------------------------------------


def part_of(items, count):
    """So many of a list, others each day."""
    start, step = TODAY % len(items), max(1, len(items) // count)
    return [items[(start + i * step) % len(items)] for i in range(count)]


def test_some_kernels_compile():
    """A part that the date chooses: `python -m mtarray_tests.cuda_compile` compiles them all."""
    found = [cuda_compile.compiled(family, kernel, (9, 0)) for family, kernel in part_of(cuda_compile.kernels(), 8)]
    assert not [wrong for _, wrong in found if wrong], "\n".join([wrong for _, wrong in found])


def test_cubins_are_remembered_and_kept(tmp_path):
    build.set_cache_dir(tmp_path)
    try:
        kernel = Kernel(scaled, (F4, 2.5), "*f4 *f4 i8", 128)
        before = compiler.stats()
        made = compiler._cached(kernel, (7, 5))
        assert made.code[:4] == b"\x7fELF"
        assert made.entry.encode() in made.code
        assert (made.spills, made.shared) == (0, 0)
        assert 4 <= made.registers <= 64
        again = compiler._cached(kernel, (7, 5))
        assert again == made
        after = compiler.stats()
        assert (after["compilations"] - before["compilations"], after["cache_loads"] - before["cache_loads"]) == (1, 1)
        (file,) = Path(build.cache_dir()).glob("*.cubin")
        file.write_bytes(file.read_bytes()[:-7] + b"damaged")
        assert compiler._cached(kernel, (7, 5)).code[:4] == b"\x7fELF"
        assert compiler.stats()["compilations"] == after["compilations"] + 1
        assert compiler._cached(kernel, (7, 5)).registers == made.registers
        assert compiler.stats()["compilations"] == after["compilations"] + 1
    finally:
        build.set_cache_dir(None)


def kept_in_a_block(target):
    cuda, T = target.cuda, target.type(F4)

    def kept_in_a_block(y, x):
        kept = cuda.shared.array(96, T)
        t = cuda.threadIdx.x
        kept[t] = x[t]
        cuda.syncthreads()
        y[t] = kept[95 - t]

    return kept_in_a_block


@pytest.mark.parametrize(("cc", "reserved"), [((7, 5), 0), ((9, 0), 1024)])
def test_static_shared_memory_is_told(cc, reserved):
    assert compiler.cubin(Kernel(kept_in_a_block, (), "*f4 *f4", 96), cc).shared == 4 * 96 + reserved


def test_a_digest_names_everything_that_decides():
    kernels = [
        Kernel(scaled, (F4, 2), "*f4 *f4 i8"),
        Kernel(scaled, (F4, 2.0), "*f4 *f4 i8"),
        Kernel(scaled, (I4, 2), "*f4 *f4 i8"),
        Kernel(scaled, (F4, 2), "*f4 *f4 i8", 256),
        Kernel(scaled, (F4, TOTAL), "*f4 *f4 i8"),
        Kernel(scaled, (F4, (2, TOTAL)), "*f4 *f4 i8"),
        Kernel(scaled, (F4, "2"), "*f4 *f4 i8"),
        Kernel(copying.transpose, (F4, 2), "*f4 *f4 i8"),
    ]
    digests = [compiler.digest(k, (9, 0)) for k in kernels] + [compiler.digest(kernels[0], (8, 0))]
    assert len(set(digests)) == len(digests)
    with pytest.raises(TypeError, match="parameters are dtypes"):
        compiler.digest(Kernel(scaled, (F4, test_cubins_are_remembered_and_kept), "*f4 i8"), (9, 0))


WARM = """
import sys
import numpy as np
from mtarray._kernels.cuda import compile as compiler, copying
F4 = np.dtype(np.float32)
compiler.cubin(copying.transpose_kernel(F4, F4, 0), (9, 0))
assert compiler.stats() == {"compilations": 0, "cache_loads": 1}, compiler.stats()
assert not [m for m in sys.modules if m.startswith(("numba.cuda", "cuda.core"))]
"""


def test_a_process_with_cubins_never_imports_the_compiler():
    compiler.cubin(copying.transpose_kernel(F4, F4, 0), (9, 0))
    subprocess.run([sys.executable, "-c", WARM], check=True)


def test_complex_numbers_go_as_their_parts():
    with pytest.raises(TypeError, match="two arguments"):
        compiler.ptx(Kernel(scaled, (F4, 2), "*f4 *f4 c8"), (9, 0))


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba_cuda", None)
    with pytest.raises(ImportError, match=r'pip install "mtarray\[cuda\]"'):
        compiler.ptx(Kernel(scaled, (F4, 3), "*f4 *f4 i8"), (9, 0))


def test_numpy_that_has_no_row_stack(monkeypatch):
    """As from 2.5 on: numba-cuda names it while it compiles, and it is gone again afterwards."""
    monkeypatch.delattr(np, "row_stack", raising=False)
    with compiler._without_device((9, 0)):
        assert getattr(np, "row_stack", None) is np.vstack
    assert not hasattr(np, "row_stack")


def test_products_and_sums_stay_apart():
    """No contraction: a device gives the bits of the CPU."""
    text = compiler.ptx(next(iter(elementwise.kernels_of(Scalar(lambda x, y: x * y + x), (F4, F4), (F4,)))), (9, 0))
    assert "mul.rn.f32" in text
    assert "add.rn.f32" in text
    assert "fma" not in text


# --- scalarlib on the device: the PTX, run on the CPU, against the CPU's own code ---------------------------------------------


def one(target, library, name, ins, outs):
    """One element per thread."""
    cuda, f = target.cuda, getattr({"scalarlib": scalarlib, "full": full, "operators": operators}[library], name)
    xs, ys = [f"x{i}" for i in range(len(ins))], [f"y{i}" for i in range(len(outs))]
    results = ["r"] if len(outs) == 1 else [f"r[{i}]" for i in range(len(outs))]
    lines = [f"r = f({', '.join([f'{x}[i]' for x in xs])})", *[f"{y}[i] = {r}" for y, r in zip(ys, results)]]
    text = f"def one({', '.join([*ys, *xs, 'n'])}):\n    i = cuda.grid(1)\n    if i < n:\n        " + "\n        ".join(lines) + "\n"
    return target.define("one", text, {"f": f, "cuda": cuda})


def programs():
    """(library, name, dtypes of the operands, of the results) of all functions, for the dtypes that have programs of their own."""
    found = []
    for library, names in ((scalarlib, scalarlib.__all__), (full, sorted(scalarlib.RARE))):
        for name in names:
            function = getattr(library, name)
            if type(function) is not type(scalarlib.exp):
                continue
            arity = len(inspect.signature(function._defn).parameters) - 1
            for kind in ("f4", "f8", "c8", "c16", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
                operands = [binding.TYPE[kind]] * arity
                if name == "ldexp":
                    operands[1] = types.int32
                typed = function._defn(None, *operands)
                if typed is None or typed[0].args[0] is not operands[0]:
                    continue
                given = typed[0].return_type
                outs = given.types if isinstance(given, types.BaseTuple) else [given]
                found.append((library.__name__.rpartition(".")[2], name, tuple(map(_dtype, operands)), tuple(map(_dtype, outs))))
    return found


def _dtype(t):
    return np.dtype("?" if t is types.boolean else str(t))


def values(dtype, n, rng):
    """Numbers of all sizes, special ones among them."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        x = np.where(rng.random(n) < 0.5, rng.integers(info.min, info.max, n, dtype, endpoint=True), rng.integers(0, 20, n).astype(dtype))
        x[rng.integers(0, n, n // 20)] = info.min
        x[rng.integers(0, n, n // 20)] = info.max
        return x
    if dtype.kind == "c":
        return values(np.dtype(f"f{dtype.itemsize // 2}"), 2 * n, rng).view(dtype)
    any_bits = rng.integers(0, 1 << 63, n, np.uint64).astype(f"u{dtype.itemsize}").view(dtype) * rng.choice([-1, 1], n).astype(dtype)
    near = (rng.standard_normal(n) * rng.choice([0.1, 3, 300], n)).astype(dtype)
    x = np.where(rng.random(n) < 0.3, any_bits, near).astype(dtype)
    info = np.finfo(dtype)
    special = [0, 1, 0.5, 2, 3.5, np.inf, np.nan, 710, 745.5, 88.7, 104, info.tiny, info.tiny / 4, info.max]
    places = rng.permutation(n)[: 6 * len(special)]
    x[places] = np.tile(np.array([*special, *[-s for s in special]], dtype), 3)
    return x


def check(library, name, ins, outs):
    """None, or what differs between the PTX of a function and the CPU's code for it."""
    n, rng = 1500, np.random.default_rng(TODAY)
    codes = [f"*{d.str[1:]}" for d in (*outs, *ins)]
    text = compiler.ptx(Kernel(one, (library, name, ins, outs), " ".join([*codes, "i8"])), (9, 0))
    with np.errstate(all="ignore"):
        xs = [values(d, n, rng) for d in ins]
    got, want = ([np.zeros(n, d) for d in outs] for _ in range(2))
    ptx.run(text, n, *got, *xs, n)
    f = getattr({"scalarlib": scalarlib, "full": full}[library], name)
    space = {"f": f, "njit": njit}
    element = f"f({', '.join([f'x{i}[i]' for i in range(len(xs))])})"
    to = "y0[i]" if len(outs) == 1 else ", ".join([f"y{k}[i]" for k in range(len(outs))])
    names = [f"y{k}" for k in range(len(outs))] + [f"x{k}" for k in range(len(xs))]
    exec(f"@njit(error_model='numpy')\ndef loop({', '.join(names)}):\n    for i in range(x0.size):\n        {to} = {element}\n", space)
    space["loop"](*want, *xs)
    for a, b in zip(got, want):
        if a.dtype.kind == "c":
            a, b = (z.view(f"f{z.itemsize // 2}") for z in (a, b))
        same = a.view(f"u{a.itemsize}") == b.view(f"u{b.itemsize}")
        if a.dtype.kind == "f":
            same |= np.isnan(a) & np.isnan(b)
        if not same.all():
            i = np.flatnonzero(~same)[0]
            at = i // (a.size // n)
            return f"{library}.{name} of {', '.join([repr(x[at]) for x in xs])}: the device gives {a[i]!r}, the CPU {b[i]!r}"
    return None


fused = pytest.mark.skipif(not HAS_FMA, reason="the CPU's results are those of a device where it has fused multiply-add")


@fused
def test_some_functions_give_the_bits_of_the_cpu():
    assert [wrong for p in part_of(programs(), 5) if (wrong := check(*p))] == []


@fused
@pytest.mark.slow
def test_functions_give_the_bits_of_the_cpu():
    assert [wrong for p in programs() if (wrong := check(*p))] == []
