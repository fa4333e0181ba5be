"""The state of a random number generator: a key, a counter, and where its children's seeds come from."""

from __future__ import annotations

import operator
import threading
from typing import Any, Self

import numpy as np

from ._array import Array
from ._devices import CPU, Device
from ._devices import device as as_device

_MASK64 = (1 << 64) - 1
_MASK128 = (1 << 128) - 1
_BITS = "Philox4x32-10"


class Stream:
    """Key and counter of Philox4x32-10, advanced under a lock."""

    __slots__ = ("__weakref__", "_counter", "_device", "_key", "_lock", "_seed_seq", "_source")

    def __init__(self, seed: Any = None, device: Any = None) -> None:
        self._device = as_device(device, "default_rng: device")
        if not hasattr(seed, "generate_state"):
            if isinstance(seed, Array):
                seed = seed.tolist()
            try:
                seed = np.random.SeedSequence(seed)
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f"seed={seed!r:.80} must be None, a non-negative integer, a sequence of them or a SeedSequence ({error})"
                ) from None
        words = seed.generate_state(3, np.uint32)
        self._seed_seq = seed
        self._key = int(words[0]) | int(words[1]) << 32
        self._counter = int(words[2]) << 96
        self._lock = threading.Lock()
        self._source: Stream | None = None  # which has the key and the counter, if not this one

    # ------------------------------------------------------------------ state

    @property
    def state(self) -> dict[str, Any]:
        """The state as a dictionary: "bit_generator", "key" (below 2**64) and "counter" (below 2**128); setting it restores it.

        The counter's low 64 bits count blocks, the top 32 name the stream; the 32 between are 0.

        >>> import mtarray as xp
        >>> rng = xp.random.default_rng(3)
        >>> state = rng.state
        >>> x = rng.random()
        >>> rng.state = state
        >>> rng.random() == x
        True
        """
        source = self._source or self
        with source._lock:
            return {"bit_generator": _BITS, "key": source._key, "counter": source._counter}

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        try:
            bits, key, counter = state["bit_generator"], operator.index(state["key"]), operator.index(state["counter"])
        except (TypeError, KeyError) as error:
            raise TypeError(f"state must be a dictionary with 'bit_generator', 'key' and 'counter', got {state!r:.120}") from error
        if bits != _BITS:
            raise ValueError(f"state is of the bit generator {bits!r}, this one is {_BITS!r}")
        if not (0 <= key <= _MASK64 and 0 <= counter <= _MASK128):
            raise ValueError(f"state: key={key} must be in [0, 2**64) and counter={counter} in [0, 2**128)")
        source = self._source or self
        with source._lock:
            source._key, source._counter = key, counter

    @property
    def device(self) -> Device:
        """Where its numbers are made and live."""
        return self._device

    def to_device(self, device: Any, /) -> Self:
        """The generator that goes on with this one's numbers on `device`: both have one state. Itself if it is there already.

        >>> import mtarray as xp
        >>> rng = xp.random.default_rng(3)
        >>> rng.to_device("cpu") is rng
        True
        """
        to = as_device(device, "to_device: device")
        if to is self._device:
            return self
        other = object.__new__(type(self))
        other._seed_seq, other._device, other._source = self._seed_seq, to, self._source or self
        return other

    def __getstate__(self) -> tuple[dict[str, Any], Any, Device]:
        return self.state, self._seed_seq, self._device

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._lock = threading.Lock()
        self._source = None
        self._seed_seq = state[1]
        self._device = state[2] if len(state) > 2 else CPU  # pickled before there were devices
        self.state = state[0]

    def __reduce__(self) -> Any:
        return object.__new__, (type(self),), self.__getstate__()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_BITS})" if self._device is CPU else f"{type(self).__name__}({_BITS} on {self._device.name!r})"

    def spawn(self, n_children: int) -> list[Self]:
        """Independent generators, by NumPy's `SeedSequence.spawn`; each call gives new ones. TypeError if the seed cannot spawn."""
        if not hasattr(self._seed_seq, "spawn"):
            raise TypeError(f"the seed of this generator, a {type(self._seed_seq).__name__}, has no method spawn")
        return [type(self)(s, self._device) for s in self._seed_seq.spawn(n_children)]

    def jumped(self, jumps: int = 1) -> Self:
        """A copy whose counter is `jumps` * 2**96 further on: streams of 2**64 blocks that never overlap, for up to 2**32 jumps."""
        other = object.__new__(type(self))
        other.__setstate__(self.__getstate__())
        other._counter = (other._counter + (operator.index(jumps) << 96)) & _MASK128
        return other

    def _take(self, blocks: int) -> tuple[int, int]:
        """Key and counter for a call that uses so many blocks; the next call starts behind them."""
        source = self._source or self
        with source._lock:
            start = source._counter
            low = (start & _MASK64) + blocks
            # a stream ends after 2**64 blocks; the next one begins rather than that the number of the retry changes
            stream = (start >> 96) + (low >> 64)
            source._counter = (stream << 96 | (start >> 64 & 0xFFFFFFFF) << 64 | low & _MASK64) & _MASK128
            return source._key, start
