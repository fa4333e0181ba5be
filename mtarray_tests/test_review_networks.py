"""Regressions of networks, optimisers, data and files, each of which went wrong once."""

import copy
import os
import pickle
import stat
import sys

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, data, nn

torch = pytest.importorskip("torch", reason="the extra bench")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8"])
@pytest.mark.parametrize("ignore", [2, 100])
def test_targets_of_any_integer_dtype(dtype, ignore):
    x = np.random.default_rng(0).normal(size=(5, 4))
    y = np.array([0, 3, ignore, 1, ignore])
    expected = torch.nn.functional.cross_entropy(torch.tensor(x), torch.tensor(y), ignore_index=ignore)
    found = nn.functional.cross_entropy(xp.asarray(x), xp.asarray(y.astype(dtype)), ignore_index=ignore)
    np.testing.assert_allclose(float(found), float(expected), rtol=1e-12)
    logs = torch.log_softmax(torch.tensor(x), 1)
    found = nn.functional.nll_loss(xp.asarray(logs.numpy()), xp.asarray(y.astype(dtype)), ignore_index=ignore)
    np.testing.assert_allclose(float(found), float(expected), rtol=1e-12)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three", [False, True])
def test_one_cycle_steps_after_every_batch(strategy, three):
    # The usual loop steps after the last batch too, as PyTorch's example does.
    rates = []
    for library, parameter in ((nn.optim, nn.Parameter([1.0])), (torch.optim, torch.nn.Parameter(torch.ones(1)))):
        optimizer = library.SGD([parameter], lr=0.1, momentum=0.9)
        schedule = library.lr_scheduler.OneCycleLR(optimizer, 1.0, epochs=2, steps_per_epoch=5, anneal_strategy=strategy, three_phase=three)
        got = []
        for _ in range(10):
            got.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
            optimizer.step()
            schedule.step()
        rates.append(got)
        if library is nn.optim:
            assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0 / 25 / 1e4)
        with pytest.raises(ValueError):
            schedule.step()
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-9)


def test_recurrent_layers_take_arguments_by_place():
    assert repr(nn.RNN(6, 5, 2, "relu", False, True, 0.5, True)).startswith("RNN(6, 5, num_layers=2, bias=False, batch_first=True, dropout")
    assert nn.RNNCell(6, 5, True, "relu", None, xp.float64).weight_ih.dtype == xp.float64


@pytest.mark.parametrize("again", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("kind", [nn.optim.Adam, lambda p: nn.optim.SGD(p, lr=0.1, momentum=0.9)], ids=["Adam", "SGD"])
def test_copies_of_optimisers_keep_their_state(kind, again):
    x = xp.ones((4, 2), dtype=xp.float32)

    def step(model, optimizer):
        optimizer.zero_grad()
        (model(x) ** 2).sum().backward()
        optimizer.step()

    model = nn.Linear(2, 3)
    optimizer = kind(model.parameters())
    step(model, optimizer)
    other, twin = again((model, optimizer))
    for _ in range(2):
        step(model, optimizer)
        step(other, twin)
    np.testing.assert_array_equal(np.asarray(model.weight.detach()), np.asarray(other.weight.detach()))
    assert twin.state_dict()["state"].keys() == optimizer.state_dict()["state"].keys()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_tensors_load(dtype):
    values = torch.nn.Linear(2, 3).to(dtype).state_dict()
    model = nn.Linear(2, 3)
    model.load_state_dict(values)
    np.testing.assert_array_equal(np.asarray(model.weight.detach()), values["weight"].float().numpy())


def test_load_state_dict_of_something_else():
    for wrong in (None, [1, 2], nn.Linear(2, 3)):
        with pytest.raises(TypeError, match="dict by name"):
            nn.Linear(2, 3).load_state_dict(wrong)


def test_zero_grad_to_zeros_and_of_computed_parameters():
    optree = pytest.importorskip("optree")
    model = nn.Linear(2, 3)
    model(xp.ones((1, 2), dtype=xp.float32)).sum().backward()
    model.zero_grad(set_to_none=False)
    assert model.weight.grad is not None
    assert not xp.any(model.weight.grad)
    model.zero_grad()
    assert model.weight.grad is None
    moved = optree.tree_map(lambda x: x * 0.5, model, namespace="mtarray")  # recorded: no leaves that collect
    moved.zero_grad()
    with pytest.raises(RuntimeError, match="collects no gradient"):
        moved.weight.grad = xp.zeros((3, 2), dtype=xp.float32)
    with autodiff.no_grad():
        optree.tree_map(lambda x: x * 0.5, model, namespace="mtarray").zero_grad()


@pytest.mark.parametrize("samples", [[{"a": 1}, 3], [(1, 2), 3], [{"a": 1}, {"b": 1}], [(1, 2), (1,)]])
def test_samples_that_are_not_alike(samples):
    with pytest.raises(ValueError, match="number 1 of the batch"):
        data.collate(samples)


def test_data_sets_of_tensors():
    dataset = torch.utils.data.TensorDataset(torch.arange(6.0).reshape(3, 2), torch.arange(3))
    x, y = next(iter(data.DataLoader(dataset, 2)))
    assert x.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert y.tolist() == [0, 1]


def test_idx_of_more_dimensions_than_arrays_have(tmp_path):
    path = tmp_path / "x.idx"
    path.write_bytes(bytes([0, 0, 8, 255]) + b"\0\0\0\1" * 255 + b"a")
    with pytest.raises(ValueError, match=r"x\.idx.*255 dimensions"):
        data.read_idx(path)


def test_images_of_16_bits(tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "a").mkdir()
    image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(tmp_path / "a" / "1.png")
    pixels, _ = data.ImageFolder(tmp_path, mode="L")[0]
    np.testing.assert_allclose(np.asarray(pixels)[0], [[0, 100 / 255, 1]], rtol=1e-6)


@pytest.mark.skipif(sys.platform == "win32", reason="devices and modes of POSIX")
def test_files_keep_their_mode_and_devices_stay(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    nn.save(path, nn.Linear(2, 3))
    path.chmod(0o600)
    nn.save(path, nn.Linear(2, 3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        nn.save(pipe, nn.Linear(2, 3))
        assert os.read(reader, 8) == path.read_bytes()[:8]
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(IsADirectoryError, match="a folder stands"):
        nn.save(tmp_path, nn.Linear(2, 3))
    with pytest.raises(FileNotFoundError, match="no folder to write into"):
        nn.save(tmp_path / "no" / "x", nn.Linear(2, 3))


@pytest.mark.parametrize("text", ["[]", "5", "{}", "nope", '{"epoch": 1}'])
def test_checkpoints_with_a_damaged_description(tmp_path, text):
    pytest.importorskip("safetensors")
    model = nn.Linear(2, 3)
    state = {f"model.{k}": v for k, v in model.state_dict().items()}
    nn.save(tmp_path / "x", state, metadata={"format": "mtarray checkpoint 1", "checkpoint": text})
    with pytest.raises(nn.CheckpointError, match="description is damaged"):
        nn.load_checkpoint(tmp_path / "x", model=model)


@pytest.mark.parametrize("rate", ["nan", "inf", "-1", "0", "x"])
def test_rates_that_are_no_rates(rate):
    click = pytest.importorskip("click.testing")
    from mtarray.examples.points import main

    found = click.CliRunner().invoke(main, ["--rate", rate])
    assert found.exit_code == 2
    assert len(found.output.strip().splitlines()) == 1
    assert "--rate" in found.output


def test_text_that_is_none_names_the_file(tmp_path):
    click = pytest.importorskip("click.testing")
    from mtarray.examples.text import main

    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG" * 1000)
    found = click.CliRunner().invoke(main, ["--text", str(path)])
    assert found.exit_code == 2
    assert "picture.png: this is not text in UTF-8 (invalid start byte at byte 0)" in found.output


def test_frozen_parameters_stay_in_the_functional_style_too():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    frozen = model[0].weight.tolist()
    learnt = model[1].weight.detach().tolist()
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    x = xp.ones((4, 2), dtype=xp.float32)
    _, grads = autodiff.value_and_grad(lambda m: xp.sum(m(x) ** 2))(model)
    optimizer.step(grads=grads)
    assert model[0].weight.tolist() == frozen
    assert model[1].weight.detach().tolist() != learnt
    w = xp.asarray([1.0])  # an array that is no parameter of a module is learnt as it is
    nn.optim.SGD([w], lr=0.5).step(grads=[xp.asarray([1.0])])
    assert w.tolist() == [0.5]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda **more: nn.Embedding(3, 2, **more), "max_norm"),
        (lambda **more: nn.LSTM(3, 2, **more), "proj_size"),
        (lambda **more: data.DataLoader(xp.ones(4), **more), "sampler"),
    ],
    ids=["Embedding", "LSTM", "DataLoader"],
)
def test_arguments_of_pytorch_that_are_not_built(make, name):
    make(**{name: None})
    with pytest.raises(NotImplementedError, match=f"{name}=2 is not built; "):
        make(**{name: 2})
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        make(colour=1)
