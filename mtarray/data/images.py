"""Images: folders of them by class, scikit-learn's digits, and MNIST from the user's files."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np

import mtarray as xp
from mtarray import Array

from .readers import read_idx, read_npz


def _needs(module: str, package: str, what: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(f"{what} needs {package}: pip install 'mtarray[examples]'") from None


def digits(dtype: Any = xp.float32) -> tuple[Array, Array]:
    """scikit-learn's 1797 handwritten digits: images (1797, 1, 8, 8) of `dtype` in [0, 1], and the digits (1797,) as int64.

    ImportError without scikit-learn (extra `examples`).

    >>> from mtarray import data
    >>> x, y = data.digits()
    >>> x.shape, y.shape
    ((1797, 1, 8, 8), (1797,))
    """
    found = _needs("sklearn.datasets", "scikit-learn", "digits").load_digits()
    return xp.asarray(found.images[:, None].astype(dtype) / np.dtype(dtype).type(16)), xp.asarray(found.target.astype(np.int64))


_MNIST = {True: "train", False: "t10k"}


def mnist(path: str | os.PathLike[str], train: bool = True, dtype: Any = xp.float32) -> tuple[Array, Array]:
    """MNIST, or a set in its format, from your files: images (n, 1, 28, 28) of `dtype` in [0, 1], and their labels (n,) as int64.

    path: a folder with the idx files (`train-images-idx3-ubyte` and so on; `.gz` and a dot before `idx` do as well), or a `.npz` file with
    `x_train`, `y_train`, `x_test`, `y_test`. train: the training part, or the test part.
    FileNotFoundError names what is not there, ValueError what does not fit.

    >>> from mtarray import data
    >>> data.mnist("no_such_folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: mnist: there is no file or folder no_such_folder
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"mnist: there is no file or folder {path}")
    if path.is_dir():
        images, labels = (read_idx(_member(path, f"{_MNIST[train]}-{part}")) for part in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    else:
        part = "train" if train else "test"
        images, labels = read_npz(path, [f"x_{part}", f"y_{part}"]).values()
    if images.ndim != 3 or labels.ndim != 1 or images.shape[0] != labels.shape[0]:
        raise ValueError(f"{path}: images must have shape (n, rows, columns) and labels (n,); these have {images.shape} and {labels.shape}")
    if images.dtype == xp.uint8:
        images = images.astype(dtype) / 255
    return images.astype(dtype)[:, None].copy(), labels.astype(xp.int64)


def _member(folder: Path, name: str) -> Path:
    spellings = [name, name.replace("-idx", ".idx")]
    for candidate in [folder / f"{s}{ending}" for s in spellings for ending in ("", ".gz")]:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"{folder}: there is no file {name} (nor {name}.gz)")


class ImageFolder:
    """A data set of the images below a folder, whose subfolders are the classes: sample i is (image, number of its class).

    An image is an array (channels, height, width) of `dtype` in [0, 1], read when it is asked for; `DataLoader` with `num_workers` reads
    them in parallel. root: the folder. size: (height, width) that every image is brought to. mode: "RGB" or "L" (grey), 3 channels or 1.
    Classes are the subfolders' names in alphabetical order; files of other kinds are left out.

    Attributes: `classes` (the names), `paths` (of the images), `targets` (their classes' numbers).
    FileNotFoundError if the folder has no images in subfolders; ValueError names an image that cannot be read; ImportError without pillow
    (extra `examples`). (PyTorch: torchvision's `ImageFolder` with `ToTensor`.)

    >>> from mtarray import data
    >>> data.ImageFolder("no_such_folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: ImageFolder: there is no folder no_such_folder
    """

    ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

    def __init__(
        self, root: str | os.PathLike[str], size: tuple[int, int] | None = None, mode: str = "RGB", dtype: Any = xp.float32
    ) -> None:
        root = Path(root)
        if not root.is_dir():
            raise FileNotFoundError(f"ImageFolder: there is no folder {root}")
        if mode not in ("RGB", "L"):
            raise ValueError(f"ImageFolder: mode={mode!r} must be 'RGB' or 'L'")
        self._image = _needs("PIL.Image", "pillow", "ImageFolder")
        self.root, self.size, self.mode, self.dtype = root, size, mode, np.dtype(dtype)
        self.classes = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        found = [
            (path, i)
            for i, name in enumerate(self.classes)
            for path in sorted((root / name).rglob("*"))
            if path.suffix.lower() in self.ENDINGS and path.is_file()
        ]
        if not found:
            raise FileNotFoundError(f"ImageFolder: {root} has no images in subfolders (one for each class, as in {root / 'cat' / '1.png'})")
        self.paths = [path for path, _ in found]
        self.targets = [i for _, i in found]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Array, int]:
        path = self.paths[index]
        try:
            with self._image.open(path) as opened:
                if opened.mode.startswith("I;16"):  # convert would cut off what is above 255
                    image = self._image.fromarray((np.asarray(opened) / 257 + 0.5).astype(np.uint8)).convert(self.mode)
                else:
                    image = opened.convert(self.mode)
        except Exception as error:
            raise ValueError(f"{path}: this image cannot be read ({error})") from error
        if self.size is not None:
            image = image.resize(self.size[::-1])
        pixels = np.asarray(image).astype(self.dtype) / self.dtype.type(255)
        channels = pixels[None] if self.mode == "L" else np.ascontiguousarray(pixels.transpose(2, 0, 1))
        return xp.asarray(channels), self.targets[index]

    def __repr__(self) -> str:
        return f"ImageFolder({len(self)} images of {len(self.classes)} classes in {self.root})"
