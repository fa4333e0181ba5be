"""Modules of derived functions: a function of the user's with its helpers, and the tangent programs that are made of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from .._kernels.source import Scalar
from .._kernels.source_reading import clone
from .deriving_functions import SEVERAL
from .deriving_syntax import Expression, assign, call, callee, define, load, or_zero, plus, times
from .deriving_tangents import Flags, Function, Underivable


class Program:
    """Functions that a generated module holds, in the order of their definitions, and what it takes from outside.

    op_of: for a plain function the declared op that it is the scalar function of, if that has a derivative given by hand, else None.
    folds: whether it is for a fold, where ties between operands go to the first.
    bent: what it does that is not analytic, which matters for complex numbers only.
    """

    def __init__(self, op_of: Callable[[Any], Any], folds: bool = False) -> None:
        self.op_of = op_of
        self.folds = folds
        self.bent: list[str] = []
        self.primal: dict[str, ast.FunctionDef] = {}  # checked functions of the user, by their names here
        self.declared: dict[str, Any] = {}  # and the declared op that each is the scalar function of, or None
        self.made: dict[str, ast.FunctionDef] = {}  # tangent programs
        self.outside: dict[str, Any] = {}  # declared ops that are called
        self.memo: dict[tuple[str, Flags], tuple[str, Flags]] = {}
        self.flags: dict[tuple[str, Flags], Flags] = {}
        self.names: set[str] = {"math", "np"}
        self.names_of: dict[Any, str] = {}

    def free(self, base: str) -> str:
        """A name that nothing has yet."""
        name, n = base, 1
        while name in self.names:
            n += 1
            name = f"{base}_{n}"
        self.names.add(name)
        return name

    def include(self, scalar: Scalar) -> str:
        """Take over a function with its helpers; returns its name here."""
        local: dict[str, str] = {}
        name = ""
        for unit in scalar._units:
            name = self.names_of.get(unit.function, "")
            if not name:
                base = re.sub(r"^(_\d+_)+", "", unit.name)
                name = self.names_of[unit.function] = self.free("partial" if base == "lambda" else base)
                node = _Renamed(local).visit(clone(unit.node))
                node.name = name
                self.primal[name] = node
                self.declared[name] = self.op_of(unit.function)
                self.names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {a.arg for a in node.args.args}
            local[unit.name] = name
        return name

    def special(self, name: str) -> str:
        """The name here of a declared op of `mtarray.special`."""
        from .. import special

        op = getattr(special, name)
        for known, value in self.outside.items():
            if value is op:
                return known
        new = self.free(name)
        self.outside[new] = op
        return new

    def results(self, name: str) -> int:
        """Number of results of a function."""
        for r in ast.walk(self.primal[name]):
            if isinstance(r, ast.Return):
                return self.count(r.value)
        return 1

    def count(self, e: Expression) -> int:
        """Number of values of an expression."""
        if isinstance(e, ast.Tuple):
            return len(e.elts)
        if isinstance(e, ast.IfExp):
            return self.count(e.body)
        called = callee(e)
        if called in self.primal:
            return self.results(called)
        return len(SEVERAL[called[5:]]) if called.startswith("math.") and called[5:] in SEVERAL else 1

    def activity(self, name: str, pattern: Flags) -> Flags:
        """Which results of a function depend on the operands that the pattern marks."""
        flags = self.flags.get((name, pattern))
        if flags is None:
            if self.declared[name] is None:
                flags = Function(self, name, pattern).returned()
            else:
                flags = (any(p and not _is_zero(r) for p, r in zip(pattern, _partials_of(self.declared[name]))),)
            self.flags[name, pattern] = flags
        return flags

    def tangents(self, name: str, pattern: Flags) -> tuple[str, Flags]:
        """The function that returns the results of another one with the tangents of those that depend: its name, and which do.

        It takes the operands, then the tangents of those that the pattern marks.
        """
        hit = self.memo.get((name, pattern))
        if hit is None:
            flags = self.activity(name, pattern)
            new = self.free(f"d_{name}")
            declared = self.declared[name]
            if declared is None:
                self.made[new] = Function(self, name, pattern).beside(new)
            else:
                self.made[new] = self._by_rules(name, new, declared, pattern)
            hit = self.memo[name, pattern] = (new, flags)
        return hit

    def _by_rules(self, name: str, new: str, op: Any, pattern: Flags) -> ast.FunctionDef:
        """The same of a declared op whose derivative is given by hand: by its partial derivatives, if they read as scalar functions."""
        operands = [a.arg for a in self.primal[name].args.args]
        tangents = [f"d{o}" for o, p in zip(operands, pattern) if p]
        total: Expression = None
        rules = _partials_of(op)
        for i, (operand, p) in enumerate(zip(operands, pattern)):
            if not p:
                continue
            rule = rules[i]
            if rule is None:
                raise Underivable(f"{op.name} has no derivative by {operand}")
            partial: Expression
            if op.name == "digamma" and op.section.startswith("mtarray.special"):  # its own rule is array code
                partial = call(self.special("polygamma"), [ast.Constant(1.0), load(operand)])
            elif callable(rule):
                try:
                    scalar = Scalar(getattr(rule, "scalar", rule))
                    takes = [a.arg for a in scalar._units[-1].node.args.args]
                    given = {"y": load("y_"), "g": ast.Constant(1.0)} | {o: load(o) for o in operands}
                    partial = call(self.include(scalar), [given[t] for t in takes])
                except TypeError as error:
                    raise Underivable(
                        f"it calls {op.name}, whose derivative is declared by functions of arrays that cannot be read as scalar functions "
                        f"({error}); declare the derivative of this op too"
                    ) from error
            else:
                partial = ast.Constant(rule)
            total = plus(total, times(partial, load(f"d{operand}")))
        body: list[Any] = [assign("y_", call(name, [load(o) for o in operands]))]
        body.append(ast.Return(ast.Tuple([load("y_"), or_zero(total)], ast.Load())))
        return define(new, [*operands, *tangents], body)

    def derivative(self, name: str, operand: int, new: str) -> ast.FunctionDef:
        """The function of the same operands that returns the partial derivatives of all results by one operand; called `new`."""
        pattern = tuple([i == operand for i in range(len(self.primal[name].args.args))])
        made = Function(self, name, pattern).alone(self.free(new))
        self.made[made.name] = made
        return made

    def text(self) -> str:
        """The module, without what nothing calls; the last function of `made` is what it is for."""
        last = list(self.made)[-1]
        needed, todo = {last}, [last]
        while todo:
            node = self.made.get(todo[-1]) or self.primal[todo[-1]]
            todo.pop()
            for n in ast.walk(node):
                if isinstance(n, ast.Name) and n.id not in needed and (n.id in self.primal or n.id in self.made or n.id in self.outside):
                    needed.add(n.id)
                    declared = self.declared.get(n.id)
                    if declared is not None:
                        self.outside[n.id] = declared.function
                    elif n.id not in self.outside:
                        todo.append(n.id)
        self.outside = {n: value for n, value in self.outside.items() if n in needed}
        lines = ["import math", "import numpy as np"]
        texts = []
        for node in [*self.primal.values(), *self.made.values()]:
            if node.name in needed and node.name not in self.outside:
                texts.append(ast.unparse(ast.fix_missing_locations(node)))
        lines += [f"# {name} is {value.__module__}.{value.__name__}" for name, value in self.outside.items()]
        return "\n\n\n".join(["\n".join(lines), *texts]) + "\n"


def _partials_of(op: Any) -> tuple[Any, ...]:
    given = op.derivative
    return given if isinstance(given, tuple) else (given,)


def _is_zero(rule: Any) -> bool:
    return rule is not None and not callable(rule) and rule == 0


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)
