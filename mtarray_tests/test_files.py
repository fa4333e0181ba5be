"""`save` and `load`: every dtype and layout there and back, NumPy's files both ways, and files that are not arrays."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mtarray as xp

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128",
)  # fmt: skip


def same(x: Any, a: Any) -> None:
    assert type(x) is xp.Array
    assert x.dtype == np.asarray(a).dtype
    assert x.shape == np.shape(a)
    np.testing.assert_array_equal(np.asarray(x), np.asarray(a))


def sample(dtype: str) -> Any:
    return xp.asarray(np.arange(24).reshape(2, 3, 4) % 7, dtype=dtype)


@pytest.mark.parametrize(
    "view", [(), (slice(None, None, -1),), (..., slice(None, None, 2)), (0, 0, 0, None), (slice(0, 0),), (0, 0, 0, ...)]
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_there_and_back(tmp_path: Path, dtype: str, view: Any) -> None:
    x = sample(dtype)[view]
    xp.save(tmp_path / "x.npy", x)
    y = xp.load(tmp_path / "x.npy")
    same(y, x)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.asarray(x))
    if y.size:
        y[...] = 1  # writable, and memory of its own


def test_transposed_and_large(tmp_path: Path) -> None:
    for x in (sample("float64").T, xp.reshape(xp.arange(300_000), (300, 1000)).T, xp.broadcast_to(xp.asarray(2.0), (3, 4))):
        xp.save(tmp_path / "x.npy", x)
        same(xp.load(tmp_path / "x.npy"), x)


def test_several_by_name(tmp_path: Path) -> None:
    a, b = xp.arange(3), xp.asarray([[1.5]])
    xp.save(tmp_path / "both.npz", a, weights=b)
    content = xp.load(tmp_path / "both.npz")
    assert set(content) == {"arr_0", "weights"}
    same(content["arr_0"], a)
    same(content["weights"], b)
    with np.load(tmp_path / "both.npz") as theirs:
        np.testing.assert_array_equal(theirs["weights"], [[1.5]])
    xp.save(tmp_path / "one.npz", a)
    same(xp.load(tmp_path / "one.npz")["arr_0"], a)


def test_names_of_files(tmp_path: Path) -> None:
    xp.save(tmp_path / "plain", xp.arange(2))
    assert (tmp_path / "plain.npy").exists()
    xp.save(str(tmp_path / "named"), xp.arange(2), extra=xp.arange(3))
    assert (tmp_path / "named.npz").exists()
    xp.save(tmp_path / "two.parts", xp.arange(2))
    assert (tmp_path / "two.parts.npy").exists()
    assert not [p for p in tmp_path.iterdir() if p.suffix == ".part"]


def test_open_files() -> None:
    f = io.BytesIO()
    xp.save(f, xp.arange(3))
    xp.save(f, xp.asarray([1.5]))
    f.seek(0)
    same(xp.load(f), np.arange(3))
    same(xp.load(f), np.array([1.5]))
    g = io.BytesIO()
    xp.save(g, xp.arange(3), named=xp.ones(2))
    g.seek(0)
    same(xp.load(g)["named"], np.ones(2))


def test_numpys_files(tmp_path: Path) -> None:
    """Fortran order, foreign byte order, compressed archives, and the short floats, which become float32."""
    np.save(tmp_path / "f.npy", np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    same(xp.load(tmp_path / "f.npy"), np.arange(6.0).reshape(2, 3))
    np.save(tmp_path / "swapped.npy", np.arange(3, dtype=">i4"))
    same(xp.load(tmp_path / "swapped.npy"), np.arange(3, dtype=np.int32))
    np.savez_compressed(tmp_path / "z.npz", a=np.arange(5))
    same(xp.load(tmp_path / "z.npz")["a"], np.arange(5))
    np.save(tmp_path / "half.npy", np.array([0.5, 2], np.float16))
    same(xp.load(tmp_path / "half.npy"), np.array([0.5, 2], np.float32))


class Harmful:
    """Would write a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    objects = np.array([Harmful(trace), None], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", a=objects, allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Harmful(trace)))
    for name in ("objects.npy", "objects.npz", "pickle.npy"):
        with pytest.raises(ValueError, match="load"):
            xp.load(tmp_path / name)
    assert not trace.exists()


def test_what_is_no_file_of_arrays(tmp_path: Path) -> None:
    whole = io.BytesIO()
    xp.save(whole, xp.arange(100))
    data = whole.getvalue()
    damaged = {
        "empty": b"",
        "noise": b"no array",
        "cut header": data[:20],
        "cut values": data[:-8],
        "magic only": data[:6],
        "version": data[:6] + b"\x09\x00" + data[8:],
        "zip of noise": _zip({"a.npy": b"no array"}),
        "no zip": b"PK\x03\x04" + b"\0" * 30,
    }
    for name, content in damaged.items():
        path = tmp_path / "damaged.npy"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"load: .*damaged\.npy"):
            print(name, xp.load(path))  # seen only where it is accepted
    with pytest.raises(FileNotFoundError):
        xp.load(tmp_path / "missing.npy")
    for dtype in ("U3", "M8[s]", "V4", "g"):
        np.save(tmp_path / "other.npy", np.zeros(2, dtype))
        with pytest.raises(ValueError, match="dtype"):
            xp.load(tmp_path / "other.npy")


def _zip(content: dict[str, bytes]) -> bytes:
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w") as z:
        for name, data in content.items():
            z.writestr(name, data)
    return f.getvalue()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npy"
    xp.save(path, xp.arange(3))

    def fails(f: Any, *_: Any, **__: Any) -> None:
        f.write(b"half")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", fails)
        with pytest.raises(OSError, match="disk full"):
            xp.save(path, xp.arange(9))
    same(xp.load(path), np.arange(3))
    assert os.listdir(tmp_path) == ["x.npy"]


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="save"):
        xp.save(tmp_path / "x", "no array")
    with pytest.raises(TypeError, match=r"save.*weights"):
        xp.save(tmp_path / "x", xp.arange(2), weights=object())
    with pytest.raises(FileNotFoundError):
        xp.save(tmp_path / "no" / "such" / "folder.npy", xp.arange(2))
    assert os.listdir(tmp_path) == []
