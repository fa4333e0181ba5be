"""Programs to run and to read: ``python -m mtarray.examples.<name>``."""
