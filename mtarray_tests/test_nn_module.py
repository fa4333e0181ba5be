"""Modules: registration, the tree, modes, state, copies, hooks, and what raises."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import optree
import pytest
import torch

import mtarray as xp
from mtarray import autodiff, nn


class Block(nn.Module):
    """One of each: parameters, a frozen one, buffers of both kinds, modules, plain attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter([1.0, 2.0])
        self.frozen = nn.Parameter([3.0], requires_grad=False)
        self.register_parameter("absent", None)
        self.register_buffer("count", xp.asarray(0))
        self.register_buffer("cache", xp.zeros(2), persistent=False)
        self.register_buffer("nothing", None)
        self.inner = nn.Linear(2, 2)
        self.act = nn.Tanh()
        self.note = "plain"
        self.constant = xp.ones(2)

    def forward(self, x: Any) -> Any:
        self.count += 1
        return self.act(self.inner(x)) * self.scale + self.frozen


def tied() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    model[2].weight = model[0].weight
    return model


# ---------------------------------------------------------------------- registration and the tree


def test_attributes_are_registered() -> None:
    m = Block()
    assert [name for name, _ in m.named_parameters()] == ["scale", "frozen", "inner.weight", "inner.bias"]
    assert [name for name, _ in m.named_buffers()] == ["count", "cache"]
    assert [name for name, _ in m.named_modules()] == ["", "inner", "act"]
    assert [name for name, _ in m.named_children()] == ["inner", "act"]
    assert list(m.modules()) == [m, m.inner, m.act]
    assert list(m.children()) == [m.inner, m.act]
    assert m.scale.__class__ is xp.Array
    assert m.scale.requires_grad
    assert not m.frozen.requires_grad
    assert m.absent is None
    assert m.nothing is None
    assert {"scale", "count", "inner"} <= set(dir(m))
    assert m.get_submodule("inner") is m.inner
    assert m.get_parameter("inner.weight") is m.inner.weight


def test_names_are_reused() -> None:
    m = Block()
    m.scale = xp.asarray([5.0, 6.0])  # an array takes the parameter's place
    assert m.get_parameter("scale").requires_grad
    m.frozen = xp.asarray([1.0])
    assert not m.frozen.requires_grad
    m.cache = xp.ones(3)
    assert dict(m.named_buffers())["cache"].shape == (3,)
    m.note = nn.Parameter([0.0])  # a plain attribute becomes a parameter
    assert "note" in dict(m.named_parameters())
    m.note = nn.Linear(1, 1)
    assert "note" not in dict(m.named_parameters())
    m.note = None
    assert m.note is None
    m.scale = None
    assert "scale" not in m.state_dict()
    del m.inner, m.cache
    assert [name for name, _ in m.named_children()] == ["act"]
    with pytest.raises(AttributeError, match="inner"):
        m.inner  # noqa: B018
    with pytest.raises(AttributeError):
        del m.inner


def test_parameter_owns_its_elements() -> None:
    source = np.ones(3)
    p = nn.Parameter(source)
    source[0] = 5
    assert p.tolist() if not p.requires_grad else p.detach().tolist() == [1.0, 1.0, 1.0]
    assert p.dtype == xp.float64
    assert nn.Parameter([1, 2]).dtype == xp.float32
    assert nn.Parameter(2.0).shape == ()
    assert nn.Parameter([1.0], dtype=xp.float64, device="cpu").dtype == xp.float64
    with pytest.raises(TypeError, match="register_buffer"):
        nn.Parameter(np.arange(3))


def test_errors_name_the_situation() -> None:
    m = Block()
    for name, value, words in (("scale", "text", "parameter"), ("inner", 3, "module"), ("count", "text", "buffer")):
        with pytest.raises(TypeError, match=rf"Block\.{name} is a {words}"):
            setattr(m, name, value)
    with pytest.raises(AttributeError, match="Block has no attribute 'scael'; there is 'scale'"):
        m.scael  # noqa: B018
    for name in ("a.b", "", "forward"):
        with pytest.raises(ValueError, match="Block"):
            m.register_parameter(name, nn.Parameter([1.0]))
    with pytest.raises(TypeError, match="a Module or None"):
        m.register_module("x", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="an Array or None"):
        m.register_buffer("x", 3)  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="has no module 'no'"):
        m.get_submodule("inner.no")
    with pytest.raises(NotImplementedError, match="Empty has no forward"):
        type("Empty", (nn.Module,), {})()(1)
    with pytest.raises(ValueError, match="mode="):
        m.train("yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="floating"):
        m.to(xp.int64)


@pytest.mark.parametrize("value", [lambda: nn.Linear(1, 1), lambda: nn.Parameter([1.0])], ids=["module", "parameter"])
def test_forgotten_init_says_so(value: Any) -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.part = value()

    with pytest.raises(AttributeError, match=r"Forgetful: call super\(\).__init__\(\)"):
        Forgetful()


def test_apply_train_and_requires_grad() -> None:
    m = Block()
    seen: list[Any] = []
    assert m.apply(seen.append) is m
    assert seen == [m.inner, m.act, m]
    assert m.eval() is m
    assert not any(x.training for x in m.modules())
    m.train()
    assert all(x.training for x in m.modules())
    m.requires_grad_(False)
    assert not any(p.requires_grad for p in m.parameters())
    m.requires_grad_(True)
    xp.sum(m(xp.ones((1, 2)))).backward()
    assert m.scale.grad is not None
    m.zero_grad()
    assert all(p.grad is None for p in m.parameters())


def test_to_changes_floating_arrays_and_keeps_ties() -> None:
    m = Block()
    xp.sum(m(xp.ones((1, 2)))).backward()
    frozen = m.frozen
    assert m.to(xp.float32) is m
    assert m.frozen is frozen  # nothing to change
    m.double()
    assert {p.dtype.name for p in m.parameters()} == {"float64"}
    assert m.count.dtype == xp.int64
    assert m.scale.requires_grad
    assert m.scale.grad is not None
    assert m.scale.grad.dtype == xp.float64
    assert not m.frozen.requires_grad
    m.to(device="cpu", dtype="float32").cpu()
    assert m.inner.weight.dtype == xp.float32
    t = tied().float()
    assert t[0].weight is t[2].weight
    assert len(list(t.parameters())) == 3
    with pytest.raises(RuntimeError, match="device='cuda:7'"):
        m.to("cuda:7")


# ---------------------------------------------------------------------- state


def test_state_dict_is_pytorchs_both_ways() -> None:
    def build(n: Any) -> Any:
        return n.Sequential(n.Linear(3, 5), n.ReLU(), n.ModuleList([n.Conv1d(2, 3, 2), n.Embedding(4, 2)]))

    ours, theirs = build(nn), build(torch.nn)
    theirs.load_state_dict({k: torch.from_numpy(np.asarray(v).copy()) for k, v in ours.state_dict().items()})
    for k, v in theirs.state_dict().items():
        np.testing.assert_array_equal(np.asarray(ours.state_dict()[k]), v.numpy())
    fresh = build(nn)
    assert fresh.load_state_dict(theirs.state_dict()) == ([], [])  # tensors are taken as they are
    again = build(nn)
    again.load_state_dict(dict(theirs.named_parameters()))  # those that require gradients too
    for k, v in ours.state_dict().items():
        np.testing.assert_array_equal(np.asarray(fresh.state_dict()[k]), np.asarray(v))
        np.testing.assert_array_equal(np.asarray(again.state_dict()[k]), np.asarray(v))


def test_state_dict_has_values_of_its_own() -> None:
    m = Block()
    state = m.state_dict()
    assert list(state) == ["scale", "frozen", "count", "inner.weight", "inner.bias"]
    with autodiff.no_grad():
        m.scale *= 10.0
    assert state["scale"].tolist() == [1.0, 2.0]
    assert m.state_dict(prefix="a.", keep_vars=True)["a.scale"] is m.scale
    assert list(tied().state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_load_state_dict_keeps_arrays_dtypes_and_leaves() -> None:
    m = Block()
    weight = m.inner.weight
    state = {k: np.asarray(v, dtype=np.float64 if v.dtype.kind == "f" else None) + 1 for k, v in m.state_dict().items()}
    m.load_state_dict(state)
    assert m.inner.weight is weight
    assert weight.requires_grad
    assert weight.dtype == xp.float32
    assert int(m.count) == 1
    xp.sum(m(xp.ones((1, 2)))).backward()
    assert weight.grad is not None
    m.load_state_dict(state, assign=True)
    assert m.inner.weight is not weight
    assert m.inner.weight.dtype == xp.float64
    assert m.inner.weight.requires_grad
    assert not m.frozen.requires_grad


def test_load_state_dict_lists_all_that_does_not_fit_and_loads_nothing() -> None:
    m = Block()
    before = {k: np.asarray(v) for k, v in m.state_dict().items()}
    state = dict(m.state_dict())
    state["scale"] = xp.asarray([9.0, 9.0])
    del state["frozen"], state["count"]
    state.update({"extra": xp.ones(1), "inner.weight": xp.ones((2, 3)), "inner.bias": "text"})
    with pytest.raises(RuntimeError) as caught:
        m.load_state_dict(state)
    for words in ("missing: frozen, count", "unexpected: extra", "inner.weight: shape (2, 3) does not fit (2, 2)", "inner.bias: str is no"):
        assert words in str(caught.value)
    with pytest.raises(RuntimeError, match="does not fit"):
        m.load_state_dict(state, strict=False)
    for k, v in m.state_dict().items():
        np.testing.assert_array_equal(np.asarray(v), before[k])
    kept = m.load_state_dict({"scale": [4.0, 5.0], "other": 1.0}, strict=False)
    assert kept.missing_keys == ["frozen", "count", "inner.weight", "inner.bias"]
    assert kept.unexpected_keys == ["other"]
    assert m.state_dict()["scale"].tolist() == [4.0, 5.0]
    with pytest.raises(RuntimeError, match="complex128 does not fit float32"):
        m.load_state_dict({"scale": [1j, 2j]}, strict=False)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_copies(make: Any) -> None:
    m = Block()
    m.inner.bias = m.scale  # tied
    other = make(m)
    assert other.scale is other.inner.bias
    assert other.scale is not m.scale
    assert other.scale.requires_grad
    assert not other.frozen.requires_grad
    x = xp.asarray([[0.5, -1.0]])
    assert (other(x) == m(x)).all()
    assert int(other.count) == 1
    with autodiff.no_grad():
        other.scale *= 0.0
    assert m.scale.detach().tolist() == [1.0, 2.0]
    xp.sum(other(x)).backward()
    assert m.scale.grad is None
    assert other.scale.grad is not None


def test_pickle_of_what_is_followed_still_raises() -> None:
    w = nn.Parameter([1.0])
    with pytest.raises(RuntimeError, match="pickle"):
        pickle.dumps(w * 2.0)
    with pytest.raises(RuntimeError, match="pickle"):
        xp.grad(lambda w: xp.sum(w * len(pickle.dumps(w))))(w)


# ---------------------------------------------------------------------- containers


def test_sequential_and_lists() -> None:
    a, b, c = nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)
    s = nn.Sequential({"first": a, "act": b})
    assert s.first is a
    assert len(s.append(c)) == 3
    assert s[-1] is c
    assert isinstance(s[:2], nn.Sequential)
    assert list(s[:2]) == [a, b]
    s[0] = c
    assert s.first is c
    s.insert(0, a)
    assert list(s) == [a, c, b, c]
    del s[1]
    assert list(s) == [a, b, c]
    x = xp.ones((1, 2))
    assert (s(x) == c(b(a(x)))).all()
    layers = nn.ModuleList([a]) + [b]
    layers.extend([c])
    assert [name for name, _ in layers.named_children()] == ["0", "1", "2"]
    with pytest.raises(IndexError, match="3 modules"):
        layers[3]
    del layers[1:]
    assert list(layers) == [a]
    with pytest.raises(TypeError, match="Module"):
        nn.ModuleList([3])  # type: ignore[list-item]


def test_dictionaries_and_parameter_containers() -> None:
    d = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.Tanh()})
    assert list(d.keys()) == ["a", "b"]
    assert "a" in d
    assert len(d) == 2
    d["c"] = nn.ReLU()
    assert isinstance(d.pop("c"), nn.ReLU)
    del d["b"]
    assert [name for name, _ in d.items()] == ["a"]
    assert list(d.values()) == [d["a"]]
    with pytest.raises(KeyError):
        del d["b"]
    p = nn.ParameterList([[1.0], xp.ones(2)])
    p.append(nn.Parameter([3.0], requires_grad=False))
    p[0] = [5.0]
    p.extend([[1.0]])
    assert [x.requires_grad for x in p] == [True, True, False, True]
    assert list(p.state_dict()) == ["0", "1", "2", "3"]
    assert p[-1].shape == (1,)
    with pytest.raises(IndexError, match="4 parameters"):
        p[4]
    q = nn.ParameterDict({"w": [1.0]})
    q["v"] = xp.zeros(2)
    assert "v" in q
    assert dict(q.items())["w"] is q["w"]
    del q["w"]
    assert list(q.keys()) == ["v"]
    assert len(list(q.values())) == len(q) == 1
    assert "float64 (2,)" in repr(q)
    assert "float32 (1,)" in repr(p)


def test_repr_nests_as_pytorchs() -> None:
    def build(n: Any) -> Any:
        return n.Sequential(n.Linear(2, 3), n.ModuleDict({"a": n.Sequential(n.Tanh(), n.Sigmoid())}), n.ModuleList())

    assert repr(build(nn)) == repr(build(torch.nn))


# ---------------------------------------------------------------------- hooks


def test_hooks() -> None:
    m = nn.Linear(2, 2).double()
    seen: list[Any] = []
    before = m.register_forward_pre_hook(lambda module, args: (args[0] * 0.0,))
    after = m.register_forward_hook(lambda module, args, result: seen.append(args[0]) or result + 1.0)
    y = m(xp.ones((1, 2)))
    assert (y == m.bias + 1.0).all()
    assert seen[0].tolist() == [[0.0, 0.0]]
    before.remove()
    after.remove()
    after.remove()
    assert (m(xp.zeros((1, 2))) == m.bias).all()


# ---------------------------------------------------------------------- containers of parameters for derivatives


def test_functional_style_keeps_buffers_and_leaves_the_module_alone() -> None:
    m = Block().double()
    x = xp.ones((3, 2))
    value, grads = autodiff.value_and_grad(lambda m: xp.sum(m(x)))(m)
    assert int(m.count) == 1  # the buffer is the module's own
    assert isinstance(grads, Block)
    assert grads.frozen.tolist() == [6.0]  # every parameter is a leaf
    assert not value.requires_grad
    assert all(p.grad is None for p in m.parameters())
    assert all(p.requires_grad == (name != "frozen") for name, p in m.named_parameters())

    class Running(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(xp.ones(2))
            self.register_buffer("mean", xp.zeros(2))

        def forward(self, x: Any) -> Any:
            self.mean = 0.5 * self.mean + 0.5 * x.detach()  # assigned, not written into
            return x * self.w

    r = Running()
    xp.grad(lambda r: xp.sum(r(xp.ones(2))))(r)
    assert r.mean.tolist() == [0.5, 0.5]


def test_tied_weights_get_the_sum_of_gradients() -> None:
    m = tied()
    x = xp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    xp.sum(m(x) ** 2).backward()
    g = xp.grad(lambda m: xp.sum(m(x) ** 2))(m)
    assert g[0].weight is g[2].weight
    np.testing.assert_allclose(np.asarray(g[0].weight), np.asarray(m[0].weight.grad), rtol=1e-14)
    autodiff.check_grads(lambda m: m(x), (m,), order=2)


def test_module_used_twice_is_one() -> None:
    inner = nn.Linear(3, 3).double()
    m = nn.Sequential(inner, nn.Tanh(), inner)
    g = xp.grad(lambda m: xp.sum(m(xp.ones((2, 3)))))(m)
    assert g[0] is g[2]
    assert list(m.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_optree_sees_parameters() -> None:
    m = tied()
    leaves, spec = optree.tree_flatten(m, namespace="mtarray")
    assert [x.shape for x in leaves] == [(3, 3), (3,), (3,)]
    assert leaves[0] is m[0].weight
    grads = xp.grad(lambda m: xp.sum(m(xp.ones((2, 3)))))(m)
    stepped = optree.tree_map(lambda p, g: p.detach() - 0.1 * g, m, grads, namespace="mtarray")
    assert isinstance(stepped, nn.Sequential)
    assert stepped[0].weight is stepped[2].weight
    np.testing.assert_allclose(np.asarray(stepped[2].bias), np.asarray(m[2].bias.detach()) - 0.2, rtol=1e-14)
    assert optree.tree_unflatten(spec, leaves)[0].weight is m[0].weight
    assert optree.tree_paths(m, namespace="mtarray")[0] == ("0.weight",)


def test_modules_inside_containers_and_beside_arrays() -> None:
    a, b = nn.Linear(2, 2).double(), nn.Linear(2, 2).double()
    x = xp.ones((1, 2))
    g = xp.grad(lambda ms: xp.sum(ms["b"](ms["a"](x)) * ms["scale"]))({"a": a, "b": b, "scale": xp.asarray(2.0)})
    assert isinstance(g["a"], nn.Linear)
    assert g["b"].bias.tolist() == [2.0, 2.0]
    gm, gx = xp.grad(lambda m, x: xp.sum(m(x)), (0, 1))(a, x)
    np.testing.assert_allclose(np.asarray(gx), np.asarray(a.weight.detach()).sum(0)[None])
    assert isinstance(gm, nn.Linear)
    second = xp.grad(lambda m: xp.sum(xp.grad(lambda m: xp.sum(m(x) ** 2))(m).weight ** 2))(a)
    assert second.weight.shape == (2, 2)
    y, pullback = autodiff.vjp(lambda m: m(x), a)
    assert isinstance(pullback(y)[0], nn.Linear)
    _, t = autodiff.jvp(lambda m: m(x), (a,), (a,))
    np.testing.assert_allclose(np.asarray(t), np.asarray(a(x).detach()))


def test_captured_module_is_followed_by_backward_through_functional_derivatives() -> None:
    """A derivative by the input that enters the loss, as physics has it."""
    m = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    t = xp.asarray([[0.3], [0.7]])
    slope = xp.grad(lambda t: xp.sum(m(t)))(t)
    xp.sum(slope**2).backward()
    imperative = m[0].weight.grad
    functional = xp.grad(lambda m: xp.sum(xp.grad(lambda t: xp.sum(m(t)))(t) ** 2))(m)
    assert imperative is not None
    np.testing.assert_allclose(np.asarray(imperative), np.asarray(functional[0].weight), rtol=1e-12)


# ---------------------------------------------------------------------- the package


def test_import_of_the_package_does_not_bring_networks() -> None:
    source = (
        "import sys, mtarray; assert 'mtarray.nn' not in sys.modules; mtarray.nn.Linear; from mtarray import nn; "
        "assert not {'optree', 'rich', 'torch', 'safetensors', 'numba'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", source], check=True)


def test_manual_seed_is_for_all_layers_and_threads() -> None:
    nn.manual_seed(5)
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    assert not (a.weight == b.weight).all()
    nn.manual_seed(5)
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(nn.Linear(3, 3)))
    thread.start()
    thread.join()
    assert (made[0].weight == a.weight).all()
    assert (nn.Linear(3, 3).weight == b.weight).all()


# ---------------------------------------------------------------------- summary


def test_summary_tells_shapes_and_sizes_and_changes_nothing() -> None:
    m = nn.Sequential(Block(), nn.Dropout(0.5), nn.Linear(2, 3))
    m[2].weight.requires_grad = False
    s = m.summary((4, 2))
    assert [(r.name, r.kind, r.depth, r.shape) for r in s.rows] == [
        ("", "Sequential", 0, (4, 3)),
        ("0", "Block", 1, (4, 2)),
        ("0.inner", "Linear", 2, (4, 2)),
        ("0.act", "Tanh", 2, (4, 2)),
        ("1", "Dropout", 1, (4, 2)),
        ("2", "Linear", 1, (4, 3)),
    ]
    assert "└─ 2: Linear" in str(s)
    assert f"{s.parameters} parameters, 7 of them not learnt" in str(s)
    assert all(r.shape is None for r in m.summary().rows)
    assert m.summary(xp.ones((4, 2), dtype=xp.float32)).rows == s.rows
    assert s.parameters == sum(p.size for p in m.parameters())
    assert s.trainable == s.parameters - 1 - 6
    assert int(m[0].count) == 0
    assert m.training
    assert all(x.training for x in m.modules())
    assert not any(x._hooks for x in m.modules())
