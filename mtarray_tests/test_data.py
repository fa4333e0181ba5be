"""Data sets, readers and the loader."""

import gzip
import importlib.util
import threading
import time
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import mtarray as xp
from mtarray import data

# --- point sets -------------------------------------------------------------------------------------------------------------

RULES = {
    "simple": lambda a, b: a < 0.5,
    "diag": lambda a, b: a + b < 0.5,
    "split": lambda a, b: a < 0.2 or a > 0.8,
    "xor": lambda a, b: (a < 0.5) != (b < 0.5),
    "circle": lambda a, b: (a - 0.5) ** 2 + (b - 0.5) ** 2 > 0.1,
}


@pytest.mark.parametrize("name", RULES)
def test_points_follow_their_rule(name: str) -> None:
    x, y = data.points(name, 300, seed=5, dtype=xp.float64)
    assert x.shape == (300, 2)
    assert y.shape == (300, 1)
    assert [bool(c) for (c,) in y.tolist()] == [RULES[name](a, b) for a, b in x.tolist()]
    assert 0 < float(y.mean()) < 1
    assert float(x.min()) >= 0
    assert float(x.max()) < 1


def test_spiral_is_the_known_one() -> None:
    x, y = data.points("spiral", 50, dtype=xp.float64)
    t = 10 * (np.arange(5, 30) / 25)
    arms = [np.stack([t * np.cos(t), t * np.sin(t)], 1) / 20 + 0.5, np.stack([t * np.sin(t), -t * np.cos(t)], 1) / 20 + 0.5]
    for c, arm in enumerate(arms):
        found = np.asarray(x)[np.asarray(y)[:, 0] == c]
        np.testing.assert_allclose(np.sort(found, 0), np.sort(arm, 0), atol=1e-14)
    order = np.asarray(y)[:, 0]
    assert not np.array_equal(order, np.sort(order))


@pytest.mark.parametrize("name", data.POINT_SETS)
def test_points_are_seeded(name: str) -> None:
    (a, _), (b, _), (c, _) = data.points(name, 20, seed=1), data.points(name, 20, seed=1), data.points(name, 20, seed=2)
    assert a.dtype == xp.float32
    assert bool(xp.all(a == b))
    assert not bool(xp.all(a == c))
    assert [data.points(name, n)[0].shape for n in (1, 2, 3)] == [(1, 2), (2, 2), (3, 2)]


def test_points_refuse() -> None:
    with pytest.raises(ValueError, match=r"'moons'; there are simple, diag, split, xor, circle, spiral"):
        data.points("moons")
    with pytest.raises(ValueError, match="n=0"):
        data.points("xor", 0)


# --- data sets --------------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    x: Any
    y: Any


def test_array_dataset_keeps_structure() -> None:
    x, y = xp.reshape(xp.arange(12), (6, 2)), xp.arange(6)
    named = data.ArrayDataset(Pair(x, {"label": y, "pair": (y, [0, 1, 2, 3, 4, 5])}))
    assert len(named) == 6
    sample = named[-1]
    assert isinstance(sample, Pair)
    assert sample.x.tolist() == [10, 11]
    assert int(sample.y["pair"][1]) == 5
    batch = named.gather(xp.asarray([4, 0]))
    assert batch.y["label"].tolist() == [4, 0]
    assert batch.y["pair"][1].tolist() == [4, 0]
    with pytest.raises(IndexError, match="sample 6 of a data set of 6"):
        named[6]


def test_array_dataset_refuses() -> None:
    with pytest.raises(ValueError, match=r"\[0\] \(3,\), \[1\] \(4, 2\)"):
        data.ArrayDataset(xp.zeros(3), xp.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"column\['a'\] has no dimension"):
        data.ArrayDataset({"a": xp.asarray(1.0)})
    with pytest.raises(TypeError, match=r"column\[1\] is no array"):
        data.ArrayDataset(xp.zeros(2), ["a", "b"])
    with pytest.raises(TypeError, match="at least one"):
        data.ArrayDataset()


def test_subset() -> None:
    d = data.ArrayDataset(xp.arange(10) * 10)
    s = data.Subset(d, [7, 1, -1])
    assert [int(s[i]) for i in range(3)] == [70, 10, 90]
    assert s.gather(xp.asarray([2, 0])).tolist() == [90, 70]
    assert len(data.Subset(d, [])) == 0
    with pytest.raises(IndexError, match="10 for a data set of 10"):
        data.Subset(d, [10])
    with pytest.raises(TypeError, match="integers"):
        data.Subset(d, [0.5])
    assert not hasattr(data.Subset(["a"], [0]), "gather")


@pytest.mark.parametrize("test_size", [0.25, 10])
def test_split_divides(test_size: float) -> None:
    x = xp.arange(40)
    y = [i % 3 for i in range(40)]
    x_train, x_test, y_train, y_test = data.train_test_split(x, y, test_size=test_size, seed=4)
    assert x_test.shape == (10,)
    assert sorted(x_train.tolist() + x_test.tolist()) == list(range(40))
    assert y_test.tolist() == [i % 3 for i in x_test.tolist()]
    assert y_train.tolist() == [i % 3 for i in x_train.tolist()]
    again = data.train_test_split(x, test_size=test_size, seed=4)
    assert again[1].tolist() == x_test.tolist()
    assert data.train_test_split(x, test_size=test_size, seed=5)[1].tolist() != x_test.tolist()


def test_split_stratified() -> None:
    y = xp.asarray([0] * 60 + [1] * 30 + [2] * 11)
    d = [str(i) for i in range(101)]
    subset_train, subset_test, y_train, y_test = data.train_test_split(data.ArrayDataset(y), y, test_size=20, seed=1, stratify=y)
    assert [int(xp.sum(y_test == c)) for c in range(3)] == [12, 6, 2]
    assert [int(subset_test[i]) for i in range(20)] == y_test.tolist()
    assert len(subset_train) == y_train.size == 81
    assert len(d) == 101
    letters = ["b", "a"] * 10
    train, test = data.train_test_split(xp.arange(20), test_size=0.5, stratify=xp.asarray([len(c) + (c == "a") for c in letters]))
    assert int(xp.sum(test % 2)) == 5
    assert train.size == 10


def test_split_refuses() -> None:
    with pytest.raises(ValueError, match="3, 4"):
        data.train_test_split(xp.zeros(3), xp.zeros(4))
    with pytest.raises(ValueError, match="leaves a part empty"):
        data.train_test_split(xp.zeros(3), test_size=0.0)
    with pytest.raises(ValueError, match="leaves a part empty"):
        data.train_test_split(xp.zeros(3), test_size=3)
    with pytest.raises(ValueError, match="2 classes for 3 rows"):
        data.train_test_split(xp.zeros(3), stratify=[0, 1])


# --- the loader -------------------------------------------------------------------------------------------------------------


class Slow:
    """Squares that take a while, as samples with a name; `bad` cannot be read."""

    def __init__(self, n: int, bad: int | None = None, delay: float = 0.0) -> None:
        self.n, self.bad, self.delay = n, bad, delay
        self.read: list[int] = []

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, i: int) -> Any:
        self.read.append(i)
        if i == self.bad:
            raise OSError("no such sample")
        time.sleep(self.delay * (i % 3))
        return {"x": xp.full((2,), i), "square": i * i, "name": f"s{i}"}


def _loader_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("mtarray-loader")]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [1, 4, 5, 20, 30])
def test_batches_cover_the_rows(size: int, drop_last: bool) -> None:
    x = xp.reshape(xp.arange(40), (20, 2))
    loader = data.DataLoader((x, {"y": np.arange(20)}), batch_size=size, drop_last=drop_last)
    batches = list(loader)
    assert len(batches) == len(loader) == (20 // size if drop_last else -(-20 // size))
    kept = 20 // size * size if drop_last else 20
    assert [v for xb, _ in batches for v in xb.tolist()] == x.tolist()[:kept]
    assert [v for _, yb in batches for v in yb["y"].tolist()] == list(range(kept))


def test_batches_are_copies() -> None:
    x = xp.zeros((6, 2))
    for shuffle in (False, True):
        for batch in data.DataLoader(x, batch_size=2, shuffle=shuffle):
            batch += 1
    assert float(xp.sum(x)) == 0
    assert list(data.DataLoader(xp.zeros((0, 3)), batch_size=2, shuffle=True)) == []


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("kind", ["rows", "samples"])
def test_order_follows_from_seed_and_epoch(workers: int, kind: str) -> None:
    source: Any = xp.arange(23) if kind == "rows" else list(range(23))

    def loader(seed: int = 7) -> data.DataLoader:
        return data.DataLoader(source, batch_size=5, shuffle=True, seed=seed, num_workers=workers)

    one = loader()
    epochs = [[b.tolist() for b in one] for _ in range(3)]
    assert all(sorted(chain.from_iterable(e)) == list(range(23)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    other = loader()
    other.set_epoch(2)
    assert [b.tolist() for b in other] == epochs[2]
    assert [b.tolist() for b in loader(8)] != epochs[0]

    # A run that stops anywhere goes on with the very next batch.
    whole = list(chain.from_iterable(epochs))
    for stop in range(1, len(whole)):
        first, seen = loader(), []
        while len(seen) < stop:
            for batch in first:
                seen.append(batch.tolist())
                state = first.state_dict()
                if len(seen) == stop:
                    break
        then = loader(seed=0)
        then.load_state_dict(state)
        rest = [[b.tolist() for b in then] for _ in range(then.epoch, 3)]
        assert seen + list(chain.from_iterable(rest)) == whole, stop
        assert len(rest[0]) == 4 - (stop - 1) % 5, "the rest of the epoch comes first, be it empty"


def test_loop_left_early_ends_the_epoch() -> None:
    loader = data.DataLoader(xp.arange(6), batch_size=2)
    for _ in loader:
        break
    assert loader.epoch == 0
    seen = [(loader.epoch, b.tolist()) for b in loader]
    assert seen == [(1, [0, 1]), (1, [2, 3]), (1, [4, 5])]
    assert loader.epoch == 2


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_keep_the_order(workers: int) -> None:
    source = Slow(40, delay=0.001)
    batches = list(data.DataLoader(source, batch_size=3, num_workers=workers))
    assert [b["square"].tolist() for b in batches] == [[i * i for i in range(s, min(s + 3, 40))] for s in range(0, 40, 3)]
    assert batches[1]["name"] == ["s3", "s4", "s5"]
    assert batches[1]["x"].tolist() == [[3, 3], [4, 4], [5, 5]]
    assert _loader_threads() == []


def test_workers_are_only_a_few_ahead() -> None:
    source = Slow(1000)
    batches = iter(data.DataLoader(source, batch_size=1, num_workers=2, prefetch_factor=3))
    next(batches)
    time.sleep(0.05)
    assert len(source.read) <= 1 + 2 * 3
    batches.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("workers", [0, 3])
def test_errors_reach_the_loop(workers: int) -> None:
    batches = iter(data.DataLoader(Slow(20, bad=9), batch_size=2, num_workers=workers))
    assert [next(batches)["square"].tolist() for _ in range(4)][-1] == [36, 49]
    with pytest.raises(OSError, match="no such sample") as caught:
        next(batches)
    assert caught.value.__notes__ == ["while DataLoader read sample 9 of the data set"]
    assert _loader_threads() == []


def test_leaving_early_leaves_no_threads() -> None:
    for batch in data.DataLoader(Slow(100, delay=0.002), batch_size=2, num_workers=4):
        assert batch["square"].tolist() == [0, 1]
        break
    assert _loader_threads() == []
    try:
        for _ in data.DataLoader(Slow(100), batch_size=2, num_workers=4):
            raise KeyError
    except KeyError:
        pass
    assert _loader_threads() == []


def test_collate_walks_containers() -> None:
    batch = data.collate([Pair(i, [xp.full((2,), i), (float(i), True)]) for i in range(3)])
    assert isinstance(batch, Pair)
    assert batch.x.dtype == xp.int64
    assert batch.y[0].shape == (3, 2)
    assert batch.y[1][0].dtype == xp.float64
    assert batch.y[1][1].dtype == xp.bool
    assert data.collate([np.float32(1.5), np.float32(2)]).dtype == xp.float32
    with pytest.raises(ValueError, match=r"samples\['a'\].*\(2,\), number 1 of the batch \(3,\)"):
        data.collate([{"a": xp.zeros(2)}, {"a": xp.zeros(3)}])
    with pytest.raises(ValueError, match="keys"):
        data.collate([{"a": 1}, {"b": 1}])
    with pytest.raises(ValueError, match="2 items, number 1 of the batch 1"):
        data.collate([(1, 2), (1,)])
    with pytest.raises(TypeError, match="NoneType"):
        data.collate([None, None])


def test_collate_fn() -> None:
    loader = data.DataLoader(xp.arange(4), batch_size=2, collate_fn=lambda samples: [int(s) for s in samples])
    assert list(loader) == [[0, 1], [2, 3]]


def test_gather_of_a_data_set_is_asked() -> None:
    class Squares:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, i: int) -> Any:
            raise AssertionError("one by one")

        def gather(self, indices: xp.Array) -> Any:
            return indices**2

    assert isinstance(Squares(), data.Dataset)
    assert [b.tolist() for b in data.DataLoader(Squares(), batch_size=3)] == [[0, 1, 4], [9, 16]]
    subset = data.Subset(Squares(), [4, 3])
    assert [b.tolist() for b in data.DataLoader(subset, batch_size=3)] == [[16, 9]]


def test_loader_refuses() -> None:
    with pytest.raises(ValueError, match="batch_size=0"):
        data.DataLoader(xp.zeros(3), batch_size=0)
    with pytest.raises(TypeError, match=r"batch_size=1\.5"):
        data.DataLoader(xp.zeros(3), batch_size=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="num_workers=-1"):
        data.DataLoader(xp.zeros(3), num_workers=-1)
    with pytest.raises(TypeError, match="__len__ and __getitem__"):
        data.DataLoader(iter([1]))
    with pytest.raises(ValueError, match=r"\[0\] \(3,\), \[1\] \(2,\)"):
        data.DataLoader((xp.zeros(3), xp.zeros(2)))
    loader = data.DataLoader(xp.zeros(3))
    with pytest.raises(ValueError, match="'seed', 'epoch' and 'batch'"):
        loader.load_state_dict({"epoch": 1})
    with pytest.raises(ValueError, match="of another data set"):
        loader.load_state_dict({"seed": 0, "epoch": 1, "batch": 4})


# --- readers ----------------------------------------------------------------------------------------------------------------


def _write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_csv(tmp_path: Path) -> None:
    text = '\ufeffname, a ,b\r\n"x, y",1,2.5\r\n\r\n"two\nlines",-3e2,nan\r\n'
    for path in (_write(tmp_path, text), _write(tmp_path, gzip.compress(text.encode()), "t.csv.gz")):
        table = data.read_csv(path, text=["name"])
        assert list(table) == ["name", "a", "b"]
        assert table["name"] == ["x, y", "two\nlines"]
        assert table["a"].tolist() == [1, -300]
        assert np.isnan(float(table["b"][1]))
        assert data.read_csv(path, ["b", "a"], dtype="float32")["b"].dtype == xp.float32
    bare = data.read_csv(_write(tmp_path, "1;2\n3;4\n"), header=False, delimiter=";", dtype=xp.int64)
    assert bare[1].tolist() == [2, 4]
    filled = data.read_csv(_write(tmp_path, "a,b\n1,\n,2\n"), missing=0)
    assert [v.tolist() for v in filled.values()] == [[1, 0], [0, 2]]
    assert data.read_csv(_write(tmp_path, "a,b\n"))["a"].shape == (0,)


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("a,b\n1,2\n3,x\n", {}, r"t\.csv, line 3, column 'b': 'x' is no number"),
        ('a,b\n"1\n",2\n3,x\n', {}, r"t\.csv, line 4, column 'b': 'x' is no number"),
        ("a,b\n1,2\n3,\n", {}, r"line 3, column 'b': the field is empty"),
        ("a,b\n1,2_0\n", {}, r"line 2, column 'b': '2_0' is no number"),
        ("a,b\n1,2.5\n", {"dtype": xp.int64}, r"line 2, column 'b': '2.5' is no integer"),
        ("a,b\n1,300\n", {"dtype": xp.uint8}, r"column 'b': a value is out of bounds for uint8"),
        ("a,b\n1,2,3\n", {}, r"line 2: 3 fields, but 2 columns"),
        ("a,b\n1\n", {}, r"line 2: 1 field, but 2 columns"),
        ("a,b\n1,2\n", {"columns": ["a", "c"]}, r"there is no column 'c'; there are 'a', 'b'"),
        ("a,a\n1,2\n", {}, r"line 1: two columns are named 'a'"),
        ("", {}, r"the file is empty"),
        ('a,b\n1,"2\n', {}, r"t\.csv, line 2"),
        (b"a,b\n1,2\n\xff,3\n", {}, r"t\.csv, line 3: this is not text in UTF-8"),
        (b"\x1f\x8b\x08broken", {}, r"t\.csv: damaged gzip file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0)[:-4], {}, r"t\.csv: damaged gzip file"),
    ],
)
def test_csv_refuses(tmp_path: Path, text: str | bytes, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        data.read_csv(_write(tmp_path, text), **options)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (data.read_csv, data.read_tsv, data.read_npz, data.read_idx, data.mnist, data.ImageFolder):
        with pytest.raises(FileNotFoundError, match="lacking"):
            read(tmp_path / "lacking")


def test_tsv(tmp_path: Path) -> None:
    table = data.read_tsv(_write(tmp_path, 'good\t"quoted" \u2028 text\r\n\nbad\t\n'))
    assert table == {"label": ["good", "bad"], "text": ['"quoted" \u2028 text', ""]}
    with pytest.raises(ValueError, match=r"line 2: 1 field between tabs, expected label, text"):
        data.read_tsv(_write(tmp_path, "a\tb\nc\n"))
    with pytest.raises(ValueError, match="empty"):
        data.read_tsv(_write(tmp_path, "\n"))


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), y=np.ones(2, np.float32))
    assert {k: v.dtype for k, v in data.read_npz(path).items()} == {"x": xp.int64, "y": xp.float32}
    with pytest.raises(ValueError, match="there is no array 'z'; there are 'x', 'y'"):
        data.read_npz(path, ["z"])
    with pytest.raises(ValueError, match=r"a\.npz"):
        data.read_npz(_write(tmp_path, b"PK\x03\x04broken", "a.npz"))
    np.save(tmp_path / "one.npy", np.arange(3))
    with pytest.raises(ValueError, match="one array without a name"):
        data.read_npz(tmp_path / "one.npy")


def _idx(values: np.ndarray) -> bytes:
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[values.dtype.str[1:]]
    return (
        bytes([0, 0, code, values.ndim])
        + b"".join(n.to_bytes(4, "big") for n in values.shape)
        + values.astype(values.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx(tmp_path: Path, dtype: str) -> None:
    values = np.arange(-6, 18).reshape(2, 3, 4).astype(dtype)
    for content in (_idx(values), gzip.compress(_idx(values))):
        found = data.read_idx(_write(tmp_path, content))
        assert found.dtype == dtype
        np.testing.assert_array_equal(np.asarray(found), values)
        found += 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG....", "begins with 89 50 4e 47"),
        (bytes([0, 0, 8, 2, 0, 0]), "ends within its header"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), r"shape \(3,\) of uint8, 3 bytes; 2 follow it"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), r"1 bytes; 2 follow it"),
    ],
)
def test_idx_refuses(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        data.read_idx(_write(tmp_path, content))


def test_mnist(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    _write(tmp_path, gzip.compress(_idx(images)), "train-images-idx3-ubyte.gz")
    _write(tmp_path, _idx(labels), "train-labels.idx1-ubyte")
    np.savez(tmp_path / "m.npz", x_train=images, y_train=labels)
    for path in (tmp_path, tmp_path / "m.npz"):
        x, y = data.mnist(path)
        assert (x.shape, x.dtype, y.dtype) == ((5, 1, 28, 28), xp.float32, xp.int64)
        np.testing.assert_array_equal(np.asarray(x)[:, 0], images.astype(np.float32) / 255)
        assert y.tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte"):
        data.mnist(tmp_path, train=False)
    with pytest.raises(ValueError, match="no array 'x_test'"):
        data.mnist(tmp_path / "m.npz", train=False)
    _write(tmp_path, _idx(labels[:4]), "train-labels.idx1-ubyte")
    with pytest.raises(ValueError, match=r"\(5, 28, 28\) and \(4,\)"):
        data.mnist(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed")
def test_digits() -> None:
    x, y = data.digits()
    assert (x.shape, x.dtype, y.dtype) == ((1797, 1, 8, 8), xp.float32, xp.int64)
    assert (float(x.min()), float(x.max())) == (0, 1)
    assert xp.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


@pytest.mark.skipif(importlib.util.find_spec("PIL") is None, reason="pillow is not installed")
def test_image_folder(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    pictures = {"cat/1.png": (4, 6, 3), "cat/deep/2.PNG": (4, 6, 3), "ant/3.png": (4, 6), "ant/4.bmp": (8, 8, 3)}
    for name, shape in pictures.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / name)
    _write(tmp_path, "no image", "cat/notes.txt")
    folder = data.ImageFolder(tmp_path)
    assert folder.classes == ["ant", "cat"]
    assert folder.targets == [0, 0, 1, 1]
    x, label = folder[2]
    assert label == 1
    assert x.shape == (3, 4, 6)
    assert x.dtype == xp.float32
    np.testing.assert_array_equal(np.asarray(x), np.asarray(Image.open(tmp_path / "cat/1.png")).transpose(2, 0, 1).astype(np.float32) / 255)
    grey = data.ImageFolder(tmp_path, size=(5, 7), mode="L", dtype=xp.float64)
    images, labels = next(iter(data.DataLoader(grey, batch_size=4, num_workers=2)))
    assert (images.shape, images.dtype, labels.tolist()) == ((4, 1, 5, 7), xp.float64, [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"one shape; the first has \(3, 4, 6\), number 1 of the batch \(3, 8, 8\)"):
        list(data.DataLoader(folder, batch_size=4))
    _write(tmp_path, "no image", "cat/broken.png")
    with pytest.raises(ValueError, match=r"broken\.png: this image cannot be read"):
        list(data.DataLoader(data.ImageFolder(tmp_path), batch_size=1, num_workers=2))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="has no images in subfolders"):
        data.ImageFolder(tmp_path / "empty")
    with pytest.raises(ValueError, match="mode='rgb'"):
        data.ImageFolder(tmp_path, mode="rgb")


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib

    real = importlib.import_module

    def lacking(name: str, package: str | None = None) -> Any:
        if name.split(".")[0] in ("sklearn", "PIL"):
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(ImportError, match=r"digits needs scikit-learn: pip install 'mtarray\[examples\]'"):
        data.digits()
    with pytest.raises(ImportError, match=r"ImageFolder needs pillow: pip install 'mtarray\[examples\]'"):
        data.ImageFolder(tmp_path)
