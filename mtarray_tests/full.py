"""The large suites, whole: ``python -m mtarray_tests.full [--only NAME ...] [--array-api-tests PATH]``.

Runs, one after the other: the tests with every example and the slow ones; the public conformance suite at 20 and 500 examples;
10,000 random programs and their derivatives; the table of accuracy; the kernels for CUDA, compiled, and their tests on a
simulator that looks for races; the benchmarks. Output goes to the
terminal as it comes, and the last lines are one figure per suite.

The public suite `data-apis/array-api-tests` is not fetched: clone it (with its submodule), install its requirements, and name
its folder by `--array-api-tests` or the environment variable ARRAY_API_TESTS.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

API_VERSION = "2025.12"


class Outcome(NamedTuple):
    """What one suite came to: whether it holds, and the figure to print."""

    ok: bool
    figure: str


def stream(command: list[str], cwd: Path | None = None, **environment: str) -> tuple[int, list[str]]:
    """Run a command, show what it prints and keep it; its exit code and lines."""
    print("$", *command, flush=True)
    lines = []
    with subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return process.returncode, lines


def closing(lines: list[str]) -> str:
    """pytest's closing line, without its decoration."""
    found = [line for line in lines if re.search(r"\d+ (passed|failed|error)", line)]
    return found[-1].strip("= ") if found else "no closing line"


def own(options: argparse.Namespace) -> Outcome:
    """This repository's tests: every example of the random ones, the slow ones too."""
    code, lines = stream([sys.executable, "-m", "pytest", "--hypothesis-profile=full"], MTARRAY_FULL="1")
    return Outcome(code == 0, closing(lines))


def conformance(options: argparse.Namespace, examples: int) -> Outcome:
    """The public suite, unmodified, nothing skipped or expected to fail by us."""
    folder: Path | None = options.array_api_tests
    if folder is None:
        return Outcome(False, "not run: name its folder by --array-api-tests PATH or ARRAY_API_TESTS")
    if not (folder / "array_api_tests").is_dir():
        return Outcome(False, f"not run: {folder} holds no array_api_tests")
    command = [sys.executable, "-m", "pytest", "array_api_tests", f"--max-examples={examples}", "-q", "--tb=short", "--disable-warnings"]
    here = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    code, lines = stream(command, folder, ARRAY_API_TESTS_MODULE="mtarray", ARRAY_API_TESTS_VERSION=API_VERSION, PYTHONPATH=path)
    return Outcome(code == 0, closing(lines))


def programs(options: argparse.Namespace) -> Outcome:
    """Derivatives of random programs with views and writes against those of their twins without."""
    code, lines = stream([sys.executable, "-m", "mtarray_tests.autodiff_programs", "0", "10000", "--twin", "both"])
    return Outcome(code == 0, lines[-1] if lines else "printed nothing")


def accuracy(options: argparse.Namespace) -> Outcome:
    """Every elementwise function against mpmath."""
    code, lines = stream([sys.executable, "-m", "mtarray_tests.accuracy"])
    return Outcome(code == 0, lines[-1] if lines else "printed nothing")


def benchmarks(options: argparse.Namespace) -> Outcome:
    """The whole table; its figures and picture land in out/."""
    command = [sys.executable, "-m", "mtarray_tests.benchmarks", "--json", "out/benchmarks.json", "--plot", "out/benchmarks.png"]
    code, lines = stream(command)
    mean = next((line.split()[-1] for line in lines if line.startswith("  all ")), "?")
    below = next((line.rstrip(":") for line in lines if "with a bound are below it" in line), "no summary")
    return Outcome(code == 0, f"geometric mean {mean}; {below}")


def cuda(options: argparse.Namespace) -> Outcome:
    """All kernels of the CUDA engine, compiled to cubins; spills are refused where none may be."""
    code, lines = stream([sys.executable, "-m", "mtarray_tests.cuda_compile", "--quiet"])
    return Outcome(code == 0, lines[-1] if lines else "printed nothing")


def races(options: argparse.Namespace) -> Outcome:
    """The tests of the CUDA engine on a simulator that looks for races and for memory read before it is written."""
    tests = sorted(str(path) for path in Path(__file__).parent.glob("test_cuda_*.py"))
    code, lines = stream([sys.executable, "-m", "pytest", "-q", *tests], MTARRAY_SIMULATOR="thorough")
    return Outcome(code == 0, closing(lines))


SUITES: dict[str, Callable[[argparse.Namespace], Outcome]] = {
    "own": own,
    "conformance-20": lambda options: conformance(options, 20),
    "conformance-500": lambda options: conformance(options, 500),
    "programs": programs,
    "accuracy": accuracy,
    "cuda": cuda,
    "races": races,
    "benchmarks": benchmarks,
}


def main() -> int:
    """Run the chosen suites; exit code 1 when one fails or could not run."""
    parser = argparse.ArgumentParser(
        prog="python -m mtarray_tests.full", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = os.environ.get("ARRAY_API_TESTS")
    parser.add_argument("--only", nargs="+", choices=SUITES, default=list(SUITES), metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--array-api-tests", type=Path, default=Path(default) if default else None, metavar="PATH")
    options = parser.parse_args()

    outcomes = {}
    for name in options.only:
        start = time.monotonic()
        outcome = SUITES[name](options)
        outcomes[name] = outcome
        print(f"--- {name}: {outcome.figure} ({time.monotonic() - start:.0f} s)\n", flush=True)
    for name, outcome in outcomes.items():
        print(f"{name:16} {'ok  ' if outcome.ok else 'FAIL'}  {outcome.figure}")
    return 0 if all(outcome.ok for outcome in outcomes.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
