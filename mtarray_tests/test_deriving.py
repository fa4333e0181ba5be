"""Derivatives that are derived from the source of users' scalar functions."""

import cmath
import inspect
import math
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray.autodiff.rules import rules_of
from mtarray.autodiff.sweep import NoDerivativeError

from .daily import daily
from .scalar_programs import DUAL_MATH, Dual, Writer, defined, slope_of

grad, jvp = xp.autodiff.grad, xp.autodiff.jvp


def program(seed: int) -> tuple[Any, Any, str]:
    """A random op, and the same function for dual numbers."""
    source = Writer(seed).write()
    op = xp.elementwise(defined(source, "f"))
    return op, defined(source, "f", math=DUAL_MATH), source


def points(seed: int, n: int) -> tuple[Any, Any]:
    values = np.random.default_rng(seed).uniform(-2.0, 2.0, (2, n))
    return xp.asarray(values[0]), xp.asarray(values[1])


def slopes(f: Any, x: Any, y: Any) -> tuple[list[float], list[float]]:
    """The partial derivatives at each point, by dual numbers."""
    parts: tuple[list[float], list[float]] = ([], [])
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        for part, seeds in zip(parts, ((1.0, 0.0), (0.0, 1.0)), strict=True):
            part.append(slope_of(f(Dual(a, seeds[0]), Dual(b, seeds[1]))))
    return parts


def agree(got: Any, expected: Any, source: str, tolerance: float = 1e-12) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert np.all(np.abs(got - expected) <= tolerance * (1.0 + np.abs(expected))), f"{got}\n{expected}\n{source}"


@pytest.mark.parametrize("block", daily(range(10), lambda b: b < 5))
def test_random_functions(block):
    """200 functions with branches, loops, helpers: both modes, at points of different branches."""
    with xp.config(kernels="python"):
        for seed in range(20 * block, 20 * block + 20):
            op, dual, source = program(seed)
            x, y = points(seed, 6)
            by_x, by_y = slopes(dual, x, y)
            dx, dy = grad(lambda x, y: xp.sum(op(x, y)), (0, 1))(x, y)  # noqa: B023
            agree(dx, by_x, source)
            agree(dy, by_y, source)
            forward = jvp(op, (x, y), (xp.full((6,), 0.5), xp.full((6,), -2.0)))[1]
            agree(forward, 0.5 * np.asarray(by_x) - 2.0 * np.asarray(by_y), source)


@pytest.mark.parametrize("block", daily(range(4), lambda b: b < 2))
def test_random_functions_twice(block):
    """Second derivatives: of a derived function as of any other."""
    with xp.config(kernels="python"):
        for seed in range(1000 + 10 * block, 1010 + 10 * block):
            op, dual, source = program(seed)
            x, y = points(seed, 4)

            def slope(x, y):
                return grad(lambda x: xp.sum(op(x, y)))(x)  # noqa: B023

            twice, mixed = grad(lambda x, y: xp.sum(slope(x, y)), (0, 1))(x, y)
            pairs = list(zip(x.tolist(), y.tolist(), strict=True))
            agree(twice, [slope_of(slope_of(dual(Dual(Dual(a, 1.0), Dual(1.0, 0.0)), b))) for a, b in pairs], source, 1e-11)
            both = [dual(Dual(Dual(a, 0.0), Dual(1.0, 0.0)), Dual(Dual(b, 1.0), Dual(0.0, 0.0))) for a, b in pairs]
            crossed = [slope_of(slope_of(v)) for v in both]
            agree(mixed, crossed, source, 1e-11)


@pytest.mark.parametrize("number", daily(range(2000, 2006), lambda n: n < 2003))
def test_random_functions_compiled(number):
    """The derived functions as kernels, on arrays large enough for several chunks."""
    op, dual, source = program(number)
    x, y = points(number, 20_000)
    dx, dy = grad(lambda x, y: xp.sum(op(x, y)), (0, 1))(x, y)
    by_x, by_y = slopes(dual, x[:200], y[:200])
    agree(dx[:200], by_x, source)
    agree(dy[:200], by_y, source)


# ---------------------------------------------------------------------- by hand


@pytest.fixture(params=["auto", "python"])
def mode(request):
    with xp.config(kernels=request.param):
        yield request.param


FACTOR = 2.5


@xp.elementwise
def cubic(x):
    return FACTOR * x**3 + x


@xp.elementwise
def product(x, y):
    return x * y


@xp.elementwise
def polar(r, phi):
    """Two results."""
    return r * math.cos(phi), r * math.sin(phi)


@xp.elementwise
def kinks(x, y):
    return abs(x) + max(x, y)


@xp.elementwise
def newton(a):
    """A loop until it converges: as many steps as the operand needs."""
    r = a if a > 1 else 1.0
    while abs(r * r - a) > 1e-15 * a:
        better = 0.5 * (r + a / r)
        if better == r:
            break
        r = better
    return r


@xp.elementwise
def cells(x):
    """Integers and conditions inside have no tangent."""
    k = int(x)
    odd = k % 2 == 1
    t = x - k
    n = 0
    for i in range(3):
        if odd or i > 1:
            n += i
    return t * t * n + math.floor(x) + round(x)


@xp.elementwise(derivative=lambda x: xp.full_like(x, 7.0))
def by_hand(x):
    return x * x


@xp.elementwise(derivative=lambda y: 3 * y)
def by_rule(x):
    return math.exp(2 * x)


@xp.elementwise
def with_others(x):
    """Declared ops are called; erf and by_rule have derivatives given by hand."""
    return xp.special.erf(x) + cubic(x) * by_rule(x)


@xp.elementwise(dtypes=(xp.float64, xp.complex128))
def mobius(z, w):
    return (z * z - 1) / (z + 2) + cmath.exp(z) * w


@xp.elementwise(dtypes=(xp.float64, xp.complex128))
def bent(z):
    return abs(z) * z


def nth(f, n):
    for _ in range(n):
        f = (lambda g: lambda x: grad(lambda x: xp.sum(g(x)))(x))(f)
    return f


def test_any_order(mode):
    x = xp.asarray([0.5, -2.0])
    v = np.asarray([0.5, -2.0])
    expected = [FACTOR * v**3 + v, 3 * FACTOR * v**2 + 1, 6 * FACTOR * v, np.full(2, 6 * FACTOR), np.zeros(2)]
    for n, values in enumerate(expected):
        assert np.allclose(np.asarray(nth(cubic, n)(x)), values, rtol=1e-14)


def test_the_tape_keeps_what_derivatives_take():
    rules = rules_of(product.op)
    assert [names for _, names in rules.each] == [("x1",), ("x0",)]
    assert rules_of(cubic.op).each[0][1] == ("x0",)

    @xp.elementwise
    def affine(x, y):
        return 3 * x - y / 4 + FACTOR

    assert [rule for rule, _ in rules_of(affine.op).each] == [3.0, -0.25]


def test_several_results(mode):
    r, phi = xp.asarray([1.0, 2.0]), xp.asarray([0.3, 0.7])
    p, q = np.asarray(r), np.asarray(phi)

    def f(r, phi):
        a, b = polar(r, phi)
        return xp.sum(a * 3.0 + b * b)

    by_r, by_phi = grad(f, (0, 1))(r, phi)
    assert np.allclose(np.asarray(by_r), 3 * np.cos(q) + 2 * p * np.sin(q) ** 2)
    assert np.allclose(np.asarray(by_phi), -3 * p * np.sin(q) + 2 * p * p * np.sin(q) * np.cos(q))
    only = grad(lambda r: xp.sum(polar(r, phi)[1]))(r)  # one result is not used
    assert np.allclose(np.asarray(only), np.sin(q))
    made = jvp(polar, (r, phi), (xp.ones(2), xp.zeros(2)))[1]
    assert np.allclose(np.asarray(made[0]), np.cos(q))
    assert np.allclose(np.asarray(made[1]), np.sin(q))
    twice = grad(lambda phi: xp.sum(grad(lambda phi: f(r, phi))(phi)))(phi)
    assert np.allclose(np.asarray(twice), -3 * p * np.cos(q) + 2 * p * p * np.cos(2 * q))


def test_kinks(mode):
    x, y = xp.asarray([0.0, 1.0, 1.0, -1.0]), xp.asarray([-5.0, 1.0, 3.0, -3.0])
    by_x, by_y = grad(lambda x, y: xp.sum(kinks(x, y)), (0, 1))(x, y)
    same = grad(lambda x, y: xp.sum(xp.abs(x) + xp.maximum(x, y)), (0, 1))(x, y)
    assert by_x.tolist() == same[0].tolist() == [1.0, 1.5, 1.0, 0.0]
    assert by_y.tolist() == same[1].tolist() == [0.0, 0.5, 1.0, 0.0]


def test_loops_that_depend_on_data(mode):
    a = np.asarray([0.3, 4.0, 1e6])
    x = xp.asarray(a)
    assert np.allclose(np.asarray(newton(x)), np.sqrt(a), rtol=1e-14)
    assert np.allclose(np.asarray(nth(newton, 1)(x)), 0.5 / np.sqrt(a), rtol=1e-7)


def test_integers_and_conditions_have_no_tangent(mode):
    x = xp.asarray([0.25, 1.25, 2.75])
    n = np.asarray([2, 3, 2])
    assert np.allclose(np.asarray(nth(cells, 1)(x)), 2 * np.asarray([0.25, 0.25, 0.75]) * n)


def test_a_derivative_given_by_hand_wins():
    x = xp.asarray([0.5, 1.5])
    assert nth(by_hand, 1)(x).tolist() == [7.0, 7.0]
    v = np.asarray(x)
    c, dc, ddc = FACTOR * v**3 + v, 3 * FACTOR * v**2 + 1, 6 * FACTOR * v
    e, gauss = np.exp(2 * v), 2 / math.sqrt(math.pi) * np.exp(-v * v)
    assert np.allclose(np.asarray(nth(with_others, 1)(x)), gauss + (dc + 3 * c) * e, rtol=1e-14)
    assert np.allclose(np.asarray(nth(with_others, 2)(x)), -2 * v * gauss + (ddc + 6 * dc + 9 * c) * e, rtol=1e-13)


def test_operands_may_have_any_name():
    """Also those that mean something else in rules."""

    @xp.elementwise(derivative=(lambda y: y, lambda g: 2 * g))
    def f(g, y):
        return g * y

    @xp.elementwise
    def shifted(y, g, axes):
        return y * g - axes, math.exp(g)

    a, b = xp.asarray([2.0]), xp.asarray([5.0])
    assert [v.tolist() for v in grad(lambda a, b: xp.sum(f(a, b)), (0, 1))(a, b)] == [[5.0], [4.0]]
    assert [v.tolist() for v in grad(lambda a, b: xp.sum(shifted(a, b, 1.0)[0]), (0, 1))(a, b)] == [[5.0], [2.0]]


def test_functions_that_make_functions(mode):
    """Closures share their code, not what they captured; ops of one name each keep their derivative."""

    def power(n):
        @xp.elementwise(derivative=lambda x: n * 100 + 0 * x)
        def raised(x):
            return x**n

        return raised

    square, cube = power(2), power(3)

    @xp.elementwise
    def both(x):
        return square(x) + cube(x)

    x = xp.asarray([2.0])
    assert both(x).tolist() == [12.0]
    assert nth(square, 1)(x).tolist() == [200.0]
    assert nth(both, 1)(x).tolist() == [500.0]


def test_strict_mode():
    strict = xp.asarray([2.0])
    with xp.strict():
        assert nth(cubic, 2)(strict).tolist() == [6 * FACTOR * 2.0]


def test_dtypes_and_shapes():
    x = xp.ones((3, 1), dtype=xp.float32)
    y = xp.asarray([1.0, 2.0], dtype=xp.float32)
    by_x, by_y = grad(lambda x, y: xp.sum(product(x, y)), (0, 1))(x, y)
    assert (by_x.shape, by_x.dtype, by_x.tolist()) == ((3, 1), xp.float32, [[3.0]] * 3)
    assert (by_y.shape, by_y.dtype, by_y.tolist()) == ((2,), xp.float32, [3.0, 3.0])
    assert grad(lambda x: xp.sum(product(x, 2.0)))(x).tolist() == [[2.0]] * 3
    assert grad(cubic)(xp.asarray(2.0)).shape == ()
    assert grad(lambda x: xp.sum(cubic(x)))(xp.zeros((0, 3))).shape == (0, 3)
    strided = xp.asarray(np.arange(12.0).reshape(3, 4)).T[::2]
    assert np.allclose(np.asarray(nth(cubic, 1)(strided)), 3 * FACTOR * np.asarray(strided) ** 2 + 1)
    mixed = grad(lambda x: xp.sum(product(x, xp.asarray([1, 2]))))(xp.ones((2,), dtype=xp.float32))
    assert mixed.dtype == xp.float32


def test_analytic_functions_of_complex_numbers(mode):
    z, w = 0.3 + 0.4j, 1.0 - 2.0j
    by_z, by_w = grad(lambda z, w: xp.real(mobius(z, w)), (0, 1))(xp.asarray(z), xp.asarray(w))
    expected = (2 * z * (z + 2) - (z * z - 1)) / (z + 2) ** 2 + cmath.exp(z) * w
    assert abs(complex(by_z) - expected.conjugate()) < 1e-14
    assert abs(complex(by_w) - cmath.exp(z).conjugate()) < 1e-14


def test_what_is_not_analytic_is_refused_for_complex_numbers(mode):
    assert float(grad(bent)(xp.asarray(-3.0))) == 6.0
    with pytest.raises(TypeError, match=r"bent: with abs it is not analytic.*Vjp"):
        grad(lambda z: xp.real(bent(z)))(xp.asarray(1 + 1j))


# ---------------------------------------------------------------------- refusals


def refused(source: str, match: str, **space: Any) -> None:
    with pytest.raises(TypeError, match=match):
        xp.elementwise(defined(source, "f", **space))


def test_refused_at_declaration():
    refused("def f(x):\n    y = x\n    return [y]\n", r"function f \(<cell .*:3\): it builds a list")
    refused("def f(x):\n    return g(x)\n", r":2\): the name 'g' is not defined")
    refused("def f(x):\n    print(x)\n    return x\n", r":2\): it computes a value and drops it")
    refused("def f(x):\n    return open(x)\n", r":2\): it calls `open`")
    refused("def f(x):\n    if x > 0:\n        return x\n", r":1\): it can end without a return")
    refused("def f(x):\n    return x if x > 0 else f(x + 1)\n", "calls itself")
    refused("def f(x, *rest):\n    return x\n", "plain positional operands")
    space: dict[str, Any] = {}
    exec("def f(x):\n    return x\n", space)
    with pytest.raises(TypeError, match="its source is not available"):
        xp.elementwise(space["f"])
    with pytest.raises(TypeError, match="its source is not available"):
        xp.reduction(identity=0.0)(eval("lambda a, b: a + b"))
    with pytest.raises(TypeError, match="combines two values; this one takes 1"):
        xp.scan(identity=0.0)(lambda a: a)


def test_no_derivative_is_said_when_it_is_wanted():
    @xp.elementwise(derivative=lambda x: xp.cumulative_sum(x))
    def opaque(x):
        return x

    @xp.elementwise
    def calls(x, y):
        return opaque(x) + y

    x = xp.asarray([1.0, 2.0])
    assert grad(lambda y: xp.sum(calls(x, y)))(x).tolist() == [1.0, 1.0]
    with pytest.raises(NoDerivativeError, match=r"calls, by x: .*opaque, whose derivative is declared by functions of arrays.*derivative="):
        grad(lambda x: xp.sum(calls(x, 1.0)))(x)

    @xp.elementwise(dtypes=(xp.float64,))
    def positive(x):
        return x > 0

    assert grad(lambda x: xp.sum(x * positive(x)))(x).tolist() == [1.0, 1.0]


# ---------------------------------------------------------------------- the code


def test_source_of_the_derivative():
    text = product.source("derivative")
    assert "# product, by x" in text
    assert "def product_by_x(y):\n    return y\n" in text
    assert cubic.source("derivative").endswith("return 7.5 * x ** 2 + 1.0\n")
    assert "xp.full_like(x, 7.0)" in by_hand.source("derivative")
    assert "# calls of" not in text
    with pytest.raises(ValueError, match='"cpu" or "derivative"'):
        product.source("cuda")


def test_source_of_the_kernel():
    text = cubic.source("cpu")
    assert "def _f(x):" in text
    assert "lo, hi, args" in text
    compile(text, "<kernel>", "exec")
    assert "np.float32(2.5)" in cubic.source("cpu", xp.float32)
    assert "math.sin" in xp.sin.source("cpu")


def test_derived_functions_can_be_read():
    """What was derived is a function like any other: named, with source, in a traceback or a debugger."""
    rule, _ = rules_of(kinks.op).each[0]
    op = next(op for name, op in xp._ops.REGISTRY.items() if name == f"{__name__}.kinks_by_x")
    assert callable(rule)
    assert "def kinks_by_x(x, y):" in inspect.getsource(op.scalar_function)
    assert "kinks_by_x" in op.function.source("cpu")
