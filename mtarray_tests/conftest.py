"""How the suite runs: a fixed slice of the random tests every time, a rotating one when a seed is given, all of it in full mode.

python -m pytest                                             the fixed slice: the same examples in every run
MTARRAY_SEED=20260101 python -m pytest -m random --hypothesis-profile=rotating     another slice, chosen by the seed
python -m mtarray_tests.full                                 many examples, and the tests marked `slow`
"""

import os

# SciPy reads it once, at its first import, which may be any test's.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# JAX would otherwise look for accelerators, which takes seconds and warns.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import pytest
from hypothesis import HealthCheck, settings

# The first example of a test may compile kernels, so no deadline can hold.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
settings.register_profile("fixed", max_examples=60, derandomize=True, database=None, **_COMMON)
settings.register_profile("rotating", max_examples=40, **_COMMON)
settings.register_profile("full", max_examples=2000, **_COMMON)
settings.load_profile("rotating" if "MTARRAY_SEED" in os.environ else "fixed")


def pytest_configure(config: pytest.Config) -> None:
    """Let the seed of a rotating run choose Hypothesis' examples too, so that one number reproduces the run."""
    seed = os.environ.get("MTARRAY_SEED")
    if seed is not None and config.getoption("--hypothesis-seed", default=None) is None:
        config.option.hypothesis_seed = seed


def pytest_report_header() -> str:
    """What is needed to repeat a run."""
    return f"mtarray: MTARRAY_SEED={os.environ.get('MTARRAY_SEED', '0 (fixed slice)')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what draws its examples (by Hypothesis or from `seed`) as `random`, and skip `slow` tests unless they are asked for."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False) or "seed" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.random)
        if item.get_closest_marker("slow") and os.environ.get("MTARRAY_FULL") != "1":
            item.add_marker(pytest.mark.skip(reason="slow: run by python -m mtarray_tests.full"))


@pytest.fixture
def seed() -> int:
    """The number that random tests without Hypothesis start from: 0, or the rotating run's."""
    return int(os.environ.get("MTARRAY_SEED", "0"))


@pytest.fixture
def full() -> bool:
    """Whether the whole of a large suite is wanted, or its daily slice."""
    return os.environ.get("MTARRAY_FULL") == "1"
