"""The generated modules of kernels, as text for people."""

from .. import build
from . import layout, reduce, scan
from .combine import as_combine
from .elementwise import kernel_for
from .templates import choose_types

_SIZE = 1 << 12  # elements of the contiguous arrays whose kernel is shown


def elementwise(scalar, ins, outs):
    """The kernel of a Scalar that computes in the dtypes `ins` and gives `outs`, for contiguous arrays of these dtypes."""
    sizes = tuple([d.itemsize for d in (*outs, *ins)])
    walk = layout.plan((_SIZE,), tuple([(n,) for n in sizes]), sizes, len(outs))
    made = kernel_for(scalar, ins, outs)
    kernels = made._kernels or made._make()
    return build.source_of(kernels._kernel(ins, outs, walk, kernels._store(walk, len(outs), False))[0])


def fold(scalar, kind, dtype):
    """The kernel of a "reduction" or "scan" with a Scalar that combines in `dtype`, for contiguous rows."""
    combine = as_combine(scalar)
    types = choose_types(combine.kind, dtype, dtype, dtype)
    if kind == "reduction":
        return build.source_of(reduce._kernel(combine, types, "rows", True, 0))
    return build.source_of(scan._kernel(combine, types, "rows", True))
