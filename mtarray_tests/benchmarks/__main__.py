"""The command: ``python -m mtarray_tests.benchmarks [--quick] [--filter TEXT] [--json FILE] [--plot FILE]``."""

import argparse
from pathlib import Path

from . import peers, report, rows, startup, timing


def main() -> None:
    """Measure, print as it goes, summarise, write what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.benchmarks", description="mtarray against NumPy, PyTorch and JAX")
    parser.add_argument("--quick", action="store_true", help="one size of each row, and few rounds: a minute, rougher")
    parser.add_argument("--filter", default="", metavar="TEXT", help="only rows whose family/name/n contains this")
    parser.add_argument("--seconds", type=float, default=None, help="measuring time per row (default: 2, quick: 0.3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the picture here")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this Markdown page (docs/performance.md)")
    parser.add_argument("--no-startup", action="store_true", help="leave whole-process measurements out")
    parser.add_argument("--list", action="store_true", help="print the rows' names and stop")
    options = parser.parse_args()

    chosen = rows.cases(options.filter, options.quick)
    if options.list:
        print("\n".join(case.label for case in chosen))
        return
    if not chosen:
        parser.error(f"no row's family/name/n contains {options.filter!r}")
    libraries = peers.available()
    machine = report.machine()
    print(f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {report.versions(libraries)}")
    print(report.header())
    seconds = options.seconds or (0.3 if options.quick else 2.0)
    measured = []
    for case in chosen:
        m = timing.measure(case, libraries, seconds, min_rounds=3 if options.quick else 7)
        measured.append(m)
        print(report.line(m), flush=True)
    print(report.summary(measured))

    process = None if options.no_startup else startup.measure(rounds=3 if options.quick else 7)
    if process is not None:
        print(startup.text(process))
    if options.json:
        report.write_json(options.json, measured, libraries, process)
    if options.page:
        report.write_page(options.page, measured, libraries)
    if options.plot:
        report.write_plot(options.plot, measured)


if __name__ == "__main__":
    main()
