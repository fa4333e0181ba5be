"""`python -m mtarray_tests.gpu`, as far as it goes without a GPU: a few checks on the simulator, its states, its table."""

import json
import subprocess
import sys

import numpy as np
import pytest

import mtarray as xp
from mtarray_tests.gpu import __main__ as script
from mtarray_tests.gpu import run
from mtarray_tests.gpu.figures import figure


def test_a_few_checks_on_the_simulator(tmp_path):
    path = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "mtarray_tests.gpu", "--simulate", "--quick", "--only", "elementwise", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(path.read_text())
    checks = report["groups"]["elementwise"]["checks"]
    assert len(checks) == 8
    assert {c["state"] for c in checks} == {"ok"}
    assert report["machine"]["packages"]["numpy"] == np.__version__
    assert "0 wrong, 8 checks" in done.stdout


def test_a_group_goes_on_behind_a_check_that_took_its_process(monkeypatch, capsys):
    """The second process begins behind the check that the first one died in; one that found the device unusable gives way to a third."""
    program = """
import json, os, sys
out, start = open(sys.argv[sys.argv.index("--out") + 1], "a"), int(sys.argv[sys.argv.index("--start") + 1])
def tell(**line): print(json.dumps(line), file=out, flush=True)
for i in range(start, 4):
    tell(index=i, check=f"c{i}", state="begun")
    if i == 1:
        os._exit(139)
    tell(index=i, check=f"c{i}", state="failed" if i == 2 else "ok", found="wrong", seconds=0)
    if i == 2:
        tell(index=i, check="c2", state="sticky")
        sys.exit(3)
tell(state="done")
"""
    begun = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **options: begun([sys.executable, "-c", program, *command[3:]], **options))
    options = script.argparse.Namespace(simulate=True, quick=True)
    found = script.group("elementwise", options, 30)
    assert [c["state"] for c in found["checks"]] == ["ok", "crashed", "failed", "ok"]
    assert "status 139" in found["checks"][1]["found"]
    assert found["checks"][2]["sticky"]
    assert found["restarts"] == 2
    assert "no longer worked" in capsys.readouterr().out


def _skip():
    raise run.Skip("not here")


def _missing():
    raise NotImplementedError("svd_factors has no kernel")


def _fails():
    run.agree(np.ones(3), np.asarray([1, 2, 1.0]), 0, "three")


@pytest.mark.parametrize(
    ("function", "state"),
    [
        (lambda: None, "ok"),
        (lambda: figure(3.0, "TB/s", 3.9, torch=4.0), "missed"),
        (lambda: figure(3.0, "us", 8, True), "ok"),
        (_skip, "skipped"),
        (_missing, "missing"),
        (_fails, "failed"),
        (lambda: 1 / 0, "error"),
    ],
)
def test_states(function, state):
    assert run.outcome(function, simulate=True)["state"] == state


def test_agreement():
    a = np.linspace(1, 2, 1000, dtype=np.float32)
    run.agree(a + np.float32(1e-7), a, 2)
    for wrong in (a[:-1], a.astype(np.float64), a + np.float32(1e-3), np.where(a > 1.5, np.nan, a)):
        with pytest.raises(AssertionError):
            run.agree(wrong, a, 2)
    b = np.asarray([1.0, np.nan, np.inf])
    run.agree(b.copy(), b)
    with pytest.raises(AssertionError):
        run.agree(np.asarray([1.0, np.nan, -np.inf]), b, 4)


def test_the_table_names_what_is_wrong():
    slow = run.outcome(lambda: figure(3.0, "TB/s", 3.9, torch=4.0), simulate=True)
    report = {
        "machine": {"simulated": False, "gpu": {"name": "a GPU", "bytes": 1 << 37, "driver for CUDA": 13000}},
        "skips": ["cupy is not installed"],
        "groups": {
            "engine": {
                "seconds": 1,
                "checks": [{"check": "svd", **run.outcome(_missing, True)}, {"check": "qr", **run.outcome(_fails, True)}],
            },
            "figures": {"seconds": 1, "checks": [{"check": "add", **slow}]},
        },
        "sanitizer": {"memcheck": {"state": "ok", "found": "0 errors"}},
    }
    text = script.table(report, whole=True)
    for words in (
        "a GPU, 128 GiB",
        "skipped: cupy",
        "missing  engine: svd_factors",
        "failed   engine: qr: three",
        "missed",
        ">= 3.9",
        "torch 4",
    ):
        assert words in text, text


def test_numbers_and_lists_go_along_with_arrays_on_a_device():
    with xp.config(cuda="simulate"):
        x = xp.asarray([1.0, 2.0, 4.0], device="cuda")
        for got, want in (
            (xp.isclose(x, 2.0), [False, True, False]),
            (xp.isclose(4.0, x), [False, False, True]),
            (x + [1, 2, 3], [2, 4, 7]),
            (xp.append(x, [3.0]), [1, 2, 4, 3]),
            (xp.insert(x, 1, 5), [1, 5, 2, 4]),
            (xp.interp(x, [0, 4], [0.0, 8.0]), [2, 4, 8]),
            (xp.histogram(x, [0, 3, 5])[0], [2, 1]),
            (xp.quantile(x, [0.0, 0.5]), [1, 2]),
            (xp.compress([True, False, True], x), [1, 4]),
        ):
            assert got.device == "cuda"
            assert got.tolist() == want
        with pytest.raises(ValueError, match="to_device"):
            x + np.ones(3)  # an ndarray has a place of its own
