"""Programs to run and to read: ``python -m mtarray.examples.<name>``, or `mtarray train <name>`."""

# What `mtarray train` lists: module of this package: one line of help. Each has a click command named `main`.
TRAINERS: dict[str, str] = {}

__all__ = ["TRAINERS"]
