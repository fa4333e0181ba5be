"""Functions that the tape sees as one step: recomputed instead of remembered, or with a derivative given by hand."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _array
from .._array import Array
from . import tape
from .forward import attach, tangent
from .sweep import _result as results_of
from .tape import OPAQUE, Node, Transform, by_value, edge_of, local, save, snapshot, zeros
from .transforms import _result, jvp, vjp
from .trees import flatten, is_container

Arrays = list[Array]

# Hook, filled by `nn`: replay() is asked before a function runs that may run again, and returns what makes a context for that: in it,
# random numbers are those of the first run.
replay: Callable[[], Callable[[], Any]] | None = None


def _step(
    name: str,
    run: Callable[[Arrays], Arrays],
    xs: Arrays,
    pull: Callable[[Arrays, Arrays, Arrays], Sequence[Any]],
    push: Callable[[Arrays, Arrays, Arrays], Sequence[Any]],
    keeps_results: bool,
) -> Arrays:
    """run(xs) as one node. pull(gs, ys, xs): the cotangents of xs; push(ts, ys, xs): the tangents of the results."""
    made = run([snapshot(x) for x in xs])
    if any(y._storage.node is not None and tape.is_tracked(y._storage.node) for y in made):
        raise ValueError(
            f"{name}: the function also depends on an array that is being differentiated by and is not among its arguments; "
            "pass it as an argument, or take its detach()"
        )
    ys = [snapshot(y).copy() for y in made]  # each in memory of its own
    mask = 0
    for x in xs:
        node = x._storage.node
        mask |= node.mask & local.active if node is not None else 0
    if mask:
        shapes = [(y._shape, y._dtype, y._storage.device) for y in ys]

        def backward(node: Node, gs: Any, inputs: Arrays) -> Sequence[Any]:
            found = results_of(node) if keeps_results else ()
            given = [zeros(*s) if g is None else by_value(g) for g, s in zip(gs, shapes)]
            return pull(given, [found] if found.__class__ is Array else list(found), inputs)

        ins = tuple([edge_of(x, True) for x in xs])
        if len(ys) == 1:
            (y,) = ys
            node = y._storage.node = Node(OPAQUE, mask, backward, y._shape, y._dtype, ins)
            if keeps_results:
                node.out = save(y)
        else:
            tape.record_parts(OPAQUE, mask, backward, ins, tuple(ys), keeps_results)
    if any(x._storage.node is not None and x._storage.node.tan for x in xs):

        def forward(T: Transform) -> Sequence[Any]:
            ts = [tangent(x, T) for x in xs]
            given = [tape.zeros_as(x) if t is None else by_value(t) for x, t in zip(xs, ts)]
            return push(given, [by_value(y) for y in ys], [by_value(x) for x in xs])

        attach(tuple(xs), tuple(ys), forward, OPAQUE)
    if tape.watch is not None and xs:
        tape.watch(OPAQUE, tuple(xs), tuple(ys))
    return ys


class _Call:
    """A call of f by its floating-point arrays alone: other arguments, and the containers they come in, stay as they are."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f = f
        self.kwargs = kwargs
        leaves, self.build_args = flatten(tuple(args))
        self.build_again: Any = None
        self.context: Any = contextlib.nullcontext
        self.leaves = [_array.xp.asarray(x) if isinstance(x, np.ndarray) else x for x in leaves]
        self.at = [i for i, x in enumerate(self.leaves) if x.__class__ is Array and x._dtype.kind in "fc"]
        self.xs = [self.leaves[i] for i in self.at]
        self.leaves = [None if i in self.at else x for i, x in enumerate(self.leaves)]  # the tape keeps what is needed of the arrays
        self.build: Any = None

    def args(self, xs: Sequence[Any], again: bool = False) -> tuple[Any, ...]:
        full = list(self.leaves)
        for i, x in zip(self.at, xs):
            full[i] = x
        return tuple((self.build_again if again else self.build_args)(full))

    def run(self, xs: Sequence[Array]) -> Arrays:
        leaves, self.build = flatten(self.f(*self.args(xs), **self.kwargs))
        return [_result(y, "checkpoint") for y in leaves]

    def prepare(self, args: tuple[Any, ...]) -> None:
        """Keep what is needed to run again as now: random numbers, and what the run changes in containers."""
        _, self.build_again = flatten(args, again=True)
        if replay is not None:
            self.context = replay()

    def rerun(self, *xs: Array) -> tuple[Array, ...]:
        with self.context():
            leaves, _ = flatten(self.f(*self.args(xs, again=True), **self.kwargs))
        return tuple([_result(y, "checkpoint") for y in leaves])

    def by_argument(self, given: Any, where: str) -> list[Any]:
        """What a rule returned, one thing for each argument, as one for each of `xs`."""
        given = given if given.__class__ is tuple else (given,)
        leaves, _ = flatten(tuple(given)) if all(v is not None for v in given) else (list(given), None)
        if len(leaves) == len(self.leaves):
            return [leaves[i] for i in self.at]
        if len(leaves) == len(self.at):
            return list(leaves)
        raise ValueError(
            f"{where}: the rule returned {len(leaves)} arrays for {len(self.leaves)} arguments; return one for each (None: none)"
        )


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f` that keeps only its arguments, and is computed again in the backward pass: less memory for more time.

    What is differentiated by must be among its arguments (arrays, or containers of them); other arguments are passed as they are. If `f` is
    a module of `mtarray.nn`, its parameters count as arguments: dropout leaves out the same elements again, and running statistics are
    updated once.

    >>> import mtarray as xp
    >>> f = lambda x: xp.sin(xp.exp(x))
    >>> float(xp.grad(xp.autodiff.checkpoint(f))(0.5)) == float(xp.grad(f)(0.5))
    True
    """

    container = is_container(f)

    def call(*args: Any, **kwargs: Any) -> Any:
        if container:
            args = (f, *args)
        c = _Call(_called if container else f, args, kwargs)
        c.prepare(args)
        ys = _step(
            "checkpoint",
            c.run,
            c.xs,
            lambda gs, ys, xs: vjp(c.rerun, *xs)[1](tuple(gs)),
            lambda ts, ys, xs: jvp(c.rerun, tuple(xs), tuple(ts))[1],
            False,
        )
        return c.build(ys)

    return call if container else functools.wraps(f)(call)


def _called(f: Any, *args: Any, **kwargs: Any) -> Any:
    return f(*args, **kwargs)


def custom_vjp(rule: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: give a function its reverse rule: rule(g, y, *args) returns the cotangent of the argument, or a tuple of one for each.

    g: cotangent of the result y, built like it. The rule is array code, so it is differentiated for higher orders; forward mode is derived
    from it.

    >>> import mtarray as xp
    >>> @xp.autodiff.custom_vjp(lambda g, y, x: g * xp.clip(x, -1, 1))
    ... def half_square(x):
    ...     return x * x / 2
    >>> float(xp.grad(half_square)(3.0))
    1.0
    """

    def declare(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            c = _Call(f, args, kwargs)

            def pull(gs: Arrays, ys: Arrays, xs: Arrays) -> list[Any]:
                return c.by_argument(rule(c.build(gs), c.build(ys), *c.args(xs)), "custom_vjp")

            def push(ts: Arrays, ys: Arrays, xs: Arrays) -> Any:
                used: list[Array] = []

                def linear(*us: Array) -> Any:  # in the cotangent; its own vjp at the tangents is the derivative forward
                    found = pull(list(us), ys, xs)
                    used[:] = [t for d, t in zip(found, ts) if d is not None]
                    return tuple([d for d in found if d is not None])

                _, transposed = vjp(linear, *[tape.zeros_as(y) for y in ys])
                return transposed(tuple(used))

            ys = _step("custom_vjp", c.run, c.xs, pull, push, True)
            return c.build(ys)

        return call

    return declare


def custom_jvp(rule: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: give a function its forward rule: rule(primals, tangents), two tuples, returns the tangent of the result.

    It must be linear in the tangents; reverse mode is derived from it.

    >>> import mtarray as xp
    >>> @xp.autodiff.custom_jvp(lambda primals, tangents: 2 * tangents[0])
    ... def f(x):
    ...     return x * 1.0
    >>> float(xp.grad(f)(3.0))
    2.0
    """

    def declare(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            c = _Call(f, args, kwargs)

            def push(ts: Arrays, ys: Arrays, xs: Arrays) -> list[Any]:
                return flatten(rule(c.args(xs), c.args(ts)))[0]

            def pull(gs: Arrays, ys: Arrays, xs: Arrays) -> Any:
                zero = [tape.zeros_as(x) for x in xs]
                return vjp(lambda *ts: tuple([_result(t, "custom_jvp") for t in push(list(ts), ys, xs)]), *zero)[1](tuple(gs))

            ys = _step("custom_jvp", c.run, c.xs, pull, push, False)
            return c.build(ys)

        return call

    return declare
