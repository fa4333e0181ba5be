"""What a data set is, the ones made of arrays, and how they are divided."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np

import mtarray as xp
from mtarray import Array


@runtime_checkable
class Dataset(Protocol):
    """What a `DataLoader` takes: samples by number. Any class with `__len__` and `__getitem__` is one, a list too.

    A sample is an array, a number, a text, or a tuple, list or dict of such. A data set that can give many samples faster than one by one
    has `gather(indices)` besides, which returns the batch of the samples that an integer array names.
    """

    def __len__(self) -> int:
        """The number of samples."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """The sample of this number."""
        ...


def is_container(tree: Any) -> bool:
    """Whether columns stand inside: in a tuple (named ones too) or a dict. A list is data."""
    return isinstance(tree, (tuple, dict))


def is_columns(tree: Any) -> bool:
    """Whether `tree` is an array, or containers of nothing but arrays and lists."""
    if is_container(tree):
        inner = list(tree.values() if isinstance(tree, dict) else tree)
        return bool(inner) and all(isinstance(x, list) or is_columns(x) for x in inner)
    return isinstance(tree, (Array, np.ndarray))


def rebuild(container: Any, items: list[Any]) -> Any:
    """A container like this one with other items."""
    if isinstance(container, dict):
        return dict(zip(container, items))
    if hasattr(container, "_fields"):
        return type(container)(*items)
    return type(container)(items)


def _flatten(tree: Any, path: str) -> tuple[list[Array], list[str], Callable[[Iterator[Any]], Any]]:
    """The arrays inside, how each is reached, and what builds such a container of others."""
    if is_container(tree):
        keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
        parts = [_flatten(x, f"{path}[{k!r}]") for k, x in zip(keys, tree.values() if isinstance(tree, dict) else tree)]
        leaves = [leaf for part in parts for leaf in part[0]]
        names = [name for part in parts for name in part[1]]
        return leaves, names, lambda new: rebuild(tree, [part[2](new) for part in parts])
    try:
        return [xp.asarray(tree)], [path], next
    except (TypeError, ValueError) as error:
        raise TypeError(f"ArrayDataset: column{path} is no array: {error}") from None


class ArrayDataset:
    """Samples that are the rows of arrays: sample i has row i of each. Batches are gathered from the arrays at once.

    columns: arrays (also ndarrays, whose memory is shared, and lists of numbers) of one length. With several a sample is a tuple; with one
    it has that one's structure, which may be an array, or a tuple, named tuple or dict of arrays, nested. (PyTorch: `TensorDataset`.)
    ValueError where lengths differ.

    >>> import mtarray as xp
    >>> from mtarray import data
    >>> d = data.ArrayDataset({"image": xp.zeros((3, 8, 8)), "label": xp.arange(3)})
    >>> len(d), d[1]["image"].shape, int(d[1]["label"])
    (3, (8, 8), 1)
    >>> d.gather(xp.asarray([2, 0]))["label"]
    Array([2, 0], shape=(2,), dtype=int64, device='cpu')
    """

    def __init__(self, *columns: Any) -> None:
        if not columns:
            raise TypeError("ArrayDataset: at least one array is needed")
        self._arrays, self._names, self._build = _flatten(columns[0] if len(columns) == 1 else columns, "")
        for name, a in zip(self._names, self._arrays):
            if a.ndim == 0:
                raise ValueError(f"ArrayDataset: column{name} has no dimension to take samples from: its shape is ()")
        lengths = [a.shape[0] for a in self._arrays]
        if len(set(lengths)) != 1:
            told = ", ".join(f"{name or 'column'} {a.shape}" for name, a in zip(self._names, self._arrays))
            raise ValueError(f"ArrayDataset: all columns must have as many rows; their shapes are {told}")
        self._length = lengths[0]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Any:
        i = operator.index(index)
        if not -self._length <= i < self._length:
            raise IndexError(f"sample {i} of a data set of {self._length}")
        return self._build(iter([a[i] for a in self._arrays]))

    def gather(self, indices: Array) -> Any:
        """The samples that an integer array names, as one batch."""
        return self._build(iter([xp.take(a, indices.to_device(a.device), axis=0) for a in self._arrays]))

    @property
    def device(self) -> Any:
        """Where the first array is: an order of samples is best made there."""
        return self._arrays[0].device

    def span(self, start: int, stop: int) -> Any:
        """The samples from `start` to before `stop`, as one batch: a copy."""
        return self._build(iter([a[start:stop].copy() for a in self._arrays]))

    def __repr__(self) -> str:
        told = ", ".join(f"{name or 'rows'}: {a.dtype} {a.shape[1:]}" for name, a in zip(self._names, self._arrays))
        return f"ArrayDataset({self._length} samples of {told})"


class Subset:
    """The samples of a data set that `indices` names, in that order.

    >>> from mtarray import data
    >>> d = data.Subset(["a", "b", "c"], [2, 0])
    >>> len(d), d[0]
    (2, 'c')
    """

    def __init__(self, dataset: Any, indices: Any) -> None:
        chosen = xp.asarray(indices)
        if chosen.size == 0:
            chosen = chosen.astype(xp.int64)
        if chosen.ndim != 1 or not xp.isdtype(chosen.dtype, "integral"):
            raise TypeError(f"Subset: indices must be a sequence of integers, not of shape {chosen.shape} and dtype {chosen.dtype}")
        n = len(dataset)
        if chosen.size and not (-n <= int(chosen.min()) and int(chosen.max()) < n):
            raise IndexError(f"Subset: indices from {int(chosen.min())} to {int(chosen.max())} for a data set of {n} samples")
        self.dataset = dataset
        self.indices = chosen
        if hasattr(dataset, "gather"):
            self.gather = lambda which: dataset.gather(xp.take(chosen, which.to_device(chosen.device)))

    def __len__(self) -> int:
        return self.indices.shape[0]

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]


def train_test_split(*data: Any, test_size: float = 0.2, seed: int = 0, stratify: Any = None) -> list[Any]:
    """Divide arrays of one length, or data sets, at random into two parts: `x_train, x_test, y_train, y_test = train_test_split(x, y)`.

    data: arrays or lists (whose parts are arrays of the rows), or data sets (whose parts are `Subset`). The division is the same for all.
    test_size: the share of the second part, or as an int its number of rows. seed: the division follows from it.
    stratify: the class of each row; each class is divided in this ratio as nearly as whole rows allow.
    ValueError if lengths differ, a part would be empty, or `test_size` is not within the rows.

    >>> import mtarray as xp
    >>> from mtarray import data
    >>> y = xp.asarray([0] * 8 + [1] * 4)
    >>> train, test = data.train_test_split(y, test_size=0.25, stratify=y)
    >>> sorted(test.tolist()), train.size
    ([0, 0, 1], 9)
    """
    if not data:
        raise TypeError("train_test_split: nothing to divide")
    lengths = [len(d) for d in data]
    n = lengths[0]
    if len(set(lengths)) != 1:
        raise ValueError(f"train_test_split: all must have as many rows; they have {', '.join(map(str, lengths))}")
    count = test_size if isinstance(test_size, int) else round(test_size * n)
    if not 0 < count < n:
        raise ValueError(f"train_test_split: test_size={test_size} of {n} rows leaves a part empty")
    rng = xp.random.default_rng(seed)
    order = rng.permutation(n)
    if stratify is not None:
        classes = xp.asarray(stratify).to_device(order.device).reshape(-1)
        if classes.size != n:
            raise ValueError(f"train_test_split: stratify has {classes.size} classes for {n} rows")
        order = _interleave(order, classes[order], count)
    test, train = order[:count], order[count:]
    parts = []
    for d in data:
        for which in (train, test):
            parts.append(Subset(d, which) if not isinstance(d, (Array, np.ndarray, list)) else _rows(d, which))
    return parts


def _rows(data: Any, which: Array) -> Array:
    rows = xp.asarray(data)
    return xp.take(rows, which.to_device(rows.device), axis=0)


def _interleave(order: Array, classes: Array, count: int) -> Array:
    """`order`, rearranged so that its first `count` have each class by its share; what whole rows leave over goes by largest remainder."""
    n = order.size
    numbers = xp.unique_inverse(classes).inverse_indices
    sizes = xp.bincount(numbers)
    exact = sizes * count / n
    quota = xp.floor(exact).astype(xp.int64)
    rest = count - int(xp.sum(quota))
    if rest:
        largest = xp.argsort(quota - exact, stable=True)[:rest]
        quota[largest] += 1
    sorted_by_class = xp.argsort(numbers, stable=True)
    rank = xp.arange(n) - xp.repeat(xp.cumulative_sum(sizes) - sizes, sizes)  # within its class, in the order of `sorted_by_class`
    chosen = xp.zeros(n, dtype=xp.bool)
    chosen[sorted_by_class] = rank < xp.repeat(quota, sizes)
    return xp.concat([order[chosen], order[~chosen]])
