"""Which cases of a large table run every day; the others are `slow`, and run in `python -m mtarray_tests.full`."""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def daily(cases: Iterable[Any], keep: Callable[[Any], bool]) -> list[Any]:
    """Parameters of a test: every case (a tuple: several arguments), `slow` where `keep` does not hold."""
    return [pytest.param(*(c if isinstance(c, tuple) else (c,)), marks=() if keep(c) else pytest.mark.slow) for c in cases]


def in_turn(cases: Iterable[Any], days: int = 3) -> list[Any]:
    """Parameters of a test: each case on one of so many days, `slow` on the others."""
    today = datetime.date.today().toordinal()
    numbered = list(enumerate(cases))
    return [pytest.param(c, marks=() if (i + today) % days == 0 else pytest.mark.slow) for i, c in numbered]
