"""Libraries nobody here wrote, used for real with mtarray arrays: the same call with NumPy arrays must give the same, and stay ours.

A case takes `asarray` of a namespace and calls the client; it runs once with NumPy and once with mtarray. Unless `keeps` is
False every array among the results must be an mtarray array again: a client that quietly fell back to NumPy has failed.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import mtarray as xp

RNG = np.random.default_rng(20)
X = RNG.normal(size=(40, 6))
Y = RNG.normal(size=(40, 6)) + 0.3 * X
V = RNG.uniform(0.5, 3.0, 50)
SPD = X.T @ X + np.eye(6)
LABELS = (X[:, 0] + 0.2 * Y[:, 1] > 0).astype(np.int64)
COUNTS = RNG.integers(0, 5, (40,))

Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Case:
    """A use of a client. `requires` is the package; `tolerance` is relative."""

    requires: str
    name: str
    run: Callable[[Make], Any]
    keeps: bool = True
    tolerance: float = 1e-9

    @property
    def id(self) -> str:
        return f"{self.requires}-{self.name}"


def installed(name: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return importlib.util.find_spec(name) is not None


def scipy_cases() -> Iterator[Case]:
    """SciPy with SCIPY_ARRAY_API=1, which conftest sets."""
    from scipy import cluster, differentiate, fft, integrate, ndimage, signal, special, stats
    from scipy.optimize import elementwise
    from scipy.spatial import transform

    def case(name: str, run: Callable[[Make], Any], **options: Any) -> Case:
        return Case("scipy", name, run, **options)

    yield case("special.expit", lambda a: special.expit(a(X)))
    yield case("special.gammaln", lambda a: special.gammaln(a(V)))
    yield case("special.erf", lambda a: special.erf(a(X)))
    yield case("special.logsumexp", lambda a: special.logsumexp(a(X), axis=1))
    yield case("special.softmax", lambda a: special.softmax(a(X), axis=1))
    yield case("special.xlogy", lambda a: special.xlogy(a(V), a(V)))
    yield case("stats.zscore", lambda a: stats.zscore(a(X), axis=0))
    yield case("stats.gmean", lambda a: stats.gmean(a(V)))
    yield case("stats.skew", lambda a: stats.skew(a(X), axis=0))
    yield case("stats.kurtosis", lambda a: stats.kurtosis(a(X), axis=None))
    yield case("stats.pearsonr", lambda a: stats.pearsonr(a(X), a(Y), axis=0).statistic)
    yield case("stats.ttest_ind", lambda a: tuple(stats.ttest_ind(a(X), a(Y), axis=0))[:2])
    yield case("stats.ttest_1samp", lambda a: tuple(stats.ttest_1samp(a(X), 0.1, axis=0))[:2])
    yield case("stats.entropy", lambda a: stats.entropy(a(V)))
    yield case("stats.variation", lambda a: stats.variation(a(np.abs(X)), axis=0))
    yield case("stats.trim_mean", lambda a: stats.trim_mean(a(V), 0.1))
    yield case("fft.fft", lambda a: fft.fft(a(X), axis=0))
    yield case("fft.rfft2", lambda a: fft.rfft2(a(X)))
    yield case("fft.fftfreq", lambda a: fft.fftshift(a(V)))
    yield case("signal.fftconvolve", lambda a: signal.fftconvolve(a(V), a(V[:9]), mode="same"))
    yield case("signal.hilbert", lambda a: signal.hilbert(a(V)))
    yield case("signal.detrend", lambda a: signal.detrend(a(V)))
    yield case("ndimage.gaussian_filter", lambda a: ndimage.gaussian_filter(a(X), 1.0))
    yield case("ndimage.median_filter", lambda a: ndimage.median_filter(a(X), size=3))
    yield case("integrate.trapezoid", lambda a: integrate.trapezoid(a(Y), a(np.sort(X, axis=0)), axis=0))
    yield case("integrate.cumulative_trapezoid", lambda a: integrate.cumulative_trapezoid(a(Y), axis=0))
    yield case("cluster.vq.whiten", lambda a: cluster.vq.whiten(a(X)))
    yield case("cluster.vq.vq", lambda a: cluster.vq.vq(a(X), a(X[:4])))
    yield case("optimize.elementwise.find_root", lambda a: _root(elementwise, a))
    yield case("differentiate.derivative", lambda a: differentiate.derivative(_sine(a), a(V)).df, tolerance=1e-7)
    yield case("spatial.Rotation", lambda a: transform.Rotation.from_rotvec(a(X[:5, :3])).apply(a(Y[:5, :3])))


def _sine(asarray: Make) -> Callable[[Any], Any]:
    namespace = xp if asarray is xp.asarray else np
    return namespace.sin


def _root(elementwise: Any, asarray: Make) -> Any:
    result = elementwise.find_root(lambda x, c: x**2 - c, (asarray(np.zeros(50)), asarray(np.full(50, 4.0))), args=(asarray(V),))
    return result.x, result.success


def sklearn_cases() -> Iterator[Case]:
    """scikit-learn with array_api_dispatch."""
    import sklearn
    from sklearn import decomposition, linear_model, metrics, mixture, model_selection, pipeline, preprocessing

    def case(name: str, fit: Callable[[Make], Any], **options: Any) -> Case:
        def run(asarray: Make) -> Any:
            with sklearn.config_context(array_api_dispatch=True):
                return fit(asarray)

        return Case("sklearn", name, run, **options)

    def transformed(estimator: Any) -> Callable[[Make], Any]:
        return lambda a: sklearn.clone(estimator).fit(a(X)).transform(a(Y))

    yield case("StandardScaler", transformed(preprocessing.StandardScaler()))
    yield case("MinMaxScaler", transformed(preprocessing.MinMaxScaler()))
    yield case("Normalizer", transformed(preprocessing.Normalizer()))
    yield case("PolynomialFeatures", transformed(preprocessing.PolynomialFeatures(2)))
    yield case("PCA", transformed(decomposition.PCA(3, svd_solver="full")))
    yield case("PCA covariance_eigh", lambda a: decomposition.PCA(3, svd_solver="covariance_eigh").fit(a(X)).explained_variance_)
    yield case("Ridge", lambda a: linear_model.Ridge(solver="svd").fit(a(X), a(Y[:, 0])).predict(a(Y)))
    yield case("RidgeCV", lambda a: linear_model.RidgeCV().fit(a(X), a(Y[:, 0])).coef_)
    yield case("LogisticRegression", lambda a: linear_model.LogisticRegression().fit(a(X), a(LABELS)).predict_proba(a(Y)), tolerance=1e-4)
    yield case(
        "GaussianMixture", lambda a: mixture.GaussianMixture(2, init_params="random", random_state=0, max_iter=3, tol=0).fit(a(X)).means_
    )
    yield case("train_test_split", lambda a: model_selection.train_test_split(a(X), a(LABELS), random_state=0))
    yield case("accuracy_score", lambda a: metrics.accuracy_score(a(LABELS), a(1 - LABELS * LABELS)), keeps=False)
    yield case("r2_score", lambda a: metrics.r2_score(a(X), a(Y)), keeps=False)
    yield case("confusion_matrix", lambda a: metrics.confusion_matrix(a(LABELS), a(COUNTS % 2)))
    yield case("cosine_similarity", lambda a: metrics.pairwise.cosine_similarity(a(X), a(Y)))
    yield case("euclidean_distances", lambda a: metrics.pairwise.euclidean_distances(a(X), a(Y)))
    yield case("rbf_kernel", lambda a: metrics.pairwise.rbf_kernel(a(X), a(Y)))
    yield case(
        "pipeline, cross-validated",
        lambda a: model_selection.cross_val_score(
            pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(solver="svd")), a(X), a(Y[:, 0]), cv=3
        ),
        keeps=False,
    )


def einops_cases() -> Iterator[Case]:
    """einops.array_api, which knows only the standard."""
    import einops.array_api as einops

    box = X[:24].reshape(4, 6, 6)
    yield Case("einops", "rearrange", lambda a: einops.rearrange(a(box), "b (h s) w -> (b w) h s", s=2))
    yield Case("einops", "reduce", lambda a: einops.reduce(a(box), "b (h s) w -> b h w", "mean", s=3))
    yield Case("einops", "reduce max", lambda a: einops.reduce(a(box), "b h w -> w", "max"))
    yield Case("einops", "repeat", lambda a: einops.repeat(a(box), "b h w -> b (h r) w", r=3))
    yield Case("einops", "pack", lambda a: einops.pack([a(X), a(V[:40])], "n *")[0])
    yield Case("einops", "unpack", lambda a: einops.unpack(a(X), [(2,), (4,)], "n *"))


def extra_cases() -> Iterator[Case]:
    """array-api-extra."""
    import array_api_extra as xpx

    def case(name: str, run: Callable[[Make], Any], **options: Any) -> Case:
        return Case("array_api_extra", name, run, **options)

    yield case("atleast_nd", lambda a: xpx.atleast_nd(a(V), ndim=3))
    yield case("at set", lambda a: xpx.at(a(X.copy()), (slice(None), 1)).set(0.0))
    yield case("at add", lambda a: xpx.at(a(X.copy()))[2:5].add(1.0))
    yield case("cov", lambda a: xpx.cov(a(X.T)))
    yield case("create_diagonal", lambda a: xpx.create_diagonal(a(V[:5]), offset=1))
    yield case("expand_dims", lambda a: xpx.expand_dims(a(V), axis=(0, 2)))
    yield case("isclose", lambda a: xpx.isclose(a(X), a(X + 1e-12)))
    yield case("kron", lambda a: xpx.kron(a(SPD), a(V[:3])))
    yield case("nunique", lambda a: int(xpx.nunique(a(COUNTS))), keeps=False)
    yield case("one_hot", lambda a: xpx.one_hot(a(COUNTS), 5))
    yield case("pad", lambda a: xpx.pad(a(X), 2))
    yield case("setdiff1d", lambda a: xpx.setdiff1d(a(COUNTS), a(np.asarray([1, 3]))))
    yield case("sinc", lambda a: xpx.sinc(a(V)))
    yield case("apply_where", lambda a: xpx.apply_where(a(X) > 0, a(X), lambda x: x**0.5, lambda x: -x))


def xarray_cases() -> Iterator[Case]:
    """xarray around an array; `.data` is what it holds."""
    import xarray

    def labelled(asarray: Make, values: np.ndarray = X) -> Any:
        return xarray.DataArray(asarray(values), dims=("t", "c"), coords={"c": list("abcdef")})

    def case(name: str, run: Callable[[Make], Any], **options: Any) -> Case:
        return Case("xarray", name, lambda a: run(a).data, **options)

    yield case("holds", labelled)
    yield case("arithmetic", lambda a: labelled(a) * 2 + labelled(a, Y) ** 2)
    yield case("mean", lambda a: labelled(a).mean("t"))
    yield case("isel", lambda a: labelled(a).isel(t=slice(3, 9), c=[0, 2]))
    yield case("sel", lambda a: labelled(a).sel(c="d"))
    yield case("where", lambda a: labelled(a).where(labelled(a) > 0, 0.0))
    yield case("transpose", lambda a: labelled(a).transpose("c", "t"))
    yield case("ufunc", lambda a: np.exp(labelled(a)))
    yield case("stack", lambda a: labelled(a).stack(z=("t", "c")))
    yield case("broadcast", lambda a: labelled(a) - labelled(a).mean("c"))
    yield case("concat", lambda a: xarray.concat([labelled(a), labelled(a, Y)], dim="t"))
    yield case("std", lambda a: labelled(a).std("t"))
    yield case("argmax", lambda a: labelled(a).argmax("t"))
    yield case("dot", lambda a: labelled(a).dot(labelled(a, Y), dim="t"))


def dask_cases() -> Iterator[Case]:
    """Dask arrays whose chunks are ours."""
    import dask.array as da

    def chunked(asarray: Make, values: np.ndarray = X) -> Any:
        return da.from_array(asarray(values), chunks=(15, 4), asarray=False)

    def case(name: str, run: Callable[[Make], Any], **options: Any) -> Case:
        return Case("dask", name, lambda a: run(a).compute(scheduler="synchronous"), **options)

    yield case("arithmetic", lambda a: chunked(a) * 2 + 1)
    yield case("sum", lambda a: chunked(a).sum(axis=0))
    yield case("mean", lambda a: chunked(a).mean(axis=1))
    yield case("max", lambda a: chunked(a).max(axis=0))
    yield case("std", lambda a: chunked(a).std(axis=0))
    yield case("transpose", lambda a: chunked(a).T)
    yield case("matmul", lambda a: chunked(a).T @ chunked(a, Y))
    yield case("ufunc", lambda a: np.exp(chunked(a)))
    yield case("slice", lambda a: chunked(a)[3:20:2, 1:])
    yield case("concatenate", lambda a: da.concatenate([chunked(a), chunked(a, Y)], axis=0))
    yield case("rechunk", lambda a: chunked(a).rechunk((7, 6)) - chunked(a).mean(axis=0))
    yield case("map_blocks", lambda a: chunked(a).map_blocks(lambda block: block**2))
    yield case("threads", lambda a: chunked(a).map_overlap(lambda block: block, depth=1, boundary="none"))


def opt_einsum_cases() -> Iterator[Case]:
    """opt_einsum finds the backend by the arrays' module."""
    import opt_einsum

    yield Case("opt_einsum", "chain", lambda a: opt_einsum.contract("ij,jk,lk->il", a(X), a(SPD), a(Y)))
    yield Case("opt_einsum", "outer", lambda a: opt_einsum.contract("i,j->ij", a(V), a(V)))
    yield Case("opt_einsum", "trace", lambda a: opt_einsum.contract("ii->", a(SPD)))
    yield Case("opt_einsum", "batched", lambda a: opt_einsum.contract("ni,nj,ij->n", a(X), a(Y), a(SPD)))
    yield Case("opt_einsum", "expression", lambda a: opt_einsum.contract_expression("ij,kj->ik", (40, 6), (40, 6))(a(X), a(Y)))


GROUPS = {
    "scipy": scipy_cases,
    "sklearn": sklearn_cases,
    "einops": einops_cases,
    "array_api_extra": extra_cases,
    "xarray": xarray_cases,
    "dask": dask_cases,
    "opt_einsum": opt_einsum_cases,
}


def _all() -> list[Any]:
    found: list[Any] = []
    for package, group in GROUPS.items():
        if installed(package):
            found += [pytest.param(case, id=case.id) for case in group()]
        else:
            found.append(pytest.param(None, id=package, marks=pytest.mark.skip(reason=f"{package} is not installed")))
    return found


def _leaves(result: Any) -> list[Any]:
    """The arrays and numbers in a nest of tuples and lists."""
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in _leaves(part)]
    return [result]


def _agree(got: list[Any], expected: list[Any], case: Case) -> None:
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected, strict=True):
        ours_np, theirs_np = np.asarray(ours), np.asarray(theirs)
        assert ours_np.shape == theirs_np.shape
        assert ours_np.dtype.kind == theirs_np.dtype.kind
        np.testing.assert_allclose(ours_np, theirs_np, rtol=case.tolerance, atol=case.tolerance)


@pytest.mark.parametrize("case", _all())
# Clients warn of their own plans (sklearn of solver defaults, dask of its configuration); only errors and results count here.
@pytest.mark.filterwarnings("ignore")
def test_client(case: Case) -> None:
    expected, got = _leaves(case.run(np.asarray)), _leaves(case.run(xp.asarray))
    _agree(got, expected, case)
    if case.keeps:
        assert [type(leaf).__module__ + "." + type(leaf).__name__ for leaf in got if not isinstance(leaf, xp.Array)] == []


CUBED = """
import cubed, cubed.array_api as ca, numpy as np, mtarray
from cubed.backend_array_api import namespace
assert namespace is mtarray, namespace
seen = set()
def look(block):
    seen.add(type(block))
    return block * 2
spec = cubed.Spec(work_dir=None, allowed_mem="200MB")
values = np.arange(24.0).reshape(6, 4)
x = ca.asarray(values, chunks=(2, 4), spec=spec)
y = cubed.map_blocks(look, x, dtype=x.dtype)
total = ca.mean(y + ca.sin(x), axis=0).compute()
product = ca.matmul(x, ca.matrix_transpose(y)).compute()
np.testing.assert_allclose(np.asarray(total), (values * 2 + np.sin(values)).mean(axis=0))
np.testing.assert_allclose(np.asarray(product), values @ (values * 2).T)
assert seen and all(t is mtarray.Array for t in seen), seen
print("agrees")
"""


@pytest.mark.skipif(not installed("cubed"), reason="cubed is not installed")
def test_cubed() -> None:
    """cubed reads its backend from the environment when it is imported, so it has a process of its own."""
    environment = {**os.environ, "CUBED_BACKEND_ARRAY_API_MODULE": "mtarray"}
    done = subprocess.run([sys.executable, "-c", CUBED], capture_output=True, text=True, check=False, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.split()[-1] == "agrees"
