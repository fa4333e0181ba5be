"""`DataLoader`: batches of a data set, in an order that follows from a seed, made ahead by threads if wanted."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from numbers import Number
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import Array

from .._hints import unbuilt
from .datasets import ArrayDataset, is_columns, rebuild


def collate(samples: list[Any]) -> Any:
    """One batch of a list of samples: arrays (of other libraries too) are stacked, numbers become an array, and containers are walked.

    Texts (and bytes) stay lists. Tuples, named tuples, lists and dicts of all samples must be alike. ValueError where shapes differ,
    TypeError for what has no batch.

    >>> from mtarray import data
    >>> data.collate([{"x": 1.5, "name": "a"}, {"x": 2.5, "name": "b"}])
    {'x': Array([1.5, 2.5], shape=(2,), dtype=float64, device='cpu'), 'name': ['a', 'b']}
    """
    return _collate(samples, "")


def _collate(samples: list[Any], path: str) -> Any:
    first = samples[0]
    if isinstance(first, (Array, np.ndarray, np.generic)) or hasattr(first, "__dlpack__"):
        arrays = [xp.asarray(s) for s in samples]
        for i, a in enumerate(arrays):
            if a.shape != arrays[0].shape:
                raise ValueError(
                    f"collate: the samples{path} of a batch must have one shape; the first has {arrays[0].shape}, number {i} of the batch "
                    f"{a.shape}. Bring them to one shape, or give DataLoader a collate_fn"
                )
        return xp.stack(arrays)
    if isinstance(first, (str, bytes)):
        return samples
    if isinstance(first, Number):
        return xp.asarray(samples)
    if isinstance(first, dict):
        for i, s in enumerate(samples):
            if not isinstance(s, dict) or s.keys() != first.keys():
                told: Any = list(s) if isinstance(s, dict) else f"is of type {type(s).__name__}"
                raise ValueError(f"collate: the first sample{path} has the keys {list(first)}, number {i} of the batch {told}")
        return rebuild(first, [_collate([s[k] for s in samples], f"{path}[{k!r}]") for k in first])
    if isinstance(first, (tuple, list)):
        for i, s in enumerate(samples):
            if not isinstance(s, (tuple, list)) or len(s) != len(first):
                told = len(s) if isinstance(s, (tuple, list)) else f"is of type {type(s).__name__}"
                raise ValueError(f"collate: the first sample{path} has {len(first)} items, number {i} of the batch {told}")
        return rebuild(first, [_collate(list(column), f"{path}[{i}]") for i, column in enumerate(zip(*samples))])
    raise TypeError(f"collate: no batch can be made of samples{path} of type {type(first).__name__}; give DataLoader a collate_fn")


_NO_LOADER = {
    "sampler": "order the data set itself (`ArrayDataset` takes rows of arrays), or shuffle by `seed`",
    "batch_sampler": "order the data set itself, or shuffle by `seed`",
    "generator": "the order follows from `seed`",
    "worker_init_fn": "workers are threads of this process",
    "multiprocessing_context": "workers are threads of this process",
    "timeout": "workers are threads of this process",
    "persistent_workers": "workers are threads, which cost nothing to start",
    "pin_memory": "leave it out",
    "pin_memory_device": "leave it out",
}


class DataLoader:
    """Goes through a data set in batches, once for each `for` loop.

    dataset: a `Dataset`; or an array, or a tuple or dict of arrays of one length, whose rows are the samples (as `ArrayDataset` has them).
    batch_size: samples in a batch; the last batch may have fewer, and is left out with `drop_last`.
    shuffle: whether each epoch has an order of its own. It follows from `seed` and the epoch's number alone.
    num_workers: threads that make batches ahead, `prefetch_factor` each; batches come in the same order as without. Worth it where samples
    are read from files; rows of arrays are gathered faster than a thread is asked. An error in a worker reaches the loop, and leaving the
    loop early ends the threads.
    collate_fn: makes a batch of a list of samples, by default `collate`.

    The names are those of PyTorch's loader, with `seed` in place of its generators, and the number of the epoch in place of their state:
    `state_dict` holds it and the position in the epoch, so a run goes on exactly where it stopped.

    >>> import mtarray as xp
    >>> from mtarray import data
    >>> loader = data.DataLoader((xp.arange(10), xp.arange(10) % 2), batch_size=4, shuffle=True, seed=3)
    >>> len(loader), loader.epoch
    (3, 0)
    >>> first = [x.tolist() for x, y in loader]
    >>> second = [x.tolist() for x, y in loader]
    >>> first == second, loader.epoch
    (False, 2)
    >>> loader.set_epoch(0)
    >>> [x.tolist() for x, y in loader] == first
    True
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool = False,
        *,
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        prefetch_factor: int = 2,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        **others: Any,
    ) -> None:
        unbuilt("DataLoader", others, _NO_LOADER)
        if is_columns(dataset) and collate_fn is None:
            dataset = ArrayDataset(dataset)
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: a data set has __len__ and __getitem__; this {type(dataset).__name__} has not. Arrays go in as they are: "
                "DataLoader((x, y), ...)"
            )
        self.dataset = dataset
        self.batch_size = _at_least(1, "batch_size", batch_size)
        self.shuffle = shuffle
        self.seed = _at_least(0, "seed", seed)
        self.drop_last = drop_last
        self.num_workers = _at_least(0, "num_workers", num_workers)
        self.prefetch_factor = _at_least(1, "prefetch_factor", prefetch_factor)
        self.collate_fn = collate_fn
        self._epoch = self._batch = 0  # of the batch that comes next
        self._exact = True  # whether the next loop begins there

    @property
    def epoch(self) -> int:
        """The number of the epoch that is being gone through; outside of a loop, of the next."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Let the next loop go through this epoch, from its beginning."""
        self._epoch, self._batch, self._exact = _at_least(0, "epoch", epoch), 0, True

    def state_dict(self) -> dict[str, int]:
        """The seed, the epoch, and how many of its batches have been handed out.

        From a state that was taken with the last batch of an epoch, what is left of that epoch is a loop without batches.
        """
        return {"seed": self.seed, "epoch": self._epoch, "batch": self._batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Let the next loop begin with the batch that would have come next where `state_dict` was called."""
        try:
            seed, epoch, batch = (_at_least(0, k, state[k]) for k in ("seed", "epoch", "batch"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"DataLoader: the state must be a dict with 'seed', 'epoch' and 'batch', got {state!r:.120}") from error
        if batch > len(self):
            raise ValueError(f"DataLoader: the state is at batch {batch} of an epoch, and an epoch has {len(self)}: of another data set?")
        self.seed, self._epoch, self._batch, self._exact = seed, epoch, batch, True

    def __len__(self) -> int:
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if not self._exact:  # the rest of an epoch was left
            self._epoch, self._batch = self._epoch + 1, 0
        return self._batches(self._epoch, self._batch)

    def _batches(self, epoch: int, start: int) -> Iterator[Any]:
        n, size, count = len(self.dataset), self.batch_size, len(self)
        where = getattr(self.dataset, "device", "cpu")
        order = xp.random.default_rng([self.seed, epoch], device=where).permutation(n) if self.shuffle else None
        load = self._loader(order)
        spans = ((b * size, min((b + 1) * size, n)) for b in range(start, count))
        made = (load(*span) for span in spans) if self.num_workers == 0 else self._ahead(load, spans)
        try:
            for number, batch in enumerate(made, start + 1):
                self._epoch, self._batch, self._exact = epoch, number, False
                yield batch
            self._epoch, self._batch, self._exact = epoch + 1, 0, True
        finally:
            made.close()

    def _loader(self, order: Array | None) -> Callable[[int, int], Any]:
        """What makes the batch of the samples from one place of the order to another."""
        dataset = self.dataset
        if self.collate_fn is None:
            if order is None and isinstance(dataset, ArrayDataset):
                return dataset.span
            gather = getattr(dataset, "gather", None)
            if gather is not None:
                every = xp.arange(len(dataset), device=getattr(dataset, "device", "cpu")) if order is None else order
                return lambda start, stop: gather(every[start:stop])
        put_together = self.collate_fn or collate

        def load(start: int, stop: int) -> Any:
            samples = []
            for i in range(start, stop) if order is None else order[start:stop].tolist():
                try:
                    samples.append(dataset[i])
                except Exception as error:
                    error.add_note(f"while DataLoader read sample {i} of the data set")
                    raise
            return put_together(samples)

        return load

    def _ahead(self, load: Callable[[int, int], Any], spans: Iterator[tuple[int, int]]) -> Generator[Any]:
        """The batches in their order, made by threads that are a few ahead."""
        waiting: deque[Future[Any]] = deque()
        pool = ThreadPoolExecutor(self.num_workers, "mtarray-loader")
        try:
            for start, stop in spans:
                waiting.append(pool.submit(copy_context().run, load, start, stop))
                if len(waiting) > self.num_workers * self.prefetch_factor:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _at_least(least: int, name: str, value: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"DataLoader: {name}={value!r} must be an integer") from None
    if number < least:
        raise ValueError(f"DataLoader: {name}={number} must be at least {least}")
    return number
