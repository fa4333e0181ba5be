"""Declarations: one decorated function is an op. The registry holds them all; tests, pages and `warmup` iterate over it."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any, overload

import numpy as np

from . import _dispatch, _fold, _into
from ._array import Array
from ._config import config, is_strict
from ._dtypes import FLOATING, INTEGER_OR_BOOL, NUMERIC, REAL_FLOATING, SIGNED, UNSIGNED, DType, dtype_of, float64, float_of, int64, uint64
from ._dtypes import bool as bool_
from ._kernels import settings
from ._operands import check_strict, common, lift, names
from ._signatures import Accumulation, Declares, Fold, Scan

REGISTRY: dict[str, Op] = {}
_ALIVE: weakref.WeakSet[Op] = weakref.WeakSet()  # also those whose names others took: functions may make ops of one name
OF_SCALAR: weakref.WeakValueDictionary[int, Elementwise] = weakref.WeakValueDictionary()  # elementwise ops by id(scalar function)

# Bytes (elements times the widest dtype) below which NumPy's own loop is faster than a kernel on two cores, launch included: measured
# with warm workers, by what an element costs.
CHEAP = 1 << 18  # add, less: bound by memory; at 100k float32 NumPy takes 10 us and a kernel 6 with awake workers, 13 with sleeping ones
MEDIUM = 1 << 18
DEAR = 1 << 16  # exp, log: tens of cycles, but vectorised in NumPy too
SLOW = 1 << 15  # sqrt, where, floor_divide, hypot: NumPy's loop is not vectorised, or badly


class Op:
    """What the registry knows of every op.

    name, kind ("elementwise", "reduction", "scan", "engine"), section (the module), function (what the user calls), documentation.
    """

    __slots__ = ("name", "kind", "section", "function", "parameters", "rules", "__weakref__")

    def __init__(self, name: str, kind: str, section: str) -> None:
        self.name = name
        self.kind = kind
        self.section = section or "?"  # what `exec` defines may have no module
        self.function: Any = None
        self.parameters: tuple[str, ...] = ()
        self.rules: Any = None  # what the derivative tape makes of the declared derivative, when it first meets the op
        # Names of users' ops are theirs: the module tells them from ours and from each other's.
        REGISTRY[name if is_ours(self) else f"{section}.{name}"] = self
        _ALIVE.add(self)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name} of {self.section}>"

    def source(self, what: str = "cpu", dtype: Any = None) -> str:
        """The code behind an op declared by a scalar function: "cpu", the generated kernel; "derivative", its derivative.

        dtype: that the kernel shown computes in, by default float64 if the op is defined for it. (Kernels differ by dtypes and layouts;
        the one for contiguous arrays is shown, compiled if it is not yet.) ValueError where there is no such code.
        """
        if what == "derivative":
            return str(derivative_source(self))
        if what != "cpu" or not isinstance(self, (Elementwise, Reduction)):
            raise ValueError(f'{self.name}: source is of "cpu" or "derivative", of ops declared by scalar functions; got {what!r}')
        from ._kernels.cpu import showing

        d = dtype_of(dtype) if dtype is not None else self.dtypes[-1] if float64 not in self.dtypes else float64
        if isinstance(self, Reduction):
            return str(showing.fold(self.scalar, self.kind, d))
        plan = self.plan((d,) * self.nin)
        return str(showing.elementwise(self.scalar, plan.ins, plan.outs))


# Hook of the derivatives: the text that `source("derivative")` shows.
derivative_source: Any = None


class Vjp:
    """A derivative that is declared by how it carries cotangents back: a function `rule`, or a tuple of one for each operand.

    A rule takes, by the names of its parameters, `g` (the cotangent of the result; of several results a tuple, None where there is none),
    operands, `y` (the result, or a tuple of them), static parameters, and `shape` (of the operand that it is for); it returns the operand's
    cotangent, which may have a shape that broadcasting made of the operand's. An op of any number of operands has one rule, which may
    take `shapes`, `dtypes` and `operands`, all of them, and returns a sequence. The number 0 stands for an operand by which it is 0.

    linear: "all" if the op is linear in its operands together, "each" if it is in each of them.
    """

    __slots__ = ("rule", "linear")

    def __init__(self, rule: Any, linear: str | None = None) -> None:
        self.rule = rule
        self.linear = linear


class Plan:
    """How an elementwise op runs for given operand dtypes (and types of Python scalars).

    ins, outs: dtypes it computes in and returns. twin, limit: NumPy's function, which serves below `limit` elements. direct: whether the
    operands can go to it as they are. plain: whether arrays among them have the dtype computed in, and numbers stand beside floats.
    promised: whether the standard defines the op for these operands. launches: what serves larger arrays, by their layouts.
    """

    __slots__ = ("ins", "outs", "limit", "twin", "direct", "plain", "promised", "kernel", "launches")

    def __init__(self, op: Elementwise, key: tuple[Any, ...], ins: tuple[DType, ...], outs: tuple[DType, ...], numpy_only: bool) -> None:
        self.ins = ins
        self.outs = outs
        self.twin = op.corrected.get(ins[0].kind, op.twin)
        # A Python scalar may go to a ufunc as it is, which gives it the dtype of the array beside it.
        self.direct = self.twin is not None and all(
            k is d or (k.__class__ is type and self.twin.__class__ is np.ufunc and not (op.nin > 1 and k is bool)) for k, d in zip(key, ins)
        )
        if all(k.__class__ is type for k in key):
            self.direct = False
        self.plain = all(k is d or (k.__class__ is type and d.kind == "f") for k, d in zip(key, ins))
        if numpy_only:
            self.limit = 1 << 62  # more elements than any array has
        else:
            self.limit = op.limit // max(d.itemsize for d in ins + outs) if config.kernels == "auto" else 0
            if op.limit >= MEDIUM and any(k.__class__ is type for k in key):  # one array less to read
                self.limit *= 2
        self.promised = _is_promised(op, key)
        self.kernel: Any = None
        self.launches: dict[Any, Any] = {}

    def fresh(self, op: Elementwise, shape: Any, order: Any, dtypes: list[DType], strides: list[Any]) -> Any:
        """A kernel with everything known but the operands' addresses, which makes its results; compiled if this is the first time."""
        try:
            return self._ready(op).fresh(shape, order, dtypes, strides)
        except Exception as error:
            if type(error).__module__.startswith("numba"):
                raise self._refusal(op, error) from error
            raise

    def into(self, op: Elementwise, targets: tuple[Any, ...], ins: tuple[Any, ...]) -> None:
        """targets = op(*ins), on ndarrays of one shape; an operand may be a target, and must not overlap one otherwise."""
        try:
            self._ready(op).run(targets, ins)
        except Exception as error:
            if type(error).__module__.startswith("numba"):
                raise self._refusal(op, error) from error
            raise

    def over(self, op: Elementwise, targets: list[Any], ins: list[Any]) -> None:
        """The same for C-contiguous ndarrays and Python numbers, of which no operand overlaps a target but by being one."""
        key = ("over", targets[0].shape, any(x is t for x in ins for t in targets))
        launch = self.launches.get(key)
        if launch is None:
            try:
                launch = self._ready(op).over(targets, ins, key[2])
            except Exception as error:
                if type(error).__module__.startswith("numba"):
                    raise self._refusal(op, error) from error
                raise
            self.launches[key] = launch
        launch(targets, ins)

    def loops(self, op: Elementwise, outs: tuple[Any, ...], ins: tuple[Any, ...]) -> None:
        """Fill the results of kernel mode "prange", from operands of one shape."""
        from ._kernels.cpu import readable

        try:
            readable.run_map(op.scalar, outs, ins)
        except Exception as error:
            if type(error).__module__.startswith("numba"):
                raise self._refusal(op, error) from error
            raise

    def _ready(self, op: Elementwise) -> Any:
        if self.kernel is None:
            from ._kernels.cpu import elementwise as kernels

            self.kernel = kernels.kernel_for(op.scalar, self.ins, self.outs)
        return self.kernel

    def _refusal(self, op: Elementwise, error: Exception) -> TypeError:
        told = [line.strip() for line in str(error).splitlines()]
        reason = next((line for line in told if ">>>" in line or "Cannot" in line), told[0]).removeprefix(">>> ")
        return TypeError(f"{op.name} cannot be compiled for {names(self.ins)}: {reason}")


def _is_promised(op: Elementwise, key: tuple[Any, ...]) -> bool:
    try:
        check_strict(op, key)
    except TypeError:
        return False
    return True


class Elementwise(Op):
    """An op declared by a scalar function. `twin`: NumPy's function of the same meaning, or None."""

    __slots__ = (
        "scalar_function", "_scalar", "nin", "nout", "dtypes", "standard", "result", "twin", "corrected", "limit", "promotes", "compares",
        "rule", "validate", "plans", "fast", "errors", "shortcut", "derivative",
    )  # fmt: skip

    scalar_function: Callable[..., Any]
    _scalar: Any
    nin: int
    nout: int
    dtypes: tuple[DType, ...]
    standard: tuple[DType, ...]
    result: Callable[[DType], DType]
    twin: Any
    corrected: dict[str, Callable[..., Any]]
    limit: int
    promotes: bool
    compares: bool
    rule: Callable[[tuple[Any, ...]], Any] | None
    validate: Callable[..., None] | None
    plans: dict[tuple[Any, ...], Plan]
    fast: dict[Any, tuple[Any, int, DType, bool, Plan]]
    errors: bool
    shortcut: Callable[..., Any] | None
    derivative: Any

    @property
    def scalar(self) -> Any:
        """The scalar function, prepared for the kernel generator (its source is read when a kernel is first wanted)."""
        if self._scalar is None:
            from ._kernels.source import Scalar

            self._scalar = Scalar(self.scalar_function)
        return self._scalar

    def plan(self, key: tuple[Any, ...]) -> Plan:
        """The plan for operands of these dtypes (or Python scalar types), made once. TypeError if the op is not defined for them."""
        if self.twin is None or (self.twin.__class__ is not np.ufunc and not is_of_namespace(self)):
            self.nout = self.scalar.nout
        plans = self.plans  # the dict of this kernel mode: a change of mode replaces it
        ins, outs, *numpy_only = self.rule(key) if self.rule is not None else self._standard_rule(key)
        if not is_ours(self):  # the dtypes a user knows are names of ours
            ins, outs = tuple(map(dtype_of, ins)), tuple(map(dtype_of, outs))
        plan = plans[key] = Plan(self, key, ins, outs, bool(numpy_only))
        return plan

    def _standard_rule(self, key: tuple[Any, ...]) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
        d = self.accept(common(key), key)
        return (d,) * self.nin, (self.result(d),) * self.nout

    def accept(self, d: DType, key: tuple[Any, ...]) -> DType:
        """The dtype to compute in: `d`, or for a floating function of integers the float that NumPy would take."""
        if d in self.dtypes:
            return d
        if self.dtypes[-1] in FLOATING and d in INTEGER_OR_BOOL and not any(t in self.dtypes for t in INTEGER_OR_BOOL):
            return float_of(d)
        raise TypeError(
            f"{self.name} is not defined for {d} (operands: {', '.join(k.name if isinstance(k, np.dtype) else k.__name__ for k in key)}); "
            f"it takes {names(self.dtypes)}"
        )

    def refresh(self) -> None:
        """Fill the table of the hot path: only dtypes the standard promises, only NumPy functions that return what we return."""
        self.fast.clear()
        self.plans = {}
        if config.kernels != "auto" or self.twin is None or self.nout != 1:
            return
        for d in self.standard:
            key = (d,) * self.nin
            plan = self.plan(key)
            if self.validate is not None and d not in FLOATING:
                continue
            if plan.ins[0] is d and plan.twin.__class__ is np.ufunc:
                entry = (plan.twin, plan.limit, plan.outs[0], self.errors or d in FLOATING, plan)
                self.fast[d] = entry
                if self.nin == 2 and not self.compares:
                    for python in (float, int):
                        if d in FLOATING or (python is int and d is not bool_):
                            for weak_key in ((d, python), (python, d)):
                                weak = self.plan(weak_key)
                                self.fast[weak_key] = (weak.twin, weak.limit, *entry[2:4], weak)


def is_ours(op: Op) -> bool:
    """Whether an op is of mtarray itself, whose sources are read when a kernel is first wanted: import stays free of it."""
    return op.section.partition(".")[0] == "mtarray"


def is_of_namespace(op: Op) -> bool:
    """Whether an op is a function of the namespace, which has the signature of the standard's or NumPy's; others take `out=` as well."""
    return is_ours(op) and not op.section.startswith(("mtarray.nn", "mtarray.examples"))


def same(d: DType) -> DType:
    """Result rule: the dtype computed in."""
    return d


def boolean(d: DType) -> DType:
    """Result rule: bool."""
    return bool_


@overload
def elementwise(scalar: Callable[..., Any], /) -> Callable[..., Any]: ...
@overload
def elementwise(
    *,
    dtypes: tuple[Any, ...] = REAL_FLOATING,
    standard: tuple[DType, ...] | None = None,
    result: Callable[[DType], DType] = same,
    numpy: str | Callable[..., Any] | None = None,
    corrected: dict[str, Callable[..., Any]] | None = None,
    dunder: str | None = None,
    limit: int = MEDIUM,
    promotes: bool = True,
    rule: Callable[[tuple[Any, ...]], Any] | None = None,
    validate: Callable[..., None] | None = None,
    errors: bool = False,
    shortcut: Callable[..., Any] | None = None,
    derivative: Any = None,
) -> Declares: ...
def elementwise(
    scalar: Callable[..., Any] | None = None,
    /,
    *,
    dtypes: tuple[Any, ...] = REAL_FLOATING,
    standard: tuple[DType, ...] | None = None,
    result: Callable[[DType], DType] = same,
    numpy: str | Callable[..., Any] | None = None,
    corrected: dict[str, Callable[..., Any]] | None = None,
    dunder: str | None = None,
    limit: int = MEDIUM,
    promotes: bool = True,
    rule: Callable[[tuple[Any, ...]], Any] | None = None,
    validate: Callable[..., None] | None = None,
    errors: bool = False,
    shortcut: Callable[..., Any] | None = None,
    derivative: Any = None,
) -> Any:
    """Declare an op by the scalar function it applies to each element: `@elementwise`, or `@elementwise(dtypes=...)`.

    The function takes and returns numbers (a tuple of them for several results); it may use arithmetic, comparisons, `if`, loops, functions
    of `math`, captured numbers and other such functions. What comes out broadcasts, promotes, and runs compiled and in parallel.

    dtypes: for which it is defined, by default the real floating ones (a purely floating op converts integers); standard: those of them the
    standard promises.
    result: dtype of the result from the dtype computed in.
    numpy: NumPy's function of the same meaning, which serves small arrays and is the kernel's oracle in tests.
    corrected: by dtype kind, what serves where NumPy's function departs from the standard.
    dunder: operator to bind (`"__add__"` binds `__radd__` and `__iadd__` too).
    limit: bytes of its widest operand below which NumPy serves.
    rule: for ops whose operands do not promote together: (dtypes or scalar types of the operands) -> (dtypes to compute in, dtypes of the
    results[, True]), where True keeps every size with NumPy.
    validate: checks the values of the operands, raising before anything is written.
    errors: whether NumPy's integer loops can warn.
    shortcut: called with the operands first; what it returns, unless None, is the result (another op that does the same better).
    derivative: by default it is derived from the source of the function. Or the partial derivative by each operand (a tuple of them where
    there are several): a number, a function of arrays, or None where there is none. The names of its parameters say what it takes:
    operands by their names, and `y`, the result; with `g` first it returns g times the partial derivative, where that is cheaper
    (`lambda g, x2: g / x2`), and with `by_x1` first it goes on from what the rule for `x1` returned. What no partial derivative expresses
    (functions of complex numbers that are not analytic) is a `Vjp`.

    What comes out takes `out=`: an array that the result is written into, or a tuple of them for several results; as in NumPy, operands
    broadcast to its shape, results are cast by the rule "same_kind", and an operand may be written. So an update in place is one pass over
    memory.

    TypeError for a function that cannot be compiled: it names the line and the reason. (What a dtype does not have, like an order of
    complex numbers, is told when the op first meets that dtype.) The function that is returned has `source("cpu")` and
    `source("derivative")`, which show the generated code.
    """
    known = tuple([dtype_of(d) for d in dtypes])

    def declare(scalar: Callable[..., Any]) -> Callable[..., Any]:
        op = Elementwise(scalar.__name__, "elementwise", scalar.__module__)
        op.scalar_function = scalar
        OF_SCALAR[id(scalar)] = op
        op._scalar = None
        op.parameters = tuple(inspect.signature(scalar).parameters)
        op.nin = len(op.parameters)
        op.dtypes = known
        op.standard = known if standard is None else standard
        op.result = result
        op.twin = getattr(np, numpy) if isinstance(numpy, str) else numpy
        op.corrected = corrected or {}
        op.nout = op.twin.nout if isinstance(op.twin, np.ufunc) else 1
        op.limit = limit
        op.promotes = promotes
        op.compares = result is boolean
        op.rule = rule
        op.validate = validate
        op.errors = errors
        op.shortcut = shortcut
        op.derivative = derivative
        op.plans = {}
        op.fast = {}
        if not is_ours(op):
            op.nout = op.scalar.nout  # reads the source, and refuses what cannot be compiled
        make: Callable[[Any], Callable[..., Any]] = _DOORS.get(op.nin, _dispatch.general_door)
        door = make(op)
        if dunder is not None:
            _bind(op, dunder)
        if not is_of_namespace(op):
            door = _into.with_out(op, door)
        return publish(op, door, scalar)

    return declare if scalar is None else declare(scalar)


_DOORS: dict[int, Callable[..., Any]] = {1: _dispatch.unary_door, 2: _dispatch.binary_door, 3: _dispatch.ternary_door}


def _bind(op: Elementwise, dunder: str) -> None:
    if op.nin == 1:
        setattr(Array, dunder, _dispatch.unary_door(op))
        return
    methods = {dunder: _dispatch.binary_door(op, operator=True)}
    if not op.compares:
        methods[f"__r{dunder[2:]}"] = _dispatch.reflected_door(op)
        methods[f"__i{dunder[2:]}"] = _dispatch.inplace_door(op)
    for name, method in methods.items():
        method.__name__ = name
        method.__qualname__ = f"Array.{name}"
        setattr(Array, name, method)


def publish(op: Op, door: Callable[..., Any], declaration: Callable[..., Any]) -> Callable[..., Any]:
    """Give the public function the name, page and signature of its declaration."""
    positional = [
        p.replace(kind=p.POSITIONAL_ONLY, annotation=Any) if p.kind is p.POSITIONAL_OR_KEYWORD else p
        for p in inspect.signature(declaration).parameters.values()
    ]
    door.__signature__ = inspect.Signature(positional, return_annotation=Array)  # type: ignore[attr-defined]
    return _named(op, door, declaration)


class Reduction(Op):
    """An op that folds axes (or, of kind "scan", runs along one) with a scalar function of two values. `twin`: NumPy's ufunc of it."""

    __slots__ = (
        "scalar_function", "_scalar", "identity", "twin", "dtypes", "standard", "accumulate", "limit", "limits", "fast", "launches",
        "derivative",
    )  # fmt: skip

    scalar_function: Callable[..., Any]
    _scalar: Any
    identity: Any
    twin: Any
    dtypes: tuple[DType, ...]
    standard: tuple[DType, ...]
    accumulate: Callable[[DType], DType] | None
    limit: int
    limits: dict[str, int]
    fast: dict[DType, tuple[Any, DType | None, int]]
    derivative: Any
    launches: dict[tuple[Any, ...], tuple[Any, ...]]  # kernels ready to run: what `_fold.reduce` remembers

    @property
    def scalar(self) -> Any:
        """The combining function, prepared for the kernel generator."""
        if self._scalar is None:
            from ._kernels.source import Scalar

            self._scalar = Scalar(self.scalar_function)
        return self._scalar

    def refresh(self) -> None:
        """Fill the table of the hot path: for each promised dtype NumPy's fold, the dtype it combines in, and its limit."""
        self.fast.clear()
        self.launches.clear()
        if config.kernels == "auto" and self.twin is not None:
            for d in self.standard:
                wider = None if self.accumulate is None else self.accumulate(d)
                self.fast[d] = (self.twin.reduce, wider, self.limits.get(d.kind, self.limit))

    def accept(self, d: DType) -> None:
        """TypeError unless the op is defined for this dtype."""
        if d not in self.dtypes:
            raise TypeError(f"{self.name} is not defined for {d}; it takes {names(self.dtypes)}")
        if is_strict() and d not in self.standard:
            raise TypeError(f"{self.name}: the standard does not define it for {d}, only for {names(self.standard)} (strict mode)")


def wide(d: DType) -> DType:
    """The dtype of sums and products: at least 64 bits for integers, so that they do not overflow early."""
    if d is bool_ or d in SIGNED:
        return int64
    return uint64 if d in UNSIGNED else d


@overload
def reduction(
    *,
    identity: Any,
    dtypes: tuple[Any, ...] = NUMERIC,
    standard: tuple[DType, ...] | None = None,
    numpy: str | None = None,
    accumulate: Callable[[DType], DType],
    limit: int = 1 << 15,
    limits: dict[str, int] | None = None,
    derivative: Any = None,
) -> Callable[[Callable[..., Any]], Accumulation]: ...
@overload
def reduction(
    *,
    identity: Any,
    dtypes: tuple[Any, ...] = NUMERIC,
    standard: tuple[DType, ...] | None = None,
    numpy: str | None = None,
    result: DType | None = None,
    limit: int = 1 << 15,
    limits: dict[str, int] | None = None,
    derivative: Any = None,
) -> Callable[[Callable[..., Any]], Fold]: ...
def reduction(
    *,
    identity: Any,
    dtypes: tuple[Any, ...] = NUMERIC,
    standard: tuple[DType, ...] | None = None,
    numpy: str | None = None,
    accumulate: Callable[[DType], DType] | None = None,
    result: DType | None = None,
    limit: int = 1 << 15,
    limits: dict[str, int] | None = None,
    derivative: Any = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a reduction by the scalar function that combines two values: associative and commutative.

    identity: the result for no elements (None: there is none, and empty arrays are refused).
    numpy: NumPy's ufunc of the same meaning.
    accumulate: dtype to combine in, from the operand's; the user may then choose it (`dtype=`).
    result: dtype of the result if not that.
    limit: elements below which NumPy serves; limits: by dtype kind.
    derivative: by default it is derived from the source of the function. Or the partial derivative by each element: a number, or a function
    of arrays, which are named by its parameters: `x`, `y` (the result, repeated to the shape of `x`), `axes` (those that are folded); with
    `g` first (of the result's shape, folded axes kept with length 1) it returns g times the partial derivative.

    TypeError for a function that cannot be compiled: it names the line and the reason.
    """

    def declare(scalar: Callable[..., Any]) -> Callable[..., Array]:
        op = _folding(scalar, "reduction", identity, dtypes, standard, numpy, limit)
        op.limits = limits or {}
        op.accumulate = _in_ours(op, accumulate)
        op.derivative = derivative

        return _named(op, _fold.reduction_door(op, None if result is None else dtype_of(result)), scalar)

    return declare


def scan(
    *,
    identity: Any,
    dtypes: tuple[Any, ...] = NUMERIC,
    standard: tuple[Any, ...] | None = None,
    numpy: str | None = None,
    accumulate: Callable[[DType], DType] = wide,
    limit: int = 1 << 15,
    derivative: Vjp | None = None,
) -> Callable[[Callable[..., Any]], Scan]:
    """Declare a cumulative op by the associative scalar function that combines two values.

    identity, dtypes, accumulate: as for `reduction`. derivative: a `Vjp`; by default it is derived from the source of the function.
    """

    def declare(scalar: Callable[..., Any]) -> Scan:
        op = _folding(scalar, "scan", identity, dtypes, standard, numpy, limit)
        op.accumulate = combined = _in_ours(op, accumulate)
        op.derivative = derivative

        def door(x: Any, /, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
            x = lift(x, op.name)
            return _fold.scan(op, x, axis, combined(x.dtype) if dtype is None else dtype_of(dtype), include_initial)

        return _named(op, door, scalar)

    return declare


def _in_ours(op: Op, rule: Any) -> Any:
    """A user's rule from dtype to dtype, whose results may be the names that users know them by."""
    return rule if rule is None or is_ours(op) else lambda d: dtype_of(rule(d))


def _folding(scalar: Any, kind: str, identity: Any, dtypes: Any, standard: Any, numpy: Any, limit: int) -> Reduction:
    op = Reduction(scalar.__name__, kind, scalar.__module__)
    op.scalar_function = scalar
    op._scalar = None
    op.identity = identity
    op.dtypes = tuple([dtype_of(d) for d in dtypes])
    op.standard = op.dtypes if standard is None else standard
    op.twin = getattr(np, numpy) if numpy else None
    op.limit = limit
    op.limits = {}
    op.fast = {}
    op.launches = {}
    op.parameters = ("x",)
    if not is_ours(op) and op.scalar.nin != 2:
        raise TypeError(f"{op.name}: the function of a {kind} combines two values; this one takes {op.scalar.nin}")
    return op


def _named(op: Op, door: Any, declaration: Callable[..., Any]) -> Any:
    door.__name__ = declaration.__name__
    door.__qualname__ = declaration.__qualname__
    door.__module__ = declaration.__module__
    door.__doc__ = declaration.__doc__
    door.op = op
    door.source = op.source
    if isinstance(op, Elementwise):
        door.scalar = op.scalar_function  # so that other scalar functions may call it
    op.function = door
    return door


class Engine(Op):
    """A hand-written op: a function of ndarrays and static parameters that returns fresh ndarrays."""

    __slots__ = ("implementation", "derivative")

    implementation: Callable[..., Any]
    derivative: Vjp | None


@overload
def engine(implementation: Callable[..., Any], /) -> Any: ...
@overload
def engine(*, vjp: Any, linear: str | None = None) -> Callable[[Callable[..., Any]], Any]: ...
def engine(implementation: Callable[..., Any] | None = None, /, *, vjp: Any = None, linear: str | None = None) -> Any:
    """Declare a hand-written op. Positional parameters are arrays (ndarrays inside, Arrays outside), keyword-only ones are static.

    vjp, linear: its derivative, see `Vjp`.
    """

    def declare(implementation: Callable[..., Any]) -> Callable[..., Any]:
        op = Engine(implementation.__name__.lstrip("_"), "engine", implementation.__module__)
        op.implementation = implementation
        op.derivative = None if vjp is None else Vjp(vjp, linear)

        def door(*arrays: Array, **static: Any) -> Any:
            return _dispatch.engine(op, arrays, static)

        return publish(op, door, implementation)

    return declare if implementation is None else declare(implementation)


def _refresh_all(name: str, value: Any) -> None:
    settings.set(name, value)
    if name == "kernels":
        for op in list(_ALIVE):
            if isinstance(op, Elementwise) or (isinstance(op, Reduction) and op.kind == "reduction"):
                op.refresh()


def ready() -> None:
    """Fill the hot-path tables of all declared ops, and again whenever the kernel mode changes."""
    config.listen(_refresh_all)
