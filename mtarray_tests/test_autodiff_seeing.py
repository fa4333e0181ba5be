"""Looking at derivatives: where NaNs are born, the recorded graph, comparison with central differences."""

import inspect
import re
import shutil
import sys
import threading

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff
from mtarray.autodiff import NonFiniteError, central_difference, check_grads, checks, draw, sweep, tape, trace_nans

X = xp.asarray([0.5, 2.0, 3.0])
ZERO = xp.asarray([1.0, 0.0, 2.0])


def line_of(text):
    """Where a line of this file with this mark is."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()
    numbers = [i for i, line in enumerate(lines, 1) if line.rstrip().endswith(f"# {text}")]
    assert len(numbers) == 1
    return f"{__file__}:{numbers[0]}"


def born(f, x=ZERO):
    """The error when f is differentiated at x under `trace_nans`."""
    with pytest.raises(NonFiniteError) as caught, trace_nans():
        xp.grad(f)(x)
    return caught.value


# ---------------------------------------------------------------------- NaNs and infinities


def test_forward_names_operation_line_element_and_operands():
    def f(x):
        y = x * 2
        y = xp.log(y)  # forward mark
        return xp.sum(y * 0)

    error = born(f)
    assert (error.op, error.where) == ("log", line_of("forward mark"))
    assert "log made -inf of finite operands, at [1] of shape (3,) (0.0)" in str(error)
    assert str(error).endswith(f"{error.where}: y = xp.log(y)  # forward mark")
    assert isinstance(error, FloatingPointError)


def test_backward_names_the_line_of_the_forward_pass():
    def f(x):
        y = xp.sqrt(x)  # backward mark
        return xp.sum(y)

    error = born(f)
    assert (error.op, error.where) == ("sqrt", line_of("backward mark"))
    assert "the backward pass of sqrt made inf of a finite cotangent, at [1]" in str(error)


def test_imperative_backward():
    x = ZERO.copy()
    x.requires_grad = True
    with trace_nans():
        y = xp.sum(xp.sqrt(x))  # imperative mark
        with pytest.raises(NonFiniteError) as caught:
            y.backward()
    assert caught.value.where == line_of("imperative mark")


def test_forward_mode():
    with pytest.raises(NonFiniteError, match="the tangent of sqrt is inf, of finite tangents"), trace_nans():
        autodiff.jvp(xp.sqrt, (ZERO,), (xp.ones(3),))


def test_second_order_is_seen_where_it_is_born():
    def f(x):
        return xp.sum(x**1.5)  # second mark

    x = ZERO.copy()
    with trace_nans():
        xp.grad(f)(x)
    with pytest.raises(NonFiniteError) as caught, trace_nans():
        xp.grad(lambda x: xp.sum(xp.grad(f)(x)))(x)
    assert caught.value.where == line_of("second mark")


def test_nan_of_infinities_is_born():
    """The softmax of a row that is masked throughout: its -inf is a constant, the NaN is not."""

    def f(x):
        masked = xp.where(xp.zeros(3, dtype=bool), x, -xp.inf)
        shifted = masked - xp.max(masked)  # softmax mark
        return xp.sum(xp.exp(shifted))

    error = born(f)
    assert (error.op, error.where) == ("subtract", line_of("softmax mark"))
    assert "nan of non-NaN operands" in str(error)


def test_data_that_is_not_finite_passes():
    x = xp.asarray([1.0, np.nan, np.inf])
    with trace_nans():
        xp.grad(lambda x: xp.sum(x * 2))(x)
    error = born(lambda x: xp.sum(xp.log(x - 1.0)), x)  # but what is born beside it does not
    assert (error.op, "at [0]" in str(error)) == ("log", True)


def test_constants_written_pass_and_overflowing_values_do_not():
    def f(x):
        h = x * 1.0
        h[0] = np.nan
        return xp.sum(h[1:])

    with trace_nans():
        xp.grad(f)(X)

    def g(x):
        h = xp.zeros(3, dtype=xp.float32)
        h[:2] = x[:2] * 1e300  # overflow mark
        return xp.sum(h)

    error = born(g, X)
    assert (error.op, error.where) == ("write", line_of("overflow mark"))


def test_selections_several_results_and_functions():
    error = born(lambda x: xp.sum(1 / x[xp.asarray([1, 1])]))
    assert error.op == "divide"
    error = born(lambda a: xp.sum(xp.linalg.slogdet(a).logabsdet), xp.zeros((2, 2)))
    assert "slogdet" in str(error) or "sign_and_logdet" in error.op
    error = born(autodiff.checkpoint(lambda x: xp.sum(xp.log(x))))
    assert error.op == "function"


def test_rules_may_pass_by_infinities():
    """A rule may compute more than it uses, as that of a power by its exponent does at a base of 0."""
    with trace_nans():
        g = xp.grad(lambda p: xp.sum(ZERO**p))(xp.asarray(2.0))
    assert np.isfinite(float(g))


def test_only_this_thread_and_nested():
    errors = []

    def other():
        try:
            xp.grad(lambda x: xp.sum(xp.sqrt(x)))(ZERO)
        except Exception as e:
            errors.append(e)

    with trace_nans():
        with trace_nans():
            pass
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        with pytest.raises(NonFiniteError):
            xp.grad(lambda x: xp.sum(xp.sqrt(x)))(ZERO)
    assert not errors
    assert tape.watch is None
    assert sweep.watch is None
    assert np.isinf(xp.grad(lambda x: xp.sum(xp.sqrt(x)))(ZERO).tolist()[1])


def test_finite_passes_are_unchanged():
    def f(x):
        h = xp.exp(x)
        h[:2] += x[1:] * h[0]
        q, r = xp.linalg.qr(xp.reshape(xp.concat([h, x, x * x]), (3, 3)))
        return xp.sum(r * r) + xp.sum(q)

    plain = xp.grad(f)(X)
    with trace_nans():
        watched = xp.grad(f)(X)
    assert xp.all(plain == watched)


# ---------------------------------------------------------------------- the graph


def graph():
    x = X.copy()
    x.requires_grad = True
    h = xp.exp(x)
    h[:2] = x[1:] * 2.0
    return x, xp.sum(h, axis=0)


def test_text_names_operations_shapes_leaves_and_writes():
    _, y = graph()
    text = str(draw(y))
    lines = [re.sub(" +", " ", line) for line in text.splitlines()]
    assert lines == [
        "%0 = leaf float64 (3,)",
        "%1 = exp(%0) float64 (3,)",
        "%2 = multiply(%0[shape (2,) from 1], 2.0) float64 (2,)",
        "%3 = write(%1, [shape (2,)] = %2) float64 (3,)",
        "%4 = sum(%3, axes=(0,)) float64 ()",
        "result: %4",
    ]
    assert repr(draw(y)) == text


def test_input_of_a_transform_and_lines_where_they_are_known():
    seen = []

    def f(x):
        y = xp.sin(x)  # drawn mark
        seen.append(str(draw(y)))
        return xp.sum(y)

    xp.grad(f)(X)
    with trace_nans():
        xp.grad(f)(X)
    assert "%0 = input" in seen[0]
    assert line_of("drawn mark") in seen[1]


def test_several_results_and_constants():
    def f(a):
        u, s, _ = xp.linalg.svd(a)
        text = str(draw((u, s, X)))
        assert text.count("svd") == 1
        assert ", float64" in text
        assert text.endswith("result: %1.0, %1.1, constant float64 (3,)")
        assert str(draw(s * 2.0)).count("%1.1") == 1
        return xp.sum(s * X[:2])

    xp.grad(f)(xp.asarray([[1.0, 2.0], [3.0, 4.5]]))
    assert str(draw(X)) == "result: constant float64 (3,)"


def test_large_graphs_are_elided():
    x = X.copy()
    x.requires_grad = True
    y = x
    for _ in range(5000):
        y = y + 1.0
    drawn = draw(y, limit=10)
    lines = str(drawn).splitlines()
    assert drawn.count == 5001
    assert len(lines) == 12
    assert "leaf" in lines[0]
    assert lines[5] == "... 4991 more operations ..."
    assert lines[-1] == "result: %5000"
    assert "4991 more operations" in drawn.dot
    assert drawn.dot.count("label=") < 20


def test_dot_is_well_formed():
    _, y = graph()
    source = draw((y, X)).dot
    assert source.startswith("digraph {")
    assert source.endswith("}")
    statement = r'  (node )?\w*( -> \w+)?( ?\[(\w+=("([^"\\]|\\.)*"|[\w.]+)(, )?)+\])?;'
    for line in source.splitlines()[1:-1]:
        assert re.fullmatch(statement, line), line
    assert "shape=ellipse" in source
    assert "peripheries=2" in source
    names = set(re.findall(r"^  (\w+) \[", source, re.M))
    for a, b in re.findall(r"^  (\w+) -> (\w+)", source, re.M):
        assert {a, b} <= names


def test_svg_where_graphviz_is(monkeypatch, tmp_path):
    drawn = draw(graph()[1])
    if shutil.which("dot"):
        assert "<svg" in drawn.svg()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drawn._repr_svg_() is None
    with pytest.raises(RuntimeError, match="Graphviz"):
        drawn.svg()
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho '<svg>'\nread first\necho \"$first $1\"\n")
    program.chmod(0o755)
    assert drawn._repr_svg_() == "<svg>\ndigraph { -Tsvg\n"


# ---------------------------------------------------------------------- comparison with differences


def wrong(slope):
    """x * x with `slope` for the derivative 2 of its rule."""

    @autodiff.custom_vjp(lambda g, y, x: g * slope * x)
    def f(x):
        return x * x

    return f


def test_right_derivatives_pass():
    check_grads(lambda x, y: (x @ y, xp.sin(x)), (xp.ones((2, 3)), xp.ones((3, 2)) * 0.3), order=3)
    check_grads(lambda d, n: d["a"] * d["b"][0] ** n, ({"a": X, "b": [X + 1, 2.5]}, 2))
    check_grads(lambda z: z * z * xp.conj(z), (xp.asarray([1 + 2j, 0.5 - 1j]),))
    check_grads(lambda x: xp.exp(x) * x, (xp.astype(X, xp.float32),))
    check_grads(lambda z: xp.exp(z) * z, (xp.astype(X + 1j, xp.complex64),))
    check_grads(lambda x: {"y": x, "n": xp.argmax(x)}, (X,), modes=("jvp",))
    check_grads(lambda x: xp.sum(x) * 1e6, (X,))
    check_grads(lambda x: xp.sum(x) * 1e-12, (X,))
    check_grads(xp.exp, (0.5,))
    check_grads(xp.exp, (xp.zeros((0, 3)),))


@pytest.mark.parametrize("dtype", [xp.float32, xp.float64, xp.complex64, xp.complex128])
@pytest.mark.parametrize("mode", ["vjp", "jvp"])
def test_wrong_derivatives_do_not(dtype, mode):
    x = xp.astype(X, dtype)
    check_grads(lambda x: x * x, (x,), modes=(mode,), order=1)
    with pytest.raises(AssertionError, match=rf"{mode} of order 1, by args\[0\]"):
        check_grads(wrong(2.05), (x,), modes=(mode,), order=1)


def test_one_wrong_element_is_named_with_both_values():
    slopes = xp.asarray([2.0, 2.0, 2.001])
    with pytest.raises(
        AssertionError, match=re.escape("vjp of order 1, by args[0]['w'][1][2]: 6.0") + r".*by central difference (6\.0|5\.99)"
    ):
        check_grads(lambda d: xp.sum(wrong(slopes)(d["w"][1])), ({"w": [X, X]},), modes=("vjp",))
    with pytest.raises(AssertionError, match=r"of the result \[1\]\[2\]: .*\(1 of 3 elements differ\)"):
        check_grads(lambda x: (x, wrong(slopes)(x)), (X,), modes=("jvp",))
    with pytest.raises(AssertionError, match=r"vjp of order 1, by args\[0\]: 3\.3.*by central difference 3\.(2|19)"):
        check_grads(wrong(2.0625), (1.6,))


def test_a_wrong_second_order_is_found():
    @autodiff.custom_vjp(lambda g, y, x: 2 * g * autodiff.stop_gradient(x))
    def f(x):
        return x * x

    check_grads(f, (X,), order=1)
    with pytest.raises(AssertionError, match=r"vjp, then vjp of order 2, by args\[0\]\[0\]: 0\.0, by central difference"):
        check_grads(f, (X,))


def test_modes_that_disagree(monkeypatch):
    """By so little that differences do not tell."""

    def off(f, primals, tangents):
        y, dy = autodiff.jvp(f, primals, tangents)
        return y, tuple([t * (1 + 1e-7) for t in dy])

    monkeypatch.setattr(checks, "jvp", off)
    check_grads(xp.exp, (X,), order=1, modes=("jvp",))
    with pytest.raises(AssertionError, match=r"jvp and vjp of order 1 disagree, by args\[0\] in a random direction"):
        check_grads(xp.exp, (X,), order=1)


def test_not_finite_nearby():
    with pytest.raises(AssertionError, match="pass a smaller epsilon"):
        check_grads(xp.log, (xp.asarray([1e-9]),), order=1)
    check_grads(xp.log, (xp.asarray([1e-3]),), order=1, epsilon=1e-8, rtol=1e-5)


def test_arguments_of_checks():
    with pytest.raises(TypeError, match="must be a tuple"):
        check_grads(xp.exp, X)
    with pytest.raises(TypeError, match="none of the arguments"):
        check_grads(xp.exp, (3,))
    with pytest.raises(TypeError, match="no floating-point array"):
        check_grads(xp.argmax, (X,))
    with pytest.raises(ValueError, match="modes"):
        check_grads(xp.exp, (X,), modes=("reverse",))
    with pytest.raises(ValueError, match="order=0"):
        check_grads(xp.exp, (X,), order=0)


def test_without_containers_nothing_else_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "optree", None)
    check_grads(lambda x, y, n: x * y**n, (X, 0.5, 2))
    with pytest.raises(AssertionError, match=r"by args\[1\]"):
        check_grads(lambda x, y: x * autodiff.stop_gradient(y), (X, 0.5), order=1)
    with pytest.raises(ImportError, match="optree"):
        check_grads(lambda d: d["a"], ({"a": X},))


def test_functions_that_write_into_their_arguments():
    def f(x):
        x *= x
        x[0] = x[1] * x[2]
        return x

    x = X.copy()
    check_grads(f, (x,))
    assert xp.all(central_difference(f, x, epsilon=2.0**-10)[0] == xp.asarray([0.0, 36.0, 24.0]))
    assert xp.all(x == X)


def test_central_difference():
    assert float(central_difference(lambda x, y: x * y, 2.0, 3.0, arg=1, epsilon=2.0**-8)) == 2.0
    assert float(central_difference(lambda x, y: x * y, 2.0, 3.0, arg=-2, epsilon=2.0**-8)) == 3.0
    assert central_difference(lambda x: x[:2] * x[2], X).shape == (2, 3)
    assert central_difference(xp.exp, xp.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert central_difference(xp.exp, xp.asarray([0.5], dtype=xp.float32)).dtype == xp.float32
    z = xp.asarray([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(central_difference(lambda z: xp.sum(xp.real(z * z)), z).tolist(), [2 - 4j, 1 + 2j], rtol=1e-8)
    with pytest.raises(TypeError, match="no gradient"):
        central_difference(lambda z: z * z, z)
    with pytest.raises(TypeError, match="floating-point"):
        central_difference(lambda n: n, 3)
    with pytest.raises(ValueError, match="arg=1"):
        central_difference(xp.exp, X, arg=1)
