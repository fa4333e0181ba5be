"""Optimisers, schedules and clipping, against PyTorch and against their formulas."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

import mtarray as xp
from mtarray import autodiff, nn
from mtarray.nn import optim
from mtarray.nn.optim import lr_scheduler

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", dict(lr=0.1)),
    ("SGD", dict(lr=0.1, weight_decay=0.05)),
    ("SGD", dict(lr=0.05, momentum=0.9)),
    ("SGD", dict(lr=0.05, momentum=0.9, dampening=0.3, weight_decay=0.01)),
    ("SGD", dict(lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)),
    ("SGD", dict(lr=0.01, momentum=0.5, maximize=True)),
    ("Adam", {}),
    ("Adam", dict(lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)),
    ("Adam", dict(lr=0.05, amsgrad=True)),
    ("Adam", dict(lr=0.01, maximize=True)),
    ("AdamW", dict(lr=0.05)),
    ("AdamW", dict(lr=0.05, weight_decay=0.3, amsgrad=True)),
    ("RMSprop", {}),
    ("RMSprop", dict(lr=0.02, alpha=0.9, weight_decay=0.1)),
    ("RMSprop", dict(lr=0.02, momentum=0.8)),
    ("RMSprop", dict(lr=0.02, centered=True, eps=1e-5)),
    ("RMSprop", dict(lr=0.02, centered=True, momentum=0.7, maximize=True)),
    ("Adagrad", dict(lr=0.1)),
    ("Adagrad", dict(lr=0.1, lr_decay=0.1, weight_decay=0.1, initial_accumulator_value=0.2)),
]
IDS = [f"{name}-{'-'.join(options) or 'default'}" for name, options in OPTIONS]

X = np.random.default_rng(0).standard_normal((16, 4))
Y = np.sin(X[:, :1]) + X[:, 1:2]


def _pair(dtype: str = "float64") -> tuple[nn.Module, torch.nn.Module]:
    """The same small network here and there."""
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).to(getattr(torch, dtype))
    rng = np.random.default_rng(1)
    theirs.load_state_dict({k: torch.from_numpy(rng.uniform(-0.5, 0.5, v.shape).astype(dtype)) for k, v in theirs.state_dict().items()})
    ours = nn.Sequential(nn.Linear(4, 8, dtype=dtype), nn.Tanh(), nn.Linear(8, 1, dtype=dtype))
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def _step(model: nn.Module, optimizer: optim.Optimizer) -> None:
    dtype = model[0].weight.dtype
    optimizer.zero_grad()
    xp.mean((model(xp.asarray(X, dtype=dtype)) - xp.asarray(Y, dtype=dtype)) ** 2).backward()
    optimizer.step()


def _their_step(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    dtype = model[0].weight.dtype  # type: ignore[index]
    optimizer.zero_grad()
    ((model(torch.tensor(X, dtype=dtype)) - torch.tensor(Y, dtype=dtype)) ** 2).mean().backward()
    optimizer.step()


def _same(ours: nn.Module, theirs: torch.nn.Module, rtol: float = 1e-11) -> None:
    for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values()):
        np.testing.assert_allclose(np.asarray(a), b.numpy(), rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
def test_twenty_steps_equal_pytorchs(name: str, options: dict[str, Any]) -> None:
    ours, theirs = _pair()
    one, two = getattr(optim, name)(ours.parameters(), **options), getattr(torch.optim, name)(theirs.parameters(), **options)
    for _ in range(20):
        _step(ours, one)
        _their_step(theirs, two)
    _same(ours, theirs)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=IDS)
@pytest.mark.parametrize("direction", ["to", "from"])
def test_state_moves_to_pytorch_and_back(name: str, options: dict[str, Any], direction: str) -> None:
    ours, theirs = _pair()
    one, two = getattr(optim, name)(ours.parameters(), **options), getattr(torch.optim, name)(theirs.parameters(), **options)
    if direction == "to":
        for _ in range(3):
            _step(ours, one)
        theirs.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()})
        state = one.state_dict()
        for values in state["state"].values():
            values |= {k: torch.from_numpy(np.array(v)) for k, v in values.items() if isinstance(v, xp.Array)}
        two.load_state_dict(state)
    else:
        for _ in range(3):
            _their_step(theirs, two)
        ours.load_state_dict(theirs.state_dict())
        fresh = getattr(optim, name)(ours.parameters())  # the options come with the state
        fresh.load_state_dict(two.state_dict())
        assert {k: one.param_groups[0][k] for k in one.defaults} == {k: fresh.param_groups[0][k] for k in fresh.defaults}
        one = fresh
    for _ in range(3):
        _step(ours, one)
        _their_step(theirs, two)
    _same(ours, theirs)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_large_parameters(name: str, dtype: str) -> None:
    """The kernels' tier: beyond what NumPy serves."""
    rng = np.random.default_rng(2)
    start = rng.standard_normal((130, 171)).astype(dtype)
    theirs = torch.nn.Parameter(torch.from_numpy(start.copy()))
    ours = nn.Parameter(start)
    one, two = getattr(optim, name)([ours], lr=0.01), getattr(torch.optim, name)([theirs], lr=0.01)
    for _ in range(4):
        g = rng.standard_normal(start.shape).astype(dtype)
        ours.grad, theirs.grad = xp.asarray(g), torch.from_numpy(g)
        one.step()
        two.step()
    np.testing.assert_allclose(np.asarray(ours.detach()), theirs.detach().numpy(), rtol=1e-12 if dtype == "float64" else 2e-5, atol=1e-6)
    assert ours.requires_grad


@pytest.mark.parametrize("n", [3, 9000])
def test_lion(n: int) -> None:
    rng = np.random.default_rng(3)
    p = rng.standard_normal(n)
    m = np.zeros(n)
    ours = nn.Parameter(p)
    optimizer = optim.Lion([ours], lr=0.1, betas=(0.9, 0.95), weight_decay=0.2)
    for step in range(5):
        g = rng.standard_normal(n) * (step != 2)
        ours.grad = xp.asarray(g)
        optimizer.step()
        p = p * (1 - 0.1 * 0.2) - 0.1 * np.sign(0.9 * m + 0.1 * g)
        m = 0.95 * m + 0.05 * g
        np.testing.assert_allclose(np.asarray(ours.detach()), p, rtol=1e-12)
    assert set(optimizer.state_dict()["state"][0]) == {"step", "exp_avg"}
    still = nn.Parameter([1.0, -1.0])
    still.grad = xp.zeros(2, dtype=xp.float32)
    optim.Lion([still], lr=0.5).step()
    assert still.detach().tolist() == [1, -1]  # the sign of 0 is 0


def test_numpy_tier_and_kernels_agree() -> None:
    for rule in ("sgd_nesterov", "amsgrad", "lion", "rmsprop_centered_momentum"):
        op = getattr(optim.rules, rule)
        rng = np.random.default_rng(4)
        args = [xp.asarray(rng.random(40) + 0.5) for _ in range(len(op.op.parameters))]
        small = op(*args)
        with xp.config(kernels="python"):
            large = op(*args)
        for a, b in zip(small, large):
            np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-14)


def test_groups() -> None:
    ours, theirs = _pair()
    one = optim.SGD([{"params": ours[0].parameters(), "lr": 0.01}, {"params": ours[2].bias}], lr=0.1, momentum=0.9)
    two = torch.optim.SGD([{"params": theirs[0].parameters(), "lr": 0.01}, {"params": theirs[2].bias}], lr=0.1, momentum=0.9)  # type: ignore[index]
    for _ in range(2):
        _step(ours, one)
        _their_step(theirs, two)
    one.add_param_group({"params": [ours[2].weight], "lr": 0.5, "weight_decay": 0.1})
    two.add_param_group({"params": [theirs[2].weight], "lr": 0.5, "weight_decay": 0.1})  # type: ignore[index]
    for _ in range(3):
        _step(ours, one)
        _their_step(theirs, two)
    _same(ours, theirs)
    assert [g["params"] for g in one.state_dict()["param_groups"]] == [[0, 1], [2], [3]]
    assert "group 2: 1 parameters, lr=0.5" in repr(one)
    named = optim.SGD(ours.named_parameters())
    assert named.param_groups[0]["param_names"] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_zero_grad_and_missing_gradients() -> None:
    p, q = nn.Parameter([1.0, 2.0]), nn.Parameter([3.0])
    optimizer = optim.Adam([p, q])
    xp.sum(p * p).backward()
    optimizer.step()
    assert q.detach().tolist() == [3]
    assert list(optimizer.state_dict()["state"]) == [0]
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is None
    before = p.detach().tolist()
    optimizer.step()
    assert p.detach().tolist() == before


def test_closure_and_given_gradients() -> None:
    p = nn.Parameter(xp.asarray([2.0]))
    optimizer = optim.SGD([p], lr=0.25)

    def closure() -> xp.Array:
        optimizer.zero_grad()
        loss = xp.sum(p * p)
        loss.backward()
        return loss

    assert float(optimizer.step(closure)) == 4
    assert float(p[0]) == 1

    ours, theirs = _pair()
    one, two = optim.AdamW(ours.parameters(), lr=0.1), torch.optim.AdamW(theirs.parameters(), lr=0.1)
    for _ in range(3):
        grads = autodiff.value_and_grad(lambda m: xp.mean((m(xp.asarray(X)) - xp.asarray(Y)) ** 2))(ours)[1]
        one.step(grads=grads)
        _their_step(theirs, two)
    _same(ours, theirs)
    tree = {"a": nn.Parameter([1.0]), "b": [nn.Parameter([2.0])]}
    down = optim.SGD([tree["a"], tree["b"][0]], lr=1.0)  # type: ignore[index]
    down.step(grads={"a": xp.asarray([1.0]), "b": [xp.asarray([2.0])]})
    assert tree["b"][0].detach().tolist() == [0]  # type: ignore[index]
    with pytest.raises(ValueError, match="1 gradients are given for 2 parameters"):
        down.step(grads=[xp.asarray([1.0])])
    with pytest.raises(ValueError, match=r"gradient 1 has shape \(2,\), its parameter \(1,\)"):
        down.step(grads=[xp.asarray([1.0]), xp.asarray([1.0, 2.0])])


def test_what_was_recorded_before_a_step_stays() -> None:
    """An update in place changes neither the graph that is there nor who gets its gradients."""
    p = nn.Parameter(xp.asarray([3.0]))
    optimizer = optim.Adam([p], lr=1.0)
    loss = xp.sum(p**3)
    loss.backward(retain_graph=True)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    assert p.grad.tolist() == [27]
    assert float(p[0]) == pytest.approx(2)


def test_views_and_zero_dimensions() -> None:
    for shape in [(), (0,), (2, 3)]:
        p = nn.Parameter(xp.ones(shape))
        wide = xp.ones((3, 2)).T if shape == (2, 3) else xp.ones(shape)
        wide.requires_grad = True
        for q in (p, wide):
            for make in (optim.SGD, optim.Adam, optim.RMSprop, optim.Adagrad, optim.Lion):
                with autodiff.no_grad():
                    q[...] = xp.ones(shape)
                q.grad = xp.ones(shape)
                make([q], lr=0.5).step()
                np.testing.assert_allclose(np.asarray(q.detach()), np.full(shape, 0.5 if make is not optim.RMSprop else -4), rtol=1e-6)


def test_optimisers_refuse() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"model\.parameters\(\)"):
        optim.SGD(model)
    with pytest.raises(TypeError, match="not Array"):
        optim.SGD(model.weight)
    with pytest.raises(ValueError, match="there are no parameters"):
        optim.Adam([])
    with pytest.raises(TypeError, match="parameter 0 is no array but a float"):
        optim.Adam([1.0])
    with pytest.raises(TypeError, match="parameter 0 has dtype int64"):
        optim.Adam([xp.arange(3)])
    with pytest.raises(ValueError, match=r"parameter 1 of shape \(2, 2\) is given twice"):
        optim.Adam([model.weight, model.weight])
    with pytest.raises(TypeError, match="SGD has no option 'rate'; it has lr, momentum"):
        optim.SGD([{"params": [model.weight], "rate": 1}])
    with pytest.raises(TypeError, match="'params'"):
        optim.SGD([model.weight]).add_param_group({"lr": 1})
    with pytest.raises(ValueError, match="lr=-1 must not be negative"):
        optim.SGD(model.parameters(), lr=-1)
    with pytest.raises(ValueError, match=r"betas\[1\]=1 must be in"):
        optim.Adam(model.parameters(), betas=(0.9, 1))
    with pytest.raises(ValueError, match="nesterov"):
        optim.SGD(model.parameters(), nesterov=True)


def test_foreign_states_are_refused() -> None:
    model = nn.Linear(2, 2)
    optimizer = optim.Adam(model.parameters())
    _ = optimizer.step(grads=[xp.ones((2, 2), dtype=xp.float32), xp.ones(2, dtype=xp.float32)])
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters, this optimiser has groups of \[1\]"):
        optim.Adam([model.weight]).load_state_dict(state)
    with pytest.raises(ValueError, match=r"exp_avg of parameter 0 has shape \(2, 2\), the parameter \(3, 3\)"):
        optim.Adam([xp.ones((3, 3)), xp.ones(2)]).load_state_dict(state)
    with pytest.raises(ValueError, match="has 'exp_avg': of another optimiser"):
        optim.SGD(model.parameters()).load_state_dict(state)
    with pytest.raises(ValueError, match="'state' and 'param_groups'"):
        optimizer.load_state_dict({"weights": 1})
    broken = copy.deepcopy(state)
    broken["state"][7] = broken["state"].pop(1)
    with pytest.raises(ValueError, match="parameter 7"):
        optimizer.load_state_dict(broken)
    assert optimizer.state_dict()["state"][0]["step"] == 1


# --- schedules --------------------------------------------------------------------------------------------------------------

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", dict(step_size=3, gamma=0.5)),
    ("MultiStepLR", dict(milestones=[2, 5, 5, 11], gamma=0.3)),
    ("ConstantLR", dict(factor=0.25, total_iters=4)),
    ("LinearLR", dict(start_factor=0.1, total_iters=6)),
    ("LinearLR", dict(start_factor=1.0, end_factor=0.0, total_iters=6)),
    ("ExponentialLR", dict(gamma=0.9)),
    ("PolynomialLR", dict(total_iters=8, power=2.0)),
    ("CosineAnnealingLR", dict(T_max=7)),
    ("CosineAnnealingLR", dict(T_max=10, eta_min=0.01)),
    ("LambdaLR", dict(lr_lambda=lambda epoch: 1 / (1 + epoch))),
    ("OneCycleLR", dict(max_lr=0.4, total_steps=21)),
    ("OneCycleLR", dict(max_lr=[0.4, 0.1], epochs=3, steps_per_epoch=7, pct_start=0.4, anneal_strategy="linear", three_phase=True)),
]


def _optimisers(name: str = "SGD", **options: Any) -> tuple[Any, Any]:
    a, b = nn.Parameter([1.0]), nn.Parameter([1.0])
    c, d = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    one = getattr(optim, name)([{"params": [a]}, {"params": [b], "lr": 0.02}], lr=0.1, **options)
    two = getattr(torch.optim, name)([{"params": [c]}, {"params": [d], "lr": 0.02}], lr=0.1, **options)
    return one, two


def _rates(optimizer: Any) -> list[float]:
    return [float(g[k] if k != "betas" else g[k][0]) for g in optimizer.param_groups for k in ("lr", "momentum", "betas") if k in g]


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
@pytest.mark.parametrize(("name", "options"), SCHEDULES, ids=[f"{n}{i}" for i, (n, _) in enumerate(SCHEDULES)])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_schedules_equal_pytorchs(name: str, options: dict[str, Any], optimizer: str) -> None:
    one, two = _optimisers(optimizer, **(dict(momentum=0.9) if optimizer == "SGD" else {}))
    ours, theirs = getattr(lr_scheduler, name)(one, **options), getattr(torch.optim.lr_scheduler, name)(two, **options)
    for step in range(20):
        np.testing.assert_allclose(_rates(one), _rates(two), rtol=1e-9, atol=1e-15, err_msg=str(step))
        assert ours.get_last_lr() == [g["lr"] for g in one.param_groups]
        if step == 9:  # as if the process had ended here
            states = copy.deepcopy((one.state_dict(), ours.state_dict()))
            one, _ = _optimisers(optimizer, **(dict(momentum=0.9) if optimizer == "SGD" else {}))
            ours = getattr(lr_scheduler, name)(one, **options)
            one.load_state_dict(states[0])
            ours.load_state_dict(states[1])
        ours.step()
        two.step()
        theirs.step()
    if name == "OneCycleLR":
        ours.step()
        with pytest.raises(ValueError, match="step 22 of a cycle of 21 steps"):
            ours.step()


@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*:UserWarning")
def test_sequences_and_chains() -> None:
    one, two = _optimisers()

    def sequence(m: Any, o: Any) -> Any:
        parts = [m.LinearLR(o, 0.1, total_iters=4), m.ExponentialLR(o, 0.8), m.CosineAnnealingLR(o, 5)]
        return m.SequentialLR(o, parts, [4, 9])

    ours, theirs = sequence(lr_scheduler, one), sequence(torch.optim.lr_scheduler, two)
    for step in range(16):
        np.testing.assert_allclose(_rates(one), _rates(two), rtol=1e-12, atol=1e-15, err_msg=str(step))
        if step in (3, 7):
            states = copy.deepcopy((one.state_dict(), ours.state_dict()))
            one, _ = _optimisers()
            ours = sequence(lr_scheduler, one)
            one.load_state_dict(states[0])
            ours.load_state_dict(states[1])
        ours.step()
        theirs.step()
    one, two = _optimisers()
    mine = [lr_scheduler.LinearLR(one, 0.5, total_iters=4), lr_scheduler.ExponentialLR(one, 0.9)]
    others = [torch.optim.lr_scheduler.LinearLR(two, 0.5, total_iters=4), torch.optim.lr_scheduler.ExponentialLR(two, 0.9)]
    for _ in range(8):
        for a, b in zip(mine, others):
            a.step()
            b.step()
        np.testing.assert_allclose(_rates(one), _rates(two), rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        dict(patience=2),
        dict(mode="max", patience=1, cooldown=2, factor=0.5),
        dict(patience=0, threshold=0.05, threshold_mode="abs", min_lr=[0.03, 0.001]),
    ],
)
def test_plateau_equals_pytorchs(options: dict[str, Any]) -> None:
    one, two = _optimisers()
    ours, theirs = lr_scheduler.ReduceLROnPlateau(one, **options), torch.optim.lr_scheduler.ReduceLROnPlateau(two, **options)
    rng = np.random.default_rng(5)
    for step in range(40):
        value = float(np.exp(-step / 8) + 0.1 * rng.random())
        ours.step(xp.asarray(value) if step % 2 else value)
        theirs.step(value)
        assert _rates(one) == pytest.approx(_rates(two), rel=1e-14)
        if step == 20:
            state = copy.deepcopy(ours.state_dict())
            ours = lr_scheduler.ReduceLROnPlateau(one, **options)
            ours.load_state_dict(state)
    assert _rates(one)[0] < 0.1


def test_schedules_refuse() -> None:
    one, _ = _optimisers()
    with pytest.raises(TypeError, match="not an Optimizer"):
        lr_scheduler.StepLR(nn.Linear(1, 1), 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="step_size=0"):
        lr_scheduler.StepLR(one, 0)
    with pytest.raises(ValueError, match="give total_steps, or epochs"):
        lr_scheduler.OneCycleLR(one, 0.1)
    with pytest.raises(ValueError, match="Adagrad has no momentum"):
        lr_scheduler.OneCycleLR(optim.Adagrad([nn.Parameter([1.0])]), 0.1, 10)
    with pytest.raises(ValueError, match="2 schedules need 1 milestones, got 0"):
        lr_scheduler.SequentialLR(one, [lr_scheduler.StepLR(one, 3)] * 2, [])
    with pytest.raises(ValueError, match="this one has a"):
        lr_scheduler.StepLR(one, 3).load_state_dict({"a": 1})
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optim.SGD([nn.Parameter([1.0])]), 3, last_epoch=5)
    with pytest.raises(ValueError, match="factor=1"):
        lr_scheduler.ReduceLROnPlateau(one, factor=1.0)


# --- clipping ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("limit", [0.1, 100.0])
def test_clip_grad_norm(order: float, limit: float) -> None:
    ours, theirs = _pair()
    _step(ours, optim.SGD(ours.parameters(), lr=0))
    _their_step(theirs, torch.optim.SGD(theirs.parameters(), lr=0.0))
    before = [p.grad.tolist() for p in ours.parameters()]
    total = nn.utils.clip_grad_norm_(ours.parameters(), limit, order)
    np.testing.assert_allclose(float(total), float(torch.nn.utils.clip_grad_norm_(theirs.parameters(), limit, order)), rtol=1e-13)
    for a, b in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(np.asarray(a.grad), b.grad.numpy(), rtol=1e-13)
    assert ([p.grad.tolist() for p in ours.parameters()] == before) == (limit == 100)


def test_clip_grad_value_and_refusals() -> None:
    p, q = nn.Parameter([1.0, 2.0, 3.0]), nn.Parameter([1.0])
    p.grad = xp.asarray([-3.0, 0.1, 3.0], dtype=xp.float32)
    nn.utils.clip_grad_value_([p, q], 0.5)
    assert p.grad.tolist() == pytest.approx([-0.5, 0.1, 0.5])
    assert float(nn.utils.clip_grad_norm_([q], 1.0)) == 0
    p.grad = xp.asarray([math.nan, 0.1, 3.0], dtype=xp.float32)
    with pytest.raises(RuntimeError, match=r"norm of order 2\.0 is nan"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("kind", [nn.optim.Adam, nn.optim.AdamW])
def test_graphs_count_the_steps_of_adam(kind: Any) -> None:
    """Replays correct the bias as steps do, in every group; the state says how many there were, and steps go on from there."""
    with xp.config(cuda="simulate"):
        x = xp.asarray(np.linspace(-1, 1, 6).reshape(2, 3), device="cuda")

        def start() -> tuple[Any, list[Any], Any]:
            ps = [xp.asarray(np.full(3, v), device="cuda", dtype=d) for v, d in ((1.0, xp.float64), (2.0, xp.float32), (0.5, xp.float64))]
            for p in ps:
                p.requires_grad = True
            optimizer = kind([{"params": ps[:2]}, {"params": ps[2:], "lr": 0.1}], lr=0.05)

            def step(v: Any) -> Any:
                optimizer.zero_grad()
                loss = xp.sum((v * ps[0] + ps[1] - ps[2]) ** 2)
                loss.backward()
                optimizer.step()
                return loss.detach()

            return optimizer, ps, step

        (one, plain, eager), (other, captured, step) = start(), start()
        replayed = xp.cuda.graph(step)
        for i in range(5):
            np.testing.assert_allclose(float(replayed(x + i)), float(eager(x + i)), rtol=1e-6)
        eager(x)
        step(x)
        for p, q in zip(plain, captured):
            np.testing.assert_allclose(q.detach().tolist(), p.detach().tolist(), rtol=1e-5)
        steps = [s["step"] for s in other.state_dict()["state"].values()]
        assert steps == [s["step"] for s in one.state_dict()["state"].values()] == [6, 6, 6]
        assert all(s.__class__ is int for s in steps)
