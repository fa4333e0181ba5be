"""Gathers, scatters, masks and joins of the CPU engine against NumPy: dtypes, layouts, repeated positions, errors, threads."""

import zlib

import numpy as np
import pytest

from mtarray._kernels.cpu import driver, gather, join, scatter, select
from mtarray_tests.daily import daily

DTYPES = ["?", "i1", "u2", "i4", "u8", "f4", "f8", "c8", "c16"]
MOVED = daily(DTYPES, lambda d: d in ("?", "u2", "f4", "u8", "c16"))  # as bytes: one dtype for each width
ADDED = daily(DTYPES, lambda d: d in ("?", "i4", "f8", "c8"))
SHAPES = [(50,), (7, 64), (5, 6, 7), (1, 9), (4, 3, 2, 5)]
LAYOUTS = {
    "contiguous": lambda x: x,
    "negative": lambda x: x[::-1],
    "transposed": lambda x: x.swapaxes(0, -1),
    "stepped": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.fixture(autouse=True)
def _quiet():
    """The engine's contract: its caller suppresses NumPy's error state."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture
def kernels(monkeypatch):
    """Our scatters at every size."""
    monkeypatch.setattr(scatter, "SCATTER_CROSSOVER", 0)


def sample(dtype, shape, seed=0):
    rng = np.random.default_rng([seed, zlib.crc32(dtype.encode())])
    d = np.dtype(dtype)
    if d.kind == "b":
        return rng.random(shape) < 0.5
    if d.kind in "iu":
        info = np.iinfo(d)
        return rng.integers(info.min, info.max, shape, dtype=d, endpoint=True)
    x = rng.standard_normal(shape)
    return (x + 1j * rng.standard_normal(shape)).astype(d) if d.kind == "c" else np.asarray(x).astype(d)


def assert_bits(ours, theirs):
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    assert ours.tobytes() == theirs.tobytes()


def writable(x):
    """Copies of x, each in the middle of other memory and in x's order of strides; (window, its surroundings)."""
    order = sorted(range(x.ndim), key=lambda d: -abs(x.strides[d]))
    room = np.zeros(tuple(x.shape[d] + 2 for d in order), x.dtype)
    window = room[(slice(1, -1),) * x.ndim].transpose(np.argsort(order))
    window[...] = x
    return window, room


def pairs(dtype, few=False):
    """Arrays of every shape and layout; `few`: every shape contiguous and in one of the others."""
    for i, shape in enumerate(SHAPES):
        names = ["contiguous", list(LAYOUTS)[1 + i % 4]] if few else LAYOUTS
        for name in names:
            yield LAYOUTS[name](sample(dtype, shape))


@pytest.mark.parametrize("dtype", MOVED)
def test_take(kernels, dtype):
    rng = np.random.default_rng(0)
    for x in pairs(dtype):
        for axis in range(-1, x.ndim):
            n = x.shape[axis]
            for shape in ((), (1,), (200,), (4, 5), (0,)):
                index = np.asarray(rng.integers(-n, n, shape))
                for i in (index, index.astype("i1"), (index % n).astype("u8"), index.T, np.broadcast_to(index, (3, *shape))):
                    assert_bits(gather.take(x, i, axis), np.take(x, i, axis))


@pytest.mark.parametrize("dtype", ["i1", "u2", "f4", "f8"])
def test_take_from_far_memory(monkeypatch, dtype):
    """Elements of operands larger than the caches are fetched ahead; made to happen at small sizes."""
    monkeypatch.setattr(gather, "last_level_cache", lambda: 1)
    monkeypatch.setattr(gather, "_takes", {})
    x = sample(dtype, (3000,))
    index = np.random.default_rng(0).integers(-3000, 3000, 20_001)
    assert_bits(gather.take(x, index), x[index])
    assert_bits(gather.take(x[::-1], index), x[::-1][index])
    with pytest.raises(IndexError, match="3000"):
        gather.take(x, np.append(index, 3000))


@pytest.mark.parametrize("dtype", MOVED)
def test_take_along_axis_and_put_along_axis(kernels, dtype):
    rng = np.random.default_rng(0)
    for x in pairs(dtype):
        for axis in range(x.ndim):
            n = x.shape[axis]
            index = rng.integers(-n, n, (*x.shape[:axis], 13, *x.shape[axis + 1 :]))
            assert_bits(gather.take_along_axis(x, index, axis), np.take_along_axis(x, index, axis))
            thin = index[:1] if axis else index
            assert_bits(gather.take_along_axis(x, thin, axis), np.take_along_axis(x, thin, axis))
            values = sample(dtype, index.shape, 1)
            (ours, room), (theirs, other) = writable(x), writable(x)
            scatter.put_along_axis(ours, index, values, axis)
            np.put_along_axis(theirs, index, values, axis)
            assert_bits(room, other)


@pytest.mark.parametrize("dtype", ADDED)
def test_gather_put_and_scatter_add(kernels, dtype, full):
    rng = np.random.default_rng(0)
    for x in pairs(dtype, not full):
        for count in range(1, x.ndim + 1):
            index = [rng.integers(-n, n, (20, 1) if d % 2 else (1, 6)) for d, n in enumerate(x.shape[:count])]
            theirs = x[tuple(index)]
            assert_bits(gather.gather(x, index), theirs)
            for values in (sample(dtype, theirs.shape, 1), sample(dtype, theirs.shape[-1:], 2), sample(dtype, (1,), 3)[0]):
                (ours, room), (expected, other) = writable(x), writable(x)
                scatter.put(ours, index, values)
                expected[tuple(index)] = values
                assert_bits(room, other)
                scatter.scatter_add(ours, index, values)
                np.add.at(expected, tuple(index), values)
                assert_bits(room, other)


def test_wide_rows_are_divided_among_threads_in_order(kernels):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 128))
    index = rng.integers(-300, 300, 5000)
    values = rng.standard_normal((5000, 128))
    ours, theirs = x.copy(), x.copy()
    scatter.scatter_add(ours, [index], values)
    np.add.at(theirs, index, values)
    assert_bits(ours, theirs)
    both = [index.reshape(50, 100) % 20, index.reshape(50, 100) % 15]
    cube, other = x.reshape(20, 15, 128).copy(), x.reshape(20, 15, 128).copy()
    scatter.put(cube, both, values.reshape(50, 100, 128))
    other[tuple(both)] = values.reshape(50, 100, 128)
    assert_bits(cube, other)


@pytest.mark.parametrize("wrong", [50, -51, 2**40])
def test_bounds_are_checked_before_anything_is_written(kernels, wrong):
    index = np.array([0, 1, wrong])
    for x in (np.zeros(50), np.zeros((50, 64)), np.zeros((50, 3))):
        for call in (gather.take, lambda x, i: gather.gather(x, [i])):
            with pytest.raises(IndexError, match=str(wrong)):
                call(x, index)
        for call in (scatter.put, scatter.scatter_add):
            with pytest.raises(IndexError, match=str(wrong)):
                call(x, [index], 7.0)
        assert not x.any()
    grid = np.zeros((50, 50))
    with pytest.raises(IndexError, match=str(wrong)):
        scatter.put(grid, [index, index * 0], 7.0)
    with pytest.raises(IndexError, match=str(wrong)):
        scatter.put_along_axis(grid, np.full((1, 50), wrong), 7.0, 0)
    with pytest.raises(IndexError):
        gather.take_along_axis(grid, np.full((1, 50), wrong), 0)
    assert not grid.any()
    with pytest.raises(IndexError, match="18446744073709551615"):
        gather.take(grid, np.array([2**64 - 1], np.uint64))
    with pytest.raises(IndexError, match="float64"):
        gather.take(grid, np.array([1.0]))
    with pytest.raises(IndexError):
        gather.take(np.zeros((0, 3)), np.array([0]))


def test_operands_that_share_memory(kernels):
    x = np.arange(60).reshape(6, 10)
    y = x.copy()
    rows = [np.array([1, 2, 3]), np.array([4, 5, 6])]
    scatter.put(x[:, ::-1], rows, x[0, :3])
    y[:, ::-1][tuple(rows)] = y[0, :3].copy()
    assert_bits(x, y)
    x = np.arange(40) % 7
    y = x.copy()
    scatter.scatter_add(x.reshape(8, 5), [x[:8] % 8, x[8:16] % 5], x[:8])
    np.add.at(y.reshape(8, 5), (y[:8].copy() % 8, y[8:16].copy() % 5), y[:8].copy())
    assert_bits(x, y)
    mask = np.arange(40) % 3 == 0
    both = mask.copy()
    select.mask_assign(mask, mask, ~mask[:14])
    both[both.copy()] = ~both[:14].copy()
    assert_bits(mask, both)


@pytest.mark.parametrize("dtype", ["?", "u2", "f4", "i8", "c16"])  # elements are moved as bytes: one dtype for each width
@pytest.mark.parametrize("density", [0.0, 0.1, 0.9, 1.0])
def test_masks(kernels, dtype, density):
    rng = np.random.default_rng(0)
    for shape in ((50,), (1, 9), (5, 6, 7), (20_000,), (300, 64), (9000, 3)):
        for layout in LAYOUTS.values():
            x = layout(sample(dtype, shape))
            for mask_layout in (layout, LAYOUTS["contiguous"], LAYOUTS["broadcast"]):
                mask = mask_layout(rng.random(shape) < density)
                if mask.shape != x.shape:
                    continue
                chosen = x[mask]
                assert_bits(select.mask_select(x, mask), chosen)
                assert select.count_nonzero(mask) == len(chosen)
                for ours, theirs in zip(select.nonzero(mask), np.nonzero(mask), strict=True):
                    assert_bits(ours, theirs)
                for values in (sample(dtype, chosen.shape, 1), sample(dtype, (1,), 2)[0]):
                    (ours, room), (theirs, other) = writable(x), writable(x)
                    select.mask_assign(ours, mask, values)
                    theirs[mask] = values
                    assert_bits(room, other)


def test_masks_of_leading_dimensions_and_nonzero_of_numbers(kernels):
    rng = np.random.default_rng(0)
    x = rng.integers(-1, 2, (40, 30, 8)).astype("f4")
    for mask in (rng.random(40) < 0.5, rng.random((40, 30)) < 0.5):
        assert_bits(select.mask_select(x, mask), x[mask])
        ours, theirs = x.copy(), x.copy()
        select.mask_assign(ours, mask, np.arange(8))
        theirs[mask] = np.arange(8)
        assert_bits(ours, theirs)
    for dtype in DTYPES:
        y = x.transpose(2, 0, 1).astype(dtype)
        for ours, theirs in zip(select.nonzero(y), np.nonzero(y), strict=True):
            assert_bits(ours, theirs)


def test_masks_that_do_not_fit(kernels):
    x = np.zeros((30, 40))
    mask = np.ones((30, 40), bool)
    for call in (select.mask_select, lambda x, m: select.mask_assign(x, m, 1.0)):
        with pytest.raises(IndexError, match=r"\(40, 30\)"):
            call(x, mask.T)
    with pytest.raises(ValueError, match="1200"):
        select.mask_assign(x, mask, np.ones(7))
    assert not x.any()


@pytest.mark.parametrize("dtype", ["?", "u2", "f4", "i8", "c16"])
def test_joins(dtype):
    for x in pairs(dtype):
        for axis in range(x.ndim):
            head = (slice(None),) * axis
            part, none = x[(*head, slice(0, 3))], x[(*head, slice(0, 0))]
            contiguous = [np.ascontiguousarray(x), np.ascontiguousarray(part)]
            for arrays in ([x, part, x], [x], [none, x], [none, none], contiguous, [x] * 20, [none, *contiguous] * 7):
                assert_bits(join.join(arrays, axis, x.dtype), np.concatenate(arrays, axis))
            mixed = [x, part.astype("f8") if x.dtype.kind != "c" else part.astype("c8")]
            for d in (np.dtype("c16"), np.result_type(*mixed)):
                assert_bits(join.join(mixed, axis, d), np.concatenate(mixed, axis, dtype=d))
            for times in (0, 1, 2, 3, 9, 20):
                assert_bits(join.repeat(x, times, axis), np.repeat(x, times, axis))


def test_joins_cut_rows_anywhere():
    """Chunks are bytes: they end within rows, pieces and elements."""
    for rows, widths in ((1, (300_001, 0, 70_000)), (3, (100_003, 33, 50_000)), (1000, (0, 333, 35, 0)), (7000, (32, 45))):
        parts = [sample("u1", (rows, n), n) for n in widths]
        assert_bits(join.join(parts, 1, np.dtype("u1")), np.concatenate(parts, 1))


@pytest.mark.parametrize("dtype", ["?", "i4", "f8", "c16"])
def test_a_million(dtype):
    rng = np.random.default_rng(0)
    x = sample(dtype, (1_000_000,))
    index = rng.integers(-1_000_000, 1_000_000, 1_000_000)
    mask = rng.random(1_000_000) < 0.3
    assert_bits(gather.take(x, index), x[index])
    assert_bits(gather.take(x.reshape(1000, 1000), index[:500] % 1000, 1), x.reshape(1000, 1000)[:, index[:500] % 1000])
    assert_bits(
        gather.gather(x.reshape(1000, 1000), [index % 1000, index[::-1] % 1000]), x.reshape(1000, 1000)[index % 1000, index[::-1] % 1000]
    )
    assert_bits(select.mask_select(x, mask), x[mask])
    assert_bits(join.join([x, x[:7], x], 0, x.dtype), np.concatenate([x, x[:7], x]))
    assert_bits(join.repeat(x, 3, 0), np.repeat(x, 3))
    ours, theirs = x.copy(), x.copy()
    select.mask_assign(ours, mask, x[: mask.sum()])
    theirs[mask] = x[: mask.sum()]
    assert_bits(ours, theirs)


def test_results_larger_than_the_caches_are_streamed():
    """Streaming stores have alignment rules of their own: odd sizes and offsets."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 32)).astype("f4")
    index = rng.integers(-1000, 1000, 450_000)
    assert_bits(gather.take(x, index), x[index])
    parts = [np.arange(n, dtype="u1") for n in (20_000_001, 63, 40_000_003)]
    assert_bits(join.join(parts, 0, np.dtype("u1")), np.concatenate(parts))


def test_more_than_2_31_elements():
    x = np.broadcast_to(np.arange(10.0), (1 << 30, 10))
    index = np.random.default_rng(0).integers(-(1 << 30), 1 << 30, 30_000)
    assert_bits(gather.take(x, index), np.broadcast_to(np.arange(10.0), (30_000, 10)).copy())
    column = index % 10
    assert_bits(gather.gather(x, [index, column]), column.astype(float))


def test_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 300))
    i, j = rng.integers(-300, 300, (2, 100_000))
    mask = x > 0

    def everything():
        added, put, assigned = x.copy(), x.copy(), x.copy()
        scatter.scatter_add(added, [i[:5000]], x[1])
        scatter.put(put, [i, j], np.arange(100_000.0))
        select.mask_assign(assigned, mask, x[mask][::-1])
        results = [
            added,
            put,
            assigned,
            gather.take(x, i[:5000]),
            gather.gather(x, [i, j]),
            select.mask_select(x, mask),
            *select.nonzero(mask),
        ]
        return [r.tobytes() for r in results]

    before = driver.get_num_threads()
    seen = []
    try:
        for threads in (1, 2, 3, 8):
            driver.set_num_threads(threads)
            seen.append(everything())
    finally:
        driver.set_num_threads(before)
    assert all(s == seen[0] for s in seen)
