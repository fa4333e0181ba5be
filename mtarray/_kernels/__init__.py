"""Everything that knows Numba: writing, caching and running kernels."""
