"""The floors of the house: every import points down, read from the source.

A floor may import from itself (without cycles) and from the floors below it. Where a lower floor must reach up, it offers a
hook that the upper one fills.
"""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mtarray

PACKAGE = Path(mtarray.__file__).parent

# From the ground up; a name stands for the module and everything inside it.
FLOORS: dict[str, tuple[str, ...]] = {
    "windows": ("_strides",),
    "kernels": ("_kernels",),
    "pure": ("_dtypes", "_indexing", "_devices", "_config", "_hints"),
    "storage": ("_storage",),
    "arrays": ("_array_methods", "_array", "_flat"),
    "dispatch": ("_operands", "_device_doors", "_dispatch", "_into", "_fold", "_products", "_selection"),
    "declarations": ("_signatures", "_ops"),
    "sections": (),
    "package": ("",),
    "networks": ("nn", "data"),
    "programs": ("examples", "_cli", "_lens", "__main__"),
}


@dataclass(frozen=True)
class Import:
    """`module` imports `target` (both dotted, below mtarray) at `line`; `lazy` inside a function."""

    module: str
    target: str
    line: int
    lazy: bool


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "_typing.TYPE_CHECKING")


def _walk(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Every node that runs, and whether it runs in a function's body; imports for type checkers alone bind nothing."""
    for child in ast.iter_child_nodes(node):
        if _is_type_checking(child):
            continue
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield child, inside
        yield from _walk(child, inside)


def _targets(node: ast.AST, module: str, is_package: bool) -> Iterator[str]:
    """The full dotted names that an import statement reaches; of `from a import b`, `a.b` where that is a module of ours."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            parts = module.split(".") if module else []
            kept = parts[: len(parts) - node.level + is_package]
            base = ".".join(["mtarray", *kept, *([base] if base else [])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner.removeprefix("mtarray.") in MODULES else base


@functools.cache
def _imports(module: str) -> tuple[Import, ...]:
    path = MODULES[module]
    return tuple(
        Import(module, target, getattr(node, "lineno", 0), lazy)
        for node, lazy in _walk(ast.parse(path.read_text(encoding="utf-8")))
        for target in _targets(node, module, path.name == "__init__.py")
    )


def _ours(module: str) -> Iterator[Import]:
    """The imports of our own modules, with the targets named below mtarray."""
    for found in _imports(module):
        if found.target == "mtarray" or found.target.startswith("mtarray."):
            yield Import(module, found.target.removeprefix("mtarray").removeprefix("."), found.line, found.lazy)


def _floor(module: str) -> int:
    """The floor's number; public modules and the private ones not named above are sections."""
    top = module.split(".")[0]
    for number, names in enumerate(FLOORS.values()):
        if top in names:
            return number
    return list(FLOORS).index("sections")


def test_every_named_module_exists() -> None:
    named = {name for names in FLOORS.values() for name in names}
    assert named <= {module.split(".")[0] for module in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    floors = list(FLOORS)
    here = floors[_floor(module)]
    up = [
        f"{module or 'mtarray'}, line {i.line}, on the floor '{here}' imports {i.target or 'mtarray'} from '{floors[_floor(i.target)]}'"
        for i in _ours(module)
        if _floor(i.target) > _floor(module)
    ]
    assert not up, "\n".join(up)


def test_no_cycles_when_imported() -> None:
    graph = {module: {i.target for i in _ours(module) if not i.lazy and i.target != module} for module in MODULES}
    # A package's __init__ runs before its submodules, which therefore must not be counted as importing it.
    graph = {module: {t for t in targets if not module.startswith(f"{t}." if t else "")} for module, targets in graph.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[0] == "_kernels"])
def test_kernels_know_nothing_above(module: str) -> None:
    assert [i for i in _ours(module) if i.target.split(".")[0] not in ("_kernels", "_strides")] == []


def _packages(module: str) -> list[str]:
    """A module and the packages around it, whose `__init__` runs first; the root is not counted."""
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts)) if parts[0]]


def _loads(module: str) -> set[str]:
    """Everything, ours and foreign, that importing a module brings in, as far as our own sources tell."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        for name in _asked(todo.pop()) - seen:
            seen.add(name)
            if name.removeprefix("mtarray.") in MODULES:
                todo.append(name.removeprefix("mtarray."))
    return seen


@functools.cache
def _asked(module: str) -> frozenset[str]:
    """What is imported at once by a module and by the packages around it."""
    return frozenset(i.target for part in _packages(module) for i in _imports(part) if not i.lazy)


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[0] not in ("_kernels", "examples")])
def test_numba_stays_below_and_late(module: str) -> None:
    """Nothing above the kernels knows Numba, and kernels that need it are imported when wanted, so that import costs nothing."""
    assert [i for i in _imports(module) if i.target.split(".")[0] in ("numba", "llvmlite")] == []
    assert _loads(module).isdisjoint({"numba", "llvmlite"})


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[0] == "examples"])
def test_examples_use_public_names(module: str) -> None:
    """Of what lies below them; what programs share among themselves is their own."""
    below = [i for i in _ours(module) if i.target.split(".")[0] not in FLOORS["programs"]]
    assert [i for i in below if any(part.startswith("_") for part in i.target.split("."))] == []


@pytest.mark.parametrize("module", MODULES)
def test_no_scipy_at_run_time(module: str) -> None:
    if module.split(".")[0] not in FLOORS["programs"]:
        assert [i for i in _imports(module) if i.target.split(".")[0] in ("scipy", "sklearn", "torch", "jax", "matplotlib")] == []


def test_import_brings_neither_numba_nor_clients() -> None:
    source = "import sys, mtarray; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = set(subprocess.run([sys.executable, "-W", "error", "-c", source], capture_output=True, text=True, check=True).stdout.split())
    assert "mtarray" in loaded
    assert loaded.isdisjoint({"numba", "llvmlite", "tbb", "scipy", "torch", "jax", "array_api_compat", "cuda"})


@pytest.mark.parametrize(
    "module",
    [
        m
        for m in MODULES
        if m.split(".")[0]
        not in ("_kernels", "_storage", "_array", "_device_doors", "_dispatch", "_into", "_fold", "_products", "autodiff")
    ],
)
def test_buffers_are_read_through_value(module: str) -> None:
    """`value` and `writable` are the doors to memory: nobody above the doors, whose hot paths are written out, opens a storage."""
    names = {node.attr for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)}
    assert names.isdisjoint({"_view", "_view_of"})
    assert not {"_storage", "buffer"} <= names
