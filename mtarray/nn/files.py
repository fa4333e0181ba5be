"""Weights in safetensors files, and checkpoints: all that a training run needs to go on exactly where it was, in one such file.

A file is complete or not there at all: it is written beside its place, brought to disk, and moved. Nothing is ever unpickled.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import socket
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

import mtarray as xp
from mtarray import Array

from ._random import default_generator
from .module import Module

File = str | os.PathLike[str]
_FORMAT = "mtarray checkpoint 1"
_DTYPES = {"BOOL": "?", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8", "U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8"}
_DTYPES |= {"F16": "f2", "BF16": "u2", "F32": "f4", "F64": "f8", "C64": "c8"}
_CAST = {"F16": "float16", "BF16": "bfloat16"}  # what is no dtype of arrays, and comes as float32


def _safetensors(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError("files of weights need safetensors: pip install 'mtarray[nn]'") from None


# ---------------------------------------------------------------------- weights


@overload
def save(file: File, state: Module | Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None: ...
@overload
def save(file: Module | Mapping[str, Any], state: File, metadata: Mapping[str, str] | None = None) -> None: ...
def save(file: Any, state: Any, metadata: Mapping[str, str] | None = None) -> None:
    """Write a module's state, or a dict of arrays by name, to a safetensors file, which PyTorch and others read.

    The file comes first, or, as in PyTorch, the state.

    metadata: texts by name, kept in the file. A file that is there is replaced only when the new one is complete on disk.
    TypeError for values that are no arrays, and for complex128, which the format does not have.

    >>> import pathlib, tempfile
    >>> from mtarray import nn
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "model.safetensors"
    >>> model = nn.Linear(2, 3)
    >>> nn.save(path, model)
    >>> other = nn.Linear(2, 3)
    >>> other.load_state_dict(nn.load(path))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    >>> bool((other.weight == model.weight).all())
    True
    """
    if isinstance(file, Module | Mapping):
        file, state = state, file
    if not isinstance(file, (str, os.PathLike)) or not isinstance(state, Module | Mapping):
        raise TypeError(f"save: a file and a module or dict of arrays, not {type(file).__name__} and {type(state).__name__}")
    _write(Path(file), _serialized(state.state_dict() if isinstance(state, Module) else state, metadata))


def load(file: File, *, metadata: bool = False) -> Any:
    """The arrays of a safetensors file by name; with `metadata` a pair of them and of the texts in the file.

    float16 and bfloat16 come as float32, which one warning tells. FileNotFoundError, or ValueError for a file that is damaged or of another
    kind (PyTorch's pickles among them), or has dtypes that arrays have not.
    """
    arrays, texts = _read(Path(file))
    return (arrays, texts) if metadata else arrays


def _serialized(state: Mapping[str, Any], metadata: Mapping[str, str] | None) -> bytes:
    plain = {}
    for name, x in state.items():
        if not isinstance(name, str) or not (isinstance(x, (Array, np.ndarray)) or hasattr(x, "__dlpack__")):
            raise TypeError(f"save: {name!r} is no array but {x!r:.60} of type {type(x).__name__}")
        array = np.array(x.detach().to_device("cpu") if isinstance(x, Array) else x, order="C")
        if array.dtype == np.complex128:
            raise TypeError(f"save: {name!r} is complex128, which safetensors does not have; save its real and imaginary parts")
        plain[name] = array
    texts = dict(metadata or {})
    for key, text in texts.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"save: metadata must be texts by name; {key!r} is {text!r:.60}")
    return bytes(_safetensors("safetensors.numpy").save(plain, metadata=texts or None))


def _read(path: Path) -> tuple[dict[str, Array], dict[str, str]]:
    library = _safetensors("safetensors")
    content = path.read_bytes()
    try:
        found = library.deserialize(content)
    except library.SafetensorError as error:
        kind = "a PyTorch file, whose pickles are not read here; write it anew with safetensors.torch.save_file"
        told = kind if content[:4] == b"PK\x03\x04" or content[:2] == b"\x80\x02" else f"damaged, or another kind of file ({error})"
        raise ValueError(f"{path}: not a safetensors file: {told}") from None
    length = int.from_bytes(content[:8], "little")
    texts = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    del content
    arrays, cast = {}, {}
    for name, part in found:
        kind = part["dtype"]
        if kind not in _DTYPES:
            raise ValueError(f"{path}: {name!r} has dtype {kind}, which mtarray does not have")
        values = np.frombuffer(part["data"], np.dtype(_DTYPES[kind]).newbyteorder("<")).reshape(part["shape"])
        if kind in _CAST:
            cast[name] = _CAST[kind]
            values = values.astype(np.float32) if kind == "F16" else (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
        arrays[name] = xp.asarray(values, copy=True)
    if cast:
        kinds = " and ".join(sorted(set(cast.values())))
        warnings.warn(f"{path}: {len(cast)} arrays of {kinds} come as float32, {next(iter(cast))!r} first", stacklevel=3)
    return arrays, texts


def _write(path: Path, content: bytes) -> None:
    """Put a file into its place all at once: a reader, and whoever comes after a crash, finds the old one or the new one."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():  # a device or a pipe: it is written to, never replaced
        path.write_bytes(content)
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder stands where the file should be written", str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no folder to write into", str(path.parent))
    host = "".join(c for c in socket.gethostname() if c.isalnum())
    _sweep(path, host)
    part = path.with_name(f".{path.name}.{host}-{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(part, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        if path.exists():
            shutil.copymode(path, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if hasattr(os, "O_DIRECTORY"):  # the move itself is an entry of the folder
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sweep(path: Path, host: str) -> None:
    """Remove what processes of this machine that were killed have left unfinished."""
    for part in path.parent.glob(f".{path.name}.{host}-*.part"):
        process = part.name.rpartition(f"{host}-")[2].partition("-")[0]
        if process.isdigit() and int(process) != os.getpid() and os.name == "posix":
            try:
                os.kill(int(process), 0)
            except ProcessLookupError:
                part.unlink(missing_ok=True)
            except OSError:  # it lives, and is another user's
                pass


# ---------------------------------------------------------------------- checkpoints


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: damaged, of another program, or of a run with other parts."""


class Checkpoint(NamedTuple):
    """What `load_checkpoint` found besides the state that it restored: the number of the epoch to go on with, and what was put beside."""

    epoch: int
    extra: dict[str, Any]


def save_checkpoint(
    file: File,
    *,
    model: Module,
    optimizer: Any = None,
    scheduler: Any = None,
    loader: Any = None,
    epoch: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write all that a run needs to go on as if it had never stopped, into one file, at once.

    That is: the states of the model, optimizer, scheduler (or a list of schedulers) and loader (of `mtarray.data`), the state of
    `nn.default_generator()`, the number of the epoch to go on with, and `extra`: what JSON can hold, such as the best loss so far or the
    `state` of a generator of your own. Killed at any moment, the file is the former one or this one. (It is a safetensors file:
    `nn.load` shows its arrays.)

    >>> import pathlib, tempfile
    >>> from mtarray import nn
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.safetensors"
    >>> model = nn.Linear(2, 3)
    >>> optimizer = nn.optim.Adam(model.parameters())
    >>> nn.save_checkpoint(path, model=model, optimizer=optimizer, epoch=7, extra={"best": 0.25})
    >>> nn.load_checkpoint(path, model=model, optimizer=optimizer)
    Checkpoint(epoch=7, extra={'best': 0.25})
    """
    arrays = {f"model.{name}": x for name, x in model.state_dict().items()}
    told: dict[str, Any] = {"epoch": epoch, "extra": dict(extra or {}), "random": default_generator().state, "model": type(model).__name__}
    if optimizer is not None:
        state = optimizer.state_dict()
        numbers: dict[str, dict[str, Any]] = {}
        for i, values in state["state"].items():
            arrays |= {f"optimizer.{i}.{k}": v for k, v in values.items() if isinstance(v, Array)}
            numbers[str(i)] = {k: v for k, v in values.items() if not isinstance(v, Array)}
        told["optimizer"] = {"kind": type(optimizer).__name__, "param_groups": state["param_groups"], "state": numbers}
    if scheduler is not None:
        told["scheduler"] = [{"kind": type(s).__name__, "state": s.state_dict()} for s in _list(scheduler)]
    if loader is not None:
        told["loader"] = loader.state_dict()
    try:
        text = json.dumps(told)
    except (TypeError, ValueError) as error:
        raise TypeError(f"save_checkpoint: extra, and options, must be what JSON can hold: {error}") from None
    _write(Path(file), _serialized(arrays, {"format": _FORMAT, "checkpoint": text}))


def load_checkpoint(
    file: File, *, model: Module | None = None, optimizer: Any = None, scheduler: Any = None, loader: Any = None, random: bool = True
) -> Checkpoint:
    """Bring the parts of a run to where `save_checkpoint` was called, and the default generator too (unless `random=False`).

    The parts must be made as they were for the run that was saved; those that are not given are left out (with none of them and
    `random=False` a checkpoint is looked into before the parts are made).
    FileNotFoundError if there is no file. CheckpointError in one line for what is damaged, no checkpoint, or does not fit: then nothing is
    changed.
    """
    path = Path(file)
    try:
        arrays, texts = _read(path)
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    if texts.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: no checkpoint of mtarray: its format is {texts.get('format')!r}, not {_FORMAT!r}")
    try:
        told = json.loads(texts["checkpoint"])
        parts = {name: told.get(name) for name in ("optimizer", "scheduler", "loader")}
        result = Checkpoint(int(told["epoch"]), told["extra"])
        generator = told["random"]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its description is damaged ({error!r})") from None
    given = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "loader": loader}
    for name, part in parts.items():
        if given[name] is not None and part is None:
            raise CheckpointError(f"{path}: the checkpoint was written without a {name}")
    random_state = default_generator().state
    before = [(part, part.state_dict()) for value in given.values() if value is not None for part in _list(value)]
    try:
        if model is not None:
            _load_model(model, {k.removeprefix("model."): x for k, x in arrays.items() if k.startswith("model.")})
        if optimizer is not None:
            _load_optimizer(optimizer, parts["optimizer"], arrays)
        if scheduler is not None:
            _load_schedulers(_list(scheduler), parts["scheduler"])
        if loader is not None:
            loader.load_state_dict(parts["loader"])
        if random:
            default_generator().state = generator
    except Exception as error:
        for part, state in before:
            part.load_state_dict(state)
        default_generator().state = random_state
        reason = " ".join(str(error).split()) if not isinstance(error, KeyError) else f"it lacks {error}"
        raise CheckpointError(f"{path}: the checkpoint does not fit this run: {reason}") from None
    return result


def _list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _load_model(model: Module, state: dict[str, Array]) -> None:
    for name, x in model.state_dict(keep_vars=True).items():
        if name in state and state[name].dtype != x.dtype:
            raise ValueError(f"{name} is {state[name].dtype} in it, and {x.dtype} here")
    model.load_state_dict(state)


def _load_optimizer(optimizer: Any, told: dict[str, Any], arrays: dict[str, Array]) -> None:
    if told["kind"] != type(optimizer).__name__:
        raise ValueError(f"it is of the optimiser {told['kind']}, this run has {type(optimizer).__name__}")
    state: dict[int, dict[str, Any]] = {int(i): dict(values) for i, values in told["state"].items()}
    for name, x in arrays.items():
        if name.startswith("optimizer."):
            _, i, key = name.split(".", 2)
            state[int(i)][key] = x
    optimizer.load_state_dict({"state": state, "param_groups": told["param_groups"]})


def _load_schedulers(schedulers: list[Any], told: list[dict[str, Any]]) -> None:
    kinds, own = [t["kind"] for t in told], [type(s).__name__ for s in schedulers]
    if kinds != own:
        raise ValueError(f"it is of the schedules {', '.join(kinds)}, this run has {', '.join(own)}")
    for s, t in zip(schedulers, told):
        s.load_state_dict(t["state"])


__all__ = ["Checkpoint", "CheckpointError", "load", "load_checkpoint", "save", "save_checkpoint"]
