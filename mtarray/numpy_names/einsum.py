"""einsum: Einstein's summation, lowered to diagonals, sums, products and matrix products.

A plan is made once for (subscripts, shapes, optimize) and kept. It brings every operand to one axis per label - a repeated label
is a diagonal, an axis of length 1 that broadcasts is dropped - and then contracts pairs, the cheapest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

from .._array import Array, window
from .._dtypes import bool as bool_
from .._dtypes import dtype_of, promote
from ..elementwise import multiply
from ..linalg import matmul
from ..manipulation import permute_dims, reshape
from ..statistical import sum as _sum
from ..utility import any as _any
from ._operands import operand

Labels = tuple[int, ...]
Path = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Plan:
    """How to evaluate: the labels of each operand (one per axis), of the result, the length of each label, the contractions."""

    inputs: tuple[Labels, ...]
    output: Labels
    lengths: dict[int, int]
    path: Path


def einsum(*operands: Any, optimize: Any = True, dtype: Any = None) -> Array:
    """Sums of products over the labels of `subscripts` that the result does not have.

    einsum(subscripts, *arrays): a letter labels each axis, "..." stands for axes that broadcast, a repeated letter takes the
    diagonal. After "->" the labels of the result; without it those that occur once, in alphabetical order.
    einsum(array, labels, array, labels, ..., [labels]): the same with lists of integers (and Ellipsis).
    optimize: contract the cheapest pairs first (True, "greedy", "optimal"), from left to right (False), or by a path of `einsum_path`.
    dtype: to compute in. Of one operand the result is a view where nothing is summed.
    ValueError for subscripts that do not fit the shapes.

    >>> import mtarray as xp
    >>> xp.einsum("ij,kj->ik", xp.asarray([[1, 2]]), xp.asarray([[3, 4], [5, 6]]))
    Array([[11, 17]], shape=(1, 2), dtype=int64, device='cpu')
    """
    subscripts, xs = _arguments(operands)
    d = promote(*[x.dtype for x in xs]) if dtype is None else dtype_of(dtype)
    plan = _plan(subscripts, tuple([x.shape for x in xs]), _key(optimize))
    terms = [_axis_per_label(x.astype(d, copy=False), labels, plan) for x, labels in zip(xs, plan.inputs)]
    for step in plan.path:
        chosen = [terms[i] for i in step]
        terms = [t for i, t in enumerate(terms) if i not in step]
        keep = set(plan.output).union(*[labels for _, labels in terms])
        while len(chosen) > 1:
            later = keep.union(*[labels for _, labels in chosen[2:]])
            chosen[:2] = [_contract(*chosen[0], *chosen[1], later, plan)]
        terms.append(chosen[0])
    x, labels = terms[0]
    x, labels = _summed(x, labels, set(plan.output))
    return permute_dims(x, [labels.index(i) for i in plan.output]) if labels != plan.output else x


def einsum_path(*operands: Any, optimize: Any = "greedy") -> tuple[list[Any], str]:
    """The order in which `einsum` contracts: (["einsum_path", (i, j), ...], a description).

    >>> import mtarray as xp
    >>> xp.einsum_path("ij,jk,kl", xp.ones((2, 9)), xp.ones((9, 2)), xp.ones((2, 2)))[0]
    ['einsum_path', (0, 1), (0, 1)]
    """
    subscripts, xs = _arguments(operands)
    plan = _plan(subscripts, tuple([x.shape for x in xs]), _key(optimize))
    sizes = [f"{tuple(x.shape)}" for x in xs]
    steps = "\n".join(f"  contract operands {step} of those that are left" for step in plan.path)
    return ["einsum_path", *plan.path], f"  operands of shapes {', '.join(sizes)}\n{steps}"


def _key(optimize: Any) -> Any:
    if isinstance(optimize, (list, tuple)):
        if optimize and optimize[0] == "einsum_path":
            return tuple([tuple(step) for step in optimize[1:]])
        if optimize and isinstance(optimize[0], str):
            optimize = optimize[0]  # ("greedy", memory limit)
        else:
            raise TypeError(f"einsum: optimize={optimize!r} is not a path that einsum_path returned")
    if optimize not in (True, False, None, "greedy", "optimal"):
        raise TypeError(f"einsum: optimize={optimize!r} must be True, False, 'greedy', 'optimal' or a path of einsum_path")
    return bool(optimize)


# ---------------------------------------------------------------------- subscripts


def _arguments(operands: tuple[Any, ...]) -> tuple[Any, list[Array]]:
    """The subscripts, as a string or (for lists of integers) a tuple of tuples, and the arrays."""
    if not operands:
        raise ValueError("einsum: subscripts and at least one array are needed")
    if isinstance(operands[0], str):
        if len(operands) < 2:
            raise ValueError(f"einsum: no arrays for the subscripts {operands[0]!r}")
        return operands[0].replace(" ", ""), [operand(x, "einsum") for x in operands[1:]]
    arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
    output = None if len(operands) % 2 == 0 else operands[-1]
    try:
        terms = tuple([tuple([label if label is Ellipsis else int(label) for label in labels]) for labels in lists])
        result = None if output is None else tuple([label if label is Ellipsis else int(label) for label in output])
    except TypeError:
        raise TypeError("einsum: after each array comes the list of its labels, integers or Ellipsis") from None
    return (terms, result), [operand(x, "einsum") for x in arrays]


def _parse(subscripts: Any) -> tuple[list[list[Any]], list[Any] | None]:
    """Labels of the operands and of the result (None if implied); Ellipsis stands for the axes that broadcast."""
    if not isinstance(subscripts, str):
        terms, result = subscripts
        return [list(t) for t in terms], None if result is None else list(result)
    left, arrow, right = subscripts.partition("->")
    terms = [_letters(t, subscripts) for t in left.split(",")]
    return terms, _letters(right, subscripts) if arrow else None


def _letters(term: str, subscripts: str) -> list[Any]:
    head, dots, tail = term.partition("...")
    for c in head + tail:
        if not (c.isascii() and c.isalpha()):
            raise ValueError(f"einsum: {c!r} in {subscripts!r} is not a letter, ',', '->' or '...'")
    labels = [ord(c) for c in head]
    return [*labels, Ellipsis, *[ord(c) for c in tail]] if dots else labels


def _name(label: int) -> str:
    return chr(label) if 65 <= label < 123 else str(label)


@lru_cache(maxsize=512)
def _plan(subscripts: Any, shapes: tuple[tuple[int, ...], ...], optimize: Any) -> Plan:
    terms, result = _parse(subscripts)
    if len(terms) != len(shapes):
        raise ValueError(f"einsum: {subscripts!r} labels {len(terms)} operands, {len(shapes)} are given")
    wide = 0
    for term, shape in zip(terms, shapes):
        hidden = len(shape) - sum(label is not Ellipsis for label in term)
        if Ellipsis in term:
            wide = max(wide, hidden)
        if hidden < 0 or (hidden and Ellipsis not in term):
            raise ValueError(f"einsum: {subscripts!r} gives {len(shape) - hidden} labels to an operand of shape {shape}")
    # Broadcast axes get labels of their own, below all others, numbered from the right.
    inputs = []
    for term, shape in zip(terms, shapes):
        hidden = len(shape) - sum(label is not Ellipsis for label in term)
        inputs.append(_spelled(term, tuple(range(-hidden, 0))))
    dots = tuple(range(-wide, 0))
    if result is None:
        flat = [label for labels in inputs for label in labels if label >= 0]
        output = dots + tuple(sorted([label for label in set(flat) if flat.count(label) == 1]))
    else:
        if wide and Ellipsis not in result:
            raise ValueError(f"einsum: the result of {subscripts!r} has no '...' for the axes that broadcast")
        output = _spelled(result, dots)
    if len(set(output)) != len(output):
        raise ValueError(f"einsum: a label occurs twice in the result of {subscripts!r}")
    lengths: dict[int, int] = {}
    for labels, shape in zip(inputs, shapes):
        for label, n in zip(labels, shape):
            known = lengths.setdefault(label, n)
            if known != n:
                if known != 1 and n != 1:
                    what = "axes of '...'" if label < 0 else f"axes labelled {_name(label)!r}"
                    raise ValueError(f"einsum: {what} have lengths {known} and {n}: {subscripts!r} with shapes {shapes}")
                lengths[label] = n if known == 1 else known
    for label in output:
        if label not in lengths:
            raise ValueError(f"einsum: the result of {subscripts!r} has the label {_name(label)!r}, which no operand has")
    return Plan(tuple(inputs), output, lengths, _path(inputs, output, lengths, optimize))


def _spelled(term: Sequence[Any], dots: Labels) -> Labels:
    if term.count(Ellipsis) > 1:
        raise ValueError("einsum: a term has more than one '...'")
    return tuple([label for t in term for label in (dots if t is Ellipsis else (t,))])


def _path(inputs: list[Labels], output: Labels, lengths: dict[int, int], optimize: Any) -> Path:
    n = len(inputs)
    if isinstance(optimize, tuple):
        left = n
        for step in optimize:
            if len(set(step)) != len(step) or not all(0 <= i < left for i in step):
                raise ValueError(f"einsum: the path {optimize} does not fit {n} operands")
            left -= len(step) - 1
        return (*optimize, tuple(range(left))) if left > 1 else optimize
    if n == 1:
        return ()
    if n == 2 or not optimize:
        return ((0, 1), *[(0, n - 1 - k) for k in range(1, n - 1)])  # what is contracted goes to the end
    terms = [frozenset(labels) for labels in inputs]
    path = []

    def size(labels: Any) -> int:
        return prod([lengths[label] for label in labels])

    while len(terms) > 1:
        best = None
        for i in range(len(terms)):
            for j in range(i + 1, len(terms)):
                both = terms[i] | terms[j]
                rest = set(output).union(*[t for k, t in enumerate(terms) if k not in (i, j)])
                # What memory a step frees decides, then its work (Daniel Smith and Johnnie Gray, opt_einsum, 2018).
                cost = size(both & rest) - size(terms[i]) - size(terms[j]), size(both)
                # A product of terms without a common label waits until nothing else is left.
                rank = (not terms[i] & terms[j], *cost)
                if best is None or rank < best[0]:
                    best = rank, i, j, both & rest
        assert best is not None
        _, i, j, joined = best
        path.append((i, j))
        terms = [t for k, t in enumerate(terms) if k not in (i, j)] + [joined]
    return tuple(path)


# ---------------------------------------------------------------------- evaluation


def _axis_per_label(x: Array, labels: Labels, plan: Plan) -> tuple[Array, Labels]:
    """A window on the operand with one axis for each of its labels; axes of length 1 that broadcast are left out."""
    shape: dict[int, int] = {}
    strides: dict[int, int] = {}
    for label, n, s in zip(labels, x._shape, x._strides):
        if n == 1 and plan.lengths[label] != 1:
            continue
        shape[label] = n
        strides[label] = strides.get(label, 0) + s
    kept = tuple(shape)
    if kept == labels:
        return x, labels
    return window(x, tuple(shape.values()), tuple(strides.values()), x._offset), kept


def _summed(x: Array, labels: Labels, keep: set[int]) -> tuple[Array, Labels]:
    """The operand with the labels that nobody else needs summed out (booleans: whether any is true)."""
    gone = tuple([i for i, label in enumerate(labels) if label not in keep])
    if not gone:
        return x, labels
    out = _any(x, axis=gone) if x.dtype is bool_ else _sum(x, axis=gone, dtype=x.dtype)
    return out, tuple([label for label in labels if label in keep])


def _contract(x: Array, a: Labels, y: Array, b: Labels, keep: set[int], plan: Plan) -> tuple[Array, Labels]:
    """The product of two terms, summed over the labels that neither the result nor a later term has."""
    x, a = _summed(x, a, keep | set(b))
    y, b = _summed(y, b, keep | set(a))
    batch = [i for i in a if i in b and i in keep]
    inner = [i for i in a if i in b and i not in keep]
    free_x, free_y = [i for i in a if i not in b], [i for i in b if i not in a]
    out = (*batch, *free_x, *free_y)
    if not inner:
        # An outer product: each operand with axes of length 1 for the labels that it lacks.
        x, y = _placed(x, a, [*batch, *free_x]), _placed(y, b, [*batch, *free_y])
        x = reshape(x, x.shape + (1,) * len(free_y))
        y = reshape(y, y.shape[: len(batch)] + (1,) * len(free_x) + y.shape[len(batch) :])
        return multiply(x, y), out

    def lengths(labels: list[int]) -> tuple[int, ...]:
        return tuple([plan.lengths[i] for i in labels])

    stack, k = lengths(batch), prod(lengths(inner))
    rows, columns = prod(lengths(free_x)), prod(lengths(free_y))
    x = reshape(_placed(x, a, [*batch, *free_x, *inner]), (*stack, rows, k))
    y = reshape(_placed(y, b, [*batch, *inner, *free_y]), (*stack, k, columns))
    return reshape(matmul(x, y), (*stack, *lengths(free_x), *lengths(free_y))), out


def _placed(x: Array, labels: Labels, order: list[int]) -> Array:
    return permute_dims(x, [labels.index(i) for i in order]) if list(labels) != order else x


__all__ = ["einsum", "einsum_path"]
