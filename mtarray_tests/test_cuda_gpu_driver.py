"""The driver of a real GPU, on a stub of libcuda: arguments, staging, memory, graphs, exchange. In a process of its own."""

import subprocess
import sys

import pytest

from mtarray_tests import cuda_stub, cuda_stub_checks


@pytest.mark.skipif(not cuda_stub.available(), reason="needs gcc and cuda.core, and no driver of NVIDIA's")
def test_the_driver_of_a_gpu_on_a_stub():
    done = subprocess.run([sys.executable, "-m", "mtarray_tests.cuda_stub_checks"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed ") == len(cuda_stub_checks.CHECKS)


def test_an_error_that_stays_says_that_the_process_is_lost() -> None:
    import enum

    from mtarray._kernels.cuda import gpu

    status = enum.Enum("status", {"CUDA_SUCCESS": 0, "CUDA_ERROR_ILLEGAL_ADDRESS": 700, "CUDA_ERROR_INVALID_VALUE": 1})
    assert gpu._checked((status.CUDA_SUCCESS, 5)) == 5
    with pytest.raises(RuntimeError, match=r"ILLEGAL_ADDRESS.*start it anew"):
        gpu._checked((status.CUDA_ERROR_ILLEGAL_ADDRESS,))
    with pytest.raises(RuntimeError, match=r"INVALID_VALUE$"):
        gpu._checked((status.CUDA_ERROR_INVALID_VALUE,))
