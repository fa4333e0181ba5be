"""Write, cache and load kernels: one generated source file per kernel, named by the hash of everything it depends on.

Numba's own cache key ignores closures, constants and helper functions, and returns another function's kernel when names and lines
coincide. So each kernel is a source file of its own whose name contains a hash of its text, of every file of this package that it
imports (transitively), and lies in a folder that stands for the versions of Python, NumPy, Numba, llvmlite and mtarray and for the
processor. Beside it lies the machine code, behind a checksum: a kernel found there is neither compiled nor even imported.

Every file is written under another name and renamed, so that a killed process or two at once leave nothing half-written. A file
that does not read back is compiled anew.
"""

import contextlib
import hashlib
import importlib.util
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
import warnings

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import registry
from numba.core.ccallback import CFunc

from mtarray._kernels import settings

_PACKAGE = __name__.rpartition(".")[0]  # mtarray._kernels
_HEADER = """import numpy as np
from numba import types
from mtarray._kernels.cpu.intrinsics import *
"""
_SIGNATURE = types.void(types.int64, types.int64, types.int64)
_MAGIC = b"mtarray kernel 1\n"
# Machine code that may raise holds the exception pickled, beside its message; where that code was found unreachable, so was the pickle.
_RAISED = re.compile(rb"\x8c\x08builtins\x94\x8c.([A-Za-z]+)\x94\x93", re.DOTALL)
# Scratch that cannot be allocated, a negative length of it, a step of 0 in a range: lengths and steps in our kernels are positive.
_BEARABLE = {"MemoryError", "ValueError"}
_KEEP_SECONDS = 60 * 86400  # folders of other versions that nobody used for so long are removed
_LITTER_SECONDS = 3600  # unfinished files of a process that was killed

lock = threading.RLock()  # of everything that is made once: kernels, folders
_loaded = {}
_modules = []
_counts = {"compilations": 0, "cache_loads": 0}
_chosen = None  # set_cache_dir
_folders = None  # (folder read and written, folder only read or None), once needed

if hasattr(os, "register_at_fork"):
    # A child must not inherit a compiler that another thread was in the middle of.
    os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)


def kernel(name, body, prelude="", fastmath=False):
    """Address of a compiled C function `void name(int64 lo, int64 hi, int64 args)`.

    `body`: its lines, indented by four spaces; `args` is the address of an array of int64 words (`ld64(args + 8 * i)`
    reads word i). `prelude`: source of helpers placed before it. The compiled function lives as long as the process.
    TypeError for a body that may raise: a C function has nobody to tell, and what it had not yet written would stay uninitialised.
    """
    source = f"{_HEADER}{prelude}\n\ndef {name}(lo, hi, args):\n{body}\n"
    memo = (name, fastmath, source)
    hit = _loaded.get(memo)
    if hit is not None:
        return hit[0]
    with lock:
        hit = _loaded.get(memo)
        if hit is None:
            hit = _loaded[memo] = _kernel(name, source, fastmath)
        return hit[0]


def known(address):
    """(name, fastmath, source) of the kernel at this address; KeyError when there is none."""
    for memo, made in list(_loaded.items()):
        if len(memo) == 3 and made[0] == address:
            return memo
    raise KeyError(f"there is no kernel at address {address}")


def source_of(address):
    """The module text of the kernel at this address, as `kernel` gave it."""
    return known(address)[2]


def state_of(address):
    """Dict: the `file` of a kernel's source, whether its machine code is `cached` beside it, whether this process `compiled` it."""
    name, fastmath, source = known(address)
    key = _key(name, source, repr(fastmath))
    return {
        "file": os.path.join(cache_dir(), key + ".py"),
        "cached": any(os.path.isfile(path) for path in _find(key + ".bin")),
        "compiled": isinstance(_loaded[name, fastmath, source][1], CFunc),
    }


def compile_again(address):
    """(optimised LLVM code, assembly) of a kernel: compiled anew to be looked at, neither counted nor kept."""
    name, fastmath, source = known(address)
    with lock:
        key = _key(name, source, repr(fastmath))
        function = _cfunc(sys.modules.get("mtarray._generated." + key) or _execute(key, source), name, fastmath)
        function.compile()
        return function._library.get_llvm_str(), function._library.get_asm_str()


def load(name, source):
    """(object, module): the object called `name` of the module with this source, whose `@njit(cache=True)` functions are cached.

    The module is executed once in a process; functions with explicit signatures are compiled or read from the cache then.
    """
    memo = (name, source)
    hit = _loaded.get(memo)
    if hit is not None:
        return hit
    with lock:
        hit = _loaded.get(memo)
        if hit is None:
            module = _module(name, source)
            hit = _loaded[memo] = (getattr(module, name), module)
        return hit


def stats():
    """Dict of `compilations` and `cache_loads` of this process, `kernels` in memory, and `folder`, where they are cached."""
    counts = dict(_counts)
    for module in list(_modules):
        for value in list(vars(module).values()):
            numbers = getattr(value, "stats", None) if isinstance(value, numba.core.dispatcher.Dispatcher) else None
            if numbers is not None and value.py_func.__module__ == module.__name__:
                counts["compilations"] += sum(numbers.cache_misses.values())
                counts["cache_loads"] += sum(numbers.cache_hits.values())
    return {**counts, "kernels": len(_loaded), "folder": cache_dir()}


def __getattr__(name):
    if name in _counts:
        return stats()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# --- the folder ------------------------------------------------------------------------------------------------------------


def set_cache_dir(path):
    """Keep kernels in `path` from now on (created when missing); None: MTARRAY_CACHE_DIR or the user's cache folder."""
    global _chosen, _folders
    with lock:
        _chosen = None if path is None else os.path.abspath(os.fspath(path))
        _folders = None


def cache_dir():
    """Folder into which kernels of these versions and this processor are written; a temporary one when the usual one cannot serve."""
    global _folders
    with lock:
        if _folders is None:
            _folders = _choose_folders()
        return _folders[0]


def _base():
    if _chosen is not None:
        return _chosen
    path = os.environ.get("MTARRAY_CACHE_DIR")
    if path:
        return os.path.abspath(path)
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "mtarray", "Cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "mtarray")
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return os.path.join(xdg if os.path.isabs(xdg) else os.path.join(home, ".cache"), "mtarray")


def _versions():
    """What machine code depends on beyond its source, as text for people."""
    context = registry.cpu_target.target_context
    context.refresh()
    elsewhere = ("NUMBA_CACHE", "NUMBA_NUM", "NUMBA_THREADING")  # settings that do not change the code
    options = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_") and not k.startswith(elsewhere))
    lines = [
        f"mtarray {_own_version()}",
        f"python {sys.implementation.name} {sys.version.split()[0]} {getattr(sys, 'abiflags', '')}",
        f"numpy {np.__version__}",
        f"numba {numba.__version__}",
        f"llvmlite {llvmlite.__version__}",
        *map(str, context.codegen().magic_tuple()),
        *options,
    ]
    return "\n".join(lines) + "\n"


def _own_version():
    package = sys.modules.get(_PACKAGE.partition(".")[0])
    return getattr(package, "__version__", "unknown")


def _choose_folders():
    versions = _versions()
    base = _base()
    folder = os.path.join(base, "kernels-" + hashlib.sha256(versions.encode()).hexdigest()[:16])
    readable = None
    try:
        new = not os.path.isdir(folder)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _check_owner(folder)
        readable = folder
        marker = os.path.join(folder, "versions.txt")
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tmp-"):
            pass
        if new or not os.path.exists(marker):
            _write(marker, versions.encode())
        elif time.time() - os.stat(marker).st_mtime > 86400:
            os.utime(marker)
        if new:
            _prune(base, folder)
        return folder, None
    except OSError as error:
        temporary = tempfile.mkdtemp(prefix="mtarray-kernels-")
        warnings.warn(
            f"kernels cannot be kept in {folder} ({error.strerror or error}); those compiled by this process go to {temporary}. "
            "Set MTARRAY_CACHE_DIR to a folder of your own.",
            RuntimeWarning,
            stacklevel=2,
        )
        return temporary, readable


def _check_owner(folder):
    """Machine code is executed, so it must come from this user (or root), and nobody else may write there."""
    if not hasattr(os, "geteuid"):
        return
    info = os.stat(folder)
    if info.st_uid not in (os.geteuid(), 0):
        raise PermissionError(0, "it belongs to another user")
    if info.st_mode & stat.S_IWOTH:
        raise PermissionError(0, "everybody may write there")


def _prune(base, folder):
    """Remove folders of versions that were not used for a long time."""
    now = time.time()
    with contextlib.suppress(OSError):
        for entry in os.scandir(base):
            if entry.path == folder or not entry.name.startswith("kernels-") or not entry.is_dir(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                if now - os.stat(os.path.join(entry.path, "versions.txt")).st_mtime > _KEEP_SECONDS:
                    shutil.rmtree(entry.path, ignore_errors=True)


def _sweep(folder):
    """Remove what a killed process left."""
    now = time.time()
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(".tmp-"):
                with contextlib.suppress(OSError):
                    if now - entry.stat().st_mtime > _LITTER_SECONDS:
                        os.unlink(entry.path)


def _write(path, data):
    """Write a whole file or none; raises OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".tmp-")
    try:
        with os.fdopen(descriptor, "wb") as f:
            f.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def sealed(magic, data):
    """Bytes with what they are and a checksum before them."""
    return magic + hashlib.sha256(data).digest() + data


def unsealed(magic, path):
    """The bytes that were sealed into a file; None where there is no such file or it is damaged."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError:
        return None
    head = len(magic) + 32
    if data[: len(magic)] != magic or hashlib.sha256(data[head:]).digest() != data[len(magic) : head]:
        return None
    return data[head:]


def _find(name):
    """Paths under which a file of the cache may be read."""
    folder = cache_dir()
    other = _folders[1]
    return [os.path.join(f, name) for f in (folder, other) if f is not None]


# --- what a kernel depends on ----------------------------------------------------------------------------------------------


_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import[ \t]+(\(?[\w \t,.*]+)|import[ \t]+([\w.]+))", re.MULTILINE)
_digests = {}


def _imported(source, package):
    """Names of the modules of `mtarray._kernels` that a source text imports (`package`: where its relative imports start)."""
    found = set()
    for origin, names, plain in _IMPORT.findall(source):
        name = origin or plain
        if name.startswith("."):
            level = len(name) - len(name.lstrip("."))
            parts = package.split(".")
            name = ".".join([*parts[: len(parts) - level + 1], *filter(None, [name.lstrip(".")])])
        if name == _PACKAGE or name.startswith(_PACKAGE + "."):
            found.add(name)
            found.update(f"{name}.{n.split()[0]}" for n in names.strip("( ").split(",") if n.strip() and n.strip() != "*")
    return found


def _file_of(module):
    """(path, is a package) of a module of `mtarray._kernels`, (None, False) when there is none of that name."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), *module[len(_PACKAGE) + 1 :].split("."))
    if os.path.isfile(path + ".py"):
        return path + ".py", False
    init = os.path.join(path, "__init__.py")
    return (init, True) if module != _PACKAGE and os.path.isfile(init) else (None, False)


def _dependencies(source, package=""):
    """Hash of the files of this package that a source imports, transitively (`package`: where its relative imports start)."""
    seen, todo = {}, sorted(_imported(source, package))
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        path, is_package = _file_of(module)
        seen[module] = b""
        if path is None:
            continue
        known = _digests.get(path)
        if known is None:
            with open(path, "rb") as f:
                data = f.read()
            text = data.decode()
            known = _digests[path] = (hashlib.sha256(data).digest(), _imported(text, module if is_package else module.rpartition(".")[0]))
        seen[module] = known[0]
        todo += sorted(known[1])
    return hashlib.sha256(b"".join(seen[m] for m in sorted(seen))).digest()


def _key(name, source, extra=""):
    digest = hashlib.sha256(_dependencies(source) + extra.encode() + b"\n" + source.encode()).hexdigest()[:20]
    return f"{name[:60]}_{digest}"


# --- kernels ---------------------------------------------------------------------------------------------------------------


def _kernel(name, source, fastmath):
    """(address, what keeps it alive)"""
    key = _key(name, source, repr(fastmath))
    for path in _find(key + ".bin"):
        result = _read(path)
        if result is not None:
            _counts["cache_loads"] += 1
            return result
    module = _execute(key, source)
    function = _cfunc(module, name, fastmath)
    saver = _Saver()
    function._cache = saver
    function.compile()
    _counts["compilations"] += 1
    if saver.raises:
        raise TypeError(
            f"{name} cannot be a kernel: it may raise {' or '.join(saver.raises)}, which a C function reports to nobody, leaving its "
            "results unwritten (complex numbers are divided by scalarlib's divide, which returns infinities and NaN)"
        )
    if saver.data is not None:
        folder = cache_dir()
        with contextlib.suppress(OSError):  # a full disk costs the next process a compilation, not this one its result
            _sweep(folder)
            _write(os.path.join(folder, key + ".bin"), sealed(_MAGIC, saver.data))
    return function.address, function


def _cfunc(module, name, fastmath):
    options = {"nopython": True, "error_model": "numpy", "fastmath": fastmath}
    return CFunc(getattr(module, name), (_SIGNATURE.args, types.void), {}, options)


class _Saver:
    """Stands where Numba's cache does and keeps the compiled result as bytes; it never finds anything."""

    data = None
    raises = ()

    def load_overload(self, signature, context):
        return None

    def save_overload(self, signature, result):
        data = pickle.dumps((result.fndesc.llvm_cfunc_wrapper_name, result.library.serialize_using_object_code()))
        self.raises = sorted({found.decode() for found in _RAISED.findall(data)} - _BEARABLE)
        if not result.library.has_dynamic_globals:  # addresses of this process in the code: not for another one
            self.data = data


def _read(path):
    """(address, library) of a cached kernel; None when there is none or it is damaged.

    Only the object code is kept. Numba would also restore the environments of the functions in it, which only code that handles Python
    objects uses, and import their modules for that.
    """
    data = unsealed(_MAGIC, path)
    if data is None:
        return None
    context = registry.cpu_target.target_context
    context.refresh()
    try:
        symbol, object_code = pickle.loads(data)
        library = context.codegen().unserialize_library(object_code)
        return library.get_pointer_to_function(symbol), library
    except Exception:  # whatever an unreadable pickle raises, compiling it anew is the answer
        return None


def _execute(key, source):
    """The module of this source, from a file of its own (tracebacks and debuggers show it), in `sys.modules` before it runs."""
    path = os.path.join(cache_dir(), key + ".py")
    data = source.encode()
    try:
        with open(path, "rb") as f:
            same = f.read() == data
    except OSError:
        same = False
    if not same:
        _write(path, data)
    spec = importlib.util.spec_from_file_location("mtarray._generated." + key, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(spec.name, None)
        raise
    return module


def _module(name, source):
    key = _key(name, source)
    try:
        module = _execute(key, source)
    except Exception:
        # A damaged file of Numba's cache raises whatever unpickling raises. Without such files the error is the source's own.
        if not _drop_numba_files(key):
            raise
        module = _execute(key, source)
    _modules.append(module)
    return module


def _drop_numba_files(key):
    folders = [os.path.join(cache_dir(), "__pycache__")]
    if numba.config.CACHE_DIR:
        with contextlib.suppress(OSError):
            folders += [e.path for e in os.scandir(numba.config.CACHE_DIR) if e.is_dir() and e.name.startswith("kernels-")]
    dropped = 0
    for folder in folders:
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(folder)):
                if entry.name.startswith(key + ".") and entry.name.endswith((".nbi", ".nbc")):
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
                        dropped += 1
    return dropped


settings.follow("cache_dir", set_cache_dir)
