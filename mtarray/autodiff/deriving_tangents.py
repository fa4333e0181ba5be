"""From the source of a scalar function to the source of its tangent program.

A tangent program runs through the same branches and loops as the function, and computes beside each variable x that depends on what is
differentiated by its tangent dx. What comes out is again the source of a scalar function: it compiles, and is differentiated again. What
does not depend (integers, conditions, other operands) has no tangent; what the result does not need is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .deriving_functions import FIRST_AT_TIES, FLAT, FLAT_BUILTINS, NOT_ANALYTIC, PARTIALS, SEVERAL
from .deriving_syntax import (
    Expression,
    assign,
    call,
    callee,
    define,
    filled,
    has_calls,
    is_outside,
    is_short,
    load,
    names_in,
    negative,
    number,
    or_zero,
    over,
    plus,
    pruned,
    targets_of,
    times,
)

if TYPE_CHECKING:
    from .deriving_program import Program

Flags = tuple[bool, ...]


class Underivable(Exception):
    """What a function does has no derivative that could be derived."""


_FLAT_OPERATORS = (ast.FloorDiv, ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift)


class Function:
    """The transformation of one function, for operands of which the pattern marks those with a tangent."""

    def __init__(self, program: Program, name: str, pattern: Flags) -> None:
        self.program = program
        self.node = program.primal[name]
        self.pattern = pattern
        self.operands = [a.arg for a in self.node.args.args]
        self.taken = {n.id for n in ast.walk(self.node) if isinstance(n, ast.Name)} | set(self.operands) | program.names
        self.assigned = {n.id for n in ast.walk(self.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.active = {o for o, p in zip(self.operands, pattern) if p}
        self._spread()
        self.idle = (set(self.operands) | self.assigned | {"np"}) - self.active
        self.tangent_names = {
            v: self.fresh(f"d{v}") for v in [*self.operands, *sorted(self.assigned - set(self.operands))] if v in self.active
        }
        self.seeds: dict[str, Expression] = {}
        self.block: list[Any] = []
        self.temporaries: set[str] = set()
        self.keeps_values = False

    def fresh(self, base: str) -> str:
        name, n = base, 1
        while name in self.taken:
            n += 1
            name = f"{base}_{n}"
        self.taken.add(name)
        return name

    def refuse(self, node: Any, reason: str) -> Underivable:
        return Underivable(f"{self.node.name}: {reason}: {ast.unparse(node)}")

    # ------------------------------------------------------------------ what depends

    def _spread(self) -> None:
        """Find the variables that may depend: a variable does if one of its assignments does."""
        assignments: list[tuple[Any, Any]] = []
        for n in ast.walk(self.node):
            if isinstance(n, ast.Assign):
                assignments += [(t, n.value) for t in n.targets]
            elif isinstance(n, ast.AugAssign):
                assignments.append((n.target, ast.BinOp(load(n.target.id), n.op, n.value)))  # type: ignore[union-attr]
        size = -1
        while size != len(self.active):
            size = len(self.active)
            for target, e in assignments:
                if isinstance(target, ast.Tuple):
                    self.active |= {t.id for t, a in zip(target.elts, self.depends_each(e)) if a}  # type: ignore[attr-defined]
                elif self.depends(e):
                    self.active.add(target.id)

    def returned(self) -> Flags:
        """Which results depend."""
        flags = [self.depends_each(r.value) for r in ast.walk(self.node) if isinstance(r, ast.Return)]
        return tuple([any(f) for f in zip(*flags)])

    def depends(self, e: Expression) -> bool:
        return any(self.depends_each(e))

    def depends_each(self, e: Expression) -> Flags:
        """Whether an expression depends, by its values."""
        if isinstance(e, ast.Name):
            return (e.id in self.active,)
        if isinstance(e, ast.Tuple):
            return tuple([self.depends(x) for x in e.elts])
        if isinstance(e, ast.BinOp):
            return (not isinstance(e.op, _FLAT_OPERATORS) and (self.depends(e.left) or self.depends(e.right)),)
        if isinstance(e, ast.UnaryOp):
            return (isinstance(e.op, (ast.USub, ast.UAdd)) and self.depends(e.operand),)
        if isinstance(e, ast.IfExp):
            return tuple([x or y for x, y in zip(self.depends_each(e.body), self.depends_each(e.orelse))])
        if isinstance(e, ast.BoolOp):
            return (any(self.depends(v) for v in e.values),)
        if isinstance(e, ast.Attribute):
            return (not is_outside(e) and self.depends(e.value),)
        if isinstance(e, ast.Call):
            return self.call_depends(e)
        return (False,)

    def call_depends(self, e: ast.Call) -> Flags:
        called = callee(e)
        operands = [e.func.value] if called.startswith(".") and isinstance(e.func, ast.Attribute) else e.args
        pattern = tuple([self.depends(a) for a in operands])
        if called in self.program.primal:
            return self.program.activity(called, pattern) if any(pattern) else (False,) * self.program.results(called)
        several = SEVERAL.get(called[5:]) if called.startswith("math.") else None
        if several is not None:
            return tuple([any(pattern) and p not in (None, "0") for p in several])
        if called in FLAT_BUILTINS or (called.startswith("math.") and called[5:] in FLAT):
            if called == "math.sign" and any(pattern):
                self.program.bent.append("sign")
            return (False,)
        if called.startswith("np."):
            return (called[3:6] in ("flo", "com") and any(pattern),)
        if called.startswith("math.") and called[5:] in PARTIALS:
            return (any(p and t != "0" for p, t in zip(pattern, PARTIALS[called[5:]])),)
        return (any(pattern),)

    # ------------------------------------------------------------------ whole functions

    def beside(self, name: str) -> ast.FunctionDef:
        """The function of operands and tangents that returns results and tangents."""
        self.keeps_values = True
        flags = [p and o in self.active for o, p in zip(self.operands, self.pattern)]
        head = [assign(self.tangent_names[o], ast.Constant(0.0)) for o, f in zip(self.operands, flags) if not f and o in self.active]
        body = pruned(head + self.statements(self.node.body), self.temporaries)
        return define(name, [*self.operands, *[self.tangent_names[o] for o, f in zip(self.operands, flags) if f]], body)

    def alone(self, name: str) -> ast.FunctionDef:
        """The function of the operands that returns the tangents alone, where that of the marked operand is 1."""
        head = []
        for o, p in zip(self.operands, self.pattern):
            if o in self.active:
                if o in self.assigned:
                    head.append(assign(self.tangent_names[o], ast.Constant(1.0 if p else 0.0)))
                else:
                    self.seeds[o] = ast.Constant(1.0)
        body = pruned(head + self.statements(self.node.body), self.temporaries)
        return define(name, self.operands, body)

    # ------------------------------------------------------------------ statements

    def statements(self, body: Sequence[Any]) -> list[Any]:
        outer, self.block = self.block, []
        for s in body:
            self.statement(s)
        made, self.block = self.block, outer
        return made

    def statement(self, s: Any) -> None:
        if isinstance(s, ast.Return):
            self.give_back(s.value)
        elif isinstance(s, ast.Assign):
            self.assign(s)
        elif isinstance(s, ast.AugAssign):
            if isinstance(s.target, ast.Name) and s.target.id in self.active:
                self.assign(ast.Assign([s.target], ast.BinOp(load(s.target.id), s.op, s.value)))
            else:
                self.block.append(s)
        elif isinstance(s, ast.If):
            self.block.append(ast.If(s.test, self.statements(s.body) or [ast.Pass()], self.statements(s.orelse)))
        elif isinstance(s, ast.While):
            self.block.append(ast.While(s.test, self.statements(s.body), self.statements(s.orelse)))
        elif isinstance(s, ast.For):
            self.block.append(ast.For(s.target, s.iter, self.statements(s.body), self.statements(s.orelse)))
        else:
            self.block.append(s)

    def give_back(self, e: Expression) -> None:
        count = self.program.count(e)
        if isinstance(e, ast.IfExp) and count > 1:
            self.statement(ast.If(e.test, [ast.Return(e.body)], [ast.Return(e.orelse)]))
            return
        values = self.several(e, count)
        if self.keeps_values:
            flags = self.returned()
            out = [p for p, _ in values] + [or_zero(d) for (_, d), f in zip(values, flags) if f]
        else:
            out = [or_zero(d) for _, d in values]
        self.block.append(ast.Return(out[0] if len(out) == 1 else ast.Tuple(out, ast.Load())))

    def several(self, e: Expression, count: int) -> list[tuple[Expression, Expression]]:
        """The values of an expression, with their tangents."""
        if isinstance(e, ast.Tuple):
            return [self.both(x) for x in e.elts]
        if count == 1:
            return [self.both(e)]
        if isinstance(e, ast.IfExp):
            names = [(self.fresh("t"), self.fresh("dt")) for _ in range(count)]
            blocks = []
            for branch in (e.body, e.orelse):
                outer, self.block = self.block, []
                values = self.several(branch, count)
                for (t, dt), (p, d) in zip(names, values):
                    self.block += [assign(t, p), assign(dt, or_zero(d))]
                blocks.append(self.block)
                self.block = outer
            self.block.append(ast.If(e.test, *blocks))
            return [(load(t), load(dt)) for t, dt in names]
        if isinstance(e, ast.Call):
            called = callee(e)
            if called in self.program.primal:
                return self.call(e, called, count)
            return self.call_several(e, called[5:], count)
        raise self.refuse(e, "it keeps several values in one variable")

    def assign(self, s: ast.Assign) -> None:
        targets = s.targets
        if not self.active.intersection(targets_of(s)):
            self.block.append(s)
            return
        first = targets[0]
        if len(targets) == 1 and isinstance(first, ast.Name):
            if self.program.count(s.value) > 1:
                raise self.refuse(s, "it keeps several values in one variable")
            p, d = self.both(s.value)
            self.block += [assign(self.tangent_names[first.id], or_zero(d)), assign(first.id, p)]
            return
        for target in targets:  # all values are made before the first variable changes
            elements: list[Any] = target.elts if isinstance(target, ast.Tuple) else [target]
            values = self.several(s.value, len(elements))
            values = [(p, d if t.id in self.active else None) for t, (p, d) in zip(elements, values)]
            stores = [t.id for t in elements] + [self.tangent_names[t.id] for t in elements if t.id in self.active]
            made = [p for p, _ in values] + [or_zero(d) for t, (_, d) in zip(elements, values) if t.id in self.active]
            left = ast.Tuple([ast.Name(n, ast.Store()) for n in stores], ast.Store())
            self.block.append(ast.Assign([left], ast.Tuple(made, ast.Load())))

    # ------------------------------------------------------------------ expressions

    def both(self, e: Expression) -> tuple[Expression, Expression]:
        """An expression for the value, and one for the tangent (None: 0); what they need beside variables is put into the block."""
        if not self.depends(e):
            return e, None
        if isinstance(e, ast.Name):
            return load(e.id), self.seeds[e.id] if e.id in self.seeds else load(self.tangent_names[e.id])
        if isinstance(e, ast.UnaryOp):
            p, d = self.both(e.operand)
            return ast.UnaryOp(e.op, p), negative(d) if isinstance(e.op, ast.USub) else d
        if isinstance(e, ast.BinOp):
            return self.operation(e)
        if isinstance(e, ast.IfExp):
            return self.choice(e.test, e.body, e.orelse)
        if isinstance(e, ast.BoolOp):
            rest = e.values[1] if len(e.values) == 2 else ast.BoolOp(e.op, e.values[1:])
            yes, no = (rest, e.values[0]) if isinstance(e.op, ast.And) else (e.values[0], rest)
            return self.choice(e.values[0], yes, no)
        if isinstance(e, ast.Attribute):
            self.program.bent.append(f".{e.attr}")
            p, d = self.both(e.value)
            return ast.Attribute(p, e.attr, ast.Load()), d if e.attr == "real" else None
        if isinstance(e, ast.Call):
            return self.called(e)
        raise self.refuse(e, "its derivative is not known")

    def atom(self, e: Expression) -> Expression:
        """What may be written more than once."""
        if isinstance(e, ast.Name) or number(e) is not None or is_short(e):
            return e
        if not has_calls(e) and names_in(e) <= self.idle:
            return e  # of constants and counters: a variable for an integer would be taken for a number of the computation
        t = self.fresh("t")
        self.temporaries.add(t)
        self.block.append(assign(t, e))
        return load(t)

    def operation(self, e: ast.BinOp) -> tuple[Expression, Expression]:
        (a, da), (b, db) = self.both(e.left), self.both(e.right)
        op = e.op
        if isinstance(op, (ast.Add, ast.Sub)):
            return ast.BinOp(a, op, b), plus(da, db if isinstance(op, ast.Add) else negative(db))
        if isinstance(op, ast.Mult):
            if db is not None:
                a = self.atom(a)
            if da is not None:
                b = self.atom(b)
            return ast.BinOp(a, op, b), plus(times(da, b), times(a, db))
        if isinstance(op, ast.Div):
            b = self.atom(b)
            if db is None:
                return ast.BinOp(a, op, b), over(da, b)
            y = self.atom(ast.BinOp(a, op, b))
            return y, over(plus(da, negative(times(y, db))), b)
        if isinstance(op, ast.Mod):
            self.program.bent.append("%")
            a, b = (self.atom(a), self.atom(b)) if db is not None else (a, b)
            whole = ast.BinOp(a, ast.FloorDiv(), b)
            return ast.BinOp(a, op, b), plus(da, negative(times(whole, db)))
        if isinstance(op, ast.Pow):
            return self.power(a, da, b, db)
        raise self.refuse(e, "its derivative is not known")

    def power(self, a: Expression, da: Expression, b: Expression, db: Expression) -> tuple[Expression, Expression]:
        a, b = self.atom(a), self.atom(b)
        n = number(b)
        y: Expression = ast.BinOp(a, ast.Pow(), b)
        if db is None and n is not None and not isinstance(n, complex):
            if n == 0:
                return y, None
            lower = a if n == 2 else ast.BinOp(a, ast.Pow(), ast.Constant(n - 1))
            return y, times(times(ast.Constant(float(n)), ast.Constant(1.0) if n == 1 else lower), da)
        d = None
        values = {"a": a, "b": b}
        if da is not None:
            d = times(filled("(b * a ** (b - 1) if b != 0 else 0.0)", values), da)
        if db is not None:
            y = self.atom(y)
            d = plus(d, times(filled("(y * math.log(a) if a != 0 else 0.0)", values | {"y": y}), db))
        return y, d

    def choice(self, test: Expression, yes: Expression, no: Expression) -> tuple[Expression, Expression]:
        outer = self.block
        first: list[Any] = []
        second: list[Any] = []
        self.block = first
        p, d = self.both(yes)
        self.block = second
        q, e = self.both(no)
        self.block = outer
        if not first and not second and not has_calls(test):
            return ast.IfExp(test, p, q), ast.IfExp(test, or_zero(d), or_zero(e))
        t, dt = self.fresh("t"), self.fresh("dt")
        first += [assign(t, p), assign(dt, or_zero(d))]
        second += [assign(t, q), assign(dt, or_zero(e))]
        self.block.append(ast.If(test, first, second))
        return load(t), load(dt)

    def called(self, e: ast.Call) -> tuple[Expression, Expression]:
        called = callee(e)
        if called in self.program.primal:
            return self.call(e, called, 1)[0]
        if called == ".conjugate" and isinstance(e.func, ast.Attribute):
            self.program.bent.append(called)
            p, d = self.both(e.func.value)
            return ast.Call(ast.Attribute(p, "conjugate", ast.Load()), [], []), d
        made = [self.both(a) for a in e.args]
        if called in ("float", "complex") or called.startswith("np."):
            if called == "float" or called.startswith("np.float"):
                self.program.bent.append(called)
            return ast.Call(e.func, [p for p, _ in made], []), ast.Call(e.func, [or_zero(d) for _, d in made], [])
        if called in ("max", "min"):
            return self.extreme(called, made)
        if called == "abs":
            self.program.bent.append("abs")
            a = self.atom(made[0][0])
            return ast.Call(e.func, [a], []), times(filled("math.sign(a)", {"a": a}), made[0][1])
        name = called[5:] if called.startswith("math.") else ""
        if name == "pow" and len(made) == 2:
            return self.power(*made[0], *made[1])
        partials = PARTIALS.get(name)
        if partials is None or len(partials) != len(made):
            raise self.refuse(e, "its derivative is not known")
        if self.program.folds:
            partials = FIRST_AT_TIES.get(name, partials)
        if name in NOT_ANALYTIC:
            self.program.bent.append(name)
        values: dict[str, Any] = {}
        for letter, (p, _) in zip("abc", made):
            used = any(d is not None and re.search(rf"\b{letter}\b", t) for t, (_, d) in zip(partials, made))
            values[letter] = self.atom(p) if used else p
        if "digamma" in "".join(partials):
            values["digamma"] = load(self.program.special("digamma"))
        y: Expression = ast.Call(e.func, [values[x] for x in "abc"[: len(made)]], [])
        if any(d is not None and re.search(r"\by\b", t) for t, (_, d) in zip(partials, made)):
            y = values["y"] = self.atom(y)
        total = None
        for t, (_, d) in zip(partials, made):
            if d is not None and t != "0":
                total = plus(total, times(filled(t, values), d))
        return y, total

    def extreme(self, called: str, made: list[tuple[Expression, Expression]]) -> tuple[Expression, Expression]:
        """max or min of several: that of two, and so on."""
        (a, da), *rest = made
        partials = (FIRST_AT_TIES if self.program.folds else PARTIALS)["maximum" if called == "max" else "minimum"]
        for b, db in rest:
            a, b = self.atom(a), self.atom(b)
            values = {"a": a, "b": b}
            d = plus(*[times(filled(t, values), x) for t, x in zip(partials, (da, db))])
            a, da = call(called, [a, b]), d
        return a, da

    def call(self, e: ast.Call, name: str, count: int) -> list[tuple[Expression, Expression]]:
        """A call of another scalar function: that of its tangent program, which returns values and tangents."""
        made = [self.both(a) for a in e.args]
        pattern = tuple([d is not None for _, d in made])
        new, flags = self.program.tangents(name, pattern)
        self.taken.add(new)
        stem = "t"
        values = [self.fresh(stem) for _ in range(count)]
        tangents = [self.fresh(f"d{stem}") if f else "" for f in flags]
        left = ast.Tuple([ast.Name(n, ast.Store()) for n in [*values, *[t for t in tangents if t]]], ast.Store())
        operands = [p for p, _ in made] + [d for _, d in made if d is not None]
        self.block.append(ast.Assign([left], call(new, operands)))
        return [(load(v), load(t) if t else None) for v, t in zip(values, tangents)]

    def call_several(self, e: ast.Call, name: str, count: int) -> list[tuple[Expression, Expression]]:
        ((p, d),) = [self.both(a) for a in e.args]
        names = [self.fresh("t") for _ in range(count)]
        left = ast.Tuple([ast.Name(n, ast.Store()) for n in names], ast.Store())
        self.block.append(ast.Assign([left], ast.Call(e.func, [p], [])))
        values = {f"y{i}": load(n) for i, n in enumerate(names)}
        return [(load(n), None if t in (None, "0") else times(filled(t, values), d)) for n, t in zip(names, SEVERAL[name])]
