"""`Module`: what layers and networks are, a tree of named parameters, buffers and modules."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from .. import Array, asarray, autodiff, float32, zeros, zeros_like
from ..autodiff import trees
from ..random import Generator
from ._summary import Summary, shapes, summarise
from .parameter import declare, is_declared

_TABLES = ("_parameters", "_modules", "_buffers")


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` passed over: names without a value, and values without a name."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Hook:
    """A function that is called with a module's results, until `remove()`."""

    def __init__(self, table: dict[Hook, Any], function: Any) -> None:
        self._table = table
        table[self] = function

    def remove(self) -> None:
        """Call it no more."""
        self._table.pop(self, None)


class Module:
    """A layer or network: attributes that are parameters, buffers and modules are found by name, and `forward` computes.

    Assigning a `Parameter` or a `Module` to an attribute registers it; an array that is assigned to a parameter's name takes its place, and
    one array under two names is one parameter (tied weights). `register_buffer` names arrays of the state that are not learnt.

    A module is a container of its parameters for `mtarray.autodiff` and, where it is installed, `optree`: `grad` of a function of a module
    gives a module of the same structure that holds gradients. Inside, the function gets a copy of the module whose buffers are the same.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = nn.Linear(2, 2)
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x))
    >>> model = Twice()
    >>> model(xp.ones((5, 2))).shape
    (5, 2)
    >>> [name for name, _ in model.named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    # Parameters and modules stand in the instance's __dict__ too, where attributes are found fastest. Buffers do not: the copies that
    # derivatives make share the one table, so a buffer that is assigned there is assigned here.
    _parameters: dict[str, Array | None]
    _modules: dict[str, Module | None]
    _buffers: dict[str, Array | None]
    _transient: set[str]  # buffers that are no part of the state
    _hooks: dict[Hook, Any]
    _before: dict[Hook, Any]
    training: bool

    def __init__(self) -> None:
        self.__dict__.update(_parameters={}, _modules={}, _buffers={}, _transient=set(), _hooks={}, _before={}, training=True)
        trees.announce()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        autodiff.register_container(cls)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward: define `def forward(self, x)` in the class")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._before or self._hooks:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        kind = value.__class__
        if kind is Array:
            if is_declared(value) or name in own.get("_parameters", ()):
                self.register_parameter(name, value)
                return
        elif isinstance(value, Module):
            self.register_module(name, value)
            return
        for table in _TABLES:
            if name in own.get(table, ()):
                if value is not None and not (kind is Array and table == "_buffers"):
                    what = {"_parameters": "parameter", "_modules": "module", "_buffers": "buffer"}[table]
                    raise TypeError(
                        f"{type(self).__name__}.{name} is a {what} and cannot become {value!r:.60} of type {kind.__name__}; "
                        f"assign {'a Module' if table == '_modules' else 'an Array'} or None, or delete the attribute first"
                    )
                own[table][name] = value
                if table != "_buffers":
                    own[name] = value
                return
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        buffers = own.get("_buffers")
        if buffers is None:
            if name in ("_parameters", "_modules", "_buffers", "_transient", "_hooks", "_before", "training"):
                raise AttributeError(_unborn(self))
        elif name in buffers:
            return buffers[name]
        near = difflib.get_close_matches(name, [n for n in dir(self) if not n.startswith("_")], 1, 0.75)
        raise AttributeError(
            f"{type(self).__name__} has no attribute {name!r}{f'; there is {near[0]!r}' if near else ''}", name=name, obj=self
        )

    def __delattr__(self, name: str) -> None:
        own = self.__dict__
        for table in _TABLES:
            if own.get(table, {}).pop(name, self) is not self:
                own["_transient"].discard(name)
                own.pop(name, None)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self.__dict__.get("_buffers", ())]

    def register_parameter(self, name: str, parameter: Array | None) -> None:
        """Make an array the parameter `name`, also in the place of another; None says that there is none, as of a layer without bias."""
        former = self._table_for("_parameters", name)
        if parameter is not None:
            if parameter.__class__ is not Array:
                raise TypeError(f"{type(self).__name__}.{name}: a parameter is an Array or None, not {type(parameter).__name__}")
            if not is_declared(parameter):
                declare(parameter, former is None or former.requires_grad)
        self._parameters[name] = self.__dict__[name] = parameter

    def register_buffer(self, name: str, array: Array | None, persistent: bool = True) -> None:
        """Make an array part of the module's state that is not learnt: it moves with `to`, and if persistent it is in `state_dict`."""
        if array is not None and array.__class__ is not Array:
            raise TypeError(f"{type(self).__name__}.{name}: a buffer is an Array or None, not {type(array).__name__}")
        self._table_for("_buffers", name)
        self._buffers[name] = array
        (self._transient.discard if persistent else self._transient.add)(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Make a module a part of this one; what assigning it to an attribute does."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}.{name}: a part is a Module or None, not {type(module).__name__}")
        self._table_for("_modules", name)
        self._modules[name] = self.__dict__[name] = module

    add_module = register_module

    def _table_for(self, table: str, name: str) -> Any:
        """Free a name for an entry of a table; what the table has under it now."""
        own = self.__dict__
        if table not in own:
            raise AttributeError(_unborn(self))
        if name not in own[table]:
            if not isinstance(name, str) or not name or "." in name:
                raise ValueError(f"{type(self).__name__}: {name!r} is no name of an attribute; dots part the names of nested modules")
            if hasattr(type(self), name):
                raise ValueError(f"{type(self).__name__}.{name} is defined by the class; choose another name")
            for other in _TABLES:
                own[other].pop(name, None)
            own.pop(name, None)
        return own[table].get(name)

    # ------------------------------------------------------------------ the tree

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(name, module) of this module (its name is `prefix`, "" by default) and of all inside it, each once."""
        return _walk(self, prefix, {} if remove_duplicate else None)

    def modules(self) -> Iterator[Module]:
        """This module and all inside it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside this one, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly inside this one."""
        for _, module in self.named_children():
            yield module

    def named_parameters(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Array]]:
        """(name, array) of all parameters, of nested modules with dots between the names; tied ones once, under their first name."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Array]:
        """All parameters, tied ones once."""
        for _, x in self.named_parameters(recurse=recurse):
            yield x

    def named_buffers(self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True) -> Iterator[tuple[str, Array]]:
        """(name, array) of all buffers."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Array]:
        """All buffers."""
        for _, x in self.named_buffers(recurse=recurse):
            yield x

    def _named(self, table: str, prefix: str, recurse: bool, once: bool) -> Iterator[tuple[str, Array]]:
        seen: set[int] = set()
        for path, module in self.named_modules(prefix, once) if recurse else [(prefix, self)]:
            for name, x in module.__dict__[table].items():
                if x is not None and not (once and id(x) in seen):
                    seen.add(id(x))
                    yield (f"{path}.{name}" if path else name), x

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; "" is this one. AttributeError names the first part that is missing."""
        module: Any = self
        for part in target.split(".") if target else ():
            found = module._modules.get(part)
            if found is None:
                raise AttributeError(f"{type(module).__name__} has no module {part!r} (of {target!r})")
            module = found
        return module

    def get_parameter(self, target: str) -> Array:
        """The parameter of a dotted name."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path)._parameters.get(name)
        if found is None:
            raise AttributeError(f"{type(self).__name__} has no parameter {target!r}")
        return found

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function with every module inside this one, and with it at last; returns this module."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # ------------------------------------------------------------------ modes

    def train(self, mode: bool = True) -> Self:
        """Set `training` of this module and all inside it: dropout drops, batch norms use the batch. Returns this module."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode={mode!r} must be True or False")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether `backward` collects the gradients of the parameters; returns this module."""
        for x in self.parameters():
            x.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set those that there are to zero."""
        for x in self.parameters():
            if set_to_none:
                x.zero_grad()
            elif x.grad is not None:
                x.grad = zeros_like(x)

    def to(self, *args: Any, device: Any = None, dtype: Any = None) -> Self:
        """Move parameters and buffers to a device, floating ones to a floating dtype: `to("cpu")`, `to(xp.float64)`, `to(device, dtype)`.

        Arrays that change are replaced by others, tied ones by one: make optimisers afterwards. Gradients go along. Returns this module.
        """
        for a in args:
            if _is_device(a):
                device = a
            elif a.__class__ is Array:
                device, dtype = a.device, a.dtype
            elif a is not None:
                dtype = a
        d = None if dtype is None else np.dtype(dtype)
        if d is not None and d.kind not in "fc":
            raise TypeError(f"to: dtype={dtype!r} must be a floating dtype; integer buffers keep theirs")

        def moved(x: Array) -> Array:
            x = x if device is None else x.to_device(device)
            return x if d is None or x.dtype.kind not in "fc" or (x.dtype.kind == "c" and d.kind == "f") else x.astype(d, copy=False)

        return self._replace(moved)

    def float(self) -> Self:
        """`to(float32)`."""
        return self.to(np.float32)

    def double(self) -> Self:
        """`to(float64)`."""
        return self.to(np.float64)

    def cpu(self) -> Self:
        """`to("cpu")`."""
        return self.to("cpu")

    def cuda(self) -> Self:
        """`to("cuda")`."""
        return self.to("cuda")

    def _replace(self, change: Callable[[Array], Array]) -> Self:
        new: dict[int, Array] = {}

        def changed(x: Array | None) -> Array | None:
            if x is None:
                return None
            if id(x) not in new:
                plain = x.detach()
                y = change(plain)
                new[id(x)] = x if y is plain else y
            return new[id(x)]

        for module in list(self.modules()):
            for name, x in module._parameters.items():
                y = changed(x)
                if x is not None and y is not None and y is not x and not is_declared(y):
                    declare(y, x.requires_grad)
                    if x.grad is not None:
                        y.grad = change(x.grad.detach())
                module._parameters[name] = module.__dict__[name] = y
            for name, x in module._buffers.items():
                module._buffers[name] = changed(x)
        return self

    # ------------------------------------------------------------------ state

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Array]:
        """Parameters and persistent buffers by name, in PyTorch's names and order: values as they are now, whatever happens to the module.

        keep_vars: the arrays themselves instead. To PyTorch: `{k: torch.from_numpy(np.asarray(v)) for k, v in model.state_dict().items()}`.
        """
        return {name: x if keep_vars else x.detach().copy() for name, x in _state(self, prefix)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Write values into the parameters and buffers of the same names, converted to their dtypes.

        Values: arrays of any library, PyTorch's tensors too. strict: the names must be the same. assign: put the arrays in their places
        instead of writing, which keeps the values' dtypes. RuntimeError lists every name that is missing or unexpected and every shape that
        does not fit; nothing is loaded then. Returns what `strict=False` passed over.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"load_state_dict: the values must be a dict by name, not {type(state_dict).__name__}")
        own = dict(_state(self, ""))
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        wrong, values = [], {}
        for name, x in own.items():
            if name not in state_dict:
                continue
            try:
                value = _value(state_dict[name])
            except Exception as error:
                wrong.append(f"{name}: {type(state_dict[name]).__name__} is no array ({error})")
                continue
            if value.shape != x.shape:
                wrong.append(f"{name}: shape {value.shape} does not fit {x.shape}")
            elif value.dtype.kind == "c" and x.dtype.kind != "c":
                wrong.append(f"{name}: {value.dtype} does not fit {x.dtype}")
            else:
                values[name] = value
        told = []
        if strict and missing:
            told.append(f"missing: {', '.join(missing)}")
        if strict and unexpected:
            told.append(f"unexpected: {', '.join(unexpected)}")
        if told or wrong:
            raise RuntimeError(f"load_state_dict: the values do not fit {type(self).__name__}:\n    " + "\n    ".join(told + wrong))
        with autodiff.no_grad():
            for name, value in values.items():
                if assign:
                    path, _, last = name.rpartition(".")
                    module = self.get_submodule(path)
                    setattr(module, last, value.detach().copy())
                else:
                    own[name][...] = value.detach().to_device(own[name].device)
        return IncompatibleKeys(missing, unexpected)

    # ------------------------------------------------------------------ hooks

    def register_forward_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call hook(module, args, result) after every forward; what it returns, unless None, is the result. `remove()` ends it."""
        return Hook(self._hooks, hook)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> Hook:
        """Call hook(module, args) before every forward; what it returns, unless None, are the arguments. `remove()` ends it."""
        return Hook(self._before, hook)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in list(self._before.values()):
            changed = hook(self, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        result = self.forward(*args, **kwargs)
        for hook in list(self._hooks.values()):
            changed = hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    # ------------------------------------------------------------------ shown

    def extra_repr(self) -> str:
        """What stands between the parentheses of the repr, before the modules inside."""
        return ""

    def summary(self, *inputs: Any) -> Summary:
        """The tree of modules with the shapes of their results for these inputs, and their numbers of parameters: `print(m.summary(x))`.

        inputs: arguments of the module, or the shapes of arrays of zeros; without any, no results are shown. The module is called as by
        `eval()` and without gradients, and is not changed. rich prints a summary as a table.

        >>> from mtarray import nn
        >>> print(nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 1)).summary((10, 2)))
        module         result     parameters
        Sequential     (10, 1)           401
        ├─ 0: Linear   (10, 100)         300
        ├─ 1: ReLU     (10, 100)
        └─ 2: Linear   (10, 1)           101
        401 parameters; 1.6 KiB with buffers
        """
        seen: dict[int, Any] = {}
        twin = self.__tree_again__()(list(self.parameters())).eval()  # whose buffers and hooks are its own
        if inputs:
            floats = [(x.dtype, x.device) for x in self.parameters() if x.dtype.kind == "f"]
            d, device = floats[0] if floats else (float32, None)
            args = [zeros(x, dtype=d, device=device) if _is_shape(x) else x for x in inputs]
            for module in twin.modules():
                module.__dict__["_before"] = {}
                module.__dict__["_hooks"] = {None: lambda module, args, result: seen.update({id(module): shapes(result)})}
            with autodiff.no_grad():
                twin(*args)
        return summarise(twin, seen)

    def __repr__(self) -> str:
        extra = self.extra_repr()
        inside = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self._modules.items()]
        if not inside:
            return f"{type(self).__name__}({extra})"
        lines = ([extra] if extra else []) + inside
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"

    # ------------------------------------------------------------------ a container of its parameters

    def __tree_leaves__(self) -> tuple[list[Array], list[str], Callable[[list[Any]], Module]]:
        """The parameters, their names, and the function that makes this module anew with others in their places."""
        names, leaves = [], []
        for name, x in self.named_parameters():
            names.append(name)
            leaves.append(x)
        places = {id(x): i for i, x in enumerate(leaves)}
        return leaves, names, lambda new: _with(self, lambda x: new[places[id(x)]], {})

    def __tree_again__(self) -> Callable[[list[Any]], Module]:
        """The same function for a run that is repeated: buffers and generators are copies as they are now, so it changes none."""
        places = {id(x): i for i, x in enumerate(self.parameters())}
        mould = _with(self, lambda x: places[id(x)], {}, _copies(self))  # whose parameters are their places
        return lambda new: _with(mould, new.__getitem__, {}, _copies(mould))


def _with(module: Module, parameter: Callable[[Any], Any], made: dict[int, Module], copies: dict[int, Any] | None = None) -> Module:
    """A copy of a module with other parameters, `parameter(x)` for x; shared modules stay shared. Buffers and generators are the same, or
    those in `copies`, by their identity."""
    out = made.get(id(module))
    if out is not None:
        return out
    out = made[id(module)] = object.__new__(type(module))
    own = out.__dict__
    own.update(module.__dict__)
    own["_parameters"] = parameters = {}
    for name, x in module._parameters.items():
        parameters[name] = own[name] = None if x is None else parameter(x)
    own["_modules"] = modules = {}
    for name, child in module._modules.items():
        modules[name] = own[name] = None if child is None else _with(child, parameter, made, copies)
    if copies is not None:
        own["_buffers"] = {name: None if x is None else copies[id(x)] for name, x in module._buffers.items()}
        own.update({name: copies[id(v)] for name, v in module.__dict__.items() if isinstance(v, Generator)})
    return out


def _copies(module: Module) -> dict[int, Any]:
    """Copies of the buffers and generators of a module, by the identity of what they are copies of."""
    found: dict[int, Any] = {}
    for part in module.modules():
        found.update({id(x): x.detach().copy() for x in part._buffers.values() if x is not None})
        found.update({id(v): copy.copy(v) for v in part.__dict__.values() if isinstance(v, Generator)})
    return found


def _walk(module: Module, path: str, seen: dict[int, None] | None) -> Iterator[tuple[str, Module]]:
    if seen is not None:
        if id(module) in seen:
            return
        seen[id(module)] = None
    yield path, module
    for name, child in module._modules.items():
        if child is not None:
            yield from _walk(child, f"{path}.{name}" if path else name, seen)


def _state(module: Module, path: str) -> Iterator[tuple[str, Array]]:
    """Names and arrays of the state, in order: a module's parameters, its buffers, then the modules inside; tied ones under each name."""
    for name, x in module._parameters.items():
        if x is not None:
            yield path + name, x
    for name, x in module._buffers.items():
        if x is not None and name not in module._transient:
            yield path + name, x
    for name, child in module._modules.items():
        if child is not None:
            yield from _state(child, f"{path}{name}.")


def _value(x: Any) -> Array:
    if x.__class__ is Array:
        return x
    if hasattr(x, "detach") and hasattr(x, "cpu"):  # a tensor of PyTorch, which may require a gradient
        x = x.detach().cpu()
        if str(x.dtype) in ("torch.float16", "torch.bfloat16"):  # what arrays have not
            x = x.float()
    return asarray(x)


def _is_shape(x: Any) -> bool:
    return isinstance(x, tuple) and all(isinstance(n, int) for n in x)


def _is_device(x: Any) -> bool:
    return type(x).__name__ == "Device" or (isinstance(x, str) and x.split(":")[0] in ("cpu", "cuda"))


def _unborn(module: Module) -> str:
    name = type(module).__name__
    return f"{name}: call super().__init__() at the beginning of {name}.__init__, before parameters and modules are assigned or used"


autodiff.register_container(Module)
