"""Scalar functions as source: read one, check that it can be compiled, and paste it into a generated kernel.

A kernel file must contain everything it depends on (see `build.py`), so a scalar function is not imported by its kernel: its
source is read, freed of decorators, docstring and annotations, its captured constants become literals, the functions it calls
are pasted before it, and its calls into `math` go to our own `scalarlib`, which vectorises.
"""

import ast
import functools
import hashlib
import os
import threading

import numpy as np

from .source_literals import Literals, integer_names, literal_dtype
from .source_math import SCALARLIB, Reference, library
from .source_reading import clone, is_math, name_of, read, refuse, returns

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Scalar:
    """A scalar Python function as material for kernels.

    `function` takes and returns numbers (or returns a tuple of numbers); it may use arithmetic, comparisons, `if`, loops over
    `range`, `while`, functions of `math`, `cmath` or NumPy by name, numbers captured from outside, other such functions, and
    mtarray declarations (anything with an attribute `scalar`). Captured numbers count with the value they have when the source
    is first read. `math` names the module that serves its mathematical functions in generated code. Nothing is read before the
    first use of another attribute; a function that cannot be compiled raises TypeError naming it, its line and the reason then.
    """

    def __init__(self, function, math=SCALARLIB):
        self.function = function
        self.math = math
        self._pasted = {}

    @property
    def scalar(self):
        """The function, under the name that declarations have it: one may call another."""
        return self.function

    def __repr__(self):
        return f"Scalar({name_of(self.function)})"

    @functools.cached_property
    def _units(self):
        """The functions to paste, helpers before their callers; the last one is the function itself."""
        with _lock:
            units, active = {}, []
            read(self.function, units, active)
            return tuple(units.values())

    @property
    def _main(self):
        return self._units[-1]

    @property
    def nin(self):
        """Number of operands."""
        return len(self._main.node.args.args)

    @functools.cached_property
    def nout(self):
        """Number of results: the length of the tuple it returns, else 1."""
        counts = {len(r.value.elts) if isinstance(r.value, ast.Tuple) else 1 for r in returns(self._main.node)}
        if len(counts) != 1:
            refuse(self._main.function, self._main.node, f"its return statements give different numbers of results: {sorted(counts)}")
        return counts.pop()

    @functools.cached_property
    def names_used(self):
        """Names of the mathematical functions that it and its helpers call."""
        return frozenset().union(*(u.math_names for u in self._units))

    @functools.cached_property
    def rare(self):
        """Those of `names_used` whose fast core holds in a range only and gives NaN outside (`scalarlib.RARE`)."""
        return self.names_used & frozenset(getattr(library(self.math), "RARE", ())) if self.names_used else frozenset()

    @functools.cached_property
    def single_call(self):
        """Name of the mathematical function when all it does is `return math.name(its operands in order)`, else None."""
        body = self._main.node.body
        if len(body) != 1 or not isinstance(body[0], ast.Return) or not isinstance(body[0].value, ast.Call):
            return None
        call = body[0].value
        operands = [a.arg for a in self._main.node.args.args]
        if not is_math(call.func) or [a.id if isinstance(a, ast.Name) else None for a in call.args] != operands:
            return None
        return call.func.attr

    @functools.cached_property
    def digest(self):
        """Hash of everything that decides what it computes: its source, helpers, captured constants, the math module's name."""
        text = "\n".join(ast.unparse(u.node) for u in self._units)
        return hashlib.sha256(f"{self.math}\n{text}".encode()).hexdigest()[:16]

    @functools.cached_property
    def python(self):
        """The uncompiled function, its mathematical functions replaced by IEEE-safe ones; a debugger shows the original lines."""
        space = {"math": Reference(), "np": np}
        for unit in self._units:
            node = _Operators(_PYTHON_OPERATORS).visit(clone(unit.node))
            node.name = unit.name
            code = compile(ast.fix_missing_locations(ast.Module([node], [])), unit.function.__code__.co_filename, "exec")
            exec(code, space)
        return space[self._main.name]

    def paste(self, name, dtypes, complete=True, device=False):
        """Source that defines the Numba function `name` for operands of `dtypes` (one per operand), `device`: one of Numba's CUDA target.

        Float and integer literals take the type of the computation, so that float32 stays float32 and uint64 stays uint64.
        `complete=False` takes the fast cores of `scalarlib.RARE` functions, which give NaN outside their range.
        """
        dtypes = tuple(np.dtype(d) for d in dtypes)
        key = (name, dtypes, complete, device)
        hit = self._pasted.get(key)
        if hit is None:
            if len(dtypes) != self.nin:
                raise TypeError(f"{name_of(self.function)} takes {self.nin} operands, got {len(dtypes)} dtypes")
            hit = self._pasted[key] = self._render(name, dtypes, complete, device)
        return hit

    def _render(self, name, dtypes, complete, device):
        divides = any(isinstance(n, tuple(_OPERATORS)) for u in self._units for n in ast.walk(u.node))
        math = library(self.math) if self.names_used or divides else None
        operators = _OPERATORS if divides and library(f"{self.math}.operators") else {}
        rare = self.rare if complete else frozenset()
        literal = literal_dtype(dtypes)
        lines = ["import math as _pymath", "import numpy as np", f"from numba import {'cuda as _cuda' if device else 'njit as _njit'}"]
        if any(hasattr(math, n) for n in self.names_used):
            lines.append(f"from {self.math.rpartition('.')[0]} import {self.math.rpartition('.')[2]} as math")
        if rare:
            lines.append(f"from {self.math} import full as _full")
        if operators:
            lines.append(f"from {self.math} import operators as _operators")
        renamed = {u.name: f"{name}__{u.name}" for u in self._units[:-1]}
        renamed[self._main.name] = name
        for unit in self._units:
            node = clone(unit.node)
            integers = integer_names(node, dtypes if unit is self._main else (), literal)
            node = Literals(literal, integers).visit(node)
            node = _Operators(operators).visit(_Bind(math, rare, renamed).visit(node))
            node.name = renamed[unit.name]
            # Nobody calls them from Python. A helper whose loop ends by its data vectorises nowhere, so inlining it only costs compilation.
            inline = unit is self._main or not any(isinstance(n, (ast.While, ast.Break)) for n in ast.walk(node))
            options = f"forceinline={inline}, error_model='numpy', no_cpython_wrapper=True, no_cfunc_wrapper=True"
            jit = f"_cuda.jit(device=True, forceinline={inline})" if device else f"_njit({options})"
            lines += ["", "", f"@{jit}", ast.unparse(ast.fix_missing_locations(node))]
        return "\n".join(lines) + "\n"


class _Bind(ast.NodeTransformer):
    """Point `math.<name>` at the library that has it and helpers at their pasted names."""

    def __init__(self, library, rare, renamed):
        self.library, self.rare, self.renamed = library, rare, renamed

    def visit_Attribute(self, node):
        if is_math(node):
            owner = "_full" if node.attr in self.rare else "math" if hasattr(self.library, node.attr) else "_pymath"
            return ast.copy_location(ast.Attribute(ast.Name(owner, ast.Load()), node.attr, node.ctx), node)
        return self.generic_visit(node)

    def visit_Name(self, node):
        return ast.copy_location(ast.Name(self.renamed.get(node.id, node.id), node.ctx), node)


# Operators that functions serve. Compiled: Numba's raise where NumPy's give infinities, or leave the operands' type; as Python: NumPy's
# raise for negative powers of integers, and have other values for complex numbers that are not finite.
_OPERATORS = {
    ast.Div: ("_operators", "divide"),
    ast.FloorDiv: ("_operators", "floor_quotient"),
    ast.Mod: ("_operators", "modulo"),
    ast.Pow: ("_operators", "power_of"),
}
_PYTHON_OPERATORS = {ast.Div: ("math", "divide"), ast.Pow: ("math", "power_of")}


class _Operators(ast.NodeTransformer):
    """Put the functions of `served` (operator: (module, name)) in the place of operators."""

    def __init__(self, served):
        self.served = served

    def _call(self, node, operands):
        module, name = self.served[type(node.op)]
        return ast.copy_location(ast.Call(ast.Attribute(ast.Name(module, ast.Load()), name, ast.Load()), operands, []), node)

    def visit_BinOp(self, node):
        node = self.generic_visit(node)
        return self._call(node, [node.left, node.right]) if type(node.op) in self.served else node

    def visit_AugAssign(self, node):
        node = self.generic_visit(node)
        if type(node.op) not in self.served:
            return node
        before = ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
        return ast.copy_location(ast.Assign([node.target], self._call(node, [before, node.value])), node)
