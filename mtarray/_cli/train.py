"""`mtarray train NAME ...`: the trainers of `mtarray.examples`, imported when they are run."""

from __future__ import annotations

from ..examples import TRAINERS
from .group import Group

main = Group(
    "train",
    table=TRAINERS,
    package="mtarray.examples",
    help="Train one of these networks and watch it: progress, pictures, checkpoints. `mtarray train NAME --help` tells its options.",
)
