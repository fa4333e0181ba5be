"""`mtarray.diagnostics`: what it says of kernels is what LLVM, Numba and the driver did; watching changes nothing and sees every op."""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import _array, _dispatch, _fold, _into, _storage, diagnostics
from mtarray._kernels import build, report
from mtarray._kernels.cpu import driver
from mtarray.diagnostics import samples
from mtarray.linalg import products

from .catalogue import ELEMENTWISE, REDUCTIONS, operands, values

BIG = 1 << 20


@pytest.fixture(autouse=True)
def _auto() -> Any:
    """These tests speak of the tiers, whatever mode the environment chose."""
    with xp.config(kernels="auto"):
        yield


def array(*shape: int, dtype: str = "float32") -> xp.Array:
    return xp.asarray(np.random.default_rng(0).random(shape).astype(dtype))


# --- kernels ---------------------------------------------------------------------------------------------------------------


def test_kernels_of_an_op() -> None:
    names = [layout for layout, _ in samples.calls("add")[2]]
    assert {"contiguous", "array and number", "matrix and row", "first transposed", "every other column", "in place"} <= set(names)
    found = {k.layout: k for k in diagnostics.kernels("add", layouts=["contiguous", "matrix and row", "first transposed"])}
    assert list(found) == ["contiguous", "matrix and row", "first transposed"]
    k = found["contiguous"]
    assert k.vectors["vectorized"]
    assert k.vectors["element"] == "float32"
    assert k.vectors["width"] in (4, 8, 16, 32)
    assert sum(k.vectors["registers"].values()) > 0
    assert (k.items, k.chunk * k.chunks) == (BIG, BIG)
    assert k.driver == driver.layer()
    assert f"def {k.name}(lo, hi, args)" in k.source
    assert k.cached
    assert os.path.isfile(k.file)
    assert "_tiles_" in found["first transposed"].name
    assert "_rows_" in found["matrix and row"].name
    assert f"{k.chunks} chunks of {k.chunk}" in str(k)
    assert [k.dtype for k in diagnostics.kernels(xp.add, "float64", ["contiguous"])] == ["float64"]


def test_kernels_of_reductions_engines_and_composed_functions() -> None:
    (k,) = diagnostics.kernels(xp.max, "float64", ["all elements"])
    assert k.vectors["vectorized"]
    assert k.chunks > 1
    (k,) = diagnostics.kernels("take")
    assert k.layout == "rows"
    assert diagnostics.kernels("flip") == ()  # a view


def test_what_there_are_no_kernels_of_is_told() -> None:
    with pytest.raises(ValueError, match="there is no op 'nonsense'"):
        diagnostics.kernels("nonsense")
    with pytest.raises(ValueError, match="there is no op '_ops'"):
        diagnostics.kernels("_ops")
    with pytest.raises(TypeError, match="not defined for float32"):
        diagnostics.kernels("bitwise_and", "float32")
    with pytest.raises(ValueError, match=r"add: layouts are contiguous, .*; got \['upside down'\]"):
        diagnostics.kernels("add", layouts=["upside down"])
    with pytest.raises(TypeError, match="an op is a name or a function, got int"):
        diagnostics.kernels(3)
    with pytest.raises(ValueError, match="sort has no form with prange loops"):
        diagnostics.loops("sort")


def test_vectors_are_read_from_llvm_and_assembly() -> None:
    """A loop of two vectors of 8 doubles a turn with a remainder; one without vectors; vectors that the source wrote."""
    loop = """define void @f() {
vector.body:                                      ; preds = %vector.body, %entry
  %a = load <8 x double>, ptr %x
  store <8 x double> %a, ptr %y, align 8
  store <8 x double> %b, ptr %z, align 8
  br i1 %c, label %middle.block, label %vector.body
middle.block:
  br i1 %c, label %exit, label %vec.epilog.ph
vec.epilog.vector.body:
  store <4 x double> %a, ptr %y, align 8
vec.epilog.middle.block:
  ret void
}
"""
    v = report.vectors(loop, "vmovupd (%rax), %zmm0\nvmovupd %zmm1, 64(%rax)\nvaddsd %xmm0, %xmm1")
    assert (v["vectorized"], v["width"], v["element"]) == (True, 8, "float64")
    assert [(x["part"], x["width"], x["stores"], x["bits"]) for x in v["loops"]] == [("main", 8, 2, 512), ("remainder", 4, 1, 256)]
    assert v["registers"] == {"zmm": 2, "xmm": 2}
    plain = "define void @f() {\nentry:\n  store double %a, ptr %y\n  ret void\n}\n"
    assert report.vectors(plain, "")["vectorized"] is False
    written = "define void @f() {\nentry:\n  %s = fadd <16 x float> %a, %b\n  ret void\n}\n"
    assert report.vectors(written, "")["width"] == 16
    assert report.vectors(written, "", written=False)["width"] == 1


def test_looking_at_a_kernel_counts_and_changes_nothing() -> None:
    (k,) = diagnostics.kernels("add", layouts=["contiguous"])
    before = build.stats()["compilations"]
    size = os.path.getsize(k.file.removesuffix(".py") + ".bin")
    address = next(made[0] for memo, made in build._loaded.items() if memo[0] == k.name)
    report.of_kernel.cache_clear()
    assert report.of_kernel(address) == k.vectors
    assert build.stats()["compilations"] == before
    assert os.path.getsize(k.file.removesuffix(".py") + ".bin") == size
    with pytest.raises(KeyError, match="no kernel at address 0"):
        build.known(0)


# --- readable loops --------------------------------------------------------------------------------------------------------


def test_loops_of_the_four_forms() -> None:
    # Those that the tests of the mode compile too.
    asked = (("zip", "where", "float64"), ("reduce", xp.max, "float64"), ("matmul", "linalg.matmul", "float32"))
    found = {kind: diagnostics.loops(op, dtype) for kind, op, dtype in asked}
    for kind, loops in found.items():
        assert loops.kind == kind
        assert f"def {loops.name}(" in loops.source
        lines = loops.source.splitlines()
        assert [lines[loop["line"] - 1].strip() for loop in loops.loops] == [loop["text"] for loop in loops.loops]
        assert all("prange" in loop["text"] for loop in loops.loops)
        assert loops.loops_after_fusion == len(loops.loops)
        assert "Parallel loop listing" in loops.text
        assert loops.allocations == []
        assert any("position" in step for steps in loops.hoisted.values() for step in steps)
        assert str(len(loops.loops)) in str(loops)
    assert len(found["zip"].loops) == 2
    assert found["zip"].vectors["element"] == "float64"
    assert not found["reduce"].vectors["vectorized"]


def test_fusion_and_hoisted_allocations_are_data() -> None:
    """Of loops that have both: Numba joins the two loops of the first function and allocates once in the second."""
    head = (
        "import numpy as np\nfrom numba import njit, prange, types\n\n\n@njit(types.void(types.float64[::1]), parallel=True, cache=True)\n"
    )
    fused = head + (
        "def fused_loops_of_test(out):\n"
        "    n = out.size\n"
        "    a = np.empty(n)\n"
        "    for i in prange(n):\n        a[i] = i\n"
        "    for i in prange(n):\n        out[i] = a[i] + 1\n"
    )
    found = report.of_loops("fused_loops_of_test", fused)
    assert (len(found["loops"]), found["loops_after_fusion"]) == (2, 1)
    assert "fusion succeeded" in found["fusion"][0]
    hoisting = head + (
        "def hoisting_loop_of_test(out):\n"
        "    for i in prange(out.size):\n"
        "        scratch = np.empty(3)\n"
        "        scratch[0] = i\n"
        "        out[i] = scratch[0]\n"
    )
    (allocation,) = report.of_loops("hoisting_loop_of_test", hoisting)["allocations"]
    assert allocation["text"] == "scratch = np.empty(3)"


def test_the_product_in_python() -> None:
    a = xp.asarray([[1, 2], [3, 4]])
    assert diagnostics.matmul_in_python(a, a).tolist() == [[7, 10], [15, 22]]
    with pytest.raises(TypeError, match="int64 and float64 differ"):
        diagnostics.matmul_in_python(a, xp.ones((2, 2)))


# --- explain ---------------------------------------------------------------------------------------------------------------


def steps(what: Any, *args: Any, **variables: Any) -> list[diagnostics.Step]:
    return diagnostics.explain(what, *args, **variables).steps


def test_tiers_and_reasons() -> None:
    small, large = array(10), array(1000, 1000)
    (s,) = steps("x + x", x=small)
    assert (s.op, s.tier, s.kernels, s.recorded) == ("add", "numpy", [], False)
    assert s.why.startswith("10 elements are fewer than ")
    assert (s.bytes_read, s.bytes_written) == (80, 40)
    assert s.operands == ["float32 (10,)", "float32 (10,)"]
    (s,) = steps("x + x.T", x=large)
    assert s.tier == "kernel"
    assert "1000000 elements are not fewer than" in s.why
    assert "in tiles (result, operands: contiguous, contiguous, transposed in registers)" in s.why
    assert s.chunks > 1
    assert s.bytes_read + s.bytes_written == 12_000_000
    assert s.seconds > 0
    (s,) = steps("x[:, ::2] * x[:, ::3][:, :1]", x=large)
    assert "walked row by row (result, operands: contiguous, every other, one value)" in s.why
    (s,) = steps("xp.sum(x, axis=0)", x=large)
    assert s.kernels == ["reduce_add_fff_columns"]
    assert s.result == "float32 (1000,)"
    (s,) = steps("x + xp.broadcast_to(y, (1000, 1000))", x=large, y=array(1000))
    assert s.bytes_read == 4_004_000  # the row counts once
    (s,) = steps("x @ x", x=array(8, 8))
    assert (s.op, s.tier) == ("product", "numpy")
    assert "512 multiply-adds" in s.why
    (s,) = steps("x @ x", x=large)
    assert "1000000000 multiply-adds of float32" in s.why
    for mode, tier in (("numba", "kernel"), ("python", "python")):
        with xp.config(kernels=mode):
            (s,) = steps("x + x", x=small)
            assert (s.tier, s.why) == (tier, s.why)
            assert f"config.kernels is {mode!r}" in s.why


def test_views_move_nothing() -> None:
    found = diagnostics.explain("x.T[::-1, None]", x=array(3, 4))
    assert found.steps == []
    assert "no ops" in str(found)


def test_copies_and_writes() -> None:
    x = array(1000, 1000)
    (s,) = steps("xp.reshape(x.T, (-1,))", x=x)
    assert [c["bytes"] for c in s.copies] == [4_000_000]

    def write(x: xp.Array) -> None:
        x[0, :] = 1
        x += 1

    assert [s.op for s in steps(write, x)] == ["assignment", "add in place"]
    (s,) = steps("xp.add(x, y)", x=xp.ones(4, dtype=xp.int8), y=xp.ones(4))
    assert s.result == "float64 (4,)"


def test_the_tape_is_told_apart() -> None:
    found = steps("xp.grad(lambda x: xp.sum(xp.exp(x) * x))(x)", x=array(200, 200))
    forward = [s for s in found if s.recorded]
    assert [s.op for s in forward] == ["exp", "multiply", "sum"]
    assert found[: len(forward)] == forward
    assert len(found) > len(forward)  # the sweep is array code, but for small arrays
    assert len(steps("xp.grad(lambda x: xp.sum(xp.exp(x) * x))(x)", x=array(5))) >= 3


def test_what_is_written_in_place_and_recorded_or_not() -> None:
    @xp.elementwise(dtypes=(xp.float32,))
    def decayed(x, by):  # type: ignore[no-untyped-def]
        return x - by * x

    def update(x: xp.Array) -> None:
        decayed(x, 0.5, out=x)
        decayed(x, 0.5, out=x)
        x *= 2

    found = steps(update, array(30))
    assert [(s.op, s.recorded) for s in found] == [("decayed into out", False)] * 2 + [("multiply in place", False)]
    leaf = array(30)
    leaf.requires_grad = True
    (y,) = steps("x * 2", x=leaf)
    assert y.recorded
    (y,) = steps("x @ x", x=leaf)
    assert y.recorded

    def tracked(x: xp.Array) -> None:
        y = x * 1
        y += 1
        with xp.autodiff.no_grad():
            x *= 0.5

    assert [(s.op, s.recorded) for s in steps(tracked, leaf) if s.depth == 0] == [
        ("multiply", True),
        ("add in place", True),
        ("multiply in place", False),
    ]


def test_functions_with_arguments_and_one_run_when_cold() -> None:
    calls: list[int] = []

    def twice(x: xp.Array, by: float) -> xp.Array:
        calls.append(1)
        return x * by

    found = diagnostics.explain(twice, array(3), warm=False, by=2.0)
    assert (len(calls), found.expression, found.result) == (1, "twice", "float32 (3,)")
    assert [s.op for s in found.steps] == ["multiply"]
    diagnostics.explain(twice, array(3), 2.0)
    assert len(calls) == 3
    with pytest.raises(ZeroDivisionError):
        diagnostics.explain("1 / 0")
    with pytest.raises(SyntaxError):
        diagnostics.explain("x +")


def test_every_op_is_seen_however_it_is_called() -> None:
    """Twice each, since the second call of an op has faster ways than the first."""
    for name, op in ELEMENTWISE.items():
        d = next((d for d in map(np.dtype, ("float64", "int64", "bool", "complex128")) if d in op.dtypes), op.dtypes[0])
        xs = [xp.asarray(a) for a in operands(op, d, 6)]
        seen = [s.op for s in steps(lambda op=op, xs=xs: (op.function(*xs), op.function(*xs))) if s.depth == 0]
        assert seen == [op.name] * 2, name
    for name, op in REDUCTIONS.items():
        x = xp.asarray(values(op.dtypes[-1] if np.dtype("float64") not in op.dtypes else "float64", 12).reshape(3, 4))
        seen = [s.op for s in steps(lambda op=op, x=x: (op.function(x), op.function(x, axis=0), op.function(x, axis=0)))]
        assert seen == [op.name] * 3, name
    x = array(700, 700)
    for call in (
        lambda: (x + x, x + x, x + x.T, x + x.T, x + 1, x + 1),
        lambda: (-x, -x, xp.sum(x), xp.sum(x), xp.sum(x, axis=0), xp.sum(x, axis=0)),
        lambda: (x[:3, :3] @ x[:3, :3], xp.sort(x[0, :9]), xp.take(x, xp.asarray([1]), axis=0), xp.cumulative_sum(x[0, :9]), 2 - x[:3]),
    ):
        expected = len(call())
        assert len([s for s in steps(call, warm=False) if s.depth == 0]) >= expected


def _doors() -> list[Any]:
    names = [(_dispatch, "elementwise inplace engine _cast _settle"), (_fold, "reduce scan"), (_array, "assign accumulate")]
    names += [(_into, "into"), (products, "small_product"), (_storage, "copied"), (driver, "_serial _parallel _join _run_team run_loops")]
    return [getattr(module, name) for module, listed in names for name in listed.split()]


def _tables() -> list[Any]:
    return [(dict(op.fast), id(op.plans)) for op in ELEMENTWISE.values()] + [dict(op.fast) for op in REDUCTIONS.values()]


def test_watching_leaves_no_trace() -> None:
    """The doors, the launchers and the tables of fast ways are the same objects after it: an op that nobody watches asks nothing."""
    xp.sum(array(1000, 1000))
    doors, tables, listeners = _doors(), _tables(), len(xp.config._listeners)
    diagnostics.explain("xp.sum(x + x)", x=array(9))
    with pytest.raises(ValueError, match="broadcast"):
        diagnostics.explain("x + y", x=array(2), y=array(3), warm=False)
    assert _doors() == doors
    assert _tables() == tables
    assert len(xp.config._listeners) == listeners


def test_a_change_of_mode_while_watched() -> None:
    x = array(9)

    def call() -> None:
        _ = x + x
        with xp.config(kernels="numba"):
            _ = x + x
        _ = x + x

    assert [s.op for s in steps(call)] == ["add"] * 3
    assert xp.add.op.fast  # type: ignore[attr-defined]
    (s,) = steps("x + x", x=x)
    assert s.tier == "numpy"


def test_other_threads_are_not_seen_and_not_disturbed() -> None:
    x, results, stop = array(50), [], threading.Event()

    def work() -> None:
        while not stop.is_set():
            results.append(float(xp.sum(x + x)))

    other = threading.Thread(target=work)
    other.start()
    try:
        for _ in range(20):
            assert [s.op for s in steps("x * x", x=x)] == ["multiply"]
    finally:
        stop.set()
        other.join()
    assert len(set(results)) == 1


# --- warmup ----------------------------------------------------------------------------------------------------------------

USER = """
import mtarray as xp
from mtarray._kernels import build
x = xp.ones((800, 700), dtype=xp.float32)
y = x < x, x < 2, x < x[:1], x[:, ::2] < x[:, ::2]
print(build.stats()["compilations"], build.stats()["cache_loads"])
"""


def test_a_process_after_warmup_compiles_nothing(tmp_path: Any) -> None:
    environment = {**os.environ, "MTARRAY_CACHE_DIR": str(tmp_path), "MTARRAY_KERNELS": "auto"}
    warm = "import mtarray as xp; w = xp.diagnostics.warmup(['less'], ['float32']); print(w.compiled, w.folder)"
    first = subprocess.run([sys.executable, "-c", warm], capture_output=True, text=True, env=environment, check=True).stdout.split()
    assert int(first[0]) >= 5
    assert first[1].startswith(str(tmp_path))
    again = subprocess.run([sys.executable, "-c", warm], capture_output=True, text=True, env=environment, check=True).stdout.split()
    assert again[0] == "0"
    used = subprocess.run([sys.executable, "-c", USER], capture_output=True, text=True, env=environment, check=True).stdout.split()
    assert used[0] == "0"
    assert int(used[1]) >= 4


def test_warmup_tells_its_progress_and_refuses_what_is_not_there() -> None:
    told: list[tuple[str, int, int]] = []
    warmth = diagnostics.warmup(["add", xp.sum], ["float32"], lambda *what: told.append(what))
    assert told == [("add of float32", 0, 2), ("sum of float32", 1, 2)]
    assert warmth.kernels >= 8
    with pytest.raises(ValueError, match="there is no op 'ad'"):
        diagnostics.warmup(["add", "ad"])
    with pytest.raises(ValueError, match='a sequence of ops, or "all"'):
        diagnostics.warmup("add")
    assert all(samples.find(name) for name in diagnostics.USUAL)
