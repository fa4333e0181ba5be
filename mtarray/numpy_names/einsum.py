"""einsum: Einstein's summation, lowered to diagonals, sums, products and matrix products.

A plan is made once for (subscripts, shapes, optimize) and kept; running it is reshapes, permutations, sums and products alone. It
brings every operand to one axis per label - a repeated label is a diagonal, an axis of length 1 that broadcasts is dropped - and
then contracts pairs, the cheapest first.
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


@dataclass(frozen=True, slots=True)
class Side:
    """How one term of a contraction is prepared: axes to sum out, then the order of axes, then the shape (None: as it is)."""

    summed: Labels
    order: Labels | None
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Contract the terms numbered i and j, which leave the list, into a new last one: a matrix product, or one element by element."""

    i: int
    j: int
    left: Side
    right: Side
    matrix: bool
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to evaluate: windows on the operands, the contractions of pairs, then the axes of the last term to sum and their order.

    windows: for each operand the axes that go into each axis of its window (several for a repeated label), or None for all as they are.
    """

    windows: tuple[tuple[Labels, ...] | None, ...]
    steps: tuple[Step, ...]
    summed: Labels
    order: Labels | None
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
    terms = [_axis_per_label(x if x.dtype is d else x.astype(d), axes) for x, axes in zip(xs, plan.windows)]
    for step in plan.steps:
        left, right = _prepared(terms[step.i], step.left), _prepared(terms[step.j], step.right)
        terms = [t for k, t in enumerate(terms) if k != step.i and k != step.j]
        out = matmul(left, right) if step.matrix else multiply(left, right)
        terms.append(out if out._shape == step.shape else reshape(out, step.shape))
    out = _summed(terms[0], plan.summed)
    return out if plan.order is None else permute_dims(out, plan.order)


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
    return _lowered(inputs, shapes, output, lengths, optimize)


def _spelled(term: Sequence[Any], dots: Labels) -> Labels:
    if term.count(Ellipsis) > 1:
        raise ValueError("einsum: a term has more than one '...'")
    return tuple([label for t in term for label in (dots if t is Ellipsis else (t,))])


def _path(inputs: list[Labels], output: Labels, lengths: dict[int, int], optimize: Any) -> Path:
    n = len(inputs)
    if isinstance(optimize, tuple):
        left = n
        for step in optimize:
            if len(step) < min(2, n) or len(set(step)) != len(step) or not all(0 <= i < left for i in step):
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


# ---------------------------------------------------------------------- lowering


def _lowered(inputs: list[Labels], shapes: tuple[Labels, ...], output: Labels, lengths: dict[int, int], optimize: Any) -> Plan:
    windows: list[tuple[Labels, ...] | None] = []
    terms: list[Labels] = []
    for labels, shape in zip(inputs, shapes):
        axes: dict[int, list[int]] = {}
        for axis, (label, n) in enumerate(zip(labels, shape)):
            if n == lengths[label]:  # an axis of length 1 that broadcasts is left out
                axes.setdefault(label, []).append(axis)
        windows.append(None if tuple(axes) == labels else tuple([tuple(a) for a in axes.values()]))
        terms.append(tuple(axes))
    path = _path(terms, output, lengths, optimize)
    steps = []
    for chosen in path:
        group = list(chosen)
        while len(group) > 1:
            i, j = group[:2]
            rest = [t for k, t in enumerate(terms) if k not in (i, j)]
            step, joined = _pair(i, j, terms[i], terms[j], set(output).union(*rest), lengths)
            steps.append(step)
            terms = [*rest, joined]
            group = [len(rest), *[k - (k > i) - (k > j) for k in group[2:]]]
    last = [label for label in terms[0] if label in output]
    summed = tuple([axis for axis, label in enumerate(terms[0]) if label not in output])
    return Plan(tuple(windows), tuple(steps), summed, _order(last, list(output)), path)


def _pair(i: int, j: int, a: Labels, b: Labels, keep: set[int], lengths: dict[int, int]) -> tuple[Step, Labels]:
    """The contraction of two terms over the labels that neither the result nor another term has, and the labels of its result."""
    lone_a = tuple([axis for axis, label in enumerate(a) if label not in keep and label not in b])
    lone_b = tuple([axis for axis, label in enumerate(b) if label not in keep and label not in a])
    a, b = tuple([x for x in a if x in keep or x in b]), tuple([x for x in b if x in keep or x in a])
    batch = [x for x in a if x in b and x in keep]
    inner = [x for x in a if x in b and x not in keep]
    rows, columns = [x for x in a if x not in b], [x for x in b if x not in a]

    def shape(labels: list[int]) -> tuple[int, ...]:
        return tuple([lengths[x] for x in labels])

    out = [*batch, *rows, *columns]
    if inner:
        k, m, n = (prod(shape(labels)) for labels in (inner, rows, columns))
        left = Side(lone_a, _order(a, [*batch, *rows, *inner]), (*shape(batch), m, k))
        right = Side(lone_b, _order(b, [*batch, *inner, *columns]), (*shape(batch), k, n))
    else:  # an outer product: each term with axes of length 1 for the labels that it lacks
        left = Side(lone_a, _order(a, [*batch, *rows]), (*shape([*batch, *rows]), *(1,) * len(columns)))
        right = Side(lone_b, _order(b, [*batch, *columns]), (*shape(batch), *(1,) * len(rows), *shape(columns)))
    return Step(i, j, left, right, bool(inner), shape(out)), tuple(out)


def _order(labels: Sequence[int], wanted: list[int]) -> Labels | None:
    return None if list(labels) == wanted else tuple([labels.index(x) for x in wanted])


# ---------------------------------------------------------------------- evaluation


def _axis_per_label(x: Array, axes: tuple[Labels, ...] | None) -> Array:
    """A window on the operand, each of whose axes runs along the given ones together (a diagonal where they are several)."""
    if axes is None:
        return x
    return window(x, tuple([x._shape[a[0]] for a in axes]), tuple([sum([x._strides[i] for i in a]) for a in axes]), x._offset)


def _prepared(x: Array, side: Side) -> Array:
    x = _summed(x, side.summed)
    if side.order is not None:
        x = permute_dims(x, side.order)
    return x if x._shape == side.shape else reshape(x, side.shape)


def _summed(x: Array, axes: Labels) -> Array:
    """The sum over axes in the dtype of the term (of booleans: whether any is true)."""
    if not axes:
        return x
    return _any(x, axis=axes) if x.dtype is bool_ else _sum(x, axis=axes, dtype=x.dtype)


__all__ = ["einsum", "einsum_path"]
