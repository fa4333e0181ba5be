"""Data sets, readers of files, and the loader that makes batches of them.

>>> from mtarray import data
>>> x, y = data.points("xor", 50, seed=0)
>>> for xb, yb in data.DataLoader((x, y), batch_size=20, shuffle=True):
...     print(xb.shape, yb.shape)
(20, 2) (20, 1)
(20, 2) (20, 1)
(10, 2) (10, 1)
"""

from .datasets import ArrayDataset, Dataset, Subset, train_test_split
from .images import ImageFolder, digits, mnist
from .loader import DataLoader, collate
from .points import POINT_SETS, points
from .readers import read_csv, read_idx, read_npz, read_tsv

__all__ = [
    "ArrayDataset", "collate", "DataLoader", "Dataset", "digits", "ImageFolder", "mnist", "POINT_SETS", "points", "read_csv", "read_idx",
    "read_npz", "read_tsv", "Subset", "train_test_split",
]  # fmt: skip
