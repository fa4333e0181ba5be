"""`Optimizer`: parameters in groups with options of their own, the state of each parameter, and how both are saved and loaded."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import mtarray as xp
from mtarray import Array, autodiff

from ..parameter import is_frozen

State = dict[str, Any]
_alive: weakref.WeakSet[Optimizer] = weakref.WeakSet()
_hooked = False


class Optimizer:
    """What all optimisers have.

    params: the arrays to be learnt, as `model.parameters()` or `model.named_parameters()` gives them; or a list of groups, dicts with
    "params" and options that differ from the others'. maximize: go up instead of down.

    param_groups: the groups, a list of dicts; options such as "lr" may be changed at any time. `step` writes into the arrays themselves.
    """

    # Names of a parameter's state, where it is an array like the parameter; "step" counts.
    _arrays: ClassVar[tuple[str, ...]] = ()
    # Whether an update depends on the number of the step. Then graphs need it as an array on the device, which parameters share.
    _counts: ClassVar[bool] = False

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self._state: dict[int, State] = {}
        if hasattr(params, "parameters"):
            raise TypeError(f"{self._name}: params is a {type(params).__name__}; give its parameters: model.parameters()")
        if params.__class__ is Array or not isinstance(params, Iterable):
            raise TypeError(f"{self._name}: params must be an iterable of arrays or a list of groups, not {type(params).__name__}")
        given = list(params)
        if not given:
            raise ValueError(f"{self._name}: there are no parameters (an iterator such as model.parameters() can be used once)")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)
        if self._counts:
            self._follow_captures()

    @property
    def _name(self) -> str:
        return type(self).__name__

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Learn further arrays: "params", an array or an iterable of them, and options that differ from the optimiser's defaults."""
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f"{self._name}: a group of parameters is a dict with 'params', not {group!r:.80}")
        unknown = [k for k in group if k not in self.defaults and k not in ("params", "param_names", "initial_lr")]
        if unknown:
            raise TypeError(f"{self._name} has no option {unknown[0]!r}; it has {', '.join(self.defaults)}")
        own = {**self.defaults, **group}
        given = [own["params"]] if own["params"].__class__ is Array else list(own["params"])
        if given and all(isinstance(x, tuple) and len(x) == 2 and isinstance(x[0], str) for x in given):
            own["param_names"] = [name for name, _ in given]
            given = [x for _, x in given]
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for i, p in enumerate(given):
            if p.__class__ is not Array:
                raise TypeError(f"{self._name}: parameter {i} is no array but a {type(p).__name__}")
            if p.dtype not in (xp.float32, xp.float64):
                raise TypeError(f"{self._name}: parameter {i} has dtype {p.dtype}; what is learnt must be float32 or float64")
            if id(p) in known:
                raise ValueError(f"{self._name}: parameter {i} of shape {p.shape} is given twice, perhaps in another group")
            known.add(id(p))
        own["params"] = given
        self._check(own)
        self.param_groups.append(own)

    def _check(self, group: dict[str, Any]) -> None:
        """ValueError for an option out of its range."""
        for name in ("lr", "eps", "weight_decay", "momentum", "alpha", "lr_decay", "initial_accumulator_value"):
            if name in group and not group[name] >= 0:
                raise ValueError(f"{self._name}: {name}={group[name]} must not be negative")
        for i, beta in enumerate(group.get("betas", ())):
            if not 0 <= beta < 1:
                raise ValueError(f"{self._name}: betas[{i}]={beta} must be in [0, 1)")

    # ------------------------------------------------------------------ a step

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those that there are to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.zero_grad()
                elif p.grad is not None:
                    p.grad = xp.zeros_like(p)

    def step(self, closure: Callable[[], Any] | None = None, *, grads: Any = None) -> Any:
        """Update all parameters that have a gradient, in place.

        closure: computes the loss anew and its gradients; its result is returned. grads: gradients to use instead of `p.grad`: a module, or
        nested containers, whose arrays are in the order of the parameters (what `value_and_grad` gives for the model); None where there is
        none. Parameters of modules with requires_grad False stay as they are.

        >>> import mtarray as xp
        >>> from mtarray import autodiff, nn
        >>> model = nn.Linear(2, 1)
        >>> optimizer = nn.optim.AdamW(model.parameters())
        >>> loss, grads = autodiff.value_and_grad(lambda m: xp.sum(m(xp.ones(2)) ** 2))(model)
        >>> optimizer.step(grads=grads)
        """
        loss = None if closure is None else closure()
        given = None if grads is None else self._given(grads)
        with autodiff.no_grad():
            for group in self.param_groups:
                if given is None:
                    pairs = [(p, g) for p in group["params"] if (g := p.grad) is not None]
                else:
                    pairs = [(p, g) for p in group["params"] if (g := next(given)) is not None and not is_frozen(p)]
                if group.get("maximize"):
                    pairs = [(p, -g) for p, g in pairs]
                self._update(group, pairs)
        return loss

    def _given(self, grads: Any) -> Iterator[Any]:
        if hasattr(grads, "parameters"):
            leaves = list(grads.parameters())
        elif isinstance(grads, (list, tuple)) and all(g is None or g.__class__ is Array for g in grads):
            leaves = list(grads)
        else:
            import optree

            leaves = optree.tree_leaves(grads, none_is_leaf=False, namespace="mtarray")
        params = [p for group in self.param_groups for p in group["params"]]
        if len(leaves) != len(params):
            raise ValueError(f"{self._name}: {len(leaves)} gradients are given for {len(params)} parameters")
        for i, (p, g) in enumerate(zip(params, leaves)):
            if g is not None and g.shape != p.shape:
                raise ValueError(f"{self._name}: gradient {i} has shape {g.shape}, its parameter {p.shape}")
        return iter(leaves)

    def _update(self, group: dict[str, Any], pairs: list[tuple[Array, Array]]) -> None:
        """Update the parameters of one group by their gradients."""
        raise NotImplementedError

    def _follow_captures(self) -> None:
        global _hooked
        _alive.add(self)
        if not _hooked:
            _hooked = True
            xp.cuda.before_capture(_count_on_device)

    def _step(self, state: State, stepped: dict[int, Any]) -> Any:
        """The number of this step of a parameter: an int, or where graphs are captured an array, counted up once for all that share it.
        stepped: those of this update."""
        step = state["step"]
        if step.__class__ is not Array:
            state["step"] = step + 1
            return step + 1
        if id(step) not in stepped:
            stepped[id(step)] = step
            step += 1
        return step

    def _of(self, p: Array, *names: str) -> State:
        """The state of a parameter; at first with a step of 0 and zeros of its shape under each name."""
        state = self._state.get(id(p))
        if state is None:
            state = self._state[id(p)] = {"step": 0, **{name: xp.zeros(p.shape, dtype=p.dtype, device=p.device) for name in names}}
        return state

    # ------------------------------------------------------------------ saved, loaded, copied

    def __getstate__(self) -> dict[str, Any]:
        # State goes by identity, which copies and pickles have not: by place instead.
        places = {id(p): i for i, p in enumerate(self._parameters())}
        return {**self.__dict__, "_state": {places[i]: s for i, s in self._state.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        params = list(self._parameters())
        self._state = {id(params[i]): s for i, s in state["_state"].items()}
        if self._counts:
            self._follow_captures()

    def _parameters(self) -> Iterator[Array]:
        return (p for group in self.param_groups for p in group["params"])

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number of a parameter: its state}, "param_groups": [options with the numbers of its parameters]}, as PyTorch has it.

        The values are as they are now, whatever the optimiser does next.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                numbers[id(p)] = len(numbers)
            groups.append({**group, "params": [numbers[id(p)] for p in group["params"]]})
        state = {numbers[i]: {k: _saved(k, v) for k, v in s.items()} for i, s in self._state.items()}
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over options and state, also those that PyTorch's optimiser of the same name had for the same parameters.

        ValueError, before anything changes, if groups, their sizes or the shapes of arrays differ from this optimiser's.
        """
        try:
            groups, states = state_dict["param_groups"], state_dict["state"]
            sizes = [len(g["params"]) for g in groups]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self._name}: the state must be a dict with 'state' and 'param_groups' ({error!r})") from None
        own = [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ValueError(f"{self._name}: the state is of groups of {sizes} parameters, this optimiser has groups of {own}")
        params = {n: p for g, mine in zip(groups, self.param_groups) for n, p in zip(g["params"], mine["params"])}
        loaded: dict[int, State] = {}
        for number, values in states.items():
            p = params.get(int(number))
            if p is None:
                raise ValueError(f"{self._name}: the state has parameter {number}, its groups have not")
            loaded[id(p)] = self._loaded(int(number), p, values)
        for g, mine in zip(groups, self.param_groups):
            new = {k: tuple(v) if isinstance(v, list) else v for k, v in g.items() if k in self.defaults or k == "initial_lr"}
            self._check({**mine, **new})
            mine.update(new)
        self._state = loaded

    def _loaded(self, number: int, p: Array, values: Mapping[str, Any]) -> State:
        state: State = {"step": 0}
        for name, value in values.items():
            if name == "step":
                state["step"] = int(value)
            elif name not in self._arrays:
                raise ValueError(f"{self._name}: the state of parameter {number} has {name!r}: of another optimiser?")
            elif value is not None:
                if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor of PyTorch
                    value = value.detach().cpu()
                array = xp.asarray(value, dtype=p.dtype, device=p.device, copy=True)
                if array.shape != p.shape:
                    raise ValueError(f"{self._name}: {name} of parameter {number} has shape {array.shape}, the parameter {p.shape}")
                state[name] = array
        return state

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            options = ", ".join(f"{k}={v}" for k, v in group.items() if k in self.defaults)
            lines.append(f"  group {i}: {len(group['params'])} parameters, {options}")
        return f"{self._name}(\n" + "\n".join(lines) + "\n)"


def _saved(name: str, v: Any) -> Any:
    if name == "step":
        return int(v)
    return v.copy() if v.__class__ is Array else v


def _count_on_device(device: Any) -> None:
    """The numbers of steps, of parameters on this device, as arrays there: one for all of a group that have come equally far."""
    for optimizer in list(_alive):
        for group in optimizer.param_groups:
            arrays: dict[int, Array] = {}
            for p in group["params"]:
                state = optimizer._state.get(id(p))
                if state is not None and p.device == device and state["step"].__class__ is not Array:
                    n = int(state["step"])
                    if n not in arrays:
                        arrays[n] = xp.full((), float(n), dtype=xp.float64, device=device)
                    state["step"] = arrays[n]
