"""Sorting, searching, sets and indexing of the CUDA engine on the simulator: against NumPy and the CPU's engine, all dtypes and layouts.

Tiles of a few elements make many blocks and passes of small arrays.
"""

from typing import Any

import numpy as np
import pytest

from mtarray import sets as cpu_sets
from mtarray._kernels.cpu import search
from mtarray._kernels.cuda import blocks, bounds, compact, driver, gather, graphs, radix, selection, sets, sorting
from mtarray._kernels.cuda.tensor import Tensor

pytest.importorskip("mtarray._kernels.cuda.copying")

DTYPES = [np.dtype(d) for d in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split()]
DEVICE = driver.Simulated(0)
SMALL = dict(short=8, threads=32, items=1)  # rows beyond 8 elements by radix, 32 of them a tile
INT64 = np.dtype(np.int64)
ALL = slice(None)


def put(x: Any) -> Tensor:
    """An ndarray on the simulated device, with its strides: what it is a view of goes there whole."""
    base = x
    while isinstance(base.base, np.ndarray):
        base = base.base
    offset = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize if x.size else 0
    return Tensor(DEVICE.upload(base), x.shape, tuple([s // x.itemsize for s in x.strides]), offset, x.dtype)


def get(x: Tensor) -> Any:
    if not x.size:
        return np.empty(x.shape, x.dtype)
    data = DEVICE.download(x.buffer.ptr, x.buffer.nbytes)
    data = data[: data.size // x.itemsize * x.itemsize].view(x.dtype)
    return np.lib.stride_tricks.as_strided(data[x.offset :], x.shape, [s * x.itemsize for s in x.strides]).copy()


def drawn(dtype: np.dtype[Any], shape: Any, seed: int = 0) -> Any:
    """Elements of which many are equal, with NaN, infinities, zeros of both signs and the extremes of integers."""
    r = np.random.default_rng(seed)
    if dtype.kind == "b":
        return r.random(shape) < 0.5
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return r.choice(np.array([info.min, info.max, 0, 1, 2, 3, 77, info.max - 1], dtype), shape)
    values = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1, 2, -3, 1e30, -1e-30])
    if dtype.kind == "f":
        return r.choice(values, shape).astype(dtype)
    out = np.empty(shape, dtype)
    out.real, out.imag = r.choice(values, shape), r.choice(values, shape)
    return out


def same(got: Any, want: Any) -> None:
    """Equal elements, shapes and dtypes; zeros with their signs."""
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if want.dtype.kind in "fc":
        part = want.real.dtype
        got, want = (np.ascontiguousarray(x).reshape(-1).view(part) for x in (got, want))
        number = want == want
        assert (np.signbit(got) == np.signbit(want))[number].all()
    np.testing.assert_array_equal(got, want)


def ordered(x: Any, axis: int, descending: bool) -> Any:
    if not descending:
        return np.argsort(x, axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)


# ---------------------------------------------------------------------- sorting


@pytest.mark.parametrize("n", [0, 1, 64, 131])
def test_scan(n: int) -> None:
    x = np.arange(n, dtype=np.int32) % 7
    same(get(blocks.exclusive(put(x), 32, 2)), (np.cumsum(x) - x).astype(np.int32))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_short_rows(dtype: Any, descending: bool) -> None:
    base = drawn(dtype, (3, 5, 9))
    for x in (base, base[::-1, ::2, ::-3], base.transpose(2, 0, 1), np.broadcast_to(base[:, :1], base.shape)):
        for axis in range(3):
            order = ordered(x, axis, descending)
            same(get(sorting.order_along(put(x), axis=axis, descending=descending, stable=True)), order)
            same(get(sorting.sorted_along(put(x), axis=axis, descending=descending, stable=True)), np.take_along_axis(x, order, axis))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_long_rows(dtype: Any) -> None:
    x, descending = drawn(dtype, (2, 35)), dtype.kind in "icf"
    order = ordered(x, 1, descending)
    values, none = sorting.sorted_rows(put(x), descending, **SMALL)
    assert none is None
    same(get(values), np.take_along_axis(x, order, 1))
    if dtype.kind != "c":  # of which the values come from the order
        none, places = sorting.sorted_rows(put(x), descending, False, INT64, **SMALL)
        assert none is None
        same(get(places), order)


def test_radix_of_many_items() -> None:
    x = np.random.default_rng(1).integers(0, 1 << 16, (1, 300), np.uint16)
    values, order = radix.sort_rows(put(x), 0, False, True, INT64, threads=64, items=2)
    same(get(values), np.sort(x, 1))
    same(get(order), np.argsort(x, 1, kind="stable"))
    low, _ = radix.sort_rows(put(x), 0, False, low=3, high=9, bits=4, threads=64, items=2)
    same(get(low), np.take_along_axis(x, np.argsort(x >> 3 & 255, 1, kind="stable"), 1))


def test_sorts_of_rows_of_all_lengths_in_one_block() -> None:
    for rows, n in ((1, 1), (200, 2), (7, 33), (3, 257)):
        x = np.random.default_rng(n).standard_normal((rows, n)).astype(np.float32)
        same(get(sorting.sorted_along(put(x), axis=1, descending=False, stable=True)), np.sort(x, 1))


def test_partitions_and_empty_rows() -> None:
    x = drawn(np.dtype("f8"), (4, 6))
    places = get(sorting.partition_order(put(x), axis=1, ranks=(2,)))
    same(np.take_along_axis(x, places, 1), get(sorting.partitioned(put(x), axis=1, ranks=(2,))))
    for shape, axis in (((0, 3), 0), ((0, 3), 1), ((2, 0, 3), 2)):
        e = put(np.empty(shape, np.float32))
        assert sorting.sorted_along(e, axis=axis, descending=True, stable=True).shape == shape
        assert sorting.order_along(e, axis=axis, descending=True, stable=True).shape == shape


def test_sorts_copy_nothing_to_the_host() -> None:
    x = put(drawn(np.dtype("f4"), (3, 50)))
    before = dict(DEVICE.counts)
    sorting.sorted_along(x, axis=0, descending=False, stable=True)
    sorting.sorted_rows(x, **SMALL)
    assert [DEVICE.counts[way] - before[way] for way in ("to_host", "to_device")] == [0, 0]


# ---------------------------------------------------------------------- searching and sets


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nonzero(dtype: Any) -> None:
    base = drawn(dtype, (5, 4, 3))
    for x in (base, base.transpose(1, 2, 0)[::-1], base[:0], base.reshape(-1)):
        for got, want in zip(compact.indices_nonzero(put(x)), np.nonzero(x), strict=True):
            same(get(got), want)
    flat = base.reshape(-1)
    same(get(compact.places(put(flat), threads=32, items=2)[0]), np.flatnonzero(flat))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_distinct(dtype: Any) -> None:
    for n, tiles in ((0, {}), (40, {}), (33, SMALL)):
        if tiles and dtype.itemsize != 4:
            continue
        x = drawn(dtype, (n,))
        for want in ("values", "counts", "inverse", "all") if n and not tiles else ("values", "all"):
            for got, expected in zip(
                sets.distinct(put(x), want=want, **tiles), cpu_sets.distinct.op.implementation(x, want=want), strict=True
            ):
                same(get(got), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_places_and_members(dtype: Any) -> None:
    x = drawn(dtype, (3, 7), 1)
    for other in map(np.dtype, "? i8 u8 f4 c8".split()):
        entries = np.sort(drawn(other, (9,), 2))
        for table in (entries, entries[:0]):
            same(get(sets.member(put(table[::-1]), put(x.T))), cpu_sets.member.op.implementation(table[::-1], x.T))
            same(get(sets.member(put(x.T), put(table))), cpu_sets.member.op.implementation(x.T, table))
            for side in ("left", "right"):
                same(get(bounds.places(put(table), put(x.T), side=side)), search.searchsorted(table, x.T, side))


def test_sizes_that_depend_on_data_are_read_once() -> None:
    x = put(drawn(np.dtype("i4"), (50,)))
    for f in (lambda: compact.indices_nonzero(x), lambda: sets.distinct(x, want="all")):
        before = dict(DEVICE.counts)
        f()
        assert DEVICE.counts["to_host"] - before["to_host"] == 1
        assert DEVICE.counts["bytes_to_host"] - before["bytes_to_host"] == 8
        assert DEVICE.counts["to_device"] == before["to_device"]


# ---------------------------------------------------------------------- selection


def keys(shape: tuple[int, ...]) -> Any:
    r = np.random.default_rng(3)

    def index(where: Any, axis: int, dtype: str = "i8") -> Any:
        return r.integers(0 if dtype[0] == "u" else -shape[axis], shape[axis], where).astype(dtype)

    def mask(*axes: int) -> Any:
        return r.random([shape[i] for i in axes]) < 0.5

    one = mask(0)
    yield (index(4, 0),)
    yield ALL, index((2, 3), 1, "i2")
    yield ALL, ALL, index(3, 2, "u1")
    yield index((2, 1), 0, "i1"), index(3, 1, "u8")
    yield index((2, 1), 0), ALL, index(3, 2, "i4")  # parted: the positions come first
    yield ALL, index((2, 1), 1, "u4"), index(2, 2, "u2")
    yield ALL, index(5, 1), 1
    yield 1, ALL, index(5, 2)
    yield index(3, 0), Ellipsis, index(3, 1), ALL
    yield (one,)
    yield (mask(0, 1),)
    yield (mask(0, 1, 2),)
    yield ALL, mask(1, 2)
    yield ALL, mask(1)
    yield one, ALL, index(int(one.sum()), 2)
    yield mask(0), mask(1)[:0]  # a mask that is empty selects nothing
    yield (np.zeros(shape[0], bool),)
    yield (np.zeros(0, np.int64),)
    yield ALL, index((), 1)
    yield (np.array(True),)
    yield np.array(False), ALL, 2
    yield (index((2, 3, 2), 0).transpose(2, 0, 1),)


def on_device(key: Any) -> Any:
    return tuple([put(k) if isinstance(k, np.ndarray) else k for k in key])


def in_c_order(key: Any) -> Any:
    """NumPy writes in the order of the memory of its index arrays."""
    return tuple([np.ascontiguousarray(k) if isinstance(k, np.ndarray) and k.ndim else k for k in key])


VIEWS = [lambda x: x, lambda x: x[::-1, ::2], lambda x: x.transpose(2, 0, 1), lambda x: x[1:, :, ::-1]]


@pytest.mark.parametrize(("kind", "view"), [("f4", 0), ("f4", 1), ("f4", 2), ("f4", 3), ("?", 1), ("i2", 2), ("i8", 3), ("c16", 1)])
def test_selection(kind: str, view: int) -> None:
    dtype = np.dtype(kind)

    def fresh() -> Any:
        base = drawn(dtype, (4, 4, 5))
        return base, VIEWS[view](base)

    _, x = fresh()
    for key in keys(x.shape):
        try:
            want = x[key]
        except IndexError:  # a mask of length 0 beside another that selects several
            with pytest.raises(IndexError):
                selection.select(put(x), on_device(key))
            continue
        same(get(selection.select(put(x), on_device(key))), want)
        for source in (drawn(dtype, want.shape, 4), drawn(dtype, want.shape[-1:], 5)):
            base, window = fresh()
            target = put(window)
            window[in_c_order(key)] = source
            selection.assign(target, on_device(key), put(source))
            same(get(target.window(base.shape, put(base).strides, 0)), base)
        base, window = fresh()
        base[...] = np.arange(base.size).reshape(base.shape) % 5
        source = np.round(np.random.default_rng(6).standard_normal(want.shape) * 5).astype(dtype)
        target = put(window)
        np.add.at(window, key, source)
        selection.accumulate(target, on_device(key), put(source), piece=4)
        same(get(target.window(base.shape, put(base).strides, 0)), base)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_places_that_repeat(dtype: Any) -> None:
    """Of many values for one place the last one stays, and all of them add up, whatever the tiles and pieces."""
    r = np.random.default_rng(7)
    index = r.integers(-4, 4, 40)
    source = r.integers(0, 3, (40, 2)).astype(dtype)
    for tiles in ({}, SMALL) if dtype.itemsize != 2 else ({},):
        x = np.ones((4, 2), dtype)
        target = put(x)
        x[index] = source
        selection.assign(target, on_device((index,)), put(source), **tiles)
        same(get(target), x)
        np.add.at(x, index, source)
        selection.accumulate(target, on_device((index,)), put(source), piece=4, **tiles)
        same(get(target), x)


def test_sums_of_floats_are_the_same_in_every_run() -> None:
    r = np.random.default_rng(8)
    index, source = np.sort(r.integers(0, 3, 200)), r.standard_normal(200).astype(np.float32)
    runs = []
    for _ in range(2):
        target = put(np.zeros(5, np.float32))
        selection.accumulate(target, on_device((index,)), put(source), piece=4)
        runs.append(get(target))
    same(*runs)
    want = np.zeros(5)
    np.add.at(want, index, source.astype(np.float64))
    np.testing.assert_allclose(runs[0], want, rtol=0, atol=1e-5)


def test_sources_of_other_dtypes_and_numbers() -> None:
    index = np.array([2, 0])
    for dtype, source in (
        ("i4", np.array([1.9, -2.9])),
        ("f4", np.array([3, 4])),
        ("c8", np.array([True, False])),
        ("?", np.array([0.5, 0])),
    ):
        x = np.zeros(4, dtype)
        target = put(x)
        x[index] = source
        selection.assign(target, on_device((index,)), put(source))
        same(get(target), x)
    target = put(np.zeros((3, 2), np.float32))
    selection.assign(target, on_device((index,)), np.float32(5))
    selection.assign(target, (put(np.array([False, True, False])),), 7)
    same(get(target), np.array([[5, 5], [7, 7], [5, 5]], np.float32))
    selection.assign(target, on_device((index,)), target.narrowed(0, 0, 2))  # values from where they go
    same(get(target), np.array([[7, 7], [7, 7], [5, 5]], np.float32))
    selection.assign(target, on_device((index,)), put(np.ones((1, 1, 2), np.float32)))
    same(get(target), np.array([[1, 1], [7, 7], [1, 1]], np.float32))


def test_indices_out_of_bounds() -> None:
    x = np.arange(12.0).reshape(3, 4)
    target = put(x)
    bad: Any
    for bad, axis in (
        (np.array([0, 3]), 0),
        (np.array([1, -5]), 1),
        (np.array([[2**64 - 1]], np.uint64), 1),
        (np.array([-128], np.int8), 0),
    ):
        key = (ALL,) * axis + (put(bad),)
        wrong = [i for i in bad.reshape(-1).tolist() if not -x.shape[axis] <= i < x.shape[axis]]
        words = f"index {wrong[0]} is out of bounds for axis {axis} with size {x.shape[axis]}"
        calls = ((selection.select, ()), (selection.assign, (1.0,)), (selection.accumulate, (1.0,)))
        for f, source in calls:
            with pytest.raises(IndexError, match=words):
                f(target, key, *source)
        with pytest.raises(IndexError, match=words):
            gather.taken(target, key[-1], axis=axis)
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 1"):
        gather.taken_along(target, put(np.array([[0], [4], [1]])), axis=1)
    with pytest.raises(IndexError, match="index 7 is out of bounds for axis 1"):
        selection.select(target, (put(np.array([0])), 7))
    for empty in (put(np.zeros((0, 3))), put(np.zeros((3, 0)).T)):
        with pytest.raises(IndexError, match="index 0 is out of bounds for axis 0 with size 0"):
            selection.select(empty, (put(np.array([0])),))
    with pytest.raises(IndexError, match="out of bounds"):
        selection.select(put(np.zeros((3, 0))), (put(np.array([3])),))
    with pytest.raises(IndexError, match="no elements to take"):
        gather.taken(put(np.zeros((3, 0))), put(np.array([0])), axis=1)
    same(get(target), x)  # nothing was written
    same(get(selection.select(target, (put(np.array([1])),))), x[[1]])  # and nothing is remembered


def test_shapes_that_do_not_fit() -> None:
    target = put(np.zeros((3, 4)))
    with pytest.raises(IndexError, match=r"\(2,\) \(3,\)"):
        selection.select(target, (put(np.array([0, 1])), put(np.array([0, 1, 2]))))
    with pytest.raises(ValueError, match="broadcast"):
        selection.assign(target, (put(np.array([0, 1])),), put(np.zeros(3)))
    with pytest.raises(IndexError, match="boolean index"):
        selection.select(target, (put(np.array([True, False])),))


def test_selections_wait_once() -> None:
    x, index, column = put(np.zeros((5, 3), np.float32)), put(np.array([1, 2, 1])), put(np.array([0, 1, 2]))
    mask = put(np.array([True, False, True, False, True]))
    for f in (
        lambda: selection.select(x, (index,)),
        lambda: selection.select(x, (index, column)),
        lambda: selection.assign(x, (index,), 1),
        lambda: selection.accumulate(x, (index,), x.narrowed(0, 0, 3)),
        lambda: selection.select(x, (mask,)),
        lambda: selection.assign(x, (mask,), 0),
    ):
        before = dict(DEVICE.counts)
        f()
        assert DEVICE.counts["to_host"] - before["to_host"] == 1
        assert DEVICE.counts["bytes_to_host"] - before["bytes_to_host"] == 8
        assert DEVICE.counts["to_device"] == before["to_device"]


def test_graphs_leave_out_what_is_out_of_bounds() -> None:
    x, target = np.arange(6.0).reshape(3, 2), put(np.zeros((3, 2)))
    index = put(np.array([2, 0]))

    def step() -> Any:
        row = selection.select(put_x, (index,))
        selection.accumulate(target, (index,), row)
        selection.assign(target, (index, 1), 9.0)
        return row, gather.taken_along(put_x, lines, axis=0)

    put_x, lines = put(x), put(np.array([[0, 1]]))
    (row, along), graph = graphs.capture(DEVICE, step)
    graph.replay()
    same(get(row), x[[2, 0]])
    same(get(along), np.array([[0.0, 3.0]]))
    same(get(target), np.array([[0.0, 9], [0, 0], [4, 9]]))
    selection.assign(index, (put(np.array([0])),), 5)
    graph.replay()
    with pytest.raises(IndexError, match="cuda:0: in a replayed graph"):
        selection.select(target, (put(np.array([1])),))
    same(get(target), np.array([[0.0, 9], [0, 0], [4, 9]]))
    same(get(selection.select(target, (put(np.array([2])),))), np.array([[4.0, 9]]))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_take(dtype: Any) -> None:
    base = drawn(dtype, (3, 4, 5))
    r = np.random.default_rng(9)
    for x in (base, base.transpose(2, 0, 1)[::-1], np.broadcast_to(base[:1], base.shape)):
        for axis in range(3):
            n = x.shape[axis]
            index = r.integers(-n, n, (2, 2)).astype("i1")
            same(get(gather.taken(put(x), put(index), axis=axis)), np.take(x, index, axis))
            shape = [3 if i == axis else m for i, m in enumerate(x.shape)]
            for kind in ("i8", "u8", "i2"):
                lines = r.integers(0 if kind == "u8" else -n, n, shape).astype(kind)
                same(get(gather.taken_along(put(x), put(lines[::-1]), axis=axis)), np.take_along_axis(x, lines[::-1].astype("i8"), axis))


def test_the_engine_finds_them() -> None:
    from mtarray._kernels import cuda

    assert cuda.engine("indices_nonzero") is compact.indices_nonzero
    assert cuda.engine("places") is bounds.places
