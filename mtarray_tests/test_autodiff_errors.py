"""Nothing leaves the derivative tape silently: what cannot be followed is refused and says what to do, the rest is differentiated."""

import copy
import io
import math
import pickle
import sys
import warnings

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff
from mtarray.autodiff import FreedError, NoDerivativeError, check_grads

X = xp.asarray([0.55, 2.1, 3.2])
MASK = np.array([True, False, True])


def followed(f, x=X):
    """What f does with an array that a derivative follows: its result, or the exception it raises."""
    got = []

    def run(v):
        try:
            got.append(f(v * 1.0))
        except Exception as error:
            got.append(error)
        return xp.sum(v)

    xp.grad(run)(x)
    return got[0]


def imperative(f, x=X):
    """The same behind `requires_grad`."""
    leaf = x.copy()
    leaf.requires_grad = True
    try:
        return f(leaf * 1.0)
    except Exception as error:
        return error


def forward(f, x=X):
    """The same in forward mode."""
    got = []

    def run(v):
        try:
            got.append(f(v * 1.0))
        except Exception as error:
            got.append(error)
        return v

    autodiff.jvp(run, (x,), (x,))
    return got[0]


def _store(target, key, item):
    target[key] = item


def _says_what_to_do(error):
    """NumPy hides our error behind its own, with ours as the cause, where it asks an object for the number it is."""
    if isinstance(error, ValueError):
        error = error.__cause__
    return isinstance(error, RuntimeError) and "detach()" in str(error)


def ints(*shape):
    return xp.zeros(shape or 3, dtype=xp.int64)


REFUSED = {
    "np.asarray": np.asarray,
    "np.array": np.array,
    "np.array of a list": lambda x: np.array([x[0], x[1]]),
    "np.asarray with a dtype": lambda x: np.asarray(x, dtype=np.float32),
    "np.from_dlpack": np.from_dlpack,
    "x.data": lambda x: x.data,
    "x.__buffer__": lambda x: x.__buffer__(0),
    "pickle": pickle.dumps,
    "tolist": lambda x: x.tolist(),
    "tobytes": lambda x: x.tobytes(),
    "tofile": lambda x: x.tofile(io.BytesIO()),
    "save": lambda x: xp.save(io.BytesIO(), x),
    "save by name": lambda x: xp.save(io.BytesIO(), X, a=x),
    "np.save": lambda x: np.save(io.BytesIO(), x),
    "np.savez": lambda x: np.savez(io.BytesIO(), a=x),
    "np.nditer": lambda x: list(np.nditer(x)),
    "np.vectorize": lambda x: np.vectorize(math.sin)(x),
    "random parameter": lambda x: xp.random.default_rng(0).normal(x),
    "random parameters in a list": lambda x: xp.random.default_rng(0).normal([x[0], x[1]]),
    "random probabilities": lambda x: xp.random.default_rng(0).choice(3, p=x / xp.sum(x)),
    "np.random parameter": lambda x: np.random.default_rng(0).normal(x),
    "into an ndarray": lambda x: _store(np.zeros(3), slice(None), x),
    "into an element of an ndarray": lambda x: _store(np.zeros(3), 0, x[0]),
    "into an element of a complex ndarray": lambda x: _store(np.zeros(3, complex), 0, x[0]),
    "into an element of an integer ndarray": lambda x: _store(np.zeros(3, int), 0, x[0]),
    "into an ndarray at a mask": lambda x: _store(np.zeros(3), MASK, x[:2]),
    "ndarray +=": lambda x: np.zeros(3).__iadd__(x),
    "np.copyto": lambda x: np.copyto(np.zeros(3), x),
    "np.put": lambda x: np.put(np.zeros(3), [0], x[0]),
    "out= of a ufunc": lambda x: np.add(x, x, out=np.zeros(3)),
    "out= of a method": lambda x: x.sum(out=np.zeros(())),
    "out= of a function": lambda x: np.cumsum(x, out=np.zeros(3)),
    "out= of a fold": lambda x: np.add.reduce(x, out=np.zeros(())),
    "a function without a mirror": np.i0,
    "another": np.roots,
    "a method of a ufunc without one": lambda x: np.add.reduceat(x, [0, 1]),
    "ufunc.at of elements named twice": lambda x: np.multiply.at(x, [0, 0], 2.0),
    "ufunc.at of an ndarray": lambda x: np.add.at(np.zeros(3), [0, 1, 2], x),
    "a ufunc of nobody": lambda x: np.frompyfunc(math.sin, 1, 1)(x),
    "ndarray of objects": lambda x: np.array([None], dtype=object) + np.asarray(x),
    "integers: [...] =": lambda x: _store(ints(), ..., x),
    "integers: [i] =": lambda x: _store(ints(), 0, x[0]),
    "integers: [mask] =": lambda x: _store(ints(), xp.asarray(MASK), x[:2]),
    "integers: list": lambda x: _store(ints(), slice(0, 2), [x[0], 1.0]),
    "integers: fill": lambda x: ints().fill(x[0]),
    "integers: flat": lambda x: setattr(ints(), "flat", x),
    "integers: put": lambda x: xp.put(ints(), [0], x[0]),
    "integers: x.put": lambda x: ints().put([0], x[0]),
    "integers: place": lambda x: xp.place(ints(), ints() == 0, x),
    "integers: putmask": lambda x: xp.putmask(ints(), ints() == 0, x),
    "integers: copyto": lambda x: xp.copyto(ints(), x, casting="unsafe"),
    "integers: fill_diagonal": lambda x: xp.fill_diagonal(ints(3, 3), x),
    "integers: put_along_axis": lambda x: xp.put_along_axis(ints(), xp.asarray([0, 1, 2]), x, 0),
    "integers: a sequence": lambda x: xp.asarray([x[0], 1.0], dtype=xp.int64),
    "booleans: [...] =": lambda x: _store(xp.zeros(3, dtype=bool), ..., x),
    "view as integers": lambda x: x.view(xp.int64),
    "view as half as wide": lambda x: x.view(xp.float32),
}


@pytest.mark.parametrize("style", [followed, imperative, forward])
@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_what_to_do(name, style):
    error = style(REFUSED[name])
    assert _says_what_to_do(error), f"{name}: {error!r}"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_only_where_a_derivative_follows(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about what it makes of such arguments
        error = None
        try:
            REFUSED[name](X * 1.0)
        except Exception as e:
            error = e
    assert not isinstance(error, RuntimeError), name


def test_refused_by_other_libraries():
    torch = pytest.importorskip("torch")
    for f in (torch.from_dlpack, torch.as_tensor, torch.tensor, torch.asarray):
        error = followed(f)
        assert _says_what_to_do(error), f
    jnp = pytest.importorskip("jax.numpy")
    error = followed(jnp.asarray)
    assert _says_what_to_do(error)


@pytest.mark.parametrize("f", [memoryview, bytes, np.frombuffer])
def test_buffers(f):
    error = followed(f)
    wanted = RuntimeError if sys.version_info >= (3, 12) else TypeError  # earlier, the buffer protocol is closed to Python classes
    assert isinstance(error, wanted)


def test_values_may_be_looked_at():
    def look(x):
        return float(x[0]), int(x[1]), bool(x[2]), x.item(1), complex(x[0]), repr(x), str(x), f"{x[0]:.1f}", x.shape, [float(v) for v in x]

    assert followed(look) == look(X)
    values = [0.0]
    assert followed(lambda x: _store(values, 0, float(x[0]))) is None
    assert values == [0.55]
    array = np.zeros(2)
    assert followed(lambda x: _store(array, 0, float(x[0]))) is None
    assert followed(lambda x: _store(array, 1, x[1].detach())) is None
    assert array.tolist() == [0.55, 2.1]
    assert followed(lambda x: np.asarray(x.detach())).tolist() == X.tolist()

    def unrecorded(x):
        with autodiff.no_grad():
            return np.array(x)

    for style in (followed, imperative, forward):
        assert style(unrecorded).tolist() == X.tolist()
    assert followed(lambda x: _store({}, "a", x)) is None
    assert followed(lambda x: _store([None], 0, x)) is None


def into(f, like=None):
    """A function that changes an array in place, as one that returns it."""

    def g(x):
        h = xp.zeros(3) if like is None else like(x)
        f(h, x)
        return h

    return g


def twice(x):
    return x * 2.0


def rng():
    return xp.random.default_rng(0)


FOLLOWED = {
    "asarray of a list": lambda x: xp.asarray([x[0] * 2, x[1], 1.0]),
    "asarray of nested lists": lambda x: xp.asarray([[x[0], x[1]], (x[2], 3)]),
    "asarray of rows": lambda x: xp.asarray([x, x * 2]),
    "asarray of mixed rows": lambda x: xp.asarray([x * x, [1, 2, 3], np.ones(3)]),
    "asarray with a dtype": lambda x: xp.asarray([x[0], x[1], 5], dtype=xp.complex128),
    "np.stack": lambda x: np.stack([x, x * x]),
    "np.concatenate": lambda x: np.concatenate([x, np.ones(2)]),
    "np.block": lambda x: np.block([[x, x], [x, x * x]]),
    "full": lambda x: xp.full((2,), x[0]),
    "full of a row": lambda x: xp.full((2, 3), x),
    "full_like": lambda x: xp.full_like(x, x[1]),
    "np.full_like": lambda x: np.full_like(x, x[0]),
    "linspace": lambda x: xp.linspace(x[0], x[1], 5),
    "linspace of arrays": lambda x: xp.linspace(x, x * 3, 4, endpoint=False),
    "linspace of one": lambda x: xp.linspace(x[0], x[1], 1),
    "np.linspace": lambda x: np.linspace(x[0], 5.0, 4),
    "logspace": lambda x: xp.logspace(x[0], x[1], 3),
    "geomspace": lambda x: xp.geomspace(x[0], x[1], 3),
    "arange": lambda x: xp.arange(x[0], 10 * x[2], x[1]),
    "random choice": lambda x: rng().choice(x, 2),
    "permutation": lambda x: rng().permutation(x),
    "permuted": lambda x: rng().permuted(xp.stack([x, x * x]), axis=1),
    "shuffle": into(lambda h, x: rng().shuffle(h), twice),
    "deepcopy": lambda x: copy.deepcopy(x) * x,
    "copy": lambda x: copy.copy(x) * x.copy(),
    "to_device": lambda x: x.to_device("cpu") * x,
    "from_dlpack of ours": lambda x: xp.from_dlpack(x) * x,
    "complex view": lambda x: xp.real(xp.asarray([x[0] * x[0], x[1]]).view(xp.complex128)),
    "sum of a list": lambda x: sum([x[0], x[1] * x[2]]),
    "max of a list": lambda x: max(x) * 1.0,
    "sorted": lambda x: sorted(x, key=float)[1] * x[0],
    "list assigned": into(lambda h, x: _store(h, slice(0, 2), [x[0] * x[1], 2.0])),
    "list assigned at positions": into(lambda h, x: _store(h, [0, 2], [x[0] * x[1], x[1]])),
    "put": into(lambda h, x: xp.put(h, [0, 2], x[:2])),
    "x.put": into(lambda h, x: h.put([0, 2], x[:2])),
    "place": into(lambda h, x: xp.place(h, xp.asarray(MASK), x[:2])),
    "putmask": into(lambda h, x: xp.putmask(h, xp.asarray(MASK), x * x)),
    "copyto": into(lambda h, x: xp.copyto(h, x * x, where=xp.asarray(MASK)), twice),
    "put_along_axis": into(lambda h, x: xp.put_along_axis(h, xp.asarray([2, 0, 1]), x * x, 0)),
    "fill": into(lambda h, x: h.fill(x[1])),
    "flat": into(lambda h, x: setattr(h, "flat", x * x)),
    "flat, a part": into(lambda h, x: _store(h.flat, slice(0, 2), x[:2] * x[1]), lambda x: x * x),
    "fill_diagonal": into(lambda h, x: xp.fill_diagonal(h, x * x), lambda x: xp.outer(x, x)),
    "x.sort": into(lambda h, x: h.sort(), twice),
    "x.partition": into(lambda h, x: h.partition(1), twice),
    "out= of x.sum": into(lambda h, x: (x * x).sum(keepdims=True, out=h[:1])),
    "out= of x.cumsum": into(lambda h, x: (x * x).cumsum(out=h)),
    "out= of x.clip": into(lambda h, x: (x * x).clip(1, 5, out=h)),
    "out= of np.sin": into(lambda h, x: np.sin(x, out=h)),
    "out= of np.add, an operand": into(lambda h, x: np.add(h, x, out=h), twice),
    "out= that is broadcast to": into(lambda h, x: np.multiply(x[0], x[1], out=h)),
    "out= of a constant": into(lambda h, x: np.add(np.ones(3), np.ones(3), out=h), twice),
    "out= of np.cumsum": into(lambda h, x: np.cumsum(x, out=h)),
    "out= of np.divmod": into(lambda h, x: np.divmod(x, 1.0, out=(xp.zeros(3), h))),
    "where= and out=": into(lambda h, x: np.multiply(x, x, out=h, where=MASK), twice),
    "where= and out= of constants": into(lambda h, x: np.multiply(np.ones(3), 2.0, out=h, where=MASK), twice),
    "dtype=": lambda x: np.multiply(x, x, dtype=np.float64),
    "casting=": lambda x: np.multiply(x, x, casting="same_kind"),
    "np.add.reduce": lambda x: np.add.reduce(x * x),
    "np.add.reduce of all": lambda x: np.add.reduce(xp.outer(x, x), axis=None),
    "np.add.reduce out=": into(lambda h, x: np.add.reduce(x * x, keepdims=True, out=h[:1])),
    "np.add.reduce initial=": lambda x: np.add.reduce(x, initial=1.0),
    "np.multiply.reduce": lambda x: np.multiply.reduce(xp.outer(x, x), axis=1),
    "np.maximum.reduce": lambda x: np.maximum.reduce(x * x),
    "np.minimum.reduce where=": lambda x: np.minimum.reduce(x * x, where=MASK, initial=100.0),
    "np.subtract.reduce": lambda x: np.subtract.reduce(x),
    "np.logaddexp.reduce": lambda x: np.logaddexp.reduce(xp.outer(x, x), axis=1),
    "np.hypot.reduce": lambda x: np.hypot.reduce(x),
    "np.add.accumulate": lambda x: np.add.accumulate(x * x),
    "np.logaddexp.accumulate": lambda x: np.logaddexp.accumulate(x),
    "np.multiply.outer": lambda x: np.multiply.outer(x, x[:2]),
    "np.add.at": into(lambda h, x: np.add.at(h, [0, 0, 2], x), twice),
    "np.add.at of an Array": into(lambda h, x: np.add.at(h, xp.asarray([0, 0, 2]), x * x)),
    "np.add.at of a slice": into(lambda h, x: np.add.at(h, slice(0, 2), x[1:])),
    "np.add.at of constants": into(lambda h, x: np.add.at(h, [0, 0], 1.0), twice),
    "np.subtract.at": into(lambda h, x: np.subtract.at(h, [0, 0, 2], x * x)),
    "np.multiply.at": into(lambda h, x: np.multiply.at(h, [0, 2], x[:2]), twice),
    "np.negative.at": into(lambda h, x: np.negative.at(h, [0, 2]), twice),
    "np.sum where=": lambda x: np.sum(x * x, where=MASK),
    "np.mean dtype=": lambda x: np.mean(x * x, dtype=np.float64),
    "np.max initial=": lambda x: np.max(x * x, initial=5.0),
    "np.take of a list": lambda x: np.take(xp.outer(x, x), [0, 5]),
    "np.compress": lambda x: np.compress(MASK, x),
    "np.interp by x": lambda x: np.interp(x, [0, 1, 4.0], [0.0, 2, 3]),
    "np.interp by fp": lambda x: np.interp([0.7, 1.3], [0.0, 1.0, 2.0], x * x),
    "np.clip": lambda x: np.clip(x, 0.7, 2.5),
    "np.select": lambda x: np.select([MASK, ~MASK], [x, x * x]),
    "np.piecewise": lambda x: np.piecewise(x, [x > 1], [lambda v: v * v, 2.0]),
    "np.bincount weights": lambda x: np.bincount([0, 1, 1], weights=x),
    "np.histogram weights": lambda x: np.histogram([0.1, 0.2, 0.3], weights=x)[0],
    "histogram edges": lambda x: xp.histogram_bin_edges(x, 4),
    "histogram of a density": lambda x: xp.histogram(xp.asarray([0.6, 1.0]), bins=x, density=True)[0],
    "append of integers": lambda x: xp.append(x, [1, 2]),
    "np.block with integers": lambda x: np.block([x, 1]),
    "np.quantile of a list": lambda x: np.quantile(x, [0.3, 0.6]),
    "np.polyfit": lambda x: np.polyfit([0.0, 1, 2], x, 1),
    "np.choose": lambda x: np.choose([0, 1, 0], [x, x * x]),
    "np.gradient": lambda x: np.gradient(x * x),
    "np.unwrap": lambda x: xp.unwrap(x * 3),
    "np.cov": lambda x: np.cov(x, x * x),
    "np.apply_along_axis": lambda x: np.apply_along_axis(np.sum, 0, x * x),
    "np.where": lambda x: np.where(MASK, x, x * x),
    "np.einsum": lambda x: np.einsum("i,i", x, x),
    "np.linalg.norm": np.linalg.norm,
    "np.fft": lambda x: np.abs(np.fft.fft(x)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_followed_or_not_at_all(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_grads(FOLLOWED[name], (X,), order=1)


@pytest.mark.parametrize("name", [n for n in FOLLOWED if "at of" not in n and "reduce" not in n])
def test_values_do_not_depend_on_being_followed(name):
    plain = FOLLOWED[name](X.copy())
    got = followed(FOLLOWED[name])
    for a, b in zip(plain if isinstance(plain, (list, tuple)) else [plain], got if isinstance(got, (list, tuple)) else [got]):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(np.asarray(b.detach()), np.asarray(a), rtol=1e-14)


def test_scipy_ufuncs_go_to_ours():
    special = pytest.importorskip("scipy.special")
    for f in (special.expit, special.gammaln, special.erf):
        check_grads(f, (X,), order=1)
    assert _says_what_to_do(followed(lambda x: special.kelvin(x)[0]))  # nobody here has that one


def test_result_is_no_number():
    with pytest.raises(ValueError, match=r"must return one number, and returned shape \(3,\); sum it, or use jacobian or vjp"):
        xp.grad(lambda x: x)(X)
    leaf = X.copy()
    leaf.requires_grad = True
    y = leaf * 2
    with pytest.raises(ValueError, match="one number"):
        y.backward()
    with pytest.raises(TypeError, match="real part or abs"):
        xp.grad(lambda z: z)(1j)
    with pytest.raises(TypeError, match="returned int64, which has no derivative"):
        xp.grad(lambda x: xp.argmax(x))(X)
    with pytest.raises(TypeError, match="has_aux=True"):
        xp.grad(lambda x: (xp.sum(x), x))(X)
    with pytest.raises(TypeError, match="not NoneType"):
        xp.grad(lambda x: None)(X)


@pytest.mark.parametrize("x", [3, True, xp.asarray([1, 2]), np.arange(3), xp.asarray([True])])
def test_integer_argument(x):
    for transform in (
        xp.grad(xp.sum),
        autodiff.jacobian(xp.sum),
        lambda v: autodiff.vjp(xp.sum, v),
        lambda v: autodiff.jvp(xp.sum, (v,), (v,)),
    ):
        with pytest.raises(TypeError, match="differentiates by floating-point arrays"):
            transform(x)
    with pytest.raises(TypeError, match=r"asarray|astype"):
        xp.grad(xp.sum)(x)


def test_integer_leaf():
    x = xp.asarray([1, 2])
    with pytest.raises(TypeError, match="astype"):
        x.requires_grad = True


def test_freed_graph():
    x = X.copy()
    x.requires_grad = True
    y = xp.sum(xp.exp(x))
    y.backward()
    with pytest.raises(FreedError, match=r"retain_graph=True"):
        y.backward()
    assert "freed" in str(autodiff.draw(y))


def test_nothing_to_go_back_to():
    with pytest.raises(RuntimeError, match="requires_grad = True"):
        xp.sum(X).backward()
    x = X.copy()
    x.requires_grad = True
    for y in (xp.sum(x.detach()), xp.sum(xp.floor(x))):
        with pytest.raises(RuntimeError, match=r"autodiff\.draw"):
            y.backward()
    with autodiff.no_grad():
        y = xp.sum(x)
    with pytest.raises(RuntimeError, match="no_grad"):
        y.backward()


def test_partial_view_cannot_be_a_leaf():
    x = xp.zeros((3, 3))
    for part in (x[1:], x[:, 0], x[::2], xp.broadcast_to(x, (2, 3, 3))):
        with pytest.raises(ValueError, match="copy"):
            part.requires_grad = True
    whole = x.T
    whole.requires_grad = True
    assert x.requires_grad


def test_results_are_no_leaves():
    x = X.copy()
    x.requires_grad = True
    y = x * 2
    with pytest.raises(RuntimeError, match="detach"):
        y.requires_grad = False
    with pytest.raises(RuntimeError, match="requires_grad = True"):
        X.copy().grad = X


def test_python_numbers_are_no_results():
    for transform in (xp.grad, lambda f: lambda x: autodiff.vjp(f, x), lambda f: lambda x: autodiff.jvp(f, (x,), (x,))):
        for f in (lambda x: float(xp.sum(x)), lambda x: xp.sum(x).item()):
            with pytest.raises(TypeError, match=r"a Python float, which no derivative can follow.*return the array itself"):
                transform(f)(X)
    y, dy = autodiff.jvp(lambda x: (x, 3.0), (X,), (X,))  # beside arrays they are constants
    assert float(y[1]) == 3.0
    assert float(dy[1]) == 0.0


def test_shapes_and_numbers_are_named():
    with pytest.raises(ValueError, match=r"cotangent has shape \(2,\), the result \(3,\)"):
        autodiff.vjp(xp.exp, X)[1](xp.ones(2))
    with pytest.raises(ValueError, match=r"tangent has shape \(2,\), its primal \(3,\)"):
        autodiff.jvp(xp.exp, (X,), (xp.ones(2),))
    with pytest.raises(ValueError, match="argnums=2"):
        xp.grad(xp.sum, argnums=2)(X)
    leaf = X.copy()
    leaf.requires_grad = True
    with pytest.raises(ValueError, match=r"cotangent has shape \(2,\)"):
        (leaf * 2).backward(xp.ones(2))


def test_no_derivative_says_so():
    for transform in (xp.grad(lambda x: xp.sum(xp.unique_values(x))), lambda x: autodiff.jvp(xp.unique_values, (x,), (x,))):
        with pytest.raises(NoDerivativeError, match=r"has no derivative.*detach"):
            transform(X)


def test_an_output_that_does_not_depend():
    def f(x, y):
        return xp.sum(x) * xp.sum(xp.floor(y)) + y.shape[0] * float(y[0])

    g = xp.grad(f, argnums=(0, 1))(X, X)
    assert not xp.any(g[1])
    assert autodiff.depends(f, X, X) == (True, False)
    assert autodiff.depends(lambda d, n: d["a"] * n, {"a": X, "b": [X, 2.0]}, 3) == ({"a": True, "b": [False, False]}, None)
    assert autodiff.depends(lambda x: autodiff.stop_gradient(x) * 2, X) == (False,)

    def writes(x, y):
        h = xp.zeros(3)
        h[:2] = y[1:]
        return h * x[0]

    assert autodiff.depends(writes, X, X) == (True, True)
    assert autodiff.depends(lambda x: 3.0, X) == (False,)
