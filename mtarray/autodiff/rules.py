"""From declarations to rules: what the derivative of an op needs, and therefore what the tape saves."""

from __future__ import annotations

import inspect
from typing import Any

from .._ops import Elementwise, Engine, Op, Reduction, Vjp, is_ours

_RESERVED = ("y", "g", "shape", "axes")

# Ops of ours that give some elements of an operand the cotangent 0 because they did not choose them.
_CHOOSING = frozenset("where maximum minimum fmax fmin clip max min taken taken_along sorted_along partitioned triangle".split())


class Rules:
    """The derivative of one op.

    kind: "partials" (elementwise: one partial derivative for each operand), "fold" (a reduction: the partial derivative by each element)
        or "vjps" (functions from the result's cotangent to the operands').
    each: for each operand (rule, names): a number or a function, and the names of the parameters it takes; None where there is none.
    operands: names of the array operands; static: static parameters, with their defaults. joint: the one rule that serves all operands
        and returns a sequence, if that is how it is.
    shared: for each operand the name by which another rule takes what its rule returns, "" where none does.
    constants: for each operand whether the derivative by it is 0. flat: whether all are, and there is nothing to record.
    missing: whether there is none.
    chooses: whether it leaves elements of operands out.
    linear: "all" if the op is linear in its operands together, "each" if in each apart, None if not.
    plain: their twins on ndarrays (see `plain`): None before they are first wanted, empty if there are none.
    """

    __slots__ = (
        "kind", "each", "operands", "joint", "flat", "missing", "linear", "static", "kept", "constants",
        "places", "chooses", "plain", "shared",
    )  # fmt: skip

    def __init__(self, op: Op, kind: str, operands: tuple[str, ...], given: Any, linear: str | None, static: dict[str, Any]) -> None:
        # An operand may have a name that means something else in rules (`y`, the result): then it is the operand.
        renamed = {n: f"{n}_" for n in operands if n in _RESERVED}
        operands = tuple([renamed.get(n, n) for n in operands])
        self.kind = kind
        self.operands = operands
        self.places = {name: i for i, name in enumerate(operands)}
        self.static = static
        self.linear = linear
        self.joint: Any = None
        self.missing = given is None
        self.chooses = op.name in _CHOOSING and is_ours(op)
        self.plain: Any = None
        self.kept: dict[int, tuple[bool, ...]] = {}
        if given is None:
            given = (None,) * len(operands)
        elif not isinstance(given, tuple):
            given = (given,)
        self.each: tuple[tuple[Any, tuple[str, ...]] | None, ...] = tuple(
            [None if rule is None else (rule, tuple([renamed.get(n, n) for n in _names(rule)])) for rule in given]
        )
        self.flat = all(rule == 0 and not callable(rule) for rule in given) and bool(given)
        if any(n.startswith("*") for n in operands):
            self.joint, self.each = (self.each[0] if self.each else None), ()
        elif len(self.each) != len(operands):
            raise TypeError(f"{op.name}: {len(self.each)} derivatives are declared for the operands {', '.join(operands)}")
        self.constants = [rule is not None and not callable(rule[0]) and rule[0] == 0 for rule in self.each]
        taken = {n for rule in self.each if rule is not None for n in rule[1]}
        self.shared = [f"by_{n}" if f"by_{n}" in taken else "" for n in operands]
        known = {*operands, *static, *_RESERVED, *[f"by_{n}" for n in operands]}
        for rule in self.each:
            if rule is not None and not known.issuperset(rule[1]):
                raise TypeError(f"{op.name}: its derivative takes {', '.join(rule[1])}; known are {', '.join(sorted(known))}")

    def other(self, name: str) -> tuple[Any, tuple[str, ...]]:
        """The rule whose result another takes by the name `by_...`."""
        chosen = self.each[self.places[name[3:]]]
        assert chosen is not None, name
        return chosen

    def saves(self, tracked: int, count: int) -> tuple[bool, ...]:
        """Whether the result, and each of `count` operands, is needed when those of the bits `tracked` are differentiated by.

        Remembered in `kept`, for ops that always have as many operands.
        """
        needed = {n for i, rule in enumerate(self.each) if rule is not None and tracked >> i & 1 for n in rule[1]}
        needed.update([n for name in self.operands if f"by_{name}" in needed for n in self.other(f"by_{name}")[1]])
        if self.joint is not None:
            return ("y" in self.joint[1], *["operands" in self.joint[1]] * count)
        operands = tuple([n in needed for n in self.operands])
        hit = self.kept[tracked] = ("y" in needed, *operands)
        return hit


def is_linear(names: tuple[str, ...]) -> bool:
    """Whether a rule for a partial derivative takes the cotangent, or what another rule made of it, and says itself what becomes of it."""
    return names[0] == "g" or names[0].startswith("by_")


def _names(rule: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(rule).parameters) if callable(rule) else ()


def rules_of(op: Op) -> Rules:
    """The rules of an op, made when it is first recorded."""
    if op.rules is None:
        op.rules = _make(op)
    rules: Rules = op.rules
    return rules


def _make(op: Op) -> Rules:
    derivative: Any = getattr(op, "derivative", None)
    if isinstance(op, Engine):
        operands, static = [], {}
        for p in inspect.signature(op.implementation).parameters.values():
            if p.kind is p.KEYWORD_ONLY:
                static[p.name] = None if p.default is p.empty else p.default
            else:
                operands.append(("*" if p.kind is p.VAR_POSITIONAL else "") + p.name)
    elif isinstance(op, Elementwise):
        operands, static = list(op.parameters), {}
    else:
        operands, static = ["x"], dict.fromkeys(["axis", "include_initial"] if op.kind == "scan" else ["axes", "keepdims"])
    if derivative is None and not isinstance(op, Engine) and not is_ours(op):
        from .deriving import derive  # of users' ops, from their source

        names, derivative = derive(op)
        operands = list(names)
    if isinstance(derivative, Vjp):
        return Rules(op, "vjps", tuple(operands), derivative.rule, derivative.linear, static)
    return Rules(op, "fold" if isinstance(op, Reduction) else "partials", tuple(operands), derivative, None, static)
