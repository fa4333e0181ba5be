"""What a run is made on: versions, the GPU, tools; and what is missing of it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

PACKAGES = (
    "numpy numba numba-cuda cuda-core cuda-bindings cuda-pathfinder nvidia-nvvm nvidia-nvjitlink llvmlite nvmath-python nvidia-cublas "
    "nvidia-cusolver nvidia-cufft cuda-cccl tbb array-api-compat torch cupy-cuda13x optree click rich scikit-learn"
).split()
SMI = "name,driver_version,memory.total,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit,temperature.gpu,mig.mode.current"


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def described(simulate: bool) -> dict[str, Any]:
    """Everything that can be read; what cannot says why."""
    out: dict[str, Any] = {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {p: version(p) for p in PACKAGES},
        "compute-sanitizer": sanitizer(),
        "simulated": simulate,
    }
    if not simulate:
        out["gpu"] = _gpu()
        out["nvidia-smi"] = smi()
    return out


def skips(machine: dict[str, Any]) -> list[str]:
    """What is not there, and what is therefore not done."""
    has, out = machine["packages"], []
    for package, without in {
        "torch": "no comparison and no exchange with PyTorch",
        "cupy-cuda13x": "no comparison and no exchange with CuPy",
        "nvmath-python": "no NVIDIA libraries by nvmath; matrix products by a libcublas that is found otherwise, or by our kernel",
        "cuda-cccl": "sorting by our own kernel alone",
        "click": "no trainers (their command line needs it)",
        "scikit-learn": "no trainers on its data sets",
        "optree": "no derivatives by nested containers",
        "tbb": "Numba's own threads on the CPU",
    }.items():
        if has[package] is None:
            out.append(f"{package} is not installed: {without}")
    if machine["compute-sanitizer"] is None:
        out.append("compute-sanitizer is not here: memory and races are not checked")
    return out


def sanitizer() -> str | None:
    for folder in (None, "/usr/local/cuda/bin", "/usr/local/cuda/compute-sanitizer"):
        found = shutil.which("compute-sanitizer", path=folder)
        if found:
            return found
    return None


def smi() -> dict[str, str] | str:
    """Clocks and the rest by nvidia-smi; read only."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "nvidia-smi is not here"
    try:
        done = subprocess.run([tool, f"--query-gpu={SMI}", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi: {error}"
    if done.returncode:
        return f"nvidia-smi: {(done.stdout + done.stderr).strip()[:200]}"
    return dict(zip(SMI.split(","), [v.strip() for v in done.stdout.splitlines()[0].split(",")]))


def _gpu() -> dict[str, Any]:
    """What the driver and mtarray say of the device, or why there is none. In the parent process no device is opened."""
    from mtarray._kernels.cuda import devices

    problem = devices.missing()
    if problem is not None:
        return {"problem": problem}
    from cuda.bindings import driver

    def asked(result: Any) -> Any:
        return result[1] if len(result) == 2 else result[1:]

    number = asked(driver.cuDeviceGet(0))
    attribute = driver.CUdevice_attribute
    read = {
        "major": attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
        "minor": attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
        "multiprocessors": attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
        "bytes of L2": attribute.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE,
        "shared memory of a block": attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        "kHz": attribute.CU_DEVICE_ATTRIBUTE_CLOCK_RATE,
        "kHz of the memory": attribute.CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE,
    }
    out = {what: asked(driver.cuDeviceGetAttribute(a, number)) for what, a in read.items()}
    return {
        "name": asked(driver.cuDeviceGetName(64, number)).split(b"\0")[0].decode(),
        "driver for CUDA": asked(driver.cuDriverGetVersion()),
        "runtime packages": importlib.util.find_spec("cuda.core") is not None,
        "count": asked(driver.cuDeviceGetCount()),
        "bytes": asked(driver.cuDeviceTotalMem(number)),
        **out,
    }
