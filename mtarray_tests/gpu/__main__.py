"""Everything that only a GPU can show, in one go: ``python -m mtarray_tests.gpu [--json PATH]``, in less than eight minutes.

It needs a checkout (PYTHONPATH=., nothing is installed and nothing is downloaded), Python 3.11 or later, numpy, numba, numba-cuda and
cuda-core; PyTorch and CuPy where figures and exchange with them are wanted. It tells the versions and what it has to skip; compiles the
kernels, in a process for each core; checks that CPU and CUDA agree; has compute-sanitizer watch one call of each family of kernels;
measures the figures that are promised; and writes one JSON and one table.

Each group of checks runs in a process of its own, which is started anew behind a check that crashed or left the device unusable. A
check of something that has no CUDA kernel yet is "missing". Exit status: 0; 1 when a check failed or a figure was missed; 2 without a GPU.

--simulate makes the same checks on the simulator, without a GPU, at tiny sizes and without figures. --quick takes a few of each kind.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import machine
from .run import GROUPS, STICKY

RESTARTS = 20  # of a group's process, behind a check that broke it
WRONG = ("failed", "error", "crashed", "missed")


def default_path() -> Path:
    return Path(os.environ.get("OUT") or ".") / "gpu.json"


def group(name: str, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """The checks of a group, whatever its processes come to."""
    start = time.monotonic()
    results: dict[int, dict[str, Any]] = {}
    first = restarts = 0
    told = ""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "checks"
        while True:
            left = start + seconds - time.monotonic()
            if left <= 2 and first:
                break
            command = [sys.executable, "-m", f"{__package__}.run", name, "--out", str(out), "--start", str(first), "--budget", str(left)]
            command += ["--simulate"] * options.simulate + ["--quick"] * options.quick
            out.write_text("")
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
            try:
                told = process.communicate(timeout=max(left, 1) + 30)[1]
                ended = f"the process ended with status {process.returncode}"
            except subprocess.TimeoutExpired:
                process.kill()
                told = process.communicate()[1]
                ended = f"stopped after {left + 30:.0f} s"
            lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
            done = any(line["state"] == "done" for line in lines)
            begun = None
            for line in lines:
                if line["state"] == "begun":
                    begun = line
                elif line["state"] == "sticky":
                    results[line["index"]]["sticky"] = True
                elif line["state"] != "done":
                    results[line["index"]] = line
                    begun = None
            if begun is not None:  # it took the process with it
                results[begun["index"]] = {**begun, "state": "crashed", "found": f"{ended}: {told.strip()[-500:]}", "seconds": 0}
            if done:
                break
            restarts += 1
            if not lines or restarts > RESTARTS:
                results[-1 - restarts] = {
                    "check": "(the group)",
                    "state": "crashed",
                    "found": f"{ended}: {told.strip()[-500:]}",
                    "seconds": 0,
                }
                break
            first = max(i for i in results) + 1
            if process.returncode == STICKY:
                print(f"  {name}: the device no longer worked; going on in another process", flush=True)
    checks = [{k: v for k, v in results[i].items() if k != "index"} for i in sorted(results)]
    print(f"  {name}: {counted(checks)} ({time.monotonic() - start:.0f} s)", flush=True)
    return {"seconds": round(time.monotonic() - start, 1), "restarts": restarts, "checks": checks}


def counted(checks: list[dict[str, Any]]) -> str:
    return ", ".join(f"{n} {state}" for state, n in Counter(c["state"] for c in checks).most_common()) or "nothing"


def table(report: dict[str, Any], whole: bool) -> str:
    """What the run came to, as text: the machine, what was skipped, a line for each group, what is wrong, the figures."""
    m = report["machine"]
    gpu = m.get("gpu") or {}
    lines = [
        "",
        "simulated" if m["simulated"] else f"{gpu.get('name')}, {gpu.get('bytes', 0) / 2**30:.0f} GiB, driver {gpu.get('driver for CUDA')}",
    ]
    lines += [f"skipped: {s}" for s in report["skips"]]
    compiled = report.get("compiled")
    if compiled:
        lines.append(
            f"kernels: {compiled['kernels']} ready in {compiled['seconds']} s by {compiled['processes']} processes "
            f"({compiled['compilations']} compiled, {compiled['cache_loads']} from the cache, {compiled['left']} left, "
            f"{len(compiled['failed'])} failed, {len(compiled['spills'])} spill)"
        )
        lines += [f"  not compiled: {k}: {v[:200]}" for k, v in list(compiled["failed"].items())[:20]]
    states = ("ok", "failed", "error", "crashed", "missed", "missing", "skipped", "not run")
    lines += ["", f"{'':14}" + "".join(f"{s:>9}" for s in states) + f"{'seconds':>9}"]
    for name, g in report["groups"].items():
        tally = Counter(c["state"] for c in g["checks"])
        lines.append(f"{name:14}" + "".join(f"{tally[s] or '':>9}" for s in states) + f"{g['seconds']:>9}")
    for name, g in report["groups"].items():
        wrong = [c for c in g["checks"] if c["state"] in WRONG and name != "figures"]
        for c in wrong if whole else wrong[:12]:
            lines.append(f"{c['state']:8} {name}: {c['check']}: {str(c.get('found'))[:300]} [{'; '.join(c.get('trace', [])[-2:])}]")
        if len(wrong) > 12 and not whole:
            lines.append(f"         {name}: {len(wrong) - 12} more, in the JSON")
        missing = sorted({str(c["found"]).partition(" has no")[0] for c in g["checks"] if c["state"] == "missing"})
        if missing:
            lines.append(f"missing  {name}: {', '.join(missing)[:400]}")
    for tool, s in report.get("sanitizer", {}).items():
        lines.append(f"{s['state']:8} {tool}: {s['found'][:600]}")
    figures = report["groups"].get("figures", {}).get("checks", [])
    if figures:
        lines += ["", f"{'figure':36}{'':>8}{'value':>10}  {'unit':26}{'bound':>12}  peers"]
    for c in figures:
        f = c.get("found")
        if isinstance(f, dict):
            peers = ", ".join(f"{k} {v:g}" for k, v in f.get("peers", {}).items())
            lines.append(f"{c['check']:36}{c['state']:>8}{f['value']:>10.4g}  {f['unit']:26}{f['bound']:>12}  {peers}")
        else:
            lines.append(f"{c['check']:36}{c['state']:>8}  {str(f)[:160]}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mtarray_tests.gpu", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, default=default_path(), help="where the figures go (%(default)s)")
    parser.add_argument("--only", nargs="+", choices=[*GROUPS, "compile", "sanitizer"], metavar="NAME", help=", ".join(GROUPS))
    parser.add_argument("--minutes", type=float, default=7.5, help="how long all may take (%(default)s)")
    parser.add_argument("--jobs", type=int, help="groups at a time, where they do not measure")
    parser.add_argument("--simulate", action="store_true", help="on the simulator: no GPU, tiny sizes, no figures")
    parser.add_argument("--quick", action="store_true", help="a few checks of each kind")
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    chosen = options.only or [*GROUPS, "compile", "sanitizer"]
    jobs = options.jobs or max(1, min(6, (os.cpu_count() or 1) // 2))

    told = machine.described(options.simulate)
    report: dict[str, Any] = {"machine": told, "skips": machine.skips(told), "groups": {}}
    print(json.dumps(told, indent=1), flush=True)
    problem = (told.get("gpu") or {}).get("problem")
    if problem is not None:
        print(f"mtarray: {problem}", file=sys.stderr)
        return 2

    if "compile" in chosen and not options.simulate:
        from .compiling import compile_all

        print("compiling", flush=True)
        report["compiled"] = compile_all((told["gpu"]["major"], told["gpu"]["minor"]), min(100.0, 0.25 * (end - time.monotonic())))
        print(f"  {report['compiled']['kernels']} kernels, {report['compiled']['seconds']} s", flush=True)
    print("checking", flush=True)
    # Figures come before what runs alone and may take long; the last ones get what time is left.
    reserve = 0 if options.simulate else 150 * ("figures" in chosen) + 60 * ("sanitizer" in chosen)
    beside = [g for g in GROUPS if g in chosen and GROUPS[g][2]]
    with ThreadPoolExecutor(jobs) as pool:
        until = end - reserve
        made = pool.map(lambda g: group(g, options, min(GROUPS[g][1], max(10.0, until - time.monotonic()))), beside)
        report["groups"].update(zip(beside, made))
    for g in [g for g in GROUPS if g in chosen and not GROUPS[g][2]]:
        left = end - time.monotonic() - (60 if "sanitizer" in chosen and not options.simulate else 0)
        report["groups"][g] = group(g, options, min(GROUPS[g][1], max(10.0, left)))
    if not options.simulate:
        report["nvidia-smi afterwards"] = machine.smi()
    if "sanitizer" in chosen and not options.simulate and told["compute-sanitizer"] is not None:
        from .sanitizer import watched

        print("watching", flush=True)
        report["sanitizer"] = watched(max(40.0, min(90.0, end - time.monotonic())))
    states = [c["state"] for g in report["groups"].values() for c in g["checks"]] + [
        s["state"] for s in report.get("sanitizer", {}).values()
    ]
    wrong = sum(s in WRONG for s in states) + len(report.get("compiled", {}).get("failed", {}))
    report["seconds"] = round(time.monotonic() - (end - 60 * options.minutes), 1)
    report["wrong"] = wrong
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=1, default=str), encoding="utf-8")
    print(table(report, whole=options.simulate))
    print(f"\n{wrong} wrong, {len(states)} checks, {report['seconds']} s; {options.json}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
