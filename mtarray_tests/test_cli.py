"""The command `mtarray`: what it prints, its JSON, its errors of one line, and that help costs no Numba."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import mtarray as xp

pytest.importorskip("click")
pytest.importorskip("rich")

import click
from click.testing import CliRunner, Result

from mtarray._cli import group
from mtarray._cli.commands import COMMANDS, command


def run(*arguments: str) -> Result:
    """The command in this process; whatever is not an exit of its own is raised."""
    result = CliRunner().invoke(command, [str(a) for a in arguments], prog_name="mtarray")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: str) -> str:
    """The one line on stderr with which the command refuses; nothing on stdout, exit code 2."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mtarray: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def test_version_and_help() -> None:
    assert run("--version").stdout == f"mtarray {xp.__version__}\n"
    text = run("--help").stdout
    assert all(f"  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Usage: mtarray {name}" in result.stdout


def test_help_loads_neither_numba_nor_rich() -> None:
    source = (
        "import sys; from mtarray._cli.commands import command\n"
        "try: command(['--help'], prog_name='mtarray')\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert {"numba", "rich", "matplotlib", "streamlit", "scipy"}.isdisjoint(done.stdout.split("LOADED")[1].split())


def test_as_a_module_and_without_its_extra(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "mtarray", "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mtarray: `mtarray` has no 'nonsense'; it has info, ")
    source = "import sys; sys.modules['click'] = None; from mtarray._cli import main; main()"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "mtarray: the command line needs click, which is not installed: pip install 'mtarray[cli]'\n"


@pytest.mark.parametrize(
    ("words", "expected"), [("mtarray dia", "diagnostics"), ("mtarray explain --tr", "--track"), ("mtarray bench m", "matmul")]
)
def test_completion_in_the_shell(words: str, expected: str) -> None:
    environment = {**os.environ, "_MTARRAY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    source = "from mtarray._cli import main; main()"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == f"plain,{expected}\n", done.stderr


def test_errors_of_the_command_line_are_one_line() -> None:
    assert "No such option" in refused("info", "--bad")
    assert "--port" in refused("lens", "--port", "0")


def test_info() -> None:
    facts = json.loads(run("info", "--json").stdout)
    assert facts["versions"]["mtarray"] == xp.__version__
    assert facts["devices"] == ["cpu"]
    assert facts["kernels"]["folder"] in run("info").stdout.replace("\n", "")
    assert f"threads {facts['threads']}" in " ".join(run("info").stdout.split())


def test_trainers_are_listed_and_loaded_when_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from mtarray._cli import train

    @click.command()
    @click.option("--epochs", type=int, default=3)
    def main(epochs: int) -> None:
        if epochs < 1:
            raise click.BadParameter("at least one epoch", param_hint="--epochs")
        click.echo(f"trained for {epochs} epochs")

    module = types.ModuleType("mtarray.examples.pretended")
    module.main = main  # type: ignore[attr-defined]
    monkeypatch.setattr(train.main, "table", {"pretended": "A network that is not there.", "missing": "Not imported for the list."})
    monkeypatch.setitem(sys.modules, "mtarray.examples.pretended", module)
    text = run("train", "--help").stdout
    assert "A network that is not there." in text
    assert "Not imported for the list." in text
    assert run("train", "pretended", "--epochs", "5").stdout == "trained for 5 epochs\n"
    assert "at least one epoch" in refused("train", "pretended", "--epochs", "0")
    assert "`mtarray train` has no 'nobody'; it has pretended, missing" in refused("train", "nobody")


def test_trainers_keep_their_contract() -> None:
    """Every name in the list is a module of `mtarray.examples` with a click command named `main`."""
    import importlib

    from mtarray.examples import TRAINERS

    for name, line in TRAINERS.items():
        assert line.endswith("."), name
        assert isinstance(importlib.import_module(f"mtarray.examples.{name}").main, click.Command), name


def test_lens_runs_streamlit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mtarray import _lens
    from mtarray._cli import lens

    seen: list[list[str]] = []

    def pretend(arguments: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        seen.append(arguments)
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(lens.subprocess, "run", pretend)
    monkeypatch.setattr(lens, "require", lambda *names: None)
    monkeypatch.setattr(_lens, "__file__", str(tmp_path / "__init__.py"))
    assert str(tmp_path / "app.py") in refused("lens").replace("\n", "")
    (tmp_path / "app.py").touch()
    assert run("lens", "--port", "8123", "--no-browser").exit_code == 0
    assert seen[0][1:5] == ["-m", "streamlit", "run", str(tmp_path / "app.py")]
    options = dict(zip(seen[0][5::2], seen[0][6::2]))
    assert options["--server.port"] == "8123"
    assert options["--server.headless"] == "true"


def test_a_missing_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group.importlib.util, "find_spec", lambda name: None)
    assert refused("lens") == "mtarray: this needs streamlit, which is not installed: pip install 'mtarray[lens]'\n"


# --- diagnostics, explain, warmup, bench ---------------------------------------------------------------------------------------


def test_diagnostics_of_an_op(tmp_path: Path) -> None:
    page = tmp_path / "sqrt.html"
    result = run("diagnostics", "sqrt", "--dtype", "float64", "--no-loops", "--json", "--html", str(page))
    (entry,) = json.loads(result.stdout)
    assert entry["op"] == "sqrt"
    assert entry["loops"] is None
    assert entry["kernels"][0]["layout"] == "contiguous"
    assert entry["kernels"][0]["vectors"]["element"] == "float64"
    text = page.read_text(encoding="utf-8")
    assert entry["kernels"][0]["name"] in text
    assert "def _f(x):" in text
    assert "http" not in text  # it needs nothing else
    text = run("diagnostics", "sqrt", "--dtype", "float64", "--no-loops").stdout
    assert "vectorised" in text
    assert "def _f" not in text
    assert "def _f(x):" in run("diagnostics", "sqrt", "--dtype", "float64", "--no-loops", "--source").stdout


def test_diagnostics_of_the_readable_loops() -> None:
    (entry,) = json.loads(run("diagnostics", "matmul", "--no-kernels", "--json").stdout)
    assert entry["kernels"] == []
    assert "Parallel loop listing" in entry["loops"]["text"]
    text = run("diagnostics", "matmul", "--no-kernels").stdout
    assert "parallel loops: 1, after fusion 1" in text
    assert "for number in prange(out.size // n):" in text


def test_diagnostics_refuses_in_one_line(tmp_path: Path) -> None:
    assert refused("diagnostics", "nonsense") == "mtarray: there is no op 'nonsense'\n"
    assert "'floaty' is not a data type" in refused("diagnostics", "add", "--dtype", "floaty")
    assert "not defined for float32" in refused("diagnostics", "bitwise_and", "--dtype", "float32")
    missing = tmp_path / "missing" / "page.html"
    assert f"{missing} cannot be written" in refused("diagnostics", "flip", "--no-loops", "--html", str(missing))


def test_explain() -> None:
    arguments = ["explain", "xp.sum(x * n)", "--var", "x=float32:20x30", "--var", "n=2.5", "--track", "x"]
    found = json.loads(run(*arguments, "--json").stdout)
    assert [(s["op"], s["tier"], s["recorded"]) for s in found["steps"]] == [("multiply", "numpy", True), ("sum", "numpy", True)]
    assert found["result"] == "float32 ()"
    text = run(*arguments).stdout
    assert "multiply(float32 (20, 30), 2.5): float32 (20, 30)" in text
    assert "600 elements are fewer than" in text
    assert run("explain", "x + 1", "--var", "x=float64:", "--cold").stdout.startswith("x + 1: float64 ()")
    for dtype in ("bool", "int8", "uint64", "complex128"):
        assert run("explain", "x == x", "--var", f"x={dtype}:3").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["xp.sum(z)"], "NameError: name 'z' is not defined"),
        (["xp.sum("], "SyntaxError"),
        (["x + y", "--var", "x=float32:2", "--var", "y=float32:3"], "ValueError: add: "),
        (["x", "--var", "x=float:2"], "'float' is not a dtype"),
        (["x", "--var", "x=float32:2xx"], "'2xx' is not a shape"),
        (["x", "--var", "x=float32:-2"], "'-2' is not a shape"),
        (["x", "--var", "x"], "expected NAME=DTYPE:SHAPE"),
        (["x", "--var", "x=two"], "neither DTYPE:SHAPE nor a number"),
        (["x", "--var", "xp=1"], "cannot be called xp"),
        (["x", "--track", "x"], "there is no --var x="),
        (["x", "--var", "x=1", "--track", "x"], "--track x"),
        (["x", "--var", "x=int8:2", "--track", "x"], "--track x"),
    ],
)
def test_explain_refuses_in_one_line(arguments: list[str], line: str) -> None:
    assert line in refused("explain", *arguments)


def test_warmup() -> None:
    done = json.loads(run("warmup", "--ops", "negative", "--dtypes", "float32", "--json").stdout)
    assert done["kernels"] > 0
    assert "read from" in run("warmup", "--ops", "negative", "--dtypes", "float32").stdout
    assert "there is no op 'negativ'" in refused("warmup", "--ops", "negativ")
    assert "'f99' is not a data type" in refused("warmup", "--dtypes", "f99")


def test_bench_matmul(tmp_path: Path) -> None:
    picture = tmp_path / "matmul.png"
    pytest.importorskip("matplotlib")
    arguments = ["bench", "matmul", "--sizes", "8,16,300", "--dtype", "float32", "--plot", str(picture)]
    rows = json.loads(run(*arguments, "--json").stdout)
    assert [row["size"] for row in rows] == [8, 16, 300]
    assert set(rows[0]["seconds"]) | set(rows[0]["missing"]) == {"python", "prange", "cpu", "cuda"}
    assert all(seconds > 0 for row in rows for seconds in row["seconds"].values())
    assert "would take about" in rows[2]["missing"]["python"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = run("bench", "matmul", "--sizes", "8", "--dtype", "float32").stdout
    assert "GFLOP/s" in text
    if "cuda" in rows[0]["missing"]:
        assert "– cuda: no CUDA device here" in text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--sizes", "8,many"], "--sizes 8,many: expected positive integers"),
        (["--sizes", "0"], "--sizes 0"),
        (["--batch", "0"], "--batch"),
        (["--sizes", "8", "--plot", "/no/such/folder/x.png"], "there is no folder /no/such/folder"),
        (["--sizes", "8", "--plot", "picture.xyz"], "picture.xyz cannot be written"),
    ],
)
def test_bench_matmul_refuses_in_one_line(arguments: list[str], line: str) -> None:
    result = run("bench", "matmul", *arguments)
    assert result.exit_code == 2
    assert line in result.stderr.splitlines()[-1]


def test_bench_all_forwards_its_options() -> None:
    command = [sys.executable, "-m", "mtarray", "bench", "all", "--list", "--filter", "matmul/square int32"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0].startswith("matmul/square int32/")


def test_bench_all_says_where_the_scoreboard_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from mtarray._cli import bench

    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    assert "part of the source tree" in refused("bench", "all")
