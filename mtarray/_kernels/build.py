"""Write, cache and load kernels: one generated source file per kernel, named by the hash of its content.

Numba's own cache key ignores closures, constants and helper functions, so a kernel lives in a file of its own whose
name contains a hash of everything it depends on; the file is registered in `sys.modules` before it is executed, which is
what lets Numba's on-disk cache find it again in another process.
"""

import hashlib
import importlib.util
import os
import sys
import tempfile
import threading

_HEADER = """import numpy as np
from numba import cfunc, types
from mtarray._kernels.cpu.intrinsics import *
"""
_lock = threading.RLock()
_loaded = {}
compilations = 0


def cache_dir():
    """Folder of generated kernels (created when missing)."""
    path = os.environ.get("MTARRAY_CACHE_DIR") or os.path.join(os.path.expanduser("~"), ".cache", "mtarray")
    os.makedirs(path, exist_ok=True)
    return path


def kernel(name, body, prelude="", fastmath=False):
    """Address of a compiled C function `void name(int64 lo, int64 hi, int64 args)`.

    `body`: its lines, indented by four spaces; `args` is the address of an array of int64 words (`ld64(args + 8 * i)`
    reads word i). `prelude`: source of helpers placed before it. The compiled function lives as long as the process.
    """
    source = (
        f"{_HEADER}{prelude}\n@cfunc('void(int64,int64,int64)', nopython=True, cache=True, error_model='numpy', fastmath={fastmath!r})\n"
        f"def {name}(lo, hi, args):\n{body}\n"
    )
    return load(name, source)[0].address


def load(name, source):
    """The object called `name` of the module with this source, compiled or read from the cache."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    key = f"{name}_{digest}"
    with _lock:
        hit = _loaded.get(key)
        if hit is not None:
            return hit
        path = os.path.join(cache_dir(), key + ".py")
        if not os.path.exists(path):
            fd, tmp = tempfile.mkstemp(dir=os.path.dirname(path))
            with os.fdopen(fd, "w") as f:
                f.write(source)
            os.replace(tmp, path)
        spec = importlib.util.spec_from_file_location("mtarray._generated." + key, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        hit = _loaded[key] = (getattr(module, name), module)
        return hit
