"""The generator of layers: initial values, and what dropout leaves out. One for all threads, until one replays a run of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..autodiff import custom
from ..random import Generator


class _Local(threading.local):
    replayed: Generator | None = None


_common = Generator(device="cpu")
_local = _Local()


def default_generator() -> Generator:
    """The generator that layers and `nn.init` draw from unless they are given one. Its `state` may be kept and set again.

    Layers draw where their arrays are, `default_generator().to_device(x.device)`: the same numbers on every device.

    >>> from mtarray import nn
    >>> state = nn.default_generator().state
    >>> x = nn.default_generator().random()
    >>> nn.default_generator().state = state
    >>> x == nn.default_generator().random()
    True
    """
    return _local.replayed or _common


def manual_seed(seed: int) -> Generator:
    """Start the generator of layers anew from a seed, a non-negative integer; returns it.

    >>> from mtarray import nn
    >>> a = nn.Linear(2, 3) if nn.manual_seed(0) else None
    >>> b = nn.Linear(2, 3) if nn.manual_seed(0) else None
    >>> bool((a.weight == b.weight).all())
    True
    """
    generator = default_generator()
    generator.state = Generator(seed, "cpu").state
    return generator


def _replay() -> Callable[[], Any]:
    """What makes a context in which this thread draws the numbers that the generator of layers gives from now on; other threads go on."""
    state = default_generator().state

    @contextmanager
    def again() -> Iterator[None]:
        before = _local.replayed
        _local.replayed = Generator(0, "cpu")
        _local.replayed.state = state
        try:
            yield
        finally:
            _local.replayed = before

    return again


custom.replay = _replay
