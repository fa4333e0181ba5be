"""`Array` itself: attributes, methods, text, conversion to Python, iteration, setters, against NumPy's arrays of the same content."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mtarray as xp

DTYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128",
)  # fmt: skip

A = np.array([[3.0, -1.5, 2.0], [0.5, 7.0, -4.0]])
I = np.array([[3, 1, 2], [0, 7, 4]])


def same(x: Any, a: Any) -> None:
    assert type(x) is xp.Array
    assert x.shape == np.shape(a)
    assert x.dtype == np.asarray(a).dtype
    np.testing.assert_array_equal(np.asarray(x), a)


# ---------------------------------------------------------------------- attributes


@pytest.mark.parametrize("dtype", DTYPES)
def test_attributes(dtype: str) -> None:
    a = np.zeros((2, 3, 4), dtype)
    x = xp.asarray(a)
    for name in ("shape", "ndim", "size", "itemsize", "nbytes", "strides", "dtype"):
        assert getattr(x, name) == getattr(a, name), name
        assert getattr(x[:, ::-2], name) == getattr(a[:, ::-2], name), name
    assert x.device == "cpu"
    assert x.device is xp.asarray(1).device
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    assert x.flags.c_contiguous
    assert x.T.flags.f_contiguous
    assert not xp.broadcast_to(x, (5, 2, 3, 4)).flags.writeable
    assert x.strides == (12 * x.itemsize, 4 * x.itemsize, x.itemsize)


def test_real_and_imag() -> None:
    z = xp.asarray([1 + 2j, 3 - 4j])
    z.real[0] = 9
    z.imag += 1
    same(z, np.array([9 + 3j, 3 - 3j]))
    z.real = 0
    z.imag = xp.asarray([5, 6])
    same(z, np.array([5j, 6j]))
    same(z[::-1].imag, np.array([6.0, 5.0]))
    x = xp.asarray([1.0, 2.0])
    assert np.shares_memory(np.asarray(x.real), np.asarray(x))
    same(x.imag, np.zeros(2))
    x.real = 3
    same(x, np.array([3.0, 3.0]))
    assert xp.asarray(1 + 2j).imag == 2


def test_attributes_cannot_be_replaced() -> None:
    x = xp.zeros(3)
    for name in ("shape", "dtype", "device", "T", "ndim", "strides"):
        with pytest.raises(AttributeError):
            setattr(x, name, None)
    with pytest.raises(AttributeError):
        x.something = 1
    assert x.shape == (3,)


def test_views_share_and_copies_do_not() -> None:
    x = xp.asarray(A, copy=True)
    for view in (x.T, x.mT, x[...], x.view(), x.transpose(1, 0), x.swapaxes(0, 1), x.ravel(), x.flat, x.reshape(3, 2), x.squeeze(), x.real):
        assert np.shares_memory(np.asarray(view), np.asarray(x))
    for fresh in (x.copy(), x.flatten(), x.astype(x.dtype), x + 0, x[[0]], x[x > 0]):
        assert not np.shares_memory(np.asarray(fresh), np.asarray(x))
    assert x.astype(x.dtype, copy=False) is x
    assert xp.asarray(x) is x


# ---------------------------------------------------------------------- methods

METHODS: dict[str, Callable[[Any], Any]] = {
    "astype": lambda x: x.astype("float32"),
    "reshape": lambda x: x.reshape(3, 2),
    "reshape tuple": lambda x: x.reshape((3, -1)),
    "reshape int": lambda x: x.reshape(-1),
    "reshape F": lambda x: x.reshape((3, 2), order="F"),
    "transpose": lambda x: x.transpose(),
    "transpose axes": lambda x: x.transpose(1, 0),
    "transpose tuple": lambda x: x.transpose((1, 0)),
    "transpose None": lambda x: x.transpose(None),
    "swapaxes": lambda x: x.swapaxes(0, -1),
    "squeeze": lambda x: x[:, None].squeeze(),
    "squeeze axis": lambda x: x[:, None].squeeze(1),
    "ravel": lambda x: x.ravel(),
    "ravel F": lambda x: x.ravel("F"),
    "flatten": lambda x: x.flatten(),
    "flatten F": lambda x: x.flatten(order="F"),
    "sum": lambda x: x.sum(),
    "sum axis": lambda x: x.sum(axis=1, keepdims=True),
    "sum dtype": lambda x: x.sum(dtype="float64"),
    "sum axes": lambda x: x.sum((0, 1)),
    "prod": lambda x: x.prod(0),
    "mean": lambda x: x.mean(axis=1),
    "var": lambda x: x.var(ddof=1),
    "std": lambda x: x.std(axis=0),
    "max": lambda x: x.max(axis=0),
    "min": lambda x: x.min(),
    "any": lambda x: x.any(axis=1),
    "all": lambda x: x.all(),
    "argmax": lambda x: x.argmax(),
    "argmax axis": lambda x: x.argmax(axis=1, keepdims=True),
    "argmin": lambda x: x.argmin(0),
    "argsort": lambda x: x.argsort(axis=0),
    "cumsum": lambda x: x.cumsum(axis=1),
    "cumsum flat": lambda x: x.cumsum(),
    "cumprod": lambda x: x.cumprod(axis=0),
    "clip": lambda x: x.clip(0, 3),
    "clip one": lambda x: x.clip(max=2),
    "round": lambda x: x.round(),
    "round decimals": lambda x: x.round(1),
    "conj": lambda x: x.conj(),
    "conjugate": lambda x: x.conjugate(),
    "dot": lambda x: x.dot(x.T),
    "nonzero": lambda x: x.nonzero()[1],
    "take": lambda x: x.take([0, 2], axis=1),
    "take flat": lambda x: x.take([0, 5]),
    "repeat": lambda x: x.repeat(2, axis=0),
    "trace": lambda x: x.trace(),
    "diagonal": lambda x: x.diagonal(),
    "searchsorted": lambda x: x[0].searchsorted([1, 2]),
    "matmul": lambda x: x @ x.T,
    "neg": lambda x: -x,
    "pos": lambda x: +x,
    "abs": lambda x: abs(x),
    "divmod": lambda x: divmod(x, 2)[1],
    "copy": lambda x: x.copy(),
    "pow": lambda x: 2**x.astype("float64"),
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("a", [A, I], ids=["float", "int"])
def test_methods_are_numpys(a: np.ndarray, name: str) -> None:
    expected = METHODS[name](a)
    got = METHODS[name](xp.asarray(a))
    assert type(got) is xp.Array
    assert got.dtype == expected.dtype
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-15)


def test_methods_in_place() -> None:
    x = xp.asarray(A, copy=True)
    x.sort(axis=1)
    same(x, np.sort(A, axis=1))
    x.T.sort(axis=0)
    same(x, np.sort(A, axis=1))
    x[:, 1].fill(8)
    assert x[:, 1].tolist() == [8, 8]
    assert x.item(1) == 8
    assert x.item(1, 2) == x.item(-1)
    assert type(x.item(0)) is float
    assert x.tolist() == np.asarray(x).tolist()
    assert x.tobytes() == np.asarray(x).tobytes()
    assert x.T.tobytes() == np.asarray(x).T.tobytes()


def test_in_place_operators_keep_the_object() -> None:
    for f in (operator.iadd, operator.isub, operator.imul, operator.ifloordiv, operator.imod, operator.ipow):
        a, x = I.copy(), xp.asarray(I, copy=True)
        y = x
        x = f(x, 2)
        assert x is y
        same(x, f(a, 2))


# ---------------------------------------------------------------------- text

TEXT = {
    "0-d": (xp.asarray(1.5), "Array(1.5, shape=(), dtype=float64, device='cpu')", "1.5"),
    "bool": (xp.asarray([True, False]), "Array([ True, False], shape=(2,), dtype=bool, device='cpu')", "[ True False]"),
    "empty": (xp.zeros((0, 3), dtype=xp.int8), "Array([], shape=(0, 3), dtype=int8, device='cpu')", "[] (shape (0, 3))"),
    "empty of one": (xp.zeros(0), "Array([], shape=(0,), dtype=float64, device='cpu')", "[] (shape (0,))"),
    "two": (xp.asarray([[1, 2], [3, 4]]), "Array([[1, 2],\n       [3, 4]], shape=(2, 2), dtype=int64, device='cpu')", "[[1 2]\n [3 4]]"),
    "complex": (xp.asarray([1 + 2j]), "Array([1.+2.j], shape=(1,), dtype=complex128, device='cpu')", "[1.+2.j]"),
    "long": (xp.arange(1000), "Array([  0,   1,   2, ..., 997, 998, 999], shape=(1000,), dtype=int64, device='cpu')", None),
    "nan": (xp.asarray([float("nan"), float("inf")]), "Array([nan, inf], shape=(2,), dtype=float64, device='cpu')", "[nan inf]"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXT)
def test_text(name: str) -> None:
    x, long, short = TEXT[name]
    assert repr(x) == long
    if short is not None:
        assert str(x) == short


def test_text_of_a_huge_view_is_quick() -> None:
    x = xp.broadcast_to(xp.asarray(2.0), (1 << 20, 1 << 20))
    assert "..." in repr(x)
    assert "..." in str(x)
    assert x.size == 1 << 40
    assert f"shape={x.shape}" in repr(x)


def test_format() -> None:
    assert f"{xp.asarray(1.2345):.2f}" == "1.23"
    assert f"{xp.asarray([1, 2])}" == "[1 2]"
    assert f"{xp.asarray(3):>5d}" == "    3"
    with pytest.raises(TypeError):
        f"{xp.asarray([1.0]):.2f}"


# ---------------------------------------------------------------------- to Python


@pytest.mark.parametrize("dtype", DTYPES)
def test_conversions(dtype: str) -> None:
    for shape in ((), (1,), (1, 1)):
        x = xp.asarray(np.full(shape, 1, dtype))
        assert bool(x) is True
        assert bool(x != x) is False
        assert complex(x) == 1 + 0j
        if dtype.startswith("complex"):
            for f in (int, float):
                with pytest.raises(TypeError, match=dtype):
                    f(x)
        else:
            assert float(x) == 1.0
            assert type(float(x)) is float
            assert int(x) == 1
            assert type(int(x)) is int
        if "int" in dtype and not shape:
            assert operator.index(x) == 1
            assert [5, 6][x] == 6
            assert list(range(x)) == [0]
        else:
            with pytest.raises(TypeError, match="index"):
                operator.index(x)
        assert type(x.item()) is type(np.full(shape, 1, dtype).item())


def test_large_integers() -> None:
    x = xp.asarray((1 << 64) - 1, dtype=xp.uint64)
    assert int(x) == x.item() == operator.index(x) == (1 << 64) - 1
    assert int(xp.asarray(-(1 << 63))) == -(1 << 63)
    assert int(xp.asarray(2.9)) == 2
    with pytest.raises(OverflowError):
        int(xp.asarray(float("inf")))
    with pytest.raises(ValueError, match="NaN"):
        int(xp.asarray(float("nan")))


# ---------------------------------------------------------------------- as a container


def test_len_iteration_contains() -> None:
    x = xp.asarray(I, copy=True)
    assert len(x) == 2
    rows = list(x)
    same(rows[1], I[1])
    rows[0][...] = 9  # rows are views
    assert x[0].tolist() == [9, 9, 9]
    assert [int(v) for v in x[1]] == [0, 7, 4]
    assert [v.shape for v in x[1]] == [(), (), ()]
    assert 7 in x
    assert 8 not in x
    assert np.int64(7) in x
    assert list(xp.zeros((0, 2))) == []
    first, _ = x
    same(first, np.array([9, 9, 9]))
    backwards = list(reversed(x))
    assert len(backwards) == 2
    same(backwards[0], I[1])
    assert sorted(xp.asarray([3, 1, 2]), key=int)[0] == 1
    assert {int(v) for v in x[1]} == {0, 4, 7}
    assert sum(xp.asarray([1, 2, 3])) == 6


def test_one_element_is_a_value() -> None:
    """`x[i]` of one element is an array of its own; `x[i, ...]` is a view."""
    x = xp.asarray([1.0, 2.0])
    v, w = x[0], x[0, ...]
    x[0] = 5
    assert float(v) == 1
    assert float(w) == 5
    w[...] = 7
    assert x.tolist() == [7, 2]
    m = xp.zeros((2, 2))
    value = m[1, 1]
    value += 1
    assert not xp.any(m)
    m[1, 1] += 1
    assert float(m[1, 1]) == 1


def test_comparison_gives_arrays() -> None:
    x = xp.asarray([1, 2, 3])
    same(x == 2, np.array([False, True, False]))
    same(x != x, np.zeros(3, bool))
    same(operator.lt(2, x), np.array([False, False, True]))
    same(x >= xp.asarray([1.5]), np.array([False, True, True]))
    assert (x == "a") is False
    same(x == None, np.zeros(3, bool))  # noqa: E711
    same(x != None, np.ones(3, bool))  # noqa: E711
    same(x == [1, 5, 3], np.array([True, False, True]))
    same([1, 2] + x[:2], np.array([2, 4]))
    assert (x == ["a"]) is False
    with pytest.raises(TypeError):
        hash(x)
    with pytest.raises(TypeError):
        {x}  # noqa: B018


# ---------------------------------------------------------------------- setting


def test_setitem_broadcasts_and_casts() -> None:
    x = xp.zeros((2, 3), dtype=xp.int32)
    x[...] = xp.asarray([1.9, -1.9, 3.0])
    assert x.tolist() == [[1, -1, 3]] * 2
    x[0] = 7
    x[:, 1] = [4, 5]
    x[1, 2] = True
    assert x.tolist() == [[7, 4, 7], [1, 5, 1]]
    x[x > 4] = 0
    assert x.tolist() == [[0, 4, 0], [1, 0, 1]]
    x[[0, 1], [0, 1]] = np.array([8, 9], np.int8)
    x[-1, ::-2] = xp.asarray([[2], [2]])[0]
    assert x.tolist() == [[8, 4, 0], [2, 9, 2]]
    x[xp.asarray([0, 0, 0]), 0] = xp.asarray([1, 2, 3])  # the last one stays, as in NumPy
    assert int(x[0, 0]) == 3
    b = xp.zeros(2, dtype=xp.bool)
    b[...] = [0, 5]
    assert b.tolist() == [False, True]
    z = xp.zeros(2, dtype=xp.complex64)
    z[0] = 1j
    z[1] = 2
    assert z.tolist() == [1j, 2]


def test_setitem_of_itself() -> None:
    """Source and target overlap: as if the source had been copied first, at every size."""
    for n in (10, 100_000):
        a = np.arange(n)
        for target, source in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None)), (slice(None), slice(None, None, -1))):
            x = xp.asarray(a, copy=True)
            x[target] = x[source]
            expected = a.copy()
            expected[target] = a[source]
            same(x, expected)
            x = xp.asarray(a, copy=True)
            x[target] += x[source]
            expected = a.copy()
            expected[target] += a[source]
            same(x, expected)


def test_zero_dimensions() -> None:
    x = xp.asarray(3)
    same(x[()], np.asarray(3))
    same(x[...], np.asarray(3))
    same(x[None], np.asarray([3]))
    same(x[True], np.asarray([3]))
    same(x[False], np.zeros(0, np.int64))
    x[...] = 4
    x += 1
    assert int(x) == 5
    assert x.T.shape == ()
    assert x.tolist() == 5
    assert x.reshape(1, 1).shape == (1, 1)


def test_namespace_of_types() -> None:
    assert isinstance(xp.asarray(1), xp.Array)
    assert xp.asarray(1).__array_namespace__() is xp
    assert xp.float32(3).dtype == xp.float32
    assert xp.newaxis is None
    assert xp.asarray([1, 2])[xp.newaxis].shape == (1, 2)
