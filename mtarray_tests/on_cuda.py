"""A pytest plugin (`-p mtarray_tests.on_cuda`): arrays are made on the simulated CUDA device unless a test names another one.

The public suite on the device: ARRAY_API_TESTS_MODULE=mtarray python -m pytest -p mtarray_tests.on_cuda array_api_tests
"""

import mtarray

mtarray.config(cuda="simulate")
mtarray.set_default_device("cuda")
