"""Data sets, readers and the loader of batches."""
