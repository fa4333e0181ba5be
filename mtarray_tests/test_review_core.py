"""What an array does with memory and arguments that come from outside: odd bytes, overlaps, changed flags, NumPy's ways of calling."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtarray as xp

LARGE = 1 << 18  # elements, beyond every crossover to the kernels


def same(x: Any, a: Any) -> None:
    assert type(x) is xp.Array
    assert x.dtype == np.asarray(a).dtype
    assert x.shape == np.shape(a)
    np.testing.assert_array_equal(np.asarray(x), np.asarray(a))


# ---------------------------------------------------------------------- memory from outside


def odd_bools(n: int) -> Any:
    return np.frombuffer(bytes([0, 1, 2, 255]) * (n // 4), np.bool)


@pytest.mark.parametrize("n", [8, LARGE])
def test_booleans_other_than_0_and_1(n: int) -> None:
    a = odd_bools(n)
    file = io.BytesIO()
    np.save(file, a)
    file.seek(0)
    for m in (
        xp.asarray(a),
        xp.frombuffer(a.tobytes(), dtype=xp.bool),
        xp.from_dlpack(a.copy()),
        xp.load(file),
        xp.asarray([1])[[0] * n] != 0,
    ):
        assert set(np.unique(np.asarray(m).view(np.uint8)).tolist()) <= {0, 1}
    m = xp.asarray(a)
    assert int(xp.sum(m)) == n * 3 // 4 == int(xp.count_nonzero(m))
    x = xp.arange(n)
    same(x[m], np.arange(n)[np.arange(n) % 4 > 0])
    same(xp.nonzero(m)[0], np.arange(n)[np.arange(n) % 4 > 0])
    same(xp.asarray(a[::-2]), (a.view(np.uint8) != 0)[::-2])
    same(xp.asarray(a.reshape(2, -1).T), (a.view(np.uint8) != 0).reshape(2, -1).T)
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray(a, copy=False)
    whole = np.ones(n, bool)
    assert np.shares_memory(np.asarray(xp.asarray(whole)), whole)
    record = np.zeros(3, [("flag", "?"), ("code", "u1")])
    record["code"] = 7
    assert np.shares_memory(np.asarray(xp.asarray(record["flag"])), record)
    assert xp.asarray(np.broadcast_to(np.True_, (1 << 20, 1 << 20))).shape == (1 << 20, 1 << 20)


@pytest.mark.parametrize("n", [16, LARGE])
def test_a_flag_set_after_wrapping(n: int) -> None:
    a = np.ones(n)
    x = xp.asarray(a)
    half = x[::2]
    a.flags.writeable = False

    def iadd(x: Any) -> None:
        x += 1

    writes: tuple[Any, ...] = (
        iadd, lambda x: x.fill(0), lambda x: x.__setitem__(x > 0, 3), lambda x: np.add(x, 1, out=x), lambda x: iadd(half),
        lambda x: iadd(x[1:]),
    )  # fmt: skip
    for write in writes:
        with pytest.raises(ValueError, match="read-only"):
            write(x)
    assert np.all(a == 1)
    assert not x.flags.writeable


@pytest.mark.parametrize("n", [16, LARGE])
def test_overlapping_windows_are_read_only(n: int) -> None:
    a = np.zeros(n)
    for window in (
        np.lib.stride_tricks.sliding_window_view(a, 4, writeable=True),
        np.lib.stride_tricks.as_strided(a, (5,), (0,)),
        np.lib.stride_tricks.as_strided(a[-1:], (3, 3), (-8, -8)),
    ):
        x = xp.asarray(window)
        assert not x.flags.writeable
        with pytest.raises(ValueError, match=r"read-only.*overlap"):
            x += 1
    assert not a.any()
    for window in (a[::3], a[::-1], a.reshape(4, -1)[:, ::-2].T, a.reshape(2, 2, -1)[:, :, 1:2], a[None, ::2], a[:0], a[:1][:, None]):
        assert xp.asarray(window).flags.writeable


def test_what_cannot_be_shared() -> None:
    wide = np.zeros((4,), [("a", "u1"), ("b", "<f4"), ("c", "u1"), ("d", "<u2")])
    cases = {
        "byte order": np.arange(3.0).astype(">f8" if np.little_endian else "<f8"),
        "misaligned": np.frombuffer(b"\0" + np.arange(3.0).tobytes(), np.float64, offset=1),
        "strides": np.lib.stride_tricks.as_strided(np.zeros(16, np.complex128), (3,), (24,)),
        "packed": wide["b"],
        "booleans": odd_bools(4),
    }
    for name, a in cases.items():
        with pytest.raises(ValueError, match="copy=False"):
            xp.asarray(a, copy=False)
        assert xp.asarray(a).tolist() == (a.tolist() if name != "booleans" else [False, True, True, True]), name
    with pytest.raises(ValueError, match="from_dlpack: copy=False"):
        xp.from_dlpack(cases["booleans"].copy(), copy=False)
    long = np.arange(3, dtype=np.longlong)
    assert np.shares_memory(np.asarray(xp.asarray(long, copy=False)), long)
    assert xp.asarray(long).dtype is np.dtype("int64")


def test_names_of_saved_arrays(tmp_path: Path) -> None:
    a, b = xp.arange(3), xp.arange(4.0)
    xp.save(tmp_path / "a.npz", a, file=b, allow_pickle=a, x=b, **{"with space": a})
    content = xp.load(tmp_path / "a.npz")
    assert list(content) == ["arr_0", "file", "allow_pickle", "x", "with space"]
    for name, want in (("arr_0", a), ("file", b), ("allow_pickle", a), ("x", b)):
        same(content[name], np.asarray(want))
    with np.load(tmp_path / "a.npz") as theirs:
        np.testing.assert_array_equal(theirs["file"], np.arange(4.0))
    with pytest.raises(ValueError, match="arr_0"):
        xp.save(tmp_path / "b.npz", a, arr_0=b)
    with pytest.raises(ValueError, match=r"\.npy.*2 are given.*\.npz"):
        xp.save(tmp_path / "c.npy", a, w=b)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    np.save(tmp_path / "half.npy", np.ones(2, np.float16))
    assert xp.load(tmp_path / "half.npy").dtype == xp.float32


def test_negative_strides_leave_as_copies() -> None:
    torch = pytest.importorskip("torch")
    x = xp.arange(6)[::-1]
    assert torch.from_dlpack(x).tolist() == [5, 4, 3, 2, 1, 0]
    assert torch.from_dlpack(xp.reshape(xp.arange(6), (2, 3))[:, ::-1]).tolist() == [[2, 1, 0], [5, 4, 3]]
    with pytest.raises(BufferError, match=r"copy=False.*backwards"):
        x.__dlpack__(copy=False)
    t = torch.from_dlpack(x[::-1])
    t[0] = 9
    assert int(x[-1]) == 9


# ---------------------------------------------------------------------- NumPy's ways of calling


def test_flat_writes_through_any_strides() -> None:
    a = np.arange(24.0).reshape(2, 3, 4)
    x = xp.asarray(a, copy=True)
    keys: tuple[Any, ...] = (slice(None), 3, slice(1, 20, 5), [0, 5, 5], np.arange(24) % 5 == 0, -1)
    for of in (lambda v: v, lambda v: v.T, lambda v: v[:, ::-2], lambda v: v[:, :, 1]):
        for key in keys:
            if isinstance(key, np.ndarray):
                key = key[: of(a).size]
            for values in (7.5, [1.0, 2.0, 3.0], np.arange(2.0)):
                if isinstance(key, int) and not isinstance(values, float):
                    continue
                of(a).flat[key] = values
                of(x).flat[key] = values
                same(x, a)
                same(of(x).flat[key], of(a).flat[key])
    x.flat = 5
    same(x, np.full((2, 3, 4), 5.0))
    a[...] = 5
    x.T.flat = a.T.flat = [1, 2, 3]
    same(x, a)
    assert len(x.flat) == 24
    assert [float(v) for v in x.T.flat] == list(a.T.flat)
    same(xp.asarray(x.T.flat), a.T.ravel())
    with pytest.raises(ValueError, match="read-only"):
        xp.broadcast_to(xp.asarray(1.0), (2, 2)).flat[0] = 1
    with pytest.raises(ValueError, match="no values"):
        x.flat[:3] = []
    xp.zeros((0, 3)).flat[:] = 1


@pytest.mark.parametrize("n", [1, LARGE])
def test_orders_of_copies(n: int) -> None:
    a = np.arange(6 * n).reshape(2, 3, n)
    for of in (lambda v: v, lambda v: v.T, lambda v: v.transpose(1, 0, 2), lambda v: v[:, ::2], lambda v: v[0, 0], lambda v: v[:, ::-1].T):
        for order in "CFAK":
            x, want = of(xp.asarray(a)).copy(order), of(a).copy(order)
            same(x, want)
            assert (x.flags.c_contiguous, x.flags.f_contiguous) == (want.flags.c_contiguous, want.flags.f_contiguous), order
            assert not np.shares_memory(np.asarray(x), a)
    with pytest.raises(ValueError, match="order='Z'"):
        xp.asarray(a).copy("Z")


def test_tuples_inside_an_index() -> None:
    a = np.arange(12).reshape(3, 4)
    x = xp.asarray(a, copy=True)
    same(x[:, (0, 1)], a[:, (0, 1)])
    same(x[(0, 1),], a[(0, 1),])
    same(x[(0, 2), (1, 3)], a[(0, 2), (1, 3)])
    same(x[((0, 2), (1, 1)),], a[((0, 2), (1, 1)),])
    same(x[:, ()], a[:, ()])
    x[:, (0, 1)] = a[:, (0, 1)] = -1
    same(x, a)
    with pytest.raises(IndexError):
        x[:, (0.5, 1)]


@pytest.mark.parametrize("n", [4, 1 << 17])
def test_numbers_beyond_the_dtype_are_not_assigned(n: int) -> None:
    y = xp.zeros(n, dtype=xp.uint8)
    every = xp.ones(n, dtype=xp.bool)
    for key in (every, slice(None), ..., xp.arange(n), 0):
        for number in (300, -1, 1 << 70):
            with pytest.raises(OverflowError, match="assignment: the Python integer"):
                y[key] = number
    assert not bool(xp.any(y))
    y[every] = 255
    y[xp.arange(n) < 2] = True
    assert int(xp.sum(y)) == 255 * (n - 2) + 2
    z = xp.zeros(n)
    z[every] = 1 << 70
    assert float(z[-1]) == 2.0**70
    with pytest.raises(OverflowError, match=r"the Python float 300\.0 is out of bounds for uint8"):
        y[every] = 300.0
    with pytest.raises(ValueError, match="nan cannot be written"):
        y[every] = float("nan")


def test_indices_out_of_bounds_are_named_alike() -> None:
    for n in (5, LARGE):
        x = xp.arange(n)
        for i in (n + 2, -n - 1):
            for index in ([i], xp.full(n, i)):
                with pytest.raises(IndexError, match=f"index {i} is out of bounds for axis 0 with size {n}"):
                    x[index]
                with pytest.raises(IndexError, match=f"index {i} is out of bounds for axis 0 with size {n}"):
                    x[index] = 1
            for take in (lambda x, i: xp.take(x, i), lambda x, i: xp.take_along_axis(x, i, 0), lambda x, i: x.take(i)):
                with pytest.raises(IndexError, match=f"index {i} is out of bounds for axis 0 with size {n}"):
                    take(x, xp.full(n, i))
    y = xp.reshape(xp.arange(LARGE), (2, -1))
    with pytest.raises(IndexError, match="index 2 is out of bounds for axis 0 with size 2"):
        y[xp.full(LARGE, 2), xp.full(LARGE, 0)]


# ---------------------------------------------------------------------- making and joining


@pytest.mark.parametrize(
    ("given", "dtype", "want"),
    [
        ([2**70], "float64", [2.0**70]),
        ([2**70, 1], "complex64", [2.0**70, 1]),
        ([2**63 + 1, 3], "uint64", [2**63 + 1, 3]),
        ([1.9, -1.9], "int8", [1, -1]),
        ([-0.5, 255.5], "uint8", [0, 255]),
        ([2**63 - 1, 0.5], "float64", [2.0**63, 0.5]),
        ([True, 2.0], "int16", [1, 2]),
    ],
)
def test_sequences_and_dtypes(given: Any, dtype: str, want: Any) -> None:
    same(xp.asarray(given, dtype=dtype), np.array(want, dtype))


@pytest.mark.parametrize(
    ("given", "dtype", "error", "message"),
    [
        ([2**70], None, OverflowError, r"^asarray: the Python integer 1180591620717411303424 is out of bounds for uint64$"),
        ([1, -(2**70)], None, OverflowError, r"the Python integer -1180591620717411303424 is out of bounds for int64"),
        ([2**70], "int8", OverflowError, r"the Python integer 1180591620717411303424 is out of bounds for int8"),
        ([10**400], "float64", OverflowError, r"out of bounds for float64"),
        (1e30, "int64", OverflowError, r"the Python float 1e\+30 is out of bounds for int64"),
        ([1e30, 0.5], "int64", OverflowError, r"the Python float 1e\+30 is out of bounds for int64"),
        ([1e30], "int64", OverflowError, r"out of bounds for int64"),
        ([300.5], "uint8", OverflowError, r"the Python float 300.5 is out of bounds for uint8"),
        (300, "uint8", OverflowError, r"the Python integer 300 is out of bounds for uint8"),
        ([2**63, -1], "int64", OverflowError, r"9223372036854775808 fit neither"),
        ([float("nan")], "int32", ValueError, r"nan.* cannot be represented in int32"),
        ([1.0, float("-inf")], "uint8", ValueError, r"-inf.* cannot be represented in uint8"),
        ([2**70, 1j], "float64", TypeError, r"complex"),
        ([[1, 2], [3]], None, ValueError, r"^asarray: the sequences are ragged, all of a depth must have the same length$"),
        (["a"], None, TypeError, r"holds 'a' of type str;"),
        ([b"a"], None, TypeError, r"holds b'a' of type bytes;"),
        ([None, 2**70], None, TypeError, r"holds None of type NoneType"),
        ({1: 2}, None, TypeError, r"cannot make an array of \{1: 2\} of type dict"),
        ({1, 2}, None, TypeError, r"of type set"),
    ],
)
def test_what_no_sequence_may_hold(given: Any, dtype: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        xp.asarray(given, dtype=dtype)


def test_integer_linspace_rounds_down() -> None:
    for args in ((-3, 3, 10), (-1.5, 2.5, 7), (0, -10, 4), (5, 5, 3)):
        for dtype in ("int64", "int8"):
            for endpoint in (True, False):
                same(xp.linspace(*args, dtype=dtype, endpoint=endpoint), np.linspace(*args, dtype=dtype, endpoint=endpoint))
    same(xp.linspace(xp.asarray([-3, 0]), 2, 4, dtype=xp.int64), np.linspace([-3, 0], 2, 4, dtype=np.int64))
    same(xp.pad(xp.asarray([3, -3]), 3, mode="linear_ramp"), np.pad([3, -3], 3, mode="linear_ramp"))
    np.testing.assert_allclose(np.asarray(xp.geomspace(1, 1j, 4)), np.geomspace(1, 1j, 4))


def test_dtype_of_concat() -> None:
    x = xp.asarray([1, 2])
    assert xp.concat([x, x], dtype=float).dtype == xp.float64
    assert xp.concat([x, x], dtype="float32").dtype is np.dtype("float32")
    for n in (2, LARGE):
        with pytest.raises(TypeError, match=r"concat: dtype=.*float16"):
            xp.concat([xp.ones(n), xp.ones(n)], dtype="float16")
        with pytest.raises(TypeError, match=r"concat: complex128 to float64 would drop imaginary parts"):
            xp.concat([xp.ones(n), xp.full(n, 1j)], dtype=xp.float64)


# ---------------------------------------------------------------------- methods as NumPy calls them

A = np.array([[3.0, -1.5, 2.0], [0.5, 7.0, -4.0]])
I = np.array([[3, 1, 2], [0, 7, 4]], np.int16)
W = A > 0

METHODS: dict[str, Any] = {
    "sum axis, None": lambda x: x.sum(0, None),
    "sum axis, dtype": lambda x: x.sum(1, np.float32),
    "sum initial": lambda x: x.sum(0, initial=10),
    "sum where": lambda x: x.sum(1, where=W),
    "sum positional": lambda x: x.sum(1, None, None, True, 5, W),
    "prod where": lambda x: x.prod(0, where=W, initial=2),
    "mean dtype": lambda x: x.mean(0, np.float32),
    "mean keepdims": lambda x: x.mean(0, None, None, True),
    "var None": lambda x: x.var(0, None),
    "var positional": lambda x: x.var(0, np.float64, None, 1, True),
    "std dtype": lambda x: x.std(1, dtype="float32", ddof=1),
    "max initial": lambda x: x.max(0, initial=2),
    "max where": lambda x: x.max(1, initial=-9, where=W),
    "min where": lambda x: x.min(initial=9, where=~W),
    "max of nothing": lambda x: x[:0].max(0, initial=1),
    "max positional": lambda x: x.max(0, None, True),
    "any where": lambda x: x.any(0, where=W),
    "all where": lambda x: x.all(1, where=W),
    "argmax keepdims": lambda x: x.argmax(0, keepdims=True),
    "argsort kind": lambda x: x.argsort(0, "stable"),
    "argsort flat": lambda x: x.argsort(None),
    "cumsum dtype": lambda x: x.cumsum(1, np.float64),
    "take wrap": lambda x: x.take([7, -8], 1, mode="wrap"),
    "take clip": lambda x: x.take([[7, -8]], mode="clip"),
    "compress": lambda x: x.compress([True, False, True], axis=1),
    "trace dtype": lambda x: x.trace(dtype=np.float64),
    "astype order": lambda x: x.astype("float32", "F"),
    "astype casting": lambda x: x.astype("complex128", casting="safe"),
    "view bytes": lambda x: x.view(np.uint8),
    "view backwards": lambda x: x[::-1].view(f"u{x.itemsize}"),
    "view wider": lambda x: x.reshape(-1).view(np.complex128 if x.itemsize == 8 else np.int32),
    "tobytes F": lambda x: np.frombuffer(x.tobytes("F"), np.uint8),
    "data": lambda x: np.asarray(x.data),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("a", [A, I], ids=["float64", "int16"])
def test_signatures_are_numpys(name: str, a: Any) -> None:
    got, want = METHODS[name](xp.asarray(a, copy=True)), METHODS[name](a)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-6)


OUT: dict[str, Any] = {
    "sum": lambda x, out: x.sum(0, None, out),
    "mean": lambda x, out: x.mean(0, None, out),
    "var": lambda x, out: x.var(0, out=out),
    "std": lambda x, out: x.std(0, out=out),
    "max": lambda x, out: x.max(0, out),
    "min": lambda x, out: x.min(0, out),
    "prod": lambda x, out: x.prod(0, out=out),
    "take": lambda x, out: x.take([2, 0, 1], out=out),
    "clip": lambda x, out: x[0].clip(0, 2, out),
    "round": lambda x, out: x[0].round(0, out),
    "cumsum": lambda x, out: x[0].cumsum(0, None, out),
}


@pytest.mark.parametrize("name", OUT)
def test_results_go_to_out(name: str) -> None:
    want = OUT[name](A, np.zeros(3))
    out = xp.zeros(6)[::2]
    assert OUT[name](xp.asarray(A), out) is out
    np.testing.assert_allclose(np.asarray(out), want)
    theirs = np.zeros(3)
    assert OUT[name](xp.asarray(A), theirs) is theirs
    np.testing.assert_allclose(theirs, want)
    with pytest.raises(ValueError, match=r"out has shape \(4,\), the result \(3,\)"):
        OUT[name](xp.asarray(A), xp.zeros(4))
    with pytest.raises(TypeError, match=r"float64, which cannot be written into an array of int64"):
        OUT[name](xp.asarray(A), xp.zeros(3, dtype=xp.int64))
    with pytest.raises(TypeError, match=r"out must be an array"):
        OUT[name](xp.asarray(A), "here")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.mean(0, where=W), TypeError, "where"),
        (lambda x: x.max(where=W), ValueError, "where= needs initial="),
        (lambda x: x.sum(where=np.ones((2, 2, 3), bool)), ValueError, "cannot be broadcast"),
        (lambda x: x.sort(order="f"), TypeError, "fields"),
        (lambda x: x.astype("int8", casting="safe"), TypeError, "not a cast of the kind 'safe'"),
        (lambda x: x.astype("int8", False), ValueError, "order=False"),
        (lambda x: x.view(bool), TypeError, "not all booleans"),
        (lambda x: x.T.view("int8"), ValueError, "contiguous"),
        (lambda x: x.view("complex128"), ValueError, "does not divide"),
        (lambda x: x.take([0], mode="never"), ValueError, "mode='never'"),
        (lambda x: x.sum(axis=5), np.exceptions.AxisError, "out of bounds"),
    ],
)
def test_what_methods_refuse(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(xp.asarray(A))


def test_views_of_other_types_share_memory() -> None:
    x = xp.asarray(A, copy=True)
    x.view(xp.uint64)[0, 0] = 0
    assert float(x[0, 0]) == 0
    x.view(xp.uint8)[...] = 0
    assert not bool(xp.any(x))
    z = xp.asarray([1 + 2j, 3 + 4j])
    same(z.view(xp.float64), np.array([1.0, 2, 3, 4]))
    same(z[1:].view(xp.float64), np.array([3.0, 4]))
    same(z.view(xp.float64)[2:].view(xp.complex128), np.array([3 + 4j]))
    with pytest.raises(ValueError, match="divide"):
        z.view(xp.float64)[1:3].view(xp.complex128)
    assert not xp.broadcast_to(x, (2, 2, 3)).view(xp.int64).flags.writeable


def test_methods_that_write() -> None:
    a, x = A.copy(), xp.asarray(A, copy=True)
    for v in (a, x):
        v.put([0, -1], [9.0, 8.0])
        v.sort(0, "stable")
        v.T.sort(kind="quicksort")
        v.put([7], 1.5, mode="wrap")
    same(x, a)
    x.partition(1, axis=1)
    assert bool(xp.all(x[:, :1] <= x[:, 1:2]))
    assert bool(xp.all(x[:, 1:2] <= x[:, 2:]))
    order = xp.asarray(A).argpartition(1, axis=1)
    same(xp.take_along_axis(xp.asarray(A), order, 1)[:, 1], np.sort(A, 1)[:, 1])
    same(xp.asarray([1, 0, 1]).choose([[1, 2, 3], [4, 5, 6]]), np.array([1, 0, 1]).choose([[1, 2, 3], [4, 5, 6]]))


def test_tofile(tmp_path: Path) -> None:
    xp.asarray(A).T.tofile(tmp_path / "a.bin")
    np.testing.assert_array_equal(np.fromfile(tmp_path / "a.bin"), A.T.ravel())


def test_orders_of_astype() -> None:
    x = xp.asarray(A)
    assert x.astype("float32", "F").flags.f_contiguous
    assert x.T.astype("float32", "K").flags.f_contiguous
    assert x.astype("float64", "K", copy=False) is x
    assert x.astype("float64", "F", copy=False).flags.f_contiguous


@pytest.mark.parametrize("n", [8, LARGE])
def test_odd_memory_in_assignments_and_indices(n: int) -> None:
    m = odd_bools(n)
    want = np.arange(n) % 4 > 0
    x = xp.zeros(n, dtype=xp.bool)
    x[...] = m
    assert np.asarray(x).view(np.uint8).max() == 1
    same(x, want)
    x = xp.arange(n)
    same(x[m], np.arange(n)[want])
    x[m] = 0
    same(x, np.where(want, 0, np.arange(n)))
    swapped = np.arange(float(n)).astype(">f8" if np.little_endian else "<f8")
    misaligned = np.frombuffer(b"\0" + np.arange(float(n)).tobytes(), np.float64, offset=1)
    for source in (swapped, misaligned):
        for key in (slice(None), np.ones(n, bool), np.arange(n)):
            y = xp.zeros(n)
            y[key] = source
            same(y, np.arange(float(n)))
        same(xp.asarray(source) + 0, np.arange(float(n)))
        same(xp.add(xp.zeros(n), source), np.arange(float(n)))


@pytest.mark.parametrize("axis", [0, 2])
def test_positions_are_checked_where_there_is_nothing_to_select(axis: int) -> None:
    x = xp.zeros((2, 0, 3))
    index = xp.asarray([3])
    with pytest.raises(IndexError, match=f"axis {axis}"):
        xp.take(x, index, axis=axis)
    with pytest.raises(IndexError, match=f"axis {axis}"):
        x[(slice(None),) * axis + (index,)]
    assert xp.take(x, xp.asarray([1]), axis=axis).size == 0


def test_softmax_of_no_elements():
    for f in (xp.special.softmax, xp.special.log_softmax):
        for axis in (None, 0, -1, (0, 1)):
            x = xp.ones((3, 0), dtype=xp.float32)
            assert f(x, axis=axis).shape == (3, 0)
            assert f(x, axis=axis).dtype == xp.float32
            assert xp.grad(lambda x, f=f, axis=axis: xp.sum(f(x, axis=axis)))(x).shape == (3, 0)
        with pytest.raises(IndexError, match="axis=2"):
            f(xp.ones((3, 0)), axis=2)
    assert xp.special.logsumexp(xp.ones((2, 0)), axis=1, b=xp.ones(())).tolist() == [-xp.inf] * 2


def test_an_op_without_a_twin_takes_numbers_alone() -> None:
    @xp.elementwise
    def shifted_square(x, y):
        return x * x + y

    for _ in range(2):  # the launch as it is chosen, and as it is remembered
        for args, dtype in (((2.0, 1.0), xp.float64), ((2, 1), xp.float64), ((2, 1.0), xp.float64)):
            result = shifted_square(*args)
            assert (result.shape, result.dtype, float(result)) == ((), dtype, 5.0)
