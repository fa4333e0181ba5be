"""Weights in files, and checkpoints: whole after any kill, and exact in what they bring back."""

import json
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import mtarray as xp
from mtarray import data, nn
from mtarray.nn.optim import lr_scheduler


def _model(seed: int = 0, width: int = 6) -> nn.Module:
    nn.manual_seed(seed)
    return nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 1), nn.Sigmoid())


def _equal(a: dict[str, xp.Array], b: dict[str, xp.Array]) -> bool:
    return list(a) == list(b) and all(x.dtype == b[k].dtype and np.array(x).tobytes() == np.array(b[k]).tobytes() for k, x in a.items())


# --- weights ----------------------------------------------------------------------------------------------------------------


def test_weights_come_back(tmp_path: Path) -> None:
    state = {
        "f4": xp.asarray([1.5, float("nan"), -0.0], dtype=xp.float32),
        "f8": xp.reshape(xp.arange(6.0), (2, 3)).T,
        "strided": xp.arange(10)[::-2],
        "scalar": xp.asarray(3),
        "empty": xp.zeros((0, 4), dtype=xp.int8),
        "bool": xp.asarray([True, False]),
        "complex": xp.asarray([1 + 2j], dtype=xp.complex64),
    } | {name: xp.asarray([1, 2], dtype=name) for name in ("int16", "int32", "uint8", "uint16", "uint32", "uint64")}
    path = tmp_path / "w.safetensors"
    nn.save(path, state, metadata={"made by": "a test"})
    loaded, texts = nn.load(path, metadata=True)
    assert texts == {"made by": "a test"}
    assert _equal(dict(sorted(state.items())), dict(sorted(loaded.items())))
    assert [x.shape for x in (loaded["scalar"], loaded["empty"])] == [(), (0, 4)]
    loaded["f8"] += 1
    nn.save(path, {})
    assert nn.load(path) == {}
    assert sorted(os.listdir(tmp_path)) == ["w.safetensors"]


def test_weights_move_to_pytorch_and_back(tmp_path: Path) -> None:
    ours = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    nn.save(tmp_path / "a", ours)
    theirs.load_state_dict(load_file(tmp_path / "a"))
    x = np.random.default_rng(0).random((5, 3)).astype("f4")
    np.testing.assert_allclose(np.asarray(ours(xp.asarray(x)).detach()), theirs(torch.from_numpy(x)).detach().numpy(), rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        theirs[0].weight += 1
    save_file(theirs.state_dict(), tmp_path / "b")
    ours.load_state_dict(nn.load(tmp_path / "b"))
    np.testing.assert_array_equal(np.asarray(ours[0].weight.detach()), theirs[0].weight.detach().numpy())
    assert ours[0].weight.requires_grad


def test_half_precision_is_cast_and_said_once(tmp_path: Path) -> None:
    x = torch.tensor([1.0, -2.5, 65504.0, float("inf"), 1e-7])
    save_file({"a": x.half(), "b": x.bfloat16(), "c": torch.tensor(1.5).bfloat16()}, tmp_path / "h")
    with pytest.warns(UserWarning, match="3 arrays of bfloat16 and float16 come as float32") as caught:
        loaded = nn.load(tmp_path / "h")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(np.asarray(loaded["a"]), x.half().float().numpy())
    np.testing.assert_array_equal(np.asarray(loaded["b"]), x.bfloat16().float().numpy())
    assert loaded["c"].shape == ()


def test_files_refuse(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with pytest.raises(FileNotFoundError, match="x"):
        nn.load(path)
    torch.save({"a": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="a PyTorch file, whose pickles are not read here"):
        nn.load(path)
    for content in (b"", b"abc", b"\x00" * 100, struct.pack("<Q", 1 << 60) + b"{}"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a safetensors file: damaged, or another kind of file"):
            nn.load(path)
    save_file({"a": torch.ones(2).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(ValueError, match="'a' has dtype F8_E4M3, which mtarray does not have"):
        nn.load(path)
    kept = path.read_bytes()
    for state in (nn.Linear(2, 1), {"b": xp.ones(1)}):
        nn.save(state, tmp_path / "swapped")  # PyTorch's order
        assert set(nn.load(tmp_path / "swapped")) == {"weight", "bias"} if isinstance(state, nn.Module) else {"b"}
        (tmp_path / "swapped").unlink()
        with pytest.raises(TypeError, match=f"not dict and {type(state).__name__}"):
            nn.save(state, {})  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="'b' is no array but 1"):
        nn.save(path, {"b": 1})
    with pytest.raises(TypeError, match="complex128"):
        nn.save(path, {"b": xp.asarray([1j])})
    with pytest.raises(TypeError, match="metadata must be texts"):
        nn.save(path, {}, metadata={"epoch": 1})  # type: ignore[dict-item]
    assert path.read_bytes() == kept
    assert os.listdir(tmp_path) == ["x"]
    with pytest.raises(FileNotFoundError):
        nn.save(tmp_path / "no" / "folder", {})


# --- going on exactly -------------------------------------------------------------------------------------------------------


class Run:
    """A training run of everything that has state: dropout, Adam, a schedule, a shuffled loader."""

    def __init__(self, seed: int, dtype: Any = xp.float32) -> None:
        self.model = _model(seed).to(dtype)
        self.optimizer = nn.optim.AdamW(self.model.parameters(), lr=0.05, amsgrad=True)
        warm = lr_scheduler.LinearLR(self.optimizer, 0.1, total_iters=3)
        self.scheduler = lr_scheduler.SequentialLR(self.optimizer, [warm, lr_scheduler.ExponentialLR(self.optimizer, 0.9)], [3])
        self.plateau = lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=1)
        self.loader = data.DataLoader(data.points("xor", 23, dtype=dtype), batch_size=5, shuffle=True, seed=seed)
        self.losses: list[float] = []

    def parts(self) -> dict[str, Any]:
        return dict(model=self.model, optimizer=self.optimizer, scheduler=[self.scheduler, self.plateau], loader=self.loader)

    def go(self, epochs: int, stop: int | None = None, path: Path | None = None) -> None:
        """Train until so many epochs are done; save after batch number `stop`."""
        while self.loader.epoch < epochs:
            for x, y in self.loader:
                self.optimizer.zero_grad()
                loss = nn.BCELoss()(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                self.losses.append(float(loss))
                if len(self.losses) == stop:
                    nn.save_checkpoint(path, **self.parts(), epoch=self.loader.epoch, extra={"losses": self.losses})  # type: ignore[arg-type]
            self.scheduler.step()
            self.plateau.step(self.losses[-1])


@pytest.mark.parametrize("stop", [1, 5, 12, 20])
def test_resume_is_exact(tmp_path: Path, stop: int) -> None:
    whole = Run(3)
    whole.go(5, stop, tmp_path / "c")
    assert len(set(whole.losses)) == 25

    other = Run(8)
    other.go(1)  # another run, elsewhere
    found = nn.load_checkpoint(tmp_path / "c", **other.parts())
    assert found.epoch == (stop - 1) // 5
    other.losses = found.extra["losses"]
    other.go(5)
    assert other.losses == whole.losses
    assert _equal(other.model.state_dict(), whole.model.state_dict())
    one, two = other.optimizer.state_dict(), whole.optimizer.state_dict()
    assert one["param_groups"] == two["param_groups"]
    for i, values in one["state"].items():
        assert _equal(*({k: xp.asarray(v) for k, v in sorted(s.items())} for s in (values, two["state"][i])))
    assert other.scheduler.state_dict() == whole.scheduler.state_dict()


def test_a_checkpoint_is_a_file_of_weights(tmp_path: Path) -> None:
    run = Run(1)
    run.go(1)
    nn.save_checkpoint(tmp_path / "c", **run.parts())
    arrays, texts = nn.load(tmp_path / "c", metadata=True)
    assert "model.0.weight" in arrays
    assert "optimizer.0.max_exp_avg_sq" in arrays
    assert json.loads(texts["checkpoint"])["optimizer"]["param_groups"][0]["betas"] == [0.9, 0.999]
    state = nn.default_generator().state
    alone = _model(5)
    again = nn.default_generator().state
    assert nn.load_checkpoint(tmp_path / "c", model=alone, random=False) == (0, {})
    assert nn.default_generator().state == again != state
    assert _equal(alone.state_dict(), run.model.state_dict())


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    saved, path = Run(1), tmp_path / "c"
    saved.go(1, 3, path)
    run = Run(2)
    run.go(1)
    state = json.dumps([run.loader.state_dict(), run.scheduler.state_dict(), nn.default_generator().state])
    weights = run.model.state_dict()
    sgd = nn.optim.SGD(run.model.parameters())
    with pytest.raises(nn.CheckpointError, match="it is of the optimiser AdamW, this run has SGD"):
        nn.load_checkpoint(path, model=run.model, optimizer=sgd)
    with pytest.raises(nn.CheckpointError, match="it is of the schedules SequentialLR, ReduceLROnPlateau, this run has ReduceLROnPlateau"):
        nn.load_checkpoint(path, **run.parts() | {"scheduler": run.plateau})
    with pytest.raises(nn.CheckpointError, match=r"shape \(6, 2\) does not fit \(7, 2\)"):
        nn.load_checkpoint(path, model=_model(width=7))
    nn.manual_seed(2)
    before = nn.default_generator().state
    with pytest.raises(nn.CheckpointError, match=r"0.weight is float32 in it, and float64 here"):
        nn.load_checkpoint(path, model=Run(2, xp.float64).model)
    small = data.DataLoader(xp.arange(2), batch_size=5)
    with pytest.raises(nn.CheckpointError, match="batch 3 of an epoch, and an epoch has 1") as caught:
        nn.load_checkpoint(path, **run.parts() | {"loader": small})
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert _equal(run.model.state_dict(), weights)
    nn.save_checkpoint(path, model=run.model)
    with pytest.raises(nn.CheckpointError, match="was written without a optimizer"):
        nn.load_checkpoint(path, **run.parts())
    assert _equal(run.model.state_dict(), weights)
    assert json.loads(state)[:2] == [run.loader.state_dict(), run.scheduler.state_dict()]
    assert before


def test_foreign_and_damaged_checkpoints(tmp_path: Path) -> None:
    run, path = Run(1), tmp_path / "c"
    run.go(1)
    nn.save(path, run.model)
    with pytest.raises(nn.CheckpointError, match="no checkpoint of mtarray: its format is None"):
        nn.load_checkpoint(path, **run.parts())
    nn.save(path, {}, metadata={"format": "mtarray checkpoint 1", "checkpoint": "{"})
    with pytest.raises(nn.CheckpointError, match="its description is damaged"):
        nn.load_checkpoint(path, **run.parts())
    with pytest.raises(FileNotFoundError):
        nn.load_checkpoint(tmp_path / "none", model=run.model)
    nn.save_checkpoint(path, **run.parts())
    content = path.read_bytes()
    weights = run.model.state_dict()
    for length in [*range(0, 40, 7), len(content) // 2, len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(nn.CheckpointError, match="not a safetensors file"):
            nn.load_checkpoint(path, **run.parts())
    path.write_bytes(content.replace(b'"optimizer.0.exp_avg"', b'"optimizer.9.exp_avg"'))
    with pytest.raises(nn.CheckpointError, match="does not fit this run"):
        nn.load_checkpoint(path, **run.parts())
    path.write_text("a,b\n1,2\n")
    with pytest.raises(nn.CheckpointError, match="not a safetensors file"):
        nn.load_checkpoint(path, **run.parts())
    assert _equal(run.model.state_dict(), weights)
    path.write_bytes(content)
    nn.load_checkpoint(path, **run.parts())


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="must be what JSON can hold"):
        nn.save_checkpoint(tmp_path / "c", model=_model(), extra={"a": object()})
    nn.save_checkpoint(tmp_path / "c", model=_model(), extra={"best": float("inf"), "rng": nn.default_generator().state})
    extra = nn.load_checkpoint(tmp_path / "c", model=_model()).extra
    assert extra["best"] == float("inf")
    nn.default_generator().state = extra["rng"]


# --- killed -----------------------------------------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")


def _write_for_ever(path: Path, model: nn.Module) -> None:
    for epoch in range(1, sys.maxsize):
        nn.save_checkpoint(path, model=model, epoch=epoch, extra={"sum": float(epoch)})


@needs_fork
def test_killed_while_writing(tmp_path: Path) -> None:
    """kill -9 in the middle of 50 writes: there is always a whole checkpoint, never older than the one seen before."""
    path, model = tmp_path / "run", nn.Linear(300, 200)
    nn.save_checkpoint(path, model=model, epoch=0, extra={"sum": 0.0})
    chance = random.Random(0)
    written = 0
    for _ in range(50):
        nn.save_checkpoint(path, model=model, epoch=0, extra={"sum": 0.0})
        child = os.fork()
        if child == 0:
            try:
                _write_for_ever(path, model)
            finally:
                os._exit(1)
        time.sleep(chance.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        found = nn.load_checkpoint(path, model=model)
        assert found.extra["sum"] == found.epoch
        written += found.epoch
    assert written > 0
    nn.save_checkpoint(path, model=model)
    assert os.listdir(tmp_path) == ["run"], "what killed processes left is swept"


@needs_fork
@pytest.mark.parametrize("at", ["open", "write", "fsync", "replace", "after"])
def test_killed_at_each_step(tmp_path: Path, at: str) -> None:
    path = tmp_path / "run"
    old, new = _model(1), _model(2)
    nn.save_checkpoint(path, model=old, epoch=1)
    child = os.fork()
    if child == 0:
        try:
            _die_at(at)
            nn.save_checkpoint(path, model=new, epoch=2)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    loaded = _model(3)
    assert nn.load_checkpoint(path, model=loaded).epoch == (2 if at == "after" else 1)
    assert _equal(loaded.state_dict(), (new if at == "after" else old).state_dict())
    nn.save_checkpoint(path, model=new, epoch=3)
    assert os.listdir(tmp_path) == ["run"]


def _die_at(step: str) -> None:
    """Let this process die just before a step of writing (in the midst of it: half of the bytes are on disk)."""
    import builtins

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    real = builtins.open

    def opened(name: Any, mode: str = "r", *rest: Any) -> Any:
        file = real(name, mode, *rest)
        if "w" in mode:

            class Half:
                def __enter__(self) -> Any:
                    return self

                def __exit__(self, *_: object) -> None:
                    pass

                def write(self, content: bytes) -> None:
                    file.write(content[: len(content) // 2])
                    file.flush()
                    die()

            return Half()
        return file

    if step == "open":
        builtins.open = die  # type: ignore[assignment]
    elif step == "write":
        builtins.open = opened  # type: ignore[assignment]
    elif step == "after":
        os.open = die
    else:
        setattr(os, step, die)


def test_missing_safetensors_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'mtarray\[nn\]'"):
        nn.load(tmp_path / "a")
    with pytest.raises(ImportError, match=r"pip install 'mtarray\[nn\]'"):
        nn.save(tmp_path / "a", {})
