"""The table, its summary, JSON and the picture."""

import importlib.util
import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from .peers import Peer
from .timing import Measurement

COLUMNS = ("NumPy", "PyTorch", "JAX", "JAX eager", "mtarray")


def _time(seconds: float | None) -> str:
    """Three significant digits with a unit; a dash for a peer that has no time."""
    if seconds is None:
        return "–"
    for scale, unit in ((1e-6, "µs"), (1e-3, "ms")):
        if seconds < 1e3 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.3g} s"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def header() -> str:
    """The table's head."""
    times = "".join(f"{name:>10}" for name in COLUMNS)
    return f"{'':38}{'n':>10}{times}{'fastest':>9}{'PyTorch':>9}\n{'':38}{'':10}{'':{10 * len(COLUMNS)}}{'/ours':>9}{'/ours':>9}"


def line(m: Measurement) -> str:
    """One row. `!` marks one below its bound, `jit` one that waits for the compiler."""
    times = "".join(f"{_time(m.seconds.get(name)):>10}" for name in COLUMNS)
    ratios = f"{_ratio(m.ratio('NumPy', 'PyTorch', 'JAX')):>9}{_ratio(m.ratio('PyTorch')):>9}"
    mark = "  jit" if m.case.row.waits else "  !" if m.below else ""
    return f"{m.case.row.family + ': ' + m.case.row.name:38}{m.case.n:>10,}{times}{ratios}{mark}"


def geometric_mean(values: Iterable[float]) -> float | None:
    """exp of the mean of logarithms; None of nothing."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else None


def summary(measurements: Sequence[Measurement]) -> str:
    """Geometric means per family and overall, then what misses its bound and what had no time."""
    large = [m for m in measurements if m.large and not m.derivative]
    small = [m for m in measurements if not m.large and not m.derivative]
    derivatives = [m for m in measurements if m.derivative]
    lines = ["", f"{'geometric means of fastest/ours, n ≥ 10^5':48}{'rows':>6}{'mean':>8}"]
    for family in dict.fromkeys(m.case.row.family for m in large):
        ratios = [r for m in large if m.case.row.family == family and (r := m.target_ratio) is not None]
        lines.append(f"  {family:46}{len(ratios):>6}{_ratio(geometric_mean(ratios)):>8}")
    for label, group in (("all", large), ("all but those that wait for the compiler", [m for m in large if not m.case.row.waits])):
        ratios = [r for m in group if (r := m.target_ratio) is not None]
        lines.append(f"  {label:46}{len(ratios):>6}{_ratio(geometric_mean(ratios)):>8}")
    for label, group in (("smaller rows", small), ("derivatives", derivatives)):
        ratios = [r for m in group if (r := m.target_ratio) is not None]
        lines.append(f"{'geometric mean of PyTorch/ours, ' + label:48}{len(ratios):>6}{_ratio(geometric_mean(ratios)):>8}")

    below = sorted((m for m in measurements if m.below), key=lambda m: m.target_ratio or 0)
    bounded = sum(1 for m in measurements if m.target_ratio is not None and not m.case.row.waits)
    lines.append(f"\n{len(below)} of {bounded} rows with a bound are below it" + (":" if below else ""))
    lines += [f"  {m.case.label:46}{_ratio(m.target_ratio):>6}  bound {m.case.row.bound}" for m in below]
    problems = [(m, name, text) for m in measurements for name, text in m.problems.items()]
    if problems:
        lines.append("\nwithout a time:")
        lines += [f"  {m.case.label}: {name}: {text[:150]}" for m, name, text in problems]
    return "\n".join(lines)


def versions(peers: Sequence[Peer]) -> str:
    return ", ".join(f"{p.name} {p.version}" for p in peers if not p.only_derivatives)


def machine() -> dict[str, Any]:
    """What the figures were measured on; no host name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [text.split(":", 1)[1].strip() for text in info.read_text().splitlines() if text.startswith("model name")]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores, "system": platform.system(), "python": platform.python_version()}


def write_json(path: Path, measurements: Sequence[Measurement], peers: Sequence[Peer], startup: dict[str, Any] | None) -> None:
    """Everything that the table says, as data; times in seconds."""
    rows = [
        {
            "family": m.case.row.family,
            "name": m.case.row.name,
            "n": m.case.n,
            "seconds": m.seconds,
            "fastest_over_ours": m.ratio("NumPy", "PyTorch", "JAX"),
            "torch_over_ours": m.ratio("PyTorch"),
            "bound": m.case.row.bound,
            "waits_for_compiler": m.case.row.waits,
            "below": m.below,
            "problems": m.problems,
        }
        for m in measurements
    ]
    document = {"machine": machine(), "versions": {p.name: p.version for p in peers}, "startup": startup, "rows": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def markdown(measurements: Sequence[Measurement], peers: Sequence[Peer]) -> str:
    """The table for a page: one row per case, then the geometric means."""
    m = machine()
    lines = [f"{m['cpu']}, {m['cores']} cores, Python {m['python']}; {versions(peers)}.", ""]
    lines += ["| | n | " + " | ".join(COLUMNS) + " | fastest / ours |", "|---|--:|" + "--:|" * (len(COLUMNS) + 1)]
    for case in measurements:
        times = " | ".join(_time(case.seconds.get(name)) for name in COLUMNS)
        ratio = _ratio(case.ratio("NumPy", "PyTorch", "JAX")) + (" (jit)" if case.case.row.waits else "")
        lines.append(f"| {case.case.row.family}: {case.case.row.name} | {case.case.n:,} | {times} | {ratio} |")
    return "\n".join([*lines, "", "```", summary(measurements).strip(), "```"])


def write_page(path: Path, measurements: Sequence[Measurement], peers: Sequence[Peer]) -> None:
    """Put the table between a page's two markers; SystemExit if the page lacks them."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"--page: {path} lacks the lines {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n{markdown(measurements, peers)}\n{END}{after}", encoding="utf-8")


def write_plot(path: Path, measurements: Sequence[Measurement]) -> None:
    """A bar per row of 10^5 elements and more: how many times faster than the fastest peer, on a logarithmic axis."""
    if importlib.util.find_spec("matplotlib") is None:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shown = [(m, r) for m in measurements if m.large and not m.derivative and (r := m.target_ratio) is not None]
    if not shown:
        raise SystemExit("--plot: no row of 10^5 elements or more has both mtarray's time and a peer's")
    families = list(dict.fromkeys(m.case.row.family for m, _ in shown))
    colours = dict(zip(families, plt.get_cmap("tab10").colors, strict=False))
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.19 * len(shown)), layout="constrained")
    for y, (m, ratio) in enumerate(shown):
        axes.barh(y, ratio - 1, left=1, color=colours[m.case.row.family], alpha=0.4 if m.case.row.waits else 1.0)
    axes.set_yticks(range(len(shown)), [f"{m.case.row.name}  {m.case.n:.0e}" for m, _ in shown], fontsize=7)
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    low, high = min(r for _, r in shown), max(r for _, r in shown)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if 0.8 * low <= t <= 1.3 * high]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set(xlabel="fastest of NumPy, PyTorch, JAX / mtarray: right of 1, mtarray leads", ylim=(len(shown) - 0.4, -0.6))
    axes.legend([plt.Rectangle((0, 0), 1, 1, color=colours[f]) for f in families], families, fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
