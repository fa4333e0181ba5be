"""The command `mtarray`: what it prints, its JSON, its errors of one line, and that help costs no Numba."""

import json
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
