"""Modules that hold others: in a row, in a list, by name."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

from .. import Array
from .module import Module
from .parameter import Parameter, is_declared


class _Numbered(Module):
    """Modules named "0", "1", ... that are indexed as a list is."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)._of(dict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        rest = [(name, module) for name, module in self._modules.items() if name not in names]
        for name in list(self._modules):
            delattr(self, name)
        for i, (name, module) in enumerate(rest):  # those that are numbered close ranks
            self.register_module(str(i) if name.isdecimal() else name, module)

    def _key(self, index: int) -> str:
        i, n = operator.index(index), len(self._modules)
        if not -n <= i < n:
            raise IndexError(f"{type(self).__name__}: index {i} is out of range, there are {n} modules")
        return list(self._modules)[i]

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns this one."""
        self.register_module(str(len(self._modules)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; returns this one."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`."""
        modules = list(self._modules.values())
        modules.insert(index, module)
        for name in list(self._modules):
            delattr(self, name)
        for i, m in enumerate(modules):
            self.register_module(str(i), m)


class Sequential(_Numbered):
    """Modules that are called one after the other, each with the result of the one before: given in order, or as a dictionary of names.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> model = nn.Sequential(nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 1), nn.Sigmoid())
    >>> model(xp.ones((5, 2))).shape
    (5, 1)
    >>> model[0]
    Linear(in_features=2, out_features=100, bias=True)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            for name, module in modules[0].items():
                self.register_module(name, module)
        else:
            for i, layer in enumerate(modules):
                self.register_module(str(i), layer)  # type: ignore[arg-type]

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        return cls(modules)

    def forward(self, x: Any) -> Any:
        """The last module's result."""
        for module in self._modules.values():
            x = module(x)  # type: ignore[misc]
        return x


class ModuleList(_Numbered):
    """A list of modules, which are registered. It is indexed and iterated, not called.

    >>> from mtarray import nn
    >>> layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
    >>> len(layers), len(list(layers.parameters()))
    (3, 6)
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    @classmethod
    def _of(cls, modules: dict[str, Any]) -> Any:
        return cls(modules.values())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])


class ModuleDict(Module):
    """A dictionary of modules, which are registered.

    >>> from mtarray import nn
    >>> heads = nn.ModuleDict({"age": nn.Linear(8, 1), "colour": nn.Linear(8, 3)})
    >>> list(heads)
    ['age', 'colour']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __setitem__(self, name: str, module: Module) -> None:
        self.register_module(name, module)

    def __delitem__(self, name: str) -> None:
        if name not in self._modules:
            raise KeyError(name)
        delattr(self, name)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """(name, module)."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules, in the places of those of the same names."""
        for name, module in dict(modules).items():
            self.register_module(name, module)

    def pop(self, name: str) -> Any:
        """Take a module out, and return it."""
        module = self[name]
        del self[name]
        return module


class ParameterList(Module):
    """A list of parameters: arrays that are given are copied, declared parameters are taken as they are.

    >>> from mtarray import nn
    >>> scales = nn.ParameterList([[1.0, 2.0], [3.0]])
    >>> [x.shape for x in scales]
    [(2,), (1,)]
    """

    def __init__(self, parameters: Iterable[Any] = ()) -> None:
        super().__init__()
        for x in parameters:
            self.append(x)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Array]:
        return iter(self._parameters.values())  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Array:
        n = len(self._parameters)
        if not -n <= operator.index(index) < n:
            raise IndexError(f"ParameterList: index {index} is out of range, there are {n} parameters")
        return self._parameters[str(index % n)]  # type: ignore[return-value]

    def __setitem__(self, index: int, parameter: Any) -> None:
        self[index]  # an IndexError, if any
        self.register_parameter(str(index % len(self._parameters)), _parameter(parameter))

    def append(self, parameter: Any) -> Self:
        """Add a parameter at the end; returns this list."""
        self.register_parameter(str(len(self._parameters)), _parameter(parameter))
        return self

    def extend(self, parameters: Iterable[Any]) -> Self:
        """Add parameters at the end; returns this list."""
        for x in list(parameters):
            self.append(x)
        return self

    def extra_repr(self) -> str:
        return ", ".join(f"{x.dtype} {x.shape}" for x in self)


class ParameterDict(Module):
    """A dictionary of parameters, taken as by `ParameterList`.

    >>> from mtarray import nn
    >>> sorted(nn.ParameterDict({"shift": [0.0], "scale": [1.0]}))
    ['scale', 'shift']
    """

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.update(parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._parameters

    def __getitem__(self, name: str) -> Array:
        return self._parameters[name]  # type: ignore[return-value]

    def __setitem__(self, name: str, parameter: Any) -> None:
        self.register_parameter(name, _parameter(parameter))

    def __delitem__(self, name: str) -> None:
        if name not in self._parameters:
            raise KeyError(name)
        delattr(self, name)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> Iterable[Array]:
        """The parameters."""
        return self._parameters.values()  # type: ignore[return-value]

    def items(self) -> Iterable[tuple[str, Array]]:
        """(name, parameter)."""
        return self._parameters.items()  # type: ignore[return-value]

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add parameters, in the places of those of the same names."""
        for name, x in dict(parameters).items():
            self[name] = x

    def extra_repr(self) -> str:
        return ", ".join(f"{name}: {x.dtype} {x.shape}" for name, x in self.items())


def _parameter(x: Any) -> Array:
    return x if x.__class__ is Array and (is_declared(x) or x.requires_grad) else Parameter(x)
