"""mtarray against NumPy, PyTorch and jitted JAX, in one process: ``python -m mtarray_tests.benchmarks --help``.

- `rows` declares what is measured, as data;
- `peers` says how each library is called;
- `timing` measures them interleaved and checks their results first;
- `startup` measures whole processes: import, first ops, compilations;
- `report` prints the table and writes JSON and the picture.
"""
