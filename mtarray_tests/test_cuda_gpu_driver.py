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
