"""The CPU engine. Its modules take and return NumPy arrays; nothing here knows `mtarray.Array`."""
