"""Functions of SciPy, scikit-learn, einops and array-api-extra that are differentiated as they are, and those that cannot be.

A case is a function of arrays alone, in whichever namespace they are, and the float64 arrays that it is differentiated by, all of them.
Nothing of a client is changed or replaced: constants are made in the namespace of the arguments, and that is all the help there is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

RNG = np.random.default_rng(5)
X = RNG.normal(size=(5, 3))
Y = RNG.normal(size=(5, 3)) + 0.3 * X
P = RNG.uniform(0.5, 2.0, (4, 3))
V = RNG.uniform(0.5, 3.0, 5)
U = RNG.uniform(0.5, 3.0, 5)
W = RNG.uniform(0.2, 0.8, 5)
S = RNG.normal(size=10)
BOX = RNG.normal(size=(2, 4, 3))
POINTS = BOX[:, :, :2].reshape(-1, 2)
SPD = X.T @ X + np.eye(3)
LABELS = np.array([0, 1, 1, 0, 1])
GRID = np.arange(5.0)


@dataclass(frozen=True)
class Case:
    """A use of a client. why: of what cannot be differentiated, the reason."""

    client: str
    name: str
    run: Callable[..., Any]
    args: tuple[np.ndarray, ...]
    why: str = ""

    @property
    def id(self) -> str:
        return f"{self.client}-{self.name}"


def like(x: Any, value: Any) -> Any:
    """A constant in the namespace of `x`."""
    return array_namespace(x).asarray(value)


def _maker(client: str) -> Callable[..., Case]:
    return lambda name, run, *args: Case(client, name, run, args)


def cases() -> Iterator[Case]:
    """Everything that is differentiated."""
    for part in (special, statistics, tests, transforms_and_filters, analysis, rotations, others, sklearn_functions, sklearn_estimators):
        yield from part()
    yield from einops_cases()
    yield from extra_cases()


# ---------------------------------------------------------------------- SciPy


def special() -> Iterator[Case]:
    from scipy import special as sp

    case = _maker("scipy")
    for name in "erf erfc erfcx exp1 expi expit gamma gammaln i0 i0e i1 i1e j0 j1 log_ndtr loggamma ndtr psi sinc entr".split():
        yield case(f"special.{name}", getattr(sp, name), V)
    for name in "erfinv logit ndtri".split():
        yield case(f"special.{name}", getattr(sp, name), W)
    for name in "beta betaln binom chdtr chdtrc gammainc gammaincc kl_div rel_entr stdtr xlog1py xlogy".split():
        yield case(f"special.{name}", getattr(sp, name), V, U)
    for name in "betainc fdtr fdtrc".split():
        yield case(f"special.{name}", getattr(sp, name), V, U, W)
    yield case("special.stdtrit", sp.stdtrit, V, W)
    yield case("special.zeta", sp.zeta, V + 1.5, U)
    yield case("special.polygamma", lambda x: sp.polygamma(2, x), V)
    yield case("special.softmax", lambda x: sp.softmax(x, axis=1), X)
    yield case("special.log_softmax", lambda x: sp.log_softmax(x, axis=0), X)
    yield case("special.logsumexp", lambda x: sp.logsumexp(x, axis=1), X)
    yield case("special.logsumexp weighted", lambda x, b: sp.logsumexp(x, axis=0, b=b), X, Y**2)
    yield case("special.logsumexp signed", lambda x, b: sp.logsumexp(x, b=b, return_sign=True)[0], X, Y)


def statistics() -> Iterator[Case]:
    from scipy import stats

    case = _maker("scipy")
    names = "gmean hmean zscore gzscore gstd skew kurtosis sem variation tmean tvar tstd tsem iqr median_abs_deviation entropy boxcox_llf"
    for name in names.split():
        f = getattr(stats, name)
        yield case(f"stats.{name}", functools.partial(f, 0.5) if name == "boxcox_llf" else f, S**2 + 0.3)
    yield case("stats.yeojohnson_llf", lambda x: stats.yeojohnson_llf(0.5, x), S)
    yield case("stats.skew unbiased", lambda x: stats.skew(x, axis=0, bias=False), X)
    yield case("stats.kurtosis unbiased", lambda x: stats.kurtosis(x, axis=0, bias=False), X)
    yield case("stats.moment", lambda x: stats.moment(x, order=[2, 3], axis=0), X)
    yield case("stats.describe", lambda x: stats.describe(x, axis=0)[2:], X)
    yield case("stats.gmean weighted", lambda x, w: stats.gmean(x, weights=w), V, W)
    yield case("stats.hmean weighted", lambda x, w: stats.hmean(x, weights=w), V, W)
    yield case("stats.pmean", lambda x, w: stats.pmean(x, 3.0, weights=w), V, W)
    yield case("stats.zmap", stats.zmap, V, W)
    yield case("stats.tmin", lambda x: stats.tmin(x, 0.1), V)
    yield case("stats.tmax", lambda x: stats.tmax(x, 9.0), V)
    yield case("stats.tmean limits", lambda x: stats.tmean(x, (0.6, 2.5)), V)
    yield case("stats.trim_mean", lambda x: stats.trim_mean(x, 0.2), V)
    yield case("stats.sigmaclip", lambda x: stats.sigmaclip(x, 2.0, 2.0)[0], V)
    yield case("stats.entropy relative", stats.entropy, V, W)
    for method in ("vasicek", "van es", "ebrahimi", "correa"):
        yield case(f"stats.differential_entropy {method}", functools.partial(stats.differential_entropy, method=method), S)
    yield case("stats.quantile", stats.quantile, V, np.array([0.21, 0.55]))
    yield case("stats.quantile harrell-davis", lambda x: stats.quantile(x, 0.3, method="harrell-davis"), V)
    yield case("stats.lmoment", stats.lmoment, S[:6])
    yield case("stats.kstat", lambda x: stats.kstat(x, 3), S)
    yield case("stats.kstatvar", lambda x: stats.kstatvar(x, 2), S)
    for name in "circmean circvar circstd".split():
        yield case(f"stats.{name}", getattr(stats, name), V)
    yield case("stats.directional_stats", lambda x: _fields(stats.directional_stats(x), "mean_direction mean_resultant_length"), X)
    yield case("stats.false_discovery_control", stats.false_discovery_control, W)


def _fields(result: Any, names: str) -> tuple[Any, ...]:
    return tuple([getattr(result, name) for name in names.split()])


def tests() -> Iterator[Case]:
    """Statistics and p-values of tests."""
    from scipy import stats

    case = _maker("scipy")
    yield case("stats.pearsonr", lambda x, y: _fields(stats.pearsonr(x, y, axis=0), "statistic pvalue"), X, Y)
    yield case("stats.pearsonr interval", lambda x, y: tuple(stats.pearsonr(x, y, axis=0).confidence_interval()), X, Y)
    yield case("stats.ttest_1samp", lambda x: tuple(stats.ttest_1samp(x, 0.1, axis=0)), X)
    yield case("stats.ttest_ind", lambda x, y: tuple(stats.ttest_ind(x, y, axis=0)), X, Y)
    yield case("stats.ttest_ind of Welch", lambda x, y: tuple(stats.ttest_ind(x, y, axis=0, equal_var=False)), X, Y)
    yield case("stats.ttest_rel", lambda x, y: tuple(stats.ttest_rel(x, y, axis=0)), X, Y)
    yield case("stats.ttest_ind_from_stats", lambda m, s: tuple(stats.ttest_ind_from_stats(m, s, 10, m + 1, s, 12)), V, W)
    for name in "f_oneway bartlett levene".split():
        f = getattr(stats, name)
        yield case(f"stats.{name}", lambda x, y, f=f: tuple(f(x, y, axis=0)), X, Y)
    yield case("stats.alexandergovern", lambda x, y: _fields(stats.alexandergovern(x, y, axis=0), "statistic pvalue"), X, Y)
    for name in "skewtest kurtosistest normaltest jarque_bera".split():
        f = getattr(stats, name)
        yield case(f"stats.{name}", lambda x, f=f: tuple(f(x)), np.concatenate([S, S[::-1] ** 2]))
    yield case("stats.chisquare", lambda x: tuple(stats.chisquare(x, axis=0)), P)
    yield case("stats.power_divergence", lambda x: tuple(stats.power_divergence(x, lambda_=0.5)), V)
    for method in "fisher pearson tippett stouffer mudholkar_george".split():
        yield case(f"stats.combine_pvalues {method}", lambda p, m=method: tuple(stats.combine_pvalues(p, method=m))[:2], W)
    yield case("stats.epps_singleton_2samp", lambda x, y: tuple(stats.epps_singleton_2samp(x, y)), S, S[::-1] ** 2)


def transforms_and_filters() -> Iterator[Case]:
    from scipy import fft, signal

    case = _maker("scipy")
    for name in "fft ifft rfft ihfft fft2 ifft2 rfft2 ihfft2 fftn ifftn rfftn ihfftn".split():
        yield case(f"fft.{name}", getattr(fft, name), X)
    for name in "irfft hfft irfft2 hfft2 irfftn hfftn".split():
        f = getattr(fft, name)
        yield case(f"fft.{name}", lambda x, y, f=f: f(x + 1j * y), X, Y)
    for name in "fftshift ifftshift".split():
        yield case(f"fft.{name}", getattr(fft, name), X)
    for name in "fht ifht".split():
        f = getattr(fft, name)
        yield case(f"fft.{name}", lambda x, f=f: f(x, 0.1, 0.5), V)
    for name in "fftconvolve oaconvolve".split():
        for mode in "full same valid".split():
            yield case(f"signal.{name} {mode}", functools.partial(getattr(signal, name), mode=mode), S, V)
    yield case("signal.convolve", lambda x, y: signal.convolve(x, y, method="fft"), V, W)
    yield case("signal.correlate", lambda x, y: signal.correlate(x, y, method="fft"), V, W)
    yield case("signal.hilbert", signal.hilbert, S)
    yield case("signal.hilbert2", signal.hilbert2, X)
    yield case("signal.envelope", lambda x: signal.envelope(x, (1, None)), S)
    yield case("signal.vectorstrength", lambda e: signal.vectorstrength(e, 2.0), V)
    yield case("signal.resample", lambda x: signal.resample(x, 7), S)
    yield case("signal.freqz", lambda b, a: signal.freqz(b, a, worN=8)[1], V[:3], U[:3])
    yield case("signal.freqs", lambda b, a: signal.freqs(b, a, worN=like(b, [0.3, 1.0, 2.0]))[1], V[:3], U[:3])
    yield case("signal.freqz_zpk", lambda z, p: signal.freqz_zpk(z, p, 1.5, worN=8)[1], W[:2], W[2:4])
    yield case("signal.freqs_zpk", lambda z, p: signal.freqs_zpk(z, p, 1.5, worN=like(z, [0.3, 1.0]))[1], W[:2], W[2:4])
    yield case("signal.freqz_sos", lambda b, a: signal.freqz_sos(_section(b, a), worN=8)[1], V[:3], W[:2])
    yield case("signal.sos2tf", lambda b, a: signal.sos2tf(_section(b, a)), V[:3], W[:2])
    yield case("signal.group_delay", lambda b, a: signal.group_delay((b, a), w=8)[1], V[:3], U[:3])
    yield case("signal.zpk2tf", lambda z, p: signal.zpk2tf(z, p, 2.0), W[:2], W[2:5])
    yield case("signal.tf2zpk", signal.tf2zpk, V[:3], U[:3])
    yield case("signal.normalize", signal.normalize, V[:3], U[:3])
    for name in "lp2lp lp2hp lp2bp lp2bs".split():
        yield case(f"signal.{name}", getattr(signal, name), V[:3], U[:3])
        f = getattr(signal, f"{name}_zpk")
        yield case(f"signal.{name}_zpk", lambda z, p, f=f: f(z, p, like(z, 2.0)), W[:2], W[2:5])
    yield case("signal.bilinear_zpk", lambda z, p: signal.bilinear_zpk(z, p, 2.0, 1.0), W[:2], W[2:5])
    yield case("signal.gauss_spline", lambda x: signal.gauss_spline(x, 3), V)
    yield case("signal.minimum_phase", lambda h: signal.minimum_phase(h, n_fft=32), np.array([0.1, 0.5, 1.0, 0.5, 0.1]))


def _section(b: Any, a: Any) -> Any:
    """A second-order section, whose fourth coefficient is 1."""
    xp = array_namespace(b)
    return xp.concat([b, xp.ones(1), a])[None, :]


def analysis() -> Iterator[Case]:
    """Integrals, derivatives, roots, minima."""
    from scipy import differentiate, integrate, optimize
    from scipy.optimize import elementwise

    case = _maker("scipy")
    yield case("integrate.trapezoid", lambda y, x: integrate.trapezoid(y, x, axis=0), X, np.sort(Y, axis=0))
    yield case("integrate.cumulative_trapezoid", lambda y, x: integrate.cumulative_trapezoid(y, x, axis=0), X, np.sort(Y, axis=0))
    yield case("integrate.cumulative_simpson", lambda y, x: integrate.cumulative_simpson(y, x=x), V, np.cumsum(W))
    yield case("integrate.romb", integrate.romb, S[:9])
    yield case("integrate.fixed_quad", lambda a, b: integrate.fixed_quad(_exp_minus, a, b)[0], np.array(0.1), np.array(2.0))
    yield case("integrate.tanhsinh", lambda a, b, p: integrate.tanhsinh(_bell, a, b, args=(p,)).integral, W[:3], V[:3], U[:3])
    yield case("integrate.nsum", lambda p: integrate.nsum(_bell, like(p, 1.0), like(p, 8.0), args=(p,)).sum, V[:3])
    yield case(
        "integrate.cubature", lambda p: integrate.cubature(_surface, like(p, [0.0, 0.0]), like(p, [1.0, 1.0]), args=(p,)).estimate, V[:1]
    )
    yield case("differentiate.derivative", lambda x: differentiate.derivative(_exp_minus, x).df, V)
    yield case("differentiate.jacobian", lambda x: differentiate.jacobian(lambda v: v[:1] * _exp_minus(v[1:]), x).df, V[:2])
    yield case("differentiate.hessian", lambda x: differentiate.hessian(lambda v: v[0] ** 3 * v[1] ** 2, x).ddf, V[:2])
    for name in "rosen rosen_der rosen_hess".split():
        yield case(f"optimize.{name}", getattr(optimize, name), V)
    yield case("optimize.rosen_hess_prod", optimize.rosen_hess_prod, V, W)
    yield case("optimize.elementwise.find_root", lambda q: elementwise.find_root(_cubic, (0 * q, 0 * q + 2.0), args=(q,)).x, V)
    yield case("optimize.elementwise.bracket_root", lambda q: elementwise.bracket_root(_cubic, 0 * q, args=(q,)).f_bracket, V)
    yield case("optimize.elementwise.find_minimum", lambda q: elementwise.find_minimum(_bowl, (q - 2, q + 0.1, q + 3), args=(q,)).f_x, V)


def _exp_minus(x: Any) -> Any:
    return array_namespace(x).exp(-x)


def _bell(x: Any, p: Any) -> Any:
    return array_namespace(x).exp(-p * x * x)


def _surface(x: Any, p: Any) -> Any:
    return array_namespace(x).exp(-p * x[:, 0] * x[:, 1])


def _cubic(x: Any, q: Any) -> Any:
    return x**3 - q


def _bowl(x: Any, q: Any) -> Any:
    return (x - q) ** 2 + q**3


def rotations() -> Iterator[Case]:
    from scipy.spatial.transform import RigidTransform, Rotation, Slerp

    case = _maker("scipy")
    turn = Rotation.from_rotvec
    v, w = X[:2], Y[:2]

    def rigid(t: Any, v: Any) -> Any:
        return RigidTransform.from_components(t, turn(v))

    yield case("Rotation.as_matrix", lambda v: turn(v).as_matrix(), v)
    yield case("Rotation.apply", lambda v, x: turn(v).apply(x), v, w)
    yield case("Rotation.from_quat", lambda q: Rotation.from_quat(q).as_matrix(), RNG.normal(size=(2, 4)))
    yield case("Rotation.from_matrix", lambda v: Rotation.from_matrix(turn(v).as_matrix()).as_rotvec(), v)
    yield case("Rotation.from_euler", lambda e: Rotation.from_euler("xyz", e).as_quat(), X[0])
    yield case("Rotation.as_euler", lambda v: turn(v).as_euler("zyx"), v)
    yield case("Rotation.from_mrp", lambda v: Rotation.from_mrp(v).as_mrp(), v * 0.3)
    yield case("Rotation.from_davenport", lambda a: Rotation.from_davenport(like(a, np.eye(3)), "extrinsic", a).as_matrix(), X[0])
    yield case("Rotation product", lambda v, w: (turn(v) * turn(w)).as_rotvec(), v, w)
    yield case("Rotation power", lambda v: (turn(v) ** 0.5).as_rotvec(), v)
    yield case("Rotation.inv", lambda v: turn(v).inv().as_quat(), v)
    yield case("Rotation.magnitude", lambda v: turn(v).magnitude(), v)
    yield case("Rotation.mean", lambda v: turn(v).mean().as_matrix(), v * 0.3)
    yield case("Rotation.align_vectors", lambda a, b: Rotation.align_vectors(a, b)[0].as_matrix(), X, Y)
    yield case("Slerp", lambda v, t: Slerp(like(v, [0.0, 1.0]), turn(v))(t).as_rotvec(), v, np.array([0.5, 0.7]))
    yield case("RigidTransform.from_exp_coords", lambda e: RigidTransform.from_exp_coords(e).as_matrix(), RNG.normal(size=(2, 6)))
    yield case("RigidTransform.apply", lambda t, v, x: rigid(t, v).apply(x), X[0], Y[0], Y)
    yield case("RigidTransform.inv", lambda t, v: rigid(t, v).inv().as_matrix(), v, w)
    yield case("RigidTransform.as_exp_coords", lambda t, v: rigid(t, v).as_exp_coords(), v, w)
    yield case("RigidTransform.as_dual_quat", lambda t, v: rigid(t, v).as_dual_quat(), v, w)


def others() -> Iterator[Case]:
    from scipy import cluster, constants, interpolate, linalg

    case = _maker("scipy")
    yield case("cluster.vq.whiten", cluster.vq.whiten, X)
    yield case("constants.convert_temperature", lambda t: constants.convert_temperature(t, "Celsius", "Fahrenheit"), V)
    yield case("constants.lambda2nu", constants.lambda2nu, V * 1e8)
    yield case("linalg.orthogonal_procrustes", linalg.orthogonal_procrustes, X, Y)
    yield case("linalg.block_diag", linalg.block_diag, X, Y)
    yield case("linalg.fiedler", linalg.fiedler, V)
    for kernel in "linear thin_plate_spline cubic quintic gaussian multiquadric inverse_multiquadric inverse_quadratic".split():

        def interpolated(y: Any, d: Any, x: Any, kernel: str = kernel) -> Any:
            return interpolate.RBFInterpolator(y, d, kernel=kernel, epsilon=1.0)(x)

        yield case(f"interpolate.RBFInterpolator {kernel}", interpolated, POINTS, BOX[:, :, 2].reshape(-1), Y[:2, :2])


# ---------------------------------------------------------------------- scikit-learn


def dispatched(run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` with scikit-learn's own switch for arrays that are not NumPy's."""

    def call(*args: Any) -> Any:
        import sklearn

        with sklearn.config_context(array_api_dispatch=True):
            return run(*args)

    return call


def _sklearn(name: str, run: Callable[..., Any], *args: np.ndarray) -> Case:
    return Case("sklearn", name, dispatched(run), args)


def sklearn_functions() -> Iterator[Case]:
    from sklearn import covariance, metrics, preprocessing
    from sklearn._loss.link import LogitLink, MultinomialLogit
    from sklearn.metrics import pairwise
    from sklearn.utils import extmath

    case = _sklearn
    names = "mean_squared_error mean_absolute_error mean_absolute_percentage_error median_absolute_error root_mean_squared_error"
    names += (
        " mean_squared_log_error root_mean_squared_log_error mean_pinball_loss d2_absolute_error_score explained_variance_score r2_score"
    )
    for name in names.split():
        yield case(f"metrics.{name} of outputs", functools.partial(getattr(metrics, name), multioutput="raw_values"), P, P[::-1] ** 2)
    names = (
        "cosine_similarity cosine_distances euclidean_distances linear_kernel polynomial_kernel rbf_kernel sigmoid_kernel laplacian_kernel"
    )
    names += " manhattan_distances paired_euclidean_distances paired_cosine_distances paired_manhattan_distances nan_euclidean_distances"
    for name in names.split():
        yield case(f"metrics.pairwise.{name}", getattr(pairwise, name), X, Y)
    for name in "chi2_kernel additive_chi2_kernel".split():
        yield case(f"metrics.pairwise.{name}", getattr(pairwise, name), P, P[::-1] + 0.1)
    yield case("metrics.pairwise_distances", lambda x, y: metrics.pairwise_distances(x, y, metric="euclidean"), X, Y)
    yield case("metrics.pairwise.pairwise_kernels", lambda x, y: pairwise.pairwise_kernels(x, y, metric="rbf"), X, Y)
    for name in "minmax_scale maxabs_scale normalize add_dummy_feature".split():
        yield case(f"preprocessing.{name}", getattr(preprocessing, name), X)
    yield case("preprocessing.normalize max", lambda x: preprocessing.normalize(x, norm="max"), X)
    for name in "softmax row_norms squared_norm stable_cumsum safe_sqr".split():
        yield case(f"utils.extmath.{name}", getattr(extmath, name), X)
    yield case("utils.extmath.safe_sparse_dot", extmath.safe_sparse_dot, X, Y.T)
    yield case("utils.extmath.fast_logdet", extmath.fast_logdet, SPD)
    yield case("utils.extmath.randomized_svd", _singular_values, X)
    yield case("LogitLink", LogitLink().link, W)
    yield case("LogitLink.inverse", LogitLink().inverse, V)
    yield case("MultinomialLogit.inverse", MultinomialLogit().inverse, X)
    yield case("covariance.empirical_covariance", covariance.empirical_covariance, X)
    yield case("covariance.ledoit_wolf", covariance.ledoit_wolf, X)


def _singular_values(x: Any) -> Any:
    from sklearn.utils import extmath

    return extmath.randomized_svd(x, 2, random_state=0, power_iteration_normalizer="QR")[1]


def sklearn_estimators() -> Iterator[Case]:
    """Fitted, and applied: derivatives by what was fitted to, through the fit, and by what it is applied to."""
    import sklearn
    from sklearn import decomposition, discriminant_analysis, kernel_approximation, linear_model, mixture, naive_bayes, preprocessing

    case = _sklearn
    pca = decomposition.PCA(2, svd_solver="full")
    estimators = {
        "StandardScaler": preprocessing.StandardScaler(),
        "MinMaxScaler": preprocessing.MinMaxScaler(),
        "MaxAbsScaler": preprocessing.MaxAbsScaler(),
        "PCA": pca,
        "PCA by covariance": decomposition.PCA(2, svd_solver="covariance_eigh"),
        "PCA whitening": decomposition.PCA(2, svd_solver="full", whiten=True),
        "PCA randomized": decomposition.PCA(2, svd_solver="randomized", random_state=0, power_iteration_normalizer="QR"),
        "Nystroem": kernel_approximation.Nystroem(gamma=0.5, n_components=3, random_state=0),
    }
    for name, estimator in estimators.items():
        yield case(f"{name}.fit.transform", lambda x, y, e=estimator: sklearn.clone(e).fit(x).transform(y), X, Y)
    for name in ("Normalizer", "PolynomialFeatures"):
        estimator = getattr(preprocessing, name)()
        yield case(f"{name}.transform", lambda y, e=estimator: sklearn.clone(e).fit(like(y, X)).transform(y), Y)
    for name in "get_covariance get_precision".split():
        yield case(f"PCA.{name}", lambda x, n=name: getattr(sklearn.clone(pca).fit(x), n)(), X)
    yield case("PCA.score_samples", lambda x, y: sklearn.clone(pca).fit(x).score_samples(y), X, Y)
    yield case("PCA.explained_variance_ratio_", lambda x: sklearn.clone(pca).fit(x).explained_variance_ratio_, X)
    yield case("MinMaxScaler.inverse_transform", lambda x, y: preprocessing.MinMaxScaler().fit(x).inverse_transform(y), X, Y)

    yield case("StandardScaler.var_", lambda x, w: preprocessing.StandardScaler().fit(x, sample_weight=w).var_, X, W)
    yield case("StandardScaler.inverse_transform", lambda x, y: preprocessing.StandardScaler().fit(x).inverse_transform(y), X, Y)

    def ridge(x: Any, y: Any, w: Any, z: Any) -> Any:
        return linear_model.Ridge(solver="svd").fit(x, y, sample_weight=w).predict(z)

    yield case("Ridge.fit.predict", ridge, X, Y[:, 0], W, Y)
    yield case("ridge_regression", lambda a, x, y: linear_model.ridge_regression(x, y, a, solver="svd"), np.array([0.5]), X, Y[:, 0])
    yield case("RidgeCV.coef_", lambda x, y: linear_model.RidgeCV(alphas=[1.0]).fit(x, y).coef_, X, Y[:, 0])
    for name in "transform predict_proba".split():

        def discriminated(x: Any, y: Any, name: str = name) -> Any:
            fitted = discriminant_analysis.LinearDiscriminantAnalysis().fit(x, like(x, [0, 1] * 4))
            return getattr(fitted, name)(y)

        yield case(f"LinearDiscriminantAnalysis.{name}", discriminated, POINTS, Y[:, :2])
    bayes = naive_bayes.GaussianNB
    yield case("GaussianNB.predict_proba", lambda x, y: bayes().fit(x, like(x, LABELS)).predict_proba(y), X, Y)
    yield case("GaussianNB.predict_joint_log_proba", lambda x, y: bayes().fit(x, like(x, LABELS)).predict_joint_log_proba(y), X, Y)

    def mixed(x: Any) -> Any:
        start = {"means_init": X[:2], "weights_init": [0.5, 0.5], "precisions_init": np.stack([np.eye(3)] * 2)}
        start = {k: like(x, v) for k, v in start.items()}
        return mixture.GaussianMixture(2, init_params="random_from_data", random_state=0, max_iter=2, tol=0.0, reg_covar=0.1, **start).fit(
            x
        )

    yield case("GaussianMixture.means_", lambda x: mixed(x).means_, X)
    yield case("GaussianMixture.score_samples", lambda x, y: mixed(x).score_samples(y), X, Y[:2])

    def probabilities(w: Any, x: Any) -> Any:
        e = linear_model.LogisticRegression()
        e.coef_, e.intercept_, e.classes_ = w[None, :], like(w, [0.5]), like(w, [0, 1])
        return e.predict_proba(x)

    yield case("LogisticRegression.predict_proba", probabilities, W[:3], X)


# ---------------------------------------------------------------------- einops and array-api-extra


def einops_cases() -> Iterator[Case]:
    import einops.array_api as einops

    case = _maker("einops")
    yield case("rearrange", lambda x: einops.rearrange(x, "b (h s) w -> (b w) h s", s=2), BOX)
    yield case("rearrange of a list", lambda x, y: einops.rearrange([x, y], "n b h w -> b (n h) w"), BOX, BOX**2)
    for how in "mean sum max min prod".split():
        yield case(f"reduce {how}", lambda x, how=how: einops.reduce(x, "b (h s) w -> b h w", how, s=2), BOX)
    yield case("reduce by a function", lambda x: einops.reduce(x, "b h w -> b", lambda t, axes: array_namespace(t).std(t, axis=axes)), BOX)
    yield case("repeat", lambda x: einops.repeat(x, "b h w -> b (h r) w", r=3), BOX)
    yield case("pack", lambda x, y: einops.pack([x, y], "b * w")[0], BOX, BOX[:, 0])
    yield case("unpack", lambda x: tuple(einops.unpack(x, [(2,), (2, 1)], "b * w")), BOX)


def extra_cases() -> Iterator[Case]:
    import array_api_extra as xpx

    case = _maker("array_api_extra")
    for name in "set add subtract multiply divide power min max".split():
        yield case(f"at.{name}", lambda x, y, n=name: getattr(xpx.at(x, (slice(1, 4), 0)), n)(y), X**2 + 0.1, V[:3])
    yield case("at.set by a mask", lambda x: xpx.at(x, x > 0.5).set(0.0), X)
    yield case("at.add in place", lambda x, y: xpx.at(x * 1)[0, :].add(y, copy=False), X, V[:3])
    yield case("apply_where", lambda x: xpx.apply_where(x > 0, x, lambda t: t**0.5, lambda t: -t), X)
    yield case("apply_where filled", lambda x: xpx.apply_where(x > 0, x, lambda t: t**0.5, fill_value=0.0), X)
    yield case("atleast_nd", lambda x: xpx.atleast_nd(x, ndim=3), V)
    yield case("cov", xpx.cov, X.T)
    yield case("create_diagonal", lambda x: xpx.create_diagonal(x, offset=1), V)
    yield case("expand_dims", lambda x: xpx.expand_dims(x, axis=(0, 2)), V)
    yield case("kron", xpx.kron, SPD, V[:3])
    yield case("pad", lambda x: xpx.pad(x, 2), X)
    yield case("partition", lambda x: xpx.partition(x, 3), V)
    yield case("angle", lambda x, y: xpx.angle(x + 1j * y), X, Y)
    for name in "sinc nan_to_num deg2rad rad2deg".split():
        yield case(name, getattr(xpx, name), X)
    for name in "nanmax nanmin nanmean nansum".split():
        f = getattr(xpx, name)
        yield case(name, lambda x, f=f: f(_with_gaps(x), axis=0), X)


def _with_gaps(x: Any) -> Any:
    xp = array_namespace(x)
    return xp.where(x > 1.0, xp.asarray(float("nan")), x)


# ---------------------------------------------------------------------- what cannot be differentiated


def piecewise_constant() -> Iterator[Case]:
    """Functions of ranks and counts: their derivative is 0 wherever they have one."""
    from scipy import stats

    case = _maker("scipy")
    yield case("stats.rankdata", stats.rankdata, V)
    yield case("stats.chatterjeexi", lambda x, y: stats.chatterjeexi(x, y).statistic, S, S[::-1])
    yield case("stats.spearmanrho", lambda x, y: stats.spearmanrho(x, y).statistic, S, S[::-1])
    yield case("stats.wilcoxon", lambda x: tuple(stats.wilcoxon(x)), S)
    yield case("stats.friedmanchisquare", lambda x, y, z: tuple(stats.friedmanchisquare(x, y, z)), V, U, W)
    for name in "brunnermunzel kruskal mannwhitneyu mood".split():
        f = getattr(stats, name)
        yield case(f"stats.{name}", lambda x, y, f=f: tuple(f(x, y)), S, V)


def out_of_reach() -> Iterator[Case]:
    """What computes outside the array API, or has no derivative; each says so."""
    why = {
        "in C": "its argument goes through numpy.asarray into compiled code, or into code that knows only ndarrays",
        "number": "it returns float(...), which is by value: differentiate the function that it ends in, or its raw values",
        "iterates": "an optimiser that works on ndarrays fits it, so no derivative follows the fit",
        "swallowed": "compiled code asks for its argument as an ndarray, and replaces our error by its own",
        "a set": "which values are distinct is not differentiable",
    }
    for client, reason, part in (("scipy", "in C", _scipy_in_c), ("sklearn", "in C", _sklearn_in_c), ("sklearn", "number", _numbers)):
        for name, run, args in part():
            yield Case(client, name, dispatched(run) if client == "sklearn" else run, args, why[reason])
    for name, run, args in _iterations():
        yield Case("sklearn", name, dispatched(run), args, why["iterates"])

    import array_api_extra as xpx
    from scipy import signal

    yield Case("scipy", "signal.deconvolve", lambda x, y: signal.deconvolve(x, y)[0], (S, V[:3]), why["swallowed"])
    yield Case("array_api_extra", "union1d", xpx.union1d, (V, W), why["a set"])
    yield Case("array_api_extra", "setdiff1d", xpx.setdiff1d, (V, W), why["a set"])
    yield Case("array_api_extra", "lazy_apply of NumPy", lambda x: xpx.lazy_apply(np.cumsum, x, as_numpy=True), (V,), why["in C"])


Unreached = Iterator[tuple[str, Callable[..., Any], tuple[np.ndarray, ...]]]


def _scipy_in_c() -> Unreached:
    from scipy import cluster, fft, integrate, interpolate, linalg, ndimage, signal, special

    for name in "ellipk hyp1f1 k0 spence y0".split():
        yield f"special.{name}", (lambda x: special.hyp1f1(1.0, 2.0, x)) if name == "hyp1f1" else getattr(special, name), (W,)
    for name in "dct idct dst idst dctn".split():
        yield f"fft.{name}", getattr(fft, name), (V,)
    two = {"convolve direct": functools.partial(signal.convolve, method="direct")}
    for name, f in {**two, "convolve2d": lambda x, y: signal.convolve2d(x[None], y[None]), "bilinear": signal.bilinear}.items():
        yield f"signal.{name}", f, (S[:6], V)
    one = {"detrend": signal.detrend, "lfilter": lambda x: signal.lfilter(like(x, [1.0, 2.0]), like(x, [1.0, 0.5]), x), "czt": signal.czt}
    one |= {"resample_poly": lambda x: signal.resample_poly(x, 2, 3), "savgol_filter": lambda x: signal.savgol_filter(x, 5, 2)}
    one |= {"medfilt": signal.medfilt, "wiener": lambda x: signal.wiener(x, 3), "periodogram": signal.periodogram}
    one |= {"welch": lambda x: signal.welch(x, nperseg=4), "chirp": lambda x: signal.chirp(x, 1.0, 1.0, 3.0)}
    for name, f in one.items():
        yield f"signal.{name}", f, (S,)
    yield "integrate.simpson", integrate.simpson, (V,)
    yield "cluster.vq.vq", lambda x, y: cluster.vq.vq(x, y)[1], (X, Y)
    yield "cluster.vq.kmeans", lambda x: cluster.vq.kmeans(x, like(x, X[:2]))[0], (X,)
    yield "cluster.hierarchy.linkage", cluster.hierarchy.linkage, (X,)
    for name in "expm inv cholesky svdvals toeplitz".split():
        yield f"linalg.{name}", getattr(linalg, name), (SPD[0] if name == "toeplitz" else SPD,)
    yield "linalg.solve", linalg.solve, (SPD, V[:3])
    for name in "CubicSpline PchipInterpolator Akima1DInterpolator make_interp_spline BarycentricInterpolator".split():
        f = getattr(interpolate, name)
        yield f"interpolate.{name}", lambda y, f=f: f(like(y, GRID), y)(like(y, [1.3, 2.6])), (V,)
    yield "interpolate.RegularGridInterpolator", lambda y: interpolate.RegularGridInterpolator((like(y, GRID),), y)(like(y, [[1.5]])), (V,)
    for name in "sobel uniform_filter median center_of_mass sum_labels".split():
        yield f"ndimage.{name}", getattr(ndimage, name), (P,)
    for name in "gaussian_filter shift fourier_gaussian".split():
        f = getattr(ndimage, name)
        yield f"ndimage.{name}", lambda x, f=f: f(x, 1.0), (P,)


def _sklearn_in_c() -> Unreached:
    import sklearn
    from sklearn import covariance, decomposition, kernel_ridge, linear_model, preprocessing

    yield "scale", preprocessing.scale, (X,)
    for estimator in (preprocessing.RobustScaler(), preprocessing.SplineTransformer(3), decomposition.KernelPCA(2)):
        yield f"{type(estimator).__name__}.fit.transform", lambda x, e=estimator: sklearn.clone(e).fit(x).transform(x), (X,)
    yield "LinearRegression.coef_", lambda x, y: linear_model.LinearRegression().fit(x, y).coef_, (X, V)
    yield "KernelRidge.dual_coef_", lambda x, y: kernel_ridge.KernelRidge().fit(x, y).dual_coef_, (X, V)
    yield "covariance.oas", covariance.oas, (X,)
    yield "EmpiricalCovariance.precision_", lambda x: covariance.EmpiricalCovariance().fit(x).precision_, (X,)


def _numbers() -> Unreached:
    from sklearn import metrics

    for name in "mean_squared_error r2_score max_error mean_gamma_deviance mean_poisson_deviance".split():
        yield f"metrics.{name}", getattr(metrics, name), (V, U)
    for name in "log_loss brier_score_loss roc_auc_score".split():
        f = getattr(metrics, name)
        yield f"metrics.{name}", lambda q, f=f: f(like(q, LABELS), q), (W,)
    for name in "calinski_harabasz_score davies_bouldin_score silhouette_score".split():
        f = getattr(metrics, name)
        yield f"metrics.{name}", lambda x, f=f: f(x, like(x, LABELS)), (X,)


def _iterations() -> Unreached:
    import sklearn
    from sklearn import linear_model, preprocessing

    yield "LogisticRegression.coef_", lambda x: linear_model.LogisticRegression().fit(x, like(x, LABELS)).coef_, (X,)
    yield "PoissonRegressor.coef_", lambda x, y: linear_model.PoissonRegressor(max_iter=5).fit(x, y).coef_, (X, V)
    yield "PowerTransformer", lambda x: sklearn.clone(preprocessing.PowerTransformer()).fit(x).transform(x), (X,)
