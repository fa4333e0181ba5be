"""Handwritten digits, recognised four ways with NumPy arrays and with mtarray arrays: the same code, unmodified scikit-learn.

    python -m mtarray.examples.digits_pca [--components 20] [--neighbours 5] [--seed 0] [--out out/digits_pca.png]

The data are the 1797 images of 8×8 pixels that ship with scikit-learn. Three classifiers are scikit-learn's own, which compute
in the namespace of the arrays they are given (`array_api_dispatch`); the fourth, `nearest_digits`, is written here against the
standard alone. Printed are the accuracies and the times of both; the picture shows what PCA found.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# SciPy reads this once, when it is imported, and scikit-learn refuses to dispatch without it.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

from array_api_compat import array_namespace

import mtarray

# Arrays of any namespace; the standard defines no common type for them.
Array = Any


class Digits(NamedTuple):
    """Images (rows of 64 pixels in [0, 1]) and their labels (int64), split into a training and a test part."""

    train: Array
    train_labels: Array
    test: Array
    test_labels: Array


def nearest_digits(train: Array, labels: Array, images: Array, *, components: int = 20, neighbours: int = 5) -> Array:
    """The digit that most of each image's nearest training images show, in the space of the first principal components.

    `train` has shape (n, pixels), `labels` (n,), `images` (m, pixels); the result has shape (m,). Any namespace of the array API
    will do: nothing here asks which library the arrays belong to.
    """
    xp = array_namespace(train, labels, images)
    mean = xp.mean(train, axis=0)
    _, _, axes = xp.linalg.svd(train - mean, full_matrices=False)
    basis = axes[:components, :].T
    known, asked = (train - mean) @ basis, (images - mean) @ basis

    squared = xp.sum(asked**2, axis=1)[:, None] + xp.sum(known**2, axis=1)[None, :] - 2 * (asked @ known.T)
    nearest = xp.argsort(squared, axis=1)[:, :neighbours]
    votes = xp.reshape(xp.take(labels, xp.reshape(nearest, (-1,))), nearest.shape)
    counts = xp.sum(xp.astype(votes[:, :, None] == xp.arange(10), labels.dtype), axis=1)
    return xp.argmax(counts, axis=1)


def accuracy(predicted: Array, labels: Array) -> float:
    """The fraction of equal elements."""
    xp = array_namespace(predicted, labels)
    return float(xp.mean(xp.astype(predicted == labels, xp.float64)))


def load(seed: int) -> Digits:
    """The digits as NumPy arrays, a quarter of them kept for testing."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(images / 16.0, labels, test_size=0.25, random_state=seed, stratify=labels)
    return Digits(train, train_labels, test, test_labels)


def pca(digits: Digits, components: int) -> tuple[Array, Any]:
    """scikit-learn's PCA, then its logistic regression on the projections: predicted labels, and the fitted PCA."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

    projection = PCA(n_components=components, svd_solver="full").fit(digits.train)
    model = LogisticRegression(max_iter=300).fit(projection.transform(digits.train), digits.train_labels)
    return model.predict(projection.transform(digits.test)), projection


def logistic(digits: Digits) -> Array:
    """scikit-learn's logistic regression on all pixels."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=300).fit(digits.train, digits.train_labels).predict(digits.test)


def ridge(digits: Digits) -> Array:
    """scikit-learn's ridge regression onto one column per digit; the largest column names the digit."""
    from sklearn.linear_model import Ridge

    xp = array_namespace(digits.train)
    columns = xp.astype(digits.train_labels[:, None] == xp.arange(10), xp.float64)
    return xp.argmax(Ridge(alpha=1.0, solver="svd").fit(digits.train, columns).predict(digits.test), axis=1)


def steps(components: int, neighbours: int) -> dict[str, Callable[[Digits], Array]]:
    """What is run, by the name it is printed under; each takes the digits and returns the predicted labels of the test part."""
    return {
        "PCA + LogisticRegression": lambda digits: pca(digits, components)[0],
        "LogisticRegression": logistic,
        "Ridge": ridge,
        "nearest_digits (ours)": lambda digits: nearest_digits(
            digits.train, digits.train_labels, digits.test, components=components, neighbours=neighbours
        ),
    }


class Result(NamedTuple):
    """One printed row: accuracies, and the median of the times in seconds."""

    name: str
    numpy_accuracy: float
    accuracy: float
    numpy_seconds: float
    seconds: float


def compare(with_numpy: Digits, with_mtarray: Digits, work: dict[str, Callable[[Digits], Array]], repeats: int) -> list[Result]:
    """Run every step with both kinds of array, in turn, so that whatever else the machine does meets both alike.

    Raises `TypeError` when a step given mtarray arrays answers with arrays of another library.
    """
    results = []
    for name, step in work.items():
        times: dict[str, list[float]] = {"numpy": [], "mtarray": []}
        scores = {}
        for _ in range(repeats + 1):  # the first round warms caches up and is not counted
            for kind, digits in (("numpy", with_numpy), ("mtarray", with_mtarray)):
                start = time.perf_counter()
                predicted = step(digits)
                times[kind].append(time.perf_counter() - start)
                if kind == "mtarray" and not isinstance(predicted, mtarray.Array):
                    raise TypeError(f"{name} left mtarray: its result is a {type(predicted).__module__}.{type(predicted).__qualname__}")
                scores[kind] = accuracy(predicted, digits.test_labels)
        median = {kind: statistics.median(values[1:]) for kind, values in times.items()}
        results.append(Result(name, scores["numpy"], scores["mtarray"], median["numpy"], median["mtarray"]))
    return results


def table(results: Sequence[Result]) -> str:
    """The results as aligned text."""
    lines = [f"{'':26}{'accuracy':^20}{'time, ms':^20}", f"{'':26}{'NumPy':>9}{'mtarray':>9}  {'NumPy':>9}{'mtarray':>9}"]
    for r in results:
        lines.append(f"{r.name:26}{r.numpy_accuracy:9.4f}{r.accuracy:9.4f}  {1e3 * r.numpy_seconds:9.1f}{1e3 * r.seconds:9.1f}")
    return "\n".join(lines)


def draw(digits: Digits, projection: Any, results: Sequence[Result], path: Path) -> None:
    """Write the picture: the test digits along two principal components, the first components as images, accuracies and times."""
    import matplotlib as mpl
    import numpy as np

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    # The pyplot boundary: plotting wants ndarrays, and these share the arrays' memory.
    points = np.asarray(projection.transform(digits.test))
    labels = np.asarray(digits.test_labels)
    components = np.asarray(projection.components_)

    figure: Any = plt.figure(figsize=(12, 5.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    axes = left.subplots()
    colours = plt.get_cmap("tab10")
    for digit in range(10):
        mine = labels == digit
        axes.scatter(points[mine, 0], points[mine, 1], s=34, color=colours(digit), marker=f"${digit}$", linewidths=0.3)
    axes.set(title=f"{len(points)} test digits along two principal components", xlabel="first component", ylabel="second component")

    upper, lower = right.subfigures(2, 1, height_ratios=(1, 1.1))
    upper.suptitle("The first ten components", fontsize="medium")
    for k, image_axes in enumerate(upper.subplots(2, 5).flat):
        if k < len(components):
            image_axes.imshow(components[k].reshape(8, 8), cmap="RdBu", vmin=-0.5, vmax=0.5)
        image_axes.set_axis_off()

    bars = lower.subplots()
    rows = np.arange(len(results))
    bars.barh(rows - 0.2, [1e3 * r.numpy_seconds for r in results], 0.4, label="NumPy arrays", color="tab:gray")
    bars.barh(rows + 0.2, [1e3 * r.seconds for r in results], 0.4, label="mtarray arrays", color="tab:blue")
    bars.set_yticks(rows, [f"{r.name}\naccuracy {r.accuracy:.3f}" for r in results], fontsize="small")
    bars.invert_yaxis()
    bars.set(xlabel="time, ms")
    bars.legend(fontsize="small")

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run the comparison, print it, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--components", type=int, default=20, help="principal components kept (default: %(default)s)")
    parser.add_argument("--neighbours", type=int, default=5, help="neighbours that vote (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds, of which the median counts (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="how the images are split (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out/digits_pca.png"), help="the picture (default: %(default)s)")
    options = parser.parse_args(arguments)
    if not 2 <= options.components <= 64:
        parser.error(f"--components must lie between 2 and the 64 pixels of an image, got {options.components}")
    if options.neighbours < 1 or options.repeats < 1:
        parser.error(f"--neighbours and --repeats must be at least 1, got {options.neighbours} and {options.repeats}")

    import sklearn

    digits = load(options.seed)
    ours = Digits(*(mtarray.asarray(part) for part in digits))
    print(f"{digits.train.shape[0]} digits to learn from, {digits.test.shape[0]} to recognise, on {ours.train.device}")
    with sklearn.config_context(array_api_dispatch=True):
        results = compare(digits, ours, steps(options.components, options.neighbours), options.repeats)
        print(table(results))
        draw(ours, pca(ours, options.components)[1], results, options.out)
    print(f"picture: {options.out}")
    return results


if __name__ == "__main__":
    main()
