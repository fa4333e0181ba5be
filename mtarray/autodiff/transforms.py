"""What users call: functions made from functions. All are one engine, so they nest in any order and to any depth.

Arguments that are differentiated by are by value: the function may write into them. Arguments and results may be nested containers.
A complex derivative is df/dx + i df/dy, the direction of steepest ascent of a real f (JAX gives its conjugate).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import _array
from .._array import Array
from .._operands import lift
from .._storage import HELD, Storage
from . import tape
from .forward import dense, tangent
from .sweep import beside, settled, sweep
from .tape import INPUT, Node, Transform, by_value, copy, live, ones_as, snapshot, zeros, zeros_as
from .trees import flatten

_new = object.__new__

Argnums = int | Sequence[int]


def _operand(x: Any, where: str) -> Array:
    """`x` as an array that can be differentiated by."""
    if x.__class__ is Array and x._dtype.kind in "fc":
        return x
    if x.__class__ in (float, complex):
        return _array.xp.asarray(x)
    if x.__class__ in (int, bool) or (x.__class__ is not Array and not isinstance(x, (np.ndarray, np.generic))):
        raise TypeError(
            f"{where}: differentiates by floating-point arrays, and got {x!r:.60} of type {type(x).__name__}; "
            "convert it with asarray(x, dtype=float64), or leave it out of argnums"
        )
    x = lift(x, where)
    if x._dtype.kind not in "fc":
        raise TypeError(
            f"{where}: differentiates by floating-point arrays, and got {x._dtype} (shape {x._shape}); "
            "convert it with astype(float64), or leave it out of argnums"
        )
    return x


def _number(y: Any, where: str) -> Array:
    """A result as the one real number whose gradient is sought."""
    if y.__class__ is not Array:
        _no_numbers([y], where)
        raise TypeError(
            f"{where}: the function must return an array of one element, not {type(y).__name__}"
            + ("; name what else it returns with has_aux=True" if y.__class__ is tuple else "")
        )
    if prod(y._shape) != 1:
        raise ValueError(f"{where}: the function must return one number, and returned shape {y._shape}; sum it, or use jacobian or vjp")
    if y._dtype.kind == "c":
        raise TypeError(
            f"{where}: the function returned {y._dtype}, whose derivative is no gradient; return its real part or abs, or use vjp"
        )
    if y._dtype.kind != "f":
        raise TypeError(f"{where}: the function returned {y._dtype}, which has no derivative")
    return y


def watch_values(xs: Sequence[Array], T: Transform) -> tuple[list[Array], list[Node]]:
    """`xs` by value as inputs of T, still linked to what they were for the transforms around T; and their nodes."""
    out, nodes = [], []
    bit = T.bit
    for x in xs:
        storage = x._storage
        if storage.node is None and x._whole >= 0 and (storage.ties is None or storage.ties is HELD):
            # What `by_value` does with whole arrays that nothing follows, in a third of the time: small networks have many parameters.
            shape = x._shape
            storage.ties = HELD
            node = Node(INPUT, bit, None, shape, x._dtype, ())
            taken = Storage(storage.buffer, HELD)
            taken.node = node
            v = _new(Array)
            v._storage = taken
            v._shape = shape
            v._strides = x._strides
            v._offset = 0
            v._dtype = x._dtype
            v._whole = x._whole
            v._readonly = False
            out.append(v)
            nodes.append(node)
            continue
        v = by_value(x)
        node = v._storage.node
        if node is None:
            node = v._storage.node = Node(INPUT, 0, None, v._shape, v._dtype, ())
        node.mask |= bit
        out.append(v)
        nodes.append(node)
    return out, nodes


def _leaving(y: Any, bit: int = 0) -> Any:
    """A result that leaves the transform of this bit: nothing in it remembers that, or others that ended, except for one in progress."""
    if y.__class__ is not Array:
        return y
    node = y._storage.node
    if node is None or node.mask & ~bit & live() or (node.tan and not all(k.done for k in node.tan)):
        return y
    return snapshot(y)


def _gradients(found: dict[Node, Array], nodes: Sequence[Node], xs: Sequence[Array]) -> list[Array]:
    """The cotangents that arrived at the inputs, each an array of its own."""
    out = []
    for node, x in zip(nodes, xs):
        g = found.get(node)
        if g is None:
            out.append(zeros_as(x))
        else:
            out.append(_leaving(g))
    return out


class _Arguments:
    """The arguments of one call that are differentiated by, replaced by their values as inputs of a transform."""

    def __init__(self, args: tuple[Any, ...], argnums: Argnums, T: Transform, where: str) -> None:
        self.single = isinstance(argnums, int)
        numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
        for i in numbers:
            if not -len(args) <= i < len(args):
                raise ValueError(f"{where}: argnums={argnums}, but the function was called with {len(args)} positional arguments")
        chosen = [args[i] for i in numbers]
        leaves, self.build = flatten(chosen[0] if self.single else tuple(chosen), constants=True)
        self.xs = [_operand(x, where) for x in leaves]
        watched, self.nodes = watch_values(self.xs, T)
        new = self.build(watched)
        replaced = list(args)
        for i, a in zip(numbers, (new,) if self.single else new):
            replaced[i] = a
        self.args = replaced

    def gradients(self, found: dict[Node, Array]) -> Any:
        return self.build(_gradients(found, self.nodes, self.xs))


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns f(*args) and its gradient by the arguments `argnums`.

    f returns one real number (any array of one element); with `has_aux` a pair of it and of anything else, which is passed on: the
    result is then ((value, aux), gradient). The gradient is built like the argument: for a tuple `argnums` a tuple of them.

    >>> import mtarray as xp
    >>> y, g = xp.value_and_grad(lambda x: xp.sum(x * x))(xp.asarray([1.0, 2.0]))
    >>> float(y), g.tolist()
    (5.0, [2.0, 4.0])
    """

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        T = Transform()
        given = _Arguments(args, argnums, T, "grad")
        y = f(*given.args, **kwargs)
        given.args = []
        aux = None
        if has_aux:
            if y.__class__ is not tuple or len(y) != 2:
                raise TypeError(f"grad: has_aux=True, so the function must return a pair (value, aux), not {type(y).__name__}")
            y, aux = y
        y = _number(y, "grad")
        found = sweep([(y, ones_as(y))], T.bit, set(given.nodes), False)
        g = given.gradients(found)
        y = _leaving(y, T.bit)
        if has_aux:
            leaves, build = flatten(aux)
            return (y, build([_leaving(a, T.bit) for a in leaves])), g
        return y, g

    return run


def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of f by the arguments `argnums`; with `has_aux` a pair of it and of what else f returns.

    f may write into its arguments and into arrays that it makes, index, loop and branch: the gradient is that of what it computed. What it
    does not depend on has gradient zero. See `value_and_grad`.

    >>> import mtarray as xp
    >>> xp.grad(lambda x: xp.sum(x**3))(xp.asarray([1.0, 2.0]))
    Array([ 3., 12.], shape=(2,), dtype=float64, device='cpu')
    >>> float(xp.grad(xp.grad(xp.sin))(0.5)) == -float(xp.sin(xp.asarray(0.5)))
    True
    """
    both = value_and_grad(f, argnums, has_aux)

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        y, g = both(*args, **kwargs)
        return (g, y[1]) if has_aux else g

    return run


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f(*primals), and its pullback: from a cotangent, built like the result, to a tuple of the arguments' cotangents, as often as called.

    >>> import mtarray as xp
    >>> y, pullback = xp.autodiff.vjp(xp.multiply, xp.asarray([1.0, 2.0]), xp.asarray([3.0, 4.0]))
    >>> [g.tolist() for g in pullback(xp.asarray([1.0, 10.0]))]
    [[3.0, 40.0], [1.0, 20.0]]
    """
    T = Transform()
    given = _Arguments(primals, tuple(range(len(primals))), T, "vjp")
    y = f(*given.args)
    given.args = []
    leaves, build = flatten(y)
    ys = _results(leaves, "vjp")

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        gs, _ = flatten(cotangent)
        if len(gs) != len(ys):
            raise ValueError(f"vjp: the cotangent has {len(gs)} arrays, the result {len(ys)}")
        seeds = []
        for g, v in zip(gs, ys):
            g = beside(g, v, "vjp")
            if g._shape != v._shape:
                raise ValueError(f"vjp: the cotangent has shape {g._shape}, the result {v._shape}")
            if v._dtype.kind in "fc":
                seeds.append((v, settled(g, (None, None, v._dtype, v._shape, None, 0))))
        return tuple(given.gradients(sweep(seeds, T.bit, set(given.nodes), True)))

    return build([_leaving(v, T.bit) for v in ys]), pullback


def _no_numbers(leaves: Sequence[Any], where: str) -> None:
    """TypeError for results that are all Python numbers: many functions end in float(), and a 0 would look like a result."""
    if leaves and all(y.__class__ in (float, int, complex, bool) for y in leaves):
        raise TypeError(
            f"{where}: the function returned {leaves[0]!r}, a Python {type(leaves[0]).__name__}, which no derivative can follow: float(x), "
            "x.item() and what ends in them give constants; return the array itself"
        )


def _results(leaves: Sequence[Any], where: str) -> list[Array]:
    """What a function returned, as arrays; numbers beside arrays are constants."""
    _no_numbers(leaves, where)
    return [_result(y, where) for y in leaves]


def _result(y: Any, where: str) -> Array:
    if y.__class__ is not Array:
        if y.__class__ in (float, int, complex, bool) or isinstance(y, (np.ndarray, np.generic)):
            return lift(y, where)
        raise TypeError(f"{where}: the function must return arrays (in containers, if you like), not {type(y).__name__}")
    return y


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """f(*primals), and its derivative in the direction `tangents` (built like the primals), computed along with it: (y, dy), built alike.

    With `has_aux`, f returns a pair, and the result is (y, dy, aux).

    >>> import mtarray as xp
    >>> y, dy = xp.autodiff.jvp(xp.sin, (xp.asarray(0.0),), (xp.asarray(2.0),))
    >>> float(y), float(dy)
    (0.0, 2.0)
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("jvp: primals and tangents must be tuples, one entry for each argument of the function")
    T = Transform()
    leaves, build = flatten(tuple(primals), constants=True)
    ts, _ = flatten(tuple(tangents), constants=True)
    if len(ts) != len(leaves):
        raise ValueError(f"jvp: {len(leaves)} primals and {len(ts)} tangents")
    inputs = []
    for x, t in zip(leaves, ts):
        x, t = _operand(x, "jvp"), _array.xp.asarray(t)
        if t._shape != x._shape:
            raise ValueError(f"jvp: a tangent has shape {t._shape}, its primal {x._shape}")
        v = by_value(x)
        node = v._storage.node
        if node is None:
            node = v._storage.node = Node(INPUT, 0, None, v._shape, v._dtype, ())
        node.tan = {**(node.tan or {}), T: dense(copy(t), v)}
        inputs.append(v)
    del x, t, v, node
    try:
        out = f(*build(inputs))
    finally:
        T.done = True
    del inputs
    aux = None
    if has_aux:
        out, aux = out
    leaves, build = flatten(out)
    ys = _results(leaves, "jvp")
    dys = []
    for y in ys:
        t = tangent(y, T)
        dys.append(
            zeros(y._shape, y._dtype if y._dtype.kind in "fc" else np.dtype(np.float64), y._storage.device)
            if t is None
            else _leaving(copy(t))
        )
    result = build([_untangled(y) for y in ys]), build(dys)
    if has_aux:
        leaves, build = flatten(aux)
        return (*result, build([_untangled(a) for a in leaves]))
    return result


def _untangled(y: Any) -> Any:
    """A result of a jvp that is done, without its tangent."""
    if y.__class__ is not Array or y._storage.node is None:
        return y
    node = y._storage.node
    others = [k for k in node.tan if not k.done] if node.tan else None
    if not others and not node.mask & live():
        return snapshot(y)
    return copy(y)


def linearize(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """f(*primals), and the linear function from tangents of the arguments to that of the result. Computed once, it may be called often.

    >>> import mtarray as xp
    >>> y, derivative = xp.autodiff.linearize(xp.exp, xp.asarray(0.0))
    >>> float(derivative(xp.asarray(3.0)))
    3.0
    """
    y, pullback = vjp(f, *primals)
    leaves, build = flatten(y)
    # The pullback is linear in the cotangent: its own pullback, at any cotangent, is the derivative forward.
    dummies = tuple([zeros_as(v) for v in leaves])
    _, transposed = vjp(lambda *cs: pullback(build(list(cs))), *dummies)

    def derivative(*tangents: Any) -> Any:
        if len(tangents) != len(primals):
            raise ValueError(f"linearize: {len(primals)} arguments and {len(tangents)} tangents")
        return build(list(transposed(tuple(tangents))))

    return y, derivative


def _basis(x: Array) -> list[Array]:
    """The unit vectors of the space of `x`."""
    out = []
    for i in range(prod(x._shape)):
        e = zeros((prod(x._shape),), x._dtype, x._storage.device)
        e[i] = 1
        out.append(_array.xp.reshape(e, x._shape))
    return out


def _only(args: tuple[Any, ...], argnums: Argnums, where: str) -> int:
    if not isinstance(argnums, int):
        raise TypeError(f"{where}: argnums must be one integer; take one derivative for each argument")
    if not -len(args) <= argnums < len(args):
        raise ValueError(f"{where}: argnums={argnums}, but the function was called with {len(args)} positional arguments")
    return argnums % len(args)


def jacrev(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """`jacobian` by reverse mode: one backward pass for each element of the result."""

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        i = _only(args, argnums, "jacobian")
        x = _operand(args[i], "jacobian")
        y, pullback = vjp(lambda v: f(*args[:i], v, *args[i + 1 :], **kwargs), x)
        leaves, build = flatten(y)
        outs = []
        for k, v in enumerate(leaves):
            if v._dtype.kind == "c" or x._dtype.kind == "c":
                raise TypeError("jacobian: not defined for complex arrays; take the jacobian of real and imaginary parts")
            rows = [pullback(build([e if j == k else zeros_as(w) for j, w in enumerate(leaves)]))[0] for e in _basis(v)]
            stacked = _array.xp.stack(rows) if rows else zeros((0, *x._shape), x._dtype, x._storage.device)
            outs.append(_array.xp.reshape(stacked, v._shape + x._shape))
        return build(outs)

    return run


def jacfwd(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """`jacobian` by forward mode: one forward pass for each element of the argument."""

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        i = _only(args, argnums, "jacobian")
        x = _operand(args[i], "jacobian")
        if x._dtype.kind == "c":
            raise TypeError("jacobian: not defined for complex arrays; take the jacobian of real and imaginary parts")

        def g(v: Array) -> Any:
            return f(*args[:i], v, *args[i + 1 :], **kwargs)

        columns = [flatten(jvp(g, (x,), (e,))[1]) for e in _basis(x)]
        if not columns:
            leaves, build = flatten(g(x))
            return build([zeros(v._shape + x._shape, v._dtype, v._storage.device) for v in leaves])
        build = columns[0][1]
        outs = []
        for k, v in enumerate(columns[0][0]):
            stacked = _array.xp.stack([c[0][k] for c in columns], axis=-1)
            outs.append(_array.xp.reshape(stacked, v._shape + x._shape))
        return build(outs)

    return run


def jacobian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The function that returns the derivative of every element of f's result by every element of an argument: of shape result + argument.

    Mode by shape: forward where the argument has fewer elements than the result, else reverse.

    >>> import mtarray as xp
    >>> xp.autodiff.jacobian(lambda x: x[:2] * x[2])(xp.asarray([1.0, 2.0, 3.0]))
    Array([[3., 0., 1.],
           [0., 3., 2.]], shape=(2, 3), dtype=float64, device='cpu')
    """

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        i = _only(args, argnums, "jacobian")
        x = _operand(args[i], "jacobian")
        with tape.no_grad():
            y = f(*args[:i], snapshot(x), *args[i + 1 :], **kwargs)
        size = sum([prod(v._shape) if v.__class__ is Array else 1 for v in flatten(y)[0]])
        return (jacfwd if prod(x._shape) < size else jacrev)(f, argnums)(*args, **kwargs)

    return run


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The function that returns the second derivatives of f, which returns one number, by an argument: of shape argument + argument.

    >>> import mtarray as xp
    >>> xp.autodiff.hessian(lambda x: x[0] ** 2 * x[1])(xp.asarray([1.0, 2.0]))
    Array([[4., 2.],
           [2., 0.]], shape=(2, 2), dtype=float64, device='cpu')
    """
    return jacfwd(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of f at `primals` times `tangents` (both tuples, one entry for each argument), without the Hessian: forward over reverse.

    Returns what belongs to the argument, or a tuple for several.

    >>> import mtarray as xp
    >>> x, v = xp.asarray([1.0, 2.0]), xp.asarray([1.0, 0.0])
    >>> xp.autodiff.hvp(lambda x: x[0] ** 2 * x[1], (x,), (v,))
    Array([4., 2.], shape=(2,), dtype=float64, device='cpu')
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TypeError("hvp: primals and tangents must be tuples, one entry for each argument of the function")
    g = grad(f, tuple(range(len(primals))))
    out = jvp(g, tuple(primals), tuple(tangents))[1]
    return out[0] if len(primals) == 1 else out


def stop_gradient(x: Any) -> Any:
    """`x` (an array, or a container of them) by value, as a constant.

    >>> import mtarray as xp
    >>> float(xp.grad(lambda x: x * xp.autodiff.stop_gradient(x))(3.0))
    3.0
    """
    leaves, build = flatten(x)
    return build([detached(v) if v.__class__ is Array else v for v in leaves])


def detached(x: Array) -> Array:
    return snapshot(x) if x._storage.node is not None else x
