"""Nested containers of arrays. Plain arrays and registered containers cost nothing; whatever else there is, `optree` knows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .._array import Array
from .tape import LEAF

Build = Callable[[list[Any]], Any]
_NUMBERS = (float, int, complex, bool)
_waiting: list[type] = []  # containers that optree is told of when it is first imported


def register_container(cls: type) -> type:
    """Make a class a container of arrays, for derivatives here and for `optree` where it is installed (namespace "mtarray").

    cls: has a method `__tree_leaves__()` that returns a list of arrays, a list of their names (dots between those of nested parts), and a
    function that makes such an object of a list of others. Subclasses are registered apart. Returns the class, so it may decorate it.

    >>> import mtarray as xp
    >>> @xp.autodiff.register_container
    ... class Line:
    ...     def __init__(self, slope, height):
    ...         self.slope, self.height = slope, height
    ...     def __tree_leaves__(self):
    ...         return [self.slope, self.height], ["slope", "height"], lambda new: Line(*new)
    >>> g = xp.grad(lambda line: line.slope * 3.0 + line.height)(Line(xp.asarray(1.0), xp.asarray(2.0)))
    >>> float(g.slope), float(g.height)
    (3.0, 1.0)
    """
    _waiting.append(cls)
    if "optree" in sys.modules:
        _tell()
    return cls


def flatten(tree: Any, constants: bool = False, again: bool = False) -> tuple[list[Any], Build]:
    """The leaves of `tree`, and the function that puts others in their places.

    constants: of registered containers, arrays that collect gradients for `backward` (`requires_grad`) count as constants, so that what
    is made of them is recorded once, for the derivative that is being taken. again: the function makes registered containers for a run
    that is repeated, if they have a method `__tree_again__` that returns such a function: what a run changes in them has copies.
    """
    if tree.__class__ is Array or tree.__class__ in _NUMBERS:
        return [tree], _only
    if _is_flat(tree):
        return list(tree), tuple
    if is_container(tree):
        leaves, _, build = tree.__tree_leaves__()
        if again and hasattr(tree.__class__, "__tree_again__"):
            build = tree.__tree_again__()
        return [_constant(x) for x in leaves] if constants else list(leaves), build
    if tree.__class__ is tuple and all(x.__class__ is Array or x.__class__ in _NUMBERS or is_container(x) for x in tree):
        return _joined(list(tree), tuple, constants, again)
    try:
        optree = _optree()
    except ImportError:
        if not isinstance(tree, (list, tuple, dict)):
            return [tree], _only
        raise ImportError("derivatives by nested containers of arrays need optree: pip install 'mtarray[trees]'") from None
    parts, spec = optree.tree_flatten(tree, is_container, none_is_leaf=False, namespace="mtarray")
    return _joined(parts, lambda new: optree.tree_unflatten(spec, new), constants, again)


def _joined(parts: list[Any], build: Build, constants: bool, again: bool) -> tuple[list[Any], Build]:
    """The leaves of parts, each of which is a leaf or a registered container; `build` takes a list of such parts."""
    if not any(map(is_container, parts)):
        return parts, build
    found = [flatten(part, constants, again) if is_container(part) else ([part], _only) for part in parts]

    def build_all(new: list[Any]) -> Any:
        rest = iter(new)
        return build([make([next(rest) for _ in leaves]) for leaves, make in found])

    return [x for leaves, _ in found for x in leaves], build_all


def _is_flat(tree: Any) -> bool:
    return tree.__class__ is tuple and all(x.__class__ is Array or x.__class__ in _NUMBERS for x in tree)


def is_container(tree: Any) -> bool:
    return hasattr(tree.__class__, "__tree_leaves__")


def _only(leaves: list[Any]) -> Any:
    return leaves[0]


def _constant(x: Any) -> Any:
    """x, of an array that `backward` stops at the value."""
    return x.detach() if x.__class__ is Array and x._storage.node is not None and x._storage.node.op is LEAF else x


def paths(tree: Any) -> list[str]:
    """How each leaf is reached, as it would be written after the container's name."""
    if tree.__class__ is Array:
        return [""]
    if _is_flat(tree):
        return [f"[{i}]" for i in range(len(tree))]
    if is_container(tree):
        return [f".{name}" for name in tree.__tree_leaves__()[1]]
    optree = _optree()
    found = optree.tree_flatten(tree, is_container, none_is_leaf=False, namespace="mtarray")[0]
    accessors = optree.tree_accessors(tree, is_container, none_is_leaf=False, namespace="mtarray")
    return [a.codify("") + rest for a, part in zip(accessors, found) for rest in (paths(part) if is_container(part) else [""])]


def _optree() -> Any:
    import optree

    _tell()
    return optree


def announce() -> None:
    """Tell optree of registered containers, if it is installed: users may hand them to it without a call of ours in between."""
    if _waiting:
        try:
            _tell()
        except ImportError:
            _waiting.clear()


def _tell() -> None:
    """Register with optree the classes that it was not told of."""
    import optree

    while _waiting:
        optree.register_pytree_node(_waiting.pop(), _parts, _rebuilt, namespace="mtarray")


def _rebuilt(made: Any, leaves: Any) -> Any:
    return made.build(list(leaves))


class _Made:
    """How an object is made of its leaves. Two objects of one class and of the same names have one structure."""

    __slots__ = ("build", "key")

    def __init__(self, cls: type, names: list[str], build: Build) -> None:
        self.key: tuple[Any, ...] = (cls, *names)
        self.build = build

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Made) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return str(self.key[0].__name__)


def _parts(tree: Any) -> tuple[list[Any], _Made, list[str]]:
    leaves, names, build = tree.__tree_leaves__()
    return leaves, _Made(type(tree), names, build), names
