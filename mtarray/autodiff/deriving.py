"""Derivatives of users' ops, derived from the source of their scalar functions.

Each partial derivative is declared as an op of its own, by the source of a scalar function. So it is compiled, broadcasts, runs in
parallel as the op itself does, and its derivative is derived in the same way when it is asked for.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from .._array import Array
from .._dtypes import FLOATING, WEAK_KIND, DType, float64
from .._operands import names
from .._ops import OF_SCALAR, Elementwise, Op, Reduction, Vjp, elementwise, is_ours
from .deriving_program import Program
from .deriving_syntax import constant
from .deriving_tangents import Underivable

_texts: weakref.WeakKeyDictionary[Op, list[tuple[str, str]]] = weakref.WeakKeyDictionary()  # what `source("derivative")` shows


def derive(op: Op) -> tuple[tuple[str, ...], Any]:
    """The names of the operands (x0, x1, ...), as the rules know them, and the derivative: what a declaration could hold.

    What cannot be derived raises NoDerivativeError when the derivative is wanted.
    """
    _texts[op] = []
    if isinstance(op, Reduction):
        from .deriving_folds import derive_reduction, derive_scan

        return ("x",), (derive_reduction if op.kind == "reduction" else derive_scan)(op)
    if not isinstance(op, Elementwise):
        return op.parameters, None
    operands = tuple([f"x{i}" for i in range(op.nin)])
    if not any(d in FLOATING for d in op.dtypes):
        return operands, None
    if op.compares:
        return operands, (0,) * op.nin
    rules = tuple([Partial(op, i).rule() for i in range(op.nin)])
    return operands, rules if op.nout == 1 else Vjp(rules)


class Partial:
    """The partial derivative of the results of a declared op by one of its operands.

    number: if it is that everywhere. function: else the declared op that computes it, of the operands `used`. error: why there is none.
    """

    def __init__(self, op: Any, operand: int, folds: bool = False) -> None:
        self.op = op
        self.number: Any = None
        self.function: Any = None
        self.used: tuple[int, ...] = (operand,)
        self.error: str | None = None
        self.parameters = [a.arg for a in op.scalar._units[-1].node.args.args]
        self.title = f"{op.name}, by {self.parameters[operand]}"
        try:
            self._derive(operand, folds)
        except (Underivable, TypeError) as refusal:  # a TypeError: what was derived cannot be compiled
            self.error = f"{self.title}: no derivative could be derived from the source ({refusal}); declare it with derivative="
            _texts.setdefault(op, []).append((self.title, f"# {self.error}\n"))

    def _derive(self, operand: int, folds: bool) -> None:
        op = self.op
        program = Program(declared_op, folds)
        name = program.include(op.scalar)
        made = program.derivative(name, operand, f"{op.name}_by_{self.parameters[operand]}")
        complex_too = any(d.kind == "c" for d in op.dtypes)
        bent = list(dict.fromkeys(program.bent)) if complex_too else []
        number = constant(made)
        if number is not None and not bent:
            self.number = number
            _texts.setdefault(op, []).append((self.title, f"# {number}\n"))
            return
        loaded = {n.id for n in ast.walk(made) if isinstance(n, ast.Name)}
        used = list(range(len(self.parameters)))
        as_declared = bent or (isinstance(op, Elementwise) and op.rule is not None)
        if not as_declared:  # what the derivative does not need the tape need not keep
            used = [i for i, p in enumerate(self.parameters) if p in loaded] or [operand]
            made.args.args = [made.args.args[i] for i in used]
        self.used = tuple(used)
        text = program.text()
        self.function = self._declare(made.name, text, program.outside, _rule(op, bent) if as_declared else None)
        _texts.setdefault(op, []).append((self.title, text))

    def _declare(self, name: str, text: str, outside: dict[str, Any], rule: Any) -> Any:
        # Of ours it is as a user's: read at once, and its own derivative is derived.
        function = defined(name, text, f"derived.{self.op.section}" if is_ours(self.op) else self.op.section, outside)
        dtypes = tuple([d for d in self.op.dtypes if d in FLOATING])
        return elementwise(dtypes=dtypes, rule=rule)(function)

    def __call__(self, *operands: Any) -> Any:
        """The partial derivative (of several results a tuple), from all the operands."""
        return self.of_used(*[operands[i] for i in self.used])

    def of_used(self, *operands: Any) -> Any:
        if self.error is not None:
            from .sweep import NoDerivativeError

            raise NoDerivativeError(self.error)
        if self.function is None:
            return self.number
        if all(x.__class__ in WEAK_KIND for x in operands):  # of numbers a number, which has the dtype of what it meets
            found = self.function.op.scalar.python(*[np.asarray(x)[()] for x in operands])
            return tuple([v.item() for v in map(np.asarray, found)]) if isinstance(found, tuple) else np.asarray(found).item()
        return self.function(*operands)

    def rule(self) -> Any:
        """What a declaration holds for this operand."""
        if self.op.nout > 1:
            return _named(self._several, ["g", *[f"x{i}" for i in self.used]])
        if self.function is None and self.error is None:
            return self.number
        return _named(self.of_used, [f"x{i}" for i in self.used])

    def _several(self, g: Any, *operands: Any) -> Any:
        """The cotangent of the operand, from those of the results (None where there is none)."""
        from .._array import xp

        total = None
        for each, p in zip(g, self.of_used(*operands)):
            if each is not None:
                d = each * (p.conjugate() if isinstance(p, complex) else xp.conj(p) if p.__class__ is Array and p.dtype.kind == "c" else p)
                total = d if total is None else total + d
        return total


def _named(function: Callable[..., Any], parameters: list[str]) -> Callable[..., Any]:
    """A function of positional operands with these names, which tell the tape what to keep."""

    def rule(*operands: Any) -> Any:
        return function(*operands)

    positional = [inspect.Parameter(p, inspect.Parameter.POSITIONAL_ONLY) for p in parameters]
    rule.__signature__ = inspect.Signature(positional)  # type: ignore[attr-defined]
    return rule


def _rule(op: Any, bent: list[str]) -> Callable[[tuple[Any, ...]], Any]:
    """The dtypes of a partial derivative of all operands: those of the op; where the op is not analytic, none for complex numbers."""

    def rule(key: tuple[Any, ...]) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
        ins, outs, *_ = op._standard_rule(key) if op.rule is None else op.rule(key)
        if bent and any(d.kind == "c" for d in ins):
            raise TypeError(
                f"{op.name}: with {', '.join(bent)} it is not analytic, so it has no complex derivative ({names(ins)}); "
                "declare derivative=mtarray.autodiff.Vjp(...)"
            )
        return ins, tuple([d if d in FLOATING else float64 for d in outs])

    return rule


def declared_op(function: Any) -> Elementwise | None:
    """The declared op whose scalar function this is, if its derivative is given by hand and is what its source does not tell."""
    op = OF_SCALAR.get(id(function))
    if op is None or op.derivative is None or isinstance(op.derivative, Vjp):
        return None
    # Our own sections but `special` call `math`, whose derivatives are known as source; theirs are array code.
    return op if not is_ours(op) or op.section.startswith("mtarray.special") else None


def defined(name: str, text: str, module: str, outside: dict[str, Any]) -> Callable[..., Any]:
    """The function called `name` of a generated module, whose source can be read as that of a file can."""
    count = 1
    while True:
        path = f"<mtarray: {name}{'' if count == 1 else f' ({count})'} of {module}>"
        known = linecache.cache.get(path)
        if known is None or known[2] == text.splitlines(keepends=True):  # type: ignore[misc]
            break
        count += 1
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    space: dict[str, Any] = {"__name__": module, **outside}
    exec(compile(text, path, "exec", dont_inherit=True), space)
    function: Callable[..., Any] = space[name]
    function.__doc__ = f"Derived from {name.rpartition('_by_')[0]}."
    return function


def note(op: Op, title: str, text: str) -> None:
    """Add to what `source("derivative")` shows."""
    _texts.setdefault(op, []).append((title, text))


def source_of(op: Any) -> str:
    """The derivative of an op as text: derived source, or the declaration's."""
    from .rules import rules_of

    if getattr(op, "derivative", None) is not None:
        given = op.derivative.rule if isinstance(op.derivative, Vjp) else op.derivative
        parts = given if isinstance(given, tuple) else (given,)
        return "\n".join([inspect.getsource(p).strip() if inspect.isfunction(p) else f"# {p}" for p in parts]) + "\n"
    rules_of(op)
    found = _texts.get(op)
    if not found:
        raise ValueError(f"{op.name} has no derivative")
    return "\n".join([f"# {title}\n{text}" for title, text in found])
