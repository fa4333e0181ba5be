"""Measuring one case for every peer: check first, then time them interleaved.

Rounds visit the peers in turn, each round starting with another one, so that a slow moment of the machine or a neighbour's
leftover cache meets all of them alike; the median of the rounds counts.
"""

import functools
import gc
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .peers import Peer
from .rows import MIDDLE, Case
from .training import LIBRARIES

# A sample must be long beside the clock's own cost and a scheduler tick's jitter.
SAMPLE_SECONDS = 1e-3
# A library's threads spin for milliseconds after its last call (OpenMP's about five) and hold up those of the library that comes next;
# so every sample starts with calls that are not counted, until those are asleep and its own are awake.
SETTLE_SECONDS = 6e-3


@dataclass
class Measurement:
    """Seconds per call by peer name (absent: not installed, or see `problems`)."""

    case: Case
    seconds: dict[str, float] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def ratio(self, *peers: str) -> float | None:
        """The fastest of the named peers' times over mtarray's: above 1, mtarray leads. None without both."""
        others = [self.seconds[name] for name in peers if name in self.seconds]
        if not others or "mtarray" not in self.seconds:
            return None
        return min(others) / self.seconds["mtarray"]

    @property
    def target_ratio(self) -> float | None:
        """The ratio that the bound speaks of: to every peer from 10^5 elements on, to PyTorch below and for derivatives."""
        return self.ratio("NumPy", "PyTorch", "JAX") if self.large and not self.derivative else self.ratio("PyTorch")

    @property
    def large(self) -> bool:
        return self.case.n >= MIDDLE // 2

    @property
    def derivative(self) -> bool:
        return self.case.row.by > 0

    @property
    def below(self) -> bool:
        """Whether the case misses its bound."""
        ratio = self.target_ratio
        return ratio is not None and not self.case.row.waits and ratio < self.case.row.bound


def check(got: np.ndarray, expected: np.ndarray, tolerance: float | None) -> None:
    """Raise AssertionError unless shapes agree and values do, within a tolerance relative to the largest expected element."""
    assert got.shape == expected.shape, f"shape {got.shape}, expected {expected.shape}"
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(got, expected)
        return
    if tolerance is None:
        tolerance = 2e-5 if expected.dtype in (np.float32, np.complex64) else 1e-11
    scale = float(np.max(np.abs(expected))) if expected.size else 0.0
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * scale)


def prepare(case: Case, peer: Peer, inputs: Sequence[np.ndarray]) -> Callable[[], Any]:
    """What is measured of a peer: a call without arguments."""
    if case.row.program is not None:
        return case.row.program(peer.name, *inputs)
    arrays = tuple(peer.from_numpy(x) for x in inputs)
    function = functools.partial(case.row.function, peer.xp)
    if not case.row.by:
        return peer.prepare(function, arrays, case.row.jit)
    assert peer.differentiate is not None
    return peer.differentiate(function, arrays, case.row.by)


def results(case: Case, peer: Peer, result: Any) -> list[np.ndarray]:
    """What a call returned as ndarrays: one, or a loss and its gradients."""
    if case.row.program is not None:
        return [np.asarray(result())]
    found = [peer.to_numpy(x) for x in ((result[0], *result[1]) if case.row.by else (result,))]
    return [np.sort(x) for x in found] if case.row.unordered else found


def _loop(call: Callable[[], Any], repeats: int) -> float:
    """Seconds per call. Results are dropped at once, as in a chain of operations, so that memory can be used again."""
    end = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < end:
        call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def measure(case: Case, peers: Sequence[Peer], seconds: float, min_rounds: int = 5, max_rounds: int = 25) -> Measurement:
    """Check every peer's result against NumPy's, gradients against PyTorch's, then time all of them within about `seconds`."""
    result = Measurement(case)
    if case.row.program is not None:
        peers = [peer for peer in peers if peer.name in LIBRARIES]
    elif case.row.by:
        peers = [peer for peer in peers if peer.differentiate is not None]
    else:
        peers = [peer for peer in peers if not peer.only_derivatives]
    inputs = case.row.inputs(np.random.default_rng(12345), case.n)
    # Warnings of a peer about its own deprecations are not what is measured; a peer that raises has no time.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            expected = [np.asarray(case.row.function(np, *inputs))]
            expected = [np.sort(x) for x in expected] if case.row.unordered else expected
            calls = {}
            for peer in peers:
                try:
                    call = prepare(case, peer, inputs)
                    got = results(case, peer, call())
                    for x, y in zip(got, expected, strict=False):
                        check(x, y, case.row.tolerance)
                except Exception as problem:
                    result.problems[peer.name] = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0] if str(problem) else ''}"
                else:
                    calls[peer.name] = call
                    expected += got[len(expected) :]  # NumPy has the loss; its gradients are those of the first peer that has any
            _time(result, calls, seconds, min_rounds, max_rounds)
    return result


def _time(result: Measurement, calls: dict[str, Callable[[], Any]], seconds: float, min_rounds: int, max_rounds: int) -> None:
    names = list(calls)
    repeats = {}
    once = 0.0
    for name in names:
        calls[name]()
        guess = _loop(calls[name], 1)
        if guess < SAMPLE_SECONDS:  # the first calls of a short function are its slowest
            guess = _loop(calls[name], 20)
        repeats[name] = max(1, round(SAMPLE_SECONDS / guess))
        once += guess * repeats[name] + max(guess, SETTLE_SECONDS)
    rounds = max(min_rounds, min(max_rounds, int(seconds / once))) if once else 0
    samples: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for r in range(rounds):
            for name in names[r % len(names) :] + names[: r % len(names)]:
                samples[name].append(_loop(calls[name], repeats[name]))
    finally:
        if collecting:
            gc.enable()
    result.seconds = {name: statistics.median(values) for name, values in samples.items()}
