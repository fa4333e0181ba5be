"""Everything that only a GPU can show, in one go: ``python -m mtarray_tests.gpu`` (see `__main__`)."""
