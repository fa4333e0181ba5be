"""mtarray: the Python array API standard on strided storage, with kernels from scalar Python functions.

>>> import mtarray as xp
>>> x = xp.linspace(0, 1, 3)
>>> x * x + 1
Array([1.  , 1.25, 2.  ], shape=(3,), dtype=float64, device='cpu')
"""

import sys as _sys
from math import e, inf, nan, pi

from . import _array, _ops
from ._array import Array
from ._config import config, strict
from ._devices import Device
# The dtypes are NumPy's scalar types: `x.dtype == xp.float32`, and `xp.float32(3)` makes a number, as NumPy users expect.
from numpy import (
    bool,
    complex64,
    complex128,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

from ._files import load, save
from .creation import *
from .data_type import *
from .data_type import __array_namespace_info__
from .elementwise import *
from .indexing import *
from .manipulation import *
from .searching import *
from .sets import *
from .sorting import *
from .statistical import *
from .utility import *

from . import _numpy_protocol  # noqa: I001  reads the registry, so after the declarations

newaxis = None

__version__ = "0.1.0"
__array_api_version__ = "2025.12"

_array.xp = _sys.modules[__name__]
_ops.ready()
