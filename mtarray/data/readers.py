"""Readers of files of numbers and texts: CSV, TSV, NPZ, and idx, the format of MNIST. Errors name the file, the line and the column."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import Array

File = str | os.PathLike[str]
Rows = list[tuple[int, list[str]]]  # the number of the line where each ends, and its fields


def _text(path: Path) -> str:
    """The text of a file in UTF-8, compressed by gzip or not."""
    content = contents(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}, line {line}: this is not text in UTF-8 ({error.reason})") from None


def contents(path: Path) -> bytes:
    """The bytes of a file; of one that gzip compressed, what it holds."""
    data = path.read_bytes()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: damaged gzip file ({error})") from None


def read_csv(
    file: File,
    columns: Sequence[str | int] | None = None,
    *,
    text: Sequence[str | int] = (),
    header: bool = True,
    delimiter: str = ",",
    missing: float | None = None,
    dtype: Any = xp.float64,
) -> dict[Any, Any]:
    """The columns of a CSV file by name: arrays of `dtype`, and of those named in `text` lists of str.

    file: a path; UTF-8, quoted as RFC 4180 has it, compressed by gzip if you like. Empty lines are skipped.
    columns: which, in this order; by default all. header: whether the first line has the names; otherwise columns are numbered from 0.
    missing: what an empty field counts as; by default it is an error.
    ValueError names file, line and column of what is no number, of a row that is too long or short, and of a column that is not there.

    >>> import pathlib, tempfile
    >>> from mtarray import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trees.csv"
    >>> _ = path.write_text("kind,height,age\\noak,20.5,100\\nelm,11,40\\n")
    >>> data.read_csv(path, ["height", "kind"], text=["kind"])
    {'height': Array([20.5, 11. ], shape=(2,), dtype=float64, device='cpu'), 'kind': ['oak', 'elm']}
    """
    path = Path(file)
    rows = _rows(path, delimiter)
    if not rows:
        raise ValueError(f"{path}: the file is empty")
    if header:
        line, first = rows.pop(0)
        names: list[Any] = [name.strip() for name in first]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"{path}, line {line}: two columns are named {twice!r}")
    else:
        names = list(range(len(rows[0][1])))
    for line, fields in rows:
        if len(fields) != len(names):
            raise ValueError(f"{path}, line {line}: {_count(len(fields), 'field')}, but {_count(len(names), 'column')}")
    wanted = names if columns is None else list(columns)
    for name in [*wanted, *text]:
        if name not in names:
            raise ValueError(f"{path}: there is no column {name!r}; there are {', '.join(map(repr, names))}")
    out: dict[Any, Any] = {}
    for name in wanted:
        i = names.index(name)
        out[name] = [f[i] for _, f in rows] if name in text else _numbers(path, rows, i, name, missing, dtype)
    return out


def _rows(path: Path, delimiter: str) -> Rows:
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _numbers(path: Path, rows: Rows, i: int, name: Any, missing: float | None, dtype: Any) -> Array:
    dtype = np.dtype(dtype)
    whole = dtype.kind in "iu"
    values: list[float | int] = []
    for line, fields in rows:
        field = fields[i]
        try:
            if "_" in field:  # Python's numbers may have it, those of files not
                raise ValueError
            values.append(int(field) if whole else float(field))
        except ValueError:
            if not field.strip() and missing is not None:
                values.append(missing)
                continue
            told = f"{field!r} is no {'integer' if whole else 'number'}" if field.strip() else "the field is empty (missing= fills it)"
            raise ValueError(f"{path}, line {line}, column {name!r}: {told}") from None
    try:
        return xp.asarray(values, dtype=dtype)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{path}, column {name!r}: a value is out of bounds for {dtype} ({error})") from None


def read_tsv(file: File, columns: Sequence[str] = ("label", "text")) -> dict[str, list[str]]:
    """The columns of a file of texts between tabs, one row a line, as lists of str by the names given here (the file has no header).

    Quotes are characters like others, and empty lines are skipped. ValueError names the line that has not as many fields as `columns`.

    >>> import pathlib, tempfile
    >>> from mtarray import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "said.tsv"
    >>> _ = path.write_text('good\\tI like it\\nbad\\ta "waste" of time\\n')
    >>> data.read_tsv(path)
    {'label': ['good', 'bad'], 'text': ['I like it', 'a "waste" of time']}
    """
    path = Path(file)
    rows: list[list[str]] = []
    for line, content in enumerate(_lines(_text(path)), 1):
        if content.strip():
            fields = content.split("\t")
            if len(fields) != len(columns):
                raise ValueError(f"{path}, line {line}: {_count(len(fields), 'field')} between tabs, expected {', '.join(columns)}")
            rows.append(fields)
    if not rows:
        raise ValueError(f"{path}: the file is empty")
    return {name: [fields[i] for fields in rows] for i, name in enumerate(columns)}


def _lines(text: str) -> Iterator[str]:
    # `splitlines` would also break at the separators that Unicode has for use inside a line.
    return (line.rstrip("\r") for line in text.split("\n"))


def read_npz(file: File, names: Sequence[str] | None = None) -> dict[str, Array]:
    """The arrays of a NumPy `.npz` file by name: all, or those asked for. Nothing is unpickled.

    ValueError if the file is damaged, holds something else, or lacks a name.

    >>> import pathlib, tempfile
    >>> import mtarray as xp
    >>> from mtarray import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "set.npz"
    >>> xp.save(path, xp.arange(3), y=xp.ones(2))
    >>> data.read_npz(path, ["y"])
    {'y': Array([1., 1.], shape=(2,), dtype=float64, device='cpu')}
    """
    found = xp.load(file)
    if not isinstance(found, dict):
        raise ValueError(f"{file}: one array without a name (.npy), not a .npz file")
    if names is None:
        return found
    lacking = [name for name in names if name not in found]
    if lacking:
        raise ValueError(f"{file}: there is no array {lacking[0]!r}; there are {', '.join(map(repr, found))}")
    return {name: found[name] for name in names}


_IDX = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(file: File) -> Array:
    """The array of an idx file (http://yann.lecun.com/exdb/mnist), compressed by gzip or not: shape and dtype as the file has them.

    ValueError if the file is of another kind, or has not as many bytes as its header says.

    >>> import pathlib, tempfile
    >>> from mtarray import data
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
    >>> data.read_idx(path)
    Array([7, 2, 1], shape=(3,), dtype=uint8, device='cpu')
    """
    path = Path(file)
    content = contents(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX:
        raise ValueError(f"{path}: this is no idx file: it begins with {content[:4].hex(' ') or 'nothing'}")
    ndim = content[3]
    start = 4 + 4 * ndim
    if len(content) < start:
        raise ValueError(f"{path}: the file ends within its header")
    shape = tuple([int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)])
    dtype = np.dtype(_IDX[content[2]])
    expected = math.prod(shape) * dtype.itemsize
    if ndim > 32:
        raise ValueError(f"{path}: the header says {ndim} dimensions, which no array has")
    if len(content) - start != expected:
        raise ValueError(
            f"{path}: the header says shape {shape} of {dtype.newbyteorder('=')}, {expected} bytes; {len(content) - start} follow it"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return xp.asarray(values.astype(dtype.newbyteorder("=")))
