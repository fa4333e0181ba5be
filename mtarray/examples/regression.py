"""Regression on scikit-learn's diabetes data: a small network beside ridge regression.

    python -m mtarray.examples.regression --plot out/regression.png

Ten measurements of 442 patients (Efron, Hastie, Johnstone, Tibshirani, "Least Angle Regression", 2004), and how far the disease went in the
year after. The data are few and noisy: a network that is held short comes out near ridge regression, which is why both are printed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mtarray as xp
from mtarray import Array, data, nn

from .._cli.group import require
from ._trainer import Measures, Run, Task, trainer


def network(inputs: int, hidden: int = 32, dropout: float = 0.2, device: Any = "cpu") -> nn.Sequential:
    """Linear, SiLU, dropout, linear: (n, inputs) -> (n, 1)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, device=device),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, 1, device=device),
    )


def r2(predicted: Array, truth: Array) -> float:
    """The share of the variance that is explained: 1 - sum of squared residuals / sum of squared deviations from the mean."""
    return 1.0 - float(xp.sum((truth - predicted) ** 2)) / float(xp.sum((truth - xp.mean(truth)) ** 2))


def split(seed: int) -> tuple[list[Array], list[str]]:
    """x_train, x_test, y_train, y_test as float32, columns scaled by the training part to mean 0 and deviation 1; the columns' names."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    x, y = (xp.asarray(a, dtype=xp.float64) for a in (found.data, found.target))
    x_train, x_test, y_train, y_test = data.train_test_split(x, y, test_size=0.25, seed=seed)
    parts = []
    for train, test in ((x_train, x_test), (y_train, y_test)):
        mean, deviation = xp.mean(train, axis=0), xp.std(train, axis=0)
        parts += [((part - mean) / deviation).astype(xp.float32) for part in (train, test)]
    return parts, list(found.feature_names)


def ridge(x_train: Array, y_train: Array, x_test: Array) -> Array:
    """scikit-learn's ridge regression with the best of a range of penalties by cross-validation."""
    import numpy as np
    from sklearn.linear_model import RidgeCV

    model = RidgeCV(alphas=np.logspace(-2, 3, 21)).fit(np.asarray(x_train), np.asarray(y_train))
    return xp.asarray(model.predict(np.asarray(x_test)))


@trainer(epochs=40, batch_size=32, rate=0.003, fixed=("epochs",))
def main(run: Run) -> None:
    """The diabetes data: a network's R² beside that of ridge regression."""
    require("examples", "sklearn")
    nn.manual_seed(run.seed)
    parts, names = split(run.seed)
    linear = ridge(parts[0], parts[2], parts[1])
    x_train, x_test, y_train, y_test = (part.to_device(run.device) for part in parts)
    model = network(x_train.shape[1], device=run.device)
    optimizer = nn.optim.AdamW(model.parameters(), lr=run.rate, weight_decay=0.1)
    schedule = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs)
    loader = data.DataLoader((x_train, y_train), run.batch_size, shuffle=True, seed=run.seed)

    def predict(x: Array) -> Array:
        model.eval()
        with xp.autodiff.no_grad():
            return model(x)[:, 0]

    def once(step: Callable[[], None]) -> Measures:
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x)[:, 0], y)
            loss.backward()
            optimizer.step()
            total += float(loss) * len(y)
            step()
        return {
            "loss": total / len(y_train),
            "R² of training": r2(predict(x_train), y_train),
            "R² of the test": r2(predict(x_test), y_test),
        }

    run.say(f"diabetes: {len(y_train)} patients to learn from, {len(y_test)} to be tested on; {run.device}")
    run.train(Task(model, optimizer, once, len(loader), schedule, loader))
    run.summary(**{"R² of ridge regression": f"{r2(linear, parts[3]):.4f}"})

    def draw(figure: Any) -> None:
        left, middle, right = figure.subplots(1, 3)
        epochs = range(1, len(run.history) + 1)
        left.plot(epochs, run.column("R² of training"), color="tab:gray", label="training")
        left.plot(epochs, run.column("R² of the test"), color="tab:green", label="test")
        left.axhline(r2(linear, parts[3]), color="tab:orange", linestyle="--", label="ridge, test")
        left.set(title=f"R²: {run.column('R² of the test')[-1]:.3f} in the test", xlabel="epoch", ylim=(-0.1, None))
        left.legend(fontsize="small")

        # The fitted curve: one measurement moves, the others stay at their means, which are 0.
        bmi = names.index("bmi")
        axis = xp.linspace(-2.5, 3.5, 100, dtype=xp.float32)
        others = xp.zeros((100, len(names)), dtype=xp.float32)
        others[:, bmi] = axis
        middle.scatter(parts[1][:, bmi], parts[3], s=12, color="0.6", label="test patients")
        middle.plot(axis, predict(others.to_device(run.device)).to_device("cpu"), color="tab:blue", label="network, the rest at its mean")
        middle.set(title="body mass index", xlabel="in standard deviations", ylabel="progression, standardised")
        middle.legend(fontsize="small")

        predicted = predict(x_test).to_device("cpu")
        right.scatter(predicted, parts[3] - predicted, s=12, color="tab:blue", label="network")
        right.scatter(linear, parts[3] - linear, s=12, color="tab:orange", alpha=0.6, label="ridge")
        right.axhline(0, color="0.3", linewidth=1)
        right.set(title="residuals of the test", xlabel="predicted", ylabel="true minus predicted")
        right.legend(fontsize="small")

    run.picture(draw, (13, 4))


if __name__ == "__main__":
    main()
