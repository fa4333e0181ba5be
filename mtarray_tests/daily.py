"""Which cases of a large table run every day; the others are `slow`, and run in `python -m mtarray_tests.full`."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def daily(cases: Iterable[Any], keep: Callable[[Any], bool]) -> list[Any]:
    """Parameters of a test: every case (a tuple: several arguments), `slow` where `keep` does not hold."""
    return [pytest.param(*(c if isinstance(c, tuple) else (c,)), marks=() if keep(c) else pytest.mark.slow) for c in cases]
