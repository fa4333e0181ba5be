"""`Kernel`: a kernel for one set of dtypes, which the compiler turns into a cubin and the simulator into NumPy code for all threads.

A kernel is written once, as a factory: a Python function `factory(target, *parameters)` that returns the function of one thread.

    def axpy(target, dtype):
        cuda, T = target.cuda, target.type(dtype)

        def axpy(y, x, a, n):
            i = cuda.grid(1)
            while i < n:
                y[i] = T(y[i] + T(a) * x[i])
                i += cuda.gridsize(1)

        return axpy

    Kernel(axpy, (float32,), "*f4 *f4 f8 i8").launch(driver, grid, block, y.address, x.address, 2.0, n)

`target` is what differs between the two:
    target.cuda          threadIdx, blockIdx, blockDim, gridDim, grid, gridsize, syncthreads, shuffles (`shfl_down_sync`, ...), votes,
                         `shared.array`, `local.array`, `atomic`, `fma`: Numba's names
    target.type(dtype)   the type of a dtype: `T(x)` casts, and `shared.array(shape, T)` takes it
    target.function(scalar, dtypes)      a `source.Scalar` as a function of one thread, for operands of these dtypes
    target.device(function)              a plain Python function as one that kernels may call
    target.loads(n), target.stores(n)    functions load(p, i) -> tuple of the n elements from p[i] on, and store(p, i, tuple), in one
                         instruction: their address must be a multiple of their size together, at most 16 bytes
    target.define(name, text, space)     a kernel (or helper) from generated text
Whatever decides the code must be among the parameters (dtypes, numbers, strings, Scalars, tuples of them), which name it in the cache,
or be part of the source of the factory's module and of what that imports of this package.

The compiler never makes one fused operation of a product and a sum, so that results are those of the simulator: `cuda.fma(a, b, c)` asks
for one. A cast must stand wherever Numba's promotion would widen: `T(x + T(1))`, small integers compute in 64 bits.

The simulator rewrites the source of kernels and of the functions that they call (`lanes.py`): what these may contain is listed there, and
the name `cuda` must be `cuda` in them. It raises for what hardware leaves undefined. A driver that is `thorough` (in the environment,
MTARRAY_SIMULATOR=thorough) also finds races, and buffers that are read before they are written.

A module with kernels has a function `every()` that yields the Kernels of all its factories, parameters and signatures that the engine can
launch (for families without an end, those that the registry of ops needs): `python -m mtarray_tests.cuda_compile` compiles them all.

signature: the types of the arguments, a `*` before those of addresses: "*f4 *b1 i8". Addresses and i8 are passed as Python ints; a complex
number goes as two arguments, its parts. Elements of "*b1" are read as 0 or 1, bytes when compiled: `x[i] != 0` is a truth value.
"""

import numpy as np

from mtarray._kernels.source import Scalar

REGISTER = {}  # (factory, parameters, signature): Kernel


class Kernel:
    """A kernel for one set of parameters. `block`: the most threads of a block that it is launched with, `blocks`: how many such blocks a
    multiprocessor shall hold; both limit its registers."""

    __slots__ = ("factory", "parameters", "signature", "block", "blocks", "name", "_converts", "_loaded")

    def __new__(cls, factory, parameters, signature, block=1024, blocks=1):
        key = (factory, parameters, _types(parameters), signature, block, blocks)
        found = REGISTER.get(key)
        if found is None:
            found = object.__new__(cls)
            found.factory = factory
            found.parameters = parameters
            found.signature = tuple(signature.split())
            found.block = block
            found.blocks = blocks
            found.name = "_".join([factory.__name__, *map(_word, parameters)])
            # What cuda.core would pass with another width than the kernel reads. ("i8" and addresses are Python ints.)
            found._converts = tuple([(i, np.dtype(t).type) for i, t in enumerate(found.signature) if t[0] != "*" and t != "i8"])
            found._loaded = {}
            found = REGISTER.setdefault(key, found)
        return found

    def __repr__(self):
        return f"Kernel({self.name}: {' '.join(self.signature)})"

    def code(self, driver):
        """The kernel as the driver launches it; compiled if this is the first time."""
        code = self._loaded.get(driver)
        if code is None:
            code = self._loaded[driver] = driver.load(self)
        return code

    def launch(self, driver, grid, block, *args, shared=0):
        """Run it on the driver's stream: `grid` blocks (an int or a tuple) of `block` threads, `shared` bytes of dynamic shared memory."""
        if self._converts:
            args = list(args)
            for i, convert in self._converts:
                args[i] = convert(args[i])
        driver.launch(self._loaded.get(driver) or self.code(driver), grid, block, args, shared)


def _types(parameters):
    """What tells True, 1 and 1.0 apart, which are equal."""
    return tuple([p.__class__ if p.__class__ is not tuple else _types(p) for p in parameters])


def _word(parameter):
    if isinstance(parameter, np.dtype):
        return parameter.str[1:]
    if isinstance(parameter, Scalar):
        return parameter.function.__name__
    if isinstance(parameter, tuple):
        return "".join(map(_word, parameter))
    text = str(parameter)
    return text if len(text) <= 24 and text.replace("_", "").isalnum() else "x"


def code_of(dtype):
    """The letters of a dtype in signatures: "f4" of float32."""
    return dtype.str[1:]


def pointers(*dtypes):
    """The part of a signature for addresses of elements of these dtypes."""
    return " ".join(["*" + d.str[1:] for d in dtypes])
