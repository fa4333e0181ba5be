"""Arguments of convolutions and poolings: what they mean for given shapes, worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import index
from typing import Any, NamedTuple

from .._array import Array
from .._config import is_strict
from .._dtypes import NUMERIC, promote, standard_promotion
from .._operands import lift, names
from ..creation import astype
from ._plain import Geometry, Spans

Size = int | Sequence[int]

_KEPT = 4096  # sets of arguments that are remembered
_LETTERS = {1: "(channels, length)", 2: "(channels, height, width)"}


def numeric(x: Any, where: str, name: str) -> Array:
    """An operand as an array of numbers."""
    x = lift(x, f"{where}: {name}")
    if x.dtype not in NUMERIC:
        raise TypeError(f"{where}: {name} has dtype {x.dtype}; convolution and pooling are of numbers: {names(NUMERIC)}")
    return x


def same_dtype(where: str, *arrays: Array) -> list[Array]:
    """The operands in their common dtype."""
    d = arrays[0].dtype
    if all(x.dtype is d for x in arrays):
        return list(arrays)
    if is_strict() and not all(standard_promotion(d, x.dtype) for x in arrays):
        raise TypeError(f"{where}: the standard does not define the promotion of {', '.join(str(x.dtype) for x in arrays)} (strict mode)")
    d = promote(*[x.dtype for x in arrays])
    return [x if x.dtype is d else astype(x, d) for x in arrays]


def hashable(x: Any) -> Any:
    """Lists as tuples, so that arguments can be looked up."""
    return tuple(x) if x.__class__ is list else x


def numbers(value: Any, dims: int, where: str, name: str, least: int) -> tuple[int, ...]:
    """An argument that is an int for all dimensions, or one for each."""
    given = (value,) * dims if not isinstance(value, (tuple, list)) else tuple(value) * (dims if len(value) == 1 else 1)
    if len(given) != dims:
        raise ValueError(f"{where}: {name} must be an int or {dims} of them, got {value!r}")
    made = []
    for n in given:
        if isinstance(n, bool):
            raise TypeError(f"{where}: {name} must be an int or {dims} of them, got {value!r}")
        try:
            n = index(n)
        except TypeError:
            raise TypeError(f"{where}: {name} must be an int or {dims} of them, got {value!r}") from None
        if n < least:
            raise ValueError(f"{where}: {name} must be at least {least}, got {value!r}")
        made.append(n)
    return tuple(made)


def check_images(shape: tuple[int, ...], dims: int, where: str) -> bool:
    """Whether the images are a batch; ValueError for a shape that is neither a batch nor one image."""
    if len(shape) not in (dims + 1, dims + 2):
        batch = _LETTERS[dims].replace("(", "(batch, ")
        raise ValueError(f"{where}: input must have the shape {batch} or {_LETTERS[dims]}, it has {shape}")
    return len(shape) == dims + 2


def _flat(values: tuple[int, ...], unit: int) -> tuple[int, int]:
    """Two numbers, down and across: one dimension is the last of two, of which the first has length 1."""
    return (unit, values[0]) if len(values) == 1 else (values[0], values[1])


def _check_weights(x: tuple[int, ...], w: tuple[int, ...], b: Any, dims: int, groups: Any, where: str, transposed: bool) -> int:
    """The number of groups; errors for weights and biases that do not fit the images."""
    (groups,) = numbers(groups, 1, where, "groups", 1)
    first = "(in_channels, out_channels / groups" if transposed else "(out_channels, in_channels / groups"
    of_group = _LETTERS[dims].replace("(channels", first)
    if len(w) != dims + 2:
        raise ValueError(f"{where}: weight must have the shape {of_group}, it has {w}")
    if 0 in w:
        raise ValueError(f"{where}: weight of shape {w} has no elements")
    channels = x[-dims - 1]
    if transposed:
        if channels != w[0]:
            raise ValueError(f"{where}: input of shape {x} has {channels} channels, weight of shape {w} takes {w[0]}")
        if channels % groups:
            raise ValueError(f"{where}: the {channels} channels of input, shape {x}, do not divide into {groups} groups")
        filters = w[1] * groups
    else:
        if channels != w[1] * groups:
            times = f" in each of {groups} groups" if groups > 1 else ""
            raise ValueError(f"{where}: input of shape {x} has {channels} channels, weight of shape {w} takes {w[1]}{times}")
        if w[0] % groups:
            raise ValueError(f"{where}: the {w[0]} filters of weight, shape {w}, do not divide into {groups} groups")
        filters = w[0]
    if b is not None and b != (filters,):
        raise ValueError(f"{where}: bias must have the shape ({filters},), one number for each output channel; it has {b}")
    return groups


class Convolution(NamedTuple):
    """batched: whether the images are a batch. static: the parameters of the engine op."""

    batched: bool
    static: dict[str, Any]


@lru_cache(_KEPT, typed=True)
def convolution(where: str, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: Any) -> Convolution:
    """The parameters of a convolution of images of shape x by weights of shape w."""
    dims = int(where[-2])
    batched = check_images(x, dims, where)
    groups = _check_weights(x, w, b, dims, groups, where, transposed=False)
    stride, dilation = numbers(stride, dims, where, "stride", 1), numbers(dilation, dims, where, "dilation", 1)
    kernel, size = w[2:], x[-dims:]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(f"{where}: padding must be 'same', 'valid' or numbers, got {padding!r}")
        if padding == "same" and stride != (1,) * dims:
            raise ValueError(f"{where}: padding='same' keeps the shape, which a stride of {stride} does not; give the padding in numbers")
        both = [span - 1 if padding == "same" else 0 for span in spans]
        before = tuple([n // 2 for n in both])
    else:
        before = numbers(padding, dims, where, "padding", 0)
        both = [2 * n for n in before]
    out = []
    for n, p, span, s in zip(size, both, spans, stride):
        if n + p < span:
            raise ValueError(
                f"{where}: the kernel is larger than the input: weight of shape {w} with dilation {dilation} covers {tuple(spans)}, "
                f"input of shape {x} with padding {tuple(both)} has {tuple([a + b for a, b in zip(size, both)])}"
            )
        out.append((n + p - span) // s + 1)
    geometry = Geometry(_flat(stride, 1), _flat(before, 0), _flat(dilation, 1), groups)
    return Convolution(batched, {"geometry": geometry, "out": _flat(tuple(out), 1)})


@lru_cache(_KEPT, typed=True)
def transposed(where: str, x: Any, w: Any, b: Any, stride: Any, padding: Any, extra: Any, groups: Any, dilation: Any) -> Convolution:
    """The parameters of a transposed convolution of images of shape x by weights of shape w."""
    dims = int(where[-2])
    batched = check_images(x, dims, where)
    groups = _check_weights(x, w, b, dims, groups, where, transposed=True)
    stride, dilation = numbers(stride, dims, where, "stride", 1), numbers(dilation, dims, where, "dilation", 1)
    before, extra = numbers(padding, dims, where, "padding", 0), numbers(extra, dims, where, "output_padding", 0)
    for e, s, d in zip(extra, stride, dilation):
        if e >= max(s, d):
            raise ValueError(f"{where}: output_padding {extra} must be smaller than the stride {stride} or the dilation {dilation}")
    size = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in zip(x[-dims:], stride, before, dilation, w[2:], extra)]
    if min(size) < 1 or min(x[-dims:]) < 1:
        given = f"input of shape {x}, weight of shape {w}, padding {before}"
        raise ValueError(f"{where}: nothing is left of the output: {given} give {tuple(size)}")
    geometry = Geometry(_flat(stride, 1), _flat(before, 0), _flat(dilation, 1), groups)
    return Convolution(batched, {"geometry": geometry, "size": _flat(tuple(size), 1)})


# ---------------------------------------------------------------------- pooling


class Windows(NamedTuple):
    """The windows of a pooling.

    kernel, geometry: where all lie. inside: those of the image's positions that they have. covered: of each window along each axis how
    many positions it has, the padding's counted too, but not what lies beyond it.
    """

    batched: bool
    kernel: tuple[int, int]
    geometry: Geometry
    inside: tuple[Spans, Spans]
    covered: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def out(self) -> tuple[int, int]:
        return len(self.inside[0].first), len(self.inside[1].first)


@lru_cache(_KEPT, typed=True)
def windows(where: str, x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any) -> Windows:
    """The windows of a pooling of images of shape x."""
    dims = int(where[-2])
    batched = check_images(x, dims, where)
    kernel = numbers(kernel, dims, where, "kernel_size", 1)
    stride = kernel if stride is None or stride == () else numbers(stride, dims, where, "stride", 1)
    padding, dilation = numbers(padding, dims, where, "padding", 0), numbers(dilation, dims, where, "dilation", 1)
    size = x[-dims:]
    spans, covered = [], []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation):
        span = d * (k - 1) + 1
        if 2 * p > span:
            raise ValueError(f"{where}: padding {padding} must be at most half of the kernel, which covers {span} (kernel_size {kernel})")
        if n < 1 or n + 2 * p < span:
            raise ValueError(
                f"{where}: the kernel is larger than the input: kernel_size {kernel} with dilation {dilation} covers {span} along an axis "
                f"of {n} with padding {p}; input has shape {x}"
            )
        out = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (out - 1) * s >= n + p:  # it would begin in the padding after the image
            out -= 1
        starts = [i * s - p for i in range(out)]
        first = [i if i >= 0 else i + -(i // d) * d for i in starts]
        count = [len(range(f, min(i + span, n), d)) for i, f in zip(starts, first)]
        if min(count) < 1:
            raise ValueError(f"{where}: a window of kernel_size {kernel} with dilation {dilation} has only padding; input has shape {x}")
        spans.append(Spans(tuple(first), tuple(count), d, s, -p))
        covered.append(tuple([min(i + k, n + p) - i for i in starts]))
    if dims == 1:
        spans.insert(0, Spans((0,), (1,), 1))
        covered.insert(0, (1,))
    geometry = Geometry(_flat(stride, 1), _flat(padding, 0), _flat(dilation, 1), 1)
    return Windows(batched, _flat(kernel, 1), geometry, (spans[0], spans[1]), (covered[0], covered[1]))


@lru_cache(_KEPT, typed=True)
def adaptive(where: str, x: Any, wanted: Any) -> tuple[bool, tuple[Spans, Spans]]:
    """Whether the images are a batch, and the windows that cut each axis into so many parts, which overlap by one where they must."""
    dims = int(where[-2])
    batched = check_images(x, dims, where)
    size = x[-dims:]
    given = (wanted,) * dims if not isinstance(wanted, (tuple, list)) else tuple(wanted)
    if len(given) != dims:
        raise ValueError(f"{where}: output_size must be an int or {dims} of them (None: as the input), got {wanted!r}")
    out = numbers(tuple([n if m is None else m for m, n in zip(given, size)]), dims, where, "output_size", 0)
    if min(size) < 1:
        raise ValueError(f"{where}: input of shape {x} has no elements to pool")
    spans = []
    for n, m in zip(size, out):
        first = [i * n // m for i in range(m)]
        spans.append(Spans(tuple(first), tuple([-((-i - 1) * n // m) - f for i, f in enumerate(first)]), 1))
    if dims == 1:
        spans.insert(0, Spans((0,), (1,), 1))
    return batched, (spans[0], spans[1])
