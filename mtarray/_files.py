"""`save` and `load`: NumPy's `.npy` and `.npz` files. Loading never unpickles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from ._array import Array, from_owned, leave
from ._operands import lift


def save(file: Any, x: Any, /, **named: Any) -> None:
    """Write one array to a `.npy` file, or several to a `.npz` file: `save("a.npz", a, weights=w)` names them `arr_0` and `weights`.

    file: a path (the file is replaced only once it is complete) or an open binary file. A path without the ending gets it.
    ValueError for a path that ends in `.npy` beside several arrays, or two arrays named `arr_0`.

    >>> import io, mtarray as xp
    >>> f = io.BytesIO()
    >>> xp.save(f, xp.arange(3))
    >>> f.seek(0)
    0
    >>> xp.load(f)
    Array([0, 1, 2], shape=(3,), dtype=int64, device='cpu')
    """
    if not named and (not isinstance(file, (str, os.PathLike)) or not str(file).endswith(".npz")):
        _write(file, ".npy", lambda f: np.save(f, leave(lift(x, "save"), "save"), allow_pickle=False))
        return
    if "arr_0" in named:
        raise ValueError("save: arr_0 is the name of the first array; give the other one another name")
    if isinstance(file, (str, os.PathLike)) and str(file).endswith(".npy"):
        raise ValueError(f"save: {str(file)!r} ends in .npy, which holds one array, but {1 + len(named)} are given; use .npz")
    arrays = {"arr_0": leave(lift(x, "save"), "save"), **{k: leave(lift(v, f"save: {k}"), "save") for k, v in named.items()}}
    _write(file, ".npz", lambda f: _write_members(f, arrays))


def _write_members(file: Any, arrays: dict[str, Any]) -> None:
    # As `np.savez` does, which takes arrays of any name but those of its own parameters.
    import zipfile

    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write(file: Any, ending: str, write: Any) -> None:
    if not isinstance(file, (str, os.PathLike)):
        write(file)
        return
    path = Path(file)
    if path.suffix != ending:
        path = path.with_name(path.name + ending)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as f:
            write(f)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def load(file: Any, /) -> Any:
    """Read a `.npy` file as an Array, or a `.npz` file as a dict of them. float16 comes as float32.

    file: a path or an open binary file. ValueError for a file that holds Python objects (they would have to be unpickled) or is damaged.

    >>> import mtarray as xp
    >>> xp.load("missing.npy")
    Traceback (most recent call last):
        ...
    FileNotFoundError: [Errno 2] No such file or directory: 'missing.npy'
    """
    import zipfile  # late: a tenth of the time of importing mtarray
    import zlib

    try:
        if not isinstance(file, (str, os.PathLike)):
            return _read(file)
        with open(file, "rb") as f:
            return _read(f)
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"load: {file!r} is not a .npy or .npz file of numbers: {error}") from error


def _read(file: Any) -> Any:
    content = np.load(file, allow_pickle=False)
    if isinstance(content, np.ndarray):
        return _loaded(content)
    with content:
        return {name: _loaded(content[name]) for name in content.files}


def _loaded(array: Any) -> Array:
    if not isinstance(array, np.ndarray):  # a member of the archive that has not the form of an array
        raise ValueError("a member of it is no array")
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype.kind not in "biufc" or array.dtype.itemsize > (16 if array.dtype.kind == "c" else 8):
        raise ValueError(f"it holds dtype {array.dtype}, which mtarray does not have")
    return from_owned(array)


__all__ = ["load", "save"]
