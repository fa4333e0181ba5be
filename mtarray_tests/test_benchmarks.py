"""The benchmarks' own machinery: enough rows, results that are really checked, a report that says what was measured."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtarray_tests.benchmarks import peers, report, rows, startup, timing


def numpy_like(name: str, version: str = "1") -> peers.Peer:
    """NumPy under another peer's name."""
    return peers.Peer(name, version, np, lambda x: x, np.asarray, lambda f, arrays, jit: lambda: f(*arrays))


def measured(seconds: dict[str, float], n: int = 10**5, **options: object) -> timing.Measurement:
    row = rows.Row("family", "row", rows.vectors("float32"), lambda xp, x: x, **options)  # type: ignore[arg-type]
    return timing.Measurement(rows.Case(row, n), seconds)


def test_at_least_seventy_rows_with_names_of_their_own() -> None:
    labels = [case.label for case in rows.cases()]
    assert len(labels) == len(set(labels)) >= 70
    assert {case.row.family for case in rows.cases(quick=True)} == set(rows.FAMILIES)
    assert all(case.row.family == "fft" for case in rows.cases("fft/"))


@pytest.mark.parametrize("case", [c for c in rows.cases() if c.n <= 10**5 and not c.row.by], ids=lambda c: c.label)
def test_rows_agree_with_numpy(case: rows.Case) -> None:
    """mtarray's result of every row that is not large."""
    inputs = case.row.inputs(np.random.default_rng(1), case.n)
    ours = peers.mtarray_peer()
    with np.errstate(all="ignore"):
        expected = np.asarray(case.row.function(np, *inputs))
    (got,) = timing.results(case, ours, timing.prepare(case, ours, inputs)())
    timing.check(got, np.sort(expected) if case.row.unordered else expected, case.row.tolerance)


@pytest.mark.parametrize("row", [*rows.derivatives(), *(r for r in rows.layers() if r.by)], ids=lambda row: row.name)
def test_gradients_agree_with_differences_of_numpys_losses(row: rows.Row) -> None:
    """mtarray's gradient of every loss, small and in double precision, along a random direction."""
    case = rows.Case(row, min(row.sizes[0], 1568 if "784" in row.name else 200))
    rng = np.random.default_rng(1)
    inputs = [x.astype(np.float64) for x in row.inputs(rng, case.n)]
    directions = [rng.uniform(-1, 1, x.shape) for x in inputs[: row.by]]
    ours = peers.mtarray_peer()
    value, *gradients = timing.results(case, ours, timing.prepare(case, ours, inputs)())
    np.testing.assert_allclose(value, row.function(np, *inputs), rtol=1e-12)
    assert [g.shape for g in gradients] == [x.shape for x in inputs[: row.by]]

    def along(step: float) -> float:
        return float(row.function(np, *[x + step * v for x, v in zip(inputs, directions)], *inputs[row.by :]))

    slope = sum(float(np.sum(g * v)) for g, v in zip(gradients, directions))
    assert slope == pytest.approx((along(1e-6) - along(-1e-6)) / 2e-6, rel=1e-5)


def test_a_wrong_result_has_no_time() -> None:
    row = rows.Row("family", "row", rows.vectors("float32"), lambda xp, x: x if xp is np else x * 1.001)
    wrong = peers.Peer("JAX", "1", None, lambda x: x, np.asarray, lambda f, arrays, jit: lambda: f(*arrays))
    result = timing.measure(rows.Case(row, 100), [numpy_like("NumPy"), wrong, numpy_like("mtarray")], seconds=0.01)
    assert set(result.seconds) == {"NumPy", "mtarray"}
    assert "AssertionError" in result.problems["JAX"]
    assert "JAX" in report.summary([result])


def test_derivatives_are_measured_where_there_are_any() -> None:
    """NumPy has none and checks the loss alone; gradients are checked against the first peer's."""

    def peer(name: str, gradient: float, only_derivatives: bool = False) -> peers.Peer:
        def differentiate(loss: Any, arrays: Any, by: int) -> Any:
            return lambda: (loss(*arrays), tuple(gradient * np.ones_like(x) for x in arrays[:by]))

        return dataclasses.replace(numpy_like(name), differentiate=differentiate, only_derivatives=only_derivatives)

    libraries = [numpy_like("NumPy"), peer("PyTorch", 1.0), peer("JAX eager", 1.0, True), peer("mtarray", 2.0)]
    row = rows.Row("family", "row", rows.vectors("float32"), lambda xp, x: xp.sum(x), by=1)
    result = timing.measure(rows.Case(row, 10**5), libraries, seconds=0.01)
    assert set(result.seconds) == {"PyTorch", "JAX eager"}
    assert "AssertionError" in result.problems["mtarray"]
    assert set(timing.measure(rows.Case(dataclasses.replace(row, by=0), 100), libraries, 0.01).seconds) == {"NumPy", "PyTorch", "mtarray"}
    assert measured({"JAX": 0.1, "PyTorch": 2.0, "mtarray": 1.0}, by=1).target_ratio == 2.0


def test_ratios_and_bounds() -> None:
    lead = measured({"NumPy": 3.0, "PyTorch": 2.0, "JAX": 4.0, "mtarray": 1.0})
    assert (lead.target_ratio, lead.ratio("NumPy"), lead.below) == (2.0, 3.0, False)
    assert measured({"NumPy": 0.98, "PyTorch": 2.0, "mtarray": 1.0}).below
    assert not measured({"NumPy": 0.98, "PyTorch": 2.0, "mtarray": 1.0}, bound=rows.SHARED).below
    assert not measured({"NumPy": 0.1, "PyTorch": 2.0, "mtarray": 1.0}, n=10).below
    assert not measured({"NumPy": 0.1, "mtarray": 1.0}, waits=True).below
    assert measured({"NumPy": 1.0}).target_ratio is None
    assert report.geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_json_page_and_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    values = [measured({"NumPy": 3e-6, "PyTorch": 2e-3, "mtarray": 1e-6}), measured({"NumPy": 3.0}, n=10)]
    report.write_json(tmp_path / "a.json", values, [numpy_like("NumPy", "2.9")], None)
    read = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert read["versions"] == {"NumPy": "2.9"}
    assert read["rows"][0]["fastest_over_ours"] == pytest.approx(3.0)
    report.write_plot(tmp_path / "a.png", values)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    report.write_page(page, values, [numpy_like("NumPy", "2.9")])
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "| 3 µs | 2 ms | – | – | 1 µs | 3.00 |" in text
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the lines"):
        report.write_page(page, values, [])


def test_unknown_filter_is_an_error() -> None:
    command = [sys.executable, "-m", "mtarray_tests.benchmarks", "--filter", "no such row"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent, env=os.environ.copy())
    assert done.returncode == 2
    assert "no such row" in done.stderr


def test_a_second_process_compiles_nothing() -> None:
    """Large ops of several kinds on a new kernel cache: the first process compiles, the second only loads, and they agree."""
    first, second = startup.two_processes()
    assert first["stats"]["compilations"] > 0
    assert second["stats"]["compilations"] == 0
    assert second["values"] == first["values"]


def test_import_is_nearly_numpys_and_without_numba() -> None:
    """The bound is 60 ms more than NumPy's import, which takes 47 on the machine it was set for: NumPy's measures this one."""
    seconds = startup.import_seconds(rounds=5, clock="process_time")
    assert not seconds["numba_imported"]
    assert seconds["mtarray"] - seconds["numpy"] < 60 / 47 * seconds["numpy"]
