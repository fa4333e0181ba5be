"""A GPU that is none: the code that drives a real one (`mtarray/_kernels/cuda/gpu.py`, `exchange.py`, `graphs.py`) on a libcuda of ours.

    stub = cuda_stub.install()          # before anything asks for a CUDA device; not in a process that has a real one

cuda.core and cuda.bindings are the real ones; `cuda_stub.c` is the driver below them, whose device memory is host memory. A launch comes
back as a call with the arguments' bytes, which are read by the kernel's signature and run by the simulator: an argument that was passed
with a wrong width gives wrong results here as it does on a GPU.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

_kept = []  # what C code has the addresses of


def available():
    """Whether there is what the stub needs: a C compiler and cuda.core; and no driver, which it would hide."""
    import importlib.util

    if shutil.which("gcc") is None or importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.core") is None:
        return False
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return True
    return False


def build():
    """The path of the shared library, compiled into a temporary folder that the caller removes."""
    folder = tempfile.mkdtemp(prefix="cuda-stub-")
    out = os.path.join(folder, "libcuda.so.1")
    source = Path(__file__).with_name("cuda_stub.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", "-Wl,-soname,libcuda.so.1", "-o", out, str(source), "-ldl"], check=True)
    return out


class Stub:
    """The stub of this process. `log()`: what happened in the driver since the last `clear()`, a word a line."""

    def __init__(self, library):
        self.library = library
        library.stub_log.restype = ctypes.c_char_p
        library.stub_used.restype = ctypes.c_size_t
        library.stub_limit.argtypes = [ctypes.c_size_t]
        library.stub_find.argtypes = [ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64), ctypes.POINTER(ctypes.c_size_t)]
        self.kernels = {}
        self.failures = []

    def log(self):
        return self.library.stub_log().decode().split("\n")[:-1]

    def clear(self):
        self.library.stub_clear()

    def limit(self, nbytes):
        self.library.stub_limit(nbytes)

    def used(self):
        return self.library.stub_used()

    # --- what the simulator asks its driver --------------------------------------------------------------------------------

    name = "the stub"
    thorough = False

    def found(self, address, name="an address"):
        start, size = ctypes.c_uint64(), ctypes.c_size_t()
        if not self.library.stub_find(address, ctypes.byref(start), ctypes.byref(size)):
            raise IndexError(f"{name}: {address:#x} points into no living buffer of {self.name}")
        return start.value, np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(start.value)), None

    # --- launches ----------------------------------------------------------------------------------------------------------

    def cubin(self, kernel, cc):
        from mtarray._kernels.cuda.compile import Cubin

        name = f"k{len(self.kernels)}"
        self.kernels[name] = kernel
        sizes = [8 if t[0] == "*" else np.dtype(t).itemsize for t in kernel.signature]
        return Cubin(" ".join([name, *map(str, sizes)]).encode() + b"\0", name, 0, 0, 0)

    def launched(self, name, dims, parameters):
        from mtarray._kernels.cuda import simulator

        try:
            kernel = self.kernels[name.decode()]
            args = []
            for i, kind in enumerate(kernel.signature):
                d = np.dtype("u8" if kind[0] == "*" else kind)
                v = np.frombuffer(ctypes.string_at(parameters[i], d.itemsize), d)[0]
                args.append(int(v) if kind[0] == "*" or kind == "i8" else v)
            simulator.launch(self, simulator.load(kernel), tuple(dims[0:3]), tuple(dims[3:6]), args, dims[6])
        except BaseException as error:  # C code calls this: nothing above it would see the exception
            self.failures.append(error)


def install():
    """Load the stub as this process's driver, and have the engine compile for it."""
    path = build()
    library = ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    stub = Stub(library)
    call = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_void_p))(stub.launched)
    library.stub_on_launch.argtypes = [ctypes.c_void_p]
    library.stub_on_launch(ctypes.cast(call, ctypes.c_void_p))
    _kept.extend([library, call, stub])
    shutil.rmtree(os.path.dirname(path))

    from mtarray._kernels.cuda import compile as compiler

    compiler.cubin = stub.cubin
    return stub
