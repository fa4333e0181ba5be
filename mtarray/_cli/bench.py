"""`mtarray bench`: tables and plots of speed."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import mtarray as xp

from .group import Refused, refuse, require
from .output import console, table, write_json

SIZES = (64, 128, 256, 512, 1024)
BATCH = 2
PATIENCE = 5.0  # seconds that one product may take; what is expected to take longer is marked instead
KERNELS = ("python", "prange", "cpu", "cuda")
# Multiply-adds of a second in plain Python: only to foresee what would be too long.
PYTHON_RATE = 4e6


@click.group(help="Measure: `matmul`, one product in four forms; `all`, every row of the scoreboard against NumPy, PyTorch and JAX.")
def main() -> None:
    pass


def product(kernels: str) -> Callable[[Any, Any], Any]:
    """The product of stacks of matrices in one of the forms: loops in Python, the same loops with prange, our engine."""
    if kernels == "python":
        from .. import diagnostics

        return diagnostics.matmul_in_python

    def multiply(a: Any, b: Any) -> Any:
        with xp.config(kernels="prange" if kernels == "prange" else "auto"):
            return a @ b

    return multiply


def seconds_of(multiply: Callable[[Any, Any], Any], a: Any, b: Any, patience: float) -> float:
    """The median of up to five products (one, if it takes long), after one that compiles and wakes the threads."""
    multiply(a[:, :2, :2], b[:, :2, :2])
    start = time.perf_counter()
    multiply(a, b)
    first = time.perf_counter() - start
    if first > patience / 4:
        return first
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        multiply(a, b)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure(
    sizes: tuple[int, ...], batch: int, dtype: str, patience: float, report: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """A row for each size: seconds by kernels, or why there are none, in words."""
    cuda = None if any(d.startswith("cuda") for d in map(str, xp.__array_namespace_info__().devices())) else "no CUDA device here"
    random = xp.random.default_rng(0)
    rows = []
    for n in sizes:
        a, b = [xp.astype(random.random(size=(batch, n, n)), getattr(xp, dtype)) for _ in range(2)]
        row: dict[str, Any] = {"size": n, "batch": batch, "dtype": dtype, "seconds": {}, "missing": {}}
        for kernels in KERNELS:
            expected = batch * n**3 / PYTHON_RATE if kernels == "python" else 0.0
            if kernels == "cuda":
                if cuda is None:
                    one, two = (xp.asarray(x, device="cuda") for x in (a, b))
                    row["seconds"][kernels] = seconds_of(lambda x, y: float((x @ y)[0, 0, 0]), one, two, patience)
                else:
                    row["missing"][kernels] = cuda
            elif expected > patience:
                row["missing"][kernels] = f"would take about {expected:.0f} s"
            else:
                row["seconds"][kernels] = seconds_of(product(kernels), a, b, patience)
        rows.append(row)
        report(row)
    return rows


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """The seconds over the sizes, both logarithmic."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure: Any = plt.figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for kernels in KERNELS:
        points = [(row["size"], row["seconds"][kernels]) for row in rows if kernels in row["seconds"]]
        if points:
            axes.plot(*zip(*points), marker="o", label=kernels)
    first = rows[0]
    axes.set(
        xscale="log", yscale="log", xlabel="size of the matrices", ylabel="seconds", title=f"{first['batch']} products, {first['dtype']}"
    )
    axes.set_xticks([row["size"] for row in rows], [str(row["size"]) for row in rows], minor=False)
    axes.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    axes.grid(alpha=0.3, which="both")
    axes.legend(title="kernels")
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        raise Refused(f"{path} cannot be written: {error}") from error
    finally:
        plt.close(figure)


@main.command(help="Time the product of BATCH pairs of square matrices: plain loops in Python, the same with prange, our kernels, CUDA.")
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, metavar="N,N...", help="Sizes of the matrices.")
@click.option("--batch", type=click.IntRange(1, 1024), default=BATCH, show_default=True, help="Products in one call.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float64", show_default=True)
@click.option("--patience", type=click.FloatRange(0.1), default=PATIENCE, show_default=True, help="Seconds that one product may take.")
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the plot here (PNG, SVG, PDF)."
)
@click.option("--json", "as_json", is_flag=True, help="The figures as JSON.")
def matmul(sizes: str, batch: int, dtype: str, patience: float, picture: Path | None, as_json: bool) -> None:
    try:
        wanted = tuple(int(n) for n in sizes.split(","))
    except ValueError:
        refuse(f"--sizes {sizes}: expected positive integers with commas between them, as in 64,128")
    if any(n < 2 for n in wanted):
        refuse(f"--sizes {sizes}: matrices have at least 2 rows here")
    if picture is not None:
        require("examples", "matplotlib")
        if not picture.absolute().parent.is_dir():
            refuse(f"--plot {picture}: there is no folder {picture.absolute().parent}")
    rows = measure(wanted, batch, dtype, patience, lambda row: click.echo(_progress(row), err=True))
    if picture is not None:
        plot(rows, picture)
    if as_json:
        write_json(rows)
        return
    shown = table(">size", *[f">{k}" for k in KERNELS], ">cpu, GFLOP/s", title=f"{batch} products of square matrices, {dtype}, seconds")
    for row in rows:
        cells = [f"{row['seconds'][k]:.5f}" if k in row["seconds"] else "–" for k in KERNELS]
        shown.add_row(str(row["size"]), *cells, f"{2 * batch * row['size'] ** 3 / row['seconds']['cpu'] / 1e9:.1f}")
    console().print(shown)
    for kernels in KERNELS:
        reasons = [f"{row['size']} {row['missing'][kernels]}" for row in rows if kernels in row["missing"]]
        if len(reasons) == len(rows) and len({row["missing"][kernels] for row in rows}) == 1:
            reasons = [rows[0]["missing"][kernels]]
        if reasons:
            click.echo(f"– {kernels}: {'; '.join(reasons)}")
    if picture is not None:
        click.echo(f"plot: {picture}")


def _progress(row: dict[str, Any]) -> str:
    taken = ", ".join(f"{kernels} {seconds:.4f} s" for kernels, seconds in row["seconds"].items())
    return f"{row['size']}: {taken}"


@main.command(
    "all",
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
    help="The scoreboard against NumPy, PyTorch and JAX (`mtarray bench all --help` tells its options).",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def everything(options: tuple[str, ...]) -> None:
    if importlib.util.find_spec("mtarray_tests") is None or importlib.util.find_spec("mtarray_tests.benchmarks") is None:
        refuse("the scoreboard is part of the source tree, not of the installed package: run this where mtarray's sources are checked out")
    sys.stdout.flush()
    sys.exit(subprocess.run([sys.executable, "-m", "mtarray_tests.benchmarks", *options], check=False).returncode)
