"""Kernels to cubins: Numba's CUDA target as a compiler, NVIDIA's linker after it, and a cache on disk. No GPU and no driver is needed.

A cubin lies in the folder of the CPU's kernels (see `build.py`), under the hash of everything that decides it: the source of the factory's
module and of all modules of `mtarray._kernels` that it imports, the parameters, the signature, the compute capability, and the versions of
the compiler and the linker. A process that finds it there never imports Numba's CUDA target.

NVVM would contract a * b + c to one fused operation wherever it sees it. That is switched off (`fma=0`): the error-free sums and products
of `scalarlib` stay exact, and kernels give the same bits as the simulator and, elementwise, as the CPU. A kernel that wants fused ones
asks for them by `cuda.fma`.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import json
import linecache
import os
import re
import sys
import types as python_types
from typing import NamedTuple

import numpy as np

from mtarray._kernels import build
from mtarray._kernels.source import Scalar

_MAGIC = b"mtarray cubin 1\n"
_COMPILERS = ("numba-cuda", "nvidia-nvvm", "nvidia-nvjitlink", "numba", "llvmlite")  # whose versions decide the code
_counts = {"compilations": 0, "cache_loads": 0}
_memo = {}  # (kernel, compute capability): Cubin


class Cubin(NamedTuple):
    """Machine code for one compute capability, the name of its kernel, and what a thread and a block take."""

    code: bytes
    entry: str
    registers: int  # of a thread
    spills: int  # bytes of a thread that went to memory for want of registers
    shared: int  # bytes of a block, with the 1024 that the system takes of each from compute capability 9.0 on


def cubin(kernel, cc):
    """The Cubin of a kernel for a compute capability such as (9, 0): remembered, read from the cache or compiled."""
    key = (kernel, cc)
    hit = _memo.get(key)
    if hit is None:
        with build.lock:
            hit = _memo.get(key)
            if hit is None:
                hit = _memo[key] = _cached(kernel, cc)
    return hit


def stats():
    """Dict of `compilations` and `cache_loads` of cubins in this process."""
    return dict(_counts)


# --- the cache -------------------------------------------------------------------------------------------------------------


def _cached(kernel, cc):
    name = f"{kernel.name[:60]}_{digest(kernel, cc)}.cubin"
    for path in build._find(name):
        data = build.unsealed(_MAGIC, path)
        if data is not None:
            head, _, code = data.partition(b"\n")
            _counts["cache_loads"] += 1
            return Cubin(code, **json.loads(head))
    made = _compiled(kernel, cc)
    _counts["compilations"] += 1
    head = {k: v for k, v in made._asdict().items() if k != "code"}
    folder = build.cache_dir()
    with contextlib.suppress(OSError):  # a full disk costs the next process a compilation, not this one its result
        build._sweep(folder)
        build._write(os.path.join(folder, name), build.sealed(_MAGIC, json.dumps(head).encode() + b"\n" + made.code))
    return made


def digest(kernel, cc):
    """Hash of everything that decides a kernel's cubin."""
    words = "\n".join(
        [
            _source_hash(kernel.factory.__module__),
            kernel.factory.__qualname__,
            *map(_word, kernel.parameters),
            " ".join(kernel.signature),
            f"block {kernel.block} {kernel.blocks} cc {cc}",
            _compilers(),
        ]
    )
    return hashlib.sha256(words.encode()).hexdigest()[:20]


@functools.cache
def _source_hash(module):
    """Hash of a module's source, of what it imports of this package, and of what scalar functions call."""
    module = sys.modules[module]
    source = inspect.getsource(module)
    package = getattr(module, "__package__", None) or ""
    called = build._dependencies("from mtarray._kernels.scalarlib import full, operators\nfrom mtarray._kernels.cuda import compile\n")
    return hashlib.sha256(source.encode() + build._dependencies(source, package) + called).hexdigest()


def _word(parameter):
    if isinstance(parameter, np.dtype):
        return parameter.str
    if isinstance(parameter, Scalar):
        return f"Scalar {parameter.digest}"
    if isinstance(parameter, tuple):
        return f"({', '.join(map(_word, parameter))})"
    if parameter is None or isinstance(parameter, (bool, int, float, str)):
        return repr(parameter)
    raise TypeError(f"a kernel's parameters are dtypes, numbers, strings, Scalars and tuples of them, got {parameter!r}")


@functools.cache
def _compilers():
    """The versions of what makes cubins, as text."""
    versions = []
    for package in _COMPILERS:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} -")
    return ", ".join(versions)


# --- compiling -------------------------------------------------------------------------------------------------------------


class Target:
    """What kernel factories get when their kernel is compiled: see `kernel.py`."""

    simulated = False

    def __init__(self, cuda):
        self.cuda = cuda
        self._made = 0

    def type(self, dtype):
        from numba import from_dtype

        return from_dtype(np.dtype(dtype))

    def function(self, scalar, dtypes):
        name = "f" + "".join([c if c.isalnum() else "_" for c in scalar.function.__name__])
        return self.define(name, scalar.paste(name, dtypes, device=True), {})

    def device(self, function):
        return self.cuda.jit(device=True, forceinline=True)(function)

    def loads(self, n):
        from . import vectors

        return vectors.loads(n)

    def stores(self, n):
        from . import vectors

        return vectors.stores(n)

    def define(self, name, text, space):
        self._made += 1
        file = f"<cuda {name} {self._made} {hashlib.sha256(text.encode()).hexdigest()[:12]}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        space = {"cuda": self.cuda, "__name__": __name__, **space}
        exec(compile(text, file, "exec"), space)
        return space[name]


def _types(signature):
    from numba import from_dtype, types

    out = []
    for kind in signature:
        # Numba neither loads nor stores booleans through pointers.
        t = types.uint8 if kind == "*b1" else from_dtype(np.dtype(kind.lstrip("*")))
        if kind[0] == "c":
            raise TypeError(f"{kind}: a kernel takes the real and imaginary part of a complex number as two arguments")
        out.append(types.CPointer(t) if kind[0] == "*" else t)
    return types.void(*out)


def ptx(kernel, cc):
    """The assembly text of a kernel, to be looked at: compiled anew, neither counted nor kept."""
    cuda = _numba()
    with build.lock, _without_device(cc):
        from numba.cuda import compiler
        from numba.cuda.cudadrv import nvvm

        function = kernel.factory(Target(cuda), *kernel.parameters)
        # What `cuda.compile` does, which has no name for NVVM's options, and asks for NVRTC, which is needed for nothing here.
        library, _ = compiler._compile_pyfunc_with_fixup(
            function, _types(kernel.signature), device=False, cc=cc, abi="numba", launch_bounds=(kernel.block, kernel.blocks)
        )
        if nvvm.LibDevice._cache_ is None:
            nvvm.LibDevice._cache_ = _libdevice()
        text = nvvm.compile_ir(library.llvm_strs, opt=3, fma=False, arch=f"compute_{cc[0]}{cc[1]}")
    return text.decode().strip("\x00").strip()


def _libdevice():
    """NVIDIA's functions as bitcode, from the package of NVVM or an installed toolkit."""
    from cuda import pathfinder

    try:
        path = pathfinder.find_bitcode_lib("device")
    except pathfinder.BitcodeLibNotFoundError as error:
        raise ImportError(f'libdevice, a part of nvidia-nvvm, was not found; pip install "mtarray[cuda]" ({error})') from None
    with open(path, "rb") as f:
        return f.read()


def _compiled(kernel, cc):
    text = ptx(kernel, cc)
    entry = re.search(r"\.visible \.entry (\w+)", text).group(1)
    core = _core()
    linker = core.Linker(
        core.ObjectCode.from_ptx(text.encode()),
        # ptxas tells what spills, the linker what a block takes: static shared memory gets its place there.
        options=core.LinkerOptions(arch=f"sm_{cc[0]}{cc[1]}", verbose=True, ptxas_options=["-v"]),
    )
    code = bytes(linker.link("cubin").code)
    log = linker.get_info_log()

    def number(pattern):
        return max(map(int, re.findall(pattern, log)), default=0)

    spills = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    return Cubin(code, entry, number(r"[Uu]sed (\d+) registers"), spills, number(r"(\d+) bytes smem"))


def _numba():
    try:
        import numba_cuda  # noqa: F401  (numba.cuda is the old, built-in target without it)
        from numba import cuda
    except ImportError as error:
        raise _missing(error) from None
    return cuda


def _core():
    try:
        import cuda.core as core
    except ImportError as error:
        raise _missing(error) from None
    return core


def _missing(error):
    return ImportError(
        f'compiling a kernel for CUDA needs packages that are not installed ({error.name or error}): pip install "mtarray[cuda]"'
    )


@contextlib.contextmanager
def _without_device(cc):
    """Two repairs of numba-cuda 0.30 while it compiles: functions called by a kernel ask the current device for what to compile for,
    where there may be none; and its tables name `np.row_stack`, which NumPy has no more from 2.5 on."""
    from numba.cuda import dispatcher

    asked = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: python_types.SimpleNamespace(compute_capability=cc)
    name = "row_stack"
    lacks = not hasattr(np, name)
    if lacks:
        setattr(np, name, np.vstack)
    try:
        yield
    finally:
        dispatcher.get_current_device = asked
        if lacks:
            delattr(np, name)
