"""mtarray: the Python array API standard on strided storage, with kernels from scalar Python functions.

>>> import mtarray as xp
>>> x = xp.linspace(0, 1, 3)
>>> x * x + 1
Array([1.  , 1.25, 2.  ], shape=(3,), dtype=float64, device='cpu')
"""

import functools as _functools
import importlib as _importlib
import sys as _sys
import typing as _typing
from math import e, inf, nan, pi

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

from . import _array, _array_methods, _ops, diagnostics, fft, linalg, random
from . import _flat as _flat
from . import _numpy_protocol as _numpy_protocol
from . import _selection as _selection
from ._array import Array
from ._config import config, strict
from ._devices import Device, set_default_device
from ._files import load, save
from .creation import (
    arange,
    array,
    asarray,
    astype,
    broadcast_arrays,
    broadcast_shapes,
    broadcast_to,
    copy,
    empty,
    empty_like,
    eye,
    from_dlpack,
    frombuffer,
    full,
    full_like,
    linspace,
    meshgrid,
    ones,
    ones_like,
    tril,
    triu,
    zeros,
    zeros_like,
)
from .data_type import (
    __array_namespace_info__,
    can_cast,
    finfo,
    iinfo,
    iscomplexobj,
    isdtype,
    isscalar,
    result_type,
)
from .diagnostics import show_config
from .elementwise import (
    abs,
    acos,
    acosh,
    add,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
    ceil,
    clip,
    conj,
    copysign,
    cos,
    cosh,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    hypot,
    imag,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    not_equal,
    positive,
    pow,
    real,
    reciprocal,
    remainder,
    round,
    sign,
    signbit,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    trunc,
)
from .indexing import (
    take,
    take_along_axis,
)
from .linalg import matmul, tensordot, vecdot
from .manipulation import (
    concat,
    expand_dims,
    flip,
    matrix_transpose,
    moveaxis,
    permute_dims,
    repeat,
    reshape,
    roll,
    squeeze,
    stack,
    tile,
    unstack,
)
from .numpy_names import (
    absolute,
    allclose,
    amax,
    amin,
    angle,
    append,
    apply_along_axis,
    apply_over_axes,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    argpartition,
    argwhere,
    around,
    array_equal,
    array_equiv,
    array_split,
    asanyarray,
    ascontiguousarray,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    average,
    bincount,
    bitwise_count,
    bitwise_not,
    block,
    cbrt,
    choose,
    column_stack,
    compress,
    concatenate,
    conjugate,
    convolve,
    copyto,
    corrcoef,
    correlate,
    cov,
    cross,
    cumprod,
    cumsum,
    deg2rad,
    degrees,
    delete,
    diag,
    diag_indices,
    diag_indices_from,
    diagflat,
    diagonal,
    digitize,
    divmod,
    dot,
    dsplit,
    dstack,
    ediff1d,
    einsum,
    einsum_path,
    exp2,
    extract,
    fabs,
    fill_diagonal,
    fix,
    flatnonzero,
    fliplr,
    flipud,
    float_power,
    fmax,
    fmin,
    fmod,
    frexp,
    fromfunction,
    gcd,
    geomspace,
    gradient,
    heaviside,
    histogram,
    histogram2d,
    histogram_bin_edges,
    histogramdd,
    hsplit,
    hstack,
    identity,
    indices,
    inner,
    insert,
    interp,
    intersect1d,
    invert,
    isclose,
    iscomplex,
    isneginf,
    isposinf,
    isreal,
    isrealobj,
    ix_,
    kron,
    lcm,
    ldexp,
    left_shift,
    lexsort,
    logaddexp2,
    logspace,
    mask_indices,
    matvec,
    may_share_memory,
    median,
    mod,
    modf,
    nan_to_num,
    nanargmax,
    nanargmin,
    nancumprod,
    nancumsum,
    nanmax,
    nanmean,
    nanmedian,
    nanmin,
    nanpercentile,
    nanprod,
    nanquantile,
    nanstd,
    nansum,
    nanvar,
    ndim,
    outer,
    pad,
    partition,
    percentile,
    piecewise,
    place,
    polyfit,
    polyval,
    power,
    ptp,
    put,
    put_along_axis,
    putmask,
    quantile,
    rad2deg,
    radians,
    ravel,
    ravel_multi_index,
    real_if_close,
    resize,
    right_shift,
    rint,
    rollaxis,
    rot90,
    select,
    setdiff1d,
    setxor1d,
    shape,
    shares_memory,
    sinc,
    size,
    spacing,
    split,
    swapaxes,
    trace,
    transpose,
    trapezoid,
    tri,
    tril_indices,
    tril_indices_from,
    triu_indices,
    triu_indices_from,
    true_divide,
    union1d,
    unique,
    unravel_index,
    unwrap,
    vander,
    vdot,
    vecmat,
    vsplit,
    vstack,
)
from .searching import (
    argmax,
    argmin,
    count_nonzero,
    nonzero,
    searchsorted,
    where,
)
from .sets import (
    UniqueAll,
    UniqueCounts,
    UniqueInverse,
    isin,
    unique_all,
    unique_counts,
    unique_inverse,
    unique_values,
)
from .sorting import (
    argsort,
    sort,
)
from .statistical import (
    cumulative_prod,
    cumulative_sum,
    max,
    mean,
    min,
    prod,
    std,
    sum,
    var,
)
from .utility import (
    all,
    any,
    diff,
)

# These decorators declare ops of users' own. `elementwise` covers the section of that name, whose functions are all here.
elementwise = _ops.elementwise
reduction = _ops.reduction
scan = _ops.scan

newaxis = None

if _typing.TYPE_CHECKING:
    from . import autodiff as autodiff
    from . import convolution as convolution
    from . import cuda as cuda
    from . import data as data
    from . import nn as nn
    from . import normalization as normalization
    from . import recurrence as recurrence
    from . import special as special
    from .autodiff import grad as grad
    from .autodiff import value_and_grad as value_and_grad
else:

    def __getattr__(name):
        # Imported when first asked for: together they would be a fifth of the import's time.
        if name in ("autodiff", "convolution", "cuda", "data", "nn", "normalization", "recurrence", "special"):
            return _importlib.import_module(f"mtarray.{name}")
        if name in ("grad", "value_and_grad"):
            return getattr(_importlib.import_module("mtarray.autodiff"), name)
        hint = _importlib.import_module("mtarray._hints").function(name, _sys.modules[__name__])
        raise AttributeError(f"module 'mtarray' has no attribute {name!r}{hint}")


__version__ = "0.1.0"
__array_api_version__ = "2025.12"

_array.xp = _array_methods.xp = _sys.modules[__name__]
_array.imperative = _functools.cache(lambda: _importlib.import_module("mtarray.autodiff.imperative"))
_ops.derivative_source = lambda op: _importlib.import_module("mtarray.autodiff.deriving").source_of(op)
_ops.ready()

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "all", "allclose", "amax", "amin", "angle", "any", "append", "apply_along_axis",
    "apply_over_axes", "arange", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin",
    "argpartition", "argsort", "argwhere", "around", "Array", "array", "array_equal", "array_equiv", "array_split", "asanyarray",
    "asarray", "ascontiguousarray", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d", "atleast_3d",
    "average", "bincount", "bitwise_and", "bitwise_count", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "block", "bool", "broadcast_arrays", "broadcast_shapes", "broadcast_to", "can_cast", "cbrt",
    "ceil", "choose", "clip", "column_stack", "complex128", "complex64", "compress", "concat", "concatenate", "config", "conj",
    "conjugate", "convolve", "copy", "copysign", "copyto", "corrcoef", "correlate", "cos", "cosh", "count_nonzero", "cov", "cross",
    "cumprod", "cumsum", "cumulative_prod", "cumulative_sum", "deg2rad", "degrees", "delete", "Device", "diag", "diag_indices",
    "diag_indices_from", "diagflat", "diagnostics", "diagonal", "diff", "digitize", "divide", "divmod", "dot", "dsplit", "dstack", "e",
    "ediff1d", "einsum", "einsum_path", "elementwise", "empty", "empty_like", "equal", "exp", "exp2", "expand_dims", "expm1", "extract",
    "eye", "fabs", "fft", "fill_diagonal", "finfo", "fix", "flatnonzero", "flip", "fliplr", "flipud", "float32", "float64", "float_power",
    "floor", "floor_divide", "fmax", "fmin", "fmod", "frexp", "from_dlpack", "frombuffer", "fromfunction", "full", "full_like", "gcd",
    "geomspace", "gradient", "greater", "greater_equal", "heaviside", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd",
    "hsplit", "hstack", "hypot", "identity", "iinfo", "imag", "indices", "inf", "inner", "insert", "int16", "int32", "int64", "int8",
    "interp", "intersect1d", "invert", "isclose", "iscomplex", "iscomplexobj", "isdtype", "isfinite", "isin", "isinf", "isnan",
    "isneginf", "isposinf", "isreal", "isrealobj", "isscalar", "ix_", "kron", "lcm", "ldexp", "left_shift", "less", "less_equal",
    "lexsort", "linalg", "linspace", "load", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "logical_and", "logical_not",
    "logical_or", "logical_xor", "logspace", "mask_indices", "matmul", "matrix_transpose", "matvec", "max", "maximum", "may_share_memory",
    "mean", "median", "meshgrid", "min", "minimum", "mod", "modf", "moveaxis", "multiply", "nan", "nan_to_num", "nanargmax", "nanargmin",
    "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum",
    "nanvar", "ndim", "negative", "newaxis", "nextafter", "nonzero", "not_equal", "ones", "ones_like", "outer", "pad", "partition",
    "percentile", "permute_dims", "pi", "piecewise", "place", "polyfit", "polyval", "positive", "pow", "power", "prod", "ptp", "put",
    "put_along_axis", "putmask", "quantile", "rad2deg", "radians", "random", "ravel", "ravel_multi_index", "real", "real_if_close",
    "reciprocal", "reduction", "remainder", "repeat", "reshape", "resize", "result_type", "right_shift", "rint", "roll", "rollaxis",
    "rot90", "round", "save", "scan", "searchsorted", "select", "set_default_device", "setdiff1d", "setxor1d", "shape",
    "shares_memory", "show_config", "sign", "signbit", "sin", "sinc", "sinh", "size", "sort", "spacing", "split", "sqrt", "square",
    "squeeze", "stack", "std", "strict",
    "subtract", "sum", "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "transpose", "trapezoid",
    "tri", "tril", "tril_indices", "tril_indices_from", "triu", "triu_indices", "triu_indices_from", "true_divide", "trunc", "uint16",
    "uint32", "uint64", "uint8", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values", "UniqueAll",
    "UniqueCounts", "UniqueInverse", "unravel_index", "unstack", "unwrap", "vander", "var", "vdot", "vecdot", "vecmat", "vsplit",
    "vstack", "where", "zeros", "zeros_like", "__array_api_version__", "__array_namespace_info__", "__version__",
]  # fmt: skip
