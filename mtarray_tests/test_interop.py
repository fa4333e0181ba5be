"""mtarray beside NumPy, PyTorch and JAX: memory shared both ways, NumPy's functions on our arrays, mixed operands, pickles."""

import copy
import pickle
import sys
from typing import Any

import array_api_compat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import mtarray as xp

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128",
)  # fmt: skip


def sample(dtype: str, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = rng.integers(0, 9, shape)
    return (a > 4) if dtype == "bool" else (a + 1j * a[::-1]).astype(dtype) if dtype.startswith("complex") else a.astype(dtype)


def same(x: Any, a: Any) -> None:
    """An Array equal to NumPy's result in shape, dtype and values."""
    assert type(x) is xp.Array
    assert x.dtype == np.asarray(a).dtype
    assert x.shape == np.shape(a)
    np.testing.assert_array_equal(np.asarray(x), a)


VIEWS = {
    "whole": lambda a: a,
    "gaps": lambda a: a[::2, 1::2],
    "transposed": lambda a: a.T,
    "backwards": lambda a: a[::-1, ::-2],
    "column": lambda a: a[:, 1],
    "one": lambda a: a[1, 2, ...],
    "none": lambda a: a[1:1],
}


# ---------------------------------------------------------------------- NumPy: arrays, buffers


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_sees_our_memory(dtype: str, view: str) -> None:
    x = xp.asarray(sample(dtype), copy=True)
    y = VIEWS[view](x)
    a = np.asarray(y)
    same(y, VIEWS[view](sample(dtype)))
    if a.size:
        a[...] = 1
        assert bool(xp.all(y == 1))
        y[...] = 0
        assert not a.any()
        assert np.shares_memory(np.asarray(x), a)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_we_see_numpys_memory(dtype: str, view: str) -> None:
    a = VIEWS[view](sample(dtype))
    x = xp.asarray(a)
    same(x, a)
    if a.size:
        x[...] = 1
        assert np.all(a == 1)
        a[...] = 0
        assert not xp.any(x)


def test_read_only_ndarray() -> None:
    a = np.arange(4)
    a.flags.writeable = False
    x = xp.asarray(a)
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 9
    with pytest.raises(ValueError, match="read-only"):
        x[::2] += 1
    y = xp.asarray(a, copy=True)
    y[0] = 9
    assert a.tolist() == [0, 1, 2, 3]
    assert not np.asarray(xp.broadcast_to(xp.zeros(1), (3,))).flags.writeable


def test_ndarrays_that_no_window_describes() -> None:
    """Foreign byte order, misaligned and oddly strided memory is copied."""
    swapped = np.arange(3, dtype=">i4")
    same(xp.asarray(swapped), np.arange(3, dtype="i4"))
    misaligned = np.frombuffer(b"\0" + np.arange(3.0).tobytes(), np.float64, offset=1)
    same(xp.asarray(misaligned), np.arange(3.0))
    fields = np.zeros(3, [("a", "i1"), ("b", "f8")])
    fields["b"] = [1, 2, 3]
    same(xp.asarray(fields["b"]), np.array([1.0, 2, 3]))


def test_dunder_array() -> None:
    x = xp.asarray([1.5, 2.5])
    assert np.shares_memory(np.asarray(x), np.asarray(x, dtype=np.float64, copy=False))
    assert not np.shares_memory(np.asarray(x), np.array(x))
    assert np.asarray(x, dtype="int8").tolist() == [1, 2]
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype=np.float32, copy=False)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the buffer protocol is open to Python classes from 3.12 on")
def test_buffer() -> None:
    x = xp.asarray([[1, 2], [3, 4]], dtype=xp.int32)
    m = memoryview(x)  # type: ignore[arg-type]
    assert m.shape == (2, 2)
    m[0, 0] = 9
    assert int(x[0, 0]) == 9


def test_buffers_in() -> None:
    data = bytearray(b"\1\2\3")
    x = xp.asarray(data)
    same(x, np.array([1, 2, 3], np.uint8))
    x[0] = 7
    assert data[0] == 7
    assert xp.asarray(memoryview(np.arange(6.0).reshape(2, 3))).shape == (2, 3)
    with pytest.raises(ValueError, match="read-only"):
        xp.frombuffer(b"\1\2", dtype=xp.uint8)[0] = 1


# ---------------------------------------------------------------------- DLPack


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dlpack_numpy(dtype: str, view: str) -> None:
    x = VIEWS[view](xp.asarray(sample(dtype), copy=True))
    a = np.from_dlpack(x)
    same(x, a)
    back = xp.from_dlpack(VIEWS[view](sample(dtype)))
    same(back, VIEWS[view](sample(dtype)))
    if a.size and min(x.strides, default=0) >= 0:
        x[...] = 1
        assert np.all(a == 1)
    elif a.size:  # consumers crash on steps backwards, so those are exported as copies, or not at all
        with pytest.raises(BufferError, match="backwards"):
            np.from_dlpack(x, copy=False)


def test_dlpack_of_read_only() -> None:
    x = xp.broadcast_to(xp.asarray(3.0), (2, 2))
    a = np.from_dlpack(x)
    assert not a.flags.writeable
    with pytest.raises(BufferError):
        x.__dlpack__()  # an unversioned capsule cannot say read-only
    assert type(x.__dlpack__(copy=True)).__name__ == "PyCapsule"
    with pytest.raises(ValueError, match="read-only"):
        xp.from_dlpack(a)[0, 0] = 1
    y = xp.from_dlpack(a, copy=True)
    y[0, 0] = 1
    assert float(x[0, 0]) == 3


def test_dlpack_arguments() -> None:
    x = xp.arange(3)
    assert x.__dlpack_device__() == (1, 0)
    assert "versioned" in repr(x.__dlpack__(max_version=(1, 0)))
    assert "versioned" not in repr(x.__dlpack__())
    assert np.from_dlpack(x, copy=True) is not None
    copied = np.from_dlpack(x, copy=True)
    copied[0] = 9
    assert int(x[0]) == 0
    x.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match="dl_device"):
        x.__dlpack__(dl_device=(2, 0))
    with pytest.raises(ValueError, match="stream"):
        x.__dlpack__(stream=1)
    assert xp.from_dlpack(x, device="cpu") is not x
    with pytest.raises(ValueError, match="device"):
        xp.from_dlpack(x, device="gpu")
    with pytest.raises(TypeError, match="__dlpack__"):
        xp.from_dlpack([1, 2])
    with pytest.raises(TypeError, match="float16"):
        xp.from_dlpack(np.ones(3, np.float16))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d not in ("uint16", "uint32", "uint64")])
def test_torch(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = xp.asarray(sample(dtype), copy=True)
    t = torch.from_dlpack(x)
    assert t.tolist() == x.tolist()
    t.fill_(1)
    assert bool(xp.all(x == 1))
    x[...] = 0
    assert not t.any()
    t = torch.from_dlpack(x.T[1:])
    assert tuple(t.shape) == (3, 3)
    source = torch.asarray(sample(dtype).tolist(), dtype=getattr(torch, dtype))
    for y in (xp.asarray(source), xp.from_dlpack(source), xp.asarray(source.T).T):
        same(y, source.numpy())
        y[0, 0] = 1 - y[0, 0] if dtype != "bool" else ~y[0, 0]
        same(y, source.numpy())
    assert xp.from_dlpack(source, copy=True).tolist() == source.tolist()


def test_torch_refusals() -> None:
    torch = pytest.importorskip("torch")
    assert torch.from_dlpack(xp.arange(3)[::-1]).tolist() == [2, 1, 0]
    with pytest.raises(TypeError, match="bfloat16"):
        xp.from_dlpack(torch.ones(3, dtype=torch.bfloat16))
    with pytest.raises(BufferError):
        xp.from_dlpack(torch.ones(3, requires_grad=True))


@pytest.mark.filterwarnings("ignore")
def test_jax() -> None:
    jax = pytest.importorskip("jax")
    source = jax.numpy.arange(6, dtype="float32").reshape(2, 3)
    x = xp.asarray(source)
    same(x, np.arange(6, dtype=np.float32).reshape(2, 3))
    with pytest.raises(ValueError, match="read-only"):
        x[0, 0] = 1
    x = xp.asarray(source, copy=True)
    x[0, 0] = 1
    back = jax.dlpack.from_dlpack(xp.asarray(np.arange(4, dtype=np.float32)))
    assert back.tolist() == [0, 1, 2, 3]
    assert jax.numpy.asarray(xp.asarray([[1.5]], dtype=xp.float32)).tolist() == [[1.5]]


# ---------------------------------------------------------------------- ufuncs


def test_ufuncs_give_our_arrays() -> None:
    a = np.linspace(0.1, 0.9, 5)
    x = xp.asarray(a)
    for f in (np.sin, np.exp, np.sqrt, np.negative, np.isnan, np.floor, np.cbrt, np.spacing, np.signbit, np.reciprocal):
        same(f(x), f(a))
    for g in (np.add, np.multiply, np.arctan2, np.less, np.fmod, np.nextafter, np.hypot, np.logaddexp2):
        same(g(x, a[::-1]), g(a, a[::-1]))
        same(g(a[::-1], x), g(a[::-1], a))
        same(g(x, 0.5), g(a, 0.5))
    whole, part = np.divmod(x, 0.25)
    same(whole, np.divmod(a, 0.25)[0])
    same(part, np.divmod(a, 0.25)[1])
    mantissa, exponent = np.frexp(x)
    same(mantissa, np.frexp(a)[0])
    same(exponent, np.frexp(a)[1])


def test_ufunc_out_and_where() -> None:
    a = np.arange(4.0)
    x, out = xp.asarray(a), xp.zeros(4)
    assert np.add(x, 1, out=out) is out
    same(out, a + 1)
    out[...] = -1
    np.multiply(x, 2, out=out, where=xp.asarray([True, False, True, False]))
    assert out.tolist() == [0, -1, 4, -1]
    plain = np.zeros(4)
    assert np.add(x, x, out=plain) is plain
    assert plain.tolist() == [0, 2, 4, 6]
    view = xp.zeros((4, 2))
    np.sqrt(x, out=view[:, 1])
    same(view[:, 1], np.sqrt(a))
    assert not xp.any(view[:, 0])
    outs = np.modf(x + 0.5, out=(xp.zeros(4), xp.zeros(4)))
    same(outs[1], a)
    plain += x
    assert plain.tolist() == [0, 3, 6, 9]
    assert type(plain) is np.ndarray
    with pytest.raises(ValueError, match="read-only"):
        np.add(x, 1, out=xp.broadcast_to(xp.zeros(1), (4,)))
    same(np.add(x, 1, dtype=np.float32), np.add(a, 1, dtype=np.float32))


def test_ufunc_methods() -> None:
    a = np.arange(12.0).reshape(3, 4)
    x = xp.asarray(a)
    same(np.add.reduce(x), np.add.reduce(a))
    same(np.multiply.reduce(x, axis=1, keepdims=True), np.multiply.reduce(a, axis=1, keepdims=True))
    same(np.maximum.reduce(x, axis=None), np.asarray(11.0))
    same(np.add.reduce(x, axis=0, where=a > 3), np.add.reduce(a, axis=0, where=a > 3))
    same(np.add.accumulate(x, axis=1), np.add.accumulate(a, axis=1))
    same(np.add.reduceat(x, [0, 2], axis=0), np.add.reduceat(a, [0, 2], axis=0))
    same(np.subtract.outer(x[0], a[0]), np.subtract.outer(a[0], a[0]))
    y = xp.zeros(3)
    np.add.at(y, xp.asarray([0, 0, 2]), xp.asarray([1.0, 2.0, 4.0]))
    assert y.tolist() == [3, 0, 4]
    with pytest.raises(ValueError, match="read-only"):
        np.add.at(xp.broadcast_to(xp.zeros(1), (3,)), [0], 1)
    out = xp.zeros(4)
    assert np.add.reduce(x, axis=0, out=out) is out
    same(out, a.sum(0))
    same(np.matmul(x, x.T), a @ a.T)
    same(np.vecdot(x, x), np.vecdot(a, a))


# ---------------------------------------------------------------------- NumPy's functions

A = np.arange(12.0).reshape(3, 4)
FUNCTIONS: dict[str, Any] = {
    "concatenate": lambda a: np.concatenate([a, a], axis=1),
    "stack": lambda a: np.stack([a, a]),
    "vstack": lambda a: np.vstack([a, a]),
    "hstack": lambda a: np.hstack((a, a)),
    "dstack": lambda a: np.dstack([a, a]),
    "block": lambda a: np.block([[a, a], [a, a]]),
    "split": lambda a: np.split(a, 2, axis=1)[1],
    "sum": lambda a: np.sum(a, axis=0),
    "sum where": lambda a: np.sum(a, where=np.asarray(a) > 3),
    "sum initial": lambda a: np.sum(a, initial=5.0),
    "prod": lambda a: np.prod(a, axis=1, keepdims=True),
    "mean": lambda a: np.mean(a, axis=1),
    "mean dtype": lambda a: np.mean(a, dtype=np.float32),
    "var": lambda a: np.var(a, ddof=1),
    "std": lambda a: np.std(a, axis=0),
    "max": lambda a: np.max(a, axis=1),
    "min": lambda a: np.min(a),
    "argmax": lambda a: np.argmax(a, axis=0),
    "ptp": lambda a: np.ptp(a, axis=1),
    "median": lambda a: np.median(a, axis=0),
    "percentile": lambda a: np.percentile(a, 30),
    "quantile": lambda a: np.quantile(a, [0.1, 0.5], axis=1),
    "average": lambda a: np.average(a, axis=0, weights=[1, 2, 3]),
    "any": lambda a: np.any(a > 5),
    "all": lambda a: np.all(a >= 0, axis=1),
    "count_nonzero": lambda a: np.count_nonzero(a, axis=0),
    "nonzero": lambda a: np.nonzero(a)[1],
    "argwhere": lambda a: np.argwhere(a > 3),
    "where": lambda a: np.where(a > 3, a, -a),
    "where one": lambda a: np.where(a > 3)[0],
    "clip": lambda a: np.clip(a, 2, 8),
    "round": lambda a: np.round(a / 3, 2),
    "cumsum": lambda a: np.cumsum(a, axis=1),
    "cumsum flat": lambda a: np.cumsum(a),
    "diff": lambda a: np.diff(a, axis=0),
    "gradient": lambda a: np.gradient(a, axis=0),
    "reshape": lambda a: np.reshape(a, (4, 3)),
    "ravel": lambda a: np.ravel(a),
    "transpose": lambda a: np.transpose(a),
    "swapaxes": lambda a: np.swapaxes(a, 0, 1),
    "moveaxis": lambda a: np.moveaxis(a, 0, 1),
    "expand_dims": lambda a: np.expand_dims(a, 1),
    "squeeze": lambda a: np.squeeze(a[:1]),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 3, 4)),
    "flip": lambda a: np.flip(a, 1),
    "roll": lambda a: np.roll(a, 1),
    "rot90": lambda a: np.rot90(a),
    "tile": lambda a: np.tile(a, 2),
    "repeat": lambda a: np.repeat(a, 2, axis=0),
    "pad": lambda a: np.pad(a, 1),
    "tril": lambda a: np.tril(a),
    "diag": lambda a: np.diag(a),
    "diagonal": lambda a: np.diagonal(a),
    "trace": lambda a: np.trace(a),
    "dot": lambda a: np.dot(a, a.T),
    "inner": lambda a: np.inner(a, a),
    "outer": lambda a: np.outer(a, a),
    "kron": lambda a: np.kron(a, a),
    "tensordot": lambda a: np.tensordot(a, a, axes=([0, 1], [0, 1])),
    "einsum": lambda a: np.einsum("ij,kj->ik", a, a),
    "sort": lambda a: np.sort(-a, axis=0),
    "argsort": lambda a: np.argsort(-a, axis=1),
    "unique": lambda a: np.unique(a % 3),
    "searchsorted": lambda a: np.searchsorted(a[0], [0.5, 2.5]),
    "isin": lambda a: np.isin(a, [1, 2]),
    "take": lambda a: np.take(a, [0, 2], axis=1),
    "take_along_axis": lambda a: np.take_along_axis(a, np.argsort(a, axis=1), axis=1),
    "interp": lambda a: np.interp(a, [0, 12], [0, 1]),
    "histogram": lambda a: np.histogram(a, bins=3)[0],
    "bincount": lambda a: np.bincount(np.ravel(a).astype(int)),
    "digitize": lambda a: np.digitize(a, [2, 5]),
    "zeros_like": lambda a: np.zeros_like(a),
    "ones_like": lambda a: np.ones_like(a, dtype=np.int8),
    "full_like": lambda a: np.full_like(a, 3),
    "copy": lambda a: np.copy(a),
    "meshgrid": lambda a: np.meshgrid(a[0], a[1])[1],
    "nan_to_num": lambda a: np.nan_to_num(a / a),
    "nansum": lambda a: np.nansum(a),
    "real": lambda a: np.real(a + 1j),
    "angle": lambda a: np.angle(a + 1j),
    "isclose": lambda a: np.isclose(a, a + 1e-9),
    "linalg.norm": lambda a: np.linalg.norm(a),
    "linalg.solve": lambda a: np.linalg.solve(a[:, :3] + 9 * np.eye(3), a[:, 3]),
    "linalg.det": lambda a: np.linalg.det(a[:, :3] + 9 * np.eye(3)),
    "fft.fft": lambda a: np.fft.fft(a),
    "fft.fftshift": lambda a: np.fft.fftshift(a),
    "apply_along_axis": lambda a: np.apply_along_axis(np.sum, 0, a),
    "atleast_3d": lambda a: np.atleast_3d(a),
    "cov": lambda a: np.cov(a),
    "corrcoef": lambda a: np.corrcoef(a + A**2),
    "cross": lambda a: np.cross(a[:, :3], a[:, 1:]),
    "convolve": lambda a: np.convolve(a[0], a[1]),
    "append": lambda a: np.append(a, 5),
    "delete": lambda a: np.delete(a, 1, axis=0),
    "insert": lambda a: np.insert(a, 1, 7, axis=0),
    "unwrap": lambda a: np.unwrap(a),
    "select": lambda a: np.select([a > 3, a > 1], [a, -a]),
    "trapezoid": lambda a: np.trapezoid(a),
    "linspace": lambda a: np.linspace(a[0], a[1], 3),
    "array_split": lambda a: np.array_split(a, 2)[0],
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions_give_our_arrays(name: str) -> None:
    with np.errstate(all="ignore"):
        expected = FUNCTIONS[name](A)
    got = FUNCTIONS[name](xp.asarray(A))
    assert type(got) is xp.Array
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-12, atol=1e-12)


def test_numpy_functions_that_give_no_array() -> None:
    x = xp.asarray(A)
    assert np.shape(x) == (3, 4)
    assert np.ndim(x) == 2
    assert np.size(x) == 12
    assert np.allclose(x, A)
    assert np.array_equal(x, A)
    assert np.shares_memory(x, x)
    assert np.may_share_memory(x, x)
    assert np.result_type(x, np.float32) == np.float64
    assert not np.iscomplexobj(x)
    assert np.array_repr(x)
    assert np.array2string(x)
    np.testing.assert_array_equal(x, A)
    np.testing.assert_allclose(x, A)


def test_numpy_functions_with_out() -> None:
    x, out = xp.asarray(A), xp.zeros(4)
    assert np.sum(x, axis=0, out=out) is out
    same(out, A.sum(0))
    target = xp.zeros((3, 4))
    np.copyto(target, x)
    same(target, A)
    np.put(target, [0, 1], 7)
    assert target[0, :2].tolist() == [7, 7]
    np.fill_diagonal(target, -1)
    assert float(target[1, 1]) == -1
    same(np.concatenate([x, A]), np.concatenate([A, A]))
    same(np.concatenate([A, x]), np.concatenate([A, A]))


# ---------------------------------------------------------------------- mixed operands

OPERATORS = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y, "//": lambda x, y: x // y,
    "%": lambda x, y: x % y, "**": lambda x, y: x**y, "<": lambda x, y: x < y, "==": lambda x, y: x == y, "!=": lambda x, y: x != y,
    ">=": lambda x, y: x >= y,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "float32", "float64", "complex64"])
@pytest.mark.parametrize("symbol", OPERATORS)
def test_operands_of_numpy(symbol: str, dtype: str) -> None:
    """With ndarrays and NumPy scalars on either side the result is ours, in the dtype that NumPy gives (NEP 50)."""
    f = OPERATORS[symbol]
    a = (np.arange(3) + 1).astype(dtype)
    x = xp.asarray(a)
    others = [
        a[::-1],
        np.float64(2),
        np.float32(2),
        np.int8(2),
        np.uint64(3),
        np.array(2),
        np.array([1.0, 2.0, 3.0], np.float32),
        2,
        2.0,
        True,
    ]
    if dtype == "complex64" and symbol in ("<", ">=", "//", "%", "**"):
        return
    for other in others:
        for left, right, expected in ((x, other, (a, other)), (other, x, (other, a))):
            try:
                wanted = f(*expected)
            except TypeError:
                with pytest.raises(TypeError):
                    f(left, right)
                continue
            got = f(left, right)
            assert type(got) is xp.Array, (symbol, other)
            assert got.dtype == wanted.dtype, (symbol, repr(other))
            np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-6)


def test_matmul_with_ndarrays() -> None:
    x = xp.asarray(A)
    same(x @ A.T, A @ A.T)
    same(A.T @ x, A.T @ A)
    same(xp.asarray(3.0) * A, 3 * A)


def test_foreign_operands_are_refused() -> None:
    torch = pytest.importorskip("torch")
    x = xp.zeros(2)
    for other in ("a", None, ["a", 2], {}, object()):
        with pytest.raises(TypeError):
            x + other
        with pytest.raises(TypeError):
            other - x
    with pytest.raises(TypeError):
        xp.add(x, torch.zeros(2))


# ---------------------------------------------------------------------- nested sequences, pickles, copies


def test_nested_sequences() -> None:
    x = xp.asarray([1.0, 2.0])
    same(xp.asarray([x, x]), np.array([[1.0, 2], [1, 2]]))
    same(xp.asarray([[x[0], 3], (x[1], 4)]), np.array([[1.0, 3], [2, 4]]))
    same(xp.asarray([np.float32(1), np.float32(2)]), np.array([1, 2], np.float32))
    same(xp.asarray([x, np.zeros(2, np.float32)]), np.array([[1.0, 2], [0, 0]]))
    same(xp.asarray([xp.asarray(1, dtype=xp.int8), 2]), np.array([np.int8(1), 2]))
    same(xp.asarray(list(x)), np.array([1.0, 2.0]))
    same(xp.asarray([range(3), range(3)]), np.array([[0, 1, 2]] * 2))
    same(xp.asarray([[], []]), np.zeros((2, 0)))
    same(xp.asarray([1 << 63, 1]), np.array([1 << 63, 1], np.uint64))  # floats in NumPy, which loses digits
    same(xp.asarray([(1 << 63) + 1, 0], dtype=xp.uint64), np.array([(1 << 63) + 1, 0], np.uint64))
    same(xp.asarray([1e300, 1]), np.array([1e300, 1]))
    same(xp.asarray([float("inf"), 1]), np.array([np.inf, 1]))
    same(np.asarray([x, x]) + x, np.array([[2.0, 4], [2, 4]]))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickle(protocol: int, view: str) -> None:
    for dtype in DTYPES:
        x = VIEWS[view](xp.asarray(sample(dtype)))
        y = pickle.loads(pickle.dumps(x, protocol))
        same(y, np.asarray(x))
        if y.size:
            y[...] = 1  # memory of its own, writable
        same(x, VIEWS[view](sample(dtype)))


def test_pickle_out_of_band() -> None:
    x = xp.asarray(np.arange(100_000.0))
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(x, 5, buffer_callback=buffers.append)
    assert len(data) < 1000
    assert len(buffers) == 1
    y = pickle.loads(data, buffers=buffers)
    same(y, np.arange(100_000.0))
    frozen = pickle.loads(data, buffers=[bytes(b.raw()) for b in buffers])
    frozen[0] = 5  # read-only buffers are copied
    assert float(x[0]) == 0


def test_copies() -> None:
    x = xp.asarray([[1, 2], [3, 4]])
    for y in (copy.copy(x), copy.deepcopy(x), x.copy(), xp.copy(x)):
        y[0, 0] = 9
        assert int(x[0, 0]) == 1
    holder = {"a": x, "b": [x]}
    twin = copy.deepcopy(holder)
    assert twin["a"] is twin["b"][0], "deepcopy keeps identity"
    assert pickle.loads(pickle.dumps(xp.float32)) is xp.float32
    assert pickle.loads(pickle.dumps(x.device)) is x.device


# ---------------------------------------------------------------------- the standard's ecosystem


def test_namespaces() -> None:
    x = xp.zeros(2)
    assert array_api_compat.array_namespace(x) is xp
    assert array_api_compat.is_array_api_obj(x)
    assert array_api_compat.device(x) == x.device
    assert array_api_compat.to_device(x, "cpu") is x
    assert array_api_compat.size(x) == 2
    assert x.__array_namespace__(api_version="2025.12") is xp
    with pytest.raises(ValueError, match="2019"):
        x.__array_namespace__(api_version="2019.01")


xps = make_strategies_namespace(xp, api_version="2024.12")


@settings(max_examples=100)
@given(st.data())
def test_hypothesis_strategies(data: st.DataObject) -> None:
    dtype = data.draw(xps.scalar_dtypes())
    x = data.draw(xps.arrays(dtype, xps.array_shapes(max_dims=3, max_side=4)))
    assert type(x) is xp.Array
    assert x.dtype == dtype
    key = data.draw(xps.indices(x.shape))
    same(x[key], np.asarray(x)[key])
    shapes = data.draw(xps.mutually_broadcastable_shapes(2, max_dims=3, max_side=4))
    assert xp.broadcast_shapes(*shapes.input_shapes) == shapes.result_shape
