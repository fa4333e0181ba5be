"""Kernels on disk: found again by other processes, never wrong, never in the way; scalar functions as source."""

import glob
import math
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import mtarray
from mtarray._kernels import build
from mtarray._kernels.source import Scalar

pytestmark = pytest.mark.usefixtures("own_folder")

# A module of a user: a scalar function with a helper and a constant, run on an array; prints the result and the counters.
PROGRAM = """
import sys
import numpy as np
from mtarray._kernels import build
from mtarray._kernels.cpu.elementwise import kernel_for
from mtarray._kernels.source import Scalar

SCALE = 3.0

def helper(x):
    return x + 1

def scalar(x):
    return helper(x) * SCALE

f8 = (np.dtype("f8"),)
x = np.arange(5.0)
out = np.empty(5)
kernel_for(Scalar(scalar), f8, f8).run((out,), (x,))
stats = build.stats()
print(out.tolist(), stats["compilations"], stats["cache_loads"])
"""


@pytest.fixture(scope="module", autouse=True)
def known_again():
    """Kernels that were loaded before these tests are known afterwards: their addresses are in use."""
    before = dict(build._loaded)
    yield
    build._loaded.update(before)


_kept = []


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MTARRAY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(mtarray.__file__))))
    build.set_cache_dir(None)
    _forget()
    yield tmp_path / "cache"
    build.set_cache_dir(None)
    _forget()


def _run(tmp_path, text=PROGRAM, **environment):
    path = tmp_path / "program.py"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    assert (done.returncode, done.stderr) == (0, "")
    values, compilations, loads = done.stdout.rsplit(None, 2)
    return values, int(compilations), int(loads)


def _kernel(name, increment):
    return build.kernel(name, f"    p = f8(ld64(args))\n    for i in range(hi - lo):\n        p[lo + i] += {increment}")


def _call(address, x):
    import ctypes

    words = np.array([x.ctypes.data], np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)(0, x.size, words.ctypes.data)
    return x


def _forget():
    """Make this process look for its kernels on disk again; those it has stay alive, for their addresses are in use."""
    _kept.extend(build._loaded.values())
    build._loaded.clear()


# --- two processes ---------------------------------------------------------------------------------------------------------


def test_second_process_compiles_nothing(tmp_path, own_folder):
    values, compilations, _ = _run(tmp_path)
    assert values == "[3.0, 6.0, 9.0, 12.0, 15.0]"
    assert compilations > 0
    # One file may hold what took several compilations (a function and those it calls).
    again, none, loads = _run(tmp_path)
    assert (again, none) == (values, 0)
    assert 0 < loads <= compilations
    # Another constant, another helper: another kernel, and nothing else.
    assert _run(tmp_path, PROGRAM.replace("SCALE = 3.0", "SCALE = 4.0")) == ("[4.0, 8.0, 12.0, 16.0, 20.0]", 1, loads - 1)
    assert _run(tmp_path, PROGRAM.replace("x + 1", "x + 2")) == ("[6.0, 9.0, 12.0, 15.0, 18.0]", 1, loads - 1)


def test_a_numba_cache_folder_of_the_user(tmp_path, own_folder):
    folder = str(tmp_path / "numba")
    values, compilations, _ = _run(tmp_path, NUMBA_CACHE_DIR=folder)
    assert compilations > 0
    assert _run(tmp_path, NUMBA_CACHE_DIR=folder)[:2] == (values, 0)


def test_two_processes_at_once(tmp_path, own_folder):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    both = [subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [p.communicate(timeout=120)[0] for p in both]
    assert [o.rsplit(None, 2)[0] for o in outputs] == ["[3.0, 6.0, 9.0, 12.0, 15.0]"] * 2
    assert _run(tmp_path)[1] == 0


def test_a_process_killed_while_caching(tmp_path, own_folder):
    """Kill a process that writes kernels without end; whatever it left, the next one gives right results and sweeps up."""
    writer = tmp_path / "writer.py"
    writer.write_text(
        "from mtarray._kernels import build\n"
        "build.cache_dir(); print('go', flush=True)\n"
        "data = b'x' * (1 << 20)\n"
        "build._counts['compilations']\n"
        "i = 0\n"
        "while True:\n"
        "    i += 1\n"
        "    build.kernel(f'k{i % 3}', f'    p = f8(ld64(args))\\n    p[0] = {i}')\n"
        "    for _ in range(20): build._write(build.cache_dir() + '/large.bin', data)\n"
    )
    process = subprocess.Popen([sys.executable, str(writer)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    deadline = time.monotonic() + 60
    while not glob.glob(str(own_folder / "*" / "*.bin")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.15)
    process.kill()
    process.wait()
    process.stdout.close()
    large = glob.glob(str(own_folder / "*" / "large.bin"))
    assert all(os.path.getsize(p) == 1 << 20 for p in large)  # whole or absent, never in part
    litter = own_folder / os.path.basename(build.cache_dir()) / ".tmp-left"
    litter.write_bytes(b"half")
    os.utime(litter, (0, 0))
    assert _call(_kernel("after", 2.0), np.zeros(3)).tolist() == [2.0] * 3
    assert not litter.exists()
    for i in range(3):  # whatever the killed process left of its own kernels is used or replaced
        x = _call(build.kernel(f"k{i}", f"    p = f8(ld64(args))\n    p[0] = {i + 3}"), np.zeros(1))
        assert x[0] == i + 3


# --- damage ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other", "pickle"])
def test_damaged_kernels_are_compiled_again(own_folder, damage):
    _kernel("damaged", 1.5)
    (path,) = glob.glob(str(own_folder / "*" / "damaged_*.bin"))
    with open(path, "rb") as f:
        data = f.read()
    changed = {
        "cut": data[: len(data) // 2],
        "flip": data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        "empty": b"",
        "other": b"something else",
        "pickle": build._MAGIC + __import__("hashlib").sha256(b"no pickle").digest() + b"no pickle",
    }[damage]
    with open(path, "wb") as f:
        f.write(changed)
    _forget()
    before = build.stats()["compilations"]
    assert _call(_kernel("damaged", 1.5), np.zeros(3)).tolist() == [1.5] * 3
    assert build.stats()["compilations"] == before + 1
    _forget()
    before = build.stats()
    assert _call(_kernel("damaged", 1.5), np.zeros(3)).tolist() == [1.5] * 3
    after = build.stats()
    assert (after["compilations"], after["cache_loads"]) == (before["compilations"], before["cache_loads"] + 1)


SOURCE = "from numba import njit\n\n@njit('int64(int64)', cache=True)\ndef twice(x):\n    return 2 * x\n"


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
def test_damaged_numba_files_are_compiled_again(own_folder, pattern):
    assert build.load("twice", SOURCE)[0](4) == 8
    files = glob.glob(str(own_folder / "*" / "__pycache__" / pattern))
    assert files
    for path in files:
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
    _forget()
    assert build.load("twice", SOURCE)[0](5) == 10


def test_errors_of_the_source_are_its_own(own_folder):
    with pytest.raises(ZeroDivisionError):
        build.load("x", "x = 1 / 0\n")
    with pytest.raises(Exception, match="undefined_name"):
        build.kernel("wrong", "    undefined_name(lo)")


# --- folders ---------------------------------------------------------------------------------------------------------------


def _warned_folder():
    with pytest.warns(RuntimeWarning, match="MTARRAY_CACHE_DIR"):
        folder = build.cache_dir()
    assert build.cache_dir() == folder  # said once: warnings are errors here
    assert _call(_kernel("elsewhere", 3.0), np.zeros(2)).tolist() == [3.0, 3.0]
    assert glob.glob(os.path.join(folder, "elsewhere_*.bin"))
    return folder


def test_a_missing_folder_is_made(own_folder):
    assert not own_folder.exists()
    folder = build.cache_dir()
    assert os.path.dirname(folder) == str(own_folder)
    if os.name == "posix":
        assert os.stat(folder).st_mode & 0o777 == 0o700
    with open(os.path.join(folder, "versions.txt")) as f:
        assert f"numba {__import__('numba').__version__}" in f.read()


def test_a_folder_that_cannot_be_made(own_folder):
    own_folder.write_text("a file is in the way")
    folder = _warned_folder()
    assert not folder.startswith(str(own_folder))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc, where even root cannot write")
def test_an_unwritable_folder(monkeypatch):
    monkeypatch.setenv("MTARRAY_CACHE_DIR", "/proc/self/kernels")
    _warned_folder()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX users")
def test_a_read_only_folder_is_read(own_folder, monkeypatch):
    """Kernels that came with a container image are used; new ones go elsewhere."""
    _kernel("shipped", 4.0)
    build.set_cache_dir(None)
    _forget()
    folder = str(own_folder)
    real = build.tempfile.NamedTemporaryFile

    def refuse(*args, dir=None, **kwargs):
        if dir is not None and dir.startswith(folder):
            raise PermissionError(13, "Permission denied")
        return real(*args, dir=dir, **kwargs)

    monkeypatch.setattr(build.tempfile, "NamedTemporaryFile", refuse)
    _warned_folder()
    before = build.stats()
    assert _call(_kernel("shipped", 4.0), np.zeros(2)).tolist() == [4.0, 4.0]
    assert build.stats()["compilations"] == before["compilations"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX users")
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_a_foreign_folder_is_not_trusted(own_folder, monkeypatch, how):
    """Machine code is executed: kernels of a folder that another user owns, or everybody may write to, are not read."""
    _kernel("planted", 5.0)
    planted = build.cache_dir()
    build.set_cache_dir(None)
    _forget()
    if how == "mode":
        os.chmod(planted, 0o777)
    elif os.geteuid() == 0:
        os.chown(planted, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    folder = _warned_folder()
    assert folder != planted
    before = build.stats()["compilations"]
    _kernel("planted", 5.0)
    assert build.stats()["compilations"] == before + 1


def test_folders_of_other_versions(own_folder):
    old, recent, other = (own_folder / name for name in ("kernels-0000000000000000", "kernels-1111111111111111", "something"))
    for folder in (old, recent, other):
        folder.mkdir(parents=True)
        (folder / "versions.txt").write_text("another version")
        (folder / "k.bin").write_text("?")
    for folder in (old, other):
        os.utime(folder / "versions.txt", (0, 0))
    build.cache_dir()
    assert not old.exists()
    assert recent.exists()
    assert other.exists()


def test_set_cache_dir(tmp_path, own_folder):
    build.set_cache_dir(tmp_path / "chosen")
    assert os.path.dirname(build.cache_dir()) == str(tmp_path / "chosen")
    assert _call(_kernel("chosen", 6.0), np.zeros(1))[0] == 6.0
    assert glob.glob(str(tmp_path / "chosen" / "*" / "chosen_*.bin"))
    build.set_cache_dir(None)
    assert os.path.dirname(build.cache_dir()) == str(own_folder)


def test_default_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MTARRAY_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert build._base() == str(tmp_path / "mtarray")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert build._base() == os.path.join(os.path.expanduser("~"), ".cache", "mtarray")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert build._base() == os.path.join(os.path.expanduser("~"), "Library", "Caches", "mtarray")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert build._base() == os.path.join(str(tmp_path), "mtarray", "Cache")


# --- keys ------------------------------------------------------------------------------------------------------------------


def test_kernels_of_one_name_do_not_meet(own_folder):
    assert _call(_kernel("same", 1.0), np.zeros(2)).tolist() == [1.0, 1.0]
    assert _call(_kernel("same", 2.0), np.zeros(2)).tolist() == [2.0, 2.0]
    assert _kernel("same", 1.0) == _kernel("same", 1.0)


def test_the_key_covers_imported_files(own_folder, monkeypatch):
    source = "from mtarray._kernels.cpu.intrinsics import ld64\nfrom mtarray._kernels import scalarlib as math\n"
    plain = build._key("k", "import numpy\n")
    key = build._key("k", source)
    files = {os.path.basename(p) for p in build._digests}
    assert {"intrinsics.py", "__init__.py"} <= files
    assert any("scalarlib" in p and not p.endswith("__init__.py") for p in build._digests)  # what the package imports, too
    (path,) = [p for p in build._digests if p.endswith("intrinsics.py")]
    monkeypatch.setitem(build._digests, path, (b"edited", build._digests[path][1]))
    assert build._key("k", source) != key
    assert build._key("k", "import numpy\n") == plain


@pytest.mark.slow
def test_loading_is_fast(own_folder):
    for i in range(5):
        _kernel("fast", float(i))
    _forget()
    times = []
    for i in range(5):
        start = time.perf_counter()
        _kernel("fast", float(i))
        times.append(time.perf_counter() - start)
    assert min(times) < 0.010


def test_sixteen_threads_build_at_once(own_folder):
    results, start = [], threading.Barrier(16)

    def work(i):
        start.wait()
        results.append(_call(_kernel("threads", float(i % 4)), np.zeros(1))[0] - i % 4)

    before = build.stats()["compilations"]
    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [0.0] * 16
    assert build.stats()["compilations"] == before + 4


# --- scalar functions as source --------------------------------------------------------------------------------------------

FACTOR, LIMIT = 0.5, -math.inf


def _helper(x):
    """Not pasted."""
    return x * FACTOR + 1


def _plain(x: float, y, /) -> float:
    total = 0
    for i in range(3):
        total += x * (i + 1)
    return _helper(total) + math.sin(y) * 2 if x > 0 else LIMIT


class _Declaration:
    def __init__(self, scalar):
        self.scalar = scalar


@_Declaration
def abs(x):
    return abs(x)


def _uses_declaration(x):
    return abs(x) ** 2, np.exp(x)


def test_what_is_read():
    plain = Scalar(_plain)
    assert (plain.nin, plain.nout, plain.names_used) == (2, 1, {"sin"})
    text = plain.paste("f", ("f4", "f4"))
    assert "np.float32(0.5)" in text
    assert "Not pasted" not in text
    assert "float32(2.0)" in text
    assert plain.python(-1.0, 0.0) == -math.inf
    assert plain.python(2.0, 0.0) == 7.0
    declared = Scalar(_uses_declaration)
    assert (declared.nin, declared.nout, declared.names_used) == (1, 2, {"exp"})
    assert declared.python(-3.0) == (9.0, math.exp(-3.0))
    assert Scalar(lambda x: x + 3).digest != Scalar(lambda x: x + 4).digest
    assert Scalar(lambda x: x + 3).digest == Scalar(lambda x: x + 3).digest
    assert "np.uint64(3)" in Scalar(lambda x: x + 3).paste("f", ("u8",))
    assert Scalar(_sine).single_call == "sin"
    assert Scalar(_plain).single_call is None


def _sine(x):
    return math.sin(x)


def test_float32_stays_float32():
    from numba import float32, njit

    def loop(x):
        total = 0
        for i in range(3):
            total += x * (i + 1)
        return total / 2 if x > 0.1 else LIMIT

    space = {}
    exec(Scalar(loop).paste("f", ("f4",)), space)
    function = njit(space["f"].py_func)
    result = function(np.float32(2))
    assert result == 6
    assert [s.return_type for s in function.nopython_signatures] == [float32]


def _opens(x):
    return open(x)


def _raises(x):
    raise ValueError


def _indexes(x):
    return x[0]


def _stars(x, *rest):
    return x


def _recursive(x):
    return _recursive(x - 1)


def _nothing(x):  # noqa: RET503
    if x > 0:
        return x


def _captures(x):
    return x + PROGRAM


def _undefined(x):
    return x + not_there  # noqa: F821


def _uneven(x):
    if x > 0:
        return x, x
    return x


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_opens, "calls `open`"),
        (_raises, "raises"),
        (_indexes, "indexes"),
        (_stars, "positional operands"),
        (_recursive, "calls itself"),
        (_nothing, "without a return"),
        (_captures, "only numbers can be captured"),
        (_undefined, "'not_there' is not defined"),
        (_uneven, "different numbers of results"),
        (math.sin, "not a plain Python function"),
        (eval("lambda x: x"), "source is not available"),
    ],
)
def test_what_cannot_be_compiled(function, reason):
    with pytest.raises(TypeError, match=reason) as error:
        Scalar(function).nout  # noqa: B018
    assert function.__name__ in str(error.value)
    if hasattr(function, "__code__"):
        assert f"{function.__code__.co_filename}:" in str(error.value)


def test_a_source_file_that_changed(tmp_path):
    path = tmp_path / "changing.py"
    path.write_text("def f(x):\n    return x + 1\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    path.write_text(textwrap.dedent("def f(x):\n    return x * 2 - x\n"))
    with pytest.raises(TypeError, match="has changed since it was imported"):
        Scalar(space["f"]).digest  # noqa: B018
