"""memcheck and racecheck of one call of each family of kernels by NVIDIA's compute-sanitizer, where it is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import Any

from .machine import sanitizer


def watched(seconds: float) -> dict[str, dict[str, Any]]:
    """What each tool found; a tool that refuses the device or takes too long says so."""
    tool, out = sanitizer(), {}
    if tool is None:
        return {}
    for i, name in enumerate(("memcheck", "racecheck")):
        start = time.monotonic()
        limit = max(20.0, seconds / (2 - i))
        command = [tool, "--tool", name, "--error-exitcode", "9", sys.executable, "-m", f"{__package__}.families"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
            told, ended = done.stdout + done.stderr, True
        except subprocess.TimeoutExpired as error:
            told, ended = _text(error.stdout) + _text(error.stderr), False
        seconds -= time.monotonic() - start
        summary = re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (.*)", told)
        ran = re.findall(r"^ran (\w+)", told, re.M)
        if not ended:
            state, found = "not run", f"stopped after {limit:.0f} s; {len(ran)} families had run"
        elif not summary:
            state, found = "skipped", f"the tool gave no summary: {told.strip()[-300:]}"
        elif re.match(r"0 (errors|hazards)", summary[-1]):
            state, found = "ok", f"{summary[-1]}; {', '.join(ran)}"
        else:
            state, found = "failed", f"{summary[-1]}; {told[:1500]}"
        out[name] = {"state": state, "found": found, "seconds": round(time.monotonic() - start, 1)}
    return out


def _text(x: Any) -> str:
    return x.decode(errors="replace") if isinstance(x, bytes) else x or ""
