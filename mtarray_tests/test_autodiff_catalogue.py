"""Derivatives of every function of the elementwise, statistical, searching, sorting and layout sections and of the NumPy names.

Both modes, orders 1 and 2, against central differences and against JAX, which runs the same text. What has no derivative is listed with
the reason; a new function or op is in neither list until somebody says which.
"""

import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff
from mtarray._ops import REGISTRY, Elementwise

from .test_derivatives_linalg import along, check, inner, like, near, results, strided, transposed, weighted

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """f(namespace, *arrays). domain: the interval of the elements. kinds: f, c. peer: whether JAX has it and agrees by design."""

    name: str
    f: Function
    shapes: tuple[tuple[int, ...], ...]
    domain: tuple[float, float] = (0.2, 0.9)
    kinds: str = "f"
    peer: bool = True
    id: str = field(default="")

    def arrays(self, kind: str) -> list[np.ndarray]:
        """Random operands, no two elements equal."""
        random = np.random.default_rng(zlib.crc32(self.id.encode()))
        low, high = self.domain
        out = []
        for shape in self.shapes:
            n = int(np.prod(shape))
            a = low + (high - low) * (random.permutation(n) + random.uniform(0.3, 0.7, n)) / max(n, 1)
            out.append(np.asarray(a + 1j * random.uniform(0.2, 0.9, n) if kind == "c" else a).reshape(shape))
        return out


CASES: list[Case] = []
TESTED: set[str] = set()  # public names
OPS: set[str] = set()  # the registry's ops


def case(names: str, f: Function | None, *shapes: tuple[int, ...], **options: Any) -> None:
    """A case for each of the public functions `names` (its own text, or f(function, *arrays))."""
    for name in names.split():
        TESTED.add(name)

        def run(n: Any, *args: Any, name: str = name) -> Any:
            function = getattr(n, name)
            return function(*args) if f is None else f(function, *args)

        CASES.append(Case(name, run, shapes, id=f"{name}-{len(CASES)}", **options))


def text(names: str, f: Function, *shapes: tuple[int, ...], **options: Any) -> None:
    """A case that is the text f(namespace, *arrays) of several functions."""
    TESTED.update(names.split())
    CASES.append(Case(names, f, shapes, id=f"{names.split()[0]}-{len(CASES)}", **options))


# ---------------------------------------------------------------------- elementwise

A, B = (2, 3), (3,)
DISC = "abs absolute fabs floor ceil trunc rint round around fix spacing log log2 log10 log1p cbrt exp2 asin acos arcsin arccos atanh"
NO_PEER = ("real_if_close", "fix", "spacing", "nextafter")  # JAX has not these; of the complex sign it has no derivative
for kinds, domain, names in [
    ("f", (0.2, 0.9), DISC + " arctanh expm1 deg2rad rad2deg degrees radians sinc nan_to_num"),
    ("f", (-0.9, -0.2), "abs absolute fabs floor ceil trunc rint sign cbrt sinc asin acos atanh log1p real_if_close"),
    ("f", (1.2, 3.0), "acosh arccosh"),
    ("fc", (-0.8, 0.8), "sin cos tan asinh arcsinh atan arctan sinh cosh tanh exp expm1 negative positive square conj conjugate"),
    ("fc", (0.2, 0.9), "log log2 log10 log1p sqrt reciprocal abs absolute sign asin acos atanh angle real"),
    ("c", (0.2, 0.9), "imag acosh"),
]:
    for name in names.split():
        case(name, None, A, domain=domain, kinds=kinds, peer=name not in NO_PEER and (name != "sign" or kinds == "f"))
for name, domain in [
    ("add", (-1, 1)), ("subtract", (-1, 1)), ("multiply", (-1, 1)), ("divide", (0.3, 2)), ("true_divide", (0.3, 2)), ("pow", (0.3, 2)),
    ("power", (0.3, 2)), ("float_power", (0.3, 2)),
]:  # fmt: skip
    case(name, None, A, B, domain=domain, kinds="fc", peer=name != "float_power")
case("logaddexp logaddexp2 hypot atan2 arctan2 maximum minimum fmax fmin copysign heaviside", None, A, B, domain=(-0.9, 0.8))
case("nextafter", None, A, B, peer=False)
case("remainder mod fmod floor_divide", lambda f, x, y: f(x * 7 + 0.05, y), A, B)
text("divmod", lambda n, x, y: n.divmod(x * 7 + 0.05, y), A, B)
text("ldexp", lambda n, x: n.ldexp(x, n.asarray([1, -2, 3])), A)
text("frexp", lambda n, x: n.frexp(x)[0], A, peer=False)
text("modf", lambda n, x: n.modf(x * 3)[0], A)
text("clip", lambda n, x, y: n.clip(x, y, 0.6), A, B)
text("clip", lambda n, x: n.clip(x, 0.3, None), A)
text("where", lambda n, x, y: n.where(n.asarray([True, False, True]), x, y), A, B, kinds="fc")
text("astype", lambda n, x: n.astype(x, n.complex128) * (1 + 2j), A)
text("gradient", lambda n, x: n.gradient(x, axis=1), (3, 4))
text("unwrap", lambda n, x: n.unwrap(x), (6,), domain=(-9, 9))
text("interp", lambda n, x, xp_, fp: n.interp(x, n.cumsum(xp_), fp), (5,), (4,), (4,))
text("polyval", lambda n, p, x: n.polyval(p, x), (4,), A, kinds="fc")
text("polyfit", lambda n, y: n.polyfit(n.asarray(np.linspace(-1, 1, 6)), y, 2), (6,))
text("trapezoid", lambda n, y, x: n.trapezoid(y, n.cumsum(x)), (5,), (5,))
text("piecewise", lambda n, x: n.piecewise(x, [x < 0.5, x >= 0.5], [lambda v: v * v, lambda v: 3 * v]), A)
text("vander", lambda n, x: n.vander(x, 4), (3,), peer=False)

# ---------------------------------------------------------------------- statistics

FOLDS = "sum prod mean var std max min amax amin ptp median nansum nanprod nanmean nanvar nanstd nanmax nanmin nanmedian"
for name in FOLDS.split():
    for options in ({}, {"axis": 1}, {"axis": (0, 2), "keepdims": True}):
        complex_too = name in ("sum", "prod", "mean", "nansum", "nanprod", "nanmean")
        case(name, lambda f, x, o=options: f(x, **o), (2, 3, 2), kinds="fc" if complex_too else "f")
text("var std", lambda n, x: n.var(x, axis=0, correction=1) + n.std(x, axis=0, correction=1), (4, 3), peer=False)
case("cumulative_sum cumulative_prod cumsum cumprod nancumsum nancumprod", lambda f, x: f(x, axis=1), A, kinds="fc")
text("cumulative_sum cumulative_prod", lambda n, x: n.cumulative_prod(n.cumulative_sum(x, include_initial=True)[1:]), (4,))
text("average", lambda n, x, w: n.average(x, axis=0, weights=w), (4, 3), (4,))
for q in ("quantile", "percentile", "nanquantile", "nanpercentile"):
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        scale = 100 if "percent" in q else 1
        case(q, lambda f, x, m=method, s=scale: f(x, np.asarray([0.2 * s, 0.77 * s]), axis=0, method=m), (6, 2))
text("cov corrcoef", lambda n, x: n.cov(x) + n.corrcoef(x), (3, 6))
text("histogram", lambda n, w: n.histogram(np.linspace(0, 1, 6), bins=3, weights=w)[0], (6,), peer=False)
text("bincount", lambda n, w: n.bincount(n.asarray([0, 2, 2, 1, 0, 3]), w), (6,), peer=False)
text("diff ediff1d", lambda n, x: n.diff(x, n=2, axis=0), (4, 3), kinds="fc")
text("ediff1d", lambda n, x: n.ediff1d(x), (5,))
text("convolve correlate", lambda n, x, y: n.convolve(x, y) * n.correlate(x, y, mode="full"), (5,), (3,))

# ---------------------------------------------------------------------- searching, sorting, selecting

case("sort", lambda f, x: f(x, axis=0), (5, 3))
case("partition", lambda f, x: n_sorted_part(f(x, 2)), (6,))
text("sort", lambda n, x: n.sort(x, descending=True), (5, 3))
text("take", lambda n, x: n.take(x, n.asarray([2, 0, 0, 1]), axis=1), A, kinds="fc")
text("take_along_axis", lambda n, x: n.take_along_axis(x, n.asarray([[0, 0, 2], [1, 1, 0]]), axis=1), A, kinds="fc")
text("compress", lambda n, x: n.compress(np.asarray([True, False, True]), x, axis=1), A)
text("extract", lambda n, x: n.extract(np.asarray([[True, False, True], [False, True, True]]), x), A)
text("choose", lambda n, x, y: n.choose(n.asarray([0, 1, 0]), [x, y]), B, B, peer=False)
text("select", lambda n, x, y: n.select([x < 0.4, x < 0.7], [x * x, y], 0.0), A, A)
text("delete", lambda n, x: n.delete(x, np.asarray([1]), axis=1), A)
text("insert", lambda n, x, v: n.insert(x, 1, v, axis=0), A, B)
text("append", lambda n, x, y: n.append(x, y), A, B)
text("diag diagflat diagonal", lambda n, x: n.diag(x) + n.diagflat(n.diagonal(n.outer(x, x))), (3,))
text("trace", lambda n, x: n.trace(x, offset=1), (3, 4), kinds="fc")

# ---------------------------------------------------------------------- layout

for names, f in [
    ("permute_dims", lambda n, x: n.permute_dims(x, (1, 2, 0))), ("transpose", lambda n, x: n.transpose(x)),
    ("matrix_transpose", lambda n, x: n.matrix_transpose(x)), ("moveaxis", lambda n, x: n.moveaxis(x, 0, 2)),
    ("rollaxis", lambda n, x: n.rollaxis(x, 2)), ("swapaxes", lambda n, x: n.swapaxes(x, 0, 2)), ("flip", lambda n, x: n.flip(x, axis=1)),
    ("fliplr flipud", lambda n, x: n.fliplr(n.flipud(x))), ("rot90", lambda n, x: n.rot90(x)), ("roll", lambda n, x: n.roll(x, 2, axis=1)),
    ("reshape", lambda n, x: n.reshape(n.swapaxes(x, 0, 1), (4, 3))), ("ravel", lambda n, x: n.ravel(x)),
    ("resize", lambda n, x: n.resize(x, (5, 3))), ("expand_dims", lambda n, x: n.expand_dims(x, axis=1)),
    ("squeeze", lambda n, x: n.squeeze(x[:, :1], axis=1)), ("broadcast_to", lambda n, x: n.broadcast_to(x, (3, 2, 3, 2))),
    ("repeat", lambda n, x: n.repeat(x, 3, axis=1)), ("tile", lambda n, x: n.tile(x, (2, 1, 2))),
    ("unstack", lambda n, x: list(n.unstack(x, axis=1))), ("split", lambda n, x: list(n.split(x, 3, axis=1))),
    ("array_split", lambda n, x: list(n.array_split(x, 2, axis=1))), ("hsplit", lambda n, x: list(n.hsplit(x, 3))),
    ("vsplit", lambda n, x: list(n.vsplit(x, 2))), ("dsplit", lambda n, x: list(n.dsplit(x, 2))),
    ("tril triu", lambda n, x: n.tril(x) + 2 * n.triu(x, k=1)), ("pad", lambda n, x: n.pad(x, ((1, 0), (0, 2), (1, 1)))),
    ("atleast_1d atleast_2d atleast_3d", lambda n, x: n.atleast_3d(n.atleast_2d(n.atleast_1d(x)))),
    ("copy", lambda n, x: n.copy(x)), ("asarray", lambda n, x: n.asarray(x)), ("array", lambda n, x: n.array(x)),
]:  # fmt: skip
    text(names, f, (2, 3, 2), kinds="fc", peer=names != "asarray")
for mode in ("reflect", "symmetric", "edge", "wrap", "linear_ramp", "maximum", "mean", "median", "minimum"):
    text("pad", lambda n, x, m=mode: n.pad(x, ((1, 2), (2, 1)), mode=m), (4, 3))
for names in ("concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack"):
    case(names, lambda f, x, y: f([x, y]), A, A, kinds="fc")
text("block", lambda n, x, y: n.block([[x, y], [y, x]]), A, A)
text("broadcast_arrays", lambda n, x, y: list(n.broadcast_arrays(x, y)), A, B)
text("meshgrid", lambda n, x, y: list(n.meshgrid(x, y)), (3,), (2,))
text("asanyarray ascontiguousarray", lambda n, x: n.ascontiguousarray(n.asanyarray(x)), A, peer=False)
text("apply_along_axis", lambda n, x: n.apply_along_axis(lambda r: r * n.sum(r), 1, x), A)
text("apply_over_axes", lambda n, x: n.apply_over_axes(n.sum, x, [0, 1]), A)
text("full full_like", lambda n, v: n.full((2, 3), v) * n.full_like(n.ones(3), v), (), peer=False)
text("linspace", lambda n, a, b: n.linspace(a, b, 5), (), (), kinds="fc")
text("logspace geomspace", lambda n, a, b: n.logspace(a, b, 4) + n.geomspace(a, b, 4), (), (), peer=False)
text("fromfunction", lambda n, x: n.fromfunction(lambda i, j: i * x + j, (2, 3)), (), peer=False)
text("asarray array", lambda n, x, y: n.asarray([x, y, x]), (), (), peer=False)
# Products have their own table; here they stand for the names.
text("inner outer dot vdot kron cross", lambda n, x, y: [n.inner(x, y), n.outer(x, y), n.dot(x, y), n.kron(x, y), n.cross(x, y)], B, B)
text("vdot vecdot", lambda n, x, y: n.vdot(x, y) + n.vecdot(x, y), B, B, kinds="fc")
text("matmul matvec vecmat tensordot einsum", lambda n, x, y: [n.matmul(x, y), n.tensordot(x, y, axes=1), n.einsum("ij,j", x, y)], A, B)
text("matvec vecmat", lambda n, x, y: n.vecmat(n.matvec(x, y), x), A, B)


def writing(names: str, write: Function, *shapes: tuple[int, ...]) -> None:
    """A case of a function that writes into its first argument."""

    def run(n: Any, x: Any, *rest: Any) -> Any:
        x = xp.asarray(x, copy=True)
        write(n, x, *rest)
        return x

    text(names, run, *shapes, peer=False)


writing("copyto", lambda n, x, y: n.copyto(x, y * y), A, B)
writing("put", lambda n, x, y: n.put(x, [4, 0, 4], y), A, B)
writing("place", lambda n, x, y: n.place(x, np.asarray([[True, False, True], [True, True, False]]), y), A, (2,))
writing("putmask", lambda n, x, y: n.putmask(x, np.asarray([[True, False, True], [True, True, False]]), y), A, A)
writing("fill_diagonal", lambda n, x, y: n.fill_diagonal(x, y), (3, 3), (3,))
writing("put_along_axis", lambda n, x, y: n.put_along_axis(x, n.asarray([[2, 0], [1, 1]]), y, 1), A, (2, 2))


def n_sorted_part(x: Any) -> Any:
    """What a partition determines: the sums below and above, and the element in its place."""
    return [x[:2].sum(), x[2], x[3:].sum()]


# ---------------------------------------------------------------------- what has none

REASONS = {
    "its results are integers or booleans": (
        "all allclose any argmax argmin argpartition argsort argwhere array_equal array_equiv bitwise_and bitwise_count bitwise_invert "
        "bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor count_nonzero digitize equal flatnonzero gcd greater "
        "greater_equal invert isclose iscomplex isfinite isin isinf isnan isneginf isposinf isreal lcm left_shift less less_equal lexsort "
        "logical_and logical_not logical_or logical_xor nanargmax nanargmin nonzero not_equal ravel_multi_index right_shift searchsorted "
        "signbit unravel_index"
    ),
    "its results depend on shapes and parameters alone": (
        "arange diag_indices diag_indices_from empty empty_like eye identity indices ix_ mask_indices ones ones_like tri tril_indices "
        "tril_indices_from triu_indices triu_indices_from zeros zeros_like broadcast_shapes einsum_path"
    ),
    "it is about dtypes, devices, memory, files or settings": (
        "can_cast config finfo from_dlpack frombuffer iinfo iscomplexobj isdtype isrealobj isscalar load may_share_memory ndim result_type "
        "save set_default_device shape shares_memory show_config size strict elementwise reduction scan"
    ),
    "the size of its result depends on values": (
        "intersect1d setdiff1d setxor1d union1d unique unique_all unique_counts unique_inverse unique_values"
    ),
    "it counts": "histogram2d histogram_bin_edges histogramdd",
}  # fmt: skip
NONE = {name: reason for reason, names in REASONS.items() for name in names.split()}
REFUSING: dict[str, Function] = {"distinct": lambda x: xp.unique_values(x)}
ELSEWHERE = (
    "mtarray.linalg",
    "mtarray.fft",
    "mtarray.special",
    "mtarray.random",
    "mtarray.convolution",
    "mtarray.nn",  # of whose ops the updates of optimisers have no derivative: they run in no_grad
    "mtarray.normalization",
    "mtarray.recurrence",
)  # sections with tables of their own


def public() -> set[str]:
    """The functions of the namespace."""
    names = {n for n in dir(xp) if not n.startswith("_") and callable(getattr(xp, n)) and n[0].islower()}
    return {n for n in names if not isinstance(getattr(xp, n), (type, np.dtype))} - {"grad", "value_and_grad"}


def test_every_function_is_here() -> None:
    """Each public function is tested, or has a reason."""
    assert sorted(public() - TESTED - set(NONE)) == []
    assert sorted(TESTED & set(NONE)) == []


def test_every_op_declares() -> None:
    """Each op of these sections has a derivative, or results that are not floating, or refuses."""
    silent = []
    for op in REGISTRY.values():
        if op.section.startswith(ELSEWHERE) or not op.section.startswith("mtarray.") or getattr(op, "derivative", None) is not None:
            continue
        if op.name not in NONE and op.name not in REFUSING and op.name not in INTEGRAL:
            silent.append(op.name)
    assert silent == []


# Ops without public names of their own whose results are integers or booleans, or that select by them.
INTEGRAL = {"arg_extreme", "indices_nonzero", "places", "order_along", "partition_order", "tally", "member"}


@pytest.mark.parametrize("name", REFUSING)
def test_refusals(name: str) -> None:
    """What has no derivative says so, in both modes."""
    x = xp.asarray([0.5, 0.25, 0.5])
    for derivative in (lambda: xp.grad(lambda x: xp.sum(REFUSING[name](x)))(x), lambda: autodiff.jvp(REFUSING[name], (x,), (x,))):
        with pytest.raises(autodiff.NoDerivativeError, match=name):
            derivative()


# ---------------------------------------------------------------------- the tests of each case

CALLS = [pytest.param(c, k, id=f"{c.id}-{k}") for c in CASES for k in c.kinds]


@pytest.mark.parametrize(("c", "kind"), CALLS)
def test_against_central_differences(c: Case, kind: str) -> None:
    check(lambda *args: c.f(xp, *args), c.arrays(kind))


@pytest.mark.parametrize(("c", "kind"), [p for p in CALLS if p.values[0].peer])
def test_against_jax(c: Case, kind: str, seed: int, full: bool) -> None:
    """Gradient and product with the Hessian; a slice every day, since JAX compiles each."""
    if not full and (zlib.crc32(c.id.encode()) + seed) % 8:
        pytest.skip("another slice")
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore")
    peer = jax.numpy
    arrays = c.arrays(kind)
    args = tuple([xp.asarray(a) for a in arrays])
    random = np.random.default_rng(1)
    weights = [like(v, random) for v in results(c.f(xp, *args))]
    ts = [like(a, random) for a in args]

    def total(*args: Any) -> Any:
        return along([xp.asarray(w) for w in weights], results(c.f(xp, *args)))

    def peers(*args: Any) -> Any:
        return sum(peer.sum(peer.real(np.conj(w) * v)) for w, v in zip(weights, results(c.f(peer, *args))))

    every = tuple(range(len(args)))
    gradient = autodiff.grad(total, every)
    ours = [*gradient(*args), *autodiff.jvp(gradient, args, tuple([xp.asarray(t) for t in ts]))[1]]
    theirs = [np.conj(g) for part in jax.jvp(jax.grad(peers, every), tuple(arrays), tuple(ts)) for g in part]
    for got, want in zip(ours, theirs, strict=True):
        want = np.asarray(want)
        np.testing.assert_allclose(np.asarray(got), want, rtol=0, atol=1e-10 * max(1.0, np.max(np.abs(want), initial=0)))


@pytest.mark.parametrize("layout", [transposed, strided])
@pytest.mark.parametrize("c", [pytest.param(c, id=c.id) for c in CASES if any(c.shapes)])
def test_layouts(c: Case, layout: Function) -> None:
    """Operands that lie in memory otherwise, and windows on what is differentiated by, have the same derivatives."""
    arrays = c.arrays(c.kinds[-1])
    args = [xp.asarray(a) for a in arrays]
    total = weighted(lambda *args: c.f(xp, *args), args)
    every = tuple(range(len(args)))
    want = autodiff.grad(total, every)(*args)
    placed = [layout(a) for a in arrays]
    for g, w in zip(autodiff.grad(total, every)(*placed), want):
        np.testing.assert_allclose(np.asarray(g), np.asarray(w), rtol=1e-10, atol=1e-10)
    turned = autodiff.grad(lambda *args: total(*[xp.flip(a.T) for a in args]), every)(*[xp.flip(a.T) for a in args])
    for g, w in zip(turned, want):
        np.testing.assert_allclose(np.asarray(xp.flip(g.T)), np.asarray(w), rtol=1e-10, atol=1e-10)
    near(autodiff.jvp(total, placed, placed)[1], along(want, args), 1e-9)


@pytest.mark.parametrize("c", [pytest.param(c, id=c.id) for c in CASES])
def test_single_precision(c: Case) -> None:
    """Results and derivatives of float32 are float32; beside float64 each cotangent has its argument's dtype."""
    args = [xp.astype(xp.asarray(a), xp.float32) for a in c.arrays("f")] if "f" in c.kinds else []
    if not args:
        return
    total = weighted(lambda *args: c.f(xp, *args), args)
    every = tuple(range(len(args)))
    for g in autodiff.grad(total, every)(*args):
        assert g.dtype == xp.float32
    tangents = [xp.ones_like(a) for a in args]
    y, dy = autodiff.jvp(lambda *args: c.f(xp, *args), tuple(args), tuple(tangents))
    for v, t in zip(results(y), results(dy)):
        assert t.dtype == (v.dtype if v.dtype.kind in "fc" else xp.float64)
        assert t.shape == v.shape
    if len(args) > 1:
        mixed = [xp.astype(args[0], xp.float64), *args[1:]]
        for g, a in zip(autodiff.grad(total, every)(*mixed), mixed):
            assert g.dtype == a.dtype


UNARY = [c for c in CASES if c.shapes == (A,) and isinstance(REGISTRY.get(c.name), Elementwise) and c.name != "ldexp"]


@pytest.mark.parametrize("c", [pytest.param(c, id=c.id) for c in UNARY])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0)])
def test_empty_and_0d(c: Case, shape: tuple[int, ...]) -> None:
    x = xp.asarray(np.full(shape, np.mean(c.domain)) * (1 if c.kinds[0] == "f" else 1 + 0.5j))
    for g in (
        xp.grad(lambda x: inner(xp.ones_like(c.f(xp, x)), c.f(xp, x)))(x),
        autodiff.jvp(lambda x: c.f(xp, x), (x,), (xp.ones_like(x),))[1],
    ):
        assert g.shape == shape


# ---------------------------------------------------------------------- ties and zeros


@pytest.mark.parametrize(
    ("f", "x", "g"),
    [
        (lambda x: xp.max(x), [1.0, 3, 3, 2], [0, 0.5, 0.5, 0]),
        (lambda x: xp.min(x), [1.0, 1, 1, 2], [1 / 3, 1 / 3, 1 / 3, 0]),
        (lambda x: xp.maximum(x, 3.0), [1.0, 3, 4, 2], [0, 0.5, 1, 0]),
        (lambda x: xp.sum(xp.minimum(x, x)), [1.0, 3, 4, 2], [1, 1, 1, 1]),
        (lambda x: xp.sort(x)[1], [2.0, 1, 1, 3], [0, 0, 1, 0]),
        (lambda x: xp.median(x), [1.0, 3, 3, 5], [0, 0.5, 0.5, 0]),
        (lambda x: xp.quantile(x, 0.5), [1.0, 3, 3, 5], [0, 0.5, 0.5, 0]),
        (lambda x: xp.abs(x), [0.0, -1, 2], [0, -1, 1]),
        (lambda x: xp.clip(x, 0.0, 1.0), [-1.0, 0.5, 2], [0, 1, 0]),
    ],
)
def test_ties(f: Function, x: list[float], g: list[float]) -> None:
    """The usual choice: equal shares of the largest; of the sorted and the middle ones, those that the order picks."""
    x0 = xp.asarray(x)
    np.testing.assert_allclose(np.asarray(xp.grad(lambda x: xp.sum(f(x)))(x0)), g, rtol=1e-15)
    t = xp.asarray(np.arange(1.0, len(x) + 1))
    near(xp.sum(autodiff.jvp(f, (x0,), (t,))[1]), float(np.dot(g, np.asarray(t))), 1e-14)


@pytest.mark.parametrize("zeros", [1, 2, 3])
@pytest.mark.parametrize(
    "f", [lambda x: xp.prod(x), lambda x: xp.prod(x, axis=1), lambda x: xp.cumulative_prod(x, axis=1), lambda x: xp.nanprod(x, axis=0)]
)
@pytest.mark.parametrize("kind", ["f", "c"])
def test_zeros_in_products(f: Function, zeros: int, kind: str) -> None:
    """Exact zeros make no NaN, in the first and the second derivative."""
    random = np.random.default_rng(zeros)
    x = random.uniform(0.5, 1.5, (2, 4)) + (1j * random.uniform(0.5, 1.5, (2, 4)) if kind == "c" else 0)
    x[1, [2, 0, 3][:zeros]] = 0
    x[0, 1] = 0
    check(f, [x])


def test_powers_at_zero() -> None:
    """x**2 and x**1 at 0, first and second derivative, and 0 as the exponent."""
    x = xp.asarray([0.0, 2.0])
    assert xp.grad(lambda x: xp.sum(x**2))(x).tolist() == [0.0, 4.0]
    assert xp.grad(lambda x: xp.sum(xp.grad(lambda x: xp.sum(x**2))(x)))(x).tolist() == [2.0, 2.0]
    assert xp.grad(lambda x: xp.sum(x**1))(x).tolist() == [1.0, 1.0]
    assert xp.grad(lambda x: xp.sum(x**0))(x).tolist() == [0.0, 0.0]
    assert xp.grad(lambda x: xp.sum(xp.pow(x, xp.asarray(2.0))))(x).tolist() == [0.0, 4.0]
