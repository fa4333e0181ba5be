"""Where the mathematical functions of scalar functions come from: `scalarlib` in kernels, its reference when uncompiled."""

import functools
import importlib
import math as _pymath

import numpy as np

SCALARLIB = "mtarray._kernels.scalarlib"
REFERENCE = "mtarray._kernels.scalarlib.reference"


@functools.lru_cache(maxsize=8)
def library(name):
    """The math module of generated code; None while it does not exist (Python's own serves then)."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith(name):
            raise
        return None


def has_function(name):
    return hasattr(_pymath, name) or name in getattr(library(SCALARLIB), "__dict__", ()) or hasattr(Reference(), name)


class Reference:
    """The mathematical functions of uncompiled kernels: those of `scalarlib.reference`, NumPy's under the same name else."""

    def __getattr__(self, name):
        for owner in (library(REFERENCE), np, _pymath):
            if owner is not None and callable(getattr(owner, name, None)):
                return getattr(owner, name)
        raise AttributeError(name)
