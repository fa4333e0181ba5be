"""A catalogue of bad inputs: each must be answered by an error of the right class that names the situation, with nothing changed.

A case is a call on fixed operands, the class, and words that the message must hold (all of them, in any order).
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import mtarray as xp


class Operands:
    """What every case may use; made afresh for each, and compared afterwards."""

    def __init__(self) -> None:
        self.x = xp.reshape(xp.arange(6.0), (2, 3))
        self.y = xp.ones((4, 5))
        self.i = xp.asarray([0, 1, 2])
        self.u = xp.asarray([1, 2, 3], dtype=xp.uint8)
        self.b = xp.asarray([True, False])
        self.c = xp.asarray([1 + 2j, 3.0])
        self.e = xp.zeros((0, 3))
        self.s = xp.asarray(5)
        self.r = xp.broadcast_to(xp.asarray([1.0, 2.0, 3.0]), (2, 3))
        self.big = xp.zeros((300, 300))

    def snapshot(self) -> dict[str, Any]:
        return {name: np.array(x) for name, x in vars(self).items()}


class Case(NamedTuple):
    call: Callable[[Operands], Any]
    error: type[Exception] | tuple[type[Exception], ...]
    words: str  # separated by |


def put(x: Any, key: Any, value: Any) -> None:
    x[key] = value


def inplace(x: Any, symbol: str, y: Any) -> None:
    exec(f"x {symbol} y", {"x": x, "y": y})


Index, Value, Type, Overflow, Buffer = IndexError, ValueError, TypeError, OverflowError, BufferError

CASES: dict[str, Case] = {
    # shapes
    "add shapes": Case(lambda o: o.x + o.y, Value, "add|(2, 3)|(4, 5)"),
    "add shapes large": Case(lambda o: o.big + xp.zeros((301, 300)), Value, "add|(300, 300)|(301, 300)"),
    "less shapes": Case(lambda o: o.x < o.y, Value, "less|(2, 3)|(4, 5)"),
    "where shapes": Case(lambda o: xp.where(o.b, o.x, o.y), Value, "where|(2, 3)|(4, 5)"),
    "in place shapes": Case(lambda o: inplace(o.x, "+=", o.y), Value, "add|(2, 3)|(4, 5)"),
    "in place would grow": Case(lambda o: inplace(o.i, "+=", xp.ones((2, 3), dtype=xp.int64)), Value, "in place|(2, 3)|(3,)"),
    "assignment shapes": Case(lambda o: put(o.x, ..., o.y), Value, "assignment|(4, 5)|(2, 3)"),
    "assignment shapes of a slice": Case(lambda o: put(o.x, slice(0, 1), o.y), Value, "assignment|(4, 5)|(1, 3)"),
    "assignment shapes of a list": Case(lambda o: put(o.x, 0, [1, 2]), Value, "assignment|(2,)|(3,)"),
    "assignment shapes by an index array": Case(lambda o: put(o.x, o.i[:2], o.y), Value, "assignment|(4, 5)|(2, 3)"),
    "assignment shapes by a mask": Case(lambda o: put(o.x, o.x > 1, xp.zeros(3)), Value, "assignment|3|4"),
    "a sequence into one element": Case(lambda o: put(o.x, (0, 0), [1.0, 2.0]), Value, "(2,)|()"),
    "reshape size": Case(lambda o: o.x.reshape(4, 2), Value, "reshape|(2, 3)|(4, 2)"),
    "reshape two open lengths": Case(lambda o: xp.reshape(o.x, (-1, -1)), Value, "reshape|(-1, -1)"),
    "reshape negative": Case(lambda o: xp.reshape(o.x, (-2, -3)), Value, "reshape|negative"),
    "reshape without a copy": Case(lambda o: xp.reshape(o.x.T, (6,), copy=False), Value, "copy=False|reshape"),
    "reshape of an open empty": Case(lambda o: xp.reshape(o.e, (0, -1)), Value, "reshape|(0, -1)"),
    "reshape word": Case(lambda o: xp.reshape(o.x, "wide"), Type, "reshape|shape|'wide'"),
    "reshape float": Case(lambda o: xp.reshape(o.x, (2.0, 3)), Type, "reshape|shape|2.0"),
    "broadcast_to": Case(lambda o: xp.broadcast_to(o.x, (3, 2)), Value, "(2, 3)|(3, 2)"),
    "broadcast_to fewer": Case(lambda o: xp.broadcast_to(o.x, (3,)), Value, "(2, 3)|(3,)"),
    "broadcast_arrays": Case(lambda o: xp.broadcast_arrays(o.x, o.y), Value, "(2, 3)|(4, 5)"),
    "broadcast_shapes": Case(lambda o: xp.broadcast_shapes((2,), (3,)), Value, "(2,)|(3,)"),
    "concat shapes": Case(lambda o: xp.concat([o.x, o.y]), Value, "concat|(2, 3)|(4, 5)"),
    "concat 0-d": Case(lambda o: xp.concat([o.s, o.s]), Value, "concat|0-d|stack"),
    "concat none": Case(lambda o: xp.concat([]), Value, "concat|at least one"),
    "concat no sequence": Case(lambda o: xp.concat(3), Type, "concat|sequence|int"),
    "stack shapes": Case(lambda o: xp.stack([o.x, o.y]), Value, "stack|(2, 3)|(4, 5)"),
    "matmul shapes": Case(lambda o: o.x @ o.y, Value, "matmul|(2, 3)|(4, 5)"),
    "matmul 0-d": Case(lambda o: o.x @ o.s, Value, "matmul|()"),
    "tensordot shapes": Case(lambda o: xp.tensordot(o.x, o.y, axes=1), Value, "tensordot|(2, 3)|(4, 5)"),
    "vecdot shapes": Case(lambda o: xp.vecdot(o.x, o.y), Value, "vecdot|(2, 3)|(4, 5)"),
    "mT of one dimension": Case(lambda o: o.i.mT, Value, "mT|(3,)"),
    "tril of one dimension": Case(lambda o: xp.tril(o.i), Value, "tril|(3,)"),
    "meshgrid of two dimensions": Case(lambda o: xp.meshgrid(o.x), Value, "meshgrid|(2, 3)"),
    "full with an array": Case(lambda o: xp.full((2,), o.i), Value, "full|(3,)|(2,)"),
    "negative length": Case(lambda o: xp.zeros((2, -1)), Value, "(2, -1)|negative"),
    "negative length of ones": Case(lambda o: xp.ones(-3), Value, "-3|negative"),
    "shape of floats": Case(lambda o: xp.zeros((2.5,)), Type, "shape|2.5"),
    "shape of a word": Case(lambda o: xp.empty("ab"), Type, "shape|'ab'"),
    "too many elements": Case(lambda o: xp.zeros((1 << 40, 1 << 40)), (Value, MemoryError), "(1099511627776, 1099511627776)"),
    "eye negative": Case(lambda o: xp.eye(-1), Value, "n_rows|negative"),
    "linspace negative": Case(lambda o: xp.linspace(0, 1, -2), Value, "linspace|num|-2"),
    "linspace of a fraction": Case(lambda o: xp.linspace(0, 1, 2.5), Type, "linspace|num|2.5"),
    "arange step": Case(lambda o: xp.arange(0, 3, 0), Value, "arange|step=0"),
    "arange without end": Case(lambda o: xp.arange(0, float("inf")), Value, "arange|inf"),
    "arange word": Case(lambda o: xp.arange("3"), Type, "arange|'3'"),
    "tile negative": Case(lambda o: xp.tile(o.i, -1), Value, "repetitions|-1|negative"),
    "repeat negative": Case(lambda o: xp.repeat(o.i, -1), Value, "repeat|-1|negative"),
    "repeat counts": Case(lambda o: xp.repeat(o.i, xp.asarray([1, 2])), Value, "repeat|(2,)|(3,)"),
    "repeat floats": Case(lambda o: xp.repeat(o.i, xp.asarray([1.0])), Type, "repeat|float64"),
    "clip shapes": Case(lambda o: xp.clip(o.x, o.y), Value, "(2, 3)|(4, 5)"),
    "searchsorted of two dimensions": Case(lambda o: xp.searchsorted(o.x, o.i), Value, "searchsorted|(2, 3)"),
    # axes
    "sum axis": Case(lambda o: xp.sum(o.x, axis=2), Index, "axis=2|2 dimensions"),
    "sum axis below": Case(lambda o: xp.sum(o.x, axis=-3), Index, "axis=-3|2 dimensions"),
    "sum axis twice": Case(lambda o: xp.sum(o.x, axis=(0, -2)), Value, "axis|twice"),
    "axis of a fraction": Case(lambda o: xp.sum(o.x, axis=0.5), Type, "axis=0.5|integer"),
    "axis of a word": Case(lambda o: xp.max(o.x, axis="rows"), Type, "axis='rows'|integer"),
    "sort axis": Case(lambda o: xp.sort(o.x, axis=5), Index, "axis=5"),
    "sort 0-d": Case(lambda o: xp.sort(o.s), Value, "sort|0-d"),
    "argmax of nothing": Case(lambda o: xp.argmax(o.e, axis=0), Value, "argmax|(0, 3)"),
    "max of nothing": Case(lambda o: xp.max(o.e), Value, "max|(0, 3)"),
    "cumulative_sum without axis": Case(lambda o: xp.cumulative_sum(o.x), Value, "cumulative_sum|axis|(2, 3)"),
    "flip axis": Case(lambda o: xp.flip(o.x, axis=2), Index, "axis=2"),
    "permute_dims too few": Case(lambda o: xp.permute_dims(o.x, (0,)), Value, "axes|(0,)|2"),
    "permute_dims twice": Case(lambda o: xp.permute_dims(o.x, (0, 0)), Value, "axes|(0, 0)|twice"),
    "expand_dims": Case(lambda o: xp.expand_dims(o.x, axis=4), Index, "axis=4"),
    "squeeze": Case(lambda o: xp.squeeze(o.x, axis=0), Value, "squeeze|axis 0|(2, 3)"),
    "moveaxis": Case(lambda o: xp.moveaxis(o.x, (0, 1), (0,)), Value, "moveaxis|(0, 1)|(0,)"),
    "unstack 0-d": Case(lambda o: xp.unstack(o.s), Value, "unstack|0-d"),
    "roll pairs": Case(lambda o: xp.roll(o.x, (1, 2), axis=(0, 1, 0)), Value, "roll|(1, 2)|(0, 1, 0)"),
    "concat axis": Case(lambda o: xp.concat([o.x, o.x], axis=2), Index, "axis=2"),
    "take axis": Case(lambda o: xp.take(o.x, o.i), Value, "take|axis|(2, 3)"),
    "diff n": Case(lambda o: xp.diff(o.i, n=-1), Value, "diff|n=-1"),
    # dtypes
    "unknown dtype": Case(lambda o: xp.zeros(2, dtype="float7"), Type, "'float7'|float64"),
    "float16": Case(lambda o: xp.zeros(2, dtype="float16"), Type, "float16|float32"),
    "object dtype": Case(lambda o: xp.asarray([1], dtype=object), Type, "object"),
    "dtype of an object": Case(lambda o: xp.asarray([1], dtype=3), Type, "dtype=3"),
    "ndarray of strings": Case(lambda o: xp.asarray(np.array(["a"])), Type, "U1"),
    "ndarray of times": Case(lambda o: xp.asarray(np.array(["2020"], "M8[D]")), Type, "datetime64"),
    "astype complex to real": Case(lambda o: o.c.astype(xp.float64), Type, "complex128|float64|real"),
    "asarray complex to real": Case(lambda o: xp.asarray(o.c, dtype=xp.float32), Type, "complex128|float32|real"),
    "assign complex": Case(lambda o: put(o.x, 0, o.c[0]), Type, "complex|float64"),
    "assign a complex number": Case(lambda o: put(o.i, 0, 1j), Type, "complex|int64"),
    "in place kind": Case(lambda o: inplace(o.i, "+=", 1.5), Type, "float64|int64"),
    "in place division": Case(lambda o: inplace(o.i, "/=", 2), Type, "divide|float64|int64"),
    "in place complex": Case(lambda o: inplace(o.x, "*=", 1j), Type, "complex128|float64"),
    "bitwise_and of floats": Case(lambda o: o.x & o.x, Type, "bitwise_and|float64"),
    "shift of booleans": Case(lambda o: xp.bitwise_left_shift(o.x, 1), Type, "bitwise_left_shift|float64"),
    "invert of floats": Case(lambda o: ~o.x, Type, "bitwise_invert|float64"),
    "less of complex": Case(lambda o: xp.remainder(o.c, 2), Type, "remainder|complex128"),
    "atan2 of complex": Case(lambda o: xp.atan2(o.c, o.c), Type, "atan2|complex128"),
    "floor of complex": Case(lambda o: xp.floor(o.c), Type, "floor|complex128"),
    "negative integer power": Case(lambda o: o.i ** -1, Value, "pow|negative"),
    "finfo of integers": Case(lambda o: xp.finfo(xp.int8), Value, "finfo|int8"),
    "iinfo of floats": Case(lambda o: xp.iinfo(xp.float32), Value, "iinfo|float32"),
    "isdtype kind": Case(lambda o: xp.isdtype(xp.int8, "whole"), Value, "kind|'whole'"),
    "result_type of nothing": Case(lambda o: xp.result_type(), Value, "result_type|at least one"),
    "int of complex": Case(lambda o: float(o.c[0]), Type, "float()|complex128"),
    "take by floats": Case(lambda o: xp.take(o.i, o.x[0], axis=0), Type, "take|float64"),
    # numbers out of range
    "scalar beyond": Case(lambda o: o.u + 300, Overflow, "add|300|uint8"),
    "scalar below": Case(lambda o: o.u * -1, Overflow, "multiply|-1|uint8"),
    "in place beyond": Case(lambda o: inplace(o.u, "+=", 300), Overflow, "add|300|uint8"),
    "assign beyond": Case(lambda o: put(o.u, 0, 300), Overflow, "assignment|300|uint8"),
    "assign a list beyond": Case(lambda o: put(o.u, ..., [1, 2, -1]), Overflow, "-1|uint8"),
    "assign infinity": Case(lambda o: put(o.i, 0, float("inf")), (Value, Overflow), "inf|int64"),
    "assign nan": Case(lambda o: put(o.i, 0, float("nan")), Value, "nan|int64"),
    "asarray beyond": Case(lambda o: xp.asarray(300, dtype=xp.int8), Overflow, "300|int8"),
    "asarray of a list beyond": Case(lambda o: xp.asarray([1, 300], dtype=xp.int8), Overflow, "300|int8"),
    "asarray beyond all": Case(lambda o: xp.asarray(1 << 70), Overflow, "1180591620717411303424|int64"),
    "asarray of a list beyond all": Case(lambda o: xp.asarray([1 << 70]), Overflow, "1180591620717411303424"),
    "asarray of a list with nan": Case(lambda o: xp.asarray([1.0, float("nan")], dtype=xp.int8), Value, "nan|int8"),
    "asarray of a list of too wide a range": Case(lambda o: xp.asarray([1 << 63, -1]), Overflow, "-1|9223372036854775808|uint64"),
    "assign a list with infinity": Case(lambda o: put(o.i, ..., [1, float("inf"), 2]), Value, "assignment|inf|int64"),
    "assign a word": Case(lambda o: put(o.x, 0, "a"), Type, "assignment|'a'|string"),
    "assign None": Case(lambda o: put(o.x, 0, None), Type, "assignment|None"),
    "asarray nan": Case(lambda o: xp.asarray(float("nan"), dtype=xp.int32), Value, "nan|int32"),
    "full beyond": Case(lambda o: xp.full((2,), -1, dtype=xp.uint8), Overflow, "-1|uint8"),
    "arange beyond": Case(lambda o: xp.arange(200, dtype=xp.int8), Overflow, "arange|199|int8"),
    # devices
    "asarray device": Case(lambda o: xp.asarray(1, device="gpu"), Value, "device='gpu'|'cpu'"),
    "zeros device": Case(lambda o: xp.zeros(1, device=7), Value, "device=7|'cpu'"),
    "to_device": Case(lambda o: o.x.to_device("tpu"), Value, "'tpu'|'cpu'"),
    "to_device stream": Case(lambda o: o.x.to_device("cpu", stream=3), Value, "stream=3"),
    "dlpack device": Case(lambda o: o.x.__dlpack__(dl_device=(2, 0)), Buffer, "dl_device=(2, 0)"),
    "namespace version": Case(lambda o: o.x.__array_namespace__(api_version="1999"), Value, "1999|2025.12"),
    # indices
    "index beyond": Case(lambda o: o.x[2], Index, "index 2|axis 0|size 2"),
    "index below": Case(lambda o: o.x[0, -4], Index, "index -4|axis 1|size 3"),
    "index of nothing": Case(lambda o: o.e[0], Index, "index 0|axis 0|size 0"),
    "indices too many": Case(lambda o: o.x[0, 0, 0], Index, "too many|3|(2, 3)"),
    "index 0-d": Case(lambda o: o.s[0], Index, "too many|0 dimensions"),
    "two ellipses": Case(lambda o: o.x[..., 0, ...], Index, "ellipsis"),
    "index of a float": Case(lambda o: o.x[1.0], Index, "1.0|float"),
    "index of a word": Case(lambda o: o.x["a"], Index, "'a'|str"),
    "index by floats": Case(lambda o: o.x[xp.asarray([0.5])], Index, "float64"),
    "index by a ragged list": Case(lambda o: o.x[[[0], [0, 1]]], (Index, Value), "index|list"),
    "index array beyond": Case(lambda o: o.x[xp.asarray([0, 2])], Index, "2|axis 0|size 2"),
    "large index array beyond": Case(lambda o: o.big[xp.full((20_000,), 300)], Index, "300|axis 0"),
    "index arrays shapes": Case(lambda o: o.x[xp.asarray([0, 1]), xp.asarray([0, 1, 2])], Index, "(2,)|(3,)"),
    "mask shape": Case(lambda o: o.x[xp.asarray([True, False, True])], Index, "boolean|(3,)|(2, 3)"),
    "mask of too many dimensions": Case(lambda o: o.i[xp.zeros((3, 1), dtype=xp.bool)], Index, "too many|(3,)"),
    "slice of floats": Case(lambda o: o.x[0.5:], (Type, Index), "slice"),
    "slice step": Case(lambda o: o.x[::0], Value, "slice|step|zero"),
    "set index beyond": Case(lambda o: put(o.x, 2, 0.0), Index, "index 2|axis 0|size 2"),
    "set index array beyond": Case(lambda o: put(o.x, xp.asarray([0, 5]), 0.0), Index, "5|axis 0|size 2"),
    "set mask shape": Case(lambda o: put(o.x, xp.asarray([True] * 3), 0.0), Index, "boolean|(3,)|(2, 3)"),
    "take beyond": Case(lambda o: xp.take(o.i, xp.asarray([3]), axis=0), Index, "3|axis 0|size 3"),
    "take_along_axis beyond": Case(lambda o: xp.take_along_axis(o.x, xp.asarray([[3]])), Index, "3|axis 1|size 3"),
    "take_along_axis dimensions": Case(lambda o: xp.take_along_axis(o.x, o.i), Value, "take_along_axis|(2, 3)|(3,)"),
    "item beyond": Case(lambda o: o.x.item(6), Index, "6|size 6"),
    "item of many": Case(lambda o: o.x.item(), Value, "item|(2, 3)"),
    # sequences and other objects
    "ragged list": Case(lambda o: xp.asarray([[1, 2], [3]]), Value, "ragged"),
    "list of words": Case(lambda o: xp.asarray(["a", "b"]), Type, "'a'|str"),
    "list of None": Case(lambda o: xp.asarray([None, 1]), Type, "None|NoneType"),
    "list of objects": Case(lambda o: xp.asarray([{}]), Type, "{}|dict"),
    "a word": Case(lambda o: xp.asarray("12"), Type, "string|'12'"),
    "None": Case(lambda o: xp.asarray(None), Type, "None|NoneType"),
    "an object": Case(lambda o: xp.asarray(object()), Type, "object"),
    "a set": Case(lambda o: xp.asarray({1, 2}), Type, "set"),
    "a number without copy": Case(lambda o: xp.asarray(3, copy=False), Value, "copy=False"),
    "a list without copy": Case(lambda o: xp.asarray([3], copy=False), Value, "copy=False"),
    "a cast without copy": Case(lambda o: xp.asarray(o.i, dtype=xp.int8, copy=False), Value, "copy=False|int8|int64"),
    "a masked array": Case(lambda o: xp.asarray(np.ma.masked_array([1, 2], [0, 1])), Type, "masked"),
    "from_dlpack of a list": Case(lambda o: xp.from_dlpack([1]), Type, "from_dlpack|list|__dlpack__"),
    "sin of a list": Case(lambda o: xp.sin([1.0]), Type, "sin|list|asarray"),
    "sin of a word": Case(lambda o: xp.sin("a"), Type, "sin|'a'|str"),
    "add None": Case(lambda o: xp.add(o.x, None), Type, "add|x2|None"),
    "operator with a list of words": Case(lambda o: o.x + ["a", 2, 3], Type, "Array|list"),
    "operator with a list of another length": Case(lambda o: o.x + [1.0, 2.0], Value, "add|(2, 3)|(2,)"),
    "operator with a word": Case(lambda o: "a" * o.x, Type, "index|(2, 3)"),
    "sum of a word": Case(lambda o: xp.sum("abc"), Type, "sum|'abc'|str"),
    "reshape of a dict": Case(lambda o: xp.reshape({}, (1,)), Type, "reshape|dict"),
    "load of noise": Case(lambda o: xp.load(io.BytesIO(b"no array at all")), Value, "load|.npy"),
    # truth and numbers
    "truth of many": Case(lambda o: bool(o.x), Value, "truth|(2, 3)|any"),
    "truth of none": Case(lambda o: bool(o.e), Value, "truth|(0, 3)"),
    "if": Case(lambda o: 1 if o.b else 2, Value, "truth|(2,)"),
    "int of many": Case(lambda o: int(o.x), Type, "int()|(2, 3)"),
    "float of many": Case(lambda o: float(o.i), Type, "float()|(3,)"),
    "index of a fraction": Case(lambda o: range(o.x[0, 0]), Type, "index|float64"),
    "len 0-d": Case(lambda o: len(o.s), Type, "len()|0-d"),
    "iteration 0-d": Case(lambda o: list(o.s), Type, "iteration|0-d"),
    "hash": Case(lambda o: hash(o.x), Type, "unhashable|Array"),
    "the class": Case(lambda o: xp.Array([1]), Type, "asarray"),
    # read-only
    "write into a broadcast view": Case(lambda o: put(o.r, 0, 1.0), Value, "read-only|(3,)|copy"),
    "write into a view of one": Case(lambda o: put(o.r.T[1:], ..., 1.0), Value, "read-only"),
    "write by a mask": Case(lambda o: put(o.r, o.r > 1, 1.0), Value, "read-only"),
    "in place on a broadcast view": Case(lambda o: inplace(o.r, "+=", 1.0), Value, "add|read-only|(2, 3)"),
    "out= of a broadcast view": Case(lambda o: np.add(o.r, 1, out=o.r), Value, "add|out|read-only"),
    "fill": Case(lambda o: o.r.fill(1), Value, "read-only"),
    "sort in place": Case(lambda o: o.r.sort(), Value, "read-only"),
    "imag of real": Case(lambda o: put(o.x.imag, ..., 1.0), Value, "read-only"),
    # matrices
    "inv singular": Case(lambda o: xp.linalg.inv(xp.zeros((2, 2))), np.linalg.LinAlgError, "inv|singular"),
    "solve singular": Case(lambda o: xp.linalg.solve(xp.ones((2, 2)), xp.ones(2)), np.linalg.LinAlgError, "solve|singular"),
    "cholesky": Case(lambda o: xp.linalg.cholesky(-xp.eye(2)), np.linalg.LinAlgError, "cholesky|positive"),
    "inv not square": Case(lambda o: xp.linalg.inv(o.x), Value, "inv|(2, 3)|square"),
    "det of a vector": Case(lambda o: xp.linalg.det(o.i), Value, "det|(3,)"),
    "solve shapes": Case(lambda o: xp.linalg.solve(xp.eye(3), xp.ones(2)), Value, "solve|(3, 3)|(2,)"),
    "qr mode": Case(lambda o: xp.linalg.qr(o.x, mode="half"), Value, "qr|mode|'half'"),
    "norm order": Case(lambda o: xp.linalg.matrix_norm(o.x, ord="odd"), Value, "matrix_norm|ord|'odd'"),
    "matrix_power": Case(lambda o: xp.linalg.matrix_power(o.x, 2), Value, "matrix_power|(2, 3)|square"),
    "fft length": Case(lambda o: xp.fft.fft(o.x, n=0), Value, "fft|n must|0|(2, 3)"),
    "fft norm": Case(lambda o: xp.fft.fft(o.x, norm="half"), Value, "fft|norm|'half'"),
    # arguments
    "unknown argument": Case(lambda o: xp.sum(o.x, axes=0), Type, "axes"),
    "argument of a method": Case(lambda o: o.x.sum(out=1), Type, "out"),
    "too few": Case(lambda o: xp.add(o.x), Type, "add|x2|missing"),
    "two of three": Case(lambda o: xp.where(o.b, o.x), Type, "where|x2"),
    "meshgrid indexing": Case(lambda o: xp.meshgrid(o.i, indexing="ab"), Value, "indexing='ab'"),
    "searchsorted side": Case(lambda o: xp.searchsorted(o.i, o.i, side="up"), Value, "side|'up'"),
    "reshape order": Case(lambda o: o.x.reshape(6, order="Z"), Value, "order='Z'"),
    "unknown name": Case(lambda o: xp.no_such_name, AttributeError, "mtarray|no_such_name"),
    "unknown attribute": Case(lambda o: o.x.no_such_name, AttributeError, "Array|no_such_name"),
    "name of another library": Case(lambda o: xp.cat, AttributeError, "'cat'|xp.concat"),
    "name of a section": Case(lambda o: xp.softmax, AttributeError, "'softmax'|xp.special.softmax"),
    "method of another library": Case(lambda o: o.x.unsqueeze(0), AttributeError, "Array|'unsqueeze'|xp.expand_dims"),
    "function as a method": Case(lambda o: o.x.exp(), AttributeError, "'exp'|xp.exp(x"),
    "new attribute": Case(lambda o: setattr(o.x, "colour", 1), AttributeError, "Array|colour"),
    "config name": Case(lambda o: xp.config(colour=1), Type, "'colour'|threads"),
    "config threads": Case(lambda o: xp.config(threads=0), Value, "threads=0|positive"),
    "config kernels": Case(lambda o: xp.config(kernels="fast"), Value, "kernels='fast'|'auto'"),
    "config pool": Case(lambda o: xp.config(pool_limit=-1), Value, "pool_limit=-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_bad_input(name: str) -> None:
    case = CASES[name]
    operands = Operands()
    before = operands.snapshot()
    settings = repr(xp.config)
    with pytest.raises(case.error) as caught:
        case.call(operands)
    message = str(caught.value)
    missing = [word for word in case.words.split("|") if word not in message]
    assert not missing, f"{type(caught.value).__name__}: {message!r} does not say {missing}"
    for key, values in operands.snapshot().items():
        np.testing.assert_array_equal(values, before[key])
    assert repr(xp.config) == settings


def test_catalogue_is_large() -> None:
    assert len(CASES) >= 150


def test_nothing_is_half_written() -> None:
    """An error in the middle of a write leaves the array as it was, large ones too."""
    x = xp.zeros((300, 300))
    index = xp.concat([xp.arange(299), xp.asarray([300])])
    for write in (
        lambda: put(x, index, 1.0),
        lambda: put(x, (index, index), 1.0),
        lambda: put(x, ..., [[1.0] * 300] * 299),
        lambda: put(x, slice(None), [[1.0] * 300] * 299 + [["a"] * 300]),
    ):
        with pytest.raises((IndexError, ValueError, TypeError)):
            write()
        assert not xp.any(x)
