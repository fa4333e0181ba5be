"""Nested containers of arrays. A plain array costs nothing; whatever else there is, `optree` knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._array import Array

Build = Callable[[list[Any]], Any]
_NUMBERS = (float, int, complex, bool)


def flatten(tree: Any) -> tuple[list[Any], Build]:
    """The leaves of `tree`, and the function that puts others in their places."""
    if tree.__class__ is Array or tree.__class__ in _NUMBERS:
        return [tree], lambda leaves: leaves[0]
    if _is_flat(tree):
        return list(tree), tuple
    try:
        import optree
    except ImportError:
        if not isinstance(tree, (list, tuple, dict)):
            return [tree], lambda leaves: leaves[0]
        raise ImportError("derivatives by nested containers of arrays need optree: pip install 'mtarray[trees]'") from None
    leaves, spec = optree.tree_flatten(tree, none_is_leaf=False, namespace="mtarray")
    return leaves, lambda new: optree.tree_unflatten(spec, new)


def _is_flat(tree: Any) -> bool:
    return tree.__class__ is tuple and all(x.__class__ is Array or x.__class__ in _NUMBERS for x in tree)


def paths(tree: Any) -> list[str]:
    """How each leaf is reached, as it would be written after the container's name."""
    if tree.__class__ is Array:
        return [""]
    if _is_flat(tree):
        return [f"[{i}]" for i in range(len(tree))]
    import optree

    return [a.codify("") for a in optree.tree_accessors(tree, none_is_leaf=False, namespace="mtarray")]
