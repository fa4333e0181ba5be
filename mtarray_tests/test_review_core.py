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
        iadd, lambda x: x.fill(0), lambda x: x.__setitem__(x > 0, 3), lambda x: np.add(x, 1, out=x), lambda x: iadd(half), lambda x: iadd(x[1:])
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
        with pytest.raises(ValueError, match="read-only.*overlap"):
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
